//! The types of parameters whose values can be given as text.

use super::makers::{List, TEXTS, Text, Wrapper};
use std::fmt;

pub const INTEGERS: [&str; 12] = [
    "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64", "u128", "usize",
];
pub const FLOATS: [&str; 2] = ["f32", "f64"];

/// A type.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    Bool,
    Char,
    Integer(Number),
    Float(Number),
    /// `&str`
    Str,
    /// A text type: `String`, `PathBuf`, `&Path`, `Box<str>`, ...
    Text(&'static Text),
    Option(Box<Kind>),
    /// `Vec<T>` and other types made of any number of items.
    List(&'static List, Box<Kind>),
    Map(&'static List, Box<Kind>, Box<Kind>),
    Array(Box<Kind>, usize),
    /// `&[T]`
    Slice(Box<Kind>),
    /// `&[T; N]`
    Reference(Box<Kind>),
    Tuple(Vec<Kind>),
    Range(Bounds, Box<Kind>),
    /// With the unit of a plain number, if the default has one.
    Duration(Option<&'static str>),
    /// `NonZeroUsize` and similar, by the inner type.
    NonZero(&'static str),
    /// A type around another, constructed with its `new`: `Box<T>`, `Cell<T>`,
    /// `AtomicBool`, ...
    Wrapper(&'static Wrapper, Box<Kind>),
}

/// The type of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Number {
    /// `None` if it depends on the rest of the cell.
    pub ty: Option<&'static str>,
    /// Whether the type must follow the digits.
    pub suffix: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    pub start: bool,
    pub end: bool,
    pub inclusive: bool,
}

impl Kind {
    /// The number type, `bool` or `char` of this name.
    pub fn primitive(name: &str) -> Option<Kind> {
        let number = |names: &[&'static str]| {
            let ty = names.iter().copied().find(|ty| *ty == name)?;
            Some(Number {
                ty: Some(ty),
                suffix: false,
            })
        };
        match name {
            "bool" => Some(Kind::Bool),
            "char" => Some(Kind::Char),
            _ => number(&INTEGERS)
                .map(Kind::Integer)
                .or_else(|| number(&FLOATS).map(Kind::Float)),
        }
    }

    pub fn text(name: &str) -> Option<Kind> {
        TEXTS.iter().find(|text| text.name == name).map(Kind::Text)
    }

    /// The types directly within this one.
    fn parts(&mut self) -> Vec<&mut Kind> {
        match self {
            Kind::Option(inner)
            | Kind::List(_, inner)
            | Kind::Array(inner, _)
            | Kind::Slice(inner)
            | Kind::Reference(inner)
            | Kind::Range(_, inner)
            | Kind::Wrapper(_, inner) => vec![inner],
            Kind::Map(_, key, value) => vec![key, value],
            Kind::Tuple(fields) => fields.iter_mut().collect(),
            _ => Vec::new(),
        }
    }

    /// Calls `change` for the type of every number within.
    fn numbers(&mut self, change: &mut dyn FnMut(&mut Number, &'static str)) {
        match self {
            Kind::Integer(number) => change(number, "i32"),
            Kind::Float(number) => change(number, "f64"),
            _ => self
                .parts()
                .into_iter()
                .for_each(|part| part.numbers(change)),
        }
    }

    /// Whether a number type within depends on the rest of the cell.
    pub fn is_open(&self) -> bool {
        let mut open = false;
        self.clone()
            .numbers(&mut |number, _| open |= number.ty.is_none());
        open
    }

    /// The type that rustc infers if nothing in the cell determines it.
    pub fn settled(mut self) -> Kind {
        self.numbers(&mut |number, fallback| {
            number.ty.get_or_insert(fallback);
        });
        self
    }

    /// The smallest candidates for an open type: a value that fits these fits all
    /// candidates.
    pub fn extremes(&self) -> Vec<Kind> {
        if !self.is_open() {
            return Vec::new();
        }
        let with = |signed: bool| {
            let mut kind = self.clone();
            kind.numbers(&mut |number, fallback| {
                let smallest = match (fallback, signed) {
                    ("f64", _) => "f32",
                    (_, true) => "i8",
                    (_, false) => "u8",
                };
                number.ty.get_or_insert(smallest);
            });
            kind
        };
        vec![with(true), with(false)]
    }

    /// The same type, written with the value: `20usize`.
    pub fn said_by_value(mut self) -> Kind {
        self.numbers(&mut |number, _| number.suffix = number.ty.is_some());
        self
    }

    /// The common type of both, if there is one.
    pub fn unify(self, other: Kind) -> Option<Kind> {
        use Kind::{
            Array, Float, Integer, List, Map, Option as Opt, Range, Reference, Slice, Tuple,
            Wrapper,
        };
        let both = |a: Box<Kind>, b: Box<Kind>| a.unify(*b).map(Box::new);
        Some(match (self, other) {
            (Integer(a), Integer(b)) => Integer(a.unify(b)?),
            (Float(a), Float(b)) => Float(a.unify(b)?),
            (Opt(a), Opt(b)) => Opt(both(a, b)?),
            (List(x, a), List(y, b)) if x == y => List(x, both(a, b)?),
            (Map(x, k, v), Map(y, l, w)) if x == y => Map(x, both(k, l)?, both(v, w)?),
            (Array(a, n), Array(b, m)) if n == m => Array(both(a, b)?, n),
            (Slice(a), Slice(b)) => Slice(both(a, b)?),
            (Reference(a), Reference(b)) => Reference(both(a, b)?),
            (Range(x, a), Range(y, b)) if x == y => Range(x, both(a, b)?),
            (Wrapper(x, a), Wrapper(y, b)) if x == y => Wrapper(x, both(a, b)?),
            (Tuple(a), Tuple(b)) if a.len() == b.len() => {
                let fields = a.into_iter().zip(b).map(|(a, b)| a.unify(b));
                Tuple(fields.collect::<Option<_>>()?)
            }
            (a, b) if a == b => a,
            _ => return None,
        })
    }

    /// The type's name: short, or with the paths that any cell can resolve.
    pub fn name(&self, full: bool) -> String {
        let choose = |short: &str, path: &str| if full { path } else { short }.to_owned();
        let within = |kind: &Kind| kind.name(full);
        match self {
            Kind::Bool => "bool".to_owned(),
            Kind::Char => "char".to_owned(),
            Kind::Integer(number) => number.ty.unwrap_or("an integer").to_owned(),
            Kind::Float(number) => number.ty.unwrap_or("a float").to_owned(),
            Kind::Str => choose("&str", "&'static str"),
            Kind::Text(text) => choose(text.name, text.path),
            Kind::Option(inner) => format!("Option<{}>", within(inner)),
            Kind::List(list, inner) => {
                format!("{}<{}>", choose(list.name, list.path), within(inner))
            }
            Kind::Map(map, key, value) => {
                format!(
                    "{}<{}, {}>",
                    choose(map.name, map.path),
                    within(key),
                    within(value)
                )
            }
            Kind::Array(inner, n) => format!("[{}; {n}]", within(inner)),
            Kind::Slice(inner) => format!("&[{}]", within(inner)),
            Kind::Reference(inner) => format!("&{}", within(inner)),
            Kind::Tuple(fields) => match fields.as_slice() {
                [one] => format!("({},)", within(one)),
                _ => format!(
                    "({})",
                    fields.iter().map(within).collect::<Vec<_>>().join(", ")
                ),
            },
            Kind::Range(bounds, inner) => {
                let name = bounds.name();
                format!(
                    "{}<{}>",
                    choose(name, &format!("std::ops::{name}")),
                    within(inner)
                )
            }
            Kind::Duration(_) => choose("Duration", "std::time::Duration"),
            Kind::NonZero(ty) => choose(
                &format!("NonZero<{ty}>"),
                &format!("std::num::NonZero<{ty}>"),
            ),
            Kind::Wrapper(wrapper, inner) => {
                let name = choose(wrapper.name, wrapper.path);
                match wrapper.holds {
                    Some(_) => name,
                    None => format!("{name}<{}>", within(inner)),
                }
            }
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name(false))
    }
}

impl Number {
    fn unify(self, other: Number) -> Option<Number> {
        match (self.ty, other.ty) {
            (Some(a), Some(b)) if a != b => None,
            (None, _) => Some(other),
            (Some(_), _) => Some(self),
        }
    }
}

impl Bounds {
    pub const ALL: [Bounds; 5] = [
        Bounds {
            start: true,
            end: true,
            inclusive: false,
        },
        Bounds {
            start: true,
            end: true,
            inclusive: true,
        },
        Bounds {
            start: true,
            end: false,
            inclusive: false,
        },
        Bounds {
            start: false,
            end: true,
            inclusive: false,
        },
        Bounds {
            start: false,
            end: true,
            inclusive: true,
        },
    ];

    pub fn name(self) -> &'static str {
        match (self.start, self.end, self.inclusive) {
            (true, true, false) => "Range",
            (true, true, true) => "RangeInclusive",
            (true, false, _) => "RangeFrom",
            (false, _, false) => "RangeTo",
            (false, _, true) => "RangeToInclusive",
        }
    }
}
