//! Typed configurations, with the field's names.
//!
//! Plain structs with public documented fields and `Default`; `validate()` is
//! called once at the door (by `Transformer::new`, `train`, ...) and trusted inside.

mod architecture;
mod constraint;
mod data;
mod model;
mod range;
mod sae;
mod training;
mod transcoder;

pub use architecture::{Architecture, L0Loss};
pub use constraint::DictionaryConstraint;
pub(crate) use constraint::GROUP;
pub use data::{CorpusSource, DataConfig};
pub use model::{
    Activation, DeviceKind, Normalization, PositionalEmbedding, Precision, TransformerConfig,
};
pub(crate) use range::Fields;
pub use sae::SaeConfig;
pub use training::TrainingConfig;
pub use transcoder::TranscoderConfig;

use serde::{Deserialize, Serialize};

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
