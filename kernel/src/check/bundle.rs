//! One output in its representations.

use super::difference::{Difference, Kind};
use super::html;
use super::rules::cell::CellRules;
use super::text;
use crate::notebook::MimeBundle;
use serde_json::Value;

/// Representations that hold nothing but the names of things that live elsewhere.
const SKIPPED: [&str; 2] = [
    "application/vnd.jupyter.widget-view+json",
    "application/vnd.holoscope.data+json",
];

/// Compares all representations of an output. A text in boxes stands for a table; beside HTML, which
/// holds the same table by column, it is left out.
pub fn compare(stored: &MimeBundle, fresh: &MimeBundle, rules: &CellRules) -> Vec<Difference> {
    let mut found = Vec::new();
    let known = stored
        .keys()
        .chain(fresh.keys().filter(|mime| !stored.contains_key(*mime)));
    let tabled = |bundle: &MimeBundle| bundle.contains_key("text/html");
    for mime in known.filter(|mime| !SKIPPED.contains(&mime.as_str())) {
        let (a, b) = match (stored.get(mime), fresh.get(mime)) {
            (Some(a), Some(b)) => (a, b),
            (a, _) => {
                let (kind, what) = match a {
                    Some(_) => (Kind::Missing, "is missing"),
                    None => (Kind::Extra, "is new"),
                };
                found.push(Difference::new(kind, format!("its {mime} {what}")));
                continue;
            }
        };
        let boxed = |value: &Value| {
            value
                .as_str()
                .is_some_and(|text| text.contains('│') || text.contains('┆'))
        };
        if mime == "text/plain" && tabled(stored) && tabled(fresh) && boxed(a) && boxed(b) {
            continue;
        }
        found.extend(value(mime, a, b, rules));
    }
    found
}

fn value(mime: &str, a: &Value, b: &Value, rules: &CellRules) -> Vec<Difference> {
    match (a, b) {
        (Value::String(a), Value::String(b)) => match mime {
            "text/html" => html::compare(a, b, rules),
            "image/svg+xml" => html::compare_svg(a, b, rules),
            mime if mime.starts_with("image/") || mime == "application/pdf" => picture(mime, a, b),
            _ => text::compare(a, b, rules, &[]),
        },
        _ => {
            let mut found = Vec::new();
            json(a, b, rules, &mut Vec::new(), &mut found);
            found
        }
    }
}

/// Pictures of pixels: how far they are apart cannot be told from their bytes.
fn picture(mime: &str, a: &str, b: &str) -> Vec<Difference> {
    let bare = |text: &str| -> String { text.split_whitespace().collect() };
    if bare(a) == bare(b) {
        return Vec::new();
    }
    let one = Difference::new(Kind::Picture, mime);
    vec![one.note("pictures of pixels are compared byte for byte")]
}

/// JSON by its structure; numbers within the tolerance of their key.
fn json(
    a: &Value,
    b: &Value,
    rules: &CellRules,
    path: &mut Vec<String>,
    found: &mut Vec<Difference>,
) {
    if a == b {
        return;
    }
    let place = |path: &[String]| {
        format!(
            "JSON {}",
            if path.is_empty() {
                "value".to_owned()
            } else {
                path.join(".")
            }
        )
    };
    match (a, b) {
        (Value::Object(x), Value::Object(y)) => {
            for key in x.keys().chain(y.keys().filter(|key| !x.contains_key(*key))) {
                path.push(key.clone());
                match (x.get(key), y.get(key)) {
                    (Some(a), Some(b)) => json(a, b, rules, path, found),
                    (Some(a), None) => found
                        .push(Difference::new(Kind::Missing, place(path)).sides(a.to_string(), "")),
                    (_, b) => {
                        let b = b.map(Value::to_string).unwrap_or_default();
                        found.push(Difference::new(Kind::Extra, place(path)).sides("", b));
                    }
                }
                path.pop();
            }
        }
        (Value::Array(x), Value::Array(y)) if x.len() == y.len() => {
            for (at, (a, b)) in x.iter().zip(y).enumerate() {
                path.push(at.to_string());
                json(a, b, rules, path, found);
                path.pop();
            }
        }
        _ => {
            let text = |value: &Value| match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let same_kind = std::mem::discriminant(a) == std::mem::discriminant(b);
            let differences = text::compare(&text(a), &text(b), rules, path).into_iter();
            let differences: Vec<Difference> = match same_kind {
                true => differences.collect(),
                false => vec![Difference::new(Kind::Text, "").sides(a.to_string(), b.to_string())],
            };
            found.extend(differences.into_iter().map(|one| one.within(&place(path))));
        }
    }
}
