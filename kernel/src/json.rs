//! JSON as found in practice: Python writes `NaN` and halves of surrogate pairs, and a
//! value may be nested deeper, or a number be larger, than can be represented here.
//! What cannot be represented is read as the nearest possible value, and reported.

use serde_json::Value;
use std::fmt;

/// The maximum depth of brackets that is read; serde_json's own limit is 128.
const DEEPEST: usize = 100;

/// What was replaced, with the line of the first of its kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mended {
    not_finite: Mend,
    too_deep: Mend,
    too_large: Mend,
    half_pairs: Mend,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Mend {
    count: usize,
    line: usize,
}

impl Mend {
    fn at(&mut self, line: usize) {
        if self.count == 0 {
            self.line = line;
        }
        self.count += 1;
    }
}

impl Mended {
    /// One sentence for each kind of replacement.
    pub fn notes(&self) -> Vec<String> {
        let kinds = [
            (
                self.not_finite,
                "number that JSON does not have (NaN, Infinity), now null",
                "numbers that JSON does not have (NaN, Infinity), now null",
            ),
            (
                self.too_large,
                "integer of more than 64 bits, now a float",
                "integers of more than 64 bits, now floats",
            ),
            (
                self.half_pairs,
                "half of a surrogate pair, now U+FFFD",
                "halves of surrogate pairs, now U+FFFD",
            ),
            (
                self.too_deep,
                "value nested too deep, now null",
                "values nested too deep, now null",
            ),
        ];
        let found = kinds.into_iter().filter(|(mend, ..)| mend.count > 0);
        found
            .map(|(mend, one, many)| match mend.count {
                1 => format!("line {}: 1 {one}", mend.line),
                count => format!("from line {} on: {count} {many}", mend.line),
            })
            .collect()
    }
}

/// Whether values of this MIME type are JSON, not text, in a notebook and on the wire.
/// Source: nbformat 4.5's schema, `^application/(.*\+)?json$`.
pub fn is_json_mime(mime: &str) -> bool {
    // Parameters (`; charset=utf-8`) are no part of the type.
    let mime = mime.split(';').next().unwrap_or(mime).trim();
    let mime = mime.to_ascii_lowercase();
    mime == "application/json" || (mime.starts_with("application/") && mime.ends_with("+json"))
}

/// Reads JSON. If a key occurs twice, the last one counts, as in Python.
///
/// # Errors
/// serde_json's, with the line, for a text that is no JSON apart from what [`Mended`] reports.
pub fn parse(text: &str) -> serde_json::Result<(Value, Mended)> {
    let mut scanner = Scanner::new(text);
    scanner.scan();
    let value = serde_json::from_str(&scanner.out)?;
    Ok((value, scanner.mended))
}

/// Copies a text and replaces words that serde_json does not accept.
/// What is no JSON at all is copied unchanged, so that serde_json reports it.
struct Scanner<'a> {
    rest: &'a str,
    out: String,
    line: usize,
    depth: usize,
    mended: Mended,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str) -> Self {
        Scanner {
            rest: text,
            out: String::with_capacity(text.len()),
            line: 1,
            depth: 0,
            mended: Mended::default(),
        }
    }

    fn scan(&mut self) {
        while let Some(first) = self.rest.chars().next() {
            match first {
                '"' => self.string(),
                '[' | '{' => {
                    self.depth += 1;
                    if self.depth > DEEPEST {
                        self.leave_out();
                    } else {
                        self.copy(1);
                    }
                }
                ']' | '}' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.copy(1);
                }
                '-' | '0'..='9' | 'a'..='z' | 'A'..='Z' => self.word(),
                other => self.copy(other.len_utf8()),
            }
        }
    }

    fn copy(&mut self, len: usize) {
        let (piece, rest) = self.rest.split_at(len);
        self.line += piece.matches('\n').count();
        self.out.push_str(piece);
        self.rest = rest;
    }

    /// A number or a name, up to its end.
    fn word(&mut self) {
        let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        let end = self.rest.find(|c| !part(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        let written = match word {
            "NaN" | "-NaN" | "Infinity" | "-Infinity" => self.not_finite(),
            // A number too large for `f64`.
            _ if is_number(word) && word.parse().is_ok_and(f64::is_infinite) => self.not_finite(),
            _ => {
                let digits = word.strip_prefix('-').unwrap_or(word);
                let whole = digits.bytes().all(|b| b.is_ascii_digit());
                if whole && word.parse::<i64>().is_err() && word.parse::<u64>().is_err() {
                    self.mended.too_large.at(self.line);
                }
                word
            }
        };
        self.out.push_str(written);
        self.rest = rest;
    }

    fn not_finite(&mut self) -> &'static str {
        self.mended.not_finite.at(self.line);
        "null"
    }

    fn string(&mut self) {
        self.copy(1);
        loop {
            let end = self.rest.find(['"', '\\']).unwrap_or(self.rest.len());
            self.copy(end);
            match self.rest.as_bytes() {
                [] => return,
                [b'"', ..] => return self.copy(1),
                [b'\\', b'u', ..] => self.unicode_escape(),
                // Both together: the second may be a quote.
                _ => {
                    let mut pair = self.rest.chars();
                    pair.next();
                    pair.next();
                    let len = self.rest.len() - pair.as_str().len();
                    self.copy(len);
                }
            }
        }
    }

    /// `\uXXXX`: a pair of surrogates is copied, half of one becomes U+FFFD.
    fn unicode_escape(&mut self) {
        let (len, whole) = match (unit(self.rest), self.rest.get(6..).and_then(unit)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => (12, true),
            (Some(0xd800..=0xdfff), _) => (6, false),
            (Some(_), _) => (6, true),
            (None, _) => (2, true),
        };
        if whole {
            return self.copy(len);
        }
        self.mended.half_pairs.at(self.line);
        self.out.push_str("\\ufffd");
        self.rest = &self.rest[len..];
    }

    /// A value that is too deep: skipped up to its closing bracket.
    fn leave_out(&mut self) {
        self.mended.too_deep.at(self.line);
        let outside = self.depth - 1;
        let before = self.out.len();
        self.copy(1);
        while self.depth > outside
            && let Some(first) = self.rest.chars().next()
        {
            match first {
                '"' => self.string(),
                '[' | '{' => {
                    self.depth += 1;
                    self.copy(1);
                }
                ']' | '}' => {
                    self.depth -= 1;
                    self.copy(1);
                }
                other => self.copy(other.len_utf8()),
            }
        }
        // Unless the text ends within: it is then truncated, which must not be hidden.
        if self.depth == outside {
            let skipped = self.out.split_off(before);
            self.out.push_str("null");
            // The lines below keep their numbers.
            self.out.extend(skipped.chars().filter(|&c| c == '\n'));
        }
    }
}

/// The code unit of the `\uXXXX` at the start of a text.
fn unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    let all = digits.bytes().all(|b| b.is_ascii_hexdigit());
    all.then(|| u16::from_str_radix(digits, 16).ok())?
}

/// Whether a word is a JSON number, judging by its characters.
fn is_number(word: &str) -> bool {
    word.bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'))
}

impl fmt::Display for Mended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.notes().join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(text: &str) -> (Value, String) {
        let (value, mended) = parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        (value, mended.to_string())
    }

    #[test]
    fn what_python_writes_is_read_and_told() {
        for (text, expected, note) in [
            (
                "[1, NaN,\n -Infinity, Infinity]",
                json!([1, null, null, null]),
                "from line 1 on: 3 numbers that JSON does not have (NaN, Infinity), now null",
            ),
            (
                "1e999",
                json!(null),
                "line 1: 1 number that JSON does not have",
            ),
            (
                r#"["\ud83d", "\ud83d\ude00", "\ude00\ud83d!", "\\ud83d"]"#,
                json!(["\u{fffd}", "😀", "\u{fffd}\u{fffd}!", "\\ud83d"]),
                "from line 1 on: 3 halves of surrogate pairs, now U+FFFD",
            ),
            (
                "{\"a\":\n123456789012345678901234567890}",
                json!({"a": 1.234_567_890_123_456_8e29}),
                "line 2: 1 integer of more than 64 bits, now a float",
            ),
            (
                "[18446744073709551615, -9223372036854775808]",
                json!([u64::MAX, i64::MIN]),
                "",
            ),
            (r#"{"a": 1, "a": 2}"#, json!({"a": 2}), ""),
            (
                r#"{"NaN": "NaN, Infinity [\" {"}"#,
                json!({"NaN": "NaN, Infinity [\" {"}),
                "",
            ),
        ] {
            let (value, told) = read(text);
            assert_eq!(value, expected, "{text}");
            assert!(told.starts_with(note), "{text}: {told}");
            assert_eq!(told.is_empty(), note.is_empty(), "{text}: {told}");
        }
    }

    #[test]
    fn any_depth_is_read_without_a_deep_stack() {
        for depth in [99, 100, 101, 128, 200_000] {
            let text = format!("[1, {}\"]\"\n{}, 2]", "[".repeat(depth), "]".repeat(depth));
            let (value, told) = read(&text);
            assert_eq!((&value[0], &value[2]), (&json!(1), &json!(2)), "{depth}");
            assert_eq!(
                told.contains("nested too deep"),
                depth >= 100,
                "{depth}: {told}"
            );
            // What follows keeps its line.
            let broken = text + "\n!";
            assert_eq!(parse(&broken).unwrap_err().line(), 3);
        }
        assert!(parse(&"[".repeat(200_000)).is_err());
        assert!(parse(&"{\"a\":".repeat(200_000)).is_err());
    }

    #[test]
    fn what_is_no_json_stays_an_error() {
        for text in [
            "",
            "{",
            "[1,]",
            "nan",
            "NaNa",
            "[NaN NaN]",
            "\"",
            "\"\\",
            "\"\\u12",
            "\"\\u12é4\"",
            "01",
            "1.",
            "'a'",
            "{a: 1}",
            "\"a\nb\"",
            "--1",
            "1e",
            "[1}",
            "Infinity1",
            "\\é",
            "-",
            "1-1",
        ] {
            assert!(parse(text).is_err(), "{text:?} was read");
        }
    }

    #[test]
    fn json_types_are_those_of_nbformats_schema() {
        for mime in [
            "application/json",
            "application/vnd.plotly.v1+json",
            "application/geo+json",
            "application/JSON; charset=utf-8",
        ] {
            assert!(is_json_mime(mime), "{mime}");
        }
        for mime in [
            "text/json",
            "model/gltf+json",
            "application/jsonx",
            "application/x-ndjson",
        ] {
            assert!(!is_json_mime(mime), "{mime}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_as_serde_json_reads_it_or_refused(text in "[\\[\\]{}\",:0-9eE+.\\\\a-z N\\n-]{0,40}") {
            let strict: serde_json::Result<Value> = serde_json::from_str(&text);
            if let Ok(strict) = strict {
                proptest::prop_assert_eq!(parse(&text).unwrap().0, strict);
            }
        }
    }
}
