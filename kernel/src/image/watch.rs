//! Detects that the library has changed since its image was built: a session continues
//! with the image with which it began, and its user must be informed.

use super::inputs::{self, SOURCES};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The sources of an image.
#[derive(Debug)]
pub struct Watch {
    root: PathBuf,
    /// The digest of the sources that the image was built from.
    made_from: String,
    /// Their state at the last check.
    seen: Glance,
    told: bool,
}

/// What can be seen of changes without reading files.
#[derive(Debug, Default, PartialEq)]
struct Glance {
    files: usize,
    newest: Option<SystemTime>,
}

impl Watch {
    /// Watches the image of the workspace in `root`, built from sources with this digest.
    pub fn new(root: &Path, made_from: &str) -> Self {
        Self {
            root: root.to_path_buf(),
            made_from: made_from.to_owned(),
            seen: Glance::at(root),
            told: false,
        }
    }

    /// Whether the sources differ from the image's; true only once.
    pub fn changed(&mut self) -> bool {
        if self.told {
            return false;
        }
        let now = Glance::at(&self.root);
        if now == self.seen {
            return false;
        }
        self.seen = now;
        // A file may have been touched, or changed back.
        self.told = inputs::sources(&self.root).is_ok_and(|now| now != self.made_from);
        self.told
    }
}

impl Glance {
    fn at(root: &Path) -> Self {
        let mut glance = Self::default();
        for source in SOURCES {
            glance.add(&root.join(source));
        }
        glance
    }

    /// Adds a file or folder; one that cannot be read counts as missing.
    fn add(&mut self, path: &Path) {
        let Ok(found) = std::fs::metadata(path) else {
            return;
        };
        if found.is_dir() {
            let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
            entries.for_each(|entry| self.add(&entry.path()));
        } else {
            self.files += 1;
            self.newest = self.newest.max(found.modified().ok());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_change_of_content_is_told_once_and_a_touched_file_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("src/sae/mod.rs");
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        let write = |text: &str, later: u64| {
            std::fs::write(&file, text).unwrap();
            let file = std::fs::File::options().append(true).open(&file).unwrap();
            let then = SystemTime::now() + Duration::from_secs(later);
            file.set_modified(then).unwrap();
        };
        write("one", 0);
        let mut watch = Watch::new(dir.path(), &inputs::sources(dir.path()).unwrap());
        assert!(!watch.changed());
        write("one", 10);
        assert!(!watch.changed());
        write("two", 20);
        assert!(watch.changed() && !watch.changed());
    }

    #[test]
    fn a_file_more_is_a_change() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("src")).unwrap();
        let mut watch = Watch::new(dir.path(), &inputs::sources(dir.path()).unwrap());
        std::fs::write(dir.path().join("src/new.rs"), "").unwrap();
        assert!(watch.changed());
    }
}
