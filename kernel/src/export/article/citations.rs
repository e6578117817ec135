//! Citations and the list of cited works, in the article's style.
//! Source: Pandoc's manual, "Citations"; citationstyles.org for the styles, which
//! hayagriva contains by name.

pub(in crate::export::article) mod bibliography;

mod written;

use super::Place;
use super::front::FrontMatter;
use crate::export::extract::cites::{Cite, Group};
use crate::notebook::TextFault;
use hayagriva::archive::{ArchivedStyle, locales};
use hayagriva::citationberg::taxonomy::Locator;
use hayagriva::citationberg::{
    CitationFormat, IndependentStyle, Locale, LocaleCode, Style, StyleCategory,
};
use hayagriva::{
    BibliographyDriver, BibliographyRequest, CitationItem, CitationRequest, CitePurpose,
    ElemChildren, Library, LocatorPayload, Rendered, SpecificLocator,
};
use regex::Regex;
use std::collections::HashMap;
use std::path::Path;
use std::sync::LazyLock;
use written::{Located, Writer, write_child, write_children};

pub use written::list;

/// The style for front matter that names none, as in Quarto.
const DEFAULT_STYLE: &str = "chicago-author-date";

/// `, p. 3`, `, chap. 2` and similar at the start of the text after a key.
static LOCATOR: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"^\s*,?\s*(?P<label>(?:pp?|pages?|chap(?:ter)?|ch|sec(?:tion)?|fig(?:ure)?|eq(?:uation)?|vol(?:ume)?|para(?:graph)?|no|tbl|table|line|l|app(?:endix)?)(?:\.|\b)|§)?\s*(?P<value>(?:\d[\w.]*\w|\d|[ivxlcIVXLC]+\b)(?:\s?[,&–-]\s?\d[\w.]*)*)(?P<rest>.*)$",
    )
    .expect("a pattern of the source")
});

/// The sources and the citations of one page.
pub struct Citations {
    library: Library,
    style: IndependentStyle,
    locales: Vec<Locale>,
    locale: Option<LocaleCode>,
    format: CitationFormat,
    nocite: Vec<String>,
    groups: Vec<(Group, Place)>,
}

/// The rendered citations, and the list.
#[derive(Default)]
pub struct Cited {
    pub citations: Vec<String>,
    /// The items of the list, with their ids.
    pub list: Vec<(String, String)>,
    pub faults: Vec<TextFault>,
}

impl Citations {
    /// Reads the sources that the front matter names; `None` if it names none.
    ///
    /// # Errors
    /// A file that cannot be read, and a style that is not known.
    pub fn new(
        matter: &FrontMatter,
        folder: Option<&Path>,
    ) -> Result<Option<Citations>, Vec<TextFault>> {
        if matter.bibliography.is_empty() {
            return Ok(None);
        }
        let mut library = Library::new();
        let mut faults = Vec::new();
        for name in &matter.bibliography {
            if let Err(reason) = bibliography::read(name, folder, &mut library) {
                faults.push(matter.place("bibliography").fault(reason));
            }
        }
        let style = style(matter.csl.as_deref(), folder);
        let style = style.map_err(|reason| faults.push(matter.place("csl").fault(reason)));
        for key in matter.nocite.iter().filter(|key| *key != "*") {
            if library.get(key).is_none() {
                let reason = format!("@{key} is not in the bibliography");
                faults.push(matter.place("nocite").fault(reason));
            }
        }
        let Ok((style, locale)) = style else {
            return Err(faults);
        };
        if !faults.is_empty() {
            return Err(faults);
        }
        let nocite = match matter.nocite.iter().any(|key| key == "*") {
            true => library.keys().map(str::to_owned).collect(),
            false => matter.nocite.clone(),
        };
        Ok(Some(Citations {
            format: format(&style),
            locale: locale.or_else(|| matter.lang.clone().map(LocaleCode)),
            library,
            style,
            locales: locales(),
            nocite,
            groups: Vec::new(),
        }))
    }

    /// Records a citation; returns its index.
    pub fn cite(&mut self, group: &Group, place: Place) -> usize {
        self.groups.push((group.clone(), place));
        self.groups.len() - 1
    }

    /// Renders all citations and the list.
    pub fn finish(&self) -> Cited {
        let mut cited = Cited::default();
        for (group, place) in &self.groups {
            for item in &group.items {
                if self.library.get(&item.key).is_none() {
                    let reason = self.unknown(&item.key);
                    cited.faults.push(place.fault(reason));
                }
            }
        }
        let known = |group: &Group| {
            group
                .items
                .iter()
                .all(|i| self.library.get(&i.key).is_some())
        };
        let rendered = self.rendered(&known);
        let items = rendered
            .bibliography
            .as_ref()
            .map(|list| list.items.as_slice());
        for item in items.unwrap_or_default() {
            let mut html = String::new();
            if let Some(first) = &item.first_field {
                html.push_str("<span class=\"csl-first\">");
                write_child(&mut html, first);
                html.push_str("</span> ");
            }
            write_children(&mut html, &item.content);
            cited.list.push((item.key.clone(), html));
        }
        let previews: HashMap<_, _> = cited.list.iter().cloned().collect();
        let mut next = rendered.citations.iter();
        for (group, _) in &self.groups {
            let html = match known(group).then(|| next.next()).flatten() {
                Some(citation) => self.citation(group, &citation.citation, &previews),
                None => "?".to_owned(),
            };
            cited.citations.push(html);
        }
        cited
    }

    fn unknown(&self, key: &str) -> String {
        let near = self
            .library
            .keys()
            .map(|known| (strsim::damerau_levenshtein(known, key), known))
            .min()
            .filter(|(distance, _)| *distance <= 3);
        let hint = near.map_or_else(String::new, |(_, known)| format!("; is it @{known}?"));
        format!("@{key} is not in the bibliography{hint}")
    }

    fn rendered(&self, known: &dyn Fn(&Group) -> bool) -> Rendered {
        let mut driver = BibliographyDriver::new();
        let parsed: Vec<_> = self
            .groups
            .iter()
            .map(|(group, _)| located(group))
            .collect();
        for ((group, _), parsed) in self.groups.iter().zip(&parsed) {
            if !known(group) {
                continue;
            }
            let items = group
                .items
                .iter()
                .zip(parsed)
                .filter_map(|(cite, (locator, _))| {
                    let locator = locator
                        .as_ref()
                        .map(|(kind, text)| SpecificLocator(*kind, LocatorPayload::Str(text)));
                    let purpose = self.purpose(group, cite);
                    let entry = self.library.get(&cite.key)?;
                    Some(CitationItem::new(entry, locator, None, false, purpose))
                });
            driver.citation(self.request(items.collect()));
        }
        for key in &self.nocite {
            if let Some(entry) = self.library.get(key) {
                let item = CitationItem::new(entry, None, None, true, None);
                driver.citation(self.request(vec![item]));
            }
        }
        driver.finish(BibliographyRequest::new(
            &self.style,
            self.locale.clone(),
            &self.locales,
        ))
    }

    fn request<'a>(
        &'a self,
        items: Vec<CitationItem<'a, hayagriva::Entry>>,
    ) -> CitationRequest<'a, hayagriva::Entry> {
        CitationRequest::new(items, &self.style, self.locale.clone(), &self.locales, None)
    }

    /// Numeric styles render all kinds of citation alike.
    fn purpose(&self, group: &Group, cite: &Cite) -> Option<CitePurpose> {
        let by_author = matches!(
            self.format,
            CitationFormat::AuthorDate | CitationFormat::Author
        );
        match (group.bracketed, cite.bare) {
            (_, true) if by_author => Some(CitePurpose::Year),
            (false, _) => Some(CitePurpose::Prose),
            (true, _) => None,
        }
    }

    fn citation(
        &self,
        group: &Group,
        children: &ElemChildren,
        previews: &HashMap<String, String>,
    ) -> String {
        let mut html = String::new();
        let parts = located(group);
        let suppressed = group
            .items
            .iter()
            .any(|cite| self.purpose(group, cite) == Some(CitePurpose::Year));
        let mut writer = Writer {
            group,
            parts: &parts,
            previews,
            html: &mut html,
        };
        writer.children(children);
        // A year alone is rendered without the style's parentheses.
        if suppressed {
            html = format!("({html})");
        }
        format!("<span class=\"citation\">{html}</span>")
    }
}

/// The locator of each item, and the rest of the text after its key.
fn located(group: &Group) -> Vec<Located> {
    let items = group.items.iter().map(|cite| {
        // Without a label, only digits count as a page: "i think" may also follow
        // a key.
        let counts = |found: &regex::Captures| {
            found.name("label").is_some()
                || found["value"].starts_with(|c: char| c.is_ascii_digit())
        };
        let Some(found) = LOCATOR.captures(&cite.suffix).filter(counts) else {
            return (None, cite.suffix.clone());
        };
        let part = |name: &str| found.name(name).map_or("", |found| found.as_str());
        let kind = match part("label").chars().next() {
            None | Some('p') if !part("label").starts_with("para") => Locator::Page,
            Some('p') => Locator::Paragraph,
            Some('c') => Locator::Chapter,
            Some('s' | '§') => Locator::Section,
            Some('f') => Locator::Figure,
            Some('e') => Locator::Equation,
            Some('v') => Locator::Volume,
            Some('t') => Locator::Table,
            Some('l') => Locator::Line,
            Some('a') => Locator::Appendix,
            _ => Locator::Issue,
        };
        (
            Some((kind, part("value").to_owned())),
            part("rest").to_owned(),
        )
    });
    items.collect()
}

/// The style of that name, or from a file next to the notebook.
fn style(
    name: Option<&str>,
    folder: Option<&Path>,
) -> Result<(IndependentStyle, Option<LocaleCode>), String> {
    let name = name.unwrap_or(DEFAULT_STYLE);
    let plain = name.strip_suffix(".csl").unwrap_or(name);
    let archived = ArchivedStyle::by_name(plain);
    let path = folder
        .map(|folder| folder.join(name))
        .filter(|path| path.is_file());
    let style = match (path, archived) {
        (Some(path), _) => {
            let text = std::fs::read_to_string(&path);
            let text = text.map_err(|error| format!("cannot read the style {name}: {error}"))?;
            Style::from_xml(&text).map_err(|error| format!("the style {name}: {error}"))?
        }
        (None, Some(archived)) => archived.get(),
        (None, None) => {
            let mut names: Vec<_> = ArchivedStyle::all()
                .iter()
                .flat_map(|s| s.names())
                .collect();
            names.sort_by_key(|known| strsim::damerau_levenshtein(known, plain));
            let near: Vec<_> = names.iter().take(3).map(|name| **name).collect();
            return Err(format!(
                "there is no file {name} and no style of that name; near it are {}",
                near.join(", ")
            ));
        }
    };
    match style {
        Style::Independent(style) => Ok((style, None)),
        Style::Dependent(dependent) => {
            let parent = ArchivedStyle::by_id(&dependent.parent_link.href);
            match parent.map(ArchivedStyle::get) {
                Some(Style::Independent(style)) => Ok((style, dependent.default_locale)),
                _ => Err(format!("the style {name} builds on one that is not known")),
            }
        }
    }
}

fn format(style: &IndependentStyle) -> CitationFormat {
    let formats = style
        .info
        .category
        .iter()
        .filter_map(|category| match category {
            StyleCategory::CitationFormat { format } => Some(*format),
            StyleCategory::Field { .. } => None,
        });
    formats
        .into_iter()
        .next()
        .unwrap_or(CitationFormat::AuthorDate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locators_are_told_from_other_words() {
        let located = |suffix: &str| {
            let cite = Cite {
                prefix: String::new(),
                key: "k".to_owned(),
                bare: false,
                suffix: suffix.to_owned(),
            };
            let group = Group {
                items: vec![cite],
                bracketed: true,
            };
            super::located(&group).remove(0)
        };
        for (suffix, kind, value, rest) in [
            (", p. 3", Locator::Page, "3", ""),
            (", pp. 3-5 and on", Locator::Page, "3-5", " and on"),
            (" 12", Locator::Page, "12", ""),
            (", chap. iv", Locator::Chapter, "iv", ""),
            (", sec. 2.1.", Locator::Section, "2.1", "."),
            (", para 4", Locator::Paragraph, "4", ""),
        ] {
            let expected = (Some((kind, value.to_owned())), rest.to_owned());
            assert_eq!(located(suffix), expected, "{suffix}");
        }
        for suffix in ["", " i think", ", cited widely", " pile 3", ", for more"] {
            assert_eq!(located(suffix), (None, suffix.to_owned()), "{suffix}");
        }
    }
}
