//! Texts as token ids: the tokenizer, a split with its labels, batches.

mod batches;
mod pieces;
mod split;
#[cfg(feature = "notebook")]
mod token_labels;
mod tokenizer;

pub use batches::Batches;
pub use split::TokenSplit;
#[cfg(feature = "notebook")]
pub use token_labels::labels_for;
#[cfg(feature = "notebook")]
pub(super) use token_labels::{token_labels, unix_text};
pub use tokenizer::{END_OF_TEXT, GPT2_EOT, GPT2_VOCAB, Tokenizer};
