//! The standard library's source, which rust-analyzer reads: rustup's component `rust-src`.

use crate::error::{Error, Result};
use crate::toolchain::said_by;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of the standard library's crates. If it is missing, rustup installs it.
pub fn library_source() -> Result<PathBuf> {
    let sysroot = said_by(Command::new("rustc").args(["--print", "sysroot"]));
    let Some(sysroot) = sysroot else {
        return Err(Error::ImageBuild {
            reason: "`rustc --print sysroot` failed; is rustc on the PATH?".to_owned(),
        });
    };
    let source = Path::new(&sysroot).join("lib/rustlib/src/rust/library");
    if is_there(&source) {
        return Ok(source);
    }
    // Two rustup processes that install one component at once both fail.
    let _turn = turn();
    if is_there(&source) {
        return Ok(source);
    }
    eprintln!(
        "holoscope: the standard library's source is missing; `rustup component add rust-src`"
    );
    let added = Command::new("rustup")
        .args(["component", "add", "rust-src"])
        .status();
    if is_there(&source) {
        return Ok(source);
    }
    let outcome = match added {
        Ok(status) => format!("ended with {status}"),
        Err(error) => format!("did not run: {error}"),
    };
    Err(Error::ImageBuild {
        reason: format!(
            "{} is missing; `rustup component add rust-src` {outcome}",
            source.display()
        ),
    })
}

/// A lock that no other process installs under; `None` if it cannot be had.
fn turn() -> Option<File> {
    let path = std::env::temp_dir().join("holoscope-rust-src.lock");
    let file = File::create(path).ok()?;
    file.lock().ok()?;
    Some(file)
}

fn is_there(library: &Path) -> bool {
    library.join("core/src/lib.rs").is_file()
}
