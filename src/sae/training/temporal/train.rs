//! A training run of the temporal autoencoder.

use super::super::activations::Statistics;
use super::super::record::{SaeHistory, StepFigures};
use super::super::trainer::{Learner, learn};
use super::sequences::Sequences;
use crate::config::{Architecture, SaeConfig};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::model::Transformer;
use crate::progress::Reporter;
use crate::sae::active::ActiveFeatures;
use crate::sae::variants::{TemporalAttention, TemporalSae};
use candle_core::{Device, Tensor, Var};
use candle_nn::{AdamW, Optimizer, ParamsAdamW};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// Batches whose activations give the mean, the scale and the variance.
const STATISTICS_BATCHES: usize = 16;

/// Trains a temporal autoencoder. The scale of the activations stays its factor on the input, since attention does not
/// scale.
pub(in crate::sae::training) fn train_temporal(
    model: &Transformer,
    data: &Dataset,
    cfg: &SaeConfig,
    reporter: &mut dyn Reporter,
) -> Result<(TemporalSae, SaeHistory)> {
    let (run, history) = learn(cfg, reporter, |stop| {
        TemporalRun::start(model, data, cfg, stop)
    })?;
    let fixed = |t: &Tensor| Ok::<_, Error>(t.detach().copy()?);
    let sae = run.sae;
    let layers = sae.layers.iter().map(|layer| {
        let mut all = layer.named().into_iter();
        TemporalAttention::of_named(|name| match all.find(|(known, _)| *known == name) {
            Some((_, tensor)) => fixed(tensor),
            None => Err(Error::argument("parameter", name, "is not of this layer")),
        })
    });
    let mut trained = TemporalSae::new(
        fixed(&sae.dictionary.w_dec)?,
        fixed(&sae.dictionary.b_dec)?,
        layers.collect::<Result<_>>()?,
        sae.n_heads,
        sae.k,
    )?;
    trained.input_scale = f64::from(run.stats.scale);
    trained.dictionary.hook_name = Some(cfg.hook_name.clone());
    Ok((trained, history))
}

struct TemporalRun {
    sequences: Sequences,
    stats: Statistics,
    /// Of variables, on scaled activations.
    sae: TemporalSae,
    adam: AdamW,
    silent: Vec<u32>,
    steps: usize,
    tokens: usize,
}

impl TemporalRun {
    fn start(
        model: &Transformer,
        data: &Dataset,
        cfg: &SaeConfig,
        stop: &dyn Fn() -> bool,
    ) -> Result<Self> {
        let mut sequences = Sequences::new(model, data, cfg)?;
        let (mut rows, mut tokens) = (Vec::new(), 0);
        for _ in 0..STATISTICS_BATCHES {
            if stop() {
                let what = "the collection of activations";
                return Err(Error::Interrupted { what });
            }
            let x = sequences.next()?;
            tokens = x.elem_count() / cfg.d_in;
            rows.extend(x.flatten_all()?.to_vec1::<f32>()?);
        }
        let stats = Statistics::of(&rows, cfg);
        let mut variables = Vec::new();
        let sae = initial(cfg, &stats.mean, model.device(), &mut variables)?;
        let settings = ParamsAdamW {
            lr: cfg.lr,
            beta1: cfg.beta1,
            beta2: cfg.beta2,
            eps: 1e-8,
            weight_decay: 0.0,
        };
        Ok(Self {
            sequences,
            stats,
            sae,
            adam: AdamW::new(variables, settings)?,
            silent: vec![0; cfg.d_sae],
            steps: 0,
            tokens,
        })
    }
}

impl Learner for TemporalRun {
    fn step(&mut self, lr: f64, stop: &dyn Fn() -> bool) -> Result<StepFigures> {
        if stop() {
            let what = "training";
            return Err(Error::Interrupted { what });
        }
        let x = (self.sequences.next()? * f64::from(self.stats.scale))?;
        let n = (x.elem_count() / self.sae.dictionary.w_dec.dim(1)?) as f64;
        let codes = self.sae.encode_with_predictions(&x)?;
        let x_hat = self.sae.written_by(&(&codes.novel + &codes.predicted)?)?;
        let loss = ((x_hat - x)?.sqr()?.sum_all()? / n)?;
        let l2 = f64::from(loss.to_scalar::<f32>()?);
        self.steps += 1;
        if !l2.is_finite() {
            return Err(Error::NotFinite {
                what: "the autoencoder's loss".to_owned(),
                value: l2,
                step: self.steps,
            });
        }
        self.adam.set_learning_rate(lr);
        self.adam.backward_step(&loss)?;
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

    /// None: its paper moves no feature.
    fn resample(&mut self, _: &dyn Fn() -> bool) -> Result<usize> {
        Ok(0)
    }

    fn silent_steps(&self) -> &[u32] {
        &self.silent
    }

    fn statistics(&self) -> &Statistics {
        &self.stats
    }

    fn tokens_a_step(&self) -> usize {
        self.tokens
    }
}

/// SAELens' first values: `W_dec` standard normal; rows of the attention's weights in random directions, of the lengths
/// that keep the scale; biases as PyTorch's. `b_dec` is the mean. Every parameter is a variable.
fn initial(
    cfg: &SaeConfig,
    mean: &[f32],
    device: &Device,
    variables: &mut Vec<Var>,
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
    let mut rng = ChaCha8Rng::seed_from_u64(cfg.seed);
    let mut variable = |values: Vec<f32>, shape: &[usize]| {
        let var = Var::from_tensor(&Tensor::from_vec(values, shape, device)?)?;
        let tensor = var.as_tensor().clone();
        variables.push(var);
        Ok::<_, Error>(tensor)
    };
    let normal = StandardNormal.sample_iter(&mut rng);
    let w_dec = variable(normal.take(d_sae * d_in).collect(), &[d_sae, d_in])?;
    let b_dec = variable(mean.to_vec(), &[d_in])?;
    let width = d_sae / bottleneck_factor;
    let (of_head, of_value) = (
        1.0 / ((width / n_heads) as f32).sqrt(),
        1.0 / ((d_sae / n_heads) as f32).sqrt(),
    );
    let of_output = 1.0 / (d_sae as f32).sqrt();
    let mut layers = Vec::with_capacity(n_attn_layers);
    for _ in 0..n_attn_layers {
        layers.push(TemporalAttention::of_named(|name| {
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
                return variable(draw(n_out), &[n_out]);
            }
            let mut rows = draw(n_out * d_sae);
            for row in rows.chunks_exact_mut(d_sae) {
                let norm = row.iter().map(|w| w * w).sum::<f32>().sqrt();
                row.iter_mut().for_each(|w| *w *= length / (1e-6 + norm));
            }
            variable(rows, &[n_out, d_sae])
        })?);
    }
    TemporalSae::new(w_dec, b_dec, layers, n_heads, k)
}
