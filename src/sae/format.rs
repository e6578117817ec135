//! SAELens' folder format: `cfg.json` beside `sae_weights.safetensors`.
//! Tensors `W_enc [d_in, d_sae]`, `b_enc`, `W_dec [d_sae, d_in]`, `b_dec`, in f32.
//! SAELens 6, `saes/sae.py` (`save_model`, `load_from_disk`).

use super::{SparseAutoencoder, StandardSae, TopKSae};
use crate::error::{Error, Result};
use crate::file::write_whole;
use candle_core::Device;
use serde_json::{Map, Value, json};
use std::path::Path;

const CFG: &str = "cfg.json";
const WEIGHTS: &str = "sae_weights.safetensors";
/// SAELens' name of the architecture, and its flag for activations in units of decoder norms.
const TOP_K: &str = "topk";
const RESCALE: &str = "rescale_acts_by_decoder_norm";

impl StandardSae {
    /// Writes the folder `dir` (made if missing) as SAELens reads it; an older file stays whole
    /// until the new one is.
    ///
    /// # Errors
    /// [`Error::Io`] when the folder or a file cannot be written.
    pub fn save(&self, dir: &Path) -> Result<()> {
        self.write(dir, self.cfg_json("standard"))
    }

    /// Reads a folder written by SAELens or by [`StandardSae::save`], onto the CPU.
    ///
    /// # Errors
    /// [`Error::Io`] when a file is missing; [`Error::Format`] when one is corrupt, lacks a
    /// tensor, or asks for what this autoencoder does not do (another architecture, activations
    /// normalised at run time); [`Error::Shape`] when the tensors contradict each other or `cfg.json`.
    pub fn load(dir: &Path) -> Result<StandardSae> {
        StandardSae::read(dir, "standard")
    }

    fn write(&self, dir: &Path, cfg: Map<String, Value>) -> Result<()> {
        std::fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
        let cfg_path = dir.join(CFG);
        let text = serde_json::to_string_pretty(&Value::Object(cfg))?;
        let tensors = [
            ("W_enc", self.w_enc.contiguous()?),
            ("b_enc", self.b_enc.contiguous()?),
            ("W_dec", self.w_dec.contiguous()?),
            ("b_dec", self.b_dec.contiguous()?),
        ];
        let weights = dir.join(WEIGHTS);
        let bytes = safetensors::serialize(tensors, None)
            .map_err(|e| Error::format(&weights, "safetensors file", e))?;
        write_whole(&weights, &bytes)?;
        write_whole(&cfg_path, text.as_bytes())
    }

    /// The parameters in `dir`, whose architecture must be the one named.
    fn read(dir: &Path, architecture: &str) -> Result<StandardSae> {
        let cfg_path = dir.join(CFG);
        let text = std::fs::read_to_string(&cfg_path).map_err(Error::io("read", &cfg_path))?;
        let cfg: Map<String, Value> = serde_json::from_str(&text)
            .map_err(|e| Error::format(&cfg_path, "SAELens configuration", e))?;
        check_supported(&cfg, &cfg_path, architecture)?;

        let weights = dir.join(WEIGHTS);
        let bytes = std::fs::read(&weights).map_err(Error::io("read", &weights))?;
        let mut tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)
            .map_err(|e| Error::format(&weights, "safetensors file", e))?;
        let mut take = |name: &str| {
            tensors.remove(name).ok_or_else(|| {
                Error::format(
                    &weights,
                    "SAELens weights",
                    format!("there is no tensor {name}"),
                )
            })
        };
        let (w_enc, b_enc) = (take("W_enc")?, take("b_enc")?);
        let mut sae = StandardSae::new(w_enc, b_enc, take("W_dec")?, take("b_dec")?)?;
        for (key, found) in [("d_in", sae.d_in()), ("d_sae", sae.d_sae())] {
            match cfg.get(key).and_then(Value::as_u64) {
                Some(n) if n as usize == found => {}
                Some(n) => return Err(Error::shape(format!("W_enc ({key})"), n, found)),
                None => {
                    let reason = format!("there is no {key}");
                    return Err(Error::format(&cfg_path, "SAELens configuration", reason));
                }
            }
        }
        sae.apply_b_dec_to_input = cfg
            .get("apply_b_dec_to_input")
            .and_then(Value::as_bool)
            .unwrap_or(true);
        let metadata = cfg.get("metadata").and_then(|m| m.get("hook_name"));
        sae.hook_name = metadata.and_then(Value::as_str).map(str::to_owned);
        sae.cfg = cfg;
        Ok(sae)
    }

    /// What `cfg.json` says: what was read, with the keys that describe this autoencoder set.
    fn cfg_json(&self, architecture: &str) -> Map<String, Value> {
        let mut cfg = self.cfg.clone();
        cfg.insert("d_in".into(), json!(self.d_in()));
        cfg.insert("d_sae".into(), json!(self.d_sae()));
        cfg.insert("dtype".into(), json!("float32"));
        cfg.insert(
            "apply_b_dec_to_input".into(),
            json!(self.apply_b_dec_to_input),
        );
        for (key, value) in [
            ("device", json!("cpu")),
            ("normalize_activations", json!("none")),
            ("reshape_activations", json!("none")),
            ("metadata", json!({})),
            ("architecture", json!(architecture)),
        ] {
            cfg.entry(key).or_insert(value);
        }
        if let (Some(name), Some(Value::Object(metadata))) =
            (&self.hook_name, cfg.get_mut("metadata"))
        {
            metadata.insert("hook_name".into(), json!(name));
        }
        cfg
    }
}

impl TopKSae {
    /// Writes the folder `dir` as SAELens reads it, as [`StandardSae::save`] does; architecture
    /// "topk".
    ///
    /// # Errors
    /// Those of [`StandardSae::save`].
    pub fn save(&self, dir: &Path) -> Result<()> {
        let mut cfg = self.dictionary.cfg_json(TOP_K);
        cfg.insert("architecture".into(), json!(TOP_K));
        cfg.insert("k".into(), json!(self.k));
        cfg.insert(RESCALE.into(), json!(false));
        self.dictionary.write(dir, cfg)
    }

    /// Reads a folder written by SAELens or by [`TopKSae::save`], onto the CPU. Where SAELens
    /// rescales activations by the decoder's norms, the norms are folded into the weights.
    ///
    /// # Errors
    /// Those of [`StandardSae::load`]; [`Error::Format`] when `cfg.json` has no `k`.
    pub fn load(dir: &Path) -> Result<TopKSae> {
        let mut dictionary = StandardSae::read(dir, TOP_K)?;
        let Some(k) = dictionary.cfg.get("k").and_then(Value::as_u64) else {
            let reason = "there is no k, the number of activations kept";
            return Err(Error::format(
                dir.join(CFG),
                "SAELens configuration",
                reason,
            ));
        };
        if dictionary.cfg.get(RESCALE).and_then(Value::as_bool) == Some(true) {
            dictionary.fold_decoder_norms()?;
            dictionary.cfg.insert(RESCALE.into(), json!(false));
        }
        TopKSae::new(dictionary, k as usize)
    }
}

impl StandardSae {
    /// The same function of inputs, with the norms of the decoder's rows moved into the encoder.
    fn fold_decoder_norms(&mut self) -> Result<()> {
        let norms = self.w_dec.sqr()?.sum(1)?.sqrt()?; // [d_sae]
        self.w_enc = self.w_enc.broadcast_mul(&norms)?;
        self.b_enc = (&self.b_enc * &norms)?;
        // A row of zeros writes nothing; its activation is 0 from here on, and it stays a row of zeros.
        let divisors = norms.maximum(f32::MIN_POSITIVE)?;
        self.w_dec = self.w_dec.broadcast_div(&divisors.unsqueeze(1)?)?;
        Ok(())
    }
}

/// Refuses configurations whose arithmetic is not that of `architecture`.
fn check_supported(cfg: &Map<String, Value>, path: &Path, architecture: &str) -> Result<()> {
    for (key, supported) in [
        ("architecture", architecture),
        ("normalize_activations", "none"),
        ("reshape_activations", "none"),
    ] {
        match cfg.get(key) {
            None | Some(Value::Null) => {}
            Some(Value::String(value)) if value == supported => {}
            Some(value) => {
                let reason = format!("{key} is {value}, only {supported:?} is supported");
                return Err(Error::format(path, "SAELens configuration", reason));
            }
        }
    }
    Ok(())
}
