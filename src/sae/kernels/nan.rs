//! Comparisons that let NaN through: it is never read as "inactive".

/// Whether `x` is larger than `floor` or NaN.
#[inline(always)]
pub(in crate::sae) fn above(x: f32, floor: f32) -> bool {
    // As one comparison, so that it stays one instruction.
    #[allow(clippy::neg_cmp_op_on_partial_ord, reason = "NaN is above, too")]
    {
        !(x <= floor)
    }
}

/// The number if it is finite, else NaN: a row with an infinity has no feature activations that
/// anyone could use, and `relu` would make a 0 of half of them.
#[inline(always)]
pub(in crate::sae) fn finite_or_nan(x: f32) -> f32 {
    // The product is 0, or NaN.
    x + 0.0 * x
}
