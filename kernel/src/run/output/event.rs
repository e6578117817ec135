//! What a running cell shows: one set of events for the Jupyter wire, headless runs and notebooks.
//!
//! Events are plain data, in the order in which the cell made them.
//! Source: the output messages of the Jupyter protocol 5.4, plus progress.

use crate::widgets::{CommEvent, CommFrame};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Representations of one output by MIME type, in their author's order of preference.
pub type MimeBundle = Map<String, Value>;

/// Which of the two standard streams a text was written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StreamName {
    Stdout,
    Stderr,
}

impl StreamName {
    /// `stdout` or `stderr`, as notebooks and messages spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            StreamName::Stdout => "stdout",
            StreamName::Stderr => "stderr",
        }
    }
}

/// One output of a cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// Text as it was written, partial lines included.
    Stream { name: StreamName, text: String },
    /// A display, in its place among the outputs; with an id it can be updated.
    Display {
        data: MimeBundle,
        metadata: MimeBundle,
        display_id: Option<String>,
    },
    /// New content for the displays of this id, wherever they are.
    UpdateDisplay {
        data: MimeBundle,
        metadata: MimeBundle,
        display_id: String,
    },
    /// Removes the cell's outputs: now, or (`wait`) when the next one comes.
    ClearOutput { wait: bool },
    /// The value of the cell's last expression.
    ExecuteResult {
        data: MimeBundle,
        metadata: MimeBundle,
    },
    /// Why the cell failed; at most one per cell, and its last output.
    Error {
        ename: String,
        evalue: String,
        traceback: Vec<String>,
    },
    /// A state of a long loop; shown as one display that updates in place.
    Progress(Progress),
    /// Data that the library has read, with its digest: not shown, but recorded by a run.
    Data { name: String, sha256: String },
    /// A message of a widget; shown by the displays that refer to it.
    Comm(CommEvent),
}

/// One state of a long loop.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// What is being done, for example "train".
    pub label: String,
    /// Units done so far.
    pub done: u64,
    /// Units in all; 0 when unknown.
    pub total: u64,
    /// What a unit is: "step", "batch", "B" for bytes.
    pub unit: String,
    /// Latest figures, for example `("loss", Some(5.12))`; `None` where the value is not finite.
    pub figures: Vec<(String, Option<f64>)>,
    /// Seconds since the loop began.
    pub elapsed: f64,
    /// True for the loop's last state.
    pub finished: bool,
    /// The loop's curves so far, as SVG; `None` where they have not been drawn again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chart: Option<String>,
}

impl Event {
    /// The event that a display frame's JSON encodes: the library writes
    /// `display_data`, `update_display_data`, `clear_output`, `progress`, `data` and the messages of
    /// widgets.
    ///
    /// # Errors
    /// When the text is no JSON, has another type, or lacks a field that its type requires.
    pub fn from_frame(json: &str) -> serde_json::Result<Event> {
        Ok(match serde_json::from_str(json)? {
            Frame::DisplayData(shown) => Event::Display {
                data: shown.data,
                metadata: shown.metadata,
                display_id: shown.transient.display_id,
            },
            Frame::UpdateDisplayData(shown) => match shown.transient.display_id {
                Some(display_id) => Event::UpdateDisplay {
                    data: shown.data,
                    metadata: shown.metadata,
                    display_id,
                },
                None => {
                    return Err(serde::de::Error::custom(
                        "update_display_data without transient.display_id",
                    ));
                }
            },
            Frame::ClearOutput { wait } => Event::ClearOutput { wait },
            Frame::Progress(progress) => Event::Progress(progress),
            Frame::Data { name, sha256 } => Event::Data { name, sha256 },
            Frame::Comm(comm) => {
                Event::Comm(CommEvent::try_from(comm).map_err(serde::de::Error::custom)?)
            }
        })
    }
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Frame {
    DisplayData(Shown),
    UpdateDisplayData(Shown),
    ClearOutput {
        #[serde(default)]
        wait: bool,
    },
    Progress(Progress),
    Data {
        name: String,
        sha256: String,
    },
    #[serde(untagged)]
    Comm(CommFrame),
}

#[derive(Deserialize)]
struct Shown {
    data: MimeBundle,
    #[serde(default)]
    metadata: MimeBundle,
    #[serde(default)]
    transient: Transient,
}

#[derive(Deserialize, Default)]
struct Transient {
    #[serde(default)]
    display_id: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_display_frame_keeps_its_mime_order_and_id() {
        let frame = r#"{"type":"display_data","data":{"text/html":"<b>x</b>","text/plain":"x"},"metadata":{},"transient":{"display_id":"a"}}"#;
        let Event::Display {
            data, display_id, ..
        } = Event::from_frame(frame).unwrap()
        else {
            panic!("not a display");
        };
        assert_eq!(data.keys().collect::<Vec<_>>(), ["text/html", "text/plain"]);
        assert_eq!(display_id.as_deref(), Some("a"));
    }

    #[test]
    fn a_progress_frame_may_have_figures_that_are_not_finite() {
        let frame = r#"{"type":"progress","label":"train","done":3,"total":9,"unit":"step","figures":[["loss",null]],"elapsed":1.5,"finished":false}"#;
        let Event::Progress(progress) = Event::from_frame(frame).unwrap() else {
            panic!("not a progress");
        };
        assert_eq!(progress.figures, [("loss".to_owned(), None)]);
        assert_eq!((progress.done, progress.total), (3, 9));
    }

    #[test]
    fn an_update_without_an_id_is_refused() {
        let frame = r#"{"type":"update_display_data","data":{},"metadata":{}}"#;
        assert!(Event::from_frame(frame).is_err());
    }
}
