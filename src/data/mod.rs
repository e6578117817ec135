//! Data: text becomes documents, token ids, a split and batches.
//!
//! `text -> documents (after blank lines) -> <|endoftext|> + GPT-2 BPE -> train/val/test -> [batch, n_ctx]`.
//! Sources: TinyShakespeare (Karpathy 2015), GPT-2's byte-pair encoding (Radford et al. 2019).

mod baselines;
mod batches;
mod corpus;
mod dataset;
mod digest;
mod documents;
mod download;
mod embedded;
mod hub;
mod labels;
mod load_corpus;
mod pieces;
mod repeated_tokens;
mod split;
mod summary;
mod token_labels;
mod tokenizer;

pub use baselines::{Baselines, baselines, bigram_lambda, bigram_loss, unigram_loss};
pub use batches::Batches;
pub use corpus::Corpus;
pub use dataset::Dataset;
pub(crate) use digest::hex;
pub use documents::documents;
pub use download::download_verified;
pub use embedded::embedded_corpus;
pub use hub::{ChooseFiles, Hub};
pub use labels::{Factor, Span, SpanLabels, TokenLabels};
pub use load_corpus::{
    DATA_DIR_VARIABLE, cache_dir, corpus_from_file, load_corpus, load_corpus_with,
};
pub use repeated_tokens::RepeatedTokens;
pub use split::TokenSplit;
pub use summary::{DatasetSummary, SplitSummary};
pub use token_labels::labels_for;
pub use tokenizer::{END_OF_TEXT, GPT2_EOT, GPT2_VOCAB, Tokenizer};
