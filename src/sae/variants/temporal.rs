//! The temporal autoencoder, for inference: what the past predicts, and what is new.
//!
//! For a sequence `x_t` (scaled, less `b_dec`), with `lam = 1 / (4 d_in)` and `W_enc = W_dec^T` if tied:
//! 1. layer by layer, from `r = x`: `z_t = relu(lam r_t W_enc)`; attention with queries of `z_t`, keys and values of
//!    `z_{t-1}` (zeros before the first), causal: `p_t = relu(attention)`; `p_t` is scaled so that `p_t W_dec` is the
//!    projection of `r_t` on it, `s_t = (p_t W_dec . r_t) / (|p_t W_dec| + 1e-6)^2`, added to the predicted codes, and
//!    subtracted: `r_t -= s_t p_t W_dec`;
//! 2. the novel codes are `relu(lam r_t W_enc)`, or the `k` largest of them;
//! 3. `x_hat = (novel + predicted) W_dec + b_dec`, scaled back.
//!
//! "Priors in Time" (Temporal Feature Analysis), arXiv:2511.01836; SAELens' architecture "temporal". Its activations
//! are the novel codes; predicted ones may be negative.

use super::standard::StandardSae;
use crate::error::{Error, Result};
use crate::model::relu;
use crate::sae::active::ActiveFeatures;
use crate::sae::autoencoder::SparseAutoencoder;
use candle_core::{D, DType, Tensor};

/// Keeps the norm of a prediction above 0, as in SAELens.
pub(in crate::sae) const EPS: f64 = 1e-6;
/// Added under the root of a norm, so that the slope at 0 is finite.
pub(in crate::sae) const TINY: f64 = 1e-30;

/// One attention layer over codes; weights `[out, in]`, biases `[out]`.
#[derive(Debug, Clone)]
pub struct TemporalAttention {
    /// Queries from the codes, `[d_sae / bottleneck_factor, d_sae]` over all heads.
    pub w_q: Tensor,
    pub b_q: Tensor,
    /// Keys from the codes one position before, as `w_q`.
    pub w_k: Tensor,
    pub b_k: Tensor,
    /// Values from the codes one position before, `[d_sae, d_sae]`.
    pub w_v: Tensor,
    pub b_v: Tensor,
    /// From the heads' values to codes, `[d_sae, d_sae]`.
    pub w_o: Tensor,
    pub b_o: Tensor,
}

/// A trained temporal autoencoder. It reads whole sequences, `[batch, pos, d_in]`: rows in another order have no past.
///
/// [`SparseAutoencoder::encode`] returns the novel codes and [`SparseAutoencoder::decode`] their
/// reconstruction alone, as in SAELens; [`SparseAutoencoder::reconstruct`] adds the prediction from the past.
/// A NaN or an infinity makes its whole sequence NaN (at the last position: only that position).
#[derive(Debug, Clone)]
pub struct TemporalSae {
    /// Maximum number of a token's novel codes, the largest; `None`: all.
    pub k: Option<usize>,
    pub n_heads: usize,
    /// Factor on the input, divided out of the reconstruction (SAELens' `activation_normalization_factor`).
    pub input_scale: f64,
    pub layers: Vec<TemporalAttention>,
    /// Whether `W_enc` is `W_dec` transposed.
    pub(in crate::sae) tied: bool,
    /// Its `b_enc` is 0.
    pub(in crate::sae) dictionary: StandardSae,
}

/// A temporal autoencoder's codes of a sequence, `[batch, pos, d_sae]` each.
#[derive(Debug, Clone)]
pub struct TemporalCodes {
    /// Sparse codes of what the past does not predict; at least 0.
    pub novel: Tensor,
    /// Codes that the past predicts; not sparse.
    pub predicted: Tensor,
}

impl TemporalAttention {
    /// The parameters with SAELens' names, in its order.
    pub(in crate::sae) fn named(&self) -> [(&'static str, &Tensor); 8] {
        [
            ("k_ctx.weight", &self.w_k),
            ("k_ctx.bias", &self.b_k),
            ("q_target.weight", &self.w_q),
            ("q_target.bias", &self.b_q),
            ("v_ctx.weight", &self.w_v),
            ("v_ctx.bias", &self.b_v),
            ("c_proj.weight", &self.w_o),
            ("c_proj.bias", &self.b_o),
        ]
    }

    /// From the tensors that `take` returns for SAELens' names.
    pub(in crate::sae) fn of_named(
        mut take: impl FnMut(&'static str) -> Result<Tensor>,
    ) -> Result<Self> {
        Ok(Self {
            w_k: take("k_ctx.weight")?,
            b_k: take("k_ctx.bias")?,
            w_q: take("q_target.weight")?,
            b_q: take("q_target.bias")?,
            w_v: take("v_ctx.weight")?,
            b_v: take("v_ctx.bias")?,
            w_o: take("c_proj.weight")?,
            b_o: take("c_proj.bias")?,
        })
    }

    /// Attention from `target` to `context`, each position over those up to it; all of shape `[batch * pos, d_sae]`.
    fn read(&self, context: &Tensor, target: &Tensor, dims: [usize; 3]) -> Result<Tensor> {
        let [batch, pos, n_heads] = dims;
        let heads = |x: &Tensor, w: &Tensor, b: &Tensor| {
            let y = x.matmul(&w.t()?)?.broadcast_add(b)?; // [batch * pos, width]
            let d_head = y.dim(1)? / n_heads;
            let y = y.reshape((batch, pos, n_heads, d_head))?;
            Ok::<_, Error>(y.transpose(1, 2)?.contiguous()?) // [batch, n_heads, pos, d_head]
        };
        let q = heads(target, &self.w_q, &self.b_q)?;
        let (k, v) = (
            heads(context, &self.w_k, &self.b_k)?,
            heads(context, &self.w_v, &self.b_v)?,
        );
        let scale = 1.0 / (q.dim(D::Minus1)? as f64).sqrt();
        let scores = (q.matmul(&k.t()?.contiguous()?)? * scale)?;
        let future: Vec<f32> = (0..pos * pos)
            .map(|i| match i % pos > i / pos {
                true => f32::NEG_INFINITY,
                false => 0.0,
            })
            .collect();
        let future = Tensor::from_vec(future, (pos, pos), scores.device())?;
        let pattern = candle_nn::ops::softmax(&scores.broadcast_add(&future)?, D::Minus1)?;
        let z = pattern.matmul(&v)?.transpose(1, 2)?.contiguous()?;
        let z = z.reshape((batch * pos, ()))?;
        Ok(z.matmul(&self.w_o.t()?)?.broadcast_add(&self.b_o)?)
    }
}

impl TemporalSae {
    /// A tied autoencoder of `W_dec`, `[d_sae, d_in]`, `b_dec`, `[d_in]`, and attention layers.
    ///
    /// # Errors
    /// [`Error::Shape`] naming the first parameter that does not fit; [`Error::Argument`] for a width of 0, a `k`
    /// outside 1 to `d_sae`, or heads that do not divide the widths.
    pub fn new(
        w_dec: Tensor,
        b_dec: Tensor,
        layers: Vec<TemporalAttention>,
        n_heads: usize,
        k: Option<usize>,
    ) -> Result<TemporalSae> {
        let [d_sae, d_in] = *w_dec.dims() else {
            return Err(Error::shape("W_dec", "[d_sae, d_in]", w_dec.dims()));
        };
        for (what, n) in [("d_in", d_in), ("d_sae", d_sae), ("n_heads", n_heads)] {
            if n == 0 {
                return Err(Error::argument(what, n, "must be at least 1"));
            }
        }
        if let Some(k) = k.filter(|k| !(1..=d_sae).contains(k)) {
            let reason = format!("must lie in 1 to d_sae = {d_sae}");
            return Err(Error::argument("k", k, reason));
        }
        for (i, layer) in layers.iter().enumerate() {
            check_layer(layer, i, d_sae, n_heads)?;
        }
        let w_enc = w_dec.t()?;
        let b_enc = Tensor::zeros(d_sae, DType::F32, w_dec.device())?;
        Ok(TemporalSae {
            k,
            n_heads,
            input_scale: 1.0,
            layers,
            tied: true,
            dictionary: StandardSae::new(w_enc, b_enc, w_dec, b_dec)?,
        })
    }

    /// Novel and predicted codes of `x`, `[batch, pos, d_in]`.
    ///
    /// # Errors
    /// [`Error::Shape`] when `x` is not `[batch, pos, d_in]`.
    pub fn encode_with_predictions(&self, x: &Tensor) -> Result<TemporalCodes> {
        let (d_in, d_sae) = (self.d_in(), self.d_sae());
        let (batch, pos) = match *x.dims() {
            [batch, pos, width] if width == d_in => (batch, pos),
            _ => {
                let expected = format!("[batch, pos, {d_in}] (whole sequences)");
                return Err(Error::shape("activations", expected, x.dims()));
            }
        };
        if batch * pos == 0 {
            let none = Tensor::zeros((batch, pos, d_sae), DType::F32, x.device())?;
            return Ok(TemporalCodes {
                novel: none.clone(),
                predicted: none,
            });
        }
        let x = (x.reshape((batch * pos, d_in))?.to_dtype(DType::F32)? * self.input_scale)?;
        // An infinity becomes a NaN, which never becomes 0.
        let x = (&x + (&x * 0.0)?)?;
        let x = match self.dictionary.apply_b_dec_to_input {
            true => x.broadcast_sub(&self.dictionary.b_dec)?,
            false => x,
        };
        let (novel, predicted) = self.codes(x, [batch, pos, self.n_heads])?;
        Ok(TemporalCodes {
            novel: novel.reshape((batch, pos, d_sae))?,
            predicted: predicted.reshape((batch, pos, d_sae))?,
        })
    }

    /// Novel and predicted codes, `[batch * pos, d_sae]`, of `r`, `[batch * pos, d_in]`.
    fn codes(&self, mut r: Tensor, dims: [usize; 3]) -> Result<(Tensor, Tensor)> {
        let (d_in, d_sae) = (self.d_in(), self.d_sae());
        let [batch, pos, _] = dims;
        let lam = 1.0 / (4.0 * d_in as f64);
        let w_dec = &self.dictionary.w_dec;
        // Computed here, so that the training step's test differentiates through both uses of W_dec.
        let w_enc = match self.tied {
            true => w_dec.t()?,
            false => self.dictionary.w_enc.clone(),
        };
        let encode = |r: &Tensor| relu(&(r * lam)?.matmul(&w_enc)?);
        let mut predicted = Tensor::zeros((batch * pos, d_sae), DType::F32, r.device())?;
        for layer in &self.layers {
            let z = encode(&r)?;
            let by_pos = z.reshape((batch, pos, d_sae))?;
            let first = by_pos.narrow(1, 0, 1)?.zeros_like()?;
            let before = match pos {
                1 => first,
                _ => Tensor::cat(&[&first, &by_pos.narrow(1, 0, pos - 1)?], 1)?,
            };
            let before = before.reshape((batch * pos, d_sae))?;
            let p = relu(&layer.read(&before, &z, dims)?)?;
            let written = p.matmul(w_dec)?; // [batch * pos, d_in]
            let norm = ((written.sqr()?.sum_keepdim(1)? + TINY)?.sqrt()? + EPS)?;
            let along = (&written * &r)?.sum_keepdim(1)?;
            let s = (along / norm.sqr()?)?; // [batch * pos, 1]
            predicted = (predicted + p.broadcast_mul(&s)?)?;
            r = (r - written.broadcast_mul(&s)?)?;
        }
        let z = encode(&r)?;
        let novel = match self.k {
            None => z,
            Some(k) => {
                let kept = ActiveFeatures::of_dense(&z.detach())?.largest(k);
                // NaN is not 0.
                let mask = kept.to_dense(z.device())?.ne(0f32)?.to_dtype(DType::F32)?;
                (z * mask)?
            }
        };
        Ok((novel, predicted))
    }

    /// The reconstruction from codes, `[.., d_sae]` to `[.., d_in]`.
    pub(in crate::sae) fn written_by(&self, codes: &Tensor) -> Result<Tensor> {
        let mut dims = codes.dims().to_vec();
        let d_sae = self.d_sae();
        if dims.last() != Some(&d_sae) {
            let expected = format!("[.., {d_sae}]");
            return Err(Error::shape("feature activations", expected, dims));
        }
        let n = codes.elem_count() / d_sae;
        let x_hat = codes.reshape((n, d_sae))?.matmul(&self.dictionary.w_dec)?;
        let x_hat = match !self.tied || self.dictionary.apply_b_dec_to_input {
            true => x_hat.broadcast_add(&self.dictionary.b_dec)?,
            false => x_hat,
        };
        if let Some(last) = dims.last_mut() {
            *last = self.d_in();
        }
        Ok((x_hat.reshape(dims)? / self.input_scale)?)
    }
}

fn check_layer(layer: &TemporalAttention, i: usize, d_sae: usize, n_heads: usize) -> Result<()> {
    let width = layer.b_q.elem_count();
    for (what, n) in [("width of the queries", width), ("d_sae", d_sae)] {
        if n == 0 || !n.is_multiple_of(n_heads) {
            let reason = format!("must be a multiple of n_heads = {n_heads}");
            return Err(Error::argument(what, n, reason));
        }
    }
    let shapes: [&[usize]; 8] = [
        &[width, d_sae],
        &[width],
        &[width, d_sae],
        &[width],
        &[d_sae, d_sae],
        &[d_sae],
        &[d_sae, d_sae],
        &[d_sae],
    ];
    for ((name, tensor), shape) in layer.named().into_iter().zip(shapes) {
        if tensor.dims() != shape {
            let name = format!("attn_layers.{i}.{name}");
            return Err(Error::shape(name, shape, tensor.dims()));
        }
    }
    Ok(())
}

impl SparseAutoencoder for TemporalSae {
    fn d_in(&self) -> usize {
        self.dictionary.d_in()
    }

    fn d_sae(&self) -> usize {
        self.dictionary.d_sae()
    }

    /// The novel codes of `[batch, pos, d_in]`.
    fn encode(&self, x: &Tensor) -> Result<Tensor> {
        Ok(self.encode_with_predictions(x)?.novel)
    }

    /// The reconstruction from the novel codes alone.
    fn decode(&self, acts: &Tensor) -> Result<Tensor> {
        self.written_by(acts)
    }

    /// The reconstruction from novel and predicted codes together.
    fn reconstruct(&self, x: &Tensor) -> Result<Tensor> {
        let codes = self.encode_with_predictions(x)?;
        self.written_by(&(codes.novel + codes.predicted)?)
    }

    fn w_enc(&self) -> Tensor {
        self.dictionary.w_enc()
    }

    fn w_dec(&self) -> Tensor {
        self.dictionary.w_dec()
    }

    /// Zeros: the encoder has no bias.
    fn b_enc(&self) -> Tensor {
        self.dictionary.b_enc()
    }

    fn b_dec(&self) -> Tensor {
        self.dictionary.b_dec()
    }
}
