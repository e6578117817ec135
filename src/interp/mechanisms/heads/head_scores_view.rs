//! Head scores as a frame and as a map: one score below the other, layers down, heads across.
//! Colour is the mean attention, from the least to the greatest.
//! Source: the induction-head map of TransformerLens' main demo.

use super::head_scores::{HeadScore, HeadScores};
use crate::error::Result;
use crate::interp::mechanisms::input::head_label;
use crate::interp::order::largest_first;
use crate::show::{ChartOptions, ColorScale, Figure, heatmap, shows_itself};
use polars::prelude::{DataFrame, df};
use std::fmt;

type ScoreOf = fn(&HeadScore) -> f64;
const KINDS: [(&str, ScoreOf); 3] = [
    ("previous token", |s| s.previous_token),
    ("duplicate token", |s| s.duplicate_token),
    ("induction", |s| s.induction),
];

impl HeadScores {
    /// One row a head: `layer`, `head`, `previous_token`, `duplicate_token`, `induction`.
    ///
    /// # Errors
    /// [`crate::Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        let of = |score: ScoreOf| self.scores.iter().map(score).collect::<Vec<f64>>();
        Ok(df![
            "layer" => self.scores.iter().map(|s| s.layer as u32).collect::<Vec<u32>>(),
            "head" => self.scores.iter().map(|s| s.head as u32).collect::<Vec<u32>>(),
            "previous_token" => of(KINDS[0].1),
            "duplicate_token" => of(KINDS[1].1),
            "induction" => of(KINDS[2].1),
        ]?)
    }

    /// The three scores, layers down and heads across, one below the other.
    ///
    /// # Errors
    /// When no score is finite.
    pub fn heatmap(&self) -> Result<Figure> {
        let (mut rows, mut names): (Vec<Vec<f64>>, Vec<String>) = (Vec::new(), Vec::new());
        for (kind, of) in KINDS {
            for layer in self.scores.chunk_by(|a, b| a.layer == b.layer) {
                names.push(format!("{kind} L{}", layer[0].layer));
                rows.push(layer.iter().map(of).collect());
            }
        }
        let options = ChartOptions {
            z_label: "mean attention".to_owned(),
            ..ChartOptions::new("Attention on a repeated sequence", "head", "")
        };
        heatmap(&rows, &[], &names, ColorScale::Sequential, &options)
    }
}

impl fmt::Display for HeadScores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} heads on {} sequences of {} tokens twice",
            self.scores.len(),
            self.n_sequences,
            self.seq_len
        )?;
        for (kind, of) in KINDS {
            let best = self
                .scores
                .iter()
                .min_by(|a, b| largest_first(of(a), of(b)));
            if let Some(best) = best {
                let head = head_label(best.layer, best.head);
                write!(f, "\n{kind}: highest {:.3}, {head}", of(best))?;
            }
        }
        Ok(())
    }
}

shows_itself!(HeadScores, |it| it.heatmap()?);
