//! The type of a declaration, from its text alone: the written type, or the type of literals,
//! constructors and well-known methods.

use super::kind::{Bounds, FLOATS, INTEGERS, Kind, Number};
use super::makers::{MAPS, TEXTS, VEC};
use super::written::{generic, of_path, of_type, standard, type_arguments, types_in, whole};
use ra_ap_syntax::ast::{
    self, ArithOp, AstNode, BinaryOp, HasArgList, HasGenericArgs, LiteralKind, RangeItem, RangeOp,
    UnaryOp,
};
use ra_ap_syntax::{Edition, SyntaxKind};

/// The types of the names declared above.
pub type Known<'a> = &'a dyn Fn(&str) -> Option<Kind>;

/// The type of an expression regardless of its context, except for number types.
pub fn of_expr(expr: &ast::Expr, known: Known<'_>) -> Option<Kind> {
    let of = |expr: Option<ast::Expr>| of_expr(&expr?, known);
    match expr {
        ast::Expr::Literal(literal) => of_literal(literal),
        ast::Expr::ParenExpr(inner) => of(inner.expr()),
        ast::Expr::PrefixExpr(prefix) => match (prefix.op_kind()?, of(prefix.expr())?) {
            (UnaryOp::Neg, kind @ (Kind::Integer(_) | Kind::Float(_)))
            | (UnaryOp::Not, kind @ (Kind::Integer(_) | Kind::Bool)) => Some(kind),
            _ => None,
        },
        ast::Expr::CastExpr(cast) => match of_type(&cast.ty()?)? {
            kind @ (Kind::Integer(_) | Kind::Float(_) | Kind::Char) => Some(kind),
            _ => None,
        },
        ast::Expr::BinExpr(binary) => of_binary(binary, known),
        ast::Expr::TupleExpr(tuple) => {
            let fields: Vec<Kind> = tuple
                .fields()
                .map(|field| of(Some(field)))
                .collect::<Option<_>>()?;
            (!fields.is_empty()).then_some(Kind::Tuple(fields))
        }
        ast::Expr::ArrayExpr(array) => of_array(array, known),
        ast::Expr::RefExpr(reference) if reference.mut_token().is_none() => {
            match of(reference.expr())? {
                array @ Kind::Array(..) => Some(Kind::Reference(Box::new(array))),
                _ => None,
            }
        }
        ast::Expr::RangeExpr(range) => of_range(range, known),
        ast::Expr::PathExpr(path) => of_value_path(&path.path()?, known),
        ast::Expr::CallExpr(call) => of_call(call, known),
        ast::Expr::MethodCallExpr(call) => of_method(call, known),
        ast::Expr::MacroExpr(call) => of_macro(&call.macro_call()?, known),
        _ => None,
    }
}

fn of_literal(literal: &ast::Literal) -> Option<Kind> {
    let number = |suffix: Option<&str>| {
        let ty = suffix.map(|suffix| {
            let mut types = INTEGERS.into_iter().chain(FLOATS);
            types.find(|ty| *ty == suffix.trim_start_matches('_'))
        });
        match ty {
            None => Some(Number {
                ty: None,
                suffix: false,
            }),
            Some(None) => None,
            Some(ty) => Some(Number { ty, suffix: false }),
        }
    };
    match literal.kind() {
        LiteralKind::String(_) => Some(Kind::Str),
        LiteralKind::Bool(_) => Some(Kind::Bool),
        LiteralKind::Char(_) => Some(Kind::Char),
        LiteralKind::Byte(_) => Kind::primitive("u8"),
        LiteralKind::IntNumber(token) => {
            let number = number(token.suffix())?;
            Some(match number.ty {
                Some(ty) if FLOATS.contains(&ty) => Kind::Float(number),
                _ => Kind::Integer(number),
            })
        }
        LiteralKind::FloatNumber(token) => number(token.suffix()).map(Kind::Float),
        LiteralKind::ByteString(_) | LiteralKind::CString(_) => None,
    }
}

fn of_binary(binary: &ast::BinExpr, known: Known<'_>) -> Option<Kind> {
    let left = of_expr(&binary.lhs()?, known)?;
    let right = of_expr(&binary.rhs()?, known)?;
    match binary.op_kind()? {
        BinaryOp::LogicOp(_) | BinaryOp::CmpOp(_) => Some(Kind::Bool),
        BinaryOp::ArithOp(ArithOp::Shl | ArithOp::Shr) => {
            matches!(left, Kind::Integer(_)).then_some(left)
        }
        BinaryOp::ArithOp(op) => match left.unify(right)? {
            kind @ Kind::Integer(_) => Some(kind),
            kind @ Kind::Float(_)
                if !matches!(op, ArithOp::BitAnd | ArithOp::BitOr | ArithOp::BitXor) =>
            {
                Some(kind)
            }
            Kind::Bool if matches!(op, ArithOp::BitAnd | ArithOp::BitOr | ArithOp::BitXor) => {
                Some(Kind::Bool)
            }
            _ => None,
        },
        BinaryOp::Assignment { .. } => None,
    }
}

fn of_array(array: &ast::ArrayExpr, known: Known<'_>) -> Option<Kind> {
    match array.kind() {
        ast::ArrayExprKind::Repeat {
            initializer,
            repeat,
        } => {
            let item = of_expr(&initializer?, known)?;
            Some(Kind::Array(Box::new(item), whole(&repeat?)?))
        }
        ast::ArrayExprKind::ElementList(items) => {
            let (item, count) = items_kind(items, known)?;
            Some(Kind::Array(Box::new(item), count))
        }
    }
}

/// The common type of all items, and their number.
fn items_kind(items: impl Iterator<Item = ast::Expr>, known: Known<'_>) -> Option<(Kind, usize)> {
    let kinds: Vec<Kind> = items
        .map(|item| of_expr(&item, known))
        .collect::<Option<_>>()?;
    let count = kinds.len();
    let mut kinds = kinds.into_iter();
    let first = kinds.next()?;
    let one = kinds.try_fold(first, Kind::unify)?;
    Some((one, count))
}

fn of_range(range: &ast::RangeExpr, known: Known<'_>) -> Option<Kind> {
    let (start, end) = (range.start(), range.end());
    let bounds = Bounds {
        start: start.is_some(),
        end: end.is_some(),
        inclusive: matches!(range.op_kind()?, RangeOp::Inclusive),
    };
    let (kind, _) = items_kind(start.into_iter().chain(end), known)?;
    Some(Kind::Range(bounds, Box::new(kind)))
}

/// `None::<T>`, `usize::MAX`, or a name that is declared above.
fn of_value_path(path: &ast::Path, known: Known<'_>) -> Option<Kind> {
    let name = path.segment()?.name_ref()?.text().to_string();
    if name == "None" {
        let from_option = || path.qualifier().map(|option| type_arguments(&option));
        let argument = type_arguments(path).into_iter().next();
        let argument = argument.or_else(|| from_option()?.into_iter().next())?;
        return Some(Kind::Option(Box::new(of_type(&argument)?)));
    }
    let Some(qualifier) = path.qualifier() else {
        return known(&name);
    };
    let owner = qualifier.segment()?.name_ref()?.text().to_string();
    match (Kind::primitive(&owner), name.as_str()) {
        (
            Some(kind),
            "MAX" | "MIN" | "EPSILON" | "INFINITY" | "NEG_INFINITY" | "NAN" | "MIN_POSITIVE",
        ) => Some(kind),
        // `std::f64::consts::PI`
        (None, _) if owner == "consts" => {
            let float = qualifier.qualifier()?.segment()?.name_ref()?;
            Kind::primitive(float.text())
        }
        _ => None,
    }
}

/// `String::from(..)`, `Some(..)`, `Duration::from_secs(..)`.
fn of_call(call: &ast::CallExpr, known: Known<'_>) -> Option<Kind> {
    let ast::Expr::PathExpr(path) = call.expr()? else {
        return None;
    };
    let path = path.path()?;
    let name = path.segment()?.name_ref()?.text().to_string();
    let first = call.arg_list().and_then(|list| list.args().next());
    let argument = || of_expr(first.as_ref()?, known);
    if name == "Some" {
        let written = type_arguments(&path).first().and_then(of_type);
        return Some(Kind::Option(Box::new(written.or_else(argument)?)));
    }
    let owner = path.qualifier()?;
    let owner_name = standard(&owner)?;
    // `Vec::<usize>::new()` is sufficient; so is every constructor of a type without type
    // arguments.
    if let Some(kind) = of_path(&owner) {
        return constructed(kind, &name);
    }
    match (owner_name.as_str(), name.as_str()) {
        ("Path", "new") => Kind::text("&Path"),
        ("OsStr", "new") => Kind::text("&OsStr"),
        (_, "new") => {
            generic(&owner_name, argument()?, None).filter(|kind| matches!(kind, Kind::Wrapper(..)))
        }
        ("Cow", "Borrowed") => Kind::text("Cow<str>").filter(|_| argument() == Some(Kind::Str)),
        (_, "from") => match argument()? {
            Kind::Str => TEXTS
                .iter()
                .find(|text| text.name == format!("{owner_name}<str>"))
                .map(Kind::Text),
            Kind::Array(item, _) => match *item {
                Kind::Tuple(pair) if MAPS.iter().any(|map| map.name == owner_name) => {
                    let [key, value] = <[Kind; 2]>::try_from(pair).ok()?;
                    generic(&owner_name, key, Some(value))
                }
                item => {
                    generic(&owner_name, item, None).filter(|kind| matches!(kind, Kind::List(..)))
                }
            },
            _ => None,
        },
        _ => None,
    }
}

/// The return type of a function of a type, which is mostly the type itself.
fn constructed(kind: Kind, function: &str) -> Option<Kind> {
    match (&kind, function) {
        (Kind::Duration(_), function) => {
            let unit = match function.strip_prefix("from_")? {
                "secs" | "secs_f64" | "secs_f32" => "s",
                "millis" => "ms",
                "micros" => "us",
                "nanos" => "ns",
                "mins" => "min",
                "hours" => "h",
                _ => return None,
            };
            Some(Kind::Duration(Some(unit)))
        }
        // An option of it, for `unwrap`.
        (Kind::NonZero(_), "new") => Some(Kind::Option(Box::new(kind))),
        (Kind::NonZero(_), _) => None,
        (
            _,
            "new" | "from" | "with_capacity" | "default" | "from_iter" | "max_value" | "min_value",
        ) => Some(kind),
        _ => None,
    }
}

fn of_method(call: &ast::MethodCallExpr, known: Known<'_>) -> Option<Kind> {
    let name = call.name_ref()?.text().to_string();
    let written = || types_in(call.generic_arg_list()).first().and_then(of_type);
    match name.as_str() {
        "collect" | "sum" | "product" => return written(),
        "unwrap" | "expect" | "unwrap_or" | "unwrap_or_default" => {
            // `"3".parse::<usize>().unwrap()`
            if let ast::Expr::MethodCallExpr(inner) = call.receiver()?
                && inner.name_ref()?.text() == "parse"
            {
                return types_in(inner.generic_arg_list()).first().and_then(of_type);
            }
        }
        _ => {}
    }
    let receiver = of_expr(&call.receiver()?, known)?;
    match (name.as_str(), receiver) {
        ("to_string", _) => Kind::text("String"),
        ("to_owned", Kind::Str)
        | ("to_uppercase" | "to_lowercase" | "repeat" | "replace", Kind::Str) => {
            Kind::text("String")
        }
        ("trim", Kind::Str) => Some(Kind::Str),
        ("to_owned" | "clone", kind) => Some(kind),
        ("to_vec", Kind::Array(item, _) | Kind::Slice(item) | Kind::List(_, item)) => {
            Some(Kind::List(&VEC, item))
        }
        ("to_vec", Kind::Reference(array)) => match *array {
            Kind::Array(item, _) => Some(Kind::List(&VEC, item)),
            _ => None,
        },
        ("to_path_buf" | "join", Kind::Text(text)) if text.name.contains("Path") => {
            Kind::text("PathBuf")
        }
        ("unwrap" | "expect" | "unwrap_or" | "unwrap_or_default", Kind::Option(inner)) => {
            Some(*inner)
        }
        ("pow" | "abs" | "min" | "max", kind @ (Kind::Integer(_) | Kind::Float(_))) => Some(kind),
        (
            "sqrt" | "exp" | "ln" | "log10" | "log2" | "powi" | "powf" | "floor" | "ceil" | "round",
            kind @ Kind::Float(_),
        ) => Some(kind),
        _ => None,
    }
}

fn of_macro(call: &ast::MacroCall, known: Known<'_>) -> Option<Kind> {
    let name = call.path()?.segment()?.name_ref()?.text().to_string();
    match name.as_str() {
        "format" => Kind::text("String"),
        "concat" | "stringify" | "env" | "file" | "include_str" | "module_path" => Some(Kind::Str),
        "option_env" => Some(Kind::Option(Box::new(Kind::Str))),
        "cfg" | "matches" => Some(Kind::Bool),
        "line" | "column" => Kind::primitive("u32"),
        "vec" => {
            let tree = call.token_tree()?.syntax().text().to_string();
            let inner = tree.get(1..tree.len().checked_sub(1)?)?;
            let parse = ast::Expr::parse(&format!("[{inner}]"), Edition::Edition2024);
            if !parse.errors().is_empty() || parse.syntax_node().kind() != SyntaxKind::ARRAY_EXPR {
                return None;
            }
            let ast::Expr::ArrayExpr(array) = parse.tree() else {
                return None;
            };
            let item = match array.kind() {
                // For any length.
                ast::ArrayExprKind::Repeat { initializer, .. } => of_expr(&initializer?, known)?,
                ast::ArrayExprKind::ElementList(items) => items_kind(items, known)?.0,
            };
            Some(Kind::List(&VEC, Box::new(item)))
        }
        _ => None,
    }
}

/// Whether an expression is a single literal, with or without a sign, which is written the same
/// way for any type.
pub fn is_literal(expr: &ast::Expr) -> bool {
    match expr {
        ast::Expr::Literal(_) => true,
        ast::Expr::PrefixExpr(prefix) => {
            prefix.op_kind() == Some(UnaryOp::Neg)
                && prefix.expr().is_some_and(|inner| is_literal(&inner))
        }
        _ => false,
    }
}
