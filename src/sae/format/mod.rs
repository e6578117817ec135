//! Files of autoencoders: SAELens' format here, other libraries' in `peers`.
//!
//! SAELens' folder format: `cfg.json` and `sae_weights.safetensors`.
//! Tensors `W_enc [d_in, d_sae]`, `b_enc`, `W_dec [d_sae, d_in]`, `b_dec`, in f32.
//! SAELens 6, `saes/sae.py` (`save_model`, `load_from_disk`); older layouts are read, too.
//!
//! Every field and tensor is applied, known to change nothing, or rejected by name.

mod cfg;
#[cfg(feature = "notebook")]
mod coder_folder;
#[cfg(feature = "notebook")]
mod cross_layer_transcoder;
#[cfg(feature = "notebook")]
mod crosscoder;
mod fields;
#[cfg(feature = "notebook")]
mod load;
mod own_fields;
mod own_tensors;
#[cfg(feature = "notebook")]
mod peers;
#[cfg(feature = "notebook")]
mod pretrained;
#[cfg(feature = "notebook")]
mod transcoder;
#[cfg(feature = "notebook")]
mod write_folder;

use super::autoencoder::SparseAutoencoder;
use super::variants::{
    AbsTopKSae, GatedSae, JumpReLUSae, MatchingPursuitSae, Sae, StandardSae, TopKSae,
};
use crate::error::{Error, Result};
#[cfg(feature = "notebook")]
use crate::model::read_tensors;
use crate::model::{TensorFile, check_finite};
use candle_core::Tensor;
use cfg::{Architecture, SCALING, SaeLensCfg, describe_architecture, with_version};
use own_tensors::{FORMAT, Own, temporal, temporal_fields};
use serde_json::{Map, Value, json};
use std::path::Path;
#[cfg(feature = "notebook")]
use write_folder::write_folder;

const CFG: &str = "cfg.json";
#[cfg(feature = "notebook")]
const WEIGHTS: &str = "sae_weights.safetensors";

/// An autoencoder in SAELens' format: the content of `cfg.json`, and the tensors.
pub(crate) struct SaeState {
    pub(crate) cfg: Map<String, Value>,
    pub(crate) tensors: Vec<(String, Tensor)>,
}

impl Sae {
    /// Writes the folder `dir` (created if missing) as SAELens 6 reads it; files are replaced
    /// atomically. The fields read from a `cfg.json` are written again.
    ///
    /// # Errors
    /// [`Error::Io`] when the folder or a file cannot be written.
    #[cfg(feature = "notebook")]
    pub fn save(&self, dir: impl AsRef<Path>) -> Result<()> {
        let state = self.to_state()?;
        let tensors: Vec<(&str, &Tensor)> = state
            .tensors
            .iter()
            .map(|(name, t)| (name.as_str(), t))
            .collect();
        write_folder(dir.as_ref(), WEIGHTS, &Value::Object(state.cfg), &tensors)
    }

    /// What [`Sae::save`] writes.
    pub(crate) fn to_state(&self) -> Result<SaeState> {
        let (dictionary, architecture, own) = match self {
            Self::Standard(sae) => (sae, Architecture::Standard, vec![]),
            Self::TopK(sae) => {
                let architecture = Architecture::TopK { k: sae.k as u64 };
                (&sae.dictionary, architecture, vec![])
            }
            Self::AbsTopK(sae) => {
                let architecture = Architecture::AbsTopK { k: sae.k as u64 };
                (&sae.dictionary, architecture, vec![])
            }
            Self::JumpReLU(sae) => {
                let own = vec![("threshold".to_owned(), &sae.threshold)];
                (&sae.dictionary, Architecture::JumpReLU, own)
            }
            Self::Gated(sae) => {
                let own = vec![
                    ("r_mag".to_owned(), &sae.r_mag),
                    ("b_mag".to_owned(), &sae.b_mag),
                ];
                (&sae.dictionary, Architecture::Gated, own)
            }
            Self::MatchingPursuit(sae) => {
                (&sae.dictionary, Architecture::Pursuit(sae.rules), vec![])
            }
            Self::Temporal(sae) => {
                let own = sae.layers.iter().enumerate().flat_map(|(i, layer)| {
                    let named = layer.named().into_iter();
                    named.map(move |(name, tensor)| (format!("attn_layers.{i}.{name}"), tensor))
                });
                let architecture = Architecture::Temporal(temporal_fields(sae));
                (&sae.dictionary, architecture, own.collect())
            }
        };
        dictionary.state(architecture, &own)
    }

    /// Reads a folder written by SAELens, of any version, or by [`Sae::save`]; its `cfg.json` gives the
    /// architecture. Before version 6 SAELens calls TopK "standard" and the activation
    /// function "topk".
    ///
    /// # Errors
    /// Those of [`Sae::load`].
    #[cfg(feature = "notebook")]
    fn load_sae_lens(dir: &Path) -> Result<Sae> {
        let cfg_path = dir.join(CFG);
        let cfg = std::fs::read_to_string(&cfg_path).map_err(Error::io("read", &cfg_path))?;
        let path = dir.join(WEIGHTS);
        Sae::from_state(&cfg, &cfg_path, read_tensors(&path)?, &path)
    }

    /// Reads a state as returned by [`Sae::to_state`], of any version; errors name the given paths.
    ///
    /// # Errors
    /// Those of [`Sae::load`].
    pub(crate) fn from_state(
        cfg: &str,
        cfg_path: &Path,
        file: TensorFile,
        path: &Path,
    ) -> Result<Sae> {
        let (dictionary, own) = StandardSae::of_state(cfg, cfg_path, file, path)?;
        Ok(match own {
            Own::Nothing => dictionary.into(),
            Own::TopK(k) => TopKSae::new(dictionary, k as usize)?.into(),
            Own::AbsTopK(k) => AbsTopKSae::new(dictionary, k as usize)?.into(),
            Own::JumpReLU { threshold } => JumpReLUSae::new(dictionary, threshold)?.into(),
            Own::Gated { r_mag, b_mag } => GatedSae::new(dictionary, r_mag, b_mag)?.into(),
            Own::Pursuit(rules) => {
                rules.check()?;
                MatchingPursuitSae { rules, dictionary }.into()
            }
            Own::Temporal(own, layers) => temporal(dictionary, own, layers)?.into(),
        })
    }
}

impl StandardSae {
    /// The common parameters, and those that only this architecture has.
    fn state(&self, architecture: Architecture, own: &[(String, &Tensor)]) -> Result<SaeState> {
        let cfg = self.cfg_json(architecture);
        let mut tensors = vec![
            ("W_enc", self.w_enc.contiguous()?),
            (architecture.encoder_bias(), self.b_enc.contiguous()?),
            ("W_dec", self.w_dec.contiguous()?),
            ("b_dec", self.b_dec.contiguous()?),
        ];
        let (w_enc, b_enc) = architecture.has_encoder();
        tensors.retain(|(name, _)| match *name {
            "W_enc" => w_enc,
            name if name == architecture.encoder_bias() => b_enc,
            _ => true,
        });
        for (name, tensor) in own {
            tensors.push((name.as_str(), tensor.contiguous()?));
        }
        let tensors = tensors.into_iter();
        Ok(SaeState {
            cfg,
            tensors: tensors.map(|(name, t)| (name.to_owned(), t)).collect(),
        })
    }

    /// The parameters that every architecture has, and those that only this one has.
    fn of_state(
        cfg: &str,
        cfg_path: &Path,
        mut file: TensorFile,
        path: &Path,
    ) -> Result<(StandardSae, Own)> {
        let mut cfg = SaeLensCfg::parse(cfg, cfg_path)?;
        let mut take = |name: &str| {
            let tensor = file.tensors.remove(name);
            let tensor = tensor
                .ok_or_else(|| Error::format(path, FORMAT, format!("there is no tensor {name}")))?;
            check_finite(path, FORMAT, name, &tensor)?;
            Ok::<Tensor, Error>(tensor)
        };
        let (has_w_enc, has_b_enc) = cfg.architecture.has_encoder();
        let w_enc = match has_w_enc {
            true => Some(take("W_enc")?),
            false => None,
        };
        let b_enc = match has_b_enc {
            true => Some(take(cfg.architecture.encoder_bias())?),
            false => None,
        };
        let mut sae = StandardSae::of_file(w_enc, b_enc, take("W_dec")?, take("b_dec")?)?;
        for (key, said, found) in [
            ("d_in", cfg.d_in, sae.d_in()),
            ("d_sae", cfg.d_sae, sae.d_sae()),
        ] {
            if said != found as u64 {
                return Err(Error::shape(format!("W_enc ({key})"), said, found));
            }
        }
        // The order matters: the norms are those of the decoder in the file.
        if cfg.rescale {
            sae.fold_decoder_norms()?;
        }
        if let Some(factor) = scaling_factor(&mut file, &cfg, sae.d_sae(), path)? {
            if !has_b_enc {
                let reason = format!("{SCALING} is true, which this architecture does not have");
                return Err(Error::format(path, FORMAT, reason));
            }
            sae.w_dec = sae.w_dec.broadcast_mul(&factor.unsqueeze(1)?)?;
        }
        let own = Own::take(cfg.architecture, &mut file, path)?;
        refuse_rest(&file, path)?;
        sae.apply_b_dec_to_input = cfg.apply_b_dec_to_input;
        sae.hook_name = cfg.hook_name.take();
        sae.cfg = std::mem::take(&mut cfg.fields);
        // In the form that is written, so that it is the same for every version it was read from.
        sae.cfg = sae.cfg_json(cfg.architecture);
        Ok((sae, own))
    }

    /// The parameters of a file. A missing encoder is the decoder transposed, and a missing encoder bias
    /// is 0.
    fn of_file(
        w_enc: Option<Tensor>,
        b_enc: Option<Tensor>,
        w_dec: Tensor,
        b_dec: Tensor,
    ) -> Result<StandardSae> {
        let Some(&d_sae) = w_dec.dims().first() else {
            return Err(Error::shape("W_dec", "[d_sae, d_in]", w_dec.dims()));
        };
        let w_enc = match w_enc {
            Some(w_enc) => w_enc,
            None => w_dec.t()?.contiguous()?,
        };
        let b_enc = match b_enc {
            Some(b_enc) => b_enc,
            None => Tensor::zeros(d_sae, candle_core::DType::F32, w_dec.device())?,
        };
        StandardSae::new(w_enc, b_enc, w_dec, b_dec)
    }

    /// The content of `cfg.json`: what was read, with the keys that describe this autoencoder updated.
    fn cfg_json(&self, architecture: Architecture) -> Map<String, Value> {
        let mut cfg = self.cfg.clone();
        describe_architecture(&mut cfg, architecture);
        for (key, value) in [
            ("d_in", json!(self.d_in())),
            ("d_sae", json!(self.d_sae())),
            ("dtype", json!("float32")),
            ("apply_b_dec_to_input", json!(self.apply_b_dec_to_input)),
            ("normalize_activations", json!(architecture.normalization())),
        ] {
            cfg.insert(key.into(), value);
        }
        // SAELens concatenates the heads only where this field requests it.
        let is_hook_z = self
            .hook_name
            .as_ref()
            .is_some_and(|n| n.contains("hook_z"));
        let reshape = if is_hook_z { "hook_z" } else { "none" };
        for (key, value) in [
            ("device", json!("cpu")),
            ("reshape_activations", json!(reshape)),
        ] {
            cfg.entry(key).or_insert(value);
        }
        let mut metadata = match cfg.get("metadata") {
            Some(Value::Object(metadata)) => metadata.clone(),
            _ => Map::new(),
        };
        with_version(&mut metadata);
        if let Some(name) = &self.hook_name {
            metadata.insert("hook_name".into(), json!(name));
        }
        // At the end, where reading puts it, so that writing again changes nothing.
        cfg.retain(|name, _| name != "metadata");
        cfg.insert("metadata".into(), Value::Object(metadata));
        cfg
    }

    /// The same function, with the norms of the decoder's rows moved into the encoder.
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

/// What each activation `[d_sae]` is multiplied by before it is decoded, if anything: SAELens 1 and
/// 2 call the tensor `scaling_factor`, and write ones where nothing was scaled.
fn scaling_factor(
    file: &mut TensorFile,
    cfg: &SaeLensCfg,
    d_sae: usize,
    path: &Path,
) -> Result<Option<Tensor>> {
    let refuse = |reason: String| Err(Error::format(path, FORMAT, reason));
    let names = ["scaling_factor", SCALING];
    let mut found = names.into_iter().filter_map(|name| {
        let tensor = file.tensors.remove(name)?;
        Some((name, tensor))
    });
    let (first, second) = (found.next(), found.next());
    let (name, factor) = match (first, second) {
        (Some(one), None) => one,
        (None, _) if cfg.scaling_factor => {
            return refuse(format!(
                "there is no tensor {}, but {SCALING} is true",
                names.join(" or ")
            ));
        }
        (None, _) => return Ok(None),
        (Some(_), Some(_)) => return refuse(format!("there are both {}", names.join(" and "))),
    };
    if factor.dims() != [d_sae] {
        return Err(Error::shape(name, [d_sae], factor.dims()));
    }
    check_finite(path, FORMAT, name, &factor)?;
    let factor = factor.to_dtype(candle_core::DType::F32)?;
    // The tolerance of torch.allclose to ones, as in SAELens.
    let away = |x: &f32| (x - 1.0).abs() > 1e-5 + 1e-8;
    match factor.to_vec1::<f32>()?.iter().position(away) {
        None => Ok(None),
        Some(_) if cfg.scaling_factor => Ok(Some(factor)),
        Some(at) => refuse(format!(
            "{name}[{at}] is not 1, but {CFG} does not say that {SCALING} is true: say true to scale \
             the activations before they are decoded, or remove the tensor"
        )),
    }
}

/// Checks that every entry has been read.
fn refuse_rest(file: &TensorFile, path: &Path) -> Result<()> {
    let tensors = file.tensors.iter();
    let tensors = tensors.map(|(name, t)| (name, format!("{:?}", t.dims())));
    let others = file.others.iter();
    let others = others.map(|(name, dtype)| (name, format!("of type {dtype}")));
    let Some((name, what)) = tensors.chain(others).next() else {
        return Ok(());
    };
    let why = match name.as_str() {
        "threshold" | "log_threshold" => {
            "thresholds are not supported but by the architecture jumprelu"
        }
        "topk_threshold" => "an unfinished BatchTopK autoencoder is not supported",
        "b_gate" | "b_mag" | "r_mag" => "gates are not supported but by the architecture gated",
        "W_skip" => "transcoders are not supported",
        _ => {
            "no autoencoder of this architecture reads it; if it changes nothing, remove it \
             from the file"
        }
    };
    let reason = format!("unknown tensor {name:?} ({what}): {why}");
    Err(Error::format(path, FORMAT, reason))
}
