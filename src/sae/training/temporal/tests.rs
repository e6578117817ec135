//! The step's gradients against candle's automatic differentiation of the inference code, which is tested against
//! numbers from SAELens (`tests/sae_temporal.rs`).

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

/// A step from random numbers.
fn random_step(
    shape: Shape,
    n_layers: usize,
    k: Option<usize>,
    rng: &mut ChaCha8Rng,
) -> TemporalStep {
    let Shape {
        d_in, d_sae, width, ..
    } = shape;
    let (w_dec, b_dec) = (numbers(rng, d_sae * d_in, 1.0), numbers(rng, d_in, 0.3));
    let layer = |_| {
        let n_kqv = 2 * width + d_sae;
        let mut b_o = numbers(rng, d_sae, 0.2);
        // If a token has only one, barely active predicted code, its gradient depends on the code's last digits.
        b_o.iter_mut().for_each(|b| *b += 0.3);
        Layer {
            w_kqv: Parameter::new(numbers(rng, n_kqv * d_sae, 1.0)),
            b_kqv: Parameter::new(numbers(rng, n_kqv, 0.2)),
            w_o: Parameter::new(numbers(rng, d_sae * d_sae, 1.0)),
            b_o: Parameter::new(b_o),
        }
    };
    let layers = (0..n_layers).map(layer).collect();
    TemporalStep::new(shape, (w_dec, b_dec, layers), k, (0.9, 0.999))
}

/// The autoencoder of a step's parameters.
fn reference(step: &TemporalStep, k: Option<usize>) -> Reference {
    let Shape {
        d_in,
        d_sae,
        width,
        n_heads,
        ..
    } = step.shape;
    let mut vars: Vec<Var> = Vec::new();
    let mut var = |values: &[f32], dims: &[usize]| {
        let tensor = Tensor::from_slice(values, dims, &Device::Cpu).unwrap();
        vars.push(Var::from_tensor(&tensor).unwrap());
        vars[vars.len() - 1].as_tensor().clone()
    };
    let w_dec = var(&step.w_dec.values, &[d_sae, d_in]);
    let b_dec = var(&step.b_dec.values, &[d_in]);
    let mut layers = Vec::new();
    for layer in &step.layers {
        let mut from = 0;
        let mut part = |n: usize| {
            let rows = &layer.w_kqv.values[from * d_sae..(from + n) * d_sae];
            let both = (
                var(rows, &[n, d_sae]),
                var(&layer.b_kqv.values[from..from + n], &[n]),
            );
            from += n;
            both
        };
        let ((w_k, b_k), (w_q, b_q), (w_v, b_v)) = (part(width), part(width), part(d_sae));
        layers.push(TemporalAttention {
            w_q,
            b_q,
            w_k,
            b_k,
            w_v,
            b_v,
            w_o: var(&layer.w_o.values, &[d_sae, d_sae]),
            b_o: var(&layer.b_o.values, &[d_sae]),
        });
    }
    let sae = TemporalSae::new(w_dec, b_dec, layers, n_heads, k).unwrap();
    Reference { vars, sae }
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

/// The first difference between the step's loss and gradients on `x` and those of automatic differentiation.
fn difference(step: &mut TemporalStep, k: Option<usize>, x: &[f32]) -> Option<String> {
    let Shape { d_in, n_pos, .. } = step.shape;
    let n = x.len() / d_in;
    let figures = step.forward(x);
    step.backward();
    let reference = reference(step, k);
    let x = Tensor::from_slice(x, (n / n_pos, n_pos, d_in), &Device::Cpu).unwrap();
    let codes = reference.sae.encode_with_predictions(&x).unwrap();
    let all = (&codes.novel + &codes.predicted).unwrap();
    let x_hat = reference.sae.written_by(&all).unwrap();
    let loss = ((x_hat - x).unwrap().sqr().unwrap().sum_all().unwrap() / n as f64).unwrap();
    let wanted = f64::from(loss.to_scalar::<f32>().unwrap());
    if (figures.l2 - wanted).abs() > 1e-4 * wanted.max(1.0) {
        return Some(format!("loss {}, not {wanted}", figures.l2));
    }
    let grads = loss.backward().unwrap();
    for (i, (got, var)) in gradients(step).iter().zip(&reference.vars).enumerate() {
        let wanted = grads.get(var.as_tensor()).unwrap();
        let wanted = wanted.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let size = wanted.iter().fold(1e-2f32, |most, g| most.max(g.abs()));
        for (got, wanted) in got.iter().zip(&wanted) {
            if (got - wanted).abs() > 2e-4 * size {
                return Some(format!("parameter {i}: {got}, not {wanted}"));
            }
        }
    }
    None
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
        let shape = Shape { d_in, d_sae: 4 * n_heads, width: per_head * n_heads, n_heads, n_pos };
        let k = sparse.then_some(2);
        let mut step = random_step(shape, n_layers, k, rng);
        let x = numbers(rng, n_sequences * n_pos * d_in, 2.0);
        prop_assert_eq!(difference(&mut step, k, &x), None);
    }
}

/// More features than a panel has, and a panel that is not full.
const WIDE: Shape = Shape {
    d_in: 24,
    d_sae: 72,
    width: 8,
    n_heads: 2,
    n_pos: 40,
};

#[test]
fn gradients_are_right_after_an_update_and_beyond_one_panel() {
    let rng = &mut ChaCha8Rng::seed_from_u64(3);
    let mut step = random_step(WIDE, 2, Some(5), rng);
    let x = numbers(rng, 3 * 40 * 24, 2.0);
    let before = step.w_dec.values.clone();
    step.step(&x, 1e-3).unwrap();
    assert_ne!(step.w_dec.values, before);
    assert_eq!(difference(&mut step, Some(5), &x), None);
}

#[test]
fn a_step_has_the_same_bits_on_any_number_of_threads() {
    let shape = Shape {
        d_in: 64,
        d_sae: 256,
        width: 16,
        n_heads: 4,
        n_pos: 64,
    };
    let trained = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.unwrap().install(|| {
            let rng = &mut ChaCha8Rng::seed_from_u64(4);
            let mut step = random_step(shape, 1, Some(8), rng);
            let x = numbers(rng, 4 * 64 * 64, 2.0);
            for _ in 0..3 {
                step.step(&x, 1e-3).unwrap();
            }
            let layer = &step.layers[0];
            let values = [
                &step.w_dec,
                &step.b_dec,
                &layer.w_kqv,
                &layer.b_kqv,
                &layer.w_o,
            ];
            values.map(|parameter| parameter.values.clone())
        })
    };
    let one = trained(1);
    assert!(one == trained(2) && one == trained(3));
}

#[test]
fn a_loss_that_is_no_number_changes_nothing() {
    let rng = &mut ChaCha8Rng::seed_from_u64(5);
    let mut step = random_step(WIDE, 1, Some(5), rng);
    let mut x = numbers(rng, 40 * 24, 2.0);
    x[100] = f32::NAN;
    let before = (step.w_dec.values.clone(), step.layers[0].w_o.values.clone());
    let error = step.step(&x, 1e-3).unwrap_err();
    assert!(
        matches!(error, crate::Error::NotFinite { step: 1, .. }),
        "{error}"
    );
    let after = (step.w_dec.values.clone(), step.layers[0].w_o.values.clone());
    assert!(before == after && step.steps == 0 && step.silent == vec![0; 72]);
}
