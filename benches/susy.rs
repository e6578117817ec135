//! The exact algebra: all minimal four-colour adinkras, the counts of their gadget matrix by
//! classes of holoraumy, and the same counts from all 1,358,954,496 pairs; codes and adinkras.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use holoscope::susy::{
    Adinkra, BinaryCode, Sector, doubly_even_classes, garden_space, generator_sets,
};
use std::hint::black_box;

fn susy(c: &mut Criterion) {
    let mut group = c.benchmark_group("susy");
    group.sample_size(10);
    group.bench_function("quartets", |b| b.iter(|| black_box(garden_space(4, 4))));
    group.bench_function("quartets and gadget counts", |b| {
        b.iter(|| {
            let space = garden_space(4, 4).expect("in range");
            black_box(space.gadget_counts(Sector::Fermionic))
        })
    });
    group.bench_function("classes of codes, N = 16", |b| {
        b.iter(|| black_box(doubly_even_classes(16)))
    });
    group.bench_function("generator sets, N = d = 8", |b| {
        b.iter(|| black_box(generator_sets(8, 8)))
    });
    let code = BinaryCode::largest_doubly_even(16).expect("in range");
    group.bench_function("minimal adinkra, N = 16, d = 128", |b| {
        b.iter(|| black_box(Adinkra::new(&code)))
    });
    let space = garden_space(4, 4).expect("in range");
    group.throughput(Throughput::Elements((space.len() * space.len()) as u64));
    group.bench_function("gadget counts of all pairs", |b| {
        b.iter(|| black_box(space.gadget_counts_by_pairs(Sector::Fermionic)))
    });
    group.finish();
}

criterion_group!(benches, susy);
criterion_main!(benches);
