//! Escapes text for HTML: every string of a notebook that is not itself HTML is
//! escaped here.
//! Source: HTML Standard, 13.3 "Serializing HTML fragments".

use std::fmt::{self, Display};

/// Shows a string as HTML text or as a quoted attribute's value.
pub struct Escaped<'a>(pub &'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(['&', '<', '>', '"', '\'', '\0']) {
            f.write_str(&rest[..at])?;
            f.write_str(match rest.as_bytes()[at] {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'"' => "&quot;",
                b'\'' => "&#39;",
                // Forbidden in HTML in any form.
                _ => "\u{fffd}",
            })?;
            rest = &rest[at + 1..];
        }
        f.write_str(rest)
    }
}

/// The escaped text as a string.
pub fn escape(text: &str) -> String {
    Escaped(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_leave_its_element_or_attribute() {
        assert_eq!(escape("a<b>&\"'\0é"), "a&lt;b&gt;&amp;&quot;&#39;\u{fffd}é");
    }
}
