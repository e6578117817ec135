//! Influence, scores and pruning, against circuit-tracer's definitions worked out by hand.

use super::super::influence::{EdgeMatrix, cumulative};
use super::super::testing::*;
use super::super::*;
use proptest::prelude::*;

/// Two features, an error, a token, a position; one logit. Feature 1 reads feature 0.
///
/// Rows normalised: f0 = [0, 0, .25, .75, 0], f1 = [.5, 0, .25, 0, .25], logit = [.1, .6, .2, 0, .1].
fn small() -> EdgeMatrix {
    EdgeMatrix {
        n_features: 2,
        n_sources: 5,
        n_logits: 1,
        values: vec![
            0.0, 0.0, -1.0, 3.0, 0.0, // f0
            2.0, 0.0, 1.0, 0.0, -1.0, // f1
            -0.5, 3.0, 1.0, 0.0, 0.5, // logit
        ],
    }
}

#[test]
fn influence_and_scores_are_those_of_the_series() {
    // w = .5. One edge: [.05, .3, .1, 0, .05]. Through f1 (.3): [.15, 0, .075, 0, .075].
    // Through f0 (.05 + .15 = .2): [0, 0, .05, .15, 0].
    let expected = [0.2, 0.3, 0.225, 0.15, 0.125];
    let influence = small().node_influence(&[0.5]);
    for (found, expected) in influence.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-12, "{influence:?}");
    }
    let scores = small().scores(&[0.5], 2..3);
    // Embeddings .15 + .125 of .5 in all.
    assert!((scores.replacement_score - 0.55).abs() < 1e-12);
    // Weights: f0 .2, f1 .3, error .225, token .15, position .125, logit .5: 1.5 together. Of f0 and
    // f1 a quarter comes from the error, of the logit a fifth.
    let unexplained = 0.2 * 0.25 + 0.3 * 0.25 + 0.5 * 0.2;
    assert!((scores.completeness - (1.5 - unexplained) / 1.5).abs() < 1e-12);
    let shares = cumulative(&influence);
    assert!((shares[1] - 0.3).abs() < 1e-12 && (shares[4] - 1.0).abs() < 1e-12);
    assert!((shares[0] - 0.725).abs() < 1e-12);
}

#[test]
fn pruning_keeps_what_holds_the_share_and_drops_what_leads_nowhere() {
    // Sorted: f1 .3, error .225, f0 .2, token .15, position .125. A share of .5 of 1.0 is reached
    // with the error; the token stays, f0 and the position go.
    let pruned = small().prune(&[0.5], 3..4, [0.5, 1.0]);
    assert_eq!(pruned.nodes, [false, true, true, true, false, true]);
    // Left: f1 <- error, logit <- f1, logit <- error.
    let edges: Vec<usize> = (0..15).filter(|&i| pruned.edges[i]).collect();
    assert_eq!(edges, [5 + 2, 10 + 1, 10 + 2]);
    // Edge scores: logit row [_, .75, .25] x .5 = .375, .125; f1 row [1] x .375 = .375. A share of
    // .4 of .875 = .35 is held by the two largest, which are equal.
    let pruned = small().prune(&[0.5], 3..4, [0.5, 0.4]);
    let edges: Vec<usize> = (0..15).filter(|&i| pruned.edges[i]).collect();
    assert_eq!(edges, [5 + 2, 10 + 1]);
    // Nothing is left out at a share of 1.
    let whole = small().prune(&[0.5], 3..4, [1.0, 1.0]);
    assert!(whole.nodes.iter().all(|&kept| kept));
    assert_eq!(whole.edges.iter().filter(|&&kept| kept).count(), 9);
}

#[test]
fn a_graph_without_edges_has_no_influence_and_is_not_nan_where_it_can_be() {
    let empty = EdgeMatrix {
        values: vec![0.0; 15],
        ..small()
    };
    assert_eq!(empty.node_influence(&[1.0]), [0.0; 5]);
    assert_eq!(cumulative(&[0.0; 5]), [1.0; 5]);
    let pruned = empty.prune(&[1.0], 3..4, [0.8, 0.98]);
    assert_eq!(pruned.nodes, [false, false, false, true, false, true]);
    assert!(pruned.edges.iter().all(|&kept| !kept));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// On graphs of random models: every node left leads from somewhere to a logit, tokens and logits
    /// stay, and weights are those of the whole graph.
    #[test]
    fn what_is_left_is_connected(node in 0.05f64..1.0, edge in 0.05f64..1.0) {
        let model = random_model(&small_config(2));
        let config = AttributionConfig::default();
        let graph = attribution_graph(&model, &random_transcoders(2), &sequence(&IDS), &config).unwrap();
        let pruned = graph.prune(node, edge).unwrap();
        let count = |name: &str| pruned.nodes.iter().filter(|n| n.kind.name() == name).count();
        prop_assert_eq!(count("token"), IDS.len());
        prop_assert_eq!(count("logit"), graph.nodes.iter().filter(|n| n.probability.is_some()).count());
        for (i, node) in pruned.nodes.iter().enumerate() {
            let into = pruned.edges.iter().any(|e| e.target == i);
            let out_of = pruned.edges.iter().any(|e| e.source == i);
            match node.kind {
                GraphNodeKind::Feature { .. } => prop_assert!(into && out_of),
                GraphNodeKind::Error { .. } | GraphNodeKind::Position => prop_assert!(out_of && !into),
                _ => {}
            }
        }
        let place = |i: usize| (pruned.nodes[i].kind, pruned.nodes[i].position);
        for edge in pruned.edges.iter().step_by(11) {
            let [source, target] = [edge.source, edge.target].map(|i| {
                let (kind, position) = place(i);
                graph.find(kind, position).unwrap()
            });
            let whole = graph.incoming(target).unwrap();
            let same = whole.iter().find(|e| e.source == source).unwrap();
            prop_assert_eq!(same.weight, edge.weight);
        }
        prop_assert_eq!(pruned.frame().unwrap().height(), pruned.nodes.len());
        prop_assert_eq!(pruned.edge_frame().unwrap().height(), pruned.edges.len());
    }
}

#[test]
fn scores_of_a_graph_without_errors_are_one() {
    // An attention-only model has no MLP to be wrong about.
    let cfg = crate::config::TransformerConfig {
        attn_only: true,
        ..small_config(2)
    };
    let model = random_model(&cfg);
    let graph =
        attribution_graph(&model, &[], &sequence(&IDS), &AttributionConfig::default()).unwrap();
    assert_eq!(graph.scores.replacement_score, 1.0);
    assert!((graph.scores.completeness - 1.0).abs() < 1e-12);
    // Without transcoders, all that MLPs write is error.
    let model = random_model(&small_config(2));
    let none =
        attribution_graph(&model, &[], &sequence(&IDS), &AttributionConfig::default()).unwrap();
    assert!(none.scores.replacement_score < 1.0);
    assert_eq!(
        none.frame().unwrap().height(),
        5 * 4
            + none
                .nodes
                .iter()
                .filter(|n| n.probability.is_some())
                .count()
    );
    assert_eq!(none.edge_frame().unwrap().height(), none.edges().len());
}
