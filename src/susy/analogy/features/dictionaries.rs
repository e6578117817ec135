//! Dictionaries that anyone would make without an autoencoder, as controls for what its blocks of features
//! show: principal components, centres of clusters.
//! `C = (1/n) sum x x^T`, both signs of its eigenvectors; centres of spherical k-means. Source: textbook.

use crate::data::TokenSplit;
use crate::error::Result;
use crate::interp::{Control, centred_rows, check_l0, control_dictionary, fixed_dictionary};
use crate::model::Transformer;
use crate::sae::StandardSae;
use crate::susy::analogy::{RealMatrix, spherical_k_means};

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
    let shape = (d_in, 2 * d_in);
    control_dictionary(model, hook_name, split, Control::Pca, shape, l0, seed)
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
    fixed_dictionary(&rows, &clusters.centres.to_tensor(model.device())?, l0)
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
