//! The kernel's copy of all models' states: frontends that connect later request it, even while a
//! cell runs, and notebooks store it.

use super::TARGET;
use super::message::{CommEvent, CommKind, CommMessage};
use crate::run::output::event::Event;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The message on a widget whose process has ended.
const DEAD: &str = "This widget belongs to a session that has ended. Run its cell again.";

/// The open models.
#[derive(Debug, Default)]
pub struct Models {
    open: BTreeMap<String, Model>,
    /// The output area that outputs go into.
    capture: Option<String>,
    /// The output area outside of the running callback.
    outside: Option<String>,
}

#[derive(Debug, Default)]
struct Model {
    state: Map<String, Value>,
    /// Binary values, by their paths in the state.
    buffers: BTreeMap<Vec<String>, Vec<u8>>,
}

impl Models {
    /// Handles an event; returns the events for frontends: comm events, and other events that no
    /// output area has captured.
    pub fn pass(&mut self, event: Event) -> Vec<Event> {
        match event {
            Event::Comm(comm) => self.comm(comm).into_iter().map(Event::Comm).collect(),
            other => match self.capture.clone() {
                Some(area) => self.captured(&area, other),
                None => vec![other],
            },
        }
    }

    fn comm(&mut self, event: CommEvent) -> Vec<CommEvent> {
        match &event {
            CommEvent::Message(message) => self.apply(message),
            CommEvent::Capture { comm_id } => self.capture.clone_from(comm_id),
            // Output of a callback does not belong to the area of the cell in which it runs; a
            // panic may have left an area open.
            CommEvent::Begin { .. } => self.outside = self.capture.take(),
            CommEvent::End { .. } => self.capture = self.outside.take(),
            CommEvent::Known { ids } => {
                let mut events = self.retain(ids);
                events.push(event);
                return events;
            }
        }
        vec![event]
    }

    /// Applies a message of either side to the states.
    pub fn apply(&mut self, message: &CommMessage) {
        match message.kind {
            CommKind::Open if message.target_name == TARGET => {
                let mut model = Model::default();
                model.update(message);
                self.open.insert(message.comm_id.clone(), model);
            }
            CommKind::Open => {}
            CommKind::Close => {
                self.open.remove(&message.comm_id);
            }
            CommKind::Message => {
                let method = message.data["method"].as_str();
                if let (Some("update" | "echo_update"), Some(model)) =
                    (method, self.open.get_mut(&message.comm_id))
                {
                    model.update(message);
                }
            }
        }
    }

    /// Whether a model is open.
    pub fn has(&self, comm_id: &str) -> bool {
        self.open.contains_key(comm_id)
    }

    /// The open comms, as `comm_info_reply` lists them.
    pub fn info(&self) -> Map<String, Value> {
        let ids = self.open.keys();
        ids.map(|id| (id.clone(), json!({"target_name": TARGET})))
            .collect()
    }

    /// All states, as the answer to `request_states`; the buffers in the order of their paths.
    pub fn states(&self) -> (Value, Vec<Vec<u8>>) {
        let (mut states, mut paths, mut buffers) = (Map::new(), Vec::new(), Vec::new());
        for (id, model) in &self.open {
            states.insert(id.clone(), model.described());
            for (path, bytes) in &model.buffers {
                let whole = [id.as_str(), "state"].into_iter();
                let whole: Vec<&str> = whole.chain(path.iter().map(String::as_str)).collect();
                paths.push(json!(whole));
                buffers.push(bytes.clone());
            }
        }
        let data = json!({"method": "update_states", "states": states, "buffer_paths": paths});
        (data, buffers)
    }

    /// The state of one model, as the answer to `request_state`.
    pub fn state(&self, comm_id: &str) -> Option<CommMessage> {
        let model = self.open.get(comm_id)?;
        let mut message = CommMessage::update(comm_id, model.state.clone());
        let paths = model.buffers.keys().map(|path| json!(path));
        message.data["buffer_paths"] = paths.collect();
        message.buffers = model.buffers.values().cloned().collect();
        Some(message)
    }

    /// The states as stored in a notebook; `None` if there are no widgets.
    pub fn saved(&self) -> Option<Value> {
        if self.open.is_empty() {
            return None;
        }
        let mut states = Map::new();
        for (id, model) in &self.open {
            let mut state = model.described();
            if !model.buffers.is_empty() {
                let buffers = model.buffers.iter().map(|(path, bytes)| {
                    json!({"data": STANDARD.encode(bytes), "encoding": "base64", "path": path})
                });
                state["buffers"] = buffers.collect();
            }
            states.insert(id.clone(), state);
        }
        Some(json!({"state": states, "version_major": 2, "version_minor": 0}))
    }

    /// Removes the models that are not among `ids`, and notifies their views.
    fn retain(&mut self, ids: &[String]) -> Vec<CommEvent> {
        let alive: BTreeSet<&String> = ids.iter().collect();
        let dead = self.open.extract_if(.., |id, _| !alive.contains(id));
        let told = dead.filter_map(|(id, model)| {
            Some(CommEvent::Message(CommMessage::update(
                &id,
                model.farewell()?,
            )))
        });
        let told = told.collect();
        (self.capture, self.outside) = (None, None);
        told
    }

    /// Adds an output to an area; returns the area's new state.
    fn captured(&mut self, area: &str, event: Event) -> Vec<Event> {
        let Some(model) = self.open.get_mut(area) else {
            return vec![event];
        };
        let outputs = model.state.get("outputs").and_then(Value::as_array);
        let mut outputs = outputs.cloned().unwrap_or_default();
        match event {
            Event::Stream { name, text } => append(&mut outputs, name.as_str(), &text),
            Event::Display { data, metadata, .. } | Event::ExecuteResult { data, metadata } => {
                outputs.push(json!({
                    "output_type": "display_data", "data": data, "metadata": metadata,
                }));
            }
            Event::ClearOutput { .. } => outputs.clear(),
            other => return vec![other],
        }
        let state = Map::from_iter([("outputs".to_owned(), Value::Array(outputs))]);
        let message = CommMessage::update(area, state);
        model.update(&message);
        vec![Event::Comm(CommEvent::Message(message))]
    }
}

/// Adds text to the last output if it is of the same stream, otherwise as a new output.
fn append(outputs: &mut Vec<Value>, name: &str, text: &str) {
    match outputs.last_mut() {
        Some(last) if last["output_type"] == "stream" && last["name"] == name => {
            let before = last["text"].as_str().unwrap_or_default();
            last["text"] = format!("{before}{text}").into();
        }
        _ => outputs.push(json!({"output_type": "stream", "name": name, "text": text})),
    }
}

impl Model {
    fn update(&mut self, message: &CommMessage) {
        let opens = message.kind == CommKind::Open;
        for (key, value) in message.data["state"].as_object().into_iter().flatten() {
            // The class of a model does not change.
            if !opens && key.starts_with("_model_") {
                continue;
            }
            self.buffers.retain(|path, _| path.first() != Some(key));
            self.state.insert(key.clone(), value.clone());
        }
        let paths = message.data["buffer_paths"].as_array();
        for (path, bytes) in paths.into_iter().flatten().zip(&message.buffers) {
            let steps = path.as_array().into_iter().flatten();
            let path: Vec<String> = steps
                .map(|step| {
                    step.as_str()
                        .map_or_else(|| step.to_string(), str::to_owned)
                })
                .collect();
            if let [key] = path.as_slice() {
                self.state.remove(key);
            }
            self.buffers.insert(path, bytes.clone());
        }
    }

    /// The state, with the location of its classes.
    fn described(&self) -> Value {
        let class = |key: &str| self.state.get(key).cloned().unwrap_or_default();
        json!({
            "model_module": class("_model_module"),
            "model_module_version": class("_model_module_version"),
            "model_name": class("_model_name"),
            "state": self.state,
        })
    }

    /// The update for the views of a model whose process has ended: our own support the key `dead`;
    /// controls are disabled, with a tooltip.
    fn farewell(&self) -> Option<Map<String, Value>> {
        if self.state.contains_key("dead") {
            return Some(Map::from_iter([("dead".to_owned(), true.into())]));
        }
        self.state.contains_key("disabled").then(|| {
            Map::from_iter([
                ("disabled".to_owned(), true.into()),
                ("tooltip".to_owned(), DEAD.into()),
            ])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::output::event::StreamName;

    fn opened(id: &str, state: Value) -> Event {
        Event::Comm(CommEvent::Message(CommMessage {
            kind: CommKind::Open,
            comm_id: id.to_owned(),
            target_name: TARGET.to_owned(),
            data: json!({"state": state, "buffer_paths": [["values"]]}),
            metadata: Map::new(),
            buffers: vec![vec![1, 2, 3]],
            request: None,
        }))
    }

    fn text(text: &str) -> Event {
        Event::Stream {
            name: StreamName::Stdout,
            text: text.to_owned(),
        }
    }

    #[test]
    fn states_and_buffers_are_kept_for_later_frontends_and_for_the_notebook() {
        let mut models = Models::default();
        models.pass(opened(
            "a",
            json!({"_model_name": "IntSliderModel", "value": 3}),
        ));
        models.apply(&CommMessage::update(
            "a",
            Map::from_iter([("value".to_owned(), 5.into())]),
        ));
        let (states, buffers) = models.states();
        assert_eq!(states["states"]["a"]["model_name"], "IntSliderModel");
        assert_eq!(states["states"]["a"]["state"]["value"], 5);
        assert_eq!(states["buffer_paths"], json!([["a", "state", "values"]]));
        assert_eq!(buffers, [vec![1, 2, 3]]);
        let saved = models.saved().unwrap();
        assert_eq!(
            saved["state"]["a"]["buffers"],
            json!([{"data": "AQID", "encoding": "base64", "path": ["values"]}])
        );
        assert_eq!(Models::default().saved(), None);
    }

    #[test]
    fn an_output_area_takes_what_is_shown_while_it_captures() {
        let mut models = Models::default();
        models.pass(opened("area", json!({"outputs": []})));
        let capture = |comm_id: Option<&str>| {
            let comm_id = comm_id.map(str::to_owned);
            Event::Comm(CommEvent::Capture { comm_id })
        };
        models.pass(capture(Some("area")));
        models.pass(text("one\n"));
        let shown = models.pass(text("two\n"));
        let [Event::Comm(CommEvent::Message(message))] = shown.as_slice() else {
            panic!("{shown:?}");
        };
        assert_eq!(
            message.data["state"]["outputs"],
            json!([{"output_type": "stream", "name": "stdout", "text": "one\ntwo\n"}])
        );
        models.pass(capture(None));
        assert_eq!(models.pass(text("out")), [text("out")]);
    }

    #[test]
    fn controls_of_an_ended_process_are_disabled_and_say_why() {
        let mut models = Models::default();
        models.pass(opened("old", json!({"disabled": false})));
        models.pass(opened("view", json!({"dead": false})));
        models.pass(opened("kept", json!({"disabled": false})));
        let ids = vec!["kept".to_owned()];
        let told = models.pass(Event::Comm(CommEvent::Known { ids }));
        let states: Vec<Value> = told
            .iter()
            .filter_map(|event| match event {
                Event::Comm(CommEvent::Message(m)) => Some(m.data["state"].clone()),
                _ => None,
            })
            .collect();
        assert_eq!(
            states,
            [
                json!({"disabled": true, "tooltip": DEAD}),
                json!({"dead": true})
            ]
        );
        assert!(models.has("kept") && !models.has("old"));
    }
}
