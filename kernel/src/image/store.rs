//! The folder of the images: one folder for each, named after its inputs.
//!
//! A session keeps the image with which it started. The library's metadata is
//! therefore in the image's folder, too: in cargo's folder the next build
//! overwrites it. The metadata of the dependencies is not copied (it is 300 MB);
//! cargo uses other file names for other versions, features and compilers, and
//! never removes any, so only `cargo clean` removes it under a running session.

use super::inputs::{self, Inputs};
use super::layout::FACADE;
use super::reason::Reason;
use super::stamp::Stamp;
use crate::error::{Error, Result};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// This many images are kept, however old they are.
const KEPT: usize = 3;
/// An image that was used more recently than this is kept, too, for switching back
/// and forth between two branches.
const RECENT: Duration = Duration::from_secs(60 * 60);
/// Locked, shared, by every process that uses the image next to it.
const IN_USE: &str = "in-use";

/// A built image: everything that a cell's rustc needs to link against the library.
#[derive(Debug, Clone)]
pub struct Image {
    /// The folder that holds it, and the library's metadata.
    pub folder: PathBuf,
    /// The folder of its dependencies' metadata.
    pub deps: PathBuf,
    /// The crate that cargo and rust-analyzer see instead of it.
    pub facade: PathBuf,
    /// The workspace that it was built from, and the digest of what was read there.
    pub root: PathBuf,
    pub sources: String,
    /// Keeps the folder from being removed until this is dropped.
    _in_use: Arc<File>,
}

/// The folder of the images.
#[derive(Debug)]
pub struct Store {
    home: PathBuf,
}

impl Store {
    /// The store in `home`, which need not exist yet.
    pub fn new(home: PathBuf) -> Self {
        Self { home }
    }

    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The folder of the image that is built from `inputs`.
    pub fn folder(&self, inputs: &Inputs) -> PathBuf {
        self.home.join(inputs.key())
    }

    /// Prevents other processes from building until the file is dropped; `wait` is
    /// called before waiting for another build.
    pub fn lock(&self, wait: &mut dyn FnMut()) -> Result<File> {
        std::fs::create_dir_all(&self.home).map_err(Error::io("create", &self.home))?;
        let path = self.home.join("lock");
        let file = File::create(&path).map_err(Error::io("create", &path))?;
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => wait(),
            Err(TryLockError::Error(error)) => return Err(Error::io("lock", &path)(error)),
        }
        file.lock().map_err(Error::io("lock", &path))?;
        Ok(file)
    }

    /// The image that is built from `inputs`, or why it must be built.
    pub fn find(&self, inputs: &Inputs) -> std::result::Result<Image, Reason> {
        let folder = self.folder(inputs);
        // Lock before checking, so that an image found intact is not removed afterwards.
        let Ok(in_use) = hold(&folder) else {
            return Err(Reason::between(self.latest(&inputs.root).as_ref(), inputs));
        };
        let Some(stamp) = Stamp::read(&folder) else {
            return Err(Reason::Interrupted);
        };
        let damaged = stamp.damage(&folder);
        if !damaged.is_empty() {
            return Err(Reason::Damaged(damaged));
        }
        Ok(Image {
            facade: folder.join(FACADE).join("holoscope"),
            folder,
            deps: stamp.deps,
            root: stamp.inputs.root,
            sources: stamp.inputs.sources,
            _in_use: Arc::new(in_use),
        })
    }

    /// The inputs of the last used image of this workspace.
    fn latest(&self, root: &Path) -> Option<Inputs> {
        let stamps = self.folders().into_iter().filter_map(|folder| {
            let inputs = Stamp::read(&folder)?.inputs;
            (inputs.root == root).then(|| (last_use(&folder), inputs))
        });
        Some(stamps.max_by_key(|(used, _)| *used)?.1)
    }

    /// The folders of all images.
    pub fn folders(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.home)
            .into_iter()
            .flatten()
            .flatten();
        entries
            .filter(|entry| entry.file_name().to_str().is_some_and(inputs::is_key))
            .map(|entry| entry.path())
            .collect()
    }

    /// Removes images that are not in use and were not used recently, and files that
    /// interrupted builds have left. Only while the store is locked.
    pub fn sweep(&self, now: SystemTime) {
        let mut folders: Vec<_> = self.folders();
        folders.sort_by_key(|folder| std::cmp::Reverse(last_use(folder)));
        let (complete, broken): (Vec<_>, Vec<_>) = folders
            .into_iter()
            .partition(|folder| Stamp::read(folder).is_some());
        let old = complete.into_iter().skip(KEPT).filter(|folder| {
            let age = now.duration_since(last_use(folder));
            age.is_ok_and(|age| age > RECENT)
        });
        for folder in old.chain(broken) {
            // A folder that cannot be removed only costs space.
            let _ = remove_unused(&folder);
        }
    }
}

/// Marks the image in `folder` as used until the file is dropped.
fn hold(folder: &Path) -> std::io::Result<File> {
    let path = folder.join(IN_USE);
    let open = File::options().append(true).create(true).open(&path);
    // An image of another user can be used, too.
    let file = open.or_else(|_| File::open(&path))?;
    file.lock_shared()?;
    // The time only shows which image was used last.
    let _ = file.set_modified(SystemTime::now());
    Ok(file)
}

fn last_use(folder: &Path) -> SystemTime {
    std::fs::metadata(folder.join(IN_USE))
        .and_then(|m| m.modified())
        .unwrap_or(SystemTime::UNIX_EPOCH)
}

fn remove_unused(folder: &Path) -> Result<()> {
    let path = folder.join(IN_USE);
    let file = File::options()
        .append(true)
        .create(true)
        .open(&path)
        .map_err(Error::io("open", &path))?;
    if file.try_lock().is_err() {
        return Ok(());
    }
    // First, so that a process that opens the folder now does not use a partial image.
    Stamp::remove(folder)?;
    std::fs::remove_dir_all(folder).map_err(Error::io("remove", folder))
}

#[cfg(test)]
mod tests {
    use super::super::stamp::tests::{image, inputs};
    use super::*;

    fn store(dir: &Path, sources: &[&str]) -> (Store, Vec<Inputs>) {
        let store = Store::new(dir.join("home"));
        let made = sources
            .iter()
            .map(|sources| {
                let mut made = inputs(dir);
                made.sources = (*sources).to_owned();
                image(&store.folder(&made), &dir.join("deps"), made.clone());
                made
            })
            .collect();
        (store, made)
    }

    #[test]
    fn an_image_is_found_by_what_it_is_made_from() {
        let dir = tempfile::tempdir().unwrap();
        let (store, made) = store(dir.path(), &["a", "b"]);
        assert_eq!(store.find(&made[0]).unwrap().folder, store.folder(&made[0]));
        let mut other = made[0].clone();
        other.sources = "c".to_owned();
        assert_eq!(store.find(&other).unwrap_err(), Reason::Sources);
        std::fs::write(store.folder(&made[0]).join("i.so"), "").unwrap();
        assert!(matches!(store.find(&made[0]), Err(Reason::Damaged(_))));
        Stamp::remove(&store.folder(&made[0])).unwrap();
        assert_eq!(store.find(&made[0]).unwrap_err(), Reason::Interrupted);
    }

    #[test]
    fn of_old_images_the_newest_and_the_used_ones_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let (store, made) = store(dir.path(), &["a", "b", "c", "d", "e", "f"]);
        let used = store.find(&made[0]).unwrap();
        for inputs in &made[1..] {
            std::thread::sleep(Duration::from_millis(15));
            drop(store.find(inputs).unwrap());
        }
        Stamp::remove(&store.folder(&made[5])).unwrap();
        store.sweep(SystemTime::now());
        let there = |n: usize| store.folder(&made[n]).exists();
        // All were used just now; only the incomplete one is removed.
        assert_eq!(
            [0, 1, 2, 3, 4, 5].map(there),
            [true, true, true, true, true, false]
        );
        store.sweep(SystemTime::now() + RECENT + Duration::from_secs(1));
        assert_eq!([0, 1, 2, 3, 4].map(there), [true, false, true, true, true]);
        drop(used);
        store.sweep(SystemTime::now() + RECENT + Duration::from_secs(1));
        assert_eq!([0, 1, 2, 3, 4].map(there), [false, false, true, true, true]);
    }

    #[test]
    fn only_one_process_builds_and_others_say_that_they_wait() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path().join("home"));
        let first = store.lock(&mut || panic!("must not wait")).unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut waited = false;
                let lock = store.lock(&mut || {
                    waited = true;
                    tell.send(()).unwrap();
                });
                assert!(lock.is_ok() && waited);
            });
            told.recv().unwrap();
            drop(first);
        });
    }
}
