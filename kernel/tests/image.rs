//! The image as several processes meet it: built once, kept apart, mended.
//!
//! Here cargo is a script that leaves a small file in the image's place; the
//! locks, folders and messages are real.

mod common;

use common::{describe, holoscope, read_cells, root, text, write_notebook};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// Writes what cargo would, notes that it was called, and takes a second for it.
const CARGO: &str = r#"#!/bin/sh
real="${REAL_CARGO:-cargo}"
case "$1" in
build)
    echo build >> "$CARGO_TARGET_DIR/calls"
    if [ -e "$CARGO_TARGET_DIR/broken" ]; then
        echo "error: the sources are broken" >&2
        exit 101
    fi
    sleep 1
    deps="$CARGO_TARGET_DIR/debug/deps"
    mkdir -p "$deps"
    echo image > "$HOLOSCOPE_BUILD_IMAGE/libholoscope_image.so"
    echo metadata > "$deps/libholoscope-1.rmeta"
    [ -e "$deps/libserde-2.rlib" ] || echo rlib > "$deps/libserde-2.rlib"
    echo "   Compiling holoscope" >&2
    echo "warning: said by cargo" >&2
    echo '{"reason":"compiler-artifact","package_id":"serde","target":{"name":"serde","kind":["lib"]},"features":["std"],"filenames":["'"$deps"'/libserde-2.rlib"],"fresh":false}'
    echo '{"reason":"compiler-artifact","package_id":"holoscope","target":{"name":"holoscope","kind":["lib"]},"features":[],"filenames":["'"$deps"'/libholoscope-1.rmeta"],"fresh":false}'
    echo '{"reason":"compiler-artifact","package_id":"image","target":{"name":"holoscope_image","kind":["dylib"]},"features":[],"filenames":["'"$CARGO_TARGET_DIR"'/debug/libholoscope_image.so"],"fresh":false}'
    ;;
clean) ;;
*) exec "$real" "$@" ;;
esac
"#;

struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let cargo = dir.path().join("cargo");
        std::fs::write(&cargo, CARGO).unwrap();
        std::fs::set_permissions(&cargo, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::create_dir(dir.path().join("target")).unwrap();
        Self { dir }
    }

    fn target(&self) -> PathBuf {
        self.dir.path().join("target")
    }

    fn start(&self) -> Child {
        let mut command = holoscope();
        // What the script leaves is no library that a session could start with.
        command
            .args(["install", "--no-session", "--prefix"])
            .arg(self.dir.path());
        self.environment(&mut command);
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs")
    }

    fn environment(&self, command: &mut Command) {
        let real = std::env::var_os("CARGO").unwrap_or("cargo".into());
        command
            .env("CARGO", self.dir.path().join("cargo"))
            .env("REAL_CARGO", real)
            .env("CARGO_TARGET_DIR", self.target())
            .env("HOLOSCOPE_SOURCE", root());
    }

    /// Installs: what was said, and how often cargo has built so far.
    fn install(&self) -> (String, usize) {
        let output = self.start().wait_with_output().unwrap();
        assert!(output.status.success(), "{}", describe(&output));
        (said(&output), self.builds())
    }

    fn builds(&self) -> usize {
        let calls = std::fs::read_to_string(self.target().join("calls"));
        calls.unwrap_or_default().lines().count()
    }

    /// The folder of the only image.
    fn image(&self) -> PathBuf {
        let entries = std::fs::read_dir(self.target().join("image")).unwrap();
        let folders: Vec<PathBuf> = entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_dir())
            .collect();
        assert_eq!(folders.len(), 1, "{folders:?}");
        folders[0].clone()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn two_processes_build_one_image_and_the_second_says_that_it_waits() {
    let place = Place::new();
    let both = [place.start(), place.start()].map(|child| child.wait_with_output().unwrap());
    for output in &both {
        assert!(output.status.success(), "{}", describe(output));
    }
    assert_eq!(place.builds(), 1);
    let waits = "another process is building the library; waiting";
    let waiting = both.iter().filter(|output| said(output).contains(waits));
    assert_eq!(waiting.count(), 1, "{}\n{}", said(&both[0]), said(&both[1]));
    place.image();
    let (said, builds) = place.install();
    assert_eq!((said.as_str(), builds), ("", 1));
}

#[test]
fn a_build_says_why_and_passes_on_what_cargo_says() {
    let place = Place::new();
    let (said, _) = place.install();
    assert!(said.contains("building the library: it has not been built here yet"));
    assert!(
        said.contains("warning: said by cargo") && !said.contains("Compiling"),
        "{said}"
    );

    std::fs::remove_file(place.image().join("stamp.json")).unwrap();
    let (said, builds) = place.install();
    assert!(
        said.contains("building the library: a build was interrupted"),
        "{said}"
    );
    assert_eq!(builds, 2);
}

#[test]
fn damage_is_noticed_and_mended() {
    let place = Place::new();
    place.install();
    let image = place.image();
    let damaged = [
        (
            image.join("libholoscope_image.so"),
            "libholoscope_image.so is damaged",
        ),
        (
            image.join("facade/holoscope/src/lib.rs"),
            "facade is damaged",
        ),
        (
            place.target().join("debug/deps/libserde-2.rlib"),
            "libserde-2.rlib is damaged",
        ),
    ];
    for (n, (path, message)) in damaged.iter().enumerate() {
        std::fs::write(path, "").unwrap();
        let (said, builds) = place.install();
        assert!(said.contains(message), "{said}");
        assert_eq!(builds, n + 2, "{said}");
        assert_ne!(std::fs::metadata(path).unwrap().len(), 0);
        let (said, _) = place.install();
        assert_eq!(said, "");
    }
}

#[test]
fn a_build_that_fails_leaves_no_image() {
    let place = Place::new();
    let broken = place.target().join("broken");
    std::fs::write(&broken, "").unwrap();
    let output = place.start().wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", describe(&output));
    assert!(said(&output).contains("error: the sources are broken"));
    std::fs::remove_file(&broken).unwrap();
    let (said, builds) = place.install();
    assert!(said.contains("it has not been built here yet"), "{said}");
    assert_eq!(builds, 2);
}

#[test]
fn a_build_that_is_killed_is_noticed_and_done_again() {
    let place = Place::new();
    let mut child = place.start();
    // Cargo's stand-in notes its call, then takes a second.
    while place.builds() == 0 {
        std::thread::sleep(Duration::from_millis(10));
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!place.image().join("stamp.json").exists());
    let (said, builds) = place.install();
    assert!(
        said.contains("building the library: a build was interrupted"),
        "{said}"
    );
    assert_eq!(builds, 2);
    let (said, _) = place.install();
    assert_eq!(said, "");
}

/// On a disk of 128 KiB, which has room for what cargo leaves there but not for the facades; then
/// the disk grows.
#[test]
#[ignore = "mounts a file system in a user namespace, which not every machine allows"]
fn a_full_disk_is_named_and_once_there_is_room_the_image_is_built() {
    let place = Place::new();
    let mount = "mount -t tmpfs -o size=128k,nr_inodes=10k none \"$CARGO_TARGET_DIR\"";
    let alone = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]);
        place.environment(&mut command);
        command
    };
    let script = format!(
        r#"{mount}
        "$HOLOSCOPE" install --no-session --prefix "$PREFIX" && exit 1
        [ $? = 2 ] || exit 3
        echo "-- the disk grows" >&2
        mount -o remount,size=64m "$CARGO_TARGET_DIR" || exit 4
        "$HOLOSCOPE" install --no-session --prefix "$PREFIX" || exit 5
        echo "-- once more" >&2
        "$HOLOSCOPE" install --no-session --prefix "$PREFIX""#
    );
    let output = alone(&script)
        .env("HOLOSCOPE", env!("CARGO_BIN_EXE_holoscope"))
        .env("PREFIX", place.dir.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", describe(&output));
    let said = said(&output);
    let parts: Vec<&str> = said.split("-- ").collect();
    assert!(parts[0].contains("No space left on device"), "{said}");
    assert!(
        parts[1].contains("building the library: it has not been built here yet"),
        "{said}"
    );
    assert_eq!(parts[2], "once more\n");
}

/// With the real image.
#[test]
fn two_runs_at_once_do_not_disturb_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let start = |name: &str, value: &str| {
        let path = dir.path().join(name).with_extension("ipynb");
        let cell = format!(
            "use holoscope::prelude::*;\nformat!(\"{value} {{}}\", TransformerConfig::default().n_layers > 0)"
        );
        write_notebook(&path, &[&cell, "1 + 1"]);
        Command::new(env!("CARGO_BIN_EXE_holoscope"))
            .arg("run")
            .arg(&path)
            .args(["-o", &format!("{}", out(dir.path(), name).display())])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let both =
        [("a", "first"), ("b", "second")].map(|(name, value)| (name, value, start(name, value)));
    for (name, value, child) in both {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", describe(&output));
        let cells = read_cells(&out(dir.path(), name));
        let shown = text(&cells[0]["outputs"][0]["data"]["text/plain"]);
        assert!(shown.contains(&format!("{value} true")), "{shown}");
    }
}

fn out(dir: &Path, name: &str) -> PathBuf {
    dir.join("out").join(name).with_extension("ipynb")
}

/// What the library is linked with comes from the image: one type, nothing compiled twice.
#[test]
fn a_crate_of_the_librarys_is_the_librarys_own() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.ipynb");
    write_notebook(
        &path,
        &[
            ":dep serde_json = \"1\"\n:dep candle-core = \"0.11.1\"\n:dep polars = \"0.55.2\"",
            "use holoscope::prelude::*;\nserde_json::to_string(&TransformerConfig::default())?.len() > 2",
            "let t: Tensor = candle_core::Tensor::new(&[1f32], &candle_core::Device::Cpu)?;\nlet f: polars::prelude::DataFrame = polars::df!(\"a\" => [1, 2])?;\nt.elem_count() + f.height()",
            ":dep rand = \"0.1\"",
        ],
    );
    let done = out(dir.path(), "done");
    let output = holoscope()
        .arg("run")
        .arg(&path)
        .arg("-o")
        .arg(&done)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", describe(&output));
    let said = said(&output);
    assert!(
        said.contains("linked with rand 0.9") && said.contains("asks for 0.1"),
        "{said}"
    );
    assert!(!said.contains("Compiling candle-core v0.11.1\n"), "{said}");
    let cells = read_cells(&done);
    let shown = |n: usize| text(&cells[n]["outputs"][0]["data"]["text/plain"]);
    assert_eq!((shown(1).as_str(), shown(2).as_str()), ("true", "3"));
}
