//! The allowed difference of two numbers, in general and by name.

use serde_json::Value;
use std::fmt::{self, Display};

/// The allowed difference from the stored number: `absolute + relative * max(|a|, |b|)`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Tolerance {
    pub relative: f64,
    pub absolute: f64,
}

impl Tolerance {
    /// Reads `1e-3` (relative), `abs:0.5`, or both: `1e-3,abs:0.5`.
    ///
    /// # Errors
    /// A message for an invalid tolerance.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut tolerance = Self::default();
        for part in text.split(',') {
            let part = part.trim();
            let (absolute, number) = match part.strip_prefix("abs:") {
                Some(number) => (true, number),
                None => (false, part.strip_prefix("rel:").unwrap_or(part)),
            };
            let value: f64 = match number.trim().parse() {
                Ok(value) if f64::is_finite(value) && value >= 0.0 => value,
                _ => {
                    return Err(format!(
                        "{text:?} is no tolerance: give a relative one (1e-3), an absolute one \
                         (abs:0.5), or both (1e-3,abs:0.5)"
                    ));
                }
            };
            match absolute {
                true => tolerance.absolute = value,
                false => tolerance.relative = value,
            }
        }
        Ok(tolerance)
    }

    pub fn is_zero(&self) -> bool {
        self.relative == 0.0 && self.absolute == 0.0
    }

    /// Whether `a` and `b` are close enough, where each may be off by half a unit of its last
    /// printed digit; `slack` is the sum of the two halves. Two NaN are close.
    pub fn allows(&self, a: f64, b: f64, slack: f64) -> bool {
        if a == b || (a.is_nan() && b.is_nan()) {
            return true;
        }
        if self.is_zero() {
            return false;
        }
        let allowed = self.absolute + self.relative * a.abs().max(b.abs()) + slack;
        // 0.3 - 0.2 must be within 0.1.
        (a - b).abs() <= allowed * (1.0 + 1e-9)
    }
}

impl Display for Tolerance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.relative, self.absolute) {
            (relative, 0.0) => write!(f, "{relative}"),
            (0.0, absolute) => write!(f, "abs:{absolute}"),
            (relative, absolute) => write!(f, "{relative},abs:{absolute}"),
        }
    }
}

/// The name of the tolerance for whole numbers.
const INTEGERS: &str = "integers";

/// Tolerances for numbers in general, for whole numbers, and for those of certain names.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tolerances {
    general: Option<Tolerance>,
    integers: Option<Tolerance>,
    /// Lower-case names; the first match applies.
    named: Vec<(String, Tolerance)>,
}

/// The context of a number, from which its names are derived.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place<'a> {
    /// The text before and after it on its line.
    pub before: &'a str,
    pub after: &'a str,
    /// Names of the column, the row, the axis or the key that it belongs to.
    pub names: &'a [String],
}

impl Tolerances {
    /// Adds `1e-3` or `name=1e-3`, as given on the command line.
    ///
    /// # Errors
    /// As [`Tolerance::parse`]; an empty name.
    pub fn add(&mut self, text: &str) -> Result<(), String> {
        match text.rsplit_once('=') {
            None => self.general = Some(Tolerance::parse(text)?),
            Some((name, value)) => self.put(name, Tolerance::parse(value)?)?,
        }
        Ok(())
    }

    /// Adds a notebook's metadata: a number, a text as on the command line, or an object of these
    /// by name, where the empty name means numbers in general.
    ///
    /// # Errors
    /// As [`Tolerances::add`].
    pub fn add_json(&mut self, value: &Value) -> Result<(), String> {
        match value {
            Value::Number(number) => self.add(&number.to_string()),
            Value::String(text) => self.add(text),
            Value::Object(map) => {
                for (name, value) in map {
                    let tolerance = match value {
                        Value::Number(number) => Tolerance::parse(&number.to_string())?,
                        Value::String(text) => Tolerance::parse(text)?,
                        other => return Err(format!("{other} is no tolerance (of {name:?})")),
                    };
                    match name.as_str() {
                        "" => self.general = Some(tolerance),
                        name => self.put(name, tolerance)?,
                    }
                }
                Ok(())
            }
            other => Err(format!("{other} is no tolerance")),
        }
    }

    fn put(&mut self, name: &str, tolerance: Tolerance) -> Result<(), String> {
        match name.trim().to_lowercase() {
            name if name.is_empty() => {
                return Err("there is no name before the `=` of a tolerance".to_owned());
            }
            name if name == INTEGERS => self.integers = Some(tolerance),
            name => self.named.push((name, tolerance)),
        }
        Ok(())
    }

    /// These tolerances, with those of `below` as fallback.
    pub fn over(&self, below: &Self) -> Self {
        let named = self.named.iter().chain(&below.named).cloned();
        Self {
            general: self.general.or(below.general),
            integers: self.integers.or(below.integers),
            named: named.collect(),
        }
    }

    /// The tolerance of numbers without a name.
    pub fn general(&self) -> Tolerance {
        self.general.unwrap_or_default()
    }

    /// The tolerance of a number. Whole numbers are counts and indices: they must be equal, unless
    /// a tolerance applies to their name or to whole numbers.
    pub fn of(&self, place: Place, integer: bool) -> Tolerance {
        let named = self.named.iter().find(|(name, _)| names(name, place));
        match (named, integer) {
            (Some((_, tolerance)), _) => *tolerance,
            (None, true) => self.integers.unwrap_or_default(),
            (None, false) => self.general(),
        }
    }

    /// The tolerance for any of these names, if there is one.
    pub fn named(&self, names: &[String]) -> Option<Tolerance> {
        let is_named = |name: &str| names.iter().any(|one| one.trim().to_lowercase() == name);
        let found = self.named.iter().find(|(name, _)| is_named(name));
        found.map(|(_, tolerance)| *tolerance)
    }
}

/// Whether `name`, in lower case, applies to the number in this context: it is the name of its
/// column, or is right before it (`loss 3.4`, `loss: 3.4`, `"loss": 3.4`) or after it (`3.4 nats`).
fn names(name: &str, place: Place) -> bool {
    if place
        .names
        .iter()
        .any(|one| one.trim().to_lowercase() == name)
    {
        return true;
    }
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let before = place.before.to_lowercase();
    let before =
        before.trim_end_matches(|c: char| c.is_whitespace() || ":=\"'`|│┆~≈±(*".contains(c));
    if let Some(rest) = before.strip_suffix(name) {
        return !rest.ends_with(word);
    }
    let after = place.after.to_lowercase();
    match after.trim_start().strip_prefix(name) {
        Some(rest) => !rest.starts_with(word),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tolerances_are_read_as_they_are_written() {
        let read = |text| Tolerance::parse(text).map(|t| (t.relative, t.absolute));
        assert_eq!(read("1e-3"), Ok((1e-3, 0.0)));
        assert_eq!(read("abs:0.5"), Ok((0.0, 0.5)));
        assert_eq!(read("1e-3, abs:2"), Ok((1e-3, 2.0)));
        for text in ["", "x", "-1", "nan", "inf", "abs:", "1e-3,"] {
            assert!(read(text).is_err(), "{text:?}");
        }
        let mut all = Tolerances::default();
        assert!(all.add("=1").is_err());
        assert!(all.add("loss=x").is_err());
        assert!(all.add_json(&json!([1])).is_err());
        assert_eq!(
            Tolerance::parse("1e-3,abs:2").unwrap().to_string(),
            "0.001,abs:2"
        );
    }

    #[test]
    fn distances_are_relative_to_the_larger_value_and_rounding_is_forgiven() {
        let relative = Tolerance {
            relative: 0.01,
            absolute: 0.0,
        };
        assert!(relative.allows(100.0, 101.0, 0.0));
        assert!(!relative.allows(100.0, 101.1, 0.0));
        assert!(relative.allows(-1.0, -1.005, 0.0));
        assert!(!relative.allows(0.0, 1e-12, 0.0));
        assert!(relative.allows(0.01, 0.02, 0.01));
        let absolute = Tolerance {
            relative: 0.0,
            absolute: 0.1,
        };
        assert!(absolute.allows(0.2, 0.3, 0.0));
        assert!(!absolute.allows(0.2, 0.31, 0.0));
        let none = Tolerance::default();
        assert!(none.allows(f64::NAN, f64::NAN, 0.0));
        assert!(none.allows(f64::INFINITY, f64::INFINITY, 0.0));
        assert!(!none.allows(1.0, 1.0 + 1e-15, 1.0));
        assert!(!relative.allows(f64::NAN, 1.0, 1.0));
    }

    #[test]
    fn a_name_means_the_number_beside_it() {
        let mut all = Tolerances::default();
        for text in ["0.1", "Loss=0.2", "nats/token=0.3", "steps=abs:4", "L0=0.5"] {
            all.add(text).unwrap();
        }
        let of = |before: &str, after: &str, names: &[&str], integer: bool| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let place = Place {
                before,
                after,
                names: &names,
            };
            let found = all.of(place, integer);
            found.relative.max(found.absolute)
        };
        assert_eq!(of("best validation loss ", " nats", &[], false), 0.2);
        assert_eq!(of("\"loss\": ", "", &[], false), 0.2);
        assert_eq!(of("floss ", "", &[], false), 0.1);
        assert_eq!(of("", " nats/token (", &[], false), 0.3);
        assert_eq!(of("", " steps in", &[], true), 4.0);
        assert_eq!(of("", " stepsize", &[], true), 0.0);
        assert_eq!(of("", "", &["row", "l0 "], true), 0.5);
        assert_eq!(of("feature ", "", &[], true), 0.0);
        let mut cell = Tolerances::default();
        cell.add_json(&json!({"loss": "abs:9", "integers": 7, "": 8}))
            .unwrap();
        let all = cell.over(&all);
        let place = |before| Place {
            before,
            ..Place::default()
        };
        assert_eq!(all.of(place("loss "), false).absolute, 9.0);
        assert_eq!(all.of(place("L0 "), false).relative, 0.5);
        assert_eq!(all.of(place(""), true).relative, 7.0);
        assert_eq!(all.general().relative, 8.0);
    }
}
