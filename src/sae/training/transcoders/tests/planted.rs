//! Training finds features that were planted, in a transcoder, a crosscoder and across layers.

use super::super::init::{Layout, Rows, initial_step};
use super::super::resample::resample_dead;
use super::super::step::{TranscoderParams, TranscoderStep};
use super::reference::normal;
use crate::config::{Architecture, L0Loss, TranscoderConfig};
use crate::sae::kernels;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::ops::Range;

const FEATURES: usize = 20;

/// Unit rows.
fn directions(n: usize, d: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let mut rows = normal(n * d, rng);
    rows.chunks_exact_mut(d).for_each(kernels::normalise);
    rows
}

/// Sparse codes, one feature in ten active, with strengths 1 to 2.
fn codes(n: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    (0..n * FEATURES)
        .map(|_| match rng.random_bool(0.1) {
            true => rng.random_range(1.0f32..2.0),
            false => 0.0,
        })
        .collect()
}

/// `codes directions + bias`.
fn written(codes: &[f32], directions: &[f32], bias: f32) -> Vec<f32> {
    let d = directions.len() / FEATURES;
    let n = codes.len() / FEATURES;
    let mut rows = vec![0.0; n * d];
    kernels::product(codes, false, directions, false, [n, FEATURES, d], &mut rows);
    rows.iter_mut().for_each(|v| *v += bias);
    rows
}

fn mean(rows: &[f32], d: usize) -> Vec<f32> {
    let mut mean = vec![0.0; d];
    rows.chunks_exact(d)
        .for_each(|row| kernels::add_scaled(1.0, row, &mut mean));
    let n = (rows.len() / d) as f32;
    mean.iter().map(|m| m / n).collect()
}

fn trained(
    layout: &Layout,
    architecture: Architecture,
    (x, y): (&[f32], &[f32]),
    weight: f64,
) -> (TranscoderStep, f64) {
    let cfg = TranscoderConfig {
        d_sae: 40,
        architecture,
        ..TranscoderConfig::default()
    };
    let rng = &mut ChaCha8Rng::seed_from_u64(5);
    let (mean_x, mean_y) = (mean(x, layout.d_in), mean(y, layout.d_out));
    let of = |rows, mean| Rows { rows, mean };
    let mut step = initial_step(layout, &cfg, of(x, &mean_x), of(y, &mean_y), rng).unwrap();
    let n = x.len() / layout.d_in;
    let mut l2 = f64::NAN;
    for t in 0..600 {
        let from = t * 256 % (n - 256);
        let x = &x[from * layout.d_in..][..256 * layout.d_in];
        let y = &y[from * layout.d_out..][..256 * layout.d_out];
        let lr = 1e-2 * (1.0 - t as f64 / 600.0);
        l2 = step.step(x, y, lr, weight).unwrap().l2;
        if t % 50 == 49 && t < 300 {
            resample_dead(&mut step, (x, y), &mean_x, 20, rng).unwrap();
        }
    }
    let variance: f64 = (y.chunks_exact(layout.d_out))
        .flat_map(|row| row.iter().zip(&mean_y))
        .map(|(y, m)| f64::from(y - m).powi(2))
        .sum::<f64>()
        / n as f64;
    (step, l2 / variance)
}

/// Mean over the planted rows of the largest cosine with a learnt one, at these columns of it.
fn recovery(planted: &[f32], params: &TranscoderParams, block: usize, at: Range<usize>) -> f32 {
    let (d, learnt) = (at.len(), &params.blocks[block]);
    let cosine = |a: &[f32], b: &[f32]| {
        kernels::dot(a, b) / (kernels::dot(a, a) * kernels::dot(b, b)).sqrt().max(1e-9)
    };
    let best = |row: &[f32]| {
        let rows = learnt.w_dec.chunks_exact(learnt.d_out());
        rows.map(|w| cosine(row, &w[at.clone()]))
            .fold(-1.0, f32::max)
    };
    planted.chunks_exact(d).map(best).sum::<f32>() / (planted.len() / d) as f32
}

fn layout(d_in: usize, d_out: usize, sites: Vec<Range<usize>>, transposed: bool) -> Layout {
    Layout {
        d_in,
        d_out,
        blocks: vec![(0..d_in, sites)],
        skip: false,
        transposed,
    }
}

fn one(range: Range<usize>) -> Vec<Range<usize>> {
    std::iter::once(range).collect()
}

#[test]
fn a_transcoder_finds_what_its_target_is_made_of() {
    let rng = &mut ChaCha8Rng::seed_from_u64(1);
    let (e, d) = (directions(FEATURES, 16, rng), directions(FEATURES, 12, rng));
    let codes = codes(8_192, rng);
    let (x, y) = (written(&codes, &e, 0.3), written(&codes, &d, -0.7));
    let jump = Architecture::JumpReLU {
        l0_coeff: 0.0,
        bandwidth: 0.1,
        init_threshold: 0.05,
        l0_loss: L0Loss::Tanh { scale: 4.0 },
    };
    for (architecture, weight) in [
        (Architecture::Standard { l1_coeff: 0.0 }, 0.05),
        (jump, 0.05),
        (Architecture::TopK { k: 3 }, 0.0),
        (Architecture::BatchTopK { k: 2.5 }, 0.0),
    ] {
        let name = architecture.name();
        let layout = layout(16, 12, one(0..12), false);
        let (step, fvu) = trained(&layout, architecture, (&x, &y), weight);
        let found = recovery(&d, step.params(), 0, 0..12);
        println!("{name}: recovery {found}, FVU {fvu}");
        assert!(
            found > 0.9 && fvu < 0.15,
            "{name}: recovery {found}, FVU {fvu}"
        );
    }
}

/// A part of the target is linear in the input, noise included: the skip path learns it, and the features
/// the rest. Without a skip no sparse sum can learn the noise's part, about 0.4 of the variance.
#[test]
fn a_skip_takes_what_is_linear() {
    let rng = &mut ChaCha8Rng::seed_from_u64(2);
    let (e, d) = (directions(FEATURES, 16, rng), directions(FEATURES, 12, rng));
    let codes = codes(8_192, rng);
    let mut x = written(&codes, &e, 0.0);
    // Not related to the features, but the target is linear in it.
    let noise = normal(x.len(), rng);
    kernels::add_scaled(0.6, &noise, &mut x);
    let w = normal(16 * 12, rng);
    let mut linear = vec![0.0; 8_192 * 12];
    kernels::product(&x, false, &w, false, [8_192, 16, 12], &mut linear);
    let mut y = written(&codes, &d, 0.2);
    kernels::add_scaled(0.5, &linear, &mut y);
    let plain = layout(16, 12, one(0..12), false);
    let skip = Layout {
        skip: true,
        ..plain.clone()
    };
    let top_k = || Architecture::TopK { k: 3 };
    let (_, without) = trained(&plain, top_k(), (&x, &y), 0.0);
    let (step, with) = trained(&skip, top_k(), (&x, &y), 0.0);
    println!("FVU {with} with a skip, {without} without");
    assert!(with < 0.1 && with < 0.4 * without);
    assert!(step.params().w_skip.is_some());
}

/// Features of both sites, and features of one site alone, whose decoder at the other is small.
#[test]
fn a_crosscoder_knows_which_site_a_feature_lives_at() {
    let rng = &mut ChaCha8Rng::seed_from_u64(3);
    let codes = codes(8_192, rng);
    let mut first = directions(FEATURES, 14, rng);
    let second = directions(FEATURES, 14, rng);
    // The first four are at the second site alone.
    first[..4 * 14].fill(0.0);
    let (a, b) = (written(&codes, &first, 0.0), written(&codes, &second, 0.0));
    let rows: Vec<f32> = (a.chunks_exact(14).zip(b.chunks_exact(14)))
        .flat_map(|(a, b)| a.iter().chain(b).copied().collect::<Vec<f32>>())
        .collect();
    let layout = layout(28, 28, vec![0..14, 14..28], true);
    for (architecture, weight) in [
        (Architecture::Standard { l1_coeff: 0.0 }, 0.1),
        (Architecture::BatchTopK { k: 2.5 }, 0.0),
    ] {
        let name = architecture.name();
        let (step, fvu) = trained(&layout, architecture, (&rows, &rows), weight);
        let found = recovery(&second, step.params(), 0, 14..28);
        println!("{name}: recovery {found}, FVU {fvu}");
        assert!(
            found > 0.85 && fvu < 0.2,
            "{name}: recovery {found}, FVU {fvu}"
        );
        // The learnt row nearest to each planted one, and how much of its length is at the first site.
        let block = &step.params().blocks[0];
        let share = |planted: &[f32]| {
            let rows = block.w_dec.chunks_exact(28);
            let nearest = rows.max_by(|a, b| {
                let cosine = |w: &[f32]| {
                    kernels::dot(&w[14..], planted)
                        / kernels::dot(&w[14..], &w[14..]).sqrt().max(1e-9)
                };
                cosine(a).total_cmp(&cosine(b))
            });
            let w = nearest.unwrap();
            let norm = |w: &[f32]| kernels::dot(w, w).sqrt();
            assert!((norm(&w[..14]) + norm(&w[14..]) - 1.0).abs() < 1e-4);
            norm(&w[..14])
        };
        let shares: Vec<f32> = second.chunks_exact(14).map(share).collect();
        let mean = |shares: &[f32]| shares.iter().sum::<f32>() / shares.len() as f32;
        let (alone, shared) = (mean(&shares[..4]), mean(&shares[4..]));
        println!("share at the first site: {alone} alone at the second, {shared} of both");
        assert!(alone < 0.25 && shared > 0.35, "{alone} {shared}");
    }
}

/// The output of the second layer is computed from the first layer's input: its own input is noise.
#[test]
fn features_of_an_earlier_layer_write_to_a_later_one() {
    let rng = &mut ChaCha8Rng::seed_from_u64(4);
    let codes = codes(8_192, rng);
    let (e, near, far) = (
        directions(FEATURES, 16, rng),
        directions(FEATURES, 12, rng),
        directions(FEATURES, 12, rng),
    );
    let side_by_side = |a: &[f32], b: &[f32], d: usize| -> Vec<f32> {
        let both = a.chunks_exact(d).zip(b.chunks_exact(d));
        both.flat_map(|(a, b)| a.iter().chain(b).copied().collect::<Vec<f32>>())
            .collect()
    };
    let x = side_by_side(&written(&codes, &e, 0.0), &normal(8_192 * 16, rng), 16);
    let y = side_by_side(
        &written(&codes, &near, 0.0),
        &written(&codes, &far, 0.0),
        12,
    );
    let across = Layout {
        d_in: 32,
        d_out: 24,
        blocks: vec![(0..16, one(0..24)), (16..32, one(12..24))],
        skip: false,
        transposed: false,
    };
    let own = Layout {
        blocks: vec![(0..16, one(0..12)), (16..32, one(12..24))],
        ..across.clone()
    };
    let top_k = || Architecture::TopK { k: 3 };
    let (step, fvu) = trained(&across, top_k(), (&x, &y), 0.0);
    let (_, of_own) = trained(&own, top_k(), (&x, &y), 0.0);
    let found = recovery(&far, step.params(), 0, 12..24);
    println!("FVU {fvu} across, {of_own} layer by layer; recovery {found}");
    // Layer by layer the second output, half of all variance, cannot be predicted.
    assert!(fvu < 0.2 && of_own > 0.45, "{fvu} {of_own}");
    assert!(found > 0.85, "{found}");
}
