//! Fields for text, and text that stands beside controls.

use super::declare::{Style, control, described, handle, has_description, has_value, joined};
use serde_json::{Map, Value, json};

const TEXT: Style = Style {
    model: "TextStyleModel",
    texts: &["description_width"],
    nulls: &["background", "font_size", "text_color"],
};

const LABEL: Style = Style {
    model: "LabelStyleModel",
    texts: &["description_width"],
    nulls: &[
        "background",
        "font_family",
        "font_size",
        "font_style",
        "font_variant",
        "font_weight",
        "text_color",
        "text_decoration",
    ],
};

const HTML: Style = Style {
    model: "HTMLStyleModel",
    ..TEXT
};

/// What frontends show where a field is empty: a space without width keeps its height.
const PLACEHOLDER: &str = "\u{200b}";

/// A value that must be text.
fn is_text(key: &str, value: &Value, _: &Map<String, Value>) -> Option<Value> {
    (key != "value" || value.is_string()).then(|| value.clone())
}

fn field(value: &str) -> Value {
    joined(
        described(),
        json!({
            "continuous_update": true, "disabled": false, "placeholder": PLACEHOLDER,
            "value": value,
        }),
    )
}

/// What fields have beside a value.
macro_rules! is_field {
    ($name:ident) => {
        has_description!($name);

        impl $name {
            /// What an empty field shows.
            #[must_use]
            pub fn placeholder(self, text: &str) -> Self {
                self.0.set("placeholder", text);
                self
            }

            /// Whether callbacks hear of every key (as they do unless told otherwise), or of the text
            /// when the reader leaves the field or presses Enter.
            #[must_use]
            pub fn continuous_update(self, continuous: bool) -> Self {
                self.0.set("continuous_update", continuous);
                self
            }
        }
    };
}

handle!(
    /// A field for one line of text.
    Text
);
has_value!(Text: String);
is_field!(Text);

impl Text {
    /// A field with this text.
    pub fn new(value: &str) -> Self {
        let widget = control("Text", "TextModel", "TextView", Some(TEXT), field(value));
        Self(widget.checked(is_text))
    }
}

handle!(
    /// A field for several lines of text.
    TextArea
);
has_value!(TextArea: String);
is_field!(TextArea);

impl TextArea {
    /// A field with this text.
    pub fn new(value: &str) -> Self {
        let mut state = field(value);
        state["rows"] = Value::Null;
        let widget = control(
            "TextArea",
            "TextareaModel",
            "TextareaView",
            Some(TEXT),
            state,
        );
        Self(widget.checked(is_text))
    }

    /// How many lines are seen at once.
    #[must_use]
    pub fn rows(self, rows: u32) -> Self {
        self.0.set("rows", rows);
        self
    }
}

fn shown(value: &str) -> Value {
    joined(
        described(),
        json!({"placeholder": PLACEHOLDER, "value": value}),
    )
}

handle!(
    /// A line of text that readers do not change.
    Label
);

impl Label {
    /// A label with this text.
    pub fn new(text: &str) -> Self {
        Self(control(
            "Label",
            "LabelModel",
            "LabelView",
            Some(LABEL),
            shown(text),
        ))
    }

    /// Changes the text.
    pub fn set_value(&self, text: &str) {
        self.0.set("value", text);
    }
}

handle!(
    /// HTML, which frontends show as it is: escape what is not yours (`holoscope::show::escape`).
    HtmlText
);

impl HtmlText {
    /// This HTML.
    pub fn new(html: &str) -> Self {
        Self(control(
            "HtmlText",
            "HTMLModel",
            "HTMLView",
            Some(HTML),
            shown(html),
        ))
    }

    /// Changes the HTML.
    pub fn set_value(&self, html: &str) {
        self.0.set("value", html);
    }
}
