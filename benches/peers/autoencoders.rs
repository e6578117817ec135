//! One training step of an autoencoder of each architecture, from where training starts.

use crate::{Args, BETAS, Result, measure};
use holoscope::config::{Architecture, L0Loss, SaeConfig};
use holoscope::sae::{PursuitRules, PursuitStep, StandardStep, initial_params};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// Activations that count, of a token.
pub const K: usize = 32;
/// Nested dictionaries, as `autoencoders.py` has them.
const WIDTHS: [usize; 5] = [256, 512, 1_024, 2_048, 4_096];

/// The architecture, and the weight of its sparsity loss.
fn architecture(name: &str) -> Result<(Architecture, f64)> {
    let k = K as f64;
    Ok(match name {
        "standard" => (Architecture::Standard { l1_coeff: 1.0 }, 1.0),
        "gated" => (Architecture::Gated { l1_coeff: 1.0 }, 1.0),
        "jumprelu" => {
            let (l0_coeff, l0_loss) = (0.05, L0Loss::Step);
            let (bandwidth, init_threshold) = (0.05, 0.01);
            let architecture = Architecture::JumpReLU {
                l0_coeff,
                bandwidth,
                init_threshold,
                l0_loss,
            };
            (architecture, l0_coeff)
        }
        "topk" => (Architecture::TopK { k: K }, 0.0),
        "abstopk" => (Architecture::AbsTopK { k: K }, 0.0),
        "batchtopk" => (Architecture::BatchTopK { k }, 0.0),
        "matryoshka" => {
            let widths = WIDTHS.to_vec();
            (Architecture::MatryoshkaBatchTopK { k, widths }, 0.0)
        }
        other => return Err(format!("no architecture {other:?}; see autoencoders.rs").into()),
    })
}

/// Sparse mixtures of `2 d_in` unit directions, with noise and an offset: `n` batches.
pub fn sae_pool(d_in: usize, batch: usize, n: usize) -> Vec<Vec<f32>> {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut directions: Vec<f32> = StandardNormal
        .sample_iter(&mut rng)
        .take(2 * d_in * d_in)
        .collect();
    for row in directions.chunks_exact_mut(d_in) {
        let norm = row.iter().map(|w| w * w).sum::<f32>().sqrt();
        row.iter_mut().for_each(|w| *w /= norm);
    }
    let offset: Vec<f32> = StandardNormal.sample_iter(&mut rng).take(d_in).collect();
    let mut one = || {
        let mut x = vec![0f32; batch * d_in];
        for x in x.chunks_exact_mut(d_in) {
            for (x, o) in x.iter_mut().zip(&offset) {
                let noise: f32 = StandardNormal.sample(&mut rng);
                *x = 0.5 * o + 0.05 * noise;
            }
            for direction in directions.chunks_exact(d_in) {
                if rng.random::<f32>() < 16.0 / (2 * d_in) as f32 {
                    let strength = 3.0 * rng.random::<f32>();
                    for (x, w) in x.iter_mut().zip(direction) {
                        *x += strength * w;
                    }
                }
            }
        }
        x
    };
    (0..n).map(|_| one()).collect()
}

/// As `train_sae` starts.
fn started(cfg: &SaeConfig, rows: &[f32]) -> Result<StandardStep> {
    let mut rng = ChaCha8Rng::seed_from_u64(49);
    let mut mean = vec![0f32; cfg.d_in];
    for row in rows.chunks_exact(cfg.d_in) {
        for (m, x) in mean.iter_mut().zip(row) {
            *m += x * cfg.d_in as f32 / rows.len() as f32;
        }
    }
    let params = initial_params(cfg, rows, &mean, &mut rng)?;
    let b_enc = params.b_enc.clone();
    let step = StandardStep::new(params, BETAS[0], BETAS[1])?;
    Ok(match &cfg.architecture {
        Architecture::TopK { k } => step.with_top_k(*k),
        Architecture::AbsTopK { k } => step.with_abs_top_k(*k),
        Architecture::BatchTopK { k } => step.with_batch_top_k(*k, &[])?,
        Architecture::MatryoshkaBatchTopK { k, widths } => step.with_batch_top_k(*k, widths)?,
        Architecture::JumpReLU {
            bandwidth,
            init_threshold,
            l0_loss,
            ..
        } => {
            let thresholds = vec![*init_threshold as f32; cfg.d_sae];
            step.with_thresholds(thresholds, *bandwidth, *l0_loss)?
        }
        Architecture::Gated { .. } => step.with_gates(vec![0.0; cfg.d_sae], b_enc)?,
        _ => step,
    })
}

pub fn sae_train(args: &Args, name: &str) -> Result<()> {
    let (architecture, sparsity_weight) = architecture(name)?;
    let cfg = SaeConfig {
        architecture,
        batch_size: args.batch,
        ..SaeConfig::default()
    };
    let pool = sae_pool(cfg.d_in, args.batch, 8);
    let mut step = started(&cfg, &pool[0])?;
    let mut at = 0;
    let mut l0 = 0.0;
    // The first steps are the densest: past them, as in training.
    for _ in 0..20 {
        l0 = step.step(&pool[at % pool.len()], 1e-4, sparsity_weight)?.l0;
        at += 1;
    }
    measure(args, args.batch, &format!(", \"l0\": {l0:.1}"), || {
        step.step(&pool[at % pool.len()], 1e-4, sparsity_weight)?;
        at += 1;
        Ok(())
    })
}

/// At most [`K`] steps of pursuit a token.
pub fn pursuit_train(args: &Args) -> Result<()> {
    let cfg = SaeConfig {
        batch_size: args.batch,
        ..SaeConfig::default()
    };
    let pool = sae_pool(cfg.d_in, args.batch, 8);
    let mut rng = ChaCha8Rng::seed_from_u64(49);
    let params = initial_params(&cfg, &pool[0], &vec![0.0; cfg.d_in], &mut rng)?;
    let rules = PursuitRules {
        max_iterations: Some(K),
        ..PursuitRules::default()
    };
    let mut step = PursuitStep::new(params.w_dec, params.b_dec, rules, (BETAS[0], BETAS[1]))?;
    let mut pool = pool.iter().cycle();
    let mut l0 = 0.0;
    let mut next = || pool.next().ok_or("no batch");
    for _ in 0..4 {
        l0 = step.step(next()?, 1e-4)?.l0;
    }
    measure(args, args.batch, &format!(", \"l0\": {l0:.1}"), || {
        step.step(next()?, 1e-4)?;
        Ok(())
    })
}
