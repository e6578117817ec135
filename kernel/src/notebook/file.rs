//! Atomic file replacement: writes a temporary file next to the target, then renames it.
//! A full disk or an interrupt leaves the old file.

use crate::error::{Error, Result};
use std::fs::Metadata;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Makes `bytes` the contents of `path`.
///
/// # Errors
/// [`Error::Io`] where the folder is missing or not writable, the file is
/// read-only, or the disk is full; the old file is then untouched.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let target = target(path);
    let found = target.metadata().ok();
    if let Some(found) = &found {
        check_kind(path, found)?;
        if !found.is_file() {
            // Renaming onto a pipe or a device (`/dev/stdout`) would not write to it.
            return std::fs::write(&target, bytes).map_err(Error::io("write", path));
        }
    }
    let mut file = beside(&target).map_err(Error::io("write", path))?;
    file.write_all(bytes).map_err(Error::io("write", path))?;
    if let Some(found) = found {
        file.as_file()
            .set_permissions(found.permissions())
            .map_err(Error::io("write", path))?;
    }
    file.persist(&target)
        .map_err(|e| Error::io("write", path)(e.error))?;
    Ok(())
}

/// Whether [`replace`] is likely to succeed, tested without changing the file.
///
/// # Errors
/// Those of [`replace`], except for a full disk.
pub fn check_replaceable(path: &Path) -> Result<()> {
    let target = target(path);
    if let Ok(found) = target.metadata() {
        check_kind(path, &found)?;
        if !found.is_file() {
            return Ok(());
        }
    }
    beside(&target).map_err(Error::io("write", path))?;
    Ok(())
}

/// Whether the file may be replaced repeatedly: a pipe can only be written once.
pub fn is_regular(path: &Path) -> bool {
    target(path)
        .metadata()
        .map_or(true, |found| found.is_file())
}

/// The target of a link, so that the link survives.
fn target(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

fn check_kind(path: &Path, found: &Metadata) -> Result<()> {
    let kind = if found.is_dir() {
        ErrorKind::IsADirectory
    } else if found.permissions().readonly() {
        ErrorKind::PermissionDenied
    } else {
        return Ok(());
    };
    Err(Error::io("write", path)(kind.into()))
}

/// A temporary file in the folder of `target`.
fn beside(target: &Path) -> std::io::Result<NamedTempFile> {
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".holoscope-");
    #[cfg(unix)]
    {
        // The mode that `open` would use; the umask still applies. The crate's default
        // mode would make the notebook readable by its owner only.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_folder_and_a_read_only_file_are_errors_that_change_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("none/x.ipynb");
        let message = replace(&inside, b"new").unwrap_err().to_string();
        assert!(message.contains("none/x.ipynb"), "{message}");

        let locked = folder.path().join("locked.ipynb");
        std::fs::write(&locked, "old").unwrap();
        let mut permissions = locked.metadata().unwrap().permissions();
        permissions.set_readonly(true);
        std::fs::set_permissions(&locked, permissions).unwrap();
        assert!(replace(&locked, b"new").is_err());
        assert_eq!(std::fs::read_to_string(&locked).unwrap(), "old");
        // No temporary file is left behind.
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn permissions_and_links_survive() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().join("real.ipynb");
        std::fs::write(&real, "old").unwrap();
        std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o640)).unwrap();
        let link = folder.path().join("link.ipynb");
        std::os::unix::fs::symlink(&real, &link).unwrap();
        replace(&link, b"new").unwrap();
        assert_eq!(std::fs::read_to_string(&real).unwrap(), "new");
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert_eq!(real.metadata().unwrap().permissions().mode() & 0o777, 0o640);
    }
}
