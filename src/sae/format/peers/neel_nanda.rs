//! Neel Nanda's 1L-Sparse-Autoencoder: `{n}.pt` and `{n}_cfg.json`.
//! `acts = relu((x - b_dec) W_enc + b_enc)`, `x_hat = acts W_dec + b_dec`; `W_enc [act_size, dict_size]`.
//! Source: 1L-Sparse-Autoencoder's `utils.py` (`AutoEncoder`, `post_init_cfg`); Kissane and Krzyzanowski's
//! attention autoencoders (2024), SAELens' `connor_rob_hook_z`, have the same layout.

use super::json_fields::Fields;
use super::loaded::{Loaded, describe};
use super::tensors::{Tensors, check_widths};
use crate::error::Result;
use crate::known_fields::{KnownFields, Only, Plain};
use crate::sae::autoencoder::SparseAutoencoder;
use crate::sae::variants::StandardSae;
use std::path::{Path, PathBuf};

const FORMAT: &str = "1L-Sparse-Autoencoder state dict";
const CFG_FORMAT: &str = "1L-Sparse-Autoencoder configuration";
const OFF: &[Plain] = &[Plain::Null, Plain::False];

const FIELDS: KnownFields = KnownFields {
    format: CFG_FORMAT,
    applied: &[
        "act_name",
        "act_size",
        "dict_mult",
        "dict_size",
        "layer",
        "model_name",
        "site",
    ],
    inert: &[
        // The run: data, optimiser, loss, treatment of dead features, logs.
        "anthropic_neuron_resample_scale",
        "anthropic_resample_batches",
        "anthropic_resample_last",
        "b_dec_init",
        "batch_size",
        "beta1",
        "beta2",
        "buffer_batches",
        "buffer_device",
        "buffer_mult",
        "buffer_size",
        "concat_heads",
        "d_mlp",
        "dataset",
        "dead_direction_cutoff",
        "dec_init_norm",
        "device",
        "enc_dtype",
        "eval_every",
        "hf_model",
        "init_decoder_norm",
        "l1_coeff",
        "log_every",
        "lr",
        "model_batch_size",
        "n_buffers",
        "name",
        "normalization_type",
        "num_resamples",
        "num_tokens",
        "re_init_every",
        "resample_factor",
        "resample_scheme",
        "save_every",
        "save_state_dict_every",
        "sched_epochs",
        "sched_finish",
        "sched_lr_factor",
        "sched_type",
        "sched_warmup_epochs",
        "seed",
        "seq_len",
        "wandb_entity",
        "wandb_project_name",
    ],
    only: &[
        Only::new(
            "remove_rare_dir",
            OFF,
            "activations without the rare direction",
        ),
        Only::new("hook_transcoder_in", &[Plain::Null], "a transcoder"),
        Only::new("hook_transcoder_out", &[Plain::Null], "a transcoder"),
    ],
};

/// The configuration that belongs to the weights: `25_cfg.json` for `25.pt`.
pub(super) fn cfg_path(weights: &Path) -> PathBuf {
    let stem = weights.file_stem().unwrap_or_default().to_string_lossy();
    weights.with_file_name(format!("{stem}_cfg.json"))
}

/// Reads `{n}.pt`, with its configuration.
pub(super) fn read(weights: &Path) -> Result<Loaded> {
    let cfg = Fields::read(&cfg_path(weights), CFG_FORMAT)?;
    cfg.check(&FIELDS)?;
    let mut tensors = Tensors::read(weights, FORMAT)?;
    let (w_enc, b_enc) = (tensors.take("W_enc")?, tensors.take("b_enc")?);
    let (w_dec, b_dec) = (tensors.take("W_dec")?, tensors.take("b_dec")?);
    tensors.finish("its AutoEncoder")?;
    let mut sae = StandardSae::new(w_enc, b_enc, w_dec, b_dec)?;
    let act_size = cfg.whole("act_size")?;
    let dict_size = match (cfg.whole("dict_size")?, cfg.whole("dict_mult")?) {
        (Some(size), _) => Some(size),
        (None, Some(mult)) => act_size.and_then(|size| size.checked_mul(mult)),
        (None, None) => None,
    };
    check_widths(&[
        ("act_size", act_size, sae.d_in()),
        ("dict_size", dict_size, sae.d_sae()),
    ])?;
    describe(&mut sae, hook_name(&cfg)?, cfg.text("model_name")?);
    Ok(Loaded::Sae(sae.into()))
}

/// `act_name`, or what `transformer_lens.utils.get_act_name(site, layer)` gives.
fn hook_name(cfg: &Fields) -> Result<Option<String>> {
    if let Some(name) = cfg.text("act_name")? {
        return Ok(Some(name.to_owned()));
    }
    let (Some(site), Some(layer)) = (cfg.text("site")?, cfg.whole("layer")?) else {
        return Ok(None);
    };
    Ok(match site {
        "mlp_out" | "attn_out" | "resid_pre" | "resid_mid" | "resid_post" => {
            Some(format!("blocks.{layer}.hook_{site}"))
        }
        "post" => Some(format!("blocks.{layer}.mlp.hook_post")),
        "z" => Some(format!("blocks.{layer}.attn.hook_z")),
        _ => None,
    })
}
