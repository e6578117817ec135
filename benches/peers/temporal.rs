//! Training steps of the temporal autoencoder, whose step `train_sae` alone has: on `hook_embed`, where the model does
//! nothing but to look rows up. The peer is PyTorch (`sequences.py`).

use crate::autoencoders::{K, sae_pool};
use crate::{Args, BETAS, Result, measure};
use holoscope::candle::{Device, Tensor};
use holoscope::config::{Architecture, SaeConfig, TransformerConfig};
use holoscope::data::{Dataset, RepeatedTokens};
use holoscope::model::Transformer;
use holoscope::progress::{Reporter, Tick};
use holoscope::sae::train_sae_with;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

const D: usize = 256;
const D_SAE: usize = 1_024;
const N_POS: usize = 128;
/// Different activations.
const N_ROWS: usize = 8_192;

/// Hands over the L0 of each step that is done, and waits until it is taken; the training ends when nobody takes it.
struct Handing {
    steps: SyncSender<f64>,
    alone: bool,
}

impl Reporter for Handing {
    fn tick(&mut self, tick: &Tick) {
        let l0 = tick.figures.iter().find(|(name, _)| name == "L0");
        self.alone = self.steps.send(l0.map_or(f64::NAN, |(_, l0)| *l0)).is_err();
    }

    fn finish(&mut self, _: &Tick) {}

    fn interrupted(&self) -> bool {
        self.alone
    }
}

pub fn temporal_train(args: &Args) -> Result<()> {
    let model = Transformer::new(&TransformerConfig {
        d_model: D,
        d_mlp: D,
        n_ctx: N_POS,
        d_vocab: N_ROWS,
        ..TransformerConfig::default()
    })?;
    let rows = sae_pool(D, N_ROWS, 1).concat();
    let rows = Tensor::from_vec(rows, (N_ROWS, D), &Device::Cpu)?;
    let mut parameters = model.named_parameters().into_iter();
    let (_, embedding) = parameters
        .find(|(name, _)| name == "embed.W_E")
        .ok_or("the model has no W_E")?;
    embedding.set(&rows)?;
    // Random tokens that hardly repeat.
    let data = Dataset::of_repeated_tokens(&RepeatedTokens {
        n_symbols: N_ROWS - 1,
        n_ctx: N_POS,
        min_period: N_POS - 2,
        max_period: N_POS - 2,
        n_train: 64,
        n_val: 1,
        ..RepeatedTokens::default()
    })?;
    let cfg = SaeConfig {
        hook_name: "hook_embed".to_owned(),
        d_in: D,
        d_sae: D_SAE,
        architecture: Architecture::Temporal {
            k: Some(K),
            n_heads: 8,
            n_attn_layers: 1,
            bottleneck_factor: 64,
        },
        batch_size: args.batch,
        steps: 1_000_000,
        lr: 1e-4,
        beta1: BETAS[0],
        beta2: BETAS[1],
        log_every: 1,
        ..SaeConfig::default()
    };
    let (steps, done) = sync_channel(0);
    let training = thread::spawn(move || {
        let mut handing = Handing {
            steps,
            alone: false,
        };
        train_sae_with(&model, &data, &cfg, &mut handing).map(drop)
    });
    let measured = timed(args, &done);
    drop(done);
    match training.join() {
        // The reason why there were no more steps, if there is one.
        Ok(trained) => trained?,
        Err(_) => return Err("the training panicked".into()),
    }
    measured
}

/// Times the steps after the first.
fn timed(args: &Args, done: &Receiver<f64>) -> Result<()> {
    let next = || done.recv().map_err(|_| "the training has ended");
    let mut l0 = 0.0;
    for _ in 0..20 {
        l0 = next()?;
    }
    let tokens = (args.batch / N_POS).max(1) * N_POS;
    measure(args, tokens, &format!(", \"l0\": {l0:.1}"), || {
        next()?;
        Ok(())
    })
}
