//! Whether the image is up to date, without asking cargo, which takes half a second.
//!
//! The stamp beside the image holds a digest of everything the image is made
//! from. Where anything differs, cargo decides.

use super::build::{Image, write_if_changed};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Files and folders of the workspace that the image depends on.
const SOURCES: [&str; 7] = [
    "Cargo.toml",
    "Cargo.lock",
    "rust-toolchain.toml",
    ".cargo",
    "src",
    "image",
    // Its features are resolved together with the library's.
    "kernel/Cargo.toml",
];

/// Settings of the environment that change what cargo builds.
const SETTINGS: [&str; 6] = [
    "RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "RUSTUP_TOOLCHAIN",
    "RUSTC",
    "CARGO_BUILD_TARGET",
    "CARGO_PROFILE_DEV_OPT_LEVEL",
];

/// What was built, and from what.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Stamp {
    sources: String,
    so: PathBuf,
    deps: PathBuf,
    facade: PathBuf,
    /// Of the shared object, when it was new: a cut or replaced one is noticed.
    size: u64,
    modified: SystemTime,
}

/// The image in `home`, if it is what these sources give.
pub fn up_to_date(root: &Path, home: &Path) -> Option<Image> {
    let text = std::fs::read_to_string(stamp_file(home)).ok()?;
    let stamp: Stamp = serde_json::from_str(&text).ok()?;
    let so = std::fs::metadata(&stamp.so).ok()?;
    let same = so.len() == stamp.size
        && so.modified().is_ok_and(|m| m == stamp.modified)
        && stamp.deps.is_dir()
        && stamp.facade.join("Cargo.toml").is_file()
        && digest(root).is_ok_and(|d| d == stamp.sources);
    same.then_some(Image {
        so: stamp.so,
        deps: stamp.deps,
        facade: stamp.facade,
    })
}

/// Whether an image was built in `home` and is not any more what was built.
pub fn is_damaged(home: &Path) -> bool {
    let stamp = std::fs::read_to_string(stamp_file(home)).ok();
    let Some(stamp) = stamp.and_then(|text| serde_json::from_str::<Stamp>(&text).ok()) else {
        return false;
    };
    !std::fs::metadata(&stamp.so)
        .is_ok_and(|so| so.len() == stamp.size && so.modified().is_ok_and(|m| m == stamp.modified))
}

/// Notes that `image` is what the sources with this digest give.
pub fn note(home: &Path, image: &Image, sources: String) -> Result<()> {
    let so = std::fs::metadata(&image.so).map_err(Error::io("read", &image.so))?;
    let stamp = Stamp {
        sources,
        so: image.so.clone(),
        deps: image.deps.clone(),
        facade: image.facade.clone(),
        size: so.len(),
        modified: so.modified().map_err(Error::io("read", &image.so))?,
    };
    write_if_changed(&stamp_file(home), &serde_json::to_string(&stamp)?)
}

fn stamp_file(home: &Path) -> PathBuf {
    home.join("stamp.json")
}

/// A digest of everything that the image is made from.
pub fn digest(root: &Path) -> Result<String> {
    let mut digest = Sha256::new();
    digest.update(format!(
        "{} {}",
        super::wrapper::RECIPE,
        super::facade::RECIPE
    ));
    digest.update(super::rustc_version().unwrap_or_default());
    for name in SETTINGS {
        if let Some(value) = std::env::var_os(name) {
            digest.update(name);
            digest.update(value.as_encoded_bytes());
        }
    }
    for source in SOURCES {
        add(&mut digest, &root.join(source))?;
    }
    Ok(digest
        .finalize()
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect())
}

/// Adds a file, or every file below a folder, by name, length and content.
fn add(digest: &mut Sha256, path: &Path) -> Result<()> {
    if path.is_dir() {
        let mut entries: Vec<PathBuf> = std::fs::read_dir(path)
            .map_err(Error::io("read", path))?
            .filter_map(|entry| entry.ok().map(|e| e.path()))
            .collect();
        entries.sort();
        return entries.iter().try_for_each(|entry| add(digest, entry));
    }
    let content = match std::fs::read(path) {
        Ok(content) => content,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::io("read", path)(error)),
    };
    digest.update(path.as_os_str().as_encoded_bytes());
    digest.update((content.len() as u64).to_le_bytes());
    digest.update(content);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace() -> (tempfile::TempDir, Image) {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        for folder in ["src/deep", "home", "deps", "facade"] {
            std::fs::create_dir_all(path(folder)).unwrap();
        }
        for file in [
            "Cargo.toml",
            "src/lib.rs",
            "src/deep/a.rs",
            "facade/Cargo.toml",
        ] {
            std::fs::write(path(file), file).unwrap();
        }
        std::fs::write(path("home/i.so"), "image").unwrap();
        let image = Image {
            so: path("home/i.so"),
            deps: path("deps"),
            facade: path("facade"),
        };
        (dir, image)
    }

    #[test]
    fn an_image_is_used_until_anything_it_is_made_from_changes() {
        let changes: [(&str, &str); 4] = [
            ("src/deep/a.rs", "edited"),
            ("src/new.rs", ""),
            ("Cargo.lock", "new"),
            ("home/i.so", "im"),
        ];
        for (file, content) in changes {
            let (dir, image) = workspace();
            let home = dir.path().join("home");
            assert_eq!(up_to_date(dir.path(), &home), None);
            note(&home, &image, digest(dir.path()).unwrap()).unwrap();
            assert_eq!(up_to_date(dir.path(), &home).as_ref(), Some(&image));
            std::fs::write(dir.path().join(file), content).unwrap();
            assert_eq!(up_to_date(dir.path(), &home), None, "{file}");
            assert_eq!(is_damaged(&home), file.ends_with(".so"), "{file}");
        }
    }

    #[test]
    fn a_broken_stamp_is_no_stamp() {
        let (dir, _) = workspace();
        let home = dir.path().join("home");
        std::fs::write(stamp_file(&home), "{\"sources\": \"").unwrap();
        assert_eq!(up_to_date(dir.path(), &home), None);
    }
}
