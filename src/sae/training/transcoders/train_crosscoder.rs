//! Training of a crosscoder: one dictionary of several sites.
//! `loss = mean_t sum_s |x_hat_s - x_s|^2 + l1 mean_t sum_j acts_j sum_s |W_dec_s[j]|`. Lindsey et al. 2024, "Sparse
//! Crosscoders for Cross-Layer Features and Model Diffing"; BatchTopK: Minder et al. 2025, arXiv:2504.02922.

use super::super::record::SaeHistory;
use super::coder::Plan;
use super::init::Layout;
use super::result::{activation, config_error, encoder, no_skip, width};
use super::run::run;
use crate::config::TranscoderConfig;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::model::Transformer;
use crate::progress::Reporter;
use crate::sae::variants::Crosscoder;
use crate::show::NotebookReporter;
use candle_core::Tensor;
use std::ops::Range;

/// Trains one dictionary of the activations of several hook points, and reports its progress in the
/// notebook or on the terminal.
///
/// The loss is that of Lindsey et al. 2024: squared errors summed over the sites, and
/// `l1 sum_j acts_j sum_s |W_dec_s[j]|`. Moving a factor between a feature's activation and its decoder
/// changes neither term, and here it is such that `sum_s |W_dec_s[j]| = 1` during training; so the
/// largest activations of TopK and BatchTopK are those of `acts_j sum_s |W_dec_s[j]|` (Minder et al. 2025).
/// Activations of each site are scaled by its own factor, which is folded into the result's weights;
/// feature activations remain in the units of training.
///
/// # Errors
/// Those of [`train_transcoder`]; [`Error::Argument`] for no hook point, or the same one twice;
/// [`Error::Config`] for `skip`, and if the hook points of `cfg`, which a crosscoder does not read, are not
/// the defaults.
pub fn train_crosscoder(
    model: &Transformer,
    data: &Dataset,
    hook_names: &[&str],
    cfg: &TranscoderConfig,
) -> Result<(Crosscoder, SaeHistory)> {
    train_crosscoder_with(model, data, hook_names, cfg, &mut NotebookReporter::new())
}

/// [`train_crosscoder`] with progress to `reporter`; [`Silent`](crate::progress::Silent) for none.
///
/// # Errors
/// Those of [`train_crosscoder`].
pub fn train_crosscoder_with(
    model: &Transformer,
    data: &Dataset,
    hook_names: &[&str],
    cfg: &TranscoderConfig,
    reporter: &mut dyn Reporter,
) -> Result<(Crosscoder, SaeHistory)> {
    cfg.validate()?;
    no_skip(cfg, "a crosscoder")?;
    let defaults = TranscoderConfig::default();
    for (field, given, default) in [
        ("hook_name", &cfg.hook_name, &defaults.hook_name),
        ("hook_name_out", &cfg.hook_name_out, &defaults.hook_name_out),
    ] {
        if given != default {
            let reason = "a crosscoder reads and reconstructs the hook points of its argument";
            return config_error(field, given, reason);
        }
    }
    if hook_names.is_empty() {
        return Err(Error::argument("hook_names", "[]", "must name a site"));
    }
    let mut sites: Vec<Range<usize>> = Vec::with_capacity(hook_names.len());
    for (i, name) in hook_names.iter().enumerate() {
        if hook_names[..i].contains(name) {
            let reason = "is listed twice; each site may appear only once";
            return Err(Error::argument("hook_names", name, reason));
        }
        let from = sites.last().map_or(0, |site| site.end);
        sites.push(from..from + width(name, model)?);
    }
    let d = sites.last().map_or(0, |site| site.end);
    let plan = Plan {
        x: 0..d,
        y: 0..d,
        layout: Layout {
            d_in: d,
            d_out: d,
            blocks: vec![(0..d, sites.clone())],
            skip: false,
            transposed: true,
        },
        acts_in_units_of_target: false,
    };
    let names: Vec<String> = hook_names.iter().map(|name| (*name).to_owned()).collect();
    let trained = run(
        (model, data),
        cfg,
        &names,
        vec![plan],
        "train crosscoder",
        reporter,
    )?;
    let device = model.device();
    let Some(trained) = trained.into_iter().next() else {
        return Err(Error::argument(
            "hook_names",
            hook_names.len(),
            "were not trained",
        ));
    };
    let block = &trained.params.blocks[0];
    let mut w_enc = Vec::with_capacity(sites.len());
    for site in &sites {
        w_enc.push(encoder(block, site.clone(), device)?);
    }
    let w_dec = Tensor::from_slice(&block.w_dec, (block.d_sae(), d), device)?;
    let part = |site: &Range<usize>| w_dec.narrow(1, site.start, site.len())?.contiguous();
    let bias = |site: &Range<usize>| Tensor::new(&trained.params.b_dec[site.clone()], device);
    let crosscoder = Crosscoder::new(
        hook_names,
        w_enc,
        Tensor::new(&block.b_enc[..], device)?,
        sites.iter().map(part).collect::<candle_core::Result<_>>()?,
        sites.iter().map(bias).collect::<candle_core::Result<_>>()?,
        activation(cfg, trained.thresholds.as_ref().map(|t| &t[0][..]), device)?,
    )?;
    Ok((crosscoder, trained.history))
}
