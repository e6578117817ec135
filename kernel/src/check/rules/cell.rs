//! The rules of one cell: its tags and metadata, combined with the rules of the whole check.

use super::tolerance::Tolerances;
use super::{Rules, Sanitiser};
use crate::check::text::mask::Masks;
use crate::notebook::{Cell, Notebook};
use serde_json::Value;

/// Tag of a cell that is run but not compared.
const IGNORE: &str = "nbval-ignore-output";
/// Tag of a cell that even a lax check compares.
const CHECK: &str = "nbval-check-output";
/// Tags of a cell that is neither run nor compared.
pub const SKIPS: [&str; 2] = ["nbval-skip", "skip-execution"];
/// Tag of a cell that may fail.
pub const MAY_FAIL: &str = "nbval-raises-exception";
/// A tag `tolerance=1e-3`, or `tolerance:loss=1e-3`.
const TOLERANCE: &str = "tolerance";

/// The rules of one cell.
#[derive(Debug, Clone)]
pub struct CellRules<'a> {
    pub tolerances: Tolerances,
    pub masks: Masks,
    pub sanitiser: &'a Sanitiser,
    /// Whether it is compared.
    pub compare: bool,
    /// Whether it is not run, so that there is nothing to compare.
    pub skip: bool,
}

impl<'a> CellRules<'a> {
    /// The rules of a cell of this notebook. A cell's own settings override those of the command
    /// line, and these override the notebook's.
    ///
    /// # Errors
    /// The setting that cannot be read.
    pub fn of(cell: &Cell, notebook: &Notebook, rules: &'a Rules) -> Result<Self, String> {
        let mut own = Tolerances::default();
        for tag in tags(cell) {
            let Some(rest) = tag.strip_prefix(TOLERANCE) else {
                continue;
            };
            let rest = rest.strip_prefix(['=', ':']).unwrap_or("");
            own.add(rest).map_err(|why| format!("tag {tag:?}: {why}"))?;
        }
        let settings = settings(&cell.metadata);
        let of_notebook = self::settings(&notebook.metadata);
        if let Some(value) = settings.and_then(|settings| settings.get("tolerance")) {
            own.add_json(value)
                .map_err(|why| format!("metadata.holoscope.check.tolerance: {why}"))?;
        }
        let mut below = Tolerances::default();
        if let Some(value) = of_notebook.and_then(|settings| settings.get("tolerance")) {
            below.add_json(value).map_err(|why| {
                format!("metadata.holoscope.check.tolerance of the notebook: {why}")
            })?;
        }
        let mut masks = rules.masks.clone();
        for settings in [of_notebook, settings].into_iter().flatten() {
            if let Some(value) = settings.get("mask") {
                masks = Masks::from_json(value)
                    .map_err(|why| format!("metadata.holoscope.check.mask: {why}"))?;
            }
        }
        let skip = SKIPS.iter().any(|tag| cell.has_tag(tag));
        let wanted = cell.has_tag(CHECK) || (!rules.lax && !cell.has_tag(IGNORE));
        Ok(Self {
            tolerances: own.over(&rules.tolerances).over(&below),
            masks,
            sanitiser: &rules.sanitiser,
            compare: wanted && !skip,
            skip,
        })
    }
}

/// `metadata.holoscope.check`.
fn settings(metadata: &serde_json::Map<String, Value>) -> Option<&Value> {
    metadata.get("holoscope")?.get("check")
}

fn tags(cell: &Cell) -> Vec<String> {
    let tags = cell.metadata.get("tags").and_then(Value::as_array);
    let tags = tags.into_iter().flatten().filter_map(Value::as_str);
    tags.map(|tag| tag.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tolerance::Place;
    use super::*;
    use serde_json::json;

    fn rules_of(cell: Value, notebook: Value, rules: &Rules) -> Result<CellRules<'_>, String> {
        let map = |value: Value| value.as_object().cloned().unwrap_or_default();
        let (mut one, mut all) = (Cell::code(""), Notebook::new());
        one.metadata = map(cell);
        all.metadata = map(notebook);
        CellRules::of(&one, &all, rules)
    }

    #[test]
    fn a_cell_comes_before_the_command_line_and_that_before_the_notebook() {
        let mut rules = Rules::default();
        let notebook = json!({"holoscope": {"check": {"tolerance": {"": 0.1, "loss": 0.2}}}});
        let find = |found: &CellRules, before: &str| {
            let place = Place {
                before,
                ..Place::default()
            };
            found.tolerances.of(place, false).relative
        };
        let found = rules_of(json!({}), notebook.clone(), &rules).unwrap();
        assert_eq!((find(&found, ""), find(&found, "loss ")), (0.1, 0.2));
        rules.tolerances.add("0.3").unwrap();
        let found = rules_of(json!({}), notebook.clone(), &rules).unwrap();
        assert_eq!((find(&found, ""), find(&found, "loss ")), (0.3, 0.2));
        let cell = json!({"tags": ["tolerance=0.4", "tolerance:loss=0.5"]});
        let found = rules_of(cell, notebook.clone(), &rules).unwrap();
        assert_eq!((find(&found, ""), find(&found, "loss ")), (0.4, 0.5));
        let cell = json!({"holoscope": {"check": {"tolerance": 0.6, "mask": false}}});
        let found = rules_of(cell, notebook, &rules).unwrap();
        assert_eq!(find(&found, ""), 0.6);
        assert_eq!(found.masks, Masks::none());
    }

    #[test]
    fn nbvals_tags_are_obeyed() {
        let (strict, lax) = (
            Rules::default(),
            Rules {
                lax: true,
                ..Rules::default()
            },
        );
        let compared = |tag: &str, rules: &Rules| {
            rules_of(json!({"tags": [tag]}), json!({}), rules)
                .unwrap()
                .compare
        };
        for (tag, by_strict, by_lax) in [
            ("other", true, false),
            ("nbval-ignore-output", false, false),
            ("nbval-check-output", true, true),
            ("nbval-skip", false, false),
        ] {
            assert_eq!(
                (compared(tag, &strict), compared(tag, &lax)),
                (by_strict, by_lax),
                "{tag}"
            );
        }
    }

    #[test]
    fn a_setting_that_cannot_be_read_is_named() {
        let rules = Rules::default();
        let error = rules_of(json!({"tags": ["tolerance=much"]}), json!({}), &rules).unwrap_err();
        assert!(error.contains("tolerance=much"), "{error}");
        let cell = json!({"holoscope": {"check": {"mask": ["moods"]}}});
        let error = rules_of(cell, json!({}), &rules).unwrap_err();
        assert!(
            error.contains("moods") && error.contains("durations"),
            "{error}"
        );
    }
}
