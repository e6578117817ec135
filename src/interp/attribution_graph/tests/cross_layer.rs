//! Cross-layer transcoders: one node a feature, whatever it writes to.

use super::super::testing::*;
use super::super::*;
use crate::model::{Hook, HookName};
use crate::sae::{CrossLayerTranscoder, Transcoder, TranscoderActivation};
use candle_core::{IndexOp, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The transcoders of [`random_transcoders`], with what their features write to later blocks, of deviation `later`.
fn cross_layer(n_layers: usize, later: f32) -> (Vec<Transcoder>, CrossLayerTranscoder) {
    let mut transcoders = random_transcoders(n_layers);
    if let Some(second) = transcoders.get_mut(1) {
        *second = random_transcoder(1, jump_relu());
    }
    let rng = &mut ChaCha8Rng::seed_from_u64(21);
    let w_dec = transcoders.iter().enumerate().map(|(layer, of_layer)| {
        let own = of_layer.w_dec.unsqueeze(1).unwrap();
        let mut all = vec![own];
        for _ in layer + 1..n_layers {
            all.push(normal(&[24, 1, 8], later, rng));
        }
        Tensor::cat(&all, 1).unwrap()
    });
    let w_dec = w_dec.collect();
    let of = |part: fn(&Transcoder) -> Tensor| transcoders.iter().map(part).collect::<Vec<_>>();
    let activations = transcoders.iter().map(|t| t.activation.clone()).collect();
    let of_all = CrossLayerTranscoder::new(
        of(|t| t.w_enc.clone()),
        of(|t| t.b_enc.clone()),
        w_dec,
        of(|t| t.b_dec.clone()),
        activations,
    );
    (transcoders, of_all.unwrap())
}

fn graph(n_layers: usize, config: &AttributionConfig) -> AttributionGraph {
    let model = random_model(&small_config(n_layers));
    let (_, of_all) = cross_layer(n_layers, 0.3);
    attribution_graph(&model, &of_all, &sequence(&IDS), config).unwrap()
}

/// The largest difference of a node's value and the sum of its edges and biases.
fn largest_gap(graph: &AttributionGraph) -> f64 {
    let targets = (0..graph.nodes.len()).filter(|&i| graph.nodes[i].value.is_some());
    let gap = |i: usize| {
        let sum: f64 = graph.incoming(i).unwrap().iter().map(|e| e.weight).sum();
        (sum + graph.nodes[i].bias.unwrap() - graph.nodes[i].value.unwrap()).abs()
    };
    targets.map(gap).fold(0.0, f64::max)
}

#[test]
fn without_decoders_to_later_blocks_the_graph_is_that_of_the_transcoders() {
    let model = random_model(&small_config(3));
    let (transcoders, of_all) = cross_layer(3, 0.0);
    let (tokens, config) = (sequence(&IDS), AttributionConfig::default());
    let one = attribution_graph(&model, &transcoders, &tokens, &config).unwrap();
    let other = attribution_graph(&model, &of_all, &tokens, &config).unwrap();
    assert_eq!(one.nodes.len(), other.nodes.len());
    assert!(one.n_features() > 20);
    for i in 0..one.nodes.len() {
        assert_eq!(one.nodes[i].kind, other.nodes[i].kind);
        let (a, b) = (one.incoming(i).unwrap(), other.incoming(i).unwrap());
        let weight = |edges: &[GraphEdge], source| {
            let edge = edges.iter().find(|edge| edge.source == source);
            edge.map_or(0.0, |edge| edge.weight)
        };
        for edge in &a {
            assert!((edge.weight - weight(&b, edge.source)).abs() < 1e-9);
        }
    }
}

#[test]
fn edges_and_biases_sum_to_every_value_also_where_few_features_are_nodes() {
    let whole = graph(3, &AttributionConfig::default());
    assert!(whole.n_features() > 30, "{}", whole.n_features());
    assert!(largest_gap(&whole) < 1e-4, "{}", largest_gap(&whole));
    let few = AttributionConfig {
        max_features: 7,
        ..AttributionConfig::default()
    };
    let few = graph(3, &few);
    assert_eq!(few.n_features(), 7);
    assert!(largest_gap(&few) < 1e-4, "{}", largest_gap(&few));
    // A feature that is a node in both has the same edges to the logits.
    let logit = |graph: &AttributionGraph| graph.nodes.len() - 1;
    let to_logit = |graph: &AttributionGraph, i: usize| {
        let edges = graph.outgoing(i).unwrap().into_iter();
        let mut edges = edges.filter(|edge| edge.target == logit(graph));
        edges.next().map_or(0.0, |edge| edge.weight)
    };
    for (i, node) in few.nodes[..7].iter().enumerate() {
        let same = |other: &GraphNode| (other.kind, other.position) == (node.kind, node.position);
        let j = whole.nodes.iter().position(same).unwrap();
        assert!((to_logit(&few, i) - to_logit(&whole, j)).abs() < 1e-9);
    }
}

#[test]
fn predictions_of_interventions_are_exact_while_all_is_linear() {
    let graph = graph(3, &AttributionConfig::default());
    let first = |layer| {
        let of_layer = |n: &GraphNode| n.kind.layer() == Some(layer);
        graph.nodes.iter().position(of_layer).unwrap()
    };
    let changes: [&[(usize, f64)]; 3] = [
        &[(first(0), 0.0)],
        &[(first(0), -1.0), (first(0) + 1, 0.5), (first(1), 2.5)],
        &[(first(2), 0.0)],
    ];
    for mode in [InterventionMode::Held, InterventionMode::Linear] {
        for changes in changes {
            let found = graph.intervene(changes, mode).unwrap();
            let gap = found
                .effects
                .iter()
                .map(|e| (e.predicted - e.measured).abs());
            let gap = gap.fold(0.0, f64::max);
            let size = found.effects.iter().map(|e| e.predicted.abs());
            let size = size.fold(0.0, f64::max);
            assert!(gap < 1e-4 * (1.0 + size), "{mode:?} {size} {gap}");
        }
    }
    let real = graph
        .intervene(&[(first(0), 0.0)], InterventionMode::Real)
        .unwrap();
    assert!(
        real.effects
            .iter()
            .any(|e| (e.predicted - e.measured).abs() > 1e-3)
    );
}

/// By hand: the vectors that a feature writes to each MLP's output are taken away in a pass of the model, nothing frozen.
#[test]
fn an_ablation_in_the_model_itself_takes_away_all_that_a_feature_writes() {
    let (n_layers, tokens) = (3, sequence(&IDS));
    let model = random_model(&small_config(n_layers));
    let (_, of_all) = cross_layer(n_layers, 0.3);
    let graph = attribution_graph(&model, &of_all, &tokens, &AttributionConfig::default()).unwrap();
    let node = graph
        .nodes
        .iter()
        .position(|n| n.kind.layer() == Some(0) && n.position == 3);
    let node = node.unwrap();
    let GraphNodeKind::Feature { layer: 0, feature } = graph.nodes[node].kind else {
        panic!("{}", graph.nodes[node].name());
    };
    let act = graph.nodes[node].activation.unwrap();
    let hooks: Vec<Hook> = (0..n_layers)
        .map(|layer| {
            let row = of_all.w_dec[0].i((feature, layer, ..)).unwrap();
            let change = (row * -act).unwrap(); // [d_model]
            let mut rows = vec![change.zeros_like().unwrap(); IDS.len()];
            rows[3] = change;
            let change = Tensor::stack(&rows, 0).unwrap().unsqueeze(0).unwrap();
            let name = format!("blocks.{layer}.hook_mlp_out");
            assert!(HookName::of_model(&name, model.cfg()).is_ok());
            Hook::new(&name, move |x| Ok(Some((x + &change)?)))
        })
        .collect();
    let last = |hooks: &[Hook]| {
        let logits = model.run_with_hooks(&tokens, hooks).unwrap();
        logits
            .i((0, IDS.len() - 1))
            .unwrap()
            .to_vec1::<f32>()
            .unwrap()
    };
    let (before, after) = (last(&[]), last(&hooks));
    let mean = |v: &[f32]| v.iter().map(|&x| f64::from(x)).sum::<f64>() / v.len() as f64;
    let found = graph
        .intervene(&[(node, 0.0)], InterventionMode::Real)
        .unwrap();
    let mut compared = 0;
    for effect in &found.effects {
        if let GraphNodeKind::Logit { id } = graph.nodes[effect.node].kind {
            let id = id as usize;
            let wanted =
                f64::from(after[id]) - mean(&after) - (f64::from(before[id]) - mean(&before));
            assert!(
                (effect.measured - wanted).abs() < 1e-4,
                "{} {wanted}",
                effect.measured
            );
            compared += 1;
        }
    }
    assert!(compared > 0);
}

#[test]
fn components_and_controls_take_one_too_and_disorder_is_refused() {
    let graph = graph(2, &AttributionConfig::default());
    let influence = graph.component_influence().unwrap();
    assert!(influence.iter().any(|found| found.influence > 0.0));
    let model = random_model(&small_config(2));
    let (tokens, config) = (sequence(&IDS), AttributionConfig::default());
    let train = |_: &crate::model::Transformer| Ok(cross_layer(2, 0.3).1);
    let control = control_graph(&model, &tokens, &config, 1, train).unwrap();
    assert!(control.n_features() > 0);

    let (_, mut of_all) = cross_layer(2, 0.3);
    of_all.hook_names.swap(0, 1);
    of_all.hook_names_out.swap(0, 1);
    let error = attribution_graph(&model, &of_all, &tokens, &config).unwrap_err();
    assert!(error.to_string().contains("in their order"), "{error}");
    let (_, mut of_all) = cross_layer(2, 0.3);
    of_all.w_dec[0] = of_all.w_dec[0].affine(1.0, f64::NAN).unwrap();
    assert!(attribution_graph(&model, &of_all, &tokens, &config).is_err());
    let (_, mut of_all) = cross_layer(2, 0.3);
    of_all.activations[0] = TranscoderActivation::TopK { k: 3 };
    let top = attribution_graph(&model, &of_all, &tokens, &config).unwrap();
    assert!(largest_gap(&top) < 1e-4);
}
