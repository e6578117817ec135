use super::*;
use crate::config::{Normalization, TrainingConfig, TransformerConfig};
use crate::data::{Dataset, RepeatedTokens};
use crate::interp::{
    Composition, ablate_head, composition_scores, copying_scores, edge_activation_patching,
    head_scores, head_scores_with_hooks, path_patching, repeated_random_tokens,
};
use crate::model::{Receiver, Sender, Transformer};
use crate::progress::Silent;
use crate::show::Show;
use crate::train::train_with;
use candle_core::{Device, Tensor};
use std::collections::BTreeMap;

const N_SYMBOLS: usize = 10;
const N_CTX: usize = 11;

/// A circuit written by hand, without norms. The stream holds four parts: the token (10 symbols and
/// BOS), the position, the previous token (written by L0H0), and the prediction (written by L1H1).
/// L0H0 attends to the position before and copies its token; L1H1 attends to the position whose
/// previous token is the present one and copies its token to the prediction. L0H1 and L1H0 do nothing.
fn planted() -> Transformer {
    let v = N_SYMBOLS + 1;
    let (token, position, previous, prediction) = (0, v, v + N_CTX, 2 * v + N_CTX);
    let d_head = 16; // at least v and N_CTX
    let width = 3 * v + N_CTX;
    let d_model = 2 * d_head.max(width.div_ceil(2)); // n_heads d_head = d_model
    let d_head = d_model / 2;
    let cfg = TransformerConfig {
        n_layers: 2,
        d_model,
        n_heads: 2,
        n_ctx: N_CTX,
        d_vocab: v,
        attn_only: true,
        normalization_type: Normalization::None,
        ..TransformerConfig::default()
    };
    let scale = 30.0 * (d_head as f32).sqrt();
    let model = Transformer::new(&cfg).unwrap();
    let mut parameters = BTreeMap::new();
    for (name, value) in model.named_parameters() {
        let mut values = vec![0f32; value.elem_count()];
        // Of head h, [d_model, d_head] (Q, K, V) and [d_head, d_model] (O).
        let mut put = |head: usize, row: usize, column: usize, columns: usize, x: f32| {
            values[head * d_model * d_head + row * columns + column] = x;
        };
        match name.as_str() {
            "embed.W_E" => (0..v).for_each(|t| put(0, t, token + t, d_model, 1.0)),
            "pos_embed.W_pos" => (0..N_CTX).for_each(|p| put(0, p, position + p, d_model, 1.0)),
            "unembed.W_U" => (0..v).for_each(|t| put(0, prediction + t, t, v, 20.0)),
            "blocks.0.attn.W_Q" => {
                (1..N_CTX).for_each(|p| put(0, position + p, p - 1, d_head, scale))
            }
            "blocks.0.attn.W_K" => (0..N_CTX).for_each(|p| put(0, position + p, p, d_head, 1.0)),
            "blocks.0.attn.W_V" => (0..v).for_each(|t| put(0, token + t, t, d_head, 1.0)),
            "blocks.0.attn.W_O" => (0..v).for_each(|t| put(0, t, previous + t, d_model, 1.0)),
            "blocks.1.attn.W_Q" => (0..v).for_each(|t| put(1, token + t, t, d_head, scale)),
            "blocks.1.attn.W_K" => (0..v).for_each(|t| put(1, previous + t, t, d_head, 1.0)),
            "blocks.1.attn.W_V" => (0..v).for_each(|t| put(1, token + t, t, d_head, 1.0)),
            "blocks.1.attn.W_O" => (0..v).for_each(|t| put(1, t, prediction + t, d_model, 1.0)),
            _ => {}
        }
        let value = Tensor::from_vec(values, value.shape(), &Device::Cpu).unwrap();
        parameters.insert(name, value);
    }
    let model = Transformer::from_parameters(&cfg, &parameters).unwrap();
    model.without_gradients()
}

fn repeated(model: &Transformer) -> Tensor {
    repeated_random_tokens(model, 8, 5, Some(N_SYMBOLS as u32), 3).unwrap()
}

#[test]
fn the_planted_circuit_is_found_by_every_measurement() {
    let model = planted();
    let tokens = repeated(&model);
    let scores = head_scores(&model, &tokens).unwrap().scores;
    assert!(scores[0].previous_token > 0.99);
    // One of six queries, the last of the first half, has no earlier occurrence.
    assert!(scores[3].induction > 5.0 / 6.0 - 0.01, "{:?}", scores[3]);
    let losses = loss_by_position(&model, &tokens).unwrap();
    // Behind the first token of the second half all is predicted.
    assert!(losses.losses[6..].iter().all(|loss| *loss < 1e-3));
    assert!(losses.in_context_score(1..4, 7..11).unwrap() < -1.0);
    let matching = prefix_matching_scores(&model).unwrap();
    let best = matching.best().unwrap();
    let heads = |s: &PrefixMatching| (s.from_layer, s.from_head, s.to_layer, s.to_head);
    assert_eq!(heads(&best), (0, 0, 1, 1));
    // A row with 1 on the diagonal and 10 zeros: z = (1 - 1/11) / sqrt(1/11 - 1/121) = sqrt(10).
    assert_eq!(best.matched, 1.0);
    assert!((best.z - 10f64.sqrt()).abs() < 1e-6);
    // Rows of zeros tie.
    let others = matching.scores.iter().filter(|s| heads(s) != heads(&best));
    for other in others {
        assert!((other.matched - 1.0 / 11.0).abs() < 1e-9 && other.z == 0.0);
    }
    let composed = composition_scores(&model, Composition::K).unwrap();
    let highest = composed.highest().unwrap();
    let pair = [
        highest.from_layer,
        highest.from_head,
        highest.to_layer,
        highest.to_head,
    ];
    assert_eq!(pair, [0, 0, 1, 1]);
    // `W_E W_V W_O W_U` is 20 on the diagonal, less its mean: no eigenvalue is negative.
    let copying = copying_scores(&model).unwrap();
    assert!((copying.of(1, 1).unwrap() - 1.0).abs() < 1e-4);
    assert!(copying.of(2, 0).is_err());
    // The keys of the induction head read the previous-token head; queries read the embedding.
    let tasks = induction_tasks(&model, 6, 5, Some(N_SYMBOLS as u32), 1).unwrap();
    let found = edge_activation_patching(&model, &tasks).unwrap();
    let (sender, receiver) = (
        Sender::Head { layer: 0, head: 0 },
        Receiver::Key { layer: 1, head: 1 },
    );
    let path = path_patching(&model, &tasks, sender, receiver).unwrap();
    assert!(path.score < -0.5, "{}", path.score);
    let large = found.scores.iter().filter(|s| s.magnitude > 0.1);
    let large: Vec<String> = large.map(|s| s.edge.to_string()).collect();
    assert_eq!(
        large,
        ["embed -> L0H0.v", "L0H0 -> L1H1.k", "L1H1 -> logits"]
    );
    // The planted pair has every sign; a pair with the other head of the first layer only that its second copies.
    let ablations = head_ablations(&model, &repeated(&model), (1, 1)).unwrap();
    let k = composition_scores(&model, Composition::K).unwrap();
    let matching = prefix_matching_scores(&model).unwrap();
    let signs = |from| induction_signs(&ablations, &k, &matching, &copying, &found, from);
    let planted = signs((0, 0)).unwrap();
    assert_eq!(planted.n_hold(), 5, "{planted}");
    assert_eq!(planted.frame().unwrap().shape(), (5, 3));
    let other = signs((0, 1)).unwrap();
    let held: Vec<bool> = other.rows.iter().map(|row| row.holds).collect();
    assert_eq!(held, [false, false, false, true, false], "{other}");
    assert!(signs((2, 0)).is_err());
}

#[test]
fn without_the_previous_token_head_the_induction_head_finds_nothing() {
    let model = planted();
    let tokens = repeated(&model);
    let none = head_scores_with_hooks(&model, &tokens, &[]).unwrap();
    assert_eq!(none, head_scores(&model, &tokens).unwrap());
    let of = |head| {
        let hooks = [ablate_head(0, head)];
        let found = head_scores_with_hooks(&model, &tokens, &hooks).unwrap();
        found.scores[3].induction
    };
    // All keys alike: the query at position q attends to each of q + 1. By the definition of the score.
    let uniform = (5..=10).map(|q| 1.0 / (q + 1) as f64).sum::<f64>() / 6.0;
    assert!((of(0) - uniform).abs() < 1e-4, "{} {uniform}", of(0));
    assert_eq!(of(1), none.scores[3].induction);
    assert!(head_scores_with_hooks(&model, &tokens, &[ablate_head(2, 0)]).is_err());
    let all = head_ablations(&model, &tokens, (1, 1)).unwrap();
    assert_eq!(
        (all.ablations.len(), all.induction),
        (4, none.scores[3].induction)
    );
    // Only the previous-token head decides where the induction head attends; the other two do nothing.
    for (layer, head) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let without = all.without(layer, head).unwrap();
        let matters = (layer, head) == (0, 0);
        assert_eq!(all.induction - without.induction > 0.3, matters, "{all}");
        let changed = (without.loss - all.loss).abs() > 1e-3;
        assert_eq!(changed, layer == head, "{all}");
    }
    assert!(all.without(2, 0).is_err());
    assert_eq!(all.frame().unwrap().shape(), (5, 5));
    assert!(head_ablations(&model, &tokens, (2, 0)).is_err());
}

#[test]
fn tasks_differ_in_the_earlier_occurrence_alone() {
    let model = planted();
    let bos = N_SYMBOLS as u32;
    for task in induction_tasks(&model, 20, 5, Some(bos), 7).unwrap() {
        let ids = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<u32>().unwrap();
        let (clean, corrupted) = (ids(&task.clean), ids(task.corrupted.as_ref().unwrap()));
        let query = clean.len() - 1;
        let differ: Vec<usize> = (0..clean.len())
            .filter(|&i| clean[i] != corrupted[i])
            .collect();
        assert_eq!(differ, [query - 5]);
        assert_eq!(clean[query], clean[query - 5]);
        assert!(!clean.contains(&corrupted[query - 5]) && corrupted[query - 5] != bos);
        let answer = clean[query - 4];
        let name = format!("log-probability of {answer} at position {query} (nats)");
        assert_eq!(task.metric.name(), name);
    }
    let message = |n, seq_len| {
        let found = induction_tasks(&model, n, seq_len, Some(bos), 1);
        found.unwrap_err().to_string()
    };
    assert!(message(0, 5).contains("n_sequences"));
    assert!(message(1, 10).contains("seq_len = 10"));
}

#[test]
fn losses_and_windows_are_means() {
    let found = LossByPosition {
        n_sequences: 3,
        losses: vec![4.0, 3.0, 2.0, 1.0],
    };
    // Positions 1 and 2 (4, 3) against 3 and 4 (2, 1).
    assert_eq!(found.in_context_score(1..3, 3..5).unwrap(), -2.0);
    assert_eq!(found.mean(), 2.5);
    for (early, late) in [(0..1, 3..5), (1..1, 3..5), (1..2, 3..6)] {
        assert!(found.in_context_score(early, late).is_err());
    }
    assert_eq!(found.frame().unwrap().shape(), (4, 2));
    let model = planted();
    let tokens = repeated(&model);
    let losses = loss_by_position(&model, &tokens).unwrap();
    let mean = model.loss(&tokens).unwrap().to_scalar::<f32>().unwrap();
    assert!((losses.mean() - f64::from(mean)).abs() < 1e-5);
    let bundle = losses.mime_bundle().unwrap();
    assert!(bundle.get("image/svg+xml").is_some());
    assert!(loss_by_position(&model, &tokens.narrow(1, 0, 1).unwrap()).is_err());
}

fn tiny() -> (Dataset, TransformerConfig, TrainingConfig) {
    let data = Dataset::of_repeated_tokens(&RepeatedTokens {
        n_symbols: 12,
        n_ctx: 16,
        min_period: 3,
        max_period: 7,
        n_train: 400,
        n_val: 20,
        seed: 1,
    })
    .unwrap();
    let model = TransformerConfig {
        n_layers: 2,
        d_model: 16,
        n_heads: 2,
        n_ctx: 16,
        d_vocab: data.tokenizer.n_vocab(),
        attn_only: true,
        ..TransformerConfig::default()
    };
    let training = TrainingConfig {
        steps: 25,
        batch_size: 8,
        lr: 5e-3,
        warmup_steps: 5,
        eval_every: 10,
        ..TrainingConfig::default()
    };
    (data, model, training)
}

#[test]
fn measuring_changes_nothing_and_every_checkpoint_is_there() {
    let (data, config, training) = tiny();
    let (a, b) = (
        Transformer::new(&config).unwrap(),
        Transformer::new(&config).unwrap(),
    );
    let plain = train_with(&a, &data, &training, &mut Silent).unwrap();
    let found = induction_formation_with(&b, &data, &training, 10, &mut Silent).unwrap();
    assert_eq!(found.history.train_loss, plain.train_loss);
    assert_eq!(found.history.val_loss, plain.val_loss);
    let steps: Vec<usize> = found.points.iter().map(|p| p.step).collect();
    assert_eq!(steps, [0, 10, 20, 25]);
    // The last point is the model at the end, measured here again.
    let last = found.points.last().unwrap();
    if found.history.best_step == 25 {
        let tokens = data.val.sequences(20, 16, &Device::Cpu).unwrap();
        let losses = loss_by_position(&b, &tokens).unwrap();
        assert!((losses.mean() - last.loss).abs() < 1e-6);
        let score = losses.in_context_score(1..2, 15..16).unwrap();
        assert!((score - last.in_context_score).abs() < 1e-6);
    }
    assert_eq!((found.early.clone(), found.late.clone()), (1..2, 15..16));
    assert_eq!(found.frame().unwrap().shape(), (4, 5));
    assert_eq!(found.heads_frame().unwrap().shape(), (4 * 4, 6));
    let bundle = found.mime_bundle().unwrap();
    let svg = bundle.get("image/svg+xml").unwrap();
    // Four panels, each with one unit.
    assert_eq!(svg.matches("<svg").count(), 5);
    for label in [
        "Induction score",
        "In-context score",
        "nats a token",
        "L1H1",
    ] {
        assert!(svg.contains(label), "{label}");
    }
    assert!(induction_formation_with(&b, &data, &training, 0, &mut Silent).is_err());
}

#[test]
fn the_phase_change_is_the_steepest_fall() {
    let point = |step, in_context_score, induction| FormationPoint {
        step,
        loss: 1.0,
        in_context_score,
        heads: vec![
            crate::interp::HeadScore {
                layer: 0,
                head: 0,
                previous_token: 0.9,
                duplicate_token: 0.0,
                induction: 0.0,
            },
            crate::interp::HeadScore {
                layer: 1,
                head: 0,
                previous_token: 0.1,
                duplicate_token: 0.0,
                induction,
            },
        ],
    };
    let mut found = InductionFormation {
        history: Default::default(),
        // Falls 0.1 in 10 steps, 1.0 in 50, 0.9 in 20: the last is steepest.
        points: vec![
            point(0, 0.0, 0.1),
            point(10, -0.1, 0.1),
            point(60, -1.1, 0.3),
            point(80, -2.0, 0.9),
        ],
        n_sequences: 1,
        early: 1..2,
        late: 3..4,
    };
    let (steps, change) = found.phase_change().unwrap();
    assert_eq!(steps, 60..80);
    assert!((change + 0.9).abs() < 1e-12);
    assert_eq!(found.previous_token_head().unwrap(), (0, 0));
    assert_eq!(found.induction_head().unwrap(), (1, 0));
    found.points.truncate(1);
    assert_eq!(found.phase_change(), None);
    found.points.clear();
    assert!(found.induction_head().is_err());
}
