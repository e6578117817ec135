//! Values of two widgets that the frontends keep the same, without this process.

use super::model::{Kind, Widget};
use serde_json::json;

/// A link between two values; lives until it is closed.
#[derive(Clone, Debug)]
pub struct Link(Widget);

impl Link {
    fn new(model: &'static str, source: (&Widget, &str), target: (&Widget, &str)) -> Self {
        const CONTROLS: &str = "@jupyter-widgets/controls";
        let kind = Kind {
            module: CONTROLS,
            version: "2.0.0",
            model,
            view_module: CONTROLS,
            view: None,
        };
        source.0.open();
        target.0.open();
        let end = |(widget, key): (&Widget, &str)| json!([widget.reference(), key]);
        let state = json!({"source": end(source), "target": end(target)});
        let widget = Widget::new("Link", kind, state);
        widget.open();
        Self(widget)
    }

    /// Ends the link.
    pub fn unlink(&self) {
        self.0.close();
    }
}

/// Keeps two values the same, in both directions, in the frontends: it works without a kernel, too.
///
/// ```no_run
/// use holoscope::widgets::*;
/// let (slider, field) = (IntSlider::new(0..=9), BoundedIntText::new(0..=9));
/// jslink((&slider, "value"), (&field, "value"));
/// ```
pub fn jslink(one: (&Widget, &str), other: (&Widget, &str)) -> Link {
    Link::new("LinkModel", one, other)
}

/// The same in one direction: `target` follows `source`.
pub fn jsdlink(source: (&Widget, &str), target: (&Widget, &str)) -> Link {
    Link::new("DirectionalLinkModel", source, target)
}
