//! Feature splitting: what one feature of a small dictionary becomes in a larger one.
//! A feature of the larger one is a child of the feature of largest cosine in the smaller, if that is at
//! least 0.7; one that splits has two children or more. Source: Bricken et al. 2023, "Feature Splitting".

use super::matching::SHARED;
use crate::error::{Error, Result};
use crate::interp::measurements::cosines::max_cosines;
use crate::sae::SparseAutoencoder;
use crate::show::{Table, shows_itself};
use polars::prelude::{DataFrame, df};
use std::fmt;

/// One feature of the smaller dictionary.
#[derive(Debug, Clone, PartialEq)]
pub struct SplitFeature {
    pub feature_id: usize,
    /// Features of the larger dictionary, the nearest first.
    pub children: Vec<usize>,
    /// Mean cosine with its children; NaN without any.
    pub mean_cosine: f64,
}

/// Every feature of the smaller dictionary.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureSplitting {
    /// Most children first.
    pub features: Vec<SplitFeature>,
    /// Features of the larger dictionary that are no one's child: new ones.
    pub n_new: usize,
    pub n_larger: usize,
}

/// Finds the children of each feature of `small` among those of `large`.
///
/// # Errors
/// A `large` that is smaller, dictionaries of different width, decoders that are not finite.
pub fn feature_splitting(
    small: &dyn SparseAutoencoder,
    large: &dyn SparseAutoencoder,
) -> Result<FeatureSplitting> {
    let (n_small, n_larger) = (small.d_sae(), large.d_sae());
    if n_larger < n_small {
        let reason = format!("must have at least as many as the smaller dictionary, {n_small}");
        return Err(Error::argument(
            "features of the larger dictionary",
            n_larger,
            reason,
        ));
    }
    let parents = max_cosines(&large.w_dec(), &small.w_dec(), false)?;
    let mut children = vec![Vec::new(); n_small];
    let mut n_new = 0;
    for (child, (&parent, &cosine)) in parents.at.iter().zip(&parents.cosine).enumerate() {
        match cosine >= SHARED {
            true => children[parent].push((child, cosine)),
            false => n_new += 1,
        }
    }
    let mut features: Vec<SplitFeature> = children
        .into_iter()
        .enumerate()
        .map(|(feature_id, mut children)| {
            children.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            let sum: f64 = children.iter().map(|(_, cosine)| cosine).sum();
            SplitFeature {
                feature_id,
                mean_cosine: sum / children.len() as f64,
                children: children.into_iter().map(|(child, _)| child).collect(),
            }
        })
        .collect();
    features.sort_by_key(|f| std::cmp::Reverse(f.children.len()));
    Ok(FeatureSplitting {
        features,
        n_new,
        n_larger,
    })
}

impl FeatureSplitting {
    /// Share of the smaller dictionary's features with two children or more.
    pub fn split_share(&self) -> f64 {
        self.share(|n| n >= 2)
    }

    /// Share of the smaller dictionary's features without a child.
    pub fn lost_share(&self) -> f64 {
        self.share(|n| n == 0)
    }

    fn share(&self, holds: fn(usize) -> bool) -> f64 {
        let n = self
            .features
            .iter()
            .filter(|f| holds(f.children.len()))
            .count();
        n as f64 / self.features.len() as f64
    }

    /// One row a feature of the smaller dictionary: `feature`, `n_children`, `children` (their numbers),
    /// `mean_cosine`.
    ///
    /// # Errors
    /// [`Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        let features = &self.features;
        let list = |f: &SplitFeature| {
            let numbers: Vec<String> = f.children.iter().map(usize::to_string).collect();
            numbers.join(" ")
        };
        Ok(df![
            "feature" => features.iter().map(|f| f.feature_id as u32).collect::<Vec<u32>>(),
            "n_children" => features.iter().map(|f| f.children.len() as u32).collect::<Vec<u32>>(),
            "children" => features.iter().map(list).collect::<Vec<String>>(),
            "mean_cosine" => features.iter().map(|f| f.mean_cosine).collect::<Vec<f64>>(),
        ]?)
    }
}

impl fmt::Display for FeatureSplitting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} features in a dictionary of {}: {:.1} % split (two children or more), {:.1} % without a child; \
             {} features of the larger one are new",
            self.features.len(),
            self.n_larger,
            100.0 * self.split_share(),
            100.0 * self.lost_share(),
            self.n_new
        )
    }
}

shows_itself!(FeatureSplitting, |it| Table::new(it.frame()?)
    .caption(it.to_string()));

#[cfg(test)]
mod tests {
    use super::super::matching::tests::with_decoder;
    use super::*;

    #[test]
    fn children_go_to_the_nearest_parent_and_far_ones_are_new() {
        let small = with_decoder(&[
            vec![1.0, 0.0, 0.0],
            vec![0.0, 1.0, 0.0],
            vec![0.0, 0.0, 1.0],
        ]);
        let large = with_decoder(&[
            vec![1.0, 0.2, 0.0],
            vec![1.0, -0.1, 0.0],
            vec![0.0, 2.0, 0.0],
            // Between all three: a cosine of 0.577 with each.
            vec![1.0, 1.0, 1.0],
        ]);
        let found = feature_splitting(&small, &large).unwrap();
        let of = |id: usize| found.features.iter().find(|f| f.feature_id == id).unwrap();
        assert_eq!(of(0).children, [1, 0]);
        assert_eq!(of(1).children, [2]);
        assert!(of(2).children.is_empty() && of(2).mean_cosine.is_nan());
        assert_eq!(found.features[0].feature_id, 0);
        assert_eq!(found.n_new, 1);
        assert!((found.split_share() - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!(found.split_share(), found.lost_share());
        assert_eq!(found.frame().unwrap().shape(), (3, 4));
        assert!(feature_splitting(&large, &small).is_err());
    }
}
