//! circuit-tracer's `config.yaml`, and the subset of YAML that it needs.
//!
//! Keys at the left margin with a string, or with a list of strings below; comments. Anything else is
//! rejected by line. Source: circuit-tracer 0.5.0 (`utils/hf_utils.py`).

use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// The configuration's name in a folder.
pub(in crate::sae::format) const CONFIG: &str = "config.yaml";
const FORMAT: &str = "circuit-tracer configuration";
const SET: &str = "transcoder_set";
const CROSS_LAYER: &str = "cross_layer_transcoder";

/// A set of transcoders, one per block, or a cross-layer transcoder.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::sae::format) struct SetConfig {
    /// Within a block: `mlp.hook_in`, `hook_resid_mid`, ..
    pub(in crate::sae::format) feature_input_hook: String,
    pub(in crate::sae::format) feature_output_hook: String,
    /// The blocks' files in order, where they are listed; `layer_{i}.safetensors` otherwise.
    pub(in crate::sae::format) transcoders: Option<Vec<Entry>>,
}

/// Where the file of one block is.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::sae::format) enum Entry {
    /// Relative to the folder of `config.yaml`.
    Local(String),
    /// `hf://org/name/path?revision=..`
    Hub { repo: String, file: String },
}

impl SetConfig {
    /// Reads the `config.yaml` of a set of transcoders, one per block.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Format`] for an unsupported line, a key that is unknown or missing, and
    /// cross-layer transcoders.
    pub(in crate::sae::format) fn read(path: &Path) -> Result<Self> {
        Self::read_kind(path, SET)
    }

    /// Reads the `config.yaml` of a cross-layer transcoder.
    ///
    /// # Errors
    /// Those of [`SetConfig::read`], with the two kinds exchanged.
    pub(in crate::sae::format) fn read_cross_layer(path: &Path) -> Result<Self> {
        Self::read_kind(path, CROSS_LAYER)
    }

    fn read_kind(path: &Path, kind: &str) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
        Self::parse(&text, kind).map_err(|reason| Error::format(path, FORMAT, reason))
    }

    /// The text written for a cross-layer transcoder between these hook points of each block.
    pub(super) fn text_of_cross_layer(input: &str, output: &str) -> String {
        format!(
            "# The model that it was trained on: circuit-tracer takes its name from the call.\nmodel_name: \"\"\n\
             model_kind: {CROSS_LAYER}\nfeature_input_hook: {input}\nfeature_output_hook: {output}\n"
        )
    }

    fn parse(text: &str, wanted: &str) -> Result<Self, String> {
        let (mut kind, mut input, mut output, mut transcoders) = (None, None, None, None);
        for (key, value) in fields(text)? {
            let place = match key.as_str() {
                "model_kind" => &mut kind,
                "feature_input_hook" => &mut input,
                "feature_output_hook" => &mut output,
                "transcoders" => {
                    let Field::List(items) = value else {
                        return Err("transcoders is not a list".to_owned());
                    };
                    let entries = items.iter().map(|item| Entry::parse(item));
                    transcoders = Some(entries.collect::<Result<Vec<_>, _>>()?);
                    continue;
                }
                // The origin, and how its features are displayed.
                "model_name" | "scan" | "repo_id" | "revision" | "subfolder" => continue,
                _ => {
                    return Err(format!(
                        "unknown key {key:?}; it may change what is computed. If it does not, remove it from \
                         the file"
                    ));
                }
            };
            match value {
                Field::Text(text) => *place = Some(text),
                Field::List(_) => return Err(format!("{key} is a list, expected a text")),
            }
        }
        match kind.as_deref() {
            Some(kind) if kind == wanted => {}
            Some(CROSS_LAYER) => {
                return Err(format!(
                    "model_kind is {CROSS_LAYER:?}; use CrossLayerTranscoder::load"
                ));
            }
            Some(SET) => {
                return Err(format!(
                    "model_kind is {SET:?}, one transcoder a block; use Transcoder::load_set"
                ));
            }
            Some(other) => {
                return Err(format!(
                    "model_kind is {other:?}, only {SET:?} (one transcoder a block) and {CROSS_LAYER:?} are supported"
                ));
            }
            None => return Err("there is no model_kind".to_owned()),
        }
        Ok(Self {
            feature_input_hook: input.ok_or("there is no feature_input_hook")?,
            feature_output_hook: output.ok_or("there is no feature_output_hook")?,
            transcoders,
        })
    }

    /// The files that `transcoders` lists, relative to the folder of `config.yaml`; `fetch` names the function that
    /// downloads those on the hub, for the error.
    ///
    /// # Errors
    /// [`Error::Format`] for a file on the hub.
    pub(in crate::sae::format) fn files(
        &self,
        dir: &Path,
        fetch: &str,
    ) -> Result<Option<Vec<PathBuf>>> {
        let Some(entries) = &self.transcoders else {
            return Ok(None);
        };
        let files = entries.iter().map(|entry| match entry {
            Entry::Local(file) => Ok(dir.join(file)),
            Entry::Hub { repo, file } => Err(Error::format(
                dir.join(CONFIG),
                FORMAT,
                format!("transcoders lists hf://{repo}/{file}, which is on the hub; use {fetch}"),
            )),
        });
        files.collect::<Result<_>>().map(Some)
    }

    /// The two hook points in block `layer`, by their names in this library's models: the MLP's
    /// output has one name only, and `hook_mlp_in` equals the residual stream.
    pub(in crate::sae::format) fn hook_names(&self, layer: usize) -> (String, String) {
        let input = match self.feature_input_hook.as_str() {
            "hook_mlp_in" => "hook_resid_mid",
            other => other,
        };
        let output = match self.feature_output_hook.as_str() {
            "mlp.hook_out" => "hook_mlp_out",
            other => other,
        };
        (
            format!("blocks.{layer}.{input}"),
            format!("blocks.{layer}.{output}"),
        )
    }
}

impl Entry {
    fn parse(text: &str) -> Result<Self, String> {
        let Some(address) = text.strip_prefix("hf://") else {
            return Ok(Self::Local(text.to_owned()));
        };
        let (address, query) = address.split_once('?').unwrap_or((address, ""));
        let parts: Vec<&str> = address.splitn(3, '/').collect();
        let [org, name, file] = parts[..] else {
            return Err(format!("{text:?} is no hf://org/name/file"));
        };
        let revision = query
            .split('&')
            .find_map(|pair| pair.strip_prefix("revision="));
        let at = revision.map_or(String::new(), |revision| format!("@{revision}"));
        Ok(Self::Hub {
            repo: format!("{org}/{name}{at}"),
            file: file.to_owned(),
        })
    }
}

enum Field {
    Text(String),
    List(Vec<String>),
}

/// The keys and their values, in order.
fn fields(text: &str) -> Result<Vec<(String, Field)>, String> {
    let mut fields: Vec<(String, Field)> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let wrong = |what: &str| format!("line {}: {what}: {line:?}", number + 1);
        let content = without_comment(line);
        let trimmed = content.trim();
        if trimmed.is_empty() || trimmed == "---" {
            continue;
        }
        if let Some(item) = trimmed.strip_prefix("- ") {
            let item = scalar(item).ok_or_else(|| wrong("an item that is no plain text"))?;
            match fields.last_mut() {
                Some((_, Field::List(items))) => items.push(item),
                // A key without a value starts a list.
                Some((_, field @ Field::Text(_))) if matches!(&*field, Field::Text(t) if t.is_empty()) =>
                {
                    *field = Field::List(vec![item]);
                }
                _ => return Err(wrong("an item that belongs to no list")),
            }
            continue;
        }
        if content.starts_with([' ', '\t']) {
            return Err(wrong("nested values are not understood"));
        }
        let (key, value) = trimmed
            .split_once(':')
            .ok_or_else(|| wrong("there is no colon"))?;
        let value = match value.trim() {
            "" => String::new(),
            value => scalar(value).ok_or_else(|| wrong("a value that is no plain text"))?,
        };
        let key = scalar(key).ok_or_else(|| wrong("a key that is no plain text"))?;
        if fields.iter().any(|(known, _)| *known == key) {
            return Err(wrong("a key that is there twice"));
        }
        fields.push((key, Field::Text(value)));
    }
    Ok(fields)
}

/// A line up to its comment, which begins at the start or after a space.
fn without_comment(line: &str) -> &str {
    let mut quote = None;
    let mut before = ' ';
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (None, '#') if before.is_whitespace() => return &line[..at],
            (None, '"' | '\'') if before.is_whitespace() => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
        before = c;
    }
    line
}

/// A plain or quoted string; `None` for YAML's other kinds of values.
fn scalar(text: &str) -> Option<String> {
    let text = text.trim();
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote) {
            let inner = inner.strip_suffix(quote)?;
            return (!inner.contains([quote, '\\'])).then(|| inner.to_owned());
        }
    }
    let special = ['[', ']', '{', '}', '&', '*', '!', '|', '>', '%', '@', '`'];
    (!text.starts_with(special)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_of_a_set_are_read() {
        let text = "# a comment\nmodel_name: \"google/gemma-2-2b\"\nmodel_kind: transcoder_set\n\
                    feature_input_hook: ln2.hook_normalized # where\nfeature_output_hook: 'mlp.hook_out'\n\
                    scan:\n- a\n- b\ntranscoders:\n  - \"hf://google/scopes/layer_0/params.npz?revision=v1\"\n  \
                    - layers/1.safetensors\n";
        let config = SetConfig::parse(text, SET).unwrap();
        assert_eq!(
            config.transcoders,
            Some(vec![
                Entry::Hub {
                    repo: "google/scopes@v1".to_owned(),
                    file: "layer_0/params.npz".to_owned(),
                },
                Entry::Local("layers/1.safetensors".to_owned()),
            ])
        );
        let names = config.hook_names(3);
        assert_eq!(names.0, "blocks.3.ln2.hook_normalized");
        assert_eq!(names.1, "blocks.3.hook_mlp_out");
    }

    #[test]
    fn what_is_not_understood_is_named() {
        let set = "model_kind: transcoder_set\nfeature_input_hook: a\nfeature_output_hook: b\n";
        SetConfig::parse(set, SET).unwrap();
        let other = SetConfig::parse(set, CROSS_LAYER).unwrap_err();
        assert!(other.contains("Transcoder::load_set"), "{other}");
        let text = SetConfig::text_of_cross_layer("ln2.hook_normalized", "hook_mlp_out");
        let found = SetConfig::parse(&text, CROSS_LAYER).unwrap();
        assert_eq!(found.hook_names(2).0, "blocks.2.ln2.hook_normalized");
        let plus = |rest: &str| format!("{set}{rest}");
        for (text, named) in [
            (
                "model_kind: cross_layer_transcoder".to_owned(),
                "CrossLayerTranscoder::load",
            ),
            ("feature_input_hook: a".to_owned(), "model_kind"),
            (
                "model_kind: transcoder_set\nfeature_input_hook: a".to_owned(),
                "feature_output_hook",
            ),
            (plus("odd: 1"), "\"odd\""),
            (plus("transcoders: x"), "transcoders"),
            (plus("transcoders:\n- hf://org/name"), "hf://org/name"),
            (plus("scan: {a: 1}"), "line 4"),
            (plus("  scan: 1"), "line 4"),
            (plus("model_kind: transcoder_set"), "twice"),
            ("- a".to_owned(), "line 1"),
            ("model_kind".to_owned(), "colon"),
            (plus("scan: &x a"), "line 4"),
            (plus("scan: \"a\\n\""), "line 4"),
        ] {
            let message = SetConfig::parse(&text, SET).unwrap_err();
            assert!(message.contains(named), "{text}: {message}");
        }
    }
}
