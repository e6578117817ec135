//! The YAML header of a text: the notebook's metadata under `jupyter:`, next to the content of
//! its first raw cell (title, authors).

use super::format::Format;
use super::section::section;
use super::text::python::{is_blank, is_space, lines, strip_start};
use super::yaml::{self, Fault, Node, Style};
use crate::notebook::{Cell, CellKind, Notebook};
use serde_json::{Map, Value};

/// Whether a line is `---` and blanks.
pub fn is_fence(line: &str) -> bool {
    line.strip_prefix("---").is_some_and(is_blank)
}

/// The lines of the front matter in a raw cell; `None` if it contains none.
pub fn front_matter(cell: &Cell) -> Option<Vec<String>> {
    if cell.kind != CellKind::Raw {
        return None;
    }
    let mut lines = lines(cell.source.trim_matches(['\n', '\t', ' ']));
    let closed = lines.len() >= 2 && is_fence(&lines[0]) && is_fence(lines.last()?);
    if !closed {
        return None;
    }
    lines.pop();
    lines.remove(0);
    Some(lines)
}

/// The header of a notebook with these filtered metadata, each line after `prefix`; also the
/// number of cells that it includes.
pub fn write(
    notebook: &Notebook,
    metadata: Map<String, Value>,
    prefix: &str,
) -> (Vec<String>, usize) {
    let own = notebook.cells.first().and_then(front_matter);
    let cells = usize::from(own.is_some());
    let mut header = own.unwrap_or_default();
    if !metadata.is_empty() {
        let jupyter = Node::Map(vec![("jupyter".to_owned(), Node::from(&metadata).sorted())]);
        header.extend(lines(&yaml::emit(&jupyter, Style::default())));
    }
    if !header.is_empty() {
        header.insert(0, "---".to_owned());
        header.push("---".to_owned());
    }
    (comment(&header, prefix), cells)
}

/// Prefixes lines with a comment mark.
pub fn comment(lines: &[String], prefix: &str) -> Vec<String> {
    let commented = lines
        .iter()
        .map(|line| match (prefix.is_empty(), line.is_empty()) {
            (true, _) => line.clone(),
            (false, true) => prefix.to_owned(),
            (false, false) => format!("{prefix} {line}"),
        });
    commented.collect()
}

/// A line without its comment mark and one blank.
pub fn uncomment<'a>(line: &'a str, prefix: &str) -> &'a str {
    match line.strip_prefix(prefix) {
        Some(rest) if !prefix.is_empty() => rest.strip_prefix(' ').unwrap_or(rest),
        _ => line,
    }
}

/// The content of a header.
#[derive(Debug, Default)]
pub struct Header {
    pub metadata: Map<String, Value>,
    /// Whether there was a `jupyter:` section.
    pub jupyter: bool,
    /// The content outside of that section.
    pub cell: Option<Cell>,
    /// The first line after the header.
    pub next: usize,
}

/// Whether a line is Python's `# -*- coding: utf-8 -*-`, as a comment of this kind.
fn is_encoding(line: &str, prefix: &str) -> bool {
    let start = line.trim_start_matches([' ', '\t', '\x0c']);
    let Some(rest) = start.strip_prefix(prefix) else {
        return false;
    };
    rest.match_indices("coding").any(|(at, word)| {
        let rest = &rest[at + word.len()..];
        let value = rest
            .strip_prefix([':', '='])
            .map(|rest| rest.trim_start_matches([' ', '\t']));
        value.is_some_and(|value| {
            value.starts_with(|c: char| c.is_ascii_alphanumeric() || "-_.".contains(c))
        })
    })
}

/// Reads the header of a text.
///
/// # Errors
/// Invalid YAML.
pub fn read(lines: &[String], format: Format) -> Result<Header, Fault> {
    let prefix = format.prefix();
    let mut header = Header::default();
    let (mut jupyter, mut own): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    let (mut in_jupyter, mut in_html, mut started, mut ended) = (false, false, false, false);
    let (mut first, mut i) = (0, 0);
    for (at, line) in lines.iter().enumerate() {
        i = at;
        if at == 0 && line.starts_with("#!") {
            let section = section(&mut header.metadata);
            section.insert("executable".to_owned(), line[2..].into());
            header.next = 1;
            continue;
        }
        let may_be = at == 0 || (at == 1 && !is_encoding(&lines[0], prefix));
        if may_be && is_encoding(line, prefix) {
            let section = section(&mut header.metadata);
            section.insert("encoding".to_owned(), line.as_str().into());
            header.next = at + 1;
            continue;
        }
        if !line.starts_with(prefix) {
            break;
        }
        if prefix.is_empty() && strip_start(line).starts_with("<!--") {
            in_html = true;
            continue;
        }
        if in_html && ended && line.contains("-->") {
            break;
        }
        if in_html && !started && is_blank(line) {
            continue;
        }
        let line = uncomment(line, prefix);
        if is_fence(line) {
            if !started {
                started = true;
                first = at + 2;
                continue;
            }
            ended = true;
            if in_html {
                continue;
            }
            break;
        }
        if !started && !is_blank(line) {
            break;
        }
        let section = line.strip_prefix("jupyter").map(strip_start);
        if section
            .and_then(|rest| rest.strip_prefix(':'))
            .is_some_and(is_blank)
        {
            in_jupyter = true;
        } else if !line.is_empty() && !line.starts_with(is_space) {
            in_jupyter = false;
        }
        match in_jupyter {
            true => jupyter.push(line),
            false => own.push(line),
        }
    }
    if !ended {
        return Ok(header);
    }
    finish(header, lines, format, i, first, &jupyter, &own)
}

fn finish(
    mut header: Header,
    lines: &[String],
    format: Format,
    mut i: usize,
    first: usize,
    jupyter: &[&str],
    own: &[&str],
) -> Result<Header, Fault> {
    if !jupyter.is_empty() {
        let node = yaml::read(&jupyter.join("\n")).map_err(|fault| Fault {
            line: first + fault.line - 1,
            reason: format!("the header is not YAML: {}", fault.reason),
        })?;
        let found = node.into_json();
        let section = found.get("jupyter").and_then(Value::as_object).cloned();
        let before = std::mem::replace(&mut header.metadata, section.unwrap_or_default());
        for (key, value) in before {
            match (header.metadata.get_mut(&key), value) {
                (Some(Value::Object(old)), Value::Object(new)) => old.extend(new),
                (_, value) => {
                    header.metadata.insert(key, value);
                }
            }
        }
        header.jupyter = true;
    }
    let mut blank = 0;
    if let Some(line) = lines.get(i + 1)
        && is_blank(uncomment(line, format.prefix()))
    {
        blank = 1;
        i += 1;
    }
    if !own.is_empty() {
        let mut cell = Cell::raw(format!("---\n{}\n---", own.join("\n")));
        // The default number of blank lines is not recorded.
        let usual = usize::from(true);
        if blank != usual {
            cell.metadata
                .insert("lines_to_next_cell".to_owned(), blank.into());
        }
        header.cell = Some(cell);
    }
    header.next = i + 1;
    Ok(header)
}
