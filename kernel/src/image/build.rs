//! Building the image with cargo, and finding what cargo built.

use super::fresh;
use crate::error::{Error, Result};
use serde_json::Value;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A built image: what a cell's rustc needs to link against the library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The library as a shared object.
    pub so: PathBuf,
    /// Where the metadata of its dependencies lies.
    pub deps: PathBuf,
    /// The crate that cargo and rust-analyzer see in its place.
    pub facade: PathBuf,
}

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

/// Builds the image, or finds at once that it is up to date; cargo's own
/// progress goes to stderr.
pub fn build() -> Result<Image> {
    let root = workspace_root()?;
    let usual =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    if let Some(image) = fresh::up_to_date(&root, &usual.join("image")) {
        return Ok(image);
    }
    // What is missing shall be known before the long build, not after it.
    super::rust_src::library_source()?;
    // Before cargo reads them: an edit while it builds is then seen next time.
    let sources = fresh::digest(&root)?;
    let target = target_directory(&root)?;
    let home = target.join("image");
    std::fs::create_dir_all(&home).map_err(Error::io("create", &home))?;
    let wrapper = link_wrapper(&home)?;
    if fresh::is_damaged(&home) {
        eprintln!(
            "holoscope: the built library in {} is damaged or gone; building it again",
            home.display()
        );
        forget(&root, &target)?;
    }
    let so = home.join(super::wrapper::IMAGE_FILE);
    let mut deps = run_cargo(&root, &target, &home, &wrapper)?;
    if !so.is_file() {
        // Somebody removed it, and cargo does not know of our copy.
        forget(&root, &target)?;
        deps = run_cargo(&root, &target, &home, &wrapper)?;
    }
    let facade = super::facade::write(&root, &home)?;
    let image = Image { so, deps, facade };
    fresh::note(&home, &image, sources)?;
    Ok(image)
}

/// Lets cargo build what has changed: the folder of the dependencies' metadata.
fn run_cargo(root: &Path, target: &Path, home: &Path, wrapper: &Path) -> Result<PathBuf> {
    let mut command = Command::new(cargo());
    for (name, _) in std::env::vars_os().filter(|(name, _)| set_by_cargo(name)) {
        command.env_remove(name);
    }
    let mut child = command
        .args(["build", "--locked", "--workspace", "--lib"])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(root)
        .env("CARGO_TARGET_DIR", target)
        .env("RUSTC_WORKSPACE_WRAPPER", wrapper)
        .env(super::wrapper::BUILD_IMAGE_ENV, home)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(Error::io("run", cargo()))?;
    let mut found = None;
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line.map_err(Error::io("read the output of", cargo()))?;
            found = image_artifact(&line).or(found);
        }
    }
    let status = child.wait().map_err(Error::io("wait for", cargo()))?;
    if !status.success() {
        return Err(Error::ImageBuild {
            reason: format!("`cargo build` in {} ended with {status}", root.display()),
        });
    }
    found.ok_or_else(|| Error::ImageBuild {
        reason: "cargo did not report the crate `holoscope_image`".to_owned(),
    })
}

/// Variables that an outer `cargo run` or `cargo test` has set for us. Some build
/// scripts (ring's) ask to be run again when these change: what they build would
/// be built again and again as we are started in different ways.
fn set_by_cargo(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_BIN_"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
        || ["CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE", "OUT_DIR"].contains(&&*name)
}

/// Makes cargo build the image anew; its dependencies stay.
fn forget(root: &Path, target: &Path) -> Result<()> {
    let output = Command::new(cargo())
        .args(["clean", "--locked", "-p", "holoscope-image"])
        .current_dir(root)
        .env("CARGO_TARGET_DIR", target)
        .output()
        .map_err(Error::io("run", cargo()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::ImageBuild {
        reason: format!(
            "`cargo clean -p holoscope-image` failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        ),
    })
}

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

pub fn said_by(command: &mut Command) -> Option<String> {
    let output = command.stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

fn target_directory(root: &Path) -> Result<PathBuf> {
    let output = Command::new(cargo())
        .args([
            "metadata",
            "--no-deps",
            "--format-version=1",
            "--offline",
            "--locked",
        ])
        .current_dir(root)
        .output()
        .map_err(Error::io("run", cargo()))?;
    if !output.status.success() {
        return Err(Error::ImageBuild {
            reason: format!(
                "`cargo metadata` failed: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            ),
        });
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    metadata["target_directory"]
        .as_str()
        .map(PathBuf::from)
        .ok_or_else(|| Error::ImageBuild {
            reason: "`cargo metadata` names no target directory".to_owned(),
        })
}

/// The folder of the image's shared object if this line of cargo's is its
/// artifact: the metadata of its dependencies lies there too.
fn image_artifact(line: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(line).ok()?;
    if message["reason"] != "compiler-artifact" || message["target"]["name"] != "holoscope_image" {
        return None;
    }
    let file = message["filenames"].as_array()?.first()?.as_str()?;
    // Cargo reports the copy beside the `deps` folder.
    let folder = Path::new(file).parent()?;
    Some(if folder.ends_with("deps") {
        folder.to_path_buf()
    } else {
        folder.join("deps")
    })
}

/// A stable path for the wrapper: cargo takes its path into the fingerprint,
/// and our binary lies in different folders under `cargo run` and `cargo test`.
fn link_wrapper(home: &Path) -> Result<PathBuf> {
    let exe = std::env::current_exe().map_err(Error::io("find", "the running program"))?;
    let name = format!("rustc-for-image-{}", super::wrapper::RECIPE);
    let link = home.join(&name);
    if std::fs::read_link(&link).is_ok_and(|to| to == exe) {
        return Ok(link);
    }
    let staged = home.join(format!("{name}.{}", std::process::id()));
    std::os::unix::fs::symlink(&exe, &staged).map_err(Error::io("create", &staged))?;
    std::fs::rename(&staged, &link).map_err(Error::io("rename", &staged))?;
    Ok(link)
}

/// Writes through a temporary file, and leaves an identical file (and its
/// modification time, which cargo reads) alone.
pub fn write_if_changed(path: &Path, text: &str) -> Result<()> {
    if std::fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut file =
        tempfile::NamedTempFile::new_in(dir).map_err(Error::io("create a file in", dir))?;
    file.write_all(text.as_bytes())
        .map_err(Error::io("write", path))?;
    file.persist(path)
        .map_err(|e| e.error)
        .map_err(Error::io("rename", path))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_images_artifact_is_recognised_and_no_other() {
        let ours = r#"{"reason":"compiler-artifact","target":{"kind":["dylib"],"name":"holoscope_image"},"filenames":["/t/debug/libholoscope_image.so"]}"#;
        assert_eq!(image_artifact(ours), Some("/t/debug/deps".into()));
        assert_eq!(image_artifact(&ours.replace("_image", "")), None);
        assert_eq!(image_artifact("not json"), None);
    }

    #[test]
    fn an_unchanged_file_keeps_its_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        write_if_changed(&path, "one").unwrap();
        let before = std::fs::metadata(&path).unwrap().modified().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20));
        write_if_changed(&path, "one").unwrap();
        assert_eq!(
            before,
            std::fs::metadata(&path).unwrap().modified().unwrap()
        );
        write_if_changed(&path, "two").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two");
    }
}
