//! The public training functions: one autoencoder or several in one pass over the activations, from the first
//! step or from a checkpoint.

use super::super::record::SaeHistory;
use super::pass::{Pass, check, curves};
use super::sweep::{SaeSweep, SweepRun};
use crate::config::SaeConfig;
use crate::data::Dataset;
use crate::error::Result;
use crate::model::Transformer;
use crate::progress::{Progress, Reporter};
use crate::sae::variants::Sae;
use crate::show::NotebookReporter;
use std::slice;
use std::time::Instant;

/// Trains an autoencoder of `cfg.architecture` on `model`'s activations over `data.train`, and
/// reports its progress in the notebook or on the terminal.
///
/// The result works on unscaled activations, has unit-norm decoder rows, and depends only on
/// the model, the data and `cfg`. BatchTopK and its Matryoshka form become JumpReLU autoencoders
/// with one threshold for all features, the running mean of the least activation that counted in a batch:
/// it starts at 0 and moves by 0.01 per step, as in SAELens, so that after 100 steps it is 37 % low. The
/// temporal autoencoder reads whole sequences, about `cfg.batch_size` tokens per step, instead of shuffled
/// tokens, moves no dead features, and lets the decoder's rows have any length. When the user interrupts, what
/// has been trained so far is returned.
///
/// With `cfg.run_dir`, the folder gets `config.json` and `checkpoints/last.safetensors`, from which
/// [`resume_sae`] continues: every `cfg.checkpoint_every` steps, when the user interrupts, and at the end. A run
/// already there is moved to `run_dir/earlier`.
///
/// ```no_run
/// # use holoscope::prelude::*;
/// # fn main() -> Result<()> {
/// let data = Dataset::load(&DataConfig::default())?;
/// let model = Transformer::new(&TransformerConfig::default())?;
/// let cfg = SaeConfig {
///     architecture: Architecture::TopK { k: 32 },
///     constraint: DictionaryConstraint::HoloraumyTied,
///     ..SaeConfig::default()
/// };
/// let (sae, history) = train_sae(&model, &data, &cfg)?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::Config`](crate::Error::Config) for a field out of range; those of
/// [`ActivationBuffer::new`](crate::sae::ActivationBuffer::new), above all
/// [`Error::Interrupted`](crate::Error::Interrupted) while the first activations are
/// collected: nothing is trained yet; [`Error::NotFiniteAt`](crate::Error::NotFiniteAt) when the model's
/// activations are not finite, [`Error::NotFinite`](crate::Error::NotFinite) when the loss is no longer a
/// number; a run folder that cannot be written.
pub fn train_sae(
    model: &Transformer,
    data: &Dataset,
    cfg: &SaeConfig,
) -> Result<(Sae, SaeHistory)> {
    train_sae_with(model, data, cfg, &mut NotebookReporter::new())
}

/// [`train_sae`] with progress to `reporter`; [`Silent`](crate::progress::Silent) for none.
///
/// # Errors
/// Those of [`train_sae`].
pub fn train_sae_with(
    model: &Transformer,
    data: &Dataset,
    cfg: &SaeConfig,
    reporter: &mut dyn Reporter,
) -> Result<(Sae, SaeHistory)> {
    one(trained(
        Pass::start,
        model,
        data,
        slice::from_ref(cfg),
        reporter,
    )?)
}

/// Resumes the run in `cfg.run_dir` from its last checkpoint, up to `cfg.steps` steps.
///
/// Autoencoder and history have the same bits as those of a run that was never stopped (times
/// excepted), on the same machine. Model, data and configuration must be those of the first part; only `steps`,
/// `checkpoint_every` and the place of the folder may differ. A larger number of steps than at first stretches
/// the schedule. A checkpoint stores the numbers of the rows that were in the buffer, and the model is run again
/// for them; only where that would take more than half a minute does it store the rows.
///
/// ```no_run
/// # use holoscope::prelude::*;
/// # fn main() -> Result<()> {
/// # let data = Dataset::load(&DataConfig::default())?;
/// # let model = Transformer::new(&TransformerConfig::default())?;
/// let cfg = SaeConfig {
///     run_dir: Some("runs/sae".into()),
///     checkpoint_every: 200,
///     ..SaeConfig::default()
/// };
/// let (sae, history) = train_sae(&model, &data, &cfg)?;
/// // In another process, after an interrupt or a crash:
/// let (sae, history) = resume_sae(&model, &data, &cfg)?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// No `run_dir`, or no checkpoint there; one that is damaged; one of another configuration, model, corpus or
/// split, naming the difference; [`Error::Interrupted`](crate::Error::Interrupted) while the buffer is
/// restored: the checkpoint remains; and those of [`train_sae`].
pub fn resume_sae(
    model: &Transformer,
    data: &Dataset,
    cfg: &SaeConfig,
) -> Result<(Sae, SaeHistory)> {
    resume_sae_with(model, data, cfg, &mut NotebookReporter::new())
}

/// [`resume_sae`] with progress to `reporter`; [`Silent`](crate::progress::Silent) for none.
///
/// # Errors
/// Those of [`resume_sae`].
pub fn resume_sae_with(
    model: &Transformer,
    data: &Dataset,
    cfg: &SaeConfig,
    reporter: &mut dyn Reporter,
) -> Result<(Sae, SaeHistory)> {
    one(trained(
        Pass::resume,
        model,
        data,
        slice::from_ref(cfg),
        reporter,
    )?)
}

/// Trains an autoencoder for each configuration, all in one pass over the activations: the model runs
/// once, and each batch goes to every autoencoder.
///
/// Architectures, sparsity weights, widths, rates and numbers of steps may be mixed; those with fewer
/// steps end earlier. The fields that determine which activations are seen must be the same: `hook_name`, `d_in`,
/// `batch_size`, `buffer_tokens`, `skip_bos`, `normalize_activations` and `seed`. Each result is, bit for bit, that
/// of [`train_sae`] for that configuration alone (times excepted). Each configuration may have its own `run_dir`,
/// from which [`resume_saes`], or [`resume_sae`] for that one alone, continues. Temporal autoencoders read whole
/// sequences, for which the model runs once more for all of them together.
///
/// ```no_run
/// # use holoscope::prelude::*;
/// # fn main() -> Result<()> {
/// # let data = Dataset::load(&DataConfig::default())?;
/// # let model = Transformer::new(&TransformerConfig::default())?;
/// let cfgs: Vec<SaeConfig> = [8, 16, 32, 64]
///     .map(|k| SaeConfig { architecture: Architecture::TopK { k }, ..SaeConfig::default() })
///     .into();
/// let sweep = train_saes(&model, &data, &cfgs)?;
/// let sae = sweep.runs[2].sae.clone(); // k = 32
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// No configuration; [`Error::Config`](crate::Error::Config) for a field that differs where all must agree, or
/// one folder for two; those of [`train_sae`], any of which ends the whole sweep, naming the
/// configuration if the loss is not finite.
pub fn train_saes(model: &Transformer, data: &Dataset, cfgs: &[SaeConfig]) -> Result<SaeSweep> {
    train_saes_with(model, data, cfgs, &mut NotebookReporter::new())
}

/// [`train_saes`] with progress to `reporter`; [`Silent`](crate::progress::Silent) for none.
///
/// # Errors
/// Those of [`train_saes`].
pub fn train_saes_with(
    model: &Transformer,
    data: &Dataset,
    cfgs: &[SaeConfig],
    reporter: &mut dyn Reporter,
) -> Result<SaeSweep> {
    let began = Instant::now();
    let trained = trained(Pass::start, model, data, cfgs, reporter)?;
    Ok(sweep(cfgs, trained, began))
}

/// Resumes the runs of a sweep, each in the folder of its configuration, in one pass, as
/// [`resume_sae`] does for one. Runs whose checkpoints are more advanced wait for the others.
///
/// # Errors
/// Those of [`resume_sae`] and [`train_saes`].
pub fn resume_saes(model: &Transformer, data: &Dataset, cfgs: &[SaeConfig]) -> Result<SaeSweep> {
    resume_saes_with(model, data, cfgs, &mut NotebookReporter::new())
}

/// [`resume_saes`] with progress to `reporter`; [`Silent`](crate::progress::Silent) for none.
///
/// # Errors
/// Those of [`resume_saes`].
pub fn resume_saes_with(
    model: &Transformer,
    data: &Dataset,
    cfgs: &[SaeConfig],
    reporter: &mut dyn Reporter,
) -> Result<SaeSweep> {
    let began = Instant::now();
    let trained = trained(Pass::resume, model, data, cfgs, reporter)?;
    Ok(sweep(cfgs, trained, began))
}

type Trained = Vec<(Sae, SaeHistory)>;

/// Starts or resumes a pass.
type Begin<'c> = fn(&Transformer, &Dataset, &'c [SaeConfig], &dyn Fn() -> bool) -> Result<Pass<'c>>;

fn trained<'c>(
    begin: Begin<'c>,
    model: &Transformer,
    data: &Dataset,
    cfgs: &'c [SaeConfig],
    reporter: &mut dyn Reporter,
) -> Result<Trained> {
    check(cfgs)?;
    let steps = cfgs.iter().map(|cfg| cfg.steps).max().unwrap_or(0) as u64;
    let mut progress = match cfgs {
        [_] => Progress::new(reporter, "train SAE", "step", steps)
            .curves("squared error l2 (per token)", &["l2"])
            .curves("sum of activations l1 (per token)", &["l1"]),
        _ => {
            let names = curves(cfgs.iter());
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            Progress::new(reporter, "train SAEs", "step", steps)
                .curves("explained variance (share)", &names)
        }
    };
    let outcome = passed(begin, model, data, cfgs, &mut progress);
    progress.finish();
    outcome
}

fn passed<'c>(
    begin: Begin<'c>,
    model: &Transformer,
    data: &Dataset,
    cfgs: &'c [SaeConfig],
    progress: &mut Progress,
) -> Result<Trained> {
    let mut pass = begin(model, data, cfgs, &|| progress.interrupted())?;
    pass.run(progress)?;
    let mut trained = Vec::with_capacity(cfgs.len());
    // One after the other, so that a run's moments are freed before the next is copied.
    for run in pass.runs {
        trained.push((run.sae(model.device())?, run.history));
    }
    Ok(trained)
}

fn one(mut trained: Trained) -> Result<(Sae, SaeHistory)> {
    Ok(trained.swap_remove(0))
}

fn sweep(cfgs: &[SaeConfig], trained: Trained, began: Instant) -> SaeSweep {
    let runs = cfgs
        .iter()
        .zip(trained)
        .map(|(cfg, (sae, history))| SweepRun {
            cfg: cfg.clone(),
            sae,
            history,
        });
    SaeSweep {
        runs: runs.collect(),
        seconds: began.elapsed().as_secs_f64(),
    }
}
