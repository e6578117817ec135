//! Escaping for everything shown as HTML or SVG.

/// Escapes a text for an HTML or XML text node or quoted attribute value.
/// Control characters, which XML forbids, become their visible pictures (U+2400 on).
///
/// ```
/// assert_eq!(holoscope::show::escape("a<b & \"c\""), "a&lt;b &amp; &quot;c&quot;");
/// ```
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(printable(c)),
        }
    }
    out
}

/// The character itself, or a picture of it when XML forbids it.
fn printable(c: char) -> char {
    match c {
        '\n' | '\t' => c,
        '\u{0}'..='\u{1f}' => char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        '\u{80}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
        c => c,
    }
}

/// A label on one line: control characters and line breaks become pictures, and at
/// most `max_chars` characters remain. The result is not escaped.
pub(super) fn one_line(text: &str, max_chars: usize) -> String {
    let mut out = String::new();
    for (i, c) in text.chars().enumerate() {
        if i + 1 >= max_chars && text.chars().nth(max_chars).is_some() {
            out.push('…');
            break;
        }
        out.push(match c {
            '\n' => '↩',
            '\t' => '→',
            c => printable(c),
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn control_characters_become_pictures() {
        assert_eq!(escape("a\u{0}\u{1b}\r\u{7f}b"), "a␀␛␍␡b");
    }

    #[test]
    fn one_line_cuts_with_an_ellipsis_and_shows_breaks() {
        assert_eq!(one_line("abcdef", 6), "abcdef");
        assert_eq!(one_line("abcdefg", 6), "abcde…");
        assert_eq!(one_line("a\nb\tc", 10), "a↩b→c");
    }

    proptest! {
        #[test]
        fn escaped_text_holds_no_markup(text in any::<String>()) {
            let escaped = escape(&text);
            prop_assert!(!escaped.contains(['<', '>', '"', '\'']));
            for part in escaped.split('&').skip(1) {
                prop_assert!(
                    ["lt;", "gt;", "amp;", "quot;", "#39;"].iter().any(|e| part.starts_with(e))
                );
            }
        }
    }
}
