//! The tokens on which one feature is most active, with their contexts, as typed rows.
//! Source: the top-activation tables of 1L-Sparse-Autoencoder.

use crate::data::Tokenizer;
use crate::error::Result;
use crate::interp::activations::{check_feature, encoded_rows};
use crate::interp::order::largest_first;
use crate::interp::token_frame::{context, token_rows, visible_tokens};
use crate::model::Transformer;
use crate::sae::SparseAutoencoder;
use crate::show::{Interrupts, Table, format_number, shows_itself};
use candle_core::{IndexOp, Tensor};
use polars::prelude::{DataFrame, df};
use std::fmt;

/// One token on which a feature is active.
#[derive(Debug, Clone, PartialEq)]
pub struct TopActivation {
    /// The token as shown.
    pub token: String,
    /// `prefix|token|suffix`: up to five tokens before, one after.
    pub context: String,
    /// Which sequence.
    pub batch: usize,
    /// Which token of it.
    pub pos: usize,
    pub activation: f32,
}

/// The tokens on which a feature is most active.
#[derive(Debug, Clone, PartialEq)]
pub struct TopActivations {
    pub feature_id: usize,
    /// Sequences read.
    pub n_read: usize,
    /// Sequences that were to be read: more after an interrupt.
    pub n_sequences: usize,
    /// The most active first, NaN before all; equal ones in the order of the text.
    pub rows: Vec<TopActivation>,
}

/// The `k` tokens of `tokens` `[batch, pos]` on which a feature is most active, with their
/// contexts. An interrupt gives those of the sequences read until then.
///
/// # Errors
/// No such feature or hook point, tokens that the model cannot read.
pub fn top_activations(
    model: &Transformer,
    sae: &dyn SparseAutoencoder,
    hook_name: &str,
    tokenizer: &Tokenizer,
    tokens: &Tensor,
    feature_id: usize,
    k: usize,
) -> Result<TopActivations> {
    check_feature(sae, feature_id)?;
    let rows = token_rows(tokens)?;
    let mut found: Vec<(f32, usize, usize)> = Vec::new();
    let interrupts = Interrupts::listen();
    let mut n_read = 0;
    for (b, row) in rows.iter().enumerate() {
        if interrupts.heard() {
            break;
        }
        n_read += 1;
        let one = Tensor::from_slice(row, (1, row.len()), model.device())?;
        let acts = encoded_rows(model, sae, hook_name, &one)?; // [pos, d_sae]
        let acts = acts.i((.., feature_id))?.to_vec1::<f32>()?;
        found.extend(acts.iter().enumerate().map(|(p, &act)| (act, b, p)));
    }
    // Stable, so that equal activations keep the order of the text.
    found.sort_by(|a, b| largest_first(f64::from(a.0), f64::from(b.0)));
    found.truncate(k);
    let top = found.into_iter().map(|(activation, batch, pos)| {
        let visible = visible_tokens(tokenizer, &rows[batch]);
        TopActivation {
            token: visible[pos].clone(),
            context: context(&visible, pos, 5, 1),
            batch,
            pos,
            activation,
        }
    });
    Ok(TopActivations {
        feature_id,
        n_read,
        n_sequences: rows.len(),
        rows: top.collect(),
    })
}

impl TopActivations {
    /// One row a token: `token`, `context`, `batch`, `pos`, `feature` (the activation).
    ///
    /// # Errors
    /// [`crate::Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        let text = |of: fn(&TopActivation) -> &String| -> Vec<&str> {
            self.rows.iter().map(|row| of(row).as_str()).collect()
        };
        let place = |of: fn(&TopActivation) -> usize| -> Vec<u32> {
            self.rows.iter().map(|row| of(row) as u32).collect()
        };
        Ok(df![
            "token" => text(|row| &row.token),
            "context" => text(|row| &row.context),
            "batch" => place(|row| row.batch),
            "pos" => place(|row| row.pos),
            "feature" => self.rows.iter().map(|row| row.activation).collect::<Vec<f32>>(),
        ]?)
    }

    fn title(&self) -> String {
        let title = format!("Feature {}: tokens of highest activation", self.feature_id);
        match self.n_read == self.n_sequences {
            true => title,
            false => format!(
                "{title}, interrupted after {} of {} sequences",
                self.n_read, self.n_sequences
            ),
        }
    }
}

impl fmt::Display for TopActivations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.title())?;
        for row in &self.rows {
            let activation = format_number(f64::from(row.activation));
            write!(
                f,
                "\n{activation}: {} at {}/{}",
                row.context, row.batch, row.pos
            )?;
        }
        Ok(())
    }
}

shows_itself!(TopActivations, |it| Table::new(it.frame()?)
    .gradient("feature")
    .head(it.rows.len())
    .caption(it.title()));
