//! Seconds of one and of a hundred feature dashboards, by tokens read and tokens of the correlations:
//! a 1-layer model and 4,096 features, both with random weights.

use holoscope::Result;
use holoscope::candle::{DType, Device, Tensor};
use holoscope::config::{CorpusSource, DataConfig, TransformerConfig};
use holoscope::data::Dataset;
use holoscope::interp::{DashboardOptions, DashboardTexts, feature_acts, feature_dashboards_with};
use holoscope::model::Transformer;
use holoscope::progress::Silent;
use holoscope::sae::StandardSae;
use std::time::Instant;

fn main() -> Result<()> {
    let cfg = DataConfig {
        source: CorpusSource::Embedded,
        ..DataConfig::default()
    };
    let data = Dataset::load_with(&cfg, &mut Silent)?;
    let model = Transformer::new(&TransformerConfig {
        d_model: 128,
        n_heads: 4,
        d_mlp: 512,
        n_ctx: 128,
        d_vocab: data.tokenizer.n_vocab(),
        init_std: 0.2,
        ..TransformerConfig::default()
    })?;
    let w = Tensor::randn(0f32, 1.0 / 512f32.sqrt(), (512, 4_096), &Device::Cpu)?;
    let back = w.t()?.contiguous()?;
    let zeros = Tensor::zeros(512, DType::F32, &Device::Cpu)?;
    let probe = StandardSae::new(
        w.clone(),
        Tensor::zeros(4_096, DType::F32, &Device::Cpu)?,
        back.clone(),
        zeros.clone(),
    )?;
    let hook = "blocks.0.mlp.hook_post";
    // A threshold of 1.5 to 2 deviations lets a few percent through.
    let tokens = data.val.sequences(4, 128, model.device())?;
    let acts = feature_acts(&model, &probe, hook, &tokens)?;
    let mean = acts.mean_all()?.to_scalar::<f32>()?;
    let b_enc = Tensor::full(-5.0 * mean, 4_096, &Device::Cpu)?;
    let sae = StandardSae::new(w, b_enc, back, zeros)?;
    println!(
        "{} tokens to train on, d_vocab {}",
        data.train.n_tokens(),
        data.tokenizer.n_vocab()
    );
    for max_tokens in [32_768, 100_000] {
        let texts = DashboardTexts::of_split(&model, &data.tokenizer, &data.train, max_tokens)?;
        for (n, correlation_tokens) in [(1, 0), (1, 4_096), (100, 4_096), (100, usize::MAX)] {
            let options = DashboardOptions {
                correlation_tokens,
                ..DashboardOptions::default()
            };
            let features: Vec<usize> = (0..n).collect();
            let mut best = f64::INFINITY;
            let mut density = 0.0;
            for _ in 0..2 {
                let start = Instant::now();
                let page = feature_dashboards_with(
                    &model,
                    &sae,
                    hook,
                    &texts,
                    &features,
                    &options,
                    &mut Silent,
                )?;
                best = best.min(start.elapsed().as_secs_f64());
                density = page.dashboards.iter().map(|d| d.density).sum::<f64>() / n as f64;
                if n == 100 {
                    println!("    page of {:.2} MB", page.html().len() as f64 / 1e6);
                }
            }
            println!(
                "{n} features, {} tokens, correlations on {correlation_tokens}: {best:.2} s (density {density:.3})",
                texts.tokens.elem_count()
            );
        }
    }
    Ok(())
}
