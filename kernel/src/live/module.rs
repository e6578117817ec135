//! Builds the WebAssembly module, the crate `holoscope-live`, with cargo.

use crate::toolchain::{cargo, is_sessions, program};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

const TARGET: &str = "wasm32-unknown-unknown";
const PROFILE: &str = "page";
/// Vector instructions with four numbers at a time; in browsers since 2021 (Safari
/// since 2023).
const FLAGS: &str = "-C target-feature=+simd128";

/// Builds shorter than this are not reported.
const QUIET: Duration = Duration::from_secs(2);

/// The module's bytes.
///
/// # Errors
/// Why the module cannot be built, and what to do about it.
pub fn build(root: &Path, tell: &mut dyn FnMut(&str)) -> Result<Vec<u8>, String> {
    if !root.join("live/Cargo.toml").is_file() {
        return Err(format!(
            "the sources in {} have no folder live",
            root.display()
        ));
    }
    if !has_target(root) {
        return Err(format!(
            "the compiler has no WebAssembly target; run `rustup target add {TARGET}`"
        ));
    }
    // Resolved as cargo does, which runs in `root`.
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let target = root.join(target);
    let path = target
        .join(TARGET)
        .join(PROFILE)
        .join("holoscope_live.wasm");
    let mut command = Command::new(cargo());
    for (name, value) in std::env::vars_os() {
        // Flags for the kernel's own target would cause a rebuild of every crate of
        // this one.
        if is_sessions(&name, &value) || name.to_string_lossy().ends_with("RUSTFLAGS") {
            command.env_remove(name);
        }
    }
    let child = command
        .args([
            "build",
            "--locked",
            "--target",
            TARGET,
            "--profile",
            PROFILE,
        ])
        .args(["-p", "holoscope-live"])
        .current_dir(root)
        .env("CARGO_TARGET_DIR", &target)
        .env("RUSTFLAGS", FLAGS)
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .env_remove("RUSTC_WRAPPER")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot run {}: {error}", cargo().display()))?;
    let output = waited_for(child, tell)
        .map_err(|error| format!("cannot run {}: {error}", cargo().display()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<&str> = said
            .lines()
            .filter(|line| line.starts_with("error"))
            .collect();
        let why = match lines.is_empty() {
            true => said
                .trim_end()
                .lines()
                .next_back()
                .unwrap_or_default()
                .to_owned(),
            false => lines.join("; "),
        };
        return Err(format!("cargo could not compile it: {why}"));
    }
    std::fs::read(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

/// Waits for a build; reports it only if it takes long.
fn waited_for(child: Child, tell: &mut dyn FnMut(&str)) -> std::io::Result<Output> {
    let (send, ended) = channel();
    let waiting = std::thread::spawn(move || {
        let output = child.wait_with_output();
        // The result is the thread's return value, whether or not the message is
        // received.
        let _ = send.send(());
        output
    });
    if let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(QUIET) {
        tell("compiling the library for the page (WebAssembly); the first time takes some minutes");
    }
    waiting
        .join()
        .unwrap_or_else(|_| Err(std::io::Error::other("waiting for it failed")))
}

/// Whether the compiler of `root` has the standard library for WebAssembly.
fn has_target(root: &Path) -> bool {
    let rustc = program("rustc").unwrap_or_else(|| "rustc".into());
    let libraries = Command::new(rustc)
        .args(["--print", "target-libdir", "--target", TARGET])
        .current_dir(root)
        .stderr(Stdio::null())
        .output();
    libraries.is_ok_and(|output| {
        let path = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success() && Path::new(&path).is_dir()
    })
}
