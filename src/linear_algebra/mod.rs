//! Dense linear algebra in f64: one matrix type, decompositions and eigenvalues by the `faer` crate on one thread,
//! the assignment problem.

mod assignment;
mod decompositions;
mod positive_system;
mod products;
mod real_matrix;
mod spectra;

pub(crate) use assignment::assignment;
pub use decompositions::SingularValues;
pub(crate) use decompositions::require_full_rank;
pub(crate) use positive_system::solve_positive;
pub(crate) use products::dot;
pub use real_matrix::RealMatrix;
pub(crate) use spectra::symmetric_eigen;
