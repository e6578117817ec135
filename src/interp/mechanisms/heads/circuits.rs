//! The circuits of a head: what it moves (OV), and where it looks (QK).
//! `OV = W_V W_O`, `QK = W_Q W_K^T`, both `[d_model, d_model]` of rank `d_head`.
//! Source: Elhage et al. 2021; TransformerLens' `OV`, `QK`, `fold_ln`, `center_writing_weights`.

use super::factored_matrix::FactoredMatrix;
use crate::config::Normalization;
use crate::error::Result;
use crate::interp::mechanisms::input::{check_head, plain};
use crate::model::Transformer;
use candle_core::{D, Tensor};

/// What a head writes, `x W_V W_O`, for each vector that it attends to.
///
/// What the norms hide is taken out of the weights, as TransformerLens does when it loads a model:
/// the weight of `ln1` is multiplied into `W_V`, and the means over `d_model` that a norm removes
/// are removed from `W_V` and `W_O`. A model that normalises nothing is used as it is. Biases are
/// left out.
///
/// # Errors
/// No such head.
pub fn ov_circuit(model: &Transformer, layer: usize, head: usize) -> Result<FactoredMatrix> {
    check_head(layer, head, model.cfg())?;
    HeadFactors::ov(model, layer)?.of(head)
}

/// How much a query `x` attends to a key `y`: `x QK y^T`, before the division by `sqrt(d_head)`.
/// The norm's weight is folded in as in [`ov_circuit`]; biases are left out. Where positions are
/// rotary this is the circuit of a query and a key at the same position: at other distances a rotation
/// stands between `W_Q` and `W_K^T`, which leaves the unrotated dimensions alone.
///
/// # Errors
/// No such head.
pub fn qk_circuit(model: &Transformer, layer: usize, head: usize) -> Result<FactoredMatrix> {
    check_head(layer, head, model.cfg())?;
    HeadFactors::qk(model, layer)?.of(head)
}

/// The same circuit of every head of a block: `a` `[n_heads, d_model, d_head]`, `b`
/// `[n_heads, d_head, d_model]`, f32 on the CPU.
pub(super) struct HeadFactors {
    pub(super) a: Tensor,
    pub(super) b: Tensor,
}

impl HeadFactors {
    pub(super) fn ov(model: &Transformer, layer: usize) -> Result<Self> {
        Ok(Self {
            a: reading(model, layer, "W_V")?,
            b: writing(model, layer)?,
        })
    }

    pub(super) fn qk(model: &Transformer, layer: usize) -> Result<Self> {
        Ok(Self {
            a: reading(model, layer, "W_Q")?,
            b: reading(model, layer, "W_K")?
                .transpose(1, 2)?
                .contiguous()?,
        })
    }

    /// The transposes: of QK, what a key reads of a query.
    pub(super) fn transposed(&self) -> Result<Self> {
        Ok(Self {
            a: self.b.transpose(1, 2)?.contiguous()?,
            b: self.a.transpose(1, 2)?.contiguous()?,
        })
    }

    fn of(&self, head: usize) -> Result<FactoredMatrix> {
        FactoredMatrix::new(&self.a.get(head)?, &self.b.get(head)?)
    }
}

fn normalises(model: &Transformer) -> bool {
    model.cfg().normalization_type != Normalization::None
}

/// What a block reads the stream with, `[n_heads, d_model, d_head]`, the norm folded in.
fn reading(model: &Transformer, layer: usize, name: &str) -> Result<Tensor> {
    let w = plain(&model.parameter(&format!("blocks.{layer}.attn.{name}"))?)?;
    if !normalises(model) {
        return Ok(w);
    }
    let weight = plain(&model.norm_weight(&format!("blocks.{layer}.ln1"))?)?;
    let w = w.broadcast_mul(&weight.reshape((1, (), 1))?)?;
    Ok(w.broadcast_sub(&w.mean_keepdim(1)?)?)
}

/// `W_O`, `[n_heads, d_head, d_model]`, without what every norm removes.
fn writing(model: &Transformer, layer: usize) -> Result<Tensor> {
    let w = plain(&model.parameter(&format!("blocks.{layer}.attn.W_O"))?)?;
    if !normalises(model) {
        return Ok(w);
    }
    Ok(w.broadcast_sub(&w.mean_keepdim(D::Minus1)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TransformerConfig;
    use crate::interp::mechanisms::testing::{random_model, small_config, values};

    #[test]
    fn folded_circuits_act_on_the_normed_stream_as_the_heads_do() {
        let model = random_model(&small_config());
        let d = 8;
        let x: Vec<f64> = (0..d).map(|i| (i * i % 7) as f64 - 2.0).collect();
        let mean = x.iter().sum::<f64>() / d as f64;
        let w = values(&model.parameter("blocks.1.ln1.w").unwrap());
        let w_v = values(&model.parameter("blocks.1.attn.W_V").unwrap());
        let w_o = values(&model.parameter("blocks.1.attn.W_O").unwrap());
        // Head 1, by the definition: centre, weight, W_V, W_O, centre; the scale is left out.
        let y: Vec<f64> = (0..d).map(|i| (x[i] - mean) * w[i]).collect();
        let z: Vec<f64> = (0..4)
            .map(|k| (0..d).map(|i| y[i] * w_v[32 + i * 4 + k]).sum())
            .collect();
        let out: Vec<f64> = (0..d)
            .map(|j| (0..4).map(|k| z[k] * w_o[32 + k * d + j]).sum())
            .collect();
        let out_mean = out.iter().sum::<f64>() / d as f64;
        let ov = values(&ov_circuit(&model, 1, 1).unwrap().product().unwrap());
        for j in 0..d {
            let found: f64 = (0..d).map(|i| x[i] * ov[i * d + j]).sum();
            let wanted = out[j] - out_mean;
            assert!((found - wanted).abs() < 1e-4, "{j}: {found} {wanted}");
        }
    }

    #[test]
    fn without_norms_the_circuits_are_the_products_of_the_weights() {
        let cfg = TransformerConfig {
            normalization_type: Normalization::None,
            ..small_config()
        };
        let model = random_model(&cfg);
        let w_q = values(&model.parameter("blocks.2.attn.W_Q").unwrap());
        let w_k = values(&model.parameter("blocks.2.attn.W_K").unwrap());
        let qk = qk_circuit(&model, 2, 0).unwrap();
        let found = values(&qk.product().unwrap());
        for (i, j) in [(0, 0), (3, 5), (7, 2)] {
            let wanted: f64 = (0..4).map(|k| w_q[i * 4 + k] * w_k[j * 4 + k]).sum();
            assert!((found[i * 8 + j] - wanted).abs() < 1e-5);
        }
        assert_eq!(qk.a().dims(), [8, 4]);
    }

    #[test]
    fn a_head_that_is_not_there_is_refused() {
        let model = random_model(&small_config());
        let message = |layer, head| ov_circuit(&model, layer, head).unwrap_err().to_string();
        assert!(message(3, 0).contains("layer = 3: must be below 3"));
        assert!(message(0, 2).contains("head = 2: must be below 2"));
        assert!(qk_circuit(&model, 3, 0).is_err());
    }
}
