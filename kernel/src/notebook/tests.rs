//! Tests the document model with files from Python's nbformat and random notebooks.

use super::*;
use crate::run::output::event::StreamName;
use serde_json::{Map, Value, json};
use std::path::Path;

/// A small seeded generator (SplitMix64): the cases are the same in every run.
pub(crate) struct Random(pub u64);

impl Random {
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }

    fn text(&mut self) -> String {
        const PIECES: [&str; 26] = [
            "a",
            "\n",
            "\r\n",
            "\r",
            " ",
            "\t",
            "é",
            "\u{2028}",
            "\"",
            "\\",
            "</script>",
            "<script>",
            "</section>",
            "<b onclick=x>",
            "$",
            "$$x",
            "`",
            "\n```\n",
            "\n# ",
            "[a](javascript:b)",
            "|",
            "∑",
            "\u{1b}[31m",
            "let x = 1;",
            "\u{0}",
            "🦀",
        ];
        let n = self.below(12);
        (0..n).map(|_| PIECES[self.below(PIECES.len())]).collect()
    }

    fn value(&mut self, depth: usize) -> Value {
        match self.below(if depth == 0 { 5 } else { 7 }) {
            0 => Value::Null,
            1 => json!(self.below(2) == 1),
            2 => json!(self.below(1 << 40) as i64 - (1 << 39)),
            3 => json!((self.below(1 << 30) as f64 - 5e8) * 10f64.powi(self.below(60) as i32 - 30)),
            4 => json!(self.text()),
            5 => (0..self.below(4)).map(|_| self.value(depth - 1)).collect(),
            _ => self.map(depth - 1).into(),
        }
    }

    fn map(&mut self, depth: usize) -> Map<String, Value> {
        let n = self.below(4);
        (0..n)
            .map(|_| (self.text() + "k", self.value(depth)))
            .collect()
    }

    fn bundle(&mut self) -> MimeBundle {
        let mut bundle = MimeBundle::new();
        for mime in ["text/plain", "text/html", "image/png", "image/svg+xml"] {
            if self.below(2) == 0 {
                bundle.insert(mime.into(), self.text().into());
            }
        }
        if self.below(3) == 0 {
            bundle.insert("application/vnd.x+json".into(), json!(["a\n", "b"]));
        }
        bundle
    }

    fn output(&mut self) -> Output {
        let name = [StreamName::Stdout, StreamName::Stderr][self.below(2)];
        let mut output = Output::from(match self.below(4) {
            0 => OutputKind::Stream {
                name,
                text: self.text(),
            },
            1 => OutputKind::Display {
                data: self.bundle(),
                metadata: self.map(1),
            },
            2 => OutputKind::ExecuteResult {
                execution_count: Some(self.below(99) as u64),
                data: self.bundle(),
                metadata: self.map(1),
            },
            _ => OutputKind::Error {
                ename: self.text(),
                evalue: self.text(),
                traceback: (0..self.below(3)).map(|_| self.text()).collect(),
            },
        });
        if self.below(4) == 0 {
            output.extra.insert("x-unknown".into(), self.value(2));
        }
        output
    }

    pub(crate) fn notebook(&mut self) -> Notebook {
        let mut notebook = Notebook::new();
        notebook.metadata.extend(self.map(3));
        if self.below(3) == 0 {
            notebook.extra.insert("x-top".into(), self.value(2));
        }
        for _ in 0..self.below(6) {
            let mut cell = match self.below(3) {
                0 => Cell::markdown(self.text()),
                1 => Cell {
                    kind: CellKind::Raw,
                    ..Cell::markdown(self.text())
                },
                _ => Cell::code(self.text()),
            };
            cell.metadata = self.map(2);
            let outputs = (0..self.below(4)).map(|_| self.output()).collect();
            cell.set_outputs(outputs);
            cell.set_execution_count((self.below(2) == 0).then(|| self.below(99) as u64));
            if self.below(4) == 0 {
                cell.extra.insert("x-cell".into(), self.value(2));
            }
            notebook.cells.push(cell);
        }
        notebook.complete_ids();
        notebook
    }
}

#[test]
fn any_notebook_reads_back_as_it_was_written() {
    for seed in 0..500 {
        let notebook = Random(seed).notebook();
        let text = notebook.to_json();
        let (again, notes) = Notebook::from_json(text.as_bytes())
            .unwrap_or_else(|fault| panic!("seed {seed}: {fault:?}\n{text}"));
        assert!(notes.is_empty(), "seed {seed}: {notes:?}\n{text}");
        assert_eq!(again, notebook, "seed {seed}");
        assert_eq!(again.to_json(), text, "seed {seed}");
    }
}

#[test]
fn a_text_that_is_kept_is_the_same_as_one_made_anew() {
    let mut random = Random(7);
    for _ in 0..200 {
        let mut notebook = random.notebook();
        notebook.complete_ids();
        let mut text = NotebookText::of(&notebook);
        assert_eq!(text.with(&notebook), notebook.to_json());
        if !notebook.cells.is_empty() {
            let at = random.below(notebook.cells.len());
            notebook.cells[at].source.push_str("\n\"cells\": [");
            notebook.cells[at].set_execution_count(Some(4));
            text.set(at, &notebook.cells[at]);
        }
        notebook.metadata.insert("cells".to_owned(), Value::Null);
        assert_eq!(text.with(&notebook), notebook.to_json());
    }
}

pub(crate) fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

#[test]
fn a_file_of_pythons_nbformat_is_written_back_byte_for_byte() {
    // The fixture was written by nbformat 5.11.1 (`nbformat.write`).
    let path = fixture("nbformat.ipynb");
    let (notebook, notes) = Notebook::read(&path).unwrap();
    assert!(notes.is_empty(), "{notes:?}");
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.ipynb");
    replace(&copy, notebook.to_json().as_bytes()).unwrap();
    assert_eq!(
        std::fs::read_to_string(&copy).unwrap(),
        std::fs::read_to_string(&path).unwrap()
    );
}

fn stream(text: &str) -> OutputEvent {
    OutputEvent::Stream {
        name: StreamName::Stdout,
        text: text.into(),
    }
}

fn display(text: &str, id: Option<&str>) -> OutputEvent {
    OutputEvent::Display {
        data: bundle(text),
        metadata: Map::new(),
        display_id: id.map(str::to_owned),
    }
}

fn update(text: &str, id: &str) -> OutputEvent {
    OutputEvent::UpdateDisplay {
        data: bundle(text),
        metadata: Map::new(),
        display_id: id.to_owned(),
    }
}

fn bundle(text: &str) -> MimeBundle {
    let mut bundle = MimeBundle::new();
    bundle.insert("text/plain".into(), text.into());
    bundle
}

/// The outputs of a cell, one line each.
fn seen(outputs: &Outputs, cell: &str) -> Vec<String> {
    let line = |output: &Output| match &output.kind {
        OutputKind::Stream { name, text } => format!("{}:{text}", name.as_str()),
        OutputKind::Display { data, .. } => format!("display:{}", data["text/plain"]),
        OutputKind::ExecuteResult { data, .. } => format!("result:{}", data["text/plain"]),
        OutputKind::Error { ename, .. } => format!("error:{ename}"),
    };
    outputs.of(cell).iter().map(line).collect()
}

#[test]
fn consecutive_streams_of_one_name_are_one_output() {
    let mut outputs = Outputs::new();
    outputs.push("a", stream("x"));
    outputs.push("a", stream("y\r"));
    outputs.push("a", stream("z"));
    outputs.push(
        "a",
        OutputEvent::Stream {
            name: StreamName::Stderr,
            text: "e".into(),
        },
    );
    outputs.push("a", stream("w"));
    assert_eq!(seen(&outputs, "a"), ["stdout:zy", "stderr:e", "stdout:w"]);
}

#[test]
fn an_update_changes_every_display_of_its_name_in_any_cell() {
    let mut outputs = Outputs::new();
    outputs.push("a", display("1", Some("bar")));
    outputs.push("a", display("other", None));
    outputs.push("b", stream("text"));
    assert_eq!(outputs.push("b", update("2", "bar")), ["a"]);
    assert_eq!(seen(&outputs, "a"), ["display:\"2\"", "display:\"other\""]);
    // A display under an existing name is shown again and updates the earlier one.
    assert_eq!(outputs.push("b", display("3", Some("bar"))), ["a", "b"]);
    assert_eq!(seen(&outputs, "a")[0], "display:\"3\"");
    assert_eq!(seen(&outputs, "b"), ["stdout:text", "display:\"3\""]);
    assert!(outputs.push("b", update("4", "unknown")).is_empty());
}

#[test]
fn clearing_with_wait_happens_at_the_next_output() {
    let mut outputs = Outputs::new();
    outputs.push("a", display("1", Some("x")));
    assert!(
        outputs
            .push("a", OutputEvent::ClearOutput { wait: true })
            .is_empty()
    );
    assert_eq!(seen(&outputs, "a"), ["display:\"1\""]);
    outputs.push("a", stream("new"));
    assert_eq!(seen(&outputs, "a"), ["stdout:new"]);
    // Cleared outputs are no longer updated.
    assert!(outputs.push("a", update("2", "x")).is_empty());
    outputs.push("a", OutputEvent::ClearOutput { wait: false });
    assert!(seen(&outputs, "a").is_empty());
}

#[test]
fn a_stream_may_be_cut_anywhere_without_changing_what_it_shows() {
    for seed in 0..200 {
        let mut random = Random(seed);
        let text: String = (0..6).map(|_| random.text()).collect();
        let mut whole = Outputs::new();
        whole.push("a", stream(&text));
        let mut pieces = Outputs::new();
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let mut at = 1 + random.below(rest.len());
            while !rest.is_char_boundary(at) {
                at += 1;
            }
            pieces.push("a", stream(&rest[..at]));
            rest = &rest[at..];
        }
        assert_eq!(whole.of("a"), pieces.of("a"), "seed {seed}: {text:?}");
    }
}

#[test]
fn outputs_are_stored_by_cell_id_and_other_cells_keep_theirs() {
    let mut notebook = Notebook::new();
    notebook.cells = vec![Cell::code("1"), Cell::markdown("m"), Cell::code("2")];
    notebook.complete_ids();
    let old = OutputKind::Stream {
        name: StreamName::Stdout,
        text: "old".into(),
    };
    for index in [0, 2] {
        notebook.cells[index].set_outputs(vec![old.clone().into()]);
    }
    let mut outputs = Outputs::new();
    outputs.begin(&notebook.cells[0].id);
    for cell in &mut notebook.cells {
        outputs.store_cell(cell);
    }
    assert!(notebook.cells[0].outputs().is_empty());
    assert_eq!(notebook.cells[2].outputs(), [Output::from(old)]);
}
