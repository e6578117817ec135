//! Progress of a headless run on stderr: one line per cell; on a terminal the
//! line of the running cell shows the library's progress in place.

use crate::run::output::event::Progress;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Redraw at most this often.
const REDRAW: Duration = Duration::from_millis(100);
/// Without a terminal, long loops print a line at most this often.
const REMIND: Duration = Duration::from_secs(15);

/// Prints a line on stderr, without colours if that is no terminal or `NO_COLOR` is set. A
/// closed terminal must not end a run.
pub fn say(text: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

pub struct Terminal {
    live: bool,
    head: String,
    last: Instant,
}

impl Terminal {
    pub fn new() -> Self {
        Self {
            live: std::io::stderr().is_terminal(),
            head: String::new(),
            last: Instant::now(),
        }
    }

    /// Prints a separate line.
    pub fn note(&mut self, text: &str) {
        say(&format!("holoscope: {text}"));
    }

    /// Cell `n` of `total` begins.
    pub fn begin(&mut self, n: usize, total: usize, section: &str) {
        let width = total.to_string().len();
        self.head = format!("[{n:>width$}/{total}] {section}");
        self.last = Instant::now();
        if self.live {
            self.draw(&self.head);
        }
    }

    /// Shows the progress of the running cell's loop.
    pub fn progress(&mut self, tick: &Progress) {
        let wait = if self.live { REDRAW } else { REMIND };
        if self.last.elapsed() < wait {
            return;
        }
        self.last = Instant::now();
        let text = format!("{}  {}", self.head, describe(tick));
        if self.live {
            self.draw(&text);
        } else {
            say(&text);
        }
    }

    /// The cell is over.
    pub fn end(&mut self, seconds: f64, mark: &str) {
        let text = format!("{}  {mark}  {seconds:.1} s", self.head);
        if self.live {
            self.draw(&text);
            say("");
        } else {
            say(&text);
        }
    }

    fn draw(&self, text: &str) {
        let mut err = std::io::stderr().lock();
        // A closed terminal must not end the run.
        let _ = write!(err, "\r\x1b[2K{text}").and_then(|()| err.flush());
    }
}

/// "train 120/400 step  loss 5.311  tok/s 9812".
fn describe(tick: &Progress) -> String {
    let mut line = match tick.total {
        0 => format!("{} {} {}", tick.label, tick.done, tick.unit),
        total => format!("{} {}/{total} {}", tick.label, tick.done, tick.unit),
    };
    for (name, value) in &tick.figures {
        match value {
            Some(value) if value.abs() >= 100.0 => line.push_str(&format!("  {name} {value:.0}")),
            Some(value) => line.push_str(&format!("  {name} {value:.3}")),
            None => line.push_str(&format!("  {name} not finite")),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_is_described_in_one_line() {
        let tick = Progress {
            label: "train".to_owned(),
            done: 120,
            total: 400,
            unit: "step".to_owned(),
            figures: vec![
                ("loss".to_owned(), Some(5.3114)),
                ("tok/s".to_owned(), Some(9812.4)),
                ("val".to_owned(), None),
            ],
            ..Progress::default()
        };
        assert_eq!(
            describe(&tick),
            "train 120/400 step  loss 5.311  tok/s 9812  val not finite"
        );
    }
}
