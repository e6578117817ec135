//! Text as Python handles it: its line ends, blanks and JSON.
//! Source: docs.python.org, `str.splitlines`, `str.isspace`, `json.dumps`.

use crate::notebook::{python_float, split_lines};
use serde_json::Value;
use std::fmt::Write;

/// `str.splitlines()`: the lines without their ends.
pub fn lines(text: &str) -> Vec<String> {
    split_lines(text)
        .into_iter()
        .map(|line| {
            let bare = line.strip_suffix("\r\n").unwrap_or_else(|| {
                let last = line.chars().next_back();
                match last {
                    Some(end) if is_line_end(end) => &line[..line.len() - end.len_utf8()],
                    _ => line,
                }
            });
            bare.to_owned()
        })
        .collect()
}

fn is_line_end(c: char) -> bool {
    matches!(
        c,
        '\n' | '\r' | '\x0b' | '\x0c' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

/// Whether `str.isspace` holds, and the regular expression `\s` matches.
pub fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\x1c'..='\x1f')
}

/// Whether a line is empty or has only blanks.
pub fn is_blank(line: &str) -> bool {
    line.chars().all(is_space)
}

/// `str.strip()`.
pub fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// `str.rstrip()`.
pub fn strip_end(text: &str) -> &str {
    text.trim_end_matches(is_space)
}

/// `str.lstrip()`.
pub fn strip_start(text: &str) -> &str {
    text.trim_start_matches(is_space)
}

/// `json.dumps(value)`: one line, ASCII only.
pub fn dumps(value: &Value) -> String {
    let mut out = String::new();
    write_json(value, &mut out);
    out
}

fn write_json(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => out.push_str(&number_text(number)),
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            out.push('[');
            for (n, item) in items.iter().enumerate() {
                out.push_str(if n > 0 { ", " } else { "" });
                write_json(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => {
            out.push('{');
            for (n, (key, value)) in map.iter().enumerate() {
                out.push_str(if n > 0 { ", " } else { "" });
                write_string(key, out);
                out.push_str(": ");
                write_json(value, out);
            }
            out.push('}');
        }
    }
}

/// A number as Python's `repr` writes it.
pub fn number_text(number: &serde_json::Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() => python_float(float),
        _ => number.to_string(),
    }
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            ' '..='~' => out.push(c),
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_is_what_python_dumps() {
        // json.dumps({"a": [1, 2.0, 1e-7, None, True], "é\n": "\U0001f600\x7f\"\\"})
        let value = json!({"a": [1, 2.0, 1e-7, null, true], "é\n": "😀\x7f\"\\"});
        assert_eq!(
            dumps(&value),
            r#"{"a": [1, 2.0, 1e-07, null, true], "\u00e9\n": "\ud83d\ude00\u007f\"\\"}"#
        );
    }

    #[test]
    fn lines_lose_their_ends() {
        assert_eq!(lines("a\r\nb\u{2028}\n\nc"), ["a", "b", "", "", "c"]);
        assert_eq!(lines("a\n"), ["a"]);
        assert!(lines("").is_empty());
    }
}
