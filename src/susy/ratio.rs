//! An exact fraction in lowest terms: gadgets, traces over d and su(2) coefficients. An i64 is ample for traces of
//! matrices of size at most 16; a result that it does not hold is a panic, never another number.

use crate::error::{Error, Result};
use num_rational::Ratio as Fraction;
use std::fmt;
use std::ops::{Add, Neg};

/// An exact fraction in lowest terms.
///
/// ```
/// use holoscope::susy::Ratio;
/// let third = Ratio::new(-16, 48)?;
/// assert_eq!(third.to_string(), "-1/3");
/// assert_eq!(Ratio::new(4, 4)?, 1);
/// # Ok::<(), holoscope::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ratio(Fraction<i64>);

impl Ratio {
    /// Zero.
    pub const ZERO: Ratio = Ratio(Fraction::new_raw(0, 1));

    /// `num / den` in lowest terms.
    ///
    /// # Errors
    /// [`Error::Argument`] for a zero denominator, and for numbers whose lowest terms an i64 does not hold.
    pub fn new(num: i64, den: i64) -> Result<Self> {
        if den == 0 {
            return Err(Error::argument("denominator", den, "must not be 0"));
        }
        let reason = "must leave lowest terms that an i64 holds";
        narrowed(Fraction::new(i128::from(num), i128::from(den)))
            .ok_or_else(|| Error::argument("fraction", format!("{num}/{den}"), reason))
    }

    /// `num / den` for a denominator that is known not to be zero.
    ///
    /// # Panics
    /// Where an i64 does not hold the lowest terms.
    pub(super) fn reduced(num: i64, den: i64) -> Self {
        exactly(Fraction::new(i128::from(num), i128::from(den)))
    }

    /// Numerator, with the sign.
    pub fn numerator(&self) -> i64 {
        *self.0.numer()
    }

    /// Denominator, positive.
    pub fn denominator(&self) -> i64 {
        *self.0.denom()
    }

    /// Nearest f64.
    pub fn to_f64(&self) -> f64 {
        self.numerator() as f64 / self.denominator() as f64
    }

    /// True for 0.
    pub fn is_zero(&self) -> bool {
        self.numerator() == 0
    }

    /// The fraction in 128 bits, in which no sum of two overflows.
    fn widened(self) -> Fraction<i128> {
        Fraction::new_raw(i128::from(self.numerator()), i128::from(self.denominator()))
    }
}

/// `None` where an i64 does not hold the terms.
fn narrowed(fraction: Fraction<i128>) -> Option<Ratio> {
    let num = i64::try_from(*fraction.numer()).ok()?;
    let den = i64::try_from(*fraction.denom()).ok()?;
    Some(Ratio(Fraction::new_raw(num, den)))
}

fn exactly(fraction: Fraction<i128>) -> Ratio {
    narrowed(fraction).unwrap_or_else(|| panic!("the fraction {fraction} is too large for 64 bits"))
}

impl From<i64> for Ratio {
    fn from(n: i64) -> Self {
        Self(Fraction::from_integer(n))
    }
}

impl PartialEq<i64> for Ratio {
    fn eq(&self, n: &i64) -> bool {
        *self == Self::from(*n)
    }
}

impl Add for Ratio {
    type Output = Ratio;
    fn add(self, other: Ratio) -> Ratio {
        exactly(self.widened() + other.widened())
    }
}

impl Neg for Ratio {
    type Output = Ratio;
    fn neg(self) -> Ratio {
        exactly(-self.widened())
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_whose_terms_do_not_fit_into_64_bits_are_exact_where_the_result_does() {
        // (2^40 + 1) / 2^40 twice: the common denominator is 2^80 before it is reduced.
        let near_one = Ratio::new((1 << 40) + 1, 1 << 40).unwrap();
        assert_eq!(
            near_one + near_one,
            Ratio::new((1 << 40) + 1, 1 << 39).unwrap()
        );
        assert_eq!(Ratio::new(i64::MIN, -2).unwrap(), 1_i64 << 62);
        assert_eq!(Ratio::new(i64::MIN, i64::MIN).unwrap(), 1);
    }

    #[test]
    fn a_result_that_64_bits_do_not_hold_is_no_other_number() {
        assert!(Ratio::new(i64::MIN, -1).is_err());
        assert!(Ratio::new(1, i64::MIN).is_err());
        let sum = std::panic::catch_unwind(|| Ratio::from(i64::MAX) + Ratio::from(1));
        assert!(sum.is_err());
        assert!(std::panic::catch_unwind(|| -Ratio::from(i64::MIN)).is_err());
    }
}
