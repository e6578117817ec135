//! A model so small that an autoencoder on it trains in a moment, and its text.

use holoscope::config::{CorpusSource, DataConfig, TransformerConfig};
use holoscope::data::Dataset;
use holoscope::model::Transformer;
use holoscope::progress::Silent;

pub fn small_model() -> (Transformer, Dataset) {
    let data_cfg = DataConfig {
        source: CorpusSource::Embedded,
        embedded_bytes: 60_000,
        ..DataConfig::default()
    };
    let data =
        Dataset::load_with(&data_cfg, &mut Silent).expect("the embedded corpus needs no file");
    let model_cfg = TransformerConfig {
        d_model: 16,
        n_heads: 2,
        d_mlp: 32,
        n_ctx: 32,
        d_vocab: data.tokenizer.n_vocab(),
        init_std: 0.3,
        ..TransformerConfig::default()
    };
    let model = Transformer::new(&model_cfg).expect("a valid configuration");
    (model, data)
}
