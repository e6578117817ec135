//! The weights of a model while they are changed.

use super::super::transformer::Transformer;
use crate::config::{Normalization, TransformerConfig};
use crate::error::{Error, Result};
use candle_core::shape::Dim;
use candle_core::{DType, Tensor};
use std::collections::BTreeMap;

/// Configuration and parameters, in f32 and without history.
pub(super) struct Weights {
    pub(super) cfg: TransformerConfig,
    params: BTreeMap<String, Tensor>,
    tracks_gradients: bool,
}

impl Weights {
    /// Those of `model`, the unembedding untied: what is done to one of the two is not done to the
    /// other.
    pub(super) fn of(model: &Transformer) -> Result<Self> {
        let mut params = BTreeMap::new();
        for (name, var) in model.named_parameters() {
            params.insert(name, var.as_detached_tensor().to_dtype(DType::F32)?);
        }
        let w_u = model.parameter("unembed.W_U")?.to_dtype(DType::F32)?;
        params.insert("unembed.W_U".to_owned(), w_u);
        Ok(Self {
            cfg: TransformerConfig {
                tied_unembed: false,
                ..model.cfg().clone()
            },
            params,
            tracks_gradients: model.tracks_gradients,
        })
    }

    /// [`Weights::of`] a model whose streams are normalised.
    ///
    /// # Errors
    /// [`Error::Argument`] for one that normalises nothing.
    pub(super) fn of_normalised(model: &Transformer) -> Result<Self> {
        if model.cfg().normalization_type == Normalization::None {
            return Err(Error::argument(
                "normalization_type",
                "none",
                "must be LN or LNPre: without norms there is nothing to fold, and a mean taken out of \
                 the residual stream changes what is computed (center_unembed is possible)",
            ));
        }
        Self::of(model)
    }

    pub(super) fn get(&self, name: &str) -> Result<Tensor> {
        self.params
            .get(name)
            .cloned()
            .ok_or_else(|| Error::NotFound {
                kind: "parameter",
                name: name.to_owned(),
                known: self.params.keys().cloned().collect(),
            })
    }

    /// Puts `value` in the place of a parameter.
    pub(super) fn set(&mut self, name: &str, value: Tensor) {
        self.params.insert(name.to_owned(), value);
    }

    /// Takes a parameter's mean over an axis out of it.
    pub(super) fn center(&mut self, name: &str, axis: impl Dim) -> Result<()> {
        let value = self.get(name)?;
        let centred = value.broadcast_sub(&value.mean_keepdim(axis)?)?;
        self.set(name, centred);
        Ok(())
    }

    /// The model with these weights, in its type and on its device.
    pub(super) fn into_model(self) -> Result<Transformer> {
        let model = Transformer::from_parameters(&self.cfg, &self.params)?;
        Ok(match self.tracks_gradients {
            true => model,
            false => model.without_gradients(),
        })
    }
}
