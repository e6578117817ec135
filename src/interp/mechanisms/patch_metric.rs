//! What a patch is judged by: a number of the logits of one sequence.
//! A logit, a difference of two, a log-probability, or a function of one's own.
//! Source: the `patching_metric` of TransformerLens' `patching.py`.

use super::input::{check_index, check_token, elements};
use crate::config::TransformerConfig;
use crate::error::{Error, Result};
use crate::model::Transformer;
use candle_core::{D, DType, IndexOp, Tensor};
use std::fmt;
use std::rc::Rc;

type MetricFn = dyn Fn(&Tensor) -> Result<f64>;

/// A number that says how well a run does the task, from the logits of its one sequence.
#[derive(Clone)]
pub struct PatchMetric {
    name: String,
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    /// `logit(answer)` alone.
    Logit { position: usize, answer: u32 },
    /// `logit(answer) - logit(against)`.
    LogitDifference {
        position: usize,
        answer: u32,
        against: u32,
    },
    /// `ln p(answer)`.
    LogProb { position: usize, answer: u32 },
    /// Of all logits, `[pos, d_vocab]`.
    Custom(Rc<MetricFn>),
}

impl PatchMetric {
    /// `logit(answer) - logit(against)` at `position`.
    pub fn logit_difference(position: usize, answer: u32, against: u32) -> Self {
        Self {
            name: format!("logit of {answer} minus logit of {against} at position {position}"),
            kind: Kind::LogitDifference {
                position,
                answer,
                against,
            },
        }
    }

    /// The logit of `answer` at `position`.
    pub fn logit(position: usize, answer: u32) -> Self {
        Self {
            name: format!("logit of {answer} at position {position}"),
            kind: Kind::Logit { position, answer },
        }
    }

    /// The log-probability of `answer` at `position`, in nats.
    pub fn log_prob(position: usize, answer: u32) -> Self {
        Self {
            name: format!("log-probability of {answer} at position {position} (nats)"),
            kind: Kind::LogProb { position, answer },
        }
    }

    /// A function of the logits of one sequence, `[pos, d_vocab]`, f32. It needs the unembedding of
    /// every position, where the other metrics read one.
    ///
    /// ```
    /// use holoscope::interp::PatchMetric;
    /// let metric = PatchMetric::new("largest logit", |logits| {
    ///     Ok(f64::from(logits.flatten_all()?.max(0)?.to_scalar::<f32>()?))
    /// });
    /// assert_eq!(metric.name(), "largest logit");
    /// ```
    pub fn new(name: &str, f: impl Fn(&Tensor) -> Result<f64> + 'static) -> Self {
        Self {
            name: name.to_owned(),
            kind: Kind::Custom(Rc::new(f)),
        }
    }

    /// What it measures, in words.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The one position whose logits it reads; `None` if it may read all.
    pub(super) fn position(&self) -> Option<usize> {
        match self.kind {
            Kind::Logit { position, .. }
            | Kind::LogitDifference { position, .. }
            | Kind::LogProb { position, .. } => Some(position),
            Kind::Custom(_) => None,
        }
    }

    /// The position that it reads and the tokens whose logits it names; `None` for a function of one's
    /// own.
    pub(in crate::interp) fn target_logits(&self) -> Option<(usize, Vec<u32>)> {
        match self.kind {
            Kind::Logit { position, answer } | Kind::LogProb { position, answer } => {
                Some((position, vec![answer]))
            }
            Kind::LogitDifference {
                position,
                answer,
                against,
            } => Some((position, vec![answer, against])),
            Kind::Custom(_) => None,
        }
    }

    /// An error unless its position and tokens exist.
    pub(super) fn check(&self, cfg: &TransformerConfig, n_pos: usize) -> Result<()> {
        if let Some(position) = self.position() {
            check_index("the metric's position", position, n_pos)?;
        }
        match self.kind {
            Kind::LogitDifference {
                answer, against, ..
            } => {
                check_token(answer, cfg)?;
                check_token(against, cfg)
            }
            Kind::Logit { answer, .. } | Kind::LogProb { answer, .. } => check_token(answer, cfg),
            Kind::Custom(_) => Ok(()),
        }
    }

    /// Its value for each row of residual streams that leave the last block, `[batch, pos, d_model]`.
    pub(super) fn of_residual(&self, model: &Transformer, x: &Tensor) -> Result<Vec<f64>> {
        match &self.kind {
            &Kind::LogitDifference {
                position,
                answer,
                against,
            } => {
                let logits = logits_at(model, x, position)?;
                differences(column(&logits, answer)?, column(&logits, against)?)
            }
            &Kind::Logit { position, answer } => {
                let logits = column(&logits_at(model, x, position)?, answer)?;
                Ok(logits.into_iter().map(f64::from).collect())
            }
            &Kind::LogProb { position, answer } => {
                let logits = logits_at(model, x, position)?;
                let log_z = elements(&logits.log_sum_exp(D::Minus1)?)?;
                differences(column(&logits, answer)?, log_z)
            }
            Kind::Custom(f) => (0..x.dim(0)?)
                .map(|row| {
                    let logits = model.logits_of_residual(&x.narrow(0, row, 1)?.contiguous()?)?;
                    f(&logits.squeeze(0)?.to_dtype(DType::F32)?)
                })
                .collect(),
        }
    }
}

impl PatchMetric {
    /// Its value as a scalar tensor made of logits `[1, pos, d_vocab]` by operations that candle
    /// differentiates.
    ///
    /// # Errors
    /// A function of one's own, of which no gradient is known.
    pub(super) fn of_logits(&self, logits: &Tensor) -> Result<Tensor> {
        let row = |position: usize| Ok::<_, Error>(logits.i((0, position))?.to_dtype(DType::F32)?);
        match self.kind {
            Kind::Logit { position, answer } => Ok(row(position)?.i(answer as usize)?),
            Kind::LogitDifference {
                position,
                answer,
                against,
            } => {
                let row = row(position)?;
                Ok((row.i(answer as usize)? - row.i(against as usize)?)?)
            }
            Kind::LogProb { position, answer } => {
                let row = row(position)?;
                Ok((row.i(answer as usize)? - row.log_sum_exp(D::Minus1)?)?)
            }
            Kind::Custom(_) => {
                let reason = "is a function of one's own, of which no gradient is known";
                let name = format!("{:?}", self.name);
                Err(Error::argument("the metric", name, reason))
            }
        }
    }
}

/// Logits of each row at one position, `[batch, d_vocab]`, f32.
fn logits_at(model: &Transformer, x: &Tensor, position: usize) -> Result<Tensor> {
    let x = x.narrow(1, position, 1)?.contiguous()?; // [batch, 1, d_model]
    let logits = model.logits_of_residual(&x)?;
    Ok(logits.squeeze(1)?.to_dtype(DType::F32)?)
}

fn column(logits: &Tensor, id: u32) -> Result<Vec<f32>> {
    elements(&logits.i((.., id as usize))?)
}

fn differences(a: Vec<f32>, b: Vec<f32>) -> Result<Vec<f64>> {
    let pairs = a.into_iter().zip(b);
    Ok(pairs.map(|(a, b)| f64::from(a) - f64::from(b)).collect())
}

impl fmt::Debug for PatchMetric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PatchMetric")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
