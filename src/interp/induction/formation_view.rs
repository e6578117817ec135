//! The formation of induction heads as frames and as one picture of four panels over training steps.
//! Each quantity has a panel of its own: loss, in-context score, and two scores of heads.

use super::super::mechanisms::HeadScore;
use super::formation::{FormationPoint, InductionFormation};
use crate::error::Result;
use crate::show::{
    ChartOptions, Figure, MimeBundle, Show, Trace, line_chart, shows_itself, stacked,
};
use polars::prelude::{DataFrame, df};
use std::fmt;

/// Curves of a panel.
const MAX_HEADS: usize = 8;
/// Height of a panel without a caption, in pixels.
const PANEL: u32 = 240;

impl InductionFormation {
    /// One row a checkpoint: `step`, `loss`, `in_context_score` (nats), and the highest scores of any
    /// head, `previous_token` and `induction`.
    ///
    /// # Errors
    /// [`crate::Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        let of = |value: fn(&FormationPoint) -> f64| {
            let values = self.points.iter().map(value);
            values.collect::<Vec<f64>>()
        };
        Ok(df![
            "step" => self.points.iter().map(|p| p.step as u32).collect::<Vec<u32>>(),
            "loss" => of(|p| p.loss),
            "in_context_score" => of(|p| p.in_context_score),
            "previous_token" => of(|p| highest(p, |head| head.previous_token)),
            "induction" => of(|p| highest(p, |head| head.induction)),
        ]?)
    }

    /// One row a checkpoint and head: `step`, `layer`, `head`, `previous_token`, `duplicate_token`,
    /// `induction`.
    ///
    /// # Errors
    /// [`crate::Error::Polars`] when the frame cannot be made.
    pub fn heads_frame(&self) -> Result<DataFrame> {
        let rows: Vec<(usize, HeadScore)> = self
            .points
            .iter()
            .flat_map(|point| point.heads.iter().map(|&head| (point.step, head)))
            .collect();
        let whole = |value: fn(&(usize, HeadScore)) -> usize| {
            let values = rows.iter().map(|row| value(row) as u32);
            values.collect::<Vec<u32>>()
        };
        let of = |value: fn(&HeadScore) -> f64| {
            let values = rows.iter().map(|row| value(&row.1));
            values.collect::<Vec<f64>>()
        };
        Ok(df![
            "step" => whole(|row| row.0),
            "layer" => whole(|row| row.1.layer),
            "head" => whole(|row| row.1.head),
            "previous_token" => of(|head| head.previous_token),
            "duplicate_token" => of(|head| head.duplicate_token),
            "induction" => of(|head| head.induction),
        ]?)
    }

    /// Loss, in-context score, attention to the previous token and induction scores over steps, one
    /// panel below the other. A dotted line marks where the in-context score falls fastest.
    ///
    /// # Errors
    /// When there is no checkpoint.
    pub fn figure(&self) -> Result<Figure> {
        let of = |value: fn(&FormationPoint) -> f64| {
            let points = self.points.iter().map(|p| (p.step as f64, value(p)));
            points.collect::<Vec<(f64, f64)>>()
        };
        let (early, late) = (&self.early, &self.late);
        let in_context = format!(
            "Loss at positions {} to {} less that at positions {} to {}; {} validation sequences. \
             Dashed: where it falls fastest.",
            late.start,
            late.end - 1,
            early.start,
            early.end - 1,
            self.n_sequences
        );
        let panels = [
            self.panel(
                "Loss",
                "nats a token",
                "",
                vec![Trace::new("validation", of(|p| p.loss))],
            )?,
            self.panel(
                "In-context score",
                "nats",
                &in_context,
                vec![Trace::new("in-context score", of(|p| p.in_context_score))],
            )?,
            self.panel(
                "Attention to the previous token",
                "attention",
                "",
                self.head_traces(|head| head.previous_token),
            )?,
            self.panel(
                "Induction score",
                "attention",
                "Attention to the token behind the earlier occurrence, on repeated random tokens.",
                self.head_traces(|head| head.induction),
            )?,
        ];
        stacked(&panels, "Formation of induction heads")
    }

    fn panel(&self, title: &str, y: &str, caption: &str, traces: Vec<Trace>) -> Result<Figure> {
        let mut options = ChartOptions {
            height: if caption.is_empty() {
                PANEL
            } else {
                PANEL + 40
            },
            ..ChartOptions::new(title, "step", y).caption(caption)
        };
        if let Some((steps, _)) = self.phase_change() {
            options = options.x_reference("", (steps.start + steps.end) as f64 / 2.0);
        }
        line_chart(&traces, &options)
    }

    /// The curves of the heads that score highest at any checkpoint, by layer and head.
    fn head_traces(&self, score: fn(&HeadScore) -> f64) -> Vec<Trace> {
        let n_heads = self.points.first().map_or(0, |point| point.heads.len());
        let most = |i: usize| {
            let scores = self.points.iter().filter_map(|p| p.heads.get(i)).map(score);
            scores.fold(0.0, f64::max)
        };
        let mut order: Vec<usize> = (0..n_heads).collect();
        order.sort_by(|&a, &b| most(b).total_cmp(&most(a)));
        order.truncate(MAX_HEADS);
        order.sort_unstable();
        let trace = |i: usize| {
            let head = self.points[0].heads[i];
            let points = self.points.iter();
            let points = points.map(|p| (p.step as f64, p.heads.get(i).map_or(f64::NAN, score)));
            Trace::new(&format!("L{}H{}", head.layer, head.head), points.collect())
        };
        order.into_iter().map(trace).collect()
    }
}

fn highest(point: &FormationPoint, score: fn(&HeadScore) -> f64) -> f64 {
    point.heads.iter().map(score).fold(f64::NAN, f64::max)
}

impl fmt::Display for InductionFormation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.history.summary())?;
        for point in [self.points.first(), self.points.last()]
            .into_iter()
            .flatten()
        {
            write!(
                f,
                "\nafter {} steps: loss {:.3}, in-context score {:.3} nats, highest previous-token \
                 score {:.3}, highest induction score {:.3}",
                point.step,
                point.loss,
                point.in_context_score,
                highest(point, |head| head.previous_token),
                highest(point, |head| head.induction)
            )?;
        }
        match self.phase_change() {
            Some((steps, change)) => write!(
                f,
                "\nthe in-context score falls fastest between steps {} and {}: by {:.3} nats",
                steps.start, steps.end, -change
            ),
            None => write!(f, "\nthe in-context score never falls"),
        }
    }
}

shows_itself!(InductionFormation);

impl Show for InductionFormation {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        let text = self.to_string();
        Ok(self.figure()?.mime_bundle()?.with("text/plain", text))
    }
}
