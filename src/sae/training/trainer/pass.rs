//! One pass over the activations, for one autoencoder or for several: the model fills one buffer, and
//! each batch goes to every run that has not ended.
//!
//! Nothing that one run does changes what another is given, so that each result is, bit for bit, that of a
//! pass of its own: batches are drawn in the same order, dead features move to rows that the buffer shows
//! without giving them out ([`ActivationBuffer::sample`]), and each run has its own random numbers. Shared are
//! the model's runs, the buffer, the statistics, and each batch, gathered and scaled once; what a step
//! centres by its own `b_dec` is its own.

use super::super::activations::{ActivationBuffer, Statistics, first_rows};
use super::checkpoint::{Checkpoint, Origin};
use super::run::{Run, latest};
use super::score::Score;
use crate::config::{Architecture, SaeConfig};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::model::Transformer;
use crate::progress::Progress;
use crate::sae::state_dict::StateDict;
use crate::train::RunFolder;
use std::time::Instant;

/// Inputs whose losses decide where dead features go.
const RESAMPLE_TOKENS: usize = 8_192;
/// What says which activations a run sees, in which order.
const SHARED: [&str; 7] = [
    "hook_name",
    "d_in",
    "batch_size",
    "buffer_tokens",
    "skip_bos",
    "seed",
    "normalize_activations",
];

/// The runs and what they share.
pub(super) struct Pass<'c> {
    pub runs: Vec<Run<'c>>,
    buffer: ActivationBuffer,
    /// Known where a run has a folder.
    origin: Option<Origin>,
    /// There where a run is scored.
    score: Option<Score>,
    /// Scaled activations, reused from step to step.
    batch: Vec<f32>,
    sample: Vec<f32>,
    began: Instant,
}

/// Checks each configuration, and that they can share one pass.
pub(super) fn check(cfgs: &[SaeConfig]) -> Result<()> {
    let Some(first) = cfgs.first() else {
        return Err(Error::argument("configurations", 0, "must be at least one"));
    };
    for (i, cfg) in cfgs.iter().enumerate() {
        cfg.validate()?;
        if has_own_trainer(&cfg.architecture) {
            return Err(own_trainer(cfg));
        }
        let error = |field, value, reason| Error::Config {
            config: "SaeConfig",
            field,
            value,
            reason,
        };
        if let Some((field, old, new)) = first.first_difference(cfg, |f| SHARED.contains(&f)) {
            let reason = format!(
                "configuration {i} must have that of configuration 0, {old}: all are trained on the same batches"
            );
            return Err(error(field, new, reason));
        }
        let twin = cfgs[..i].iter().position(|c| c.run_dir == cfg.run_dir);
        if let (Some(dir), Some(twin)) = (&cfg.run_dir, twin) {
            let reason =
                format!("is the folder of configurations {twin} and {i}; each needs its own");
            return Err(error("run_dir", dir.display().to_string(), reason));
        }
    }
    Ok(())
}

/// Whether an architecture's steps are no [`StandardStep`](super::super::step::StandardStep)'s, so that it shares
/// no pass and has no checkpoints.
pub(super) fn has_own_trainer(architecture: &Architecture) -> bool {
    matches!(
        architecture,
        Architecture::MatchingPursuit { .. } | Architecture::Temporal { .. }
    )
}

/// The error of one in a sweep, or with a run folder.
pub(super) fn own_trainer(cfg: &SaeConfig) -> Error {
    Error::Config {
        config: "SaeConfig",
        field: "architecture",
        value: cfg.architecture.name().to_owned(),
        reason: "has a trainer of its own: train it by train_sae, without run_dir and score_every"
            .to_owned(),
    }
}

impl<'c> Pass<'c> {
    /// Fills the buffer and starts a run for each configuration.
    pub(super) fn start(
        model: &Transformer,
        data: &Dataset,
        cfgs: &'c [SaeConfig],
        stop: &dyn Fn() -> bool,
    ) -> Result<Self> {
        let began = Instant::now();
        let buffer = ActivationBuffer::new_unless(model, data, &cfgs[0], stop)?;
        let stats = Statistics::of(buffer.rows(), &cfgs[0]);
        let sample: Vec<f32> = first_rows(buffer.rows(), cfgs[0].d_in)
            .iter()
            .map(|v| v * stats.scale)
            .collect();
        let runs = cfgs.iter().map(|cfg| Run::start(cfg, &stats, &sample));
        let pass = Self {
            runs: runs.collect::<Result<_>>()?,
            buffer,
            origin: origin(model, data, cfgs)?,
            score: score(model, data, cfgs)?,
            batch: Vec::new(),
            sample,
            began,
        };
        for cfg in cfgs {
            if let (Some(dir), Some(origin)) = (&cfg.run_dir, &pass.origin) {
                RunFolder::begin(dir, &origin.json(cfg))?;
            }
        }
        Ok(pass)
    }

    /// Goes on with the runs in the configurations' folders.
    pub(super) fn resume(
        model: &Transformer,
        data: &Dataset,
        cfgs: &'c [SaeConfig],
        stop: &dyn Fn() -> bool,
    ) -> Result<Self> {
        let began = Instant::now();
        let now = Origin::of(model, data)?;
        let mut runs = Vec::with_capacity(cfgs.len());
        // The buffer is that of the run which is the least far; the others wait for it.
        let mut least: Option<(usize, StateDict, usize)> = None;
        for (i, cfg) in cfgs.iter().enumerate() {
            let Some(dir) = &cfg.run_dir else {
                return Err(Error::Config {
                    config: "SaeConfig",
                    field: "run_dir",
                    value: "None".to_owned(),
                    reason: "resuming needs the folder of the run".to_owned(),
                });
            };
            let path = RunFolder::last(dir);
            let saved = Checkpoint::load(&path)?;
            saved.check(cfg, &now)?;
            let run = Run::resumed(cfg, saved.history, &saved.numbers)?;
            let run = run.map_err(|why| Checkpoint::unfit(&path, why))?;
            let place = match run.is_done() {
                true => usize::MAX,
                false => run.history.steps,
            };
            runs.push(run);
            if least.as_ref().is_none_or(|(steps, ..)| place < *steps) {
                least = Some((place, saved.numbers, i));
            }
        }
        let Some((place, numbers, i)) = least else {
            return Err(Error::argument("configurations", 0, "must be at least one"));
        };
        let buffer = ActivationBuffer::resumed(model, data, &cfgs[i], &numbers)?;
        let dir = cfgs[i].run_dir.clone().unwrap_or_default();
        let unfit = |why| Checkpoint::unfit(&RunFolder::last(&dir), why);
        let mut buffer = buffer.map_err(unfit)?;
        if place < usize::MAX {
            buffer.harvest_again(&numbers, stop)?;
        }
        Ok(Self {
            runs,
            buffer,
            origin: Some(now),
            score: score(model, data, cfgs)?,
            batch: Vec::new(),
            sample: Vec::new(),
            began,
        })
    }

    /// All steps that are left; fewer when the user interrupts.
    pub(super) fn run(&mut self, progress: &mut Progress) -> Result<()> {
        let open = self.runs.iter().filter(|run| !run.is_done());
        let first = open.clone().map(|run| run.history.steps).min();
        let last = open.map(|run| run.cfg.steps).max().unwrap_or(0);
        for t in first.map_or(1, |steps| steps + 1)..=last {
            if progress.interrupted() {
                return self.interrupted();
            }
            match self.next_batch(&|| progress.interrupted()) {
                // While the buffer was filled again: this step has not begun.
                Err(Error::Interrupted { .. }) => return self.interrupted(),
                outcome => outcome?,
            }
            if self.step(t)? {
                let figures = self.figures();
                let figures: Vec<(&str, f64)> = figures
                    .iter()
                    .map(|(name, v)| (name.as_str(), *v))
                    .collect();
                progress.update(t as u64, &figures);
            }
        }
        Ok(())
    }

    fn next_batch(&mut self, stop: &dyn Fn() -> bool) -> Result<()> {
        let n = self.runs[0].cfg.batch_size;
        self.buffer.next_batch_unless(n, &mut self.batch, stop)?;
        let scale = self.runs[0].scale();
        self.batch.iter_mut().for_each(|v| *v *= scale);
        Ok(())
    }

    /// Step `t` of every run whose turn it is; true when a history has a new entry.
    fn step(&mut self, t: usize) -> Result<bool> {
        let mut logged = false;
        let mut sampled = false;
        for i in 0..self.runs.len() {
            let run = &mut self.runs[i];
            if run.is_done() || run.history.steps + 1 != t {
                continue;
            }
            let stepped = run.step(t, &self.batch);
            logged |= stepped.map_err(|error| of_configuration(error, i, cfgs_of(&self.runs)))?;
            let run = &mut self.runs[i];
            let cfg = run.cfg;
            if let Some(score) = &self.score
                && is_due(cfg.score_every, t, cfg.steps)
            {
                let value = score.of(&run.sae(score.device())?)?;
                run.history.score.push((t, value));
            }
            if run.resamples_at(t) {
                if !sampled {
                    let n = RESAMPLE_TOKENS.min(cfg.buffer_tokens);
                    self.buffer.sample(n, &mut self.sample)?;
                    let scale = run.scale();
                    self.sample.iter_mut().for_each(|v| *v *= scale);
                    sampled = true;
                }
                run.resample(t, &self.sample)?;
            }
            run.took(self.began.elapsed().as_secs_f64());
            if t == cfg.steps || is_due(cfg.checkpoint_every, t, cfg.steps) {
                self.save(i)?;
            }
        }
        Ok(logged)
    }

    /// The user's stop: what has not ended is saved.
    fn interrupted(&mut self) -> Result<()> {
        for i in 0..self.runs.len() {
            if !self.runs[i].is_done() {
                self.runs[i].took(self.began.elapsed().as_secs_f64());
                self.save(i)?;
                self.runs[i].history.interrupted = true;
            }
        }
        Ok(())
    }

    /// Writes run `i`'s checkpoint, where it has a folder.
    fn save(&mut self, i: usize) -> Result<()> {
        let run = &mut self.runs[i];
        let (Some(dir), Some(origin)) = (&run.cfg.run_dir, &self.origin) else {
            return Ok(());
        };
        let mut numbers = StateDict::default();
        self.buffer.keep_in(&mut numbers);
        run.keep_in(&mut numbers);
        let checkpoint = Checkpoint {
            config: run.cfg.clone(),
            origin: origin.clone(),
            history: run.history.clone(),
            numbers,
        };
        checkpoint.save(&RunFolder::last(dir))
    }

    /// What a reporter shows: one run's figures, or of several what they explain.
    fn figures(&self) -> Vec<(String, f64)> {
        let figures = latest(&self.runs[0].history);
        if self.runs.len() == 1 {
            return figures
                .into_iter()
                .map(|(n, v)| (n.to_owned(), v))
                .collect();
        }
        let names = curves(cfgs_of(&self.runs));
        let explained = self.runs.iter().map(|run| {
            let last = run.history.explained_variance.last();
            last.map_or(f64::NAN, |&(_, v)| v)
        });
        names.into_iter().zip(explained).collect()
    }
}

/// The names by which a reporter tells the runs of a pass apart.
pub(super) fn curves<'a>(cfgs: impl Iterator<Item = &'a SaeConfig>) -> Vec<String> {
    let name = |(i, cfg): (usize, &SaeConfig)| format!("{i} {}", cfg.architecture.name());
    cfgs.enumerate().map(name).collect()
}

fn cfgs_of<'c>(runs: &[Run<'c>]) -> impl Iterator<Item = &'c SaeConfig> {
    runs.iter().map(|run| run.cfg)
}

fn is_due(every: usize, t: usize, steps: usize) -> bool {
    every > 0 && (t.is_multiple_of(every) || t == steps)
}

/// Of several configurations an error says which it is of.
fn of_configuration<'a>(
    error: Error,
    i: usize,
    mut cfgs: impl Iterator<Item = &'a SaeConfig>,
) -> Error {
    match (error, cfgs.nth(i)) {
        (Error::NotFinite { what, value, step }, Some(cfg)) if i > 0 || cfgs.next().is_some() => {
            let what = format!("{what}, of configuration {i} ({}),", cfg.architecture);
            Error::NotFinite { what, value, step }
        }
        (error, _) => error,
    }
}

fn origin(model: &Transformer, data: &Dataset, cfgs: &[SaeConfig]) -> Result<Option<Origin>> {
    match cfgs.iter().any(|cfg| cfg.run_dir.is_some()) {
        true => Origin::of(model, data).map(Some),
        false => Ok(None),
    }
}

fn score(model: &Transformer, data: &Dataset, cfgs: &[SaeConfig]) -> Result<Option<Score>> {
    match cfgs.iter().any(|cfg| cfg.score_every > 0) {
        true => Score::new(model, data, &cfgs[0]).map(Some),
        false => Ok(None),
    }
}
