//! Labelled rows and dictionaries that the tests of this folder share.

use super::activations::LabelledActivations;
use crate::sae::StandardSae;
use candle_core::{DType, Device, Tensor};

/// `n` names.
pub(super) fn class_names(n: usize) -> Vec<String> {
    (0..n).map(|i| format!("class {i}")).collect()
}

/// Rows of three dimensions with their classes.
pub(super) fn labelled(
    rows: impl Iterator<Item = ([f32; 3], usize)>,
    classes: Vec<String>,
) -> LabelledActivations {
    let (x, labels): (Vec<[f32; 3]>, Vec<usize>) = rows.unzip();
    let n = x.len();
    let x = Tensor::from_vec(x.concat(), (n, 3), &Device::Cpu).unwrap();
    LabelledActivations::new(x, labels, classes).unwrap()
}

/// An autoencoder without biases: what each feature reads and what it writes.
pub(super) fn dictionary(read: &[[f32; 3]], write: &[[f32; 3]]) -> StandardSae {
    let device = Device::Cpu;
    let zeros = |n: usize| Tensor::zeros(n, DType::F32, &device).unwrap();
    let matrix =
        |rows: &[[f32; 3]]| Tensor::from_vec(rows.concat(), (rows.len(), 3), &device).unwrap();
    let w_enc = matrix(read).t().unwrap().contiguous().unwrap();
    StandardSae::new(w_enc, zeros(read.len()), matrix(write), zeros(3)).unwrap()
}

/// A dictionary whose features are the axes.
pub(super) fn axes() -> StandardSae {
    let axes = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    dictionary(&axes, &axes)
}
