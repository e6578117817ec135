//! Detects the format of a folder or a file from the files present.

use super::loaded::Loaded;
use super::{dictionary_learning, gemma_scope, gemma_scope_2, llama_scope, neel_nanda, sparsify};
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// A format, with the path that it is read from.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::sae::format) enum Format {
    SaeLens(PathBuf),
    Sparsify(PathBuf),
    DictionaryLearning(PathBuf),
    GemmaScope(PathBuf),
    GemmaScope2(PathBuf),
    LlamaScope(PathBuf),
    NeelNanda(PathBuf),
    TranscoderSet(PathBuf),
}

/// The supported formats, for messages.
const SOUGHT: &str = "SAELens' cfg.json with sae_weights.safetensors, sparsify's cfg.json with sae.safetensors, \
                      dictionary_learning's config.json with ae.pt, Gemma Scope's params.npz, Gemma Scope 2's config.json with \
                      params.safetensors, Llama Scope's hyperparams.json with checkpoints/final.safetensors, a .pt file with its \
                      _cfg.json (1L-Sparse-Autoencoder), circuit-tracer's config.yaml";

/// Finds the format of `path`, a folder or the file with the weights.
///
/// # Errors
/// [`Error::Argument`] listing the supported formats; [`Error::Io`] where the path does not exist.
pub(in crate::sae::format) fn detect(path: &Path) -> Result<Format> {
    let kind = std::fs::metadata(path).map_err(Error::io("read", path))?;
    if kind.is_file() {
        return of_file(path).ok_or_else(|| unknown(path, "a file of no known format"));
    }
    let has = |name: &str| path.join(name).is_file();
    let folder = || path.to_owned();
    let found = if has("sae_weights.safetensors") && has("cfg.json") {
        Some(Format::SaeLens(folder()))
    } else if has(sparsify::WEIGHTS) {
        Some(Format::Sparsify(folder()))
    } else if has(dictionary_learning::WEIGHTS) {
        Some(Format::DictionaryLearning(folder()))
    } else if has("params.npz") {
        Some(Format::GemmaScope(path.join("params.npz")))
    } else if has(gemma_scope_2::WEIGHTS) {
        Some(Format::GemmaScope2(folder()))
    } else if has(llama_scope::CFG) {
        Some(Format::LlamaScope(folder()))
    } else if has("config.yaml") {
        Some(Format::TranscoderSet(folder()))
    } else if has("cfg.json") || has("sae_weights.safetensors") {
        // An incomplete SAELens folder: its reader reports which file is missing.
        Some(Format::SaeLens(folder()))
    } else {
        None
    };
    if let Some(format) = found {
        return Ok(format);
    }
    let mut pickles = pickles_with_cfg(path);
    match (pickles.pop(), pickles.len()) {
        (Some(one), 0) => Ok(Format::NeelNanda(one)),
        (Some(_), others) => {
            let what = format!("a folder with {} .pt files; name one of them", others + 1);
            Err(unknown(path, &what))
        }
        (None, _) => Err(unknown(path, "a folder of no known format")),
    }
}

fn unknown(path: &Path, what: &str) -> Error {
    let reason = format!("it is {what}; sought was {SOUGHT}");
    Error::argument("path", path.display(), reason)
}

fn of_file(path: &Path) -> Option<Format> {
    let name = path.file_name()?.to_str()?;
    let folder = match path.parent()? {
        folder if folder.as_os_str().is_empty() => PathBuf::from("."),
        folder => folder.to_owned(),
    };
    Some(match name {
        "sae_weights.safetensors" | "cfg.json" => return detect(&folder).ok(),
        sparsify::WEIGHTS => Format::Sparsify(folder),
        dictionary_learning::WEIGHTS => Format::DictionaryLearning(folder),
        gemma_scope_2::WEIGHTS => Format::GemmaScope2(folder),
        llama_scope::CFG => Format::LlamaScope(folder),
        "config.yaml" => Format::TranscoderSet(folder),
        _ if name.ends_with(".npz") => Format::GemmaScope(path.to_owned()),
        _ if name.ends_with(".pt") => Format::NeelNanda(path.to_owned()),
        _ => return None,
    })
}

/// The `.pt` files of a folder that have a configuration next to them.
fn pickles_with_cfg(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let paths = entries.flatten().map(|entry| entry.path());
    let is_weights = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "pt");
    let with_cfg = |path: &PathBuf| neel_nanda::cfg_path(path).is_file();
    let mut found: Vec<PathBuf> = paths.filter(is_weights).filter(with_cfg).collect();
    found.sort();
    found
}

/// Reads a format that is neither SAELens' nor a set; `None` for these two.
pub(in crate::sae::format) fn read(format: &Format, as_transcoder: bool) -> Result<Option<Loaded>> {
    Ok(Some(match format {
        Format::SaeLens(_) | Format::TranscoderSet(_) => return Ok(None),
        Format::Sparsify(dir) => sparsify::read(dir)?,
        Format::DictionaryLearning(dir) => dictionary_learning::read(dir)?,
        Format::GemmaScope(file) => gemma_scope::read(file, as_transcoder)?,
        Format::GemmaScope2(dir) => gemma_scope_2::read(dir)?,
        Format::LlamaScope(dir) => llama_scope::read(dir)?,
        Format::NeelNanda(file) => neel_nanda::read(file)?,
    }))
}
