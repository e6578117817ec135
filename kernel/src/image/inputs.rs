//! Everything that an image is built from: a digest of it names the image's folder.
//!
//! The digest is stored in parts, so that a build can report its reason.

use crate::digest::hex;
use crate::error::{Error, Result};
use crate::toolchain::{is_sessions, program, said_by};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Files and folders of the workspace that the image depends on.
pub const SOURCES: [&str; 7] = [
    "Cargo.toml",
    "Cargo.lock",
    "rust-toolchain.toml",
    ".cargo",
    "src",
    "image",
    // Its features are resolved together with the library's.
    "kernel/Cargo.toml",
];

/// Environment variables that change what cargo builds. The toolchain is
/// not among them: however it was chosen, the compiler reports its version.
const SETTINGS: [&str; 5] = [
    "RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "RUSTC",
    "CARGO_BUILD_TARGET",
    "CARGO_BUILD_RUSTFLAGS",
];

/// The prefix of further such variables.
const PROFILE: &str = "CARGO_PROFILE_DEV_";

/// The fields of a processor's description that affect `target-cpu=native` (x86, then ARM).
const PROCESSOR: [&str; 9] = [
    "vendor_id",
    "cpu family",
    "model",
    "flags",
    "CPU implementer",
    "CPU architecture",
    "CPU variant",
    "CPU part",
    "Features",
];

/// What an image is built from; each part is a digest or a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inputs {
    /// The workspace: cargo includes its path in the crates' identity.
    pub root: PathBuf,
    /// How this binary builds.
    pub recipe: String,
    /// The first line of rustc's version output.
    pub compiler: String,
    pub processor: String,
    pub settings: String,
    pub sources: String,
}

impl Inputs {
    /// What an image of the workspace in `root` would be built from now.
    pub fn read(root: &Path) -> Result<Self> {
        let mut settings = Sha256::new();
        let is_setting = |name: &str| SETTINGS.contains(&name) || name.starts_with(PROFILE);
        let mut set: Vec<_> = std::env::vars_os()
            .filter(|(name, _)| name.to_str().is_some_and(is_setting))
            .filter(|(name, value)| !is_sessions(name, value))
            .collect();
        set.sort();
        for (name, value) in set {
            settings.update(name.as_encoded_bytes());
            settings.update(value.as_encoded_bytes());
        }
        // Run in the workspace, whose toolchain file determines which rustc this is.
        let rustc = program("rustc").unwrap_or_else(|| "rustc".into());
        let compiler = said_by(Command::new(rustc).arg("--version").current_dir(root));
        // Without this file (macOS), assume that the processor does not change under an
        // installation.
        let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        Ok(Self {
            root: root.to_path_buf(),
            recipe: format!("{} {}", super::layout::RECIPE, crate::facade::RECIPE),
            compiler: compiler.unwrap_or_default(),
            processor: hex(Sha256::new_with_prefix(features(&processor))),
            settings: hex(settings),
            sources: sources(root)?,
        })
    }

    /// The name of the image's folder.
    pub fn key(&self) -> String {
        let mut digest = Sha256::new();
        for part in [
            &*self.root.to_string_lossy(),
            &self.recipe,
            &self.compiler,
            &self.processor,
            &self.settings,
            &self.sources,
        ] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        let mut key = hex(digest);
        key.truncate(KEY_LENGTH);
        key
    }
}

/// A digest of the names and contents of all sources.
pub fn sources(root: &Path) -> Result<String> {
    let mut sources = Sha256::new();
    for source in SOURCES {
        add(&mut sources, &root.join(source), source)?;
    }
    Ok(hex(sources))
}

const KEY_LENGTH: usize = 16;

/// Whether a folder's name is that of an image.
pub fn is_key(name: &str) -> bool {
    name.len() == KEY_LENGTH && name.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The lines of `/proc/cpuinfo` that matter, of the first processor.
fn features(cpuinfo: &str) -> String {
    let first = cpuinfo.split("\n\n").next().unwrap_or_default();
    let matters = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default().trim();
        PROCESSOR.contains(&name)
    };
    first.lines().filter(matters).collect::<Vec<_>>().join("\n")
}

/// Adds a file, or every file below a folder, by name, length and content.
fn add(digest: &mut Sha256, path: &Path, name: &str) -> Result<()> {
    if path.is_dir() {
        let mut entries: Vec<PathBuf> = std::fs::read_dir(path)
            .map_err(Error::io("read", path))?
            .filter_map(|entry| entry.ok().map(|e| e.path()))
            .collect();
        entries.sort();
        return entries.iter().try_for_each(|entry| {
            let file = entry.file_name().unwrap_or_default().to_string_lossy();
            add(digest, entry, &format!("{name}/{file}"))
        });
    }
    let content = match std::fs::read(path) {
        Ok(content) => content,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::io("read", path)(error)),
    };
    digest.update(name);
    digest.update((content.len() as u64).to_le_bytes());
    digest.update(content);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_changes_with_every_source_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("src/deep/a.rs", "one");
        write("Cargo.toml", "");
        let mut seen = vec![Inputs::read(dir.path()).unwrap().key()];
        assert!(is_key(&seen[0]));
        for (name, text) in [
            ("src/deep/a.rs", "two"),
            ("src/new.rs", ""),
            ("Cargo.lock", "new"),
        ] {
            write(name, text);
            let key = Inputs::read(dir.path()).unwrap().key();
            assert!(!seen.contains(&key), "{name}");
            seen.push(key);
        }
        write("README.md", "nothing to build");
        assert_eq!(
            Some(Inputs::read(dir.path()).unwrap().key()),
            seen.last().cloned()
        );
    }

    #[test]
    fn a_processor_is_known_by_its_model_and_features_and_not_by_its_speed() {
        let info = |mhz: &str, flags: &str| {
            format!(
                "processor\t: 0\nmodel\t\t: 85\ncpu MHz\t\t: {mhz}\nflags\t\t: {flags}\n\nprocessor\t: 1\n"
            )
        };
        let one = features(&info("2400", "fpu avx512f"));
        assert_eq!(one, "model\t\t: 85\nflags\t\t: fpu avx512f");
        assert_eq!(one, features(&info("800", "fpu avx512f")));
        assert_ne!(one, features(&info("800", "fpu avx2")));
    }
}
