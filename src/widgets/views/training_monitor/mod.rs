//! A training as it goes: its curves, and a button that stops it.

use crate::error::Result;
use crate::progress::{Reporter, Tick};
use crate::show::{self, MimeBundle, Show, shows_itself};
use crate::widgets::views::source::view;
use crate::widgets::{AnyWidget, Field, Widget};
use serde_json::{Value, json};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often the state is sent, and how often its curves.
const STATE: Duration = Duration::from_millis(100);
const CURVES: Duration = Duration::from_millis(500);
/// Points of a curve: of more, every other one is left out.
const POINTS: usize = 600;

/// A reporter that shows a training's curves while it runs, with a button that stops it: the training
/// then returns what it has.
///
/// ```no_run
/// # use holoscope::prelude::*;
/// # use holoscope::widgets::TrainingMonitor;
/// # fn main() -> Result<()> {
/// # let data = Dataset::load(&DataConfig::default())?;
/// # let model = Transformer::new(&TransformerConfig::default())?;
/// let cfg = TrainingConfig::default();
/// let history = train_with(&model, &data, &cfg, &mut TrainingMonitor::new())?;
/// # Ok(())
/// # }
/// ```
pub struct TrainingMonitor {
    view: AnyWidget,
    stop: Arc<AtomicBool>,
    curves: Vec<Curve>,
    sent: Option<Instant>,
    drawn: Option<Instant>,
}

/// One figure over the units done.
#[derive(Debug, Clone, Default, PartialEq)]
struct Curve {
    name: String,
    unit: String,
    steps: Vec<f64>,
    values: Vec<f64>,
    /// Every how many states one is kept, and how many have come since the last.
    every: usize,
    passed: usize,
}

impl Curve {
    fn push(&mut self, step: f64, value: f64) {
        self.passed += 1;
        if self.passed < self.every.max(1) {
            return;
        }
        self.passed = 0;
        self.steps.push(step);
        self.values.push(value);
        if self.steps.len() > POINTS {
            let halved = |points: &[f64]| points.iter().copied().step_by(2).collect();
            (self.steps, self.values) = (halved(&self.steps), halved(&self.values));
            self.every = 2 * self.every.max(1);
        }
    }

    fn described(&self) -> Value {
        json!({
            "name": self.name, "unit": self.unit, "steps": self.steps, "values": self.values,
        })
    }
}

impl TrainingMonitor {
    /// A monitor that shows itself when a training begins.
    pub fn new() -> Self {
        let view = view(
            "TrainingMonitor",
            include_str!("view.js"),
            include_str!("view.css"),
        )
        .with("label", "")
        .with("unit", "step")
        .with("done", 0)
        .with("total", 0)
        .with("elapsed", 0.0)
        .with("running", false)
        .with("stop", false)
        .with("figures", json!([]));
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&stop);
        view.observe_key("stop", move |value: &Value| {
            asked.store(value == true, Ordering::SeqCst);
        });
        Self {
            view,
            stop,
            curves: Vec::new(),
            sent: None,
            drawn: None,
        }
    }

    /// The widget behind the view, as containers take it.
    pub fn widget(&self) -> Widget {
        self.view.widget()
    }

    /// Adds a state to the curves: those that the training names, by what they measure; where it
    /// names none, all figures.
    fn keep(&mut self, tick: &Tick) {
        for (name, value) in &tick.figures {
            let named = tick.curves.iter().find(|c| c.figures.contains(name));
            let unit = match named {
                Some(curves) => curves.y_label.as_str(),
                None if tick.curves.is_empty() => name.as_str(),
                None => continue,
            };
            let known = self.curves.iter().position(|curve| curve.name == *name);
            let at = known.unwrap_or_else(|| {
                self.curves.push(Curve {
                    name: name.clone(),
                    unit: unit.to_owned(),
                    ..Curve::default()
                });
                self.curves.len() - 1
            });
            self.curves[at].push(tick.done as f64, *value);
        }
    }

    fn send(&mut self, tick: &Tick, running: bool) {
        let mut fields: Vec<(&str, Field)> = vec![
            ("label", tick.label.as_str().into()),
            ("unit", tick.unit.as_str().into()),
            ("done", tick.done.into()),
            ("total", tick.total.into()),
            ("elapsed", tick.elapsed.as_secs_f64().into()),
            ("running", running.into()),
        ];
        if !running || is_due(self.drawn, CURVES) {
            let figures: Vec<Value> = self.curves.iter().map(Curve::described).collect();
            fields.push(("figures", figures.into()));
            self.drawn = Some(Instant::now());
        }
        self.view.set_all(fields);
        self.sent = Some(Instant::now());
    }
}

fn is_due(last: Option<Instant>, wait: Duration) -> bool {
    last.is_none_or(|last| last.elapsed() >= wait)
}

impl Default for TrainingMonitor {
    fn default() -> Self {
        Self::new()
    }
}

impl Reporter for TrainingMonitor {
    fn begin(&mut self, tick: &Tick) {
        self.curves.clear();
        (self.sent, self.drawn) = (None, None);
        self.stop.store(false, Ordering::SeqCst);
        self.view.set("stop", false);
        self.send(tick, true);
        // A loop must not fail because its progress is no longer read.
        let _ = show::display(self);
    }

    fn tick(&mut self, tick: &Tick) {
        self.keep(tick);
        if is_due(self.sent, STATE) {
            self.send(tick, true);
        }
    }

    fn finish(&mut self, tick: &Tick) {
        self.send(tick, false);
    }

    fn interrupted(&self) -> bool {
        show::interrupted_between_steps() || self.stop.load(Ordering::SeqCst)
    }
}

impl fmt::Display for TrainingMonitor {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let number = |key: &str| self.view.get(key).to_string();
        let text = |key: &str| self.view.get(key).as_str().unwrap_or_default().to_owned();
        write!(
            f,
            "{} {}/{} {}",
            text("label"),
            number("done"),
            number("total"),
            text("unit")
        )
    }
}

impl fmt::Debug for TrainingMonitor {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "TrainingMonitor({self})")
    }
}

impl Show for TrainingMonitor {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        let bundle = self.view.widget().mime_bundle()?;
        Ok(bundle.with("text/plain", self.to_string()))
    }
}

shows_itself!(TrainingMonitor);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Progress;

    #[test]
    fn a_long_curve_keeps_its_span_in_few_points() {
        let mut curve = Curve::default();
        for step in 0..10_000 {
            curve.push(f64::from(step), f64::from(step) / 2.0);
        }
        assert!(curve.steps.len() <= POINTS && curve.steps.len() > POINTS / 4);
        assert_eq!(curve.steps[0], 0.0);
        assert!(*curve.steps.last().unwrap() > 9_900.0);
        for (step, value) in curve.steps.iter().zip(&curve.values) {
            assert_eq!(*value, step / 2.0);
        }
    }

    #[test]
    fn the_stop_button_ends_a_loop_and_a_new_loop_begins_afresh() {
        let mut monitor = TrainingMonitor::new();
        let view = monitor.widget();
        let mut progress =
            Progress::new(&mut monitor, "train", "step", 100).curves("loss (nats)", &["loss"]);
        progress.update(1, &[("loss", 3.0), ("lr", 0.1)]);
        assert!(!progress.interrupted());
        view.set("stop", true);
        assert!(progress.interrupted());
        progress.finish();
        let figures = view.get("figures");
        assert_eq!(figures[0]["name"], "loss");
        assert_eq!(figures[0]["unit"], "loss (nats)");
        assert_eq!(figures[1], Value::Null, "what is no curve is not drawn");
        assert_eq!(view.get("running"), false);
        let progress = Progress::new(&mut monitor, "again", "step", 100);
        assert!(!progress.interrupted());
    }
}
