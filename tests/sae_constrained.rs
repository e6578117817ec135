//! TopK dictionaries, free and held to the garden algebra, on a small model of the embedded corpus:
//! every variant trains, keeps what it promises, repeats, and can be compared with the others.

#[path = "common/dictionaries.rs"]
mod dictionaries;

use dictionaries::{FREE, HOLORAUMY_TIED, K, PENALTIES, TIED, bits, setting, train};
use holoscope::Error;
use holoscope::config::{Architecture, DictionaryConstraint, SaeConfig, SampleConfig};
use holoscope::interp::compare_dictionaries_with;
use holoscope::progress::Silent;
use holoscope::sae::{
    ActivationBuffer, HOLORAUMY_GENERATORS, Sae, SparseAutoencoder, StandardStep, garden_defect,
    initial_params, resample_dead, train_sae_with,
};
use holoscope::show::{Show, quietly};
use holoscope::susy::{SignedPermutation, chiral};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

fn all_constraints() -> Vec<DictionaryConstraint> {
    [FREE].into_iter().chain(PENALTIES).chain(TIED).collect()
}

#[test]
fn every_variant_learns_with_exactly_k_features_and_unit_rows() {
    let setting = setting();
    for constraint in all_constraints() {
        let (sae, history) = train(&setting, constraint, 1);
        let (first, last) = (history.l2[0].1, history.l2.last().unwrap().1);
        println!(
            "{constraint:?}: l2 {first:.3} to {last:.3}; {}",
            history.summary()
        );
        assert!(
            last < 0.7 * first,
            "{constraint:?}: l2 from {first} to {last}"
        );
        assert!(
            history.l0.iter().all(|&(_, l0)| l0 == K as f64),
            "{:?}",
            history.l0
        );
        assert!(history.l1.iter().all(|&(_, l1)| l1.is_finite()));
        assert!(matches!(&sae, Sae::TopK(sae) if sae.k == K));
        let rows = sae.w_dec().to_vec2::<f32>().unwrap();
        for row in &rows {
            let norm = row.iter().map(|w| w * w).sum::<f32>().sqrt();
            assert!((norm - 1.0).abs() < 1e-4, "{constraint:?}: {norm}");
        }
        let defects = history.garden_defect.len();
        assert_eq!(
            defects,
            if constraint == FREE {
                0
            } else {
                history.l2.len()
            }
        );
    }
}

#[test]
fn the_garden_penalty_closes_the_algebra_better_than_none() {
    let setting = setting();
    let defect = |constraint| {
        let defect = garden_defect(&train(&setting, constraint, 2).0).unwrap();
        println!(
            "{constraint:?}: {} {}",
            defect.mean_closure(),
            defect.mean_holoraumy()
        );
        defect.mean_closure()
    };
    let [free, garden] = [FREE, PENALTIES[0]].map(defect);
    assert!(
        garden < 0.3 * free,
        "{garden} with the penalty, {free} without"
    );
}

#[test]
fn the_sixteen_rows_of_a_tied_group_span_four_dimensions() {
    let setting = setting();
    let outside = |constraint| -> f64 {
        let rows = train(&setting, constraint, 3)
            .0
            .w_dec()
            .to_vec2::<f32>()
            .unwrap();
        rows.chunks(16)
            .map(|group| residual_beyond(group, 4))
            .fold(0.0, f64::max)
    };
    for constraint in TIED {
        let outside = outside(constraint);
        assert!(outside < 1e-4, "{constraint:?}: {outside}");
    }
    assert!(outside(FREE) > 1.0);
}

/// The squared length that the rows have beyond the span of `n` of them, by Gram and Schmidt with the
/// longest rest first.
fn residual_beyond(rows: &[Vec<f32>], n: usize) -> f64 {
    let mut rest: Vec<Vec<f64>> = rows
        .iter()
        .map(|row| row.iter().map(|&v| f64::from(v)).collect())
        .collect();
    let square = |row: &[f64]| row.iter().map(|v| v * v).sum::<f64>();
    for _ in 0..n {
        let longest = rest.iter().max_by(|a, b| square(a).total_cmp(&square(b)));
        let pivot = longest.unwrap().clone();
        let length = square(&pivot).max(1e-300);
        for row in &mut rest {
            let along = row.iter().zip(&pivot).map(|(a, b)| a * b).sum::<f64>() / length;
            row.iter_mut()
                .zip(&pivot)
                .for_each(|(a, b)| *a -= along * b);
        }
    }
    rest.iter().map(|row| square(row)).sum()
}

#[test]
fn the_same_seed_gives_the_same_bits_and_another_seed_does_not() {
    let setting = setting();
    for constraint in all_constraints() {
        let run = |seed| bits(&train(&setting, constraint, seed).0);
        let once = run(4);
        assert!(once == run(4), "{constraint:?}");
        assert!(once != run(5), "{constraint:?}");
    }
}

#[test]
fn a_penalty_of_weight_zero_is_none() {
    let setting = setting();
    let zero = DictionaryConstraint::GardenPenalty { lambda: 0.0 };
    let [free, zero] = [FREE, zero].map(|constraint| train(&setting, constraint, 6).0);
    // Where the penalty's gradient is -0.0 times something the sum is the same number.
    assert!(bits(&free) == bits(&zero));
}

/// The standard autoencoder's loop as it was before there were variants, through the public parts.
#[test]
fn the_standard_autoencoder_is_trained_as_ever() {
    let (model, data, cfg) = setting();
    let l1_coeff = 0.3;
    let cfg = SaeConfig {
        architecture: Architecture::Standard { l1_coeff },
        normalize_activations: false,
        dead_steps: 1,
        steps: 120,
        ..cfg
    };
    let (sae, history) = train_sae_with(&model, &data, &cfg, &mut Silent).unwrap();

    let d = cfg.d_in;
    let mut buffer = ActivationBuffer::new(&model, &data, &cfg).unwrap();
    let mut mean = vec![0f64; d];
    for row in buffer.rows().chunks_exact(d) {
        mean.iter_mut()
            .zip(row)
            .for_each(|(m, &v)| *m += f64::from(v));
    }
    let n = (buffer.rows().len() / d) as f64;
    let mean: Vec<f32> = mean.into_iter().map(|m| (m / n) as f32).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(cfg.seed);
    let params = initial_params(&cfg, buffer.rows(), &mean, &mut rng).unwrap();
    let mut step = StandardStep::new(params, cfg.beta1, cfg.beta2).unwrap();
    let mut batch = Vec::new();
    let mut moved = Vec::new();
    for t in 1..=cfg.steps {
        buffer.next_batch(cfg.batch_size, &mut batch).unwrap();
        let decay = (cfg.steps - t + 1) as f64 / (cfg.decay_frac * cfg.steps as f64);
        let lr = cfg.lr * (t as f64 / cfg.warmup_steps as f64).min(decay).min(1.0);
        let l1 = l1_coeff * (t as f64 / cfg.sparsity_warmup_steps as f64).min(1.0);
        step.step(&batch, lr, l1).unwrap();
        let until = cfg.resample_until_frac * cfg.steps as f64;
        if t.is_multiple_of(cfg.resample_every) && t as f64 <= until {
            let n = cfg.buffer_tokens.min(8_192);
            buffer.sample(n, &mut batch).unwrap();
            let n = resample_dead(&mut step, &batch, cfg.dead_steps, &mut rng).unwrap();
            moved.push((t, n));
        }
    }
    assert_eq!(history.resampled, moved);
    assert!(moved.iter().any(|m| m.1 > 0), "no feature was resampled");
    let Sae::Standard(sae) = sae else {
        panic!("{}", sae.summary());
    };
    assert!(sae.to_params().unwrap() == step.into_params());
}

#[test]
fn the_generators_are_the_chiral_multiplets_fermionic_holoraumy() {
    let v = chiral().fermionic_holoraumy().unwrap().matrices;
    let entries = |m: &SignedPermutation, sign: f32| -> [[f32; 4]; 4] {
        std::array::from_fn(|r| std::array::from_fn(|s| sign * f32::from(m.entry(r, s))))
    };
    let is =
        |g: &[[f32; 4]; 4], m: &SignedPermutation| *g == entries(m, 1.0) || *g == entries(m, -1.0);
    assert!(
        v.iter()
            .all(|m| HOLORAUMY_GENERATORS.iter().any(|g| is(g, m)))
    );
    assert!(
        HOLORAUMY_GENERATORS
            .iter()
            .all(|g| v.iter().any(|m| is(g, m)))
    );
}

#[test]
fn dictionaries_are_compared_on_the_same_tokens_and_the_table_repeats() {
    let setting = setting();
    let (model, data, cfg) = &setting;
    let [plain, tied] = [FREE, HOLORAUMY_TIED].map(|constraint| train(&setting, constraint, 7).0);
    let compare = || {
        let named: [(&str, &dyn SparseAutoencoder); 2] = [("plain", &plain), ("tied", &tied)];
        let (hook, sample) = (&cfg.hook_name, SampleConfig::new(2, 8, 9));
        quietly(|| compare_dictionaries_with(model, &named, hook, &data.test, &sample)).unwrap()
    };
    let comparison = compare();
    println!("{comparison}");
    assert_eq!(comparison, compare());
    for d in &comparison.dictionaries {
        assert_eq!(d.reconstruction.l0, K as f64);
        assert_eq!(d.reconstruction.n_tokens, comparison.n_tokens);
        let mcc = d.factor_mcc.expect("the embedded corpus has labels");
        assert!((-1.0..=1.0).contains(&mcc) && d.recovery.is_some());
    }
    let [plain, tied] = ["plain", "tied"].map(|name| comparison.get(name).unwrap());
    let explained = |d: &holoscope::interp::DictionaryFigures| d.reconstruction.explained_variance;
    assert!(
        explained(plain) > explained(tied),
        "four directions of sixteen cannot explain more"
    );
    let html = comparison.mime_bundle().unwrap();
    assert!(html.get("text/html").unwrap().contains("holoraumy"));
    let sample = SampleConfig::default();
    let none = compare_dictionaries_with(model, &[], &cfg.hook_name, &data.test, &sample);
    assert!(matches!(none, Err(Error::Argument { .. })));
}

#[test]
fn a_trained_dictionary_survives_its_folder() {
    let setting = setting();
    let (sae, _) = train(&setting, HOLORAUMY_TIED, 8);
    let dir = tempfile::tempdir().unwrap();
    sae.save(dir.path()).unwrap();
    let back = Sae::load(dir.path()).unwrap();
    assert!(bits(&back) == bits(&sae));
    assert_eq!(back.summary(), sae.summary());
}

#[test]
fn features_that_make_no_whole_groups_are_refused() {
    let (model, data, cfg) = setting();
    let odd = SaeConfig {
        d_sae: 120,
        constraint: HOLORAUMY_TIED,
        ..cfg
    };
    let error = train_sae_with(&model, &data, &odd, &mut Silent).unwrap_err();
    assert!(error.to_string().contains("multiple of 16"), "{error}");
}
