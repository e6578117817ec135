//! The build programs, cargo and rustc, and their output about themselves.

use crate::error::{Error, Result};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The workspace that holds the library: `HOLOSCOPE_SOURCE`, or the checkout
/// that this binary was built from.
pub fn workspace_root() -> Result<PathBuf> {
    let root = match std::env::var_os("HOLOSCOPE_SOURCE") {
        Some(dir) => PathBuf::from(dir),
        None => Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .unwrap_or(Path::new("."))
            .to_path_buf(),
    };
    if root.join("Cargo.toml").is_file() && root.join("src/lib.rs").is_file() {
        return Ok(root);
    }
    Err(Error::NoSource { dir: root })
}

/// The `cargo` to call: the one that started this program, or the one on PATH.
pub fn cargo() -> PathBuf {
    std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from)
}

/// The toolchain that the sources require.
pub fn toolchain() -> Option<String> {
    let file = workspace_root().ok()?.join("rust-toolchain.toml");
    let table: toml::Table = std::fs::read_to_string(file).ok()?.parse().ok()?;
    Some(table.get("toolchain")?.get("channel")?.as_str()?.to_owned())
}

/// The path of a program in rustup's toolchain that `RUSTUP_TOOLCHAIN` names. Calling
/// rustup, or running the program through it, often takes longer than the program itself.
pub fn program(name: &str) -> Option<PathBuf> {
    let toolchain = std::env::var_os("RUSTUP_TOOLCHAIN")?;
    let home = match std::env::var_os("RUSTUP_HOME") {
        Some(home) => PathBuf::from(home),
        None => Path::new(&std::env::var_os("HOME")?).join(".rustup"),
    };
    program_in(&home, toolchain.to_str()?, name)
}

/// Whether an environment variable was set by a session to call rustc without
/// rustup (see `Workspace::export`). It is the same compiler, so nothing is rebuilt.
pub fn is_sessions(name: &OsStr, value: &OsStr) -> bool {
    name == "RUSTC" && program("rustc").is_some_and(|rustc| rustc == value)
}

/// A toolchain's folder is named after it, or after it and a platform (`nightly-2026-01-01`
/// is another toolchain than `nightly`). If there are several platforms of this
/// processor, only rustup can tell which one is meant.
fn program_in(home: &Path, toolchain: &str, name: &str) -> Option<PathBuf> {
    let folder = home.join("toolchains");
    let within = |toolchain: &Path| Some(toolchain.join("bin").join(name)).filter(|p| p.is_file());
    if let Some(found) = within(&folder.join(toolchain)) {
        return Some(found);
    }
    let platform = format!("{toolchain}-{}-", std::env::consts::ARCH);
    let platforms = std::fs::read_dir(&folder).ok()?.flatten().filter(|entry| {
        let name = entry.file_name();
        name.to_str()
            .is_some_and(|name| name.starts_with(&platform))
    });
    let mut platforms = platforms.map(|entry| entry.path());
    match (platforms.next(), platforms.next()) {
        (Some(only), None) => within(&only),
        _ => None,
    }
}

/// `rustc 1.95.0 (...)`, if rustc runs.
pub fn rustc_version() -> Option<String> {
    said_by(Command::new("rustc").arg("--version"))
}

/// The platform that rustc compiles for.
pub fn host() -> Option<String> {
    let said = said_by(Command::new("rustc").arg("-vV"))?;
    let host = said.lines().find_map(|l| l.strip_prefix("host: "))?;
    Some(host.to_owned())
}

/// The commit of the library's sources, marked when they differ from it.
pub fn source_commit() -> Option<String> {
    let root = workspace_root().ok()?;
    said_by(
        Command::new("git")
            .args(["describe", "--always", "--dirty", "--abbrev=12"])
            .current_dir(root),
    )
}

/// A program's output, if it succeeded and printed anything.
pub fn said_by(command: &mut Command) -> Option<String> {
    let output = command.stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

/// An error with the program's error output, unless it succeeded.
pub fn succeeded(what: &str, output: &std::process::Output) -> Result<()> {
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Error::ImageBuild {
        reason: format!("`{what}` failed: {}", said.trim()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_where_there_is_no_doubt_about_the_platform() {
        let home = tempfile::tempdir().unwrap();
        let add = |toolchain: &str| {
            let bin = home.path().join("toolchains").join(toolchain).join("bin");
            std::fs::create_dir_all(&bin).unwrap();
            std::fs::write(bin.join("rustc"), "").unwrap();
            bin.join("rustc")
        };
        let find = |toolchain: &str| program_in(home.path(), toolchain, "rustc");
        let on = |toolchain: &str, system: &str| {
            format!("{toolchain}-{}-unknown-{system}", std::env::consts::ARCH)
        };
        assert_eq!(find("1.95.0"), None);
        let linux = add(&on("1.95.0", "linux-gnu"));
        add(&on("1.95.01", "linux-gnu"));
        assert_eq!(find("1.95.0"), Some(linux.clone()));
        assert_eq!(find(&on("1.95.0", "linux-gnu")), Some(linux));
        assert_eq!(find("1.95"), None);
        add(&on("nightly-2026-01-01", "linux-gnu"));
        assert_eq!(find("nightly"), None);
        assert_eq!(program_in(home.path(), "1.95.0", "cargo"), None);
        add(&on("1.95.0", "linux-musl"));
        assert_eq!(find("1.95.0"), None);
        let own = add("own");
        assert_eq!(find("own"), Some(own));
    }
}
