//! Reading a text token by token, with the keys and values of what was read kept.
//!
//! A new position attends to the kept keys: `z = softmax(q K^T / sqrt(d_head)) V`, so that a step
//! costs one position's work, not the whole text's. Source: Pope et al. 2022, arXiv:2211.05102.

use crate::config::PositionalEmbedding;
use crate::error::Result;
use crate::model::blocks::{Attention, Mlp, Norm, linear, softmax, sum};
use crate::model::hooks::Run;
use crate::model::ops;
use crate::model::transformer::Transformer;
use candle_core::{D, DType, IndexOp, Tensor};

/// A model and what it has read so far.
pub(super) struct Decoder {
    model: Transformer,
    layers: Vec<Layer>,
    /// Positions read.
    n_read: usize,
}

struct Layer {
    ln1: Norm,
    attention: Attention,
    /// Where no kernel reads the heads' weights as they are: half precision, and other devices.
    wide: Option<WideProjection>,
    /// `[1, n_heads, positions, d_head]`; filled up to the positions read. Rotary positions turn a
    /// key before it is kept.
    keys: Tensor,
    values: Tensor,
    mlp: Option<(Norm, Mlp)>,
    /// Whether the MLP reads what the attention reads.
    parallel: bool,
}

/// `W_Q`, `W_K`, `W_V` side by side, `[d_model, 3 n_heads d_head]`, and their biases.
struct WideProjection {
    w: Tensor,
    b: Tensor,
}

impl Decoder {
    /// A decoder that has read nothing, and will read texts of up to `n_tokens`.
    pub(super) fn new(model: &Transformer, n_tokens: usize) -> Result<Self> {
        let model = model.without_gradients();
        let positions = model.cfg.n_ctx.min(n_tokens);
        let layers = (0..model.cfg.n_layers)
            .map(|layer| Layer::new(&model, layer, positions))
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
            // When the window moves, every key changes: learned positions are absolute, and also
            // with rotary ones what a later block reads of a token depends on those before it.
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
        let x = match model.cfg.positional_embedding_type {
            PositionalEmbedding::Rotary => embed,
            PositionalEmbedding::Standard => {
                let positions = model.param("pos_embed.W_pos")?;
                sum(embed, positions.narrow(0, self.n_read, tokens.len())?)?
            }
        };
        let mut x = x.unsqueeze(0)?; // [1, pos, d_model]
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
    fn new(model: &Transformer, layer: usize, positions: usize) -> Result<Self> {
        let cfg = &model.cfg;
        let attention = model.attention(layer)?;
        let kept = || {
            let shape = (1, cfg.n_heads, positions, cfg.d_head());
            Tensor::zeros(shape, attention.w_q.dtype(), &model.device)
        };
        Ok(Self {
            ln1: model.ln1(layer)?,
            keys: kept()?,
            values: kept()?,
            wide: match ops::usable_in_f32(&[&attention.w_q]) {
                true => None,
                false => Some(WideProjection::new(&attention)?),
            },
            attention,
            mlp: match cfg.attn_only {
                true => None,
                false => Some((model.ln2(layer)?, model.mlp(layer)?)),
            },
            parallel: cfg.parallel_attn_mlp,
        })
    }

    /// `x` `[1, pos, d_model]`, at the positions from `start` on, to the same shape.
    fn forward(&self, x: Tensor, start: usize) -> Result<Tensor> {
        let mut run = Run::unwatched();
        let [q, k, v] = self.project(&self.ln1.forward(&x, &mut run)?)?;
        let (q, k) = (
            self.attention.rotated(q, start)?,
            self.attention.rotated(k, start)?,
        );
        let heads_first = |t: &Tensor| t.transpose(1, 2)?.contiguous();
        self.keys.slice_set(&heads_first(&k)?, 2, start)?;
        self.values.slice_set(&heads_first(&v)?, 2, start)?;
        let z = match start {
            0 => self.attention.mix(&q, &k, &v, &mut run)?,
            _ => self.attend(&heads_first(&q)?, start + 1)?,
        };
        let pre = self.parallel.then(|| x.clone());
        let x = sum(x, self.attention.output(&z)?)?;
        let Some((ln2, mlp)) = &self.mlp else {
            return Ok(x);
        };
        let read = pre.as_ref().unwrap_or(&x);
        match mlp.forward(&ln2.forward(read, &mut run)?, &mut run)? {
            Some(out) => sum(x, out),
            None => Ok(x),
        }
    }

    /// Queries, keys and values of `x` `[1, pos, d_model]`, each `[1, pos, n_heads, d_head]`.
    fn project(&self, x: &Tensor) -> Result<[Tensor; 3]> {
        let attention = &self.attention;
        if let Some(wide) = &self.wide {
            return wide.project(x, attention.n_heads, attention.d_head);
        }
        Ok([
            ops::project_heads(x, &attention.w_q, &attention.b_q)?,
            ops::project_heads(x, &attention.w_k, &attention.b_k)?,
            ops::project_heads(x, &attention.w_v, &attention.b_v)?,
        ])
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

impl WideProjection {
    fn new(attention: &Attention) -> Result<Self> {
        let flat = |w: &Tensor| -> Result<Tensor> {
            let (n_heads, d_model, d_head) = w.dims3()?;
            Ok(w.permute((1, 0, 2))?.reshape((d_model, n_heads * d_head))?)
        };
        let w = [&attention.w_q, &attention.w_k, &attention.w_v]
            .into_iter()
            .map(flat)
            .collect::<Result<Vec<_>>>()?;
        let b = Tensor::cat(&[&attention.b_q, &attention.b_k, &attention.b_v], 0)?;
        Ok(Self {
            w: Tensor::cat(&w, 1)?.contiguous()?,
            b: b.flatten_all()?,
        })
    }

    fn project(&self, x: &Tensor, n_heads: usize, d_head: usize) -> Result<[Tensor; 3]> {
        let pos = x.dim(1)?;
        let qkv = linear(x, &self.w, &self.b)?.reshape((1, pos, 3, n_heads, d_head))?;
        let part = |i: usize| qkv.i((.., .., i))?.contiguous();
        Ok([part(0)?, part(1)?, part(2)?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TransformerConfig;
    use candle_core::Device;

    #[test]
    fn wide_weights_give_the_heads_projections() {
        let cfg = TransformerConfig {
            d_vocab: 11,
            d_model: 8,
            n_heads: 2,
            d_mlp: 16,
            init_std: 0.5,
            ..TransformerConfig::default()
        };
        let model = Transformer::new(&cfg).unwrap().without_gradients();
        let layer = Layer::new(&model, 0, 4).unwrap();
        assert!(layer.wide.is_none());
        let x = Tensor::randn(0f32, 1.0, (1, 3, 8), &Device::Cpu).unwrap();
        let wide = WideProjection::new(&layer.attention).unwrap();
        let wide = wide.project(&x, 2, 4).unwrap();
        for (heads, wide) in layer.project(&x).unwrap().iter().zip(&wide) {
            assert_eq!(heads.dims(), [1, 3, 2, 4]);
            let difference = (heads - wide).unwrap().abs().unwrap().max_all().unwrap();
            assert!(difference.to_scalar::<f32>().unwrap() < 1e-5);
        }
    }

    /// Keys rotated at the place where they are kept: the logits token by token, also once the window
    /// moves, are those of a whole pass.
    #[test]
    fn rotary_positions_go_on_where_the_text_was_left() {
        let cfg = TransformerConfig {
            n_layers: 2,
            d_vocab: 11,
            d_model: 16,
            n_heads: 2,
            d_mlp: 16,
            n_ctx: 6,
            init_std: 0.5,
            positional_embedding_type: PositionalEmbedding::Rotary,
            rotary_dim: Some(4),
            parallel_attn_mlp: true,
            ..TransformerConfig::default()
        };
        let model = Transformer::new(&cfg).unwrap().without_gradients();
        let text = [3u32, 1, 4, 1, 5, 9, 2, 6, 5];
        let mut decoder = Decoder::new(&model, text.len()).unwrap();
        for end in 3..=text.len() {
            let found = decoder.logits_after(&text[..end]).unwrap();
            let window = &text[end.saturating_sub(6)..end];
            let tokens = Tensor::from_slice(window, (1, window.len()), &Device::Cpu).unwrap();
            let logits = model.forward(&tokens).unwrap();
            let wanted = logits.i((0, window.len() - 1)).unwrap();
            for (found, wanted) in found.iter().zip(wanted.to_vec1::<f32>().unwrap()) {
                assert!((found - wanted).abs() < 1e-5, "{end}: {found}, {wanted}");
            }
        }
    }
}
