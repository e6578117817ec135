//! Four-momenta of plane waves `exp(i k_m x^m)`, on which `d_m` is multiplication by `i k_m`.
//! Metric diag(-1, 1, 1, 1); a massless field lives on null momenta, `k_m k^m = 0`.
//! Source: the conventions of arXiv:1906.02971.

use crate::error::{Error, Result};
use crate::susy::four_d::Complex;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use std::fmt;

/// The diagonal of the metric, the same with upper and with lower indices.
pub const METRIC: [f64; 4] = [-1.0, 1.0, 1.0, 1.0];

/// `|k_m k^m|` below this part of the sum of the squares is rounding.
const NULL_TOLERANCE: f64 = 1e-13;

/// Sizes of the largest component between which products of the laws neither overflow nor vanish.
const SIZES: std::ops::RangeInclusive<f64> = 1e-30..=1e30;

/// The sign of the frequency of a plane wave `exp(-i omega t + ...)`: `k_0 = -omega`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Frequency {
    /// `k_0 < 0`.
    Positive,
    /// `k_0 > 0`.
    Negative,
}

/// A momentum with lower indices, `(k_0, k_1, k_2, k_3)`; never zero.
///
/// ```
/// use holoscope::susy::four_d::{FourMomentum, Frequency};
/// let k = FourMomentum::null([1.0, 2.0, 2.0], Frequency::Positive)?;
/// assert_eq!(k.lower(), [-3.0, 1.0, 2.0, 2.0]);
/// assert!(k.is_null());
/// assert!(FourMomentum::new([1.0, 0.0, 0.0, 0.0])?.require_null().is_err());
/// # Ok::<(), holoscope::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FourMomentum {
    lower: [f64; 4],
}

impl FourMomentum {
    /// From `k_m`, null or not.
    ///
    /// # Errors
    /// Components that are not finite, or of which the largest is outside 1e-30 to 1e30.
    pub fn new(lower: [f64; 4]) -> Result<Self> {
        let k = Self { lower };
        let largest = lower.iter().fold(0.0f64, |most, x| most.max(x.abs()));
        if lower.iter().any(|x| !x.is_finite()) || !SIZES.contains(&largest) {
            return Err(Error::argument(
                "momentum",
                k,
                "must be finite, its largest component between 1e-30 and 1e30",
            ));
        }
        Ok(k)
    }

    /// The null momentum of a direction and a sign of the frequency: `k_0 = -+|k|`.
    ///
    /// # Errors
    /// A direction that is zero, not finite, or of a size outside 1e-30 to 1e30.
    pub fn null(spatial: [f64; 3], frequency: Frequency) -> Result<Self> {
        let [x, y, z] = spatial;
        let size = (x * x + y * y + z * z).sqrt();
        Self::new(match frequency {
            Frequency::Positive => [-size, x, y, z],
            Frequency::Negative => [size, x, y, z],
        })
    }

    /// `k_m`.
    pub fn lower(&self) -> [f64; 4] {
        self.lower
    }

    /// `k^m`.
    pub fn upper(&self) -> [f64; 4] {
        std::array::from_fn(|m| METRIC[m] * self.lower[m])
    }

    /// `-k_m`, the momentum of the complex conjugate wave.
    pub fn reversed(&self) -> Self {
        Self {
            lower: self.lower.map(|x| -x),
        }
    }

    /// `i k_m`, what `d_m` is on the wave.
    pub fn derivative(&self, m: usize) -> Complex {
        Complex::new(0.0, self.lower.get(m).copied().unwrap_or(0.0))
    }

    /// `k_m k^m`; exactly 0 when it is null within rounding, so that no rounding enters an
    /// equation of motion as if it were a mass.
    pub fn square(&self) -> f64 {
        let square: f64 = (0..4).map(|m| METRIC[m] * self.lower[m].powi(2)).sum();
        let size: f64 = self.lower.iter().map(|x| x * x).sum();
        if square.abs() <= NULL_TOLERANCE * size {
            0.0
        } else {
            square
        }
    }

    /// True on the light cone.
    pub fn is_null(&self) -> bool {
        self.square() == 0.0
    }

    /// An error that says what the square is; nothing on the light cone.
    ///
    /// # Errors
    /// A momentum off the light cone.
    pub fn require_null(&self) -> Result<()> {
        if self.is_null() {
            return Ok(());
        }
        Err(Error::argument(
            "momentum",
            self,
            format!(
                "on shell it must be null, but its square is {}; see FourMomentum::null",
                self.square()
            ),
        ))
    }
}

impl fmt::Display for FourMomentum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [t, x, y, z] = self.lower;
        f.pad(&format!("({t}, {x}, {y}, {z})"))
    }
}

/// Null momenta in `n_directions` random directions, each with both frequencies; sizes from 1/2 to 2.
///
/// ```
/// use holoscope::susy::four_d::null_momenta;
/// let momenta = null_momenta(5, 0)?;
/// assert_eq!(momenta.len(), 10);
/// assert!(momenta.iter().all(|k| k.is_null()));
/// # Ok::<(), holoscope::Error>(())
/// ```
///
/// # Errors
/// No direction.
pub fn null_momenta(n_directions: usize, seed: u64) -> Result<Vec<FourMomentum>> {
    if n_directions == 0 {
        return Err(Error::argument("n_directions", 0, "must be at least 1"));
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut momenta = Vec::with_capacity(2 * n_directions);
    for _ in 0..n_directions {
        let v: [f64; 3] = std::array::from_fn(|_| StandardNormal.sample(&mut rng));
        let length = v.iter().map(|x| x * x).sum::<f64>().sqrt();
        // A normal vector has a uniform direction; its length is squeezed into (1/2, 2).
        let size = 0.5 + 1.5 * length / (1.0 + length);
        let spatial = v.map(|x| x * size / length);
        momenta.push(FourMomentum::null(spatial, Frequency::Positive)?);
        momenta.push(FourMomentum::null(spatial, Frequency::Negative)?);
    }
    Ok(momenta)
}
