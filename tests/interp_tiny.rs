//! The analyses on tiny models whose right answers are known: autoencoders that copy, that give
//! nothing, or whose features were planted to find one token.

use candle_core::{Device, IndexOp, Tensor};
use holoscope::config::{DataConfig, TransformerConfig};
use holoscope::data::{Corpus, Dataset, Factor, TokenLabels};
use holoscope::interp::{
    Predicate, TokenClass, describe_feature, factor_recovery, feature_acts, feature_frequencies,
    feature_logits, feature_tokens, interpretable_features, random_dictionary, rare_direction,
    reconstruction_score, token_frame, top_activations, top_logits, vocab_frame, with_feature,
};
use holoscope::model::Transformer;
use holoscope::progress::Silent;
use holoscope::sae::StandardSae;
use holoscope::show::Show;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

const HOOK: &str = "blocks.0.mlp.hook_post";
const N_CTX: usize = 24;

/// Two hundred speeches of two speakers, each about a king or a cat.
fn dataset() -> Dataset {
    let text: String = (0..200)
        .map(|i| {
            let name = if i % 2 == 0 { "ANNA" } else { "BOB" };
            let noun = if i % 3 == 0 { "king" } else { "cat" };
            format!(
                "{name}:\nThe {noun} saw the old {noun} and went home,\nand so the day went by.\n\n"
            )
        })
        .collect();
    Dataset::from_corpus(&Corpus::from_text("toy", &text), &DataConfig::default()).unwrap()
}

fn model(data: &Dataset, d_model: usize) -> Transformer {
    Transformer::new(&TransformerConfig {
        d_model,
        n_heads: 2,
        d_mlp: 32,
        n_ctx: N_CTX,
        d_vocab: data.tokenizer.n_vocab(),
        // Large, so that the MLP matters although nothing is trained.
        init_std: 0.5,
        ..TransformerConfig::default()
    })
    .unwrap()
}

fn normal(shape: (usize, usize), seed: u64) -> Tensor {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let values: Vec<f32> = (0..shape.0 * shape.1)
        .map(|_| rng.sample(StandardNormal))
        .collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

fn zeros(n: usize) -> Tensor {
    Tensor::zeros(n, candle_core::DType::F32, &Device::Cpu).unwrap()
}

/// `relu(x)` and `relu(-x)`, decoded to their difference: a perfect copy with d_in active features.
fn copying(d: usize) -> StandardSae {
    let one = Tensor::eye(d, candle_core::DType::F32, &Device::Cpu).unwrap();
    let both = Tensor::cat(&[&one, &one.neg().unwrap()], 1).unwrap(); // [d, 2 d]
    let back = both.t().unwrap().contiguous().unwrap();
    StandardSae::new(both, zeros(2 * d), back, zeros(d)).unwrap()
}

#[test]
fn a_perfect_copy_scores_one_and_silence_scores_zero() {
    let data = dataset();
    let model = model(&data, 16);
    let score =
        |sae: &StandardSae| reconstruction_score(&model, sae, HOOK, &data.test, 2, 4, 7).unwrap();
    let copy = score(&copying(32));
    assert!(
        (copy.recons - copy.loss).abs() < 1e-6 && (copy.score - 1.0).abs() < 1e-4,
        "{copy}"
    );
    assert!((copy.explained_variance - 1.0).abs() < 1e-6 && (copy.l0 - 32.0).abs() < 0.5);
    assert_eq!(copy.n_tokens, 2 * 4 * N_CTX);
    let silent = StandardSae::new(
        normal((32, 8), 1),
        zeros(8),
        Tensor::zeros((8, 32), candle_core::DType::F32, &Device::Cpu).unwrap(),
        zeros(32),
    )
    .unwrap();
    let nothing = score(&silent);
    assert!(
        (nothing.recons - nothing.zero_abl).abs() < 1e-6,
        "{nothing}"
    );
    assert!(nothing.score.abs() < 1e-4 && nothing.explained_variance <= 0.0);
    assert_eq!(
        nothing.loss, copy.loss,
        "the same seed reads the same batches"
    );
    assert_ne!(nothing.mean_abl, nothing.zero_abl);
}

#[test]
fn an_autoencoder_of_another_width_is_refused_by_name() {
    let data = dataset();
    let model = model(&data, 16);
    let run = |hook: &str| reconstruction_score(&model, &copying(8), hook, &data.test, 1, 2, 0);
    let message = run(HOOK).unwrap_err().to_string();
    assert!(
        message.contains(HOOK) && message.contains("d_in = 8"),
        "{message}"
    );
    assert!(run("blocks.0.attn.hook_pattern").is_err());
    assert!(
        run("blocks.0.mlp.hook_pots")
            .unwrap_err()
            .to_string()
            .contains("hook_post")
    );
}

#[test]
fn frequencies_are_shares_of_active_tokens() {
    let data = dataset();
    let model = model(&data, 16);
    let sae = copying(32);
    let f = feature_frequencies(&model, &sae, HOOK, &data.test, 3, 4, 1, &mut Silent).unwrap();
    assert_eq!((f.n_features(), f.n_tokens), (64, 3 * 4 * N_CTX));
    // relu(x) and relu(-x): exactly one of the two is active, save where x is 0.
    for i in 0..32 {
        assert!((f.freq[i] + f.freq[i + 32] - 1.0).abs() < 0.02, "{i}");
    }
    assert!((f.l0 - 32.0).abs() < 0.1);
    let again = feature_frequencies(&model, &sae, HOOK, &data.test, 3, 4, 1, &mut Silent).unwrap();
    assert_eq!(f, again);
    let all = feature_frequencies(&model, &sae, HOOK, &data.test, 0, 4, 1, &mut Silent).unwrap();
    assert!(all.n_tokens >= data.test.n_sequences(N_CTX) * N_CTX);
    let live = format!("among the {} live features", f.n_features() - f.n_dead());
    assert!(f.bimodality(0).unwrap().verdict().contains(&live));
    assert!(f.mime_bundle().unwrap().get("image/svg+xml").is_some());
}

#[test]
fn rare_features_of_one_direction_are_told_from_scattered_ones() {
    let (d_in, d_sae, n_rare) = (64, 200, 40);
    let scattered = normal((d_in, d_sae), 3);
    let shared = normal((d_in, 1), 4).affine(3.0, 0.0).unwrap();
    let alike = Tensor::cat(
        &[
            &scattered
                .narrow(1, 0, n_rare)
                .unwrap()
                .broadcast_add(&shared)
                .unwrap(),
            &scattered.narrow(1, n_rare, d_sae - n_rare).unwrap(),
        ],
        1,
    )
    .unwrap();
    let freq: Vec<f64> = (0..d_sae)
        .map(|i| if i < n_rare { 1e-5 } else { 1e-2 })
        .collect();
    let run = |w: &Tensor, freq: &[f64]| {
        let w_dec = w.t().unwrap().contiguous().unwrap();
        let sae = StandardSae::new(w.clone(), zeros(d_sae), w_dec, zeros(d_in)).unwrap();
        rare_direction(&sae, freq, 1e-4, 5).unwrap()
    };
    let one = run(&alike, &freq);
    assert!(
        one.share_one_direction() && one.mean_cos_rare > 0.9,
        "{one}"
    );
    assert_eq!((one.n_rare, one.aligned_share(0.5)), (n_rare, 1.0));
    let none = run(&scattered, &freq);
    assert!(!none.share_one_direction(), "{none}");
    // A random vector is part of its own mean: about 1/sqrt(40) = 0.158.
    assert!((none.null_random.median - 0.158).abs() < 0.01, "{none}");
    assert!((none.mean_cos_rare - 0.158).abs() < 0.05 && none.mean_cos_others.abs() < 0.05);
    // None of them is dead: nothing to leave out.
    assert_eq!(none.n_dead, 0);
    assert!((none.mean_cos_alive - none.mean_cos_rare).abs() < 1e-9);
    // The alike features are dead, as many others rare and scattered: only with the dead is
    // there a direction.
    let half_dead: Vec<f64> = (0..d_sae)
        .map(|i| {
            if i < n_rare {
                0.0
            } else if i < 2 * n_rare {
                1e-5
            } else {
                1e-2
            }
        })
        .collect();
    let mixed = run(&alike, &half_dead);
    assert_eq!((mixed.n_rare, mixed.n_dead), (2 * n_rare, n_rare));
    assert!(
        mixed.mean_cos_rare > mixed.null_random.high
            && mixed.mean_cos_alive < mixed.mean_cos_rare
            && (mixed.null_random_alive.median - 0.158).abs() < 0.01,
        "{mixed}"
    );
    assert!(
        mixed
            .verdict()
            .contains("Without the 40 dead ones, the 40 rare features left")
    );
    let no_rare = run(&scattered, &vec![0.5; d_sae]);
    assert!(no_rare.n_rare == 0 && no_rare.verdict().contains("too few"));
    for shown in [one, none, no_rare] {
        shown.mime_bundle().unwrap();
    }
}

/// One feature a token: it fires where the embedding is the token's own.
fn planted(model: &Transformer) -> StandardSae {
    let w_e = model.parameter("embed.W_E").unwrap(); // [d_vocab, d_model]
    let (n, d) = w_e.dims2().unwrap();
    let squares = w_e.sqr().unwrap().sum_keepdim(1).unwrap();
    let w_enc = w_e
        .broadcast_div(&squares)
        .unwrap()
        .t()
        .unwrap()
        .contiguous()
        .unwrap();
    let b_enc = zeros(n).affine(1.0, -0.9).unwrap();
    StandardSae::new(w_enc, b_enc, w_e, zeros(d)).unwrap()
}

#[test]
fn planted_token_features_are_described_as_what_they_are() {
    let data = dataset();
    let model = model(&data, 64);
    let sae = planted(&model);
    let t = &data.tokenizer;
    let king = t.encode(" king")[0];
    let found =
        interpretable_features(&model, &sae, "hook_embed", t, &data.train, 5, &mut Silent).unwrap();
    assert_eq!(found.features.len(), 5);
    assert!(
        found.n_scored >= 10 && found.share_above(0.99) == 1.0,
        "{found}"
    );
    let mut predicates: Vec<String> = found
        .features
        .iter()
        .map(|f| f.predicate.to_string())
        .collect();
    predicates.dedup();
    assert_eq!(predicates.len(), 5, "one feature a predicate");
    let summary = describe_feature(
        &model,
        &sae,
        "hook_embed",
        t,
        &data.train,
        king as usize,
        &mut Silent,
    )
    .unwrap();
    assert_eq!(summary.predicate, Predicate::Token("·king".into()));
    assert_eq!(
        (summary.precision(), summary.recall(), summary.mcc()),
        (1.0, 1.0, 1.0)
    );
    assert_eq!(summary.top_tokens, [(" king".to_owned(), 1.0)]);
    assert!(
        summary
            .examples
            .iter()
            .all(|e| e.context.contains("|·king|"))
    );
    assert!(summary.sentence().contains("“·king”") && summary.mass_share == 1.0);
    found.mime_bundle().unwrap();
    summary.mime_bundle().unwrap();
    // Beyond the vocabulary there is no feature.
    let n = t.n_vocab();
    assert!(describe_feature(&model, &sae, "hook_embed", t, &data.train, n, &mut Silent).is_err());
}

#[test]
fn a_feature_of_several_tokens_is_described_by_their_class() {
    let data = dataset();
    let model = model(&data, 256);
    let t = &data.tokenizer;
    // One feature that fires on comma, full stop and colon.
    let w_e = model.parameter("embed.W_E").unwrap();
    let mut column = Tensor::zeros(256, candle_core::DType::F32, &Device::Cpu).unwrap();
    for mark in [",", ".", ":"] {
        let row = w_e.i(t.encode(mark)[0] as usize).unwrap();
        let square = row.sqr().unwrap().sum_all().unwrap();
        column = (column + row.broadcast_div(&square).unwrap()).unwrap();
    }
    let sae = StandardSae::new(
        column.reshape((256, 1)).unwrap(),
        zeros(1).affine(1.0, -0.6).unwrap(),
        column.reshape((1, 256)).unwrap(),
        zeros(256),
    )
    .unwrap();
    let f = describe_feature(&model, &sae, "hook_embed", t, &data.train, 0, &mut Silent).unwrap();
    assert_eq!(
        f.predicate,
        Predicate::Class(TokenClass::Punctuation),
        "{f}"
    );
    assert!(f.mcc() > 0.9, "{f}");
}

#[test]
fn known_factors_are_recovered_by_the_feature_that_carries_them() {
    let mut data = dataset();
    let model = model(&data, 64);
    let king = data.tokenizer.encode(" king")[0];
    let carried: Vec<u16> = data
        .train
        .tokens
        .iter()
        .map(|&t| u16::from(t == king))
        .collect();
    let hidden: Vec<u16> = (0..carried.len()).map(|i| u16::from(i % 7 == 0)).collect();
    let factor = |name: &str| Factor {
        name: name.into(),
        values: vec!["absent".into(), "present".into()],
    };
    data.train.labels = Some(TokenLabels {
        factors: vec![factor("king"), factor("hidden")],
        values: vec![carried, hidden],
    });
    let sae = planted(&model);
    let r = factor_recovery(&model, &sae, "hook_embed", &data.train, &mut Silent).unwrap();
    assert_eq!(r.factors[0].factor, "king");
    assert_eq!(
        (r.factors[0].feature_id, r.factors[0].held_out.mcc()),
        (king as usize, 1.0)
    );
    assert!(r.factors[1].held_out.mcc() < 0.3, "{r}");
    r.mime_bundle().unwrap();
    assert!(factor_recovery(&model, &sae, "hook_embed", &data.val, &mut Silent).is_err());
}

#[test]
fn feature_logits_are_the_decoder_row_through_the_unembedding() {
    let data = dataset();
    let model = model(&data, 16);
    let sae = copying(32);
    let logits = feature_logits(&model, &sae, HOOK, 40).unwrap();
    // Feature 40 writes minus neuron 8.
    let w_out = model
        .parameter("blocks.0.mlp.W_out")
        .unwrap()
        .i(8)
        .unwrap()
        .neg()
        .unwrap();
    let centred = w_out.broadcast_sub(&w_out.mean_all().unwrap()).unwrap();
    let w_u = model.parameter("unembed.W_U").unwrap();
    let expected = centred
        .unsqueeze(0)
        .unwrap()
        .matmul(&w_u)
        .unwrap()
        .squeeze(0)
        .unwrap();
    let expected = expected
        .broadcast_sub(&expected.mean_all().unwrap())
        .unwrap();
    let difference = (&logits - &expected)
        .unwrap()
        .abs()
        .unwrap()
        .max_all()
        .unwrap();
    assert!(difference.to_scalar::<f32>().unwrap() < 1e-5);

    let top = top_logits(&model, &sae, HOOK, 40, &data.tokenizer, 4).unwrap();
    assert_eq!((top.top.len(), top.bottom.len()), (4, 4));
    let frame = vocab_frame(&data.tokenizer, &logits, true).unwrap();
    assert_eq!(
        frame.column("token").unwrap().str().unwrap().get(0),
        Some(top.top[0].0.as_str())
    );
    let total: f64 = frame
        .column("prob")
        .unwrap()
        .f64()
        .unwrap()
        .iter()
        .flatten()
        .sum();
    assert!((total - 1.0).abs() < 1e-9);
    assert!(top.bottom[0].1 < top.top[0].1);
    assert!(top.mime_bundle().unwrap().get("image/svg+xml").is_some());
    assert!(top_logits(&model, &sae, HOOK, 64, &data.tokenizer, 4).is_err());
    let pre = top_logits(&model, &sae, "blocks.0.mlp.hook_pre", 0, &data.tokenizer, 4);
    assert!(pre.unwrap_err().to_string().contains("residual"));
}

#[test]
fn a_text_longer_than_the_context_is_read_in_stretches() {
    let data = dataset();
    let model = model(&data, 64);
    let sae = planted(&model);
    let king = data.tokenizer.encode(" king")[0] as usize;
    let text = "The king saw the cat. ".repeat(12);
    let view = feature_tokens(
        &model,
        &sae,
        "hook_embed",
        &data.tokenizer,
        &text,
        king,
        None,
    )
    .unwrap();
    assert!(view.str_tokens.len() > 2 * N_CTX);
    for (token, value) in view.str_tokens.iter().zip(&view.values) {
        assert_eq!(*value > 0.0, token == " king", "{token:?} {value}");
    }
    assert!(feature_tokens(&model, &sae, "hook_embed", &data.tokenizer, "", king, None).is_err());
}

#[test]
fn token_frames_take_a_feature_and_top_activations_are_its_head() {
    let data = dataset();
    let model = model(&data, 16);
    let sae = copying(32);
    let tokens = data.test.sequences(3, N_CTX, &Device::Cpu).unwrap();
    let acts = feature_acts(&model, &sae, HOOK, &tokens).unwrap();
    assert_eq!(acts.dims(), [3, N_CTX, 64]);
    let frame = token_frame(&data.tokenizer, &tokens, 5, 1).unwrap();
    let frame = with_feature(&frame, &acts.i((.., .., 5)).unwrap()).unwrap();
    let mut values: Vec<f32> = frame
        .column("feature")
        .unwrap()
        .f32()
        .unwrap()
        .iter()
        .flatten()
        .collect();
    values.sort_by(|a, b| b.total_cmp(a));
    let table = top_activations(&model, &sae, HOOK, &data.tokenizer, &tokens, 5, 10).unwrap();
    let top: Vec<f32> = table
        .frame
        .column("feature")
        .unwrap()
        .f32()
        .unwrap()
        .iter()
        .flatten()
        .collect();
    assert_eq!(top.len(), 10);
    for (a, b) in top.iter().zip(&values) {
        assert!((a - b).abs() < 1e-5);
    }
    assert_eq!(table.gradient.as_deref(), Some("feature"));
}

#[test]
fn a_random_dictionary_is_as_sparse_as_it_is_told_to_be() {
    let data = dataset();
    let model = model(&data, 16);
    let sae = random_dictionary(&model, HOOK, &data.train, (32, 100), 9.0, 3).unwrap();
    let f = feature_frequencies(&model, &sae, HOOK, &data.train, 0, 8, 1, &mut Silent).unwrap();
    assert!((f.l0 - 9.0).abs() < 0.5, "{f}");
    let (low, high) = f
        .freq
        .iter()
        .fold((1.0, 0.0f64), |(l, h), &v| (v.min(l), v.max(h)));
    assert!(low > 0.05 && high < 0.14, "{low} {high}");
    let too_many = random_dictionary(&model, HOOK, &data.train, (32, 100), 100.0, 3);
    assert!(too_many.is_err());
}
