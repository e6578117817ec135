//! Terminal text into HTML: colours and weights become `<span>`s of classes
//! that the page's style gives light and dark values. Source: ECMA-48, SGR.

use super::escape::Escaped;
use crate::notebook::terminal::escape_len;
use std::fmt::Write;

/// The style set by the escape sequences so far.
#[derive(Debug, Clone, Default, PartialEq)]
struct Style {
    bold: bool,
    faint: bool,
    italic: bool,
    underline: bool,
    inverse: bool,
    foreground: Option<Colour>,
    background: Option<Colour>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Colour {
    /// One of the terminal's 16 colours, which the page's style defines.
    Named(u8),
    Rgb(u8, u8, u8),
}

/// The text as HTML, escaped, with its colours.
pub fn to_html(text: &str) -> String {
    let mut html = String::new();
    let mut style = Style::default();
    let mut rest = text;
    while !rest.is_empty() {
        let at = rest.find('\u{1b}').unwrap_or(rest.len());
        style.write(&mut html, &rest[..at]);
        rest = &rest[at..];
        let length = escape_len(rest).unwrap_or(rest.len());
        if let Some(codes) = rest[..length]
            .strip_prefix("\u{1b}[")
            .and_then(|s| s.strip_suffix('m'))
        {
            style.apply(codes);
        }
        rest = &rest[length..];
    }
    html
}

impl Style {
    fn apply(&mut self, codes: &str) {
        // Both `38;5;1` and `38:5:1` are in use; an empty code is 0.
        let mut codes = codes
            .split([';', ':'])
            .map(|code| {
                if code.is_empty() {
                    Some(0)
                } else {
                    code.parse().ok()
                }
            })
            .map(|code: Option<u16>| code.unwrap_or(u16::MAX));
        while let Some(code) = codes.next() {
            match code {
                0 => *self = Style::default(),
                1 => self.bold = true,
                2 => self.faint = true,
                3 => self.italic = true,
                4 => self.underline = true,
                7 => self.inverse = true,
                22 => (self.bold, self.faint) = (false, false),
                23 => self.italic = false,
                24 => self.underline = false,
                27 => self.inverse = false,
                30..=37 => self.foreground = Some(Colour::Named(code as u8 - 30)),
                38 => self.foreground = extended(&mut codes).or(self.foreground),
                39 => self.foreground = None,
                40..=47 => self.background = Some(Colour::Named(code as u8 - 40)),
                48 => self.background = extended(&mut codes).or(self.background),
                49 => self.background = None,
                90..=97 => self.foreground = Some(Colour::Named(code as u8 - 82)),
                100..=107 => self.background = Some(Colour::Named(code as u8 - 92)),
                _ => {}
            }
        }
    }

    fn write(&self, html: &mut String, text: &str) {
        if text.is_empty() {
            return;
        }
        if *self == Style::default() {
            let _ = write!(html, "{}", Escaped(text));
            return;
        }
        let (foreground, background) = if self.inverse {
            (self.background, self.foreground)
        } else {
            (self.foreground, self.background)
        };
        let mut classes = Vec::new();
        let mut inline = String::new();
        for (on, class) in [
            (self.bold, "bold"),
            (self.faint, "faint"),
            (self.italic, "italic"),
            (self.underline, "underline"),
            (self.inverse, "inverse"),
        ] {
            if on {
                classes.push(format!("ansi-{class}"));
            }
        }
        for (colour, ground, property) in [
            (foreground, "fg", "color"),
            (background, "bg", "background-color"),
        ] {
            match colour {
                Some(Colour::Named(n)) => classes.push(format!("ansi-{ground}-{n}")),
                Some(Colour::Rgb(r, g, b)) => {
                    let _ = write!(inline, "{property}:rgb({r},{g},{b});");
                }
                None => {}
            }
        }
        html.push_str("<span");
        if !classes.is_empty() {
            let _ = write!(html, " class=\"{}\"", classes.join(" "));
        }
        if !inline.is_empty() {
            let _ = write!(html, " style=\"{inline}\"");
        }
        let _ = write!(html, ">{}</span>", Escaped(text));
    }
}

/// The colour after a 38 or 48: `5;n` or `2;r;g;b`.
fn extended(codes: &mut impl Iterator<Item = u16>) -> Option<Colour> {
    match codes.next()? {
        5 => {
            let n = u8::try_from(codes.next()?).ok()?;
            Some(match n {
                0..=15 => Colour::Named(n),
                16..=231 => {
                    let level = |i: u8| if i == 0 { 0 } else { 55 + 40 * i };
                    let n = n - 16;
                    Colour::Rgb(level(n / 36), level(n / 6 % 6), level(n % 6))
                }
                232.. => {
                    let grey = 8 + 10 * (n - 232);
                    Colour::Rgb(grey, grey, grey)
                }
            })
        }
        2 => {
            let mut next = || codes.next().and_then(|c| u8::try_from(c).ok());
            Some(Colour::Rgb(next()?, next()?, next()?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_become_spans_and_text_is_escaped() {
        assert_eq!(
            to_html("a <b>\u{1b}[1;31merror\u{1b}[0m: x"),
            "a &lt;b&gt;<span class=\"ansi-bold ansi-fg-1\">error</span>: x"
        );
        assert_eq!(
            to_html("\u{1b}[38;5;208;48;2;1;2;3mx"),
            "<span style=\"color:rgb(255,135,0);background-color:rgb(1,2,3);\">x</span>"
        );
        assert_eq!(
            to_html("\u{1b}[7;94mx\u{1b}[27;39my"),
            "<span class=\"ansi-inverse ansi-bg-12\">x</span>y"
        );
    }

    #[test]
    fn other_and_broken_sequences_vanish() {
        assert_eq!(
            to_html("a\u{1b}[2Jb\u{1b}[38;5mc\u{1b}[99999999md\u{1b}["),
            "abcd"
        );
    }
}
