//! Files: comparing paths, and writing.

use crate::error::{Error, Result};
use std::io::Write;
use std::path::{Component, Path, PathBuf};

/// Writes through a temporary file, and leaves an identical file (and its
/// modification time, which cargo reads) alone.
pub fn write_if_changed(path: &Path, text: &str) -> Result<()> {
    if std::fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut file =
        tempfile::NamedTempFile::new_in(dir).map_err(Error::io("create a file in", dir))?;
    file.write_all(text.as_bytes())
        .map_err(Error::io("write", path))?;
    file.persist(path)
        .map_err(|e| e.error)
        .map_err(Error::io("rename", path))?;
    Ok(())
}

/// Whether two paths lead to the same file, through any names and links. False for devices.
pub fn same_file(one: &Path, other: &Path) -> bool {
    let (one, other) = (resolved(one), resolved(other));
    if one
        .metadata()
        .is_ok_and(|found| !found.is_file() && !found.is_dir())
    {
        return false;
    }
    one == other || is_hard_link(&one, &other)
}

/// A path without links and dots, as far as it exists.
fn resolved(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    if let Ok(found) = path.canonicalize() {
        return found;
    }
    let parent = path.parent().map(resolved);
    match (parent, path.components().next_back()) {
        (Some(parent), Some(Component::Normal(name))) => parent.join(name),
        // The parent of a folder that does not exist yet.
        (Some(mut parent), Some(Component::ParentDir)) => {
            parent.pop();
            parent
        }
        _ => path,
    }
}

fn is_hard_link(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let place = |path: &Path| path.metadata().map(|found| (found.dev(), found.ino())).ok();
    place(one).is_some_and(|found| place(other) == Some(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unchanged_file_keeps_its_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        write_if_changed(&path, "one").unwrap();
        let before = std::fs::metadata(&path).unwrap().modified().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20));
        write_if_changed(&path, "one").unwrap();
        assert_eq!(
            before,
            std::fs::metadata(&path).unwrap().modified().unwrap()
        );
        write_if_changed(&path, "two").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two");
    }
}
