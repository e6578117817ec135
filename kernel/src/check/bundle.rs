//! Compares one output in all its representations.

use super::difference::{Difference, Kind};
use super::html;
use super::rules::cell::CellRules;
use super::rules::tolerance::Place;
use super::text;
use crate::notebook::MimeBundle;
use serde_json::Value;

/// Representations that hold only the names of data stored elsewhere.
const SKIPPED: [&str; 3] = [
    "application/vnd.jupyter.widget-view+json",
    "application/vnd.holoscope.data+json",
    // The digest of a file, which changes with the last bits of a training result.
    "application/vnd.holoscope.live+json",
];

/// Compares all representations of an output. A plain text drawn with box characters is a table; it
/// is skipped if there is also HTML, in which the same table is compared by column.
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

/// Compares raster pictures byte for byte, because their bytes do not reveal how far they differ.
fn picture(mime: &str, a: &str, b: &str) -> Vec<Difference> {
    let bare = |text: &str| -> String { text.split_whitespace().collect() };
    if bare(a) == bare(b) {
        return Vec::new();
    }
    let one = Difference::new(Kind::Picture, mime);
    vec![one.note("raster images are compared byte for byte")]
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
        (Value::Number(x), Value::Number(y)) => {
            let integer = !x.is_f64() && !y.is_f64();
            let of = Place {
                names: path,
                ..Place::default()
            };
            let tolerance = rules.tolerances.of(of, integer);
            let value = |number: &serde_json::Number| number.as_f64().unwrap_or(f64::NAN);
            // All digits are stored, so there is no rounding to allow for.
            if !tolerance.allows(value(x), value(y), 0.0) || (tolerance.is_zero() && x != y) {
                let note = format!(
                    "{}; tolerance {tolerance}",
                    text::off_by(value(x), value(y))
                );
                let one = Difference::new(Kind::Number, place(path));
                found.push(one.sides(a.to_string(), b.to_string()).note(note));
            }
        }
        _ => {
            let text = |value: &Value| match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let same_kind = std::mem::discriminant(a) == std::mem::discriminant(b);
            let place = place(path);
            if same_kind {
                let differences = text::compare(&text(a), &text(b), rules, path).into_iter();
                found.extend(differences.map(|one| Difference {
                    place: place.clone(),
                    ..one
                }));
            } else {
                found.push(Difference::new(Kind::Text, place).sides(a.to_string(), b.to_string()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::rules::Rules;
    use crate::notebook::{Cell, Notebook};
    use serde_json::json;

    fn found(stored: &Value, fresh: &Value, tolerances: &[&str]) -> Vec<(Kind, String)> {
        let rules = Rules::with_tolerances(tolerances);
        let rules = CellRules::of(&Cell::code(""), &Notebook::new(), &rules).unwrap();
        let map = |value: &Value| value.as_object().cloned().unwrap_or_default();
        let found = compare(&map(stored), &map(fresh), &rules).into_iter();
        found.map(|one| (one.kind, one.place)).collect()
    }

    #[test]
    fn json_is_compared_by_its_structure() {
        let data = |loss: f64, steps: u64| json!({"application/json": {"loss": [loss, 1.5], "steps": steps}});
        let place = |path: &str| format!("JSON {path}");
        assert_eq!(
            found(&data(3.5, 500), &data(3.6, 500), &["0.01"]),
            [(Kind::Number, place("loss.0"))]
        );
        assert_eq!(found(&data(3.5, 500), &data(3.6, 500), &["loss=0.1"]), []);
        assert_eq!(
            found(&data(3.5, 500), &data(3.5, 501), &["0.1"]),
            [(Kind::Number, place("steps"))]
        );
        let (a, b) = (
            json!({"application/json": {"a": 1}}),
            json!({"application/json": {"b": 1}}),
        );
        assert_eq!(
            found(&a, &b, &["1"]),
            [
                (Kind::Missing, "JSON a".to_owned()),
                (Kind::Extra, "JSON b".to_owned())
            ]
        );
        let (a, b) = (
            json!({"application/json": [1]}),
            json!({"application/json": [1, 2]}),
        );
        assert_eq!(found(&a, &b, &["1"]).len(), 1);
        let (a, b) = (
            json!({"application/json": 1}),
            json!({"application/json": "1"}),
        );
        assert_eq!(
            found(&a, &b, &["1"]),
            [(Kind::Text, "JSON value".to_owned())]
        );
    }

    #[test]
    fn every_representation_counts_but_those_that_say_nothing_of_their_own() {
        let image = |data: &str| json!({"image/png": data, "text/plain": "figure"});
        assert_eq!(found(&image("AAAA\n"), &image("AAAA"), &[]), []);
        assert_eq!(
            found(&image("AAAA"), &image("AAAB"), &["1"]),
            [(Kind::Picture, "image/png".to_owned())]
        );
        let boxed = |text: &str| json!({"text/html": "<p>x</p>", "text/plain": text});
        assert_eq!(found(&boxed("│ 1 │"), &boxed("│ 2  │"), &[]), []);
        assert_eq!(found(&boxed("1"), &boxed("2"), &[]).len(), 1);
        let widget =
            |id: &str| json!({"application/vnd.jupyter.widget-view+json": {"model_id": id}});
        assert_eq!(found(&widget("a"), &widget("b"), &[]), []);
        let (both, one) = (
            json!({"text/plain": "x", "text/latex": "y"}),
            json!({"text/plain": "x"}),
        );
        assert_eq!(
            found(&both, &one, &[]),
            [(Kind::Missing, "its text/latex is missing".to_owned())]
        );
        assert_eq!(
            found(&one, &both, &[]),
            [(Kind::Extra, "its text/latex is new".to_owned())]
        );
    }
}
