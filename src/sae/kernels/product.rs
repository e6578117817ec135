//! The dense product of two matrices.

/// A matrix in a slice of numbers, with strides.
#[derive(Debug, Clone, Copy)]
pub(in crate::sae) struct Matrix<'a> {
    data: &'a [f32],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl<'a> Matrix<'a> {
    /// Row-major, of rows of `cols`.
    pub(in crate::sae) fn new(data: &'a [f32], cols: usize) -> Self {
        Self::columns(data, cols, 0, cols)
    }

    /// `n` columns, from column `from` on, of a row-major matrix of rows of `stride`.
    pub(in crate::sae) fn columns(data: &'a [f32], stride: usize, from: usize, n: usize) -> Self {
        assert!(
            data.len().is_multiple_of(stride) && from + n <= stride,
            "columns {from} to {} of {stride} in {} numbers",
            from + n,
            data.len()
        );
        Self {
            rows: data.len() / stride,
            data: &data[from.min(data.len())..],
            cols: n,
            row_stride: stride,
            col_stride: 1,
        }
    }

    /// Transposed.
    pub(in crate::sae) fn t(self) -> Self {
        Self {
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
            ..self
        }
    }

    /// Whether every element lies in the slice.
    fn is_whole(&self) -> bool {
        let last = |n: usize, stride: usize| n.saturating_sub(1) * stride;
        let end = last(self.rows, self.row_stride) + last(self.cols, self.col_stride);
        self.rows * self.cols == 0 || end < self.data.len()
    }
}

/// The destination of a product: some columns of a row-major matrix.
#[derive(Debug)]
pub(in crate::sae) struct Place<'a> {
    data: &'a mut [f32],
    stride: usize,
    from: usize,
    /// The product is added to the present values instead of replacing them.
    adds: bool,
}

impl<'a> Place<'a> {
    /// A whole row-major matrix of rows of `cols`, which is replaced.
    pub(in crate::sae) fn new(data: &'a mut [f32], cols: usize) -> Self {
        Self::columns(data, cols, 0)
    }

    /// Columns from `from` on of a row-major matrix of rows of `stride`, which are replaced.
    pub(in crate::sae) fn columns(data: &'a mut [f32], stride: usize, from: usize) -> Self {
        Self {
            data,
            stride,
            from,
            adds: false,
        }
    }

    /// The product is added to the present values.
    pub(in crate::sae) fn adding(self) -> Self {
        Self { adds: true, ..self }
    }

    /// Writes `scale a b`, in parallel if `in_parallel`.
    ///
    /// # Panics
    /// When the shapes do not fit.
    pub(in crate::sae) fn takes(self, scale: f32, a: Matrix, b: Matrix, in_parallel: bool) {
        let (m, k, n) = (a.rows, a.cols, b.cols);
        assert!(
            b.rows == k && a.is_whole() && b.is_whole(),
            "product of [{m}, {k}] and [{}, {n}]",
            b.rows
        );
        assert!(
            self.data.len() == m * self.stride && self.from + n <= self.stride,
            "[{m}, {n}] at column {} of rows of {}",
            self.from,
            self.stride
        );
        if m * n == 0 {
            return;
        }
        // SAFETY: what the strides address lies in the slices, as asserted above; `data` is a unique borrow.
        unsafe {
            gemm::gemm(
                m,
                n,
                k,
                self.data.as_mut_ptr().add(self.from),
                1,
                self.stride as isize,
                self.adds,
                a.data.as_ptr(),
                a.col_stride as isize,
                a.row_stride as isize,
                b.data.as_ptr(),
                b.col_stride as isize,
                b.row_stride as isize,
                1.0f32,
                scale,
                false,
                false,
                false,
                match in_parallel {
                    true => gemm::Parallelism::Rayon(0),
                    false => gemm::Parallelism::None,
                },
            );
        }
    }
}

/// `out = a b` for `[m, k, n]`, either factor stored transposed; row-major, in parallel.
pub(in crate::sae) fn product(
    a: &[f32],
    a_t: bool,
    b: &[f32],
    b_t: bool,
    [m, k, n]: [usize; 3],
    out: &mut [f32],
) {
    assert!(
        a.len() == m * k && b.len() == k * n && out.len() == m * n,
        "product of [{m}, {k}] and [{k}, {n}]"
    );
    let a = match a_t {
        true => Matrix::new(a, m).t(),
        false => Matrix::new(a, k),
    };
    let b = match b_t {
        true => Matrix::new(b, k).t(),
        false => Matrix::new(b, n),
    };
    Place::new(out, n).takes(1.0, a, b, true);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// The product of some columns of one matrix, transposed, with another; other columns stay unchanged.
        #[test]
        fn products_of_columns_are_sums(m in 1usize..7, k in 1usize..7, n in 1usize..7, adds: bool) {
            let at = |i: usize| (i * 7 % 11) as f32 - 5.0;
            let a: Vec<f32> = (0..k * (m + 2)).map(at).collect();
            let b: Vec<f32> = (0..k * (n + 1)).map(|i| at(i + 3)).collect();
            let before: Vec<f32> = (0..m * (n + 3)).map(at).collect();
            let mut out = before.clone();
            let place = Place::columns(&mut out, n + 3, 2);
            let place = if adds { place.adding() } else { place };
            place.takes(0.5, Matrix::columns(&a, m + 2, 1, m).t(), Matrix::columns(&b, n + 1, 1, n), false);
            for i in 0..m {
                for j in 0..n + 3 {
                    let is_in = (2..n + 2).contains(&j);
                    let sum: f32 = match is_in {
                        true => (0..k).map(|l| a[l * (m + 2) + 1 + i] * b[l * (n + 1) + 1 + j - 2]).sum(),
                        false => 0.0,
                    };
                    let old = if adds || !is_in { before[i * (n + 3) + j] } else { 0.0 };
                    prop_assert_eq!(out[i * (n + 3) + j], old + 0.5 * sum);
                }
            }
        }
    }
}
