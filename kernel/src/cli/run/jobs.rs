//! The cells that a run executes, and the effect of their tags.

use crate::notebook::{Cell, CellOptions, Notebook};

/// One code cell to run.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its place among the notebook's cells.
    pub index: usize,
    pub id: String,
    pub source: String,
    /// The heading above it.
    pub section: String,
    /// Tagged `raises-exception`: it must fail, and the run continues.
    pub raises: bool,
    /// It may fail, and the run continues (`holoscope check`).
    pub may_fail: bool,
}

/// A cell with this tag is not run and keeps its outputs, as in nbclient.
const SKIP: &str = "skip-execution";
const RAISES: &str = "raises-exception";

/// The cells to run, in order.
pub fn jobs(notebook: &Notebook) -> Vec<Job> {
    jobs_skipping(notebook, &[SKIP])
}

/// The cells to run, except those with one of these tags.
pub fn jobs_skipping(notebook: &Notebook, skip: &[&str]) -> Vec<Job> {
    let mut section = String::from("start");
    let mut jobs = Vec::new();
    for (index, cell) in notebook.cells.iter().enumerate() {
        if cell.is_code() {
            if skip.iter().any(|tag| cell.has_tag(tag)) || is_switched_off(cell, index) {
                continue;
            }
            jobs.push(Job {
                index,
                id: cell.id.clone(),
                source: cell.source.clone(),
                section: section.clone(),
                raises: cell.has_tag(RAISES),
                may_fail: false,
            });
        } else if let Some(heading) = cell.source.lines().rev().find_map(|l| {
            l.strip_prefix('#')
                .map(|h| h.trim_start_matches('#').trim())
        }) {
            section = heading.replace(['`', '*'], "");
        }
    }
    jobs
}

/// Whether the option `eval: false` keeps a cell from being run. Options that cannot be
/// read are reported by the export.
fn is_switched_off(cell: &Cell, index: usize) -> bool {
    let options = CellOptions::of(cell, index + 1);
    options.is_ok_and(|options| options.flag("eval") == Ok(Some(false)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_cell_knows_the_heading_it_stands_under() {
        let mut notebook = Notebook::new();
        notebook.cells = vec![
            Cell::code("1"),
            Cell::markdown("# `Setup`\ntext\n## 1.1 *Dependencies*\nmore"),
            Cell::code("2"),
        ];
        let sections: Vec<String> = jobs(&notebook).into_iter().map(|j| j.section).collect();
        assert_eq!(sections, ["start", "1.1 Dependencies"]);
    }

    #[test]
    fn tags_say_which_cells_run_and_which_must_fail() {
        let mut notebook = Notebook::new();
        let tagged = |source: &str, tags: &[&str]| {
            let mut cell = Cell::code(source);
            cell.metadata.insert("tags".to_owned(), json!(tags));
            cell
        };
        notebook.cells = vec![
            tagged("1", &["skip-execution"]),
            tagged("2", &["other", "raises-exception"]),
            tagged("3", &[]),
            Cell::code("//| eval: false\n4"),
        ];
        let found = jobs(&notebook);
        let found: Vec<(usize, bool)> = found.iter().map(|job| (job.index, job.raises)).collect();
        assert_eq!(found, [(1, true), (2, false)]);
    }
}
