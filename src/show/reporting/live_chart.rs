//! The curves of a running loop, redrawn every few seconds.

use std::time::{Duration, Instant};

use crate::progress::{Curves, Tick};
use crate::show::{ChartOptions, Panel, Trace, line_panels};

/// A loop that ends sooner shows no chart.
const FIRST: Duration = Duration::from_secs(2);
/// The least time between two drawings.
const BETWEEN: Duration = Duration::from_millis(1500);
/// Drawing takes at most one part in this many of the loop's time.
const SHARE: u32 = 50;
/// A curve with more than twice this many points is thinned to every other point.
const POINTS: usize = 400;

/// What has been reported so far.
#[derive(Debug, Default)]
pub(in crate::show) struct LiveChart {
    /// One panel per unit.
    panels: Vec<Panel>,
    /// One in this many reports is stored.
    every: usize,
    reports: usize,
    drawn: Option<Instant>,
    /// How long the last drawing took.
    cost: Duration,
}

impl LiveChart {
    /// Stores the tick's figures; returns the chart as SVG when one is due.
    pub(in crate::show) fn take(&mut self, tick: &Tick) -> Option<String> {
        if tick.curves.is_empty() {
            return None;
        }
        self.keep(tick);
        let wait = BETWEEN.max(self.cost * SHARE);
        let due = match self.drawn {
            None => tick.elapsed >= FIRST,
            Some(drawn) => drawn.elapsed() >= wait,
        };
        if !due {
            return None;
        }
        let began = Instant::now();
        let options = ChartOptions::new("", &tick.unit, "");
        // A chart that cannot be drawn yet (no finite value) is drawn later.
        let svg = line_panels(&self.panels, &options).ok().map(|f| f.svg);
        self.cost = began.elapsed();
        self.drawn = Some(Instant::now());
        svg
    }

    fn keep(&mut self, tick: &Tick) {
        if self.panels.is_empty() {
            self.every = 1;
            self.panels = tick.curves.iter().map(empty_panel).collect();
        }
        self.reports += 1;
        if !self.reports.is_multiple_of(self.every) {
            return;
        }
        for curve in self.curves() {
            let figure = tick.figures.iter().find(|(name, _)| *name == curve.name);
            let value = figure.map_or(f64::NAN, |&(_, value)| value);
            // A figure is NaN until it has a value, such as the first validation's.
            if !(curve.points.is_empty() && value.is_nan()) {
                curve.points.push((tick.done as f64, value));
            }
        }
        if self.curves().any(|c| c.points.len() > 2 * POINTS) {
            for curve in self.curves() {
                let mut n = 0;
                curve.points.retain(|_| {
                    n += 1;
                    n % 2 == 0
                });
            }
            self.every *= 2;
        }
    }

    fn curves(&mut self) -> impl Iterator<Item = &mut Trace> {
        self.panels.iter_mut().flat_map(|panel| &mut panel.series)
    }
}

fn empty_panel(curves: &Curves) -> Panel {
    let names = curves.figures.iter();
    Panel::new(
        &curves.y_label,
        names.map(|name| Trace::new(name, Vec::new())).collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tick(done: u64, seconds: f64) -> Tick {
        Tick {
            label: "train".into(),
            done,
            total: 10_000,
            unit: "step".into(),
            figures: vec![
                ("loss".into(), 9.0 / done as f64),
                ("val".into(), f64::NAN),
                ("tok/s".into(), 1e4),
            ],
            elapsed: Duration::from_secs_f64(seconds),
            curves: vec![Curves {
                y_label: "loss (nats/token)".into(),
                figures: vec!["loss".into(), "val".into()],
            }],
        }
    }

    #[test]
    fn a_chart_comes_when_the_loop_is_long_enough_and_not_at_every_tick() {
        let mut chart = LiveChart::default();
        assert_eq!(chart.take(&tick(1, 0.1)), None);
        let svg = chart.take(&tick(2, 2.5)).expect("it is time");
        assert!(svg.contains("nats/token") && svg.contains("loss"));
        assert!(!svg.contains("tok/s"));
        assert_eq!(chart.take(&tick(3, 2.6)), None);
    }

    #[test]
    fn figures_of_different_units_have_panels_of_their_own() {
        let mut chart = LiveChart::default();
        let mut tick = tick(2, 2.5);
        tick.curves.push(Curves {
            y_label: "speed (tokens/s)".into(),
            figures: vec!["tok/s".into()],
        });
        let svg = chart.take(&tick).expect("it is time");
        assert_eq!(svg.matches("<svg").count(), 3);
        assert!(svg.contains(">loss (nats/token)<") && svg.contains(">speed (tokens/s)<"));
        assert_eq!(svg.matches(">step<").count(), 1);
    }

    #[test]
    fn a_long_loop_keeps_few_points_and_both_ends() {
        let mut chart = LiveChart::default();
        for done in 1..=5000 {
            chart.take(&tick(done, 0.0));
        }
        let points = &chart.panels[0].series[0].points;
        assert!(
            (POINTS..=2 * POINTS).contains(&points.len()),
            "{}",
            points.len()
        );
        assert!(points[0].0 < 20.0 && points.last().unwrap().0 > 4980.0);
    }
}
