//! How near the machine's limits the kernels come that a step spends its time in.

use super::{D_VOCAB, Result, limits, save, seconds, tokens};
use candle_core::{DType, Device, Tensor};
use holoscope::config::TransformerConfig;
use holoscope::model::Transformer;
use holoscope::sae::{SparseAutoencoder, StandardSae};
use holoscope::show::{ChartOptions, Trace};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use std::hint::black_box;
use std::path::Path;

/// What a training step and an autoencoder's step spend their time in.
struct HotKernel {
    name: String,
    /// Of its points in the chart.
    group: &'static str,
    flops: f64,
    /// Of what it must read and write at least.
    bytes: f64,
    seconds: f64,
}

impl HotKernel {
    /// A dense product on its own, candle's.
    fn product(group: &'static str, name: &str, [m, k, n]: [usize; 3]) -> Result<Self> {
        let (a, b) = (normal(&[m, k])?, normal(&[k, n])?);
        let seconds = seconds(|| {
            black_box(a.matmul(&b)?);
            Ok(())
        })?;
        Ok(Self {
            name: format!("{name} ({m} x {k} x {n})"),
            group,
            flops: 2.0 * (m * k * n) as f64,
            bytes: 4.0 * (m * k + k * n + m * n) as f64,
            seconds,
        })
    }

    /// Unembedding, cross-entropy and all their gradients, as a training step has them: of a model
    /// without layers, its embedding's gradient included.
    fn fused_loss(d_vocab: usize) -> Result<Self> {
        let cfg = TransformerConfig {
            d_vocab,
            n_layers: 0,
            n_ctx: 129,
            ..TransformerConfig::default()
        };
        let model = Transformer::new(&cfg)?;
        let tokens = tokens(8, cfg.n_ctx)?;
        let seconds = seconds(|| {
            black_box(model.loss_and_gradients(&tokens)?);
            Ok(())
        })?;
        let (n, d) = (8 * 128, cfg.d_model);
        Ok(Self {
            name: format!("loss and gradients, three products of {n} x {d} x {d_vocab}"),
            group: "fused loss",
            flops: 6.0 * (n * d * d_vocab) as f64,
            bytes: 8.0 * (n * d + d * d_vocab) as f64,
            seconds,
        })
    }

    /// The encoder that writes no matrix of activations, with the counts of what is active.
    fn encoder(n: usize, d_in: usize, d_sae: usize) -> Result<Self> {
        let dev = Device::Cpu;
        let sae = StandardSae::new(
            normal(&[d_in, d_sae])?,
            normal(&[d_sae])?,
            normal(&[d_sae, d_in])?,
            Tensor::zeros(d_in, DType::F32, &dev)?,
        )?;
        let x = normal(&[n, d_in])?;
        let mut counter = sae.activity_counter()?;
        let seconds = seconds(|| {
            black_box(counter(&x)?);
            Ok(())
        })?;
        Ok(Self {
            name: format!("encoder of the autoencoder, counted ({n} x {d_in} x {d_sae})"),
            group: "encoder",
            flops: 2.0 * (n * d_in * d_sae) as f64,
            bytes: 4.0 * (n * d_in + d_in * d_sae) as f64,
            seconds,
        })
    }
}

fn hot_kernels() -> Result<Vec<HotKernel>> {
    let product = HotKernel::product;
    const BLOCK: &str = "maps of a block";
    Ok(vec![
        HotKernel::fused_loss(50_257)?,
        HotKernel::fused_loss(D_VOCAB)?,
        product("all logits", "all logits, candle's", [1_024, 128, 50_257])?,
        product(BLOCK, "W_in of the MLP", [1_024, 128, 512])?,
        product(BLOCK, "W_Q of four heads", [1_024, 128, 128])?,
        product(BLOCK, "MLP of width 512 to 1,024", [1_024, 512, 1_024])?,
        HotKernel::encoder(4_096, 512, 4_096)?,
    ])
}

fn normal(shape: &[usize]) -> Result<Tensor> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let values = StandardNormal.sample_iter(&mut rng);
    let values: Vec<f32> = values.take(shape.iter().product()).collect();
    Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)
}

/// A table of them, and a chart.
pub fn roofline(folder: Option<&Path>) -> Result<()> {
    let (peak, bytes) = (limits::peak_flops()?, limits::bandwidth()?);
    println!(
        "peak {:.0} GFLOP/s, memory {:.1} GB/s\n",
        peak / 1e9,
        bytes / 1e9
    );
    println!("| hot kernel (m x k x n) | FLOP/byte | GFLOP/s | of its limit |\n|---|---|---|---|");
    let ridge = peak / bytes;
    let at = |x: f64| (x, (bytes * x).min(peak) / 1e9);
    let roof = [0.25, 1.0, 4.0, ridge, 256.0, 1024.0].map(at).to_vec();
    let mut series = vec![Trace::new("limit", roof)];
    for kernel in hot_kernels()? {
        let intensity = kernel.flops / kernel.bytes;
        let rate = kernel.flops / kernel.seconds;
        let limit = (bytes * intensity).min(peak);
        println!(
            "| {} | {intensity:.1} | {:.0} | {:.0} % |",
            kernel.name,
            rate / 1e9,
            100.0 * rate / limit
        );
        let point = (intensity, rate / 1e9);
        match series.iter_mut().find(|trace| trace.name == kernel.group) {
            // What is not finite interrupts the line: these are points.
            Some(trace) => trace.points.extend([(f64::NAN, f64::NAN), point]),
            None => series.push(Trace::new(kernel.group, vec![point])),
        }
    }
    println!();
    let options = ChartOptions::new("Roofline", "FLOP per byte of the operands", "GFLOP/s")
        .log_x()
        .log_y()
        .caption("Bytes: what must be read and written at least. The limit is the measured peak and the measured memory rate.");
    save(folder, "roofline.svg", &series, &options)
}
