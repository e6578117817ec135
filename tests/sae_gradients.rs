//! The hand-written gradients of the autoencoders are the slopes of the loss as it is defined.

#[path = "common/sae_definition.rs"]
mod definition;

use definition::{FIELDS, inputs, loss, params, pre_activations, top_k_loss};
use holoscope::sae::{StandardParams, StandardStep};
use proptest::prelude::*;

#[test]
fn gradients_of_every_parameter_match_finite_differences() {
    let step = |p| {
        StandardStep::new(p, 0.9, 0.99)
            .unwrap()
            .with_dense_above(1.0)
    };
    check_gradients(step, |p, x| loss(p, x, 0.3), 0.3);
}

#[test]
fn gradients_of_the_largest_activations_match_finite_differences() {
    for dense_above in [0.0, 1.0] {
        check_gradients(
            |p| {
                StandardStep::new(p, 0.9, 0.99)
                    .unwrap()
                    .with_dense_above(dense_above)
                    .with_top_k(2)
            },
            |p, x| top_k_loss(p, x, 0.0, 2),
            0.0,
        );
    }
    let mut step = StandardStep::new(params(7, 19, 1), 0.9, 0.99)
        .unwrap()
        .with_top_k(2);
    assert!(step.gradients(&inputs(11, 7, 2), 0.0).unwrap().0.l0 <= 2.0);
}

fn check_gradients(
    step: impl Fn(StandardParams) -> StandardStep,
    loss: impl Fn(&StandardParams, &[f32]) -> f64,
    l1: f64,
) {
    let (d_in, d_sae, n) = (7, 19, 11);
    let p = params(d_in, d_sae, 1);
    let x = inputs(n, d_in, 2);
    check_gradients_at(&p, &x, step, loss, l1);
}

fn check_gradients_at(
    p: &StandardParams,
    x: &[f32],
    step: impl Fn(StandardParams) -> StandardStep,
    loss: impl Fn(&StandardParams, &[f32]) -> f64,
    l1: f64,
) {
    let (figures, grads) = step(p.clone()).gradients(x, l1).unwrap();
    assert!((figures.l2 + l1 * figures.l1 - loss(p, x)).abs() < 1e-5);
    let analytic = [&grads.w_enc_t, &grads.w_dec, &grads.b_enc, &grads.b_dec];
    for ((name, field), analytic) in FIELDS.into_iter().zip(analytic) {
        for (i, &g) in analytic.iter().enumerate() {
            // The loss is piecewise smooth; a step this small seldom crosses a kink, and f64 carries it.
            let eps = 1e-4f32;
            let (mut up, mut down) = (p.clone(), p.clone());
            field(&mut up)[i] += eps;
            field(&mut down)[i] -= eps;
            let width = f64::from(field(&mut up)[i]) - f64::from(field(&mut down)[i]);
            let numeric = (loss(&up, x) - loss(&down, x)) / width;
            assert!(
                (f64::from(g) - numeric).abs() < 2e-4 * (1.0 + numeric.abs()),
                "{name}[{i}]: {g} against {numeric}"
            );
        }
    }
}

/// Whether the loss is smooth within a step of the differences: no activation near its kink, and
/// the `k`-th largest well apart from the next.
fn is_smooth(p: &StandardParams, x: &[f32], k: usize) -> bool {
    x.chunks_exact(p.d_in).all(|x| {
        let mut pre = pre_activations(p, x);
        pre.sort_by(|a, b| b.total_cmp(a));
        let apart = match (k.checked_sub(1).and_then(|last| pre.get(last)), pre.get(k)) {
            (Some(least), Some(next)) => *next < 0.0 || least - next > 1e-3,
            _ => true,
        };
        apart && pre.iter().all(|a| a.abs() > 1e-3)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Over one feature, one token, one dimension; over no activation kept, and more than there
    /// are; through lists and through dense products.
    #[test]
    fn gradients_of_any_size_match_finite_differences(
        d_in in 1usize..6, d_sae in 1usize..9, n in 1usize..6, k in 0usize..11, all: bool,
        dense_above in prop_oneof![Just(0.0), Just(1.0)], l1 in 0.0f64..0.5, seed in 0u64..10_000,
    ) {
        let (p, x) = (params(d_in, d_sae, seed), inputs(n, d_in, seed + 1));
        let k = if all { d_sae } else { k };
        prop_assume!(is_smooth(&p, &x, k));
        let step = |p| {
            let step = StandardStep::new(p, 0.9, 0.99).unwrap().with_dense_above(dense_above);
            if all { step } else { step.with_top_k(k) }
        };
        check_gradients_at(&p, &x, step, |p, x| top_k_loss(p, x, l1, k), l1);
    }
}
