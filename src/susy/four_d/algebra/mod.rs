//! Linear algebra in four dimensions: complex matrices, momenta, gamma matrices and two-forms.
//! Source: arXiv:1906.02971; metric diag(-1, 1, 1, 1), real Majorana gammas, `eps_0123 = +1`.

mod complex;
mod gamma;
mod matrix;
mod momentum;
mod two_form;

pub use complex::Complex;
pub use gamma::GammaMatrices;
pub use matrix::ComplexMatrix;
pub use momentum::{FourMomentum, Frequency, METRIC, null_momenta};
pub use two_form::{Orientation, PAIRS};
pub(super) use two_form::{curl, gradient, metric, two_form_metric};
