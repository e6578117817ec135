//! Callouts: boxes for notes, tips and warnings, written as fenced divs
//! (`::: {.callout-note}`) or as GitHub's alerts (`> [!NOTE]`).
//! Source: Quarto, "Callout Blocks".

use super::figures::taken;
use crate::export::dom;
use crate::export::dom::complete::level;
use crate::export::dom::{attribute, set_attribute};
use crate::export::extract::attributes::Attributes;
use markup5ever_rcdom::Handle;

const KINDS: [&str; 5] = ["note", "tip", "important", "warning", "caution"];

/// The callout of a fenced div; `None` for other divs. The title is an attribute, the
/// heading at the start of the div, or the name of the callout's kind.
pub fn callout(div: &Handle, attributes: &Attributes) -> Option<Handle> {
    let kind = attributes.classes.iter().find_map(|class| {
        KINDS
            .into_iter()
            .find(|kind| class.strip_prefix("callout-") == Some(kind))
    })?;
    let mut children = taken(div);
    let title = match attributes.get("title") {
        Some(title) => vec![dom::text(title)],
        None => pop_heading(&mut children).unwrap_or_else(|| vec![dom::text(&named(kind))]),
    };
    let class = format!("callout callout-{kind}");
    Some(match attributes.get("collapse") {
        Some(collapse) => {
            children.insert(0, head("summary", title));
            let details = dom::element("details", &[("class", &*class)], children);
            if collapse == "false" {
                set_attribute(&details, "open", "");
            }
            details
        }
        None => boxed(&class, title, children),
    })
}

/// Turns an alert into a callout; returns other block quotes unchanged.
pub fn alert(quote: Handle) -> Handle {
    let class = attribute(&quote, "class").unwrap_or_default();
    let kind = class.strip_prefix("markdown-alert-");
    let Some(kind) = kind.filter(|kind| KINDS.contains(kind)) else {
        return quote;
    };
    let title = vec![dom::text(&named(kind))];
    boxed(&format!("callout callout-{kind}"), title, taken(&quote))
}

fn boxed(class: &str, title: Vec<Handle>, mut children: Vec<Handle>) -> Handle {
    children.insert(0, head("p", title));
    dom::element("div", &[("class", class), ("role", "note")], children)
}

fn head(name: &str, title: Vec<Handle>) -> Handle {
    dom::element(name, &[("class", "callout-title")], title)
}

/// Removes a heading at the start of the blocks; returns its content.
pub fn pop_heading(children: &mut Vec<Handle>) -> Option<Vec<Handle>> {
    level(children.first()?)?;
    Some(children.remove(0).children.take())
}

/// `note` as "Note".
fn named(kind: &str) -> String {
    let mut name = kind.to_owned();
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    name
}
