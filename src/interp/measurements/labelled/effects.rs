//! What ablating features does to a linear probe.
//! `effect_f = (mean_pos - mean_neg of f) (w . W_dec_f)`; without the features S the log-odds are
//! `z - sum_{f in S} f (w . W_dec_f)`: the reconstruction's error stays. Source: SAEBench 0.6, SCR and TPP.

use super::feature_rows::FeatureRows;
use super::logistic::LogisticRegression;
use super::probe::largest;
use crate::linear_algebra::{RealMatrix, dot};

/// `w . W_dec_f` of every feature. `[d_sae]`
pub(super) fn along_decoder(probe: &LogisticRegression, w_dec: &RealMatrix) -> Vec<f64> {
    (0..w_dec.n_rows())
        .map(|f| dot(&probe.weights, w_dec.row(f)))
        .collect()
}

/// `mean_pos - mean_neg` of every feature. `[d_sae]`
pub(super) fn mean_difference(features: &FeatureRows, y: &[bool], rows: &[usize]) -> Vec<f64> {
    let of = |answer: bool| features.means(|i| y[i] == answer && rows.binary_search(&i).is_ok());
    let (pos, neg) = (of(true), of(false));
    pos.iter().zip(&neg).map(|(p, n)| p - n).collect()
}

/// The `n` features of largest effect; those of effect 0 or less are none.
pub(super) fn strongest(effects: &[f64], n: usize) -> Vec<usize> {
    let mut found = largest(effects, n);
    found.retain(|f| effects[*f] > 0.0);
    found.sort_unstable();
    found
}

/// The log-odds of a row without some features (ascending).
pub(super) fn ablated_logit(
    logit: f64,
    row: &[(u32, f32)],
    along: &[f64],
    without: &[usize],
) -> f64 {
    let removed = row
        .iter()
        .filter(|(f, _)| without.binary_search(&(*f as usize)).is_ok());
    logit
        - removed
            .map(|(f, act)| f64::from(*act) * along[*f as usize])
            .sum::<f64>()
}
