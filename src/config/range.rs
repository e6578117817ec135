//! The ranges that numbers of a configuration may lie in.
//!
//! NaN lies in none of them, nor does an infinity; the error names field, value and range.

use crate::error::{Error, Result};
use std::fmt::Display;

/// Checks the fields of the configuration of this name.
#[derive(Clone, Copy)]
pub(crate) struct Fields(pub &'static str);

impl Fields {
    /// The error for a field out of its range.
    pub(crate) fn bad(self, field: &'static str, value: impl Display, reason: &str) -> Result<()> {
        Err(Error::Config {
            config: self.0,
            field,
            value: value.to_string(),
            reason: reason.to_owned(),
        })
    }

    /// A count of at least 1.
    pub(crate) fn at_least_one(self, field: &'static str, value: usize) -> Result<()> {
        match value {
            0 => self.bad(field, value, "must be at least 1"),
            _ => Ok(()),
        }
    }

    /// A finite number above 0.
    pub(crate) fn positive(self, field: &'static str, value: f64) -> Result<()> {
        let reason = "must be positive and finite";
        self.holds(field, value, value > 0.0 && value.is_finite(), reason)
    }

    /// A finite number of at least 0.
    pub(crate) fn not_negative(self, field: &'static str, value: f64) -> Result<()> {
        let reason = "must be at least 0 and finite";
        self.holds(field, value, value >= 0.0 && value.is_finite(), reason)
    }

    /// A share of a whole, 0 and 1 included.
    pub(crate) fn share(self, field: &'static str, value: f64) -> Result<()> {
        let range = 0.0..=1.0;
        self.holds(field, value, range.contains(&value), "must lie in [0, 1]")
    }

    /// A share of a whole that is not nothing.
    pub(crate) fn some_share(self, field: &'static str, value: f64) -> Result<()> {
        let holds = value > 0.0 && value <= 1.0;
        self.holds(field, value, holds, "must lie in (0, 1]")
    }

    /// The decay rate of a running mean.
    pub(crate) fn decay(self, field: &'static str, value: f64) -> Result<()> {
        let range = 0.0..1.0;
        self.holds(field, value, range.contains(&value), "must lie in [0, 1)")
    }

    fn holds(self, field: &'static str, value: f64, holds: bool, reason: &str) -> Result<()> {
        match holds {
            true => Ok(()),
            false => self.bad(field, value, reason),
        }
    }
}
