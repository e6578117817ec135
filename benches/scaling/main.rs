//! Cost against size, and how near the machine's limits the hot products come.
//!
//! `cargo bench --locked --workspace --bench scaling -- [FOLDER]` prints tables in Markdown and, with a
//! folder, writes the charts there. Medians of three timings of half a second or more; run it on a
//! quiet machine. The limits are measured, too: multiply-adds from registers, and a sum of two streams.

mod hot_kernels;
mod limits;

use candle_core::{Device, Tensor};
use holoscope::config::{SaeConfig, TransformerConfig};
use holoscope::data::{Tokenizer, embedded_corpus};
use holoscope::model::{NamesFilter, Transformer};
use holoscope::sae::{
    SparseAutoencoder, StandardParams, StandardSae, StandardStep, initial_params,
};
use holoscope::show::{ChartOptions, Trace, line_chart};
use holoscope::train::{AdamW, AdamWConfig};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Instant;

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

const HOOK: &str = "blocks.0.mlp.hook_post";
const D_VOCAB: usize = 11_707;

fn main() -> Result<()> {
    // cargo bench says `--bench`, too.
    let folder = std::env::args().skip(1).find(|a| !a.starts_with('-'));
    let folder = folder.map(PathBuf::from);
    let folder = folder.as_deref();
    if let Some(folder) = folder {
        std::fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    println!("{} threads\n", rayon::current_num_threads());
    hot_kernels::roofline(folder)?;
    training(folder)?;
    autoencoders(folder)?;
    corpus(folder)
}

/// Seconds a call: the median of three runs of half a second or more each, after two calls.
fn seconds(mut call: impl FnMut() -> Result<()>) -> Result<f64> {
    call()?;
    let began = Instant::now();
    call()?;
    let calls = (0.5 / began.elapsed().as_secs_f64()).ceil().clamp(1.0, 1e6) as usize;
    let mut times = Vec::new();
    for _ in 0..3 {
        let began = Instant::now();
        for _ in 0..calls {
            call()?;
        }
        times.push(began.elapsed().as_secs_f64() / calls as f64);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[1])
}

fn save(folder: Option<&Path>, name: &str, series: &[Trace], options: &ChartOptions) -> Result<()> {
    let Some(folder) = folder else {
        return Ok(());
    };
    line_chart(series, options)?.save(folder.join(name))?;
    Ok(())
}

/// Seconds of one optimiser step of a model of one layer.
fn train_step(n_ctx: usize, batch: usize) -> Result<f64> {
    let cfg = TransformerConfig {
        d_vocab: D_VOCAB,
        n_ctx,
        ..TransformerConfig::default()
    };
    let model = Transformer::new(&cfg)?;
    let constants = AdamWConfig {
        beta1: 0.9,
        beta2: 0.99,
        eps: 1e-8,
        weight_decay: 0.01,
    };
    let mut adamw = AdamW::new(model.named_parameters(), constants)?;
    let tokens = tokens(batch, n_ctx)?;
    seconds(|| {
        let (_, grads) = model.loss_and_gradients(&tokens)?;
        adamw.step(&grads, 1e-4, 1.0)?;
        Ok(())
    })
}

fn tokens(batch: usize, n_ctx: usize) -> Result<Tensor> {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let ids = (0..batch * n_ctx).map(|_| rng.random_range(0..D_VOCAB as u32));
    Ok(Tensor::from_vec(
        ids.collect::<Vec<u32>>(),
        (batch, n_ctx),
        &Device::Cpu,
    )?)
}

fn training(folder: Option<&Path>) -> Result<()> {
    println!("| training step, vocabulary 11,707 | ms | tokens/s |\n|---|---|---|");
    let row = |batch: usize, n_ctx: usize| -> Result<f64> {
        let time = train_step(n_ctx, batch)?;
        let n = (batch * n_ctx) as f64;
        println!(
            "| {batch} x {n_ctx} | {:.1} | {:.0} |",
            1e3 * time,
            n / time
        );
        Ok(1e3 * time)
    };
    let (mut by_batch, mut by_context) = (Vec::new(), Vec::new());
    for batch in [1, 2, 4, 8, 16, 32] {
        by_batch.push(((128 * batch) as f64, row(batch, 128)?));
    }
    for n_ctx in [64, 128, 256, 512, 1_024] {
        by_context.push((n_ctx as f64, row(2_048 / n_ctx, n_ctx)?));
    }
    println!();
    let options = ChartOptions::new(
        "Training step by batch",
        "tokens a step (n_ctx 128)",
        "ms a step",
    );
    let options = options.log_x().log_y();
    save(
        folder,
        "train_by_batch.svg",
        &[Trace::new("one layer", by_batch)],
        &options,
    )?;
    let options = ChartOptions::new(
        "Training step by context",
        "n_ctx (2,048 tokens a step)",
        "ms a step",
    );
    save(
        folder,
        "train_by_context.svg",
        &[Trace::new("one layer", by_context)],
        &options.log_x(),
    )
}

fn autoencoders(folder: Option<&Path>) -> Result<()> {
    let batch = 1_024;
    println!(
        "| autoencoder step, 512 wide, {batch} tokens | L0 | ms | tokens/s |\n|---|---|---|---|"
    );
    let mut series = Vec::new();
    for (kind, top_k) in [("standard", None), ("TopK 32", Some(32))] {
        let mut points = Vec::new();
        for d_sae in [1_024, 2_048, 4_096, 8_192, 16_384] {
            let (time, l0) = sae_step(d_sae, batch, top_k)?;
            let rate = batch as f64 / time;
            println!(
                "| {kind}, {d_sae} features | {l0:.0} | {:.1} | {rate:.0} |",
                1e3 * time
            );
            points.push((d_sae as f64, 1e3 * time));
        }
        series.push(Trace::new(kind, points));
    }
    println!();
    let options = ChartOptions::new(
        "Autoencoder step by size",
        "d_sae",
        "ms a step (1,024 tokens)",
    );
    save(folder, "sae_by_size.svg", &series, &options.log_x().log_y())
}

/// Seconds a step on sums of 16 of 1,024 directions, and the L0 then.
fn sae_step(d_sae: usize, batch: usize, top_k: Option<usize>) -> Result<(f64, f64)> {
    let cfg = SaeConfig {
        d_sae,
        ..SaeConfig::default()
    };
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let directions: Vec<f32> = StandardNormal
        .sample_iter(&mut rng)
        .take(1_024 * cfg.d_in)
        .collect();
    let mut x = vec![0f32; batch * cfg.d_in];
    for x in x.chunks_exact_mut(cfg.d_in) {
        for _ in 0..16 {
            let one = rng.random_range(0..1_024);
            let strength = rng.random::<f32>() / (cfg.d_in as f32).sqrt();
            for (x, w) in x.iter_mut().zip(&directions[one * cfg.d_in..]) {
                *x += 3.0 * strength * w;
            }
        }
    }
    let mut mean = vec![0f32; cfg.d_in];
    for row in x.chunks_exact(cfg.d_in) {
        for (m, x) in mean.iter_mut().zip(row) {
            *m += x / batch as f32;
        }
    }
    let params = initial_params(&cfg, &x, &mean, &mut rng)?;
    let mut step = match top_k {
        None => StandardStep::new(params, cfg.beta1, cfg.beta2)?,
        Some(k) => {
            let b_enc = vec![0.0; d_sae];
            StandardStep::new(StandardParams { b_enc, ..params }, cfg.beta1, cfg.beta2)?
                .with_top_k(k)
        }
    };
    let l1 = if top_k.is_some() { 0.0 } else { 1.0 };
    let mut l0 = 0.0;
    let time = seconds(|| {
        l0 = step.step(&x, 1e-4, l1)?.l0;
        Ok(())
    })?;
    Ok((time, l0))
}

/// What grows with the corpus: tokenising, and a pass of feature frequencies.
fn corpus(folder: Option<&Path>) -> Result<()> {
    let tokenizer = Tokenizer::gpt2()?;
    println!("| corpus | tokenised, s | frequencies of 4,096 features, s |\n|---|---|---|");
    let model = Transformer::new(&TransformerConfig {
        d_vocab: D_VOCAB,
        ..TransformerConfig::default()
    })?
    .without_gradients();
    let cfg = SaeConfig::default();
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let mut normal =
        |n: usize| -> Vec<f32> { StandardNormal.sample_iter(&mut rng).take(n).collect() };
    let sae = StandardSae::from_params(
        StandardParams {
            d_in: cfg.d_in,
            d_sae: cfg.d_sae,
            w_enc_t: normal(cfg.d_in * cfg.d_sae),
            w_dec: normal(cfg.d_in * cfg.d_sae),
            b_enc: vec![0.0; cfg.d_sae],
            b_dec: vec![0.0; cfg.d_in],
        },
        &Device::Cpu,
    )?;
    let filter = NamesFilter::only(HOOK)?;
    let batch = tokens(16, 128)?;
    let (mut to_tokens, mut to_frequencies) = (Vec::new(), Vec::new());
    for passes in [1, 2, 4, 8, 16] {
        let n = passes * 16 * 128;
        // Four bytes a token, nearly.
        let text = embedded_corpus(4 * n, 1).text;
        let tokenise = seconds(|| {
            black_box(tokenizer.encode(&text));
            Ok(())
        })?;
        let frequencies = seconds(|| {
            for _ in 0..passes {
                let (_, cache) = model.run_with_cache_filtered(&batch, &filter, Some(1))?;
                black_box(sae.activity(&cache.get(HOOK)?.flatten(0, 1)?)?);
            }
            Ok(())
        })?;
        println!("| {n} tokens | {tokenise:.4} | {frequencies:.3} |");
        to_tokens.push((n as f64, tokenise));
        to_frequencies.push((n as f64, frequencies));
    }
    let series = [
        Trace::new("tokenise", to_tokens),
        Trace::new("feature frequencies", to_frequencies),
    ];
    let options = ChartOptions::new("Cost by corpus", "tokens", "seconds")
        .log_x()
        .log_y();
    save(folder, "by_corpus.svg", &series, &options)
}
