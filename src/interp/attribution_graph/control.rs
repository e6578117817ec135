//! The same graph of a model that has learned nothing: what a graph looks like by itself.
//! Same shape, fresh parameters; its transcoders are trained on it as those of the model were.
//! Source: Heap et al. 2025, arXiv:2501.17727, on autoencoders of random transformers.

use super::attribution::attribution_graph;
use super::config::AttributionConfig;
use super::graph::AttributionGraph;
use super::intervention::{EffectCorrelation, InterventionCheck};
use crate::config::TransformerConfig;
use crate::error::Result;
use crate::interp::measurements::MlpReplacement;
use crate::model::Transformer;
use crate::show::{MimeBundle, Show, Table, shows_itself};
use candle_core::Tensor;
use polars::prelude::{DataFrame, df};
use std::fmt;

/// The graph of the prompt `tokens` `[1, pos]` in a model of the shape of `model` whose parameters are
/// fresh, drawn from `seed`; `train` makes its transcoders (a list, or one cross-layer transcoder), which should be trained as those of
/// `model` were: transcoders of another model would explain nothing, of whatever model.
///
/// # Errors
/// Those of `train` and of [`attribution_graph`].
pub fn control_graph<R>(
    model: &Transformer,
    tokens: &Tensor,
    config: &AttributionConfig,
    seed: u64,
    train: impl FnOnce(&Transformer) -> Result<R>,
) -> Result<AttributionGraph>
where
    for<'r> &'r R: Into<MlpReplacement>,
{
    let control = Transformer::new(&TransformerConfig {
        seed,
        ..model.cfg().clone()
    })?
    .without_gradients();
    let transcoders = train(&control)?;
    attribution_graph(&control, &transcoders, tokens, config)
}

/// A graph, its control, and the checks of both.
#[derive(Debug, Clone)]
pub struct GraphWithControl {
    /// The graph of the model.
    pub graph: AttributionGraph,
    /// The graph of the model that has learned nothing.
    pub control: AttributionGraph,
    /// Ablations in both models, where they have features.
    pub checks: [Option<InterventionCheck>; 2],
}

impl AttributionGraph {
    /// This graph and its control side by side, with the checks of the `n` most influential features of
    /// each.
    ///
    /// # Errors
    /// Those of [`AttributionGraph::check_interventions`].
    pub fn beside(&self, control: &AttributionGraph, n: usize) -> Result<GraphWithControl> {
        let check = |graph: &AttributionGraph| match graph.n_features() {
            0 => Ok(None),
            _ => graph.check_interventions(n).map(Some),
        };
        Ok(GraphWithControl {
            checks: [check(self)?, check(control)?],
            graph: self.clone(),
            control: control.clone(),
        })
    }
}

impl GraphWithControl {
    /// Two rows, the model's and the control's: `model`, `features`, `pruned_nodes`, `pruned_edges`,
    /// `replacement_score`, `completeness`, `top_probability`, and of the correlations of predicted
    /// and measured ablations `logits_r`, `logits_low`, `logits_high`, `features_r`, `features_low`,
    /// `features_high`.
    ///
    /// # Errors
    /// [`crate::Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        let graphs = [&self.graph, &self.control];
        let pruned = [self.graph.pruned()?, self.control.pruned()?];
        let top = |graph: &AttributionGraph| {
            let probabilities = graph.nodes.iter().filter_map(|node| node.probability);
            probabilities.fold(0.0, f64::max)
        };
        let found = |of: fn(&InterventionCheck) -> Option<EffectCorrelation>| {
            let checks = self.checks.iter();
            checks
                .map(|check| check.as_ref().and_then(of))
                .collect::<Vec<_>>()
        };
        let part = |found: &[Option<EffectCorrelation>], of: fn(&EffectCorrelation) -> f64| {
            let values = found.iter().map(|found| found.as_ref().map(of));
            values.collect::<Vec<Option<f64>>>()
        };
        let (logits, features) = (found(|c| c.logits), found(|c| c.features));
        let count = |n: [usize; 2]| n.map(|n| n as u32).to_vec();
        Ok(df![
            "model" => ["as given", "random control"],
            "features" => count(graphs.map(AttributionGraph::n_features)),
            "pruned_nodes" => count([pruned[0].nodes.len(), pruned[1].nodes.len()]),
            "pruned_edges" => count([pruned[0].edges.len(), pruned[1].edges.len()]),
            "replacement_score" => graphs.map(|g| g.scores.replacement_score).to_vec(),
            "completeness" => graphs.map(|g| g.scores.completeness).to_vec(),
            "top_probability" => graphs.map(top).to_vec(),
            "logits_r" => part(&logits, |c| c.value),
            "logits_low" => part(&logits, |c| c.low),
            "logits_high" => part(&logits, |c| c.high),
            "features_r" => part(&features, |c| c.value),
            "features_low" => part(&features, |c| c.low),
            "features_high" => part(&features, |c| c.high),
        ]?)
    }
}

impl fmt::Display for GraphWithControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, graph, check) in [
            ("as given", &self.graph, &self.checks[0]),
            ("random control", &self.control, &self.checks[1]),
        ] {
            writeln!(f, "{name}: {graph}")?;
            if let Some(check) = check {
                writeln!(f, "{check}")?;
            }
        }
        Ok(())
    }
}

shows_itself!(GraphWithControl);

impl Show for GraphWithControl {
    /// The frame and both pictures.
    fn mime_bundle(&self) -> Result<MimeBundle> {
        let table = Table::new(self.frame()?).mime_bundle()?;
        let model = self.graph.pruned()?.titled_figure("The model as given")?;
        let control = self.control.pruned()?.titled_figure("Random control")?;
        let table = table.get("text/html").unwrap_or_default();
        let html = format!("{table}<div>{}</div><div>{}</div>", model.svg, control.svg);
        Ok(MimeBundle::html(html, self.to_string()))
    }
}
