//! Controls that choose one of several options.

use super::declare::{DESCRIPTION, Style, control, described, joined};
use crate::error::Result;
use crate::show::{MimeBundle, Show, shows_itself};
use crate::widgets::{CallbackResult, Control, Widget};
use serde_json::{Map, Value, json};
use std::sync::Arc;

const SLIDER: Style = Style {
    model: "SliderStyleModel",
    texts: &["description_width"],
    nulls: &["handle_color"],
};

const TOGGLES: Style = Style {
    model: "ToggleButtonsStyleModel",
    texts: &["button_width", "description_width", "font_weight"],
    nulls: &[],
};

/// What can be chosen from: texts, or pairs of a text and the value that it stands for.
pub trait IntoOptions<T> {
    /// The options, in order.
    fn into_options(self) -> Vec<(String, T)>;
}

fn texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<(String, String)> {
    let texts = texts.into_iter();
    texts.map(|t| (t.to_owned(), t.to_owned())).collect()
}

impl<const N: usize> IntoOptions<String> for [&str; N] {
    fn into_options(self) -> Vec<(String, String)> {
        texts(self)
    }
}

impl IntoOptions<String> for &[&str] {
    fn into_options(self) -> Vec<(String, String)> {
        texts(self.iter().copied())
    }
}

impl IntoOptions<String> for Vec<&str> {
    fn into_options(self) -> Vec<(String, String)> {
        texts(self)
    }
}

impl IntoOptions<String> for Vec<String> {
    fn into_options(self) -> Vec<(String, String)> {
        texts(self.iter().map(String::as_str))
    }
}

impl<S: Into<String>, T, const N: usize> IntoOptions<T> for [(S, T); N] {
    fn into_options(self) -> Vec<(String, T)> {
        self.into_iter().map(|(s, t)| (s.into(), t)).collect()
    }
}

impl<S: Into<String>, T> IntoOptions<T> for Vec<(S, T)> {
    fn into_options(self) -> Vec<(String, T)> {
        self.into_iter().map(|(s, t)| (s.into(), t)).collect()
    }
}

/// An index that must be that of an option.
fn is_option(key: &str, value: &Value, state: &Map<String, Value>) -> Option<Value> {
    if key != "index" {
        return Some(value.clone());
    }
    let count = state.get("_options_labels").and_then(Value::as_array);
    let index = usize::try_from(value.as_u64()?).ok()?;
    (index < count.map_or(0, Vec::len)).then(|| value.clone())
}

/// Writes a control that chooses: its name, its model's, its view's, its style, and keys that only
/// it has.
macro_rules! selection {
    ($(#[$doc:meta])* $name:ident, $model:literal, $view:literal, $style:expr, $more:tt) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name<T = String> {
            widget: Widget,
            options: Arc<[(String, T)]>,
        }

        impl<T: Clone + Send + Sync + 'static> $name<T> {
            /// A control with these options; the first one is chosen.
            ///
            /// # Panics
            /// Where there is no option: nothing could be chosen.
            pub fn new(options: impl IntoOptions<T>) -> Self {
                let options: Arc<[(String, T)]> = options.into_options().into();
                assert!(!options.is_empty(), "a choice needs at least one option");
                let labels: Vec<&str> = options.iter().map(|(label, _)| label.as_str()).collect();
                let state = joined(
                    described(),
                    json!({"_options_labels": labels, "disabled": false, "index": 0}),
                );
                let Value::Object(state) = state else {
                    unreachable!("a joined state is an object");
                };
                let state = joined(state, json!($more));
                let widget = control(stringify!($name), $model, $view, Some($style), state);
                Self {
                    widget: widget.checked(is_option),
                    options,
                }
            }

            /// The position of what is chosen.
            pub fn index(&self) -> usize {
                let index = self.widget.get("index").as_u64();
                // Only positions of options are ever put there.
                index.and_then(|i| usize::try_from(i).ok()).unwrap_or(0)
            }

            /// Chooses the option at a position; one that is not there changes nothing.
            pub fn set_index(&self, index: usize) {
                self.widget.set_checked("index", index.into());
            }

            /// What is chosen.
            pub fn value(&self) -> T {
                let chosen = self.options.get(self.index());
                chosen.unwrap_or(&self.options[0]).1.clone()
            }

            /// Calls `callback` with what is chosen whenever another option is. An error or a panic
            /// of it is shown under the control.
            pub fn observe<R: CallbackResult>(
                &self,
                mut callback: impl FnMut(T) -> R + Send + 'static,
            ) -> &Self {
                let options = Arc::clone(&self.options);
                self.widget.observe_key("index", move |index| {
                    let index = index.as_u64().and_then(|i| usize::try_from(i).ok());
                    let chosen = index.and_then(|index| options.get(index)).cloned();
                    let error = chosen.and_then(|(_, value)| callback(value).error());
                    error.map_or(Ok(()), Err)
                });
                self
            }
        }

        impl<T> $name<T> {
            /// The widget behind the handle, as containers take it.
            pub fn widget(&self) -> Widget {
                self.widget.clone()
            }

            /// What stands beside the control; also its name for screen readers.
            #[must_use]
            pub fn description(self, text: &str) -> Self {
                self.widget.set("description", text);
                self
            }

            /// The width, as CSS has it: `"40%"`, `"300px"`.
            #[must_use]
            pub fn width(self, css: &str) -> Self {
                self.widget.set_layout("width", css);
                self
            }
        }

        impl<T> std::ops::Deref for $name<T> {
            type Target = Widget;

            fn deref(&self) -> &Widget {
                &self.widget
            }
        }

        impl<T> From<$name<T>> for Widget {
            fn from(handle: $name<T>) -> Self {
                handle.widget
            }
        }

        impl<T: Clone + Send + Sync + 'static> Control for $name<T> {
            type Value = T;

            fn control(&self) -> Widget {
                self.widget.clone()
            }

            fn current(&self) -> T {
                self.value()
            }
        }

        impl<T> std::fmt::Display for $name<T> {
            fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                self.widget.fmt(f)
            }
        }

        impl<T> std::fmt::Debug for $name<T> {
            fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                self.widget.fmt(f)
            }
        }

        impl<T> Show for $name<T> {
            fn mime_bundle(&self) -> Result<MimeBundle> {
                self.widget.mime_bundle()
            }
        }

        shows_itself!([T] $name<T>);
    };
}

selection!(
    /// A list that opens.
    Dropdown, "DropdownModel", "DropdownView", DESCRIPTION, {}
);
selection!(
    /// A list that shows several options at once.
    Select, "SelectModel", "SelectView", DESCRIPTION, {"rows": 5}
);
selection!(
    /// A slider over options.
    SelectionSlider, "SelectionSliderModel", "SelectionSliderView", SLIDER,
    {"behavior": "drag-tap", "continuous_update": true, "orientation": "horizontal", "readout": true}
);
selection!(
    /// Options of which one is marked.
    RadioButtons, "RadioButtonsModel", "RadioButtonsView", DESCRIPTION,
    {"orientation": "vertical"}
);
selection!(
    /// Buttons of which one is pressed.
    ToggleButtons, "ToggleButtonsModel", "ToggleButtonsView", TOGGLES,
    {"button_style": "", "icons": [], "tooltips": []}
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_gives_the_value_that_its_text_stands_for() {
        let layer = Dropdown::new([("first", 0_usize), ("last", 11)]);
        assert_eq!(layer.value(), 0);
        layer.set_index(1);
        assert_eq!(layer.value(), 11);
        layer.set_index(2);
        assert_eq!(layer.value(), 11, "an option that is not there");
        assert_eq!(Select::new(["a", "b"]).value(), "a");
    }
}
