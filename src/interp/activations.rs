//! Activations of a model at a hook point, flat and encoded, for the analyses of this folder.
//! `acts = encode(x)`, `x` of one row a token: `[batch * pos, d_in]`.
//! Source: the `mlp_acts.reshape(-1, d_mlp)` of 1L-Sparse-Autoencoder.

use super::activation_sign::ActivationSign;
use crate::data::TokenSplit;
use crate::error::{Error, Result};
use crate::model::{HookName, NamesFilter, Transformer};
use crate::progress::{Progress, Reporter};
use crate::sae::{ActiveFeatures, Sae, SparseAutoencoder};
use candle_core::{DType, Tensor};

/// Tokens that one pass of the model handles: bounds the memory of `[tokens, d_sae]`.
pub(super) const TOKENS_PER_PASS: usize = 1_024;
/// Nonzero activations kept in all: 8 bytes each.
const MAX_ENTRIES: usize = 40_000_000;

/// The hook point that an autoencoder names as its own.
///
/// # Errors
/// [`Error::Argument`] when it names none.
pub(super) fn own_hook(sae: &Sae) -> Result<&str> {
    sae.hook_name().ok_or_else(|| {
        let reason =
            "the autoencoder names no hook point; say it with HookedSae::at or a `_with` form";
        Error::argument("hook_name", "None", reason)
    })
}

/// Activations of `tokens` `[batch, pos]` at a hook point, one row a token: `[batch * pos, d_in]`,
/// f32, of the autoencoder's width, all finite.
///
/// # Errors
/// An unknown hook point or one of another width; [`Error::NotFiniteAt`], which says where the NaN or
/// infinity is and at which hook point it began.
pub(super) fn hook_rows(
    model: &Transformer,
    hook_name: &str,
    tokens: &Tensor,
    d_in: usize,
) -> Result<Tensor> {
    let at = HookName::of_model(hook_name, model.cfg())?;
    let stop = match at {
        HookName::Block { layer, .. } => Some(layer + 1),
        HookName::Embed | HookName::PosEmbed => Some(0),
        _ => None,
    };
    let (_, cache) = model.run_with_cache_filtered(tokens, &NamesFilter::Names(vec![at]), stop)?;
    let x = cache.get(hook_name)?;
    let n = tokens.elem_count();
    if at.is_attention_square() || x.elem_count() != n * d_in {
        return Err(Error::shape(
            format!("the activation at {hook_name}"),
            format!("{n} tokens of the autoencoder's d_in = {d_in}"),
            x.dims(),
        ));
    }
    model.check_activation(tokens, at, &x)?;
    Ok(x.reshape((n, d_in))?.to_dtype(DType::F32)?)
}

/// Feature activations of `tokens` `[batch, pos]`: `[batch * pos, d_sae]`, f32.
pub(super) fn encoded_rows(
    model: &Transformer,
    sae: &dyn SparseAutoencoder,
    hook_name: &str,
    tokens: &Tensor,
) -> Result<Tensor> {
    let x = hook_rows(model, hook_name, tokens, sae.d_in())?;
    let (batch, pos) = tokens.dims2()?;
    // As sequences, for one that looks back.
    let acts = sae.encode(&x.reshape((batch, pos, sae.d_in()))?)?;
    Ok(acts.flatten(0, 1)?.to_dtype(DType::F32)?) // [batch * pos, d_sae]
}

/// The `[d_sae]` activations of one feature, or an error that says which there are.
pub(super) fn check_feature(sae: &dyn SparseAutoencoder, feature_id: usize) -> Result<()> {
    if feature_id < sae.d_sae() {
        return Ok(());
    }
    Err(Error::argument(
        "feature_id",
        feature_id,
        format!("the autoencoder has features 0 to {}", sae.d_sae() - 1),
    ))
}

/// Every nonzero feature activation on the first sequences of a split.
pub(super) struct SparseActivations {
    /// The sequences one after another. `[n_sequences * n_ctx]`
    pub tokens: Vec<u32>,
    /// Length of a sequence.
    pub n_ctx: usize,
    /// For each detector its (index into `tokens`, activation above 0), ascending: the features, `[d_sae]`, and where an
    /// activation is negative (AbsTopK) the negative parts of all of them after these, `[2 * d_sae]`.
    pub detectors: Vec<Vec<(u32, f32)>>,
    d_sae: usize,
}

impl SparseActivations {
    /// Runs the model over at most `max_sequences` sequences of `split`.
    pub(super) fn collect(
        model: &Transformer,
        sae: &dyn SparseAutoencoder,
        hook_name: &str,
        split: &TokenSplit,
        max_sequences: usize,
        reporter: &mut dyn Reporter,
    ) -> Result<Self> {
        let n_ctx = model.cfg().n_ctx;
        let n = split.n_sequences(n_ctx).min(max_sequences);
        if n < 2 {
            return Err(Error::argument(
                "sequences of the split",
                n,
                format!(
                    "at least 2 of n_ctx = {n_ctx} are needed, to choose on one half and score on the other"
                ),
            ));
        }
        let mut found = Self {
            tokens: Vec::with_capacity(n * n_ctx),
            n_ctx,
            detectors: vec![Vec::new(); sae.d_sae()],
            d_sae: sae.d_sae(),
        };
        let per_pass = (TOKENS_PER_PASS / n_ctx).max(1);
        let mut entries = 0;
        let mut progress = Progress::new(reporter, "feature activations", "sequence", n as u64);
        for first in (0..n).step_by(per_pass) {
            let batch: Vec<Vec<u32>> = (first..n.min(first + per_pass))
                .map(|i| split.sequence(i, n_ctx))
                .collect();
            let flat = batch.concat();
            let tokens = Tensor::from_slice(&flat, (batch.len(), n_ctx), model.device())?;
            let x = hook_rows(model, hook_name, &tokens, sae.d_in())?;
            let acts = sae.encode_sparse(&x)?;
            entries += acts.n_active();
            found.push(&flat, &acts)?;
            progress.update((first + batch.len()) as u64, &[]);
            if progress.interrupted() || entries > MAX_ENTRIES {
                break;
            }
        }
        progress.finish();
        Ok(found)
    }

    /// Adds the activations of the tokens `flat`, one row a token.
    ///
    /// # Errors
    /// [`Error::NotFiniteAt`] for one that is NaN or infinite: nothing can be ranked by it.
    fn push(&mut self, flat: &[u32], acts: &ActiveFeatures) -> Result<()> {
        let start = self.tokens.len();
        for t in 0..acts.n_rows() {
            let (features, acts) = acts.row(t);
            for (&feature, &act) in features.iter().zip(acts) {
                if !act.is_finite() {
                    let (sequence, pos) = ((start + t) / self.n_ctx, (start + t) % self.n_ctx);
                    return Err(Error::NotFiniteAt {
                        what: format!("the activation of feature {feature}"),
                        value: f64::from(act),
                        place: format!("position {pos} of sequence {sequence}"),
                    });
                }
                let mut detector = feature as usize;
                if act < 0.0 {
                    self.detectors.resize(2 * self.d_sae, Vec::new());
                    detector += self.d_sae;
                }
                self.detectors[detector].push(((start + t) as u32, act.abs()));
            }
        }
        self.tokens.extend_from_slice(flat);
        Ok(())
    }

    /// The feature of a detector, and which part of it the detector is.
    pub(super) fn feature_of(&self, detector: usize) -> (usize, ActivationSign) {
        match detector.checked_sub(self.d_sae) {
            None => (detector, ActivationSign::Positive),
            Some(feature) => (feature, ActivationSign::Negative),
        }
    }

    /// The detectors of a feature: one, or one of either sign.
    pub(super) fn detectors_of(&self, feature: usize) -> impl Iterator<Item = usize> {
        (feature..self.detectors.len()).step_by(self.d_sae.max(1))
    }

    /// Number of sequences.
    pub(super) fn n_sequences(&self) -> usize {
        self.tokens.len() / self.n_ctx
    }

    /// First token of the second half: predicates are chosen before it and scored from it on.
    pub(super) fn boundary(&self) -> usize {
        self.n_sequences() / 2 * self.n_ctx
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn the_two_signs_of_a_feature_are_two_detectors() {
        let new = || SparseActivations {
            tokens: Vec::new(),
            n_ctx: 2,
            detectors: vec![Vec::new(); 3],
            d_sae: 3,
        };
        let acts = |rows: &[[f32; 3]]| {
            let shape = (rows.len(), 3);
            let rows = Tensor::from_slice(rows.as_flattened(), shape, &Device::Cpu).unwrap();
            ActiveFeatures::of_dense(&rows).unwrap()
        };
        let mut plain = new();
        plain
            .push(&[7, 8], &acts(&[[0.0, 2.0, 0.0], [1.0, 0.5, 0.0]]))
            .unwrap();
        assert_eq!(plain.detectors.len(), 3);
        assert_eq!(plain.detectors[1], [(0, 2.0), (1, 0.5)]);
        assert_eq!(plain.detectors_of(1).collect::<Vec<_>>(), [1]);

        let mut signed = new();
        signed
            .push(&[7, 8], &acts(&[[0.0, 2.0, 0.0], [1.0, -0.5, 0.0]]))
            .unwrap();
        signed.push(&[9], &acts(&[[-4.0, -3.0, 0.0]])).unwrap();
        let wanted: [&[(u32, f32)]; 6] = [
            &[(1, 1.0)],
            &[(0, 2.0)],
            &[],
            &[(2, 4.0)],
            &[(1, 0.5), (2, 3.0)],
            &[],
        ];
        assert_eq!(signed.detectors, wanted);
        assert_eq!(signed.detectors_of(1).collect::<Vec<_>>(), [1, 4]);
        assert_eq!(signed.feature_of(1), (1, ActivationSign::Positive));
        assert_eq!(signed.feature_of(4), (1, ActivationSign::Negative));
        assert_eq!(signed.feature_of(4).1.signed(3.0), -3.0);

        let outcome = signed.push(&[3], &acts(&[[0.0, f32::NAN, 0.0]]));
        assert!(matches!(outcome, Err(Error::NotFiniteAt { .. })));
    }
}
