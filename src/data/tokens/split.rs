//! One part of the data: documents one after another, cut into sequences.
//!
//! `sequence(i) = [BOS, t[i (n_ctx - 1)], ..., t[(i + 1)(n_ctx - 1) - 1]]`.
//! As TransformerLens prepares text: BOS first, no padding, documents packed.

use super::super::labels::TokenLabels;
use crate::error::{Error, Result};
use candle_core::{Device, Tensor};

/// The tokens of the training, validation or test documents.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenSplit {
    /// All documents one after another, each beginning with `<|endoftext|>`. `[n_tokens]`
    pub tokens: Vec<u32>,
    /// Where each document begins in `tokens`. `[n_documents]`
    pub starts: Vec<usize>,
    /// Each document's place in the corpus. `[n_documents]`
    pub document_ids: Vec<usize>,
    /// The id that begins every sequence.
    pub bos: u32,
    /// Ground truth of every token, for a corpus that has it.
    pub labels: Option<TokenLabels>,
}

impl TokenSplit {
    /// Number of tokens, separators included.
    pub fn n_tokens(&self) -> usize {
        self.tokens.len()
    }

    /// Number of documents.
    pub fn n_documents(&self) -> usize {
        self.starts.len()
    }

    /// The tokens of document `i`, its separator first; empty past the last document.
    pub fn document(&self, i: usize) -> Vec<u32> {
        let Some(&start) = self.starts.get(i) else {
            return Vec::new();
        };
        let end = self.starts.get(i + 1).copied().unwrap_or(self.tokens.len());
        self.tokens[start..end].to_vec()
    }

    /// Every document's tokens, each beginning with its separator.
    pub fn documents(&self) -> Vec<Vec<u32>> {
        (0..self.n_documents()).map(|i| self.document(i)).collect()
    }

    /// Number of whole sequences of `n_ctx` tokens (BOS and `n_ctx - 1` corpus tokens).
    pub fn n_sequences(&self, n_ctx: usize) -> usize {
        match n_ctx {
            0 | 1 => 0,
            _ => self.tokens.len() / (n_ctx - 1),
        }
    }

    /// Sequence `i`: BOS, then `n_ctx - 1` consecutive tokens; empty when
    /// `i >= n_sequences(n_ctx)`.
    pub fn sequence(&self, i: usize, n_ctx: usize) -> Vec<u32> {
        if i >= self.n_sequences(n_ctx) {
            return Vec::new();
        }
        let mut row = Vec::with_capacity(n_ctx);
        row.push(self.bos);
        row.extend_from_slice(&self.tokens[i * (n_ctx - 1)..(i + 1) * (n_ctx - 1)]);
        row
    }

    /// Labels of sequence `i` under one factor, `[n_ctx]`, 0 for BOS; empty past the end.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such factor (or no labels at all).
    pub fn sequence_labels(&self, factor: &str, i: usize, n_ctx: usize) -> Result<Vec<u16>> {
        let column = match &self.labels {
            Some(labels) => &labels.values[labels.factor_index(factor)?],
            None => {
                return Err(Error::NotFound {
                    kind: "factor",
                    name: factor.to_owned(),
                    known: vec!["none, this corpus has no labels".to_owned()],
                });
            }
        };
        if i >= self.n_sequences(n_ctx) {
            return Ok(Vec::new());
        }
        let mut row = Vec::with_capacity(n_ctx);
        row.push(0);
        row.extend_from_slice(&column[i * (n_ctx - 1)..(i + 1) * (n_ctx - 1)]);
        Ok(row)
    }

    /// Labels of the first `n` sequences under one factor, row after row,
    /// `[n * n_ctx]`: aligned with [`TokenSplit::sequences`] flattened.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such factor, [`Error::Argument`] when
    /// there are fewer sequences.
    pub fn sequences_labels(&self, factor: &str, n: usize, n_ctx: usize) -> Result<Vec<u16>> {
        self.check_range(0, n, n_ctx)?;
        let mut rows = Vec::with_capacity(n * n_ctx);
        for i in 0..n {
            rows.extend(self.sequence_labels(factor, i, n_ctx)?); // [n_ctx]
        }
        Ok(rows)
    }

    /// The first `n` sequences, `[n, n_ctx]` of u32.
    ///
    /// # Errors
    /// [`Error::Argument`] when there are fewer.
    pub fn sequences(&self, n: usize, n_ctx: usize, device: &Device) -> Result<Tensor> {
        self.sequences_from(0, n, n_ctx, device)
    }

    /// Sequences `first .. first + n`, `[n, n_ctx]` of u32.
    ///
    /// # Errors
    /// [`Error::Argument`] when there are not that many.
    pub fn sequences_from(
        &self,
        first: usize,
        n: usize,
        n_ctx: usize,
        device: &Device,
    ) -> Result<Tensor> {
        self.check_range(first, n, n_ctx)?;
        let mut rows = Vec::with_capacity(n * n_ctx);
        for i in first..first + n {
            rows.extend(self.sequence(i, n_ctx)); // [n_ctx]
        }
        Ok(Tensor::from_vec(rows, (n, n_ctx), device)?)
    }

    fn check_range(&self, first: usize, n: usize, n_ctx: usize) -> Result<()> {
        let there = self.n_sequences(n_ctx);
        let end = first.saturating_add(n);
        if n == 0 || end > there {
            return Err(Error::argument(
                "sequences",
                format!("{first}..{end}"),
                format!(
                    "the split's {} tokens hold {there} sequences of n_ctx = {n_ctx}",
                    self.n_tokens()
                ),
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Factor;

    fn split(n: u32) -> TokenSplit {
        TokenSplit {
            tokens: (0..n).collect(),
            starts: vec![0, 4],
            document_ids: vec![1, 0],
            bos: 99,
            labels: None,
        }
    }

    #[test]
    fn sequences_are_bos_and_consecutive_tokens() {
        let s = split(10);
        assert_eq!(s.n_sequences(4), 3);
        assert_eq!(s.sequence(1, 4), [99, 3, 4, 5]);
        assert!(s.sequence(3, 4).is_empty());
        let t = s.sequences_from(1, 2, 4, &Device::Cpu).unwrap();
        assert_eq!(t.to_vec2::<u32>().unwrap(), [[99, 3, 4, 5], [99, 6, 7, 8]]);
        assert!(s.sequences(4, 4, &Device::Cpu).is_err());
        assert!(s.sequences(0, 4, &Device::Cpu).is_err());
        assert_eq!(s.n_sequences(1), 0);
    }

    #[test]
    fn documents_are_the_stretches_between_starts() {
        let s = split(6);
        assert_eq!(s.documents(), [vec![0, 1, 2, 3], vec![4, 5]]);
        assert!(s.document(2).is_empty());
    }

    #[test]
    fn labels_line_up_with_the_tokens_of_the_sequences() {
        let mut s = split(10);
        s.labels = Some(TokenLabels {
            factors: vec![Factor {
                name: "twice".to_owned(),
                values: Vec::new(),
            }],
            values: vec![(0..10).map(|t| 2 * t).collect()],
        });
        assert_eq!(s.sequence_labels("twice", 1, 4).unwrap(), [0, 6, 8, 10]);
        assert_eq!(
            s.sequences_labels("twice", 2, 4).unwrap(),
            [0, 0, 2, 4, 0, 6, 8, 10]
        );
        assert!(s.sequence_labels("thrice", 0, 4).is_err());
        assert!(s.sequences_labels("twice", 4, 4).is_err());
    }

    #[test]
    fn labels_of_an_unlabelled_split_are_an_error() {
        assert!(split(6).sequence_labels("topic", 0, 4).is_err());
    }
}
