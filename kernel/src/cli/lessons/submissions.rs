//! Students' submissions: the notebooks in a folder, and the lessons that they belong to.

use crate::error::{Error, Result};
use crate::files::same_file;
use std::path::{Path, PathBuf};

/// One notebook that was handed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// The name of its folder, or of its file if it is in none.
    pub student: String,
    pub path: PathBuf,
    pub lesson: PathBuf,
}

/// The submissions below a folder, sorted by student. `lesson` is one lesson, to which all belong, or a folder of
/// lessons, where each belongs to the lesson with its file's name. Files in `output` are results, not submissions. Also
/// returns the notebooks whose name no lesson has.
///
/// # Errors
/// [`Error::Io`].
pub fn submissions(
    folder: &Path,
    lesson: &Path,
    output: &Path,
) -> Result<(Vec<Submission>, Vec<PathBuf>)> {
    let mut paths = Vec::new();
    collect(folder, output, &mut paths)?;
    paths.sort();
    let (mut found, mut strangers) = (Vec::new(), Vec::new());
    for path in paths {
        let of = match lesson.is_dir() {
            true => path.file_name().map(|name| lesson.join(name)),
            false => Some(lesson.to_owned()),
        };
        match of.filter(|lesson| lesson.is_file()) {
            Some(lesson) => found.push(Submission {
                student: student(folder, &path),
                path,
                lesson,
            }),
            None => strangers.push(path),
        }
    }
    Ok((found, strangers))
}

fn collect(folder: &Path, output: &Path, paths: &mut Vec<PathBuf>) -> Result<()> {
    let entries = std::fs::read_dir(folder).map_err(Error::io("read", folder))?;
    for entry in entries {
        let path = entry.map_err(Error::io("read", folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // `.ipynb_checkpoints` holds older copies.
        if name.starts_with('.') || same_file(&path, output) {
            continue;
        }
        if path.is_dir() {
            collect(&path, output, paths)?;
        } else if path.extension().is_some_and(|end| end == "ipynb") {
            paths.push(path);
        }
    }
    Ok(())
}

fn student(folder: &Path, path: &Path) -> String {
    let within = path.strip_prefix(folder).unwrap_or(path);
    let first = within.components().next().map(|part| part.as_os_str());
    match within.components().count() {
        1 => within.file_stem().or(first),
        _ => first,
    }
    .unwrap_or_default()
    .to_string_lossy()
    .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_submission_is_known_by_its_folder_or_its_name() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        for path in [
            "in/bob.ipynb",
            "in/alice/deep/1.ipynb",
            "in/alice/.ipynb_checkpoints/1.ipynb",
            "in/out/dora/1.ipynb",
            "in/notes.txt",
            "lessons/1.ipynb",
        ] {
            std::fs::create_dir_all(at(path).parent().unwrap()).unwrap();
            std::fs::write(at(path), "{}").unwrap();
        }
        let one = at("lessons/1.ipynb");
        let names = |lesson: &Path| {
            let (found, strangers) = submissions(&at("in"), lesson, &at("in/out")).unwrap();
            let names = found.into_iter().map(|s| {
                assert_eq!(s.lesson, one);
                s.student
            });
            (names.collect::<Vec<_>>(), strangers)
        };
        assert_eq!(
            names(&one),
            (vec!["alice".to_owned(), "bob".to_owned()], Vec::new())
        );
        assert_eq!(
            names(&at("lessons")),
            (vec!["alice".to_owned()], vec![at("in/bob.ipynb")])
        );
    }
}
