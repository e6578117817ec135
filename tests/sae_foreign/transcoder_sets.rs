//! circuit-tracer's sets, and places of no known format.

use crate::archives::{npz_file, write_safetensors};
use crate::setting::*;
use holoscope::Error;
use holoscope::sae::{Sae, Transcoder};

#[test]
fn circuit_tracers_sets() {
    let (dir, p) = (tempfile::tempdir().unwrap(), parameters());
    let skip = wave(D * D, 0.77, 0.2);
    let (encoder, turned_skip) = (turned(&p.w_enc, D, S), turned(&skip, D, D));
    let tensors: Vec<(&str, &[f32], &[usize])> = vec![
        named("W_enc", &encoder, &[S, D]),
        named("W_dec", &p.w_dec, &[S, D]),
        named("b_enc", &p.b_enc, &[S]),
        named("b_dec", &p.b_dec, &[D]),
        named("W_skip", &turned_skip, &[D, D]),
        named("activation_function.threshold", &p.threshold, &[S]),
    ];
    let layer = |n: usize| dir.path().join(format!("layer_{n}.safetensors"));
    write_safetensors(&layer(0), &tensors[..4]);
    write_safetensors(&layer(1), &tensors);
    let config = dir.path().join("config.yaml");
    let text = "model_name: \"gpt2\"\nmodel_kind: transcoder_set\nfeature_input_hook: \"hook_resid_mid\"\n\
                feature_output_hook: \"mlp.hook_out\"\nscan: x\n";
    std::fs::write(&config, text).unwrap();
    let set = Transcoder::load_set(dir.path()).unwrap();
    assert_eq!(set.len(), 2);
    let relu = |x: &[f64]| relu(affine(x, &p.w_enc, &p.b_enc));
    let jump = |x: &[f64]| jump(affine(x, &p.w_enc, &p.b_enc), |j| f64::from(p.threshold[j]));
    check_transcoder(&set[0], relu, &p, None);
    check_transcoder(&set[1], jump, &p, Some(&skip));
    assert_eq!(set[1].hook_name, "blocks.1.hook_resid_mid");
    assert_eq!(set[1].hook_name_out, "blocks.1.hook_mlp_out");
    for message in [
        refused(dir.path()),
        Transcoder::load(dir.path()).unwrap_err().to_string(),
    ] {
        assert!(message.contains("load_set"), "{message}");
    }
    // Files by name: Gemma Scope's, Gemma Scope 2's and its own in one set.
    let arrays: Vec<(&str, &[f32], &[usize])> = vec![
        named("W_enc", &p.w_enc, &[D, S]),
        named("W_dec", &p.w_dec, &[S, D]),
        named("b_enc", &p.b_enc, &[S]),
        named("b_dec", &p.b_dec, &[D]),
        named("threshold", &p.threshold, &[S]),
    ];
    std::fs::write(dir.path().join("a.npz"), npz_file(&arrays)).unwrap();
    let lower = ["w_enc", "w_dec", "b_enc", "b_dec", "threshold"];
    let renamed: Vec<_> = lower
        .iter()
        .zip(&arrays)
        .map(|(name, a)| (*name, a.1, a.2))
        .collect();
    write_safetensors(&dir.path().join("b.safetensors"), &renamed);
    let listed = format!("{text}transcoders:\n- a.npz\n- b.safetensors\n- layer_0.safetensors\n");
    std::fs::write(&config, &listed).unwrap();
    let set = Transcoder::load_set(dir.path()).unwrap();
    check_transcoder(&set[0], jump, &p, None);
    check_transcoder(&set[1], jump, &p, None);
    check_transcoder(&set[2], relu, &p, None);
    assert_eq!(set[2].hook_name, "blocks.2.hook_resid_mid");
    std::fs::write(
        &config,
        format!("{listed}- hf://org/name/layer_3.safetensors\n"),
    )
    .unwrap();
    let message = Transcoder::load_set(dir.path()).unwrap_err().to_string();
    assert!(message.contains("set_from_pretrained"), "{message}");
    std::fs::write(
        &config,
        format!("{text}transcoders:\n- missing.safetensors\n"),
    )
    .unwrap();
    assert!(matches!(
        Transcoder::load_set(dir.path()),
        Err(Error::Io { .. })
    ));
}

#[test]
fn a_place_of_no_known_format_lists_what_was_sought() {
    let dir = tempfile::tempdir().unwrap();
    let message = refused(dir.path());
    for name in [
        "ae.pt",
        "params.npz",
        "sae.safetensors",
        "hyperparams.json",
        "_cfg.json",
    ] {
        assert!(message.contains(name), "{message}");
    }
    let odd = dir.path().join("x.bin");
    std::fs::write(&odd, "x").unwrap();
    assert!(refused(&odd).contains("x.bin"));
    for name in ["a", "b"] {
        std::fs::write(dir.path().join(format!("{name}.pt")), "x").unwrap();
        std::fs::write(dir.path().join(format!("{name}_cfg.json")), "{}").unwrap();
    }
    assert!(refused(dir.path()).contains("2 .pt files"));
    assert!(matches!(
        Sae::load(dir.path().join("nowhere")),
        Err(Error::Io { .. })
    ));
}
