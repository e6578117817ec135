//! Typed configurations, with the field's names.
//!
//! Plain structs with public documented fields and `Default`; `validate()` is
//! called once at the door (by `Transformer::new`, `train`, ...) and trusted inside.

mod architecture;
mod constraint;
mod data;
mod model;
mod profile;
mod range;
mod sae;
mod sae_fields;
mod sample;
mod training;
mod transcoder;

pub use architecture::{Architecture, L0Loss};
pub use constraint::DictionaryConstraint;
pub(crate) use constraint::GROUP;
pub use data::{CorpusSource, DataConfig};
pub use model::{
    Activation, DeviceKind, Normalization, PositionalEmbedding, Precision, TransformerConfig,
};
pub use profile::Profile;
pub(crate) use range::Fields;
pub use sae::SaeConfig;
pub use sample::SampleConfig;
pub use training::TrainingConfig;
pub use transcoder::TranscoderConfig;

use crate::show::shows_itself;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Everything one experiment needs: the model, its data, its training and the autoencoder.
///
/// `Config::validate`, which knows the hook points, is in the model's folder.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub model: TransformerConfig,
    pub data: DataConfig,
    pub training: TrainingConfig,
    pub sae: SaeConfig,
}

impl Config {
    /// The defaults, cut down to a rehearsal for [`Profile::Quick`] (a quarter of the model's training steps, an eighth
    /// of the autoencoder's), with one seed for the model, the data, the training and the autoencoder.
    ///
    /// ```
    /// use holoscope::config::Config;
    /// let config = Config::profile("quick".parse()?, 42);
    /// assert_eq!((config.training.steps, config.sae.seed), (100, 42));
    /// # Ok::<(), holoscope::Error>(())
    /// ```
    pub fn profile(profile: Profile, seed: u64) -> Config {
        let mut config = Config::default();
        config.model.seed = seed;
        config.data.seed = seed;
        config.training.seed = seed;
        config.sae.seed = seed;
        if profile.is_quick() {
            config.training.steps = 100;
            config.training.eval_every = 50;
            config.sae.steps = 120;
            config.sae.sparsity_warmup_steps = 30;
        }
        config
    }

    /// The figures that decide how long a run takes and what comes out, in five lines.
    pub fn summary(&self) -> String {
        let (m, d, t, s) = (&self.model, &self.data, &self.training, &self.sae);
        format!(
            "model     {} layers, d_model {}, {} heads, d_mlp {}, n_ctx {}\n\
             data      {:?}, split {} : {} : {:.2}, compact vocabulary: {}\n\
             training  {} steps of {} x {} tokens, peak learning rate {}, weight decay {}\n\
             SAE       {} features on {}, {} steps of {} tokens, {}\n\
             seeds     {} (model), {} (data), {} (training), {} (SAE)",
            m.n_layers,
            m.d_model,
            m.n_heads,
            m.d_mlp,
            m.n_ctx,
            d.source,
            d.train_frac,
            d.val_frac,
            1.0 - d.train_frac - d.val_frac,
            if d.compact_vocab { "yes" } else { "no" },
            t.steps,
            t.batch_size,
            m.n_ctx,
            t.lr,
            t.weight_decay,
            s.d_sae,
            s.hook_name,
            s.steps,
            s.batch_size,
            s.architecture,
            m.seed,
            d.seed,
            t.seed,
            s.seed
        )
    }
}

impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.summary())
    }
}

shows_itself!(Config as text);
