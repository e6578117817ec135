//! The notebook as it is to be shown: its current source, with the outputs of the run so far, then
//! the earlier outputs for the cells that have not run yet.

use crate::notebook::{Cell, Notebook, Output};
use std::collections::HashMap;

/// Outputs by the cell that produced them: its id and source.
#[derive(Debug, Default)]
pub struct View {
    known: HashMap<(String, String), Known>,
}

#[derive(Debug, Clone)]
struct Known {
    outputs: Vec<Output>,
    count: Option<u64>,
    seconds: Option<f64>,
}

impl View {
    /// Stores the outputs of the cells that have run.
    pub fn take(&mut self, notebook: &Notebook) {
        for cell in notebook.cells.iter().filter(|cell| cell.is_code()) {
            if cell.execution_count().is_some() || !cell.outputs().is_empty() {
                let known = Known {
                    outputs: cell.outputs().to_vec(),
                    count: cell.execution_count(),
                    seconds: cell.seconds(),
                };
                self.known.insert(key(cell), known);
            }
        }
    }

    /// Sets each cell's outputs to those stored for its id and source; a cell with another source keeps
    /// the outputs that it has.
    pub fn dress(&self, notebook: &mut Notebook) {
        for cell in &mut notebook.cells {
            if !cell.is_code() {
                continue;
            }
            if let Some(known) = self.known.get(&key(cell)) {
                cell.set_outputs(known.outputs.clone());
                cell.set_execution_count(known.count);
                if let Some(seconds) = known.seconds {
                    cell.set_seconds(seconds);
                }
            }
        }
    }
}

fn key(cell: &Cell) -> (String, String) {
    (cell.id.clone(), cell.source.clone())
}

/// Whether the code of two notebooks is the same, cell by cell.
pub fn same_code(one: &Notebook, other: &Notebook) -> bool {
    let code = |notebook: &'_ Notebook| -> Vec<(String, Option<serde_json::Value>)> {
        let cells = notebook.cells.iter().filter(|cell| cell.is_code());
        let tags = |cell: &Cell| cell.metadata.get("tags").cloned();
        cells
            .map(|cell| (cell.source.clone(), tags(cell)))
            .collect()
    };
    code(one) == code(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notebook::OutputKind;
    use crate::run::output::event::StreamName;

    fn notebook(cells: &[(&str, &str, Option<&str>)]) -> Notebook {
        let mut notebook = Notebook::new();
        for (id, source, output) in cells {
            let mut cell = Cell::code(*source);
            cell.id = (*id).to_owned();
            if let Some(text) = output {
                let name = StreamName::Stdout;
                let text = (*text).to_owned();
                cell.set_outputs(vec![OutputKind::Stream { name, text }.into()]);
                cell.set_execution_count(Some(1));
            }
            notebook.cells.push(cell);
        }
        notebook
    }

    fn shown(notebook: &Notebook) -> Vec<String> {
        let text = |output: &Output| match &output.kind {
            OutputKind::Stream { text, .. } => text.clone(),
            _ => String::new(),
        };
        let cells = notebook.cells.iter();
        cells
            .map(|cell| cell.outputs().iter().map(text).collect())
            .collect()
    }

    #[test]
    fn cells_that_have_run_show_the_new_outputs_and_others_the_former_ones() {
        let mut view = View::default();
        view.take(&notebook(&[
            ("a", "1", Some("old a")),
            ("b", "2", Some("old b")),
        ]));
        // The run has finished the first cell.
        view.take(&notebook(&[("a", "1", Some("new a")), ("b", "2", None)]));
        let mut now = notebook(&[("a", "1", None), ("b", "2", None), ("c", "3", None)]);
        view.dress(&mut now);
        assert_eq!(shown(&now), ["new a", "old b", ""]);
        assert_eq!(now.cells[0].execution_count(), Some(1));
        // Outputs of another source are not shown for this one.
        let mut edited = notebook(&[("a", "1 + 1", None)]);
        view.dress(&mut edited);
        assert_eq!(shown(&edited), [""]);
    }

    #[test]
    fn prose_does_not_count_as_code() {
        let one = notebook(&[("a", "1", Some("x"))]);
        let mut other = notebook(&[("z", "1", None)]);
        other.cells.push(Cell::markdown("text"));
        assert!(same_code(&one, &other));
        other.cells.push(Cell::code("2"));
        assert!(!same_code(&one, &other));
    }
}
