//! Feature activations on tokens and on any text.
//! `acts = encode(x)`, x the activation at a hook point; text is cut as the model was trained.
//! Source: `basic_feature_vis` of 1L-Sparse-Autoencoder.

use crate::data::Tokenizer;
use crate::error::{Error, Result};
use crate::interp::activations::{check_feature, encoded_rows};
use crate::model::Transformer;
use crate::sae::SparseAutoencoder;
use crate::show::{Interrupts, TokenView};
use candle_core::{IndexOp, Tensor};

/// Feature activations `[batch, pos, d_sae]` of `tokens` `[batch, pos]`, f32.
///
/// # Errors
/// An unknown hook point, an autoencoder of another width, tokens that the model cannot read.
pub fn feature_acts(
    model: &Transformer,
    sae: &dyn SparseAutoencoder,
    hook_name: &str,
    tokens: &Tensor,
) -> Result<Tensor> {
    let acts = encoded_rows(model, sae, hook_name, tokens)?;
    let (batch, pos) = tokens.dims2()?;
    Ok(acts.reshape((batch, pos, sae.d_sae()))?)
}

/// The tokens of a text, each coloured by one feature's activation.
///
/// The text is read as in training: in stretches of `n_ctx - 1` tokens, each behind a BOS, which
/// is not shown. `max`: the activation of full colour; the largest on this text when `None`. An
/// interrupt gives the stretches read until then.
///
/// # Errors
/// No such feature or hook point, a text without tokens, a tokenizer of another vocabulary.
pub fn feature_tokens(
    model: &Transformer,
    sae: &dyn SparseAutoencoder,
    hook_name: &str,
    tokenizer: &Tokenizer,
    text: &str,
    feature_id: usize,
    max: Option<f64>,
) -> Result<TokenView> {
    check_feature(sae, feature_id)?;
    let ids = tokenizer.encode(text);
    coloured_tokens(model, sae, hook_name, tokenizer, &ids, feature_id, max)
}

/// [`feature_tokens`] of token ids.
pub(super) fn coloured_tokens(
    model: &Transformer,
    sae: &dyn SparseAutoencoder,
    hook_name: &str,
    tokenizer: &Tokenizer,
    ids: &[u32],
    feature_id: usize,
    max: Option<f64>,
) -> Result<TokenView> {
    if ids.is_empty() {
        return Err(Error::argument(
            "text",
            format!("{:?}", tokenizer.decode(ids)),
            "holds no token",
        ));
    }
    let stretch = model.cfg().n_ctx.saturating_sub(1).max(1);
    let mut values = Vec::with_capacity(ids.len());
    let interrupts = Interrupts::listen();
    for part in ids.chunks(stretch) {
        // Something to show, at least.
        if interrupts.heard() && !values.is_empty() {
            break;
        }
        let row = [&[tokenizer.bos()], part].concat();
        let tokens = Tensor::from_slice(&row, (1, row.len()), model.device())?; // [1, pos]
        let acts = encoded_rows(model, sae, hook_name, &tokens)?; // [pos, d_sae]
        let acts = acts.i((1.., feature_id))?.to_vec1::<f32>()?;
        values.extend(acts.into_iter().map(f64::from));
    }
    // Not `f64::max`, which leaves NaN out.
    let largest = values.iter().fold(0.0, |most: f64, &v| match v <= most {
        true => most,
        false if most.is_nan() => most,
        false => v,
    });
    let read = &ids[..values.len()];
    let cut = match read.len() < ids.len() {
        true => format!(" (interrupted; {} in all)", ids.len()),
        false => String::new(),
    };
    let view = TokenView::new(tokenizer.str_tokens(read), values)?.title(format!(
        "Feature {feature_id}: largest activation {largest:.4} on {} tokens{cut}",
        read.len()
    ));
    Ok(match max {
        Some(max) => view.max(max),
        None => view,
    })
}
