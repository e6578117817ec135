//! Progress in a notebook.
//!
//! Under Holoscope's kernel a state is a framed `progress` line at most ten times per second, with a
//! chart of the loop's curves every few seconds; elsewhere it is a line on stderr at most every five
//! seconds.

use std::io::Write;
use std::time::{Duration, Instant};

use serde_json::json;

use super::interrupts::{forget_interrupt, hear_interrupts, interrupted_between_steps};
use super::live_chart::LiveChart;
use super::quietly::is_quiet;
use crate::error::Result;
use crate::progress::{Reporter, Tick};
use crate::show::display::{Channel, framed, write_out};
use crate::show::number::format_number;

/// Shows progress in a notebook or on stderr, and handles interrupts.
///
/// The first reporter of a process installs a handler for SIGINT that only sets a
/// flag, so that loops can stop and return what they have; a second SIGINT while it
/// is set has its default effect and ends the process.
#[derive(Debug)]
pub struct NotebookReporter {
    channel: Channel,
    last: Option<Instant>,
    chart: LiveChart,
    /// Created within [`quietly`](super::quietly): handles interrupts and shows nothing.
    quiet: bool,
}

impl NotebookReporter {
    /// A reporter for this process.
    pub fn new() -> Self {
        hear_interrupts();
        Self {
            channel: Channel::current(),
            last: None,
            chart: LiveChart::default(),
            quiet: is_quiet(),
        }
    }

    fn due(&self) -> bool {
        let wait = match self.channel {
            Channel::Framed => Duration::from_millis(100),
            Channel::Blocks => Duration::from_secs(5),
        };
        self.last.is_none_or(|last| last.elapsed() >= wait)
    }

    fn emit(&mut self, tick: &Tick, chart: Option<String>, finished: bool) {
        if self.quiet {
            return;
        }
        self.last = Some(Instant::now());
        // Ignored: a loop must not fail because its progress is no longer read.
        let _ = match self.channel {
            Channel::Framed => frame(tick, chart, finished).and_then(|line| write_out(&line)),
            Channel::Blocks => {
                let _ = writeln!(std::io::stderr().lock(), "{}", line(tick, finished));
                Ok(())
            }
        };
    }
}

impl Default for NotebookReporter {
    fn default() -> Self {
        Self::new()
    }
}

impl Reporter for NotebookReporter {
    fn begin(&mut self, _: &Tick) {
        if self.channel == Channel::Blocks {
            forget_interrupt();
        }
        self.chart = LiveChart::default();
        // Plain lines are delayed, so that short loops show only their last line.
        self.last = match self.channel {
            Channel::Framed => None,
            Channel::Blocks => Some(Instant::now()),
        };
    }

    fn tick(&mut self, tick: &Tick) {
        let chart = match self.channel {
            Channel::Framed => self.chart.take(tick),
            Channel::Blocks => None,
        };
        if chart.is_some() || self.due() {
            self.emit(tick, chart, false);
        }
    }

    fn finish(&mut self, tick: &Tick) {
        self.emit(tick, None, true);
    }

    fn interrupted(&self) -> bool {
        interrupted_between_steps()
    }
}

/// The framed line of a state. A figure that is not finite is null. Without a
/// chart the last one remains.
fn frame(tick: &Tick, chart: Option<String>, finished: bool) -> Result<String> {
    let mut content = json!({
        "type": "progress",
        "label": tick.label,
        "done": tick.done,
        "total": tick.total,
        "unit": tick.unit,
        "figures": tick.figures,
        "elapsed": tick.elapsed.as_secs_f64(),
        "finished": finished,
    });
    if let Some(chart) = chart {
        content["chart"] = chart.into();
    }
    framed(&content)
}

/// The plain line of a state: `train 120/600 step (20 %), loss 5.12, 14 s, 56 s left`.
fn line(tick: &Tick, finished: bool) -> String {
    let seconds = tick.elapsed.as_secs_f64();
    let mut out = if tick.total > 0 {
        let percent = 100.0 * tick.done as f64 / tick.total as f64;
        format!(
            "{} {}/{} {} ({percent:.0} %)",
            tick.label, tick.done, tick.total, tick.unit
        )
    } else {
        format!("{} {} {}", tick.label, tick.done, tick.unit)
    };
    for (name, value) in &tick.figures {
        out.push_str(&format!(", {name} {}", format_number(*value)));
    }
    out.push_str(&format!(", {}", duration(seconds)));
    if !finished && tick.done > 0 && tick.total > tick.done {
        let left = seconds * (tick.total - tick.done) as f64 / tick.done as f64;
        out.push_str(&format!(", {} left", duration(left)));
    }
    out
}

fn duration(seconds: f64) -> String {
    if seconds < 9.95 {
        format!("{seconds:.1} s")
    } else if seconds < 120.0 {
        format!("{seconds:.0} s")
    } else {
        format!("{} min {:02} s", seconds as u64 / 60, seconds as u64 % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tick(done: u64, total: u64, seconds: f64) -> Tick {
        Tick {
            label: "train".into(),
            done,
            total,
            unit: "step".into(),
            figures: vec![("loss".into(), 5.1234), ("lr".into(), f64::NAN)],
            elapsed: Duration::from_secs_f64(seconds),
            curves: Vec::new(),
        }
    }

    #[test]
    fn a_progress_frame_has_the_kernel_s_fields() {
        assert_eq!(
            frame(&tick(120, 600, 12.5), None, false).unwrap(),
            "\u{1e}HOLOSCOPE {\"type\":\"progress\",\"label\":\"train\",\"done\":120,\
             \"total\":600,\"unit\":\"step\",\"figures\":[[\"loss\",5.1234],[\"lr\",null]],\
             \"elapsed\":12.5,\"finished\":false}\n"
        );
    }

    #[test]
    fn a_plain_line_reads_well() {
        assert_eq!(
            line(&tick(120, 600, 14.0), false),
            "train 120/600 step (20 %), loss 5.123, lr NaN, 14 s, 56 s left"
        );
        assert_eq!(
            line(&tick(7, 0, 130.0), true),
            "train 7 step, loss 5.123, lr NaN, 2 min 10 s"
        );
    }

    #[test]
    fn ticks_are_rate_limited() {
        let mut reporter = NotebookReporter {
            channel: Channel::Blocks,
            last: None,
            chart: LiveChart::default(),
            quiet: false,
        };
        assert!(reporter.due());
        reporter.begin(&tick(0, 1, 0.0));
        assert!(!reporter.due());
    }
}
