//! Compiling cells before a run: whether rustc accepts them and which types their variables have.
//! Nothing runs, and the session is unchanged afterwards.

use super::crates::dependencies::is_library;
use super::state::{Ready, Session, Stop};
use crate::plan::Variable;
use crate::plan::body::revived;
use crate::read::bindings::Binding;
use crate::read::commands::{self, Command};
use crate::read::{Cell, CellText};
use crate::report::outcome::CellError;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Why cells could not be checked.
#[derive(Debug)]
pub struct Failure {
    /// Which of the cells it was.
    pub cell: usize,
    /// rustc's error; `None` if the cell cannot be checked without running it.
    pub error: Option<CellError>,
}

/// Whether cells can be compiled as if the command were not there.
fn only_tells(command: &Command) -> bool {
    const TELL: [&str; 8] = [
        "help",
        "vars",
        "type",
        "t",
        "doc",
        "show_deps",
        "version",
        "explain",
    ];
    match command {
        Command::Help(_) => true,
        Command::Shell(_) => false,
        Command::Colon { name, arguments } if name == "dep" => is_library(arguments),
        Command::Colon { name, .. } => TELL.contains(&name.as_str()),
    }
}

impl Session {
    /// Compiles these cells in order, as if each had run to its end; returns the types of the variables
    /// that the last one declares, by name. The output of rustc is cached, and a run that compiles the
    /// same cells in the same order uses it.
    ///
    /// # Errors
    /// If a cell does not compile, or contains an `await` or a command that may change
    /// what follows: the first such cell.
    pub fn check(&mut self, cells: &[&str]) -> Result<BTreeMap<String, String>, Failure> {
        let definitions = Arc::clone(&self.definitions);
        let sources = self.sources.clone();
        let revisions: HashMap<_, _> = self.revisions.clone();
        let (run, number) = (self.run, self.number);
        let mut types = Ok(BTreeMap::new());
        for (cell, code) in cells.iter().enumerate() {
            types = self
                .check_cell(code)
                .map_err(|error| Failure { cell, error });
            if types.is_err() {
                break;
            }
        }
        self.definitions = definitions;
        self.sources = sources;
        self.revisions = revisions;
        (self.run, self.number) = (run, number);
        self.stand_by();
        types
    }

    fn check_cell(&mut self, code: &str) -> Result<BTreeMap<String, String>, Option<CellError>> {
        self.run += 1;
        self.number += 1;
        let (commands, rust) = commands::split(code, &|name| self.knows(name));
        let text = Arc::new(CellText {
            number: self.number,
            text: crate::notebook::as_rust(code).into_owned(),
        });
        let mut cell = crate::read::cell(text, &rust, &|name| self.definitions.makes_items(name));
        if !commands.iter().all(only_tells) || cell.awaits || cell.broken {
            return Err(None);
        }
        for (name, mutable) in revived(&self.definitions, &cell) {
            cell.bindings.push(Binding { name, mutable });
        }
        let refused = |stop| match stop {
            Stop::Error(error) => Some(error),
            Stop::Interrupted => None,
        };
        let mut next = Arc::clone(&self.definitions);
        if !cell.items.is_empty() || !cell.attributes.is_empty() {
            self.compile_items(&cell, Arc::make_mut(&mut next))
                .map_err(refused)?;
        }
        if cell.statements.is_empty() {
            self.definitions = next;
            return Ok(BTreeMap::new());
        }
        let ready = self.compile_body(&cell, &next).map_err(refused)?;
        // A file that stays is removed with the session's folder.
        let _ = std::fs::remove_file(&ready.made.object);
        self.definitions = next;
        self.note_checked(&cell, &ready);
        Ok(ready.made.types)
    }

    /// Updates the variables as if the cell had run to its end.
    fn note_checked(&mut self, cell: &Cell, ready: &Ready) {
        let definitions = Arc::make_mut(&mut self.definitions);
        for name in ready
            .taken
            .iter()
            .filter(|name| ready.moved.contains(*name))
        {
            if let Some(variable) = definitions.variables.remove(name) {
                let moved = (self.number, variable.mutable);
                definitions.moved.insert(name.clone(), moved);
            }
        }
        for binding in &cell.bindings {
            let name = binding.plain();
            if let Some(ty) = ready.made.types.get(name) {
                let variable = Variable {
                    ty: ty.clone(),
                    mutable: binding.mutable,
                    cell: self.number,
                    written: binding.name.clone(),
                };
                definitions.moved.remove(name);
                definitions.variables.insert(name.to_owned(), variable);
            } else {
                let moved = (self.number, binding.mutable);
                definitions.variables.remove(name);
                definitions.moved.insert(name.to_owned(), moved);
            }
        }
    }
}
