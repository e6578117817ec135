//! rustc's messages about generated crates, in terms of the user's cells.
//!
//! The kernel compiles crates in which ranges of the user's text alternate with
//! generated text. rustc's output (`--error-format=json`) is parsed
//! (`parse`), every span is traced to the user's text (`place`), and the
//! message is drawn again over that text as rustc would have drawn it (`render`).

mod cut;
mod origin;
mod parse;
mod place;
mod render;
#[cfg(test)]
mod tests;

pub use origin::{Origin, Origins};
pub use parse::{Diagnostic, Span};

use place::Owner;
use std::collections::HashSet;

/// The errors among the messages: a one-line headline, and the full text.
///
/// `names` replaces generated names in texts by the user's. An error in generated text
/// mostly results from one in the user's text, and is omitted if there is one.
pub fn render_all(
    diagnostics: &[Diagnostic],
    origins: &dyn Origins,
    names: &dyn Fn(&str) -> String,
) -> (String, String) {
    let mut errors: Vec<(u8, &Diagnostic)> = diagnostics
        .iter()
        .filter(|d| d.is_error())
        .map(|d| (distance(d, origins), d))
        .collect();
    // A stable sort keeps rustc's order among equals.
    errors.sort_by_key(|(distance, _)| *distance);
    if errors.first().is_some_and(|(d, _)| *d < GENERATED) {
        errors.retain(|(distance, _)| *distance < GENERATED);
    }
    let mut seen = HashSet::new();
    let mut headline = String::new();
    let mut stories = Vec::new();
    for (_, error) in errors {
        let story = error.render(origins, names);
        if !seen.insert(story.clone()) {
            continue;
        }
        if stories.is_empty() {
            let message = render::told(error.message(), names);
            headline.push_str(message.lines().next().unwrap_or_default());
        }
        stories.push(story);
    }
    if stories.len() > 1 {
        headline.push_str(&format!(" (and {} more)", stories.len() - 1));
    }
    (headline, stories.join("\n\n"))
}

const GENERATED: u8 = 2;

/// How far an error is from the user's text: in a cell, in a file of theirs, neither.
fn distance(error: &Diagnostic, origins: &dyn Origins) -> u8 {
    let place = error.primary().and_then(|span| place::of(span, origins));
    match place.map(|found| found.place.owner) {
        Some(Owner::Cell { .. }) => 0,
        Some(Owner::File(_)) => 1,
        None => GENERATED,
    }
}
