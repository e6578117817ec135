//! HTML and Markdown as values, and the cards around tables and tokens.
//!
//! Cards are opaque and light with dark text, so that they are legible on a
//! light page, a dark page and paper, with any style sheet around them.

use super::{MimeBundle, Show, escape, shows_itself};
use crate::error::Result;

/// The background of every card.
pub(crate) const CARD_FILL: &str = "#fdfdfc";
/// The border of every card.
pub(crate) const CARD_STROKE: &str = "#d6d6d2";
/// Text.
pub(crate) const INK: &str = "#1f2328";
/// Secondary text: tick labels, captions.
pub(crate) const FAINT_INK: &str = "#57606a";

/// Opens a card: the box around tables and tokens.
pub(crate) fn card(body: &str) -> String {
    format!(
        "<div style=\"display:inline-block;max-width:100%;box-sizing:border-box;overflow-x:auto;\
         background:{CARD_FILL};color:{INK};color-scheme:light;border:1px solid {CARD_STROKE};\
         border-radius:8px;padding:10px 12px;margin:4px 0;\
         font-family:system-ui,-apple-system,sans-serif;font-size:13px;line-height:1.5\">{body}</div>"
    )
}

/// A card's title; empty for no title.
pub(crate) fn card_title(title: &str) -> String {
    if title.is_empty() {
        return String::new();
    }
    format!(
        "<div style=\"font-weight:600;font-size:14px;margin-bottom:4px\">{}</div>",
        escape(title)
    )
}

/// HTML written by the caller, shown unchanged: the fallback when nothing else fits.
/// The caller must escape what needs it, with [`escape`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Html {
    /// The HTML.
    pub html: String,
    /// The alternative text where HTML cannot be shown.
    pub text: String,
}

impl Html {
    /// HTML and its alternative text.
    pub fn new(html: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            html: html.into(),
            text: text.into(),
        }
    }
}

shows_itself!(Html);

impl Show for Html {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        Ok(MimeBundle::html(&self.html, &self.text))
    }
}

/// Markdown, rendered by the notebook: text whose numbers come from the cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Markdown {
    /// The Markdown source.
    pub text: String,
}

impl Markdown {
    /// Markdown from its source.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }
}

shows_itself!(Markdown);

impl Show for Markdown {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        Ok(MimeBundle::default()
            .with("text/markdown", &self.text)
            .with("text/plain", &self.text))
    }
}
