//! Each head taken away in turn: what that does to the loss on repeated tokens, and to the attention of
//! one head that may depend on it.
//! Source: the ablations of Olsson et al. 2022, argument 3; mean ablation as in Wang et al. 2022.

use super::super::mechanisms::{head_scores_with_hooks, mean_ablate_head};
use crate::error::{Error, Result};
use crate::model::{Hook, Transformer};
use crate::show::{Interrupts, MimeBundle, Show, Table, shows_itself};
use candle_core::Tensor;
use polars::prelude::{DataFrame, df};
use std::fmt;

/// What is left without one head.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HeadAblation {
    /// The head that is replaced by its mean.
    pub layer: usize,
    pub head: usize,
    /// Mean loss, in nats a token.
    pub loss: f64,
    /// Induction score of the head that is watched.
    pub induction: f64,
}

/// What is left without each head of a model, one at a time.
#[derive(Debug, Clone, PartialEq)]
pub struct HeadAblations {
    /// Block and number of the head whose induction score is watched.
    pub watched: (usize, usize),
    /// Mean loss of the whole model, in nats a token.
    pub loss: f64,
    /// Induction score of the watched head in the whole model.
    pub induction: f64,
    /// By layer, then by head.
    pub ablations: Vec<HeadAblation>,
}

/// Replaces each head's `z` by its mean over `tokens` (repeated sequences, as
/// [`head_scores`](super::super::head_scores) reads them) and measures the loss, and the induction score
/// of the `watched` head, `(layer, head)`. Without the head that it reads its keys from an induction head
/// finds nothing; a head of a later block cannot change where it attends.
///
/// # Errors
/// A head that the model does not have; those of [`head_scores`](super::super::head_scores);
/// [`Error::Interrupted`].
pub fn head_ablations(
    model: &Transformer,
    tokens: &Tensor,
    watched: (usize, usize),
) -> Result<HeadAblations> {
    let cfg = model.cfg();
    for (what, index, n) in [
        ("layer", watched.0, cfg.n_layers),
        ("head", watched.1, cfg.n_heads),
    ] {
        if index >= n {
            return Err(Error::argument(what, index, format!("must be below {n}")));
        }
    }
    let measured = |hooks: &[Hook]| -> Result<(f64, f64)> {
        let scores = head_scores_with_hooks(model, tokens, hooks)?.scores;
        let induction = scores[watched.0 * cfg.n_heads + watched.1].induction;
        Ok((model.loss_with_hooks(tokens, hooks)?, induction))
    };
    let (loss, induction) = measured(&[])?;
    let interrupts = Interrupts::listen();
    let mut ablations = Vec::new();
    for layer in 0..cfg.n_layers {
        for head in 0..cfg.n_heads {
            interrupts.check("the ablation of heads")?;
            let (loss, induction) = measured(&[mean_ablate_head(layer, head)])?;
            ablations.push(HeadAblation {
                layer,
                head,
                loss,
                induction,
            });
        }
    }
    Ok(HeadAblations {
        watched,
        loss,
        induction,
        ablations,
    })
}

impl HeadAblations {
    /// What is left without one head.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a head that the model does not have.
    pub fn without(&self, layer: usize, head: usize) -> Result<HeadAblation> {
        let found = self.ablations.iter();
        let name = |a: &HeadAblation| format!("L{}H{}", a.layer, a.head);
        let place = |a: &&HeadAblation| (a.layer, a.head) == (layer, head);
        found
            .clone()
            .find(place)
            .copied()
            .ok_or_else(|| Error::NotFound {
                kind: "head",
                name: format!("L{layer}H{head}"),
                known: found.map(name).collect(),
            })
    }

    /// One row a head, the whole model first: `ablated`, `loss` (nats a token), `loss_change`,
    /// `induction` (of the watched head), `induction_change`.
    ///
    /// # Errors
    /// [`Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        let mut rows = vec![("none".to_owned(), self.loss, self.induction)];
        rows.extend(self.ablations.iter().map(|a| {
            let name = format!("L{}H{}", a.layer, a.head);
            (name, a.loss, a.induction)
        }));
        let loss = rows.iter().map(|row| row.1);
        let induction = rows.iter().map(|row| row.2);
        Ok(df![
            "ablated" => rows.iter().map(|row| row.0.as_str()).collect::<Vec<&str>>(),
            "loss" => loss.clone().collect::<Vec<f64>>(),
            "loss_change" => loss.map(|x| x - self.loss).collect::<Vec<f64>>(),
            "induction" => induction.clone().collect::<Vec<f64>>(),
            "induction_change" => induction.map(|x| x - self.induction).collect::<Vec<f64>>(),
        ]?)
    }
}

impl fmt::Display for HeadAblations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (layer, head) = self.watched;
        write!(
            f,
            "whole model: loss {:.3}, induction score of L{layer}H{head} {:.3}",
            self.loss, self.induction
        )?;
        for a in &self.ablations {
            write!(
                f,
                "\nwithout L{}H{}: loss {:.3}, induction score {:.3}",
                a.layer, a.head, a.loss, a.induction
            )?;
        }
        Ok(())
    }
}

shows_itself!(HeadAblations);

impl Show for HeadAblations {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        let (layer, head) = self.watched;
        let caption = format!(
            "Each head replaced by its mean. Loss in nats a token; induction score of L{layer}H{head}."
        );
        let bundle = Table::new(self.frame()?).caption(caption).mime_bundle()?;
        Ok(bundle.with("text/plain", self.to_string()))
    }
}
