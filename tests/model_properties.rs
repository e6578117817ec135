//! What holds for every model: hooks that do nothing change nothing, the future is invisible,
//! gradients are right, saving loses nothing.

use candle_core::{DType, Device, IndexOp, Tensor};
use holoscope::config::{Activation, Precision, TransformerConfig};
use holoscope::model::{GenerateConfig, Hook, HookName, NamesFilter, Transformer, zero_ablate};
use proptest::prelude::*;
use std::cell::RefCell;
use std::rc::Rc;

fn small() -> TransformerConfig {
    TransformerConfig {
        n_layers: 2,
        d_model: 8,
        n_heads: 2,
        d_mlp: 12,
        n_ctx: 6,
        d_vocab: 11,
        init_std: 0.5,
        ..TransformerConfig::default()
    }
}

fn some_tokens(batch: usize, pos: usize) -> Tensor {
    let ids: Vec<u32> = (0..batch * pos)
        .map(|i| (i * i * 5 + i + 3) as u32 % 11)
        .collect();
    Tensor::from_vec(ids, (batch, pos), &Device::Cpu).unwrap()
}

fn bits(t: &Tensor) -> Vec<u32> {
    let values = t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    values.into_iter().map(f32::to_bits).collect()
}

fn scalar(t: &Tensor) -> f64 {
    f64::from(t.to_dtype(DType::F32).unwrap().to_scalar::<f32>().unwrap())
}

fn any_config() -> impl Strategy<Value = TransformerConfig> {
    let act_fn = prop_oneof![
        Just(Activation::Gelu),
        Just(Activation::GeluNew),
        Just(Activation::Relu),
        Just(Activation::Silu),
        Just(Activation::Solu),
    ];
    (
        0usize..3,
        1usize..4,
        1usize..4,
        act_fn,
        any::<bool>(),
        any::<bool>(),
        any::<u64>(),
    )
        .prop_map(
            |(n_layers, n_heads, d_head, act_fn, attn_only, tied_unembed, seed)| {
                TransformerConfig {
                    n_layers,
                    n_heads,
                    d_model: n_heads * d_head * 2,
                    act_fn,
                    attn_only,
                    tied_unembed,
                    seed,
                    ..small()
                }
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A hook that returns nothing, at every point at once, leaves logits and loss bit-identical;
    /// so does keeping every activation.
    #[test]
    fn watching_changes_nothing(cfg in any_config(), batch in 1usize..4, pos in 2usize..7) {
        let model = Transformer::new(&cfg).unwrap();
        let tokens = some_tokens(batch, pos);
        let seen = Rc::new(RefCell::new(Vec::new()));
        let hooks: Vec<Hook> = HookName::all(&cfg)
            .into_iter()
            .map(|name| {
                let seen = seen.clone();
                Hook::new(&name.to_string(), move |_| {
                    seen.borrow_mut().push(name);
                    Ok(None)
                })
            })
            .collect();
        let plain = model.forward(&tokens).unwrap();
        let hooked = model.run_with_hooks(&tokens, &hooks).unwrap();
        prop_assert_eq!(bits(&plain), bits(&hooked));
        prop_assert_eq!(&*seen.borrow(), &HookName::all(&cfg));
        let loss = scalar(&model.loss(&tokens).unwrap());
        prop_assert_eq!(loss, model.loss_with_hooks(&tokens, &hooks).unwrap());
        let (logits, cache) = model.run_with_cache(&tokens, &NamesFilter::All, None).unwrap();
        prop_assert_eq!(bits(&plain), bits(&logits.unwrap()));
        prop_assert_eq!(cache.len(), hooks.len());
    }

    /// Putting an activation's own value in its place changes logits by rounding alone.
    #[test]
    fn replacing_by_itself_changes_rounding_alone(cfg in any_config(), which in 0usize..38) {
        let model = Transformer::new(&cfg).unwrap();
        let tokens = some_tokens(2, 5);
        let names = HookName::all(&cfg);
        let name = names[which % names.len()].to_string();
        let hook = Hook::new(&name, |x| Ok(Some(x.clone())));
        let plain = model.forward(&tokens).unwrap();
        let hooked = model.run_with_hooks(&tokens, std::slice::from_ref(&hook)).unwrap();
        let difference = (plain - hooked).unwrap().abs().unwrap().flatten_all().unwrap();
        let difference = scalar(&difference.max(0).unwrap());
        prop_assert!(difference < 1e-4, "{name}: {difference}");
        let loss = scalar(&model.loss(&tokens).unwrap());
        let hooked = model.loss_with_hooks(&tokens, &[hook]).unwrap();
        prop_assert!((loss - hooked).abs() < 1e-5, "{name}: {loss} {hooked}");
    }

    /// Changing the last token leaves every earlier position's logits alone.
    #[test]
    fn the_future_is_invisible(cfg in any_config(), last in 0u32..11) {
        let model = Transformer::new(&cfg).unwrap();
        let mut ids = vec![1u32, 2, 3, 4, 5];
        let run = |ids: &[u32]| {
            let tokens = Tensor::from_slice(ids, (1, 5), &Device::Cpu).unwrap();
            bits(&model.forward(&tokens).unwrap().i((.., ..4)).unwrap().contiguous().unwrap())
        };
        let before = run(&ids);
        ids[4] = last;
        prop_assert_eq!(before, run(&ids));
    }

    /// Saving and loading, to a folder or a file, gives the same bits.
    #[test]
    fn saving_loses_nothing(cfg in any_config()) {
        let model = Transformer::new(&cfg).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("only.safetensors");
        model.save(folder.path()).unwrap();
        model.save(&file).unwrap();
        let tokens = some_tokens(1, 4);
        let logits = bits(&model.forward(&tokens).unwrap());
        for path in [folder.path(), &file] {
            let again = Transformer::load(path).unwrap();
            prop_assert_eq!(again.cfg(), &cfg);
            prop_assert_eq!(&logits, &bits(&again.forward(&tokens).unwrap()));
        }
    }
}

#[test]
fn every_parameter_has_the_gradient_of_the_loss() {
    for (act_fn, tied_unembed, attn_only) in [
        (Activation::GeluNew, false, false),
        (Activation::Gelu, true, false),
        (Activation::Solu, false, false),
        (Activation::Silu, true, true),
    ] {
        let cfg = TransformerConfig {
            act_fn,
            tied_unembed,
            attn_only,
            ..small()
        };
        let model = Transformer::new(&cfg).unwrap();
        let tokens = some_tokens(2, 6);
        let grads = model.loss(&tokens).unwrap().backward().unwrap();
        for (name, var) in model.named_parameters() {
            let grad = grads
                .get(&var)
                .unwrap_or_else(|| panic!("no gradient of {name}"));
            let direction = grad.flatten_all().unwrap();
            let norm = scalar(&direction.sqr().unwrap().sum_all().unwrap()).sqrt();
            // Attention ignores what all keys share, so b_K's gradient is zero.
            if norm < 1e-6 {
                assert!(name.ends_with("b_K"), "{name}'s gradient vanishes");
                continue;
            }
            // Along its gradient the loss grows by the gradient's length a unit of distance.
            let step = 1e-2;
            let start = var.as_tensor().copy().unwrap();
            let at = |delta: f64| {
                var.set(&(&start + (grad * (delta / norm)).unwrap()).unwrap())
                    .unwrap();
                scalar(&model.loss(&tokens).unwrap())
            };
            let slope = (at(step) - at(-step)) / (2.0 * step);
            var.set(&start).unwrap();
            let error = (slope - norm).abs() / norm.max(0.05);
            assert!(
                error < 0.02,
                "{name} ({act_fn:?}): {slope} along a gradient of {norm}"
            );
        }
    }
}

#[test]
fn gradients_flow_through_hooks() {
    let model = Transformer::new(&small()).unwrap();
    let tokens = some_tokens(2, 6);
    let half = |name: &str| Hook::new(name, |x| Ok(Some((x * 0.5)?)));
    let hooks = [
        half("blocks.0.attn.hook_pattern"),
        half("blocks.1.attn.hook_attn_scores"),
        half("blocks.0.ln2.hook_scale"),
        half("ln_final.hook_normalized"),
    ];
    let logits = model.run_with_hooks(&tokens, &hooks).unwrap();
    let grads = logits.sqr().unwrap().sum_all().unwrap().backward().unwrap();
    for (name, var) in model.named_parameters() {
        assert!(grads.get(&var).is_some(), "no gradient of {name}");
    }
}

#[test]
fn stopping_returns_no_logits_and_only_earlier_activations() {
    let model = Transformer::new(&small()).unwrap();
    let tokens = some_tokens(2, 6);
    let (_, all) = model
        .run_with_cache(&tokens, &NamesFilter::All, None)
        .unwrap();
    let (logits, cache) = model
        .run_with_cache(&tokens, &NamesFilter::All, Some(1))
        .unwrap();
    assert!(logits.is_none());
    assert!(cache.get("blocks.0.hook_resid_post").is_ok());
    assert!(cache.get("blocks.1.hook_resid_pre").is_err());
    let residual = model.residual_before(&tokens, 1).unwrap();
    assert_eq!(
        bits(&residual),
        bits(&all.get("blocks.1.hook_resid_pre").unwrap())
    );
    let (_, none) = model
        .run_with_cache(&tokens, &NamesFilter::All, Some(0))
        .unwrap();
    assert_eq!(none.names(), ["hook_embed", "hook_pos_embed"]);
}

#[test]
fn residual_parts_sum_to_the_last_residual() {
    let model = Transformer::new(&small()).unwrap();
    let (_, cache) = model
        .run_with_cache(&some_tokens(2, 6), &NamesFilter::All, None)
        .unwrap();
    let parts = cache.residual_parts().unwrap();
    assert_eq!(parts.len(), 6);
    let mut sum = parts[0].1.clone();
    for (_, part) in &parts[1..] {
        sum = (sum + part).unwrap();
    }
    let last = cache.get("blocks.1.hook_resid_post").unwrap();
    let difference = (sum - last).unwrap().abs().unwrap().flatten_all().unwrap();
    assert!(scalar(&difference.max(0).unwrap()) < 1e-5);
}

#[test]
fn ablating_everything_after_the_embedding_leaves_the_embedding() {
    let model = Transformer::new(&small()).unwrap();
    let tokens = some_tokens(1, 3);
    let seen = Rc::new(RefCell::new(None));
    let keep = seen.clone();
    let mut hooks: Vec<Hook> = ["blocks.0.hook_attn_out", "blocks.0.hook_mlp_out"]
        .iter()
        .chain(&[
            "blocks.1.hook_attn_out",
            "blocks.1.hook_mlp_out",
            "hook_pos_embed",
        ])
        .map(|name| zero_ablate(name))
        .collect();
    hooks.push(Hook::new("blocks.1.hook_resid_post", move |x| {
        *keep.borrow_mut() = Some(x.clone());
        Ok(None)
    }));
    model.run_with_hooks(&tokens, &hooks).unwrap();
    let last = seen.borrow().clone().unwrap();
    let w_e = model.parameter("embed.W_E").unwrap();
    let embedding = w_e.index_select(&tokens.flatten_all().unwrap(), 0).unwrap();
    assert_eq!(bits(&last), bits(&embedding));
}

#[test]
fn hooks_on_one_point_run_in_the_order_given() {
    let model = Transformer::new(&small()).unwrap();
    let tokens = some_tokens(1, 3);
    let set = |value: f64| Hook::new("unembed.hook_out", move |x| Ok(Some(((x * 0.0)? + value)?)));
    let add = Hook::new("unembed.hook_out", |x| Ok(Some((x + 1.0)?)));
    let out = model.run_with_hooks(&tokens, &[set(2.0), add]).unwrap();
    assert!(
        out.flatten_all()
            .unwrap()
            .to_vec1::<f32>()
            .unwrap()
            .iter()
            .all(|&x| x == 3.0)
    );
}

#[test]
fn one_batch_is_learnt_by_gradient_descent() {
    let model = Transformer::new(&TransformerConfig {
        init_std: 0.1,
        ..small()
    })
    .unwrap();
    let tokens = some_tokens(4, 6);
    let first = scalar(&model.loss(&tokens).unwrap());
    for _ in 0..200 {
        let grads = model.loss(&tokens).unwrap().backward().unwrap();
        for (_, var) in model.named_parameters() {
            if let Some(grad) = grads.get(&var) {
                var.set(&(var.as_tensor() - (grad * 0.3).unwrap()).unwrap())
                    .unwrap();
            }
        }
    }
    let last = scalar(&model.loss(&tokens).unwrap());
    assert!(last < 0.5 * first, "{first} to {last}");
}

#[test]
fn half_precision_is_close_to_full() {
    let full = Transformer::new(&small()).unwrap();
    let tokens = some_tokens(2, 6);
    let wanted = scalar(&full.loss(&tokens).unwrap());
    for dtype in [Precision::F16, Precision::Bf16] {
        let model = Transformer::new(&TransformerConfig { dtype, ..small() }).unwrap();
        let found = model.loss(&tokens).unwrap();
        assert_eq!(found.dtype(), DType::F32);
        assert!((scalar(&found) - wanted).abs() < 0.05 * wanted, "{dtype:?}");
        assert!(found.backward().is_ok());
        let folder = tempfile::tempdir().unwrap();
        model.save(folder.path()).unwrap();
        let again = Transformer::load(folder.path()).unwrap();
        assert_eq!(scalar(&again.loss(&tokens).unwrap()), scalar(&found));
    }
}

#[test]
fn generation_repeats_by_seed_and_crops_to_the_context() {
    let model = Transformer::new(&small()).unwrap();
    let cfg = GenerateConfig {
        max_new_tokens: 20,
        ..GenerateConfig::default()
    };
    let first = model.generate(&[1, 2], &cfg).unwrap();
    assert_eq!(first.len(), 22);
    assert_eq!(first[..2], [1, 2]);
    assert_eq!(first, model.generate(&[1, 2], &cfg).unwrap());
    let other = GenerateConfig {
        seed: 7,
        ..cfg.clone()
    };
    assert_ne!(first, model.generate(&[1, 2], &other).unwrap());

    let greedy = GenerateConfig {
        temperature: 0.0,
        max_new_tokens: 3,
        ..cfg
    };
    let long = [9, 9, 9, 9, 1, 2, 3, 4, 5, 6];
    let whole = model.generate(&long, &greedy).unwrap();
    let cropped = model.generate(&long[4..], &greedy).unwrap();
    assert_eq!(whole[10..], cropped[6..]);
    let tokens = Tensor::new(&[[1u32, 2, 3, 4, 5, 6]], &Device::Cpu).unwrap();
    let logits = model.forward(&tokens).unwrap().i((0, 5)).unwrap();
    assert_eq!(
        whole[10],
        logits.argmax(0).unwrap().to_scalar::<u32>().unwrap()
    );
}

#[test]
fn generation_with_kept_keys_is_generation_without_them() {
    let variants = [
        small(),
        TransformerConfig {
            n_layers: 2,
            tied_unembed: true,
            act_fn: Activation::Gelu,
            ..small()
        },
        TransformerConfig {
            n_layers: 2,
            attn_only: true,
            ..small()
        },
        TransformerConfig {
            n_layers: 0,
            ..small()
        },
        TransformerConfig {
            act_fn: Activation::Solu,
            ..small()
        },
    ];
    for cfg in variants {
        let model = Transformer::new(&cfg).unwrap();
        let greedy = GenerateConfig {
            temperature: 0.0,
            // Past the context's end, where the window moves.
            max_new_tokens: cfg.n_ctx + 5,
            ..GenerateConfig::default()
        };
        let generated = model.generate(&[1, 2, 3], &greedy).unwrap();
        for end in 3..generated.len() {
            let window = &generated[end.saturating_sub(cfg.n_ctx)..end];
            let tokens = Tensor::from_slice(window, (1, window.len()), &Device::Cpu).unwrap();
            let logits = model.forward(&tokens).unwrap();
            let last = logits.i((0, window.len() - 1)).unwrap();
            let wanted = last.argmax(0).unwrap().to_scalar::<u32>().unwrap();
            assert_eq!(generated[end], wanted, "{cfg:?} at {end}");
        }
    }
}

#[test]
fn the_same_model_without_gradients_has_the_same_loss() {
    let model = Transformer::new(&small()).unwrap();
    let tokens = some_tokens(2, 6);
    let plain = model.without_gradients().loss(&tokens).unwrap();
    assert_eq!(bits(&plain), bits(&model.loss(&tokens).unwrap()));
    assert!(!plain.track_op());
}
