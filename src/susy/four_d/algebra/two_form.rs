//! Two-forms in four dimensions: the curl, the Hodge star, the dual of a three-form.
//! `F_mn = d_m A_n - d_n A_m`, `(*F)_mn = (1/2) eps_mn^rs F_rs`, `H_m = eps_m^rst d_r B_st`; `** = -1`.
//! Source: arXiv:1906.02971, whose `eps_0123 = +1` carries lower indices.

use super::momentum::METRIC;
use crate::susy::four_d::{Complex, ComplexMatrix, FourMomentum};

/// The index pairs m < n of a two-form, in the order of its six components.
pub const PAIRS: [(usize, usize); 6] = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)];

/// The sign of `eps_0123`. The identities of the multiplets hold for one sign only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Orientation {
    /// `eps_0123 = +1`, the convention of the library.
    #[default]
    Plus,
    /// `eps_0123 = -1`, to see what depends on it.
    Minus,
}

impl Orientation {
    /// `eps_mnrs`, all indices lower and 0 to 3.
    pub fn epsilon(self, indices: [usize; 4]) -> i8 {
        let mut sign = match self {
            Orientation::Plus => 1,
            Orientation::Minus => -1,
        };
        for i in 0..4 {
            for j in i + 1..4 {
                sign *= match indices[i].cmp(&indices[j]) {
                    std::cmp::Ordering::Less => 1,
                    std::cmp::Ordering::Equal => 0,
                    std::cmp::Ordering::Greater => -1,
                };
            }
        }
        sign
    }

    /// `eps_m^nrs`.
    pub(in crate::susy::four_d) fn mixed_epsilon(self, m: usize, [n, r, s]: [usize; 3]) -> f64 {
        f64::from(self.epsilon([m, n, r, s])) * METRIC[n] * METRIC[r] * METRIC[s]
    }

    /// The Hodge star on two-forms with lower indices, `[6, 6]`.
    ///
    /// ```
    /// use holoscope::susy::four_d::{ComplexMatrix, Orientation};
    /// let star = Orientation::Plus.star();
    /// assert_eq!(star.product(&star)?, ComplexMatrix::identity(6).scaled(-1.0));
    /// # Ok::<(), holoscope::Error>(())
    /// ```
    pub fn star(self) -> ComplexMatrix {
        // The sum over r < s takes each pair once, which is the half of the definition.
        ComplexMatrix::from_entries(6, 6, |i, j| {
            let ((m, n), (r, s)) = (PAIRS[i], PAIRS[j]);
            (f64::from(self.epsilon([m, n, r, s])) * METRIC[r] * METRIC[s]).into()
        })
    }

    /// `H_m = eps_m^rst d_r B_st` of the six components of B, `[4, 6]`.
    pub(in crate::susy::four_d) fn dual_field_strength(self, k: &FourMomentum) -> ComplexMatrix {
        ComplexMatrix::from_entries(4, 6, |m, pair| {
            let (s, t) = PAIRS[pair];
            // Twice, for (s, t) and (t, s).
            (0..4).fold(Complex::ZERO, |sum, r| {
                sum + k.derivative(r) * (2.0 * self.mixed_epsilon(m, [r, s, t]))
            })
        })
    }
}

/// `F_mn = d_m A_n - d_n A_m` of a vector, `[6, 4]`.
pub(in crate::susy::four_d) fn curl(k: &FourMomentum) -> ComplexMatrix {
    let mut out = ComplexMatrix::zeros(6, 4);
    for (row, &(m, n)) in PAIRS.iter().enumerate() {
        out.add_to(row, n, k.derivative(m));
        out.add_to(row, m, -k.derivative(n));
    }
    out
}

/// `d_m` of a scalar, `[4, 1]`.
pub(in crate::susy::four_d) fn gradient(k: &FourMomentum) -> ComplexMatrix {
    ComplexMatrix::from_entries(4, 1, |m, _| k.derivative(m))
}

/// The diagonal that raises both indices of a two-form, `[6, 6]`.
pub(in crate::susy::four_d) fn two_form_metric() -> ComplexMatrix {
    ComplexMatrix::from_entries(6, 6, |i, j| {
        let (m, n) = PAIRS[i];
        if i == j {
            (METRIC[m] * METRIC[n]).into()
        } else {
            Complex::ZERO
        }
    })
}

/// The metric as a matrix, `[4, 4]`.
pub(in crate::susy::four_d) fn metric() -> ComplexMatrix {
    ComplexMatrix::from_entries(4, 4, |m, n| {
        if m == n {
            METRIC[m].into()
        } else {
            Complex::ZERO
        }
    })
}
