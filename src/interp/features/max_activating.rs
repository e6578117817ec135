//! Where one unit of a model is most active: the contexts that a reader looks at first.
//! A neuron, a dimension of a stream or of a head, or a feature of an autoencoder, over all sequences
//! of a split, a batch at a time; only the best `n` are kept.
//! Source: the max-activating dataset examples of Nanda's Neuroscope and Bricken et al. 2023.

use crate::data::{TokenSplit, Tokenizer};
use crate::error::{Error, Result};
use crate::interp::activations::{TOKENS_PER_PASS, check_feature, encoded_rows, hook_rows};
use crate::interp::order::largest_first;
use crate::interp::token_frame::{context, visible_tokens};
use crate::model::{HookName, Transformer};
use crate::sae::{SparseAutoencoder, Transcoder};
use crate::show::{Interrupts, MimeBundle, Show, Table, format_number, shows_itself};
use candle_core::{DType, IndexOp, Tensor};
use polars::prelude::{Column, DataFrame, df};
use std::fmt;

/// Tokens shown before and after the one that is most active.
const AROUND: usize = 8;

/// One token on which the unit is active, with its sequence.
#[derive(Debug, Clone, PartialEq)]
pub struct MaxActivation {
    pub activation: f32,
    /// Which sequence of the split.
    pub sequence: usize,
    /// Which token of it; 0 is BOS.
    pub position: usize,
    /// The whole sequence. `[n_ctx]`
    pub tokens: Vec<u32>,
    /// `prefix|token|suffix`, once [`MaxActivating::named`] has seen a tokenizer.
    pub context: Option<String>,
}

/// The tokens on which one unit is most active.
#[derive(Debug, Clone, PartialEq)]
pub struct MaxActivating {
    /// The hook point.
    pub hook_name: String,
    /// Which unit of it, or which feature of the autoencoder that reads it.
    pub index: usize,
    /// Sequences read.
    pub n_sequences: usize,
    /// The most active first (NaN before all); of equal ones the earlier.
    pub examples: Vec<MaxActivation>,
}

/// The `n` tokens of a split on which unit `index` of an activation is largest. Of `z`, `q`, `k` and
/// `v` the units of all heads are numbered one after another. An interrupt gives those of the
/// sequences read until then.
///
/// # Errors
/// An unknown hook point, one that belongs to pairs of tokens, a unit that it does not have; `n = 0`;
/// a split without a whole sequence; [`Error::NotFiniteAt`] for an activation that is not finite.
pub fn max_activating(
    model: &Transformer,
    split: &TokenSplit,
    hook_name: &str,
    index: usize,
    n: usize,
) -> Result<MaxActivating> {
    let model = model.without_gradients();
    let Some(width) = HookName::of_model(hook_name, model.cfg())?.width(model.cfg()) else {
        let reason = "belongs to pairs of tokens, so that it has no units";
        return Err(Error::argument(
            "hook_name",
            format!("{hook_name:?}"),
            reason,
        ));
    };
    if index >= width {
        let reason = format!("{hook_name} has units 0 to {}", width - 1);
        return Err(Error::argument("index", index, reason));
    }
    search(&model, split, (hook_name, index), n, |tokens| {
        hook_rows(&model, hook_name, tokens, width)
    })
}

/// The `n` tokens of a split on which a feature of an autoencoder is most active. As
/// [`max_activating`].
///
/// # Errors
/// Those of [`max_activating`]; an autoencoder of another width, a feature that it does not have.
pub fn max_activating_feature(
    model: &Transformer,
    sae: &dyn SparseAutoencoder,
    split: &TokenSplit,
    hook_name: &str,
    feature_id: usize,
    n: usize,
) -> Result<MaxActivating> {
    check_feature(sae, feature_id)?;
    let model = model.without_gradients();
    search(&model, split, (hook_name, feature_id), n, |tokens| {
        encoded_rows(&model, sae, hook_name, tokens)
    })
}

/// The `n` tokens of a split on which a feature of a transcoder is most active. As [`max_activating`].
///
/// # Errors
/// Those of [`max_activating`]; a transcoder of another width, a feature that it does not have.
pub fn max_activating_transcoder(
    model: &Transformer,
    transcoder: &Transcoder,
    split: &TokenSplit,
    feature: usize,
    n: usize,
) -> Result<MaxActivating> {
    if feature >= transcoder.d_sae() {
        let reason = format!(
            "the transcoder has features 0 to {}",
            transcoder.d_sae() - 1
        );
        return Err(Error::argument("feature", feature, reason));
    }
    let model = model.without_gradients();
    let (name, width) = (transcoder.hook_name.as_str(), transcoder.d_in());
    search(&model, split, (name, feature), n, |tokens| {
        let x = hook_rows(&model, name, tokens, width)?;
        transcoder.encode(&x.to_device(transcoder.device())?)
    })
}

/// The search itself; `rows` gives the units `[batch * pos, width]` of tokens `[batch, pos]`.
fn search(
    model: &Transformer,
    split: &TokenSplit,
    (hook_name, index): (&str, usize),
    n: usize,
    rows: impl Fn(&Tensor) -> Result<Tensor>,
) -> Result<MaxActivating> {
    let n_ctx = model.cfg().n_ctx;
    let n_sequences = split.n_sequences(n_ctx);
    if n == 0 || n_sequences == 0 {
        let (what, reason) = match n {
            0 => ("n", "must be at least 1"),
            _ => (
                "sequences of the split",
                "there must be a whole one of n_ctx tokens",
            ),
        };
        return Err(Error::argument(what, 0, reason));
    }
    let mut best: Vec<(f32, usize, usize)> = Vec::new();
    let interrupts = Interrupts::listen();
    let mut n_read = 0;
    let per_pass = (TOKENS_PER_PASS / n_ctx).max(1);
    for first in (0..n_sequences).step_by(per_pass) {
        if interrupts.heard() {
            break;
        }
        let sequences = first..n_sequences.min(first + per_pass);
        let flat: Vec<u32> = sequences
            .clone()
            .flat_map(|i| split.sequence(i, n_ctx))
            .collect();
        let tokens = Tensor::from_vec(flat, (sequences.len(), n_ctx), model.device())?;
        let unit = rows(&tokens)?.i((.., index))?.to_dtype(DType::F32)?;
        for (i, activation) in unit.to_vec1::<f32>()?.into_iter().enumerate() {
            best.push((activation, first + i / n_ctx, i % n_ctx));
        }
        best.sort_by(|a, b| {
            let by_size = largest_first(f64::from(a.0), f64::from(b.0));
            by_size.then((a.1, a.2).cmp(&(b.1, b.2)))
        });
        best.truncate(n);
        n_read = sequences.end;
    }
    let example = |(activation, sequence, position)| MaxActivation {
        activation,
        sequence,
        position,
        tokens: split.sequence(sequence, n_ctx),
        context: None,
    };
    Ok(MaxActivating {
        hook_name: hook_name.to_owned(),
        index,
        n_sequences: n_read,
        examples: best.into_iter().map(example).collect(),
    })
}

impl MaxActivating {
    /// The same examples with their contexts as text.
    pub fn named(mut self, tokenizer: &Tokenizer) -> Self {
        for e in &mut self.examples {
            let visible = visible_tokens(tokenizer, &e.tokens);
            e.context = Some(context(&visible, e.position, AROUND, AROUND));
        }
        self
    }

    /// One row an example: `activation`, `sequence`, `position`, `token` (its id), and `context` where
    /// [`MaxActivating::named`] has given any.
    ///
    /// # Errors
    /// [`Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        let all = || self.examples.iter();
        let mut frame = df![
            "activation" => all().map(|e| e.activation).collect::<Vec<f32>>(),
            "sequence" => all().map(|e| e.sequence as u32).collect::<Vec<u32>>(),
            "position" => all().map(|e| e.position as u32).collect::<Vec<u32>>(),
            "token" => all().map(|e| e.tokens[e.position]).collect::<Vec<u32>>(),
        ]?;
        if all().any(|e| e.context.is_some()) {
            let contexts: Vec<Option<&str>> = all().map(|e| e.context.as_deref()).collect();
            frame.with_column(Column::new("context".into(), contexts))?;
        }
        Ok(frame)
    }

    fn title(&self) -> String {
        let (index, hook_name, n) = (self.index, &self.hook_name, self.n_sequences);
        format!("Largest activations of {index} at {hook_name} in {n} sequences")
    }
}

impl fmt::Display for MaxActivating {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.title())?;
        for e in &self.examples {
            let activation = format_number(f64::from(e.activation));
            let (token, sequence, position) = (e.tokens[e.position], e.sequence, e.position);
            match &e.context {
                Some(context) => write!(f, "\n{activation}: {context} at {sequence}/{position}")?,
                None => write!(f, "\n{activation}: token {token} at {sequence}/{position}")?,
            }
        }
        Ok(())
    }
}

shows_itself!(MaxActivating);

impl Show for MaxActivating {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        let table = Table::new(self.frame()?).gradient("activation");
        let bundle = table.caption(self.title()).mime_bundle()?;
        Ok(bundle.with("text/plain", self.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rasp::{CompileOptions, compile, programs};
    use crate::sae::StandardSae;
    use candle_core::Device;

    /// Tokens 1 to 4 in an order without a period.
    fn split(n: usize) -> TokenSplit {
        TokenSplit {
            tokens: (0..n).map(|i| 1 + (i * i + i / 3) as u32 % 4).collect(),
            starts: vec![0],
            document_ids: vec![0],
            bos: 0,
            labels: None,
        }
    }

    fn histogram() -> Transformer {
        let program = programs().into_iter().find(|p| p.name == "histogram");
        let options = CompileOptions::default();
        compile(&program.unwrap(), &options).unwrap().model
    }

    #[test]
    fn the_examples_are_those_of_all_tokens_sorted() {
        // 8,000 tokens are more than one pass. Hidden units of the histogram are exact counts.
        let (model, split) = (histogram(), split(8_000));
        let name = "blocks.0.mlp.hook_pre";
        let mut all = Vec::new();
        for sequence in 0..split.n_sequences(9) {
            let row = split.sequence(sequence, 9);
            let tokens = Tensor::from_slice(&row, (1, 9), &Device::Cpu).unwrap();
            let x = hook_rows(&model, name, &tokens, model.cfg().d_mlp).unwrap();
            let unit = x.i((.., 3)).unwrap().to_vec1::<f32>().unwrap();
            all.extend(unit.into_iter().enumerate().map(|(p, x)| (x, sequence, p)));
        }
        all.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
        let found = max_activating(&model, &split, name, 3, 25).unwrap();
        assert_eq!(found.n_sequences, 1_000);
        assert_eq!(found.examples.len(), 25);
        for (found, (activation, sequence, position)) in found.examples.iter().zip(all) {
            assert!((found.activation - activation).abs() < 1e-4);
            assert_eq!((found.sequence, found.position), (sequence, position));
            assert_eq!(found.tokens, split.sequence(sequence, 9));
        }
        assert_eq!(found.frame().unwrap().shape(), (25, 4));
        assert!(found.mime_bundle().unwrap().get("text/html").is_some());
    }

    #[test]
    fn a_feature_is_most_active_where_its_direction_is() {
        let (model, split) = (histogram(), split(400));
        let d_in = model.cfg().d_model;
        // The feature reads the one-hot dimension of token 3 (BOS is dimension 0) and nothing else.
        let mut w_enc = vec![0.0f32; d_in * 2];
        w_enc[3 * 2 + 1] = 2.0;
        let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
        let w_enc = Tensor::from_vec(w_enc, (d_in, 2), &Device::Cpu).unwrap();
        let [b_enc, w_dec, b_dec] = [zeros(&[2]), zeros(&[2, d_in]), zeros(&[d_in])];
        let sae = StandardSae::new(w_enc, b_enc, w_dec, b_dec).unwrap();
        let name = "hook_embed";
        let found = max_activating_feature(&model, &sae, &split, name, 1, 30).unwrap();
        assert_eq!(found.examples.len(), 30);
        for e in &found.examples {
            assert_eq!((e.activation, e.tokens[e.position]), (2.0, 3));
        }
        assert!(max_activating_feature(&model, &sae, &split, name, 2, 30).is_err());
    }

    #[test]
    fn wrong_input_is_refused() {
        let (model, split) = (histogram(), split(100));
        let message = |name: &str, index, n| {
            let found = max_activating(&model, &split, name, index, n);
            found.unwrap_err().to_string()
        };
        assert!(message("blocks.0.mlp.hook_pst", 0, 1).contains("did you mean"));
        assert!(message("blocks.0.attn.hook_pattern", 0, 1).contains("pairs of tokens"));
        assert!(message("hook_embed", 10_000, 1).contains("has units 0 to"));
        assert!(message("hook_embed", 0, 0).contains("n = 0"));
        let short = TokenSplit {
            tokens: vec![1, 2],
            ..split.clone()
        };
        assert!(max_activating(&model, &short, "hook_embed", 0, 1).is_err());
    }
}
