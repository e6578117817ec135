//! The Rust text of what the model holds.

use super::model::{Def, Fields, Name, Part, Ty, Value, index};

pub fn ty(of: &Ty) -> String {
    match of {
        Ty::Int => "i32".to_owned(),
        Ty::Float => "f64".to_owned(),
        Ty::Text => "String".to_owned(),
        Ty::Bytes => "[u8; N]".to_owned(),
        Ty::Opt(inner) => format!("Option<{}>", ty(inner)),
        Ty::List(inner) => format!("Vec<{}>", ty(inner)),
        Ty::Gen(inner) => format!("Gx<{}>", ty(inner)),
        Ty::Alias => "Al".to_owned(),
        Ty::T(n) => format!("T{n}"),
    }
}

pub fn value(of: &Value) -> String {
    let list = |values: &[Value]| values.iter().map(value).collect::<Vec<_>>().join(", ");
    let named = |fields: &Fields<Value>| {
        let fields = fields
            .iter()
            .map(|(name, of)| format!("f_{name}: {}", value(of)));
        fields.collect::<Vec<_>>().join(", ")
    };
    match of {
        Value::Int(n) => n.to_string(),
        Value::Float(n) => format!("{n}.5"),
        Value::Text(n) => format!("\"s{n}\".to_string()"),
        Value::Bytes(bytes) => format!("{bytes:?}"),
        Value::Opt(None) => "None".to_owned(),
        Value::Opt(Some(inner)) => format!("Some({})", value(inner)),
        Value::List(values) => format!("vec![{}]", list(values)),
        Value::Gen(fields) => format!("Gx {{ {} }}", named(fields)),
        Value::Named(n, fields) => format!("T{n} {{ {} }}", named(fields)),
        Value::Tuple(n, values) => format!("T{n}({})", list(values)),
        Value::Variant(n, variant, values) if values.is_empty() => format!("T{n}::V{variant}"),
        Value::Variant(n, variant, values) => format!("T{n}::V{variant}({})", list(values)),
        Value::Var(k) => format!("v{k}.clone()"),
    }
}

pub fn def(name: Name, of: &Def) -> String {
    const DERIVE: &str = "#[derive(Debug, Clone)]";
    let list = |types: &[Ty]| types.iter().map(ty).collect::<Vec<_>>().join(", ");
    let n = match name {
        Name::T(n)
        | Name::Static(n)
        | Name::Tag(n)
        | Name::Impl(n)
        | Name::Read(n)
        | Name::Make(n)
        | Name::Bump(n) => n,
        _ => 0,
    };
    match of {
        Def::Len(len) => format!("const N: usize = {len};"),
        Def::Gen(fields) => {
            let fields = fields
                .iter()
                .map(|(name, of)| format!("f_{name}: {}", of.as_ref().map_or("X".to_owned(), ty)));
            format!(
                "{DERIVE} struct Gx<X> {{ {} }}",
                fields.collect::<Vec<_>>().join(", ")
            )
        }
        Def::Alias(of) => format!("type Al = {};", ty(of)),
        Def::Named(fields) => {
            let fields = fields
                .iter()
                .map(|(name, of)| format!("f_{name}: {}", ty(of)));
            format!(
                "{DERIVE} struct T{n} {{ {} }}",
                fields.collect::<Vec<_>>().join(", ")
            )
        }
        Def::Tuple(types) => format!("{DERIVE} struct T{n}({});", list(types)),
        Def::Enum(variants) => {
            let variants = variants.iter().map(|(name, types)| match types.is_empty() {
                true => format!("V{name}"),
                false => format!("V{name}({})", list(types)),
            });
            format!(
                "{DERIVE} enum T{n} {{ {} }}",
                variants.collect::<Vec<_>>().join(", ")
            )
        }
        Def::Trait(methods) => format!(
            "trait Tr: std::fmt::Debug {{ {} }}",
            methods
                .iter()
                .map(|m| method(*m))
                .collect::<Vec<_>>()
                .join(" ")
        ),
        Def::Counter(true) => {
            "struct Counter { f_pad: [u8; N], f_n: std::sync::atomic::AtomicU64 }".to_owned()
        }
        Def::Counter(false) => {
            "struct Counter { f_n: std::sync::atomic::AtomicU64, f_pad: [u8; N] }".to_owned()
        }
        Def::Static(from, with_len) => statics(n, *from, *with_len),
        Def::Tag(number, callee) => {
            let call = match callee {
                Some(Name::Make(k)) => format!(" + mk{k}().len() as u32"),
                Some(Name::Read(f)) => format!(" + rd{f}(self).len() as u32"),
                _ => String::new(),
            };
            format!("impl T{n} {{ fn tag(&self) -> u32 {{ {number}{call} }} }}")
        }
        Def::Impl(number) => format!(
            "impl Tr for T{n} {{ fn alpha(&self) -> u32 {{ {number} }} fn beta(&self) -> String {{ format!(\"b{{:?}}\", self) }} }}"
        ),
        Def::Read(on, parts) => {
            let said: Vec<String> = parts.iter().map(|of| part(*on, of)).collect();
            format!(
                "fn rd{n}(t: &T{on}) -> String {{ [{}].join(\"|\") }}",
                said.join(", ")
            )
        }
        Def::Make(of, made) => format!(
            "fn mk{n}() -> String {{ let made: {} = {}; format!(\"{{:?}}\", made) }}",
            ty(of),
            value(made)
        ),
        Def::Bump => {
            let field = if n == 1 { ".f_n" } else { "" };
            format!(
                "fn bump{n}() -> u64 {{ S{n}{field}.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1 }}"
            )
        }
    }
}

fn method(of: char) -> String {
    match of {
        'a' => "fn alpha(&self) -> u32;".to_owned(),
        'b' => "fn beta(&self) -> String;".to_owned(),
        other => format!("fn more_{other}(&self) -> u64 {{ {} }}", other as u32),
    }
}

fn statics(n: usize, from: u64, with_len: bool) -> String {
    let len = if with_len { " + N as u64" } else { "" };
    let atomic = format!("std::sync::atomic::AtomicU64::new({from}{len})");
    match n {
        0 => format!("static S0: std::sync::atomic::AtomicU64 = {atomic};"),
        _ => format!("static S1: Counter = Counter {{ f_n: {atomic}, f_pad: [0; N] }};"),
    }
}

fn part(on: usize, of: &Part) -> String {
    let place = |(field, named): (char, bool)| match named {
        true => format!("t.f_{field}"),
        false => format!("t.{}", index(field)),
    };
    match of {
        Part::Whole => "format!(\"{:?}\", t)".to_owned(),
        Part::Field(field, named) => format!("format!(\"{{:?}}\", {})", place((*field, *named))),
        Part::Is(variant) => format!("matches!(t, T{on}::V{variant} {{ .. }}).to_string()"),
        Part::Number(n) => format!("{n}.to_string()"),
        Part::Len => "N.to_string()".to_owned(),
        Part::Tag => "t.tag().to_string()".to_owned(),
        Part::Alpha => "t.alpha().to_string()".to_owned(),
        Part::Call(other, None) => format!("rd{other}(t)"),
        Part::Call(other, Some(of)) => format!("rd{other}(&{})", place(*of)),
    }
}
