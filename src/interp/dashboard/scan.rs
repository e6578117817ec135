//! One pass over the tokens that collects the activations of some features, and correlations on a part.
//! Source: the streaming pass of sae_vis' `FeatureDataGenerator`, here without the dense activations.

use super::super::activations::{TOKENS_PER_PASS, hook_rows};
use super::co_activity::CoActivity;
use crate::error::{Error, Result};
use crate::model::Transformer;
use crate::progress::{Progress, Reporter};
use crate::sae::SparseAutoencoder;
use candle_core::{DType, Tensor};

/// Activations kept in all, none of them 0: 8 bytes each.
const MAX_ENTRIES: usize = 40_000_000;
/// Sums kept for the correlations in all, 8 bytes each: 1 GiB.
const MAX_SUMS: usize = 1 << 27;

/// What the pass found.
pub(super) struct Scan {
    /// Sequences read.
    pub n_sequences: usize,
    /// For each wanted feature its (index of the token, activation that is not 0), ascending.
    pub acts: Vec<Vec<(u32, f32)>>,
    /// Sums over the tokens that correlations are measured on.
    pub together: CoActivity,
}

/// Reads `tokens` `[batch, pos]`. Correlations are measured on about `correlation_tokens` tokens, whole
/// batches spread over the pass. An interrupt ends the pass after a batch.
///
/// # Errors
/// An unknown hook point, an autoencoder of another width; [`Error::NotFiniteAt`] for an activation of
/// the model or of a wanted feature that is NaN or infinite; [`Error::Interrupted`] before the first
/// batch; more activations than can be kept; more features than sums for the correlations can be kept.
pub(super) fn scan(
    model: &Transformer,
    sae: &dyn SparseAutoencoder,
    hook_name: &str,
    tokens: &Tensor,
    features: &[usize],
    correlation_tokens: usize,
    reporter: &mut dyn Reporter,
) -> Result<Scan> {
    let (batch, pos) = tokens.dims2()?;
    let per_pass = (TOKENS_PER_PASS / pos).max(1);
    let n_passes = batch.div_ceil(per_pass);
    // As many of the batches as hold that many tokens, evenly spread.
    let n_measured = correlation_tokens.div_ceil(per_pass * pos).min(n_passes);
    let (d_sae, d_in) = match n_measured {
        0 => (0, 0),
        _ => (sae.d_sae(), sae.d_in()),
    };
    check_sums(features.len(), d_sae, d_in)?;
    let mut found = Scan {
        n_sequences: 0,
        acts: vec![Vec::new(); features.len()],
        together: CoActivity::new(features, d_sae, d_in),
    };
    let mut progress = Progress::new(reporter, "feature dashboards", "sequence", batch as u64);
    for pass in 0..n_passes {
        let n = per_pass.min(batch - pass * per_pass);
        let part = tokens.narrow(0, pass * per_pass, n)?.contiguous()?;
        let x = hook_rows(model, hook_name, &part, sae.d_in())?; // [n * pos, d_in]
        let acts = sae.encode_features(&x, features)?.to_dtype(DType::F32)?;
        found.keep(&acts, features, pos)?;
        if (pass + 1) * n_measured / n_passes > pass * n_measured / n_passes {
            found.together.add(&x, &sae.encode_sparse(&x)?)?;
        }
        found.n_sequences += n;
        progress.update(found.n_sequences as u64, &[]);
        if progress.interrupted() {
            break;
        }
    }
    progress.finish();
    Ok(found)
}

/// Refuses more features than [`CoActivity`] can keep sums for.
fn check_sums(n_features: usize, d_sae: usize, d_in: usize) -> Result<()> {
    let for_each = d_sae.saturating_mul(2).saturating_add(d_in);
    if n_features.saturating_mul(for_each) <= MAX_SUMS {
        return Ok(());
    }
    let reason = format!(
        "correlations keep {for_each} sums for each feature, and at most {MAX_SUMS} in all: ask for \
         fewer features, or set correlation_tokens to 0"
    );
    Err(Error::argument("features", n_features, reason))
}

impl Scan {
    /// Keeps what is not 0 in `acts` `[n, features.len()]`.
    fn keep(&mut self, acts: &Tensor, features: &[usize], pos: usize) -> Result<()> {
        let first = self.n_sequences * pos;
        let acts = acts.flatten_all()?.to_vec1::<f32>()?;
        for (t, row) in acts.chunks_exact(features.len()).enumerate() {
            let active = row.iter().enumerate();
            let active = active.filter(|(_, act)| **act != 0.0);
            for (place, &act) in active {
                if !act.is_finite() {
                    let (sequence, pos) = ((first + t) / pos, (first + t) % pos);
                    return Err(Error::NotFiniteAt {
                        what: format!("the activation of feature {}", features[place]),
                        value: f64::from(act),
                        place: format!("position {pos} of sequence {sequence}"),
                    });
                }
                self.acts[place].push(((first + t) as u32, act));
            }
        }
        let n: usize = self.acts.iter().map(Vec::len).sum();
        if n > MAX_ENTRIES {
            return Err(Error::argument(
                "features",
                format!("{} with {n} activations", features.len()),
                format!("at most {MAX_ENTRIES} are kept: take fewer features or tokens"),
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn activations_other_than_0_are_kept_and_those_that_are_not_finite_refused() {
        let features = [4, 9];
        let mut found = Scan {
            n_sequences: 1,
            acts: vec![Vec::new(); 2],
            together: CoActivity::new(&features, 0, 0),
        };
        // The second sequence, of two tokens.
        let acts = Tensor::new(&[[0.0f32, -2.0], [0.5, -0.0]], &Device::Cpu).unwrap();
        found.keep(&acts, &features, 2).unwrap();
        assert_eq!(found.acts, [vec![(3u32, 0.5f32)], vec![(2, -2.0)]]);
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let acts = Tensor::new(&[[0.0, bad]], &Device::Cpu).unwrap();
            let error = found.keep(&acts, &features, 2).unwrap_err().to_string();
            let place = "position 0 of sequence 1";
            assert!(
                error.contains("feature 9") && error.contains(place),
                "{error}"
            );
        }
    }

    #[test]
    fn more_sums_than_can_be_kept_are_refused() {
        // 2 * 60 + 8 = 2^7 sums for each of 2^20 features.
        check_sums(1 << 20, 60, 8).unwrap();
        let error = check_sums((1 << 20) + 1, 60, 8).unwrap_err().to_string();
        assert!(
            error.contains("features = 1048577") && error.contains("correlation_tokens"),
            "{error}"
        );
        assert!(check_sums(2, usize::MAX, 8).is_err());
        // Without correlations.
        check_sums(usize::MAX, 0, 0).unwrap();
    }
}
