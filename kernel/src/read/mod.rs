//! The first stage of running a cell: its text becomes commands, statements and items.
//!
//! Everything keeps its position: offsets are those of the cell's own text, so that later messages
//! of the compiler can be shown in it.

pub mod bindings;
pub mod commands;
pub mod completeness;
pub mod heads;
pub mod imports;
pub mod items;
pub mod loops;
mod publish;
mod text;
pub mod words;

pub use text::{CellText, Insertion};

use items::{Item, Kind};
use ra_ap_syntax::ast::{self, HasAttrs, HasModuleItem};
use ra_ap_syntax::{AstNode, Edition, SourceFile, SyntaxKind, SyntaxNode, TextRange, TextSize};
use std::ops::Range;
use std::sync::Arc;

/// Precedes the user's text when it is parsed: statements are allowed only in a function.
const BEFORE: &str = "fn cell() {\n";
const BEHIND: &str = "\n}";

/// The contents of a cell.
#[derive(Debug)]
pub struct Cell {
    pub text: Arc<CellText>,
    /// `#![feature(..)]`, `#![allow(..)]`.
    pub attributes: Vec<Range<usize>>,
    pub items: Vec<Item>,
    pub statements: Vec<Statement>,
    /// Names that the statements bind at the top level: the last binding of each.
    pub bindings: Vec<bindings::Binding>,
    /// Whether a statement contains an `await` outside of closures and async blocks.
    pub awaits: bool,
    /// The text cannot be parsed: `statements` has one element, the whole text.
    pub broken: bool,
}

/// A statement of the cell's body.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    pub range: Range<usize>,
    pub kind: StatementKind,
    /// Text to be inserted, at offsets in the cell.
    pub insertions: Vec<Insertion>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatementKind {
    Let,
    /// An expression whose value is dropped.
    Expression,
    /// The last expression, without a semicolon: its value is shown.
    Value,
}

/// The depth of nested brackets beyond which a text is not parsed here: the parser recurses, and a
/// stack overflow would end the kernel. (rustc, in a separate process, compiles it or reports errors.)
const MOST_NESTED: usize = 200;

/// Whether a text is nested too deeply for our parser.
pub fn is_too_deep(code: &str) -> bool {
    let mut depth = 0_usize;
    let mut deepest = 0;
    for byte in code.bytes() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest > MOST_NESTED
}

/// Reads a cell. `code` is its Rust, with commands blanked out. `makes_items` tells whether a macro
/// of the session expands to items.
pub fn cell(text: Arc<CellText>, code: &str, makes_items: &dyn Fn(&str) -> Option<bool>) -> Cell {
    let source = match is_too_deep(code) {
        true => String::new(),
        false => format!("{BEFORE}{code}{BEHIND}"),
    };
    let parse = SourceFile::parse(&source, Edition::Edition2024);
    let function = parse.tree().items().find_map(|item| match item {
        ast::Item::Fn(function) => Some(function),
        _ => None,
    });
    let body = function.and_then(|function| function.body()?.stmt_list());
    let mut cell = Cell {
        text,
        attributes: Vec::new(),
        items: Vec::new(),
        statements: Vec::new(),
        bindings: Vec::new(),
        awaits: false,
        broken: true,
    };
    match body {
        Some(body)
            if parse.errors().is_empty() && body.syntax().text_range().end() == end(&source) =>
        {
            cell.broken = false;
            Reader {
                cell: &mut cell,
                code,
                makes_items,
            }
            .read(&body);
        }
        _ => cell.statements.push(Statement {
            range: 0..code.len(),
            kind: StatementKind::Expression,
            insertions: Vec::new(),
        }),
    }
    cell
}

fn end(source: &str) -> TextSize {
    TextSize::of(source)
}

/// The range in the cell's text.
fn place(range: TextRange) -> Range<usize> {
    let before = BEFORE.len();
    let at = |offset: TextSize| usize::from(offset).saturating_sub(before);
    at(range.start())..at(range.end())
}

struct Reader<'a> {
    cell: &'a mut Cell,
    code: &'a str,
    makes_items: &'a dyn Fn(&str) -> Option<bool>,
}

impl Reader<'_> {
    fn read(&mut self, body: &ast::StmtList) {
        for attribute in body.attrs() {
            if attribute.excl_token().is_some() {
                let range = attribute.syntax().text_range();
                self.cell.attributes.push(place(range));
            }
        }
        // A cell that uses `interrupted()` ends its loops itself.
        let checks = match self.code.contains("interrupted()") {
            true => Vec::new(),
            false => loops::checks(body.syntax()),
        };
        let checks: Vec<usize> = checks
            .into_iter()
            .map(|at| usize::from(at) - BEFORE.len())
            .collect();
        let tail = body.tail_expr();
        for node in body.syntax().children() {
            if let Some(item) = ast::Item::cast(node.clone()) {
                self.item(&item, &checks);
            } else if let Some(call) = item_macro(&node, self.makes_items) {
                let range = place(node.text_range());
                self.cell
                    .items
                    .push(Item::from_macro_call(&call, range, self.code));
            } else if let Some(statement) = ast::Stmt::cast(node.clone()) {
                self.statement(&statement, &checks);
            } else if tail.as_ref().is_some_and(|tail| *tail.syntax() == node) {
                self.push(&node, StatementKind::Value, &checks);
            }
        }
        let names = &mut self.cell.bindings;
        for node in body.syntax().children() {
            if let Some(ast::Stmt::LetStmt(statement)) = ast::Stmt::cast(node) {
                bindings::collect(&statement, names);
            }
        }
    }

    fn item(&mut self, item: &ast::Item, checks: &[usize]) {
        let range = place(item.syntax().text_range());
        let mut read = Item::from_ast(item, range.clone(), BEFORE.len(), self.code);
        if read.kind != Kind::Use {
            read.insertions.extend(within(checks, &range));
            // A later method of an `impl` has insertions after a loop of an earlier one.
            read.insertions.sort_by_key(|insertion| insertion.at);
        }
        self.cell.items.push(read);
    }

    fn statement(&mut self, statement: &ast::Stmt, checks: &[usize]) {
        match statement {
            ast::Stmt::LetStmt(_) => self.push(statement.syntax(), StatementKind::Let, checks),
            ast::Stmt::ExprStmt(_) => {
                self.push(statement.syntax(), StatementKind::Expression, checks)
            }
            // Handled as an item.
            ast::Stmt::Item(_) => {}
        }
    }

    fn push(&mut self, node: &SyntaxNode, kind: StatementKind, checks: &[usize]) {
        let range = place(node.text_range());
        self.cell.awaits |= awaits(node);
        let mut insertions: Vec<Insertion> = within(checks, &range).collect();
        insertions.extend(returns(node));
        insertions.extend(items::paths_of_the_crate(node, BEFORE.len()));
        insertions.sort_by_key(|insertion| insertion.at);
        self.cell.statements.push(Statement {
            range,
            kind,
            insertions,
        });
    }
}

/// The call that is inserted at the start of a loop's body.
const CHECK: &str = "::holoscope::host::check();";

fn within<'a>(
    checks: &'a [usize],
    range: &Range<usize>,
) -> impl Iterator<Item = Insertion> + use<'a> {
    let range = range.clone();
    let inside = checks.iter().filter(move |at| range.contains(at));
    inside.map(|at| Insertion::new(*at, CHECK))
}

/// Functions, closures and async blocks have their own returns and awaits.
fn is_a_body_of_its_own(kind: SyntaxKind) -> bool {
    matches!(
        kind,
        SyntaxKind::FN
            | SyntaxKind::CLOSURE_EXPR
            | SyntaxKind::IMPL
            | SyntaxKind::TRAIT
            | SyntaxKind::MODULE
    )
}

fn is_async_block(node: &SyntaxNode) -> bool {
    ast::BlockExpr::cast(node.clone()).is_some_and(|block| block.async_token().is_some())
}

/// Calls `visit` on a node and its descendants, except in functions, closures and async blocks.
fn walk(node: &SyntaxNode, visit: &mut dyn FnMut(&SyntaxNode)) {
    if is_a_body_of_its_own(node.kind()) || is_async_block(node) {
        return;
    }
    visit(node);
    for child in node.children() {
        walk(&child, visit);
    }
}

fn awaits(node: &SyntaxNode) -> bool {
    let mut found = false;
    walk(node, &mut |node| {
        found |= node.kind() == SyntaxKind::AWAIT_EXPR
    });
    found
}

/// Insertions for a `return` of the cell itself, whose body is a closure that returns a `Result`.
fn returns(node: &SyntaxNode) -> Vec<Insertion> {
    let mut found = Vec::new();
    walk(node, &mut |node| {
        if let Some(expr) = ast::ReturnExpr::cast(node.clone())
            && expr.expr().is_none()
        {
            let at = place(expr.syntax().text_range()).end;
            found.push(Insertion::new(at, " ::core::result::Result::Ok(())"));
        }
    });
    found
}

/// A macro call that expands to items: a macro of the session, or a macro of a crate that is
/// known to, or looks as if it does.
fn item_macro(
    node: &SyntaxNode,
    makes_items: &dyn Fn(&str) -> Option<bool>,
) -> Option<ast::MacroCall> {
    let expr = match ast::ExprStmt::cast(node.clone()) {
        Some(statement) => statement.expr()?,
        None => ast::Expr::cast(node.clone())?,
    };
    let ast::Expr::MacroExpr(call) = expr else {
        return None;
    };
    let call = call.macro_call()?;
    let name = call.path()?.segment()?.name_ref()?.text().to_string();
    let looks_like_items = || {
        let tree = call
            .token_tree()
            .map(|tree| tree.syntax().text().to_string());
        items::known_item_macro(&name) || tree.is_some_and(|tree| items::starts_like_an_item(&tree))
    };
    makes_items(&name)
        .unwrap_or_else(looks_like_items)
        .then_some(call)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(code: &str) -> Cell {
        let text = CellText {
            number: 1,
            text: code.to_owned(),
        };
        cell(Arc::new(text), code, &|_| None)
    }

    #[test]
    fn a_cell_is_taken_apart_where_its_parts_stand() {
        let code = "#![allow(dead_code)]\nuse std::fmt;\nstruct P { x: i32 }\nlet p = P { x: 1 };\nf(p);\np.x";
        let cell = read(code);
        assert!(!cell.broken);
        assert_eq!(&code[cell.attributes[0].clone()], "#![allow(dead_code)]");
        let items: Vec<&str> = cell.items.iter().map(|i| &code[i.range.clone()]).collect();
        assert_eq!(items, ["use std::fmt;", "struct P { x: i32 }"]);
        let statements: Vec<(&str, StatementKind)> = cell
            .statements
            .iter()
            .map(|s| (&code[s.range.clone()], s.kind))
            .collect();
        assert_eq!(
            statements,
            [
                ("let p = P { x: 1 };", StatementKind::Let),
                ("f(p);", StatementKind::Expression),
                ("p.x", StatementKind::Value)
            ]
        );
    }

    #[test]
    fn what_cannot_be_parsed_is_one_broken_piece() {
        for code in [
            "let a = std::",
            "fn broken( {",
            "\"never closed",
            "let d = [1, 2;",
            "}",
        ] {
            let cell = read(code);
            assert!(cell.broken, "{code}");
            assert_eq!(cell.statements[0].range, 0..code.len());
        }
    }

    #[test]
    fn a_text_that_nests_too_deep_is_left_to_rustc() {
        let deep = format!("{}1{}", "(".repeat(50_000), ")".repeat(50_000));
        assert!(read(&deep).broken);
        assert!(!read(&format!("{}1{}", "(".repeat(100), ")".repeat(100))).broken);
    }

    #[test]
    fn only_awaits_and_returns_of_the_cell_itself_count() {
        assert!(read("two().await + 1").awaits);
        assert!(!read("let f = async { two().await };").awaits);
        assert!(!read("async fn f() { two().await }").awaits);
        let code = "if x { return; }\nlet f = || { return; };";
        let cell = read(code);
        let inserted: Vec<usize> = cell
            .statements
            .iter()
            .flat_map(|s| s.insertions.iter().map(|i| i.at))
            .collect();
        assert_eq!(inserted, [code.find("return").unwrap() + "return".len()]);
    }

    /// They are applied one after the other: out of order, they would corrupt the code.
    #[test]
    fn insertions_stand_in_the_order_of_their_places() {
        for code in [
            "struct A;\nimpl A { fn f(&self) { loop { g(); } } fn g(&self) { while h() {} } fn k(&self) {} }",
            "mod m { pub fn f() { for _ in 0.. { g(); } } fn g() {} struct B { x: u8 } }",
            "trait T { fn f() { loop { g(); } } fn g(); }\nfn h() { for _ in 0.. { f(); } }\nfn k() {}",
            "let f = || loop { if x { return; } };\nwhile y() { if z { return; } }",
        ] {
            let cell = read(code);
            let items = cell.items.iter().map(|item| &item.insertions);
            for insertions in items.chain(cell.statements.iter().map(|s| &s.insertions)) {
                let places: Vec<usize> = insertions.iter().map(|i| i.at).collect();
                assert!(places.is_sorted(), "{code}: {places:?}");
            }
            assert!(!cell.broken, "{code}");
        }
    }

    #[test]
    fn macros_that_make_items_are_items() {
        assert_eq!(read("thread_local! { static N: u8 = 1; }").items.len(), 1);
        assert_eq!(
            read("bitflags! { struct F: u8 { const A = 1; } }")
                .items
                .len(),
            1
        );
        assert_eq!(read("println!(\"{}\", 1)").items.len(), 0);
        assert_eq!(read("vec![1, 2];").items.len(), 0);
    }
}
