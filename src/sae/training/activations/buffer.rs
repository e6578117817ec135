//! Shuffled activations of a model: what the autoencoder trains on.
//! A pool of rows; batches are drawn without replacement, and when half is used up the used half
//! is replaced by fresh activations and all is shuffled again (1L-Sparse-Autoencoder's buffer).

mod saved;

use crate::config::SaeConfig;
use crate::data::{Batches, Dataset};
use crate::error::{Error, Result};
use crate::model::{HookName, NamesFilter, Transformer};
use crate::show::Interrupts;
use candle_core::{DType, Tensor};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use std::time::{Duration, Instant};

/// Sequences per run of the model.
const SEQUENCES_A_RUN: usize = 16;

/// A shuffled pool of activation vectors, refilled from the model.
#[derive(Debug)]
pub struct ActivationBuffer {
    source: Source,
    d_in: usize,
    /// `[capacity, d_in]`, row-major.
    rows: Vec<f32>,
    /// A permutation of the rows; those before `used` have been drawn.
    order: Vec<u32>,
    used: usize,
    rng: ChaCha8Rng,
    /// Rows of the last run of the model that were not needed yet.
    spare: Vec<f32>,
    /// The number of each row of the pool among all rows that the model has produced, from 0 on.
    numbers: Vec<u64>,
    /// Rows that the model has produced for the pool, including those replaced since.
    consumed: usize,
    /// Runs of the model since the buffer was created, and how long they took.
    runs: (u32, Duration),
}

/// The source of rows.
struct Source {
    model: Transformer,
    batches: Batches,
    /// Hook points, concatenated in a row, with their widths.
    hooks: Vec<(HookName, usize)>,
    stop_at_layer: Option<usize>,
    skip_bos: bool,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source")
            .field("hooks", &self.hooks)
            .finish_non_exhaustive()
    }
}

impl ActivationBuffer {
    /// A full pool of `cfg.buffer_tokens` activations at `cfg.hook_name` over training sequences.
    ///
    /// The first position of every sequence holds the beginning-of-sequence token, the same
    /// vector each time; `cfg.skip_bos` leaves it out.
    ///
    /// # Errors
    /// [`Error::UnknownHook`] for a hook that the model does not have; [`Error::Shape`] when its
    /// activations are not `cfg.d_in` wide; [`Error::Argument`] when the split is too short;
    /// [`Error::NotFiniteAt`] for an activation that is NaN or infinite, with the hook point where
    /// that began; [`Error::Interrupted`].
    pub fn new(model: &Transformer, data: &Dataset, cfg: &SaeConfig) -> Result<ActivationBuffer> {
        let interrupts = Interrupts::listen();
        Self::new_unless(model, data, cfg, &|| interrupts.heard())
    }

    /// As [`ActivationBuffer::new`], but stops with an error when `stop` returns true.
    pub(in crate::sae::training) fn new_unless(
        model: &Transformer,
        data: &Dataset,
        cfg: &SaeConfig,
        stop: &dyn Fn() -> bool,
    ) -> Result<ActivationBuffer> {
        let mut buffer = Self::empty(model, data, cfg)?;
        buffer.refill(stop)?;
        Ok(buffer)
    }

    /// A pool without rows yet.
    fn empty(model: &Transformer, data: &Dataset, cfg: &SaeConfig) -> Result<ActivationBuffer> {
        cfg.validate()?;
        let hook = HookName::of_model(&cfg.hook_name, model.cfg())?;
        Ok(Self::empty_of_sites(model, data, &[(hook, cfg.d_in)], cfg))
    }

    /// A pool whose rows concatenate the activations of several hook points for one token; `hooks` has
    /// the width of each. `cfg` gives the number of rows, the positions and the seed.
    pub(in crate::sae::training) fn of_sites(
        model: &Transformer,
        data: &Dataset,
        hooks: &[(HookName, usize)],
        cfg: &SaeConfig,
        stop: &dyn Fn() -> bool,
    ) -> Result<ActivationBuffer> {
        let mut buffer = Self::empty_of_sites(model, data, hooks, cfg);
        buffer.refill(stop)?;
        Ok(buffer)
    }

    fn empty_of_sites(
        model: &Transformer,
        data: &Dataset,
        hooks: &[(HookName, usize)],
        cfg: &SaeConfig,
    ) -> ActivationBuffer {
        let last = |(hook, _): &(HookName, usize)| match hook {
            HookName::Embed | HookName::PosEmbed => Some(0),
            HookName::Block { layer, .. } => Some(layer + 1),
            _ => None,
        };
        let lasts: Option<Vec<usize>> = hooks.iter().map(last).collect();
        let stop_at_layer = lasts.and_then(|lasts| lasts.into_iter().max());
        let d_in = hooks.iter().map(|(_, width)| width).sum();
        let source = Source {
            model: model.without_gradients(),
            batches: Batches::new(&data.train, model.cfg().n_ctx, SEQUENCES_A_RUN, cfg.seed),
            hooks: hooks.to_vec(),
            stop_at_layer,
            skip_bos: cfg.skip_bos,
        };
        ActivationBuffer {
            source,
            d_in,
            rows: vec![0.0; cfg.buffer_tokens * d_in],
            order: (0..cfg.buffer_tokens as u32).collect(),
            used: cfg.buffer_tokens,
            rng: ChaCha8Rng::seed_from_u64(cfg.seed),
            spare: Vec::new(),
            numbers: vec![0; cfg.buffer_tokens],
            consumed: 0,
            runs: (0, Duration::ZERO),
        }
    }

    /// Rows not yet drawn since the last shuffle.
    pub fn remaining(&self) -> usize {
        self.order.len() - self.used
    }

    /// The whole pool, `[capacity, d_in]`, row-major, in no particular order.
    pub fn rows(&self) -> &[f32] {
        &self.rows
    }

    /// The next `n` rows, in random order, into `out` (cleared first), `[n, d_in]`.
    ///
    /// # Errors
    /// [`Error::Argument`] for more rows than the pool holds; those of the model's run;
    /// [`Error::Interrupted`], after which the buffer continues as if the call had not been made.
    pub fn next_batch(&mut self, n: usize, out: &mut Vec<f32>) -> Result<()> {
        let interrupts = Interrupts::listen();
        self.next_batch_unless(n, out, &|| interrupts.heard())
    }

    /// As [`ActivationBuffer::next_batch`], but stops with an error when `stop` returns true.
    pub(in crate::sae::training) fn next_batch_unless(
        &mut self,
        n: usize,
        out: &mut Vec<f32>,
        stop: &dyn Fn() -> bool,
    ) -> Result<()> {
        if n > self.order.len() {
            let reason = format!("the buffer holds {} rows", self.order.len());
            return Err(Error::argument("batch size", n, reason));
        }
        if self.remaining() < n || self.used >= self.order.len().div_ceil(2) {
            self.refill(stop)?;
        }
        out.clear();
        for &row in &self.order[self.used..self.used + n] {
            out.extend_from_slice(&self.rows[row as usize * self.d_in..][..self.d_in]);
        }
        self.used += n;
        Ok(())
    }

    /// Copies into `out` (cleared first) the last `n` rows in the order in which rows are drawn,
    /// `[n, d_in]`; if the pool has room for twice as many and a batch more, none of them has been drawn
    /// since the last shuffle. The buffer is unchanged, so that batches do not depend on samples.
    ///
    /// # Errors
    /// [`Error::Argument`] for more rows than the pool holds.
    pub fn sample(&self, n: usize, out: &mut Vec<f32>) -> Result<()> {
        let Some(first) = self.order.len().checked_sub(n) else {
            let reason = format!("the buffer holds {} rows", self.order.len());
            return Err(Error::argument("sample size", n, reason));
        };
        out.clear();
        for &row in &self.order[first..] {
            out.extend_from_slice(&self.rows[row as usize * self.d_in..][..self.d_in]);
        }
        Ok(())
    }

    /// Replaces the rows that were drawn by fresh ones and shuffles all.
    fn refill(&mut self, stop: &dyn Fn() -> bool) -> Result<()> {
        // Collects all rows first: a half-replaced buffer would draw some rows again.
        let mut fresh = std::mem::take(&mut self.spare);
        while fresh.len() < self.used * self.d_in {
            if stop() {
                self.spare = fresh;
                let what = "the collection of activations";
                return Err(Error::Interrupted { what });
            }
            fresh.extend(self.run_model()?);
        }
        let mut at = 0;
        for &row in &self.order[..self.used] {
            self.rows[row as usize * self.d_in..][..self.d_in]
                .copy_from_slice(&fresh[at..at + self.d_in]);
            self.numbers[row as usize] = self.consumed as u64;
            self.consumed += 1;
            at += self.d_in;
        }
        self.spare = fresh.split_off(at);
        self.used = 0;
        self.order.shuffle(&mut self.rng);
        Ok(())
    }

    /// The rows of the model's next run.
    fn run_model(&mut self) -> Result<Vec<f32>> {
        let began = Instant::now();
        let rows = self.source.next_rows()?;
        self.runs.0 += 1;
        self.runs.1 += began.elapsed();
        Ok(rows)
    }
}

impl Source {
    /// Activations of the next few sequences, `[sequences * positions, sum of the widths]`, row-major.
    fn next_rows(&mut self) -> Result<Vec<f32>> {
        let tokens = self.batches.next_batch(self.model.device())?; // [sequences, n_ctx]
        let hooks = self.hooks.iter().map(|(hook, _)| *hook).collect();
        let filter = NamesFilter::Names(hooks);
        let (_, cache) =
            self.model
                .run_with_cache_filtered(&tokens, &filter, self.stop_at_layer)?;
        let mut sites = Vec::with_capacity(self.hooks.len());
        for &(hook, width) in &self.hooks {
            sites.push(self.activations(&tokens, hook, width, cache.at(hook)?)?);
        }
        let rows = match sites.len() {
            1 => sites.remove(0),
            _ => Tensor::cat(&sites, 2)?,
        };
        Ok(rows.flatten_all()?.to_vec1()?)
    }

    /// The activations of a run on `tokens` `[sequences, n_ctx]` at a hook point, `[sequences, positions, width]`.
    fn activations(
        &self,
        tokens: &Tensor,
        hook: HookName,
        width: usize,
        acts: Tensor,
    ) -> Result<Tensor> {
        let (n, n_ctx) = tokens.dims2()?;
        if acts.elem_count() != n * n_ctx * width || hook.is_attention_square() {
            let name = format!("{hook} (SaeConfig.d_in)");
            return Err(Error::shape(
                name,
                format!("[{n}, {n_ctx}, {width}]"),
                acts.dims(),
            ));
        }
        self.model.check_activation(tokens, hook, &acts)?;
        let mut acts = acts.reshape((n, n_ctx, width))?;
        if self.skip_bos {
            acts = acts.narrow(1, 1, n_ctx - 1)?;
        }
        Ok(acts.to_dtype(DType::F32)?)
    }
}
