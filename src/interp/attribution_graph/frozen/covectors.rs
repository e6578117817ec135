//! Edges by linear algebra: what a target reads, carried backwards through the frozen model.
//! `c_pre = c_mid + sum_h LN1^T (P_h^T c_mid W_O^T) W_V^T`; the edge from `s` is `c . written_s`.
//! Source: Ameisen et al. 2025, "Circuit Tracing", edges as `a_s sum W_dec J W_enc`.

use super::model::{FrozenLayer, FrozenMlp, FrozenModel};
use super::site::MlpInput;
use super::sources::Sources;
use crate::error::{Error, Result};
use candle_core::{D, DType, Device, IndexOp, Tensor};

/// What is read, where.
#[derive(Debug, Clone)]
pub(in super::super) struct Target {
    /// The block whose transcoder reads; `None` for a logit.
    pub(in super::super) layer: Option<usize>,
    pub(in super::super) position: usize,
    /// What is read, of the transcoder's input or of the final norm's output. `[d_model]`
    pub(in super::super) covector: Vec<f64>,
    /// What is added to that: `b_enc`, `b_U`.
    pub(in super::super) own_bias: f64,
}

/// What every source adds to each of several targets.
#[derive(Debug, Clone)]
pub(in super::super) struct Contributions {
    n_sources: usize,
    /// `[n_targets, n_sources]`, row after row.
    values: Vec<f64>,
    /// What all biases add, `[n_targets]`.
    pub(in super::super) bias: Vec<f64>,
}

impl Contributions {
    /// Of targets of which only the covectors are wanted.
    pub(super) fn without_sources(targets: &[Target]) -> Contributions {
        Contributions {
            n_sources: 0,
            values: Vec::new(),
            bias: targets.iter().map(|target| target.own_bias).collect(),
        }
    }

    pub(in super::super) fn row(&self, target: usize) -> &[f64] {
        &self.values[target * self.n_sources..][..self.n_sources]
    }

    /// Writes `values` `[n_targets, n]` to the columns from `first` on.
    fn put(&mut self, first: usize, values: &Tensor) -> Result<()> {
        for (target, row) in values.to_vec2::<f64>()?.iter().enumerate() {
            let start = target * self.n_sources + first;
            self.values[start..start + row.len()].copy_from_slice(row);
        }
        Ok(())
    }

    /// Adds `values` `[n_targets, n]` to the columns from `first` on: a source may write in several places.
    fn add(&mut self, first: usize, values: &Tensor) -> Result<()> {
        for (target, row) in values.to_vec2::<f64>()?.iter().enumerate() {
            let start = target * self.n_sources + first;
            let columns = &mut self.values[start..start + row.len()];
            columns
                .iter_mut()
                .zip(row)
                .for_each(|(sum, value)| *sum += value);
        }
        Ok(())
    }

    fn add_bias(&mut self, values: &Tensor) -> Result<()> {
        for (bias, value) in self.bias.iter_mut().zip(values.to_vec1::<f64>()?) {
            *bias += value;
        }
        Ok(())
    }
}

/// What every source adds to each target: a row a target. A row and its bias sum to what the target
/// reads on this prompt.
///
/// # Errors
/// [`Error::Candle`] when there is not memory for the covectors, `[n_targets, pos, d_model]`.
pub(in super::super) fn propagate(
    frozen: &FrozenModel,
    sources: &Sources,
    targets: &[Target],
) -> Result<Contributions> {
    let mut found = Contributions {
        n_sources: sources.len(),
        values: vec![0.0; targets.len() * sources.len()],
        bias: targets.iter().map(|target| target.own_bias).collect(),
    };
    let above = |target: &Target| target.layer.map_or(frozen.layers.len(), |layer| layer + 1);
    let top = targets.iter().map(above).max().unwrap_or(0);
    let mut c = injected(frozen, targets, None, &mut found)?; // [n, pos, d_model]
    for layer in (0..top).rev() {
        let block = &frozen.layers[layer];
        if let Some(mlp) = &block.mlp {
            read_layer(sources, layer, &c, &mut found)?;
            c = around_features(mlp, &c, &mut found)?;
            if targets.iter().any(|target| target.layer == Some(layer)) {
                c = (c + injected(frozen, targets, Some(layer), &mut found)?)?;
            }
        }
        c = through_attention(block, &c, &mut found)?;
    }
    let first = sources.first_token();
    found.put(first, &values_of(&c, &frozen.embed)?)?;
    found.put(first + sources.n_pos, &values_of(&c, &frozen.pos_embed)?)?;
    Ok(found)
}

/// `c` `[n, pos, d_model]` of vectors `[pos, d_model]`: `[n, pos]`.
fn values_of(c: &Tensor, vectors: &Tensor) -> Result<Tensor> {
    Ok(c.broadcast_mul(vectors)?.sum(D::Minus1)?)
}

/// What the features and errors of a block add.
fn read_layer(
    sources: &Sources,
    layer: usize,
    c: &Tensor,
    found: &mut Contributions,
) -> Result<()> {
    for group in &sources.groups[layer] {
        let at_position = c.i((.., group.position, ..))?.contiguous()?; // [n, d_model]
        let values = at_position.matmul(&group.written.t()?)?;
        found.add(group.columns.start, &values)?;
    }
    match &sources.errors[layer] {
        Some((first, errors)) => found.put(*first, &values_of(c, errors)?),
        None => Ok(()),
    }
}

/// Past an MLP whose features and error are sources: by the residual stream, and through the
/// transcoder's linear path. Its constants are biases.
fn around_features(mlp: &FrozenMlp, c: &Tensor, found: &mut Contributions) -> Result<Tensor> {
    let Some(transcoder) = &mlp.transcoder else {
        return Ok(c.clone());
    };
    found.add_bias(&constant_value(c, &transcoder.b_dec)?)?;
    let Some(w_skip_t) = &transcoder.w_skip_t else {
        return Ok(c.clone());
    };
    let read = of_input(mlp, transcoder.input, &times(c, w_skip_t)?, found)?;
    Ok((c + read)?)
}

/// Covectors of a transcoder's input to those of the residual stream before the MLP.
fn of_input(
    mlp: &FrozenMlp,
    input: MlpInput,
    c: &Tensor,
    found: &mut Contributions,
) -> Result<Tensor> {
    match (input, &mlp.ln2) {
        (MlpInput::ResidMid, _) | (_, None) => Ok(c.clone()),
        (MlpInput::Normalized, Some(norm)) => norm.transpose_normalized(c),
        (MlpInput::MlpIn, Some(norm)) => {
            if let Some(value) = norm.bias_value(c)? {
                found.add_bias(&value)?;
            }
            norm.transpose(c)
        }
    }
}

/// What a vector that is the same at every position `[d_model]` adds to each covector: `[n]`.
fn constant_value(c: &Tensor, vector: &Tensor) -> Result<Tensor> {
    Ok(c.broadcast_mul(vector)?.sum(D::Minus1)?.sum(D::Minus1)?)
}

/// `c` `[n, pos, a]` times `w` `[a, b]`: `[n, pos, b]`.
pub(super) fn times(c: &Tensor, w: &Tensor) -> Result<Tensor> {
    let (n, pos, width) = c.dims3()?;
    let product = c.reshape((n * pos, width))?.matmul(w)?;
    Ok(product.reshape((n, pos, w.dim(1)?))?)
}

/// Covectors of the stream after a block's attention to those of the stream before it.
fn through_attention(block: &FrozenLayer, c: &Tensor, found: &mut Contributions) -> Result<Tensor> {
    let (n, pos, d_model) = c.dims3()?;
    let (n_heads, d_head) = block.b_v.dims2()?;
    found.add_bias(&constant_value(c, &block.b_o)?)?;
    // The heads first, all targets side by side: one product a head.
    let z = times(c, &block.w_o_t)?
        .reshape((n, pos, n_heads, d_head))?
        .permute((2, 1, 0, 3))?
        .reshape((n_heads, pos, n * d_head))?; // [n_heads, query, n d_head]
    let keys = block.pattern.transpose(1, 2)?.contiguous()?.matmul(&z)?;
    let v = keys
        .reshape((n_heads, pos, n, d_head))?
        .permute((2, 1, 0, 3))?
        .contiguous()?; // [n, key, n_heads, d_head]
    let of_values = v.broadcast_mul(&block.b_v)?.reshape((n, ()))?;
    found.add_bias(&of_values.sum(D::Minus1)?)?;
    let v = v.reshape((n, pos, n_heads * d_head))?;
    let read = times(&v, &block.w_v_t)?.reshape((n, pos, d_model))?;
    let read = match &block.ln1 {
        None => read,
        Some(norm) => {
            if let Some(value) = norm.bias_value(&read)? {
                found.add_bias(&value)?;
            }
            norm.transpose(&read)?
        }
    };
    Ok((c + read)?)
}

/// The covectors of the targets that read at `layer` (`None`: behind the last block), of the
/// residual stream there, `[n, pos, d_model]`; zeros for other targets.
pub(super) fn injected(
    frozen: &FrozenModel,
    targets: &[Target],
    layer: Option<usize>,
    found: &mut Contributions,
) -> Result<Tensor> {
    let (n_pos, d_model) = frozen.embed.dims2()?;
    let shape = (targets.len(), n_pos, d_model);
    if !targets.iter().any(|target| target.layer == layer) {
        return Ok(Tensor::zeros(shape, DType::F64, &Device::Cpu)?);
    }
    let mut values = vec![0.0; targets.len() * n_pos * d_model];
    for (i, target) in targets.iter().enumerate() {
        if target.layer == layer {
            let start = (i * n_pos + target.position) * d_model;
            values[start..start + d_model].copy_from_slice(&target.covector);
        }
    }
    let c = Tensor::from_vec(values, shape, &Device::Cpu)?;
    let Some(layer) = layer else {
        let Some(norm) = &frozen.final_norm else {
            return Ok(c);
        };
        if let Some(value) = norm.bias_value(&c)? {
            found.add_bias(&value)?;
        }
        return norm.transpose(&c);
    };
    match &frozen.layers[layer].mlp {
        Some(mlp) => match &mlp.transcoder {
            Some(transcoder) => of_input(mlp, transcoder.input, &c, found),
            None => Err(no_transcoder(layer)),
        },
        None => Err(no_transcoder(layer)),
    }
}

fn no_transcoder(layer: usize) -> Error {
    let reason = "a feature was asked for in a block that has no transcoder";
    Error::argument("layer", layer, reason)
}
