//! Output of commands.

use super::state::Io;
use crate::run::output::event::{Event, MimeBundle};
use evcxr::EvalOutputs;
use serde_json::Value;

/// A display of text.
pub(super) fn text_event(text: String) -> Event {
    let data = MimeBundle::from_iter([("text/plain".to_owned(), Value::String(text))]);
    Event::Display {
        data,
        metadata: MimeBundle::new(),
        display_id: None,
    }
}

/// Shows the output of evcxr.
pub(super) fn show(outputs: &EvalOutputs, io: &mut Io<'_>) {
    if outputs.content_by_mime_type.is_empty() {
        return;
    }
    let data = outputs
        .content_by_mime_type
        .iter()
        .map(|(mime, content)| (mime.clone(), Value::String(content.clone())))
        .collect();
    (io.events)(Event::Display {
        data,
        metadata: MimeBundle::new(),
        display_id: None,
    });
}
