//! A code cell of the page: its code and its outputs.

use super::article::Place;
use super::article::cells::{self, Echo, Show, View};
use super::article::figures;
use super::escape::Escaped;
use super::markdown::Markdown;
use super::options::ExportOptions;
use super::output;
use super::provenance;
use crate::highlight;
use crate::notebook::options::without_options;
use crate::notebook::{Cell, CellOptions, Output, OutputKind, TextFault, inline};
use crate::report::progress;
use crate::run::output::event::{MimeBundle, StreamName};
use serde_json::{Map, Value};
use std::fmt::Write;

/// A cell as HTML.
#[derive(Debug, Default)]
pub struct Shown {
    pub html: String,
    /// Whether its outputs may hold scripts.
    pub scripts: bool,
}

/// Renders the `number`th cell of its notebook. `defaults` are options for cells that do
/// not set them.
///
/// # Errors
/// Options that cannot be read.
pub fn code(
    cell: &Cell,
    number: usize,
    markdown: &mut Markdown,
    page: &ExportOptions,
    defaults: Option<&Map<String, Value>>,
) -> Result<Shown, TextFault> {
    let mut options = CellOptions::of(cell, number)?;
    if let Some(defaults) = defaults {
        options.complete(defaults);
    }
    let mut view = cells::view(&options)?;
    let captions = [&mut view.caption, &mut view.lst_cap].into_iter().flatten();
    for text in captions.chain(&mut view.subcaptions).chain(&mut view.alts) {
        *text = inline::with_values(text, cell).into_owned();
    }
    let named = view
        .label
        .as_deref()
        .filter(|label| figures::kind(label).is_none());
    let id = match named {
        Some(label) => markdown.anchors.want(label).id(),
        None => markdown.anchors.want(format!("cell-{}", cell.id)).id(),
    };
    if !view.include {
        return Ok(Shown::default());
    }
    let place = |key: &str| Place {
        cell: number,
        line: options.line(key),
    };
    let mut html = String::new();
    let source = match view.echo {
        Echo::Yes => without_options(&cell.source).trim_end(),
        Echo::Fenced => cell.source.trim_end(),
        Echo::No => "",
    };
    if !source.trim().is_empty() && !cell.has_tag("remove-input") {
        let lines = source.lines().count();
        let folded = cell.has_tag("hide-input") || lines > page.fold_lines;
        let code = input(cell, source, view.open.unwrap_or(!folded), &view);
        html = view.listing(code, markdown, place("lst-label"));
    }
    let mut scripts = false;
    if !cell.has_tag("remove-output") && view.output != Show::No {
        scripts = cell.outputs().iter().any(output::may_hold_scripts);
        let outputs = outputs(cell.outputs(), &view, markdown, place("label"));
        html += &match cell.has_tag("hide-output") && !outputs.is_empty() {
            true => fold("outputs", "show the output", &outputs),
            false => outputs,
        };
    }
    if html.is_empty() {
        return Ok(Shown::default());
    }
    if cell.has_tag("hide-cell") {
        html = fold("hidden", "show the cell", &html);
    }
    let mut class = "cell code".to_owned();
    for name in &view.classes {
        let _ = write!(class, " {}", Escaped(name));
    }
    let html = format!("<section class=\"{class}\" id=\"{id}\">\n{html}</section>\n");
    Ok(Shown { html, scripts })
}

/// A cell's code, below its execution count and its run time.
fn input(cell: &Cell, source: &str, open: bool, view: &View) -> String {
    let lines = source.lines().count();
    let count = match cell.execution_count() {
        Some(count) => format!("[{count}]"),
        None => "[ ]".to_owned(),
    };
    let mut facts = format!("{lines} {}", if lines == 1 { "line" } else { "lines" });
    if let Some(seconds) = cell.seconds() {
        let _ = write!(facts, " · {}", provenance::duration(seconds));
    }
    let summary = view.summary.as_deref().map_or_else(String::new, |summary| {
        format!("<span class=\"summary\">{}</span> ", Escaped(summary))
    });
    format!(
        "<details class=\"source\"{}>\n<summary><span class=\"count\">{count}</span> \
         {summary}<span class=\"facts\">{facts}</span></summary>\n\
         <pre class=\"code{}\" tabindex=\"0\"><code>{}</code></pre>\n</details>\n",
        if open { " open" } else { "" },
        if view.wrap { " wrap" } else { "" },
        highlight::to_html(source)
    )
}

/// Whether it is the remaining progress line of a long loop, which belongs to no figure.
fn is_progress(data: &MimeBundle) -> bool {
    let html = data.get("text/html").and_then(serde_json::Value::as_str);
    let start = format!("<div class=\"{}\">", progress::CLASS);
    html.is_some_and(|html| html.starts_with(&start))
}

/// A cell's outputs; its display outputs become a figure or table if the options say so.
fn outputs(outputs: &[Output], view: &View, markdown: &mut Markdown, place: Place) -> String {
    let mut html = String::new();
    let mut parts = Vec::new();
    for output in outputs {
        let displayed = match &output.kind {
            OutputKind::Stream {
                name: StreamName::Stderr,
                ..
            } if !view.warning => continue,
            OutputKind::Stream {
                name: StreamName::Stdout,
                text,
            } if view.output == Show::AsIs => {
                let text = markdown.render(text, &|_| None);
                let _ = writeln!(html, "<div class=\"output markdown\">{text}</div>");
                continue;
            }
            OutputKind::Display { data, .. } => !is_progress(data),
            OutputKind::ExecuteResult { .. } => true,
            OutputKind::Stream { .. } | OutputKind::Error { .. } => false,
        };
        let alt = view.alt(parts.len()).filter(|_| displayed);
        let Some(shown) = output::to_html(output, markdown, alt) else {
            continue;
        };
        match displayed && (view.has_figure() || !view.layout.is_empty() || view.column.is_some()) {
            true => parts.push(shown),
            false => html += &shown,
        }
    }
    if view.has_figure() {
        html + &view.figure(parts, markdown, place)
    } else if parts.is_empty() {
        html
    } else {
        let parts = view.side_by_side(parts);
        let column = match view.column {
            Some(_) => view.column_class(),
            None => " wide".to_owned(),
        };
        format!("{html}<div class=\"outputs{column}\">\n{parts}</div>\n")
    }
}

/// A folded part of a cell.
pub fn fold(class: &str, label: &str, html: &str) -> String {
    format!("<details class=\"fold {class}\">\n<summary>{label}</summary>\n{html}</details>\n")
}
