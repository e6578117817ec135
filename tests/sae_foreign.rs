//! Autoencoders and transcoders of other libraries, from files written here byte by byte.
//!
//! What is expected is computed from the arrays that went into the file, by the equations of the
//! library that writes such files, in f64 and element by element.

#[path = "common/archives.rs"]
mod archives;

use archives::{Entry, npz_file, torch_file, write_safetensors};
use candle_core::{Device, Tensor};
use holoscope::Error;
use holoscope::sae::{Sae, SparseAutoencoder, Transcoder};
use serde_json::{Value, json};
use std::path::Path;

const D: usize = 3;
const S: usize = 5;

/// `sin(f i + p)`, i = 0, 1, ..
fn wave(n: usize, f: f64, p: f64) -> Vec<f32> {
    (0..n).map(|i| (f * i as f64 + p).sin() as f32).collect()
}

/// The parameters from which every file here is made; matrices are `[in, out]`.
struct Parameters {
    w_enc: Vec<f32>,
    b_enc: Vec<f32>,
    w_dec: Vec<f32>,
    b_dec: Vec<f32>,
    threshold: Vec<f32>,
}

fn parameters() -> Parameters {
    Parameters {
        w_enc: wave(D * S, 1.3, 0.2),
        b_enc: wave(S, 0.7, 1.0),
        w_dec: wave(S * D, 2.1, 0.4),
        b_dec: wave(D, 1.9, 0.3),
        threshold: wave(S, 0.9, 0.5).iter().map(|t| t.abs() * 0.6).collect(),
    }
}

/// `w` of `[rows, columns]` the other way round.
fn turned(w: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..columns)
        .flat_map(|j| (0..rows).map(move |i| w[i * columns + j]))
        .collect()
}

/// Inputs `[n, D]`.
fn inputs() -> Vec<Vec<f64>> {
    let values = wave(6 * D, 0.83, 0.1);
    let rows = values.chunks(D);
    rows.map(|row| row.iter().map(|&x| 2.0 * f64::from(x)).collect())
        .collect()
}

/// `x W + b`, `W [x.len(), b.len()]`.
fn affine(x: &[f64], w: &[f32], b: &[f32]) -> Vec<f64> {
    let out = b.len();
    (0..out)
        .map(|j| {
            let sum: f64 = x
                .iter()
                .enumerate()
                .map(|(i, x)| x * f64::from(w[i * out + j]))
                .sum();
            sum + f64::from(b[j])
        })
        .collect()
}

fn minus(x: &[f64], b: &[f32]) -> Vec<f64> {
    x.iter().zip(b).map(|(x, &b)| x - f64::from(b)).collect()
}

fn relu(pre: Vec<f64>) -> Vec<f64> {
    pre.into_iter().map(|x| x.max(0.0)).collect()
}

/// What is above the threshold and above 0.
fn jump(pre: Vec<f64>, threshold: impl Fn(usize) -> f64) -> Vec<f64> {
    let kept = pre.into_iter().enumerate();
    kept.map(|(j, x)| if x > threshold(j).max(0.0) { x } else { 0.0 })
        .collect()
}

fn top_k(pre: Vec<f64>, k: usize) -> Vec<f64> {
    let acts = relu(pre);
    let mut sorted = acts.clone();
    sorted.sort_by(|a, b| b.total_cmp(a));
    acts.into_iter()
        .map(|x| if x >= sorted[k - 1] { x } else { 0.0 })
        .collect()
}

fn tensor(rows: &[Vec<f64>]) -> Tensor {
    let values: Vec<f32> = rows.concat().iter().map(|&x| x as f32).collect();
    Tensor::from_vec(values, (rows.len(), rows[0].len()), &Device::Cpu).unwrap()
}

fn assert_close(what: &str, found: &Tensor, expected: &[Vec<f64>]) {
    let found = found.to_vec2::<f32>().unwrap();
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!(
                (f64::from(*found) - expected).abs() < 1e-5,
                "{what}: {found} for {expected}"
            );
        }
    }
}

/// The autoencoder in `path` encodes each input as `encode` does and decodes with these parameters.
fn check_sae(
    path: &Path,
    encode: impl Fn(&[f64]) -> Vec<f64>,
    w_dec: &[f32],
    b_dec: &[f32],
) -> Sae {
    let sae = Sae::load(path).unwrap();
    assert_eq!((sae.d_in(), sae.d_sae()), (D, S));
    let x = inputs();
    let acts: Vec<Vec<f64>> = x.iter().map(|x| encode(x)).collect();
    let active = acts.concat().iter().filter(|&&x| x > 0.0).count();
    assert!(
        active > 4 && active < 6 * S - 4,
        "{active} active: the test shows nothing"
    );
    let y: Vec<Vec<f64>> = acts.iter().map(|acts| affine(acts, w_dec, b_dec)).collect();
    assert_close("acts", &sae.encode(&tensor(&x)).unwrap(), &acts);
    assert_close("reconstruction", &sae.reconstruct(&tensor(&x)).unwrap(), &y);
    // Through SAELens' format and back it is the same.
    let folder = tempfile::tempdir().unwrap();
    sae.save(folder.path()).unwrap();
    let again = Sae::load(folder.path()).unwrap();
    assert_close("saved again", &again.reconstruct(&tensor(&x)).unwrap(), &y);
    assert_eq!(again.hook_name(), sae.hook_name());
    sae
}

fn check_transcoder(
    transcoder: &Transcoder,
    encode: impl Fn(&[f64]) -> Vec<f64>,
    p: &Parameters,
    skip: Option<&[f32]>,
) {
    let x = inputs();
    let acts: Vec<Vec<f64>> = x.iter().map(|x| encode(x)).collect();
    let y = x.iter().zip(&acts).map(|(x, acts)| {
        let mut y = affine(acts, &p.w_dec, &p.b_dec);
        if let Some(skip) = skip {
            let around = affine(x, skip, &[0.0; D]);
            y.iter_mut()
                .zip(around)
                .for_each(|(y, around)| *y += around);
        }
        y
    });
    let y: Vec<Vec<f64>> = y.collect();
    assert_close("acts", &transcoder.encode(&tensor(&x)).unwrap(), &acts);
    assert_close("output", &transcoder.reconstruct(&tensor(&x)).unwrap(), &y);
}

/// A tensor for a file.
fn named<'a>(
    name: &'a str,
    values: &'a [f32],
    shape: &'a [usize],
) -> (&'a str, &'a [f32], &'a [usize]) {
    (name, values, shape)
}

fn write_json(path: &Path, value: &Value) {
    std::fs::write(path, value.to_string()).unwrap();
}

/// The message of the error that reading gives.
fn refused(path: &Path) -> String {
    Sae::load(path).unwrap_err().to_string()
}

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

/// Rows of unit length, and what was their length.
fn unit_rows(w_dec: &[f32]) -> (Vec<f32>, Vec<f64>) {
    let norm = |row: &[f32]| {
        row.iter()
            .map(|&x| f64::from(x) * f64::from(x))
            .sum::<f64>()
            .sqrt()
    };
    let norms: Vec<f64> = w_dec.chunks(D).map(norm).collect();
    let rows = w_dec.chunks(D).zip(&norms);
    (
        rows.flat_map(|(row, norm)| row.iter().map(move |&x| (f64::from(x) / norm) as f32))
            .collect(),
        norms,
    )
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

#[test]
fn llama_scope_is_folded_as_lm_saes_does_for_inference() {
    let (dir, p) = (tempfile::tempdir().unwrap(), parameters());
    let (encoder, decoder) = (turned(&p.w_enc, D, S), turned(&p.w_dec, S, D));
    let tensors: Vec<(&str, &[f32], &[usize])> = vec![
        named("encoder.weight", &encoder, &[S, D]),
        named("encoder.bias", &p.b_enc, &[S]),
        named("decoder.weight", &decoder, &[D, S]),
        named("decoder.bias", &p.b_dec, &[D]),
    ];
    write_safetensors(&dir.path().join("checkpoints/final.safetensors"), &tensors);
    let (norm_in, norm_out, t) = (2.5f64, 4.0f64, 0.4f64);
    // The fields of fnlp/Llama3_1-8B-Base-LXR-32x.
    let mut cfg = json!({
        "device": "cuda:0", "seed": 42, "dtype": "torch.bfloat16",
        "hook_point_in": "blocks.15.hook_resid_post", "hook_point_out": "blocks.15.hook_resid_post",
        "use_decoder_bias": true, "apply_decoder_bias_to_pre_encoder": false, "expansion_factor": 32, "d_model": D,
        "d_sae": S, "bias_init_method": "all_zero", "act_fn": "jumprelu", "jump_relu_threshold": t,
        "norm_activation": "dataset-wise", "dataset_average_activation_norm": { "in": norm_in, "out": norm_in },
        "decoder_exactly_fixed_norm": false, "sparsity_include_decoder_norm": true, "use_glu_encoder": false,
        "init_decoder_norm": 0.5, "init_encoder_norm": null, "init_encoder_with_decoder_transpose": true,
        "lp": 1, "l1_coefficient": 8e-5, "l1_coefficient_warmup_steps": 78125, "top_k": 50,
        "k_warmup_steps": 78125, "use_batch_norm_mse": true, "use_ghost_grads": false, "tp_size": 1, "ddp_size": 1,
    });
    let path = dir.path().join("hyperparams.json");
    write_json(&path, &cfg);
    let (unit, norms) = unit_rows(&p.w_dec);
    let s_in = (D as f64).sqrt() / norm_in;
    // On x itself: pre = (x W + b / s) |W_dec row|, above t; x_hat = acts row / |row| + b_dec / s.
    let scaled = |b: &[f32], s: f64| {
        b.iter()
            .map(|&b| (f64::from(b) / s) as f32)
            .collect::<Vec<_>>()
    };
    let encode = |x: &[f64]| {
        let pre = affine(x, &p.w_enc, &scaled(&p.b_enc, s_in));
        jump(
            pre.iter().zip(&norms).map(|(x, norm)| x * norm).collect(),
            |_| t,
        )
    };
    let sae = check_sae(dir.path(), encode, &unit, &scaled(&p.b_dec, s_in));
    assert_eq!(sae.hook_name(), Some("blocks.15.hook_resid_post"));
    // The reconstruction is that of the network on its own terms: x s in, x_hat / s out, activations above t.
    let x = inputs();
    let y: Vec<Vec<f64>> = x
        .iter()
        .map(|x| {
            let x: Vec<f64> = x.iter().map(|x| x * s_in).collect();
            let pre = affine(&x, &p.w_enc, &p.b_enc);
            // In units of the scaled input the threshold is t s.
            let acts: Vec<f64> = (0..S)
                .map(|j| {
                    if pre[j] * norms[j] > t * s_in {
                        pre[j]
                    } else {
                        0.0
                    }
                })
                .collect();
            affine(&acts, &p.w_dec, &p.b_dec)
                .iter()
                .map(|y| y / s_in)
                .collect()
        })
        .collect();
    assert_close(
        "by its own terms",
        &sae.reconstruct(&tensor(&x)).unwrap(),
        &y,
    );

    // From one hook point to another: outputs have a scale of their own.
    cfg["hook_point_in"] = json!("blocks.8.ln2.hook_normalized");
    cfg["hook_point_out"] = json!("blocks.8.hook_mlp_out");
    cfg["dataset_average_activation_norm"]["out"] = json!(norm_out);
    write_json(&path, &cfg);
    let transcoder = Transcoder::load(dir.path()).unwrap();
    let s_out = (D as f64).sqrt() / norm_out;
    let y: Vec<Vec<f64>> = x
        .iter()
        .map(|x| {
            let x: Vec<f64> = x.iter().map(|x| x * s_in).collect();
            let pre = affine(&x, &p.w_enc, &p.b_enc);
            // The decoder's norms are those after its scaling by s_in / s_out.
            let score = |j: usize| pre[j] * norms[j] / s_out;
            let acts: Vec<f64> = (0..S)
                .map(|j| if score(j) > t { pre[j] } else { 0.0 })
                .collect();
            affine(&acts, &p.w_dec, &p.b_dec)
                .iter()
                .map(|y| y / s_out)
                .collect()
        })
        .collect();
    assert_close(
        "transcoder",
        &transcoder.reconstruct(&tensor(&x)).unwrap(),
        &y,
    );
    assert_eq!(transcoder.hook_name, "blocks.8.ln2.hook_normalized");

    for (field, value) in [
        ("norm_activation", json!("token-wise")),
        ("act_fn", json!("gelu")),
        ("jump_relu_threshold", json!(null)),
        ("use_glu_encoder", json!(true)),
        ("apply_decoder_bias_to_pre_encoder", json!(true)),
        (
            "dataset_average_activation_norm",
            json!({ "in": 0.0, "out": 1.0 }),
        ),
        ("d_sae", json!(6)),
        ("odd", json!(1)),
    ] {
        let mut changed = cfg.clone();
        changed[field] = value;
        write_json(&path, &changed);
        let message = Transcoder::load(dir.path()).unwrap_err().to_string();
        assert!(message.contains(field), "{message}");
    }
}

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
