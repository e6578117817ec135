//! Dictionaries against what is known: the factors of a labelled corpus, directions, other dictionaries.
//! Best feature of each factor; matching of features between seeds; splitting between sizes.
//! Source: Sharkey et al. 2022 (MMCS); Paulo and Belrose 2025 (seeds); Bricken et al. 2023 (splitting).

mod factor_comparison;
mod factor_scores;
mod factor_scores_view;
mod feature_statistics;
mod matching;
mod splitting;
mod stability;

pub use factor_comparison::{FactorComparison, NamedFactorScores};
pub use factor_scores::{FactorScore, FactorScores, factor_scores, factor_scores_with};
pub use matching::{DictionaryMatching, MatchedFeature, match_dictionaries, mean_max_cosine};
pub use splitting::{FeatureSplitting, SplitFeature, feature_splitting};
pub use stability::{StabilityAcrossSeeds, StabilityPair, stability_across_seeds};
