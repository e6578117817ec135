//! The environment of cells: the working directory and the environment variables.

use crate::error::{Error, Result};
use std::path::Path;

/// The library's variable for a folder with local copies of the data.
const DATA_ENV: &str = "HOLOSCOPE_DATA";

/// Makes the data folder's path absolute: it is relative to the shell's folder, and cells run
/// elsewhere. (A path that does not exist here may be relative to the notebook's folder.)
///
/// # Safety
/// No other thread may be running: the environment is shared by the whole process.
pub unsafe fn fix_data_folder() {
    if let Some(data) = std::env::var_os(DATA_ENV)
        && Path::new(&data).is_dir()
        && let Ok(data) = std::path::absolute(&data)
    {
        // SAFETY: promised by the caller.
        unsafe { std::env::set_var(DATA_ENV, data) };
    }
}

/// Cells read files relative to their notebook, as under Jupyter, unless another folder is given.
pub fn enter_folder(notebook: &Path, given: Option<&Path>) -> Result<()> {
    let absolute = |path: &Path| std::path::absolute(path).map_err(Error::io("resolve", path));
    let dir = match given {
        Some(dir) => absolute(dir)?,
        None => {
            let path = absolute(notebook)?;
            path.parent().unwrap_or(Path::new("/")).to_owned()
        }
    };
    std::env::set_current_dir(&dir).map_err(Error::io("enter", &dir))
}
