//! Converts Markdown cells to HTML: CommonMark with tables, footnotes, strikethrough,
//! task lists and bare addresses; math as MathML, Rust code highlighted, headings with
//! anchors. Each text is parsed as HTML with all its tags closed.
//! Source: spec.commonmark.org and JupyterLab's display of a cell.

mod events;

use super::address;
use super::article::Place;
use super::article::citations::Citations;
use super::article::inline;
use super::article::labels::{self, Labels, citation_mark, number_mark};
use super::article::notes::Notes;
use super::article::shape::{LABEL, LINE, Shaper};
use super::dom;
use super::dom::anchors::Anchors;
use super::dom::complete;
use super::dom::sanitise::sanitise;
use super::escape::escape;
use super::extract::cites::Group;
use super::extract::{Extracted, Piece, extract};
use super::math::Mathematics;
use crate::notebook::TextFault;
use markup5ever_rcdom::Handle;
use pulldown_cmark::{Options, Parser};
use std::collections::HashMap;

/// Marks a heading as part of an appendix.
const APPENDIX: &str = "data-appendix";

/// A heading of the page, for the table of contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heading {
    pub level: u8,
    /// A link to it: a fragment, or the mark of one.
    pub link: String,
    /// The mark of its number; empty where headings have none.
    pub mark: String,
    /// The heading's text as HTML without links.
    pub html: String,
    /// The heading's plain text.
    pub text: String,
    pub unnumbered: bool,
    pub appendix: bool,
}

/// State shared by all Markdown of one page.
#[derive(Default)]
pub struct Markdown {
    pub mathematics: Mathematics,
    pub headings: Vec<Heading>,
    pub anchors: Anchors,
    pub labels: Labels,
    pub notes: Notes,
    /// `None` without a bibliography.
    pub citations: Option<Citations>,
    /// Whether the notebook has front matter.
    pub article: bool,
    /// Whether front matter gives the page's title.
    pub titled: bool,
    /// Whether headings have numbers.
    pub numbered: bool,
    /// The place of the cell that is being read, from 1.
    cell: usize,
    texts: usize,
    /// The level of the appendix that contains the current text.
    appendix: Option<u8>,
}

/// A part of a text, inside or outside of an appendix; appendices move to the end.
#[derive(Debug, PartialEq, Eq)]
pub struct Part {
    pub appendix: bool,
    pub html: String,
}

impl Markdown {
    /// Sets the cell, counted from 1, of the following texts.
    pub fn begin(&mut self, cell: usize) {
        self.cell = cell;
    }

    /// One text as HTML, with all tags closed. `image` returns the data URI for an
    /// image's address. Ids are marks, which [`Anchors::resolve`] replaces.
    pub fn render(&mut self, text: &str, image: &dyn Fn(&str) -> Option<String>) -> String {
        let parts = self.parts(text, image);
        parts.into_iter().map(|part| part.html).collect()
    }

    /// A text of one paragraph, such as a caption, without the paragraph element.
    pub fn inline(&mut self, text: &str) -> String {
        let html = self.render(text.trim(), &|_| None);
        let html = html.trim();
        let inner = html
            .strip_prefix("<p>")
            .and_then(|rest| rest.strip_suffix("</p>"));
        inner
            .filter(|inner| !inner.contains("<p>"))
            .unwrap_or(html)
            .to_owned()
    }

    /// One text as in [`Markdown::render`], split where an appendix begins or ends.
    pub fn parts(&mut self, text: &str, image: &dyn Fn(&str) -> Option<String>) -> Vec<Part> {
        self.texts += 1;
        let text = labels::without_marks(text);
        let extracted = extract(&text, self.article || self.citations.is_some());
        for (label, line) in &extracted.equations {
            let place = Place {
                cell: self.cell,
                line: *line,
            };
            self.labels.define_equation(label, place);
        }
        let root = dom::parse(&sanitise(&self.html(&extracted)));
        inline::apply(&root, &extracted, self.article);
        Shaper::new(&extracted, &mut self.labels, self.cell, self.article).shape(&root);
        let notes = match self.article {
            true => self.notes.collect(&root, &mut self.anchors),
            false => None,
        };
        let stretches = self.stretches(&root);
        let headings = self.complete(&root, &extracted, image);
        let first = self.headings.len();
        for heading in &headings {
            self.heading(heading, &extracted);
        }
        if let Some(notes) = &notes {
            self.complete(notes, &extracted, image);
        }
        let mut formulas = Formulas {
            extracted: &extracted,
            mathematics: &mut self.mathematics,
            rendered: HashMap::new(),
        };
        let parts = stretches.into_iter().map(|(appendix, stretch)| Part {
            appendix,
            html: formulas.insert(&dom::serialise(&stretch)),
        });
        let parts: Vec<_> = parts.collect();
        if let Some(notes) = &notes {
            self.notes
                .items
                .push(formulas.insert(&dom::serialise(notes)));
        }
        for heading in &mut self.headings[first..] {
            heading.html = labels::plain(&formulas.insert(&heading.html));
        }
        parts
    }

    /// Markdown converted to HTML, not sanitised yet.
    fn html(&mut self, extracted: &Extracted) -> String {
        let options = Options::ENABLE_TABLES
            | Options::ENABLE_FOOTNOTES
            | Options::ENABLE_STRIKETHROUGH
            | Options::ENABLE_TASKLISTS
            | Options::ENABLE_SMART_PUNCTUATION
            | Options::ENABLE_GFM;
        let events = Parser::new_ext(&extracted.text, options);
        let events = events::rewritten(events, extracted, self.texts, &mut self.anchors);
        let mut html = String::new();
        pulldown_cmark::html::push_html(&mut html, events.into_iter());
        html
    }

    fn complete(
        &mut self,
        root: &Handle,
        extracted: &Extracted,
        image: &dyn Fn(&str) -> Option<String>,
    ) -> Vec<Handle> {
        let mut faults: Vec<TextFault> = Vec::new();
        let (citations, article) = (&mut self.citations, self.article);
        let mut cite = |group: &Group, place: Place| match citations {
            Some(citations) => Some(citation_mark(citations.cite(group, place))),
            None => {
                if article && group.bracketed {
                    let key = group.items.first().map_or("", |item| item.key.as_str());
                    let reason =
                        format!("@{key} is cited, but the front matter has no `bibliography`");
                    faults.push(place.fault(reason));
                }
                None
            }
        };
        let mut cell = complete::Cell {
            extracted,
            image,
            anchors: &mut self.anchors,
            labels: &mut self.labels,
            cite: &mut cite,
            number: self.cell,
        };
        let headings = cell.complete(root);
        self.labels.faults.extend(faults);
        headings
    }

    /// Groups the blocks of a text into parts inside and outside of appendices.
    fn stretches(&mut self, root: &Handle) -> Vec<(bool, Handle)> {
        let mut stretches: Vec<(bool, Vec<Handle>)> = Vec::new();
        for child in root.children.take() {
            if let Some(level) = complete::level(&child) {
                let class = dom::attribute(&child, "class").unwrap_or_default();
                if class.split(' ').any(|class| class == "appendix") {
                    self.appendix = Some(level);
                } else if self.appendix.is_some_and(|appendix| level <= appendix) {
                    self.appendix = None;
                }
                if self.appendix.is_some() {
                    dom::set_attribute(&child, APPENDIX, "");
                }
            }
            let inside = self.appendix.is_some();
            match stretches
                .last_mut()
                .filter(|(appendix, _)| *appendix == inside)
            {
                Some((_, children)) => children.push(child),
                None => stretches.push((inside, vec![child])),
            }
        }
        let stretches = stretches.into_iter();
        let stretches = stretches.map(|(inside, nodes)| (inside, dom::element("div", &[], nodes)));
        let stretches: Vec<_> = stretches.collect();
        let all = stretches.iter().map(|(_, stretch)| stretch.clone());
        dom::set_children(root, all.collect());
        stretches
    }

    /// Gives a heading its id, its number, and a link to itself. The id has
    /// JupyterLab's form, so that a notebook's own `[links](#2.1-Training)` work here
    /// too.
    fn heading(&mut self, node: &Handle, extracted: &Extracted) {
        let level = complete::level(node).unwrap_or(6);
        let words = complete::words(node, extracted);
        let outline = complete::outline(node);
        let index = self.headings.len();
        self.label(node, index);
        let link = match dom::attribute(node, "id") {
            Some(id) => address::fragment(&id),
            None => {
                let anchor = self.anchors.want(words.replace(' ', "-"));
                dom::set_attribute(node, "id", &anchor.id());
                anchor.link()
            }
        };
        let class = dom::attribute(node, "class").unwrap_or_default();
        let appendix = dom::attribute(node, APPENDIX).is_some();
        dom::remove_attribute(node, APPENDIX);
        let title = level == 1 && !self.titled && self.headings.iter().all(|h| h.level > 1);
        if title {
            dom::set_attribute(node, "class", "title");
        }
        let attributes = [
            ("class", "anchor"),
            ("href", &*link),
            ("aria-label", "Link to this section"),
        ];
        let anchor = dom::element("a", &attributes, vec![dom::text("#")]);
        let mut children = node.children.take();
        let mark = match self.numbered {
            true => number_mark(index),
            false => String::new(),
        };
        if self.numbered {
            children.insert(0, dom::text(&mark));
        }
        children.extend([dom::text(" "), anchor]);
        dom::set_children(node, children);
        self.headings.push(Heading {
            level,
            link,
            mark,
            html: outline,
            text: words,
            unnumbered: class.split(' ').any(|class| class == "unnumbered"),
            appendix,
        });
    }

    /// Records the label of a heading, `{#sec-..}`.
    fn label(&mut self, node: &Handle, index: usize) {
        let label = dom::attribute(node, LABEL);
        let line = dom::attribute(node, LINE).and_then(|line| line.parse().ok());
        dom::remove_attribute(node, LABEL);
        dom::remove_attribute(node, LINE);
        if let Some(label) = label.filter(|label| label.starts_with("sec-")) {
            let place = Place {
                cell: self.cell,
                line: line.unwrap_or(1),
            };
            self.labels.define_section(&label, index, place);
        }
    }
}

/// The formulas of a text; each is rendered once, however often it is shown.
struct Formulas<'a> {
    extracted: &'a Extracted,
    mathematics: &'a mut Mathematics,
    rendered: HashMap<usize, String>,
}

impl Formulas<'_> {
    /// Safe HTML with formulas in place of their marks. Attributes contain no marks any
    /// more, so that a formula's HTML is always between tags.
    fn insert(&mut self, html: &str) -> String {
        let mut out = String::with_capacity(html.len());
        for piece in self.extracted.pieces(html) {
            match piece {
                Piece::Formula(number, formula) => {
                    let rendered = self.rendered.entry(number);
                    out.push_str(rendered.or_insert_with(|| self.mathematics.render(formula)));
                }
                Piece::Text(html) => out.push_str(html),
                other => out.push_str(&escape(other.source())),
            }
        }
        out
    }
}
