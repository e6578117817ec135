//! Attention patterns of all heads, for a text that the reader edits.

use crate::data::Tokenizer;
use crate::error::Result;
use crate::model::Transformer;
use crate::show::{AttentionView, MimeBundle, Show};
use crate::widgets::views::source::{Answers, Fields, named_view, view, with_static_form};
use crate::widgets::{AnyWidget, Field, Widget};
use candle_core::{DType, IndexOp, Tensor};

const TEXT: &str = "To be, or not to be: that is the question.";

/// An interactive view of attention: all heads small, one enlarged.
#[derive(Clone)]
pub struct AttentionBrowser {
    view: AnyWidget,
    model: Transformer,
    tokenizer: Tokenizer,
}

/// Shows where every head of a model attends to on a text, which the reader can edit: heads as small
/// multiples, one enlarged, and from each token to its sources and back.
///
/// ```no_run
/// # use holoscope::prelude::*;
/// # use holoscope::widgets::attention_view;
/// # fn main() -> Result<()> {
/// # let data = Dataset::load(&DataConfig::default())?;
/// # let model = Transformer::new(&TransformerConfig::default())?;
/// attention_view(&model, &data.tokenizer)?.text("once upon a time, once upon")?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// When the model cannot be run on a first text.
pub fn attention_view(model: &Transformer, tokenizer: &Tokenizer) -> Result<AttentionBrowser> {
    let cfg = model.cfg();
    let view = view(
        "AttentionBrowser",
        include_str!("view.js"),
        include_str!("view.css"),
    )
    .with("n_layers", cfg.n_layers as i64)
    .with("n_heads", cfg.n_heads as i64)
    .with("head", 0)
    .with("text", TEXT);
    let it = AttentionBrowser {
        view,
        model: model.without_gradients(),
        tokenizer: tokenizer.clone(),
    };
    it.fill()?;
    it.listen();
    Ok(it)
}

impl AttentionBrowser {
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

    /// The tokens of now, behind a BOS, as many as the model reads at once.
    fn tokens(&self) -> Vec<u32> {
        let text = self.view.get("text");
        let ids = self.tokenizer.encode(text.as_str().unwrap_or_default());
        let n_ctx = self.model.cfg().n_ctx;
        let with_bos = std::iter::once(self.tokenizer.bos()).chain(ids);
        with_bos.take(n_ctx).collect()
    }

    /// The patterns of all heads, one a layer: `[n_heads, n_ctx, n_ctx]`, row = destination.
    fn patterns(&self, tokens: &[u32]) -> Result<Vec<Tensor>> {
        let row = Tensor::from_slice(tokens, (1, tokens.len()), self.model.device())?;
        let (_, cache) = self.model.run_with_cache(&row)?;
        let layers = 0..self.model.cfg().n_layers;
        let one = |layer| Ok(cache[("pattern", layer)].i(0)?.to_dtype(DType::F32)?);
        layers.map(one).collect()
    }
}

impl Answers for AttentionBrowser {
    fn view(&self) -> &AnyWidget {
        &self.view
    }

    fn answer(&self) -> Result<Fields> {
        let tokens = self.tokens();
        let mut values = Vec::new();
        for layer in self.patterns(&tokens)? {
            values.extend(layer.flatten_all()?.to_vec1::<f32>()?);
        }
        Ok(vec![
            ("tokens", self.tokenizer.str_tokens(&tokens).into()),
            ("patterns", Field::floats(&values)),
        ])
    }
}

impl Show for AttentionBrowser {
    /// The view, and the patterns of the first layer for what shows no widgets.
    fn mime_bundle(&self) -> Result<MimeBundle> {
        let tokens = self.tokens();
        let layers = self.patterns(&tokens)?;
        let Some(first) = layers.first() else {
            return self.view.widget().mime_bundle();
        };
        let pattern = first.to_vec3::<f32>()?;
        let picture = AttentionView::new(self.tokenizer.str_tokens(&tokens), pattern)?;
        with_static_form(&self.view, &picture.title("Attention of layer 0"))
    }
}

named_view!(AttentionBrowser);
