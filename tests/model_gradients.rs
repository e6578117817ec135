//! Gradients are those of the loss, and half precision is full precision up to its rounding.

#[path = "common/models.rs"]
mod models;

use candle_core::{DType, Device, Tensor};
use holoscope::config::{
    Activation, Normalization, PositionalEmbedding, Precision, TransformerConfig,
};
use holoscope::model::{Hook, Transformer};
use models::{bits, scalar, small, some_tokens};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use std::collections::BTreeMap;

/// Rotary positions of some or all dimensions, parallel blocks, together and alone, with any norm.
fn of_gpt_neox() -> [TransformerConfig; 4] {
    [
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
    ]
}

/// A random direction of unit length, of a parameter's shape.
fn direction(like: &Tensor, rng: &mut ChaCha8Rng) -> Tensor {
    let values: Vec<f32> = StandardNormal
        .sample_iter(rng)
        .take(like.elem_count())
        .collect();
    let length = values.iter().map(|v| v * v).sum::<f32>().sqrt();
    let values = values.into_iter().map(|v| v / length).collect();
    Tensor::from_vec(values, like.shape(), &Device::Cpu).unwrap()
}

#[test]
fn every_parameter_has_the_gradient_of_the_loss() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut worst = 0f64;
    for cfg in [
        (Activation::GeluNew, false, false),
        (Activation::Gelu, true, false),
        (Activation::Solu, false, false),
        (Activation::Silu, true, true),
        (Activation::Silu, false, false),
    ]
    .map(|(act_fn, tied_unembed, attn_only)| TransformerConfig {
        act_fn,
        tied_unembed,
        attn_only,
        ..small()
    })
    .into_iter()
    .chain(of_gpt_neox())
    {
        let act_fn = cfg.act_fn;
        let model = Transformer::new(&cfg).unwrap();
        let tokens = some_tokens(2, 6);
        let grads = model.loss(&tokens).unwrap().backward().unwrap();
        for (name, var) in model.named_parameters() {
            let grad = grads
                .get(&var)
                .unwrap_or_else(|| panic!("no gradient of {name}"));
            let dot = |d: &Tensor| scalar(&(grad * d).unwrap().sum_all().unwrap());
            let norm = dot(grad).sqrt();
            // Attention ignores what all keys share, so b_K's gradient is zero.
            assert!(
                norm > 1e-6 || name.ends_with("b_K"),
                "{name}'s gradient vanishes"
            );
            let start = var.as_tensor().copy().unwrap();
            for _ in 0..4 {
                let d = direction(&start, &mut rng);
                let at = |distance: f64| {
                    let moved = (&start + (&d * distance).unwrap()).unwrap();
                    var.set(&moved).unwrap();
                    scalar(&model.loss(&tokens).unwrap())
                };
                let slope = |h: f64| (at(h) - at(-h)) / (2.0 * h);
                // Of two central differences the extrapolation to h = 0 (Richardson).
                let slope = (4.0 * slope(1e-2) - slope(2e-2)) / 3.0;
                // Along a random direction of n dimensions lies 1/sqrt(n) of the gradient.
                let size = norm.max(0.05) / (start.elem_count() as f64).sqrt();
                let error = (slope - dot(&d)).abs() / size;
                worst = worst.max(error);
                assert!(
                    error < 0.02,
                    "{name} ({act_fn:?}): slope {slope}, gradient {}, relative error {error}",
                    dot(&d)
                );
            }
            var.set(&start).unwrap();
        }
    }
    println!("largest relative error {worst}");
}

#[test]
fn loss_and_gradients_are_those_of_the_backward_pass() {
    let variants = [
        small(),
        TransformerConfig {
            n_layers: 0,
            ..small()
        },
        TransformerConfig {
            attn_only: true,
            ..small()
        },
        TransformerConfig {
            act_fn: Activation::Silu,
            n_layers: 3,
            ..small()
        },
        TransformerConfig {
            act_fn: Activation::Relu,
            ..small()
        },
        TransformerConfig {
            act_fn: Activation::Gelu,
            ..small()
        },
        TransformerConfig {
            act_fn: Activation::Solu,
            ..small()
        },
        TransformerConfig {
            act_fn: Activation::Gelu,
            attn_only: true,
            ..small()
        },
        TransformerConfig {
            tied_unembed: true,
            ..small()
        },
        TransformerConfig {
            dtype: Precision::Bf16,
            ..small()
        },
    ];
    for cfg in variants.into_iter().chain(of_gpt_neox()) {
        let model = Transformer::new(&cfg).unwrap();
        // No two parameters alike: a fresh model's biases are all 0, and its norms' weights 1.
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        for (_, var) in model.named_parameters() {
            let shift = direction(var.as_tensor(), &mut rng).to_dtype(var.dtype());
            var.set(&(var.as_tensor() + shift.unwrap()).unwrap())
                .unwrap();
        }
        for (batch, pos) in [(1, 2), (3, 4), (3, cfg.n_ctx)] {
            let tokens = some_tokens(batch, pos);
            let wanted_loss = model.loss(&tokens).unwrap();
            let wanted = wanted_loss.backward().unwrap();
            let (loss, found) = model.loss_and_gradients(&tokens).unwrap();
            assert_eq!(bits(&loss), bits(&wanted_loss));
            // The same numbers; of a zero the sign may differ.
            let values = |t: &Tensor| {
                let t = t.to_dtype(DType::F32).unwrap().flatten_all().unwrap();
                t.to_vec1::<f32>().unwrap()
            };
            for (name, var) in model.named_parameters() {
                let (found, wanted) = (found.get(&var).unwrap(), wanted.get(&var).unwrap());
                assert_eq!(found.dims(), wanted.dims(), "{name}");
                assert_eq!(values(found), values(wanted), "{name}");
            }
        }
        assert!(model.loss_and_gradients(&some_tokens(2, 1)).is_err());
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
fn the_same_model_without_gradients_has_the_same_loss() {
    let model = Transformer::new(&small()).unwrap();
    let tokens = some_tokens(2, 6);
    let plain = model.without_gradients().loss(&tokens).unwrap();
    assert_eq!(bits(&plain), bits(&model.loss(&tokens).unwrap()));
    assert!(!plain.track_op());
}

/// Every gradient of `half` is that of `full`, as far as a few roundings a part allow.
fn check_half_gradients(full: &Transformer, half: &Transformer, rounding: f64) {
    let tokens = some_tokens(2, 6);
    let gradients = |model: &Transformer| model.loss(&tokens).unwrap().backward().unwrap();
    let (full_grads, half_grads) = (gradients(full), gradients(half));
    let norm = |t: &Tensor| scalar(&t.sqr().unwrap().sum_all().unwrap()).sqrt();
    let vars: BTreeMap<_, _> = full.named_parameters().into_iter().collect();
    let mut worst = 0f64;
    for (name, half_var) in half.named_parameters() {
        let wanted = full_grads.get(&vars[&name]).unwrap();
        let found = half_grads.get(&half_var).unwrap();
        assert_eq!(found.dtype(), half_var.dtype(), "{name}");
        let found = found.to_dtype(DType::F32).unwrap();
        // b_K's gradient is zero but for rounding: what it is measured by is that of W_K.
        let by = match name.strip_suffix("b_K") {
            Some(block) => format!("{block}W_K"),
            None => name.clone(),
        };
        let size = norm(full_grads.get(&vars[&by]).unwrap());
        let roundings = norm(&(found - wanted).unwrap()) / (rounding * size);
        worst = worst.max(roundings);
        // Forwards and backwards, each part rounds what it reads and what it gives out.
        let allowed = 4.0 * (full.cfg().n_layers + 1) as f64;
        assert!(roundings < allowed, "{name}: {roundings} roundings");
    }
    println!("gradients differ by {worst} roundings");
}

#[test]
fn half_precision_is_full_precision_up_to_its_rounding() {
    let [gpt_neox, ..] = of_gpt_neox();
    for cfg in [small(), gpt_neox] {
        check_half_precision(&cfg);
    }
}

fn check_half_precision(cfg: &TransformerConfig) {
    let full = Transformer::new(cfg).unwrap();
    let tokens = some_tokens(2, 6);
    let logits = |model: &Transformer| {
        let logits = model.forward(&tokens).unwrap().flatten_all().unwrap();
        logits.to_dtype(DType::F32).unwrap()
    };
    let largest = |t: &Tensor| scalar(&t.abs().unwrap().max(0).unwrap());
    let wanted = logits(&full);
    // Half a unit in the last place: of 11 significant bits, of 8.
    for (dtype, rounding) in [
        (Precision::F16, 2f64.powi(-11)),
        (Precision::Bf16, 2f64.powi(-8)),
    ] {
        let cfg = TransformerConfig {
            dtype,
            ..cfg.clone()
        };
        let model = Transformer::new(&cfg).unwrap();
        let difference = largest(&(logits(&model) - &wanted).unwrap());
        let roundings = difference / (rounding * largest(&wanted));
        println!("{dtype:?}: logits differ by {roundings} roundings");
        // Every block, and the unembedding, rounds its weights and what it adds or gives out.
        let allowed = 2.0 * (cfg.n_layers + 1) as f64;
        assert!(roundings < allowed, "{dtype:?}: {roundings} roundings");

        let found = model.loss(&tokens).unwrap();
        assert_eq!(found.dtype(), DType::F32);
        check_half_gradients(&full, &model, rounding);
        let folder = tempfile::tempdir().unwrap();
        model.save(folder.path()).unwrap();
        let again = Transformer::load(folder.path()).unwrap();
        assert_eq!(scalar(&again.loss(&tokens).unwrap()), scalar(&found));
    }
}
