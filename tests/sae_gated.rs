//! The gated autoencoder: its step follows the definition, and training reaches what it should.

#[path = "common/sae_definition.rs"]
mod definition;
#[path = "common/small_model.rs"]
mod small_model;

use candle_core::{Device, Tensor};
use definition::{FIELDS, inputs, params};
use holoscope::Error;
use holoscope::config::{Architecture, SaeConfig, SampleConfig};
use holoscope::interp::reconstruction_score_with;
use holoscope::progress::Silent;
use holoscope::sae::{
    GatedSae, Sae, SparseAutoencoder, StandardParams, StandardSae, StandardStep, train_sae_with,
};
use proptest::prelude::*;
use small_model::small_model;

/// The parameters with `r_mag` and `b_mag`.
#[derive(Clone)]
struct Gated {
    p: StandardParams,
    r_mag: Vec<f32>,
    b_mag: Vec<f32>,
}

impl Gated {
    fn random(d_in: usize, d_sae: usize, seed: u64) -> Self {
        Self {
            p: params(d_in, d_sae, seed),
            r_mag: inputs(d_sae, 1, seed + 1).iter().map(|v| 0.3 * v).collect(),
            b_mag: inputs(d_sae, 1, seed + 2).iter().map(|v| 0.2 * v).collect(),
        }
    }

    /// `pi` and what is under the magnitude's ReLU, of one token.
    fn pre(&self, x: &[f32]) -> Vec<(f64, f64)> {
        let p = &self.p;
        let rows = p.w_enc_t.chunks_exact(p.d_in).enumerate();
        rows.map(|(j, w)| {
            let along: f64 = (0..p.d_in)
                .map(|i| (f64::from(x[i]) - f64::from(p.b_dec[i])) * f64::from(w[i]))
                .sum();
            let pi = along + f64::from(p.b_enc[j]);
            let mag = f64::from(self.r_mag[j]).exp() * along + f64::from(self.b_mag[j]);
            (pi, mag)
        })
        .collect()
    }

    fn acts(&self, x: &[f32]) -> Vec<f64> {
        let pre = self.pre(x);
        let act = |&(pi, mag): &(f64, f64)| if pi > 0.0 { mag.max(0.0) } else { 0.0 };
        pre.iter().map(act).collect()
    }

    /// The loss, with `frozen` as the decoder of the gates.
    fn loss(&self, frozen: &StandardParams, x: &[f32], l1: f64) -> f64 {
        let d = self.p.d_in;
        let error = |p: &StandardParams, acts: &[f64], x: &[f32]| -> f64 {
            (0..d)
                .map(|i| {
                    let mut x_hat = f64::from(p.b_dec[i]);
                    for (j, act) in acts.iter().enumerate() {
                        x_hat += act * f64::from(p.w_dec[j * d + i]);
                    }
                    (x_hat - f64::from(x[i])).powi(2)
                })
                .sum()
        };
        let mut total = 0.0;
        for x in x.chunks_exact(d) {
            let pi: Vec<f64> = self.pre(x).iter().map(|pre| pre.0.max(0.0)).collect();
            total += error(&self.p, &self.acts(x), x) + error(frozen, &pi, x);
            total += l1 * pi.iter().sum::<f64>();
        }
        total / (x.len() / d) as f64
    }

    fn step(&self) -> StandardStep {
        let step = StandardStep::new(self.p.clone(), 0.9, 0.99).unwrap();
        step.with_gates(self.r_mag.clone(), self.b_mag.clone())
            .unwrap()
    }
}

type Field = fn(&mut Gated) -> &mut Vec<f32>;
const OWN: [(&str, Field); 2] = [("r_mag", |g| &mut g.r_mag), ("b_mag", |g| &mut g.b_mag)];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn gradients_of_every_parameter_match_finite_differences(
        d_in in 1usize..6, n in 1usize..8, l1 in 0.0f64..0.5, seed in 0u64..10_000,
    ) {
        let (gated, x) = (Gated::random(d_in, 9, seed), inputs(n, d_in, seed + 3));
        let smooth = x.chunks_exact(d_in).flat_map(|x| gated.pre(x))
            .all(|(pi, mag)| pi.abs() > 2e-3 && mag.abs() > 2e-3);
        prop_assume!(smooth);
        let slope = |change: &dyn Fn(&mut Gated, f32) -> f32| {
            let (mut up, mut down) = (gated.clone(), gated.clone());
            let width = f64::from(change(&mut up, 1e-4)) - f64::from(change(&mut down, -1e-4));
            (up.loss(&gated.p, &x, l1) - down.loss(&gated.p, &x, l1)) / width
        };
        let mut step = gated.step();
        let (_, grads) = step.gradients(&x, l1).unwrap();
        let analytic = [&grads.w_enc_t, &grads.w_dec, &grads.b_enc, &grads.b_dec];
        for ((name, field), analytic) in FIELDS.into_iter().zip(analytic) {
            for (i, &g) in analytic.iter().enumerate() {
                let numeric = slope(&|gated, by| {
                    let value = &mut field(&mut gated.p)[i];
                    *value += by;
                    *value
                });
                prop_assert!(
                    (f64::from(g) - numeric).abs() < 4e-4 * (1.0 + numeric.abs()),
                    "{name}[{i}]: {g} against {numeric}"
                );
            }
        }
        let (r_mag, b_mag) = step.magnitude_gradients(&x).unwrap();
        for ((name, field), analytic) in OWN.into_iter().zip([r_mag, b_mag]) {
            for (j, &g) in analytic.iter().enumerate() {
                let numeric = slope(&|gated, by| {
                    let value = &mut field(gated)[j];
                    *value += by;
                    *value
                });
                prop_assert!(
                    (f64::from(g) - numeric).abs() < 4e-4 * (1.0 + numeric.abs()),
                    "{name}[{j}]: {g} against {numeric}"
                );
            }
        }
    }

    /// The matrix and the lists of the trained one are those of the definition.
    #[test]
    fn acts_are_magnitudes_where_gates_are_open(
        d_in in 1usize..8, d_sae in 1usize..70, seed in 0u64..1_000,
    ) {
        let (gated, x) = (Gated::random(d_in, d_sae, seed), inputs(50, d_in, seed + 3));
        let dictionary = StandardSae::from_params(gated.p.clone(), &Device::Cpu).unwrap();
        let vector = |v: &[f32]| Tensor::from_slice(v, d_sae, &Device::Cpu).unwrap();
        let sae = GatedSae::new(dictionary, vector(&gated.r_mag), vector(&gated.b_mag)).unwrap();
        let tensor = Tensor::from_slice(&x, (50, d_in), &Device::Cpu).unwrap();
        let acts = sae.encode(&tensor).unwrap().to_vec2::<f32>().unwrap();
        let lists = sae.encode_sparse(&tensor).unwrap();
        for (i, x) in x.chunks_exact(d_in).enumerate() {
            let (pre, wanted) = (gated.pre(x), gated.acts(x));
            let mut listed = vec![0f32; d_sae];
            let (features, values) = lists.row(i);
            for (&j, &value) in features.iter().zip(values) {
                listed[j as usize] = value;
            }
            for j in (0..d_sae).filter(|&j| pre[j].0.abs() > 1e-5) {
                prop_assert!((f64::from(acts[i][j]) - wanted[j]).abs() < 1e-5);
                prop_assert!((f64::from(listed[j]) - wanted[j]).abs() < 1e-5);
            }
        }
    }
}

#[test]
fn a_step_moves_gates_and_magnitudes_by_adam() {
    let gated = Gated::random(6, 40, 1);
    let x = inputs(300, 6, 2);
    let mut step = gated.step();
    let (g_r, g_b) = step.magnitude_gradients(&x).unwrap();
    let (_, grads) = step.gradients(&x, 0.2).unwrap();
    step.step(&x, 1e-3, 0.2).unwrap();
    let (r_mag, b_mag) = step.magnitudes().unwrap();
    let b_gate = &step.params().b_enc;
    for (before, after, gradient) in [
        (&gated.r_mag, r_mag, &g_r),
        (&gated.b_mag, b_mag, &g_b),
        (&gated.p.b_enc, b_gate, &grads.b_enc),
        (&gated.p.b_dec, &step.params().b_dec, &grads.b_dec),
    ] {
        for ((before, after), g) in before.iter().zip(after).zip(gradient) {
            // Adam's first step is its rate against the gradient's sign.
            let wanted = if *g == 0.0 { 0.0 } else { -1e-3 * g.signum() };
            assert!(
                (after - before - wanted).abs() < 1e-5,
                "{before} {after} {g}"
            );
        }
    }
}

#[test]
fn training_learns_and_its_folder_is_read_again() {
    let (model, data) = small_model();
    let cfg = SaeConfig {
        d_in: 32,
        d_sae: 128,
        architecture: Architecture::Gated { l1_coeff: 0.05 },
        steps: 300,
        batch_size: 256,
        buffer_tokens: 2_048,
        lr: 5e-3,
        sparsity_warmup_steps: 20,
        resample_every: 50,
        dead_steps: 20,
        ..SaeConfig::default()
    };
    let (sae, history) = train_sae_with(&model, &data, &cfg, &mut Silent).unwrap();
    println!("{}", history.summary());
    let explained = history.explained_variance.last().unwrap().1;
    let l0 = history.l0.last().unwrap().1;
    assert!(
        explained > 0.75 && l0 > 1.0 && l0 < 40.0,
        "{explained} {l0}"
    );
    let score = reconstruction_score_with(
        &model,
        &sae,
        &cfg.hook_name,
        &data.train,
        &SampleConfig::new(4, 16, 1),
    )
    .unwrap();
    assert!(
        (score.explained_variance - explained).abs() < 0.05,
        "{score:?}"
    );
    assert!((score.l0 / l0 - 1.0).abs() < 0.2, "{score:?} {l0}");

    let dir = tempfile::tempdir().unwrap();
    sae.save(dir.path()).unwrap();
    let names: Vec<String> = {
        let path = dir.path().join("sae_weights.safetensors");
        let mut names: Vec<_> = candle_core::safetensors::load(path, &Device::Cpu)
            .unwrap()
            .into_keys()
            .collect();
        names.sort();
        names
    };
    // SAELens 6.54, GatedSAE: no b_enc.
    assert_eq!(
        names,
        ["W_dec", "W_enc", "b_dec", "b_gate", "b_mag", "r_mag"]
    );
    let back = Sae::load(dir.path()).unwrap();
    assert_eq!(
        (back.architecture(), back.summary()),
        ("gated", sae.summary())
    );
    let x = Tensor::from_vec(inputs(30, 32, 5), (30, 32), &Device::Cpu).unwrap();
    let acts = |sae: &Sae| sae.encode(&x).unwrap().to_vec2::<f32>().unwrap();
    assert_eq!(acts(&back), acts(&sae));
}

#[test]
fn bad_inputs_are_errors() {
    let gated = Gated::random(4, 20, 7);
    let mut step = gated.step();
    let mut x = inputs(7, 4, 6);
    assert!(matches!(
        step.step(&[], 1e-3, 0.1),
        Err(Error::Shape { .. })
    ));
    x[9] = f32::NAN;
    let error = step.step(&x, 1e-3, 0.1).unwrap_err();
    assert!(matches!(error, Error::NotFinite { step: 1, .. }), "{error}");
    assert!(*step.params() == gated.p);
    let new = StandardStep::new(gated.p.clone(), 0.9, 0.99).unwrap();
    let outcome = new.with_gates(vec![0.0; 19], vec![0.0; 20]);
    assert!(matches!(outcome, Err(Error::Shape { .. })));
    let dictionary = StandardSae::from_params(gated.p, &Device::Cpu).unwrap();
    let zeros = |n| Tensor::zeros(n, candle_core::DType::F32, &Device::Cpu).unwrap();
    let outcome = GatedSae::new(dictionary.clone(), zeros(20), zeros(21));
    assert!(matches!(outcome, Err(Error::Shape { .. })));
    let sae = GatedSae::new(dictionary, zeros(20), zeros(20)).unwrap();
    let x = Tensor::new(&[[f32::NAN, 0.0, 0.0, 0.0]], &Device::Cpu).unwrap();
    let acts = sae.encode(&x).unwrap().to_vec2::<f32>().unwrap();
    assert!(acts[0].iter().all(|a| a.is_nan()));
    assert_eq!(sae.encode_sparse(&x).unwrap().n_active(), 20);
}
