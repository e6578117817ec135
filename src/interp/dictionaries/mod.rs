//! A dictionary as a whole: what the model keeps of its loss when activations are reconstructed, several
//! dictionaries side by side, and the control of random directions.
//! Source: Bricken et al. 2023; each file names its own.

mod comparison;
mod control;
mod controlled_score;
mod over_seeds;
mod reconstruction;

pub use comparison::{
    DictionaryComparison, DictionaryFigures, compare_dictionaries, compare_dictionaries_with,
};
pub use control::random_dictionary;
pub(crate) use control::{
    CentredRows, centred_rows, check_l0, fixed_dictionary, read_write_dictionary,
};
pub use controlled_score::ControlledScore;
pub use over_seeds::{ComparisonOverSeeds, SeedFigures, SeedRange};
pub use reconstruction::{ReconstructionScore, reconstruction_score, reconstruction_score_with};
