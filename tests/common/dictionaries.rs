//! What the tests of dictionaries share: a small model of the embedded corpus and short trainings.

use holoscope::config::{Architecture, DictionaryConstraint, SaeConfig};
use holoscope::data::Dataset;
use holoscope::model::Transformer;
use holoscope::progress::Silent;
use holoscope::sae::{Sae, SaeHistory, SparseAutoencoder, train_sae_with};

#[path = "small_model.rs"]
mod small_model;
use small_model::small_model;

/// Active features a token.
pub const K: usize = 8;
/// Weight of the penalties: activations are scaled to a mean square of about 32.
const LAMBDA: f64 = 10.0;

pub const FREE: DictionaryConstraint = DictionaryConstraint::Free;
pub const HOLORAUMY_TIED: DictionaryConstraint = DictionaryConstraint::HoloraumyTied;
/// The garden's first.
pub const PENALTIES: [DictionaryConstraint; 3] = [
    DictionaryConstraint::GardenPenalty { lambda: LAMBDA },
    DictionaryConstraint::ScrambledPenalty { lambda: LAMBDA },
    DictionaryConstraint::RedrawnPenalty { lambda: LAMBDA },
];
pub const TIED: [DictionaryConstraint; 2] = [HOLORAUMY_TIED, DictionaryConstraint::RandomTied];

pub fn setting() -> (Transformer, Dataset, SaeConfig) {
    let (model, data) = small_model();
    let cfg = SaeConfig {
        d_in: 32,
        d_sae: 128,
        architecture: Architecture::TopK { k: K },
        steps: 300,
        batch_size: 256,
        buffer_tokens: 2_048,
        lr: 5e-3,
        sparsity_warmup_steps: 20,
        warmup_steps: 20,
        resample_every: 50,
        dead_steps: 20,
        ..SaeConfig::default()
    };
    (model, data, cfg)
}

pub fn train(
    (model, data, cfg): &(Transformer, Dataset, SaeConfig),
    constraint: DictionaryConstraint,
    seed: u64,
) -> (Sae, SaeHistory) {
    let cfg = SaeConfig {
        constraint,
        seed,
        ..cfg.clone()
    };
    train_sae_with(model, data, &cfg, &mut Silent).expect("a small dictionary trains")
}

/// Every bit of every parameter.
pub fn bits(sae: &Sae) -> Vec<u32> {
    let all = [sae.w_enc(), sae.w_dec(), sae.b_enc(), sae.b_dec()].map(|parameter| {
        let values = parameter.flatten_all().and_then(|p| p.to_vec1::<f32>());
        values.expect("parameters on the CPU")
    });
    let all = all.concat();
    all.into_iter().map(f32::to_bits).collect()
}
