//! The same comparison of dictionaries for several seeds, as means with their ranges.

use super::comparison::{DictionaryComparison, DictionaryFigures};
use crate::error::{Error, Result};
use crate::show::{MimeBundle, Show, Table, shows_itself};
use polars::prelude::{DataFrame, df};
use std::fmt;

/// Mean, smallest and largest of one figure over seeds; shown as `0.95 (0.94 to 0.96)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SeedRange {
    pub mean: f64,
    pub low: f64,
    pub high: f64,
}

impl SeedRange {
    /// The range of some values; NaN where there is none, or one is NaN.
    pub fn of(values: &[f64]) -> SeedRange {
        let [low, high] = [f64::min, f64::max].map(|pick: fn(f64, f64) -> f64| {
            let nan = values.is_empty() || values.iter().any(|v| v.is_nan());
            let found = values.iter().copied().reduce(pick);
            if nan {
                f64::NAN
            } else {
                found.unwrap_or(f64::NAN)
            }
        });
        SeedRange {
            mean: values.iter().sum::<f64>() / values.len() as f64,
            low,
            high,
        }
    }

    /// Whether every value here is larger than every one there: more than the spread over seeds.
    pub fn is_above(&self, other: &SeedRange) -> bool {
        self.low > other.high
    }
}

impl fmt::Display for SeedRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!(
            "{:.3} ({:.3} to {:.3})",
            self.mean, self.low, self.high
        ))
    }
}

/// One dictionary's figures over seeds.
#[derive(Debug, Clone, PartialEq)]
pub struct SeedFigures {
    pub name: String,
    pub explained_variance: SeedRange,
    /// Share of the cross-entropy that zero ablation costs and the reconstruction gives back.
    pub score: SeedRange,
    pub l0: SeedRange,
    /// Recovery of the known factors, where every run has it.
    pub factor_mcc: Option<SeedRange>,
}

/// Several dictionaries, each trained with several seeds.
#[derive(Debug, Clone, PartialEq)]
pub struct ComparisonOverSeeds {
    pub n_seeds: usize,
    pub rows: Vec<SeedFigures>,
}

impl DictionaryComparison {
    /// The figures of each dictionary over `runs`, one a seed, in the order of the first.
    ///
    /// # Errors
    /// No run; a dictionary of the first that another run does not have.
    pub fn over_seeds(runs: &[DictionaryComparison]) -> Result<ComparisonOverSeeds> {
        let Some(first) = runs.first() else {
            return Err(Error::argument("runs", "[]", "needs at least one"));
        };
        let rows = first.dictionaries.iter().map(|d| of_name(runs, &d.name));
        Ok(ComparisonOverSeeds {
            n_seeds: runs.len(),
            rows: rows.collect::<Result<_>>()?,
        })
    }
}

fn of_name(runs: &[DictionaryComparison], name: &str) -> Result<SeedFigures> {
    let all = runs.iter().map(|run| run.get(name));
    let all = all.collect::<Result<Vec<&DictionaryFigures>>>()?;
    let range = |of: fn(&DictionaryFigures) -> f64| {
        SeedRange::of(&all.iter().map(|d| of(d)).collect::<Vec<f64>>())
    };
    let factors: Option<Vec<f64>> = all.iter().map(|d| d.factor_mcc).collect();
    Ok(SeedFigures {
        name: name.to_owned(),
        explained_variance: range(|d| d.reconstruction.explained_variance),
        score: range(|d| d.reconstruction.score),
        l0: range(|d| d.reconstruction.l0),
        factor_mcc: factors.map(|values| SeedRange::of(&values)),
    })
}

impl ComparisonOverSeeds {
    /// The figures of the dictionary of that name.
    ///
    /// # Errors
    /// [`Error::NotFound`] with the names that there are.
    pub fn get(&self, name: &str) -> Result<SeedFigures> {
        let found = self.rows.iter().find(|row| row.name == name).cloned();
        let known = || self.rows.iter().map(|row| row.name.clone()).collect();
        found.ok_or_else(|| Error::NotFound {
            kind: "dictionary",
            name: name.to_owned(),
            known: known(),
        })
    }

    /// One row a dictionary: each figure's mean under its name, its range under `NAME low` and `NAME high`.
    ///
    /// # Errors
    /// [`Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        let of = |value: fn(&SeedFigures) -> f64| self.rows.iter().map(value).collect::<Vec<f64>>();
        let factor = |value: fn(&SeedRange) -> f64| {
            let all = self
                .rows
                .iter()
                .map(|row| row.factor_mcc.as_ref().map(value));
            all.collect::<Vec<Option<f64>>>()
        };
        Ok(df![
            "dictionary" => self.rows.iter().map(|row| row.name.clone()).collect::<Vec<String>>(),
            "explained variance" => of(|r| r.explained_variance.mean),
            "explained variance low" => of(|r| r.explained_variance.low),
            "explained variance high" => of(|r| r.explained_variance.high),
            "score" => of(|r| r.score.mean),
            "score low" => of(|r| r.score.low),
            "score high" => of(|r| r.score.high),
            "L0" => of(|r| r.l0.mean),
            "factor MCC" => factor(|r| r.mean),
            "factor MCC low" => factor(|r| r.low),
            "factor MCC high" => factor(|r| r.high),
        ]?)
    }
}

impl fmt::Display for ComparisonOverSeeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mean (range) over {} seeds", self.n_seeds)?;
        for row in &self.rows {
            write!(
                f,
                "\n{}: explained variance {}, score {}",
                row.name, row.explained_variance, row.score
            )?;
            if let Some(mcc) = row.factor_mcc {
                write!(f, ", factor MCC {mcc}")?;
            }
        }
        Ok(())
    }
}

shows_itself!(ComparisonOverSeeds);

impl Show for ComparisonOverSeeds {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        let text =
            |of: fn(&SeedFigures) -> String| -> Vec<String> { self.rows.iter().map(of).collect() };
        let mut frame = df![
            "dictionary" => text(|r| r.name.clone()),
            "explained variance" => text(|r| r.explained_variance.to_string()),
            "score" => text(|r| r.score.to_string()),
        ]?;
        if self.rows.iter().any(|row| row.factor_mcc.is_some()) {
            let factors = text(|r| r.factor_mcc.map_or(String::new(), |mcc| mcc.to_string()));
            frame.with_column(polars::prelude::Column::new("factor MCC".into(), factors))?;
        }
        Ok(Table::new(frame)
            .caption(format!("Mean (range) over {} seeds", self.n_seeds))
            .mime_bundle()?
            .with("text/plain", self.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::reconstruction::ReconstructionScore;
    use super::*;

    fn run(figures: &[(&str, f64, Option<f64>)]) -> DictionaryComparison {
        let one = |&(name, explained_variance, factor_mcc): &(&str, f64, Option<f64>)| {
            DictionaryFigures {
                name: name.to_owned(),
                d_sae: 8,
                reconstruction: ReconstructionScore {
                    hook_name: "hook_embed".to_owned(),
                    loss: 1.0,
                    recons: 1.5,
                    zero_abl: 3.0,
                    mean_abl: 2.0,
                    score: 0.75,
                    l0: 4.0,
                    explained_variance,
                    n_tokens: 100,
                },
                dead_share: 0.0,
                recovery: None,
                factor_mcc,
                garden: None,
            }
        };
        DictionaryComparison {
            hook_name: "hook_embed".to_owned(),
            dictionaries: figures.iter().map(one).collect(),
            n_tokens: 100,
        }
    }

    #[test]
    fn means_and_ranges_are_by_dictionary() {
        let runs = [
            run(&[("plain", 0.5, Some(0.1)), ("tied", 0.875, None)]),
            run(&[("tied", 0.75, Some(0.2)), ("plain", 0.625, Some(0.3))]),
        ];
        let over = DictionaryComparison::over_seeds(&runs).unwrap();
        let [plain, tied] = ["plain", "tied"].map(|name| over.get(name).unwrap());
        let explained = plain.explained_variance;
        assert_eq!(
            [explained.low, explained.mean, explained.high],
            [0.5, 0.5625, 0.625]
        );
        assert!(tied.explained_variance.is_above(&plain.explained_variance));
        assert!(!plain.score.is_above(&tied.score));
        assert!((plain.factor_mcc.unwrap().mean - 0.2).abs() < 1e-12 && tied.factor_mcc.is_none());
        assert_eq!(
            tied.explained_variance.to_string(),
            "0.812 (0.750 to 0.875)"
        );
        assert_eq!(over.frame().unwrap().shape(), (2, 11));
        let shown = over.mime_bundle().unwrap();
        assert!(shown.get("text/html").unwrap().contains("over 2 seeds"));
        assert!(over.get("none").is_err());
        assert!(DictionaryComparison::over_seeds(&[]).is_err());
        assert!(DictionaryComparison::over_seeds(&[runs[0].clone(), run(&[])]).is_err());
    }

    #[test]
    fn a_nan_is_never_left_out_of_a_range() {
        let range = SeedRange::of(&[1.0, f64::NAN]);
        assert!(range.mean.is_nan() && range.low.is_nan() && range.high.is_nan());
        assert!(SeedRange::of(&[]).low.is_nan());
    }
}
