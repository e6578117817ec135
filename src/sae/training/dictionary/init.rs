//! Initialisation: random directions, each active on a set share of the tokens (TopK and BatchTopK: with
//! its largest activations; JumpReLU: above the first threshold).
//! `W_dec[j]` random of unit length, `W_enc = c W_dec^T`, `b_enc[j] = -c` times the quantile of
//! `x_cent . W_dec[j]`; `c` minimises the squared error. So the lists are short from the first step on.

use super::super::step::StandardStep;
use crate::config::{Architecture, SaeConfig};
use crate::error::{Error, Result};
use crate::model::first_not_finite_of;
use crate::sae::kernels::{self, product};
use crate::sae::params::StandardParams;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

/// Tokens whose pre-activations set the thresholds.
const SAMPLE: usize = 4_096;

/// Initial parameters: random directions, each active on `cfg.init_active` of the rows; with
/// [`Architecture::TopK`] and its batch forms the encoder's biases are 0 and only the largest
/// activations count (Gao et al. 2024).
///
/// `rows` are (scaled) activations, `[n, cfg.d_in]`, at least one; `mean` is their mean, `[d_in]`.
///
/// # Errors
/// [`Error::Config`] for a field out of range; [`Error::Shape`] when `rows` is empty or ends within
/// a row, or `mean` is not `[d_in]`; [`Error::NotFiniteAt`] for an activation that is not finite;
/// [`Error::Argument`] for matching pursuit and the temporal autoencoder, which have other parameters.
pub fn initial_params(
    cfg: &SaeConfig,
    rows: &[f32],
    mean: &[f32],
    rng: &mut ChaCha8Rng,
) -> Result<StandardParams> {
    cfg.validate()?;
    let (d, s) = (cfg.d_in, cfg.d_sae);
    let mut w_dec: Vec<f32> = StandardNormal.sample_iter(&mut *rng).take(s * d).collect();
    for w in w_dec.chunks_exact_mut(d) {
        kernels::normalise(w);
    }
    params_along(cfg, w_dec, rows, mean, rng)
}

/// [`initial_params`] along given unit directions, `[d_sae, d_in]`.
pub(super) fn params_along(
    cfg: &SaeConfig,
    w_dec: Vec<f32>,
    rows: &[f32],
    mean: &[f32],
    rng: &mut ChaCha8Rng,
) -> Result<StandardParams> {
    let (d, s) = (cfg.d_in, cfg.d_sae);
    if rows.is_empty() || !rows.len().is_multiple_of(d) {
        let expected = format!("[n * {d}] for n of at least 1");
        return Err(Error::shape("the activations", expected, [rows.len()]));
    }
    if mean.len() != d {
        return Err(Error::shape("their mean", [d], [mean.len()]));
    }
    for (what, values) in [("the activations", rows), ("their mean", mean)] {
        if let Some(i) = first_not_finite_of(values) {
            return Err(Error::NotFiniteAt {
                what: what.to_owned(),
                value: f64::from(values[i]),
                place: format!("row {}, dimension {}", i / d, i % d),
            });
        }
    }
    let n = rows.len() / d;
    let mut sample = vec![0f32; SAMPLE.min(n) * d];
    for x in sample.chunks_exact_mut(d) {
        x.copy_from_slice(&rows[rng.random_range(0..n) * d..][..d]);
        kernels::add_scaled(-1.0, mean, x);
    }
    let b_enc = match cfg.architecture {
        Architecture::Standard { .. }
        | Architecture::JumpReLU { .. }
        | Architecture::Gated { .. } => thresholds(&w_dec, &sample, d, cfg.init_active),
        Architecture::TopK { .. }
        | Architecture::AbsTopK { .. }
        | Architecture::BatchTopK { .. }
        | Architecture::MatryoshkaBatchTopK { .. } => vec![0.0; s],
        Architecture::MatchingPursuit { .. } | Architecture::Temporal { .. } => {
            return Err(own_parameters(&cfg.architecture));
        }
    };
    let mut params = StandardParams {
        d_in: d,
        d_sae: s,
        w_enc_t: w_dec.clone(),
        w_dec,
        b_enc,
        b_dec: vec![0.0; d],
    };
    scale_encoder_of(&mut params, &sample, |step| match cfg.architecture {
        Architecture::Standard { .. }
        | Architecture::JumpReLU { .. }
        | Architecture::Gated { .. } => Ok(step),
        Architecture::TopK { k } => Ok(step.with_top_k(k)),
        Architecture::AbsTopK { k } => Ok(step.with_abs_top_k(k)),
        Architecture::MatchingPursuit { .. } | Architecture::Temporal { .. } => {
            Err(own_parameters(&cfg.architecture))
        }
        Architecture::BatchTopK { k } | Architecture::MatryoshkaBatchTopK { k, .. } => {
            step.with_batch_top_k(k, &[])
        }
    })?;
    params.b_dec.copy_from_slice(mean);
    if let Architecture::JumpReLU { init_threshold, .. } = cfg.architecture {
        // What was active above 0 is active above the threshold.
        params
            .b_enc
            .iter_mut()
            .for_each(|b| *b += init_threshold as f32);
    }
    Ok(params)
}

/// The error for an architecture whose parameters are not [`StandardParams`].
pub(super) fn own_parameters(architecture: &Architecture) -> Error {
    let reason = "has parameters of its own: train it with train_sae";
    Error::argument("architecture", architecture.name(), reason)
}

/// Biases that leave every feature active on a share `active` of the sample.
fn thresholds(w_dec: &[f32], sample: &[f32], d: usize, active: f64) -> Vec<f32> {
    let (s, n) = (w_dec.len() / d, sample.len() / d);
    let mut pre = vec![0f32; s * n]; // [d_sae, sample]
    product(w_dec, false, sample, true, [s, d, n], &mut pre);
    let keep = ((active * n as f64) as usize).clamp(1, n) - 1;
    pre.par_chunks_exact_mut(n)
        .map(|pre| -*pre.select_nth_unstable_by(keep, |a, b| b.total_cmp(a)).1)
        .collect()
}

/// Scales the encoder by the factor that minimises the squared error on `sample`, centred inputs
/// `[n, d_in]` (so `params.b_dec` is 0); with `top_k`, only the largest activations of a token count.
/// The error is a parabola in the factor, determined by its values at 0, 1 and 2. The set of active
/// features is unchanged, up to rounding.
///
/// # Errors
/// Those of [`StandardStep::new`] and [`StandardStep::squared_errors`]; [`Error::Argument`] when the
/// errors are not finite.
pub(crate) fn scale_encoder(
    params: &mut StandardParams,
    sample: &[f32],
    top_k: Option<usize>,
) -> Result<()> {
    scale_encoder_of(params, sample, |step| {
        Ok(match top_k {
            Some(k) => step.with_top_k(k),
            None => step,
        })
    })
}

/// [`scale_encoder`] with the selection of activations that `select` adds to a step.
fn scale_encoder_of(
    params: &mut StandardParams,
    sample: &[f32],
    select: impl Fn(StandardStep) -> Result<StandardStep>,
) -> Result<()> {
    let scaled = |c: f32| {
        let mut p = params.clone();
        p.w_enc_t
            .iter_mut()
            .chain(&mut p.b_enc)
            .for_each(|w| *w *= c);
        p
    };
    let error = |c: f32| -> Result<f64> {
        let mut step = select(StandardStep::new(scaled(c), 0.0, 0.0)?)?;
        let errors = step.squared_errors(sample)?;
        Ok(errors.iter().map(|&e| f64::from(e)).sum())
    };
    let (e0, e1, e2) = (error(0.0)?, error(1.0)?, error(2.0)?);
    if !(e0 + e1 + e2).is_finite() {
        let reason = "the activations or the directions are not finite, or too large to square";
        return Err(Error::argument(
            "squared error of a reconstruction",
            e0 + e1 + e2,
            reason,
        ));
    }
    let curvature = (e2 - 2.0 * e1 + e0) / 2.0;
    let slope = e1 - e0 - curvature;
    let best = -slope / (2.0 * curvature);
    // Nothing active, or inputs of zeros: all factors are equivalent.
    if best.is_finite() && best > 0.0 {
        *params = scaled(best as f32);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn every_feature_starts_on_its_share_of_the_tokens_and_already_explains_something() {
        let cfg = SaeConfig {
            d_in: 16,
            d_sae: 50,
            init_active: 0.05,
            ..SaeConfig::default()
        };
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let rows: Vec<f32> = StandardNormal
            .sample_iter(&mut rng)
            .take(4_096 * 16)
            .collect();
        let params = initial_params(&cfg, &rows, &[0.5; 16], &mut rng).unwrap();
        let squares = |x: &[f32]| x.iter().map(|v| (v - 0.5) * (v - 0.5)).sum::<f32>();
        let before = squares(&rows) / 4_096.0;
        let mut step = StandardStep::new(params.clone(), 0.9, 0.99).unwrap();
        let figures = step.step(&rows, 1e-9, 0.0).unwrap();
        let l0 = figures.l0 / 50.0;
        assert!((l0 - 0.05).abs() < 0.005, "active share {l0}");
        assert!(
            figures.l2 < 0.9 * f64::from(before),
            "{} of {before}",
            figures.l2
        );
        for row in params.w_dec.chunks_exact(16) {
            assert!((kernels::dot(row, row) - 1.0).abs() < 1e-5);
        }
    }

    #[test]
    fn activations_without_any_variance_still_give_finite_parameters() {
        let cfg = SaeConfig {
            d_in: 4,
            d_sae: 6,
            ..SaeConfig::default()
        };
        let rows = vec![2.0; 40 * 4];
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let params = initial_params(&cfg, &rows, &[2.0; 4], &mut rng).unwrap();
        let all = params
            .w_enc_t
            .iter()
            .chain(&params.w_dec)
            .chain(&params.b_enc);
        assert!(all.chain(&params.b_dec).all(|v| v.is_finite()));
    }

    #[test]
    fn activations_that_do_not_fit_are_refused() {
        let cfg = SaeConfig {
            d_in: 4,
            d_sae: 6,
            ..SaeConfig::default()
        };
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for (n, n_mean) in [(0, 4), (7, 4), (8, 3)] {
            let outcome = initial_params(&cfg, &vec![1.0; n], &vec![0.0; n_mean], &mut rng);
            assert!(matches!(outcome, Err(Error::Shape { .. })), "{n} {n_mean}");
        }
        let cfg = SaeConfig { d_in: 0, ..cfg };
        assert!(initial_params(&cfg, &[], &[], &mut rng).is_err());
    }
}
