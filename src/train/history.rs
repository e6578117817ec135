//! What a training run did: its losses, its speed, its best step.
//!
//! All losses are means over predicted tokens, in nats; `exp(loss)` is the perplexity.

use crate::data::Baselines;
use crate::error::Result;
use crate::show::{ChartOptions, Figure, MimeBundle, Show, Trace, line_chart, shows_itself};
use serde::{Deserialize, Serialize};

/// The record of one run, returned by [`train`](super::train) and [`resume`](super::resume).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingHistory {
    /// `(step, loss)` of each step's batch, before that step's update; steps count from 1.
    pub train_loss: Vec<(usize, f64)>,
    /// `(step, loss)` on the validation set after that many updates; step 0 is the untrained model.
    pub val_loss: Vec<(usize, f64)>,
    /// Training tokens per second of optimiser steps, evaluations left out.
    pub tokens_per_second: f64,
    /// Seconds in all, evaluations and checkpoints included; of every part of a resumed run.
    pub seconds: f64,
    /// Lowest validation loss; where an interrupt left no time to validate the last parameters on
    /// all batches and they were found better, their loss on those that there was time for.
    pub best_val: f64,
    /// Number of updates at `best_val`; the model holds the parameters of that moment.
    pub best_step: usize,
    /// The user stopped the run before its last step.
    pub interrupted: bool,
    /// Horizontal lines for the figure: a name and a loss, for example `("bigram", 5.53)`.
    #[serde(default)]
    pub baselines: Vec<(String, f64)>,
}

impl TrainingHistory {
    /// The same history with a baseline more in its figure.
    ///
    /// ```
    /// use holoscope::train::TrainingHistory;
    /// let history = TrainingHistory::default().with_baseline("unigram", 6.48);
    /// assert_eq!(history.baselines, [("unigram".to_owned(), 6.48)]);
    /// ```
    pub fn with_baseline(mut self, name: &str, loss: f64) -> Self {
        self.baselines.push((name.to_owned(), loss));
        self
    }

    /// The same history with the two baselines of counting in its figure.
    pub fn with_baselines(self, baselines: &Baselines) -> Self {
        self.with_baseline("unigram", baselines.unigram)
            .with_baseline("bigram", baselines.bigram)
    }

    /// Updates done.
    pub fn steps(&self) -> usize {
        self.train_loss.last().map_or(0, |&(step, _)| step)
    }

    /// The best loss and the run's size in one line.
    pub fn summary(&self) -> String {
        format!(
            "{} steps{} in {:.1} s ({:.0} tokens/s); best validation loss {:.3} nats/token (perplexity {:.1}) after {} steps",
            self.steps(),
            if self.interrupted {
                ", interrupted,"
            } else {
                ""
            },
            self.seconds,
            self.tokens_per_second,
            self.best_val,
            self.best_val.exp(),
            self.best_step,
        )
    }

    /// The loss curve: training (each step's batch), validation, and the baselines as lines.
    ///
    /// # Errors
    /// The history holds no loss yet.
    pub fn figure(&self) -> Result<Figure> {
        let series = [
            Trace::from_steps("training batch", &self.train_loss),
            Trace::from_steps("validation", &self.val_loss),
        ];
        let mut options = ChartOptions::new(
            "Loss of the language model",
            "step",
            "cross-entropy (nats/token)",
        )
        .caption(self.summary());
        for (name, loss) in &self.baselines {
            options = options.y_reference(name, *loss);
        }
        line_chart(&series, &options)
    }
}

shows_itself!(TrainingHistory);

impl Show for TrainingHistory {
    /// The loss curve.
    fn mime_bundle(&self) -> Result<MimeBundle> {
        Ok(self
            .figure()?
            .mime_bundle()?
            .with("text/plain", self.summary()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figure_has_both_curves_and_the_baselines() -> Result<()> {
        let history = TrainingHistory {
            train_loss: vec![(1, 9.3), (2, 8.0), (3, 7.1)],
            val_loss: vec![(0, 9.4), (3, 7.2)],
            best_val: 7.2,
            best_step: 3,
            ..TrainingHistory::default()
        };
        let bundle = history.with_baseline("bigram <5.53>", 5.53).mime_bundle()?;
        let svg = bundle.get("image/svg+xml").unwrap_or_default();
        for label in [
            "training batch",
            "validation",
            "bigram &lt;5.53&gt;",
            "nats/token",
        ] {
            assert!(svg.contains(label), "{label} is missing");
        }
        let text = bundle.get("text/plain").unwrap_or_default();
        assert!(
            text.contains("best validation loss 7.200 nats/token"),
            "{text}"
        );
        Ok(())
    }

    #[test]
    fn an_empty_history_is_an_error_not_a_panic() {
        assert!(TrainingHistory::default().figure().is_err());
    }
}
