//! Transcoders in SAELens' folder format: `cfg.json` and `sae_weights.safetensors`.
//! Tensors `W_enc [d_in, d_sae]`, `b_enc`, `W_dec [d_sae, d_out]`, `b_dec`, `threshold`, and `W_skip`,
//! which is `[d_out, d_in]` there and transposed here.
//! SAELens 6, `saes/transcoder.py`: four architectures, with and without JumpReLU and `W_skip`.

use super::own_tensors::FORMAT;
use super::peers::write_sparsify;
use super::write_folder::write_folder;
use super::{CFG, WEIGHTS};
use crate::error::{Error, Result};
use crate::known_fields::shortened;
use crate::model::{check_finite, read_tensors};
use crate::sae::variants::{Transcoder, TranscoderActivation};
use candle_core::Tensor;
use serde_json::{Map, Value, json};
use std::path::Path;

const CFG_FORMAT: &str = "SAELens configuration";
const VERSION: &str = "6.0.0";

/// SAELens' name, whether it has thresholds, whether it has a path around the features.
const ARCHITECTURES: [(&str, bool, bool); 4] = [
    ("transcoder", false, false),
    ("skip_transcoder", false, true),
    ("jumprelu_transcoder", true, false),
    ("jumprelu_skip_transcoder", true, true),
];

impl Transcoder {
    /// Writes the folder `dir` (created if missing) as SAELens 6 reads it; a TopK transcoder, which SAELens does not
    /// have, as sparsify reads it. Files are replaced atomically.
    ///
    /// # Errors
    /// [`Error::Argument`] for a TopK transcoder in a folder that holds one of SAELens', or whose output is not as wide
    /// as its input; [`Error::Io`] when the folder or a file cannot be written.
    pub fn save(&self, dir: &Path) -> Result<()> {
        let threshold = match &self.activation {
            TranscoderActivation::Relu => None,
            TranscoderActivation::JumpRelu { threshold } => Some(threshold),
            TranscoderActivation::TopK { k } => {
                if dir.join(WEIGHTS).exists() {
                    let reason =
                        format!("it holds {WEIGHTS}, of another format; choose another folder");
                    return Err(Error::argument("dir", dir.display(), reason));
                }
                return write_sparsify(dir, self, *k);
            }
        };
        let mut tensors = vec![
            ("W_enc", self.w_enc.contiguous()?),
            ("b_enc", self.b_enc.contiguous()?),
            ("W_dec", self.w_dec.contiguous()?),
            ("b_dec", self.b_dec.contiguous()?),
        ];
        if let Some(threshold) = threshold {
            tensors.push(("threshold", threshold.contiguous()?));
        }
        if let Some(w_skip) = &self.w_skip {
            tensors.push(("W_skip", w_skip.t()?.contiguous()?));
        }
        let has = (threshold.is_some(), self.w_skip.is_some());
        let named = ARCHITECTURES.iter().find(|(_, a, b)| (*a, *b) == has);
        let architecture = named.map_or("transcoder", |(name, _, _)| name);
        let cfg = json!({
            "architecture": architecture,
            "d_in": self.d_in(),
            "d_sae": self.d_sae(),
            "d_out": self.d_out(),
            "dtype": "float32",
            "device": "cpu",
            "apply_b_dec_to_input": false,
            "normalize_activations": "none",
            "reshape_activations": "none",
            "metadata": {
                "sae_lens_version": VERSION,
                "hook_name": self.hook_name,
                "hook_name_out": self.hook_name_out,
            },
        });
        write_folder(dir, WEIGHTS, &cfg, &tensors)
    }

    /// Reads a transcoder's folder written by SAELens 6 or by [`Transcoder::save`], onto the CPU.
    ///
    /// # Errors
    /// Those of [`Transcoder::load`]; [`Error::Format`] for a hook point that is missing.
    pub(super) fn load_sae_lens(dir: &Path) -> Result<Transcoder> {
        let cfg_path = dir.join(CFG);
        let text = std::fs::read_to_string(&cfg_path).map_err(Error::io("read", &cfg_path))?;
        let bad = |reason: String| Error::format(&cfg_path, CFG_FORMAT, reason);
        let fields: Map<String, Value> =
            serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
        let cfg = TranscoderCfg::read(&fields).map_err(bad)?;
        let transcoder = read_parameters(&dir.join(WEIGHTS), &cfg)?;
        for (what, said, found) in [
            ("d_in", cfg.d_in, transcoder.d_in()),
            ("d_sae", cfg.d_sae, transcoder.d_sae()),
            ("d_out", cfg.d_out, transcoder.d_out()),
        ] {
            if said != found as u64 {
                return Err(Error::shape(
                    format!("the transcoder ({what})"),
                    said,
                    found,
                ));
            }
        }
        Ok(transcoder.between(&cfg.hook_name, &cfg.hook_name_out))
    }
}

fn read_parameters(path: &Path, cfg: &TranscoderCfg) -> Result<Transcoder> {
    let mut file = read_tensors(path)?;
    let mut take = |name: &str| -> Result<Tensor> {
        let tensor = file.tensors.remove(name);
        let tensor = tensor
            .ok_or_else(|| Error::format(path, FORMAT, format!("there is no tensor {name}")))?;
        check_finite(path, FORMAT, name, &tensor)?;
        Ok(tensor)
    };
    let activation = match cfg.jump_relu {
        true => TranscoderActivation::JumpRelu {
            threshold: take("threshold")?,
        },
        false => TranscoderActivation::Relu,
    };
    let (w_enc, b_enc) = (take("W_enc")?, take("b_enc")?);
    let mut transcoder =
        Transcoder::new(0, w_enc, b_enc, take("W_dec")?, take("b_dec")?, activation)?;
    if cfg.skip {
        // [d_out, d_in] in the file
        transcoder = transcoder.with_skip(take("W_skip")?.t()?.contiguous()?)?;
    }
    match file.tensors.keys().chain(file.others.keys()).next() {
        None => Ok(transcoder),
        Some(name) => {
            let reason = format!(
                "unknown tensor {name:?}: no {:?} has it; if it changes nothing, remove it from the \
                 file",
                cfg.architecture
            );
            Err(Error::format(path, FORMAT, reason))
        }
    }
}

/// A configuration, checked.
struct TranscoderCfg {
    architecture: String,
    jump_relu: bool,
    skip: bool,
    d_in: u64,
    d_sae: u64,
    d_out: u64,
    hook_name: String,
    hook_name_out: String,
}

impl TranscoderCfg {
    fn read(fields: &Map<String, Value>) -> Result<Self, String> {
        let text = |fields: &Map<String, Value>, name: &str| match fields.get(name) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(other) => Err(format!("{name} is {}, expected a text", shortened(other))),
            None => Err(format!("there is no {name}")),
        };
        let architecture = text(fields, "architecture")?;
        let Some(&(_, jump_relu, skip)) = ARCHITECTURES.iter().find(|a| a.0 == architecture) else {
            let known = ARCHITECTURES.map(|a| a.0).join(", ");
            return Err(format!(
                "architecture is {architecture:?}, which is no transcoder; transcoders are {known}"
            ));
        };
        check_fields(fields)?;
        let whole = |name: &str| {
            let value = fields.get(name).ok_or(format!("there is no {name}"))?;
            let n = value.as_u64();
            n.ok_or(format!("{name} is {}, expected a number", shortened(value)))
        };
        let empty = Map::new();
        let metadata = fields.get("metadata").and_then(Value::as_object);
        let metadata = metadata.unwrap_or(&empty);
        Ok(Self {
            architecture,
            jump_relu,
            skip,
            d_in: whole("d_in")?,
            d_sae: whole("d_sae")?,
            d_out: whole("d_out")?,
            hook_name: text(metadata, "hook_name")?,
            hook_name_out: text(metadata, "hook_name_out")?,
        })
    }
}

/// An error for a field that is unknown or requests something unsupported. What is in `metadata`
/// describes the transcoder's origin and changes nothing.
fn check_fields(fields: &Map<String, Value>) -> Result<(), String> {
    for (name, value) in fields {
        let expected = match name.as_str() {
            "architecture" | "d_in" | "d_sae" | "d_out" | "dtype" | "device" | "metadata" => {
                continue;
            }
            "normalize_activations" | "reshape_activations" => json!("none"),
            "apply_b_dec_to_input" => json!(false),
            _ => return Err(format!("unknown field {name:?}")),
        };
        if *value != expected && !value.is_null() {
            return Err(format!(
                "{name} is {}, only {expected} is supported",
                shortened(value)
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, StandardNormal};

    fn normal(shape: &[usize], rng: &mut ChaCha8Rng) -> Tensor {
        let n = shape.iter().product();
        let values: Vec<f32> = StandardNormal.sample_iter(rng).take(n).collect();
        Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
    }

    fn random(jump_relu: bool, skip: bool) -> Transcoder {
        let rng = &mut ChaCha8Rng::seed_from_u64(4);
        let activation = match jump_relu {
            true => TranscoderActivation::JumpRelu {
                threshold: normal(&[7], rng),
            },
            false => TranscoderActivation::Relu,
        };
        let made = Transcoder::new(
            3,
            normal(&[4, 7], rng),
            normal(&[7], rng),
            normal(&[7, 5], rng),
            normal(&[5], rng),
            activation,
        );
        let made = made.unwrap();
        match skip {
            true => made.with_skip(normal(&[4, 5], rng)).unwrap(),
            false => made,
        }
    }

    #[test]
    fn each_architecture_is_read_back_as_the_same_function() {
        for (name, jump_relu, skip) in ARCHITECTURES {
            let dir = tempfile::tempdir().unwrap();
            let transcoder = random(jump_relu, skip);
            transcoder.save(dir.path()).unwrap();
            let text = std::fs::read_to_string(dir.path().join(CFG)).unwrap();
            let cfg: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(cfg["architecture"], name);
            assert_eq!(cfg["metadata"]["hook_name_out"], "blocks.3.hook_mlp_out");
            let file = read_tensors(&dir.path().join(WEIGHTS)).unwrap();
            let shape = file.tensors.get("W_skip").map(|t| t.dims().to_vec());
            assert_eq!(shape, skip.then(|| vec![5, 4]));
            let back = Transcoder::load(dir.path()).unwrap();
            assert_eq!(back.hook_name, transcoder.hook_name);
            let x = normal(&[6, 4], &mut ChaCha8Rng::seed_from_u64(9));
            let of = |t: &Transcoder| t.reconstruct(&x).unwrap().to_vec2::<f32>().unwrap();
            assert_eq!(of(&back), of(&transcoder), "{name}");
        }
    }

    #[test]
    fn a_top_k_transcoder_is_written_for_sparsify_and_read_back_as_the_same_function() {
        let rng = &mut ChaCha8Rng::seed_from_u64(5);
        let mut made = |d_out: usize| {
            Transcoder::new(
                2,
                normal(&[4, 7], rng),
                normal(&[7], rng),
                normal(&[7, d_out], rng),
                normal(&[d_out], rng),
                TranscoderActivation::TopK { k: 3 },
            )
            .unwrap()
        };
        let plain = made(4);
        let skip = plain
            .clone()
            .with_skip(normal(&[4, 4], &mut ChaCha8Rng::seed_from_u64(6)));
        let between = plain
            .clone()
            .between("blocks.2.hook_resid_mid", "blocks.2.hook_mlp_out");
        for saved in [plain.clone(), skip.unwrap(), between] {
            let dir = tempfile::tempdir().unwrap();
            saved.save(dir.path()).unwrap();
            let text = std::fs::read_to_string(dir.path().join(CFG)).unwrap();
            let cfg: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(cfg["transcode"], true);
            assert_eq!(cfg["skip_connection"], saved.w_skip.is_some());
            assert_eq!(
                (&cfg["num_latents"], &cfg["d_in"], &cfg["k"]),
                (&json!(7), &json!(4), &json!(3))
            );
            let back = Transcoder::load(dir.path()).unwrap();
            assert_eq!(
                (&back.hook_name, &back.hook_name_out),
                (&saved.hook_name, &saved.hook_name_out)
            );
            let x = normal(&[6, 4], &mut ChaCha8Rng::seed_from_u64(9));
            let of = |t: &Transcoder| t.reconstruct(&x).unwrap().to_vec2::<f32>().unwrap();
            assert_eq!(of(&back), of(&saved));
            assert!(matches!(
                back.activation,
                TranscoderActivation::TopK { k: 3 }
            ));
        }
        // Without the hook points only a folder named as sparsify names it tells the place in the model.
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("layers.2.mlp");
        plain.save(&folder).unwrap();
        let path = folder.join(CFG);
        let text = std::fs::read_to_string(&path).unwrap();
        let mut cfg: Map<String, Value> = serde_json::from_str(&text).unwrap();
        cfg.remove("hook_name");
        std::fs::write(&path, Value::Object(cfg).to_string()).unwrap();
        assert_eq!(
            Transcoder::load(&folder).unwrap().hook_name,
            "blocks.2.mlp.hook_in"
        );
        let elsewhere = dir.path().join("mine");
        std::fs::rename(&folder, &elsewhere).unwrap();
        let error = Transcoder::load(&elsewhere).unwrap_err().to_string();
        assert!(error.contains("hook_name_out"), "{error}");

        let error = made(5).save(dir.path()).unwrap_err().to_string();
        assert!(error.contains("d_out = 5"), "{error}");
        random(false, false).save(dir.path()).unwrap();
        let error = plain.save(dir.path()).unwrap_err().to_string();
        assert!(error.contains(WEIGHTS), "{error}");
    }

    #[test]
    fn what_is_not_a_transcoder_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let cfg_path = dir.path().join(CFG);
        random(true, false).save(dir.path()).unwrap();
        let text = std::fs::read_to_string(&cfg_path).unwrap();
        let message = |from: &str, to: &str| {
            assert!(text.contains(from), "{from}");
            std::fs::write(&cfg_path, text.replace(from, to)).unwrap();
            Transcoder::load(dir.path()).unwrap_err().to_string()
        };
        assert!(message("jumprelu_transcoder", "topk").contains("no transcoder"));
        assert!(message("jumprelu_transcoder", "jumprelu_skip_transcoder").contains("W_skip"));
        assert!(message("\"jumprelu_transcoder\"", "\"transcoder\"").contains("\"threshold\""));
        assert!(message("\"d_out\": 5", "\"d_out\": 6").contains("d_out"));
        assert!(message("\"d_out\": 5", "\"d_out\": 5, \"odd\": 1").contains("\"odd\""));
        assert!(
            message(
                "\"normalize_activations\": \"none\"",
                "\"normalize_activations\": \"layer_norm\""
            )
            .contains("layer_norm")
        );
        assert!(message("hook_name_out", "hook_name_off").contains("hook_name_out"));
        std::fs::write(&cfg_path, &text).unwrap();
        Transcoder::load(dir.path()).unwrap();
        let mut broken = random(true, false);
        broken.b_dec = broken.b_dec.affine(0.0, f64::NAN).unwrap();
        broken.save(dir.path()).unwrap();
        assert!(
            Transcoder::load(dir.path())
                .unwrap_err()
                .to_string()
                .contains("b_dec")
        );
    }
}
