//! Converts a cell's output to messages.
//!
//! A loop's progress becomes one display that later states update in place.

use serde_json::{Value, json};

use crate::report::progress;
use crate::run::output::event::{Event, Progress};

/// Converts events to messages; tracks the displays of running loops.
#[derive(Debug, Default)]
pub struct Outputs {
    loops: Vec<Loop>,
}

/// A loop that has begun and not ended.
#[derive(Debug)]
struct Loop {
    /// The id of the request whose cell the loop runs in.
    owner: Option<String>,
    display_id: String,
    /// Its last state, with its last chart.
    state: Progress,
}

impl Outputs {
    /// The type and content of the message for an event of the cell that `owner` requested.
    pub fn message(
        &mut self,
        owner: Option<&str>,
        event: Event,
        count: u32,
    ) -> (&'static str, Value) {
        match event {
            Event::Stream { name, text } => {
                ("stream", json!({"name": name.as_str(), "text": text}))
            }
            Event::Display {
                data,
                metadata,
                display_id,
            } => {
                let transient = match display_id {
                    Some(id) => json!({"display_id": id}),
                    None => json!({}),
                };
                (
                    "display_data",
                    json!({"data": data, "metadata": metadata, "transient": transient}),
                )
            }
            Event::UpdateDisplay {
                data,
                metadata,
                display_id,
            } => (
                "update_display_data",
                json!({"data": data, "metadata": metadata, "transient": {"display_id": display_id}}),
            ),
            Event::ClearOutput { wait } => ("clear_output", json!({"wait": wait})),
            Event::ExecuteResult { data, metadata } => (
                "execute_result",
                json!({"execution_count": count, "data": data, "metadata": metadata}),
            ),
            Event::Error {
                ename,
                evalue,
                traceback,
            } => (
                "error",
                json!({"ename": ename, "evalue": evalue, "traceback": traceback}),
            ),
            Event::Progress(progress) => self.progress(owner, progress),
            // The publisher passes none on; a client ignores an empty text.
            Event::Data { .. } | Event::Comm(_) => {
                ("stream", json!({"name": "stdout", "text": ""}))
            }
        }
    }

    /// The cell is over: closes its loops that did not end (a `?` left them, for example).
    pub fn close(&mut self, owner: Option<&str>) -> Vec<(&'static str, Value)> {
        let (over, go_on) = std::mem::take(&mut self.loops)
            .into_iter()
            .partition(|l| l.owner.as_deref() == owner);
        self.loops = go_on;
        let over: Vec<Loop> = over;
        over.into_iter()
            .map(|mut l| {
                l.state.finished = true;
                shown(&l.state, "update_display_data", &l.display_id)
            })
            .collect()
    }

    fn progress(&mut self, owner: Option<&str>, mut progress: Progress) -> (&'static str, Value) {
        // Loops of cells that ended without a last state are over, too.
        self.loops.retain(|l| l.owner.as_deref() == owner);
        let known = self
            .loops
            .iter_mut()
            .find(|l| l.state.label == progress.label);
        let (msg_type, display_id) = match known {
            Some(known) => {
                // A state without a chart keeps the last one.
                if progress.chart.is_none() {
                    progress.chart = known.state.chart.take();
                }
                known.state = progress.clone();
                ("update_display_data", known.display_id.clone())
            }
            None => {
                let display_id = format!("progress-{}", uuid::Uuid::new_v4());
                self.loops.push(Loop {
                    owner: owner.map(str::to_owned),
                    display_id: display_id.clone(),
                    state: progress.clone(),
                });
                ("display_data", display_id)
            }
        };
        if progress.finished {
            self.loops.retain(|l| l.display_id != display_id);
        }
        shown(&progress, msg_type, &display_id)
    }
}

fn shown(progress: &Progress, msg_type: &'static str, display_id: &str) -> (&'static str, Value) {
    let content = json!({
        "data": progress::render(progress),
        "metadata": {},
        "transient": {"display_id": display_id},
    });
    (msg_type, content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tick(label: &str, finished: bool) -> Event {
        Event::Progress(Progress {
            label: label.to_owned(),
            finished,
            ..Progress::default()
        })
    }

    #[test]
    fn each_loop_is_one_display_until_it_ends() {
        let mut outputs = Outputs::default();
        let mut show = |label, finished| {
            let (msg_type, content) = outputs.message(Some("cell"), tick(label, finished), 1);
            let id = content["transient"]["display_id"].to_string();
            (msg_type, id)
        };
        let (first, train) = show("train", false);
        let (other, evaluate) = show("evaluate", false);
        assert_eq!((first, other), ("display_data", "display_data"));
        assert_ne!(train, evaluate);
        assert_eq!(show("train", false), ("update_display_data", train.clone()));
        assert_eq!(show("train", true), ("update_display_data", train.clone()));
        let (again, new) = show("train", false);
        assert_eq!(again, "display_data");
        assert_ne!(new, train);
    }

    #[test]
    fn a_loop_that_its_cell_left_is_closed_with_one_line_and_no_chart() {
        let mut outputs = Outputs::default();
        let state = |done, chart: Option<&str>| {
            Event::Progress(Progress {
                label: "train".to_owned(),
                done,
                total: 9,
                chart: chart.map(str::to_owned),
                ..Progress::default()
            })
        };
        let html = |content: &Value| content["data"]["text/html"].to_string();
        outputs.message(Some("cell"), state(1, Some("<svg/>")), 1);
        let (_, second) = outputs.message(Some("cell"), state(2, None), 1);
        assert!(html(&second).contains("<svg/>"), "the chart stays");
        assert_eq!(outputs.close(Some("other")), []);
        let closed = outputs.close(Some("cell"));
        assert_eq!(closed.len(), 1);
        assert_eq!(closed[0].1["transient"], second["transient"]);
        assert!(html(&closed[0].1).contains("stopped at 2/9"));
        assert!(!html(&closed[0].1).contains("<svg/>"));
        assert_eq!(outputs.close(Some("cell")), []);
    }

    #[test]
    fn a_loop_that_was_cut_off_is_not_continued_by_the_next_cell() {
        let mut outputs = Outputs::default();
        outputs.message(Some("one"), tick("train", false), 1);
        let (msg_type, _) = outputs.message(Some("two"), tick("train", false), 2);
        assert_eq!(msg_type, "display_data");
    }
}
