//! Resampling of dead features: a feature that never fires learns nothing, so it is moved.
//! New direction: an input drawn with probability proportional to its squared loss; encoder
//! `0.2 x` the mean norm of the alive ones. Bricken et al. 2023, appendix "neuron resampling".

use super::step::StandardStep;
use crate::error::Result;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, weighted::WeightedAliasIndex};

/// Encoder rows of moved features, as a share of the alive ones' mean norm.
const ENCODER_SHARE: f32 = 0.2;

/// Moves every feature that has been silent for `silent_steps` steps; returns how many.
///
/// `x` is `[n, d_in]`, a sample of the training activations. The moved features' Adam moments
/// start from zero and their encoder bias is 0.
///
/// # Errors
/// Those of [`StandardStep::squared_errors`], where there is a feature to move.
pub fn resample_dead(
    step: &mut StandardStep,
    x: &[f32],
    silent_steps: usize,
    rng: &mut ChaCha8Rng,
) -> Result<usize> {
    let dead: Vec<usize> = (0..step.params().d_sae)
        .filter(|&j| step.silent_steps()[j] as usize >= silent_steps)
        .collect();
    if dead.is_empty() {
        return Ok(0);
    }
    let weights: Vec<f64> = step
        .squared_errors(x)?
        .into_iter()
        .map(|e| f64::from(e).powi(2))
        .map(|w| if w.is_finite() { w } else { 0.0 })
        .collect();
    // Nothing to gain where every input is reconstructed exactly.
    let Ok(draw) = WeightedAliasIndex::new(weights) else {
        return Ok(0);
    };
    let encoder_norm = ENCODER_SHARE * mean_alive_encoder_norm(step, &dead);
    let d = step.params().d_in;
    let mut row = vec![0f32; d];
    for &j in &dead {
        let token = draw.sample(rng);
        for ((r, x), b) in row
            .iter_mut()
            .zip(&x[token * d..])
            .zip(&step.params().b_dec)
        {
            *r = x - b;
        }
        step.replace_feature(j, &row, encoder_norm)?;
    }
    Ok(dead.len())
}

fn mean_alive_encoder_norm(step: &StandardStep, dead: &[usize]) -> f32 {
    let p = step.params();
    let is_dead: std::collections::HashSet<usize> = dead.iter().copied().collect();
    let norms: Vec<f32> = p
        .w_enc_t
        .chunks_exact(p.d_in)
        .enumerate()
        .filter(|(j, _)| !is_dead.contains(j))
        .map(|(_, row)| row.iter().map(|w| w * w).sum::<f32>().sqrt())
        .collect();
    // All dead: unit norm, as at initialisation.
    if norms.is_empty() {
        1.0
    } else {
        norms.iter().sum::<f32>() / norms.len() as f32
    }
}
