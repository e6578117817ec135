//! Writing files.

use crate::error::{Error, Result};
use std::io::Write;
use std::path::Path;

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
