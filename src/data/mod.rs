//! Data: text becomes documents, token ids, a split and batches.
//!
//! `text -> documents (after blank lines) -> <|endoftext|> + GPT-2 BPE -> train/val/test -> [batch, n_ctx]`.
//! Sources: TinyShakespeare (Karpathy 2015), GPT-2's byte-pair encoding (Radford et al. 2019).

mod baselines;
mod corpora;
mod dataset;
mod digest;
mod hub;
mod labels;
mod repeated_tokens;
mod summary;
mod tokens;

pub use baselines::{Baselines, baselines, bigram_lambda, bigram_loss, unigram_loss};
pub use corpora::{
    Corpus, DATA_DIR_VARIABLE, cache_dir, corpus_from_file, documents, download_verified,
    embedded_corpus, load_corpus, load_corpus_with,
};
pub use dataset::Dataset;
pub(crate) use digest::hex;
pub use hub::{ChooseFiles, Hub};
pub use labels::{Factor, Span, SpanLabels, TokenLabels};
pub use repeated_tokens::RepeatedTokens;
pub use summary::{DatasetSummary, SplitSummary};
pub use tokens::{Batches, END_OF_TEXT, GPT2_EOT, GPT2_VOCAB, TokenSplit, Tokenizer, labels_for};
