//! An intervention check as a scatter plot: predicted across, measured up.
//! Points on the diagonal are predictions that came true.
//! Source: the perturbation figures of Ameisen et al. 2025.

use super::check::InterventionCheck;
use crate::error::Result;
use crate::show::{ChartOptions, Figure, Trace, scatter, shows_itself, stacked};

impl InterventionCheck {
    /// Measured against predicted changes, logits and features in panels of their own: their units
    /// differ.
    ///
    /// # Errors
    /// When no change is finite.
    pub fn figure(&self) -> Result<Figure> {
        let title = "Ablations in the model itself";
        let mut panels = Vec::new();
        for (is_logit, name) in [(true, "logit"), (false, "feature's activation")] {
            let of = self.effects.iter().filter(|e| e.is_logit == is_logit);
            let points: Vec<(f64, f64)> = of.map(|e| (e.predicted, e.measured)).collect();
            if !points.is_empty() {
                panels.push((name, points));
            }
        }
        let last = panels.len().saturating_sub(1);
        let figures = panels.into_iter().enumerate().map(|(at, (name, points))| {
            let predicted = format!("predicted change of the {name}");
            let measured = format!("measured change of the {name}");
            let mut options = ChartOptions::new("", &predicted, &measured);
            if at == 0 {
                options.title = title.to_owned();
            }
            if at == last {
                options.caption = self.to_string().replace('\n', "; ");
            }
            let diagonal = diagonal(&points);
            scatter(&[Trace::new(name, points), diagonal], &options)
        });
        let figures: Vec<Figure> = figures.collect::<Result<_>>()?;
        match <[Figure; 1]>::try_from(figures) {
            Ok([one]) => Ok(one),
            Err(figures) => stacked(&figures, title),
        }
    }
}

/// Where predictions that come true lie.
fn diagonal(points: &[(f64, f64)]) -> Trace {
    let all = points.iter().flat_map(|&(x, y)| [x, y]);
    let (low, high) = all.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| {
        (low.min(x), high.max(x))
    });
    let steps = (0..=100).map(|i| low + (high - low) * f64::from(i) / 100.0);
    Trace::new("as predicted", steps.map(|x| (x, x)).collect())
}

shows_itself!(InterventionCheck, |it| it.figure()?);
