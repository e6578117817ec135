//! How well one yes/no property of tokens goes with another, in counts.
//! `MCC = (tp tn - fp fn) / sqrt((tp+fp)(tp+fn)(tn+fp)(tn+fn))`: 0 at chance, whatever the base rates.
//! Source: Matthews 1975; precision and recall as in Bricken et al.'s specificity and sensitivity.

/// Counts of tokens by feature (active or not) and predicate (true or not).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Contingency {
    /// Active and true.
    pub tp: u64,
    /// Active and not true.
    pub fp: u64,
    /// Not active and true.
    pub fn_: u64,
    /// Neither.
    pub tn: u64,
}

impl Contingency {
    /// From the numbers of tokens: active and true, active, true, in all.
    ///
    /// Numbers that contradict each other (more active and true than active, more active than
    /// there are) leave a count at 0 where it would be negative.
    pub fn new(both: u64, active: u64, holds: u64, n: u64) -> Self {
        let (fp, fn_) = (active.saturating_sub(both), holds.saturating_sub(both));
        Self {
            tp: both,
            fp,
            fn_,
            // One by one: no sum of them can overflow.
            tn: n
                .saturating_sub(both)
                .saturating_sub(fp)
                .saturating_sub(fn_),
        }
    }

    /// Share of the active tokens for which the predicate holds; NaN when none is active.
    pub fn precision(&self) -> f64 {
        self.tp as f64 / (self.tp + self.fp) as f64
    }

    /// Share of the predicate's tokens on which the feature is active; NaN when it never holds.
    pub fn recall(&self) -> f64 {
        self.tp as f64 / (self.tp + self.fn_) as f64
    }

    /// `2 tp / (2 tp + fp + fn)`; NaN when there is nothing to find.
    pub fn f1(&self) -> f64 {
        2.0 * self.tp as f64 / (2 * self.tp + self.fp + self.fn_) as f64
    }

    /// Matthews' correlation coefficient; 0 when one of the margins is empty.
    pub fn mcc(&self) -> f64 {
        let [tp, fp, fn_, tn] = [self.tp, self.fp, self.fn_, self.tn].map(|n| n as f64);
        let margins = (tp + fp) * (tp + fn_) * (tn + fp) * (tn + fn_);
        if margins == 0.0 {
            return 0.0;
        }
        (tp * tn - fp * fn_) / margins.sqrt()
    }

    /// Share of all tokens for which the predicate holds.
    pub fn base_rate(&self) -> f64 {
        (self.tp + self.fn_) as f64 / self.n() as f64
    }

    /// Share of all tokens on which the feature is active.
    pub fn active_rate(&self) -> f64 {
        (self.tp + self.fp) as f64 / self.n() as f64
    }

    /// Number of tokens.
    pub fn n(&self) -> u64 {
        self.tp + self.fp + self.fn_ + self.tn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_the_textbook_ones() {
        let c = Contingency::new(6, 8, 10, 100);
        assert_eq!((c.tp, c.fp, c.fn_, c.tn), (6, 2, 4, 88));
        assert_eq!((c.precision(), c.recall()), (0.75, 0.6));
        assert!((c.f1() - 2.0 * 0.75 * 0.6 / 1.35).abs() < 1e-12);
        // (6 * 88 - 2 * 4) / sqrt(8 * 10 * 90 * 92)
        assert!((c.mcc() - 520.0 / 662_400f64.sqrt()).abs() < 1e-12);
        assert_eq!((c.base_rate(), c.active_rate()), (0.1, 0.08));
    }

    #[test]
    fn a_feature_that_is_always_on_scores_zero() {
        assert_eq!(Contingency::new(40, 100, 40, 100).mcc(), 0.0);
        assert_eq!(Contingency::new(20, 50, 40, 100).mcc(), 0.0);
    }

    #[test]
    fn numbers_that_contradict_each_other_never_wrap_around() {
        let counts = |c: Contingency| [c.tp, c.fp, c.fn_, c.tn];
        assert_eq!(counts(Contingency::new(5, 3, 4, 100)), [5, 0, 0, 95]);
        assert_eq!(counts(Contingency::new(2, 8, 6, 10)), [2, 6, 4, 0]);
        let huge = u64::MAX;
        assert_eq!(
            counts(Contingency::new(0, huge, huge, 1)),
            [0, huge, huge, 0]
        );
    }
}
