//! The state of a penalty that training changes, by name, for checkpoints.

use super::GardenPenalty;
use crate::sae::state_dict::{Slot, Slots};

impl GardenPenalty {
    pub(in crate::sae) fn slots(&mut self) -> Slots<'_> {
        // Destructured, so that a new field cannot be forgotten here.
        let Self {
            lambda: _,
            pairing: _,
            members,
            // Determined by the configuration's seed.
            involutions: _,
            rng,
            // Recomputed by each call.
            gradients: _,
        } = self;
        vec![
            ("penalty.members".to_owned(), Slot::U32(members)),
            ("penalty.rng".to_owned(), Slot::Rng(rng)),
        ]
    }
}
