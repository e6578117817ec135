//! Who looks at a model while it is trained, and how often.

use crate::error::Result;
use crate::model::Transformer;

/// A function that is called every few steps.
pub(super) struct Observer<'a> {
    pub(super) every: usize,
    pub(super) observe: &'a mut dyn FnMut(usize, &Transformer) -> Result<()>,
}

impl Observer<'_> {
    /// Calls the function at a step that it wants to see; the last one always is.
    pub(super) fn look(&mut self, step: usize, last: bool, model: &Transformer) -> Result<()> {
        match last || step.is_multiple_of(self.every) {
            true => (self.observe)(step, model),
            false => Ok(()),
        }
    }
}
