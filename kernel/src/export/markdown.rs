//! Markdown cells into HTML: CommonMark with tables, footnotes, strikethrough,
//! task lists and bare addresses; math as MathML, Rust code highlighted, headings
//! with anchors. Each text is parsed as HTML and closed by itself.
//! Source: spec.commonmark.org and what JupyterLab shows of a cell.

use super::dom;
use super::dom::anchors::{Anchor, Anchors};
use super::dom::complete;
use super::dom::sanitise::{is_html, sanitise};
use super::escape::{Escaped, escape};
use super::extract::{Extracted, Piece, extract};
use super::math::Mathematics;
use crate::highlight;
use markup5ever_rcdom::Handle;
use pulldown_cmark::{CodeBlockKind, CowStr, Event, Options, Parser, Tag, TagEnd};
use std::collections::HashMap;

/// A heading of the page, for the table of contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heading {
    pub level: u8,
    /// Where it is: a fragment, or the mark of one.
    pub link: String,
    /// The heading's text as HTML without links.
    pub html: String,
    /// The heading's text alone.
    pub text: String,
}

/// What all Markdown of one page shares.
#[derive(Default)]
pub struct Markdown {
    pub mathematics: Mathematics,
    pub headings: Vec<Heading>,
    pub anchors: Anchors,
    texts: usize,
}

impl Markdown {
    /// One text as HTML, closed by itself. `image` gives the data URI for an image's
    /// address. Ids are marks, which [`Anchors::resolve`] replaces.
    pub fn render(&mut self, text: &str, image: &dyn Fn(&str) -> Option<String>) -> String {
        self.texts += 1;
        let extracted = extract(text);
        let options = Options::ENABLE_TABLES
            | Options::ENABLE_FOOTNOTES
            | Options::ENABLE_STRIKETHROUGH
            | Options::ENABLE_TASKLISTS
            | Options::ENABLE_SMART_PUNCTUATION
            | Options::ENABLE_GFM;
        let mut writer = Writer {
            page: self,
            extracted: &extracted,
            notes: HashMap::new(),
            out: Vec::new(),
        };
        let mut events = Parser::new_ext(&extracted.text, options);
        while let Some(event) = events.next() {
            writer.event(event, &mut events);
        }
        let mut unsafe_html = String::new();
        pulldown_cmark::html::push_html(&mut unsafe_html, writer.out.into_iter());

        let root = dom::parse(&sanitise(&unsafe_html));
        let mut cell = complete::Cell {
            extracted: &extracted,
            image,
            anchors: &mut self.anchors,
        };
        let headings = cell.complete(&root);
        let first = self.headings.len();
        for heading in &headings {
            self.heading(heading, &extracted);
        }
        let mut formulas = Formulas {
            extracted: &extracted,
            mathematics: &mut self.mathematics,
            rendered: HashMap::new(),
        };
        let html = formulas.insert(&dom::serialise(&root));
        for heading in &mut self.headings[first..] {
            heading.html = formulas.insert(&heading.html);
        }
        html
    }

    /// Gives a heading its id, in JupyterLab's form, so that a notebook's own
    /// `[links](#2.1-Training)` work here too, and a link to itself.
    fn heading(&mut self, node: &Handle, extracted: &Extracted) {
        let level = complete::level(node).unwrap_or(6);
        let words = complete::words(node, extracted);
        let outline = complete::outline(node);
        let link = match dom::attribute(node, "id") {
            Some(id) => Anchors::fragment(&id),
            None => {
                let anchor = self.anchors.want(words.replace(' ', "-"));
                dom::set_attribute(node, "id", &anchor.id());
                anchor.link()
            }
        };
        if level == 1 && self.headings.iter().all(|h| h.level > 1) {
            dom::set_attribute(node, "class", "title");
        }
        let attributes = [
            ("class", "anchor"),
            ("href", &*link),
            ("aria-label", "Link to this section"),
        ];
        let anchor = dom::element("a", &attributes, vec![dom::text("#")]);
        let mut children = node.children.take();
        children.extend([dom::text(" "), anchor]);
        dom::set_children(node, children);
        self.headings.push(Heading {
            level,
            link,
            html: outline,
            text: words,
        });
    }
}

/// The formulas of a text, each made once, however often it shows.
struct Formulas<'a> {
    extracted: &'a Extracted,
    mathematics: &'a mut Mathematics,
    rendered: HashMap<usize, String>,
}

impl Formulas<'_> {
    /// Safe HTML with the formulas in the place of their marks. In attributes there
    /// are none left, so that a formula's HTML always stands between tags.
    fn insert(&mut self, html: &str) -> String {
        let mut out = String::with_capacity(html.len());
        for piece in self.extracted.pieces(html) {
            match piece {
                Piece::Formula(number, formula) => {
                    let rendered = self.rendered.entry(number);
                    out.push_str(rendered.or_insert_with(|| self.mathematics.render(formula)));
                }
                Piece::Text(html) => out.push_str(html),
                Piece::Address(address) => out.push_str(&escape(address)),
            }
        }
        out
    }
}

struct Writer<'a, 'page> {
    page: &'page mut Markdown,
    extracted: &'a Extracted,
    notes: HashMap<String, Anchor>,
    out: Vec<Event<'a>>,
}

impl<'a> Writer<'a, '_> {
    fn event(&mut self, event: Event<'a>, rest: &mut Parser<'a>) {
        match event {
            Event::Start(Tag::CodeBlock(kind)) => self.code_block(&kind, rest),
            Event::Start(Tag::Image {
                dest_url, title, ..
            }) => self.image(&dest_url, &title, rest),
            Event::Start(Tag::Link {
                link_type,
                dest_url,
                title,
                id,
            }) => self.out.push(Event::Start(Tag::Link {
                link_type,
                dest_url: self.extracted.original(&dest_url).into(),
                title: self.extracted.original(&title).into(),
                id,
            })),
            // Footnotes are numbered within a cell; two cells may both have a 1.
            Event::Start(Tag::FootnoteDefinition(label)) => {
                let label = self.footnote(&label);
                self.out.push(Event::Start(Tag::FootnoteDefinition(label)));
            }
            Event::FootnoteReference(label) => {
                let label = self.footnote(&label);
                self.out.push(Event::FootnoteReference(label));
            }
            Event::Code(code) => {
                let code = self.extracted.original(&code);
                self.out.push(Event::Code(code.into()));
            }
            // `Vec<T>` is a type, and its author wants to see it.
            Event::InlineHtml(tag) if !is_html(&tag) => self.out.push(Event::Text(tag)),
            other => self.out.push(other),
        }
    }

    fn footnote(&mut self, label: &str) -> CowStr<'a> {
        let number = self.notes.len() + 1;
        let text = self.page.texts;
        let anchors = &mut self.page.anchors;
        let note = self.notes.entry(label.to_owned());
        let anchor = note.or_insert_with(|| anchors.want(format!("note-{text}-{number}")));
        anchor.id().into()
    }

    fn code_block(&mut self, kind: &CodeBlockKind, rest: &mut Parser<'a>) {
        let code = self.extracted.original(&collect(rest, TagEnd::CodeBlock));
        let language = match kind {
            CodeBlockKind::Fenced(info) => info.split([' ', ',']).next().unwrap_or_default(),
            CodeBlockKind::Indented => "",
        };
        let body = match language {
            "rust" | "rs" => highlight::to_html(&code),
            _ => escape(&code),
        };
        let html = format!("<pre class=\"code\"><code>{body}</code></pre>\n");
        self.out.push(Event::Html(html.into()));
    }

    fn image(&mut self, address: &str, title: &str, rest: &mut Parser<'a>) {
        let mut html = format!(
            "<img src=\"{}\" alt=\"{}\"",
            Escaped(&self.extracted.original(address)),
            Escaped(&self.extracted.original(&collect(rest, TagEnd::Image)))
        );
        if !title.is_empty() {
            let title = self.extracted.original(title);
            html.push_str(&format!(" title=\"{}\"", Escaped(&title)));
        }
        html.push('>');
        self.out.push(Event::InlineHtml(html.into()));
    }
}

/// The text up to the end of a block, nested blocks of the same kind included.
fn collect(events: &mut Parser, end: TagEnd) -> String {
    let mut text = String::new();
    let mut depth = 0;
    for event in events {
        match event {
            Event::Start(tag) if tag.to_end() == end => depth += 1,
            Event::End(tag) if tag == end => {
                if depth == 0 {
                    break;
                }
                depth -= 1;
            }
            Event::Text(part) | Event::Code(part) | Event::Html(part) => text.push_str(&part),
            Event::SoftBreak | Event::HardBreak => text.push(' '),
            _ => {}
        }
    }
    text
}
