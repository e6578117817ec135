//! One pass over the activations, for one autoencoder or for several: the model fills one buffer, and
//! each batch goes to every run that has not ended.
//!
//! No run affects the input of another, so that each result is, bit for bit, that of a
//! separate pass: batches are drawn in the same order, dead features move to rows that the buffer returns
//! without drawing them ([`ActivationBuffer::sample`](super::super::activations::ActivationBuffer::sample)), and each
//! run has its own random numbers. They share the model's runs, the buffer, the statistics, and each batch, gathered
//! and scaled once; inputs centred by a run's `b_dec` are its own. Autoencoders that read whole sequences share a
//! stream of sequences instead.

use super::checkpoint::{Checkpoint, Origin};
use super::feed::{Feed, Reads};
use super::run::Run;
use super::score::Score;
use crate::config::SaeConfig;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::model::Transformer;
use crate::progress::Progress;
use crate::sae::state_dict::StateDict;
use crate::train::RunFolder;
use std::path::PathBuf;
use std::time::Instant;

/// The fields that determine which activations a run sees, in which order.
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
    /// In the order of [`Reads::ALL`]; only those that a run reads.
    feeds: Vec<Feed>,
    /// Present if a run has a folder.
    origin: Option<Origin>,
    /// Present if a run is scored.
    score: Option<Score>,
    began: Instant,
}

/// Checks each configuration, and that they can share one pass.
pub(super) fn check(cfgs: &[SaeConfig]) -> Result<()> {
    let Some(first) = cfgs.first() else {
        return Err(Error::argument("configurations", 0, "must be at least one"));
    };
    for (i, cfg) in cfgs.iter().enumerate() {
        cfg.validate()?;
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

/// The least advanced run of a stream, whose checkpoint has the stream.
struct Least {
    reads: Reads,
    /// Which of the runs.
    run: usize,
    numbers: StateDict,
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
        let mut feeds: Vec<Feed> = Vec::new();
        for reads in Reads::ALL {
            if cfgs.iter().any(|cfg| Reads::of(cfg) == reads) {
                feeds.push(Feed::start(reads, (model, data), &cfgs[0], stop)?);
            }
        }
        let mut runs = Vec::with_capacity(cfgs.len());
        for cfg in cfgs {
            let feed = feed_of(&feeds, Reads::of(cfg)).ok_or_else(no_activations)?;
            runs.push(Run::start(cfg, model, feed)?);
        }
        let pass = Self {
            runs,
            feeds,
            origin: origin(model, data, cfgs)?,
            score: score(model, data, cfgs)?,
            began,
        };
        for cfg in cfgs {
            if let (Some(dir), Some(origin)) = (&cfg.run_dir, &pass.origin) {
                RunFolder::begin(dir, &origin.json(cfg))?;
            }
        }
        Ok(pass)
    }

    /// Resumes the runs in the configurations' folders.
    pub(super) fn resume(
        model: &Transformer,
        data: &Dataset,
        cfgs: &'c [SaeConfig],
        stop: &dyn Fn() -> bool,
    ) -> Result<Self> {
        let began = Instant::now();
        let now = Origin::of(model, data)?;
        let mut runs: Vec<Run> = Vec::with_capacity(cfgs.len());
        // A stream resumes at its least advanced run; the others wait for it.
        let mut least: Vec<Least> = Vec::new();
        for (i, cfg) in cfgs.iter().enumerate() {
            let path = folder(cfg)?;
            let saved = Checkpoint::load(&path)?;
            saved.check(cfg, &now)?;
            let run = Run::resumed(cfg, model, saved.history, &saved.numbers)?;
            let run = run.map_err(|why| Checkpoint::unfit(&path, why))?;
            let (reads, numbers) = (run.reads(), saved.numbers);
            let place = |run: &Run| (run.is_done(), run.history.steps);
            match least.iter_mut().find(|least| least.reads == reads) {
                None => least.push(Least {
                    reads,
                    run: i,
                    numbers,
                }),
                Some(least) if place(&run) < place(&runs[least.run]) => {
                    (least.run, least.numbers) = (i, numbers);
                }
                Some(_) => {}
            }
            runs.push(run);
        }
        let mut feeds = Vec::with_capacity(least.len());
        for reads in Reads::ALL {
            let Some(least) = least.iter().find(|least| least.reads == reads) else {
                continue;
            };
            let run = &runs[least.run];
            let place = (&least.numbers, run.history.steps);
            let feed = Feed::resumed(reads, (model, data), run.cfg, place, run.scale())?;
            let path = folder(run.cfg)?;
            let mut feed = feed.map_err(|why| Checkpoint::unfit(&path, why))?;
            if !run.is_done() {
                feed.harvest_again(&least.numbers, stop)?;
            }
            feeds.push(feed);
        }
        Ok(Self {
            runs,
            feeds,
            origin: Some(now),
            score: score(model, data, cfgs)?,
            began,
        })
    }

    /// Runs all remaining steps; fewer when the user interrupts.
    pub(super) fn run(&mut self, progress: &mut Progress) -> Result<()> {
        let open = self.runs.iter().filter(|run| !run.is_done());
        let first = open.clone().map(|run| run.history.steps).min();
        let last = open.map(|run| run.cfg.steps).max().unwrap_or(0);
        for t in first.map_or(1, |steps| steps + 1)..=last {
            if progress.interrupted() {
                return self.interrupted();
            }
            match self.next_batches(t, &|| progress.interrupted()) {
                // Interrupted while the buffer was refilled: this step has not begun.
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

    /// The batch of step `t` of every stream that a run still reads.
    fn next_batches(&mut self, t: usize, stop: &dyn Fn() -> bool) -> Result<()> {
        for feed in &mut self.feeds {
            let reads = feed.reads();
            let open = |run: &&Run| run.reads() == reads && !run.is_done();
            if let Some(run) = self.runs.iter().find(open)
                && feed.given() < t
            {
                feed.next(run.cfg, stop)?;
            }
        }
        Ok(())
    }

    /// Performs step `t` for every run that is due; true when a history has a new entry.
    fn step(&mut self, t: usize) -> Result<bool> {
        let mut logged = false;
        for i in 0..self.runs.len() {
            let run = &mut self.runs[i];
            if run.is_done() || run.history.steps + 1 != t {
                continue;
            }
            let mut feeds = self.feeds.iter_mut();
            let feed = feeds.find(|feed| feed.reads() == run.reads());
            let feed = feed.ok_or_else(no_activations)?;
            let stepped = run.step(t, feed.batch());
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
                feed.take_sample(t, cfg)?;
                run.resample(t, feed.sample())?;
            }
            run.took(self.began.elapsed().as_secs_f64());
            if t == cfg.steps || is_due(cfg.checkpoint_every, t, cfg.steps) {
                self.save(i)?;
            }
        }
        Ok(logged)
    }

    /// Handles the user's interrupt: saves the runs that have not ended. A run that is ahead of its stream, waiting for
    /// the others, already has its checkpoint.
    fn interrupted(&mut self) -> Result<()> {
        for i in 0..self.runs.len() {
            let run = &mut self.runs[i];
            if run.is_done() {
                continue;
            }
            let given = feed_of(&self.feeds, run.reads()).map_or(0, Feed::given);
            if run.history.steps == given {
                run.took(self.began.elapsed().as_secs_f64());
                self.save(i)?;
            }
            self.runs[i].history.interrupted = true;
        }
        Ok(())
    }

    /// Writes run `i`'s checkpoint, if it has a folder.
    fn save(&mut self, i: usize) -> Result<()> {
        let run = &mut self.runs[i];
        let (Some(dir), Some(origin)) = (&run.cfg.run_dir, &self.origin) else {
            return Ok(());
        };
        let mut numbers = StateDict::default();
        let mut feeds = self.feeds.iter_mut();
        if let Some(feed) = feeds.find(|feed| feed.reads() == run.reads()) {
            feed.keep_in(&mut numbers);
        }
        run.keep_in(&mut numbers);
        let checkpoint = Checkpoint {
            config: run.cfg.clone(),
            origin: origin.clone(),
            history: run.history.clone(),
            numbers,
        };
        checkpoint.save(&RunFolder::last(dir))
    }

    /// The figures for a reporter: all of a single run, or the explained variances of several.
    fn figures(&self) -> Vec<(String, f64)> {
        let figures = self.runs[0].history.latest();
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

fn feed_of(feeds: &[Feed], reads: Reads) -> Option<&Feed> {
    feeds.iter().find(|feed| feed.reads() == reads)
}

/// The error for a run without a stream, which does not occur.
fn no_activations() -> Error {
    Error::argument("configurations", 0, "must be at least one")
}

/// The last checkpoint in a configuration's folder.
fn folder(cfg: &SaeConfig) -> Result<PathBuf> {
    let Some(dir) = &cfg.run_dir else {
        return Err(Error::Config {
            config: "SaeConfig",
            field: "run_dir",
            value: "None".to_owned(),
            reason: "resuming needs the folder of the run".to_owned(),
        });
    };
    Ok(RunFolder::last(dir))
}

/// The names by which a reporter distinguishes the runs of a pass.
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

/// Adds to an error which of several configurations it concerns.
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
