//! Pictures as files next to the text.

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
    /// Ids that links refer to and that are not written yet.
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

    /// An anchor for a node that a link refers to. Quarto and GitHub give headings other ids.
    pub fn anchor(&mut self, node: &Handle) -> Option<String> {
        let id = dom::attribute(node, "id").or_else(|| dom::attribute(node, "name"))?;
        let is_target = self.targets.remove(&id);
        is_target.then(|| format!("<a id=\"{}\"></a>", escape(&id)))
    }

    /// Stores an `<svg>` or an `<img>` with a `data:` address; returns the Markdown that shows it.
    pub fn keep(&mut self, node: &Handle) -> String {
        let (source, alt) = self.file(node);
        format!("![{}]({})", escaped(&alt), address(&source))
    }

    /// The address of a picture, which is stored as a file if it is embedded, and its alternative text.
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

/// An SVG as a separate file.
fn svg(node: &Handle) -> (&'static str, Vec<u8>) {
    if dom::attribute(node, "xmlns").is_none() {
        dom::set_attribute(node, "xmlns", "http://www.w3.org/2000/svg");
    }
    let alone = dom::element("div", &[], vec![node.clone()]);
    // XML does not define the HTML entity `&nbsp;`.
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
