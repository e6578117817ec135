//! Stability across seeds: which share of the features comes again when training begins elsewhere.
//! Every pair of dictionaries is matched one to one (see `matching.rs`). Source: Paulo and Belrose 2025.

use super::matching::match_dictionaries;
use crate::error::{Error, Result};
use crate::sae::SparseAutoencoder;
use crate::show::{Table, shows_itself};
use polars::prelude::{DataFrame, df};
use std::fmt;

/// Two of the dictionaries.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StabilityPair {
    /// Places in the list given.
    pub a: usize,
    pub b: usize,
    /// Mean cosine of the matched decoder rows.
    pub mean_cosine: f64,
    /// Share of the matched pairs with a cosine of at least 0.7.
    pub shared: f64,
    /// Mean of the largest cosines, of both directions.
    pub mmcs: f64,
}

/// Every pair of several dictionaries.
#[derive(Debug, Clone, PartialEq)]
pub struct StabilityAcrossSeeds {
    pub pairs: Vec<StabilityPair>,
}

/// Matches every pair of dictionaries that differ by their seed alone.
///
/// # Errors
/// Fewer than two dictionaries; those of [`match_dictionaries`].
pub fn stability_across_seeds(saes: &[&dyn SparseAutoencoder]) -> Result<StabilityAcrossSeeds> {
    if saes.len() < 2 {
        return Err(Error::argument(
            "dictionaries",
            saes.len(),
            "at least 2 are needed",
        ));
    }
    let mut pairs = Vec::new();
    for a in 0..saes.len() {
        for b in a + 1..saes.len() {
            let found = match_dictionaries(saes[a], saes[b])?;
            pairs.push(StabilityPair {
                a,
                b,
                mean_cosine: found.mean_cosine(),
                shared: found.shared(),
                mmcs: (found.mmcs_a_to_b + found.mmcs_b_to_a) / 2.0,
            });
        }
    }
    Ok(StabilityAcrossSeeds { pairs })
}

impl StabilityAcrossSeeds {
    /// Mean over the pairs of the share of features with a cosine of at least 0.7.
    pub fn shared(&self) -> f64 {
        self.pairs.iter().map(|p| p.shared).sum::<f64>() / self.pairs.len() as f64
    }

    /// Mean over the pairs of the mean cosine.
    pub fn mean_cosine(&self) -> f64 {
        self.pairs.iter().map(|p| p.mean_cosine).sum::<f64>() / self.pairs.len() as f64
    }

    /// One row a pair: `a`, `b`, `mean_cosine`, `shared`, `mmcs`.
    ///
    /// # Errors
    /// [`Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        let of = |part: fn(&StabilityPair) -> f64| self.pairs.iter().map(part).collect::<Vec<_>>();
        Ok(df![
            "a" => self.pairs.iter().map(|p| p.a as u32).collect::<Vec<u32>>(),
            "b" => self.pairs.iter().map(|p| p.b as u32).collect::<Vec<u32>>(),
            "mean_cosine" => of(|p| p.mean_cosine),
            "shared" => of(|p| p.shared),
            "mmcs" => of(|p| p.mmcs),
        ]?)
    }
}

impl fmt::Display for StabilityAcrossSeeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} pairs of dictionaries: mean cosine of matched features {:.3}, {:.1} % at least 0.7",
            self.pairs.len(),
            self.mean_cosine(),
            100.0 * self.shared()
        )
    }
}

shows_itself!(StabilityAcrossSeeds, |it| Table::new(it.frame()?)
    .caption(it.to_string()));

#[cfg(test)]
mod tests {
    use super::super::matching::tests::{normal_rows, with_decoder};
    use super::*;

    #[test]
    fn half_of_the_features_come_again() {
        let (first, second) = (normal_rows(30, 64, 1), normal_rows(30, 64, 2));
        let mut mixed = first.clone();
        mixed[15..].clone_from_slice(&second[15..]);
        let [a, b, c] = [first, mixed, second].map(|rows| with_decoder(&rows));
        let found = stability_across_seeds(&[&a, &b, &c]).unwrap();
        assert_eq!(found.pairs.len(), 3);
        // In 64 dimensions random directions have no cosine of 0.7.
        assert_eq!(
            found.pairs.iter().map(|p| p.shared).collect::<Vec<_>>(),
            [0.5, 0.0, 0.5]
        );
        assert!((found.shared() - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!(found.frame().unwrap().shape(), (3, 5));
        assert!(stability_across_seeds(&[&a]).is_err());
    }
}
