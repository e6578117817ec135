//! The crates of a cell: its items, then its statements.

pub(in crate::session) mod asked;
pub(in crate::session) mod dependencies;
pub(in crate::session) mod explain;

use self::explain::not_kept;
use super::sources::users_words;
use super::state::{Ready, Session, Stop};
use crate::compile::{Call, Kind, Made, Outcome as Compiled, types};
use crate::plan::body::{Body, Manner};
use crate::plan::source::{Mark, Source};
use crate::plan::{Definitions, UnitId, crate_name};
use crate::read::Cell;
use crate::report::diagnostic::Diagnostic;
use crate::report::outcome::CellError;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

/// Limit on rewrites of a body after rustc's errors: one for each variable that is moved,
/// and one for how a value is shown.
const MOST_MANNERS: usize = 8;

impl Session {
    /// Compiles a cell's items as units of `next`; returns what they have replaced.
    pub(super) fn compile_items(
        &mut self,
        cell: &Cell,
        next: &mut Definitions,
    ) -> Result<(Vec<usize>, bool), Stop> {
        let change = next
            .take(cell, self.run)
            .map_err(|error| Stop::Error(CellError::new("compile error", error.clone(), error)))?;
        for unit in &change.compile {
            self.compile_unit(*unit, cell, next)?;
        }
        Ok((change.replaced, change.imports && change.compile.is_empty()))
    }

    fn compile_unit(
        &mut self,
        unit: UnitId,
        cell: &Cell,
        next: &mut Definitions,
    ) -> Result<(), Stop> {
        let source = Arc::new(next.unit_source(unit));
        let name = crate_name(unit);
        let known = &next.units[unit];
        let revision = self.next_revision(unit);
        let keeps_state = known.revision > 0 && next.holds_calls(unit);
        let soname = match keeps_state {
            true => known.soname.clone(),
            false => format!("lib{name}-{revision}.so"),
        };
        let call = Call {
            kind: Kind::Unit,
            name,
            revision,
            source: Arc::clone(&source),
            line: 0,
            soname: soname.clone(),
            units: units(next, known.depends.iter().copied()),
            named: units(next, known.depends.iter().copied())
                .into_values()
                .collect(),
            objects: {
                let mut objects = next.objects_of_all_statics();
                objects.extend(next.objects_of_statics(unit));
                objects.into_iter().collect()
            },
        };
        self.link_modules(unit, next);
        match self.compiler.compile(&call)? {
            Compiled::Made(made) => {
                self.sources.add_unit(call.file(), Arc::clone(&source));
                Arc::make_mut(&mut next.units[unit]).revision = revision;
                next.compiled(unit, &made.object, &soname, source);
                let folder = self.compiler.folder().to_owned();
                let files: Vec<PathBuf> = made.reads.iter().map(|file| folder.join(file)).collect();
                next.read_from(unit, &files);
                Ok(())
            }
            Compiled::Stopped => Err(Stop::Interrupted),
            Compiled::Refused => {
                let messages = self.compiler.explain(&call)?;
                Err(Stop::Error(self.explained(&call, &messages, cell)))
            }
        }
    }

    /// A number that no object of this unit has had in this session, whether or not it was compiled.
    fn next_revision(&mut self, unit: UnitId) -> u32 {
        let revision = self.revisions.entry(unit).or_default();
        *revision += 1;
        *revision
    }

    /// Links the files of `mod name;` to where rustc looks for them: they are next to the notebook.
    fn link_modules(&self, unit: UnitId, next: &Definitions) {
        let Ok(here) = std::env::current_dir() else {
            return;
        };
        for file in next.module_files(unit) {
            let within = self.compiler.folder().join(&file.within);
            // rustc will report what is missing.
            let _ = std::fs::create_dir_all(&within);
            for name in [format!("{}.rs", file.name), file.name.clone()] {
                let (link, target) = (within.join(&name), here.join(&name));
                let _ = std::fs::remove_file(&link);
                if target.exists() {
                    let _ = std::os::unix::fs::symlink(target, link);
                }
            }
        }
    }

    /// Compiles a cell's statements; `next` already contains its items.
    pub(super) fn compile_body(&mut self, cell: &Cell, next: &Definitions) -> Result<Ready, Stop> {
        let mut manner = Manner::default();
        for _ in 0..MOST_MANNERS {
            let body = next.body(cell, self.run, &manner);
            let call = self.body_call(&body, next, Kind::Body);
            let messages = match self.compiler.compile(&call)? {
                Compiled::Made(mut made) => {
                    for ty in made.types.values_mut() {
                        *ty = next.own_paths(ty);
                    }
                    self.check_types(cell, &made, next)?;
                    self.sources.add_body(Arc::clone(&call.source));
                    return Ok(Ready {
                        made,
                        function: body.function,
                        taken: body.taken,
                        moved: manner.moved,
                    });
                }
                Compiled::Stopped => return Err(Stop::Interrupted),
                Compiled::Refused => self.compiler.messages(),
            };
            let diagnostics = Diagnostic::parse_all(&messages);
            if !self.adjust(&call, &diagnostics, &mut manner, cell) {
                let messages = self.compiler.explain(&call)?;
                return Err(Stop::Error(self.explained(&call, &messages, cell)));
            }
        }
        let error = "the compiler moves in a circle over this cell's variables";
        Err(Stop::Error(CellError::new("compile error", error, error)))
    }

    /// Checks a cell's `use`s with rustc.
    pub(super) fn check_imports(&mut self, cell: &Cell, next: &Definitions) -> Result<(), Stop> {
        let body = next.body(cell, self.run, &Manner::default());
        let call = self.body_call(&body, next, Kind::Check);
        match self.compiler.compile(&call)? {
            Compiled::Made(_) => Ok(()),
            Compiled::Stopped => Err(Stop::Interrupted),
            Compiled::Refused => {
                let messages = self.compiler.explain(&call)?;
                Err(Stop::Error(self.explained(&call, &messages, cell)))
            }
        }
    }

    /// Gets rustc's errors for a cell that our parser does not understand. If rustc understands it,
    /// it runs like any other.
    pub(super) fn check_broken(&mut self, cell: &Cell) -> Result<(), Stop> {
        let mut source = Source::default();
        self.definitions.write_broken(cell, self.run, &mut source);
        let body = Body {
            source,
            function: String::new(),
            units: BTreeSet::new(),
            taken: Vec::new(),
        };
        let call = self.body_call(&body, &self.definitions, Kind::Check);
        match self.compiler.compile(&call)? {
            Compiled::Made(_) => Ok(()),
            Compiled::Stopped => Err(Stop::Interrupted),
            Compiled::Refused => {
                let messages = self.compiler.explain(&call)?;
                // Names are resolved only once the whole text has been parsed.
                match Diagnostic::parse_all(&messages)
                    .iter()
                    .any(|error| error.is_error() && error.code().is_none())
                {
                    true => Err(Stop::Error(self.explained(&call, &messages, cell))),
                    false => Ok(()),
                }
            }
        }
    }

    pub(super) fn body_call(&self, body: &Body, next: &Definitions, kind: Kind) -> Call {
        Call {
            kind,
            name: "ctx".to_owned(),
            revision: u32::try_from(self.run).unwrap_or(u32::MAX),
            source: Arc::new(body.source.clone()),
            line: self.sources.next_line(),
            soname: String::new(),
            units: units(next, next.standing()),
            named: units(next, body.units.iter().copied())
                .into_values()
                .collect(),
            objects: next.objects_of_all_statics().into_iter().collect(),
        }
    }

    /// Rewrites the body as rustc's errors require; returns whether that can help.
    fn adjust(&self, call: &Call, errors: &[Diagnostic], manner: &mut Manner, cell: &Cell) -> bool {
        let file = call.file();
        let view = self.view(call, &file, cell);
        let before = manner.clone();
        for error in errors.iter().filter(|error| error.is_error()) {
            let Some(span) = error.primary() else {
                continue;
            };
            match (view.mark(span.file(), span.bytes().start), error.code()) {
                (Some(Mark::Put(name)), Some("E0382" | "E0381" | "E0425")) => {
                    manner.moved.insert(name.clone());
                }
                (Some(Mark::Type(name)), Some("E0382" | "E0381" | "E0425")) => {
                    manner.moved.insert(format!("new {name}"));
                }
                (Some(Mark::Put(name)), Some("E0505")) if !name.starts_with("new ") => {
                    manner.moved.insert(name.clone());
                }
                (Some(Mark::Show), Some("E0034")) if !manner.users_display => {
                    manner.users_display = true;
                }
                (None, Some("E0034"))
                    if error.message().contains("evcxr_display") && !manner.users_display =>
                {
                    manner.users_display = true;
                }
                // It may concern a variable that is moved and never put back: then it disappears, too.
                _ => {}
            }
        }
        *manner != before
    }

    /// Refuses variables that no later cell could take, before anything runs.
    fn check_types(&mut self, cell: &Cell, made: &Made, next: &Definitions) -> Result<(), Stop> {
        let mut doubtful: BTreeMap<String, String> = BTreeMap::new();
        for binding in &cell.bindings {
            let name = binding.plain();
            let Some(ty) = made.types.get(name) else {
                continue;
            };
            if let Some(what) = types::unnameable(ty) {
                return Err(Stop::Error(not_kept(name, ty, what)));
            }
            let paths = types::foreign_paths(ty);
            if !paths.is_empty() && !self.named_types.contains(ty) {
                doubtful.insert(name.to_owned(), ty.clone());
            }
        }
        for (name, ty) in doubtful {
            let mut source = Source::default();
            next.write_type_check(&ty, &mut source);
            let body = Body {
                source,
                function: String::new(),
                units: Definitions::units_in_type(&ty),
                taken: Vec::new(),
            };
            let call = self.body_call(&body, next, Kind::Check);
            match self.compiler.compile(&call)? {
                Compiled::Made(_) => {
                    self.named_types.insert(ty);
                }
                Compiled::Stopped => return Err(Stop::Interrupted),
                Compiled::Refused => {
                    let ty = users_words(&ty);
                    let message = format!(
                        "the variable `{name}` cannot be kept: its type, `{ty}`, is private in its crate"
                    );
                    let detail = format!(
                        "{message}\nUse the value in the cell that makes it, or within braces: {{ .. }}"
                    );
                    return Err(Stop::Error(CellError::new(
                        "compile error",
                        message,
                        detail,
                    )));
                }
            }
        }
        Ok(())
    }
}

fn units(next: &Definitions, units: impl IntoIterator<Item = UnitId>) -> BTreeMap<String, PathBuf> {
    let named: BTreeSet<UnitId> = units
        .into_iter()
        .filter(|unit| *unit != usize::MAX)
        .collect();
    let made = named
        .into_iter()
        .filter(|unit| !next.units[*unit].object.as_os_str().is_empty());
    let paths = made.map(|unit| (crate_name(unit), next.units[unit].object.clone()));
    paths.collect()
}
