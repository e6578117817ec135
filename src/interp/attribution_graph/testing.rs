//! Models and transcoders for the tests of this folder, every parameter random.

use crate::config::TransformerConfig;
use crate::model::Transformer;
use crate::sae::{Transcoder, TranscoderActivation};
use candle_core::{Device, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use std::collections::BTreeMap;

pub(super) const IDS: [u32; 5] = [3, 1, 4, 1, 5];

/// Two heads of width four, eleven tokens.
pub(super) fn small_config(n_layers: usize) -> TransformerConfig {
    TransformerConfig {
        n_layers,
        d_model: 8,
        n_heads: 2,
        d_mlp: 16,
        n_ctx: 12,
        d_vocab: 11,
        ..TransformerConfig::default()
    }
}

pub(super) fn normal(shape: &[usize], deviation: f32, rng: &mut ChaCha8Rng) -> Tensor {
    let n = shape.iter().product();
    let values: Vec<f32> = (0..n)
        .map(|_| {
            let z: f32 = StandardNormal.sample(rng);
            deviation * z
        })
        .collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// A model whose parameters are normal of deviation 0.4; the norms' weights are around 1.
pub(super) fn random_model(cfg: &TransformerConfig) -> Transformer {
    let model = Transformer::new(cfg).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let mut parameters = BTreeMap::new();
    for (name, value) in model.named_parameters() {
        let mut drawn = normal(value.dims(), 0.4, &mut rng);
        if name.ends_with(".w") {
            drawn = (drawn + 1.0).unwrap();
        }
        parameters.insert(name, drawn);
    }
    let model = Transformer::from_parameters(cfg, &parameters).unwrap();
    model.without_gradients()
}

/// A random transcoder of 24 features of a block of a model 8 wide.
pub(super) fn random_transcoder(layer: usize, activation: TranscoderActivation) -> Transcoder {
    let rng = &mut ChaCha8Rng::seed_from_u64(100 + layer as u64);
    Transcoder::new(
        layer,
        normal(&[8, 24], 0.4, rng),
        normal(&[24], 0.4, rng),
        normal(&[24, 8], 0.3, rng),
        normal(&[8], 0.4, rng),
        activation,
    )
    .unwrap()
}

/// One of ReLU a block.
pub(super) fn random_transcoders(n_layers: usize) -> Vec<Transcoder> {
    let layers = 0..n_layers;
    layers
        .map(|layer| random_transcoder(layer, TranscoderActivation::Relu))
        .collect()
}

/// Thresholds around 0.
pub(super) fn jump_relu() -> TranscoderActivation {
    let rng = &mut ChaCha8Rng::seed_from_u64(7);
    TranscoderActivation::JumpRelu {
        threshold: normal(&[24], 0.5, rng),
    }
}

/// `[1, pos]` tokens.
pub(super) fn sequence(ids: &[u32]) -> Tensor {
    Tensor::from_slice(ids, (1, ids.len()), &Device::Cpu).unwrap()
}
