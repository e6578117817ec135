//! The value of a plain scalar in YAML 1.1.

use super::Node;
use regex::Regex;
use serde_json::Number;
use std::sync::LazyLock;

static FLOAT: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
    )
});
static INT: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^(?:[-+]?0b[0-1_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+)$",
    )
});
static TIME: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^(?:[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{4}-[0-9][0-9]?-[0-9][0-9]?(?:[Tt]|[ \t]+)[0-9][0-9]?:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?(?:[ \t]*(?:Z|[-+][0-9][0-9]?(?::[0-9]{2})?))?)$",
    )
});

fn regex(text: &str) -> Regex {
    Regex::new(text).expect("the expression is one of ours")
}

/// Whether the text without quotes would be read as anything but itself.
pub fn is_special(text: &str) -> bool {
    matches!(text, "<<" | "=" | "!" | "&" | "*") || !matches!(plain(text), Node::Text(_))
}

/// The value of a plain scalar.
pub fn plain(text: &str) -> Node {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Node::Null,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Node::Bool(true);
        }
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Node::Bool(false);
        }
        _ => {}
    }
    if INT.is_match(text) {
        return integer(text).map_or_else(|| Node::Text(text.to_owned()), Node::Number);
    }
    if FLOAT.is_match(text) {
        // JSON has no infinity and no nan: those stay words.
        return float(text).map_or_else(|| Node::Time(text.to_owned()), Node::Number);
    }
    match TIME.is_match(text) {
        true => Node::Time(text.to_owned()),
        false => Node::Text(text.to_owned()),
    }
}

fn integer(text: &str) -> Option<Number> {
    let (negative, digits) = sign(text);
    let digits = digits.replace('_', "");
    let value = match digits.as_str() {
        "0" => 0,
        d if d.starts_with("0b") => i128::from_str_radix(&d[2..], 2).ok()?,
        d if d.starts_with("0x") => i128::from_str_radix(&d[2..], 16).ok()?,
        d if d.starts_with('0') => i128::from_str_radix(d, 8).ok()?,
        d if d.contains(':') => {
            let parts = d.split(':').map(|part| part.parse::<i128>().ok());
            parts
                .collect::<Option<Vec<_>>>()?
                .into_iter()
                .fold(0, |sum, part| sum * 60 + part)
        }
        d => d.parse::<i128>().ok()?,
    };
    let value = if negative { -value } else { value };
    Number::from_i128(value)
}

fn float(text: &str) -> Option<Number> {
    let (negative, digits) = sign(text);
    let digits = digits.replace('_', "");
    let value = match digits.contains(':') {
        true => {
            let parts = digits.split(':').map(|part| part.parse::<f64>().ok());
            let parts = parts.collect::<Option<Vec<_>>>()?;
            parts.into_iter().fold(0.0, |sum, part| sum * 60.0 + part)
        }
        false => digits.parse::<f64>().ok()?,
    };
    Number::from_f64(if negative { -value } else { value })
}

fn sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}
