//! A model that is trained, and what its heads do along the way.
//! At each checkpoint: validation loss, in-context score, and the scores of every head.
//! Source: Olsson et al. 2022, "In-context Learning and Induction Heads", argument 1.

use super::super::mechanisms::{HeadScore, head_scores, repeated_random_tokens};
use super::loss_by_position::loss_by_position;
use crate::config::TrainingConfig;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::model::Transformer;
use crate::progress::Reporter;
use crate::show::NotebookReporter;
use crate::train::{TrainingHistory, train_observed};
use std::ops::Range;

/// Validation sequences that the in-context score is a mean over, at most.
const MAX_SEQUENCES: usize = 128;
/// Repeated sequences that the head scores are means over.
const N_REPEATED: usize = 16;

/// What was measured after some updates.
#[derive(Debug, Clone, PartialEq)]
pub struct FormationPoint {
    /// Updates done.
    pub step: usize,
    /// Mean loss on validation sequences, in nats a token.
    pub loss: f64,
    /// Mean loss at late positions less that at early ones, in nats.
    pub in_context_score: f64,
    /// By layer, then by head.
    pub heads: Vec<HeadScore>,
}

/// A training run with the scores of its heads along the way.
#[derive(Debug, Clone, PartialEq)]
pub struct InductionFormation {
    /// The run.
    pub history: TrainingHistory,
    /// In the order of steps.
    pub points: Vec<FormationPoint>,
    /// Validation sequences that loss and in-context score are means over.
    pub n_sequences: usize,
    /// Positions that count as early: the first tenth.
    pub early: Range<usize>,
    /// Positions that count as late: the last tenth.
    pub late: Range<usize>,
}

/// Trains `model` as [`train`](crate::train::train) does and measures it before the first step, every
/// `every` steps and after the last one: the loss and the in-context score on validation sequences, and
/// [`head_scores`] on repeated random tokens (behind the data's first token). Measuring does not change
/// the run.
///
/// # Errors
/// `every` of 0, a context of fewer than 5 tokens; those of [`train`](crate::train::train) and
/// [`head_scores`].
pub fn induction_formation(
    model: &Transformer,
    data: &Dataset,
    cfg: &TrainingConfig,
    every: usize,
) -> Result<InductionFormation> {
    induction_formation_with(model, data, cfg, every, &mut NotebookReporter::new())
}

/// [`induction_formation`] with progress to `reporter`; [`Silent`](crate::progress::Silent) for none.
///
/// # Errors
/// Those of [`induction_formation`].
pub fn induction_formation_with(
    model: &Transformer,
    data: &Dataset,
    cfg: &TrainingConfig,
    every: usize,
    reporter: &mut dyn Reporter,
) -> Result<InductionFormation> {
    let n_ctx = model.cfg().n_ctx;
    if n_ctx < 5 {
        let reason = "must be at least 5: a token, and two more twice";
        return Err(Error::argument("n_ctx", n_ctx, reason));
    }
    let n_sequences = data.val.n_sequences(n_ctx).clamp(1, MAX_SEQUENCES);
    let tokens = data.val.sequences(n_sequences, n_ctx, model.device())?;
    let (bos, seq_len) = (data.tokenizer.bos(), (n_ctx - 1) / 2);
    let repeated = repeated_random_tokens(model, N_REPEATED, seq_len, Some(bos), cfg.seed)?;
    let tenth = (n_ctx / 10).max(1);
    let (early, late) = (1..1 + tenth, n_ctx - tenth..n_ctx);
    let mut points: Vec<FormationPoint> = Vec::new();
    let history = train_observed(model, data, cfg, reporter, every, &mut |step, model| {
        let losses = loss_by_position(model, &tokens)?;
        points.push(FormationPoint {
            step,
            loss: losses.mean(),
            in_context_score: losses.in_context_score(early.clone(), late.clone())?,
            heads: head_scores(model, &repeated)?.scores,
        });
        Ok(())
    })?;
    Ok(InductionFormation {
        history,
        points,
        n_sequences,
        early,
        late,
    })
}

impl InductionFormation {
    /// The steps between two checkpoints between which the in-context score falls fastest, and by how
    /// much it changes there, in nats; `None` for fewer than two checkpoints or where it never falls.
    pub fn phase_change(&self) -> Option<(Range<usize>, f64)> {
        let falls = self.points.windows(2).filter_map(|pair| {
            let [a, b] = pair else { return None };
            let change = b.in_context_score - a.in_context_score;
            (change < 0.0).then_some((a.step..b.step, change))
        });
        let rate = |fall: &(Range<usize>, f64)| fall.1 / fall.0.len() as f64;
        falls.min_by(|a, b| rate(a).total_cmp(&rate(b)))
    }

    /// The induction head: `(layer, head)` of the highest induction score at the last checkpoint, among
    /// the heads that have a block before them to read.
    ///
    /// # Errors
    /// No checkpoint; a model of one block.
    pub fn induction_head(&self) -> Result<(usize, usize)> {
        self.best_head(1..usize::MAX, |head| head.induction)
    }

    /// The previous-token head: `(layer, head)` of the highest attention to the previous token at the
    /// last checkpoint, among the heads that the induction head can read.
    ///
    /// # Errors
    /// Those of [`InductionFormation::induction_head`].
    pub fn previous_token_head(&self) -> Result<(usize, usize)> {
        let (layer, _) = self.induction_head()?;
        self.best_head(0..layer, |head| head.previous_token)
    }

    fn best_head(
        &self,
        layers: Range<usize>,
        score: fn(&HeadScore) -> f64,
    ) -> Result<(usize, usize)> {
        let heads = self.points.last().map_or(&[][..], |point| &point.heads[..]);
        let heads = heads.iter().filter(|head| layers.contains(&head.layer));
        let best = heads.max_by(|a, b| score(a).total_cmp(&score(b)));
        best.map(|best| (best.layer, best.head)).ok_or_else(|| {
            let reason = "there must be a checkpoint of a model of at least two blocks";
            Error::argument("checkpoints", self.points.len(), reason)
        })
    }
}
