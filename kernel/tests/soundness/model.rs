//! What a session should hold: definitions, values, counters; and what it should say of them.

use std::collections::{BTreeMap, BTreeSet};

/// Functions below this number read no method: a method may call them without a circle of calls.
pub const PLAIN: usize = 3;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ty {
    Int,
    Float,
    Text,
    /// `[u8; N]`
    Bytes,
    Opt(Box<Ty>),
    List(Box<Ty>),
    /// The generic struct.
    Gen(Box<Ty>),
    Alias,
    T(usize),
}

/// What a cell can define.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    Len,
    Gen,
    Alias,
    T(usize),
    Trait,
    Counter,
    Static(usize),
    /// The inherent `impl` of a type.
    Tag(usize),
    /// The trait's `impl` for a type.
    Impl(usize),
    /// A function that reads a value.
    Read(usize),
    /// A function that makes a value and gives its text.
    Make(usize),
    Bump(usize),
}

pub type Fields<T> = Vec<(char, T)>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Def {
    Len(usize),
    /// A field without a type is of the parameter's.
    Gen(Fields<Option<Ty>>),
    Alias(Ty),
    Named(Fields<Ty>),
    Tuple(Vec<Ty>),
    Enum(Fields<Vec<Ty>>),
    /// The trait's methods, in their order.
    Trait(Vec<char>),
    /// Whether the padding comes first.
    Counter(bool),
    /// With what it begins, and whether `N` is added to that.
    Static(u64, bool),
    Tag(u32, Option<Name>),
    Impl(u32),
    Read(usize, Vec<Part>),
    Make(Ty, Value),
    Bump,
}

/// What a function says of its argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    Whole,
    /// Of a struct with named fields, or by the number of the letter.
    Field(char, bool),
    Is(char),
    Number(u32),
    Len,
    Tag,
    Alpha,
    /// Another function, of the argument or of one of its fields.
    Call(usize, Option<(char, bool)>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Int(u32),
    /// And a half.
    Float(u32),
    Text(u32),
    Bytes(Vec<u8>),
    Opt(Option<Box<Value>>),
    List(Vec<Value>),
    Gen(Fields<Value>),
    Named(usize, Fields<Value>),
    Tuple(usize, Vec<Value>),
    Variant(usize, char, Vec<Value>),
    /// A clone of a variable.
    Var(usize),
}

/// A variable of the session.
#[derive(Debug, Clone)]
pub struct Live {
    pub ty: Ty,
    pub value: Value,
    pub text: String,
    /// Of a `Box<dyn Tr>`: what its methods gave when it was made.
    pub object: Option<String>,
    /// What its type was made of.
    versions: BTreeMap<Name, u32>,
    /// What its own method gives: of a former type, what it gave last.
    tag: Option<u32>,
}

#[derive(Debug, Clone, Default)]
pub struct Model {
    pub defs: BTreeMap<Name, Def>,
    versions: BTreeMap<Name, u32>,
    last: u32,
    pub values: BTreeMap<usize, Live>,
    pub counts: [u64; 2],
    /// A method needs a later type: our kernel makes that another type, and says so.
    pub circle: bool,
}

impl Model {
    /// Takes a definition. One that is there already changes nothing.
    pub fn define(&mut self, name: Name, def: &Def) {
        if self.defs.get(&name) == Some(def) {
            return;
        }
        self.freeze();
        self.defs.insert(name, def.clone());
        let names: Vec<Name> = self
            .defs
            .keys()
            .copied()
            .filter(|other| is_type(*other))
            .collect();
        let mut renewed = vec![name];
        for other in names.into_iter().filter(|_| is_type(name)) {
            if self.made_of(other).contains(&name) {
                renewed.push(other);
            }
        }
        for name in renewed {
            self.last += 1;
            self.versions.insert(name, self.last);
            match name {
                Name::Static(n) => self.begin(n),
                Name::Counter => self.begin(1),
                _ => {}
            }
        }
    }

    /// Notes whether a method needs a type that is made of its own.
    pub fn note_circle(&mut self) {
        self.circle |= self.defs.iter().any(|(name, def)| match (name, def) {
            (Name::Tag(n), Def::Tag(_, Some(callee))) => match self.defs.get(callee) {
                Some(Def::Make(ty, _)) => {
                    *ty != Ty::T(*n) && self.closure(ty).contains(&Name::T(*n))
                }
                _ => false,
            },
            _ => false,
        });
    }

    fn begin(&mut self, n: usize) {
        if let Some(Def::Static(from, with_len)) = self.defs.get(&Name::Static(n)) {
            self.counts[n] = from + if *with_len { self.len() as u64 } else { 0 };
        }
    }

    /// Values of types that are about to be former keep their methods.
    fn freeze(&mut self) {
        let tags: Vec<(usize, Option<u32>)> = self
            .values
            .iter()
            .filter(|(_, live)| self.is_current(live))
            .map(|(k, live)| (*k, self.tag_of(live)))
            .collect();
        for (k, tag) in tags {
            if let Some(live) = self.values.get_mut(&k) {
                live.tag = tag;
            }
        }
    }

    pub fn is_current(&self, live: &Live) -> bool {
        live.versions
            .iter()
            .all(|(name, version)| self.versions.get(name) == Some(version))
    }

    /// What the method of a value gives.
    pub fn tag(&self, live: &Live) -> Option<u32> {
        if self.is_current(live) {
            self.tag_of(live)
        } else {
            live.tag
        }
    }

    fn tag_of(&self, live: &Live) -> Option<u32> {
        match live.ty {
            Ty::T(n) if live.object.is_none() => self.tag_value(n, &live.value),
            _ => None,
        }
    }

    pub fn len(&self) -> usize {
        match self.defs.get(&Name::Len) {
            Some(Def::Len(len)) => *len,
            _ => 0,
        }
    }

    /// The types that a type is made of, itself included.
    fn made_of(&self, name: Name) -> BTreeSet<Name> {
        let mut found = BTreeSet::from([name]);
        let types: Vec<Ty> = match self.defs.get(&name) {
            Some(Def::Alias(ty)) => vec![ty.clone()],
            Some(Def::Named(fields)) => fields.iter().map(|field| field.1.clone()).collect(),
            Some(Def::Tuple(types)) => types.clone(),
            Some(Def::Enum(variants)) => variants
                .iter()
                .flat_map(|variant| variant.1.clone())
                .collect(),
            Some(Def::Gen(fields)) => fields.iter().filter_map(|field| field.1.clone()).collect(),
            Some(Def::Counter(_)) => vec![Ty::Bytes],
            _ => Vec::new(),
        };
        for ty in types {
            found.extend(self.closure(&ty));
        }
        found
    }

    pub fn closure(&self, ty: &Ty) -> BTreeSet<Name> {
        match ty {
            Ty::Int | Ty::Float | Ty::Text => BTreeSet::new(),
            Ty::Bytes => BTreeSet::from([Name::Len]),
            Ty::Opt(inner) | Ty::List(inner) => self.closure(inner),
            Ty::Gen(inner) => &self.made_of(Name::Gen) | &self.closure(inner),
            Ty::Alias => self.made_of(Name::Alias),
            Ty::T(n) => self.made_of(Name::T(*n)),
        }
    }

    /// A type without aliases.
    pub fn expand(&self, ty: &Ty) -> Ty {
        let inner = |ty: &Ty| Box::new(self.expand(ty));
        match ty {
            Ty::Alias => match self.defs.get(&Name::Alias) {
                Some(Def::Alias(ty)) => self.expand(ty),
                _ => Ty::Alias,
            },
            Ty::Opt(ty) => Ty::Opt(inner(ty)),
            Ty::List(ty) => Ty::List(inner(ty)),
            Ty::Gen(ty) => Ty::Gen(inner(ty)),
            other => other.clone(),
        }
    }

    /// Whether all definitions are right together.
    pub fn is_right(&self) -> bool {
        self.defs
            .iter()
            .all(|(name, def)| self.is_right_def(*name, def))
    }

    fn is_right_def(&self, name: Name, def: &Def) -> bool {
        let known = |name: Name| self.defs.contains_key(&name);
        let needs = match (name, def) {
            (Name::Static(1), _) => vec![Name::Counter, Name::Len],
            (Name::Static(_), Def::Static(_, true)) => vec![Name::Len],
            (Name::Bump(n), _) => vec![Name::Static(n)],
            (Name::Impl(n), _) => vec![Name::Trait, Name::T(n)],
            (Name::Tag(n), Def::Tag(_, callee)) => {
                if let Some(Name::Read(f)) = callee
                    && !matches!(self.defs.get(&Name::Read(*f)), Some(Def::Read(on, _)) if *on == n)
                {
                    return false;
                }
                callee.iter().copied().chain([Name::T(n)]).collect()
            }
            (_, Def::Make(ty, value)) => return self.fits(value, ty),
            (_, Def::Read(on, parts)) => {
                return known(Name::T(*on))
                    && parts.iter().all(|part| self.is_right_part(*on, part));
            }
            _ => self.made_of(name).into_iter().collect(),
        };
        needs.into_iter().all(known)
    }

    fn is_right_part(&self, on: usize, part: &Part) -> bool {
        match part {
            Part::Whole | Part::Number(_) => true,
            Part::Field(field, named) => self.field(on, *field, *named).is_some(),
            Part::Is(variant) => match self.defs.get(&Name::T(on)) {
                Some(Def::Enum(variants)) => variants.iter().any(|known| known.0 == *variant),
                _ => false,
            },
            Part::Len => self.defs.contains_key(&Name::Len),
            Part::Tag => self.defs.contains_key(&Name::Tag(on)),
            Part::Alpha => self.defs.contains_key(&Name::Impl(on)),
            Part::Call(other, of) => {
                let ty = match of {
                    None => Some(Ty::T(on)),
                    Some((field, named)) => {
                        self.field(on, *field, *named).map(|ty| self.expand(&ty))
                    }
                };
                matches!(self.defs.get(&Name::Read(*other)), Some(Def::Read(on, _)) if Some(Ty::T(*on)) == ty)
            }
        }
    }

    fn field(&self, on: usize, field: char, named: bool) -> Option<Ty> {
        match self.defs.get(&Name::T(on))? {
            Def::Named(fields) if named => fields
                .iter()
                .find(|known| known.0 == field)
                .map(|known| known.1.clone()),
            Def::Tuple(types) if !named => types.get(index(field)).cloned(),
            _ => None,
        }
    }

    /// Whether a value is of a type.
    pub fn fits(&self, value: &Value, ty: &Ty) -> bool {
        let ty = self.expand(ty);
        let all = |values: &[Value], types: &[Ty]| {
            values.len() == types.len()
                && values
                    .iter()
                    .zip(types)
                    .all(|(value, ty)| self.fits(value, ty))
        };
        match (value, &ty) {
            (Value::Int(_), Ty::Int)
            | (Value::Float(_), Ty::Float)
            | (Value::Text(_), Ty::Text) => true,
            (Value::Bytes(bytes), Ty::Bytes) => bytes.len() == self.len(),
            (Value::Opt(value), Ty::Opt(ty)) => value.iter().all(|value| self.fits(value, ty)),
            (Value::List(values), Ty::List(ty)) => values.iter().all(|value| self.fits(value, ty)),
            (Value::Gen(values), Ty::Gen(inner)) => match self.defs.get(&Name::Gen) {
                Some(Def::Gen(fields)) => {
                    let fields: Fields<Ty> = fields
                        .iter()
                        .map(|(name, ty)| (*name, ty.clone().unwrap_or_else(|| Ty::clone(inner))))
                        .collect();
                    self.fields_fit(values, &fields)
                }
                _ => false,
            },
            (Value::Named(m, values), Ty::T(n)) if m == n => match self.defs.get(&Name::T(*n)) {
                Some(Def::Named(fields)) => self.fields_fit(values, fields),
                _ => false,
            },
            (Value::Tuple(m, values), Ty::T(n)) if m == n => match self.defs.get(&Name::T(*n)) {
                Some(Def::Tuple(types)) => all(values, types),
                _ => false,
            },
            (Value::Variant(m, variant, values), Ty::T(n)) if m == n => {
                match self.defs.get(&Name::T(*n)) {
                    Some(Def::Enum(variants)) => variants
                        .iter()
                        .any(|(known, types)| known == variant && all(values, types)),
                    _ => false,
                }
            }
            (Value::Var(k), ty) => self.values.get(k).is_some_and(|live| {
                live.object.is_none() && live.ty == *ty && self.is_current(live)
            }),
            _ => false,
        }
    }

    fn fields_fit(&self, values: &Fields<Value>, fields: &Fields<Ty>) -> bool {
        let fit = |(name, ty): &(char, Ty)| {
            values
                .iter()
                .any(|(given, value)| given == name && self.fits(value, ty))
        };
        values.len() == fields.len() && fields.iter().all(fit)
    }

    /// A new variable; its value fits.
    pub fn bind(&mut self, k: usize, ty: &Ty, value: &Value, boxed: bool) {
        let ty = self.expand(ty);
        let value = self.without_variables(value);
        let text = self.text(&value);
        let mut names = self.closure(&ty);
        let object = boxed.then(|| {
            names.insert(Name::Trait);
            let alpha = match ty {
                Ty::T(n) => self.alpha(n),
                _ => 0,
            };
            format!("{alpha} b{text} {text}")
        });
        let versions = names
            .iter()
            .filter_map(|name| Some((*name, *self.versions.get(name)?)))
            .collect();
        let live = Live {
            ty,
            value,
            text,
            object,
            versions,
            tag: None,
        };
        self.values.insert(k, live);
    }

    fn without_variables(&self, value: &Value) -> Value {
        let all = |values: &[Value]| {
            values
                .iter()
                .map(|value| self.without_variables(value))
                .collect()
        };
        let named = |fields: &Fields<Value>| {
            fields
                .iter()
                .map(|(name, value)| (*name, self.without_variables(value)))
                .collect()
        };
        match value {
            Value::Var(k) => self
                .values
                .get(k)
                .map_or(Value::Var(*k), |live| live.value.clone()),
            Value::Opt(Some(value)) => Value::Opt(Some(Box::new(self.without_variables(value)))),
            Value::List(values) => Value::List(all(values)),
            Value::Gen(fields) => Value::Gen(named(fields)),
            Value::Named(n, fields) => Value::Named(*n, named(fields)),
            Value::Tuple(n, values) => Value::Tuple(*n, all(values)),
            Value::Variant(n, variant, values) => Value::Variant(*n, *variant, all(values)),
            other => other.clone(),
        }
    }

    /// What `Debug` says of a value of current types.
    pub fn text(&self, value: &Value) -> String {
        let list = |values: &[Value]| {
            values
                .iter()
                .map(|value| self.text(value))
                .collect::<Vec<_>>()
                .join(", ")
        };
        match value {
            Value::Int(n) => n.to_string(),
            Value::Float(n) => format!("{n}.5"),
            Value::Text(n) => format!("\"s{n}\""),
            Value::Bytes(bytes) => format!("{bytes:?}"),
            Value::Opt(None) => "None".to_owned(),
            Value::Opt(Some(value)) => format!("Some({})", self.text(value)),
            Value::List(values) => format!("[{}]", list(values)),
            Value::Gen(values) => match self.defs.get(&Name::Gen) {
                Some(Def::Gen(fields)) => {
                    self.fields_text("Gx", fields.iter().map(|field| field.0), values)
                }
                _ => String::new(),
            },
            Value::Named(n, values) => match self.defs.get(&Name::T(*n)) {
                Some(Def::Named(fields)) => {
                    self.fields_text(&format!("T{n}"), fields.iter().map(|field| field.0), values)
                }
                _ => String::new(),
            },
            Value::Tuple(n, values) => format!("T{n}({})", list(values)),
            Value::Variant(_, variant, values) if values.is_empty() => format!("V{variant}"),
            Value::Variant(_, variant, values) => format!("V{variant}({})", list(values)),
            Value::Var(_) => String::new(),
        }
    }

    fn fields_text(
        &self,
        name: &str,
        order: impl Iterator<Item = char>,
        values: &Fields<Value>,
    ) -> String {
        let texts = order.filter_map(|field| {
            let value = values.iter().find(|value| value.0 == field)?;
            Some(format!("f_{field}: {}", self.text(&value.1)))
        });
        format!("{name} {{ {} }}", texts.collect::<Vec<_>>().join(", "))
    }

    fn alpha(&self, n: usize) -> u32 {
        match self.defs.get(&Name::Impl(n)) {
            Some(Def::Impl(number)) => *number,
            _ => 0,
        }
    }

    /// What the method of a current type gives.
    fn tag_value(&self, n: usize, value: &Value) -> Option<u32> {
        let Some(Def::Tag(number, callee)) = self.defs.get(&Name::Tag(n)) else {
            return None;
        };
        let said = match callee {
            Some(Name::Make(k)) => self.made(*k)?,
            Some(Name::Read(f)) => self.read(*f, value),
            _ => String::new(),
        };
        Some(number + u32::try_from(said.len()).unwrap_or(0))
    }

    pub fn made(&self, k: usize) -> Option<String> {
        match self.defs.get(&Name::Make(k)) {
            Some(Def::Make(_, value)) => Some(self.text(value)),
            _ => None,
        }
    }

    /// What a function gives for a value of the type that it reads.
    pub fn read(&self, f: usize, value: &Value) -> String {
        let Some(Def::Read(on, parts)) = self.defs.get(&Name::Read(f)) else {
            return String::new();
        };
        let said = parts.iter().map(|part| match part {
            Part::Whole => self.text(value),
            Part::Field(field, _) => {
                field_of(value, *field).map_or_else(String::new, |value| self.text(value))
            }
            Part::Is(variant) => {
                matches!(value, Value::Variant(_, known, _) if known == variant).to_string()
            }
            Part::Number(n) => n.to_string(),
            Part::Len => self.len().to_string(),
            Part::Tag => self.tag_value(*on, value).unwrap_or(0).to_string(),
            Part::Alpha => self.alpha(*on).to_string(),
            Part::Call(other, None) => self.read(*other, value),
            Part::Call(other, Some((field, _))) => {
                field_of(value, *field).map_or_else(String::new, |value| self.read(*other, value))
            }
        });
        said.collect::<Vec<_>>().join("|")
    }
}

fn field_of(value: &Value, field: char) -> Option<&Value> {
    match value {
        Value::Named(_, fields) => fields
            .iter()
            .find(|known| known.0 == field)
            .map(|known| &known.1),
        Value::Tuple(_, values) => values.get(index(field)),
        _ => None,
    }
}

/// The place of the tuple's field with this letter.
pub fn index(field: char) -> usize {
    field as usize - 'a' as usize
}

/// Whether values can be made of it.
fn is_type(name: Name) -> bool {
    matches!(
        name,
        Name::Len | Name::Gen | Name::Alias | Name::T(_) | Name::Trait | Name::Counter
    )
}
