//! The logit lens of a text that the reader edits.
//! Source: nostalgebraist 2020, "interpreting GPT: the logit lens".

use crate::data::Tokenizer;
use crate::error::Result;
use crate::interp::{LensPrediction, LogitLens, logit_lens};
use crate::model::Transformer;
use crate::show::{MimeBundle, Show};
use crate::widgets::views::source::{Answers, Fields, named_view, view, with_static_form};
use crate::widgets::{AnyWidget, Field, Widget};
use candle_core::Tensor;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};

const TEXT: &str = "To be, or not to be: that is the question.";
/// Tokens in the list of a cell.
const TOP: usize = 10;

/// The last text with its lens: another cell of the same grid needs no run of the model.
type Last = (String, Arc<LogitLens>);

/// An interactive view of the logit lens: what each layer would predict.
#[derive(Clone)]
pub struct LogitLensBrowser {
    view: AnyWidget,
    model: Transformer,
    tokenizer: Tokenizer,
    last: Arc<Mutex<Option<Last>>>,
}

/// Shows which token the residual stream would predict after each block, at each position of a text
/// that the reader can edit; a cell opens the list of its ten most likely tokens.
///
/// ```no_run
/// # use holoscope::prelude::*;
/// # use holoscope::widgets::logit_lens_view;
/// # fn main() -> Result<()> {
/// # let data = Dataset::load(&DataConfig::default())?;
/// # let model = Transformer::new(&TransformerConfig::default())?;
/// logit_lens_view(&model, &data.tokenizer)?.text("once upon a time, once upon")?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// When the model cannot be run on a first text.
pub fn logit_lens_view(model: &Transformer, tokenizer: &Tokenizer) -> Result<LogitLensBrowser> {
    let view = view(
        "LogitLensBrowser",
        include_str!("view.js"),
        include_str!("view.css"),
    )
    .with("text", TEXT)
    .with("mode", "top")
    .with("selected", json!([model.cfg().n_layers, 0]));
    let it = LogitLensBrowser {
        view,
        model: model.without_gradients(),
        tokenizer: tokenizer.clone(),
        last: Arc::default(),
    };
    it.fill()?;
    it.listen();
    Ok(it)
}

impl LogitLensBrowser {
    /// The text to begin with.
    ///
    /// # Errors
    /// When the model cannot be run on it.
    pub fn text(self, text: &str) -> Result<Self> {
        self.view.set("text", text);
        self.fill()?;
        Ok(self)
    }

    /// The widget behind the view, as containers take it.
    pub fn widget(&self) -> Widget {
        self.view.widget()
    }

    /// The lens of the text behind a BOS, as much of it as the model reads at once.
    fn lens(&self) -> Result<Arc<LogitLens>> {
        let text = self.view.get("text");
        let text = text.as_str().unwrap_or_default();
        let last = || self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, lens)) = &*last()
            && of == text
        {
            return Ok(Arc::clone(lens));
        }
        let ids = self.tokenizer.encode(text);
        let with_bos = std::iter::once(self.tokenizer.bos()).chain(ids);
        let ids: Vec<u32> = with_bos.take(self.model.cfg().n_ctx).collect();
        let tokens = Tensor::from_slice(&ids, (1, ids.len()), self.model.device())?;
        let lens = logit_lens(&self.model, &tokens, TOP.min(self.model.cfg().d_vocab))?;
        let lens = Arc::new(lens);
        *last() = Some((text.to_owned(), Arc::clone(&lens)));
        Ok(lens)
    }

    /// The layer and the position whose list is shown; what is out of range is brought into it.
    fn selected(&self, lens: &LogitLens) -> (usize, usize) {
        let selected = self.view.get("selected");
        let at = |i: usize, n: usize| {
            let wanted = selected[i].as_f64().unwrap_or(0.0).max(0.0) as usize;
            wanted.min(n.saturating_sub(1))
        };
        (at(0, lens.hook_names.len()), at(1, lens.tokens[0].len()))
    }
}

impl Answers for LogitLensBrowser {
    fn view(&self) -> &AnyWidget {
        &self.view
    }

    fn answer(&self) -> Result<Fields> {
        let lens = self.lens()?;
        let name = |id: u32| self.tokenizer.token_str(id);
        let layers = || lens.predictions.iter().map(|layer| layer[0].as_slice());
        let top: Vec<Vec<String>> = layers()
            .map(|row| row.iter().map(|p| name(p.top[0])).collect())
            .collect();
        let probabilities = |of: fn(&LensPrediction) -> f64| -> Vec<f32> {
            layers().flatten().map(|p| of(p).exp() as f32).collect()
        };
        let tokens = &lens.tokens[0];
        let mut next: Vec<Value> = tokens[1..].iter().map(|&id| name(id).into()).collect();
        next.push(Value::Null);
        let (layer, position) = self.selected(&lens);
        let chosen = &lens.predictions[layer][0][position];
        let list: Vec<Value> = chosen
            .top
            .iter()
            .zip(&chosen.top_log_probs)
            .map(|(&id, p)| json!({"token": name(id), "probability": p.exp()}))
            .collect();
        Ok(vec![
            ("tokens", self.tokenizer.str_tokens(tokens).into()),
            ("layers", lens.hook_names.clone().into()),
            ("top", json!(top).into()),
            (
                "probabilities",
                Field::floats(&probabilities(|p| p.top_log_probs[0])),
            ),
            ("next", next.into()),
            (
                "next_probabilities",
                Field::floats(&probabilities(|p| p.next_log_prob.unwrap_or(f64::NAN))),
            ),
            ("selected", json!([layer, position]).into()),
            ("list", list.into()),
        ])
    }
}

impl Show for LogitLensBrowser {
    /// The view, and the table of the most likely tokens for what shows no widgets.
    fn mime_bundle(&self) -> Result<MimeBundle> {
        with_static_form(&self.view, &self.lens()?.top_tokens(&self.tokenizer, 0)?)
    }
}

named_view!(LogitLensBrowser);
