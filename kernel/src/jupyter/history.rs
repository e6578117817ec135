//! The history of cells: tail, range and search over the cells of this session and earlier ones.
//!
//! The file has one JSON array per line: `[session]` where a session begins, `[session, line, input, output]` for a
//! cell. Several kernels may append to it; a lock keeps them from taking the same session number.
//!
//! A range is `[start, stop)` of a session (0: this one, -1: the one before); a search is a glob of `*` and `?`.
//! Source: <https://jupyter-client.readthedocs.io/en/stable/messaging.html#history>.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};

/// A longer file is truncated to its newer half when a session begins.
const LONGEST: u64 = 8 << 20;

/// A cell that was run.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub session: i64,
    /// The cell's execution count.
    pub line: u32,
    pub input: String,
    /// The plain text of the cell's result.
    pub output: Option<String>,
}

/// A request for a part of the history.
#[derive(Debug, PartialEq, Deserialize)]
pub struct HistoryRequest {
    #[serde(default)]
    pub output: bool,
    #[serde(flatten)]
    pub access: Access,
}

/// Which cells are requested.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(tag = "hist_access_type", rename_all = "lowercase")]
pub enum Access {
    Tail {
        n: Option<usize>,
    },
    Range {
        #[serde(default)]
        session: i64,
        #[serde(default)]
        start: i64,
        stop: Option<i64>,
    },
    Search {
        #[serde(default = "anything")]
        pattern: String,
        n: Option<usize>,
        #[serde(default)]
        unique: bool,
    },
}

fn anything() -> String {
    "*".to_owned()
}

/// The cells that were run, oldest first.
#[derive(Debug)]
pub struct History {
    session: i64,
    entries: Vec<Entry>,
    /// Where cells are stored for later sessions.
    file: Option<PathBuf>,
}

impl History {
    /// An empty history, of session 1, that is not stored.
    pub fn new() -> History {
        History {
            session: 1,
            entries: Vec::new(),
            file: None,
        }
    }

    /// The history in a file, with a new session at its end. An unusable file is reported on stderr, and
    /// the history then lasts as long as the kernel.
    pub fn open(path: &Path) -> History {
        History::read(path).unwrap_or_else(|e| {
            eprintln!(
                "holoscope: cannot keep the history in {}: {e}",
                path.display()
            );
            History::new()
        })
    }

    fn read(path: &Path) -> std::io::Result<History> {
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir)?;
        }
        let lock = File::create(path.with_extension("lock"))?;
        lock.lock()?;
        let mut history = History::new();
        history.file = Some(path.to_owned());
        match File::open(path) {
            Ok(file) => history.load(BufReader::new(file))?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
        if std::fs::metadata(path).is_ok_and(|m| m.len() > LONGEST) {
            history.entries.drain(..history.entries.len() / 2);
            let lines: String = history.entries.iter().map(line).collect();
            let dir = path.parent().unwrap_or(Path::new("."));
            let mut new = tempfile::NamedTempFile::new_in(dir)?;
            new.write_all(lines.as_bytes())?;
            new.persist(path).map_err(|e| e.error)?;
        }
        history.append(&format!("[{}]\n", history.session))?;
        Ok(history)
    }

    /// Skips lines that cannot be parsed (after a full disk, for example).
    fn load(&mut self, lines: impl BufRead) -> std::io::Result<()> {
        for line in lines.split(b'\n') {
            let Ok(fields) = serde_json::from_slice::<Vec<Value>>(&line?) else {
                continue;
            };
            let Some(session) = fields.first().and_then(Value::as_i64) else {
                continue;
            };
            self.session = self.session.max(session + 1);
            let line = fields
                .get(1)
                .and_then(Value::as_u64)
                .and_then(|n| u32::try_from(n).ok());
            if let (Some(line), Some(input)) = (line, fields.get(2).and_then(Value::as_str)) {
                self.entries.push(Entry {
                    session,
                    line,
                    input: input.to_owned(),
                    output: fields.get(3).and_then(Value::as_str).map(str::to_owned),
                });
            }
        }
        Ok(())
    }

    /// One write, so that the lines of two kernels do not mix.
    fn append(&self, line: &str) -> std::io::Result<()> {
        let Some(path) = &self.file else {
            return Ok(());
        };
        let mut file = OpenOptions::new().append(true).create(true).open(path)?;
        file.write_all(line.as_bytes())
    }

    /// Adds a cell of this session.
    pub fn push(&mut self, line: u32, input: &str, output: Option<String>) {
        self.entries.push(Entry {
            session: self.session,
            line,
            input: input.to_owned(),
            output,
        });
        if let Some(entry) = self.entries.last()
            && let Err(e) = self.append(&self::line(entry))
        {
            eprintln!("holoscope: the history is not kept any more: {e}");
            self.file = None;
        }
    }

    /// The content of `history_reply`.
    pub fn reply(&self, request: &HistoryRequest) -> Value {
        let found: Vec<Value> = self
            .find(&request.access)
            .into_iter()
            .map(|e| match request.output {
                true => json!([e.session, e.line, [e.input, e.output]]),
                false => json!([e.session, e.line, e.input]),
            })
            .collect();
        json!({"status": "ok", "history": found})
    }

    fn find(&self, access: &Access) -> Vec<&Entry> {
        match access {
            Access::Tail { n } => last(self.entries.iter().collect(), *n),
            Access::Range {
                session,
                start,
                stop,
            } => {
                let session = match *session {
                    back if back <= 0 => self.session + back,
                    session => session,
                };
                self.entries
                    .iter()
                    .filter(|e| {
                        let line = i64::from(e.line);
                        e.session == session && line >= *start && stop.is_none_or(|s| line < s)
                    })
                    .collect()
            }
            Access::Search { pattern, n, unique } => {
                let pattern: Vec<char> = pattern.chars().collect();
                let mut found: Vec<&Entry> = self
                    .entries
                    .iter()
                    .filter(|e| glob(&pattern, &e.input.chars().collect::<Vec<_>>()))
                    .collect();
                if *unique {
                    // The newest of equal inputs stays.
                    let mut seen = std::collections::HashSet::new();
                    found.reverse();
                    found.retain(|e| seen.insert(e.input.as_str()));
                    found.reverse();
                }
                last(found, *n)
            }
        }
    }
}

fn line(entry: &Entry) -> String {
    let fields = json!([entry.session, entry.line, entry.input, entry.output]);
    format!("{fields}\n")
}

fn last(mut entries: Vec<&Entry>, n: Option<usize>) -> Vec<&Entry> {
    let skip = n.map_or(0, |n| entries.len().saturating_sub(n));
    entries.drain(..skip);
    entries
}

/// Whether the whole text matches a pattern of `*` (any text) and `?` (any character).
fn glob(pattern: &[char], text: &[char]) -> bool {
    // Greedy with one backtracking point: the last `*` takes one more character whenever the rest fails.
    let (mut p, mut t) = (0, 0);
    let mut star = None;
    while t < text.len() {
        if pattern.get(p) == Some(&'*') {
            star = Some((p, t));
            p += 1;
        } else if pattern.get(p).is_some_and(|&c| c == '?' || c == text[t]) {
            p += 1;
            t += 1;
        } else if let Some((at, from)) = star {
            star = Some((at, from + 1));
            p = at + 1;
            t = from + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history() -> History {
        let mut history = History::new();
        for (i, input) in ["let a = 1;", "a", "let b = 2;", "a"].iter().enumerate() {
            let output = (*input == "a").then(|| "1".to_owned());
            history.push(i as u32 + 1, input, output);
        }
        history
    }

    fn ask(request: Value) -> Value {
        let request: HistoryRequest = serde_json::from_value(request).unwrap();
        history().reply(&request)["history"].clone()
    }

    #[test]
    fn tail_gives_the_last_n_with_or_without_output() {
        assert_eq!(
            ask(json!({"hist_access_type": "tail", "n": 2, "output": false, "raw": true})),
            json!([[1, 3, "let b = 2;"], [1, 4, "a"]])
        );
        assert_eq!(
            ask(json!({"hist_access_type": "tail", "n": 2, "output": true})),
            json!([[1, 3, ["let b = 2;", null]], [1, 4, ["a", "1"]]])
        );
    }

    #[test]
    fn a_range_excludes_its_stop_and_knows_only_its_session() {
        let range = |session: i64, stop: Value| {
            ask(json!({"hist_access_type": "range", "session": session, "start": 1, "stop": stop}))
        };
        assert_eq!(
            range(0, json!(3)),
            json!([[1, 1, "let a = 1;"], [1, 2, "a"]])
        );
        assert_eq!(range(1, json!(null)).as_array().unwrap().len(), 4);
        assert_eq!(range(-1, json!(3)), json!([]));
        assert_eq!(range(7, json!(3)), json!([]));
    }

    #[test]
    fn a_later_session_knows_the_earlier_ones_and_broken_lines_do_no_harm() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/history.jsonl");
        let mut first = History::open(&path);
        first.push(1, "a\nb", Some("1".to_owned()));
        let mut beside = History::open(&path);
        beside.push(1, "c", None);
        std::fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .unwrap()
            .write_all(b"[2, 9, \"cut\n\xff\n{}\n")
            .unwrap();
        let later = History::open(&path);
        let ask = |request: Value| {
            let request: HistoryRequest = serde_json::from_value(request).unwrap();
            later.reply(&request)["history"].clone()
        };
        assert_eq!(
            ask(json!({"hist_access_type": "tail", "n": 9, "output": true})),
            json!([[1, 1, ["a\nb", "1"]], [2, 1, ["c", null]]])
        );
        assert_eq!(
            ask(json!({"hist_access_type": "range", "session": -1, "start": 1, "stop": null})),
            json!([[2, 1, "c"]])
        );
        assert_eq!(
            ask(json!({"hist_access_type": "range", "session": 0, "stop": null})),
            json!([])
        );
    }

    #[test]
    fn a_file_that_grew_too_long_keeps_its_newer_half() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history.jsonl");
        let mut first = History::open(&path);
        let long = "x".repeat(1 << 20);
        for n in 1..=10 {
            first.push(n, &format!("{n}{long}"), None);
        }
        let later = History::open(&path);
        let lines: Vec<u32> = later.entries.iter().map(|e| e.line).collect();
        assert_eq!(lines, [6, 7, 8, 9, 10]);
        assert!(std::fs::metadata(&path).unwrap().len() < LONGEST);
        assert_eq!(History::open(&path).entries, later.entries);
    }

    #[test]
    fn a_search_is_a_glob_and_unique_keeps_the_newest() {
        assert_eq!(
            ask(json!({"hist_access_type": "search", "pattern": "let ? =*", "n": 1})),
            json!([[1, 3, "let b = 2;"]])
        );
        assert_eq!(
            ask(json!({"hist_access_type": "search", "pattern": "a", "unique": true})),
            json!([[1, 4, "a"]])
        );
        assert_eq!(
            ask(json!({"hist_access_type": "search", "pattern": "*b*2*"})),
            json!([[1, 3, "let b = 2;"]])
        );
    }
}
