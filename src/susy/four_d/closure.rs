//! Closure of the supersymmetry algebra, on shell and up to gauge transformations:
//! `{D_a, D_b} W = 2i (g^m)_ab d_m W` for the gauge-invariant strengths W of all solutions.
//! Source: arXiv:1906.02971, equation (1.1).

use super::{Complex, ComplexMatrix, GammaMatrices, MultipletAtMomentum};
use crate::error::Result;
use crate::susy::Sector;

impl MultipletAtMomentum {
    /// `|{D_a, D_b} W - 2i (g^m)_ab d_m W| / |2i (g^m)_ab d_m W|` over all a, b and all solutions
    /// (all fields, for a multiplet off shell); root of the sum of squares.
    ///
    /// # Errors
    /// An on-shell multiplet at a momentum that is not null.
    pub fn closure(&self, sector: Sector) -> Result<f64> {
        let solutions = self.solutions(sector)?;
        let strength = &self.sector(sector).strength;
        let w = strength.times(&solutions);
        let g = GammaMatrices::majorana();
        let translation = g.lowered(&g.slash(&self.momentum)); // (g^m)_ab d_m
        let mut gap = Gap::default();
        for a in 0..4 {
            for b in a..4 {
                let twice = self.d_d(sector, a, b).plus(&self.d_d(sector, b, a));
                let found = strength.times(&twice).times(&solutions);
                let factor = Complex::I * 2.0 * translation.entry(a, b);
                gap.add(&found, &w.scaled(factor));
            }
        }
        Ok(gap.relative())
    }
}

/// The distance between what was found and what was expected, summed over many matrices.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Gap {
    difference: f64,
    expected: f64,
}

impl Gap {
    pub fn add(&mut self, found: &ComplexMatrix, expected: &ComplexMatrix) {
        self.difference += found.minus(expected).norm_sqr();
        self.expected += expected.norm_sqr();
    }

    /// `|found - expected| / |expected|`.
    pub fn relative(&self) -> f64 {
        (self.difference / self.expected).sqrt()
    }
}
