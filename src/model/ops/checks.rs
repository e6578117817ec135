//! What the tests of every kernel need.

use candle_core::{DType, Device, Tensor, Var};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Uniform in `[-1, 1)`.
pub fn random(shape: &[usize], seed: u64) -> Var {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let values: Vec<f32> = (0..shape.iter().product())
        .map(|_| rng.random_range(-1.0..1.0))
        .collect();
    Var::from_tensor(&Tensor::from_vec(values, shape, &Device::Cpu).unwrap()).unwrap()
}

/// The types that kernels widen to f32. Where products are composed, bf16 alone is compared: on
/// some processors candle sums them in f16 itself, with a rounding a term.
pub const HALF: [DType; 2] = [DType::BF16, DType::F16];
/// The types that kernels take.
pub const ALL: [DType; 3] = [DType::F32, DType::BF16, DType::F16];

/// [`random`], rounded to a type.
pub fn random_in(dtype: DType, shape: &[usize], seed: u64) -> Var {
    in_dtype(&random(shape, seed), dtype)
}

/// A variable of its own, rounded to a type.
pub fn in_dtype(t: &Tensor, dtype: DType) -> Var {
    Var::from_tensor(&t.detach().to_dtype(dtype).unwrap()).unwrap()
}

/// What one rounding moves a number by at most, relative to it: half a unit in the last of 24,
/// 11 or 8 significant bits.
fn rounding(dtype: DType) -> f32 {
    match dtype {
        DType::F32 => 2f32.powi(-24),
        DType::F16 => 2f32.powi(-11),
        DType::BF16 => 2f32.powi(-8),
        other => panic!("no kernel takes {other:?}"),
    }
}

pub fn flat(t: &Tensor) -> Vec<f32> {
    let t = t.to_dtype(DType::F32).unwrap();
    t.flatten_all().unwrap().to_vec1().unwrap()
}

pub fn largest_difference(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.dims(), b.dims());
    flat(a)
        .iter()
        .zip(flat(b))
        .map(|(x, y)| (x - y).abs())
        .fold(0.0, f32::max)
}

/// A scalar in which every output element counts differently.
pub fn weighted_sum(y: &Tensor) -> Tensor {
    weighted_sum_in(y, y.dtype())
}

/// [`weighted_sum`] with weights rounded to `dtype`.
fn weighted_sum_in(y: &Tensor, dtype: DType) -> Tensor {
    let weights = random_in(dtype, y.dims(), 99);
    let weights = weights.to_dtype(y.dtype()).unwrap();
    (y * weights).unwrap().sum_all().unwrap()
}

/// Values and gradients of `fused` and `composed` agree to `tolerance`.
pub fn agree(
    vars: &[&Var],
    tolerance: f32,
    fused: impl Fn() -> Tensor,
    composed: impl Fn() -> Tensor,
) {
    let (ours, theirs) = (fused(), composed());
    let difference = largest_difference(&ours, &theirs);
    assert!(difference < tolerance, "values differ by {difference}");
    let ours = weighted_sum(&ours).backward().unwrap();
    let theirs = weighted_sum(&theirs).backward().unwrap();
    for (i, var) in vars.iter().enumerate() {
        let (a, b) = (ours.get(var).unwrap(), theirs.get(var).unwrap());
        let difference = largest_difference(a, b);
        assert!(
            difference < tolerance,
            "gradient {i} differs by {difference}"
        );
    }
}

/// `ours` and `theirs` differ by at most `roundings` of `dtype`, relative to the largest entry, or
/// to 1, if that is larger: the size of inputs and of weights of the sum that is differentiated.
pub fn differ_by_roundings(
    what: &str,
    dtype: DType,
    roundings: usize,
    ours: &Tensor,
    theirs: &Tensor,
) {
    assert_eq!(ours.dtype(), theirs.dtype(), "{what}");
    let largest = flat(theirs).iter().fold(1.0f32, |m, x| m.max(x.abs()));
    let found = largest_difference(ours, theirs) / (rounding(dtype) * largest);
    assert!(
        found <= roundings as f32,
        "{what} of {dtype:?}: {found} roundings, {roundings} allowed"
    );
}

/// Values and gradients of `fused` and of `composed`, the same operations one by one, differ by at
/// most `roundings` of `dtype` ([`differ_by_roundings`]).
pub fn agree_in(
    dtype: DType,
    roundings: usize,
    vars: &[&Var],
    fused: impl Fn() -> Tensor,
    composed: impl Fn() -> Tensor,
) {
    let (ours, theirs) = (fused(), composed());
    differ_by_roundings("values", dtype, roundings, &ours, &theirs);
    let ours = weighted_sum(&ours).backward().unwrap();
    let theirs = weighted_sum(&theirs).backward().unwrap();
    for (i, var) in vars.iter().enumerate() {
        let (a, b) = (ours.get(var).unwrap(), theirs.get(var).unwrap());
        differ_by_roundings(&format!("gradient {i}"), dtype, roundings, a, b);
    }
}

/// In half precision the value, of type `result`, and the gradients of `op` are exactly those of
/// `op` in f32 of the same numbers, rounded to their types. Any shapes, empty ones too.
pub fn rounds_once(
    dtype: DType,
    result: DType,
    inputs: &[&Var],
    op: impl Fn(&[&Tensor]) -> Tensor,
) {
    let of = |dtype| -> Vec<Var> { inputs.iter().map(|x| in_dtype(x, dtype)).collect() };
    let half = of(dtype);
    let full: Vec<Var> = half.iter().map(|x| in_dtype(x, DType::F32)).collect();
    let apply = |vars: &[Var]| op(&vars.iter().map(Var::as_tensor).collect::<Vec<_>>());
    let (ours, wanted) = (apply(&half), apply(&full));
    let same = |what: &str, ours: &Tensor, wanted: &Tensor, dtype: DType| {
        assert_eq!(ours.dtype(), dtype, "{what}");
        assert_eq!(ours.dims(), wanted.dims(), "{what}");
        let wanted = wanted.to_dtype(dtype).unwrap();
        assert_eq!(flat(ours), flat(&wanted), "{what} of {dtype:?}");
    };
    same("values", &ours, &wanted, result);
    let ours = weighted_sum_in(&ours, result).backward().unwrap();
    let wanted = weighted_sum_in(&wanted, result).backward().unwrap();
    for (i, (half, full)) in half.iter().zip(&full).enumerate() {
        let (a, b) = (ours.get(half).unwrap(), wanted.get(full).unwrap());
        same(&format!("gradient {i}"), a, b, dtype);
    }
}

/// The gradient of `f` by each variable is its central difference, to `tolerance` relative
/// to the largest entry. In f32: a difference quotient in half precision measures only rounding.
pub fn matches_finite_differences(vars: &[&Var], tolerance: f32, f: impl Fn() -> Tensor) {
    let step = 1e-2f32;
    let grads = weighted_sum(&f()).backward().unwrap();
    for (which, var) in vars.iter().enumerate() {
        let analytic = flat(grads.get(var).unwrap());
        let start = flat(var);
        let mut numeric = Vec::new();
        for i in 0..start.len() {
            let at = |delta: f32| {
                let mut moved = start.clone();
                moved[i] += delta;
                let moved = Tensor::from_vec(moved, var.dims(), &Device::Cpu).unwrap();
                var.set(&moved).unwrap();
                weighted_sum(&f()).to_scalar::<f32>().unwrap()
            };
            numeric.push((at(step) - at(-step)) / (2.0 * step));
        }
        let back = Tensor::from_vec(start, var.dims(), &Device::Cpu).unwrap();
        var.set(&back).unwrap();
        let largest = numeric.iter().fold(1.0f32, |m, x| m.max(x.abs()));
        for (i, (a, n)) in analytic.iter().zip(&numeric).enumerate() {
            assert!(
                (a - n).abs() < tolerance * largest,
                "variable {which}, element {i}: {a} analytic, {n} numeric"
            );
        }
    }
}
