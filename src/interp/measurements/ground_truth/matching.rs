//! Features of one dictionary matched with those of another, each with one of its own.
//! The matching of largest total cosine between decoder rows (Hungarian method); beside it the mean of
//! the largest cosines, `MMCS = mean_i max_j cos(a_i, b_j)`. Source: Sharkey et al. 2022; Paulo and
//! Belrose 2025, arXiv:2501.16615.

use crate::error::{Error, Result};
use crate::interp::measurements::cosines::{cosine_matrix, max_cosines};
use crate::linear_algebra::assignment;
use crate::sae::SparseAutoencoder;
use crate::show::{ChartOptions, Figure, histogram, shows_itself};
use candle_core::Tensor;
use polars::prelude::{DataFrame, df};
use std::fmt;

/// Features of the larger dictionary, at most: all cosines are kept, 4 bytes each.
const MAX_FEATURES: usize = 8_192;
/// Matched features are shared from this cosine on.
pub(super) const SHARED: f64 = 0.7;

/// One feature of either dictionary.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MatchedFeature {
    pub feature_a: usize,
    pub feature_b: usize,
    /// Cosine of their decoder rows.
    pub cosine: f64,
}

/// Two dictionaries matched.
#[derive(Debug, Clone, PartialEq)]
pub struct DictionaryMatching {
    /// As many as the smaller dictionary has features, by `feature_a`.
    pub pairs: Vec<MatchedFeature>,
    pub n_features: [usize; 2],
    /// Mean over the features of the first of the largest cosine with any feature of the second.
    pub mmcs_a_to_b: f64,
    /// The same the other way round.
    pub mmcs_b_to_a: f64,
}

/// Matches the features of two dictionaries of one width one to one.
///
/// # Errors
/// Dictionaries of different width, more than 8,192 features, decoders that are not finite.
pub fn match_dictionaries(
    a: &dyn SparseAutoencoder,
    b: &dyn SparseAutoencoder,
) -> Result<DictionaryMatching> {
    let n_features = [a.d_sae(), b.d_sae()];
    if let Some(n) = n_features.iter().find(|n| **n > MAX_FEATURES) {
        let reason = format!("at most {MAX_FEATURES} can be matched: all cosines are kept");
        return Err(Error::argument("features", n, reason));
    }
    let (w_a, w_b) = (a.w_dec(), b.w_dec());
    let cosines = cosine_matrix(&w_a, &w_b)?;
    let [n_a, n_b] = n_features;
    let at = |i: usize, j: usize| f64::from(cosines[i * n_b + j]);
    let found: Vec<(usize, usize)> = match n_a <= n_b {
        true => assignment(n_a, n_b, at)?.into_iter().enumerate().collect(),
        false => {
            let rows = assignment(n_b, n_a, |j, i| at(i, j))?;
            let mut pairs: Vec<_> = rows.into_iter().enumerate().map(|(j, i)| (i, j)).collect();
            pairs.sort_unstable();
            pairs
        }
    };
    Ok(DictionaryMatching {
        pairs: found
            .into_iter()
            .map(|(i, j)| MatchedFeature {
                feature_a: i,
                feature_b: j,
                cosine: at(i, j),
            })
            .collect(),
        n_features,
        mmcs_a_to_b: max_cosines(&w_a, &w_b, false)?.mean(),
        mmcs_b_to_a: max_cosines(&w_b, &w_a, false)?.mean(),
    })
}

/// Mean over the rows of `truth` of the largest cosine with a row of `found` (MMCS): how well known
/// directions, such as a synthetic model's, are among those of a dictionary. `[n, d]` and `[m, d]`
///
/// # Errors
/// [`Error::Shape`] for directions of different width, [`Error::NotFiniteAt`] for one that is not finite.
pub fn mean_max_cosine(truth: &Tensor, found: &Tensor) -> Result<f64> {
    Ok(max_cosines(truth, found, false)?.mean())
}

impl DictionaryMatching {
    /// Mean cosine of the matched pairs.
    pub fn mean_cosine(&self) -> f64 {
        self.pairs.iter().map(|p| p.cosine).sum::<f64>() / self.pairs.len() as f64
    }

    /// Share of the pairs with a cosine of at least 0.7.
    pub fn shared(&self) -> f64 {
        let shared = self.pairs.iter().filter(|p| p.cosine >= SHARED).count();
        shared as f64 / self.pairs.len() as f64
    }

    /// One row a pair: `feature_a`, `feature_b`, `cosine`.
    ///
    /// # Errors
    /// [`Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        let pairs = &self.pairs;
        Ok(df![
            "feature_a" => pairs.iter().map(|p| p.feature_a as u32).collect::<Vec<u32>>(),
            "feature_b" => pairs.iter().map(|p| p.feature_b as u32).collect::<Vec<u32>>(),
            "cosine" => pairs.iter().map(|p| p.cosine).collect::<Vec<f64>>(),
        ]?)
    }

    /// The histogram of the pairs' cosines, in percent of the pairs.
    ///
    /// # Errors
    /// When there is no pair.
    pub fn histogram(&self) -> Result<Figure> {
        let cosines: Vec<f64> = self.pairs.iter().map(|p| p.cosine).collect();
        let options = ChartOptions::new(
            "Features matched between two dictionaries",
            "cosine of the decoder rows",
            "share of pairs (%)",
        )
        .x_reference("shared: 0.7", SHARED)
        .caption(self.to_string());
        histogram(&cosines, 40, &options)
    }
}

impl fmt::Display for DictionaryMatching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} and {} features, matched one to one: mean cosine {:.3}, {:.1} % at least {SHARED}; mean of \
             the largest cosines {:.3} and {:.3}",
            self.n_features[0],
            self.n_features[1],
            self.mean_cosine(),
            100.0 * self.shared(),
            self.mmcs_a_to_b,
            self.mmcs_b_to_a
        )
    }
}

shows_itself!(DictionaryMatching, |it| it.histogram()?);

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::sae::StandardSae;
    use candle_core::{DType, Device};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use rand_distr::StandardNormal;

    pub(in super::super) fn with_decoder(rows: &[Vec<f32>]) -> StandardSae {
        let (n, d) = (rows.len(), rows[0].len());
        let w_dec = Tensor::from_vec(rows.concat(), (n, d), &Device::Cpu).unwrap();
        let zeros = |n: usize| Tensor::zeros(n, DType::F32, &Device::Cpu).unwrap();
        let w_enc = w_dec.t().unwrap().contiguous().unwrap();
        StandardSae::new(w_enc, zeros(n), w_dec, zeros(d)).unwrap()
    }

    pub(in super::super) fn normal_rows(n: usize, d: usize, seed: u64) -> Vec<Vec<f32>> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut row = |_| (0..d).map(|_| rng.sample(StandardNormal)).collect();
        (0..n).map(&mut row).collect()
    }

    #[test]
    fn a_shuffled_dictionary_is_matched_with_itself() {
        let rows = normal_rows(40, 16, 1);
        // 7 is prime to 40. Lengths do not matter.
        let shuffled: Vec<Vec<f32>> = (0..40)
            .map(|i| rows[7 * i % 40].iter().map(|v| 3.0 * v).collect())
            .collect();
        let found = match_dictionaries(&with_decoder(&rows), &with_decoder(&shuffled)).unwrap();
        assert!(
            found
                .pairs
                .iter()
                .all(|p| 7 * p.feature_b % 40 == p.feature_a)
        );
        assert!((found.mean_cosine() - 1.0).abs() < 1e-6 && found.shared() == 1.0);
        assert!((found.mmcs_a_to_b - 1.0).abs() < 1e-6);
        assert_eq!(found.frame().unwrap().shape(), (40, 3));
        assert!(found.histogram().is_ok());
    }

    #[test]
    fn one_feature_is_no_partner_of_two_but_the_largest_cosine_of_both() {
        let a = with_decoder(&[vec![1.0, 0.0], vec![1.0, 0.0]]);
        let b = with_decoder(&[vec![1.0, 0.0], vec![0.0, 1.0], vec![0.0, -1.0]]);
        let found = match_dictionaries(&a, &b).unwrap();
        assert_eq!((found.pairs.len(), found.shared()), (2, 0.5));
        assert!((found.mmcs_a_to_b - 1.0).abs() < 1e-6);
        assert!((found.mmcs_b_to_a - 1.0 / 3.0).abs() < 1e-6);
        // The other way round the pairs are the same.
        let turned = match_dictionaries(&b, &a).unwrap();
        assert_eq!((turned.pairs.len(), turned.shared()), (2, 0.5));
        assert_eq!(turned.n_features, [3, 2]);
        let wide = with_decoder(&[vec![1.0, 0.0, 0.0]]);
        assert!(match_dictionaries(&a, &wide).is_err());
        let nan = with_decoder(&[vec![f32::NAN, 0.0]]);
        assert!(match_dictionaries(&a, &nan).is_err());
        let half = mean_max_cosine(&b.w_dec, &a.w_dec).unwrap();
        assert!((half - 1.0 / 3.0).abs() < 1e-6);
    }
}
