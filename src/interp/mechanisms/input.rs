//! What the tools of this folder are given, checked: one sequence, a position, a token, a head.
//! An index is one of `0..n`; the message says which there are.
//! Source: the rules of `Transformer::forward` on tokens.

use crate::config::TransformerConfig;
use crate::error::{Error, Result};
use candle_core::{DType, Device, Tensor};

/// The length of `tokens`, which are to be one sequence, `[1, pos]`; their ids are the model's to
/// check.
pub(super) fn one_sequence(what: &str, tokens: &Tensor) -> Result<usize> {
    match tokens.dims() {
        [1, pos] if *pos > 0 => Ok(*pos),
        found => Err(Error::shape(what, "[1, pos]", found)),
    }
}

/// An error unless `index` is one of `0..n`.
pub(super) fn check_index(what: &'static str, index: usize, n: usize) -> Result<()> {
    match index < n {
        true => Ok(()),
        false => Err(Error::argument(what, index, format!("must be below {n}"))),
    }
}

/// An error unless the model has this token.
pub(super) fn check_token(id: u32, cfg: &TransformerConfig) -> Result<()> {
    if (id as usize) < cfg.d_vocab {
        return Ok(());
    }
    let rule = format!("must be below d_vocab = {}", cfg.d_vocab);
    Err(Error::argument("token id", id, rule))
}

/// An error unless the model has this head.
pub(super) fn check_head(layer: usize, head: usize, cfg: &TransformerConfig) -> Result<()> {
    check_index("layer", layer, cfg.n_layers)?;
    check_index("head", head, cfg.n_heads)
}

/// A head as TransformerLens labels it: `L0H1`.
pub(super) fn head_label(layer: usize, head: usize) -> String {
    format!("L{layer}H{head}")
}

/// The tensor in f32 on the CPU, contiguous.
pub(super) fn plain(t: &Tensor) -> Result<Tensor> {
    let t = t.to_device(&Device::Cpu)?.to_dtype(DType::F32)?;
    Ok(t.contiguous()?)
}

/// The elements of a tensor in order, as f32, wherever it lives.
pub(super) fn elements(t: &Tensor) -> Result<Vec<f32>> {
    Ok(plain(t)?.flatten_all()?.to_vec1()?)
}
