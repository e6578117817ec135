//! Several dictionaries of one activation side by side, measured on the same tokens.
//! Explained variance, reconstruction score, L0, dead share, recovery of known factors, garden defect.
//! Source: the measures of this folder; ours.

use super::reconstruction::{ReconstructionScore, reconstruction_score_with};
use crate::config::{GROUP, SampleConfig};
use crate::data::TokenSplit;
use crate::error::{Error, Result};
use crate::interp::activations::own_hook;
use crate::interp::descriptions::{FactorRecovery, factor_recovery_with};
use crate::interp::features::feature_frequencies_with;
use crate::model::Transformer;
use crate::sae::{DictionaryDefect, Sae, SparseAutoencoder, garden_defect};
use crate::show::{MimeBundle, NotebookReporter, Show, Table, shows_itself};
use polars::prelude::{DataFrame, df};
use std::collections::BTreeSet;
use std::fmt;

/// One dictionary's figures.
#[derive(Debug, Clone, PartialEq)]
pub struct DictionaryFigures {
    /// What the caller calls it.
    pub name: String,
    /// Number of features.
    pub d_sae: usize,
    /// Losses, explained variance and L0.
    pub reconstruction: ReconstructionScore,
    /// Share of the features active on no token read.
    pub dead_share: f64,
    /// The best single feature for every factor value, where the split has labels.
    pub recovery: Option<FactorRecovery>,
    /// Mean held-out MCC over the factor values that any of the compared dictionaries found; a value
    /// that this one did not find counts 0.
    pub factor_mcc: Option<f64>,
    /// How far the groups of 16 features are from the garden algebra, where there are whole groups.
    pub garden: Option<DictionaryDefect>,
}

/// Figures of several dictionaries on the same tokens, in the order in which they were given.
#[derive(Debug, Clone, PartialEq)]
pub struct DictionaryComparison {
    pub hook_name: String,
    pub dictionaries: Vec<DictionaryFigures>,
    /// Tokens on which reconstruction, L0 and dead share were measured.
    pub n_tokens: usize,
}

/// Compares named autoencoders on every sequence of a split, at the hook point that the first one names.
///
/// Where the split has labels (the embedded corpus), the recovery of the factors that made the text
/// is measured as well, by [`factor_recovery_with`] on the split's first sequences. At unequal L0 or
/// unequal numbers of features the figures say little about the dictionaries' quality.
///
/// ```no_run
/// # use holoscope::prelude::*;
/// # fn compare(model: Transformer, data: Dataset, plain: Sae, tied: Sae) -> Result<()> {
/// compare_dictionaries(&model, &[("TopK", &plain), ("TopK, tied", &tied)], &data.test)?.evcxr_display();
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// A first autoencoder that names no hook point; those of [`compare_dictionaries_with`].
pub fn compare_dictionaries(
    model: &Transformer,
    dictionaries: &[(&str, &Sae)],
    split: &TokenSplit,
) -> Result<DictionaryComparison> {
    let Some((_, first)) = dictionaries.first() else {
        return Err(none_given());
    };
    let named: Vec<(&str, &dyn SparseAutoencoder)> = dictionaries
        .iter()
        .map(|&(name, sae)| (name, sae as &dyn SparseAutoencoder))
        .collect();
    let sample = SampleConfig::default();
    compare_dictionaries_with(model, &named, own_hook(first)?, split, &sample)
}

fn none_given() -> Error {
    Error::argument("dictionaries", "[]", "needs at least one")
}

/// [`compare_dictionaries`] at a hook point, on a sample of a split: the same batches for each dictionary.
///
/// # Errors
/// No dictionary; those of [`reconstruction_score_with`], [`feature_frequencies_with`] and
/// [`factor_recovery_with`].
pub fn compare_dictionaries_with(
    model: &Transformer,
    dictionaries: &[(&str, &dyn SparseAutoencoder)],
    hook_name: &str,
    split: &TokenSplit,
    sample: &SampleConfig,
) -> Result<DictionaryComparison> {
    let reporter = &mut NotebookReporter::new();
    if dictionaries.is_empty() {
        return Err(none_given());
    }
    let mut rows = Vec::new();
    for &(name, sae) in dictionaries {
        let reconstruction = reconstruction_score_with(model, sae, hook_name, split, sample)?;
        let frequencies = feature_frequencies_with(model, sae, hook_name, split, sample, reporter)?;
        let recovery = match split.labels {
            Some(_) => Some(factor_recovery_with(
                model, sae, hook_name, split, reporter,
            )?),
            None => None,
        };
        rows.push(DictionaryFigures {
            name: name.to_owned(),
            d_sae: sae.d_sae(),
            reconstruction,
            dead_share: frequencies.dead_share,
            recovery,
            factor_mcc: None,
            garden: match sae.d_sae().is_multiple_of(GROUP) {
                true => Some(garden_defect(sae)?),
                false => None,
            },
        });
    }
    score_factors(&mut rows);
    Ok(DictionaryComparison {
        hook_name: hook_name.to_owned(),
        n_tokens: rows[0].reconstruction.n_tokens,
        dictionaries: rows,
    })
}

/// Fills in `factor_mcc` over the values that any dictionary found, so that one which finds only the
/// easy values does not look better for it.
fn score_factors(rows: &mut [DictionaryFigures]) {
    let found: BTreeSet<(String, String)> = rows
        .iter()
        .filter_map(|row| row.recovery.as_ref())
        .flat_map(|recovery| &recovery.factors)
        .map(|f| (f.factor.clone(), f.value.clone()))
        .collect();
    for row in rows {
        let Some(recovery) = row.recovery.as_ref().filter(|_| !found.is_empty()) else {
            continue;
        };
        let sum: f64 = recovery.factors.iter().map(|f| f.held_out.mcc()).sum();
        row.factor_mcc = Some(sum / found.len() as f64);
    }
}

impl DictionaryComparison {
    /// One row a dictionary; what could not be measured is null.
    ///
    /// # Errors
    /// [`Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        let of = |part: &dyn Fn(&DictionaryFigures) -> f64| -> Vec<f64> {
            self.dictionaries.iter().map(part).collect()
        };
        let maybe = |part: &dyn Fn(&DictionaryFigures) -> Option<f64>| -> Vec<Option<f64>> {
            self.dictionaries.iter().map(part).collect()
        };
        let count = |part: &dyn Fn(&DictionaryFigures) -> Option<u32>| -> Vec<Option<u32>> {
            self.dictionaries.iter().map(part).collect()
        };
        let names: Vec<&str> = self.dictionaries.iter().map(|d| d.name.as_str()).collect();
        Ok(df![
            "dictionary" => names,
            "features" => count(&|d| Some(d.d_sae as u32)),
            "explained variance" => of(&|d| d.reconstruction.explained_variance),
            "score" => of(&|d| d.reconstruction.score),
            "loss (nats/token)" => of(&|d| d.reconstruction.recons),
            "L0" => of(&|d| d.reconstruction.l0),
            "dead share" => of(&|d| d.dead_share),
            "factor MCC" => maybe(&|d| d.factor_mcc),
            "values found" => count(&|d| Some(d.recovery.as_ref()?.factors.len() as u32)),
            "garden defect" => maybe(&|d| Some(d.garden.as_ref()?.mean_closure())),
            "holoraumy" => maybe(&|d| Some(d.garden.as_ref()?.mean_holoraumy())),
        ]?)
    }

    /// The figures of the dictionary of that name, the first if there are several.
    ///
    /// # Errors
    /// [`Error::NotFound`] with the names that there are.
    pub fn get(&self, name: &str) -> Result<&DictionaryFigures> {
        let names = || self.dictionaries.iter().map(|d| d.name.clone()).collect();
        self.dictionaries
            .iter()
            .find(|d| d.name == name)
            .ok_or_else(|| Error::NotFound {
                kind: "dictionary",
                name: name.to_owned(),
                known: names(),
            })
    }
}

impl fmt::Display for DictionaryComparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} dictionaries at {} on {} tokens",
            self.dictionaries.len(),
            self.hook_name,
            self.n_tokens
        )?;
        for d in &self.dictionaries {
            write!(
                f,
                "\n{}: explained variance {:.3}, reconstruction score {:.2} %, L0 {:.1}, dead {:.1} %",
                d.name,
                d.reconstruction.explained_variance,
                100.0 * d.reconstruction.score,
                d.reconstruction.l0,
                100.0 * d.dead_share
            )?;
            if let Some(mcc) = d.factor_mcc {
                write!(f, ", factor MCC {mcc:.3}")?;
            }
            if let Some(garden) = &d.garden {
                write!(
                    f,
                    ", garden defect {:.4}, holoraumy {:.4}",
                    garden.mean_closure(),
                    garden.mean_holoraumy()
                )?;
            }
        }
        Ok(())
    }
}

shows_itself!(DictionaryComparison);

impl Show for DictionaryComparison {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        let text = self.to_string();
        let caption = text.lines().next().unwrap_or_default();
        Ok(Table::new(self.frame()?)
            .gradient("explained variance")
            .caption(caption)
            .mime_bundle()?
            .with("text/plain", text.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interp::descriptions::RecoveredFactor;
    use crate::interp::{ActivationSign, Contingency};

    fn figures(name: &str, values: &[(&str, Contingency)]) -> DictionaryFigures {
        let factors = values
            .iter()
            .map(|(value, held_out)| RecoveredFactor {
                factor: "topic".to_owned(),
                value: (*value).to_owned(),
                feature_id: 0,
                sign: ActivationSign::Positive,
                threshold: 0.0,
                held_out: *held_out,
            })
            .collect();
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
                explained_variance: 0.5,
                n_tokens: 100,
            },
            dead_share: 0.0,
            recovery: Some(FactorRecovery {
                factors,
                n_tokens: 100,
            }),
            factor_mcc: None,
            garden: None,
        }
    }

    #[test]
    fn a_value_that_only_another_dictionary_found_counts_zero() {
        // Active exactly where the factor holds: MCC 1.
        let perfect = Contingency::new(20, 20, 20, 100);
        let mut rows = [
            figures("both", &[("king", perfect), ("sea", perfect)]),
            figures("one", &[("king", perfect)]),
        ];
        score_factors(&mut rows);
        let mcc = rows.each_ref().map(|row| row.factor_mcc.unwrap());
        assert!(
            (mcc[0] - 1.0).abs() < 1e-12 && (mcc[1] - 0.5).abs() < 1e-12,
            "{mcc:?}"
        );
        let comparison = DictionaryComparison {
            hook_name: "hook_embed".to_owned(),
            dictionaries: rows.to_vec(),
            n_tokens: 100,
        };
        assert_eq!(comparison.frame().unwrap().shape(), (2, 11));
        assert_eq!(comparison.get("one").unwrap().d_sae, 8);
        assert!(matches!(
            comparison.get("none"),
            Err(Error::NotFound { .. })
        ));
        let html = comparison.mime_bundle().unwrap();
        assert!(html.get("text/html").unwrap().contains("factor MCC"));
    }
}
