//! AbsTopK: signed activations, in training and wherever activations are counted.

#[path = "common/sae_definition.rs"]
mod definition;
#[path = "common/sae_reference.rs"]
mod reference;
#[path = "common/small_model.rs"]
mod small_model;

use candle_core::{Device, Tensor};
use definition::{FIELDS, inputs, nested_loss, params, pre_activations};
use holoscope::Error;
use holoscope::config::{Architecture, SaeConfig, SampleConfig};
use holoscope::interp::{feature_dashboards, feature_frequencies_with, reconstruction_score_with};
use holoscope::progress::Silent;
use holoscope::sae::{
    AbsTopKSae, Sae, SparseAutoencoder, StandardParams, StandardSae, StandardStep, train_sae_with,
};
use proptest::prelude::*;
use reference::{D, N, close};
use small_model::small_model;

/// `AbsTopKSAE(AbsTopKSAEConfig(d_in=8, d_sae=16, k=3))`: `encode(x)[0]`, `decode(encode(x))[0]`,
/// `encode(x).sum()`.
#[test]
fn activations_and_reconstructions_are_those_of_saelens() {
    let dictionary = StandardSae::from_params(reference::params(), &Device::Cpu).unwrap();
    let sae = AbsTopKSae::new(dictionary, 3).unwrap();
    let x = reference::tensor(reference::x(), &[N, D]);
    let acts = sae.encode(&x).unwrap();
    let rows = acts.to_vec2::<f32>().unwrap();
    let wanted = [(7, -1.76077), (8, -1.19786), (15, -1.53672)];
    for (j, &act) in rows[0].iter().enumerate() {
        let wanted = wanted.iter().find(|w| w.0 == j).map_or(0.0, |w| w.1);
        assert!((act - wanted).abs() < 1e-5, "{j}: {act} against {wanted}");
    }
    let sum: f64 = rows.iter().flatten().map(|&a| f64::from(a)).sum();
    assert!((sum + 15.466561615467072).abs() < 1e-4, "{sum}");
    assert_eq!(rows.iter().flatten().filter(|a| **a != 0.0).count(), 30);
    let x_hat = sae.decode(&acts).unwrap().to_vec2::<f32>().unwrap();
    let wanted = [
        -0.68479, 1.4357, 0.15513, 1.80046, 0.201607, -0.475298, -0.853756, 1.60153,
    ];
    close("x_hat", &x_hat[0], &wanted, 1e-5);
}

fn acts_of(p: &StandardParams, x: &[f32], k: usize) -> Vec<Vec<f64>> {
    let rows = x.chunks_exact(p.d_in).map(|x| pre_activations(p, x));
    rows.map(|pre| {
        let mut order: Vec<usize> = (0..pre.len()).collect();
        order.sort_by(|&i, &j| pre[j].abs().total_cmp(&pre[i].abs()));
        let mut acts = vec![0.0; pre.len()];
        order.iter().take(k).for_each(|&j| acts[j] = pre[j]);
        acts
    })
    .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn gradients_match_finite_differences(
        d_in in 1usize..6, n in 1usize..6, k in 1usize..9,
        dense_above in prop_oneof![Just(0.0), Just(1.0)], seed in 0u64..10_000,
    ) {
        let (d_sae, x) = (9, inputs(n, d_in, seed + 1));
        let p = params(d_in, d_sae, seed);
        let clear = x.chunks_exact(d_in).all(|x| {
            let mut sizes: Vec<f64> = pre_activations(&p, x).iter().map(|a| a.abs()).collect();
            sizes.sort_by(|a, b| b.total_cmp(a));
            k >= d_sae || sizes[k - 1] - sizes[k] > 2e-3
        });
        prop_assume!(clear);
        let step = StandardStep::new(p.clone(), 0.9, 0.99).unwrap();
        let mut step = step.with_dense_above(dense_above).with_abs_top_k(k);
        let (figures, grads) = step.gradients(&x, 0.0).unwrap();
        let loss = |p: &StandardParams| nested_loss(p, &x, &acts_of(p, &x, k), &[d_sae]);
        prop_assert!((figures.l2 - loss(&p)).abs() < 1e-4 * (1.0 + loss(&p)));
        let l1: f64 = acts_of(&p, &x, k).concat().iter().map(|a| a.abs()).sum();
        prop_assert!((figures.l1 - l1 / n as f64).abs() < 1e-4 * (1.0 + l1));
        let analytic = [&grads.w_enc_t, &grads.w_dec, &grads.b_enc, &grads.b_dec];
        for ((name, field), analytic) in FIELDS.into_iter().zip(analytic) {
            for (i, &g) in analytic.iter().enumerate() {
                let eps = 1e-4f32;
                let (mut up, mut down) = (p.clone(), p.clone());
                field(&mut up)[i] += eps;
                field(&mut down)[i] -= eps;
                let width = f64::from(field(&mut up)[i]) - f64::from(field(&mut down)[i]);
                let numeric = (loss(&up) - loss(&down)) / width;
                prop_assert!(
                    (f64::from(g) - numeric).abs() < 4e-4 * (1.0 + numeric.abs()),
                    "{name}[{i}]: {g} against {numeric}"
                );
            }
        }
    }
}

#[test]
fn a_sparsity_weight_and_a_k_out_of_range_are_refused() {
    let mut step = StandardStep::new(params(4, 9, 1), 0.9, 0.99)
        .unwrap()
        .with_abs_top_k(2);
    let x = inputs(5, 4, 2);
    assert!(matches!(
        step.step(&x, 0.1, 0.5),
        Err(Error::Argument { .. })
    ));
    assert!(matches!(
        step.gradients(&x, 0.5),
        Err(Error::Argument { .. })
    ));
    assert!(step.step(&x, 0.1, 0.0).is_ok());
    let cfg = SaeConfig {
        architecture: Architecture::AbsTopK { k: 0 },
        ..SaeConfig::default()
    };
    assert!(matches!(cfg.validate(), Err(Error::Config { field, .. }) if field == "k"));
}

#[test]
fn it_trains_is_saved_and_is_counted_by_both_signs() {
    let (model, data) = small_model();
    let cfg = SaeConfig {
        d_in: 32,
        d_sae: 128,
        architecture: Architecture::AbsTopK { k: 6 },
        aux_coeff: 0.05,
        steps: 300,
        batch_size: 256,
        buffer_tokens: 2_048,
        lr: 5e-3,
        warmup_steps: 20,
        resample_every: 50,
        dead_steps: 20,
        ..SaeConfig::default()
    };
    let (sae, history) = train_sae_with(&model, &data, &cfg, &mut Silent).unwrap();
    println!("{}", history.summary());
    let explained = history.explained_variance.last().unwrap().1;
    assert!(explained > 0.75, "{explained}");
    assert_eq!(sae.architecture(), "abstopk");
    assert_eq!(
        sae.summary(),
        "AbsTopK (k = 6) autoencoder of blocks.0.mlp.hook_post: d_in 32, d_sae 128"
    );

    let score = reconstruction_score_with(
        &model,
        &sae,
        &cfg.hook_name,
        &data.train,
        &SampleConfig::new(4, 16, 1),
    )
    .unwrap();
    assert!((score.l0 - 6.0).abs() < 1e-9, "{score:?}");
    assert!(
        (score.explained_variance - explained).abs() < 0.1,
        "{score:?}"
    );
    let found = feature_frequencies_with(
        &model,
        &sae,
        &cfg.hook_name,
        &data.train,
        &SampleConfig::new(2, 16, 1),
        &mut Silent,
    );
    let found = found.unwrap();
    assert!((found.l0 - 6.0).abs() < 1e-9, "{}", found.l0);
    assert!(found.mean_act.iter().any(|m| *m < 0.0));
    // A dashboard shows both signs.
    let negative = (0..128).find(|&j| found.mean_act[j] < 0.0).unwrap();
    let page = feature_dashboards(&model, &sae, &cfg.hook_name, &data, &[negative]).unwrap();
    let (lowest, _) = page.dashboards[0].act_histogram.range().unwrap();
    assert!(lowest < 0.0 && (lowest - page.dashboards[0].min_act).abs() < 1e-4);

    let dir = tempfile::tempdir().unwrap();
    sae.save(dir.path()).unwrap();
    let text = std::fs::read_to_string(dir.path().join("cfg.json")).unwrap();
    assert!(text.contains("\"architecture\": \"abstopk\""), "{text}");
    let back = Sae::load(dir.path()).unwrap();
    let x = reference::tensor(reference::f(20 * 32, 0.9, 0.1), &[20, 32]);
    let acts = |sae: &Sae| sae.encode(&x).unwrap().to_vec2::<f32>().unwrap();
    assert_eq!(acts(&back), acts(&sae));
    assert!(acts(&sae).concat().iter().any(|a| *a < 0.0));
    let columns = sae
        .encode_features(&x, &[3, 70])
        .unwrap()
        .to_vec2::<f32>()
        .unwrap();
    let rows = acts(&sae);
    assert!(
        rows.iter()
            .zip(&columns)
            .all(|(row, c)| [row[3], row[70]] == c[..])
    );
}

#[test]
fn activations_without_variance_train_to_finite_parameters() {
    let x = vec![2.0f32; 50 * 4];
    let mut p = params(4, 9, 3);
    p.b_dec.fill(2.0);
    let mut step = StandardStep::new(p, 0.9, 0.99).unwrap().with_abs_top_k(2);
    for _ in 0..20 {
        assert!(step.step(&x, 0.01, 0.0).unwrap().l2.is_finite());
    }
    let nan = Tensor::new(&[[f32::NAN, 0.0, 0.0, 0.0]], &Device::Cpu).unwrap();
    let sae = StandardSae::from_params(step.into_params(), &Device::Cpu).unwrap();
    let acts = AbsTopKSae::new(sae, 2).unwrap().encode(&nan).unwrap();
    assert!(acts.to_vec2::<f32>().unwrap()[0].iter().all(|a| a.is_nan()));
}

/// The configuration as `AbsTopKSAE.save_model` of sae-lens 6.54.0 writes it.
#[test]
fn a_folder_of_saelens_is_read() {
    let cfg = r#"{"d_in": 8, "d_sae": 16, "dtype": "float32", "device": "cpu", "apply_b_dec_to_input": true,
        "normalize_activations": "none", "reshape_activations": "none", "metadata": {"sae_lens_version": "6.54.0",
        "sae_lens_training_version": "6.54.0"}, "k": 3, "rescale_acts_by_decoder_norm": false,
        "architecture": "abstopk"}"#;
    let p = reference::params();
    let w_enc = reference::tensor(p.w_enc_t, &[16, D]).t().unwrap();
    let dir = reference::folder(
        cfg,
        &[
            ("W_enc", w_enc.contiguous().unwrap()),
            ("W_dec", reference::tensor(p.w_dec, &[16, D])),
            ("b_enc", reference::tensor(p.b_enc, &[16])),
            ("b_dec", reference::tensor(p.b_dec, &[D])),
        ],
    );
    let sae = Sae::load(dir.path()).unwrap();
    let x = reference::tensor(reference::x(), &[N, D]);
    let act = sae.encode(&x).unwrap().to_vec2::<f32>().unwrap()[0][7];
    assert!((act + 1.76077).abs() < 1e-5, "{act}");
}
