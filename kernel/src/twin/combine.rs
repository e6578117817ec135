//! Combines a text's cells with what only the notebook contains: outputs, counts, ids,
//! attachments, and metadata that are never written to a text.

use super::filter;
use super::format::Format;
use super::section::{option, section};
use crate::notebook::{Cell, Notebook, option_mark, pairs};
use serde_json::{Map, Value};

/// The notebook after its text was edited.
pub fn combine(text: Notebook, mut notebook: Notebook, format: Format) -> Notebook {
    let text = match format {
        Format::Quarto => with_parts(text, &notebook),
        _ => text,
    };
    let places = places(&text.cells, &notebook.cells);
    let mut old: Vec<Option<Cell>> = notebook.cells.drain(..).map(Some).collect();
    let user = option(&text.metadata, "cell_metadata_filter").cloned();
    // A Quarto document contains no metadata of Markdown and raw cells.
    let cell_filter = match format {
        Format::Quarto => None,
        _ => user.or(option(&notebook.metadata, "cell_metadata_filter").cloned()),
    };
    for (cell, place) in text.cells.iter().zip(places) {
        let Some(old) = place.and_then(|at| old[at].take()) else {
            notebook.cells.push(cell.clone());
            continue;
        };
        let source = match format {
            Format::Quarto if same_but_marks(&cell.source, &old.source) => old.source.clone(),
            _ => cell.source.clone(),
        };
        let metadata = match format {
            Format::Quarto => {
                let mut metadata = old.metadata.clone();
                metadata.extend(cell.metadata.clone());
                metadata
            }
            _ => filter::restore(
                &cell.metadata,
                &old.metadata,
                cell_filter.as_ref(),
                filter::CELL,
            ),
        };
        notebook.cells.push(Cell {
            source,
            metadata,
            ..old
        });
    }
    combine_metadata(&text, &mut notebook, format);
    notebook
}

fn combine_metadata(text: &Notebook, notebook: &mut Notebook, format: Format) {
    let user = option(&text.metadata, "notebook_metadata_filter").cloned();
    if user.as_ref().and_then(Value::as_str) == Some("-all") {
        return;
    }
    if format == Format::Quarto {
        if let Some(spec) = text.metadata.get("kernelspec") {
            notebook
                .metadata
                .insert("kernelspec".to_owned(), spec.clone());
        }
        return;
    }
    let mut metadata = filter::restore(
        &text.metadata,
        &notebook.metadata,
        user.as_ref(),
        filter::NOTEBOOK,
    );
    let section = section(&mut metadata);
    section.shift_remove("text_representation");
    // The pairing of the two, and which metadata the text omits, are settings of the notebook.
    for name in ["formats", "cell_metadata_filter"] {
        match option(&notebook.metadata, name) {
            Some(value) => section.insert(name.to_owned(), value.clone()),
            None => None,
        };
    }
    if section.is_empty() {
        metadata.shift_remove("jupytext");
    }
    notebook.metadata = metadata;
}

/// The index of the old cell for each new cell. A rewritten cell that follows the same neighbour
/// counts as the old one.
fn places(new: &[Cell], old: &[Cell]) -> Vec<Option<usize>> {
    let mut places = pairs(old, new);
    let mut free = vec![true; old.len()];
    for at in places.iter().flatten() {
        free[*at] = false;
    }
    for (to, cell) in new.iter().enumerate() {
        let next = match to.checked_sub(1) {
            Some(before) => places[before].map(|at| at + 1),
            None => Some(0),
        };
        if let (None, Some(at)) = (places[to], next)
            && old
                .get(at)
                .is_some_and(|old| free[at] && same_kind(old, cell))
        {
            places[to] = Some(at);
            free[at] = false;
        }
    }
    places
}

fn same_kind(one: &Cell, other: &Cell) -> bool {
    std::mem::discriminant(&one.kind) == std::mem::discriminant(&other.kind)
}

/// Whether the sources are equal except for the marks of their options: `#|` or `//|`.
fn same_but_marks(one: &str, other: &str) -> bool {
    let bare = |source: &str| -> Vec<String> {
        let lines = source.trim().split('\n');
        lines
            .map(|line| line[option_mark(line).unwrap_or_default()..].to_owned())
            .collect()
    };
    one.trim() == other.trim() || bare(one) == bare(other)
}

/// Quarto merges consecutive Markdown cells: text that was several cells in the notebook is split
/// again.
fn with_parts(mut text: Notebook, notebook: &Notebook) -> Notebook {
    let mut cells = Vec::new();
    for cell in std::mem::take(&mut text.cells) {
        match parts(&cell, notebook) {
            Some(parts) => cells.extend(parts),
            None => cells.push(cell),
        }
    }
    text.cells = cells;
    text
}

fn parts(cell: &Cell, notebook: &Notebook) -> Option<Vec<Cell>> {
    let is_text = |cell: &Cell| !cell.is_code();
    if !is_text(cell) {
        return None;
    }
    let cells = &notebook.cells;
    for first in 0..cells.len() {
        let mut joined = String::new();
        for (n, part) in cells[first..].iter().enumerate() {
            if !is_text(part) || joined.len() > cell.source.len() {
                break;
            }
            joined += if n > 0 { "\n\n" } else { "" };
            joined += &part.source;
            if n > 0 && joined.trim() == cell.source.trim() {
                let bare = cells[first..=first + n].iter().cloned().map(|part| Cell {
                    metadata: Map::new(),
                    ..part
                });
                return Some(bare.collect());
            }
        }
    }
    None
}
