//! The learning rate of each step: linear warm-up, then half a cosine.
//!
//! `lr(t) = peak t / warmup` up to the warm-up's end, then
//! `min + (peak - min) (1 + cos(pi (t - warmup) / (steps - warmup))) / 2` (Loshchilov & Hutter 2017).

use crate::config::TrainingConfig;
use std::f64::consts::PI;

/// Warm-up and cosine over a fixed number of steps; steps count from 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    /// Highest learning rate, reached at the end of the warm-up.
    pub peak: f64,
    /// Learning rate of the last step.
    pub min: f64,
    /// Steps of linear warm-up; 0: the first step is already on the cosine.
    pub warmup: usize,
    /// Steps in all.
    pub steps: usize,
}

impl Schedule {
    /// The schedule that a training configuration asks for.
    pub fn new(cfg: &TrainingConfig) -> Self {
        Self {
            peak: cfg.lr,
            min: cfg.lr * cfg.min_lr_frac,
            warmup: cfg.warmup_steps,
            steps: cfg.steps,
        }
    }

    /// Learning rate of step `step`, counted from 1; past the last step it stays at `min`.
    ///
    /// ```
    /// use holoscope::train::Schedule;
    /// let s = Schedule { peak: 1.0, min: 0.1, warmup: 10, steps: 110 };
    /// assert_eq!(s.lr(5), 0.5);
    /// assert_eq!(s.lr(10), 1.0);
    /// assert!((s.lr(60) - 0.55).abs() < 1e-12);
    /// assert_eq!(s.lr(110), 0.1);
    /// ```
    pub fn lr(&self, step: usize) -> f64 {
        if step < self.warmup {
            return self.peak * step as f64 / self.warmup as f64;
        }
        if step >= self.steps {
            // A warm-up as long as the run never comes down.
            return if step == self.warmup {
                self.peak
            } else {
                self.min
            };
        }
        let share = (step - self.warmup) as f64 / (self.steps - self.warmup) as f64;
        self.min + (self.peak - self.min) * 0.5 * (1.0 + (PI * share).cos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Schedule = Schedule {
        peak: 2e-3,
        min: 2e-4,
        warmup: 20,
        steps: 400,
    };

    #[test]
    fn warm_up_is_linear_and_ends_at_the_peak() {
        assert!((S.lr(1) - 1e-4).abs() < 1e-15);
        assert!((S.lr(10) - 1e-3).abs() < 1e-15);
        assert_eq!(S.lr(20), 2e-3);
    }

    #[test]
    fn the_cosine_falls_to_the_minimum_at_the_last_step() {
        for t in 20..400 {
            assert!(S.lr(t + 1) < S.lr(t), "step {t}");
        }
        // cos(pi/2) = 0 half way: the mean of peak and minimum.
        assert!((S.lr(210) - 1.1e-3).abs() < 1e-12);
        assert_eq!(S.lr(400), 2e-4);
        assert_eq!(S.lr(10_000), 2e-4);
    }

    #[test]
    fn no_warm_up_and_only_warm_up_are_finite() {
        let none = Schedule { warmup: 0, ..S };
        assert!(none.lr(1) < 2e-3 && none.lr(1) > 1.99e-3);
        let only = Schedule { warmup: 400, ..S };
        assert_eq!(only.lr(200), 1e-3);
        assert_eq!(only.lr(400), 2e-3);
    }
}
