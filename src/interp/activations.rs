//! Activations of a model at a hook point, flat and encoded, for the analyses of this folder.
//! `acts = encode(x)`, `x` of one row a token: `[batch * pos, d_in]`.
//! Source: the `mlp_acts.reshape(-1, d_mlp)` of 1L-Sparse-Autoencoder.

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
    Ok(sae.encode(&x)?.to_dtype(DType::F32)?) // [batch * pos, d_sae]
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
    /// For each feature its (index into `tokens`, activation), ascending. `[d_sae]`
    pub features: Vec<Vec<(u32, f32)>>,
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
            features: vec![Vec::new(); sae.d_sae()],
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
    /// [`Error::NotFiniteAt`] for one that is NaN or infinite: nothing can be ranked by it; [`Error::Argument`] for a
    /// negative one (AbsTopK), since shares of a feature's sum are of activations from 0 up.
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
                if act < 0.0 {
                    let reason = format!(
                        "feature {feature} is negative: predicates and factors are matched with activations \
                         from 0 up, not with the two directions of AbsTopK"
                    );
                    return Err(Error::argument("activation", act, reason));
                }
                self.features[feature as usize].push(((start + t) as u32, act));
            }
        }
        self.tokens.extend_from_slice(flat);
        Ok(())
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
