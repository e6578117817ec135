//! SAELens' folder format: their file to 1e-5, a round trip, and clear errors.

mod common;

use candle_core::{Device, Tensor};
use holoscope::Error;
use holoscope::sae::{SparseAutoencoder, StandardSae, TopKSae};
use std::path::Path;

fn largest_difference(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.dims(), b.dims());
    let d = (a - b).and_then(|d| d.abs()?.flatten_all()?.max(0)?.to_scalar::<f32>());
    d.expect("two tensors of one shape have a largest difference")
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
    let sae = StandardSae::load(&dir).unwrap();
    assert_eq!((sae.d_in(), sae.d_sae()), (24, 96));
    let written = tempfile::tempdir().unwrap();
    sae.save(written.path()).unwrap();
    let reread = StandardSae::load(written.path()).unwrap();
    // Keys that we do not use come back as they were.
    assert_eq!(sae.cfg, reread.cfg);
    assert!(sae.cfg["metadata"]["sae_lens_version"].is_string());
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

/// Folders written by SAELens 6.54.12, weights drawn by `torch.manual_seed(7)`, k = 5 of 40 features;
/// the second with activations in units of the decoder's norms, which SAELens' trainer turns on.
#[test]
fn saelens_top_k_folders_are_reproduced_and_survive_a_round_trip() {
    for name in ["sae_topk", "sae_topk_rescaled"] {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fixtures")
            .join(name);
        let expected =
            candle_core::safetensors::load(dir.join("expected.safetensors"), &Device::Cpu).unwrap();
        let sae = TopKSae::load(&dir).unwrap();
        assert_eq!((sae.d_in(), sae.d_sae(), sae.k), (12, 40, 5));
        let written = tempfile::tempdir().unwrap();
        sae.save(written.path()).unwrap();
        let reread = TopKSae::load(written.path()).unwrap();
        assert_eq!(sae.dictionary.cfg, reread.dictionary.cfg);
        let hook = reread.dictionary.hook_name.as_deref();
        assert_eq!(hook, Some("blocks.0.mlp.hook_post"));
        for (what, sae) in [("fixture", sae), ("written and read again", reread)] {
            let acts = largest_difference(&sae.encode(&expected["x"]).unwrap(), &expected["acts"]);
            let recons = largest_difference(
                &sae.reconstruct(&expected["x"]).unwrap(),
                &expected["recons"],
            );
            println!("{name}, {what}: acts {acts:e}, reconstructions {recons:e}");
            assert!(
                acts < 1e-5 && recons < 1e-5,
                "{name}, {what}: {acts} {recons}"
            );
            assert_eq!(
                sae.encode_sparse(&expected["x"]).unwrap().n_active(),
                10 * 5
            );
        }
    }
}

#[test]
fn a_top_k_folder_says_so_and_is_no_standard_one() {
    let dir = tempfile::tempdir().unwrap();
    TopKSae::new(small(), 2).unwrap().save(dir.path()).unwrap();
    let message = StandardSae::load(dir.path()).unwrap_err().to_string();
    assert!(message.contains("topk"), "{message}");
    edit_cfg(dir.path(), "\"k\": 2", "\"k\": 4");
    assert!(matches!(
        TopKSae::load(dir.path()),
        Err(Error::Argument { .. })
    ));
    edit_cfg(dir.path(), "\"k\"", "\"kk\"");
    let message = TopKSae::load(dir.path()).unwrap_err().to_string();
    assert!(message.contains("no k"), "{message}");
    small().save(dir.path()).unwrap();
    let message = TopKSae::load(dir.path()).unwrap_err().to_string();
    assert!(message.contains("standard"), "{message}");
}

#[test]
fn saving_again_replaces_files_and_never_writes_into_them() {
    let dir = tempfile::tempdir().unwrap();
    let sae = small();
    sae.save(dir.path()).unwrap();
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
    other.save(dir.path()).unwrap();
    assert!(names.map(|name| std::fs::read(old(name)).unwrap()) == before);
    let back = StandardSae::load(dir.path()).unwrap();
    assert_eq!(largest_difference(&back.w_enc, &other.w_enc), 0.0);
    assert_eq!(back.hook_name, other.hook_name);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 4);
}

#[test]
fn hook_name_and_orientation_survive_a_round_trip() {
    let dir = tempfile::tempdir().unwrap();
    let mut sae = small();
    sae.hook_name = Some("blocks.0.mlp.hook_post".to_owned());
    sae.save(dir.path()).unwrap();
    let back = StandardSae::load(dir.path()).unwrap();
    assert_eq!(back.hook_name, sae.hook_name);
    assert_eq!(
        back.w_enc.to_vec2::<f32>().unwrap(),
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
    small().save(dir.path()).unwrap();
    spoil(dir.path());
    StandardSae::load(dir.path()).unwrap_err()
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
    let e = error_after(|dir| edit_cfg(dir, "\"standard\"", "\"jumprelu\""));
    assert!(e.to_string().contains("jumprelu"), "{e}");
    let e = error_after(|dir| {
        edit_cfg(
            dir,
            "\"normalize_activations\": \"none\"",
            "\"normalize_activations\": \"layer_norm\"",
        )
    });
    assert!(e.to_string().contains("layer_norm"), "{e}");
}
