//! The dense product of two matrices.

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
    let (a_cs, a_rs) = if a_t { (m, 1) } else { (1, k) };
    let (b_cs, b_rs) = if b_t { (k, 1) } else { (1, n) };
    // SAFETY: the lengths asserted above are exactly those that the strides address.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            n as isize,
            false,
            a.as_ptr(),
            a_cs as isize,
            a_rs as isize,
            b.as_ptr(),
            b_cs as isize,
            b_rs as isize,
            0.0f32,
            1.0f32,
            false,
            false,
            false,
            gemm::Parallelism::Rayon(0),
        );
    }
}
