//! Markdown cells into HTML: CommonMark with tables, footnotes, strikethrough
//! and task lists; math as MathML, Rust code highlighted, headings with anchors.
//! Source: spec.commonmark.org and what JupyterLab shows of a cell.

use super::escape::{Escaped, escape};
use super::extract::{Extracted, Piece, extract};
use super::sanitise::{is_safe_link, link_to_image, sanitise};
use crate::highlight;
use pulldown_cmark::{CodeBlockKind, CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use std::collections::HashMap;
use std::fmt::Write;

/// A heading of the page, for the table of contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heading {
    pub level: u8,
    pub id: String,
    /// The heading's text as HTML without links.
    pub html: String,
    /// The heading's text alone.
    pub text: String,
}

/// What all Markdown of one page shares.
#[derive(Debug, Default)]
pub struct Markdown {
    pub headings: Vec<Heading>,
    ids: HashMap<String, usize>,
    texts: usize,
}

impl Markdown {
    /// One text as HTML. `image` gives the data URI for an image's address.
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
            image,
            out: Vec::new(),
        };
        let mut events = Parser::new_ext(&extracted.text, options);
        while let Some(event) = events.next() {
            writer.event(event, &mut events);
        }
        let mut html = String::new();
        pulldown_cmark::html::push_html(&mut html, writer.out.into_iter());
        html
    }

    /// An id not yet on the page, in JupyterLab's form, so that a notebook's own
    /// `[links](#2.1-Training)` work here too.
    fn unique_id(&mut self, text: &str) -> String {
        let words: Vec<_> = text.split_whitespace().collect();
        let mut id = words.join("-");
        if id.is_empty() {
            id = "section".to_owned();
        }
        let count = self.ids.entry(id.clone()).or_insert(0);
        *count += 1;
        match *count {
            1 => id,
            n => {
                let next = format!("{id}-{n}");
                self.ids.insert(next.clone(), 1);
                next
            }
        }
    }
}

struct Writer<'a, 'page> {
    page: &'page mut Markdown,
    extracted: &'a Extracted,
    image: &'a dyn Fn(&str) -> Option<String>,
    out: Vec<Event<'a>>,
}

impl<'a> Writer<'a, '_> {
    fn html(&mut self, html: impl Into<String>) {
        self.out.push(Event::InlineHtml(CowStr::from(html.into())));
    }

    fn event(&mut self, event: Event<'a>, rest: &mut Parser<'a>) {
        match event {
            Event::Start(Tag::CodeBlock(kind)) => self.code_block(&kind, rest),
            Event::Start(Tag::Heading { level, .. }) => self.heading(level, rest),
            Event::Start(Tag::Image {
                dest_url, title, ..
            }) => self.image(&dest_url, &title, rest),
            Event::Start(Tag::HtmlBlock) => {
                let html = collect(rest, TagEnd::HtmlBlock);
                let html = sanitise(&self.extracted.original(&html), self.image);
                self.out.push(Event::Html(html.into()));
            }
            Event::Start(Tag::Link {
                link_type,
                dest_url,
                title,
                id,
            }) => {
                let address = self.extracted.original(&dest_url);
                if !is_safe_link(&address) {
                    // The words stay; the end tag follows by itself.
                    self.html("<a>");
                    return;
                }
                self.out.push(Event::Start(Tag::Link {
                    link_type,
                    dest_url: address.into(),
                    title: self.extracted.original(&title).into(),
                    id,
                }));
            }
            // Footnotes are numbered within a cell; two cells may both have a 1.
            Event::Start(Tag::FootnoteDefinition(label)) => {
                let label = self.footnote(&label);
                self.out.push(Event::Start(Tag::FootnoteDefinition(label)));
            }
            Event::FootnoteReference(label) => {
                let label = self.footnote(&label);
                self.out.push(Event::FootnoteReference(label));
            }
            Event::Text(text) => self.text(&text),
            Event::Code(code) => {
                let code = self.extracted.original(&code);
                self.out.push(Event::Code(code.into()));
            }
            Event::InlineHtml(html) | Event::Html(html) => {
                let html = sanitise(&self.extracted.original(&html), self.image);
                self.html(html);
            }
            other => self.out.push(other),
        }
    }

    fn footnote(&self, label: &str) -> CowStr<'a> {
        format!("note-{}-{label}", self.page.texts).into()
    }

    fn text(&mut self, text: &str) {
        let extracted = self.extracted;
        for piece in extracted.pieces(text) {
            match piece {
                Piece::Text(text) => {
                    let text = text.to_owned();
                    self.out.push(Event::Text(text.into()));
                }
                Piece::Formula(formula) => self.html(formula.to_html()),
            }
        }
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

    fn heading(&mut self, level: HeadingLevel, rest: &mut Parser<'a>) {
        // Into a list of its own first: the id is known only once the text is.
        let outer = std::mem::take(&mut self.out);
        let mut words = String::new();
        while let Some(event) = rest.next() {
            match &event {
                Event::End(TagEnd::Heading(_)) => break,
                Event::Text(text) | Event::Code(text) => {
                    words.push_str(&self.extracted.original(text));
                }
                Event::SoftBreak | Event::HardBreak => words.push(' '),
                _ => {}
            }
            self.event(event, rest);
        }
        let events = std::mem::replace(&mut self.out, outer);
        let id = self.page.unique_id(&words);
        let unlinked = events.iter().filter(|event| {
            let link = matches!(
                event,
                Event::Start(Tag::Link { .. }) | Event::End(TagEnd::Link)
            );
            !link && !matches!(event, Event::FootnoteReference(_))
        });
        let mut title = String::new();
        pulldown_cmark::html::push_html(&mut title, unlinked.cloned());
        let level = level as u8;
        let is_title = level == 1 && self.page.headings.iter().all(|h| h.level > 1);
        let class = if is_title { " class=\"title\"" } else { "" };
        self.page.headings.push(Heading {
            level,
            id: id.clone(),
            html: title.trim().to_owned(),
            text: words.trim().to_owned(),
        });
        self.html(format!("\n<h{level}{class} id=\"{}\">", Escaped(&id)));
        self.out.extend(events);
        self.html(format!(
            " <a class=\"anchor\" href=\"#{}\" aria-label=\"Link to this section\">#</a></h{level}>\n",
            Escaped(&id)
        ));
    }

    fn image(&mut self, address: &str, title: &str, rest: &mut Parser<'a>) {
        let alt = self.extracted.original(&collect(rest, TagEnd::Image));
        let address = self.extracted.original(address);
        let mut html = String::new();
        match (self.image)(&address) {
            Some(data) => {
                let _ = write!(
                    html,
                    "<img src=\"{}\" alt=\"{}\"",
                    Escaped(&data),
                    Escaped(&alt)
                );
                if !title.is_empty() {
                    let title = self.extracted.original(title);
                    let _ = write!(html, " title=\"{}\"", Escaped(&title));
                }
                html.push('>');
            }
            None => {
                let alt = if alt.is_empty() { "image" } else { &alt };
                link_to_image(&mut html, &address, alt);
            }
        }
        self.html(html);
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
