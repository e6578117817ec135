//! jupytext's percent format: a Rust file whose cells begin with `// %%`. Markdown is
//! written as comments, and so are commands such as `:dep`.

use crate::notebook::{CellKind, Notebook};
use crate::twin::cells::{Incoming, Outgoing, blank_lines, ends_with_two_blank, finish};
use crate::twin::format::{Format, describe, language};
use crate::twin::header::{self, comment, uncomment};
use crate::twin::options::{self, is_active};
use crate::twin::section::{is_set, option, section};
use crate::twin::text::magics;
use crate::twin::text::python::{is_blank, is_space, lines, strip_start};
use crate::twin::text::quotes::Quotes;
use crate::twin::yaml::Fault;
use serde_json::{Map, Value};

const COMMENT: &str = "//";
const EXTENSION: &str = "rs";
const DEFAULT: &str = "rust";

/// The text of a notebook.
pub fn write(notebook: &mut Notebook) -> String {
    let mut metadata = notebook.metadata.clone();
    let default = language(&metadata).unwrap_or(DEFAULT.to_owned());
    let main = option(&metadata, "main_language").and_then(Value::as_str);
    let kernel = metadata
        .get("kernelspec")
        .and_then(|spec| spec.get("language"));
    if main.is_some() && (kernel.and_then(Value::as_str).unwrap_or(DEFAULT)) == default {
        section(&mut metadata).shift_remove("main_language");
    }
    let filter = option(&metadata, "cell_metadata_filter").cloned();
    let as_json = is_set(&metadata, "cell_metadata_json").unwrap_or(false);
    let escape = is_set(&metadata, "comment_magics").unwrap_or(true);
    let mut out = first_lines(notebook, &mut metadata, &default);
    describe(&mut metadata, Format::Percent);
    let (header, held) = header::write(notebook, metadata, COMMENT);
    let before_cells = match held {
        1 => notebook.cells[0]
            .metadata
            .get("lines_to_next_cell")
            .and_then(Value::as_u64),
        _ => None,
    };
    let nothing_above = header.is_empty();
    out.extend(header);
    let cells = &notebook.cells[held..];
    let blank = match before_cells {
        Some(n) => usize::try_from(n).unwrap_or(1),
        None => usize::from(!nothing_above || cells.is_empty()),
    };
    out.extend(std::iter::repeat_n(String::new(), blank));
    for cell in cells {
        let cell = Outgoing::new(cell, &default, filter.as_ref());
        let blank = cell.blank.unwrap_or(1);
        out.extend(cell_lines(cell, &default, as_json, escape));
        out.extend(std::iter::repeat_n(String::new(), blank));
    }
    out.join("\n")
}

/// The lines above the header.
fn first_lines(
    notebook: &Notebook,
    metadata: &mut Map<String, Value>,
    default: &str,
) -> Vec<String> {
    let mut out = Vec::new();
    let Some(section) = metadata.get_mut("jupytext").and_then(Value::as_object_mut) else {
        let plain = notebook.cells.iter().all(|cell| cell.source.is_ascii());
        return match plain || default == "python" {
            true => out,
            false => vec!["// -*- coding: utf-8 -*-".to_owned()],
        };
    };
    if let Some(Value::String(program)) = section.shift_remove("executable") {
        out.push(format!("#!{program}"));
    }
    if let Some(Value::String(encoding)) = section.shift_remove("encoding") {
        out.push(encoding);
    } else if default != "python" && notebook.cells.iter().any(|cell| !cell.source.is_ascii()) {
        out.push("// -*- coding: utf-8 -*-".to_owned());
    }
    out
}

fn cell_lines(mut cell: Outgoing, default: &str, as_json: bool, escape: bool) -> Vec<String> {
    let same = crate::twin::text::languages::usual(&cell.language)
        == crate::twin::text::languages::usual(default);
    let active = is_active(EXTENSION, &cell.metadata, same);
    if cell.kind == CellKind::Raw && cell.metadata.get("active") == Some(&Value::from("")) {
        cell.metadata.shift_remove("active");
    }
    let code = cell.is_code();
    let mut title = Vec::new();
    if let Some(depth) = cell.metadata.shift_remove("cell_depth") {
        let depth = depth.as_u64().and_then(|n| usize::try_from(n).ok());
        title.push("%".repeat(depth.unwrap_or(0).min(100)));
    }
    if let Some(Value::String(text)) = cell.metadata.shift_remove("title") {
        title.push(text);
    }
    if !code {
        let region = cell.metadata.shift_remove("region_name");
        let kind = match cell.kind {
            CellKind::Raw => "raw",
            _ => "markdown",
        };
        title.push(format!(
            "[{}]",
            region.as_ref().and_then(Value::as_str).unwrap_or(kind)
        ));
    }
    let options = options::write(&title.join(" "), &cell.metadata, as_json);
    let mut indent = "";
    let first = cell.lines.first().cloned().unwrap_or_default();
    if code && active && !is_blank(&first) {
        indent = &first[..first.len() - strip_start(&first).len()];
    }
    let space = match options.is_empty() || options.starts_with('%') {
        true => "",
        false => " ",
    };
    let mut out = vec![format!("{indent}{COMMENT} %%{space}{options}")];
    if !(code && active) {
        out.extend(comment(&cell.lines, COMMENT));
        return out;
    }
    magics::comment(&mut cell.lines, &cell.language, escape);
    if cell.lines != [""] {
        out.extend(cell.lines);
    }
    out
}

/// The text after `// %%` in a line that begins a cell.
fn marker(line: &str) -> Option<&str> {
    let rest = strip_start(strip_start(line).strip_prefix(COMMENT)?);
    if let Some(options) = rest.strip_prefix("%%") {
        let after = options.trim_start_matches('%');
        return match after.chars().next() {
            None if after.len() == options.len() => Some(""),
            None => None,
            Some(c) => is_space(c).then_some(options),
        };
    }
    let old = rest.strip_prefix("<codecell>").is_some_and(is_blank)
        || rest
            .strip_prefix("In[")
            .and_then(|rest| rest.split_once(']'))
            .is_some_and(|(count, rest)| {
                let rest = rest.strip_prefix(':').unwrap_or(rest);
                count.chars().all(|c| c.is_ascii_digit() || c == ' ') && is_blank(rest)
            });
    old.then_some("")
}

/// The notebook of a text.
///
/// # Errors
/// A header that is not YAML, a header of another format, and a text without a cell marker.
pub fn read(text: &str) -> Result<Notebook, Fault> {
    let all = lines(text);
    let header = header::read(&all, Format::Percent)?;
    let named = option(&header.metadata, "text_representation")
        .and_then(|found| found.get("format_name"))
        .and_then(Value::as_str);
    if let Some(name) = named.filter(|name| !["percent", "hydrogen"].contains(name)) {
        return Err(Fault {
            line: 1,
            reason: format!(
                "jupytext's {name} format is not read; convert it with \
                 `jupytext --to rs:percent` (cells begin with `// %%`)"
            ),
        });
    }
    if named.is_none() && !all.iter().any(|line| marker(line).is_some()) {
        return Err(Fault {
            line: 0,
            reason: "not a notebook: no line begins a cell with `// %%`".to_owned(),
        });
    }
    let default = language(&header.metadata).unwrap_or(DEFAULT.to_owned());
    let escape = is_set(&header.metadata, "comment_magics").unwrap_or(named != Some("hydrogen"));
    let mut notebook = Notebook::new();
    notebook.metadata = header.metadata;
    notebook.cells.extend(header.cell);
    let mut rest = &all[header.next..];
    let mut as_json = false;
    while !rest.is_empty() {
        let (cell, json) = read_cell(rest, &default, escape);
        as_json |= json;
        rest = &rest[cell.next..];
        notebook.cells.push(cell.into_cell());
    }
    finish(&mut notebook, Some(DEFAULT), header.jupyter, as_json);
    Ok(notebook)
}

fn read_cell(lines: &[String], default: &str, escape: bool) -> (Incoming, bool) {
    let found = marker(&lines[0]);
    let (mut metadata, as_json) = match found {
        Some(text) => (title_and_metadata(text), options::is_json(text)),
        None => (Map::new(), false),
    };
    let language = metadata.shift_remove("language");
    let language = language.and_then(|name| name.as_str().map(str::to_owned));
    let mut prefix = COMMENT;
    let kind = match metadata
        .shift_remove("cell_type")
        .as_ref()
        .and_then(Value::as_str)
    {
        Some("markdown") => CellKind::Markdown,
        Some(_) => CellKind::Raw,
        None if !is_active("ipynb", &metadata, true) => {
            if metadata.get("active") == Some(&Value::from("")) {
                metadata.shift_remove("active");
            }
            if is_active(EXTENSION, &metadata, true) {
                prefix = "";
            }
            CellKind::Raw
        }
        None => CellKind::code(),
    };
    let is_code = matches!(kind, CellKind::Code { .. });
    let parser_language = language.as_deref().unwrap_or(default);
    let (end, next) = cell_end(lines, is_code, parser_language, prefix);
    let mut source = lines[usize::from(found.is_some()).min(end)..end].to_vec();
    let other = language.as_deref().is_some_and(|name| name != default);
    let uncommented = |lines: Vec<String>, prefix: &str| -> Vec<String> {
        lines
            .iter()
            .map(|line| uncomment(line, prefix).to_owned())
            .collect()
    };
    if !is_active(EXTENSION, &metadata, true) || (!metadata.contains_key("active") && other) {
        source = uncommented(source, prefix);
    } else {
        if escape {
            magics::uncomment(&mut source, parser_language, true);
        }
        match is_code {
            true => magics::unescape_start(&mut source, parser_language),
            false => source = uncommented(source, prefix),
        }
    }
    let blank = blank_lines(end, next, lines.len(), false);
    let cell = Incoming {
        kind,
        lines: source,
        metadata,
        language,
        blank,
        next,
    };
    (cell, as_json)
}

/// The end of the first cell, and the beginning of the next one.
fn cell_end(lines: &[String], is_code: bool, language: &str, prefix: &str) -> (usize, usize) {
    let mut next = lines.len();
    let mut quotes = Quotes::new(language);
    let mut fence: Option<Fence> = None;
    for (i, line) in lines.iter().enumerate() {
        let quoted = quotes.is_quoted();
        quotes.read_line(line);
        if quoted {
            continue;
        }
        if !is_code {
            let text = uncomment(line, prefix);
            if let Some(open) = fence {
                if open.is_closed_by(text) {
                    fence = None;
                }
                continue;
            }
            if let Some(open) = Fence::opened_by(text)
                && lines[i + 1..]
                    .iter()
                    .any(|line| open.is_closed_by(uncomment(line, prefix)))
            {
                fence = Some(open);
                continue;
            }
        }
        if i > 0 && marker(line).is_some() {
            next = i;
            break;
        }
    }
    if ends_with_two_blank(&lines[..next]) {
        return (next - 2, next);
    }
    match next > 0 && lines[next - 1].is_empty() {
        true => (next - 1, next),
        false => (next, next),
    }
}

/// The start of a code block within Markdown: its character and its length.
#[derive(Clone, Copy)]
struct Fence(char, usize);

impl Fence {
    fn split(text: &str) -> Option<(Fence, &str)> {
        let rest = text.trim_start_matches(' ');
        let mark = rest.chars().next().filter(|c| ['`', '~'].contains(c))?;
        let after = rest.trim_start_matches(mark);
        let length = rest.len() - after.len();
        (text.len() - rest.len() <= 3 && length >= 3).then_some((Fence(mark, length), after))
    }

    fn opened_by(text: &str) -> Option<Fence> {
        let (fence, info) = Self::split(text)?;
        (fence.0 == '~' || !info.contains('`')).then_some(fence)
    }

    fn is_closed_by(self, text: &str) -> bool {
        Self::split(text)
            .is_some_and(|(fence, info)| fence.0 == self.0 && fence.1 >= self.1 && is_blank(info))
    }
}

/// The options of a marker: `[markdown]` and a title become metadata, too.
fn title_and_metadata(text: &str) -> Map<String, Value> {
    let (mut title, mut metadata) = options::read_with_title(text);
    for (mark, kind) in [
        ("[markdown]", "markdown"),
        ("[raw]", "raw"),
        ("[md]", "markdown"),
    ] {
        if title.contains(mark) {
            title = crate::twin::text::python::strip(&title.replace(mark, "")).to_owned();
            metadata.insert("cell_type".to_owned(), kind.into());
            if mark == "[md]" {
                metadata.insert("region_name".to_owned(), "md".into());
            }
            break;
        }
    }
    let depth = title.len() - title.trim_start_matches('%').len();
    if depth > 0 {
        metadata.insert("cell_depth".to_owned(), depth.into());
        title = crate::twin::text::python::strip(&title[depth..]).to_owned();
    }
    if !title.is_empty() {
        metadata.insert("title".to_owned(), title.into());
    }
    metadata
}
