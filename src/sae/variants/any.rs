//! An autoencoder of any architecture, as returned by training or read from a file.

use super::abs_top_k::AbsTopKSae;
use super::gated::GatedSae;
use super::jump_relu::JumpReLUSae;
use super::matching_pursuit::MatchingPursuitSae;
use super::standard::StandardSae;
use super::temporal::TemporalSae;
use super::top_k::TopKSae;
use crate::error::Result;
use crate::sae::active::{ActiveFeatures, FeatureActivity};
use crate::sae::autoencoder::{ActivityCounter, SparseAutoencoder};
use crate::show::{MimeBundle, Show, shows_itself};
use candle_core::Tensor;
use serde_json::{Map, Value};

/// A trained autoencoder of any architecture. A clone shares the weights.
///
/// [`train_sae`](crate::sae::train_sae) returns one, [`Sae::load`] reads one, and
/// [`SparseAutoencoder`] has the common methods. What only one architecture has is in its variant:
///
/// ```
/// use holoscope::candle::{Device, Tensor};
/// use holoscope::sae::{Sae, SparseAutoencoder, StandardSae};
///
/// # fn main() -> holoscope::Result<()> {
/// let (w, b) = (Tensor::new(&[[2f32]], &Device::Cpu)?, Tensor::new(&[0f32], &Device::Cpu)?);
/// let sae = Sae::from(StandardSae::new(w.clone(), b.clone(), w, b)?);
/// assert_eq!((sae.d_in(), sae.d_sae(), sae.architecture()), (1, 1, "standard"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub enum Sae {
    /// ReLU and an L1 penalty.
    Standard(StandardSae),
    /// The `k` largest of each token's positive activations.
    TopK(TopKSae),
    /// Activations above their feature's threshold; also BatchTopK and its Matryoshka form, once trained.
    JumpReLU(JumpReLUSae),
    /// Gates say which features are active, magnitudes how strongly.
    Gated(GatedSae),
    /// The `k` of each token's activations largest in absolute value, with their signs.
    AbsTopK(AbsTopKSae),
    /// Features one after the other, each the one that best fits the residual.
    MatchingPursuit(MatchingPursuitSae),
    /// Predictions from the past, and novel features for the rest; for whole sequences.
    Temporal(Box<TemporalSae>),
}

impl From<StandardSae> for Sae {
    fn from(sae: StandardSae) -> Self {
        Self::Standard(sae)
    }
}

impl From<TopKSae> for Sae {
    fn from(sae: TopKSae) -> Self {
        Self::TopK(sae)
    }
}

impl From<AbsTopKSae> for Sae {
    fn from(sae: AbsTopKSae) -> Self {
        Self::AbsTopK(sae)
    }
}

impl From<MatchingPursuitSae> for Sae {
    fn from(sae: MatchingPursuitSae) -> Self {
        Self::MatchingPursuit(sae)
    }
}

impl From<TemporalSae> for Sae {
    fn from(sae: TemporalSae) -> Self {
        Self::Temporal(Box::new(sae))
    }
}

impl From<GatedSae> for Sae {
    fn from(sae: GatedSae) -> Self {
        Self::Gated(sae)
    }
}

impl From<JumpReLUSae> for Sae {
    fn from(sae: JumpReLUSae) -> Self {
        Self::JumpReLU(sae)
    }
}

impl Sae {
    /// SAELens' name of the architecture: "standard", "topk", "jumprelu", "gated", "abstopk",
    /// "matching_pursuit", "temporal".
    pub fn architecture(&self) -> &'static str {
        match self {
            Self::Standard(_) => "standard",
            Self::TopK(_) => "topk",
            Self::JumpReLU(_) => "jumprelu",
            Self::Gated(_) => "gated",
            Self::AbsTopK(_) => "abstopk",
            Self::MatchingPursuit(_) => "matching_pursuit",
            Self::Temporal(_) => "temporal",
        }
    }

    /// The hook point whose activations it reconstructs, where known.
    pub fn hook_name(&self) -> Option<&str> {
        self.dictionary().hook_name.as_deref()
    }

    /// SAELens' `cfg.json` as it was read; empty for an autoencoder trained by this library.
    pub fn cfg(&self) -> &Map<String, Value> {
        &self.dictionary().cfg
    }

    fn dictionary(&self) -> &StandardSae {
        match self {
            Self::Standard(sae) => sae,
            Self::TopK(sae) => &sae.dictionary,
            Self::JumpReLU(sae) => &sae.dictionary,
            Self::Gated(sae) => &sae.dictionary,
            Self::AbsTopK(sae) => &sae.dictionary,
            Self::MatchingPursuit(sae) => &sae.dictionary,
            Self::Temporal(sae) => &sae.dictionary,
        }
    }

    /// The same autoencoder with this hook point.
    pub(in crate::sae) fn with_hook_name(mut self, hook_name: &str) -> Self {
        let dictionary = match &mut self {
            Self::Standard(sae) => sae,
            Self::TopK(sae) => &mut sae.dictionary,
            Self::JumpReLU(sae) => &mut sae.dictionary,
            Self::Gated(sae) => &mut sae.dictionary,
            Self::AbsTopK(sae) => &mut sae.dictionary,
            Self::MatchingPursuit(sae) => &mut sae.dictionary,
            Self::Temporal(sae) => &mut sae.dictionary,
        };
        dictionary.hook_name = Some(hook_name.to_owned());
        self
    }

    fn variant(&self) -> &dyn SparseAutoencoder {
        match self {
            Self::Standard(sae) => sae,
            Self::TopK(sae) => sae,
            Self::JumpReLU(sae) => sae,
            Self::Gated(sae) => sae,
            Self::AbsTopK(sae) => sae,
            Self::MatchingPursuit(sae) => sae,
            Self::Temporal(sae) => &**sae,
        }
    }

    /// Architecture, widths and hook point in one line.
    pub fn summary(&self) -> String {
        let kind = match self {
            Self::Standard(_) => "standard".to_owned(),
            Self::TopK(sae) => format!("TopK (k = {})", sae.k),
            Self::JumpReLU(_) => "JumpReLU".to_owned(),
            Self::Gated(_) => "gated".to_owned(),
            Self::AbsTopK(sae) => format!("AbsTopK (k = {})", sae.k),
            Self::MatchingPursuit(_) => "matching-pursuit".to_owned(),
            Self::Temporal(_) => "temporal".to_owned(),
        };
        let of = match self.hook_name() {
            Some(hook_name) => format!(" of {hook_name}"),
            None => String::new(),
        };
        format!(
            "{kind} autoencoder{of}: d_in {}, d_sae {}",
            self.d_in(),
            self.d_sae()
        )
    }
}

shows_itself!(Sae);

impl Show for Sae {
    /// The summary.
    fn mime_bundle(&self) -> Result<MimeBundle> {
        Ok(MimeBundle::plain(self.summary()))
    }
}

impl SparseAutoencoder for Sae {
    fn d_in(&self) -> usize {
        self.variant().d_in()
    }

    fn d_sae(&self) -> usize {
        self.variant().d_sae()
    }

    fn encode(&self, x: &Tensor) -> Result<Tensor> {
        self.variant().encode(x)
    }

    fn encode_sparse(&self, x: &Tensor) -> Result<ActiveFeatures> {
        self.variant().encode_sparse(x)
    }

    fn encode_features(&self, x: &Tensor, features: &[usize]) -> Result<Tensor> {
        self.variant().encode_features(x, features)
    }

    fn activity(&self, x: &Tensor) -> Result<FeatureActivity> {
        self.variant().activity(x)
    }

    fn activity_counter(&self) -> Result<ActivityCounter<'_>> {
        self.variant().activity_counter()
    }

    fn decode(&self, acts: &Tensor) -> Result<Tensor> {
        self.variant().decode(acts)
    }

    fn reconstruct(&self, x: &Tensor) -> Result<Tensor> {
        self.variant().reconstruct(x)
    }

    fn w_enc(&self) -> Tensor {
        self.variant().w_enc()
    }

    fn w_dec(&self) -> Tensor {
        self.variant().w_dec()
    }

    fn b_enc(&self) -> Tensor {
        self.variant().b_enc()
    }

    fn b_dec(&self) -> Tensor {
        self.variant().b_dec()
    }
}
