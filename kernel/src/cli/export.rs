//! `holoscope export`: a notebook as something else.

use super::terminal::say;
use crate::error::{Error, Result};
use crate::notebook;
use crate::twin::{self, program};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// `rs` is a program: the cells in order, within `main`. It compiles against the library and prints
/// what the cells show.
///
/// Exit status: 0, or 2 where the notebook cannot be read or a cell cannot be part of a program.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The notebook (.ipynb), or its text (.md, .rs, .qmd)
    pub notebook: PathBuf,
    #[arg(long, value_enum)]
    pub to: To,
    /// Where to write it [default: out/<name> with the ending of its kind]
    #[arg(short, long, value_name = "OUT")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum To {
    /// A Rust program
    Rs,
}

/// Writes the export; the result is the exit status.
pub fn export(args: &ExportArgs) -> Result<i32> {
    let (notebook, _) = twin::load(&args.notebook)?;
    let name = args
        .notebook
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    let text = match args.to {
        To::Rs => program::program(&notebook, &name).map_err(|reason| Error::Notebook {
            path: args.notebook.clone(),
            line: 0,
            reason,
        })?,
    };
    let default = || PathBuf::from("out").join(&*name).with_extension("rs");
    let path = args.output.clone().unwrap_or_else(default);
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    }
    notebook::replace(&path, text.as_bytes())?;
    say(&format!("holoscope: wrote {}", path.display()));
    Ok(0)
}
