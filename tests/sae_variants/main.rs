//! BatchTopK, its Matryoshka form and JumpReLU: their steps follow the definitions, and training reaches
//! what it should.

#[path = "../common/sae_definition.rs"]
mod definition;
#[path = "../common/small_model.rs"]
mod small_model;
mod thresholds;
mod training;

use candle_core::{Device, Tensor};
use definition::{FIELDS, batch_top_k_acts, inputs, nested_loss, params, pre_activations};
use holoscope::Error;
use holoscope::config::L0Loss;
use holoscope::sae::{JumpReLUSae, SparseAutoencoder, StandardParams, StandardStep};
use proptest::prelude::*;

fn step(p: StandardParams) -> StandardStep {
    StandardStep::new(p, 0.9, 0.99).unwrap()
}

/// Every gradient of `step` against the slopes of `loss`.
fn check(
    p: &StandardParams,
    x: &[f32],
    step: &mut StandardStep,
    weight: f64,
    loss: impl Fn(&StandardParams) -> f64,
) {
    let (_, grads) = step.gradients(x, weight).unwrap();
    let analytic = [&grads.w_enc_t, &grads.w_dec, &grads.b_enc, &grads.b_dec];
    for ((name, field), analytic) in FIELDS.into_iter().zip(analytic) {
        for (i, &g) in analytic.iter().enumerate() {
            let eps = 1e-4f32;
            let (mut up, mut down) = (p.clone(), p.clone());
            field(&mut up)[i] += eps;
            field(&mut down)[i] -= eps;
            let width = f64::from(field(&mut up)[i]) - f64::from(field(&mut down)[i]);
            let numeric = (loss(&up) - loss(&down)) / width;
            assert!(
                (f64::from(g) - numeric).abs() < 4e-4 * (1.0 + numeric.abs()),
                "{name}[{i}]: {g} against {numeric}"
            );
        }
    }
}

/// Whether no two activations near the border of the batch's largest are close, nor any near 0.
fn apart(p: &StandardParams, x: &[f32], k: f64) -> bool {
    let pre = x.chunks_exact(p.d_in).map(|x| pre_activations(p, x));
    let mut all: Vec<f64> = pre.flatten().collect();
    let count = (k * (x.len() / p.d_in) as f64).floor() as usize;
    all.sort_by(|a, b| b.total_cmp(a));
    let border = match (
        count.checked_sub(1).and_then(|i| all.get(i)),
        all.get(count),
    ) {
        (Some(last), Some(next)) => *next < 0.0 || last - next > 2e-3,
        _ => true,
    };
    border && all.iter().all(|a| a.abs() > 2e-3)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn gradients_of_batch_top_k_and_nested_dictionaries_match_finite_differences(
        d_in in 1usize..6, n in 1usize..8, k in 0.2f64..4.0,
        widths in prop::collection::btree_set(1usize..10, 0..4), seed in 0u64..10_000,
    ) {
        let d_sae = 9;
        let mut widths: Vec<usize> = widths.into_iter().collect();
        let (p, x) = (params(d_in, d_sae, seed), inputs(n, d_in, seed + 1));
        prop_assume!(apart(&p, &x, k));
        let mut step = step(p.clone()).with_batch_top_k(k, &widths).unwrap();
        if widths.last() != Some(&d_sae) {
            widths.push(d_sae);
        }
        let loss = |p: &StandardParams| nested_loss(p, &x, &batch_top_k_acts(p, &x, k), &widths);
        check(&p, &x, &mut step, 0.0, loss);
        let whole = nested_loss(&p, &x, &batch_top_k_acts(&p, &x, k), &[d_sae]);
        let (figures, _) = step.gradients(&x, 0.0).unwrap();
        prop_assert!((figures.l2 - whole).abs() < 1e-4, "{} {whole}", figures.l2);
        let kept = batch_top_k_acts(&p, &x, k).concat().iter().filter(|a| **a > 0.0).count();
        prop_assert!((figures.l0 * n as f64 - kept as f64).abs() < 1e-6);
    }

    /// The thresholds' gradients by the formulas of the paper, each token and
    /// feature in turn; the others are slopes of the loss with the gates as they are.
    #[test]
    fn gradients_of_thresholds_follow_the_formula(
        d_in in 1usize..6, n in 1usize..8, l0 in 0.0f64..0.5, tanh: bool, seed in 0u64..10_000,
    ) {
        let (d_sae, bandwidth) = (9, 0.4);
        let (p, x) = (params(d_in, d_sae, seed), inputs(n, d_in, seed + 1));
        let theta: Vec<f32> = (0..d_sae).map(|j| 0.05 * j as f32).collect();
        let pre: Vec<Vec<f64>> = x.chunks_exact(d_in).map(|x| pre_activations(&p, x)).collect();
        let gap = |a: f64, j: usize| a - f64::from(theta[j]);
        let clear = pre.iter().all(|row| row.iter().enumerate().all(|(j, &a)| {
            gap(a, j).abs() > 2e-3 && (gap(a, j).abs() - bandwidth / 2.0).abs() > 1e-5
        }));
        prop_assume!(clear);
        let scale = 3.0;
        let l0_loss = if tanh { L0Loss::Tanh { scale } } else { L0Loss::Step };
        let mut step = step(p.clone()).with_thresholds(theta.clone(), bandwidth, l0_loss).unwrap();
        let acts_of = |p: &StandardParams| -> Vec<Vec<f64>> {
            let rows = x.chunks_exact(d_in).map(|x| pre_activations(p, x));
            rows.map(|row| {
                row.iter().enumerate().map(|(j, &a)| if gap(a, j) > 0.0 { a } else { 0.0 }).collect()
            }).collect()
        };
        check(&p, &x, &mut step, l0, |p| {
            let acts = acts_of(p);
            let sum = |f: &dyn Fn(f64) -> f64| acts.concat().iter().map(|&a| f(a)).sum::<f64>();
            let sparse = if tanh { sum(&|a| (scale * a).tanh()) } else { 0.0 };
            nested_loss(p, &x, &acts, &[d_sae]) + l0 * sparse / n as f64
        });

        let found = step.threshold_gradients(&x, l0).unwrap();
        let acts = acts_of(&p);
        for j in 0..d_sae {
            let w_dec = &p.w_dec[j * d_in..][..d_in];
            let mut wanted = 0.0;
            for (t, acts) in acts.iter().enumerate() {
                if gap(pre[t][j], j).abs() >= bandwidth / 2.0 {
                    continue;
                }
                let mut slope = 0.0;
                for i in 0..d_in {
                    let mut x_hat = f64::from(p.b_dec[i]);
                    for (m, act) in acts.iter().enumerate() {
                        x_hat += act * f64::from(p.w_dec[m * d_in + i]);
                    }
                    slope += 2.0 * (x_hat - f64::from(x[t * d_in + i])) * f64::from(w_dec[i]);
                }
                if tanh {
                    slope += l0 * scale * (1.0 - (scale * acts[j]).tanh().powi(2));
                }
                wanted -= f64::from(theta[j]) / bandwidth * slope / n as f64;
                if !tanh {
                    wanted -= l0 / bandwidth / n as f64;
                }
            }
            prop_assert!(
                (f64::from(found[j]) - wanted).abs() < 1e-4 * (1.0 + wanted.abs()),
                "theta[{j}]: {} against {wanted}", found[j]
            );
        }
    }

    /// The lists, the counter and the matrix of one autoencoder agree, and with the definition.
    #[test]
    fn a_jump_relu_autoencoder_keeps_what_is_above_its_threshold(
        d_in in 1usize..8, d_sae in 1usize..80, low in -0.5f32..0.5, seed in 0u64..1_000,
    ) {
        let (p, x) = (params(d_in, d_sae, seed), inputs(101, d_in, seed + 1));
        let theta: Vec<f32> = (0..d_sae).map(|j| low + (j % 7) as f32 * 0.1).collect();
        let sae = JumpReLUSae::from_params(p.clone(), theta.clone(), &Device::Cpu).unwrap();
        let x = Tensor::from_vec(x, (101, d_in), &Device::Cpu).unwrap();
        let acts = sae.encode(&x).unwrap();
        let (lists, rows) = (sae.encode_sparse(&x).unwrap(), acts.to_vec2::<f32>().unwrap());
        let mut counted = 0;
        for (i, (row, x)) in rows.iter().zip(x.to_vec2::<f32>().unwrap()).enumerate() {
            let pre = pre_activations(&p, &x);
            for j in 0..d_sae {
                let border = f64::from(theta[j].max(0.0));
                // Within rounding of its threshold an activation may be on either side.
                if (pre[j] - border).abs() > 1e-5 {
                    let wanted = if pre[j] > border { pre[j] } else { 0.0 };
                    prop_assert!((f64::from(row[j]) - wanted).abs() < 1e-5);
                    let listed = lists.row(i).0.contains(&(j as u32));
                    prop_assert_eq!(listed, wanted > 0.0);
                    counted += usize::from(listed);
                }
            }
        }
        let activity = sae.activity_counter().unwrap()(&x).unwrap();
        prop_assert_eq!(activity.active.iter().sum::<u64>() as usize, lists.n_active());
        prop_assert!(counted <= lists.n_active());
    }
}

#[test]
fn the_encoders_floor_does_not_change_which_activations_count() {
    let (p, x) = (params(6, 40, 1), inputs(300, 6, 2));
    let mut warm = step(p.clone()).with_batch_top_k(3.0, &[10]).unwrap();
    // A batch whose least activation that counts is far above that of the next.
    let loud: Vec<f32> = x.iter().map(|v| 20.0 * v).collect();
    warm.squared_errors(&loud).unwrap();
    let mut cold = step(p).with_batch_top_k(3.0, &[10]).unwrap();
    for _ in 0..3 {
        assert!(warm.gradients(&x, 0.0).unwrap() == cold.gradients(&x, 0.0).unwrap());
    }
    assert!((cold.gradients(&x, 0.0).unwrap().0.l0 - 3.0).abs() < 1e-9);
}

#[test]
fn a_step_moves_the_thresholds_by_adam_and_never_below_zero() {
    let (p, x) = (params(6, 40, 3), inputs(300, 6, 4));
    let mut step = step(p)
        .with_thresholds(vec![0.01; 40], 0.4, L0Loss::Step)
        .unwrap();
    let gradients = step.threshold_gradients(&x, 0.3).unwrap();
    let lr = 5e-3f32;
    step.step(&x, f64::from(lr), 0.3).unwrap();
    let after = step.thresholds().unwrap();
    for (j, (&theta, &g)) in after.iter().zip(&gradients).enumerate() {
        // Adam's first step is its rate against the gradient's sign.
        let wanted = if g == 0.0 {
            0.01
        } else {
            0.01 - lr * g.signum()
        };
        assert!((theta - wanted).abs() < 1e-5, "{j}: {theta} {g}");
    }
    // Negative sparsity is refused, so descent on the error alone takes some to the border.
    for _ in 0..30 {
        step.step(&x, f64::from(lr), 0.0).unwrap();
    }
    let thresholds = step.thresholds().unwrap();
    assert!(thresholds.iter().all(|&t| t >= 0.0 && t.is_finite()));
}

#[test]
fn bad_inputs_are_errors_and_change_nothing() {
    let new = || step(params(4, 20, 5));
    let steps: [fn(StandardStep) -> StandardStep; 3] = [
        |s| s.with_batch_top_k(2.0, &[]).unwrap(),
        |s| s.with_batch_top_k(2.0, &[3, 9]).unwrap(),
        |s| {
            s.with_thresholds(vec![0.02; 20], 0.1, L0Loss::Step)
                .unwrap()
        },
    ];
    for select in steps {
        let mut step = select(new());
        let mut x = inputs(7, 4, 6);
        assert!(matches!(
            step.step(&[], 1e-3, 0.1),
            Err(Error::Shape { .. })
        ));
        assert!(matches!(
            step.step(&x[1..], 1e-3, 0.1),
            Err(Error::Shape { .. })
        ));
        for bad in [f32::NAN, f32::INFINITY] {
            x[9] = bad;
            let error = step.step(&x, 1e-3, 0.1).unwrap_err();
            assert!(matches!(error, Error::NotFinite { step: 1, .. }), "{error}");
            assert!(error.to_string().contains("row 2"), "{error}");
        }
        assert!(*step.params() == params(4, 20, 5));
        assert_eq!(step.steps(), 0);
    }
    for (k, widths) in [
        (0.0, &[][..]),
        (f64::NAN, &[]),
        (2.0, &[0, 5]),
        (2.0, &[5, 5]),
        (2.0, &[21]),
    ] {
        let outcome = new().with_batch_top_k(k, widths);
        assert!(
            matches!(outcome, Err(Error::Argument { .. })),
            "{k} {widths:?}"
        );
    }
    let thresholds =
        |n, value, bandwidth| new().with_thresholds(vec![value; n], bandwidth, L0Loss::Step);
    assert!(matches!(thresholds(19, 0.1, 0.1), Err(Error::Shape { .. })));
    assert!(matches!(
        thresholds(20, -0.1, 0.1),
        Err(Error::Argument { .. })
    ));
    assert!(matches!(
        thresholds(20, f32::NAN, 0.1),
        Err(Error::Argument { .. })
    ));
    assert!(matches!(
        thresholds(20, 0.1, 0.0),
        Err(Error::Argument { .. })
    ));
}
