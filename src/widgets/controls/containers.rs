//! Widgets that hold others.

use super::declare::{control, handle};
use crate::widgets::Widget;
use serde_json::{Value, json};

fn container(
    name: &'static str,
    model: &'static str,
    view: &'static str,
    children: &[Widget],
    more: Value,
) -> Widget {
    let widget = control(name, model, view, None, json!({"box_style": ""}));
    widget.set_parts("children", children, true);
    for (key, value) in more.as_object().into_iter().flatten() {
        widget.set(key, value.clone());
    }
    widget
}

fn widgets<W: Into<Widget>>(children: impl IntoIterator<Item = W>) -> Vec<Widget> {
    children.into_iter().map(Into::into).collect()
}

handle!(
    /// Widgets one below the other.
    VBox
);

impl VBox {
    /// These widgets, from top to bottom: `VBox::new([slider.widget(), label.widget()])`.
    pub fn new<W: Into<Widget>>(children: impl IntoIterator<Item = W>) -> Self {
        Self(container(
            "VBox",
            "VBoxModel",
            "VBoxView",
            &widgets(children),
            json!({}),
        ))
    }
}

handle!(
    /// Widgets one beside the other.
    HBox
);

impl HBox {
    /// These widgets, from left to right.
    pub fn new<W: Into<Widget>>(children: impl IntoIterator<Item = W>) -> Self {
        Self(container(
            "HBox",
            "HBoxModel",
            "HBoxView",
            &widgets(children),
            json!({}),
        ))
    }
}

handle!(
    /// Widgets in a grid, row by row.
    GridBox
);

impl GridBox {
    /// These widgets in so many columns of one width.
    pub fn new<W: Into<Widget>>(columns: u32, children: impl IntoIterator<Item = W>) -> Self {
        let it = container(
            "GridBox",
            "GridBoxModel",
            "GridBoxView",
            &widgets(children),
            json!({}),
        );
        it.set_layout("grid_template_columns", &format!("repeat({columns}, 1fr)"));
        Self(it)
    }
}

/// The titles and the widgets of pairs.
fn titled<S: Into<String>, W: Into<Widget>>(
    pages: impl IntoIterator<Item = (S, W)>,
) -> (Vec<String>, Vec<Widget>) {
    pages.into_iter().map(|(s, w)| (s.into(), w.into())).unzip()
}

handle!(
    /// Pages with tabs, of which one is seen.
    Tabs
);

impl Tabs {
    /// These pages, each with the title of its tab.
    pub fn new<S: Into<String>, W: Into<Widget>>(pages: impl IntoIterator<Item = (S, W)>) -> Self {
        let (titles, children) = titled(pages);
        let more = json!({"selected_index": 0, "titles": titles});
        Self(container("Tabs", "TabModel", "TabView", &children, more))
    }
}

handle!(
    /// Sections that open and close; all are closed to begin with.
    Accordion
);

impl Accordion {
    /// These sections, each with its title.
    pub fn new<S: Into<String>, W: Into<Widget>>(
        sections: impl IntoIterator<Item = (S, W)>,
    ) -> Self {
        let (titles, children) = titled(sections);
        let more = json!({"selected_index": null, "titles": titles});
        Self(container(
            "Accordion",
            "AccordionModel",
            "AccordionView",
            &children,
            more,
        ))
    }
}
