//! Python packages that tests compare with.

use candle_core::{Device, Tensor};
use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The Python that the environment variable names.
pub fn named_by(variable: &str) -> PathBuf {
    let python = std::env::var_os(variable);
    let python = python.unwrap_or_else(|| panic!("{variable} is not set: a Python's path"));
    PathBuf::from(python)
}

/// Runs a script of `tests/python`.
pub fn run(python: &Path, script: &str, arguments: &[OsString]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/python")
        .join(script);
    let done = Command::new(python)
        .arg(&script)
        .args(arguments)
        .env("OMP_NUM_THREADS", "1")
        .output()
        .unwrap_or_else(|err| panic!("{} does not start: {err}", python.display()));
    let err = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{}: {err}", script.display());
    println!("{}", String::from_utf8_lossy(&done.stdout).trim_end());
}

pub fn tensors(path: &Path) -> HashMap<String, Tensor> {
    candle_core::safetensors::load(path, &Device::Cpu)
        .unwrap_or_else(|err| panic!("{}: {err}", path.display()))
}

/// The largest difference of two tensors, over the largest magnitude of `wanted`.
pub fn relative_difference(found: &Tensor, wanted: &Tensor) -> f64 {
    assert_eq!(found.dims(), wanted.dims());
    let flat = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let (found, wanted) = (flat(found), flat(wanted));
    let largest = wanted.iter().fold(0f32, |most, w| most.max(w.abs()));
    assert!(largest > 0.0, "all is 0");
    let mut most = 0f64;
    for (f, w) in found.iter().zip(&wanted) {
        if f == w {
            continue; // infinities of masked scores, too
        }
        let difference = f64::from(f - w).abs() / f64::from(largest);
        assert!(difference.is_finite(), "{f}, expected {w}");
        most = most.max(difference);
    }
    most
}
