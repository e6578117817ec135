//! Sparse probing: how well k features tell a class from the rest.
//! The k features of largest `|mean_pos - mean_neg|` on the training rows, then logistic regression.
//! Source: Gurnee et al. 2023, arXiv:2305.01610; SAEBench 0.6, `evals/sparse_probing`.

use super::activations::{LabelledActivations, check_pair};
use super::config::ProbeConfig;
use super::feature_rows::FeatureRows;
use super::logistic::fit;
use super::probe::{BinaryScore, balanced, largest, logits, picked};
use crate::error::Result;
use crate::linear_algebra::RealMatrix;
use crate::sae::SparseAutoencoder;
use crate::show::{Table, shows_itself};
use polars::prelude::{DataFrame, df};
use std::fmt;

/// One class with probes of one k.
#[derive(Debug, Clone, PartialEq)]
pub struct SparseProbeRow {
    pub class: String,
    pub k: usize,
    /// The features chosen on the training rows, the most different first.
    pub features: Vec<usize>,
    /// Share of the balanced test rows that the probe on the features gets right.
    pub accuracy: f64,
    pub f1: f64,
    /// The same for the k most different dimensions of the activation.
    pub neuron_accuracy: f64,
    pub neuron_f1: f64,
    /// The same for a probe on the whole activation, whatever k.
    pub full_accuracy: f64,
    pub full_f1: f64,
}

/// Sparse probes for every class and every k.
#[derive(Debug, Clone, PartialEq)]
pub struct SparseProbing {
    pub rows: Vec<SparseProbeRow>,
    pub n_train: usize,
    pub n_test: usize,
}

/// Fits sparse probes on `train` and scores them on `test`, each class against as many rows of the rest.
///
/// Two departures from SAEBench, neither in the definition of a sparse probe: rows are what the caller
/// gives (tokens or means over tokens), and no epoch is chosen by the test rows, as all probes are
/// fitted to convergence.
///
/// # Errors
/// Halves of different classes, a class with fewer than two rows, activations of another width than the
/// autoencoder's, anything that is not finite, a configuration out of range.
pub fn sparse_probing(
    sae: &dyn SparseAutoencoder,
    train: &LabelledActivations,
    test: &LabelledActivations,
    cfg: &ProbeConfig,
) -> Result<SparseProbing> {
    cfg.validate()?;
    check_pair(train, test, sae.d_in())?;
    let features = [train, test].map(|half| FeatureRows::encode(sae, &half.x));
    let [train_features, test_features] = features;
    let (train_features, test_features) = (train_features?, test_features?);
    let (train_x, test_x) = (train.matrix()?, test.matrix()?);
    let mut rows = Vec::new();
    for (class, name) in train.classes.iter().enumerate() {
        let fold = Fold::new(train, test, class, cfg);
        let full = fold.score(&train_x.select(&fold.train), &test_x.select(&fold.test))?;
        let by_feature = fold.feature_order(&train_features);
        let by_neuron = fold.neuron_order(&train_x);
        for &k in &cfg.ks {
            let chosen = largest(&by_feature, k);
            let probe = fold.score(
                &train_features.gather(&fold.train, &chosen),
                &test_features.gather(&fold.test, &chosen),
            )?;
            let neurons = largest(&by_neuron, k);
            let of_neurons = |x: &RealMatrix, rows: &[usize]| columns(x, rows, &neurons);
            let neuron = fold.score(
                &of_neurons(&train_x, &fold.train),
                &of_neurons(&test_x, &fold.test),
            )?;
            rows.push(SparseProbeRow {
                class: name.clone(),
                k,
                features: chosen,
                accuracy: probe.accuracy,
                f1: probe.f1,
                neuron_accuracy: neuron.accuracy,
                neuron_f1: neuron.f1,
                full_accuracy: full.accuracy,
                full_f1: full.f1,
            });
        }
    }
    Ok(SparseProbing {
        rows,
        n_train: train.n_rows(),
        n_test: test.n_rows(),
    })
}

/// The balanced rows of one class in either half.
struct Fold<'a> {
    cfg: &'a ProbeConfig,
    train: Vec<usize>,
    train_y: Vec<bool>,
    test: Vec<usize>,
    test_y: Vec<bool>,
}

impl<'a> Fold<'a> {
    fn new(
        train: &LabelledActivations,
        test: &LabelledActivations,
        class: usize,
        cfg: &'a ProbeConfig,
    ) -> Self {
        let [(train, train_y), (test, test_y)] = [train, test].map(|half| {
            let y = half.is_class(class);
            let rows = balanced(&y, cfg.seed);
            let y = picked(&y, &rows);
            (rows, y)
        });
        Self {
            cfg,
            train,
            train_y,
            test,
            test_y,
        }
    }

    fn score(&self, train: &RealMatrix, test: &RealMatrix) -> Result<BinaryScore> {
        let probe = fit(train, &self.train_y, self.cfg.c)?;
        Ok(BinaryScore::of(&logits(&probe, test), &self.test_y))
    }

    /// `|mean_pos - mean_neg|` over the balanced training rows. `[d_sae]`
    fn feature_order(&self, features: &FeatureRows) -> Vec<f64> {
        let of = |answer: bool| {
            let rows = self.train.iter().zip(&self.train_y);
            let rows: Vec<usize> = rows
                .filter(|(_, y)| **y == answer)
                .map(|(i, _)| *i)
                .collect();
            features.means(|i| rows.binary_search(&i).is_ok())
        };
        difference(&of(true), &of(false))
    }

    fn neuron_order(&self, x: &RealMatrix) -> Vec<f64> {
        let of = |answer: bool| {
            let rows = self.train.iter().zip(&self.train_y);
            let rows: Vec<usize> = rows
                .filter(|(_, y)| **y == answer)
                .map(|(i, _)| *i)
                .collect();
            x.select(&rows).mean_row()
        };
        difference(&of(true), &of(false))
    }
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).collect()
}

fn columns(x: &RealMatrix, rows: &[usize], columns: &[usize]) -> RealMatrix {
    RealMatrix::from_entries(rows.len(), columns.len(), |i, j| {
        x.entry(rows[i], columns[j])
    })
}

impl SparseProbing {
    /// Mean test accuracy over the classes of the probes on `k` features; NaN for a k that was not tried.
    pub fn accuracy(&self, k: usize) -> f64 {
        self.mean(k, |row| row.accuracy)
    }

    /// The same on k dimensions of the activation.
    pub fn neuron_accuracy(&self, k: usize) -> f64 {
        self.mean(k, |row| row.neuron_accuracy)
    }

    fn mean(&self, k: usize, of: fn(&SparseProbeRow) -> f64) -> f64 {
        let of_k: Vec<f64> = self.rows.iter().filter(|r| r.k == k).map(of).collect();
        of_k.iter().sum::<f64>() / of_k.len() as f64
    }

    /// One row a class and k: `class`, `k`, `feature` (the first one), `accuracy`, `f1`,
    /// `neuron_accuracy`, `neuron_f1`, `full_accuracy`, `full_f1`.
    ///
    /// # Errors
    /// [`crate::Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        let rows = &self.rows;
        let of = |part: fn(&SparseProbeRow) -> f64| rows.iter().map(part).collect::<Vec<f64>>();
        let first = |row: &SparseProbeRow| row.features.first().map(|f| *f as u32);
        Ok(df![
            "class" => rows.iter().map(|r| r.class.clone()).collect::<Vec<String>>(),
            "k" => rows.iter().map(|r| r.k as u32).collect::<Vec<u32>>(),
            "feature" => rows.iter().map(first).collect::<Vec<Option<u32>>>(),
            "accuracy" => of(|r| r.accuracy),
            "f1" => of(|r| r.f1),
            "neuron_accuracy" => of(|r| r.neuron_accuracy),
            "neuron_f1" => of(|r| r.neuron_f1),
            "full_accuracy" => of(|r| r.full_accuracy),
            "full_f1" => of(|r| r.full_f1),
        ]?)
    }
}

impl fmt::Display for SparseProbing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut ks: Vec<usize> = self.rows.iter().map(|r| r.k).collect();
        ks.sort_unstable();
        ks.dedup();
        write!(f, "sparse probing, mean test accuracy over the classes:")?;
        for k in ks {
            let (own, neurons) = (self.accuracy(k), self.neuron_accuracy(k));
            write!(f, " k = {k}: {own:.3} (neurons {neurons:.3});")?;
        }
        let full = self.rows.iter().map(|r| r.full_accuracy).sum::<f64>();
        write!(f, " whole activation: {:.3}", full / self.rows.len() as f64)
    }
}

shows_itself!(SparseProbing, |it| Table::new(it.frame()?)
    .gradient_within("accuracy", 0.0, 1.0)
    .caption(it.to_string()));

#[cfg(test)]
mod tests {
    use super::super::testing::{axes, class_names, dictionary, labelled};
    use super::*;
    use crate::show::Show;
    use candle_core::{Device, Tensor};

    /// Three classes, each along an axis of its own, with a little of the others.
    fn rows(seed: usize) -> LabelledActivations {
        let of = move |i: usize| {
            let mut x = [0.0; 3];
            let noise = |j: usize| 0.1 * ((i * 5 + j * 3 + seed) % 4) as f32;
            (0..3).for_each(|j| x[j] = noise(j));
            x[i % 3] += 3.0;
            (x, i % 3)
        };
        labelled((0..150).map(of), class_names(3))
    }

    #[test]
    fn the_feature_of_the_class_is_chosen_and_tells_it_from_the_rest() {
        let found = sparse_probing(&axes(), &rows(0), &rows(2), &ProbeConfig::default()).unwrap();
        assert_eq!(found.rows.len(), 9);
        for row in &found.rows {
            let class: usize = row.class["class ".len()..].parse().unwrap();
            assert_eq!(row.features[0], class, "{row:?}");
            assert_eq!(row.features.len(), row.k.min(3));
            // The features are the neurons here.
            let of_features = (row.accuracy, row.f1);
            assert_eq!(of_features, (row.neuron_accuracy, row.neuron_f1));
            assert_eq!((row.accuracy, row.full_accuracy), (1.0, 1.0), "{row:?}");
        }
        assert_eq!((found.accuracy(1), found.neuron_accuracy(5)), (1.0, 1.0));
        assert!(found.accuracy(3).is_nan());
        assert_eq!(found.frame().unwrap().shape(), (9, 9));
        assert!(found.mime_bundle().unwrap().get("text/html").is_some());
    }

    #[test]
    fn a_dictionary_that_sees_nothing_is_at_chance_whatever_the_activations_tell() {
        let blind = dictionary(&[[-1.0, -1.0, -1.0]], &[[1.0, 0.0, 0.0]]);
        let found = sparse_probing(&blind, &rows(0), &rows(2), &ProbeConfig::default()).unwrap();
        for row in &found.rows {
            assert_eq!((row.accuracy, row.f1), (0.5, 0.0), "{row:?}");
            assert_eq!(row.full_accuracy, 1.0);
        }
    }

    #[test]
    fn halves_that_do_not_fit_are_clear_errors() {
        let cfg = ProbeConfig::default();
        let run = |train: &LabelledActivations, test: &LabelledActivations, cfg: &ProbeConfig| {
            sparse_probing(&axes(), train, test, cfg)
                .unwrap_err()
                .to_string()
        };
        let other = labelled([([0.0; 3], 0), ([1.0; 3], 1)].into_iter(), class_names(2));
        assert!(run(&rows(0), &other, &cfg).contains("same two classes"));
        assert!(run(&other, &other, &cfg).contains("at least 2 training rows"));
        let none = ProbeConfig {
            ks: vec![0],
            ..cfg.clone()
        };
        assert!(run(&rows(0), &rows(1), &none).contains("ks = [0]"));
        let narrow = Tensor::zeros((4, 2), candle_core::DType::F32, &Device::Cpu).unwrap();
        let narrow = LabelledActivations::new(narrow, vec![0, 0, 1, 1], class_names(2)).unwrap();
        assert!(run(&narrow, &narrow, &cfg).contains("d_in = 3"));
        let nan = Tensor::new(&[[f32::NAN]], &Device::Cpu).unwrap();
        assert!(LabelledActivations::new(nan, vec![0], class_names(1)).is_err());
        let empty = Tensor::zeros((0, 3), candle_core::DType::F32, &Device::Cpu).unwrap();
        assert!(LabelledActivations::new(empty.clone(), Vec::new(), class_names(1)).is_err());
        assert!(LabelledActivations::new(empty, vec![1], class_names(1)).is_err());
    }
}
