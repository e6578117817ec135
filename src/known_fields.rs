//! Which fields of another library's configuration affect the model.
//!
//! A field that a loader does not know may change what the model computes. No field is therefore
//! ignored because it is unknown: each is applied, known to change nothing, or rejected by name.

use crate::error::{Error, Result};
use serde_json::{Map, Value};
use std::path::Path;

/// The fields of one kind of configuration; each is in one list.
pub(crate) struct KnownFields {
    /// What the file is, for messages: "GPT-2 configuration".
    pub(crate) format: &'static str,
    /// Read by the loader, which checks their values.
    pub(crate) applied: &'static [&'static str],
    /// They do not affect what is computed, whatever their value.
    pub(crate) inert: &'static [&'static str],
    /// They change nothing at some values, and are rejected at all others.
    pub(crate) only: &'static [Only],
}

/// A field of which only some values are accepted.
pub(crate) struct Only {
    field: &'static str,
    at: &'static [Plain],
    /// What any other value requests.
    asks_for: &'static str,
}

/// A value that changes nothing.
#[derive(Clone, Copy)]
pub(crate) enum Plain {
    Null,
    False,
    True,
    /// A number, zero or less.
    NotPositive,
    /// `{}` or `[]`.
    Empty,
    Text(&'static str),
}

impl Only {
    pub(crate) const fn new(
        field: &'static str,
        at: &'static [Plain],
        asks_for: &'static str,
    ) -> Self {
        Self {
            field,
            at,
            asks_for,
        }
    }
}

impl Plain {
    fn is(self, value: &Value) -> bool {
        match self {
            Plain::Null => value.is_null(),
            Plain::False => *value == Value::Bool(false),
            Plain::True => *value == Value::Bool(true),
            Plain::NotPositive => value.as_f64().is_some_and(|n| n <= 0.0),
            Plain::Empty => match value {
                Value::Object(fields) => fields.is_empty(),
                Value::Array(items) => items.is_empty(),
                _ => false,
            },
            Plain::Text(text) => value.as_str() == Some(text),
        }
    }
}

impl KnownFields {
    /// Rejects fields in no list, and those of the last list at another value.
    ///
    /// # Errors
    /// [`Error::Format`] naming the field, its value and what to do.
    pub(crate) fn check(&self, fields: &Map<String, Value>, path: &Path) -> Result<()> {
        for (name, value) in fields {
            let name = name.as_str();
            if self.applied.contains(&name) || self.inert.contains(&name) {
                continue;
            }
            let reason = match self.only.iter().find(|only| only.field == name) {
                Some(only) if only.at.iter().any(|plain| plain.is(value)) => continue,
                Some(only) => format!(
                    "{name} is {}: {}, which is not supported",
                    shortened(value),
                    only.asks_for
                ),
                None => format!(
                    "unknown field {name:?} (its value is {}); it may change what is computed. If it \
                     does not, remove it from the file",
                    shortened(value)
                ),
            };
            return Err(Error::format(path, self.format, reason));
        }
        Ok(())
    }
}

/// A value as JSON, with the middle of long values left out.
pub(crate) fn shortened(value: &Value) -> String {
    const LONGEST: usize = 80;
    let text = value.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} ...", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
impl KnownFields {
    /// Every field of every list.
    pub(crate) fn all(&self) -> Vec<&'static str> {
        let only = self.only.iter().map(|only| only.field);
        let rest = self.applied.iter().chain(self.inert).copied();
        rest.chain(only).collect()
    }

    /// Panics if a field is in two lists.
    pub(crate) fn assert_disjoint(&self) {
        let mut all = self.all();
        all.sort_unstable();
        for pair in all.windows(2) {
            assert_ne!(pair[0], pair[1], "{}", self.format);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const KNOWN: KnownFields = KnownFields {
        format: "test configuration",
        applied: &["d_model"],
        inert: &["seed"],
        only: &[Only::new(
            "soft_cap",
            &[Plain::Null, Plain::NotPositive],
            "soft caps",
        )],
    };

    fn checked(fields: Value) -> Result<()> {
        KNOWN.check(fields.as_object().unwrap(), Path::new("config.json"))
    }

    #[test]
    fn a_field_of_some_values_is_refused_at_any_other() {
        for value in [json!(null), json!(-1.0), json!(0), json!(-3)] {
            checked(json!({ "d_model": 8, "seed": "x", "soft_cap": value })).unwrap();
        }
        for value in [json!(30.0), json!("-1"), json!(false), json!([])] {
            let message = checked(json!({ "soft_cap": value }))
                .unwrap_err()
                .to_string();
            let expected = format!("soft_cap is {value}: soft caps, which is not supported");
            assert!(message.ends_with(&expected), "{message}");
        }
    }

    #[test]
    fn a_long_value_is_shortened_in_messages() {
        let message = checked(json!({ "new": "é".repeat(10_000) })).unwrap_err();
        assert!(message.to_string().chars().count() < 300, "{message}");
    }

    proptest! {
        #[test]
        fn a_field_in_no_list_is_refused_by_name(name in "[a-zA-Z_][a-zA-Z0-9_ ]{0,20}", value in 0..3u8) {
            prop_assume!(!KNOWN.all().contains(&name.as_str()));
            let value = [json!(null), json!(1), json!({ "a": [1] })][usize::from(value)].clone();
            let message = checked(json!({ "d_model": 8, name.clone(): value })).unwrap_err().to_string();
            prop_assert!(message.contains(&format!("unknown field {name:?}")), "{message}");
        }
    }
}
