//! Expected results are those of `yaml.safe_dump` and `yaml.safe_load` in
//! PyYAML 6.0.

use super::*;
use serde_json::json;

fn dumped(value: &Value) -> String {
    emit(&Node::from(value), Style::default())
}

#[test]
fn scalars_are_quoted_as_pyyaml_quotes_them() {
    for (value, text) in [
        (json!({"a": "x"}), "a: x\n"),
        (json!({"a": "1.3"}), "a: '1.3'\n"),
        (json!({"a": 0.13}), "a: 0.13\n"),
        (json!({"a": 1e-7}), "a: 1.0e-07\n"),
        (json!({"a": "yes"}), "a: 'yes'\n"),
        (json!({"a": ""}), "a: ''\n"),
        (json!({"a": "x: y"}), "a: 'x: y'\n"),
        (json!({"a": "x:y"}), "a: x:y\n"),
        (json!({"a": "it's #1"}), "a: 'it''s #1'\n"),
        (json!({"a": "é"}), "a: \"\\xE9\"\n"),
        (json!({"a": "b\nc"}), "a: 'b\n\n  c'\n"),
        (json!({"a": "t\tb"}), "a: \"t\\tb\"\n"),
        (json!({"a": " lead"}), "a: ' lead'\n"),
        (json!({"a": "2024-01-01"}), "a: '2024-01-01'\n"),
        (json!({"a": null, "true": true}), "a: null\n'true': true\n"),
        (json!({"a": [], "b": {}}), "a: []\nb: {}\n"),
        (
            json!({"a": [1, [2, 3], {"b": 1, "c": [4]}]}),
            "a:\n- 1\n- - 2\n  - 3\n- b: 1\n  c:\n  - 4\n",
        ),
    ] {
        assert_eq!(dumped(&value), text);
    }
    let long = "word ".repeat(20);
    assert_eq!(
        dumped(&json!({"a": long.trim()})),
        "a: word word word word word word word word word word word word word word word word\n  word word word word\n"
    );
}

#[test]
fn values_mean_what_yaml_1_1_says() {
    for (text, value) in [
        ("a: yes", json!({"a": true})),
        ("a: 1_000", json!({"a": 1000})),
        ("a: 0o7", json!({"a": "0o7"})),
        ("a: 010", json!({"a": 8})),
        ("a: 1:30", json!({"a": 90})),
        ("a: 1e3", json!({"a": "1e3"})),
        ("a: 1.0e+3", json!({"a": 1000.0})),
        ("a: '1'", json!({"a": "1"})),
        ("a: 2024-01-01", json!({"a": "2024-01-01"})),
        ("a: &x [1, 2]\nb: *x", json!({"a": [1, 2], "b": [1, 2]})),
        ("- |\n  x\n  y\n- >-\n  x\n  y", json!(["x\ny\n", "x y"])),
        ("", json!(null)),
    ] {
        assert_eq!(read(text).unwrap().into_json(), value, "{text}");
    }
    assert_eq!(read("a: [1").unwrap_err().line, 2);
}
