//! What a feature responds to, in words: simple predicates of tokens, chosen on one half of the tokens
//! and scored on the other; and which known factors of a text have a feature.
//! Source: ours, after the proxies of Bricken et al. 2023.

mod explained_shares;
mod factor_recovery;
mod feature_summary;
mod interpretable;
mod interpretable_view;
mod predicate;
mod selection;

pub use explained_shares::{ExplainedShare, ExplainedShares};
pub use factor_recovery::{FactorRecovery, RecoveredFactor, factor_recovery, factor_recovery_with};
pub use feature_summary::{FeatureSummary, TokenExample};
pub(super) use interpretable::MAX_SEQUENCES;
pub use interpretable::{
    InterpretableFeatures, describe_feature, describe_feature_with, interpretable_features,
    interpretable_features_with,
};
pub use predicate::{Predicate, TokenClass};
