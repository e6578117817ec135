//! Ground truth of a generated text: which latent factor had which value where.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// A latent factor and its values; value 0 means that the factor is absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Factor {
    /// For example `"topic"`.
    pub name: String,
    /// For example `["none", "harbour", "kitchen"]`.
    pub values: Vec<String>,
}

/// Bytes `start..end` of the text, where `factor` has `value`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    pub start: usize,
    pub end: usize,
    /// Index into [`SpanLabels::factors`].
    pub factor: u16,
    /// Index into [`Factor::values`].
    pub value: u16,
}

/// Labels of a text, by bytes; spans of one factor do not overlap and ascend.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SpanLabels {
    pub factors: Vec<Factor>,
    pub spans: Vec<Span>,
}

/// Labels of a token stream: for every factor one value a token.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TokenLabels {
    pub factors: Vec<Factor>,
    /// `[n_factors][n_tokens]`, indices into [`Factor::values`].
    pub values: Vec<Vec<u16>>,
}

impl TokenLabels {
    /// The factors' names.
    pub fn names(&self) -> Vec<String> {
        self.factors.iter().map(|f| f.name.clone()).collect()
    }

    /// Number of tokens labelled.
    pub fn n_tokens(&self) -> usize {
        self.values.first().map_or(0, Vec::len)
    }

    /// Position of a factor by its name.
    ///
    /// # Errors
    /// [`Error::NotFound`] listing the factors that there are.
    pub fn factor_index(&self, name: &str) -> Result<usize> {
        self.factors
            .iter()
            .position(|f| f.name == name)
            .ok_or_else(|| Error::NotFound {
                kind: "factor",
                name: name.to_owned(),
                known: self.names(),
            })
    }

    /// One factor's value at every token, `[n_tokens]`.
    pub fn column(&self, name: &str) -> Result<Vec<u16>> {
        Ok(self.values[self.factor_index(name)?].clone())
    }

    /// Whether a factor has a given value (by name) at every token, `[n_tokens]`.
    pub fn indicator(&self, factor: &str, value: &str) -> Result<Vec<bool>> {
        let at = self.factor_index(factor)?;
        let values = &self.factors[at].values;
        let wanted = values
            .iter()
            .position(|v| v == value)
            .ok_or_else(|| Error::NotFound {
                kind: "factor value",
                name: value.to_owned(),
                known: values.clone(),
            })?;
        Ok(self.values[at]
            .iter()
            .map(|&v| v as usize == wanted)
            .collect())
    }

    /// The labels of some stretches of tokens, one after another.
    pub(super) fn gather(&self, ranges: &[std::ops::Range<usize>]) -> TokenLabels {
        let pick = |column: &Vec<u16>| {
            ranges
                .iter()
                .flat_map(|r| column[r.clone()].iter().copied())
                .collect()
        };
        TokenLabels {
            factors: self.factors.clone(),
            values: self.values.iter().map(pick).collect(),
        }
    }
}
