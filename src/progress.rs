//! Progress of long work: one reporter, handed in; computation never prints.
//!
//! Loops of the library call [`Progress::update`] often; the reporter decides
//! what to show. A loop also checks [`Progress::interrupted`] and, when it is
//! true, stops and returns what it has.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Number of running loops of the library that handle interrupts.
static LISTENING: AtomicUsize = AtomicUsize::new(0);

/// Exists while a loop that handles interrupts runs: the sender of an interrupt waits for it.
#[derive(Debug)]
pub(crate) struct Listening(());

impl Listening {
    pub(crate) fn begin() -> Self {
        LISTENING.fetch_add(1, Ordering::SeqCst);
        Self(())
    }

    /// Whether any such loop is running.
    pub(crate) fn anyone() -> bool {
        LISTENING.load(Ordering::SeqCst) > 0
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        LISTENING.fetch_sub(1, Ordering::SeqCst);
    }
}

/// One state of a long loop.
#[derive(Debug, Clone, PartialEq)]
pub struct Tick {
    /// What is being done, for example "train".
    pub label: String,
    /// Units done so far.
    pub done: u64,
    /// Total units; 0 when unknown.
    pub total: u64,
    /// What a unit is: "step", "B", "batch".
    pub unit: String,
    /// Latest figures to show, for example `("loss", 5.12)`.
    pub figures: Vec<(String, f64)>,
    /// Time since the loop began.
    pub elapsed: Duration,
    /// Which figures to draw while the loop runs, by what they measure; empty by default.
    pub curves: Vec<Curves>,
}

/// Figures with a common unit that a reporter may draw as curves over the units done.
#[derive(Debug, Clone, PartialEq)]
pub struct Curves {
    /// What the figures measure, with the unit.
    pub y_label: String,
    /// The names of the figures.
    pub figures: Vec<String>,
}

/// Receives progress.
pub trait Reporter: Send {
    /// A loop begins; any pending interrupt no longer counts.
    fn begin(&mut self, _tick: &Tick) {}
    /// Shows a state; called often, so it must rate-limit itself.
    fn tick(&mut self, tick: &Tick);
    /// Shows the last state and closes the line.
    fn finish(&mut self, tick: &Tick);
    /// True when the user has requested the loop to stop.
    fn interrupted(&self) -> bool {
        false
    }
}

/// Shows nothing; for tests and inner loops.
#[derive(Debug, Default, Clone, Copy)]
pub struct Silent;

impl Reporter for Silent {
    fn tick(&mut self, _: &Tick) {}
    fn finish(&mut self, _: &Tick) {}
}

/// A running loop's handle on its reporter.
pub struct Progress<'a> {
    reporter: &'a mut dyn Reporter,
    tick: Tick,
    start: Instant,
    _listening: Listening,
}

impl<'a> Progress<'a> {
    /// Starts a loop of `total` units (0: unknown).
    pub fn new(reporter: &'a mut dyn Reporter, label: &str, unit: &str, total: u64) -> Self {
        let tick = Tick {
            label: label.to_owned(),
            done: 0,
            total,
            unit: unit.to_owned(),
            figures: Vec::new(),
            elapsed: Duration::ZERO,
            curves: Vec::new(),
        };
        reporter.begin(&tick);
        Self {
            reporter,
            tick,
            start: Instant::now(),
            _listening: Listening::begin(),
        }
    }

    /// Requests the reporter to draw these figures, which have one unit, in a separate panel while the
    /// loop runs.
    pub fn curves(mut self, y_label: &str, figures: &[&str]) -> Self {
        self.tick.curves.push(Curves {
            y_label: y_label.to_owned(),
            figures: figures.iter().map(|&name| name.to_owned()).collect(),
        });
        self
    }

    /// Reports that `done` units are done, with the latest figures.
    pub fn update(&mut self, done: u64, figures: &[(&str, f64)]) {
        self.tick.done = done;
        self.tick.elapsed = self.start.elapsed();
        if !figures.is_empty() {
            self.tick.figures = figures.iter().map(|&(k, v)| (k.to_owned(), v)).collect();
        }
        self.reporter.tick(&self.tick);
    }

    /// True when the user has requested the loop to stop.
    pub fn interrupted(&self) -> bool {
        self.reporter.interrupted()
    }

    /// Ends the loop; the last state remains as one line.
    pub fn finish(mut self) {
        self.tick.elapsed = self.start.elapsed();
        self.reporter.finish(&self.tick);
    }
}
