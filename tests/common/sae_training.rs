//! What the tests of stopping, resuming and sweeps share: short trainings on a small model, and every
//! bit of what they give.
#![allow(dead_code, reason = "each test file uses its own part")]

use holoscope::config::{Architecture, DictionaryConstraint, L0Loss, SaeConfig};
use holoscope::progress::{Reporter, Tick};
use holoscope::sae::{Sae, SaeHistory};
use std::cell::Cell;

/// A pool of eight batches: it is filled again every four steps.
pub fn cfg() -> SaeConfig {
    SaeConfig {
        d_in: 32,
        d_sae: 64,
        steps: 40,
        batch_size: 64,
        buffer_tokens: 512,
        lr: 5e-3,
        sparsity_warmup_steps: 10,
        warmup_steps: 5,
        resample_every: 12,
        dead_steps: 2,
        log_every: 1,
        architecture: Architecture::Standard { l1_coeff: 0.4 },
        ..SaeConfig::default()
    }
}

pub fn architectures() -> Vec<Architecture> {
    let jump_relu = |l0_loss| Architecture::JumpReLU {
        l0_coeff: 0.1,
        bandwidth: 0.05,
        init_threshold: 0.01,
        l0_loss,
    };
    vec![
        Architecture::Standard { l1_coeff: 0.4 },
        Architecture::TopK { k: 4 },
        jump_relu(L0Loss::Step),
        jump_relu(L0Loss::Tanh { scale: 4.0 }),
        Architecture::Gated { l1_coeff: 0.4 },
        Architecture::BatchTopK { k: 4.0 },
        Architecture::MatryoshkaBatchTopK {
            k: 4.0,
            widths: vec![16, 32],
        },
    ]
}

/// Those with parameters of their own, which take no constraint.
pub fn with_own_parameters() -> Vec<Architecture> {
    vec![
        Architecture::MatchingPursuit {
            residual_threshold: 0.5,
            max_iterations: Some(4),
            stop_on_duplicate_support: true,
        },
        Architecture::Temporal {
            k: Some(4),
            n_heads: 2,
            n_attn_layers: 2,
            bottleneck_factor: 8,
        },
    ]
}

pub fn constraints() -> Vec<DictionaryConstraint> {
    vec![
        DictionaryConstraint::GardenPenalty { lambda: 10.0 },
        DictionaryConstraint::ScrambledPenalty { lambda: 10.0 },
        DictionaryConstraint::RedrawnPenalty { lambda: 10.0 },
        DictionaryConstraint::HoloraumyTied,
        DictionaryConstraint::RandomTied,
    ]
}

/// Every architecture without a constraint, and every constraint with TopK and with L1; those with parameters of their
/// own at the end.
pub fn all_kinds() -> Vec<SaeConfig> {
    let mut all: Vec<SaeConfig> = architectures()
        .into_iter()
        .map(|architecture| SaeConfig {
            architecture,
            ..cfg()
        })
        .collect();
    for constraint in constraints() {
        for architecture in &architectures()[..2] {
            all.push(SaeConfig {
                architecture: architecture.clone(),
                constraint,
                ..cfg()
            });
        }
    }
    all.extend(
        with_own_parameters()
            .into_iter()
            .map(|architecture| SaeConfig {
                architecture,
                ..cfg()
            }),
    );
    all
}

/// Every byte that saving writes, weights and settings, whatever the variant.
pub fn bytes(sae: &Sae) -> Vec<(String, Vec<u8>)> {
    let dir = tempfile::tempdir().unwrap();
    sae.save(dir.path()).unwrap();
    let mut files: Vec<(String, Vec<u8>)> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, std::fs::read(entry.path()).unwrap())
        })
        .collect();
    files.sort();
    assert!(files.iter().any(|(name, _)| name.ends_with(".safetensors")));
    files
}

/// What a history says, without the clock.
pub fn figures(history: &SaeHistory) -> SaeHistory {
    SaeHistory {
        tokens_per_second: 0.0,
        seconds: 0.0,
        ..history.clone()
    }
}

/// Interrupts from a number of questions on.
pub struct StopWhenAsked {
    pub times: Cell<u32>,
    pub after: u32,
}

impl Reporter for StopWhenAsked {
    fn tick(&mut self, _: &Tick) {}
    fn finish(&mut self, _: &Tick) {}
    fn interrupted(&self) -> bool {
        self.times.set(self.times.get() + 1);
        self.times.get() > self.after
    }
}
