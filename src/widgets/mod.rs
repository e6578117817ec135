//! Interactive widgets: controls that a reader moves and that call Rust back.
//!
//! A widget is a model in this process and any number of views in the frontends (JupyterLab,
//! Notebook 7, VS Code), which speak the Jupyter widget protocol 2.1 with Holoscope's kernel.
//! Callbacks run in this process, on the thread that runs cells: while no cell runs at once, while
//! one runs between the steps of the library's loops, and else after the cell.
//!
//! ```no_run
//! use holoscope::widgets::*;
//! let feature = IntSlider::new(0..=4095).description("feature");
//! let name = Label::new("");
//! let shown = name.clone();
//! feature.observe(move |index| shown.set_value(&format!("feature {index}")));
//! VBox::new([feature.widget(), name.widget()])
//! # ;
//! ```
//!
//! Every handle is a cheap clone of the same widget, and can be moved into callbacks. A model that
//! has not been shown costs nothing: its comm is opened when it is first shown, linked, or shown as
//! part of another.
//!
//! On other kernels (evcxr's own) a widget is a static text that says so.
//!
//! Source: ipywidgets 8.1, `packages/schema/messages.md`.

mod any;
mod callback;
mod control;
mod controls;
mod field;
mod incoming;
mod interact;
mod link;
mod model;
mod views;
mod wire;

pub use any::AnyWidget;
pub use callback::CallbackResult;
pub use control::Control;
pub use controls::{
    Accordion, BoundedFloatText, BoundedIntText, Button, Checkbox, Dropdown, FloatLogSlider,
    FloatProgress, FloatRangeSlider, FloatSlider, GridBox, HBox, HtmlText, IntProgress,
    IntRangeSlider, IntSlider, IntoOptions, Label, Output, RadioButtons, Select, SelectionSlider,
    Tabs, Text, TextArea, ToggleButton, ToggleButtons, VBox,
};
pub use field::Field;
pub use interact::{Interact, IntoControl};
pub use link::{Link, jsdlink, jslink};
pub use model::Widget;
pub use views::{
    AttentionBrowser, FeatureBrowser, GraphBrowser, LogitLensBrowser, Neuroscope, Subject,
    TrainingMonitor, attention_view, attribution_graph_view, feature_browser, logit_lens_view,
    neuroscope,
};

pub(crate) use callback::{note_panic, takes_panics};
pub(crate) use incoming::{arrived, between_steps, handle_waiting};
pub(crate) use model::{probe, restored};
