//! How often each feature is active.
//! `freq_f = (tokens with acts_f > 0) / (tokens)`; shown as `log10(freq + 10^-6.5)`.
//! Source: `get_freqs` of 1L-Sparse-Autoencoder; Bricken et al. 2023, "feature density histograms".

use crate::config::SampleConfig;
use crate::data::{Batches, TokenSplit};
use crate::error::{Error, Result};
use crate::interp::activations::{hook_rows, own_hook};
use crate::interp::statistics::{Bimodality, bimodality};
use crate::model::Transformer;
use crate::progress::{Progress, Reporter};
use crate::sae::{Sae, SparseAutoencoder};
use crate::show::{ChartOptions, Figure, NotebookReporter, histogram, shows_itself};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::fmt;

/// Added to every frequency before the logarithm, so that dead features show at -6.5.
pub const FREQUENCY_FLOOR: f64 = 3.162_277_660_168_379_5e-7;

/// The share of tokens on which each feature is active.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureFrequencies {
    /// The hook point.
    pub hook_name: String,
    /// Share of the tokens with an activation above 0; NaN for a feature with an activation that is not
    /// finite. `[d_sae]`
    pub freq: Vec<f64>,
    /// Mean activation over all tokens. `[d_sae]`
    pub mean_act: Vec<f64>,
    /// Tokens read, BOS included.
    pub n_tokens: usize,
    /// Share of the features that were active on no token read; NaN where a frequency is.
    pub dead_share: f64,
    /// Active features a token, averaged: the sum of the frequencies, NaN where one of them is.
    pub l0: f64,
}

/// Counts on how many tokens of a split each feature of an autoencoder is active, at the hook point that it names.
/// An interrupt returns what was counted.
///
/// # Errors
/// An autoencoder that names no hook point; those of [`feature_frequencies_with`].
pub fn feature_frequencies(
    model: &Transformer,
    sae: &Sae,
    split: &TokenSplit,
) -> Result<FeatureFrequencies> {
    let (hook_name, mut reporter) = (own_hook(sae)?, NotebookReporter::new());
    let sample = SampleConfig::default();
    feature_frequencies_with(model, sae, hook_name, split, &sample, &mut reporter)
}

/// [`feature_frequencies`] at a hook point, on a sample of a split, with its progress shown by `reporter`.
///
/// # Errors
/// An unknown hook point, an autoencoder of another width, a split too short for one sequence;
/// [`Error::NotFiniteAt`] for an activation of the model that is NaN or infinite.
pub fn feature_frequencies_with(
    model: &Transformer,
    sae: &dyn SparseAutoencoder,
    hook_name: &str,
    split: &TokenSplit,
    sample: &SampleConfig,
    reporter: &mut dyn Reporter,
) -> Result<FeatureFrequencies> {
    let mut batches = Batches::new(split, model.cfg().n_ctx, sample.batch_size, sample.seed);
    let n_batches = match sample.n_batches {
        0 => batches.batches_per_epoch(),
        n => n,
    };
    let d_sae = sae.d_sae();
    let mut activity_of = sae.activity_counter()?;
    let (mut active, mut sum) = (vec![0.0; d_sae], vec![0.0; d_sae]);
    let mut n_tokens = 0;
    let mut progress = Progress::new(reporter, "feature frequencies", "batch", n_batches as u64);
    for done in 1..=n_batches {
        let tokens = batches.next_batch(model.device())?;
        let x = hook_rows(model, hook_name, &tokens, sae.d_in())?;
        let activity = activity_of(&x)?;
        for (total, n) in active.iter_mut().zip(activity.active) {
            *total += n as f64;
        }
        for ((total, active), s) in sum.iter_mut().zip(&mut active).zip(activity.sum) {
            *total += s;
            // A count knows no NaN; the sum of what is counted does.
            if !s.is_finite() {
                *active = f64::NAN;
            }
        }
        n_tokens += tokens.elem_count();
        progress.update(done as u64, &[]);
        if progress.interrupted() {
            break;
        }
    }
    progress.finish();
    if n_tokens == 0 {
        return Err(Error::argument(
            "n_batches",
            n_batches,
            "the split has no whole sequence",
        ));
    }
    let share = |sum: Vec<f64>| sum.into_iter().map(|s| s / n_tokens as f64).collect();
    Ok(FeatureFrequencies::new(
        hook_name,
        share(active),
        share(sum),
        n_tokens,
    ))
}

impl FeatureFrequencies {
    /// From frequencies and mean activations `[d_sae]` over `n_tokens` tokens.
    pub fn new(hook_name: &str, freq: Vec<f64>, mean_act: Vec<f64>, n_tokens: usize) -> Self {
        Self {
            hook_name: hook_name.to_owned(),
            dead_share: share_of(&freq, |f| f == 0.0),
            l0: freq.iter().sum(),
            freq,
            mean_act,
            n_tokens,
        }
    }

    /// Number of features.
    pub fn n_features(&self) -> usize {
        self.freq.len()
    }

    /// Number of features active on no token read; one whose frequency is NaN is not counted.
    pub fn n_dead(&self) -> usize {
        self.freq.iter().filter(|f| **f == 0.0).count()
    }

    /// Which features are rarer than `threshold`, the dead ones included; one whose frequency is NaN is
    /// none. `[d_sae]`
    pub fn rare(&self, threshold: f64) -> Vec<bool> {
        self.freq.iter().map(|f| *f < threshold).collect()
    }

    /// `log10(freq + 10^-6.5)`. `[d_sae]`
    pub fn log10(&self) -> Vec<f64> {
        self.freq
            .iter()
            .map(|f| (f + FREQUENCY_FLOOR).log10())
            .collect()
    }

    /// How many features are dead and how many are at work on a token, in one sentence.
    pub fn sentence(&self) -> String {
        format!(
            "{} of {} features are dead ({:.1} %); a token has {:.1} active features on average.",
            self.n_dead(),
            self.n_features(),
            100.0 * self.dead_share,
            self.l0
        )
    }

    /// The histogram of [`Self::log10`], in percent of the features.
    pub fn histogram(&self) -> Result<Figure> {
        let options = ChartOptions::new(
            "How often features are active",
            "log10(frequency + 10^-6.5), frequency per token",
            "share of features (%)",
        )
        .x_reference("rare: 1e-4", -4.0)
        .caption(format!(
            "{} features on {} tokens; {:.1} % were never active and stand at -6.5.",
            self.n_features(),
            self.n_tokens,
            100.0 * self.dead_share
        ));
        histogram(&self.log10(), 60, &options)
    }

    /// Tests whether the log10 frequencies of the features that are alive have more than one mode.
    ///
    /// Frequencies are counts over `n_tokens`; the few smallest counts would be clumps of equal
    /// logarithms and look like modes, so each count is first moved by a uniform draw from
    /// (-1/2, 1/2). Dead features are left out, and the verdict says so: their place at -6.5 is
    /// a convention.
    ///
    /// # Errors
    /// Fewer than four features alive; [`Error::NotFiniteAt`] for a frequency of NaN.
    pub fn bimodality(&self, seed: u64) -> Result<Bimodality> {
        check_frequencies(&self.freq)?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let n = self.n_tokens as f64;
        let values: Vec<f64> = self
            .freq
            .iter()
            .filter(|f| **f > 0.0)
            .map(|f| ((f * n).round() + rng.random_range(-0.5..0.5)).log10() - n.log10())
            .collect();
        let what = "live features".to_owned();
        Ok(Bimodality {
            what,
            ..bimodality(&values, seed)?
        })
    }
}

/// The share of the frequencies for which `holds`; NaN if one of them is.
fn share_of(freq: &[f64], holds: fn(f64) -> bool) -> f64 {
    if freq.iter().any(|f| f.is_nan()) {
        return f64::NAN;
    }
    freq.iter().filter(|f| holds(**f)).count() as f64 / freq.len().max(1) as f64
}

/// An error that names the first feature whose frequency is not finite.
pub(super) fn check_frequencies(freq: &[f64]) -> Result<()> {
    match freq.iter().position(|f| !f.is_finite()) {
        Some(feature) => Err(Error::NotFiniteAt {
            what: "the frequency".to_owned(),
            value: freq[feature],
            place: format!("feature {feature}"),
        }),
        None => Ok(()),
    }
}

impl fmt::Display for FeatureFrequencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} features at {} on {} tokens: L0 {:.1}, {:.1} % never active, {:.1} % rarer than 1e-4",
            self.n_features(),
            self.hook_name,
            self.n_tokens,
            self.l0,
            100.0 * self.dead_share,
            100.0 * share_of(&self.freq, |f| f < 1e-4)
        )
    }
}

shows_itself!(FeatureFrequencies, |it| it.histogram()?);

#[cfg(test)]
mod tests {
    use super::*;

    fn of(freq: Vec<f64>, n: usize) -> FeatureFrequencies {
        let mean = vec![0.0; freq.len()];
        FeatureFrequencies::new("blocks.0.mlp.hook_post", freq, mean, n)
    }

    #[test]
    fn dead_features_stand_at_the_floor_and_count_as_rare() {
        let f = of(vec![0.0, 0.5, 5e-5], 20_000);
        assert!((f.log10()[0] + 6.5).abs() < 1e-9);
        assert_eq!(f.rare(1e-4), [true, false, true]);
        assert_eq!(f.n_dead(), 1);
        assert!((f.dead_share - 1.0 / 3.0).abs() < 1e-12);
        assert!((f.l0 - 0.50005).abs() < 1e-12);
    }

    #[test]
    fn a_frequency_of_nan_is_neither_dead_nor_alive() {
        let f = of(vec![0.0, f64::NAN, 0.5, 0.25, 0.125], 1_000);
        assert!(f.dead_share.is_nan() && f.l0.is_nan());
        assert_eq!(f.n_dead(), 1);
        let text = f.to_string();
        assert!(text.contains("L0 NaN, NaN % never active, NaN %"), "{text}");
        let error = f.bimodality(1).unwrap_err().to_string();
        assert_eq!(error, "the frequency is NaN at feature 1");
        assert!(f.histogram().unwrap().svg.contains("1 of 5 values"));
    }

    #[test]
    fn equal_small_counts_are_no_modes() {
        // Counts 1 to 40, ten features each: one broad hump in the logarithm, but tied.
        let freq = (0..400).map(|i| f64::from(1 + i / 10) / 1e4).collect();
        let b = of(freq, 10_000).bimodality(1).unwrap();
        assert!(b.dip_p_value > 0.05, "{b}");
    }

    #[test]
    fn the_verdict_says_that_dead_features_were_left_out() {
        let freq = (0..60).map(|i| f64::from((i - 9).max(0)) / 1e3).collect();
        let b = of(freq, 10_000).bimodality(1).unwrap();
        assert!(b.verdict().contains("among the 50 live features"), "{b}");
    }
}
