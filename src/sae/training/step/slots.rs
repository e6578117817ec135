//! The state of a step that persists between calls, by name, for checkpoints.
//! Everything is destructured without `..`, so that a new field or selection must be named here.

use super::super::selection::{BatchTopK, Gates, Selection, Thresholds};
use super::StandardStep;
use super::state::StepState;
use crate::sae::kernels::PackedEncoder;
use crate::sae::params::StandardParams;
use crate::sae::state_dict::{Slot, Slots, moments};

impl StandardStep {
    /// All numbers that change. After they are written, [`StandardStep::repack`] must be called.
    pub(in crate::sae::training) fn slots(&mut self) -> Slots<'_> {
        let Self {
            state,
            beta1: _,
            beta2: _,
            steps,
            dense_above: _,
            // Recomputed by each forward pass; the floor that it stores changes no result.
            work: _,
        } = self;
        let mut slots = state.slots();
        slots.push(("steps".to_owned(), Slot::Count(steps)));
        slots
    }

    /// Updates the packed encoder from the parameters.
    pub(in crate::sae::training) fn repack(&mut self) {
        let StepState {
            params,
            packed,
            selection,
            ..
        } = &mut self.state;
        let anew = PackedEncoder::new(&params.w_enc_t, &params.b_enc, params.d_in);
        (packed.panels, packed.bias) = (anew.panels, anew.bias);
        match selection {
            Selection::Thresholds(thresholds) => {
                for (j, &b) in params.b_enc.iter().enumerate() {
                    packed.bias[j] = thresholds.shifted(b, j);
                }
            }
            Selection::ByToken | Selection::Batch(_) | Selection::Gates(_) => {}
        }
    }
}

impl StepState {
    fn slots(&mut self) -> Slots<'_> {
        let Self {
            params,
            packed: _,
            selection,
            // Settings; the state of dead features is in `silent`.
            aux: _,
            adam_enc,
            adam_dec,
            adam_b_enc,
            adam_b_dec,
            silent,
        } = self;
        let StandardParams {
            d_in: _,
            d_sae: _,
            w_enc_t,
            w_dec,
            b_enc,
            b_dec,
        } = params;
        let mut slots = vec![
            ("W_enc_t".to_owned(), Slot::F32(w_enc_t)),
            ("W_dec".to_owned(), Slot::F32(w_dec)),
            ("b_enc".to_owned(), Slot::F32(b_enc)),
            ("b_dec".to_owned(), Slot::F32(b_dec)),
            ("silent".to_owned(), Slot::U32(silent)),
        ];
        slots.extend(moments("W_enc_t", adam_enc));
        slots.extend(moments("W_dec", adam_dec));
        slots.extend(moments("b_enc", adam_b_enc));
        slots.extend(moments("b_dec", adam_b_dec));
        match selection {
            Selection::ByToken => {}
            Selection::Batch(BatchTopK {
                k: _,
                widths: _,
                threshold,
            }) => {
                let threshold = std::slice::from_mut(threshold);
                slots.push(("batch_threshold".to_owned(), Slot::F64(threshold)));
            }
            Selection::Thresholds(Thresholds {
                theta,
                initial: _,
                moments: of_theta,
                rule: _,
            }) => {
                slots.push(("threshold".to_owned(), Slot::F32(theta)));
                slots.extend(moments("threshold", of_theta));
            }
            Selection::Gates(Gates {
                r_mag,
                b_mag,
                adam_r,
                adam_b,
            }) => {
                slots.push(("r_mag".to_owned(), Slot::F32(r_mag)));
                slots.push(("b_mag".to_owned(), Slot::F32(b_mag)));
                slots.extend(moments("r_mag", adam_r));
                slots.extend(moments("b_mag", adam_b));
            }
        }
        slots
    }
}
