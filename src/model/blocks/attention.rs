//! Causal multi-head self-attention.
//!
//! `z = softmax(q k^T / sqrt(d_head)) v` per head, `out = sum_h z_h W_O^h + b_O`; with rotary
//! positions q and k are rotated first.
//! Source: Vaswani et al. 2017, arXiv:1706.03762; GPT-2's causal mask.

use super::functions::{linear, softmax};
use super::rotary::Rotary;
use crate::error::Result;
use crate::model::hooks::{BlockPoint, HookName, Run};
use crate::model::ops;
use candle_core::{D, DType, Tensor};

/// One block's attention; `w_q`, `w_k`, `w_v` are `[n_heads, d_model, d_head]`, `w_o` is
/// `[n_heads, d_head, d_model]`, `b_q`, `b_k`, `b_v` are `[n_heads, d_head]`, `b_o` `[d_model]`.
pub(in crate::model) struct Attention {
    pub(in crate::model) layer: usize,
    pub(in crate::model) n_heads: usize,
    pub(in crate::model) d_head: usize,
    /// Where positions are rotary.
    pub(in crate::model) rotary: Option<Rotary>,
    pub(in crate::model) w_q: Tensor,
    pub(in crate::model) w_k: Tensor,
    pub(in crate::model) w_v: Tensor,
    pub(in crate::model) w_o: Tensor,
    pub(in crate::model) b_q: Tensor,
    pub(in crate::model) b_k: Tensor,
    pub(in crate::model) b_v: Tensor,
    pub(in crate::model) b_o: Tensor,
}

impl Attention {
    fn at(&self, point: BlockPoint) -> HookName {
        HookName::Block {
            layer: self.layer,
            point,
        }
    }

    /// `x` `[batch, pos, d_model]`, already normalised, to `[batch, pos, d_model]`; `None` where
    /// the run is finished before that.
    pub(in crate::model) fn forward(&self, x: &Tensor, run: &mut Run) -> Result<Option<Tensor>> {
        if run.finished() {
            return Ok(None);
        }
        let q = run.visit(
            self.at(BlockPoint::Q),
            self.project(x, &self.w_q, &self.b_q)?,
        )?;
        let k = run.visit(
            self.at(BlockPoint::K),
            self.project(x, &self.w_k, &self.b_k)?,
        )?;
        let v = run.visit(
            self.at(BlockPoint::V),
            self.project(x, &self.w_v, &self.b_v)?,
        )?;
        if run.finished() {
            return Ok(None);
        }
        let (q, k) = match &self.rotary {
            None => (q, k),
            Some(rotary) => (
                run.visit(self.at(BlockPoint::RotQ), rotary.rotate(&q, 0)?)?,
                run.visit(self.at(BlockPoint::RotK), rotary.rotate(&k, 0)?)?,
            ),
        };
        if run.finished() {
            return Ok(None);
        }
        let z = self.mix(&q, &k, &v, run)?;
        let z = run.visit(self.at(BlockPoint::Z), z)?;
        if run.finished() {
            return Ok(None);
        }
        self.output(&z).map(Some)
    }

    /// The heads' `z` `[batch, pos, n_heads, d_head]`, put together: `[batch, pos, d_model]`.
    pub(in crate::model) fn output(&self, z: &Tensor) -> Result<Tensor> {
        let (batch, pos, _, _) = z.dims4()?;
        let width = self.n_heads * self.d_head;
        let w_o = self.w_o.reshape((width, self.w_o.dim(2)?))?;
        linear(&z.reshape((batch, pos, width))?, &w_o, &self.b_o)
    }

    /// `x` to one head-split projection `[batch, pos, n_heads, d_head]`.
    fn project(&self, x: &Tensor, w: &Tensor, b: &Tensor) -> Result<Tensor> {
        let (batch, pos, _) = x.dims3()?;
        let y = linear(x, &self.side_by_side(w)?, &b.flatten_all()?)?;
        Ok(y.reshape((batch, pos, self.n_heads, self.d_head))?)
    }

    /// The heads' weights as one `[d_model, n_heads d_head]`: one wide product instead of one
    /// narrow product a head.
    pub(in crate::model) fn side_by_side(&self, w: &Tensor) -> Result<Tensor> {
        let width = self.n_heads * self.d_head;
        Ok(w.permute((1, 0, 2))?.reshape((w.dim(1)?, width))?)
    }

    /// `x`, already normalised, to queries, keys and values.
    pub(in crate::model) fn qkv(&self, x: &Tensor) -> Result<[Tensor; 3]> {
        Ok([
            self.project(x, &self.w_q, &self.b_q)?,
            self.project(x, &self.w_k, &self.b_k)?,
            self.project(x, &self.w_v, &self.b_v)?,
        ])
    }

    /// Queries or keys at the positions from `start` on, rotated where positions are rotary.
    pub(in crate::model) fn rotated(&self, x: Tensor, start: usize) -> Result<Tensor> {
        match &self.rotary {
            Some(rotary) => rotary.rotate(&x, start),
            None => Ok(x),
        }
    }

    /// The gradient of what was rotated at the positions from 0 on, from that of the result.
    pub(in crate::model) fn rotated_back(&self, grad: Tensor) -> Result<Tensor> {
        match &self.rotary {
            Some(rotary) => rotary.rotate_back(&grad),
            None => Ok(grad),
        }
    }

    /// Scores, pattern and weighted values: `[batch, pos, n_heads, d_head]`.
    pub(in crate::model) fn mix(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        run: &mut Run,
    ) -> Result<Tensor> {
        let (at_scores, at_pattern) = (
            self.at(BlockPoint::AttnScores),
            self.at(BlockPoint::Pattern),
        );
        let fused = ops::usable(&[q, k, v]);
        if fused && !run.watches(at_scores) && !run.watches(at_pattern) {
            return Ok(ops::causal_attention(q, k, v)?);
        }
        let heads_first = |t: &Tensor| t.permute((0, 2, 1, 3))?.contiguous();
        let (q_h, k_h, v_h) = (heads_first(q)?, heads_first(k)?, heads_first(v)?);
        let scores = (q_h.matmul(&k_h.t()?)? / (self.d_head as f64).sqrt())?;
        let scores = mask_future(&scores)?; // [batch, n_heads, query, key]
        let new_scores = run.replacement(at_scores, &scores)?;
        let scores = new_scores.as_ref().unwrap_or(&scores);
        let pattern = softmax(&scores.to_dtype(DType::F32)?)?.to_dtype(q.dtype())?;
        let new_pattern = run.replacement(at_pattern, &pattern)?;
        if fused && new_scores.is_none() && new_pattern.is_none() {
            // Watched but not replaced: the same bits as in an unwatched run.
            return Ok(ops::causal_attention(q, k, v)?);
        }
        let pattern = new_pattern.unwrap_or(pattern);
        Ok(pattern.matmul(&v_h)?.permute((0, 2, 1, 3))?.contiguous()?)
    }
}

/// `-inf` wherever the key comes after the query; `[batch, n_heads, query, key]`.
fn mask_future(scores: &Tensor) -> Result<Tensor> {
    let pos = scores.dim(D::Minus1)?;
    let future: Vec<u8> = (0..pos)
        .flat_map(|query| (0..pos).map(move |key| u8::from(key > query)))
        .collect();
    let future = Tensor::from_vec(future, (pos, pos), scores.device())?;
    let minus_inf = Tensor::new(f32::NEG_INFINITY, scores.device())?
        .to_dtype(scores.dtype())?
        .broadcast_as(scores.shape())?;
    Ok(future
        .broadcast_as(scores.shape())?
        .where_cond(&minus_inf, scores)?)
}
