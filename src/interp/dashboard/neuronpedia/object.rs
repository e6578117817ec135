//! An object of a JSON text whose every field is known, and its fields by type.

use super::super::bins::BinCounts;
use super::super::token_value::TokenValue;
use super::fields::FEATURE;
use crate::error::{Error, Result};
use crate::known_fields::KnownFields;
use serde_json::{Map, Value};
use std::path::Path;

/// What messages call a text that is not from a file.
const TEXT: &str = "feature JSON";

/// An object whose fields were checked.
pub(super) struct Fields<'a> {
    map: &'a Map<String, Value>,
    /// What it is, for messages.
    name: String,
}

impl<'a> Fields<'a> {
    pub(super) fn of(
        value: &'a Value,
        known: &KnownFields,
        name: impl Into<String>,
    ) -> Result<Self> {
        let name = name.into();
        let Some(map) = value.as_object() else {
            return Err(wrong(&format!("the {name} is not an object")));
        };
        known.check(map, Path::new(TEXT))?;
        Ok(Self { map, name })
    }

    /// The value of a field; `None` where it is missing or null.
    fn get(&self, field: &str) -> Option<&'a Value> {
        self.map.get(field).filter(|value| !value.is_null())
    }

    pub(super) fn wrong(&self, field: &str, rule: &str) -> Error {
        wrong(&format!("{field} of the {} {rule}", self.name))
    }

    /// What `read` makes of a field that is there.
    pub(super) fn read<T>(
        &self,
        field: &str,
        rule: &str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>> {
        let value = self.get(field);
        value
            .map(|value| read(value).ok_or_else(|| self.wrong(field, rule)))
            .transpose()
    }

    pub(super) fn text(&self, field: &str) -> Result<Option<String>> {
        self.read(field, "must be a text", |v| v.as_str().map(str::to_owned))
    }

    pub(super) fn number(&self, field: &str) -> Result<Option<f64>> {
        self.read(field, "must be a number", Value::as_f64)
    }

    /// The items of a list; none where it is missing.
    pub(super) fn objects(&self, field: &str) -> Result<&'a [Value]> {
        let list = self.read(field, "must be a list", |v| v.as_array().map(Vec::as_slice))?;
        Ok(list.unwrap_or_default())
    }

    pub(super) fn numbers(&self, field: &str) -> Result<Vec<f64>> {
        let numbers = self.objects(field)?.iter().map(Value::as_f64);
        let numbers: Option<Vec<f64>> = numbers.collect();
        numbers.ok_or_else(|| self.wrong(field, "must be a list of numbers"))
    }

    pub(super) fn texts(&self, field: &str) -> Result<Vec<String>> {
        let texts = self
            .objects(field)?
            .iter()
            .map(|v| v.as_str().map(str::to_owned));
        let texts: Option<Vec<String>> = texts.collect();
        texts.ok_or_else(|| self.wrong(field, "must be a list of texts"))
    }

    /// Several lists of numbers as rows. The first holds indices.
    pub(super) fn rows<const N: usize>(&self, fields: [&str; N]) -> Result<Vec<[f64; N]>> {
        let lists: Result<Vec<Vec<f64>>> = fields.iter().map(|field| self.numbers(field)).collect();
        let lists = lists?;
        for (field, list) in fields.iter().zip(&lists) {
            if list.len() != lists[0].len() {
                let rule = format!("must be as long as {}", fields[0]);
                return Err(self.wrong(field, &rule));
            }
        }
        if lists[0].iter().any(|i| *i < 0.0 || i.fract() != 0.0) {
            return Err(self.wrong(fields[0], "must be a list of indices"));
        }
        let rows = (0..lists[0].len()).map(|row| std::array::from_fn(|list| lists[list][row]));
        Ok(rows.collect())
    }

    /// The feature's number, which Neuronpedia writes as a text.
    pub(super) fn index(&self) -> Result<usize> {
        let index = self.read("index", "must be a feature's number", |v| match v {
            Value::String(text) => text.parse().ok(),
            v => v.as_u64().map(|index| index as usize),
        })?;
        index.ok_or_else(|| self.wrong("index", "is missing"))
    }

    pub(super) fn bins(&self, prefix: &str) -> Result<BinCounts> {
        let (values, heights) = (format!("{prefix}_values"), format!("{prefix}_heights"));
        let (middles, counts) = (self.numbers(&values)?, self.numbers(&heights)?);
        match middles.len() == counts.len() {
            true => Ok(BinCounts { middles, counts }),
            false => Err(self.wrong(&heights, &format!("must be as long as {values}"))),
        }
    }

    /// The mean over the active tokens, as far as the histogram tells; 0 without one.
    pub(super) fn mean_act(&self) -> Result<f64> {
        let bins = self.bins("freq_hist_data_bar")?;
        let sum: f64 = bins
            .middles
            .iter()
            .zip(&bins.counts)
            .map(|(m, c)| m * c)
            .sum();
        let n: f64 = bins.counts.iter().sum();
        Ok(if n > 0.0 { sum / n } else { 0.0 })
    }

    pub(super) fn token_values(&self, tokens: &str, values: &str) -> Result<Vec<TokenValue>> {
        let (texts, numbers) = (self.texts(tokens)?, self.numbers(values)?);
        if texts.len() != numbers.len() {
            return Err(self.wrong(values, &format!("must be as long as {tokens}")));
        }
        let pairs = texts.into_iter().zip(numbers);
        Ok(pairs
            .map(|(token, value)| TokenValue { token, value })
            .collect())
    }
}

fn wrong(reason: &str) -> Error {
    Error::format(TEXT, FEATURE.format, reason)
}
