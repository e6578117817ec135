//! Tests of the transcoder: against the equations, and its errors.

use super::*;
use candle_core::DType;
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

const DEV: Device = Device::Cpu;

fn normal(shape: &[usize], rng: &mut ChaCha8Rng) -> Tensor {
    let n = shape.iter().product();
    let values: Vec<f32> = StandardNormal.sample_iter(rng).take(n).collect();
    Tensor::from_vec(values, shape, &DEV).unwrap()
}

fn random(activation: TranscoderActivation, rng: &mut ChaCha8Rng) -> Transcoder {
    let (d_in, d_sae, d_out) = (4, 9, 3);
    Transcoder::new(
        1,
        normal(&[d_in, d_sae], rng),
        normal(&[d_sae], rng),
        normal(&[d_sae, d_out], rng),
        normal(&[d_out], rng),
        activation,
    )
    .unwrap()
}

fn vec2(t: &Tensor) -> Vec<Vec<f32>> {
    t.to_vec2().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    /// Against the equations, element by element.
    #[test]
    fn activations_and_outputs_are_those_of_the_equations(seed in 0u64..10_000, k in 1usize..9) {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let threshold = normal(&[9], rng);
        let kinds = [
            TranscoderActivation::Relu,
            TranscoderActivation::JumpRelu { threshold: threshold.clone() },
            TranscoderActivation::TopK { k },
        ];
        let threshold = threshold.to_vec1::<f32>().unwrap();
        for (kind, activation) in kinds.into_iter().enumerate() {
            let transcoder = random(activation, rng);
            let skip = normal(&[4, 3], rng);
            let with_skip = transcoder.clone().with_skip(skip.clone()).unwrap();
            let x = normal(&[5, 4], rng);
            let (w_enc, w_dec) = (vec2(&transcoder.w_enc), vec2(&transcoder.w_dec));
            let b_enc = transcoder.b_enc.to_vec1::<f32>().unwrap();
            let b_dec = transcoder.b_dec.to_vec1::<f32>().unwrap();
            let acts = vec2(&transcoder.encode(&x).unwrap());
            let y = vec2(&transcoder.reconstruct(&x).unwrap());
            let y_skip = vec2(&with_skip.reconstruct(&x).unwrap());
            let skip = vec2(&skip);
            for (n, x) in vec2(&x).iter().enumerate() {
                let pre: Vec<f32> = (0..9)
                    .map(|j| b_enc[j] + (0..4).map(|i| x[i] * w_enc[i][j]).sum::<f32>())
                    .collect();
                let mut sorted = pre.clone();
                sorted.sort_by(|a, b| b.total_cmp(a));
                let expected: Vec<f32> = (0..9)
                    .map(|j| {
                        let least = match kind {
                            0 => 0.0,
                            1 => threshold[j].max(0.0),
                            // Halfway to the first one that is left out.
                            _ => (sorted.get(k).map_or(0.0, |next| (sorted[k - 1] + next) / 2.0))
                                .max(0.0),
                        };
                        if pre[j] > least { pre[j] } else { 0.0 }
                    })
                    .collect();
                for (found, wanted) in acts[n].iter().zip(&expected) {
                    prop_assert!((found - wanted).abs() < 1e-5);
                }
                for (o, bias) in b_dec.iter().enumerate() {
                    let out = bias + (0..9).map(|j| expected[j] * w_dec[j][o]).sum::<f32>();
                    prop_assert!((y[n][o] - out).abs() < 1e-4);
                    let around = (0..4).map(|i| x[i] * skip[i][o]).sum::<f32>();
                    prop_assert!((y_skip[n][o] - out - around).abs() < 1e-4);
                }
            }
        }
    }
}

#[test]
fn leading_axes_are_kept_and_lists_are_those_of_the_matrix() {
    let rng = &mut ChaCha8Rng::seed_from_u64(5);
    let transcoder = random(TranscoderActivation::TopK { k: 2 }, rng);
    let x = normal(&[2, 3, 4], rng);
    let acts = transcoder.encode(&x).unwrap();
    assert_eq!(acts.dims(), [2, 3, 9]);
    assert_eq!(transcoder.reconstruct(&x).unwrap().dims(), [2, 3, 3]);
    let lists = transcoder.encode_sparse(&x).unwrap();
    assert_eq!(lists, ActiveFeatures::of_dense(&acts).unwrap());
    assert!((0..6).all(|row| lists.row(row).0.len() <= 2));
}

#[test]
fn a_row_that_is_not_finite_gives_nan_and_leaves_the_others() {
    let rng = &mut ChaCha8Rng::seed_from_u64(6);
    for activation in [
        TranscoderActivation::Relu,
        TranscoderActivation::JumpRelu {
            threshold: normal(&[9], rng),
        },
        TranscoderActivation::TopK { k: 2 },
    ] {
        let transcoder = random(activation, rng);
        for bad in [f32::NAN, f32::INFINITY] {
            let x = Tensor::new(&[[1f32, 2.0, 3.0, 4.0], [1.0, bad, 0.0, 0.0]], &DEV).unwrap();
            let acts = vec2(&transcoder.encode(&x).unwrap());
            assert!(acts[0].iter().all(|a| a.is_finite()));
            assert!(acts[1].iter().all(|a| a.is_nan()), "{:?}", acts[1]);
        }
    }
}

#[test]
fn parameters_that_do_not_fit_are_named() {
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &DEV).unwrap();
    let of = |b_enc, w_dec, b_dec, activation| {
        let (b_enc, w_dec): (&[usize], &[usize]) = (b_enc, w_dec);
        let made = Transcoder::new(
            0,
            zeros(&[4, 9]),
            zeros(b_enc),
            zeros(w_dec),
            zeros(&[b_dec]),
            activation,
        );
        made.map(|_| ()).map_err(|error| error.to_string())
    };
    let relu = || TranscoderActivation::Relu;
    of(&[9], &[9, 3], 3, relu()).unwrap();
    let failures = [
        (of(&[8], &[9, 3], 3, relu()), "b_enc"),
        (of(&[9], &[8, 3], 3, relu()), "W_dec"),
        (of(&[9], &[9], 3, relu()), "W_dec"),
        (of(&[9], &[9, 3], 4, relu()), "b_dec"),
        (
            of(&[9], &[9, 3], 3, TranscoderActivation::TopK { k: 10 }),
            "k = 10",
        ),
        (
            of(
                &[9],
                &[9, 3],
                3,
                TranscoderActivation::JumpRelu {
                    threshold: zeros(&[2]),
                },
            ),
            "threshold",
        ),
    ];
    for (outcome, name) in failures {
        let message = outcome.unwrap_err();
        assert!(message.contains(name), "{message}");
    }
    let rng = &mut ChaCha8Rng::seed_from_u64(7);
    let transcoder = random(relu(), rng);
    let error = transcoder.clone().with_skip(zeros(&[3, 4])).unwrap_err();
    assert!(error.to_string().contains("W_skip"), "{error}");
    assert!(transcoder.encode(&zeros(&[2, 5])).is_err());
    assert!(transcoder.decode(&zeros(&[2, 5])).is_err());
}
