//! The learner for the temporal autoencoder.

use super::super::record::StepFigures;
use super::super::trainer::{Learner, Rates};
use super::layer::Layer;
use super::parameters::Parameter;
use super::sequences::positions;
use super::shape::Shape;
use super::step::TemporalStep;
use crate::config::{Architecture, SaeConfig};
use crate::error::{Error, Result};
use crate::model::Transformer;
use crate::sae::state_dict::{Slot, Slots};
use crate::sae::variants::{Sae, TemporalAttention, TemporalSae};
use candle_core::{Device, Tensor};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// A temporal autoencoder in training, on scaled activations.
pub(in crate::sae::training) struct TemporalLearner {
    step: TemporalStep,
    k: Option<usize>,
}

impl TemporalLearner {
    /// The learner before its first step; `mean`, `[d_in]`, is that of the scaled activations.
    pub(in crate::sae::training) fn start(
        cfg: &SaeConfig,
        mean: &[f32],
        model: &Transformer,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self> {
        initial(cfg, mean, positions(model, cfg)?, rng)
    }
}

impl Learner for TemporalLearner {
    fn step(&mut self, x: &[f32], rates: Rates) -> Result<StepFigures> {
        self.step.step(x, rates.lr)
    }

    /// False: the paper moves no features.
    fn moves_dead(&self) -> bool {
        false
    }

    fn resample(&mut self, _: &[f32], _: usize, _: &mut ChaCha8Rng) -> Result<usize> {
        Ok(0)
    }

    fn silent_steps(&self) -> &[u32] {
        &self.step.silent
    }

    /// None: constraints are not supported.
    fn defect(&self) -> Result<Option<f64>> {
        Ok(None)
    }

    fn slots(&mut self) -> Slots<'_> {
        let TemporalStep {
            shape,
            w_dec,
            b_dec,
            layers,
            silent,
            steps,
            ..
        } = &mut self.step;
        let one = |name: &str, n: usize| [(name.to_owned(), n)];
        let mut slots = w_dec.slots(&one("W_dec", shape.d_sae * shape.d_in));
        slots.extend(b_dec.slots(&one("b_dec", shape.d_in)));
        for (i, layer) in layers.iter_mut().enumerate() {
            slots.extend(layer.slots(shape, i));
        }
        slots.push(("silent".to_owned(), Slot::U32(silent)));
        slots.push(("steps".to_owned(), Slot::Count(steps)));
        slots
    }

    fn restored(&mut self) -> Result<()> {
        self.step.repack();
        Ok(())
    }

    /// The scale of the activations remains a factor on the input, since attention is not scale-invariant.
    fn sae(&self, _: &SaeConfig, scale: f32, device: &Device) -> Result<Sae> {
        let step = &self.step;
        let Shape { d_in, d_sae, .. } = step.shape;
        let layers = step
            .layers
            .iter()
            .map(|layer| layer.tensors(&step.shape, device));
        let mut learnt = TemporalSae::new(
            Tensor::from_slice(&step.w_dec.values, (d_sae, d_in), device)?,
            Tensor::from_slice(&step.b_dec.values, d_in, device)?,
            layers.collect::<Result<_>>()?,
            step.shape.n_heads,
            self.k,
        )?;
        learnt.input_scale = f64::from(scale);
        Ok(learnt.into())
    }
}

impl Layer {
    /// The numbers under SAELens' names, for a checkpoint.
    fn slots<'a>(&'a mut self, shape: &Shape, i: usize) -> Slots<'a> {
        let [weights, biases] =
            ["weight", "bias"].map(|of| move |name: &str| format!("attn_layers.{i}.{name}.{of}"));
        let (w, d) = (shape.width, shape.d_sae);
        let parts = [("k_ctx", w), ("q_target", w), ("v_ctx", d)];
        let mut slots = self
            .w_kqv
            .slots(&parts.map(|(name, n)| (weights(name), n * d)));
        slots.extend(self.b_kqv.slots(&parts.map(|(name, n)| (biases(name), n))));
        slots.extend(self.w_o.slots(&[(weights("c_proj"), d * d)]));
        slots.extend(self.b_o.slots(&[(biases("c_proj"), d)]));
        slots
    }

    /// The layer as tensors.
    fn tensors(&self, shape: &Shape, device: &Device) -> Result<TemporalAttention> {
        let (w, d) = (shape.width, shape.d_sae);
        let (keys, queries, values) = (0..w, w..2 * w, 2 * w..2 * w + d);
        let rows = |of: &Parameter, rows: std::ops::Range<usize>| {
            let values = &of.values[rows.start * d..rows.end * d];
            Tensor::from_slice(values, (rows.len(), d), device)
        };
        let bias = |of: &Parameter, rows: std::ops::Range<usize>| {
            Tensor::from_slice(&of.values[rows.clone()], rows.len(), device)
        };
        Ok(TemporalAttention {
            w_k: rows(&self.w_kqv, keys.clone())?,
            b_k: bias(&self.b_kqv, keys)?,
            w_q: rows(&self.w_kqv, queries.clone())?,
            b_q: bias(&self.b_kqv, queries)?,
            w_v: rows(&self.w_kqv, values.clone())?,
            b_v: bias(&self.b_kqv, values)?,
            w_o: rows(&self.w_o, 0..d)?,
            b_o: bias(&self.b_o, 0..d)?,
        })
    }
}

/// SAELens' initial values: `W_dec` standard normal; rows of the attention's weights in random directions, with lengths
/// that preserve the scale; biases as in PyTorch. `b_dec` is the mean.
fn initial(
    cfg: &SaeConfig,
    mean: &[f32],
    n_pos: usize,
    rng: &mut ChaCha8Rng,
) -> Result<TemporalLearner> {
    let Architecture::Temporal {
        k,
        n_heads,
        n_attn_layers,
        bottleneck_factor,
    } = cfg.architecture
    else {
        let reason = "is not the temporal autoencoder";
        let name = cfg.architecture.name();
        return Err(Error::argument("architecture", name, reason));
    };
    let (d_in, d_sae) = (cfg.d_in, cfg.d_sae);
    let shape = Shape {
        d_in,
        d_sae,
        width: d_sae / bottleneck_factor,
        n_heads,
        n_pos,
    };
    let normal = StandardNormal.sample_iter(&mut *rng);
    let w_dec: Vec<f32> = normal.take(d_sae * d_in).collect();
    let layers = (0..n_attn_layers)
        .map(|_| first_layer(&shape, rng))
        .collect();
    let betas = (cfg.beta1, cfg.beta2);
    let step = TemporalStep::new(shape, (w_dec, mean.to_vec(), layers), k, betas);
    Ok(TemporalLearner { step, k })
}

fn first_layer(shape: &Shape, rng: &mut ChaCha8Rng) -> Layer {
    let (width, d_sae) = (shape.width, shape.d_sae);
    let of_head = 1.0 / ((width / shape.n_heads) as f32).sqrt();
    let of_value = 1.0 / ((d_sae / shape.n_heads) as f32).sqrt();
    let bound = 1.0 / (d_sae as f32).sqrt();
    let (mut w_kqv, mut b_kqv) = (Vec::new(), Vec::new());
    let mut draw =
        |n: usize| -> Vec<f32> { (0..n).map(|_| rng.random_range(-bound..bound)).collect() };
    let mut part = |n_out: usize, length: f32| {
        let mut rows = draw(n_out * d_sae);
        for row in rows.chunks_exact_mut(d_sae) {
            let norm = row.iter().map(|w| w * w).sum::<f32>().sqrt();
            row.iter_mut().for_each(|w| *w *= length / (1e-6 + norm));
        }
        (rows, draw(n_out))
    };
    for (n_out, length) in [(width, of_head), (width, of_head), (d_sae, of_value)] {
        let (rows, bias) = part(n_out, length);
        w_kqv.extend(rows);
        b_kqv.extend(bias);
    }
    let (w_o, b_o) = part(d_sae, bound);
    Layer {
        w_kqv: Parameter::new(w_kqv),
        b_kqv: Parameter::new(b_kqv),
        w_o: Parameter::new(w_o),
        b_o: Parameter::new(b_o),
    }
}
