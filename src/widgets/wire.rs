//! What a model sends: the comm messages of the widget protocol, as framed lines.
//!
//! The kernel turns each line into the message of its name, decodes the buffers, and gives it the
//! request as its parent that is being answered.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::show::{send_frame, under_holoscope};

/// The protocol's version; its major number must be the frontend's.
const PROTOCOL: &str = "2.1.0";

thread_local! {
    /// The id of the frontend's message that this thread is answering.
    static REQUEST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Names the message that is answered from here on, on this thread.
pub(super) fn answering(request: Option<&str>) {
    REQUEST.with_borrow_mut(|current| *current = request.map(str::to_owned));
}

/// The state of a model, or a part of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Patch {
    pub state: Map<String, Value>,
    pub buffers: BTreeMap<String, Vec<u8>>,
}

impl Patch {
    pub fn is_empty(&self) -> bool {
        self.state.is_empty() && self.buffers.is_empty()
    }

    /// `state` and `buffer_paths`, to which a method may be added.
    fn data(&self) -> Map<String, Value> {
        let paths: Vec<Value> = self.buffers.keys().map(|key| json!([key])).collect();
        Map::from_iter([
            ("state".to_owned(), Value::Object(self.state.clone())),
            ("buffer_paths".to_owned(), Value::Array(paths)),
        ])
    }
}

/// Opens a model's comm.
pub(super) fn open(id: &str, patch: &Patch) {
    send(json!({
        "type": "comm_open",
        "comm_id": id,
        "target_name": "jupyter.widget",
        "data": patch.data(),
        "metadata": {"version": PROTOCOL},
        "buffers": encoded(patch.buffers.values()),
    }));
}

/// Sends a part of a model's state; `method` is `update` or `echo_update`.
pub(super) fn update(id: &str, method: &str, patch: &Patch) {
    let mut data = Map::from_iter([("method".to_owned(), Value::from(method))]);
    data.extend(patch.data());
    message(id, Value::Object(data), &encoded(patch.buffers.values()));
}

/// Sends the views a message of their own kind.
pub(super) fn custom(id: &str, content: &Value, buffers: &[Vec<u8>]) {
    let data = json!({"method": "custom", "content": content});
    message(id, data, &encoded(buffers));
}

/// Closes a model's comm: its views go away.
pub(super) fn close(id: &str) {
    send(json!({"type": "comm_close", "comm_id": id, "data": {}}));
}

/// From here to [`end`] everything shown belongs to the callbacks of the widget `id`.
pub(super) fn begin(request: &str, id: &str) {
    send(json!({"type": "comm_begin", "request": request, "comm_id": id}));
}

/// These messages of the frontends have been answered.
pub(super) fn end(requests: &[String]) {
    send(json!({"type": "comm_end", "requests": requests}));
}

/// From here on outputs go into the model `id`, or no longer into any.
pub(super) fn capture(id: Option<&str>) {
    send(json!({"type": "comm_capture", "comm_id": id}));
}

/// These models are there; all others are not any more.
pub(super) fn known(ids: &[String]) {
    send(json!({"type": "comm_known", "ids": ids}));
}

/// Bytes of a frontend's message.
pub(super) fn decoded(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

fn message(id: &str, data: Value, buffers: &[String]) {
    send(json!({"type": "comm_msg", "comm_id": id, "data": data, "buffers": buffers}));
}

fn encoded<'a>(buffers: impl IntoIterator<Item = &'a Vec<u8>>) -> Vec<String> {
    buffers.into_iter().map(|b| STANDARD.encode(b)).collect()
}

fn send(mut frame: Value) {
    if !under_holoscope() {
        return;
    }
    REQUEST.with_borrow(|request| {
        if let Some(request) = request
            && frame.get("request").is_none()
        {
            frame["request"] = request.as_str().into();
        }
    });
    // A closed stdout is the reader's business: there is no frontend any more.
    let _ = send_frame(&frame);
}
