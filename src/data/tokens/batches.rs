//! An endless, reproducible stream of batches that can be resumed anywhere.
//!
//! Epoch e is a permutation of the sequences drawn from (seed, e); batch k takes the next
//! `batch_size` of them, so its content depends on (seed, k) alone. Counter-based as in ChaCha.

use super::split::TokenSplit;
use crate::error::{Error, Result};
use candle_core::{Device, Tensor};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Batches of a split, reshuffled every epoch.
///
/// In the first epoch the sequences are those of [`TokenSplit::sequence`]. Every later
/// epoch cuts the token stream (closed to a ring) at another offset, so that a token is
/// met at different positions; each epoch still shows every sequence once.
#[derive(Debug, Clone)]
pub struct Batches {
    tokens: Vec<u32>,
    bos: u32,
    n_ctx: usize,
    batch_size: usize,
    seed: u64,
    step: usize,
    n_sequences: usize,
    /// Epoch of `order` and `offset`.
    epoch: Option<u64>,
    order: Vec<u32>,
    offset: usize,
}

impl Batches {
    /// Batches of `batch_size` sequences of `n_ctx` tokens; the order depends on `seed` alone.
    pub fn new(split: &TokenSplit, n_ctx: usize, batch_size: usize, seed: u64) -> Batches {
        Batches {
            tokens: split.tokens.clone(),
            bos: split.bos,
            n_ctx,
            batch_size,
            seed,
            step: 0,
            n_sequences: split.n_sequences(n_ctx),
            epoch: None,
            order: Vec::new(),
            offset: 0,
        }
    }

    /// The next batch, `[batch_size, n_ctx]` of u32.
    ///
    /// # Errors
    /// [`Error::Argument`] when the split is too short for one sequence or `batch_size` is 0.
    pub fn next_batch(&mut self, device: &Device) -> Result<Tensor> {
        let rows = self.next_rows()?; // batch_size * n_ctx
        Ok(Tensor::from_vec(
            rows,
            (self.batch_size, self.n_ctx),
            device,
        )?)
    }

    /// The next batch as plain ids, row after row.
    pub fn next_rows(&mut self) -> Result<Vec<u32>> {
        if self.batch_size == 0 {
            return Err(Error::argument("batch_size", 0, "must be at least 1"));
        }
        if self.n_sequences == 0 {
            return Err(Error::argument(
                "n_ctx",
                self.n_ctx,
                format!(
                    "the split's {} tokens do not fill one sequence",
                    self.tokens.len()
                ),
            ));
        }
        let mut rows = Vec::with_capacity(self.batch_size * self.n_ctx);
        let first = self.step as u64 * self.batch_size as u64;
        for at in first..first + self.batch_size as u64 {
            self.enter_epoch(at / self.n_sequences as u64);
            let i = self.order[(at % self.n_sequences as u64) as usize] as usize;
            let start = self.offset + i * (self.n_ctx - 1);
            rows.push(self.bos);
            rows.extend(
                (start..start + self.n_ctx - 1).map(|t| self.tokens[t % self.tokens.len()]),
            );
        }
        self.step += 1;
        Ok(rows)
    }

    /// Number of batches given out; what a checkpoint stores.
    pub fn position(&self) -> usize {
        self.step
    }

    /// Goes to where [`Batches::position`] was `step`; costs one shuffle at most.
    pub fn seek(&mut self, step: usize) {
        self.step = step;
    }

    /// Batches after which every sequence was seen once (rounded up).
    pub fn batches_per_epoch(&self) -> usize {
        self.n_sequences.div_ceil(self.batch_size.max(1))
    }

    fn enter_epoch(&mut self, epoch: u64) {
        if self.epoch == Some(epoch) {
            return;
        }
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(epoch);
        self.order = (0..self.n_sequences as u32).collect();
        self.order.shuffle(&mut rng);
        // The golden ratio spreads the offsets of successive epochs evenly.
        let golden = 0.618_033_988_749_894_9 * epoch as f64;
        self.offset = ((self.n_ctx - 1) as f64 * golden.fract()) as usize;
        self.epoch = Some(epoch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(n: u32) -> TokenSplit {
        TokenSplit {
            tokens: (0..n).collect(),
            starts: vec![0],
            document_ids: vec![0],
            bos: 1_000,
            labels: None,
        }
    }

    #[test]
    fn an_epoch_shows_every_sequence_once() {
        let s = split(33);
        let mut b = Batches::new(&s, 5, 4, 7);
        assert_eq!(b.batches_per_epoch(), 2);
        let mut seen: Vec<Vec<u32>> = (0..2)
            .flat_map(|_| {
                b.next_rows()
                    .unwrap()
                    .chunks(5)
                    .map(<[u32]>::to_vec)
                    .collect::<Vec<_>>()
            })
            .collect();
        seen.sort();
        assert_eq!(seen, (0..8).map(|i| s.sequence(i, 5)).collect::<Vec<_>>());
    }

    #[test]
    fn later_epochs_cut_elsewhere_but_keep_tokens_consecutive() {
        let mut b = Batches::new(&split(33), 5, 8, 7);
        b.seek(1);
        let rows = b.next_rows().unwrap();
        assert!(rows.chunks(5).any(|r| r[1] % 4 != 0));
        for row in rows.chunks(5) {
            assert_eq!(row[0], 1_000);
            assert!(row[1..].windows(2).all(|w| w[1] == (w[0] + 1) % 33));
        }
    }

    #[test]
    fn seeds_differ_and_repeat() {
        let first = |seed| Batches::new(&split(400), 5, 8, seed).next_rows().unwrap();
        assert_eq!(first(1), first(1));
        assert_ne!(first(1), first(2));
    }

    #[test]
    fn impossible_batches_are_errors() {
        assert!(Batches::new(&split(3), 5, 8, 0).next_rows().is_err());
        assert!(Batches::new(&split(30), 1, 8, 0).next_rows().is_err());
        assert!(Batches::new(&split(30), 5, 0, 0).next_rows().is_err());
    }

    #[test]
    fn a_batch_is_a_matrix() {
        let t = Batches::new(&split(40), 5, 3, 0)
            .next_batch(&Device::Cpu)
            .unwrap();
        assert_eq!(t.dims(), [3, 5]);
    }

    proptest! {
        #[test]
        fn seeking_equals_walking(step in 0_usize..40, size in 1_usize..9, n_ctx in 2_usize..9) {
            let s = split(101);
            let mut walked = Batches::new(&s, n_ctx, size, 3);
            for _ in 0..step {
                walked.next_rows().unwrap();
            }
            let mut sought = Batches::new(&s, n_ctx, size, 3);
            sought.seek(step);
            prop_assert_eq!(sought.position(), walked.position());
            prop_assert_eq!(sought.next_rows().unwrap(), walked.next_rows().unwrap());
        }
    }
}
