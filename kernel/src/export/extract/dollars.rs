//! Decides which dollars delimit mathematics.
//!
//! Jupyter pairs any two dollars of a paragraph that are outside of code; Pandoc
//! allows no space inside them and no digit after them. The former turns prices into
//! formulas, the latter leaves `$ \alpha $` as text. The rules here:
//!
//! 1. A pair is within one block and contains no code span, which Markdown reads
//!    first. The closing dollar is outside of braces: `$a \text{ if $b$}$` is one.
//!    Runs of three or more are text, as price classes are.
//! 2. Text with a LaTeX command (`\alpha`) is a formula, with or without inner
//!    spaces: prose does not contain one. Only text that begins like an amount
//!    (`$5`, `$2M`) must pass the other tests as well.
//! 3. Without a command, an HTML tag in between makes it text: `$5 <b>now</b>: US$`.
//! 4. A digit after the closing dollar makes it the dollar of a price: `$5 and $10`.
//! 5. Brackets must match: `$5 ($x$ is ..)` and `Price ($), cost ($)` are text.
//! 6. An amount followed by words is prose: `$5 in cash or 6$`. A single short
//!    word at the end is a unit: `$5 cm$`.
//! 7. A dollar right after a letter or digit belongs to a currency (`US$`, `5$`),
//!    unless a script or relation follows, as in `H$_2$O`.
//! 8. All other text is a formula if there is no space inside the dollars, except
//!    for shell variables (`$HOME/$USER`). With a space it must look like a formula:
//!    no words except those of an equation, no operator or comma at its end, no
//!    letter or digit after it.

use super::scan::{block_ends, code_span, tag};
use regex::Regex;
use std::sync::LazyLock;

/// Words that may appear in formulas without a backslash.
const FUNCTIONS: [&str; 14] = [
    "mod", "log", "ln", "exp", "sin", "cos", "tan", "max", "min", "lim", "det", "gcd", "dx", "dt",
];

/// Currency codes before a dollar.
const CURRENCIES: [&str; 10] = [
    "US", "USD", "CA", "CAD", "AU", "AUD", "NZ", "HK", "SG", "NT",
];

static COMMAND: LazyLock<Regex> = LazyLock::new(|| regex(r"\\[A-Za-z]"));
static AMOUNT: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^\d[\d.,]*(?:[kKmMbB]|bn|tn)?(?:[^A-Za-z\d]|$)"));
static WORD: LazyLock<Regex> = LazyLock::new(|| regex(r"\\?[\p{Alphabetic}]{2,}"));
static NEIGHBOURS: LazyLock<Regex> =
    LazyLock::new(|| regex(r"\p{Alphabetic}{2,}\s+\p{Alphabetic}{2,}"));
static SHELL: LazyLock<Regex> = LazyLock::new(|| regex(r"^[A-Z][A-Z0-9_]+\b"));

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a pattern of the source")
}

/// The formula between dollars that begins at `at`: its length with the dollars,
/// its LaTeX, and whether it is displayed.
pub fn formula(text: &str, at: usize) -> Option<(usize, &str, bool)> {
    let rest = &text[at..];
    let run = rest.bytes().take_while(|b| *b == b'$').count();
    if run > 2 {
        return None;
    }
    let display = run == 2;
    let body = &rest[run..];
    let found = find_close(text, at + run, display)?;
    let latex = &body[..found.end];
    let before = text[..at].chars().next_back();
    let after = body[found.end + run..].chars().next();
    let line_before = text[..at].rsplit('\n').next().unwrap_or_default();
    let line_after = body[found.end + run..].lines().next().unwrap_or_default();
    let is_formula = if display {
        let alone = line_before.trim().is_empty() || line_after.trim().is_empty();
        is_displayed(latex, alone)
    } else {
        is_inline(latex, before, after, &found)
    };
    is_formula.then_some((run + found.end + run, latex, display))
}

struct Close {
    /// The position of the closing dollars in the body.
    end: usize,
    has_tag: bool,
    /// Whether they are outside of all braces.
    balanced: bool,
}

/// The closing dollars of the body that begins at `start`.
fn find_close(text: &str, start: usize, display: bool) -> Option<Close> {
    let body = &text[start..];
    let mut at = 0;
    let mut depth = 0_i32;
    let mut has_tag = false;
    let mut within_braces = None;
    while let Some(c) = body[at..].chars().next() {
        let rest = &body[at..];
        match c {
            '\n' if block_ends(text, start + at, !display) => break,
            '\\' => at += rest[1..].chars().next().map_or(0, char::len_utf8),
            '{' => depth += 1,
            '}' => depth -= 1,
            '`' => {
                let run = rest.bytes().take_while(|b| *b == b'`').count();
                if code_span(rest, run).is_some() {
                    break;
                }
                at += run - 1;
            }
            '<' => has_tag |= tag(rest).is_some(),
            '$' => {
                let run = rest.bytes().take_while(|b| *b == b'$').count();
                let close = Close {
                    end: at,
                    has_tag,
                    balanced: depth <= 0,
                };
                let closes = if display { run >= 2 } else { run == 1 };
                if closes && close.balanced {
                    return Some(close);
                }
                if closes && within_braces.is_none() {
                    within_braces = Some(close);
                }
                if !display && run > 1 && depth <= 0 {
                    break;
                }
                at += run - 1;
            }
            _ => {}
        }
        at += c.len_utf8();
    }
    // A missing brace: show the broken formula rather than none.
    within_braces
}

/// Two dollars mean a display, except for price classes in prose: "from $$ to $$".
fn is_displayed(latex: &str, alone: bool) -> bool {
    let spaced = latex.starts_with(char::is_whitespace) || latex.ends_with(char::is_whitespace);
    let prose = spaced && !alone && !has_script(latex) && words(latex).next().is_some();
    !latex.trim().is_empty() && (COMMAND.is_match(latex) || !prose)
}

fn is_inline(body: &str, before: Option<char>, after: Option<char>, close: &Close) -> bool {
    let inner = body.trim();
    let is_alphanumeric = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let tight = inner.len() == body.len();
    let amount = AMOUNT.is_match(inner);
    let command = COMMAND.is_match(inner);
    if inner.is_empty() {
        return false;
    }
    if command && !amount {
        return tight || inner.starts_with('\\') || !is_alphanumeric(after);
    }
    let script = has_script(inner);
    let digit_follows = after.is_some_and(|c| c.is_ascii_digit());
    let begins_with_operator = inner.starts_with(['^', '_', '<', '>', '=']);
    if close.has_tag
        || !close.balanced
        || !brackets_match(inner)
        || (digit_follows && !begins_with_operator)
        || (amount && is_priced_prose(inner))
    {
        return false;
    }
    if is_alphanumeric(before) && !command {
        let has_letter = inner.contains(char::is_alphabetic);
        if !tight || (!script && (!has_letter || words(inner).next().is_some())) {
            return false;
        }
    }
    if tight {
        let joins = !script && inner.ends_with(['/', ':', ',', ';', '-', '+', '&', '=']);
        let shell = SHELL.is_match(inner) && after.is_some_and(|c| c.is_ascii_uppercase());
        return !(shell || (joins && is_alphanumeric(after)));
    }
    !is_alphanumeric(after) && looks_like_mathematics(inner, amount)
}

/// Scripts, relations and groups, which prose does not have.
fn has_script(text: &str) -> bool {
    text.contains(['^', '_', '{', '=', '<', '>'])
}

/// Words outside of braces that are neither commands nor known functions.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let words = WORD.find_iter(text).filter(|found| {
        let before = &text[..found.start()];
        before.matches('{').count() <= before.matches('}').count()
    });
    let words = words.map(|found| found.as_str());
    words.filter(|word| !word.starts_with('\\') && !FUNCTIONS.contains(word))
}

/// Whether an amount is followed by prose and not by a unit.
fn is_priced_prose(inner: &str) -> bool {
    let ends_with_currency = inner.rsplit(|c: char| !c.is_alphabetic()).next();
    if ends_with_currency.is_some_and(|last| CURRENCIES.contains(&last)) || inner.contains('|') {
        return true;
    }
    let mut words = words(inner);
    match (words.next(), words.next()) {
        (None, _) => false,
        (Some(unit), None) => !(inner.ends_with(unit) && unit.chars().count() <= 3),
        _ => true,
    }
}

/// Whether brackets are balanced and none closes before it opens. Half-open
/// intervals match too, `[0, 1)` and `]0, 1[`.
fn brackets_match(inner: &str) -> bool {
    let mut depth = 0_i32;
    let mut lowest = 0;
    for c in inner.chars() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            _ => {}
        }
        lowest = lowest.min(depth);
    }
    depth == 0 && (lowest == 0 || inner.starts_with(']'))
}

/// A formula without a command and with a space inside its dollars.
fn looks_like_mathematics(inner: &str, amount: bool) -> bool {
    let cut = inner.ends_with([',', ';', ':', '.', '-', '+', '*', '/', '=', '(', '|'])
        || inner.starts_with([',', ';', ':', '.', ')', '|', '/']);
    if cut {
        return false;
    }
    // `$ E = mc^2 $` and `$ rate = right / all $` hold words, but no two in a row.
    if has_script(inner) {
        return !NEIGHBOURS.is_match(inner);
    }
    let calculates = inner.contains(['+', '*', '/']);
    let has_letter = inner.contains(char::is_alphabetic);
    words(inner).next().is_none() && (calculates || (has_letter && !amount))
}

#[cfg(test)]
mod tests {
    use crate::export::extract::tests::formulas;

    #[test]
    fn prices_in_prose_are_text() {
        for prose in [
            "It costs $5, set `$HOME` first.",
            "Costs $5 <b>now</b>: US$ 3.",
            "Pay $20 or `a$b`; see <a href=\"https://x.org?a=$1\">here</a>.",
            "Win $1M (**$2M**) or ~~$3M~~",
            "it costs $5 and $10",
            "between $5 and $10.",
            "US$3m–$4m",
            "a $10-$20 range",
            "\\$5 and \\$6",
            "costs 5$ or 10$ more",
            "costs 5$, 10$",
            "US$ 3 and CA$ 4",
            "$ 5, $ 6 and $ 7",
            "from $ 5 - $ 10",
            "$5 (US$)",
            "Price ($), cost ($)",
            "in cash $5 or in kind 6$",
            "$HOME and $PATH",
            "$HOME/$USER:$HOME/$PATH",
            "the $ sign and the $ symbol",
            "| a | $5 | b | 6$ |",
            "- Apples: $5\n- Pears: 3$",
            "# Price $5\nIt is 6$",
            "rated $$ to $$$ by guides",
            "from $$ to $$ in town",
            "a macro `$x` and $y:expr, $z:expr",
            "[a](https://x.org?a=$1&b=$2) <https://x.org?$a$>",
            "[a]: https://x.org?a=$1&b=$2 \"$x$\"",
            "https://x.org?a=$x&b=$y www.x.org/$a$",
            "<code>$HOME</code> and <pre>$x$</pre>",
            "<a title=\"$x$\">a</a> <!-- $x$ -->",
            "$open\n\nnext$",
            "$5/month or $50/year, $5 + $3 = $8",
            "$100k and $ more",
            "echo $PATH:$HOME; $x, $y and $z",
            "`$e` $e:expr and $($x:expr),*",
            "<td>$5</td><td>x$</td>",
            "[$5](u) [x$](v) ![$6](w)",
            "^foo$ or ^bar$",
            "$ and $.ajax",
        ] {
            assert!(formulas(prose).is_empty(), "{prose}: {:?}", formulas(prose));
        }
    }

    #[test]
    fn formulas_are_found_beside_prices() {
        for (text, expected) in [
            (
                "$ \\alpha $ is the rate; $\\beta $ too, and $ \\gamma$.",
                vec![" \\alpha ", "\\beta ", " \\gamma"],
            ),
            ("Set $\\alpha=0.1$, `x`, and $5.", vec!["\\alpha=0.1"]),
            ("costs $x$ dollars", vec!["x"]),
            ("$5 + 3$ and $2M$ and $5 cm$", vec!["5 + 3", "2M", "5 cm"]),
            ("pay $5 for $x$ and $6 for $ y $", vec!["x", " y "]),
            ("costs $5 while $\\alpha$ grows", vec!["\\alpha"]),
            ("costs $5 ($x$ too)", vec!["x"]),
            ("from $5/$x$ on", vec!["x"]),
            ("H$_2$O, 10$^3$, 2$\\times$2", vec!["_2", "^3", "\\times"]),
            (
                "$n$th and $k$-means: $f(x)$, $|x|$",
                vec!["n", "k", "f(x)", "|x|"],
            ),
            ("in $[0, 1)$ or $]0, 1[$", vec!["[0, 1)", "]0, 1["]),
            ("$a \\text{ if $b$}$", vec!["a \\text{ if $b$}"]),
            ("a $x\n+ y$ b", vec!["x\n+ y"]),
            ("$<$5 and $x = 3$", vec!["<", "x = 3"]),
            (
                "| $a$ | $|b|$ |\n|--|--|\n| $5 | $c$ |",
                vec!["a", "|b|", "c"],
            ),
            (
                "$ E = mc^2 $, $ rate = right / all $; $95\\%$ of $10^{-3}$",
                vec![" E = mc^2 ", " rate = right / all ", "95\\%", "10^{-3}"],
            ),
            (
                "$3 \\text{ apples}$ or 5$ and $2R$",
                vec!["3 \\text{ apples}", "2R"],
            ),
            ("The price is $5. The rate is $r$.", vec!["r"]),
            (
                "to $2M in $\\mathbb{R}$, 5 $ per $\\mu$l",
                vec!["\\mathbb{R}", "\\mu"],
            ),
            ("<div>$x$</div> **$y$** [$z$](u)", vec!["x", "y", "z"]),
            ("costs $5 and $$x$$", vec!["[x]"]),
            ("$$ x $$ and $$Accuracy$$", vec!["[ x ]", "[Accuracy]"]),
            ("$$\n accuracy\n$$", vec!["[\n accuracy\n]"]),
            ("- $$\n  x\n  $$\n# $y$ costs $5", vec!["[\n  x\n  ]", "y"]),
        ] {
            assert_eq!(formulas(text), expected, "{text}");
        }
    }
}
