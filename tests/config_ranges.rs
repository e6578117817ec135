//! Numbers out of their range are refused by every configuration's `validate`, by name and value.

use holoscope::config::{
    Architecture, DataConfig, DictionaryConstraint, L0Loss, SaeConfig, TrainingConfig,
    TransformerConfig,
};
use holoscope::model::GenerateConfig;
use holoscope::train::AdamWConfig;
use holoscope::{Error, Result};
use std::collections::BTreeSet;

type Set<C> = fn(&mut C, f64);

/// A field, how it is set, values that are refused (beside NaN, the infinities and -0.5, which no
/// field takes) and values that are taken.
type Row<C> = (&'static str, Set<C>, &'static [f64], &'static [f64]);

fn check<C: Clone>(good: &C, validate: fn(&C) -> Result<()>, rows: &[Row<C>]) {
    validate(good).unwrap();
    for (name, set, refused, taken) in rows {
        let never = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.5];
        for &value in never.iter().chain(*refused) {
            let mut cfg = good.clone();
            set(&mut cfg, value);
            let error = validate(&cfg).unwrap_err();
            assert!(
                matches!(&error, Error::Config { field, .. } if field == name),
                "{name} = {value}: {error}"
            );
            assert!(error.to_string().contains(&value.to_string()), "{error}");
        }
        for &value in *taken {
            let mut cfg = good.clone();
            set(&mut cfg, value);
            validate(&cfg).unwrap_or_else(|error| panic!("{name} = {value}: {error}"));
        }
    }
}

/// Every field of a serialised configuration that holds a float has its row: a new field cannot
/// be forgotten.
fn covers<C: serde::Serialize>(cfg: &C, rows: &[Row<C>]) {
    let json = serde_json::to_value(cfg).unwrap();
    let mut floats = BTreeSet::new();
    floats_of(&json, &mut floats);
    let named: BTreeSet<&str> = rows.iter().map(|row| row.0).collect();
    assert!(floats.is_subset(&named), "{floats:?} against {named:?}");
}

/// The names of the fields that hold a float, at any depth.
fn floats_of<'a>(json: &'a serde_json::Value, names: &mut BTreeSet<&'a str>) {
    for (name, value) in json.as_object().into_iter().flatten() {
        if value.is_f64() {
            names.insert(name);
        }
        floats_of(value, names);
    }
}

#[test]
fn numbers_of_the_model_out_of_range_are_refused() {
    let rows: [Row<TransformerConfig>; 3] = [
        ("eps", |c, v| c.eps = v, &[0.0], &[1e-12, 1.0]),
        ("init_std", |c, v| c.init_std = v, &[], &[0.0, 0.3]),
        (
            "rotary_base",
            |c, v| c.rotary_base = v,
            &[0.0],
            &[100.0, 10_000.0],
        ),
    ];
    check(
        &TransformerConfig::default(),
        TransformerConfig::validate,
        &rows,
    );
    covers(&TransformerConfig::default(), &rows);
}

#[test]
fn numbers_of_the_data_out_of_range_are_refused() {
    let rows: [Row<DataConfig>; 2] = [
        (
            "train_frac",
            |c, v| c.train_frac = v,
            &[0.0, 1.0, 80.0],
            &[0.1, 0.9],
        ),
        (
            "val_frac",
            |c, v| c.val_frac = v,
            &[0.0, 0.21, 1.0],
            &[0.01, 0.2],
        ),
    ];
    check(&DataConfig::default(), DataConfig::validate, &rows);
    covers(&DataConfig::default(), &rows);
}

#[test]
fn numbers_of_the_training_out_of_range_are_refused() {
    let rows: [Row<TrainingConfig>; 7] = [
        ("lr", |c, v| c.lr = v, &[0.0], &[1e-6, 1.0]),
        (
            "min_lr_frac",
            |c, v| c.min_lr_frac = v,
            &[1.01, 10.0],
            &[0.0, 1.0],
        ),
        ("weight_decay", |c, v| c.weight_decay = v, &[], &[0.0, 0.1]),
        ("beta1", |c, v| c.beta1 = v, &[1.0, 1.5], &[0.0, 0.999]),
        ("beta2", |c, v| c.beta2 = v, &[1.0, 1.5], &[0.0, 0.999]),
        ("adam_eps", |c, v| c.adam_eps = v, &[0.0], &[1e-8]),
        ("grad_clip", |c, v| c.grad_clip = v, &[], &[0.0, 5.0]),
    ];
    check(&TrainingConfig::default(), TrainingConfig::validate, &rows);
    covers(&TrainingConfig::default(), &rows);
}

#[test]
fn numbers_of_the_autoencoder_out_of_range_are_refused() {
    let rows: [Row<SaeConfig>; 11] = [
        (
            "aux_coeff",
            |c, v| {
                c.architecture = Architecture::TopK { k: 8 };
                c.aux_coeff = v;
            },
            &[],
            &[0.0, 0.03],
        ),
        (
            "l1_coeff",
            |c, l1_coeff| c.architecture = Architecture::Standard { l1_coeff },
            &[],
            &[0.0, 5.0],
        ),
        ("lr", |c, v| c.lr = v, &[0.0], &[1e-6, 1.0]),
        (
            "decay_frac",
            |c, v| c.decay_frac = v,
            &[1.01, 20.0],
            &[0.0, 1.0],
        ),
        ("beta1", |c, v| c.beta1 = v, &[1.0], &[0.0, 0.99]),
        ("beta2", |c, v| c.beta2 = v, &[1.0], &[0.0, 0.99]),
        (
            "init_active",
            |c, v| c.init_active = v,
            &[0.0, 1.5],
            &[0.01, 1.0],
        ),
        (
            "resample_until_frac",
            |c, v| c.resample_until_frac = v,
            &[1.01, 70.0],
            &[0.0, 1.0],
        ),
        (
            "constraint",
            |c, lambda| c.constraint = DictionaryConstraint::GardenPenalty { lambda },
            &[],
            &[0.0, 2.0],
        ),
        (
            "constraint",
            |c, lambda| c.constraint = DictionaryConstraint::ScrambledPenalty { lambda },
            &[],
            &[0.0],
        ),
        (
            "constraint",
            |c, lambda| c.constraint = DictionaryConstraint::RedrawnPenalty { lambda },
            &[],
            &[0.0],
        ),
    ];
    check(&SaeConfig::default(), SaeConfig::validate, &rows);
    covers(&SaeConfig::default(), &rows);
}

/// With one number of JumpReLU changed.
fn jump_relu(change: impl FnOnce(&mut [f64; 4])) -> Architecture {
    let mut numbers = [1.0, 0.05, 0.01, 4.0];
    change(&mut numbers);
    let [l0_coeff, bandwidth, init_threshold, scale] = numbers;
    Architecture::JumpReLU {
        l0_coeff,
        bandwidth,
        init_threshold,
        l0_loss: L0Loss::Tanh { scale },
    }
}

#[test]
fn numbers_of_the_architectures_out_of_range_are_refused() {
    let rows: [Row<SaeConfig>; 7] = [
        (
            "l1_coeff",
            |c, l1_coeff| c.architecture = Architecture::Gated { l1_coeff },
            &[],
            &[0.0, 5.0],
        ),
        (
            "l0_coeff",
            |c, v| c.architecture = jump_relu(|n| n[0] = v),
            &[],
            &[0.0, 5.0],
        ),
        (
            "bandwidth",
            |c, v| c.architecture = jump_relu(|n| n[1] = v),
            &[0.0],
            &[1e-3, 2.0],
        ),
        (
            "init_threshold",
            |c, v| c.architecture = jump_relu(|n| n[2] = v),
            &[],
            &[0.0, 1.0],
        ),
        (
            "scale",
            |c, v| c.architecture = jump_relu(|n| n[3] = v),
            &[0.0],
            &[0.1, 10.0],
        ),
        (
            "k",
            |c, k| c.architecture = Architecture::BatchTopK { k },
            // No activation in a batch of 1,024, and more than there are features.
            &[0.0, 0.0009, 4_096.5],
            &[0.001, 0.5, 32.5, 4_096.0],
        ),
        (
            "k",
            |c, k| {
                let widths = vec![64, 4_096];
                c.architecture = Architecture::MatryoshkaBatchTopK { k, widths };
            },
            &[0.0, 4_097.0],
            &[1.0],
        ),
    ];
    check(&SaeConfig::default(), SaeConfig::validate, &rows);
    for architecture in [jump_relu(|_| ()), Architecture::BatchTopK { k: 8.5 }] {
        let cfg = SaeConfig {
            architecture,
            ..SaeConfig::default()
        };
        let json = serde_json::to_value(&cfg.architecture).unwrap();
        let mut floats = BTreeSet::new();
        floats_of(&json, &mut floats);
        let named: BTreeSet<&str> = rows.iter().map(|row| row.0).collect();
        assert!(floats.is_subset(&named), "{floats:?} against {named:?}");
    }
    for widths in [vec![], vec![0, 8], vec![8, 8], vec![9, 8], vec![4_097]] {
        let cfg = SaeConfig {
            architecture: Architecture::MatryoshkaBatchTopK { k: 8.0, widths },
            ..SaeConfig::default()
        };
        let error = cfg.validate().unwrap_err();
        assert!(
            matches!(
                error,
                Error::Config {
                    field: "widths",
                    ..
                }
            ),
            "{error}"
        );
    }
}

#[test]
fn numbers_of_the_sampling_and_of_the_optimiser_out_of_range_are_refused() {
    // Neither is serialised; a new field stops these patterns from compiling.
    let GenerateConfig {
        max_new_tokens: _,
        temperature: _,
        top_k: _,
        top_p: _,
        seed: _,
    } = GenerateConfig::default();
    let rows: [Row<GenerateConfig>; 2] = [
        ("temperature", |c, v| c.temperature = v, &[], &[0.0, 2.0]),
        ("top_p", |c, v| c.top_p = Some(v), &[0.0, 1.01], &[0.1, 1.0]),
    ];
    check(&GenerateConfig::default(), GenerateConfig::validate, &rows);
    let adamw = AdamWConfig {
        beta1: 0.9,
        beta2: 0.95,
        eps: 1e-8,
        weight_decay: 0.01,
    };
    let rows: [Row<AdamWConfig>; 4] = [
        ("beta1", |c, v| c.beta1 = v, &[1.0], &[0.0]),
        ("beta2", |c, v| c.beta2 = v, &[1.0], &[0.0]),
        ("eps", |c, v| c.eps = v, &[0.0], &[1e-30, 1e-8]),
        ("weight_decay", |c, v| c.weight_decay = v, &[], &[0.0]),
    ];
    check(&adamw, AdamWConfig::validate, &rows);
}
