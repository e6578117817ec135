//! One feature against every yes/no property of the tokens at once: AUC, correlation, counts above thresholds.
//! `AUC = P(act of a token with the property > act of one without) + P(equal) / 2` (Mann and Whitney 1947).

use crate::interp::statistics::Contingency;

/// Thresholds tried for one feature, at most.
const MAX_THRESHOLDS: usize = 32;

/// Which properties hold at each token, and how often.
#[derive(Debug, Clone)]
pub(super) struct TokenProperties {
    pub n_properties: usize,
    /// Properties of each token. `[n_tokens]`
    pub of_token: Vec<Vec<u16>>,
}

/// Tokens `start..end`, with the count of every property among them.
pub(super) struct Stretch<'a> {
    pub properties: &'a TokenProperties,
    pub start: usize,
    pub end: usize,
    /// `[n_properties]`
    pub holds: Vec<u64>,
}

impl<'a> Stretch<'a> {
    pub(super) fn new(properties: &'a TokenProperties, start: usize, end: usize) -> Self {
        let mut holds = vec![0; properties.n_properties];
        for of_token in &properties.of_token[start..end] {
            of_token.iter().for_each(|p| holds[usize::from(*p)] += 1);
        }
        Self {
            properties,
            start,
            end,
            holds,
        }
    }

    fn n(&self) -> u64 {
        (self.end - self.start) as u64
    }

    /// A feature's (token, activation above 0) within the stretch, the largest first.
    pub(super) fn ranked(&self, entries: &[(u32, f32)]) -> Vec<(u32, f32)> {
        let from = entries.partition_point(|(t, _)| (*t as usize) < self.start);
        let to = entries.partition_point(|(t, _)| (*t as usize) < self.end);
        let mut ranked = entries[from..to].to_vec();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        ranked
    }

    /// AUC of a feature for every property; NaN where a property holds always or never.
    pub(super) fn auc(&self, ranked: &[(u32, f32)]) -> Vec<f64> {
        let n = self.n() as f64;
        let silent = n - ranked.len() as f64;
        // Ranks from 1, the smallest activation first; ties share their mean rank.
        let mut rank_sums = vec![0.0; self.properties.n_properties];
        let mut active = vec![0u64; self.properties.n_properties];
        let mut above = 0;
        for tied in ranked.chunk_by(|a, b| a.1 == b.1) {
            let rank = n - above as f64 - (tied.len() - 1) as f64 / 2.0;
            for (token, _) in tied {
                for p in &self.properties.of_token[*token as usize] {
                    rank_sums[usize::from(*p)] += rank;
                    active[usize::from(*p)] += 1;
                }
            }
            above += tied.len();
        }
        let of = |p: usize| {
            let yes = self.holds[p] as f64;
            let sum = rank_sums[p] + (yes - active[p] as f64) * (silent + 1.0) / 2.0;
            (sum - yes * (yes + 1.0) / 2.0) / (yes * (n - yes))
        };
        (0..rank_sums.len()).map(of).collect()
    }

    /// Pearson's correlation of the activation with every property; NaN where either is constant.
    pub(super) fn correlation(&self, ranked: &[(u32, f32)]) -> Vec<f64> {
        let n = self.n() as f64;
        let (mut sum, mut squares) = (0.0, 0.0);
        let mut with = vec![0.0; self.properties.n_properties];
        for (token, act) in ranked {
            let act = f64::from(*act);
            sum += act;
            squares += act * act;
            for p in &self.properties.of_token[*token as usize] {
                with[usize::from(*p)] += act;
            }
        }
        let variance = squares / n - (sum / n).powi(2);
        let of = |p: usize| {
            let rate = self.holds[p] as f64 / n;
            let covariance = with[p] / n - sum / n * rate;
            let spread = variance * rate * (1.0 - rate);
            match spread > 0.0 {
                true => covariance / spread.sqrt(),
                false => f64::NAN,
            }
        };
        (0..with.len()).map(of).collect()
    }

    /// For every property the threshold of highest F1, with that F1: the feature counts as active above
    /// it. At most 32 thresholds are tried, at equal steps of rank, 0 always among them.
    pub(super) fn best_thresholds(&self, ranked: &[(u32, f32)]) -> Vec<(f64, f32)> {
        let mut best = vec![(f64::NEG_INFINITY, 0.0); self.properties.n_properties];
        let mut both = vec![0u64; self.properties.n_properties];
        let step = ranked.len().div_ceil(MAX_THRESHOLDS).max(1);
        let mut next = step;
        for (i, (token, act)) in ranked.iter().enumerate() {
            for p in &self.properties.of_token[*token as usize] {
                both[usize::from(*p)] += 1;
            }
            let below = ranked.get(i + 1).map_or(0.0, |(_, act)| *act);
            // No threshold lies between equal activations.
            if below == *act || (i + 1 < next && i + 1 < ranked.len()) {
                continue;
            }
            next = i + 1 + step;
            for (p, best) in best.iter_mut().enumerate() {
                let counts = Contingency::new(both[p], (i + 1) as u64, self.holds[p], self.n());
                if counts.f1() > best.0 {
                    *best = (counts.f1(), below);
                }
            }
        }
        best
    }

    /// Counts of one feature above a threshold against one property.
    pub(super) fn contingency(
        &self,
        ranked: &[(u32, f32)],
        threshold: f32,
        p: usize,
    ) -> Contingency {
        let active = ranked.iter().take_while(|(_, act)| *act > threshold);
        let (mut n, mut both) = (0, 0);
        for (token, _) in active {
            n += 1;
            let holds = self.properties.of_token[*token as usize].contains(&(p as u16));
            both += u64::from(holds);
        }
        Contingency::new(both, n, self.holds[p], self.n())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stretch(holds: &[bool]) -> TokenProperties {
        TokenProperties {
            n_properties: 1,
            of_token: holds
                .iter()
                .map(|h| if *h { vec![0] } else { vec![] })
                .collect(),
        }
    }

    fn entries(acts: &[u8]) -> Vec<(u32, f32)> {
        let all = acts.iter().enumerate();
        all.filter(|(_, a)| **a > 0)
            .map(|(t, a)| (t as u32, f32::from(*a)))
            .collect()
    }

    proptest! {
        /// Every pair of a token with and one without the property, counted; Pearson from its definition;
        /// F1 at every threshold.
        #[test]
        fn statistics_are_those_of_brute_force(
            tokens in prop::collection::vec((0u8..5, prop::bool::ANY), 2..30)
        ) {
            let (acts, holds): (Vec<u8>, Vec<bool>) = tokens.into_iter().unzip();
            prop_assume!(holds.contains(&true) && holds.contains(&false));
            let properties = stretch(&holds);
            let all = Stretch::new(&properties, 0, acts.len());
            let ranked = all.ranked(&entries(&acts));
            let (mut wins, mut pairs) = (0.0, 0.0);
            for i in (0..acts.len()).filter(|i| holds[*i]) {
                for j in (0..acts.len()).filter(|j| !holds[*j]) {
                    pairs += 1.0;
                    wins += match acts[i].cmp(&acts[j]) {
                        std::cmp::Ordering::Greater => 1.0,
                        std::cmp::Ordering::Equal => 0.5,
                        std::cmp::Ordering::Less => 0.0,
                    };
                }
            }
            prop_assert!((all.auc(&ranked)[0] - wins / pairs).abs() < 1e-12);

            let n = acts.len() as f64;
            let x: Vec<f64> = acts.iter().map(|a| f64::from(*a)).collect();
            let y: Vec<f64> = holds.iter().map(|h| f64::from(u8::from(*h))).collect();
            let mean = |v: &[f64]| v.iter().sum::<f64>() / n;
            let centred = |v: &[f64]| v.iter().map(|a| a - mean(v)).collect::<Vec<f64>>();
            let (x, y) = (centred(&x), centred(&y));
            let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            let pearson = product(&x, &y) / (product(&x, &x) * product(&y, &y)).sqrt();
            let found = all.correlation(&ranked)[0];
            prop_assert!((found - pearson).abs() < 1e-9 || (found.is_nan() && pearson.is_nan()));

            let f1 = |threshold: u8| {
                let count = |f: fn(bool, bool) -> bool| {
                    (0..acts.len()).filter(|i| f(acts[*i] > threshold, holds[*i])).count() as f64
                };
                let tp = count(|a, h| a && h);
                2.0 * tp / (2.0 * tp + count(|a, h| a != h))
            };
            let (best, threshold) = all.best_thresholds(&ranked)[0];
            if ranked.is_empty() {
                prop_assert_eq!(best, f64::NEG_INFINITY);
            } else {
                let most = (0..5).map(f1).fold(0.0, f64::max);
                prop_assert!((best - most).abs() < 1e-12);
                let counts = all.contingency(&ranked, threshold, 0);
                prop_assert!((counts.f1() - best).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn a_stretch_sees_its_own_tokens_alone() {
        let properties = stretch(&[true, false, true, false]);
        let second = Stretch::new(&properties, 2, 4);
        assert_eq!(second.holds, [1]);
        let ranked = second.ranked(&[(0, 9.0), (2, 1.0), (3, 2.0)]);
        assert_eq!(ranked, [(3, 2.0), (2, 1.0)]);
        assert_eq!(second.auc(&ranked), [0.0]);
    }
}
