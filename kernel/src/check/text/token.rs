//! Splits a line of text into numbers, words, blanks and masked parts.

use super::mask::{Kind, Masks};
use std::ops::Range;

/// A piece of a line.
#[derive(Debug, Clone, PartialEq)]
pub enum Token {
    Number(Number),
    /// A word, or a single other character.
    Word,
    /// Spaces and tabs.
    Blank,
    /// Three or more of one line-drawing character.
    Line,
    Masked(Kind),
}

/// A number as printed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Number {
    pub value: f64,
    /// It has neither a decimal point nor an exponent.
    pub integer: bool,
    /// The value of one unit of its last printed digit; 0 for whole numbers.
    pub place: f64,
}

/// The tokens of a line, which cover all of it.
pub fn tokens(line: &str, masks: &Masks) -> Vec<(Range<usize>, Token)> {
    let mut tokens = Vec::new();
    let mut at = 0;
    for (range, kind) in masks.parts(line) {
        plain(line, at..range.start, &mut tokens);
        tokens.push((range.clone(), Token::Masked(kind)));
        at = range.end;
    }
    plain(line, at..line.len(), &mut tokens);
    tokens
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn plain(line: &str, within: Range<usize>, tokens: &mut Vec<(Range<usize>, Token)>) {
    let mut at = within.start;
    while at < within.end {
        let rest = &line[at..within.end];
        let before = line[..at].chars().next_back();
        let (length, token) = if let Some((length, number)) = number(rest, before) {
            (length, Token::Number(number))
        } else {
            other(rest)
        };
        tokens.push((at..at + length, token));
        at += length;
    }
}

/// The token at the start of a text that does not begin with a number.
fn other(rest: &str) -> (usize, Token) {
    let run = |matches: &dyn Fn(char) -> bool| rest.find(|c| !matches(c)).unwrap_or(rest.len());
    let Some(first) = rest.chars().next() else {
        return (0, Token::Word);
    };
    let blank = |c: char| c == ' ' || c == '\t' || c == '\u{a0}';
    if blank(first) {
        return (run(&blank), Token::Blank);
    }
    if is_word(first) {
        // `blocks.0.mlp`, `1.2.3`: a dot between two letters or digits belongs to the word.
        let mut end = 0;
        let mut chars = rest.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            let dotted = c == '.' && chars.peek().is_some_and(|(_, next)| is_word(*next));
            if !is_word(c) && !dotted {
                break;
            }
            end = at + c.len_utf8();
        }
        return (end, Token::Word);
    }
    let same = run(&|c| c == first);
    if "─═━┈╌-=_".contains(first) && same >= 3 * first.len_utf8() {
        return (same, Token::Line);
    }
    (first.len_utf8(), Token::Word)
}

/// The number at the start of a text, and its length. Parts of words are not numbers: `L0`,
/// `1.2.3`, `1e326f4facad`; up to four letters after a number are a unit: `2.5x`, `3GB`.
fn number(rest: &str, before: Option<char>) -> Option<(usize, Number)> {
    if before.is_some_and(|c| is_word(c) || c == '.') {
        return None;
    }
    let bytes = rest.as_bytes();
    let sign = match rest.chars().next()? {
        c @ ('+' | '-' | '\u{2212}') => c.len_utf8(),
        _ => 0,
    };
    // `(a)-4` is a subtraction.
    if sign > 0 && before.is_some_and(|c| c == ')' || c == ']') {
        return None;
    }
    let digits = |from: usize| {
        bytes[from..]
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count()
    };
    let mut end = sign + digits(sign);
    if end == sign {
        return None;
    }
    while end - sign <= 3 + 4 * 6 && bytes.get(end) == Some(&b',') && digits(end + 1) == 3 {
        end += 4;
    }
    let mut decimals = 0;
    let mut integer = true;
    if bytes.get(end) == Some(&b'.') && digits(end + 1) > 0 {
        decimals = digits(end + 1);
        end += 1 + decimals;
        integer = false;
    }
    let mut exponent = 0;
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let length = digits(end + 1 + sign);
        let behind = rest[end + 1 + sign + length..].chars().next();
        if length > 0 && length <= 4 && !behind.is_some_and(is_word) {
            exponent = rest[end + 1..end + 1 + sign + length].parse().ok()?;
            end += 1 + sign + length;
            integer = false;
        }
    }
    let behind = &rest[end..];
    let unit = behind
        .find(|c: char| !c.is_alphabetic())
        .unwrap_or(behind.len());
    let next = behind[unit..].chars().next();
    let glued = next.is_some_and(|c| c.is_numeric() || c == '_')
        || (next == Some('.') && behind[unit + 1..].starts_with(is_word));
    if glued || behind[..unit].chars().count() > 4 {
        return None;
    }
    let plain = rest[..end].replace(',', "").replace('\u{2212}', "-");
    let value: f64 = plain.parse().ok()?;
    let decimals = i32::try_from(decimals).ok()?;
    let place = match integer {
        true => 0.0,
        false => 10f64.powi(exponent - decimals),
    };
    let number = Number {
        value,
        integer,
        place,
    };
    Some((end, number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn numbers(line: &str) -> Vec<(f64, bool)> {
        let tokens = tokens(line, &Masks::none()).into_iter();
        let numbers = tokens.filter_map(|(_, token)| match token {
            Token::Number(number) => Some((number.value, number.integer)),
            _ => None,
        });
        numbers.collect()
    }

    #[test]
    fn numbers_are_told_from_names() {
        for (line, expected) in [
            (
                "loss 3.44, -0.5 +2",
                &[(3.44, false), (-0.5, false), (2.0, true)][..],
            ),
            ("\u{2212}1.5e-3 1E4", &[(-1.5e-3, false), (1e4, false)]),
            (
                "1,234,567.5 and 1,2",
                &[(1_234_567.5, false), (1.0, true), (2.0, true)],
            ),
            (
                "2.5x 12px 98.6 % 7%",
                &[(2.5, false), (12.0, true), (98.6, false), (7.0, true)],
            ),
            ("blocks.0.mlp L0 gpt2 1.2.3 1e326f4facad c00012", &[]),
            ("[3.862]FLORIZ", &[(3.862, false)]),
            ("a=1;b=(2)", &[(1.0, true), (2.0, true)]),
            ("3-4", &[(3.0, true), (4.0, true)]),
            ("ends with 5.", &[(5.0, true)]),
            ("1..3", &[(1.0, true)]),
        ] {
            assert_eq!(numbers(line), expected, "{line}");
        }
    }

    #[test]
    fn the_last_printed_digit_is_known() {
        let place = |text: &str| number(text, None).map(|(_, number)| number.place);
        assert_eq!(place("3.44"), Some(10f64.powi(-2)));
        assert_eq!(place("4.1e-16"), Some(10f64.powi(-17)));
        assert_eq!(place("500"), Some(0.0));
    }

    proptest! {
        #[test]
        fn the_pieces_are_the_line(line in "[ -~\u{2212}─é]{0,40}|([0-9.,e+ -]{0,20})") {
            let mut at = 0;
            for (range, _) in tokens(&line, &Masks::default()) {
                prop_assert_eq!(range.start, at);
                prop_assert!(range.end > range.start);
                at = range.end;
            }
            prop_assert_eq!(at, line.len());
        }

        #[test]
        fn a_printed_number_is_read_back(value in -1e9f64..1e9, decimals in 1usize..6) {
            let text = format!("{value:.decimals$}");
            let found = numbers(&format!("x {text} y"));
            prop_assert_eq!(found, vec![(text.parse::<f64>().unwrap(), false)]);
        }
    }
}
