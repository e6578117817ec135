//! The result of a sweep: the autoencoders with their records, and one row of figures each.

use super::super::record::SaeHistory;
use crate::config::{Architecture, SaeConfig};
use crate::sae::variants::Sae;

/// Share of the steps, at the end, over which a row's figures are averaged.
const LAST_SHARE: f64 = 0.1;

/// The autoencoders of one pass over the activations, in the order of their configurations.
#[derive(Debug, Clone)]
pub struct SaeSweep {
    pub runs: Vec<SweepRun>,
    /// Seconds in all.
    pub seconds: f64,
}

/// One autoencoder of a sweep.
#[derive(Debug, Clone)]
pub struct SweepRun {
    pub cfg: SaeConfig,
    pub sae: Sae,
    pub history: SaeHistory,
}

/// The figures of one autoencoder of a sweep: means over the entries of its history in the
/// last tenth of its steps, each of a training batch before its update.
///
/// For a dictionary's results on text that it has not seen, with intervals, see
/// [`measure`](crate::interp::measure).
#[derive(Debug, Clone, PartialEq)]
pub struct SweepRow {
    /// Index of its configuration.
    pub run: usize,
    /// The name by which SAELens registers the architecture that was trained.
    pub architecture: String,
    /// The setting that determines the sparsity: "l1_coeff", "l0_coeff", "k", "max_iterations" or
    /// "residual_threshold".
    pub sparsity_setting: String,
    /// Its value; NaN for a temporal autoencoder without `k`.
    pub sparsity: f64,
    pub d_sae: usize,
    /// Peak learning rate.
    pub lr: f64,
    /// Steps done.
    pub steps: usize,
    /// Active features per token.
    pub l0: f64,
    /// `1 - sum |x_hat - x|^2 / sum |x - mean|^2`.
    pub explained_variance: f64,
    /// Squared error per token, summed over `d_in`.
    pub l2: f64,
    /// Share of the features silent over the last `SaeConfig::dead_steps` steps, at the end.
    pub dead_share: f64,
    /// The last recovered share of the model's loss, if it was measured.
    pub score: Option<f64>,
}

impl SaeSweep {
    /// One row per autoencoder. A figure is NaN if the history has no entry for it.
    pub fn rows(&self) -> Vec<SweepRow> {
        self.runs.iter().enumerate().map(row).collect()
    }
}

fn row((i, run): (usize, &SweepRun)) -> SweepRow {
    let SweepRun { cfg, history, .. } = run;
    let from = ((1.0 - LAST_SHARE) * history.steps as f64) as usize;
    let mean = |series: &[(usize, f64)]| {
        let last = series.last().map_or(0, |&(step, _)| step);
        let late = series
            .iter()
            .filter(|&&(step, _)| step > from || step == last);
        let (n, sum) = late.fold((0.0, 0.0), |(n, sum), &(_, v)| (n + 1.0, sum + v));
        sum / n
    };
    let (setting, sparsity) = sparsity_setting(&cfg.architecture);
    SweepRow {
        run: i,
        architecture: cfg.architecture.name().to_owned(),
        sparsity_setting: setting.to_owned(),
        sparsity,
        d_sae: cfg.d_sae,
        lr: cfg.lr,
        steps: history.steps,
        l0: mean(&history.l0),
        explained_variance: mean(&history.explained_variance),
        l2: mean(&history.l2),
        dead_share: history.dead_share.last().map_or(f64::NAN, |&(_, v)| v),
        score: history.score.last().map(|&(_, v)| v),
    }
}

/// The setting of an architecture that determines the sparsity.
fn sparsity_setting(architecture: &Architecture) -> (&'static str, f64) {
    match architecture {
        Architecture::Standard { l1_coeff } | Architecture::Gated { l1_coeff } => {
            ("l1_coeff", *l1_coeff)
        }
        Architecture::JumpReLU { l0_coeff, .. } => ("l0_coeff", *l0_coeff),
        Architecture::TopK { k } | Architecture::AbsTopK { k } => ("k", *k as f64),
        Architecture::Temporal { k, .. } => ("k", k.map_or(f64::NAN, |k| k as f64)),
        Architecture::MatchingPursuit {
            max_iterations: Some(n),
            ..
        } => ("max_iterations", *n as f64),
        Architecture::MatchingPursuit {
            residual_threshold, ..
        } => ("residual_threshold", *residual_threshold),
        Architecture::BatchTopK { k } | Architecture::MatryoshkaBatchTopK { k, .. } => ("k", *k),
    }
}
