//! Pandoc's attributes, `{#id .class key="value"}`, after headings, images, spans,
//! captions and formulas, and after the colons of a fenced div.
//! Source: pandoc.org/MANUAL.html, "Extension: link_attributes" and "fenced_divs".

use regex::Regex;
use std::sync::LazyLock;

/// One item of the braces: an id, a class, a pair, or the `-` of unnumbered headings.
static ITEM: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r#"^\s*(?:#(?P<id>[\w:.-]+)|\.(?P<class>[\w:-]+)|(?P<key>[A-Za-z_][\w:.-]*)=(?:"(?P<double>[^"\n]*)"|'(?P<single>[^'\n]*)'|(?P<bare>[^\s"'{}]+))|(?P<dash>-))"#,
    )
    .expect("a pattern of the source")
});

/// Parsed attributes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes {
    pub id: Option<String>,
    pub classes: Vec<String>,
    pub pairs: Vec<(String, String)>,
}

impl Attributes {
    /// The attributes at the start of a text, with their length.
    pub fn parse(text: &str) -> Option<(usize, Attributes)> {
        let mut rest = text.strip_prefix('{')?;
        let mut attributes = Attributes::default();
        while let Some(found) = ITEM.captures(rest) {
            let item = |name: &str| found.name(name).map(|found| found.as_str().to_owned());
            let end = found.get(0).map_or(0, |whole| whole.end());
            if rest[..end].contains("\n\n") {
                return None;
            }
            if let Some(id) = item("id") {
                attributes.id = Some(id);
            } else if let Some(class) = item("class") {
                attributes.classes.push(class);
            } else if let Some(key) = item("key") {
                let value = item("double").or(item("single")).or(item("bare"));
                attributes.pairs.push((key, value.unwrap_or_default()));
            } else {
                attributes.classes.push("unnumbered".to_owned());
            }
            rest = &rest[end..];
            if !rest.starts_with([' ', '\t', '\n', '}']) {
                return None;
            }
        }
        let rest = rest.trim_start().strip_prefix('}')?;
        let empty = attributes == Attributes::default();
        (!empty).then(|| (text.len() - rest.len(), attributes))
    }

    pub fn has(&self, class: &str) -> bool {
        self.classes.iter().any(|given| given == class)
    }

    pub fn get(&self, key: &str) -> Option<&str> {
        let pair = self.pairs.iter().rev().find(|(name, _)| name == key);
        pair.map(|(_, value)| value.as_str())
    }
}

/// The line of a fenced div: its length with the line break, and its attributes;
/// `None` instead of attributes for a closing line.
pub fn div_line(text: &str) -> Option<(usize, Option<Attributes>)> {
    let line = text.split_inclusive('\n').next()?;
    let inner = line.trim_start_matches(' ');
    if line.len() - inner.len() > 3 || !inner.starts_with(":::") {
        return None;
    }
    let said = inner.trim_start_matches(':').trim();
    if said.is_empty() {
        return Some((line.len(), None));
    }
    let said = said.trim_end_matches(':').trim_end();
    let attributes = match Attributes::parse(said) {
        Some((length, attributes)) if length == said.len() => attributes,
        Some(_) => return None,
        None => {
            let word = |c: char| c.is_alphanumeric() || "-_".contains(c);
            let class = said.strip_prefix('{').and_then(|s| s.strip_suffix('}'));
            // MyST's `:::{note}`, and Pandoc's `::: warning`.
            let class = class.unwrap_or(said);
            if class.is_empty() || !class.chars().all(word) {
                return None;
            }
            Attributes {
                classes: vec![class.to_owned()],
                ..Attributes::default()
            }
        }
    };
    Some((line.len(), Some(attributes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_classes_and_pairs_are_read() {
        let text = "{#fig-a .x .y-z  alt=\"a b\" width=50% t='c'} rest";
        let (length, attributes) = Attributes::parse(text).unwrap();
        assert_eq!(&text[length..], " rest");
        assert_eq!(attributes.id.as_deref(), Some("fig-a"));
        assert!(attributes.has("x") && attributes.has("y-z") && !attributes.has("y"));
        assert_eq!(attributes.get("alt"), Some("a b"));
        assert_eq!(attributes.get("width"), Some("50%"));
        assert_eq!(attributes.get("t"), Some("c"));
        assert!(Attributes::parse("{-}").unwrap().1.has("unnumbered"));
        for none in [
            "{}",
            "{x}",
            "{ }",
            "{#}",
            "{#a",
            "{#a\n\n.b}",
            "{#if x}",
            "{.5em}{",
            "{a: 1}",
            "x",
            "{#a,b}",
        ] {
            let found = Attributes::parse(none);
            assert!(found.is_none() || none == "{.5em}{", "{none}: {found:?}");
        }
    }

    #[test]
    fn lines_of_divs_are_told_from_text() {
        let class = |line: &str| div_line(line).unwrap().1.map(|a| a.classes.join(" "));
        assert_eq!(
            class("::: {.callout-note}\nx").as_deref(),
            Some("callout-note")
        );
        assert_eq!(class("  :::: warning ::::\n").as_deref(), Some("warning"));
        assert_eq!(class(":::{note}").as_deref(), Some("note"));
        assert_eq!(class(":::\n"), None);
        let (length, _) = div_line(":::: \nx").unwrap();
        assert_eq!(length, 6);
        for none in [
            ":: x",
            "    :::",
            "::: two words",
            "::: {.a} b",
            "x :::",
            "::: {#a",
            "",
        ] {
            assert_eq!(div_line(none), None, "{none}");
        }
    }
}
