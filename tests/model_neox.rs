//! GPT-NeoX and Pythia: Hugging Face's and TransformerLens' files, rotary positions, parallel blocks,
//! their hook points.

#[path = "common/gpt_neox.rs"]
mod gpt_neox;
#[path = "common/models.rs"]
mod models;
#[path = "common/tensors.rs"]
mod tensors;

use candle_core::{DType, Device, IndexOp, Tensor};
use gpt_neox::{CASES, D, D_VOCAB, Fields, TOKENS, Tensors, loaded};
use holoscope::config::{Activation, PositionalEmbedding, TransformerConfig};
use holoscope::interp::direct_logit_attribution;
use holoscope::model::{ActivationCache, Hook, NamesFilter, Transformer, zero_ablate};
use holoscope::{Error, Result};
use models::{bits, scalar, some_tokens};
use serde_json::{Value, json};
use tensors::largest_difference;

fn tokens() -> Tensor {
    Tensor::new(&[TOKENS], &Device::Cpu).unwrap()
}

fn all(model: &Transformer) -> (Tensor, ActivationCache) {
    let (logits, cache) = model
        .run_with_cache_filtered(&tokens(), &NamesFilter::All, None)
        .unwrap();
    (logits.unwrap(), cache)
}

fn assert_close(found: &Tensor, wanted: &[f32], what: &str) {
    let found = found.to_vec1::<f32>().unwrap();
    assert_eq!(found.len(), wanted.len(), "{what}");
    for (found, wanted) in found.iter().zip(wanted) {
        assert!(
            (found - wanted).abs() < 1e-4,
            "{what}: {found}, expected {wanted}"
        );
    }
}

#[test]
fn hugging_faces_files_give_the_logits_of_its_definition() {
    for case in &CASES {
        let model = case.model();
        let cfg = model.cfg();
        assert_eq!(cfg.positional_embedding_type, PositionalEmbedding::Rotary);
        assert_eq!(cfg.n_rotated(), (8.0 * case.rotary_pct) as usize);
        assert_eq!(cfg.parallel_attn_mlp, case.parallel);
        let gelu = case.hidden_act == "gelu";
        assert_eq!(cfg.act_fn == Activation::Gelu, gelu);
        let loss = scalar(&model.loss(&tokens()).unwrap());
        assert!(
            (loss - case.loss).abs() < 1e-5,
            "{loss}, expected {}",
            case.loss
        );
        let (logits, cache) = all(&model);
        assert_close(&logits.i((0, 4)).unwrap(), &case.logits, "logits");
        let forward = model.forward(&tokens()).unwrap();
        assert_eq!(bits(&forward), bits(&logits));
        for (name, wanted) in [("hook_rot_q", &case.rot_q), ("hook_rot_k", &case.rot_k)] {
            let found = cache.get(&format!("blocks.1.attn.{name}")).unwrap();
            assert_eq!(found.dims(), [1, 5, 2, 8]);
            assert_close(&found.i((0, 4, 1)).unwrap(), wanted, name);
        }
        // Training's own pass has the same loss.
        let (loss, _) = model.loss_and_gradients(&tokens()).unwrap();
        assert!((scalar(&loss) - case.loss).abs() < 1e-5);
    }
}

#[test]
fn every_field_that_is_applied_changes_the_model() {
    let case = &CASES[0];
    let before = case.model().forward(&tokens()).unwrap();
    for (field, value) in [
        ("use_parallel_residual", json!(false)),
        ("rotary_pct", json!(1.0)),
        ("rotary_emb_base", json!(50)),
        ("hidden_act", json!("relu")),
        ("layer_norm_eps", json!(1.0)),
        ("num_attention_heads", json!(4)),
    ] {
        let set = |f: &mut Fields| _ = f.insert(field.to_owned(), value.clone());
        let after = case
            .edited(set, |_| ())
            .unwrap()
            .forward(&tokens())
            .unwrap();
        assert!(largest_difference(&after, &before) > 1e-3, "{field}");
    }
    let shorter = |f: &mut Fields| _ = f.insert("max_position_embeddings".into(), json!(4));
    let shorter = case.edited(shorter, |_| ()).unwrap();
    assert!(shorter.forward(&tokens()).is_err());
}

#[test]
fn a_tied_unembedding_is_the_embedding_and_a_copy_beside_it_must_be_one() {
    let case = &CASES[0];
    let tie = |f: &mut Fields| _ = f.insert("tie_word_embeddings".into(), json!(true));
    let alone = |t: &mut Tensors| _ = t.remove("embed_out.weight");
    let model = case.edited(tie, alone).unwrap();
    assert!(model.cfg().tied_unembed);
    let copy = |t: &mut Tensors| {
        let w_e = t["gpt_neox.embed_in.weight"].clone();
        t.insert("embed_out.weight".to_owned(), w_e);
    };
    let untied = case.edited(|_| (), copy).unwrap();
    let logits = |model: &Transformer| model.forward(&tokens()).unwrap();
    assert!(largest_difference(&logits(&model), &logits(&untied)) < 1e-5);
    assert!(case.edited(tie, copy).unwrap().cfg().tied_unembed);
    let message = refusal(case.edited(tie, |_| ()));
    assert!(message.contains("embed_out.weight"), "{message}");
    let missing = case.edited(|_| (), alone).unwrap_err().to_string();
    assert!(missing.contains("embed_out.weight"), "{missing}");
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

fn zeros(shape: &[usize]) -> Tensor {
    Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap()
}

#[test]
fn buffers_change_nothing_and_unknown_fields_and_tensors_are_refused() {
    let case = &CASES[0];
    let buffers = |t: &mut Tensors| {
        let mask = Tensor::zeros((1, 1, 6, 6), DType::U8, &Device::Cpu).unwrap();
        t.insert("gpt_neox.layers.0.attention.bias".to_owned(), mask);
        for (name, shape) in [("masked_bias", vec![]), ("rotary_emb.inv_freq", vec![2])] {
            let name = format!("gpt_neox.layers.1.attention.{name}");
            t.insert(name, zeros(&shape));
        }
        t.insert("gpt_neox.rotary_emb.inv_freq".to_owned(), zeros(&[2]));
    };
    let with = case.edited(|_| (), buffers).unwrap();
    let logits = |model: &Transformer| bits(&model.forward(&tokens()).unwrap());
    assert_eq!(logits(&with), logits(&case.model()));
    for name in [
        "gpt_neox.layers.0.attention.k_norm",
        "gpt_neox.emb_norm.weight",
        "x",
    ] {
        let extra = |t: &mut Tensors| _ = t.insert(name.to_owned(), zeros(&[2]));
        let message = refusal(case.edited(|_| (), extra));
        let short = name.trim_start_matches("gpt_neox.");
        assert!(message.contains(short), "{message}");
    }
    for (field, value) in [
        ("soft_cap", json!(1)),
        ("attention_bias", json!(false)),
        ("rope_scaling", json!({ "type": "dynamic", "factor": 4.0 })),
        ("pruned_heads", json!({ "0": [1] })),
        ("hidden_act", json!("mish")),
        ("model_type", json!("llama")),
        ("model_type", json!(null)),
        ("num_hidden_layers", json!("2")),
    ] {
        let set = |f: &mut Fields| _ = f.insert(field.to_owned(), value.clone());
        let message = refusal(case.edited(set, |_| ()));
        assert!(message.contains(field), "{field}: {message}");
    }
    let many = |f: &mut Fields| _ = f.insert("num_hidden_layers".into(), json!(1u64 << 50));
    let message = case.edited(many, |_| ()).unwrap_err().to_string();
    assert!(message.contains("layers.2.attention"), "{message}");
    for field in [
        "hidden_size",
        "vocab_size",
        "intermediate_size",
        "max_position_embeddings",
    ] {
        let huge = |f: &mut Fields| _ = f.insert(field.to_owned(), json!(u64::MAX / 8 - 7));
        assert!(case.edited(huge, |_| ()).is_err(), "{field}");
    }
    let spoil = |t: &mut Tensors| {
        let name = "gpt_neox.layers.0.attention.dense.bias";
        let spoilt = tensors::with_first(&t[name], f32::NAN);
        t.insert(name.to_owned(), spoilt);
    };
    let message = refusal(case.edited(|_| (), spoil));
    assert!(
        message.contains("attention.dense.bias[0] is NaN"),
        "{message}"
    );
}

#[test]
fn rotated_queries_and_keys_can_be_ablated_and_patched() {
    let model = CASES[0].model();
    let (clean, cache) = all(&model);
    // Without queries every score is 0: each position looks at all before it alike.
    let seen = std::rc::Rc::new(std::cell::RefCell::new(None));
    let keep = seen.clone();
    let hooks = [
        zero_ablate("blocks.0.attn.hook_rot_q"),
        Hook::new("blocks.0.attn.hook_pattern", move |x| {
            *keep.borrow_mut() = Some(x.clone());
            Ok(None)
        }),
    ];
    let ablated = model.run_with_hooks(&tokens(), &hooks).unwrap();
    assert!(largest_difference(&ablated, &clean) > 1e-3);
    let pattern = seen.borrow().clone().unwrap().i((0, 1)).unwrap();
    for (query, row) in pattern.to_vec2::<f32>().unwrap().iter().enumerate() {
        for (key, p) in row.iter().enumerate() {
            let wanted = if key <= query {
                1.0 / (query + 1) as f32
            } else {
                0.0
            };
            assert!((p - wanted).abs() < 1e-6);
        }
    }
    // The keys of another text, before or after they are rotated, are the same patch.
    let other = Tensor::new(&[[1u32, 1, 9, 4, 2]], &Device::Cpu).unwrap();
    let (_, of_other) = model
        .run_with_cache_filtered(&other, &NamesFilter::All, None)
        .unwrap();
    let patched = |name: &str, from: &ActivationCache| {
        let value = from.get(name).unwrap();
        let patch = Hook::new(name, move |_| Ok(Some(value.clone())));
        model.run_with_hooks(&tokens(), &[patch]).unwrap()
    };
    let before = patched("blocks.1.attn.hook_k", &of_other);
    let after = patched("blocks.1.attn.hook_rot_k", &of_other);
    assert_eq!(bits(&before), bits(&after));
    assert!(largest_difference(&after, &clean) > 1e-3);
    let own = patched("blocks.1.attn.hook_rot_k", &cache);
    assert_eq!(bits(&own), bits(&clean));
}

#[test]
fn residual_parts_and_logit_attribution_add_up_without_positions() {
    for case in &CASES {
        let model = case.model();
        let (logits, cache) = all(&model);
        let parts = cache.residual_parts().unwrap();
        assert_eq!(parts.len(), 5);
        let sum = parts[1..]
            .iter()
            .fold(parts[0].1.clone(), |sum, (_, part)| (sum + part).unwrap());
        let last = cache.get("blocks.1.hook_resid_post").unwrap();
        assert!(largest_difference(&sum, &last) < 1e-5);
        let found = direct_logit_attribution(&model, &tokens(), 4, 3, None).unwrap();
        let sum: f64 = found.contributions.iter().map(|part| part.value).sum();
        let wanted = f64::from(logits.i((0, 4, 3)).unwrap().to_scalar::<f32>().unwrap());
        assert!((sum - wanted).abs() < 1e-4, "{sum}, expected {wanted}");
    }
}

#[test]
fn a_saved_model_loads_bit_for_bit_and_a_processed_one_has_the_same_loss() {
    for case in &CASES {
        let model = case.model();
        let folder = tempfile::tempdir().unwrap();
        model.save(folder.path()).unwrap();
        let again = Transformer::load(folder.path()).unwrap();
        assert_eq!(again.cfg(), model.cfg());
        let logits = |model: &Transformer| bits(&model.forward(&tokens()).unwrap());
        assert_eq!(logits(&again), logits(&model));
        let processed = model.process_weights().unwrap();
        let loss = scalar(&processed.loss(&tokens()).unwrap());
        assert!((loss - case.loss).abs() < 1e-4, "{loss}");
        let summary = format!("{:?}", model.summary());
        assert!(summary.contains("rotary"), "{summary}");
    }
}

/// TransformerLens' fields of such a model, those of Pythia as `HookedTransformer` loads it.
fn tl_fields(cfg: &TransformerConfig) -> Fields {
    let fields = json!({
        "n_layers": cfg.n_layers, "d_model": cfg.d_model, "n_ctx": cfg.n_ctx,
        "d_head": cfg.d_head(), "n_heads": cfg.n_heads, "d_mlp": cfg.d_mlp, "act_fn": "gelu",
        "d_vocab": cfg.d_vocab, "eps": 1e-5, "use_attn_scale": true, "attn_scale": 8f64.sqrt(),
        "original_architecture": "GPTNeoXForCausalLM", "normalization_type": "LN",
        "positional_embedding_type": "rotary", "rotary_dim": cfg.n_rotated(),
        "rotary_base": cfg.rotary_base, "rotary_adjacent_pairs": false, "parallel_attn_mlp": true,
        "use_NTK_by_parts_rope": false, "NTK_by_parts_factor": 8.0, "tie_word_embeddings": false
    });
    fields.as_object().unwrap().clone()
}

/// TransformerLens' state dict: names and shapes are ours, and `calculate_sin_cos_rotary` of
/// `AbstractAttention`.
fn tl_tensors(model: &Transformer) -> Tensors {
    let parameters = model.named_parameters().into_iter();
    let mut tensors: Tensors = parameters
        .map(|(name, var)| (name, var.as_detached_tensor()))
        .collect();
    let cfg = model.cfg();
    let half = cfg.n_rotated() / 2;
    let table = |of: fn(f64) -> f64| {
        let angle = |i: usize| {
            let (t, i) = (i / (2 * half), i % half);
            t as f64 / cfg.rotary_base.powf(i as f64 / half as f64)
        };
        let values: Vec<f32> = (0..cfg.n_ctx * 2 * half)
            .map(|i| of(angle(i)) as f32)
            .collect();
        Tensor::from_vec(values, (cfg.n_ctx, 2 * half), &Device::Cpu).unwrap()
    };
    for layer in 0..cfg.n_layers {
        for (kind, of) in [("sin", f64::sin as fn(f64) -> f64), ("cos", f64::cos)] {
            tensors.insert(format!("blocks.{layer}.attn.rotary_{kind}"), table(of));
        }
        tensors.insert(format!("blocks.{layer}.attn.mask"), zeros(&[6, 6]));
    }
    tensors
}

#[test]
fn a_rotary_model_of_transformer_lens_loads_and_what_rotates_otherwise_is_refused() {
    let model = CASES[0].model();
    let (fields, tensors) = (tl_fields(model.cfg()), tl_tensors(&model));
    let load = |edit: &dyn Fn(&mut Fields), tensors: &Tensors| {
        let mut fields = fields.clone();
        edit(&mut fields);
        loaded(Transformer::load_tl, &Value::Object(fields), tensors)
    };
    let same = load(&|_| (), &tensors).unwrap();
    let logits = |model: &Transformer| bits(&model.forward(&tokens()).unwrap());
    assert_eq!(logits(&same), logits(&model));
    // Without the tables the angles follow from the configuration.
    let without: Tensors = tensors
        .iter()
        .filter(|(name, _)| !name.contains("rotary_"))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    assert_eq!(logits(&load(&|_| (), &without).unwrap()), logits(&model));
    let whole = |f: &mut Fields| _ = f.remove("rotary_dim");
    assert_eq!(load(&whole, &without).unwrap().cfg().n_rotated(), 8);

    for (field, value) in [
        ("rotary_adjacent_pairs", json!(true)),
        ("rotary_interleaved_cos_sin", json!(true)),
        ("use_NTK_by_parts_rope", json!(true)),
        ("use_dynamic_ntk_rope", json!(true)),
        ("use_yarn_rope", json!(true)),
        ("rotary_scaling_factor", json!(2.0)),
        ("rotary_dim", json!("all")),
        ("rotary_base", json!("1e4")),
        ("parallel_attn_mlp", json!(1)),
        ("positional_embedding_type", json!("alibi")),
        (
            "positional_embedding_type",
            json!("relative_positional_bias"),
        ),
    ] {
        let set = |f: &mut Fields| _ = f.insert(field.to_owned(), value.clone());
        let message = refusal(load(&set, &tensors));
        assert!(message.contains(field), "{field}: {message}");
    }
    // The tables are TransformerLens' own angles, whatever its configuration says.
    let other_base = |f: &mut Fields| _ = f.insert("rotary_base".into(), json!(500.0));
    let message = refusal(load(&other_base, &tensors));
    assert!(message.contains("blocks.0.attn.rotary_sin"), "{message}");
    load(&other_base, &without).unwrap();
    let odd = |f: &mut Fields| _ = f.insert("rotary_dim".into(), json!(3));
    let message = load(&odd, &without).unwrap_err().to_string();
    assert!(message.contains("rotary_dim"), "{message}");
    // Learned positions are read by nobody, and tables of angles by none that has learned positions.
    let mut with_positions = tensors.clone();
    with_positions.insert("pos_embed.W_pos".to_owned(), zeros(&[6, D]));
    let message = refusal(load(&|_| (), &with_positions));
    assert!(message.contains("pos_embed.W_pos"), "{message}");
    let standard =
        |f: &mut Fields| _ = f.insert("positional_embedding_type".into(), json!("standard"));
    let message = refusal(load(&standard, &with_positions));
    assert!(message.contains("attn.rotary_"), "{message}");
}

#[test]
fn a_long_context_keeps_its_angles() {
    // Of 2,048 positions, as Pythia has: the table's last rows are those of exact angles, up to the
    // rounding of transformers' f32.
    let cfg = TransformerConfig {
        n_ctx: 2_048,
        d_model: 64,
        n_heads: 1,
        d_mlp: 4,
        d_vocab: D_VOCAB,
        positional_embedding_type: PositionalEmbedding::Rotary,
        rotary_dim: Some(16),
        init_std: 0.5,
        ..TransformerConfig::default()
    };
    let model = Transformer::new(&cfg).unwrap();
    let names = NamesFilter::names(&["blocks.0.attn.hook_q", "blocks.0.attn.hook_rot_q"]).unwrap();
    let (_, cache) = model
        .run_with_cache_filtered(&some_tokens(1, 2_048), &names, Some(1))
        .unwrap();
    let row = |name: &str| {
        let t = cache.get(name).unwrap().i((0, 2_047, 0)).unwrap();
        t.to_vec1::<f32>().unwrap()
    };
    let (q, rot_q) = (row("blocks.0.attn.hook_q"), row("blocks.0.attn.hook_rot_q"));
    for i in 0..8 {
        let angle = 2_047.0 * 10_000f64.powf(-(i as f64) / 8.0);
        let (a, b) = (f64::from(q[i]), f64::from(q[i + 8]));
        let wanted = a * angle.cos() - b * angle.sin();
        let size = (a * a + b * b).sqrt();
        assert!((f64::from(rot_q[i]) - wanted).abs() < 2e-4 * size, "{i}");
    }
    assert_eq!(rot_q[16..], q[16..]);
}
