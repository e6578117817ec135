//! How many features simple predicates explain, beside a control dictionary.
//! Source: ours; the control of Heap et al. 2025, arXiv:2501.17727.

use super::interpretable::InterpretableFeatures;
use crate::error::Result;
use crate::show::{Table, shows_itself};
use polars::prelude::{DataFrame, df};
use std::fmt;

/// Cutoffs of the held-out correlation.
const CUTOFFS: [f64; 3] = [0.5, 0.7, 0.9];

/// The shares above one cutoff.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExplainedShare {
    /// Held-out Matthews correlation of feature and predicate.
    pub cutoff: f64,
    /// Share of the dictionary's scored features that reach it; NaN where none was scored.
    pub learned: f64,
    /// Share of the control's.
    pub control: f64,
}

/// How many of a dictionary's features a simple predicate explains, and how many of a control's.
#[derive(Debug, Clone, PartialEq)]
pub struct ExplainedShares {
    pub rows: Vec<ExplainedShare>,
    /// Features scored: of the dictionary, of the control.
    pub n_scored: [usize; 2],
}

impl InterpretableFeatures {
    /// The shares of explained features beside those of a control, such as a dictionary of random directions, found by
    /// the same procedure on the same split.
    pub fn beside(&self, control: &InterpretableFeatures) -> ExplainedShares {
        let row = |cutoff| ExplainedShare {
            cutoff,
            learned: self.share_above(cutoff),
            control: control.share_above(cutoff),
        };
        ExplainedShares {
            rows: CUTOFFS.map(row).to_vec(),
            n_scored: [self.n_scored, control.n_scored],
        }
    }
}

impl ExplainedShares {
    /// One row a cutoff: `MCC at least`, `learned (%)`, `control (%)`.
    ///
    /// # Errors
    /// [`crate::Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        let of = |value: fn(&ExplainedShare) -> f64| -> Vec<f64> {
            self.rows.iter().map(value).collect()
        };
        Ok(df![
            "MCC at least" => of(|r| r.cutoff),
            "learned (%)" => of(|r| 100.0 * r.learned),
            "control (%)" => of(|r| 100.0 * r.control),
        ]?)
    }

    fn title(&self) -> String {
        let [learned, control] = self.n_scored;
        format!(
            "Share of the scored features that a simple predicate explains on held-out tokens \
             ({learned} learned, {control} of the control)"
        )
    }
}

impl fmt::Display for ExplainedShares {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.title())?;
        for row in &self.rows {
            let [learned, control] = [row.learned, row.control].map(|share| 100.0 * share);
            let cutoff = row.cutoff;
            write!(
                f,
                "\nMCC at least {cutoff}: {learned:.1} % learned, {control:.1} % control"
            )?;
        }
        Ok(())
    }
}

shows_itself!(ExplainedShares, |it| Table::new(it.frame()?)
    .caption(it.title()));

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::Show;

    #[test]
    fn shares_are_of_the_scored_features() {
        let of = |all_mcc: &[f64]| InterpretableFeatures {
            features: Vec::new(),
            n_features: 10,
            n_scored: all_mcc.len(),
            all_mcc: all_mcc.to_vec(),
            n_tokens: 100,
        };
        let shares = of(&[0.95, 0.7, 0.6, 0.1]).beside(&of(&[0.55, 0.2]));
        let rows: Vec<[f64; 3]> = shares
            .rows
            .iter()
            .map(|r| [r.cutoff, r.learned, r.control])
            .collect();
        assert_eq!(rows, [[0.5, 0.75, 0.5], [0.7, 0.5, 0.0], [0.9, 0.25, 0.0]]);
        assert!(
            shares
                .to_string()
                .contains("at least 0.5: 75.0 % learned, 50.0 % control")
        );
        assert_eq!(shares.frame().unwrap().shape(), (3, 3));
        let shown = shares.mime_bundle().unwrap();
        assert!(
            shown
                .get("text/html")
                .unwrap()
                .contains("4 learned, 2 of the control")
        );
        assert!(of(&[]).beside(&of(&[])).rows[0].learned.is_nan());
    }
}
