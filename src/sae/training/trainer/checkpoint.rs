//! Checkpoints of an autoencoder's training: one safetensors file with all state that changes.
//!
//! The header holds the configuration, the origin of the activations and the history as JSON, and a
//! CRC-32C of everything. Files are written atomically.

use super::super::record::SaeHistory;
use crate::config::{SaeConfig, TransformerConfig};
use crate::data::{Dataset, hex};
use crate::error::{Error, Result};
use crate::file::write_whole;
use crate::model::Transformer;
use crate::sae::state_dict::StateDict;
use candle_core::DType;
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::Path;

const HEADER: &str = "holoscope_sae_training";
const CHECKSUM: &str = "crc32c";
const FORMAT: &str = "checkpoint of an autoencoder's training";
/// Fields that may change when a run is resumed.
const FREE: [&str; 3] = ["steps", "checkpoint_every", "run_dir"];

/// The origin of a run's activations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Origin {
    model: TransformerConfig,
    /// SHA-256 of the model's parameters.
    model_digest: String,
    data_digest: String,
    split_digest: String,
}

/// The state of a run after some step.
pub(super) struct Checkpoint {
    pub config: SaeConfig,
    pub origin: Origin,
    pub history: SaeHistory,
    pub numbers: StateDict,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    config: SaeConfig,
    origin: Origin,
    history: SaeHistory,
}

/// Picks one digest.
type DigestOf = fn(&Origin) -> &String;

impl Origin {
    pub(super) fn of(model: &Transformer, data: &Dataset) -> Result<Self> {
        let mut hasher = Sha256::new();
        for (name, var) in model.named_parameters() {
            hasher.update(name.as_bytes());
            let values = var.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
            hasher.update((values.len() as u64).to_le_bytes());
            for values in values.chunks(4_096) {
                let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
                hasher.update(bytes);
            }
        }
        Ok(Self {
            model: model.cfg().clone(),
            model_digest: hex(&hasher.finalize()),
            data_digest: data.digest.clone(),
            split_digest: data.split_digest(),
        })
    }

    /// The content of the run's `config.json`.
    pub(super) fn json(&self, cfg: &SaeConfig) -> serde_json::Value {
        serde_json::json!({
            "holoscope": env!("CARGO_PKG_VERSION"), "sae": cfg, "origin": self,
        })
    }
}

impl Checkpoint {
    /// Writes the checkpoint; an older file of that name is replaced atomically.
    pub(super) fn save(&self, path: &Path) -> Result<()> {
        let header = serde_json::to_string(&Header {
            config: self.config.clone(),
            origin: self.origin.clone(),
            history: self.history.clone(),
        })?;
        let bad = |e: String| Error::format(path, FORMAT, e);
        let checksum = format!("{:08x}", self.numbers.checksum(&header));
        let info = HashMap::from([(HEADER.to_owned(), header), (CHECKSUM.to_owned(), checksum)]);
        let views = self.numbers.views().map_err(bad)?;
        let bytes = safetensors::serialize(views, Some(info)).map_err(|e| bad(e.to_string()))?;
        write_whole(path, &bytes)
    }

    /// Reads a checkpoint.
    ///
    /// # Errors
    /// The file is missing, was not written by [`Checkpoint::save`], or is damaged.
    pub(super) fn load(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
        let bad = |e: &dyn std::fmt::Display| Error::format(path, FORMAT, e);
        let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(|e| bad(&e))?;
        let entry = |name: &str| -> Result<&String> {
            let info = metadata.metadata().as_ref().and_then(|m| m.get(name));
            info.ok_or_else(|| bad(&format!("its header has no {name:?} entry")))
        };
        let header_text = entry(HEADER)?;
        let tensors = SafeTensors::deserialize(&bytes).map_err(|e| bad(&e))?;
        let numbers = StateDict::of_views(tensors.tensors().into_iter());
        let checksum = format!("{:08x}", numbers.checksum(header_text));
        if checksum != *entry(CHECKSUM)? {
            return Err(bad(&"it is damaged: its checksum does not match"));
        }
        let header: Header = serde_json::from_str(header_text).map_err(|e| bad(&e))?;
        Ok(Self {
            config: header.config,
            origin: header.origin,
            history: header.history,
            numbers,
        })
    }

    /// The error for a checkpoint whose numbers do not fit the training.
    pub(super) fn unfit(path: &Path, why: String) -> Error {
        Error::format(path, FORMAT, why)
    }

    /// Checks that the requested run is this one: the same configuration, model and text.
    pub(super) fn check(&self, cfg: &SaeConfig, origin: &Origin) -> Result<()> {
        let difference = self
            .config
            .first_difference(cfg, |field| !FREE.contains(&field));
        if let Some((field, old, new)) = difference {
            return Err(Error::Config {
                config: "SaeConfig",
                field,
                value: new,
                reason: format!("the run in run_dir has {old}"),
            });
        }
        if let Some((field, old, new)) = self.origin.model.first_difference(&origin.model) {
            return Err(Error::Config {
                config: "TransformerConfig",
                field,
                value: new,
                reason: format!("the model of the run in run_dir has {old}"),
            });
        }
        let digests: [(&str, DigestOf, &str); 3] = [
            (
                "model digest",
                |o| &o.model_digest,
                "the run in run_dir was on a model of other parameters",
            ),
            (
                "corpus digest",
                |o| &o.data_digest,
                "the run in run_dir was on another corpus",
            ),
            (
                "split digest",
                |o| &o.split_digest,
                "the run in run_dir was on another split of this corpus; load the data with the seed, \
                 train_frac, val_frac and compact_vocab of its first part",
            ),
        ];
        for (what, digest, reason) in digests {
            let (old, new) = (digest(&self.origin), digest(origin));
            if old != new {
                return Err(Error::argument(what, new, format!("{reason} ({old})")));
            }
        }
        Ok(())
    }
}
