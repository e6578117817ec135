//! Training of a transcoder of one block, and of one of every block.
//! `loss = mean_t |y_hat - y|^2 + l1 mean_t sum_j acts_j` on scaled activations, decoder rows of length 1;
//! JumpReLU has L0 instead of L1, TopK and BatchTopK have neither. Dunefsky et al. 2024, arXiv:2406.11944; skip: Paulo
//! et al. 2025, arXiv:2501.18823.

use super::super::record::SaeHistory;
use super::coder::{Plan, Trained};
use super::init::Layout;
use super::result::{activation, encoder, one, width};
use super::run::run;
use crate::config::TranscoderConfig;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::model::Transformer;
use crate::progress::Reporter;
use crate::sae::variants::Transcoder;
use crate::show::NotebookReporter;
use candle_core::{Device, Tensor};

/// Trains a transcoder of block `layer` on `model`'s activations over `data.train`, and reports its
/// progress in the notebook or on the terminal.
///
/// It learns to compute the activations at `cfg.hook_name_out` (the MLP's output) from those at `cfg.hook_name`
/// (its normalised input). The result works on unscaled activations, has decoder rows of length 1,
/// and depends only on the model, the data and `cfg`. BatchTopK becomes JumpReLU with one threshold, as in
/// [`train_sae`](crate::sae::train_sae). When the user interrupts, what has been trained so far is returned.
///
/// ```no_run
/// # use holoscope::prelude::*;
/// # fn main() -> Result<()> {
/// let data = Dataset::load(&DataConfig::default())?;
/// let model = Transformer::new(&TransformerConfig::default())?;
/// let cfg = TranscoderConfig {
///     architecture: Architecture::TopK { k: 16 },
///     skip: true,
///     ..TranscoderConfig::default()
/// };
/// let (transcoder, history) = train_transcoder(&model, &data, 0, &cfg)?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::Config`] for a field out of range; [`Error::UnknownHook`] for a hook point that the model does
/// not have; [`Error::Argument`] for a block that does not exist; [`Error::NotFiniteAt`] when the model's
/// activations are not finite, [`Error::NotFinite`] when the loss is no longer a number;
/// [`Error::Interrupted`] while the first activations are collected: nothing is trained yet.
pub fn train_transcoder(
    model: &Transformer,
    data: &Dataset,
    layer: usize,
    cfg: &TranscoderConfig,
) -> Result<(Transcoder, SaeHistory)> {
    train_transcoder_with(model, data, layer, cfg, &mut NotebookReporter::new())
}

/// [`train_transcoder`] with progress to `reporter`; [`Silent`](crate::progress::Silent) for none.
///
/// # Errors
/// Those of [`train_transcoder`].
pub fn train_transcoder_with(
    model: &Transformer,
    data: &Dataset,
    layer: usize,
    cfg: &TranscoderConfig,
    reporter: &mut dyn Reporter,
) -> Result<(Transcoder, SaeHistory)> {
    let (mut transcoders, mut histories) = of_layers((model, data), &[layer], cfg, reporter)?;
    match (transcoders.pop(), histories.pop()) {
        (Some(transcoder), Some(history)) => Ok((transcoder, history)),
        _ => Err(Error::argument("layer", layer, "was not trained")),
    }
}

/// Trains a transcoder of every block, on one collection of activations: the input of
/// [`attribution_graph`](crate::interp::attribution_graph), in the order of the blocks.
///
/// Each is trained as if it were alone, on the same tokens in the same order.
///
/// # Errors
/// Those of [`train_transcoder`].
pub fn train_transcoders(
    model: &Transformer,
    data: &Dataset,
    cfg: &TranscoderConfig,
) -> Result<(Vec<Transcoder>, Vec<SaeHistory>)> {
    train_transcoders_with(model, data, cfg, &mut NotebookReporter::new())
}

/// [`train_transcoders`] with progress to `reporter`; [`Silent`](crate::progress::Silent) for none.
///
/// # Errors
/// Those of [`train_transcoder`].
pub fn train_transcoders_with(
    model: &Transformer,
    data: &Dataset,
    cfg: &TranscoderConfig,
    reporter: &mut dyn Reporter,
) -> Result<(Vec<Transcoder>, Vec<SaeHistory>)> {
    let layers: Vec<usize> = (0..model.cfg().n_layers).collect();
    of_layers((model, data), &layers, cfg, reporter)
}

fn of_layers(
    (model, data): (&Transformer, &Dataset),
    layers: &[usize],
    cfg: &TranscoderConfig,
    reporter: &mut dyn Reporter,
) -> Result<(Vec<Transcoder>, Vec<SaeHistory>)> {
    cfg.validate()?;
    let (mut hook_names, mut plans, mut from) = (Vec::new(), Vec::new(), 0);
    for &layer in layers {
        check_layer(layer, model)?;
        let hooks = cfg.hooks_of(layer);
        let [d_in, d_out] = [width(&hooks[0], model)?, width(&hooks[1], model)?];
        plans.push(Plan {
            x: from..from + d_in,
            y: from + d_in..from + d_in + d_out,
            layout: Layout {
                d_in,
                d_out,
                blocks: vec![(0..d_in, one(0..d_out))],
                skip: cfg.skip,
                transposed: false,
            },
            acts_in_units_of_target: true,
        });
        from += d_in + d_out;
        hook_names.extend(hooks);
    }
    let task = match layers.len() {
        1 => "train transcoder",
        _ => "train transcoders",
    };
    let trained = run((model, data), cfg, &hook_names, plans, task, reporter)?;
    let device = model.device();
    let (mut transcoders, mut histories) = (Vec::new(), Vec::new());
    for (trained, &layer) in trained.into_iter().zip(layers) {
        let (transcoder, history) = transcoder_of(trained, layer, cfg, device)?;
        transcoders.push(transcoder);
        histories.push(history);
    }
    Ok((transcoders, histories))
}

fn transcoder_of(
    trained: Trained,
    layer: usize,
    cfg: &TranscoderConfig,
    device: &Device,
) -> Result<(Transcoder, SaeHistory)> {
    let block = &trained.params.blocks[0];
    let (d_in, d_out) = (trained.params.d_in, trained.params.d_out);
    let [hook_name, hook_name_out] = cfg.hooks_of(layer);
    let mut transcoder = Transcoder::new(
        layer,
        encoder(block, 0..d_in, device)?,
        Tensor::new(&block.b_enc[..], device)?,
        Tensor::from_slice(&block.w_dec, (block.d_sae(), d_out), device)?,
        Tensor::new(&trained.params.b_dec[..], device)?,
        activation(cfg, trained.thresholds.as_ref().map(|t| &t[0][..]), device)?,
    )?
    .between(&hook_name, &hook_name_out);
    if let Some(w_skip) = &trained.params.w_skip {
        transcoder = transcoder.with_skip(Tensor::from_slice(w_skip, (d_in, d_out), device)?)?;
    }
    Ok((transcoder, trained.history))
}

fn check_layer(layer: usize, model: &Transformer) -> Result<()> {
    let n = model.cfg().n_layers;
    match layer < n {
        true => Ok(()),
        false => Err(Error::argument(
            "layer",
            layer,
            format!("the model has {n} blocks, counted from 0"),
        )),
    }
}
