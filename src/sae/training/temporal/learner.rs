//! The temporal autoencoder as what learns in a run.

use super::super::record::StepFigures;
use super::super::trainer::{Learner, Rates};
use super::parameters::Parameters;
use super::sequences::positions;
use crate::config::{Architecture, SaeConfig};
use crate::error::{Error, Result};
use crate::model::Transformer;
use crate::sae::active::ActiveFeatures;
use crate::sae::kernels::AdamStep;
use crate::sae::state_dict::{Slot, Slots};
use crate::sae::variants::{Sae, TemporalAttention, TemporalSae};
use candle_core::{Device, Tensor};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// A temporal autoencoder that learns.
pub(in crate::sae::training) struct TemporalLearner {
    /// Of variables, on scaled activations.
    sae: TemporalSae,
    parameters: Parameters,
    betas: (f64, f64),
    silent: Vec<u32>,
    steps: usize,
    /// Positions of a sequence.
    n_pos: usize,
    device: Device,
}

impl TemporalLearner {
    /// Before its first step; `mean`, `[d_in]`, is that of the scaled activations.
    pub(in crate::sae::training) fn start(
        cfg: &SaeConfig,
        mean: &[f32],
        model: &Transformer,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self> {
        let mut parameters = Parameters::new(model.device());
        Ok(Self {
            sae: initial(cfg, mean, rng, &mut parameters)?,
            parameters,
            betas: (cfg.beta1, cfg.beta2),
            silent: vec![0; cfg.d_sae],
            steps: 0,
            n_pos: positions(model, cfg)?,
            device: model.device().clone(),
        })
    }
}

impl Learner for TemporalLearner {
    fn step(&mut self, x: &[f32], rates: Rates) -> Result<StepFigures> {
        let d_in = self.sae.dictionary.w_dec.dim(1)?;
        let n = x.len() / d_in;
        let shape = (n / self.n_pos, self.n_pos, d_in);
        let x = Tensor::from_slice(x, shape, &self.device)?;
        let n = n as f64;
        let codes = self.sae.encode_with_predictions(&x)?;
        let x_hat = self.sae.written_by(&(&codes.novel + &codes.predicted)?)?;
        let loss = ((x_hat - x)?.sqr()?.sum_all()? / n)?;
        let l2 = f64::from(loss.to_scalar::<f32>()?);
        if !l2.is_finite() {
            return Err(Error::NotFinite {
                what: "the autoencoder's loss".to_owned(),
                value: l2,
                step: self.steps + 1,
            });
        }
        self.steps += 1;
        let adam = AdamStep::new(rates.lr, self.betas.0, self.betas.1, self.steps);
        self.parameters.update(&adam, &loss.backward()?)?;
        let active = ActiveFeatures::of_dense(&codes.novel.detach())?;
        self.silent.iter_mut().for_each(|s| *s += 1);
        let mut l1 = 0.0;
        for (feature, act) in active.entries() {
            self.silent[feature] = 0;
            l1 += f64::from(act);
        }
        Ok(StepFigures {
            l2,
            l1: l1 / n,
            l0: active.n_active() as f64 / n,
            ..StepFigures::default()
        })
    }

    /// Its paper moves no feature.
    fn moves_dead(&self) -> bool {
        false
    }

    fn resample(&mut self, _: &[f32], _: usize, _: &mut ChaCha8Rng) -> Result<usize> {
        Ok(0)
    }

    fn silent_steps(&self) -> &[u32] {
        &self.silent
    }

    /// None: it takes no constraint.
    fn defect(&self) -> Result<Option<f64>> {
        Ok(None)
    }

    fn slots(&mut self) -> Slots<'_> {
        let Self {
            // Of the parameters.
            sae: _,
            parameters,
            betas: _,
            silent,
            steps,
            n_pos: _,
            device: _,
        } = self;
        let mut slots = parameters.slots();
        slots.push(("silent".to_owned(), Slot::U32(silent)));
        slots.push(("steps".to_owned(), Slot::Count(steps)));
        slots
    }

    fn restored(&mut self) -> Result<()> {
        self.parameters.restored()
    }

    /// The scale of the activations stays its factor on the input, since attention does not scale.
    fn sae(&self, _: &SaeConfig, scale: f32, device: &Device) -> Result<Sae> {
        let fixed = |t: &Tensor| Ok::<_, Error>(t.detach().copy()?.to_device(device)?);
        let sae = &self.sae;
        let layers = sae.layers.iter().map(|layer| {
            let mut all = layer.named().into_iter();
            TemporalAttention::of_named(|name| match all.find(|(known, _)| *known == name) {
                Some((_, tensor)) => fixed(tensor),
                None => Err(Error::argument("parameter", name, "is not of this layer")),
            })
        });
        let mut learnt = TemporalSae::new(
            fixed(&sae.dictionary.w_dec)?,
            fixed(&sae.dictionary.b_dec)?,
            layers.collect::<Result<_>>()?,
            sae.n_heads,
            sae.k,
        )?;
        learnt.input_scale = f64::from(scale);
        Ok(learnt.into())
    }
}

/// SAELens' first values: `W_dec` standard normal; rows of the attention's weights in random directions, of the lengths
/// that keep the scale; biases as PyTorch's. `b_dec` is the mean. Every parameter is a variable.
fn initial(
    cfg: &SaeConfig,
    mean: &[f32],
    rng: &mut ChaCha8Rng,
    parameters: &mut Parameters,
) -> Result<TemporalSae> {
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
    let normal = StandardNormal.sample_iter(&mut *rng);
    let w_dec: Vec<f32> = normal.take(d_sae * d_in).collect();
    let w_dec = parameters.add("W_dec", w_dec, &[d_sae, d_in])?;
    let b_dec = parameters.add("b_dec", mean.to_vec(), &[d_in])?;
    let width = d_sae / bottleneck_factor;
    let (of_head, of_value) = (
        1.0 / ((width / n_heads) as f32).sqrt(),
        1.0 / ((d_sae / n_heads) as f32).sqrt(),
    );
    let of_output = 1.0 / (d_sae as f32).sqrt();
    let mut layers = Vec::with_capacity(n_attn_layers);
    for i in 0..n_attn_layers {
        layers.push(TemporalAttention::of_named(|name| {
            let full_name = format!("attn_layers.{i}.{name}");
            let (n_out, length) = match name.split('.').next() {
                Some("v_ctx") => (d_sae, of_value),
                Some("c_proj") => (d_sae, of_output),
                _ => (width, of_head),
            };
            let bound = 1.0 / (d_sae as f32).sqrt();
            let mut draw = |n: usize| -> Vec<f32> {
                (0..n).map(|_| rng.random_range(-bound..bound)).collect()
            };
            if name.ends_with("bias") {
                return parameters.add(&full_name, draw(n_out), &[n_out]);
            }
            let mut rows = draw(n_out * d_sae);
            for row in rows.chunks_exact_mut(d_sae) {
                let norm = row.iter().map(|w| w * w).sum::<f32>().sqrt();
                row.iter_mut().for_each(|w| *w *= length / (1e-6 + norm));
            }
            parameters.add(&full_name, rows, &[n_out, d_sae])
        })?);
    }
    TemporalSae::new(w_dec, b_dec, layers, n_heads, k)
}
