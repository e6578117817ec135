//! Fused kernels with hand-derived gradients, for f32 on the CPU.
//!
//! candle's element-wise operations each make a pass over memory on one thread; these do a
//! layer's work in one pass on all of them. Anything else takes the composed path.

mod activation;
mod attention;
mod cross_entropy;
mod embedding;
mod heads;
mod layer_norm;
mod linear;
mod residual;
mod row;
mod unembed;
mod vector;

pub(super) use activation::{activation, activation_gradient};
pub(super) use attention::{causal_attention, causal_attention_gradients};
pub(super) use cross_entropy::{
    cross_entropy, mean_cross_entropy, mean_cross_entropy_and_gradients,
};
pub(super) use embedding::embedding_gradient;
pub(super) use heads::project_heads;
pub(super) use layer_norm::{layer_norm, layer_norm_gradients};
pub(super) use linear::{linear, linear_gradients};
pub(super) use residual::add;
pub(crate) use vector::{Kernel, widest};

use candle_core::{CpuStorage, DType, Layout, Result, Storage, Tensor, bail};

/// Rows that one task takes; fixed, so that sums do not depend on the number of threads.
const ROWS_PER_TASK: usize = 64;

/// Whether the fused kernels apply to all of these.
pub(super) fn usable(tensors: &[&Tensor]) -> bool {
    tensors
        .iter()
        .all(|t| t.device().is_cpu() && t.dtype() == DType::F32)
}

/// The elements of a contiguous f32 tensor in CPU memory.
fn contiguous<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => bail!("a fused kernel needs contiguous elements, found {layout:?}"),
    }
}

/// [`contiguous`] for what `Tensor::storage_and_layout` returns.
fn elements<'a>(storage: &'a Storage, layout: &Layout) -> Result<&'a [f32]> {
    match storage {
        Storage::Cpu(storage) => contiguous(storage, layout),
        _ => bail!("a fused kernel needs a tensor on the CPU"),
    }
}

/// A matrix somewhere in a slice: element `(i, j)` is at `i * row + j * col`.
#[derive(Clone, Copy)]
struct Matrix<'a> {
    data: &'a [f32],
    rows: usize,
    cols: usize,
    row: usize,
    col: usize,
}

impl<'a> Matrix<'a> {
    /// Row-major.
    fn new(data: &'a [f32], rows: usize, cols: usize) -> Self {
        Self::strided(data, rows, cols, cols, 1)
    }

    fn strided(data: &'a [f32], rows: usize, cols: usize, row: usize, col: usize) -> Self {
        let m = Self {
            data,
            rows,
            cols,
            row,
            col,
        };
        assert!(last_index(rows, cols, row, col) <= data.len());
        m
    }

    /// A tensor of rank two with any strides.
    fn of(storage: &'a CpuStorage, layout: &Layout) -> Result<Self> {
        let (rows, cols) = layout.shape().dims2()?;
        let data = &storage.as_slice::<f32>()?[layout.start_offset()..];
        let stride = layout.stride();
        Ok(Self::strided(data, rows, cols, stride[0], stride[1]))
    }

    /// Some neighbouring rows.
    fn rows(self, of: std::ops::Range<usize>) -> Self {
        assert!(of.start < of.end && of.end <= self.rows);
        let start = match self.cols {
            0 => 0,
            _ => of.start * self.row,
        };
        Self {
            data: &self.data[start..],
            rows: of.len(),
            ..self
        }
    }

    /// Some neighbouring columns.
    fn columns(self, of: std::ops::Range<usize>) -> Self {
        assert!(of.start < of.end && of.end <= self.cols);
        let start = match self.rows {
            0 => 0,
            _ => of.start * self.col,
        };
        Self {
            data: &self.data[start..],
            cols: of.len(),
            ..self
        }
    }

    /// Transposed.
    fn t(self) -> Self {
        Self {
            data: self.data,
            rows: self.cols,
            cols: self.rows,
            row: self.col,
            col: self.row,
        }
    }
}

/// One past the largest index used.
fn last_index(rows: usize, cols: usize, row: usize, col: usize) -> usize {
    if rows == 0 || cols == 0 {
        0
    } else {
        (rows - 1) * row + (cols - 1) * col + 1
    }
}

/// What a product does with what is in its destination.
#[derive(Clone, Copy, PartialEq)]
enum Into {
    Overwrite,
    Add,
}

/// `out (+)= scale * a b` on the caller's own thread, `out` row-major with `out_row` between rows.
fn matmul(out: &mut [f32], out_row: usize, into: Into, scale: f32, a: Matrix, b: Matrix) {
    assert_eq!(a.cols, b.rows, "inner dimensions");
    assert!(last_index(a.rows, b.cols, out_row, 1) <= out.len());
    assert!(out_row >= b.cols, "rows of the destination overlap");
    if a.rows == 0 || b.cols == 0 {
        return;
    }
    // SAFETY: the largest index of each operand was checked against its slice, `a` and `b` when
    // they were made and `out` above; `out` is borrowed mutably, so it overlaps neither.
    unsafe { product(out.as_mut_ptr(), out_row, into, scale, a, b) }
}

/// The product itself, unchecked.
///
/// # Safety
/// `out` can be written at every index of an `[a.rows, b.cols]` matrix with `out_row` between
/// rows, by nobody else meanwhile; `a.cols` is `b.rows`.
unsafe fn product(out: *mut f32, out_row: usize, into: Into, scale: f32, a: Matrix, b: Matrix) {
    // SAFETY: the caller's promise; `a` and `b` were checked when they were made.
    unsafe {
        gemm::gemm(
            a.rows,
            b.cols,
            a.cols,
            out,
            1,
            out_row as isize,
            into == Into::Add,
            a.data.as_ptr(),
            a.col as isize,
            a.row as isize,
            b.data.as_ptr(),
            b.col as isize,
            b.row as isize,
            1.0,
            scale,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// A slice that several threads write, each its own elements.
#[derive(Clone, Copy)]
struct Shared<'a> {
    start: *mut f32,
    len: usize,
    of: std::marker::PhantomData<&'a mut [f32]>,
}

// SAFETY: a pointer and a length; whoever writes through it promises to write alone.
unsafe impl Send for Shared<'_> {}
// SAFETY: as above.
unsafe impl Sync for Shared<'_> {}

impl<'a> Shared<'a> {
    fn new(slice: &'a mut [f32]) -> Self {
        Self {
            start: slice.as_mut_ptr(),
            len: slice.len(),
            of: std::marker::PhantomData,
        }
    }

    /// A slice that nobody has written yet: elements are written before they are read.
    fn unwritten(slice: &'a mut [std::mem::MaybeUninit<f32>]) -> Self {
        Self {
            start: slice.as_mut_ptr().cast(),
            len: slice.len(),
            of: std::marker::PhantomData,
        }
    }

    /// The `n` elements from `i` on.
    ///
    /// # Safety
    /// They have been written, and nobody else reads or writes them meanwhile.
    unsafe fn part(self, i: usize, n: usize) -> &'a mut [f32] {
        assert!(i <= self.len && n <= self.len - i);
        // SAFETY: inside the slice, as was just checked; the rest is the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(i), n) }
    }

    /// A pointer to element `i`, which is inside the slice.
    fn at(self, i: usize) -> *mut f32 {
        assert!(i < self.len);
        self.start.wrapping_add(i)
    }
}

/// `(+)= a b` on the caller's own thread, into the part of `out` that begins at element `first`;
/// `out` is row-major with `out_row` between rows.
///
/// # Safety
/// Nobody else reads or writes this part of `out` meanwhile.
unsafe fn matmul_part(out: Shared, out_row: usize, first: usize, into: Into, a: Matrix, b: Matrix) {
    assert_eq!(a.cols, b.rows, "inner dimensions");
    if a.rows == 0 || b.cols == 0 {
        return;
    }
    assert!(
        first % out_row + b.cols <= out_row,
        "columns of the destination"
    );
    assert!(first + last_index(a.rows, b.cols, out_row, 1) <= out.len);
    // SAFETY: the largest index of each operand was checked, and the part is the caller's.
    unsafe { product(out.at(first), out_row, into, 1.0, a, b) }
}

/// `a b`, row-major, in place of what `out` held: none of it is cleared first. On the caller's own
/// thread.
fn matmul_into(out: &mut Vec<f32>, a: Matrix, b: Matrix) {
    let n = a.rows * b.cols;
    out.clear();
    out.reserve(n);
    let spare = Shared::unwritten(out.spare_capacity_mut());
    // SAFETY: `out` is borrowed mutably.
    unsafe { matmul_part(spare, b.cols, 0, Into::Overwrite, a, b) };
    // SAFETY: room for as many was reserved, and the product has written them.
    unsafe { out.set_len(n) };
}

#[cfg(test)]
pub(super) mod checks {
    //! What the tests of every kernel need.

    use candle_core::{Device, Tensor, Var};
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

    pub fn flat(t: &Tensor) -> Vec<f32> {
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
        let weights = random(y.dims(), 99);
        (y * weights.as_tensor()).unwrap().sum_all().unwrap()
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

    /// The gradient of `f` by each variable is its central difference, to `tolerance` relative
    /// to the largest entry.
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
}
