//! `:dep` lines: crates in the image are not compiled again, and everything else is compiled once,
//! into one object that all cells link to.

use crate::compile::{Call, Kind, Outcome as Compiled};
use crate::plan::source::Source;
use crate::report::outcome::CellError;
use crate::session::answers::show;
use crate::session::state::{Io, Session, Stop};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// The crate that a `:dep` names. (Cargo does not see a trailing comment.)
fn name_of(arguments: &str) -> &str {
    arguments.split([' ', '=']).next().unwrap_or_default()
}

/// Whether a `:dep` names the library: needed for stock evcxr; here it is already loaded.
pub(in crate::session) fn is_library(arguments: &str) -> bool {
    name_of(arguments) == "holoscope"
}

impl Session {
    /// Adds a crate for the cells.
    pub(in crate::session) fn dependency(
        &mut self,
        arguments: &str,
        io: &mut Io<'_>,
    ) -> Result<(), Stop> {
        if is_library(arguments) {
            return Ok(());
        }
        let name = name_of(arguments).to_owned();
        if self
            .dependencies
            .asked
            .get(&name)
            .is_some_and(|known| known == arguments)
        {
            return Ok(());
        }
        let fail = |error: crate::error::Error| Stop::Error(CellError::dependency(&error));
        let found = self.dependencies.shared.find(arguments).map_err(fail)?;
        let mut patches = self.dependencies.patches.clone();
        let command = match found {
            Some(found) => {
                patches.extend(found.patches);
                format!(":dep {}", found.arguments)
            }
            None => format!(":dep {arguments}"),
        };
        if patches != self.dependencies.patches {
            self.workspace.patch(&patches).map_err(fail)?;
            self.dependencies.patches = patches;
        }
        crate::cargo::stand_in::forget_call(&self.workspace.cells());
        match self.analysis.execute(&command) {
            Ok(outputs) => show(&outputs, io),
            Err(error) => return Err(Stop::Error(not_built(&name, &error))),
        }
        self.link_to_crates(&name)?;
        self.dependencies.asked.insert(name, arguments.to_owned());
        Ok(())
    }

    /// The runtime that cells with `.await` need.
    pub(in crate::session) fn bring_tokio(&mut self, io: &mut Io<'_>) -> Result<(), Stop> {
        let line = "tokio = { version = \"1.34.0\", features = [\"rt\", \"rt-multi-thread\", \"time\", \"macros\"] }";
        self.dependency(line, io)
    }

    /// Lets cells link to what cargo has built.
    fn link_to_crates(&mut self, name: &str) -> Result<(), Stop> {
        let Some(linked) = crate::cargo::stand_in::noted(&self.workspace.cells()) else {
            let text = format!(":dep {name}: cargo did not report how to link it");
            return Err(Stop::Error(CellError::new(
                "dependency",
                text.clone(),
                text,
            )));
        };
        let externs: BTreeMap<String, PathBuf> = linked
            .externs
            .into_iter()
            .filter(|(name, _)| name != "holoscope")
            .collect();
        self.compiler
            .set_dependencies(externs.clone(), &linked.search);
        let held = externs
            .iter()
            .filter(|(_, path)| path.extension().is_some_and(|kind| kind != "so"));
        let mut source = Source::default();
        source.generated("extern crate holoscope;\n");
        for bundle in &self.dependencies.bundles {
            source.generated(&format!("extern crate {bundle} as _;\n"));
        }
        let mut any = false;
        for (name, _) in held {
            source.generated(&format!("pub extern crate {name};\n"));
            any = true;
        }
        if !any {
            return Ok(());
        }
        let bundle = format!("crates{}", self.dependencies.bundles.len());
        let call = Call {
            kind: Kind::Unit,
            name: bundle.clone(),
            revision: u32::try_from(self.run).unwrap_or(u32::MAX),
            source: Arc::new(source),
            line: 0,
            soname: format!("lib{bundle}-{}.so", self.run),
            units: BTreeMap::new(),
            named: Vec::new(),
            objects: Vec::new(),
        };
        match self.compiler.compile(&call)? {
            Compiled::Made(made) => {
                self.compiler.add_extern(&bundle, made.object);
                self.dependencies.bundles.push(bundle.clone());
                Arc::make_mut(&mut self.definitions).bundles.push(bundle);
                Ok(())
            }
            Compiled::Stopped => Err(Stop::Interrupted),
            Compiled::Refused => {
                let text = format!(
                    ":dep {name}: cells cannot be linked to it\n{}",
                    self.compiler.messages()
                );
                Err(Stop::Error(CellError::new(
                    "dependency",
                    text.lines().next().unwrap_or("").to_owned(),
                    text,
                )))
            }
        }
    }
}

/// rustc's whole message, or else evcxr's own.
fn said(error: &evcxr::CompilationError) -> String {
    let rendered = error.rendered();
    match rendered.trim().is_empty() {
        true => error.message(),
        false => rendered,
    }
}

/// Why a crate could not be built: the message of rustc or cargo.
fn not_built(name: &str, error: &evcxr::Error) -> CellError {
    let text = match error {
        evcxr::Error::CompilationErrors(errors) => {
            let texts: Vec<String> = errors.iter().map(said).collect();
            texts.join("\n")
        }
        other => other.to_string(),
    };
    let text = text.trim();
    let first = text
        .lines()
        .find(|line| line.contains("error"))
        .or(text.lines().next())
        .unwrap_or("it cannot be built");
    CellError::new(
        "dependency",
        format!(":dep {name}: {}", first.trim()),
        format!(":dep {name}\n{text}"),
    )
}
