//! Folders between this library and the real SAELens: each reads what the other wrote, and computes
//! the same.
//!
//! `HOLOSCOPE_SAE_LENS_PYTHON=venv/bin/python cargo test --workspace --test sae_lens_package -- --ignored`

#[path = "common/python.rs"]
mod python;

use candle_core::{Device, Tensor};
use holoscope::Result;
use holoscope::sae::{
    GatedSae, JumpReLUSae, Sae, SparseAutoencoder, StandardSae, TopKSae, Transcoder,
    TranscoderActivation,
};
use python::{relative_difference, tensors};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

const PYTHON: &str = "HOLOSCOPE_SAE_LENS_PYTHON";
const SCRIPT: &str = "sae_lens_folders.py";
const TOLERANCE: f64 = 1e-5;
/// Folders that the script writes: every architecture that SAELens has.
const WRITTEN: usize = 22;

/// Of a folder with inputs `x`: this library's activations and reconstructions.
fn computed(folder: &Path) -> Result<(Tensor, Tensor)> {
    let x = &tensors(&folder.join("inputs.safetensors"))["x"];
    if name(folder).contains("transcoder") {
        let transcoder = Transcoder::load(folder)?;
        return Ok((transcoder.encode(x)?, transcoder.reconstruct(x)?));
    }
    let sae = Sae::load(folder)?;
    assert!(sae.hook_name().is_some(), "{}", folder.display());
    // The script reads the rows as four sequences.
    let x = &match &sae {
        Sae::Temporal(_) => x.reshape((4, (), D_IN))?,
        _ => x.clone(),
    };
    let rows = |y: Tensor| y.flatten(0, y.rank() - 2);
    Ok((rows(sae.encode(x)?)?, rows(sae.reconstruct(x)?)?))
}

fn name(folder: &Path) -> String {
    folder.file_name().unwrap().to_string_lossy().into_owned()
}

fn folders(root: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root).unwrap();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders
}

/// Compares with what SAELens made of the same inputs.
fn assert_agrees(folder: &Path, (acts, recons): &(Tensor, Tensor)) {
    let peer = tensors(&folder.join("peer.safetensors"));
    let flat = acts.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let active = flat.iter().filter(|a| **a != 0.0).count();
    let share = active as f64 / flat.len() as f64;
    let of_acts = relative_difference(acts, &peer["acts"]);
    let of_recons = relative_difference(recons, &peer["recons"]);
    println!(
        "{:32} active {share:.3}, acts {of_acts:.1e}, recons {of_recons:.1e}",
        name(folder)
    );
    // All active or none would compare little.
    assert!((0.01..0.9).contains(&share), "{}: {share}", name(folder));
    assert!(of_acts < TOLERANCE, "{}: {of_acts}", name(folder));
    assert!(of_recons < TOLERANCE, "{}: {of_recons}", name(folder));
}

#[test]
#[ignore = "needs HOLOSCOPE_SAE_LENS_PYTHON, a Python with sae-lens 6.54"]
fn what_sae_lens_writes_is_read_and_gives_its_numbers() {
    let root = tempfile::tempdir().unwrap();
    let write = ["write".into(), root.path().into()];
    python::run(&python::named_by(PYTHON), SCRIPT, &write);
    let folders = folders(root.path());
    for folder in &folders {
        let outputs = computed(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        assert_agrees(folder, &outputs);
    }
    assert_eq!(folders.len(), WRITTEN);
}

#[test]
#[ignore = "needs HOLOSCOPE_SAE_LENS_PYTHON, a Python with sae-lens 6.54"]
fn what_is_written_here_is_read_by_sae_lens_and_gives_our_numbers() {
    let root = tempfile::tempdir().unwrap();
    let rng = &mut ChaCha8Rng::seed_from_u64(5);
    let mut ours = Vec::new();
    for (name, sae) in autoencoders(rng) {
        let folder = root.path().join(name);
        sae.save(&folder).unwrap();
        ours.push(folder);
    }
    for (name, transcoder) in transcoders(rng) {
        let folder = root.path().join(name);
        transcoder.save(&folder).unwrap();
        ours.push(folder);
    }
    for folder in &ours {
        let inputs = HashMap::from([("x".to_owned(), normal(&[40, D_IN], 1.0, rng))]);
        candle_core::safetensors::save(&inputs, folder.join("inputs.safetensors")).unwrap();
    }
    let read = ["read".into(), root.path().into()];
    python::run(&python::named_by(PYTHON), SCRIPT, &read);
    for folder in &ours {
        assert_agrees(folder, &computed(folder).unwrap());
    }
}

#[test]
#[ignore = "needs HOLOSCOPE_SAE_LENS_PYTHON, a Python with sae-lens 6.54"]
fn what_sae_lens_wrote_and_we_write_again_is_still_read_by_it() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let python = python::named_by(PYTHON);
    python::run(&python, SCRIPT, &["write".into(), first.path().into()]);
    let mut again = Vec::new();
    for folder in folders(first.path()) {
        let copy = second.path().join(name(&folder));
        match name(&folder).contains("transcoder") {
            true => Transcoder::load(&folder).unwrap().save(&copy).unwrap(),
            false => Sae::load(&folder).unwrap().save(&copy).unwrap(),
        }
        let inputs = "inputs.safetensors";
        std::fs::copy(folder.join(inputs), copy.join(inputs)).unwrap();
        again.push((folder, copy));
    }
    assert_eq!(again.len(), WRITTEN);
    python::run(&python, SCRIPT, &["read".into(), second.path().into()]);
    for (folder, copy) in &again {
        // The peer's outputs of both folders: nothing of ours between but the files.
        let outputs = |folder: &Path| {
            let mut peer = tensors(&folder.join("peer.safetensors"));
            (peer.remove("acts").unwrap(), peer.remove("recons").unwrap())
        };
        let (before, after) = (outputs(folder), outputs(copy));
        // A TopK autoencoder rescaled by its decoder's norms is folded: other activations, one function.
        let of_recons = relative_difference(&after.1, &before.1);
        println!("{:32} recons {of_recons:.1e}", name(folder));
        assert!(of_recons < TOLERANCE, "{}: {of_recons}", name(folder));
    }
}

const D_IN: usize = 24;
const D_SAE: usize = 96;
const D_OUT: usize = 20;

fn normal(shape: &[usize], scale: f32, rng: &mut ChaCha8Rng) -> Tensor {
    let n = shape.iter().product();
    let values = StandardNormal.sample_iter(rng).take(n);
    let values: Vec<f32> = values.map(|v: f32| v * scale).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

fn autoencoders(rng: &mut ChaCha8Rng) -> Vec<(&'static str, Sae)> {
    let mut dictionary = || {
        let mut sae = StandardSae::new(
            normal(&[D_IN, D_SAE], 0.2, rng),
            normal(&[D_SAE], 0.3, rng),
            normal(&[D_SAE, D_IN], 0.1, rng),
            normal(&[D_IN], 0.3, rng),
        )
        .unwrap();
        sae.hook_name = Some("blocks.0.mlp.hook_post".to_owned());
        sae
    };
    let standard = dictionary();
    let mut without_b_dec_in = dictionary();
    without_b_dec_in.apply_b_dec_to_input = false;
    let top_k = TopKSae::new(dictionary(), 9).unwrap();
    let (for_jump, for_gates) = (dictionary(), dictionary());
    let threshold = normal(&[D_SAE], 0.5, rng).abs().unwrap();
    let jump_relu = JumpReLUSae::new(for_jump, threshold).unwrap();
    let (r_mag, b_mag) = (normal(&[D_SAE], 0.3, rng), normal(&[D_SAE], 0.3, rng));
    let gated = GatedSae::new(for_gates, r_mag, b_mag).unwrap();
    vec![
        ("standard", standard.into()),
        ("standard_without_b_dec_in", without_b_dec_in.into()),
        ("topk", top_k.into()),
        ("jumprelu", jump_relu.into()),
        ("gated", gated.into()),
    ]
}

fn transcoders(rng: &mut ChaCha8Rng) -> Vec<(&'static str, Transcoder)> {
    let mut made = |jump_relu: bool, skip: bool| {
        let activation = match jump_relu {
            true => TranscoderActivation::JumpRelu {
                threshold: normal(&[D_SAE], 0.5, rng).abs().unwrap(),
            },
            false => TranscoderActivation::Relu,
        };
        let transcoder = Transcoder::new(
            1,
            normal(&[D_IN, D_SAE], 0.2, rng),
            normal(&[D_SAE], 0.3, rng),
            normal(&[D_SAE, D_OUT], 0.1, rng),
            normal(&[D_OUT], 0.3, rng),
            activation,
        )
        .unwrap();
        match skip {
            true => transcoder
                .with_skip(normal(&[D_IN, D_OUT], 0.2, rng))
                .unwrap(),
            false => transcoder,
        }
    };
    vec![
        ("transcoder", made(false, false)),
        ("skip_transcoder", made(false, true)),
        ("jumprelu_transcoder", made(true, false)),
        ("jumprelu_skip_transcoder", made(true, true)),
    ]
}
