//! What holoraumy on a spinor is off shell: the duality rotation and three field-equation terms.
//! `[D_a, D_b] psi = 2i Q (g5 g^m)_ab g5 d_m psi - i (p C_ab + q (g5)_ab g5 + r (g5 g^k)_ab g5 g_k) g^m d_m psi`.
//! Source: arXiv:1906.02971, section 3; here the four numbers are fitted, not assumed.

use super::closure::Gap;
use super::{Complex, ComplexMatrix, FourDMultiplet, FourMomentum, GammaMatrices};
use crate::error::{Error, Result};
use crate::show::shows_itself;
use crate::susy::Sector;
use std::fmt;

/// The four numbers of the commutator on the spinor of an on-shell multiplet, at any momentum.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldEquationTerms {
    pub multiplet: FourDMultiplet,
    /// Q, the duality charge.
    pub charge: f64,
    /// p, the coefficient of `-i C_ab`.
    pub scalar: f64,
    /// q, the coefficient of `-i (g5)_ab g5`.
    pub pseudoscalar: f64,
    /// r, the coefficient of `-i (g5 g^k)_ab g5 g_k`.
    pub axial: f64,
    /// What the four terms leave of the commutator, relative to it.
    pub residual: f64,
}

impl FourDMultiplet {
    /// Fits the commutator on the spinor at a momentum that need not be null.
    ///
    /// ```
    /// use holoscope::susy::four_d::{FourDMultiplet, FourMomentum};
    /// let k = FourMomentum::new([2.0, 1.0, 0.0, -1.0])?;
    /// let terms = FourDMultiplet::Chiral.field_equation_terms(&k)?;
    /// assert_eq!(terms.to_string(), "CS: Q = +1, p = 0, q = 0, r = 1");
    /// assert!(terms.residual < 1e-14);
    /// # Ok::<(), holoscope::Error>(())
    /// ```
    ///
    /// # Errors
    /// MGM and SG, whose fermion is not one spinor.
    pub fn field_equation_terms(self, k: &FourMomentum) -> Result<FieldEquationTerms> {
        let at = self.at(k);
        if at.fermions.components.len() != 4 {
            return Err(Error::argument(
                "multiplet",
                self,
                "its fermion is a gravitino, not one spinor",
            ));
        }
        let found = stacked(|a, b| {
            let (ab, ba) = (
                at.d_d(Sector::Fermionic, a, b),
                at.d_d(Sector::Fermionic, b, a),
            );
            ab.minus(&ba)
        });
        let [rotation, scalar, pseudoscalar, axial] = terms(k);
        // C, g5 and g5 g^k are orthogonal as matrices in a and b; the rotation is not orthogonal
        // to the axial term, so that these two are fitted together.
        let (p, q) = (along(&scalar, &found), along(&pseudoscalar, &found));
        let (charge, r) = fit_two(&rotation, &axial, &found);
        let fitted = [
            (rotation, charge),
            (scalar, p),
            (pseudoscalar, q),
            (axial, r),
        ]
        .iter()
        .fold(ComplexMatrix::zeros(24, 4), |sum, (term, x)| {
            sum.plus(&term.scaled(*x))
        });
        let mut gap = Gap::default();
        gap.add(&fitted, &found);
        Ok(FieldEquationTerms {
            multiplet: self,
            charge,
            scalar: p,
            pseudoscalar: q,
            axial: r,
            residual: gap.relative(),
        })
    }
}

/// The matrices of the pairs a < b, one above the other: `[6 * 4, 4]`.
fn stacked(of_pair: impl Fn(usize, usize) -> ComplexMatrix) -> ComplexMatrix {
    let mut out = ComplexMatrix::zeros(24, 4);
    for (row, &(a, b)) in super::PAIRS.iter().enumerate() {
        out.add_block(4 * row, 0, &of_pair(a, b));
    }
    out
}

/// The four terms with coefficient 1: rotation, scalar, pseudoscalar, axial.
fn terms(k: &FourMomentum) -> [ComplexMatrix; 4] {
    let g = GammaMatrices::majorana();
    let slash = g.slash(k);
    // Each is (x)_ab y, with x lowered.
    let term = |x: &ComplexMatrix, y: &ComplexMatrix, factor: Complex| {
        let x = g.lowered(x);
        stacked(|a, b| y.scaled(factor * x.entry(a, b)))
    };
    let minus_i = -Complex::I;
    let axial = (0..4).fold(ComplexMatrix::zeros(24, 4), |sum, m| {
        let y = g.five.times(&g.lower[m]).times(&slash);
        sum.plus(&term(&g.five.times(&g.upper[m]), &y, minus_i))
    });
    [
        term(&g.five.times(&slash), &g.five, Complex::I * 2.0),
        term(&ComplexMatrix::identity(4), &slash, minus_i),
        term(&g.five, &g.five.times(&slash), minus_i),
        axial,
    ]
}

/// The real x that minimises `|found - x term|`.
fn along(term: &ComplexMatrix, found: &ComplexMatrix) -> f64 {
    term.overlap(found).re / term.norm_sqr()
}

/// The real x and y that minimise `|found - x s - y t|`, by the normal equations.
fn fit_two(s: &ComplexMatrix, t: &ComplexMatrix, found: &ComplexMatrix) -> (f64, f64) {
    let (ss, st, tt) = (s.norm_sqr(), s.overlap(t).re, t.norm_sqr());
    let (sf, tf) = (s.overlap(found).re, t.overlap(found).re);
    let determinant = ss * tt - st * st;
    (
        (tt * sf - st * tf) / determinant,
        (ss * tf - st * sf) / determinant,
    )
}

impl fmt::Display for FieldEquationTerms {
    /// Numbers to ten decimals, which hides the rounding of the fit.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Adding zero turns -0 into 0.
        let [charge, p, q, r] = [self.charge, self.scalar, self.pseudoscalar, self.axial]
            .map(|x| (x * 1e10).round() / 1e10 + 0.0);
        let name = self.multiplet;
        f.pad(&format!(
            "{name}: Q = {charge:+}, p = {p}, q = {q}, r = {r}"
        ))
    }
}

shows_itself!(FieldEquationTerms as text);
