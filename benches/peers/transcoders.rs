//! One training step of a TopK transcoder; the peer is sparsify, as SAELens trains none.

use crate::autoencoders::{K, sae_pool};
use crate::{Args, BETAS, Result, measure};
use holoscope::candle::{Device, Tensor};
use holoscope::sae::{FeatureBlock, TranscoderParams, TranscoderStep};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

const D: usize = 512;
const D_SAE: usize = 4_096;

/// The target is a function of the input, as wide: `relu(x W)`.
pub fn transcoder_train(args: &Args) -> Result<()> {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut normal = |n: usize, scale: f32| -> Vec<f32> {
        let values = StandardNormal.sample_iter(&mut rng).take(n);
        values.map(|v: f32| v * scale).collect()
    };
    let scale = 1.0 / (D as f32).sqrt();
    let w = Tensor::from_vec(normal(D * D, scale), (D, D), &Device::Cpu)?;
    let pairs = sae_pool(D, args.batch, 8)
        .into_iter()
        .map(|x| {
            let rows = Tensor::from_slice(&x, (args.batch, D), &Device::Cpu)?;
            let y = rows.matmul(&w)?.relu()?.flatten_all()?.to_vec1::<f32>()?;
            Ok((x, y))
        })
        .collect::<Result<Vec<_>>>()?;
    let directions = normal(D_SAE * D, scale);
    let params = TranscoderParams {
        d_in: D,
        d_out: D,
        blocks: vec![FeatureBlock {
            reads: 0..D,
            writes: std::iter::once(0..D).collect(),
            w_enc_t: directions.clone(),
            b_enc: vec![0.0; D_SAE],
            w_dec: directions,
        }],
        b_dec: vec![0.0; D],
        w_skip: None,
    };
    let mut step = TranscoderStep::new(params, BETAS[0], BETAS[1])?.with_top_k(K);
    let mut pairs = pairs.iter().cycle();
    let mut l0 = 0.0;
    for _ in 0..20 {
        let (x, y) = pairs.next().ok_or("no batch")?;
        l0 = step.step(x, y, 1e-4, 0.0)?.l0;
    }
    measure(args, args.batch, &format!(", \"l0\": {l0:.1}"), || {
        let (x, y) = pairs.next().ok_or("no batch")?;
        step.step(x, y, 1e-4, 0.0)?;
        Ok(())
    })
}
