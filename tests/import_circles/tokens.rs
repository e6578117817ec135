//! Rust text as words and marks, without comments, literals and what is compiled for tests alone.

/// Words, `::`, and every other mark as one character.
pub fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            _ if first.is_whitespace() => first.len_utf8(),
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => comment(rest),
            '"' => 1 + quoted(&rest[1..]),
            '\'' => match character(rest) {
                Some(length) => length,
                // A lifetime: its name is no word.
                None => 1 + word(&rest[1..]),
            },
            _ if word(rest) > 0 => {
                let length = word(rest);
                match literal_after(&rest[..length], &rest[length..]) {
                    Some(literal) => length + literal,
                    None => {
                        tokens.push(&rest[..length]);
                        length
                    }
                }
            }
            ':' if rest.starts_with("::") => {
                tokens.push("::");
                2
            }
            _ => {
                tokens.push(&rest[..first.len_utf8()]);
                first.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    tokens
}

/// Length of the word at the start.
fn word(text: &str) -> usize {
    text.find(|c: char| !(c.is_alphanumeric() || c == '_'))
        .unwrap_or(text.len())
}

/// Length of the block comment at the start; they nest.
fn comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    loop {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest.starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
        } else {
            at += rest.chars().next().map_or(0, char::len_utf8);
        }
        if depth == 0 || at == text.len() {
            return at;
        }
    }
}

/// Length of a string after its opening quote, the closing one included.
fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' if !escaped => return at + 1,
            _ => escaped = c == '\\' && !escaped,
        }
    }
    text.len()
}

/// Length of the character literal at the start, if it is none of a lifetime.
fn character(text: &str) -> Option<usize> {
    let mut chars = text.char_indices().skip(1);
    let (_, first) = chars.next()?;
    if first == '\\' {
        chars.next();
        return chars.find(|(_, c)| *c == '\'').map(|(at, _)| at + 1);
    }
    chars
        .next()
        .filter(|(_, c)| *c == '\'')
        .map(|(at, _)| at + 1)
}

/// Length of the literal that the word is a prefix of: `b"..."`, `r#"..."#`, `b'x'`.
fn literal_after(word: &str, rest: &str) -> Option<usize> {
    match word {
        "b" | "c" if rest.starts_with('"') => Some(1 + quoted(&rest[1..])),
        "b" if rest.starts_with('\'') => character(rest),
        "r" | "br" | "cr" => {
            let hashes = rest.len() - rest.trim_start_matches('#').len();
            let body = rest[hashes..].strip_prefix('"')?;
            let end = format!("\"{}", "#".repeat(hashes));
            Some(hashes + 1 + body.find(&end)? + end.len())
        }
        _ => None,
    }
}

/// The tokens without the items, fields and statements under a `#[cfg(test)]`.
pub fn without_tests<'a>(tokens: &[&'a str]) -> Vec<&'a str> {
    let (mut kept, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        match attribute(&tokens[at..]) {
            Some(length) if is_for_tests(&tokens[at..at + length]) => {
                if tokens[at + 1] == "!" {
                    return kept;
                }
                at += length;
                while let Some(length) = attribute(&tokens[at..]) {
                    at += length;
                }
                at += item(&tokens[at..]);
            }
            Some(length) => {
                kept.extend_from_slice(&tokens[at..at + length]);
                at += length;
            }
            None => {
                kept.push(tokens[at]);
                at += 1;
            }
        }
    }
    kept
}

/// Length of the attribute at the start.
fn attribute(tokens: &[&str]) -> Option<usize> {
    let opening = match tokens {
        ["#", "[", ..] => 1,
        ["#", "!", "[", ..] => 2,
        _ => return None,
    };
    Some(opening + group(&tokens[opening..]))
}

fn is_for_tests(attribute: &[&str]) -> bool {
    attribute.contains(&"cfg") && attribute.contains(&"test") && !attribute.contains(&"not")
}

/// Length of the group of brackets at the start.
fn group(tokens: &[&str]) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate() {
        match *token {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}

/// Length of the item at the start, or of the field, arm or statement.
fn item(tokens: &[&str]) -> usize {
    const WITH_BLOCK: [&str; 11] = [
        "mod",
        "fn",
        "struct",
        "enum",
        "union",
        "trait",
        "impl",
        "unsafe",
        "async",
        "extern",
        "macro_rules",
    ];
    const WITHOUT: [&str; 5] = ["use", "const", "static", "type", "let"];
    let head = match tokens {
        ["pub", "(", ..] => 1 + group(&tokens[1..]),
        ["pub", ..] => 1,
        _ => 0,
    };
    let first = tokens.get(head).copied().unwrap_or_default();
    let has_block = WITH_BLOCK.contains(&first) || tokens.get(head + 1) == Some(&"fn");
    let ends_with_semicolon = !has_block && WITHOUT.contains(&first);
    let mut at = head;
    while at < tokens.len() {
        match tokens[at] {
            ";" => return at + 1,
            "," if !has_block && !ends_with_semicolon => return at + 1,
            "}" => return at,
            "{" if !ends_with_semicolon => return at + group(&tokens[at..]),
            "(" | "[" | "{" => at += group(&tokens[at..]),
            _ => at += 1,
        }
    }
    at
}
