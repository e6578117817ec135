//! The invariants of ARCHITECTURE.md that a build can check.

mod common;

use common::root;
use std::process::Command;

/// Crates of the normal dependency tree of a package, by name.
fn dependencies(package: &str) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--locked",
            "--offline",
            "-e",
            "normal",
            "--prefix",
            "none",
            "-p",
            package,
        ])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", common::describe(&output));
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| line.split(' ').next().map(str::to_owned))
        .collect()
}

#[test]
fn the_kernel_never_sees_candle_or_polars() {
    let seen = dependencies("holoscope-kernel");
    assert!(
        seen.iter().any(|name| name == "evcxr"),
        "cargo tree lists the tree"
    );
    for heavy in [
        "candle-core",
        "polars",
        "plotters",
        "tiktoken-rs",
        "holoscope",
    ] {
        assert!(!seen.iter().any(|name| name == heavy), "{heavy}");
    }
}

#[test]
fn the_library_never_sees_evcxr_or_jupyter() {
    let seen = dependencies("holoscope");
    assert!(
        seen.iter().any(|name| name == "candle-core"),
        "cargo tree lists the tree"
    );
    for other in ["evcxr", "zeromq", "holoscope-kernel", "holoscope-image"] {
        assert!(!seen.iter().any(|name| name == other), "{other}");
    }
}

#[test]
fn every_path_in_the_architecture_exists() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let paths: Vec<&str> = text
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|quoted| quoted.contains('/') && !quoted.contains(' '))
        .collect();
    assert!(paths.len() > 10, "the map names its folders: {paths:?}");
    for path in paths {
        assert!(root().join(path).exists(), "ARCHITECTURE.md names {path}");
    }
}
