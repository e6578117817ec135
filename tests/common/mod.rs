//! What integration tests share: where the files outside the repository are.

use std::path::{Path, PathBuf};

/// `rel` inside the folder of shared files, seen from the library.
pub fn shared(rel: &str) -> Option<PathBuf> {
    shared_beside(Path::new(env!("CARGO_MANIFEST_DIR")), rel)
}

/// `rel` inside the folder of shared files (`$HOLOSCOPE_SHARED`, else `../shared` beside the
/// repository). Missing: `None` with a line that says so, or a panic where `CI` is set, so that
/// CI cannot pass by skipping.
pub fn shared_beside(repository: &Path, rel: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("HOLOSCOPE_SHARED")
        .map(PathBuf::from)
        .unwrap_or_else(|| repository.join("../shared"));
    let path = folder.join(rel);
    if path.exists() {
        return Some(path);
    }
    let ci = std::env::var("CI").is_ok_and(|value| !value.is_empty());
    assert!(!ci, "{} is missing, and CI is set", path.display());
    println!("skipped: {} is missing", path.display());
    None
}
