//! The controls and containers of `@jupyter-widgets/controls` 2, and its output area.
//!
//! States and defaults are those of ipywidgets 8.1 (`kernel/tests/conformance/widgets.py` compares
//! them).

mod buttons;
mod containers;
mod declare;
mod numbers;
mod output;
mod selection;
mod text;

pub(super) use declare::with_layout;

pub use buttons::{Button, Checkbox, ToggleButton};
pub use containers::{Accordion, GridBox, HBox, Tabs, VBox};
pub use numbers::{
    BoundedFloatText, BoundedIntText, FloatLogSlider, FloatProgress, FloatRangeSlider, FloatSlider,
    IntProgress, IntRangeSlider, IntSlider,
};
pub use output::Output;
pub use selection::{Dropdown, IntoOptions, RadioButtons, Select, SelectionSlider, ToggleButtons};
pub use text::{HtmlText, Label, Text, TextArea};
