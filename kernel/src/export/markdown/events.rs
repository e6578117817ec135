//! Changes to Markdown's events: code is highlighted, footnotes get page-wide ids,
//! and taken parts of the text are restored where they have no meaning.

use crate::export::article::inline::CAPTION;
use crate::export::dom::anchors::{Anchor, Anchors};
use crate::export::dom::sanitise::is_html;
use crate::export::escape::{Escaped, escape};
use crate::export::extract::Extracted;
use crate::highlight;
use pulldown_cmark::{CodeBlockKind, CowStr, Event, Parser, Tag, TagEnd};
use std::collections::HashMap;

/// The rewritten events of a text, the `text`th of its page.
pub fn rewritten<'a>(
    mut events: Parser<'a>,
    extracted: &'a Extracted,
    text: usize,
    anchors: &mut Anchors,
) -> Vec<Event<'a>> {
    let mut writer = Writer {
        text,
        anchors,
        extracted,
        notes: HashMap::new(),
        out: Vec::new(),
    };
    while let Some(event) = events.next() {
        writer.event(event, &mut events);
    }
    writer.out
}

struct Writer<'a, 'page> {
    text: usize,
    anchors: &'page mut Anchors,
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
            // `Vec<T>` is a type, shown as text.
            Event::InlineHtml(tag) if !is_html(&tag) => self.out.push(Event::Text(tag)),
            other => self.out.push(other),
        }
    }

    fn footnote(&mut self, label: &str) -> CowStr<'a> {
        let number = self.notes.len() + 1;
        let (text, anchors) = (self.text, &mut *self.anchors);
        let note = self.notes.entry(label.to_owned());
        let anchor = note.or_insert_with(|| anchors.want(format!("note-{text}-{number}")));
        anchor.id().into()
    }

    fn code_block(&mut self, kind: &CodeBlockKind, rest: &mut Parser<'a>) {
        let code = self.extracted.original(&collect(rest, TagEnd::CodeBlock));
        let language = match kind {
            CodeBlockKind::Fenced(info) => {
                let word = info.split([' ', ',']).next().unwrap_or_default();
                // Code blocks in Quarto's form.
                word.trim_matches(['{', '}'])
            }
            CodeBlockKind::Indented => "",
        };
        let body = match language {
            "rust" | "rs" => highlight::to_html(&code),
            _ => escape(&code),
        };
        // Code cells, which have no class, are Rust.
        let class = match language {
            "rust" | "rs" => String::new(),
            "" => " class=\"language-text\"".to_owned(),
            other => format!(" class=\"language-{}\"", Escaped(other)),
        };
        let html = format!("<pre class=\"code\"><code{class}>{body}</code></pre>\n");
        self.out.push(Event::Html(html.into()));
    }

    /// A picture, followed by its caption in case it becomes a figure.
    fn image(&mut self, address: &str, title: &str, rest: &mut Parser<'a>) {
        let inner = nested(rest, TagEnd::Image);
        let mut html = format!(
            "<img src=\"{}\" alt=\"{}\"",
            Escaped(&self.extracted.original(address)),
            Escaped(&self.extracted.original(&words(&inner)))
        );
        if !title.is_empty() {
            let title = self.extracted.original(title);
            html.push_str(&format!(" title=\"{}\"", Escaped(&title)));
        }
        html.push('>');
        self.out.push(Event::InlineHtml(html.into()));
        if inner.is_empty() {
            return;
        }
        let open = format!("<span class=\"{}\">", CAPTION);
        self.out.push(Event::InlineHtml(open.into()));
        for event in inner {
            match event {
                Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => {}
                event => self.event(event, rest),
            }
        }
        self.out.push(Event::InlineHtml("</span>".into()));
    }
}

/// The events up to the end of a span, nested spans of the same kind included.
fn nested<'a>(events: &mut Parser<'a>, end: TagEnd) -> Vec<Event<'a>> {
    let mut inner = Vec::new();
    let mut depth = 0;
    for event in events {
        match &event {
            Event::Start(tag) if tag.to_end() == end => depth += 1,
            Event::End(tag) if *tag == end => {
                if depth == 0 {
                    break;
                }
                depth -= 1;
            }
            _ => {}
        }
        inner.push(event);
    }
    inner
}

/// The text of events.
fn words(events: &[Event]) -> String {
    let words = events.iter().map(|event| match event {
        Event::Text(part) | Event::Code(part) | Event::Html(part) => part,
        Event::SoftBreak | Event::HardBreak => " ",
        _ => "",
    });
    words.collect()
}

/// The text up to the end of a block.
fn collect(events: &mut Parser, end: TagEnd) -> String {
    words(&nested(events, end))
}
