//! Targeted probe perturbation: do the features of one class matter for its probe alone?
//! `TPP = mean_i [(A_i - A_i without F_i) - mean_{j != i} (A_j - A_j without F_i)]`, A_i the accuracy of the
//! probe of class i, F_i the n features of largest effect on it. Source: SAEBench 0.6, `evals/scr_and_tpp`.

use super::activations::{LabelledActivations, check_pair};
use super::config::ProbeConfig;
use super::effects::{ablated_logit, along_decoder, mean_difference, strongest};
use super::feature_rows::FeatureRows;
use super::logistic::LogisticRegression;
use super::probe::{BinaryScore, balanced, class_probe, picked};
use crate::error::Result;
use crate::linear_algebra::RealMatrix;
use crate::sae::SparseAutoencoder;
use crate::show::{Table, shows_itself};
use polars::prelude::{DataFrame, df};
use std::fmt;

/// The features of one class ablated.
#[derive(Debug, Clone, PartialEq)]
pub struct ProbePerturbationRow {
    /// The class whose features are ablated.
    pub class: String,
    /// Features ablated, at most.
    pub n_ablated: usize,
    /// Accuracy of its own probe before.
    pub accuracy: f64,
    /// How much that falls.
    pub own_drop: f64,
    /// How much the accuracy of the other classes' probes falls on average.
    pub other_drop: f64,
}

/// Every class with every number of ablated features.
#[derive(Debug, Clone, PartialEq)]
pub struct ProbePerturbation {
    pub rows: Vec<ProbePerturbationRow>,
}

/// Fits a probe to every class on `train`, finds the features of largest effect on it there, and measures
/// on `test` whose probes suffer without them.
///
/// A feature's effect counts where it is more active on the class than on the rest (SAEBench clamps the
/// difference of the means at 0). Probes are converged logistic regressions, not the best epoch by test
/// accuracy.
///
/// # Errors
/// Those of [`super::sparse_probing`]; a decoder that is not finite.
pub fn targeted_probe_perturbation(
    sae: &dyn SparseAutoencoder,
    train: &LabelledActivations,
    test: &LabelledActivations,
    cfg: &ProbeConfig,
) -> Result<ProbePerturbation> {
    cfg.validate()?;
    check_pair(train, test, sae.d_in())?;
    let w_dec = RealMatrix::from_tensor("W_dec", &sae.w_dec())?;
    let features = FeatureRows::encode(sae, &train.x)?;
    let test_features = FeatureRows::encode(sae, &test.x)?;
    let (train_x, test_x) = (train.matrix()?, test.matrix()?);
    let classes = (0..train.classes.len())
        .map(|class| {
            let y = train.is_class(class);
            let probe = class_probe(&train_x, &y, cfg.c, cfg.seed)?;
            let along = along_decoder(&probe, &w_dec);
            let difference = mean_difference(&features, &y, &balanced(&y, cfg.seed));
            let effects = difference.iter().zip(&along).map(|(d, a)| d.max(0.0) * a);
            let test_y = test.is_class(class);
            let rows = balanced(&test_y, cfg.seed);
            Ok(Class {
                effects: effects.collect(),
                y: picked(&test_y, &rows),
                rows,
                along,
                probe,
            })
        })
        .collect::<Result<Vec<Class>>>()?;
    let accuracy = |j: usize, without: &[usize]| {
        let class: &Class = &classes[j];
        class.accuracy(&test_x, &test_features, without)
    };
    let clean: Vec<f64> = (0..classes.len()).map(|j| accuracy(j, &[])).collect();
    let mut rows = Vec::new();
    for &n_ablated in &cfg.n_ablated {
        for (i, class) in classes.iter().enumerate() {
            let without = strongest(&class.effects, n_ablated);
            let drops: Vec<f64> = (0..classes.len())
                .map(|j| clean[j] - accuracy(j, &without))
                .collect();
            let all: f64 = drops.iter().sum();
            rows.push(ProbePerturbationRow {
                class: train.classes[i].clone(),
                n_ablated,
                accuracy: clean[i],
                own_drop: drops[i],
                other_drop: (all - drops[i]) / (classes.len() - 1) as f64,
            });
        }
    }
    Ok(ProbePerturbation { rows })
}

/// A class with its probe, and its balanced test rows.
struct Class {
    probe: LogisticRegression,
    /// `[d_sae]`
    along: Vec<f64>,
    effects: Vec<f64>,
    rows: Vec<usize>,
    y: Vec<bool>,
}

impl Class {
    /// Accuracy of its probe on its test rows without some features.
    fn accuracy(&self, x: &RealMatrix, features: &FeatureRows, without: &[usize]) -> f64 {
        let logit = |i: &usize| {
            let logit = self.probe.logit(x.row(*i));
            ablated_logit(logit, &features.rows[*i], &self.along, without)
        };
        let logits: Vec<f64> = self.rows.iter().map(logit).collect();
        BinaryScore::of(&logits, &self.y).accuracy
    }
}

impl ProbePerturbation {
    /// The TPP score with `n_ablated` features: the mean over the classes of how much more their own
    /// probe loses than the others; NaN for a number that was not tried.
    pub fn score(&self, n_ablated: usize) -> f64 {
        let of_n: Vec<f64> = self
            .rows
            .iter()
            .filter(|r| r.n_ablated == n_ablated)
            .map(|r| r.own_drop - r.other_drop)
            .collect();
        of_n.iter().sum::<f64>() / of_n.len() as f64
    }

    /// One row a class and number of features: `class`, `n_ablated`, `accuracy`, `own_drop`,
    /// `other_drop`, `difference`.
    ///
    /// # Errors
    /// [`crate::Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        let rows = &self.rows;
        let of =
            |part: fn(&ProbePerturbationRow) -> f64| rows.iter().map(part).collect::<Vec<f64>>();
        Ok(df![
            "class" => rows.iter().map(|r| r.class.clone()).collect::<Vec<String>>(),
            "n_ablated" => rows.iter().map(|r| r.n_ablated as u32).collect::<Vec<u32>>(),
            "accuracy" => of(|r| r.accuracy),
            "own_drop" => of(|r| r.own_drop),
            "other_drop" => of(|r| r.other_drop),
            "difference" => of(|r| r.own_drop - r.other_drop),
        ]?)
    }
}

impl fmt::Display for ProbePerturbation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "targeted probe perturbation (TPP):")?;
        let mut ns: Vec<usize> = self.rows.iter().map(|r| r.n_ablated).collect();
        ns.sort_unstable();
        ns.dedup();
        for n in ns {
            write!(f, " {n} features: {:.3};", self.score(n))?;
        }
        Ok(())
    }
}

shows_itself!(ProbePerturbation, |it| Table::new(it.frame()?)
    .gradient_within("difference", -1.0, 1.0)
    .caption(it.to_string()));

#[cfg(test)]
mod tests {
    use super::super::testing::{axes, class_names, dictionary, labelled};
    use super::*;

    /// Three classes, each along an axis of its own.
    fn rows(seed: usize) -> LabelledActivations {
        let of = move |i: usize| {
            let mut x = [0.0; 3];
            x[i % 3] = 3.0 + 0.01 * ((i * 7 + seed) % 10) as f32;
            (x, i % 3)
        };
        labelled((0..150).map(of), class_names(3))
    }

    fn run(sae: &dyn SparseAutoencoder) -> ProbePerturbation {
        let cfg = ProbeConfig {
            n_ablated: vec![1],
            ..ProbeConfig::default()
        };
        targeted_probe_perturbation(sae, &rows(0), &rows(3), &cfg).unwrap()
    }

    #[test]
    fn features_of_one_class_each_hurt_their_own_probe_most() {
        let found = run(&axes());
        for row in &found.rows {
            assert_eq!(row.accuracy, 1.0);
            // Without its axis a row of the class is at the origin, where its probe says either yes for
            // all of the class or no.
            assert!(row.own_drop == 0.5 || row.own_drop == 0.0, "{row:?}");
            assert!(row.own_drop >= row.other_drop, "{row:?}");
        }
        assert!(found.score(1) > 0.1, "{found}");
        assert_eq!(found.frame().unwrap().shape(), (3, 6));
        assert!(found.score(7).is_nan());
    }

    /// Against the definition itself: the ablated activation, written out, through the probe.
    #[test]
    fn drops_are_those_of_activations_with_the_features_taken_out() {
        let sae = dictionary(
            &[
                [1.0, 0.5, 0.0],
                [0.0, 1.0, 0.3],
                [0.2, 0.0, 1.0],
                [1.0, 1.0, -1.0],
            ],
            &[
                [1.0, 0.1, 0.0],
                [0.0, 1.0, 0.0],
                [0.3, 0.0, 1.0],
                [0.4, 0.4, 0.1],
            ],
        );
        let (train, test) = (rows(0), rows(3));
        let w_dec = RealMatrix::from_tensor("W_dec", &sae.w_dec()).unwrap();
        let features = FeatureRows::encode(&sae, &test.x).unwrap();
        let (train_x, x) = (train.matrix().unwrap(), test.matrix().unwrap());
        let probe = class_probe(&train_x, &train.is_class(1), 1.0, 0).unwrap();
        let along = along_decoder(&probe, &w_dec);
        for without in [vec![0], vec![1, 3], vec![0, 1, 2, 3]] {
            for i in 0..x.n_rows() {
                let mut ablated = x.row(i).to_vec();
                for &f in &without {
                    for (v, w) in ablated.iter_mut().zip(w_dec.row(f)) {
                        *v -= features.act(i, f) * w;
                    }
                }
                let logit = probe.logit(x.row(i));
                let fast = ablated_logit(logit, &features.rows[i], &along, &without);
                assert!((fast - probe.logit(&ablated)).abs() < 1e-9);
            }
        }
        assert_eq!(strongest(&[0.5, -1.0, 0.0, 2.0], 3), [0, 3]);
    }

    #[test]
    fn a_dead_dictionary_perturbs_nothing() {
        let dead = dictionary(&[[-1.0, -1.0, -1.0]], &[[1.0, 0.0, 0.0]]);
        assert_eq!(run(&dead).score(1), 0.0);
    }
}
