//! What the views share: the text that stands before each, requests and their answers, static forms.

use crate::error::Result;
use crate::show::{MimeBundle, Show};
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

/// A view that computes what its state asks for.
pub(super) trait Answers: Clone + Send + Sync + 'static {
    fn view(&self) -> &AnyWidget;

    /// The state that answers what the view's state asks for.
    fn answer(&self) -> Result<Fields>;

    /// Answers without a reader who has asked.
    fn fill(&self) -> Result<()> {
        self.view().set_all(self.answer()?);
        Ok(())
    }

    /// Answers each request from now on, with what was computed or with the error, in one message.
    fn listen(&self) {
        let it = self.clone();
        self.view().observe_key("request", move |request: &Value| {
            let (mut fields, error) = match it.answer() {
                Ok(fields) => (fields, Value::Null),
                Err(error) => (Vec::new(), error.to_string().into()),
            };
            fields.extend([
                ("error", error.into()),
                ("answered", request.clone().into()),
            ]);
            it.view().set_all(fields);
        });
    }
}

/// The view, beside the form of what it shows for programs that show no widgets.
pub(super) fn with_static_form(view: &AnyWidget, form: &impl Show) -> Result<MimeBundle> {
    let form = form.mime_bundle()?;
    let mut bundle = view.widget().mime_bundle()?;
    for (mime, content) in form.entries() {
        bundle = bundle.with(mime, content);
    }
    Ok(bundle)
}

/// A view's name as its text, which is all that can be said of it in one line.
macro_rules! named_view {
    ($type:ident) => {
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str(concat!(stringify!($type), "()"))
            }
        }

        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }

        $crate::show::shows_itself!($type);
    };
}
pub(super) use named_view;
