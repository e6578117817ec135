//! What Hugging Face's folders of GPT-2 may ask for, and what is refused.

use crate::common;
use crate::tensors::with_first;
use crate::{Fields, HF, Tensors, loaded, refusal};
use holoscope::model::Transformer;
use serde_json::json;

#[test]
fn every_field_of_hugging_face_that_changes_the_model_is_refused_by_name() {
    let Some(dir) = common::shared(HF) else {
        return;
    };
    for (field, value) in [
        ("scale_attn_by_inverse_layer_idx", json!(true)),
        ("scale_attn_weights", json!(false)),
        ("add_cross_attention", json!(true)),
        ("activation_function", json!("quick_gelu")),
        ("model_type", json!("gpt_neo")),
        ("pruned_heads", json!({ "0": [1] })),
        ("quantization_config", json!({ "bits": 4 })),
        ("n_ctx", json!(12)),
        ("layer_norm_epsilon", json!("small")),
        ("rotary_dim", json!(8)),
        ("n_layer", json!("2")),
        ("n_embd", json!(u64::MAX / 2)),
        ("tie_word_embeddings", json!(null)),
    ] {
        let set = |f: &mut Fields| _ = f.insert(field.to_owned(), value.clone());
        let message = refusal(loaded(Transformer::load_hf_gpt2, &dir, set, |_| ()));
        assert!(message.contains(field), "{field}: {message}");
    }
    let wide = |f: &mut Fields| {
        f.insert("n_embd".into(), json!(u64::MAX / 2));
        f.insert("n_inner".into(), json!(192));
    };
    let message = refusal(loaded(Transformer::load_hf_gpt2, &dir, wide, |_| ()));
    assert!(message.contains("which is too large"), "{message}");
    let harmless = |f: &mut Fields| {
        f.insert("reorder_and_upcast_attn".into(), json!(true));
        f.insert("n_ctx".into(), json!(24));
        f.insert("resid_pdrop".into(), json!(0.5));
        f.insert("pruned_heads".into(), json!({}));
        f.insert("n_inner".into(), json!(192));
    };
    loaded(Transformer::load_hf_gpt2, &dir, harmless, |_| ()).unwrap();
}

#[test]
fn a_head_beside_a_tied_embedding_must_be_the_embedding() {
    let Some(dir) = common::shared(HF) else {
        return;
    };
    let copy = |t: &mut Tensors| {
        let w_e = t["transformer.wte.weight"].clone();
        t.insert("lm_head.weight".to_owned(), w_e);
    };
    let load = Transformer::load_hf_gpt2;
    assert!(loaded(load, &dir, |_| (), copy).unwrap().cfg().tied_unembed);
    let other = |t: &mut Tensors| {
        let w_e = with_first(&t["transformer.wte.weight"], 7.0);
        t.insert("lm_head.weight".to_owned(), w_e);
    };
    let message = refusal(loaded(load, &dir, |_| (), other));
    assert!(message.contains("lm_head.weight"), "{message}");
    // Untied it is applied.
    let untie = |f: &mut Fields| _ = f.insert("tie_word_embeddings".into(), json!(false));
    let model = loaded(load, &dir, untie, other).unwrap();
    let w_u = model.parameter("unembed.W_U").unwrap(); // [d_model, d_vocab]
    assert_eq!(w_u.to_vec2::<f32>().unwrap()[0][0], 7.0);
}
