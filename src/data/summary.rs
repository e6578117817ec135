//! What a dataset holds, as a table.

use super::{Dataset, TokenSplit};
use crate::error::Result;
use crate::show::Table;
use polars::df;

impl Dataset {
    /// Documents, tokens and distinct tokens of each part of the split.
    ///
    /// # Errors
    /// Only if polars refuses the frame.
    pub fn summary(&self) -> Result<Table> {
        let parts = [
            ("train", &self.train),
            ("validation", &self.val),
            ("test", &self.test),
        ];
        let column = |f: fn(&TokenSplit) -> u64| parts.map(|(_, part)| f(part)).to_vec();
        let frame = df![
            "split" => parts.map(|(name, _)| name).to_vec(),
            "documents" => column(|p| p.n_documents() as u64),
            "tokens" => column(|p| p.n_tokens() as u64),
            "distinct tokens" => column(|p| {
                let mut seen = p.tokens.clone();
                seen.sort_unstable();
                seen.dedup();
                seen.len() as u64
            }),
        ]?;
        Ok(Table::new(frame).caption(format!(
            "{}: {} tokens, {} distinct, {} documents; sha256 {}",
            self.corpus_name,
            self.n_tokens,
            self.n_distinct,
            self.n_documents,
            self.digest.get(..12).unwrap_or(&self.digest)
        )))
    }
}
