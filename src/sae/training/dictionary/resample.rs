//! Resampling of dead features: a feature that never fires learns nothing, so it is moved.
//! New direction: an input drawn with probability proportional to its squared loss; encoder
//! `0.2 x` the mean norm of the alive ones (TopK: `1 x`, ours). Bricken et al. 2023, appendix "neuron resampling".

use super::super::step::StandardStep;
use crate::config::GROUP;
use crate::error::{Error, Result};
use crate::model::first_not_finite_of;
use crate::sae::constraints::TiedDecoder;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, weighted::WeightedAliasIndex};

/// Encoder rows of moved features, as a share of the alive ones' mean norm.
const ENCODER_SHARE: f32 = 0.2;
/// The same where only the largest activations count: a feature with a shorter encoder seldom is among them.
/// In the setting of tests/sae_constrained.rs a fifth leaves 41 % of a tied dictionary dead, this 18 %
/// (3 % and 2 % of a free one); explained variance differs by less than 0.01.
const TOP_K_ENCODER_SHARE: f32 = 1.0;

/// Moves every feature that has been silent for `silent_steps` steps; returns how many.
///
/// Where only the largest activations count, of a token or of a batch, a moved feature's encoder
/// is as long as an alive one's, so that its activations can be among them.
///
/// `x` is `[n, d_in]`, a sample of the training activations. The moved features' Adam moments
/// start from zero and their encoder bias is 0.
///
/// # Errors
/// Those of [`StandardStep::squared_errors`] and [`Error::NotFiniteAt`] for an error that is not
/// finite, where there is a feature to move.
pub fn resample_dead(
    step: &mut StandardStep,
    x: &[f32],
    silent_steps: usize,
    rng: &mut ChaCha8Rng,
) -> Result<usize> {
    let dead = dead_features(step, silent_steps);
    let Some(draw) = draw_by_error(step, x, &dead)? else {
        return Ok(0);
    };
    let encoder_norm = moved_encoder_norm(step, &dead);
    for &j in &dead {
        let direction = centred_row(step, x, draw.sample(rng));
        step.replace_feature(j, &direction, encoder_norm)?;
    }
    Ok(dead.len())
}

/// [`resample_dead`] for a tied decoder: a group all of whose features are dead gets a
/// frame of four inputs drawn in the same way; a dead feature of another group keeps its decoder
/// row, which the group's living features determine, and its encoder is reset along it. Moments of
/// encoders and frames are reset to zero.
pub(super) fn resample_dead_tied(
    step: &mut StandardStep,
    tied: &mut TiedDecoder,
    x: &[f32],
    silent_steps: usize,
    rng: &mut ChaCha8Rng,
) -> Result<usize> {
    let dead = dead_features(step, silent_steps);
    let Some(draw) = draw_by_error(step, x, &dead)? else {
        return Ok(0);
    };
    let encoder_norm = moved_encoder_norm(step, &dead);
    for group in dead.chunk_by(|a, b| a / GROUP == b / GROUP) {
        if group.len() == GROUP {
            let rows = (0..4).map(|_| centred_row(step, x, draw.sample(rng)));
            let frame: Vec<f32> = rows.flatten().collect();
            tied.replace_frame(group[0] / GROUP, &frame, &mut step.state.params.w_dec);
        }
        for &j in group {
            step.state.align_encoder(j, encoder_norm);
        }
    }
    Ok(dead.len())
}

fn dead_features(step: &StandardStep, silent_steps: usize) -> Vec<usize> {
    (0..step.params().d_sae)
        .filter(|&j| step.silent_steps()[j] as usize >= silent_steps)
        .collect()
}

/// Draws rows of `x` with probability proportional to their squared losses; `None` if there is
/// no dead feature or no error.
fn draw_by_error(
    step: &mut StandardStep,
    x: &[f32],
    dead: &[usize],
) -> Result<Option<WeightedAliasIndex<f64>>> {
    if dead.is_empty() {
        return Ok(None);
    }
    let errors = step.squared_errors(x)?;
    if let Some(i) = first_not_finite_of(&errors) {
        return Err(Error::NotFiniteAt {
            what: "the squared error".to_owned(),
            value: f64::from(errors[i]),
            place: format!("row {i} of the inputs"),
        });
    }
    let weights: Vec<f64> = errors.iter().map(|&e| f64::from(e).powi(2)).collect();
    // No weights where every input is reconstructed exactly.
    Ok(WeightedAliasIndex::new(weights).ok())
}

/// Row `i` of `x` less `b_dec`, `[d_in]`.
fn centred_row(step: &StandardStep, x: &[f32], i: usize) -> Vec<f32> {
    let d = step.params().d_in;
    x[i * d..][..d]
        .iter()
        .zip(&step.params().b_dec)
        .map(|(x, b)| x - b)
        .collect()
}

fn moved_encoder_norm(step: &StandardStep, dead: &[usize]) -> f32 {
    let share = match step.keeps_largest() {
        false => ENCODER_SHARE,
        true => TOP_K_ENCODER_SHARE,
    };
    share * mean_alive_encoder_norm(step, dead)
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

#[cfg(test)]
mod tests {
    use super::super::init::params_along;
    use super::*;
    use crate::config::{Architecture, SaeConfig};
    use crate::sae::constraints::TiedGenerators;
    use rand::SeedableRng;
    use rand_distr::StandardNormal;

    const D: usize = 12;

    fn tied_step(rng: &mut ChaCha8Rng) -> (StandardStep, TiedDecoder, Vec<f32>) {
        let cfg = SaeConfig {
            d_in: D,
            d_sae: 48,
            architecture: Architecture::TopK { k: 4 },
            ..SaeConfig::default()
        };
        let x: Vec<f32> = StandardNormal
            .sample_iter(&mut *rng)
            .take(200 * D)
            .collect();
        let tied = TiedDecoder::new(TiedGenerators::Holoraumy, D, 48, rng).unwrap();
        let params = params_along(&cfg, tied.w_dec(), &x, &[0.0; D], rng).unwrap();
        let step = StandardStep::new(params, 0.9, 0.99).unwrap().with_top_k(4);
        (step, tied, x)
    }

    #[test]
    fn a_dead_group_gets_a_frame_and_a_dead_feature_an_encoder() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let (mut step, mut tied, x) = tied_step(&mut rng);
        step.step_tied(&x, 1e-3, 0.0, &mut tied).unwrap();
        // The first group and feature 20 are dead, whatever the first step saw.
        for j in 0..48 {
            step.state.silent[j] = if j < 16 || j == 20 { 9 } else { 0 };
        }
        let before = step.params().clone();
        let moved = resample_dead_tied(&mut step, &mut tied, &x, 9, &mut rng).unwrap();
        assert_eq!(moved, 17);
        let after = step.params();
        assert_eq!(after.w_dec, tied.w_dec());
        assert!(after.w_dec[..16 * D] != before.w_dec[..16 * D]);
        assert_eq!(after.w_dec[16 * D..], before.w_dec[16 * D..]);
        let norm = |row: &[f32]| row.iter().map(|w| w * w).sum::<f32>().sqrt();
        for j in 0..48 {
            let (enc, dec) = (&after.w_enc_t[j * D..][..D], &after.w_dec[j * D..][..D]);
            if j < 16 || j == 20 {
                let along: f32 = enc.iter().zip(dec).map(|(a, b)| a * b).sum();
                assert!((along - norm(enc)).abs() < 1e-5 && after.b_enc[j] == 0.0);
                assert_eq!(step.silent_steps()[j], 0);
            } else {
                assert_eq!(enc, &before.w_enc_t[j * D..][..D]);
            }
        }
        // The new frame is four inputs: each lies in the span of the group's rows, so that a frame
        // of unit directions reproduces it.
        let frame = &tied.parameters().0[..4 * D];
        assert!(frame.chunks_exact(D).all(|e| {
            x.chunks_exact(D).any(|x| {
                let b_dec = &before.b_dec;
                let cent: Vec<f32> = x.iter().zip(b_dec).map(|(x, b)| x - b).collect();
                let cos = cent.iter().zip(e).map(|(a, b)| a * b).sum::<f32>() / norm(&cent);
                (cos - 1.0).abs() < 1e-4
            })
        }));
        step.step_tied(&x, 1e-3, 0.0, &mut tied).unwrap();
    }

    #[test]
    fn a_feature_moved_among_the_largest_is_as_loud_as_the_others() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let (mut step, _, x) = tied_step(&mut rng);
        step.step(&x, 1e-3, 0.0).unwrap();
        for j in 0..48 {
            step.state.silent[j] = if j == 7 { 5 } else { 0 };
        }
        let loudness = mean_alive_encoder_norm(&step, &[7]);
        assert_eq!(resample_dead(&mut step, &x, 5, &mut rng).unwrap(), 1);
        let enc = &step.params().w_enc_t[7 * D..][..D];
        let norm = enc.iter().map(|w| w * w).sum::<f32>().sqrt();
        assert!((norm - loudness).abs() < 1e-5, "{norm} against {loudness}");
    }
}
