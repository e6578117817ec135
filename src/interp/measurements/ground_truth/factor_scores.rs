//! The best single feature for every value of every known factor: precision, recall, F1, AUC, correlation.
//! Features and thresholds are chosen on the first half of the sequences and scored on the second.
//! Source: SAEBench's and SynthSAEBench's scores of the best feature, with labels in place of directions.

use super::feature_statistics::{Stretch, TokenProperties};
use crate::data::TokenSplit;
use crate::error::{Error, Result};
use crate::interp::activation_sign::ActivationSign;
use crate::interp::activations::SparseActivations;
use crate::interp::descriptions::MAX_SEQUENCES;
use crate::interp::statistics::Contingency;
use crate::model::Transformer;
use crate::progress::Reporter;
use crate::sae::SparseAutoencoder;
use crate::show::NotebookReporter;
use rayon::prelude::*;

/// One value of one factor.
#[derive(Debug, Clone, PartialEq)]
pub struct FactorScore {
    pub factor: String,
    pub value: String,
    /// Feature, part of it, and threshold of highest F1 on the first half. Its negative part counts as active where the
    /// activation is below `-threshold`.
    pub feature_id: usize,
    pub sign: ActivationSign,
    pub threshold: f32,
    /// That feature against the factor on the second half; precision, recall and F1 are its methods.
    pub held_out: Contingency,
    /// Feature of highest AUC on the first half; none where no feature has one.
    pub auc_feature_id: Option<usize>,
    /// Which part of that feature.
    pub auc_sign: ActivationSign,
    /// That feature's AUC on the second half; NaN where there is none.
    pub auc: f64,
    /// Feature of highest correlation on the first half; none where no feature has one.
    pub correlation_feature_id: Option<usize>,
    /// Which part of that feature.
    pub correlation_sign: ActivationSign,
    /// That feature's correlation on the second half; NaN where it is silent there.
    pub correlation: f64,
}

/// Every value of every factor, the highest F1 first.
#[derive(Debug, Clone, PartialEq)]
pub struct FactorScores {
    pub scores: Vec<FactorScore>,
    /// Tokens read; the first half chooses, the second scores.
    pub n_tokens: usize,
}

/// Scores the best features for the factors of a labelled split, such as the embedded corpus's.
///
/// Value 0 of a factor means that it is absent and is not scored; neither are values that do not occur in
/// both halves. Of a feature with signed activations (AbsTopK) the positive part, `max(act, 0)`, and the negative part,
/// `max(-act, 0)`, are two detectors, of which each is a candidate: one feature may stand for two factors. An autoencoder
/// without an active feature has no best ones and is an error.
///
/// # Errors
/// A split without labels, an autoencoder of which no feature is active in the first half, an activation
/// that is not finite, an unknown hook point, a split of fewer than two sequences.
pub fn factor_scores(
    model: &Transformer,
    sae: &dyn SparseAutoencoder,
    hook_name: &str,
    split: &TokenSplit,
) -> Result<FactorScores> {
    factor_scores_with(model, sae, hook_name, split, &mut NotebookReporter::new())
}

/// [`factor_scores`] with its progress shown by `reporter`.
///
/// # Errors
/// Those of [`factor_scores`].
pub fn factor_scores_with(
    model: &Transformer,
    sae: &dyn SparseAutoencoder,
    hook_name: &str,
    split: &TokenSplit,
    reporter: &mut dyn Reporter,
) -> Result<FactorScores> {
    if split.labels.is_none() {
        return Err(Error::argument(
            "split",
            "without labels",
            "scores of factors need a corpus with known factors, such as the embedded one",
        ));
    }
    let acts = SparseActivations::collect(model, sae, hook_name, split, MAX_SEQUENCES, reporter)?;
    let (names, properties) = labelled_tokens(split, &acts)?;
    let name = |detector| acts.feature_of(detector);
    let scores = scored(&acts.detectors, &name, &names, &properties, acts.boundary())?;
    Ok(FactorScores {
        scores,
        n_tokens: acts.tokens.len(),
    })
}

/// Names of the factor values, and which hold at each token.
fn labelled_tokens(
    split: &TokenSplit,
    acts: &SparseActivations,
) -> Result<(Vec<(String, String)>, TokenProperties)> {
    let labels = split.labels.clone().unwrap_or_default();
    let mut names = Vec::new();
    let mut of_token = vec![Vec::new(); acts.tokens.len()];
    for factor in &labels.factors {
        let first = names.len();
        for value in factor.values.iter().skip(1) {
            names.push((factor.name.clone(), value.clone()));
        }
        for i in 0..acts.n_sequences() {
            let values = split.sequence_labels(&factor.name, i, acts.n_ctx)?;
            for (p, &value) in values.iter().enumerate().filter(|(_, v)| **v > 0) {
                of_token[i * acts.n_ctx + p].push((first + usize::from(value) - 1) as u16);
            }
        }
    }
    let n_properties = names.len();
    Ok((
        names,
        TokenProperties {
            n_properties,
            of_token,
        },
    ))
}

/// The best of the features for one property, by each measure.
#[derive(Debug, Clone, Copy)]
struct Best {
    /// F1, feature, threshold.
    f1: (f64, usize, f32),
    auc: (f64, usize),
    correlation: (f64, usize),
}

impl Best {
    const NONE: Best = Best {
        f1: (f64::NEG_INFINITY, usize::MAX, 0.0),
        auc: (f64::NEG_INFINITY, usize::MAX),
        correlation: (f64::NEG_INFINITY, usize::MAX),
    };

    /// The better of each; of equal ones the lower feature, whatever thread found it first.
    fn or(self, other: Best) -> Best {
        let better = |a: (f64, usize), b: (f64, usize)| b.0 > a.0 || (b.0 == a.0 && b.1 < a.1);
        let f1 = |x: &Best| (x.f1.0, x.f1.1);
        Best {
            f1: if better(f1(&self), f1(&other)) {
                other.f1
            } else {
                self.f1
            },
            auc: if better(self.auc, other.auc) {
                other.auc
            } else {
                self.auc
            },
            correlation: if better(self.correlation, other.correlation) {
                other.correlation
            } else {
                self.correlation
            },
        }
    }
}

fn best_of_all(features: &[Vec<(u32, f32)>], first: &Stretch) -> Vec<Best> {
    let n = first.properties.n_properties;
    let of_feature = |(feature, entries): (usize, &Vec<(u32, f32)>)| {
        let ranked = first.ranked(entries);
        if ranked.is_empty() {
            return vec![Best::NONE; n];
        }
        let thresholds = first.best_thresholds(&ranked);
        let (auc, correlation) = (first.auc(&ranked), first.correlation(&ranked));
        // A NaN, of a property that never holds or a feature that is constant, is no candidate.
        let known = |v: f64| if v.is_nan() { f64::NEG_INFINITY } else { v };
        (0..n)
            .map(|p| Best {
                f1: (known(thresholds[p].0), feature, thresholds[p].1),
                auc: (known(auc[p]), feature),
                correlation: (known(correlation[p]), feature),
            })
            .collect()
    };
    let merge = |a: Vec<Best>, b: Vec<Best>| a.iter().zip(&b).map(|(x, y)| x.or(*y)).collect();
    features
        .par_iter()
        .enumerate()
        .map(of_feature)
        .reduce(|| vec![Best::NONE; n], merge)
}

/// Chooses on the tokens before `boundary` and scores on the others; `part_of` gives a detector's feature and sign.
fn scored(
    features: &[Vec<(u32, f32)>],
    part_of: &dyn Fn(usize) -> (usize, ActivationSign),
    names: &[(String, String)],
    properties: &TokenProperties,
    boundary: usize,
) -> Result<Vec<FactorScore>> {
    let first = Stretch::new(properties, 0, boundary);
    let second = Stretch::new(properties, boundary, properties.of_token.len());
    if features
        .iter()
        .all(|entries| first.ranked(entries).is_empty())
    {
        let reason = "no feature is active on the first half of the tokens";
        return Err(Error::argument("active features", 0, reason));
    }
    let best = best_of_all(features, &first);
    let mut scores: Vec<FactorScore> = (0..names.len())
        .filter(|p| first.holds[*p] > 0 && second.holds[*p] > 0)
        .map(|p| {
            let Best {
                f1,
                auc,
                correlation,
            } = best[p];
            let known = |feature: usize| (feature < features.len()).then_some(feature);
            let ranked = |feature: usize| {
                // No feature has a defined correlation where all of them are constant.
                features
                    .get(feature)
                    .map_or(Vec::new(), |e| second.ranked(e))
            };
            let (feature_id, sign) = part_of(f1.1);
            let named = |detector: usize| known(detector).map(part_of);
            let (of_auc, of_correlation) = (named(auc.1), named(correlation.1));
            let sign_of = |part: Option<(usize, ActivationSign)>| part.unwrap_or_default().1;
            FactorScore {
                factor: names[p].0.clone(),
                value: names[p].1.clone(),
                feature_id,
                sign,
                threshold: f1.2,
                held_out: second.contingency(&ranked(f1.1), f1.2, p),
                auc_feature_id: of_auc.map(|part| part.0),
                auc_sign: sign_of(of_auc),
                auc: known(auc.1).map_or(f64::NAN, |f| second.auc(&ranked(f))[p]),
                correlation_feature_id: of_correlation.map(|part| part.0),
                correlation_sign: sign_of(of_correlation),
                correlation: known(correlation.1)
                    .map_or(f64::NAN, |f| second.correlation(&ranked(f))[p]),
            }
        })
        .collect();
    scores.sort_by(|a, b| b.held_out.f1().total_cmp(&a.held_out.f1()));
    Ok(scores)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Entries = Vec<(u32, f32)>;
    type Names = Vec<(String, String)>;

    /// Property 0 holds on even tokens, property 1 on every fourth; feature 1 knows the first exactly,
    /// feature 2 fires on half of it, feature 0 on all tokens alike.
    fn planted(n: u32) -> (Vec<Entries>, Names, TokenProperties) {
        let features = vec![
            (0..n).map(|t| (t, 1.0)).collect(),
            (0..n)
                .filter(|t| t % 2 == 0)
                .map(|t| (t, 1.0 + t as f32))
                .collect(),
            (0..n).filter(|t| t % 4 == 0).map(|t| (t, 2.0)).collect(),
            Vec::new(),
        ];
        let names = ["even", "fourth", "never"].map(|name| ("t".to_owned(), name.to_owned()));
        let of_token = (0..n)
            .map(|t| match t % 4 {
                0 => vec![0, 1],
                2 => vec![0],
                _ => vec![],
            })
            .collect();
        let properties = TokenProperties {
            n_properties: 3,
            of_token,
        };
        (features, names.to_vec(), properties)
    }

    /// Every detector is a feature.
    fn plain(detector: usize) -> (usize, ActivationSign) {
        (detector, ActivationSign::Positive)
    }

    #[test]
    fn the_planted_features_are_found_and_scored_on_the_other_half() {
        let (features, names, properties) = planted(80);
        let found = scored(&features, &plain, &names, &properties, 40).unwrap();
        // What never holds is not scored.
        assert_eq!(found.len(), 2);
        for (value, feature) in [("even", 1), ("fourth", 2)] {
            let row = found.iter().find(|s| s.value == value).unwrap();
            assert_eq!(row.feature_id, feature, "{row:?}");
            assert_eq!(
                (row.held_out.precision(), row.held_out.recall()),
                (1.0, 1.0)
            );
            assert_eq!((row.auc_feature_id, row.auc), (Some(feature), 1.0));
        }
        // Its activations rise with the token; the constant ones of feature 2 are a perfect copy of
        // the second property.
        let fourth = found.iter().find(|s| s.value == "fourth").unwrap();
        assert_eq!(fourth.correlation_feature_id, Some(2));
        assert!((fourth.correlation - 1.0).abs() < 1e-9);
    }

    #[test]
    fn an_autoencoder_that_is_all_dead_is_an_error() {
        let (_, names, properties) = planted(80);
        let dead = vec![Vec::new(); 4];
        let error = scored(&dead, &plain, &names, &properties, 40).unwrap_err();
        assert!(
            error.to_string().contains("no feature is active"),
            "{error}"
        );
    }
}
