//! The values that a sequence can have: the dimensions of a categorical one, and what a map of a
//! numerical one must tell apart. Means of up to `n` values, sums of two sequences, images of maps.
//! Source: the value sets of Tracr's basis inference (Lindner et al. 2023, section 3.2).

use super::expression::{Kind, Selector, Sequence};
use super::value::Value;
use crate::error::{Error, Result};
use std::collections::HashMap;

/// More values than this are not told apart: each costs a hidden unit or two.
const MOST: usize = 2_000;
/// Values closer than this, relative to the largest, differ by the rounding of f64 alone.
const SAME: f64 = 1e-12;
/// Values closer than this, relative to the largest number in their sums, may be one in f32.
const APART: f64 = 1e-5;
/// The slope between values closer than this is no number in f32.
const LEAST_GAP: f64 = 1e-30;

/// The values of the sequences of one program, each computed once.
pub(super) struct Domains<'a> {
    vocabulary: &'a [String],
    max_len: usize,
    known_values: HashMap<usize, Vec<Value>>,
    known_numbers: HashMap<usize, Numbers>,
}

/// The values of a numerical sequence.
#[derive(Clone)]
pub(super) struct Numbers {
    /// Ascending.
    pub(super) points: Vec<f64>,
    /// The largest magnitude of what they are sums and means of, which sets their rounding in f32.
    pub(super) largest: f64,
}

impl<'a> Domains<'a> {
    /// For inputs of up to `max_len` symbols.
    pub(super) fn new(vocabulary: &'a [String], max_len: usize) -> Domains<'a> {
        Domains {
            vocabulary,
            max_len,
            known_values: HashMap::new(),
            known_numbers: HashMap::new(),
        }
    }

    /// The values of a categorical sequence, in the order of their dimensions.
    ///
    /// # Errors
    /// More than 2,000 values; those of [`Domains::numbers`].
    pub(super) fn categorical(&mut self, of: &Sequence) -> Result<Vec<Value>> {
        if let Some(known) = self.known_values.get(&of.key()) {
            return Ok(known.clone());
        }
        let max_len = self.max_len as i64;
        let values: Vec<Value> = match &of.0.kind {
            Kind::Tokens => self.vocabulary.iter().map(|s| s.as_str().into()).collect(),
            Kind::Indices => (0..max_len).map(Value::Integer).collect(),
            Kind::Width(_) => (0..=max_len).map(Value::Integer).collect(),
            Kind::Map { of: inner, f, .. } if inner.is_numerical() => {
                let points = self.numbers(inner)?.points;
                unique(of, points.into_iter().map(|x| f(&Value::Number(x))))?
            }
            Kind::Map { of: inner, f, .. } => {
                let inner = self.categorical(inner)?;
                unique(of, inner.iter().map(|v| f(v)))?
            }
            Kind::Combine { a, b, f } => {
                let (a, b) = (self.categorical(a)?, self.categorical(b)?);
                let pairs = a.iter().flat_map(|a| b.iter().map(move |b| (a, b)));
                unique(of, pairs.map(|(a, b)| f(a, b)))?
            }
            Kind::Aggregate { values, .. } => self.categorical(values)?,
            Kind::Linear(_) => Vec::new(),
        };
        self.known_values.insert(of.key(), values.clone());
        Ok(values)
    }

    /// Every value that a numerical sequence can have; some that it cannot have may be among them.
    ///
    /// # Errors
    /// More than 2,000 values; one that is not finite in f32.
    pub(super) fn numbers(&mut self, of: &Sequence) -> Result<Numbers> {
        if let Some(known) = self.known_numbers.get(&of.key()) {
            return Ok(known.clone());
        }
        let (points, largest) = match &of.0.kind {
            Kind::Map { of: inner, f, .. } if inner.is_numerical() => {
                let inner = self.numbers(inner)?.points;
                let map = |x: f64| f(&Value::Number(x)).number().unwrap_or(0.0);
                with_largest(inner.into_iter().map(map).collect())
            }
            Kind::Map { of: inner, f, .. } => {
                let inner = self.categorical(inner)?;
                // 0 where there is no value.
                let map = |v: &Value| f(v).number().unwrap_or(0.0);
                with_largest(inner.iter().map(map).chain([0.0]).collect())
            }
            Kind::Linear(terms) => {
                let (mut sums, mut largest) = (vec![0.0], 0.0);
                for (weight, term) in terms {
                    let term = self.numbers(term)?;
                    largest += weight.abs() * term.largest;
                    let added = pairs(&sums, &term.points, |sum, x| sum + weight * x);
                    sums = checked(of, added, largest)?;
                }
                (sums, largest)
            }
            Kind::Aggregate { selector, values } => {
                let values = self.numbers(values)?;
                (means(of, selector, &values, self.max_len)?, values.largest)
            }
            _ => (Vec::new(), 0.0),
        };
        let points = checked(of, points, largest)?;
        let numbers = Numbers { points, largest };
        self.known_numbers.insert(of.key(), numbers.clone());
        Ok(numbers)
    }
}

impl Numbers {
    /// An error if a map has different outputs, `[point]`, for numbers that f32 may take for one: the
    /// compiled model would then not compute what the interpreter does.
    pub(super) fn expect_apart<T: PartialEq>(&self, of: &Sequence, outputs: &[T]) -> Result<()> {
        let least = (APART * self.largest).max(LEAST_GAP);
        for (between, change) in self.points.windows(2).zip(outputs.windows(2)) {
            let (a, b) = (between[0], between[1]);
            if change[0] != change[1] && b - a < least {
                let reason = format!(
                    "are values of {:?} that f32 may not keep apart, but a map of it does; give it \
                     values at least {least:e} apart, or equal results for both",
                    of.name()
                );
                return Err(Error::argument("numbers", format!("{a} and {b}"), reason));
            }
        }
        Ok(())
    }
}

/// Each once, not too many.
fn unique(of: &Sequence, values: impl Iterator<Item = Value>) -> Result<Vec<Value>> {
    let mut found = Vec::new();
    for value in values {
        if !found.contains(&value) {
            found.push(value);
            expect_few(of, found.len())?;
        }
    }
    Ok(found)
}

fn expect_few(of: &Sequence, n_values: usize) -> Result<()> {
    if n_values <= MOST {
        return Ok(());
    }
    let reason = format!("{:?} must have at most {MOST}", of.name());
    Err(Error::argument("number of values", n_values, reason))
}

fn with_largest(values: Vec<f64>) -> (Vec<f64>, f64) {
    let largest = values.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
    (values, largest)
}

/// Every mean of one to `max_len` of these, and 0, that of none.
fn means(of: &Sequence, selector: &Selector, values: &Numbers, max_len: usize) -> Result<Vec<f64>> {
    let longest = if selector.latest { 1 } else { max_len };
    let (mut sums, mut means) = (vec![0.0], vec![0.0]);
    for n in 1..=longest {
        let added = pairs(&sums, &values.points, |sum, x| sum + x);
        sums = checked(of, added, n as f64 * values.largest)?;
        means.extend(sums.iter().map(|sum| sum / n as f64));
    }
    Ok(means)
}

fn pairs(a: &[f64], b: &[f64], f: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    a.iter()
        .flat_map(|&a| b.iter().map(move |&b| (a, b)))
        .map(|(a, b)| f(a, b))
        .collect()
}

/// Ascending, each once, not too many.
fn checked(of: &Sequence, mut values: Vec<f64>, largest: f64) -> Result<Vec<f64>> {
    if let Some(bad) = values.iter().find(|x| !(**x as f32).is_finite()) {
        let reason = format!(
            "is a value of {:?}; values must be finite in f32",
            of.name()
        );
        return Err(Error::argument("number", bad, reason));
    }
    values.sort_by(f64::total_cmp);
    values.dedup_by(|a, b| (*a - *b).abs() <= SAME * largest);
    expect_few(of, values.len())?;
    Ok(values)
}
