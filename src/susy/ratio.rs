//! An exact fraction, in lowest terms: gadgets, traces over d and su(2) coefficients.
//! `num / den` with `den > 0` and `gcd(num, den) = 1`.
//! Source: elementary; i64 is ample for traces of matrices of size at most 16. A result that it does not hold is a
//! panic, never another number.

use crate::error::{Error, Result};
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
pub struct Ratio {
    num: i64,
    den: i64,
}

impl Ratio {
    /// Zero.
    pub const ZERO: Ratio = Ratio { num: 0, den: 1 };

    /// `num / den` in lowest terms.
    ///
    /// # Errors
    /// [`Error::Argument`] for a zero denominator, and for numbers whose lowest terms an i64 does not hold.
    pub fn new(num: i64, den: i64) -> Result<Self> {
        if den == 0 {
            return Err(Error::argument("denominator", den, "must not be 0"));
        }
        let reason = "must leave lowest terms that an i64 holds";
        Self::checked(i128::from(num), i128::from(den))
            .ok_or_else(|| Error::argument("fraction", format!("{num}/{den}"), reason))
    }

    /// `num / den` for a denominator that is known not to be zero.
    ///
    /// # Panics
    /// Where an i64 does not hold the lowest terms.
    pub(super) fn reduced(num: i64, den: i64) -> Self {
        Self::exactly(i128::from(num), i128::from(den))
    }

    fn exactly(num: i128, den: i128) -> Self {
        Self::checked(num, den)
            .unwrap_or_else(|| panic!("the fraction {num}/{den} is too large for 64 bits"))
    }

    /// `None` where an i64 does not hold the lowest terms. No product of two i64 is `i128::MIN`.
    fn checked(num: i128, den: i128) -> Option<Self> {
        let sign = if den < 0 { -1 } else { 1 };
        let g = gcd(num.unsigned_abs(), den.unsigned_abs()).max(1) as i128;
        Some(Self {
            num: i64::try_from(sign * (num / g)).ok()?,
            den: i64::try_from(sign * (den / g)).ok()?,
        })
    }

    /// Numerator, with the sign.
    pub fn numerator(&self) -> i64 {
        self.num
    }

    /// Denominator, positive.
    pub fn denominator(&self) -> i64 {
        self.den
    }

    /// Nearest f64.
    pub fn to_f64(&self) -> f64 {
        self.num as f64 / self.den as f64
    }

    /// True for 0.
    pub fn is_zero(&self) -> bool {
        self.num == 0
    }
}

fn gcd(a: u128, b: u128) -> u128 {
    if b == 0 { a } else { gcd(b, a % b) }
}

impl From<i64> for Ratio {
    fn from(n: i64) -> Self {
        Self { num: n, den: 1 }
    }
}

impl PartialEq<i64> for Ratio {
    fn eq(&self, n: &i64) -> bool {
        self.den == 1 && self.num == *n
    }
}

impl Add for Ratio {
    type Output = Ratio;
    fn add(self, other: Ratio) -> Ratio {
        let [a, b, c, d] = [self.num, self.den, other.num, other.den].map(i128::from);
        Ratio::exactly(a * d + c * b, b * d)
    }
}

impl Neg for Ratio {
    type Output = Ratio;
    fn neg(self) -> Ratio {
        Ratio::exactly(-i128::from(self.num), i128::from(self.den))
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.den == 1 {
            f.pad(&self.num.to_string())
        } else {
            f.pad(&format!("{}/{}", self.num, self.den))
        }
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
