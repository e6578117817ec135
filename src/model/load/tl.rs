//! TransformerLens checkpoints: its `config.json` and a state dict in `model.safetensors`.
//!
//! Names and shapes are ours already. Source: TransformerLens' `HookedTransformer`.

use super::super::checkpoint::read_text;
use super::super::init::parameter_shapes;
use super::super::transformer::Transformer;
use super::neel_config::{is_neel, to_tl};
use super::tl_config::{FORMAT, to_config};
use super::weights::{Weights, within_block};
use crate::config::{Activation, Normalization, PositionalEmbedding, TransformerConfig};
use crate::error::{Error, Result};
use candle_core::Tensor;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

impl Transformer {
    /// Loads a folder with TransformerLens' `config.json` and `model.safetensors`, as f32 on
    /// the CPU; also Neel Nanda's small models (a run's `config.json` and `.._final.pth`).
    ///
    /// Every field and tensor is applied, known to change nothing, or refused: a model that loads
    /// computes what TransformerLens computes.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Format`] for a field that is unknown or asks for what this model
    /// cannot compute, for a tensor that nothing reads, and for parameters that are not finite;
    /// [`Error::NotFound`] or [`Error::Shape`] for weights that do not fit the configuration.
    pub fn load_tl(dir: &Path) -> Result<Transformer> {
        let path = dir.join("config.json");
        let json: Value = serde_json::from_str(&read_text(&path)?)
            .map_err(|err| Error::format(&path, FORMAT, err))?;
        let json = match is_neel(&json) {
            true => to_tl(&json, &path)?,
            false => json,
        };
        let mut cfg = to_config(&json, &path)?;
        cfg.validate()?;
        let mut weights = Weights::read(dir, "TransformerLens state dict", |name| name)?;
        // TransformerLens has an unembedding of its own, and uses it, whatever the configuration says.
        cfg.tied_unembed &= !weights.holds("unembed.W_U");
        let mut params: BTreeMap<String, Tensor> = BTreeMap::new();
        // Layers that the file does not have must not cost their memory first.
        if let Some(last) = cfg.n_layers.checked_sub(1) {
            let name = format!("blocks.{last}.attn.W_Q");
            if !weights.holds(&name) {
                weights.take(&name, &[])?;
            }
        }
        for (name, shape) in parameter_shapes(&cfg) {
            params.insert(name.clone(), weights.take(&name, &shape)?);
        }
        let model = Transformer::from_parameters(&cfg, &params)?;
        model.check_angles(&mut weights, dir)?;
        weights.finish(is_buffer, |name| reason_against(name, &cfg))?;
        Ok(model)
    }

    /// TransformerLens keeps the sines and cosines of rotary positions in the state dict, and reads
    /// them from there: they must be those of the configuration.
    fn check_angles(&self, weights: &mut Weights, dir: &Path) -> Result<()> {
        /// bf16 rounds a cosine by 2e-3; in f32, the angle of position 10,000 by 6e-4.
        const TOLERANCE: f32 = 1e-2;
        let Some(rotary) = &self.rotary else {
            return Ok(());
        };
        for (kind, ours) in [("sin", &rotary.sin), ("cos", &rotary.cos)] {
            let ours = Tensor::cat(&[ours, ours], 1)?; // [n_ctx, rotary_dim]
            for layer in 0..self.cfg().n_layers {
                let name = format!("blocks.{layer}.attn.rotary_{kind}");
                if !weights.holds(&name) {
                    continue;
                }
                let theirs = weights.take(&name, ours.dims())?;
                let difference = (theirs - &ours)?.abs()?.max_all()?.to_scalar::<f32>()?;
                if difference > TOLERANCE {
                    let reason = format!(
                        "{name} differs by {difference} from what rotary_base and rotary_dim of the \
                         configuration give"
                    );
                    return Err(Error::format(dir, "TransformerLens state dict", reason));
                }
            }
        }
        Ok(())
    }
}

/// The causal mask and what is put in its place, in the state dicts of older versions.
fn is_buffer(name: &str) -> bool {
    matches!(
        within_block(name, "blocks"),
        Some("attn.mask" | "attn.IGNORE")
    )
}

/// Why a model of this configuration does not read the tensor, where that can be said.
fn reason_against(name: &str, cfg: &TransformerConfig) -> Option<String> {
    let within = within_block(name, "blocks").unwrap_or(name);
    let (part, _) = within.rsplit_once('.')?;
    let rotary = cfg.positional_embedding_type == PositionalEmbedding::Rotary;
    if rotary && part == "pos_embed" {
        let reason =
            "positional_embedding_type is \"rotary\", so that nothing reads learned positions";
        return Some(reason.to_owned());
    }
    if !rotary && within.starts_with("attn.rotary_") {
        let reason = "positional_embedding_type is \"standard\", so that nothing is rotated";
        return Some(reason.to_owned());
    }
    match (part, cfg.normalization_type) {
        ("mlp.ln", _) if cfg.act_fn != Activation::SoluLn => {
            Some("only act_fn \"solu_ln\" has a LayerNorm in the MLP".to_owned())
        }
        ("ln1" | "ln2" | "ln_final" | "mlp.ln", Normalization::None) => {
            Some("normalization_type is null, so that nothing reads a norm's parameters".to_owned())
        }
        ("ln1" | "ln2" | "ln_final" | "mlp.ln", Normalization::LnPre) => Some(
            "normalization_type is \"LNPre\", whose norms have no parameters (they are folded into \
             the matrices that follow)"
                .to_owned(),
        ),
        _ => None,
    }
}
