//! Tokens a second of one training step of the standard autoencoder, 512 to 4,096 features,
//! 4,096 tokens a batch: the workload of `sae_train/standard` in the peers' measurements; and of a transcoder
//! of the same size beside one of a small model, 128 to 4,096 features, with and without a skip.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use holoscope::sae::{
    FeatureBlock, StandardParams, StandardStep, TranscoderParams, TranscoderStep,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use std::hint::black_box;

const D_IN: usize = 512;
const D_SAE: usize = 4_096;
const BATCH: usize = 4_096;

/// A step on Gaussian inputs whose encoder bias lets about `l0` features of a token through.
fn bench_step(c: &mut Criterion, l0: u32, bias: f32) {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut normal =
        |n: usize| -> Vec<f32> { StandardNormal.sample_iter(&mut rng).take(n).collect() };
    let x = normal(BATCH * D_IN);
    let mut w_dec = normal(D_SAE * D_IN);
    for row in w_dec.chunks_exact_mut(D_IN) {
        let norm = row.iter().map(|w| w * w).sum::<f32>().sqrt();
        row.iter_mut().for_each(|w| *w /= norm);
    }
    let params = StandardParams {
        d_in: D_IN,
        d_sae: D_SAE,
        w_enc_t: w_dec.clone(),
        w_dec,
        b_enc: vec![bias; D_SAE],
        b_dec: vec![0.0; D_IN],
    };
    let mut step = StandardStep::new(params, 0.9, 0.99).expect("consistent lengths");
    let mut group = c.benchmark_group("sae_step/512x4096");
    group
        .sample_size(10)
        .throughput(Throughput::Elements(BATCH as u64));
    // So small a learning rate leaves the sparsity where it is.
    group.bench_function(format!("L0 about {l0}"), |b| {
        b.iter(|| black_box(step.step(&x, 1e-9, 0.0)))
    });
    group.finish();
}

/// A transcoder's step on Gaussian inputs and targets, about 50 features of a token active.
fn bench_transcoder(c: &mut Criterion, d: usize, skip: bool) {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut normal =
        |n: usize| -> Vec<f32> { StandardNormal.sample_iter(&mut rng).take(n).collect() };
    let (x, y) = (normal(BATCH * d), normal(BATCH * d));
    let mut w_enc_t = normal(D_SAE * d);
    for row in w_enc_t.chunks_exact_mut(d) {
        let norm = row.iter().map(|w| w * w).sum::<f32>().sqrt();
        row.iter_mut().for_each(|w| *w /= norm);
    }
    let block = FeatureBlock {
        reads: 0..d,
        writes: std::iter::once(0..d).collect(),
        w_enc_t,
        b_enc: vec![-2.25; D_SAE],
        w_dec: normal(D_SAE * d),
    };
    let params = TranscoderParams {
        d_in: d,
        d_out: d,
        blocks: vec![block],
        b_dec: vec![0.0; d],
        w_skip: skip.then(|| vec![0.0; d * d]),
    };
    let mut step = TranscoderStep::new(params, 0.9, 0.99).expect("consistent lengths");
    let mut group = c.benchmark_group(format!("transcoder_step/{d}x4096"));
    group
        .sample_size(10)
        .throughput(Throughput::Elements(BATCH as u64));
    let name = if skip {
        "with a skip"
    } else {
        "without a skip"
    };
    group.bench_function(name, |b| b.iter(|| black_box(step.step(&x, &y, 1e-9, 0.0))));
    group.finish();
}

// Pre-activations are standard normal, so the bias is a quantile: 4,096 P(z > -bias) = L0.
fn sae_step(c: &mut Criterion) {
    bench_step(c, 50, -2.25);
    bench_step(c, 100, -1.97);
    for d in [D_IN, 128] {
        bench_transcoder(c, d, false);
        bench_transcoder(c, d, true);
    }
}

criterion_group!(benches, sae_step);
criterion_main!(benches);
