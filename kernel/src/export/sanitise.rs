//! HTML written inside Markdown: known harmless tags and attributes stay, all
//! else shows as text. Only a cell's outputs may bring scripts.
//! Source: the allow list of JupyterLab's sanitizer, shortened.

use super::escape::Escaped;
use std::fmt::Write;

const TAGS: [&str; 61] = [
    "a",
    "abbr",
    "b",
    "blockquote",
    "br",
    "caption",
    "center",
    "cite",
    "code",
    "col",
    "colgroup",
    "dd",
    "del",
    "details",
    "dfn",
    "div",
    "dl",
    "dt",
    "em",
    "figcaption",
    "figure",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "img",
    "ins",
    "kbd",
    "li",
    "mark",
    "ol",
    "p",
    "pre",
    "q",
    "rp",
    "rt",
    "ruby",
    "s",
    "samp",
    "small",
    "span",
    "strong",
    "sub",
    "summary",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "u",
    "ul",
    "var",
    "wbr",
    "time",
];

const ATTRIBUTES: [&str; 17] = [
    "align", "alt", "class", "colspan", "dir", "height", "href", "id", "lang", "open", "rowspan",
    "src", "start", "style", "title", "valign", "width",
];

// No `section`, `main` or `nav`: a text must not close the page's own.

/// Elements whose content is no text and goes with them.
const DROPPED: [&str; 6] = [
    "script", "style", "iframe", "object", "template", "noscript",
];

/// The safe form of an HTML fragment. `image` turns the address of an image
/// into what the page may hold, or says that it may hold none.
pub fn sanitise(html: &str, image: &dyn Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        // Text between tags keeps its entities.
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(comment) = rest.strip_prefix("<!--") {
            let end = comment.find("-->").map_or(rest.len(), |end| end + 7);
            rest = &rest[end..];
            continue;
        }
        let Some((tag, length)) = Tag::parse(rest) else {
            out.push_str("&lt;");
            rest = &rest[1..];
            continue;
        };
        if DROPPED.contains(&tag.name.as_str()) {
            let end = format!("</{}", tag.name);
            let lower = rest.to_ascii_lowercase();
            let skip = match lower.find(&end) {
                Some(at) if !tag.closing => {
                    at + lower[at..].find('>').map_or(end.len(), |gt| gt + 1)
                }
                _ => length,
            };
            rest = &rest[skip..];
            continue;
        }
        if TAGS.contains(&tag.name.as_str()) {
            tag.write(&mut out, image);
        } else {
            let _ = write!(out, "{}", Escaped(&rest[..length]));
        }
        rest = &rest[length..];
    }
    out.push_str(rest);
    out
}

/// Whether a link may point there: the web, mail, or the page's own folder.
pub fn is_safe_link(address: &str) -> bool {
    // Browsers ignore these inside a scheme: "java\nscript:".
    let plain: String = address
        .chars()
        .filter(|c| !c.is_control() && !c.is_whitespace())
        .collect();
    match plain.find([':', '/', '?', '#']) {
        Some(at) if plain[at..].starts_with(':') => {
            let scheme = plain[..at].to_ascii_lowercase();
            matches!(scheme.as_str(), "http" | "https" | "mailto" | "doi")
        }
        _ => true,
    }
}

struct Tag {
    name: String,
    closing: bool,
    attributes: Vec<(String, String)>,
}

impl Tag {
    /// The tag at the start of `text` and its length.
    fn parse(text: &str) -> Option<(Tag, usize)> {
        let body = text.strip_prefix('<')?;
        let (body, closing) = match body.strip_prefix('/') {
            Some(body) => (body, true),
            None => (body, false),
        };
        let end = body.find(|c: char| !c.is_ascii_alphanumeric() && c != '-')?;
        let name = body[..end].to_ascii_lowercase();
        if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return None;
        }
        let mut attributes = Vec::new();
        let mut rest = &body[end..];
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
            if let Some(after) = rest.strip_prefix('>') {
                let tag = Tag {
                    name,
                    closing,
                    attributes,
                };
                return Some((tag, text.len() - after.len()));
            }
            let end = rest.find(|c: char| c.is_whitespace() || "=>/".contains(c))?;
            let key = rest[..end].to_ascii_lowercase();
            // A stray `=` names nothing and would not move us on.
            if key.is_empty() {
                return None;
            }
            rest = rest[end..].trim_start();
            let mut value = "";
            if let Some(after) = rest.strip_prefix('=') {
                let after = after.trim_start();
                (value, rest) = match after.chars().next()? {
                    quote @ ('"' | '\'') => after[1..].split_once(quote)?,
                    _ => after.split_at(after.find(|c: char| c.is_whitespace() || c == '>')?),
                };
            }
            attributes.push((key, value.to_owned()));
        }
    }

    fn write(&self, out: &mut String, image: &dyn Fn(&str) -> Option<String>) {
        if self.closing {
            let _ = write!(out, "</{}>", self.name);
            return;
        }
        let value_of = |key: &str| {
            let found = self.attributes.iter().find(|(k, _)| k == key);
            found.map(|(_, value)| decode(value))
        };
        if self.name == "img" {
            let address = value_of("src").unwrap_or_default();
            let Some(data) = image(&address) else {
                let alt = value_of("alt").filter(|alt| !alt.is_empty());
                link_to_image(out, &address, alt.as_deref().unwrap_or("image"));
                return;
            };
            self.write_with(out, Some(&data));
            return;
        }
        self.write_with(out, None);
    }

    fn write_with(&self, out: &mut String, source: Option<&str>) {
        let _ = write!(out, "<{}", self.name);
        for (key, value) in &self.attributes {
            if !ATTRIBUTES.contains(&key.as_str()) {
                continue;
            }
            let mut value = decode(value);
            if key == "src" {
                match source {
                    Some(data) => value = data.to_owned(),
                    None => continue,
                }
            }
            if key == "href" && !is_safe_link(&value) {
                continue;
            }
            let _ = write!(out, " {key}=\"{}\"", Escaped(&value));
        }
        out.push('>');
    }
}

/// Where the picture would have to be fetched, a link to it.
pub fn link_to_image(out: &mut String, address: &str, alt: &str) {
    if is_safe_link(address) && !address.is_empty() {
        let _ = write!(
            out,
            "<a class=\"image-link\" href=\"{}\">{}</a>",
            Escaped(address),
            Escaped(alt)
        );
    } else {
        let _ = write!(out, "{}", Escaped(alt));
    }
}

/// The entities that hide characters in attributes, so that a check sees what
/// the browser will see; what is not known stays and is escaped again.
fn decode(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let name_end = rest[1..]
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '#')
            .map_or(rest.len(), |end| end + 1);
        let name = &rest[1..name_end];
        let found = match name.strip_prefix('#') {
            Some(digits) => match digits.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok().and_then(char::from_u32),
                None => digits.parse().ok().and_then(char::from_u32),
            },
            None => match name {
                "amp" => Some('&'),
                "lt" => Some('<'),
                "gt" => Some('>'),
                "quot" => Some('"'),
                "apos" => Some('\''),
                "colon" => Some(':'),
                "Tab" => Some('\t'),
                "NewLine" => Some('\n'),
                _ => None,
            },
        };
        match found {
            Some(c) => {
                out.push(c);
                let after = &rest[name_end..];
                rest = after.strip_prefix(';').unwrap_or(after);
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean(html: &str) -> String {
        sanitise(html, &|_| None)
    }

    #[test]
    fn harmless_tags_stay() {
        let html = "<div align=\"center\"><b>x</b> &amp; <br/></div>";
        assert_eq!(
            clean(html),
            "<div align=\"center\"><b>x</b> &amp; <br></div>"
        );
    }

    #[test]
    fn scripts_handlers_and_their_addresses_go() {
        assert_eq!(clean("a<script>alert(1)</script>b"), "ab");
        assert_eq!(clean("<SCRIPT src=x></SCRIPT >b"), "b");
        assert_eq!(clean("<script>never closed"), "never closed");
        assert_eq!(clean("<b onclick=\"x()\">t</b>"), "<b>t</b>");
        assert_eq!(clean("<a href=\"java&#10;script:x()\">t</a>"), "<a>t</a>");
        assert_eq!(clean("<a href='JavaScript&colon;x'>t</a>"), "<a>t</a>");
        assert_eq!(clean("<a href=data:text/html,x>t</a>"), "<a>t</a>");
        assert_eq!(clean("<svg onload=x>"), "&lt;svg onload=x&gt;");
        assert_eq!(clean("a < b <!-- c --> d <3"), "a &lt; b  d &lt;3");
        assert_eq!(clean("<b title='a\"b' x==1>"), "<b title=\"a&quot;b\">");
        assert_eq!(clean("<b title='a\"b'>"), "<b title=\"a&quot;b\">");
    }

    #[test]
    fn a_picture_that_must_be_fetched_becomes_a_link() {
        assert_eq!(
            clean("<img src=\"https://x.org/a.svg\" alt=\"Open\"/>"),
            "<a class=\"image-link\" href=\"https://x.org/a.svg\">Open</a>"
        );
        let data = sanitise("<img src=a.png width=3>", &|_| Some("data:x".to_owned()));
        assert_eq!(data, "<img src=\"data:x\" width=\"3\">");
    }
}
