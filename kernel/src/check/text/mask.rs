//! Parts of a text that naturally vary between runs: durations, rates, paths, dates, addresses. A
//! masked part equals every other one of its kind.

use regex::Regex;
use serde_json::Value;
use std::fmt::{self, Display};
use std::ops::Range;
use std::sync::LazyLock;

/// A kind of volatile parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `3:19`, `1:02:03`, `12.5 s`, `2 min 5 s`, `340 ms`.
    Duration,
    /// `5341 tok/s`, `tok/s 5341`, `2.3 GB/s`.
    Rate,
    /// `/tmp/x/y`, `~/data/x`, `file:///x/y`.
    Path,
    /// `2026-11-30`, with or without a time of day; `30 Nov 2026`; `Mon Nov 30 03:14:57 UTC 2026`.
    Date,
    /// `0x7ffc9a3e1b20`, `127.0.0.1:43211`, `localhost:8888`.
    Address,
}

const KINDS: [(Kind, &str); 5] = [
    (Kind::Duration, "durations"),
    (Kind::Rate, "rates"),
    (Kind::Path, "paths"),
    (Kind::Date, "dates"),
    (Kind::Address, "addresses"),
];

impl Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = KINDS.iter().find(|(kind, _)| kind == self);
        f.write_str(name.map_or("", |(_, name)| name))
    }
}

/// The kinds that are masked; by default all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Masks(Vec<Kind>);

impl Default for Masks {
    fn default() -> Self {
        Self(KINDS.iter().map(|(kind, _)| *kind).collect())
    }
}

impl Masks {
    pub fn none() -> Self {
        Self(Vec::new())
    }

    pub fn has(&self, kind: Kind) -> bool {
        self.0.contains(&kind)
    }

    /// Reads `all`, `none` or `durations,rates`.
    ///
    /// # Errors
    /// A message that lists the kinds.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.trim() {
            "all" => return Ok(Self::default()),
            "none" => return Ok(Self::none()),
            _ => {}
        }
        let kind = |name: &str| {
            let found = KINDS.iter().find(|(_, one)| *one == name.trim());
            found.map(|(kind, _)| *kind).ok_or_else(|| {
                let known: Vec<&str> = KINDS.iter().map(|(_, name)| *name).collect();
                format!(
                    "{name:?} is no kind of mask; there are: all, none, {}",
                    known.join(", ")
                )
            })
        };
        text.split(',')
            .map(kind)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Reads `true`, `false`, a text as on the command line, or a list of kinds.
    ///
    /// # Errors
    /// As [`Masks::parse`].
    pub fn from_json(value: &Value) -> Result<Self, String> {
        match value {
            Value::Bool(true) => Ok(Self::default()),
            Value::Bool(false) => Ok(Self::none()),
            Value::String(text) => Self::parse(text),
            Value::Array(kinds) if kinds.is_empty() => Ok(Self::none()),
            Value::Array(kinds) => {
                let kinds: Vec<&str> = kinds.iter().filter_map(Value::as_str).collect();
                Self::parse(&kinds.join(","))
            }
            other => Err(format!("{other} says no kinds of masks")),
        }
    }

    /// The masked parts of a line, in order and without overlap: of two, the one that begins
    /// earlier; of two with the same start, the longer one.
    pub fn parts(&self, line: &str) -> Vec<(Range<usize>, Kind)> {
        let mut found = Vec::new();
        for pattern in PATTERNS.iter().filter(|pattern| self.has(pattern.kind)) {
            pattern.find(line, &mut found);
        }
        found.sort_by_key(|(range, kind)| (range.start, usize::MAX - range.end, *kind));
        let mut end = 0;
        found.retain(|(range, _)| {
            let free = range.start >= end;
            if free {
                end = range.end;
            }
            free
        });
        found
    }

    /// Whether a column of this name holds durations or rates.
    pub fn column(&self, name: &str) -> bool {
        let (durations, rates) = (self.has(Kind::Duration), self.has(Kind::Rate));
        (durations && DURATIONS.is_match(name)) || (rates && RATES.is_match(name))
    }
}

/// Columns by their names: `wall_seconds`, `time (s)`, `elapsed`; `tok/s`.
static DURATIONS: LazyLock<Regex> = LazyLock::new(|| {
    compiled(
        r"(?i)^(.*[_ ])?(seconds|secs|ms|elapsed|duration|wall[_ ]time|runtime)$|(?i)[(\[](s|ms|seconds|min|h)[)\]]$",
    )
});
static RATES: LazyLock<Regex> =
    LazyLock::new(|| compiled(r"(?i)\w/(s|sec|second)\b|(?i)per[_ ]second$"));

/// The pattern of a kind.
struct Pattern {
    kind: Kind,
    regex: Regex,
    /// Characters, besides letters and digits, that must not be right before it.
    not_before: &'static str,
    /// Likewise right after it.
    not_behind: &'static str,
}

impl Pattern {
    fn find(&self, line: &str, found: &mut Vec<(Range<usize>, Kind)>) {
        let mut from = 0;
        while let Some(one) = self.regex.find_at(line, from) {
            let before = line[..one.start()].chars().next_back();
            let behind = line[one.end()..].chars().next();
            let word = |c: char| c.is_alphanumeric() || c == '_';
            let free = !before.is_some_and(|c| word(c) || self.not_before.contains(c))
                && !behind.is_some_and(|c| word(c) || self.not_behind.contains(c));
            if free {
                found.push((one.range(), self.kind));
                from = one.end();
            } else {
                let first = line[one.start()..].chars().next().map_or(1, char::len_utf8);
                from = one.start() + first;
            }
            if from > line.len() {
                return;
            }
        }
    }
}

const NUMBER: &str = r"\d+(?:[.,]\d+)*(?:e[+-]?\d+)?";
const UNIT: &str = r"(?:ns|µs|μs|us|ms|s|secs?|seconds?|min|mins|minutes?|h|hours?|days?)\b";
/// A folder or file of a path, with the slash before it.
const STEP: &str = r"/[\w.@+%~-]*[\w@+%~-]";
const MONTH: &str = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*";
const DAY: &str = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*";
const CLOCK: &str = r"\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?";
const ZONE: &str = r"(?:\s?(?:Z|UTC|GMT|[+-]\d{2}:?\d{2}))?";

static PATTERNS: LazyLock<Vec<Pattern>> = LazyLock::new(|| {
    let patterns = [
        (
            Kind::Duration,
            r"\d+:\d{2}(?::\d{2})?(?:\.\d+)?".to_owned(),
            ":.",
            ":",
        ),
        (
            Kind::Duration,
            format!(r"{NUMBER}\s?{UNIT}(?:\s{NUMBER}\s?{UNIT})*"),
            ".-",
            "/",
        ),
        (
            Kind::Rate,
            format!(r"{NUMBER}\s?[A-Za-z][\w·]*/(?:s|sec|second)"),
            ".-",
            "/",
        ),
        (
            Kind::Rate,
            format!(r"[A-Za-z]\w*/(?:s|sec|second)\s?[:=]?\s?{NUMBER}"),
            "",
            "/",
        ),
        (
            Kind::Path,
            format!(r"(?:(?:file://|~)(?:{STEP})+|(?:{STEP}){{2,}})/?"),
            ".)/:<~",
            "/",
        ),
        (
            Kind::Date,
            format!(r"\d{{4}}-\d{{2}}-\d{{2}}(?:[T ]{CLOCK})?{ZONE}"),
            "-",
            "-",
        ),
        (
            Kind::Date,
            format!(r"(?:{DAY},?\s)?\d{{1,2}}\s{MONTH}\s\d{{4}}(?:\s{CLOCK})?{ZONE}"),
            "-.",
            "",
        ),
        (
            Kind::Date,
            format!(
                r"(?:{DAY},?\s)?{MONTH}\s+\d{{1,2}}(?:\s{CLOCK}(?:\s[A-Z]{{3,4}})?|,)\s\d{{4}}"
            ),
            "",
            "",
        ),
        (Kind::Address, r"0x[0-9a-fA-F]{8,16}".to_owned(), "", ""),
        (
            Kind::Address,
            r"(?:127\.0\.0\.1|0\.0\.0\.0|localhost|\[::1?\]):\d{2,5}".to_owned(),
            ".",
            "",
        ),
    ];
    let pattern = |(kind, regex, not_before, not_behind): (Kind, String, _, _)| Pattern {
        kind,
        regex: compiled(&regex),
        not_before,
        not_behind,
    };
    patterns.into_iter().map(pattern).collect()
});

fn compiled(regex: &str) -> Regex {
    // They are constants, and the tests compile each of them.
    Regex::new(regex).unwrap_or_else(|error| panic!("{regex}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is masked in a text, each part with its kind.
    fn masked(line: &str) -> Vec<(String, String)> {
        let parts = Masks::default().parts(line).into_iter();
        parts
            .map(|(range, kind)| (line[range].to_owned(), kind.to_string()))
            .collect()
    }

    #[test]
    fn volatile_parts_are_found() {
        for (line, part, kind) in [
            ("train · 500 steps · 3:19 · loss 3.44", "3:19", "durations"),
            ("after 1:02:03.", "1:02:03", "durations"),
            ("500 steps in 199.0 s (", "199.0 s", "durations"),
            ("took 2 min 5 s", "2 min 5 s", "durations"),
            ("340ms", "340ms", "durations"),
            ("1.5e-3 s", "1.5e-3 s", "durations"),
            ("(5341 tokens/s)", "5341 tokens/s", "rates"),
            ("· tok/s 5341", "tok/s 5341", "rates"),
            ("tok/s: 5341.5", "tok/s: 5341.5", "rates"),
            ("read 2.3 GB/s", "2.3 GB/s", "rates"),
            (
                "wrote /tmp/.a1b2/model.bin",
                "/tmp/.a1b2/model.bin",
                "paths",
            ),
            ("in ~/data/x.", "~/data/x", "paths"),
            ("file:///home/u/x", "file:///home/u/x", "paths"),
            ("\"/home/u/x\"", "/home/u/x", "paths"),
            ("on 2026-11-30", "2026-11-30", "dates"),
            (
                "2026-11-30T03:14:57.123Z",
                "2026-11-30T03:14:57.123Z",
                "dates",
            ),
            ("2026-11-30 03:14 UTC,", "2026-11-30 03:14 UTC", "dates"),
            (
                "Mon Nov 30 03:14:57 UTC 2026",
                "Mon Nov 30 03:14:57 UTC 2026",
                "dates",
            ),
            ("30 November 2026", "30 November 2026", "dates"),
            ("at 0x7ffc9a3e1b20", "0x7ffc9a3e1b20", "addresses"),
            ("http://127.0.0.1:43211/lab", "127.0.0.1:43211", "addresses"),
        ] {
            assert_eq!(masked(line), [(part.to_owned(), kind.to_owned())], "{line}");
        }
    }

    #[test]
    fn what_is_a_result_is_not_masked() {
        for line in [
            "loss 3.44",
            "3 features",
            "12 steps",
            "https://example.org/a/b",
            "and/or",
            "tok/step 4",
            "blocks.0.mlp.hook_post",
            "-1/3",
            "a</b>",
            "version 1.2.3",
            "d_model 512",
            "0xff",
            "12 sequences",
            "1:2",
            "x-1 s-orbital",
        ] {
            assert_eq!(masked(line), [], "{line}");
        }
    }

    #[test]
    fn kinds_can_be_chosen() {
        let only = Masks::parse("durations, dates").unwrap();
        assert!(only.has(Kind::Date) && !only.has(Kind::Path));
        assert_eq!(only.parts("in /a/b for 3 s").len(), 1);
        assert_eq!(Masks::parse("none"), Ok(Masks::none()));
        assert_eq!(Masks::parse("all"), Ok(Masks::default()));
        assert!(Masks::parse("times").unwrap_err().contains("durations"));
    }

    #[test]
    fn columns_of_durations_and_rates_are_known_by_their_names() {
        let masks = Masks::default();
        for name in [
            "seconds",
            "wall_seconds",
            "time (s)",
            "tok/s",
            "Elapsed",
            "steps/s",
        ] {
            assert!(masks.column(name), "{name}");
            assert!(!Masks::none().column(name), "{name}");
        }
        for name in ["loss", "L0", "items", "parameters", "hours_of_x", "params"] {
            assert!(!masks.column(name), "{name}");
        }
    }
}
