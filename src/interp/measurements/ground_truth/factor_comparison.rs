//! Several dictionaries against the same known factors, one row a dictionary.

use super::factor_scores::FactorScores;
use crate::error::{Error, Result};
use crate::show::{Table, shows_itself};
use polars::prelude::{DataFrame, df};
use std::fmt;

/// One dictionary's scores.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedFactorScores {
    pub name: String,
    pub scores: FactorScores,
}

/// The scores of several dictionaries, in the order in which they were added.
///
/// ```no_run
/// # use holoscope::prelude::*;
/// # fn f(learned: HookedSae, data: Dataset) -> Result<()> {
/// let mut truth = FactorComparison::default();
/// truth.push("learned", learned.factor_scores(&data.val)?);
/// let random = learned.control(Control::Random, &data.train, 32.0)?;
/// truth.push("random directions", random.factor_scores(&data.val)?);
/// truth.evcxr_display();
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FactorComparison {
    pub rows: Vec<NamedFactorScores>,
}

impl FactorComparison {
    /// Adds a dictionary's scores.
    pub fn push(&mut self, name: &str, scores: FactorScores) {
        let name = name.to_owned();
        self.rows.push(NamedFactorScores { name, scores });
    }

    /// The scores of the dictionary of that name, the first if there are several.
    ///
    /// # Errors
    /// [`Error::NotFound`] with the names that there are.
    pub fn get(&self, name: &str) -> Result<FactorScores> {
        let found = self.rows.iter().find(|row| row.name == name);
        let known = || self.rows.iter().map(|row| row.name.clone()).collect();
        found
            .map(|row| row.scores.clone())
            .ok_or_else(|| Error::NotFound {
                kind: "dictionary",
                name: name.to_owned(),
                known: known(),
            })
    }

    /// One row a dictionary: `dictionary`, `mean F1`, `mean AUC`, `mean max correlation`.
    ///
    /// # Errors
    /// [`Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        let of = |value: fn(&FactorScores) -> f64| -> Vec<f64> {
            self.rows.iter().map(|row| value(&row.scores)).collect()
        };
        Ok(df![
            "dictionary" => self.rows.iter().map(|row| row.name.clone()).collect::<Vec<String>>(),
            "mean F1" => of(FactorScores::mean_f1),
            "mean AUC" => of(FactorScores::mean_auc),
            "mean max correlation" => of(FactorScores::mean_max_correlation),
        ]?)
    }
}

const TITLE: &str =
    "The best single feature for each value of each factor, on the half that did not choose it";

impl fmt::Display for FactorComparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(TITLE)?;
        for row in &self.rows {
            write!(f, "\n{}: {}", row.name, row.scores)?;
        }
        Ok(())
    }
}

shows_itself!(FactorComparison, |it| Table::new(it.frame()?)
    .head(it.rows.len())
    .caption(TITLE));

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::Show;

    #[test]
    fn dictionaries_are_rows_by_name() {
        let none = || FactorScores {
            scores: Vec::new(),
            n_tokens: 10,
        };
        let mut all = FactorComparison::default();
        all.push("a", none());
        all.push("b", none());
        assert_eq!(all.frame().unwrap().shape(), (2, 4));
        assert_eq!(all.get("b").unwrap(), none());
        let said = all.get("c").unwrap_err().to_string();
        assert!(said.contains("there are: a, b"), "{said}");
        let shown = all.mime_bundle().unwrap();
        assert!(
            shown
                .get("text/html")
                .unwrap()
                .contains("mean max correlation")
        );
    }
}
