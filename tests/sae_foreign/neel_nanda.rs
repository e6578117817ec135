//! 1L-Sparse-Autoencoder's files.

use crate::archives::{Entry, torch_file};
use crate::setting::*;
use holoscope::Error;
use holoscope::sae::Sae;
use serde_json::{Value, json};

fn neel_cfg() -> Value {
    // As 1L-Sparse-Autoencoder's `AutoEncoder.save` writes it.
    json!({
        "seed": 49, "batch_size": 4096, "buffer_mult": 384, "lr": 1e-4, "num_tokens": 2_000_000_000u64,
        "l1_coeff": 3e-4, "beta1": 0.9, "beta2": 0.99, "dict_mult": 32, "seq_len": 128, "enc_dtype": "fp32",
        "remove_rare_dir": false, "model_name": "gelu-2l", "site": "mlp_out", "layer": 0, "device": "cuda:0",
        "model_batch_size": 512, "buffer_size": 1_572_864, "buffer_batches": 12_288,
        "act_name": "blocks.0.hook_mlp_out", "act_size": D, "dict_size": S, "name": "gelu-2l_0_mlp_out",
    })
}

fn neel_entries(p: &Parameters) -> Vec<Entry> {
    vec![
        Entry::transposed("W_enc", &p.w_enc, [D, S]),
        Entry::floats("W_dec", &p.w_dec, &[S, D]),
        Entry::floats("b_enc", &p.b_enc, &[S]),
        Entry::floats("b_dec", &p.b_dec, &[D]),
    ]
}

#[test]
fn neel_nandas_autoencoders_are_standard_ones() {
    let (dir, p) = (tempfile::tempdir().unwrap(), parameters());
    let weights = dir.path().join("25.pt");
    std::fs::write(&weights, torch_file(&neel_entries(&p))).unwrap();
    write_json(&dir.path().join("25_cfg.json"), &neel_cfg());
    let encode = |x: &[f64]| relu(affine(&minus(x, &p.b_dec), &p.w_enc, &p.b_enc));
    for path in [weights.as_path(), dir.path()] {
        let sae = check_sae(path, encode, &p.w_dec, &p.b_dec);
        assert_eq!(
            (sae.architecture(), sae.hook_name()),
            ("standard", Some("blocks.0.hook_mlp_out"))
        );
        assert_eq!(sae.cfg()["metadata"]["model_name"], "gelu-2l");
    }
}

#[test]
fn what_neel_nandas_reader_does_not_know_is_refused() {
    let (dir, p) = (tempfile::tempdir().unwrap(), parameters());
    let (weights, cfg) = (dir.path().join("25.pt"), dir.path().join("25_cfg.json"));
    std::fs::write(&weights, torch_file(&neel_entries(&p))).unwrap();
    for (field, value) in [
        ("remove_rare_dir", json!(true)),
        ("odd", json!(1)),
        ("hook_transcoder_in", json!("x")),
        ("act_size", json!(7)),
        ("dict_size", json!("x")),
    ] {
        let mut changed = neel_cfg();
        changed[field] = value;
        write_json(&cfg, &changed);
        assert!(refused(&weights).contains(field), "{}", refused(&weights));
    }
    write_json(&cfg, &neel_cfg());
    let mut more = neel_entries(&p);
    more.push(Entry::floats("scale", &[1.0], &[1]));
    std::fs::write(&weights, torch_file(&more)).unwrap();
    assert!(
        refused(&weights).contains("\"scale\" ([1])"),
        "{}",
        refused(&weights)
    );
    std::fs::write(&weights, torch_file(&more[..3])).unwrap();
    assert!(refused(&weights).contains("b_dec"), "{}", refused(&weights));
    let mut broken = neel_entries(&p);
    broken[2] = Entry::floats("b_enc", &[0.0, f32::NAN, 0.0, 0.0, 0.0], &[S]);
    std::fs::write(&weights, torch_file(&broken)).unwrap();
    assert!(
        refused(&weights).contains("b_enc[1] is NaN"),
        "{}",
        refused(&weights)
    );
    std::fs::remove_file(&cfg).unwrap();
    assert!(matches!(Sae::load(&weights), Err(Error::Io { .. })));
}
