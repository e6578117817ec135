//! What a replaced activation costs: cross-entropy of the next token, KL divergence from the model's own
//! distribution. `KL(p || q) = sum p (log p - log q)`, over the vocabulary; nats.
//! Source: SAEBench's `core` evaluation.

use super::sums::{Replaced, Sums};
use crate::error::Result;
use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;

/// The model's own logits of a batch and what it was to predict.
pub(in crate::interp::measurements::quality) struct OwnLogits {
    logits: Vec<f32>,
    /// `log sum exp` of each row. `[batch * pos]`
    log_sums: Vec<f64>,
    /// `[batch * pos]`
    tokens: Vec<u32>,
    batch: usize,
    pos: usize,
}

impl OwnLogits {
    /// From logits `[batch, pos, d_vocab]` and tokens `[batch, pos]`.
    pub(in crate::interp::measurements::quality) fn new(
        logits: &Tensor,
        tokens: &Tensor,
    ) -> Result<Self> {
        let (batch, pos) = tokens.dims2()?;
        let logits = flat(logits)?;
        let d_vocab = logits.len() / (batch * pos);
        let log_sums = logits.par_chunks_exact(d_vocab).map(log_sum_exp).collect();
        Ok(Self {
            logits,
            log_sums,
            tokens: tokens.to_dtype(DType::U32)?.flatten_all()?.to_vec1()?,
            batch,
            pos,
        })
    }

    /// Adds the losses of the model as it is to each sequence's sums. `[batch]`
    pub(in crate::interp::measurements::quality) fn add_own(&self, sums: &mut [Sums]) {
        let d_vocab = self.logits.len() / (self.batch * self.pos);
        for (i, sums) in sums.iter_mut().enumerate() {
            sums.n_logits += self.pos as f64;
            sums.n_predictions += (self.pos - 1) as f64;
            for row in i * self.pos..(i + 1) * self.pos - 1 {
                let logit = self.logits[row * d_vocab + self.tokens[row + 1] as usize];
                sums.ce[Replaced::Not as usize] += self.log_sums[row] - f64::from(logit);
            }
        }
    }

    /// Adds the losses of a run with a replaced activation, from its logits.
    pub(in crate::interp::measurements::quality) fn add(
        &self,
        sums: &mut [Sums],
        kind: Replaced,
        logits: &Tensor,
    ) -> Result<()> {
        let logits = flat(logits)?;
        let d_vocab = self.logits.len() / (self.batch * self.pos);
        let of_rows: Vec<(f64, f64)> = logits
            .par_chunks_exact(d_vocab)
            .zip(self.logits.par_chunks_exact(d_vocab))
            .enumerate()
            .map(|(row, (new, own))| {
                let log_sum = log_sum_exp(new);
                let kl = divergence((own, self.log_sums[row]), (new, log_sum));
                let last = (row + 1).is_multiple_of(self.pos);
                let ce = match last {
                    true => 0.0,
                    false => log_sum - f64::from(new[self.tokens[row + 1] as usize]),
                };
                (ce, kl)
            })
            .collect();
        for (sums, rows) in sums.iter_mut().zip(of_rows.chunks_exact(self.pos)) {
            for (ce, kl) in rows {
                sums.ce[kind as usize] += ce;
                sums.kl[kind as usize] += kl;
            }
        }
        Ok(())
    }
}

fn flat(logits: &Tensor) -> Result<Vec<f32>> {
    let logits = logits.to_device(&Device::Cpu)?.to_dtype(DType::F32)?;
    Ok(logits.flatten_all()?.to_vec1()?)
}

fn log_sum_exp(row: &[f32]) -> f64 {
    let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let most = f64::from(most);
    most + row
        .iter()
        .map(|&z| (f64::from(z) - most).exp())
        .sum::<f64>()
        .ln()
}

/// KL of `own` from `new`, each with its `log sum exp`.
fn divergence((own, own_sum): (&[f32], f64), (new, new_sum): (&[f32], f64)) -> f64 {
    let pairs = own.iter().zip(new);
    let kl: f64 = pairs
        .map(|(&z, &w)| {
            let (log_p, log_q) = (f64::from(z) - own_sum, f64::from(w) - new_sum);
            log_p.exp() * (log_p - log_q)
        })
        .sum();
    kl
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_those_of_numpy() {
        // scipy.special: p = softmax([1, 2, 0]), q = softmax([0, 2, -1]); rel_entr(p, q).sum(),
        // logsumexp([1, 2, 0]) - 1, logsumexp([0, 2, -1]) - 0:
        // 0.09699909914, 1.40760596444, 2.16984601956
        let own = Tensor::new(&[[[1f32, 2.0, 0.0], [1.0, 2.0, 0.0]]], &Device::Cpu).unwrap();
        let new = Tensor::new(&[[[0f32, 2.0, -1.0], [0.0, 2.0, -1.0]]], &Device::Cpu).unwrap();
        let tokens = Tensor::new(&[[2u32, 0]], &Device::Cpu).unwrap();
        let logits = OwnLogits::new(&own, &tokens).unwrap();
        let mut sums = [Sums::default()];
        logits.add_own(&mut sums);
        logits.add(&mut sums, Replaced::ByZero, &new).unwrap();
        logits.add(&mut sums, Replaced::ByMean, &own).unwrap();
        let [sums] = sums;
        assert_eq!((sums.n_predictions, sums.n_logits), (1.0, 2.0));
        assert!((sums.ce[Replaced::Not as usize] - 1.407_605_96).abs() < 1e-7);
        assert!((sums.ce[Replaced::ByZero as usize] - 2.169_846_02).abs() < 1e-7);
        assert!((sums.kl[Replaced::ByZero as usize] - 2.0 * 0.096_999_099_14).abs() < 1e-7);
        assert!(sums.kl[Replaced::ByMean as usize].abs() < 1e-12);
    }
}
