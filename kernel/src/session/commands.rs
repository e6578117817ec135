//! The commands of cells: `:dep`, `:vars`, `!ls` and the others.

use super::answers::{show, text_event};
use super::sources::users_words;
use super::state::{Io, Session, Stop};
use crate::plan::Definitions;
use crate::read::commands::Command;
use crate::report::outcome::CellError;
use crate::run::output::event::{Event, MimeBundle};
use crate::widgets::CommEvent;
use serde_json::Value;
use std::sync::Arc;

/// Commands that concern the way evcxr runs cells, which is not used here.
const WITHOUT_USE: [&str; 12] = [
    "allow_static_linking",
    "cache",
    "clear_cache",
    "codegen_backend",
    "internal_debug",
    "last_compile_dir",
    "linker",
    "preserve_vars_on_panic",
    "sccache",
    "time_passes",
    "timing",
    "toolchain",
];

const HELP: &str = "\
:dep NAME = \"1\"       Adds a crate: :dep serde = { version = \"1\", features = [\"derive\"] }, :dep my = { path = \"my\" }
:show_deps            Lists the crates that were added
:vars                 Lists the variables and their types
:type EXPR            The type of an expression, which does not run (:t EXPR)
:opt [N]              Cells are compiled at level N (0 to 3) from now on; alone: 2, or back to 1
:clear                Drops all variables and forgets all definitions
:restart              A new process for cells: variables are lost, definitions stay
:rerun                Runs again the statements of cells whose variables keep former types
:doc PATH             Documentation, like ?PATH
:env NAME=VALUE       Sets a variable of the environment for cells
:explain              The compiler's explanation of the last error
:version              The versions of Holoscope, Rust and evcxr
:help                 This list
?PATH                 Documentation of a name
!COMMAND              Runs a command in the shell";

fn refused(text: impl Into<String>) -> Stop {
    let text = text.into();
    Stop::Error(CellError::new(
        "error",
        text.lines().next().unwrap_or("").to_owned(),
        text,
    ))
}

impl Session {
    /// Executes a command.
    pub(super) fn command(&mut self, command: &Command, io: &mut Io<'_>) -> Result<(), Stop> {
        match command {
            Command::Shell(line) => self.shell(line, io),
            Command::Help(path) => self.help_on(path, io),
            Command::Colon { name, arguments } => self.colon(name, arguments, io),
        }
    }

    fn colon(&mut self, name: &str, arguments: &str, io: &mut Io<'_>) -> Result<(), Stop> {
        match name {
            "help" => say(HELP.to_owned(), io),
            "dep" => return self.dependency(arguments, io),
            "vars" => say(self.list_variables(), io),
            "type" | "t" => return self.type_of(arguments, io),
            "opt" => return self.optimise(arguments, io),
            "clear" => self.clear(io),
            "restart" => {
                self.restart_processes()?;
                let ids = Vec::new();
                (io.events)(Event::Comm(CommEvent::Known { ids }));
            }
            "rerun" => return self.rerun(io),
            "doc" => return self.help_on(arguments, io),
            "show_deps" => say(self.dependencies.list(), io),
            "version" => say(version(), io),
            "explain" => return self.explain_last(io),
            "env" => return self.set_variable(arguments, io),
            "quit" => {
                return Err(refused(
                    "a cell cannot end the kernel: shut it down or restart it in the frontend \
                     (:restart gives cells a new process)",
                ));
            }
            "efmt" | "fmt" | "types" | "offline" | "load_config" | "build_env" => {
                return self.of_evcxr(name, arguments, io);
            }
            name if WITHOUT_USE.contains(&name) => {
                say(
                    format!(":{name} has no use here: cells are not compiled by evcxr"),
                    io,
                );
            }
            name => {
                return Err(refused(format!(
                    "there is no command :{name}; :help lists the commands"
                )));
            }
        }
        Ok(())
    }

    fn shell(&mut self, line: &str, io: &mut Io<'_>) -> Result<(), Stop> {
        let output = std::process::Command::new("sh")
            .args(["-c", line])
            .stdin(std::process::Stdio::null())
            .output();
        let output = output.map_err(|error| refused(format!("cannot run the shell: {error}")))?;
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout).into_owned(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        );
        use crate::run::output::event::StreamName::{Stderr, Stdout};
        for (name, text) in [(Stdout, out), (Stderr, err)] {
            if !text.is_empty() {
                (io.events)(Event::Stream { name, text });
            }
        }
        match output.status.success() {
            true => Ok(()),
            false => Err(refused(format!("the command ended with {}", output.status))),
        }
    }

    fn help_on(&mut self, path: &str, io: &mut Io<'_>) -> Result<(), Stop> {
        match self.analysis.inspect(path, path.len()) {
            Some((plain, html))
                if !plain.trim().is_empty() && plain != "No documentation found" =>
            {
                let data = MimeBundle::from_iter([
                    ("text/plain".to_owned(), Value::String(plain)),
                    ("text/html".to_owned(), Value::String(html)),
                ]);
                (io.events)(Event::Display {
                    data,
                    metadata: MimeBundle::new(),
                    display_id: None,
                });
                Ok(())
            }
            _ => Err(refused(format!("nothing is known of `{path}`"))),
        }
    }

    fn list_variables(&self) -> String {
        let lines = self.definitions.variables.iter().map(|(name, variable)| {
            let mutable = if variable.mutable { "mut " } else { "" };
            format!("{mutable}{name}: {}", short_type(&variable.ty))
        });
        let lines: Vec<String> = lines.collect();
        match lines.is_empty() {
            true => "no variables".to_owned(),
            false => lines.join("\n"),
        }
    }

    /// The type of an expression, as rustc reports it for a variable bound to it.
    fn type_of(&mut self, expression: &str, io: &mut Io<'_>) -> Result<(), Stop> {
        if let Some(variable) = self.definitions.variables.get(expression.trim()) {
            say(
                format!("{}: {}", expression.trim(), short_type(&variable.ty)),
                io,
            );
            return Ok(());
        }
        let code = format!("let holoscope_value = {{ {expression} }};");
        let text = Arc::new(crate::read::CellText {
            number: self.number,
            text: code.clone(),
        });
        let cell = crate::read::cell(text, &code, &|_| None);
        let next = Arc::clone(&self.definitions);
        let ready = self.compile_body(&cell, &next)?;
        let _ = std::fs::remove_file(&ready.made.object);
        let ty = ready.made.types.get("holoscope_value");
        say(
            format!(
                "{expression}: {}",
                ty.map_or("()".to_owned(), |ty| short_type(ty))
            ),
            io,
        );
        Ok(())
    }

    fn optimise(&mut self, arguments: &str, io: &mut Io<'_>) -> Result<(), Stop> {
        let level = match arguments {
            "" if self.compiler.level() == "2" => "1",
            "" => "2",
            level @ ("0" | "1" | "2" | "3" | "s" | "z") => level,
            other => {
                return Err(refused(format!(
                    ":opt {other}: the level must be 0, 1, 2 or 3"
                )));
            }
        };
        self.compiler.set_level(level);
        say(format!("Optimization: {level}"), io);
        Ok(())
    }

    /// Runs the cells again whose variables have types that are no longer current.
    fn rerun(&mut self, io: &mut Io<'_>) -> Result<(), Stop> {
        let cells: std::collections::BTreeSet<u64> = self.definitions.stale().into_iter().collect();
        if cells.is_empty() {
            say("no variable has an outdated type".to_owned(), io);
        }
        for number in cells {
            let Some(code) = self.cells.get(&number).cloned() else {
                continue;
            };
            say(format!("running cell {number} again"), io);
            let running = self.number;
            // Its definitions exist already, or newer ones.
            self.only_statements = true;
            let outcome = self.execute(&code, number, io.events, io.ask);
            self.only_statements = false;
            self.number = running;
            if let crate::report::outcome::Outcome::Failed(error) = outcome {
                return Err(Stop::Error(error));
            }
        }
        Ok(())
    }

    fn explain_last(&mut self, io: &mut Io<'_>) -> Result<(), Stop> {
        let Some(code) = self.last_code.clone() else {
            return Err(refused(
                "the last error of the compiler has no code, or there was none",
            ));
        };
        let explained = std::process::Command::new("rustc")
            .args(["--explain", &code])
            .output();
        match explained {
            Ok(output) if output.status.success() => {
                say(String::from_utf8_lossy(&output.stdout).into_owned(), io);
                Ok(())
            }
            _ => Err(refused(format!("rustc has no explanation of {code}"))),
        }
    }

    fn set_variable(&mut self, arguments: &str, io: &mut Io<'_>) -> Result<(), Stop> {
        let Some((name, value)) = arguments.split_once('=') else {
            return Err(refused(":env NAME=VALUE"));
        };
        let code = format!(
            "unsafe {{ ::std::env::set_var({:?}, {:?}) }};",
            name.trim(),
            value.trim()
        );
        match self.execute(&code, self.number, io.events, io.ask) {
            crate::report::outcome::Outcome::Ok => Ok(()),
            crate::report::outcome::Outcome::Failed(error) => Err(Stop::Error(error)),
        }
    }

    fn of_evcxr(&mut self, name: &str, arguments: &str, io: &mut Io<'_>) -> Result<(), Stop> {
        match self.analysis.execute(&format!(":{name} {arguments}")) {
            Ok(outputs) => {
                show(&outputs, io);
                Ok(())
            }
            Err(error) => Err(refused(error.to_string())),
        }
    }
}

/// A type in its usual spelling: without the paths of well-known types.
fn short_type(ty: &str) -> String {
    let ty = users_words(&Definitions::users_type(ty));
    let mut text = String::with_capacity(ty.len());
    let mut word = String::new();
    for c in ty.chars().chain([' ']) {
        if c == '_' || c == ':' || c.is_alphanumeric() {
            word.push(c);
            continue;
        }
        let known = ["std::", "core::", "alloc::"]
            .iter()
            .any(|root| word.starts_with(root));
        match word.rsplit("::").next() {
            Some(last) if known => text.push_str(last),
            _ => text.push_str(&word),
        }
        word.clear();
        text.push(c);
    }
    text.trim_end().to_owned()
}

fn version() -> String {
    let rustc = crate::toolchain::rustc_version().unwrap_or_default();
    format!(
        "holoscope {}, {rustc}, evcxr 0.22.0",
        env!("CARGO_PKG_VERSION")
    )
}

fn say(text: String, io: &mut Io<'_>) {
    (io.events)(text_event(text));
}
