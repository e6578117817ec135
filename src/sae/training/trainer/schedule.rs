//! Schedules of a training run: learning rate, sparsity weight, and when dead features are moved.

use crate::config::{Architecture, SaeConfig};

/// Linear warm-up, then constant, then linear to 0 over the last `decay_frac` of the steps.
pub(in crate::sae::training) fn learning_rate(cfg: &SaeConfig, t: usize) -> f64 {
    let warm = t as f64 / cfg.warmup_steps.max(1) as f64;
    let decay_steps = (cfg.decay_frac * cfg.steps as f64).max(1.0);
    let left = (cfg.steps - t + 1) as f64 / decay_steps;
    cfg.lr * warm.min(left).min(1.0)
}

/// The weight of the sparsity loss: a linear warm-up, then constant; 0 where the architecture is
/// sparse without it.
pub(in crate::sae::training) fn sparsity_weight(cfg: &SaeConfig, t: usize) -> f64 {
    let peak = match cfg.architecture {
        Architecture::Standard { l1_coeff } | Architecture::Gated { l1_coeff } => l1_coeff,
        Architecture::JumpReLU { l0_coeff, .. } => l0_coeff,
        Architecture::TopK { .. }
        | Architecture::AbsTopK { .. }
        | Architecture::MatchingPursuit { .. }
        | Architecture::Temporal { .. }
        | Architecture::BatchTopK { .. }
        | Architecture::MatryoshkaBatchTopK { .. } => 0.0,
    };
    peak * (t as f64 / cfg.sparsity_warmup_steps.max(1) as f64).min(1.0)
}

pub(in crate::sae::training) fn resamples_at(cfg: &SaeConfig, t: usize) -> bool {
    cfg.resample_every > 0
        && t.is_multiple_of(cfg.resample_every)
        && t as f64 <= cfg.resample_until_frac * cfg.steps as f64
}
