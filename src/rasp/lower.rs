//! From an expression to a plan: each subexpression becomes a head or hidden units, in the first
//! block in which its inputs are there.
//! Source: Tracr's translation of RASP to craft (Lindner et al. 2023, section 3.2).

use super::domains::Domains;
use super::expression::{Condition, Kind, Selector, Sequence};
use super::interpreter::expect_kind;
use super::lookup::{Gate, linear, pair, steps, table};
use super::plan::{HeadPlan, Id, Matches, Plan, Variable};
use super::value::Value;
use crate::error::{Error, Result};
use crate::model::{Receiver, Sender};
use std::collections::{HashMap, HashSet};

/// The plan of a program for inputs of up to `max_len` symbols.
pub(super) fn lower(program: &Sequence, vocabulary: &[String], max_len: usize) -> Result<Plan> {
    let mut lowering = Lowering {
        plan: Plan::default(),
        known: HashMap::new(),
        marked: HashSet::new(),
        domains: Domains::new(vocabulary, max_len),
        vocabulary,
        max_len,
    };
    lowering.inputs();
    lowering.mark_clean(program, false);
    let output = lowering.variable(program)?;
    lowering.plan.output = output;
    lowering.plan.note_read(Receiver::Logits, output);
    Ok(lowering.plan)
}

struct Lowering<'a> {
    plan: Plan,
    known: HashMap<usize, Id>,
    /// Sequences that have been marked, and whether as one that must be zero at BOS, because a head
    /// reads it there.
    marked: HashSet<(usize, bool)>,
    domains: Domains<'a>,
    vocabulary: &'a [String],
    max_len: usize,
}

impl Lowering<'_> {
    /// The variables that the embeddings write.
    fn inputs(&mut self) {
        let input = |name: &str, domain: Vec<Value>, writer, varies| Variable {
            name: name.to_owned(),
            domain,
            numerical: false,
            dims: 0..0,
            writer,
            ready: 0,
            varies,
        };
        let symbols = self.vocabulary.iter().map(|s| s.as_str().into()).collect();
        let places = (0..self.max_len as i64).map(Value::Integer).collect();
        let flag = vec![Value::Flag(true)];
        self.plan.bos = self.plan.add(input("bos", flag, Sender::Embed, false));
        self.plan.tokens = self.plan.add(input("tokens", symbols, Sender::Embed, true));
        self.plan.indices = self
            .plan
            .add(input("indices", places, Sender::PosEmbed, false));
    }

    /// Marks what must be zero at BOS: keys and values, and what they are mapped from.
    fn mark_clean(&mut self, of: &Sequence, needed: bool) {
        if !self.marked.insert((of.key(), needed)) {
            return;
        }
        let selector = match &of.0.kind {
            Kind::Tokens | Kind::Indices => return,
            // Steps of numbers are switched off at BOS themselves; tables give nothing for nothing.
            Kind::Map { of, .. } => return self.mark_clean(of, needed && !of.is_numerical()),
            Kind::Combine { a, b, .. } => {
                self.mark_clean(a, needed);
                return self.mark_clean(b, needed);
            }
            Kind::Linear(terms) => {
                return terms
                    .iter()
                    .for_each(|(_, term)| self.mark_clean(term, needed));
            }
            Kind::Aggregate { selector, values } => {
                self.mark_clean(values, true);
                selector
            }
            Kind::Width(selector) => selector,
        };
        for condition in &selector.conditions {
            self.mark_clean(&condition.keys, true);
            if let Some(queries) = &condition.queries {
                self.mark_clean(queries, false);
            }
        }
    }

    /// The variable that holds a sequence.
    fn variable(&mut self, of: &Sequence) -> Result<Id> {
        if let Some(id) = self.known.get(&of.key()) {
            return Ok(*id);
        }
        let id = match &of.0.kind {
            Kind::Tokens => self.plan.tokens,
            Kind::Indices => self.plan.indices,
            Kind::Map { of: inner, .. } if inner.is_numerical() => self.map_numbers(of, inner)?,
            Kind::Map { of: inner, f, .. } => {
                let inner = self.variable(inner)?;
                let images: Vec<Value> = self.domain(inner).iter().map(|v| f(v)).collect();
                let out = self.mapped(of, &[inner])?;
                let (layer, first) = (self.layer_of(out), self.dims(inner).start);
                let written: Result<Vec<_>> = images.iter().map(|v| self.writes(out, v)).collect();
                let units = table(layer, first, written?.into_iter());
                self.plan.units.extend(units);
                out
            }
            Kind::Combine { a, b, f } => {
                expect_kind("a combined sequence", a, false)?;
                expect_kind("a combined sequence", b, false)?;
                let (a, b) = (self.variable(a)?, self.variable(b)?);
                let out = self.mapped(of, &[a, b])?;
                let layer = self.layer_of(out);
                for (i, x) in self.domain(a).into_iter().enumerate() {
                    for (j, y) in self.domain(b).into_iter().enumerate() {
                        let dims = [self.dims(a).start + i, self.dims(b).start + j];
                        let outputs = self.writes(out, &f(&x, &y))?;
                        self.plan.units.push(pair(layer, dims, outputs));
                    }
                }
                out
            }
            Kind::Linear(terms) => {
                let (mut ids, mut weights) = (Vec::new(), Vec::new());
                for (weight, term) in terms {
                    expect_kind("a summed sequence", term, true)?;
                    let id = self.variable(term)?;
                    weights.push((self.dims(id).start, *weight));
                    ids.push(id);
                }
                let out = self.mapped(of, &ids)?;
                let units = linear(self.layer_of(out), &weights, self.dims(out).start);
                self.plan.units.extend(units);
                out
            }
            Kind::Aggregate { selector, values } => {
                self.check_single(selector, values, of.name())?;
                let values = self.variable(values)?;
                self.head(of.name(), selector, values, false)?
            }
            Kind::Width(selector) => self.width(of, selector)?,
        };
        self.known.insert(of.key(), id);
        Ok(id)
    }

    /// A map of numbers, whose possible values are known.
    fn map_numbers(&mut self, of: &Sequence, inner: &Sequence) -> Result<Id> {
        let Kind::Map { f, .. } = &of.0.kind else {
            return Err(Error::argument(
                "map",
                format!("{:?}", of.name()),
                "is no map",
            ));
        };
        let numbers = self.domains.numbers(inner)?;
        let id = self.variable(inner)?;
        let out = self.mapped(of, &[id])?;
        let images = numbers.points.iter().map(|x| f(&Value::Number(*x)));
        let outputs: Result<Vec<_>> = images.map(|v| self.writes(out, &v)).collect();
        let outputs = outputs?;
        numbers.expect_apart(inner, &outputs)?;
        self.steps(of, id, out, &numbers.points, &outputs);
        Ok(out)
    }

    fn steps(
        &mut self,
        of: &Sequence,
        inner: Id,
        out: Id,
        points: &[f64],
        outputs: &[Vec<(usize, f64)>],
    ) {
        let layer = self.layer_of(out);
        let gate = self
            .marked
            .contains(&(of.key(), true))
            .then_some(self.plan.bos);
        if let Some(bos) = gate {
            self.plan.note_read(Receiver::Mlp { layer }, bos);
        }
        let gate = Gate(gate.map(|bos| self.dims(bos).start));
        let units = steps(layer, self.dims(inner).start, points, outputs, gate);
        self.plan.units.extend(units);
    }

    /// A head whose share of BOS is `1 / (1 + width)`, and units that make the width of it.
    fn width(&mut self, of: &Sequence, selector: &Selector) -> Result<Id> {
        if selector.latest {
            let reason = "counts the positions of a selector that selects one at most";
            return Err(Error::argument("selector_width", "latest", reason));
        }
        let name = format!("1 / (1 + {})", of.name());
        let share = self.head(&name, selector, self.plan.bos, true)?;
        let out = self.mapped(of, &[share])?;
        // Ascending shares: descending widths.
        let widths: Vec<i64> = (0..=self.max_len as i64).rev().collect();
        let points: Vec<f64> = widths.iter().map(|w| 1.0 / (1.0 + *w as f64)).collect();
        let outputs = widths.iter().map(|w| self.writes(out, &Value::Integer(*w)));
        let outputs: Result<Vec<_>> = outputs.collect();
        self.steps(of, share, out, &points, &outputs?);
        Ok(out)
    }

    /// The variable of an element-wise map of others, in the first MLP after them.
    fn mapped(&mut self, of: &Sequence, from: &[Id]) -> Result<Id> {
        let ready = from
            .iter()
            .map(|&id| self.plan.variables[id].ready)
            .max()
            .unwrap_or(0);
        let layer = ready / 2;
        for &id in from {
            self.plan.note_read(Receiver::Mlp { layer }, id);
        }
        let numerical = of.is_numerical();
        let domain = match numerical {
            true => Vec::new(),
            false => self.domains.categorical(of)?,
        };
        Ok(self.plan.add(Variable {
            name: of.name().to_owned(),
            domain,
            numerical,
            dims: 0..0,
            writer: Sender::Mlp { layer },
            ready: 2 * layer + 2,
            varies: from.iter().any(|&id| self.plan.variables[id].varies),
        }))
    }

    /// A head in the first attention after what it reads.
    fn head(&mut self, name: &str, selector: &Selector, values: Id, counts: bool) -> Result<Id> {
        let mut conditions = Vec::new();
        for condition in &selector.conditions {
            conditions.push(self.matches(condition)?);
        }
        let latest = selector.latest.then_some(self.plan.indices);
        let keys = conditions.iter().map(|c| c.keys).chain(latest);
        // Where all is selected and BOS counts, all keys score alike.
        let bos = (!counts || !conditions.is_empty()).then_some(self.plan.bos);
        let keys: Vec<Id> = keys.chain(bos).collect();
        let queries: Vec<Id> = conditions.iter().filter_map(|c| c.queries).collect();
        let all: Vec<Id> = [keys.as_slice(), &queries, &[values]].concat();
        let of = |id: &Id| &self.plan.variables[*id];
        let ready = all.iter().map(|id| of(id).ready).max().unwrap_or(0);
        let varies = all.iter().any(|id| of(id).varies);
        let layer = ready.div_ceil(2);
        let head = self.plan.next_head(layer);
        let (numerical, domain) = match counts {
            true => (true, Vec::new()),
            false => (of(&values).numerical, of(&values).domain.clone()),
        };
        let out = self.plan.add(Variable {
            name: name.to_owned(),
            domain,
            numerical,
            dims: 0..0,
            writer: Sender::Head { layer, head },
            ready: 2 * layer + 1,
            varies,
        });
        for id in keys {
            self.plan.note_read(Receiver::Key { layer, head }, id);
        }
        for id in queries {
            self.plan.note_read(Receiver::Query { layer, head }, id);
        }
        self.plan.note_read(Receiver::Value { layer, head }, values);
        self.plan.heads.push(HeadPlan {
            layer,
            conditions,
            latest,
            counts_bos: counts,
            values,
            out,
        });
        Ok(out)
    }

    /// A condition as a table; a query that changes nothing is not read.
    fn matches(&mut self, condition: &Condition) -> Result<Matches> {
        expect_kind("keys", &condition.keys, false)?;
        let keys = self.variable(&condition.keys)?;
        let (queries, of_queries) = match &condition.queries {
            Some(queries) => {
                expect_kind("queries", queries, false)?;
                let id = self.variable(queries)?;
                (Some(id), self.domain(id))
            }
            None => (None, vec![Value::Flag(true)]),
        };
        let fits_of = |key: &Value| -> Vec<bool> {
            let fits = |query: &Value| (condition.predicate)(key, query);
            of_queries.iter().map(fits).collect()
        };
        let fits: Vec<Vec<bool>> = self.domain(keys).iter().map(fits_of).collect();
        Ok(Matches {
            keys,
            queries,
            fits,
        })
    }

    /// An error unless a categorical value is taken from one position at most.
    fn check_single(&mut self, selector: &Selector, values: &Sequence, name: &str) -> Result<()> {
        if values.is_numerical() || selector.latest {
            return Ok(());
        }
        for condition in &selector.conditions {
            if matches!(condition.keys.0.kind, Kind::Indices) {
                let fits = self.matches(condition)?.fits;
                let n_queries = fits.first().map_or(0, Vec::len);
                let keys_of = |query: usize| fits.iter().filter(|key| key[query]).count();
                if (0..n_queries).all(|query| keys_of(query) <= 1) {
                    return Ok(());
                }
            }
        }
        let reason = "a categorical value needs a selector of one position at most: `.latest()`";
        Err(Error::argument("aggregate", format!("{name:?}"), reason))
    }

    fn domain(&self, id: Id) -> Vec<Value> {
        self.plan.variables[id].domain.clone()
    }

    fn dims(&self, id: Id) -> std::ops::Range<usize> {
        self.plan.variables[id].dims.clone()
    }

    /// The block whose MLP writes a variable.
    fn layer_of(&self, id: Id) -> usize {
        self.plan.variables[id].ready / 2 - 1
    }

    /// The dimension of a value, with 1, or that of the number, with its value.
    fn writes(&self, out: Id, value: &Value) -> Result<Vec<(usize, f64)>> {
        let out = &self.plan.variables[out];
        match value {
            Value::Number(x) if out.numerical => Ok(vec![(out.dims.start, *x)]),
            _ => {
                let place = out.domain.iter().position(|v| v == value);
                let dim = place.ok_or_else(|| {
                    let name = format!("{:?}", out.name);
                    Error::argument(
                        "a value of",
                        name,
                        format!("{value} is not always the same"),
                    )
                })?;
                Ok(vec![(out.dims.start + dim, 1.0)])
            }
        }
    }
}
