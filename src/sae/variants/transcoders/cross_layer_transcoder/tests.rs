//! Tests of the cross-layer transcoder: against the equations, and its errors.

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

fn random() -> CrossLayerTranscoder {
    let rng = &mut ChaCha8Rng::seed_from_u64(3);
    let (d_in, d_sae, d_out, n) = (3, 5, 4, 3);
    let all = |shape: &dyn Fn(usize) -> Vec<usize>, rng: &mut ChaCha8Rng| -> Vec<Tensor> {
        (0..n).map(|l| normal(&shape(l), rng)).collect()
    };
    let w_enc = all(&|_| vec![d_in, d_sae], rng);
    let b_enc = all(&|_| vec![d_sae], rng);
    let w_dec = all(&|l| vec![d_sae, n - l, d_out], rng);
    let b_dec = all(&|_| vec![d_out], rng);
    CrossLayerTranscoder::new(
        w_enc,
        b_enc,
        w_dec,
        b_dec,
        vec![TranscoderActivation::Relu; n],
    )
    .unwrap()
}

#[test]
fn a_layer_is_written_by_its_own_features_and_earlier_ones() {
    let clt = random();
    let rng = &mut ChaCha8Rng::seed_from_u64(4);
    let x: Vec<Tensor> = (0..3).map(|_| normal(&[2, 3], rng)).collect();
    let y = clt.reconstruct(&x).unwrap();
    for token in 0..2 {
        let acts: Vec<Vec<f32>> = (0..3)
            .map(|l| {
                let x = x[l].to_vec2::<f32>().unwrap().remove(token);
                let w = clt.w_enc[l].to_vec2::<f32>().unwrap();
                let b = clt.b_enc[l].to_vec1::<f32>().unwrap();
                let pre = |j: usize| b[j] + (0..3).map(|i| x[i] * w[i][j]).sum::<f32>();
                (0..5).map(|j| pre(j).max(0.0)).collect()
            })
            .collect();
        for (m, y) in y.iter().enumerate() {
            let y = y.to_vec2::<f32>().unwrap().remove(token);
            let mut wanted = clt.b_dec[m].to_vec1::<f32>().unwrap();
            for (l, acts) in acts.iter().enumerate().take(m + 1) {
                let w_dec = clt.w_dec[l].to_vec3::<f32>().unwrap();
                for (j, act) in acts.iter().enumerate() {
                    for (o, wanted) in wanted.iter_mut().enumerate() {
                        *wanted += act * w_dec[j][m - l][o];
                    }
                }
            }
            assert!(y.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-4));
        }
    }
}

#[test]
fn leading_axes_are_kept_and_what_does_not_fit_is_named() {
    let clt = random();
    let rng = &mut ChaCha8Rng::seed_from_u64(5);
    let x: Vec<Tensor> = (0..3).map(|_| normal(&[2, 6, 3], rng)).collect();
    assert_eq!(clt.reconstruct(&x).unwrap()[2].dims(), [2, 6, 4]);
    assert_eq!(clt.hook_names[1], "blocks.1.ln2.hook_normalized");
    assert!(
        clt.encode(&x[..2])
            .unwrap_err()
            .to_string()
            .contains("3 layers")
    );
    assert!(clt.encode_layer(3, &x[0]).is_err());
    let acts = clt.encode(&x).unwrap();
    assert!(clt.decode_layer(2, &acts[..2]).is_err());
    assert!(clt.clone().between(&[], &[]).is_err());
    let c = clt.clone();
    let mut w_dec = c.w_dec;
    w_dec[1] = w_dec[0].clone();
    let error = CrossLayerTranscoder::new(c.w_enc, c.b_enc, w_dec, c.b_dec, c.activations);
    let error = error.unwrap_err().to_string();
    assert!(error.contains("W_dec of layer 1"), "{error}");
    assert!(CrossLayerTranscoder::new(vec![], vec![], vec![], vec![], vec![]).is_err());
}
