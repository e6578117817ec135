//! Texts: where they come from, and the documents that they fall into.

mod corpus;
mod documents;
mod download;
mod embedded;
mod load_corpus;

pub use corpus::Corpus;
pub use documents::documents;
pub(super) use documents::with_unix_line_ends;
pub use download::download_verified;
pub(super) use download::{Source, Turn, download_from};
pub use embedded::embedded_corpus;
pub use load_corpus::{
    DATA_DIR_VARIABLE, cache_dir, corpus_from_file, load_corpus, load_corpus_with,
};
