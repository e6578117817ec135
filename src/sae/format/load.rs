//! Loads autoencoders and transcoders of every supported format.

use super::peers::{Format, Loaded, SetConfig, detect, read, read_set_files};
use crate::error::{Error, Result};
use crate::sae::variants::{Sae, Transcoder};
use std::path::Path;

impl Sae {
    /// Reads an autoencoder onto the CPU; the format is detected from the files present. `path` is a folder,
    /// or the file with the weights.
    ///
    /// | written by | files | architectures |
    /// |---|---|---|
    /// | SAELens (any version), [`Sae::save`] | `cfg.json`, `sae_weights.safetensors` | standard, TopK, JumpReLU, gated |
    /// | 1L-Sparse-Autoencoder | `{n}.pt`, `{n}_cfg.json` | standard |
    /// | Gemma Scope | `params.npz` | JumpReLU |
    /// | Gemma Scope 2 | `config.json`, `params.safetensors` | JumpReLU |
    /// | dictionary_learning | `config.json`, `ae.pt` | standard (two kinds), gated, JumpReLU, TopK, BatchTopK, Matryoshka |
    /// | sparsify | `cfg.json`, `sae.safetensors` | TopK |
    /// | Llama Scope | `hyperparams.json`, `checkpoints/final.safetensors` | JumpReLU |
    ///
    /// Every field and tensor is applied, known to change nothing, or rejected by name: an autoencoder
    /// that loads computes what its own library computes. `docs/formats.md` has the details.
    ///
    /// A `scaling_factor` of the activations is folded into the decoder. Where SAELens rescales
    /// activations by the decoder's norms, the norms are folded into the weights.
    ///
    /// ```no_run
    /// use holoscope::sae::Sae;
    /// let sae = Sae::load("gemma-scope-2b-pt-res/layer_5/width_16k/average_l0_105")?;
    /// # Ok::<(), holoscope::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Io`] when a file is missing; [`Error::Argument`] for a folder or file of no known format,
    /// and for transcoders; [`Error::Format`] when a file is corrupt, lacks a tensor, holds an unknown
    /// field or tensor or a parameter that is not finite, or requests what no autoencoder of this
    /// library does (activations normalised at run time); [`Error::Shape`] when the tensors
    /// contradict each other or the configuration.
    pub fn load(path: impl AsRef<Path>) -> Result<Sae> {
        let path = path.as_ref();
        let transcoder = |what: &str| {
            let reason = format!(
                "it is {what}; use Transcoder::{}",
                match what {
                    "a set of transcoders" => "load_set",
                    _ => "load",
                }
            );
            Err(Error::argument("path", path.display(), reason))
        };
        let format = detect(path)?;
        match (read(&format, false)?, format) {
            (Some(Loaded::Sae(sae)), _) => Ok(sae),
            (Some(Loaded::Transcoder(_)), _) => transcoder("a transcoder"),
            (None, Format::SaeLens(dir)) => Sae::load_sae_lens(&dir),
            (None, _) => transcoder("a set of transcoders"),
        }
    }
}

impl Transcoder {
    /// Reads a transcoder onto the CPU; the format is detected from the files present: SAELens' (also
    /// written by [`Transcoder::save`]), Gemma Scope's, Gemma Scope 2's, sparsify's or Llama Scope's. `path`
    /// is a folder, or the file with the weights; for circuit-tracer's sets see [`Transcoder::load_set`].
    ///
    /// # Errors
    /// Those of [`Sae::load`]; [`Error::Argument`] for an autoencoder. Gemma Scope's file does not state
    /// which of the two it is: it is read as what the call requests, unless the path has the name of a
    /// repository of transcoders.
    pub fn load(path: impl AsRef<Path>) -> Result<Transcoder> {
        let path = path.as_ref();
        let refuse = |reason: &str| Err(Error::argument("path", path.display(), reason));
        let format = detect(path)?;
        match (read(&format, true)?, format) {
            (Some(Loaded::Transcoder(transcoder)), _) => Ok(transcoder),
            (Some(Loaded::Sae(_)), _) => refuse("it is an autoencoder; use Sae::load"),
            (None, Format::SaeLens(dir)) => Transcoder::load_sae_lens(&dir),
            (None, _) => refuse("it is a set of transcoders; use Transcoder::load_set"),
        }
    }

    /// Reads circuit-tracer's set of transcoders, one per block from 0 on, as an attribution graph accepts
    /// them: the folder has a `config.yaml`, and `layer_{i}.safetensors` or the files that its
    /// `transcoders` lists.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Format`] for an unsupported configuration or file, for cross-layer
    /// transcoders, and for files on the hub ([`Transcoder::set_from_pretrained`] downloads these).
    pub fn load_set(dir: impl AsRef<Path>) -> Result<Vec<Transcoder>> {
        let dir = dir.as_ref();
        let path = dir.join("config.yaml");
        let config = SetConfig::read(&path)?;
        let bad = |reason: String| Error::format(&path, "circuit-tracer configuration", reason);
        let files = match config.files(dir, "Transcoder::set_from_pretrained")? {
            Some(files) => files,
            None => {
                let all = (0..).map(|layer| dir.join(format!("layer_{layer}.safetensors")));
                all.take_while(|file| file.is_file()).collect()
            }
        };
        if files.is_empty() {
            return Err(bad(format!(
                "there is no {}, and no list of transcoders",
                dir.join("layer_0.safetensors").display()
            )));
        }
        read_set_files(&config, &files)
    }
}
