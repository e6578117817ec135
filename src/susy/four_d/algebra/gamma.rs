//! Real Majorana gamma matrices in four dimensions, metric diag(-1, 1, 1, 1).
//! `{g^m, g^n} = 2 eta^mn`, `g5 = i g^0 g^1 g^2 g^3`; index structure `(g^m)_a^b`, lowered by `C_ab`.
//! Source: arXiv:1906.02971 (and arXiv:0902.3830, appendix).

use super::momentum::METRIC;
use crate::error::Result;
use crate::show::{Html, MimeBundle, Show, shows_itself};
use crate::susy::four_d::{Complex, ComplexMatrix, FourMomentum};
use std::fmt;

/// The gamma matrices, `g5` and the charge conjugation, each `[4, 4]`.
///
/// ```
/// use holoscope::susy::four_d::{ComplexMatrix, GammaMatrices};
/// let g = GammaMatrices::majorana();
/// let square = g.upper[0].product(&g.upper[0])?;
/// assert_eq!(square, ComplexMatrix::identity(4).scaled(-1.0));
/// # Ok::<(), holoscope::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct GammaMatrices {
    /// `(g^m)_a^b`, real.
    pub upper: [ComplexMatrix; 4],
    /// `(g_m)_a^b = eta_mn (g^n)_a^b`.
    pub lower: [ComplexMatrix; 4],
    /// `(g5)_a^b`, imaginary.
    pub five: ComplexMatrix,
    /// `C_ab`, real and antisymmetric.
    pub charge_conjugation: ComplexMatrix,
}

impl GammaMatrices {
    /// `g0 = i s3 x s2, g1 = 1 x s1, g2 = s2 x s2, g3 = 1 x s3, C = -i s3 x s2`.
    pub fn majorana() -> Self {
        let [one, s1, s2, s3] = pauli();
        let upper = [
            s3.kronecker(&s2).scaled(Complex::I),
            one.kronecker(&s1),
            s2.kronecker(&s2),
            one.kronecker(&s3),
        ];
        let volume = upper[0].times(&upper[1]).times(&upper[2]).times(&upper[3]);
        Self {
            lower: std::array::from_fn(|m| upper[m].scaled(METRIC[m])),
            five: volume.scaled(Complex::I),
            charge_conjugation: s3.kronecker(&s2).scaled(-Complex::I),
            upper,
        }
    }

    /// `M_ab = M_a^c C_cb` of a matrix `M_a^b`, `[4, 4]`.
    pub(in crate::susy::four_d) fn lowered(&self, m: &ComplexMatrix) -> ComplexMatrix {
        m.times(&self.charge_conjugation)
    }

    /// `M^ab = C^ac M_c^b`, where `C^ab` has the numbers of `C_ab`: `C^ab C_bc = -delta^a_c`.
    pub(in crate::susy::four_d) fn raised(&self, m: &ComplexMatrix) -> ComplexMatrix {
        self.charge_conjugation.times(m)
    }

    /// `[g^m, g^n]`; indices 0 to 3.
    pub(in crate::susy::four_d) fn commutator(&self, m: usize, n: usize) -> ComplexMatrix {
        commutator(&self.upper[m], &self.upper[n])
    }

    /// `[g_m, g_n]`; indices 0 to 3.
    pub(in crate::susy::four_d) fn lower_commutator(&self, m: usize, n: usize) -> ComplexMatrix {
        commutator(&self.lower[m], &self.lower[n])
    }

    /// `i g5`, real, of square -1: the duality rotation of a spinor.
    pub fn i_five(&self) -> ComplexMatrix {
        self.five.scaled(Complex::I)
    }

    /// `g^m d_m`, with `d_m = i k_m`.
    pub fn slash(&self, k: &FourMomentum) -> ComplexMatrix {
        (0..4).fold(ComplexMatrix::zeros(4, 4), |sum, m| {
            sum.plus(&self.upper[m].scaled(k.derivative(m)))
        })
    }
}

fn commutator(a: &ComplexMatrix, b: &ComplexMatrix) -> ComplexMatrix {
    a.times(b).minus(&b.times(a))
}

/// The identity and the three Pauli matrices.
fn pauli() -> [ComplexMatrix; 4] {
    let (o, l, i) = (Complex::ZERO, Complex::ONE, Complex::I);
    [
        [[l, o], [o, l]],
        [[o, l], [l, o]],
        [[o, -i], [i, o]],
        [[l, o], [o, -l]],
    ]
    .map(|m| ComplexMatrix::from_entries(2, 2, |r, c| m[r][c]))
}

impl fmt::Display for GammaMatrices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (m, g) in self.upper.iter().enumerate() {
            write!(f, "g^{m}\n{g}\n")?;
        }
        write!(f, "g5\n{}\nC\n{}", self.five, self.charge_conjugation)
    }
}

shows_itself!(GammaMatrices);

impl Show for GammaMatrices {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        let mut html = String::new();
        for (m, g) in self.upper.iter().enumerate() {
            html.push_str(&g.html(&format!("γ<sup>{m}</sup>")));
        }
        html.push_str(&self.five.html("γ<sup>5</sup>"));
        html.push_str(&self.charge_conjugation.html("C"));
        Html::new(html, self.to_string()).mime_bundle()
    }
}
