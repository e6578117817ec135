//! Replacement scores as a frame and as a table.

use super::scores::{ReplacementScore, ReplacementScores};
use crate::error::Result;
use crate::show::{MimeBundle, Show, Table, display};
use polars::prelude::{DataFrame, df};
use std::fmt;

impl ReplacementScore {
    /// The hook point, or that all are replaced.
    fn label(&self) -> &str {
        self.hook_name_out.as_deref().unwrap_or("all at once")
    }
}

impl ReplacementScores {
    /// One row for each MLP, then one for all at once: `replaced`, `fvu`, `l0`, `loss`, `loss_replaced`,
    /// `loss_zeroed`, `score`.
    ///
    /// # Errors
    /// [`crate::Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        let of = |value: fn(&ReplacementScore) -> f64| {
            self.scores.iter().map(value).collect::<Vec<f64>>()
        };
        Ok(df![
            "replaced" => self.scores.iter().map(ReplacementScore::label).collect::<Vec<_>>(),
            "fvu" => of(|s| s.fvu),
            "l0" => of(|s| s.l0),
            "loss" => vec![self.loss; self.scores.len()],
            "loss_replaced" => of(|s| s.replaced),
            "loss_zeroed" => of(|s| s.zero_abl),
            "score" => of(|s| s.score),
        ]?)
    }

    /// Shows it; evcxr calls this on a cell's last expression.
    pub fn evcxr_display(&self) {
        // A failure is already shown in place.
        let _ = display(self);
    }
}

impl fmt::Display for ReplacementScores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "loss {:.4} nats/token on {} tokens",
            self.loss, self.n_tokens
        )?;
        for s in &self.scores {
            write!(
                f,
                "\n{}: loss {:.4}, zeroed {:.4}, score {:.2} %; FVU {:.3}, L0 {:.1}",
                s.label(),
                s.replaced,
                s.zero_abl,
                100.0 * s.score,
                s.fvu,
                s.l0
            )?;
        }
        Ok(())
    }
}

impl Show for ReplacementScores {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        let caption = format!(
            "MLP outputs replaced, on {} tokens; losses in nats per token, score against zero ablation",
            self.n_tokens
        );
        Ok(Table::new(self.frame()?)
            .caption(caption)
            .mime_bundle()?
            .with("text/plain", self.to_string()))
    }
}
