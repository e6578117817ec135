//! Saving the buffer in a checkpoint, and restoring it.
//!
//! A checkpoint stores the numbers of the rows, and the same model runs are repeated to restore them, so that the bits
//! are the same. Since half of the pool is replaced at a time, it holds rows of about ten refills, and that takes
//! five to six times as many runs as the pool has room for. Only where it would take longer than
//! [`LONGEST_HARVEST`] are the rows themselves written: 131,072 of 512 numbers are 268 MB, their
//! numbers 2 MB.

use super::{ActivationBuffer, SEQUENCES_A_RUN};
use crate::config::SaeConfig;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::model::Transformer;
use crate::sae::state_dict::{Slot, Slots, StateDict};
use std::time::Duration;

/// The rows themselves are written where recomputing them would take longer.
const LONGEST_HARVEST: Duration = Duration::from_secs(30);
const PREFIX: &str = "buffer.";
const ROWS: &str = "buffer.rows";
const SPARE: &str = "buffer.spare";
const N_SPARE: &str = "buffer.spare_rows";

impl ActivationBuffer {
    /// Adds the state from which the buffer is restored.
    pub(in crate::sae::training) fn keep_in(&mut self, dict: &mut StateDict) {
        let with_rows = self.harvest_seconds() > LONGEST_HARVEST.as_secs_f64();
        self.keep_in_with(dict, with_rows);
    }

    fn keep_in_with(&mut self, dict: &mut StateDict, with_rows: bool) {
        let mut n_spare = self.n_spare();
        dict.keep(self.place());
        dict.keep(vec![(N_SPARE.to_owned(), Slot::Count(&mut n_spare))]);
        if with_rows {
            dict.keep(vec![
                (ROWS.to_owned(), Slot::F32(&mut self.rows)),
                (SPARE.to_owned(), Slot::F32(&mut self.spare)),
            ]);
        }
    }

    /// The buffer of a checkpoint, or why it cannot be restored; without its rows until
    /// [`ActivationBuffer::harvest_again`] has been called.
    pub(in crate::sae::training) fn resumed(
        model: &Transformer,
        data: &Dataset,
        cfg: &SaeConfig,
        dict: &StateDict,
    ) -> Result<Result<ActivationBuffer, String>> {
        let mut buffer = Self::empty(model, data, cfg)?;
        Ok(buffer.restore(dict).map(|()| buffer))
    }

    fn restore(&mut self, dict: &StateDict) -> Result<(), String> {
        let mut n_spare = 0;
        let with_rows = dict.has(ROWS);
        let d = self.d_in;
        let mut spare = vec![0.0; dict.len_of(SPARE)];
        let mut rows = vec![0.0; if with_rows { self.rows.len() } else { 0 }];
        let mut slots = self.place();
        slots.push((N_SPARE.to_owned(), Slot::Count(&mut n_spare)));
        if with_rows {
            slots.push((ROWS.to_owned(), Slot::F32(&mut rows)));
            slots.push((SPARE.to_owned(), Slot::F32(&mut spare)));
        }
        dict.restore(PREFIX, slots)?;
        let capacity = self.order.len();
        let mut seen = vec![false; capacity];
        for &row in &self.order {
            match seen.get_mut(row as usize) {
                Some(seen) if !*seen => *seen = true,
                _ => return Err("the buffer's order is no permutation".to_owned()),
            }
        }
        let harvested = self.consumed.saturating_add(n_spare);
        let known = self.numbers.iter().all(|&n| n < self.consumed as u64);
        let whole = harvested.is_multiple_of(self.rows_a_run());
        let fits = !with_rows || spare.len() == n_spare.saturating_mul(d);
        if self.used > capacity || !known || !whole || !fits {
            return Err("the buffer's counts contradict each other".to_owned());
        }
        if with_rows {
            (self.rows, self.spare) = (rows, spare);
        } else {
            // Allocates the rows; their values are not known yet.
            self.rows.fill(f32::NAN);
            self.spare = vec![f32::NAN; n_spare * d];
        }
        self.source.batches.seek(harvested / self.rows_a_run());
        Ok(())
    }

    /// Runs the model again for the rows whose numbers a checkpoint stores; the buffer is then as it was.
    ///
    /// # Errors
    /// Those of the model's runs; [`Error::Interrupted`].
    pub(in crate::sae::training) fn harvest_again(
        &mut self,
        dict: &StateDict,
        stop: &dyn Fn() -> bool,
    ) -> Result<()> {
        if dict.has(ROWS) {
            return Ok(());
        }
        let (d, a_run) = (self.d_in, self.rows_a_run() as u64);
        let goes_on_at = self.source.batches.position();
        // Places from the pool's end on are for the spare rows.
        let capacity = self.order.len();
        let spare = (0..self.n_spare()).map(|i| ((self.consumed + i) as u64, capacity + i));
        let pool = self.numbers.iter().enumerate();
        let mut wanted: Vec<(u64, usize)> = pool.map(|(row, &n)| (n, row)).chain(spare).collect();
        wanted.sort_unstable();
        for of_run in wanted.chunk_by(|a, b| a.0 / a_run == b.0 / a_run) {
            if stop() {
                let what = "the collection of the activations of a checkpoint";
                return Err(Error::Interrupted { what });
            }
            self.source.batches.seek((of_run[0].0 / a_run) as usize);
            let rows = self.run_model()?;
            for &(number, place) in of_run {
                let row = &rows[(number % a_run) as usize * d..][..d];
                match place.checked_sub(capacity) {
                    None => self.rows[place * d..][..d].copy_from_slice(row),
                    Some(i) => self.spare[i * d..][..d].copy_from_slice(row),
                }
            }
        }
        self.source.batches.seek(goes_on_at);
        Ok(())
    }

    /// The state that determines which rows are where.
    fn place(&mut self) -> Slots<'_> {
        // Destructured, so that a new field cannot be forgotten here.
        let Self {
            source: _,
            d_in: _,
            rows: _,
            order,
            used,
            rng,
            spare: _,
            numbers,
            consumed,
            runs: _,
        } = self;
        vec![
            (format!("{PREFIX}order"), Slot::U32(order)),
            (format!("{PREFIX}used"), Slot::Count(used)),
            (format!("{PREFIX}rng"), Slot::Rng(rng)),
            (format!("{PREFIX}numbers"), Slot::U64(numbers)),
            (format!("{PREFIX}consumed"), Slot::Count(consumed)),
        ]
    }

    fn n_spare(&self) -> usize {
        self.spare.len() / self.d_in
    }

    /// Rows per run of the model.
    fn rows_a_run(&self) -> usize {
        let positions = self.source.model.cfg().n_ctx - usize::from(self.source.skip_bos);
        SEQUENCES_A_RUN * positions
    }

    /// About how long [`ActivationBuffer::harvest_again`] would take.
    fn harvest_seconds(&self) -> f64 {
        let (runs, seconds) = (f64::from(self.runs.0), self.runs.1.as_secs_f64());
        let a_run = self.rows_a_run() as u64;
        let mut needed: Vec<u64> = self.numbers.iter().map(|n| n / a_run).collect();
        needed.sort_unstable();
        needed.dedup();
        // Without a run, as after a checkpoint with the rows, there is no estimate.
        match runs > 0.0 {
            true => needed.len() as f64 * seconds / runs,
            false => f64::INFINITY,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{CorpusSource, DataConfig, TransformerConfig};
    use crate::progress::Silent;
    use std::cell::Cell;

    fn setting(skip_bos: bool) -> (Transformer, Dataset, SaeConfig) {
        let data_cfg = DataConfig {
            source: CorpusSource::Embedded,
            embedded_bytes: 20_000,
            ..DataConfig::default()
        };
        let data = Dataset::load_with(&data_cfg, &mut Silent).unwrap();
        let model = Transformer::new(&TransformerConfig {
            n_layers: 1,
            d_model: 8,
            n_heads: 2,
            d_mlp: 12,
            n_ctx: 10,
            d_vocab: data.tokenizer.n_vocab(),
            init_std: 0.3,
            ..TransformerConfig::default()
        })
        .unwrap();
        let cfg = SaeConfig {
            d_in: 12,
            d_sae: 16,
            batch_size: 50,
            buffer_tokens: 700,
            skip_bos,
            ..SaeConfig::default()
        };
        (model, data, cfg)
    }

    fn bits(rows: &[f32]) -> Vec<u32> {
        rows.iter().map(|v| v.to_bits()).collect()
    }

    #[test]
    fn a_buffer_made_again_gives_the_same_batches_with_and_without_its_rows() {
        for (skip_bos, batches) in [(false, 0), (false, 3), (true, 40), (false, 101)] {
            let (model, data, cfg) = setting(skip_bos);
            let mut whole = ActivationBuffer::new_unless(&model, &data, &cfg, &|| false).unwrap();
            let mut batch = Vec::new();
            for _ in 0..batches {
                whole.next_batch(50, &mut batch).unwrap();
            }
            let mut again = Vec::new();
            for with_rows in [true, false] {
                let mut dict = StateDict::default();
                whole.keep_in_with(&mut dict, with_rows);
                let buffer = ActivationBuffer::resumed(&model, &data, &cfg, &dict).unwrap();
                let mut buffer = buffer.unwrap();
                buffer.harvest_again(&dict, &|| false).unwrap();
                assert_eq!(bits(buffer.rows()), bits(whole.rows()));
                assert_eq!(bits(&buffer.spare), bits(&whole.spare));
                assert_eq!(buffer.remaining(), whole.remaining());
                again.push(buffer);
            }
            let mut other = Vec::new();
            for _ in 0..60 {
                whole.next_batch(50, &mut batch).unwrap();
                for buffer in &mut again {
                    buffer.next_batch(50, &mut other).unwrap();
                    assert_eq!(bits(&other), bits(&batch));
                }
            }
        }
    }

    #[test]
    fn a_buffer_stopped_while_it_was_filled_is_made_again_with_what_it_had_collected() {
        let (model, data, cfg) = setting(false);
        let new = || ActivationBuffer::new_unless(&model, &data, &cfg, &|| false).unwrap();
        let (mut whole, mut stopped) = (new(), new());
        let (mut batch, mut other) = (Vec::new(), Vec::new());
        for _ in 0..7 {
            whole.next_batch(50, &mut batch).unwrap();
            stopped.next_batch(50, &mut other).unwrap();
        }
        // The eighth batch needs 350 rows, of which 100 are there: two runs of 160; the second is stopped.
        let asked = Cell::new(0);
        let stop = || {
            asked.set(asked.get() + 1);
            asked.get() > 1
        };
        let outcome = stopped.next_batch_unless(50, &mut other, &stop);
        assert!(matches!(outcome, Err(Error::Interrupted { .. })));
        assert!(stopped.n_spare() > whole.n_spare());
        let mut dict = StateDict::default();
        stopped.keep_in_with(&mut dict, false);
        let buffer = ActivationBuffer::resumed(&model, &data, &cfg, &dict).unwrap();
        let mut buffer = buffer.unwrap();
        let refused = buffer.harvest_again(&dict, &|| true);
        assert!(matches!(refused, Err(Error::Interrupted { .. })));
        let buffer = ActivationBuffer::resumed(&model, &data, &cfg, &dict).unwrap();
        let mut buffer = buffer.unwrap();
        buffer.harvest_again(&dict, &|| false).unwrap();
        for _ in 0..30 {
            whole.next_batch(50, &mut batch).unwrap();
            buffer.next_batch(50, &mut other).unwrap();
            assert_eq!(bits(&other), bits(&batch));
        }
    }

    #[test]
    fn a_sample_leaves_the_buffer_as_it_is_and_is_of_rows_to_come() {
        let (model, data, cfg) = setting(false);
        let new = || ActivationBuffer::new_unless(&model, &data, &cfg, &|| false).unwrap();
        let (mut asked, mut unasked) = (new(), new());
        let (mut sample, mut batch, mut other) = (Vec::new(), Vec::new(), Vec::new());
        asked.sample(100, &mut sample).unwrap();
        // Half of 700 are drawn before the next shuffle; the last 100 have not been drawn yet.
        let mut given = Vec::new();
        for _ in 0..7 {
            asked.next_batch(50, &mut batch).unwrap();
            unasked.next_batch(50, &mut other).unwrap();
            assert_eq!(bits(&batch), bits(&other));
            given.extend_from_slice(&asked.order[asked.used - 50..asked.used]);
            let mut later = Vec::new();
            asked.sample(100, &mut later).unwrap();
            assert_eq!(bits(&later), bits(&sample));
        }
        assert!(asked.order[600..].iter().all(|row| !given.contains(row)));
        assert!(asked.sample(701, &mut sample).is_err());
    }

    #[test]
    fn a_pool_that_contradicts_itself_is_refused() {
        let (model, data, cfg) = setting(false);
        let mut whole = ActivationBuffer::new_unless(&model, &data, &cfg, &|| false).unwrap();
        let changes: [fn(&mut ActivationBuffer); 4] = [
            |b| b.order[3] = b.order[4],
            |b| b.order[3] = 700,
            |b| b.used = 701,
            |b| b.consumed -= 1,
        ];
        for change in changes {
            let mut dict = StateDict::default();
            change(&mut whole);
            whole.keep_in_with(&mut dict, false);
            let buffer = ActivationBuffer::resumed(&model, &data, &cfg, &dict).unwrap();
            assert!(buffer.is_err());
            whole = ActivationBuffer::new_unless(&model, &data, &cfg, &|| false).unwrap();
        }
    }
}
