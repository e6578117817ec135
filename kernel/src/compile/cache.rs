//! A cache of rustc's output, which is not compiled again from the same text in the same way:
//! running a notebook again after a restart compiles nothing.
//!
//! A crate's key consists of its source, rustc's arguments, and the objects of the units that it
//! links to. A crate that reads other files or the environment is not cached.

use super::call::{Call, Kind};
use super::made::Made;
use crate::digest::hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The size limit of the folder.
const MOST_BYTES: u64 = 256 << 20;
/// After this many new bytes, the folder is reduced to its limit.
const SWEEP_AFTER: u64 = MOST_BYTES / 8;
/// Words by which a source may read other files or the environment.
const READ_MORE: [&str; 5] = ["include", "env!", "env !", "#[path", "mod "];

pub(super) struct Cache {
    folder: PathBuf,
    /// Digest of compiler and library.
    ground: Sha256,
    /// Bytes stored since the last sweep.
    new: Cell<u64>,
}

/// What is stored with an object.
#[derive(Serialize, Deserialize)]
struct Record {
    types: BTreeMap<String, String>,
}

impl Cache {
    pub fn new(folder: PathBuf, rustc: &Path, image: &Path) -> Self {
        let mut ground = Sha256::new();
        for path in [rustc, &image.join(crate::image::layout::IMAGE_FILE)] {
            ground.update(path.as_os_str().as_encoded_bytes());
            if let Ok(found) = std::fs::metadata(path) {
                ground.update(format!("{} {:?}", found.len(), found.modified().ok()));
            }
        }
        Self {
            folder,
            ground,
            new: Cell::new(0),
        }
    }

    /// The cache key of a call; `None` if it cannot be cached.
    pub fn key(&self, args: &[String], call: &Call, folder: &Path) -> Option<String> {
        let text = &call.source.text;
        let users = text
            .replace("mod cell_", "")
            .replace("pub mod p", "")
            .replace("mod layer", "");
        if call.kind == Kind::Check || READ_MORE.iter().any(|word| users.contains(word)) {
            return None;
        }
        let mut digest = self.ground.clone();
        let folder = folder.to_string_lossy();
        let units: std::collections::HashSet<String> = call
            .units
            .iter()
            .map(|(name, path)| format!("{name}={}", path.display()))
            .collect();
        for arg in args
            .iter()
            .filter(|arg| arg.as_str() != "--extern" && !units.contains(arg.as_str()))
        {
            digest.update(arg.replace(&*folder, "."));
            digest.update([0]);
        }
        for object in call.named.iter().chain(&call.objects) {
            // The content: a unit of the same name may be a different one in another session.
            digest.update(std::fs::read(object).ok()?);
            digest.update([0]);
        }
        digest.update(call.line.to_le_bytes());
        digest.update(text);
        Some(hex(digest))
    }

    fn paths(&self, key: &str) -> [PathBuf; 2] {
        ["json", "so"].map(|extension| self.folder.join(key).with_extension(extension))
    }

    /// Copies a cached object to `place`.
    pub fn recall(&self, key: &str, place: &Path) -> Option<BTreeMap<String, String>> {
        let [record, object] = self.paths(key);
        let kept: Record = serde_json::from_str(&std::fs::read_to_string(&record).ok()?).ok()?;
        // A copy: the loader would take another name of the same file for the same object.
        let staged = place.with_extension("staged");
        std::fs::copy(&object, &staged).ok()?;
        std::fs::rename(&staged, place).ok()?;
        // The time of the last use, for `sweep`. If setting it fails, the entry is removed sooner.
        if let Ok(file) = std::fs::File::options().append(true).open(&record) {
            let _ = file.set_modified(SystemTime::now());
        }
        Some(kept.types)
    }

    pub fn keep(&self, key: &str, made: &Made) -> std::io::Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        let [record, object] = self.paths(key);
        let mut staged = tempfile::NamedTempFile::new_in(&self.folder)?;
        let size = std::io::copy(&mut std::fs::File::open(&made.object)?, &mut staged)?;
        staged.persist(&object).map_err(|e| e.error)?;
        // Last, since an object without a record does not count as cached.
        let mut staged = tempfile::NamedTempFile::new_in(&self.folder)?;
        let types = made.types.clone();
        staged.write_all(&serde_json::to_vec(&Record { types })?)?;
        staged.persist(&record).map_err(|e| e.error)?;
        self.new.set(self.new.get() + size);
        if self.new.get() > SWEEP_AFTER {
            self.new.set(0);
            sweep(&self.folder);
        }
        Ok(())
    }
}

/// Removes the least recently used entries if the folder is too large.
pub fn sweep(folder: &Path) {
    sweep_to(folder, MOST_BYTES);
}

fn sweep_to(folder: &Path, most: u64) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    let mut files: Vec<(SystemTime, u64, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let found = entry.metadata().ok()?;
            Some((found.modified().ok()?, found.len(), entry.path()))
        })
        .collect();
    files.sort();
    let mut total: u64 = files.iter().map(|(_, size, _)| size).sum();
    for (_, size, path) in files {
        if total <= most {
            break;
        }
        // The record of a pair may be removed first or last: an incomplete pair is not used.
        if std::fs::remove_file(path).is_ok() {
            total -= size;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_was_not_used_for_longest_goes_until_the_rest_fits() {
        let folder = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        for age in 0..10_u64 {
            let path = folder.path().join(format!("{age}.so"));
            std::fs::write(&path, [0; 100]).unwrap();
            let file = std::fs::File::options().append(true).open(&path).unwrap();
            file.set_modified(now - Duration::from_secs(60 * age))
                .unwrap();
        }
        sweep_to(folder.path(), 350);
        let left = (0..10).filter(|age| folder.path().join(format!("{age}.so")).exists());
        assert_eq!(left.collect::<Vec<_>>(), [0, 1, 2]);
        sweep_to(folder.path(), 350);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
    }
}
