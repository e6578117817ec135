//! What one feature is about, on tiny models whose right answers are known: its predicate, its
//! factor, its logits, its tokens.

#[path = "common/analyses.rs"]
mod analyses;

use analyses::{HOOK, N_CTX, copying, dataset, model, planted, zeros};
use candle_core::{DType, Device, IndexOp, Tensor};
use holoscope::data::{Factor, TokenLabels};
use holoscope::interp::{
    Predicate, TokenClass, describe_feature_with, factor_recovery_with, feature_acts,
    feature_logits, feature_tokens, interpretable_features_with, strongest_sequence, token_frame,
    top_activations, top_logits, vocab_frame, with_feature,
};
use holoscope::progress::Silent;
use holoscope::sae::StandardSae;
use holoscope::show::Show;

#[test]
fn planted_token_features_are_described_as_what_they_are() {
    let data = dataset();
    let model = model(&data, 64);
    let sae = planted(&model);
    let t = &data.tokenizer;
    let king = t.encode(" king")[0];
    let found =
        interpretable_features_with(&model, &sae, "hook_embed", t, &data.train, 5, &mut Silent)
            .unwrap();
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
    let summary = describe_feature_with(
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
    assert!(
        describe_feature_with(&model, &sae, "hook_embed", t, &data.train, n, &mut Silent).is_err()
    );
}

#[test]
fn a_feature_of_several_tokens_is_described_by_their_class() {
    let data = dataset();
    let model = model(&data, 256);
    let t = &data.tokenizer;
    // One feature that fires on comma, full stop and colon.
    let w_e = model.parameter("embed.W_E").unwrap();
    let mut column = Tensor::zeros(256, DType::F32, &Device::Cpu).unwrap();
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
    let f =
        describe_feature_with(&model, &sae, "hook_embed", t, &data.train, 0, &mut Silent).unwrap();
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
    let r = factor_recovery_with(&model, &sae, "hook_embed", &data.train, &mut Silent).unwrap();
    assert_eq!(r.factors[0].factor, "king");
    assert_eq!(
        (r.factors[0].feature_id, r.factors[0].held_out.mcc()),
        (king as usize, 1.0)
    );
    assert!(r.factors[1].held_out.mcc() < 0.3, "{r}");
    r.mime_bundle().unwrap();
    assert!(factor_recovery_with(&model, &sae, "hook_embed", &data.val, &mut Silent).is_err());
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
    let top: Vec<f32> = table.rows.iter().map(|row| row.activation).collect();
    assert_eq!(top.len(), 10);
    assert_eq!(table.frame().unwrap().shape(), (10, 5));
    for (a, b) in top.iter().zip(&values) {
        assert!((a - b).abs() < 1e-5);
    }
    // The strongest sequence is that of the first row, its largest value that row's activation.
    let n = data.test.n_sequences(model.cfg().n_ctx);
    let sequences = data
        .test
        .sequences(n, model.cfg().n_ctx, model.device())
        .unwrap();
    let first = top_activations(&model, &sae, HOOK, &data.tokenizer, &sequences, 5, 1).unwrap();
    let found = strongest_sequence(&model, &sae, HOOK, &data.tokenizer, &data.test, 5, n).unwrap();
    assert_eq!(
        (found.sequence, found.n_sequences),
        (first.rows[0].batch, n)
    );
    assert_eq!(found.activation, first.rows[0].activation);
    let most = found.tokens.values.iter().copied().fold(0.0, f64::max);
    assert!((most - f64::from(found.activation)).abs() < 1e-5);
    assert_eq!(found.frame().unwrap().height(), model.cfg().n_ctx - 1);
    assert!(found.mime_bundle().unwrap().get("text/html").is_some());
    let none = strongest_sequence(&model, &sae, HOOK, &data.tokenizer, &data.test, 5, 0);
    assert!(none.unwrap_err().to_string().contains("whole one"));
}
