//! The peers' workloads, against our public API: one JSON line a case.
//!
//! `compare.py` runs it in turn with the peers; by hand:
//! `cargo run --locked -p holoscope --example peers -- lm_train A --tokens tokens_gpt2.npy`.
//! Sizes, optimisers and data are those of the peers' `bench.py`; dtype f32, as theirs.
//! `--dtype bf16` (`lm_train`, `generate`) is ours alone: what half precision costs or saves on
//! the CPU. `measurements FOLDER` is no workload: it answers `measurements.py`.

mod autoencoders;
mod dashboards;
mod measurements;
mod patching;
mod temporal;
mod transcoders;

use holoscope::candle::{Device, Tensor};
use holoscope::config::{Activation, Precision, TransformerConfig};
use holoscope::model::{GenerateConfig, NamesFilter, Transformer, zero_ablate};
use holoscope::sae::{SparseAutoencoder, StandardSae};
use holoscope::train::{AdamW, AdamWConfig};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use std::time::Instant;

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

const HOOK: &str = "blocks.0.mlp.hook_post";
const BETAS: [f64; 2] = [0.9, 0.99];

/// What was asked for on the command line.
struct Args {
    case: String,
    variant: String,
    tokens: String,
    repeats: usize,
    repeat_s: f64,
    /// Activations of an autoencoder's step.
    batch: usize,
    /// Of a language model that is trained.
    dtype: Precision,
}

impl Args {
    fn parse() -> Result<Self> {
        let mut args = Self {
            case: String::new(),
            variant: String::new(),
            tokens: String::new(),
            repeats: 5,
            repeat_s: 3.0,
            batch: 4_096,
            dtype: Precision::F32,
        };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                "--tokens" => args.tokens = value()?,
                "--repeats" => args.repeats = value()?.parse()?,
                "--batch" => args.batch = value()?.parse()?,
                "--dtype" => {
                    args.dtype = match value()?.as_str() {
                        "f32" => Precision::F32,
                        "f16" => Precision::F16,
                        "bf16" => Precision::Bf16,
                        other => return Err(format!("no dtype {other:?}: f32, f16, bf16").into()),
                    }
                }
                "--repeat-s" => args.repeat_s = value()?.parse()?,
                _ if word.starts_with('-') => return Err(format!("unknown option {word}").into()),
                _ if args.case.is_empty() => args.case = word,
                _ => args.variant = word,
            }
        }
        Ok(args)
    }
}

fn main() -> Result<()> {
    let args = Args::parse()?;
    match (args.case.as_str(), args.variant.as_str()) {
        ("lm_train", config @ ("A" | "B" | "C")) => lm_train(&args, config),
        ("sae_train", "transcoder") => transcoders::transcoder_train(&args, false),
        ("sae_train", "transcoder_skip") => transcoders::transcoder_train(&args, true),
        ("sae_train", name @ ("crosscoder" | "cross_layer")) => transcoders::map_train(&args, name),
        ("sae_train", "temporal") => temporal::temporal_train(&args),
        ("sae_train", "matching_pursuit") => autoencoders::pursuit_train(&args),
        ("sae_train", architecture) => autoencoders::sae_train(&args, architecture),
        ("patching", _) => patching::patching(&args),
        ("dashboards", _) => dashboards::dashboards(&args),
        ("measurements", folder) => measurements::measurements(folder),
        ("run_with_cache", mode) => run_with_cache(&args, mode),
        ("freqs", _) => freqs(&args),
        ("generate", model @ ("small" | "gpt2")) => generate(&args, model),
        (case, variant) => Err(format!("no case {case:?} {variant:?}; see compare.py").into()),
    }
}

/// Times `step`, each call worth `tokens`, and prints the JSON line.
fn measure(
    args: &Args,
    tokens: usize,
    extra: &str,
    mut step: impl FnMut() -> Result<()>,
) -> Result<()> {
    for _ in 0..4 {
        step()?;
    }
    let began = Instant::now();
    step()?;
    let one = began.elapsed().as_secs_f64();
    let steps = (args.repeat_s / one).round().max(1.0) as usize;
    let mut rates = Vec::new();
    for _ in 0..args.repeats {
        let began = Instant::now();
        for _ in 0..steps {
            step()?;
        }
        rates.push((steps * tokens) as f64 / began.elapsed().as_secs_f64());
    }
    rates.sort_by(f64::total_cmp);
    println!(
        "{{\"bench\": \"{}/{}\", \"label\": \"holoscope\", \"metric\": \"tokens_per_s\", \"median\": {:.1}, \
         \"min\": {:.1}, \"max\": {:.1}, \"peak_rss_mib\": {:.1}{extra}}}",
        args.case,
        args.variant,
        rates[rates.len() / 2],
        rates[0],
        rates[rates.len() - 1],
        peak_rss_mib()?,
    );
    Ok(())
}

/// The largest resident size so far, as Linux tells it.
fn peak_rss_mib() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    let kib = line
        .and_then(|l| l.split_whitespace().next())
        .ok_or("no VmHWM")?;
    Ok(kib.parse::<f64>()? / 1024.0)
}

/// GPT-2 ids from a `.npy` of 16-bit unsigned integers; with a smaller vocabulary, ids by falling
/// frequency with the tail clipped.
fn token_ids(path: &str, d_vocab: usize) -> Result<Vec<u32>> {
    let bytes = std::fs::read(path).map_err(|e| format!("--tokens {path:?}: {e}"))?;
    let header = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let text = String::from_utf8_lossy(&bytes[10..10 + header]);
    if !text.contains("'<u2'") {
        return Err(format!("{path}: 16-bit ids are expected, its header is {text}").into());
    }
    let ids: Vec<u32> = bytes[10 + header..]
        .as_chunks::<2>()
        .0
        .iter()
        .map(|b| u32::from(u16::from_le_bytes(*b)))
        .collect();
    if d_vocab >= 50_257 {
        return Ok(ids);
    }
    let mut count = vec![0u32; 50_257];
    for &id in &ids {
        count[id as usize] += 1;
    }
    let mut by_count: Vec<u32> = (0..50_257).collect();
    by_count.sort_by_key(|&id| std::cmp::Reverse(count[id as usize]));
    let mut rank = vec![0u32; 50_257];
    for (r, &id) in by_count.iter().enumerate() {
        rank[id as usize] = (r as u32).min(d_vocab as u32 - 1);
    }
    Ok(ids.iter().map(|&id| rank[id as usize]).collect())
}

/// `batch` windows of `pos` ids from random places.
fn windows(ids: &[u32], batch: usize, pos: usize, rng: &mut ChaCha8Rng) -> Result<Tensor> {
    let mut flat = Vec::with_capacity(batch * pos);
    for _ in 0..batch {
        let start = rng.random_range(0..ids.len() - pos);
        flat.extend_from_slice(&ids[start..start + pos]);
    }
    Ok(Tensor::from_vec(flat, (batch, pos), &Device::Cpu)?)
}

/// The peers train on 128 predictions of a window of 129; ours takes the window whole.
fn lm_train(args: &Args, config: &str) -> Result<()> {
    let base = TransformerConfig {
        n_ctx: 129,
        act_fn: Activation::Relu,
        dtype: args.dtype,
        ..TransformerConfig::default()
    };
    let cfg = match config {
        "B" => TransformerConfig {
            n_layers: 2,
            d_model: 512,
            d_mlp: 1_024,
            ..base
        },
        "C" => TransformerConfig {
            d_vocab: 11_000,
            ..base
        },
        _ => base,
    };
    let ids = token_ids(&args.tokens, cfg.d_vocab)?;
    let model = Transformer::new(&cfg)?;
    let constants = AdamWConfig {
        beta1: BETAS[0],
        beta2: BETAS[1],
        eps: 1e-8,
        weight_decay: 0.01,
    };
    let mut adamw = AdamW::new(model.named_parameters(), constants)?;
    let mut rng = ChaCha8Rng::seed_from_u64(1234);
    measure(args, 8 * 128, "", || {
        let (_, grads) = model.loss_and_gradients(&windows(&ids, 8, 129, &mut rng)?)?;
        adamw.step(&grads, 1e-3, 1.0)?;
        Ok(())
    })
}

fn relu_model() -> Result<Transformer> {
    let cfg = TransformerConfig {
        act_fn: Activation::Relu,
        ..TransformerConfig::default()
    };
    Ok(Transformer::new(&cfg)?.without_gradients())
}

fn run_with_cache(args: &Args, mode: &str) -> Result<()> {
    let (model, batch) = (relu_model()?, 32);
    let ids = token_ids(&args.tokens, model.cfg().d_vocab)?;
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let pool = (0..4)
        .map(|_| windows(&ids, batch, 128, &mut rng))
        .collect::<Result<Vec<_>>>()?;
    let one = NamesFilter::only(HOOK)?;
    let mut at = 0;
    measure(args, batch * 128, "", || {
        let tokens = &pool[at % pool.len()];
        at += 1;
        match mode {
            "forward_logits" => drop(model.forward(tokens)?),
            "forward_loss" => drop(model.loss(tokens)?),
            "cache_all" => drop(model.run_with_cache_filtered(tokens, &NamesFilter::All, None)?),
            "cache_mlp_post" => drop(model.run_with_cache_filtered(tokens, &one, Some(1))?),
            "zero_ablate_logits" => drop(model.run_with_hooks(tokens, &[zero_ablate(HOOK)])?),
            "zero_ablate_loss" => drop(model.loss_with_hooks(tokens, &[zero_ablate(HOOK)])?),
            _ => return Err(format!("no mode {mode:?}").into()),
        }
        Ok(())
    })
}

fn freqs(args: &Args) -> Result<()> {
    let model = relu_model()?;
    let ids = token_ids(&args.tokens, model.cfg().d_vocab)?;
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let pool = (0..50)
        .map(|_| windows(&ids, 16, 128, &mut rng))
        .collect::<Result<Vec<_>>>()?;
    // Untrained, as the peers': half of the features is active.
    let mut normal =
        |n: usize| -> Vec<f32> { StandardNormal.sample_iter(&mut rng).take(n).collect() };
    let sae = StandardSae::new(
        Tensor::from_vec(normal(512 * 4_096), (512, 4_096), &Device::Cpu)?,
        Tensor::from_vec(vec![0f32; 4_096], 4_096, &Device::Cpu)?,
        Tensor::from_vec(normal(512 * 4_096), (4_096, 512), &Device::Cpu)?,
        Tensor::from_vec(vec![0f32; 512], 512, &Device::Cpu)?,
    )?;
    let filter = NamesFilter::only(HOOK)?;
    measure(args, 50 * 16 * 128, "", || {
        let mut active = vec![0u64; sae.d_sae()];
        let mut activity_of = sae.activity_counter()?;
        for tokens in &pool {
            let (_, cache) = model.run_with_cache_filtered(tokens, &filter, Some(1))?;
            let activity = activity_of(&cache.get(HOOK)?.flatten(0, 1)?)?;
            for (total, n) in active.iter_mut().zip(activity.active) {
                *total += n;
            }
        }
        Ok(())
    })
}

fn generate(args: &Args, which: &str) -> Result<()> {
    let (cfg, n_prompt, n_new) = match which {
        "small" => (TransformerConfig::default(), 8, 120),
        _ => {
            let cfg = TransformerConfig {
                n_layers: 12,
                d_model: 768,
                n_heads: 12,
                d_mlp: 3_072,
                n_ctx: 1_024,
                act_fn: Activation::GeluNew,
                tied_unembed: true,
                ..TransformerConfig::default()
            };
            (cfg, 32, 64)
        }
    };
    let cfg = TransformerConfig {
        dtype: args.dtype,
        ..cfg
    };
    let model = Transformer::new(&cfg)?;
    let prompt: Vec<u32> = (0..n_prompt).map(|i| i * 997 % 50_257).collect();
    let greedy = GenerateConfig {
        max_new_tokens: n_new,
        temperature: 0.0,
        ..GenerateConfig::default()
    };
    measure(args, n_new, "", || {
        model.generate(&prompt, &greedy)?;
        Ok(())
    })
}
