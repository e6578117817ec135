//! The values that a sequence can have: the dimensions of a categorical one, and what a map of a
//! numerical one must tell apart. Means of up to `n` values, sums of two sequences, images of maps.
//! Source: the value sets of Tracr's basis inference (Lindner et al. 2023, section 3.2).

use super::expression::{Kind, Selector, Sequence};
use super::value::Value;
use crate::error::{Error, Result};

/// More values than this are not told apart: each costs two hidden units.
const MOST: usize = 2_000;
/// Values closer than this are one.
const SAME: f64 = 1e-9;

/// The values of a categorical sequence, in the order of their dimensions.
pub(super) fn categorical_domain(
    of: &Sequence,
    vocabulary: &[String],
    max_len: usize,
) -> Result<Vec<Value>> {
    let of_inner = |inner: &Sequence| categorical_domain(inner, vocabulary, max_len);
    Ok(match &of.0.kind {
        Kind::Tokens => vocabulary.iter().map(|s| s.as_str().into()).collect(),
        Kind::Indices => (0..max_len as i64).map(Value::Integer).collect(),
        Kind::Width(_) => (0..=max_len as i64).map(Value::Integer).collect(),
        Kind::Map { of: inner, f, .. } if inner.is_numerical() => {
            let inner = numeric_domain(inner, vocabulary, max_len)?;
            unique(inner.into_iter().map(|x| f(&Value::Number(x))))
        }
        Kind::Map { of: inner, f, .. } => unique(of_inner(inner)?.iter().map(|v| f(v))),
        Kind::Combine { a, b, f } => {
            let (a, b) = (of_inner(a)?, of_inner(b)?);
            unique(
                a.iter()
                    .flat_map(|a| b.iter().map(|b| f(a, b)).collect::<Vec<_>>()),
            )
        }
        Kind::Aggregate { values, .. } => of_inner(values)?,
        Kind::Linear(_) => Vec::new(),
    })
}

fn unique(values: impl Iterator<Item = Value>) -> Vec<Value> {
    let mut found = Vec::new();
    for value in values {
        if !found.contains(&value) {
            found.push(value);
        }
    }
    found
}

/// Every value that a numerical sequence can have in inputs of up to `max_len` symbols, ascending;
/// some that it cannot have may be among them.
///
/// # Errors
/// More than 2,000 values; one that is not finite.
pub(super) fn numeric_domain(
    of: &Sequence,
    vocabulary: &[String],
    max_len: usize,
) -> Result<Vec<f64>> {
    let values = match &of.0.kind {
        Kind::Map { of: inner, f, .. } if inner.is_numerical() => {
            let inner = numeric_domain(inner, vocabulary, max_len)?;
            let map = |x: f64| f(&Value::Number(x)).number().unwrap_or(0.0);
            inner.into_iter().map(map).collect()
        }
        Kind::Map { of: inner, f, .. } => {
            let inner = categorical_domain(inner, vocabulary, max_len)?;
            // 0 where there is no value.
            let map = |v: &Value| f(v).number().unwrap_or(0.0);
            inner.iter().map(map).chain([0.0]).collect()
        }
        Kind::Linear(terms) => {
            let mut sums = vec![0.0];
            for (weight, term) in terms {
                let domain = numeric_domain(term, vocabulary, max_len)?;
                sums = checked(of, pairs(&sums, &domain, |sum, x| sum + weight * x))?;
            }
            sums
        }
        Kind::Aggregate { selector, values } => {
            let domain = numeric_domain(values, vocabulary, max_len)?;
            means(of, selector, &domain, max_len)?
        }
        _ => Vec::new(),
    };
    checked(of, values)
}

/// Every mean of one to `max_len` of these, and 0, that of none.
fn means(of: &Sequence, selector: &Selector, domain: &[f64], max_len: usize) -> Result<Vec<f64>> {
    let longest = if selector.latest { 1 } else { max_len };
    let (mut sums, mut means) = (vec![0.0], vec![0.0]);
    for n in 1..=longest {
        sums = checked(of, pairs(&sums, domain, |sum, x| sum + x))?;
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
fn checked(of: &Sequence, mut values: Vec<f64>) -> Result<Vec<f64>> {
    if let Some(bad) = values.iter().find(|x| !x.is_finite()) {
        let reason = format!("is a value of {:?}; values must be finite", of.name());
        return Err(Error::argument("number", bad, reason));
    }
    values.sort_by(f64::total_cmp);
    values.dedup_by(|a, b| (*a - *b).abs() < SAME);
    if values.len() > MOST {
        let reason = format!("{:?} must have at most {MOST}", of.name());
        return Err(Error::argument("number of values", values.len(), reason));
    }
    Ok(values)
}
