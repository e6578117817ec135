//! What the options of a code cell mean for the page: which parts are shown, whether
//! they are folded, and with which caption and number.
//! Source: Quarto, "Jupyter Cell Options".

use super::Place;
use super::figures::{self, Heading, Whole};
use crate::export::escape::Escaped;
use crate::export::markdown::Markdown;
use crate::notebook::{CellOptions, TextFault};
use serde_json::Value;
use std::fmt::Write;

/// Whether code is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Echo {
    Yes,
    No,
    /// With its option lines.
    Fenced,
}

/// Whether and how output is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    Yes,
    No,
    /// Printed text is Markdown.
    AsIs,
}

/// How a cell is shown, according to its options.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    pub include: bool,
    pub echo: Echo,
    /// Whether the code starts unfolded; `None` where its length decides.
    pub open: Option<bool>,
    pub summary: Option<String>,
    pub wrap: bool,
    pub output: Show,
    /// Whether output to standard error is shown.
    pub warning: bool,
    pub label: Option<String>,
    pub classes: Vec<String>,
    pub column: Option<String>,
    pub caption: Option<String>,
    pub subcaptions: Vec<String>,
    /// Parts have letters even without captions (`fig-subcap: true`).
    pub lettered: bool,
    pub alts: Vec<String>,
    pub lst_label: Option<String>,
    pub lst_cap: Option<String>,
    pub layout: Vec<(&'static str, String)>,
}

const COLUMNS: [&str; 14] = [
    "margin",
    "page",
    "screen",
    "body",
    "body-outset",
    "body-outset-left",
    "body-outset-right",
    "page-left",
    "page-right",
    "page-inset",
    "screen-inset",
    "screen-inset-shaded",
    "screen-left",
    "screen-right",
];

/// Reads the options of a cell.
///
/// # Errors
/// An option with a value that it does not allow.
pub fn view(options: &CellOptions) -> Result<View, TextFault> {
    let label = options.text("label")?;
    let table = label
        .as_deref()
        .is_some_and(|label| label.starts_with("tbl-"))
        || (options.get("tbl-cap").is_some() && options.get("fig-cap").is_none());
    let (cap, subcap) = match table {
        true => ("tbl-cap", "tbl-subcap"),
        false => ("fig-cap", "fig-subcap"),
    };
    let lettered = options.get(subcap) == Some(&Value::Bool(true));
    Ok(View {
        include: options.flag("include")?.unwrap_or(true),
        echo: echo(options)?,
        open: fold(options)?,
        summary: options.text("code-summary")?,
        wrap: options.text("code-overflow")?.as_deref() == Some("wrap"),
        output: output(options)?,
        warning: options.flag("warning")?.unwrap_or(true),
        classes: classes(options)?,
        column: column(options)?,
        caption: options.text(cap)?.filter(|text| !text.trim().is_empty()),
        subcaptions: match lettered {
            true => Vec::new(),
            false => options.list(subcap)?,
        },
        lettered,
        alts: options.list("fig-alt")?,
        lst_label: lst_label(options)?,
        lst_cap: options.text("lst-cap")?,
        layout: layout(options)?,
        label: valid(options, "label", label)?,
    })
}

fn echo(options: &CellOptions) -> Result<Echo, TextFault> {
    match options.get("echo") {
        None | Some(Value::Bool(true)) => Ok(Echo::Yes),
        Some(Value::Bool(false)) => Ok(Echo::No),
        Some(Value::String(word)) if word == "fenced" => Ok(Echo::Fenced),
        Some(_) => Err(options.fault("echo", "true, false or fenced")),
    }
}

fn fold(options: &CellOptions) -> Result<Option<bool>, TextFault> {
    match options.get("code-fold") {
        None => Ok(None),
        Some(Value::Bool(fold)) => Ok(Some(!fold)),
        Some(Value::String(word)) if word == "show" => Ok(Some(true)),
        Some(_) => Err(options.fault("code-fold", "true, false or show")),
    }
}

fn output(options: &CellOptions) -> Result<Show, TextFault> {
    match options.get("output") {
        None | Some(Value::Bool(true)) => Ok(Show::Yes),
        Some(Value::Bool(false)) => Ok(Show::No),
        Some(Value::String(word)) if word == "asis" => Ok(Show::AsIs),
        Some(_) => Err(options.fault("output", "true, false or asis")),
    }
}

fn column(options: &CellOptions) -> Result<Option<String>, TextFault> {
    for key in ["fig-column", "tbl-column", "column"] {
        if let Some(column) = options.text(key)? {
            return match COLUMNS.contains(&column.as_str()) {
                true => Ok(Some(column).filter(|column| column != "body")),
                false => Err(options.fault(key, &format!("one of {}", COLUMNS.join(", ")))),
            };
        }
    }
    Ok(None)
}

/// Classes, written as a list or as in CSS: `.a .b`.
fn classes(options: &CellOptions) -> Result<Vec<String>, TextFault> {
    let given = options.list("classes")?;
    let words = given.iter().flat_map(|words| words.split([' ', ',']));
    let words = words.map(|word| word.trim_start_matches('.'));
    let fits = |word: &&str| {
        word.chars()
            .all(|c| c.is_alphanumeric() || "-_".contains(c))
    };
    Ok(words
        .filter(|w| !w.is_empty())
        .filter(fits)
        .map(str::to_owned)
        .collect())
}

fn lst_label(options: &CellOptions) -> Result<Option<String>, TextFault> {
    let label = options.text("lst-label")?;
    if label
        .as_deref()
        .is_some_and(|label| figures::kind(label) != Some("lst"))
    {
        return Err(options.fault("lst-label", "a label that begins with lst-"));
    }
    valid(options, "lst-label", label)
}

fn valid(
    options: &CellOptions,
    key: &str,
    label: Option<String>,
) -> Result<Option<String>, TextFault> {
    let fits = |c: char| c.is_alphanumeric() || "-_.:".contains(c);
    match &label {
        Some(label) if label.is_empty() || !label.chars().all(fits) => {
            Err(options.fault(key, "a word of letters, digits, `-`, `_`, `.` and `:`"))
        }
        _ => Ok(label),
    }
}

fn layout(options: &CellOptions) -> Result<Vec<(&'static str, String)>, TextFault> {
    let mut layout = Vec::new();
    for key in ["layout-ncol", "layout-nrow"] {
        if let Some(count) = options.count(key)? {
            layout.push((key, count.to_string()));
        }
    }
    if let Some(value) = options.get("layout") {
        let text = match value {
            Value::String(text) => text.clone(),
            value => value.to_string(),
        };
        layout.push(("layout", text));
    }
    let get = |key: &str| find(&layout, key);
    match figures::rows(&get, 1) {
        Ok(_) => Ok(layout),
        Err(reason) => Err(options.wrong("layout", reason)),
    }
}

fn find(layout: &[(&'static str, String)], key: &str) -> Option<String> {
    let found = layout.iter().find(|(name, _)| *name == key);
    found.map(|(_, value)| value.clone())
}

impl View {
    /// Whether the cell's display outputs become a figure or table.
    pub fn has_figure(&self) -> bool {
        let labelled = self.label.as_deref().and_then(figures::kind);
        labelled.is_some() || self.caption.is_some() || !self.subcaptions.is_empty()
    }

    /// The classes that place the cell in the margin or across the text.
    pub fn column_class(&self) -> String {
        self.column
            .as_ref()
            .map_or_else(String::new, |column| format!(" column-{column}"))
    }

    /// The alternative text of the `at`th picture.
    pub fn alt(&self, at: usize) -> Option<&str> {
        self.alts.get(at).map(String::as_str)
    }

    /// The figure or table made of a cell's display outputs.
    pub fn figure(&self, parts: Vec<String>, markdown: &mut Markdown, place: Place) -> String {
        let label = self
            .label
            .as_deref()
            .filter(|label| figures::kind(label).is_some());
        let heading = numbered(label, None, markdown, place);
        let above = label.is_some_and(|label| label.starts_with("tbl-"))
            || (label.is_none()
                && self.caption.is_some()
                && parts.iter().all(|p| p.contains("<table")));
        let mut whole = match &heading {
            Heading::Number(_, number) => Some(Whole {
                number: number.clone(),
                parts: 0,
            }),
            _ => None,
        };
        let count = parts.len();
        let lettered = (self.lettered || !self.subcaptions.is_empty()) && count > 0;
        let parts = parts.into_iter().enumerate().map(|(at, html)| {
            if !lettered {
                return html;
            }
            let sub = self
                .subcaptions
                .get(at)
                .map(String::as_str)
                .unwrap_or_default();
            let id = label.map(|label| format!("{label}-{}", at + 1));
            let heading = match whole.as_mut() {
                Some(whole) => numbered(id.as_deref(), Some(whole), markdown, place),
                None => Heading::Nothing,
            };
            let sub = markdown.inline(sub);
            enclose(id.as_deref(), "", &heading, &html, &sub, above)
        });
        let parts: Vec<_> = parts.collect();
        let content = self.side_by_side(parts);
        let caption = self.caption.as_deref().map(|text| markdown.inline(text));
        let class = match self.column {
            Some(_) => self.column_class(),
            None => " wide".to_owned(),
        };
        enclose(
            label,
            &class,
            &heading,
            &content,
            caption.as_deref().unwrap_or_default(),
            above,
        )
    }

    /// Blocks side by side, according to the layout option.
    pub fn side_by_side(&self, parts: Vec<String>) -> String {
        let get = |key: &str| find(&self.layout, key);
        let Ok(Some(rows)) = figures::rows(&get, parts.len()) else {
            return parts.concat();
        };
        let mut html = String::new();
        for (row, taken) in figures::places(&rows, parts.len()) {
            let _ = writeln!(
                html,
                "<div class=\"layout\" style=\"{}\">",
                figures::template(&row)
            );
            for (part, column) in taken {
                let part = &parts[part];
                let _ = writeln!(html, "<div style=\"grid-column: {column}\">{part}</div>");
            }
            html.push_str("</div>\n");
        }
        html
    }

    /// The code of a cell as a listing, where the options ask for one.
    pub fn listing(&self, code: String, markdown: &mut Markdown, place: Place) -> String {
        if self.lst_label.is_none() && self.lst_cap.is_none() {
            return code;
        }
        let label = self.lst_label.as_deref();
        let heading = numbered(label, None, markdown, place);
        let words = self.lst_cap.as_deref().map(|text| markdown.inline(text));
        let words = words.unwrap_or_default();
        enclose(label, " listing wide", &heading, &code, &words, true)
    }
}

/// The number of a labelled element; the label becomes an id of the page.
fn numbered(
    label: Option<&str>,
    whole: Option<&mut Whole>,
    markdown: &mut Markdown,
    place: Place,
) -> Heading {
    let Some(label) = label else {
        return Heading::Nothing;
    };
    markdown.anchors.give(label);
    figures::number(&mut markdown.labels, label, whole, place)
}

fn enclose(
    id: Option<&str>,
    class: &str,
    heading: &Heading,
    content: &str,
    caption: &str,
    above: bool,
) -> String {
    let id = id.map_or_else(String::new, |id| format!(" id=\"{}\"", Escaped(id)));
    let label = heading.text();
    let words = match (label.as_str(), caption) {
        ("", "") => String::new(),
        ("", words) => format!("<figcaption>{words}</figcaption>\n"),
        (label, words) => format!(
            "<figcaption><span class=\"caption-label\">{}</span> {words}</figcaption>\n",
            Escaped(label)
        ),
    };
    match above {
        true => format!("<figure class=\"figure{class}\"{id}>\n{words}{content}</figure>\n"),
        false => format!("<figure class=\"figure{class}\"{id}>\n{content}{words}</figure>\n"),
    }
}
