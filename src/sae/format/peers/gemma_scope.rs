//! Gemma Scope: `params.npz`, JumpReLU autoencoders, and transcoders with the same tensors.
//! `pre = x W_enc + b_enc`, `acts = pre H(pre - threshold)`, `x_hat = acts W_dec + b_dec`; `W_enc [d_in, d_sae]`.
//! Lieberum et al. 2024, arXiv:2408.05147. There is no configuration: the place in the model is given by the
//! path, `gemma-scope-2b-pt-res/layer_5/width_16k/average_l0_105`.

use super::loaded::{Loaded, describe};
use super::tensors::Tensors;
use crate::error::Result;
use crate::sae::variants::{JumpReLUSae, StandardSae, Transcoder, TranscoderActivation};
use std::path::Path;

const FORMAT: &str = "Gemma Scope archive";

/// Reads `params.npz`; the path or `as_transcoder` determines whether it is a transcoder.
pub(super) fn read(path: &Path, as_transcoder: bool) -> Result<Loaded> {
    let place = Place::of(path);
    match place.transcoder || as_transcoder {
        true => {
            let Some(layer) = place.layer else {
                let reason = "no part of its path is layer_N, so that the block of the transcoder is unknown; \
                              put it into a folder of such a name";
                return Err(Tensors::read(path, FORMAT)?.refuse(reason));
            };
            transcoder(path, layer).map(Loaded::Transcoder)
        }
        false => autoencoder(path, &place),
    }
}

/// The transcoder of block `layer`: from the normalised residual stream to the MLP's output.
pub(super) fn transcoder(path: &Path, layer: usize) -> Result<Transcoder> {
    let mut tensors = Tensors::read(path, FORMAT)?;
    let threshold = tensors.take("threshold")?;
    let (w_enc, b_enc) = (tensors.take("W_enc")?, tensors.take("b_enc")?);
    let (w_dec, b_dec) = (tensors.take("W_dec")?, tensors.take("b_dec")?);
    tensors.finish("a transcoder of Gemma Scope")?;
    let activation = TranscoderActivation::JumpRelu { threshold };
    Transcoder::new(layer, w_enc, b_enc, w_dec, b_dec, activation)
}

fn autoencoder(path: &Path, place: &Place) -> Result<Loaded> {
    let mut tensors = Tensors::read(path, FORMAT)?;
    let (w_enc, b_enc) = (tensors.take("W_enc")?, tensors.take("b_enc")?);
    let (w_dec, b_dec) = (tensors.take("W_dec")?, tensors.take("b_dec")?);
    let threshold = tensors.take("threshold")?;
    tensors.finish("an autoencoder of Gemma Scope")?;
    let mut dictionary = StandardSae::new(w_enc, b_enc, w_dec, b_dec)?;
    dictionary.apply_b_dec_to_input = false;
    describe(&mut dictionary, place.hook_name(), place.model.as_deref());
    Ok(Loaded::Sae(JumpReLUSae::new(dictionary, threshold)?.into()))
}

/// The place in the model according to the path.
#[derive(Debug, Default, PartialEq)]
struct Place {
    model: Option<String>,
    layer: Option<usize>,
    /// "res", "mlp" or "att", from the repository's name.
    site: Option<String>,
    transcoder: bool,
}

impl Place {
    fn of(path: &Path) -> Self {
        let mut place = Self::default();
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        for part in path.iter().filter_map(|part| part.to_str()) {
            if let Some(layer) = part.strip_prefix("layer_") {
                place.layer = layer.parse().ok();
            }
            // gemma-scope-2b-pt-res, also within the cache's models--google--gemma-scope-2b-pt-res.
            let Some((_, name)) = part.split_once("gemma-scope-") else {
                continue;
            };
            let words: Vec<&str> = name.split('-').collect();
            if let [size @ ("2b" | "9b" | "27b"), kind @ ("pt" | "it"), site, ..] = words[..] {
                let suffix = if kind == "it" { "-it" } else { "" };
                place.model = Some(format!("gemma-2-{size}{suffix}"));
                place.site = Some(site.to_owned());
            }
            place.transcoder |= words.contains(&"transcoders");
        }
        place
    }

    fn hook_name(&self) -> Option<String> {
        let (layer, site) = (self.layer?, self.site.as_deref()?);
        match site {
            "res" => Some(format!("blocks.{layer}.hook_resid_post")),
            "mlp" => Some(format!("blocks.{layer}.hook_mlp_out")),
            "att" => Some(format!("blocks.{layer}.attn.hook_z")),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_read_from_the_path() {
        for (path, hook_name, model, transcoder) in [
            (
                "/x/gemma-scope-2b-pt-res/layer_5/width_16k/average_l0_105/params.npz",
                Some("blocks.5.hook_resid_post"),
                Some("gemma-2-2b"),
                false,
            ),
            (
                "/c/models--google--gemma-scope-9b-it-mlp/snapshots/0a/layer_12/width_16k/params.npz",
                Some("blocks.12.hook_mlp_out"),
                Some("gemma-2-9b-it"),
                false,
            ),
            (
                "/x/gemma-scope-27b-pt-att/layer_10/params.npz",
                Some("blocks.10.attn.hook_z"),
                Some("gemma-2-27b"),
                false,
            ),
            (
                "/x/gemma-scope-2b-pt-res/embedding/width_4k/params.npz",
                None,
                Some("gemma-2-2b"),
                false,
            ),
            (
                "/x/gemma-scope-2b-pt-transcoders/layer_3/params.npz",
                None,
                Some("gemma-2-2b"),
                true,
            ),
            ("/x/params.npz", None, None, false),
        ] {
            let place = Place::of(Path::new(path));
            assert_eq!(place.hook_name().as_deref(), hook_name, "{path}");
            assert_eq!(
                (place.model.as_deref(), place.transcoder),
                (model, transcoder),
                "{path}"
            );
        }
    }
}
