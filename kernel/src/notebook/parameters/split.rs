//! Splits lists, tuples and maps as typed by users: brackets, commas, and quotes around items that
//! contain either.

use ra_ap_syntax::ast::{self, AstToken, LiteralKind};
use ra_ap_syntax::{Edition, SyntaxKind};

/// Calls `visit` with every character outside of quotes, and with the number of brackets open
/// around it (none for an outermost bracket).
///
/// # Errors
/// An unclosed bracket or quote.
fn walk(text: &str, visit: &mut dyn FnMut(usize, char, usize)) -> Result<(), String> {
    let mut open = Vec::new();
    let mut quote = None;
    // A quote only begins a quoted text at the start of an item: `don't` has none.
    let mut fresh = true;
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        if let Some(q) = quote {
            if c == '\\' {
                chars.next();
            } else if c == q {
                quote = None;
            }
            continue;
        }
        match c {
            '"' | '\'' if fresh => quote = Some(c),
            '(' | '[' | '{' => {
                visit(at, c, open.len());
                open.push(c);
            }
            ')' | ']' | '}' => {
                let matches = open
                    .pop()
                    .is_some_and(|o| matches!((o, c), ('(', ')') | ('[', ']') | ('{', '}')));
                if !matches {
                    return Err(format!("its `{c}` closes nothing"));
                }
                visit(at, c, open.len());
            }
            _ => visit(at, c, open.len()),
        }
        fresh = matches!(c, '(' | '[' | '{' | ',' | ':') || c.is_whitespace();
    }
    match (quote, open.last()) {
        (Some(q), _) => Err(format!("its {q} is not closed")),
        (None, Some(o)) => Err(format!("its `{o}` is not closed")),
        (None, None) => Ok(()),
    }
}

/// The trimmed pieces of a text between its outermost separators. A trailing separator is allowed.
///
/// # Errors
/// As `walk`, and for a piece that is empty.
pub fn pieces(text: &str, separator: char) -> Result<Vec<&str>, String> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let mut ends = Vec::new();
    walk(text, &mut |at, c, depth| {
        if c == separator && depth == 0 {
            ends.push(at);
        }
    })?;
    let mut pieces = Vec::new();
    let mut start = 0;
    for end in ends {
        pieces.push(text[start..end].trim());
        start = end + separator.len_utf8();
    }
    if !text[start..].trim().is_empty() {
        pieces.push(text[start..].trim());
    }
    match pieces.iter().any(|piece| piece.is_empty()) {
        true => Err("one of its items is empty (write \"\" for an empty text)".to_owned()),
        false => Ok(pieces),
    }
}

/// The two sides of the first outermost separator.
pub fn pair(text: &str, separator: char) -> Option<(&str, &str)> {
    let mut found = None;
    walk(text, &mut |at, c, depth| {
        if c == separator && depth == 0 {
            found.get_or_insert(at);
        }
    })
    .ok()?;
    let at = found?;
    Some((text[..at].trim(), text[at + separator.len_utf8()..].trim()))
}

/// The text within the brackets, where one pair encloses the whole text.
pub fn within(text: &str, open: char) -> Option<&str> {
    let text = text.trim();
    if !text.starts_with(open) {
        return None;
    }
    let mut end = None;
    let walked = walk(text, &mut |at, c, depth| {
        if depth == 0 && matches!(c, ')' | ']' | '}') {
            end.get_or_insert(at);
        }
    });
    let end = end.filter(|&end| walked.is_ok() && end + 1 == text.len())?;
    Some(&text[open.len_utf8()..end])
}

/// An item's text, without quotes around it.
///
/// # Errors
/// Text after the closing quote.
pub fn item_text(item: &str) -> Result<String, String> {
    let item = item.trim();
    if item.starts_with('"') {
        let json = || serde_json::from_str::<String>(item).ok();
        return json()
            .or_else(|| unescaped(item))
            .ok_or_else(|| "it begins with a quote, and is not one quoted text".to_owned());
    }
    let Some(inner) = item.strip_prefix('\'') else {
        return Ok(item.to_owned());
    };
    let mut text = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '\'' if chars.as_str().is_empty() => return Ok(text),
            // Two of them represent one, as in YAML.
            '\'' if chars.as_str().starts_with('\'') && chars.as_str().len() > 1 => {
                chars.next();
                text.push('\'');
            }
            '\'' => break,
            '\\' if chars.as_str().starts_with(['\'', '\\']) => text.extend(chars.next()),
            c => text.push(c),
        }
    }
    Err("it begins with a quote, and is not one quoted text".to_owned())
}

/// The unescaped text of a Rust string or char literal.
pub fn unescaped(literal: &str) -> Option<String> {
    let parse = ast::Expr::parse(literal, Edition::Edition2024);
    if !parse.errors().is_empty() || parse.syntax_node().kind() != SyntaxKind::LITERAL {
        return None;
    }
    let ast::Expr::Literal(parsed) = parse.tree() else {
        return None;
    };
    let token = parsed.token();
    if token.text() != literal {
        return None;
    }
    match parsed.kind() {
        LiteralKind::String(_) => Some(ast::String::cast(token)?.value().ok()?.into_owned()),
        LiteralKind::Char(_) => Some(ast::Char::cast(token)?.value().ok()?.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_split_at_outermost_commas() {
        for (text, expected) in [
            ("3, 4", vec!["3", "4"]),
            ("[1, 2], [3]", vec!["[1, 2]", "[3]"]),
            ("\"a, b\", c,", vec!["\"a, b\"", "c"]),
            ("don't, x", vec!["don't", "x"]),
            (
                "'a,b', '\\',', (1, {2: 3})",
                vec!["'a,b'", "'\\','", "(1, {2: 3})"],
            ),
            ("\"a\\\",b\"", vec!["\"a\\\",b\""]),
            ("  ", vec![]),
        ] {
            assert_eq!(
                pieces(text, ',').as_deref(),
                Ok(expected.as_slice()),
                "{text}"
            );
        }
        for (text, reason) in [
            ("a,,b", "empty"),
            (",", "empty"),
            ("[1", "`[` is not closed"),
            ("1]", "`]` closes nothing"),
            ("(1]", "`]` closes nothing"),
            ("\"a", "\" is not closed"),
        ] {
            let error = pieces(text, ',').unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn brackets_enclose_a_text_or_two_of_its_parts() {
        assert_eq!(within(" [1, [2]] ", '['), Some("1, [2]"));
        assert_eq!(within("[1], [2]", '['), None);
        assert_eq!(within("[\"]\"]", '['), Some("\"]\""));
        assert_eq!(within("(1)", '['), None);
        assert_eq!(within("[1", '['), None);
        assert_eq!(pair("\"a:b\": [1: 2]", ':'), Some(("\"a:b\"", "[1: 2]")));
        assert_eq!(pair("a", ':'), None);
    }

    #[test]
    fn quotes_of_python_rust_json_and_yaml_are_read() {
        for (item, expected) in [
            ("a b", "a b"),
            ("\"a\\n\\u00e9\"", "a\né"),
            ("\"\\u{e9}\\x41\"", "éA"),
            ("'a\\n'", "a\\n"),
            ("'it''s'", "it's"),
            ("'it\\'s'", "it's"),
            ("''", ""),
            ("\"\"", ""),
        ] {
            assert_eq!(item_text(item).as_deref(), Ok(expected), "{item}");
        }
        for item in ["\"a\" b", "\"a", "'a' b", "'a", "\"a\" + \"b\""] {
            assert!(item_text(item).is_err(), "{item}");
        }
    }
}
