//! Fused kernels with hand-derived gradients, for f32, bf16 and f16 on the CPU.
//!
//! candle's element-wise operations each make a pass over memory on one thread; these do a
//! layer's work in one pass on all of them. They compute in f32: half precision is widened, and
//! what comes out, values and gradients, is rounded once. Anything else takes the composed path.

mod activation;
mod attention;
#[cfg(test)]
pub(super) mod checks;
mod cross_entropy;
mod embedding;
mod layer_norm;
mod linear;
mod residual;
mod row;
mod unembed;
mod vector;

pub(super) use activation::{activation, activation_gradient};
pub(super) use attention::heads::project_heads;
pub(super) use attention::rotary::rotate;
pub(super) use attention::{causal_attention, causal_attention_gradients};
pub(super) use cross_entropy::{
    cross_entropy, mean_cross_entropy, mean_cross_entropy_and_gradients,
};
pub(super) use embedding::embedding_gradient;
pub(super) use layer_norm::{layer_norm, layer_norm_gradients};
pub(super) use linear::{linear, linear_gradients};
pub(super) use residual::add;
pub(crate) use vector::{Kernel, exp_shifted, widest};

use candle_core::{CpuStorage, DType, Layout, Result, Storage, Tensor, WithDType, bail};

/// Rows that one task takes; fixed, so that sums do not depend on the number of threads.
const ROWS_PER_TASK: usize = 64;

/// Whether the fused kernels apply to all of these: on the CPU, of one type, f32, bf16 or f16.
pub(super) fn usable(tensors: &[&Tensor]) -> bool {
    [DType::F32, DType::BF16, DType::F16]
        .into_iter()
        .any(|dtype| all_are(tensors, dtype))
}

/// Whether the kernels read all of these as they are: f32 on the CPU. The gradients that need no
/// graph (`*_gradients`) take nothing else.
pub(super) fn usable_in_f32(tensors: &[&Tensor]) -> bool {
    all_are(tensors, DType::F32)
}

fn all_are(tensors: &[&Tensor], dtype: DType) -> bool {
    tensors
        .iter()
        .all(|t| t.device().is_cpu() && t.dtype() == dtype)
}

/// The one type of a kernel's inputs, to which its result is rounded.
fn common_dtype<const N: usize>(tensors: [&Tensor; N]) -> Result<DType> {
    if !usable(&tensors) {
        bail!(
            "a fused kernel needs tensors of one type, f32, bf16 or f16, on the CPU, found {:?}",
            tensors.map(|t| (t.dtype(), t.device().location()))
        )
    }
    Ok(tensors[0].dtype())
}

/// As f32, which candle differentiates; what is f32 stays as it is, without a copy or a node.
fn wide(t: &Tensor) -> Result<Tensor> {
    t.to_dtype(DType::F32)
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
struct Matrix<'a, T = f32> {
    data: &'a [T],
    rows: usize,
    cols: usize,
    row: usize,
    col: usize,
}

impl<'a, T: WithDType> Matrix<'a, T> {
    /// Row-major.
    fn new(data: &'a [T], rows: usize, cols: usize) -> Self {
        Self::strided(data, rows, cols, cols, 1)
    }

    fn strided(data: &'a [T], rows: usize, cols: usize, row: usize, col: usize) -> Self {
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
        let data = &storage.as_slice::<T>()?[layout.start_offset()..];
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
/// rows, and no other thread accesses them during the call; `a.cols` is `b.rows`.
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

    /// A slice that is not initialised yet: elements are written before they are read.
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
    /// They have been written, and no other thread reads or writes them during the borrow.
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
/// No other thread reads or writes this part of `out` during the call.
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
