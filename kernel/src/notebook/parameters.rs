//! Values given for a run, as papermill does it: the cell tagged `parameters`
//! declares names, types and defaults; a cell tagged `injected-parameters` after
//! it declares the given ones again. Source: papermill/parameterize.py.

use super::model::{Cell, Notebook};
use crate::error::{Error, Result};
use ra_ap_syntax::ast::{self, AstNode, HasName};
use ra_ap_syntax::{Edition, SourceFile, SyntaxKind};
use serde_json::json;

const DECLARED: &str = "parameters";
const INJECTED: &str = "injected-parameters";

/// One declaration of the parameters cell.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Parameter {
    name: String,
    /// As written, or what the literal tells where no type is written.
    ty: String,
    /// The default's source text.
    default: String,
    /// What stands before the value: `let steps: usize`, `let mut x`, `const N: usize`.
    head: String,
}

/// Splits the argument of `-p`.
///
/// # Errors
/// [`Error::Parameter`] where there is no `=` or no name before it.
pub fn parse_parameter(argument: &str) -> Result<(String, String)> {
    match argument.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.to_owned()))
        }
        _ => Err(Error::parameter(
            format!("{argument:?}"),
            "expected name=value, for example -p profile=quick",
        )),
    }
}

/// Puts a cell that declares the given values after the parameters cell, in the
/// place of one from an earlier run. Of one name given twice the last counts.
/// With nothing given the notebook stays as it is.
///
/// # Errors
/// [`Error::Parameter`] for a notebook without a parameters cell, an unknown
/// name (the known ones are listed) or a value that does not fit the declared
/// type; the notebook is then unchanged.
pub fn apply_parameters(notebook: &mut Notebook, given: &[(String, String)]) -> Result<()> {
    let Some((first, _)) = given.first() else {
        return Ok(());
    };
    let Some(place) = notebook.cells.iter().position(is_parameters_cell) else {
        return Err(Error::parameter(
            first,
            "the notebook has no code cell tagged `parameters`",
        ));
    };
    let declared = declarations(&notebook.cells[place].source);
    for (name, value) in given {
        let Some(parameter) = declared.iter().find(|p| p.name == *name) else {
            return Err(Error::parameter(name, unknown(&declared)));
        };
        literal(parameter, value)?;
    }
    let mut lines = vec!["// Parameters".to_owned()];
    // In the order of declaration, whatever the order on the command line.
    for parameter in &declared {
        if let Some((_, value)) = given.iter().rev().find(|(n, _)| *n == parameter.name) {
            lines.push(format!(
                "{} = {};",
                parameter.head,
                literal(parameter, value)?
            ));
        }
    }
    let mut injected = Cell::code(lines.join("\n"));
    injected.metadata.insert("tags".into(), json!([INJECTED]));
    match notebook.cells.iter().position(|c| c.has_tag(INJECTED)) {
        Some(old) => {
            injected.id = notebook.cells[old].id.clone();
            notebook.cells[old] = injected;
        }
        None => notebook.cells.insert(place + 1, injected),
    }
    notebook.complete_ids();
    Ok(())
}

fn is_parameters_cell(cell: &Cell) -> bool {
    cell.is_code() && cell.has_tag(DECLARED)
}

fn unknown(declared: &[Parameter]) -> String {
    if declared.is_empty() {
        return "the parameters cell declares nothing (`let name: Type = value;`)".to_owned();
    }
    let known: Vec<_> = declared
        .iter()
        .map(|p| format!("{}: {} = {}", p.name, p.ty, p.default))
        .collect();
    format!("no such parameter; there are: {}", known.join(", "))
}

/// The `let` and `const` declarations of a cell, in order.
fn declarations(source: &str) -> Vec<Parameter> {
    let wrapped = format!("fn cell() {{\n{source}\n}}");
    let file = SourceFile::parse(&wrapped, Edition::Edition2024).tree();
    let body = file
        .syntax()
        .descendants()
        .find_map(ast::Fn::cast)
        .and_then(|function| function.body());
    let Some(body) = body.and_then(|body| body.stmt_list()) else {
        return Vec::new();
    };
    let statements = body.syntax().children();
    statements
        .filter_map(|node| {
            if let Some(statement) = ast::LetStmt::cast(node.clone()) {
                from_let(&statement)
            } else {
                from_const(&ast::Const::cast(node)?)
            }
        })
        .collect()
}

fn from_let(statement: &ast::LetStmt) -> Option<Parameter> {
    let ast::Pat::IdentPat(pattern) = statement.pat()? else {
        return None;
    };
    let name = pattern.name()?.text().to_string();
    let keyword = match pattern.mut_token() {
        Some(_) => "let mut",
        None => "let",
    };
    declared(keyword, name, statement.ty(), statement.initializer()?)
}

fn from_const(item: &ast::Const) -> Option<Parameter> {
    let name = item.name()?.text().to_string();
    let body = item
        .syntax()
        .children()
        .filter_map(ast::Expr::cast)
        .last()?;
    let ty = item.syntax().children().find_map(ast::Type::cast);
    declared("const", name, ty, body)
}

fn declared(
    keyword: &str,
    name: String,
    ty: Option<ast::Type>,
    value: ast::Expr,
) -> Option<Parameter> {
    let default = value.syntax().text().to_string();
    let (ty, head) = match ty {
        Some(ty) => {
            let ty = ty.syntax().text().to_string();
            (ty.clone(), format!("{keyword} {name}: {ty}"))
        }
        None => (type_of_literal(&value)?, format!("{keyword} {name}")),
    };
    Some(Parameter {
        name,
        ty,
        default,
        head,
    })
}

/// The type that rustc gives an unannotated literal.
fn type_of_literal(value: &ast::Expr) -> Option<String> {
    let mut tokens = value
        .syntax()
        .descendants_with_tokens()
        .filter_map(|element| element.into_token());
    let token = tokens.find(|t| !t.kind().is_trivia() && t.kind() != SyntaxKind::MINUS)?;
    let suffix = |default: &str| {
        let types = INTEGERS.iter().copied().chain(["f32", "f64"]);
        let mut found = types.filter(|ty| token.text().ends_with(ty));
        Some(found.next().unwrap_or(default).to_owned())
    };
    match token.kind() {
        SyntaxKind::INT_NUMBER => suffix("i32"),
        SyntaxKind::FLOAT_NUMBER => suffix("f64"),
        SyntaxKind::STRING => Some("&str".to_owned()),
        SyntaxKind::CHAR => Some("char".to_owned()),
        SyntaxKind::TRUE_KW | SyntaxKind::FALSE_KW => Some("bool".to_owned()),
        _ => None,
    }
}

const INTEGERS: [&str; 12] = [
    "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64", "u128", "usize",
];

/// The value as Rust source of the parameter's type.
fn literal(parameter: &Parameter, value: &str) -> Result<String> {
    of_type(&parameter.ty, value).map_err(|reason| {
        Error::parameter(
            &parameter.name,
            format!("{value:?} is no {}: {reason}", parameter.ty),
        )
    })
}

fn of_type(ty: &str, value: &str) -> Result<String, String> {
    let ty: String = ty.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some(inner) = ty.strip_prefix("Option<").and_then(|t| t.strip_suffix('>')) {
        return match value {
            "none" | "None" => Ok("None".to_owned()),
            value => Ok(format!("Some({})", of_type(inner.trim(), value)?)),
        };
    }
    match ty.as_str() {
        // `{:?}` of a str is a Rust string literal, quotes and escapes included.
        "&str" | "&'static str" | "& 'static str" => Ok(format!("{value:?}")),
        "String" => Ok(format!("{value:?}.to_string()")),
        "char" => match value.parse::<char>() {
            Ok(c) => Ok(format!("{c:?}")),
            Err(e) => Err(e.to_string()),
        },
        "bool" => match value.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Ok("true".to_owned()),
            "false" | "no" | "off" | "0" => Ok("false".to_owned()),
            _ => Err("expected true or false".to_owned()),
        },
        "f32" | "f64" => float(&ty, value),
        integer if INTEGERS.contains(&integer) => whole(integer, value),
        _ => Err(
            "values of this type cannot be given; only strings, numbers, bools, chars \
             and Options of them can"
                .to_owned(),
        ),
    }
}

fn float(ty: &str, value: &str) -> Result<String, String> {
    let digits = value.trim().replace('_', "");
    let number: f64 = digits
        .parse()
        .map_err(|_| "expected a number such as 0.5 or 1e-3".to_owned())?;
    let fits = number.is_finite() && (ty == "f64" || (number as f32).is_finite());
    if !fits {
        return Err("expected a finite number".to_owned());
    }
    // The user's own digits where Rust reads them; `3` needs its point.
    Ok(format!("{number:?}"))
}

fn whole(ty: &str, value: &str) -> Result<String, String> {
    fn check<T>(digits: &str) -> Result<String, String>
    where
        T: std::str::FromStr<Err = std::num::ParseIntError> + std::fmt::Display,
    {
        let number = digits.parse::<T>().map_err(|e| e.to_string())?;
        Ok(number.to_string())
    }
    let digits = value.trim().replace('_', "");
    match ty {
        "i8" => check::<i8>(&digits),
        "i16" => check::<i16>(&digits),
        "i32" => check::<i32>(&digits),
        "i64" => check::<i64>(&digits),
        "i128" => check::<i128>(&digits),
        "isize" => check::<isize>(&digits),
        "u8" => check::<u8>(&digits),
        "u16" => check::<u16>(&digits),
        "u32" => check::<u32>(&digits),
        "u64" => check::<u64>(&digits),
        "u128" => check::<u128>(&digits),
        _ => check::<usize>(&digits),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "// Sizes of this run.\nlet profile: &str = \"paper\"; // quick or paper\n\
        let steps: usize = 400;\nlet rate: f64 = 1e-3;\nlet mut verbose = false;\n\
        const SEED: u64 = 42069;\nlet name: String = \"x\".into();\nlet top: Option<usize> = None;\n\
        let sizes: Vec<usize> = vec![1];";

    fn notebook() -> Notebook {
        let mut notebook = Notebook::new();
        let mut cell = Cell::code(SOURCE);
        cell.metadata.insert("tags".into(), json!(["parameters"]));
        notebook.cells = vec![Cell::markdown("# T"), cell, Cell::code("steps")];
        notebook.complete_ids();
        notebook
    }

    fn apply(given: &[(&str, &str)]) -> Result<String> {
        let mut notebook = notebook();
        let given: Vec<_> = given
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect();
        apply_parameters(&mut notebook, &given)?;
        assert!(notebook.cells[2].has_tag(INJECTED));
        assert_eq!(notebook.cells.len(), 4);
        Ok(notebook.cells[2].source.clone())
    }

    #[test]
    fn given_values_are_declared_again_with_their_types() {
        let source = apply(&[
            ("top", "7"),
            ("steps", "1_000"),
            ("profile", "qu\"ick\\"),
            ("rate", "3"),
            ("verbose", "yes"),
            ("SEED", "7"),
            ("name", "Jim"),
        ]);
        assert_eq!(
            source.unwrap(),
            "// Parameters\nlet profile: &str = \"qu\\\"ick\\\\\";\nlet steps: usize = 1000;\n\
             let rate: f64 = 3.0;\nlet mut verbose = true;\nconst SEED: u64 = 7;\n\
             let name: String = \"Jim\".to_string();\nlet top: Option<usize> = Some(7);"
        );
    }

    #[test]
    fn a_bad_value_or_name_is_an_error_that_says_what_would_do() {
        for (name, value, expected) in [
            (
                "stepz",
                "1",
                "no such parameter; there are: profile: &str = \"paper\"",
            ),
            ("steps", "-1", "\"-1\" is no usize: invalid digit"),
            ("steps", "many", "\"many\" is no usize"),
            ("rate", "NaN", "finite"),
            ("rate", "1e-3x", "expected a number"),
            ("verbose", "maybe", "expected true or false"),
            ("SEED", "99999999999999999999", "too large"),
            ("sizes", "[1]", "cannot be given"),
        ] {
            let message = apply(&[(name, value)]).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn a_second_run_replaces_the_injected_cell() {
        let mut notebook = notebook();
        let give = |v: &str| [("steps".to_owned(), v.to_owned())];
        apply_parameters(&mut notebook, &give("1")).unwrap();
        let id = notebook.cells[2].id.clone();
        apply_parameters(&mut notebook, &give("2")).unwrap();
        assert_eq!(notebook.cells.len(), 4);
        assert_eq!(notebook.cells[2].id, id);
        assert!(notebook.cells[2].source.ends_with("let steps: usize = 2;"));
    }

    #[test]
    fn nothing_given_changes_nothing_and_a_missing_cell_is_an_error() {
        let mut notebook = Notebook::new();
        assert!(apply_parameters(&mut notebook, &[]).is_ok());
        let given = [("steps".to_owned(), "1".to_owned())];
        let message = apply_parameters(&mut notebook, &given).unwrap_err();
        assert!(message.to_string().contains("tagged `parameters`"));
    }

    #[test]
    fn an_argument_is_split_at_its_first_equals_sign() {
        assert_eq!(
            parse_parameter("a=b=c").unwrap(),
            ("a".to_owned(), "b=c".to_owned())
        );
        assert!(parse_parameter("a").is_err());
        assert!(parse_parameter("=1").is_err());
    }
}
