//! Resampling of dead features: a feature that never fires learns nothing, so it is moved.
//! A token is drawn with probability proportional to its squared loss; the encoder is set along that
//! token's input, the decoder along its reconstruction error. After Bricken et al. 2023, appendix
//! "neuron resampling", where input and target are the same.

use super::step::{FeatureBlock, TranscoderStep};
use crate::error::{Error, Result};
use crate::model::first_not_finite_of;
use crate::sae::kernels;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, weighted::WeightedAliasIndex};

/// Encoder rows of moved features, as a share of the alive ones' mean norm.
const ENCODER_SHARE: f32 = 0.2;
/// The same where only the largest activations count: a feature with a shorter encoder seldom is among them.
const TOP_K_ENCODER_SHARE: f32 = 1.0;

/// Moves every feature that has been silent for `silent_steps` steps; returns how many. `x` and `y` are a
/// sample of inputs and targets, `mean` is the mean input, `[d_in]`.
pub(super) fn resample_dead(
    step: &mut TranscoderStep,
    (x, y): (&[f32], &[f32]),
    mean: &[f32],
    silent_steps: usize,
    rng: &mut ChaCha8Rng,
) -> Result<usize> {
    let is_dead = |silent: &u32| *silent as usize >= silent_steps;
    let dead: Vec<Vec<usize>> = (step.state.blocks.iter())
        .map(|block| {
            let silent = block.silent.iter().enumerate();
            silent.filter(|(_, s)| is_dead(s)).map(|(j, _)| j).collect()
        })
        .collect();
    let n_dead = dead.iter().map(Vec::len).sum();
    if n_dead == 0 {
        return Ok(0);
    }
    let errors = step.squared_errors(x, y)?;
    if let Some(i) = first_not_finite_of(&errors) {
        return Err(Error::NotFiniteAt {
            what: "the squared error".to_owned(),
            value: f64::from(errors[i]),
            place: format!("row {i} of the targets"),
        });
    }
    let weights: Vec<f64> = errors.iter().map(|&e| f64::from(e).powi(2)).collect();
    let Ok(draw) = WeightedAliasIndex::new(weights) else {
        // No weights where every target is reconstructed exactly.
        return Ok(0);
    };
    let d_in = mean.len();
    for (b, dead) in dead.iter().enumerate() {
        let block = &step.params().blocks[b];
        let (reads, norm) = (block.reads.clone(), moved_encoder_norm(step, block, dead));
        for &j in dead {
            let token = draw.sample(rng);
            let row = x[token * d_in..][..d_in][reads.clone()].iter();
            let mean = &mean[reads.clone()];
            let mut w_enc: Vec<f32> = row.zip(mean).map(|(x, m)| x - m).collect();
            kernels::normalise(&mut w_enc);
            w_enc.iter_mut().for_each(|w| *w *= norm);
            let b_enc = -kernels::dot(&w_enc, mean);
            let lacks: Vec<f32> = step.residual(token, b).iter().map(|r| -r).collect();
            step.restart(b, j, (&w_enc, b_enc), &lacks);
        }
    }
    Ok(n_dead)
}

fn moved_encoder_norm(step: &TranscoderStep, block: &FeatureBlock, dead: &[usize]) -> f32 {
    let share = match step.keeps_largest() {
        false => ENCODER_SHARE,
        true => TOP_K_ENCODER_SHARE,
    };
    let rows = block.w_enc_t.chunks_exact(block.d_in()).enumerate();
    let alive = rows.filter(|(j, _)| dead.binary_search(j).is_err());
    let norms: Vec<f32> = alive
        .map(|(_, row)| kernels::dot(row, row).sqrt())
        .collect();
    match norms.is_empty() {
        true => share,
        false => share * norms.iter().sum::<f32>() / norms.len() as f32,
    }
}
