//! Variables that a cell moves, told to evcxr before the compiler has to.
//!
//! evcxr stores every variable after a cell, and learns which ones the cell has
//! moved from the compiler's refusal to store them (E0382); then it compiles
//! again. Where the cell's text shows a move, we refuse in the compiler's place,
//! which costs one more call of cargo instead of a run of rustc to its borrow checker.
//!
//! The text shows no types, and a `Copy` value stays when it is "moved". So when
//! a type is first stored, the compiler is asked whether it is `Copy` (see
//! [`question`]), and only for those that are not, it is spared later. A name may
//! come to mean another type: the second, real compilation has the compiler prove
//! that these are not `Copy` (see [`proof`]). Where it finds that one is, nothing
//! has run, and the session runs the cell again without our help (see [`OFF_FILE`]).

use ra_ap_syntax::ast::{self, AstNode, HasArgList, HasGenericArgs, HasName};
use ra_ap_syntax::{Edition, SourceFile, SyntaxKind, SyntaxNode, T};
use std::collections::BTreeMap;

/// Beside the cell's manifest: what was refused, until the next compilation.
pub const REFUSED_FILE: &str = "moves.json";
/// Beside the cell's manifest: the types of this session's variables, and whether they move.
pub const TYPES_FILE: &str = "moves.types";
/// Beside the cell's manifest: no guesses. The wrapper writes it when a proof fails
/// and guesses nothing while it is there; the session removes it.
pub const OFF_FILE: &str = "moves.off";

/// Macros of std that give no variable a value, but by an `=` in their text.
const HARMLESS: [&str; 14] = [
    "print",
    "println",
    "eprint",
    "eprintln",
    "format",
    "write",
    "writeln",
    "assert",
    "assert_eq",
    "assert_ne",
    "debug_assert",
    "vec",
    "matches",
    "stringify",
];

/// A variable that the cell surely moves, if its type is not `Copy`.
#[derive(Debug, Clone, PartialEq)]
pub struct Move {
    pub name: String,
    pub type_name: String,
    /// Where evcxr stores it, from 1 on.
    pub line: usize,
}

/// What the text of a cell shows.
#[derive(Debug, Default)]
pub struct Text {
    /// The variables that it moves.
    pub moved: Vec<Move>,
    /// The types of all variables that are stored after it.
    pub types: Vec<String>,
}

/// Reads a cell as evcxr has wrapped it.
pub fn read(source: &str) -> Text {
    let file = SourceFile::parse(source, Edition::Edition2024).tree();
    let Some(cell) = Cell::of(file.syntax()) else {
        return Text::default();
    };
    let line = |at: usize| source[..at].matches('\n').count() + 1;
    // References are copied or lent.
    let owned = || {
        cell.stored
            .iter()
            .filter(|(_, s)| !s.type_name.starts_with('&'))
    };
    let mut types: Vec<String> = owned().map(|(_, s)| s.type_name.clone()).collect();
    types.sort();
    types.dedup();
    let moved = owned().filter(|(name, _)| cell.moves(name));
    let moved = moved.map(|(name, stored)| Move {
        name: name.clone(),
        type_name: stored.type_name.clone(),
        line: line(stored.at),
    });
    Text {
        moved: moved.collect(),
        types,
    }
}

struct Stored {
    type_name: String,
    at: usize,
}

/// A cell as evcxr has wrapped it.
struct Cell {
    /// The block with the user's statements.
    block: ast::StmtList,
    stored: BTreeMap<String, Stored>,
    loaded: Vec<String>,
}

impl Cell {
    fn of(file: &SyntaxNode) -> Option<Self> {
        let function = file.children().filter_map(ast::Fn::cast).find(|f| {
            f.name()
                .is_some_and(|n| n.text().starts_with("run_user_code_"))
        })?;
        let block = function
            .syntax()
            .descendants()
            .filter_map(ast::ClosureExpr::cast)
            .find(|closure| {
                let returned = closure.ret_type();
                returned
                    .is_some_and(|r| r.syntax().text().to_string().contains("EvcxrUserCodeError"))
            })
            .and_then(|closure| closure.syntax().children().find_map(ast::BlockExpr::cast))?
            .stmt_list()?;
        let mut cell = Self {
            block,
            stored: BTreeMap::new(),
            loaded: Vec::new(),
        };
        for call in function
            .syntax()
            .descendants()
            .filter_map(ast::MethodCallExpr::cast)
        {
            cell.note(&call);
        }
        Some(cell)
    }

    /// Takes down what evcxr loads and stores.
    fn note(&mut self, call: &ast::MethodCallExpr) -> Option<()> {
        if !on_store(call) {
            return None;
        }
        let type_name = call.generic_arg_list()?.generic_args().next()?;
        let name = call.arg_list()?.args().next()?.syntax().text().to_string();
        let name = name
            .strip_prefix("stringify!(")?
            .strip_suffix(')')?
            .to_owned();
        match call.name_ref()?.text() {
            "take_variable" => self.loaded.push(name),
            "put_variable" => {
                let stored = Stored {
                    type_name: type_name.syntax().text().to_string(),
                    at: call.syntax().text_range().start().into(),
                };
                self.stored.insert(name, stored);
            }
            _ => {}
        }
        Some(())
    }

    /// Whether the cell moves this variable on every way through it, and never
    /// gives it a value again.
    fn moves(&self, name: &str) -> bool {
        let mut moved = false;
        let mut bound = 0;
        for node in self.block.syntax().descendants() {
            // `#[cfg(..)]` may take a statement away.
            if ast::Attr::can_cast(node.kind()) {
                return false;
            }
            if let Some(pattern) = ast::IdentPat::cast(node.clone())
                && pattern.name().is_some_and(|n| n.text() == name)
            {
                // Another variable of that name: which one is meant is not for us to say.
                if moved || self.loaded.iter().any(|l| l == name) || !self.is_let(&pattern) {
                    return false;
                }
                bound += 1;
            }
            if ast::MacroCall::cast(node.clone()).is_some_and(|call| may_assign(&call, name)) {
                return false;
            }
            let Some(path) = ast::PathExpr::cast(node) else {
                continue;
            };
            if path.syntax().text() == name && !is_evcxrs(&path) {
                if is_assigned(&path) {
                    return false;
                }
                moved |= self.takes(&path);
            }
        }
        moved && bound <= 1
    }

    /// Whether a pattern is that of one of the cell's own `let`s.
    fn is_let(&self, pattern: &ast::IdentPat) -> bool {
        let parent = pattern.syntax().parent();
        parent.is_some_and(|p| {
            ast::LetStmt::can_cast(p.kind()) && p.parent().as_ref() == Some(self.block.syntax())
        })
    }

    /// Whether the value of a variable is taken here, whatever the cell does.
    fn takes(&self, path: &ast::PathExpr) -> bool {
        by_value(path) && self.is_always_evaluated(path.syntax())
    }

    fn is_always_evaluated(&self, node: &SyntaxNode) -> bool {
        let mut child = node.clone();
        while let Some(parent) = child.parent() {
            if &parent == self.block.syntax() {
                return true;
            }
            let plain = match parent.kind() {
                SyntaxKind::BIN_EXPR => !is_lazy(&parent),
                SyntaxKind::LET_STMT => {
                    let other = ast::LetStmt::cast(parent.clone()).and_then(|l| l.let_else());
                    other.is_none()
                }
                kind => ALWAYS.contains(&kind),
            };
            if !plain {
                return false;
            }
            child = parent;
        }
        false
    }
}

/// What evaluates all of its parts.
const ALWAYS: [SyntaxKind; 16] = [
    SyntaxKind::ARG_LIST,
    SyntaxKind::CALL_EXPR,
    SyntaxKind::METHOD_CALL_EXPR,
    SyntaxKind::TRY_EXPR,
    SyntaxKind::PAREN_EXPR,
    SyntaxKind::REF_EXPR,
    SyntaxKind::PREFIX_EXPR,
    SyntaxKind::TUPLE_EXPR,
    SyntaxKind::ARRAY_EXPR,
    SyntaxKind::RECORD_EXPR,
    SyntaxKind::RECORD_EXPR_FIELD,
    SyntaxKind::RECORD_EXPR_FIELD_LIST,
    SyntaxKind::FIELD_EXPR,
    SyntaxKind::INDEX_EXPR,
    SyntaxKind::CAST_EXPR,
    SyntaxKind::EXPR_STMT,
];

fn is_lazy(node: &SyntaxNode) -> bool {
    let operator = ast::BinExpr::cast(node.clone()).and_then(|e| e.op_kind());
    matches!(operator, None | Some(ast::BinaryOp::LogicOp(_)))
}

/// Whether the parent of a variable takes it by value: an argument, a part of a
/// new value, or the whole of a new variable. (Receivers and operands may be
/// borrowed; `let _ = x` takes nothing.)
fn by_value(path: &ast::PathExpr) -> bool {
    let Some(parent) = path.syntax().parent() else {
        return false;
    };
    match parent.kind() {
        SyntaxKind::ARG_LIST | SyntaxKind::TUPLE_EXPR => true,
        SyntaxKind::RECORD_EXPR_FIELD => true,
        SyntaxKind::ARRAY_EXPR => !parent.children_with_tokens().any(|t| t.kind() == T![;]),
        SyntaxKind::LET_STMT => ast::LetStmt::cast(parent)
            .and_then(|statement| statement.pat())
            .is_some_and(|pattern| match pattern {
                ast::Pat::IdentPat(p) => p.ref_token().is_none() && p.pat().is_none(),
                _ => false,
            }),
        _ => false,
    }
}

/// Whether a variable gets a value here, alone or among others.
fn is_assigned(path: &ast::PathExpr) -> bool {
    let mut child = path.syntax().clone();
    while let Some(parent) = child.parent() {
        if let Some(expression) = ast::BinExpr::cast(parent.clone()) {
            let assigns = matches!(expression.op_kind(), Some(ast::BinaryOp::Assignment { .. }));
            if assigns && expression.lhs().is_some_and(|l| l.syntax() == &child) {
                return true;
            }
        }
        if ast::Stmt::can_cast(parent.kind()) {
            return false;
        }
        child = parent;
    }
    false
}

/// Whether a macro whose text names the variable may do something to it.
fn may_assign(call: &ast::MacroCall, name: &str) -> bool {
    let known = call.path().is_some_and(|path| {
        let text = path.syntax().text().to_string();
        HARMLESS.contains(&text.rsplit("::").next().unwrap_or_default().trim())
    });
    let assigns = |tokens: &[String]| {
        tokens
            .windows(2)
            .any(|pair| pair[0] == name && pair[1] == "=")
    };
    let Some(tree) = call.token_tree() else {
        return false;
    };
    let tokens: Vec<String> = tree
        .syntax()
        .descendants_with_tokens()
        .filter_map(|element| element.into_token())
        .filter(|token| !token.kind().is_trivia())
        .map(|token| token.text().to_owned())
        .collect();
    tokens.iter().any(|token| token == name) && (!known || assigns(&tokens))
}

fn on_store(call: &ast::MethodCallExpr) -> bool {
    let receiver = call.receiver();
    receiver.is_some_and(|r| r.syntax().text() == "evcxr_variable_store")
}

/// Whether evcxr, not the user, has written this: it stores the variable.
fn is_evcxrs(path: &ast::PathExpr) -> bool {
    let call = path
        .syntax()
        .ancestors()
        .find_map(ast::MethodCallExpr::cast);
    call.is_some_and(|call| on_store(&call))
}

/// The compiler's word for it: what it would have said of these variables.
pub fn refusal(refused: &Move, source: &str) -> String {
    let text = source.lines().nth(refused.line - 1).unwrap_or_default();
    let message = format!("use of moved value: `{}`", refused.name);
    serde_json::json!({
        "$message_type": "diagnostic",
        "message": message,
        "code": {"code": "E0382", "explanation": null},
        "level": "error",
        "spans": [{
            "file_name": "src/lib.rs", "byte_start": 0, "byte_end": 0,
            "line_start": refused.line, "line_end": refused.line,
            "column_start": 1, "column_end": text.chars().count() + 1,
            "is_primary": true, "label": null, "suggested_replacement": null,
            "suggestion_applicability": null, "expansion": null,
            "text": [{"text": text, "highlight_start": 1, "highlight_end": text.chars().count() + 1}],
        }],
        "children": [],
        "rendered": message,
    })
    .to_string()
}

/// Items that compile if and only if these types are neither `Copy` nor
/// exclusive references (which are lent where they seem to be moved): where a
/// type is one of them, two implementations fit and the call is ambiguous.
pub fn proof(types: &[String]) -> String {
    if types.is_empty() {
        return String::new();
    }
    let mut text = String::from(
        "#[allow(dead_code)] mod evcxr_moved { pub struct Copied; pub struct Lent; \
         pub trait Moved<A> { fn moved() {} } impl<T: ?Sized> Moved<()> for T {} \
         impl<T: ?Sized + Copy> Moved<Copied> for T {} \
         impl<T: ?Sized> Moved<Lent> for &mut T {} }\n",
    );
    for name in types {
        text.push_str(&format!(
            "const _: fn() = <{name} as evcxr_moved::Moved<_>>::moved;\n"
        ));
    }
    text
}

/// Items by which the compiler tells of each of these types whether it is
/// `Copy`: by a warning ([`IS_COPY`]) on the type's line. Nothing of it gets into the shared object.
pub fn question(types: &[String]) -> String {
    let lines = types.iter().enumerate().map(|(n, name)| {
        format!(
            "#[allow(dead_code)] #[warn(dropping_copy_types)] \
             fn evcxr_kind_{n}(value: {name}) {{ ::std::mem::drop(value) }}\n"
        )
    });
    lines.collect()
}

/// The compiler's warning of a `Copy` value that is given to `drop`.
pub const IS_COPY: &str = "dropping_copy_types";

/// Whether a type is one of std's that are surely not `Copy`.
pub fn surely_moves(type_name: &str) -> bool {
    let head = type_name.split('<').next().unwrap_or_default();
    let name = head.rsplit("::").next().unwrap_or_default().trim();
    ["String", "Vec", "Box", "HashMap", "BTreeMap"].contains(&name)
}

#[cfg(test)]
#[path = "moves_tests.rs"]
mod tests;
