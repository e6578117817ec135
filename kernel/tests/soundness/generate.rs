//! Random notebooks. What earlier cells have done is taken to be what the model says of them.

use super::model::{Def, Fields, Model, Name, PLAIN, Part, Ty, Value};
use super::text;

const TYPES: usize = 5;
const READERS: usize = 6;
const VARIABLES: usize = 8;

#[derive(Debug, Clone)]
pub enum Op {
    Define(Name, Def),
    Let(usize, Ty, Value),
    /// A `Box<dyn Tr>`.
    LetObject(usize, usize, Value),
    Drop(usize),
    Show(usize),
    ShowClone(usize),
    ShowObject(usize),
    Tag(usize),
    Read(usize, usize),
    Make(usize),
    Bump(usize),
    Len,
}

#[derive(Debug, Clone)]
pub struct Cell {
    pub ops: Vec<Op>,
    pub source: String,
}

/// Random numbers from one.
pub struct Dice(pub u64);

impl Dice {
    /// Below `n`.
    fn roll(&mut self, n: usize) -> usize {
        // SplitMix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % n.max(1) as u64).unwrap_or(0)
    }

    fn number(&mut self) -> u32 {
        u32::try_from(self.roll(1000)).unwrap_or(0)
    }

    fn pick<T: Clone>(&mut self, of: &[T]) -> Option<T> {
        of.get(self.roll(of.len())).cloned()
    }
}

/// The cells of a notebook, each from its number.
pub fn notebook(seeds: &[u64]) -> Vec<Cell> {
    let mut model = Model::default();
    let mut cells = Vec::new();
    for (n, seed) in seeds.iter().enumerate() {
        let mut dice = Dice(*seed);
        let mut tries = (0..4).map(|_| {
            let ops = ops(n, &model, &mut dice);
            let mut after = model.clone();
            let said = super::apply(&mut after, &ops);
            (ops, after, said.verdict != super::Verdict::Never)
        });
        // Edits that break something are rare enough to leave a session to break.
        let all: Vec<_> = tries.by_ref().collect();
        let at = all.iter().position(|tried| tried.2).unwrap_or(0);
        let at = if dice.roll(3) == 0 { 0 } else { at };
        let Some((ops, after, right)) = all.into_iter().nth(at) else {
            continue;
        };
        if right {
            model = after;
        }
        let source = source(&ops, &mut dice);
        cells.push(Cell { ops, source });
    }
    cells
}

fn ops(n: usize, model: &Model, dice: &mut Dice) -> Vec<Op> {
    let define = |names: &[Name], dice: &mut Dice| {
        let defs = names
            .iter()
            .map(|name| Op::Define(*name, definition(*name, model, dice)));
        defs.collect::<Vec<Op>>()
    };
    match n {
        0 => return define(&[Name::Len, Name::Trait, Name::Gen], dice),
        1 => return define(&[Name::T(0), Name::Counter], dice),
        2 => {
            return define(
                &[
                    Name::Tag(0),
                    Name::Static(0),
                    Name::Static(1),
                    Name::Bump(0),
                    Name::Bump(1),
                ],
                dice,
            );
        }
        _ => {}
    }
    match dice.roll(20) {
        0..=7 => {
            let count = if dice.roll(4) == 0 { 2 } else { 1 };
            let mut names: Vec<Name> = (0..count).map(|_| some_name(dice)).collect();
            names.dedup();
            let mut ops = define(&names, dice);
            if dice.roll(2) == 0 {
                ops.push(check(model, dice));
            }
            ops
        }
        8 => {
            // A definition as it stands, run again.
            let known: Vec<(Name, Def)> = model
                .defs
                .iter()
                .map(|(name, def)| (*name, def.clone()))
                .collect();
            let again = dice.pick(&known).map(|(name, def)| Op::Define(name, def));
            again.into_iter().collect()
        }
        9..=12 => {
            let made = binding(model, dice);
            match (&made, dice.roll(3)) {
                (Op::Let(k, ..), 0) => vec![made.clone(), Op::Show(*k)],
                _ => vec![made],
            }
        }
        13 => dice
            .pick(&variables(model))
            .map(Op::Drop)
            .into_iter()
            .collect(),
        _ => (0..=dice.roll(3)).map(|_| check(model, dice)).collect(),
    }
}

fn some_name(dice: &mut Dice) -> Name {
    let ty = dice.roll(TYPES);
    match dice.roll(24) {
        0 => Name::Len,
        1 => Name::Gen,
        2 => Name::Alias,
        3 => Name::Trait,
        4 => Name::Counter,
        5 => Name::Static(dice.roll(2)),
        6..=7 => Name::Tag(ty),
        8..=9 => Name::Impl(ty),
        10..=13 => Name::Read(dice.roll(READERS)),
        14 => Name::Make(dice.roll(2)),
        _ => Name::T(ty),
    }
}

fn variables(model: &Model) -> Vec<usize> {
    model.values.keys().copied().collect()
}

fn known_types(model: &Model) -> Vec<usize> {
    (0..TYPES)
        .filter(|n| model.defs.contains_key(&Name::T(*n)))
        .collect()
}

fn definition(name: Name, model: &Model, dice: &mut Dice) -> Def {
    match name {
        Name::Len => Def::Len(1 + dice.roll(5)),
        Name::Gen => {
            let mut fields: Fields<Option<Ty>> = letters(1 + dice.roll(3), dice)
                .into_iter()
                .map(|field| (field, Some(some_type(None, model, dice))))
                .collect();
            let at = dice.roll(fields.len());
            fields[at].1 = None;
            Def::Gen(fields)
        }
        Name::Alias => Def::Alias(some_type(Some(1), model, dice)),
        Name::T(n) => shape(n, model, dice),
        Name::Trait => {
            let mut methods = vec!['a', 'b'];
            methods.extend(
                letters(dice.roll(3), dice)
                    .iter()
                    .map(char::to_ascii_uppercase),
            );
            let at = dice.roll(methods.len());
            methods.rotate_left(at);
            Def::Trait(methods)
        }
        Name::Counter => Def::Counter(dice.roll(2) == 0),
        Name::Static(_) => Def::Static(dice.roll(100) as u64, dice.roll(2) == 0),
        Name::Tag(n) => {
            let callees: Vec<Name> = model
                .defs
                .keys()
                .copied()
                .filter(|name| match (name, model.defs.get(name)) {
                    (Name::Read(f), Some(Def::Read(on, _))) => *f < PLAIN && *on == n,
                    (Name::Make(_), _) => true,
                    _ => false,
                })
                .collect();
            let callee = if dice.roll(3) == 0 {
                dice.pick(&callees)
            } else {
                None
            };
            Def::Tag(dice.number(), callee)
        }
        Name::Impl(_) => Def::Impl(dice.number()),
        Name::Read(f) => reader(f, model, dice),
        Name::Make(_) => {
            let ty = some_type(Some(TYPES), model, dice);
            let value = some_value(&ty, model, dice, false);
            Def::Make(ty, value)
        }
        Name::Bump(_) => Def::Bump,
    }
}

fn shape(n: usize, model: &Model, dice: &mut Dice) -> Def {
    let types = |count: usize, dice: &mut Dice| {
        (0..count)
            .map(|_| some_type(Some(n), model, dice))
            .collect::<Vec<Ty>>()
    };
    let former = model.defs.get(&Name::T(n));
    match (former, dice.roll(4)) {
        // The same fields in another order, with one more or of other types.
        (Some(Def::Named(fields)), 0..=2) => {
            let mut fields = fields.clone();
            match dice.roll(3) {
                0 => fields.rotate_left(1),
                1 => fields.truncate(1.max(fields.len() - 1)),
                _ => {
                    let at = dice.roll(fields.len());
                    fields[at].1 = types(1, dice)[0].clone();
                }
            }
            let more = letters(1, dice)[0];
            if dice.roll(2) == 0 && fields.iter().all(|field| field.0 != more) {
                fields.insert(0, (more, types(1, dice)[0].clone()));
            }
            Def::Named(fields)
        }
        (Some(Def::Enum(variants)), 0..=2) => {
            let mut variants = variants.clone();
            let by = dice.roll(variants.len());
            variants.rotate_left(by);
            let count = dice.roll(3);
            variants[0].1 = types(count, dice);
            Def::Enum(variants)
        }
        (_, 0) => {
            let count = 1 + dice.roll(3);
            Def::Tuple(types(count, dice))
        }
        (_, 1) => {
            let names = letters(1 + dice.roll(3), dice);
            Def::Enum(
                names
                    .into_iter()
                    .map(|name| {
                        (name, {
                            let count = dice.roll(3);
                            types(count, dice)
                        })
                    })
                    .collect(),
            )
        }
        _ => {
            let names = letters(1 + dice.roll(3), dice);
            Def::Named(
                names
                    .into_iter()
                    .map(|name| (name, types(1, dice)[0].clone()))
                    .collect(),
            )
        }
    }
}

/// Different letters, in some order.
fn letters(count: usize, dice: &mut Dice) -> Vec<char> {
    let mut left = vec!['a', 'b', 'c', 'd'];
    (0..count.min(4))
        .map(|_| left.remove(dice.roll(left.len())))
        .collect()
}

/// A type that is made of types before `below`; of none of them without one.
fn some_type(below: Option<usize>, model: &Model, dice: &mut Dice) -> Ty {
    let inner = |dice: &mut Dice| Box::new(simple_type(below, model, dice));
    match dice.roll(8) {
        0 => Ty::Opt(inner(dice)),
        1 => Ty::List(inner(dice)),
        2 if below.is_some_and(|below| below > 0) => Ty::Gen(inner(dice)),
        _ => simple_type(below, model, dice),
    }
}

fn simple_type(below: Option<usize>, model: &Model, dice: &mut Dice) -> Ty {
    let known: Vec<usize> = known_types(model)
        .into_iter()
        .filter(|n| below.is_some_and(|below| *n < below))
        .collect();
    match dice.roll(9) {
        0 => Ty::Int,
        1 => Ty::Float,
        2 => Ty::Text,
        3 => Ty::Bytes,
        4 if below.is_some_and(|below| below > 1) && model.defs.contains_key(&Name::Alias) => {
            Ty::Alias
        }
        _ => dice.pick(&known).map_or(Ty::Int, Ty::T),
    }
}

/// A value of a type, as the model knows it.
fn some_value(ty: &Ty, model: &Model, dice: &mut Dice, variables: bool) -> Value {
    let ty = model.expand(ty);
    let clones: Vec<usize> = model
        .values
        .iter()
        .filter(|(_, live)| live.object.is_none() && live.ty == ty)
        .map(|(k, _)| *k)
        .collect();
    if variables
        && dice.roll(3) == 0
        && let Some(k) = dice.pick(&clones)
    {
        return Value::Var(k);
    }
    let value = |ty: &Ty, dice: &mut Dice| some_value(ty, model, dice, variables);
    match &ty {
        Ty::Int | Ty::Alias => Value::Int(dice.number()),
        Ty::Float => Value::Float(dice.number()),
        Ty::Text => Value::Text(dice.number()),
        Ty::Bytes => Value::Bytes(
            (0..model.len())
                .map(|_| u8::try_from(dice.roll(256)).unwrap_or(0))
                .collect(),
        ),
        Ty::Opt(inner) => Value::Opt((dice.roll(4) > 0).then(|| Box::new(value(inner, dice)))),
        Ty::List(inner) => Value::List((0..dice.roll(3)).map(|_| value(inner, dice)).collect()),
        Ty::Gen(inner) => match model.defs.get(&Name::Gen) {
            Some(Def::Gen(fields)) => Value::Gen(
                fields
                    .iter()
                    .map(|(name, ty)| (*name, value(ty.as_ref().unwrap_or(inner), dice)))
                    .collect(),
            ),
            _ => Value::Int(0),
        },
        Ty::T(n) => match model.defs.get(&Name::T(*n)) {
            Some(Def::Named(fields)) => Value::Named(
                *n,
                fields
                    .iter()
                    .map(|(name, ty)| (*name, value(ty, dice)))
                    .collect(),
            ),
            Some(Def::Tuple(types)) => {
                Value::Tuple(*n, types.iter().map(|ty| value(ty, dice)).collect())
            }
            Some(Def::Enum(variants)) => {
                let (variant, types) = &variants[dice.roll(variants.len())];
                Value::Variant(
                    *n,
                    *variant,
                    types.iter().map(|ty| value(ty, dice)).collect(),
                )
            }
            _ => Value::Int(0),
        },
    }
}

fn reader(f: usize, model: &Model, dice: &mut Dice) -> Def {
    let on = dice.pick(&known_types(model)).unwrap_or(0);
    let mut places: Vec<Part> = Vec::new();
    let mut of_type: Vec<(Option<(char, bool)>, Ty)> = vec![(None, Ty::T(on))];
    match model.defs.get(&Name::T(on)) {
        Some(Def::Named(fields)) => of_type.extend(
            fields
                .iter()
                .map(|(name, ty)| (Some((*name, true)), model.expand(ty))),
        ),
        Some(Def::Tuple(types)) => of_type.extend(
            types
                .iter()
                .zip('a'..)
                .map(|(ty, name)| (Some((name, false)), model.expand(ty))),
        ),
        Some(Def::Enum(variants)) => {
            places.extend(variants.iter().map(|variant| Part::Is(variant.0)))
        }
        _ => {}
    }
    for (place, ty) in &of_type {
        places.extend(place.map(|(name, named)| Part::Field(name, named)));
        for other in 0..f {
            if matches!(model.defs.get(&Name::Read(other)), Some(Def::Read(on, _)) if Ty::T(*on) == *ty)
            {
                places.push(Part::Call(other, *place));
            }
        }
    }
    if f >= PLAIN {
        places.extend(model.defs.contains_key(&Name::Tag(on)).then_some(Part::Tag));
        places.extend(
            model
                .defs
                .contains_key(&Name::Impl(on))
                .then_some(Part::Alpha),
        );
    }
    let parts = (0..=dice.roll(3)).map(|_| match dice.roll(6) {
        0 => Part::Whole,
        1 => Part::Number(dice.number()),
        2 => Part::Len,
        _ => dice.pick(&places).unwrap_or(Part::Whole),
    });
    Def::Read(on, parts.collect())
}

fn binding(model: &Model, dice: &mut Dice) -> Op {
    let k = dice.roll(VARIABLES);
    let known = known_types(model);
    let implemented: Vec<usize> = known
        .iter()
        .copied()
        .filter(|n| model.defs.contains_key(&Name::Impl(*n)))
        .collect();
    if dice.roll(4) == 0
        && let Some(n) = dice.pick(&implemented)
    {
        return Op::LetObject(k, n, some_value(&Ty::T(n), model, dice, true));
    }
    let ty = match dice.roll(3) {
        0 => some_type(Some(TYPES), model, dice),
        _ => dice.pick(&known).map_or(Ty::Int, Ty::T),
    };
    let value = some_value(&ty, model, dice, true);
    Op::Let(k, ty, value)
}

fn check(model: &Model, dice: &mut Dice) -> Op {
    let readers: Vec<usize> = (0..READERS)
        .filter(|f| model.defs.contains_key(&Name::Read(*f)))
        .collect();
    let made: Vec<usize> = (0..2)
        .filter(|k| model.defs.contains_key(&Name::Make(*k)))
        .collect();
    let Some(k) = dice.pick(&variables(model)) else {
        return Op::Bump(dice.roll(2));
    };
    if model.values[&k].object.is_some() {
        return Op::ShowObject(k);
    }
    match dice.roll(12) {
        0..=3 => Op::Show(k),
        4 => Op::ShowClone(k),
        5 => Op::Tag(k),
        6 => dice.pick(&made).map_or(Op::Len, Op::Make),
        7..=8 => Op::Bump(dice.roll(2)),
        _ => dice
            .pick(&readers)
            .map_or(Op::Len, |f| Op::Read(f, reads(f, k, model, dice))),
    }
}

/// A variable that a function can read, now and then any.
fn reads(f: usize, k: usize, model: &Model, dice: &mut Dice) -> usize {
    let Some(Def::Read(on, _)) = model.defs.get(&Name::Read(f)) else {
        return k;
    };
    let fitting: Vec<usize> = model
        .values
        .iter()
        .filter(|(_, live)| live.object.is_none() && live.ty == Ty::T(*on))
        .map(|(k, _)| *k)
        .collect();
    dice.pick(&fitting).unwrap_or(k)
}

fn source(ops: &[Op], dice: &mut Dice) -> String {
    let mut line = |op: &Op| match op {
        Op::Define(name, def) if dice.roll(3) == 0 => respaced(&text::def(*name, def), dice),
        Op::Define(name, def) => text::def(*name, def),
        Op::Let(k, ty, value) => format!("let v{k}: {} = {};", text::ty(ty), text::value(value)),
        Op::LetObject(k, _, value) => {
            format!("let v{k}: Box<dyn Tr> = Box::new({});", text::value(value))
        }
        Op::Drop(k) => format!("drop(v{k});"),
        Op::Show(k) => format!("println!(\"{{:?}}\", v{k});"),
        Op::ShowClone(k) => format!("println!(\"{{:?}}\", v{k}.clone());"),
        Op::ShowObject(k) => {
            format!("println!(\"{{}} {{}} {{:?}}\", v{k}.alpha(), v{k}.beta(), v{k});")
        }
        Op::Tag(k) => format!("println!(\"{{}}\", v{k}.tag());"),
        Op::Read(f, k) => format!("println!(\"{{}}\", rd{f}(&v{k}));"),
        Op::Make(k) => format!("println!(\"{{}}\", mk{k}());"),
        Op::Bump(n) => format!("println!(\"{{}}\", bump{n}());"),
        Op::Len => "println!(\"{}\", N);".to_owned(),
    };
    ops.iter().map(&mut line).collect::<Vec<_>>().join("\n")
}

/// The same tokens, with other spaces and comments between them.
fn respaced(text: &str, dice: &mut Dice) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match (c, dice.roll(8)) {
            (' ', 0) => out.push_str("  "),
            (' ', 1) => out.push_str("\n    "),
            (' ', 2) => out.push_str(" /* as it was */ "),
            (' ', 3) => out.push_str(" // to the end\n"),
            _ => out.push(c),
        }
    }
    out
}
