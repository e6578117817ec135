//! Several notebooks as a small site: their pages with navigation, and an index that searches them without a server.

mod index;
mod outline;

use super::address;
use super::escape::Escaped;
pub use index::index;
pub use outline::{Outline, outline};
use std::fmt::Write;

/// One page of a site.
pub struct SitePage {
    /// Its file, relative to the site's folder, parts separated by `/`.
    pub path: String,
    pub html: String,
    pub outline: Outline,
}

const STYLE: &str = include_str!("site.css");

/// A page with links to the index, to the previous and the next page, and with links to notebooks of the site turned
/// into links to their pages.
pub fn with_way(
    page: &SitePage,
    before: Option<&SitePage>,
    next: Option<&SitePage>,
    pages: &[SitePage],
) -> String {
    let up = "../".repeat(page.path.matches('/').count());
    let mut way =
        format!("<nav class=\"site\" aria-label=\"Site\"><a href=\"{up}index.html\">Index</a>");
    for (rel, to) in [("prev", before), ("next", next)] {
        if let Some(to) = to {
            let arrow = match rel {
                "prev" => ("\u{2190} ", ""),
                _ => ("", " \u{2192}"),
            };
            let _ = write!(
                way,
                "<a rel=\"{rel}\" href=\"{up}{}\">{}{}{}</a>",
                Escaped(&address::path(&to.path)),
                arrow.0,
                Escaped(&to.outline.title),
                arrow.1
            );
        }
    }
    way.push_str("</nav>\n");
    let html = page
        .html
        .replacen("</head>", &format!("<style>\n{STYLE}</style>\n</head>"), 1)
        .replacen("<main>\n", &format!("<main>\n{way}"), 1);
    with_links_to_pages(&html, &page.path, pages)
}

/// Turns links to notebooks of the site into links to their pages.
fn with_links_to_pages(html: &str, from: &str, pages: &[SitePage]) -> String {
    const HREF: &str = "href=\"";
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find(HREF) {
        let (head, tail) = rest.split_at(at + HREF.len());
        out.push_str(head);
        let end = tail.find('"').unwrap_or(tail.len());
        let (address, after) = tail.split_at(end);
        let (file, fragment) = address.split_at(address.find('#').unwrap_or(end));
        match page_of(file, from, pages) {
            Some(page) => {
                out.push_str(&page);
                out.push_str(fragment);
            }
            None => out.push_str(address),
        }
        rest = after;
    }
    out + rest
}

/// The page of a linked notebook, as an address relative to the page `from`.
fn page_of(address: &str, from: &str, pages: &[SitePage]) -> Option<String> {
    let text = address::decoded(&address.replace("&amp;", "&"));
    let page = format!("{}.html", text.strip_suffix(".ipynb")?);
    let path = resolved(from, &page)?;
    let is_here = pages.iter().any(|of| of.path == path);
    is_here.then(|| address::path(&page))
}

/// Resolves a path relative to a page's folder against the site's folder; `None` where it leaves that.
fn resolved(from: &str, relative: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in relative.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests;
