//! The text of the views: what they share stands before each.

use crate::error::Result;
use crate::widgets::{AnyWidget, Field};
use serde_json::Value;

const SHARED_JS: &str = include_str!("shared.js");
const SHARED_CSS: &str = include_str!("shared.css");

/// A widget with this view.
pub(super) fn view(name: &'static str, esm: &str, css: &str) -> AnyWidget {
    AnyWidget::named(name, &format!("{SHARED_JS}\n{esm}"))
        .css(&format!("{SHARED_CSS}\n{css}"))
        .with("dead", false)
        .with("error", Value::Null)
        .with("request", 0)
        .with("answered", 0)
}

/// Values of a view's state.
pub(super) type Fields = Vec<(&'static str, Field)>;

/// Answers a view's request, with what was computed or with the error, in one message.
pub(super) fn reply(view: &AnyWidget, request: &Value, computed: Result<Fields>) {
    let (mut fields, error) = match computed {
        Ok(fields) => (fields, Value::Null),
        Err(error) => (Vec::new(), error.to_string().into()),
    };
    fields.extend([
        ("error", error.into()),
        ("answered", request.clone().into()),
    ]);
    view.set_all(fields);
}
