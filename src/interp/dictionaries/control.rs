//! A control for every claim about features: a dictionary of random directions, as sparse as the trained one.
//! `w_f ~ N(0, 1)`, unit length; `acts = c relu((x - mean x) . w_f - q_f)`, `q_f` the quantile that leaves `l0 / d_sae`
//! above, `c` the gain of least squared error. Ours; in the spirit of Heap et al. 2025, arXiv:2501.17727.

use crate::data::{Batches, TokenSplit};
use crate::error::{Error, Result};
use crate::interp::activations::{TOKENS_PER_PASS, hook_rows};
use crate::model::Transformer;
use crate::sae::{StandardParams, StandardSae, scale_encoder};
use crate::show::Interrupts;
use candle_core::Tensor;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

/// Tokens from which the mean, the biases and the gain are taken.
const TOKENS: usize = 4 * TOKENS_PER_PASS;

/// An autoencoder of `d_sae` random unit directions of width `d_in`, each active on the same
/// share of the tokens of `split`, so that `l0` features are active on a token on average.
///
/// The decoder's rows are the directions; the encoder's columns are the same ones times one gain,
/// that of least squared error on those tokens. Without it an activation would be the excess over
/// a threshold, too small to give back what the direction holds, and the control too easy to beat.
/// Give it to [`interpretable_features`](crate::interp::interpretable_features) to see how many
/// features look explained although nothing was learnt, or to [`super::reconstruction_score_with`].
///
/// # Errors
/// An unknown hook point or one of another width, `l0` outside (0, d_sae), a split too short;
/// [`Error::Interrupted`].
pub fn random_dictionary(
    model: &Transformer,
    hook_name: &str,
    split: &TokenSplit,
    (d_in, d_sae): (usize, usize),
    l0: f64,
    seed: u64,
) -> Result<StandardSae> {
    check_l0(l0, d_sae)?;
    let rows = centred_rows(model, hook_name, split, d_in, seed)?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let normals: Vec<f32> = (0..d_sae * d_in)
        .map(|_| rng.sample(StandardNormal))
        .collect();
    let directions = Tensor::from_vec(normals, (d_sae, d_in), model.device())?;
    fixed_dictionary(&rows, &directions, l0)
}

/// Activations less their mean, and the mean.
pub(crate) struct CentredRows {
    /// `[tokens, d_in]`
    pub(crate) x_cent: Tensor,
    /// `[d_in]`
    pub(crate) mean: Tensor,
    /// The hook point.
    hook_name: String,
}

/// Activations of 4,096 tokens of `split`, drawn by `seed`.
pub(crate) fn centred_rows(
    model: &Transformer,
    hook_name: &str,
    split: &TokenSplit,
    d_in: usize,
    seed: u64,
) -> Result<CentredRows> {
    let n_ctx = model.cfg().n_ctx;
    let per_pass = (TOKENS_PER_PASS / n_ctx).max(1);
    let mut batches = Batches::new(split, n_ctx, per_pass, seed);
    let interrupts = Interrupts::listen();
    let mut rows = Vec::new();
    while rows.len() * per_pass * n_ctx < TOKENS {
        interrupts.check("a control dictionary")?;
        let tokens = batches.next_batch(model.device())?;
        rows.push(hook_rows(model, hook_name, &tokens, d_in)?);
    }
    let x = Tensor::cat(&rows, 0)?; // [tokens, d_in]
    let mean = x.mean(0)?; // [d_in]
    Ok(CentredRows {
        x_cent: x.broadcast_sub(&mean)?,
        mean,
        hook_name: hook_name.to_owned(),
    })
}

pub(crate) fn check_l0(l0: f64, d_sae: usize) -> Result<()> {
    if l0 > 0.0 && l0 < d_sae as f64 {
        return Ok(());
    }
    let reason = format!("must lie between 0 and d_sae = {d_sae}");
    Err(Error::argument("l0", l0, reason))
}

/// The autoencoder of given `directions` `[d_sae, d_in]` (of any length but 0), `l0` features active on
/// a token on average of `rows`; see [`random_dictionary`].
pub(crate) fn fixed_dictionary(
    rows: &CentredRows,
    directions: &Tensor,
    l0: f64,
) -> Result<StandardSae> {
    read_write_dictionary(rows, directions, directions, l0)
}

/// As [`fixed_dictionary`], of features that look for the direction `read` and write the direction
/// `write`, `[d_sae, d_in]` both.
pub(crate) fn read_write_dictionary(
    rows: &CentredRows,
    read: &Tensor,
    write: &Tensor,
    l0: f64,
) -> Result<StandardSae> {
    let (d_sae, d_in) = write.dims2()?;
    check_l0(l0, d_sae)?;
    let interrupts = Interrupts::listen();
    let norms = write.sqr()?.sum_keepdim(1)?.sqrt()?; // [d_sae, 1]
    let w_dec = write.broadcast_div(&norms)?; // [d_sae, d_in]
    // A feature of a longer direction is as much more active.
    let w_enc = match std::ptr::eq(read, write) {
        true => w_dec.clone(),
        false => read.broadcast_mul(&norms)?, // [d_sae, d_in]
    };
    let b_enc = biases(&rows.x_cent.matmul(&w_enc.t()?)?, l0)?; // [d_sae]
    interrupts.check("a control dictionary")?;

    let mut params = StandardParams {
        d_in,
        d_sae,
        w_enc_t: w_enc.flatten_all()?.to_vec1()?,
        w_dec: w_dec.flatten_all()?.to_vec1()?,
        b_enc,
        // The gain is fitted on centred inputs.
        b_dec: vec![0.0; d_in],
    };
    scale_encoder(&mut params, &rows.x_cent.flatten_all()?.to_vec1()?, None)?;
    params.b_dec = rows.mean.to_vec1()?;
    let mut dictionary = StandardSae::from_params(params, write.device())?;
    dictionary.hook_name = Some(rows.hook_name.clone());
    Ok(dictionary)
}

/// Biases that leave each feature active on a share `l0 / d_sae` of the tokens, `[d_sae]`, from
/// their pre-activations `[tokens, d_sae]`.
fn biases(pre: &Tensor, l0: f64) -> Result<Vec<f32>> {
    let (n, d_sae) = pre.dims2()?;
    let kept = ((n as f64 * l0 / d_sae as f64).round() as usize).clamp(1, n - 1);
    let mut columns = pre.t()?.contiguous()?.to_vec2::<f32>()?;
    Ok(columns
        .iter_mut()
        .map(|column| {
            let (_, at, _) = column.select_nth_unstable_by(kept, |a, b| b.total_cmp(a));
            -*at
        })
        .collect())
}
