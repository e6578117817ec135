//! One training step of the write-up's model: forward, backward, clip, AdamW.

use candle_core::Tensor;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use holoscope::config::TransformerConfig;
use holoscope::model::Transformer;
use holoscope::train::{AdamW, AdamWConfig, clip_scale, global_norm};
use std::hint::black_box;
use std::time::Duration;

const BATCH: usize = 16;

fn train_step(c: &mut Criterion) {
    let cfg = TransformerConfig {
        d_vocab: 11_707,
        ..TransformerConfig::default()
    };
    let model = Transformer::new(&cfg).expect("the configuration is valid");
    let params = model.named_parameters();
    let constants = AdamWConfig {
        beta1: 0.9,
        beta2: 0.95,
        eps: 1e-8,
        weight_decay: 0.01,
    };
    let mut adamw = AdamW::new(params.clone(), constants).expect("parameters are tensors");
    let ids: Vec<u32> = (0..BATCH * cfg.n_ctx)
        .map(|i| (i * 7_919 % cfg.d_vocab) as u32)
        .collect();
    let tokens = Tensor::from_vec(ids, (BATCH, cfg.n_ctx), model.device()).expect("a matrix");

    let mut group = c.benchmark_group("train_step");
    group
        .sample_size(10)
        .warm_up_time(Duration::from_secs(1))
        .throughput(Throughput::Elements((BATCH * cfg.n_ctx) as u64));
    group.bench_function("whole", |b| {
        b.iter(|| {
            let (_, grads) = model.loss_and_gradients(&tokens).expect("a pass");
            let norm = global_norm(&params, &grads).expect("norm");
            adamw
                .step(&grads, 1e-3, clip_scale(norm, 1.0))
                .expect("update");
        });
    });
    let (_, grads) = model.loss_and_gradients(&tokens).expect("a pass");
    group.bench_function("clip_and_adamw", |b| {
        b.iter(|| {
            let norm = global_norm(&params, &grads).expect("norm");
            adamw
                .step(&grads, 1e-3, clip_scale(black_box(norm), 1.0))
                .expect("update");
        });
    });
    group.finish();
}

criterion_group!(benches, train_step);
criterion_main!(benches);
