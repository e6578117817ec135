//! `holoscope doctor`: what this machine lacks, and how to get it.

use crate::error::Result;
use std::path::Path;
use std::process::Command;

/// A session, its image and the cells need about this much.
const DISK_NEEDED: u64 = 6 << 30;

enum Finding {
    Good(String),
    /// Something is missing that cells need.
    Bad {
        what: String,
        mend: String,
    },
    /// Something is missing that only some uses need.
    Optional {
        what: String,
        mend: String,
    },
}

/// Prints one line per check; the exit status is 0 when nothing required is missing.
pub fn doctor() -> Result<i32> {
    let checks: [(&str, Finding); 7] = [
        ("sources", sources()),
        ("cargo", cargo()),
        ("rust-src", rust_src()),
        ("linker", linker()),
        ("disk", disk()),
        ("jupyter", jupyter()),
        ("widgets", widgets()),
    ];
    let mut missing = 0;
    for (name, finding) in checks {
        match finding {
            Finding::Good(text) => println!("ok       {name:<9} {text}"),
            Finding::Bad { what, mend } => {
                missing += 1;
                println!("MISSING  {name:<9} {what}\n         {:<9} {mend}", "");
            }
            Finding::Optional { what, mend } => {
                println!("optional {name:<9} {what}\n         {:<9} {mend}", "");
            }
        }
    }
    Ok(i32::from(missing > 0))
}

/// The first line that a program prints, if it runs and succeeds.
fn first_line(program: &Path, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    output
        .status
        .success()
        .then(|| text.lines().next().unwrap_or("").to_owned())
}

fn sources() -> Finding {
    match crate::toolchain::workspace_root() {
        Ok(root) => Finding::Good(root.display().to_string()),
        Err(error) => Finding::Bad {
            what: error.to_string(),
            mend: "clone Holoscope and set HOLOSCOPE_SOURCE to the clone".to_owned(),
        },
    }
}

fn cargo() -> Finding {
    match first_line(&crate::toolchain::cargo(), &["--version"]) {
        Some(version) => Finding::Good(version),
        None => Finding::Bad {
            what: "cells are compiled with cargo, and it does not run".to_owned(),
            mend: "install Rust with rustup (rustup.rs)".to_owned(),
        },
    }
}

fn rust_src() -> Finding {
    let sysroot = first_line(Path::new("rustc"), &["--print", "sysroot"]).unwrap_or_default();
    let library = Path::new(&sysroot).join("lib/rustlib/src/rust/library");
    if library.is_dir() {
        Finding::Good(library.display().to_string())
    } else {
        Finding::Bad {
            what: "the types of std's values are read from the sources of std".to_owned(),
            mend: "rustup component add rust-src".to_owned(),
        }
    }
}

fn linker() -> Finding {
    match first_line(Path::new("cc"), &["--version"]) {
        Some(version) => Finding::Good(version),
        None => Finding::Bad {
            what: "rustc links with `cc`, and it does not run".to_owned(),
            mend: "install a C compiler (Debian: apt install build-essential)".to_owned(),
        },
    }
}

fn disk() -> Finding {
    let Ok(root) = crate::toolchain::workspace_root() else {
        return Finding::Good("not checked without sources".to_owned());
    };
    match free_bytes(&root) {
        Some(free) if free < DISK_NEEDED => Finding::Bad {
            what: format!("{:.1} GB free in {}", gigabytes(free), root.display()),
            mend: format!("the build needs about {:.0} GB", gigabytes(DISK_NEEDED)),
        },
        Some(free) => Finding::Good(format!("{:.1} GB free", gigabytes(free))),
        None => Finding::Good("free space is unknown here".to_owned()),
    }
}

fn gigabytes(bytes: u64) -> f64 {
    bytes as f64 / (1u64 << 30) as f64
}

fn free_bytes(path: &Path) -> Option<u64> {
    use std::os::unix::ffi::OsStrExt;
    let path = std::ffi::CString::new(path.as_os_str().as_bytes()).ok()?;
    // SAFETY: a zeroed statvfs is a valid value to be overwritten, and `path`
    // is a C string for the whole call.
    unsafe {
        let mut stats: libc::statvfs = std::mem::zeroed();
        (libc::statvfs(path.as_ptr(), &mut stats) == 0)
            .then(|| stats.f_bavail as u64 * stats.f_frsize as u64)
    }
}

fn jupyter() -> Finding {
    match first_line(Path::new("jupyter"), &["--version"]) {
        Some(_) => Finding::Good("found on PATH".to_owned()),
        None => Finding::Optional {
            what: "not on PATH; `holoscope run` does without it".to_owned(),
            mend: "pip install jupyterlab".to_owned(),
        },
    }
}

fn widgets() -> Finding {
    match crate::labextensions::missing(crate::kernelspec::users_data_folder()) {
        None => Finding::Good("JupyterLab has the extensions that show them".to_owned()),
        Some(mend) => Finding::Optional {
            what: "JupyterLab lacks an extension that shows interactive widgets".to_owned(),
            mend,
        },
    }
}
