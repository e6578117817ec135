//! The training loop: batch, loss, gradient, clip, update; evaluate now and then; keep the best.
//!
//! One seed fixes the batches and the model's own seed its start, so a run repeats bit for bit;
//! so does a run that was stopped and resumed.

use super::adamw::{AdamW, AdamWConfig};
use super::clip::{check_gradients, clip_scale, global_norm};
use super::evaluate::{BatchLosses, batch_losses, scalar};
use super::history::TrainingHistory;
use super::metrics::{Metric, RunFolder};
use super::schedule::Schedule;
use crate::config::TrainingConfig;
use crate::data::{Batches, Dataset};
use crate::error::{Error, Result};
use crate::model::Transformer;
use crate::progress::{Progress, Reporter};
use crate::show::NotebookReporter;
use candle_core::{Tensor, Var};
use observer::Observer;
use std::time::{Duration, Instant};

pub(super) mod observe;
mod observer;
mod saved;

/// How long an interrupted run may validate, so that it ends within a second.
const LAST_VALIDATION: Duration = Duration::from_millis(500);

/// Trains `model` on `data.train` by next-token cross-entropy; at the end it holds the parameters
/// of the lowest validation loss. Progress is shown in the notebook or on the terminal.
///
/// Validation runs before the first step, every `eval_every` steps and after the last one. With
/// `run_dir`, the folder gets `config.json`, `metrics.jsonl`, TensorBoard events and checkpoints;
/// a run already there is kept as `run_dir/earlier`. When the user interrupts, the run
/// stops after its current step, saves what [`resume`] needs and returns. Before that it validates
/// once more, where that takes half a second at most; else it compares its last parameters with
/// the best ones on as many batches as it can evaluate in that time, and returns the better ones.
///
/// # Errors
/// An invalid configuration, text too short for one sequence, a loss or gradient that is not
/// finite ([`Error::NotFinite`]), a run folder that cannot be written.
pub fn train(model: &Transformer, data: &Dataset, cfg: &TrainingConfig) -> Result<TrainingHistory> {
    train_with(model, data, cfg, &mut NotebookReporter::new())
}

/// [`train`] with progress to `reporter`; [`Silent`](crate::progress::Silent) for none.
///
/// # Errors
/// Those of [`train`].
pub fn train_with(
    model: &Transformer,
    data: &Dataset,
    cfg: &TrainingConfig,
    reporter: &mut dyn Reporter,
) -> Result<TrainingHistory> {
    let mut trainer = Trainer::new(model, data, cfg)?;
    trainer.create_run()?;
    trainer.run(reporter)
}

/// Goes on with the run in `cfg.run_dir` from its last checkpoint, to `cfg.steps` steps.
///
/// With the configuration of the first part, parameters and history come out as the same bits as
/// those of a run that was never stopped (times apart). `model` must have the configuration of
/// the checkpoint's, the device apart; its own parameters are replaced. More steps than at first
/// stretch the schedule.
///
/// # Errors
/// No `run_dir` or no checkpoint there; a checkpoint of another model, corpus, split, seed or
/// batch size; and those of [`train`].
pub fn resume(
    model: &Transformer,
    data: &Dataset,
    cfg: &TrainingConfig,
) -> Result<TrainingHistory> {
    resume_with(model, data, cfg, &mut NotebookReporter::new())
}

/// [`resume`] with progress to `reporter`; [`Silent`](crate::progress::Silent) for none.
///
/// # Errors
/// Those of [`resume`].
pub fn resume_with(
    model: &Transformer,
    data: &Dataset,
    cfg: &TrainingConfig,
    reporter: &mut dyn Reporter,
) -> Result<TrainingHistory> {
    let mut trainer = Trainer::new(model, data, cfg)?;
    trainer.load()?;
    trainer.run(reporter)
}

struct Trainer<'a> {
    model: &'a Transformer,
    data: &'a Dataset,
    cfg: &'a TrainingConfig,
    params: Vec<(String, Var)>,
    optimizer: AdamW,
    schedule: Schedule,
    batches: Batches,
    split_digest: String,
    history: TrainingHistory,
    /// Copies of `params` at the lowest validation loss.
    best: Vec<Tensor>,
    /// Their losses on the validation set; none of a resumed run's.
    best_losses: BatchLosses,
    step: usize,
    /// Seconds of optimiser steps, for the speed.
    step_seconds: f64,
    /// Seconds of the parts before this one.
    seconds_before: f64,
    start: Instant,
    run: Option<RunFolder>,
    observer: Option<Observer<'a>>,
}

impl<'a> Trainer<'a> {
    fn new(model: &'a Transformer, data: &'a Dataset, cfg: &'a TrainingConfig) -> Result<Self> {
        cfg.validate()?;
        let (n_ids, d_vocab) = (data.tokenizer.n_vocab(), model.cfg().d_vocab);
        if n_ids > d_vocab {
            let reason =
                format!("the data has {n_ids} token ids; build the model with d_vocab = {n_ids}");
            return Err(Error::argument("d_vocab", d_vocab, reason));
        }
        let n_ctx = model.cfg().n_ctx;
        if data.train.n_sequences(n_ctx) == 0 {
            let reason = format!("hold no sequence of n_ctx = {n_ctx}");
            return Err(Error::argument(
                "training tokens",
                data.train.n_tokens(),
                reason,
            ));
        }
        let params = model.named_parameters();
        let optimizer = AdamW::new(
            params.clone(),
            AdamWConfig {
                beta1: cfg.beta1,
                beta2: cfg.beta2,
                eps: cfg.adam_eps,
                weight_decay: cfg.weight_decay,
            },
        )?;
        Ok(Self {
            model,
            data,
            cfg,
            optimizer,
            schedule: Schedule::new(cfg),
            batches: Batches::new(&data.train, n_ctx, cfg.batch_size, cfg.seed),
            split_digest: data.split_digest(),
            history: TrainingHistory {
                best_val: f64::INFINITY,
                ..TrainingHistory::default()
            },
            best: Vec::new(),
            best_losses: BatchLosses::default(),
            step: 0,
            step_seconds: 0.0,
            seconds_before: 0.0,
            start: Instant::now(),
            run: None,
            observer: None,
            params,
        })
    }

    fn run(mut self, reporter: &mut dyn Reporter) -> Result<TrainingHistory> {
        let mut progress = Progress::new(reporter, "train", "step", self.cfg.steps as u64)
            .curves("loss (nats/token)", &["loss", "val"]);
        let outcome = self.steps(&mut progress);
        progress.finish();
        outcome?;
        for ((_, var), best) in self.params.iter().zip(&self.best) {
            var.set(best)?;
        }
        Ok(self.history)
    }

    fn steps(&mut self, progress: &mut Progress) -> Result<()> {
        // Before the first step, or the one that an interrupt kept a resumed run from.
        if self.validation_is_due() && !self.validate(&|| progress.interrupted())? {
            return self.stop();
        }
        if self.step == 0 {
            self.observe()?;
        }
        while self.step < self.cfg.steps {
            if progress.interrupted() {
                return self.stop();
            }
            let loss = self.train_step()?;
            let last = self.step == self.cfg.steps;
            if self.validation_is_due() && !self.validate(&|| progress.interrupted())? {
                return self.stop();
            }
            self.observe()?;
            let every = self.cfg.checkpoint_every;
            if !last && every > 0 && self.step.is_multiple_of(every) {
                self.save_last()?;
            }
            let val = self.history.val_loss.last().map_or(f64::NAN, |&(_, v)| v);
            let speed = self.tokens_per_second();
            progress.update(
                self.step as u64,
                &[("loss", loss), ("val", val), ("tok/s", speed)],
            );
        }
        self.save_last()
    }

    /// One update; returns the batch's loss before it.
    fn train_step(&mut self) -> Result<f64> {
        let began = Instant::now();
        let step = self.step + 1;
        let tokens = self.batches.next_batch(self.model.device())?; // [batch, n_ctx]
        let (loss, grads) = self.model.loss_and_gradients(&tokens)?;
        let value = finite("the training loss", scalar(&loss)?, step)?;
        let norm = global_norm(&self.params, &grads)?;
        if !norm.is_finite() {
            let params = self.params.iter().map(|(name, var)| (name.as_str(), var));
            check_gradients(params, &grads, step)?;
        }
        let norm = finite("the gradient norm", norm, step)?;
        let lr = self.schedule.lr(step);
        self.optimizer
            .step_of_finite(&grads, lr, clip_scale(norm, self.cfg.grad_clip))?;
        self.step = step;
        self.step_seconds += began.elapsed().as_secs_f64();
        self.history.train_loss.push((step, value));
        let metric = Metric {
            step,
            loss: Some(value),
            lr: Some(lr),
            grad_norm: Some(norm),
            tokens_per_second: Some(self.tokens_per_second()),
            ..Metric::default()
        };
        self.log(metric)?;
        Ok(value)
    }

    /// True at a step that validation belongs to and that has none yet.
    fn validation_is_due(&self) -> bool {
        let wanted = self.step == self.cfg.steps || self.step.is_multiple_of(self.cfg.eval_every);
        let last = self.history.val_loss.last();
        wanted && last.is_none_or(|&(step, _)| step != self.step)
    }

    /// Evaluates on the validation set and keeps the parameters if they are the best so far, in
    /// the run folder as well. False when `stop` ended it first; then nothing has changed.
    fn validate(&mut self, stop: &dyn Fn() -> bool) -> Result<bool> {
        let losses = self.batch_losses(stop)?;
        let complete = losses.complete;
        if complete {
            self.record_validation(losses)?;
        }
        Ok(complete)
    }

    fn record_validation(&mut self, losses: BatchLosses) -> Result<()> {
        let loss = finite("the validation loss", losses.mean(), self.step)?;
        self.history.val_loss.push((self.step, loss));
        let better = loss < self.history.best_val;
        if better {
            self.keep_as_best(losses)?;
        }
        if better && let Some(dir) = &self.cfg.run_dir {
            self.checkpoint(false)?.save(&RunFolder::best(dir))?;
        }
        let metric = Metric {
            step: self.step,
            val_loss: Some(loss),
            ..Metric::default()
        };
        self.log(metric)
    }

    fn batch_losses(&self, stop: &dyn Fn() -> bool) -> Result<BatchLosses> {
        let cfg = self.cfg;
        let (n, rows) = (cfg.eval_batches, cfg.batch_size);
        batch_losses(self.model, &self.data.val, n, rows, stop)
    }

    /// The parameters of now, with these losses, are the best.
    fn keep_as_best(&mut self, losses: BatchLosses) -> Result<()> {
        (self.history.best_val, self.history.best_step) = (losses.mean(), self.step);
        self.best_losses = losses;
        let copies = self.params.iter().map(|(_, var)| var.as_tensor().copy());
        self.best = copies.collect::<candle_core::Result<_>>()?;
        Ok(())
    }

    /// The user's stop. The extra evaluation is not part of what is saved, so that a resumed run
    /// knows nothing of it, unless one was due at this step.
    fn stop(&mut self) -> Result<()> {
        let validated = |history: &TrainingHistory, step| {
            let last = history.val_loss.last();
            last.is_some_and(|&(at, _)| at == step)
        };
        let mut extra = None;
        if !validated(&self.history, self.step) {
            let began = Instant::now();
            let losses = self.batch_losses(&|| began.elapsed() > LAST_VALIDATION)?;
            match losses.complete && self.validation_is_due() {
                true => self.record_validation(losses)?,
                false => extra = Some(losses),
            }
        }
        // Before the first validation there is nothing that a resumed run could go on from.
        if !self.history.val_loss.is_empty() {
            self.save_last()?;
        }
        self.history.interrupted = true;
        match extra {
            Some(losses) => self.take_extra(losses),
            None => Ok(()),
        }
    }

    /// Keeps the last parameters if an evaluation beside the regular ones found them the best.
    fn take_extra(&mut self, losses: BatchLosses) -> Result<()> {
        let better = if losses.complete {
            self.history.val_loss.push((self.step, losses.mean()));
            losses.mean() < self.history.best_val
        } else {
            self.best.is_empty() || losses.is_lower_than(&self.best_losses)
        };
        match better {
            true => self.keep_as_best(losses),
            false => Ok(()),
        }
    }

    fn observe(&mut self) -> Result<()> {
        let (step, last) = (self.step, self.step == self.cfg.steps);
        match &mut self.observer {
            Some(observer) => observer.look(step, last, self.model),
            None => Ok(()),
        }
    }

    fn log(&mut self, mut metric: Metric) -> Result<()> {
        metric.seconds = self.seconds();
        match &mut self.run {
            Some(run) => run.log(&metric),
            None => Ok(()),
        }
    }

    fn seconds(&self) -> f64 {
        self.seconds_before + self.start.elapsed().as_secs_f64()
    }

    fn tokens_per_step(&self) -> usize {
        self.cfg.batch_size * self.model.cfg().n_ctx
    }

    fn tokens_per_second(&self) -> f64 {
        let tokens = (self.step * self.tokens_per_step()) as f64;
        tokens / self.step_seconds.max(f64::MIN_POSITIVE)
    }
}

fn finite(what: &'static str, value: f64, step: usize) -> Result<f64> {
    match value.is_finite() {
        true => Ok(value),
        false => Err(Error::NotFinite {
            what: what.to_owned(),
            value,
            step,
        }),
    }
}

fn config_error(
    field: &'static str,
    value: impl std::fmt::Display,
    reason: impl Into<String>,
) -> Error {
    Error::Config {
        config: "TrainingConfig",
        field,
        value: value.to_string(),
        reason: reason.into(),
    }
}
