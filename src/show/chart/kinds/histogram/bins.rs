//! A sample and its histogram bins.

use crate::show::chart::axis::place;
use crate::show::color::{Rgb, category};

/// A group's finite values, sorted.
pub(super) struct Sample {
    pub name: String,
    pub sorted: Vec<f64>,
    /// Number of values that are not finite.
    pub left_out: usize,
    pub color: Rgb,
}

impl Sample {
    pub fn new(name: &str, values: &[f64], index: usize) -> Self {
        let mut sorted: Vec<f64> = values.iter().filter_map(|v| place(*v, false)).collect();
        sorted.sort_by(f64::total_cmp);
        Self {
            name: name.to_owned(),
            left_out: values.len() - sorted.len(),
            sorted,
            color: category(index),
        }
    }

    /// The value below which a share `q` of the sample lies, interpolated.
    pub fn quantile(&self, q: f64) -> f64 {
        let place = q * (self.sorted.len() - 1) as f64;
        let left = place.floor() as usize;
        let right = (left + 1).min(self.sorted.len() - 1);
        self.sorted[left] + (self.sorted[right] - self.sorted[left]) * (place - left as f64)
    }

    /// The percentage of the sample in each bin.
    pub fn percents(&self, bins: &Bins) -> Vec<f64> {
        let mut percents = vec![0.0; bins.count];
        for value in &self.sorted {
            percents[bins.index(*value)] += 100.0 / self.sorted.len() as f64;
        }
        percents
    }
}

/// Bins of equal width.
pub(super) struct Bins {
    pub lo: f64,
    pub width: f64,
    pub count: usize,
}

impl Bins {
    pub fn new(samples: &[&Sample], count: usize) -> Self {
        let lo = samples
            .iter()
            .map(|s| s.sorted[0])
            .fold(f64::INFINITY, f64::min);
        let hi = samples
            .iter()
            .map(|s| s.sorted[s.sorted.len() - 1])
            .fold(f64::NEG_INFINITY, f64::max);
        if hi - lo <= f64::EPSILON * hi.abs().max(lo.abs()) {
            // One value: one bin around it.
            let width = if lo == 0.0 { 1.0 } else { lo.abs() * 0.1 };
            return Self {
                lo: lo - width / 2.0,
                width,
                count: 1,
            };
        }
        let count = if count == 0 {
            samples
                .iter()
                .map(|s| suited(s, hi - lo))
                .max()
                .unwrap_or(30)
        } else {
            count.min(400)
        };
        Self {
            lo,
            width: (hi - lo) / count as f64,
            count,
        }
    }

    pub fn index(&self, value: f64) -> usize {
        (((value - self.lo) / self.width) as usize).min(self.count - 1)
    }

    pub fn edge(&self, index: usize) -> f64 {
        self.lo + self.width * index as f64
    }
}

/// Freedman and Diaconis' bin count, limited to what is distinguishable.
fn suited(sample: &Sample, span: f64) -> usize {
    let iqr = sample.quantile(0.75) - sample.quantile(0.25);
    let width = 2.0 * iqr / (sample.sorted.len() as f64).cbrt();
    if width <= 0.0 {
        return 30;
    }
    ((span / width).ceil() as usize).clamp(10, 80)
}
