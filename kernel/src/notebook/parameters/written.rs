//! Parses written types whose values can be given as text.

use super::kind::{Bounds, INTEGERS, Kind};
use super::makers::{LISTS, MAPS, VEC, WRAPPERS};
use ra_ap_syntax::SyntaxKind;
use ra_ap_syntax::ast::{self, AstNode, HasGenericArgs, LiteralKind};

/// The [`Kind`] of a written type; `None` for one whose values cannot be given.
pub fn of_type(ty: &ast::Type) -> Option<Kind> {
    match ty {
        ast::Type::ParenType(inner) => of_type(&inner.ty()?),
        ast::Type::PathType(path) => of_path(&path.path()?),
        ast::Type::RefType(reference) if reference.mut_token().is_none() => {
            of_reference(&reference.ty()?)
        }
        ast::Type::ArrayType(array) => {
            let length = whole(&array.const_arg()?.expr()?)?;
            Some(Kind::Array(Box::new(of_type(&array.ty()?)?), length))
        }
        ast::Type::TupleType(tuple) => {
            let fields: Vec<Kind> = tuple
                .fields()
                .map(|ty| of_type(&ty))
                .collect::<Option<_>>()?;
            (!fields.is_empty()).then_some(Kind::Tuple(fields))
        }
        _ => None,
    }
}

fn of_reference(inner: &ast::Type) -> Option<Kind> {
    match inner {
        ast::Type::SliceType(slice) => Some(Kind::Slice(Box::new(of_type(&slice.ty()?)?))),
        ast::Type::ArrayType(_) => Some(Kind::Reference(Box::new(of_type(inner)?))),
        ast::Type::PathType(path) => match standard(&path.path()?)?.as_str() {
            "str" => Some(Kind::Str),
            name @ ("Path" | "OsStr") => Kind::text(&format!("&{name}")),
            _ => None,
        },
        _ => None,
    }
}

/// The last name of a path that the standard library may have: `Vec`, `std::path::PathBuf`.
pub fn standard(path: &ast::Path) -> Option<String> {
    const MODULES: [&str; 13] = [
        "std",
        "core",
        "alloc",
        "collections",
        "path",
        "ffi",
        "rc",
        "sync",
        "ops",
        "num",
        "borrow",
        "cell",
        "string",
    ];
    if let Some(qualifier) = path.qualifier() {
        let first = qualifier.first_segment()?.name_ref()?;
        if !MODULES.contains(&first.text()) {
            return None;
        }
    }
    Some(path.segment()?.name_ref()?.text().to_string())
}

pub fn type_arguments(path: &ast::Path) -> Vec<ast::Type> {
    let list = path
        .segment()
        .and_then(|segment| segment.generic_arg_list());
    types_in(list)
}

pub fn types_in(list: Option<ast::GenericArgList>) -> Vec<ast::Type> {
    let arguments = list.into_iter().flat_map(|list| list.generic_args());
    arguments
        .filter_map(|argument| match argument {
            ast::GenericArg::TypeArg(argument) => argument.ty(),
            _ => None,
        })
        .collect()
}

pub fn of_path(path: &ast::Path) -> Option<Kind> {
    let name = standard(path)?;
    let arguments = type_arguments(path);
    if arguments.is_empty() {
        return match name.as_str() {
            "Duration" => Some(Kind::Duration(None)),
            _ => Kind::primitive(&name)
                .or_else(|| Kind::text(&name))
                .or_else(|| non_zero(&name))
                .or_else(|| atomic(&name)),
        };
    }
    let is_str = |ty: &ast::Type| ty.syntax().text() == "str";
    if let [inner] = arguments.as_slice()
        && is_str(inner)
    {
        return Kind::text(&format!("{name}<str>"));
    }
    let kinds: Vec<Kind> = arguments.iter().map(of_type).collect::<Option<_>>()?;
    let mut kinds = kinds.into_iter();
    let (first, second) = (kinds.next()?, kinds.next());
    generic(&name, first, second)
}

pub fn generic(name: &str, first: Kind, second: Option<Kind>) -> Option<Kind> {
    let inner = Box::new(first);
    if let Some(second) = second {
        let map = MAPS.iter().find(|map| map.name == name)?;
        return Some(Kind::Map(map, inner, Box::new(second)));
    }
    match (name, inner.as_ref()) {
        ("Option", _) => return Some(Kind::Option(inner)),
        ("Vec", _) => return Some(Kind::List(&VEC, inner)),
        ("NonZero", Kind::Integer(number)) => return Some(Kind::NonZero(number.ty?)),
        _ => {}
    }
    if let Some(list) = LISTS.iter().find(|list| list.name == name) {
        return Some(Kind::List(list, inner));
    }
    if let Some(bounds) = Bounds::ALL.into_iter().find(|bounds| bounds.name() == name) {
        return Some(Kind::Range(bounds, inner));
    }
    let wrapper = WRAPPERS
        .iter()
        .find(|w| w.name == name && w.holds.is_none())?;
    Some(Kind::Wrapper(wrapper, inner))
}

/// `NonZeroUsize` and similar types.
fn non_zero(name: &str) -> Option<Kind> {
    let ty = name.strip_prefix("NonZero")?.to_ascii_lowercase();
    let ty = INTEGERS.iter().copied().find(|known| *known == ty)?;
    Some(Kind::NonZero(ty))
}

fn atomic(name: &str) -> Option<Kind> {
    let wrapper = WRAPPERS.iter().find(|wrapper| wrapper.name == name)?;
    Some(Kind::Wrapper(
        wrapper,
        Box::new(Kind::primitive(wrapper.holds?)?),
    ))
}

/// Whether a written type leaves a part to inference.
pub fn has_gap(ty: &ast::Type) -> bool {
    let mut nodes = ty.syntax().descendants();
    nodes.any(|node| node.kind() == SyntaxKind::INFER_TYPE)
}

/// The value of a whole number's literal.
pub fn whole(expr: &ast::Expr) -> Option<usize> {
    let ast::Expr::Literal(literal) = expr else {
        return None;
    };
    match literal.kind() {
        LiteralKind::IntNumber(number) => number.value().ok()?.try_into().ok(),
        _ => None,
    }
}
