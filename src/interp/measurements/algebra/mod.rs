//! Linear algebra of the measurements, in f64: products, symmetric eigenvectors, positive systems,
//! assignments, cosines between rows.
//! Source: Golub and Van Loan, Matrix Computations; each file names its own.

mod assignment;
mod cholesky;
mod cosines;
mod matrix;
mod symmetric_eigen;

pub(crate) use assignment::assignment;
pub(super) use cholesky::solve_positive;
pub(super) use cosines::{cosine_matrix, max_cosines};
pub(super) use matrix::{Matrix, dot};
pub(super) use symmetric_eigen::symmetric_eigen;
