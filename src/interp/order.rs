//! The order of figures that may be NaN.

use std::cmp::Ordering;

/// Larger figures first, NaN (of either sign) before all: at the top of a table it is seen.
pub(super) fn largest_first(a: f64, b: f64) -> Ordering {
    b.is_nan().cmp(&a.is_nan()).then_with(|| match a.is_nan() {
        true => Ordering::Equal,
        false => b.total_cmp(&a),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_comes_first_whatever_its_sign() {
        let mut values = [1.0, -f64::NAN, f64::INFINITY, 2.0, f64::NAN];
        values.sort_by(|a, b| largest_first(*a, *b));
        assert!(values[0].is_nan() && values[1].is_nan());
        assert_eq!(values[2..], [f64::INFINITY, 2.0, 1.0]);
    }
}
