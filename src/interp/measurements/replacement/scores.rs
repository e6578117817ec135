//! What is left of a model whose MLPs are replaced by transcoders.
//! `score = (zero_abl - replaced) / (zero_abl - loss)`: 1 where nothing is lost, 0 for as bad as zeros;
//! `FVU = sum |y_hat - y|^2 / sum |y - mean y|^2`. Dunefsky et al. 2024, arXiv:2406.11944 (one at a time); Ameisen
//! et al. 2025, "Circuit Tracing" (all at once: the replacement model).

use super::mlp_replacement::{MlpReplacement, flat_rows};
use crate::data::{Batches, TokenSplit};
use crate::error::{Error, Result};
use crate::model::{Hook, HookName, NamesFilter, Transformer, zero_ablate};
use crate::show::Interrupts;
use candle_core::{DType, Tensor};
use std::rc::Rc;

/// Figures of one replaced MLP, or of all at once. Losses are nats per predicted token.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplacementScore {
    /// The hook point whose activations are replaced; None for all at once.
    pub hook_name_out: Option<String>,
    /// Fraction of the variance unexplained: of the outputs of the model as it is, from what the model as it
    /// is reads. Of all at once, the sums run over all of them.
    pub fvu: f64,
    /// Active features a token; NaN where an activation is not finite. Of all at once, their sum.
    pub l0: f64,
    /// Loss with the output replaced, BOS included. All at once: each from what is read in that pass.
    pub replaced: f64,
    /// Loss with the output replaced by zeros.
    pub zero_abl: f64,
    /// `(zero_abl - replaced) / (zero_abl - loss)`.
    pub score: f64,
}

/// What is left of a model whose MLPs are replaced.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplacementScores {
    /// Loss of the model as it is, nats per predicted token.
    pub loss: f64,
    /// One for each MLP, then one for all of them at once.
    pub scores: Vec<ReplacementScore>,
    /// Tokens read.
    pub n_tokens: usize,
}

impl ReplacementScores {
    /// All at once.
    pub fn all(&self) -> Option<&ReplacementScore> {
        self.scores.last()
    }
}

/// Replaces MLPs by a transcoder each, or by a cross-layer transcoder, one at a time and all at once, on
/// `n_batches` batches of `batch_size` sequences (0: as many as show every sequence of the split once), drawn
/// by `seed`. An interrupt returns the scores on the batches done.
///
/// ```no_run
/// # use holoscope::prelude::*;
/// # fn main() -> Result<()> {
/// # let data = Dataset::load(&DataConfig::default())?;
/// # let model = Transformer::new(&TransformerConfig::default())?;
/// let (transcoders, _) = train_transcoders(&model, &data, &TranscoderConfig::default())?;
/// let scores = replacement_scores(&model, &transcoders, &data.val, 4, 16, 7)?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Nothing to replace; a hook point that the model does not have, one of another width, or one that is
/// written twice; a split too short for one sequence; [`Error::NotFiniteAt`] for an activation of the model
/// that is NaN or infinite; [`Error::Interrupted`] before the first batch is done.
pub fn replacement_scores(
    model: &Transformer,
    replacement: impl Into<MlpReplacement>,
    split: &TokenSplit,
    n_batches: usize,
    batch_size: usize,
    seed: u64,
) -> Result<ReplacementScores> {
    let model = model.without_gradients();
    let mut work = Work::new(&model, replacement.into())?;
    let mut batches = Batches::new(split, model.cfg().n_ctx, batch_size, seed);
    let n_batches = match n_batches {
        0 => batches.batches_per_epoch(),
        n => n,
    };
    if n_batches == 0 {
        let reason = "the split has no whole sequence";
        return Err(Error::argument("n_batches", n_batches, reason));
    }
    let interrupts = Interrupts::listen();
    let mut done = 0;
    while done < n_batches {
        let tokens = batches.next_batch(model.device())?; // [batch, pos]
        if !work.add(&tokens, &interrupts)? {
            break;
        }
        done += 1;
    }
    if done == 0 {
        interrupts.check("the replacement scores")?;
    }
    Ok(work.scores(done as f64))
}

/// Sums over tokens, in f64.
#[derive(Clone)]
struct Sums {
    /// Per dimension.
    y: Vec<f64>,
    y_squared: f64,
    error_squared: f64,
    active: f64,
}

impl Sums {
    fn add(&mut self, y: &Tensor, y_hat: &Tensor, acts: &Tensor) -> Result<()> {
        let (rows, copies) = (y.to_vec2::<f32>()?, y_hat.to_vec2::<f32>()?);
        self.y.resize(y.dims()[1], 0.0);
        for (row, copy) in rows.iter().zip(&copies) {
            for ((sum, &v), &w) in self.y.iter_mut().zip(row).zip(copy) {
                let (v, w) = (f64::from(v), f64::from(w));
                *sum += v;
                self.y_squared += v * v;
                self.error_squared += (v - w) * (v - w);
            }
        }
        // A count knows no NaN; the sum of what is counted does.
        if !acts.sum_all()?.to_scalar::<f32>()?.is_finite() {
            self.active = f64::NAN;
        }
        let counts = acts
            .gt(0.0)?
            .to_dtype(DType::F32)?
            .sum(1)?
            .to_vec1::<f32>()?;
        self.active += counts.iter().map(|&count| f64::from(count)).sum::<f64>();
        Ok(())
    }

    /// `sum |y - mean y|^2` over `n` tokens.
    fn variance(&self, n: f64) -> f64 {
        self.y_squared - self.y.iter().map(|s| s * s).sum::<f64>() / n
    }
}

struct Work<'m> {
    model: &'m Transformer,
    replacement: Rc<MlpReplacement>,
    /// Hook points that are read, and that are replaced.
    hooks: Vec<(HookName, HookName)>,
    sums: Vec<Sums>,
    loss: f64,
    /// Of each replacement, and of all, replaced and zeroed.
    losses: Vec<[f64; 2]>,
    n: f64,
}

impl<'m> Work<'m> {
    fn new(model: &'m Transformer, replacement: MlpReplacement) -> Result<Self> {
        let names = replacement.hook_names();
        if names.is_empty() {
            return Err(Error::argument("transcoders", "[]", "must have one"));
        }
        let mut hooks: Vec<(HookName, HookName)> = Vec::with_capacity(names.len());
        for (from, to) in names {
            let of = |name: &str| HookName::of_model(name, model.cfg());
            let (from, to) = (of(from)?, of(to)?);
            if hooks.iter().any(|(_, other)| *other == to) {
                let reason = "is reconstructed by two transcoders; give one each";
                return Err(Error::argument("hook_name_out", to, reason));
            }
            hooks.push((from, to));
        }
        let none = Sums {
            y: Vec::new(),
            y_squared: 0.0,
            error_squared: 0.0,
            active: 0.0,
        };
        Ok(Self {
            model,
            replacement: Rc::new(replacement),
            sums: vec![none; hooks.len()],
            losses: vec![[0.0; 2]; hooks.len() + 1],
            hooks,
            loss: 0.0,
            n: 0.0,
        })
    }

    /// Adds a batch; false, with nothing added, where the user interrupts.
    fn add(&mut self, tokens: &Tensor, interrupts: &Interrupts) -> Result<bool> {
        let names = self.hooks.iter().flat_map(|(from, to)| [*from, *to]);
        let filter = NamesFilter::Names(names.collect());
        let (_, cache) = self.model.run_with_cache_filtered(tokens, &filter, None)?;
        let mut inputs = Vec::with_capacity(self.hooks.len());
        for (from, to) in &self.hooks {
            for name in [from, to] {
                self.model
                    .check_activation(tokens, *name, &cache.at(*name)?)?;
            }
            inputs.push(flat_rows(&cache.at(*from)?)?);
        }
        let mut outputs = Vec::with_capacity(self.hooks.len());
        for (i, (_, to)) in self.hooks.iter().enumerate() {
            let y_hat = flat_rows(&self.replacement.output(i, &inputs)?)?;
            let y = flat_rows(&cache.at(*to)?)?;
            if y.dims() != y_hat.dims() {
                let name = format!("what stands in the place of {to}");
                return Err(Error::shape(name, y.dims(), y_hat.dims()));
            }
            outputs.push((y, y_hat));
        }
        let Some(losses) = self.losses_of(tokens, &outputs, interrupts)? else {
            return Ok(false);
        };
        self.loss += losses[0][0];
        for (sum, of_batch) in self.losses.iter_mut().zip(&losses[1..]) {
            (sum.iter_mut().zip(of_batch)).for_each(|(sum, loss)| *sum += loss);
        }
        for (i, (y, y_hat)) in outputs.iter().enumerate() {
            let acts = flat_rows(&self.replacement.encode(i, &inputs[i])?)?;
            self.sums[i].add(y, y_hat, &acts)?;
        }
        self.n += tokens.elem_count() as f64;
        Ok(true)
    }

    /// The loss as it is (twice), then of each and of all, replaced and zeroed.
    fn losses_of(
        &self,
        tokens: &Tensor,
        outputs: &[(Tensor, Tensor)],
        interrupts: &Interrupts,
    ) -> Result<Option<Vec<[f64; 2]>>> {
        let zero = |to: &HookName| zero_ablate(&to.to_string());
        let mut runs: Vec<[Vec<Hook>; 2]> = Vec::with_capacity(outputs.len() + 1);
        for ((_, to), (_, y_hat)) in self.hooks.iter().zip(outputs) {
            let y_hat = y_hat.clone();
            let put = Hook::new(&to.to_string(), move |y| {
                Ok(Some(y_hat.reshape(y.shape())?.to_dtype(y.dtype())?))
            });
            runs.push([vec![put], vec![zero(to)]]);
        }
        let zeros = self.hooks.iter().map(|(_, to)| zero(to)).collect();
        runs.push([self.replacement.hooks(), zeros]);
        let loss = self.model.loss_with_hooks(tokens, &[])?;
        let mut losses = vec![[loss; 2]];
        for run in &runs {
            let mut of_run = [0.0; 2];
            for (loss, hooks) in of_run.iter_mut().zip(run) {
                if interrupts.heard() {
                    return Ok(None);
                }
                *loss = self.model.loss_with_hooks(tokens, hooks)?;
            }
            losses.push(of_run);
        }
        Ok(Some(losses))
    }

    fn scores(self, n_batches: f64) -> ReplacementScores {
        let loss = self.loss / n_batches;
        let score = |hook_name_out, fvu, l0, of: &[f64; 2]| {
            let [replaced, zero_abl] = of.map(|sum| sum / n_batches);
            ReplacementScore {
                hook_name_out,
                fvu,
                l0,
                replaced,
                zero_abl,
                score: (zero_abl - replaced) / (zero_abl - loss),
            }
        };
        let mut scores = Vec::with_capacity(self.losses.len());
        let (mut errors, mut variances, mut active) = (0.0, 0.0, 0.0);
        for ((sums, (_, to)), losses) in self.sums.iter().zip(&self.hooks).zip(&self.losses) {
            let variance = sums.variance(self.n);
            let fvu = sums.error_squared / variance;
            scores.push(score(
                Some(to.to_string()),
                fvu,
                sums.active / self.n,
                losses,
            ));
            errors += sums.error_squared;
            variances += variance;
            active += sums.active;
        }
        if let Some(losses) = self.losses.last() {
            scores.push(score(None, errors / variances, active / self.n, losses));
        }
        ReplacementScores {
            loss,
            scores,
            n_tokens: self.n as usize,
        }
    }
}
