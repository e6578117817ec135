//! Tensors that only one architecture has.

use super::cfg::Architecture;
use super::own_fields::TemporalFields;
use crate::error::{Error, Result};
use crate::model::{TensorFile, check_finite};
use crate::sae::autoencoder::SparseAutoencoder;
use crate::sae::kernels::PursuitRules;
use crate::sae::variants::{StandardSae, TemporalAttention, TemporalSae};
use candle_core::Tensor;
use std::path::Path;

/// The file of tensors in messages.
pub(super) const FORMAT: &str = "SAELens state dict";

/// What only one architecture has.
pub(super) enum Own {
    Nothing,
    TopK(u64),
    AbsTopK(u64),
    JumpReLU { threshold: Tensor },
    Gated { r_mag: Tensor, b_mag: Tensor },
    Pursuit(PursuitRules),
    Temporal(TemporalFields, Vec<TemporalAttention>),
}

impl Own {
    /// Removes the architecture's own tensors from the file and returns them.
    pub(super) fn take(
        architecture: Architecture,
        file: &mut TensorFile,
        path: &Path,
    ) -> Result<Self> {
        let mut take = |name: &str| match file.tensors.remove(name) {
            None => Ok::<_, Error>(None),
            Some(tensor) => {
                check_finite(path, FORMAT, name, &tensor)?;
                Ok(Some(tensor.to_dtype(candle_core::DType::F32)?))
            }
        };
        let bad = |reason: &str| Err(Error::format(path, FORMAT, reason));
        match architecture {
            Architecture::Standard => Ok(Self::Nothing),
            Architecture::Pursuit(rules) => Ok(Self::Pursuit(rules)),
            Architecture::Temporal(own) => {
                let layers = (0..own.n_attn_layers).map(|i| {
                    TemporalAttention::of_named(|name| {
                        let name = format!("attn_layers.{i}.{name}");
                        let found = take(&name)?;
                        found.ok_or_else(|| {
                            Error::format(path, FORMAT, format!("there is no tensor {name}"))
                        })
                    })
                });
                Ok(Self::Temporal(own, layers.collect::<Result<_>>()?))
            }
            Architecture::TopK { k } => Ok(Self::TopK(k)),
            Architecture::AbsTopK { k } => Ok(Self::AbsTopK(k)),
            // Older versions wrote the logarithms, which they trained.
            Architecture::JumpReLU => match (take("threshold")?, take("log_threshold")?) {
                (Some(threshold), None) => Ok(Self::JumpReLU { threshold }),
                (None, Some(logarithm)) => Ok(Self::JumpReLU {
                    threshold: logarithm.exp()?,
                }),
                (None, None) => bad("there is no tensor threshold or log_threshold"),
                (Some(_), Some(_)) => bad("there are both threshold and log_threshold"),
            },
            Architecture::Gated => match (take("r_mag")?, take("b_mag")?) {
                (Some(r_mag), Some(b_mag)) => Ok(Self::Gated { r_mag, b_mag }),
                (None, _) => bad("there is no tensor r_mag"),
                (_, None) => bad("there is no tensor b_mag"),
            },
        }
    }
}

/// The temporal autoencoder of a file.
pub(super) fn temporal(
    dictionary: StandardSae,
    own: TemporalFields,
    layers: Vec<TemporalAttention>,
) -> Result<TemporalSae> {
    // Checks the layers' shapes.
    let (w_dec, b_dec) = (dictionary.w_dec.clone(), dictionary.b_dec.clone());
    let mut sae = TemporalSae::new(w_dec, b_dec, layers, own.n_heads, own.k())?;
    sae.input_scale = own.input_scale();
    sae.tied = own.tied_weights;
    sae.dictionary = dictionary;
    Ok(sae)
}

pub(super) fn temporal_fields(sae: &TemporalSae) -> TemporalFields {
    let d_sae = sae.dictionary.d_sae();
    let width = sae
        .layers
        .first()
        .map_or(d_sae, |layer| layer.b_q.elem_count());
    let layers = (sae.layers.len(), d_sae / width.max(1));
    TemporalFields::new(sae.n_heads, layers, sae.k, sae.tied, sae.input_scale)
}
