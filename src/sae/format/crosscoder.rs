//! Crosscoders in a folder format of our own: `cfg.json` and `sae_weights.safetensors`.
//! For site s the tensors `W_enc.s [d_site, d_sae]`, `W_dec.s [d_sae, d_site]`, `b_dec.s`; for all sites `b_enc`, and
//! `threshold` where the activation function has it. None of the packages supported here has a format for them.

use super::coder_folder::{Folder, activation_k, activation_name, write};
use crate::error::Result;
use crate::sae::variants::{Crosscoder, TranscoderActivation};
use candle_core::Tensor;
use serde_json::json;
use std::path::Path;

const ARCHITECTURE: &str = "crosscoder";

impl Crosscoder {
    /// Writes the folder `dir` (created if missing); files are replaced atomically.
    ///
    /// # Errors
    /// [`crate::Error::Io`] when the folder or a file cannot be written.
    pub fn save(&self, dir: impl AsRef<Path>) -> Result<()> {
        let mut tensors = vec![("b_enc".to_owned(), self.b_enc.contiguous()?)];
        for (name, of_sites) in [
            ("W_enc", &self.w_enc),
            ("W_dec", &self.w_dec),
            ("b_dec", &self.b_dec),
        ] {
            for (site, tensor) in of_sites.iter().enumerate() {
                tensors.push((format!("{name}.{site}"), tensor.contiguous()?));
            }
        }
        if let TranscoderActivation::JumpRelu { threshold } = &self.activation {
            tensors.push(("threshold".to_owned(), threshold.contiguous()?));
        }
        let cfg = json!({
            "architecture": ARCHITECTURE,
            "hook_names": self.hook_names,
            "activation": activation_name(&self.activation),
            "k": activation_k(&self.activation),
        });
        write(dir.as_ref(), &cfg, &tensors)
    }

    /// Reads a folder written by [`Crosscoder::save`], onto the CPU.
    ///
    /// # Errors
    /// [`crate::Error::Io`] when a file is missing; [`crate::Error::Format`] when one is corrupt, of another
    /// architecture, lacks a field or tensor, holds one that is unknown, or a parameter that is not finite;
    /// [`crate::Error::Shape`] when the tensors contradict each other.
    pub fn load(dir: impl AsRef<Path>) -> Result<Crosscoder> {
        let mut folder = Folder::open(dir.as_ref(), ARCHITECTURE)?;
        let hook_names = folder.texts("hook_names")?;
        let (name, k) = (folder.field("activation")?, folder.field("k")?);
        let activation = folder.activation(name.as_str().unwrap_or_default(), &k, "threshold")?;
        let mut of_sites = |name: &str| -> Result<Vec<Tensor>> {
            let sites = 0..hook_names.len();
            sites
                .map(|site| folder.tensor(&format!("{name}.{site}")))
                .collect()
        };
        let (w_enc, w_dec, b_dec) = (of_sites("W_enc")?, of_sites("W_dec")?, of_sites("b_dec")?);
        let b_enc = folder.tensor("b_enc")?;
        folder.finish()?;
        let hook_names: Vec<&str> = hook_names.iter().map(String::as_str).collect();
        Crosscoder::new(&hook_names, w_enc, b_enc, w_dec, b_dec, activation)
    }
}

#[cfg(test)]
mod tests {
    use super::super::CFG;
    use super::*;
    use crate::sae::Sae;
    use candle_core::Device;

    fn tensor(shape: &[usize], seed: f32) -> Tensor {
        let n: usize = shape.iter().product();
        let values: Vec<f32> = (0..n).map(|i| (seed + i as f32).sin()).collect();
        Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
    }

    fn crosscoder(activation: TranscoderActivation) -> Crosscoder {
        Crosscoder::new(
            &["blocks.0.hook_resid_post", "blocks.1.mlp.hook_post"],
            vec![tensor(&[3, 5], 0.0), tensor(&[4, 5], 1.0)],
            tensor(&[5], 2.0),
            vec![tensor(&[5, 3], 3.0), tensor(&[5, 4], 4.0)],
            vec![tensor(&[3], 5.0), tensor(&[4], 6.0)],
            activation,
        )
        .unwrap()
    }

    #[test]
    fn each_activation_is_read_back_as_the_same_function() {
        let threshold = tensor(&[5], 7.0);
        for activation in [
            TranscoderActivation::Relu,
            TranscoderActivation::JumpRelu { threshold },
            TranscoderActivation::TopK { k: 2 },
        ] {
            let dir = tempfile::tempdir().unwrap();
            let saved = crosscoder(activation);
            saved.save(dir.path()).unwrap();
            let back = Crosscoder::load(dir.path()).unwrap();
            assert_eq!(back.hook_names, saved.hook_names);
            let x = [tensor(&[6, 3], 8.0), tensor(&[6, 4], 9.0)];
            let of = |c: &Crosscoder| c.reconstruct(&x).unwrap()[1].to_vec2::<f32>().unwrap();
            assert_eq!(of(&back), of(&saved));
            let message = Sae::load(dir.path()).unwrap_err().to_string();
            assert!(message.contains("Crosscoder::load"), "{message}");
        }
    }

    #[test]
    fn what_is_unknown_or_missing_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        crosscoder(TranscoderActivation::TopK { k: 2 })
            .save(dir.path())
            .unwrap();
        let path = dir.path().join(CFG);
        let text = std::fs::read_to_string(&path).unwrap();
        let message = |from: &str, to: &str| {
            assert!(text.contains(from), "{from}");
            std::fs::write(&path, text.replace(from, to)).unwrap();
            Crosscoder::load(dir.path()).unwrap_err().to_string()
        };
        assert!(message("\"crosscoder\"", "\"topk\"").contains("topk"));
        assert!(message("\"k\": 2", "\"k\": null").contains("k is null"));
        assert!(message("\"k\": 2", "\"k\": 2, \"odd\": 1").contains("\"odd\""));
        assert!(message("\"topk\"", "\"relu\"").contains("k is 2"));
        assert!(message("\"topk\"", "\"gelu\"").contains("k is 2"));
        assert!(message("\"blocks.0.hook_resid_post\",", "").contains("W_dec.1"));
        assert!(message("hook_names", "hook_name").contains("hook_names"));
    }
}
