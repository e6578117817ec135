//! The folder in which a session's cells are compiled.
//!
//! It is kept between sessions, so that a new one starts with cargo's work
//! done; a lock keeps two sessions out of the same folder.

use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

/// The variable for the folder of temporary files.
const TMPDIR: &str = "TMPDIR";
/// The variable for the folders of programs.
const PATH: &str = "PATH";
/// The variable for the compiler that cargo calls.
const RUSTC: &str = "RUSTC";
/// Limit on concurrent sessions; more means leaked locks.
const MOST: usize = 64;

/// A folder that is this session's until dropped.
#[derive(Debug)]
pub struct Workspace {
    dir: PathBuf,
    /// The user's `TMPDIR`, before [`Workspace::export`] set one for the kernel.
    users_tmpdir: Option<OsString>,
    /// Likewise `PATH`.
    users_path: Option<OsString>,
    /// Likewise `RUSTC`.
    users_rustc: Option<OsString>,
    temporary: Arc<Temporary>,
}

/// The folder for temporary files of the kernel and its child processes (except user code);
/// removed when the last owner is dropped.
#[derive(Debug)]
pub struct Temporary {
    dir: PathBuf,
    /// The workspace's lock, so that the next session does not lose its own folder to this
    /// one. Unlocked by the system when the process ends, for whatever reason.
    lock: File,
}

impl Workspace {
    /// Takes the first free folder below `HOLOSCOPE_SESSIONS` or the platform's cache folder.
    pub fn acquire() -> Result<Self> {
        Self::acquire_in(&root()?)
    }

    fn acquire_in(root: &Path) -> Result<Self> {
        for n in 0..MOST {
            let dir = root.join(format!("session-{n}"));
            std::fs::create_dir_all(&dir).map_err(Error::io("create", &dir))?;
            let path = dir.join("lock");
            let lock = File::create(&path).map_err(Error::io("create", &path))?;
            match lock.try_lock() {
                Ok(()) => return Self::of(dir, lock),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(Error::io("lock", &path)(error)),
            }
        }
        Err(Error::Session(format!(
            "all {MOST} session folders in {} are in use; end a kernel first",
            root.display()
        )))
    }

    fn of(dir: PathBuf, lock: File) -> Result<Self> {
        let temporary = dir.join("tmp");
        // A killed kernel has left its temporary files.
        remove(&temporary).map_err(Error::io("empty", &temporary))?;
        Ok(Self {
            users_tmpdir: std::env::var_os(TMPDIR),
            users_path: std::env::var_os(PATH),
            users_rustc: std::env::var_os(RUSTC),
            temporary: Arc::new(Temporary {
                dir: temporary,
                lock,
            }),
            dir,
        })
    }

    /// Sets up evcxr, which is configured through environment variables.
    ///
    /// # Safety
    /// No other thread may be running: the environment is shared by the whole process.
    pub unsafe fn export(&self) -> Result<()> {
        let (cells, config, temporary) = (self.cells(), self.config(), &self.temporary.dir);
        for dir in [&cells, &config, temporary, &self.analysis()] {
            std::fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
        }
        // `allow_static_linking = false` makes our binary cargo's RUSTC_WRAPPER.
        crate::files::write_if_changed(
            &config.join("evcxr.toml"),
            "[evcxr]\nallow_static_linking = false\noffline_mode = false\nopt_level = \"1\"\n",
        )?;
        let tools = self.dir.join("tools");
        crate::cargo::stand_in::install(&tools)?;
        let users = self.users_path.clone().unwrap_or_default();
        let path = std::env::join_paths(
            [tools.clone()]
                .into_iter()
                .chain(std::env::split_paths(&users)),
        );
        let toolchain = std::env::var_os("RUSTUP_TOOLCHAIN")
            .or_else(|| crate::toolchain::toolchain().map(Into::into));
        // SAFETY: promised by the caller.
        unsafe {
            // All cells must be compiled with the compiler of the image.
            if let Some(toolchain) = toolchain {
                std::env::set_var("RUSTUP_TOOLCHAIN", toolchain);
            }
            // Cargo, called by rust-analyzer, would call rustup's rustc a dozen times.
            if self.users_rustc.is_none()
                && let Some(rustc) = crate::toolchain::program("rustc")
            {
                std::env::set_var(RUSTC, rustc);
            }
            // rust-analyzer looks for the standard library here; see `read_standard_library`.
            std::env::set_var("RUST_SRC_PATH", self.standard_library());
            std::env::set_var("EVCXR_TMPDIR", &cells);
            std::env::set_var("EVCXR_CONFIG_DIR", &config);
            // rust-analyzer creates temporary folders, and does not remove them if the
            // kernel ends first: in this folder they disturb no other program.
            std::env::set_var(TMPDIR, temporary);
            // Fails for a folder whose name is not allowed in `PATH`: then cells are compiled by
            // cargo.
            if let Ok(path) = path {
                std::env::set_var(PATH, path);
                std::env::set_var(crate::cargo::stand_in::TOOLS_ENV, &tools);
            }
        }
        Ok(())
    }

    /// Restores the user's environment for a program that is to run user code.
    pub fn give_back_environment(&self, command: &mut Command) {
        for (name, users) in [
            (TMPDIR, &self.users_tmpdir),
            (PATH, &self.users_path),
            (RUSTC, &self.users_rustc),
        ] {
            match users {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.env_remove(crate::cargo::stand_in::TOOLS_ENV);
    }

    /// The manifest of the workspace that cargo would consider the cells a part of.
    pub fn manifest_above(&self) -> Option<PathBuf> {
        let dir = std::path::absolute(&self.dir).ok()?;
        let mut manifests = dir.ancestors().map(|folder| folder.join("Cargo.toml"));
        manifests.find(|manifest| {
            let text = std::fs::read_to_string(manifest).unwrap_or_default();
            let table = text.parse::<toml::Table>();
            table.is_ok_and(|table| table.contains_key("workspace"))
        })
    }

    /// Makes cargo use the folders in `patches` (facades) for the crates of these names in
    /// everything that the session compiles. The configuration is in the folder above the cells,
    /// whose own evcxr writes. Cargo stores what it finds out about rustc for rust-analyzer in a
    /// target folder that cells, compiled with a wrapper, do not use.
    pub fn patch(&self, patches: &BTreeMap<String, PathBuf>) -> Result<()> {
        let dir = self.dir.join(".cargo");
        std::fs::create_dir_all(&dir).map_err(Error::io("create", &dir))?;
        let target = toml::Value::from(self.analysis().to_string_lossy().into_owned());
        let mut text = format!("[build]\ntarget-dir = {target}\n");
        if !patches.is_empty() {
            text.push_str("[patch.crates-io]\n");
        }
        for (name, folder) in patches {
            let path = toml::Value::from(folder.to_string_lossy().into_owned());
            text.push_str(&format!("{name} = {{ path = {path} }}\n"));
        }
        crate::files::write_if_changed(&dir.join("config.toml"), &text)?;
        self.unlock(patches)
    }

    /// Lets cargo choose these crates again: otherwise it would keep the registry's
    /// version from the lock file, and ignore the patch.
    fn unlock(&self, patches: &BTreeMap<String, PathBuf>) -> Result<()> {
        let path = self.cells().join("Cargo.lock");
        let Some(mut lock) = std::fs::read_to_string(&path)
            .ok()
            .and_then(|text| text.parse::<toml::Table>().ok())
        else {
            return Ok(());
        };
        let Some(toml::Value::Array(packages)) = lock.get_mut("package") else {
            return Ok(());
        };
        let before = packages.len();
        packages.retain(|package| {
            let name = package.get("name").and_then(|name| name.as_str());
            package.get("source").is_none() || !name.is_some_and(|n| patches.contains_key(n))
        });
        match packages.len() == before {
            true => Ok(()),
            false => crate::files::write_if_changed(&path, &lock.to_string()),
        }
    }

    /// evcxr's crate for the cells.
    pub fn cells(&self) -> PathBuf {
        self.dir.join("cells")
    }

    /// Cargo's target folder for rust-analyzer. Cargo stores what it finds out about rustc
    /// only in an existing folder.
    fn analysis(&self) -> PathBuf {
        self.dir.join("analysis")
    }

    /// Sources and objects of the session's crates.
    pub fn objects(&self) -> PathBuf {
        self.dir.join("objects")
    }

    /// The cache of rustc's output, shared with other sessions.
    pub fn kept(&self) -> Option<PathBuf> {
        Some(self.dir.parent()?.join("kept"))
    }

    /// Where rust-analyzer looks for the standard library.
    pub fn standard_library(&self) -> PathBuf {
        self.dir.join("rust-src")
    }

    /// Output of cells that was too long to show.
    pub fn output(&self) -> PathBuf {
        self.dir.join("output")
    }

    /// For removing it when a session has had no time to end.
    pub fn temporary(&self) -> Arc<Temporary> {
        Arc::clone(&self.temporary)
    }

    /// evcxr's configuration.
    pub fn config(&self) -> PathBuf {
        self.dir.join("config")
    }
}

impl Temporary {
    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The lock that keeps other sessions out of the workspace.
    pub fn lock(&self) -> &File {
        &self.lock
    }

    /// Removes the folder and its contents, while the workspace is still this session's.
    pub fn remove(&self) {
        // What cannot be removed now is removed when the folder is acquired again.
        let _ = remove(&self.dir);
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        self.remove();
        let _ = self.lock.unlock();
    }
}

/// Links `folder` to where rust-analyzer looks for the standard library.
pub fn read_standard_library(link: &Path, folder: &Path) -> Result<()> {
    if std::fs::read_link(link).is_ok_and(|to| to == folder) {
        return Ok(());
    }
    match std::fs::remove_file(link) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(Error::io("remove", link)(error));
        }
        _ => {}
    }
    std::os::unix::fs::symlink(folder, link).map_err(Error::io("create", link))
}

/// Removes a folder with its contents, if it exists.
pub fn remove(dir: &Path) -> std::io::Result<()> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The folder of the session folders.
pub fn root() -> Result<PathBuf> {
    if let Some(dir) = std::env::var_os("HOLOSCOPE_SESSIONS") {
        // `run` changes to the notebook's folder, and rustc runs in the session's.
        return std::path::absolute(&dir)
            .map_err(|error| Error::Session(format!("HOLOSCOPE_SESSIONS, {dir:?}: {error}")));
    }
    directories::ProjectDirs::from("", "", "holoscope")
        .map(|dirs| dirs.cache_dir().join("sessions"))
        .ok_or_else(|| {
            Error::Session("no home folder; set HOLOSCOPE_SESSIONS to a folder of your own".into())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_sessions_never_share_a_folder_and_a_freed_one_is_used_again() {
        let root = tempfile::tempdir().unwrap();
        let first = Workspace::acquire_in(root.path()).unwrap();
        let second = Workspace::acquire_in(root.path()).unwrap();
        assert_ne!(first.cells(), second.cells());
        let freed = first.cells();
        drop(first);
        assert_eq!(Workspace::acquire_in(root.path()).unwrap().cells(), freed);
    }

    #[test]
    fn what_a_killed_kernel_left_is_gone_when_its_folder_is_taken_again() {
        let root = tempfile::tempdir().unwrap();
        let killed = Workspace::acquire_in(root.path()).unwrap();
        let left = root.path().join("session-0/tmp/rust-analyzer1");
        std::fs::create_dir_all(&left).unwrap();
        // The lock is free, and no destructor has run.
        killed.temporary.lock.unlock().unwrap();
        let session = Workspace::acquire_in(root.path()).unwrap();
        assert_eq!(session.cells(), killed.cells());
        assert!(!left.exists());
        // Nor is anything left at the end, whichever owner is dropped last.
        std::fs::create_dir_all(&left).unwrap();
        let last = session.temporary();
        drop(session);
        assert_ne!(
            Workspace::acquire_in(root.path()).unwrap().cells(),
            killed.cells()
        );
        drop(last);
        assert!(!left.exists());
    }

    #[test]
    fn a_workspace_above_is_found() {
        let root = tempfile::tempdir().unwrap();
        let sessions = root.path().join("a/sessions");
        let workspace = Workspace::acquire_in(&sessions).unwrap();
        let manifest = root.path().join("Cargo.toml");
        for (text, found) in [
            ("[package]\n", false),
            ("[workspace]\n", true),
            ("no [", false),
        ] {
            std::fs::write(&manifest, text).unwrap();
            let above = workspace.manifest_above();
            assert_eq!(above == Some(manifest.clone()), found, "{text}");
        }
    }

    #[test]
    fn user_code_keeps_the_environment_of_its_user() {
        let root = tempfile::tempdir().unwrap();
        let mut workspace = Workspace::acquire_in(root.path()).unwrap();
        for users in [None, Some(OsString::from("/users/own"))] {
            workspace.users_tmpdir = users.clone();
            workspace.users_path = users.clone();
            workspace.users_rustc = users.clone();
            let mut command = Command::new("true");
            workspace.give_back_environment(&mut command);
            let given: Vec<_> = command.get_envs().collect();
            let users = users.as_deref();
            let expected = [
                ("HOLOSCOPE_TOOLS", None),
                ("PATH", users),
                ("RUSTC", users),
                ("TMPDIR", users),
            ];
            assert_eq!(given, expected.map(|(name, value)| (name.as_ref(), value)));
        }
    }

    #[test]
    fn a_patched_crate_is_chosen_again() {
        let root = tempfile::tempdir().unwrap();
        let workspace = Workspace::acquire_in(root.path()).unwrap();
        std::fs::create_dir(workspace.cells()).unwrap();
        let lock = workspace.cells().join("Cargo.lock");
        let package = |name: &str| {
            format!(
                "[[package]]\nname = \"{name}\"\nversion = \"1.0.0\"\nsource = \"registry+x\"\n"
            )
        };
        let text = format!("version = 4\n\n{}\n{}", package("serde"), package("regex"));
        std::fs::write(&lock, text).unwrap();
        workspace.patch(&BTreeMap::new()).unwrap();
        assert!(std::fs::read_to_string(&lock).unwrap().contains("serde"));
        let patches = BTreeMap::from([("serde".to_owned(), PathBuf::from("/f/serde"))]);
        workspace.patch(&patches).unwrap();
        let text = std::fs::read_to_string(&lock).unwrap();
        assert!(!text.contains("serde") && text.contains("regex"), "{text}");
        let config = root.path().join("session-0/.cargo/config.toml");
        let text = std::fs::read_to_string(config).unwrap();
        assert!(text.starts_with("[build]\ntarget-dir = \"/"), "{text}");
        let patch = "\"\n[patch.crates-io]\nserde = { path = \"/f/serde\" }\n";
        assert!(text.ends_with(patch), "{text}");
    }
}
