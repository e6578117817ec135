//! An area that holds outputs, wherever it is shown.

use super::declare::{handle, with_layout};
use crate::error::Result;
use crate::show::Show;
use crate::widgets::model::{Kind, Widget};
use crate::widgets::wire;
use serde_json::{Map, Value, json};
use std::cell::RefCell;
use std::io::Write;

handle!(
    /// An area for outputs, which callbacks fill: what is printed and displayed in
    /// [`Output::capture`], and what [`Output::show`] shows.
    Output
);

impl Output {
    /// An empty area.
    pub fn new() -> Self {
        const MODULE: &str = "@jupyter-widgets/output";
        let kind = Kind {
            module: MODULE,
            version: "1.0.0",
            model: "OutputModel",
            view_module: MODULE,
            view: Some("OutputView"),
        };
        let state = json!({"_dom_classes": [], "msg_id": "", "outputs": []});
        Self(with_layout(Widget::new("Output", kind, state)))
    }

    /// Shows a value in the area, in the place of what it showed.
    ///
    /// # Errors
    /// When the value cannot be rendered.
    pub fn show(&self, value: &dyn Show) -> Result<()> {
        let bundle = value.mime_bundle()?;
        let mut data = Map::new();
        for (mime, content) in bundle.entries() {
            let value = match mime.ends_with("json") {
                true => serde_json::from_str(content)?,
                false => Value::String(content.clone()),
            };
            data.insert(mime.clone(), value);
        }
        let output = json!({"output_type": "display_data", "data": data, "metadata": {}});
        self.0.replace("outputs", Value::Array(vec![output]));
        Ok(())
    }

    /// Empties the area.
    pub fn clear(&self) {
        self.0.replace("outputs", Value::Array(Vec::new()));
    }

    /// Does some work; what it prints and displays on this thread's behalf goes into the area, below
    /// what is there.
    pub fn capture<T>(&self, work: impl FnOnce() -> T) -> T {
        self.0.open();
        let _captured = Captured::begin(self.0.id());
        work()
    }
}

impl Default for Output {
    fn default() -> Self {
        Self::new()
    }
}

thread_local! {
    /// The areas that capture on this thread, one within another.
    static AREAS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// There while outputs are captured, so that a panic ends it, too.
struct Captured(());

impl Captured {
    fn begin(id: &str) -> Self {
        let _ = std::io::stdout().flush();
        AREAS.with_borrow_mut(|areas| areas.push(id.to_owned()));
        wire::capture(Some(id));
        Self(())
    }
}

impl Drop for Captured {
    fn drop(&mut self) {
        let _ = std::io::stdout().flush();
        AREAS.with_borrow_mut(|areas| {
            areas.pop();
            wire::capture(areas.last().map(String::as_str));
        });
    }
}
