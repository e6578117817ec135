//! jupytext's Markdown format: code in fences that name their language, Markdown cells separated
//! by two blank lines, and regions where these are not sufficient.

mod read;

use crate::notebook::{CellKind, Notebook};
use crate::twin::cells::Outgoing;
use crate::twin::format::{Format, describe, language};
use crate::twin::header;
use crate::twin::options::{self, is_active};
use crate::twin::section::{is_set, option, section};
use crate::twin::text::magics;
use read::{DEFAULT, EXTENSION, Reader};
use serde_json::Value;

pub use read::read;

/// The text of a notebook.
pub fn write(notebook: &mut Notebook) -> String {
    let mut metadata = notebook.metadata.clone();
    let default = language(&metadata).unwrap_or(DEFAULT.to_owned());
    let main = option(&metadata, "main_language").and_then(Value::as_str);
    let kernel = metadata
        .get("kernelspec")
        .and_then(|spec| spec.get("language"));
    if main.is_some() && main == kernel.and_then(Value::as_str) {
        section(&mut metadata).shift_remove("main_language");
    }
    let filter = option(&metadata, "cell_metadata_filter").cloned();
    let as_json = is_set(&metadata, "cell_metadata_json").unwrap_or(false);
    let escape = is_set(&metadata, "comment_magics").unwrap_or(false);
    let split = is_set(&metadata, "split_at_heading").unwrap_or(false);
    let hide = is_set(&metadata, "hide_notebook_metadata").unwrap_or(false);
    describe(&mut metadata, Format::Markdown);
    let (mut out, held) = header::write(notebook, metadata, "");
    if hide && !out.is_empty() {
        out.splice(0..0, ["<!--".to_owned(), String::new()]);
        out.extend([String::new(), "-->".to_owned()]);
    }
    let blank = match held {
        1 => notebook.cells[0]
            .metadata
            .get("lines_to_next_cell")
            .and_then(Value::as_u64),
        _ => None,
    };
    let cells = &notebook.cells[held..];
    let blank = match blank.and_then(|n| usize::try_from(n).ok()) {
        Some(n) => n,
        None => usize::from(!out.is_empty() || cells.is_empty()),
    };
    out.extend(std::iter::repeat_n(String::new(), blank));
    let texts: Vec<Text> = cells
        .iter()
        .map(|cell| {
            let cell = Outgoing::new(cell, &default, filter.as_ref());
            Text::of(cell, as_json, escape, split)
        })
        .collect();
    for (n, text) in texts.iter().enumerate() {
        out.extend(text.lines.iter().cloned());
        out.extend(std::iter::repeat_n(String::new(), text.blank));
        if let Some(next) = texts.get(n + 1)
            && text.is_bare()
            && next.is_bare()
            && !(split && next.lines[0].starts_with('#'))
        {
            out.push(String::new());
        }
    }
    out.join("\n")
}

/// A cell's lines in the text.
struct Text {
    lines: Vec<String>,
    blank: usize,
    is_code: bool,
}

impl Text {
    fn of(mut cell: Outgoing, as_json: bool, escape: bool, split: bool) -> Text {
        let lines = match cell.kind {
            CellKind::Markdown => markdown(&mut cell, as_json, split),
            _ => code(&mut cell, as_json, escape),
        };
        Text {
            lines,
            blank: cell.blank.unwrap_or(1),
            is_code: cell.is_code(),
        }
    }

    /// Markdown without an enclosing region.
    fn is_bare(&self) -> bool {
        !self.is_code && !self.lines[0].starts_with("<!-- #")
    }
}

fn markdown(cell: &mut Outgoing, as_json: bool, split: bool) -> Vec<String> {
    let protect = match cell.metadata.is_empty() {
        false => true,
        true => {
            // Whether it would be read as another cell, or as more than one.
            let found = Reader::new(DEFAULT, split, false).read(&cell.lines);
            found.next < cell.lines.len() || found.kind != CellKind::Markdown
        }
    };
    if !protect {
        return cell.lines.clone();
    }
    let region = cell.metadata.shift_remove("region_name");
    let region = region.as_ref().and_then(Value::as_str).unwrap_or("region");
    region_lines(cell, region, as_json)
}

fn region_lines(cell: &Outgoing, region: &str, as_json: bool) -> Vec<String> {
    let options = match cell.metadata.is_empty() {
        true => String::new(),
        false => format!("{} ", options::write_with_title(&cell.metadata, as_json)),
    };
    let mut lines = vec![format!("<!-- #{region} {options}-->")];
    lines.extend(cell.lines.iter().cloned());
    lines.push(format!("<!-- #end{region} -->"));
    lines
}

fn code(cell: &mut Outgoing, as_json: bool, escape: bool) -> Vec<String> {
    let fence = fence(&cell.lines);
    let plain = cell.lines.clone();
    if cell.metadata.get("active") == Some(&Value::from("")) {
        cell.metadata.shift_remove("active");
    }
    let language = match cell.metadata.shift_remove("language") {
        Some(Value::String(language)) => language,
        _ => cell.language.clone(),
    };
    if cell.kind == CellKind::Raw && !is_active(EXTENSION, &cell.metadata, false) {
        cell.lines = plain;
        return region_lines(cell, "raw", as_json);
    }
    let mut source = plain;
    magics::comment(&mut source, &cell.language, escape);
    let mut lines = vec![format!(
        "{fence}{}",
        options::write(&language, &cell.metadata, false)
    )];
    lines.extend(source);
    lines.push(fence);
    lines
}

/// A fence that is longer than any in these lines.
pub fn fence(lines: &[String]) -> String {
    let mut fence = "```".to_owned();
    for line in lines {
        if let Some(more) = line.strip_prefix(fence.as_str()) {
            let more = more.len() - more.trim_start_matches('`').len();
            fence.push_str(&"`".repeat(more + 1));
        }
    }
    fence
}
