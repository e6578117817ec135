//! Transformation laws: `D_a` of every component, as matrices between bosons and fermions.
//! `D_a boson_i = (L_a)_ij fermion_j`, `D_a fermion_j = (R_a)_ji boson_i`, with `d_m -> i k_m`.
//! Source: arXiv:1906.02971, equations of section 3.

use crate::susy::four_d::{Complex, ComplexMatrix};

/// `L_a` and `R_a` for the four spinor indices, as they are being written down.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::susy::four_d) struct Laws {
    /// `[n_bosons, n_fermions]` each.
    pub l: [ComplexMatrix; 4],
    /// `[n_fermions, n_bosons]` each.
    pub r: [ComplexMatrix; 4],
}

impl Laws {
    /// No terms yet.
    pub fn new(n_bosons: usize, n_fermions: usize) -> Self {
        Self {
            l: std::array::from_fn(|_| ComplexMatrix::zeros(n_bosons, n_fermions)),
            r: std::array::from_fn(|_| ComplexMatrix::zeros(n_fermions, n_bosons)),
        }
    }

    /// Adds `factor M_a^b psi_b` to `D_a` of a boson; `spinor` numbers the spinors of the multiplet.
    pub fn boson(&mut self, boson: usize, factor: Complex, m: &ComplexMatrix, spinor: usize) {
        for (a, l) in self.l.iter_mut().enumerate() {
            for b in 0..4 {
                l.add_to(boson, 4 * spinor + b, factor * m.entry(a, b));
            }
        }
    }

    /// Adds `factor M_ab boson` to `D_a psi_b`.
    pub fn fermion(&mut self, spinor: usize, factor: Complex, m: &ComplexMatrix, boson: usize) {
        for (a, r) in self.r.iter_mut().enumerate() {
            for b in 0..4 {
                r.add_to(4 * spinor + b, boson, factor * m.entry(a, b));
            }
        }
    }
}
