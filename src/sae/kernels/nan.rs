//! Comparisons that let NaN through, so that it never counts as "inactive".

/// Whether `x` is larger than `floor` or NaN.
#[inline(always)]
pub(in crate::sae) fn above(x: f32, floor: f32) -> bool {
    // Written as one comparison, so that it compiles to one instruction.
    #[allow(clippy::neg_cmp_op_on_partial_ord, reason = "NaN is above, too")]
    {
        !(x <= floor)
    }
}

/// The number if it is finite, else NaN: a row with an infinity has no usable feature activations,
/// and `relu` would turn half of them into 0.
#[inline(always)]
pub(in crate::sae) fn finite_or_nan(x: f32) -> f32 {
    // The product is 0, or NaN.
    x + 0.0 * x
}
