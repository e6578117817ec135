//! Folders of dictionaries that SAELens does not have: `cfg.json` and `sae_weights.safetensors`.
//! Every field of the configuration and every tensor is applied or rejected by name.

use super::write_folder::write_folder;
use super::{CFG, WEIGHTS};
use crate::error::{Error, Result};
use crate::known_fields::shortened;
use crate::model::{TensorFile, check_finite, read_tensors};
use crate::sae::variants::TranscoderActivation;
use candle_core::Tensor;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

const CFG_FORMAT: &str = "Holoscope configuration";
const TENSORS_FORMAT: &str = "Holoscope state dict";

/// Writes the two files.
pub(super) fn write(dir: &Path, cfg: &Value, tensors: &[(String, Tensor)]) -> Result<()> {
    let tensors: Vec<(&str, &Tensor)> =
        tensors.iter().map(|(name, t)| (name.as_str(), t)).collect();
    write_folder(dir, WEIGHTS, cfg, &tensors)
}

/// The name of an activation function in the file; `k` or the thresholds are written separately.
pub(super) fn activation_name(activation: &TranscoderActivation) -> &'static str {
    match activation {
        TranscoderActivation::Relu => "relu",
        TranscoderActivation::JumpRelu { .. } => "jumprelu",
        TranscoderActivation::TopK { .. } => "topk",
    }
}

/// `k`, or null.
pub(super) fn activation_k(activation: &TranscoderActivation) -> Value {
    match activation {
        TranscoderActivation::TopK { k } => json!(k),
        TranscoderActivation::Relu | TranscoderActivation::JumpRelu { .. } => Value::Null,
    }
}

/// A folder that is being read: entries are removed as they are read.
pub(super) struct Folder {
    cfg_path: PathBuf,
    weights_path: PathBuf,
    fields: Map<String, Value>,
    file: TensorFile,
}

impl Folder {
    /// Both files of `dir`, whose architecture is `name`.
    pub(super) fn open(dir: &Path, name: &str) -> Result<Folder> {
        let cfg_path = dir.join(CFG);
        let text = std::fs::read_to_string(&cfg_path).map_err(Error::io("read", &cfg_path))?;
        let fields: Map<String, Value> = serde_json::from_str(&text)
            .map_err(|error| Error::format(&cfg_path, CFG_FORMAT, error))?;
        let weights_path = dir.join(WEIGHTS);
        let bad = |reason: String| Error::format(&cfg_path, CFG_FORMAT, reason);
        match fields.get("architecture") {
            Some(Value::String(found)) if found == name => {}
            found => {
                let found = found.map_or("missing".to_owned(), shortened);
                return Err(bad(format!("architecture is {found}, expected {name:?}")));
            }
        }
        let mut folder = Folder {
            file: read_tensors(&weights_path)?,
            cfg_path,
            weights_path,
            fields,
        };
        folder.fields.remove("architecture");
        Ok(folder)
    }

    /// The error for an invalid configuration.
    pub(super) fn bad(&self, reason: impl Into<String>) -> Error {
        Error::format(&self.cfg_path, CFG_FORMAT, reason.into())
    }

    /// Removes and returns a field of the configuration.
    pub(super) fn field(&mut self, name: &str) -> Result<Value> {
        let value = self.fields.remove(name);
        value.ok_or_else(|| self.bad(format!("there is no {name}")))
    }

    /// Removes and returns a field that is a list of strings.
    pub(super) fn texts(&mut self, name: &str) -> Result<Vec<String>> {
        let value = self.field(name)?;
        serde_json::from_value(value.clone()).map_err(|_| {
            let found = shortened(&value);
            self.bad(format!("{name} is {found}, expected a list of texts"))
        })
    }

    /// Removes and returns a tensor, which must be finite.
    pub(super) fn tensor(&mut self, name: &str) -> Result<Tensor> {
        let path = &self.weights_path;
        let tensor = self.file.tensors.remove(name).ok_or_else(|| {
            Error::format(path, TENSORS_FORMAT, format!("there is no tensor {name}"))
        })?;
        check_finite(path, TENSORS_FORMAT, name, &tensor)?;
        Ok(tensor)
    }

    /// The activation function that the configuration names; thresholds are the tensor `threshold`.
    pub(super) fn activation(
        &mut self,
        name: &str,
        k: &Value,
        threshold: &str,
    ) -> Result<TranscoderActivation> {
        match (name, k) {
            ("topk", k) => match k.as_u64().and_then(|k| usize::try_from(k).ok()) {
                Some(k) => Ok(TranscoderActivation::TopK { k }),
                None => Err(self.bad(format!("k is {}, expected a number", shortened(k)))),
            },
            (_, k) if !k.is_null() => {
                let k = shortened(k);
                Err(self.bad(format!("k is {k}, which only the activation \"topk\" has")))
            }
            ("relu", _) => Ok(TranscoderActivation::Relu),
            ("jumprelu", _) => Ok(TranscoderActivation::JumpRelu {
                threshold: self.tensor(threshold)?,
            }),
            (other, _) => Err(self.bad(format!(
                "activation is {other:?}, expected \"relu\", \"jumprelu\" or \"topk\""
            ))),
        }
    }

    /// Checks that every entry has been read.
    pub(super) fn finish(self) -> Result<()> {
        if let Some((name, value)) = self.fields.iter().next() {
            let value = shortened(value);
            return Err(self.bad(format!("unknown field {name:?} (its value is {value})")));
        }
        match self
            .file
            .tensors
            .keys()
            .chain(self.file.others.keys())
            .next()
        {
            None => Ok(()),
            Some(name) => {
                let reason = format!("unknown tensor {name:?}; if it changes nothing, remove it");
                Err(Error::format(&self.weights_path, TENSORS_FORMAT, reason))
            }
        }
    }
}
