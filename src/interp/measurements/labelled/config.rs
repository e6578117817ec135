//! Settings that the measurements on labels share.

use crate::error::{Error, Result};

/// How probes are fitted and how many features they see or lose.
#[derive(Debug, Clone, PartialEq)]
pub struct ProbeConfig {
    /// Inverse weight of the L2 penalty: a probe minimises `c sum log-loss + |w|^2 / 2`, scikit-learn's
    /// `LogisticRegression(C=c)`.
    pub c: f64,
    /// Features that a sparse probe sees.
    pub ks: Vec<usize>,
    /// Features that are ablated by [`super::targeted_probe_perturbation`] and
    /// [`super::spurious_correlation_removal`].
    pub n_ablated: Vec<usize>,
    /// Draws the rows that balance each class.
    pub seed: u64,
}

impl Default for ProbeConfig {
    /// SAEBench's numbers.
    fn default() -> Self {
        Self {
            c: 1.0,
            ks: vec![1, 2, 5],
            n_ablated: vec![2, 5, 10, 20, 50, 100, 500],
            seed: 0,
        }
    }
}

impl ProbeConfig {
    pub(super) fn validate(&self) -> Result<()> {
        let usable = self.c > 0.0 && self.c.is_finite();
        if !usable {
            return Err(Error::argument("c", self.c, "must be above 0 and finite"));
        }
        if self.ks.contains(&0) || self.ks.is_empty() {
            let ks = format!("{:?}", self.ks);
            return Err(Error::argument("ks", ks, "must be numbers of at least 1"));
        }
        if self.n_ablated.contains(&0) || self.n_ablated.is_empty() {
            let n = format!("{:?}", self.n_ablated);
            return Err(Error::argument(
                "n_ablated",
                n,
                "must be numbers of at least 1",
            ));
        }
        Ok(())
    }
}
