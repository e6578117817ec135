//! Tests of the penalty against its definition in f64, of its gradient against finite differences, and
//! of its invariances.

use super::*;
use proptest::prelude::*;
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

fn random(d_in: usize, d_sae: usize, seed: u64) -> StandardParams {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut normal =
        |n: usize| -> Vec<f32> { StandardNormal.sample_iter(&mut rng).take(n).collect() };
    StandardParams {
        d_in,
        d_sae,
        w_enc_t: normal(d_sae * d_in),
        w_dec: normal(d_sae * d_in),
        b_enc: vec![0.0; d_sae],
        b_dec: vec![0.0; d_in],
    }
}

/// Unit rows in f64.
fn unit(rows: &[f32], d: usize) -> Vec<Vec<f64>> {
    rows.chunks_exact(d)
        .map(|row| {
            let norm = row
                .iter()
                .map(|&v| f64::from(v).powi(2))
                .sum::<f64>()
                .sqrt();
            row.iter().map(|&v| f64::from(v) / norm).collect()
        })
        .collect()
}

/// The mean of the penalty over groups by its definition, for given members and terms.
fn by_definition(p: &StandardParams, members: &[u32], involutions: &[[u8; ENTRIES]]) -> f64 {
    let (enc, dec) = (unit(&p.w_enc_t, p.d_in), unit(&p.w_dec, p.d_in));
    let mut total = 0.0;
    for (g, members) in members.chunks(GROUP).enumerate() {
        // Entry (r, s) of R_I L_J.
        let entry = |i: usize, r: usize, j: usize, s: usize| -> f64 {
            let (a, b) = (members[4 * i + r] as usize, members[4 * j + s] as usize);
            dec[a].iter().zip(&enc[b]).map(|(x, y)| x * y).sum()
        };
        let mut pair = 0;
        for i in 0..4 {
            for r in 0..4 {
                for s in 0..4 {
                    let delta = if r == s { 1.0 } else { 0.0 };
                    total += (entry(i, r, i, s) - delta).powi(2);
                }
            }
            for j in i + 1..4 {
                for (e, &with) in involutions[6 * g + pair].iter().enumerate() {
                    let with = usize::from(with);
                    let transposed = entry(j, with % 4, i, with / 4);
                    total += (entry(i, e / 4, j, e % 4) + transposed).powi(2);
                }
                pair += 1;
            }
        }
    }
    total / (p.d_sae / GROUP) as f64
}

#[test]
fn the_gradient_of_every_pairing_matches_finite_differences() {
    let p = random(6, 32, 1);
    for pairing in [
        GardenPairing::Garden,
        GardenPairing::Scrambled,
        GardenPairing::Redrawn,
    ] {
        let mut penalty = GardenPenalty::new(pairing, 0.7, 32, 5).unwrap();
        let (value, gradients) = penalty.gradients(&p).unwrap();
        let gradients = gradients.clone();
        let definition =
            |p: &StandardParams| by_definition(p, &penalty.members, &penalty.involutions);
        assert!((value - definition(&p)).abs() < 1e-4 * value, "{pairing:?}");
        for j in 0..32 {
            for c in 0..6 {
                let numeric = |field: fn(&mut StandardParams) -> &mut Vec<f32>| {
                    let (mut up, mut down) = (p.clone(), p.clone());
                    field(&mut up)[j * 6 + c] += 1e-3;
                    field(&mut down)[j * 6 + c] -= 1e-3;
                    let width = f64::from(field(&mut up)[j * 6 + c])
                        - f64::from(field(&mut down)[j * 6 + c]);
                    0.7 * (definition(&up) - definition(&down)) / width
                };
                for (name, got, want) in [
                    ("W_enc", gradients.w_enc(j)[c], numeric(|p| &mut p.w_enc_t)),
                    ("W_dec", gradients.w_dec(j)[c], numeric(|p| &mut p.w_dec)),
                ] {
                    assert!(
                        (f64::from(got) - want).abs() < 1e-4 * (1.0 + want.abs()),
                        "{pairing:?} {name}[{j}][{c}]: {got} against {want}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_scrambled_pairing_has_the_algebras_number_of_each_kind_of_term() {
    let penalty = GardenPenalty::new(GardenPairing::Scrambled, 1.0, 160, 2).unwrap();
    assert_eq!(penalty.involutions.len(), 60);
    let mut differing = 0;
    for t in &penalty.involutions {
        let stay = (0..ENTRIES).filter(|&e| usize::from(t[e]) == e).count();
        assert_eq!(stay, 4);
        assert!((0..ENTRIES).all(|e| usize::from(t[usize::from(t[e])]) == e));
        differing += usize::from(*t != TRANSPOSITION);
    }
    // 16!/(4! 6! 2^6) = 18,918,900 involutions of this type: almost never equal to the algebra's.
    assert_eq!(differing, 60);
}

/// Weights whose groups are the exact garden algebra of quaternions: `L_I = E^T Q_I`, `R_I = L_I^T`
/// with `Q_I` left multiplication by 1, i, j, k and E orthonormal. `Q_I^T Q_J + Q_J^T Q_I = 2 delta`.
fn exact(d_in: usize) -> StandardParams {
    let mut p = random(d_in, GROUP, 3);
    // Columns of Q_I: the images of 1, i, j, k under the multiplication.
    let images: [[(usize, f32); 4]; 4] = [
        [(0, 1.0), (1, 1.0), (2, 1.0), (3, 1.0)],
        [(1, 1.0), (0, -1.0), (3, 1.0), (2, -1.0)],
        [(2, 1.0), (3, -1.0), (0, -1.0), (1, 1.0)],
        [(3, 1.0), (2, 1.0), (1, -1.0), (0, -1.0)],
    ];
    p.w_enc_t.fill(0.0);
    for (i, columns) in images.iter().enumerate() {
        for (s, (axis, sign)) in columns.iter().enumerate() {
            p.w_enc_t[(4 * i + s) * d_in + axis] = *sign;
        }
    }
    p.w_dec = p.w_enc_t.clone();
    p
}

#[test]
fn quaternions_close_and_have_the_full_holoraumy() {
    let p = exact(9);
    let defect = DictionaryDefect::of(&p).unwrap();
    assert!(defect.mean_closure() < 1e-12, "{defect:?}");
    assert!((defect.mean_holoraumy() - 1.0).abs() < 1e-6, "{defect:?}");
    let mut scrambled = GardenPenalty::new(GardenPairing::Scrambled, 1.0, 16, 4).unwrap();
    assert!(scrambled.gradients(&p).unwrap().0 > 1.0);
}

#[test]
fn orthogonal_blocks_close_for_every_pairing_and_have_no_holoraumy() {
    let mut p = random(20, GROUP, 3);
    p.w_enc_t.fill(0.0);
    for j in 0..GROUP {
        p.w_enc_t[j * 20 + j] = 2.0;
    }
    p.w_dec = p.w_enc_t.clone();
    let defect = DictionaryDefect::of(&p).unwrap();
    assert_eq!((defect.mean_closure(), defect.mean_holoraumy()), (0.0, 0.0));
    for pairing in [GardenPairing::Scrambled, GardenPairing::Redrawn] {
        let mut penalty = GardenPenalty::new(pairing, 1.0, 16, 4).unwrap();
        assert_eq!(penalty.gradients(&p).unwrap().0, 0.0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    /// The gauge freedom of a dictionary: the length of a row or column, and a rotation of the
    /// activations (here by a Givens rotation in a random plane; these generate all rotations).
    #[test]
    fn lengths_and_rotations_leave_the_defect_alone(seed in 0u64..1_000, angle in 0.0f32..6.0) {
        let p = random(7, 32, seed);
        let before = DictionaryDefect::of(&p).unwrap();
        let mut q = p.clone();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for rows in [&mut q.w_enc_t, &mut q.w_dec] {
            for row in rows.chunks_exact_mut(7) {
                let length: f32 = rng.random_range(0.2..3.0);
                row.iter_mut().for_each(|w| *w *= length);
                let (a, b) = (row[1], row[4]);
                (row[1], row[4]) = (angle.cos() * a - angle.sin() * b, angle.sin() * a + angle.cos() * b);
            }
        }
        let after = DictionaryDefect::of(&q).unwrap();
        for (a, b) in before.closure.iter().chain(&before.holoraumy).zip(after.closure.iter().chain(&after.holoraumy)) {
            prop_assert!((a - b).abs() < 1e-5 * (1.0 + a), "{} against {}", a, b);
        }
    }
}

#[test]
fn descending_the_gradient_closes_the_algebra() {
    let mut p = random(40, 32, 8);
    let mut penalty = GardenPenalty::new(GardenPairing::Garden, 1.0, 32, 0).unwrap();
    let first = penalty.gradients(&p).unwrap().0;
    for _ in 0..400 {
        let (_, g) = penalty.gradients(&p).unwrap();
        for j in 0..32 {
            kernels::add_scaled(-2.0, g.w_enc(j), &mut p.w_enc_t[j * 40..][..40]);
            kernels::add_scaled(-2.0, g.w_dec(j), &mut p.w_dec[j * 40..][..40]);
        }
    }
    let last = penalty.gradients(&p).unwrap().0;
    assert!(last < 0.05 * first, "from {first} to {last}");
}

#[test]
fn sizes_and_weights_that_make_no_sense_are_refused() {
    for d_sae in [0, 8, 40] {
        let outcome = GardenPenalty::new(GardenPairing::Garden, 1.0, d_sae, 0);
        assert!(matches!(outcome, Err(Error::Argument { .. })));
        assert!(DictionaryDefect::of(&random(4, d_sae, 0)).is_err());
    }
    for lambda in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(GardenPenalty::new(GardenPairing::Garden, lambda, 16, 0).is_err());
    }
    let mut penalty = GardenPenalty::new(GardenPairing::Garden, 1.0, 16, 0).unwrap();
    let outcome = penalty.gradients(&random(4, 32, 0)).map(|_| ());
    assert!(matches!(outcome, Err(Error::Shape { .. })));
}
