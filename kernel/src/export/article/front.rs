//! Front matter: the YAML between `---` lines at the start of a notebook's first cell,
//! raw or Markdown, with the keys of Quarto.
//! Source: quarto.org/docs/reference/formats/html.html; "Front Matter".

use super::Place;
use crate::notebook::options::yaml::{self, Entry};
use crate::notebook::{Cell, CellKind, Notebook, TextFault};
use serde_json::{Map, Value};
use std::collections::HashMap;

/// An author as shown in the title block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Author {
    pub name: String,
    pub affiliations: Vec<String>,
    pub orcid: Option<String>,
    pub email: Option<String>,
    pub url: Option<String>,
    pub corresponding: bool,
}

/// Where footnotes are shown if the page has a margin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum NoteLocation {
    #[default]
    Document,
    Margin,
}

/// The article's metadata from the first cell.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FrontMatter {
    pub title: Option<String>,
    pub subtitle: Option<String>,
    pub authors: Vec<Author>,
    pub date: Option<String>,
    pub abstract_text: Option<String>,
    pub doi: Option<String>,
    pub license: Option<String>,
    pub keywords: Vec<String>,
    pub bibliography: Vec<String>,
    pub csl: Option<String>,
    /// Keys of the bibliography that are listed even if not cited; `*` for all.
    pub nocite: Vec<String>,
    pub number_sections: bool,
    pub number_depth: u8,
    pub toc: bool,
    pub toc_depth: Option<u8>,
    pub lang: Option<String>,
    /// `echo`, `warning` and similar options: the defaults for all cells.
    pub cells: Map<String, Value>,
    pub notes: NoteLocation,
    /// The lines of the keys within the first cell.
    lines: HashMap<String, usize>,
}

/// A first cell with front matter.
#[derive(Debug, Clone, PartialEq)]
pub struct Front {
    pub matter: FrontMatter,
    /// Length of the front matter in the first cell, in bytes.
    pub length: usize,
}

/// Values that a date may have instead of a day, as in Quarto.
const DATES_OF_RUN: [&str; 2] = ["today", "now"];

/// The front matter of a notebook; `None` without it. In a Markdown cell, text between
/// two `---` lines is front matter only if it is YAML of `key: value`.
///
/// # Errors
/// A raw cell that begins with `---` and is not YAML; a Quarto key with a value of the
/// wrong type.
pub fn read(notebook: &Notebook) -> Result<Option<Front>, Vec<TextFault>> {
    let Some(cell) = notebook.cells.first().filter(|cell| !cell.is_code()) else {
        return Ok(None);
    };
    let Some((text, length, first)) = block(&cell.source) else {
        return Ok(None);
    };
    match yaml::mapping(text) {
        Ok(entries) if !entries.is_empty() => {
            let mut matter = matter(entries, first)?;
            if matter
                .date
                .as_deref()
                .is_some_and(|date| DATES_OF_RUN.contains(&date))
            {
                matter.date = Some(run_date(notebook));
            }
            Ok(Some(Front { matter, length }))
        }
        Err(fault) if is_meant(cell, text) => {
            let place = Place {
                cell: 1,
                line: first + fault.line,
            };
            Err(vec![place.fault(format!("front matter: {}", fault.reason))])
        }
        Ok(_) | Err(_) => Ok(None),
    }
}

/// The day on which the notebook was run, if it records one; otherwise today.
fn run_date(notebook: &Notebook) -> String {
    let known = notebook
        .metadata
        .get("holoscope")
        .and_then(|known| known.get("date"));
    let date = match known.and_then(serde_json::Value::as_str) {
        Some(date) => date.to_owned(),
        None => crate::clock::now(),
    };
    date.get(..10).unwrap_or(&date).to_owned()
}

/// The YAML of a cell, its length in bytes with the fences, and the number of lines
/// before it.
fn block(source: &str) -> Option<(&str, usize, usize)> {
    let start = source.len() - source.trim_start().len();
    let body = source[start..].strip_prefix("---")?;
    let skip = body.len() - body.trim_start_matches([' ', '\t', '\r']).len();
    let body = body[skip..].strip_prefix('\n')?;
    let begin = source.len() - body.len();
    let mut at = begin;
    for line in body.split_inclusive('\n') {
        if matches!(line.trim_end(), "---" | "...") {
            let lines = source[..begin].matches('\n').count();
            return Some((&source[begin..at], at + line.len(), lines));
        }
        at += line.len();
    }
    None
}

/// Whether invalid YAML was meant as front matter: always in a raw cell; in a Markdown
/// cell, where `---` is also a rule, only if it begins like front matter.
fn is_meant(cell: &Cell, text: &str) -> bool {
    let first = text.lines().find(|line| !line.trim().is_empty());
    let key = first
        .and_then(|line| line.split_once(':'))
        .map(|(key, _)| key);
    let known = [
        "title",
        "subtitle",
        "author",
        "date",
        "bibliography",
        "format",
    ];
    matches!(cell.kind, CellKind::Raw) || key.is_some_and(|key| known.contains(&key))
}

fn matter(entries: Vec<Entry>, first: usize) -> Result<FrontMatter, Vec<TextFault>> {
    let mut matter = FrontMatter {
        number_depth: 6,
        toc: true,
        ..FrontMatter::default()
    };
    let mut faults = Vec::new();
    for entry in entries {
        let place = Place {
            cell: 1,
            line: first + entry.line,
        };
        matter.lines.insert(entry.key.clone(), place.line);
        if let Err(expected) = matter.set(&entry.key, &entry.value) {
            let (key, value) = (&entry.key, &entry.value);
            let reason = format!("front matter: `{key}` is {value}; expected {expected}");
            faults.push(place.fault(reason));
        }
    }
    match faults.is_empty() {
        true => Ok(matter),
        false => Err(faults),
    }
}

impl FrontMatter {
    /// Where a key stands.
    pub fn place(&self, key: &str) -> Place {
        let line = self.lines.get(key).copied().unwrap_or(0);
        Place { cell: 1, line }
    }

    /// Sets one key. The error names the expected type of the value.
    fn set(&mut self, key: &str, value: &Value) -> Result<(), &'static str> {
        if value.is_null() {
            return Ok(());
        }
        match key {
            "title" => self.title = Some(text(value)?),
            "subtitle" => self.subtitle = Some(text(value)?),
            "author" | "authors" => self.authors = authors(value)?,
            "date" => self.date = Some(text(value)?),
            "abstract" => self.abstract_text = Some(text(value)?),
            "doi" => self.doi = Some(text(value)?),
            "license" | "licence" => self.license = Some(license(value)?),
            "keywords" | "categories" => self.keywords = texts(value)?,
            "bibliography" => self.bibliography = texts(value)?,
            "csl" => self.csl = Some(text(value)?),
            "nocite" => self.nocite = keys(value)?,
            "number-sections" => self.number_sections = flag(value)?,
            "number-depth" => self.number_depth = depth(value)?,
            "toc" | "table-of-contents" => self.toc = flag(value)?,
            "toc-depth" => self.toc_depth = Some(depth(value)?),
            "lang" => self.lang = Some(text(value)?),
            "reference-location" => self.notes = location(value)?,
            "execute" => match value {
                Value::Object(map) => self.cells.extend(map.clone()),
                _ => return Err("a mapping of cell options"),
            },
            "echo" | "code-fold" | "code-summary" | "warning" | "output" | "column"
            | "code-line-numbers" => {
                self.cells.insert(key.to_owned(), value.clone());
            }
            "format" => {
                if let Some(Value::Object(html)) = value.get("html") {
                    for (key, value) in html {
                        self.set(key, value)?;
                    }
                }
            }
            // Keys of other formats and programs.
            _ => {}
        }
        Ok(())
    }
}

fn text(value: &Value) -> Result<String, &'static str> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        _ => Err("text"),
    }
}

fn texts(value: &Value) -> Result<Vec<String>, &'static str> {
    match value {
        Value::Array(items) => items.iter().map(text).collect(),
        value => Ok(vec![text(value)?]),
    }
}

fn flag(value: &Value) -> Result<bool, &'static str> {
    value.as_bool().ok_or("true or false")
}

fn depth(value: &Value) -> Result<u8, &'static str> {
    let depth = value.as_u64().filter(|depth| (1..=6).contains(depth));
    depth.map(|depth| depth as u8).ok_or("a level from 1 to 6")
}

fn location(value: &Value) -> Result<NoteLocation, &'static str> {
    match value.as_str() {
        Some("margin") => Ok(NoteLocation::Margin),
        Some("document" | "section" | "block") => Ok(NoteLocation::Document),
        _ => Err("document or margin"),
    }
}

/// The keys of `nocite: "@a, @b"`.
fn keys(value: &Value) -> Result<Vec<String>, &'static str> {
    let texts = texts(value)?;
    let keys = texts
        .iter()
        .flat_map(|text| text.split([',', ';', ' ', '\n']));
    let keys = keys.map(|key| key.trim().trim_start_matches('@').to_owned());
    Ok(keys.filter(|key| !key.is_empty()).collect())
}

/// Quarto's forms of a licence: its name, or a mapping with `text`, `type` and `url`.
fn license(value: &Value) -> Result<String, &'static str> {
    let expected = "text, or a mapping with `text`, `type` or `url`";
    match value {
        Value::Object(map) => {
            let keys = ["text", "type", "url"];
            let found = keys.iter().find_map(|key| map.get(*key));
            found
                .and_then(Value::as_str)
                .map(str::to_owned)
                .ok_or(expected)
        }
        value => text(value).map_err(|_| expected),
    }
}

fn authors(value: &Value) -> Result<Vec<Author>, &'static str> {
    match value {
        Value::Array(items) => items.iter().map(author).collect(),
        value => Ok(vec![author(value)?]),
    }
}

fn author(value: &Value) -> Result<Author, &'static str> {
    let expected = "a name, or a mapping with a `name`, or a list of them";
    let map = match value {
        Value::Object(map) => map,
        value => {
            return Ok(Author {
                name: text(value).map_err(|_| expected)?,
                ..Author::default()
            });
        }
    };
    let word = |key: &str| map.get(key).and_then(|value| text(value).ok());
    let affiliations = map.get("affiliations").or_else(|| map.get("affiliation"));
    Ok(Author {
        name: map.get("name").and_then(name).ok_or(expected)?,
        affiliations: affiliations.map(organisations).unwrap_or_default(),
        orcid: word("orcid"),
        email: word("email"),
        url: word("url"),
        corresponding: map.get("corresponding").and_then(Value::as_bool) == Some(true),
    })
}

/// A name, or its parts.
fn name(value: &Value) -> Option<String> {
    if let Value::Object(parts) = value {
        let part = |key: &str| parts.get(key).and_then(Value::as_str);
        let parts = [part("given"), part("family")];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        let name = part("literal").map_or_else(|| parts.join(" "), str::to_owned);
        return Some(name).filter(|name| !name.is_empty());
    }
    text(value).ok()
}

/// Affiliations: names, or mappings with a `name` and a `department`.
fn organisations(value: &Value) -> Vec<String> {
    let one = |value: &Value| match value {
        Value::Object(map) => {
            let keys = ["department", "name", "city", "country"];
            let parts = keys
                .iter()
                .filter_map(|key| map.get(*key).and_then(Value::as_str));
            Some(parts.collect::<Vec<_>>().join(", ")).filter(|name| !name.is_empty())
        }
        value => text(value).ok(),
    };
    match value {
        Value::Array(items) => items.iter().filter_map(one).collect(),
        value => one(value).into_iter().collect(),
    }
}
