//! Induction heads: how they form while a model is trained, and the circuit that they are half of.
//! Loss by position and in-context score, head scores by step, prefix matching of pairs of heads.
//! Source: Olsson et al. 2022, "In-context Learning and Induction Heads"; Elhage et al. 2021.

mod ablations;
mod formation;
mod formation_view;
mod loss_by_position;
mod prefix_matching;
mod signs;
mod tasks;
#[cfg(test)]
mod tests;

pub use ablations::{HeadAblation, HeadAblations, head_ablations};
pub use formation::{
    FormationPoint, InductionFormation, induction_formation, induction_formation_with,
};
pub use loss_by_position::{LossByPosition, loss_by_position};
pub use prefix_matching::{PrefixMatching, PrefixMatchingScores, prefix_matching_scores};
pub use signs::{InductionSign, InductionSigns, induction_signs};
pub use tasks::induction_tasks;
