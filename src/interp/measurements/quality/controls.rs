//! Untrained dictionaries, as sparse as a trained one, to compare it with.
//! Neurons, principal components and independent components with both signs, random directions.
//! Source: Bricken et al. 2023 (neurons, PCA), Sharkey et al. 2022 (ICA).

use super::fast_ica::fast_ica;
use crate::data::TokenSplit;
use crate::error::{Error, Result};
use crate::interp::dictionaries::{
    CentredRows, centred_rows, check_l0, fixed_dictionary, random_dictionary, read_write_dictionary,
};
use crate::linear_algebra::{RealMatrix, dot, symmetric_eigen};
use crate::model::Transformer;
use crate::sae::StandardSae;
use candle_core::Tensor;
use std::fmt;

/// A dictionary made without an autoencoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Control {
    /// The axes of the activation, each with both signs: `2 d_in` features.
    Neurons,
    /// The principal components, each with both signs, the largest variance first.
    Pca,
    /// The independent components (FastICA), each with both signs; what a feature looks for is a row
    /// of the unmixing matrix, what it writes one of the mixing matrix. At most 50 steps, converged or not.
    Ica,
    /// Random unit directions, as many as the autoencoder has features.
    Random,
}

impl Control {
    /// All of them, in the order in which tables list them.
    pub const ALL: [Control; 4] = [Self::Neurons, Self::Pca, Self::Ica, Self::Random];
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Neurons => "neurons",
            Self::Pca => "PCA",
            Self::Ica => "ICA",
            Self::Random => "random directions",
        })
    }
}

/// A control for autoencoders of shape `(d_in, d_sae)`, fitted on 4,096 tokens of `split` drawn by
/// `seed`, so that `l0` features are active on a token on average. Every feature has a threshold and
/// all have one gain, that of least squared error on those tokens (see [`random_dictionary`]).
///
/// # Errors
/// An unknown hook point or one of another width, `l0` not between 0 and the number of features, a split
/// too short, activations that are constant or not finite; [`Error::Interrupted`].
pub fn control_dictionary(
    model: &Transformer,
    hook_name: &str,
    split: &TokenSplit,
    control: Control,
    (d_in, d_sae): (usize, usize),
    l0: f64,
    seed: u64,
) -> Result<StandardSae> {
    if control == Control::Random {
        return random_dictionary(model, hook_name, split, (d_in, d_sae), l0, seed);
    }
    check_l0(l0, 2 * d_in)?;
    let rows = centred_rows(model, hook_name, split, d_in, seed)?;
    fitted_control(&rows, control, l0, seed)
}

/// The control for these activations; random directions are not among those that can be fitted.
fn fitted_control(rows: &CentredRows, control: Control, l0: f64, seed: u64) -> Result<StandardSae> {
    let device = rows.x_cent.device();
    let x = centred(RealMatrix::from_tensor("activations", &rows.x_cent)?);
    let mean = RealMatrix::from_tensor("mean activation", &rows.mean.unsqueeze(0)?)?;
    let square = |m: &RealMatrix| dot(m.entries(), m.entries()) / m.n_rows() as f64;
    if square(&x) <= 1e-12 * square(&mean) {
        let reason = "have no direction of any variance";
        return Err(Error::argument("activations", "constant", reason));
    }
    let signed = |m: &RealMatrix| -> Result<Tensor> { both_signs(m).to_tensor(device) };
    match control {
        Control::Neurons | Control::Random => {
            let axes = RealMatrix::identity(x.n_columns());
            fixed_dictionary(rows, &signed(&axes)?, l0)
        }
        Control::Pca => {
            let spectrum = symmetric_eigen(&x.transposed_times(&x))?;
            let kept = spectrum.rank();
            let components = spectrum.vectors.select(&(0..kept).collect::<Vec<_>>());
            check_l0(l0, 2 * kept)?;
            fixed_dictionary(rows, &signed(&components)?, l0)
        }
        Control::Ica => {
            let found = fast_ica(&x, seed)?;
            check_l0(l0, 2 * found.unmixing.n_rows())?;
            let (read, write) = (signed(&found.unmixing)?, signed(&found.mixing)?);
            read_write_dictionary(rows, &read, &write, l0)
        }
    }
}

/// Less what the mean in f32 has left of the mean.
fn centred(mut x: RealMatrix) -> RealMatrix {
    let mean = x.mean_row();
    for i in 0..x.n_rows() {
        for (v, m) in x.row_mut(i).iter_mut().zip(&mean) {
            *v -= m;
        }
    }
    x
}

/// Each row, and the row with the other sign after it.
fn both_signs(m: &RealMatrix) -> RealMatrix {
    let mut both = RealMatrix::zeros(2 * m.n_rows(), m.n_columns());
    for i in 0..m.n_rows() {
        both.row_mut(2 * i).copy_from_slice(m.row(i));
        for (entry, v) in both.row_mut(2 * i + 1).iter_mut().zip(m.row(i)) {
            *entry = -v;
        }
    }
    both
}
