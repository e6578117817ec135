//! A notebook as one self-contained HTML page, typeset like a paper: nothing is fetched, and no
//! scripts run except those that the notebook's outputs need.

mod address;
mod ansi;
mod article;
mod as_markdown;
mod cell;
mod charts;
pub mod dom;
pub mod escape;
mod extract;
mod image;
mod markdown;
mod math;
mod options;
mod output;
mod provenance;
mod sections;
pub mod site;

use crate::live::page::{self as live, Live};
use crate::notebook::{Cell, CellKind, Notebook, TextFault, inline};
use article::citations::{self, Citations, Cited};
use article::front::{self, FrontMatter, NoteLocation};
use article::labels::{Known, SectionNumber};
use article::title;

use escape::Escaped;
use markdown::{Heading, Markdown};
use math::Fault;
use std::fmt::Write;

pub use as_markdown::markdown;
#[cfg(test)]
pub use charts::complete as charts_of;
pub use options::ExportOptions;

/// The style sheet: the page's own, the article's, the formulas'.
const STYLE: &str = concat!(include_str!("style.css"), include_str!("style/article.css"));

/// A notebook's page, and the formulas that it shows as their source.
pub struct Page {
    pub html: String,
    pub faults: Vec<Fault>,
    /// Faults in the article: broken references, duplicate labels, citations of unknown
    /// sources, unreadable options. In order of position.
    pub errors: Vec<TextFault>,
}

/// Ids that the page itself uses.
const OWN_IDS: [&str; 3] = ["abstract-title", "references-title", "footnotes-title"];

/// Exports a notebook as a page.
///
/// Cells are shown as in Jupyter Book: those tagged `remove-cell` are left out, `remove-input`
/// and `remove-output` drop a part, `hide-cell`, `hide-input` and `hide-output` fold one. Cell
/// options and front matter have the same meaning as in Quarto. A notebook with nothing to show
/// produces a page with a note.
pub fn page(notebook: &Notebook, options: &ExportOptions) -> Page {
    let mut writer = Writer::new(notebook, options);
    for (at, cell) in notebook.cells.iter().enumerate() {
        writer.cell(cell, at + 1);
    }
    writer.finish(notebook)
}

/// Builds a page.
struct Writer<'a> {
    options: &'a ExportOptions,
    /// The front matter, and its length in the first cell.
    matter: Option<FrontMatter>,
    taken: usize,
    markdown: Markdown,
    /// The title block, and the front matter's title without its markup.
    title: String,
    named: Option<String>,
    body: String,
    /// Parts that move to the end of the page.
    appendix: String,
    scripts: bool,
    errors: Vec<TextFault>,
}

impl<'a> Writer<'a> {
    fn new(notebook: &Notebook, options: &'a ExportOptions) -> Self {
        let mut errors = Vec::new();
        let front = front::read(notebook).unwrap_or_else(|faults| {
            errors.extend(faults);
            None
        });
        let (matter, taken) = match front {
            Some(front) => (Some(front.matter), front.length),
            None => (None, 0),
        };
        let mut markdown = Markdown::default();
        markdown.begin(1);
        if let Some(matter) = &matter {
            markdown.article = true;
            markdown.titled = matter.title.is_some();
            markdown.numbered = matter.number_sections;
            match Citations::new(matter, options.folder.as_deref()) {
                Ok(citations) => markdown.citations = citations,
                Err(faults) => errors.extend(faults),
            }
            for id in OWN_IDS {
                markdown.anchors.give(id);
            }
        }
        let mut writer = Writer {
            options,
            matter,
            taken,
            markdown,
            title: String::new(),
            named: None,
            body: String::new(),
            appendix: String::new(),
            scripts: false,
            errors,
        };
        writer.title_block();
        writer
    }

    fn title_block(&mut self) {
        let Some(matter) = &self.matter else {
            return;
        };
        let markdown = &mut self.markdown;
        let parts = title::Parts {
            title: matter.title.as_deref().map(|text| markdown.inline(text)),
            subtitle: matter.subtitle.as_deref().map(|text| markdown.inline(text)),
            abstract_html: matter
                .abstract_text
                .as_deref()
                .map(|text| markdown.render(text, &|_| None)),
        };
        self.named = parts.title.as_deref().map(dom::text_of_html);
        self.title = title::block(matter, &parts);
    }

    fn cell(&mut self, cell: &Cell, number: usize) {
        if cell.has_tag("remove-cell") {
            return;
        }
        self.markdown.begin(number);
        match &cell.kind {
            CellKind::Markdown => self.text_cell(cell, number),
            CellKind::Code { .. } => {
                let defaults = self.matter.as_ref().map(|matter| &matter.cells);
                match cell::code(cell, number, &mut self.markdown, self.options, defaults) {
                    Ok(shown) => {
                        self.scripts |= shown.scripts;
                        self.body.push_str(&shown.html);
                    }
                    Err(fault) => self.errors.push(fault),
                }
            }
            // Raw cells are for other converters (LaTeX, RST).
            CellKind::Raw => {}
        }
    }

    fn text_cell(&mut self, cell: &Cell, number: usize) {
        let folder = self.options.folder.as_deref();
        let image = |address: &str| image::resolve(address, cell, folder);
        let source = match number {
            // Blank lines in place of the front matter preserve the line numbers.
            1 => {
                let (front, rest) = cell.source.split_at(self.taken);
                "\n".repeat(front.matches('\n').count()) + rest
            }
            _ => cell.source.clone(),
        };
        let source = inline::with_values(&source, cell);
        for part in self.markdown.parts(&source, &image) {
            if part.html.trim().is_empty() {
                continue;
            }
            let text = match cell.has_tag("hide-cell") {
                true => cell::fold("hidden", "show the text", &part.html),
                false => part.html,
            };
            let to = match part.appendix {
                true => &mut self.appendix,
                false => &mut self.body,
            };
            let _ = writeln!(to, "<section class=\"cell text\">\n{text}</section>");
        }
    }

    fn finish(mut self, notebook: &Notebook) -> Page {
        if self.body.is_empty() && self.appendix.is_empty() {
            let why = match notebook.cells.is_empty() {
                true => "This notebook has no cells.",
                false => "This notebook has no cells to show.",
            };
            let _ = writeln!(
                self.body,
                "<section class=\"cell text\"><p class=\"nothing\">{why}</p></section>"
            );
        }
        let depth = self.matter.as_ref().map_or(6, |matter| matter.number_depth);
        let mut numbers = sections::numbers(&self.markdown, depth);
        let cited = match &self.markdown.citations {
            Some(citations) => citations.finish(),
            None => Cited::default(),
        };
        self.end_matter(&cited, &mut numbers);
        let html = self.assemble(notebook);
        let Markdown {
            mathematics,
            mut labels,
            anchors,
            ..
        } = self.markdown;
        let equation = |label: &str| mathematics.equation(label);
        let known = Known {
            sections: &numbers,
            equation: &equation,
            citations: &cited.citations,
        };
        let html = labels.resolve(&html, &known);
        let html = anchors.resolve(&html);
        let mut errors = self.errors;
        errors.extend(labels.faults);
        errors.extend(cited.faults);
        errors.sort();
        errors.dedup();
        let (html, faults) = mathematics.finish(&html);
        Page {
            html,
            faults,
            errors,
        }
    }

    /// Appendices, the list of cited works, and the footnotes.
    fn end_matter(&mut self, cited: &Cited, numbers: &mut Vec<SectionNumber>) {
        const PLACE: &str = "<div id=\"refs\"></div>";
        self.body.push_str(&self.appendix);
        let list = citations::list(&cited.list);
        for (key, _) in &cited.list {
            self.markdown.anchors.give(&format!("ref-{key}"));
        }
        // Listed in the contents at the level of the text's sections.
        let first = |heading: &Heading| heading.level == 1;
        let top = match self.markdown.titled && self.markdown.headings.iter().any(first) {
            true => 1,
            false => 2,
        };
        let mut section = |id: &str, title: &str, numbers: &mut Vec<SectionNumber>| {
            self.markdown.headings.push(Heading {
                level: top,
                link: address::fragment(id),
                mark: String::new(),
                html: title.to_owned(),
                text: title.to_owned(),
                unnumbered: true,
                appendix: true,
            });
            numbers.push(SectionNumber::default());
        };
        if self.body.contains(PLACE) {
            self.body = self
                .body
                .replacen(PLACE, &format!("<div id=\"refs\">{list}</div>"), 1);
        } else if !list.is_empty() {
            section("references-title", "References", numbers);
            let _ = writeln!(
                self.body,
                "<section class=\"cell text references\" role=\"doc-bibliography\" \
                 aria-labelledby=\"references-title\">\n\
                 <h2 id=\"references-title\">References</h2>\n{list}</section>"
            );
        }
        let notes = self.markdown.notes.section();
        if !notes.is_empty() {
            section("footnotes-title", "Footnotes", numbers);
            self.body.push_str(&notes);
        }
    }

    /// The scripts that the page may run. Ours are allowed by digest alone, because a digest
    /// next to 'unsafe-inline' would forbid all other scripts.
    fn script_policy(&self, charts: bool, live: Option<&Live>) -> String {
        let mut sources = Vec::new();
        if self.scripts {
            sources.push("'unsafe-inline'".to_owned());
            sources.extend(live.map(|_| live::WASM.to_owned()));
        } else {
            sources.extend(charts.then(charts::source));
            sources.extend(live.map(Live::sources));
        }
        match sources.is_empty() {
            true => String::new(),
            false => format!(" script-src {};", sources.join(" ")),
        }
    }

    fn assemble(&self, notebook: &Notebook) -> String {
        let matter = self.matter.as_ref();
        let headings = &self.markdown.headings;
        let first = headings.iter().find(|heading| heading.level == 1);
        let named = self.named.as_deref();
        let title = self.options.title.as_deref().or(named);
        let title = title
            .or(first
                .map(|h| h.text.as_str())
                .filter(|text| !text.is_empty()))
            .unwrap_or("Notebook");
        let charts = charts::are_in(&self.body);
        let live = self.options.live.as_deref();
        let live = live.filter(|_| live::are_in(&self.body));
        let script_policy = self.script_policy(charts, live);
        let (mut styles, mut scripts) = match charts {
            true => (charts::style(), charts::element()),
            false => Default::default(),
        };
        if let Some(live) = live {
            styles += &live.style();
            scripts += &live.elements();
        }
        let heading = match (named, first) {
            (Some(_), _) | (None, Some(_)) => self.title.clone(),
            (None, None) => format!(
                "{}<section class=\"cell text\"><h1 class=\"title\">{}</h1></section>\n",
                self.title,
                Escaped(title)
            ),
        };
        let contents = match matter {
            Some(matter) if !matter.toc => String::new(),
            Some(FrontMatter {
                toc_depth: Some(depth),
                ..
            }) => sections::contents(headings, self.markdown.titled, *depth),
            _ => sections::contents(headings, self.markdown.titled, sections::DEEPEST),
        };
        let margin = matter.is_some_and(|matter| matter.notes == NoteLocation::Margin);
        format!(
            "<!DOCTYPE html>\n<html lang=\"{lang}\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
             style-src 'unsafe-inline'; img-src data:; media-src data:; font-src data:;\
             {script_policy} base-uri 'none'; form-action 'none'\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <meta name=\"generator\" content=\"holoscope {version}\">\n{meta}\
             <title>{title}</title>\n<style>\n{STYLE}</style>\n{styles}</head>\n<body{class}>\n\
             {contents}<main>\n{heading}{body}{footer}</main>\n{scripts}</body>\n</html>\n",
            lang = Escaped(matter.and_then(|m| m.lang.as_deref()).unwrap_or("en")),
            version = env!("CARGO_PKG_VERSION"),
            meta = matter.map(|m| title::meta(m, title)).unwrap_or_default(),
            title = Escaped(title),
            class = if margin {
                " class=\"margin-notes\""
            } else {
                ""
            },
            body = self.body,
            footer = provenance::footer(notebook),
        )
    }
}

#[cfg(test)]
mod page_tests;
#[cfg(test)]
mod tests;
