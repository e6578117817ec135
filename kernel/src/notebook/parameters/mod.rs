//! Values given for a run, as in papermill: the cell tagged `parameters` declares names, types and
//! defaults; a cell tagged `injected-parameters` after it declares the given ones again, with the
//! same types.
//! Source: papermill/parameterize.py.

mod declarations;
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
use declarations::declarations;
pub use declared::Types;
use declared::{Declared, Unknown, shortened};
use kind::Kind;
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

/// Values for names that the parameters cell declares.
#[derive(Debug)]
pub struct Parameters {
    /// The parameters cell's place in the notebook.
    place: usize,
    declared: Vec<Declared>,
    /// If a name is given twice, the last value applies.
    given: Vec<(String, String)>,
}

impl Parameters {
    /// Reads the declarations, and checks the given values as far as the text determines their
    /// types. `None` if no values are given.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a notebook without a parameters cell, an unknown
    /// name (the known ones are listed), and a value that does not fit its type.
    pub fn read(notebook: &Notebook, given: &[(String, String)]) -> Result<Option<Self>> {
        let Some((first, _)) = given.first() else {
            return Ok(None);
        };
        let place = notebook
            .cells
            .iter()
            .position(|cell| is_tagged(cell, DECLARED));
        let Some(place) = place else {
            return Err(Error::parameter(
                first,
                "the notebook has no code cell tagged `parameters`",
            ));
        };
        let declared = declarations(&notebook.cells[place].source);
        let declared = declared.map_err(|reason| Error::parameter(first, reason))?;
        let parameters = Self {
            place,
            declared,
            given: given.to_vec(),
        };
        for (name, value) in given {
            let declared = parameters.declared(name)?;
            if !declared.needs_rustc() {
                line(declared, value).map_err(|reason| Error::parameter(name, reason))?;
            } else if let Ok(kind) = &declared.kind {
                code(declared, kind, value).map_err(|reason| Error::parameter(name, reason))?;
            }
        }
        Ok(Some(parameters))
    }

    /// The parameters cell's place in the notebook.
    pub fn place(&self) -> usize {
        self.place
    }

    /// Inserts a cell that declares the given values after the parameters cell, or replaces the one
    /// from an earlier run; returns its index. `types` are used where the text does not determine a
    /// type; `None` if rustc has not compiled the parameters cell.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a name whose type cannot be known, and a value that
    /// does not fit it; the notebook is then unchanged.
    pub fn apply(&self, notebook: &mut Notebook, types: Option<&Types>) -> Result<usize> {
        let mut lines = vec![None; self.declared.len()];
        for (name, value) in &self.given {
            let declared = self.declared(name)?;
            let line = match types {
                Some(types) if declared.is_moved(types) => Err(format!(
                    "`{}` is moved within its cell, so that its type is not known; write it: \
                     `let {}: Type = ..`",
                    declared.text(),
                    declared.name
                )),
                Some(types) => line(&declared.decided(types), value),
                None => line_for_any(declared, value),
            };
            let line = line.map_err(|reason| Error::parameter(name, reason))?;
            let at = self.declared.iter().position(|one| one.is(name));
            if let Some(at) = at {
                lines[at] = Some(line);
            }
        }
        // In the order of declaration, not of the command line.
        let head = std::iter::once("// Parameters".to_owned());
        let lines: Vec<String> = head.chain(lines.into_iter().flatten()).collect();
        let mut injected = Cell::code(lines.join("\n"));
        injected.metadata.insert("tags".into(), json!([INJECTED]));
        let earlier = notebook
            .cells
            .iter()
            .position(|cell| is_tagged(cell, INJECTED));
        match earlier {
            Some(old) => {
                injected.id = notebook.cells[old].id.clone();
                notebook.cells[old] = injected;
            }
            None => notebook.cells.insert(self.place + 1, injected),
        }
        notebook.complete_ids();
        Ok(earlier.unwrap_or(self.place + 1))
    }

    /// The names of the given values.
    pub fn names(&self) -> String {
        let names: Vec<&str> = self.given.iter().map(|(name, _)| name.as_str()).collect();
        names.join(", ")
    }

    fn declared(&self, name: &str) -> Result<&Declared> {
        let found = self.declared.iter().find(|one| one.is(name));
        found.ok_or_else(|| Error::parameter(name, unknown(name, &self.declared)))
    }
}

/// The names that the parameters cell declares, each with the source of its value: the one that a
/// run has injected, otherwise the default. Empty if there is no such cell or it cannot be read.
pub fn in_effect(notebook: &Notebook) -> Vec<(String, String)> {
    let declared = |tag: &str| {
        let cell = notebook.cells.iter().find(|cell| is_tagged(cell, tag));
        let found = cell.map(|cell| declarations(&cell.source).unwrap_or_default());
        found.unwrap_or_default()
    };
    let injected = declared(INJECTED);
    let value = |one: &Declared| {
        let last = injected.iter().find(|other| other.is(&one.name));
        last.unwrap_or(one).plain_default()
    };
    let all = declared(DECLARED);
    all.iter()
        .map(|one| (one.name.clone(), value(one)))
        .collect()
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
    Ok(declared.with(&code(declared, kind, value)?))
}

/// [`line`] for an unknown type: only a value that fits every possible type is accepted.
fn line_for_any(declared: &Declared, value: &str) -> Result<String, String> {
    let line = line(declared, value)?;
    let kinds = declared.kind.iter().flat_map(Kind::extremes);
    for extreme in kinds {
        code(declared, &extreme, value).map_err(|_| {
            let found = scalars::describe(value);
            let (ty, text) = (&declared.ty, declared.text());
            let kept =
                format!("{value:?} is {found}, and may not fit {ty}: other lines decide its type");
            match declared.annotated {
                true => format!("{kept} (`{text}`)"),
                false => format!(
                    "{kept} (`{text}`); write it: `let {}: Type = ..`",
                    declared.name
                ),
            }
        })?;
    }
    Ok(line)
}

/// The source of a value of this type.
fn code(declared: &Declared, kind: &Kind, value: &str) -> Result<String, String> {
    let style = given::Style {
        says_types: declared.says_types(),
        constant: declared.constant,
    };
    given::code(kind, value, style).map_err(|misfit| {
        let reason = misfit.message(value, &declared.ty);
        format!("{reason} (`{}`)", declared.text())
    })
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
