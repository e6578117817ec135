//! Real matrices and what is asked of them: singular values, eigenvalues, the assignment problem.
//! Each file names its source.

mod assignment;
mod decompositions;
mod eigenvalues;
mod matrix;

pub use assignment::best_assignment;
pub(super) use assignment::permutations;
pub use decompositions::SingularValues;
pub(super) use decompositions::require_full_rank;
pub use matrix::RealMatrix;
pub(super) use matrix::dot;
