//! Converts a cell's outputs to HTML: for each, the best representation that a page can show, in
//! nbconvert's order of preference.
//! Source: nbconvert's `HTMLExporter.display_data_priority`.

use super::ansi;
use super::charts;
use super::dom;
use super::escape::{Escaped, escape};
use super::extract::Formula;
use super::image::data_uri;
use super::markdown::Markdown;
use crate::live::page as live;
use crate::notebook::{MimeBundle, Output, OutputKind};
use serde_json::Value;
use std::fmt::Write;

/// Representations in order of preference.
const PREFERENCE: [&str; 12] = [
    "text/html",
    "text/markdown",
    "image/svg+xml",
    "text/latex",
    "image/png",
    "image/jpeg",
    "image/webp",
    "image/gif",
    "image/avif",
    "image/bmp",
    "text/plain",
    "application/json",
];

/// One output as a block of the page, with all tags closed: the best representation that a page
/// can show, or a note about the one that it cannot. `None` for an empty output. `alt` is the
/// alternative text of a picture.
pub fn to_html(output: &Output, markdown: &mut Markdown, alt: Option<&str>) -> Option<String> {
    match &output.kind {
        OutputKind::Stream { name, text } => Some(format!(
            "<pre class=\"output stream {}\"{}>{}</pre>\n",
            name.as_str(),
            reached(text),
            ansi::to_html(text.trim_end_matches('\n'))
        )),
        OutputKind::Display { data, .. } | OutputKind::ExecuteResult { data, .. } => {
            bundle(data, markdown, alt)
        }
        OutputKind::Error {
            ename,
            evalue,
            traceback,
        } => Some(error(ename, evalue, traceback)),
    }
}

/// A long text scrolls, so it must be reachable by keyboard.
fn reached(text: &str) -> &'static str {
    match text.lines().nth(20) {
        Some(_) => " tabindex=\"0\"",
        None => "",
    }
}

/// Whether the output contains HTML that may hold scripts.
pub fn may_hold_scripts(output: &Output) -> bool {
    match &output.kind {
        OutputKind::Display { data, .. } | OutputKind::ExecuteResult { data, .. } => {
            let html = ["text/html", "image/svg+xml"].iter();
            html.filter_map(|mime| data.get(*mime)?.as_str())
                .any(looks_scripted)
        }
        OutputKind::Stream { .. } | OutputKind::Error { .. } => false,
    }
}

/// Whether some HTML has a script, a script address, or something like an event handler
/// (`onclick=`), which may also be plain text.
fn looks_scripted(html: &str) -> bool {
    let html = html.to_ascii_lowercase();
    let handler = |rest: &str| {
        let name = rest.trim_start_matches(|c: char| c.is_ascii_lowercase());
        name.len() < rest.len() && name.trim_start().starts_with('=')
    };
    let after = |(at, _): (usize, &str)| {
        let before = html[..at].chars().next_back();
        let apart = before.is_none_or(|c| !c.is_alphanumeric());
        apart && handler(&html[at + 2..])
    };
    ["<script", "javascript:", "srcdoc"]
        .iter()
        .any(|word| html.contains(word))
        || html.match_indices("on").any(after)
}

fn error(ename: &str, evalue: &str, traceback: &[String]) -> String {
    let trace = traceback.join("\n");
    let mut html =
        String::from("<div class=\"output error\" role=\"group\" aria-label=\"Error\">\n");
    // The trace of a compiler or a panic contains the message; others need a heading.
    if !trace.contains(evalue.trim()) || trace.trim().is_empty() {
        let _ = writeln!(
            html,
            "<p><strong>{}</strong>: {}</p>",
            Escaped(ename),
            ansi::to_html(evalue)
        );
    }
    if !trace.trim().is_empty() {
        let trace = ansi::to_html(trace.trim_end_matches('\n'));
        let _ = writeln!(html, "<pre>{trace}</pre>");
    }
    html + "</div>\n"
}

fn bundle(data: &MimeBundle, markdown: &mut Markdown, alt: Option<&str>) -> Option<String> {
    // Blank text does not replace something that the page cannot show.
    let said = |value: &&Value| value.as_str().is_none_or(|text| !text.trim().is_empty());
    let best = PREFERENCE.iter().find_map(|mime| {
        let value = data.get(*mime).filter(said)?;
        shown(mime, value, data, markdown, alt)
    });
    let best = best.map(|html| live::marked(html, data));
    best.or_else(|| missing(data))
}

/// One representation of an output; `None` for one that a page cannot show.
fn shown(
    mime: &str,
    value: &Value,
    data: &MimeBundle,
    markdown: &mut Markdown,
    alt: Option<&str>,
) -> Option<String> {
    match (mime, value.as_str()) {
        ("text/html", Some(html)) => Some(rich("html", &enclosed(html, markdown))),
        ("text/markdown", Some(text)) => {
            let html = markdown.render(text, &|_| None);
            Some(format!("<div class=\"output markdown\">{html}</div>\n"))
        }
        ("image/svg+xml", Some(svg)) => Some(svg_block(svg, markdown, alt)),
        ("text/latex", Some(latex)) => {
            Some(rich("latex", &markdown.mathematics.render(&formula(latex))))
        }
        ("text/plain", Some(text)) => Some(format!(
            "<pre class=\"output plain\"{}>{}</pre>\n",
            reached(text),
            ansi::to_html(text)
        )),
        ("application/json", _) => Some(format!(
            "<pre class=\"output plain\">{}</pre>\n",
            escape(&format!("{value:#}"))
        )),
        (mime, _) => picture(mime, value, data, alt),
    }
}

/// A note on the content of an output that the page cannot show.
fn missing(data: &MimeBundle) -> Option<String> {
    let blank = |value: &Value| value.as_str().is_some_and(|text| text.trim().is_empty());
    let types: Vec<_> = data
        .iter()
        .filter(|(mime, value)| !(mime.starts_with("text/") && blank(value)))
        .map(|(mime, _)| format!("<code>{}</code>", Escaped(mime)))
        .collect();
    if types.is_empty() {
        return None;
    }
    let types = types.join(", ");
    Some(format!(
        "<p class=\"output missing\">Not shown: an output of type {types}. This page can show \
         HTML, Markdown, LaTeX, text, JSON and images; open the notebook in Jupyter to see it.</p>\n"
    ))
}

/// An output's own HTML, with all tags closed.
fn enclosed(html: &str, markdown: &mut Markdown) -> String {
    let html = dom::enclose(html, &mut |id| {
        markdown.anchors.give(id);
    });
    charts::complete(&html)
}

/// A block that may be wider than the text.
fn rich(kind: &str, html: &str) -> String {
    format!("<div class=\"output {kind} wide\">{html}</div>\n")
}

fn picture(mime: &str, value: &Value, data: &MimeBundle, alt: Option<&str>) -> Option<String> {
    let source = data_uri(mime, value)?;
    let alt = alt.or_else(|| data.get("text/plain").and_then(Value::as_str));
    Some(format!(
        "<div class=\"output figure wide\"><img src=\"{source}\" alt=\"{}\"></div>\n",
        Escaped(alt.unwrap_or("figure"))
    ))
}

/// An inline SVG, so that its text can be selected and it can follow the page's colours;
/// otherwise it has a paper-coloured background in dark mode.
fn svg_block(svg: &str, markdown: &mut Markdown, alt: Option<&str>) -> String {
    // `<?xml ..?>` and `<!DOCTYPE ..>` are only for separate files.
    let start = svg.find("<svg").unwrap_or(0);
    let follows = [
        "currentColor",
        "prefers-color-scheme",
        "light-dark(",
        "var(--",
    ];
    let class = if follows.iter().any(|word| svg.contains(word)) {
        "output figure wide"
    } else {
        "output figure wide on-paper"
    };
    let svg = named(&enclosed(&svg[start..], markdown), alt);
    format!("<div class=\"{class}\">{svg}</div>\n")
}

/// An SVG as one picture with a label: `alt`, its own label, or "figure".
fn named(svg: &str, alt: Option<&str>) -> String {
    let Some(end) = svg.find('>').filter(|_| svg.starts_with("<svg")) else {
        return svg.to_owned();
    };
    let (head, rest) = svg.split_at(end);
    let label = head.find(" aria-label=\"");
    let mut head = match (alt, label) {
        (Some(_), Some(at)) => {
            let value = at + " aria-label=\"".len();
            let close = head[value..]
                .find('"')
                .map_or(head.len(), |end| value + end + 1);
            format!("{}{}", &head[..at], &head[close..])
        }
        _ => head.to_owned(),
    };
    if !head.contains(" aria-label=\"") {
        let _ = write!(head, " aria-label=\"{}\"", Escaped(alt.unwrap_or("figure")));
    }
    if !head.contains(" role=\"") {
        head.push_str(" role=\"img\"");
    }
    head + rest
}

/// The formula of a `text/latex` output, with any kind of delimiters.
fn formula(latex: &str) -> Formula {
    let trimmed = latex.trim();
    let inner = [("$$", "$$"), ("\\[", "\\]"), ("\\(", "\\)"), ("$", "$")]
        .into_iter()
        .find_map(|(open, close)| trimmed.strip_prefix(open)?.strip_suffix(close));
    Formula {
        source: trimmed.to_owned(),
        latex: inner.unwrap_or(trimmed).to_owned(),
        display: true,
    }
}
