//! The axes of charts: spans, ticks, and the place of a value.
//!
//! On a logarithmic axis, spans, ticks and places are log10 of the values.

use std::ops::Range;

use plotters::coord::ranged1d::{
    KeyPointHint, KeyPointWeight, NoDefaultFormatting, Ranged, ValueFormatter,
};

use crate::show::number::{Mark, linear_marks, log_marks};

/// One axis: what it spans and where its ticks are.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    pub lo: f64,
    pub hi: f64,
    pub log: bool,
    pub marks: Vec<Mark>,
}

impl Axis {
    /// An axis that covers `values` with a little room; `zero` makes it start there.
    pub(super) fn covering(
        values: impl Iterator<Item = f64>,
        log: bool,
        zero: bool,
        target: usize,
    ) -> Option<Self> {
        let (mut lo, mut hi) = values
            .filter_map(|v| place(v, log))
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), v| {
                (lo.min(v), hi.max(v))
            });
        if lo > hi {
            return None;
        }
        if zero && !log {
            lo = lo.min(0.0);
            hi = hi.max(0.0);
        }
        if hi - lo < 1e-9 * hi.abs().max(lo.abs()).max(1e-300) {
            let room = if hi == 0.0 { 1.0 } else { hi.abs() * 0.1 };
            (lo, hi) = if log {
                (lo - 0.1, hi + 0.1)
            } else {
                (lo - room, hi + room)
            };
        }
        let room = (hi - lo) * 0.04;
        let lo = if zero && lo == 0.0 { lo } else { lo - room };
        let hi = if zero && hi == 0.0 { hi } else { hi + room };
        Some(Self::spanning(lo, hi, log, target))
    }

    /// An axis from `lo` to `hi` with about `target` ticks.
    pub(super) fn spanning(lo: f64, hi: f64, log: bool, target: usize) -> Self {
        let marks = if log {
            log_marks(lo, hi, target)
        } else {
            linear_marks(lo, hi, target)
        };
        Self { lo, hi, log, marks }
    }
}

/// The place of a value on its axis; None when it has none: the value is not
/// finite (or so large that spans would not be), or not positive on a log axis.
pub(super) fn place(value: f64, log: bool) -> Option<f64> {
    let place = if log { value.log10() } else { value };
    (place.abs() < 1e300).then_some(place)
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let t = (value - self.lo) / (self.hi - self.lo);
        (f64::from(limit.0) + t * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        match hint.weight() {
            KeyPointWeight::Bold => self.marks.iter().map(|mark| mark.at).collect(),
            // The finer mesh is not drawn.
            KeyPointWeight::Any => Vec::new(),
        }
    }

    fn range(&self) -> Range<f64> {
        self.lo..self.hi
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        self.marks
            .iter()
            .find(|mark| mark.at == *value)
            .map(|mark| mark.label.clone())
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_still_has_an_axis_and_no_value_has_none() {
        for value in [0.0, 5.0, -1e-12, 1e299] {
            let axis = Axis::covering([value].into_iter(), false, false, 5).unwrap();
            assert!(axis.lo < value && value < axis.hi, "{value}: {axis:?}");
        }
        assert_eq!(
            Axis::covering([f64::NAN].into_iter(), false, false, 5),
            None
        );
        assert_eq!(Axis::covering([-1.0].into_iter(), true, false, 5), None);
    }

    #[test]
    fn an_axis_from_zero_begins_there() {
        let axis = Axis::covering([3.0, 9.0].into_iter(), false, true, 5).unwrap();
        assert_eq!(axis.lo, 0.0);
        assert!(axis.hi > 9.0);
    }
}
