//! What lets the charts of a page answer: their data, which charts of this library carry with them, one
//! script, and its styles. A page without charts has none of this.

mod marks;
mod stored;

use super::dom;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

const SCRIPT: &str = include_str!("../script/charts.js");
const STYLE: &str = include_str!("../style/charts.css");
/// What the data of a chart begins with.
const DATA: &str = "<metadata class=\"chart\">";

/// Whether a piece of HTML has a chart that can answer.
pub fn are_in(html: &str) -> bool {
    html.contains(DATA)
}

/// The styles, for the page's head.
pub fn style() -> String {
    format!("<style>\n{STYLE}</style>\n")
}

/// The script as the page has it: without comments and indentation.
fn script() -> String {
    let lines = SCRIPT.lines().map(str::trim);
    let code = lines.filter(|line| !line.is_empty() && !line.starts_with("//"));
    code.collect::<Vec<_>>().join("\n")
}

/// The script's element, for the end of the page.
pub fn element() -> String {
    format!("<script>{}</script>\n", script())
}

/// What a Content-Security-Policy calls the script.
pub fn source() -> String {
    let digest = Sha256::digest(script().as_bytes());
    format!("'sha256-{}'", STANDARD.encode(digest))
}

/// Completes the charts in the HTML of an output: those that were drawn before charts carried their data,
/// and those of so many points that they carry none.
pub fn complete(html: &str) -> String {
    if !html.contains(stored::CARD) {
        return html.to_owned();
    }
    let root = dom::parse(html);
    let mut changed = false;
    let mut stack = vec![root.clone()];
    while let Some(node) = stack.pop() {
        if marks::name(&node) == Some("svg") {
            changed |= stored::complete(&node);
        }
        stack.extend(node.children.borrow().iter().cloned());
    }
    match changed {
        true => dom::serialise(&root),
        false => html.to_owned(),
    }
}

#[cfg(test)]
mod tests;
