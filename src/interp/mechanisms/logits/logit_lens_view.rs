//! A logit lens as a frame and as heat maps.
//! One row a stream and position; in maps the streams run down and the positions across.
//! Source: the figures of nostalgebraist 2020, "interpreting GPT: the logit lens".

use super::logit_lens::{LensPrediction, LogitLens};
use crate::error::Result;
use crate::show::{ChartOptions, ColorScale, Figure, heatmap, shows_itself};
use polars::prelude::{DataFrame, df};
use std::fmt;

impl LogitLens {
    fn n_pos(&self) -> usize {
        self.tokens.first().map_or(0, Vec::len)
    }

    /// One row a stream, sequence and position: `layer` (the hook point), `batch`, `pos`, `token`
    /// (the id read), `next` (the id that follows, null at the end), `top` (the id of highest
    /// logit), `top_log_prob`, `next_log_prob`, `kl` (nats).
    ///
    /// # Errors
    /// [`crate::Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        let (mut layer, mut batch, mut pos) = (Vec::new(), Vec::new(), Vec::new());
        let (mut token, mut next) = (Vec::new(), Vec::new());
        for name in &self.hook_names {
            for (b, row) in self.tokens.iter().enumerate() {
                for (p, &id) in row.iter().enumerate() {
                    layer.push(name.as_str());
                    batch.push(b as u32);
                    pos.push(p as u32);
                    token.push(id);
                    next.push(row.get(p + 1).copied());
                }
            }
        }
        let all = || self.predictions.iter().flatten().flatten();
        Ok(df![
            "layer" => layer,
            "batch" => batch,
            "pos" => pos,
            "token" => token,
            "next" => next,
            "top" => all().map(|p| p.top[0]).collect::<Vec<u32>>(),
            "top_log_prob" => all().map(|p| p.top_log_probs[0]).collect::<Vec<f64>>(),
            "next_log_prob" => all().map(|p| p.next_log_prob).collect::<Vec<Option<f64>>>(),
            "kl" => all().map(|p| p.kl).collect::<Vec<f64>>(),
        ]?)
    }

    /// `KL(final || stream)` in nats, streams down and positions across, averaged over sequences.
    ///
    /// # Errors
    /// When no value is finite.
    pub fn kl_heatmap(&self) -> Result<Figure> {
        let title = "Logit lens: distance of each stream's prediction from the final one";
        self.map(title, "KL (nats)", self.n_pos(), |p| p.kl)
    }

    /// The log-probability of the token that follows, in nats, streams down and positions across,
    /// averaged over sequences; the last position predicts nothing that is known.
    ///
    /// # Errors
    /// Sequences of one token, or no finite value.
    pub fn log_prob_heatmap(&self) -> Result<Figure> {
        let title = "Logit lens: log-probability of the token that follows";
        let n_pos = self.n_pos().saturating_sub(1);
        self.map(title, "log p (nats)", n_pos, |p| {
            p.next_log_prob.unwrap_or(f64::NAN)
        })
    }

    fn map(
        &self,
        title: &str,
        z_label: &str,
        n_pos: usize,
        of: impl Fn(&LensPrediction) -> f64,
    ) -> Result<Figure> {
        let mean = |layer: &Vec<Vec<LensPrediction>>, p: usize| {
            layer.iter().map(|row| of(&row[p])).sum::<f64>() / layer.len() as f64
        };
        let rows: Vec<Vec<f64>> = self
            .predictions
            .iter()
            .map(|layer| (0..n_pos).map(|p| mean(layer, p)).collect())
            .collect();
        let options = ChartOptions {
            z_label: z_label.to_owned(),
            ..ChartOptions::new(title, "position", "")
        };
        let names: Vec<String> = self.hook_names.iter().map(|name| short(name)).collect();
        heatmap(&rows, &[], &names, ColorScale::Sequential, &options)
    }
}

/// `resid_pre L0` for `blocks.0.hook_resid_pre`.
fn short(hook_name: &str) -> String {
    let parts = hook_name.strip_prefix("blocks.");
    match parts.and_then(|rest| rest.split_once(".hook_")) {
        Some((layer, point)) => format!("{point} L{layer}"),
        None => hook_name.to_owned(),
    }
}

impl fmt::Display for LogitLens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.tokens.len() * self.n_pos();
        write!(
            f,
            "logit lens on {n} tokens, mean KL to the final prediction:"
        )?;
        for (name, layer) in self.hook_names.iter().zip(&self.predictions) {
            let sum: f64 = layer.iter().flatten().map(|p| p.kl).sum();
            write!(f, "\n{name}: {:.4} nats", sum / n as f64)?;
        }
        Ok(())
    }
}

shows_itself!(LogitLens, |it| it.kl_heatmap()?);
