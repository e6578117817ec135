//! Files written by the packages themselves, and what these compute.
//!
//! `HOLOSCOPE_TORCH_PYTHON=/path/to/python cargo test --test sae_foreign_packages -- --ignored`

use candle_core::{Device, Tensor};
use holoscope::sae::{Sae, SparseAutoencoder, Transcoder};
use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

const SCRIPT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/common/foreign_packages.py"
);

fn expected(folder: &Path) -> HashMap<String, Tensor> {
    candle_core::safetensors::load(folder.join("expected.safetensors"), &Device::Cpu).unwrap()
}

fn largest_difference(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.dims(), b.dims());
    (a - b)
        .unwrap()
        .abs()
        .unwrap()
        .max_all()
        .unwrap()
        .to_scalar()
        .unwrap()
}

fn check(
    what: &str,
    folder: &Path,
    acts: impl Fn(&Tensor) -> Tensor,
    y: impl Fn(&Tensor) -> Tensor,
) {
    let theirs = expected(folder);
    let acts = largest_difference(&acts(&theirs["x"]), &theirs["acts"]);
    let y = largest_difference(&y(&theirs["x"]), &theirs["y"]);
    println!("{what}: largest difference of acts {acts:e}, of outputs {y:e}");
    assert!(acts < 1e-5 && y < 1e-5, "{what}");
}

fn check_sae(folder: &Path) {
    let sae = Sae::load(folder).unwrap();
    let what = folder.display().to_string();
    check(
        &what,
        folder,
        |x| sae.encode(x).unwrap(),
        |x| sae.reconstruct(x).unwrap(),
    );
}

fn check_transcoder(folder: &Path, transcoder: &Transcoder) {
    let what = folder.display().to_string();
    check(
        &what,
        folder,
        |x| transcoder.encode(x).unwrap(),
        |x| transcoder.reconstruct(x).unwrap(),
    );
}

#[test]
#[ignore = "needs a Python with torch, dictionary_learning, eai-sparsify, circuit-tracer and sae-lens: \
            HOLOSCOPE_TORCH_PYTHON"]
fn what_the_packages_write_is_read_as_they_compute_it() {
    let python = std::env::var("HOLOSCOPE_TORCH_PYTHON").expect("HOLOSCOPE_TORCH_PYTHON is set");
    let out = tempfile::tempdir().unwrap();
    let output = Command::new(python)
        .args([Path::new(SCRIPT), out.path()])
        .env("OMP_NUM_THREADS", "1")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let failed = std::fs::read_to_string(out.path().join("failed.json")).unwrap();
    assert_eq!(failed, "{}", "packages that are missing");
    let at = |name: &str| out.path().join(name);
    for name in [
        "AutoEncoder",
        "AutoEncoderNew",
        "GatedAutoEncoder",
        "JumpReluAutoEncoder",
        "AutoEncoderTopK",
        "BatchTopKSAE",
        "MatryoshkaBatchTopKSAE",
        "neel",
        "npz/layer_3",
        "npz_compressed/layer_3",
        "npz_fortran/layer_3",
        "sparsify/layers.2",
    ] {
        check_sae(&at(name));
    }
    for name in ["sparsify/layers.2.mlp", "sparsify_skip/layers.2.mlp"] {
        check_transcoder(&at(name), &Transcoder::load(at(name)).unwrap());
    }
    for (layer, transcoder) in Transcoder::load_set(at("circuit_tracer"))
        .unwrap()
        .iter()
        .enumerate()
    {
        check_transcoder(&at(&format!("circuit_tracer/{layer}")), transcoder);
    }
    let kinds = Sae::load(at("kinds/0.pt")).unwrap();
    assert_eq!(
        kinds.w_enc().to_vec2::<f32>().unwrap(),
        [[0.0, 2.0, 4.0], [1.0, 3.0, 5.0]]
    );
    assert_eq!(
        kinds.w_dec().to_vec2::<f32>().unwrap(),
        [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]
    );
    assert_eq!(kinds.b_enc().to_vec1::<f32>().unwrap(), [1.0, 4.0, 7.0]);
    assert_eq!(kinds.b_dec().to_vec1::<f32>().unwrap(), [5.0, -6.0]);
    let legacy = Sae::load(at("kinds/1.pt")).unwrap_err().to_string();
    assert!(legacy.contains("PyTorch 1.6"), "{legacy}");
}
