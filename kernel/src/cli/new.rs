//! `holoscope new`: creates a notebook from a template.

use super::sync::{SyncArgs, sync};
use super::terminal::say;
use crate::error::{Error, Result};
use crate::notebook::{self, NotebookText};
use crate::twin::{self, Format};
use clap::{Args, ValueEnum};
use serde_json::Map;
use std::path::PathBuf;

/// The notebook's name becomes its title. Nothing is ever overwritten.
///
/// Templates: `article` has a title block, a figure with a caption, a value in the text and a
/// bibliography; `lesson` has an exercise that checks itself, for `holoscope assign`; `blank` has a
/// title and one cell.
#[derive(Debug, Args)]
pub struct NewArgs {
    /// The notebook's name; `.ipynb` may be left out
    pub name: PathBuf,
    #[arg(short, long, value_enum, default_value_t = Template::Blank)]
    pub template: Template,
    /// Also create a paired text (see `holoscope sync`)
    #[arg(long, value_name = "md|myst|rs|qmd", value_parser = super::sync::format)]
    pub to: Option<Format>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Template {
    Article,
    Lesson,
    Blank,
}

impl Template {
    fn text(self) -> &'static str {
        match self {
            Template::Article => include_str!("new/article.md"),
            Template::Lesson => include_str!("new/lesson.md"),
            Template::Blank => include_str!("new/blank.md"),
        }
    }
}

/// Writes the notebook; the result is the exit status.
pub fn new(args: &NewArgs) -> Result<i32> {
    let path = match args.name.extension() {
        Some(end) if end == "ipynb" => args.name.clone(),
        _ => {
            let mut name = args.name.clone().into_os_string();
            name.push(".ipynb");
            PathBuf::from(name)
        }
    };
    if path.exists() {
        return Err(Error::Destination {
            path,
            reason: "there is a file of this name; choose another".to_owned(),
        });
    }
    let title = path
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .replace(['_', '-'], " ");
    let mut notebook = template(args.template, &title).map_err(|fault| Error::Notebook {
        path: path.clone(),
        line: fault.line,
        reason: fault.reason,
    })?;
    notebook.complete_ids();
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    }
    notebook::replace(
        &path,
        NotebookText::of(&notebook).with(&notebook).as_bytes(),
    )?;
    say(&format!("holoscope: made {}", path.display()));
    if let Some(to) = args.to {
        return sync(&SyncArgs {
            files: vec![path],
            to: Some(to),
            from: None,
            check: false,
        });
    }
    Ok(0)
}

fn template(
    template: Template,
    title: &str,
) -> std::result::Result<notebook::Notebook, twin::Fault> {
    let text = template.text().replace("NAME", title);
    let mut notebook = twin::read(&text, Format::Markdown)?;
    // Drop metadata that the reader adds about the text's layout.
    notebook.metadata = notebook::Notebook::new().metadata;
    for cell in &mut notebook.cells {
        cell.metadata.shift_remove("lines_to_next_cell");
        let mut sorted = Map::new();
        sorted.extend(std::mem::take(&mut cell.metadata));
        cell.metadata = sorted;
    }
    Ok(notebook)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_notebooks_of_code_and_text() {
        for kind in [Template::Article, Template::Lesson, Template::Blank] {
            let notebook = template(kind, "My title").unwrap();
            assert!(notebook.cells.iter().any(|cell| cell.is_code()), "{kind:?}");
            assert!(notebook.cells[0].source.contains("My title"), "{kind:?}");
            let code = notebook.cells.iter().filter(|cell| cell.is_code());
            for cell in code {
                let rust = crate::read::commands::split(&cell.source, &|_| false).1;
                let parsed = crate::read::completeness::of(&rust);
                assert_eq!(
                    parsed,
                    crate::jupyter::engine::Completeness::Complete,
                    "{}",
                    cell.source
                );
            }
        }
    }

    #[test]
    fn the_lesson_has_an_exercise_with_all_its_parts() {
        let lesson = template(Template::Lesson, "My lesson").unwrap();
        let found = crate::lesson::exercises::exercises(&lesson).unwrap();
        let parts = found.iter().map(|exercise| {
            let (wrong, checks) = (exercise.wrong.len(), exercise.checks.len());
            (exercise.name.as_str(), wrong, checks, exercise.texts.len())
        });
        let parts: Vec<_> = parts.collect();
        assert_eq!(parts, [("Exercise 1: Frequency", 1, 1, 1)]);
        let message = found[0].wrong[0].message.as_deref();
        assert_eq!(message, Some("divide whole numbers"));
    }
}
