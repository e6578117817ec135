//! HTML and Markdown as values, and the escaping that everything else relies on.
//!
//! Cards are opaque and light with dark text, so that they read the same on a
//! light page, a dark page and paper, whatever style sheet is around them.

use super::{MimeBundle, Show, display};
use crate::error::Result;

/// The background of every card.
pub(super) const CARD_FILL: &str = "#fdfdfc";
/// The border of every card.
pub(super) const CARD_STROKE: &str = "#d6d6d2";
/// Text.
pub(super) const INK: &str = "#1f2328";
/// Secondary text: tick labels, captions.
pub(super) const FAINT_INK: &str = "#57606a";

/// Text as it may stand in an HTML or XML text node or quoted attribute value.
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
/// most `max_chars` characters remain. Not yet escaped.
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

/// Opens a card: the box in which tables and tokens stand.
pub(super) fn card(body: &str) -> String {
    format!(
        "<div style=\"display:inline-block;max-width:100%;box-sizing:border-box;overflow-x:auto;\
         background:{CARD_FILL};color:{INK};color-scheme:light;border:1px solid {CARD_STROKE};\
         border-radius:8px;padding:10px 12px;margin:4px 0;\
         font-family:system-ui,-apple-system,sans-serif;font-size:13px;line-height:1.5\">{body}</div>"
    )
}

/// A card's title; empty for no title.
pub(super) fn card_title(title: &str) -> String {
    if title.is_empty() {
        return String::new();
    }
    format!(
        "<div style=\"font-weight:600;font-size:14px;margin-bottom:4px\">{}</div>",
        escape(title)
    )
}

/// HTML written by the caller, shown as it is: the way out when nothing else fits.
/// The caller escapes what needs it, with [`escape`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Html {
    /// The HTML.
    pub html: String,
    /// What stands for it where HTML cannot be shown.
    pub text: String,
}

impl Html {
    /// HTML and the text that stands for it.
    pub fn new(html: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            html: html.into(),
            text: text.into(),
        }
    }

    /// Shows it; evcxr calls this on a cell's last expression.
    pub fn evcxr_display(&self) {
        // A failure is already shown in place.
        let _ = display(self);
    }
}

impl Show for Html {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        Ok(MimeBundle::html(&self.html, &self.text))
    }
}

/// Markdown, rendered by the notebook: text whose numbers come from the cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Markdown {
    /// The Markdown source.
    pub text: String,
}

impl Markdown {
    /// Markdown from its source.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }

    /// Shows it; evcxr calls this on a cell's last expression.
    pub fn evcxr_display(&self) {
        // A failure is already shown in place.
        let _ = display(self);
    }
}

impl Show for Markdown {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        Ok(MimeBundle::default()
            .with("text/markdown", &self.text)
            .with("text/plain", &self.text))
    }
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
