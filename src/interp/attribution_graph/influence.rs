//! Influence, pruning and scores, on the matrix of edges alone.
//! `N = |A| / row sums`, `B = w (N + N^2 + ..)`, `w` the logits' probabilities.
//! Source: circuit-tracer 0.5, `graph.py` (`compute_influence`, `prune_graph`, `compute_graph_scores`).

/// Row sums are at least this, so that a target without edges has a row of zeros.
const LEAST_ROW_SUM: f64 = 1e-10;
/// Longer paths than this many edges do not occur in a graph without cycles of that many layers.
pub(super) const MAX_PATH: usize = 1_000;

/// Edges: a row a target (features, then logits), a column a source (features, errors, tokens,
/// positions). Features are the same in both.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct EdgeMatrix {
    pub(super) n_features: usize,
    pub(super) n_sources: usize,
    pub(super) n_logits: usize,
    /// Row after row.
    pub(super) values: Vec<f64>,
}

/// How much of the logits the graph explains.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GraphScores {
    /// `I_embed / (I_embed + I_error)`: the share of influence that ends at embeddings (of tokens and
    /// positions), rather than at errors.
    pub replacement_score: f64,
    /// The mean share of a node's incoming edges that do not come from errors, nodes weighted by
    /// their influence.
    pub completeness: f64,
}

/// What pruning keeps, and why.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pruning {
    /// Of each node, in the order sources, logits.
    pub(super) nodes: Vec<bool>,
    /// Of each entry of the matrix.
    pub(super) edges: Vec<bool>,
}

impl EdgeMatrix {
    pub(super) fn n_targets(&self) -> usize {
        self.n_features + self.n_logits
    }

    pub(super) fn n_nodes(&self) -> usize {
        self.n_sources + self.n_logits
    }

    /// What the sources add to the `row`-th target.
    pub(super) fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.n_sources..][..self.n_sources]
    }

    /// The node of a row.
    pub(super) fn node_of(&self, row: usize) -> usize {
        match row < self.n_features {
            true => row,
            false => self.n_sources + row - self.n_features,
        }
    }

    /// The row of a node; sources that are no features have none.
    pub(super) fn row_of(&self, node: usize) -> Option<usize> {
        if node < self.n_features {
            return Some(node);
        }
        (self.n_sources..self.n_nodes())
            .contains(&node)
            .then(|| node - self.n_sources + self.n_features)
    }

    /// Absolute values, each row divided by its sum.
    fn normalized(&self) -> EdgeMatrix {
        let mut values = self.values.clone();
        for row in values.chunks_exact_mut(self.n_sources.max(1)) {
            normalize(row);
        }
        EdgeMatrix { values, ..*self }
    }

    /// Of a normalised matrix: the influence of each source on the logits of these weights.
    fn influence(&self, weights: &[f64]) -> Vec<f64> {
        let mut total = vec![0.0; self.n_sources];
        // What reaches each target; at first the logits only.
        let mut reach = vec![0.0; self.n_targets()];
        reach[self.n_features..].copy_from_slice(weights);
        for _ in 0..MAX_PATH {
            let mut next = vec![0.0; self.n_sources];
            for (row, &weight) in reach.iter().enumerate().filter(|(_, w)| **w != 0.0) {
                for (sum, edge) in next.iter_mut().zip(self.row(row)) {
                    *sum += weight * edge;
                }
            }
            if next.iter().all(|&x| x == 0.0) {
                break;
            }
            for (sum, x) in total.iter_mut().zip(&next) {
                *sum += x;
            }
            reach[..self.n_features].copy_from_slice(&next[..self.n_features]);
            reach[self.n_features..].fill(0.0);
        }
        total
    }

    /// The influence of each source on the logits of these weights.
    pub(super) fn node_influence(&self, weights: &[f64]) -> Vec<f64> {
        self.normalized().influence(weights)
    }

    /// Both scores; errors are the columns `errors`.
    pub(super) fn scores(&self, weights: &[f64], errors: std::ops::Range<usize>) -> GraphScores {
        let normalized = self.normalized();
        let influence = normalized.influence(weights);
        let of_errors: f64 = influence[errors.clone()].iter().sum();
        let of_embeddings: f64 = influence[errors.end..].iter().sum();
        // Sources without incoming edges count as explained, as in circuit-tracer.
        let (mut explained, mut all) = (of_errors + of_embeddings, of_errors + of_embeddings);
        for row in 0..self.n_targets() {
            let own = match row < self.n_features {
                true => influence[row],
                false => weights[row - self.n_features],
            };
            let from_errors: f64 = normalized.row(row)[errors.clone()].iter().sum();
            explained += (1.0 - from_errors) * own;
            all += own;
        }
        GraphScores {
            replacement_score: of_embeddings / (of_embeddings + of_errors),
            completeness: explained / all,
        }
    }

    /// What is left of the graph: nodes by influence, then edges by theirs, then nothing that leads
    /// nowhere. Tokens (the columns `tokens`) and logits stay.
    pub(super) fn prune(
        &self,
        weights: &[f64],
        tokens: std::ops::Range<usize>,
        [node_threshold, edge_threshold]: [f64; 2],
    ) -> Pruning {
        let influence = self.node_influence(weights);
        let least = threshold(&influence, node_threshold);
        let mut nodes: Vec<bool> = influence.iter().map(|&x| x >= least).collect();
        nodes[tokens.clone()].fill(true);
        nodes.resize(self.n_nodes(), true);
        let kept = self.masked(&nodes).normalized();
        let mut reach = kept.influence(weights);
        reach.truncate(self.n_features);
        reach.extend(weights);
        let scores: Vec<f64> = (0..self.n_targets())
            .flat_map(|row| kept.row(row).iter().map(move |edge| (row, edge)))
            .map(|(row, edge)| edge * reach[row])
            .collect();
        let least = threshold(&scores, edge_threshold);
        let edges = scores.iter().map(|&x| x >= least && x > 0.0).collect();
        let mut pruning = Pruning { nodes, edges };
        while self.remove_dead_ends(&mut pruning, &tokens) {}
        pruning
    }

    /// The matrix with zeros where a node is left out.
    fn masked(&self, nodes: &[bool]) -> EdgeMatrix {
        let mut values = self.values.clone();
        for (row, edges) in values.chunks_exact_mut(self.n_sources.max(1)).enumerate() {
            let target = nodes[self.node_of(row)];
            for (edge, source) in edges.iter_mut().zip(nodes) {
                if !(target && *source) {
                    *edge = 0.0;
                }
            }
        }
        EdgeMatrix { values, ..*self }
    }

    /// Removes features without incoming edges, and sources but tokens without outgoing ones; whether
    /// there were any.
    fn remove_dead_ends(&self, pruning: &mut Pruning, tokens: &std::ops::Range<usize>) -> bool {
        let (mut into, mut out_of) = (vec![false; self.n_nodes()], vec![false; self.n_nodes()]);
        for row in 0..self.n_targets() {
            let target = self.node_of(row);
            let edges = &mut pruning.edges[row * self.n_sources..][..self.n_sources];
            for (source, edge) in edges.iter_mut().enumerate() {
                *edge = *edge && pruning.nodes[target] && pruning.nodes[source];
                into[target] |= *edge;
                out_of[source] |= *edge;
            }
        }
        let mut removed = false;
        for node in (0..self.n_sources).filter(|node| !tokens.contains(node)) {
            let leads = out_of[node] && (node >= self.n_features || into[node]);
            removed |= pruning.nodes[node] && !leads;
            pruning.nodes[node] &= leads;
        }
        removed
    }
}

/// Absolute values that sum to 1, or zeros.
pub(super) fn normalize(row: &mut [f64]) {
    let sum: f64 = row.iter().map(|x| x.abs()).sum();
    for x in row {
        *x = x.abs() / sum.max(LEAST_ROW_SUM);
    }
}

/// The smallest of the largest scores that hold `share` of the sum together; 0 where the sum is 0.
fn threshold(scores: &[f64], share: f64) -> f64 {
    let mut sorted: Vec<f64> = scores.iter().copied().filter(|&x| x > 0.0).collect();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let sum: f64 = sorted.iter().sum();
    let mut so_far = 0.0;
    for &score in &sorted {
        so_far += score;
        if so_far / sum >= share {
            return score;
        }
    }
    0.0
}

/// Of each node the share of the influence that it and all more influential ones hold together.
pub(super) fn cumulative(influence: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..influence.len()).collect();
    order.sort_by(|&a, &b| influence[b].total_cmp(&influence[a]));
    let sum: f64 = influence.iter().sum();
    let (mut shares, mut so_far) = (vec![0.0; influence.len()], 0.0);
    for node in order {
        so_far += influence[node];
        shares[node] = if sum > 0.0 { so_far / sum } else { 1.0 };
    }
    shares
}
