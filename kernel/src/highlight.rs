//! Converts Rust source to coloured HTML. A cell is a list of statements, so it is
//! parsed as the body of a function; rust-analyzer's parser keeps every token,
//! even in broken code. Source: ra_ap_syntax (rust-analyzer's lossless tree).

use crate::export::escape::Escaped;
use ra_ap_syntax::{AstNode, Edition, SourceFile, SyntaxKind, SyntaxToken, T};
use std::fmt::Write;

const BEFORE: &str = "fn cell() {\n";
const AFTER: &str = "\n}";

/// The source as HTML: tokens in `<span class="hl-...">`, all text escaped.
pub fn to_html(source: &str) -> String {
    let commands = command_lines(source);
    let wrapped = format!("{BEFORE}{commands}{AFTER}");
    let tree = SourceFile::parse(&wrapped, Edition::Edition2024).tree();
    let mut spans = Spans::default();
    let end = BEFORE.len() + source.len();
    let mut at = BEFORE.len();
    let tokens = tree.syntax().descendants_with_tokens();
    for token in tokens.filter_map(|element| element.into_token()) {
        let range = token.text_range();
        let from = usize::from(range.start()).max(BEFORE.len());
        let to = usize::from(range.end()).min(end);
        if from >= to {
            continue;
        }
        // From the source itself: commands are blanked in what was parsed.
        let text = &source[from - BEFORE.len()..to - BEFORE.len()];
        spans.push(class(&token), text);
        at = to;
    }
    spans.push(None, &source[at - BEFORE.len()..]);
    spans.finish()
}

/// Text in runs of one class.
#[derive(Default)]
struct Spans {
    html: String,
    class: Option<&'static str>,
}

impl Spans {
    fn push(&mut self, class: Option<&'static str>, text: &str) {
        if class != self.class {
            if self.class.is_some() {
                self.html.push_str("</span>");
            }
            if let Some(class) = class {
                let _ = write!(self.html, "<span class=\"hl-{class}\">");
            }
            self.class = class;
        }
        let _ = write!(self.html, "{}", Escaped(text));
    }

    fn finish(mut self) -> String {
        self.push(None, "");
        self.html
    }
}

/// The start of a comment that replaces a command in the parsed text.
const MASK: &str = "//\u{1}";

/// The source with evcxr's command lines (`:dep serde = "1"`) replaced by comments of the
/// same length.
fn command_lines(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    for line in source.split_inclusive('\n') {
        let text = line.trim_end_matches(['\n', '\r']);
        let is_command = text.len() >= MASK.len()
            && text.starts_with(':')
            && text[1..].starts_with(|c: char| c.is_ascii_alphabetic());
        if is_command {
            out.push_str(MASK);
            out.extend(std::iter::repeat_n('.', text.len() - MASK.len()));
            out.push_str(&line[text.len()..]);
        } else {
            out.push_str(line);
        }
    }
    out
}

/// The colour class of a token, by its kind and its context.
fn class(token: &SyntaxToken) -> Option<&'static str> {
    use SyntaxKind as K;
    let kind = token.kind();
    if kind == K::COMMENT {
        let masked = token.text().starts_with(MASK);
        return Some(if masked { "command" } else { "comment" });
    }
    if in_attribute(token) {
        return Some("attribute");
    }
    match kind {
        K::STRING | K::BYTE_STRING | K::C_STRING | K::CHAR | K::BYTE => Some("string"),
        K::INT_NUMBER | K::FLOAT_NUMBER => Some("number"),
        K::LIFETIME_IDENT => Some("lifetime"),
        T![true] | T![false] => Some("number"),
        T![self] | T![Self] | T![super] | T![crate] => Some("keyword"),
        K::IDENT => identifier(token),
        T![!] if token.parent().is_some_and(|p| p.kind() == K::MACRO_CALL) => Some("macro"),
        kind if kind.is_keyword(Edition::Edition2024) => Some("keyword"),
        _ => None,
    }
}

fn in_attribute(token: &SyntaxToken) -> bool {
    let mut ancestors = token.parent_ancestors();
    ancestors.any(|node| node.kind() == SyntaxKind::ATTR)
}

fn identifier(token: &SyntaxToken) -> Option<&'static str> {
    use SyntaxKind as K;
    let parent = token.parent()?;
    let grand = parent.parent();
    let grand_kind = grand.as_ref().map(|node| node.kind());
    match (parent.kind(), grand_kind) {
        (K::NAME, Some(K::FN)) => return Some("function"),
        (K::NAME_REF, Some(K::METHOD_CALL_EXPR)) => return Some("function"),
        (K::NAME_REF, Some(K::PATH_SEGMENT)) => {}
        // Inside a macro call there are only tokens: `Name`, `call(`.
        (K::TOKEN_TREE, _) => {
            let next = token.next_token().map(|next| next.kind());
            if next == Some(T!['(']) || next == Some(K::L_PAREN) {
                return Some("function");
            }
            if next == Some(T![!]) {
                return Some("macro");
            }
            return type_like(token.text());
        }
        _ => return type_like(token.text()),
    }
    // The last segment of a path that is called, or that names a macro.
    let path = grand.and_then(|segment| segment.parent())?;
    let owner = path.parent()?;
    match owner.kind() {
        K::MACRO_CALL => Some("macro"),
        K::PATH_EXPR if owner.parent().is_some_and(|p| p.kind() == K::CALL_EXPR) => {
            type_like(token.text()).or(Some("function"))
        }
        K::PATH_TYPE => Some("type"),
        _ => type_like(token.text()),
    }
}

/// Types are written `LikeThis` and constants `LIKE_THIS`.
fn type_like(name: &str) -> Option<&'static str> {
    name.starts_with(char::is_uppercase).then_some("type")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The page's text, tags removed and entities resolved.
    fn text_of(html: &str) -> String {
        let mut text = String::new();
        let mut rest = html;
        while let Some(at) = rest.find('<') {
            text.push_str(&rest[..at]);
            rest = &rest[at + rest[at..].find('>').unwrap() + 1..];
        }
        text.push_str(rest);
        text.replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"")
            .replace("&#39;", "'")
            .replace("&amp;", "&")
    }

    #[test]
    fn a_cell_is_coloured_by_meaning() {
        insta::assert_snapshot!(to_html(
            ":dep holoscope = { path = \"..\" }\nuse holoscope::prelude::*;\n\
             // Numbers, at last.\n#[derive(Debug)]\nstruct Run<'a> { name: &'a str }\n\
             fn twice(x: f64) -> f64 { 2.0 * x }\n\
             let model = Transformer::new(&TransformerConfig::default())?;\n\
             for i in 0..3 { println!(\"{} < {}\", i, twice(1e-3).abs()); }\nmodel.cfg()"
        ));
    }

    #[test]
    fn any_text_keeps_its_characters() {
        for source in [
            "",
            "}",
            "fn f( {{ <b> & \"unterminated",
            "let é = '\\u{1F980}'; 🦀 /* open",
            ":",
            ":d",
            ":dep é = 1\r\n:vars\n  :x",
            "\\end ` ~ # r#\"raw\"# 1_000u8 0xZZ",
            "\n\n",
        ] {
            assert_eq!(text_of(&to_html(source)), source, "{source:?}");
        }
    }
}
