//! What is processed computes the same, and has the form that it is processed for.

use super::super::hooks::NamesFilter;
use super::super::transformer::Transformer;
use crate::config::{Activation, Normalization, PositionalEmbedding, Precision, TransformerConfig};
use candle_core::{D, DType, Device, Tensor};
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use std::collections::BTreeMap;

const D_MODEL: usize = 8;
const D_VOCAB: usize = 11;

fn config() -> TransformerConfig {
    TransformerConfig {
        n_layers: 2,
        d_model: D_MODEL,
        n_heads: 2,
        d_mlp: 12,
        n_ctx: 6,
        d_vocab: D_VOCAB,
        ..TransformerConfig::default()
    }
}

/// Every parameter random, biases and norms too, with means that are not 0.
fn random_model(cfg: &TransformerConfig, seed: u64) -> Transformer {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut parameters = BTreeMap::new();
    for (name, value) in Transformer::new(cfg).unwrap().named_parameters() {
        let centre = if name.ends_with(".w") { 1.0 } else { 0.2 };
        let values: Vec<f32> = StandardNormal
            .sample_iter(&mut rng)
            .take(value.elem_count())
            .map(|z: f32| centre + 0.4 * z)
            .collect();
        let value = Tensor::from_vec(values, value.shape(), &Device::Cpu).unwrap();
        parameters.insert(name, value);
    }
    Transformer::from_parameters(cfg, &parameters).unwrap()
}

fn tokens() -> Tensor {
    Tensor::new(&[[3u32, 7, 0, 10, 5, 3], [1, 1, 9, 4, 2, 8]], &Device::Cpu).unwrap()
}

fn logits(model: &Transformer) -> Tensor {
    let logits = model.forward(&tokens()).unwrap();
    logits.to_dtype(DType::F32).unwrap()
}

fn log_probs(logits: &Tensor) -> Tensor {
    let sum = logits.exp().unwrap().sum_keepdim(D::Minus1).unwrap();
    logits.broadcast_sub(&sum.log().unwrap()).unwrap()
}

fn largest(t: &Tensor) -> f32 {
    let t = t.abs().unwrap().flatten_all().unwrap();
    t.max(0).unwrap().to_scalar().unwrap()
}

fn difference(a: &Tensor, b: &Tensor) -> f32 {
    largest(&(a - b).unwrap())
}

/// The largest mean along an axis.
fn largest_mean(t: &Tensor, axis: usize) -> f32 {
    largest(&t.mean(axis).unwrap())
}

fn any_config() -> impl Strategy<Value = TransformerConfig> {
    let act_fn = prop_oneof![
        Just(Activation::Gelu),
        Just(Activation::GeluNew),
        Just(Activation::Relu),
        Just(Activation::SoluLn),
    ];
    (act_fn, 0usize..3, any::<[bool; 5]>()).prop_map(
        |(act_fn, n_layers, [tied, pre, rotary, parallel, attn_only])| TransformerConfig {
            act_fn,
            n_layers,
            tied_unembed: tied,
            normalization_type: match pre {
                true => Normalization::LnPre,
                false => Normalization::Ln,
            },
            positional_embedding_type: match rotary {
                true => PositionalEmbedding::Rotary,
                false => PositionalEmbedding::Standard,
            },
            parallel_attn_mlp: parallel,
            attn_only,
            ..config()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_processed_model_computes_the_same(cfg in any_config(), seed in 0u64..1_000) {
        let model = random_model(&cfg, seed);
        let wanted = logits(&model);
        let folded = model.fold_layer_norm().unwrap();
        prop_assert_eq!(folded.cfg().normalization_type, Normalization::LnPre);
        prop_assert!(!folded.named_parameters().iter().any(|(name, _)| name.contains("ln")));
        prop_assert!(difference(&logits(&folded), &wanted) < 1e-4);
        let centred = model.center_writing_weights().unwrap();
        prop_assert_eq!(centred.cfg().normalization_type, cfg.normalization_type);
        prop_assert!(difference(&logits(&centred), &wanted) < 1e-4);
        let unembed = logits(&model.center_unembed().unwrap());
        prop_assert!(difference(&log_probs(&unembed), &log_probs(&wanted)) < 1e-4);
        // Exactly the shift of each position, and nothing else.
        let mean = wanted.mean_keepdim(D::Minus1).unwrap();
        prop_assert!(difference(&unembed, &wanted.broadcast_sub(&mean).unwrap()) < 1e-4);

        let processed = model.process_weights().unwrap();
        prop_assert_eq!(processed.cfg().normalization_type, Normalization::LnPre);
        prop_assert!(!processed.cfg().tied_unembed);
        let found = logits(&processed);
        prop_assert!(difference(&log_probs(&found), &log_probs(&wanted)) < 1e-4);
        prop_assert!(largest_mean(&found, 2) < 1e-4);
        // The model it was made of is as it was.
        prop_assert_eq!(difference(&logits(&model), &wanted), 0.0);
        // What has been processed stays as it is.
        let again = processed.process_weights().unwrap();
        prop_assert!(difference(&logits(&again), &found) < 1e-4);
    }
}

#[test]
fn folded_weights_are_those_of_the_definition() {
    let cfg = config();
    let model = random_model(&cfg, 3);
    let get = |model: &Transformer, name: &str| -> Vec<f32> {
        let value = model.parameter(name).unwrap();
        value.flatten_all().unwrap().to_vec1().unwrap()
    };
    let folded = model.fold_layer_norm().unwrap();
    let name = |of: &str| format!("blocks.1.{of}");
    let (w, b) = (get(&model, &name("ln2.w")), get(&model, &name("ln2.b")));
    let (w_in, b_in) = (
        get(&model, &name("mlp.W_in")),
        get(&model, &name("mlp.b_in")),
    );
    let (found_w, found_b) = (
        get(&folded, &name("mlp.W_in")),
        get(&folded, &name("mlp.b_in")),
    );
    for j in 0..12 {
        let column: Vec<f32> = (0..D_MODEL).map(|i| w[i] * w_in[12 * i + j]).collect();
        let mean = column.iter().sum::<f32>() / D_MODEL as f32;
        for i in 0..D_MODEL {
            assert!((found_w[12 * i + j] - (column[i] - mean)).abs() < 1e-5);
        }
        let bias = b_in[j] + (0..D_MODEL).map(|i| b[i] * w_in[12 * i + j]).sum::<f32>();
        assert!((found_b[j] - bias).abs() < 1e-5);
    }
    for layer in 0..2 {
        for part in ["Q", "K", "V"] {
            let w = folded.parameter(&format!("blocks.{layer}.attn.W_{part}"));
            assert!(largest_mean(&w.unwrap(), 1) < 1e-6);
        }
    }
    assert!(largest_mean(&folded.parameter("unembed.W_U").unwrap(), 0) < 1e-6);
}

#[test]
fn every_stream_of_centred_weights_has_mean_0() {
    for rotary in [false, true] {
        let cfg = TransformerConfig {
            positional_embedding_type: match rotary {
                true => PositionalEmbedding::Rotary,
                false => PositionalEmbedding::Standard,
            },
            parallel_attn_mlp: rotary,
            tied_unembed: true,
            ..config()
        };
        let model = random_model(&cfg, 4);
        let streams = |model: &Transformer| -> Vec<Tensor> {
            let all = model.run_with_cache_filtered(&tokens(), &NamesFilter::All, None);
            let cache = all.unwrap().1;
            let names = cache.names();
            let of_stream = |name: &&String| name.contains("hook_resid") || name.contains("_out");
            let of_stream = names.iter().filter(of_stream);
            let of_stream = of_stream.filter(|name| !name.starts_with("unembed"));
            of_stream.map(|name| cache.get(name).unwrap()).collect()
        };
        let centred = model.center_writing_weights().unwrap();
        let (before, after) = (streams(&model), streams(&centred));
        assert_eq!(before.len(), if rotary { 8 } else { 10 });
        for (before, after) in before.iter().zip(&after) {
            assert!(largest_mean(before, 2) > 1e-2);
            assert!(largest_mean(after, 2) < 1e-5);
            let mean = before.mean_keepdim(2).unwrap();
            assert!(difference(&before.broadcast_sub(&mean).unwrap(), after) < 1e-4);
        }
        // The unembedding is still what it was.
        let w_u = |model: &Transformer| model.parameter("unembed.W_U").unwrap();
        assert_eq!(difference(&w_u(&centred), &w_u(&model)), 0.0);
    }
}

#[test]
fn without_norms_only_the_unembedding_can_be_centred() {
    let cfg = TransformerConfig {
        normalization_type: Normalization::None,
        ..config()
    };
    let model = random_model(&cfg, 5);
    for refused in [model.fold_layer_norm(), model.center_writing_weights()] {
        let message = refused.unwrap_err().to_string();
        assert!(message.contains("normalization_type"), "{message}");
    }
    let processed = model.process_weights().unwrap();
    assert_eq!(processed.cfg().normalization_type, Normalization::None);
    let (found, wanted) = (logits(&processed), logits(&model));
    assert!(largest_mean(&found, 2) < 1e-4);
    // Streams without norms are large, and so are their logits.
    let allowed = 1e-5 * largest(&wanted).max(1.0);
    let mean = wanted.mean_keepdim(2).unwrap();
    assert!(difference(&found, &wanted.broadcast_sub(&mean).unwrap()) < allowed);
}

#[test]
fn type_and_gradients_stay_as_they_are() {
    let cfg = TransformerConfig {
        dtype: Precision::Bf16,
        ..config()
    };
    let model = random_model(&cfg, 6);
    let processed = model.process_weights().unwrap();
    assert_eq!(processed.cfg().dtype, Precision::Bf16);
    let (_, w_e) = processed.named_parameters().swap_remove(0);
    assert_eq!(w_e.dtype(), DType::BF16);
    assert!(processed.loss(&tokens()).unwrap().track_op());
    let frozen = model.without_gradients().process_weights().unwrap();
    assert!(!frozen.loss(&tokens()).unwrap().track_op());
}
