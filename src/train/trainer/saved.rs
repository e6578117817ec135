//! A run's checkpoints: what is saved, and how another process goes on from it.

use super::{Trainer, config_error};
use crate::error::{Error, Result};
use crate::train::checkpoint::Checkpoint;
use crate::train::metrics::RunFolder;

impl Trainer<'_> {
    /// Begins the run folder, where one is asked for.
    pub(super) fn create_run(&mut self) -> Result<()> {
        let (cfg, data) = (self.cfg, self.data);
        let Some(dir) = &cfg.run_dir else {
            return Ok(());
        };
        let config = serde_json::json!({
            "holoscope": env!("CARGO_PKG_VERSION"),
            "model": self.model.cfg(),
            "training": cfg,
            "data": { "corpus": data.corpus_name, "source": data.source_note, "sha256": data.digest },
        });
        self.run = Some(RunFolder::create(dir, &config)?);
        Ok(())
    }

    pub(super) fn save_last(&mut self) -> Result<()> {
        self.history.seconds = self.seconds();
        self.history.tokens_per_second = self.tokens_per_second();
        match &self.cfg.run_dir {
            Some(dir) => self.checkpoint(true)?.save(&RunFolder::last(dir)),
            None => Ok(()),
        }
    }

    pub(super) fn checkpoint(&self, with_optimizer: bool) -> Result<Checkpoint> {
        let params = self.params.iter();
        let params = params.map(|(name, var)| (name.clone(), var.as_detached_tensor()));
        Ok(Checkpoint {
            step: self.step,
            model: self.model.cfg().clone(),
            config: self.cfg.clone(),
            data_digest: self.data.digest.clone(),
            split_digest: self.split_digest.clone(),
            history: self.history.clone(),
            params: params.collect(),
            optimizer: match with_optimizer {
                true => Some(self.optimizer.state()?),
                false => None,
            },
        })
    }

    /// Takes over the last checkpoint of the run folder, and its best parameters.
    pub(super) fn load(&mut self) -> Result<()> {
        let Some(dir) = &self.cfg.run_dir else {
            return Err(config_error(
                "run_dir",
                "None",
                "resume needs the folder of the run",
            ));
        };
        let path = RunFolder::last(dir);
        let last = Checkpoint::load(&path, self.model.device())?;
        self.check_same_run(&last)?;
        let Some(state) = &last.optimizer else {
            return Err(Error::format(
                path,
                "checkpoint",
                "it holds no optimiser state",
            ));
        };
        let best = Checkpoint::load(&RunFolder::best(dir), self.model.device())?;
        best.restore(&self.params)?;
        let copies = self.params.iter().map(|(_, var)| var.as_tensor().copy());
        self.best = copies.collect::<candle_core::Result<_>>()?;
        last.restore(&self.params)?;
        self.optimizer.load_state(state)?;
        self.step = last.step;
        self.batches.seek(last.step);
        self.history = last.history;
        // A run that crashed may have found its best after its last checkpoint.
        (self.history.best_val, self.history.best_step) = (best.history.best_val, best.step);
        self.seconds_before = self.history.seconds;
        let tokens = (self.step * self.tokens_per_step()) as f64;
        self.step_seconds = tokens / self.history.tokens_per_second.max(f64::MIN_POSITIVE);
        self.run = Some(RunFolder::reopen(dir, last.step)?);
        Ok(())
    }

    /// A run goes on only with the same function on the same batches, evaluated on the same text.
    fn check_same_run(&self, last: &Checkpoint) -> Result<()> {
        let (old, new) = (&last.config, self.cfg);
        if old.seed != new.seed {
            let reason = format!("the run in run_dir has seed {}", old.seed);
            return Err(config_error("seed", new.seed, reason));
        }
        if old.batch_size != new.batch_size {
            let reason = format!("the run in run_dir has batch_size {}", old.batch_size);
            return Err(config_error("batch_size", new.batch_size, reason));
        }
        if last.data_digest != self.data.digest {
            let reason = format!("the run in run_dir was on the corpus {}", last.data_digest);
            return Err(Error::argument("corpus digest", &self.data.digest, reason));
        }
        if last.split_digest != self.split_digest {
            let reason = format!(
                "the run in run_dir was on another split of this corpus ({}); load the data with \
                 the seed, train_frac, val_frac and compact_vocab of its first part",
                last.split_digest
            );
            return Err(Error::argument("split digest", &self.split_digest, reason));
        }
        if let Some((field, old, new)) = last.model.first_difference(self.model.cfg()) {
            return Err(Error::Config {
                config: "TransformerConfig",
                field,
                value: new,
                reason: format!("the model of the run in run_dir has {old}"),
            });
        }
        Ok(())
    }
}
