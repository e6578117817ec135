//! Scores of edges, as rows, as a frame, as bars and as a map.
//! `score` is the mean over tasks of the metric's change, `magnitude` the mean of its size.
//! Source: the edge scores of Syed et al. 2023, arXiv:2310.10348.

use super::super::super::order::largest_first;
use crate::error::Result;
use crate::model::{Edge, Receiver, Sender};
use crate::show::{
    ChartOptions, ColorScale, Figure, bar_chart, format_number, heatmap, shows_itself,
};
use polars::prelude::{DataFrame, df};
use std::fmt;

/// Bars of a chart and lines of a text.
const MAX_BARS: usize = 20;

/// One edge with its score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EdgeScore {
    pub edge: Edge,
    /// Mean over tasks of `metric(edge corrupted) - metric(clean)`, or of its estimate.
    pub score: f64,
    /// Mean over tasks of the absolute value: changes of either sign do not cancel.
    pub magnitude: f64,
}

/// Every edge of a model with its score by one method.
#[derive(Debug, Clone, PartialEq)]
pub struct EdgeScores {
    /// The method that scored them.
    pub method: String,
    /// How many tasks the scores are means of.
    pub n_tasks: usize,
    /// In the order of [`Edge::all`].
    pub scores: Vec<EdgeScore>,
}

impl EdgeScores {
    /// From one score an edge and task, `[task][edge]`.
    pub(in crate::interp) fn of(method: &str, edges: &[Edge], of_tasks: &[Vec<f64>]) -> EdgeScores {
        let n = of_tasks.len() as f64;
        let mean = |i: usize, f: fn(f64) -> f64| of_tasks.iter().map(|t| f(t[i])).sum::<f64>() / n;
        let score = |(i, &edge): (usize, &Edge)| EdgeScore {
            edge,
            score: mean(i, |x| x),
            magnitude: mean(i, f64::abs),
        };
        EdgeScores {
            method: method.to_owned(),
            n_tasks: of_tasks.len(),
            scores: edges.iter().enumerate().map(score).collect(),
        }
    }

    /// The `n` edges of largest magnitude, NaN first.
    pub fn top(&self, n: usize) -> Vec<EdgeScore> {
        let mut all = self.scores.clone();
        all.sort_by(|a, b| largest_first(a.magnitude, b.magnitude));
        all.truncate(n);
        all
    }

    /// One row an edge: `sender`, `receiver`, `score`, `magnitude`.
    ///
    /// # Errors
    /// [`crate::Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        let all = || self.scores.iter();
        Ok(df![
            "sender" => all().map(|s| s.edge.sender.to_string()).collect::<Vec<String>>(),
            "receiver" => all().map(|s| s.edge.receiver.to_string()).collect::<Vec<String>>(),
            "score" => all().map(|s| s.score).collect::<Vec<f64>>(),
            "magnitude" => all().map(|s| s.magnitude).collect::<Vec<f64>>(),
        ]?)
    }

    /// Bars of the edges of largest magnitude, 20 at most.
    ///
    /// # Errors
    /// When no score is finite.
    pub fn bars(&self) -> Result<Figure> {
        let top = self.top(MAX_BARS);
        let labels: Vec<String> = top.iter().map(|s| s.edge.to_string()).collect();
        let values: Vec<f64> = top.iter().map(|s| s.score).collect();
        let title = format!("Edges by {}", self.method);
        let caption = format!(
            "The {} edges of largest magnitude of {}; mean over tasks: {}.",
            top.len(),
            self.scores.len(),
            self.n_tasks
        );
        let options = ChartOptions::new(&title, "change of the metric", "").caption(caption);
        bar_chart(&labels, &values, &options)
    }

    /// Receivers down, senders across; grey where there is no edge.
    ///
    /// # Errors
    /// When no score is finite.
    pub fn heatmap(&self) -> Result<Figure> {
        let (mut senders, mut receivers): (Vec<Sender>, Vec<Receiver>) = (Vec::new(), Vec::new());
        for Edge { sender, receiver } in self.scores.iter().map(|s| s.edge) {
            if !senders.contains(&sender) {
                senders.push(sender);
            }
            if !receivers.contains(&receiver) {
                receivers.push(receiver);
            }
        }
        senders.sort_by_key(|sender| {
            let readers = receivers.iter().filter(|r| r.can_read(*sender)).count();
            (std::cmp::Reverse(readers), *sender)
        });
        let mut rows = vec![vec![f64::NAN; senders.len()]; receivers.len()];
        for score in &self.scores {
            let row = receivers.iter().position(|r| *r == score.edge.receiver);
            let column = senders.iter().position(|s| *s == score.edge.sender);
            if let (Some(row), Some(column)) = (row, column) {
                rows[row][column] = score.score;
            }
        }
        let x_names: Vec<String> = senders.iter().map(Sender::to_string).collect();
        let y_names: Vec<String> = receivers.iter().map(Receiver::to_string).collect();
        let title = format!("Edges by {}", self.method);
        let options = ChartOptions {
            z_label: "change of the metric".to_owned(),
            ..ChartOptions::new(&title, "sender", "receiver")
        };
        heatmap(&rows, &x_names, &y_names, ColorScale::Diverging, &options)
    }
}

impl fmt::Display for EdgeScores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (n, method, tasks) = (self.scores.len(), &self.method, self.n_tasks);
        write!(f, "{n} edges by {method}, mean over tasks: {tasks}")?;
        for score in self.top(MAX_BARS) {
            write!(f, "\n{}: {}", score.edge, format_number(score.score))?;
        }
        Ok(())
    }
}

shows_itself!(EdgeScores, |it| it.bars()?);
