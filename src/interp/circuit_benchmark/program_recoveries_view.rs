//! Recovery by program and method as frames and as a map: programs down, methods across.
//! Colour is the average precision, from 0 to 1.

use super::super::mechanisms::RecoveryScore;
use super::program_recoveries::ProgramRecoveries;
use crate::error::Result;
use crate::show::{ChartOptions, ColorScale, Figure, MimeBundle, Show, heatmap, shows_itself};
use polars::prelude::{DataFrame, df};
use std::fmt;

impl ProgramRecoveries {
    /// One row a program, method and set of edges: `program`, `edges` (`all` or
    /// `without queries and keys`), `n_edges`, `n_circuit`, `method`, `n_found`, `precision`, `recall`,
    /// `roc_auc`, `average_precision`.
    ///
    /// # Errors
    /// [`crate::Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        let mut rows = Vec::new();
        for program in &self.programs {
            let sets = [
                (ALL, Some(&program.all_edges)),
                (WITHOUT, program.without_patterns.as_ref()),
            ];
            for (edges, recovery) in sets {
                let Some(recovery) = recovery else { continue };
                let scores = recovery.scores.iter();
                rows.extend(scores.map(|score| (program.program.as_str(), edges, recovery, score)));
            }
        }
        let of = |value: fn(&RecoveryScore) -> f64| {
            let values = rows.iter().map(|row| value(row.3));
            values.collect::<Vec<f64>>()
        };
        Ok(df![
            "program" => rows.iter().map(|r| r.0).collect::<Vec<&str>>(),
            "edges" => rows.iter().map(|r| r.1).collect::<Vec<&str>>(),
            "n_edges" => rows.iter().map(|r| r.2.n_edges as u32).collect::<Vec<u32>>(),
            "n_circuit" => rows.iter().map(|r| r.2.n_circuit as u32).collect::<Vec<u32>>(),
            "method" => rows.iter().map(|r| r.3.method.as_str()).collect::<Vec<&str>>(),
            "n_found" => rows.iter().map(|r| r.3.n_found as u32).collect::<Vec<u32>>(),
            "precision" => of(|s| s.precision),
            "recall" => of(|s| s.recall),
            "roc_auc" => of(|s| s.roc_auc),
            "average_precision" => of(|s| s.average_precision),
        ]?)
    }

    /// Average precision over all edges, programs down and methods across.
    ///
    /// # Errors
    /// When no value is finite.
    pub fn heatmap(&self) -> Result<Figure> {
        let programs = self.programs.iter();
        let names: Vec<String> = programs.clone().map(|p| p.program.clone()).collect();
        let rows: Vec<Vec<f64>> = programs
            .map(|p| {
                let scores = p.all_edges.scores.iter();
                scores.map(|s| s.average_precision).collect()
            })
            .collect();
        let options = ChartOptions {
            z_label: "average precision".to_owned(),
            ..ChartOptions::new("Recovery of compiled circuits", "", "")
        };
        let caption = format!(
            "All edges, queries and keys included. Inputs of each program: {}. Attribution: edge \
             attribution patching, plain and with integrated gradients (IG).",
            self.n_tasks
        );
        let options = options.caption(caption);
        let methods: Vec<String> = self.methods().iter().map(|m| short(m)).collect();
        heatmap(&rows, &methods, &names, ColorScale::Sequential, &options)
    }
}

/// What fits below a column.
fn short(method: &str) -> String {
    let short = match method {
        "edge activation patching" => "patching",
        "edge attribution patching" => "attribution",
        "attribution graph" => "graph",
        other if other.contains("integrated gradients") => "attribution, IG",
        other => other,
    };
    short.to_owned()
}

pub(super) const ALL: &str = "all";
pub(super) const WITHOUT: &str = "without queries and keys";

impl fmt::Display for ProgramRecoveries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} compiled programs, means:", self.programs.len())?;
        for mean in self.means().rows {
            write!(f, "\n{mean}")?;
        }
        Ok(())
    }
}

shows_itself!(ProgramRecoveries);

impl Show for ProgramRecoveries {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        let text = self.to_string();
        Ok(self.heatmap()?.mime_bundle()?.with("text/plain", text))
    }
}
