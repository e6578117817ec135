//! A reading of a graph, put to the test: these features make this logit. They are ablated together in
//! the model itself, and so are as many random other ones.
//! Source: Ameisen et al. 2025, perturbation of supernodes; the criterion is our own.

use super::super::graph::AttributionGraph;
use super::super::node::GraphNodeKind;
use super::intervene::InterventionMode;
use crate::error::{Error, Result};
use crate::show::{Interrupts, MimeBundle, Show, shows_itself};
use rand::SeedableRng;
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;
use std::fmt;

/// Sets of random other features.
const N_RANDOM: usize = 40;
const SEED: u64 = 42_069;

/// What happens to the most probable logit when the features of a reading are gone.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadingCheck {
    /// Indices of the features' nodes.
    pub features: Vec<usize>,
    /// Their names.
    pub feature_names: Vec<String>,
    /// Name of the logit.
    pub logit_name: String,
    /// The change of the logit that the graph predicts, by all paths.
    pub predicted: f64,
    /// The change in the model itself, nothing frozen.
    pub measured: f64,
    /// Changes in the model itself without as many random other features; empty where the graph has
    /// not that many.
    pub random: Vec<f64>,
}

impl AttributionGraph {
    /// The `n` features of the largest influence, the largest first; fewer where there are fewer.
    pub fn top_features(&self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.n_features()).collect();
        let influence = |i: usize| self.nodes[i].influence.unwrap_or(0.0);
        order.sort_by(|&a, &b| influence(b).total_cmp(&influence(a)));
        order.truncate(n);
        order
    }

    /// Ablates `features` (indices of nodes) together in the model itself
    /// ([`InterventionMode::Real`]), and 40 times as many random other features of the graph, always the
    /// same, and says what each does to the graph's first logit.
    ///
    /// # Errors
    /// No feature, a node that is no feature or is there twice; [`Error::Interrupted`].
    pub fn check_reading(&self, features: &[usize]) -> Result<ReadingCheck> {
        let [predicted, measured] = self.change_of_first_logit(features)?;
        let others: Vec<usize> = (0..self.n_features())
            .filter(|i| !features.contains(i))
            .collect();
        let mut random = Vec::new();
        let mut rng = ChaCha8Rng::seed_from_u64(SEED);
        let interrupts = Interrupts::listen();
        if others.len() >= features.len() {
            for _ in 0..N_RANDOM {
                interrupts.check("the check of a reading")?;
                let drawn = sample(&mut rng, others.len(), features.len());
                let drawn: Vec<usize> = drawn.iter().map(|i| others[i]).collect();
                random.push(self.change_of_first_logit(&drawn)?[1]);
            }
        }
        Ok(ReadingCheck {
            features: features.to_vec(),
            feature_names: features.iter().map(|&i| self.nodes[i].name()).collect(),
            logit_name: self.nodes[self.matrix.n_sources].name(),
            predicted,
            measured,
            random,
        })
    }

    /// The predicted and the measured change of the first logit without these features.
    fn change_of_first_logit(&self, features: &[usize]) -> Result<[f64; 2]> {
        let changes: Vec<(usize, f64)> = features.iter().map(|&i| (i, 0.0)).collect();
        let found = self.intervene(&changes, InterventionMode::Real)?;
        let first = self.matrix.n_sources;
        let effect = found.effects.iter().find(|effect| effect.node == first);
        let effect = effect.ok_or_else(|| Error::NotFound {
            kind: "logit among the effects",
            name: format!("node {first}"),
            known: self
                .nodes
                .iter()
                .filter(|node| matches!(node.kind, GraphNodeKind::Logit { .. }))
                .map(|node| node.name())
                .collect(),
        })?;
        Ok([effect.predicted, effect.measured])
    }
}

impl ReadingCheck {
    /// Whether the reading holds in the model itself: the logit changes in the direction that the graph
    /// predicts, by half to twice as much, and by more than without 95 % of the random sets.
    pub fn survives(&self) -> bool {
        let ratio = self.measured / self.predicted;
        (0.5..=2.0).contains(&ratio) && self.share_of_random_below() >= 0.95
    }

    /// `survives` or `does not survive`.
    pub fn verdict(&self) -> &'static str {
        match self.survives() {
            true => "survives",
            false => "does not survive",
        }
    }

    /// Share of the random sets that change the logit by less, whatever the direction; NaN where there
    /// are none.
    pub fn share_of_random_below(&self) -> f64 {
        let below = |x: &&f64| x.abs() < self.measured.abs();
        let n = self.random.iter().filter(below).count();
        n as f64 / self.random.len() as f64
    }
}

impl fmt::Display for ReadingCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = self.verdict();
        write!(
            f,
            "the reading {verdict}: without {} {} changes by {:.3} (predicted {:.3}); {:.0} % of {} random sets of as \
             many other features change it by less",
            self.feature_names.join(", "),
            self.logit_name,
            self.measured,
            self.predicted,
            100.0 * self.share_of_random_below(),
            self.random.len()
        )
    }
}

shows_itself!(ReadingCheck);

impl Show for ReadingCheck {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        Ok(MimeBundle::plain(self.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::*;
    use super::super::super::{AttributionConfig, attribution_graph};
    use super::*;

    fn check(predicted: f64, measured: f64, random: &[f64]) -> ReadingCheck {
        ReadingCheck {
            features: vec![0],
            feature_names: vec!["L0 #1 @2".to_owned()],
            logit_name: "logit x".to_owned(),
            predicted,
            measured,
            random: random.to_vec(),
        }
    }

    #[test]
    fn a_reading_survives_if_direction_size_and_control_are_right() {
        let small = [0.1, -0.2, 0.3];
        assert!(check(-1.0, -0.6, &small).survives());
        assert!(!check(-1.0, 0.6, &small).survives()); // the other direction
        assert!(!check(-1.0, -0.4, &small).survives()); // too small
        assert!(!check(-1.0, -2.1, &small).survives()); // too large
        assert!(!check(-1.0, -0.6, &[0.1, -0.7, 0.3]).survives()); // one of three random sets does more
        assert!(!check(-1.0, -0.6, &[]).survives()); // nothing to compare with
        assert!(!check(0.0, 0.0, &small).survives());
        assert!(
            check(-1.0, -0.6, &small)
                .to_string()
                .contains("survives: without L0 #1 @2")
        );
    }

    #[test]
    fn changes_are_those_of_an_intervention() {
        let model = random_model(&small_config(2));
        let config = AttributionConfig::default();
        let transcoders = random_transcoders(2);
        let graph = attribution_graph(&model, &transcoders, &sequence(&IDS), &config).unwrap();
        let top = graph.top_features(3);
        let influence = |i: usize| graph.nodes[i].influence.unwrap();
        assert!(
            (0..graph.n_features()).all(|i| top.contains(&i) || influence(i) <= influence(top[2]))
        );
        let found = graph.check_reading(&top).unwrap();
        let changes: Vec<(usize, f64)> = top.iter().map(|&i| (i, 0.0)).collect();
        let effects = graph.intervene(&changes, InterventionMode::Real).unwrap();
        let logit = effects
            .effects
            .iter()
            .find(|e| matches!(graph.nodes[e.node].kind, GraphNodeKind::Logit { .. }))
            .unwrap();
        assert_eq!(
            (found.predicted, found.measured),
            (logit.predicted, logit.measured)
        );
        assert_eq!(found.random.len(), N_RANDOM);
        assert_eq!(found, graph.check_reading(&top).unwrap());
        assert!(graph.check_reading(&[]).is_err());
        assert!(graph.check_reading(&[graph.nodes.len() - 1]).is_err());
        assert!(graph.check_reading(&[0, 0]).is_err());
    }
}
