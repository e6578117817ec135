//! One training step of a transcoder, with a skip or without, a crosscoder and a cross-layer transcoder; the peers
//! are sparsify, which trains the first two, and PyTorch (`maps.py`).

use crate::autoencoders::{K, sae_pool};
use crate::{Args, BETAS, Result, measure};
use holoscope::candle::{Device, Tensor};
use holoscope::config::{Architecture, TranscoderConfig};
use holoscope::sae::{FeatureBlock, TranscoderParams, TranscoderStep};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use std::ops::Range;

const D: usize = 512;
/// Features of all blocks.
const D_SAE: usize = 4_096;

/// Inputs with their targets.
type Pair = (Vec<f32>, Vec<f32>);

/// TopK; the target is a function of the input, as wide: `relu(x W)`.
pub fn transcoder_train(args: &Args, skip: bool) -> Result<()> {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let scale = 1.0 / (D as f32).sqrt();
    let pairs = pairs(args.batch, normal(&mut rng, D * D, scale))?;
    let directions = normal(&mut rng, D_SAE * D, scale);
    let params = TranscoderParams {
        d_in: D,
        d_out: D,
        blocks: vec![FeatureBlock {
            reads: 0..D,
            writes: one(0..D),
            w_enc_t: directions.clone(),
            b_enc: vec![0.0; D_SAE],
            w_dec: directions,
        }],
        b_dec: vec![0.0; D],
        w_skip: skip.then(|| vec![0.0; D * D]),
    };
    let step = TranscoderStep::new(params, BETAS[0], BETAS[1])?.with_top_k(K);
    timed(args, step, &pairs, 0.0)
}

/// A crosscoder of two sites, or a cross-layer transcoder of two layers, with ReLU and L1 and from where their training
/// starts by default, but for the factor of all encoders.
pub fn map_train(args: &Args, name: &str) -> Result<()> {
    let cfg = TranscoderConfig::default();
    let Architecture::Standard { l1_coeff } = cfg.architecture else {
        return Err("the default architecture is not Standard".into());
    };
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let cross_layer = name == "cross_layer";
    let pairs: Vec<Pair> = if cross_layer {
        let mut w = normal(&mut rng, D * D, 1.0 / (D as f32).sqrt());
        // A layer's target depends on it and those before it.
        for row in w[D / 2 * D..].chunks_exact_mut(D) {
            row[..D / 2].fill(0.0);
        }
        let pairs = pairs(args.batch, w)?.into_iter();
        pairs.map(|(x, y)| (scaled(x), scaled(y))).collect()
    } else {
        let pool = sae_pool(D, args.batch, 8).into_iter().map(scaled);
        pool.map(|x| (x.clone(), x)).collect()
    };
    // Columns read, and those written, site by site.
    let layout = match cross_layer {
        true => vec![(0..D / 2, one(0..D)), (D / 2..D, one(D / 2..D))],
        false => vec![(0..D, vec![0..D / 2, D / 2..D])],
    };
    let d_sae = D_SAE / layout.len();
    let (x, y) = pairs.first().ok_or("no batch")?;
    let rows = |values: &[f32]| Tensor::from_slice(values, (args.batch, D), &Device::Cpu);
    let (x, y) = (rows(x)?, rows(y)?);
    let b_dec = y.mean(0)?;
    let y = y.broadcast_sub(&b_dec)?;
    let mut blocks = Vec::with_capacity(layout.len());
    for (reads, writes) in layout {
        let mut block = random_block(reads, writes, d_sae, &mut rng);
        let acts = set_biases(&mut block, &x, cfg.init_active)?;
        if cross_layer {
            // What the target has more of where the feature is active.
            let first = block.writes[0].start;
            let written = y.narrow(1, first, D - first)?.contiguous()?;
            block.w_dec = acts.matmul(&written)?.flatten_all()?.to_vec1::<f32>()?;
        }
        blocks.push(block);
    }
    let params = TranscoderParams {
        d_in: D,
        d_out: D,
        blocks,
        b_dec: b_dec.to_vec1::<f32>()?,
        w_skip: None,
    };
    let step = TranscoderStep::new(params, BETAS[0], BETAS[1])?;
    timed(args, step, &pairs, l1_coeff)
}

/// Random directions, the decoder's those of the encoder.
fn random_block(
    reads: Range<usize>,
    writes: Vec<Range<usize>>,
    d_sae: usize,
    rng: &mut ChaCha8Rng,
) -> FeatureBlock {
    let mut directions = normal(rng, d_sae * reads.len(), 1.0);
    for row in directions.chunks_exact_mut(reads.len()) {
        unit(row, writes.len());
    }
    FeatureBlock {
        reads,
        writes,
        w_enc_t: directions.clone(),
        b_enc: vec![0.0; d_sae],
        w_dec: directions,
    }
}

/// Sets biases with which each feature is active on a share of the inputs; the activations, `[d_sae, n]`.
fn set_biases(block: &mut FeatureBlock, x: &Tensor, active: f64) -> Result<Tensor> {
    let (d_sae, n) = (block.d_sae(), x.dim(0)?);
    let w_enc = Tensor::from_slice(&block.w_enc_t, (d_sae, block.d_in()), &Device::Cpu)?;
    let read = x.narrow(1, block.reads.start, block.d_in())?;
    let pre = w_enc.matmul(&read.t()?.contiguous()?)?;
    let mut acts = pre.flatten_all()?.to_vec1::<f32>()?;
    let n_active = (active * n as f64) as usize;
    for (row, bias) in acts.chunks_exact_mut(n).zip(&mut block.b_enc) {
        let mut sorted = row.to_vec();
        let (_, quantile, _) = sorted.select_nth_unstable_by(n_active, |a, b| b.total_cmp(a));
        *bias = -*quantile;
        row.iter_mut().for_each(|a| *a = (*a + *bias).max(0.0));
    }
    Ok(Tensor::from_vec(acts, (d_sae, n), &Device::Cpu)?)
}

/// Times the steps after the first.
fn timed(args: &Args, mut step: TranscoderStep, pairs: &[Pair], l1: f64) -> Result<()> {
    let mut pairs = pairs.iter().cycle();
    let mut next = || -> Result<f64> {
        let (x, y) = pairs.next().ok_or("no batch")?;
        Ok(step.step(x, y, 1e-4, l1)?.l0)
    };
    let mut l0 = 0.0;
    for _ in 0..20 {
        l0 = next()?;
    }
    measure(args, args.batch, &format!(", \"l0\": {l0:.1}"), || {
        next()?;
        Ok(())
    })
}

fn normal(rng: &mut ChaCha8Rng, n: usize, scale: f32) -> Vec<f32> {
    let values = StandardNormal.sample_iter(rng).take(n);
    values.map(|v: f32| v * scale).collect()
}

/// Inputs with `relu(x W)`, `w` being `[D, D]`.
fn pairs(batch: usize, w: Vec<f32>) -> Result<Vec<Pair>> {
    let w = Tensor::from_vec(w, (D, D), &Device::Cpu)?;
    let pool = sae_pool(D, batch, 8).into_iter();
    pool.map(|x| {
        let rows = Tensor::from_slice(&x, (batch, D), &Device::Cpu)?;
        let y = rows.matmul(&w)?.relu()?.flatten_all()?.to_vec1::<f32>()?;
        Ok((x, y))
    })
    .collect()
}

fn one(columns: Range<usize>) -> Vec<Range<usize>> {
    std::iter::once(columns).collect()
}

fn length(row: &[f32]) -> f32 {
    row.iter().map(|v| v * v).sum::<f32>().sqrt()
}

/// Rows of `D` brought to a mean length of `sqrt(D)`, as training scales activations.
fn scaled(mut rows: Vec<f32>) -> Vec<f32> {
    let sum: f32 = rows.chunks_exact(D).map(length).sum();
    let factor = (D as f32).sqrt() * (rows.len() / D) as f32 / sum;
    rows.iter_mut().for_each(|v| *v *= factor);
    rows
}

/// Scales a row so that the lengths of its parts, one a site, sum to 1.
fn unit(row: &mut [f32], n_sites: usize) {
    let sum: f32 = row.chunks_exact(row.len() / n_sites).map(length).sum();
    row.iter_mut().for_each(|v| *v /= sum);
}
