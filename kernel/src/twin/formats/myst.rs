//! jupytext's MyST Markdown: `{code-cell}` directives, Markdown cells separated by `+++`.
//! Source: myst-nb.readthedocs.io, "Text-based notebooks".

mod blocks;

use super::markdown;
use crate::notebook::{Cell, CellKind, Notebook};
use crate::twin::format::{Format, describe};
use crate::twin::section::{option, section};
use crate::twin::text::python::{dumps, is_blank, lines, strip, strip_end, strip_start};
use crate::twin::yaml::{self, Fault, Node, Style};
use crate::twin::{filter, header};
use blocks::{Block, Kind};
use serde_json::{Map, Value, json};

const CODE: &str = "{code-cell}";
const RAW: &str = "{raw-cell}";
const FILTER: &str = "root_level_metadata_filter";

const STYLE: Style = Style {
    unicode: true,
    compact: true,
};

/// Whether the text of a Markdown file is MyST.
pub fn matches(text: &str) -> bool {
    if let Some((matter, _)) = blocks::front_matter(text)
        && let Ok(node) = yaml::read(&matter)
    {
        let metadata = node.into_json();
        let inner = metadata.get("jupyter").unwrap_or(&metadata);
        let name = inner.pointer("/jupytext/text_representation/format_name");
        if let Some(name) = name.and_then(Value::as_str) {
            return name == "myst";
        }
    }
    let fences = blocks::blocks(text).into_iter();
    let mut infos = fences.filter_map(|block| match block.kind {
        Kind::Fence { info, .. } => Some(info),
        Kind::Break(_) => None,
    });
    infos.any(|info| info.starts_with(CODE) || info.starts_with(RAW))
}

/// The text of a notebook.
pub fn write(notebook: &mut Notebook) -> String {
    let pygments = notebook.metadata.get("language_info");
    let pygments = pygments
        .and_then(|info| info.get("pygments_lexer"))
        .cloned();
    let mut metadata = notebook.metadata.clone();
    let default = match metadata.get_mut("jupytext").and_then(Value::as_object_mut) {
        Some(section) => section.shift_remove("default_lexer"),
        None => None,
    };
    let lexer = pygments.or(default);
    let lexer = lexer.as_ref().and_then(Value::as_str);
    let cell_filter = option(&metadata, "cell_metadata_filter").cloned();
    describe(&mut metadata, Format::Myst);
    metadata.sort_keys();
    let (matter, held) = with_front_matter(notebook, metadata);
    let is_empty = matter.is_empty();
    let mut out = match is_empty {
        true => String::new(),
        false => dump(&Node::Map(matter), false),
    };
    let mut after_markdown = false;
    for cell in &notebook.cells[held..] {
        let metadata = filter::filter(&cell.metadata, cell_filter.as_ref(), filter::CELL);
        match cell.kind {
            CellKind::Markdown => {
                match (metadata.is_empty(), after_markdown) {
                    (false, _) => out += &format!("\n+++ {}\n", dumps(&metadata.into())),
                    (true, true) => out += "\n+++\n",
                    (true, false) => {}
                }
                out.push('\n');
                push_source(&mut out, &cell.source);
            }
            _ => push_directive(&mut out, cell, &metadata, lexer),
        }
        after_markdown = cell.kind == CellKind::Markdown;
    }
    let out = match is_empty {
        true => out.strip_prefix('\n').unwrap_or(&out),
        false => &out,
    };
    format!("{}\n", strip_end(out))
}

fn push_source(out: &mut String, source: &str) {
    out.push_str(source);
    if !source.ends_with('\n') {
        out.push('\n');
    }
}

fn push_directive(
    out: &mut String,
    cell: &Cell,
    metadata: &Map<String, Value>,
    lexer: Option<&str>,
) {
    let fence = markdown::fence(&lines(&cell.source));
    let (directive, lexer) = match cell.is_code() {
        true => (CODE, lexer),
        false => (RAW, None),
    };
    let lexer = lexer.map(|name| format!(" {name}")).unwrap_or_default();
    *out += &format!("\n{fence}{directive}{lexer}\n");
    if !metadata.is_empty() {
        *out += &dump(&Node::from(metadata), true);
    } else if cell.source.starts_with("---") || cell.source.starts_with(':') {
        out.push('\n');
    }
    push_source(out, &cell.source);
    *out += &format!("{fence}\n");
}

/// A map as `:key: value` lines where it is flat, and between `---` otherwise.
fn dump(node: &Node, options: bool) -> String {
    let text = yaml::emit(node, STYLE);
    let lines = lines(&text);
    let flat = lines
        .iter()
        .all(|line| line.starts_with(char::is_alphabetic));
    match options && flat {
        true => {
            let lines: String = lines.iter().map(|line| format!(":{line}\n")).collect();
            format!("{lines}\n")
        }
        false => format!("---\n{text}---\n"),
    }
}

/// The front matter, from the first raw cell and the notebook's metadata; also the number of cells that it includes.
fn with_front_matter(
    notebook: &Notebook,
    metadata: Map<String, Value>,
) -> (Vec<(String, Node)>, usize) {
    let user = option(&metadata, FILTER).cloned();
    let mut above = filter::filter(&metadata, user.as_ref(), filter::ALL);
    let below: Map<String, Value> = metadata
        .into_iter()
        .filter(|(key, _)| !above.contains_key(key))
        .collect();
    if !below.is_empty() {
        above.insert("jupyter".to_owned(), below.into());
    }
    let first = notebook.cells.first();
    let own = first.filter(|cell| header::front_matter(cell).is_some());
    let own = own.and_then(|cell| match yaml::read(&cell.source) {
        Ok(Node::Map(entries)) => Some(entries),
        _ => None,
    });
    let Some(mut matter) = own else {
        return (Node::from(&above).into_entries(), 0);
    };
    if user.is_none() {
        let keys: Vec<&str> = matter.iter().map(|(key, _)| key.as_str()).collect();
        let hidden = format!("-{}", keys.join(",-"));
        section(&mut above).insert(FILTER.to_owned(), hidden.into());
    }
    update(&mut matter, Node::from(&above).into_entries(), false);
    (matter, 1)
}

/// Merges entries into others, recursively for maps; with `over`, existing values are replaced.
fn update(target: &mut Vec<(String, Node)>, entries: Vec<(String, Node)>, over: bool) {
    for (key, value) in entries {
        let old = target.iter_mut().find(|(known, _)| *known == key);
        match (old, value) {
            (Some(_), Node::Null) => target.retain(|(known, _)| *known != key),
            (None, Node::Null) => {}
            (Some((_, Node::Map(old))), Node::Map(new)) => update(old, new, over),
            (Some((_, old)), value) if over => *old = value,
            (Some(_), _) => {}
            (None, value) => target.push((key, value)),
        }
    }
}

/// The notebook of a text.
///
/// # Errors
/// Options or front matter that are not YAML, with their line.
pub fn read(text: &str) -> Result<Notebook, Fault> {
    let mut notebook = Notebook::new();
    let mut start = 0;
    let mut metadata = Vec::new();
    if let Some((matter, next)) = blocks::front_matter(text) {
        let node = yaml::read(&matter).map_err(|fault| Fault {
            line: fault.line + 1,
            reason: format!("the front matter is not YAML: {}", fault.reason),
        })?;
        metadata = node.into_entries();
        start = next;
    }
    let lines = lines(text);
    let mut lexer: Option<String> = None;
    let mut of_markdown = Map::new();
    let flush = |cells: &mut Vec<Cell>, from: usize, to: usize, metadata: Map<String, Value>| {
        let to = to.min(lines.len());
        let text = lines[from.min(to)..to].join("\n");
        let source = strip_end(&text).trim_start_matches('\n');
        if !source.is_empty() {
            let mut cell = Cell::of(CellKind::Markdown, source);
            cell.metadata = metadata;
            cells.push(cell);
        }
    };
    for Block { first, next, kind } in blocks::blocks(text) {
        match kind {
            Kind::Fence { info, content } => {
                let (kind, rest) = match (info.strip_prefix(CODE), info.strip_prefix(RAW)) {
                    (Some(rest), _) => (CellKind::code(), rest),
                    (_, Some(_)) => (CellKind::Raw, ""),
                    _ => continue,
                };
                flush(
                    &mut notebook.cells,
                    start,
                    first,
                    std::mem::take(&mut of_markdown),
                );
                if !strip(rest).is_empty() {
                    lexer.get_or_insert_with(|| strip(rest).to_owned());
                }
                let (options, body) = directive(&content).map_err(|fault| Fault {
                    line: first + 1 + fault.line,
                    reason: format!("the cell's options are not YAML: {}", fault.reason),
                })?;
                let mut cell = Cell::of(kind, body);
                cell.metadata = options;
                notebook.cells.push(cell);
                start = next;
            }
            Kind::Break(text) => {
                flush(
                    &mut notebook.cells,
                    start,
                    first,
                    std::mem::take(&mut of_markdown),
                );
                of_markdown = match (text.is_empty(), serde_json::from_str(&text)) {
                    (true, _) => Map::new(),
                    (false, Ok(Value::Object(map))) => map,
                    (false, _) => {
                        return Err(Fault {
                            line: first + 1,
                            reason: format!("behind `+++` stands no JSON object: {text}"),
                        });
                    }
                };
                start = next;
            }
        }
    }
    flush(&mut notebook.cells, start, lines.len(), of_markdown);
    place_metadata(&mut notebook, metadata, lexer);
    Ok(notebook)
}

/// Separates the notebook's metadata from the article's, which become a raw cell.
fn place_metadata(notebook: &mut Notebook, mut matter: Vec<(String, Node)>, lexer: Option<String>) {
    let known = matter.iter().any(|(key, _)| key == "language_info");
    if let Some(lexer) = lexer.filter(|_| !known) {
        let alone = matter.is_empty();
        let mut jupytext = json!({"default_lexer": lexer});
        if alone {
            jupytext["notebook_metadata_filter"] = "-all".into();
        }
        let more = json!({"jupyter": {"jupytext": jupytext}});
        update(&mut matter, Node::from(&more).into_entries(), true);
    }
    let inner = matter.iter().position(|(key, _)| key == "jupyter");
    let mut metadata = match inner.map(|at| matter.remove(at).1.into_json()) {
        Some(Value::Object(map)) => map,
        _ => Map::new(),
    };
    let plain = Node::Map(matter.clone()).into_json();
    let plain = plain.as_object().cloned().unwrap_or_default();
    let user = option(&plain, FILTER)
        .or(option(&metadata, FILTER))
        .cloned();
    let above = filter::filter(&plain, user.as_ref(), filter::ALL);
    let (ours, own): (Vec<_>, Vec<_>) = matter
        .into_iter()
        .partition(|(key, _)| above.contains_key(key));
    let mut merged = Node::from(&metadata).into_entries();
    update(&mut merged, ours, true);
    if let Value::Object(map) = Node::Map(merged).into_json() {
        metadata = map;
    }
    if !own.is_empty() {
        let text = yaml::emit(&Node::Map(own), Style::default());
        notebook
            .cells
            .insert(0, Cell::raw(format!("---\n{text}---")));
    }
    notebook.metadata = metadata;
}

/// The options and the source of a directive.
fn directive(content: &str) -> Result<(Map<String, Value>, String), Fault> {
    let mut all = lines(content);
    let has_options = content.starts_with("---") || strip_start(content).starts_with(':');
    if has_options && all.last().is_some_and(String::is_empty) {
        // Joining and splitting drops an empty last line.
        all.pop();
    }
    let (yaml, mut body, above) = if content.starts_with("---") {
        let close = all.iter().skip(1).position(|line| line.starts_with("---"));
        match close.map(|at| at + 1) {
            Some(at) => {
                // Text after the closing dashes, on the same line, belongs to the source.
                let rest = all[at].trim_start_matches('-');
                let mut body = all[at + 1..].to_vec();
                if rest.chars().count() > 1 {
                    body.insert(0, rest.chars().skip(1).collect());
                }
                (all[1..at].to_vec(), body, 1)
            }
            None => (all.get(1..).unwrap_or_default().to_vec(), Vec::new(), 1),
        }
    } else if strip_start(content).starts_with(':') {
        let is_option = |line: &&String| strip_start(line).starts_with(':');
        let options: Vec<String> = all
            .iter()
            .take_while(is_option)
            .map(|line| strip_start(line)[1..].to_owned())
            .collect();
        let body = all[options.len()..].to_vec();
        (options, body, 0)
    } else {
        (Vec::new(), all, 0)
    };
    let yaml = dedent(&yaml).join("\n");
    let options = yaml::read(&yaml).map_err(|fault| Fault {
        line: fault.line + above,
        ..fault
    })?;
    if body.first().is_some_and(|line| is_blank(line)) {
        body.remove(0);
    }
    let options = match options.into_json() {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    Ok((options, body.join("\n")))
}

/// Removes the common indentation.
fn dedent(lines: &[String]) -> Vec<String> {
    let full = lines.iter().filter(|line| !is_blank(line));
    let shared = full
        .map(|line| line.len() - line.trim_start_matches([' ', '\t']).len())
        .min();
    let shared = shared.unwrap_or(0);
    lines
        .iter()
        .map(|line| line.get(shared..).unwrap_or_default().to_owned())
        .collect()
}
