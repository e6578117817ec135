use super::*;
use crate::config::{Normalization, TransformerConfig};
use crate::interp::{
    AttributionConfig, CircuitRecovery, EdgeScore, EdgeScores, PatchMetric, PatchTask,
    attribution_graph, circuit_recovery,
};
use crate::model::{Edge, NamesFilter, Receiver, Sender, Transformer};
use crate::rasp::{CompileOptions, programs};
use crate::sae::Transcoder;
use crate::show::Show;
use candle_core::{Device, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use std::collections::BTreeMap;

fn config(attn_only: bool) -> TransformerConfig {
    TransformerConfig {
        n_layers: 2,
        d_model: 8,
        n_heads: 2,
        d_mlp: 12,
        n_ctx: 6,
        d_vocab: 11,
        attn_only,
        act_fn: crate::config::Activation::Relu,
        normalization_type: Normalization::None,
        ..TransformerConfig::default()
    }
}

/// Every parameter normal.
fn random_model(cfg: &TransformerConfig) -> Transformer {
    let model = Transformer::new(cfg).unwrap();
    let rng = &mut ChaCha8Rng::seed_from_u64(9);
    let mut parameters = BTreeMap::new();
    for (name, value) in model.named_parameters() {
        let n = value.elem_count();
        let drawn: Vec<f32> = StandardNormal.sample_iter(&mut *rng).take(n).collect();
        let drawn = Tensor::from_vec(drawn, value.shape(), &Device::Cpu).unwrap();
        parameters.insert(name, (drawn * 0.4).unwrap());
    }
    Transformer::from_parameters(cfg, &parameters)
        .unwrap()
        .without_gradients()
}

type Matrix = Vec<Vec<f64>>;

fn matrix(t: &Tensor) -> Matrix {
    let rows = t.to_vec2::<f32>().unwrap();
    let wide = |row: Vec<f32>| row.into_iter().map(f64::from).collect();
    rows.into_iter().map(wide).collect()
}

/// `row M`.
fn times(row: &[f64], m: &Matrix) -> Vec<f64> {
    (0..m[0].len())
        .map(|j| row.iter().zip(m).map(|(x, m)| x * m[j]).sum())
        .collect()
}

/// `row M^T`.
fn times_t(row: &[f64], m: &Matrix) -> Vec<f64> {
    m.iter().map(|m| dot(row, m)).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn sequence(ids: &[u32]) -> Tensor {
    Tensor::from_slice(ids, (1, ids.len()), &Device::Cpu).unwrap()
}

/// The flows into one logit of an attention-only model, by loops over positions, from the parameters
/// and the patterns of a pass.
#[test]
fn influence_between_heads_is_what_loops_over_positions_give() {
    let cfg = config(true);
    let model = random_model(&cfg);
    let tokens = sequence(&[1, 5, 3, 9]);
    let (target, last) = (4u32, 3usize);
    let graph_config = AttributionConfig {
        targets: vec![target],
        ..AttributionConfig::default()
    };
    let graph = attribution_graph(&model, &[], &tokens, &graph_config).unwrap();
    let found = graph.component_influence().unwrap();
    let of = |sender, receiver| {
        let edge = Edge { sender, receiver };
        found.iter().find(|f| f.edge == edge).unwrap().influence
    };

    let (_, cache) = model
        .run_with_cache_filtered(&tokens, &NamesFilter::All, None)
        .unwrap();
    let cached = |name: &str| matrix(&cache.get(name).unwrap().get(0).unwrap());
    let (embed, pos_embed) = (cached("hook_embed"), cached("hook_pos_embed"));
    let weight = |layer: usize, part: &str, head: usize| {
        let name = format!("blocks.{layer}.attn.W_{part}");
        matrix(&model.parameter(&name).unwrap().get(head).unwrap())
    };
    let pattern = |layer: usize, head: usize| {
        let name = format!("blocks.{layer}.attn.hook_pattern");
        matrix(&cache.get(&name).unwrap().get(0).unwrap().get(head).unwrap())
    };
    let z = |layer: usize, head: usize, position: usize| {
        let name = format!("blocks.{layer}.attn.hook_z");
        let z = cache.get(&name).unwrap().get(0).unwrap();
        matrix(&z.get(position).unwrap())[head].clone()
    };
    let wrote = |layer, head, p| times(&z(layer, head, p), &weight(layer, "O", head));
    let w_u = matrix(&model.parameter("unembed.W_U").unwrap()); // [d_model, d_vocab]
    let u: Vec<f64> = w_u
        .iter()
        .map(|row| row[target as usize] - row.iter().sum::<f64>() / row.len() as f64)
        .collect();
    // What each head of block 1 reads at each key, and of block 0 by itself and through block 1.
    let back = |c: &[f64], layer, head| {
        times_t(
            &times_t(c, &weight(layer, "O", head)),
            &weight(layer, "V", head),
        )
    };
    let scaled = |c: Vec<f64>, by: f64| c.into_iter().map(|x| x * by).collect::<Vec<f64>>();
    let read_1 = |head: usize, key: usize| scaled(back(&u, 1, head), pattern(1, head)[last][key]);
    // The whole covector of the stream between the blocks, at each position.
    let between = |p: usize| {
        let mut sum = if p == last { u.clone() } else { vec![0.0; 8] };
        for head in 0..2 {
            let read = read_1(head, p);
            sum.iter_mut().zip(read).for_each(|(s, x)| *s += x);
        }
        sum
    };
    let read_0 = |head: usize, key: usize| {
        let mut sum = vec![0.0; 8];
        for q in 0..4 {
            let read = scaled(back(&between(q), 0, head), pattern(0, head)[q][key]);
            sum.iter_mut().zip(read).for_each(|(s, x)| *s += x);
        }
        sum
    };
    // All of the logit comes from embeddings: the sum of a graph's absolute edges.
    let into_logit = |x: &Matrix| -> f64 {
        (0..4)
            .map(|p| {
                let mut c = between(p);
                for head in 0..2 {
                    let read = read_0(head, p);
                    c.iter_mut().zip(read).for_each(|(s, x)| *s += x);
                }
                dot(&c, &x[p]).abs()
            })
            .sum()
    };
    let sum = into_logit(&embed) + into_logit(&pos_embed);
    let close = |found: f64, wanted: f64| {
        assert!(
            (found - wanted / sum).abs() < 1e-5,
            "{found} {}",
            wanted / sum
        );
    };
    let head = |layer, head| Sender::Head { layer, head };
    let value = |layer, head| Receiver::Value { layer, head };
    let over = |f: &dyn Fn(usize) -> f64| (0..4).map(|p| f(p).abs()).sum::<f64>();
    close(
        of(Sender::Embed, Receiver::Logits),
        dot(&u, &embed[last]).abs(),
    );
    for h in 0..2 {
        let direct = dot(&u, &wrote(0, h, last)).abs();
        close(of(head(0, h), Receiver::Logits), direct);
        close(
            of(head(1, h), Receiver::Logits),
            dot(&u, &wrote(1, h, last)).abs(),
        );
        close(
            of(Sender::PosEmbed, value(1, h)),
            over(&|p| dot(&read_1(h, p), &pos_embed[p])),
        );
        close(
            of(Sender::Embed, value(0, h)),
            over(&|p| dot(&read_0(h, p), &embed[p])),
        );
        for writer in 0..2 {
            close(
                of(head(0, writer), value(1, h)),
                over(&|p| dot(&read_1(h, p), &wrote(0, writer, p))),
            );
        }
        let query = Receiver::Query { layer: 1, head: h };
        assert_eq!(of(head(0, 0), query), 0.0);
    }
}

/// Neurons as features: the graph of a ReLU model has no errors, and an MLP's influence on the logits is
/// the sum over its active neurons.
#[test]
fn influence_of_an_mlp_is_the_sum_over_its_neurons() {
    let model = random_model(&config(false));
    let neurons: Vec<Transcoder> = (0..2)
        .map(|layer| Transcoder::of_mlp(&model, layer).unwrap())
        .collect();
    let graph_config = AttributionConfig {
        targets: vec![4],
        ..AttributionConfig::default()
    };
    let tokens = sequence(&[1, 5, 3, 9]);
    let graph = attribution_graph(&model, &neurons, &tokens, &graph_config).unwrap();
    assert!((graph.scores.replacement_score - 1.0).abs() < 1e-4);
    let logit = graph.nodes.len() - 1;
    let edges = graph.incoming(logit).unwrap();
    let sum: f64 = edges.iter().map(|edge| edge.weight.abs()).sum();
    let of_block = |layer: usize| {
        let kept = edges.iter().filter(|edge| {
            let node = &graph.nodes[edge.source];
            node.kind.name() == "feature" && node.kind.layer() == Some(layer)
        });
        kept.map(|edge| edge.weight.abs()).sum::<f64>()
    };
    let found = graph.component_influence().unwrap();
    let of = |text: &str| {
        let found = found.iter().find(|f| f.edge.to_string() == text).unwrap();
        found.influence
    };
    // Nothing stands between the last MLP and the logits; the first one's neurons go also through heads.
    assert!((of("mlp1 -> logits") - of_block(1) / sum).abs() < 1e-6);
    assert!(of("mlp0 -> logits") > 0.0 && of("mlp0 -> L1H0.v") > 0.0);
    assert!(of("mlp0 -> mlp1") > 0.0 && of("embed -> L0H1.v") > 0.0);
    assert_eq!(of("mlp0 -> L1H0.k"), 0.0);
}

/// Precision, recall, area and average precision of a ranking of four edges, by hand.
#[test]
fn recovery_is_what_is_computed_by_hand() {
    // Two edges each into q, k and v, then three into the logits.
    let cfg = TransformerConfig {
        n_layers: 1,
        n_heads: 1,
        ..config(true)
    };
    let edges = Edge::all(&cfg);
    assert_eq!(edges.len(), 9);
    let magnitudes = [0.0, 0.0, 0.0, 0.005, 0.5, 0.0, 1.0, 0.0, 0.8];
    let score = |(&edge, &magnitude): (&Edge, &f64)| EdgeScore {
        edge,
        score: magnitude,
        magnitude,
    };
    let found = EdgeScores {
        method: "by hand".to_owned(),
        n_tasks: 1,
        scores: edges.iter().zip(&magnitudes).map(score).collect(),
    };
    // Above 0.01 of the largest: edges 6, 8, 4. The circuit is 6, 4 and 3: 2 of 3 either way.
    let circuit = [edges[6], edges[4], edges[3]];
    let recovery = circuit_recovery(&circuit, &[found]).unwrap();
    let score = &recovery.scores[0];
    assert_eq!(score.n_found, 3);
    assert!((score.precision - 2.0 / 3.0).abs() < 1e-12);
    assert!((score.recall - 2.0 / 3.0).abs() < 1e-12);
    // Ranked 6 (in), 8, 4 (in), 3 (in), then five zeros: 1/3 (1 + 2/3 + 3/4), and of 18 pairs two lost.
    let average_precision = (1.0 + 2.0 / 3.0 + 3.0 / 4.0) / 3.0;
    assert!((score.average_precision - average_precision).abs() < 1e-12);
    assert!((score.roc_auc - 16.0 / 18.0).abs() < 1e-12);
}

#[test]
fn graphs_of_compiled_programs_find_what_moves_and_not_what_attends() {
    let found = compiled_recoveries(&programs(), &CompileOptions::default(), 4, 5).unwrap();
    assert_eq!(found.programs.len(), programs().len());
    let mut missed = Vec::new();
    for program in &found.programs {
        // The fourth method; the control is the fifth.
        let of_graphs = |recovery: &CircuitRecovery| {
            assert_eq!(recovery.scores[3].method, "attribution graph");
            recovery.scores[3].clone()
        };
        let all = of_graphs(&program.all_edges);
        assert_eq!(all.precision, 1.0, "{}", program.program);
        let visible = program.all_edges.n_circuit - program.n_pattern_edges;
        assert!(all.n_found <= visible - program.n_before_patterns);
        if all.n_found < visible {
            missed.push((program.program.as_str(), visible - all.n_found));
        }
        let Some(without) = &program.without_patterns else {
            continue;
        };
        assert_eq!(without.n_circuit, visible);
        assert_eq!(of_graphs(without).n_found, all.n_found);
    }
    // `induction` and `double_histogram` compute what only queries and keys read. The answer of
    // `more_a_than_b` is a neuron that its bias alone makes active: the input speaks by silencing
    // others, and a graph has nodes for active neurons only.
    assert_eq!(
        missed,
        [
            ("more_a_than_b", 6),
            ("induction", 1),
            ("double_histogram", 3)
        ]
    );
    let of = |name: &str| {
        let mut programs = found.programs.iter();
        programs.find(|p| p.program == name).unwrap()
    };
    // embed -> L0H0.v, whose head only L1H0.k reads.
    assert_eq!(of("induction").n_before_patterns, 1);
    // embed -> L0H0.v, embed -> mlp0 and L0H0 -> mlp0: only L1H0.q and L1H0.k read that MLP.
    assert_eq!(of("double_histogram").n_before_patterns, 3);
    assert_eq!(of("more_a_than_b").n_before_patterns, 0);
    let means = found.means();
    let mean = |method: &str, with_patterns: bool| means.get(method, with_patterns).unwrap();
    assert!(
        means
            .get("guess", true)
            .unwrap_err()
            .to_string()
            .contains("random")
    );
    let unseen = found.unseen_by_graphs();
    let sum = |of: fn(&ProgramRecovery) -> usize| found.programs.iter().map(of).sum::<usize>();
    assert_eq!(unseen.n_pattern_edges, sum(|p| p.n_pattern_edges));
    assert!(unseen.pattern_share() > 0.0 && unseen.pattern_share() < 1.0);
    // What they miss is what keeps their recall of the visible edges from 1.
    for (program, n_found, n_visible) in &unseen.missed {
        let all = &of(program).all_edges;
        let graphs = all
            .scores
            .iter()
            .find(|s| s.method == "attribution graph")
            .unwrap();
        assert_eq!(
            (graphs.recall * all.n_circuit as f64).round() as usize,
            *n_found
        );
        assert!(n_found < n_visible);
    }
    assert_eq!(unseen.frame().unwrap().height(), unseen.missed.len());
    let (graphs, random) = (mean("attribution graph", false), mean("random", false));
    assert!(graphs.recall > 0.85 && graphs.average_precision > random.average_precision + 0.5);
    assert!(mean("attribution graph", true).recall < graphs.recall);
    assert_eq!(graphs.n_programs, 15);
}

#[test]
fn the_result_is_frames_and_a_picture() {
    let some = &programs()[..2];
    let found = compiled_recoveries(some, &CompileOptions::default(), 2, 5).unwrap();
    let sets: usize = found
        .programs
        .iter()
        .map(|p| 1 + usize::from(p.without_patterns.is_some()))
        .sum();
    assert_eq!(found.frame().unwrap().shape(), (5 * sets, 10));
    assert_eq!(found.means().frame().unwrap().shape(), (10, 7));
    let bundle = found.mime_bundle().unwrap();
    assert!(
        bundle
            .get("image/svg+xml")
            .unwrap()
            .contains("2 rows, 5 columns")
    );
    assert!(
        bundle
            .get("text/plain")
            .unwrap()
            .contains("attribution graph")
    );
}

#[test]
fn wrong_input_is_refused() {
    let model = random_model(&config(true));
    let message = |tasks: &[PatchTask]| {
        let found = edge_graph_influence(&model, &[], tasks);
        found.unwrap_err().to_string()
    };
    assert!(message(&[]).contains("at least one"));
    let task = |metric| PatchTask::zeros(&sequence(&[1, 2, 3]), &metric);
    let own = PatchMetric::new("mine", |_| Ok(1.0));
    assert!(message(&[task(own)]).contains("mine"));
    assert!(message(&[task(PatchMetric::logit(3, 1))]).contains("position = 3"));
    assert!(message(&[task(PatchMetric::logit(2, 11))]).contains("11"));
    let options = CompileOptions::default();
    let none = compiled_recoveries(&[], &options, 2, 1).unwrap_err();
    assert!(none.to_string().contains("programs"));
    assert!(compiled_recoveries(&programs()[..1], &options, 0, 1).is_err());
}
