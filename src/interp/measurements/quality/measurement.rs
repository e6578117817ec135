//! One dictionary's measurements: a row a metric, each with its bootstrap interval over sequences.
//! Metrics and their definitions are in `metrics.rs`. Source: SAEBench 0.6, `evals/core`.

use super::super::bootstrap::{Resamples, bootstrap};
use super::config::MeasureConfig;
use super::harvest::sums::Sums;
use super::harvest::{DictionarySums, Harvest, harvest};
use super::metrics::{METRICS, values};
use crate::data::TokenSplit;
use crate::error::{Error, Result};
use crate::interp::features::FeatureFrequencies;
use crate::interp::measurements::cosines::max_cosines;
use crate::model::Transformer;
use crate::progress::Reporter;
use crate::sae::SparseAutoencoder;
use crate::show::NotebookReporter;
use candle_core::{DType, Tensor};
use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;

/// Features active on more than these shares of the tokens are dense.
const DENSE: [(&str, f64); 2] = [("freq_over_1_percent", 0.01), ("freq_over_10_percent", 0.1)];

/// One metric.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricRow {
    /// Its name, as SAEBench has it where SAEBench does.
    pub metric: String,
    /// NaN where it is not defined, such as a share of the variance of constant activations.
    pub value: f64,
    /// Lower end of the 95 % bootstrap interval; `None` for what no resample of sequences estimates.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
}

/// The measurements of one dictionary at one hook point.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    /// What the caller calls it.
    pub name: String,
    pub hook_name: String,
    pub d_in: usize,
    pub d_sae: usize,
    /// Sequences measured: the units of the bootstrap.
    pub n_sequences: usize,
    /// Tokens measured.
    pub n_tokens: usize,
    pub rows: Vec<MetricRow>,
    /// How often each feature was active: the density histogram is made of it.
    pub frequencies: FeatureFrequencies,
}

/// Measures an autoencoder at `cfg.hook_name` on sequences of `split`.
///
/// All means are over tokens (cross-entropies over predictions), losses in nats. `mse` is summed over
/// `d_in`. Ablations replace the activation at every position: by zeros; by its mean over the sequences
/// measured; by that of another sequence of the batch at the same position. `ce_recovered_zero` and
/// `kl_recovered_zero` are SAEBench's `ce_loss_score` and `kl_div_score`. Metrics named `saebench_*`
/// are the values that SAEBench 0.6.0 gives under the name that follows, where it departs from the
/// definition. Intervals come from resampled sequences; `dead_share` has none, as a resample of the
/// sequences can only lose features, nor have the cosines, which no token enters.
///
/// Progress is shown; an interrupt returns the measurements of what was read.
///
/// ```no_run
/// use holoscope::prelude::*;
/// # fn f(model: Transformer, sae: StandardSae, data: Dataset) -> Result<()> {
/// let found = measure(&model, &sae, &data.val, &MeasureConfig::default())?;
/// println!("explained variance {:.3}", found.value("explained_variance")?);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// An unknown hook point, an autoencoder of another width, fewer than two sequences, a batch size below
/// 2, directions that are not finite; [`Error::NotFiniteAt`] for an activation of the model that is NaN
/// or infinite; [`Error::Interrupted`] before the first batch is done.
pub fn measure(
    model: &Transformer,
    sae: &dyn SparseAutoencoder,
    split: &TokenSplit,
    cfg: &MeasureConfig,
) -> Result<Measurement> {
    measure_with(model, sae, split, cfg, &mut NotebookReporter::new())
}

/// [`measure`] with its progress shown by `reporter`.
///
/// # Errors
/// Those of [`measure`].
pub fn measure_with(
    model: &Transformer,
    sae: &dyn SparseAutoencoder,
    split: &TokenSplit,
    cfg: &MeasureConfig,
    reporter: &mut dyn Reporter,
) -> Result<Measurement> {
    let sequences = drawn_sequences(model, split, cfg)?;
    let mut found = measure_all(model, &[("autoencoder", sae)], &sequences, cfg, reporter)?;
    Ok(found.remove(0).0)
}

/// [`measure_with`] on given tokens, `[n_sequences, pos]`.
///
/// # Errors
/// Those of [`measure`]; [`Error::Shape`] for tokens of another number of axes.
pub fn measure_tokens(
    model: &Transformer,
    sae: &dyn SparseAutoencoder,
    tokens: &Tensor,
    cfg: &MeasureConfig,
) -> Result<Measurement> {
    measure_tokens_with(model, sae, tokens, cfg, &mut NotebookReporter::new())
}

/// [`measure_tokens`] with its progress shown by `reporter`.
///
/// # Errors
/// Those of [`measure_tokens`].
pub fn measure_tokens_with(
    model: &Transformer,
    sae: &dyn SparseAutoencoder,
    tokens: &Tensor,
    cfg: &MeasureConfig,
    reporter: &mut dyn Reporter,
) -> Result<Measurement> {
    if tokens.rank() != 2 {
        return Err(Error::shape("tokens", "[n_sequences, pos]", tokens.dims()));
    }
    let sequences = tokens.to_dtype(DType::U32)?.to_vec2::<u32>()?;
    let mut found = measure_all(model, &[("autoencoder", sae)], &sequences, cfg, reporter)?;
    Ok(found.remove(0).0)
}

/// Sequences of the split, drawn without replacement, in their order.
pub(super) fn drawn_sequences(
    model: &Transformer,
    split: &TokenSplit,
    cfg: &MeasureConfig,
) -> Result<Vec<Vec<u32>>> {
    let n_ctx = model.cfg().n_ctx;
    let there = split.n_sequences(n_ctx);
    let n = match cfg.n_sequences {
        0 => there,
        n => n.min(there),
    };
    let mut rng = ChaCha8Rng::seed_from_u64(cfg.seed);
    let mut at = index::sample(&mut rng, there, n).into_vec();
    at.sort_unstable();
    Ok(at.into_iter().map(|i| split.sequence(i, n_ctx)).collect())
}

/// Measures several dictionaries of one width on the same sequences; with each its resamples, whose
/// statistics are the first rows of the measurement.
pub(super) fn measure_all(
    model: &Transformer,
    saes: &[(&str, &dyn SparseAutoencoder)],
    sequences: &[Vec<u32>],
    cfg: &MeasureConfig,
    reporter: &mut dyn Reporter,
) -> Result<Vec<(Measurement, Resamples)>> {
    let dictionaries: Vec<&dyn SparseAutoencoder> = saes.iter().map(|(_, sae)| *sae).collect();
    let found = harvest(model, &dictionaries, sequences, cfg, reporter)?;
    let Harvest { x, dictionaries } = found;
    let pairs = saes.iter().zip(dictionaries);
    pairs
        .map(|((name, sae), sums)| measurement(name, *sae, &x, sums, cfg))
        .collect()
}

fn measurement(
    name: &str,
    sae: &dyn SparseAutoencoder,
    x: &[Vec<f64>],
    of_sae: DictionarySums,
    cfg: &MeasureConfig,
) -> Result<(Measurement, Resamples)> {
    let table = Table {
        d_in: sae.d_in(),
        d_sae: sae.d_sae(),
        x,
        of_sae: &of_sae,
    };
    let n = of_sae.sums.len();
    let once = vec![1.0; n];
    let point = table.statistics(&once);
    let resamples = bootstrap(n, cfg.n_resamples, cfg.seed, |times| {
        table.statistics(times)
    });
    let names = METRICS
        .iter()
        .copied()
        .chain(DENSE.iter().map(|(name, _)| *name));
    let mut rows: Vec<MetricRow> = names
        .zip(&point)
        .enumerate()
        .map(|(i, (metric, value))| {
            let interval = resamples.interval(i);
            MetricRow {
                metric: metric.to_owned(),
                value: *value,
                low: interval.map(|i| i.low),
                high: interval.map(|i| i.high),
            }
        })
        .collect();
    let n_tokens = table.total(&once).n;
    let freq = table.frequencies(&once, n_tokens);
    let mean_act = of_sae.act_sums.iter().map(|sum| sum / n_tokens).collect();
    let frequencies = FeatureFrequencies::new(&cfg.hook_name, freq, mean_act, n_tokens as usize);
    rows.extend(of_parameters(sae, frequencies.dead_share)?);
    let found = Measurement {
        name: name.to_owned(),
        hook_name: cfg.hook_name.clone(),
        d_in: sae.d_in(),
        d_sae: sae.d_sae(),
        n_sequences: n,
        n_tokens: n_tokens as usize,
        rows,
        frequencies,
    };
    Ok((found, resamples))
}

/// The metrics that no resample has.
fn of_parameters(sae: &dyn SparseAutoencoder, dead_share: f64) -> Result<Vec<MetricRow>> {
    let (decoder, encoder) = (sae.w_dec(), sae.w_enc().t()?.contiguous()?);
    let decoder = max_cosines(&decoder, &decoder, true)?;
    let encoder = max_cosines(&encoder, &encoder, true)?;
    let found = [
        ("dead_share", dead_share),
        ("mean_max_decoder_cosine", decoder.mean()),
        ("mean_max_encoder_cosine", encoder.mean()),
    ];
    Ok(found
        .map(|(metric, value)| MetricRow {
            metric: metric.to_owned(),
            value,
            low: None,
            high: None,
        })
        .to_vec())
}

/// The sums of one dictionary, to be resampled.
struct Table<'a> {
    d_in: usize,
    d_sae: usize,
    x: &'a [Vec<f64>],
    of_sae: &'a DictionarySums,
}

impl Table<'_> {
    fn total(&self, times: &[f64]) -> Sums {
        let mut total = Sums::default();
        for (sums, times) in self.of_sae.sums.iter().zip(times) {
            // Not drawn: a NaN times 0 would be NaN.
            if *times > 0.0 {
                total.add(sums, *times);
            }
        }
        total
    }

    fn frequencies(&self, times: &[f64], n_tokens: f64) -> Vec<f64> {
        let mut freq = vec![0.0; self.d_sae];
        for (counts, times) in self.of_sae.counts.iter().zip(times) {
            for (feature, n) in counts {
                freq[*feature as usize] += times * f64::from(*n);
            }
        }
        for (f, bad) in freq.iter_mut().zip(&self.of_sae.bad) {
            *f = if *bad { f64::NAN } else { *f / n_tokens };
        }
        freq
    }

    /// The metrics with an interval, of sequences drawn so often.
    fn statistics(&self, times: &[f64]) -> Vec<f64> {
        let total = self.total(times);
        let mut x = vec![0.0; self.d_in];
        for (sum, times) in self.x.iter().zip(times).filter(|(_, t)| **t > 0.0) {
            for (total, v) in x.iter_mut().zip(sum) {
                *total += times * v;
            }
        }
        let mut found = values(&total, &x);
        let freq = self.frequencies(times, total.n);
        let unknown = freq.iter().any(|f| f.is_nan());
        found.extend(DENSE.map(|(_, least)| match unknown {
            true => f64::NAN,
            false => freq.iter().filter(|f| **f > least).count() as f64 / freq.len() as f64,
        }));
        found
    }
}
