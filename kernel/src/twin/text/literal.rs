//! Values in the options of a cell: JSON, or a Python literal.
//! Source: docs.python.org, `ast.literal_eval`, for the latter.

use serde_json::{Map, Value};

/// The value of a text; `None` if it is neither JSON nor a Python literal.
pub fn parse(text: &str) -> Option<Value> {
    let text = super::python::strip(text);
    if let Ok(value) = serde_json::from_str(text) {
        return Some(value);
    }
    let mut reader = Reader {
        rest: text,
        depth: 0,
    };
    let value = reader.value()?;
    reader.rest.trim_start().is_empty().then_some(value)
}

struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

/// Limit on nesting; real options are never this deep.
const DEEPEST: usize = 64;

impl Reader<'_> {
    fn value(&mut self) -> Option<Value> {
        self.rest = self.rest.trim_start();
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        let value = match self.rest.chars().next()? {
            quote @ ('"' | '\'') => Value::String(self.string(quote)?),
            '[' => self.list(']')?,
            '(' => self.list(')')?,
            '{' => self.dict()?,
            _ => self.word()?,
        };
        self.depth -= 1;
        Some(value)
    }

    fn eat(&mut self, c: char) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn list(&mut self, close: char) -> Option<Value> {
        self.rest = &self.rest[1..];
        let mut items = Vec::new();
        let mut commas = 0;
        while !self.eat(close) {
            items.push(self.value()?);
            match self.eat(',') {
                true => commas += 1,
                false if self.eat(close) => break,
                false => return None,
            }
        }
        // `(1)` is 1 in brackets, not a tuple.
        match (close, items.len(), commas) {
            (')', 1, 0) => items.pop(),
            _ => Some(Value::Array(items)),
        }
    }

    fn dict(&mut self) -> Option<Value> {
        self.rest = &self.rest[1..];
        let mut map = Map::new();
        while !self.eat('}') {
            let Value::String(key) = self.value()? else {
                return None;
            };
            if !self.eat(':') {
                return None;
            }
            let value = self.value()?;
            map.insert(key, value);
            if !self.eat(',') {
                return self.eat('}').then_some(Value::Object(map));
            }
        }
        Some(Value::Object(map))
    }

    fn string(&mut self, quote: char) -> Option<String> {
        let mut text = String::new();
        let mut chars = self.rest[1..].char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                c if c == quote => {
                    self.rest = &self.rest[1 + at + c.len_utf8()..];
                    return Some(text);
                }
                '\\' => match chars.next()?.1 {
                    'n' => text.push('\n'),
                    't' => text.push('\t'),
                    'r' => text.push('\r'),
                    c @ ('\\' | '\'' | '"') => text.push(c),
                    'x' => text.push(code(&mut chars, 2)?),
                    'u' => text.push(code(&mut chars, 4)?),
                    other => {
                        text.push('\\');
                        text.push(other);
                    }
                },
                '\n' => return None,
                c => text.push(c),
            }
        }
        None
    }

    fn word(&mut self) -> Option<Value> {
        let end = self.rest.find([',', ']', ')', '}', ':', ' ']);
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        match word {
            "True" => Some(Value::Bool(true)),
            "False" => Some(Value::Bool(false)),
            "None" => Some(Value::Null),
            number => {
                let plain = number.trim_start_matches(['+', '-']);
                let number = number.strip_prefix('+').unwrap_or(number);
                let digits = plain.starts_with(|c: char| c.is_ascii_digit() || c == '.');
                let whole = || number.parse::<i64>().ok().map(Value::from);
                // Python refuses `01`.
                let zeros = plain.len() > 1 && plain.starts_with('0') && !plain.contains('.');
                let float = || number.parse::<f64>().ok().map(Value::from);
                (digits && !zeros).then(|| whole().or_else(float)).flatten()
            }
        }
    }
}

/// A character by its hexadecimal code.
fn code(chars: &mut std::str::CharIndices<'_>, digits: usize) -> Option<char> {
    let text: String = chars.by_ref().take(digits).map(|(_, c)| c).collect();
    char::from_u32(u32::from_str_radix(&text, 16).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_and_what_python_writes_are_read() {
        for (text, value) in [
            ("[1, \"a\"]", json!([1, "a"])),
            ("['a', \"b\",]", json!(["a", "b"])),
            ("('a', True)", json!(["a", true])),
            ("('a')", json!("a")),
            ("{'k': None, 'l': [1.5]}", json!({"k": null, "l": [1.5]})),
            (r"'it\'s\n\x41'", json!("it's\nA")),
            (" -3 ", json!(-3)),
        ] {
            assert_eq!(parse(text), Some(value), "{text}");
        }
        for text in ["", "abc", "['a'", "[1 2]", "'a", "{1: 2}", "1 a", "01"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
