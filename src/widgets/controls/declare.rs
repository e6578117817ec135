//! What every control shares: its model's classes, layout, style, and the methods of its handle.

use crate::widgets::model::{Kind, Widget};
use serde_json::{Map, Value, json};

const BASE: &str = "@jupyter-widgets/base";
const CONTROLS: &str = "@jupyter-widgets/controls";
/// The protocol version of both modules.
const VERSION: &str = "2.0.0";

/// A model of `@jupyter-widgets/controls`; `style` is its style's model, if it has one, and that
/// model's keys beside `description_width`.
pub(super) fn control(
    name: &'static str,
    model: &'static str,
    view: &'static str,
    style: Option<Style>,
    state: Value,
) -> Widget {
    let kind = Kind {
        module: CONTROLS,
        version: VERSION,
        model,
        view_module: CONTROLS,
        view: Some(view),
    };
    let widget = with_layout(Widget::new(name, kind, json!({"_dom_classes": []})));
    if let Some(style) = style {
        widget.set_parts("style", &[style.model()], false);
    }
    for (key, value) in state.as_object().into_iter().flatten() {
        widget.set(key, value.clone());
    }
    widget
}

/// Gives a model of the DOM its layout, and the keys that all of them have.
pub(in crate::widgets) fn with_layout(widget: Widget) -> Widget {
    widget.set_parts("layout", &[layout()], false);
    widget.set("tabbable", Value::Null);
    widget.set("tooltip", Value::Null);
    widget
}

fn layout() -> Widget {
    const KEYS: &str = "align_content align_items align_self border_bottom border_left \
        border_right border_top bottom display flex flex_flow grid_area grid_auto_columns \
        grid_auto_flow grid_auto_rows grid_column grid_gap grid_row grid_template_areas \
        grid_template_columns grid_template_rows height justify_content justify_items left margin \
        max_height max_width min_height min_width object_fit object_position order overflow \
        padding right top visibility width";
    let kind = Kind {
        module: BASE,
        version: VERSION,
        model: "LayoutModel",
        view_module: BASE,
        view: Some("LayoutView"),
    };
    let nothing = KEYS
        .split_whitespace()
        .map(|key| (key.to_owned(), Value::Null));
    Widget::new("Layout", kind, Value::Object(nothing.collect()))
}

/// A style model: its name, and its keys with their defaults.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    pub model: &'static str,
    /// Keys whose default is an empty text.
    pub texts: &'static [&'static str],
    /// Keys whose default is null.
    pub nulls: &'static [&'static str],
}

pub(super) const DESCRIPTION: Style = Style {
    model: "DescriptionStyleModel",
    texts: &["description_width"],
    nulls: &[],
};

impl Style {
    fn model(self) -> Widget {
        let kind = Kind {
            module: CONTROLS,
            version: VERSION,
            model: self.model,
            view_module: BASE,
            view: Some("StyleView"),
        };
        let texts = self.texts.iter().map(|key| (*key, Value::from("")));
        let nulls = self.nulls.iter().map(|key| (*key, Value::Null));
        let state: Map<String, Value> = texts
            .chain(nulls)
            .map(|(key, value)| (key.to_owned(), value))
            .collect();
        Widget::new("Style", kind, Value::Object(state))
    }
}

/// Keys of the controls that have a description.
pub(super) fn described() -> Map<String, Value> {
    let state = json!({"description": "", "description_allow_html": false});
    state.as_object().cloned().unwrap_or_default()
}

/// `first` with the keys of `second`.
pub(super) fn joined(mut first: Map<String, Value>, second: Value) -> Value {
    if let Value::Object(second) = second {
        first.extend(second);
    }
    Value::Object(first)
}

/// Writes the handle of a widget: the type, [`Widget`]'s methods by `Deref`, and how it is shown.
macro_rules! handle {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name($crate::widgets::Widget);

        $crate::widgets::controls::declare::handle_methods!($name);
    };
}

/// The methods that every handle has.
macro_rules! handle_methods {
    ($name:ident) => {
        impl $name {
            /// The widget behind the handle, as containers take it.
            pub fn widget(&self) -> $crate::widgets::Widget {
                self.0.clone()
            }

            /// The width, as CSS has it: `"40%"`, `"300px"`.
            #[must_use]
            pub fn width(self, css: &str) -> Self {
                self.0.set_layout("width", css);
                self
            }
        }

        impl std::ops::Deref for $name {
            type Target = $crate::widgets::Widget;

            fn deref(&self) -> &$crate::widgets::Widget {
                &self.0
            }
        }

        impl From<$name> for $crate::widgets::Widget {
            fn from(handle: $name) -> Self {
                handle.0
            }
        }

        impl From<&$name> for $crate::widgets::Widget {
            fn from(handle: &$name) -> Self {
                handle.0.clone()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        $crate::show::shows_itself!($name, |it| it.0);
    };
}

/// The methods of a control that has a value of one type under the key `value`.
macro_rules! has_value {
    ($name:ident: $type:ty) => {
        impl $name {
            /// This control with another value to begin with.
            #[must_use]
            pub fn with_value(self, value: $type) -> Self {
                self.set_value(value);
                self
            }

            /// The value of now.
            pub fn value(&self) -> $type {
                let json = self.0.get("value");
                // Only values of this type are ever put there.
                $crate::widgets::field::ControlValue::from_json(&json).unwrap_or_default()
            }

            /// Sets the value, in every view.
            pub fn set_value(&self, value: $type) {
                let json = $crate::widgets::field::ControlValue::to_json(&value);
                self.0.set_checked("value", json);
            }

            /// Calls `callback` with the value whenever it changes, by a reader's hand or by
            /// `set_value`. An error or a panic of it is shown under the control.
            pub fn observe<R: $crate::widgets::CallbackResult>(
                &self,
                mut callback: impl FnMut($type) -> R + Send + 'static,
            ) -> &Self {
                self.0.observe_key("value", move |json| {
                    let value = $crate::widgets::field::ControlValue::from_json(json);
                    value
                        .map(|value| callback(value).error())
                        .flatten()
                        .map_or(Ok(()), Err)
                });
                self
            }
        }

        impl $crate::widgets::Control for $name {
            type Value = $type;

            fn control(&self) -> $crate::widgets::Widget {
                self.0.clone()
            }

            fn current(&self) -> $type {
                self.value()
            }
        }
    };
}

/// The methods of a control with a description.
macro_rules! has_description {
    ($name:ident) => {
        impl $name {
            /// What stands beside the control; also its name for screen readers.
            #[must_use]
            pub fn description(self, text: &str) -> Self {
                self.0.set("description", text);
                self
            }

            /// The text that a pointer over the control shows.
            #[must_use]
            pub fn tooltip(self, text: &str) -> Self {
                self.0.set("tooltip", text);
                self
            }

            /// Whether readers cannot change the control.
            #[must_use]
            pub fn disabled(self, disabled: bool) -> Self {
                self.0.set("disabled", disabled);
                self
            }
        }
    };
}

pub(super) use {handle, handle_methods, has_description, has_value};
