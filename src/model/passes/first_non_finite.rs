//! Where a pass stops being numbers: the first hook point with a NaN or an infinity.
//!
//! One NaN reaches every later activation, so what one sees at the end says nothing about where it
//! began. Source: ours, after PyTorch's `detect_anomaly`, for the forward pass.

use crate::error::{Error, Result};
use crate::model::hooks::{Hook, HookName, NonFinite, Run, non_finite_at};
use crate::model::transformer::Transformer;
use candle_core::Tensor;

impl Transformer {
    /// The first activation of a pass over `tokens` `[batch, pos]` that is not finite, in the order
    /// of computation; `None` if all are. The `-inf` by which `hook_attn_scores` keeps a query from
    /// later keys is none.
    ///
    /// The pass ends there. It costs as much as one that keeps every activation, in time.
    ///
    /// ```
    /// use holoscope::{config::TransformerConfig, model::Transformer};
    /// use candle_core::{Device, Tensor};
    /// let cfg = TransformerConfig { d_vocab: 11, d_model: 8, d_mlp: 16, ..Default::default() };
    /// let model = Transformer::new(&cfg)?;
    /// let tokens = Tensor::new(&[[1u32, 2, 3]], &Device::Cpu)?;
    /// assert_eq!(model.first_non_finite(&tokens)?, None);
    ///
    /// let (_, bias) = model.named_parameters().into_iter()
    ///     .find(|(name, _)| name == "blocks.0.mlp.b_in").expect("a block with an MLP");
    /// bias.set(&Tensor::full(f32::NAN, 16, &Device::Cpu)?)?;
    /// let found = model.first_non_finite(&tokens)?.expect("a NaN");
    /// assert_eq!(found.to_string(), "blocks.0.mlp.hook_pre is NaN at [0, 0, 0]");
    /// # Ok::<(), holoscope::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Transformer::forward`].
    pub fn first_non_finite(&self, tokens: &Tensor) -> Result<Option<NonFinite>> {
        self.first_non_finite_with_hooks(tokens, &[])
    }

    /// [`Transformer::first_non_finite`] of a pass in which `hooks` may replace activations; what
    /// they put in their place is looked at.
    ///
    /// # Errors
    /// As [`Transformer::run_with_hooks`].
    pub fn first_non_finite_with_hooks(
        &self,
        tokens: &Tensor,
        hooks: &[Hook],
    ) -> Result<Option<NonFinite>> {
        let model = self.without_gradients();
        let mut run = Run::hooked(hooks, &self.cfg)?.looking_for_non_finite();
        let tokens = model.checked(tokens)?;
        let x = model.residual(&tokens, None, &mut run)?;
        if !run.finished() {
            let x = model.normed(&x, &mut run)?;
            model.unembed(&x, &mut run)?;
        }
        Ok(run.non_finite())
    }

    /// An error that names the first activation of a pass that is not finite, if there is one.
    ///
    /// # Errors
    /// [`Error::NotFiniteAt`]; those of [`Transformer::forward`].
    pub fn check_finite(&self, tokens: &Tensor) -> Result<()> {
        match self.first_non_finite(tokens)? {
            Some(found) => Err(found.into()),
            None => Ok(()),
        }
    }

    /// An error if `value`, which a pass over `tokens` gave at `name`, is not finite: it says where, and
    /// where in the pass it began.
    pub(crate) fn check_activation(
        &self,
        tokens: &Tensor,
        name: HookName,
        value: &Tensor,
    ) -> Result<()> {
        let Some(found) = non_finite_at(name, value)? else {
            return Ok(());
        };
        let began = match self.first_non_finite(tokens)? {
            Some(first) if first.hook_name != found.hook_name => {
                format!("; the first hook point of the pass that is not finite: {first}")
            }
            _ => String::new(),
        };
        Err(Error::NotFiniteAt {
            what: found.hook_name,
            value: found.value,
            place: format!("{:?}{began}", found.index),
        })
    }
}
