//! What lies in the cache.

use super::repository::Repository;
use crate::error::{Error, Result};
use crate::show::report_data;
use std::path::{Path, PathBuf};

/// A commit in the cache.
#[derive(Debug)]
pub(super) struct Cached {
    pub(super) folder: PathBuf,
    /// Paths of its files within the folder, sorted; links whose blob is gone are left out.
    pub(super) files: Vec<String>,
}

impl Cached {
    /// The commit that the cache has for a revision, if it has one. `repository` is its folder in
    /// the cache.
    pub(super) fn find(repository: &Path, revision: &str) -> Option<Self> {
        let snapshots = repository.join("snapshots");
        let commit = match snapshots.join(revision).is_dir() {
            true => revision.to_owned(),
            false => {
                let text = std::fs::read_to_string(repository.join("refs").join(revision)).ok()?;
                text.trim().to_owned()
            }
        };
        let folder = snapshots.join(&commit);
        if commit.is_empty() || !folder.is_dir() {
            return None;
        }
        let mut files = Vec::new();
        list(&folder, &mut String::new(), &mut files);
        files.sort();
        Some(Self { folder, files })
    }
}

fn list(folder: &Path, prefix: &mut String, files: &mut Vec<String>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let path = entry.path();
        // Files are links to blobs; folders are not linked.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let length = prefix.len();
            prefix.push_str(&name);
            prefix.push('/');
            list(&path, prefix, files);
            prefix.truncate(length);
        } else if path.is_file() {
            files.push(format!("{prefix}{name}"));
        }
    }
}

/// Tells the kernel which files of a commit are used. The name of a large file's blob is its SHA-256;
/// that of a small one is git's SHA-1, and is not told.
pub(super) fn report(repository: &Repository, folder: &Path, files: &[String]) {
    for file in files {
        let blob = folder.join(file).canonicalize().unwrap_or_default();
        let digest = blob.file_name().unwrap_or_default().to_string_lossy();
        if digest.len() == 64 && digest.chars().all(|c| c.is_ascii_hexdigit()) {
            report_data(&repository.url(file), &digest);
        }
    }
}

/// Makes `pointer`, `depth` folders below `snapshots/{commit}`, a link to a blob of the same
/// repository.
///
/// # Errors
/// [`Error::Io`].
pub(super) fn link(blob: &Path, pointer: &Path, depth: usize) -> Result<()> {
    if pointer.exists() {
        return Ok(());
    }
    if let Some(folder) = pointer.parent() {
        std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    }
    // Relative, so that the cache may be moved: out of the folders, the commit and `snapshots`.
    let mut target = PathBuf::new();
    for _ in 0..depth + 2 {
        target.push("..");
    }
    target.push("blobs");
    target.push(blob.file_name().unwrap_or_default());
    // A link whose blob is gone is in the way.
    let _ = std::fs::remove_file(pointer);
    match std::os::unix::fs::symlink(target, pointer) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(Error::io("link", pointer)(error))
        }
        _ => Ok(()),
    }
}
