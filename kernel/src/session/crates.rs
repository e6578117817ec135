//! The crates of a cell: its items, then its statements.

use super::sources::{View, users_words};
use super::state::{Ready, Session, Stop};
use crate::compile::{Call, Kind, Made, Outcome as Compiled, types};
use crate::plan::body::{Body, Manner};
use crate::plan::source::{Mark, Source};
use crate::plan::{Definitions, UnitId, crate_name};
use crate::read::Cell;
use crate::report::diagnostic::{Diagnostic, render_all};
use crate::report::outcome::CellError;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

/// How often a body is written anew because of what rustc says: once a variable that is moved,
/// and for how a value is shown.
const MOST_MANNERS: usize = 8;

impl Session {
    /// Compiles a cell's items as units of `next`; what they have replaced.
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

    /// A number that no object of this unit has had in this session, whatever became of it.
    fn next_revision(&mut self, unit: UnitId) -> u32 {
        let revision = self.revisions.entry(unit).or_default();
        *revision += 1;
        *revision
    }

    /// Lets rustc find the files of `mod name;` where it looks for them: they are beside the notebook.
    fn link_modules(&self, unit: UnitId, next: &Definitions) {
        let Ok(here) = std::env::current_dir() else {
            return;
        };
        for file in next.module_files(unit) {
            let within = self.compiler.folder().join(&file.within);
            // What is missing rustc will say.
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

    /// Compiles a cell's statements; `next` holds its items already.
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

    /// Has rustc say whether a cell's `use`s are right.
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

    /// Has rustc say what is wrong with a cell that our parser does not understand. Where rustc does,
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
                // Names are not looked up before all of a text can be read.
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
            units: units(next, 0..next.units.len()),
            named: units(next, body.units.iter().copied())
                .into_values()
                .collect(),
            objects: next.objects_of_all_statics().into_iter().collect(),
        }
    }

    /// Writes the body otherwise, where rustc's errors say how; whether that can help.
    fn adjust(&self, call: &Call, errors: &[Diagnostic], manner: &mut Manner, cell: &Cell) -> bool {
        let file = call.file();
        let view = View::new(
            &self.sources,
            &file,
            &call.source,
            call.line,
            cell.text.number,
        );
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
                // It may be about a variable that is moved and never put back: then it goes, too.
                _ => {}
            }
        }
        *manner != before
    }

    /// Refuses variables that no later cell could take: before anything runs.
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

    /// rustc's messages about a crate, in terms of the user's cells.
    fn explained(&mut self, call: &Call, messages: &str, cell: &Cell) -> CellError {
        let diagnostics = Diagnostic::parse_all(messages);
        let code = diagnostics
            .iter()
            .find(|error| error.is_error())
            .and_then(Diagnostic::code);
        self.last_code = code.map(str::to_owned);
        let file = call.file();
        let view = View::new(
            &self.sources,
            &file,
            &call.source,
            call.line,
            cell.text.number,
        );
        if let Some(error) = self.of_generated(&view, &diagnostics) {
            return error;
        }
        let (mut headline, mut detail) = render_all(&diagnostics, &view, &users_words);
        if headline.is_empty() {
            let lines: Vec<&str> = messages
                .lines()
                .filter(|line| !line.starts_with('{'))
                .collect();
            let last = lines.iter().rev().find(|line| !line.trim().is_empty());
            headline = format!(
                "the compiler failed: {}",
                last.unwrap_or(&"it said nothing")
            );
            detail = lines[lines.len().saturating_sub(20)..].join("\n");
        }
        for (name, (number, _)) in &self.definitions.moved {
            if detail.contains(&format!("cannot find value `{name}`")) {
                detail.push_str(&format!("\nnote: `{name}` was moved by cell {number}\n"));
            }
        }
        CellError::new("compile error", headline, detail)
    }

    /// What an error in the text around the statements means.
    fn of_generated(&self, view: &View<'_>, errors: &[Diagnostic]) -> Option<CellError> {
        use crate::report::diagnostic::Origins;
        let errors: Vec<&Diagnostic> = errors.iter().filter(|error| error.is_error()).collect();
        let in_text = |error: &&Diagnostic| {
            let spans = error.spans().iter().filter(|span| span.is_primary());
            spans.into_iter().any(|span| {
                view.origin(span.file(), span.bytes().start).is_some()
                    && view.mark(span.file(), span.bytes().start).is_none()
            })
        };
        for error in &errors {
            let marks: Vec<&Mark> = error
                .spans()
                .iter()
                .filter_map(|span| view.mark(span.file(), span.bytes().start))
                .collect();
            let lifetime = matches!(
                error.code(),
                Some(
                    "E0597"
                        | "E0505"
                        | "E0521"
                        | "E0716"
                        | "E0373"
                        | "E0499"
                        | "E0502"
                        | "E0506"
                        | "E0713"
                        | "E0515"
                        | "E0310"
                )
            );
            let put = marks.iter().find_map(|mark| match mark {
                Mark::Put(name) => Some(name.trim_start_matches("new ").to_owned()),
                _ => None,
            });
            if let Some(name) = put.filter(|_| lifetime) {
                return Some(not_static(&name, error, errors.as_slice(), view));
            }
            if marks.iter().any(|mark| matches!(mark, Mark::Show))
                && matches!(error.code(), Some("E0599" | "E0277" | "E0282" | "E0283"))
            {
                return Some(not_shown(error));
            }
            if let Some(Mark::Take(name)) = marks.first()
                && !in_text(error)
            {
                let message = format!(
                    "the variable `{name}` cannot be used any more: {}",
                    users_words(error.message())
                );
                return Some(CellError::new("compile error", message.clone(), message));
            }
        }
        None
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

/// A variable whose type has no name.
fn not_kept(name: &str, ty: &str, what: &str) -> CellError {
    let message = format!(
        "the variable `{name}` is {what}, which cannot be persisted",
        what = match ty.starts_with('{') || what == "a function" {
            true => what.to_owned(),
            false => format!("made with {what}"),
        }
    );
    let way = match what {
        "a function" => {
            format!("write its type as a function pointer: let {name}: fn(..) -> .. = ..")
        }
        "a closure" if ty.starts_with('{') => {
            format!("box it: let {name}: Box<dyn Fn(..) -> ..> = Box::new(..);")
        }
        what if what.starts_with("a future") => {
            format!(
                "await it in the cell that makes it, or spawn it: let {name} = tokio::spawn(..);"
            )
        }
        _ => format!(
            "box it (let {name}: Box<dyn Iterator<Item = ..>> = Box::new(..);), or collect it into a Vec"
        ),
    };
    let detail = format!(
        "{message}: its type has no name by which another cell could take it.\n\
         You can {way}\n\
         or keep it within one cell, or within braces: {{ .. }}"
    );
    CellError::new("compile error", message, detail)
}

/// A variable that borrows from another.
fn not_static(name: &str, error: &Diagnostic, all: &[&Diagnostic], view: &View<'_>) -> CellError {
    let message =
        format!("the variable `{name}` holds a reference, which cannot be kept for other cells");
    let errors: Vec<Diagnostic> = all.iter().map(|error| (*error).clone()).collect();
    let (_, detail) = render_all(&errors, view, &users_words);
    let said = if detail.trim().is_empty() {
        users_words(error.message())
    } else {
        detail
    };
    let detail = format!(
        "{message}\n{said}\n\
         A variable lives on behind its cell, and what it borrows from may be moved by then.\n\
         Clone the value, or use the reference within one scope: {{ let {name} = ..; .. }}"
    );
    CellError::new("compile error", message, detail)
}

/// A value that has no form to be shown in.
fn not_shown(error: &Diagnostic) -> CellError {
    let text = users_words(error.message());
    let ty = text.split('`').find(|part| {
        !part.is_empty() && !part.contains("evcxr_display") && !part.contains(' ')
            || part.contains('<')
    });
    let labels = error.spans().iter().filter_map(|span| span.label());
    let of_label = labels
        .filter_map(|label| label.split('`').nth(1))
        .find(|part| !part.contains("evcxr_display"));
    let named = text
        .rsplit_once("for ")
        .and_then(|(_, behind)| behind.split('`').nth(1))
        .or(of_label)
        .or(ty)
        .unwrap_or("this type");
    let message = format!(
        "the value cannot be shown: `{}` does not implement `Debug`",
        users_words(named)
    );
    let detail = format!(
        "{message}\n\
         Put #[derive(Debug)] before the type, or end the line with a semicolon to drop the value"
    );
    CellError::new("compile error", message, detail)
}
