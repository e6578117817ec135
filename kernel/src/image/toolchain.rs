//! The programs that build: cargo, rustc, and what they say of themselves.

use super::workspace_root;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The `cargo` to call: the one that runs us, or the one on PATH.
pub fn cargo() -> PathBuf {
    std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from)
}

/// The toolchain that the sources ask for.
pub fn toolchain() -> Option<String> {
    let file = workspace_root().ok()?.join("rust-toolchain.toml");
    let table: toml::Table = std::fs::read_to_string(file).ok()?.parse().ok()?;
    Some(table.get("toolchain")?.get("channel")?.as_str()?.to_owned())
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

/// What a program printed, if it succeeded and printed anything.
pub fn said_by(command: &mut Command) -> Option<String> {
    let output = command.stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}
