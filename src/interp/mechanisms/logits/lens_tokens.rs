//! The most likely next token after each block, at each position of one sequence.
//! Source: the figures of nostalgebraist 2020, "interpreting GPT: the logit lens".

use super::logit_lens::{LensPrediction, LogitLens};
use crate::data::Tokenizer;
use crate::error::Result;
use crate::interp::mechanisms::input::check_index;
use crate::interp::token_frame::visible_tokens;
use crate::show::{Table, shows_itself};
use polars::prelude::{Column, DataFrame};
use std::fmt;

/// The best token of each stream at each position of one sequence, as shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LensTokens {
    /// The streams, by their hook points.
    pub hook_names: Vec<String>,
    /// The tokens read. `[pos]`
    pub tokens: Vec<String>,
    /// The most likely next token. `[stream, pos]`
    pub top: Vec<Vec<String>>,
}

impl LogitLens {
    /// The best token of each stream at each position of one sequence.
    ///
    /// # Errors
    /// No such sequence; a tokenizer of fewer tokens.
    pub fn top_tokens(&self, tokenizer: &Tokenizer, sequence: usize) -> Result<LensTokens> {
        check_index("sequence", sequence, self.tokens.len())?;
        let ids = &self.tokens[sequence];
        let of_layer = |layer: &Vec<Vec<LensPrediction>>| -> Vec<u32> {
            layer[sequence].iter().map(|p| p.top[0]).collect()
        };
        let tops: Vec<Vec<u32>> = self.predictions.iter().map(of_layer).collect();
        let most = tops.iter().flatten().chain(ids).max().copied().unwrap_or(0);
        check_index("token id", most as usize, tokenizer.n_vocab())?;
        Ok(LensTokens {
            hook_names: self.hook_names.clone(),
            tokens: visible_tokens(tokenizer, ids),
            top: tops
                .iter()
                .map(|row| visible_tokens(tokenizer, row))
                .collect(),
        })
    }
}

impl LensTokens {
    /// A row a stream, a column a position, headed `pos token`.
    ///
    /// # Errors
    /// [`crate::Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        let mut columns = vec![Column::new("stream".into(), &self.hook_names)];
        for (p, token) in self.tokens.iter().enumerate() {
            let column: Vec<&str> = self.top.iter().map(|row| row[p].as_str()).collect();
            columns.push(Column::new(format!("{p} {token}").into(), column));
        }
        Ok(DataFrame::new(self.top.len(), columns)?)
    }
}

const TITLE: &str = "Logit lens: the most likely next token after each block";

impl fmt::Display for LensTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{TITLE}, of {}", self.tokens.join(" "))?;
        for (name, row) in self.hook_names.iter().zip(&self.top) {
            write!(f, "\n{name}: {}", row.join(" "))?;
        }
        Ok(())
    }
}

shows_itself!(LensTokens, |it| Table::new(it.frame()?)
    .head(it.top.len())
    .caption(TITLE));
