//! Citations and entries as HTML: hayagriva's elements, escaped, with links to the list.

use crate::export::address;
use crate::export::escape::{Escaped, escape};
use crate::export::extract::cites::Group;
use hayagriva::citationberg::taxonomy::Locator;
use hayagriva::citationberg::{FontStyle, FontVariant, FontWeight, TextDecoration, VerticalAlign};
use hayagriva::{ElemChild, ElemChildren, ElemMeta, Formatted};
use regex::Regex;
use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::sync::LazyLock;

/// A locator, and the text after it.
pub type Located = (Option<(Locator, String)>, String);

/// Writes a citation with a link for each of its items.
pub struct Writer<'a> {
    pub group: &'a Group,
    pub parts: &'a [Located],
    pub previews: &'a HashMap<String, String>,
    pub html: &'a mut String,
}

impl Writer<'_> {
    pub fn children(&mut self, children: &ElemChildren) {
        for child in &children.0 {
            match child {
                ElemChild::Elem(elem) => match elem.meta {
                    Some(ElemMeta::Entry(at)) => self.item(at, &elem.children),
                    _ => self.children(&elem.children),
                },
                child => write_child(self.html, child),
            }
        }
    }

    fn item(&mut self, at: usize, children: &ElemChildren) {
        let Some(cite) = self.group.items.get(at) else {
            return write_children(self.html, children);
        };
        if !cite.prefix.is_empty() {
            let _ = write!(self.html, "{} ", Escaped(&cite.prefix));
        }
        let mut words = String::new();
        write_children(&mut words, children);
        let link = address::fragment(&format!("ref-{}", cite.key));
        let _ = write!(
            self.html,
            "<span class=\"cite\"><a class=\"ref\" role=\"doc-biblioref\" href=\"{}\">{}</a>",
            Escaped(&link),
            without_links(&words)
        );
        if let Some(preview) = self.previews.get(&cite.key) {
            let _ = write!(self.html, "<span class=\"preview\">{preview}</span>");
        }
        self.html.push_str("</span>");
        if let Some((_, rest)) = self.parts.get(at) {
            let _ = write!(self.html, "{}", Escaped(rest));
        }
    }
}

pub fn write_children(html: &mut String, children: &ElemChildren) {
    for child in &children.0 {
        write_child(html, child);
    }
}

pub fn write_child(html: &mut String, child: &ElemChild) {
    match child {
        ElemChild::Text(text) => write_text(html, text),
        ElemChild::Elem(elem) => write_children(html, &elem.children),
        ElemChild::Markup(text) => html.push_str(&escape(text)),
        ElemChild::Link { text, url } => {
            let safe = url.starts_with("https://") || url.starts_with("http://");
            if !safe {
                return write_text(html, text);
            }
            let _ = write!(html, "<a href=\"{}\">", Escaped(url));
            write_text(html, text);
            html.push_str("</a>");
        }
        ElemChild::Transparent { .. } => {}
    }
}

fn write_text(html: &mut String, text: &Formatted) {
    let format = &text.formatting;
    let tags = [
        (format.font_style == FontStyle::Italic, "i", ""),
        (format.font_weight == FontWeight::Bold, "b", ""),
        (format.text_decoration == TextDecoration::Underline, "u", ""),
        (format.vertical_align == VerticalAlign::Sup, "sup", ""),
        (format.vertical_align == VerticalAlign::Sub, "sub", ""),
        (
            format.font_variant == FontVariant::SmallCaps,
            "span",
            " class=\"small-caps\"",
        ),
    ];
    let tags: Vec<_> = tags.iter().filter(|(used, ..)| *used).collect();
    for (_, tag, class) in &tags {
        let _ = write!(html, "<{tag}{class}>");
    }
    html.push_str(&escape(&text.text));
    for (_, tag, _) in tags.iter().rev() {
        let _ = write!(html, "</{tag}>");
    }
}

/// Removes links, because a link must not contain another.
fn without_links(html: &str) -> String {
    static LINK: LazyLock<Regex> =
        LazyLock::new(|| Regex::new("</?a(?: [^>]*)?>").expect("a pattern of the source"));
    LINK.replace_all(html, "").into_owned()
}

/// The list of cited works; empty where the page cites nothing.
pub fn list(items: &[(String, String)]) -> String {
    if items.is_empty() {
        return String::new();
    }
    let mut html = String::from("<ol class=\"bibliography\" role=\"list\">\n");
    let mut seen = HashSet::new();
    for (key, item) in items {
        if seen.insert(key) {
            let _ = writeln!(html, "<li id=\"ref-{}\">{item}</li>", Escaped(key));
        }
    }
    html + "</ol>\n"
}
