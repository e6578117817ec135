//! Cross-layer transcoders in circuit-tracer's folder format or, where that cannot represent one, in our own:
//! `cfg.json` and `sae_weights.safetensors`.
//! For layer l the tensors `W_enc_l [d_in, d_sae]`, `b_enc_l`, `W_dec_l [d_sae, n_layers - l, d_out]`, `b_dec_l`,
//! and `threshold_l` where the activation function has it: circuit-tracer's names (its encoders are transposed).

use super::WEIGHTS;
use super::coder_folder::{Folder, activation_k, activation_name, write};
use super::peers::{
    CONFIG, SetConfig, has_circuit_tracer_form, read_cross_layer, read_cross_layer_files,
    write_cross_layer,
};
use super::pretrained::{fetch_entries, join, within};
use crate::data::Hub;
use crate::error::{Error, Result};
use crate::progress::Reporter;
use crate::sae::variants::{CrossLayerTranscoder, TranscoderActivation};
use crate::show::NotebookReporter;
use serde_json::{Value, json};
use std::path::Path;

const ARCHITECTURE: &str = "cross_layer_transcoder";

impl CrossLayerTranscoder {
    /// Writes the folder `dir` (created if missing); files are replaced atomically.
    ///
    /// The folder is circuit-tracer's (`config.yaml`, `W_enc_{i}.safetensors`, `W_dec_{i}.safetensors`) where all
    /// layers are ReLU or all JumpReLU, have one width, and read and write the same hook points of each block;
    /// otherwise it is in this library's own format. [`CrossLayerTranscoder::load`] reads both.
    ///
    /// # Errors
    /// [`Error::Argument`] for a folder that holds the other format, or circuit-tracer's files of more layers;
    /// [`Error::Io`] when the folder or a file cannot be written.
    pub fn save(&self, dir: impl AsRef<Path>) -> Result<()> {
        let dir = dir.as_ref();
        let refuse_beside = |name: &str| match dir.join(name).exists() {
            false => Ok(()),
            true => {
                let reason = format!("it holds {name}, of another format; choose another folder");
                Err(Error::argument("dir", dir.display(), reason))
            }
        };
        if has_circuit_tracer_form(self) {
            refuse_beside(WEIGHTS)?;
            return write_cross_layer(self, dir);
        }
        refuse_beside(CONFIG)?;
        let mut tensors = Vec::new();
        for (name, of_layers) in [
            ("W_enc", &self.w_enc),
            ("b_enc", &self.b_enc),
            ("W_dec", &self.w_dec),
            ("b_dec", &self.b_dec),
        ] {
            for (layer, tensor) in of_layers.iter().enumerate() {
                tensors.push((format!("{name}_{layer}"), tensor.contiguous()?));
            }
        }
        for (layer, activation) in self.activations.iter().enumerate() {
            if let TranscoderActivation::JumpRelu { threshold } = activation {
                tensors.push((format!("threshold_{layer}"), threshold.contiguous()?));
            }
        }
        let names: Vec<&str> = self.activations.iter().map(activation_name).collect();
        let ks: Vec<Value> = self.activations.iter().map(activation_k).collect();
        let cfg = json!({
            "architecture": ARCHITECTURE,
            "hook_names": self.hook_names,
            "hook_names_out": self.hook_names_out,
            "activations": names,
            "k": ks,
        });
        write(dir, &cfg, &tensors)
    }

    /// Reads a folder written by [`CrossLayerTranscoder::save`] or by circuit-tracer, onto the CPU.
    ///
    /// # Errors
    /// [`crate::Error::Io`] when a file is missing; [`crate::Error::Format`] when one is corrupt, of another
    /// architecture, lacks a field or tensor, holds one that is unknown, or a parameter that is not finite;
    /// [`crate::Error::Shape`] when the tensors contradict each other.
    pub fn load(dir: impl AsRef<Path>) -> Result<CrossLayerTranscoder> {
        if dir.as_ref().join(CONFIG).is_file() {
            return read_cross_layer(dir.as_ref());
        }
        let mut folder = Folder::open(dir.as_ref(), ARCHITECTURE)?;
        let (reads, writes) = (folder.texts("hook_names")?, folder.texts("hook_names_out")?);
        let names = folder.texts("activations")?;
        let n = names.len();
        let ks = match folder.field("k")? {
            Value::Array(ks) if ks.len() == n => ks,
            _ => return Err(folder.bad(format!("k is not a list of {n}, one for each layer"))),
        };
        let (mut w_enc, mut b_enc, mut w_dec) = (Vec::new(), Vec::new(), Vec::new());
        let (mut b_dec, mut activations) = (Vec::new(), Vec::new());
        for (layer, (name, k)) in names.iter().zip(&ks).enumerate() {
            w_enc.push(folder.tensor(&format!("W_enc_{layer}"))?);
            b_enc.push(folder.tensor(&format!("b_enc_{layer}"))?);
            w_dec.push(folder.tensor(&format!("W_dec_{layer}"))?);
            b_dec.push(folder.tensor(&format!("b_dec_{layer}"))?);
            activations.push(folder.activation(name, k, &format!("threshold_{layer}"))?);
        }
        folder.finish()?;
        CrossLayerTranscoder::new(w_enc, b_enc, w_dec, b_dec, activations)?.between(&reads, &writes)
    }

    /// circuit-tracer's cross-layer transcoder. `repo` is `org/name`, `org/name/folder`, either with `@revision`, or a
    /// folder on this machine.
    ///
    /// ```no_run
    /// use holoscope::sae::CrossLayerTranscoder;
    /// let transcoder = CrossLayerTranscoder::from_pretrained("mntss/clt-gemma-2-2b-426k")?;
    /// # Ok::<(), holoscope::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Hub::fetch`] and [`CrossLayerTranscoder::load`].
    pub fn from_pretrained(repo: &str) -> Result<CrossLayerTranscoder> {
        match Path::new(repo).is_dir() {
            true => CrossLayerTranscoder::load(repo),
            false => {
                let hub = Hub::from_env()?;
                Self::from_pretrained_with(repo, &hub, &mut NotebookReporter::new())
            }
        }
    }

    /// [`CrossLayerTranscoder::from_pretrained`] from another hub or cache, with another reporter.
    ///
    /// # Errors
    /// Those of [`CrossLayerTranscoder::from_pretrained`].
    pub fn from_pretrained_with(
        repo: &str,
        hub: &Hub,
        reporter: &mut dyn Reporter,
    ) -> Result<CrossLayerTranscoder> {
        let (repo, folder) = within(repo);
        let config_name = join(&folder, CONFIG);
        let alone = |files: &[String]| needed(files, config_name.clone()).map(|name| vec![name]);
        let commit = hub.fetch(&repo, &alone, reporter)?;
        let config = SetConfig::read_cross_layer(&commit.join(&config_name))?;
        if let Some(entries) = &config.transcoders {
            let files = fetch_entries(entries, (&repo, &folder), hub, reporter)?;
            return read_cross_layer_files(&config, &files);
        }
        let commit = hub.fetch(&repo, &|files| wanted(files, &folder), reporter)?;
        CrossLayerTranscoder::load(commit.join(&folder))
    }
}

fn needed(files: &[String], name: String) -> Result<String, String> {
    match files.contains(&name) {
        true => Ok(name),
        false => Err(format!("there is no {name}")),
    }
}

/// The configuration and the two files of each layer; layers must be numbered from 0 without gaps.
fn wanted(files: &[String], folder: &str) -> Result<Vec<String>, String> {
    let needed = |name: String| needed(files, name);
    let part = |part: &str, layer: usize| join(folder, &format!("{part}_{layer}.safetensors"));
    let mut found = vec![needed(join(folder, CONFIG))?];
    let prefix = join(folder, "W_enc_");
    let n = files
        .iter()
        .filter(|file| file.starts_with(&prefix))
        .count();
    for layer in 0..n.max(1) {
        found.push(needed(part("W_enc", layer))?);
        found.push(needed(part("W_dec", layer))?);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::super::CFG;
    use super::*;
    use crate::sae::Sae;
    use candle_core::{Device, Tensor};

    fn tensor(shape: &[usize], seed: f32) -> Tensor {
        let n: usize = shape.iter().product();
        let values: Vec<f32> = (0..n).map(|i| (seed + i as f32).sin()).collect();
        Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
    }

    #[test]
    fn it_is_read_back_as_the_same_function_and_odd_folders_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let threshold = tensor(&[5], 1.0);
        let saved = CrossLayerTranscoder::new(
            vec![tensor(&[3, 5], 2.0), tensor(&[3, 6], 3.0)],
            vec![tensor(&[5], 4.0), tensor(&[6], 5.0)],
            vec![tensor(&[5, 2, 4], 6.0), tensor(&[6, 1, 4], 7.0)],
            vec![tensor(&[4], 8.0), tensor(&[4], 9.0)],
            vec![
                TranscoderActivation::JumpRelu { threshold },
                TranscoderActivation::TopK { k: 3 },
            ],
        )
        .unwrap();
        saved.save(dir.path()).unwrap();
        let back = CrossLayerTranscoder::load(dir.path()).unwrap();
        assert_eq!(back.hook_names_out, saved.hook_names_out);
        let x = [tensor(&[6, 3], 10.0), tensor(&[6, 3], 11.0)];
        let of = |c: &CrossLayerTranscoder| {
            let y = c.reconstruct(&x).unwrap();
            y.iter()
                .map(|y| y.to_vec2::<f32>().unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!(of(&back), of(&saved));
        let message = Sae::load(dir.path()).unwrap_err().to_string();
        assert!(message.contains("CrossLayerTranscoder::load"), "{message}");

        let path = dir.path().join(CFG);
        let text = std::fs::read_to_string(&path).unwrap();
        let message = |from: &str, to: &str| {
            assert!(text.contains(from), "{from}");
            std::fs::write(&path, text.replace(from, to)).unwrap();
            CrossLayerTranscoder::load(dir.path())
                .unwrap_err()
                .to_string()
        };
        assert!(message("\"topk\"", "\"relu\"").contains("k is 3"));
        assert!(message("\"jumprelu\"", "\"relu\"").contains("threshold_0"));
        assert!(message("\"architecture\"", "\"odd\": 1, \"architecture\"").contains("odd"));
        assert!(message("\"k\"", "\"ks\"").contains("there is no k"));

        // One that circuit-tracer can read is written in its format, unless the folder holds the other.
        let mut plain = saved.clone();
        plain.activations = vec![TranscoderActivation::Relu; 2];
        plain.w_enc = vec![tensor(&[4, 5], 2.0), tensor(&[4, 5], 3.0)];
        plain.b_enc = vec![tensor(&[5], 4.0), tensor(&[5], 5.0)];
        plain.w_dec = vec![tensor(&[5, 2, 4], 6.0), tensor(&[5, 1, 4], 7.0)];
        let error = plain.save(dir.path()).unwrap_err().to_string();
        assert!(error.contains("sae_weights.safetensors"), "{error}");
        let dir = tempfile::tempdir().unwrap();
        plain.save(dir.path()).unwrap();
        assert!(dir.path().join("W_dec_1.safetensors").is_file());
        let back = CrossLayerTranscoder::load(dir.path()).unwrap();
        let x = [tensor(&[6, 4], 10.0), tensor(&[6, 4], 11.0)];
        let of = |c: &CrossLayerTranscoder| {
            let y = c.reconstruct(&x).unwrap();
            y.iter()
                .map(|y| y.to_vec2::<f32>().unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!(of(&back), of(&plain));
        let error = saved.save(dir.path()).unwrap_err().to_string();
        assert!(error.contains("config.yaml"), "{error}");
        let error = crate::sae::Transcoder::load_set(dir.path())
            .unwrap_err()
            .to_string();
        assert!(error.contains("CrossLayerTranscoder::load"), "{error}");
    }

    #[test]
    fn both_files_of_every_layer_are_wanted() {
        let mut files: Vec<String> = ["config.yaml", "README.md"].map(str::to_owned).into();
        let missing = |files: &[String]| wanted(files, "t").unwrap_err();
        assert!(missing(&files).contains("t/config.yaml"));
        let within_folder = ["config.yaml", "W_enc_0.safetensors", "W_dec_0.safetensors"];
        files.extend(within_folder.map(|name| format!("t/{name}")));
        assert_eq!(wanted(&files, "t").unwrap(), files[2..]);
        files.push("t/W_enc_2.safetensors".to_owned());
        assert!(missing(&files).contains("t/W_enc_1.safetensors"));
        files.push("t/W_enc_1.safetensors".to_owned());
        assert!(missing(&files).contains("t/W_dec_1.safetensors"));
        assert!(wanted(&files, "").unwrap_err().contains("W_enc_0"));
    }
}
