//! The common interface of the variants of the autoencoder.

use super::active::{ActiveFeatures, FeatureActivity};
use crate::error::{Error, Result};
use candle_core::Tensor;

/// Counts of the active features among the rows of `[.., d_in]`; see
/// [`SparseAutoencoder::activity_counter`].
pub type ActivityCounter<'a> = Box<dyn FnMut(&Tensor) -> Result<FeatureActivity> + 'a>;

/// The interface of every variant: a dictionary of `d_sae` directions of a `d_in`-wide activation.
///
/// Inputs may have any number of leading axes: `[n, d_in]` as well as `[batch, pos, d_in]`.
pub trait SparseAutoencoder {
    /// Width of the activations.
    fn d_in(&self) -> usize;

    /// Number of features.
    fn d_sae(&self) -> usize;

    /// Feature activations, `[.., d_in]` to `[.., d_sae]`; a feature is active where its activation is not 0. They are
    /// at least 0, except for AbsTopK's, which have a sign, or NaN: an input that is not finite gives no 0 that would
    /// read as "inactive".
    ///
    /// # Errors
    /// [`crate::Error::Shape`] when the last axis is not `d_in` wide.
    fn encode(&self, x: &Tensor) -> Result<Tensor>;

    /// The nonzero activations of each row, as returned by [`SparseAutoencoder::encode`] (up to
    /// rounding), without the dense matrix where a variant does not need it.
    ///
    /// # Errors
    /// Those of [`SparseAutoencoder::encode`].
    fn encode_sparse(&self, x: &Tensor) -> Result<ActiveFeatures> {
        ActiveFeatures::of_dense(&self.encode(x)?)
    }

    /// The activations of only some features, `[.., d_in]` to `[.., features.len()]` in the order of
    /// `features`, as returned by [`SparseAutoencoder::encode`] (up to rounding). The standard
    /// autoencoder computes only these; the others encode all and select.
    ///
    /// # Errors
    /// Those of [`SparseAutoencoder::encode`]; [`Error::Argument`] for a feature that does not exist,
    /// and for an empty list.
    fn encode_features(&self, x: &Tensor, features: &[usize]) -> Result<Tensor> {
        check_features(features, self.d_sae())?;
        let columns = self.encode_sparse(x)?.columns(features); // [n * features.len()]
        let mut dims = x.dims().to_vec();
        if let Some(last) = dims.last_mut() {
            *last = features.len();
        }
        Ok(Tensor::from_vec(columns, dims, x.device())?)
    }

    /// How often and how strongly each feature is active over the rows of `x`.
    ///
    /// # Errors
    /// Those of [`SparseAutoencoder::encode`].
    fn activity(&self, x: &Tensor) -> Result<FeatureActivity> {
        Ok(FeatureActivity::of(&self.encode_sparse(x)?))
    }

    /// [`SparseAutoencoder::activity`] as a function for one batch after another: whatever depends on
    /// the parameters alone, such as another layout of the encoder, is computed once, here.
    ///
    /// # Errors
    /// Those of [`SparseAutoencoder::activity`], also for the returned function.
    fn activity_counter(&self) -> Result<ActivityCounter<'_>> {
        Ok(Box::new(|x| self.activity(x)))
    }

    /// Reconstruction from feature activations, `[.., d_sae]` to `[.., d_in]`.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] when the last axis is not `d_sae` wide.
    fn decode(&self, acts: &Tensor) -> Result<Tensor>;

    /// `decode(encode(x))`, `[.., d_in]`.
    ///
    /// # Errors
    /// Those of [`SparseAutoencoder::encode`].
    fn reconstruct(&self, x: &Tensor) -> Result<Tensor> {
        self.decode(&self.encode(x)?)
    }

    /// Encoder, `[d_in, d_sae]`: a column is the direction that a feature detects.
    fn w_enc(&self) -> Tensor;

    /// Decoder, `[d_sae, d_in]`: a row is the direction that a feature writes.
    fn w_dec(&self) -> Tensor;

    /// Encoder bias, `[d_sae]`.
    fn b_enc(&self) -> Tensor;

    /// Decoder bias, `[d_in]`; also subtracted from the input before encoding.
    fn b_dec(&self) -> Tensor;
}

/// An error unless there is at least one feature and each is below `d_sae`.
pub(super) fn check_features(features: &[usize], d_sae: usize) -> Result<()> {
    let rule = match features.iter().find(|&&feature| feature >= d_sae) {
        Some(feature) => (feature.to_string(), format!("must be below {d_sae}")),
        None if features.is_empty() => ("[]".to_owned(), "must name a feature".to_owned()),
        None => return Ok(()),
    };
    Err(Error::argument("features", rule.0, rule.1))
}
