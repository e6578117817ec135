//! RASP expressions: sequences made of sequences, and selectors, which say what attends to what.
//! Causal: a selector at a position selects among that position and those before it.
//! Source: Weiss et al. 2021, arXiv:2106.06981, section 3; `latest` after Zhou et al. 2023 (RASP-L).

use super::value::Value;
use std::fmt;
use std::rc::Rc;

pub(super) type MapFn = Rc<dyn Fn(&Value) -> Value>;
pub(super) type PairFn = Rc<dyn Fn(&Value, &Value) -> Value>;
pub(super) type Predicate = Rc<dyn Fn(&Value, &Value) -> bool>;

/// A value at each position ("s-op"). Categorical sequences have finitely many values, or none at a
/// position where an aggregate selects nothing; numerical ones hold [`Value::Number`]. Cloning is
/// cheap: an expression that is used twice is computed once.
#[derive(Clone)]
pub struct Sequence(pub(super) Rc<Node>);

pub(super) struct Node {
    pub(super) name: String,
    pub(super) kind: Kind,
}

pub(super) enum Kind {
    Tokens,
    Indices,
    /// Element by element; `numerical` says what the result is.
    Map {
        of: Sequence,
        f: MapFn,
        numerical: bool,
    },
    /// Of two categorical sequences.
    Combine {
        a: Sequence,
        b: Sequence,
        f: PairFn,
    },
    /// A weighted sum of numerical sequences.
    Linear(Vec<(f64, Sequence)>),
    Aggregate {
        selector: Selector,
        values: Sequence,
    },
    Width(Selector),
}

/// Which positions each position selects.
#[derive(Clone)]
pub struct Selector {
    pub(super) conditions: Vec<Condition>,
    pub(super) latest: bool,
}

/// One condition of a selector. `queries` is none where only keys are asked.
#[derive(Clone)]
pub(super) struct Condition {
    pub(super) keys: Sequence,
    pub(super) queries: Option<Sequence>,
    pub(super) predicate: Predicate,
}

/// The input's symbols.
pub fn tokens() -> Sequence {
    Sequence::new("tokens", Kind::Tokens)
}

/// The positions `0, 1, ..`, as integers.
pub fn indices() -> Sequence {
    Sequence::new("indices", Kind::Indices)
}

/// Every position up to one's own.
pub fn select_all() -> Selector {
    Selector {
        conditions: Vec::new(),
        latest: false,
    }
}

/// The positions up to one's own whose key fits one's own query: `predicate(key, query)`. A position
/// without a value fits nothing. Both sequences are categorical.
pub fn select(
    keys: &Sequence,
    queries: &Sequence,
    predicate: impl Fn(&Value, &Value) -> bool + 'static,
) -> Selector {
    Selector {
        conditions: vec![Condition {
            keys: keys.clone(),
            queries: Some(queries.clone()),
            predicate: Rc::new(predicate),
        }],
        latest: false,
    }
}

/// The positions up to one's own whose key satisfies a predicate, whatever one's own value is.
pub fn select_keys(keys: &Sequence, predicate: impl Fn(&Value) -> bool + 'static) -> Selector {
    Selector {
        conditions: vec![Condition {
            keys: keys.clone(),
            queries: None,
            predicate: Rc::new(move |key, _| predicate(key)),
        }],
        latest: false,
    }
}

/// The values at the selected positions: of a numerical sequence their mean (0 where nothing is
/// selected), of a categorical one the value at the one selected position (none where nothing is).
///
/// For a categorical sequence the selector must select one position at most: [`Selector::latest`],
/// or a condition on [`indices`] alone that no two keys satisfy. The compiler and the interpreter
/// refuse others.
pub fn aggregate(selector: &Selector, values: &Sequence) -> Sequence {
    let name = format!("aggregate {}", values.name());
    let (selector, values) = (selector.clone(), values.clone());
    Sequence::derived(&name, Kind::Aggregate { selector, values })
}

/// How many positions are selected: a categorical sequence of integers.
pub fn selector_width(selector: &Selector) -> Sequence {
    Sequence::new("selector width", Kind::Width(selector.clone()))
}

impl Selector {
    /// What both select; only the latest if either selects only the latest.
    pub fn and(&self, other: &Selector) -> Selector {
        Selector {
            conditions: [self.conditions.as_slice(), &other.conditions].concat(),
            latest: self.latest || other.latest,
        }
    }

    /// Of the positions selected, the last.
    pub fn latest(&self) -> Selector {
        Selector {
            latest: true,
            ..self.clone()
        }
    }
}

/// Characters of a name that is made of other names: a sequence combined with itself again and again
/// would double it each time.
const LONGEST_NAME: usize = 80;

impl Sequence {
    /// A sequence named after those that it is made of.
    fn derived(name: &str, kind: Kind) -> Sequence {
        match name.char_indices().nth(LONGEST_NAME) {
            Some((end, _)) => Sequence::new(&format!("{}..", &name[..end]), kind),
            None => Sequence::new(name, kind),
        }
    }

    fn new(name: &str, kind: Kind) -> Sequence {
        Sequence(Rc::new(Node {
            name: name.to_owned(),
            kind,
        }))
    }

    /// The same under another name, which labels its place in the residual stream.
    pub fn named(self, name: &str) -> Sequence {
        match Rc::try_unwrap(self.0) {
            Ok(node) => Sequence::new(name, node.kind),
            // Shared already: it keeps its name, so that it stays one node.
            Err(shared) => Sequence(shared),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// A categorical sequence, element by element; none where there is no value.
    pub fn map(&self, f: impl Fn(&Value) -> Value + 'static) -> Sequence {
        let kind = Kind::Map {
            of: self.clone(),
            f: Rc::new(f),
            numerical: false,
        };
        Sequence::derived(&format!("map of {}", self.name()), kind)
    }

    /// A numerical sequence, element by element; 0 where there is no value.
    pub fn to_numbers(&self, f: impl Fn(&Value) -> f64 + 'static) -> Sequence {
        let kind = Kind::Map {
            of: self.clone(),
            f: Rc::new(move |value| Value::Number(f(value))),
            numerical: true,
        };
        Sequence::derived(&format!("numbers of {}", self.name()), kind)
    }

    /// A categorical sequence of this one and another, both categorical, element by element; none
    /// where either has no value.
    pub fn combine(
        &self,
        other: &Sequence,
        f: impl Fn(&Value, &Value) -> Value + 'static,
    ) -> Sequence {
        let kind = Kind::Combine {
            a: self.clone(),
            b: other.clone(),
            f: Rc::new(f),
        };
        Sequence::derived(&format!("{} and {}", self.name(), other.name()), kind)
    }

    /// `a self + b other`, both numerical.
    pub fn plus(&self, a: f64, other: &Sequence, b: f64) -> Sequence {
        let terms = vec![(a, self.clone()), (b, other.clone())];
        let name = format!("{a} {} + {b} {}", self.name(), other.name());
        Sequence::derived(&name, Kind::Linear(terms))
    }

    /// Whether its values are numbers.
    pub fn is_numerical(&self) -> bool {
        match &self.0.kind {
            Kind::Tokens | Kind::Indices | Kind::Combine { .. } | Kind::Width(_) => false,
            Kind::Map { numerical, .. } => *numerical,
            Kind::Linear(_) => true,
            Kind::Aggregate { values, .. } => values.is_numerical(),
        }
    }

    /// What tells expressions apart: tokens and indices are one each, however often they are named.
    pub(super) fn key(&self) -> usize {
        match self.0.kind {
            Kind::Tokens => 0,
            Kind::Indices => 1,
            _ => Rc::as_ptr(&self.0).cast::<u8>() as usize,
        }
    }
}

impl fmt::Debug for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sequence({:?})", self.name())
    }
}

impl fmt::Debug for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Selector")
            .field("conditions", &self.conditions.len())
            .field("latest", &self.latest)
            .finish()
    }
}
