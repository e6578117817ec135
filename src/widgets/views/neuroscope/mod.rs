//! The neuroscope: a text, a direction in the model, and how strongly each token excites it.
//!
//! Directions are the features of an autoencoder, neurons, attention heads (the norm of their output)
//! and dimensions of the residual stream. Source: the neuroscope of Neel Nanda, and what the original
//! notebook called its "hacky interactive neuroscope".

use crate::data::TokenSplit;
use crate::error::Result;
use crate::interp::HookedSae;
use crate::interp::neuroscope::{Answer, FeatureCensus, NeuroscopeModel, PageModel, Subject};
use crate::show::{MimeBundle, Show};
use crate::widgets::views::PAGE_MIME;
use crate::widgets::views::source::{Answers, Fields, named_view, view, with_static_form};
use crate::widgets::{AnyWidget, Field, Widget};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

const TEXT: &str = "To be, or not to be: that is the question.";

/// An interactive view: edit a text, choose a direction, see its activation on every token.
#[derive(Clone)]
pub struct Neuroscope {
    view: AnyWidget,
    model: Arc<Mutex<NeuroscopeModel>>,
    /// What reads a corpus, where there is an autoencoder.
    hooked: Option<HookedSae>,
    /// The file with which an exported page computes.
    page: Option<Arc<PageModel>>,
}

/// Looks into a model while its reader types: every token is coloured by a feature's activation (with
/// an autoencoder), a neuron's, an attention head's or a dimension's of the residual stream. A click
/// on a token lists what is most active there, and what that adds to the logits.
///
/// ```no_run
/// # use holoscope::prelude::*;
/// # use holoscope::widgets::neuroscope;
/// # fn main() -> Result<()> {
/// # let data = Dataset::load(&DataConfig::default())?;
/// # let model = Transformer::new(&TransformerConfig::default())?;
/// # let (sae, _) = train_sae(&model, &data, &SaeConfig::default())?;
/// let hooked = HookedSae::new(&model, sae, &data.tokenizer)?;
/// neuroscope(&hooked)?.text("But soft, what light")?.corpus(&data.val)?;
/// neuroscope((&model, &data.tokenizer))?; // without an autoencoder
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// When the model cannot be run on a first text, or has neither blocks nor an autoencoder.
pub fn neuroscope(subject: impl Into<Subject>) -> Result<Neuroscope> {
    let subject = subject.into();
    let hooked = subject.hooked.clone();
    let model = NeuroscopeModel::new(subject)?;
    let view = view(
        "Neuroscope",
        include_str!("view.js"),
        include_str!("view.css"),
    )
    .with("directions", model.directions())
    .with("text", TEXT)
    .with("direction", 0)
    .with("index", 0)
    .with("selected", -1)
    .with("query", "")
    .with("matches", json!([]));
    let it = Neuroscope {
        view,
        model: Arc::new(Mutex::new(model)),
        hooked,
        page: None,
    };
    it.fill()?;
    it.listen();
    Ok(it)
}

impl Neuroscope {
    /// The text to begin with.
    ///
    /// # Errors
    /// When the model cannot be run on it.
    pub fn text(self, text: &str) -> Result<Self> {
        self.view.set("text", text);
        self.fill()?;
        Ok(self)
    }

    /// The feature, neuron, head or dimension to begin with.
    ///
    /// # Errors
    /// When the model cannot be run.
    pub fn index(self, index: usize) -> Result<Self> {
        self.view.set("index", index as i64);
        self.fill()?;
        Ok(self)
    }

    /// Reads the maximum and the density of every feature from a sample of a corpus: the colours are
    /// then those of the largest activation there, and not of the text's own.
    ///
    /// # Errors
    /// When the model cannot be run on the corpus.
    pub fn corpus(self, split: &TokenSplit) -> Result<Self> {
        // Not under the lock: the loops in it answer readers who type meanwhile.
        if let Some(hooked) = &self.hooked {
            let census = FeatureCensus::of(hooked, split)?;
            self.model().know(census);
        }
        self.fill()?;
        Ok(self)
    }

    /// Keeps the neuroscope alive on a page that `holoscope export` or `run --html` writes: its reader
    /// types, and the page computes, without a server and without network.
    ///
    /// Writes the model, the tokenizer and the autoencoder to the file `path` (relative to the
    /// notebook's folder), with integers as weights; the export puts them into the page, with the library's
    /// own functions compiled to WebAssembly. Of GPT-2's whole vocabulary only the tokens of `split` are
    /// kept, and those of one byte; other words are spelled with them, and logits are relative to their mean. How much the activations differ is measured on `split`
    /// and said on the page.
    ///
    /// ```no_run
    /// # use holoscope::prelude::*;
    /// # use holoscope::widgets::neuroscope;
    /// # fn main() -> Result<()> {
    /// # let data = Dataset::load(&DataConfig::default())?;
    /// # let model = Transformer::new(&TransformerConfig::default())?;
    /// neuroscope((&model, &data.tokenizer))?.on_page("neuroscope.live", &data.train)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) when the file cannot be written; a model that cannot be run on `split`.
    pub fn on_page(mut self, path: impl AsRef<Path>, split: &TokenSplit) -> Result<Self> {
        let page = PageModel::write(&self.model(), path.as_ref(), split)?;
        self.page = Some(Arc::new(page));
        Ok(self)
    }

    /// What the export needs to know: the file, and what the view begins with.
    fn on_page_state(&self, page: &PageModel) -> Value {
        let mut state = json!({});
        for key in [
            "text",
            "direction",
            "index",
            "selected",
            "query",
            "directions",
        ] {
            state[key] = self.view.get(key);
        }
        json!({"view": "neuroscope", "model": page, "state": state})
    }

    /// The widget behind the view, as containers take it.
    pub fn widget(&self) -> Widget {
        self.view.widget()
    }

    fn model(&self) -> std::sync::MutexGuard<'_, NeuroscopeModel> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answers for Neuroscope {
    fn view(&self) -> &AnyWidget {
        &self.view
    }

    fn answer(&self) -> Result<Fields> {
        let mut model = self.model();
        let asked = model.asked(|key| self.view.get(key));
        Ok(fields(model.answer(&asked)?))
    }
}

/// An answer as the view's state.
fn fields(answer: Answer) -> Fields {
    vec![
        ("direction", (answer.direction as i64).into()),
        ("index", (answer.index as i64).into()),
        ("tokens", answer.tokens.into()),
        ("values", Field::floats(&answer.values)),
        ("maximum", answer.maximum.into()),
        ("density", answer.density.into()),
        ("top_tokens", answer.top_tokens.into()),
        ("bottom_tokens", answer.bottom_tokens.into()),
        ("breakdown", answer.breakdown.into()),
        ("matches", answer.matches.into()),
    ]
}

impl Show for Neuroscope {
    /// The view, and the coloured tokens of now for what shows no widgets.
    fn mime_bundle(&self) -> Result<MimeBundle> {
        let mut model = self.model();
        let asked = model.asked(|key| self.view.get(key));
        let bundle = with_static_form(&self.view, &model.tokens(&asked)?)?;
        Ok(match &self.page {
            Some(page) => bundle.with(PAGE_MIME, self.on_page_state(page).to_string()),
            None => bundle,
        })
    }
}

named_view!(Neuroscope);
