//! The second stage of running a cell: deciding what is compiled for it.
//!
//! The items of a cell are compiled as a separate crate (a *unit*), and later cells link to it: a
//! definition is compiled once, its types are nominal, and each static exists once. The statements
//! of a cell are a crate that no other crate links to (`body`).
//!
//! A definition that replaces another is a different definition. Whatever mentions the former one
//! is compiled again with it (`changes`), and where that happens is decided so that values keep
//! their types as far as possible (`placement`): a type's identity is its crate's name and its
//! path, so a unit that is compiled again under its name, with unchanged definitions of types,
//! keeps it.

pub mod body;
mod changes;
mod placement;
pub mod scope;
pub mod source;
mod unit;

use crate::read::imports::Import;
use crate::read::items::{Item, Kind, Space};
use crate::read::{Cell, CellText};
use scope::{DefId, Scope};
use source::Source;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// A unit of the session, by its number.
pub type UnitId = usize;

/// An item of a cell, where it is compiled, and what it mentions.
#[derive(Debug, Clone)]
pub struct Def {
    pub item: Arc<Item>,
    pub cell: Arc<CellText>,
    /// The run in which it was read: definitions of one run share a module and its imports.
    pub run: u64,
    /// The `use`s that were in force.
    imports: Arc<Vec<Arc<Import>>>,
    /// The definitions that it mentions.
    uses: BTreeSet<DefId>,
    pub unit: UnitId,
    /// Whether its name refers to it now.
    pub current: bool,
    /// Once a static exists, other crates only declare it.
    stored: Option<Stored>,
    /// For `mod name;`: the files that it was read from, and digests of their contents.
    files: Vec<(PathBuf, String)>,
    /// The definition that this one repeats in another unit.
    duplicate_of: Option<DefId>,
}

/// Where a static is defined.
#[derive(Debug, Clone)]
struct Stored {
    symbol: String,
    object: PathBuf,
}

/// A crate of items.
#[derive(Debug, Clone, Default)]
pub struct Unit {
    pub defs: Vec<DefId>,
    /// Incremented whenever it is compiled again.
    pub revision: u32,
    /// The units that it links to.
    pub depends: BTreeSet<UnitId>,
    /// rustc's output: the crate's object, and the name by which the loader finds it.
    pub object: PathBuf,
    pub soname: String,
    pub source: Arc<Source>,
}

/// The name of a unit's crate. It has a fixed width: none may be a prefix of another.
pub fn crate_name(unit: UnitId) -> String {
    format!("c{unit:05}")
}

/// A variable of the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// In Rust syntax, with the crates of the session.
    pub ty: String,
    pub mutable: bool,
    /// The cell that gave it its value.
    pub cell: u64,
    /// As the user wrote the name, `r#type`.
    pub written: String,
}

/// Everything that cells have defined so far.
#[derive(Debug, Clone, Default)]
pub struct Definitions {
    pub defs: Vec<Arc<Def>>,
    pub units: Vec<Arc<Unit>>,
    pub scope: Scope,
    /// `#![..]` attributes of the cells.
    pub attributes: Vec<String>,
    pub variables: BTreeMap<String, Variable>,
    /// Variables that a cell has moved: the cell's number and whether they were mutable.
    pub moved: HashMap<String, (u64, bool)>,
    /// Crates that re-export those that cells have requested.
    pub bundles: Vec<String>,
    /// Current `impl`s and other definitions without a name.
    unnamed: Vec<DefId>,
}

/// What a cell's items change.
#[derive(Debug, Default)]
pub struct Change {
    /// Units to compile, in this order.
    pub compile: Vec<UnitId>,
    /// Former definitions that were replaced.
    pub replaced: Vec<DefId>,
    /// Whether the cell has imports or new attributes, which must be compiled to be checked.
    pub imports: bool,
}

impl Definitions {
    pub fn def(&self, id: DefId) -> &Def {
        &self.defs[id]
    }

    fn def_mut(&mut self, id: DefId) -> &mut Def {
        Arc::make_mut(&mut self.defs[id])
    }

    /// Whether a macro of the session expands to items.
    pub fn makes_items(&self, name: &str) -> Option<bool> {
        let id = self.scope.find(name, Space::Macro)?;
        let tokens = &self.def(id).item.tokens;
        let (_, body) = tokens
            .split_once("=>")
            .or_else(|| tokens.split_once("= >"))?;
        Some(crate::read::items::starts_like_an_item(body.trim()))
    }

    /// The words in the definition of a macro of the session.
    fn macro_words(&self, id: DefId) -> Option<HashSet<String>> {
        let item = &self.def(id).item;
        (item.kind == Kind::MacroRules).then(|| item.words.clone())
    }

    fn mentioned(&self, words: impl IntoIterator<Item = String>) -> BTreeSet<DefId> {
        self.scope.mentioned(words, &|id| self.macro_words(id))
    }

    /// The `use`s in force, and the definitions that they mention.
    fn imports_in_force(&self) -> (Vec<Arc<Import>>, BTreeSet<DefId>) {
        let imports = self.scope.imports();
        let mut uses = BTreeSet::new();
        for import in &imports {
            uses.extend(self.used_by_import(import));
        }
        (imports, uses)
    }

    fn used_by_import(&self, import: &Import) -> BTreeSet<DefId> {
        // Only the head of a path can be a name of the session.
        let path = import.text.trim_start_matches("use").trim_start();
        let path = path.strip_prefix("self::").unwrap_or(path);
        let head: String = path
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        let found = [Space::Type, Space::Macro, Space::Value];
        found
            .into_iter()
            .filter_map(|space| self.scope.find(&head, space))
            .collect()
    }

    /// Adds the items of a cell; returns what they change. Nothing is compiled yet.
    ///
    /// # Errors
    /// If no order of compilation exists.
    pub fn take(&mut self, cell: &Cell, run: u64) -> Result<Change, String> {
        let mut change = Change::default();
        for range in &cell.attributes {
            let text = cell.text.text[range.clone()].to_owned();
            if !self.attributes.contains(&text) {
                self.attributes.push(text);
                change.imports = true;
            }
        }
        for import in cell.items.iter().flat_map(|item| &item.imports) {
            self.scope.import(import.clone());
            change.imports = true;
        }
        self.change(cell, run, &mut change)?;
        Ok(change)
    }

    /// The variables whose types are no longer those that their names refer to: name and type.
    pub fn former(&self, replaced: &[DefId]) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for (name, variable) in &self.variables {
            let former = self.defs_in_type(&variable.ty);
            let former = former.into_iter().find(|id| replaced.contains(id));
            found.extend(former.map(|id| (name.clone(), self.def(id).item.label())));
        }
        found
    }

    /// Without names and variables. The numbering of units and definitions continues: former
    /// objects stay loaded, and each number must belong to one crate.
    pub fn cleared(&self) -> Self {
        let former = |def: &Arc<Def>| {
            let mut def = Def::clone(def);
            def.current = false;
            Arc::new(def)
        };
        Self {
            defs: self.defs.iter().map(former).collect(),
            units: self.units.clone(),
            bundles: self.bundles.clone(),
            ..Self::default()
        }
    }

    /// The cells of variables whose types are no longer current.
    pub fn stale(&self) -> Vec<u64> {
        let stale = self.variables.values().filter(|variable| {
            let defs = self.defs_in_type(&variable.ty);
            defs.iter().any(|id| !self.def(*id).current)
        });
        stale.map(|variable| variable.cell).collect()
    }

    /// The definitions that a type names.
    fn defs_in_type(&self, ty: &str) -> Vec<DefId> {
        paths(ty)
            .iter()
            .flat_map(|path| self.defs_at(path))
            .collect()
    }

    fn defs_at(&self, path: &Path<'_>) -> Vec<DefId> {
        let defs = self.units.get(path.unit).map_or(&[][..], |unit| &unit.defs);
        let here = defs.iter().copied().filter(|id| {
            let def = self.def(*id);
            def.run == path.run && def.item.names.iter().any(|(_, known)| known == path.name)
        });
        here.collect()
    }

    /// A type with each definition under its own path: rustc may have written the path of a
    /// re-export in another module, which exists only as long as that module needs it.
    pub fn own_paths(&self, ty: &str) -> String {
        let mut text = String::with_capacity(ty.len());
        let mut end = 0;
        for path in paths(ty) {
            text.push_str(&ty[end..path.range.start]);
            end = path.range.end;
            match self.brought_in(&path) {
                Some(id) => {
                    let def = self.def(id);
                    text.push_str(&format!("{}::p{}", crate_name(def.unit), def.run));
                }
                None => text.push_str(&ty[path.range]),
            }
        }
        text.push_str(&ty[end..]);
        text
    }

    /// The type or module that a path names but that is defined elsewhere.
    fn brought_in(&self, path: &Path<'_>) -> Option<DefId> {
        if !self.defs_at(path).is_empty() {
            return None;
        }
        let defs = self
            .units
            .get(path.unit)?
            .defs
            .iter()
            .map(|id| self.def(*id));
        let mut used = defs
            .filter(|def| def.run == path.run)
            .flat_map(|def| &def.uses);
        let named = |id: &&DefId| {
            let names = &self.def(**id).item.names;
            names
                .iter()
                .any(|(space, known)| *space == Space::Type && known == path.name)
        };
        used.find(named).copied()
    }

    /// The units whose crates a type names.
    pub fn units_in_type(ty: &str) -> BTreeSet<UnitId> {
        let starts = ty
            .match_indices("::p")
            .filter_map(|(at, _)| at.checked_sub(6).map(|from| from..at));
        starts
            .filter_map(|range| unit_named(ty.get(range)?))
            .collect()
    }

    /// A type in the user's terms: without the crates and modules of cells.
    pub fn users_type(ty: &str) -> String {
        let mut text = String::with_capacity(ty.len());
        let mut rest = ty;
        while let Some(at) = rest.find("::p") {
            let (before, behind) = rest.split_at(at);
            let digits = behind[3..].bytes().take_while(u8::is_ascii_digit).count();
            let named = before.len() >= 6
                && before.is_char_boundary(before.len() - 6)
                && unit_named(&before[before.len() - 6..]).is_some();
            if named && digits > 0 && behind[3 + digits..].starts_with("::") {
                text.push_str(&before[..before.len() - 6]);
                rest = &behind[3 + digits + 2..];
            } else {
                text.push_str(before);
                text.push_str(&behind[..3]);
                rest = &behind[3..];
            }
        }
        text.push_str(rest);
        text
    }

    /// All units that these link to, including themselves.
    pub fn with_dependencies(&self, units: impl IntoIterator<Item = UnitId>) -> BTreeSet<UnitId> {
        let mut found = BTreeSet::new();
        let mut queue: Vec<UnitId> = units.into_iter().collect();
        while let Some(unit) = queue.pop() {
            if found.insert(unit) {
                queue.extend(&self.units[unit].depends);
            }
        }
        found
    }
}

/// A path into a unit: `c00012::p7`, and the name after it.
struct Path<'a> {
    /// Without the name.
    range: Range<usize>,
    unit: UnitId,
    run: u64,
    name: &'a str,
}

/// The paths of a type that lead into units.
fn paths(ty: &str) -> Vec<Path<'_>> {
    let found = ty.match_indices("::p").filter_map(|(at, _)| {
        let start = at.checked_sub(6)?;
        let unit = unit_named(ty.get(start..at)?)?;
        let (run, rest) = ty[at + 3..].split_once("::")?;
        let name = rest
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .next()?;
        Some(Path {
            range: start..at + 3 + run.len(),
            unit,
            run: run.parse().ok()?,
            name,
        })
    });
    found.collect()
}

/// The unit with the crate name `c00012`.
fn unit_named(name: &str) -> Option<UnitId> {
    let number = name.strip_prefix('c')?;
    let digits = number.len() == 5 && number.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| number.parse().ok()).flatten()
}

/// Kinds of definitions on which the layout or the value of another definition can depend.
fn is_structural(kind: Kind) -> bool {
    kind.has_identity() || matches!(kind, Kind::Alias | Kind::Const)
}

#[cfg(test)]
mod tests;
