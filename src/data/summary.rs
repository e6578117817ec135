//! What a dataset holds, as typed rows.

use super::{Dataset, TokenSplit};
use crate::error::Result;
use crate::show::{Table, shows_itself};
use polars::prelude::{DataFrame, df};
use std::fmt;

/// What one part of the split holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitSummary {
    /// `train`, `validation` or `test`.
    pub split: String,
    pub n_documents: usize,
    /// Separators included.
    pub n_tokens: usize,
    /// Different tokens among them.
    pub n_distinct: usize,
}

/// What a dataset holds, by part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetSummary {
    /// The whole: corpus, counts, digest, and where the text came from.
    pub title: String,
    /// Training, validation, test.
    pub splits: Vec<SplitSummary>,
}

impl Dataset {
    /// Documents, tokens and distinct tokens of each part of the split.
    pub fn summary(&self) -> DatasetSummary {
        let parts = [
            ("train", &self.train),
            ("validation", &self.val),
            ("test", &self.test),
        ];
        DatasetSummary {
            title: format!(
                "{}: {} tokens, {} distinct, {} documents; sha256 {}. {}",
                self.corpus_name,
                self.n_tokens,
                self.n_distinct,
                self.n_documents,
                self.digest.get(..12).unwrap_or(&self.digest),
                self.source_note
            ),
            splits: parts.map(|(name, part)| of_split(name, part)).to_vec(),
        }
    }
}

fn of_split(name: &str, part: &TokenSplit) -> SplitSummary {
    let mut seen = part.tokens.clone();
    seen.sort_unstable();
    seen.dedup();
    SplitSummary {
        split: name.to_owned(),
        n_documents: part.n_documents(),
        n_tokens: part.n_tokens(),
        n_distinct: seen.len(),
    }
}

impl DatasetSummary {
    /// One row a part: `split`, `documents`, `tokens`, `distinct tokens`.
    ///
    /// # Errors
    /// [`crate::Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        let count = |of: fn(&SplitSummary) -> usize| -> Vec<u64> {
            self.splits.iter().map(|s| of(s) as u64).collect()
        };
        Ok(df![
            "split" => self.splits.iter().map(|s| s.split.clone()).collect::<Vec<String>>(),
            "documents" => count(|s| s.n_documents),
            "tokens" => count(|s| s.n_tokens),
            "distinct tokens" => count(|s| s.n_distinct),
        ]?)
    }
}

impl fmt::Display for DatasetSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.title)?;
        for s in &self.splits {
            write!(
                f,
                "\n{}: {} documents, {} tokens, {} distinct",
                s.split, s.n_documents, s.n_tokens, s.n_distinct
            )?;
        }
        Ok(())
    }
}

shows_itself!(DatasetSummary, |it| Table::new(it.frame()?)
    .caption(&it.title));

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{CorpusSource, DataConfig};
    use crate::show::Show;

    #[test]
    fn the_parts_add_up_to_the_whole() {
        let data = Dataset::load(&DataConfig {
            source: CorpusSource::Embedded,
            embedded_bytes: 60_000,
            ..DataConfig::default()
        })
        .unwrap();
        let summary = data.summary();
        let sum = |of: fn(&SplitSummary) -> usize| summary.splits.iter().map(of).sum::<usize>();
        assert_eq!(sum(|s| s.n_documents), data.n_documents);
        assert_eq!(sum(|s| s.n_tokens), data.n_tokens);
        assert!(
            summary
                .splits
                .iter()
                .all(|s| s.n_distinct <= data.n_distinct)
        );
        assert_eq!(summary.frame().unwrap().shape(), (3, 4));
        assert!(summary.to_string().contains(&data.source_note));
        let shown = summary.mime_bundle().unwrap();
        assert!(shown.get("text/html").unwrap().contains("distinct tokens"));
    }
}
