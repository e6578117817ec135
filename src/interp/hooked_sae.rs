//! A model, an autoencoder of one of its hook points, and the tokenizer, in one value: the questions
//! of this module as methods, with defaults. The functions behind them take each part.
//! The name is SAELens' (`HookedSAETransformer`).

use super::activations::own_hook;
use super::dashboard::{DashboardPage, FeatureDashboard, feature_dashboard, feature_dashboards};
use super::descriptions::{
    FactorRecovery, FeatureSummary, InterpretableFeatures, describe_feature, factor_recovery,
    interpretable_features,
};
use super::dictionaries::{ReconstructionScore, reconstruction_score_with};
use super::features::{
    FeatureFrequencies, StrongestSequence, TopActivations, TopLogits, feature_acts,
    feature_frequencies_with, feature_logits, feature_tokens, strongest_sequence, top_activations,
    top_logits,
};
use super::measurements::{
    Control, ControlComparison, FactorScores, MeasureConfig, Measurement, compare_with_controls,
    control_dictionary, factor_scores, measure,
};
use crate::config::SampleConfig;
use crate::data::{Dataset, TokenSplit, Tokenizer};
use crate::error::{Error, Result};
use crate::model::{HookName, Transformer};
use crate::sae::{Sae, SparseAutoencoder};
use crate::show::{MimeBundle, NotebookReporter, Show, TokenView, shows_itself};
use candle_core::Tensor;

/// Tokens of a list of top activations or logits.
const TOP: usize = 20;
/// Sequences in which [`HookedSae::top_activations`] and [`HookedSae::strongest_sequence`] look.
const SEQUENCES: usize = 128;

/// An autoencoder with the model whose activations it reads, and the tokenizer. A clone shares the
/// weights, so that it can be kept and passed on.
///
/// Methods read whole splits unless [`HookedSae::batches`] says otherwise, and report their progress in
/// the notebook.
///
/// ```no_run
/// # use holoscope::prelude::*;
/// # fn main() -> Result<()> {
/// # let data = Dataset::load(&DataConfig::default())?;
/// # let model = Transformer::new(&TransformerConfig::default())?;
/// let (sae, _) = train_sae(&model, &data, &SaeConfig::default())?;
/// let hooked = HookedSae::new(&model, sae, &data.tokenizer)?;
/// let score = hooked.reconstruction_score(&data.val)?;
/// let found = hooked.interpretable_features(&data.val, 8)?;
/// hooked.feature_tokens("To be, or not to be", found.features[0].feature_id)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct HookedSae {
    pub model: Transformer,
    pub sae: Sae,
    pub tokenizer: Tokenizer,
    hook_name: String,
    sample: SampleConfig,
}

impl HookedSae {
    /// An autoencoder at the hook point that it names.
    ///
    /// # Errors
    /// [`Error::Argument`] when it names none (see [`HookedSae::at`]); those of [`HookedSae::at`].
    pub fn new(
        model: &Transformer,
        sae: impl Into<Sae>,
        tokenizer: &Tokenizer,
    ) -> Result<HookedSae> {
        let sae = sae.into();
        let hook_name = own_hook(&sae)?.to_owned();
        HookedSae::at(&hook_name, model, sae, tokenizer)
    }

    /// An autoencoder at the hook point `hook_name`, whatever point it names itself.
    ///
    /// # Errors
    /// [`Error::UnknownHook`] with the nearest names; [`Error::Shape`] when the autoencoder reads
    /// another width than the point has, or the tokenizer has another vocabulary than the model.
    pub fn at(
        hook_name: &str,
        model: &Transformer,
        sae: impl Into<Sae>,
        tokenizer: &Tokenizer,
    ) -> Result<HookedSae> {
        let sae = sae.into();
        let cfg = model.cfg();
        let width = HookName::of_model(hook_name, cfg)?.width(cfg);
        if width != Some(sae.d_in()) {
            let found = width.map_or("no vector a token".to_owned(), |width| width.to_string());
            return Err(Error::shape(hook_name, sae.d_in(), found));
        }
        if tokenizer.n_vocab() != cfg.d_vocab {
            let what = "the tokenizer's vocabulary";
            return Err(Error::shape(what, cfg.d_vocab, tokenizer.n_vocab()));
        }
        Ok(HookedSae {
            model: model.without_gradients(),
            sae,
            tokenizer: tokenizer.clone(),
            hook_name: hook_name.to_owned(),
            sample: SampleConfig::default(),
        })
    }

    /// The same, reading `n_batches` random batches of 16 sequences of a split, drawn by `seed`, where
    /// all of it would take too long. The seed draws the control of [`HookedSae::control`], too.
    pub fn batches(&self, n_batches: usize, seed: u64) -> Self {
        Self {
            sample: SampleConfig {
                n_batches,
                seed,
                ..self.sample
            },
            ..self.clone()
        }
    }

    /// The hook point whose activations are read.
    pub fn hook_name(&self) -> &str {
        &self.hook_name
    }

    /// How much of the model's work survives when activations are replaced by their reconstruction;
    /// [`reconstruction_score_with`].
    ///
    /// # Errors
    /// Those of [`reconstruction_score_with`].
    pub fn reconstruction_score(&self, split: &TokenSplit) -> Result<ReconstructionScore> {
        reconstruction_score_with(&self.model, &self.sae, &self.hook_name, split, &self.sample)
    }

    /// A control for this dictionary at the same hook point, fitted on `split` so that `l0` features are active on a
    /// token on average; the same questions can be asked of it. [`control_dictionary`].
    ///
    /// # Errors
    /// Those of [`control_dictionary`].
    pub fn control(&self, control: Control, split: &TokenSplit, l0: f64) -> Result<HookedSae> {
        let shape = (self.sae.d_in(), self.sae.d_sae());
        let (model, hook_name, seed) = (&self.model, &self.hook_name, self.sample.seed);
        let made = control_dictionary(model, hook_name, split, control, shape, l0, seed)?;
        Ok(HookedSae {
            sae: made.into(),
            ..self.clone()
        })
    }

    /// How often each feature is active; [`feature_frequencies_with`].
    ///
    /// # Errors
    /// Those of [`feature_frequencies_with`].
    pub fn feature_frequencies(&self, split: &TokenSplit) -> Result<FeatureFrequencies> {
        feature_frequencies_with(
            &self.model,
            &self.sae,
            &self.hook_name,
            split,
            &self.sample,
            &mut NotebookReporter::new(),
        )
    }

    /// The `n` features that simple predicates explain best; [`interpretable_features`].
    ///
    /// # Errors
    /// Those of [`interpretable_features`].
    pub fn interpretable_features(
        &self,
        split: &TokenSplit,
        n: usize,
    ) -> Result<InterpretableFeatures> {
        interpretable_features(
            &self.model,
            &self.sae,
            &self.hook_name,
            &self.tokenizer,
            split,
            n,
        )
    }

    /// One feature, described by the predicate that explains it best; [`describe_feature`].
    ///
    /// # Errors
    /// Those of [`describe_feature`].
    pub fn describe_feature(
        &self,
        split: &TokenSplit,
        feature_id: usize,
    ) -> Result<FeatureSummary> {
        describe_feature(
            &self.model,
            &self.sae,
            &self.hook_name,
            &self.tokenizer,
            split,
            feature_id,
        )
    }

    /// The best feature for each value of the factors that made a labelled text; [`factor_recovery`].
    ///
    /// # Errors
    /// Those of [`factor_recovery`].
    pub fn factor_recovery(&self, split: &TokenSplit) -> Result<FactorRecovery> {
        factor_recovery(&self.model, &self.sae, &self.hook_name, split)
    }

    /// Thirty figures of the autoencoder with bootstrap intervals; [`measure`]. `cfg.hook_name` gives way
    /// to the hook point that is read here.
    ///
    /// # Errors
    /// Those of [`measure`].
    pub fn measure(&self, split: &TokenSplit, cfg: &MeasureConfig) -> Result<Measurement> {
        measure(&self.model, &self.sae, split, &self.at_hook(cfg))
    }

    /// The same figures beside those of neurons, PCA, ICA and random directions, which are fitted on
    /// `fit`; [`compare_with_controls`].
    ///
    /// # Errors
    /// Those of [`compare_with_controls`].
    pub fn compare_with_controls(
        &self,
        fit: &TokenSplit,
        split: &TokenSplit,
        cfg: &MeasureConfig,
    ) -> Result<ControlComparison> {
        compare_with_controls(&self.model, &self.sae, fit, split, &self.at_hook(cfg))
    }

    fn at_hook(&self, cfg: &MeasureConfig) -> MeasureConfig {
        MeasureConfig {
            hook_name: self.hook_name.clone(),
            ..cfg.clone()
        }
    }

    /// Precision, recall, F1, AUC and correlation of the best feature for each value of the factors
    /// that made a labelled text; [`factor_scores`].
    ///
    /// # Errors
    /// Those of [`factor_scores`].
    pub fn factor_scores(&self, split: &TokenSplit) -> Result<FactorScores> {
        factor_scores(&self.model, &self.sae, &self.hook_name, split)
    }

    /// One feature's dashboard on the validation tokens of `data`; [`feature_dashboard`].
    ///
    /// # Errors
    /// Those of [`feature_dashboard`].
    pub fn feature_dashboard(&self, data: &Dataset, feature_id: usize) -> Result<FeatureDashboard> {
        feature_dashboard(&self.model, &self.sae, &self.hook_name, data, feature_id)
    }

    /// The dashboards of several features as one page; [`feature_dashboards`].
    ///
    /// # Errors
    /// Those of [`feature_dashboards`].
    pub fn feature_dashboards(&self, data: &Dataset, features: &[usize]) -> Result<DashboardPage> {
        feature_dashboards(&self.model, &self.sae, &self.hook_name, data, features)
    }

    /// Feature activations `[batch, pos, d_sae]` of `tokens` `[batch, pos]`; [`feature_acts`].
    ///
    /// # Errors
    /// Those of [`feature_acts`].
    pub fn feature_acts(&self, tokens: &Tensor) -> Result<Tensor> {
        feature_acts(&self.model, &self.sae, &self.hook_name, tokens)
    }

    /// The tokens of a text, coloured by one feature's activation; [`feature_tokens`].
    ///
    /// # Errors
    /// Those of [`feature_tokens`].
    pub fn feature_tokens(&self, text: &str, feature_id: usize) -> Result<TokenView> {
        feature_tokens(
            &self.model,
            &self.sae,
            &self.hook_name,
            &self.tokenizer,
            text,
            feature_id,
            None,
        )
    }

    /// The 20 tokens on which a feature is most active among the first 128 sequences of a split, with
    /// their contexts; [`top_activations`].
    ///
    /// # Errors
    /// Those of [`top_activations`].
    pub fn top_activations(&self, split: &TokenSplit, feature_id: usize) -> Result<TopActivations> {
        let n_ctx = self.model.cfg().n_ctx;
        let n = split.n_sequences(n_ctx).min(SEQUENCES);
        let tokens = split.sequences(n, n_ctx, self.model.device())?;
        top_activations(
            &self.model,
            &self.sae,
            &self.hook_name,
            &self.tokenizer,
            &tokens,
            feature_id,
            TOP,
        )
    }

    /// The sequence among the first 128 of a split in which a feature is strongest, its tokens coloured;
    /// [`strongest_sequence`].
    ///
    /// # Errors
    /// Those of [`strongest_sequence`].
    pub fn strongest_sequence(
        &self,
        split: &TokenSplit,
        feature_id: usize,
    ) -> Result<StrongestSequence> {
        strongest_sequence(
            &self.model,
            &self.sae,
            &self.hook_name,
            &self.tokenizer,
            split,
            feature_id,
            SEQUENCES,
        )
    }

    /// A feature's direct effect on the logits, `[d_vocab]`; [`feature_logits`].
    ///
    /// # Errors
    /// Those of [`feature_logits`].
    pub fn feature_logits(&self, feature_id: usize) -> Result<Tensor> {
        feature_logits(&self.model, &self.sae, &self.hook_name, feature_id)
    }

    /// The tokens that a feature makes more and less likely; [`top_logits`].
    ///
    /// # Errors
    /// Those of [`top_logits`].
    pub fn top_logits(&self, feature_id: usize) -> Result<TopLogits> {
        let (model, sae) = (&self.model, &self.sae);
        top_logits(
            model,
            sae,
            &self.hook_name,
            feature_id,
            &self.tokenizer,
            TOP / 2,
        )
    }
}

shows_itself!(HookedSae);

impl Show for HookedSae {
    /// What it is made of.
    fn mime_bundle(&self) -> Result<MimeBundle> {
        let cfg = self.model.cfg();
        Ok(MimeBundle::plain(format!(
            "{}, read at {} of a model of {} layers, d_model {}",
            self.sae.summary(),
            self.hook_name,
            cfg.n_layers,
            cfg.d_model
        )))
    }
}
