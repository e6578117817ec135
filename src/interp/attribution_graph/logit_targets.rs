//! Which logits are targets, and how they read the final norm's output.
//! The smallest set of tokens whose probabilities sum to 0.95, at most 10; `u_v = W_U[:, v] - mean W_U`.
//! Source: circuit-tracer 0.5, `compute_salient_logits`.

use super::config::AttributionConfig;
use super::frozen::{FrozenModel, Target};
use crate::error::{Error, Result};
use candle_core::{DType, Device, Tensor};

/// A logit that is a target.
#[derive(Debug, Clone)]
pub(super) struct LogitTarget {
    pub(super) id: u32,
    pub(super) probability: f64,
    /// The logit less the mean of all logits.
    pub(super) value: f64,
    pub(super) target: Target,
}

/// The targets, the most probable first or in the order asked for.
///
/// # Errors
/// [`Error::NotFiniteAt`] for an unembedding with a NaN or an infinity.
pub(super) fn logit_targets(
    frozen: &FrozenModel,
    config: &AttributionConfig,
) -> Result<Vec<LogitTarget>> {
    let probabilities = softmax(&frozen.logits);
    let ids = match config.targets.is_empty() {
        true => most_probable(&probabilities, config.logit_probability, config.max_logits),
        false => config.targets.clone(),
    };
    let plain = |t: Tensor| t.to_device(&Device::Cpu)?.to_dtype(DType::F64);
    let w_u = frozen.model.parameter("unembed.W_U")?; // [d_model, d_vocab]
    let index = Tensor::new(ids.as_slice(), w_u.device())?;
    let columns = plain(w_u.contiguous()?.index_select(&index, 1)?)?;
    let columns = columns.t()?.contiguous()?.to_vec2::<f64>()?;
    let mean = plain(w_u)?.mean(1)?.to_vec1::<f64>()?;
    let b_u = plain(frozen.model.parameter("unembed.b_U")?)?.to_vec1::<f64>()?;
    let mean_of = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mean_bias, mean_logit) = (mean_of(&b_u), mean_of(&frozen.logits));
    let parts = ids.into_iter().zip(columns);
    let targets = parts.map(|(id, column)| {
        let covector: Vec<f64> = column.iter().zip(&mean).map(|(u, mean)| u - mean).collect();
        let own_bias = b_u[id as usize] - mean_bias;
        if let Some(bad) = covector.iter().chain([&own_bias]).find(|x| !x.is_finite()) {
            return Err(Error::NotFiniteAt {
                what: format!("the unembedding of token {id}, less the mean,"),
                value: *bad,
                place: "unembed.W_U or unembed.b_U".to_owned(),
            });
        }
        Ok(LogitTarget {
            id,
            probability: probabilities[id as usize],
            value: frozen.logits[id as usize] - mean_logit,
            target: Target {
                layer: None,
                position: frozen.n_pos() - 1,
                covector,
                own_bias,
            },
        })
    });
    targets.collect()
}

fn softmax(logits: &[f64]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = logits.iter().map(|x| (x - largest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|x| x / sum).collect()
}

/// The fewest tokens that hold `share` together, at most `most`.
fn most_probable(probabilities: &[f64], share: f64, most: usize) -> Vec<u32> {
    let mut ids: Vec<u32> = (0..probabilities.len() as u32).collect();
    let of = |id: u32| probabilities[id as usize];
    ids.sort_by(|&a, &b| of(b).total_cmp(&of(a)).then(a.cmp(&b)));
    let mut so_far = 0.0;
    let mut kept = Vec::new();
    for id in ids.into_iter().take(most) {
        kept.push(id);
        so_far += of(id);
        if so_far >= share {
            break;
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_set_that_holds_the_share_is_taken_and_cut() {
        let probabilities = [0.1, 0.5, 0.1, 0.3];
        assert_eq!(most_probable(&probabilities, 0.75, 10), [1, 3]);
        assert_eq!(most_probable(&probabilities, 0.95, 10), [1, 3, 0, 2]);
        assert_eq!(most_probable(&probabilities, 0.95, 3), [1, 3, 0]);
        assert_eq!(most_probable(&probabilities, 0.0, 3), [1]);
    }

    #[test]
    fn large_logits_have_probabilities() {
        let p = softmax(&[1000.0, 1000.0 + 3f64.ln(), -1e300]);
        assert!((p[0] - 0.25).abs() < 1e-12 && (p[1] - 0.75).abs() < 1e-12);
        assert_eq!(p[2], 0.0);
    }
}
