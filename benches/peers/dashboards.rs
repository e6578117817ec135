//! Feature dashboards: the peer of `mechanisms.py dashboards`.

use crate::{Args, Result, measure, relu_model, token_ids};
use holoscope::candle::{DType, Device, Tensor};
use holoscope::data::Tokenizer;
use holoscope::interp::{DashboardOptions, DashboardTexts, feature_acts, feature_dashboards_with};
use holoscope::progress::Silent;
use holoscope::sae::StandardSae;

const HOOK: &str = crate::HOOK;
const N_SEQUENCES: usize = 256;
const N_POS: usize = 128;
/// Features with a dashboard.
const N_FEATURES: usize = 100;

/// Dashboards a second: a hundred of 4,096 features on 32,768 tokens, with the tables and histograms that
/// SAEDashboard makes, and its 20 top examples and 10 intervals of 5; no ablations, which it has not.
pub fn dashboards(args: &Args) -> Result<()> {
    let model = relu_model()?;
    let ids = token_ids(&args.tokens, model.cfg().d_vocab)?;
    let tokens = Tensor::from_vec(
        ids[..N_SEQUENCES * N_POS].to_vec(),
        (N_SEQUENCES, N_POS),
        &Device::Cpu,
    )?;
    let w = Tensor::randn(0f32, 1.0 / 512f32.sqrt(), (512, 4_096), &Device::Cpu)?;
    let back = w.t()?.contiguous()?;
    let zeros = |n: usize| Tensor::zeros(n, DType::F32, &Device::Cpu);
    let probe = StandardSae::new(w.clone(), zeros(4_096)?, back.clone(), zeros(512)?)?;
    // A threshold at twice the mean of what is positive lets a few percent through.
    let acts = feature_acts(&model, &probe, HOOK, &tokens.narrow(0, 0, 4)?)?;
    let mean = acts.mean_all()?.to_scalar::<f32>()?;
    let b_enc = Tensor::full(-5.0 * mean, 4_096, &Device::Cpu)?;
    let sae = StandardSae::new(w, b_enc, back, zeros(512)?)?;
    let texts = DashboardTexts::new(&Tokenizer::gpt2()?, &tokens);
    let options = DashboardOptions {
        n_intervals: 10,
        correlation_tokens: usize::MAX,
        ablation_examples: 0,
        ..DashboardOptions::default()
    };
    let features: Vec<usize> = (0..N_FEATURES).collect();
    measure(args, N_FEATURES, ", \"unit\": \"dashboards\"", || {
        let page =
            feature_dashboards_with(&model, &sae, HOOK, &texts, &features, &options, &mut Silent)?;
        assert!(page.html().len() > 100_000);
        Ok(())
    })
}
