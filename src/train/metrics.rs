//! The run folder: what a run was asked to do, its metrics and its parameters.
//!
//! `config.json`, `metrics.jsonl` (one JSON object a step or evaluation), TensorBoard event files
//! and `checkpoints/{best,last}.safetensors`. Whole files are written aside and renamed.

use super::tensorboard::EventWriter;
use crate::error::{Error, Result};
use crate::file::write_whole;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// One line of `metrics.jsonl`: a training step has `loss`, an evaluation `val_loss`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Metric {
    /// Updates done, this one included.
    pub step: usize,
    /// Loss of the step's batch, nats per token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
    /// Learning rate of the step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lr: Option<f64>,
    /// Global norm of the gradient before clipping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grad_norm: Option<f64>,
    /// Training tokens per second since the run began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_per_second: Option<f64>,
    /// Validation loss, nats per token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub val_loss: Option<f64>,
    /// Seconds since the run began.
    pub seconds: f64,
}

/// An open run folder.
#[derive(Debug)]
pub struct RunFolder {
    dir: PathBuf,
    metrics: File,
    events: EventWriter,
}

impl RunFolder {
    /// Starts a run in `dir` with `config` as its `config.json`.
    ///
    /// A run that is already there is kept as `dir/earlier`, in place of the one kept there before.
    pub fn create(dir: &Path, config: &serde_json::Value) -> Result<Self> {
        Self::begin(dir, config)?;
        Self::open(dir, None)
    }

    /// [`RunFolder::create`] for a run that keeps its metrics elsewhere.
    pub(crate) fn begin(dir: &Path, config: &serde_json::Value) -> Result<()> {
        fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
        set_aside(dir)?;
        let checkpoints = dir.join("checkpoints");
        fs::create_dir_all(&checkpoints).map_err(Error::io("create", &checkpoints))?;
        let mut text = serde_json::to_string_pretty(config)?;
        text.push('\n');
        write_whole(&dir.join("config.json"), text.as_bytes())
    }

    /// Opens the run in `dir` again as it was after `step` updates: later lines of `metrics.jsonl` go.
    pub fn reopen(dir: &Path, step: usize) -> Result<Self> {
        let mut kept = String::new();
        for metric in Self::metrics(dir)?.iter().filter(|m| m.step <= step) {
            kept.push_str(&serde_json::to_string(metric)?);
            kept.push('\n');
        }
        write_whole(&dir.join("metrics.jsonl"), kept.as_bytes())?;
        Self::open(dir, Some(step + 1))
    }

    /// The metrics of the run in `dir`, in the order in which they were written.
    ///
    /// A last line cut short by a crash is left out.
    pub fn metrics(dir: &Path) -> Result<Vec<Metric>> {
        let path = dir.join("metrics.jsonl");
        let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole
            .lines()
            .map(|line| {
                serde_json::from_str(line).map_err(|e| Error::format(&path, "metrics file", e))
            })
            .collect()
    }

    /// Where the best parameters are.
    pub fn best(dir: &Path) -> PathBuf {
        dir.join("checkpoints").join("best.safetensors")
    }

    /// Where the state is from which [`resume`](super::resume) goes on.
    pub fn last(dir: &Path) -> PathBuf {
        dir.join("checkpoints").join("last.safetensors")
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Writes a metric as a JSON line and as TensorBoard scalars.
    pub fn log(&mut self, metric: &Metric) -> Result<()> {
        let mut line = serde_json::to_string(metric)?;
        line.push('\n');
        let written = self.metrics.write_all(line.as_bytes());
        written.map_err(Error::io("write", self.dir.join("metrics.jsonl")))?;
        for (tag, value) in [
            ("loss/train", metric.loss),
            ("loss/validation", metric.val_loss),
            ("optimiser/lr", metric.lr),
            ("optimiser/grad_norm", metric.grad_norm),
            ("speed/tokens_per_second", metric.tokens_per_second),
        ] {
            if let Some(value) = value {
                self.events.scalar(tag, metric.step, value)?;
            }
        }
        Ok(())
    }

    fn open(dir: &Path, resumed_at: Option<usize>) -> Result<Self> {
        let path = dir.join("metrics.jsonl");
        let file = OpenOptions::new().append(true).create(true).open(&path);
        Ok(Self {
            dir: dir.to_owned(),
            metrics: file.map_err(Error::io("open", &path))?,
            events: EventWriter::create(dir, resumed_at)?,
        })
    }
}

/// Moves an earlier run's files, and only those, into `dir/earlier`.
fn set_aside(dir: &Path) -> Result<()> {
    let mut ours = Vec::new();
    for entry in fs::read_dir(dir).map_err(Error::io("read", dir))? {
        let entry = entry.map_err(Error::io("read", dir))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let known = ["config.json", "metrics.jsonl", "checkpoints"].contains(&name.as_str());
        if known || name.starts_with("events.out.tfevents.") {
            ours.push(name);
        }
    }
    if ours.is_empty() {
        return Ok(());
    }
    let earlier = dir.join("earlier");
    if earlier.join("config.json").exists() {
        fs::remove_dir_all(&earlier).map_err(Error::io("remove", &earlier))?;
    }
    fs::create_dir_all(&earlier).map_err(Error::io("create", &earlier))?;
    for name in ours {
        let from = dir.join(&name);
        fs::rename(&from, earlier.join(&name)).map_err(Error::io("move", &from))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> Result<tempfile::TempDir> {
        tempfile::tempdir().map_err(Error::io("create", "a temporary folder"))
    }

    fn metric(step: usize) -> Metric {
        Metric {
            step,
            loss: Some(1.0 / step as f64),
            ..Metric::default()
        }
    }

    #[test]
    fn reopening_drops_the_lines_after_the_checkpoint() -> Result<()> {
        let dir = folder()?;
        let mut run = RunFolder::create(dir.path(), &serde_json::json!({"steps": 5}))?;
        for step in 1..=5 {
            run.log(&metric(step))?;
        }
        drop(run);
        // A crash in the middle of a line.
        let path = dir.path().join("metrics.jsonl");
        let mut text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        text.push_str("{\"step\":6,\"lo");
        fs::write(&path, text).map_err(Error::io("write", &path))?;

        let mut run = RunFolder::reopen(dir.path(), 3)?;
        run.log(&metric(4))?;
        assert_eq!(
            RunFolder::metrics(dir.path())?,
            (1..=4).map(metric).collect::<Vec<_>>()
        );
        Ok(())
    }

    #[test]
    fn a_second_run_keeps_the_first_aside_and_touches_nothing_else() -> Result<()> {
        let dir = folder()?;
        let note = dir.path().join("note.txt");
        fs::write(&note, "mine").map_err(Error::io("write", &note))?;
        for run in 1..=3 {
            let config = serde_json::json!({ "run": run });
            RunFolder::create(dir.path(), &config)?.log(&metric(run))?;
        }
        assert!(note.exists());
        assert_eq!(RunFolder::metrics(dir.path())?[0].step, 3);
        assert_eq!(RunFolder::metrics(&dir.path().join("earlier"))?[0].step, 2);
        Ok(())
    }
}
