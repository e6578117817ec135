//! What a corpus says of every feature.

#[cfg(feature = "notebook")]
use crate::data::TokenSplit;
#[cfg(feature = "notebook")]
use crate::error::Result;
#[cfg(feature = "notebook")]
use crate::interp::HookedSae;
#[cfg(feature = "notebook")]
use candle_core::DType;

/// Sequences of which the maxima are read.
#[cfg(feature = "notebook")]
const SEQUENCES: usize = 256;

/// How strongly and how often every feature of an autoencoder is active on a corpus.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureCensus {
    /// The largest activation. `[d_sae]`
    pub maximum: Vec<f32>,
    /// The share of tokens on which it is active. `[d_sae]`
    pub density: Vec<f64>,
}

#[cfg(feature = "notebook")]
impl FeatureCensus {
    /// Reads the frequencies of a split and the maxima of its first 256 sequences.
    ///
    /// # Errors
    /// When the model cannot be run on the split.
    pub fn of(hooked: &HookedSae, split: &TokenSplit) -> Result<Self> {
        let density = hooked.feature_frequencies(split)?.freq;
        let n_ctx = hooked.model.cfg().n_ctx;
        let n = split.n_sequences(n_ctx).min(SEQUENCES);
        let mut maximum = vec![f32::NEG_INFINITY; density.len()];
        for first in (0..n).step_by(16) {
            let some = (n - first).min(16);
            let tokens = split.sequences_from(first, some, n_ctx, hooked.model.device())?;
            let acts = hooked.feature_acts(&tokens)?.to_dtype(DType::F32)?;
            let most = acts.flatten(0, 1)?.max(0)?.to_vec1::<f32>()?;
            for (known, new) in maximum.iter_mut().zip(most) {
                *known = known.max(new);
            }
        }
        Ok(Self { maximum, density })
    }
}
