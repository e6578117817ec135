//! SAELens' folder format: their file to 1e-5, a round trip, and clear errors.

mod common;

use candle_core::{Device, Tensor};
use holoscope::Error;
use holoscope::sae::{Sae, SparseAutoencoder, StandardSae, TopKSae};
use std::path::Path;

fn largest_difference(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.dims(), b.dims());
    let d = (a - b).and_then(|d| d.abs()?.flatten_all()?.max(0)?.to_scalar::<f32>());
    d.expect("two tensors of one shape have a largest difference")
}

/// The TopK autoencoder in a folder.
fn top_k(dir: &Path) -> TopKSae {
    match Sae::load(dir).unwrap() {
        Sae::TopK(sae) => sae,
        other => panic!("{}", other.summary()),
    }
}

fn small() -> StandardSae {
    let tensor = |n: usize| Tensor::arange(0f32, n as f32, &Device::Cpu).unwrap();
    StandardSae::new(
        tensor(6).reshape((2, 3)).unwrap(),
        tensor(3),
        tensor(6).reshape((3, 2)).unwrap(),
        tensor(2),
    )
    .unwrap()
}

#[test]
fn saelens_fixture_is_reproduced_and_survives_a_round_trip() {
    let Some(dir) = common::shared("fixtures/sae_standard") else {
        return;
    };
    let expected =
        candle_core::safetensors::load(dir.join("expected.safetensors"), &Device::Cpu).unwrap();
    let sae = Sae::load(&dir).unwrap();
    assert_eq!((sae.d_in(), sae.d_sae()), (24, 96));
    let written = tempfile::tempdir().unwrap();
    sae.save(written.path()).unwrap();
    let reread = Sae::load(written.path()).unwrap();
    // Keys that we do not use come back as they were.
    assert_eq!(sae.cfg(), reread.cfg());
    assert!(sae.cfg()["metadata"]["sae_lens_version"].is_string());
    for (what, sae) in [("fixture", sae), ("written and read again", reread)] {
        let acts = largest_difference(&sae.encode(&expected["x"]).unwrap(), &expected["acts"]);
        let recons = largest_difference(
            &sae.reconstruct(&expected["x"]).unwrap(),
            &expected["recons"],
        );
        println!("{what}: largest difference of acts {acts:e}, of reconstructions {recons:e}");
        assert!(acts < 1e-5 && recons < 1e-5);
    }
}

/// `s sin(f i + p)`, i = 0, 1, ...: parameters that both sides can write down.
fn wave(shape: &[usize], f: f64, p: f64, s: f64) -> Tensor {
    let n: usize = shape.iter().product();
    let values: Vec<f32> = (0..n)
        .map(|i| (s * (f * i as f64 + p).sin()) as f32)
        .collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// A folder as SAELens 6.54.12 writes it: k = 5 of 40 features of width 12.
fn write_top_k_folder(dir: &Path, rescaled: bool) {
    let cfg = serde_json::json!({
        "d_in": 12, "d_sae": 40, "dtype": "float32", "device": "cpu", "apply_b_dec_to_input": true,
        "normalize_activations": "none", "reshape_activations": "none", "k": 5,
        "rescale_acts_by_decoder_norm": rescaled, "architecture": "topk",
        "metadata": {"sae_lens_version": "6.54.12", "hook_name": "blocks.0.mlp.hook_post"},
    });
    std::fs::write(dir.join("cfg.json"), cfg.to_string()).unwrap();
    let tensors = std::collections::HashMap::from([
        ("W_enc", wave(&[12, 40], 1.3, 0.2, 1.0)),
        ("W_dec", wave(&[40, 12], 0.7, 0.5, 1.0)),
        ("b_enc", wave(&[40], 2.1, 0.1, 0.3)),
        ("b_dec", wave(&[12], 0.9, 0.4, 0.2)),
    ]);
    candle_core::safetensors::save(&tensors, dir.join("sae_weights.safetensors")).unwrap();
}

/// What SAELens 6.54.12 makes of `wave(&[3, 12], 0.37, 1.1, 1.0)` with those folders, to 6 decimals:
/// a token's active features, their activations, and the first reconstructed values.
type TopKOutput = ([usize; 5], [f32; 5], [f32; 4]);
const SAELENS_TOP_K: [[TopKOutput; 3]; 2] = [
    [
        (
            [10, 19, 24, 34, 39],
            [0.789406, 0.776834, 0.665887, 0.803419, 0.649811],
            [1.461859, 0.066126, -1.415912, -2.278346],
        ),
        (
            [3, 13, 22, 27, 37],
            [0.681661, 0.806132, 0.818046, 0.711818, 0.828103],
            [1.09759, 0.007783, -1.140889, -1.799304],
        ),
        (
            [1, 7, 16, 21, 31],
            [0.883644, 0.985375, 1.170233, 1.02503, 1.069977],
            [1.803165, -0.616909, -2.802046, -3.715658],
        ),
    ],
    // With activations in units of the decoder's norms, which SAELens' trainer turns on.
    [
        (
            [10, 19, 24, 34, 39],
            [1.855389, 1.861791, 1.713641, 1.997405, 1.636815],
            [1.461859, 0.066126, -1.415912, -2.278346],
        ),
        (
            [3, 13, 22, 27, 37],
            [1.744714, 1.906034, 1.97491, 1.826824, 2.072707],
            [1.09759, 0.007783, -1.140889, -1.799304],
        ),
        (
            [7, 16, 21, 31, 36],
            [2.303864, 2.785092, 2.642859, 2.641268, 2.121742],
            [2.169021, 0.296202, -1.77113, -3.051794],
        ),
    ],
];

#[test]
fn saelens_top_k_folders_are_reproduced_and_survive_a_round_trip() {
    let x = wave(&[3, 12], 0.37, 1.1, 1.0);
    for (rescaled, expected) in [false, true].into_iter().zip(&SAELENS_TOP_K) {
        let dir = tempfile::tempdir().unwrap();
        write_top_k_folder(dir.path(), rescaled);
        let sae = top_k(dir.path());
        assert_eq!((sae.d_in(), sae.d_sae(), sae.k), (12, 40, 5));
        let written = tempfile::tempdir().unwrap();
        Sae::from(sae.clone()).save(written.path()).unwrap();
        let reread = top_k(written.path());
        assert_eq!(sae.dictionary.cfg, reread.dictionary.cfg);
        let hook = reread.dictionary.hook_name.as_deref();
        assert_eq!(hook, Some("blocks.0.mlp.hook_post"));
        for sae in [sae, reread] {
            let acts: Vec<Vec<f32>> = sae.encode(&x).unwrap().to_vec2().unwrap();
            let recons: Vec<Vec<f32>> = sae.reconstruct(&x).unwrap().to_vec2().unwrap();
            for (t, (ids, values, start)) in expected.iter().enumerate() {
                let active: Vec<usize> = (0..40).filter(|&j| acts[t][j] > 0.0).collect();
                assert_eq!(active, ids, "rescaled {rescaled}, token {t}");
                let pairs = ids.iter().map(|&j| acts[t][j]).zip(values);
                for (found, wanted) in pairs.chain(recons[t].iter().copied().zip(start)) {
                    assert!(
                        (found - wanted).abs() < 1e-5,
                        "{rescaled} {t}: {found} {wanted}"
                    );
                }
            }
            assert_eq!(sae.encode_sparse(&x).unwrap().n_active(), 3 * 5);
        }
    }
}

#[test]
fn a_folder_says_its_architecture() {
    let dir = tempfile::tempdir().unwrap();
    Sae::from(small()).save(dir.path()).unwrap();
    assert_eq!(Sae::load(dir.path()).unwrap().architecture(), "standard");
    let sae = Sae::from(TopKSae::new(small(), 2).unwrap());
    sae.save(dir.path()).unwrap();
    assert_eq!(Sae::load(dir.path()).unwrap().architecture(), "topk");
    edit_cfg(dir.path(), "\"k\": 2", "\"k\": 4");
    assert!(matches!(Sae::load(dir.path()), Err(Error::Argument { .. })));
    edit_cfg(dir.path(), "\"k\"", "\"kk\"");
    let message = Sae::load(dir.path()).unwrap_err().to_string();
    assert!(message.contains("no k"), "{message}");
}

#[test]
fn saving_again_replaces_files_and_never_writes_into_them() {
    let dir = tempfile::tempdir().unwrap();
    let sae = small();
    Sae::from(sae.clone()).save(dir.path()).unwrap();
    // A second name of each old file: writing in place would change it, too.
    let names = ["cfg.json", "sae_weights.safetensors"];
    let old = |name: &str| dir.path().join(format!("old_{name}"));
    for name in names {
        std::fs::hard_link(dir.path().join(name), old(name)).unwrap();
    }
    let before = names.map(|name| std::fs::read(old(name)).unwrap());
    let twice = |t: &Tensor| (t * 2.0).unwrap();
    let mut other = StandardSae::new(
        twice(&sae.w_enc),
        sae.b_enc.clone(),
        sae.w_dec.clone(),
        sae.b_dec.clone(),
    )
    .unwrap();
    other.hook_name = Some("hook_embed".to_owned());
    Sae::from(other.clone()).save(dir.path()).unwrap();
    assert!(names.map(|name| std::fs::read(old(name)).unwrap()) == before);
    let back = Sae::load(dir.path()).unwrap();
    assert_eq!(largest_difference(&back.w_enc(), &other.w_enc), 0.0);
    assert_eq!(back.hook_name(), other.hook_name.as_deref());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 4);
}

#[test]
fn hook_name_and_orientation_survive_a_round_trip() {
    let dir = tempfile::tempdir().unwrap();
    let mut sae = small();
    sae.hook_name = Some("blocks.0.mlp.hook_post".to_owned());
    Sae::from(sae.clone()).save(dir.path()).unwrap();
    let back = Sae::load(dir.path()).unwrap();
    assert_eq!(back.hook_name(), sae.hook_name.as_deref());
    assert_eq!(
        back.w_enc().to_vec2::<f32>().unwrap(),
        sae.w_enc.to_vec2::<f32>().unwrap()
    );
    let raw =
        candle_core::safetensors::load(dir.path().join("sae_weights.safetensors"), &Device::Cpu)
            .unwrap();
    assert_eq!(raw["W_enc"].dims(), [2, 3]);
    assert_eq!(raw["W_dec"].dims(), [3, 2]);
}

/// Saves a good folder, lets `spoil` change it, and returns the error of loading it.
fn error_after(spoil: impl Fn(&Path)) -> Error {
    let dir = tempfile::tempdir().unwrap();
    Sae::from(small()).save(dir.path()).unwrap();
    spoil(dir.path());
    Sae::load(dir.path()).unwrap_err()
}

fn edit_cfg(dir: &Path, from: &str, to: &str) {
    let path = dir.join("cfg.json");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(&path, text.replace(from, to)).unwrap();
}

#[test]
fn missing_files_are_named() {
    for name in ["cfg.json", "sae_weights.safetensors"] {
        let e = error_after(|dir| std::fs::remove_file(dir.join(name)).unwrap());
        assert!(
            matches!(e, Error::Io { .. }) && e.to_string().contains(name),
            "{e}"
        );
    }
}

#[test]
fn corrupt_files_are_named() {
    for name in ["cfg.json", "sae_weights.safetensors"] {
        let e = error_after(|dir| std::fs::write(dir.join(name), b"\x05\0\0").unwrap());
        assert!(
            matches!(e, Error::Format { .. }) && e.to_string().contains(name),
            "{e}"
        );
    }
    let e = error_after(|dir| {
        let path = dir.join("sae_weights.safetensors");
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 8]).unwrap();
    });
    assert!(matches!(e, Error::Format { .. }), "{e}");
}

#[test]
fn wrong_shapes_and_missing_tensors_are_named() {
    let e = error_after(|dir| edit_cfg(dir, "\"d_sae\": 3", "\"d_sae\": 4"));
    assert!(
        matches!(e, Error::Shape { .. }) && e.to_string().contains("d_sae"),
        "{e}"
    );
    let e = error_after(|dir| {
        let path = dir.join("sae_weights.safetensors");
        let mut tensors = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
        tensors.remove("b_dec");
        candle_core::safetensors::save(&tensors, &path).unwrap();
    });
    assert!(e.to_string().contains("b_dec"), "{e}");
}

#[test]
fn another_arithmetic_is_refused() {
    let e = error_after(|dir| edit_cfg(dir, "\"standard\"", "\"no_such\""));
    assert!(e.to_string().contains("no_such"), "{e}");
    let e = error_after(|dir| {
        edit_cfg(
            dir,
            "\"normalize_activations\": \"none\"",
            "\"normalize_activations\": \"layer_norm\"",
        )
    });
    assert!(e.to_string().contains("layer_norm"), "{e}");
}
