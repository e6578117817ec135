//! Does the dictionary find the factors that generated the text? For a corpus with known labels.
//! For each factor value the feature and threshold of highest MCC on half A, scored on half B.
//! Source: ours; the max-over-features score of Sharkey et al. 2022 with labels instead of directions.

use super::interpretable::{MAX_SEQUENCES, SearchTime, above_thresholds, counts};
use super::predicate::{Predicate, PredicateIndex};
use crate::data::TokenSplit;
use crate::error::{Error, Result};
use crate::interp::activation_sign::{ActivationSign, sign_column};
use crate::interp::activations::SparseActivations;
use crate::interp::statistics::Contingency;
use crate::model::Transformer;
use crate::progress::Reporter;
use crate::sae::SparseAutoencoder;
use crate::show::{MimeBundle, NotebookReporter, Show, Table, shows_itself};
use polars::prelude::df;
use std::fmt;

/// A factor value with the feature that goes with it best.
#[derive(Debug, Clone, PartialEq)]
pub struct RecoveredFactor {
    pub factor: String,
    pub value: String,
    pub feature_id: usize,
    /// Which part of the feature it is: of AbsTopK's features the two signs are two detectors.
    pub sign: ActivationSign,
    /// The feature counts as active above this; its negative part, where the activation is below `-threshold`.
    pub threshold: f32,
    /// Feature against factor on the second half of the tokens.
    pub held_out: Contingency,
}

/// The best single feature for every value of every factor, by held-out MCC, the largest first.
#[derive(Debug, Clone, PartialEq)]
pub struct FactorRecovery {
    pub factors: Vec<RecoveredFactor>,
    /// Tokens read; the first half chooses, the second scores.
    pub n_tokens: usize,
}

/// Finds the best feature for each value of each labelled factor of `split`. Value 0 of a factor
/// means that it is absent and is not looked for; values that never occur in the first half, or
/// of which no feature with enough active tokens knows anything, are left out. Of a feature with signed activations
/// (AbsTopK) the positive and the negative part are two detectors, of which each is a candidate.
///
/// # Errors
/// A split without labels; [`Error::Interrupted`] during the search, as the best of some features
/// is not the best of all; otherwise as [`super::interpretable_features`].
pub fn factor_recovery(
    model: &Transformer,
    sae: &dyn SparseAutoencoder,
    hook_name: &str,
    split: &TokenSplit,
) -> Result<FactorRecovery> {
    factor_recovery_with(model, sae, hook_name, split, &mut NotebookReporter::new())
}

/// [`factor_recovery`] with its progress shown by `reporter`.
///
/// # Errors
/// Those of [`factor_recovery`].
pub fn factor_recovery_with(
    model: &Transformer,
    sae: &dyn SparseAutoencoder,
    hook_name: &str,
    split: &TokenSplit,
    reporter: &mut dyn Reporter,
) -> Result<FactorRecovery> {
    if split.labels.is_none() {
        return Err(Error::argument(
            "split",
            "without labels",
            "factor recovery needs a corpus with known factors, such as the embedded one",
        ));
    }
    let acts = SparseActivations::collect(model, sae, hook_name, split, MAX_SEQUENCES, reporter)?;
    let index = label_index(split, &acts)?;
    let time = SearchTime::begin();
    let best = best_on_first_half(&acts, &index, &|| time.is_up(reporter))?;
    let second = index.totals(acts.boundary()..acts.tokens.len());
    let mut factors: Vec<RecoveredFactor> = best
        .into_iter()
        .enumerate()
        .filter_map(|(p, choice)| on_second_half(&acts, &index, (p, second[p]), choice?))
        .collect();
    factors.sort_by(|a, b| b.held_out.mcc().total_cmp(&a.held_out.mcc()));
    Ok(FactorRecovery {
        factors,
        n_tokens: acts.tokens.len(),
    })
}

/// A detector and the threshold above which it counts as active, with their score.
#[derive(Debug, Clone, Copy)]
struct Choice {
    mcc: f64,
    detector: usize,
    threshold: f32,
}

/// The choice of highest MCC on the first half, for each predicate that a feature knows of.
fn best_on_first_half(
    acts: &SparseActivations,
    index: &PredicateIndex,
    stop: &dyn Fn() -> bool,
) -> Result<Vec<Option<Choice>>> {
    let boundary = acts.boundary();
    let totals = index.totals(0..boundary);
    let mut best: Vec<Option<Choice>> = vec![None; index.predicates.len()];
    for (detector, active) in acts.detectors.iter().enumerate() {
        if stop() {
            let what = "the search for factors";
            return Err(Error::Interrupted { what });
        }
        let cut = active.partition_point(|&(t, _)| (t as usize) < boundary);
        for (threshold, tokens) in above_thresholds(&active[..cut]) {
            for (p, both) in counts(index, &tokens) {
                let p = p as usize;
                let n_active = tokens.len() as u64;
                let mcc = Contingency::new(both, n_active, totals[p], boundary as u64).mcc();
                if best[p].is_none_or(|choice| mcc > choice.mcc) {
                    best[p] = Some(Choice {
                        mcc,
                        detector,
                        threshold,
                    });
                }
            }
        }
    }
    Ok(best)
}

/// A choice for predicate `p`, true for `holds` tokens of the second half, scored on that half;
/// `None` if `p` is no factor's value.
fn on_second_half(
    acts: &SparseActivations,
    index: &PredicateIndex,
    (p, holds): (usize, u64),
    choice: Choice,
) -> Option<RecoveredFactor> {
    let Predicate::Factor { factor, value } = &index.predicates[p] else {
        return None;
    };
    let (boundary, n) = (acts.boundary(), acts.tokens.len());
    let active = acts.detectors[choice.detector]
        .iter()
        .filter(|(t, act)| *t as usize >= boundary && *act > choice.threshold);
    let (mut n_active, mut both) = (0, 0);
    for (t, _) in active {
        n_active += 1;
        both += u64::from(index.at(*t as usize).contains(&(p as u32)));
    }
    let (feature_id, sign) = acts.feature_of(choice.detector);
    Some(RecoveredFactor {
        factor: factor.clone(),
        value: value.clone(),
        feature_id,
        sign,
        threshold: choice.threshold,
        held_out: Contingency::new(both, n_active, holds, (n - boundary) as u64),
    })
}

/// Which factor values hold at each token.
fn label_index(split: &TokenSplit, acts: &SparseActivations) -> Result<PredicateIndex> {
    let mut rows = vec![Vec::new(); acts.tokens.len()];
    let labels = split.labels.clone().unwrap_or_default();
    for factor in &labels.factors {
        for i in 0..acts.n_sequences() {
            let values = split.sequence_labels(&factor.name, i, acts.n_ctx)?; // [n_ctx]
            for (p, &value) in values.iter().enumerate().filter(|(_, v)| **v > 0) {
                rows[i * acts.n_ctx + p].push(Predicate::Factor {
                    factor: factor.name.clone(),
                    value: factor.values[value as usize].clone(),
                });
            }
        }
    }
    Ok(PredicateIndex::of_rows(rows))
}

impl FactorRecovery {
    /// Mean held-out MCC over the factor values; NaN when there is none.
    pub fn mean_mcc(&self) -> f64 {
        let sum: f64 = self.factors.iter().map(|f| f.held_out.mcc()).sum();
        sum / self.factors.len() as f64
    }
}

impl fmt::Display for FactorRecovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let high = self
            .factors
            .iter()
            .filter(|r| r.held_out.mcc() >= 0.5)
            .count();
        write!(
            f,
            "{} factor values on {} tokens: mean held-out MCC of the best single feature {:.2}, \
             at least 0.5 for {high}",
            self.factors.len(),
            self.n_tokens,
            self.mean_mcc()
        )
    }
}

shows_itself!(FactorRecovery);

impl Show for FactorRecovery {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        let of = |part: fn(&RecoveredFactor) -> f64| -> Vec<f64> {
            self.factors.iter().map(part).collect()
        };
        let text = |part: fn(&RecoveredFactor) -> String| -> Vec<String> {
            self.factors.iter().map(part).collect()
        };
        let mut frame = df![
            "factor" => text(|r| r.factor.clone()),
            "value" => text(|r| r.value.clone()),
            "feature" => self.factors.iter().map(|r| r.feature_id as u32).collect::<Vec<u32>>(),
            "MCC" => of(|r| r.held_out.mcc()),
            "precision" => of(|r| r.held_out.precision()),
            "recall" => of(|r| r.held_out.recall()),
            "F1" => of(|r| r.held_out.f1()),
            "base rate" => of(|r| r.held_out.base_rate()),
        ]?;
        let signs: Vec<ActivationSign> = self.factors.iter().map(|r| r.sign).collect();
        if let Some(column) = sign_column("sign", &signs) {
            frame.insert_column(3, column)?;
        }
        Ok(Table::new(frame)
            .gradient_within("MCC", -1.0, 1.0)
            .caption(self.to_string())
            .mime_bundle()?
            .with("text/plain", self.to_string()))
    }
}
