//! Means over programs as rows, and what attribution graphs cannot see, counted.

use super::program_recoveries::{MeanRecoveries, MeanRecovery, ProgramRecoveries, ProgramRecovery};
use super::program_recoveries_view::{ALL, WITHOUT};
use crate::error::{Error, Result};
use crate::show::{Table, shows_itself};
use polars::prelude::{DataFrame, df};
use std::fmt;

fn edges(with_patterns: bool) -> &'static str {
    match with_patterns {
        true => ALL,
        false => WITHOUT,
    }
}

impl MeanRecoveries {
    /// The means of one method, over all edges or without those into queries and keys.
    ///
    /// # Errors
    /// [`Error::NotFound`] with the methods that there are.
    pub fn get(&self, method: &str, with_patterns: bool) -> Result<MeanRecovery> {
        let mut rows = self
            .rows
            .iter()
            .filter(|m| m.with_patterns == with_patterns);
        let found = rows.find(|m| m.method == method).cloned();
        let known = || {
            let all = self.rows.iter().filter(|m| m.with_patterns);
            all.map(|m| m.method.clone()).collect()
        };
        found.ok_or_else(|| Error::NotFound {
            kind: "method",
            name: method.to_owned(),
            known: known(),
        })
    }

    /// One row a method and set of edges: `edges`, `method`, `n_programs`, `precision`, `recall`, `roc_auc`,
    /// `average_precision`.
    ///
    /// # Errors
    /// [`Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        let means = &self.rows;
        let of = |value: fn(&MeanRecovery) -> f64| means.iter().map(value).collect::<Vec<f64>>();
        Ok(df![
            "edges" => means.iter().map(|m| edges(m.with_patterns)).collect::<Vec<&str>>(),
            "method" => means.iter().map(|m| m.method.as_str()).collect::<Vec<&str>>(),
            "n_programs" => means.iter().map(|m| m.n_programs as u32).collect::<Vec<u32>>(),
            "precision" => of(|m| m.precision),
            "recall" => of(|m| m.recall),
            "roc_auc" => of(|m| m.roc_auc),
            "average_precision" => of(|m| m.average_precision),
        ]?)
    }
}

impl fmt::Display for MeanRecovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, edges: {}: precision {:.3}, recall {:.3}, ROC AUC {:.3}, average precision {:.3}",
            self.method,
            edges(self.with_patterns),
            self.precision,
            self.recall,
            self.roc_auc,
            self.average_precision
        )
    }
}

impl fmt::Display for MeanRecoveries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, mean) in self.rows.iter().enumerate() {
            write!(f, "{}{mean}", if i == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

shows_itself!(MeanRecoveries, |it| Table::new(it.frame()?));

/// Edges of known circuits that a graph with frozen patterns cannot see, over several programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnseenEdges {
    /// Edges of all circuits.
    pub n_circuit: usize,
    /// Those that end in queries or keys.
    pub n_pattern_edges: usize,
    /// Those that carry what only queries and keys read.
    pub n_before_patterns: usize,
    /// Programs of which graphs miss edges that they could see: name, edges found, edges visible.
    pub missed: Vec<(String, usize, usize)>,
}

impl ProgramRecoveries {
    /// Which edges of the circuits attribution graphs cannot see, since patterns are frozen, and in which programs they
    /// miss some that they could.
    pub fn unseen_by_graphs(&self) -> UnseenEdges {
        let sum = |of: fn(&ProgramRecovery) -> usize| self.programs.iter().map(of).sum();
        let missed = |program: &ProgramRecovery| {
            let n = program.all_edges.n_circuit;
            let visible = n - program.n_pattern_edges - program.n_before_patterns;
            let mut scores = program.all_edges.scores.iter();
            let graphs = scores.find(|s| s.method == "attribution graph");
            let found = graphs.map_or(0, |s| (s.recall * n as f64).round() as usize);
            (found < visible).then(|| (program.program.clone(), found, visible))
        };
        UnseenEdges {
            n_circuit: sum(|p| p.all_edges.n_circuit),
            n_pattern_edges: sum(|p| p.n_pattern_edges),
            n_before_patterns: sum(|p| p.n_before_patterns),
            missed: self.programs.iter().filter_map(missed).collect(),
        }
    }
}

impl UnseenEdges {
    /// The share of the circuits' edges that end in queries or keys.
    pub fn pattern_share(&self) -> f64 {
        self.n_pattern_edges as f64 / self.n_circuit as f64
    }

    /// One row a program of which graphs miss edges that they could see: `program`, `n_found`, `n_visible`.
    ///
    /// # Errors
    /// [`Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        let missed = || self.missed.iter();
        Ok(df![
            "program" => missed().map(|m| m.0.as_str()).collect::<Vec<&str>>(),
            "n_found" => missed().map(|m| m.1 as u32).collect::<Vec<u32>>(),
            "n_visible" => missed().map(|m| m.2 as u32).collect::<Vec<u32>>(),
        ]?)
    }
}

impl fmt::Display for UnseenEdges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of the {} edges of the circuits end in queries or keys ({:.0} %): invisible to a graph \
             with frozen patterns\n{} more carry what only queries and keys read",
            self.n_pattern_edges,
            self.n_circuit,
            100.0 * self.pattern_share(),
            self.n_before_patterns
        )?;
        for (program, found, visible) in &self.missed {
            write!(
                f,
                "\n{program}: graphs find {found} of the {visible} edges that they could see"
            )?;
        }
        Ok(())
    }
}

shows_itself!(UnseenEdges as text);
