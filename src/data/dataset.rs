//! A corpus as token ids, split by document.
//!
//! Whole documents are shuffled by seed and dealt out 80/10/10, so that no text is
//! torn apart and no document is in two parts.

use super::corpora::{Corpus, documents, load_corpus};
use super::digest::hex;
use super::tokens::{TokenSplit, Tokenizer, token_labels, unix_text};
use crate::config::DataConfig;
use crate::error::{Error, Result};
use crate::progress::Reporter;
use crate::show::NotebookReporter;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

/// Tokenizer and token ids of the three parts.
#[derive(Debug, Clone)]
pub struct Dataset {
    pub tokenizer: Tokenizer,
    pub train: TokenSplit,
    pub val: TokenSplit,
    pub test: TokenSplit,
    pub corpus_name: String,
    /// One sentence: where the text came from.
    pub source_note: String,
    /// SHA-256 of the text, lower-case hexadecimal.
    pub digest: String,
    /// Tokens of all parts, separators included.
    pub n_tokens: usize,
    /// Different tokens among them.
    pub n_distinct: usize,
    pub n_documents: usize,
}

impl Dataset {
    /// Finds the corpus that the configuration names and makes it a dataset.
    ///
    /// ```no_run
    /// use holoscope::{config::DataConfig, data::Dataset};
    /// let data = Dataset::load(&DataConfig::default())?;
    /// println!("{}: {} tokens. {}", data.corpus_name, data.n_tokens, data.source_note);
    /// # Ok::<(), holoscope::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`load_corpus`] and [`Dataset::from_corpus`].
    pub fn load(cfg: &DataConfig) -> Result<Dataset> {
        Dataset::load_with(cfg, &mut NotebookReporter::new())
    }

    /// [`Dataset::load`] with the progress of a download to `reporter`;
    /// [`Silent`](crate::progress::Silent) for none.
    ///
    /// # Errors
    /// Those of [`Dataset::load`].
    pub fn load_with(cfg: &DataConfig, reporter: &mut dyn Reporter) -> Result<Dataset> {
        cfg.validate()?;
        Dataset::from_corpus(&load_corpus(cfg, reporter)?, cfg)
    }

    /// Tokenises a corpus and splits its documents. Line ends are read as LF: a text with CRLF or CR
    /// gives the same documents and tokens.
    ///
    /// # Errors
    /// [`Error::Config`] for a bad configuration; [`Error::Argument`] when there are
    /// fewer documents than parts to fill.
    pub fn from_corpus(corpus: &Corpus, cfg: &DataConfig) -> Result<Dataset> {
        cfg.validate()?;
        let gpt2 = Tokenizer::gpt2()?;
        let (text, spans) = unix_text(corpus);
        let mut docs = gpt2.encode_documents(&documents(&text));
        let all = docs.concat();
        let compact = Tokenizer::compact(&all)?;
        let n_distinct = compact.n_vocab();
        let tokenizer = if cfg.compact_vocab {
            for id in docs.iter_mut().flatten() {
                *id = compact.from_gpt2(*id).unwrap_or(compact.bos());
            }
            compact
        } else {
            gpt2
        };
        let labels = match &spans {
            Some(spans) => Some(token_labels(spans, &docs, &tokenizer, text.len())?),
            None => None,
        };

        let mut starts = Vec::with_capacity(docs.len());
        let mut at = 0;
        for doc in &docs {
            starts.push(at);
            at += doc.len();
        }
        let [train, val, test] = split_documents(docs.len(), cfg)?;
        let part = |ids: Vec<usize>| {
            let ranges: Vec<_> = ids
                .iter()
                .map(|&d| starts[d]..starts[d] + docs[d].len())
                .collect();
            let mut part = TokenSplit {
                tokens: Vec::with_capacity(ranges.iter().map(|r| r.len()).sum()),
                starts: Vec::with_capacity(ids.len()),
                bos: tokenizer.bos(),
                labels: labels.as_ref().map(|l| l.gather(&ranges)),
                document_ids: ids,
            };
            for &d in &part.document_ids {
                part.starts.push(part.tokens.len());
                part.tokens.extend_from_slice(&docs[d]);
            }
            part
        };
        Ok(Dataset {
            train: part(train),
            val: part(val),
            test: part(test),
            tokenizer,
            corpus_name: corpus.name.clone(),
            source_note: corpus.source_note.clone(),
            digest: corpus.digest.clone(),
            n_tokens: all.len(),
            n_distinct,
            n_documents: docs.len(),
        })
    }

    /// SHA-256 of the training and validation tokens, lower-case hexadecimal: the corpus, its
    /// split and its vocabulary in one word.
    pub fn split_digest(&self) -> String {
        let mut hasher = Sha256::new();
        for part in [&self.train, &self.val] {
            // The length first, so that a token cannot change sides unseen.
            hasher.update((part.tokens.len() as u64).to_le_bytes());
            hasher.update(part.bos.to_le_bytes());
            for tokens in part.tokens.chunks(4_096) {
                let bytes: Vec<u8> = tokens.iter().flat_map(|t| t.to_le_bytes()).collect();
                hasher.update(bytes);
            }
        }
        hex(&hasher.finalize())
    }
}

/// Deals `0..n` out, shuffled by the configuration's seed. The test set may stay
/// empty only if the shares leave nothing for it.
fn split_documents(n: usize, cfg: &DataConfig) -> Result<[Vec<usize>; 3]> {
    let wants_test = 1.0 - cfg.train_frac - cfg.val_frac > 1e-9;
    let parts = if wants_test { 3 } else { 2 };
    if n < parts {
        return Err(Error::argument(
            "documents in the corpus",
            n,
            format!("at least {parts} are needed, one a part; a blank line ends a document"),
        ));
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(cfg.seed));
    let share = |frac: f64| (frac * n as f64).round() as usize;
    let n_train = share(cfg.train_frac).clamp(1, n - (parts - 1));
    let rest = n - n_train;
    let n_val = if wants_test {
        share(cfg.val_frac).clamp(1, rest - 1)
    } else {
        rest
    };
    let test = order.split_off(n_train + n_val);
    let val = order.split_off(n_train);
    Ok([order, val, test])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn corpus(n: usize) -> Corpus {
        let text: String = (0..n)
            .map(|i| format!("N{i}:\nword {}\n\n", i * 7))
            .collect();
        Corpus::from_text("toy", &text)
    }

    #[test]
    fn documents_keep_their_text_through_the_split() {
        let corpus = corpus(50);
        let data = Dataset::from_corpus(&corpus, &DataConfig::default()).unwrap();
        let texts = documents(&corpus.text);
        for part in [&data.train, &data.val, &data.test] {
            for (i, &id) in part.document_ids.iter().enumerate() {
                let ids = part.document(i);
                assert_eq!(ids[0], data.tokenizer.bos());
                assert_eq!(data.tokenizer.decode(&ids[1..]), texts[id]);
            }
        }
        assert_eq!((data.train.n_documents(), data.val.n_documents()), (40, 5));
        assert_eq!(data.n_distinct, data.tokenizer.n_vocab());
    }

    #[test]
    fn the_whole_vocabulary_gives_gpt2_ids() {
        let cfg = DataConfig {
            compact_vocab: false,
            ..DataConfig::default()
        };
        let data = Dataset::from_corpus(&corpus(20), &cfg).unwrap();
        assert_eq!(data.tokenizer.n_vocab(), 50_257);
        assert!(data.n_distinct < 100);
        assert_eq!(data.train.tokens[0], 50_256);
    }

    #[test]
    fn the_split_digest_tells_splits_and_vocabularies_apart() {
        let digest = |change: fn(&mut DataConfig)| {
            let mut cfg = DataConfig::default();
            change(&mut cfg);
            let data = Dataset::from_corpus(&corpus(50), &cfg).unwrap();
            data.split_digest()
        };
        let first = digest(|_| {});
        assert_eq!(first, digest(|_| {}));
        let changes: [fn(&mut DataConfig); 4] = [
            |cfg| cfg.seed = 1,
            |cfg| cfg.train_frac = 0.7,
            |cfg| cfg.val_frac = 0.2,
            |cfg| cfg.compact_vocab = false,
        ];
        for change in changes {
            assert_ne!(first, digest(change));
        }
    }

    #[test]
    fn too_few_documents_are_an_error() {
        assert!(Dataset::from_corpus(&corpus(2), &DataConfig::default()).is_err());
        assert!(Dataset::from_corpus(&corpus(0), &DataConfig::default()).is_err());
        assert!(Dataset::from_corpus(&corpus(3), &DataConfig::default()).is_ok());
    }

    proptest! {
        #[test]
        fn the_split_is_a_partition(n in 3_usize..400, seed: u64, train in 0.05_f64..0.9) {
            let cfg = DataConfig { seed, train_frac: train, ..DataConfig::default() };
            let [train, val, test] = split_documents(n, &cfg).unwrap();
            prop_assert!(!train.is_empty() && !val.is_empty() && !test.is_empty());
            let mut all = [train, val, test].concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..n).collect::<Vec<_>>());
        }
    }
}
