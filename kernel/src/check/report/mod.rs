//! The results of a check, for people and for programs.

pub mod junit;

use super::difference::Difference;
use std::fmt::{self, Display};

/// The results for two notebooks.
#[derive(Debug, Clone, Default)]
pub struct Report {
    pub cells: Vec<CellReport>,
}

/// The result for one cell.
#[derive(Debug, Clone)]
pub struct CellReport {
    /// "code cell 3 (Training)".
    pub name: String,
    pub id: String,
    /// How long it ran.
    pub seconds: Option<f64>,
    pub outcome: Outcome,
}

/// The outcome for a cell.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    Same,
    /// It ran, and its outputs were not compared.
    Ignored,
    /// It did not run, because of its tag.
    Skipped,
    Differs(Vec<Difference>),
}

/// The maximum number of differences shown per cell.
const MOST: usize = 10;

impl Report {
    /// Whether nothing differs.
    pub fn is_same(&self) -> bool {
        self.count(|outcome| matches!(outcome, Outcome::Differs(_))) == 0
    }

    fn count(&self, which: impl Fn(&Outcome) -> bool) -> usize {
        let outcomes = self.cells.iter().map(|cell| &cell.outcome);
        outcomes.filter(|outcome| which(outcome)).count()
    }

    /// One line: what was compared, and how much of it differs.
    pub fn summary(&self) -> String {
        let differ = self.count(|outcome| matches!(outcome, Outcome::Differs(_)));
        let same = self.count(|outcome| *outcome == Outcome::Same);
        let mut text = match differ {
            0 => format!("{same} cells compared, no difference"),
            1 => format!("1 cell differs, {same} are the same"),
            _ => format!("{differ} cells differ, {same} are the same"),
        };
        for (outcome, word) in [(Outcome::Ignored, "ignored"), (Outcome::Skipped, "skipped")] {
            match self.count(|one| *one == outcome) {
                0 => {}
                n => text += &format!(", {n} {word}"),
            }
        }
        text
    }
}

impl Display for CellReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Outcome::Differs(differences) = &self.outcome else {
            return Ok(());
        };
        write!(f, "{} [id {}]", self.name, self.id)?;
        for difference in differences.iter().take(MOST) {
            write!(f, "\n  {}", difference.to_string().replace('\n', "\n  "))?;
        }
        if differences.len() > MOST {
            write!(
                f,
                "\n  and {} more differences in this cell",
                differences.len() - MOST
            )?;
        }
        Ok(())
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for cell in &self.cells {
            if matches!(cell.outcome, Outcome::Differs(_)) {
                writeln!(f, "{cell}\n")?;
            }
        }
        Ok(())
    }
}
