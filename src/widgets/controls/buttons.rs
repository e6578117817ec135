//! What readers press and tick.

use super::declare::{Style, control, described, handle, has_description, has_value, joined};
use crate::widgets::CallbackResult;
use serde_json::{Map, Value, json};

const FONT: [&str; 7] = [
    "font_family",
    "font_size",
    "font_style",
    "font_variant",
    "font_weight",
    "text_color",
    "text_decoration",
];

const BUTTON: Style = Style {
    model: "ButtonStyleModel",
    texts: &[],
    nulls: &[
        "button_color",
        FONT[0],
        FONT[1],
        FONT[2],
        FONT[3],
        FONT[4],
        FONT[5],
        FONT[6],
    ],
};

const TOGGLE: Style = Style {
    model: "ToggleButtonStyleModel",
    texts: &["description_width"],
    nulls: &FONT,
};

const CHECKBOX: Style = Style {
    model: "CheckboxStyleModel",
    texts: &["description_width"],
    nulls: &["background"],
};

/// A value that must be true or false.
fn is_bool(key: &str, value: &Value, _: &Map<String, Value>) -> Option<Value> {
    (key != "value" || value.is_boolean()).then(|| value.clone())
}

handle!(
    /// A button.
    Button
);

impl Button {
    /// A button with this text.
    pub fn new(text: &str) -> Self {
        let state = json!({
            "button_style": "", "description": text, "disabled": false, "icon": "",
        });
        Self(control(
            "Button",
            "ButtonModel",
            "ButtonView",
            Some(BUTTON),
            state,
        ))
    }

    /// Calls `callback` whenever the button is pressed. An error or a panic of it is shown under the
    /// button.
    pub fn on_click<R: CallbackResult>(
        &self,
        mut callback: impl FnMut() -> R + Send + 'static,
    ) -> &Self {
        self.0
            .on_message(move |content, _| match content["event"].as_str() {
                Some("click") => callback().error().map_or(Ok(()), Err),
                _ => Ok(()),
            });
        self
    }

    /// The button's colour by meaning: `"primary"`, `"success"`, `"info"`, `"warning"`, `"danger"`
    /// or `""`.
    #[must_use]
    pub fn button_style(self, style: &str) -> Self {
        self.0.set("button_style", style);
        self
    }

    /// A Font Awesome icon before the text: `"play"`, `"stop"`.
    #[must_use]
    pub fn icon(self, name: &str) -> Self {
        self.0.set("icon", name);
        self
    }

    /// The text that a pointer over the button shows.
    #[must_use]
    pub fn tooltip(self, text: &str) -> Self {
        self.0.set("tooltip", text);
        self
    }
}

handle!(
    /// A button that stays pressed.
    ToggleButton
);
has_value!(ToggleButton: bool);

impl ToggleButton {
    /// A button with this text, not pressed.
    pub fn new(text: &str) -> Self {
        let mut state = described();
        state.insert("description".to_owned(), text.into());
        let state = joined(
            state,
            json!({"button_style": "", "disabled": false, "icon": "", "value": false}),
        );
        let widget = control(
            "ToggleButton",
            "ToggleButtonModel",
            "ToggleButtonView",
            Some(TOGGLE),
            state,
        );
        Self(widget.checked(is_bool))
    }
}

handle!(
    /// A box to tick.
    Checkbox
);
has_value!(Checkbox: bool);
has_description!(Checkbox);

impl Checkbox {
    /// A box that is ticked, or not.
    pub fn new(ticked: bool) -> Self {
        let state = joined(
            described(),
            json!({"disabled": false, "indent": true, "value": ticked}),
        );
        let widget = control(
            "Checkbox",
            "CheckboxModel",
            "CheckboxView",
            Some(CHECKBOX),
            state,
        );
        Self(widget.checked(is_bool))
    }
}
