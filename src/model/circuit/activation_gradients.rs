//! Gradients of a number of the logits with respect to activations.
//! A variable of zeros is added at each hook point; its gradient is that of the activation.
//! Source: TransformerLens' backward hooks (`add_hook(.., dir="bwd")`), by candle's own derivatives.

use crate::error::{Error, Result};
use crate::model::hooks::{ActivationCache, Hook, HookName, NamesFilter};
use crate::model::transformer::Transformer;
use candle_core::{Tensor, Var};
use std::cell::RefCell;
use std::rc::Rc;

impl Transformer {
    /// The metric of a pass over `tokens` `[batch, pos]`, and its gradient with respect to each
    /// activation that `names` keeps, of the activation's shape, by the activation's name.
    ///
    /// `metric` makes a scalar of the logits `[batch, pos, d_vocab]` out of candle's operations. The
    /// gradient at an activation takes all that follows it into account, and holds for the pass
    /// with `hooks`, which run before the gradient's point: it is that of what they return.
    ///
    /// ```
    /// use holoscope::{config::TransformerConfig, model::{NamesFilter, Transformer}};
    /// use candle_core::{Device, Tensor};
    /// let cfg = TransformerConfig { d_vocab: 11, d_model: 8, d_mlp: 16, ..Default::default() };
    /// let model = Transformer::new(&cfg)?;
    /// let tokens = Tensor::new(&[[1u32, 2, 3]], &Device::Cpu)?;
    /// let names = NamesFilter::only("blocks.0.hook_resid_pre")?;
    /// let (_, gradients) = model.activation_gradients(&tokens, &names, &[], |logits| {
    ///     Ok(logits.get(0)?.get(2)?.get(7)?)
    /// })?;
    /// assert_eq!(gradients.get("blocks.0.hook_resid_pre")?.dims(), [1, 3, 8]);
    /// # Ok::<(), holoscope::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Transformer::run_with_hooks`]; [`Error::UnknownHook`] for a name that the model does not
    /// have, [`Error::Shape`] for a metric that is no scalar, and what the metric returns.
    pub fn activation_gradients(
        &self,
        tokens: &Tensor,
        names: &NamesFilter,
        hooks: &[Hook],
        metric: impl Fn(&Tensor) -> Result<Tensor>,
    ) -> Result<(f64, ActivationCache)> {
        let wanted = match names {
            NamesFilter::All => HookName::all(self.cfg()),
            NamesFilter::Names(names) => names.clone(),
        };
        let mut hooks = hooks.to_vec();
        let mut variables = Vec::new();
        for name in wanted {
            let variable: Rc<RefCell<Option<Var>>> = Rc::default();
            let of_hook = variable.clone();
            hooks.push(Hook::new(&name.to_string(), move |x| {
                let zeros = Var::from_tensor(&x.zeros_like()?)?;
                let sum = (x + zeros.as_tensor())?;
                *of_hook.borrow_mut() = Some(zeros);
                Ok(Some(sum))
            }));
            variables.push((name, variable));
        }
        let logits = self.without_gradients().run_with_hooks(tokens, &hooks)?;
        let value = metric(&logits)?;
        if value.elem_count() != 1 {
            return Err(Error::shape("the metric", "[] (a scalar)", value.dims()));
        }
        let value = value.flatten_all()?.get(0)?;
        let grads = value.backward()?;
        let mut gradients = ActivationCache::default();
        for (name, variable) in variables {
            if let Some(variable) = variable.borrow().as_ref() {
                let gradient = match grads.get(variable) {
                    Some(gradient) => gradient.detach().contiguous()?,
                    // The metric does not depend on it.
                    None => variable.as_detached_tensor(),
                };
                gradients.insert(name, gradient);
            }
        }
        let value = value.to_dtype(candle_core::DType::F64)?;
        Ok((value.to_scalar::<f64>()?, gradients))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Activation, Normalization, TransformerConfig};
    use candle_core::{DType, Device, IndexOp};

    fn model(normalization_type: Normalization, act_fn: Activation) -> Transformer {
        let cfg = TransformerConfig {
            n_layers: 2,
            d_model: 8,
            n_heads: 2,
            d_mlp: 12,
            n_ctx: 6,
            d_vocab: 7,
            init_std: 0.5,
            normalization_type,
            act_fn,
            ..TransformerConfig::default()
        };
        Transformer::new(&cfg).unwrap()
    }

    fn tokens() -> Tensor {
        Tensor::new(&[[3u32, 1, 4, 1], [5, 0, 2, 6]], &Device::Cpu).unwrap()
    }

    fn metric(logits: &Tensor) -> Result<Tensor> {
        let a = logits.i((0, 3, 2))?;
        let b = logits.i((1, 2, 5))?;
        Ok((a - (b * 0.5)?)?)
    }

    /// Central differences of the metric in one element of one activation.
    fn numeric(model: &Transformer, name: HookName, element: usize, step: f32) -> f64 {
        let at = |sign: f32| {
            let hook = Hook::new(&name.to_string(), move |x| {
                let mut values: Vec<f32> = x.flatten_all()?.to_vec1()?;
                values[element] += sign * step;
                Ok(Some(Tensor::from_vec(values, x.shape(), x.device())?))
            });
            let logits = model.run_with_hooks(&tokens(), &[hook]).unwrap();
            let value = metric(&logits).unwrap().to_scalar::<f32>().unwrap();
            f64::from(value)
        };
        (at(1.0) - at(-1.0)) / (2.0 * f64::from(step))
    }

    #[test]
    fn gradients_are_those_of_central_differences_at_every_hook_point() {
        for (norm, act_fn) in [
            (Normalization::Ln, Activation::GeluNew),
            (Normalization::None, Activation::Silu),
            (Normalization::LnPre, Activation::SoluLn),
        ] {
            let model = model(norm, act_fn);
            let model = model.without_gradients();
            let (_, gradients) = model
                .activation_gradients(&tokens(), &NamesFilter::All, &[], metric)
                .unwrap();
            assert_eq!(gradients.len(), HookName::all(model.cfg()).len());
            for name in HookName::all(model.cfg()) {
                let gradient = gradients.at(name).unwrap();
                let gradient: Vec<f32> = gradient.flatten_all().unwrap().to_vec1().unwrap();
                // A spread of elements; at masked scores both sides are 0.
                for element in (0..gradient.len()).step_by(1 + gradient.len() / 9) {
                    let found = f64::from(gradient[element]);
                    let wanted = numeric(&model, name, element, 3e-3);
                    let off = (found - wanted).abs();
                    assert!(off < 2e-3 * (1.0 + wanted.abs()), "{name} {found} {wanted}");
                }
            }
        }
    }

    #[test]
    fn the_metric_is_that_of_the_pass_and_a_point_it_does_not_depend_on_has_zeros() {
        let model = model(Normalization::Ln, Activation::Relu);
        let names = NamesFilter::names(&["hook_embed", "unembed.hook_out"]).unwrap();
        let (value, gradients) = model
            .activation_gradients(&tokens(), &names, &[], metric)
            .unwrap();
        let logits = model.forward(&tokens()).unwrap();
        let wanted = metric(&logits).unwrap().to_scalar::<f32>().unwrap();
        assert!((value - f64::from(wanted)).abs() < 1e-6);
        // Of the logits themselves: 1 at one element, -1/2 at another.
        let of_logits = gradients.get("unembed.hook_out").unwrap();
        assert_eq!(
            of_logits.i((0, 3, 2)).unwrap().to_scalar::<f32>().unwrap(),
            1.0
        );
        assert_eq!(
            of_logits.i((1, 2, 5)).unwrap().to_scalar::<f32>().unwrap(),
            -0.5
        );
        let sum = of_logits.sum_all().unwrap().to_scalar::<f32>().unwrap();
        assert_eq!(sum, 0.5);
        // Position 3 of the second sequence comes after the one that is read.
        let late = gradients.get("hook_embed").unwrap().i((1, 3)).unwrap();
        assert_eq!(late.to_vec1::<f32>().unwrap(), [0.0; 8]);
        let (_, constant) = model
            .activation_gradients(&tokens(), &names, &[], |logits| {
                Ok(logits.detach().sum_all()?.zeros_like()?)
            })
            .unwrap();
        let zeros = constant.get("hook_embed").unwrap();
        assert_eq!(zeros.dims(), [2, 4, 8]);
        assert_eq!(
            zeros
                .abs()
                .unwrap()
                .sum_all()
                .unwrap()
                .to_scalar::<f32>()
                .unwrap(),
            0.0
        );
    }

    #[test]
    fn wrong_names_and_metrics_are_refused() {
        let model = model(Normalization::None, Activation::Relu);
        let gradients = |name: &str| {
            let names = NamesFilter::only(name).unwrap();
            model.activation_gradients(&tokens(), &names, &[], metric)
        };
        assert!(matches!(
            gradients("blocks.0.ln1.hook_scale"),
            Err(Error::UnknownHook { .. })
        ));
        let names = NamesFilter::only("hook_embed").unwrap();
        let whole = |logits: &Tensor| Ok(logits.to_dtype(DType::F32)?);
        let error = model.activation_gradients(&tokens(), &names, &[], whole);
        assert!(error.unwrap_err().to_string().contains("scalar"));
    }
}
