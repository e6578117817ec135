//! The loop that trains one or several maps on the same stream of activations.

use super::super::record::StepFigures;
use super::super::trainer::{learning_rate, resamples_at, sparsity_weight};
use super::coder::{Coder, Plan, Trained};
use super::sites::Sites;
use crate::config::TranscoderConfig;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::model::Transformer;
use crate::progress::{Progress, Reporter};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::time::Instant;

/// Number of tokens to which dead features are moved, by their losses.
const RESAMPLE_TOKENS: usize = 8_192;

/// Trains every plan on activations of `hook_names`, concatenated in a row, collected once.
pub(super) fn run(
    (model, data): (&Transformer, &Dataset),
    cfg: &TranscoderConfig,
    hook_names: &[String],
    plans: Vec<Plan>,
    task: &str,
    reporter: &mut dyn Reporter,
) -> Result<Vec<Trained>> {
    cfg.validate()?;
    let began = Instant::now();
    let mut progress = Progress::new(reporter, task, "step", cfg.steps as u64)
        .curves("squared error l2 (per token)", &["l2"])
        .curves("sum of activations l1 (per token)", &["l1"]);
    let started = Run::start((model, data), cfg, hook_names, plans, &|| {
        progress.interrupted()
    });
    let mut run = match started {
        Ok(run) => run,
        Err(error) => {
            progress.finish();
            return Err(error);
        }
    };
    let mut interrupted = false;
    for t in 1..=cfg.steps {
        interrupted = progress.interrupted();
        if interrupted {
            break;
        }
        let figures = match run.step(t, &|| progress.interrupted()) {
            // Interrupted while the buffer was refilled: this step has not begun.
            Err(Error::Interrupted { .. }) => {
                interrupted = true;
                break;
            }
            figures => figures?,
        };
        if t.is_multiple_of(cfg.log_every) || t == cfg.steps {
            for (coder, figures) in run.coders.iter_mut().zip(&figures) {
                coder.record(t, figures, cfg.dead_steps);
            }
            progress.update(t as u64, &latest(&run.coders));
        }
        if resamples_at(&cfg.schedule(1), t) {
            match run.resample(t, &|| progress.interrupted()) {
                Err(Error::Interrupted { .. }) => {
                    interrupted = true;
                    break;
                }
                resampled => resampled?,
            }
        }
    }
    progress.finish();
    let seconds = began.elapsed().as_secs_f64();
    let finish = |mut coder: Coder| {
        coder.history.interrupted = interrupted;
        coder.finish(seconds)
    };
    Ok(run.coders.into_iter().map(finish).collect())
}

/// The input and the maps in training.
struct Run<'c> {
    cfg: &'c TranscoderConfig,
    sites: Sites,
    coders: Vec<Coder>,
    /// One per map, so that its draws do not depend on the others.
    rngs: Vec<ChaCha8Rng>,
    batch: Vec<f32>,
}

impl<'c> Run<'c> {
    fn start(
        (model, data): (&Transformer, &Dataset),
        cfg: &'c TranscoderConfig,
        hook_names: &[String],
        plans: Vec<Plan>,
        stop: &dyn Fn() -> bool,
    ) -> Result<Self> {
        let sites = Sites::collect(model, data, hook_names, cfg, stop)?;
        let mut rngs = vec![ChaCha8Rng::seed_from_u64(cfg.seed); plans.len()];
        let coders = plans.into_iter().zip(&mut rngs);
        let coders = coders.map(|(plan, rng)| Coder::start(plan, cfg, &sites, rng));
        Ok(Self {
            cfg,
            coders: coders.collect::<Result<_>>()?,
            sites,
            rngs,
            batch: Vec::new(),
        })
    }

    /// Optimiser step `t`, counted from 1, of every map.
    fn step(&mut self, t: usize, stop: &dyn Fn() -> bool) -> Result<Vec<StepFigures>> {
        let schedule = self.cfg.schedule(1);
        let (lr, sparsity) = (learning_rate(&schedule, t), sparsity_weight(&schedule, t));
        let n = self.cfg.batch_size;
        self.sites.next_batch(n, &mut self.batch, stop)?;
        let (batch, width) = (&self.batch, self.sites.width);
        let coders = self.coders.iter_mut();
        coders
            .map(|coder| coder.step(batch, width, lr, sparsity))
            .collect()
    }

    /// Moves the features that are dead after step `t`.
    fn resample(&mut self, t: usize, stop: &dyn Fn() -> bool) -> Result<()> {
        let n = RESAMPLE_TOKENS.min(self.cfg.buffer_tokens);
        self.sites.next_batch(n, &mut self.batch, stop)?;
        let (batch, width) = (&self.batch, self.sites.width);
        for (coder, rng) in self.coders.iter_mut().zip(&mut self.rngs) {
            coder.resample(t, batch, width, self.cfg.dead_steps, rng)?;
        }
        Ok(())
    }
}

/// The last figures, averaged over the maps.
fn latest(coders: &[Coder]) -> [(&'static str, f64); 5] {
    let mean = |series: fn(&Coder) -> &[(usize, f64)]| {
        let last = |coder| series(coder).last().map_or(f64::NAN, |&(_, v)| v);
        coders.iter().map(last).sum::<f64>() / coders.len().max(1) as f64
    };
    [
        ("l2", mean(|c| &c.history.l2)),
        ("l1", mean(|c| &c.history.l1)),
        ("L0", mean(|c| &c.history.l0)),
        ("dead", mean(|c| &c.history.dead_share)),
        ("explained", mean(|c| &c.history.explained_variance)),
    ]
}
