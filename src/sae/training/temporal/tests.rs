//! The step's gradients against candle's automatic differentiation of the inference code, which SAELens' numbers test
//! (`tests/sae_temporal.rs`).

use super::layer::Layer;
use super::parameters::Parameter;
use super::shape::Shape;
use super::step::TemporalStep;
use crate::sae::variants::{TemporalAttention, TemporalSae};
use candle_core::{Device, Tensor, Var};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Every parameter as a variable, and the autoencoder of them.
struct Reference {
    vars: Vec<Var>,
    sae: TemporalSae,
}

fn numbers(rng: &mut ChaCha8Rng, n: usize, size: f32) -> Vec<f32> {
    (0..n).map(|_| rng.random_range(-size..size)).collect()
}

fn of(
    shape: Shape,
    n_layers: usize,
    k: Option<usize>,
    rng: &mut ChaCha8Rng,
) -> (TemporalStep, Reference) {
    let Shape {
        d_in,
        d_sae,
        width,
        n_heads,
        ..
    } = shape;
    let mut vars: Vec<Var> = Vec::new();
    let mut var = |values: &[f32], dims: &[usize]| {
        let tensor = Tensor::from_slice(values, dims, &Device::Cpu).unwrap();
        vars.push(Var::from_tensor(&tensor).unwrap());
        vars[vars.len() - 1].as_tensor().clone()
    };
    let (w_dec, b_dec) = (numbers(rng, d_sae * d_in, 1.0), numbers(rng, d_in, 0.3));
    let (w_dec_t, b_dec_t) = (var(&w_dec, &[d_sae, d_in]), var(&b_dec, &[d_in]));
    let (mut layers, mut tensors) = (Vec::new(), Vec::new());
    for _ in 0..n_layers {
        let mut parts = Vec::new();
        for n_out in [width, width, d_sae, d_sae] {
            parts.push((numbers(rng, n_out * d_sae, 1.0), numbers(rng, n_out, 0.2)));
        }
        let mut both = |part: usize| {
            let (w, b): &(Vec<f32>, Vec<f32>) = &parts[part];
            (var(w, &[b.len(), d_sae]), var(b, &[b.len()]))
        };
        let ((w_k, b_k), (w_q, b_q), (w_v, b_v), (w_o, b_o)) = (both(0), both(1), both(2), both(3));
        tensors.push(TemporalAttention {
            w_q,
            b_q,
            w_k,
            b_k,
            w_v,
            b_v,
            w_o,
            b_o,
        });
        let joined = |of: fn(&(Vec<f32>, Vec<f32>)) -> &Vec<f32>| {
            Parameter::new(parts[..3].iter().flat_map(of).copied().collect())
        };
        layers.push(Layer {
            w_kqv: joined(|part| &part.0),
            b_kqv: joined(|part| &part.1),
            w_o: Parameter::new(parts[3].0.clone()),
            b_o: Parameter::new(parts[3].1.clone()),
        });
    }
    let sae = TemporalSae::new(w_dec_t, b_dec_t, tensors, n_heads, k).unwrap();
    let step = TemporalStep::new(shape, (w_dec, b_dec, layers), k, (0.9, 0.999));
    (step, Reference { vars, sae })
}

/// The gradients in the order of the reference's variables.
fn gradients(step: &TemporalStep) -> Vec<Vec<f32>> {
    let Shape { width, d_sae, .. } = step.shape;
    let mut all = vec![step.w_dec.gradient.clone(), step.b_dec.gradient.clone()];
    for layer in &step.layers {
        let mut from = 0;
        for n in [width, width, d_sae] {
            all.push(layer.w_kqv.gradient[from * d_sae..(from + n) * d_sae].to_vec());
            all.push(layer.b_kqv.gradient[from..from + n].to_vec());
            from += n;
        }
        all.extend([layer.w_o.gradient.clone(), layer.b_o.gradient.clone()]);
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn gradients_are_those_of_automatic_differentiation(
        seed in 0u64..1000,
        (d_in, per_head, n_heads) in (2usize..7, 1usize..4, 1usize..4),
        (n_sequences, n_pos, n_layers) in (1usize..4, 1usize..40, 1usize..3),
        sparse: bool,
    ) {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let d_sae = 4 * n_heads;
        let shape = Shape { d_in, d_sae, width: per_head * n_heads, n_heads, n_pos };
        let (mut step, reference) = of(shape, n_layers, sparse.then_some(2), rng);
        let n = n_sequences * n_pos;
        let x = numbers(rng, n * d_in, 2.0);
        let figures = step.forward(&x);
        step.backward();

        let x = Tensor::from_slice(&x, (n_sequences, n_pos, d_in), &Device::Cpu).unwrap();
        let codes = reference.sae.encode_with_predictions(&x).unwrap();
        let all = (&codes.novel + &codes.predicted).unwrap();
        let x_hat = reference.sae.written_by(&all).unwrap();
        let loss = ((x_hat - x).unwrap().sqr().unwrap().sum_all().unwrap() / n as f64).unwrap();
        let wanted_loss = f64::from(loss.to_scalar::<f32>().unwrap());
        prop_assert!((figures.l2 - wanted_loss).abs() < 1e-4 * wanted_loss.max(1.0), "{} {wanted_loss}", figures.l2);
        let grads = loss.backward().unwrap();
        for (i, (got, var)) in gradients(&step).iter().zip(&reference.vars).enumerate() {
            let wanted = grads.get(var.as_tensor()).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let size = wanted.iter().fold(1e-2f32, |most, g| most.max(g.abs()));
            for (got, wanted) in got.iter().zip(&wanted) {
                prop_assert!((got - wanted).abs() < 2e-4 * size, "parameter {i}: {got}, not {wanted}");
            }
        }
    }
}
