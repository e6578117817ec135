//! dictionary_learning's files, each class.

use crate::archives::{Entry, torch_file};
use crate::setting::*;
use serde_json::json;
use std::path::Path;

/// `ae.pt` and `config.json` in a folder.
fn write_dictionary(dir: &Path, class: &str, k: Option<u64>, entries: &[Entry]) {
    let mut trainer = json!({
        "dict_class": class, "trainer_class": "Trainer", "activation_dim": D, "dict_size": S, "lr": 1e-3,
        "steps": 10, "seed": null, "device": "cpu", "layer": 2, "lm_name": "EleutherAI/pythia-70m",
        "wandb_name": "x", "submodule_name": "resid_post_layer_2", "warmup_steps": 1,
    });
    if let Some(k) = k {
        trainer["k"] = json!(k);
    }
    let config =
        json!({ "trainer": trainer, "buffer": { "d_submodule": D, "io": "out", "ctx_len": 128 } });
    write_json(&dir.join("config.json"), &config);
    std::fs::write(dir.join("ae.pt"), torch_file(entries)).unwrap();
}

/// `encoder.weight` and `decoder.weight` of a torch.nn.Linear.
fn linear(p: &Parameters) -> Vec<Entry> {
    vec![
        Entry::floats("encoder.weight", &turned(&p.w_enc, D, S), &[S, D]),
        Entry::transposed("decoder.weight", &turned(&p.w_dec, S, D), [D, S]),
    ]
}

#[test]
fn dictionary_learnings_standard_classes() {
    let (dir, p) = (tempfile::tempdir().unwrap(), parameters());
    let mut entries = vec![
        Entry::floats("bias", &p.b_dec, &[D]),
        Entry::floats("encoder.bias", &p.b_enc, &[S]),
    ];
    entries.extend(linear(&p));
    write_dictionary(dir.path(), "AutoEncoder", None, &entries);
    // `AutoEncoder.from_pretrained` calls normalize_decoder: features in units of the decoder's norms.
    let (unit, norms) = unit_rows(&p.w_dec);
    let encode = |x: &[f64]| {
        let acts = relu(affine(&minus(x, &p.b_dec), &p.w_enc, &p.b_enc));
        acts.iter().zip(&norms).map(|(x, norm)| x * norm).collect()
    };
    let sae = check_sae(dir.path(), encode, &unit, &p.b_dec);
    assert_eq!(sae.hook_name(), Some("blocks.2.hook_resid_post"));

    let mut entries = vec![
        Entry::floats("encoder.bias", &p.b_enc, &[S]),
        Entry::floats("decoder.bias", &p.b_dec, &[D]),
    ];
    entries.extend(linear(&p));
    write_dictionary(dir.path(), "AutoEncoderNew", None, &entries);
    let encode = |x: &[f64]| relu(affine(x, &p.w_enc, &p.b_enc));
    check_sae(dir.path(), encode, &p.w_dec, &p.b_dec);
}

#[test]
fn dictionary_learnings_gated_class() {
    let (dir, p) = (tempfile::tempdir().unwrap(), parameters());
    let (r_mag, b_mag) = (wave(S, 1.1, 0.6), wave(S, 0.3, 0.9));
    let mut entries = vec![
        Entry::floats("decoder_bias", &p.b_dec, &[D]),
        Entry::floats("r_mag", &r_mag, &[S]),
        Entry::floats("gate_bias", &p.b_enc, &[S]),
        Entry::floats("mag_bias", &b_mag, &[S]),
    ];
    entries.extend(linear(&p));
    write_dictionary(dir.path(), "GatedAutoEncoder", None, &entries);
    let encode = |x: &[f64]| {
        let pre = affine(&minus(x, &p.b_dec), &p.w_enc, &[0.0; S]);
        let act = |(j, pre): (usize, &f64)| {
            let gate = pre + f64::from(p.b_enc[j]);
            let magnitude = f64::from(r_mag[j]).exp() * pre + f64::from(b_mag[j]);
            if gate > 0.0 { magnitude.max(0.0) } else { 0.0 }
        };
        pre.iter().enumerate().map(act).collect()
    };
    assert_eq!(
        check_sae(dir.path(), encode, &p.w_dec, &p.b_dec).architecture(),
        "gated"
    );
}

#[test]
fn dictionary_learnings_jump_relu_class_subtracts_no_b_dec() {
    let (dir, p) = (tempfile::tempdir().unwrap(), parameters());
    let entries = [
        Entry::floats("W_enc", &p.w_enc, &[D, S]),
        Entry::floats("b_enc", &p.b_enc, &[S]),
        Entry::floats("W_dec", &p.w_dec, &[S, D]),
        Entry::floats("b_dec", &p.b_dec, &[D]),
        Entry::floats("threshold", &p.threshold, &[S]),
    ];
    write_dictionary(dir.path(), "JumpReluAutoEncoder", None, &entries);
    let encode = |x: &[f64]| jump(affine(x, &p.w_enc, &p.b_enc), |j| f64::from(p.threshold[j]));
    assert_eq!(
        check_sae(dir.path(), encode, &p.w_dec, &p.b_dec).architecture(),
        "jumprelu"
    );
}

/// The tensors of `AutoEncoderTopK` and `BatchTopKSAE`.
fn top_k_entries(p: &Parameters, k: i32, threshold: f32) -> Vec<Entry> {
    let mut entries = vec![
        Entry::int("k", k),
        Entry::float("threshold", threshold),
        Entry::floats("encoder.bias", &p.b_enc, &[S]),
        Entry::floats("b_dec", &p.b_dec, &[D]),
    ];
    entries.extend(linear(p));
    entries
}

#[test]
fn dictionary_learnings_top_k_classes() {
    let (dir, p) = (tempfile::tempdir().unwrap(), parameters());
    let pre = |x: &[f64]| affine(&minus(x, &p.b_dec), &p.w_enc, &p.b_enc);
    write_dictionary(
        dir.path(),
        "AutoEncoderTopK",
        Some(2),
        &top_k_entries(&p, 2, -1.0),
    );
    let sae = check_sae(dir.path(), |x| top_k(pre(x), 2), &p.w_dec, &p.b_dec);
    assert_eq!(sae.architecture(), "topk");

    write_dictionary(
        dir.path(),
        "BatchTopKSAE",
        Some(2),
        &top_k_entries(&p, 2, 0.75),
    );
    let sae = check_sae(dir.path(), |x| jump(pre(x), |_| 0.75), &p.w_dec, &p.b_dec);
    assert_eq!(sae.architecture(), "jumprelu");

    let sizes: Vec<u8> = [2i64, 3].iter().flat_map(|n| n.to_le_bytes()).collect();
    let entries = |sizes: Vec<u8>| {
        [
            Entry::int("k", 2),
            Entry::float("threshold", 0.75),
            Entry::new("group_sizes", "LongStorage", 8, sizes, &[2]),
            Entry::floats("W_enc", &p.w_enc, &[D, S]),
            Entry::floats("b_enc", &p.b_enc, &[S]),
            Entry::floats("W_dec", &p.w_dec, &[S, D]),
            Entry::floats("b_dec", &p.b_dec, &[D]),
        ]
    };
    write_dictionary(
        dir.path(),
        "MatryoshkaBatchTopKSAE",
        Some(2),
        &entries(sizes.clone()),
    );
    check_sae(dir.path(), |x| jump(pre(x), |_| 0.75), &p.w_dec, &p.b_dec);
    let mut other = sizes;
    other[0] = 1;
    write_dictionary(
        dir.path(),
        "MatryoshkaBatchTopKSAE",
        Some(2),
        &entries(other),
    );
    assert!(
        refused(dir.path()).contains("group_sizes is [1.0, 3.0]"),
        "{}",
        refused(dir.path())
    );
}

#[test]
fn what_dictionary_learnings_reader_does_not_know_is_refused() {
    let (dir, p) = (tempfile::tempdir().unwrap(), parameters());
    write_dictionary(dir.path(), "IdentityDict", None, &[]);
    assert!(refused(dir.path()).contains("\"IdentityDict\""));
    write_dictionary(
        dir.path(),
        "AutoEncoderTopK",
        Some(3),
        &top_k_entries(&p, 2, -1.0),
    );
    assert!(refused(dir.path()).contains("k is 2, but config.json has k = 3"));
    write_dictionary(
        dir.path(),
        "AutoEncoderTopK",
        None,
        &top_k_entries(&p, 2, -1.0),
    );
    assert!(refused(dir.path()).contains("there is no k"));
    write_dictionary(
        dir.path(),
        "BatchTopKSAE",
        Some(2),
        &top_k_entries(&p, 2, -1.0),
    );
    assert!(refused(dir.path()).contains("threshold is -1"));
    // A class with the tensors of another one.
    write_dictionary(
        dir.path(),
        "AutoEncoderNew",
        None,
        &top_k_entries(&p, 2, 0.5),
    );
    assert!(refused(dir.path()).contains("decoder.bias"));
    let config = std::fs::read_to_string(dir.path().join("config.json")).unwrap();
    let odd = config.replacen("\"trainer\":{", "\"trainer\":{\"input_scale\":2,", 1);
    assert_ne!(odd, config);
    std::fs::write(dir.path().join("config.json"), odd).unwrap();
    assert!(refused(dir.path()).contains("\"input_scale\""));
}
