//! A sweep of eight autoencoders in one pass against eight runs of their own, and what a checkpoint costs:
//! seconds of both, of the activations alone, and the share of a single run's arithmetic.
//! A 1-layer model with random weights, 512 to 4,096 features, a pool of 131,072 rows.

use holoscope::Result;
use holoscope::config::{Architecture, CorpusSource, DataConfig, SaeConfig, TransformerConfig};
use holoscope::data::Dataset;
use holoscope::model::Transformer;
use holoscope::progress::Silent;
use holoscope::sae::{ActivationBuffer, resume_sae_with, train_sae_with, train_saes_with};
use std::time::Instant;

const STEPS: usize = 120;

fn setting() -> Result<(Transformer, Dataset)> {
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
    Ok((model, data))
}

fn configurations() -> Vec<SaeConfig> {
    let mut architectures: Vec<Architecture> =
        [8, 16, 32, 64].map(|k| Architecture::TopK { k }).into();
    architectures.extend([16.0, 32.0].map(|k| Architecture::BatchTopK { k }));
    architectures.extend([1.0, 2.0].map(|l1_coeff| Architecture::Standard { l1_coeff }));
    architectures
        .into_iter()
        .map(|architecture| SaeConfig {
            architecture,
            steps: STEPS,
            resample_every: 50,
            ..SaeConfig::default()
        })
        .collect()
}

fn seconds<T>(f: impl FnOnce() -> Result<T>) -> Result<(f64, T)> {
    let began = Instant::now();
    let value = f()?;
    Ok((began.elapsed().as_secs_f64(), value))
}

fn main() -> Result<()> {
    let (model, data) = setting()?;
    let cfgs = configurations();
    let quiet = &mut Silent;
    let (harvest, ()) = seconds(|| {
        let mut buffer = ActivationBuffer::new(&model, &data, &cfgs[0])?;
        let mut batch = Vec::new();
        (0..STEPS).try_for_each(|_| buffer.next_batch(cfgs[0].batch_size, &mut batch))
    })?;
    println!("activations alone: {harvest:.2} s");
    let mut singles = Vec::new();
    for cfg in &cfgs {
        let (took, _) = seconds(|| train_sae_with(&model, &data, cfg, quiet))?;
        println!("{}: {took:.2} s", cfg.architecture);
        singles.push(took);
    }
    let (sweep, _) = seconds(|| train_saes_with(&model, &data, &cfgs, quiet))?;
    let sum: f64 = singles.iter().sum();
    let of_one = sum / 8.0 - harvest;
    println!(
        "eight runs: {sum:.2} s; one sweep: {sweep:.2} s, {:.2} times as fast; without the activations {:.2} s, {:.2} times one run's {of_one:.2} s",
        sum / sweep,
        sweep - harvest,
        (sweep - harvest) / of_one,
    );

    let folder = std::env::temp_dir().join(format!("sae_sweep_{}", std::process::id()));
    let cfg = SaeConfig {
        run_dir: Some(folder.clone()),
        checkpoint_every: 20,
        ..cfgs[2].clone()
    };
    let (with, _) = seconds(|| train_sae_with(&model, &data, &cfg, quiet))?;
    let path = folder.join("checkpoints").join("last.safetensors");
    let size = std::fs::metadata(&path).map_or(0, |file| file.len());
    println!(
        "a checkpoint: {:.1} MB, {:.2} s each ({} of them)",
        size as f64 / 1e6,
        (with - singles[2]) / (STEPS / 20) as f64,
        STEPS / 20,
    );
    // One more step needs the pool again.
    let longer = SaeConfig {
        steps: STEPS + 1,
        ..cfg
    };
    let (resumed, _) = seconds(|| resume_sae_with(&model, &data, &longer, quiet))?;
    println!("resuming for one step: {resumed:.2} s");
    // A folder of this process's own.
    let _ = std::fs::remove_dir_all(&folder);
    Ok(())
}
