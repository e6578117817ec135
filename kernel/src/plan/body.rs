//! The crate of a cell's statements: it takes the variables that they mention, runs them, and puts
//! back those that they have not moved.

use super::source::{Mark, Source};
use super::{Definitions, UnitId, Variable};
use crate::read::bindings::plain;
use crate::read::{Cell, StatementKind, words};
use std::collections::{BTreeSet, HashSet};

/// How a cell's body is written; changed where rustc's errors require it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manner {
    /// Variables that the body moves, or does not initialise.
    pub moved: BTreeSet<String>,
    /// Our trait for showing a value is left out, since one of the user's does it.
    pub users_display: bool,
    /// The value of the last expression is dropped.
    pub hidden: bool,
    /// Nothing is wrapped around the statements, so that errors are those of the text.
    pub plain: bool,
}

/// A cell's body as a crate.
#[derive(Debug)]
pub struct Body {
    pub source: Source,
    /// The function to call.
    pub function: String,
    /// Units whose crates the source names.
    pub units: BTreeSet<UnitId>,
    /// Variables that it takes.
    pub taken: Vec<String>,
}

impl Definitions {
    /// The body of a cell. Its items, if any, are already units.
    pub fn body(&self, cell: &Cell, run: u64, manner: &Manner) -> Body {
        let module = format!("cell_{run}");
        let function = format!("holoscope_{module}");
        let text = &cell.text.text;
        let mut mentioned: HashSet<String> = HashSet::new();
        for statement in &cell.statements {
            mentioned.extend(
                words::of(&text[statement.range.clone()])
                    .into_iter()
                    .map(str::to_owned),
            );
        }
        if cell
            .statements
            .iter()
            .any(|statement| statement.kind == StatementKind::Value)
        {
            // A trait of the session may define how a value is shown.
            mentioned.insert("evcxr_display".to_owned());
        }
        let (imports, of_imports) = self.imports_in_force();
        let mut uses = self.mentioned(mentioned.iter().cloned());
        // A macro of the session may mention variables, too.
        let by_macros = uses.iter().filter_map(|id| self.macro_words(*id)).flatten();
        mentioned.extend(by_macros.collect::<Vec<_>>());
        uses.extend(of_imports);
        let taken: Vec<(&String, &Variable)> = self
            .variables
            .iter()
            .filter(|(name, _)| mentioned.contains(*name))
            .collect();
        let mut source = Source::default();
        self.head(&mut source);
        source.generated(&format!("mod {module} {{\n"));
        self.prelude(&uses, &imports, &BTreeSet::new(), None, &mut source);
        source.generated(&format!(
            "#[unsafe(no_mangle)] pub extern \"C\" fn {function}() {{\n"
        ));
        for (name, variable) in &taken {
            let mutable = if variable.mutable { "mut " } else { "" };
            let written = &variable.written;
            let text = format!(
                "let {mutable}{written}: {ty} = ::holoscope::host::take({name:?});\n",
                ty = variable.ty
            );
            source.marked(Mark::Take((*name).clone()), &text);
        }
        self.statements(cell, manner, &format!("cell_{run}"), &mut source);
        let bound: HashSet<&str> = cell
            .bindings
            .iter()
            .map(|binding| binding.plain())
            .collect();
        for (name, variable) in &taken {
            if manner.moved.contains(*name) {
                continue;
            }
            let condition = if bound.contains(name.as_str()) {
                "if !done "
            } else {
                ""
            };
            let text = format!(
                "{condition}{{ ::holoscope::host::put({name:?}, {}); }}\n",
                variable.written
            );
            source.marked(Mark::Put((*name).clone()), &text);
        }
        source.generated("let _ = done;\n}\n}\n");
        let mut units: BTreeSet<UnitId> = uses.iter().map(|id| self.def(*id).unit).collect();
        for (_, variable) in &taken {
            units.extend(Self::units_in_type(&variable.ty));
        }
        Body {
            source,
            function,
            units,
            taken: taken.into_iter().map(|(name, _)| name.clone()).collect(),
        }
    }

    /// A cell that cannot be parsed, with nothing around it that rustc could mistake for a part of it.
    pub fn write_broken(&self, cell: &Cell, run: u64, source: &mut Source) {
        self.head(source);
        source.generated(&format!("mod cell_{run} {{\nfn cell() {{\n"));
        source.users(&cell.text, &(0..cell.text.text.len()), &[], "");
        source.generated("\n}\n}\n");
    }

    /// A crate that compiles if a type can be named in code.
    pub fn write_type_check(&self, ty: &str, source: &mut Source) {
        self.head(source);
        source.generated(&format!("pub fn check(_: Option<&{ty}>) {{}}\n"));
    }

    fn statements(&self, cell: &Cell, manner: &Manner, module: &str, source: &mut Source) {
        source.generated(
            "let done = ::holoscope::host::guard(|| -> ::core::result::Result<(), ::holoscope::host::CellError> {\n",
        );
        if cell.awaits {
            source.generated(
                "let runtime = ::holoscope::host::shared(\"holoscope: runtime\", || ::tokio::runtime::Runtime::new().expect(\"a runtime for futures\"));\n\
                 runtime.block_on(async {\n",
            );
        }
        for statement in &cell.statements {
            let shown = statement.kind == StatementKind::Value && !manner.hidden && !cell.broken;
            let revived = self.revived(cell, statement.range.clone());
            if let Some(mutable) = revived {
                source.generated(if mutable { "let mut " } else { "let " });
            }
            if shown {
                let ours = if manner.users_display {
                    ""
                } else {
                    "use ::holoscope::host::DebugDisplay as _; "
                };
                source.generated(&format!("{{ {ours}("));
            }
            source.users(&cell.text, &statement.range, &statement.insertions, module);
            match (shown, statement.kind) {
                (true, _) => source.marked(Mark::Show, ").evcxr_display(); }\n"),
                (false, StatementKind::Value) => source.generated(";\n"),
                (false, _) => source.generated("\n"),
            }
        }
        for binding in &cell.bindings {
            if manner.moved.contains(&format!("new {}", binding.plain())) {
                continue;
            }
            // A lint that is enabled for this statement alone makes rustc report the variable's type.
            let text = format!(
                "#[warn(unused_results)] ::holoscope::host::typed(&{});\n",
                binding.name
            );
            source.marked(Mark::Type(binding.plain().to_owned()), &text);
            let text = format!(
                "::holoscope::host::put({:?}, {});\n",
                binding.plain(),
                binding.name
            );
            source.marked(Mark::Put(format!("new {}", binding.plain())), &text);
        }
        source.generated("::core::result::Result::<(), ::holoscope::host::CellError>::Ok(())\n");
        source.generated(if cell.awaits { "})\n});\n" } else { "});\n" });
    }

    /// Whether a statement assigns to a variable that an earlier cell has moved: it is bound anew.
    fn revived(&self, cell: &Cell, range: std::ops::Range<usize>) -> Option<bool> {
        let text = &cell.text.text[range];
        let (name, rest) = text.split_once('=')?;
        let name = name.trim();
        let assigned = !rest.starts_with('=') && !name.is_empty();
        let (_, mutable) = self.moved.get(plain(name)).filter(|_| assigned)?;
        (!self.variables.contains_key(plain(name))).then_some(*mutable)
    }
}

/// The variables that a statement list revives: they are bound like those of a `let`.
pub fn revived(definitions: &Definitions, cell: &Cell) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    for statement in &cell.statements {
        if let Some(mutable) = definitions.revived(cell, statement.range.clone()) {
            let text = &cell.text.text[statement.range.clone()];
            if let Some((name, _)) = text.split_once('=') {
                found.push((name.trim().to_owned(), mutable));
            }
        }
    }
    found
}
