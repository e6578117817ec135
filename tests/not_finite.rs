//! NaN and infinities stay what they are, or are errors that say where they began.

#[path = "common/sae_definition.rs"]
mod sae_definition;
#[path = "common/small_model.rs"]
mod small_model;

use holoscope::candle::{Device, Tensor};
use holoscope::config::{SaeConfig, SampleConfig, TrainingConfig};
use holoscope::interp::{
    feature_acts, feature_frequencies_with, interpretable_features_with, rare_direction,
    reconstruction_score_with, top_activations,
};
use holoscope::model::{Hook, Transformer};
use holoscope::progress::Silent;
use holoscope::sae::{
    ActiveFeatures, FeatureActivity, SparseAutoencoder, StandardParams, StandardSae, StandardStep,
    TopKSae, train_sae_with,
};
use holoscope::train::{AdamW, AdamWConfig, train_with};
use holoscope::{Error, Result};
use sae_definition::{inputs, params};
use small_model::small_model;

const NAN: f32 = f32::NAN;
const INF: f32 = f32::INFINITY;
const HOOK: &str = "blocks.0.mlp.hook_post";

/// Sets one element of a parameter.
fn spoil(model: &Transformer, name: &str, value: f32) {
    let parameters = model.named_parameters();
    let (_, var) = parameters.iter().find(|(n, _)| n == name).unwrap();
    let mut values: Vec<f32> = var.flatten_all().unwrap().to_vec1().unwrap();
    values[0] = value;
    let spoilt = Tensor::from_vec(values, var.shape(), &Device::Cpu).unwrap();
    var.set(&spoilt).unwrap();
}

fn tensor(values: &[f32], width: usize) -> Tensor {
    Tensor::from_slice(values, (values.len() / width, width), &Device::Cpu).unwrap()
}

fn rows(t: &Tensor) -> Vec<Vec<f32>> {
    t.to_vec2().unwrap()
}

/// W_enc (1, -1; 0, 2), W_dec its transpose, no biases: acts of (1, 3) are relu(1, 5).
fn tiny() -> StandardSae {
    let w = tensor(&[1.0, -1.0, 0.0, 2.0], 2);
    let zero = Tensor::zeros(2, w.dtype(), &Device::Cpu).unwrap();
    StandardSae::new(w.clone(), zero.clone(), w.t().unwrap(), zero).unwrap()
}

#[test]
fn the_first_hook_point_that_is_not_finite_is_named() -> Result<()> {
    let (model, _) = small_model();
    let tokens = Tensor::new(&[[1u32, 2, 3], [4, 5, 6]], &Device::Cpu)?;
    assert_eq!(model.first_non_finite(&tokens)?, None);
    model.check_finite(&tokens)?;

    // An infinity that a hook puts in: the third position of the second sequence.
    let hook = Hook::new("blocks.0.hook_mlp_out", |x| {
        let mut values: Vec<f32> = x.flatten_all()?.to_vec1()?;
        let last = values.len() - 1;
        values[last] = f32::NEG_INFINITY;
        Ok(Some(Tensor::from_vec(values, x.shape(), x.device())?))
    });
    let found = model
        .first_non_finite_with_hooks(&tokens, &[hook])?
        .unwrap();
    assert_eq!(found.hook_name, "blocks.0.hook_mlp_out");
    assert_eq!(found.index, [1, 2, 15]);
    assert_eq!(found.value, f64::NEG_INFINITY);

    // W_Q is [head, d_model, d_head]: its first element is in dimension 0 of head 0's queries. All
    // that comes before, such as the first norm, is finite.
    spoil(&model, "blocks.0.attn.W_Q", NAN);
    let found = model.first_non_finite(&tokens)?.unwrap();
    assert_eq!(found.hook_name, "blocks.0.attn.hook_q");
    assert_eq!(found.index, [0, 0, 0, 0]);
    assert!(found.value.is_nan());
    // It reaches every logit and the loss, with and without fused operations.
    let logits: Vec<f32> = model.forward(&tokens)?.flatten_all()?.to_vec1()?;
    assert!(logits.iter().all(|l| l.is_nan()));
    assert!(model.loss(&tokens)?.to_scalar::<f32>()?.is_nan());
    let error = model.check_finite(&tokens).unwrap_err();
    assert!(matches!(error, Error::NotFiniteAt { .. }));
    assert_eq!(
        error.to_string(),
        "blocks.0.attn.hook_q is NaN at [0, 0, 0, 0]"
    );
    Ok(())
}

#[test]
fn an_encoder_gives_nan_for_inputs_that_are_not_finite() -> Result<()> {
    // -INF of the first dimension would make relu(-inf) = 0 of feature 0.
    for bad in [NAN, -NAN, INF, -INF] {
        let x = tensor(&[1.0, 3.0, bad, 3.0, 1.0, bad], 2);
        let sae = tiny();
        let top_k = TopKSae::new(tiny(), 1)?;
        for (sae, first) in [
            (&sae as &dyn SparseAutoencoder, [1.0, 5.0]),
            (&top_k, [0.0, 5.0]),
        ] {
            let acts = rows(&sae.encode(&x)?);
            assert_eq!(acts[0], first);
            assert!(
                acts[1..].iter().flatten().all(|a| a.is_nan()),
                "{bad}: {acts:?}"
            );
            let lists = sae.encode_sparse(&x)?;
            for row in 1..3 {
                let (features, acts) = lists.row(row);
                assert_eq!(features, [0, 1]);
                assert!(acts.iter().all(|a| a.is_nan()));
            }
            let x_hat = rows(&sae.reconstruct(&x)?);
            assert!(x_hat[1..].iter().flatten().all(|v| v.is_nan()));
            let activity = sae.activity(&x)?;
            assert!(activity.sum.iter().all(|s| s.is_nan()), "{activity:?}");
            let dense = ActiveFeatures::of_dense(&sae.encode(&x)?)?;
            assert_eq!(format!("{dense:?}"), format!("{lists:?}"));
            assert!(FeatureActivity::of(&lists).sum[1].is_nan());
        }
    }
    Ok(())
}

#[test]
fn one_feature_of_nan_does_not_hide_the_others_and_is_not_hidden_by_them() -> Result<()> {
    // 40 features on one input of 1: pre-activations 0, 1, .. 39, that of feature 3 NaN. The two
    // largest others are 39 and 38.
    let mut w: Vec<f32> = (0..40).map(|j| j as f32).collect();
    w[3] = NAN;
    let dictionary = StandardSae::new(
        tensor(&w, 40),
        Tensor::zeros(40, holoscope::candle::DType::F32, &Device::Cpu)?,
        tensor(&[1.0; 40], 1),
        Tensor::zeros(1, holoscope::candle::DType::F32, &Device::Cpu)?,
    )?;
    let x = tensor(&[1.0], 1);
    let all = dictionary.encode_sparse(&x)?;
    assert_eq!(all.n_active(), 39); // all but feature 0, whose activation is 0
    let kept = TopKSae::new(dictionary.clone(), 3)?.encode_sparse(&x)?;
    assert_eq!(kept.row(0).0, [3, 38, 39]);
    assert!(kept.row(0).1[0].is_nan());
    // Two of NaN are two even where one counts.
    w[7] = NAN;
    let dictionary = StandardSae {
        w_enc: tensor(&w, 40),
        ..dictionary
    };
    let kept = TopKSae::new(dictionary, 1)?.encode_sparse(&x)?;
    assert_eq!(kept.row(0).0, [3, 7]);
    Ok(())
}

#[test]
fn a_step_on_numbers_that_are_not_finite_changes_nothing_and_says_which() -> Result<()> {
    let (d, s) = (6, 20);
    let start = || StandardStep::new(params(d, s, 1), 0.9, 0.99);
    let message = |step: &mut StandardStep, x: &[f32]| {
        let before = step.params().clone();
        let error = step.step(x, 1e-3, 0.1).unwrap_err();
        assert!(matches!(error, Error::NotFinite { step: 1, .. }), "{error}");
        let text = |p: &StandardParams| format!("{p:?}");
        assert_eq!(text(step.params()), text(&before));
        assert_eq!(step.steps(), 0);
        error.to_string()
    };
    for (bad, name) in [(NAN, "NaN"), (INF, "inf")] {
        let mut x = inputs(10, d, 2);
        x[4 * d + 5] = bad;
        let said = message(&mut start()?, &x);
        let wanted = format!("the input, dimension 5 of row 4 is {name} at step 1");
        assert!(said.starts_with(&wanted), "{said}");
    }
    let mut spoilt = params(d, s, 1);
    spoilt.w_enc_t[7 * d] = NAN;
    let said = message(
        &mut StandardStep::new(spoilt, 0.9, 0.99)?,
        &inputs(10, d, 2),
    );
    assert!(said.starts_with("W_enc of feature 7 is NaN"), "{said}");
    // The gradients of such a batch are what they are: NaN, dense and in lists.
    let mut x = inputs(10, d, 2);
    x[0] = NAN;
    for share in [0.0, 1.0] {
        let mut step = start()?.with_dense_above(share);
        let (figures, grads) = step.gradients(&x, 0.1)?;
        assert!(figures.l2.is_nan() && figures.l1.is_nan() && figures.l0.is_nan());
        assert!(
            grads.w_enc_t.iter().all(|g| g.is_nan()),
            "dense above {share}"
        );
    }
    for (lr, l1) in [
        (f64::NAN, 0.0),
        (1e-3, f64::NAN),
        (-1.0, 0.0),
        (1e-3, f64::INFINITY),
    ] {
        let outcome = start()?.step(&inputs(10, d, 2), lr, l1);
        assert!(matches!(outcome, Err(Error::Argument { .. })), "{lr} {l1}");
    }
    Ok(())
}

#[test]
fn analyses_of_a_model_of_nan_name_the_hook_point_where_it_began() -> Result<()> {
    let (model, data) = small_model();
    spoil(&model, "blocks.0.attn.W_Q", NAN);
    let sae = StandardSae::from_params(params(32, 48, 3), &Device::Cpu)?;
    let tokens = data.test.sequences(2, 32, &Device::Cpu)?;
    let (model, split) = (&model, &data.test);
    let cfg = SaeConfig {
        d_in: 32,
        d_sae: 48,
        steps: 2,
        batch_size: 64,
        buffer_tokens: 128,
        ..SaeConfig::default()
    };
    let outcomes = [
        feature_acts(model, &sae, HOOK, &tokens).map(drop),
        reconstruction_score_with(model, &sae, HOOK, split, &SampleConfig::new(1, 2, 0)).map(drop),
        feature_frequencies_with(
            model,
            &sae,
            HOOK,
            split,
            &SampleConfig::new(1, 2, 0),
            &mut Silent,
        )
        .map(drop),
        interpretable_features_with(model, &sae, HOOK, &data.tokenizer, split, 3, &mut Silent)
            .map(drop),
        top_activations(model, &sae, HOOK, &data.tokenizer, &tokens, 0, 5).map(drop),
        train_sae_with(model, &data, &cfg, &mut Silent).map(drop),
    ];
    for outcome in outcomes {
        let error = outcome.unwrap_err();
        assert!(matches!(error, Error::NotFiniteAt { .. }), "{error}");
        let said = error.to_string();
        assert!(
            said.starts_with("blocks.0.mlp.hook_post is NaN at [0, "),
            "{said}"
        );
        let began = "the first hook point of the pass that is not finite: blocks.0.attn.hook_q";
        assert!(said.contains(began), "{said}");
    }
    Ok(())
}

#[test]
fn figures_of_an_autoencoder_of_nan_are_nan() -> Result<()> {
    let (model, data) = small_model();
    let mut spoilt = params(32, 48, 3);
    spoilt.b_enc[5] = NAN;
    let sae = StandardSae::from_params(spoilt, &Device::Cpu)?;
    let split = &data.test;
    let f = feature_frequencies_with(
        &model,
        &sae,
        HOOK,
        split,
        &SampleConfig::new(1, 2, 0),
        &mut Silent,
    )?;
    assert!(f.freq[5].is_nan() && f.mean_act[5].is_nan());
    assert_eq!(f.freq.iter().filter(|f| f.is_nan()).count(), 1);
    assert!(f.dead_share.is_nan() && f.l0.is_nan());
    let error = rare_direction(&sae, &f.freq, 1e-4, 0).unwrap_err();
    assert_eq!(error.to_string(), "the frequency is NaN at feature 5");

    let score = reconstruction_score_with(&model, &sae, HOOK, split, &SampleConfig::new(1, 2, 0))?;
    assert!(score.recons.is_nan() && score.score.is_nan() && score.l0.is_nan());
    assert!(score.explained_variance.is_nan() && score.loss.is_finite());

    let found =
        interpretable_features_with(&model, &sae, HOOK, &data.tokenizer, split, 3, &mut Silent);
    let said = found.unwrap_err().to_string();
    let wanted = "the activation of feature 5 is NaN at position 0 of sequence 0";
    assert_eq!(said, wanted);

    // NaN stands at the top of the table, whatever its sign.
    let tokens = split.sequences(1, 32, &Device::Cpu)?;
    let table = top_activations(&model, &sae, HOOK, &data.tokenizer, &tokens, 5, 3)?;
    let html = holoscope::show::Show::mime_bundle(&table)?;
    assert_eq!(html.get("text/html").unwrap().matches(">NaN<").count(), 3);
    Ok(())
}

#[test]
fn training_of_a_model_of_nan_ends_with_an_error() -> Result<()> {
    let (model, data) = small_model();
    spoil(&model, "unembed.b_U", NAN);
    let cfg = TrainingConfig {
        steps: 2,
        batch_size: 2,
        eval_batches: 1,
        ..TrainingConfig::default()
    };
    let error = train_with(&model, &data, &cfg, &mut Silent).unwrap_err();
    assert!(matches!(error, Error::NotFinite { step: 0, .. }), "{error}");

    // A gradient of NaN: the optimiser names the parameter and leaves all of them alone.
    let (model, _) = small_model();
    let tokens = Tensor::new(&[[1u32, 2, 3]], &Device::Cpu)?;
    let cfg = AdamWConfig {
        beta1: 0.9,
        beta2: 0.95,
        eps: 1e-8,
        weight_decay: 0.01,
    };
    let mut optimiser = AdamW::new(model.named_parameters(), cfg)?;
    let loss = (model.loss(&tokens)? * f64::NAN)?;
    let before = model.parameter("unembed.W_U")?.copy()?;
    let error = optimiser.step(&loss.backward()?, 1e-3, 1.0).unwrap_err();
    // Parameters stand in the order of their names.
    let said = error.to_string();
    assert!(
        said.starts_with("the gradient of blocks.0.attn.W_K at"),
        "{said}"
    );
    assert!(said.contains("is NaN at step 1"), "{said}");
    assert_eq!(rows(&model.parameter("unembed.W_U")?), rows(&before));
    let grads = model.loss(&tokens)?.backward()?;
    for (lr, scale) in [(f64::NAN, 1.0), (1e-3, f64::NAN), (-1.0, 1.0)] {
        assert!(optimiser.step(&grads, lr, scale).is_err(), "{lr} {scale}");
    }
    Ok(())
}
