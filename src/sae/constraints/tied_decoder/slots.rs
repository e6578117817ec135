//! The state of a tied decoder that training changes, by name, for checkpoints.

use super::TiedDecoder;
use crate::sae::state_dict::{Slot, Slots, moments};

impl TiedDecoder {
    pub(in crate::sae) fn slots(&mut self) -> Slots<'_> {
        // Destructured, so that a new field cannot be forgotten here.
        let Self {
            d_in: _,
            // Determined by the configuration's seed.
            generators: _,
            frames,
            coefficients,
            adam_frames,
            adam_coefficients,
        } = self;
        let mut slots = vec![
            ("tied.frames".to_owned(), Slot::F32(frames)),
            ("tied.coefficients".to_owned(), Slot::F32(coefficients)),
        ];
        slots.extend(moments("tied.frames", adam_frames));
        slots.extend(moments("tied.coefficients", adam_coefficients));
        slots
    }
}
