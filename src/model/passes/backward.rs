//! The pass through the blocks that a training step takes, and its gradients, by hand.
//!
//! candle's own backward pass adds each gradient to zeros of its shape, and its sums of large
//! tensors wait, spinning, for threads of its own. Here each part's gradients come from its own
//! formulas (`ops`) and are added in candle's order: the same numbers. What a block computes is
//! written in `forward`, too, where hooks can see it: a change there is a change here, which
//! `tests/model_gradients.rs` checks.

use crate::config::{Activation, PositionalEmbedding};
use crate::error::{Error, Result};
use crate::model::blocks::{Attention, LayerNorm, Mlp, Norm, activate, linear};
use crate::model::ops::{self, add};
use crate::model::transformer::Transformer;
use candle_core::backprop::GradStore;
use candle_core::{DType, Tensor, Var};

/// What the backward pass reads of one block's forward pass.
struct BlockPass {
    layer: usize,
    ln1: Norm,
    attention: Attention,
    /// `hook_resid_pre`, and the same normalised. `[batch, pos, d_model]`
    pre: Tensor,
    normed: Tensor,
    /// As the scores read them: queries and keys rotated, where positions are rotary.
    /// `[batch, pos, n_heads, d_head]`
    qkv: [Tensor; 3],
    /// `[batch, pos, n_heads d_head]`.
    z: Tensor,
    mlp: Option<MlpPass>,
    /// Whether the MLP reads `pre`, as the attention does.
    parallel: bool,
}

struct MlpPass {
    ln2: Norm,
    mlp: Mlp,
    /// What it reads, `hook_resid_mid` or in parallel blocks `hook_resid_pre`, and the same
    /// normalised. `[batch, pos, d_model]`
    read: Tensor,
    normed: Tensor,
    /// `[batch, pos, d_mlp]`.
    hook_pre: Tensor,
    /// What the nonlinearity gives, where a LayerNorm follows it.
    hook_mid: Option<Tensor>,
    hook_post: Tensor,
}

/// A pass from the rows of the embedding to the final norm.
pub(super) struct Pass {
    blocks: Vec<BlockPass>,
    ln_final: Norm,
    /// The residual stream after the last block. `[batch, pos, d_model]`
    last: Tensor,
    /// What the unembedding reads. `[batch, pos, d_model]`
    pub(super) normed: Tensor,
}

impl Pass {
    /// From rows `[batch * pos, d_model]` of the embedding. `model` keeps no history.
    pub(super) fn of(
        model: &Transformer,
        rows: &Tensor,
        (batch, pos): (usize, usize),
    ) -> Result<Self> {
        let rows = rows.reshape((batch, pos, model.cfg.d_model))?;
        let mut x = match model.cfg.positional_embedding_type {
            PositionalEmbedding::Rotary => rows,
            PositionalEmbedding::Standard => {
                add(&rows, &model.param("pos_embed.W_pos")?.narrow(0, 0, pos)?)?
            }
        };
        let mut blocks = Vec::new();
        for layer in 0..model.cfg.n_layers {
            let (block, after) = BlockPass::of(model, layer, x)?;
            blocks.push(block);
            x = after;
        }
        let ln_final = model.ln_final()?;
        Ok(Self {
            blocks,
            normed: ln_final.unwatched(&x)?,
            ln_final,
            last: x,
        })
    }

    /// The gradients of every parameter into `grads`, and that of the rows, from the gradient of
    /// [`Pass::normed`]. `model` is the one whose parameters they are.
    pub(super) fn backward(
        self,
        model: &Transformer,
        grad: &Tensor,
        grads: &mut GradStore,
    ) -> Result<Tensor> {
        let mut into = ParameterGradients { model, grads };
        let mut dx = into.norm("ln_final", &self.ln_final, &self.last, grad)?;
        for block in self.blocks.into_iter().rev() {
            dx = block.backward(dx, &mut into)?;
        }
        let (batch, pos, d_model) = dx.dims3()?;
        if model.cfg.positional_embedding_type == PositionalEmbedding::Rotary {
            return Ok(dx.reshape((batch * pos, d_model))?);
        }
        // Positions that were not read have none.
        let read = dx.sum(0)?;
        let unread = model.cfg.n_ctx - pos;
        let positions = match unread {
            0 => read,
            _ => {
                let zeros = Tensor::zeros((unread, d_model), DType::F32, dx.device())?;
                Tensor::cat(&[&read, &zeros], 0)?
            }
        };
        into.insert("pos_embed.W_pos", positions)?;
        Ok(dx.reshape((batch * pos, d_model))?)
    }
}

impl BlockPass {
    /// And the residual stream after it.
    fn of(model: &Transformer, layer: usize, pre: Tensor) -> Result<(Self, Tensor)> {
        let (ln1, attention) = (model.ln1(layer)?, model.attention(layer)?);
        let normed = ln1.unwatched(&pre)?;
        let [q, k, v] = attention.qkv(&normed)?;
        let qkv = [attention.rotated(q, 0)?, attention.rotated(k, 0)?, v];
        let [q, k, v] = &qkv;
        let z = ops::causal_attention(q, k, v)?;
        let x = add(&pre, &attention.output(&z)?)?;
        let z = z.flatten_from(2)?;
        let parallel = model.cfg.parallel_attn_mlp;
        let (mlp, x) = match model.cfg.attn_only {
            true => (None, x),
            false => {
                let read = if parallel { &pre } else { &x };
                let (mlp, x) = MlpPass::of(model, layer, read.clone(), &x)?;
                (Some(mlp), x)
            }
        };
        let pass = Self {
            layer,
            ln1,
            attention,
            pre,
            normed,
            qkv,
            z,
            mlp,
            parallel,
        };
        Ok((pass, x))
    }

    /// From the gradient of what follows the block to that of what precedes it.
    fn backward(self, mut dx: Tensor, into: &mut ParameterGradients) -> Result<Tensor> {
        let name = |of: &str| format!("blocks.{}.{of}", self.layer);
        // What the attention adds is read by a sequential block's MLP, not by a parallel one's.
        let after = self.parallel.then(|| dx.clone());
        if let Some(mlp) = self.mlp {
            dx = mlp.backward(self.layer, dx, into)?;
        }
        let d_out = after.as_ref().unwrap_or(&dx);
        let a = &self.attention;
        let w_o = a.w_o.flatten_to(1)?;
        let [dz, dw_o, db_o] = ops::linear_gradients(&self.z, &w_o, d_out)?;
        into.insert(&name("attn.W_O"), dw_o.reshape(a.w_o.shape())?)?;
        into.insert(&name("attn.b_O"), db_o)?;
        let [q, k, v] = &self.qkv;
        let [dq, dk, dv] = ops::causal_attention_gradients(q, k, v, &dz.reshape(q.shape())?)?;
        let by_head = [a.rotated_back(dq)?, a.rotated_back(dk)?, dv];
        let mut by_input = Vec::new();
        let parts = ["Q", "K", "V"].into_iter().zip([&a.w_q, &a.w_k, &a.w_v]);
        for ((part, w), grad) in parts.zip(by_head) {
            let (n_heads, d_model, d_head) = w.dims3()?;
            let wide = a.side_by_side(w)?;
            let [d, dw, db] = ops::linear_gradients(&self.normed, &wide, &grad.flatten_from(2)?)?;
            let dw = dw.reshape((d_model, n_heads, d_head))?.permute((1, 0, 2))?;
            into.insert(&name(&format!("attn.W_{part}")), dw.contiguous()?)?;
            let db = db.reshape((n_heads, d_head))?;
            into.insert(&name(&format!("attn.b_{part}")), db)?;
            by_input.push(d);
        }
        // In the order of candle's sums.
        let Some(ln1) = &self.ln1.0 else {
            // The three read the stream itself, beside the block's end.
            let and = |dx: Tensor, part: &Tensor| add(&dx, part);
            return Ok(by_input.iter().rev().try_fold(dx, and)?);
        };
        let grad = add(&add(&by_input[2], &by_input[1])?, &by_input[0])?;
        let d_pre = into.layer_norm(&name("ln1"), ln1, &self.pre, &grad)?;
        Ok(add(&dx, &d_pre)?)
    }
}

impl MlpPass {
    /// Of what it reads and the stream `x` that it adds to; and the stream after it.
    fn of(model: &Transformer, layer: usize, read: Tensor, x: &Tensor) -> Result<(Self, Tensor)> {
        let (ln2, mlp) = (model.ln2(layer)?, model.mlp(layer)?);
        let normed = ln2.unwatched(&read)?;
        let hook_pre = linear(&normed, &mlp.w_in, &mlp.b_in)?;
        let activated = activate(&hook_pre, mlp.act_fn)?;
        let (hook_mid, hook_post) = match &mlp.ln {
            Some(ln) => {
                let post = ln.unwatched(&activated)?;
                (Some(activated), post)
            }
            None => (None, activated),
        };
        let x = add(x, &linear(&hook_post, &mlp.w_out, &mlp.b_out)?)?;
        let pass = Self {
            ln2,
            mlp,
            read,
            normed,
            hook_pre,
            hook_mid,
            hook_post,
        };
        Ok((pass, x))
    }

    fn backward(self, layer: usize, dx: Tensor, into: &mut ParameterGradients) -> Result<Tensor> {
        let name = |of: &str| format!("blocks.{layer}.{of}");
        let m = &self.mlp;
        let [d_post, dw_out, db_out] = ops::linear_gradients(&self.hook_post, &m.w_out, &dx)?;
        into.insert(&name("mlp.W_out"), dw_out)?;
        into.insert(&name("mlp.b_out"), db_out)?;
        let d_activated = match (&m.ln, &self.hook_mid) {
            (Some(ln), Some(mid)) => into.layer_norm(&name("mlp.ln"), ln, mid, &d_post)?,
            _ => d_post,
        };
        let d_pre = match ops::activation_gradient(&self.hook_pre, m.act_fn, &d_activated) {
            Some(grad) => grad?,
            None => composed_gradient(&self.hook_pre, m.act_fn, &d_activated)?,
        };
        let [grad, dw_in, db_in] = ops::linear_gradients(&self.normed, &m.w_in, &d_pre)?;
        into.insert(&name("mlp.W_in"), dw_in)?;
        into.insert(&name("mlp.b_in"), db_in)?;
        Ok(add(
            &dx,
            &into.norm(&name("ln2"), &self.ln2, &self.read, &grad)?,
        )?)
    }
}

/// The gradient of an activation that has no kernel: candle's own, of `sum(f(x) grad)`.
fn composed_gradient(x: &Tensor, act_fn: Activation, grad: &Tensor) -> Result<Tensor> {
    let x = Var::from_tensor(x)?;
    let mut grads = (activate(&x, act_fn)? * grad)?.sum_all()?.backward()?;
    match grads.remove(&x) {
        Some(grad) => Ok(grad),
        None => Ok(x.zeros_like()?),
    }
}

/// Where gradients go.
struct ParameterGradients<'a> {
    model: &'a Transformer,
    grads: &'a mut GradStore,
}

impl ParameterGradients<'_> {
    fn insert(&mut self, name: &str, grad: Tensor) -> Result<()> {
        let Some(var) = self.model.params.get(name) else {
            return Err(Error::NotFound {
                kind: "parameter",
                name: name.to_owned(),
                known: self.model.params.keys().cloned().collect(),
            });
        };
        self.grads.insert(var.as_tensor(), grad);
        Ok(())
    }

    /// The gradients of a norm's parameters; gives that of its input.
    fn norm(&mut self, name: &str, norm: &Norm, x: &Tensor, grad: &Tensor) -> Result<Tensor> {
        match &norm.0 {
            Some(norm) => self.layer_norm(name, norm, x, grad),
            None => Ok(grad.clone()),
        }
    }

    fn layer_norm(
        &mut self,
        name: &str,
        norm: &LayerNorm,
        x: &Tensor,
        grad: &Tensor,
    ) -> Result<Tensor> {
        let [dx, dw, db] = ops::layer_norm_gradients(x, &norm.w, grad, norm.eps)?;
        if norm.has_parameters {
            self.insert(&format!("{name}.w"), dw)?;
            self.insert(&format!("{name}.b"), db)?;
        }
        Ok(dx)
    }
}
