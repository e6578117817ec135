//! Atomic file replacement.
//!
//! A file is written to a temporary file next to the target, synced and renamed: after a crash, and
//! for every reader, it is either the old file or the new one. Source: POSIX `rename`.

use crate::error::{Error, Result};
use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Writes `bytes` to `path` atomically; the folder must exist.
///
/// # Errors
/// [`Error::Io`] when the folder is missing or cannot be written; the old file is unchanged.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // The mode of any new file, before the umask. Temporary files are private to the user by
    // default, and the renamed file would keep that mode.
    let mut file = tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)
        .map_err(Error::io("write", path))?;
    file.write_all(bytes).map_err(Error::io("write", path))?;
    file.as_file()
        .sync_all()
        .map_err(Error::io("write", path))?;
    file.persist(path)
        .map_err(|err| Error::io("rename to", path)(err.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let (path, old) = (dir.path().join("x.json"), dir.path().join("old.json"));
        write_whole(&path, b"old and longer").unwrap();
        // A hard link to the old file: writing in place would change it, too.
        fs::hard_link(&path, &old).unwrap();
        write_whole(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read(&old).unwrap(), b"old and longer");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_file_can_be_read_by_those_who_can_read_any_new_file() {
        let dir = tempfile::tempdir().unwrap();
        let (ours, plain) = (dir.path().join("ours"), dir.path().join("plain"));
        write_whole(&ours, b"x").unwrap();
        fs::write(&plain, b"x").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&plain));
    }

    #[test]
    fn a_place_that_cannot_be_written_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let nowhere = dir.path().join("missing").join("x.json");
        for path in [nowhere.as_path(), dir.path()] {
            assert!(matches!(write_whole(path, b""), Err(Error::Io { .. })));
        }
    }
}
