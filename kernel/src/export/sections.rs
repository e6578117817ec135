//! The sections of a page: their numbers, and the table of contents.

use super::article::labels::{SectionNumber, letters};
use super::dom::anchors::TOGGLE;
use super::escape::Escaped;
use super::markdown::{Heading, Markdown};
use std::fmt::Write;

/// Headings below this level are not in the table of contents.
pub const DEEPEST: u8 = 3;

/// The numbers of all headings, down to `depth` levels: "2.1", and "A.1" in appendices.
/// The title and headings marked as unnumbered have none. A page whose sections are of
/// level 2 counts from there.
pub fn numbers(markdown: &Markdown, depth: u8) -> Vec<SectionNumber> {
    let headings = &markdown.headings;
    let title = title(headings, markdown.titled);
    let is_counted = |(at, heading): &(usize, &Heading)| Some(*at) != title && !heading.unnumbered;
    let counted = headings.iter().enumerate().filter(is_counted);
    let top = counted.map(|(_, heading)| heading.level).min().unwrap_or(1);
    let mut main = [0_usize; 6];
    let mut appendix = [0_usize; 6];
    let numbers = headings.iter().enumerate().map(|(at, heading)| {
        let mut number = SectionNumber {
            text: String::new(),
            appendix: heading.appendix,
            title: heading.html.clone(),
        };
        let level = usize::from(heading.level - top.min(heading.level));
        if markdown.numbered && is_counted(&(at, heading)) && level < usize::from(depth) {
            let counts = match heading.appendix {
                true => &mut appendix,
                false => &mut main,
            };
            counts[level] += 1;
            counts[level + 1..].fill(0);
            let counts = counts[..=level].iter().enumerate();
            let parts = counts.map(|(at, count)| match (at, heading.appendix) {
                (0, true) => letters(count.saturating_sub(1)).to_uppercase(),
                _ => count.to_string(),
            });
            number.text = parts.collect::<Vec<_>>().join(".");
        }
        number
    });
    numbers.collect()
}

/// The heading that is the page's title: the first of level one, unless front matter
/// gives another.
fn title(headings: &[Heading], titled: bool) -> Option<usize> {
    let first = headings.iter().position(|heading| heading.level == 1);
    first.filter(|_| !titled)
}

/// The table of contents; empty for a page of fewer than three sections.
pub fn contents(headings: &[Heading], titled: bool, deepest: u8) -> String {
    let title = title(headings, titled);
    let sections: Vec<_> = headings
        .iter()
        .enumerate()
        // A heading without words or pictures has nothing to click on.
        .filter(|(i, heading)| {
            Some(*i) != title && heading.level <= deepest && !heading.html.is_empty()
        })
        .map(|(_, heading)| heading)
        .collect();
    if sections.len() < 3 {
        return String::new();
    }
    // Headings of appendices come last, like the appendices themselves.
    let (end, main): (Vec<&Heading>, Vec<&Heading>) =
        sections.into_iter().partition(|heading| heading.appendix);
    let mut above: Vec<u8> = Vec::new();
    let mut html = format!(
        "<nav class=\"contents\" aria-label=\"Contents\">\n\
         <input type=\"checkbox\" id=\"{TOGGLE}\" aria-label=\"Show or hide the contents\">\n\
         <label for=\"{TOGGLE}\">Contents</label>\n<ol>\n",
    );
    for heading in main.into_iter().chain(end) {
        // The depth is the number of headings above: where the sections of the title
        // are of level 2 and later ones of level 1, both have no indent.
        above.retain(|level| *level < heading.level);
        let _ = writeln!(
            html,
            "<li class=\"depth-{}\"><a href=\"{}\">{}{}</a></li>",
            above.len(),
            Escaped(&heading.link),
            heading.mark,
            heading.html
        );
        above.push(heading.level);
    }
    html + "</ol>\n</nav>\n"
}
