//! Values given for a run, as papermill does it: the cell tagged `parameters`
//! declares names, types and defaults; a cell tagged `injected-parameters` after
//! it declares the given ones again, with the types that they have.
//! Source: papermill/parameterize.py.

mod declared;
mod given;
mod infer;
mod kind;
mod makers;
mod scalars;
mod split;
#[cfg(test)]
mod tests;
mod written;

use super::model::{Cell, Notebook};
use crate::error::{Error, Result};
use declared::{Declared, Unknown, declarations, shortened};
use serde_json::json;

const DECLARED: &str = "parameters";
const INJECTED: &str = "injected-parameters";

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
/// name (the known ones are listed), a name whose type cannot be known or a
/// value that does not fit it; the notebook is then unchanged.
pub fn apply_parameters(notebook: &mut Notebook, given: &[(String, String)]) -> Result<()> {
    let Some((first, _)) = given.first() else {
        return Ok(());
    };
    let Some(place) = notebook
        .cells
        .iter()
        .position(|cell| is_tagged(cell, DECLARED))
    else {
        return Err(Error::parameter(
            first,
            "the notebook has no code cell tagged `parameters`",
        ));
    };
    let declared = declarations(&notebook.cells[place].source);
    let declared = declared.map_err(|reason| Error::parameter(first, reason))?;
    let mut lines = vec![None; declared.len()];
    for (name, value) in given {
        let Some(at) = declared.iter().position(|one| one.is(name)) else {
            return Err(Error::parameter(name, unknown(name, &declared)));
        };
        let line = line(&declared[at], value).map_err(|reason| Error::parameter(name, reason))?;
        lines[at] = Some(line);
    }
    // In the order of declaration, whatever the order on the command line.
    let head = std::iter::once("// Parameters".to_owned());
    let lines: Vec<String> = head.chain(lines.into_iter().flatten()).collect();
    let mut injected = Cell::code(lines.join("\n"));
    injected.metadata.insert("tags".into(), json!([INJECTED]));
    match notebook
        .cells
        .iter()
        .position(|cell| is_tagged(cell, INJECTED))
    {
        Some(old) => {
            injected.id = notebook.cells[old].id.clone();
            notebook.cells[old] = injected;
        }
        None => notebook.cells.insert(place + 1, injected),
    }
    notebook.complete_ids();
    Ok(())
}

fn is_tagged(cell: &Cell, tag: &str) -> bool {
    cell.is_code() && cell.has_tag(tag)
}

/// The declaration of one name with the value given for it.
fn line(declared: &Declared, value: &str) -> Result<String, String> {
    let kind = match &declared.kind {
        Ok(kind) => kind,
        Err(Unknown::Pattern) => {
            return Err(format!(
                "it is bound by a pattern, and cannot be given alone; declare it in a `let {name}: Type = ..` \
                 of its own",
                name = declared.name
            ));
        }
        Err(Unknown::Type) => {
            return Err(format!(
                "values of type {} (`{}`) cannot be given; numbers, strings, paths, bools, chars, durations, \
                 and Options, lists, maps, tuples and ranges of them can",
                declared.ty,
                declared.text()
            ));
        }
        Err(Unknown::Inference) => {
            return Err(format!(
                "the type of `{}` cannot be known from its text; write it: `let {}: Type = ..`",
                declared.text(),
                declared.name
            ));
        }
    };
    let style = given::Style {
        says_types: declared.says_types(),
        constant: declared.constant,
    };
    let code = given::code(kind, value, style).map_err(|misfit| {
        let reason = misfit.message(value, &declared.ty);
        format!("{reason} (`{}`)", declared.text())
    })?;
    Ok(declared.with(&code))
}

fn unknown(name: &str, declared: &[Declared]) -> String {
    if declared.is_empty() {
        return "the parameters cell declares nothing (`let name: Type = value;`)".to_owned();
    }
    let close = declared
        .iter()
        .map(|one| (strsim::jaro_winkler(name, &one.name), one));
    let closest = close.filter(|(score, _)| *score > 0.8);
    let closest = closest.max_by(|(a, _), (b, _)| a.total_cmp(b));
    let hint = closest.map_or(String::new(), |(_, one)| {
        format!("; did you mean {}?", one.name)
    });
    let known: Vec<_> = declared
        .iter()
        .map(|one| match one.default.as_str() {
            "" => format!("{}: {}", one.name, one.ty),
            default => format!("{}: {} = {}", one.name, one.ty, shortened(default)),
        })
        .collect();
    format!("no such parameter{hint}; there are: {}", known.join(", "))
}
