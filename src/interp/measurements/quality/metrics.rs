//! The metrics as functions of sums over tokens. Every one is a mean over tokens or a ratio of such means,
//! so that a resample of sequences has it too.
//!
//! - explained variance: `1 - sum |x - x_hat|^2 / sum |x - mean x|^2` over tokens and dimensions.
//! - recovered: `(L_abl - L_sae) / (L_abl - L_own)` for cross-entropy, `1 - KL_sae / KL_abl` for KL.
//! - l2_ratio: mean of `|x_hat| / |x|`, with 1 for a `|x|` below 1e-4, as in SAEBench.
//! - relative_reconstruction_bias: `sum |x_hat|^2 / sum x . x_hat` over all tokens (SAEBench averages this
//!   ratio over batches, so that it depends on their size); below 1 for a reconstruction that shrinks.
//!
//! Source: SAEBench 0.6, `evals/core`; SAELens 6.54, `ExplainedVarianceCalculator`.

use super::harvest::sums::{Replaced, Sums};

/// Names of the metrics with an interval, in the order of [`values`].
pub(super) const METRICS: [&str; 25] = [
    "l0",
    "l1",
    "explained_variance",
    "saebench_explained_variance",
    "fvu",
    "mse",
    "saebench_mse",
    "cossim",
    "l2_ratio",
    "relative_reconstruction_bias",
    "ce_loss",
    "ce_loss_with_sae",
    "ce_loss_with_zero_ablation",
    "ce_loss_with_mean_ablation",
    "ce_loss_with_resample_ablation",
    "ce_recovered_zero",
    "ce_recovered_mean",
    "ce_recovered_resample",
    "kl_with_sae",
    "kl_with_zero_ablation",
    "kl_with_mean_ablation",
    "kl_with_resample_ablation",
    "kl_recovered_zero",
    "kl_recovered_mean",
    "kl_recovered_resample",
];

/// The metrics of tokens with these sums, `x` the sum of their activations.
pub(super) fn values(s: &Sums, x: &[f64]) -> Vec<f64> {
    let mean = |sum: f64| sum / s.n;
    let squared_mean: f64 = x.iter().map(|v| mean(*v).powi(2)).sum();
    let variance = mean(s.x_squared) - squared_mean;
    // Activations that are all equal have no variance but what rounding leaves of it.
    let fvu = match variance > 1e-12 * mean(s.x_squared) {
        true => mean(s.error_squared) / variance,
        false => f64::NAN,
    };
    let ce = s.ce.map(|sum| sum / s.n_predictions);
    let kl = s.kl.map(|sum| sum / s.n_logits);
    let [own, zero, mean_abl, resample, sae] = ce;
    let ce_recovered = |abl: f64| ratio(abl - sae, abl - own);
    let [_, kl_zero, kl_mean, kl_resample, kl_sae] = kl;
    let kl_recovered = |abl: f64| ratio(abl - kl_sae, abl);
    vec![
        mean(s.l0),
        mean(s.l1),
        1.0 - fvu,
        saebench_explained_variance(s, x.len()),
        fvu,
        mean(s.error_squared),
        mean(s.error_over_batch),
        mean(s.cosine),
        mean(s.l2_ratio),
        ratio(s.x_hat_squared, s.product),
        own,
        sae,
        zero,
        mean_abl,
        resample,
        ce_recovered(zero),
        ce_recovered(mean_abl),
        ce_recovered(resample),
        kl_sae,
        kl_zero,
        kl_mean,
        kl_resample,
        kl_recovered(kl_zero),
        kl_recovered(kl_mean),
        kl_recovered(kl_resample),
    ]
}

/// NaN, not infinity, where nothing was lost and so nothing can be recovered.
fn ratio(part: f64, whole: f64) -> f64 {
    match whole == 0.0 {
        true => f64::NAN,
        false => part / whole,
    }
}

/// What SAEBench 0.6.0 calls `explained_variance`: `1 - E|x - x_hat|^2 / (E|x|^2 - m^2)` with
/// `m = E|x|^2 / d_in`, where the squared length of the mean activation belongs. It is no share of a
/// variance: it depends on the unit of the activations and can exceed 1.
fn saebench_explained_variance(s: &Sums, d_in: usize) -> f64 {
    let square = s.x_squared / s.n;
    let m = square / d_in as f64;
    1.0 - ratio(s.error_squared / s.n, square - m * m)
}

const _: () = assert!(Replaced::ByReconstruction as usize + 1 == super::harvest::sums::N_REPLACED);

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use rand_distr::StandardNormal;

    fn metric(values: &[f64], name: &str) -> f64 {
        values[METRICS.iter().position(|m| *m == name).unwrap()]
    }

    /// x ~ N(0, scale^2 I_16), the residual a normal of deviation 0.3 scale.
    fn gaussian(scale: f64, n: usize) -> (Sums, Vec<f64>) {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let (mut sums, mut total) = (Sums::default(), vec![0.0; 16]);
        for _ in 0..n {
            let mut normal = |s: f64| {
                let z: f64 = rng.sample(StandardNormal);
                s * z
            };
            let x: Vec<f32> = (0..16).map(|_| normal(scale) as f32).collect();
            let x_hat: Vec<f32> = x.iter().map(|v| v + normal(0.3 * scale) as f32).collect();
            sums.add_row(&x, &x_hat, n);
            for (t, v) in total.iter_mut().zip(&x) {
                *t += f64::from(*v);
            }
        }
        (sums, total)
    }

    /// The package's own formula, run in Python on the same distribution, gives 0.903, 0.792 and 1.017
    /// for these scales, where the share of the variance explained is 0.91 for all.
    #[test]
    fn saebenchs_explained_variance_depends_on_the_scale_and_ours_does_not() {
        for (scale, theirs) in [(1.0, 0.903), (3.0, 0.792), (10.0, 1.017)] {
            let (sums, total) = gaussian(scale, 40_000);
            let found = values(&sums, &total);
            assert!((metric(&found, "explained_variance") - 0.91).abs() < 2e-3);
            let wrong = metric(&found, "saebench_explained_variance");
            assert!((wrong - theirs).abs() < 5e-3, "{scale}: {wrong}");
            assert!((metric(&found, "fvu") - 0.09).abs() < 2e-3);
            // 16 dimensions of deviation 0.3 scale; divided by the tokens once more.
            let mse = metric(&found, "mse");
            assert!((mse / (16.0 * 0.09 * scale * scale) - 1.0).abs() < 0.01);
            assert!((metric(&found, "saebench_mse") * 40_000.0 / mse - 1.0).abs() < 1e-9);
        }
    }

    /// ```python
    /// x = np.array([[3., 4.], [1., 0.], [0., 0.]]); h = np.array([[3., 0.], [2., 0.], [0., 1.]])
    /// 1 - ((x - h)**2).sum() / ((x - x.mean(0))**2).sum()   # -0.17391304 = 1 - 18/(26 - 32/3)
    /// (x*h).sum(1) / np.maximum(np.linalg.norm(x,axis=1)*np.linalg.norm(h,axis=1), 1e-8)  # .6 1 0; mean
    /// np.linalg.norm(h,axis=1) / [5, 1, 1]                                  # .6 2 1; mean
    /// (h**2).sum() / (x*h).sum()                                            # 14/11
    /// ```
    #[test]
    fn reconstruction_metrics_are_the_definitions() {
        let rows = [
            ([3f32, 4.0], [3f32, 0.0]),
            ([1.0, 0.0], [2.0, 0.0]),
            ([0.0, 0.0], [0.0, 1.0]),
        ];
        let mut sums = Sums::default();
        for (x, x_hat) in &rows {
            sums.add_row(x, x_hat, 3);
        }
        let found = values(&sums, &[4.0, 4.0]);
        let expected = [
            ("explained_variance", 1.0 - 18.0 / (26.0 - 32.0 / 3.0)),
            ("mse", 6.0),
            ("saebench_mse", 2.0),
            ("cossim", 1.6 / 3.0),
            ("l2_ratio", 3.6 / 3.0),
            ("relative_reconstruction_bias", 14.0 / 11.0),
        ];
        for (name, value) in expected {
            assert!((metric(&found, name) - value).abs() < 1e-12, "{name}");
        }
    }

    #[test]
    fn constant_activations_and_losses_that_nothing_changes_are_nan_not_infinite() {
        let mut sums = Sums {
            n_predictions: 1.0,
            n_logits: 2.0,
            ..Sums::default()
        };
        sums.add_row(&[1.0, 2.0], &[1.0, 1.0], 2);
        sums.add_row(&[1.0, 2.0], &[1.0, 1.0], 2);
        let found = values(&sums, &[2.0, 4.0]);
        for name in [
            "explained_variance",
            "fvu",
            "ce_recovered_zero",
            "kl_recovered_mean",
        ] {
            assert!(metric(&found, name).is_nan(), "{name}");
        }
        assert_eq!(metric(&found, "mse"), 1.0);
    }
}
