//! Interactive charts of a page: their data, which charts of this library contain, one script, and its styles. A page
//! without charts has none of these.

mod marks;
mod stored;

use super::dom;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

const SCRIPT: &str = include_str!("../script/charts.js");
const STYLE: &str = include_str!("../style/charts.css");
/// The start of a chart's data.
const DATA: &str = "<metadata class=\"chart\">";

/// Whether a piece of HTML has a chart with data.
pub fn are_in(html: &str) -> bool {
    html.contains(DATA)
}

/// The styles, for the page's head.
pub fn style() -> String {
    format!("<style>\n{STYLE}</style>\n")
}

/// The script without comments and indentation.
fn script() -> String {
    let lines = SCRIPT.lines().map(str::trim);
    let code = lines.filter(|line| !line.is_empty() && !line.starts_with("//"));
    code.collect::<Vec<_>>().join("\n")
}

/// The script's element, for the end of the page.
pub fn element() -> String {
    format!("<script>{}</script>\n", script())
}

/// The script's source expression in a Content-Security-Policy.
pub fn source() -> String {
    let digest = Sha256::digest(script().as_bytes());
    format!("'sha256-{}'", STANDARD.encode(digest))
}

/// Adds data to the charts in the HTML of an output: to those drawn before charts contained their data, and to those
/// that omit it because of their many points.
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
