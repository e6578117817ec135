//! A notebook as one self-contained HTML page, typeset like a paper: nothing is
//! fetched, nothing runs but what the notebook's own outputs bring along.

mod ansi;
pub mod dom;
pub mod escape;
mod extract;
mod image;
mod markdown;
mod math;
mod output;
mod provenance;

use crate::highlight;
use crate::notebook::inline;
use crate::notebook::{Cell, CellKind, Notebook, Output};
use dom::anchors::TOGGLE;
use escape::Escaped;
use markdown::{Heading, Markdown};
use math::Fault;
use std::fmt::Write;
use std::path::PathBuf;

const STYLE: &str = include_str!("style.css");

/// Headings below this level are not in the table of contents.
const DEEPEST: u8 = 3;

/// How a notebook becomes a page.
#[derive(Debug, Clone)]
pub struct ExportOptions {
    /// The page's title; otherwise the first heading of level one, then "Notebook".
    pub title: Option<String>,
    /// Where images named in Markdown are looked up: the notebook's folder.
    pub folder: Option<PathBuf>,
    /// Code of more lines than this is folded away until asked for.
    pub fold_lines: usize,
}

impl Default for ExportOptions {
    fn default() -> Self {
        ExportOptions {
            title: None,
            folder: None,
            fold_lines: 30,
        }
    }
}

/// A notebook's page, and the formulas that it shows as their source.
pub struct Page {
    pub html: String,
    pub faults: Vec<Fault>,
}

/// The page.
///
/// Cells are shown as Jupyter Book shows them: those tagged `remove-cell` are left
/// out, `remove-input` and `remove-output` drop a part, `hide-cell`, `hide-input`
/// and `hide-output` fold one away. A notebook with nothing to show gives a page
/// that says so.
pub fn page(notebook: &Notebook, options: &ExportOptions) -> Page {
    let mut markdown = Markdown::default();
    let mut body = String::new();
    let mut scripts = false;
    for cell in &notebook.cells {
        if cell.has_tag("remove-cell") {
            continue;
        }
        match &cell.kind {
            CellKind::Markdown => {
                let image =
                    |address: &str| image::resolve(address, cell, options.folder.as_deref());
                let source = inline::with_values(&cell.source, cell);
                let text = markdown.render(&source, &image);
                if !text.trim().is_empty() {
                    let text = match cell.has_tag("hide-cell") {
                        true => fold("hidden", "show the text", &text),
                        false => text,
                    };
                    let _ = writeln!(body, "<section class=\"cell text\">\n{text}</section>");
                }
            }
            CellKind::Code { outputs, .. } => {
                let shown = !cell.has_tag("remove-output");
                scripts |= shown && outputs.iter().any(output::may_hold_scripts);
                code_cell(&mut body, cell, &mut markdown, options);
            }
            // Raw cells are for other converters (LaTeX, RST).
            CellKind::Raw => {}
        }
    }
    if body.is_empty() {
        let why = match notebook.cells.is_empty() {
            true => "This notebook has no cells.",
            false => "This notebook has no cells to show.",
        };
        let _ = writeln!(
            body,
            "<section class=\"cell text\"><p class=\"nothing\">{why}</p></section>"
        );
    }
    let html = assemble(notebook, options, &markdown.headings, &body, scripts);
    let html = markdown.anchors.resolve(&html);
    let (html, faults) = markdown.mathematics.finish(&html);
    Page { html, faults }
}

fn code_cell(body: &mut String, cell: &Cell, markdown: &mut Markdown, options: &ExportOptions) {
    let id = markdown.anchors.want(format!("cell-{}", cell.id)).id();
    let mut html = String::new();
    let source = cell.source.trim_end();
    if !source.trim().is_empty() && !cell.has_tag("remove-input") {
        let lines = source.lines().count();
        let folded = cell.has_tag("hide-input") || lines > options.fold_lines;
        html = input(cell, source, !folded);
    }
    if !cell.has_tag("remove-output") {
        let outputs = outputs(cell.outputs(), markdown);
        html += &match cell.has_tag("hide-output") && !outputs.is_empty() {
            true => fold("outputs", "show the output", &outputs),
            false => outputs,
        };
    }
    if html.is_empty() {
        return;
    }
    if cell.has_tag("hide-cell") {
        html = fold("hidden", "show the cell", &html);
    }
    let _ = writeln!(
        body,
        "<section class=\"cell code\" id=\"{id}\">\n{html}</section>"
    );
}

/// A cell's code, with its count and how long it ran above it.
fn input(cell: &Cell, source: &str, open: bool) -> String {
    let lines = source.lines().count();
    let count = match cell.execution_count() {
        Some(count) => format!("[{count}]"),
        None => "[ ]".to_owned(),
    };
    let mut facts = format!("{lines} {}", if lines == 1 { "line" } else { "lines" });
    if let Some(seconds) = cell.seconds() {
        let _ = write!(facts, " · {}", provenance::duration(seconds));
    }
    format!(
        "<details class=\"source\"{}>\n<summary><span class=\"count\">{count}</span> \
         <span class=\"facts\">{facts}</span></summary>\n\
         <pre class=\"code\"><code>{}</code></pre>\n</details>\n",
        if open { " open" } else { "" },
        highlight::to_html(source)
    )
}

fn outputs(outputs: &[Output], markdown: &mut Markdown) -> String {
    let outputs = outputs.iter();
    let shown = outputs.filter_map(|output| output::to_html(output, markdown));
    shown.collect()
}

/// A part of a cell, folded away until asked for.
fn fold(class: &str, label: &str, html: &str) -> String {
    format!("<details class=\"fold {class}\">\n<summary>{label}</summary>\n{html}</details>\n")
}

fn assemble(
    notebook: &Notebook,
    options: &ExportOptions,
    headings: &[Heading],
    body: &str,
    scripts: bool,
) -> String {
    let first = headings.iter().find(|heading| heading.level == 1);
    let title = options.title.as_deref();
    let title = title
        .or(first
            .map(|h| h.text.as_str())
            .filter(|text| !text.is_empty()))
        .unwrap_or("Notebook");
    let script_policy = if scripts {
        " script-src 'unsafe-inline';"
    } else {
        ""
    };
    let heading = match first {
        Some(_) => String::new(),
        None => format!(
            "<section class=\"cell text\"><h1 class=\"title\">{}</h1></section>\n",
            Escaped(title)
        ),
    };
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'; img-src data:; media-src data:; font-src data:;\
         {script_policy} base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"generator\" content=\"holoscope {version}\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         {contents}<main>\n{heading}{body}{footer}</main>\n</body>\n</html>\n",
        version = env!("CARGO_PKG_VERSION"),
        title = Escaped(title),
        contents = contents(headings),
        footer = provenance::footer(notebook),
    )
}

/// The table of contents; nothing for a page of fewer than three sections. The
/// first heading of level one is the title and not a section.
fn contents(headings: &[Heading]) -> String {
    let title = headings.iter().position(|heading| heading.level == 1);
    let sections: Vec<_> = headings
        .iter()
        .enumerate()
        // One without words or pictures has nothing to click on.
        .filter(|(i, heading)| {
            Some(*i) != title && heading.level <= DEEPEST && !heading.html.is_empty()
        })
        .map(|(_, heading)| heading)
        .collect();
    if sections.len() < 3 {
        return String::new();
    }
    let mut above: Vec<u8> = Vec::new();
    let mut html = format!(
        "<input type=\"checkbox\" id=\"{TOGGLE}\" aria-label=\"Show or hide the contents\">\n\
         <nav class=\"contents\" aria-label=\"Contents\">\n\
         <label for=\"{TOGGLE}\">Contents</label>\n<ol>\n",
    );
    for heading in sections {
        // As deep as there are headings above it: where the sections of the title
        // are of level 2 and later ones of level 1, both begin at the left.
        above.retain(|level| *level < heading.level);
        let _ = writeln!(
            html,
            "<li class=\"depth-{}\"><a href=\"{}\">{}</a></li>",
            above.len(),
            Escaped(&heading.link),
            heading.html
        );
        above.push(heading.level);
    }
    html + "</ol>\n</nav>\n"
}

#[cfg(test)]
mod page_tests;
#[cfg(test)]
mod tests;
