//! What one feature's dashboard holds.
//! `density = (tokens with act != 0) / (tokens)`; direct logits as in [`feature_logits`].
//! Source: the feature-centric view of sae_vis and Neuronpedia's feature page.
//!
//! [`feature_logits`]: crate::interp::feature_logits

use super::ablation::AblationEffect;
use super::bins::BinCounts;
use super::co_activity::{CorrelatedFeature, CorrelatedNeuron};
use super::examples::ExampleGroup;
use super::token_value::TokenValue;
use crate::error::Result;
use crate::show::visible_token;
use polars::prelude::{DataFrame, df};
use std::fmt;

/// What a feature adds to the logits by itself, per unit of activation, up to the final norm's scale.
#[derive(Debug, Clone, PartialEq)]
pub struct DirectLogits {
    /// The tokens that it promotes most, the largest logit first.
    pub top: Vec<TokenValue>,
    /// The tokens that it suppresses most, the smallest logit first.
    pub bottom: Vec<TokenValue>,
    /// How many tokens of the vocabulary have which logit.
    pub histogram: BinCounts,
}

/// A feature whose decoder row points in a similar direction.
#[derive(Debug, Clone, PartialEq)]
pub struct SimilarFeature {
    pub feature_id: usize,
    /// Cosine between the two rows of `W_dec`.
    pub cosine: f64,
}

/// A dimension of the activation to which the feature writes much.
#[derive(Debug, Clone, PartialEq)]
pub struct AlignedNeuron {
    /// Dimension of the activation at the hook point.
    pub index: usize,
    /// `W_dec[feature, index]`.
    pub weight: f64,
    /// `|weight|` as a share of the decoder row's sum of absolute values.
    pub share_of_l1: f64,
}

/// All that a dashboard shows of one feature. A dead feature has a density of 0, no examples, an empty
/// histogram, and no ablation effect.
///
/// Where activations have a sign (AbsTopK), the histogram goes from the smallest to the largest, and examples are chosen
/// for either sign on its own, by absolute value.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureDashboard {
    pub feature_id: usize,
    /// The hook point; empty where a file does not say.
    pub hook_name: String,
    /// What somebody calls the feature; empty until it is set.
    pub label: String,
    /// Tokens read, BOS included; 0 where a file does not say.
    pub n_tokens: usize,
    /// Tokens with an activation other than 0; 0 where a file does not say.
    pub n_active: usize,
    /// Share of the tokens with an activation other than 0.
    pub density: f64,
    /// Largest activation; 0 for a dead feature and where all are negative.
    pub max_act: f64,
    /// Smallest activation where that is negative (AbsTopK), else 0.
    pub min_act: f64,
    /// Mean activation over the tokens on which it is active; 0 for a dead feature.
    pub mean_act: f64,
    /// (share q, activation below which a share q of the active tokens lies), ascending.
    pub quantiles: Vec<(f64, f64)>,
    /// Active tokens by activation, in bins from `min_act` to `max_act`.
    pub act_histogram: BinCounts,
    /// Tokens that carry most of the summed activation (absolute values), with their shares.
    pub top_tokens: Vec<TokenValue>,
    /// Examples: the highest activations, then by intervals of activation; the same for negative ones, the lowest first;
    /// then drawn from all.
    pub groups: Vec<ExampleGroup>,
    /// `None` where the hook point does not write to the residual stream.
    pub logits: Option<DirectLogits>,
    /// Features active on the same tokens, the largest Pearson correlation first.
    pub correlated: Vec<CorrelatedFeature>,
    /// Dimensions of the activation correlated with it, the largest absolute value first.
    pub correlated_neurons: Vec<CorrelatedNeuron>,
    /// Tokens on which the correlations were measured; 0 where a file does not say.
    pub n_correlation_tokens: usize,
    /// Features with similar decoder rows, the largest cosine first.
    pub similar: Vec<SimilarFeature>,
    /// Dimensions with the largest decoder weights in absolute value.
    pub neurons: Vec<AlignedNeuron>,
    /// What removing it does on its top examples, those of the sign with the largest activation in absolute value; `None`
    /// where there are none.
    pub ablation: Option<AblationEffect>,
}

impl FeatureDashboard {
    /// Whether the feature was active on no token.
    pub fn is_dead(&self) -> bool {
        self.density == 0.0
    }

    /// The largest activation in absolute value.
    pub fn largest(&self) -> f64 {
        match -self.min_act > self.max_act {
            true => -self.min_act,
            false => self.max_act,
        }
    }

    /// The same dashboard with a label.
    pub fn with_label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// The label, or, without one, the tokens that carry most of the activation.
    pub fn heading(&self) -> String {
        if !self.label.is_empty() {
            return self.label.clone();
        }
        if self.is_dead() {
            return "dead".to_owned();
        }
        let names = self.top_tokens.iter().take(3);
        let names: Vec<String> = names.map(|t| visible_token(&t.token)).collect();
        names.join("  ")
    }

    /// One row an example: `kind` (top, interval, random), `low` and `high` of its interval, `sequence`,
    /// `pos`, `token`, `context` (`prefix|token|suffix`), `activation`.
    ///
    /// # Errors
    /// [`crate::Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        let rows = self
            .groups
            .iter()
            .flat_map(|group| group.examples.iter().map(move |example| (group, example)));
        let (mut kind, mut low, mut high) = (Vec::new(), Vec::new(), Vec::new());
        let (mut sequence, mut pos) = (Vec::new(), Vec::new());
        let (mut token, mut context, mut act) = (Vec::new(), Vec::new(), Vec::new());
        for (group, example) in rows {
            kind.push(group.kind.name());
            low.push(group.low);
            high.push(group.high);
            sequence.push(example.sequence.map(|s| s as u32));
            pos.push(example.pos.map(|p| p as u32));
            token.push(visible_token(example.token()));
            context.push(example.context());
            act.push(example.peak_act());
        }
        Ok(df![
            "kind" => kind,
            "low" => low,
            "high" => high,
            "sequence" => sequence,
            "pos" => pos,
            "token" => token,
            "context" => context,
            "activation" => act,
        ]?)
    }
}

impl fmt::Display for FeatureDashboard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "feature {}", self.feature_id)?;
        if !self.hook_name.is_empty() {
            write!(f, " at {}", self.hook_name)?;
        }
        if self.is_dead() {
            match self.n_tokens {
                0 => write!(f, ": dead, active on no token")?,
                n => write!(f, ": dead, active on none of {n} tokens")?,
            }
        } else {
            write!(
                f,
                ": active on {:.3} % of the tokens, ",
                100.0 * self.density,
            )?;
            match self.min_act < 0.0 {
                true => write!(
                    f,
                    "activations from {:.3} to {:.3}",
                    self.min_act, self.max_act
                )?,
                false => write!(f, "largest activation {:.3}", self.max_act)?,
            }
            write!(f, "; {}", self.heading())?;
        }
        if let Some(logits) = &self.logits {
            let names = |of: &[TokenValue]| {
                let of = of.iter().take(5).map(|t| visible_token(&t.token));
                of.collect::<Vec<_>>().join(" ")
            };
            write!(f, "\npromotes {}", names(&logits.top))?;
            write!(f, "\nsuppresses {}", names(&logits.bottom))?;
        }
        if let Some(ablation) = &self.ablation {
            write!(f, "\n{ablation}")?;
        }
        let top = self.groups.iter().flat_map(|group| &group.examples);
        for example in top.take(5) {
            write!(f, "\n{:8.3}  {}", example.peak_act(), example.context())?;
        }
        Ok(())
    }
}
