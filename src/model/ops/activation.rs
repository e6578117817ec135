//! The MLP's nonlinearities, forwards and backwards.
//!
//! GELU-new is `x s(2u)`, `s` the logistic function, `u = sqrt(2/pi) (x + 0.044715 x^3)`, which is
//! `x (1 + tanh u) / 2`. Source: Hendrycks and Gimpel 2016, arXiv:1606.08415. The exact GELU is
//! `x Phi(x)`, `Phi(-|x|) = e^(-x^2/2) p(t) / 2`, `t = 1 / (1 + 0.3275911 |x| / sqrt(2))`, `p` of degree
//! 5, to 7.5e-8. Source: Abramowitz and Stegun 1964, 7.1.26.

use super::vector::{Kernel, exp, widest};
use super::{common_dtype, contiguous, elements, wide};
use crate::config::Activation;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

const ELEMENTS_PER_TASK: usize = 16 * 1024;
/// `2 sqrt(2 / pi)`.
const TWICE_ROOT: f32 = 1.595_769;
const CUBIC: f32 = 0.044_715;

struct Gelu;
struct GeluNew;
struct Relu;
struct Silu;

/// The activation, or `None` for those that have no kernel.
pub(in crate::model) fn activation(x: &Tensor, act_fn: Activation) -> Option<Result<Tensor>> {
    match act_fn {
        Activation::Gelu => Some(apply(x, Gelu)),
        Activation::GeluNew => Some(apply(x, GeluNew)),
        Activation::Relu => Some(apply(x, Relu)),
        Activation::Silu => Some(apply(x, Silu)),
        Activation::Solu | Activation::SoluLn => None,
    }
}

fn apply(x: &Tensor, op: impl CustomOp1 + Send + Sync + 'static) -> Result<Tensor> {
    let dtype = common_dtype([x])?;
    wide(x)?.contiguous()?.apply_op1(op)?.to_dtype(dtype)
}

/// `dx` of [`activation`], from the gradient of its result; `None` for those that have no kernel.
/// f32 only.
pub(in crate::model) fn activation_gradient(
    x: &Tensor,
    act_fn: Activation,
    grad: &Tensor,
) -> Option<Result<Tensor>> {
    match act_fn {
        Activation::Gelu => Some(chain(x, grad, gelu_slope)),
        Activation::GeluNew => Some(chain(x, grad, gelu_new_slope)),
        Activation::Relu => Some(chain(x, grad, relu_slope)),
        Activation::Silu => Some(chain(x, grad, silu_slope)),
        Activation::Solu | Activation::SoluLn => None,
    }
}

#[inline(always)]
fn logistic(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// `Phi(x)` and `e^(-x^2/2)`.
#[inline(always)]
fn normal_distribution(x: f32) -> (f32, f32) {
    let t = 1.0 / (1.0 + 0.327_591_1 * std::f32::consts::FRAC_1_SQRT_2 * x.abs());
    let p = 1.061_405_4 * t - 1.453_152_1;
    let p = p * t + 1.421_413_8;
    let p = p * t - 0.284_496_72;
    let p = (p * t + 0.254_829_6) * t;
    let density = exp(-0.5 * x * x);
    let tail = 0.5 * p * density;
    (if x > 0.0 { 1.0 - tail } else { tail }, density)
}

#[inline(always)]
fn gelu(x: f32) -> f32 {
    x * normal_distribution(x).0
}

#[inline(always)]
fn gelu_slope(x: f32) -> f32 {
    /// `1 / sqrt(2 pi)`.
    const DENSITY_AT_0: f32 = 0.398_942_3;
    let (phi, density) = normal_distribution(x);
    phi + x * density * DENSITY_AT_0
}

#[inline(always)]
fn gelu_new(x: f32) -> f32 {
    x * logistic(TWICE_ROOT * (x + CUBIC * x * x * x))
}

#[inline(always)]
fn gelu_new_slope(x: f32) -> f32 {
    let s = logistic(TWICE_ROOT * (x + CUBIC * x * x * x));
    s + x * s * (1.0 - s) * TWICE_ROOT * (1.0 + 3.0 * CUBIC * x * x)
}

#[inline(always)]
fn relu_slope(x: f32) -> f32 {
    // Not `x > 0`: the slope at NaN lets the gradient through.
    if x <= 0.0 { 0.0 } else { 1.0 }
}

#[inline(always)]
fn silu_slope(x: f32) -> f32 {
    let s = logistic(x);
    s * (1.0 + x * (1.0 - s))
}

/// `y = f(x)`, element by element.
struct Map<'a, F> {
    y: &'a mut [f32],
    x: &'a [f32],
    f: F,
}

impl<F: Fn(f32) -> f32> Kernel for Map<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (y, x) in self.y.iter_mut().zip(self.x) {
            *y = (self.f)(*x);
        }
    }
}

/// `dx = g slope(x)`, element by element.
struct Chain<'a, F> {
    dx: &'a mut [f32],
    x: &'a [f32],
    g: &'a [f32],
    slope: F,
}

impl<F: Fn(f32) -> f32> Kernel for Chain<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for ((dx, x), g) in self.dx.iter_mut().zip(self.x).zip(self.g) {
            *dx = (self.slope)(*x) * g;
        }
    }
}

fn map(
    storage: &CpuStorage,
    layout: &Layout,
    f: impl Fn(f32) -> f32 + Sync,
) -> Result<(CpuStorage, Shape)> {
    let x = contiguous(storage, layout)?;
    let mut y = vec![0.0f32; x.len()];
    y.par_chunks_mut(ELEMENTS_PER_TASK)
        .zip(x.par_chunks(ELEMENTS_PER_TASK))
        .for_each(|(y, x)| widest(Map { y, x, f: &f }));
    Ok((CpuStorage::F32(y), layout.shape().clone()))
}

/// `grad * slope(x)`.
fn chain(x: &Tensor, grad: &Tensor, slope: impl Fn(f32) -> f32 + Sync) -> Result<Tensor> {
    let grad = grad.contiguous()?;
    let mut dx = vec![0.0f32; x.elem_count()];
    {
        let (x_storage, x_layout) = x.storage_and_layout();
        let (g_storage, g_layout) = grad.storage_and_layout();
        let x = elements(&x_storage, x_layout)?;
        let g = elements(&g_storage, g_layout)?;
        dx.par_chunks_mut(ELEMENTS_PER_TASK)
            .zip(x.par_chunks(ELEMENTS_PER_TASK))
            .zip(g.par_chunks(ELEMENTS_PER_TASK))
            .for_each(|((dx, x), g)| {
                widest(Chain {
                    dx,
                    x,
                    g,
                    slope: &slope,
                })
            });
    }
    Tensor::from_vec(dx, x.shape(), x.device())
}

impl CustomOp1 for Gelu {
    fn name(&self) -> &'static str {
        "gelu"
    }
    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        map(x, layout, gelu)
    }
    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        chain(x, grad, gelu_slope).map(Some)
    }
}

impl CustomOp1 for GeluNew {
    fn name(&self) -> &'static str {
        "gelu-new"
    }
    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        map(x, layout, gelu_new)
    }
    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        chain(x, grad, gelu_new_slope).map(Some)
    }
}

impl CustomOp1 for Relu {
    fn name(&self) -> &'static str {
        "relu"
    }
    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        // Not `max`: NaN stays NaN.
        map(x, layout, |x| if x < 0.0 { 0.0 } else { x })
    }
    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        chain(x, grad, relu_slope).map(Some)
    }
}

impl CustomOp1 for Silu {
    fn name(&self) -> &'static str {
        "silu"
    }
    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        map(x, layout, |x| x * logistic(x))
    }
    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        chain(x, grad, silu_slope).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::super::checks::{
        ALL, HALF, agree, agree_in, flat, matches_finite_differences, random, random_in,
        rounds_once,
    };
    use super::*;
    use candle_core::{DType, Device, Var};
    use proptest::prelude::*;

    const KERNELS: [Activation; 4] = [
        Activation::Gelu,
        Activation::GeluNew,
        Activation::Silu,
        Activation::Relu,
    ];

    fn spread(shape: &[usize]) -> Var {
        Var::from_tensor(&(random(shape, 1).as_tensor() * 6.0).unwrap()).unwrap()
    }

    fn fused(x: &Tensor, act_fn: Activation) -> Tensor {
        activation(x, act_fn).unwrap().unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        /// Values are candle's own; gradients to the four digits of candle's GELU constants.
        #[test]
        fn they_are_the_composed_functions(n in 0usize..40, d in 0usize..40) {
            let x = spread(&[n, d]);
            agree(&[&x], 2e-6, || fused(&x, Activation::Gelu), || x.gelu_erf().unwrap());
            agree(&[&x], 1e-4, || fused(&x, Activation::GeluNew), || x.gelu().unwrap());
            agree(&[&x], 1e-5, || fused(&x, Activation::Silu), || x.silu().unwrap());
            agree(&[&x], 1e-5, || fused(&x, Activation::Relu), || x.relu().unwrap());
        }

        /// candle rounds after each step of its formulas: 15 in either GELU's gradient, 10 in SiLU's and
        /// the value it reads, none in ReLU's. The fused ones round once.
        #[test]
        fn in_half_precision_too(n in 0usize..40, d in 0usize..40) {
            for dtype in HALF {
                let x = random_in(dtype, &[n, d], 1);
                agree_in(dtype, 16, &[&x], || fused(&x, Activation::Gelu), || x.gelu_erf().unwrap());
                agree_in(dtype, 16, &[&x], || fused(&x, Activation::GeluNew), || x.gelu().unwrap());
                agree_in(dtype, 11, &[&x], || fused(&x, Activation::Silu), || x.silu().unwrap());
                agree_in(dtype, 0, &[&x], || fused(&x, Activation::Relu), || x.relu().unwrap());
                for act_fn in KERNELS {
                    rounds_once(dtype, dtype, &[&spread(&[n, d])], |x| fused(x[0], act_fn));
                }
            }
        }
    }

    #[test]
    fn gradients_are_finite_differences() {
        let x = spread(&[3, 7]);
        // ReLU has a kink at 0: no draw lies within a step of it.
        assert!(flat(&x).iter().all(|x| x.abs() > 1e-2));
        for act_fn in KERNELS {
            matches_finite_differences(&[&x], 1e-3, || fused(&x, act_fn));
        }
    }

    #[test]
    fn the_exact_gelu_has_its_values_and_slopes() {
        // x Phi(x) and Phi(x) + x phi(x), by scipy.special.erfc in float64.
        for (x, value, slope) in [
            (0.5f32, 0.345_731_23, 0.867_495_1),
            (1.0, 0.841_344_8, 1.083_315_5),
            (-1.0, -0.158_655_26, -0.083_315_47),
            (2.0, 1.954_499_7, 1.085_231_8),
            (-3.0, -0.004_049_694, -0.011_945_647),
            (-6.0, -5.919_526e-9, -3.546_871e-8),
        ] {
            let x = Var::new(x, &Device::Cpu).unwrap();
            let y = fused(&x, Activation::Gelu);
            let grads = y.backward().unwrap();
            let scalar = |t: &Tensor| t.to_scalar::<f32>().unwrap();
            let (y, dx) = (scalar(&y), scalar(grads.get(&x).unwrap()));
            assert!((y - value).abs() < 3e-7, "{y}, expected {value}");
            assert!((dx - slope).abs() < 3e-7, "{dx}, expected {slope}");
        }
    }

    #[test]
    fn nan_stays_nan_and_far_values_saturate() {
        let x = Tensor::new(&[f32::NAN, 1e4, -1e4, 0.0], &Device::Cpu).unwrap();
        for act_fn in KERNELS {
            let y = fused(&x, act_fn).to_vec1::<f32>().unwrap();
            assert!(y[0].is_nan());
            assert_eq!(y[1], 1e4);
            assert!(y[2].abs() < 1e-6 && y[3] == 0.0, "{y:?}");
        }
    }

    #[test]
    fn nothing_gives_nothing_and_one_gives_one() {
        for (dtype, act_fn) in ALL.into_iter().flat_map(|t| KERNELS.map(|f| (t, f))) {
            for shape in [&[0, 3][..], &[3, 0], &[0], &[]] {
                let x = random_in(dtype, shape, 1);
                let y = fused(&x, act_fn);
                assert_eq!((y.dims(), y.dtype()), (shape, dtype));
                let grads = y.sum_all().unwrap().backward().unwrap();
                assert_eq!(grads.get(&x).unwrap().dims(), shape);
            }
        }
    }

    #[test]
    fn what_no_kernel_takes_is_an_error() {
        let x = random_in(DType::F64, &[2], 1);
        let message = activation(&x, Activation::Relu)
            .unwrap()
            .unwrap_err()
            .to_string();
        assert!(message.contains("F64"), "{message}");
    }
}
