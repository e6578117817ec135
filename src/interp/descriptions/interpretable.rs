//! Which features respond to something simple: an objective search, scored on held-out tokens.
//! For each feature the predicate and threshold of highest MCC on half A; ranked by it, then by
//! the number of tokens explained; reported on half B.
//! Source: ours, after the proxies of Bricken et al. 2023; MCC so that base rates do not help.

use super::feature_summary::{FeatureSummary, TokenExample};
use super::predicate::PredicateIndex;
use crate::data::{TokenSplit, Tokenizer};
use crate::error::{Error, Result};
use crate::interp::activations::{SparseActivations, check_feature};
use crate::interp::statistics::Contingency;
use crate::interp::token_frame::{context, visible_tokens};
use crate::model::Transformer;
use crate::progress::Reporter;
use crate::sae::SparseAutoencoder;
use crate::show::NotebookReporter;
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

/// Sequences read at most: about 32,000 tokens of n_ctx 128.
pub(in crate::interp) const MAX_SEQUENCES: usize = 256;
/// Active tokens that a feature needs on half A: fewer would let chance choose the predicate.
pub(super) const MIN_ACTIVE: usize = 10;
/// A feature counts as active above this share of its largest activation on half A.
pub(super) const THRESHOLDS: [f32; 4] = [0.0, 0.1, 0.25, 0.5];
/// Examples and top tokens of a summary.
const EXAMPLES: usize = 8;
const TOP_TOKENS: usize = 5;

/// The features that respond to something simple, and how many there are.
#[derive(Debug, Clone, PartialEq)]
pub struct InterpretableFeatures {
    /// The best features by rank, one a predicate.
    pub features: Vec<FeatureSummary>,
    /// Features looked at: all of the autoencoder's, unless an interrupt came first; of AbsTopK's each sign on its own.
    pub n_features: usize,
    /// Of these, the ones with enough active tokens to be scored.
    pub n_scored: usize,
    /// Held-out MCC of every scored feature with its predicate, the largest first. `[n_scored]`
    pub all_mcc: Vec<f64>,
    /// Tokens read; the first half chooses, the second scores.
    pub n_tokens: usize,
}

/// Finds the features that simple predicates about the text explain best.
///
/// Reads up to 256 sequences of `split` (one that the autoencoder was not trained on), which are
/// halved. On the first half every feature gets the predicate and the threshold (0, 10, 25 or
/// 50 % of its largest activation) of highest Matthews correlation, and features are ranked by
/// it. Many reach 1.00 with a rare token, so of equal correlations (to two decimals, finer than
/// some tens of tokens can tell) the one that explains more tokens comes first. The `n` best with
/// different predicates are described on the second half, which no choice has seen. Of a feature with
/// signed activations (AbsTopK) the positive and the negative part count as two features. An interrupt
/// gives what is found among the tokens read and the features looked at until then.
///
/// # Errors
/// An unknown hook point, an autoencoder of another width, a split of fewer than two sequences.
pub fn interpretable_features(
    model: &Transformer,
    sae: &dyn SparseAutoencoder,
    hook_name: &str,
    tokenizer: &Tokenizer,
    split: &TokenSplit,
    n: usize,
) -> Result<InterpretableFeatures> {
    interpretable_features_with(
        model,
        sae,
        hook_name,
        tokenizer,
        split,
        n,
        &mut NotebookReporter::new(),
    )
}

/// [`interpretable_features`] with its progress shown by `reporter`.
///
/// # Errors
/// Those of [`interpretable_features`].
pub fn interpretable_features_with(
    model: &Transformer,
    sae: &dyn SparseAutoencoder,
    hook_name: &str,
    tokenizer: &Tokenizer,
    split: &TokenSplit,
    n: usize,
    reporter: &mut dyn Reporter,
) -> Result<InterpretableFeatures> {
    let acts = SparseActivations::collect(model, sae, hook_name, split, MAX_SEQUENCES, reporter)?;
    let search = Search::new(tokenizer, &acts);
    let time = SearchTime::begin();
    let mut found: Vec<(usize, Choice)> = Vec::new();
    let mut n_features = 0;
    for detector in 0..acts.detectors.len() {
        if time.is_up(reporter) {
            break;
        }
        n_features += 1;
        found.extend(search.choose(detector).map(|choice| (detector, choice)));
    }
    found.sort_by_key(|(detector, choice)| (Reverse(choice.rank()), *detector));
    let mut all_mcc: Vec<f64> = found
        .iter()
        .map(|(detector, choice)| search.held_out(*detector, choice).mcc())
        .collect();
    all_mcc.sort_by(|a, b| b.total_cmp(a));
    let mut taken = HashSet::new();
    let features = found
        .iter()
        .filter(|(_, choice)| taken.insert(choice.predicate))
        .take(n)
        .map(|(detector, choice)| search.summary(*detector, choice))
        .collect();
    Ok(InterpretableFeatures {
        features,
        n_features,
        n_scored: found.len(),
        all_mcc,
        n_tokens: acts.tokens.len(),
    })
}

/// Describes one feature in the same way; where its activations are signed (AbsTopK), the sign that a predicate fits better.
///
/// # Errors
/// As [`interpretable_features`]; no such feature; a feature active on too few tokens.
pub fn describe_feature(
    model: &Transformer,
    sae: &dyn SparseAutoencoder,
    hook_name: &str,
    tokenizer: &Tokenizer,
    split: &TokenSplit,
    feature_id: usize,
) -> Result<FeatureSummary> {
    describe_feature_with(
        model,
        sae,
        hook_name,
        tokenizer,
        split,
        feature_id,
        &mut NotebookReporter::new(),
    )
}

/// [`describe_feature`] with its progress shown by `reporter`.
///
/// # Errors
/// Those of [`describe_feature`].
pub fn describe_feature_with(
    model: &Transformer,
    sae: &dyn SparseAutoencoder,
    hook_name: &str,
    tokenizer: &Tokenizer,
    split: &TokenSplit,
    feature_id: usize,
    reporter: &mut dyn Reporter,
) -> Result<FeatureSummary> {
    check_feature(sae, feature_id)?;
    let acts = SparseActivations::collect(model, sae, hook_name, split, MAX_SEQUENCES, reporter)?;
    let search = Search::new(tokenizer, &acts);
    let of_sign = |detector| search.choose(detector).map(|choice| (detector, choice));
    let choices = acts.detectors_of(feature_id).filter_map(of_sign);
    // Of equal ones the positive part.
    let better = |a: (usize, Choice), b: (usize, Choice)| match b.1.rank() > a.1.rank() {
        true => b,
        false => a,
    };
    let (detector, choice) = choices.reduce(better).ok_or_else(|| {
        let n_active = acts
            .detectors_of(feature_id)
            .map(|d| acts.detectors[d].len());
        Error::argument(
            "feature_id",
            feature_id,
            format!(
                "is active on {} of {} tokens, too few to describe it (at least {MIN_ACTIVE} are \
                 needed in the first half)",
                n_active.sum::<usize>(),
                acts.tokens.len()
            ),
        )
    })?;
    Ok(search.summary(detector, &choice))
}

/// How long a search may take once it is interrupted: where only the reading before it was cut
/// short, there is something to find in what was read.
const SEARCH_AFTER_INTERRUPT: Duration = Duration::from_millis(300);

/// When a search is to end early.
pub(super) struct SearchTime(Instant);

impl SearchTime {
    pub(super) fn begin() -> Self {
        Self(Instant::now())
    }

    /// True when the user has interrupted and the search has had some time.
    pub(super) fn is_up(&self, reporter: &dyn Reporter) -> bool {
        reporter.interrupted() && self.0.elapsed() > SEARCH_AFTER_INTERRUPT
    }
}

/// (token, activation).
type Entry = (u32, f32);

/// A predicate and a threshold, chosen on half A.
pub(super) struct Choice {
    /// Place in the index.
    pub predicate: u32,
    pub threshold: f32,
    /// On half A.
    pub mcc: f64,
    /// Tokens of half A on which the feature is active and the predicate holds.
    pub support: u64,
}

impl Choice {
    /// Larger is better: the MCC in hundredths, then the support.
    fn rank(&self) -> (i64, u64) {
        ((100.0 * self.mcc).round() as i64, self.support)
    }
}

struct Search<'a> {
    tokenizer: &'a Tokenizer,
    acts: &'a SparseActivations,
    index: PredicateIndex,
    /// How often each predicate holds on the halves.
    totals: [Vec<u64>; 2],
}

impl<'a> Search<'a> {
    fn new(tokenizer: &'a Tokenizer, acts: &'a SparseActivations) -> Self {
        let index = PredicateIndex::of_text(tokenizer, &acts.tokens, acts.n_ctx);
        let totals = [
            index.totals(0..acts.boundary()),
            index.totals(acts.boundary()..acts.tokens.len()),
        ];
        Self {
            tokenizer,
            acts,
            index,
            totals,
        }
    }

    /// The detector's active tokens on half A and on half B.
    fn halves(&self, detector: usize) -> (&[Entry], &[Entry]) {
        let all = &self.acts.detectors[detector];
        let cut = all.partition_point(|&(t, _)| (t as usize) < self.acts.boundary());
        all.split_at(cut)
    }

    fn choose(&self, detector: usize) -> Option<Choice> {
        let (first, _) = self.halves(detector);
        let n = self.acts.boundary() as u64;
        let mut best: Option<Choice> = None;
        for (threshold, active) in above_thresholds(first) {
            for (predicate, both) in counts(&self.index, &active) {
                let holds = self.totals[0][predicate as usize];
                let mcc = Contingency::new(both, active.len() as u64, holds, n).mcc();
                // Of equal predicates the first in the text is taken, whatever the map's order.
                let better = best.as_ref().is_none_or(|b| {
                    mcc > b.mcc
                        || (mcc == b.mcc && threshold == b.threshold && predicate < b.predicate)
                });
                if better {
                    best = Some(Choice {
                        predicate,
                        threshold,
                        mcc,
                        support: both,
                    });
                }
            }
        }
        best
    }

    fn held_out(&self, detector: usize, choice: &Choice) -> Contingency {
        let (_, second) = self.halves(detector);
        let active: Vec<u32> = second
            .iter()
            .filter(|(_, act)| *act > choice.threshold)
            .map(|&(t, _)| t)
            .collect();
        let both = active.iter().filter(|&&t| self.holds(choice, t)).count();
        Contingency::new(
            both as u64,
            active.len() as u64,
            self.totals[1][choice.predicate as usize],
            (self.acts.tokens.len() - self.acts.boundary()) as u64,
        )
    }

    fn holds(&self, choice: &Choice, t: u32) -> bool {
        self.index.at(t as usize).contains(&choice.predicate)
    }

    fn summary(&self, detector: usize, choice: &Choice) -> FeatureSummary {
        let (feature_id, sign) = self.acts.feature_of(detector);
        let (_, second) = self.halves(detector);
        let mass = |of: &mut dyn Iterator<Item = &(u32, f32)>| -> f64 {
            of.map(|&(_, act)| f64::from(act)).sum()
        };
        let total = mass(&mut second.iter());
        let on = mass(&mut second.iter().filter(|(t, _)| self.holds(choice, *t)));
        let n_held_out = self.acts.tokens.len() - self.acts.boundary();
        let mut strongest = second.to_vec();
        strongest.sort_by(|a, b| b.1.total_cmp(&a.1));
        FeatureSummary {
            feature_id,
            sign,
            predicate: self.index.predicates[choice.predicate as usize].clone(),
            threshold: choice.threshold,
            held_out: self.held_out(detector, choice),
            chosen_mcc: choice.mcc,
            mass_share: on / total,
            frequency: second.len() as f64 / n_held_out as f64,
            top_tokens: self.top_tokens(second, total),
            examples: strongest
                .iter()
                .take(EXAMPLES)
                .map(|&(t, size)| self.example(t as usize, sign.signed(size)))
                .collect(),
        }
    }

    fn top_tokens(&self, active: &[(u32, f32)], total: f64) -> Vec<(String, f64)> {
        let mut by_token: HashMap<u32, f64> = HashMap::new();
        for &(t, act) in active {
            *by_token.entry(self.acts.tokens[t as usize]).or_default() += f64::from(act);
        }
        let mut sorted: Vec<(u32, f64)> = by_token.into_iter().collect();
        sorted.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let named = sorted.into_iter().take(TOP_TOKENS);
        named
            .map(|(id, mass)| (self.tokenizer.token_str(id), mass / total))
            .collect()
    }

    fn example(&self, t: usize, activation: f32) -> TokenExample {
        let start = t / self.acts.n_ctx * self.acts.n_ctx;
        let row = &self.acts.tokens[start..start + self.acts.n_ctx];
        let visible = visible_tokens(self.tokenizer, row);
        TokenExample {
            token: visible[t - start].clone(),
            context: context(&visible, t - start, 5, 1),
            activation,
        }
    }
}

/// The tokens of half A above each threshold, where there are enough of them.
pub(super) fn above_thresholds(active: &[(u32, f32)]) -> Vec<(f32, Vec<u32>)> {
    let most = active.iter().map(|a| a.1).fold(0.0, f32::max);
    THRESHOLDS
        .iter()
        .map(|share| share * most)
        .map(|threshold| {
            let above = active.iter().filter(|(_, act)| *act > threshold);
            (threshold, above.map(|&(t, _)| t).collect::<Vec<u32>>())
        })
        .filter(|(_, tokens)| tokens.len() >= MIN_ACTIVE)
        .collect()
}

/// At how many of some tokens each predicate holds.
pub(super) fn counts(index: &PredicateIndex, tokens: &[u32]) -> HashMap<u32, u64> {
    let mut counts = HashMap::new();
    for &t in tokens {
        for &p in index.at(t as usize) {
            *counts.entry(p).or_insert(0) += 1;
        }
    }
    counts
}

impl InterpretableFeatures {
    /// Share of the scored features whose held-out MCC is at least `cutoff`.
    pub fn share_above(&self, cutoff: f64) -> f64 {
        let above = self.all_mcc.iter().filter(|m| **m >= cutoff).count();
        above as f64 / self.n_scored as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_equal_scores_the_feature_that_explains_more_ranks_higher() {
        let choice = |mcc: f64, support: u64| Choice {
            predicate: 0,
            threshold: 0.0,
            mcc,
            support,
        };
        // A perfect score on twelve tokens says less than one of 0.998 on nine hundred.
        assert!(choice(0.998, 900).rank() > choice(1.0, 12).rank());
        assert!(choice(1.0, 12).rank() > choice(0.98, 900).rank());
    }
}
