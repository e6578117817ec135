//! A dictionary's reconstruction beside that of its control, as one table.

use super::reconstruction::ReconstructionScore;
use crate::error::Result;
use crate::show::{Table, format_number, shows_itself};
use polars::prelude::{DataFrame, df};
use std::fmt;

/// The reconstruction of a learned dictionary and of its control.
#[derive(Debug, Clone, PartialEq)]
pub struct ControlledScore {
    pub learned: ReconstructionScore,
    pub control: ReconstructionScore,
}

impl ReconstructionScore {
    /// This score beside that of a control, such as [`random_dictionary`](super::random_dictionary), on the same
    /// sequences.
    pub fn beside(&self, control: &ReconstructionScore) -> ControlledScore {
        ControlledScore {
            learned: self.clone(),
            control: control.clone(),
        }
    }
}

/// What is compared; higher is better for all but the last, which should be equal.
type Measure = (&'static str, fn(&ReconstructionScore) -> f64);
const MEASURES: [Measure; 4] = [
    ("score against zero ablation", |s| s.score),
    ("score against mean ablation", |s| s.score_against_mean()),
    ("explained variance", |s| s.explained_variance),
    ("active features (L0)", |s| s.l0),
];

impl ControlledScore {
    /// One row a measure: `measure`, `learned`, `control`.
    ///
    /// # Errors
    /// [`crate::Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        let of = |score: &ReconstructionScore| MEASURES.map(|(_, value)| value(score)).to_vec();
        Ok(df![
            "measure" => MEASURES.map(|(name, _)| name).to_vec(),
            "learned" => of(&self.learned),
            "control" => of(&self.control),
        ]?)
    }

    fn title(&self) -> String {
        format!(
            "Reconstruction at {} on {} tokens: learned, and a control of as many features",
            self.learned.hook_name, self.learned.n_tokens
        )
    }
}

impl fmt::Display for ControlledScore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.title())?;
        for (name, value) in MEASURES {
            let [learned, control] =
                [&self.learned, &self.control].map(|s| format_number(value(s)));
            write!(f, "\n{name}: {learned} learned, {control} control")?;
        }
        Ok(())
    }
}

shows_itself!(ControlledScore, |it| Table::new(it.frame()?)
    .caption(it.title()));

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::Show;

    #[test]
    fn both_scores_stand_side_by_side() {
        let learned = ReconstructionScore {
            hook_name: "hook_embed".to_owned(),
            loss: 1.0,
            recons: 1.5,
            zero_abl: 3.0,
            mean_abl: 2.0,
            score: 0.75,
            l0: 4.0,
            explained_variance: 0.5,
            n_tokens: 100,
        };
        let control = ReconstructionScore {
            recons: 2.5,
            score: 0.25,
            ..learned.clone()
        };
        let both = learned.beside(&control);
        let frame = both.frame().unwrap();
        let column = |name: &str| -> Vec<f64> {
            let values = frame.column(name).unwrap().f64().unwrap().clone();
            values.iter().flatten().collect()
        };
        // Against the mean: (2 - 1.5) / (2 - 1) and (2 - 2.5) / (2 - 1).
        assert_eq!(column("learned"), [0.75, 0.5, 0.5, 4.0]);
        assert_eq!(column("control"), [0.25, -0.5, 0.5, 4.0]);
        assert!(
            both.to_string()
                .contains("score against mean ablation: 0.5 learned, -0.5 control")
        );
        let shown = both.mime_bundle().unwrap();
        assert!(shown.get("text/html").unwrap().contains("on 100 tokens"));
    }
}
