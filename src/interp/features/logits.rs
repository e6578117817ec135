//! What a feature pushes the output towards: its decoder row read through the unembedding.
//! `logits_f = centre(W_dec[f] W_out) * w_ln W_U`, centred over the vocabulary.
//! Source: `(W_dec[f] @ W_out @ W_U)` of 1L-Sparse-Autoencoder; the folded LayerNorm of Elhage et al. 2021.

use crate::config::Normalization;
use crate::error::{Error, Result};
use crate::interp::activations::check_feature;
use crate::model::{BlockPoint, HookName, Transformer};
use crate::sae::SparseAutoencoder;
use candle_core::{D, DType, IndexOp, Tensor};

/// The direct effect of one feature on the logits, `[d_vocab]`, f32, per unit of activation.
///
/// The decoder row goes to the residual stream (through `W_out` for `mlp.hook_post`, `W_O` for
/// `attn.hook_z`, unchanged where the hook point is the residual stream or adds to it), then
/// through the final LayerNorm (if the model has one) and `W_U`. The norm subtracts the mean and multiplies by `w`; its
/// division by the token's own scale is a positive factor that is left out, so the values are
/// comparable with each other but not between tokens. Biases are left out. The mean over the
/// vocabulary is subtracted: the softmax does not see it. Later blocks are not followed.
///
/// # Errors
/// No such feature, or a hook point that does not write to the residual stream.
pub fn feature_logits(
    model: &Transformer,
    sae: &dyn SparseAutoencoder,
    hook_name: &str,
    feature_id: usize,
) -> Result<Tensor> {
    check_feature(sae, feature_id)?;
    let row = sae.w_dec().i(feature_id)?.unsqueeze(0)?; // [1, d_in]
    Ok(direction_logits(model, hook_name, &row)?.squeeze(0)?)
}

/// The direct effect on the logits of directions at a hook point, `[n, d_in]`: `[n, d_vocab]`, f32, as
/// [`feature_logits`] has it for the rows of a decoder.
///
/// # Errors
/// Directions of another width, or a hook point that does not write to the residual stream.
pub fn direction_logits(
    model: &Transformer,
    hook_name: &str,
    directions: &Tensor,
) -> Result<Tensor> {
    let normed = towards_unembedding(model, hook_name, directions)?; // [n, d_model]
    let w_u = model.parameter("unembed.W_U")?.to_dtype(DType::F32)?;
    let logits = normed.matmul(&w_u.contiguous()?)?; // [n, d_vocab]
    Ok(logits.broadcast_sub(&logits.mean_keepdim(D::Minus1)?)?)
}

/// The direct effect of directions, `[n, d_in]`, on the logits of some tokens: `[n, tokens]`, f32. The
/// columns of [`direction_logits`], without the others.
///
/// # Errors
/// As [`direction_logits`]; a token that the model does not have.
pub(crate) fn token_logits(
    model: &Transformer,
    hook_name: &str,
    directions: &Tensor,
    tokens: &[u32],
) -> Result<Tensor> {
    let normed = towards_unembedding(model, hook_name, directions)?;
    let w_u = model.parameter("unembed.W_U")?.to_dtype(DType::F32)?;
    let wanted = Tensor::from_slice(tokens, tokens.len(), w_u.device())?;
    let columns = w_u.contiguous()?.index_select(&wanted, 1)?;
    let mean = w_u.mean_keepdim(1)?; // [d_model, 1]
    Ok(normed.matmul(&columns.broadcast_sub(&mean)?)?)
}

/// Directions at a hook point as what the unembedding reads of them: in the residual stream, behind
/// the final norm but for its scale.
fn towards_unembedding(
    model: &Transformer,
    hook_name: &str,
    directions: &Tensor,
) -> Result<Tensor> {
    let row = to_residual(model, hook_name, &directions.to_dtype(DType::F32)?)?; // [n, d_model]
    Ok(match model.cfg().normalization_type {
        Normalization::None => row,
        _ => {
            let weight = model.norm_weight("ln_final")?.to_dtype(DType::F32)?;
            row.broadcast_sub(&row.mean_keepdim(D::Minus1)?)?
                .broadcast_mul(&weight)?
        }
    })
}

/// Directions at a hook point, `[n, d_in]`, as what they add to the residual stream, `[n, d_model]`.
///
/// # Errors
/// Directions of another width, or a hook point that does not write to the residual stream.
pub(crate) fn to_residual(model: &Transformer, hook_name: &str, row: &Tensor) -> Result<Tensor> {
    let cfg = model.cfg();
    let through = |matrix: Tensor| -> Result<Tensor> {
        let matrix = matrix.to_dtype(DType::F32)?.contiguous()?;
        if matrix.dim(0)? != row.dim(1)? {
            return Err(Error::shape(
                "the decoder row",
                [matrix.dim(0)?],
                [row.dim(1)?],
            ));
        }
        Ok(row.matmul(&matrix)?)
    };
    match HookName::of_model(hook_name, cfg)? {
        HookName::Block {
            layer,
            point: BlockPoint::MlpPost,
        } => through(model.parameter(&format!("blocks.{layer}.mlp.W_out"))?),
        HookName::Block {
            layer,
            point: BlockPoint::Z,
        } => {
            // [n_heads, d_head, d_model], the heads side by side
            let w_o = model.parameter(&format!("blocks.{layer}.attn.W_O"))?;
            through(w_o.reshape((cfg.n_heads * cfg.d_head(), cfg.d_model))?)
        }
        HookName::Embed
        | HookName::PosEmbed
        | HookName::Block {
            point:
                BlockPoint::ResidPre
                | BlockPoint::ResidMid
                | BlockPoint::ResidPost
                | BlockPoint::AttnOut
                | BlockPoint::MlpOut,
            ..
        } => {
            if row.dim(1)? != cfg.d_model {
                return Err(Error::shape(
                    "the decoder row",
                    [cfg.d_model],
                    [row.dim(1)?],
                ));
            }
            Ok(row.clone())
        }
        _ => Err(Error::argument(
            "hook_name",
            format!("{hook_name:?}"),
            "does not write to the residual stream, so its features have no direct logits",
        )),
    }
}
