//! Everything that renders: charts, tables, tokens, progress, the display channel.
//!
//! A value that can be shown provides a [`MimeBundle`] through [`Show`]; [`display`]
//! sends it to the notebook. This module computes nothing and does not depend on training.

#[cfg(feature = "notebook")]
mod attention;
#[cfg(feature = "notebook")]
mod chart;
pub mod color;
mod display;
mod escaping;
mod html;
mod number;
#[cfg(feature = "notebook")]
mod png;
mod reporting;
#[cfg(feature = "notebook")]
mod table;
mod tokens;
#[cfg(feature = "notebook")]
mod used_data;

#[cfg(feature = "notebook")]
pub use attention::AttentionView;
#[cfg(feature = "notebook")]
pub use chart::heatmap_with_gaps;
#[cfg(feature = "notebook")]
pub use chart::{
    ChartOptions, ColorScale, Figure, Group, LabelledPoint, LabelledSeries, NetworkLink,
    NetworkNode, Panel, Reference, Trace, bar_chart, heatmap, histogram, histogram_by_group,
    labelled_scatter, line_chart, line_panels, network, scatter, stacked,
};
pub use display::{clear_output, display, display_with_id, update_display};
pub(crate) use display::{send_frame, shows_itself, under_holoscope};
pub use escaping::escape;
pub(crate) use html::{CARD_FILL, CARD_STROKE, FAINT_INK, INK, card, card_title};
pub use html::{Html, Markdown};
pub use number::format_number;
pub use reporting::interrupts::interrupted;
#[cfg_attr(
    not(feature = "notebook"),
    allow(unused_imports, reason = "the kernel's")
)]
pub(crate) use reporting::interrupts::{
    Interrupts, call_between_steps, forget_interrupt, interrupt, interrupted_between_steps,
    leave_interrupts_to_the_kernel,
};
pub use reporting::quietly::quietly;
#[cfg(feature = "notebook")]
pub use reporting::reporter::NotebookReporter;
#[cfg(feature = "notebook")]
pub use table::Table;
pub use tokens::{TokenView, visible_token};
#[cfg(feature = "notebook")]
pub(crate) use used_data::report_data;

use crate::error::Result;

/// A value in every form in which it can be shown: MIME type to content, in the
/// order in which the forms were added.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MimeBundle {
    entries: Vec<(String, String)>,
}

impl MimeBundle {
    /// A bundle of one plain-text form.
    pub fn plain(text: impl Into<String>) -> Self {
        Self::default().with("text/plain", text)
    }

    /// A bundle of HTML and the alternative text where HTML cannot be shown.
    pub fn html(html: impl Into<String>, text: impl Into<String>) -> Self {
        Self::default()
            .with("text/html", html)
            .with("text/plain", text)
    }

    /// A bundle of an SVG picture and the text that describes it.
    pub fn svg(svg: impl Into<String>, text: impl Into<String>) -> Self {
        Self::default()
            .with("image/svg+xml", svg)
            .with("text/plain", text)
    }

    /// This bundle with one more form; a form of the same MIME type is replaced.
    /// The content of a JSON type (`application/json`, `...+json`) is JSON text.
    pub fn with(mut self, mime: &str, content: impl Into<String>) -> Self {
        let content = content.into();
        match self.entries.iter_mut().find(|(known, _)| known == mime) {
            Some(entry) => entry.1 = content,
            None => self.entries.push((mime.to_owned(), content)),
        }
        self
    }

    /// The content of a MIME type.
    pub fn get(&self, mime: &str) -> Option<&str> {
        self.entries
            .iter()
            .find(|(known, _)| known == mime)
            .map(|(_, content)| content.as_str())
    }

    /// All forms, in order.
    pub fn entries(&self) -> &[(String, String)] {
        &self.entries
    }
}

/// A value that a notebook can show.
///
/// A type that implements this also has an inherent method `evcxr_display(&self)`
/// that calls [`display`]; evcxr calls this method on a cell's last
/// expression. In this library `shows_itself!` implements it.
///
/// ```
/// use holoscope::show::{Html, Show};
/// let bundle = Html::new("<b>hi</b>", "hi").mime_bundle()?;
/// assert_eq!(bundle.get("text/html"), Some("<b>hi</b>"));
/// # Ok::<(), holoscope::Error>(())
/// ```
pub trait Show {
    /// The value in every form in which it can be shown.
    ///
    /// # Errors
    /// When the value cannot be rendered.
    fn mime_bundle(&self) -> Result<MimeBundle>;
}
