//! Pictures as files beside the text.

use super::dom;
use super::inlines::{address, escaped};
use base64::Engine;
use markup5ever_rcdom::Handle;

/// The pictures so far.
pub struct Pictures {
    folder: String,
    pub files: Vec<(String, Vec<u8>)>,
}

impl Pictures {
    pub fn new(folder: &str) -> Self {
        Self {
            folder: folder.to_owned(),
            files: Vec::new(),
        }
    }

    /// Keeps an `<svg>` or an `<img>` with a `data:` address; the Markdown that shows it.
    pub fn keep(&mut self, node: &Handle) -> String {
        let (alt, kept) = match super::tag_name(node) {
            Some("svg") => (dom::attribute(node, "aria-label"), Some(svg(node))),
            _ => (dom::attribute(node, "alt"), embedded(node)),
        };
        let alt = escaped(alt.as_deref().unwrap_or("figure").trim());
        let alt = alt.split_whitespace().collect::<Vec<_>>().join(" ");
        let Some((ending, bytes)) = kept else {
            let source = dom::attribute(node, "src").unwrap_or_default();
            return format!("![{alt}]({})", address(&source));
        };
        let same = self
            .files
            .iter()
            .find(|(name, known)| name.ends_with(ending) && *known == bytes);
        let name = match same {
            Some((name, _)) => name.clone(),
            None => {
                let name = format!("picture-{}.{ending}", self.files.len() + 1);
                self.files.push((name.clone(), bytes));
                name
            }
        };
        format!("![{alt}]({})", address(&format!("{}/{name}", self.folder)))
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
