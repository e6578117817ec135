//! A complex number of two f64; sums and products of Gaussian integers (and of their halves) are exact.
//! `(a + b i)(c + d i) = (ac - bd) + (ad + bc) i`.
//! Source: elementary; only what the maps on component fields need.

use std::fmt;
use std::ops::{Add, Mul, Neg, Sub};

/// A complex number.
///
/// ```
/// use holoscope::susy::four_d::Complex;
/// let z = Complex::new(1.0, -2.0);
/// assert_eq!(z * Complex::I, Complex::new(2.0, 1.0));
/// assert_eq!(z.to_string(), "1-2i");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Complex {
    /// Real part.
    pub re: f64,
    /// Imaginary part.
    pub im: f64,
}

impl Complex {
    pub const ZERO: Complex = Complex::new(0.0, 0.0);
    pub const ONE: Complex = Complex::new(1.0, 0.0);
    pub const I: Complex = Complex::new(0.0, 1.0);

    /// `re + im i`.
    pub const fn new(re: f64, im: f64) -> Self {
        Self { re, im }
    }

    /// `re - im i`.
    pub fn conj(self) -> Self {
        Self::new(self.re, -self.im)
    }

    /// `re^2 + im^2`.
    pub fn norm_sqr(self) -> f64 {
        self.re * self.re + self.im * self.im
    }
}

impl From<f64> for Complex {
    fn from(re: f64) -> Self {
        Self::new(re, 0.0)
    }
}

impl Add for Complex {
    type Output = Complex;
    fn add(self, other: Complex) -> Complex {
        Complex::new(self.re + other.re, self.im + other.im)
    }
}

impl Sub for Complex {
    type Output = Complex;
    fn sub(self, other: Complex) -> Complex {
        Complex::new(self.re - other.re, self.im - other.im)
    }
}

impl Neg for Complex {
    type Output = Complex;
    fn neg(self) -> Complex {
        Complex::new(-self.re, -self.im)
    }
}

impl Mul for Complex {
    type Output = Complex;
    fn mul(self, other: Complex) -> Complex {
        Complex::new(
            self.re * other.re - self.im * other.im,
            self.re * other.im + self.im * other.re,
        )
    }
}

impl Mul<f64> for Complex {
    type Output = Complex;
    fn mul(self, factor: f64) -> Complex {
        Complex::new(self.re * factor, self.im * factor)
    }
}

impl fmt::Display for Complex {
    /// `0`, `1.5`, `-i`, `1-2i`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let imaginary = match self.im {
            1.0 => "i".to_owned(),
            -1.0 => "-i".to_owned(),
            im => format!("{im}i"),
        };
        // Adding zero turns -0 into 0.
        let real = (self.re + 0.0).to_string();
        f.pad(&match (self.re == 0.0, self.im == 0.0) {
            (_, true) => real,
            (true, false) => imaginary,
            (false, false) if self.im < 0.0 => real + &imaginary,
            (false, false) => format!("{real}+{imaginary}"),
        })
    }
}
