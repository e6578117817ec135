//! Files written by the packages themselves, and what these compute.
//!
//! `HOLOSCOPE_TORCH_PYTHON=/path/to/python cargo test --test sae_foreign_packages -- --ignored`

use candle_core::{Device, Tensor};
use holoscope::sae::{
    CrossLayerTranscoder, Sae, SparseAutoencoder, Transcoder, TranscoderActivation,
};
use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

const SCRIPT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/common/foreign_packages.py"
);

const READERS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/common/foreign_readers.py"
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

/// Activations and outputs of a cross-layer transcoder, layer after layer, against `expected.safetensors`.
fn check_cross_layer(folder: &Path, of_all: &CrossLayerTranscoder) {
    let what = folder.display().to_string();
    let layers = |x: &Tensor| -> Vec<Tensor> {
        (0..of_all.n_layers())
            .map(|layer| x.get(layer).unwrap())
            .collect()
    };
    let stacked = |all: Vec<Tensor>| Tensor::stack(&all, 0).unwrap();
    check(
        &what,
        folder,
        |x| stacked(of_all.encode(&layers(x)).unwrap()),
        |x| stacked(of_all.reconstruct(&layers(x)).unwrap()),
    );
}

fn run(script: &str, folder: &Path) {
    let python = std::env::var("HOLOSCOPE_TORCH_PYTHON").expect("HOLOSCOPE_TORCH_PYTHON is set");
    let output = Command::new(python)
        .args([Path::new(script), folder])
        .env("OMP_NUM_THREADS", "1")
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
}

fn wave(shape: &[usize], seed: f32) -> Tensor {
    let n: usize = shape.iter().product();
    let values: Vec<f32> = (0..n)
        .map(|i| 0.4 * (seed + 1.3 * i as f32).sin())
        .collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

#[test]
#[ignore = "needs a Python with torch, eai-sparsify and circuit-tracer: HOLOSCOPE_TORCH_PYTHON"]
fn what_is_written_here_is_read_by_the_packages_as_the_same_function() {
    let out = tempfile::tempdir().unwrap();
    let top_k = Transcoder::new(
        2,
        wave(&[6, 20], 1.0),
        wave(&[20], 2.0),
        wave(&[20, 6], 3.0),
        wave(&[6], 4.0),
        TranscoderActivation::TopK { k: 4 },
    )
    .unwrap();
    let skip = top_k.clone().with_skip(wave(&[6, 6], 5.0)).unwrap();
    let transcoders = [("sparsify", top_k), ("sparsify.skip", skip)];
    for (name, transcoder) in &transcoders {
        transcoder.save(&out.path().join(name)).unwrap();
    }
    let cross_layer = |activation: &dyn Fn(usize) -> TranscoderActivation| {
        let each = |shape: &dyn Fn(usize) -> Vec<usize>, seed: f32| {
            (0..3)
                .map(|l| wave(&shape(l), seed + l as f32))
                .collect::<Vec<_>>()
        };
        CrossLayerTranscoder::new(
            each(&|_| vec![6, 10], 1.0),
            each(&|_| vec![10], 2.0),
            each(&|l| vec![10, 3 - l, 6], 3.0),
            each(&|_| vec![6], 4.0),
            (0..3).map(activation).collect(),
        )
        .unwrap()
    };
    // Thresholds below 0 among them.
    let jump = |l: usize| TranscoderActivation::JumpRelu {
        threshold: wave(&[10], l as f32),
    };
    let of_all = [
        ("cross_layer", cross_layer(&|_| TranscoderActivation::Relu)),
        ("cross_layer.jump_relu", cross_layer(&jump)),
    ];
    for (name, of_all) in &of_all {
        of_all.save(out.path().join(name)).unwrap();
    }
    run(READERS, out.path());
    for (name, transcoder) in &transcoders {
        check_transcoder(&out.path().join(name), transcoder);
    }
    for (name, of_all) in &of_all {
        check_cross_layer(&out.path().join(name), of_all);
    }
}

#[test]
#[ignore = "needs a Python with torch, dictionary_learning, eai-sparsify, circuit-tracer and sae-lens: \
            HOLOSCOPE_TORCH_PYTHON"]
fn what_the_packages_write_is_read_as_they_compute_it() {
    let out = tempfile::tempdir().unwrap();
    run(SCRIPT, out.path());
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
    for name in ["cross_layer_relu", "cross_layer_jump_relu"] {
        let of_all = CrossLayerTranscoder::load(at(name)).unwrap();
        assert_eq!(of_all.hook_names[1], "blocks.1.hook_resid_mid");
        check_cross_layer(&at(name), &of_all);
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
