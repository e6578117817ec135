//! Pandoc's citations and Quarto's cross-references: `@key`, `[@key, p. 3; see @k2]`,
//! `[-@key]`. Source: pandoc.org/MANUAL.html, "Citation syntax"; Quarto,
//! "Cross References".

use super::attributes::Attributes;
use regex::Regex;
use std::sync::LazyLock;

const KEY: &str = r"(?P<key>\w+(?:[:.#$%&+?<>~/-]\w+)*)";

/// `@key` or `@{any key}`.
static BARE: LazyLock<Regex> =
    LazyLock::new(|| regex(&format!(r"^@(?:{KEY}|\{{(?P<braced>[^\s{{}}]+)\}})")));

/// A locator in brackets after a key in the text: `@key [p. 3]`.
static LOCATOR: LazyLock<Regex> = LazyLock::new(|| regex(r"^ ?\[([^\[\]@\n]{1,80})\]"));

/// One citation within brackets.
static ITEM: LazyLock<Regex> = LazyLock::new(|| {
    regex(&format!(
        r"(?s)^\s*(?P<prefix>(?:.*?[^\w/.@-])??)(?P<dash>-)?@(?:{KEY}|\{{(?P<braced>[^\s{{}}]+)\}})(?P<suffix>.*)$"
    ))
});

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a pattern of the source")
}

/// Prefixes of labels that are cross-references and never keys of a bibliography.
pub const KINDS: [&str; 13] = [
    "fig", "tbl", "lst", "eq", "sec", "thm", "lem", "cor", "prp", "cnj", "def", "exm", "exr",
];

/// One key with the text around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cite {
    pub prefix: String,
    pub key: String,
    /// `-@key`: without the author, or the number alone.
    pub bare: bool,
    pub suffix: String,
}

impl Cite {
    /// The label of a cross-reference, with the kind named by its prefix.
    pub fn label(&self) -> Option<(&'static str, String)> {
        let (prefix, rest) = self.key.split_once('-')?;
        let kind = KINDS
            .into_iter()
            .find(|kind| prefix.eq_ignore_ascii_case(kind) && prefix[1..] == kind[1..])?;
        Some((kind, format!("{kind}-{rest}")))
    }
}

/// Keys that are cited together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub items: Vec<Cite>,
    /// Whether the group is in brackets.
    pub bracketed: bool,
}

impl Group {
    /// Whether all of them are references to parts of the page.
    pub fn is_reference(&self) -> bool {
        self.items.iter().all(|item| item.label().is_some())
    }
}

/// The citation that begins at `at`, with its length.
pub fn group(text: &str, at: usize) -> Option<(usize, Group)> {
    let before = text[..at].chars().next_back();
    match text.as_bytes()[at] {
        b'@' if before.is_none_or(|c| !c.is_alphanumeric() && !"/@._\\".contains(c)) => {
            in_text(&text[at..])
        }
        b'[' if before.is_none_or(|c| !"!]^\\".contains(c)) => in_brackets(&text[at..]),
        _ => None,
    }
}

fn in_text(text: &str) -> Option<(usize, Group)> {
    let found = BARE.captures(text)?;
    let key = found.name("key").or(found.name("braced"))?.as_str();
    let mut length = found.get(0)?.end();
    let mut item = Cite {
        prefix: String::new(),
        key: key.to_owned(),
        bare: false,
        suffix: String::new(),
    };
    if item.label().is_none()
        && let Some(locator) = LOCATOR.captures(&text[length..])
        && !text[length + locator[0].len()..].starts_with(['(', '[', '{'])
    {
        length += locator[0].len();
        item.suffix = format!(", {}", &locator[1]);
    }
    let group = Group {
        items: vec![item],
        bracketed: false,
    };
    Some((length, group))
}

fn in_brackets(text: &str) -> Option<(usize, Group)> {
    let end = closing(text)?;
    let behind = &text[end + 1..];
    if behind.starts_with(['(', '[']) || Attributes::parse(behind).is_some() {
        return None;
    }
    let items = text[1..end].split(';').map(|part| {
        let found = ITEM.captures(part)?;
        let part = |name: &str| found.name(name).map_or("", |found| found.as_str());
        let key = match part("key") {
            "" => part("braced"),
            key => key,
        };
        Some(Cite {
            prefix: part("prefix").trim().to_owned(),
            key: key.to_owned(),
            bare: found.name("dash").is_some(),
            suffix: part("suffix").trim_end().to_owned(),
        })
    });
    let items = items.collect::<Option<Vec<_>>>()?;
    let group = Group {
        items,
        bracketed: true,
    };
    Some((end + 1, group))
}

/// Where the bracket that opens a text closes, in the same paragraph and outside of
/// code.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        match c {
            '[' => depth += 1,
            ']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            '`' => return None,
            '\n' if before == '\n' => return None,
            _ => {}
        }
        before = c;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let at = text.find(['@', '[']).unwrap();
        match group(text, at) {
            None => "none".to_owned(),
            Some((length, group)) => {
                let items = group.items.iter().map(|i| {
                    let dash = if i.bare { "-" } else { "" };
                    format!("{}|{dash}{}|{}", i.prefix, i.key, i.suffix)
                });
                let items = items.collect::<Vec<_>>().join("; ");
                format!("{items} + {:?}", &text[at + length..])
            }
        }
    }

    #[test]
    fn keys_prefixes_and_suffixes_are_told_apart() {
        for (text, expected) in [
            ("@doe99.", "|doe99| + \".\""),
            ("see @fig-a_b-2's", "|fig-a_b-2| + \"'s\""),
            ("@doe99 [p. 3] x", "|doe99|, p. 3 + \" x\""),
            ("@doe [p. 3](u)", "|doe| + \" [p. 3](u)\""),
            ("[@a, pp. 3-5; @b] x", "|a|, pp. 3-5; |b| + \" x\""),
            ("[see @a:b/c for more]", "see|a:b/c| for more + \"\""),
            ("[-@a]", "|-a| + \"\""),
            ("[cf. -@a; e.g. @{b c}]", "none"),
            ("[@{https://x.org/a?b}]", "|https://x.org/a?b| + \"\""),
            ("[Fig @fig-x]", "Fig|fig-x| + \"\""),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn other_brackets_and_signs_are_no_citations() {
        for text in [
            "a@b.org",
            "[a@b.org]",
            "[@a](url)",
            "[@a][ref]",
            "[see @a]{.aside}",
            "![@a]",
            "[x] @",
            "[a `@b` c]",
            "[a\n\n@b]",
            "@",
            "@ x",
            "[@a; b]",
        ] {
            assert_eq!(shown(text), "none", "{text}");
        }
    }

    #[test]
    fn labels_are_known_by_their_prefix() {
        let label = |key: &str| {
            let cite = Cite {
                prefix: String::new(),
                key: key.to_owned(),
                bare: false,
                suffix: String::new(),
            };
            cite.label().map(|(_, label)| label)
        };
        assert_eq!(label("Fig-x-1").as_deref(), Some("fig-x-1"));
        assert_eq!(label("sec-a").as_deref(), Some("sec-a"));
        for none in ["figure-x", "fig", "FIG-x", "é-x", "-x", "bricken2023"] {
            assert_eq!(label(none), None, "{none}");
        }
    }
}
