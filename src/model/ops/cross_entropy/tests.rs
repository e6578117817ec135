use super::super::checks::{
    ALL, HALF, agree, agree_in, flat, largest_difference, matches_finite_differences, random,
    random_in, rounds_once,
};
use super::*;
use candle_core::{D, DType, Device, Var};
use proptest::prelude::*;

fn targets(n: usize, v: usize) -> Vec<u32> {
    (0..n).map(|i| ((i * 7 + 3) % v) as u32).collect()
}

fn composed(x: &Tensor, w: &Tensor, b: &Tensor, targets: Vec<u32>) -> Result<Tensor> {
    let logits = x.matmul(w)?.broadcast_add(b)?.to_dtype(DType::F32)?;
    let n = targets.len();
    let targets = Tensor::from_vec(targets, (n, 1), &Device::Cpu)?;
    let log_z = logits.exp()?.sum_keepdim(D::Minus1)?.log()?;
    (log_z - logits.gather(&targets, 1)?)?.squeeze(1)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Values and gradients are those of the composed operations, over the edges of chunks and blocks and with
    /// tied (transposed) weights.
    #[test]
    fn it_is_the_composed_loss(n in 1usize..300, d in 1usize..12, v in 1usize..300, t: bool) {
        let x = random(&[n, d], 1);
        let w = if t { random(&[v, d], 2) } else { random(&[d, v], 2) };
        let b = random(&[v], 3);
        let w_of = || if t { w.t().unwrap() } else { w.as_tensor().clone() };
        agree(
            &[&x, &w, &b],
            1e-4,
            || cross_entropy(&x, &w_of(), &b, targets(n, v)).unwrap(),
            || composed(&x, &w_of(), &b, targets(n, v)).unwrap(),
        );
        agree(
            &[&x, &w, &b],
            1e-5,
            || mean_cross_entropy(&x, &w_of(), &b, targets(n, v)).unwrap(),
            || composed(&x, &w_of(), &b, targets(n, v)).unwrap().mean_all().unwrap(),
        );
    }

    /// The composed loss reads two logits (one of them the largest, through `log_z`), each rounded
    /// before and after the bias is added, each at most d + 1. candle rounds each partial sum of
    /// `db`: the k-th is of k numbers below 1.
    #[test]
    fn in_half_precision_too(n in 1usize..5, d in 1usize..5, v in 1usize..300, t: bool) {
        let dtype = DType::BF16;
        let x = random_in(dtype, &[n, d], 1);
        let w = random_in(dtype, &if t { [v, d] } else { [d, v] }, 2);
        let b = random_in(dtype, &[v], 3);
        let w_of = || if t { w.t().unwrap() } else { w.as_tensor().clone() };
        agree_in(
            dtype,
            4 * (d + 1) + n * (n + 1) / 2,
            &[&x, &w, &b],
            || cross_entropy(&x, &w_of(), &b, targets(n, v)).unwrap(),
            || composed(&x, &w_of(), &b, targets(n, v)).unwrap(),
        );
    }

    /// The loss is f32 and never rounded, the gradients are rounded once.
    #[test]
    fn half_precision_is_rounded_once(n in 0usize..300, d in 0usize..12, v in 1usize..300) {
        let (x, w, b) = (random(&[n, d], 1), random(&[d, v], 2), random(&[v], 3));
        for dtype in HALF {
            let targets = || targets(n, v);
            let inputs = [&x, &w, &b];
            rounds_once(dtype, DType::F32, &inputs, |x| {
                cross_entropy(x[0], x[1], x[2], targets()).unwrap()
            });
            if n > 0 {
                rounds_once(dtype, DType::F32, &inputs, |x| {
                    mean_cross_entropy(x[0], x[1], x[2], targets()).unwrap()
                });
            }
        }
    }
}

#[test]
fn gradients_are_finite_differences() {
    let (x, w, b) = (random(&[5, 3], 1), random(&[3, 4], 2), random(&[4], 3));
    matches_finite_differences(&[&x, &w, &b], 1e-3, || {
        mean_cross_entropy(&x, &w, &b, targets(5, 4)).unwrap()
    });
    matches_finite_differences(&[&x, &w, &b], 1e-3, || {
        cross_entropy(&x, &w, &b, targets(5, 4)).unwrap()
    });
}

#[test]
fn a_second_backward_pass_gives_the_same_gradients() {
    let (x, w, b) = (random(&[5, 3], 1), random(&[3, 4], 2), random(&[4], 3));
    let loss = mean_cross_entropy(&x, &w, &b, targets(5, 4)).unwrap();
    let grad = |_| {
        loss.backward()
            .unwrap()
            .get(&w)
            .unwrap()
            .to_vec2::<f32>()
            .unwrap()
    };
    assert_eq!(grad(0), grad(1));
}

#[test]
fn one_class_costs_nothing_and_a_far_logit_does_not_overflow() {
    let (x, w, b) = (random(&[2, 3], 1), random(&[3, 1], 2), random(&[1], 3));
    let loss = mean_cross_entropy(&x, &w, &b, vec![0, 0]).unwrap();
    assert_eq!(loss.to_scalar::<f32>().unwrap(), 0.0);
    let x = Tensor::new(&[[1f32]], &Device::Cpu).unwrap();
    let w = Tensor::new(&[[1000f32, 0.0]], &Device::Cpu).unwrap();
    let b = Tensor::zeros(2, candle_core::DType::F32, &Device::Cpu).unwrap();
    let loss = mean_cross_entropy(&x, &w, &b, vec![1]).unwrap();
    assert_eq!(loss.to_scalar::<f32>().unwrap(), 1000.0);
}

#[test]
fn a_nan_activation_gives_a_nan_loss() {
    let x = Tensor::new(&[[f32::NAN]], &Device::Cpu).unwrap();
    let (w, b) = (random(&[1, 40], 2), random(&[40], 3));
    let loss = mean_cross_entropy(&x, &w, &b, vec![1]).unwrap();
    assert!(loss.to_scalar::<f32>().unwrap().is_nan());
}

#[test]
fn what_does_not_fit_is_an_error() {
    let (x, w, b) = (random(&[1, 3], 1), random(&[3, 4], 2), random(&[4], 3));
    assert!(mean_cross_entropy(&x, &w, &b, vec![4]).is_err());
    assert!(mean_cross_entropy(&x, &w, &random(&[3], 3), vec![0]).is_err());
    assert!(mean_cross_entropy(&random(&[1, 2], 1), &w, &b, vec![0]).is_err());
    assert!(mean_cross_entropy(&random(&[0, 3], 1), &w, &b, vec![]).is_err());
}

/// A whole block of the vocabulary masked (blocks hold at least 64 columns).
#[test]
fn masked_logits_count_as_nothing() {
    let (n, d, v, open) = (5, 3, 200, 10);
    let (x, w) = (random(&[n, d], 1), random(&[d, v], 2));
    let mask = (0..v).map(|i| if i < open { 0.1 } else { f32::NEG_INFINITY });
    let mask = Tensor::from_iter(mask, &Device::Cpu).unwrap();
    let few = w.narrow(1, 0, open).unwrap().contiguous().unwrap();
    let few = Var::from_tensor(&few).unwrap();
    let masked = mean_cross_entropy(&x, &w, &mask, targets(n, open)).unwrap();
    let cut = mask.narrow(0, 0, open).unwrap();
    let without = mean_cross_entropy(&x, &few, &cut, targets(n, open)).unwrap();
    assert!(largest_difference(&masked, &without) < 1e-6);
    let (ours, theirs) = (masked.backward().unwrap(), without.backward().unwrap());
    let (dx, dw) = (ours.get(&x).unwrap(), ours.get(&w).unwrap());
    assert!(largest_difference(dx, theirs.get(&x).unwrap()) < 1e-6);
    let (kept, rest) = (dw.narrow(1, 0, open), dw.narrow(1, open, v - open));
    assert!(largest_difference(&kept.unwrap(), theirs.get(&few).unwrap()) < 1e-6);
    assert!(flat(&rest.unwrap()).iter().all(|g| g.abs() < 1e-30));
}

#[test]
fn empty_rows_and_widths_have_gradients_of_their_shapes() {
    let shapes = [(0, 3, 4), (2, 0, 4), (1, 1, 1)];
    for (dtype, (n, d, v)) in ALL.into_iter().flat_map(|t| shapes.map(|s| (t, s))) {
        let of = |shape: &[usize], seed| random_in(dtype, shape, seed);
        let (x, w, b) = (of(&[n, d], 1), of(&[d, v], 2), of(&[v], 3));
        let losses = cross_entropy(&x, &w, &b, targets(n, v)).unwrap();
        assert_eq!((losses.dims(), losses.dtype()), (&[n][..], DType::F32));
        let grads = losses.sum_all().unwrap().backward().unwrap();
        assert_eq!(grads.get(&x).unwrap().dims(), [n, d]);
        assert_eq!(grads.get(&w).unwrap().dims(), [d, v]);
        assert_eq!(grads.get(&b).unwrap().dims(), [v]);
    }
}

#[test]
fn what_is_frozen_gets_no_gradient() {
    let (x, w, b) = (random(&[2, 3], 1), random(&[3, 4], 2), random(&[4], 3));
    let loss = mean_cross_entropy(&x, &w.detach(), &b.detach(), vec![0, 1]).unwrap();
    let grads = loss.backward().unwrap();
    assert!(grads.get(&x).is_some() && grads.get(&w).is_none() && grads.get(&b).is_none());
}

#[test]
fn a_bias_may_lie_apart() {
    let (x, w, both) = (random(&[2, 3], 1), random(&[3, 4], 2), random(&[4, 2], 3));
    let apart = both.narrow(1, 1, 1).unwrap().squeeze(1).unwrap();
    assert!(!apart.is_contiguous());
    agree(
        &[&x, &w, &both],
        1e-5,
        || cross_entropy(&x, &w, &apart, vec![0, 1]).unwrap(),
        || composed(&x, &w, &apart, vec![0, 1]).unwrap(),
    );
}
