//! YAML inside a notebook (cell options, front matter) as JSON values, with the line
//! of a fault. Source: yaml.org/spec/1.2.2, core schema, as Quarto reads it.

use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, YamlData};
use serde_json::{Map, Number, Value};

/// Maximum nesting of values, so that none exhausts the stack.
const DEEPEST: usize = 64;

/// A fault in a YAML text; `line` counts from 1 within the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct YamlFault {
    pub line: usize,
    pub reason: String,
}

/// One `key: value` of a mapping; `line` is the key's, from 1 within the text.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub key: String,
    pub value: Value,
    pub line: usize,
}

/// The entries of a text that is one mapping, in its order; none for a blank text.
///
/// # Errors
/// A text that is not YAML, or is anything but one mapping, a key that is not a word
/// or is duplicate, or a value nested deeper than 64 levels.
pub fn mapping(text: &str) -> Result<Vec<Entry>, YamlFault> {
    if let Some(line) = too_deep(text) {
        let reason = format!("values are nested deeper than {DEEPEST} levels");
        return Err(YamlFault { line, reason });
    }
    let documents = MarkedYaml::load_from_str(text).map_err(|error| YamlFault {
        // The fault may be at the end of the text, which is not on a line.
        line: error.marker().line().clamp(1, text.lines().count().max(1)),
        reason: format!("not valid YAML: {}; expected `key: value`", error.info()),
    })?;
    let [document] = documents.as_slice() else {
        return match documents.get(1) {
            None => Ok(Vec::new()),
            Some(second) => Err(fault(second, "a second YAML document begins here")),
        };
    };
    let entries = match &document.data {
        YamlData::Mapping(entries) => entries,
        YamlData::Value(Scalar::Null) => return Ok(Vec::new()),
        _ => return Err(fault(document, "expected `key: value`")),
    };
    let entries = entries.iter().map(|(key, value)| {
        Ok(Entry {
            key: key_name(key)?,
            value: json(value)?,
            line: key.span.start.line().max(1),
        })
    });
    entries.collect()
}

fn key_name(key: &MarkedYaml) -> Result<String, YamlFault> {
    match json(key)? {
        Value::String(name) => Ok(name),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        _ => Err(fault(key, "a key must be a word")),
    }
}

fn json(node: &MarkedYaml) -> Result<Value, YamlFault> {
    Ok(match &node.data {
        YamlData::Value(Scalar::Null) => Value::Null,
        YamlData::Value(Scalar::Boolean(flag)) => (*flag).into(),
        YamlData::Value(Scalar::Integer(number)) => (*number).into(),
        YamlData::Value(Scalar::FloatingPoint(number)) => match Number::from_f64(number.0) {
            Some(number) => number.into(),
            None => return Err(fault(node, "a number must be finite")),
        },
        YamlData::Value(Scalar::String(text)) => text.as_ref().into(),
        YamlData::Representation(text, ..) => text.as_ref().into(),
        YamlData::Sequence(items) => items.iter().map(json).collect::<Result<_, _>>()?,
        YamlData::Mapping(entries) => {
            let entries = entries
                .iter()
                .map(|(key, value)| Ok((key_name(key)?, json(value)?)));
            entries.collect::<Result<Map<_, _>, _>>()?.into()
        }
        // `!expr` and similar: the value without its tag.
        YamlData::Tagged(_, inner) => json(inner)?,
        YamlData::Alias(_) | YamlData::BadValue => return Err(fault(node, "not a YAML value")),
    })
}

fn fault(node: &MarkedYaml, reason: &str) -> YamlFault {
    YamlFault {
        line: node.span.start.line().max(1),
        reason: reason.to_owned(),
    }
}

/// The line on which a text may exceed the nesting limit. Brackets in quotes count,
/// too: the limit is far above real values.
fn too_deep(text: &str) -> Option<usize> {
    let mut open: usize = 0;
    for (at, line) in text.lines().enumerate() {
        for c in line.chars() {
            match c {
                '[' | '{' => open += 1,
                ']' | '}' => open = open.saturating_sub(1),
                _ => {}
            }
            if open > DEEPEST {
                return Some(at + 1);
            }
        }
        let indented = line.len() - line.trim_start_matches([' ', '\t', '-', '?', ':']).len();
        if indented > 4 * DEEPEST {
            return Some(at + 1);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn value(text: &str) -> Value {
        let entries = mapping(text).unwrap();
        let map: Map<_, _> = entries.into_iter().map(|e| (e.key, e.value)).collect();
        map.into()
    }

    #[test]
    fn scalars_lists_and_blocks_are_read() {
        let text = "label: fig-x\necho: false\nfig-subcap: [\"a: b\", c]\nwidth: 0.5\n\
                    n: 3\ndate: 2026-11-30\nempty:\ncap: |\n  one\n  two\nfolded: >-\n  a\n  b\n\
                    classes:\n  - x\n  - y\nauthor: {name: N, age: 7}\n";
        let expected = json!({"label": "fig-x", "echo": false, "fig-subcap": ["a: b", "c"],
            "width": 0.5, "n": 3, "date": "2026-11-30", "empty": null, "cap": "one\ntwo\n",
            "folded": "a b", "classes": ["x", "y"], "author": {"name": "N", "age": 7}});
        assert_eq!(value(text), expected);
        assert_eq!(value(""), json!({}));
        assert_eq!(value("# a comment\n"), json!({}));
    }

    #[test]
    fn faults_have_their_line() {
        let deep = format!("a: {}", "[".repeat(100_000));
        let dashes = format!("a:\n{}x", "- ".repeat(100_000));
        for (text, line) in [
            ("echo", 1),
            ("- a\n- b", 1),
            ("a: 1\nb: [1, 2\n", 2),
            ("a: 1\na: 2", 2),
            ("a: 1\nb: \"x\nc: 2", 2),
            ("a: 1\n---\nb: 2", 3),
            ("a: 1\nb: .nan", 2),
            (deep.as_str(), 1),
            (dashes.as_str(), 2),
        ] {
            let fault = mapping(text).unwrap_err();
            let shown: String = text.chars().take(40).collect();
            assert_eq!(fault.line, line, "{shown}: {}", fault.reason);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "[-a-z:\\[\\]{}\"'|>#&*!?%@ \\n\\t0-9]{0,80}") {
            let _ = mapping(&text);
        }
    }
}
