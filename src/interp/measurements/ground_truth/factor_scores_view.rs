//! Scores of factors as a frame and a table.

use super::factor_scores::{FactorScore, FactorScores};
use crate::error::Result;
use crate::interp::activation_sign::{ActivationSign, sign_column};
use crate::show::{Table, shows_itself};
use polars::prelude::{DataFrame, df};
use std::fmt;

impl FactorScores {
    /// Mean held-out F1 of the best features; a factor value that no feature finds counts 0.
    pub fn mean_f1(&self) -> f64 {
        self.mean(|s| s.held_out.f1())
    }

    /// Mean held-out AUC of the features of best AUC.
    pub fn mean_auc(&self) -> f64 {
        self.mean(|s| s.auc)
    }

    /// Mean held-out correlation of the features of highest correlation (mean maximum correlation); a
    /// feature that is silent on the second half counts 0.
    pub fn mean_max_correlation(&self) -> f64 {
        self.mean(|s| s.correlation)
    }

    fn mean(&self, of: fn(&FactorScore) -> f64) -> f64 {
        let known = |v: f64| if v.is_nan() { 0.0 } else { v };
        let sum: f64 = self.scores.iter().map(|s| known(of(s))).sum();
        sum / self.scores.len() as f64
    }

    /// One row a factor value: `factor`, `value`, `base_rate`, `feature`, `precision`, `recall`, `f1`,
    /// `auc_feature`, `auc`, `correlation_feature`, `correlation`; where one of the best is the negative part of a feature,
    /// also `sign`, `auc_sign` and `correlation_sign`.
    ///
    /// # Errors
    /// [`crate::Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        let scores = &self.scores;
        let of = |part: fn(&FactorScore) -> f64| scores.iter().map(part).collect::<Vec<f64>>();
        let text =
            |part: fn(&FactorScore) -> String| scores.iter().map(part).collect::<Vec<String>>();
        let id = |part: fn(&FactorScore) -> Option<usize>| {
            let ids = scores.iter().map(|s| part(s).map(|id| id as u32));
            ids.collect::<Vec<Option<u32>>>()
        };
        let mut frame = df![
            "factor" => text(|s| s.factor.clone()),
            "value" => text(|s| s.value.clone()),
            "base_rate" => of(|s| s.held_out.base_rate()),
            "feature" => id(|s| Some(s.feature_id)),
            "precision" => of(|s| s.held_out.precision()),
            "recall" => of(|s| s.held_out.recall()),
            "f1" => of(|s| s.held_out.f1()),
            "auc_feature" => id(|s| s.auc_feature_id),
            "auc" => of(|s| s.auc),
            "correlation_feature" => id(|s| s.correlation_feature_id),
            "correlation" => of(|s| s.correlation),
        ]?;
        let signs = |sign: fn(&FactorScore) -> ActivationSign| -> Vec<ActivationSign> {
            scores.iter().map(sign).collect()
        };
        for (name, signs) in [
            ("sign", signs(|s| s.sign)),
            ("auc_sign", signs(|s| s.auc_sign)),
            ("correlation_sign", signs(|s| s.correlation_sign)),
        ] {
            if let Some(column) = sign_column(name, &signs) {
                frame.with_column(column)?;
            }
        }
        Ok(frame)
    }
}

impl fmt::Display for FactorScores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} factor values on {} tokens, best single features on the held-out half: mean F1 {:.2}, mean \
             AUC {:.2}, mean maximum correlation {:.2}",
            self.scores.len(),
            self.n_tokens,
            self.mean_f1(),
            self.mean_auc(),
            self.mean_max_correlation()
        )
    }
}

shows_itself!(FactorScores, |it| Table::new(it.frame()?)
    .gradient_within("f1", 0.0, 1.0)
    .caption(it.to_string()));
