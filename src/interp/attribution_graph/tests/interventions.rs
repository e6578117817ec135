//! Interventions in the frozen model are exactly what the edges predict.

use super::super::testing::*;
use super::super::*;
use crate::sae::TranscoderActivation;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

fn graph(n_layers: usize) -> AttributionGraph {
    let mut transcoders = random_transcoders(n_layers);
    transcoders[1] = random_transcoder(1, jump_relu());
    let rng = &mut ChaCha8Rng::seed_from_u64(5);
    transcoders[2] = random_transcoder(2, TranscoderActivation::TopK { k: 5 })
        .with_skip(normal(&[8, 8], 0.3, rng))
        .unwrap();
    let model = random_model(&small_config(n_layers));
    let config = AttributionConfig::default();
    attribution_graph(&model, &transcoders, &sequence(&IDS), &config).unwrap()
}

/// The largest prediction, and the largest difference of a prediction and what was measured.
fn largest(found: &InterventionEffects) -> (f64, f64) {
    let mut largest = (0f64, 0f64);
    for effect in &found.effects {
        largest.0 = largest.0.max(effect.predicted.abs());
        largest.1 = largest.1.max((effect.predicted - effect.measured).abs());
    }
    largest
}

#[test]
fn predictions_are_exact_while_all_is_linear() {
    let graph = graph(4);
    let first = |layer| {
        let of_layer = |n: &GraphNode| n.kind.layer() == Some(layer);
        graph.nodes.iter().position(of_layer).unwrap()
    };
    // At the last position, the only one whose last block reaches the logits.
    let last = graph.n_features() - 1;
    let changes: [&[(usize, f64)]; 4] = [
        &[(first(0), 0.0)],
        &[(first(1), 2.5)],
        &[(first(0), -1.0), (first(0) + 1, 0.5), (first(2), 0.0)],
        &[(last, 0.0)],
    ];
    for mode in [InterventionMode::Held, InterventionMode::Linear] {
        for changes in changes {
            let found = graph.intervene(changes, mode).unwrap();
            let (size, gap) = largest(&found);
            assert!(
                size > 1e-2 && gap < 1e-4 * (1.0 + size),
                "{mode:?} {size} {gap}"
            );
            // Logits alone are behind the last block.
            let last_only = changes == [(last, 0.0)];
            let n_features = found
                .effects
                .iter()
                .filter(|e| e.node < graph.n_features())
                .count();
            assert_eq!(n_features == 0, last_only);
        }
    }
}

#[test]
fn paths_of_several_edges_count_only_where_features_respond() {
    let graph = graph(3);
    let held = graph
        .intervene(&[(0, 0.0)], InterventionMode::Held)
        .unwrap();
    let linear = graph
        .intervene(&[(0, 0.0)], InterventionMode::Linear)
        .unwrap();
    let logit = graph.nodes.len() - 1;
    let of = |found: &InterventionEffects| {
        let effect = found.effects.iter().find(|e| e.node == logit).unwrap();
        (effect.predicted, effect.measured)
    };
    assert!((of(&held).0 - of(&linear).0).abs() > 1e-3);
    assert!((of(&held).1 - of(&linear).1).abs() > 1e-3);
    // The direct effect of an ablation is the edge, taken away.
    let edge = graph
        .outgoing(0)
        .unwrap()
        .into_iter()
        .find(|e| e.target == logit)
        .unwrap();
    assert!((of(&held).0 + edge.weight).abs() < 1e-12);
}

#[test]
fn in_the_model_itself_a_factor_of_one_changes_nothing_and_others_do() {
    let graph = graph(3);
    let same = graph
        .intervene(&[(0, 1.0)], InterventionMode::Real)
        .unwrap();
    assert!(
        same.effects
            .iter()
            .all(|e| e.predicted == 0.0 && e.measured.abs() < 1e-6)
    );
    let ablated = graph
        .intervene(&[(0, 0.0)], InterventionMode::Real)
        .unwrap();
    let (size, gap) = largest(&ablated);
    // The model is not linear: a prediction that were exact here would not have come from a pass.
    assert!(size > 1e-2 && gap > 1e-3, "{size} {gap}");
    assert_eq!(ablated.frame().unwrap().height(), ablated.effects.len());
}

#[test]
fn small_changes_in_the_model_itself_are_those_of_its_own_derivative() {
    // Ablating 1 % and adding 1 % move the logits by opposite amounts, up to second order.
    let graph = graph(3);
    let change = |factor: f64| {
        let found = graph
            .intervene(&[(0, factor)], InterventionMode::Real)
            .unwrap();
        found
            .effects
            .iter()
            .map(|e| e.measured)
            .collect::<Vec<f64>>()
    };
    let (ups, downs) = (change(1.01), change(0.99));
    for (up, down) in ups.iter().zip(&downs) {
        assert!((up + down).abs() < 0.05 * up.abs() + 1e-5, "{up} {down}");
    }
    // Far more than the tolerance.
    let largest = ups.iter().fold(0f64, |largest, up| largest.max(up.abs()));
    assert!(largest > 5e-4, "{largest}");
}

#[test]
fn what_cannot_be_changed_is_refused() {
    let graph = graph(3);
    let n = graph.n_features();
    let message = |changes: &[(usize, f64)]| {
        let found = graph.intervene(changes, InterventionMode::Held);
        found.unwrap_err().to_string()
    };
    assert!(message(&[]).contains("at least one"));
    assert!(message(&[(n, 0.0)]).contains("must be a feature"));
    assert!(message(&[(99_999, 0.0)]).contains("must be a feature"));
    assert!(message(&[(0, f64::NAN)]).contains("finite"));
    assert!(message(&[(0, 0.0), (0, 1.0)]).contains("twice"));
    assert!(graph.check_interventions(0).is_err());
}

#[test]
fn a_check_compares_each_ablation_with_the_model() {
    use crate::show::Show;
    let graph = graph(3);
    let check = graph.check_interventions(6).unwrap();
    assert_eq!(check.n_interventions, 6);
    let sources: std::collections::BTreeSet<usize> =
        check.effects.iter().map(|e| e.source).collect();
    assert_eq!(sources.len(), 6);
    let first = &check.effects[0];
    let again = graph
        .intervene(&[(first.source, 0.0)], InterventionMode::Real)
        .unwrap();
    let same = again
        .effects
        .iter()
        .find(|e| e.node == first.target)
        .unwrap();
    assert_eq!(
        (first.predicted, first.measured),
        (same.predicted, same.measured)
    );
    let logits = check.logits.unwrap();
    assert!(-1.0 <= logits.low && logits.low <= logits.value && logits.value <= logits.high);
    assert_eq!(check, graph.check_interventions(6).unwrap());
    assert_eq!(check.frame().unwrap().height(), check.effects.len());
    assert!(check.mime_bundle().unwrap().get("image/svg+xml").is_some());
}
