//! Recovery of a circuit as a frame and as bars: average precision by method, beside chance.

use super::recovery::{CircuitRecovery, RecoveryScore};
use crate::error::Result;
use crate::show::{ChartOptions, Figure, Reference, bar_chart, shows_itself};
use polars::prelude::{DataFrame, df};
use std::fmt;

type Interval = fn(&RecoveryScore) -> Option<[f64; 2]>;

impl CircuitRecovery {
    /// One row a method, the control last: `method`, `n_found`, `precision`, `recall`, `roc_auc`,
    /// `average_precision`, and the ends of the control's intervals (`roc_auc_low`, ..; null for
    /// methods).
    ///
    /// # Errors
    /// [`crate::Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        let all = || self.scores.iter();
        let of = |f: fn(&RecoveryScore) -> f64| all().map(f).collect::<Vec<f64>>();
        let end = |f: Interval, i: usize| -> Vec<Option<f64>> {
            all().map(|s| f(s).map(|interval| interval[i])).collect()
        };
        let (auc, ap): (Interval, Interval) =
            (|s| s.roc_auc_interval, |s| s.average_precision_interval);
        Ok(df![
            "method" => all().map(|s| s.method.clone()).collect::<Vec<String>>(),
            "n_found" => all().map(|s| s.n_found as u32).collect::<Vec<u32>>(),
            "precision" => of(|s| s.precision),
            "recall" => of(|s| s.recall),
            "roc_auc" => of(|s| s.roc_auc),
            "average_precision" => of(|s| s.average_precision),
            "roc_auc_low" => end(auc, 0),
            "roc_auc_high" => end(auc, 1),
            "average_precision_low" => end(ap, 0),
            "average_precision_high" => end(ap, 1),
        ]?)
    }

    /// Average precision by method; a dashed line where 97.5 % of random rankings are below.
    ///
    /// # Errors
    /// When the figure cannot be drawn.
    pub fn bars(&self) -> Result<Figure> {
        let labels: Vec<String> = self.scores.iter().map(|s| s.method.clone()).collect();
        let values: Vec<f64> = self.scores.iter().map(|s| s.average_precision).collect();
        let caption = format!(
            "{} of {} edges are in the circuit. Dashed: 97.5 % of random rankings are below.",
            self.n_circuit, self.n_edges
        );
        let mut options =
            ChartOptions::new("Recovery of the circuit", "average precision", "").caption(caption);
        let intervals = self
            .scores
            .iter()
            .filter_map(|s| s.average_precision_interval);
        let reference = |interval: [f64; 2]| Reference {
            value: interval[1],
            label: "chance".to_owned(),
        };
        options.x_references = intervals.map(reference).collect();
        bar_chart(&labels, &values, &options)
    }
}

impl fmt::Display for CircuitRecovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (n, of) = (self.n_circuit, self.n_edges);
        write!(f, "a circuit of {n} of {of} edges")?;
        for s in &self.scores {
            write!(
                f,
                "\n{}: precision {:.3}, recall {:.3}, ROC AUC {:.3}, average precision {:.3}",
                s.method, s.precision, s.recall, s.roc_auc, s.average_precision
            )?;
            if let Some([low, high]) = s.average_precision_interval {
                write!(f, " (95 %: {low:.3} to {high:.3})")?;
            }
        }
        Ok(())
    }
}

shows_itself!(CircuitRecovery, |it| it.bars()?);
