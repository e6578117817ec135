use super::super::testing::{random_model, sequence, small_config, values};
use super::path_patching::patched;
use super::*;
use crate::config::{Normalization, PositionalEmbedding, TransformerConfig};
use crate::interp::PatchMetric;
use crate::model::{ActivationCache, Edge, Hook, NamesFilter, Receiver, Sender, Transformer};
use crate::show::Show;
use candle_core::{D, IndexOp, Tensor};
use std::collections::BTreeMap;

const CLEAN: [u32; 5] = [3, 1, 4, 1, 5];
const CORRUPTED: [u32; 5] = [3, 2, 7, 1, 8];

fn metric() -> PatchMetric {
    PatchMetric::logit_difference(4, 7, 4)
}

fn task() -> PatchTask {
    PatchTask::new(&sequence(&CLEAN), &sequence(&CORRUPTED), &metric())
}

fn two_layers() -> TransformerConfig {
    TransformerConfig {
        n_layers: 2,
        ..small_config()
    }
}

fn cache_of(model: &Transformer, ids: &[u32]) -> ActivationCache {
    let run = model.run_with_cache_filtered(&sequence(ids), &NamesFilter::All, None);
    run.unwrap().1
}

/// What a sender writes, from the hook points that TransformerLens has, head by head.
fn wrote(model: &Transformer, cache: &ActivationCache, sender: Sender) -> Tensor {
    match sender {
        Sender::Embed => cache.get("hook_embed").unwrap(),
        Sender::PosEmbed => cache.get("hook_pos_embed").unwrap(),
        Sender::Mlp { layer } => cache.get(&format!("blocks.{layer}.hook_mlp_out")).unwrap(),
        Sender::Head { layer, head } => {
            let z = cache.get(&format!("blocks.{layer}.attn.hook_z")).unwrap();
            let w = model
                .parameter(&format!("blocks.{layer}.attn.W_O"))
                .unwrap();
            let z = z.i((0, .., head, ..)).unwrap().contiguous().unwrap();
            z.matmul(&w.i(head).unwrap()).unwrap().unsqueeze(0).unwrap()
        }
    }
}

/// LayerNorm by its definition.
fn normed(model: &Transformer, x: &Tensor, prefix: &str) -> Tensor {
    if model.cfg().normalization_type == Normalization::None {
        return x.clone();
    }
    let centred = x
        .broadcast_sub(&x.mean_keepdim(D::Minus1).unwrap())
        .unwrap();
    let variance = centred.sqr().unwrap().mean_keepdim(D::Minus1).unwrap();
    let scale = (variance + model.cfg().eps).unwrap().sqrt().unwrap();
    let w = model.parameter(&format!("{prefix}.w")).unwrap();
    let b = model.parameter(&format!("{prefix}.b")).unwrap();
    let x = centred.broadcast_div(&scale).unwrap();
    x.broadcast_mul(&w).unwrap().broadcast_add(&b).unwrap()
}

/// The metric of one whole pass of the clean tokens in which one hook replaces what the receiver
/// makes of the stream. Nothing is shared with the code under test.
fn one_by_one(model: &Transformer, corrupted: Option<&[u32]>, edge: Edge) -> f64 {
    let clean = cache_of(model, &CLEAN);
    let from = wrote(model, &clean, edge.sender);
    let difference = match corrupted {
        Some(ids) => (wrote(model, &cache_of(model, ids), edge.sender) - from).unwrap(),
        None => from.neg().unwrap(),
    };
    let patched = |name: &str| (clean.get(name).unwrap() + &difference).unwrap();
    let param = |name: String| model.parameter(&name).unwrap();
    let head_hook = |layer: usize, head: usize, part: &str, point: &str| {
        let x = patched(&format!("blocks.{layer}.hook_resid_pre"));
        let x = normed(model, &x, &format!("blocks.{layer}.ln1"))
            .squeeze(0)
            .unwrap();
        let w = param(format!("blocks.{layer}.attn.W_{part}"))
            .i(head)
            .unwrap();
        let b = param(format!("blocks.{layer}.attn.b_{part}"))
            .i(head)
            .unwrap();
        let new = x.matmul(&w).unwrap().broadcast_add(&b).unwrap();
        let new = new.unsqueeze(0).unwrap().unsqueeze(2).unwrap();
        Hook::new(&format!("blocks.{layer}.attn.{point}"), move |old| {
            let (_, pos, _, d_head) = old.dims4()?;
            let place = [0..1, 0..pos, head..head + 1, 0..d_head];
            Ok(Some(old.slice_assign(&place, &new)?))
        })
    };
    let hook = match edge.receiver {
        Receiver::Query { layer, head } => head_hook(layer, head, "Q", "hook_q"),
        Receiver::Key { layer, head } => head_hook(layer, head, "K", "hook_k"),
        Receiver::Value { layer, head } => head_hook(layer, head, "V", "hook_v"),
        Receiver::Mlp { layer } => {
            let x = patched(&format!("blocks.{layer}.hook_resid_mid"));
            let x = normed(model, &x, &format!("blocks.{layer}.ln2"))
                .squeeze(0)
                .unwrap();
            let pre = x
                .matmul(&param(format!("blocks.{layer}.mlp.W_in")))
                .unwrap();
            let pre = pre
                .broadcast_add(&param(format!("blocks.{layer}.mlp.b_in")))
                .unwrap();
            let pre = pre.unsqueeze(0).unwrap();
            Hook::new(&format!("blocks.{layer}.mlp.hook_pre"), move |_| {
                Ok(Some(pre.clone()))
            })
        }
        Receiver::Logits => {
            let x = patched("blocks.1.hook_resid_post");
            let x = normed(model, &x, "ln_final");
            Hook::new("unembed.hook_in", move |_| Ok(Some(x.clone())))
        }
    };
    let logits = model.run_with_hooks(&sequence(&CLEAN), &[hook]).unwrap();
    let logits = values(&logits.i((0, 4)).unwrap());
    logits[7] - logits[4]
}

#[test]
fn every_edge_is_patched_as_by_a_pass_of_its_own() {
    let plain = two_layers();
    let bare = TransformerConfig {
        normalization_type: Normalization::None,
        attn_only: true,
        ..plain.clone()
    };
    for cfg in [plain, bare] {
        let model = random_model(&cfg);
        let logits = values(&model.forward(&sequence(&CLEAN)).unwrap().i((0, 4)).unwrap());
        let clean = logits[7] - logits[4];
        let zeros = PatchTask::zeros(&sequence(&CLEAN), &metric());
        for (task, corrupted) in [(task(), Some(CORRUPTED.as_slice())), (zeros, None)] {
            let edges = Edge::all(&cfg);
            // Three rows a pass, and all at once.
            for tokens_per_pass in [15, 2_048] {
                let tasks = [task.clone()];
                let found = patched("", &model, &tasks, &edges, tokens_per_pass).unwrap();
                for found in &found.scores {
                    let wanted = one_by_one(&model, corrupted, found.edge) - clean;
                    assert!((found.score - wanted).abs() < 1e-4, "{found:?} {wanted}");
                    assert_eq!(found.magnitude, found.score.abs());
                }
            }
        }
    }
}

#[test]
fn one_path_is_that_edge_of_all_and_tasks_are_averaged() {
    let model = random_model(&two_layers());
    let other = PatchTask::new(&sequence(&CORRUPTED), &sequence(&CLEAN), &metric());
    let tasks = [task(), other];
    let all = edge_activation_patching(&model, &tasks).unwrap();
    let one_each: Vec<EdgeScores> = tasks
        .iter()
        .map(|task| edge_activation_patching(&model, std::slice::from_ref(task)).unwrap())
        .collect();
    for i in [0, 7, 20, all.scores.len() - 1] {
        let found = all.scores[i];
        let Edge { sender, receiver } = found.edge;
        let path = path_patching(&model, &tasks, sender, receiver).unwrap();
        assert!((path.score - found.score).abs() < 1e-5);
        let (a, b) = (one_each[0].scores[i].score, one_each[1].scores[i].score);
        assert!((found.score - (a + b) / 2.0).abs() < 1e-6);
        assert!((found.magnitude - (a.abs() + b.abs()) / 2.0).abs() < 1e-6);
    }
}

/// A model in which tokens 3 and 7 have nearly the same embedding.
fn near_model(cfg: &TransformerConfig) -> Transformer {
    let model = random_model(cfg);
    let mut parameters: BTreeMap<String, Tensor> = model
        .named_parameters()
        .into_iter()
        .map(|(name, value)| (name, value.as_detached_tensor()))
        .collect();
    let w_e = &parameters["embed.W_E"];
    let row = w_e.i(3).unwrap();
    let moved = (&row + (w_e.i(5).unwrap() * 3e-3).unwrap()).unwrap();
    let w_e = w_e
        .slice_assign(&[7..8, 0..cfg.d_model], &moved.unsqueeze(0).unwrap())
        .unwrap();
    parameters.insert("embed.W_E".to_owned(), w_e);
    Transformer::from_parameters(cfg, &parameters).unwrap()
}

#[test]
fn attribution_is_patching_to_first_order() {
    for normalization_type in [Normalization::Ln, Normalization::None] {
        let cfg = TransformerConfig {
            normalization_type,
            ..two_layers()
        };
        let model = near_model(&cfg);
        let (clean, corrupted) = (sequence(&[1, 3, 2, 3, 5]), sequence(&[1, 7, 2, 7, 5]));
        for metric in [
            metric(),
            PatchMetric::log_prob(4, 7),
            PatchMetric::logit(4, 2),
        ] {
            let tasks = [PatchTask::new(&clean, &corrupted, &metric)];
            let wanted = edge_activation_patching(&model, &tasks).unwrap();
            let largest = wanted.top(1)[0].magnitude;
            for found in [
                edge_attribution_patching(&model, &tasks).unwrap(),
                edge_attribution_patching_ig(&model, &tasks, 3).unwrap(),
            ] {
                for (found, wanted) in found.scores.iter().zip(&wanted.scores) {
                    let off = (found.score - wanted.score).abs();
                    assert!(off < 0.02 * largest, "{found:?} {wanted:?}");
                }
            }
        }
    }
}

#[test]
fn integrated_gradients_of_the_embedding_sum_to_the_whole_change_in_a_model_of_one_path() {
    // Without blocks and norm the metric is linear in the embedding: exact, whatever the steps.
    let cfg = TransformerConfig {
        n_layers: 0,
        normalization_type: Normalization::None,
        ..small_config()
    };
    let model = random_model(&cfg);
    let task = PatchTask::new(
        &sequence(&[1, 3]),
        &sequence(&[1, 8]),
        &PatchMetric::logit(1, 4),
    );
    let logit = |ids: &[u32]| values(&model.forward(&sequence(ids)).unwrap().i((0, 1)).unwrap())[4];
    let wanted = logit(&[1, 8]) - logit(&[1, 3]);
    let tasks = [task];
    for found in [
        edge_activation_patching(&model, &tasks).unwrap(),
        edge_attribution_patching(&model, &tasks).unwrap(),
        edge_attribution_patching_ig(&model, &tasks, 4).unwrap(),
    ] {
        assert_eq!(found.scores.len(), 2);
        assert!((found.scores[0].score - wanted).abs() < 1e-5);
        assert!(found.scores[1].score.abs() < 1e-6); // Positions are the same in both.
    }
}

#[test]
fn node_attribution_is_the_change_by_a_component_to_first_order() {
    let model = near_model(&two_layers());
    let (clean, corrupted) = (sequence(&[1, 3, 2, 3, 5]), sequence(&[1, 7, 2, 7, 5]));
    let task = PatchTask::new(&clean, &corrupted, &metric());
    let found = node_attribution_patching(&model, &task).unwrap();
    assert_eq!(found.scores.len(), Sender::all(model.cfg()).len() * 5);
    let run = |hooks: &[Hook]| {
        let logits = values(
            &model
                .run_with_hooks(&clean, hooks)
                .unwrap()
                .i((0, 4))
                .unwrap(),
        );
        logits[7] - logits[4]
    };
    let (_, cache) = model
        .run_with_cache_filtered(&corrupted, &NamesFilter::All, None)
        .unwrap();
    let largest = found
        .scores
        .iter()
        .fold(0.0_f64, |most, s| most.max(s.score.abs()));
    for score in &found.scores {
        // All dimensions of the activation that the component has a slot of, at one position.
        let (name, heads) = match score.node {
            Sender::Embed => ("hook_embed".to_owned(), None),
            Sender::PosEmbed => ("hook_pos_embed".to_owned(), None),
            Sender::Head { layer, head } => (format!("blocks.{layer}.attn.hook_z"), Some(head)),
            Sender::Mlp { layer } => (format!("blocks.{layer}.hook_mlp_out"), None),
        };
        let (new, at) = (cache.get(&name).unwrap(), score.position);
        let hook = Hook::new(&name, move |x| {
            let place = match heads {
                Some(head) => vec![0..1, at..at + 1, head..head + 1, 0..x.dim(3)?],
                None => vec![0..1, at..at + 1, 0..x.dim(2)?],
            };
            let own = match heads {
                Some(head) => new.narrow(1, at, 1)?.narrow(2, head, 1)?,
                None => new.narrow(1, at, 1)?,
            };
            Ok(Some(x.slice_assign(&place, &own.contiguous()?)?))
        });
        let wanted = run(&[hook]) - run(&[]);
        assert!(
            (score.score - wanted).abs() < 0.02 * largest,
            "{score:?} {wanted}"
        );
    }
    assert_eq!(found.frame().unwrap().shape(), (found.scores.len(), 3));
    assert!(found.mime_bundle().unwrap().get("image/svg+xml").is_some());
}

#[test]
fn wrong_input_is_refused() {
    let model = random_model(&two_layers());
    assert!(edge_activation_patching(&model, &[]).is_err());
    assert!(edge_attribution_patching(&model, &[]).is_err());
    assert!(edge_attribution_patching_ig(&model, &[task()], 0).is_err());
    let message = |task: PatchTask| {
        let found = edge_activation_patching(&model, std::slice::from_ref(&task))
            .unwrap_err()
            .to_string();
        assert!(edge_attribution_patching(&model, &[task]).is_err());
        found
    };
    let (clean, short) = (sequence(&CLEAN), sequence(&CORRUPTED[..4]));
    let lengths = message(PatchTask::new(&clean, &short, &metric()));
    assert!(lengths.contains("[1, 4], expected [1, 5]"), "{lengths}");
    let late = PatchMetric::logit(5, 1);
    assert!(message(PatchTask::zeros(&clean, &late)).contains("position = 5"));
    let unknown = PatchMetric::logit(4, 11);
    assert!(message(PatchTask::zeros(&clean, &unknown)).contains("token id = 11"));
    let custom = PatchMetric::new("mine", |_| Ok(1.0));
    let own = PatchTask::new(&clean, &sequence(&CORRUPTED), &custom);
    assert!(edge_activation_patching(&model, std::slice::from_ref(&own)).is_ok());
    let error = edge_attribution_patching(&model, &[own])
        .unwrap_err()
        .to_string();
    assert!(error.contains("no gradient"), "{error}");
    let nan = PatchMetric::new("NaN", |_| Ok(f64::NAN));
    assert!(message(PatchTask::zeros(&clean, &nan)).contains("finite"));
    let late = path_patching(
        &model,
        &[task()],
        Sender::Mlp { layer: 1 },
        Receiver::Mlp { layer: 0 },
    );
    assert!(late.unwrap_err().to_string().contains("mlp1 -> mlp0"));
    let absent = path_patching(
        &model,
        &[task()],
        Sender::Mlp { layer: 2 },
        Receiver::Logits,
    );
    assert!(
        absent
            .unwrap_err()
            .to_string()
            .contains("no sender named \"mlp2\"")
    );
}

#[test]
fn circuits_that_cannot_be_recovered_are_refused() {
    let model = random_model(&two_layers());
    let all = Edge::all(model.cfg());
    let mut found = edge_attribution_patching(&model, &[task()]).unwrap();
    let message = |circuit: &[Edge], found: &[EdgeScores]| {
        circuit_recovery(circuit, found).unwrap_err().to_string()
    };
    assert!(message(&all[..3], &[]).contains("one method"));
    assert!(message(&[], std::slice::from_ref(&found)).contains("= 0"));
    assert!(message(&all, std::slice::from_ref(&found)).contains("not all"));
    let foreign = Edge {
        sender: Sender::Mlp { layer: 5 },
        receiver: Receiver::Logits,
    };
    assert!(message(&[foreign], std::slice::from_ref(&found)).contains("mlp5 -> logits"));
    let fewer = EdgeScores {
        scores: found.scores[1..].to_vec(),
        ..found.clone()
    };
    assert!(message(&all[..3], &[found.clone(), fewer]).contains("same edges"));
    found.scores[4].magnitude = f64::NAN;
    assert!(message(&all[..3], &[found]).contains("NaN"));
}

#[test]
fn models_without_learned_positions_or_with_parallel_mlps_are_refused() {
    let rotary = TransformerConfig {
        positional_embedding_type: PositionalEmbedding::Rotary,
        ..two_layers()
    };
    let parallel = TransformerConfig {
        parallel_attn_mlp: true,
        ..two_layers()
    };
    for (cfg, part) in [
        (rotary, "positional_embedding_type = rotary"),
        (parallel, "parallel_attn_mlp = true"),
    ] {
        let (model, tasks) = (random_model(&cfg), [task()]);
        let (sender, receiver) = (Sender::Embed, Receiver::Logits);
        for error in [
            edge_activation_patching(&model, &tasks).unwrap_err(),
            edge_attribution_patching(&model, &tasks).unwrap_err(),
            edge_attribution_patching_ig(&model, &tasks, 2).unwrap_err(),
            path_patching(&model, &tasks, sender, receiver).unwrap_err(),
            node_attribution_patching(&model, &tasks[0]).unwrap_err(),
        ] {
            assert!(error.to_string().contains(part), "{error}");
        }
    }
}

mod compiled;
