//! Writing a folder of two files: tensors and their configuration.

use crate::error::{Error, Result};
use crate::file::write_whole;
use candle_core::Tensor;
use serde_json::Value;
use std::borrow::Borrow;
use std::path::Path;

/// Writes `weights` and then `cfg.json`, each atomically; the folder is created if missing.
///
/// # Errors
/// [`Error::Io`] when the folder or a file cannot be written.
pub(super) fn write_folder<T: Borrow<Tensor>>(
    dir: &Path,
    weights: &str,
    cfg: &Value,
    tensors: &[(&str, T)],
) -> Result<()> {
    std::fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
    let text = serde_json::to_string_pretty(cfg)?;
    let weights = dir.join(weights);
    let tensors = tensors
        .iter()
        .map(|(name, tensor)| (*name, tensor.borrow()));
    let bytes = safetensors::serialize(tensors, None)
        .map_err(|e| Error::format(&weights, "safetensors file", e))?;
    write_whole(&weights, &bytes)?;
    write_whole(&dir.join("cfg.json"), text.as_bytes())
}
