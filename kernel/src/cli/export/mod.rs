//! `holoscope export`: converts a notebook to another format.

mod print;
mod site;
mod stored;

use super::terminal::say;
use crate::error::{Error, Result};
use crate::export;
use crate::files::same_file;
use crate::notebook;
use crate::twin::{self, program};
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};
pub(super) use stored::live_views;
use stored::page;

/// `html`, `md` and `pdf` export the notebook's page as it is stored: nothing runs (use `holoscope run` first).
/// `md` has references, citations and computed values written out, formulas as LaTeX, and pictures in `NAME_files`.
/// `pdf` is that page printed by Chromium, with page numbers; Chromium, Chrome or Edge must be installed, or
/// HOLOSCOPE_CHROMIUM must name one. `rs` is a program: the cells in order, within `main`. It compiles against the
/// library and prints what the cells show.
///
/// `--site` writes the pages of all notebooks in a folder and its subfolders, and an `index.html` that searches them
/// without a server.
///
/// Exit status: 0, or 2 when the notebook cannot be read, is no article, or has a cell that cannot be part of a
/// program.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The notebook (.ipynb), or its text (.md, .rs, .qmd); with --site a folder
    pub notebook: PathBuf,
    #[arg(long, value_enum, required_unless_present = "site")]
    pub to: Option<To>,
    /// Write the pages of a folder's notebooks into this folder, with an index
    #[arg(long, value_name = "DIR", conflicts_with_all = ["to", "output"])]
    pub site: Option<PathBuf>,
    /// The title of the site's index [default: the folder's name]
    #[arg(long, requires = "site")]
    pub title: Option<String>,
    /// Where to write it [default: out/<name> with the extension of the format]
    #[arg(short, long, value_name = "OUT")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum To {
    /// One self-contained page
    Html,
    /// Markdown that GitHub shows and Quarto reads, with its pictures in a folder
    Md,
    /// The page, printed by Chromium
    Pdf,
    /// A Rust program
    Rs,
}

impl To {
    fn ending(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Md => "md",
            Self::Pdf => "pdf",
            Self::Rs => "rs",
        }
    }
}

/// Writes the export; the result is the exit status.
pub fn export(args: &ExportArgs) -> Result<i32> {
    let from = &args.notebook;
    let to = match (&args.site, args.to) {
        (Some(site), _) => return site::export(from, site, args.title.as_deref()),
        (None, Some(to)) => to,
        (None, None) => To::Html,
    };
    let name = from.file_name().unwrap_or_default().to_string_lossy();
    let default = || Path::new("out").join(&*name).with_extension(to.ending());
    let path = args.output.clone().unwrap_or_else(default);
    if same_file(from, &path) {
        let reason = "is what would be exported; name another file with -o".to_owned();
        return Err(Error::Destination { path, reason });
    }
    let mut by = String::new();
    let mut pictures = Vec::new();
    let beside = beside(&path);
    let bytes = match to {
        To::Md => {
            let file = export::markdown(&page(from, false)?, &beside.name);
            pictures = file.pictures;
            file.text.into_bytes()
        }
        To::Html => page(from, true)?.into_bytes(),
        To::Pdf => {
            let browser = print::Browser::find()?;
            let printed = browser.print(&page(from, false)?)?;
            by = format!(", printed by {}", browser.program.display());
            printed
        }
        To::Rs => {
            let (notebook, _) = twin::load(from)?;
            let program = program::program(&notebook, &name);
            program
                .map_err(|reason| refused(from, reason))?
                .into_bytes()
        }
    };
    let folder = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    if let Some(folder) = folder {
        std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    }
    notebook::replace(&path, &bytes)?;
    if !pictures.is_empty() {
        std::fs::create_dir_all(&beside.folder).map_err(Error::io("create", &beside.folder))?;
        by = format!(
            " and {} pictures in {}",
            pictures.len(),
            beside.folder.display()
        );
    }
    for (name, bytes) in &pictures {
        notebook::replace(&beside.folder.join(name), bytes)?;
    }
    say(&format!("holoscope: wrote {}{by}", path.display()));
    Ok(0)
}

/// Where pictures go.
struct Beside {
    name: String,
    folder: PathBuf,
}

/// `NAME_files` next to `NAME.md`, named as Quarto does.
fn beside(path: &Path) -> Beside {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let name = format!("{stem}_files");
    Beside {
        folder: path.with_file_name(&name),
        name,
    }
}

fn refused(path: &Path, reason: String) -> Error {
    Error::Notebook {
        path: path.to_owned(),
        line: 0,
        reason,
    }
}
