//! Names as TransformerLens writes them, and the points that each kind of model has.

use super::*;
use proptest::prelude::*;

#[test]
fn every_name_prints_and_parses_to_itself() {
    let cfg = TransformerConfig {
        n_layers: 12,
        act_fn: Activation::SoluLn,
        ..TransformerConfig::default()
    };
    let rotary = TransformerConfig {
        positional_embedding_type: PositionalEmbedding::Rotary,
        ..cfg.clone()
    };
    for name in [HookName::all(&cfg), HookName::all(&rotary)].concat() {
        assert_eq!(name.to_string().parse::<HookName>().unwrap(), name);
    }
}

#[test]
fn rotary_and_parallel_models_have_transformer_lens_points() {
    let cfg = TransformerConfig {
        positional_embedding_type: PositionalEmbedding::Rotary,
        parallel_attn_mlp: true,
        ..TransformerConfig::default()
    };
    let names: Vec<String> = HookName::all(&cfg)
        .iter()
        .map(HookName::to_string)
        .collect();
    // HookedTransformer and TransformerBlock of TransformerLens 2.17, in the order of their calls.
    let block = "hook_resid_pre ln1.hook_scale ln1.hook_normalized attn.hook_q attn.hook_k \
        attn.hook_v attn.hook_rot_q attn.hook_rot_k attn.hook_attn_scores attn.hook_pattern \
        attn.hook_z hook_attn_out ln2.hook_scale ln2.hook_normalized mlp.hook_pre mlp.hook_post \
        hook_mlp_out hook_resid_post";
    let mut wanted = vec!["hook_embed".to_owned()];
    wanted.extend(block.split_whitespace().map(|p| format!("blocks.0.{p}")));
    wanted.extend(
        [
            "ln_final.hook_scale",
            "ln_final.hook_normalized",
            "unembed.hook_in",
            "unembed.hook_out",
        ]
        .map(str::to_owned),
    );
    assert_eq!(names, wanted);
    let plain = TransformerConfig::default();
    for (name, cfg) in [
        ("blocks.0.attn.hook_rot_q", &plain),
        ("hook_pos_embed", &cfg),
        ("blocks.0.hook_resid_mid", &cfg),
    ] {
        assert!(HookName::of_model(name, cfg).is_err(), "{name}");
    }
    let width = HookName::of_model("blocks.0.attn.hook_rot_k", &cfg)
        .unwrap()
        .width(&cfg);
    assert_eq!(width, Some(128));
}

#[test]
fn block_points_are_listed_in_declaration_order() {
    for (i, (point, _)) in BLOCK_POINTS.iter().enumerate() {
        assert_eq!(*point as usize, i);
    }
}

#[test]
fn an_unknown_name_lists_the_nearest_first() {
    let Err(Error::UnknownHook { nearest, .. }) = "blocks.3.mlp.hook_pst".parse::<HookName>()
    else {
        panic!("parsed")
    };
    assert_eq!(nearest[0], "blocks.3.mlp.hook_post");
}

#[test]
fn a_layer_beyond_the_model_is_unknown() {
    let cfg = TransformerConfig::default();
    let err = HookName::of_model("blocks.1.hook_resid_pre", &cfg).unwrap_err();
    assert!(err.to_string().contains("blocks.0.hook_resid_pre"), "{err}");
}

#[test]
fn attention_only_models_have_no_mlp_points() {
    let cfg = TransformerConfig {
        attn_only: true,
        ..TransformerConfig::default()
    };
    assert!(HookName::of_model("blocks.0.mlp.hook_post", &cfg).is_err());
    assert!(HookName::of_model("blocks.0.hook_resid_mid", &cfg).is_err());
    assert!(HookName::of_model("blocks.0.attn.hook_z", &cfg).is_ok());
}

#[test]
fn points_of_norms_are_those_of_the_norms_there_are() {
    let has = |cfg: &TransformerConfig, name: &str| HookName::of_model(name, cfg).is_ok();
    let plain = TransformerConfig::default();
    let bare = TransformerConfig {
        normalization_type: Normalization::None,
        act_fn: Activation::SoluLn,
        ..plain.clone()
    };
    for name in ["blocks.0.ln1.hook_scale", "ln_final.hook_normalized"] {
        assert!(has(&plain, name) && !has(&bare, name), "{name}");
    }
    for name in ["blocks.0.mlp.hook_mid", "blocks.0.mlp.ln.hook_scale"] {
        assert!(!has(&plain, name) && has(&bare, name), "{name}");
    }
}

#[test]
fn edit_distance_has_known_values() {
    assert_eq!(edit_distance("kitten", "sitting"), 3);
    assert_eq!(edit_distance("", "abc"), 3);
    assert_eq!(edit_distance("abc", "abc"), 0);
}

proptest! {
    /// Whatever parses prints back to the very same text.
    #[test]
    fn what_parses_prints_the_same(name in "[a-z0-9_.]{0,30}|blocks\\.[0-9]{1,3}\\.(hook_resid_pre|attn\\.hook_q)") {
        if let Ok(hook) = name.parse::<HookName>() {
            prop_assert_eq!(hook.to_string(), name);
        }
    }
}
