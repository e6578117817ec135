//! Data: text becomes documents, token ids, a split and batches.
//!
//! `text -> documents (after blank lines) -> <|endoftext|> + GPT-2 BPE -> train/val/test -> [batch, n_ctx]`.
//! Sources: TinyShakespeare (Karpathy 2015), GPT-2's byte-pair encoding (Radford et al. 2019).

#[cfg(feature = "notebook")]
mod baselines;
#[cfg(feature = "notebook")]
mod corpora;
#[cfg(feature = "notebook")]
mod dataset;
#[cfg(feature = "notebook")]
mod digest;
#[cfg(feature = "notebook")]
mod hub;
mod labels;
#[cfg(feature = "notebook")]
mod repeated_tokens;
#[cfg(feature = "notebook")]
mod summary;
mod tokens;

#[cfg(feature = "notebook")]
pub use baselines::{Baselines, baselines, bigram_lambda, bigram_loss, unigram_loss};
#[cfg(feature = "notebook")]
pub use corpora::{
    Corpus, DATA_DIR_VARIABLE, cache_dir, corpus_from_file, documents, download_verified,
    embedded_corpus, load_corpus, load_corpus_with,
};
#[cfg(feature = "notebook")]
pub use dataset::Dataset;
#[cfg(feature = "notebook")]
pub(crate) use digest::hex;
#[cfg(feature = "notebook")]
pub use hub::{ChooseFiles, Hub};
pub use labels::{Factor, Span, SpanLabels, TokenLabels};
#[cfg(feature = "notebook")]
pub use repeated_tokens::RepeatedTokens;
#[cfg(feature = "notebook")]
pub use summary::{DatasetSummary, SplitSummary};
#[cfg(feature = "notebook")]
pub use tokens::labels_for;
pub use tokens::{Batches, END_OF_TEXT, GPT2_EOT, GPT2_VOCAB, TokenSplit, Tokenizer};
