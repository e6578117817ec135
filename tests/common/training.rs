//! What the tests of training share: a text that can be learnt, a small model, a run that stops.
#![allow(dead_code, reason = "each test file uses its own part")]

use holoscope::config::{DataConfig, TrainingConfig, TransformerConfig};
use holoscope::data::{Corpus, Dataset};
use holoscope::error::Result;
use holoscope::model::Transformer;
use holoscope::progress::{Reporter, Tick};
use holoscope::train::TrainingHistory;
use std::path::{Path, PathBuf};

/// Speakers who count, each from another number: predictable, but not at once.
pub fn dataset() -> Result<Dataset> {
    dataset_of(&DataConfig::default())
}

pub fn dataset_of(cfg: &DataConfig) -> Result<Dataset> {
    let names = ["ANNE", "BEN", "CLAUDE", "DORA"];
    let words = ["one", "two", "three", "four", "five", "six", "seven"];
    let text: String = (0..160)
        .map(|i| {
            let line: Vec<&str> = (0..6).map(|k| words[(i + k) % words.len()]).collect();
            format!("{}:\n{}.\n\n", names[i % names.len()], line.join(" "))
        })
        .collect();
    Dataset::from_corpus(&Corpus::from_text("counting", &text), cfg)
}

pub fn model(data: &Dataset) -> Result<Transformer> {
    Transformer::new(&TransformerConfig {
        d_model: 16,
        n_heads: 2,
        d_mlp: 32,
        n_ctx: 16,
        d_vocab: data.tokenizer.n_vocab(),
        ..TransformerConfig::default()
    })
}

pub fn config() -> TrainingConfig {
    TrainingConfig {
        steps: 20,
        batch_size: 4,
        lr: 1e-2,
        warmup_steps: 3,
        eval_every: 5,
        eval_batches: 2,
        ..TrainingConfig::default()
    }
}

/// Every bit of every parameter.
pub fn bits(model: &Transformer) -> Result<Vec<(String, Vec<u32>)>> {
    model
        .named_parameters()
        .into_iter()
        .map(|(name, var)| {
            let values = var.as_tensor().flatten_all()?.to_vec1::<f32>()?;
            Ok((name, values.into_iter().map(f32::to_bits).collect()))
        })
        .collect()
}

/// What a history says, without the clock.
pub fn losses(history: &TrainingHistory) -> TrainingHistory {
    TrainingHistory {
        tokens_per_second: 0.0,
        seconds: 0.0,
        ..history.clone()
    }
}

/// Interrupts after some steps; may copy the run folder as it is then, as if the machine had stopped.
pub struct StopAfter {
    steps: u64,
    done: u64,
    pub copy: Option<(PathBuf, PathBuf)>,
}

impl StopAfter {
    pub fn new(steps: u64) -> Self {
        Self {
            steps,
            done: 0,
            copy: None,
        }
    }
}

impl Reporter for StopAfter {
    fn tick(&mut self, tick: &Tick) {
        self.done = tick.done;
        if self.done == self.steps
            && let Some((from, to)) = &self.copy
        {
            copy_tree(from, to);
        }
    }
    fn finish(&mut self, _: &Tick) {}
    fn interrupted(&self) -> bool {
        self.copy.is_none() && self.done >= self.steps
    }
}

fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
