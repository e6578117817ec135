//! Models of TransformerLens and Hugging Face: what loads computes what they compute, and no field
//! or tensor is left aside.

#[path = "../common/mod.rs"]
mod common;
mod hugging_face;
mod own_folders;
#[path = "../common/tensors.rs"]
mod tensors;

use candle_core::{DType, Device, Tensor};
use holoscope::config::{Activation, Normalization};
use holoscope::model::Transformer;
use holoscope::{Error, Result};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::path::Path;
use tensors::{copy, edit_json, edit_tensors, largest_difference, with_first};

const TL: &str = "fixtures/tl_gelu_1l";
const HF: &str = "fixtures/hf_gpt2_tiny";

type Fields = Map<String, Value>;
type Tensors = HashMap<String, Tensor>;
type Load = fn(&Path) -> Result<Transformer>;

/// A copy of a shared folder with its configuration and its tensors changed, loaded.
fn loaded(
    load: Load,
    from: &Path,
    fields: impl FnOnce(&mut Fields),
    tensors: impl FnOnce(&mut Tensors),
) -> Result<Transformer> {
    let dir = tempfile::tempdir().unwrap();
    copy(from, dir.path());
    edit_json(&dir.path().join("config.json"), fields);
    edit_tensors(&dir.path().join("model.safetensors"), tensors);
    load(dir.path())
}

fn refusal(result: Result<Transformer>) -> String {
    match result {
        Ok(_) => panic!("it was loaded"),
        Err(err) => {
            assert!(matches!(err, Error::Format { .. }), "{err}");
            err.to_string()
        }
    }
}

fn expected(dir: &Path) -> Tensors {
    candle_core::safetensors::load(dir, &Device::Cpu).unwrap()
}

fn zeros(shape: &[usize]) -> Tensor {
    Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap()
}

#[test]
fn a_model_without_norms_loads_and_matches() {
    let Some(dir) = common::shared("cases/files/tl_normalization_null") else {
        return;
    };
    let Some(peer) = common::shared("cases/files/tl_expected.safetensors") else {
        return;
    };
    let model = Transformer::load_tl(&dir).unwrap();
    assert_eq!(model.cfg().normalization_type, Normalization::None);
    // The file holds the outputs of the model with norms; of it only the tokens serve here. The
    // values are numpy's in float64, from the formulas in `model_norms.rs`; the same script gives the
    // logits in the file, with the norms of `tl_gelu_1l`, to 2e-7.
    let tokens = &expected(&peer)["tokens"];
    let loss = model.loss(tokens).unwrap().to_scalar::<f32>().unwrap();
    assert!((loss - 4.618_199).abs() < 1e-5, "{loss}");
    let logits = model.forward(tokens).unwrap().to_vec3::<f32>().unwrap();
    let rows = [
        (
            &logits[2][15],
            [
                0.079891, -0.021036, 0.055178, 0.069083, 0.066691, -0.114136, -0.006733, 0.043092,
            ],
        ),
        (
            &logits[0][0],
            [
                0.144509, -0.010643, 0.048595, 0.106703, 0.058098, -0.141257, 0.05926, 0.043415,
            ],
        ),
    ];
    for (found, wanted) in rows {
        for (found, wanted) in found.iter().zip(wanted) {
            assert!((found - wanted).abs() < 1e-5, "{found}, expected {wanted}");
        }
    }
}

/// TransformerLens' `fold_layer_norm`: what reads `LN(x) = w n + b` reads `n` instead.
fn fold_layer_norm(tensors: &mut Tensors) {
    fn fold(tensors: &mut Tensors, norm: &str, readers: &[(&str, &str)]) {
        let w = tensors[&format!("{norm}.w")].clone();
        let b = tensors[&format!("{norm}.b")].clone();
        for (matrix, bias) in readers {
            let m = tensors[*matrix].clone(); // [.., d_model, d_out]
            let rank = m.rank();
            // b M along the axis of d_model, in the shape of the bias.
            let column = |t: &Tensor| match rank {
                3 => t.reshape((1, (), 1)).unwrap(),
                _ => t.reshape(((), 1)).unwrap(),
            };
            let shift = m.broadcast_mul(&column(&b)).unwrap().sum(rank - 2).unwrap();
            let bias_value = (&tensors[*bias] + shift).unwrap();
            tensors.insert((*bias).to_owned(), bias_value);
            let folded = m.broadcast_mul(&column(&w)).unwrap();
            tensors.insert((*matrix).to_owned(), folded);
        }
        tensors.remove(&format!("{norm}.w"));
        tensors.remove(&format!("{norm}.b"));
    }
    let attention = [
        ("blocks.0.attn.W_Q", "blocks.0.attn.b_Q"),
        ("blocks.0.attn.W_K", "blocks.0.attn.b_K"),
        ("blocks.0.attn.W_V", "blocks.0.attn.b_V"),
    ];
    fold(tensors, "blocks.0.ln1", &attention);
    let mlp = [("blocks.0.mlp.W_in", "blocks.0.mlp.b_in")];
    fold(tensors, "blocks.0.ln2", &mlp);
    fold(tensors, "ln_final", &[("unembed.W_U", "unembed.b_U")]);
}

#[test]
fn a_model_with_folded_norms_has_transformer_lens_own_logits() {
    let Some(dir) = common::shared(TL) else {
        return;
    };
    let set = |f: &mut Fields| _ = f.insert("normalization_type".into(), json!("LNPre"));
    let model = loaded(Transformer::load_tl, &dir, set, fold_layer_norm).unwrap();
    assert_eq!(model.cfg().normalization_type, Normalization::LnPre);
    let peer = expected(&dir.join("expected.safetensors"));
    let logits = model.forward(&peer["tokens"]).unwrap();
    let difference = largest_difference(&logits, &peer["logits"]);
    println!("largest difference of logits {difference:e}");
    assert!(difference < 1e-4);
    // With LN parameters left in the file it is another model.
    let message = refusal(loaded(Transformer::load_tl, &dir, set, |_| ()));
    assert!(message.contains("\"blocks.0.ln1.b\""), "{message}");
    assert!(message.contains("LNPre"), "{message}");
}

#[test]
fn processed_weights_have_transformer_lens_own_log_probabilities() {
    let Some(dir) = common::shared(TL) else {
        return;
    };
    let peer = expected(&dir.join("expected.safetensors"));
    let processed = Transformer::load_tl(&dir)
        .unwrap()
        .process_weights()
        .unwrap();
    let log_probs = |logits: &Tensor| {
        let sum = logits.exp().unwrap().sum_keepdim(2).unwrap();
        logits.broadcast_sub(&sum.log().unwrap()).unwrap()
    };
    let logits = processed.forward(&peer["tokens"]).unwrap();
    let difference = largest_difference(&log_probs(&logits), &log_probs(&peer["logits"]));
    println!("largest difference of log-probabilities {difference:e}");
    assert!(difference < 1e-4);
    assert!(largest_difference(&logits, &peer["logits"]) > 1e-3);
    // A saved one loads as what it is.
    let folder = tempfile::tempdir().unwrap();
    processed.save(folder.path()).unwrap();
    let again = Transformer::load(folder.path()).unwrap();
    assert_eq!(again.cfg().normalization_type, Normalization::LnPre);
    assert_eq!(
        largest_difference(&again.forward(&peer["tokens"]).unwrap(), &logits),
        0.0
    );
}

#[test]
fn solu_followed_by_a_norm_loads_under_transformer_lens_names() {
    let Some(dir) = common::shared(TL) else {
        return;
    };
    for norm in ["LN", "LNPre"] {
        let set = |f: &mut Fields| {
            f.insert("act_fn".into(), json!("solu_ln"));
            f.insert("normalization_type".into(), json!(norm));
        };
        let model = loaded(Transformer::load_tl, &dir, set, |tensors| {
            if norm == "LN" {
                let ones = zeros(&[64]).affine(1.0, 1.0).unwrap();
                tensors.insert("blocks.0.mlp.ln.w".to_owned(), ones);
                tensors.insert("blocks.0.mlp.ln.b".to_owned(), zeros(&[64]));
            } else {
                fold_layer_norm(tensors);
            }
        })
        .unwrap();
        assert_eq!(model.cfg().act_fn, Activation::SoluLn);
        let tokens = &expected(&dir.join("expected.safetensors"))["tokens"];
        let loss = model.loss(tokens).unwrap().to_scalar::<f32>().unwrap();
        // numpy in float64, as in `model_norms.rs`; both norms give one function.
        assert!((loss - SOLU_LN_LOSS).abs() < 1e-5, "{norm}: {loss}");
    }
    let set = |f: &mut Fields| _ = f.insert("act_fn".into(), json!("solu_ln"));
    let missing = loaded(Transformer::load_tl, &dir, set, |_| ()).unwrap_err();
    assert!(
        missing.to_string().contains("blocks.0.mlp.ln."),
        "{missing}"
    );
    let extra = |t: &mut Tensors| _ = t.insert("blocks.0.mlp.ln.w".to_owned(), zeros(&[64]));
    let message = refusal(loaded(Transformer::load_tl, &dir, |_| (), extra));
    assert!(message.contains("\"blocks.0.mlp.ln.w\""), "{message}");
    assert!(message.contains("solu_ln"), "{message}");
}
const SOLU_LN_LOSS: f32 = 4.703_696_8;

#[test]
fn every_field_of_transformer_lens_that_changes_the_model_is_refused_by_name() {
    let Some(dir) = common::shared(TL) else {
        return;
    };
    for (field, value) in [
        ("attn_scores_soft_cap", json!(50.0)),
        ("output_logits_soft_cap", json!(30.0)),
        ("use_local_attn", json!(true)),
        ("use_qk_norm", json!(true)),
        ("scale_attn_by_inverse_layer_idx", json!(true)),
        ("gated_mlp", json!(true)),
        ("positional_embedding_type", json!("rotary")),
        ("positional_embedding_type", json!(null)),
        ("positional_embedding_type", json!("shortformer")),
        ("final_rms", json!(true)),
        ("uses_rms_norm", json!(true)),
        ("attention_dir", json!("bidirectional")),
        ("act_fn", json!("relu2")),
        ("act_fn", json!(null)),
        ("normalization_type", json!("RMS")),
        ("normalization_type", json!("RMSPre")),
        ("normalization_type", json!(0)),
        ("n_key_value_heads", json!(2)),
        ("d_vocab_out", json!(7)),
        ("attn_scale", json!(1.0)),
        ("attn_scale", json!(-2.0)),
        ("use_attn_scale", json!(false)),
        ("num_experts", json!(4)),
        ("experts_per_token", json!(2)),
        ("clip_qkv", json!(8.0)),
        ("clip_qkv", json!(0.0)),
        ("use_attention_sinks", json!(true)),
        ("use_logn_attn", json!(true)),
        ("post_embedding_ln", json!(true)),
        ("use_normalization_before_and_after", json!(true)),
        ("load_in_4bit", json!(true)),
        ("quantization_method", json!("gptq")),
        ("eps", json!("small")),
        ("d_head", json!(16)),
        ("a_field_of_the_future", json!(false)),
    ] {
        let set = |f: &mut Fields| _ = f.insert(field.to_owned(), value.clone());
        let message = refusal(loaded(Transformer::load_tl, &dir, set, |_| ()));
        assert!(message.contains(field), "{field}: {message}");
    }
}

#[test]
fn what_changes_nothing_in_transformer_lens_configurations_loads() {
    let Some(dir) = common::shared(TL) else {
        return;
    };
    for (field, value) in [
        ("attn_scores_soft_cap", json!(-1.0)),
        ("output_logits_soft_cap", json!(null)),
        ("attn_scale", json!(-1.0)),
        ("d_vocab_out", json!(-1)),
        ("n_key_value_heads", json!(4)),
        ("n_heads", json!(-1)),
        ("use_attn_result", json!(true)),
        ("use_split_qkv_input", json!(true)),
        ("window_size", json!(256)),
        ("attn_types", json!(["global", "local"])),
        ("rotary_dim", json!(8)),
        ("seed", json!(null)),
        ("split_attention_weights", json!(true)),
    ] {
        let set = |f: &mut Fields| _ = f.insert(field.to_owned(), value.clone());
        loaded(Transformer::load_tl, &dir, set, |_| ()).unwrap();
    }
}

#[test]
fn an_unembedding_of_its_own_is_used_whatever_transformer_lens_configuration_says() {
    let Some(dir) = common::shared(TL) else {
        return;
    };
    let tie = |f: &mut Fields| _ = f.insert("tie_word_embeddings".into(), json!(true));
    let peer = expected(&dir.join("expected.safetensors"));
    let model = loaded(Transformer::load_tl, &dir, tie, |_| ()).unwrap();
    let logits = model.forward(&peer["tokens"]).unwrap();
    assert!(largest_difference(&logits, &peer["logits"]) < 1e-4);
    let without = |t: &mut Tensors| _ = t.remove("unembed.W_U");
    assert!(
        loaded(Transformer::load_tl, &dir, tie, without)
            .unwrap()
            .cfg()
            .tied_unembed
    );
}

#[test]
fn buffers_of_the_peers_change_nothing() {
    let mask = Tensor::zeros((1, 1, 24, 24), DType::U8, &Device::Cpu).unwrap();
    if let Some(dir) = common::shared(TL) {
        let add = |t: &mut Tensors| {
            t.insert("blocks.0.attn.mask".to_owned(), mask.clone());
            t.insert("blocks.0.attn.IGNORE".to_owned(), zeros(&[1]));
        };
        loaded(Transformer::load_tl, &dir, |_| (), add).unwrap();
    }
    if let Some(dir) = common::shared(HF) {
        let add = |t: &mut Tensors| {
            t.insert("transformer.h.0.attn.bias".to_owned(), mask.clone());
            t.insert("transformer.h.1.attn.masked_bias".to_owned(), zeros(&[1]));
        };
        loaded(Transformer::load_hf_gpt2, &dir, |_| (), add).unwrap();
    }
}

#[test]
fn an_unknown_field_or_tensor_of_any_name_is_refused_by_name() {
    let cases: [(&str, Load); 2] = [(TL, Transformer::load_tl), (HF, Transformer::load_hf_gpt2)];
    for (rel, load) in cases {
        let Some(dir) = common::shared(rel) else {
            return;
        };
        let name = "[a-zA-Z][a-zA-Z_0-9]{2,12}(\\.[a-z_]{2,8}){0,3}";
        let mut config = ProptestConfig::with_cases(24);
        config.failure_persistence = None;
        proptest!(config, |(name in name, value in 0..3u8)| {
            let value = [json!(null), json!(1.5), json!(["x"])][usize::from(value)].clone();
            let name = format!("zz_{name}");
            let field = |f: &mut Fields| _ = f.insert(name.clone(), value);
            let message = refusal(loaded(load, &dir, field, |_| ()));
            prop_assert!(message.contains(&format!("{name:?}")), "{message}");
            let tensor = |t: &mut Tensors| _ = t.insert(name.clone(), zeros(&[2, 3]));
            let message = refusal(loaded(load, &dir, |_| (), tensor));
            prop_assert!(message.contains(&format!("{name:?} ([2, 3])")), "{message}");
        });
    }
}

#[test]
fn parameters_that_are_not_finite_are_refused_by_name_and_place() {
    let cases: [(&str, Load, &str); 2] = [
        (TL, Transformer::load_tl, "blocks.0.mlp.W_in"),
        (HF, Transformer::load_hf_gpt2, "transformer.wpe.weight"),
    ];
    for (rel, load, name) in cases {
        let Some(dir) = common::shared(rel) else {
            return;
        };
        for value in [f32::NAN, f32::INFINITY] {
            let spoil = |t: &mut Tensors| {
                let spoilt = with_first(&t[name], value);
                t.insert(name.to_owned(), spoilt);
            };
            let message = refusal(loaded(load, &dir, |_| (), spoil));
            let short = name.trim_start_matches("transformer.");
            assert!(
                message.contains(&format!("{short}[0, 0] is {value}")),
                "{message}"
            );
        }
    }
}

#[test]
fn layers_that_a_file_does_not_have_cost_no_memory() {
    let Some(dir) = common::shared(TL) else {
        return;
    };
    let many = |f: &mut Fields| _ = f.insert("n_layers".into(), json!(1_000_000_000_000_u64));
    let refused = loaded(Transformer::load_tl, &dir, many, |_| ());
    let message = refused.unwrap_err().to_string();
    assert!(
        message.contains("blocks.999999999999.attn.W_Q"),
        "{message}"
    );
}
