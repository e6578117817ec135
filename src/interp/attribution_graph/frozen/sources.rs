//! What writes to the residual stream of the frozen model: features, errors, embeddings.
//! A feature writes `a_s W_dec[s]`; the error of an MLP is `mlp_out - (sum_s a_s W_dec[s] + b_dec + x W_skip)`. One of a
//! cross-layer transcoder writes so to the outputs of its own MLP and of later ones.
//! Source: circuit-tracer's node order: features, errors, tokens; here positions follow.

use super::model::{FrozenModel, wide};
use crate::error::Result;
use candle_core::{IndexOp, Tensor};
use std::ops::Range;

/// A feature that is active at one position.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in super::super) struct ActiveFeature {
    pub(in super::super) layer: usize,
    pub(in super::super) position: usize,
    pub(in super::super) feature: usize,
    pub(in super::super) activation: f64,
    pub(in super::super) pre_activation: f64,
}

/// Every feature above 0 on the prompt, by layer, position and number.
pub(in super::super) fn active_features(frozen: &FrozenModel) -> Vec<ActiveFeature> {
    let mut found = Vec::new();
    for layer in 0..frozen.layers.len() {
        let Some(transcoder) = frozen.transcoder(layer) else {
            continue;
        };
        for (position, (acts, pre)) in transcoder.acts.iter().zip(&transcoder.pre).enumerate() {
            let active = acts.iter().zip(pre).enumerate();
            for (feature, (&act, &pre)) in active.filter(|(_, (act, _))| **act > 0.0) {
                found.push(ActiveFeature {
                    layer,
                    position,
                    feature,
                    activation: f64::from(act),
                    pre_activation: f64::from(pre),
                });
            }
        }
    }
    found
}

/// Features of one block and position, which stand together.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) position: usize,
    pub(super) columns: Range<usize>,
    /// What they write, `[n, d_model]`, f64.
    pub(super) written: Tensor,
}

/// The sources, one a column: features, errors (of each block with an MLP, of each position),
/// tokens, positions.
#[derive(Debug, Clone)]
pub(in super::super) struct Sources {
    pub(in super::super) features: Vec<ActiveFeature>,
    /// Of each block the features that write to its MLP's output, those of earlier blocks included.
    pub(super) groups: Vec<Vec<Group>>,
    /// Of each block the errors, `[pos, d_model]`, f64, and their first column.
    pub(super) errors: Vec<Option<(usize, Tensor)>>,
    pub(in super::super) n_errors: usize,
    pub(in super::super) n_pos: usize,
}

impl Sources {
    /// The sources of which `features` (sorted as [`active_features`] sorts them) are the features;
    /// what other features write is part of the errors.
    pub(in super::super) fn new(
        frozen: &FrozenModel,
        features: Vec<ActiveFeature>,
    ) -> Result<Sources> {
        let n_layers = frozen.layers.len();
        let (mut groups, mut errors) = (Vec::new(), Vec::new());
        let mut n_errors = 0;
        for layer in 0..n_layers {
            let mut of_layer = Vec::new();
            for from in 0..=layer {
                let decoder = frozen.transcoder(from);
                let decoder = decoder.and_then(|transcoder| transcoder.decoder_to(from, layer));
                let start = features.partition_point(|f| f.layer < from);
                let end = features.partition_point(|f| f.layer <= from);
                if let Some(decoder) = decoder {
                    of_layer.extend(layer_groups(decoder, &features[start..end], start)?);
                }
            }
            errors.push(match &frozen.layers[layer].mlp {
                Some(_) => {
                    let error = error(frozen, layer, &of_layer)?;
                    n_errors += frozen.n_pos();
                    Some((features.len() + n_errors - frozen.n_pos(), error))
                }
                None => None,
            });
            groups.push(of_layer);
        }
        Ok(Sources {
            features,
            groups,
            errors,
            n_errors,
            n_pos: frozen.n_pos(),
        })
    }

    /// First column of the tokens.
    pub(in super::super) fn first_token(&self) -> usize {
        self.features.len() + self.n_errors
    }

    /// The column of the error of a feature's block and position.
    pub(in super::super) fn error_column(&self, feature: &ActiveFeature) -> Option<usize> {
        let (first, _) = self.errors[feature.layer].as_ref()?;
        Some(first + feature.position)
    }

    /// Number of columns.
    pub(in super::super) fn len(&self) -> usize {
        self.first_token() + 2 * self.n_pos
    }
}

/// What features of one block write by `decoder`, `[d_sae, d_model]`, position by position.
fn layer_groups(decoder: &Tensor, features: &[ActiveFeature], first: usize) -> Result<Vec<Group>> {
    let mut groups = Vec::new();
    let mut start = first;
    for of_position in features.chunk_by(|a, b| a.position == b.position) {
        let ids: Vec<u32> = of_position.iter().map(|f| f.feature as u32).collect();
        let acts: Vec<f64> = of_position.iter().map(|f| f.activation).collect();
        let ids = Tensor::new(ids, decoder.device())?;
        let rows = wide(&decoder.index_select(&ids, 0)?)?; // [n, d_model]
        let acts = Tensor::new(acts, rows.device())?.unsqueeze(1)?;
        groups.push(Group {
            position: of_position[0].position,
            columns: start..start + of_position.len(),
            written: rows.broadcast_mul(&acts)?,
        });
        start += of_position.len();
    }
    Ok(groups)
}

/// What the features of a block and its transcoder's linear parts leave of the MLP's output.
fn error(frozen: &FrozenModel, layer: usize, groups: &[Group]) -> Result<Tensor> {
    let Some(mlp) = &frozen.layers[layer].mlp else {
        return Ok(frozen.embed.zeros_like()?);
    };
    let Some(transcoder) = &mlp.transcoder else {
        return Ok(mlp.out.clone());
    };
    let mut rest = mlp.out.broadcast_sub(&transcoder.b_dec)?; // [pos, d_model]
    if let Some(w_skip_t) = &transcoder.w_skip_t {
        rest = (rest - wide(&transcoder.x)?.matmul(&w_skip_t.t()?)?)?;
    }
    let mut rows: Vec<Tensor> = (0..frozen.n_pos())
        .map(|p| rest.i(p))
        .collect::<candle_core::Result<_>>()?;
    for group in groups {
        let row = &mut rows[group.position];
        *row = (&*row - group.written.sum(0)?)?;
    }
    Ok(Tensor::stack(&rows, 0)?)
}
