//! A control for every claim about features: a dictionary of random directions, as sparse as the trained one.
//! `w_f ~ N(0, 1)`, unit length; `b_f` minus the quantile of `(x - mean x) . w_f` that leaves `l0 / d_sae` above.
//! Source: ours; in the spirit of the random baselines of Heap et al. 2025, arXiv:2501.17727.

use super::activations::{TOKENS_PER_PASS, hook_rows};
use crate::data::{Batches, TokenSplit};
use crate::error::{Error, Result};
use crate::model::Transformer;
use crate::sae::StandardSae;
use candle_core::Tensor;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

/// Tokens from which the mean and the biases are taken.
const TOKENS: usize = 4 * TOKENS_PER_PASS;

/// An autoencoder of `d_sae` random unit directions of width `d_in`, each active on the same
/// share of the tokens of `split`, so that `l0` features are active on a token on average.
///
/// Its decoder is the encoder's transpose. Give it to [`super::interpretable_features`] to see
/// how many features look explained although nothing was learnt.
///
/// # Errors
/// An unknown hook point or one of another width, `l0` outside (0, d_sae), a split too short.
pub fn random_dictionary(
    model: &Transformer,
    hook_name: &str,
    split: &TokenSplit,
    (d_in, d_sae): (usize, usize),
    l0: f64,
    seed: u64,
) -> Result<StandardSae> {
    if !(l0 > 0.0 && l0 < d_sae as f64) {
        return Err(Error::argument(
            "l0",
            l0,
            format!("must lie between 0 and d_sae = {d_sae}"),
        ));
    }
    let n_ctx = model.cfg().n_ctx;
    let per_pass = (TOKENS_PER_PASS / n_ctx).max(1);
    let mut batches = Batches::new(split, n_ctx, per_pass, seed);
    let mut rows = Vec::new();
    while rows.len() * per_pass * n_ctx < TOKENS {
        let tokens = batches.next_batch(model.device())?;
        rows.push(hook_rows(model, hook_name, &tokens, d_in)?);
    }
    let x = Tensor::cat(&rows, 0)?; // [tokens, d_in]
    let mean = x.mean(0)?; // [d_in]

    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let normals: Vec<f32> = (0..d_sae * d_in)
        .map(|_| rng.sample(StandardNormal))
        .collect();
    let w_dec = Tensor::from_vec(normals, (d_sae, d_in), model.device())?;
    let norms = w_dec.sqr()?.sum_keepdim(1)?.sqrt()?;
    let w_dec = w_dec.broadcast_div(&norms)?; // [d_sae, d_in]
    let w_enc = w_dec.t()?.contiguous()?; // [d_in, d_sae]

    let pre = x.broadcast_sub(&mean)?.matmul(&w_enc)?; // [tokens, d_sae]
    let n = pre.dim(0)?;
    let kept = ((n as f64 * l0 / d_sae as f64).round() as usize).clamp(1, n - 1);
    let mut b_enc = Vec::with_capacity(d_sae);
    for mut column in pre.t()?.contiguous()?.to_vec2::<f32>()? {
        let (_, at, _) = column.select_nth_unstable_by(kept, |a, b| b.total_cmp(a));
        b_enc.push(-*at);
    }
    let b_enc = Tensor::from_vec(b_enc, d_sae, model.device())?;
    StandardSae::new(w_enc, b_enc, w_dec, mean)
}
