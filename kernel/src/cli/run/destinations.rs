//! Where the executed notebook and its page go: checked before the first cell runs.

use super::super::arguments::RunArgs;
use crate::error::{Error, Result};
use crate::files::same_file;
use crate::notebook;
use crate::twin;
use std::path::{Path, PathBuf};

/// Where results go: absolute paths.
#[derive(Debug)]
pub struct Destinations {
    pub notebook: PathBuf,
    pub html: PathBuf,
}

impl Destinations {
    /// The places that the arguments name, or the default ones.
    ///
    /// # Errors
    /// [`Error::Destination`] if two of notebook, executed notebook and page are the same file, and
    /// [`Error::Io`] if one of them cannot be written.
    pub fn check(args: &RunArgs) -> Result<Self> {
        let notebook = match &args.output {
            Some(path) => path.clone(),
            None if args.in_place => args.notebook.clone(),
            None => Path::new("out")
                .join(name(&args.notebook)?)
                .with_extension("ipynb"),
        };
        if args.in_place && twin::is_text(&args.notebook) {
            return Err(Error::Destination {
                path: args.notebook.clone(),
                reason:
                    "a text holds no outputs; `holoscope sync` it, and run its notebook --in-place"
                        .to_owned(),
            });
        }
        let given = args.html.clone();
        let html = given.unwrap_or_else(|| notebook.with_extension("html"));
        let refuse = |path: &Path, reason: &str| {
            Err(Error::Destination {
                path: path.to_owned(),
                reason: reason.to_owned(),
            })
        };
        if notebook.is_dir() {
            notebook::check_replaceable(&notebook)?;
        }
        if same_file(&notebook, &html) {
            let reason = "the executed notebook and its page would be the same file; \
                          name the notebook with -o OUT.ipynb and the page with --html OUT.html";
            return refuse(&notebook, reason);
        }
        if same_file(&args.notebook, &html) {
            let reason = "the page would overwrite the notebook that is run; \
                          name the page with --html OUT.html";
            return refuse(&html, reason);
        }
        if !args.in_place && same_file(&args.notebook, &notebook) {
            let reason = "this would overwrite the notebook that is run; \
                          to have that, write --in-place in place of -o";
            return refuse(&notebook, reason);
        }
        Ok(Self {
            notebook: writable(&notebook)?,
            html: writable(&html)?,
        })
    }
}

fn name(notebook: &Path) -> Result<&std::ffi::OsStr> {
    notebook.file_name().ok_or_else(|| Error::Notebook {
        path: notebook.to_owned(),
        line: 0,
        reason: "not a file".to_owned(),
    })
}

/// Makes the path absolute and checks that it is writable; creates its folder if it is missing.
fn writable(path: &Path) -> Result<PathBuf> {
    let path = std::path::absolute(path).map_err(Error::io("resolve", path))?;
    let dir = path.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
    notebook::check_replaceable(&path)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: RunArgs,
    }

    fn check(dir: &Path, line: &str) -> Result<Destinations> {
        let words = line.split_whitespace().map(|word| match word {
            flag if flag.starts_with('-') => flag.to_owned(),
            file if file.starts_with('/') => file.to_owned(),
            file => dir.join(file).display().to_string(),
        });
        let line = Line::parse_from(std::iter::once("run".to_owned()).chain(words));
        Destinations::check(&line.args)
    }

    #[test]
    fn no_result_takes_the_place_of_another_or_of_the_notebook() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        std::fs::write(dir.join("in.ipynb"), "precious").unwrap();
        std::os::unix::fs::symlink(dir.join("in.ipynb"), dir.join("link.ipynb")).unwrap();
        std::fs::hard_link(dir.join("in.ipynb"), dir.join("hard.ipynb")).unwrap();
        std::fs::create_dir(dir.join("sub")).unwrap();
        for (line, said) in [
            ("in.ipynb -o report.html", "same file"),
            (
                "in.ipynb -o new/x.ipynb --html new/../new/x.ipynb",
                "same file",
            ),
            (
                "in.ipynb -o out.ipynb --html in.ipynb",
                "the page would overwrite",
            ),
            (
                "in.ipynb -o out.ipynb --html hard.ipynb",
                "the page would overwrite",
            ),
            ("in.ipynb --in-place --html in.ipynb", "same file"),
            ("in.ipynb -o in.ipynb", "--in-place"),
            ("in.ipynb -o sub/../in.ipynb", "--in-place"),
            ("in.ipynb -o link.ipynb", "--in-place"),
            ("link.ipynb -o in.ipynb", "--in-place"),
            ("in.ipynb -o hard.ipynb", "--in-place"),
        ] {
            let error = check(dir, line).unwrap_err().to_string();
            assert!(error.contains(said), "{line}: {error}");
        }
        assert_eq!(
            std::fs::read_to_string(dir.join("in.ipynb")).unwrap(),
            "precious"
        );
    }

    #[test]
    fn what_is_asked_for_is_done() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        std::fs::write(dir.join("in.ipynb"), "").unwrap();
        for (line, notebook, html) in [
            ("in.ipynb --in-place", "in.ipynb", "in.html"),
            ("in.ipynb -o new/out.ipynb", "new/out.ipynb", "new/out.html"),
            (
                "in.ipynb -o out.ipynb --html page.html",
                "out.ipynb",
                "page.html",
            ),
        ] {
            let to = check(dir, line).unwrap();
            assert_eq!(
                (to.notebook, to.html),
                (dir.join(notebook), dir.join(html)),
                "{line}"
            );
        }
        // Both may go to /dev/null.
        assert!(check(dir, "in.ipynb -o /dev/null --html /dev/null").is_ok());
    }

    #[test]
    fn a_place_that_cannot_be_written_is_found_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        std::fs::write(dir.join("in.ipynb"), "").unwrap();
        std::fs::create_dir(dir.join("folder.html")).unwrap();
        for name in ["locked.ipynb", "locked.html"] {
            std::fs::write(dir.join(name), "old").unwrap();
            let mut permissions = dir.join(name).metadata().unwrap().permissions();
            permissions.set_readonly(true);
            std::fs::set_permissions(dir.join(name), permissions).unwrap();
        }
        for (line, said) in [
            ("in.ipynb -o locked.ipynb", "locked.ipynb"),
            ("in.ipynb -o out.ipynb --html locked.html", "locked.html"),
            ("in.ipynb -o out.ipynb --html folder.html", "folder.html"),
            ("in.ipynb -o in.ipynb/out.ipynb", "in.ipynb"),
        ] {
            let error = check(dir, line).unwrap_err();
            assert!(matches!(error, Error::Io { .. }), "{line}: {error}");
            assert!(error.to_string().contains(said), "{line}: {error}");
        }
    }
}
