//! The title block: what the front matter says, above the text.

use super::front::{Author, FrontMatter};
use crate::export::escape::Escaped;
use std::fmt::Write;

/// The Markdown parts of the title block, as HTML without a surrounding paragraph.
pub struct Parts {
    /// `None` where a heading of the text is the title.
    pub title: Option<String>,
    pub subtitle: Option<String>,
    /// May hold several paragraphs.
    pub abstract_html: Option<String>,
}

/// The title block.
pub fn block(matter: &FrontMatter, parts: &Parts) -> String {
    let mut html = String::from("<header class=\"title-block\">\n");
    if let Some(title) = &parts.title {
        let _ = writeln!(html, "<h1 class=\"title\">{title}</h1>");
    }
    if let Some(subtitle) = &parts.subtitle {
        let _ = writeln!(html, "<p class=\"subtitle\">{subtitle}</p>");
    }
    authors(&mut html, &matter.authors);
    facts(&mut html, matter);
    if let Some(text) = &parts.abstract_html {
        let _ = writeln!(
            html,
            "<section class=\"abstract\" aria-labelledby=\"abstract-title\">\n\
             <h2 id=\"abstract-title\">Abstract</h2>\n{text}</section>"
        );
    }
    if !matter.keywords.is_empty() {
        let _ = writeln!(
            html,
            "<p class=\"keywords\"><span class=\"name\">Keywords</span> {}</p>",
            Escaped(&matter.keywords.join(", "))
        );
    }
    html + "</header>\n"
}

/// The metadata that Google Scholar and Zotero read.
pub fn meta(matter: &FrontMatter, title: &str) -> String {
    let mut rows: Vec<(&str, &str)> = vec![("citation_title", title)];
    for author in &matter.authors {
        rows.push(("citation_author", &author.name));
    }
    rows.extend(
        matter
            .date
            .as_deref()
            .map(|date| ("citation_publication_date", date)),
    );
    rows.extend(matter.doi.as_deref().map(|doi| ("citation_doi", doi)));
    let keywords = matter.keywords.join(", ");
    if !keywords.is_empty() {
        rows.push(("keywords", &keywords));
    }
    rows.extend(
        matter
            .abstract_text
            .as_deref()
            .map(|text| ("description", text.trim())),
    );
    let rows = rows.iter().map(|(name, content)| {
        format!("<meta name=\"{name}\" content=\"{}\">\n", Escaped(content))
    });
    rows.collect()
}

/// The authors with their affiliations, which are numbered where there are several.
fn authors(html: &mut String, authors: &[Author]) {
    if authors.is_empty() {
        return;
    }
    let mut places: Vec<&str> = Vec::new();
    for place in authors.iter().flat_map(|author| &author.affiliations) {
        if !places.contains(&place.as_str()) {
            places.push(place);
        }
    }
    html.push_str("<ul class=\"authors\" aria-label=\"Authors\">\n");
    for author in authors {
        let _ = write!(html, "<li>{}", named(author));
        let numbers: Vec<_> = author
            .affiliations
            .iter()
            .filter_map(|place| places.iter().position(|known| known == place))
            .map(|at| (at + 1).to_string())
            .collect();
        if places.len() > 1 && !numbers.is_empty() {
            let _ = write!(html, "<sup>{}</sup>", numbers.join(","));
        }
        html.push_str("</li>\n");
    }
    html.push_str("</ul>\n");
    if !places.is_empty() {
        html.push_str("<ul class=\"affiliations\" aria-label=\"Affiliations\">\n");
        for (at, place) in places.iter().enumerate() {
            let number = match places.len() {
                1 => String::new(),
                _ => format!("<sup>{}</sup> ", at + 1),
            };
            let _ = writeln!(html, "<li>{number}{}</li>", Escaped(place));
        }
        html.push_str("</ul>\n");
    }
}

/// A name with links to the author.
fn named(author: &Author) -> String {
    let name = Escaped(&author.name);
    let mut html = match author.url.as_deref().filter(|url| is_web(url)) {
        Some(url) => format!("<a href=\"{}\">{name}</a>", Escaped(url)),
        None => name.to_string(),
    };
    if let Some(orcid) = &author.orcid {
        let id = orcid.rsplit('/').next().unwrap_or_default();
        let _ = write!(
            html,
            " <a class=\"way\" href=\"https://orcid.org/{0}\" aria-label=\"ORCID {0}\">iD</a>",
            Escaped(id)
        );
    }
    if let Some(email) = &author.email {
        let label = match author.corresponding {
            true => format!("Corresponding author: {email}"),
            false => email.clone(),
        };
        let _ = write!(
            html,
            " <a class=\"way\" href=\"mailto:{}\" aria-label=\"{}\">@</a>",
            Escaped(email),
            Escaped(&label)
        );
    }
    html
}

fn facts(html: &mut String, matter: &FrontMatter) {
    let mut rows: Vec<(&str, String)> = Vec::new();
    if let Some(date) = &matter.date {
        rows.push(("Published", format!("<time>{}</time>", Escaped(date))));
    }
    if let Some(doi) = &matter.doi {
        let doi = doi
            .trim_start_matches("https://doi.org/")
            .trim_start_matches("doi:");
        let link = format!("<a href=\"https://doi.org/{0}\">{0}</a>", Escaped(doi));
        rows.push(("DOI", link));
    }
    if let Some(license) = &matter.license {
        rows.push(("License", licensed(license)));
    }
    if rows.is_empty() {
        return;
    }
    html.push_str("<dl class=\"facts\">\n");
    for (name, value) in rows {
        let _ = writeln!(html, "<div><dt>{name}</dt><dd>{value}</dd></div>");
    }
    html.push_str("</dl>\n");
}

/// A licence, linked if it is a Creative Commons licence or an address itself.
fn licensed(license: &str) -> String {
    if is_web(license) {
        return format!("<a href=\"{0}\">{0}</a>", Escaped(license));
    }
    let name = license.to_ascii_lowercase();
    let kind = name
        .strip_prefix("cc ")
        .or_else(|| name.strip_prefix("cc-"));
    let kind = kind.map(|kind| kind.trim_end_matches([' ', '.', '0', '4', '-']));
    match kind {
        Some(kind @ ("by" | "by-sa" | "by-nd" | "by-nc" | "by-nc-sa" | "by-nc-nd")) => format!(
            "<a rel=\"license\" href=\"https://creativecommons.org/licenses/{kind}/4.0/\">{}</a>",
            Escaped(license)
        ),
        _ if matches!(name.as_str(), "cc0" | "cc 0" | "cc-0") => format!(
            "<a rel=\"license\" href=\"https://creativecommons.org/publicdomain/zero/1.0/\">{}</a>",
            Escaped(license)
        ),
        _ => Escaped(license).to_string(),
    }
}

fn is_web(address: &str) -> bool {
    address.starts_with("https://") || address.starts_with("http://")
}
