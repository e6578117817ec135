//! Programs to compile: what a causal transformer can say of the symbols before a position.
//! From one MLP without attention to two heads one after the other.
//! Source: Tracr's `rasp/causal_eval.py` and `compiler/lib.py`, Weiss et al. 2021, Olsson et al. 2022.

use super::expression::{
    Selector, Sequence, aggregate, indices, select, select_all, select_keys, selector_width, tokens,
};
use super::value::Value;
use crate::error::{Error, Result};

/// A program with its vocabulary.
#[derive(Debug, Clone)]
pub struct Program {
    /// In lower case, with underscores.
    pub name: String,
    /// What it computes at each position.
    pub description: String,
    /// The symbols of its inputs.
    pub vocabulary: Vec<String>,
    /// The expression.
    pub output: Sequence,
}

impl Program {
    /// A program of one's own.
    pub fn new(name: &str, description: &str, vocabulary: &[&str], output: Sequence) -> Program {
        Program {
            name: name.to_owned(),
            description: description.to_owned(),
            vocabulary: vocabulary.iter().map(|s| (*s).to_owned()).collect(),
            output,
        }
    }
}

const ABCD: [&str; 4] = ["a", "b", "c", "d"];

fn flag(f: impl Fn(&Value) -> bool) -> impl Fn(&Value) -> Value {
    move |value| Value::Flag(f(value))
}

/// The position `k` back.
fn back(k: i64) -> Selector {
    select(&indices(), &indices(), move |key, query| {
        key.integer().map(|key| key + k) == query.integer()
    })
}

/// Every position with the same symbol.
fn same() -> Selector {
    select(&tokens(), &tokens(), |key, query| key == query)
}

/// Every position before one's own.
fn before() -> Selector {
    select(&indices(), &indices(), |key, query| key < query)
}

fn previous_token() -> Sequence {
    aggregate(&back(1), &tokens()).named("previous token")
}

fn count_so_far() -> Sequence {
    selector_width(&same()).named("count so far")
}

fn share_of(symbol: &'static str) -> Sequence {
    let is = tokens().to_numbers(move |s| f64::from(u8::from(s.is(symbol))));
    aggregate(&select_all(), &is.named("is it")).named("share")
}

/// The mean of +1 for `(` and -1 for `)`, whose sign is that of the depth.
fn depth() -> Sequence {
    let step = tokens().to_numbers(|s| match (s.is("("), s.is(")")) {
        (true, _) => 1.0,
        (_, true) => -1.0,
        _ => 0.0,
    });
    aggregate(&select_all(), &step.named("step")).named("depth / length")
}

/// One of [`programs`], by its name.
///
/// # Errors
/// [`Error::NotFound`] with the names that there are.
pub fn program(name: &str) -> Result<Program> {
    let all = programs();
    let known = || all.iter().map(|p| p.name.clone()).collect();
    let found = all.iter().find(|p| p.name == name).cloned();
    found.ok_or_else(|| Error::NotFound {
        kind: "program",
        name: name.to_owned(),
        known: known(),
    })
}

/// Fifteen programs, in the order of their depth.
pub fn programs() -> Vec<Program> {
    let abcd = |name: &str, description: &str, output: Sequence| {
        Program::new(name, description, &ABCD, output)
    };
    let mut all = vec![
        abcd(
            "parity_of_position",
            "whether the position is odd",
            indices().map(flag(|i| i.integer().is_some_and(|i| i % 2 == 1))),
        ),
        abcd(
            "previous_token",
            "the symbol before; none at the start",
            previous_token(),
        ),
        abcd(
            "copy_3_back",
            "the symbol three positions before; none at the start",
            aggregate(&back(3), &tokens()).named("copy"),
        ),
        abcd(
            "fraction_of_a",
            "the share of a among the symbols so far",
            share_of("a"),
        ),
        abcd(
            "length_so_far",
            "how many symbols there have been",
            selector_width(&select_all()).named("length"),
        ),
        abcd(
            "histogram",
            "how often this symbol has come so far",
            count_so_far(),
        ),
    ];
    all.extend(programs_of_symbols(abcd));
    all.push(Program::new(
        "balanced",
        "whether as many ( as ) have come so far",
        &["(", ")", "x"],
        depth()
            .map(flag(|d| *d == Value::Number(0.0)))
            .named("balanced"),
    ));
    all.extend(programs_of_two_heads(abcd));
    all
}

fn programs_of_symbols(abcd: impl Fn(&str, &str, Sequence) -> Program) -> Vec<Program> {
    let smaller = select(&tokens(), &tokens(), |key, query| key < query);
    let vowel = select_keys(&tokens(), |s| ["a", "e"].iter().any(|vowel| s.is(vowel)));
    vec![
        abcd(
            "rank_among_previous",
            "how many symbols so far come before this one in the alphabet",
            selector_width(&smaller).named("rank"),
        ),
        Program::new(
            "most_recent_vowel",
            "the last vowel so far; none before the first",
            &["a", "b", "c", "e"],
            aggregate(&vowel.latest(), &tokens()).named("vowel"),
        ),
        abcd(
            "last_seen",
            "the position where this symbol was before; none if it was not",
            aggregate(&same().and(&before()).latest(), &indices()).named("last seen"),
        ),
        abcd(
            "repeats_previous",
            "whether the symbol before is the same; none at the start",
            previous_token()
                .combine(&tokens(), |previous, now| Value::Flag(previous == now))
                .named("repeats"),
        ),
        abcd(
            "duplicate",
            "whether this symbol has come before",
            count_so_far()
                .map(flag(|n| n.integer() > Some(1)))
                .named("duplicate"),
        ),
    ]
}

fn programs_of_two_heads(abcd: impl Fn(&str, &str, Sequence) -> Program) -> Vec<Program> {
    let after_same = select(&previous_token(), &tokens(), |key, query| key == query);
    let count = count_so_far();
    let same_count = select(&count, &count, |key, query| key == query);
    let more_a = share_of("a")
        .plus(1.0, &share_of("b"), -1.0)
        .named("a minus b");
    vec![
        abcd(
            "more_a_than_b",
            "whether a has come more often than b so far",
            more_a
                .map(flag(|x| x.number() > Some(1e-6)))
                .named("more a"),
        ),
        abcd(
            "induction",
            "what followed this symbol when it came last; none if it did not",
            aggregate(&after_same.latest(), &tokens()).named("induction"),
        ),
        abcd(
            "double_histogram",
            "how many positions so far have the same count so far",
            selector_width(&same_count).named("positions of this count"),
        ),
    ]
}
