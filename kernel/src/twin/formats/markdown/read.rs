//! Reading jupytext's Markdown.

use crate::notebook::{CellKind, Notebook};
use crate::twin::cells::{Incoming, blank_lines, finish};
use crate::twin::format::{Format, language};
use crate::twin::header;
use crate::twin::options::{self, is_active};
use crate::twin::section::is_set;
use crate::twin::text::languages;
use crate::twin::text::magics;
use crate::twin::text::python::{is_blank, is_space, lines};
use crate::twin::text::quotes::Quotes;
use crate::twin::yaml::Fault;
use serde_json::{Map, Value};

pub const EXTENSION: &str = "md";

/// The language of cells if the notebook does not specify one.
pub const DEFAULT: &str = "python";

/// The notebook of a text.
///
/// # Errors
/// A header that is not YAML.
pub fn read(text: &str) -> Result<Notebook, Fault> {
    let all = lines(text);
    let header = header::read(&all, Format::Markdown)?;
    let default = language(&header.metadata).unwrap_or(DEFAULT.to_owned());
    let split = is_set(&header.metadata, "split_at_heading").unwrap_or(false);
    let escape = is_set(&header.metadata, "comment_magics").unwrap_or(false);
    let mut notebook = Notebook::new();
    notebook.metadata = header.metadata;
    notebook.cells.extend(header.cell);
    let mut rest = &all[header.next..];
    let mut as_json = false;
    while !rest.is_empty() {
        let mut reader = Reader::new(&default, split, escape);
        let cell = reader.read(rest);
        as_json |= reader.as_json;
        rest = &rest[cell.next..];
        notebook.cells.push(cell.into_cell());
    }
    finish(&mut notebook, None, header.jupyter, as_json);
    Ok(notebook)
}

/// The end of a code block.
#[derive(Clone, Copy)]
enum Close {
    /// Three backticks and nothing else.
    Alone,
    /// At least this many backticks, whatever follows.
    AtLeast(usize),
}

impl Close {
    fn is(self, line: &str) -> bool {
        match self {
            Close::Alone => line.strip_prefix("```").is_some_and(is_blank),
            Close::AtLeast(count) => line.len() - line.trim_start_matches('`').len() >= count,
        }
    }
}

/// The start of a fence that names a language: the number of backticks, and the
/// rest.
fn start_of_code(line: &str) -> Option<(usize, &str)> {
    let info = line.trim_start_matches('`');
    let count = line.len() - info.len();
    (count >= 3 && languages::of_fence(info).is_some()).then_some((count, info))
}

/// `<!-- #region ... -->`: the name and the options.
fn start_of_region(line: &str) -> Option<(&'static str, &str)> {
    let rest = line
        .strip_prefix("<!--")?
        .trim_start_matches(is_space)
        .strip_prefix('#')?;
    let rest = rest.trim_end_matches(is_space).strip_suffix("-->")?;
    let names = ["region", "markdown", "md", "raw"].into_iter();
    names
        .filter_map(|name| Some((name, rest.strip_prefix(name)?)))
        .next()
}

fn is_end_of_region(line: &str, name: &str) -> bool {
    let inner = line
        .strip_prefix("<!--")
        .map(|rest| rest.trim_start_matches(is_space));
    let inner = inner.and_then(|rest| rest.strip_prefix("#end")?.strip_prefix(name));
    let inner = inner.map(|rest| rest.trim_start_matches(is_space));
    inner
        .and_then(|rest| rest.strip_prefix("-->"))
        .is_some_and(is_blank)
}

/// Reads one cell.
pub struct Reader<'a> {
    default: &'a str,
    split_at_heading: bool,
    escape: bool,
    pub as_json: bool,
    close: Close,
}

/// The end of a cell, the start of the next one, and whether a mark ends the
/// cell.
type End = (usize, usize, bool);

impl<'a> Reader<'a> {
    pub fn new(default: &'a str, split_at_heading: bool, escape: bool) -> Self {
        Self {
            default,
            split_at_heading,
            escape,
            as_json: false,
            close: Close::Alone,
        }
    }

    /// The first cell of these lines, which must not be empty.
    pub fn read(&mut self, lines: &[String]) -> Incoming {
        let mut language = None;
        let mut metadata = Map::new();
        let mut marked = true;
        let (mut kind, (mut end, mut next, mut explicit));
        if let Some((name, text)) = start_of_region(&lines[0]) {
            self.as_json |= options::is_json(text);
            let (title, found) = options::read_with_title(text);
            metadata = found;
            if !title.is_empty() {
                metadata.insert("title".to_owned(), title.into());
            }
            if ["markdown", "md"].contains(&name) {
                metadata.insert("region_name".to_owned(), name.into());
            }
            kind = match name {
                "raw" => CellKind::Raw,
                _ => CellKind::Markdown,
            };
            let last = lines.iter().position(|line| is_end_of_region(line, name));
            (end, next, explicit) = match last {
                Some(i) => (i, i + 1, true),
                None => (lines.len(), lines.len(), false),
            };
        } else if let Some((count, info)) = start_of_code(&lines[0]) {
            let (name, found) = self.code_options(count, info);
            if found.get(".noeval") != Some(&Value::Null) {
                (language, metadata) = (Some(name), found);
            }
            kind = CellKind::code();
            (end, next, explicit) = self.end_of_code(lines, language.as_deref());
        } else {
            marked = false;
            kind = CellKind::Markdown;
            (end, next, explicit) = self.end_of_markdown(lines);
        }
        if let Some(Value::String(name)) = metadata.get("language") {
            language = Some(name.clone());
            metadata.shift_remove("language");
        }
        let is_code = matches!(kind, CellKind::Code { .. });
        let mut source = lines[usize::from(marked).min(end)..end].to_vec();
        let other = language.as_deref().is_some_and(|name| name != self.default);
        let as_it_is =
            !is_active(EXTENSION, &metadata, true) || (!metadata.contains_key("active") && other);
        if is_code && self.escape && !as_it_is {
            magics::uncomment(&mut source, language.as_deref().unwrap_or_default(), true);
        }
        if is_code && !is_active("ipynb", &metadata, true) {
            if metadata.get("active") == Some(&Value::from("")) {
                metadata.shift_remove("active");
            }
            kind = CellKind::Raw;
        } else if is_code && language.as_deref().is_none_or(str::is_empty) {
            kind = CellKind::Markdown;
            explicit = false;
            end = (end + 1).min(lines.len());
            source = lines[..end].to_vec();
        }
        let blank_at = |i: usize| lines.get(i).is_some_and(|line| is_blank(line));
        let text_at = |i: usize| lines.get(i).is_some_and(|line| !is_blank(line));
        if blank_at(next) && text_at(next + 1) {
            next += 1;
        } else if explicit && blank_at(next) && blank_at(next + 1) && text_at(next + 2) {
            next += 2;
        }
        Incoming {
            kind,
            lines: source,
            metadata,
            language: language.filter(|name| !name.is_empty()),
            blank: blank_lines(end, next, lines.len(), explicit),
            next,
        }
    }

    /// The language and metadata of a fence; also records how it is closed.
    fn code_options(&mut self, count: usize, info: &str) -> (String, Map<String, Value>) {
        self.close = Close::AtLeast(count);
        self.as_json |= options::is_json(info);
        options::read(info)
    }

    fn end_of_code(&self, lines: &[String], language: Option<&str>) -> End {
        let mut quotes = Quotes::new(language.unwrap_or(self.default));
        for (i, line) in lines.iter().enumerate().skip(1) {
            let quoted = quotes.is_quoted();
            quotes.read_line(line);
            if !quoted && self.close.is(line) {
                return (i, i + 1, true);
            }
        }
        (lines.len(), lines.len(), false)
    }

    /// Two blank lines end a Markdown cell, except within code blocks.
    fn end_of_markdown(&mut self, lines: &[String]) -> End {
        let mut blank = 0;
        let (mut in_fence, mut in_indented) = (false, false);
        for (i, line) in lines.iter().enumerate() {
            if in_fence && self.close.is(line) {
                in_fence = false;
                continue;
            }
            if blank > 0 && line.starts_with("    ") && !is_blank(line) {
                in_indented = true;
                blank = 0;
                continue;
            }
            if in_indented && !is_blank(line) && !line.starts_with("    ") {
                in_indented = false;
            }
            if in_indented || in_fence {
                continue;
            }
            let before = |blank: usize| match i > 1 && blank > 0 {
                true => (i - 1, i, false),
                false => (i, i, false),
            };
            if start_of_region(line).is_some() {
                return before(blank);
            }
            if let Some((count, info)) = start_of_code(line) {
                let (name, metadata) = self.code_options(count, info);
                let known = languages::is_exact(&name)
                    || languages::is_exact(&name.to_lowercase()) && name.to_uppercase() == name;
                if !known || metadata.get(".noeval") == Some(&Value::Null) {
                    in_fence = true;
                    blank = 0;
                    continue;
                }
                return before(blank);
            }
            if line.starts_with("```{") {
                in_fence = true;
                blank = 0;
                continue;
            }
            if line.starts_with("```") {
                if blank >= 2 {
                    return (i - 2, i, true);
                }
                in_fence = true;
                blank = 0;
                continue;
            }
            if self.split_at_heading && line.starts_with('#') && blank >= 1 {
                return (i - 1, i, false);
            }
            if is_blank(line) {
                blank += 1;
            } else if blank >= 2 {
                return (i - 2, i, true);
            } else {
                blank = 0;
            }
        }
        (lines.len(), lines.len(), false)
    }
}
