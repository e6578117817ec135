//! Reading a text token by token, with the keys and values of what was read kept.
//!
//! A new position attends to the kept keys: `z = softmax(q K^T / sqrt(d_head)) V`, so that a step
//! costs one position's work, not the whole text's. Source: Pope et al. 2022, arXiv:2211.05102.

use super::attention::{Attention, softmax};
use super::forward::linear;
use super::hooks::Run;
use super::layer_norm::LayerNorm;
use super::mlp::Mlp;
use super::transformer::Transformer;
use crate::error::Result;
use candle_core::{D, DType, IndexOp, Tensor};

/// A model and what it has read so far.
pub(super) struct Decoder {
    model: Transformer,
    layers: Vec<Layer>,
    /// Positions read.
    n_read: usize,
}

struct Layer {
    ln1: LayerNorm,
    attention: Attention,
    /// `W_Q`, `W_K`, `W_V` side by side, `[d_model, 3 n_heads d_head]`, and their biases.
    w_qkv: Tensor,
    b_qkv: Tensor,
    /// `[1, n_heads, n_ctx, d_head]`; filled up to the positions read.
    keys: Tensor,
    values: Tensor,
    mlp: Option<(LayerNorm, Mlp)>,
}

impl Decoder {
    /// A decoder that has read nothing.
    pub(super) fn new(model: &Transformer) -> Result<Self> {
        let model = model.without_gradients();
        let layers = (0..model.cfg.n_layers)
            .map(|layer| Layer::new(&model, layer))
            .collect::<Result<_>>()?;
        Ok(Self {
            model,
            layers,
            n_read: 0,
        })
    }

    /// Logits `[d_vocab]` of what follows `text`, which is what was given last and one token
    /// more, or a new text. Of a text longer than `n_ctx` its last `n_ctx` tokens are seen.
    ///
    /// # Errors
    /// [`Error::Argument`] for an id out of range.
    ///
    /// [`Error::Argument`]: crate::Error::Argument
    pub(super) fn logits_after(&mut self, text: &[u32]) -> Result<Vec<f32>> {
        let n_ctx = self.model.cfg.n_ctx;
        let goes_on = self.n_read > 0 && text.len() == self.n_read + 1 && text.len() <= n_ctx;
        if !goes_on {
            // Positions are absolute: when the window moves, every key changes.
            self.n_read = 0;
        }
        let seen = text.len().min(n_ctx) - self.n_read;
        self.read(&text[text.len() - seen..])
    }

    fn read(&mut self, tokens: &[u32]) -> Result<Vec<f32>> {
        let model = &self.model;
        let ids = Tensor::from_slice(tokens, (1, tokens.len()), &model.device)?;
        let ids = model.checked(&ids)?.flatten_all()?;
        let embed = model.param("embed.W_E")?.index_select(&ids, 0)?;
        let positions = model.param("pos_embed.W_pos")?;
        let positions = positions.narrow(0, self.n_read, tokens.len())?;
        let mut x = (embed + positions)?.unsqueeze(0)?; // [1, pos, d_model]
        for layer in &self.layers {
            x = layer.forward(x, self.n_read)?;
        }
        self.n_read += tokens.len();
        let last = x.narrow(1, tokens.len() - 1, 1)?.contiguous()?;
        let mut run = Run::unwatched();
        let x = model.normed(&last, &mut run)?;
        let logits = model.unembed(&x, &mut run)?.i((0, 0))?;
        Ok(logits.to_dtype(DType::F32)?.to_vec1()?)
    }
}

impl Layer {
    fn new(model: &Transformer, layer: usize) -> Result<Self> {
        let cfg = &model.cfg;
        let attention = model.attention(layer)?;
        let flat = |w: &Tensor| -> Result<Tensor> {
            Ok(w.permute((1, 0, 2))?.reshape((cfg.d_model, cfg.d_model))?)
        };
        let w_qkv = [&attention.w_q, &attention.w_k, &attention.w_v]
            .into_iter()
            .map(flat)
            .collect::<Result<Vec<_>>>()?;
        let b_qkv = Tensor::cat(&[&attention.b_q, &attention.b_k, &attention.b_v], 0)?;
        let kept = || {
            let shape = (1, cfg.n_heads, cfg.n_ctx, cfg.d_head());
            Tensor::zeros(shape, w_qkv[0].dtype(), &model.device)
        };
        Ok(Self {
            ln1: model.ln1(layer)?,
            keys: kept()?,
            values: kept()?,
            w_qkv: Tensor::cat(&w_qkv, 1)?.contiguous()?,
            b_qkv: b_qkv.flatten_all()?,
            attention,
            mlp: match cfg.attn_only {
                true => None,
                false => Some((model.ln2(layer)?, model.mlp(layer)?)),
            },
        })
    }

    /// `x` `[1, pos, d_model]`, at the positions from `start` on, to the same shape.
    fn forward(&self, x: Tensor, start: usize) -> Result<Tensor> {
        let mut run = Run::unwatched();
        let (n_heads, d_head) = (self.attention.n_heads, self.attention.d_head);
        let pos = x.dim(1)?;
        let qkv = linear(&self.ln1.forward(&x, &mut run)?, &self.w_qkv, &self.b_qkv)?;
        let qkv = qkv.reshape((1, pos, 3, n_heads, d_head))?;
        let part = |i: usize| qkv.i((.., .., i))?.contiguous(); // [1, pos, n_heads, d_head]
        let (q, k, v) = (part(0)?, part(1)?, part(2)?);
        let heads_first = |t: &Tensor| t.transpose(1, 2)?.contiguous();
        self.keys.slice_set(&heads_first(&k)?, 2, start)?;
        self.values.slice_set(&heads_first(&v)?, 2, start)?;
        let z = match start {
            0 => self.attention.mix(&q, &k, &v, &mut run)?,
            _ => self.attend(&heads_first(&q)?, start + 1)?,
        };
        let x = (x + self.attention.output(&z)?)?;
        match &self.mlp {
            None => Ok(x),
            Some((ln2, mlp)) => {
                let out = mlp.forward(&ln2.forward(&x, &mut run)?, &mut run)?;
                Ok((x + out)?)
            }
        }
    }

    /// One position's `q` `[1, n_heads, 1, d_head]` against the first `n` kept ones:
    /// `[1, 1, n_heads, d_head]`. The last of them is its own, so that nothing is masked.
    fn attend(&self, q: &Tensor, n: usize) -> Result<Tensor> {
        let scale = 1.0 / (self.attention.d_head as f64).sqrt();
        let keys = self.keys.narrow(2, 0, n)?;
        let scores = (q.matmul(&keys.transpose(D::Minus1, D::Minus2)?)? * scale)?;
        let pattern = softmax(&scores.to_dtype(DType::F32)?)?.to_dtype(q.dtype())?;
        let z = pattern.matmul(&self.values.narrow(2, 0, n)?)?;
        Ok(z.transpose(1, 2)?)
    }
}
