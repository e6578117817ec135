//! Gemma Scope's and Gemma Scope 2's files.

use crate::archives::{npz_file, write_safetensors};
use crate::setting::*;
use holoscope::sae::Transcoder;
use serde_json::json;

#[test]
fn gemma_scope_and_its_transcoders() {
    let (dir, p) = (tempfile::tempdir().unwrap(), parameters());
    let arrays: Vec<(&str, &[f32], &[usize])> = vec![
        named("W_enc", &p.w_enc, &[D, S]),
        named("W_dec", &p.w_dec, &[S, D]),
        named("b_enc", &p.b_enc, &[S]),
        named("b_dec", &p.b_dec, &[D]),
        named("threshold", &p.threshold, &[S]),
    ];
    let encode = |x: &[f64]| jump(affine(x, &p.w_enc, &p.b_enc), |j| f64::from(p.threshold[j]));
    let at = |folder: &str| {
        let folder = dir.path().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("params.npz"), npz_file(&arrays)).unwrap();
        folder
    };
    let folder = at("gemma-scope-2b-pt-res/layer_5/width_16k/average_l0_105");
    let sae = check_sae(&folder, encode, &p.w_dec, &p.b_dec);
    assert_eq!(sae.hook_name(), Some("blocks.5.hook_resid_post"));
    // A path that says nothing.
    assert_eq!(
        check_sae(&at("x"), encode, &p.w_dec, &p.b_dec).hook_name(),
        None
    );
    assert!(
        Transcoder::load(at("x"))
            .unwrap_err()
            .to_string()
            .contains("layer_N")
    );
    // The same tensors as a transcoder.
    let folder = at("gemma-scope-2b-pt-transcoders/layer_7/width_16k");
    let transcoder = Transcoder::load(&folder).unwrap();
    check_transcoder(&transcoder, encode, &p, None);
    assert_eq!(transcoder.hook_name, "blocks.7.ln2.hook_normalized");
    assert_eq!(transcoder.hook_name_out, "blocks.7.hook_mlp_out");
    assert!(refused(&folder).contains("Transcoder::load"));
    let missing = npz_file(&arrays[..4]);
    std::fs::write(dir.path().join("x/params.npz"), missing).unwrap();
    assert!(refused(&dir.path().join("x")).contains("threshold"));
}

#[test]
fn gemma_scope_2_and_its_transcoders() {
    let (dir, p) = (tempfile::tempdir().unwrap(), parameters());
    let skip = wave(D * D, 0.77, 0.2);
    let mut tensors: Vec<(&str, &[f32], &[usize])> = vec![
        named("w_enc", &p.w_enc, &[D, S]),
        named("w_dec", &p.w_dec, &[S, D]),
        named("b_enc", &p.b_enc, &[S]),
        named("b_dec", &p.b_dec, &[D]),
        named("threshold", &p.threshold, &[S]),
    ];
    let encode = |x: &[f64]| jump(affine(x, &p.w_enc, &p.b_enc), |j| f64::from(p.threshold[j]));
    let (weights, config) = (
        dir.path().join("params.safetensors"),
        dir.path().join("config.json"),
    );
    write_safetensors(&weights, &tensors);
    let sae = json!({
        "architecture": "jump_relu", "model_name": "gemma-v3-1b-pt", "hf_hook_point_in": "model.layers.7.output",
        "width": S, "l0": 20,
    });
    write_json(&config, &sae);
    let loaded = check_sae(dir.path(), encode, &p.w_dec, &p.b_dec);
    assert_eq!(loaded.hook_name(), Some("blocks.7.hook_resid_post"));
    for (field, value) in [
        ("architecture", json!("topk")),
        ("width", json!(9)),
        ("affine_connection", json!(true)),
        ("odd", json!(0)),
    ] {
        let mut changed = sae.clone();
        changed[field] = value;
        write_json(&config, &changed);
        assert!(
            refused(dir.path()).contains(field),
            "{}",
            refused(dir.path())
        );
    }

    // y = acts w_dec + b_dec + x affine_skip_connection (circuit-tracer's load_gemma_scope_2_transcoder).
    tensors.push(named("affine_skip_connection", &skip, &[D, D]));
    write_safetensors(&weights, &tensors);
    let mut transcoder = json!({
        "architecture": "jump_relu", "model_name": "gemma-v3-1b-pt", "affine_connection": true,
        "hf_hook_point_in": "model.layers.4.pre_feedforward_layernorm.output",
        "hf_hook_point_out": "model.layers.4.post_feedforward_layernorm.output",
    });
    write_json(&config, &transcoder);
    let loaded = Transcoder::load(dir.path()).unwrap();
    check_transcoder(&loaded, encode, &p, Some(&skip));
    assert_eq!(loaded.hook_name, "blocks.4.mlp.hook_in");
    assert!(refused(dir.path()).contains("Transcoder::load"));
    // The tensor is there, but the configuration does not say so.
    transcoder["affine_connection"] = json!(false);
    write_json(&config, &transcoder);
    let message = Transcoder::load(dir.path()).unwrap_err().to_string();
    assert!(message.contains("affine_skip_connection"), "{message}");
    transcoder["hf_hook_point_out"] = json!("model.layers.5.post_feedforward_layernorm.output");
    write_json(&config, &transcoder);
    let message = Transcoder::load(dir.path()).unwrap_err().to_string();
    assert!(message.contains("model.layers.5"), "{message}");
}
