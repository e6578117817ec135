//! Activations with a label each, from anywhere or from the factors of a corpus that knows them.

use crate::data::TokenSplit;
use crate::error::{Error, Result};
use crate::interp::activations::{TOKENS_PER_PASS, hook_rows};
use crate::linear_algebra::RealMatrix;
use crate::model::{HookName, Transformer};
use crate::progress::{Progress, Reporter};
use crate::show::NotebookReporter;
use candle_core::Tensor;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Activations `[n, d_in]` with the class of each row.
#[derive(Debug, Clone)]
pub struct LabelledActivations {
    /// `[n, d_in]`
    pub x: Tensor,
    /// Index into `classes`. `[n]`
    pub labels: Vec<usize>,
    /// Names of the classes.
    pub classes: Vec<String>,
}

impl LabelledActivations {
    /// Checks and keeps them.
    ///
    /// # Errors
    /// [`Error::Shape`] for activations that are not `[n, d_in]` with as many rows as labels,
    /// [`Error::Argument`] for no row or a label that is no class, [`Error::NotFiniteAt`] for an
    /// activation that is not finite.
    pub fn new(x: Tensor, labels: Vec<usize>, classes: Vec<String>) -> Result<Self> {
        if x.rank() != 2 || x.dims()[0] != labels.len() {
            let expected = format!("[{} labels, d_in]", labels.len());
            return Err(Error::shape("labelled activations", expected, x.dims()));
        }
        if labels.is_empty() {
            return Err(Error::argument(
                "labels",
                0,
                "there must be at least one row",
            ));
        }
        if let Some(label) = labels.iter().find(|l| **l >= classes.len()) {
            let reason = format!("there are {} classes, from 0 on", classes.len());
            return Err(Error::argument("label", label, reason));
        }
        RealMatrix::from_tensor("labelled activations", &x)?;
        Ok(Self { x, labels, classes })
    }

    /// The rows of some classes, by name, and these classes in the order given.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a name that is no class, [`Error::Argument`] for classes without a row.
    pub fn only(&self, classes: &[&str]) -> Result<Self> {
        let mut place = vec![None; self.classes.len()];
        for (at, class) in classes.iter().enumerate() {
            let found = self.classes.iter().position(|c| c == class);
            let found = found.ok_or_else(|| Error::NotFound {
                kind: "class",
                name: (*class).to_owned(),
                known: self.classes.clone(),
            })?;
            place[found] = Some(at);
        }
        let (mut rows, mut labels) = (Vec::new(), Vec::new());
        for (i, label) in self.labels.iter().enumerate() {
            if let Some(at) = place[*label] {
                rows.push(i as u32);
                labels.push(at);
            }
        }
        let names = classes.iter().map(|c| (*c).to_owned()).collect();
        let rows = Tensor::new(rows.as_slice(), self.x.device())?;
        Self::new(self.x.index_select(&rows, 0)?, labels, names)
    }

    /// The rows here and there of the classes that both have, in the order here: what a probe needs that is trained on
    /// one and tested on the other.
    ///
    /// # Errors
    /// [`Error::Argument`] when they share no class, or a shared one has no row.
    pub fn shared_with(&self, other: &Self) -> Result<(Self, Self)> {
        let shared: Vec<&str> = self
            .classes
            .iter()
            .filter(|class| other.classes.contains(class))
            .map(String::as_str)
            .collect();
        if shared.is_empty() {
            let reason = format!("none of them is among {}", other.classes.join(", "));
            return Err(Error::argument("classes", self.classes.join(", "), reason));
        }
        Ok((self.only(&shared)?, other.only(&shared)?))
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.labels.len()
    }

    /// Number of rows of each class.
    pub fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        self.labels.iter().for_each(|l| counts[*l] += 1);
        counts
    }

    pub(super) fn is_class(&self, class: usize) -> Vec<bool> {
        self.labels.iter().map(|l| *l == class).collect()
    }

    pub(super) fn matrix(&self) -> Result<RealMatrix> {
        RealMatrix::from_tensor("labelled activations", &self.x)
    }
}

/// Both halves have the same classes and width, which is the autoencoder's, and there is something to
/// tell apart.
pub(super) fn check_pair(
    train: &LabelledActivations,
    test: &LabelledActivations,
    d_in: usize,
) -> Result<()> {
    if train.classes != test.classes || train.classes.len() < 2 {
        return Err(Error::argument(
            "classes",
            format!("{:?} and {:?}", train.classes, test.classes),
            "training and test rows need the same two classes or more",
        ));
    }
    for (name, half) in [("training", train), ("test", test)] {
        if half.x.dims()[1] != d_in {
            let what = format!("the {name} activations");
            return Err(Error::shape(
                what,
                format!("[n, d_in = {d_in}]"),
                half.x.dims(),
            ));
        }
        let counts = half.counts();
        if let Some(class) = counts.iter().position(|n| *n < 2) {
            return Err(Error::argument(
                "rows of a class",
                counts[class],
                format!(
                    "class {:?} needs at least 2 {name} rows",
                    half.classes[class]
                ),
            ));
        }
    }
    Ok(())
}

/// Activations at a hook point with the value of one factor of a labelled corpus as the class.
///
/// Sequences of `split` are read in an order drawn by `seed` until every class has `max_per_class` rows
/// or the split ends. Tokens without the factor (value "none") are left out, unless the factor has a
/// single value: then they are its other class. Values that never occur are no classes: where a
/// rare one is missing in one half, [`LabelledActivations::only`] gives both the same ones.
///
/// # Errors
/// A split without labels or without this factor, an unknown hook point, a split in which the factor has
/// fewer than two classes; [`Error::NotFiniteAt`] for an activation that is not finite. An interrupt
/// returns what was read.
pub fn factor_activations(
    model: &Transformer,
    hook_name: &str,
    split: &TokenSplit,
    factor: &str,
    max_per_class: usize,
    seed: u64,
) -> Result<LabelledActivations> {
    factor_activations_with(
        model,
        hook_name,
        split,
        factor,
        max_per_class,
        seed,
        &mut NotebookReporter::new(),
    )
}

/// [`factor_activations`] with its progress shown by `reporter`.
///
/// # Errors
/// Those of [`factor_activations`].
pub fn factor_activations_with(
    model: &Transformer,
    hook_name: &str,
    split: &TokenSplit,
    factor: &str,
    max_per_class: usize,
    seed: u64,
    reporter: &mut dyn Reporter,
) -> Result<LabelledActivations> {
    let n_ctx = model.cfg().n_ctx;
    // Says which factors there are, or that there are none.
    split.sequence_labels(factor, 0, n_ctx)?;
    let labels = split.labels.clone().unwrap_or_default();
    let values = &labels.factors[labels.factor_index(factor)?].values;
    let mut quota = Quota {
        first: usize::from(values.len() > 2),
        most: max_per_class,
        taken: vec![0; values.len()],
        of_rows: Vec::new(),
    };
    let mut rows = Vec::new();
    let mut order: Vec<usize> = (0..split.n_sequences(n_ctx)).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let per_pass = (TOKENS_PER_PASS / n_ctx).max(1);
    let total = order.len() as u64;
    let mut progress = Progress::new(reporter, "labelled activations", "sequence", total);
    for (pass, sequences) in order.chunks(per_pass).enumerate() {
        let flat: Vec<u32> = sequences
            .iter()
            .flat_map(|&i| split.sequence(i, n_ctx))
            .collect();
        let tokens = Tensor::from_vec(flat, (sequences.len(), n_ctx), model.device())?;
        let labels = sequences
            .iter()
            .map(|&i| split.sequence_labels(factor, i, n_ctx));
        let kept = quota.keep(&labels.collect::<Result<Vec<_>>>()?.concat(), n_ctx);
        if !kept.is_empty() {
            let x = all_rows(model, hook_name, &tokens)?;
            let kept = Tensor::new(kept.as_slice(), x.device())?;
            rows.push(x.index_select(&kept, 0)?);
        }
        progress.update((pass * per_pass + sequences.len()) as u64, &[]);
        if quota.is_full() || progress.interrupted() {
            break;
        }
    }
    progress.finish();
    let present = quota.present();
    if present.len() < 2 {
        let reason = "occurs with fewer than two values in this split";
        return Err(Error::argument("factor", factor, reason));
    }
    let class_of = |value: &usize| present.iter().position(|v| v == value).unwrap_or(0);
    LabelledActivations::new(
        Tensor::cat(&rows, 0)?,
        quota.of_rows.iter().map(class_of).collect(),
        present.iter().map(|v| values[*v].clone()).collect(),
    )
}

/// How many rows each value has and may have.
struct Quota {
    /// First value that counts.
    first: usize,
    most: usize,
    /// `[n_values]`
    taken: Vec<usize>,
    /// The value of each row taken.
    of_rows: Vec<usize>,
}

impl Quota {
    /// The places of the labels that are taken, of sequences one after another.
    fn keep(&mut self, labels: &[u16], n_ctx: usize) -> Vec<u32> {
        let mut kept = Vec::new();
        // The first position of a sequence is BOS, which no factor labels.
        for (at, &value) in labels.iter().enumerate().filter(|(at, _)| at % n_ctx > 0) {
            let value = usize::from(value);
            if value >= self.first && self.taken[value] < self.most {
                self.taken[value] += 1;
                kept.push(at as u32);
                self.of_rows.push(value);
            }
        }
        kept
    }

    fn is_full(&self) -> bool {
        self.taken.iter().skip(self.first).all(|n| *n >= self.most)
    }

    /// The values with a row.
    fn present(&self) -> Vec<usize> {
        let values = self.first..self.taken.len();
        values.filter(|v| self.taken[*v] > 0).collect()
    }
}

/// [`hook_rows`] of whatever width the hook point has.
fn all_rows(model: &Transformer, hook_name: &str, tokens: &Tensor) -> Result<Tensor> {
    let at = HookName::of_model(hook_name, model.cfg())?;
    // Of no width are attention patterns, which `hook_rows` refuses.
    hook_rows(model, hook_name, tokens, at.width(model.cfg()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::super::{ProbeConfig, sparse_probing};
    use super::*;
    use crate::config::{CorpusSource, DataConfig, TransformerConfig};
    use crate::data::Dataset;
    use crate::interp::dictionaries::random_dictionary;
    use crate::interp::measurements::factor_scores_with;
    use crate::progress::Silent;
    use candle_core::Device;

    fn small_model() -> (Transformer, Dataset) {
        let data_cfg = DataConfig {
            source: CorpusSource::Embedded,
            embedded_bytes: 60_000,
            ..DataConfig::default()
        };
        let data = Dataset::load_with(&data_cfg, &mut Silent).unwrap();
        let model_cfg = TransformerConfig {
            d_model: 64,
            n_heads: 2,
            d_mlp: 32,
            n_ctx: 32,
            d_vocab: data.tokenizer.n_vocab(),
            init_std: 0.3,
            ..TransformerConfig::default()
        };
        (Transformer::new(&model_cfg).unwrap(), data)
    }

    #[test]
    fn rows_are_the_activations_of_the_tokens_with_the_label() {
        let (model, data) = small_model();
        let of = |factor, most| {
            factor_activations_with(
                &model,
                "hook_embed",
                &data.val,
                factor,
                most,
                1,
                &mut Silent,
            )
        };
        let number = of("number", 50).unwrap();
        assert_eq!(number.classes, ["singular", "plural"]);
        assert_eq!(number.counts(), [50, 50]);
        // Each row is the embedding of a token that has this number somewhere in the split.
        let w_e = model
            .parameter("embed.W_E")
            .unwrap()
            .to_vec2::<f32>()
            .unwrap();
        let labels = data.val.labels.clone().unwrap().column("number").unwrap();
        for (row, label) in number
            .x
            .to_vec2::<f32>()
            .unwrap()
            .iter()
            .zip(&number.labels)
        {
            let mut tokens = data.val.tokens.iter().zip(&labels);
            let found =
                tokens.any(|(t, l)| usize::from(*l) == label + 1 && w_e[*t as usize] == *row);
            assert!(found);
        }
        // A factor with one value: the tokens without it are the other class.
        assert_eq!(of("quotation", 20).unwrap().classes, ["none", "quoted"]);
        assert!(of("no such factor", 20).is_err());
        let mut unlabelled = data.val.clone();
        unlabelled.labels = None;
        let cfg = ("hook_embed", "number");
        let found = factor_activations_with(&model, cfg.0, &unlabelled, cfg.1, 9, 1, &mut Silent);
        assert!(found.is_err());
    }

    #[test]
    fn the_embedded_corpus_can_be_probed_and_scored() {
        let (model, data) = small_model();
        let of = |split, seed| {
            let at = "hook_embed";
            factor_activations_with(&model, at, split, "part", 300, seed, &mut Silent)?.only(&[
                "determiner",
                "noun",
                "verb",
            ])
        };
        let (train, test) = (of(&data.train, 1).unwrap(), of(&data.val, 2).unwrap());
        let sae = random_dictionary(&model, "hook_embed", &data.train, (64, 128), 8.0, 1).unwrap();
        let found = sparse_probing(&sae, &train, &test, &ProbeConfig::default()).unwrap();
        assert_eq!(found.rows[0].class, "determiner");
        assert_eq!((found.n_train, found.rows.len()), (train.n_rows(), 9));
        // Determiners are few different tokens, which 64 random dimensions tell from the others.
        let seen = sparse_probing(&sae, &train, &train, &ProbeConfig::default()).unwrap();
        assert!(seen.rows[0].full_accuracy > 0.8, "{seen:?}");
        assert!(found.rows[0].full_accuracy > 0.6, "{found:?}");
        assert!(found.accuracy(5) > 0.5, "{found:?}");
        let unknown = train.only(&["nouns"]).unwrap_err().to_string();
        assert!(unknown.contains("determiner, noun, verb"), "{unknown}");
        // Two of the classes in another order share what both have, in the order of the first.
        let other = test.only(&["verb", "noun"]).unwrap();
        let (here, there) = train.shared_with(&other).unwrap();
        assert_eq!(
            (&here.classes, &there.classes),
            (&there.classes, &here.classes)
        );
        assert_eq!(here.classes, ["noun", "verb"]);
        assert_eq!(here.counts(), train.counts()[1..]);
        let none = train.only(&["determiner"]).unwrap().shared_with(&other);
        assert!(none.unwrap_err().to_string().contains("verb, noun"));

        let scores =
            factor_scores_with(&model, &sae, "hook_embed", &data.val, &mut Silent).unwrap();
        assert!(scores.scores.len() > 20);
        for s in &scores.scores {
            assert!(s.feature_id < 128 && s.auc_feature_id < Some(128), "{s:?}");
            assert!(s.auc > 0.0 && s.auc <= 1.0, "{s:?}");
        }
        assert!(
            scores.mean_auc() > 0.5 && scores.mean_f1() < 1.0,
            "{scores}"
        );
        assert!(scores.mean_max_correlation() > 0.0);
        assert_eq!(scores.frame().unwrap().width(), 11);
        let none = Tensor::zeros((2, 2), candle_core::DType::F32, &Device::Cpu).unwrap();
        assert!(LabelledActivations::new(none, vec![0], vec!["a".to_owned()]).is_err());
    }
}
