//! sparsify's files.

use crate::archives::write_safetensors;
use crate::setting::*;
use holoscope::sae::Transcoder;
use serde_json::{Value, json};
use std::path::Path;

#[test]
fn sparsifys_autoencoders_and_transcoders() {
    let (dir, p) = (tempfile::tempdir().unwrap(), parameters());
    let skip = wave(D * D, 0.77, 0.2);
    let (encoder, turned_skip) = (turned(&p.w_enc, D, S), turned(&skip, D, D));
    let tensors: Vec<(&str, &[f32], &[usize])> = vec![
        named("encoder.weight", &encoder, &[S, D]),
        named("encoder.bias", &p.b_enc, &[S]),
        named("W_dec", &p.w_dec, &[S, D]),
        named("b_dec", &p.b_dec, &[D]),
        named("W_skip", &turned_skip, &[D, D]),
    ];
    let cfg = json!({
        "activation": "topk", "expansion_factor": 32, "normalize_decoder": true, "num_latents": S, "k": 2,
        "multi_topk": true, "skip_connection": false, "transcode": false, "d_in": D,
    });
    let folder = dir.path().join("layers.3");
    let at = |folder: &Path, cfg: &Value, tensors: &[(&str, &[f32], &[usize])]| {
        write_safetensors(&folder.join("sae.safetensors"), tensors);
        write_json(&folder.join("cfg.json"), cfg);
    };
    at(&folder, &cfg, &tensors[..4]);
    let encode = |x: &[f64]| top_k(affine(&minus(x, &p.b_dec), &p.w_enc, &p.b_enc), 2);
    let sae = check_sae(&folder, encode, &p.w_dec, &p.b_dec);
    assert_eq!(sae.hook_name(), Some("blocks.3.hook_resid_post"));
    for (field, value) in [
        ("activation", json!("groupmax")),
        ("signed", json!(true)),
        ("skip_connection", json!(true)),
        ("num_latents", json!(7)),
        ("d_in", json!(4)),
        ("k", json!(0)),
        ("odd", json!(1)),
    ] {
        let mut changed = cfg.clone();
        changed[field] = value;
        at(&folder, &changed, &tensors[..4]);
        assert!(refused(&folder).contains(field), "{}", refused(&folder));
    }

    let mut transcoder = cfg;
    transcoder["transcode"] = json!(true);
    transcoder["skip_connection"] = json!(true);
    at(&folder, &transcoder, &tensors);
    let message = Transcoder::load(&folder).unwrap_err().to_string();
    assert!(message.contains("layers.N.mlp"), "{message}");
    let folder = dir.path().join("layers.3.mlp");
    at(&folder, &transcoder, &tensors);
    let loaded = Transcoder::load(&folder).unwrap();
    let encode = |x: &[f64]| top_k(affine(x, &p.w_enc, &p.b_enc), 2);
    check_transcoder(&loaded, encode, &p, Some(&skip));
    assert_eq!(loaded.hook_name_out, "blocks.3.hook_mlp_out");
}
