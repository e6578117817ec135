//! What cargo and rust-analyzer see instead of the library: its signatures
//! without the three hundred crates behind them.
//!
//! The facade of a crate is a manifest, a slim copy of the crate's sources (see
//! `slim`) and, for dependencies, the few crates that appear in the library's
//! interface. rust-analyzer finds every signature and every doc comment there,
//! and ignores what it does not find. Cargo would compile these crates,
//! too: the wrapper gives it an empty file for each, and gives cells the image.
//!
//! The standard library gets the same treatment: rust-analyzer would read the
//! 34 MB of `rust-src`, most of them processor intrinsics and tests.

pub mod manifest;
pub mod rust_src;
pub mod shared;
mod slim;

use crate::error::{Error, Result};
use crate::files::write_if_changed;
use crate::image::layout::FACADE;
use crate::toolchain::{cargo, host, rustc_version};
use manifest::{Facade, Linked};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The crates of the standard library whose interface cells see.
const STANDARD: [&str; 4] = ["core", "alloc", "std", "proc_macro"];

/// Increment this when the generated files change.
pub const RECIPE: u32 = 4;
/// The file that rustc compiles instead of a facade.
pub const EMPTY_FILE: &str = "empty.rs";
const SOURCES_STAMP: &str = "stamp";

/// Writes the facades of the image in `folder`, whose crates are linked from the
/// files in `linked`. They are written to a temporary folder and renamed. If
/// another image has the same sources, its files are hard-linked, which takes no time.
pub fn write(
    root: &Path,
    folder: &Path,
    linked: &BTreeMap<String, Linked>,
    images: &[PathBuf],
) -> Result<()> {
    let dir = folder.join(FACADE);
    let staged = folder.join(format!("{FACADE}.{}", std::process::id()));
    std::fs::create_dir_all(&staged).map_err(Error::io("create", &staged))?;
    let written = metadata(root)
        .and_then(|metadata| manifest::facades(&metadata, linked, folder))
        .and_then(|facades| fill(root, &staged, &facades, images));
    let placed = written.and_then(|()| {
        if dir.exists() {
            std::fs::remove_dir_all(&dir).map_err(Error::io("remove", &dir))?;
        }
        std::fs::rename(&staged, &dir).map_err(Error::io("rename", &staged))
    });
    if placed.is_err() {
        let _ = std::fs::remove_dir_all(&staged);
    }
    placed
}

fn fill(root: &Path, dir: &Path, facades: &[Facade], images: &[PathBuf]) -> Result<()> {
    let lock = root.join("Cargo.lock");
    let lock = std::fs::read(&lock).map_err(Error::io("read", &lock))?;
    let stamp = stamp(root, &lock);
    let same = images.iter().map(|image| image.join(FACADE)).find(|other| {
        std::fs::read_to_string(other.join(SOURCES_STAMP)).is_ok_and(|theirs| theirs == stamp)
    });
    for krate in facades {
        let crate_dir = dir.join(&krate.name);
        std::fs::create_dir_all(&crate_dir).map_err(Error::io("create", &crate_dir))?;
        write_if_changed(&crate_dir.join("Cargo.toml"), &krate.manifest)?;
        copy_sources(krate, &crate_dir, same.as_deref())?;
    }
    let library = dir.join("rust-src");
    let done = same.is_some_and(|other| link(&other.join("rust-src"), &library).is_ok());
    if !done {
        write_standard_library(&library)?;
    }
    write_if_changed(
        &dir.join(EMPTY_FILE),
        "//! Stands in for a library where cargo looks; rustc gets the image.\n",
    )?;
    write_if_changed(&dir.join(SOURCES_STAMP), &stamp)
}

fn copy_sources(krate: &Facade, to: &Path, same: Option<&Path>) -> Result<()> {
    let to = to.join("src");
    // Only the library's own sources change from image to image.
    if let Some(other) = same.filter(|_| krate.name != "holoscope")
        && link(&other.join(&krate.name).join("src"), &to).is_ok()
    {
        return Ok(());
    }
    slim::copy(&krate.sources, &to, &worth_reading)
}

/// Copies a folder as hard links to its files, which are never written to.
fn link(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => link(&entry.path(), &target)?,
            false => std::fs::hard_link(entry.path(), target)?,
        }
    }
    Ok(())
}

/// The standard library for rust-analyzer, next to the library's facade.
pub fn standard_library(library: &Path) -> PathBuf {
    library.with_file_name("rust-src")
}

fn worth_reading(folder: &Path) -> bool {
    let name = folder.file_name().and_then(|n| n.to_str());
    !matches!(name, Some("tests" | "benches" | "examples"))
}

fn write_standard_library(to: &Path) -> Result<()> {
    let from = rust_src::library_source()?;
    for name in STANDARD {
        let source = from.join(name).join("src");
        slim::copy(&source, &to.join(name).join("src"), &worth_reading)?;
    }
    Ok(())
}

/// Identifies everything that the copied sources depend on, except the library's own.
fn stamp(root: &Path, lock: &[u8]) -> String {
    use sha2::Digest;
    let digest = crate::digest::hex(sha2::Sha256::new_with_prefix(lock));
    let rustc = rustc_version().unwrap_or_default();
    format!("{RECIPE} {digest} {rustc} {}\n", root.display())
}

/// Cargo's metadata of the workspace and all its dependencies.
pub fn metadata(root: &Path) -> Result<Value> {
    let output = Command::new(cargo())
        // Not `--offline`: on a new machine, crates that only tests need are not downloaded yet.
        .args(["metadata", "--format-version=1", "--locked"])
        // The crates of other platforms have not been downloaded.
        .arg("--filter-platform")
        .arg(host().unwrap_or_default())
        .current_dir(root)
        .output()
        .map_err(Error::io("run", cargo()))?;
    crate::toolchain::succeeded("cargo metadata", &output)?;
    Ok(serde_json::from_slice(&output.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_linked_to_as_a_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let from = dir.path().join("from");
        std::fs::create_dir_all(from.join("deep")).unwrap();
        std::fs::write(from.join("deep/a.rs"), "a").unwrap();
        let to = dir.path().join("to");
        link(&from, &to).unwrap();
        assert_eq!(std::fs::read_to_string(to.join("deep/a.rs")).unwrap(), "a");
        assert!(link(&dir.path().join("none"), &dir.path().join("x")).is_err());
    }
}
