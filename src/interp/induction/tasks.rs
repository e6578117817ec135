//! Tasks on which only induction helps: a token seen before, and what followed it then.
//! Clean: random tokens twice, up to a token of the second half. Corrupted: that token's earlier
//! occurrence is another token, so that there is nothing to be found.
//! Source: the repeated random sequences of Olsson et al. 2022; path patching of Wang et al. 2022.

use super::super::mechanisms::{PatchMetric, PatchTask, repeated_random_tokens};
use crate::error::{Error, Result};
use crate::model::Transformer;
use candle_core::{Device, Tensor};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// `n` tasks: `seq_len` different random tokens (after `bos` if there is one), then the same again up to
/// a random one, not the last. The metric is the log-probability of the token that followed it the
/// first time. In the corrupted tokens its earlier occurrence is a token that is not in the sequence:
/// what followed it is the same, but nothing says that it followed the present token.
///
/// # Errors
/// No task; fewer than `seq_len + 1` tokens beside `bos`; and those of [`repeated_random_tokens`].
pub fn induction_tasks(
    model: &Transformer,
    n: usize,
    seq_len: usize,
    bos: Option<u32>,
    seed: u64,
) -> Result<Vec<PatchTask>> {
    let n_prefix = usize::from(bos.is_some());
    let n_ids = model.cfg().d_vocab.saturating_sub(n_prefix);
    if seq_len >= n_ids {
        let rule = format!("must be below {n_ids}, the number of tokens beside bos");
        return Err(Error::argument("seq_len", seq_len, rule));
    }
    let tokens = repeated_random_tokens(model, n, seq_len, bos, seed)?;
    let rows = tokens.to_device(&Device::Cpu)?.to_vec2::<u32>()?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed.wrapping_add(1));
    let mut tasks = Vec::with_capacity(n);
    for row in rows {
        let first = n_prefix + rng.random_range(0..seq_len - 1);
        let query = first + seq_len;
        let clean = &row[..=query];
        let half = &row[n_prefix..n_prefix + seq_len];
        let other = loop {
            let id = rng.random_range(0..model.cfg().d_vocab as u32);
            if Some(id) != bos && !half.contains(&id) {
                break id;
            }
        };
        let mut corrupted = clean.to_vec();
        corrupted[first] = other;
        let tensor = |ids: &[u32]| Tensor::from_slice(ids, (1, ids.len()), model.device());
        let metric = PatchMetric::log_prob(query, row[first + 1]);
        tasks.push(PatchTask::new(
            &tensor(clean)?,
            &tensor(&corrupted)?,
            &metric,
        ));
    }
    Ok(tasks)
}
