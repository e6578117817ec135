//! Whether code can run as it stands: brackets and literals, by rust-analyzer's lexer.

use crate::jupyter::engine::Completeness;
use ra_ap_syntax::{AstNode, Edition, SourceFile, SyntaxKind, T};

/// One level of Rust's usual indentation.
const INDENT: &str = "    ";

/// Complete, incomplete with the next line's indentation, or invalid.
pub fn of(code: &str) -> Completeness {
    // Commands are one line each and never go on.
    let source: String = code
        .lines()
        .map(|l| {
            if l.trim_start().starts_with(':') {
                ""
            } else {
                l
            }
        })
        .collect::<Vec<_>>()
        .join("\n");
    let parse = SourceFile::parse(&source, Edition::Edition2024);
    let mut open: Vec<SyntaxKind> = Vec::new();
    for token in parse
        .tree()
        .syntax()
        .descendants_with_tokens()
        .filter_map(|element| element.into_token())
    {
        let kind = token.kind();
        if let Some(opener) = opener(kind) {
            if open.pop() != Some(opener) {
                return Completeness::Invalid;
            }
            continue;
        }
        match kind {
            T!['('] | T!['['] | T!['{'] => open.push(kind),
            SyntaxKind::COMMENT if unterminated_comment(token.text()) => {
                return incomplete(open.len());
            }
            SyntaxKind::STRING if !terminated_string(token.text()) => return incomplete(0),
            _ => {}
        }
    }
    if open.is_empty() {
        Completeness::Complete
    } else {
        incomplete(open.len())
    }
}

fn incomplete(depth: usize) -> Completeness {
    Completeness::Incomplete {
        indent: INDENT.repeat(depth),
    }
}

fn opener(closer: SyntaxKind) -> Option<SyntaxKind> {
    match closer {
        T![')'] => Some(T!['(']),
        T![']'] => Some(T!['[']),
        T!['}'] => Some(T!['{']),
        _ => None,
    }
}

fn unterminated_comment(text: &str) -> bool {
    text.starts_with("/*") && (text.matches("/*").count() > text.matches("*/").count())
}

/// Raw strings close with as many `#` as they opened with; others with a quote
/// that is not escaped.
fn terminated_string(text: &str) -> bool {
    let body = text.trim_start_matches(['b', 'c', 'r']);
    let hashes = body.len() - body.trim_start_matches('#').len();
    let Some(inner) = body.trim_start_matches('#').strip_prefix('"') else {
        return false;
    };
    if text.len() > body.len()
        && text.contains('r')
        && text[..text.len() - body.len()].contains('r')
    {
        return inner.ends_with(&format!("\"{}", "#".repeat(hashes)));
    }
    let Some(inside) = inner.strip_suffix('"') else {
        return false;
    };
    let slashes = inside.len() - inside.trim_end_matches('\\').len();
    slashes.is_multiple_of(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: &str, expected: Completeness) {
        assert_eq!(of(code), expected, "{code:?}");
    }

    #[test]
    fn code_is_complete_incomplete_or_invalid() {
        check("let x = 1;", Completeness::Complete);
        check("println!(\"{}\", 1)", Completeness::Complete);
        check(":dep serde = \"1\"", Completeness::Complete);
        check("let s = \"(\";", Completeness::Complete);
        check("let s = r#\"a\"b\"#;", Completeness::Complete);
        check("fn f() {", incomplete(1));
        check("f(|x| {", incomplete(2));
        check("let s = \"abc", incomplete(0));
        check("/* one", incomplete(0));
        check("fn f() }", Completeness::Invalid);
        check("(]", Completeness::Invalid);
    }
}
