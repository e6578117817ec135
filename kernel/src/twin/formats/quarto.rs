//! Quarto's documents: `{rust}` fences, whose options are lines that begin with `#|`. These are
//! the rules of `quarto convert`; they are not tested against Quarto here.
//! Source: quarto.org, "Notebooks"; quarto-cli, src/core/jupyter/jupyter.ts (`quartoMdToJupyter`).

use super::markdown;
use crate::notebook::{Cell, CellKind, Notebook, option_mark};
use crate::twin::section::option;
use crate::twin::text::python::{is_blank, lines};
use crate::twin::yaml::{self, Fault, Node, Style};
use crate::twin::{filter, header};
use serde_json::{Map, Value, json};

const STYLE: Style = Style {
    unicode: true,
    compact: true,
};

/// Metadata that only a notebook contains.
const NOT_WRITTEN: [&str; 2] = ["holoscope", "user_expressions"];

/// Cell options that Quarto supports: they stay in the source; other keys are metadata.
const OPTIONS: [&str; 41] = [
    "eval",
    "echo",
    "warning",
    "error",
    "output",
    "include",
    "label",
    "classes",
    "panel",
    "column",
    "fig-cap",
    "fig-subcap",
    "fig-scap",
    "fig-align",
    "fig-alt",
    "fig-link",
    "fig-env",
    "fig-pos",
    "fig-column",
    "fig-cap-location",
    "lst-label",
    "lst-cap",
    "out-width",
    "out-height",
    "code-fold",
    "code-summary",
    "code-overflow",
    "code-line-numbers",
    "layout",
    "layout-ncol",
    "layout-nrow",
    "layout-align",
    "layout-valign",
    "tbl-cap",
    "tbl-subcap",
    "tbl-colwidths",
    "tbl-column",
    "tbl-cap-location",
    "cap-location",
    "output-location",
    "renderings",
];

/// The text of a notebook.
pub fn write(notebook: &Notebook) -> String {
    let own = notebook.cells.first().and_then(header::front_matter);
    let held = usize::from(own.is_some());
    let mut out = vec!["---".to_owned()];
    let own = own.unwrap_or_default();
    let named = own.iter().any(|line| line.starts_with("jupyter:"));
    out.extend(own);
    if !named {
        let spec = notebook.metadata.get("kernelspec").cloned();
        let spec = spec.or(Notebook::new().metadata.get("kernelspec").cloned());
        let jupyter = Node::from(&json!({"jupyter": {"kernelspec": spec}}));
        out.extend(lines(&yaml::emit(&jupyter, STYLE)));
    }
    out.push("---".to_owned());
    let filter = option(&notebook.metadata, "cell_metadata_filter");
    for cell in &notebook.cells[held..] {
        out.push(String::new());
        match cell.kind {
            CellKind::Code { .. } => out.extend(code(cell, filter)),
            _ => out.extend(cell.source.split('\n').map(str::to_owned)),
        }
    }
    out.join("\n")
}

fn code(cell: &Cell, user: Option<&Value>) -> Vec<String> {
    let source: Vec<&str> = cell.source.split('\n').collect();
    let count = source
        .iter()
        .take_while(|line| option_mark(line).is_some())
        .count();
    let options: Vec<&str> = source[..count]
        .iter()
        .map(|line| &line[option_mark(line).unwrap_or_default()..])
        .collect();
    let written = yaml::read(&options.join("\n"))
        .map(Node::into_json)
        .unwrap_or_default();
    let mut metadata = filter::filter(&cell.metadata, user, filter::CELL);
    metadata.retain(|key, _| {
        !NOT_WRITTEN.contains(&key.as_str()) && written.get(key.as_str()).is_none()
    });
    let body: Vec<String> = source.iter().map(|line| (*line).to_owned()).collect();
    let fence = markdown::fence(&body);
    let mut out = vec![format!("{fence}{{rust}}")];
    if !metadata.is_empty() {
        let text = yaml::emit(&Node::from(&metadata), STYLE);
        out.extend(lines(&text).iter().map(|line| format!("#| {line}")));
    }
    out.extend(
        options
            .iter()
            .map(|line| format!("#| {line}").trim_end().to_owned()),
    );
    out.extend(body[count..].iter().cloned());
    out.push(fence);
    out
}

/// The state of the reader.
enum State {
    Text,
    /// Between two `---` lines.
    Yaml,
    /// In a cell: its indent, and the number of backticks that end it.
    Cell(usize, usize),
    /// In a code block that is not a cell.
    Block(usize),
}

/// The notebook of a document.
///
/// # Errors
/// Front matter that is not YAML.
pub fn read(text: &str) -> Result<Notebook, Fault> {
    let all = lines(text);
    let mut notebook = Notebook::new();
    let mut state = State::Text;
    let mut held: Vec<String> = Vec::new();
    let mut in_matter = 0;
    let mut first = true;
    for (n, line) in all.iter().enumerate() {
        let next_blank = all.get(n + 1).is_none_or(|next| is_blank(next));
        match state {
            State::Yaml if header::is_fence(line) => {
                held.push(line.clone());
                let matter = std::mem::take(&mut held);
                match std::mem::take(&mut first) {
                    true => front_matter(&mut notebook, &matter, in_matter)?,
                    false => push(&mut notebook, CellKind::Raw, &matter),
                }
                state = State::Text;
            }
            State::Text if header::is_fence(line) && !next_blank => {
                push(
                    &mut notebook,
                    CellKind::Markdown,
                    &std::mem::take(&mut held),
                );
                held.push(line.clone());
                in_matter = n + 1;
                state = State::Yaml;
            }
            State::Text => match fence(line) {
                Some((indent, count, info)) if is_rust(info) => {
                    push(
                        &mut notebook,
                        CellKind::Markdown,
                        &std::mem::take(&mut held),
                    );
                    state = State::Cell(indent, count);
                }
                Some((_, count, _)) => {
                    held.push(line.clone());
                    state = State::Block(count);
                }
                None => held.push(line.clone()),
            },
            State::Cell(indent, count) => match fence(line) {
                Some((at, found, "")) if at <= indent && found >= count => {
                    push_code(&mut notebook, &std::mem::take(&mut held), indent);
                    state = State::Text;
                }
                _ => held.push(line.clone()),
            },
            State::Block(count) => {
                held.push(line.clone());
                if fence(line).is_some_and(|(_, found, info)| found >= count && info.is_empty()) {
                    state = State::Text;
                }
            }
            State::Yaml => held.push(line.clone()),
        }
    }
    match state {
        State::Cell(indent, _) => push_code(&mut notebook, &held, indent),
        _ => push(&mut notebook, CellKind::Markdown, &held),
    }
    Ok(notebook)
}

/// The indent of a fence, its number of backticks and the trimmed rest.
fn fence(line: &str) -> Option<(usize, usize, &str)> {
    let rest = line.trim_start();
    let info = rest.trim_start_matches('`');
    let count = rest.len() - info.len();
    (count >= 3).then(|| (line.len() - rest.len(), count, info.trim()))
}

/// Whether it is `{rust}`, with or without further words.
fn is_rust(info: &str) -> bool {
    let inner = info
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'));
    let rest = inner.and_then(|inner| inner.strip_prefix("rust"));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', ',']))
}

/// The metadata of the notebook under `jupyter`; the rest becomes a raw cell.
fn front_matter(notebook: &mut Notebook, matter: &[String], at: usize) -> Result<(), Fault> {
    let inner = matter[1..matter.len() - 1].join("\n");
    let node = yaml::read(&inner).map_err(|fault| Fault {
        line: at + fault.line,
        reason: format!("the front matter is not YAML: {}", fault.reason),
    })?;
    if let Value::Object(mut map) = node.into_json()
        && let Some(Value::Object(jupyter)) = map.shift_remove("jupyter")
    {
        notebook.metadata.extend(jupyter);
        if let Some(kernel) = notebook.metadata.shift_remove("kernel") {
            notebook.metadata["kernelspec"]["name"] = kernel;
        }
    }
    let mut kept = Vec::new();
    let mut skip = false;
    for line in matter {
        if !line.is_empty() && !line.starts_with([' ', '\t']) {
            skip = line.starts_with("jupyter:");
        }
        if !skip {
            kept.push(line.clone());
        }
    }
    if kept.len() > 2 {
        push(notebook, CellKind::Raw, &kept);
    }
    Ok(())
}

/// Adds a cell, unless it contains only blank lines.
fn push(notebook: &mut Notebook, kind: CellKind, lines: &[String]) {
    let first = lines.iter().position(|line| !is_blank(line));
    let last = lines.iter().rposition(|line| !is_blank(line));
    if let (Some(first), Some(last)) = (first, last) {
        notebook
            .cells
            .push(Cell::of(kind, lines[first..=last].join("\n")));
    }
}

fn push_code(notebook: &mut Notebook, lines: &[String], indent: usize) {
    let lines: Vec<String> = lines
        .iter()
        .map(|line| {
            let blank = line.len() - line.trim_start_matches(' ').len();
            line[blank.min(indent)..].to_owned()
        })
        .collect();
    let count = lines
        .iter()
        .take_while(|line| option_mark(line).is_some())
        .count();
    let bare = |line: &String| line[option_mark(line).unwrap_or_default()..].to_owned();
    let options: Vec<String> = lines[..count].iter().map(bare).collect();
    let mut written = match yaml::read(&options.join("\n")) {
        Ok(Node::Map(entries)) => entries,
        // Invalid YAML is preserved; exporting the page reports the fault.
        _ => {
            let marked = options.iter().map(|line| format!("//| {line}"));
            let source: Vec<String> = marked.chain(lines[count..].iter().cloned()).collect();
            return push(notebook, CellKind::code(), &source);
        }
    };
    let all = written.len();
    let mut metadata = Map::new();
    let mut id = None;
    written.retain(|(key, value)| {
        match key.as_str() {
            "id" => id = value.clone().into_json().as_str().map(str::to_owned),
            key if OPTIONS.contains(&key) => return true,
            _ => {
                metadata.insert(key.clone(), value.clone().into_json());
            }
        }
        false
    });
    let kept = match (written.len() < all, written.is_empty()) {
        (false, _) => options,
        (true, true) => Vec::new(),
        (true, false) => crate::twin::text::python::lines(&yaml::emit(&Node::Map(written), STYLE)),
    };
    let marked = kept.iter().map(|line| format!("//| {line}"));
    let source: Vec<String> = marked.chain(lines[count..].iter().cloned()).collect();
    let before = notebook.cells.len();
    push(notebook, CellKind::code(), &source);
    if let Some(cell) = notebook.cells.get_mut(before) {
        cell.metadata = metadata;
        cell.id = id.unwrap_or_default();
    }
}
