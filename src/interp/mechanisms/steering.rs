//! Hooks that take a head out of a model, or move an activation along a direction.
//! `z_h = 0`; `x + strength d`; `x - (x . d) d / |d|^2`.
//! Source: TransformerLens' ablation demo; Turner et al. 2023 (steering); Arditi et al. 2024.

use super::input::check_index;
use crate::error::{Error, Result};
use crate::model::{BlockPoint, Hook, HookName, mean_over};
use candle_core::{D, DType, Tensor};

/// Replaces the `z` of one head by zeros: the head writes nothing.
///
/// ```
/// use holoscope::{config::TransformerConfig, interp::ablate_head, model::Transformer};
/// use candle_core::{Device, Tensor};
/// let cfg = TransformerConfig { d_vocab: 11, d_model: 8, d_mlp: 16, ..Default::default() };
/// let model = Transformer::new(&cfg)?;
/// let tokens = Tensor::new(&[[1u32, 2, 3]], &Device::Cpu)?;
/// let loss = model.loss_with_hooks(&tokens, &[ablate_head(0, 1)])?;
/// assert!(loss.is_finite());
/// # Ok::<(), holoscope::Error>(())
/// ```
///
/// A head or block that the model does not have is an error of the run.
pub fn ablate_head(layer: usize, head: usize) -> Hook {
    head_hook(layer, head, |z| Ok(z.zeros_like()?))
}

/// Replaces the `z` of one head by its mean over batch and position. A head or block that the model
/// does not have is an error of the run.
pub fn mean_ablate_head(layer: usize, head: usize) -> Hook {
    head_hook(layer, head, |z| {
        let mean = mean_over(z, &[0, 1])?;
        Ok(mean.broadcast_as(z.shape())?.contiguous()?)
    })
}

/// A hook that puts `new(z)` in the place of one head's `z`, `[batch, pos, 1, d_head]`.
fn head_hook(layer: usize, head: usize, new: impl Fn(&Tensor) -> Result<Tensor> + 'static) -> Hook {
    let point = BlockPoint::Z;
    Hook::new(&HookName::Block { layer, point }.to_string(), move |z| {
        let (batch, pos, n_heads, d_head) = z.dims4()?;
        check_index("head", head, n_heads)?;
        let own = new(&z.narrow(2, head, 1)?.contiguous()?)?;
        let place = [0..batch, 0..pos, head..head + 1, 0..d_head];
        Ok(Some(z.slice_assign(&place, &own)?))
    })
}

/// Adds `strength` times `direction` to an activation at every position. The direction has as many
/// elements as the activation has a token, heads side by side: `d_model` for a residual stream.
///
/// ```
/// use holoscope::{config::TransformerConfig, interp::add_direction, model::Transformer};
/// use candle_core::{DType, Device, Tensor};
/// let cfg = TransformerConfig { d_vocab: 11, d_model: 8, d_mlp: 16, ..Default::default() };
/// let model = Transformer::new(&cfg)?;
/// let tokens = Tensor::new(&[[1u32, 2, 3]], &Device::Cpu)?;
/// let direction = Tensor::ones(8, DType::F32, &Device::Cpu)?;
/// let steer = add_direction("blocks.0.hook_resid_post", &direction, 4.0);
/// assert_eq!(model.run_with_hooks(&tokens, &[steer])?.dims(), [1, 3, 11]);
/// # Ok::<(), holoscope::Error>(())
/// ```
///
/// A direction of another width and a hook point that the model does not have are errors of the run.
pub fn add_direction(hook_name: &str, direction: &Tensor, strength: f64) -> Hook {
    direction_hook(hook_name, direction, move |x, d| {
        Ok(x.broadcast_add(&(d * strength)?)?)
    })
}

/// Removes from an activation, at every position, its component along `direction`, which may have
/// any length but 0. Errors are those of [`add_direction`].
pub fn ablate_direction(hook_name: &str, direction: &Tensor) -> Hook {
    direction_hook(hook_name, direction, |x, d| {
        // At most 1 in size, so that the square neither overflows nor vanishes.
        let largest = d.abs()?.max_all()?.to_scalar::<f32>()?;
        if largest == 0.0 {
            let reason = "has no component along it to remove";
            return Err(Error::argument("the direction", "0", reason));
        }
        let d = &d.broadcast_div(&Tensor::new(largest, d.device())?)?;
        let square = d.sqr()?.sum_all()?.to_scalar::<f32>()?;
        let along = x.broadcast_mul(d)?.sum_keepdim(D::Minus1)?; // [batch, pos, 1]
        let removed = (along / f64::from(square))?.broadcast_mul(d)?;
        Ok((x - removed)?)
    })
}

/// A hook that applies `change` to an activation `[batch, pos, width]`, f32, given the direction
/// `[width]`.
fn direction_hook(
    hook_name: &str,
    direction: &Tensor,
    change: impl Fn(&Tensor, &Tensor) -> Result<Tensor> + 'static,
) -> Hook {
    let name = hook_name.to_owned();
    let square = hook_name
        .parse::<HookName>()
        .is_ok_and(HookName::is_attention_square);
    let direction = direction.clone();
    Hook::new(hook_name, move |x| {
        if square {
            let reason = "belongs to pairs of tokens, so that no direction can be added to it";
            return Err(Error::argument("hook_name", format!("{name:?}"), reason));
        }
        let (batch, pos) = (x.dim(0)?, x.dim(1)?);
        let width = x.dims()[2..].iter().product::<usize>();
        if direction.elem_count() != width {
            let what = format!("the direction at {name}");
            return Err(Error::shape(what, [width], direction.dims()));
        }
        let d = direction.flatten_all()?.to_dtype(DType::F32)?;
        let wide = x.to_dtype(DType::F32)?.reshape((batch, pos, width))?;
        let changed = change(&wide, &d.to_device(x.device())?)?;
        Ok(Some(changed.reshape(x.shape())?.to_dtype(x.dtype())?))
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{random_model, sequence, small_config, values};
    use super::*;
    use crate::model::Transformer;

    const IDS: [u32; 5] = [3, 1, 4, 1, 5];

    /// The activation at `name` as the hook sees it and as it leaves it.
    fn before_and_after(model: &Transformer, name: &str, hook: Hook) -> [Vec<f64>; 2] {
        let seen = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
        let watch = || {
            let seen = seen.clone();
            Hook::new(name, move |x| {
                seen.borrow_mut().push(values(x));
                Ok(None)
            })
        };
        let hooks = [watch(), hook, watch()];
        model.run_with_hooks(&sequence(&IDS), &hooks).unwrap();
        let seen = seen.borrow();
        [seen[0].clone(), seen[1].clone()]
    }

    fn error(hook: Hook) -> String {
        let model = random_model(&small_config());
        let found = model.run_with_hooks(&sequence(&IDS), &[hook]);
        found.unwrap_err().to_string()
    }

    #[test]
    fn one_head_is_ablated_and_the_other_is_left() {
        let model = random_model(&small_config());
        let name = "blocks.1.attn.hook_z"; // [1, 5, 2, 4]
        let [before, zeroed] = before_and_after(&model, name, ablate_head(1, 1));
        let [_, averaged] = before_and_after(&model, name, mean_ablate_head(1, 1));
        for i in 0..40 {
            let (of_head_1, element) = (i % 8 >= 4, i % 8);
            let mean = (0..5).map(|p| before[p * 8 + element]).sum::<f64>() / 5.0;
            let (zero, mean) = match of_head_1 {
                true => (0.0, mean),
                false => (before[i], before[i]),
            };
            assert_eq!(zeroed[i], zero);
            assert!((averaged[i] - mean).abs() < 1e-6);
        }
    }

    #[test]
    fn the_mean_of_many_is_summed_in_f32() {
        let device = candle_core::Device::Cpu;
        for dtype in [DType::BF16, DType::F16, DType::F32] {
            // 4,096 ones: in bf16 a sum stops at 256, in f16 at 2,048.
            let ones = Tensor::ones((2, 2_048, 3), dtype, &device).unwrap();
            let mean = mean_over(&ones, &[0, 1]).unwrap();
            assert_eq!((mean.dims(), mean.dtype()), (&[1, 1, 3][..], dtype));
            let mean = mean.to_dtype(DType::F32).unwrap();
            assert_eq!(values(&mean), [1.0; 3], "{dtype:?}");
        }
    }

    #[test]
    fn a_direction_is_added_and_removed() {
        let model = random_model(&small_config());
        let d: Vec<f32> = (0..8).map(|i| i as f32 - 2.5).collect();
        let direction = Tensor::new(d.as_slice(), model.device()).unwrap();
        for name in ["blocks.2.hook_resid_pre", "blocks.0.attn.hook_q"] {
            let [before, added] =
                before_and_after(&model, name, add_direction(name, &direction, -3.0));
            let [_, removed] = before_and_after(&model, name, ablate_direction(name, &direction));
            // Only where it points counts, also where its square is beyond f32.
            for scale in [1e25, 1e-25] {
                let scaled = (&direction * scale).unwrap();
                let [_, again] = before_and_after(&model, name, ablate_direction(name, &scaled));
                for (a, b) in removed.iter().zip(again) {
                    assert!((a - b).abs() < 1e-4, "{scale}: {a} {b}");
                }
            }
            let square: f64 = d.iter().map(|d| f64::from(d * d)).sum();
            for (p, row) in before.chunks(8).enumerate() {
                let along: f64 = row.iter().zip(&d).map(|(x, &d)| x * f64::from(d)).sum();
                for (i, &x) in row.iter().enumerate() {
                    let d = f64::from(d[i]);
                    assert!((added[p * 8 + i] - (x - 3.0 * d)).abs() < 1e-5);
                    assert!((removed[p * 8 + i] - (x - along / square * d)).abs() < 1e-4);
                }
            }
        }
    }

    #[test]
    fn wrong_heads_directions_and_names_are_errors_of_the_run() {
        let wide = Tensor::ones(9, DType::F32, &candle_core::Device::Cpu).unwrap();
        let zero = Tensor::zeros(8, DType::F32, &candle_core::Device::Cpu).unwrap();
        let stream = "blocks.0.hook_resid_pre";
        assert!(error(ablate_head(0, 2)).contains("head = 2: must be below 2"));
        assert!(error(ablate_head(3, 0)).contains("unknown hook point"));
        assert!(error(add_direction(stream, &wide, 1.0)).contains("[9], expected [8]"));
        assert!(error(add_direction("blocks.0.attn.hook_pattern", &zero, 1.0)).contains("pairs"));
        assert!(error(ablate_direction(stream, &zero)).contains("the direction = 0"));
    }
}
