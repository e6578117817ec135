//! Dictionaries that anyone would make without an autoencoder, as controls for what its blocks of features
//! show: principal components, centres of clusters.
//! `C = (1/n) sum x x^T`, both signs of its eigenvectors; centres of spherical k-means. Source: textbook.

use crate::data::TokenSplit;
use crate::error::{Error, Result};
use crate::interp::{centred_rows, check_l0, fixed_dictionary};
use crate::linear_algebra::symmetric_eigen;
use crate::model::Transformer;
use crate::sae::StandardSae;
use crate::susy::analogy::{RealMatrix, spherical_k_means};
use candle_core::{Device, Tensor};

/// The principal components of a model's activations at `hook_name` as a dictionary: `2 d_in` features,
/// each component with both signs, the largest variance first; `l0` of them active on a token on average
/// (biases and gain as for [`crate::interp::random_dictionary`]).
///
/// # Errors
/// An unknown hook point or one of another width, `l0` outside (0, 2 d_in), a split too short,
/// activations that are not finite; [`Error::Interrupted`].
pub fn pca_dictionary(
    model: &Transformer,
    hook_name: &str,
    split: &TokenSplit,
    d_in: usize,
    l0: f64,
    seed: u64,
) -> Result<StandardSae> {
    check_l0(l0, 2 * d_in)?;
    let rows = centred_rows(model, hook_name, split, d_in, seed)?;
    let x = RealMatrix::from_tensor("activations", &rows.x_cent)?;
    let spectrum = symmetric_eigen(&x.transposed_times(&x))?;
    // Directions without variance, to rounding, are left out.
    let least = 1e-10 * spectrum.values.first().copied().unwrap_or(0.0);
    let kept = spectrum.values.iter().filter(|v| **v > least).count();
    if kept == 0 {
        return Err(Error::argument(
            "activations",
            "constant",
            "have no direction",
        ));
    }
    let directions = RealMatrix::from_entries(2 * kept, d_in, |i, j| {
        let sign = if i % 2 == 0 { 1.0 } else { -1.0 };
        sign * spectrum.vectors.entry(i / 2, j)
    });
    fixed_dictionary(&rows, &tensor(&directions, model.device())?, l0)
}

/// The centres of [`spherical_k_means`] of a model's centred activations at `hook_name` as a dictionary
/// of `d_sae` features; else as [`pca_dictionary`].
///
/// # Errors
/// As for [`pca_dictionary`], with `l0` in (0, d_sae); more features than the 4,096 activations.
pub fn k_means_dictionary(
    model: &Transformer,
    hook_name: &str,
    split: &TokenSplit,
    (d_in, d_sae): (usize, usize),
    l0: f64,
    seed: u64,
) -> Result<StandardSae> {
    check_l0(l0, d_sae)?;
    let rows = centred_rows(model, hook_name, split, d_in, seed)?;
    let x = RealMatrix::from_tensor("activations", &rows.x_cent)?;
    let clusters = spherical_k_means(&x, d_sae, seed)?;
    fixed_dictionary(&rows, &tensor(&clusters.centres, model.device())?, l0)
}

fn tensor(a: &RealMatrix, device: &Device) -> Result<Tensor> {
    let entries: Vec<f32> = a.entries().iter().map(|x| *x as f32).collect();
    Ok(Tensor::from_vec(
        entries,
        (a.n_rows(), a.n_columns()),
        device,
    )?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TransformerConfig;
    use crate::sae::SparseAutoencoder;

    const HOOK: &str = "blocks.0.mlp.hook_post";

    fn model_and_split() -> (Transformer, TokenSplit) {
        let cfg = TransformerConfig {
            d_vocab: 50,
            d_model: 8,
            n_heads: 2,
            d_mlp: 12,
            n_ctx: 16,
            ..Default::default()
        };
        let tokens: Vec<u32> = (0..800u32).map(|i| (i * i + i / 40 * 7) % 50).collect();
        let split = TokenSplit {
            tokens,
            starts: (0..20).map(|d| 40 * d).collect(),
            document_ids: (0..20).collect(),
            bos: 0,
            labels: None,
        };
        (Transformer::new(&cfg).unwrap(), split)
    }

    #[test]
    fn principal_components_are_orthonormal_with_both_signs() {
        let (model, split) = model_and_split();
        let sae = pca_dictionary(&model, HOOK, &split, 12, 3.0, 1).unwrap();
        let w = RealMatrix::from_tensor("W_dec", &sae.w_dec()).unwrap();
        assert_eq!(w.shape(), [24, 12]);
        let gram = w.times(&w.transpose());
        for (i, j) in (0..24).flat_map(|i| (0..24).map(move |j| (i, j))) {
            let expected = match (i / 2 == j / 2, i == j) {
                (_, true) => 1.0,
                (true, false) => -1.0,
                _ => 0.0,
            };
            assert!((gram.entry(i, j) - expected).abs() < 1e-5, "{i} {j}");
        }
        // The first component has the largest variance, the last the smallest.
        let x = centred_rows(&model, HOOK, &split, 12, 1).unwrap().x_cent;
        let x = RealMatrix::from_tensor("x", &x).unwrap();
        let along = x.times(&w.transpose());
        let spread: Vec<f64> = (along.column_norms().iter().step_by(2)).copied().collect();
        assert!(
            spread.windows(2).all(|w| w[0] >= w[1] * (1.0 - 1e-5)),
            "{spread:?}"
        );
    }

    #[test]
    fn centres_are_unit_directions_and_impossible_sizes_are_refused() {
        let (model, split) = model_and_split();
        let sae = k_means_dictionary(&model, HOOK, &split, (12, 30), 4.0, 1).unwrap();
        let w = RealMatrix::from_tensor("W_dec", &sae.w_dec()).unwrap();
        assert_eq!(w.shape(), [30, 12]);
        let rows = w.transpose().column_norms();
        assert!(rows.iter().all(|n| (n - 1.0).abs() < 1e-5));
        assert!(pca_dictionary(&model, HOOK, &split, 12, 24.0, 1).is_err());
        assert!(k_means_dictionary(&model, HOOK, &split, (12, 5000), 4.0, 1).is_err());
    }
}
