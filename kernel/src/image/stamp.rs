//! A record of what was built, for checking that it is unchanged.
//!
//! The stamp is written last, into the image's folder: a folder without one was
//! left by an interrupted build.

use super::inputs::Inputs;
use super::layout::{FACADE, METADATA};
use crate::digest::hex;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

const STAMP: &str = "stamp.json";

/// An image's record.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Stamp {
    pub inputs: Inputs,
    /// The folder of the dependencies' metadata.
    pub deps: PathBuf,
    /// Files in the image's own folder.
    own: BTreeMap<String, Trace>,
    /// Files in `deps` that a cell's rustc may read, by name: their sizes. Cargo
    /// owns them and may touch them; a rebuilt file with other content
    /// of the same size is detected by rustc, which compares hashes.
    metadata: BTreeMap<String, u64>,
    /// A digest of the names and sizes of the facades' files.
    facade: String,
    /// Likewise for [`METADATA`].
    gathered: String,
}

/// A file's size and time when it was new, to detect truncation and replacement.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Trace {
    size: u64,
    modified: SystemTime,
}

impl Trace {
    fn of(path: &Path) -> std::io::Result<Self> {
        let found = std::fs::metadata(path)?;
        Ok(Self {
            size: found.len(),
            modified: found.modified()?,
        })
    }
}

impl Stamp {
    /// Describes the image in `folder`, which has these files of its own and
    /// needs this metadata in `deps`.
    pub fn of(
        folder: &Path,
        inputs: Inputs,
        own: &[&str],
        deps: &Path,
        metadata: &[String],
    ) -> Result<Self> {
        let mut stamp = Self {
            inputs,
            deps: deps.to_path_buf(),
            own: BTreeMap::new(),
            metadata: BTreeMap::new(),
            facade: listing(&folder.join(FACADE))?,
            gathered: listing(&folder.join(METADATA))?,
        };
        for name in own {
            let path = folder.join(name);
            let trace = Trace::of(&path).map_err(Error::io("read", &path))?;
            stamp.own.insert((*name).to_owned(), trace);
        }
        for name in metadata {
            let path = deps.join(name);
            let found = std::fs::metadata(&path).map_err(Error::io("read", &path))?;
            stamp.metadata.insert(name.clone(), found.len());
        }
        Ok(stamp)
    }

    /// The record of the image in `folder`, if it was completed.
    pub fn read(folder: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(folder.join(STAMP)).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Marks the image in `folder` as complete.
    pub fn write(&self, folder: &Path) -> Result<()> {
        crate::files::write_if_changed(&folder.join(STAMP), &serde_json::to_string(self)?)
    }

    /// Marks the image in `folder` as incomplete.
    pub fn remove(folder: &Path) -> Result<()> {
        match std::fs::remove_file(folder.join(STAMP)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::io("remove", folder.join(STAMP))(error))
            }
            _ => Ok(()),
        }
    }

    /// The files of the image in `folder` that have changed since they were built.
    pub fn damage(&self, folder: &Path) -> Vec<PathBuf> {
        let own = self.own.iter().map(|(name, trace)| {
            let path = folder.join(name);
            let intact = Trace::of(&path).is_ok_and(|now| now == *trace);
            (path, intact)
        });
        let metadata = self.metadata.iter().map(|(name, size)| {
            let path = self.deps.join(name);
            let intact = std::fs::metadata(&path).is_ok_and(|now| now.len() == *size);
            (path, intact)
        });
        let listed = [(FACADE, &self.facade), (METADATA, &self.gathered)];
        let listed = listed.map(|(name, before)| {
            let path = folder.join(name);
            let intact = listing(&path).is_ok_and(|now| now == *before);
            (path, intact)
        });
        own.chain(metadata)
            .chain(listed)
            .filter_map(|(path, intact)| (!intact).then_some(path))
            .collect()
    }
}

/// A digest of the names and sizes of all files below a folder.
fn listing(folder: &Path) -> Result<String> {
    let mut digest = Sha256::new();
    list(&mut digest, folder)?;
    Ok(hex(digest))
}

fn list(digest: &mut Sha256, folder: &Path) -> Result<()> {
    let entries = std::fs::read_dir(folder).map_err(Error::io("read", folder))?;
    let mut entries: Vec<_> = entries.filter_map(|entry| entry.ok()).collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        digest.update(entry.file_name().as_encoded_bytes());
        let found = entry.metadata().map_err(Error::io("read", &path))?;
        if found.is_dir() {
            digest.update("/");
            list(digest, &path)?;
            digest.update("..");
        } else {
            digest.update(found.len().to_le_bytes());
        }
    }
    Ok(())
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn inputs(root: &Path) -> Inputs {
        Inputs {
            root: root.to_path_buf(),
            recipe: "1".to_owned(),
            compiler: "rustc 1".to_owned(),
            processor: "a".to_owned(),
            settings: String::new(),
            sources: "b".to_owned(),
        }
    }

    /// A complete image in `folder`, and its dependencies' metadata in `deps`.
    pub fn image(folder: &Path, deps: &Path, inputs: Inputs) {
        let source = folder.join(FACADE).join("holoscope/src");
        std::fs::create_dir_all(&source).unwrap();
        std::fs::create_dir_all(deps).unwrap();
        std::fs::write(source.join("lib.rs"), "//! Documented.").unwrap();
        std::fs::write(folder.join("i.so"), "image").unwrap();
        std::fs::write(deps.join("liba-1.rmeta"), "meta").unwrap();
        std::fs::create_dir_all(folder.join(METADATA)).unwrap();
        std::fs::write(folder.join(METADATA).join("liba-1.rmeta"), "meta").unwrap();
        Stamp::of(
            folder,
            inputs,
            &["i.so"],
            deps,
            &["liba-1.rmeta".to_owned()],
        )
        .unwrap()
        .write(folder)
        .unwrap();
    }

    #[test]
    fn damage_is_noticed_in_every_part() {
        let parts = [
            ("image", "image/i.so"),
            ("deps", "deps/liba-1.rmeta"),
            ("facade", "image/facade/holoscope/src/lib.rs"),
            ("metadata", "image/metadata/liba-1.rmeta"),
        ];
        for (part, file) in parts {
            for cut in [true, false] {
                let dir = tempfile::tempdir().unwrap();
                let folder = dir.path().join("image");
                image(&folder, &dir.path().join("deps"), inputs(dir.path()));
                let stamp = Stamp::read(&folder).unwrap();
                assert_eq!(stamp.damage(&folder), [] as [&Path; 0]);
                let path = dir.path().join(file);
                match cut {
                    true => std::fs::write(&path, "c").unwrap(),
                    false => std::fs::remove_file(&path).unwrap(),
                }
                let found = stamp.damage(&folder);
                let expected = match part {
                    "facade" => folder.join(FACADE),
                    "metadata" => folder.join(METADATA),
                    _ => path,
                };
                assert_eq!(found, [expected], "{file} cut: {cut}");
            }
        }
    }

    #[test]
    fn a_file_more_or_less_in_the_facade_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, deps) = (dir.path().join("image"), dir.path().join("deps"));
        image(&folder, &deps, inputs(dir.path()));
        std::fs::write(folder.join(FACADE).join("more.rs"), "").unwrap();
        assert_eq!(Stamp::read(&folder).unwrap().damage(&folder).len(), 1);
    }

    #[test]
    fn a_broken_stamp_is_no_stamp() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(STAMP), "{\"inputs\": \"").unwrap();
        assert_eq!(Stamp::read(dir.path()), None);
        Stamp::remove(dir.path()).unwrap();
        Stamp::remove(dir.path()).unwrap();
    }
}
