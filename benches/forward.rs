//! Forward and training passes of the write-up's model: one layer, `d_model` 128, 4 heads,
//! `d_mlp` 512, 11,707 tokens, batches of 16 x 128.

use candle_core::{Device, Tensor};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use holoscope::config::TransformerConfig;
use holoscope::model::{GenerateConfig, NamesFilter, Transformer};

const BATCH: usize = 16;
const POS: usize = 128;

fn passes(c: &mut Criterion) {
    let cfg = TransformerConfig {
        d_vocab: 11_707,
        ..TransformerConfig::default()
    };
    let model = Transformer::new(&cfg).expect("a valid configuration");
    let ids: Vec<u32> = (0..BATCH * POS)
        .map(|i| (i * 7919 % 11_707) as u32)
        .collect();
    let tokens = Tensor::from_vec(ids, (BATCH, POS), &Device::Cpu).expect("tokens");
    let filter = NamesFilter::only("blocks.0.mlp.hook_post").expect("a hook name");
    let mut group = c.benchmark_group("transformer");
    group.sample_size(20);
    group.throughput(Throughput::Elements((BATCH * POS) as u64));
    group.bench_function("forward to mlp.hook_post", |b| {
        b.iter(|| model.run_with_cache_filtered(&tokens, &filter, Some(1)));
    });
    group.bench_function("loss", |b| {
        b.iter(|| model.without_gradients().loss(&tokens))
    });
    group.bench_function("loss and gradients", |b| {
        b.iter(|| model.loss(&tokens).and_then(|loss| Ok(loss.backward()?)));
    });
    group.finish();
    let cfg = GenerateConfig {
        max_new_tokens: 32,
        ..GenerateConfig::default()
    };
    let mut group = c.benchmark_group("generate");
    group.sample_size(10);
    group.throughput(Throughput::Elements(32));
    group.bench_function("32 tokens", |b| b.iter(|| model.generate(&[1, 2, 3], &cfg)));
    group.finish();
}

criterion_group!(benches, passes);
criterion_main!(benches);
