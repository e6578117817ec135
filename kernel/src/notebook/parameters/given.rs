//! Converts the text given for a parameter to Rust source of its type. A text is data: whatever
//! it contains, it becomes a value of this type or an error.

use super::declared::shortened;
use super::kind::{Bounds, Kind};
use super::makers::{List, VEC};
use super::{scalars, split};

/// How values are written.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// Whether the type of an empty list or of `None` must be written.
    pub says_types: bool,
    /// Whether the value is in a `const` or a `static`.
    pub constant: bool,
}

/// Why a text is not a value of a type.
#[derive(Debug)]
pub struct Misfit {
    /// The text or that part of it which does not fit.
    text: String,
    /// What it looks like, for messages.
    found: String,
    /// The required type.
    wanted: String,
    hint: String,
}

impl Misfit {
    fn new(text: &str, kind: &Kind, hint: impl Into<String>) -> Misfit {
        Misfit {
            text: text.to_owned(),
            found: scalars::describe(text),
            wanted: kind.to_string(),
            hint: hint.into(),
        }
    }

    /// One line that names both types; `ty` is that of the parameter.
    pub fn message(&self, given: &str, ty: &str) -> String {
        let Misfit {
            text,
            found,
            wanted,
            hint,
        } = self;
        let of = |wanted: &str| format!("{:?} is {found}, not {wanted}: {hint}", shortened(text));
        match text.trim() == given.trim() {
            true => of(ty),
            false => format!("{:?} does not fit {ty}: {}", shortened(given), of(wanted)),
        }
    }
}

/// The source of the value of this type that a text represents.
///
/// # Errors
/// A [`Misfit`] that describes the text and the expected form.
pub fn code(kind: &Kind, text: &str, style: Style) -> Result<String, Misfit> {
    Writer { style }.value(kind, text, Place::Top)
}

/// The position of a text: at the top level it may omit the quotes and brackets that an item
/// needs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Top,
    Item,
}

struct Writer {
    style: Style,
}

impl Writer {
    fn value(&self, kind: &Kind, text: &str, place: Place) -> Result<String, Misfit> {
        let misfit = |hint: String| Misfit::new(text, kind, hint);
        if self.style.constant && !is_constant(kind) {
            return Err(misfit(
                "a const or static cannot take a parameter; use a `let`".to_owned(),
            ));
        }
        match kind {
            Kind::Bool => boolean(text)
                .map(str::to_owned)
                .ok_or_else(|| misfit("expected true or false".to_owned())),
            Kind::Char => character(text).map_err(misfit),
            Kind::Integer(number) => scalars::integer(text, *number).map_err(misfit),
            Kind::Float(number) => scalars::float(text, *number).map_err(misfit),
            // `{:?}` of a str is a Rust string literal, quotes and escapes included.
            Kind::Str => Ok(format!("{:?}", plain(text, place).map_err(misfit)?)),
            Kind::Text(made) => {
                let literal = plain(text, place).map_err(misfit)?;
                Ok(format!("{}{literal:?}{}", made.before, made.after))
            }
            Kind::Option(inner) => self.option(kind, inner, text, place),
            Kind::List(list, item) => self.list(kind, list, item, text, place),
            Kind::Map(map, key, value) => self.map(kind, map, (key, value), text),
            Kind::Array(item, length) => {
                let items = self.items(kind, item, text, place)?;
                match items.len() == *length {
                    true => Ok(format!("[{}]", items.join(", "))),
                    false => Err(misfit(format!(
                        "expected {length} items, found {}",
                        items.len()
                    ))),
                }
            }
            Kind::Slice(item) => Ok(format!(
                "&[{}]",
                self.items(kind, item, text, place)?.join(", ")
            )),
            Kind::Reference(inner) => Ok(format!("&{}", self.value(inner, text, place)?)),
            Kind::Tuple(fields) => self.tuple(kind, fields, text, place),
            Kind::Range(bounds, end) => self.range(kind, *bounds, end, text),
            Kind::Duration(unit) => scalars::duration(text, *unit).map_err(misfit),
            Kind::NonZero(ty) => {
                let number = super::kind::Number {
                    ty: Some(ty),
                    suffix: false,
                };
                match scalars::integer(text, number).map_err(misfit)? {
                    zero if zero == "0" => {
                        Err(misfit("expected a number that is not 0".to_owned()))
                    }
                    digits => Ok(format!("std::num::NonZero::<{ty}>::new({digits}).unwrap()")),
                }
            }
            Kind::Wrapper(wrapper, inner) => Ok(format!(
                "{}::new({})",
                wrapper.path,
                self.value(inner, text, place)?
            )),
        }
    }

    fn option(
        &self,
        kind: &Kind,
        inner: &Kind,
        text: &str,
        place: Place,
    ) -> Result<String, Misfit> {
        let trimmed = text.trim();
        if matches!(trimmed, "None" | "none" | "null" | "~") {
            return Ok(match self.style.says_types {
                true => format!("None::<{}>", inner.name(true)),
                false => "None".to_owned(),
            });
        }
        let Some(given) = trimmed.strip_prefix("Some(") else {
            return Ok(format!("Some({})", self.value(inner, text, place)?));
        };
        // Including the bracket that follows `Some`.
        let given = split::within(&trimmed[trimmed.len() - given.len() - 1..], '(');
        let given = given.ok_or_else(|| Misfit::new(text, kind, "its Some(..) is not closed"))?;
        let value = self.value(inner, given, Place::Item)?;
        Ok(format!("Some({value})"))
    }

    /// `[3, 4]`, `vec![3, 4]`, `(3, 4)`; at the top level also `3, 4`.
    fn items(
        &self,
        kind: &Kind,
        item: &Kind,
        text: &str,
        place: Place,
    ) -> Result<Vec<String>, Misfit> {
        let pieces = pieces(kind, text, place)?;
        pieces
            .into_iter()
            .map(|piece| self.value(item, piece, Place::Item))
            .collect()
    }

    fn list(
        &self,
        kind: &Kind,
        list: &List,
        item: &Kind,
        text: &str,
        place: Place,
    ) -> Result<String, Misfit> {
        let items = self.items(kind, item, text, place)?;
        Ok(match (items.is_empty(), *list == VEC) {
            (true, _) if self.style.says_types => {
                format!("{}::<{}>::new()", list.path, item.name(true))
            }
            (true, false) => format!("{}::new()", list.path),
            (_, true) => format!("vec![{}]", items.join(", ")),
            (false, false) => format!("{}::from([{}])", list.path, items.join(", ")),
        })
    }

    fn map(
        &self,
        kind: &Kind,
        map: &List,
        (key, value): (&Kind, &Kind),
        text: &str,
    ) -> Result<String, Misfit> {
        let misfit = |hint: String| Misfit::new(text, kind, hint);
        let expected = || misfit("expected a map such as {\"a\": 1, \"b\": 2}".to_owned());
        let inner = split::within(text, '{').ok_or_else(expected)?;
        let mut entries: Vec<(String, String)> = Vec::new();
        for piece in split::pieces(inner, ',').map_err(misfit)? {
            let (given, of) = split::pair(piece, ':').ok_or_else(expected)?;
            let entry = (
                self.value(key, given, Place::Item)?,
                self.value(value, of, Place::Item)?,
            );
            if entries.iter().any(|(earlier, _)| *earlier == entry.0) {
                return Err(misfit(format!("its key {given} is there twice")));
            }
            entries.push(entry);
        }
        if entries.is_empty() {
            return Ok(match self.style.says_types {
                true => format!(
                    "{}::<{}, {}>::new()",
                    map.path,
                    key.name(true),
                    value.name(true)
                ),
                false => format!("{}::new()", map.path),
            });
        }
        let entries = entries
            .into_iter()
            .map(|(key, value)| format!("({key}, {value})"));
        Ok(format!(
            "{}::from([{}])",
            map.path,
            entries.collect::<Vec<_>>().join(", ")
        ))
    }

    fn tuple(
        &self,
        kind: &Kind,
        fields: &[Kind],
        text: &str,
        place: Place,
    ) -> Result<String, Misfit> {
        let pieces = pieces(kind, text, place)?;
        if pieces.len() != fields.len() {
            let hint = format!("expected {} items, found {}", fields.len(), pieces.len());
            return Err(Misfit::new(text, kind, hint));
        }
        let items = fields
            .iter()
            .zip(pieces)
            .map(|(field, piece)| self.value(field, piece, Place::Item));
        let items = items.collect::<Result<Vec<_>, _>>()?;
        Ok(match items.as_slice() {
            [one] => format!("({one},)"),
            _ => format!("({})", items.join(", ")),
        })
    }

    fn range(&self, kind: &Kind, bounds: Bounds, end: &Kind, text: &str) -> Result<String, Misfit> {
        let dots = if bounds.inclusive { "..=" } else { ".." };
        let expected = || {
            let start = if bounds.start { "0" } else { "" };
            let end = if bounds.end { "10" } else { "" };
            Misfit::new(
                text,
                kind,
                format!("expected a range such as {start}{dots}{end}"),
            )
        };
        let (from, to) = text.trim().split_once("..").ok_or_else(expected)?;
        let (to, inclusive) = match to.strip_prefix('=') {
            Some(to) => (to, true),
            None => (to, false),
        };
        let given = Bounds {
            start: !from.trim().is_empty(),
            end: !to.trim().is_empty(),
            inclusive,
        };
        if given != bounds {
            return Err(expected());
        }
        let side = |text: &str, there: bool| match there {
            true => self.value(end, text.trim(), Place::Item),
            false => Ok(String::new()),
        };
        Ok(format!(
            "{}{dots}{}",
            side(from, bounds.start)?,
            side(to, bounds.end)?
        ))
    }
}

/// The items listed in a text.
fn pieces<'a>(kind: &Kind, text: &'a str, place: Place) -> Result<Vec<&'a str>, Misfit> {
    let misfit = |hint: String| Misfit::new(text, kind, hint);
    let trimmed = text.trim();
    let inner = trimmed.strip_prefix("vec!").unwrap_or(trimmed);
    let inner = inner.strip_prefix('&').unwrap_or(inner);
    let enclosed = split::within(inner, '[').or_else(|| split::within(inner, '('));
    let listed = match (enclosed, place) {
        (Some(listed), _) => listed,
        (None, Place::Top) if !trimmed.is_empty() => trimmed,
        _ => {
            let example = match kind {
                Kind::Tuple(_) => "items in brackets, such as (3, 4)",
                _ => "a list such as [3, 4]",
            };
            return Err(misfit(format!("expected {example}")));
        }
    };
    split::pieces(listed, ',').map_err(misfit)
}

/// A text as given; an item may be quoted.
fn plain(text: &str, place: Place) -> Result<String, String> {
    match place {
        Place::Top => Ok(text.to_owned()),
        Place::Item => split::item_text(text),
    }
}

fn boolean(text: &str) -> Option<&'static str> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some("true"),
        "false" | "no" | "off" | "0" => Some("false"),
        _ => None,
    }
}

/// One character, with or without quotes.
fn character(text: &str) -> Result<String, String> {
    let one = |text: &str| {
        let mut chars = text.chars();
        let first = chars.next()?;
        chars.as_str().is_empty().then_some(first)
    };
    let quoted = || {
        let text = text.trim();
        let rust = split::unescaped(text);
        let inner = rust.or_else(|| split::item_text(text).ok())?;
        one(&inner)
    };
    let chars: Vec<char> = text.trim().chars().collect();
    let alone = match chars.as_slice() {
        ['\'', c, '\''] | ['"', c, '"'] => Some(*c),
        _ => one(text),
    };
    match alone.or_else(quoted) {
        Some(c) => Ok(format!("{c:?}")),
        None => Err(format!(
            "expected one character, found {}",
            text.trim().chars().count()
        )),
    }
}

/// Whether values of a type can be constructed in a constant.
fn is_constant(kind: &Kind) -> bool {
    match kind {
        Kind::Text(text) => text.after == ")" && text.before.ends_with("Borrowed("),
        Kind::List(..) | Kind::Map(..) => false,
        Kind::Wrapper(wrapper, _) => wrapper.constant,
        _ => true,
    }
}
