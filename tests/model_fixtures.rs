//! The model computes what TransformerLens and Hugging Face transformers compute.

mod common;

use candle_core::{DType, Device, Tensor};
use holoscope::model::{HookName, NamesFilter, Transformer, mean_ablate, zero_ablate};
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;

/// What the fixtures must match to.
const TOLERANCE: f64 = 1e-4;

fn expected(dir: &Path) -> HashMap<String, Tensor> {
    candle_core::safetensors::load(dir.join("expected.safetensors"), &Device::Cpu).unwrap()
}

fn number(dir: &Path, file: &str, field: &str) -> f64 {
    let text = std::fs::read_to_string(dir.join(file)).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()[field]
        .as_f64()
        .unwrap()
}

/// The largest absolute difference; infinities must be in the same places.
fn largest_difference(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.dims(), b.dims());
    let flat = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    flat(a)
        .into_iter()
        .zip(flat(b))
        .map(|(x, y)| {
            if x == y {
                0.0
            } else {
                f64::from((x - y).abs())
            }
        })
        .inspect(|d| assert!(!d.is_nan()))
        .fold(0.0, f64::max)
}

fn assert_close(what: &str, found: &Tensor, wanted: &Tensor) {
    let difference = largest_difference(found, wanted);
    println!("{what:<40} {difference:.2e}");
    assert!(difference < TOLERANCE, "{what} differs by {difference}");
}

fn assert_loss(what: &str, found: f64, wanted: f64) {
    println!("{what:<40} {:.2e}", (found - wanted).abs());
    assert!(
        (found - wanted).abs() < TOLERANCE,
        "{what}: {found}, expected {wanted}"
    );
}

fn scalar(loss: &Tensor) -> f64 {
    f64::from(loss.to_scalar::<f32>().unwrap())
}

#[test]
fn every_cached_activation_is_transformer_lens_own() {
    let Some(dir) = common::shared("fixtures/tl_gelu_1l") else {
        return;
    };
    let model = Transformer::load_tl(&dir).unwrap();
    let expected = expected(&dir);
    let (logits, cache) = model
        .run_with_cache_filtered(&expected["tokens"], &NamesFilter::All, None)
        .unwrap();
    assert_close("logits", &logits.unwrap(), &expected["logits"]);
    assert_close(
        "forward",
        &model.forward(&expected["tokens"]).unwrap(),
        &expected["logits"],
    );
    for name in cache.names() {
        assert_close(
            &name,
            &cache.get(&name).unwrap(),
            &expected[&format!("cache.{name}")],
        );
    }
    // Nothing of the fixture is left out, nothing invented.
    assert_eq!(cache.len(), expected.len() - 2);
    assert_eq!(cache.len(), HookName::all(model.cfg()).len());
}

#[test]
fn losses_under_ablation_are_transformer_lens_own() {
    let Some(dir) = common::shared("fixtures/tl_gelu_1l") else {
        return;
    };
    let model = Transformer::load_tl(&dir).unwrap();
    let tokens = &expected(&dir)["tokens"];
    let wanted = |field| number(&dir, "config.json", field);
    let per_token = model.loss_per_token(tokens).unwrap();
    assert_eq!(per_token.dims(), [3, 15]);
    assert_loss(
        "loss",
        scalar(&model.loss(tokens).unwrap()),
        wanted("expected_loss"),
    );
    assert_loss(
        "mean of loss_per_token",
        scalar(&per_token.mean_all().unwrap()),
        wanted("expected_loss"),
    );
    let name = "blocks.0.mlp.hook_post";
    let zero = model.loss_with_hooks(tokens, &[zero_ablate(name)]).unwrap();
    assert_loss("zero ablation", zero, wanted("expected_loss_zero_ablation"));
    let mean = model.loss_with_hooks(tokens, &[mean_ablate(name)]).unwrap();
    assert_loss("mean ablation", mean, wanted("expected_loss_mean_ablation"));
}

#[test]
fn hugging_face_gpt2_has_its_own_logits_and_loss() {
    let Some(dir) = common::shared("fixtures/hf_gpt2_tiny") else {
        return;
    };
    let model = Transformer::load_hf_gpt2(&dir).unwrap();
    assert!(model.cfg().tied_unembed);
    let expected = expected(&dir);
    let tokens = &expected["tokens"];
    assert_close(
        "hf logits",
        &model.forward(tokens).unwrap(),
        &expected["logits"],
    );
    let wanted = number(&dir, "expected.json", "expected_loss");
    assert_loss("hf loss", scalar(&model.loss(tokens).unwrap()), wanted);
}

#[test]
fn a_saved_fixture_loads_bit_for_bit() {
    let Some(dir) = common::shared("fixtures/hf_gpt2_tiny") else {
        return;
    };
    let model = Transformer::load_hf_gpt2(&dir).unwrap();
    let tokens = expected(&dir)["tokens"].to_dtype(DType::U32).unwrap();
    let folder = tempfile::tempdir().unwrap();
    model.save(folder.path()).unwrap();
    let again = Transformer::load(folder.path()).unwrap();
    let logits = |m: &Transformer| m.forward(&tokens).unwrap().to_vec3::<f32>().unwrap();
    assert_eq!(logits(&model), logits(&again));
}
