//! Tokenising, side by side with tiktoken-rs: megabytes of text a second.
//!
//! The text is generated, so that the bench needs no network.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use holoscope::config::DataConfig;
use holoscope::data::{Dataset, Tokenizer, documents, embedded_corpus};
use std::hint::black_box;

fn tokenise(c: &mut Criterion) {
    let corpus = embedded_corpus(1_000_000, 1);
    let parts = documents(&corpus.text);
    let gpt2 = Tokenizer::gpt2().expect("GPT-2's vocabulary is bundled");
    let ids = gpt2.encode(&corpus.text);
    let compact = Tokenizer::compact(&ids).expect("its own ids are in range");
    let own = compact.encode(&corpus.text);

    let mut group = c.benchmark_group("tokenise");
    group.sample_size(20);
    group.throughput(Throughput::Bytes(corpus.text.len() as u64));
    group.bench_function("tiktoken_rs", |b| {
        let bpe = tiktoken_rs::r50k_base_singleton();
        b.iter(|| black_box(bpe.encode_ordinary(&corpus.text)));
    });
    group.bench_function("encode", |b| {
        b.iter(|| black_box(gpt2.encode(&corpus.text)))
    });
    group.bench_function("encode_compact", |b| {
        b.iter(|| black_box(compact.encode(&corpus.text)))
    });
    group.bench_function("encode_documents", |b| {
        b.iter(|| black_box(gpt2.encode_documents(&parts)))
    });
    group.bench_function("decode", |b| b.iter(|| black_box(compact.decode(&own))));
    group.bench_function("dataset", |b| {
        let cfg = DataConfig::default();
        b.iter(|| black_box(Dataset::from_corpus(&corpus, &cfg).expect("many documents")))
    });
    group.bench_function("generate", |b| {
        b.iter(|| black_box(embedded_corpus(1_000_000, 1)))
    });
    group.finish();
}

criterion_group!(benches, tokenise);
criterion_main!(benches);
