//! Which text, how it is split and how it becomes token ids.

use super::Fields;
use crate::error::Result;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Where the text comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CorpusSource {
    /// TinyShakespeare where it can be had, otherwise the embedded corpus (and the output says so).
    #[default]
    Auto,
    /// TinyShakespeare or an error.
    TinyShakespeare,
    /// The seeded generator with known latent factors.
    Embedded,
}

/// The corpus, its split and its vocabulary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    pub source: CorpusSource,
    /// Address of TinyShakespeare.
    pub url: String,
    /// Its digest, lower-case hexadecimal; an empty string checks nothing.
    pub sha256: String,
    /// Where downloads are kept; `None`: the platform's cache folder.
    pub cache_dir: Option<PathBuf>,
    /// Size of the embedded corpus, in bytes of text.
    pub embedded_bytes: usize,
    /// Share of the documents that train the model.
    pub train_frac: f64,
    /// Share of the documents for validation; the rest is the test set.
    pub val_frac: f64,
    /// Keep only the token ids that occur in the corpus.
    pub compact_vocab: bool,
    /// Seed of the document shuffle and of the embedded corpus.
    pub seed: u64,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self {
            source: CorpusSource::default(),
            url: "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt".to_owned(),
            sha256: "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed".to_owned(),
            cache_dir: None,
            embedded_bytes: 3_000_000,
            train_frac: 0.8,
            val_frac: 0.1,
            compact_vocab: true,
            seed: 42_069,
        }
    }
}

impl DataConfig {
    /// Checks every field; the error names the field, its value and the rule.
    pub fn validate(&self) -> Result<()> {
        let fields = Fields("DataConfig");
        if !(self.train_frac > 0.0 && self.train_frac < 1.0) {
            let reason = "must lie between 0 and 1";
            return fields.bad("train_frac", self.train_frac, reason);
        }
        // 0.7 and 0.3 may add up to a little more than 1.
        if !(self.val_frac > 0.0 && self.train_frac + self.val_frac <= 1.0 + 1e-9) {
            let reason = "must be positive, and train_frac + val_frac at most 1";
            return fields.bad("val_frac", self.val_frac, reason);
        }
        let is_digest =
            self.sha256.len() == 64 && self.sha256.bytes().all(|b| b.is_ascii_hexdigit());
        if !self.sha256.is_empty() && !is_digest {
            let reason = "must be 64 hexadecimal digits, or empty to check nothing";
            return fields.bad("sha256", format!("{:?}", self.sha256), reason);
        }
        if self.embedded_bytes < 1_000 {
            let reason = "must be at least 1000, for a few documents";
            return fields.bad("embedded_bytes", self.embedded_bytes, reason);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_field_is_named() {
        let bad = [
            (
                DataConfig {
                    train_frac: f64::NAN,
                    ..DataConfig::default()
                },
                "train_frac",
            ),
            (
                DataConfig {
                    val_frac: 0.3,
                    ..DataConfig::default()
                },
                "val_frac",
            ),
            (
                DataConfig {
                    sha256: "12".to_owned(),
                    ..DataConfig::default()
                },
                "sha256",
            ),
            (
                DataConfig {
                    embedded_bytes: 0,
                    ..DataConfig::default()
                },
                "embedded_bytes",
            ),
        ];
        for (cfg, field) in bad {
            let message = cfg.validate().unwrap_err().to_string();
            assert!(message.contains(&format!("{field} = ")), "{message}");
        }
        DataConfig::default().validate().unwrap();
    }
}
