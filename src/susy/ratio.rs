//! An exact fraction, in lowest terms: gadgets, traces over d and su(2) coefficients.
//! `num / den` with `den > 0` and `gcd(num, den) = 1`.
//! Source: elementary; i64 is ample for traces of matrices of size at most 16.

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
    /// A zero denominator.
    pub fn new(num: i64, den: i64) -> Result<Self> {
        if den == 0 {
            return Err(Error::argument("denominator", den, "must not be 0"));
        }
        Ok(Self::reduced(num, den))
    }

    /// `num / den` for a denominator that is known not to be zero.
    pub(super) fn reduced(num: i64, den: i64) -> Self {
        let sign = if den < 0 { -1 } else { 1 };
        let g = gcd(num.unsigned_abs(), den.unsigned_abs()).max(1) as i64;
        Self {
            num: sign * num / g,
            den: sign * den / g,
        }
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

fn gcd(a: u64, b: u64) -> u64 {
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
        Ratio::reduced(
            self.num * other.den + other.num * self.den,
            self.den * other.den,
        )
    }
}

impl Neg for Ratio {
    type Output = Ratio;
    fn neg(self) -> Ratio {
        Ratio {
            num: -self.num,
            den: self.den,
        }
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
