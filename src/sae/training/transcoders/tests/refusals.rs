//! What a step rejects, and its results for inputs without any variance.

use super::super::init::{Layout, Rows, initial_step};
use super::super::resample::resample_dead;
use super::super::step::TranscoderStep;
use super::reference::{normal, random_params};
use crate::config::{L0Loss, TranscoderConfig};
use crate::error::Error;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

#[test]
fn bad_rows_and_settings_are_named_and_change_nothing() {
    let rng = &mut ChaCha8Rng::seed_from_u64(31);
    let mut step = TranscoderStep::new(random_params(rng), 0.9, 0.99).unwrap();
    let before = step.params().clone();
    let (x, y) = (normal(10 * 5, rng), normal(10 * 6, rng));
    let shape = |outcome: crate::error::Result<_>| {
        assert!(matches!(outcome, Err(Error::Shape { .. })), "{outcome:?}");
    };
    shape(step.step(&[], &[], 1e-3, 0.0).map(|_| ()));
    shape(step.step(&x[..7], &y, 1e-3, 0.0).map(|_| ()));
    shape(step.step(&x, &y[..9 * 6], 1e-3, 0.0).map(|_| ()));
    for (lr, weight) in [(f64::NAN, 0.0), (-1.0, 0.0), (1e-3, f64::INFINITY)] {
        assert!(matches!(
            step.step(&x, &y, lr, weight),
            Err(Error::Argument { .. })
        ));
    }
    for (bad_x, what) in [
        (true, "the input, dimension 2 of row 1"),
        (false, "the target, dimension 1 of row 1"),
    ] {
        for bad in [f32::NAN, f32::INFINITY] {
            let (mut x, mut y) = (x.clone(), y.clone());
            match bad_x {
                true => x[7] = bad,
                false => y[7] = bad,
            }
            let error = step.step(&x, &y, 1e-3, 0.1).unwrap_err();
            assert!(error.to_string().contains(what), "{error}");
        }
    }
    assert_eq!((step.params(), step.steps()), (&before, 0));
    let again = || TranscoderStep::new(before.clone(), 0.9, 0.99).unwrap();
    assert!(TranscoderStep::new(before.clone(), 1.0, 0.9).is_err());
    assert!(again().with_batch_top_k(f64::NAN).is_err());
    assert!(
        again()
            .with_thresholds(&[0.1; 12], 0.1, L0Loss::Step)
            .is_err()
    );
    assert!(
        again()
            .with_thresholds(&[-0.1; 13], 0.1, L0Loss::Step)
            .is_err()
    );
    assert!(
        again()
            .with_thresholds(&[0.1; 13], 0.0, L0Loss::Step)
            .is_err()
    );
}

#[test]
fn lengths_of_decoder_rows_stay_at_one() {
    let rng = &mut ChaCha8Rng::seed_from_u64(32);
    let mut step = TranscoderStep::new(random_params(rng), 0.9, 0.99).unwrap();
    let (x, y) = (normal(100 * 5, rng), normal(100 * 6, rng));
    for _ in 0..20 {
        step.step(&x, &y, 1e-2, 0.05).unwrap();
    }
    for block in &step.params().blocks {
        for row in block.w_dec.chunks_exact(block.d_out()) {
            let sum: f32 = super::super::step::gauge::norms(row, &block.sites())
                .iter()
                .sum();
            assert!((sum - 1.0).abs() < 1e-5, "{sum}");
        }
    }
}

#[test]
fn constant_activations_train_to_finite_parameters() {
    let layout = Layout {
        d_in: 4,
        d_out: 3,
        blocks: vec![(0..4, std::iter::once(0..3).collect())],
        skip: true,
        transposed: false,
    };
    let cfg = TranscoderConfig {
        d_sae: 6,
        ..TranscoderConfig::default()
    };
    let (x, y) = (vec![2.0; 40 * 4], vec![-1.0; 40 * 3]);
    let of = |rows, mean| Rows { rows, mean };
    let rng = &mut ChaCha8Rng::seed_from_u64(33);
    let mut step = initial_step(&layout, &cfg, of(&x, &[2.0; 4]), of(&y, &[-1.0; 3]), rng).unwrap();
    for _ in 0..5 {
        let figures = step.step(&x, &y, 1e-3, 0.1).unwrap();
        assert!(figures.l2.is_finite());
        resample_dead(&mut step, (&x, &y), &[2.0; 4], 1, rng).unwrap();
    }
    let p = step.params();
    let block = &p.blocks[0];
    let all = block.w_enc_t.iter().chain(&block.w_dec).chain(&block.b_enc);
    assert!(all.chain(&p.b_dec).all(|v| v.is_finite()));
    // An input that is not finite is rejected at the start.
    let mut bad = x.clone();
    bad[5] = f32::NAN;
    let error = initial_step(&layout, &cfg, of(&bad, &[2.0; 4]), of(&y, &[-1.0; 3]), rng);
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("row 1, dimension 1")
    );
}
