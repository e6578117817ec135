//! Checkpoints: one safetensors file with the parameters, the moments and the history.
//!
//! Parameters have their TransformerLens names, moments `adamw.{m,v,master}.<name>`; the header
//! holds the rest as JSON, the model's shape as `Transformer::load` reads it, so it opens both.

use super::adamw::AdamWState;
use super::history::TrainingHistory;
use crate::config::{TrainingConfig, TransformerConfig};
use crate::error::{Error, Result};
use crate::file::write_whole;
use candle_core::{Device, Tensor, Var};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::Path;

const HEADER: &str = "holoscope_training";
/// The entry in which `Transformer::load` finds the model's shape.
const MODEL: &str = "holoscope_config";
const MOMENTS: &str = "adamw.";

/// The state of a run after some step.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// Updates done.
    pub step: usize,
    /// Shape of the model.
    pub model: TransformerConfig,
    /// What the run was asked to do.
    pub config: TrainingConfig,
    /// Digest of the corpus that it trained on.
    pub data_digest: String,
    /// Digest of its training and validation tokens ([`Dataset::split_digest`](crate::data::Dataset::split_digest)).
    pub split_digest: String,
    /// What it has recorded.
    pub history: TrainingHistory,
    /// Parameters by name.
    pub params: Vec<(String, Tensor)>,
    /// Moments; `None` where only the parameters were kept.
    pub optimizer: Option<AdamWState>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    step: usize,
    config: TrainingConfig,
    data_digest: String,
    split_digest: String,
    history: TrainingHistory,
}

impl Checkpoint {
    /// Writes the checkpoint; an older file of that name stays whole until the new one is.
    pub fn save(&self, path: &Path) -> Result<()> {
        let header = Header {
            step: self.step,
            config: self.config.clone(),
            data_digest: self.data_digest.clone(),
            split_digest: self.split_digest.clone(),
            history: self.history.clone(),
        };
        let info = HashMap::from([
            (HEADER.to_owned(), serde_json::to_string(&header)?),
            (MODEL.to_owned(), serde_json::to_string(&self.model)?),
        ]);
        let params = self.params.iter().map(|(n, t)| (n.clone(), t));
        let moments = self.optimizer.iter().flat_map(|state| &state.tensors);
        let moments = moments.map(|(n, t)| (format!("{MOMENTS}{n}"), t));
        let bytes = safetensors::serialize(params.chain(moments), Some(info))
            .map_err(|e| Error::format(path, "checkpoint", e))?;
        write_whole(path, &bytes)
    }

    /// Reads a checkpoint.
    ///
    /// # Errors
    /// The file is missing, is not safetensors, or was not written by [`Checkpoint::save`].
    pub fn load(path: &Path, device: &Device) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
        let bad = |e: &dyn std::fmt::Display| Error::format(path, "checkpoint", e);
        let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(|e| bad(&e))?;
        let entry = |name: &str| -> Result<&String> {
            let info = metadata.metadata().as_ref().and_then(|m| m.get(name));
            info.ok_or_else(|| bad(&format!("its header has no {name:?} entry")))
        };
        let header: Header = serde_json::from_str(entry(HEADER)?).map_err(|e| bad(&e))?;
        let model = serde_json::from_str(entry(MODEL)?).map_err(|e| bad(&e))?;

        let (mut params, mut moments) = (Vec::new(), Vec::new());
        for (name, tensor) in candle_core::safetensors::load_buffer(&bytes, device)? {
            match name.strip_prefix(MOMENTS) {
                Some(name) => moments.push((name.to_owned(), tensor)),
                None => params.push((name, tensor)),
            }
        }
        params.sort_by(|a, b| a.0.cmp(&b.0));
        moments.sort_by(|a, b| a.0.cmp(&b.0));
        let optimizer = (!moments.is_empty()).then_some(AdamWState {
            step: header.step,
            tensors: moments,
        });
        Ok(Self {
            step: header.step,
            model,
            config: header.config,
            data_digest: header.data_digest,
            split_digest: header.split_digest,
            history: header.history,
            params,
            optimizer,
        })
    }

    /// Puts the parameters into the variables of the same names.
    ///
    /// # Errors
    /// A variable has no counterpart, or one of another shape, or a parameter has no variable: the
    /// checkpoint is of another model.
    pub fn restore(&self, vars: &[(String, Var)]) -> Result<()> {
        // All is checked before anything changes.
        let mut pairs = Vec::with_capacity(vars.len());
        for (name, var) in vars {
            let Some((_, tensor)) = self.params.iter().find(|(n, _)| n == name) else {
                let known = self.params.iter().map(|(n, _)| n.clone()).collect();
                return Err(missing(name, known));
            };
            if tensor.dims() != var.dims() {
                return Err(Error::shape(name, var.dims(), tensor.dims()));
            }
            pairs.push((var, tensor));
        }
        let has = |name: &str| vars.iter().any(|(v, _)| v == name);
        if let Some((name, _)) = self.params.iter().find(|(name, _)| !has(name)) {
            return Err(missing(name, vars.iter().map(|(v, _)| v.clone()).collect()));
        }
        for (var, tensor) in pairs {
            var.set(&tensor.to_dtype(var.dtype())?)?;
        }
        Ok(())
    }
}

fn missing(name: &str, known: Vec<String>) -> Error {
    Error::NotFound {
        kind: "parameter",
        name: name.to_owned(),
        known,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::DType;

    fn checkpoint() -> Result<Checkpoint> {
        let d = Device::Cpu;
        let history = TrainingHistory {
            train_loss: vec![(1, 0.1 + 0.2), (2, 1e-300)],
            best_val: f64::MAX,
            ..TrainingHistory::default()
        };
        Ok(Checkpoint {
            step: 2,
            model: TransformerConfig::default(),
            config: TrainingConfig::default(),
            data_digest: "d".to_owned(),
            split_digest: "s".to_owned(),
            history,
            params: vec![
                (
                    "a.W".to_owned(),
                    Tensor::new(&[[1f32, -0.0], [f32::MIN_POSITIVE, 3.0]], &d)?,
                ),
                (
                    "b".to_owned(),
                    Tensor::new(&[1f32], &d)?.to_dtype(DType::BF16)?,
                ),
            ],
            optimizer: Some(AdamWState {
                step: 2,
                tensors: vec![("m.b".to_owned(), Tensor::new(&[0.25f32], &d)?)],
            }),
        })
    }

    #[test]
    fn a_checkpoint_comes_back_bit_for_bit() -> Result<()> {
        let dir = tempfile::tempdir().map_err(Error::io("create", "a temporary folder"))?;
        let path = dir.path().join("last.safetensors");
        let saved = checkpoint()?;
        saved.save(&path)?;
        let loaded = Checkpoint::load(&path, &Device::Cpu)?;
        assert_eq!(loaded.history, saved.history);
        let digests = |c: &Checkpoint| (c.data_digest.clone(), c.split_digest.clone());
        assert_eq!(digests(&loaded), digests(&saved));
        assert_eq!(
            (&loaded.config, &loaded.model),
            (&saved.config, &saved.model)
        );
        let bits = |t: &Tensor| -> Result<Vec<u32>> {
            let values = t.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
            Ok(values.into_iter().map(f32::to_bits).collect())
        };
        for ((a, x), (b, y)) in loaded.params.iter().zip(&saved.params) {
            assert_eq!((a, bits(x)?, x.dtype()), (b, bits(y)?, y.dtype()));
        }
        let optimizer = loaded.optimizer.map(|o| (o.step, o.tensors[0].0.clone()));
        assert_eq!(optimizer, Some((2, "m.b".to_owned())));
        Ok(())
    }

    #[test]
    fn a_header_with_an_unknown_field_is_refused() -> Result<()> {
        let dir = tempfile::tempdir().map_err(Error::io("create", "a temporary folder"))?;
        let path = dir.path().join("last.safetensors");
        checkpoint()?.save(&path)?;
        let bytes = std::fs::read(&path).map_err(Error::io("read", &path))?;
        let bad = |e| Error::format(&path, "checkpoint", e);
        let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(bad)?;
        let mut info = metadata.metadata().clone().unwrap_or_default();
        let mut header: serde_json::Value = serde_json::from_str(&info[HEADER])?;
        header["weight_average"] = serde_json::json!(0.99);
        info.insert(HEADER.to_owned(), header.to_string());
        let tensors = SafeTensors::deserialize(&bytes).map_err(bad)?;
        let bytes = safetensors::serialize(tensors.tensors(), Some(info)).map_err(bad)?;
        write_whole(&path, &bytes)?;
        let outcome = Checkpoint::load(&path, &Device::Cpu);
        assert!(matches!(outcome, Err(e) if e.to_string().contains("weight_average")));
        Ok(())
    }

    #[test]
    fn a_checkpoint_of_another_model_or_another_file_is_refused() -> Result<()> {
        let var = |shape: &[usize]| Var::zeros(shape, DType::F32, &Device::Cpu);
        let saved = checkpoint()?;
        let missing = saved.restore(&[("c".to_owned(), var(&[1])?)]);
        assert!(matches!(missing, Err(Error::NotFound { .. })));
        let wrong = saved.restore(&[("a.W".to_owned(), var(&[4])?)]);
        assert!(matches!(wrong, Err(Error::Shape { .. })));
        // Of another model, too, is a checkpoint with a parameter that this one does not have.
        let left_over = saved.restore(&[("a.W".to_owned(), var(&[2, 2])?)]);
        assert!(matches!(left_over, Err(Error::NotFound { name, .. }) if name == "b"));

        let dir = tempfile::tempdir().map_err(Error::io("create", "a temporary folder"))?;
        let path = dir.path().join("plain.safetensors");
        let tensors = HashMap::from([("a", Tensor::new(&[1f32], &Device::Cpu)?)]);
        candle_core::safetensors::save(&tensors, &path)?;
        let plain = Checkpoint::load(&path, &Device::Cpu);
        assert!(matches!(plain, Err(Error::Format { .. })));
        Ok(())
    }
}
