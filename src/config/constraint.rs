//! What a dictionary of features is held to while it is trained, and the controls for it.

use super::Fields;
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// Features of one group of a constrained dictionary: 4 blocks (colours) of 4 features.
pub(crate) const GROUP: usize = 16;

/// A constraint from the garden algebra on groups of 16 features, 4 blocks of 4, or a control of
/// the same strength and the same number of parameters. Group g owns features 16 g to 16 g + 15,
/// block I of it those from 16 g + 4 I on (I from 0).
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub enum DictionaryConstraint {
    /// None: every weight is free.
    #[default]
    Free,
    /// `lambda` times the mean over groups of
    /// `sum_I |R_I L_I - 1|^2 + sum_{I<J} |R_I L_J + R_J L_I|^2` is added to the loss, with L_I the
    /// encoder's columns and R_I the decoder's rows of block I, all at unit length. `lambda` is in
    /// the loss' units, squared (scaled) activations.
    GardenPenalty { lambda: f64 },
    /// Control for the algebra: the same penalty with its terms paired at random, as many and of the
    /// same kinds, drawn once from the seed.
    ScrambledPenalty { lambda: f64 },
    /// Control for the groups: the garden penalty with members drawn anew at every step, so that no
    /// group can settle; harsher at the same `lambda`, since in time it reaches every pair.
    RedrawnPenalty { lambda: f64 },
    /// The decoder's block I of group g is `Q_gI E_g`, rows at unit length: `E_g` 4 free directions,
    /// `Q_gI` a unit quaternion in the three generators of the chiral multiplet's fermionic
    /// holoraumy. 4 `d_in` + 16 numbers a group in place of 16 `d_in`.
    HoloraumyTied,
    /// Control for the quaternions: the same with three random orthogonal matrices a group, drawn
    /// once from the seed, as generators.
    RandomTied,
}

impl DictionaryConstraint {
    /// Checks the weight and that the features make whole groups.
    pub(super) fn validate(&self, d_sae: usize) -> Result<()> {
        let bad = |reason: &str| Fields("SaeConfig").bad("constraint", format!("{self:?}"), reason);
        match *self {
            Self::Free => return Ok(()),
            Self::GardenPenalty { lambda }
            | Self::ScrambledPenalty { lambda }
            | Self::RedrawnPenalty { lambda } => {
                if !(lambda >= 0.0 && lambda.is_finite()) {
                    return bad("lambda must be at least 0 and finite");
                }
            }
            Self::HoloraumyTied | Self::RandomTied => {}
        }
        if !d_sae.is_multiple_of(GROUP) {
            return bad(&format!("d_sae = {d_sae} must be a multiple of {GROUP}"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constraint_is_read_as_it_was_written() {
        for constraint in [
            DictionaryConstraint::Free,
            DictionaryConstraint::GardenPenalty { lambda: 2.5 },
            DictionaryConstraint::RandomTied,
        ] {
            let text = serde_json::to_string(&constraint).unwrap();
            let back: DictionaryConstraint = serde_json::from_str(&text).unwrap();
            assert_eq!(back, constraint, "{text}");
        }
        // A file from before there were constraints.
        let cfg: super::super::SaeConfig = serde_json::from_str("{\"d_sae\": 64}").unwrap();
        assert_eq!(cfg.constraint, DictionaryConstraint::Free);
    }
}
