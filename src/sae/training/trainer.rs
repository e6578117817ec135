//! Training of an autoencoder on a model's activations, of any architecture.
//! Minimises `mean_t |x_hat - x|^2 + l1_coeff mean_t |acts|_1` (TopK: the first term; JumpReLU: L0) over activations
//! scaled to a mean norm of `sqrt(d_in)`; the scale is folded away. Bricken et al. 2023, Gao et al. 2024.

use super::buffer::ActivationBuffer;
use super::constraint::Constraint;
use super::figures::StepFigures;
use super::history::SaeHistory;
use super::init::own_parameters;
use super::pursuit::train_pursuit;
use super::schedule::{learning_rate, resamples_at, sparsity_weight};
use super::statistics::{Statistics, first_rows, unscaled};
use super::step::StandardStep;
use super::temporal::train_temporal;
use crate::config::{Architecture, SaeConfig};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::model::Transformer;
use crate::progress::{Progress, Reporter};
use crate::sae::params::StandardParams;
use crate::sae::variants::{AbsTopKSae, GatedSae, JumpReLUSae, Sae, StandardSae, TopKSae};
use crate::show::NotebookReporter;
use candle_core::Tensor;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::time::Instant;

/// Inputs whose losses decide where dead features go.
const RESAMPLE_TOKENS: usize = 8_192;

/// Trains an autoencoder of `cfg.architecture` on `model`'s activations over `data.train`, and
/// reports its progress in the notebook or on the terminal.
///
/// The result works on the activations as they are, has unit-norm decoder rows, and depends on
/// the model, the data and `cfg` alone. BatchTopK and its Matryoshka form become JumpReLU autoencoders
/// with one threshold for all features, the running mean of the least activation that counted in a batch:
/// it starts at 0 and moves by 0.01 a step, as in SAELens, so that after 100 steps it is 37 % low. The temporal
/// autoencoder reads whole sequences, about `cfg.batch_size` tokens a step, in place of shuffled tokens, moves no dead
/// features, and lets the decoder's rows have any length. When the user interrupts, what has been learnt so far is
/// returned.
///
/// ```no_run
/// # use holoscope::prelude::*;
/// # fn main() -> Result<()> {
/// let data = Dataset::load(&DataConfig::default())?;
/// let model = Transformer::new(&TransformerConfig::default())?;
/// let cfg = SaeConfig {
///     architecture: Architecture::TopK { k: 32 },
///     constraint: DictionaryConstraint::HoloraumyTied,
///     ..SaeConfig::default()
/// };
/// let (sae, history) = train_sae(&model, &data, &cfg)?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::Config`] for a field out of range; those of
/// [`ActivationBuffer::new`], above all [`Error::Interrupted`] while the first activations are
/// collected: nothing is learnt yet; [`Error::NotFiniteAt`] when the model's activations are not
/// finite, [`Error::NotFinite`] when the loss is no longer a number.
pub fn train_sae(
    model: &Transformer,
    data: &Dataset,
    cfg: &SaeConfig,
) -> Result<(Sae, SaeHistory)> {
    train_sae_with(model, data, cfg, &mut NotebookReporter::new())
}

/// [`train_sae`] with progress to `reporter`; [`Silent`](crate::progress::Silent) for none.
///
/// # Errors
/// Those of [`train_sae`].
pub fn train_sae_with(
    model: &Transformer,
    data: &Dataset,
    cfg: &SaeConfig,
    reporter: &mut dyn Reporter,
) -> Result<(Sae, SaeHistory)> {
    match cfg.architecture {
        Architecture::MatchingPursuit { .. } => {
            let (sae, history) = train_pursuit(model, data, cfg, reporter)?;
            return Ok((sae.into(), history));
        }
        Architecture::Temporal { .. } => {
            let (sae, history) = train_temporal(model, data, cfg, reporter)?;
            return Ok((sae.into(), history));
        }
        _ => {}
    }
    let (learnt, history) = train(model, data, cfg, reporter)?;
    let device = model.device();
    let mut dictionary = StandardSae::from_params(learnt.params, device)?;
    dictionary.hook_name = Some(cfg.hook_name.clone());
    let tensor = |values: Vec<f32>| Tensor::from_vec(values, cfg.d_sae, device);
    if let Some((r_mag, b_mag)) = learnt.magnitudes {
        let sae = GatedSae::new(dictionary, tensor(r_mag)?, tensor(b_mag)?)?;
        return Ok((sae.into(), history));
    }
    let sae = match (&cfg.architecture, learnt.thresholds) {
        (_, Some(thresholds)) => JumpReLUSae::new(dictionary, tensor(thresholds)?)?.into(),
        (Architecture::TopK { k }, None) => TopKSae::new(dictionary, *k)?.into(),
        (Architecture::AbsTopK { k }, None) => AbsTopKSae::new(dictionary, *k)?.into(),
        (_, None) => dictionary.into(),
    };
    Ok((sae, history))
}

/// What a run has learnt, for activations as they are.
struct Learnt {
    params: StandardParams,
    /// What an activation must be above, `[d_sae]`, where thresholds decide.
    thresholds: Option<Vec<f32>>,
    /// `r_mag` and `b_mag`, `[d_sae]`, where there are gates.
    magnitudes: Option<(Vec<f32>, Vec<f32>)>,
}

/// The parameters after training and the record.
fn train(
    model: &Transformer,
    data: &Dataset,
    cfg: &SaeConfig,
    reporter: &mut dyn Reporter,
) -> Result<(Learnt, SaeHistory)> {
    cfg.validate()?;
    let mut progress = Progress::new(reporter, "train SAE", "step", cfg.steps as u64).curves(
        "squared error l2, sum of activations l1 (per token)",
        &["l2", "l1"],
    );
    let mut run = match Run::start(model, data, cfg, &|| progress.interrupted()) {
        Ok(run) => run,
        Err(error) => {
            progress.finish();
            return Err(error);
        }
    };
    for t in 1..=cfg.steps {
        if progress.interrupted() {
            run.history.interrupted = true;
            break;
        }
        let figures = match run.step(t, &|| progress.interrupted()) {
            // While the buffer was filled again: this step has not begun.
            Err(Error::Interrupted { .. }) => {
                run.history.interrupted = true;
                break;
            }
            figures => figures?,
        };
        if t.is_multiple_of(cfg.log_every) || t == cfg.steps {
            record(&mut run.history, t, &figures, &run.step, cfg, &run.stats);
            if let Some(defect) = run.constraint.defect(run.step.params())? {
                run.history.garden_defect.push((t, defect));
            }
            progress.update(t as u64, &latest(&run.history));
        }
        if resamples_at(cfg, t) {
            match run.resample(t, &|| progress.interrupted()) {
                Err(Error::Interrupted { .. }) => {
                    run.history.interrupted = true;
                    break;
                }
                resampled => resampled?,
            }
        }
    }
    progress.finish();
    let mut history = run.history;
    history.seconds = run.began.elapsed().as_secs_f64();
    history.tokens_per_second = history.tokens as f64 / history.seconds.max(1e-9);
    let scale = run.stats.scale;
    let unscale = |values: &[f32]| values.iter().map(|v| v / scale).collect::<Vec<f32>>();
    let magnitudes = run.step.magnitudes();
    let learnt = Learnt {
        thresholds: run.step.thresholds().map(|all| unscale(&all)),
        magnitudes: magnitudes.map(|(r_mag, b_mag)| (r_mag.to_vec(), unscale(b_mag))),
        params: unscaled(run.step.into_params(), scale),
    };
    Ok((learnt, history))
}

/// The first step's state.
fn step_of(cfg: &SaeConfig, params: StandardParams) -> Result<StandardStep> {
    let step = StandardStep::new(params, cfg.beta1, cfg.beta2)?;
    let (aux, dead) = (cfg.aux_coeff, cfg.dead_steps);
    match &cfg.architecture {
        Architecture::Standard { .. } => Ok(step),
        Architecture::Gated { .. } => {
            // At first magnitudes are what the gates are.
            let b_mag = step.params().b_enc.clone();
            step.with_gates(vec![0.0; cfg.d_sae], b_mag)
        }
        Architecture::TopK { k } => step.with_top_k(*k).with_aux_k(aux, dead),
        Architecture::AbsTopK { k } => step.with_abs_top_k(*k).with_aux_k(aux, dead),
        Architecture::BatchTopK { k } => step.with_batch_top_k(*k, &[])?.with_aux_k(aux, dead),
        Architecture::MatryoshkaBatchTopK { k, widths } => {
            let step = step.with_batch_top_k(*k, widths)?;
            step.with_aux_k(aux, dead)
        }
        Architecture::MatchingPursuit { .. } | Architecture::Temporal { .. } => {
            Err(own_parameters(&cfg.architecture))
        }
        Architecture::JumpReLU {
            bandwidth,
            init_threshold,
            l0_loss,
            ..
        } => {
            let thresholds = vec![*init_threshold as f32; cfg.d_sae];
            step.with_thresholds(thresholds, *bandwidth, *l0_loss)
        }
    }
}

/// A training run: what it reads, what it learns, what it has recorded.
struct Run<'c> {
    cfg: &'c SaeConfig,
    buffer: ActivationBuffer,
    stats: Statistics,
    constraint: Constraint,
    step: StandardStep,
    rng: ChaCha8Rng,
    history: SaeHistory,
    /// Scaled activations, reused from step to step.
    batch: Vec<f32>,
    began: Instant,
}

impl<'c> Run<'c> {
    fn start(
        model: &Transformer,
        data: &Dataset,
        cfg: &'c SaeConfig,
        stop: &dyn Fn() -> bool,
    ) -> Result<Self> {
        let began = Instant::now();
        let buffer = ActivationBuffer::new_unless(model, data, cfg, stop)?;
        let stats = Statistics::of(buffer.rows(), cfg);
        let mut rng = ChaCha8Rng::seed_from_u64(cfg.seed);
        let sample: Vec<f32> = first_rows(buffer.rows(), cfg.d_in)
            .iter()
            .map(|v| v * stats.scale)
            .collect();
        let constraint = Constraint::new(cfg)?;
        let params = constraint.initial_params(cfg, &sample, &stats.mean, &mut rng)?;
        let step = step_of(cfg, params)?;
        Ok(Self {
            cfg,
            buffer,
            constraint,
            step,
            rng,
            history: SaeHistory {
                input_scale: f64::from(stats.scale),
                ..SaeHistory::default()
            },
            stats,
            batch: Vec::new(),
            began,
        })
    }

    /// Optimiser step `t`, counted from 1.
    fn step(&mut self, t: usize, stop: &dyn Fn() -> bool) -> Result<StepFigures> {
        let cfg = self.cfg;
        self.next_batch(cfg.batch_size, stop)?;
        let (lr, l1) = (learning_rate(cfg, t), sparsity_weight(cfg, t));
        let figures = self.constraint.step(&mut self.step, &self.batch, lr, l1)?;
        self.history.steps = t;
        self.history.tokens += cfg.batch_size;
        self.history.seconds = self.began.elapsed().as_secs_f64();
        Ok(figures)
    }

    /// Moves the features that are dead after step `t`.
    fn resample(&mut self, t: usize, stop: &dyn Fn() -> bool) -> Result<()> {
        self.next_batch(RESAMPLE_TOKENS.min(self.cfg.buffer_tokens), stop)?;
        let silent = self.cfg.dead_steps;
        let (step, batch) = (&mut self.step, &self.batch);
        let moved = self
            .constraint
            .resample(step, batch, silent, &mut self.rng)?;
        self.history.resampled.push((t, moved));
        Ok(())
    }

    /// The next `n` activations, scaled, into `batch`.
    fn next_batch(&mut self, n: usize, stop: &dyn Fn() -> bool) -> Result<()> {
        self.buffer.next_batch_unless(n, &mut self.batch, stop)?;
        let scale = self.stats.scale;
        self.batch.iter_mut().for_each(|v| *v *= scale);
        Ok(())
    }
}

/// Appends this step's figures, in the model's units.
fn record(
    history: &mut SaeHistory,
    t: usize,
    figures: &StepFigures,
    step: &StandardStep,
    cfg: &SaeConfig,
    stats: &Statistics,
) {
    let scale = f64::from(stats.scale);
    let silent = step
        .silent_steps()
        .iter()
        .filter(|&&s| s as usize >= cfg.dead_steps)
        .count();
    let unexplained = if stats.variance <= 0.0 {
        0.0
    } else {
        figures.l2 / stats.variance
    };
    history.l2.push((t, figures.l2 / (scale * scale)));
    history.l1.push((t, figures.l1 / scale));
    history.l0.push((t, figures.l0));
    history
        .dead_share
        .push((t, silent as f64 / cfg.d_sae as f64));
    history.explained_variance.push((t, 1.0 - unexplained));
}

fn latest(history: &SaeHistory) -> [(&'static str, f64); 5] {
    let last = |series: &[(usize, f64)]| series.last().map_or(f64::NAN, |&(_, v)| v);
    [
        ("l2", last(&history.l2)),
        ("l1", last(&history.l1)),
        ("L0", last(&history.l0)),
        ("dead", last(&history.dead_share)),
        ("explained", last(&history.explained_variance)),
    ]
}
