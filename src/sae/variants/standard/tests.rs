use super::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// Normal draws, the same on every run.
fn normal(shape: &[usize], seed: u64) -> Tensor {
    let rng = ChaCha8Rng::seed_from_u64(seed);
    let n = shape.iter().product();
    let values: Vec<f32> = StandardNormal.sample_iter(rng).take(n).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

fn random(d_in: usize, d_sae: usize, seed: u64) -> StandardSae {
    StandardSae::new(
        normal(&[d_in, d_sae], seed),
        normal(&[d_sae], seed + 1),
        normal(&[d_sae, d_in], seed + 2),
        normal(&[d_in], seed + 3),
    )
    .unwrap()
}

fn tiny() -> StandardSae {
    random(3, 5, 1)
}

#[test]
fn leading_axes_are_kept() {
    let x = normal(&[2, 4, 3], 9);
    let sae = tiny();
    assert_eq!(sae.encode(&x).unwrap().dims(), [2, 4, 5]);
    let flat = sae.reconstruct(&x.reshape((8, 3)).unwrap()).unwrap();
    let kept = sae.reconstruct(&x).unwrap();
    assert_eq!(kept.dims(), [2, 4, 3]);
    assert_eq!(
        kept.flatten_all().unwrap().to_vec1::<f32>().unwrap(),
        flat.flatten_all().unwrap().to_vec1::<f32>().unwrap()
    );
}

#[test]
fn the_activations_of_some_features_are_columns_of_all() {
    let mut standard = random(7, 45, 5);
    let top_k = crate::sae::TopKSae::new(standard.clone(), 9).unwrap();
    let x = normal(&[3, 11, 7], 10);
    let features = [44, 0, 17, 17, 3];
    for apply in [true, false] {
        standard.apply_b_dec_to_input = apply;
        for sae in [&standard as &dyn SparseAutoencoder, &top_k] {
            let some = sae.encode_features(&x, &features).unwrap();
            assert_eq!(some.dims(), [3, 11, 5]);
            let some = some.reshape((33, 5)).unwrap().to_vec2::<f32>().unwrap();
            let all = sae.encode(&x).unwrap().reshape((33, 45)).unwrap();
            for (some, all) in some.iter().zip(all.to_vec2::<f32>().unwrap()) {
                for (a, &feature) in some.iter().zip(&features) {
                    assert!((a - all[feature]).abs() < 1e-5, "{a} {}", all[feature]);
                }
            }
            for (features, rule) in [(&[3, 45][..], "must be below 45"), (&[], "name a feature")] {
                let error = sae.encode_features(&x, features).unwrap_err().to_string();
                assert!(error.contains(rule), "{error}");
            }
        }
    }
    let broken = Tensor::new(&[[f32::NAN, 0., 0., 0., 0., 0., 0.]], &Device::Cpu).unwrap();
    let acts = standard.encode_features(&broken, &[1, 2]).unwrap();
    assert!(acts.to_vec2::<f32>().unwrap()[0].iter().all(|a| a.is_nan()));
}

#[test]
fn lists_are_the_dense_activations() {
    // Not multiples of the kernels' rows, chunks or panels; with and without b_dec in the input.
    let mut sae = random(7, 45, 5);
    for (shape, apply) in [([3, 67, 7], true), ([1, 96, 7], false), ([0, 5, 7], true)] {
        sae.apply_b_dec_to_input = apply;
        let x = normal(&shape, 10);
        let lists = sae.encode_sparse(&x).unwrap();
        let (activity, counted) = (sae.activity(&x).unwrap(), FeatureActivity::of(&lists));
        assert_eq!(activity.n_rows, counted.n_rows);
        assert_eq!(activity.active, counted.active);
        let mut counter = sae.activity_counter().unwrap();
        for _ in 0..2 {
            assert_eq!(counter(&x).unwrap(), activity);
        }
        drop(counter);
        for (a, b) in activity.sum.iter().zip(&counted.sum) {
            assert!((a - b).abs() < 1e-6 * (1.0 + b), "{a} against {b}");
        }
        let dense = sae.encode(&x).unwrap().reshape(((), 45)).unwrap();
        let dense = dense.to_vec2::<f32>().unwrap();
        assert_eq!(lists.n_rows(), dense.len());
        for (i, want) in dense.iter().enumerate() {
            let mut got = [0f32; 45];
            let (features, acts) = lists.row(i);
            for (&j, &act) in features.iter().zip(acts) {
                got[j as usize] = act;
            }
            for (got, want) in got.iter().zip(want) {
                assert!((got - want).abs() < 1e-5, "row {i}: {got} against {want}");
            }
        }
    }
}

#[test]
fn a_wrong_width_is_an_error_with_both_shapes() {
    let x = Tensor::zeros((2, 4), DType::F32, &Device::Cpu).unwrap();
    let message = tiny().encode(&x).unwrap_err().to_string();
    assert!(
        message.contains("[2, 4]") && message.contains("3"),
        "{message}"
    );
    assert!(tiny().decode(&x).is_err());
}

#[test]
fn parameters_that_do_not_fit_are_named() {
    let sae = tiny();
    let message = StandardSae::new(
        sae.w_enc.clone(),
        sae.b_enc.clone(),
        sae.w_enc.clone(),
        sae.b_dec.clone(),
    )
    .unwrap_err()
    .to_string();
    assert!(message.starts_with("W_dec"), "{message}");
}

#[test]
fn plain_vectors_and_tensors_hold_the_same_numbers() {
    let sae = tiny();
    let back = StandardSae::from_params(sae.to_params().unwrap(), &Device::Cpu).unwrap();
    for (a, b) in [(&sae.w_enc, &back.w_enc), (&sae.w_dec, &back.w_dec)] {
        assert_eq!(a.to_vec2::<f32>().unwrap(), b.to_vec2::<f32>().unwrap());
    }
}

#[test]
fn plain_vectors_give_the_same_function_whether_or_not_b_dec_is_subtracted() {
    let x = normal(&[20, 7], 11);
    for apply in [true, false] {
        let mut sae = random(7, 45, 5);
        sae.apply_b_dec_to_input = apply;
        let back = StandardSae::from_params(sae.to_params().unwrap(), &Device::Cpu).unwrap();
        for (a, b) in [
            (sae.encode(&x).unwrap(), back.encode(&x).unwrap()),
            (sae.reconstruct(&x).unwrap(), back.reconstruct(&x).unwrap()),
        ] {
            let difference = (a - b).unwrap().abs().unwrap().max_all().unwrap();
            let difference = difference.to_scalar::<f32>().unwrap();
            assert!(
                difference < 1e-4,
                "apply_b_dec_to_input {apply}: {difference}"
            );
        }
    }
}
