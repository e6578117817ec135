//! How well scores put the members of a set first: area under the ROC curve, average precision.
//! Ties count half in the one, and as one threshold in the other, as in scikit-learn.
//! Source: `roc_auc_score` and `average_precision_score` of scikit-learn.

/// The two summaries of a ranking.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ranking {
    /// Probability that a member scores above a non-member, half if they tie.
    pub(super) roc_auc: f64,
    /// Sum over thresholds of `(recall - recall before) precision`.
    pub(super) average_precision: f64,
}

/// Of finite scores, with whether each belongs to the set; some do and some do not.
pub(super) fn ranking(scores: &[(f64, bool)]) -> Ranking {
    let mut sorted = scores.to_vec();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let members = sorted.iter().filter(|(_, member)| *member).count() as f64;
    let others = sorted.len() as f64 - members;
    let (mut found, mut seen) = (0.0, 0.0);
    let (mut above, mut average_precision) = (0.0, 0.0);
    // `==`, so that 0 and -0 tie.
    for tied in sorted.chunk_by(|a, b| a.0 == b.0) {
        let new = tied.iter().filter(|(_, member)| *member).count() as f64;
        let new_others = tied.len() as f64 - new;
        let others_below = others - (seen - found) - new_others;
        above += new * (others_below + new_others / 2.0);
        found += new;
        seen += tied.len() as f64;
        average_precision += new / members * found / seen;
    }
    Ranking {
        roc_auc: above / (members * others),
        average_precision,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_values_are_those_of_scikit_learn() {
        // y = [1, 0, 1, 0, 1], s = [0.9, 0.8, 0.7, 0.7, 0.1]:
        // pairs: 0.9 beats 2; 0.7 loses, ties; 0.1 loses both: (2 + 0.5) / 6.
        // precision at recall 1/3: 1; at 2/3: 2/4; at 1: 3/5: (1 + 0.5 + 0.6) / 3.
        let scores = [
            (0.9, true),
            (0.8, false),
            (0.7, true),
            (0.7, false),
            (0.1, true),
        ];
        let found = ranking(&scores);
        assert!((found.roc_auc - 2.5 / 6.0).abs() < 1e-12);
        assert!((found.average_precision - 0.7).abs() < 1e-12);
    }

    proptest! {
        /// The area by all pairs, and bounds.
        #[test]
        fn the_area_is_the_share_of_pairs_in_order(
            scores in prop::collection::vec((0..6i32, any::<bool>()), 2..20)
        ) {
            let scores: Vec<(f64, bool)> =
                scores.into_iter().map(|(s, m)| (f64::from(s), m)).collect();
            let of = |member: bool| scores.iter().filter(move |s| s.1 == member).map(|s| s.0);
            prop_assume!(of(true).count() > 0 && of(false).count() > 0);
            let (mut sum, mut n) = (0.0, 0.0);
            for a in of(true) {
                for b in of(false) {
                    sum += if a > b { 1.0 } else if a == b { 0.5 } else { 0.0 };
                    n += 1.0;
                }
            }
            let found = ranking(&scores);
            prop_assert!((found.roc_auc - sum / n).abs() < 1e-12);
            prop_assert!(found.average_precision > 0.0 && found.average_precision <= 1.0 + 1e-12);
        }
    }
}
