//! The objects of units that are still needed, and the removal of the others.
//!
//! A unit that is compiled again gets a new object. The process that runs cells keeps what it
//! has loaded, with or without its file; a file is needed if rustc or the loader may still
//! open it: for a current unit, for a static that was defined in a former revision, and for
//! whatever these were linked to.

use super::call::{Call, Kind};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The objects of a session's units that are on disk.
#[derive(Debug, Default)]
pub(super) struct Objects {
    made: BTreeMap<PathBuf, Vec<PathBuf>>,
}

impl Objects {
    /// Records that a call has written its object to `folder`.
    pub fn note(&mut self, call: &Call, folder: &Path) {
        if call.kind != Kind::Unit {
            return;
        }
        // The loader looks for an object under its SONAME, which may be a former revision's.
        let own = folder.join(&call.soname);
        let linked = call.named.iter().chain(&call.objects);
        let needed = linked.cloned().chain([own]).collect();
        self.made.insert(folder.join(call.object()), needed);
    }

    /// Removes the files of objects that are needed neither by `roots` nor by what they link to.
    pub fn sweep(&mut self, roots: impl IntoIterator<Item = PathBuf>) {
        let mut needed = BTreeSet::new();
        let mut queue: Vec<PathBuf> = roots.into_iter().collect();
        while let Some(object) = queue.pop() {
            if let Some(linked) = self.made.get(&object)
                && needed.insert(object)
            {
                queue.extend(linked.iter().cloned());
            }
        }
        self.made.retain(|object, _| {
            // What cannot be removed stays on the list for the next time.
            needed.contains(object) || std::fs::remove_file(object).is_err() && object.exists()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    /// A unit's call: its name and revision, its SONAME, and the objects that it links to.
    fn unit(name: &str, revision: u32, soname: &str, named: &[&Path]) -> Call {
        Call {
            kind: Kind::Unit,
            name: name.to_owned(),
            revision,
            source: Arc::default(),
            line: 0,
            soname: soname.to_owned(),
            units: BTreeMap::new(),
            named: named.iter().map(|path| (*path).to_owned()).collect(),
            objects: Vec::new(),
        }
    }

    #[test]
    fn former_revisions_go_and_what_the_loader_may_open_stays() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let mut objects = Objects::default();
        let mut make = |call: Call| {
            let object = folder.join(call.object());
            std::fs::write(&object, "").unwrap();
            objects.note(&call, folder);
            object
        };
        let a1 = make(unit("a", 1, "liba-1.so", &[]));
        let a2 = make(unit("a", 2, "liba-2.so", &[]));
        // Linked to the first revision of `a`; holds a static that later revisions declare.
        let b1 = make(unit("b", 1, "libb-1.so", &[&a1]));
        let b2 = make(unit("b", 2, "libb-2.so", &[&a2]));
        // Keeps its SONAME: the loader opens the first revision for it.
        let c1 = make(unit("c", 1, "libc-1.so", &[]));
        let c2 = make(unit("c", 2, "libc-1.so", &[]));
        let d1 = make(unit("d", 1, "libd-1.so", &[&b1]));

        objects.sweep([a2.clone(), b2.clone(), b1.clone(), c2.clone()]);
        for kept in [&a1, &a2, &b1, &b2, &c1, &c2] {
            assert!(kept.exists(), "{} is needed", kept.display());
        }
        assert!(!d1.exists(), "no cell can name what `d` held");

        objects.sweep([a2.clone(), b2.clone()]);
        assert_eq!(
            [&a1, &a2, &b1, &b2, &c1, &c2].map(|path| path.exists()),
            [false, true, false, true, false, false]
        );
    }
}
