//! AuxK: its loss and gradients are those of the definition, for AbsTopK those of SAELens, too.

#[path = "common/sae_definition.rs"]
mod definition;
#[path = "common/sae_reference.rs"]
mod reference;
#[path = "common/small_model.rs"]
mod small_model;

use definition::{FIELDS, batch_top_k_acts, inputs, nested_loss, params, pre_activations};
use holoscope::Error;
use holoscope::config::{Architecture, SaeConfig};
use holoscope::progress::Silent;
use holoscope::sae::{SparseAutoencoder, StandardParams, StandardStep, train_sae_with};
use proptest::prelude::*;
use small_model::small_model;

const COEFF: f64 = 0.7;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    TopK(usize),
    AbsTopK(usize),
    Batch(f64),
    Nested(f64, usize),
}

fn step_of(p: StandardParams, kind: Kind, dense_above: f64) -> StandardStep {
    let step = StandardStep::new(p, 0.9, 0.99).unwrap();
    let step = step.with_dense_above(dense_above);
    let step = match kind {
        Kind::TopK(k) => step.with_top_k(k),
        Kind::AbsTopK(k) => step.with_abs_top_k(k),
        Kind::Batch(k) => step.with_batch_top_k(k, &[]).unwrap(),
        Kind::Nested(k, width) => step.with_batch_top_k(k, &[width]).unwrap(),
    };
    step.with_aux_k(COEFF, 1).unwrap()
}

/// Activations that count, by the definition, in f64. `[n][d_sae]`
fn acts_of(p: &StandardParams, x: &[f32], kind: Kind) -> Vec<Vec<f64>> {
    let by_token = |k: usize, size: fn(f64) -> f64| {
        let rows = x.chunks_exact(p.d_in).map(|x| pre_activations(p, x));
        rows.map(|pre| kept(&pre, k, size)).collect()
    };
    match kind {
        Kind::TopK(k) => by_token(k, |a| a.max(0.0)),
        Kind::AbsTopK(k) => by_token(k, f64::abs),
        Kind::Batch(k) | Kind::Nested(k, _) => batch_top_k_acts(p, x, k),
    }
}

/// The `k` largest by `size`, others 0; what has no size is 0.
fn kept(pre: &[f64], k: usize, size: fn(f64) -> f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..pre.len()).collect();
    order.sort_by(|&i, &j| size(pre[j]).total_cmp(&size(pre[i])));
    let mut acts = vec![0.0; pre.len()];
    for &j in order.iter().take(k).filter(|&&j| size(pre[j]) > 0.0) {
        acts[j] = pre[j];
    }
    acts
}

/// What each dead feature contributes to the auxiliary reconstruction. `[n][d_sae]`
fn aux_acts(
    p: &StandardParams,
    x: &[f32],
    dead: &[usize],
    k_aux: usize,
    signed: bool,
) -> Vec<Vec<f64>> {
    let rows = x.chunks_exact(p.d_in).map(|x| pre_activations(p, x));
    rows.map(|pre| {
        let mut order = dead.to_vec();
        let size = |j: usize| if signed { pre[j].abs() } else { pre[j] };
        order.sort_by(|&i, &j| size(j).total_cmp(&size(i)));
        let mut z = vec![0.0; pre.len()];
        let counts = |j: &&usize| signed || pre[**j] > 0.0;
        order
            .iter()
            .take(k_aux)
            .filter(counts)
            .for_each(|&j| z[j] = pre[j]);
        z
    })
    .collect()
}

/// `acts W_dec + bias`, token by token.
fn written(p: &StandardParams, acts: &[Vec<f64>], bias: &[f32]) -> Vec<Vec<f64>> {
    acts.iter()
        .map(|acts| {
            (0..p.d_in)
                .map(|i| {
                    let of = |(j, act): (usize, &f64)| act * f64::from(p.w_dec[j * p.d_in + i]);
                    f64::from(bias[i]) + acts.iter().enumerate().map(of).sum::<f64>()
                })
                .collect()
        })
        .collect()
}

/// The loss as it is defined, around what is left over with the parameters `held`.
fn loss(
    p: &StandardParams,
    held: &StandardParams,
    x: &[f32],
    kind: Kind,
    dead: &[usize],
) -> (f64, f64) {
    let (d, n) = (p.d_in, x.len() / p.d_in);
    let widths = match kind {
        Kind::Nested(_, width) => vec![width, p.d_sae],
        _ => vec![p.d_sae],
    };
    let main = nested_loss(p, x, &acts_of(p, x, kind), &widths);
    if dead.is_empty() {
        return (main, 0.0);
    }
    let k_aux = (d / 2).max(1);
    let weight = COEFF * (dead.len() as f64 / k_aux as f64).min(1.0);
    let signed = matches!(kind, Kind::AbsTopK(_));
    let x_hat = written(held, &acts_of(held, x, kind), &held.b_dec);
    let z = aux_acts(p, x, dead, k_aux.min(dead.len()), signed);
    let e_hat = written(p, &z, &vec![0.0; d]);
    let mut aux = 0.0;
    for (t, x) in x.chunks_exact(d).enumerate() {
        for i in 0..d {
            let e = f64::from(x[i]) - x_hat[t][i];
            aux += (e_hat[t][i] - e).powi(2);
        }
    }
    (main, weight * aux / n as f64)
}

/// Whether nothing that is chosen by size is within a step of the differences of something that is not.
fn apart(p: &StandardParams, x: &[f32], kind: Kind, dead: &[usize]) -> bool {
    let gap = |sizes: &mut Vec<f64>, k: usize| {
        sizes.sort_by(|a, b| b.total_cmp(a));
        k == 0 || k >= sizes.len() || sizes[k - 1] - sizes[k] > 2e-3
    };
    let pre: Vec<Vec<f64>> = x
        .chunks_exact(p.d_in)
        .map(|x| pre_activations(p, x))
        .collect();
    let k_aux = (p.d_in / 2).max(1);
    let signed = matches!(kind, Kind::AbsTopK(_));
    let size = |a: f64| if signed { a.abs() } else { a };
    let clear = pre.iter().flatten().all(|a| a.abs() > 2e-3);
    let aux = pre
        .iter()
        .all(|pre| gap(&mut dead.iter().map(|&j| size(pre[j])).collect(), k_aux));
    let main = match kind {
        Kind::TopK(k) | Kind::AbsTopK(k) => pre
            .iter()
            .all(|pre| gap(&mut pre.iter().map(|&a| size(a)).collect(), k)),
        Kind::Batch(k) | Kind::Nested(k, _) => {
            gap(&mut pre.concat(), (k * pre.len() as f64) as usize)
        }
    };
    clear && aux && main
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn gradients_with_the_auxiliary_loss_match_finite_differences(
        d_in in 1usize..7, n in 1usize..5, kind in prop_oneof![
            (1usize..4).prop_map(Kind::TopK),
            (1usize..4).prop_map(Kind::AbsTopK),
            (0.5f64..3.0).prop_map(Kind::Batch),
            (0.5f64..3.0, 1usize..9).prop_map(|(k, width)| Kind::Nested(k, width)),
        ],
        dense_above in prop_oneof![Just(0.0), Just(1.0)], seed in 0u64..10_000,
    ) {
        let d_sae = 9;
        let mut step = step_of(params(d_in, d_sae, seed), kind, dense_above);
        // One step of rate 0, after which what was silent is dead.
        step.step(&inputs(1, d_in, seed + 2), 0.0, 0.0).unwrap();
        let p = step.params().clone();
        let dead: Vec<usize> = (0..d_sae).filter(|&j| step.silent_steps()[j] > 0).collect();
        let x = inputs(n, d_in, seed + 1);
        prop_assume!(apart(&p, &x, kind, &dead));

        let (figures, grads) = step.gradients(&x, 0.0).unwrap();
        let (_, aux) = loss(&p, &p, &x, kind, &dead);
        prop_assert!((figures.aux - aux).abs() < 1e-4 * (1.0 + aux), "{} {aux}", figures.aux);
        let analytic = [&grads.w_enc_t, &grads.w_dec, &grads.b_enc, &grads.b_dec];
        for ((name, field), analytic) in FIELDS.into_iter().zip(analytic) {
            for (i, &g) in analytic.iter().enumerate() {
                let eps = 1e-4f32;
                let (mut up, mut down) = (p.clone(), p.clone());
                field(&mut up)[i] += eps;
                field(&mut down)[i] -= eps;
                let width = f64::from(field(&mut up)[i]) - f64::from(field(&mut down)[i]);
                let at = |q: &StandardParams| {
                    let (main, aux) = loss(q, &p, &x, kind, &dead);
                    main + aux
                };
                let numeric = (at(&up) - at(&down)) / width;
                prop_assert!(
                    (f64::from(g) - numeric).abs() < 5e-4 * (1.0 + numeric.abs()),
                    "{:?} {name}[{i}]: {g} against {numeric}", kind
                );
            }
        }
    }
}

/// `AbsTopKTrainingSAE` with `rescale_acts_by_decoder_norm=False`; dead is what `encode` of `x` leaves at 0;
/// `mse = ((sae_out - x)**2).sum(-1).mean()`, `aux = sae.calculate_topk_aux_loss(..)`, `(mse + aux).backward()`.
/// The others are the same in PyTorch with the ReLU that the paper's code has and SAELens does not (`openai/sparse_autoencoder`,
/// `train.py`: `auxk_vals = torch.relu(auxk_vals)`); without it that script gives SAELens' numbers to seven digits.
#[test]
fn losses_and_gradients_are_those_of_pytorch() {
    let x = reference::x();
    let cases = [
        (
            Kind::TopK(2),
            (8.373351097106934, 8.77577018737793),
            [
                (-0.487206900147, 5.189878579491),
                (-0.412983680346, 4.422936276413),
                (0.267787632898, 2.220756352303),
                (-3.993699316085, 3.760149228898),
            ],
        ),
        (
            Kind::AbsTopK(2),
            (10.565409660339355, 10.541666984558105),
            [
                (-2.0358542786183325, 6.550662931486399),
                (4.791478178884049, 7.8878909682961265),
                (0.8329258313541469, 1.9451311033258134),
                (-3.6120143134965463, 3.987993857337159),
            ],
        ),
        (
            Kind::Batch(1.5),
            (8.487968444824219, 8.331384658813477),
            [
                (0.246353913743, 4.877646052585),
                (-1.378112248831, 5.046877733468),
                (0.172938926446, 2.261699814986),
                (-4.660793733097, 4.389775359167),
            ],
        ),
    ];
    for (kind, (mse, aux), digests) in cases {
        let step = step_of(reference::params(), kind, 1.0);
        let mut step = step.with_aux_k(1.0, 1).unwrap();
        step.step(&x, 0.0, 0.0).unwrap();
        let (figures, grads) = step.gradients(&x, 0.0).unwrap();
        assert!(
            (figures.l2 - mse).abs() < 1e-5 * mse,
            "{kind:?} {}",
            figures.l2
        );
        assert!(
            (figures.aux - aux).abs() < 1e-5 * aux,
            "{kind:?} {}",
            figures.aux
        );
        let all = [&grads.w_enc_t, &grads.w_dec, &grads.b_enc, &grads.b_dec];
        for ((name, grad), digest) in ["W_enc", "W_dec", "b_enc", "b_dec"]
            .iter()
            .zip(all)
            .zip(digests)
        {
            reference::same_digest(&format!("{kind:?} {name}"), grad, digest);
        }
    }
}

#[test]
fn nothing_dead_or_all_dead_is_no_special_case() {
    let x = reference::x();
    // Nobody has been silent yet.
    let mut step = step_of(reference::params(), Kind::TopK(2), 1.0);
    assert_eq!(step.gradients(&x, 0.0).unwrap().0.aux, 0.0);
    // Biases under which no pre-activation is positive: all of them are dead, and none of them can learn.
    let mut p = reference::params();
    p.b_enc.fill(-50.0);
    let mut step = step_of(p, Kind::TopK(2), 1.0);
    step.step(&x, 0.0, 0.0).unwrap();
    let (figures, grads) = step.gradients(&x, 0.0).unwrap();
    assert_eq!(figures.l0, 0.0);
    assert!(figures.aux.is_finite() && figures.aux > 0.0);
    assert!(grads.b_enc.iter().all(|g| *g == 0.0));
    // And with the loss at weight 0 nothing is added.
    let step = step_of(reference::params(), Kind::TopK(2), 1.0).with_aux_k(0.0, 1);
    let mut step = step.unwrap();
    step.step(&x, 0.0, 0.0).unwrap();
    assert_eq!(step.gradients(&x, 0.0).unwrap().0.aux, 0.0);
}

#[test]
fn settings_that_do_not_fit_and_inputs_that_are_not_finite_are_refused() {
    let step = || StandardStep::new(reference::params(), 0.9, 0.99).unwrap();
    let refused = |outcome: holoscope::Result<StandardStep>| {
        assert!(
            matches!(outcome, Err(Error::Argument { .. })),
            "{outcome:?}"
        );
    };
    refused(step().with_aux_k(1.0, 1));
    refused(step().with_top_k(2).with_aux_k(-1.0, 1));
    refused(step().with_top_k(2).with_aux_k(f64::NAN, 1));
    refused(step().with_top_k(2).with_aux_k(1.0, 0));
    refused(
        step()
            .with_gates(vec![0.0; 16], vec![0.0; 16])
            .unwrap()
            .with_aux_k(1.0, 1),
    );
    let mut x = reference::x();
    let mut step = step_of(reference::params(), Kind::TopK(2), 1.0);
    step.step(&x, 0.0, 0.0).unwrap();
    let before = step.params().clone();
    x[3] = f32::NAN;
    let outcome = step.step(&x, 0.1, 0.0);
    assert!(
        matches!(outcome, Err(Error::NotFinite { .. })),
        "{outcome:?}"
    );
    assert_eq!(step.params(), &before);
    assert!(matches!(step.step(&[], 0.1, 0.0), Err(Error::Shape { .. })));

    for (architecture, fits) in [
        (Architecture::TopK { k: 4 }, true),
        (Architecture::AbsTopK { k: 4 }, true),
        (Architecture::BatchTopK { k: 4.0 }, true),
        (Architecture::Standard { l1_coeff: 0.1 }, false),
        (Architecture::Gated { l1_coeff: 0.1 }, false),
    ] {
        let cfg = SaeConfig {
            architecture,
            aux_coeff: 0.1,
            ..SaeConfig::default()
        };
        match cfg.validate() {
            Ok(()) => assert!(fits, "{:?}", cfg.architecture),
            Err(Error::Config { field, .. }) => assert!(!fits && field == "aux_coeff"),
            Err(other) => panic!("{other}"),
        }
    }
    let cfg = SaeConfig {
        aux_coeff: f64::NAN,
        ..SaeConfig::default()
    };
    assert!(matches!(cfg.validate(), Err(Error::Config { field, .. }) if field == "aux_coeff"));
}

#[test]
fn training_takes_the_loss_in_and_the_same_seed_gives_the_same_bits() {
    let (model, data) = small_model();
    let train = |aux_coeff: f64, architecture: Architecture| {
        let cfg = SaeConfig {
            d_in: 32,
            d_sae: 256,
            architecture,
            aux_coeff,
            steps: 300,
            batch_size: 128,
            buffer_tokens: 2_048,
            lr: 3e-3,
            warmup_steps: 20,
            resample_every: 0,
            dead_steps: 20,
            ..SaeConfig::default()
        };
        let (sae, history) = train_sae_with(&model, &data, &cfg, &mut Silent).unwrap();
        let w_dec = sae.w_dec().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        (
            history.dead_share.last().unwrap().1,
            history.explained_variance.clone(),
            w_dec,
        )
    };
    for architecture in [
        Architecture::TopK { k: 2 },
        Architecture::MatryoshkaBatchTopK {
            k: 2.0,
            widths: vec![32],
        },
    ] {
        let without = train(0.0, architecture.clone());
        let with = train(0.1, architecture.clone());
        println!(
            "{architecture:?}: dead {} without, {} with",
            without.0, with.0
        );
        assert!(with.2 != without.2 && with.2.iter().all(|w| w.is_finite()));
        assert_eq!(with, train(0.1, architecture));
    }
}
