//! Inserts given values as a cell of the notebook, once rustc has accepted it.

use super::cells::Cells;
use super::jobs::jobs;
use crate::error::{Error, Result};
use crate::notebook::{Notebook, Parameters};
use crate::plan::Definitions;
use crate::report::outcome::CellError;

/// Inserts the given values into the notebook. The cells up to the parameters cell and the new one
/// are compiled but not run: if the text of the parameters cell leaves a type open, rustc
/// determines it. If they cannot be compiled before they run, a value must fit every possible type.
///
/// # Errors
/// [`Error::Parameter`] for a value that does not fit; the notebook is then unchanged.
pub fn apply(parameters: &Parameters, notebook: &mut Notebook, cells: &mut Cells) -> Result<()> {
    let place = parameters.place();
    let all = jobs(notebook);
    let before: Vec<_> = all.iter().filter(|job| job.index <= place).collect();
    let mut sources: Vec<&str> = before.iter().map(|job| job.source.as_str()).collect();
    // Only the run shows how far a cell that must fail gets, and which variables it leaves.
    let foreseeable =
        before.last().is_some_and(|job| job.index == place) && !before.iter().any(|job| job.raises);
    let refused = |error: &CellError| {
        let reason = error.traceback.join("\n");
        Error::parameter(parameters.names(), format!("rustc refuses it\n{reason}"))
    };
    let mut types = None;
    if foreseeable {
        match cells.check(&sources) {
            Ok(found) => types = Some(found),
            // An earlier cell may compile once the cells before it have run.
            Err(failure) if failure.cell + 1 < sources.len() => {}
            Err(failure) => {
                if let Some(error) = &failure.error {
                    return Err(refused(error));
                }
            }
        }
    }
    if cells.signals().received().is_some() {
        return Ok(());
    }
    let mut next = notebook.clone();
    let injected = parameters.apply(&mut next, types.as_ref());
    let injected = injected.map_err(in_the_users_words)?;
    let source = next.cells[injected].source.clone();
    sources.push(&source);
    if types.is_some()
        && let Err(failure) = cells.check(&sources)
        && let Some(error) = &failure.error
    {
        return Err(refused(error));
    }
    *notebook = next;
    Ok(())
}

/// Removes the crate names of cells from the types that the error names.
fn in_the_users_words(error: Error) -> Error {
    match error {
        Error::Parameter { name, reason } => {
            Error::parameter(name, Definitions::users_type(&reason))
        }
        other => other,
    }
}
