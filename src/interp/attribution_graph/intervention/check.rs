//! How well a graph predicts what happens when its features are ablated in the model itself.
//! Pearson's correlation of predicted and measured changes, with a bootstrap interval over ablations.
//! Source: Ameisen et al. 2025; the percentile bootstrap of Efron 1979, over clusters.

use super::super::graph::AttributionGraph;
use super::super::node::GraphNodeKind;
use super::intervene::InterventionMode;
use crate::error::{Error, Result};
use crate::show::Interrupts;
use polars::prelude::{DataFrame, df};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::fmt;

const DRAWS: usize = 2_000;
const SEED: u64 = 42_069;

/// One change of one node by one ablation.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedEffect {
    /// Index and name of the feature ablated.
    pub source: usize,
    pub source_name: String,
    /// Index and name of the node that changes.
    pub target: usize,
    pub target_name: String,
    /// The target is a logit.
    pub is_logit: bool,
    /// The change that the graph predicts, by all paths.
    pub predicted: f64,
    /// The change in the model itself, nothing frozen.
    pub measured: f64,
}

/// A correlation of predicted and measured changes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EffectCorrelation {
    /// Pearson's.
    pub value: f64,
    /// The middle 95 % of the correlations of resampled ablations.
    pub low: f64,
    pub high: f64,
    /// The slope of measured against predicted through the origin: 1 where sizes agree, too.
    pub slope: f64,
    /// Number of changes.
    pub n_effects: usize,
}

/// Ablations of a graph's features in the model itself, against the graph's predictions.
#[derive(Debug, Clone, PartialEq)]
pub struct InterventionCheck {
    /// Every change of a feature behind an ablated one, or of a logit; by ablation.
    pub effects: Vec<CheckedEffect>,
    /// Number of features ablated, one at a time.
    pub n_interventions: usize,
    /// Of changes of logits; `None` where it is not defined (fewer than two ablations, or no spread).
    pub logits: Option<EffectCorrelation>,
    /// Of changes of the pre-activations of features; `None` where it is not defined.
    pub features: Option<EffectCorrelation>,
}

impl AttributionGraph {
    /// Ablates the `n` features of the largest influence, one at a time, in the model itself
    /// ([`InterventionMode::Real`]) and compares the changes of later features and of logits with
    /// what the graph predicts. A high correlation says that the frozen model stands for the real one
    /// on this prompt; it does not say that the transcoders are good: the direct path from a feature to
    /// a logit is right for any decoder, also a random one. The scores, and the same check of a control
    /// graph, say the rest. An ablation's changes depend on each other, so that the intervals
    /// resample ablations, not changes.
    ///
    /// # Errors
    /// `n` of 0, a graph without features; [`Error::Interrupted`].
    pub fn check_interventions(&self, n: usize) -> Result<InterventionCheck> {
        let n_features = self.n_features();
        if n == 0 || n_features == 0 {
            let reason = format!("must be at least 1; the graph has {n_features} features");
            return Err(Error::argument("number of interventions", n, reason));
        }
        let order = self.top_features(n);
        let interrupts = Interrupts::listen();
        let mut effects = Vec::new();
        for &source in &order {
            interrupts.check("the check of an attribution graph")?;
            let found = self.intervene(&[(source, 0.0)], InterventionMode::Real)?;
            effects.extend(found.effects.into_iter().map(|effect| {
                let target = &self.nodes[effect.node];
                CheckedEffect {
                    source,
                    source_name: self.nodes[source].name(),
                    target: effect.node,
                    target_name: target.name(),
                    is_logit: matches!(target.kind, GraphNodeKind::Logit { .. }),
                    predicted: effect.predicted,
                    measured: effect.measured,
                }
            }));
        }
        // A feature at an earlier position, or one that nothing reaches, does not change at all.
        effects.retain(|e| e.is_logit || e.predicted != 0.0 || e.measured != 0.0);
        Ok(InterventionCheck {
            n_interventions: order.len(),
            logits: correlation(&effects, true),
            features: correlation(&effects, false),
            effects,
        })
    }
}

/// Sums over the changes of one ablation.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    n: f64,
    x: f64,
    y: f64,
    xx: f64,
    yy: f64,
    xy: f64,
}

impl Sums {
    fn add(&mut self, other: &Sums) {
        self.n += other.n;
        self.x += other.x;
        self.y += other.y;
        self.xx += other.xx;
        self.yy += other.yy;
        self.xy += other.xy;
    }

    fn correlation(&self) -> Option<f64> {
        let covariance = self.xy - self.x * self.y / self.n;
        let (of_x, of_y) = (
            self.xx - self.x * self.x / self.n,
            self.yy - self.y * self.y / self.n,
        );
        // What rounding leaves of a variance of nothing is no spread.
        let spread = of_x > 1e-12 * self.xx && of_y > 1e-12 * self.yy;
        let value = covariance / (of_x * of_y).sqrt();
        (spread && value.is_finite()).then(|| value.clamp(-1.0, 1.0))
    }
}

fn correlation(effects: &[CheckedEffect], of_logits: bool) -> Option<EffectCorrelation> {
    let mut clusters: Vec<Sums> = Vec::new();
    for of_source in effects.chunk_by(|a, b| a.source == b.source) {
        let mut sums = Sums::default();
        for effect in of_source.iter().filter(|e| e.is_logit == of_logits) {
            let (x, y) = (effect.predicted, effect.measured);
            sums.add(&Sums {
                n: 1.0,
                x,
                y,
                xx: x * x,
                yy: y * y,
                xy: x * y,
            });
        }
        if sums.n > 0.0 {
            clusters.push(sums);
        }
    }
    if clusters.len() < 2 {
        return None;
    }
    let total = |chosen: &mut dyn Iterator<Item = usize>| {
        let mut sums = Sums::default();
        chosen.for_each(|i| sums.add(&clusters[i]));
        sums
    };
    let all = total(&mut (0..clusters.len()));
    let value = all.correlation()?;
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let n = clusters.len();
    let mut draws: Vec<f64> = (0..DRAWS)
        .filter_map(|_| total(&mut (0..n).map(|_| rng.random_range(0..n))).correlation())
        .collect();
    draws.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let last = draws.len().checked_sub(1)?;
        Some(draws[((share * last as f64).round() as usize).min(last)])
    };
    Some(EffectCorrelation {
        value,
        low: at(0.025)?,
        high: at(0.975)?,
        slope: all.xy / all.xx,
        n_effects: all.n as usize,
    })
}

impl InterventionCheck {
    /// One row a change: `source`, `source_name`, `target`, `target_name`, `is_logit`, `predicted`,
    /// `measured`.
    ///
    /// # Errors
    /// [`Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        let all = &self.effects;
        let index = |of: fn(&CheckedEffect) -> usize| {
            let values = all.iter().map(|e| of(e) as u32);
            values.collect::<Vec<u32>>()
        };
        let name = |of: fn(&CheckedEffect) -> &str| all.iter().map(of).collect::<Vec<&str>>();
        Ok(df![
            "source" => index(|e| e.source),
            "source_name" => name(|e| &e.source_name),
            "target" => index(|e| e.target),
            "target_name" => name(|e| &e.target_name),
            "is_logit" => all.iter().map(|e| e.is_logit).collect::<Vec<bool>>(),
            "predicted" => all.iter().map(|e| e.predicted).collect::<Vec<f64>>(),
            "measured" => all.iter().map(|e| e.measured).collect::<Vec<f64>>(),
        ]?)
    }
}

impl fmt::Display for EffectCorrelation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "r = {:.3} [{:.3}, {:.3}], slope {:.3}, {} changes",
            self.value, self.low, self.high, self.slope, self.n_effects
        )
    }
}

impl fmt::Display for InterventionCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} features ablated in the model itself, predicted against measured",
            self.n_interventions
        )?;
        for (what, found) in [("logits", &self.logits), ("features", &self.features)] {
            match found {
                Some(found) => write!(f, "\n{what}: {found}")?,
                None => write!(
                    f,
                    "\n{what}: no correlation (too few ablations, or no spread)"
                )?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effects(of: &[(usize, f64, f64)]) -> Vec<CheckedEffect> {
        let effect = |&(source, predicted, measured)| CheckedEffect {
            source,
            source_name: String::new(),
            target: 9,
            target_name: String::new(),
            is_logit: true,
            predicted,
            measured,
        };
        of.iter().map(effect).collect()
    }

    #[test]
    fn the_correlation_is_pearsons_and_its_interval_holds_it() {
        // numpy.corrcoef([1, 2, 3, 4, 5, 6], [1, 3, 2, 5, 4, 7])[0, 1] = 0.8908, as the sums below.
        let of = [
            (0, 1.0, 1.0),
            (0, 2.0, 3.0),
            (1, 3.0, 2.0),
            (1, 4.0, 5.0),
            (2, 5.0, 4.0),
            (2, 6.0, 7.0),
        ];
        let found = correlation(&effects(&of), true).unwrap();
        let mean = |v: [f64; 6]| v.iter().sum::<f64>() / 6.0;
        let (x, y) = (
            [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
            [1.0, 3.0, 2.0, 5.0, 4.0, 7.0],
        );
        let (mx, my) = (mean(x), mean(y));
        let dot = |a: [f64; 6], b: [f64; 6], ma: f64, mb: f64| -> f64 {
            a.iter().zip(b).map(|(a, b)| (a - ma) * (b - mb)).sum()
        };
        let expected = dot(x, y, mx, my) / (dot(x, x, mx, mx) * dot(y, y, my, my)).sqrt();
        assert!((found.value - expected).abs() < 1e-12);
        assert!(found.low <= found.value && found.value <= found.high);
        assert_eq!(found.n_effects, 6);
    }

    #[test]
    fn what_has_no_spread_or_one_ablation_has_no_correlation() {
        assert_eq!(
            correlation(&effects(&[(0, 1.0, 1.0), (0, 2.0, 3.0)]), true),
            None
        );
        assert_eq!(
            correlation(&effects(&[(0, 1.0, 1.0), (1, 1.0, 3.0)]), true),
            None
        );
        assert_eq!(correlation(&[], true), None);
        assert_eq!(
            correlation(&effects(&[(0, 1.0, 1.0), (1, 2.0, 3.0)]), false),
            None
        );
    }
}
