//! sparsify (EleutherAI): `cfg.json` and `sae.safetensors`, TopK autoencoders and transcoders.
//! `acts = top_k(relu((x - b_dec) encoder.weight^T + encoder.bias))`, `y = acts W_dec + b_dec (+ x W_skip^T)`;
//! transcoders do not subtract `b_dec`. `encoder.weight` and `W_dec` are `[num_latents, d_in]`. A transcoder written
//! here also has its hook points in the configuration: `hook_name` and `hook_name_out`, which sparsify ignores.
//! Source: eai-sparsify 1.3.3 (`sparse_coder.py`, `fused_encoder.py`, `config.py`).

use super::json_fields::Fields;
use super::loaded::{Loaded, describe};
use super::tensors::{Tensors, check_widths};
use crate::error::{Error, Result};
use crate::known_fields::{KnownFields, Only, Plain};
use crate::sae::autoencoder::SparseAutoencoder;
use crate::sae::format::write_folder::write_folder;
use crate::sae::variants::{StandardSae, TopKSae, Transcoder, TranscoderActivation};
use serde_json::json;
use std::path::Path;

pub(in crate::sae::format) const WEIGHTS: &str = "sae.safetensors";
const FORMAT: &str = "sparsify state dict";
const CFG_FORMAT: &str = "sparsify configuration";
const OFF: &[Plain] = &[Plain::Null, Plain::False];

const FIELDS: KnownFields = KnownFields {
    format: CFG_FORMAT,
    applied: &[
        "d_in",
        "expansion_factor",
        "hook_name",
        "hook_name_out",
        "k",
        "num_latents",
        "skip_connection",
        "transcode",
    ],
    inert: &[
        // Multi-TopK is a loss, and unit rows are a constraint during training.
        "multi_topk",
        "normalize_decoder",
    ],
    only: &[
        Only::new(
            "activation",
            &[Plain::Null, Plain::Text("topk")],
            "another activation function",
        ),
        Only::new("signed", OFF, "activations of both signs"),
    ],
};

/// Reads the folder of one hook point.
pub(super) fn read(dir: &Path) -> Result<Loaded> {
    let cfg = Fields::read(&dir.join("cfg.json"), CFG_FORMAT)?;
    cfg.check(&FIELDS)?;
    let (transcode, skip) = (cfg.switch("transcode")?, cfg.switch("skip_connection")?);
    if skip && !transcode {
        let reason = "skip_connection is true without transcode: an autoencoder with a path around its \
                      features, which is not supported";
        return Err(cfg.refuse(reason));
    }
    let k = cfg.needed_whole("k")? as usize;
    let mut tensors = Tensors::read(&dir.join(WEIGHTS), FORMAT)?;
    let (w_enc, b_enc) = (
        tensors.take_transposed("encoder.weight")?,
        tensors.take("encoder.bias")?,
    );
    let (w_dec, b_dec) = (tensors.take("W_dec")?, tensors.take("b_dec")?);
    let w_skip = match skip {
        true => Some(tensors.take_transposed("W_skip")?),
        false => None,
    };
    tensors.finish("a sparse coder of this configuration")?;
    let folder = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let folder = folder
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let d_in = cfg.needed_whole("d_in")?;
    let d_sae = match cfg.whole("num_latents")? {
        // 0 means the expansion factor.
        Some(n) if n > 0 => Some(n),
        _ => cfg
            .whole("expansion_factor")?
            .and_then(|factor| factor.checked_mul(d_in)),
    };
    if !transcode {
        let mut dictionary = StandardSae::new(w_enc, b_enc, w_dec, b_dec)?;
        check_widths(&[
            ("d_in", Some(d_in), dictionary.d_in()),
            ("num_latents", d_sae, dictionary.d_sae()),
        ])?;
        let named = cfg.text("hook_name")?.map(str::to_owned);
        describe(&mut dictionary, named.or_else(|| hook_name(folder)), None);
        return Ok(Loaded::Sae(TopKSae::new(dictionary, k)?.into()));
    }
    let (reads, writes) = match (
        cfg.text("hook_name")?,
        cfg.text("hook_name_out")?,
        block(folder),
    ) {
        (Some(reads), Some(writes), _) => (reads.to_owned(), writes.to_owned()),
        (_, _, Some((layer, "mlp"))) => (
            format!("blocks.{layer}.mlp.hook_in"),
            format!("blocks.{layer}.hook_mlp_out"),
        ),
        _ => {
            return Err(cfg.refuse(format!(
                "transcode is true, but the folder {folder:?} is not called layers.N.mlp (or h.N.mlp), and there \
                 are no hook_name and hook_name_out: the block of the transcoder is unknown"
            )));
        }
    };
    let activation = TranscoderActivation::TopK { k };
    let transcoder = Transcoder::new(0, w_enc, b_enc, w_dec, b_dec, activation)?;
    let transcoder = transcoder.between(&reads, &writes);
    check_widths(&[
        ("d_in", Some(d_in), transcoder.d_in()),
        ("num_latents", d_sae, transcoder.d_sae()),
    ])?;
    Ok(Loaded::Transcoder(match w_skip {
        Some(w_skip) => transcoder.with_skip(w_skip)?,
        None => transcoder,
    }))
}

/// Writes a TopK transcoder as sparsify reads it, creating `dir` if missing.
///
/// # Errors
/// [`Error::Argument`] for a transcoder whose output is not as wide as its input, which sparsify does not support;
/// [`Error::Io`].
pub(in crate::sae::format) fn write(dir: &Path, transcoder: &Transcoder, k: usize) -> Result<()> {
    if transcoder.d_in() != transcoder.d_out() {
        let reason = format!(
            "must be d_in = {} for a file of sparsify, the only one that there is for TopK transcoders",
            transcoder.d_in()
        );
        return Err(Error::argument("d_out", transcoder.d_out(), reason));
    }
    let mut tensors = vec![
        ("encoder.weight", transcoder.w_enc.t()?.contiguous()?),
        ("encoder.bias", transcoder.b_enc.contiguous()?),
        ("W_dec", transcoder.w_dec.contiguous()?),
        ("b_dec", transcoder.b_dec.contiguous()?),
    ];
    if let Some(w_skip) = &transcoder.w_skip {
        tensors.push(("W_skip", w_skip.t()?.contiguous()?));
    }
    let cfg = json!({
        "activation": "topk",
        "d_in": transcoder.d_in(),
        "k": k,
        "multi_topk": false,
        "normalize_decoder": false,
        "num_latents": transcoder.d_sae(),
        "skip_connection": transcoder.w_skip.is_some(),
        "transcode": true,
        "hook_name": transcoder.hook_name,
        "hook_name_out": transcoder.hook_name_out,
    });
    write_folder(dir, WEIGHTS, &cfg, &tensors)
}

/// Block and module from a folder's name, which is that of a module: `layers.5`, `layers.5.mlp`, `h.5.attn`.
fn block(folder: &str) -> Option<(usize, &str)> {
    let rest = folder.split_once("layers.").map(|(_, rest)| rest);
    let rest = rest.or_else(|| Some(folder.split_once("h.")?.1))?;
    let (layer, module) = rest.split_once('.').unwrap_or((rest, ""));
    Some((layer.parse().ok()?, module))
}

/// The hook point of an autoencoder of that module's output, in TransformerLens' terms.
fn hook_name(folder: &str) -> Option<String> {
    if matches!(folder, "embed_tokens" | "embed_in" | "wte") {
        return Some("hook_embed".to_owned());
    }
    let (layer, module) = block(folder)?;
    let point = match module {
        "" => "hook_resid_post",
        "mlp" => "hook_mlp_out",
        "attention" | "self_attn" | "attn" => "hook_attn_out",
        _ => return None,
    };
    Some(format!("blocks.{layer}.{point}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_name_modules() {
        for (folder, name) in [
            ("layers.5", Some("blocks.5.hook_resid_post")),
            ("gpt_neox.layers.11.mlp", Some("blocks.11.hook_mlp_out")),
            ("h.3.attn", Some("blocks.3.hook_attn_out")),
            ("layers.2.self_attn", Some("blocks.2.hook_attn_out")),
            ("embed_tokens", Some("hook_embed")),
            ("layers.2.mlp.gate", None),
            ("something", None),
        ] {
            assert_eq!(hook_name(folder).as_deref(), name, "{folder}");
        }
    }
}
