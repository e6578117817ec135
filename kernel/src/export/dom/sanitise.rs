//! HTML written inside Markdown: harmless elements and attributes stay; scripts,
//! handlers and script addresses are removed. Only a cell's outputs may contain scripts.
//! Source: the allow list of JupyterLab's sanitizer, shortened.

use ammonia::{Builder, UrlRelative};
use std::borrow::Cow;
use std::sync::LazyLock;

#[rustfmt::skip]
const TAGS: [&str; 71] = [
    "a", "abbr", "address", "article", "aside", "b", "bdi", "bdo", "big", "blockquote", "br", "caption",
    "center", "cite", "code", "col", "colgroup", "dd", "del", "details", "dfn", "div", "dl", "dt", "em",
    "figcaption", "figure", "font", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "input", "ins",
    "kbd", "li", "mark", "ol", "p", "pre", "q", "rp", "rt", "ruby", "s", "samp", "small", "span", "strike",
    "strong", "sub", "summary", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "time", "tr", "tt",
    "u", "ul", "var", "wbr",
];

/// HTML elements that are dropped, with or without their content. A name that is neither
/// here nor above is not HTML, but a type as in `Vec<T>`.
#[rustfmt::skip]
const REFUSED: [&str; 50] = [
    "applet", "area", "audio", "base", "body", "button", "canvas", "data", "datalist", "dialog", "embed",
    "fieldset", "footer", "form", "frame", "frameset", "head", "header", "hgroup", "html", "iframe",
    "label", "legend", "link", "main", "map", "math", "menu", "meta", "meter", "nav", "noframes",
    "noscript", "object", "optgroup", "option", "output", "param", "picture", "plaintext", "progress",
    "script", "section", "select", "source", "style", "svg", "template", "textarea", "title",
];

const ATTRIBUTES: [&str; 32] = [
    "align",
    "alt",
    "aria-label",
    "bgcolor",
    "border",
    "cellpadding",
    "cellspacing",
    "checked",
    "cite",
    "class",
    "color",
    "colspan",
    "datetime",
    "dir",
    "disabled",
    "face",
    "height",
    "href",
    "id",
    "lang",
    "name",
    "open",
    "reversed",
    "rowspan",
    "size",
    "src",
    "start",
    "style",
    "title",
    "type",
    "valign",
    "width",
];

/// Properties that do not move a box out of its place.
#[rustfmt::skip]
const STYLES: [&str; 63] = [
    "background", "background-color", "border", "border-bottom", "border-bottom-color", "border-bottom-style",
    "border-bottom-width", "border-collapse", "border-color", "border-left", "border-left-color",
    "border-left-style", "border-left-width", "border-radius", "border-right", "border-right-color",
    "border-right-style", "border-right-width", "border-spacing", "border-style", "border-top", "border-top-color",
    "border-top-style", "border-top-width", "border-width", "box-shadow", "clear", "color", "column-count",
    "column-gap", "display", "flex", "flex-direction", "flex-wrap", "float", "font", "font-family", "font-size",
    "font-style", "font-variant", "font-weight", "gap", "grid-template-columns", "height", "justify-content",
    "letter-spacing", "line-height", "list-style", "list-style-type", "max-height", "max-width", "min-width",
    "opacity", "overflow", "overflow-x", "padding", "text-align", "text-decoration", "text-indent", "text-transform",
    "vertical-align", "white-space", "width",
];

/// Schemes of links and pictures; the filter decides which is allowed where.
const SCHEMES: [&str; 8] = [
    "http",
    "https",
    "mailto",
    "doi",
    "ftp",
    "tel",
    "data",
    "attachment",
];

/// Margins and paddings of single sides, and similar.
const MORE_STYLES: [&str; 13] = [
    "align-items",
    "margin",
    "margin-bottom",
    "margin-left",
    "margin-right",
    "margin-top",
    "min-height",
    "padding-bottom",
    "padding-left",
    "padding-right",
    "padding-top",
    "word-break",
    "overflow-wrap",
];

static BUILDER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut builder = Builder::empty();
    builder
        .tags(TAGS.into())
        .clean_content_tags(["script", "style", "iframe", "object", "template"].into())
        .generic_attributes(ATTRIBUTES.into())
        .filter_style_properties(STYLES.into_iter().chain(MORE_STYLES).collect())
        .url_schemes(SCHEMES.into())
        .url_relative(UrlRelative::PassThrough)
        .link_rel(None)
        .strip_comments(true)
        .attribute_filter(|element, attribute, value| {
            let allowed = match attribute {
                // Data of types other than pictures are pages with scripts.
                "src" => element == "img" && is_picture(value),
                "href" | "cite" => is_safe_link(value),
                // The boxes of task lists.
                "type" if element == "input" => value == "checkbox",
                _ => true,
            };
            allowed.then_some(Cow::Borrowed(value))
        });
    builder
});

/// The safe form of a fragment, with all tags closed.
pub fn sanitise(html: &str) -> String {
    BUILDER.clean(html).to_string()
}

/// Whether a tag as written, `<b>` or `</b>`, is an HTML tag, allowed or not.
pub fn is_html(tag: &str) -> bool {
    let Some(name) = tag.strip_prefix('<') else {
        return true;
    };
    let name = name.strip_prefix('/').unwrap_or(name);
    let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    let name = name[..end.unwrap_or(name.len())].to_ascii_lowercase();
    // Comments, instructions and declarations have no name.
    name.is_empty() || TAGS.contains(&&*name) || REFUSED.contains(&&*name) || name == "video"
}

/// Whether a picture may have this address. The page shows a link instead of a picture
/// that would have to be fetched.
fn is_picture(address: &str) -> bool {
    match address.split_once(':') {
        Some(("data", rest)) => rest.starts_with("image/"),
        Some(("attachment", _)) => true,
        _ => is_safe_link(address),
    }
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
            matches!(
                scheme.as_str(),
                "http" | "https" | "mailto" | "doi" | "ftp" | "tel"
            )
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmless_elements_stay() {
        for html in [
            "<div align=\"center\"><b>x</b> &amp; <br></div>",
            "<div class=\"alert alert-info\" style=\"color:red\">x</div>",
            "<details open=\"\"><summary>s</summary>x</details>",
            "H<sub>2</sub>O <kbd>Ctrl</kbd> <font color=\"red\">r</font>",
            "<table><tbody><tr><td colspan=\"2\">1</td></tr></tbody></table>",
            "<img src=\"data:image/png;base64,AA==\" width=\"3\">",
            "<a href=\"#x\" title=\"a&quot;b\">t</a><a href=\"mailto:a@b.c\">t</a>",
        ] {
            assert_eq!(sanitise(html), html);
        }
    }

    #[test]
    fn scripts_handlers_and_their_addresses_go() {
        for (html, expected) in [
            ("a<script>alert(1)</script>b", "ab"),
            ("<SCRIPT src=x></SCRIPT >b", "b"),
            ("a<script>never closed", "a"),
            ("<b onclick=\"x()\">t</b>", "<b>t</b>"),
            ("<a href=\"java&#10;script:x()\">t</a>", "<a>t</a>"),
            ("<a href='JavaScript&colon;x'>t</a>", "<a>t</a>"),
            ("<a href=data:text/html,x>t</a>", "<a>t</a>"),
            ("<img src=data:text/html,x onerror=x>", "<img>"),
            ("<svg onload=x><script>x</script></svg>t", "t"),
            ("<math><mtext><style><img src=x onerror=y>", ""),
            (
                "<div style=\"position: fixed; color: red\">t",
                "<div style=\"color:red\">t</div>",
            ),
            ("<iframe src=https://x.org></iframe>t", "t"),
            ("<form action=x><button>t</button></form>", "t"),
            ("a <!-- c --> d &lt;3", "a  d &lt;3"),
        ] {
            assert_eq!(sanitise(html), expected, "{html}");
        }
    }

    #[test]
    fn types_are_no_html() {
        assert!(is_html("<b>") && is_html("</DIV >") && is_html("<svg onload=x>"));
        assert!(is_html("<!-- x -->") && is_html("<h1/>"));
        assert!(!is_html("<T>") && !is_html("<String>") && !is_html("</my-tag>"));
    }
}
