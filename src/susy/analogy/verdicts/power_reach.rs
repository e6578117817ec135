//! Up to which noise each statistic sees a planted algebra, and how often it sees one where none is.

use super::power_curve::{PowerCurve, PowerCurves};
use super::statistics::Interval;
use crate::error::Result;
use crate::show::shows_itself;
use crate::susy::analogy::Statistic;
use polars::prelude::{DataFrame, df};
use std::fmt;

/// The reach of one statistic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StatisticReach {
    pub statistic: Statistic,
    /// The largest noise up to which all noises are detected at the rate; none where not even the smallest is.
    pub sigma: Option<f64>,
    /// The rate at which it fires on nothing.
    pub false_rate: f64,
    /// Wilson's 95 % interval of that.
    pub interval: Interval,
}

/// The reach of several statistics.
#[derive(Debug, Clone, PartialEq)]
pub struct PowerReach {
    /// The rate of detection that is asked for.
    pub rate: f64,
    pub rows: Vec<StatisticReach>,
}

impl PowerCurves {
    /// Up to which noise each statistic detects at a rate of at least `rate`.
    pub fn reach(&self, rate: f64) -> PowerReach {
        let row = |curve: &PowerCurve| StatisticReach {
            statistic: curve.statistic,
            sigma: curve.reach(rate),
            false_rate: curve.nothing_planted.rate,
            interval: curve.nothing_planted.interval,
        };
        PowerReach {
            rate,
            rows: self.curves.iter().map(row).collect(),
        }
    }

    /// These curves and others, in one value.
    pub fn and(&self, others: &PowerCurves) -> PowerCurves {
        PowerCurves {
            curves: [&self.curves[..], &others.curves[..]].concat(),
        }
    }
}

impl PowerReach {
    /// One row a statistic: `statistic`, `sigma` (null where no noise is reached), `false rate`, `low`, `high`.
    ///
    /// # Errors
    /// None but polars' own.
    pub fn frame(&self) -> Result<DataFrame> {
        let of = |value: fn(&StatisticReach) -> f64| -> Vec<f64> {
            self.rows.iter().map(value).collect()
        };
        Ok(df![
            "statistic" => self.rows.iter().map(|r| r.statistic.to_string()).collect::<Vec<String>>(),
            "sigma" => self.rows.iter().map(|r| r.sigma).collect::<Vec<Option<f64>>>(),
            "false rate" => of(|r| r.false_rate),
            "low" => of(|r| r.interval.low),
            "high" => of(|r| r.interval.high),
        ]?)
    }
}

impl fmt::Display for PowerReach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, row) in self.rows.iter().enumerate() {
            let none = "no noise tried".to_owned();
            let reach = row.sigma.map_or(none, |s| format!("sigma up to {s}"));
            write!(
                f,
                "{}{:<34} sees {:.0} % at {reach:<18} fires on nothing {:.3} ({:.3} to {:.3})",
                if i == 0 { "" } else { "\n" },
                row.statistic.to_string(),
                100.0 * self.rate,
                row.false_rate,
                row.interval.low,
                row.interval.high
            )?;
        }
        Ok(())
    }
}

shows_itself!(PowerReach as text);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::susy::analogy::{PowerPoint, wilson_interval};

    #[test]
    fn the_reach_ends_with_the_first_noise_that_is_missed() {
        let point = |sigma, detections| PowerPoint {
            sigma,
            trials: 10,
            detections,
            rate: detections as f64 / 10.0,
            interval: wilson_interval(detections, 10, 0.95).unwrap(),
            mean: 0.0,
            control_mean: 0.0,
        };
        let curve = |statistic: Statistic, detections: [usize; 3]| PowerCurve {
            statistic,
            planting: statistic.planting().unwrap(),
            null: statistic.control(),
            alpha: 0.05,
            points: vec![
                point(Some(0.5), detections[0]),
                point(Some(1.0), detections[1]),
                point(Some(2.0), detections[2]),
            ],
            nothing_planted: point(None, 0),
        };
        let of = |curve| PowerCurves {
            curves: vec![curve],
        };
        let both = of(curve(Statistic::QuarterTurn, [10, 8, 3]))
            .and(&of(curve(Statistic::Gadget, [7, 10, 10])));
        let reach = both.reach(0.8);
        assert_eq!(reach.rows[0].sigma, Some(1.0));
        assert_eq!(reach.rows[1].sigma, None);
        let text = reach.to_string();
        let first = "quarter-turn score q               sees 80 % at sigma up to 1      fires on nothing 0.000 (0.000 to";
        assert!(text.starts_with(first), "{text}");
        assert!(text.contains("at no noise tried"), "{text}");
        assert_eq!(reach.frame().unwrap().shape(), (2, 5));
    }
}
