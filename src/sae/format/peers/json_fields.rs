//! The fields of another library's configuration.

use crate::error::{Error, Result};
use crate::known_fields::{KnownFields, shortened};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// A JSON object and the path it was read from.
#[derive(Debug, Clone)]
pub(super) struct Fields {
    pub(super) map: Map<String, Value>,
    path: PathBuf,
    format: &'static str,
}

impl Fields {
    /// Reads a file that holds one object.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Format`].
    pub(super) fn read(path: &Path, format: &'static str) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
        let map =
            serde_json::from_str(&text).map_err(|error| Error::format(path, format, error))?;
        Ok(Self {
            map,
            path: path.to_owned(),
            format,
        })
    }

    /// The object in a field.
    ///
    /// # Errors
    /// [`Error::Format`] where it is missing or not an object.
    pub(super) fn object(&self, name: &str) -> Result<Self> {
        match self.map.get(name) {
            Some(Value::Object(map)) => Ok(Self {
                map: map.clone(),
                ..self.clone()
            }),
            Some(other) => Err(self.wrong(name, other, "an object")),
            None => Err(self.missing(name)),
        }
    }

    /// Rejects fields that are in no list of `known`.
    ///
    /// # Errors
    /// [`Error::Format`] naming the field.
    pub(super) fn check(&self, known: &KnownFields) -> Result<()> {
        known.check(&self.map, &self.path)
    }

    /// The error for an invalid file.
    pub(super) fn refuse(&self, reason: impl std::fmt::Display) -> Error {
        Error::format(&self.path, self.format, reason)
    }

    fn wrong(&self, name: &str, value: &Value, expected: &str) -> Error {
        self.refuse(format!(
            "{name} is {}, expected {expected}",
            shortened(value)
        ))
    }

    fn missing(&self, name: &str) -> Error {
        self.refuse(format!("there is no {name}"))
    }

    fn optional<'a, T>(
        &'a self,
        name: &str,
        expected: &str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>> {
        match self.map.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match read(value) {
                Some(value) => Ok(Some(value)),
                None => Err(self.wrong(name, value, expected)),
            },
        }
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&str>> {
        self.optional(name, "a text", Value::as_str)
    }

    pub(super) fn whole(&self, name: &str) -> Result<Option<u64>> {
        self.optional(name, "a whole number", Value::as_u64)
    }

    pub(super) fn number(&self, name: &str) -> Result<Option<f64>> {
        self.optional(name, "a number", Value::as_f64)
    }

    /// `false` where it is missing.
    pub(super) fn switch(&self, name: &str) -> Result<bool> {
        let on = self.optional(name, "true or false", Value::as_bool)?;
        Ok(on.unwrap_or(false))
    }

    pub(super) fn needed_text(&self, name: &str) -> Result<&str> {
        self.text(name)?.ok_or_else(|| self.missing(name))
    }

    pub(super) fn needed_whole(&self, name: &str) -> Result<u64> {
        self.whole(name)?.ok_or_else(|| self.missing(name))
    }

    pub(super) fn needed_number(&self, name: &str) -> Result<f64> {
        self.number(name)?.ok_or_else(|| self.missing(name))
    }
}
