//! What integration tests share: where the files outside the repository are.

use std::path::PathBuf;

/// `rel` inside the folder of shared files (`$HOLOSCOPE_SHARED`, else `../shared` beside the
/// repository). Missing: `None` with a line that says so, or a panic where `CI` is set, so that
/// CI cannot pass by skipping.
pub fn shared(rel: &str) -> Option<PathBuf> {
    let root = std::env::var_os("HOLOSCOPE_SHARED")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"));
    let path = root.join(rel);
    if path.exists() {
        return Some(path);
    }
    let ci = std::env::var("CI").is_ok_and(|value| !value.is_empty());
    assert!(!ci, "{} is missing, and CI is set", path.display());
    println!("skipped: {} is missing", path.display());
    None
}
