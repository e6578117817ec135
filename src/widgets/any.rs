//! Widgets with views of their own: anywidget's models.

use super::controls::with_layout;
use super::field::Field;
use super::model::{Kind, Widget};
use crate::show::shows_itself;
use serde_json::json;
use std::fmt;
use std::ops::Deref;

/// A widget whose view is a JavaScript module: anywidget's `export default { render({ model, el }) }`.
///
/// ```no_run
/// use holoscope::widgets::AnyWidget;
/// let counter = AnyWidget::new(
///     "export default { render({ model, el }) {
///        const button = document.createElement('button');
///        const show = () => { button.textContent = `pressed ${model.get('count')} times`; };
///        button.onclick = () => { model.set('count', model.get('count') + 1); model.save_changes(); };
///        model.on('change:count', show);
///        show();
///        el.append(button);
///      } }",
/// )
/// .with("count", 0);
/// counter.observe_key("count", |count| println!("{count}"));
/// ```
///
/// Frontends need anywidget's extension: `pip install anywidget` beside JupyterLab; VS Code has it
/// from its own source. Source: anywidget 0.11, <https://anywidget.dev/en/afm/>.
#[derive(Clone, Debug)]
pub struct AnyWidget(Widget);

impl AnyWidget {
    /// A widget whose view is this module's text.
    pub fn new(esm: &str) -> Self {
        Self::named("AnyWidget", esm)
    }

    /// The same under the name that Rust shows it by.
    pub(crate) fn named(name: &'static str, esm: &str) -> Self {
        const MODULE: &str = "anywidget";
        let kind = Kind {
            module: MODULE,
            version: "~0.11.*",
            model: "AnyModel",
            view_module: MODULE,
            view: Some("AnyView"),
        };
        let state = json!({
            "_anywidget_id": format!("holoscope.{name}"),
            "_css": "",
            "_dom_classes": [],
            "_esm": esm,
        });
        Self(with_layout(Widget::new(name, kind, state)))
    }

    /// This widget with a style sheet.
    #[must_use]
    pub fn css(self, text: &str) -> Self {
        self.0.set("_css", text);
        self
    }

    /// This widget with a value in its state.
    #[must_use]
    pub fn with(self, key: &str, value: impl Into<Field>) -> Self {
        self.0.set(key, value);
        self
    }

    /// The widget behind the handle, as containers take it.
    pub fn widget(&self) -> Widget {
        self.0.clone()
    }
}

impl Deref for AnyWidget {
    type Target = Widget;

    fn deref(&self) -> &Widget {
        &self.0
    }
}

impl From<AnyWidget> for Widget {
    fn from(handle: AnyWidget) -> Self {
        handle.0
    }
}

impl fmt::Display for AnyWidget {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.0.fmt(f)
    }
}

shows_itself!(AnyWidget, |it| it.0);
