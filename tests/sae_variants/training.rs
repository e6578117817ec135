//! What each variant learns on the activations of a small model.

use crate::small_model::small_model;
use holoscope::Result;
use holoscope::config::{Architecture, DictionaryConstraint, L0Loss, SaeConfig, SampleConfig};
use holoscope::interp::reconstruction_score_with;
use holoscope::progress::Silent;
use holoscope::sae::{Sae, SaeHistory, SparseAutoencoder, train_sae_with};

fn cfg(architecture: Architecture) -> SaeConfig {
    SaeConfig {
        d_in: 32,
        d_sae: 128,
        architecture,
        steps: 500,
        batch_size: 256,
        buffer_tokens: 2_048,
        lr: 5e-3,
        sparsity_warmup_steps: 20,
        warmup_steps: 20,
        resample_every: 50,
        dead_steps: 20,
        ..SaeConfig::default()
    }
}

fn trained(cfg: &SaeConfig) -> Result<(Sae, SaeHistory)> {
    let (model, data) = small_model();
    train_sae_with(&model, &data, cfg, &mut Silent)
}

const K: f64 = 8.0;

fn jump_relu(l0_coeff: f64, l0_loss: L0Loss) -> Architecture {
    Architecture::JumpReLU {
        l0_coeff,
        bandwidth: 0.05,
        init_threshold: 0.01,
        l0_loss,
    }
}

#[test]
fn every_variant_learns_and_the_result_does_what_training_saw() {
    let (model, data) = small_model();
    for architecture in [
        Architecture::BatchTopK { k: K },
        Architecture::MatryoshkaBatchTopK {
            k: K,
            widths: vec![16, 48],
        },
        jump_relu(0.1, L0Loss::Step),
        jump_relu(0.1, L0Loss::Tanh { scale: 4.0 }),
    ] {
        let cfg = cfg(architecture);
        let (sae, history) = train_sae_with(&model, &data, &cfg, &mut Silent).unwrap();
        println!("{:?}: {}", cfg.architecture, history.summary());
        let explained = history.explained_variance.last().unwrap().1;
        let l0 = history.l0.last().unwrap().1;
        assert!(explained > 0.75, "{:?}: {explained}", cfg.architecture);
        let Sae::JumpReLU(inner) = &sae else {
            panic!("{}", sae.summary());
        };
        let thresholds = inner.threshold.to_vec1::<f32>().unwrap();
        if let Architecture::JumpReLU { .. } = cfg.architecture {
            assert!(l0 > 1.0 && l0 < 40.0, "{:?}: {l0}", cfg.architecture);
            assert!(thresholds.iter().any(|&t| t != thresholds[0]));
        } else {
            assert!(
                history.l0.iter().all(|&(_, l0)| l0 == K),
                "{:?}",
                history.l0
            );
            assert!(thresholds.iter().all(|&t| t == thresholds[0] && t > 0.0));
        }
        for row in sae.w_dec().to_vec2::<f32>().unwrap() {
            let norm = row.iter().map(|w| w * w).sum::<f32>().sqrt();
            assert!((norm - 1.0).abs() < 1e-4, "{norm}");
        }
        // On activations as they are, with thresholds in place of batches. BatchTopK's threshold is a
        // mean of minima, so that more is above it than counted in training.
        let score = reconstruction_score_with(
            &model,
            &sae,
            &cfg.hook_name,
            &data.train,
            &SampleConfig::new(4, 16, 1),
        );
        let score = score.unwrap();
        assert!(
            (score.explained_variance - explained).abs() < 0.1,
            "{score:?}, {explained}"
        );
        assert!(
            score.l0 > 0.6 * l0 && score.l0 < 2.5 * l0,
            "{score:?}, {l0}"
        );
    }
}

#[test]
fn a_heavier_l0_loss_leaves_fewer_features_active() {
    let l0 = |weight| {
        let (_, history) = trained(&cfg(jump_relu(weight, L0Loss::Step))).unwrap();
        history.l0.last().unwrap().1
    };
    let (light, heavy) = (l0(0.01), l0(1.0));
    assert!(heavy < 0.7 * light, "{heavy} against {light}");
}

#[test]
fn the_same_seed_gives_the_same_bits_and_constraints_hold() {
    let bits = |sae: &Sae| -> Vec<u32> {
        let Sae::JumpReLU(inner) = sae else {
            panic!("{}", sae.summary());
        };
        let all = [
            sae.w_enc(),
            sae.w_dec(),
            sae.b_enc(),
            sae.b_dec(),
            inner.threshold.clone(),
        ];
        let values = all
            .iter()
            .flat_map(|t| t.flatten_all().unwrap().to_vec1::<f32>().unwrap());
        values.map(f32::to_bits).collect()
    };
    for architecture in [
        Architecture::MatryoshkaBatchTopK {
            k: 4.0,
            widths: vec![32],
        },
        jump_relu(0.1, L0Loss::Step),
    ] {
        let cfg = SaeConfig {
            steps: 80,
            constraint: DictionaryConstraint::HoloraumyTied,
            ..cfg(architecture)
        };
        let (once, history) = trained(&cfg).unwrap();
        assert!(bits(&once) == bits(&trained(&cfg).unwrap().0));
        assert!(!history.garden_defect.is_empty());
    }
}
