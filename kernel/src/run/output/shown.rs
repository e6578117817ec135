//! Converts frames to events: what a cell shows, and how it ended.

use super::event::{Event, MimeBundle, StreamName};
use super::frame::Frame;
use super::limit::Limiter;
use crate::json;
use crate::widgets::CommEvent;
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};

/// How the process that ran the cell ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Death {
    /// "signal 11 (..)" or "exit code 3".
    pub how: String,
    /// Its last output on stderr.
    pub said: String,
    /// Whether the state from before the cell was restored.
    pub restored: bool,
}

/// Takes one cell's frames, or those between cells.
pub struct Shown {
    limiter: Arc<Mutex<Limiter>>,
    /// A text/plain block that is the cell's value if nothing follows it.
    value: Option<String>,
    finished: bool,
    /// How the cell ended, if not by itself.
    pub end: Option<End>,
    /// The library's report of the last panic on the thread that runs cells.
    pub panic: Option<Value>,
    /// The text of the last error that `?` returned.
    pub error: Option<String>,
    /// The variables after the cell.
    pub variables: Option<Vec<String>>,
    pub death: Option<Death>,
}

/// Why a cell did not run to its end, in a process that lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// `?` returned an error.
    Failed,
    Panicked,
    /// A loop of the cell noticed an interrupt.
    Interrupted,
}

impl Shown {
    pub fn new(limiter: Arc<Mutex<Limiter>>) -> Self {
        Self {
            limiter,
            value: None,
            finished: false,
            end: None,
            panic: None,
            error: None,
            variables: None,
            death: None,
        }
    }

    /// Takes a frame; what it shows goes to `on_event`.
    pub fn take(&mut self, frame: Frame, on_event: &mut dyn FnMut(Event)) {
        let frame = match frame {
            Frame::Pid { .. } | Frame::Begin | Frame::Ask { .. } => return,
            // Frames after it come from callbacks that waited for the cell.
            Frame::Complete => return self.finish(on_event),
            Frame::Notice { json } => return self.notice(&json, on_event),
            frame => frame,
        };
        // Something follows, so the last block was a display and not the value.
        if let Some(text) = self.value.take() {
            self.block("text/plain", text, on_event);
        }
        match frame {
            Frame::Out { text } => self.text(StreamName::Stdout, text, on_event),
            Frame::Err { text } => self.text(StreamName::Stderr, text, on_event),
            // A cell that ends with a loop has the value `()`, which is not shown.
            Frame::Block { mime, text } if mime == "text/plain" && text == "()" => {}
            Frame::Block { mime, text } if mime == "text/plain" => self.value = Some(text),
            Frame::Block { mime, text } => self.block(&mime, text, on_event),
            Frame::Library { json } => self.library(&json, on_event),
            Frame::Died {
                how,
                said,
                restored,
            } => {
                if !restored {
                    let ids = Vec::new();
                    on_event(Event::Comm(CommEvent::Known { ids }));
                }
                self.death = Some(Death {
                    how,
                    said,
                    restored,
                });
            }
            Frame::Pid { .. }
            | Frame::Begin
            | Frame::Complete
            | Frame::Notice { .. }
            | Frame::Ask { .. }
            | Frame::Question { .. } => {}
        }
    }

    /// The cell is over: shows its value, and what a flood left out.
    pub fn finish(&mut self, on_event: &mut dyn FnMut(Event)) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        let mut limiter = self.limiter.lock().unwrap_or_else(PoisonError::into_inner);
        limiter.end().into_iter().for_each(&mut *on_event);
        drop(limiter);
        if let Some(text) = self.value.take() {
            on_event(Event::ExecuteResult {
                data: one("text/plain", text),
                metadata: MimeBundle::new(),
            });
        }
    }

    fn text(&mut self, name: StreamName, text: String, on_event: &mut dyn FnMut(Event)) {
        let mut limiter = self.limiter.lock().unwrap_or_else(PoisonError::into_inner);
        limiter.take(name, text).into_iter().for_each(on_event);
    }

    /// Shows a content block as a display.
    fn block(&mut self, mime: &str, text: String, on_event: &mut dyn FnMut(Event)) {
        let size = text.len();
        let (content, note) = content(mime, text);
        let event = Event::Display {
            data: MimeBundle::from_iter([(mime.to_owned(), content)]),
            metadata: MimeBundle::new(),
            display_id: None,
        };
        self.display(event, size, on_event);
        if let Some(note) = note {
            let text = format!("[Holoscope: a display of {mime}: {note}]\n");
            self.text(StreamName::Stderr, text, on_event);
        }
    }

    fn display(&mut self, event: Event, size: usize, on_event: &mut dyn FnMut(Event)) {
        let mut limiter = self.limiter.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = limiter.take_display(event, size);
        shown.into_iter().for_each(on_event);
    }

    fn library(&mut self, json: &str, on_event: &mut dyn FnMut(Event)) {
        match Event::from_frame(json) {
            Ok(event) => self.display(event, json.len(), on_event),
            Err(error) => {
                let text = format!("a display that cannot be read ({error}): {json}\n");
                self.text(StreamName::Stderr, text, on_event);
            }
        }
    }

    /// Handles a notice from the library.
    fn notice(&mut self, json: &str, on_event: &mut dyn FnMut(Event)) {
        let Ok(notice) = serde_json::from_str::<Value>(json) else {
            return;
        };
        match notice["type"].as_str() {
            Some("panic") => self.take_panic(notice, on_event),
            Some("error") => self.error = notice["message"].as_str().map(str::to_owned),
            Some("failed") => self.end = Some(End::Failed),
            Some("panicked") => self.end = Some(End::Panicked),
            Some("interrupted" | "parked") => self.end = Some(End::Interrupted),
            Some("variables") => {
                let names = notice["names"].as_array().into_iter().flatten();
                self.variables = Some(
                    names
                        .filter_map(|n| n.as_str().map(str::to_owned))
                        .collect(),
                );
            }
            _ => {}
        }
    }

    fn take_panic(&mut self, panic: Value, on_event: &mut dyn FnMut(Event)) {
        // A panic on another thread does not end the cell: report it at once.
        match panic["thread"].as_str().filter(|&t| t != "main") {
            Some(thread) => {
                let message = panic["message"].as_str().unwrap_or_default();
                let place = place(&panic).unwrap_or_default();
                let text = format!("thread '{thread}' panicked{place}: {message}\n");
                self.text(StreamName::Stderr, text, on_event);
                self.panic.get_or_insert(panic);
            }
            None => self.panic = Some(panic),
        }
    }
}

/// ` at file:line`, if the notice of a panic says where.
fn place(panic: &Value) -> Option<String> {
    let (file, line) = (panic["file"].as_str()?, panic["line"].as_u64()?);
    Some(format!(" at {file}:{line}"))
}

/// A block's text as notebooks and the wire store it, and a note about it, if any: JSON types
/// hold JSON, all others text. Source: nbformat 4.5's schema.
fn content(mime: &str, text: String) -> (Value, Option<String>) {
    if !json::is_json_mime(mime) {
        return (Value::String(text), None);
    }
    match json::parse(&text) {
        Ok((value, mended)) => {
            let note = mended.to_string();
            (value, (!note.is_empty()).then_some(note))
        }
        Err(error) => {
            let note = format!("not JSON ({error}), so it is kept as text");
            (Value::String(text), Some(note))
        }
    }
}

fn one(mime: &str, content: String) -> MimeBundle {
    MimeBundle::from_iter([(mime.to_owned(), Value::String(content))])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn events(frames: Vec<Frame>) -> (Vec<Event>, Shown) {
        let dir = tempfile::tempdir().unwrap();
        let limiter = Limiter::new(dir.path().to_owned());
        let mut shown = Shown::new(Arc::new(Mutex::new(limiter)));
        let mut events = Vec::new();
        for frame in frames {
            shown.take(frame, &mut |e| events.push(e));
        }
        shown.finish(&mut |e| events.push(e));
        (events, shown)
    }

    #[test]
    fn a_plain_block_at_the_end_is_the_value_and_earlier_ones_are_displays() {
        let block = |t: &str| Frame::Block {
            mime: "text/plain".to_owned(),
            text: t.to_owned(),
        };
        let (events, _) = events(vec![block("1"), block("2"), Frame::Complete]);
        assert!(matches!(&events[0], Event::Display { data, .. } if data["text/plain"] == "1"));
        assert!(
            matches!(&events[1], Event::ExecuteResult { data, .. } if data["text/plain"] == "2")
        );
        assert_eq!(events.len(), 2);
    }

    #[test]
    fn a_block_of_a_json_type_is_json_and_all_others_are_text() {
        let shown = |mime: &str, text: &str| {
            let (events, _) = events(vec![Frame::Block {
                mime: mime.to_owned(),
                text: text.to_owned(),
            }]);
            let mut notes = String::new();
            let mut content = Value::Null;
            for event in events {
                match event {
                    Event::Display { mut data, .. } => content = data[mime].take(),
                    Event::Stream { text, .. } => notes += &text,
                    other => panic!("{other:?}"),
                }
            }
            (content, notes)
        };
        for (mime, text, expected, note) in [
            (
                "application/json",
                "{\"a\": [1, 2.5]}\n",
                json!({"a": [1, 2.5]}),
                "",
            ),
            ("application/json", "\"text\"", json!("text"), ""),
            (
                "application/vnd.vega.v5+json",
                "{\"b\": {}}",
                json!({"b": {}}),
                "",
            ),
            ("application/geo+json", "[\"a\"]", json!(["a"]), ""),
            (
                "application/vnd.plotly.v1+json",
                "{\"y\": [1, NaN]}",
                json!({"y": [1, null]}),
                "(NaN, Infinity), now null",
            ),
            (
                "application/json",
                "{oops",
                json!("{oops"),
                "a display of application/json: not JSON (key must be a string at line 1",
            ),
            ("text/html", "{\"a\": 1}", json!("{\"a\": 1}"), ""),
            ("model/gltf+json", "{\"a\": 1}", json!("{\"a\": 1}"), ""),
        ] {
            let (content, notes) = shown(mime, text);
            assert_eq!(content, expected, "{mime} {text}");
            assert!(notes.contains(note), "{notes}");
            assert_eq!(notes.is_empty(), note.is_empty(), "{notes}");
        }
    }

    #[test]
    fn a_panic_of_another_thread_is_told_at_once() {
        let notice = |thread: &str| Frame::Notice {
            json: format!(
                r#"{{"type":"panic","message":"no","thread":"{thread}","file":"a.rs","line":3}}"#
            ),
        };
        let (told, _) = events(vec![notice("worker")]);
        assert_eq!(
            told,
            [Event::Stream {
                name: StreamName::Stderr,
                text: "thread 'worker' panicked at a.rs:3: no\n".to_owned()
            }]
        );
        let ended = Frame::Notice {
            json: r#"{"type":"panicked"}"#.to_owned(),
        };
        let (told, shown) = events(vec![notice("main"), ended]);
        assert!(told.is_empty() && shown.end == Some(End::Panicked) && shown.panic.is_some());
    }
}
