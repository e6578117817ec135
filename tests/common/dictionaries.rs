//! What the tests of dictionaries share: a small model of the embedded corpus and short trainings.

use holoscope::config::{DictionaryConstraint, SaeConfig};
use holoscope::data::Dataset;
use holoscope::model::Transformer;
use holoscope::progress::Silent;
use holoscope::sae::{SaeHistory, TopKSae, train_top_k_sae};

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
        top_k: Some(K),
        steps: 300,
        batch_size: 256,
        buffer_tokens: 2_048,
        lr: 5e-3,
        l1_warmup_steps: 20,
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
) -> (TopKSae, SaeHistory) {
    let cfg = SaeConfig {
        constraint,
        seed,
        ..cfg.clone()
    };
    train_top_k_sae(model, data, &cfg, &mut Silent).expect("a small dictionary trains")
}

/// Every bit of every parameter.
pub fn bits(sae: &TopKSae) -> Vec<u32> {
    let p = sae.dictionary.to_params().expect("parameters on the CPU");
    let all = [p.w_enc_t, p.w_dec, p.b_enc, p.b_dec].concat();
    all.into_iter().map(f32::to_bits).collect()
}
