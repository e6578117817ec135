//! Progress of the library's build: on a terminal a bar in place, otherwise a
//! line from time to time.

use super::terminal::say;
use crate::error::Result;
use crate::image::{Image, News, Progress};
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Without a terminal, a line at most this often.
const REMIND: Duration = Duration::from_secs(10);
const BAR: usize = 24;

/// Reports a build on stderr.
struct Waiting {
    live: bool,
    /// A bar is drawn on the terminal's current line.
    drawn: bool,
    remind: Reminder,
}

/// Builds the image if it has changed, and reports the build.
pub fn build() -> Result<Image> {
    let mut waiting = Waiting::new();
    let built = crate::image::build(&mut |news| waiting.tell(&news));
    waiting.clear();
    built
}

/// Limits how often a line is printed.
pub struct Reminder(Instant);

impl Reminder {
    pub fn new() -> Self {
        Self(Instant::now())
    }

    pub fn is_due(&mut self) -> bool {
        let due = self.0.elapsed() >= REMIND;
        if due {
            self.0 = Instant::now();
        }
        due
    }
}

impl Waiting {
    fn new() -> Self {
        Self {
            live: std::io::stderr().is_terminal(),
            drawn: false,
            remind: Reminder::new(),
        }
    }

    fn tell(&mut self, news: &News) {
        match news {
            News::Progress(progress) if self.live => {
                self.drawn = true;
                let mut err = std::io::stderr().lock();
                // A closed terminal must not end the build.
                let _ = write!(err, "\r\x1b[2K{}", bar(progress)).and_then(|()| err.flush());
            }
            News::Progress(progress) => {
                if self.remind.is_due() {
                    say(&format!("holoscope: {progress}"));
                }
            }
            other => {
                self.clear();
                say(&text(other));
            }
        }
    }

    /// Removes the bar.
    fn clear(&mut self) {
        if std::mem::take(&mut self.drawn) {
            let mut err = std::io::stderr().lock();
            let _ = write!(err, "\r\x1b[2K").and_then(|()| err.flush());
        }
    }
}

/// The news as a line.
pub fn text(news: &News) -> String {
    match news {
        News::Note(text) => format!("holoscope: {text}"),
        News::Said(line) => line.clone(),
        News::Progress(progress) => format!("holoscope: {progress}"),
    }
}

fn bar(progress: &Progress) -> String {
    let full = BAR * progress.done / progress.total.max(1);
    let full = full.min(BAR);
    format!(
        "[{}{}] {progress}",
        "=".repeat(full),
        " ".repeat(BAR - full)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_full_at_the_end_and_never_longer() {
        let at = |done: usize, total: usize| {
            bar(&Progress {
                done,
                total,
                elapsed: Duration::from_secs(61),
                left: Some(Duration::from_secs(5)),
            })
        };
        assert_eq!(
            at(1, 2),
            "[============            ] 1/2 crates, 1:01, about 0:05 left"
        );
        assert!(at(2, 2).starts_with(&format!("[{}]", "=".repeat(BAR))));
        assert!(at(0, 0).starts_with("[ "));
    }
}
