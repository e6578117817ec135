//! Pictures embedded in the page as data URIs, so that the page needs neither a
//! network nor other files.
//! Source: RFC 2397.

use super::address::decoded;
use crate::notebook::Cell;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::path::Path;

/// Files larger than this stay links.
const LARGEST: u64 = 20 << 20;

/// The data URI for an image in a Markdown cell: an attachment, an existing data
/// URI, or a file next to the notebook. `None` for an image that would have to
/// be fetched or does not exist.
pub fn resolve(address: &str, cell: &Cell, folder: Option<&Path>) -> Option<String> {
    if let Some(rest) = address.strip_prefix("data:") {
        return rest.starts_with("image/").then(|| address.to_owned());
    }
    if let Some(name) = address.strip_prefix("attachment:") {
        let attachments = cell.extra.get("attachments")?;
        let bundle = attachments
            .get(name)
            .or_else(|| attachments.get(decoded(name).as_str()))?;
        let (mime, data) = bundle.as_object()?.iter().next()?;
        return data_uri(mime, data);
    }
    if address.contains("://") || address.starts_with("//") {
        return None;
    }
    let name = decoded(address.split(['?', '#']).next()?);
    let path = folder?.join(&name);
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    let mime = match extension.as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "svg" => "image/svg+xml",
        _ => return None,
    };
    let metadata = path.metadata().ok()?;
    if !metadata.is_file() || metadata.len() > LARGEST {
        return None;
    }
    let bytes = std::fs::read(&path).ok()?;
    Some(format!("data:{mime};base64,{}", STANDARD.encode(bytes)))
}

/// The data URI of one entry of a MIME bundle; `None` if it is not a picture.
pub fn data_uri(mime: &str, data: &Value) -> Option<String> {
    if !mime.starts_with("image/") || !mime.bytes().all(|b| b.is_ascii_graphic()) {
        return None;
    }
    let text = data.as_str()?;
    if mime == "image/svg+xml" {
        return Some(format!("data:{mime};base64,{}", STANDARD.encode(text)));
    }
    let digits: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    // Decoded to make sure that only base64 gets into the attribute.
    STANDARD.decode(&digits).ok()?;
    Some(format!("data:{mime};base64,{digits}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn attachments_and_files_become_data() {
        let mut cell = Cell::markdown("");
        let bundle = json!({"a b.png": {"image/png": "iVBORw0KGgo=\n"}});
        cell.extra.insert("attachments".into(), bundle);
        let expected = Some("data:image/png;base64,iVBORw0KGgo=".to_owned());
        assert_eq!(resolve("attachment:a%20b.png", &cell, None), expected);

        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("é.png"), b"\x89PNG\r\n\x1a\n").unwrap();
        let address = "%C3%A9.png?raw=1";
        assert_eq!(resolve(address, &cell, Some(folder.path())), expected);
        assert_eq!(resolve("none.png", &cell, Some(folder.path())), None);
        assert_eq!(
            resolve("https://x.org/a.png", &cell, Some(folder.path())),
            None
        );
        assert_eq!(resolve("data:text/html,x", &cell, None), None);
    }

    #[test]
    fn what_is_not_base64_is_no_picture() {
        assert_eq!(data_uri("image/png", &json!("\" onload=\"x")), None);
        assert_eq!(data_uri("text/html", &json!("aaaa")), None);
    }
}
