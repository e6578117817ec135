//! An affine map with its bias added inside the product.
//!
//! `y = x W + b`; `dx = g W^T`, `dW = x^T g`, `db = sum of g over rows`.
//! Source: elementary; the point is one pass over `y` and no strided reductions.

use super::vector::{self, Kernel, widest};
use super::{Into, Matrix, Shared, common_dtype, contiguous, elements, matmul_part, row, wide};
use candle_core::{CpuStorage, CustomOp3, DType, Layout, Result, Shape, Storage, Tensor, bail};
use half::bf16;
use rayon::prelude::*;

/// Rows and columns of a tile at most: a megabyte of `y`, which a core's second cache holds, so
/// that the bias is added there and `y` goes to memory once.
const TILE: usize = 512;
/// Tiles that even a small product is cut into, for as many threads; fixed, as all that follows
/// from the shapes alone, so that sums do not depend on the number of threads.
const MIN_TILES: usize = 8;
/// What the widest vectors' product takes at once: 48 columns, 6 rows.
const COLUMNS_AT_ONCE: usize = 48;
const ROWS_AT_ONCE: usize = 6;

struct Linear;

/// `x` `[.., d_in]`, `w` `[d_in, d_out]`, `b` `[d_out]` to `[.., d_out]`.
pub(in crate::model) fn linear(x: &Tensor, w: &Tensor, b: &Tensor) -> Result<Tensor> {
    let (d_in, d_out) = w.dims2()?;
    if x.dims().last() != Some(&d_in) || b.dims() != [d_out] {
        bail!(
            "an affine map by {:?} does not fit inputs {:?} and a bias {:?}",
            w.dims(),
            x.dims(),
            b.dims()
        )
    }
    let dtype = common_dtype([x, w, b])?;
    if dtype == DType::BF16
        && x.elem_count() == d_in
        && d_in > 0
        && ![x, w, b].iter().any(|t| t.track_op())
        && let Some(y) = one_row_of_bf16(x, w, b)?
    {
        return Ok(y);
    }
    wide(x)?
        .contiguous()?
        .apply_op3(&wide(w)?, &wide(b)?.contiguous()?, Linear)?
        .to_dtype(dtype)
}

/// One row by weights that are read as they lie, each once: they are not widened in memory first.
/// `None` for weights without a contiguous axis.
fn one_row_of_bf16(x: &Tensor, w: &Tensor, b: &Tensor) -> Result<Option<Tensor>> {
    let mut y = wide(b)?.to_vec1::<f32>()?;
    let row = wide(x)?.flatten_all()?.to_vec1::<f32>()?;
    {
        let (storage, layout) = w.storage_and_layout();
        let Storage::Cpu(storage) = &*storage else {
            return Ok(None);
        };
        let w = Matrix::<bf16>::of(storage, layout)?;
        if !row::readable(w) {
            return Ok(None);
        }
        row::add_row_product(&mut y, &row, w);
    }
    let mut dims = x.dims().to_vec();
    if let Some(last) = dims.last_mut() {
        *last = y.len();
    }
    Tensor::from_vec(y, dims, x.device())?
        .to_dtype(DType::BF16)
        .map(Some)
}

/// `x W + b`, row-major.
fn affine(x: Matrix, w: Matrix, b: &[f32]) -> Vec<f32> {
    let (n, d_out) = (x.rows, w.cols);
    if n == 1 && row::readable(w) {
        let mut y = b.to_vec();
        row::add_row_product(&mut y, &x.data[..x.cols], w);
        return y;
    }
    let mut y = Vec::with_capacity(n * d_out);
    let out = Shared::unwritten(y.spare_capacity_mut());
    let (rows, columns) = tile_size(n, d_out);
    // Down first: neighbouring tasks read the same columns of `W`.
    let down = n.div_ceil(rows);
    (0..down * d_out.div_ceil(columns))
        .into_par_iter()
        .for_each(|task| {
            let (i, j) = (task % down * rows, task / down * columns);
            let (rows, columns) = (i..n.min(i + rows), j..d_out.min(j + columns));
            let (x, w) = (x.rows(rows.clone()), w.columns(columns.clone()));
            // SAFETY: no two tiles have an element in common.
            unsafe { matmul_part(out, d_out, i * d_out + j, Into::Overwrite, x, w) };
            for row in rows {
                // SAFETY: as above, and the product has just written this tile.
                let y = unsafe { out.part(row * d_out + j, columns.len()) };
                let b = &b[columns.clone()];
                widest(Add { y, b });
            }
        });
    // SAFETY: the tiles cover all of it.
    unsafe { y.set_len(n * d_out) };
    y
}

/// Rows and columns of one tile of `[n, d_out]`: even parts, whole steps of the product.
fn tile_size(n: usize, d_out: usize) -> (usize, usize) {
    let part =
        |of: usize, into: usize, step: usize| of.div_ceil(into.max(1)).next_multiple_of(step);
    let across = d_out.div_ceil(TILE).max(1);
    let down = n.div_ceil(TILE).max(MIN_TILES.div_ceil(across));
    (
        part(n, down, ROWS_AT_ONCE).max(ROWS_AT_ONCE),
        part(d_out, across, COLUMNS_AT_ONCE).max(COLUMNS_AT_ONCE),
    )
}

/// `y += b`.
struct Add<'a> {
    y: &'a mut [f32],
    b: &'a [f32],
}

impl Kernel for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (y, b) in self.y.iter_mut().zip(self.b) {
            *y += b;
        }
    }
}

impl CustomOp3 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        w: &CpuStorage,
        w_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let w = Matrix::of(w, w_layout)?;
        let mut dims = x_layout.dims().to_vec();
        let n = dims[..dims.len() - 1].iter().product();
        let x = Matrix::new(contiguous(x, x_layout)?, n, w.rows);
        let y = affine(x, w, contiguous(b, b_layout)?);
        if let Some(last) = dims.last_mut() {
            *last = w.cols;
        }
        Ok((CpuStorage::F32(y), Shape::from(dims)))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        b: &Tensor,
        _res: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let dx = match x.track_op() {
            true => Some(input_gradient(x, w, &grad)?),
            false => None,
        };
        let dw = match w.track_op() {
            true => Some(weight_gradient(x, w, &grad)?),
            false => None,
        };
        let db = match b.track_op() {
            true => Some(bias_gradient(w, &grad)?),
            false => None,
        };
        Ok((dx, dw, db))
    }
}

/// `dx`, `dW` and `db` of [`linear`], from the gradient of its result. f32 only.
pub(in crate::model) fn linear_gradients(
    x: &Tensor,
    w: &Tensor,
    grad: &Tensor,
) -> Result<[Tensor; 3]> {
    let grad = grad.contiguous()?;
    Ok([
        input_gradient(x, w, &grad)?,
        weight_gradient(x, w, &grad)?,
        bias_gradient(w, &grad)?,
    ])
}

/// candle's product, which takes any strides but has nothing to say about empty factors.
fn product_of(a: &Tensor, b: &Tensor, shape: &[usize]) -> Result<Tensor> {
    match a.elem_count() * b.elem_count() {
        0 => Tensor::zeros(shape, a.dtype(), a.device()),
        _ => a.matmul(b)?.reshape(shape),
    }
}

/// A gradient of rows as a matrix, `[n, d_out]`.
fn by_row(grad: &Tensor, w: &Tensor) -> Result<Tensor> {
    let d_out = w.dim(1)?;
    let dims = grad.dims();
    let n: usize = dims[..dims.len() - 1].iter().product();
    grad.reshape((n, d_out))
}

fn input_gradient(x: &Tensor, w: &Tensor, grad: &Tensor) -> Result<Tensor> {
    product_of(&by_row(grad, w)?, &w.detach().t()?, x.dims())
}

fn weight_gradient(x: &Tensor, w: &Tensor, grad: &Tensor) -> Result<Tensor> {
    let grad = by_row(grad, w)?;
    let x = x.detach().reshape((grad.dim(0)?, w.dim(0)?))?;
    product_of(&x.t()?, &grad, w.dims())
}

fn bias_gradient(w: &Tensor, grad: &Tensor) -> Result<Tensor> {
    let mut db = vec![0.0f32; w.dim(1)?];
    {
        let (storage, layout) = grad.storage_and_layout();
        vector::add_column_sums(&mut db, elements(&storage, layout)?);
    }
    let width = db.len();
    Tensor::from_vec(db, width, grad.device())
}

#[cfg(test)]
mod tests {
    use super::super::checks::{
        ALL, HALF, agree, agree_in, differ_by_roundings, flat, in_dtype, largest_difference,
        matches_finite_differences, random, random_in, rounds_once,
    };
    use super::*;
    use candle_core::Device;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        /// Values and gradients are those of the composed operations, transposed weights included.
        #[test]
        fn it_is_the_composed_map(n in 1usize..70, d_in in 1usize..20, d_out in 1usize..200, t: bool) {
            let x = random(&[n, d_in], 1);
            let w = if t { random(&[d_out, d_in], 2) } else { random(&[d_in, d_out], 2) };
            let b = random(&[d_out], 3);
            let w_of = || if t { w.t().unwrap() } else { w.as_tensor().clone() };
            agree(
                &[&x, &w, &b],
                1e-4,
                || linear(&x, &w_of(), &b).unwrap(),
                || x.matmul(&w_of()).unwrap().broadcast_add(&b).unwrap(),
            );
        }

        /// The composed operations round the product, at most twice the largest entry (the bias is
        /// below 1), and the sum; the fused one once. For `db` candle rounds each partial sum: the
        /// k-th is of k numbers below 1.
        #[test]
        fn in_half_precision_too(n in 1usize..5, d_in in 1usize..20, d_out in 1usize..200, t: bool) {
            let dtype = DType::BF16;
            let x = random_in(dtype, &[n, d_in], 1);
            let w = random_in(dtype, &if t { [d_out, d_in] } else { [d_in, d_out] }, 2);
            let b = random_in(dtype, &[d_out], 3);
            let w_of = || if t { w.t().unwrap() } else { w.as_tensor().clone() };
            agree_in(
                dtype,
                4 + n * (n + 1) / 2,
                &[&x, &w, &b],
                || linear(&x, &w_of(), &b).unwrap(),
                || x.matmul(&w_of()).unwrap().broadcast_add(&b).unwrap(),
            );
        }

        /// Without gradients one row of bf16 is read by another path: the same value but for the
        /// order of the sum, rounded once.
        #[test]
        fn one_row_of_bf16_is_the_f32_product_rounded(
            d_in in 0usize..200, d_out in 0usize..300, t: bool,
        ) {
            let x = random_in(DType::BF16, &[1, 1, d_in], 1).detach();
            let w = random_in(DType::BF16, &if t { [d_out, d_in] } else { [d_in, d_out] }, 2).detach();
            let w = if t { w.t().unwrap() } else { w };
            let b = random_in(DType::BF16, &[d_out], 3).detach();
            let y = linear(&x, &w, &b).unwrap();
            prop_assert_eq!((y.dims(), y.dtype()), (&[1, 1, d_out][..], DType::BF16));
            let wide = |t: &Tensor| t.to_dtype(DType::F32).unwrap();
            let full = linear(&wide(&x), &wide(&w), &wide(&b)).unwrap();
            differ_by_roundings("values", DType::BF16, 1, &y, &full.to_dtype(DType::BF16).unwrap());
        }

        #[test]
        fn half_precision_is_rounded_once(n in 0usize..70, d_in in 0usize..20, d_out in 0usize..200) {
            let (x, w, b) = (random(&[n, d_in], 1), random(&[d_in, d_out], 2), random(&[d_out], 3));
            for dtype in HALF {
                rounds_once(dtype, dtype, &[&x, &w, &b], |x| linear(x[0], x[1], x[2]).unwrap());
            }
        }
    }

    #[test]
    fn gradients_are_finite_differences() {
        let (x, w, b) = (random(&[3, 4], 1), random(&[4, 5], 2), random(&[5], 3));
        matches_finite_differences(&[&x, &w, &b], 1e-3, || linear(&x, &w, &b).unwrap());
    }

    #[test]
    fn tiles_meet_at_their_edges() {
        // Two tiles down, three across, none of them whole.
        let (x, w, b) = (
            random(&[700, 3], 1),
            random(&[3, 1_100], 2),
            random(&[1_100], 3),
        );
        let composed = x.matmul(&w).unwrap().broadcast_add(&b).unwrap();
        let difference = largest_difference(&linear(&x, &w, &b).unwrap(), &composed);
        assert!(difference < 1e-6, "{difference}");
    }

    #[test]
    fn leading_axes_are_kept() {
        let (x, w, b) = (random(&[2, 3, 4], 1), random(&[4, 5], 2), random(&[5], 3));
        agree(
            &[&x, &w, &b],
            1e-5,
            || linear(&x, &w, &b).unwrap(),
            || {
                let flat = x.reshape((6, 4)).unwrap().matmul(&w).unwrap();
                flat.broadcast_add(&b).unwrap().reshape((2, 3, 5)).unwrap()
            },
        );
    }

    #[test]
    fn empty_factors_give_biases_and_zeros() {
        let shapes = [(0, 4, 5), (3, 0, 5), (1, 0, 5), (3, 4, 0), (0, 0, 0)];
        for (dtype, (n, d_in, d_out)) in ALL.into_iter().flat_map(|t| shapes.map(|s| (t, s))) {
            let x = random_in(dtype, &[n, d_in], 1);
            let w = random_in(dtype, &[d_in, d_out], 2);
            let b = random_in(dtype, &[d_out], 3);
            let y = linear(&x, &w, &b).unwrap();
            assert_eq!((y.dims(), y.dtype()), (&[n, d_out][..], dtype));
            if d_in == 0 {
                assert_eq!(flat(&y), flat(&b).repeat(n));
            }
            let grads = y.sum_all().unwrap().backward().unwrap();
            assert_eq!(grads.get(&x).unwrap().dims(), [n, d_in]);
            assert_eq!(grads.get(&w).unwrap().dims(), [d_in, d_out]);
            assert_eq!(flat(grads.get(&b).unwrap()), vec![n as f32; d_out]);
        }
    }

    #[test]
    fn one_element_is_a_product_and_a_sum() {
        for dtype in ALL {
            let of = |x: f32, shape: &[usize]| {
                let x = Tensor::full(x, shape, &Device::Cpu).unwrap();
                in_dtype(&x, dtype)
            };
            let (x, w, b) = (of(3.0, &[1, 1]), of(-2.0, &[1, 1]), of(0.5, &[1]));
            let y = linear(&x, &w, &b).unwrap();
            assert_eq!((y.dtype(), flat(&y)), (dtype, vec![-5.5]));
            let grads = y.sum_all().unwrap().backward().unwrap();
            for (var, wanted) in [(&x, -2.0), (&w, 3.0), (&b, 1.0)] {
                assert_eq!(flat(grads.get(var).unwrap()), [wanted]);
            }
        }
    }

    #[test]
    fn what_is_frozen_gets_no_gradient() {
        let (x, w, b) = (random(&[3, 4], 1), random(&[4, 5], 2), random(&[5], 3));
        let y = linear(&x, &w.detach(), &b.detach()).unwrap();
        let grads = y.sum_all().unwrap().backward().unwrap();
        assert!(grads.get(&x).is_some() && grads.get(&w).is_none() && grads.get(&b).is_none());
    }

    #[test]
    fn factors_that_do_not_fit_are_an_error() {
        let (x, w) = (random(&[3, 4], 1), random(&[5, 2], 2));
        assert!(linear(&x, &w, &random(&[2], 3)).is_err());
        let x = random(&[3, 5], 1);
        assert!(linear(&x, &w, &random(&[3], 3)).is_err());
    }
}
