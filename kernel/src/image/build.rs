//! Builds the image, or finds an existing one.

use super::compile::{self, Artifacts, Place};
use super::first_build;
use super::inputs::Inputs;
use super::layout::{EXTERNS_FILE, IMAGE_FILE, METADATA};
use super::news::News;
use super::reason::Reason;
use super::stamp::Stamp;
use super::store::{Image, Store};
use super::units::{Record, Units};
use crate::digest::hex;
use crate::error::{Error, Result};
use crate::facade::manifest::Linked;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How many times to build again when sources are saved while cargo reads them.
const ATTEMPTS: usize = 3;

/// Builds the image, or finds at once that it is up to date.
pub fn build(tell: &mut dyn FnMut(News)) -> Result<Image> {
    let root = crate::toolchain::workspace_root()?;
    let usual =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let usual = Store::new(std::path::absolute(&usual).unwrap_or(usual).join("image"));
    if let Ok(image) = usual.find(&Inputs::read(&root)?) {
        return Ok(image);
    }
    // Report missing sources before the long build, not after it.
    crate::facade::rust_src::library_source()?;
    let target = compile::target_directory(&root)?;
    let store = Store::new(target.join("image"));
    let _lock = store.lock(&mut || {
        tell(News::Note(
            "another process is building the library; waiting".to_owned(),
        ));
    })?;
    for _ in 0..ATTEMPTS {
        let inputs = Inputs::read(&root)?;
        let reason = match store.find(&inputs) {
            Ok(image) => return Ok(image),
            Err(reason) => reason,
        };
        tell(News::Note(format!("building the library: {reason}")));
        let folder = store.folder(&inputs);
        let made = make(&store, &target, &inputs, &reason, tell);
        if made.is_err() && !matches!(reason, Reason::Damaged(_)) {
            // Remove the rest of a failed build; that of a killed one stays.
            let _ = std::fs::remove_dir_all(&folder);
        }
        let stamp = made?;
        // An edit while cargo read the sources may or may not be in the image.
        if Inputs::read(&root)? == inputs {
            stamp.write(&folder)?;
            let image = store.find(&inputs).map_err(|reason| Error::ImageBuild {
                reason: format!("just after it was built, {reason}"),
            })?;
            store.sweep(std::time::SystemTime::now());
            return Ok(image);
        }
    }
    Err(Error::ImageBuild {
        reason: "its sources change while it is built".to_owned(),
    })
}

/// Builds the image in its folder; it is complete when its stamp is written.
fn make(
    store: &Store,
    target: &Path,
    inputs: &Inputs,
    reason: &Reason,
    tell: &mut dyn FnMut(News),
) -> Result<Stamp> {
    let folder = store.folder(inputs);
    if *reason == Reason::Processor {
        // Cargo does not see what `target-cpu=native` stands for. Done before the folder is
        // created, so that it is repeated after a killed build.
        compile::forget(&inputs.root, target, &["holoscope", "holoscope-image"])?;
    }
    std::fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
    let place = Place {
        root: &inputs.root,
        target,
        folder: &folder,
        wrapper: &link_wrapper(&inputs.root, store.home())?,
    };
    if let Reason::Damaged(files) = reason {
        clear(&folder, files)?;
    }
    let before = Record::read(store.home());
    let known = match before.is_empty() {
        true => {
            tell(News::Note("fetching what it is built from".to_owned()));
            let metadata = crate::facade::metadata(place.root)?;
            Units::guessed(first_build::guess(&compile::tree(place.root), &metadata))
        }
        false => Units::measured(before),
    };
    let mut units = known.clone();
    let mut artifacts = compile::run(&place, &mut units, tell)?;
    if !folder.join(IMAGE_FILE).is_file() {
        // Cargo has built it before, for a folder that no longer exists.
        compile::forget(place.root, target, &["holoscope-image"])?;
        units = known;
        artifacts = compile::run(&place, &mut units, tell)?;
    }
    units.record().write(store.home())?;
    let linked = linked(&folder, &artifacts);
    crate::facade::write(place.root, &folder, &linked, &store.folders())?;
    describe(&folder, inputs.clone(), artifacts)
}

/// The crates that our two crates are linked with, by name. Empty without the wrapper's records:
/// a cell that requests such a crate then gets its own.
fn linked(folder: &Path, artifacts: &Artifacts) -> BTreeMap<String, Linked> {
    let library = artifacts.library.as_ref();
    let notes = library.map(|metadata| metadata.with_extension("externs"));
    let texts = notes.into_iter().chain([folder.join(EXTERNS_FILE)]);
    let text: String = texts
        .filter_map(|path| std::fs::read_to_string(path).ok())
        .collect();
    let linked = text.lines().filter_map(|line| {
        let (name, file) = line.split_once('=')?;
        // For a macro, a crate is linked without the image and needs its code, too.
        let file = Path::new(file).with_extension("rlib");
        let features = artifacts.features.get(&file)?.clone();
        Some((name.to_owned(), Linked { file, features }))
    });
    linked.collect()
}

/// Removes damaged files, so that they are built again. The whole
/// image is then incomplete, in case this build is killed, too.
fn clear(folder: &Path, damaged: &[PathBuf]) -> Result<()> {
    Stamp::remove(folder)?;
    for path in damaged {
        let removed = match path.is_dir() {
            true => std::fs::remove_dir_all(path),
            false => std::fs::remove_file(path),
        };
        match removed {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io("remove", path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The stamp of the image that cargo has built in `folder`. The library's
/// metadata is copied there.
fn describe(folder: &Path, inputs: Inputs, artifacts: Artifacts) -> Result<Stamp> {
    let missing = |what: &str| Error::ImageBuild {
        reason: format!("cargo did not report {what}"),
    };
    let deps = artifacts
        .deps
        .ok_or_else(|| missing("the crate `holoscope_image`"))?;
    let library = artifacts
        .library
        .ok_or_else(|| missing("the library's metadata"))?;
    let name = library
        .file_name()
        .and_then(|n| n.to_str())
        .ok_or_else(|| missing("the library's metadata"))?;
    let staged = folder.join(format!("{name}.{}", std::process::id()));
    std::fs::copy(&library, &staged).map_err(Error::io("copy", &library))?;
    std::fs::rename(&staged, folder.join(name)).map_err(Error::io("rename", &staged))?;
    gather(&deps, &artifacts.metadata, &folder.join(METADATA))?;
    Stamp::of(
        folder,
        inputs,
        &[IMAGE_FILE, name],
        &deps,
        &artifacts.metadata,
    )
}

/// Collects the metadata among these files of `deps`, and the macros, in a separate folder.
///
/// With hard links: rustc follows a symbolic link, and would take the crate for
/// another one. Cargo writes a rebuilt crate to a new file.
fn gather(deps: &Path, files: &[String], to: &Path) -> Result<()> {
    match std::fs::remove_dir_all(to) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(Error::io("empty", to)(error));
        }
        _ => {}
    }
    std::fs::create_dir_all(to).map_err(Error::io("create", to))?;
    for name in files {
        let extension = Path::new(name).extension();
        if extension.is_some_and(|e| e != "rlib") {
            let (from, to) = (deps.join(name), to.join(name));
            std::fs::hard_link(&from, &to)
                .or_else(|_| std::fs::copy(&from, &to).map(|_| ()))
                .map_err(Error::io("link", &from))?;
        }
    }
    Ok(())
}

/// A stable path for the wrapper: cargo includes its path in the fingerprint,
/// and our binary is in different folders under `cargo run` and `cargo test`.
///
/// The name differs by checkout, because cargo's fingerprint does not: it identifies the
/// crates of a workspace by their relative paths, and if two checkouts share a
/// target folder, it would use what the other one built last.
fn link_wrapper(root: &Path, home: &Path) -> Result<PathBuf> {
    let exe = std::env::current_exe().map_err(Error::io("find", "the running program"))?;
    let mut checkout = Sha256::new();
    checkout.update(root.as_os_str().as_encoded_bytes());
    let checkout = hex(checkout);
    let name = format!(
        "rustc-for-image-{}-{}",
        super::layout::RECIPE,
        &checkout[..8]
    );
    let link = home.join(&name);
    if std::fs::read_link(&link).is_ok_and(|to| to == exe) {
        return Ok(link);
    }
    let staged = home.join(format!("{name}.{}", std::process::id()));
    std::os::unix::fs::symlink(&exe, &staged).map_err(Error::io("create", &staged))?;
    std::fs::rename(&staged, &link).map_err(Error::io("rename", &staged))?;
    Ok(link)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_metadata_and_macros_are_gathered() {
        let dir = tempfile::tempdir().unwrap();
        let (deps, to) = (dir.path().join("deps"), dir.path().join("metadata"));
        std::fs::create_dir(&deps).unwrap();
        let names = ["liba-1.rmeta", "liba-1.rlib", "libm-2.so"];
        for name in names.iter().chain(&["libother-3.rmeta"]) {
            std::fs::write(deps.join(name), name).unwrap();
        }
        for _ in 0..2 {
            gather(&deps, &names.map(str::to_owned), &to).unwrap();
            let entries = std::fs::read_dir(&to).unwrap();
            let mut found: Vec<_> = entries.map(|e| e.unwrap().file_name()).collect();
            found.sort();
            assert_eq!(found, ["liba-1.rmeta", "libm-2.so"]);
        }
    }

    #[test]
    fn what_is_damaged_is_removed_and_the_image_is_incomplete() {
        use super::super::stamp::tests::{image, inputs};
        let dir = tempfile::tempdir().unwrap();
        let (folder, deps) = (dir.path().join("image"), dir.path().join("deps"));
        image(&folder, &deps, inputs(dir.path()));
        let gone = dir.path().join("gone");
        clear(&folder, &[folder.join("i.so"), folder.join("facade"), gone]).unwrap();
        assert!(!folder.join("i.so").exists() && !folder.join("facade").exists());
        assert_eq!(Stamp::read(&folder), None);
        assert!(deps.join("liba-1.rmeta").exists());
    }
}
