//! Converts a notebook to a Rust program that compiles against the library and prints what cells
//! show.

use crate::notebook::{Cell, CellKind, Notebook};
use crate::read::items::Kind;
use crate::read::{CellText, StatementKind, commands};
use std::collections::HashSet;
use std::sync::Arc;

/// The code before the cells.
const ABOVE: &str = r#"use std::error::Error;
use std::fmt::Debug;

/// Prints a value as its cell showed it: by `Debug`, or the name of its type.
struct Shown<'a, T>(&'a T);

trait ByDebug {
    fn show(&self);
}

impl<T: Debug> ByDebug for Shown<'_, T> {
    fn show(&self) {
        if std::any::type_name::<T>() != "()" {
            println!("{:?}", self.0);
        }
    }
}

trait ByName {
    fn show(&self);
}

impl<T> ByName for &Shown<'_, T> {
    fn show(&self) {
        println!("{}", std::any::type_name::<T>());
    }
}

fn main() -> Result<(), Box<dyn Error>> {
"#;

/// The program of a notebook; the error names a cell that cannot be part of one, and the reason.
///
/// Cells follow each other in `main`; a cell that redefines an item begins a block, in which the
/// new definition applies. Cells tagged `skip-execution` or `raises-exception` become comments,
/// and so do commands: the dependencies of `:dep` are listed at the top.
pub fn program(notebook: &Notebook, name: &str) -> Result<String, String> {
    let mut out = Program::default();
    for (n, cell) in notebook.cells.iter().enumerate() {
        match cell.kind {
            CellKind::Code { .. } => out.code(cell, n + 1)?,
            CellKind::Markdown => out.comment("markdown", &cell.source),
            CellKind::Raw => out.comment("raw", &cell.source),
        }
    }
    Ok(out.finish(name))
}

#[derive(Default)]
struct Program {
    body: String,
    attributes: Vec<String>,
    dependencies: Vec<String>,
    /// The names defined in the innermost block.
    defined: HashSet<String>,
    blocks: usize,
}

impl Program {
    fn comment(&mut self, kind: &str, text: &str) {
        self.body += &format!("\n// %% [{kind}]\n");
        for line in text.lines() {
            self.body += format!("// {line}").trim_end();
            self.body.push('\n');
        }
    }

    fn code(&mut self, cell: &Cell, n: usize) -> Result<(), String> {
        if cell.has_tag("skip-execution") || cell.has_tag("raises-exception") {
            self.comment("code that does not run here", &cell.source);
            return Ok(());
        }
        let (found, rust) = commands::split(&cell.source, &|_| false);
        for command in found {
            match command {
                commands::Command::Colon { name, arguments } if name == "dep" => {
                    self.dependencies.push(arguments);
                }
                _ => {}
            }
        }
        let text = Arc::new(CellText {
            number: n as u64,
            text: rust.clone(),
        });
        let read = crate::read::cell(text, &rust, &|_| None);
        if read.awaits {
            return Err(format!(
                "cell {n} uses `.await`, which a plain program does not support"
            ));
        }
        if read.broken {
            return Err(format!("cell {n} cannot be parsed as Rust"));
        }
        let names: Vec<String> = read
            .items
            .iter()
            .flat_map(|item| match item.kind {
                Kind::Use => vec![item.tokens.clone()],
                _ => item
                    .names
                    .iter()
                    .map(|(space, name)| format!("{space:?} {name}"))
                    .collect(),
            })
            .collect();
        if names.iter().any(|name| self.defined.contains(name)) {
            self.body += "\n{\n";
            self.blocks += 1;
            self.defined.clear();
        }
        self.defined.extend(names);
        let mut edits: Vec<(usize, usize, &str)> = Vec::new();
        for statement in &read.statements {
            if statement.kind == StatementKind::Value {
                edits.push((statement.range.start, 0, "(&Shown(&("));
                edits.push((statement.range.end, 0, "))).show();"));
            }
        }
        for range in &read.attributes {
            self.attributes.push(rust[range.clone()].to_owned());
            edits.push((range.start, range.len(), ""));
        }
        edits.sort_by_key(|(at, ..)| *at);
        self.body += "\n// %%\n";
        for line in cell
            .source
            .lines()
            .filter(|line| line.trim_start().starts_with(':'))
        {
            self.body += &format!("// {line}\n");
        }
        let mut end = 0;
        for (at, delete, insert) in edits {
            self.body += &rust[end..at];
            self.body += insert;
            end = at + delete;
        }
        self.body += rust[end..].trim_end();
        self.body.push('\n');
        Ok(())
    }

    fn finish(self, name: &str) -> String {
        let mut out = format!(
            "//! Written from {name} by `holoscope export --to rs`: its cells, in order.\n"
        );
        if !self.dependencies.is_empty() {
            out += "//!\n//! Crates that its cells ask for:\n//!\n//! ```toml\n";
            for line in &self.dependencies {
                out += &format!("//! {line}\n");
            }
            out += "//! ```\n";
        }
        out += "#![allow(unused, clippy::all)]\n";
        for attribute in &self.attributes {
            out += &format!("{attribute}\n");
        }
        let close = "}\n".repeat(self.blocks);
        format!("{out}\n{ABOVE}{}\n{close}Ok(())\n}}\n", self.body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_program_prints_what_its_cells_show() {
        let mut notebook = Notebook::new();
        let sources = [
            ":dep regex = \"1\"\nuse std::collections::BTreeMap;",
            "#| label: a\nfn f() -> i32 { 1 }\nlet x = f();\nx + 1",
            "fn f() -> i32 { 10 }\nstruct Bare;\nlet text = \"a\nb\";\nf()",
            "for i in 0..2 { println!(\"{i} {x}\"); }",
            "let n: i32 = \"7\".parse()?;\nBare",
            "use std::collections::BTreeMap;\nlet map = BTreeMap::from([(n, text)]);\nmap",
        ];
        notebook.cells = sources.map(Cell::code).to_vec();
        notebook
            .cells
            .insert(1, Cell::markdown("# Title\n\n`*/` text"));
        let text = program(&notebook, "a.ipynb").unwrap();
        assert!(text.contains("//! regex = \"1\""), "{text}");
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("a.rs");
        std::fs::write(&source, &text).unwrap();
        let built = Command::new("rustc")
            .current_dir(folder.path())
            .args(["--edition", "2024", "a.rs"])
            .output()
            .unwrap();
        assert!(
            built.status.success(),
            "{}\n{text}",
            String::from_utf8_lossy(&built.stderr)
        );
        let ran = Command::new(folder.path().join("a")).output().unwrap();
        let printed = String::from_utf8_lossy(&ran.stdout).into_owned();
        assert_eq!(printed, "2\n10\n0 1\n1 1\na::main::Bare\n{7: \"a\\nb\"}\n");
    }

    #[test]
    fn what_cannot_be_part_of_a_program_is_told() {
        let mut notebook = Notebook::new();
        notebook.cells = vec![Cell::code("1"), Cell::code("let x = ;")];
        assert!(program(&notebook, "a").unwrap_err().contains("cell 2"));
    }
}
