//! The attribution graph of a prompt: which features, errors and embeddings make its logits.
//! Nodes are what writes to the residual stream; an edge is a product of frozen, linear maps.
//! Source: Ameisen et al. 2025, "Circuit Tracing"; circuit-tracer 0.5, `attribute`.

use super::config::AttributionConfig;
use super::frozen::{ActiveFeature, FrozenModel, Sources, Target, active_features, propagate};
use super::graph::AttributionGraph;
use super::influence::{EdgeMatrix, MAX_PATH, normalize};
use super::logit_targets::{LogitTarget, logit_targets};
use crate::error::Result;
use crate::interp::measurements::MlpReplacement;
use crate::model::Transformer;
use crate::show::Interrupts;
use candle_core::{DType, Device, Tensor};
use std::collections::BTreeMap;

/// Features are ranked again after so many batches, as in circuit-tracer.
const BATCHES_PER_RANKING: usize = 4;

/// Makes the attribution graph of the prompt `tokens` `[1, pos]`.
///
/// Transcoders stand in the place of the MLPs of their blocks; a block without one has error nodes
/// only. So does a cross-layer transcoder, whose features write to the MLP outputs of their block and of later ones: one
/// node has all that it writes, and an edge from it is the sum over the places where it writes. On this prompt attention patterns and the scales of the norms are constants, so that all
/// between the features is linear: the edge from a source to a feature or logit is what the source
/// adds to its value. Edges into a node and its `bias` sum to its value, exactly up to rounding:
/// biases (of attention, norms, decoders, encoders, the unembedding) have no nodes, and each node
/// says what they add to it together. Position embeddings have nodes of their own, unlike in
/// circuit-tracer; no edges leave these where positions are rotary.
///
/// ```
/// use holoscope::{config::TransformerConfig, model::Transformer};
/// use holoscope::interp::{AttributionConfig, attribution_graph};
/// use candle_core::{Device, Tensor};
/// let cfg = TransformerConfig { d_vocab: 11, d_model: 8, d_mlp: 16, ..Default::default() };
/// let model = Transformer::new(&cfg)?;
/// let tokens = Tensor::new(&[[1u32, 2, 3]], &Device::Cpu)?;
/// // Without transcoders: embeddings, errors and logits.
/// let graph = attribution_graph(&model, &[], &tokens, &AttributionConfig::default())?;
/// let logit = graph.nodes.len() - 1;
/// let sum: f64 = graph.incoming(logit)?.iter().map(|edge| edge.weight).sum();
/// let node = &graph.nodes[logit];
/// assert!((sum + node.bias.unwrap() - node.value.unwrap()).abs() < 1e-4);
/// # Ok::<(), holoscope::Error>(())
/// ```
///
/// # Errors
/// An empty prompt, tokens that are not one sequence or that the model cannot read; a transcoder, or a layer of a
/// cross-layer transcoder, of a hook point or block that the model does not have ([`crate::Error::UnknownHook`]), of another width, or a
/// second one of a block; a model with `parallel_attn_mlp`, whose MLPs do not read what attention
/// wrote; [`crate::Error::NotFiniteAt`] where the pass or a transcoder meets a NaN or an
/// infinity; a field of `config` out of its range; [`crate::Error::Interrupted`].
pub fn attribution_graph(
    model: &Transformer,
    transcoders: impl Into<MlpReplacement>,
    tokens: &Tensor,
    config: &AttributionConfig,
) -> Result<AttributionGraph> {
    config.validate(model.cfg())?;
    let frozen = FrozenModel::new(model, &transcoders.into(), tokens)?;
    let logits = logit_targets(&frozen, config)?;
    let mut features = active_features(&frozen);
    features.retain(|feature| !(config.skip_bos && feature.position == 0));
    let mut work = Work {
        frozen: &frozen,
        sources: Sources::new(&frozen, features)?,
        batch_size: config.batch_size,
        interrupts: Interrupts::listen(),
    };
    let logit_targets = || logits.iter().map(|logit| logit.target.clone()).collect();
    let mut logit_rows = work.rows(logit_targets())?;
    let n = work.sources.features.len();
    let mut rows = match n <= config.max_features {
        true => work.feature_rows(&(0..n).collect::<Vec<_>>())?,
        false => work.most_influential(&logits, &logit_rows, config.max_features)?,
    };
    let mut selected: Vec<usize> = rows.keys().copied().collect();
    let features: Vec<ActiveFeature> = selected.iter().map(|&i| work.sources.features[i]).collect();
    if selected.len() < n && frozen.is_cross_layer() {
        // What the others add belongs to the errors of several blocks: known only with these as sources.
        work.sources = Sources::new(&frozen, features.clone())?;
        logit_rows = work.rows(logit_targets())?;
        selected = (0..features.len()).collect();
        rows = work.feature_rows(&selected)?;
    }
    let folded = Folding::new(&work.sources, &selected);
    let mut values = Vec::with_capacity((rows.len() + logits.len()) * folded.n_sources());
    let mut biases = Vec::with_capacity(rows.len() + logits.len());
    for row in rows.values().chain(&logit_rows) {
        folded.append(&row.values, &mut values);
        biases.push(row.bias);
    }
    let matrix = EdgeMatrix {
        n_features: selected.len(),
        n_sources: folded.n_sources(),
        n_logits: logits.len(),
        values,
    };
    Ok(AttributionGraph::new(
        frozen, features, &logits, matrix, &biases, config,
    ))
}

/// What the sources and the biases add to one target.
#[derive(Debug, Clone)]
struct Row {
    values: Vec<f64>,
    bias: f64,
}

struct Work<'a> {
    frozen: &'a FrozenModel,
    sources: Sources,
    batch_size: usize,
    interrupts: Interrupts,
}

impl Work<'_> {
    fn rows(&self, targets: Vec<Target>) -> Result<Vec<Row>> {
        let mut rows = Vec::with_capacity(targets.len());
        for batch in targets.chunks(self.batch_size) {
            self.interrupts.check("an attribution graph")?;
            let found = propagate(self.frozen, &self.sources, batch)?;
            rows.extend((0..batch.len()).map(|i| Row {
                values: found.row(i).to_vec(),
                bias: found.bias[i],
            }));
        }
        Ok(rows)
    }

    /// The rows of these features, by their index.
    fn feature_rows(&self, indices: &[usize]) -> Result<BTreeMap<usize, Row>> {
        // Those of one block together: a batch goes no further up than its highest target.
        let mut indices = indices.to_vec();
        indices.sort_unstable();
        let mut targets = Vec::with_capacity(indices.len());
        for of_layer in indices.chunk_by(|&a, &b| self.layer(a) == self.layer(b)) {
            let features: Vec<ActiveFeature> =
                of_layer.iter().map(|&i| self.sources.features[i]).collect();
            targets.extend(feature_targets(self.frozen, &features)?);
        }
        Ok(indices.into_iter().zip(self.rows(targets)?).collect())
    }

    fn layer(&self, index: usize) -> usize {
        self.sources.features[index].layer
    }

    /// The rows of the `n` features of the largest influence on the logits, which is known in part
    /// while only some rows are, and better with each batch.
    fn most_influential(
        &self,
        logits: &[LogitTarget],
        logit_rows: &[Row],
        n: usize,
    ) -> Result<BTreeMap<usize, Row>> {
        let n_all = self.sources.features.len();
        let mut rows: BTreeMap<usize, Row> = BTreeMap::new();
        while rows.len() < n {
            let influence = partial_influence(logits, logit_rows, &rows, n_all);
            let mut order: Vec<usize> = (0..n_all).filter(|i| !rows.contains_key(i)).collect();
            order.sort_by(|&a, &b| influence[b].total_cmp(&influence[a]));
            order.truncate((n - rows.len()).min(BATCHES_PER_RANKING * self.batch_size));
            rows.extend(self.feature_rows(&order)?);
        }
        Ok(rows)
    }
}

/// The targets of features of one block.
pub(super) fn feature_targets(
    frozen: &FrozenModel,
    features: &[ActiveFeature],
) -> Result<Vec<Target>> {
    let Some(transcoder) = features
        .first()
        .and_then(|first| frozen.transcoder(first.layer))
    else {
        return Ok(Vec::new());
    };
    let transcoder = &transcoder.transcoder;
    let ids: Vec<u32> = features.iter().map(|f| f.feature as u32).collect();
    let ids = Tensor::new(ids, transcoder.device())?;
    let plain = |t: Tensor| t.to_device(&Device::Cpu)?.to_dtype(DType::F64);
    let columns = plain(transcoder.w_enc.index_select(&ids, 1)?)?;
    let covectors = columns.t()?.contiguous()?.to_vec2::<f64>()?; // [n, d_in]
    let biases = plain(transcoder.b_enc.index_select(&ids, 0)?)?.to_vec1::<f64>()?;
    let parts = features.iter().zip(covectors).zip(biases);
    let targets = parts.map(|((feature, covector), own_bias)| Target {
        layer: Some(feature.layer),
        position: feature.position,
        covector,
        own_bias,
    });
    Ok(targets.collect())
}

/// The influence of the first `n` sources by the paths of which all rows are known.
fn partial_influence(
    logits: &[LogitTarget],
    logit_rows: &[Row],
    rows: &BTreeMap<usize, Row>,
    n: usize,
) -> Vec<f64> {
    let normalized = |row: &Row| {
        let mut values = row.values.clone();
        normalize(&mut values);
        values.truncate(n);
        values
    };
    let rows: Vec<(usize, Vec<f64>)> = rows.iter().map(|(&i, row)| (i, normalized(row))).collect();
    let mut total = vec![0.0; n];
    let mut next = vec![0.0; n];
    for (logit, row) in logits.iter().zip(logit_rows) {
        for (sum, edge) in next.iter_mut().zip(normalized(row)) {
            *sum += logit.probability * edge;
        }
    }
    for _ in 0..MAX_PATH {
        if next.iter().all(|&x| x == 0.0) {
            break;
        }
        for (sum, x) in total.iter_mut().zip(&next) {
            *sum += x;
        }
        let reach = std::mem::replace(&mut next, vec![0.0; n]);
        for (i, row) in rows.iter().filter(|(i, _)| reach[*i] != 0.0) {
            for (sum, edge) in next.iter_mut().zip(row) {
                *sum += reach[*i] * edge;
            }
        }
    }
    total
}

/// Rows over all features to rows over those that are nodes: what the others add is the error's of
/// their block and position.
struct Folding<'a> {
    sources: &'a Sources,
    selected: &'a [usize],
    /// Of each feature that is no node, its column and that of its error.
    others: Vec<(usize, usize)>,
}

impl<'a> Folding<'a> {
    fn new(sources: &'a Sources, selected: &'a [usize]) -> Self {
        let mut is_selected = vec![false; sources.features.len()];
        for &i in selected {
            is_selected[i] = true;
        }
        let others = (0..sources.features.len()).filter(|&i| !is_selected[i]);
        Self {
            sources,
            selected,
            others: others
                .filter_map(|i| Some((i, sources.error_column(&sources.features[i])?)))
                .collect(),
        }
    }

    fn n_sources(&self) -> usize {
        self.sources.len() - self.sources.features.len() + self.selected.len()
    }

    fn append(&self, row: &[f64], to: &mut Vec<f64>) {
        to.extend(self.selected.iter().map(|&i| row[i]));
        let (start, n) = (to.len(), self.sources.features.len());
        to.extend(&row[n..]);
        for &(feature, error) in &self.others {
            to[start + error - n] += row[feature];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_influence_ends_where_edges_go_in_a_circle() {
        let row = |values: &[f64]| Row {
            values: values.to_vec(),
            bias: 0.0,
        };
        let logit = LogitTarget {
            id: 0,
            probability: 1.0,
            value: 0.0,
            target: Target {
                layer: None,
                position: 0,
                covector: Vec::new(),
                own_bias: 0.0,
            },
        };
        // The only feature is its own source: each path longer by one edge adds 1.
        let rows = BTreeMap::from([(0, row(&[1.0]))]);
        let found = partial_influence(&[logit], &[row(&[1.0])], &rows, 1);
        assert_eq!(found, [MAX_PATH as f64]);
    }
}
