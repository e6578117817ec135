//! What one feature responds to: the simple predicate that fits it best, and how well.
//! Chosen on one half of the tokens, scored on the other; active means `acts > threshold`.
//! Source: the specificity and sensitivity analyses of Bricken et al. 2023.

use super::predicate::Predicate;
use crate::error::Result;
use crate::interp::activation_sign::ActivationSign;
use crate::interp::statistics::Contingency;
use crate::show::{MimeBundle, Show, Table, shows_itself, visible_token};
use polars::prelude::df;
use std::fmt;

/// A token in its context with the feature's activation.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenExample {
    /// The token as shown.
    pub token: String,
    /// `prefix|token|suffix`.
    pub context: String,
    pub activation: f32,
}

/// What one feature responds to, in numbers of held-out tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureSummary {
    pub feature_id: usize,
    /// Which part of the feature is described: of AbsTopK's features the two signs are two detectors.
    pub sign: ActivationSign,
    /// The predicate that fits best on the first half of the tokens.
    pub predicate: Predicate,
    /// The feature counts as active above this; its negative part, where the activation is below `-threshold`. Chosen with
    /// the predicate.
    pub threshold: f32,
    /// Feature against predicate on the second half.
    pub held_out: Contingency,
    /// Matthews' correlation on the first half, by which features are ranked.
    pub chosen_mcc: f64,
    /// Share of the feature's summed activation (of this sign) on the predicate's tokens, second half.
    pub mass_share: f64,
    /// Share of the second half's tokens with an activation of this sign.
    pub frequency: f64,
    /// Tokens that carry most of the summed activation of the second half, as they stand in the
    /// text, with their shares.
    pub top_tokens: Vec<(String, f64)>,
    /// The tokens of highest activation of the second half; of the lowest, of a negative part.
    pub examples: Vec<TokenExample>,
}

impl FeatureSummary {
    /// Share of the active held-out tokens for which the predicate holds.
    pub fn precision(&self) -> f64 {
        self.held_out.precision()
    }

    /// Share of the predicate's held-out tokens on which the feature is active.
    pub fn recall(&self) -> f64 {
        self.held_out.recall()
    }

    /// Harmonic mean of the two, on held-out tokens.
    pub fn f1(&self) -> f64 {
        self.held_out.f1()
    }

    /// Matthews' correlation on held-out tokens: 0 at chance, 1 for a perfect fit.
    pub fn mcc(&self) -> f64 {
        self.held_out.mcc()
    }

    /// What was found, in one sentence.
    pub fn sentence(&self) -> String {
        let percent = |share: f64| format!("{:.1} %", 100.0 * share);
        let (part, where_active) = match self.sign {
            ActivationSign::Positive => ("", format!("active above {:.3}", self.threshold)),
            ActivationSign::Negative => (
                " (negative part)",
                format!("active below {:.3}", -self.threshold),
            ),
        };
        format!(
            "Feature {}{part}: {} for {} of the held-out tokens on which it is {where_active} \
             ({} of all tokens); it is active on {} of such tokens (F1 {:.2}, MCC {:.2}); {} of \
             its summed activation lies on them.",
            self.feature_id,
            self.predicate,
            percent(self.precision()),
            percent(self.held_out.base_rate()),
            percent(self.recall()),
            self.f1(),
            self.mcc(),
            percent(self.mass_share),
        )
    }
}

impl fmt::Display for FeatureSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence())?;
        if !self.top_tokens.is_empty() {
            let tokens: Vec<String> = self
                .top_tokens
                .iter()
                .map(|(t, share)| format!("“{}” {:.0} %", visible_token(t), 100.0 * share))
                .collect();
            write!(f, " Most activation: {}.", tokens.join(", "))?;
        }
        Ok(())
    }
}

shows_itself!(FeatureSummary);

impl Show for FeatureSummary {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        let of = |part: fn(&TokenExample) -> String| -> Vec<String> {
            self.examples.iter().map(part).collect()
        };
        let frame = df![
            "token" => of(|e| e.token.clone()),
            "context" => of(|e| e.context.clone()),
            "feature" => self.examples.iter().map(|e| e.activation).collect::<Vec<f32>>(),
        ]?;
        Ok(Table::new(frame)
            .gradient("feature")
            .caption(self.to_string())
            .mime_bundle()?
            .with("text/plain", self.to_string()))
    }
}
