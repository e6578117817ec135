//! dictionary_learning (Marks, Karvonen, Mueller): `ae.pt` and `config.json`.
//!
//! | `dict_class` | tensors | `b_dec` subtracted |
//! |---|---|---|
//! | `AutoEncoder` | `bias`, `encoder.weight`, `encoder.bias`, `decoder.weight` | yes |
//! | `AutoEncoderNew` | `encoder.weight`, `encoder.bias`, `decoder.weight`, `decoder.bias` | no |
//! | `GatedAutoEncoder` | `decoder_bias`, `encoder.weight`, `r_mag`, `gate_bias`, `mag_bias`, `decoder.weight` | yes |
//! | `JumpReluAutoEncoder` | `W_enc`, `b_enc`, `W_dec`, `b_dec`, `threshold` | no |
//! | `AutoEncoderTopK` | `k`, `threshold`, `encoder.weight`, `encoder.bias`, `decoder.weight`, `b_dec` | yes |
//! | `BatchTopKSAE` | as `AutoEncoderTopK`; only activations above the single `threshold` count | yes |
//! | `MatryoshkaBatchTopKSAE` | `k`, `threshold`, `group_sizes`, `W_enc`, `b_enc`, `W_dec`, `b_dec` | yes |
//!
//! Weights of a `torch.nn.Linear` are `[out, in]`, those called `W_..` `[in, out]`. Source:
//! dictionary_learning 0.1.0 (`dictionary.py`, `trainers/`, `utils.load_dictionary`).

use super::json_fields::Fields;
use super::loaded::{Loaded, describe};
use super::tensors::{Tensors, check_widths};
use crate::error::Result;
use crate::known_fields::KnownFields;
use crate::sae::autoencoder::SparseAutoencoder;
use crate::sae::variants::{GatedSae, JumpReLUSae, Sae, StandardSae, TopKSae};
use candle_core::Tensor;
use std::path::Path;

pub(super) const WEIGHTS: &str = "ae.pt";
const FORMAT: &str = "dictionary_learning state dict";
const CFG_FORMAT: &str = "dictionary_learning configuration";
const CLASSES: [&str; 7] = [
    "AutoEncoder",
    "AutoEncoderNew",
    "GatedAutoEncoder",
    "JumpReluAutoEncoder",
    "AutoEncoderTopK",
    "BatchTopKSAE",
    "MatryoshkaBatchTopKSAE",
];

const FIELDS: KnownFields = KnownFields {
    format: CFG_FORMAT,
    applied: &["trainer"],
    // The source of the activations.
    inert: &["buffer"],
    only: &[],
};

const TRAINER: KnownFields = KnownFields {
    format: CFG_FORMAT,
    applied: &[
        "activation_dim",
        "dict_class",
        "dict_size",
        "group_sizes",
        "k",
        "layer",
        "lm_name",
        "submodule_name",
    ],
    inert: &[
        "anneal_end",
        "anneal_start",
        "auxk_alpha",
        "bandwidth",
        "decay_start",
        "device",
        "group_fractions",
        "group_weights",
        "k_anneal_steps",
        "l1_penalty",
        "lr",
        "n_sparsity_updates",
        "p_end",
        "p_start",
        "resample_steps",
        "seed",
        "sparsity_function",
        "sparsity_penalty",
        "sparsity_queue_length",
        "sparsity_warmup_steps",
        "steps",
        "target_l0",
        "threshold_beta",
        "threshold_start_step",
        "top_k_aux",
        "trainer_class",
        "wandb_name",
        "warmup_steps",
    ],
    only: &[],
};

/// Reads the folder of `ae.pt` and `config.json`.
pub(super) fn read(dir: &Path) -> Result<Loaded> {
    let whole = Fields::read(&dir.join("config.json"), CFG_FORMAT)?;
    whole.check(&FIELDS)?;
    let cfg = whole.object("trainer")?;
    cfg.check(&TRAINER)?;
    let class = cfg.needed_text("dict_class")?;
    if !CLASSES.contains(&class) {
        let reason = format!(
            "dict_class is {class:?}, which is not supported; supported are {}",
            CLASSES.join(", ")
        );
        return Err(cfg.refuse(reason));
    }
    let mut reader = Reader {
        tensors: Tensors::read(&dir.join(WEIGHTS), FORMAT)?,
        cfg: &cfg,
        class,
        hook_name: hook_name(&whole, &cfg)?,
    };
    let sae = reader.sae()?;
    reader.tensors.finish(class)?;
    check_widths(&[
        ("activation_dim", cfg.whole("activation_dim")?, sae.d_in()),
        ("dict_size", cfg.whole("dict_size")?, sae.d_sae()),
    ])?;
    Ok(Loaded::Sae(sae))
}

struct Reader<'a> {
    tensors: Tensors,
    cfg: &'a Fields,
    class: &'a str,
    hook_name: Option<String>,
}

impl Reader<'_> {
    fn sae(&mut self) -> Result<Sae> {
        match self.class {
            "AutoEncoder" => {
                let bias = self.tensors.take("bias")?;
                let b_enc = self.tensors.take("encoder.bias")?;
                let mut sae = self.linear(b_enc, bias, true)?;
                // `from_pretrained` normalises the decoder's rows unless they have unit length (torch.allclose),
                // and rescales the features accordingly.
                if !has_unit_rows(&sae.w_dec)? {
                    sae.fold_decoder_norms()?;
                }
                Ok(sae.into())
            }
            "AutoEncoderNew" => {
                let b_enc = self.tensors.take("encoder.bias")?;
                let b_dec = self.tensors.take("decoder.bias")?;
                Ok(self.linear(b_enc, b_dec, false)?.into())
            }
            "GatedAutoEncoder" => {
                let gate = self.tensors.take("gate_bias")?;
                let b_dec = self.tensors.take("decoder_bias")?;
                let dictionary = self.linear(gate, b_dec, true)?;
                let r_mag = self.tensors.take("r_mag")?;
                let b_mag = self.tensors.take("mag_bias")?;
                Ok(GatedSae::new(dictionary, r_mag, b_mag)?.into())
            }
            "JumpReluAutoEncoder" => {
                let dictionary = self.parameters(false)?;
                let threshold = self.tensors.take("threshold")?;
                Ok(JumpReLUSae::new(dictionary, threshold)?.into())
            }
            "AutoEncoderTopK" => {
                let k = self.k()?;
                // `encode` keeps the k largest of each token and uses the threshold only on request.
                self.tensors.take_number("threshold")?;
                Ok(TopKSae::new(self.with_b_dec()?, k as usize)?.into())
            }
            "BatchTopKSAE" => {
                self.k()?;
                let threshold = self.threshold()?;
                let dictionary = self.with_b_dec()?;
                above(dictionary, threshold)
            }
            _ => {
                self.k()?;
                let threshold = self.threshold()?;
                let dictionary = self.parameters(true)?;
                self.group_sizes(dictionary.d_sae())?;
                above(dictionary, threshold)
            }
        }
    }

    /// From `encoder.weight` and `decoder.weight`.
    fn linear(&mut self, b_enc: Tensor, b_dec: Tensor, subtract: bool) -> Result<StandardSae> {
        let w_enc = self.tensors.take_transposed("encoder.weight")?;
        let w_dec = self.tensors.take_transposed("decoder.weight")?;
        self.described(StandardSae::new(w_enc, b_enc, w_dec, b_dec)?, subtract)
    }

    fn with_b_dec(&mut self) -> Result<StandardSae> {
        let b_enc = self.tensors.take("encoder.bias")?;
        let b_dec = self.tensors.take("b_dec")?;
        self.linear(b_enc, b_dec, true)
    }

    /// From `W_enc` and `W_dec`.
    fn parameters(&mut self, subtract: bool) -> Result<StandardSae> {
        let (w_enc, b_enc) = (self.tensors.take("W_enc")?, self.tensors.take("b_enc")?);
        let (w_dec, b_dec) = (self.tensors.take("W_dec")?, self.tensors.take("b_dec")?);
        self.described(StandardSae::new(w_enc, b_enc, w_dec, b_dec)?, subtract)
    }

    fn described(&self, mut sae: StandardSae, subtract: bool) -> Result<StandardSae> {
        sae.apply_b_dec_to_input = subtract;
        describe(&mut sae, self.hook_name.clone(), self.cfg.text("lm_name")?);
        Ok(sae)
    }

    /// The number of activations that count; the file and the configuration must agree.
    fn k(&mut self) -> Result<u64> {
        let said = self.cfg.needed_whole("k")?;
        match self.tensors.take_number("k")? {
            // Older versions did not save it.
            None => Ok(said),
            Some(found) if found == said as f64 => Ok(said),
            Some(found) => {
                let reason =
                    format!("k is {found}, but config.json has k = {said}: set both to the same");
                Err(self.tensors.refuse(reason))
            }
        }
    }

    /// The threshold that replaces the selection of a batch's k largest.
    fn threshold(&mut self) -> Result<f64> {
        match self.tensors.take_number("threshold")? {
            Some(threshold) if threshold >= 0.0 => Ok(threshold),
            Some(threshold) => Err(self.tensors.refuse(format!(
                "threshold is {threshold}: the training ended before it was estimated \
                 (threshold_start_step), and every positive activation would count; train on, or set \
                 the threshold in the file"
            ))),
            None => Err(self.tensors.refuse("there is no tensor threshold")),
        }
    }

    /// Reads the sizes of the nested dictionaries: all must be active, and together the whole dictionary.
    fn group_sizes(&mut self, d_sae: usize) -> Result<()> {
        let sizes = self
            .tensors
            .take("group_sizes")?
            .flatten_all()?
            .to_vec1::<f32>()?;
        match sizes.iter().all(|&n| n > 0.0) && sizes.iter().sum::<f32>() == d_sae as f32 {
            true => Ok(()),
            false => Err(self.tensors.refuse(format!(
                "group_sizes is {sizes:?}, expected sizes above 0 whose sum is dict_size = {d_sae}"
            ))),
        }
    }
}

fn above(dictionary: StandardSae, threshold: f64) -> Result<Sae> {
    let threshold = Tensor::full(threshold as f32, dictionary.d_sae(), dictionary.device())?;
    Ok(JumpReLUSae::new(dictionary, threshold)?.into())
}

fn has_unit_rows(w_dec: &Tensor) -> Result<bool> {
    let norms = w_dec.sqr()?.sum(1)?.sqrt()?.to_vec1::<f32>()?;
    Ok(norms.iter().all(|norm| (norm - 1.0).abs() <= 1e-5 + 1e-8))
}

/// The hook point in TransformerLens' terms, where it is certain: the residual stream after a block.
fn hook_name(whole: &Fields, cfg: &Fields) -> Result<Option<String>> {
    let buffer = whole.map.get("buffer");
    let io = buffer.and_then(|buffer| buffer.get("io")?.as_str());
    let layer = cfg.whole("layer")?;
    let submodule = cfg.text("submodule_name")?;
    Ok(match (layer, submodule, io) {
        (Some(layer), Some(name), None | Some("out")) if name.starts_with("resid_post") => {
            Some(format!("blocks.{layer}.hook_resid_post"))
        }
        (Some(layer), None, None | Some("out")) => Some(format!("blocks.{layer}.hook_resid_post")),
        _ => None,
    })
}
