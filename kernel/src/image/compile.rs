//! Cargo's part of a build: compiles what has changed, and reports progress.

use super::news::News;
use super::units::Units;
use crate::error::{Error, Result};
use crate::toolchain::{cargo, is_sessions};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// How often to report build progress while cargo prints nothing.
const TICK: Duration = Duration::from_secs(1);
/// Cargo's status lines, which our progress replaces.
const STATUS: [&str; 6] = [
    "Compiling",
    "Finished",
    "Fresh",
    "Dirty",
    "Downloading",
    "Downloaded",
];

/// The build folders and the rustc wrapper.
pub struct Place<'a> {
    pub root: &'a Path,
    pub target: &'a Path,
    /// The image's folder.
    pub folder: &'a Path,
    pub wrapper: &'a Path,
}

/// The output of cargo.
#[derive(Debug, Default)]
pub struct Artifacts {
    /// The folder of the dependencies' metadata, once the image is built.
    pub deps: Option<PathBuf>,
    /// Names of the files there that a cell's rustc may read.
    pub metadata: Vec<String>,
    /// The library's own metadata.
    pub library: Option<PathBuf>,
    /// The features with which the crates were built, by file.
    pub features: BTreeMap<PathBuf, Vec<String>>,
}

/// Builds what has changed with cargo.
pub fn run(place: &Place, units: &mut Units, tell: &mut dyn FnMut(News)) -> Result<Artifacts> {
    let began = Instant::now();
    let mut command = Command::new(cargo());
    let ours =
        |(name, value): &(OsString, OsString)| set_by_cargo(name) || is_sessions(name, value);
    for (name, _) in std::env::vars_os().filter(ours) {
        command.env_remove(name);
    }
    let mut child = command
        .args(["build", "--locked", "--workspace", "--lib"])
        // It is for pages, and is built when one needs it.
        .args(["--exclude", "holoscope-live"])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(place.root)
        .env("CARGO_TARGET_DIR", place.target)
        // Its output is parsed here.
        .env("CARGO_TERM_COLOR", "never")
        .env("RUSTC_WORKSPACE_WRAPPER", place.wrapper)
        .env(super::layout::BUILD_IMAGE_ENV, place.folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(Error::io("run", cargo()))?;
    let (send, lines) = channel();
    let readers = [
        child.stdout.take().map(|out| read(out, Line::Out, &send)),
        child.stderr.take().map(|err| read(err, Line::Err, &send)),
    ];
    drop(send);
    let artifacts = follow(&lines, began, units, tell);
    for reader in readers.into_iter().flatten() {
        // It has sent everything, or the receiver is gone.
        let _ = reader.join();
    }
    let status = child.wait().map_err(Error::io("wait for", cargo()))?;
    if !status.success() {
        return Err(Error::ImageBuild {
            reason: format!(
                "`cargo build` in {} ended with {status}",
                place.root.display()
            ),
        });
    }
    Ok(artifacts)
}

enum Line {
    Out(String),
    Err(String),
}

fn read(
    from: impl Read + Send + 'static,
    line: fn(String) -> Line,
    to: &Sender<Line>,
) -> std::thread::JoinHandle<()> {
    let to = to.clone();
    std::thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut text = Vec::new();
        while from.read_until(b'\n', &mut text).is_ok_and(|n| n > 0) {
            let read = String::from_utf8_lossy(&text);
            if to.send(line(read.trim_end().to_owned())).is_err() {
                return;
            }
            text.clear();
        }
    })
}

/// Reads cargo's output until it ends.
fn follow(
    lines: &Receiver<Line>,
    began: Instant,
    units: &mut Units,
    tell: &mut dyn FnMut(News),
) -> Artifacts {
    let mut artifacts = Artifacts::default();
    loop {
        match lines.recv_timeout(TICK) {
            Ok(Line::Out(line)) => {
                let Some(artifact) = artifact(&line) else {
                    continue;
                };
                units.finish(&artifact, began.elapsed());
                artifacts.add(&artifact);
            }
            Ok(Line::Err(line)) => {
                if !is_status(&line) {
                    tell(News::Said(line));
                }
                continue;
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return artifacts,
        }
        tell(News::Progress(units.progress(began.elapsed())));
    }
}

/// Whether a line is only one of cargo's status lines.
fn is_status(line: &str) -> bool {
    let mut words = line.split_whitespace();
    line.starts_with(' ') && words.next().is_some_and(|word| STATUS.contains(&word))
}

fn artifact(line: &str) -> Option<Value> {
    let message: Value = serde_json::from_str(line).ok()?;
    (message["reason"] == "compiler-artifact").then_some(message)
}

impl Artifacts {
    fn add(&mut self, artifact: &Value) {
        let target = &artifact["target"];
        let files = artifact["filenames"].as_array().into_iter().flatten();
        for file in files.filter_map(Value::as_str).map(Path::new) {
            let (Some(folder), Some(name)) = (file.parent(), file.file_name()) else {
                continue;
            };
            let kind = file.extension().and_then(OsStr::to_str);
            let metadata = matches!(kind, Some("rlib" | "rmeta" | "so" | "dylib"));
            if target["name"] == "holoscope_image" {
                // Cargo reports the copy next to the `deps` folder.
                self.deps = Some(match folder.ends_with("deps") {
                    true => folder.to_path_buf(),
                    false => folder.join("deps"),
                });
            } else if target["name"] == "holoscope" {
                if kind == Some("rmeta") {
                    self.library = Some(file.to_path_buf());
                }
            } else if metadata && folder.ends_with("deps") {
                self.metadata.push(name.to_string_lossy().into_owned());
                let features = artifact["features"].as_array().into_iter().flatten();
                let features = features.filter_map(|f| Some(f.as_str()?.to_owned()));
                self.features.insert(file.to_path_buf(), features.collect());
            }
        }
    }
}

/// Variables that an outer `cargo run` or `cargo test` has set. Some build
/// scripts (ring's) request a rebuild when these change: their crates would
/// be rebuilt each time this program is started in a different way.
fn set_by_cargo(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_BIN_"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
        || ["CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE", "OUT_DIR"].contains(&&*name)
}

/// Makes cargo rebuild the library and the image; the dependencies stay.
pub fn forget(root: &Path, target: &Path, packages: &[&str]) -> Result<()> {
    let mut command = Command::new(cargo());
    command.args(["clean", "--locked"]);
    for package in packages {
        command.args(["-p", package]);
    }
    let output = command
        .current_dir(root)
        .env("CARGO_TARGET_DIR", target)
        .output()
        .map_err(Error::io("run", cargo()))?;
    crate::toolchain::succeeded("cargo clean", &output)
}

/// The packages behind the image, one per line; empty if cargo fails.
pub fn tree(root: &Path) -> String {
    let mut command = Command::new(cargo());
    command
        .args(["tree", "--locked", "-p", "holoscope-image"])
        .args(["-e", "normal,build", "--prefix", "none", "-f", "{p}"])
        .current_dir(root);
    crate::toolchain::said_by(&mut command).unwrap_or_default()
}

/// Cargo's default target folder.
pub fn target_directory(root: &Path) -> Result<PathBuf> {
    let output = Command::new(cargo())
        .args(["metadata", "--no-deps", "--format-version=1"])
        .args(["--offline", "--locked"])
        .current_dir(root)
        .output()
        .map_err(Error::io("run", cargo()))?;
    crate::toolchain::succeeded("cargo metadata", &output)?;
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    metadata["target_directory"]
        .as_str()
        .map(PathBuf::from)
        .ok_or_else(|| Error::ImageBuild {
            reason: "`cargo metadata` names no target directory".to_owned(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn built(name: &str, kind: &str, files: &[&str]) -> String {
        json!({"reason": "compiler-artifact", "target": {"name": name, "kind": [kind]},
            "filenames": files})
        .to_string()
    }

    #[test]
    fn what_a_cells_rustc_reads_is_found_among_cargos_messages() {
        let mut artifacts = Artifacts::default();
        for line in [
            built(
                "a",
                "lib",
                &["/t/debug/deps/liba-1.rlib", "/t/debug/deps/liba-1.rmeta"],
            ),
            built("m", "proc-macro", &["/t/debug/deps/libm-2.so"]),
            built(
                "build-script-build",
                "custom-build",
                &["/t/debug/build/a-3/build-script-build"],
            ),
            built(
                "holoscope",
                "lib",
                &[
                    "/t/debug/libholoscope.rlib",
                    "/t/debug/deps/libholoscope-4.rmeta",
                ],
            ),
            built(
                "holoscope_image",
                "dylib",
                &["/t/debug/libholoscope_image.so"],
            ),
        ] {
            artifacts.add(&artifact(&line).unwrap());
        }
        assert_eq!(artifacts.deps, Some("/t/debug/deps".into()));
        assert_eq!(
            artifacts.metadata,
            ["liba-1.rlib", "liba-1.rmeta", "libm-2.so"]
        );
        assert_eq!(
            artifacts.library,
            Some("/t/debug/deps/libholoscope-4.rmeta".into())
        );
        assert_eq!(artifact("not json"), None);
    }

    #[test]
    fn of_what_cargo_says_only_its_work_is_left_out() {
        assert!(is_status("   Compiling serde v1.0.228"));
        assert!(is_status(
            "    Finished `dev` profile [optimized] target(s) in 0.25s"
        ));
        for said in [
            "    Blocking waiting for file lock on build directory",
            "error[E0308]: mismatched types",
            "  --> src/lib.rs:1:1",
            "warning: unused import",
        ] {
            assert!(!is_status(said), "{said}");
        }
    }
}
