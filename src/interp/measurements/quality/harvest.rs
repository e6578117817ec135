//! One pass over sequences, batch after batch: of every sequence the sums of which the metrics are made,
//! for several dictionaries of one activation at once.

pub(in crate::interp::measurements::quality) mod losses;
pub(in crate::interp::measurements::quality) mod sums;

use self::losses::OwnLogits;
use self::sums::{Counts, Replaced, Sums, add_active, f32_rows};
use super::config::MeasureConfig;
use crate::error::{Error, Result};
use crate::interp::activations::{TOKENS_PER_PASS, hook_rows};
use crate::model::{Hook, Transformer};
use crate::progress::{Progress, Reporter};
use crate::sae::SparseAutoencoder;
use candle_core::{DType, Tensor};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Logits of one batch, at most: 64 MB of f32.
const MAX_LOGITS: usize = 16 * 1024 * 1024;

/// What one dictionary did on each sequence.
#[derive(Debug, Clone)]
pub(super) struct DictionarySums {
    /// `[n_sequences]`
    pub sums: Vec<Sums>,
    /// How often each feature was active. `[n_sequences]`
    pub counts: Vec<Counts>,
    /// Features with an activation that is not finite. `[d_sae]`
    pub bad: Vec<bool>,
    /// `[d_sae]`
    pub act_sums: Vec<f64>,
}

/// What was harvested.
#[derive(Debug, Clone)]
pub(super) struct Harvest {
    /// Sum of the activations of each sequence, `[n_sequences][d_in]`.
    pub x: Vec<Vec<f64>>,
    pub dictionaries: Vec<DictionarySums>,
}

/// Runs the model over `sequences` with each dictionary in turn. An interrupt returns what is done.
///
/// # Errors
/// Fewer than two sequences, or of different length; an unknown hook point, a dictionary of another
/// width; an activation of the model that is not finite; [`Error::Interrupted`] before the first batch
/// is done.
pub(super) fn harvest(
    model: &Transformer,
    saes: &[&dyn SparseAutoencoder],
    sequences: &[Vec<u32>],
    cfg: &MeasureConfig,
    reporter: &mut dyn Reporter,
) -> Result<Harvest> {
    cfg.validate()?;
    let model = model.without_gradients();
    let ranges = batches(&model, sequences, cfg)?;
    let mut site = Site {
        cfg,
        d_in: saes[0].d_in(),
        mean: Vec::new(),
        rng: ChaCha8Rng::seed_from_u64(cfg.seed),
    };
    let total = 2 * sequences.len() as u64;
    let mut progress = Progress::new(reporter, "measurements", "sequence", total);
    let mut found = Harvest {
        x: Vec::new(),
        dictionaries: saes
            .iter()
            .map(|sae| DictionarySums::none(sae.d_sae()))
            .collect(),
    };
    // The mean first: mean ablation needs it.
    for range in &ranges {
        let x = hook_rows(
            &model,
            &cfg.hook_name,
            &tensor(sequences, range, &model)?,
            site.d_in,
        )?;
        found.x.extend(site.sequence_sums(&x, range.len())?);
        progress.update(found.x.len() as u64, &[]);
        if progress.interrupted() {
            progress.finish();
            let what = "the mean of the activations";
            return Err(Error::Interrupted { what });
        }
    }
    site.set_mean(&found.x, sequences);
    let mut done = 0;
    for range in &ranges {
        let tokens = tensor(sequences, range, &model)?;
        let batch = Batch::run(&model, &mut site, &tokens)?;
        for (sae, of_sae) in saes.iter().zip(&mut found.dictionaries) {
            batch.measure(&model, &site, *sae, of_sae)?;
        }
        done = range.end;
        progress.update((sequences.len() + done) as u64, &[]);
        if progress.interrupted() {
            break;
        }
    }
    progress.finish();
    found.x.truncate(done);
    Ok(found)
}

impl DictionarySums {
    fn none(d_sae: usize) -> Self {
        Self {
            sums: Vec::new(),
            counts: Vec::new(),
            bad: vec![false; d_sae],
            act_sums: vec![0.0; d_sae],
        }
    }
}

/// The sequences of each batch: about equally many, at least two.
fn batches(
    model: &Transformer,
    sequences: &[Vec<u32>],
    cfg: &MeasureConfig,
) -> Result<Vec<std::ops::Range<usize>>> {
    let n = sequences.len();
    if n < 2 {
        let reason = "at least 2 are needed, for resample ablation and for intervals";
        return Err(Error::argument("sequences", n, reason));
    }
    let n_ctx = sequences[0].len();
    if n_ctx < 2 || sequences.iter().any(|s| s.len() != n_ctx) {
        return Err(Error::argument(
            "sequence length",
            n_ctx,
            "all sequences must be equally long, of at least 2 tokens",
        ));
    }
    let most = MAX_LOGITS / (n_ctx * model.cfg().d_vocab).max(1);
    let size = cfg.batch_size.min(most).max(2);
    // Of equal sizes to one, at most `size` (3 for an odd n and a size of 2) and at least 2.
    let n_batches = n.div_ceil(size).min(n / 2).max(1);
    Ok((0..n_batches)
        .map(|b| b * n / n_batches..(b + 1) * n / n_batches)
        .collect())
}

fn tensor(
    sequences: &[Vec<u32>],
    range: &std::ops::Range<usize>,
    model: &Transformer,
) -> Result<Tensor> {
    let rows = &sequences[range.clone()];
    let shape = (rows.len(), rows[0].len());
    Ok(Tensor::from_vec(rows.concat(), shape, model.device())?)
}

/// The hook point and what is known of its activations.
struct Site<'a> {
    cfg: &'a MeasureConfig,
    d_in: usize,
    /// `[d_in]`
    mean: Vec<f32>,
    rng: ChaCha8Rng,
}

impl Site<'_> {
    /// First position that is measured and replaced.
    fn first(&self) -> usize {
        usize::from(self.cfg.exclude_bos)
    }

    fn sequence_sums(&self, x: &Tensor, batch: usize) -> Result<Vec<Vec<f64>>> {
        let n = x.dims()[0];
        let rows = f32_rows("activations", x, [n, self.d_in])?;
        let pos = n / batch;
        let of_sequence = |i: usize| {
            let mut sum = vec![0.0; self.d_in];
            let rows = &rows[(i * pos + self.first()) * self.d_in..(i + 1) * pos * self.d_in];
            for row in rows.chunks_exact(self.d_in) {
                for (total, v) in sum.iter_mut().zip(row) {
                    *total += f64::from(*v);
                }
            }
            sum
        };
        Ok((0..batch).map(of_sequence).collect())
    }

    fn set_mean(&mut self, x: &[Vec<f64>], sequences: &[Vec<u32>]) {
        let n = (sequences.len() * (sequences[0].len() - self.first())) as f64;
        let of_column = |j: usize| (x.iter().map(|sum| sum[j]).sum::<f64>() / n) as f32;
        self.mean = (0..self.d_in).map(of_column).collect();
    }

    /// A hook that puts `rows` `[batch * pos, d_in]` in the place of the activation, BOS excepted where
    /// the configuration says so.
    fn replace(&self, x: &Tensor, rows: &Tensor, batch: usize) -> Result<Hook> {
        let n = x.dims()[0];
        let (pos, first) = (n / batch, self.first());
        let rows = match first {
            0 => rows.clone(),
            _ => {
                let [x, rows] = [x, rows].map(|t| t.reshape((batch, pos, self.d_in)));
                let kept = x?.narrow(1, 0, first)?;
                Tensor::cat(&[kept, rows?.narrow(1, first, pos - first)?], 1)?
            }
        };
        Ok(Hook::new(&self.cfg.hook_name, move |x| {
            Ok(Some(rows.reshape(x.shape())?.to_dtype(x.dtype())?))
        }))
    }
}

/// A batch with the model's own losses and those of the ablations.
struct Batch {
    tokens: Tensor,
    /// `[batch * pos, d_in]`
    x: Tensor,
    own: OwnLogits,
    /// Losses that do not depend on a dictionary. `[batch]`
    base: Vec<Sums>,
}

impl Batch {
    fn run(model: &Transformer, site: &mut Site, tokens: &Tensor) -> Result<Self> {
        let (batch, pos) = tokens.dims2()?;
        let x = hook_rows(model, &site.cfg.hook_name, tokens, site.d_in)?;
        let own = OwnLogits::new(&model.run_with_hooks(tokens, &[])?, tokens)?;
        let mut base = vec![Sums::default(); batch];
        own.add_own(&mut base);
        let mean = Tensor::from_slice(&site.mean, (1, site.d_in), x.device())?;
        // Each sequence gets the activations that another one has at the same positions.
        let shift = site.rng.random_range(1..batch);
        let by_sequence = x.reshape((batch, pos * site.d_in))?;
        let others = Tensor::cat(
            &[
                by_sequence.narrow(0, shift, batch - shift)?,
                by_sequence.narrow(0, 0, shift)?,
            ],
            0,
        )?;
        let replacements = [
            (Replaced::ByZero, x.zeros_like()?),
            (
                Replaced::ByMean,
                mean.broadcast_as(x.shape())?.contiguous()?,
            ),
            (Replaced::ByResample, others.reshape(x.shape())?),
        ];
        for (kind, rows) in replacements {
            let hook = site.replace(&x, &rows, batch)?;
            own.add(&mut base, kind, &model.run_with_hooks(tokens, &[hook])?)?;
        }
        Ok(Self {
            tokens: tokens.clone(),
            x,
            own,
            base,
        })
    }

    /// Adds what `sae` makes of this batch.
    fn measure(
        &self,
        model: &Transformer,
        site: &Site,
        sae: &dyn SparseAutoencoder,
        of_sae: &mut DictionarySums,
    ) -> Result<()> {
        let (batch, pos) = self.tokens.dims2()?;
        let n = batch * pos;
        let mut sums = self.base.clone();
        let rows = f32_rows("activations", &self.x, [n, site.d_in])?;
        let mut copies = Vec::new();
        for start in (0..n).step_by(TOKENS_PER_PASS) {
            let len = TOKENS_PER_PASS.min(n - start);
            copies.push(
                sae.reconstruct(&self.x.narrow(0, start, len)?)?
                    .to_dtype(DType::F32)?,
            );
        }
        let x_hat = Tensor::cat(&copies, 0)?; // [n, d_in]
        let name = "a reconstruction, which must be of the autoencoder's own input,";
        let copies = f32_rows(name, &x_hat, [n, site.d_in])?;
        let active = sae.encode_sparse(&self.x)?;
        let d = site.d_in;
        let measured = batch * (pos - site.first());
        for (i, sums) in sums.iter_mut().enumerate() {
            let range = i * pos + site.first()..(i + 1) * pos;
            for t in range.clone() {
                let at = t * d..(t + 1) * d;
                sums.add_row(&rows[at.clone()], &copies[at], measured);
            }
            for t in range.clone() {
                let (features, acts) = active.row(t);
                for (&feature, &act) in features.iter().zip(acts) {
                    of_sae.act_sums[feature as usize] += f64::from(act);
                }
            }
            of_sae
                .counts
                .push(add_active(sums, &active, range, &mut of_sae.bad));
        }
        let hook = site.replace(&self.x, &x_hat, batch)?;
        let logits = model.run_with_hooks(&self.tokens, &[hook])?;
        self.own
            .add(&mut sums, Replaced::ByReconstruction, &logits)?;
        of_sae.sums.extend(sums);
        Ok(())
    }
}
