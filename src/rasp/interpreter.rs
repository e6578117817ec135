//! What a program computes, by its definition: position by position, selector by selector.
//! The reference for compiled models, which share nothing with it but the expression.
//! Source: Weiss et al. 2021, arXiv:2106.06981, section 3, with causal selectors.

use super::expression::{Kind, Selector, Sequence};
use super::value::Value;
use crate::error::{Error, Result};
use std::collections::HashMap;

/// The value of an expression at each position of an input; `None` where it has none.
///
/// ```
/// use holoscope::rasp::{Value, interpret, select, selector_width, tokens};
/// let seen = selector_width(&select(&tokens(), &tokens(), |key, query| key == query));
/// let counts = interpret(&seen, &["a", "b", "a"])?;
/// assert_eq!(counts, [1, 1, 2].map(|n| Some(Value::Integer(n))));
/// # Ok::<(), holoscope::Error>(())
/// ```
///
/// # Errors
/// A categorical aggregate of several positions; a condition, map or sum of sequences of the wrong
/// kind (numerical or categorical).
pub fn interpret<S: AsRef<str>>(program: &Sequence, input: &[S]) -> Result<Vec<Option<Value>>> {
    let mut run = Interpreter {
        input: input.iter().map(|s| s.as_ref().to_owned()).collect(),
        known: HashMap::new(),
    };
    run.values(program)
}

struct Interpreter {
    input: Vec<String>,
    known: HashMap<usize, Vec<Option<Value>>>,
}

/// An error unless the sequence is of this kind.
pub(super) fn expect_kind(what: &'static str, of: &Sequence, numerical: bool) -> Result<()> {
    if of.is_numerical() == numerical {
        return Ok(());
    }
    let kind = if numerical {
        "numerical"
    } else {
        "categorical"
    };
    let value = format!("{:?}", of.name());
    Err(Error::argument(what, value, format!("must be {kind}")))
}

impl Interpreter {
    fn values(&mut self, of: &Sequence) -> Result<Vec<Option<Value>>> {
        if let Some(values) = self.known.get(&of.key()) {
            return Ok(values.clone());
        }
        let n = self.input.len();
        let values: Vec<Option<Value>> = match &of.0.kind {
            Kind::Tokens => self.input.iter().map(|s| Some(s.as_str().into())).collect(),
            Kind::Indices => (0..n).map(|i| Some(Value::Integer(i as i64))).collect(),
            Kind::Map { of, f, numerical } => {
                let default = numerical.then_some(Value::Number(0.0));
                let map = |v: &Option<Value>| v.as_ref().map(|v| f(v)).or(default.clone());
                self.values(of)?.iter().map(map).collect()
            }
            Kind::Combine { a, b, f } => {
                expect_kind("a combined sequence", a, false)?;
                expect_kind("a combined sequence", b, false)?;
                let (a, b) = (self.values(a)?, self.values(b)?);
                let pairs = a.iter().zip(&b);
                let both =
                    |(a, b): (&Option<Value>, &Option<Value>)| Some(f(a.as_ref()?, b.as_ref()?));
                pairs.map(both).collect()
            }
            Kind::Linear(terms) => {
                let mut sums = vec![0.0; n];
                for (weight, of) in terms {
                    expect_kind("a summed sequence", of, true)?;
                    for (sum, x) in sums.iter_mut().zip(self.values(of)?) {
                        *sum += weight * number(&x);
                    }
                }
                sums.into_iter().map(|x| Some(Value::Number(x))).collect()
            }
            Kind::Aggregate { selector, values } => {
                let numerical = values.is_numerical();
                let values = self.values(values)?;
                let selected = self.selected(selector)?;
                let of_position = |keys: &Vec<usize>| match numerical {
                    true => Ok(Some(Value::Number(mean(&values, keys)))),
                    false => single(&values, keys, of.name()),
                };
                selected.iter().map(of_position).collect::<Result<_>>()?
            }
            Kind::Width(selector) => {
                let selected = self.selected(selector)?;
                let width = |keys: &Vec<usize>| Some(Value::Integer(keys.len() as i64));
                selected.iter().map(width).collect()
            }
        };
        self.known.insert(of.key(), values.clone());
        Ok(values)
    }

    /// The positions that each position selects, in order.
    fn selected(&mut self, selector: &Selector) -> Result<Vec<Vec<usize>>> {
        let n = self.input.len();
        let mut selected: Vec<Vec<usize>> = (0..n).map(|query| (0..=query).collect()).collect();
        for condition in &selector.conditions {
            expect_kind("keys", &condition.keys, false)?;
            let keys = self.values(&condition.keys)?;
            let queries = match &condition.queries {
                Some(queries) => {
                    expect_kind("queries", queries, false)?;
                    self.values(queries)?
                }
                None => vec![Some(Value::Flag(true)); n],
            };
            for (of_query, query) in selected.iter_mut().zip(&queries) {
                of_query.retain(|&key| match (&keys[key], query) {
                    (Some(key), Some(query)) => (condition.predicate)(key, query),
                    _ => false,
                });
            }
        }
        if selector.latest {
            for of_query in &mut selected {
                *of_query = of_query.last().copied().into_iter().collect();
            }
        }
        Ok(selected)
    }
}

fn number(value: &Option<Value>) -> f64 {
    value.as_ref().and_then(Value::number).unwrap_or(0.0)
}

fn mean(values: &[Option<Value>], keys: &[usize]) -> f64 {
    let sum: f64 = keys.iter().map(|&key| number(&values[key])).sum();
    sum / keys.len().max(1) as f64
}

fn single(values: &[Option<Value>], keys: &[usize], name: &str) -> Result<Option<Value>> {
    match keys {
        [] => Ok(None),
        [key] => Ok(values[*key].clone()),
        _ => {
            let reason = format!(
                "selects {} positions; a categorical value is of one",
                keys.len()
            );
            Err(Error::argument("aggregate", format!("{name:?}"), reason))
        }
    }
}
