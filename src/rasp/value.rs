//! What a sequence holds at a position.

use std::fmt;

/// A value at one position. Values of different kinds are never equal.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
pub enum Value {
    /// A symbol of the vocabulary.
    Symbol(String),
    /// An index, a count.
    Integer(i64),
    /// A condition.
    Flag(bool),
    /// A number of a numerical sequence.
    Number(f64),
}

impl Value {
    /// The integer, if it is one.
    pub fn integer(&self) -> Option<i64> {
        match self {
            Value::Integer(n) => Some(*n),
            _ => None,
        }
    }

    /// The number, if it is one.
    pub fn number(&self) -> Option<f64> {
        match self {
            Value::Number(x) => Some(*x),
            _ => None,
        }
    }

    /// Whether it is this symbol.
    pub fn is(&self, symbol: &str) -> bool {
        matches!(self, Value::Symbol(s) if s == symbol)
    }

    /// Whether it is the flag `true`.
    pub fn is_true(&self) -> bool {
        *self == Value::Flag(true)
    }
}

impl From<&str> for Value {
    fn from(symbol: &str) -> Self {
        Value::Symbol(symbol.to_owned())
    }
}

impl From<i64> for Value {
    fn from(n: i64) -> Self {
        Value::Integer(n)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Value::Flag(flag)
    }
}

impl From<f64> for Value {
    fn from(x: f64) -> Self {
        Value::Number(x)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Symbol(s) => f.write_str(s),
            Value::Integer(n) => write!(f, "{n}"),
            Value::Flag(flag) => write!(f, "{flag}"),
            Value::Number(x) => write!(f, "{x}"),
        }
    }
}
