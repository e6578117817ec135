//! Compares texts: words exactly, numbers within their tolerance, masked parts by their kind.

pub mod mask;
mod token;

use super::align::{Step, align};
use super::difference::{Difference, Kind};
use super::rules::cell::CellRules;
use super::rules::tolerance::{Place, Tolerance};
use std::ops::Range;
use token::{Number, Token, tokens};

/// Compares two texts line by line. `names` are the columns or keys that the texts belong to, for
/// tolerances by name.
pub fn compare(stored: &str, fresh: &str, rules: &CellRules, names: &[String]) -> Vec<Difference> {
    if stored == fresh {
        return Vec::new();
    }
    let (stored, fresh) = (clean(stored, rules), clean(fresh, rules));
    let lines = |text: &str| -> Vec<String> { text.split('\n').map(str::to_owned).collect() };
    let (stored, fresh) = (lines(&stored), lines(&fresh));
    let cut = |lines: &[String]| -> Vec<Line> {
        let cut = lines.iter();
        cut.map(|line| Line(tokens(line, &rules.masks))).collect()
    };
    let (a, b) = (cut(&stored), cut(&fresh));
    let difference = |i: usize, j: usize| line(&stored[i], &a[i], &fresh[j], &b[j], rules, names);
    let steps = align(a.len(), b.len(), &|i, j| difference(i, j).is_none());
    let mut found = Vec::new();
    for step in steps {
        let one = match step {
            Step::Both(i, j) => difference(i, j).map(|one| one.within(&format!("line {}", i + 1))),
            Step::Left(i) => {
                let one = Difference::new(Kind::Text, format!("line {} is missing", i + 1));
                Some(one.sides(visible(&stored[i]), ""))
            }
            Step::Right(j) => {
                let one = Difference::new(Kind::Text, format!("line {} is new", j + 1));
                Some(one.sides("", visible(&fresh[j])))
            }
        };
        found.extend(one);
    }
    found
}

/// A text after sanitising, with Unix line ends and without trailing ones.
fn clean(text: &str, rules: &CellRules) -> String {
    let text = rules.sanitiser.apply(text);
    text.replace("\r\n", "\n").trim_end_matches('\n').to_owned()
}

/// Makes an empty line visible in a report.
fn visible(line: &str) -> String {
    match line.trim().is_empty() {
        true => "(an empty line)".to_owned(),
        false => line.to_owned(),
    }
}

/// The pieces of a line.
struct Line(Vec<(Range<usize>, Token)>);

/// The first difference of two lines.
fn line(
    stored: &str,
    a: &Line,
    fresh: &str,
    b: &Line,
    rules: &CellRules,
    names: &[String],
) -> Option<Difference> {
    if stored == fresh {
        return None;
    }
    let (a, b) = (without_end(&a.0), without_end(&b.0));
    let differs = |kind| Some(Difference::new(kind, "").sides(visible(stored), visible(fresh)));
    if a.len() != b.len() {
        return differs(Kind::Text);
    }
    // Numbers first: if only numbers of a line differ, it is reported as a difference of numbers.
    let mut number = None;
    for (at, ((x, one), (y, other))) in a.iter().zip(b).enumerate() {
        let (x, y) = (&stored[x.clone()], &fresh[y.clone()]);
        let same = match (one, other) {
            (Token::Number(n), Token::Number(m)) => {
                let place = Place {
                    before: &stored[..a[at].0.start],
                    after: &stored[a[at].0.end..],
                    names,
                };
                let outside = outside((x, n), (y, m), rules, place);
                number = number.or(outside);
                true
            }
            (Token::Masked(one), Token::Masked(other)) => one == other,
            (Token::Blank, Token::Blank) => x == y || is_padding(a, b, at),
            (Token::Line, Token::Line) => x.chars().next() == y.chars().next(),
            (Token::Word, Token::Word) => x == y,
            _ => false,
        };
        if !same {
            return differs(Kind::Text);
        }
    }
    let note = number?;
    differs(Kind::Number).map(|one| one.note(note))
}

/// Blanks at the end of a line are ignored.
fn without_end(tokens: &[(Range<usize>, Token)]) -> &[(Range<usize>, Token)] {
    match tokens {
        [rest @ .., (_, Token::Blank)] => rest,
        all => all,
    }
}

/// Whether a blank next to a number or a masked part differs because that part is wider or
/// narrower.
fn is_padding(a: &[(Range<usize>, Token)], b: &[(Range<usize>, Token)], at: usize) -> bool {
    let beside = [at.checked_sub(1), Some(at + 1)].into_iter().flatten();
    beside.into_iter().any(|k| match (a.get(k), b.get(k)) {
        (Some((x, one)), Some((y, _))) => {
            matches!(one, Token::Number(_) | Token::Masked(_)) && x.len() != y.len()
        }
        _ => false,
    })
}

/// The difference of two numbers that are too far apart.
fn outside(
    (x, n): (&str, &Number),
    (y, m): (&str, &Number),
    rules: &CellRules,
    place: Place,
) -> Option<String> {
    if x == y {
        return None;
    }
    let tolerance = rules.tolerances.of(place, n.integer && m.integer);
    let slack = (n.place + m.place) / 2.0;
    // Without a tolerance, `1.0` is not `1.00`.
    let close = !tolerance.is_zero() && tolerance.allows(n.value, m.value, slack);
    (!close).then(|| apart(x, y, n.value, m.value, tolerance))
}

/// "3.4 -> 3.5, off by 0.1 (2.9 %); tolerance 0.01".
fn apart(x: &str, y: &str, n: f64, m: f64, tolerance: Tolerance) -> String {
    format!("{x} -> {y}, {}; tolerance {tolerance}", off_by(n, m))
}

/// "off by 0.1 (2.9 %)".
pub fn off_by(n: f64, m: f64) -> String {
    let off = (n - m).abs();
    let largest = n.abs().max(m.abs());
    let four = |value: f64| format!("{value:.3e}").parse().unwrap_or(value);
    match off == 0.0 || !off.is_finite() {
        true => "printed in another way".to_owned(),
        false => format!("off by {} ({:.2} %)", four(off), 100.0 * off / largest),
    }
}

#[cfg(test)]
mod tests;
