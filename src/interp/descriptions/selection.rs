//! Which of the interpretable features to look at: by rank, by a property, or the best that is more than a
//! detector of one token.

use super::feature_summary::FeatureSummary;
use super::interpretable::InterpretableFeatures;
use super::predicate::Predicate;
use crate::error::{Error, Result};

/// What a feature beyond tokens must reach on the half that did not choose its predicate.
const LEAST_MCC: f64 = 0.5;
/// A token that carries this share of a feature's activation makes the feature a detector of it.
const ONE_TOKEN: f64 = 0.5;

impl FeatureSummary {
    /// The token that carries most of the feature's activation, as it stands in the text; empty where the feature is
    /// active on no held-out token.
    pub fn top_token(&self) -> &str {
        self.top_tokens.first().map_or("", |(token, _)| token)
    }

    /// Whether the feature is explained by what the token is, or one token carries half of its activation.
    pub fn detects_one_token(&self) -> bool {
        let identity = matches!(self.predicate, Predicate::Token(_) | Predicate::Word(_));
        identity || self.top_tokens.first().is_none_or(|top| top.1 >= ONE_TOKEN)
    }
}

impl InterpretableFeatures {
    /// The feature of a rank, from 0 on.
    ///
    /// # Errors
    /// [`Error::Argument`] when fewer were found.
    pub fn ranked(&self, rank: usize) -> Result<FeatureSummary> {
        let reason = || {
            format!(
                "only {} features were found; train longer",
                self.features.len()
            )
        };
        let found = self.features.get(rank).cloned();
        found.ok_or_else(|| Error::argument("rank", rank, reason()))
    }

    /// The best feature for which `holds` is true.
    ///
    /// # Errors
    /// [`Error::Argument`] when there is none.
    pub fn find(&self, holds: impl Fn(&FeatureSummary) -> bool) -> Result<FeatureSummary> {
        let found = self.features.iter().find(|f| holds(f)).cloned();
        let reason = "none of them has the property; train longer";
        found.ok_or_else(|| Error::argument("features found", self.features.len(), reason))
    }

    /// The best feature that is no detector of a single token ([`FeatureSummary::detects_one_token`]) and whose predicate
    /// still explains it on the half that did not choose it, with a correlation of at least 0.5; with its rank.
    pub fn best_beyond_tokens(&self) -> Option<(usize, FeatureSummary)> {
        let beyond = |f: &FeatureSummary| !f.detects_one_token() && f.mcc() >= LEAST_MCC;
        let rank = self.features.iter().position(beyond)?;
        Some((rank, self.features[rank].clone()))
    }

    /// The same result with the `n` best features only; shares stay those of all scored features.
    pub fn head(&self, n: usize) -> InterpretableFeatures {
        let mut first = self.clone();
        first.features.truncate(n);
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interp::ActivationSign;
    use crate::interp::statistics::Contingency;

    /// Of 100 held-out tokens the feature and its predicate share `both` of 20 each.
    fn summary(feature_id: usize, predicate: Predicate, both: u64, share: f64) -> FeatureSummary {
        FeatureSummary {
            feature_id,
            sign: ActivationSign::Positive,
            predicate,
            threshold: 0.0,
            held_out: Contingency::new(both, 20, 20, 100),
            chosen_mcc: 1.0,
            mass_share: 1.0,
            frequency: 0.2,
            top_tokens: vec![(" king".to_owned(), share)],
            examples: Vec::new(),
        }
    }

    fn found() -> InterpretableFeatures {
        let before = || Predicate::PreviousToken("·the".to_owned());
        let features = vec![
            summary(7, Predicate::Token("·king".to_owned()), 20, 0.1),
            summary(8, before(), 20, 0.9), // one token carries its activation
            summary(9, before(), 5, 0.2),  // not explained: MCC 0.0625
            summary(3, before(), 18, 0.2), // MCC 0.875
        ];
        InterpretableFeatures {
            all_mcc: features.iter().map(FeatureSummary::mcc).collect(),
            n_features: 10,
            n_scored: 4,
            n_tokens: 200,
            features,
        }
    }

    #[test]
    fn the_best_beyond_tokens_meets_all_conditions() {
        let (rank, best) = found().best_beyond_tokens().unwrap();
        assert_eq!((rank, best.feature_id), (3, 3));
        assert!((best.mcc() - 0.875).abs() < 1e-12);
        assert_eq!(found().head(3).best_beyond_tokens(), None);
    }

    #[test]
    fn features_are_found_by_rank_and_by_property() {
        assert_eq!(found().ranked(1).unwrap().feature_id, 8);
        let said = found().ranked(4).unwrap_err().to_string();
        assert!(said.contains("only 4 features were found"), "{said}");
        let found_one = found().find(|f| f.top_token().starts_with(' ') && f.mcc() < 0.5);
        assert_eq!(found_one.unwrap().feature_id, 9);
        assert!(found().find(|f| f.top_token().is_empty()).is_err());
        assert_eq!(found().head(2).n_scored, 4);
    }
}
