//! A flood of text is truncated, with a note that says how much is missing and where it is.
//!
//! A cell may show a megabyte at once and a quarter of one per second after
//! that, which browsers and Jupyter's server can handle (its own limit is a
//! megabyte per second, beyond which it drops messages without storing them).
//! Displays have a separate allowance (see `displays`): what is shown of both
//! keeps its order.

use super::bucket::Bucket;
use super::displays::Displays;
use super::event::{Event, StreamName};
use super::room::{KEPT, Room};
use std::fs::File;
use std::path::PathBuf;

/// Bytes that may be shown at once.
const BURST: f64 = (1 << 20) as f64;
/// Bytes that may be shown per second after that.
const RATE: f64 = (1 << 18) as f64;
/// What a `clear_output` before a text costs: as much as a short line.
const CLEAR: f64 = 1024.0;
/// Text of a cell that is held in memory before its file is created.
const HEAD: usize = 1 << 19;
/// The number of last unshown lines that are shown when the cell ends.
const TAIL: usize = 10;

/// Decides what is shown.
#[derive(Debug)]
pub struct Limiter {
    dir: PathBuf,
    /// Counts cells, for the files' names.
    cell: u64,
    bucket: Bucket,
    displays: Displays,
    /// All text of the cell, until there is a file.
    head: Vec<u8>,
    file: Option<(PathBuf, File)>,
    /// Bytes that may still be written to the file.
    room: Room,
    /// What is not shown at present.
    missing: Option<Missing>,
    /// Whether anything of this cell was not shown.
    cut: bool,
}

#[derive(Debug, Default)]
struct Missing {
    bytes: usize,
    lines: usize,
    /// The last lines.
    tail: String,
}

impl Limiter {
    /// Files go into `dir`, which is created with the first one.
    pub fn new(dir: PathBuf) -> Self {
        Self {
            displays: Displays::new(dir.clone()),
            dir,
            cell: 0,
            bucket: Bucket::new(BURST, RATE),
            head: Vec::new(),
            file: None,
            room: Room::new(KEPT),
            missing: None,
            cut: false,
        }
    }

    /// A cell begins.
    pub fn begin(&mut self) {
        self.close();
        self.cell += 1;
        self.bucket.fill();
        self.displays.begin();
    }

    /// The events to show for a display, an update, a `clear_output` or a state of a loop, of
    /// `size` bytes.
    pub fn take_display(&mut self, event: Event, size: usize) -> Vec<Event> {
        if let (Event::ClearOutput { .. }, Some(missing)) = (&event, &mut self.missing) {
            missing.tail.clear();
        }
        self.displays.take(event, size)
    }

    /// The events to show for a text.
    pub fn take(&mut self, name: StreamName, text: String) -> Vec<Event> {
        self.keep(&text);
        let mut events = Vec::new();
        if self.missing.is_some() {
            if !self.bucket.recovered() {
                self.drop_text(&text);
                return events;
            }
            events.extend(self.note());
        }
        // The cleared output precedes this text, which must not be cleared with it.
        if self.displays.awaits_clear() {
            if self.bucket.allowance() < CLEAR {
                self.drop_text(&text);
                return events;
            }
            self.bucket.spend(CLEAR);
            events.splice(0..0, self.displays.pending_clear());
        }
        let allowance = self.bucket.allowance();
        if text.len() as f64 <= allowance {
            self.bucket.spend(text.len() as f64);
            events.push(Event::Stream { name, text });
            return events;
        }
        let (shown, rest) = split(&text, allowance as usize);
        self.bucket.spend(allowance);
        if !shown.is_empty() {
            events.push(Event::Stream {
                name,
                text: shown.to_owned(),
            });
        }
        self.drop_text(rest);
        events
    }

    /// The cell is over: returns the note on what was not shown, and its last lines.
    pub fn end(&mut self) -> Vec<Event> {
        let tail = self.missing.as_ref().map(|m| m.tail.clone());
        let mut events: Vec<Event> = self.displays.pending_clear().into_iter().collect();
        events.extend(self.note());
        if let Some(text) = tail.filter(|t| !t.is_empty()) {
            events.push(Event::Stream {
                name: StreamName::Stdout,
                text,
            });
        }
        events.extend(self.displays.end());
        events
    }

    /// Closes the file, and removes it if everything in it was shown.
    fn close(&mut self) {
        if let Some((path, _)) = self.file.take().filter(|_| !self.cut) {
            // It may already have been removed.
            let _ = std::fs::remove_file(path);
        }
        self.head.clear();
        self.room = self.room.emptied();
        self.missing = None;
        self.cut = false;
    }

    fn keep(&mut self, text: &str) {
        if let Some((_, file)) = &mut self.file {
            self.room.write(text.as_bytes(), file);
        } else if !self.room.failed {
            self.head.extend_from_slice(text.as_bytes());
            if self.head.len() > HEAD {
                self.file = self.open();
                // A file created later would lack the beginning.
                self.room.failed |= self.file.is_none();
                self.head = Vec::new();
            }
        }
    }

    fn open(&mut self) -> Option<(PathBuf, File)> {
        std::fs::create_dir_all(&self.dir).ok()?;
        let path = self.dir.join(format!("cell-{}.txt", self.cell));
        let mut file = File::create(&path).ok()?;
        self.room.write(&self.head, &mut file);
        Some((path, file))
    }

    fn drop_text(&mut self, text: &str) {
        self.cut = true;
        let missing = self.missing.get_or_insert_default();
        missing.bytes += text.len();
        missing.lines += text.bytes().filter(|&b| b == b'\n').count();
        missing.tail.push_str(text);
        if let Some((at, _)) = missing.tail.rmatch_indices('\n').nth(TAIL) {
            missing.tail.drain(..=at);
        }
        // Text without line breaks: keep its end.
        if let Some(much) = missing.tail.len().checked_sub(1 << 14) {
            let at = (much..).find(|&i| missing.tail.is_char_boundary(i));
            missing.tail.drain(..at.unwrap_or(missing.tail.len()));
        }
    }

    fn note(&mut self) -> Option<Event> {
        let missing = self.missing.take()?;
        let place = match &self.file {
            Some((path, _)) if self.room.failed => {
                format!("only a part of it could be written to {}", path.display())
            }
            Some((path, _)) if self.room.full => {
                format!(
                    "its first {} bytes are in {}",
                    self.room.most,
                    path.display()
                )
            }
            Some((path, _)) => format!("all of it is in {}", path.display()),
            None => format!("it could not be kept in {}", self.dir.display()),
        };
        Some(Event::Stream {
            name: StreamName::Stderr,
            text: format!(
                "[Holoscope: {} bytes ({} lines) of this cell's output are not shown here; {place}]\n",
                missing.bytes, missing.lines
            ),
        })
    }
}

impl Drop for Limiter {
    fn drop(&mut self) {
        self.close();
    }
}

/// The part of a text that fits, up to the end of a line, and the rest.
fn split(text: &str, room: usize) -> (&str, &str) {
    let room = (0..=room.min(text.len()))
        .rev()
        .find(|&at| text.is_char_boundary(at))
        .unwrap_or(0);
    let at = text[..room].rfind('\n').map_or(0, |at| at + 1);
    text.split_at(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_full_says_how_much_it_has() {
        let dir = tempfile::tempdir().unwrap();
        let mut limiter = Limiter::new(dir.path().join("output"));
        limiter.room = Room::new(3 << 20);
        for cell in 1..=2 {
            limiter.begin();
            let line = format!("{}\n", "x".repeat(99));
            for _ in 0..40 {
                limiter.take(StreamName::Stdout, line.repeat(1000));
            }
            let note = text(&limiter.end(), StreamName::Stderr);
            assert!(note.contains("its first 3145728 bytes are in"), "{note}");
            let file = dir.path().join(format!("output/cell-{cell}.txt"));
            assert_eq!(std::fs::metadata(file).unwrap().len(), 3 << 20);
        }
    }

    fn text(events: &[Event], stream: StreamName) -> String {
        let of = |e: &Event| match e {
            Event::Stream { name, text } if *name == stream => Some(text.clone()),
            _ => None,
        };
        events.iter().filter_map(of).collect()
    }

    #[test]
    fn a_flood_is_cut_at_a_line_and_kept_whole_in_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let mut limiter = Limiter::new(dir.path().join("output"));
        limiter.begin();
        let mut events = Vec::new();
        let mut whole = String::new();
        for n in 0..400_000 {
            let line = format!("{n}\n");
            whole.push_str(&line);
            events.extend(limiter.take(StreamName::Stdout, line));
        }
        events.extend(limiter.end());
        let shown = text(&events, StreamName::Stdout);
        let notes = text(&events, StreamName::Stderr);
        assert!(shown.len() < 2 << 20, "{}", shown.len());
        assert!(shown.starts_with("0\n1\n2\n"));
        assert!(shown.ends_with("\n399998\n399999\n"));
        let file = dir.path().join("output/cell-1.txt");
        assert!(notes.contains(&file.display().to_string()), "{notes}");
        assert_eq!(std::fs::read_to_string(file).unwrap(), whole);
    }

    #[test]
    fn little_text_is_shown_whole_and_leaves_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let mut limiter = Limiter::new(dir.path().join("output"));
        limiter.begin();
        let mut events = Vec::new();
        for _ in 0..9 {
            events.extend(limiter.take(StreamName::Stdout, "x".repeat(100_000)));
        }
        events.extend(limiter.end());
        assert_eq!(text(&events, StreamName::Stdout).len(), 900_000);
        assert_eq!(text(&events, StreamName::Stderr), "");
        drop(limiter);
        assert_eq!(
            std::fs::read_dir(dir.path().join("output"))
                .unwrap()
                .count(),
            0
        );
    }

    #[test]
    fn a_clear_output_that_waits_stands_before_the_next_text() {
        let dir = tempfile::tempdir().unwrap();
        let mut limiter = Limiter::new(dir.path().join("output"));
        limiter.begin();
        let clear = || Event::ClearOutput { wait: true };
        while !limiter.take_display(clear(), 10).is_empty() {}
        let text = "x\n".to_owned();
        let name = StreamName::Stdout;
        assert_eq!(
            limiter.take(name, text.clone()),
            [clear(), Event::Stream { name, text }]
        );
        assert_eq!(limiter.end(), []);
    }

    #[test]
    fn text_is_never_cut_inside_a_character() {
        assert_eq!(split("ab\né", 4), ("ab\n", "é"));
        assert_eq!(split("é", 1), ("", "é"));
        assert_eq!(split("a\nb\n", 9), ("a\nb\n", ""));
    }
}
