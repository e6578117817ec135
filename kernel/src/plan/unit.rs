//! The source of a unit: a module for each run whose definitions it contains, importing the names that
//! these mention.

use super::scope::{DefId, Provider};
use super::source::{Mark, Source};
use super::{Definitions, UnitId, crate_name};
use crate::read::imports::Import;
use crate::read::items::{Kind, Space};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The start of every crate: makes `print!` show its output at once, in modules too.
pub(super) const HEAD: &str = "#[macro_use(print)] extern crate holoscope;\n";

/// A file that a unit's `mod name;` reads: where rustc looks for it, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleFile {
    pub within: PathBuf,
    pub name: String,
}

impl Definitions {
    /// The source of a unit.
    pub fn unit_source(&self, unit: UnitId) -> Source {
        let mut source = Source::default();
        self.head(&mut source);
        let mut parts: BTreeMap<u64, Vec<DefId>> = BTreeMap::new();
        for id in &self.units[unit].defs {
            parts.entry(self.def(*id).run).or_default().push(*id);
        }
        for (run, mut defs) in parts {
            // A macro is visible only after its definition.
            defs.sort_by_key(|id| (self.def(*id).item.kind != Kind::MacroRules, *id));
            self.part(unit, run, &defs, &mut source);
        }
        source
    }

    /// Writes the attributes of the session's crates and the start of each of them.
    pub(super) fn head(&self, source: &mut Source) {
        for attribute in &self.attributes {
            source.generated(attribute);
            source.generated("\n");
        }
        source.generated(HEAD);
        for bundle in &self.bundles {
            source.generated(&format!("extern crate {bundle} as _;\n"));
        }
    }

    fn part(&self, unit: UnitId, run: u64, defs: &[DefId], source: &mut Source) {
        let module = format!("p{run}");
        source.generated(&format!("pub mod {module} {{\n"));
        let mut uses: BTreeSet<DefId> = BTreeSet::new();
        for id in defs {
            uses.extend(self.used_in_source(*id));
        }
        let own: BTreeSet<&(Space, String)> = defs
            .iter()
            .flat_map(|id| &self.def(*id).item.names)
            .collect();
        uses.retain(|used| !defs.contains(used));
        let imports = defs
            .first()
            .map(|id| Arc::clone(&self.def(*id).imports))
            .unwrap_or_default();
        self.prelude(&uses, &imports, &own, Some(unit), source);
        for id in defs {
            self.write(*id, &module, source);
            source.generated("\n");
        }
        source.generated("}\n");
    }

    /// What a definition's source needs; for a static that exists already, only its type.
    fn used_in_source(&self, id: DefId) -> BTreeSet<DefId> {
        let def = self.def(id);
        let (Some(_), Some(head)) = (&def.stored, &def.item.static_head) else {
            return def.uses.clone();
        };
        let words = crate::read::words::of(&head.ty);
        let of_type = def.uses.iter().copied().filter(|used| {
            let names = &self.def(*used).item.names;
            names.iter().any(|(_, name)| words.contains(name.as_str()))
        });
        of_type.collect()
    }

    fn write(&self, id: DefId, module: &str, source: &mut Source) {
        let def = self.def(id);
        let item = &def.item;
        match (&item.static_head, &def.stored) {
            (Some(head), Some(stored)) => {
                let kind = if head.mutable {
                    "static mut"
                } else {
                    "safe static"
                };
                source.generated(&format!(
                    "unsafe extern \"Rust\" {{ #[link_name = {:?}] pub {kind} {}: {}; }}",
                    stored.symbol, head.name, head.ty
                ));
            }
            (Some(_), None) => {
                source.generated(&format!("#[unsafe(export_name = {:?})] ", symbol(id)));
                source.users(&def.cell, &item.range, &item.insertions, module);
            }
            (None, _) => source.users(&def.cell, &item.range, &item.insertions, module),
        }
    }

    /// Writes the `use`s of the session, and those of the names that are mentioned. `own` are the names
    /// that the module defines itself; `unit` is this crate, if others link to it.
    pub(super) fn prelude(
        &self,
        uses: &BTreeSet<DefId>,
        imports: &[Arc<Import>],
        own: &BTreeSet<&(Space, String)>,
        unit: Option<UnitId>,
        source: &mut Source,
    ) {
        let mut by_name: BTreeMap<&str, BTreeSet<DefId>> = BTreeMap::new();
        let mut globs = BTreeSet::new();
        for id in uses {
            let item = &self.def(*id).item;
            if item.kind == Kind::MacroCall {
                globs.insert(*id);
            }
            if matches!(item.kind, Kind::MacroCall | Kind::Impl) {
                continue;
            }
            for (_, name) in &item.names {
                by_name.entry(name).or_default().insert(*id);
            }
        }
        for import in imports {
            let known = import.name.as_deref();
            // A name that the module defines itself is not imported.
            if known.is_some_and(|name| own.iter().any(|(_, own)| own == name)) {
                continue;
            }
            if known.is_some_and(|name| by_name.contains_key(name)) && !self.is_import(import) {
                continue;
            }
            source.marked(Mark::Import(import.text.clone()), &import.text);
            source.generated("\n");
        }
        for (name, ids) in by_name {
            let defined = own.iter().any(|(_, own)| own == name);
            self.bring_in(name, &ids, defined, unit, source);
        }
        for id in globs {
            let path = self.module_path(id, unit);
            source.generated(&format!("pub use {path}::*;\n"));
        }
    }

    /// Whether its name currently refers to a `use`.
    fn is_import(&self, import: &Arc<Import>) -> bool {
        let Some(name) = &import.name else {
            return true;
        };
        let entries = self.scope.entries(name).iter();
        entries
            .into_iter()
            .any(|entry| entry.provider == Provider::Import(Arc::clone(import)))
    }

    /// Imports a name. If it has several definitions, each in a namespace, they are imported in layers:
    /// a glob provides what no nearer import has.
    fn bring_in(
        &self,
        name: &str,
        ids: &BTreeSet<DefId>,
        defined: bool,
        unit: Option<UnitId>,
        source: &mut Source,
    ) {
        let count = ids.len();
        let mut layer = String::new();
        for (n, id) in ids.iter().enumerate() {
            let path = self.path(*id, name, unit);
            if n + 1 == count && !defined {
                source.generated(&format!("pub use {path};\n"));
                continue;
            }
            let module = format!("layer{n}_{}", name.trim_start_matches("r#"));
            let below = match layer.as_str() {
                "" => String::new(),
                layer => format!("pub use super::{layer}::*; "),
            };
            source.generated(&format!("mod {module} {{ {below}pub use {path}; }}\n"));
            layer = module;
        }
        if !layer.is_empty() {
            source.generated(&format!("pub use {layer}::*;\n"));
        }
    }

    /// The module of a definition, as a path from a crate.
    fn module_path(&self, id: DefId, from: Option<UnitId>) -> String {
        let def = self.def(id);
        match from == Some(def.unit) {
            true => format!("crate::p{}", def.run),
            false => format!("::{}::p{}", crate_name(def.unit), def.run),
        }
    }

    /// The path of a definition's name. (A macro is at the root of its crate.)
    fn path(&self, id: DefId, name: &str, from: Option<UnitId>) -> String {
        let def = self.def(id);
        if def.item.kind != Kind::MacroRules {
            return format!("{}::{name}", self.module_path(id, from));
        }
        match from == Some(def.unit) {
            true => format!("crate::{name}"),
            false => format!("::{}::{name}", crate_name(def.unit)),
        }
    }

    /// The objects of statics that a unit declares but does not define.
    pub fn objects_of_statics(&self, unit: UnitId) -> BTreeSet<PathBuf> {
        let stored = self.units[unit]
            .defs
            .iter()
            .filter_map(|id| self.def(*id).stored.as_ref());
        stored.map(|stored| stored.object.clone()).collect()
    }

    /// The objects of statics that are declared in any unit and defined in no current one. Code
    /// of a unit that refers to one may be inlined wherever the unit is linked to.
    pub fn objects_of_all_statics(&self) -> BTreeSet<PathBuf> {
        let stored = self.standing().into_iter().flat_map(|unit| {
            let object = &self.units[unit].object;
            let mut objects = self.objects_of_statics(unit);
            objects.remove(object);
            objects
        });
        stored.collect()
    }

    /// The units that a later crate may link to: those with a definition that a name or a
    /// value's type refers to, and the units that they link to.
    pub fn standing(&self) -> BTreeSet<UnitId> {
        let needed = self.needed_by_values();
        let holding = (0..self.units.len()).filter(|unit| {
            let mut defs = self.units[*unit].defs.iter();
            defs.any(|id| self.def(*id).current || needed.contains(id))
        });
        self.with_dependencies(holding)
    }

    /// The objects that later crates may link to.
    pub fn objects(&self) -> BTreeSet<PathBuf> {
        let mut objects = self.objects_of_all_statics();
        let standing = self.standing().into_iter();
        objects.extend(standing.map(|unit| self.units[unit].object.clone()));
        objects
    }

    /// Records that a unit has been compiled to this object.
    pub fn compiled(&mut self, unit: UnitId, object: &Path, soname: &str, source: Arc<Source>) {
        for id in self.units[unit].defs.clone() {
            let def = self.def_mut(id);
            if def.item.static_head.is_some() && def.stored.is_none() {
                def.stored = Some(super::Stored {
                    symbol: symbol(id),
                    object: object.to_owned(),
                });
            }
        }
        let known = Arc::make_mut(&mut self.units[unit]);
        known.object = object.to_owned();
        known.soname = soname.to_owned();
        known.source = source;
    }

    /// Records that a unit was also compiled from these files.
    pub fn read_from(&mut self, unit: UnitId, files: &[PathBuf]) {
        for id in self.units[unit].defs.clone() {
            let def = self.def_mut(id);
            if def.item.kind == Kind::ModFile {
                let known = files.iter().map(|file| (file.clone(), digest(file)));
                def.files = known.collect();
            }
        }
    }

    /// The files that a unit's modules are read from.
    pub fn module_files(&self, unit: UnitId) -> Vec<ModuleFile> {
        let defs = self.units[unit].defs.iter().map(|id| self.def(*id));
        let files = defs
            .filter(|def| def.item.kind == Kind::ModFile)
            .flat_map(|def| {
                let names = def.item.names.iter();
                names.map(|(_, name)| ModuleFile {
                    within: PathBuf::from(format!("p{}", def.run)),
                    name: name.trim_start_matches("r#").to_owned(),
                })
            });
        files.collect()
    }

    /// Whether a unit holds state that a second object would not share.
    pub fn holds_calls(&self, unit: UnitId) -> bool {
        let defs = &self.units[unit].defs;
        !defs.is_empty()
            && defs
                .iter()
                .all(|id| self.def(*id).item.kind == Kind::MacroCall)
    }
}

/// A digest of a file's contents; of nothing if it cannot be read.
pub(super) fn digest(file: &Path) -> String {
    let content = std::fs::read(file).unwrap_or_default();
    crate::digest::hex(Sha256::new_with_prefix(content))
}

/// The linker symbol of a static.
fn symbol(id: DefId) -> String {
    format!("holoscope_static_{id}")
}
