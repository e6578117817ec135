//! Adds the outputs of running cells: output events, in order of arrival, become lists
//! of outputs, as in nbclient and JupyterLab.
//! Source: nbclient/client.py (`process_message`, `output`, `clear_output`).

use super::model::{Cell, MimeBundle, Output, OutputKind, StreamName};
use super::terminal::Screen;
use serde_json::{Map, Value};
use std::collections::HashMap;

/// One output event of a running cell.
#[derive(Debug, Clone, PartialEq)]
pub enum OutputEvent {
    Stream {
        name: StreamName,
        text: String,
    },
    Display {
        data: MimeBundle,
        metadata: Map<String, Value>,
        /// The name by which later updates refer to this output.
        display_id: Option<String>,
    },
    /// Changes every output shown under this name, in any cell.
    UpdateDisplay {
        data: MimeBundle,
        metadata: Map<String, Value>,
        display_id: String,
    },
    /// Empties the cell's outputs; with `wait`, only when the next one arrives.
    ClearOutput {
        wait: bool,
    },
    ExecuteResult {
        execution_count: u64,
        data: MimeBundle,
        metadata: Map<String, Value>,
        /// The name by which later updates refer to this output.
        display_id: Option<String>,
    },
    Error {
        ename: String,
        evalue: String,
        traceback: Vec<String>,
    },
}

/// The outputs of one run, cell by cell.
///
/// Cells are identified by their id. The accumulator outlives a cell's execution,
/// because a display may be updated from any later cell.
#[derive(Debug, Clone, Default)]
pub struct Outputs {
    cells: HashMap<String, CellOutputs>,
}

#[derive(Debug, Clone, Default)]
struct CellOutputs {
    shown: Vec<Shown>,
    clear_before_next: bool,
}

#[derive(Debug, Clone)]
struct Shown {
    kind: ShownKind,
    display_id: Option<String>,
}

#[derive(Debug, Clone)]
enum ShownKind {
    /// A stream still being written to; its cursor position matters.
    Stream(StreamName, Screen),
    Whole(OutputKind),
}

impl Outputs {
    pub fn new() -> Outputs {
        Outputs::default()
    }

    /// Discards the outputs of an earlier execution of `cell`.
    pub fn begin(&mut self, cell: &str) {
        self.cells.insert(cell.to_owned(), CellOutputs::default());
    }

    /// Handles one event of `cell`; returns the sorted ids of the cells whose outputs
    /// changed (an update may change other cells).
    pub fn push(&mut self, cell: &str, event: OutputEvent) -> Vec<String> {
        let mut changed = Vec::new();
        let own = match event {
            OutputEvent::UpdateDisplay {
                data,
                metadata,
                display_id,
            } => {
                self.update(&display_id, &data, &metadata, &mut changed);
                false
            }
            OutputEvent::ClearOutput { wait } => self.cell(cell).clear(wait),
            OutputEvent::Stream { name, text } => self.cell(cell).stream(name, &text),
            OutputEvent::Display {
                data,
                metadata,
                display_id,
            } => {
                if let Some(id) = &display_id {
                    self.update(id, &data, &metadata, &mut changed);
                }
                let kind = OutputKind::Display { data, metadata };
                self.cell(cell).show(kind, display_id)
            }
            OutputEvent::ExecuteResult {
                execution_count,
                data,
                metadata,
                display_id,
            } => {
                if let Some(id) = &display_id {
                    self.update(id, &data, &metadata, &mut changed);
                }
                let kind = OutputKind::ExecuteResult {
                    execution_count: Some(execution_count),
                    data,
                    metadata,
                };
                self.cell(cell).show(kind, display_id)
            }
            OutputEvent::Error {
                ename,
                evalue,
                traceback,
            } => {
                let kind = OutputKind::Error {
                    ename,
                    evalue,
                    traceback,
                };
                self.cell(cell).show(kind, None)
            }
        };
        if own {
            changed.push(cell.to_owned());
        }
        changed.sort_unstable();
        changed.dedup();
        changed
    }

    /// The current outputs of `cell`.
    pub fn of(&self, cell: &str) -> Vec<Output> {
        let outputs = self.cells.get(cell);
        outputs.map(CellOutputs::to_outputs).unwrap_or_default()
    }

    /// Stores the current outputs of a cell in it; a cell that has not run is
    /// unchanged.
    pub fn store_cell(&self, cell: &mut Cell) {
        if self.cells.contains_key(&cell.id) {
            cell.set_outputs(self.of(&cell.id));
        }
    }

    fn cell(&mut self, cell: &str) -> &mut CellOutputs {
        self.cells.entry(cell.to_owned()).or_default()
    }

    fn update(
        &mut self,
        display_id: &str,
        data: &MimeBundle,
        metadata: &Map<String, Value>,
        changed: &mut Vec<String>,
    ) {
        for (id, cell) in &mut self.cells {
            for shown in &mut cell.shown {
                if shown.display_id.as_deref() != Some(display_id) {
                    continue;
                }
                if let ShownKind::Whole(
                    OutputKind::Display {
                        data: old_data,
                        metadata: old_metadata,
                    }
                    | OutputKind::ExecuteResult {
                        data: old_data,
                        metadata: old_metadata,
                        ..
                    },
                ) = &mut shown.kind
                {
                    old_data.clone_from(data);
                    old_metadata.clone_from(metadata);
                    changed.push(id.clone());
                }
            }
        }
    }
}

impl CellOutputs {
    /// Returns whether anything changed immediately.
    fn clear(&mut self, wait: bool) -> bool {
        self.clear_before_next = wait;
        let changes = !wait && !self.shown.is_empty();
        if !wait {
            self.shown.clear();
        }
        changes
    }

    fn make_room(&mut self) {
        if std::mem::take(&mut self.clear_before_next) {
            self.shown.clear();
        }
    }

    fn show(&mut self, kind: OutputKind, display_id: Option<String>) -> bool {
        self.make_room();
        self.shown.push(Shown {
            kind: ShownKind::Whole(kind),
            display_id,
        });
        true
    }

    fn stream(&mut self, name: StreamName, text: &str) -> bool {
        if text.is_empty() {
            return false;
        }
        self.make_room();
        if let Some(Shown {
            kind: ShownKind::Stream(last, screen),
            ..
        }) = self.shown.last_mut()
            && *last == name
        {
            screen.write(text);
            return true;
        }
        let mut screen = Screen::default();
        screen.write(text);
        self.shown.push(Shown {
            kind: ShownKind::Stream(name, screen),
            display_id: None,
        });
        true
    }

    fn to_outputs(&self) -> Vec<Output> {
        let kinds = self.shown.iter().map(|shown| match &shown.kind {
            ShownKind::Whole(kind) => kind.clone(),
            ShownKind::Stream(name, screen) => OutputKind::Stream {
                name: *name,
                text: screen.text(),
            },
        });
        // A stream that was overwritten with nothing has no output.
        kinds
            .filter(|kind| !matches!(kind, OutputKind::Stream { text, .. } if text.is_empty()))
            .map(Output::from)
            .collect()
    }
}
