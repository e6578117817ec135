//! What the tests of the analyses share: a toy text, tiny models, autoencoders whose right answers
//! are known.
#![allow(dead_code, reason = "each test file uses its own part")]

use candle_core::{DType, Device, Tensor};
use holoscope::config::{DataConfig, TransformerConfig};
use holoscope::data::{Corpus, Dataset};
use holoscope::model::Transformer;
use holoscope::sae::StandardSae;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

pub const HOOK: &str = "blocks.0.mlp.hook_post";
pub const N_CTX: usize = 24;

/// Two hundred speeches of two speakers, each about a king or a cat.
pub fn dataset() -> Dataset {
    let text: String = (0..200)
        .map(|i| {
            let name = if i % 2 == 0 { "ANNA" } else { "BOB" };
            let noun = if i % 3 == 0 { "king" } else { "cat" };
            format!(
                "{name}:\nThe {noun} saw the old {noun} and went home,\nand so the day went by.\n\n"
            )
        })
        .collect();
    Dataset::from_corpus(&Corpus::from_text("toy", &text), &DataConfig::default()).unwrap()
}

pub fn model(data: &Dataset, d_model: usize) -> Transformer {
    Transformer::new(&TransformerConfig {
        d_model,
        n_heads: 2,
        d_mlp: 32,
        n_ctx: N_CTX,
        d_vocab: data.tokenizer.n_vocab(),
        // Large, so that the MLP matters although nothing is trained.
        init_std: 0.5,
        ..TransformerConfig::default()
    })
    .unwrap()
}

pub fn normal(shape: (usize, usize), seed: u64) -> Tensor {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let values: Vec<f32> = (0..shape.0 * shape.1)
        .map(|_| rng.sample(StandardNormal))
        .collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

pub fn zeros(n: usize) -> Tensor {
    Tensor::zeros(n, DType::F32, &Device::Cpu).unwrap()
}

/// `relu(x)` and `relu(-x)`, decoded to their difference: a perfect copy with d_in active features.
pub fn copying(d: usize) -> StandardSae {
    let one = Tensor::eye(d, DType::F32, &Device::Cpu).unwrap();
    let both = Tensor::cat(&[&one, &one.neg().unwrap()], 1).unwrap(); // [d, 2 d]
    let back = both.t().unwrap().contiguous().unwrap();
    StandardSae::new(both, zeros(2 * d), back, zeros(d)).unwrap()
}

/// One feature a token: it fires where the embedding is the token's own.
pub fn planted(model: &Transformer) -> StandardSae {
    let w_e = model.parameter("embed.W_E").unwrap(); // [d_vocab, d_model]
    let (n, d) = w_e.dims2().unwrap();
    let squares = w_e.sqr().unwrap().sum_keepdim(1).unwrap();
    let w_enc = w_e
        .broadcast_div(&squares)
        .unwrap()
        .t()
        .unwrap()
        .contiguous()
        .unwrap();
    let b_enc = zeros(n).affine(1.0, -0.9).unwrap();
    StandardSae::new(w_enc, b_enc, w_e, zeros(d)).unwrap()
}
