//! The small models that the tests of the model are about.
#![allow(dead_code, reason = "each test file uses its own part")]

use candle_core::{DType, Device, Tensor};
use holoscope::config::TransformerConfig;

pub fn small() -> TransformerConfig {
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

pub fn some_tokens(batch: usize, pos: usize) -> Tensor {
    let ids: Vec<u32> = (0..batch * pos)
        .map(|i| (i * i * 5 + i + 3) as u32 % 11)
        .collect();
    Tensor::from_vec(ids, (batch, pos), &Device::Cpu).unwrap()
}

pub fn bits(t: &Tensor) -> Vec<u32> {
    let t = t.to_dtype(DType::F32).unwrap();
    let values = t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    values.into_iter().map(f32::to_bits).collect()
}

pub fn scalar(t: &Tensor) -> f64 {
    f64::from(t.to_dtype(DType::F32).unwrap().to_scalar::<f32>().unwrap())
}
