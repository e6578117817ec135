//! A flood of displays is truncated, with a note, like text (see `limit`).
//!
//! A single display arrives whole, however large it is. In a flood, updates of a
//! shown display are merged, so that its last state always arrives; other displays
//! are omitted, except the last one, and written to a file. A loop's progress bar
//! that is shown is also closed.

use super::bucket::Bucket;
use super::event::{Event, StreamName};
use super::room::{KEPT, Room};
use std::collections::HashSet;
use std::fs::File;
use std::path::PathBuf;

/// Bytes of displays that may be shown at once.
const BURST: f64 = (1 << 24) as f64;
/// Bytes of displays that may be shown per second after that.
const RATE: f64 = (1 << 22) as f64;
/// The minimum cost of a display, in bytes, for its work in a browser: a thousand small
/// ones may be shown at once, and 256 per second after that.
const LEAST: f64 = (1 << 14) as f64;

/// Decides which displays are shown.
#[derive(Debug)]
pub struct Displays {
    dir: PathBuf,
    /// Counts cells, for the files' names.
    cell: u64,
    bucket: Bucket,
    withheld: Option<Withheld>,
    file: Option<(PathBuf, File)>,
    room: Room,
    /// A `clear_output` requested since the last output; whether it waits.
    clear: Option<bool>,
    /// The last states of displays that are shown.
    updates: Vec<(String, Event)>,
    /// The displays with an id that are shown.
    shown: HashSet<String>,
    /// The labels of the progress bars that are shown.
    loops: HashSet<String>,
}

/// What is not shown at present.
#[derive(Debug, Default)]
struct Withheld {
    displays: usize,
    bytes: usize,
    last: Option<(Event, usize)>,
}

impl Displays {
    /// Files go into `dir`, which is created with the first one.
    pub fn new(dir: PathBuf) -> Self {
        Self {
            dir,
            cell: 0,
            bucket: Bucket::new(BURST, RATE),
            withheld: None,
            file: None,
            room: Room::new(KEPT),
            clear: None,
            updates: Vec::new(),
            shown: HashSet::new(),
            loops: HashSet::new(),
        }
    }

    /// A cell begins.
    pub fn begin(&mut self) {
        self.cell += 1;
        self.bucket.fill();
        self.file = None;
        self.room = self.room.emptied();
        self.withheld = None;
        self.clear = None;
        self.loops.clear();
        // Updates stay: their displays may be those of another cell.
    }

    /// The events to show for a display, an update, a `clear_output` or a state of a loop,
    /// of `size` bytes; other events pass unchanged.
    pub fn take(&mut self, event: Event, size: usize) -> Vec<Event> {
        match event {
            Event::Display { .. } | Event::UpdateDisplay { .. } | Event::ClearOutput { .. } => {
                match self.has_room(size) {
                    true => self.show(event),
                    false => {
                        self.withhold(event, size);
                        Vec::new()
                    }
                }
            }
            Event::Progress(ref progress) => {
                // A bar that is shown must not look as if its loop were running.
                let closes = progress.finished && self.loops.remove(&progress.label);
                if closes || self.has_room(size) {
                    if !progress.finished {
                        self.loops.insert(progress.label.clone());
                    }
                    return vec![event];
                }
                // The loop's next state replaces this one.
                if progress.finished {
                    self.withhold(event, size);
                }
                Vec::new()
            }
            event => vec![event],
        }
    }

    /// Whether [`Displays::pending_clear`] returns one.
    pub fn awaits_clear(&self) -> bool {
        self.clear.is_some()
    }

    /// A `clear_output` that waits for what is shown next.
    pub fn pending_clear(&mut self) -> Option<Event> {
        let wait = self.clear.take()?;
        Some(Event::ClearOutput { wait })
    }

    /// The cell is over: returns the note on what was not shown, the last states and the last
    /// display.
    pub fn end(&mut self) -> Vec<Event> {
        let last = self.withheld.as_mut().and_then(|withheld| {
            let (event, size) = withheld.last.take()?;
            withheld.displays -= 1;
            withheld.bytes -= size;
            Some(event)
        });
        let mut events = self.flush();
        if let Some(event) = last {
            self.note_id(&event);
            events.push(event);
        }
        events
    }

    /// Whether something of this size may be shown; if so, its cost is spent.
    fn has_room(&mut self, size: usize) -> bool {
        let cost = (size as f64).max(LEAST);
        let waits = self.withheld.is_some() || self.clear.is_some() || !self.updates.is_empty();
        // One that is larger than the whole burst is shown once the bucket has recovered.
        let fits = !waits && cost <= self.bucket.allowance();
        let room = fits || self.bucket.recovered();
        if room {
            self.bucket.spend(cost);
        }
        room
    }

    fn show(&mut self, event: Event) -> Vec<Event> {
        if let Event::UpdateDisplay { display_id, .. } = &event {
            self.updates.retain(|(id, _)| id != display_id);
        }
        let mut events = self.flush();
        self.note_id(&event);
        events.push(event);
        events
    }

    fn note_id(&mut self, event: &Event) {
        if let Event::Display {
            display_id: Some(id),
            ..
        } = event
        {
            self.shown.insert(id.clone());
        }
    }

    fn withhold(&mut self, event: Event, size: usize) {
        match &event {
            Event::ClearOutput { wait } => {
                // What it clears need not be shown at the end; one without `wait` takes precedence.
                self.clear = Some(*wait && self.clear.unwrap_or(true));
                if let Some(withheld) = &mut self.withheld {
                    withheld.last = None;
                }
                return;
            }
            Event::UpdateDisplay { display_id, .. } if self.shown.contains(display_id) => {
                let known = self.updates.iter_mut().find(|(id, _)| id == display_id);
                match known {
                    Some((_, state)) => *state = event,
                    None => self.updates.push((display_id.clone(), event)),
                }
                return;
            }
            _ => {}
        }
        self.keep(&event);
        let withheld = self.withheld.get_or_insert_default();
        withheld.displays += 1;
        withheld.bytes += size;
        // Neither an update of a display that is not shown, nor a bar.
        if matches!(event, Event::Display { .. }) {
            withheld.last = Some((event, size));
        }
    }

    fn keep(&mut self, event: &Event) {
        if self.file.is_none() {
            self.file = self.open();
        }
        if let (Some((_, file)), Ok(mut line)) = (&mut self.file, serde_json::to_vec(event)) {
            line.push(b'\n');
            self.room.write_line(&line, file);
        }
    }

    fn open(&self) -> Option<(PathBuf, File)> {
        std::fs::create_dir_all(&self.dir).ok()?;
        let path = self.dir.join(format!("cell-{}-displays.jsonl", self.cell));
        let file = File::create(&path).ok()?;
        Some((path, file))
    }

    /// The events that precede the next shown one.
    fn flush(&mut self) -> Vec<Event> {
        let clear = self.pending_clear();
        let note = self.note();
        let updates = std::mem::take(&mut self.updates);
        let states = updates.into_iter().map(|(_, state)| state);
        clear.into_iter().chain(note).chain(states).collect()
    }

    fn note(&mut self) -> Option<Event> {
        let withheld = self.withheld.take().filter(|w| w.displays > 0)?;
        let place = match &self.file {
            Some((path, _)) if self.room.full || self.room.failed => {
                format!("the first of them are in {}, one per line", path.display())
            }
            Some((path, _)) => format!("they are in {}, one per line", path.display()),
            None => format!("they could not be kept in {}", self.dir.display()),
        };
        Some(Event::Stream {
            name: StreamName::Stderr,
            text: format!(
                "[Holoscope: {} displays ({} bytes) of this cell are not shown here; {place}]\n",
                withheld.displays, withheld.bytes
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::output::event::{MimeBundle, Progress};

    fn bundle(text: &str) -> MimeBundle {
        MimeBundle::from_iter([("text/plain".to_owned(), text.into())])
    }

    fn display(text: &str, id: Option<&str>) -> Event {
        Event::Display {
            data: bundle(text),
            metadata: MimeBundle::new(),
            display_id: id.map(str::to_owned),
        }
    }

    fn update(text: &str, id: &str) -> Event {
        Event::UpdateDisplay {
            data: bundle(text),
            metadata: MimeBundle::new(),
            display_id: id.to_owned(),
        }
    }

    fn limiter() -> (tempfile::TempDir, Displays) {
        let dir = tempfile::tempdir().unwrap();
        let mut displays = Displays::new(dir.path().join("output"));
        displays.begin();
        (dir, displays)
    }

    #[test]
    fn of_a_flood_the_first_and_the_last_are_shown_and_the_others_kept_and_counted() {
        let (dir, mut displays) = limiter();
        const N: usize = 20_000;
        let mut events = Vec::new();
        for n in 0..N {
            events.extend(displays.take(display(&n.to_string(), None), 100));
        }
        events.extend(displays.end());
        let shown: Vec<usize> = events
            .iter()
            .filter_map(|event| match event {
                Event::Display { data, .. } => data["text/plain"].as_str()?.parse().ok(),
                _ => None,
            })
            .collect();
        assert!((1_000..3_000).contains(&shown.len()), "{}", shown.len());
        assert!(shown.is_sorted());
        assert_eq!(
            (shown[0], shown[999], *shown.last().unwrap()),
            (0, 999, N - 1)
        );
        let notes: Vec<&str> = events
            .iter()
            .filter_map(|event| match event {
                Event::Stream { text, .. } => Some(text.as_str()),
                _ => None,
            })
            .collect();
        let counted = |note: &&str| -> usize {
            let words: Vec<&str> = note.split(' ').collect();
            words[1].parse().unwrap()
        };
        assert_eq!(notes.iter().map(counted).sum::<usize>(), N - shown.len());
        let file = dir.path().join("output/cell-1-displays.jsonl");
        assert!(notes[0].contains(&file.display().to_string()), "{notes:?}");
        let kept = std::fs::read_to_string(file).unwrap();
        let lines: Vec<Event> = kept
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        // A few more than a thousand, as time passes.
        let first = (0..N).find(|n| !shown.contains(n)).unwrap();
        assert_eq!(lines[0], display(&first.to_string(), None));
        // The last one was withheld at first.
        assert_eq!(lines.len(), N - shown.len() + 1);
    }

    #[test]
    fn the_file_of_a_flood_ends_where_it_is_full_and_the_note_says_so() {
        let (dir, mut displays) = limiter();
        displays.room = Room::new(1 << 20);
        displays.bucket.spend(BURST);
        let text = "x".repeat(100_000);
        for _ in 0..40 {
            displays.take(display(&text, None), text.len());
        }
        let events = displays.end();
        let [Event::Stream { text: note, .. }, Event::Display { .. }] = events.as_slice() else {
            panic!("{events:?}");
        };
        assert!(note.contains("the first of them are in"), "{note}");
        let kept =
            std::fs::read_to_string(dir.path().join("output/cell-1-displays.jsonl")).unwrap();
        let lines: Vec<Event> = kept
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert!(
            kept.len() <= 1 << 20 && lines.len() == 10,
            "{} lines",
            lines.len()
        );
    }

    #[test]
    fn one_display_larger_than_the_limit_is_shown_and_what_follows_is_not_lost() {
        let (_dir, mut displays) = limiter();
        let big = display(&"x".repeat(50_000_000), None);
        assert_eq!(displays.take(big.clone(), 50_000_000), [big]);
        // There is room for these after a second each.
        assert_eq!(displays.take(display("a", None), 1 << 22), []);
        assert_eq!(displays.take(display("b", None), 1 << 22), []);
        let events = displays.end();
        assert!(matches!(&events[0], Event::Stream { text, .. } if text.contains("1 displays")));
        assert_eq!(events[1..], [display("b", None)]);
    }

    #[test]
    fn the_last_state_of_a_display_always_arrives() {
        let (_dir, mut displays) = limiter();
        displays.take(display("0", Some("a")), 100);
        let mut events = Vec::new();
        for n in 1..=20_000 {
            events.extend(displays.take(update(&n.to_string(), "a"), 100));
        }
        assert!(events.len() < 3_000, "{}", events.len());
        events.extend(displays.end());
        assert_eq!(events.last(), Some(&update("20000", "a")));
        assert!(!events.iter().any(|e| matches!(e, Event::Stream { .. })));
        // Updates left over for the next cell, from a thread for example, are not lost, either.
        while !displays.take(update("x", "a"), 1 << 20).is_empty() {}
        displays.begin();
        assert_eq!(displays.end(), [update("x", "a")]);
    }

    #[test]
    fn an_animation_ends_with_its_last_picture() {
        let (_dir, mut displays) = limiter();
        let mut events = Vec::new();
        for n in 0..5_000 {
            events.extend(displays.take(Event::ClearOutput { wait: true }, 10));
            events.extend(displays.take(display(&n.to_string(), None), 10));
        }
        events.extend(displays.end());
        assert!(events.len() < 3_000, "{}", events.len());
        assert_eq!(events.last(), Some(&display("4999", None)));
        let clear = events
            .iter()
            .rposition(|e| matches!(e, Event::ClearOutput { .. }));
        assert!(
            clear.unwrap() >= events.len() - 3,
            "the ones before it are cleared"
        );
    }

    #[test]
    fn a_bar_that_is_shown_is_closed() {
        let (_dir, mut displays) = limiter();
        let state = |label: &str, finished| {
            Event::Progress(Progress {
                label: label.to_owned(),
                finished,
                ..Progress::default()
            })
        };
        assert_eq!(displays.take(state("a", false), 100).len(), 1);
        while !displays.take(display("x", None), 1 << 20).is_empty() {}
        assert_eq!(displays.take(state("a", false), 100), []);
        assert_eq!(displays.take(state("b", false), 100), []);
        assert_eq!(displays.take(state("b", true), 100), []);
        assert_eq!(displays.take(state("a", true), 100), [state("a", true)]);
    }
}
