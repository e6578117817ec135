//! The neuroscope: a text, a direction in the model, and how strongly each token excites it.
//!
//! Directions are the features of an autoencoder, neurons, attention heads (the norm of their output)
//! and dimensions of the residual stream. Source: the neuroscope of Neel Nanda, and what the original
//! notebook called its "hacky interactive neuroscope".

mod answers;
mod directions;
mod reading;
mod subject;

pub use subject::Subject;

use super::feature_browser::Census;
use super::source::{self, view};
use crate::data::TokenSplit;
use crate::error::Result;
use crate::show::{MimeBundle, Show, shows_itself};
use crate::widgets::{AnyWidget, Widget};
use answers::Answers;
use serde_json::{Value, json};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

const TEXT: &str = "To be, or not to be: that is the question.";

/// An interactive view: edit a text, choose a direction, see its activation on every token.
#[derive(Clone)]
pub struct Neuroscope {
    view: AnyWidget,
    answers: Arc<Mutex<Answers>>,
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
/// When the model cannot be run on a first text.
pub fn neuroscope(subject: impl Into<Subject>) -> Result<Neuroscope> {
    let answers = Answers::new(subject.into())?;
    let view = view(
        "Neuroscope",
        include_str!("../neuroscope.js"),
        include_str!("../neuroscope.css"),
    )
    .with("directions", answers.directions())
    .with("mode", "activation")
    .with("text", TEXT)
    .with("direction", 0)
    .with("index", 0)
    .with("selected", -1)
    .with("query", "")
    .with("matches", json!([]));
    let it = Neuroscope {
        view,
        answers: Arc::new(Mutex::new(answers)),
    };
    it.fill()?;
    let again = it.clone();
    it.view.observe_key("request", move |request: &Value| {
        source::reply(&again.view, request, again.answer());
    });
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
        let hooked = self.answers().hooked();
        if let Some(hooked) = hooked {
            let census = Census::of(&hooked, split)?;
            self.answers().know(census);
        }
        self.fill()?;
        Ok(self)
    }

    /// The widget behind the view, as containers take it.
    pub fn widget(&self) -> Widget {
        self.view.widget()
    }

    fn answers(&self) -> std::sync::MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Computes what the state asks for.
    fn answer(&self) -> Result<source::Fields> {
        self.answers().answer(&self.view)
    }

    /// The same without a reader who has asked.
    fn fill(&self) -> Result<()> {
        self.view.set_all(self.answer()?);
        Ok(())
    }
}

impl fmt::Display for Neuroscope {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Neuroscope()")
    }
}

impl fmt::Debug for Neuroscope {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Show for Neuroscope {
    /// The view, and the coloured tokens of now for what shows no widgets.
    fn mime_bundle(&self) -> Result<MimeBundle> {
        let tokens = self.answers().tokens(&self.view)?.mime_bundle()?;
        let bundle = self.view.widget().mime_bundle()?;
        let html = tokens.get("text/html").unwrap_or_default();
        Ok(bundle
            .with("text/html", html)
            .with("text/plain", tokens.get("text/plain").unwrap_or_default()))
    }
}

shows_itself!(Neuroscope);
