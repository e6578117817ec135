//! Tests of the chain rule against finite differences of the definition in f64, of the algebra, and
//! of the invariants of a step.

use super::*;
use proptest::prelude::*;
use rand::{Rng, SeedableRng};

const KINDS: [TiedGenerators; 2] = [TiedGenerators::Holoraumy, TiedGenerators::RandomOrthogonal];

fn random(kind: TiedGenerators, d_in: usize, d_sae: usize, seed: u64) -> TiedDecoder {
    TiedDecoder::new(kind, d_in, d_sae, &mut ChaCha8Rng::seed_from_u64(seed)).unwrap()
}

/// `sum g . W_dec` by its definition, in f64.
fn by_definition(t: &TiedDecoder, frames: &[f32], coefficients: &[f32], g: &[f32]) -> f64 {
    let d = t.d_in;
    let mut total = 0.0;
    for (group, v) in t.generators.iter().enumerate() {
        for block in 0..4 {
            let a: Vec<f64> = (0..4)
                .map(|j| f64::from(coefficients[16 * group + 4 * block + j]))
                .collect();
            let q = |r: usize, s: usize| -> f64 {
                let one = if r == s { a[0] } else { 0.0 };
                one + (0..3)
                    .map(|j| a[j + 1] * f64::from(v[j][r][s]))
                    .sum::<f64>()
            };
            for r in 0..4 {
                let mut row = vec![0f64; d];
                for s in 0..4 {
                    for (c, x) in row.iter_mut().enumerate() {
                        *x += q(r, s) * f64::from(frames[(4 * group + s) * d + c]);
                    }
                }
                let norm = row.iter().map(|x| x * x).sum::<f64>().sqrt();
                let place = (16 * group + 4 * block + r) * d;
                total += row
                    .iter()
                    .zip(&g[place..])
                    .map(|(x, &g)| x / norm * f64::from(g))
                    .sum::<f64>();
            }
        }
    }
    total
}

#[test]
fn gradients_of_frames_and_coefficients_match_finite_differences() {
    for kind in KINDS {
        let mut t = random(kind, 6, 32, 1);
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        // Arbitrary lengths, not fixed by a gauge: the formulae hold for any.
        for v in t.frames.iter_mut().chain(&mut t.coefficients) {
            *v *= rng.random_range(0.5..2.0);
        }
        let g: Vec<f32> = StandardNormal.sample_iter(&mut rng).take(32 * 6).collect();
        let got = t.gradients(&g).unwrap();
        let written: f64 = t
            .w_dec()
            .iter()
            .zip(&g)
            .map(|(w, g)| f64::from(w * g))
            .sum();
        assert!((written - by_definition(&t, &t.frames, &t.coefficients, &g)).abs() < 1e-4);
        for (name, n, got) in [
            ("frame", t.frames.len(), &got.frames),
            ("coefficient", t.coefficients.len(), &got.coefficients),
        ] {
            for i in 0..n {
                let at = |by: f32| {
                    let (mut frames, mut coefficients) = (t.frames.clone(), t.coefficients.clone());
                    let field = if name == "frame" {
                        &mut frames
                    } else {
                        &mut coefficients
                    };
                    let before = field[i];
                    field[i] += by;
                    let moved = f64::from(field[i]) - f64::from(before);
                    (moved, by_definition(&t, &frames, &coefficients, &g))
                };
                let ((up, f_up), (down, f_down)) = (at(1e-3), at(-1e-3));
                let want = (f_up - f_down) / (up - down);
                assert!(
                    (f64::from(got[i]) - want).abs() < 2e-4 * (1.0 + want.abs()),
                    "{kind:?} {name} {i}: {} against {want}",
                    got[i]
                );
            }
        }
    }
}

fn product(a: &Generator, b: &Generator) -> Generator {
    std::array::from_fn(|r| std::array::from_fn(|s| (0..4).map(|k| a[r][k] * b[k][s]).sum()))
}

fn transposed(a: &Generator) -> Generator {
    std::array::from_fn(|r| std::array::from_fn(|s| a[s][r]))
}

#[test]
fn the_holoraumy_generators_are_quaternions() {
    for (i, v) in HOLORAUMY_GENERATORS.iter().enumerate() {
        for (j, w) in HOLORAUMY_GENERATORS.iter().enumerate() {
            let (vw, wv) = (product(v, w), product(w, v));
            for r in 0..4 {
                for s in 0..4 {
                    let want = if i == j && r == s { -2.0 } else { 0.0 };
                    assert_eq!(vw[r][s] + wv[r][s], want);
                }
            }
        }
    }
}

#[test]
fn random_generators_are_orthogonal_and_differ_from_group_to_group() {
    let t = random(TiedGenerators::RandomOrthogonal, 5, 64, 3);
    for v in t.generators.iter().flatten() {
        let one = product(v, &transposed(v));
        for (r, row) in one.iter().enumerate() {
            for (s, x) in row.iter().enumerate() {
                assert!((x - if r == s { 1.0 } else { 0.0 }).abs() < 1e-5);
            }
        }
    }
    assert!(t.generators[0] != t.generators[1]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    /// `Q(a) Q(b)^T + Q(b) Q(a)^T = 2 (a . b) 1`: with an orthonormal frame the blocks of a group obey
    /// the garden algebra with the metric a . b, since then `W_I W_J^T = Q_I Q_J^T`.
    #[test]
    fn quaternions_obey_the_garden_algebra_with_a_metric(
        a in prop::array::uniform4(-1.0f32..1.0), b in prop::array::uniform4(-1.0f32..1.0),
    ) {
        let (p, q) = (turn(&HOLORAUMY_GENERATORS, &a), turn(&HOLORAUMY_GENERATORS, &b));
        let (pq, qp) = (product(&p, &transposed(&q)), product(&q, &transposed(&p)));
        let metric: f32 = a.iter().zip(&b).map(|(x, y)| x * y).sum();
        for r in 0..4 {
            for s in 0..4 {
                let want = if r == s { 2.0 * metric } else { 0.0 };
                prop_assert!((pq[r][s] + qp[r][s] - want).abs() < 1e-5);
            }
        }
    }
}

#[test]
fn a_step_keeps_rows_frames_and_quaternions_at_their_lengths_and_follows_the_gradient() {
    for kind in KINDS {
        let mut t = random(kind, 24, 48, 4);
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let target: Vec<f32> = StandardNormal.sample_iter(&mut rng).take(48 * 24).collect();
        let mut w_dec = t.w_dec();
        let along = |w: &[f32]| w.iter().zip(&target).map(|(w, t)| w * t).sum::<f32>();
        let first = along(&w_dec);
        let downhill: Vec<f32> = target.iter().map(|t| -t).collect();
        for step in 1..=200 {
            let adam = AdamStep::new(0.01, 0.9, 0.99, step);
            t.update(&adam, &downhill, &mut w_dec).unwrap();
        }
        assert!(
            along(&w_dec) > first + 100.0,
            "{first} to {}",
            along(&w_dec)
        );
        assert_eq!(w_dec, t.w_dec());
        let norm = |row: &[f32]| row.iter().map(|w| w * w).sum::<f32>().sqrt();
        assert!(w_dec.chunks_exact(24).all(|r| (norm(r) - 1.0).abs() < 1e-5));
        assert!(
            t.frames
                .chunks_exact(96)
                .all(|e| (norm(e) - 2.0).abs() < 1e-5)
        );
        assert!(
            t.coefficients
                .chunks_exact(4)
                .all(|a| (norm(a) - 1.0).abs() < 1e-5)
        );
    }
}

#[test]
fn a_tied_decoder_has_a_quarter_of_the_numbers_and_refuses_other_sizes() {
    let t = random(TiedGenerators::Holoraumy, 512, 64, 6);
    assert_eq!((t.n_groups(), t.n_parameters()), (4, 4 * (4 * 512 + 16)));
    assert!(matches!(t.gradients(&[0.0; 3]), Err(Error::Shape { .. })));
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    for (d_in, d_sae) in [(0, 16), (4, 0), (4, 24)] {
        assert!(TiedDecoder::new(TiedGenerators::Holoraumy, d_in, d_sae, &mut rng).is_err());
    }
}
