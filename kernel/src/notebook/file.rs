//! Replacing a file whole or not at all: write beside it, then rename. A full
//! disk or an interrupt leaves what was there before.

use crate::error::{Error, Result};
use std::io::Write;
use std::path::Path;

/// Makes `bytes` the contents of `path`.
///
/// # Errors
/// [`Error::Io`] where the folder is missing or not writable, the file is
/// read-only, or the disk is full; the old file is then untouched.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    // Through a link to what it names, so that the link survives.
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut permissions = None;
    if let Ok(metadata) = target.metadata() {
        if metadata.is_dir() || metadata.permissions().readonly() {
            let kind = if metadata.is_dir() {
                std::io::ErrorKind::IsADirectory
            } else {
                std::io::ErrorKind::PermissionDenied
            };
            return Err(Error::io("write", path)(kind.into()));
        }
        if !metadata.is_file() {
            // A pipe or a device (`/dev/stdout`) cannot be renamed over.
            return std::fs::write(&target, bytes).map_err(Error::io("write", path));
        }
        permissions = Some(metadata.permissions());
    }
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".holoscope-");
    #[cfg(unix)]
    {
        // What `open` would ask for; the umask still applies. The crate's own
        // default would leave a notebook that only its writer can read.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut file = builder
        .tempfile_in(folder)
        .map_err(Error::io("write", path))?;
    file.write_all(bytes).map_err(Error::io("write", path))?;
    if let Some(permissions) = permissions {
        file.as_file()
            .set_permissions(permissions)
            .map_err(Error::io("write", path))?;
    }
    file.persist(&target)
        .map_err(|e| Error::io("write", path)(e.error))?;
    Ok(())
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
