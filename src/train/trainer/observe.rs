//! A look at the model while it is trained: a function that is called every few steps.
//! Source: the checkpoints along training of Olsson et al. 2022 and Biderman et al. 2023 (Pythia).

use super::Trainer;
use super::observer::Observer;
use crate::config::TrainingConfig;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::model::Transformer;
use crate::progress::Reporter;
use crate::train::history::TrainingHistory;

/// [`train_with`](super::train_with), which calls `observe` with the number of updates done and the
/// model as it then is: before the first step, every `every` steps, and after the last one. What
/// `observe` does to the model's parameters is part of the training; measuring changes nothing, so that
/// the run is to the bit the one without an observer. It gets the last parameters, while the run ends
/// with those of the lowest validation loss.
///
/// ```
/// use holoscope::config::{CorpusSource, DataConfig, TrainingConfig, TransformerConfig};
/// use holoscope::{data::Dataset, model::Transformer, progress::Silent, train::train_observed};
/// let source = CorpusSource::Embedded;
/// let data = Dataset::load(&DataConfig { source, embedded_bytes: 20_000, ..Default::default() })?;
/// let d_vocab = data.tokenizer.n_vocab();
/// let model = Transformer::new(&TransformerConfig { d_vocab, d_mlp: 16, ..Default::default() })?;
/// let cfg = TrainingConfig { steps: 3, batch_size: 2, eval_batches: 1, ..Default::default() };
/// let mut seen = Vec::new();
/// train_observed(&model, &data, &cfg, &mut Silent, 2, &mut |step, _| {
///     seen.push(step);
///     Ok(())
/// })?;
/// assert_eq!(seen, [0, 2, 3]);
/// # Ok::<(), holoscope::Error>(())
/// ```
///
/// # Errors
/// `every` of 0; those of `observe`, which end the run; and those of [`train`](super::train).
pub fn train_observed(
    model: &Transformer,
    data: &Dataset,
    cfg: &TrainingConfig,
    reporter: &mut dyn Reporter,
    every: usize,
    observe: &mut dyn FnMut(usize, &Transformer) -> Result<()>,
) -> Result<TrainingHistory> {
    if every == 0 {
        return Err(Error::argument("every", 0, "must be at least 1"));
    }
    let mut trainer = Trainer::new(model, data, cfg)?;
    trainer.observer = Some(Observer { every, observe });
    trainer.create_run()?;
    trainer.run(reporter)
}
