//! What holds for every model: hooks that do nothing change nothing, the future is invisible,
//! saving loses nothing.

#[path = "common/models.rs"]
mod models;

use candle_core::{Device, IndexOp, Tensor};
use holoscope::config::{Activation, Precision, TransformerConfig};
use holoscope::model::{Hook, HookName, NamesFilter, Transformer, zero_ablate};
use models::{bits, scalar, small, some_tokens};
use proptest::prelude::*;
use std::cell::RefCell;
use std::rc::Rc;

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
    fn watching_changes_nothing(
        cfg in any_config(),
        dtype in prop_oneof![Just(Precision::F32), Just(Precision::Bf16), Just(Precision::F16)],
        batch in 1usize..4,
        pos in 2usize..7,
    ) {
        let cfg = TransformerConfig { dtype, ..cfg };
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
        let (logits, cache) = model.run_with_cache_filtered(&tokens, &NamesFilter::All, None).unwrap();
        prop_assert_eq!(bits(&plain), bits(&logits.unwrap()));
        prop_assert_eq!(cache.len(), hooks.len());
        for name in HookName::all(&cfg) {
            let width = cache.at(name).unwrap().elem_count() / (batch * pos);
            let square = name.is_attention_square();
            prop_assert_eq!(name.width(&cfg), (!square).then_some(width), "{}", name);
        }
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
fn stopping_returns_no_logits_and_only_earlier_activations() {
    let model = Transformer::new(&small()).unwrap();
    let tokens = some_tokens(2, 6);
    let (_, all) = model
        .run_with_cache_filtered(&tokens, &NamesFilter::All, None)
        .unwrap();
    let (logits, cache) = model
        .run_with_cache_filtered(&tokens, &NamesFilter::All, Some(1))
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
        .run_with_cache_filtered(&tokens, &NamesFilter::All, Some(0))
        .unwrap();
    assert_eq!(none.names(), ["hook_embed", "hook_pos_embed"]);
}

#[test]
fn one_activation_alone_is_the_one_among_all() {
    for attn_only in [false, true] {
        let cfg = TransformerConfig {
            attn_only,
            ..small()
        };
        let model = Transformer::new(&cfg).unwrap();
        let tokens = some_tokens(2, 6);
        let whole = |names: &NamesFilter| {
            model
                .run_with_cache_filtered(&tokens, names, Some(2))
                .unwrap()
                .1
        };
        let all = whole(&NamesFilter::All);
        for name in all.names() {
            // A pass for one activation ends there; one for two, at the later.
            let one = whole(&NamesFilter::only(&name).unwrap());
            assert_eq!(one.names(), std::slice::from_ref(&name));
            let wanted = bits(&all.get(&name).unwrap());
            assert_eq!(bits(&one.get(&name).unwrap()), wanted, "{name}");
            let two = whole(&NamesFilter::names(&[&name, "hook_embed"]).unwrap());
            assert_eq!(bits(&two.get(&name).unwrap()), wanted, "{name}");
            // Without a layer to stop at, the logits are wanted, too.
            let filter = NamesFilter::only(&name).unwrap();
            let (logits, _) = model
                .run_with_cache_filtered(&tokens, &filter, None)
                .unwrap();
            let plain = model.forward(&tokens).unwrap();
            assert_eq!(bits(&logits.unwrap()), bits(&plain));
        }
        assert!(whole(&NamesFilter::Names(Vec::new())).is_empty());
    }
}

#[test]
fn residual_parts_sum_to_the_last_residual() {
    let model = Transformer::new(&small()).unwrap();
    let (_, cache) = model
        .run_with_cache_filtered(&some_tokens(2, 6), &NamesFilter::All, None)
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
