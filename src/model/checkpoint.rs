//! Saving and loading a model in this library's own layout.
//!
//! `model.safetensors` with TransformerLens' parameter names, and `config.json`; the same
//! configuration is in the safetensors metadata, so that the file can travel alone.

use super::init::parameter_shapes;
use super::safetensors_io::{self as io, TensorFile};
use super::transformer::Transformer;
use crate::config::{DeviceKind, TransformerConfig};
use crate::error::{Error, Result};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

const CONFIG_KEY: &str = "holoscope_config";

impl Transformer {
    /// Saves to a folder (`model.safetensors` and `config.json`) or, if `path` ends in
    /// `.safetensors`, to that one file.
    ///
    /// # Errors
    /// [`Error::Io`] when the place cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let config = serde_json::to_string_pretty(self.cfg())?;
        let tensors: Vec<_> = self
            .named_parameters()
            .into_iter()
            .map(|(name, var)| (name, var.as_detached_tensor()))
            .collect();
        let metadata = HashMap::from([
            ("format".to_owned(), "pt".to_owned()),
            (CONFIG_KEY.to_owned(), serde_json::to_string(self.cfg())?),
        ]);
        if is_file_name(path) {
            return io::write(path, &tensors, metadata);
        }
        io::write(&path.join("model.safetensors"), &tensors, metadata)?;
        io::write_file(&path.join("config.json"), config.as_bytes())
    }

    /// Loads what [`Transformer::save`] wrote, folder or file, onto the CPU; also the parameters of
    /// a checkpoint of a training run.
    ///
    /// # Errors
    /// [`Error::Io`] when it is not there; [`Error::Format`] when it is not a checkpoint, or holds a
    /// field or tensor that the model does not have, or a parameter that is not finite;
    /// [`Error::NotFound`] or [`Error::Shape`] when a parameter is missing or does not fit.
    pub fn load(path: impl AsRef<Path>) -> Result<Transformer> {
        Transformer::load_to(path, DeviceKind::Cpu)
    }

    /// [`Transformer::load`] onto a device; the device a model was trained on is no property of
    /// its checkpoint.
    ///
    /// # Errors
    /// As [`Transformer::load`], and [`Error::Config`] for a device this build does not have.
    pub fn load_to(path: impl AsRef<Path>, device: DeviceKind) -> Result<Transformer> {
        let path = path.as_ref();
        let file = if is_file_name(path) {
            path.to_owned()
        } else {
            path.join("model.safetensors")
        };
        let found = io::read(&file)?;
        let cfg = match found.metadata.get(CONFIG_KEY) {
            Some(text) => parse_config(text, &file)?,
            None => {
                let beside = file.with_file_name("config.json");
                parse_config(&read_text(&beside)?, &beside)?
            }
        };
        check_tensors(&found, &cfg, &file)?;
        Transformer::from_parameters(&TransformerConfig { device, ..cfg }, &found.tensors)
    }
}

/// Every tensor is a parameter, whose entries are finite, or the optimiser's state of one.
fn check_tensors(found: &TensorFile, cfg: &TransformerConfig, path: &Path) -> Result<()> {
    let refuse = |reason: String| Err(Error::format(path, "checkpoint", reason));
    if let Some((name, dtype)) = found.others.first_key_value() {
        return refuse(format!("{name} is of type {dtype}, which no parameter has"));
    }
    // Layers that the file does not have must not cost their memory first.
    if let Some(last) = cfg.n_layers.checked_sub(1) {
        let name = format!("blocks.{last}.attn.W_Q");
        if !found.tensors.contains_key(&name) {
            return refuse(format!(
                "n_layers is {}, but there is no {name}",
                cfg.n_layers
            ));
        }
    }
    let parameters: HashSet<String> = parameter_shapes(cfg).into_iter().map(|p| p.0).collect();
    for (name, value) in &found.tensors {
        if parameters.contains(name) {
            io::check_finite(path, "checkpoint", name, value)?;
        } else if !optimizer_state_of(name).is_some_and(|of| parameters.contains(of)) {
            return refuse(format!(
                "{name} {:?} is no parameter of a model of this configuration",
                value.dims()
            ));
        }
    }
    Ok(())
}

/// The parameter `p` whose state is called `name`: `adamw.m.p`, `adamw.v.p` or `adamw.master.p`.
fn optimizer_state_of(name: &str) -> Option<&str> {
    let (kind, parameter) = name.strip_prefix("adamw.")?.split_once('.')?;
    matches!(kind, "m" | "v" | "master").then_some(parameter)
}

fn is_file_name(path: &Path) -> bool {
    path.extension().is_some_and(|ext| ext == "safetensors")
}

fn parse_config(text: &str, path: &Path) -> Result<TransformerConfig> {
    serde_json::from_str(text).map_err(|err| {
        Error::format(
            path,
            "model configuration",
            format!("{err} (for a TransformerLens or Hugging Face folder use load_tl or load_hf)"),
        )
    })
}

/// A text file.
pub(super) fn read_text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(Error::io("read", path))
}

/// The files with a folder's weights: `model.safetensors`, the shards that its index names, or, where
/// there is neither, PyTorch's `.._final.pth` or `pytorch_model.bin`.
pub(super) fn weight_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let single = folder.join("model.safetensors");
    let index = folder.join("model.safetensors.index.json");
    if single.exists() || !index.exists() {
        let pickled = (!single.exists())
            .then(|| pickled_weights(folder))
            .flatten();
        return Ok(vec![pickled.unwrap_or(single)]);
    }
    let text = read_text(&index)?;
    let json: serde_json::Value = serde_json::from_str(&text)
        .map_err(|err| Error::format(&index, "safetensors index", err))?;
    let map = json["weight_map"]
        .as_object()
        .ok_or_else(|| Error::format(&index, "safetensors index", "it has no weight_map"))?;
    let mut shards = BTreeSet::new();
    for (tensor, file) in map {
        let Some(file) = file.as_str() else {
            let reason = format!("weight_map gives {tensor} the file {file}, which is no name");
            return Err(Error::format(&index, "safetensors index", reason));
        };
        shards.insert(file);
    }
    Ok(shards.into_iter().map(|shard| folder.join(shard)).collect())
}

/// The weights that `torch.save` wrote, where there are such.
fn pickled_weights(folder: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?.flatten();
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| name.ends_with("final.pth") || name == "pytorch_model.bin")
        })
        .collect();
    found.sort();
    found.into_iter().next()
}
