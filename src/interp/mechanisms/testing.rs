//! Models for the tests of this folder, whose every parameter is random, biases and norms included.

use crate::config::TransformerConfig;
use crate::model::Transformer;
use candle_core::{Device, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use std::collections::BTreeMap;

/// Three blocks, two heads of width four, eleven tokens.
pub(super) fn small_config() -> TransformerConfig {
    TransformerConfig {
        n_layers: 3,
        d_model: 8,
        n_heads: 2,
        d_mlp: 16,
        n_ctx: 12,
        d_vocab: 11,
        ..TransformerConfig::default()
    }
}

/// A model whose parameters are normal of deviation 0.4; the norms' weights are around 1.
pub(super) fn random_model(cfg: &TransformerConfig) -> Transformer {
    let model = Transformer::new(cfg).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let mut parameters = BTreeMap::new();
    for (name, value) in model.named_parameters() {
        let centre = if name.ends_with(".w") { 1.0 } else { 0.0 };
        let values: Vec<f32> = (0..value.elem_count())
            .map(|_| {
                let z: f32 = StandardNormal.sample(&mut rng);
                centre + 0.4 * z
            })
            .collect();
        let value = Tensor::from_vec(values, value.shape(), &Device::Cpu).unwrap();
        parameters.insert(name, value);
    }
    let model = Transformer::from_parameters(cfg, &parameters).unwrap();
    model.without_gradients()
}

/// `[1, pos]` tokens.
pub(super) fn sequence(ids: &[u32]) -> Tensor {
    Tensor::from_slice(ids, (1, ids.len()), &Device::Cpu).unwrap()
}

/// The elements of a parameter, in order.
pub(super) fn parameter(model: &Transformer, name: &str) -> Vec<f64> {
    values(&model.parameter(name).unwrap())
}

/// The elements of a tensor, in order.
pub(super) fn values(t: &Tensor) -> Vec<f64> {
    let values: Vec<f32> = t.flatten_all().unwrap().to_vec1().unwrap();
    values.into_iter().map(f64::from).collect()
}
