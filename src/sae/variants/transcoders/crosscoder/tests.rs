//! Tests of the crosscoder: against a standard autoencoder on the concatenated sites, and its errors.

use super::*;
use candle_core::Device;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

fn normal(shape: &[usize], rng: &mut ChaCha8Rng) -> Tensor {
    let n = shape.iter().product();
    let values: Vec<f32> = StandardNormal.sample_iter(rng).take(n).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

const NAMES: [&str; 2] = ["blocks.0.hook_resid_post", "blocks.1.mlp.hook_post"];

fn random(activation: TranscoderActivation) -> Crosscoder {
    let rng = &mut ChaCha8Rng::seed_from_u64(3);
    Crosscoder::new(
        &NAMES,
        vec![normal(&[3, 7], rng), normal(&[5, 7], rng)],
        normal(&[7], rng),
        vec![normal(&[7, 3], rng), normal(&[7, 5], rng)],
        vec![normal(&[3], rng), normal(&[5], rng)],
        activation,
    )
    .unwrap()
}

/// A crosscoder is a dictionary on the concatenation: `[x_0 x_1] [W_enc_0; W_enc_1] + b_enc`.
#[test]
fn it_is_a_dictionary_on_the_concatenated_sites() {
    let threshold = Tensor::new(&[0.3f32; 7], &Device::Cpu).unwrap();
    for (activation, floor) in [
        (TranscoderActivation::Relu, 0.0),
        (TranscoderActivation::JumpRelu { threshold }, 0.3f32),
    ] {
        let crosscoder = random(activation);
        let rng = &mut ChaCha8Rng::seed_from_u64(4);
        let x = [normal(&[2, 4, 3], rng), normal(&[2, 4, 5], rng)];
        let all = Tensor::cat(&x, 2).unwrap().reshape((8, 8)).unwrap();
        let w_enc = Tensor::cat(&crosscoder.w_enc, 0).unwrap();
        let pre = all
            .matmul(&w_enc)
            .unwrap()
            .broadcast_add(&crosscoder.b_enc)
            .unwrap();
        let pre = pre.to_vec2::<f32>().unwrap();
        let acts = crosscoder.encode(&x).unwrap();
        assert_eq!(acts.dims(), [2, 4, 7]);
        let found = acts.reshape((8, 7)).unwrap().to_vec2::<f32>().unwrap();
        for (pre, found) in pre.iter().flatten().zip(found.iter().flatten()) {
            let wanted = if *pre > floor { *pre } else { 0.0 };
            assert!((found - wanted).abs() < 1e-5);
        }
        let back = crosscoder.reconstruct(&x).unwrap();
        assert_eq!(
            (back[0].dims(), back[1].dims()),
            (&[2, 4, 3][..], &[2, 4, 5][..])
        );
        let w_dec = Tensor::cat(&crosscoder.w_dec, 1).unwrap();
        let b_dec = Tensor::cat(&crosscoder.b_dec, 0).unwrap();
        let acts = acts.reshape((8, 7)).unwrap();
        let wanted = acts.matmul(&w_dec).unwrap().broadcast_add(&b_dec).unwrap();
        let found = Tensor::cat(&back, 2).unwrap().reshape((8, 8)).unwrap();
        let apart = (wanted - found).unwrap().abs().unwrap().max_all().unwrap();
        assert!(apart.to_scalar::<f32>().unwrap() < 1e-5);
    }
}

#[test]
fn norms_say_where_a_feature_lives() {
    let mut crosscoder = random(TranscoderActivation::Relu);
    crosscoder.w_dec[0] = crosscoder.w_dec[0].zeros_like().unwrap();
    let norms = crosscoder
        .decoder_norms()
        .unwrap()
        .to_vec2::<f32>()
        .unwrap();
    let row = crosscoder.w_dec[1].to_vec2::<f32>().unwrap().remove(2);
    let length = row.iter().map(|w| w * w).sum::<f32>().sqrt();
    assert_eq!(norms[2][0], 0.0);
    assert!((norms[2][1] - length).abs() < 1e-6);
    assert!(crosscoder.summary().contains("blocks.1.mlp.hook_post"));
}

#[test]
fn bad_inputs_are_named() {
    let crosscoder = random(TranscoderActivation::TopK { k: 2 });
    let rng = &mut ChaCha8Rng::seed_from_u64(5);
    let of = |x: &[Tensor]| crosscoder.encode(x).unwrap_err().to_string();
    let (a, b) = (normal(&[4, 3], rng), normal(&[4, 5], rng));
    assert!(of(std::slice::from_ref(&a)).contains("2 sites"));
    assert!(of(&[a.clone(), a.clone()]).contains("blocks.1.mlp.hook_post"));
    assert!(of(&[a.clone(), normal(&[3, 5], rng)]).contains("leading"));
    assert!(crosscoder.decode(&b).is_err());
    // A NaN at one site: all activations of that token are unknown.
    let bad = Tensor::new(&[[0f32, f32::NAN, 0.0], [1.0, 2.0, 3.0]], &Device::Cpu).unwrap();
    let acts = crosscoder.encode(&[bad, normal(&[2, 5], rng)]).unwrap();
    let acts = acts.to_vec2::<f32>().unwrap();
    assert!(acts[0].iter().all(|a| a.is_nan()) && acts[1].iter().all(|a| a.is_finite()));
    let again = |names: &[&str], b_enc: &[usize]| {
        let c = crosscoder.clone();
        let b_enc = Tensor::zeros(b_enc, DType::F32, &Device::Cpu).unwrap();
        Crosscoder::new(names, c.w_enc, b_enc, c.w_dec, c.b_dec, c.activation)
            .unwrap_err()
            .to_string()
    };
    assert!(again(&[], &[7]).contains("site"));
    assert!(again(&[NAMES[0], NAMES[0]], &[7]).contains("twice"));
    assert!(again(&NAMES[..1], &[7]).contains("W_enc"));
    assert!(again(&NAMES, &[6]).contains("W_enc of blocks.0"));
}
