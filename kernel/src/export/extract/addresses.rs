//! Bare addresses in a text, which become links. They are taken out before the
//! Markdown is parsed, so that `_` and `--` in them stay unchanged.
//! Source: GitHub Flavored Markdown, 6.9 "Autolinks (extension)".

/// The length of the bare address that begins at `at`.
pub fn bare(text: &str, at: usize) -> Option<usize> {
    let before = text[..at].chars().next_back();
    let rest = &text[at..];
    let starts = |prefix: &str| {
        let start = rest.get(..prefix.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    let scheme = ["https://", "http://", "ftp://"];
    let scheme = scheme.into_iter().find(|scheme| starts(scheme));
    let allowed = match scheme {
        Some(_) => before.is_none_or(|c| !c.is_alphanumeric()),
        None if starts("www.") => before.is_none_or(|c| c.is_whitespace() || "*_~(".contains(c)),
        None => false,
    };
    if !allowed {
        return None;
    }
    let start = scheme.map_or(0, str::len);
    // A `|` ends a table cell; addresses contain neither it nor a backtick.
    let end = rest[start..].find(|c: char| c.is_whitespace() || "<|`".contains(c));
    let whole = &rest[..end.map_or(rest.len(), |end| start + end)];
    let length = trimmed(whole);
    is_domain(whole[..length].get(start..)?, scheme.is_none()).then_some(length)
}

/// The target of a bare address.
pub fn target(address: &str) -> String {
    // Within a text an `&` may be written as an HTML entity.
    let address = address.replace("&amp;", "&");
    match address.get(..4) {
        Some(www) if www.eq_ignore_ascii_case("www.") => format!("http://{address}"),
        _ => address,
    }
}

/// The length without the punctuation of the sentence around it.
fn trimmed(address: &str) -> usize {
    let mut kept = address;
    loop {
        let Some(last) = kept.chars().next_back() else {
            return 0;
        };
        let shorter = &kept[..kept.len() - last.len_utf8()];
        kept = match last {
            '?' | '!' | '.' | ',' | ':' | '*' | '_' | '~' | '\'' | '"' | '\\' => shorter,
            '”' | '’' | '»' | '…' => shorter,
            ')' if unmatched(kept, '(', ')') => shorter,
            ']' if unmatched(kept, '[', ']') => shorter,
            '}' if unmatched(kept, '{', '}') => shorter,
            ';' => match entity(kept) {
                Some(before) => before,
                None => shorter,
            },
            _ => return kept.len(),
        };
    }
}

fn unmatched(text: &str, open: char, close: char) -> bool {
    text.matches(close).count() > text.matches(open).count()
}

/// The text before a `&name;` at the end.
fn entity(text: &str) -> Option<&str> {
    let (before, name) = text.strip_suffix(';')?.rsplit_once('&')?;
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '#');
    is_name.then_some(before)
}

/// Whether the text begins with a domain; without a scheme it must contain a
/// dot.
fn is_domain(text: &str, dotted: bool) -> bool {
    let end = text.find(['/', '?', '#', ':', '@']).unwrap_or(text.len());
    let parts: Vec<_> = text[..end].trim_end_matches('.').split('.').collect();
    let valid = |part: &&str| {
        let inner = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
        !part.is_empty() && part.chars().all(inner)
    };
    let last_two = parts.iter().rev().take(2);
    let underscore = parts.len() > 1 && last_two.clone().any(|part| part.contains('_'));
    let enough = !dotted || parts.len() > 1;
    let ipv6 = text.starts_with('[') && text.contains(']');
    (parts.iter().all(valid) && enough && !underscore) || (ipv6 && !dotted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        let starts = text.char_indices().map(|(at, _)| at);
        let found = starts.filter_map(|at| Some(&text[at..at + bare(text, at)?]));
        found.collect()
    }

    /// The examples of the specification, 6.9, and similar ones.
    #[test]
    fn addresses_end_where_the_specification_says() {
        for (text, expected) in [
            ("www.commonmark.org", "www.commonmark.org"),
            (
                "Visit www.commonmark.org/help for more.",
                "www.commonmark.org/help",
            ),
            ("Visit www.commonmark.org.", "www.commonmark.org"),
            ("Visit www.commonmark.org/a.b.", "www.commonmark.org/a.b"),
            (
                "www.google.com/search?q=Markup+(business)",
                "www.google.com/search?q=Markup+(business)",
            ),
            (
                "(www.google.com/search?q=Markup+(business)))",
                "www.google.com/search?q=Markup+(business)",
            ),
            (
                "www.google.com/search?q=(business))+ok",
                "www.google.com/search?q=(business))+ok",
            ),
            (
                "www.google.com/search?q=commonmark&hl;",
                "www.google.com/search?q=commonmark",
            ),
            ("www.commonmark.org/he<lp", "www.commonmark.org/he"),
            (
                "(Visit https://encrypted.google.com/search?q=Markup+(business))",
                "https://encrypted.google.com/search?q=Markup+(business)",
            ),
            ("http://commonmark.org,", "http://commonmark.org"),
            ("**https://x.org**", "https://x.org"),
            ("\"https://x.org/a_b--c\".", "https://x.org/a_b--c"),
            ("|https://x.org|b|", "https://x.org"),
            ("[see https://x.org/a[1]]", "https://x.org/a[1]"),
            ("at http://localhost:8888/lab?", "http://localhost:8888/lab"),
            ("https://пример.рф/日本", "https://пример.рф/日本"),
        ] {
            assert_eq!(found(text).first(), Some(&expected), "{text}");
        }
    }

    #[test]
    fn other_text_is_no_address() {
        for text in [
            "https://",
            "http://.",
            "www.",
            "xhttps://x.org",
            "a.www.x.org",
            "www.x_y.z_w",
        ] {
            assert!(found(text).is_empty(), "{text}: {:?}", found(text));
        }
        assert_eq!(target("WWW.x.org?a&amp;b"), "http://WWW.x.org?a&b");
        assert_eq!(target("https://x.org"), "https://x.org");
    }
}
