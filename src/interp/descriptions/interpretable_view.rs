//! The features that respond to something simple, as text and as a table.

use super::feature_summary::FeatureSummary;
use super::interpretable::InterpretableFeatures;
use crate::error::Result;
use crate::interp::activation_sign::{ActivationSign, sign_column};
use crate::show::{MimeBundle, Show, Table, shows_itself};
use polars::prelude::df;
use std::fmt;

impl fmt::Display for InterpretableFeatures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {} features were active often enough to be scored on {} tokens",
            self.n_scored, self.n_features, self.n_tokens
        )?;
        if self.n_scored > 0 {
            write!(
                f,
                "; a simple predicate explains {:.1} % of them with a held-out MCC of at least \
                 0.5 and {:.1} % with at least 0.8",
                100.0 * self.share_above(0.5),
                100.0 * self.share_above(0.8)
            )?;
        }
        f.write_str(".")?;
        for feature in &self.features {
            write!(f, "\n{feature}")?;
        }
        Ok(())
    }
}

shows_itself!(InterpretableFeatures);

impl Show for InterpretableFeatures {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        let of = |part: fn(&FeatureSummary) -> f64| -> Vec<f64> {
            self.features.iter().map(part).collect()
        };
        let text = |part: fn(&FeatureSummary) -> String| -> Vec<String> {
            self.features.iter().map(part).collect()
        };
        let mut frame = df![
            "feature" => self.features.iter().map(|s| s.feature_id as u32).collect::<Vec<u32>>(),
            "responds to" => text(|s| s.predicate.to_string()),
            "MCC" => of(FeatureSummary::mcc),
            "precision" => of(FeatureSummary::precision),
            "recall" => of(FeatureSummary::recall),
            "F1" => of(FeatureSummary::f1),
            "base rate" => of(|s| s.held_out.base_rate()),
            "frequency" => of(|s| s.frequency),
            "strongest in" => text(|s| s.examples.first().map_or_else(String::new, |e| e.context.clone())),
        ]?;
        let signs: Vec<ActivationSign> = self.features.iter().map(|s| s.sign).collect();
        if let Some(column) = sign_column("sign", &signs) {
            frame.insert_column(1, column)?;
        }
        let text = self.to_string();
        let caption = text.lines().next().unwrap_or_default();
        Ok(Table::new(frame)
            .gradient_within("MCC", -1.0, 1.0)
            .caption(caption)
            .mime_bundle()?
            .with("text/plain", text.as_str()))
    }
}
