//! Matching pursuit: its steps, gradients and files are those of the definition and of SAELens.

#[path = "common/sae_reference.rs"]
mod reference;
#[path = "common/small_model.rs"]
mod small_model;

use candle_core::{Device, Tensor};
use holoscope::Error;
use holoscope::config::{Architecture, DictionaryConstraint, SaeConfig, SampleConfig};
use holoscope::interp::reconstruction_score_with;
use holoscope::progress::Silent;
use holoscope::sae::{
    MatchingPursuitSae, PursuitRules, PursuitStep, Sae, SparseAutoencoder, train_sae_with,
};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reference::{D, N, S, close, same_digest};
use small_model::small_model;

fn rules(residual_threshold: f64, max_iterations: Option<usize>, stop: bool) -> PursuitRules {
    PursuitRules {
        residual_threshold,
        max_iterations,
        stop_on_duplicate_support: stop,
    }
}

struct Reference {
    rules: PursuitRules,
    l0: [usize; N],
    sum: f64,
    /// `encode(x)[0]`, what is not 0.
    acts: &'static [(usize, f64)],
    x_hat: [f64; D],
    loss: f64,
    w_dec: (f64, f64),
    b_dec: (f64, f64),
}

/// `MatchingPursuitSAE` for `encode` and `decode`; `MatchingPursuitTrainingSAE` of the same weights for
/// `loss = ((decode(encode(x)) - x)**2).sum(-1).mean()` and its gradients.
fn references() -> [Reference; 3] {
    [
        Reference {
            rules: rules(1e-2, None, true),
            l0: [6, 5, 6, 5, 4, 7, 5, 3, 6, 5],
            sum: 38.39364115893841,
            acts: &[
                (1, 0.685305),
                (5, 0.597506),
                (11, 1.43885),
                (12, 0.898035),
                (14, 0.439252),
                (15, 1.30168),
            ],
            x_hat: [
                -0.253114,
                -0.913861,
                0.531892,
                -0.709638,
                -0.18682,
                0.417941,
                -0.00117211,
                1.3418,
            ],
            loss: 0.9306350946426392,
            w_dec: (-0.47421480816091716, 2.1327078513905455),
            b_dec: (-1.0725076786503065, 1.2240067243693333),
        },
        Reference {
            rules: rules(0.5, None, false),
            l0: [7, 5, 6, 5, 6, 7, 5, 5, 7, 6],
            sum: 44.206496834754944,
            acts: &[
                (1, 0.685305),
                (2, 0.280031),
                (5, 0.597506),
                (11, 1.43885),
                (12, 0.898035),
                (14, 0.439252),
                (15, 1.30168),
            ],
            x_hat: [
                -0.336762,
                -0.950904,
                0.642468,
                -0.639995,
                -0.317374,
                0.53506,
                -0.000984475,
                1.19277,
            ],
            loss: 0.7314756512641907,
            w_dec: (0.12592979166500773, 2.2404869319018235),
            b_dec: (-0.9828574861272896, 1.1574863615342237),
        },
        Reference {
            rules: rules(0.0, Some(3), false),
            l0: [3; N],
            sum: 25.483193889260292,
            acts: &[(11, 0.933441), (12, 0.898035), (15, 1.30168)],
            x_hat: [
                0.330677, -0.466911, 0.429516, -0.303718, 0.236069, 0.102512, 0.00203164, 0.897546,
            ],
            loss: 1.6298487186431885,
            w_dec: (-1.1498899676803795, 2.121701174574786),
            b_dec: (-1.471737062638323, 1.397821937268786),
        },
    ]
}

fn sae(rules: PursuitRules) -> MatchingPursuitSae {
    let w_dec = reference::tensor(reference::w_dec(), &[S, D]);
    let b_dec = reference::tensor(reference::b_dec(), &[D]);
    MatchingPursuitSae::new(w_dec, b_dec, rules).unwrap()
}

#[test]
fn activations_reconstructions_and_gradients_are_those_of_saelens() {
    let x = reference::tensor(reference::x(), &[N, D]);
    for reference in references() {
        let sae = sae(reference.rules);
        let acts = sae.encode(&x).unwrap();
        let rows = acts.to_vec2::<f32>().unwrap();
        let l0: Vec<usize> = rows
            .iter()
            .map(|row| row.iter().filter(|a| **a != 0.0).count())
            .collect();
        assert_eq!(l0, reference.l0, "{:?}", reference.rules);
        let sum: f64 = rows.iter().flatten().map(|&a| f64::from(a)).sum();
        assert!((sum - reference.sum).abs() < 1e-4, "{sum}");
        let mut wanted = [0.0; S];
        reference.acts.iter().for_each(|&(j, a)| wanted[j] = a);
        close("acts", &rows[0], &wanted, 1e-5);
        let x_hat = sae.decode(&acts).unwrap().to_vec2::<f32>().unwrap();
        close("x_hat", &x_hat[0], &reference.x_hat, 1e-5);

        let (w_dec, b_dec) = (reference::w_dec(), reference::b_dec());
        let step = PursuitStep::new(w_dec, b_dec, reference.rules, (0.9, 0.99));
        let (figures, grads) = step.unwrap().gradients(&reference::x()).unwrap();
        assert!((figures.l2 - reference.loss).abs() < 1e-5);
        let l0 = reference.l0.iter().sum::<usize>() as f64 / N as f64;
        assert_eq!(figures.l0, l0);
        same_digest("W_dec", &grads.w_dec, reference.w_dec);
        same_digest("b_dec", &grads.b_dec, reference.b_dec);
    }
}

/// The loss in f64, with how far each choice was from being another.
fn pursue(w: &[f64], b: &[f64], x: &[f32], rules: PursuitRules) -> (f64, f64) {
    let d = b.len();
    let (mut loss, mut margin) = (0.0, f64::INFINITY);
    let n = x.len() / d;
    for x in x.chunks_exact(d) {
        let mut r: Vec<f64> = x.iter().zip(b).map(|(x, b)| f64::from(*x) - b).collect();
        let mut known = Vec::new();
        for _ in 0..rules.max_iterations.unwrap_or(d) {
            let fit = |w: &[f64]| r.iter().zip(w).map(|(r, w)| r * w).sum::<f64>();
            let mut fits: Vec<(f64, usize)> = w.chunks_exact(d).map(fit).zip(0..).collect();
            fits.sort_by(|a, b| b.0.total_cmp(&a.0));
            let (value, j) = fits[0];
            margin = margin.min(value.abs());
            if let Some(next) = fits.get(1).filter(|_| value > 0.0) {
                margin = margin.min(value - next.0);
            }
            if value <= 0.0 {
                break;
            }
            let again = known.contains(&j);
            known.push(j);
            for (r, w) in r.iter_mut().zip(&w[j * d..]) {
                *r -= value * w;
            }
            let left = r.iter().map(|r| r * r).sum::<f64>().sqrt();
            margin = margin.min((left - rules.residual_threshold).abs());
            if (again && rules.stop_on_duplicate_support) || left < rules.residual_threshold {
                break;
            }
        }
        loss += r.iter().map(|r| r * r).sum::<f64>();
    }
    (loss / n as f64, margin)
}

fn random(d_in: usize, d_sae: usize, n: usize, seed: u64) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut draw = |n: usize, by: f32| -> Vec<f32> {
        (0..n)
            .map(|_| by * rng.random_range(-1.0f32..1.0))
            .collect()
    };
    let mut w = draw(d_sae * d_in, 1.0);
    for row in w.chunks_exact_mut(d_in) {
        let norm = row.iter().map(|w| w * w).sum::<f32>().sqrt();
        row.iter_mut().for_each(|w| *w /= norm);
    }
    (w, draw(d_in, 0.2), draw(n * d_in, 1.5))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn gradients_match_finite_differences(
        d_in in 1usize..7, d_sae in 1usize..10, n in 1usize..6,
        max_iterations in prop_oneof![Just(None), (1usize..5).prop_map(Some)],
        residual_threshold in prop_oneof![Just(0.0), 0.1f64..1.0], stop: bool, seed in 0u64..10_000,
    ) {
        let rules = rules(residual_threshold, max_iterations, stop);
        let (w, b, x) = random(d_in, d_sae, n, seed);
        let wide = |v: &[f32]| v.iter().map(|&v| f64::from(v)).collect::<Vec<f64>>();
        let (w64, b64) = (wide(&w), wide(&b));
        let (loss, margin) = pursue(&w64, &b64, &x, rules);
        prop_assume!(margin > 1e-3);
        let mut step = PursuitStep::new(w, b, rules, (0.9, 0.99)).unwrap();
        let (figures, grads) = step.gradients(&x).unwrap();
        prop_assert!((figures.l2 - loss).abs() < 1e-5 * (1.0 + loss));
        let eps = 1e-6;
        for i in 0..w64.len() + b64.len() {
            let at = |by: f64| {
                let (mut w, mut b) = (w64.clone(), b64.clone());
                match w.get_mut(i) {
                    Some(w) => *w += by,
                    None => b[i - w64.len()] += by,
                }
                pursue(&w, &b, &x, rules).0
            };
            let numeric = (at(eps) - at(-eps)) / (2.0 * eps);
            let g = grads.w_dec.iter().chain(&grads.b_dec).nth(i).unwrap();
            prop_assert!(
                (f64::from(*g) - numeric).abs() < 2e-4 * (1.0 + numeric.abs()),
                "{i}: {g} against {numeric}"
            );
        }
    }
}

#[test]
fn many_tokens_give_the_sum_of_their_gradients_and_lists_what_the_matrix_has() {
    // More tokens than a chunk of the kernels, more steps than a block of the backward pass.
    let (d_in, d_sae, n) = (24, 60, 1_500);
    let (w, b, x) = random(d_in, d_sae, n, 7);
    let rules = rules(0.0, None, false);
    let step = || PursuitStep::new(w.clone(), b.clone(), rules, (0.9, 0.99)).unwrap();
    let (figures, grads) = step().gradients(&x).unwrap();
    let mut sum = vec![0f64; d_sae * d_in];
    let mut l2 = 0.0;
    for x in x.chunks_exact(7 * d_in) {
        let share = (x.len() / d_in) as f64 / n as f64;
        let (part, of_part) = step().gradients(x).unwrap();
        l2 += share * part.l2;
        for (sum, g) in sum.iter_mut().zip(of_part.w_dec) {
            *sum += share * f64::from(g);
        }
    }
    // The last tokens fill no chunk of seven.
    let rest = &x[n / 7 * 7 * d_in..];
    let share = (rest.len() / d_in) as f64 / n as f64;
    let (part, of_rest) = step().gradients(rest).unwrap();
    l2 += share * part.l2;
    assert!((figures.l2 - l2).abs() < 1e-5 * l2);
    for ((sum, of_rest), g) in sum.iter().zip(of_rest.w_dec).zip(&grads.w_dec) {
        let sum = sum + share * f64::from(of_rest);
        assert!((sum - f64::from(*g)).abs() < 1e-5, "{sum} {g}");
    }
    let tensor = |v: &[f32], shape: &[usize]| Tensor::from_slice(v, shape, &Device::Cpu).unwrap();
    let sae = MatchingPursuitSae::new(tensor(&w, &[d_sae, d_in]), tensor(&b, &[d_in]), rules);
    let sae = sae.unwrap();
    let x = tensor(&x, &[3, n / 3, d_in]);
    let (acts, lists) = (sae.encode(&x).unwrap(), sae.encode_sparse(&x).unwrap());
    assert_eq!(acts.dims(), [3, n / 3, d_sae]);
    let dense = lists
        .to_dense(&Device::Cpu)
        .unwrap()
        .to_vec2::<f32>()
        .unwrap();
    assert_eq!(
        acts.reshape((n, d_sae)).unwrap().to_vec2::<f32>().unwrap(),
        dense
    );
    let mut counter = sae.activity_counter().unwrap();
    let active = counter(&x).unwrap().active.iter().sum::<u64>();
    assert_eq!(active as usize, lists.n_active());
    assert!((lists.n_active() as f64 / n as f64 - figures.l0).abs() < 1e-9);
}

fn cfg() -> SaeConfig {
    SaeConfig {
        d_in: 32,
        d_sae: 128,
        architecture: Architecture::MatchingPursuit {
            residual_threshold: 0.5,
            max_iterations: Some(8),
            stop_on_duplicate_support: true,
        },
        steps: 200,
        batch_size: 256,
        buffer_tokens: 2_048,
        lr: 5e-3,
        warmup_steps: 20,
        resample_every: 50,
        dead_steps: 20,
        ..SaeConfig::default()
    }
}

#[test]
fn it_trains_and_is_saved_without_an_encoder() {
    let (model, data) = small_model();
    let (sae, history) = train_sae_with(&model, &data, &cfg(), &mut Silent).unwrap();
    println!("{}", history.summary());
    let explained = history.explained_variance.last().unwrap().1;
    assert!(explained > 0.8, "{explained}");
    assert!(explained > history.explained_variance[0].1 + 0.1);
    let again = train_sae_with(&model, &data, &cfg(), &mut Silent).unwrap();
    let bits = |t: Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert_eq!(bits(again.0.w_dec()), bits(sae.w_dec()));
    assert_eq!(sae.architecture(), "matching_pursuit");
    for row in sae.w_dec().to_vec2::<f32>().unwrap() {
        let norm = row.iter().map(|w| w * w).sum::<f32>().sqrt();
        assert!((norm - 1.0).abs() < 1e-4, "{norm}");
    }
    // On activations as they are: the threshold is in their units.
    let score = reconstruction_score_with(
        &model,
        &sae,
        "blocks.0.mlp.hook_post",
        &data.train,
        &SampleConfig::new(4, 16, 1),
    );
    let score = score.unwrap();
    let l0 = history.l0.last().unwrap().1;
    assert!(
        (score.explained_variance - explained).abs() < 0.1,
        "{score:?}, {explained}"
    );
    assert!((score.l0 - l0).abs() < 0.2 * l0, "{score:?}, {l0}");

    let dir = tempfile::tempdir().unwrap();
    sae.save(dir.path()).unwrap();
    let text = std::fs::read_to_string(dir.path().join("cfg.json")).unwrap();
    assert!(
        text.contains("\"architecture\": \"matching_pursuit\""),
        "{text}"
    );
    assert!(text.contains("\"max_iterations\": 8"), "{text}");
    let weights = dir.path().join("sae_weights.safetensors");
    let tensors = candle_core::safetensors::load(weights, &Device::Cpu).unwrap();
    let mut names: Vec<&String> = tensors.keys().collect();
    names.sort();
    assert_eq!(names, ["W_dec", "b_dec"]);
    let back = Sae::load(dir.path()).unwrap();
    let x = reference::tensor(reference::f(20 * 32, 0.9, 0.1), &[20, 32]);
    let acts = |sae: &Sae| sae.encode(&x).unwrap().to_vec2::<f32>().unwrap();
    assert_eq!(acts(&back), acts(&sae));
    assert_eq!(back.hook_name(), sae.hook_name());
    let (Sae::MatchingPursuit(one), Sae::MatchingPursuit(other)) = (&sae, &back) else {
        panic!("{}", back.summary());
    };
    assert_eq!(one.rules, other.rules);
}

#[test]
fn what_is_not_finite_constant_or_empty_is_an_error_or_a_defined_value() {
    let sae = sae(PursuitRules::default());
    let mut x = reference::x();
    x[D] = f32::NAN;
    x[2 * D] = f32::INFINITY;
    let acts = sae.encode(&reference::tensor(x.clone(), &[N, D])).unwrap();
    for (t, row) in acts.to_vec2::<f32>().unwrap().iter().enumerate() {
        let bad = t == 1 || t == 2;
        assert!(row.iter().all(|a| a.is_nan() == bad), "{t}");
    }
    let new = || {
        let (w, b) = (reference::w_dec(), reference::b_dec());
        PursuitStep::new(w, b, PursuitRules::default(), (0.9, 0.99)).unwrap()
    };
    let mut step = new();
    let outcome = step.step(&x, 0.1);
    assert!(
        matches!(outcome, Err(Error::NotFinite { .. })),
        "{outcome:?}"
    );
    assert_eq!(step.w_dec(), reference::w_dec());
    assert!(matches!(step.step(&[], 0.1), Err(Error::Shape { .. })));
    assert!(matches!(
        step.step(&[0.0; D + 1], 0.1),
        Err(Error::Shape { .. })
    ));
    assert!(matches!(
        step.step(&[0.0; D], -0.1),
        Err(Error::Argument { .. })
    ));
    // Inputs that are b_dec: nothing to pursue, nothing learnt, no NaN.
    let constant: Vec<f32> = (0..5).flat_map(|_| reference::b_dec()).collect();
    let figures = step.step(&constant, 0.1).unwrap();
    assert_eq!((figures.l2, figures.l1, figures.l0), (0.0, 0.0, 0.0));
    assert!(step.w_dec().iter().all(|w| w.is_finite()));
    // A dictionary of zeros never finds anything: all dead.
    let zeros = PursuitStep::new(
        vec![0.0; S * D],
        vec![0.0; D],
        PursuitRules::default(),
        (0.9, 0.99),
    );
    let mut zeros = zeros.unwrap();
    let figures = zeros.step(&reference::x(), 0.1).unwrap();
    assert_eq!(figures.l0, 0.0);
    assert!(zeros.silent_steps().iter().all(|s| *s == 1));

    let empty = Tensor::zeros((0, D), candle_core::DType::F32, &Device::Cpu).unwrap();
    assert_eq!(sae.encode(&empty).unwrap().dims(), [0, S]);
    let wrong = Tensor::zeros((2, D + 1), candle_core::DType::F32, &Device::Cpu).unwrap();
    assert!(matches!(sae.encode(&wrong), Err(Error::Shape { .. })));
}

#[test]
fn rules_and_settings_out_of_range_are_refused_by_name() {
    let (w, b) = (reference::w_dec(), reference::b_dec());
    for bad in [
        rules(-1.0, None, true),
        rules(f64::NAN, None, true),
        rules(0.0, Some(0), true),
    ] {
        let step = PursuitStep::new(w.clone(), b.clone(), bad, (0.9, 0.99));
        assert!(matches!(step, Err(Error::Argument { .. })));
    }
    let change = |residual_threshold, max_iterations| Architecture::MatchingPursuit {
        residual_threshold,
        max_iterations,
        stop_on_duplicate_support: true,
    };
    for (name, cfg) in [
        (
            "residual_threshold",
            SaeConfig {
                architecture: change(-0.1, None),
                ..cfg()
            },
        ),
        (
            "max_iterations",
            SaeConfig {
                architecture: change(0.1, Some(0)),
                ..cfg()
            },
        ),
        (
            "constraint",
            SaeConfig {
                constraint: DictionaryConstraint::HoloraumyTied,
                ..cfg()
            },
        ),
        (
            "aux_coeff",
            SaeConfig {
                aux_coeff: 0.1,
                ..cfg()
            },
        ),
    ] {
        let outcome = cfg.validate();
        assert!(
            matches!(outcome, Err(Error::Config { field, .. }) if field == name),
            "{name}: {outcome:?}"
        );
    }
    // A configuration file may leave out what has a default.
    let text = r#"{"architecture": {"MatchingPursuit": {}}}"#;
    let cfg: SaeConfig = serde_json::from_str(text).unwrap();
    assert_eq!(cfg.architecture, change(0.01, None));
}

/// The configuration as `MatchingPursuitSAE.save_model` of sae-lens 6.54.0 writes it.
#[test]
fn a_folder_of_saelens_is_read() {
    let cfg = r#"{"d_in": 8, "d_sae": 16, "dtype": "float32", "device": "cpu", "apply_b_dec_to_input": true,
        "normalize_activations": "none", "reshape_activations": "none", "metadata": {"sae_lens_version": "6.54.0",
        "sae_lens_training_version": "6.54.0"}, "residual_threshold": 0.01, "max_iterations": null,
        "stop_on_duplicate_support": true, "architecture": "matching_pursuit"}"#;
    let w_dec = reference::tensor(reference::w_dec(), &[S, D]);
    let b_dec = reference::tensor(reference::b_dec(), &[D]);
    let dir = reference::folder(cfg, &[("W_dec", w_dec), ("b_dec", b_dec)]);
    let back = Sae::load(dir.path()).unwrap();
    let x = reference::tensor(reference::x(), &[N, D]);
    let acts = |sae: &dyn SparseAutoencoder| sae.encode(&x).unwrap().to_vec2::<f32>().unwrap();
    assert_eq!(acts(&back), acts(&sae(PursuitRules::default())));

    let with = |from: &str, to: &str| {
        std::fs::write(dir.path().join("cfg.json"), cfg.replace(from, to)).unwrap();
        Sae::load(dir.path())
    };
    // Without b_dec before, there is none after.
    let plain = with(
        "\"apply_b_dec_to_input\": true",
        "\"apply_b_dec_to_input\": false",
    )
    .unwrap();
    let zeros =
        plain.decode(&Tensor::zeros((1, S), candle_core::DType::F32, &Device::Cpu).unwrap());
    assert_eq!(zeros.unwrap().to_vec2::<f32>().unwrap(), [[0.0; D]]);
    for (from, to, wanted) in [
        (
            "\"max_iterations\": null",
            "\"max_iterations\": \"many\"",
            "max_iterations",
        ),
        (
            "\"max_iterations\": null",
            "\"max_iterations\": 0",
            "max_iterations",
        ),
        ("\"max_iterations\": null", "\"kval_topk\": 3", "kval_topk"),
        ("\"d_sae\": 16", "\"d_sae\": 17", "d_sae"),
        (
            ": \"none\", \"resh",
            ": \"layer_norm\", \"resh",
            "layer_norm",
        ),
    ] {
        let error = with(from, to).unwrap_err();
        assert!(error.to_string().contains(wanted), "{wanted}: {error}");
    }
}
