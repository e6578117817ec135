//! Options of a code cell in Quarto's form: leading lines `//| key: value` (or `#|`,
//! `# |`, `// |`) that together are YAML, and the same keys in the cell's metadata.
//! Source: Quarto, "Jupyter Cell Options"; src/core/lib/partition-cell-options.ts and
//! src/core/jupyter/jupyter.ts (`kJupyterCellOptionKeys`).

pub mod marks;
pub mod mirror;
pub mod yaml;

use super::Cell;
use super::fault::TextFault;
use marks::option_mark;
use serde_json::{Map, Value};
use std::collections::HashMap;
use yaml::Entry;

/// The options that Quarto reads from a cell's metadata; all other metadata belong to
/// other programs. Keys that begin with `layout` are options, too.
#[rustfmt::skip]
const METADATA_KEYS: [&str; 43] = [
    "label", "classes", "renderings", "id", "eval", "echo", "code-fold", "code-summary", "code-overflow",
    "code-line-numbers", "code-line-numbers-start", "lst-label", "lst-cap", "output", "warning", "error",
    "include", "panel", "output-location", "fig-cap", "fig-subcap", "fig-scap", "fig-alt", "fig-link",
    "fig-align", "fig-env", "fig-pos", "fig-width", "fig-height", "fig-column", "out-width", "out-height",
    "tbl-cap", "tbl-subcap", "tbl-colwidths", "tbl-column", "cap-location", "fig-cap-location",
    "tbl-cap-location", "column", "cache", "freeze", "code-copy",
];

/// The options of one cell.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CellOptions {
    /// The cell's place in the notebook, from 1.
    cell: usize,
    values: Map<String, Value>,
    /// The lines of the options in the source.
    lines: HashMap<String, usize>,
}

impl CellOptions {
    /// The options of a code cell, the `number`th of its notebook, counted from 1.
    /// Where source and metadata both contain a key, the source wins. Unknown keys
    /// are preserved. Other cells have no options.
    ///
    /// # Errors
    /// The first option line that is not YAML or not `key: value`.
    pub fn of(cell: &Cell, number: usize) -> Result<CellOptions, TextFault> {
        let mut options = CellOptions {
            cell: number,
            ..CellOptions::default()
        };
        if !cell.is_code() {
            return Ok(options);
        }
        let known = |key: &str| METADATA_KEYS.contains(&key) || key.starts_with("layout");
        let metadata = cell.metadata.iter().filter(|(key, _)| known(key));
        options.values = metadata
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        for Entry { key, value, line } in written(&cell.source, number)? {
            options.lines.insert(key.clone(), line);
            options.values.insert(key, value);
        }
        Ok(options)
    }

    /// Adds defaults for options that the cell does not set.
    pub fn complete(&mut self, defaults: &Map<String, Value>) {
        for (key, value) in defaults {
            if !self.values.contains_key(key) {
                self.values.insert(key.clone(), value.clone());
            }
        }
    }

    /// The value of an option; `None` if it is missing or empty (`key:`).
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.values.get(key).filter(|value| !value.is_null())
    }

    /// All options in the order in which they were found.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.values.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// The line of an option within its cell, from 1; 0 for one of the metadata.
    pub fn line(&self, key: &str) -> usize {
        self.lines.get(key).copied().unwrap_or(0)
    }

    /// A text value; numbers and booleans as written in YAML.
    ///
    /// # Errors
    /// A list or a mapping.
    pub fn text(&self, key: &str) -> Result<Option<String>, TextFault> {
        let value = self.get(key);
        let text = value.map(|value| plain(value).ok_or_else(|| self.fault(key, "text")));
        text.transpose()
    }

    /// A value that is `true` or `false`.
    ///
    /// # Errors
    /// Anything else.
    pub fn flag(&self, key: &str) -> Result<Option<bool>, TextFault> {
        let value = self.get(key);
        let flag = value.map(|v| v.as_bool().ok_or_else(|| self.fault(key, "true or false")));
        flag.transpose()
    }

    /// A value that is a whole number from 1.
    ///
    /// # Errors
    /// Anything else.
    pub fn count(&self, key: &str) -> Result<Option<usize>, TextFault> {
        let count = |value: &Value| value.as_u64().filter(|n| *n > 0);
        let value = self.get(key);
        let count =
            value.map(|v| count(v).ok_or_else(|| self.fault(key, "a whole number from 1 on")));
        Ok(count.transpose()?.map(|n| n as usize))
    }

    /// A list of texts; a single text is a list of one.
    ///
    /// # Errors
    /// A mapping, or a list with items other than texts.
    pub fn list(&self, key: &str) -> Result<Vec<String>, TextFault> {
        let items = match self.get(key) {
            None => return Ok(Vec::new()),
            Some(Value::Array(items)) => items.iter().map(plain).collect(),
            Some(value) => plain(value).map(|text| vec![text]),
        };
        items.ok_or_else(|| self.fault(key, "text or a list of texts"))
    }

    /// The fault of an option with an invalid value.
    pub fn fault(&self, key: &str, expected: &str) -> TextFault {
        let value = self.values.get(key).unwrap_or(&Value::Null);
        self.wrong(key, format!("`{key}` is {value}; expected {expected}"))
    }

    /// A fault at the position of an option.
    pub fn wrong(&self, key: &str, reason: impl Into<String>) -> TextFault {
        TextFault {
            cell: self.cell,
            line: self.line(key),
            reason: reason.into(),
        }
    }
}

/// The text of a scalar.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The options in a source.
fn written(source: &str, number: usize) -> Result<Vec<Entry>, TextFault> {
    let block = &source[..block_length(source)];
    let blank = block.lines().take_while(|l| l.trim().is_empty()).count();
    let lines = block.lines().skip(blank);
    let lines = lines.map(|line| &line[option_mark(line).unwrap_or(0)..]);
    let text = lines.collect::<Vec<_>>().join("\n");
    let entries = yaml::mapping(&text).map_err(|fault| TextFault {
        cell: number,
        line: blank + fault.line,
        reason: format!("option: {}", fault.reason),
    })?;
    let entries = entries.into_iter().map(|entry| Entry {
        line: blank + entry.line,
        ..entry
    });
    Ok(entries.collect())
}

/// The length in bytes of the option lines of a cell's source, with the blank lines
/// before them and their line breaks; 0 without options.
pub fn block_length(source: &str) -> usize {
    let mut length = 0;
    let mut end = 0;
    for line in source.split_inclusive('\n') {
        length += line.len();
        if option_mark(line).is_some() {
            end = length;
        } else if end > 0 || !line.trim().is_empty() {
            break;
        }
    }
    end
}

/// A cell's source without its option lines and the blank lines around them.
pub fn without_options(source: &str) -> &str {
    let code = &source[block_length(source)..];
    if code.len() == source.len() {
        return source;
    }
    let blank = code
        .split_inclusive('\n')
        .take_while(|l| l.trim().is_empty());
    &code[blank.map(str::len).sum::<usize>()..]
}

#[cfg(test)]
mod tests;
