//! Given values become a cell of the notebook, once rustc has accepted it.

use super::cells::Cells;
use super::jobs::jobs;
use crate::error::{Error, Result};
use crate::notebook::{Notebook, Parameters, Types};
use crate::report::outcome::CellError;

/// Puts the given values into the notebook. Where the text of the parameters cell does not tell a
/// type, rustc does, and it compiles the new cell: nothing runs before all values are known to fit.
///
/// # Errors
/// [`Error::Parameter`] for a value that does not fit; the notebook is then unchanged.
pub fn apply(parameters: &Parameters, notebook: &mut Notebook, cells: &mut Cells) -> Result<()> {
    let place = parameters.place();
    let all = jobs(notebook);
    // A cell that is to fail leaves nothing behind that others can rely on.
    let before = all.iter().filter(|job| job.index <= place && !job.raises);
    let mut sources: Vec<&str> = before.map(|job| job.source.as_str()).collect();
    let refused = |error: &CellError| {
        let reason = error.traceback.join("\n");
        Error::parameter(parameters.names(), format!("rustc refuses it\n{reason}"))
    };
    let checked = cells.check(&sources);
    if cells.signals().received().is_some() {
        return Ok(());
    }
    let (types, known) = match checked {
        Ok(types) => (types, true),
        Err(failure) => match failure.error {
            Some(error) if failure.cell + 1 == sources.len() => return Err(refused(&error)),
            // What an earlier cell needs may be there only when those before it have run.
            _ => (Types::new(), false),
        },
    };
    let mut next = notebook.clone();
    let injected = parameters.apply(&mut next, &types)?;
    let source = next.cells[injected].source.clone();
    sources.push(&source);
    if known
        && let Err(failure) = cells.check(&sources)
        && let Some(error) = &failure.error
    {
        return Err(refused(error));
    }
    *notebook = next;
    Ok(())
}
