//! Generation: by seed, beyond the context, and with keys and values kept from token to token.

#[path = "common/models.rs"]
mod models;

use candle_core::{Device, IndexOp, Tensor};
use holoscope::config::{
    Activation, Normalization, PositionalEmbedding, Precision, TransformerConfig,
};
use holoscope::model::{GenerateConfig, Transformer};
use models::small;

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
        TransformerConfig {
            positional_embedding_type: PositionalEmbedding::Rotary,
            rotary_dim: Some(2),
            parallel_attn_mlp: true,
            act_fn: Activation::Gelu,
            ..small()
        },
        TransformerConfig {
            positional_embedding_type: PositionalEmbedding::Rotary,
            rotary_base: 10.0,
            ..small()
        },
        TransformerConfig {
            parallel_attn_mlp: true,
            normalization_type: Normalization::LnPre,
            ..small()
        },
        TransformerConfig {
            positional_embedding_type: PositionalEmbedding::Rotary,
            parallel_attn_mlp: true,
            normalization_type: Normalization::None,
            ..small()
        },
        TransformerConfig {
            positional_embedding_type: PositionalEmbedding::Rotary,
            parallel_attn_mlp: true,
            dtype: Precision::F16,
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
