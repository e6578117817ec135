//! An intervention check as a scatter plot: predicted across, measured up.
//! Points on the diagonal are predictions that came true.
//! Source: the perturbation figures of Ameisen et al. 2025.

use super::check::InterventionCheck;
use crate::error::Result;
use crate::show::{ChartOptions, Figure, Trace, scatter, shows_itself};

impl InterventionCheck {
    /// Measured against predicted changes, logits and features apart.
    ///
    /// # Errors
    /// When no change is finite.
    pub fn figure(&self) -> Result<Figure> {
        let points = |is_logit: bool| {
            let of = self.effects.iter().filter(|e| e.is_logit == is_logit);
            of.map(|e| (e.predicted, e.measured)).collect::<Vec<_>>()
        };
        let all = self.effects.iter().flat_map(|e| [e.predicted, e.measured]);
        let (low, high) = all.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| {
            (low.min(x), high.max(x))
        });
        let mut traces = Vec::new();
        for (name, points) in [("logits", points(true)), ("features", points(false))] {
            if !points.is_empty() {
                traces.push(Trace::new(name, points));
            }
        }
        let steps = (0..=100).map(|i| low + (high - low) * f64::from(i) / 100.0);
        traces.push(Trace::new("as predicted", steps.map(|x| (x, x)).collect()));
        let options = ChartOptions::new(
            "Ablations in the model itself",
            "predicted change of the value",
            "measured change of the value",
        );
        scatter(
            &traces,
            &options.caption(self.to_string().replace('\n', "; ")),
        )
    }
}

shows_itself!(InterventionCheck, |it| it.figure()?);
