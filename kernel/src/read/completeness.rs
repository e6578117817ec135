//! Whether code can run as it is, decided by rust-analyzer's parser: an error at
//! the end of the input means that a line is missing, an earlier one is a mistake.

use crate::jupyter::engine::Completeness;
use ra_ap_syntax::ast::{self, AstNode, AstToken, CommentPlacement};
use ra_ap_syntax::{
    Edition, NodeOrToken, SourceFile, SyntaxError, SyntaxKind, SyntaxToken, T, TextRange, TextSize,
};

/// One level of Rust's usual indentation.
const INDENT: &str = "    ";

/// Statements are not a Rust file: the parser gets them as the body of a function.
const BEFORE: &str = "fn cell() {\n";
const AFTER: &str = "\n}";

/// Complete, incomplete with the next line's indentation, or invalid.
pub fn of(code: &str) -> Completeness {
    if asks_about_a_name(code) || super::is_too_deep(code) {
        return Completeness::Complete;
    }
    let code = crate::notebook::as_rust(code);
    Cell::parse(&without_commands(&code)).verdict()
}

/// A cell's Rust as the parser sees it.
struct Cell {
    file: SourceFile,
    errors: Vec<SyntaxError>,
    /// The last token that is neither blank nor a comment.
    last: Option<SyntaxToken>,
    /// The kind of an unterminated literal or comment at the very end.
    open: Option<SyntaxKind>,
    /// How many brackets are open.
    depth: usize,
    /// Whether every closing bracket matches an opening one.
    balanced: bool,
    /// Whether a doc comment follows the last token.
    doc_waits: bool,
}

impl Cell {
    fn parse(source: &str) -> Self {
        let text = format!("{BEFORE}{source}{AFTER}");
        let parse = SourceFile::parse(&text, Edition::Edition2024);
        let mut cell = Self {
            file: parse.tree(),
            errors: parse.errors(),
            last: None,
            open: None,
            depth: 0,
            balanced: true,
            doc_waits: false,
        };
        cell.read(TextRange::at(TextSize::of(BEFORE), TextSize::of(source)));
        cell
    }

    /// Reads the tokens of the user's own part of the text.
    fn read(&mut self, own: TextRange) {
        let mut brackets = Vec::new();
        let elements = self.file.syntax().descendants_with_tokens();
        for token in elements.filter_map(NodeOrToken::into_token) {
            let (kind, range) = (token.kind(), token.text_range());
            if kind == SyntaxKind::WHITESPACE || !own.contains(range.start()) {
                continue;
            }
            // An unterminated token swallows the bracket that follows the user's text.
            let is_open = !own.contains_range(range) || lacks_its_quote(&token, &self.errors);
            self.open = is_open.then_some(kind);
            if let Some(comment) = ast::Comment::cast(token.clone()) {
                self.doc_waits |= comment.kind().doc == Some(CommentPlacement::Outer);
                continue;
            }
            self.doc_waits = false;
            match kind {
                T!['('] | T!['['] | T!['{'] => brackets.push(kind),
                T![')'] => self.balanced &= brackets.pop() == Some(T!['(']),
                T![']'] => self.balanced &= brackets.pop() == Some(T!['[']),
                T!['}'] => self.balanced &= brackets.pop() == Some(T!['{']),
                _ => {}
            }
            self.last = Some(token);
        }
        self.depth = brackets.len();
    }

    fn verdict(&self) -> Completeness {
        if !self.balanced || self.errors.iter().any(|error| self.is_early(error)) {
            return Completeness::Invalid;
        }
        let lacks_something = !self.errors.is_empty() && !self.lacks_only_a_semicolon();
        if !lacks_something && self.open.is_none() && !self.doc_waits && self.depth == 0 {
            return Completeness::Complete;
        }
        // Indentation would become part of a string.
        let depth = if self.in_literal() { 0 } else { self.depth };
        Completeness::Incomplete {
            indent: INDENT.repeat(depth),
        }
    }

    fn last_kind(&self) -> Option<SyntaxKind> {
        self.last.as_ref().map(SyntaxToken::kind)
    }

    fn in_literal(&self) -> bool {
        self.open.is_some_and(|kind| kind != SyntaxKind::COMMENT)
    }

    /// Whether an error concerns what was written, rather than what is missing at the end.
    fn is_early(&self, error: &SyntaxError) -> bool {
        let Some(last) = &self.last else {
            return false;
        };
        let (error, last_at) = (error.range(), last.text_range());
        if self.in_literal() || only_begins(last.kind()) {
            error.end() < last_at.start()
        } else {
            error.start() < last_at.end()
        }
    }

    /// Whether the end is a statement that lacks only a semicolon. For a person
    /// at a prompt it is finished; anything that lacks more has more errors.
    fn lacks_only_a_semicolon(&self) -> bool {
        let cell = self.file.syntax().descendants().find_map(ast::Fn::cast);
        let body = cell.and_then(|cell| cell.body()?.stmt_list());
        let Some(statement) = body.and_then(|body| body.statements().last()) else {
            return false;
        };
        let (semicolon, finished) = match statement {
            ast::Stmt::LetStmt(it) => (it.semicolon_token(), it.initializer().is_some()),
            ast::Stmt::Item(ast::Item::Const(it)) => (it.semicolon_token(), it.body().is_some()),
            ast::Stmt::Item(ast::Item::Static(it)) => (it.semicolon_token(), it.body().is_some()),
            // evcxr reads the names from it and writes it anew.
            ast::Stmt::Item(ast::Item::Use(it)) => (it.semicolon_token(), it.use_tree().is_some()),
            _ => return false,
        };
        finished && semicolon.is_none() && self.errors.len() == 1
    }
}

/// Tokens whose missing rest the parser reports where they begin: `pub(`, `= unsafe`,
/// `: impl`, `: &dyn`, `.collect::`, `0..=`, the minus of a pattern, a label without its
/// loop (it may also be a character literal). Also `where` and `else`, typed
/// after what they belong to has already run.
fn only_begins(kind: SyntaxKind) -> bool {
    matches!(
        kind,
        T!['(']
            | T![unsafe]
            | T![impl]
            | T![dyn]
            | T![::]
            | T![..=]
            | T![-]
            | SyntaxKind::LIFETIME_IDENT
            | T![where]
            | T![else]
    )
}

/// Newlines end a character literal: unlike a string, it does not include what follows.
fn lacks_its_quote(token: &SyntaxToken, errors: &[SyntaxError]) -> bool {
    matches!(token.kind(), SyntaxKind::CHAR | SyntaxKind::BYTE)
        && errors.iter().any(|error| {
            error.range() == token.text_range() && error.to_string().starts_with("Missing trailing")
        })
}

/// A cell `?name` or `name?`, as the session's engine understands it.
fn asks_about_a_name(code: &str) -> bool {
    let code = code.trim();
    let name = code.trim_matches('?');
    name != code && is_path(name)
}

fn is_path(name: &str) -> bool {
    let path = |c: char| c.is_alphanumeric() || "_:<>.!&".contains(c);
    !name.is_empty() && name.chars().all(path)
}

/// The code with its command lines emptied: they are not Rust, and each is a single
/// complete line.
fn without_commands(code: &str) -> String {
    let mut kept = String::with_capacity(code.len());
    for line in code.split_inclusive('\n') {
        if is_command(line, &kept, &|_| false) {
            kept.push('\n');
        } else {
            kept.push_str(line);
        }
    }
    kept
}

/// Whether a line is a command after the lines above it, `kept`. Inside a
/// literal, a comment or brackets, no line is. `known` tells whether a name is defined in
/// Rust: then `!flag` is no shell command.
pub(super) fn is_command(line: &str, kept: &str, known: &dyn Fn(&str) -> bool) -> bool {
    if !line.trim_start().starts_with([':', '!', '?']) {
        return false;
    }
    let above = Cell::parse(kept);
    if above.open.is_some() || above.depth > 0 {
        return false;
    }
    let first = above.last.is_none();
    if let Some(name) = line.trim_start().strip_prefix(':') {
        // After Rust code it may be the `: Type` of a `let` on two lines.
        return name.starts_with(char::is_alphabetic) || (first && !name.starts_with(':'));
    }
    let begins_statement = first || matches!(above.last_kind(), Some(T![;] | T!['}']));
    if let Some(name) = line.strip_prefix('?') {
        return begins_statement && is_path(name.trim_end().trim_matches('?'));
    }
    let Some(shell) = line.strip_prefix('!') else {
        return false;
    };
    let word: String = shell
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect();
    let after = &shell[word.len()..];
    let is_rust = known(&word)
        || matches!(
            word.as_str(),
            "true" | "false" | "if" | "match" | "unsafe" | "self" | "crate"
        )
        || after.starts_with("::")
        || !word.is_empty() && after.starts_with(['(', '!', '[', '{', '?'])
        || word.is_empty() && after.starts_with(['(', '"', '\'', '!', '*', '&', '-', '{']);
    if is_rust {
        return false;
    }
    if first {
        return !shell.trim().is_empty();
    }
    let after_word = shell.trim_start_matches(|c: char| c.is_alphanumeric() || "_-".contains(c));
    begins_statement && after_word != shell && after_word.trim_start() != after_word
}

#[cfg(test)]
#[path = "completeness_tests.rs"]
mod tests;
