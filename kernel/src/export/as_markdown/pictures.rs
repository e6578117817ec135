//! Pictures as files beside the text.

use super::nodes;
use super::words::{address, escaped};
use crate::export::address::path;
use crate::export::dom;
use crate::export::escape::escape;
use base64::Engine;
use markup5ever_rcdom::Handle;
use std::collections::HashSet;

/// The pictures so far.
pub struct Pictures {
    folder: String,
    /// Ids that links lead to, and that are yet to be written.
    pub targets: HashSet<String>,
    pub files: Vec<(String, Vec<u8>)>,
}

impl Pictures {
    pub fn new(folder: &str) -> Self {
        Self {
            folder: folder.to_owned(),
            targets: HashSet::new(),
            files: Vec::new(),
        }
    }

    /// A place that a link leads to, or nothing. Quarto and GitHub give headings other ids.
    pub fn anchor(&mut self, node: &Handle) -> Option<String> {
        let id = dom::attribute(node, "id").or_else(|| dom::attribute(node, "name"))?;
        let is_target = self.targets.remove(&id);
        is_target.then(|| format!("<a id=\"{}\"></a>", escape(&id)))
    }

    /// Keeps an `<svg>` or an `<img>` with a `data:` address; the Markdown that shows it.
    pub fn keep(&mut self, node: &Handle) -> String {
        let (source, alt) = self.file(node);
        format!("![{}]({})", escaped(&alt), address(&source))
    }

    /// The address of a picture, as a file where it has none of its own, and what it says to those who do not see it.
    pub fn file(&mut self, node: &Handle) -> (String, String) {
        let (alt, kept) = match nodes::tag_name(node) {
            Some("svg") => (dom::attribute(node, "aria-label"), Some(svg(node))),
            _ => (dom::attribute(node, "alt"), embedded(node)),
        };
        let alt = alt.as_deref().unwrap_or("figure").split_whitespace();
        let alt = alt.collect::<Vec<_>>().join(" ");
        let Some((ending, bytes)) = kept else {
            return (dom::attribute(node, "src").unwrap_or_default(), alt);
        };
        let mut known = self.files.iter();
        let same = known.find(|(name, known)| name.ends_with(ending) && *known == bytes);
        let name = match same {
            Some((name, _)) => name.clone(),
            None => {
                let name = format!("picture-{}.{ending}", self.files.len() + 1);
                self.files.push((name.clone(), bytes));
                name
            }
        };
        (format!("{}/{name}", path(&self.folder)), alt)
    }
}

/// A file of its own.
fn svg(node: &Handle) -> (&'static str, Vec<u8>) {
    if dom::attribute(node, "xmlns").is_none() {
        dom::set_attribute(node, "xmlns", "http://www.w3.org/2000/svg");
    }
    let alone = dom::element("div", &[], vec![node.clone()]);
    // What HTML writes for a character that XML knows by its number alone.
    let text = dom::serialise(&alone).replace("&nbsp;", "&#160;");
    ("svg", text.into_bytes())
}

/// The type and the bytes of a `data:` address.
fn embedded(node: &Handle) -> Option<(&'static str, Vec<u8>)> {
    let source = dom::attribute(node, "src")?;
    let (mime, data) = source.strip_prefix("data:")?.split_once(";base64,")?;
    let ending = match mime {
        "image/png" => "png",
        "image/jpeg" => "jpg",
        "image/gif" => "gif",
        "image/webp" => "webp",
        "image/avif" => "avif",
        "image/bmp" => "bmp",
        "image/svg+xml" => "svg",
        _ => return None,
    };
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(data)
        .ok()?;
    Some((ending, bytes))
}
