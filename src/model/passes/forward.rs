//! One pass through the model, part by part.
//!
//! `x_0 = W_E[tokens] + W_pos`, `x += Attn(LN(x))`, `x += MLP(LN(x))`, `logits = LN(x) W_U + b_U`;
//! with rotary positions there is no `W_pos`, and in parallel blocks the MLP reads what the attention
//! reads. Source: Radford et al. 2019; Black et al. 2022; the order of TransformerLens' hook points.

use crate::config::{Activation, Normalization, PositionalEmbedding};
use crate::error::{Error, Result};
use crate::model::blocks::{Attention, LayerNorm, Mlp, Norm, linear, sum};
use crate::model::device::dtype_of;
use crate::model::hooks::{BlockPoint, HookName, Run};
use crate::model::ops;
use crate::model::transformer::Transformer;
use candle_core::{D, DType, IndexOp, Tensor};

impl Transformer {
    pub(in crate::model) fn param(&self, name: &str) -> Result<Tensor> {
        let value = self.parameter(name)?;
        match self.params.get(name) {
            Some(var) if self.tracks_gradients => Ok(var.as_tensor().clone()),
            _ => Ok(value),
        }
    }

    pub(in crate::model) fn logits(&self, tokens: &Tensor, run: &mut Run) -> Result<Tensor> {
        let tokens = self.checked(tokens)?;
        let x = self.residual(&tokens, None, run)?;
        let x = self.normed(&x, run)?;
        self.unembed(&x, run)
    }

    /// The next-token losses of a pass: `[batch, pos - 1]`, or their mean as a scalar.
    pub(in crate::model) fn losses(
        &self,
        tokens: &Tensor,
        mean: bool,
        run: &mut Run,
    ) -> Result<Tensor> {
        let tokens = self.checked(tokens)?;
        let (batch, pos) = tokens.dims2()?;
        if pos < 2 {
            return Err(Error::shape("tokens", "[batch, at least 2]", tokens.dims()));
        }
        let x = self.residual(&tokens, None, run)?;
        let x = self.normed(&x, run)?;
        let targets = tokens.i((.., 1..))?.flatten_all()?;
        let (w, b) = (self.w_u()?, self.param("unembed.b_U")?);
        let fused = ops::usable(&[&x, &w, &b]);
        if !fused || run.watches(HookName::UnembedOut) {
            let logits = linear(&x, &w, &b)?;
            let replaced = run.replacement(HookName::UnembedOut, &logits)?;
            if !fused || replaced.is_some() {
                let logits = replaced.unwrap_or(logits).narrow(1, 0, pos - 1)?;
                let losses = composed_cross_entropy(&logits.flatten(0, 1)?, &targets)?;
                return Ok(if mean {
                    losses.mean_all()?
                } else {
                    losses.reshape((batch, pos - 1))?
                });
            }
        }
        // Every position but the last predicts.
        let x = x.narrow(1, 0, pos - 1)?.flatten(0, 1)?.contiguous()?;
        let targets = targets.to_vec1::<u32>()?;
        Ok(if mean {
            ops::mean_cross_entropy(&x, &w, &b, targets)?
        } else {
            ops::cross_entropy(&x, &w, &b, targets)?.reshape((batch, pos - 1))?
        })
    }

    /// Tokens as contiguous u32 `[batch, pos]` on the model's device, each id in range.
    pub(in crate::model) fn checked(&self, tokens: &Tensor) -> Result<Tensor> {
        if tokens.rank() != 2 || tokens.elem_count() == 0 {
            return Err(Error::shape("tokens", "[batch, pos]", tokens.dims()));
        }
        if !matches!(tokens.dtype(), DType::U32 | DType::I64 | DType::U8) {
            return Err(Error::argument(
                "tokens' type",
                tokens.dtype().as_str(),
                "must be an integer type, u32 or i64",
            ));
        }
        let pos = tokens.dim(1)?;
        if pos > self.cfg.n_ctx {
            return Err(Error::argument(
                "sequence length",
                pos,
                format!("must be at most n_ctx = {}", self.cfg.n_ctx),
            ));
        }
        let ids = tokens
            .flatten_all()?
            .to_dtype(DType::I64)?
            .to_vec1::<i64>()?;
        let valid = 0..self.cfg.d_vocab as i64;
        if let Some(id) = ids.iter().find(|id| !valid.contains(id)) {
            return Err(Error::argument(
                "token id",
                id,
                format!("must be below d_vocab = {}", self.cfg.d_vocab),
            ));
        }
        Ok(tokens
            .to_dtype(DType::U32)?
            .to_device(&self.device)?
            .contiguous()?)
    }

    /// Embedding and the blocks before `stop`: `[batch, pos, d_model]`; of a run that is finished
    /// before that ([`Run::finished`]), the stream as it was last.
    pub(in crate::model) fn residual(
        &self,
        tokens: &Tensor,
        stop: Option<usize>,
        run: &mut Run,
    ) -> Result<Tensor> {
        let n_blocks = stop.unwrap_or(self.cfg.n_layers);
        if n_blocks > self.cfg.n_layers {
            return Err(Error::argument(
                "stop_at_layer",
                n_blocks,
                format!("must be at most n_layers = {}", self.cfg.n_layers),
            ));
        }
        let embed = self
            .param("embed.W_E")?
            .index_select(&tokens.flatten_all()?, 0)?;
        self.residual_of(&embed, tokens.dims2()?, n_blocks, run)
    }

    /// The first `n_blocks` blocks after embeddings `[batch * pos, d_model]`: as
    /// [`Transformer::residual`].
    fn residual_of(
        &self,
        embed: &Tensor,
        (batch, pos): (usize, usize),
        n_blocks: usize,
        run: &mut Run,
    ) -> Result<Tensor> {
        let embed = embed.reshape((batch, pos, self.cfg.d_model))?;
        let embed = run.visit(HookName::Embed, embed)?;
        let mut x = match self.cfg.positional_embedding_type {
            PositionalEmbedding::Rotary => embed,
            PositionalEmbedding::Standard => {
                let positions = self
                    .param("pos_embed.W_pos")?
                    .narrow(0, 0, pos)?
                    .unsqueeze(0)?;
                let positions = positions.broadcast_as((batch, pos, self.cfg.d_model))?;
                (embed + run.visit(HookName::PosEmbed, positions)?)?
            }
        };
        for layer in 0..n_blocks {
            if run.finished() {
                break;
            }
            x = self.block(layer, x, run)?;
        }
        Ok(x)
    }

    /// One block, `[batch, pos, d_model]` to the same.
    pub(in crate::model) fn block(&self, layer: usize, x: Tensor, run: &mut Run) -> Result<Tensor> {
        let at = |point| HookName::Block { layer, point };
        let x = run.visit(at(BlockPoint::ResidPre), x)?;
        let normed = self.ln1(layer)?.forward(&x, run)?;
        let Some(out) = self.attention(layer)?.forward(&normed, run)? else {
            return Ok(x);
        };
        let pre = self.cfg.parallel_attn_mlp.then(|| x.clone());
        let mut x = sum(x, run.visit(at(BlockPoint::AttnOut), out)?)?;
        if !self.cfg.attn_only {
            if pre.is_none() {
                x = run.visit(at(BlockPoint::ResidMid), x)?;
            }
            let read = pre.as_ref().unwrap_or(&x);
            let normed = self.ln2(layer)?.forward(read, run)?;
            let Some(out) = self.mlp(layer)?.forward(&normed, run)? else {
                return Ok(x);
            };
            x = sum(x, run.visit(at(BlockPoint::MlpOut), out)?)?;
        }
        run.visit(at(BlockPoint::ResidPost), x)
    }

    /// The final norm: `[batch, pos, d_model]`, what the unembedding reads.
    pub(in crate::model) fn normed(&self, x: &Tensor, run: &mut Run) -> Result<Tensor> {
        let x = self.ln_final()?.forward(x, run)?;
        run.visit(HookName::UnembedIn, x)
    }

    /// `[batch, pos, d_model]` to logits `[batch, pos, d_vocab]`.
    pub(in crate::model) fn unembed(&self, x: &Tensor, run: &mut Run) -> Result<Tensor> {
        let logits = linear(x, &self.w_u()?, &self.param("unembed.b_U")?)?;
        run.visit(HookName::UnembedOut, logits)
    }

    /// The weight `[d_model]` of the norm whose parameters are at `prefix`; ones where it has none.
    ///
    /// # Errors
    /// [`Error::NotFound`] in a model that normalises nothing.
    pub(crate) fn norm_weight(&self, prefix: &str) -> Result<Tensor> {
        if self.cfg.normalization_type == Normalization::LnPre {
            let dtype = dtype_of(self.cfg.dtype);
            return Ok(Tensor::ones(self.cfg.d_model, dtype, &self.device)?);
        }
        self.parameter(&format!("{prefix}.w"))
    }

    pub(in crate::model) fn w_u(&self) -> Result<Tensor> {
        if self.cfg.tied_unembed {
            Ok(self.param("embed.W_E")?.t()?)
        } else {
            self.param("unembed.W_U")
        }
    }

    /// The LayerNorm whose parameters, if it has any, are at `prefix`.
    fn layer_norm(
        &self,
        prefix: &str,
        width: usize,
        [scale, normalized]: [HookName; 2],
    ) -> Result<LayerNorm> {
        let has_parameters = self.cfg.normalization_type == Normalization::Ln;
        let (w, b) = match has_parameters {
            true => (
                self.param(&format!("{prefix}.w"))?,
                self.param(&format!("{prefix}.b"))?,
            ),
            false => {
                let (dtype, device) = (dtype_of(self.cfg.dtype), &self.device);
                let zeros = Tensor::zeros(width, dtype, device)?;
                (Tensor::ones(width, dtype, device)?, zeros)
            }
        };
        Ok(LayerNorm {
            w,
            b,
            has_parameters,
            eps: self.cfg.eps,
            scale,
            normalized,
        })
    }

    fn norm(&self, prefix: &str, points: [HookName; 2]) -> Result<Norm> {
        Ok(Norm(match self.cfg.normalization_type {
            Normalization::None => None,
            _ => Some(self.layer_norm(prefix, self.cfg.d_model, points)?),
        }))
    }

    pub(in crate::model) fn ln_final(&self) -> Result<Norm> {
        let points = [HookName::LnFinalScale, HookName::LnFinalNormalized];
        self.norm("ln_final", points)
    }

    /// The norm before a block's attention.
    pub(in crate::model) fn ln1(&self, layer: usize) -> Result<Norm> {
        let points = [BlockPoint::Ln1Scale, BlockPoint::Ln1Normalized];
        let points = points.map(|point| HookName::Block { layer, point });
        self.norm(&format!("blocks.{layer}.ln1"), points)
    }

    /// The norm before a block's MLP.
    pub(in crate::model) fn ln2(&self, layer: usize) -> Result<Norm> {
        let points = [BlockPoint::Ln2Scale, BlockPoint::Ln2Normalized];
        let points = points.map(|point| HookName::Block { layer, point });
        self.norm(&format!("blocks.{layer}.ln2"), points)
    }

    /// The norm after SoLU. Without parameters where the model's others have none; TransformerLens
    /// keeps it where there are no others.
    fn mlp_norm(&self, layer: usize) -> Result<Option<LayerNorm>> {
        if self.cfg.act_fn != Activation::SoluLn {
            return Ok(None);
        }
        let points = [BlockPoint::MlpLnScale, BlockPoint::MlpLnNormalized];
        let points = points.map(|point| HookName::Block { layer, point });
        self.layer_norm(&format!("blocks.{layer}.mlp.ln"), self.cfg.d_mlp, points)
            .map(Some)
    }

    pub(in crate::model) fn attention(&self, layer: usize) -> Result<Attention> {
        let param = |name: &str| self.param(&format!("blocks.{layer}.attn.{name}"));
        Ok(Attention {
            layer,
            n_heads: self.cfg.n_heads,
            d_head: self.cfg.d_head(),
            rotary: self.rotary.clone(),
            w_q: param("W_Q")?,
            w_k: param("W_K")?,
            w_v: param("W_V")?,
            w_o: param("W_O")?,
            b_q: param("b_Q")?,
            b_k: param("b_K")?,
            b_v: param("b_V")?,
            b_o: param("b_O")?,
        })
    }

    pub(in crate::model) fn mlp(&self, layer: usize) -> Result<Mlp> {
        let param = |name: &str| self.param(&format!("blocks.{layer}.mlp.{name}"));
        Ok(Mlp {
            layer,
            act_fn: self.cfg.act_fn,
            ln: self.mlp_norm(layer)?,
            w_in: param("W_in")?,
            b_in: param("b_in")?,
            w_out: param("W_out")?,
            b_out: param("b_out")?,
        })
    }
}

/// Cross-entropy in nats of `logits` `[n, d_vocab]` against `targets` `[n]`: `[n]`, f32.
fn composed_cross_entropy(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    let logits = logits.to_dtype(DType::F32)?.contiguous()?;
    let shifted = logits.broadcast_sub(&logits.detach().max_keepdim(D::Minus1)?)?;
    let log_z = shifted.exp()?.sum_keepdim(D::Minus1)?.log()?;
    let chosen = shifted.gather(&targets.unsqueeze(D::Minus1)?, D::Minus1)?;
    Ok((log_z - chosen)?.squeeze(D::Minus1)?)
}
