//! Edges sum to values, and are what brute force measures.

use super::super::intervention::{Replacement, hooked_run};
use super::super::testing::*;
use super::super::*;
use crate::config::{Normalization, PositionalEmbedding, TransformerConfig};
use crate::model::{Hook, NamesFilter, Transformer};
use crate::sae::{Transcoder, TranscoderActivation};
use candle_core::{IndexOp, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::rc::Rc;

/// Models and transcoders of every kind that a graph knows.
fn cases() -> Vec<(&'static str, TransformerConfig, Vec<Transcoder>)> {
    let rng = &mut ChaCha8Rng::seed_from_u64(3);
    let skip =
        |t: Transcoder, rng: &mut ChaCha8Rng| t.with_skip(normal(&[8, 8], 0.3, rng)).unwrap();
    let with = |n_layers, normalization_type, attn_only, tied_unembed| TransformerConfig {
        normalization_type,
        attn_only,
        tied_unembed,
        ..small_config(n_layers)
    };
    let between = |t: Transcoder, layer: usize, input: &str| {
        let [input, out] = [input, "hook_mlp_out"].map(|name| format!("blocks.{layer}.{name}"));
        t.between(&input, &out)
    };
    let relu = |layer| random_transcoder(layer, TranscoderActivation::Relu);
    vec![
        ("one block", small_config(1), random_transcoders(1)),
        ("three blocks", small_config(3), random_transcoders(3)),
        (
            "no norms",
            with(2, Normalization::None, false, true),
            vec![
                between(relu(0), 0, "hook_resid_mid"),
                skip(between(relu(1), 1, "mlp.hook_in"), rng),
            ],
        ),
        (
            "norms without weights",
            with(2, Normalization::LnPre, false, false),
            random_transcoders(2),
        ),
        (
            "other activations and inputs, paths around",
            with(3, Normalization::Ln, false, false),
            vec![
                skip(
                    between(random_transcoder(0, jump_relu()), 0, "mlp.hook_in"),
                    rng,
                ),
                skip(
                    random_transcoder(1, TranscoderActivation::TopK { k: 3 }),
                    rng,
                ),
                skip(between(relu(2), 2, "hook_resid_mid"), rng),
            ],
        ),
        (
            "a block without transcoder",
            small_config(3),
            vec![relu(0), relu(2)],
        ),
        ("no transcoders", small_config(2), Vec::new()),
        (
            "attention only",
            with(2, Normalization::Ln, true, false),
            Vec::new(),
        ),
        ("no blocks", small_config(0), Vec::new()),
        (
            "rotary positions",
            TransformerConfig {
                positional_embedding_type: PositionalEmbedding::Rotary,
                ..small_config(2)
            },
            random_transcoders(2),
        ),
    ]
}

fn graph_of(
    cfg: &TransformerConfig,
    transcoders: &[Transcoder],
    config: &AttributionConfig,
) -> (Transformer, AttributionGraph) {
    let model = random_model(cfg);
    let graph = attribution_graph(&model, transcoders, &sequence(&IDS), config).unwrap();
    (model, graph)
}

/// The largest difference of a node's value and the sum of its edges and biases.
fn largest_gap(graph: &AttributionGraph) -> f64 {
    let mut gap = 0f64;
    for (i, node) in graph.nodes.iter().enumerate() {
        let edges = graph.incoming(i).unwrap();
        let Some(value) = node.value else {
            assert!(edges.is_empty(), "{}", node.name());
            continue;
        };
        let sum: f64 = edges.iter().map(|edge| edge.weight).sum();
        gap = gap.max((sum + node.bias.unwrap() - value).abs());
    }
    gap
}

#[test]
fn edges_and_biases_sum_to_every_value() {
    for (name, cfg, transcoders) in cases() {
        for (max_features, skip_bos) in [(2_048, false), (7, false), (0, false), (2_048, true)] {
            let config = AttributionConfig {
                max_features,
                skip_bos,
                batch_size: 3,
                max_logits: 4,
                ..AttributionConfig::default()
            };
            let (_, graph) = graph_of(&cfg, &transcoders, &config);
            let gap = largest_gap(&graph);
            assert!(gap < 1e-4, "{name}, {max_features}, {skip_bos}: {gap}");
            assert!(graph.n_features() <= max_features);
            let features = &graph.nodes[..graph.n_features()];
            assert!(!skip_bos || features.iter().all(|n| n.position > 0));
            let wanted = !transcoders.is_empty() && max_features > 0;
            assert_eq!(graph.n_features() > 0, wanted, "{name}");
        }
    }
}

/// Whether position embeddings add nothing to the residual stream.
fn is_rotary(cfg: &TransformerConfig) -> bool {
    cfg.positional_embedding_type == PositionalEmbedding::Rotary
}

/// What a source writes, by the model's own activations and the transcoders' own functions, and
/// where it writes it.
fn written(
    model: &Transformer,
    transcoders: &[Transcoder],
    graph: &AttributionGraph,
    source: usize,
) -> (String, Tensor) {
    let node = &graph.nodes[source];
    let (_, cache) = model
        .run_with_cache_filtered(&sequence(&IDS), &NamesFilter::All, None)
        .unwrap();
    let of_layer = |layer: usize| {
        let name = format!("blocks.{layer}.hook_mlp_out");
        let transcoder = transcoders.iter().find(|t| t.hook_name_out == name);
        (name, transcoder)
    };
    let at = |name: &str| cache.get(name).unwrap().i((0, node.position)).unwrap();
    match node.kind {
        GraphNodeKind::Feature { layer, feature } => {
            let (name, transcoder) = of_layer(layer);
            let row = transcoder.unwrap().w_dec.i(feature).unwrap();
            (name, (row * node.activation.unwrap()).unwrap())
        }
        GraphNodeKind::Error { layer } => {
            let (name, transcoder) = of_layer(layer);
            let out = at(&name);
            let Some(transcoder) = transcoder else {
                return (name, out);
            };
            let x = match transcoder.hook_name.ends_with("mlp.hook_in") {
                false => at(&transcoder.hook_name),
                true => match model.cfg().normalization_type {
                    Normalization::None => at(&format!("blocks.{layer}.hook_resid_mid")),
                    _ => {
                        let x = at(&format!("blocks.{layer}.ln2.hook_normalized"));
                        let w = model.parameter(&format!("blocks.{layer}.ln2.w")).unwrap();
                        let b = model.parameter(&format!("blocks.{layer}.ln2.b")).unwrap();
                        ((x * w).unwrap() + b).unwrap()
                    }
                },
            };
            let y = transcoder.reconstruct(&x.unsqueeze(0).unwrap()).unwrap();
            (name, (out - y.squeeze(0).unwrap()).unwrap())
        }
        GraphNodeKind::Token { .. } => ("hook_embed".to_owned(), at("hook_embed")),
        _ if is_rotary(model.cfg()) => {
            let embed = at("hook_embed");
            ("hook_embed".to_owned(), embed.zeros_like().unwrap())
        }
        _ => ("hook_pos_embed".to_owned(), at("hook_pos_embed")),
    }
}

/// The change of every feature's value and every logit (less the mean) when `vector` is added at one
/// position of a hook point, with patterns, scales and MLPs held.
fn brute_force(
    graph: &AttributionGraph,
    transcoders: &[Transcoder],
    name: &str,
    position: usize,
    vector: &Tensor,
) -> Vec<(usize, f64)> {
    let vector = vector.clone();
    let add = Hook::new(name, move |x| {
        let place = [0..1, position..position + 1, 0..vector.dims()[0]];
        let moved = (x.i((0, position))? + &vector)?.reshape((1, 1, ()))?;
        Ok(Some(x.slice_assign(&place, &moved)?))
    });
    let nothing: Rc<Replacement> = Rc::new(|_, _| Ok(None));
    let frozen = &graph.frozen;
    let before = hooked_run(frozen, true, nothing.clone(), Vec::new()).unwrap();
    let after = hooked_run(frozen, true, nothing, vec![add]).unwrap();
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let mut changes = Vec::new();
    for (i, node) in graph.nodes.iter().enumerate() {
        let change = match node.kind {
            GraphNodeKind::Feature { layer, feature } => {
                let out = format!("blocks.{layer}.hook_mlp_out");
                let transcoder = transcoders.iter().find(|t| t.hook_name_out == out).unwrap();
                let value = |x: &Tensor| {
                    let pre = transcoder.pre_activations(x).unwrap();
                    pre.to_vec2::<f32>().unwrap()[node.position][feature]
                };
                f64::from(value(&after.inputs[&layer]) - value(&before.inputs[&layer]))
            }
            GraphNodeKind::Logit { id } => {
                let of = |logits: &[f64]| logits[id as usize] - mean(logits);
                of(&after.logits) - of(&before.logits)
            }
            _ => continue,
        };
        changes.push((i, change));
    }
    changes
}

#[test]
fn each_edge_is_what_the_model_does_when_its_source_writes_twice() {
    for (name, cfg, transcoders) in cases() {
        let config = AttributionConfig {
            max_logits: 3,
            ..AttributionConfig::default()
        };
        let (model, graph) = graph_of(&cfg, &transcoders, &config);
        let logits = graph
            .nodes
            .iter()
            .filter(|n| n.probability.is_some())
            .count();
        let n_sources = graph.nodes.len() - logits;
        let mut seen = [0; 4];
        // Every seventh feature, and every other source.
        let sources = (0..n_sources).filter(|i| *i >= graph.n_features() || i % 7 == 0);
        for source in sources {
            let node = &graph.nodes[source];
            let (hook, vector) = written(&model, &transcoders, &graph, source);
            let edges = graph.outgoing(source).unwrap();
            for (target, change) in brute_force(&graph, &transcoders, &hook, node.position, &vector)
            {
                let edge = edges.iter().find(|edge| edge.target == target);
                let weight = edge.map_or(0.0, |edge| edge.weight);
                let near = 1e-4 * (1.0 + change.abs());
                let ends = (node.name(), graph.nodes[target].name());
                assert!(
                    (weight - change).abs() < near,
                    "{name}, {ends:?}: {weight} {change}"
                );
                if weight.abs() > 1e-3 {
                    seen[match node.kind.name() {
                        "feature" => 0,
                        "error" => 1,
                        "token" => 2,
                        _ => 3,
                    }] += 1;
                }
            }
        }
        let with_mlp = !cfg.attn_only && cfg.n_layers > 0;
        let expected = [!transcoders.is_empty(), with_mlp, true, !is_rotary(&cfg)];
        assert_eq!(seen.map(|n| n > 0), expected, "{name}: {seen:?}");
    }
}

#[test]
fn what_is_later_or_higher_has_no_edge() {
    let (_, graph) = graph_of(
        &small_config(3),
        &random_transcoders(3),
        &AttributionConfig::default(),
    );
    for edge in graph.edges() {
        let (source, target) = (&graph.nodes[edge.source], &graph.nodes[edge.target]);
        assert!(source.position <= target.position);
        if let (Some(from), Some(to)) = (source.kind.layer(), target.kind.layer()) {
            assert!(from < to, "{} {}", source.name(), target.name());
        }
    }
}

#[test]
fn nodes_are_the_active_features_and_the_most_probable_tokens() {
    let transcoders = random_transcoders(2);
    let (model, graph) = graph_of(
        &small_config(2),
        &transcoders,
        &AttributionConfig::default(),
    );
    let tokens = sequence(&IDS);
    let (logits, cache) = model
        .run_with_cache_filtered(&tokens, &NamesFilter::All, None)
        .unwrap();
    let mut n_active = 0;
    for (layer, transcoder) in transcoders.iter().enumerate() {
        let x = cache.get(&transcoder.hook_name).unwrap().i(0).unwrap();
        let acts = transcoder.encode(&x).unwrap().to_vec2::<f32>().unwrap();
        for (position, acts) in acts.iter().enumerate() {
            for (feature, &act) in acts.iter().enumerate() {
                let kind = GraphNodeKind::Feature { layer, feature };
                let found = graph.find(kind, position);
                assert_eq!(found.is_ok(), act > 0.0);
                if let Ok(node) = found {
                    n_active += 1;
                    assert_eq!(graph.nodes[node].activation, Some(f64::from(act)));
                }
            }
        }
    }
    assert_eq!(graph.n_features(), n_active);
    // 2 blocks with errors of 5 positions; 5 tokens, 5 positions.
    let n_logits = graph.nodes.len() - n_active - 20;
    let last = logits.unwrap().i((0, 4)).unwrap().to_vec1::<f32>().unwrap();
    let sum: f64 = last.iter().map(|x| f64::from(*x).exp()).sum();
    let mut p: Vec<f64> = last.iter().map(|x| f64::from(*x).exp() / sum).collect();
    p.sort_by(|a, b| b.total_cmp(a));
    let found = &graph.nodes[graph.nodes.len() - n_logits..];
    for (node, p) in found.iter().zip(&p) {
        assert!((node.probability.unwrap() - p).abs() < 1e-6);
    }
    let held: f64 = p[..n_logits].iter().sum();
    assert!(n_logits == 10 || held >= 0.95);
    assert!(held - p[n_logits - 1] < 0.95);
}

#[test]
fn few_features_are_those_of_the_largest_influence() {
    // With one ranking after each batch of all rows the choice is the greedy one; of a graph of one
    // block, whose features lead to logits only, it is exact.
    let (cfg, transcoders) = (small_config(1), random_transcoders(1));
    let (_, whole) = graph_of(&cfg, &transcoders, &AttributionConfig::default());
    let few = AttributionConfig {
        max_features: 9,
        ..AttributionConfig::default()
    };
    let (_, graph) = graph_of(&cfg, &transcoders, &few);
    let mut order: Vec<usize> = (0..whole.n_features()).collect();
    order.sort_by(|&a, &b| {
        whole.nodes[b]
            .influence
            .unwrap()
            .total_cmp(&whole.nodes[a].influence.unwrap())
    });
    let mut expected: Vec<String> = order[..9].iter().map(|&i| whole.nodes[i].name()).collect();
    let mut found: Vec<String> = graph.nodes[..9].iter().map(GraphNode::name).collect();
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
}

#[test]
fn targets_can_be_asked_for() {
    let config = AttributionConfig {
        targets: vec![7, 2],
        ..AttributionConfig::default()
    };
    let (_, graph) = graph_of(&small_config(2), &random_transcoders(2), &config);
    let kinds: Vec<_> = graph.nodes[graph.nodes.len() - 2..]
        .iter()
        .map(|n| n.kind)
        .collect();
    assert_eq!(kinds, [7, 2].map(|id| GraphNodeKind::Logit { id }));
    assert!(largest_gap(&graph) < 1e-4);
}
