//! The index: every page with its first words, by folder, and a full-text search.

use super::{STYLE, SitePage};
use crate::export::address;
use crate::export::escape::Escaped;
use crate::export::{ExportOptions, page};
use crate::notebook::{Cell, CellKind, Notebook};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::fmt::Write;

const SEARCH: &str = include_str!("search.js");

/// The index of pages, in order; pages of one folder are grouped.
pub fn index(title: &str, pages: &[SitePage]) -> String {
    let mut notebook = Notebook::new();
    // A title with any characters: set as an option, which is text, not as Markdown.
    notebook.cells = vec![Cell::of(CellKind::Markdown, "")];
    let options = ExportOptions {
        title: Some(title.to_owned()),
        ..ExportOptions::default()
    };
    let shell = page(&notebook, &options).html;
    let script = script(pages);
    let digest = STANDARD.encode(Sha256::digest(script.as_bytes()));
    let body = format!("{}{}<script>{script}</script>\n", search_box(), list(pages));
    let heading_end = shell
        .find("</h1></section>")
        .map_or(0, |at| at + "</h1></section>".len());
    let end = shell.find("</main>").unwrap_or(shell.len());
    let (head, _) = shell.split_at(heading_end);
    let html = format!("{head}\n{body}{}", &shell[end..]);
    html.replacen(
        "base-uri 'none'",
        &format!("script-src 'sha256-{digest}'; base-uri 'none'"),
        1,
    )
    .replacen("</head>", &format!("<style>\n{STYLE}</style>\n</head>"), 1)
}

/// Shown by the script, because search does not work without one.
fn search_box() -> &'static str {
    "<section class=\"cell text search\" id=\"search\" hidden>\n\
     <label for=\"query\">Search</label>\n\
     <input type=\"search\" id=\"query\" autocomplete=\"off\" spellcheck=\"false\">\n\
     <p id=\"found\" role=\"status\"></p>\n<ol id=\"results\"></ol>\n</section>\n"
}

fn list(pages: &[SitePage]) -> String {
    let mut html = String::from("<section class=\"cell text pages\" id=\"pages\">\n");
    let mut folder = "";
    let mut open = false;
    for page in pages {
        let (of, _) = page.path.rsplit_once('/').unwrap_or(("", &page.path));
        if of != folder || !open {
            if open {
                html.push_str("</ul>\n");
            }
            if !of.is_empty() {
                let name = of.replace(['_', '-'], " ");
                let mut letters = name.chars();
                let first: String = letters
                    .next()
                    .into_iter()
                    .flat_map(char::to_uppercase)
                    .collect();
                let _ = writeln!(
                    html,
                    "<h2>{}{}</h2>",
                    Escaped(&first),
                    Escaped(letters.as_str())
                );
            }
            html.push_str("<ul>\n");
            (folder, open) = (of, true);
        }
        let _ = writeln!(
            html,
            "<li><a href=\"{}\">{}</a><p>{}</p></li>",
            Escaped(&address::path(&page.path)),
            Escaped(&page.outline.title),
            Escaped(&page.outline.description)
        );
    }
    if open {
        html.push_str("</ul>\n");
    }
    html + "</section>\n"
}

/// The search script with its data.
fn script(pages: &[SitePage]) -> String {
    let pages = pages.iter().map(|page| {
        json!({
            "link": address::path(&page.path),
            "title": page.outline.title,
            "sections": page.outline.sections,
        })
    });
    let data = json!(pages.collect::<Vec<_>>()).to_string();
    // No string may end the script element.
    let data = data.replace('<', "\\u003c");
    format!("\"use strict\";\nconst PAGES = {data};\n{SEARCH}")
}
