//! Training of a cross-layer transcoder of all blocks of a model, one block of features per layer.
//! `loss = mean_t sum_m |y_hat_m - y_m|^2 + sparsity(acts_j |W_dec[j]|)`, `|W_dec[j]|` over all layers that it writes.
//! Ameisen et al. 2025, "Circuit Tracing: Revealing Computational Graphs in Language Models".

use super::super::record::SaeHistory;
use super::coder::Plan;
use super::init::Layout;
use super::result::{activation, config_error, encoder, no_skip, one, width};
use super::run::run;
use crate::config::TranscoderConfig;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::model::Transformer;
use crate::progress::Reporter;
use crate::sae::variants::CrossLayerTranscoder;
use crate::show::NotebookReporter;
use candle_core::Tensor;

/// Trains a cross-layer transcoder of all blocks of a model, and reports its progress in the notebook or on
/// the terminal.
///
/// The loss is that of Ameisen et al. 2025: squared errors summed over the layers, and a penalty on
/// activations times the length of the whole decoder row, over all layers that it writes, which here is 1
/// during training; their architecture is [`Architecture::JumpReLU`](crate::config::Architecture) with
/// [`L0Loss::Tanh`](crate::config::L0Loss). `cfg.d_sae`, and `k` of TopK and BatchTopK, apply to each
/// layer. Activations at each hook point are scaled by its own factor, which is folded into the result's
/// weights; feature activations remain in the units of training.
///
/// # Errors
/// Those of [`train_transcoder`]; [`Error::Config`] for `skip`.
pub fn train_cross_layer_transcoder(
    model: &Transformer,
    data: &Dataset,
    cfg: &TranscoderConfig,
) -> Result<(CrossLayerTranscoder, SaeHistory)> {
    train_cross_layer_transcoder_with(model, data, cfg, &mut NotebookReporter::new())
}

/// [`train_cross_layer_transcoder`] with progress to `reporter`;
/// [`Silent`](crate::progress::Silent) for none.
///
/// # Errors
/// Those of [`train_cross_layer_transcoder`].
pub fn train_cross_layer_transcoder_with(
    model: &Transformer,
    data: &Dataset,
    cfg: &TranscoderConfig,
    reporter: &mut dyn Reporter,
) -> Result<(CrossLayerTranscoder, SaeHistory)> {
    cfg.validate()?;
    no_skip(cfg, "a cross-layer transcoder")?;
    let n = model.cfg().n_layers;
    let hooks: Vec<[String; 2]> = (0..n).map(|layer| cfg.hooks_of(layer)).collect();
    let (reads, writes): (Vec<String>, Vec<String>) =
        hooks.into_iter().map(|[read, write]| (read, write)).unzip();
    if n == 0 {
        return Err(Error::argument("n_layers", n, "the model has no block"));
    }
    let (d_in, d_out) = (width(&reads[0], model)?, width(&writes[0], model)?);
    for (layer, name) in writes.iter().enumerate() {
        if writes[..layer].contains(name) {
            let reason = "must have {layer} in it: every block has its own";
            return config_error("hook_name_out", name, reason);
        }
    }
    let blocks = (0..n).map(|l| (l * d_in..(l + 1) * d_in, one(l * d_out..n * d_out)));
    let plan = Plan {
        x: 0..n * d_in,
        y: n * d_in..n * (d_in + d_out),
        layout: Layout {
            d_in: n * d_in,
            d_out: n * d_out,
            blocks: blocks.collect(),
            skip: false,
            transposed: false,
        },
        acts_in_units_of_target: false,
    };
    let names: Vec<String> = reads.iter().chain(&writes).cloned().collect();
    let task = "train cross-layer transcoder";
    let trained = run((model, data), cfg, &names, vec![plan], task, reporter)?;
    let Some(trained) = trained.into_iter().next() else {
        return Err(Error::argument("n_layers", n, "were not trained"));
    };
    let device = model.device();
    let (mut w_enc, mut b_enc, mut w_dec) = (Vec::new(), Vec::new(), Vec::new());
    let (mut b_dec, mut activations) = (Vec::new(), Vec::new());
    for (layer, block) in trained.params.blocks.iter().enumerate() {
        w_enc.push(encoder(block, 0..d_in, device)?);
        b_enc.push(Tensor::new(&block.b_enc[..], device)?);
        let shape = (block.d_sae(), n - layer, d_out);
        w_dec.push(Tensor::from_slice(&block.w_dec, shape, device)?);
        let bias = &trained.params.b_dec[layer * d_out..][..d_out];
        b_dec.push(Tensor::new(bias, device)?);
        let thresholds = trained.thresholds.as_ref().map(|t| &t[layer][..]);
        activations.push(activation(cfg, thresholds, device)?);
    }
    let clt = CrossLayerTranscoder::new(w_enc, b_enc, w_dec, b_dec, activations)?;
    Ok((clt.between(&reads, &writes)?, trained.history))
}
