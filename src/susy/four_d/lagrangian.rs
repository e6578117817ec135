//! Quadratic Lagrangians in momentum space.
//! `S = sum over k of (1/2) phi(-k) K(k) phi(k) + (i/2) psi(-k) M(k) psi(k)`.
//! Source: arXiv:1906.02971.

use super::ComplexMatrix;

/// The two quadratic forms of a Lagrangian at one momentum.
#[derive(Debug, Clone, PartialEq)]
pub struct Lagrangian {
    /// K, twice the Lagrangian of the bosons: `[n_bosons, n_bosons]`.
    pub bosons: ComplexMatrix,
    /// M, with spinor indices up: `[n_fermions, n_fermions]`.
    pub fermions: ComplexMatrix,
}
