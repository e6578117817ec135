//! A hook that takes a set of an autoencoder's features out of an activation.
//! `x' = x - (decode(f) - decode(f without the set))`: what the autoencoder does not explain stays.
//! Source: Marks et al. 2024, arXiv:2403.19647, which keep the error term in their ablations.

use crate::error::{Error, Result};
use crate::model::{Hook, HookName};
use crate::sae::SparseAutoencoder;
use candle_core::{DType, Tensor};

/// Removes features from an activation at every position; the rest of the reconstruction and the
/// error of the autoencoder stay as they are. The autoencoder is cloned, which for those of this
/// library shares its tensors.
///
/// A feature that the autoencoder does not have, an activation of another width and a hook point
/// that the model does not have are errors of the run.
pub fn ablate_features<S: SparseAutoencoder + Clone + 'static>(
    hook_name: &str,
    sae: &S,
    features: &[usize],
) -> Hook {
    let (sae, features) = (sae.clone(), features.to_vec());
    let square = hook_name
        .parse::<HookName>()
        .is_ok_and(HookName::is_attention_square);
    let name = hook_name.to_owned();
    Hook::new(hook_name, move |x| {
        if square {
            let reason = "belongs to pairs of tokens, so that it has no features";
            return Err(Error::argument("hook_name", format!("{name:?}"), reason));
        }
        if features.is_empty() {
            return Ok(None);
        }
        let d_in = x.dims()[2..].iter().product::<usize>();
        if d_in != sae.d_in() {
            let what = format!("a token's activation at {name}");
            return Err(Error::shape(what, [sae.d_in()], [d_in]));
        }
        let rows = x.reshape(((), d_in))?.to_dtype(DType::F32)?; // [batch * pos, d_in]
        let acts = sae.encode(&rows)?; // [batch * pos, d_sae]
        let kept = kept(sae.d_sae(), &features)?;
        let kept = Tensor::from_vec(kept, (1, sae.d_sae()), x.device())?;
        let zeros = acts.zeros_like()?;
        let without = kept.broadcast_as(acts.shape())?.where_cond(&acts, &zeros)?;
        let removed = (sae.decode(&acts)? - sae.decode(&without)?)?;
        let changed = (rows - removed.to_dtype(DType::F32)?)?;
        Ok(Some(changed.reshape(x.shape())?.to_dtype(x.dtype())?))
    })
}

/// 1 for the features that stay, 0 for those of the set. `[d_sae]`
fn kept(d_sae: usize, features: &[usize]) -> Result<Vec<u8>> {
    let mut kept = vec![1u8; d_sae];
    for &feature in features {
        match kept.get_mut(feature) {
            Some(kept) => *kept = 0,
            None => {
                let reason = format!("the autoencoder has features 0 to {}", d_sae.max(1) - 1);
                return Err(Error::argument("feature_id", feature, reason));
            }
        }
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{random_model, sequence, small_config, values};
    use super::*;
    use crate::model::NamesFilter;
    use crate::sae::StandardSae;
    use candle_core::Device;

    const NAME: &str = "blocks.1.hook_resid_pre";

    fn random(shape: (usize, usize), seed: usize) -> Tensor {
        let n = shape.0 * shape.1;
        let values = (0..n).map(|i| (((i + seed) * 7_919 % 101) as f32 - 50.0) / 60.0);
        Tensor::from_vec(values.collect::<Vec<f32>>(), shape, &Device::Cpu).unwrap()
    }

    fn sae() -> StandardSae {
        StandardSae::new(
            random((8, 12), 1),
            random((1, 12), 2).squeeze(0).unwrap(),
            random((12, 8), 3),
            random((1, 8), 4).squeeze(0).unwrap(),
        )
        .unwrap()
    }

    #[test]
    fn the_activation_loses_the_features_directions_times_their_activations() {
        let (model, sae, tokens) = (
            random_model(&small_config()),
            sae(),
            sequence(&[3, 1, 4, 1]),
        );
        let (_, cache) = model
            .run_with_cache_filtered(&tokens, &NamesFilter::only(NAME).unwrap(), None)
            .unwrap();
        let x = cache.get(NAME).unwrap().squeeze(0).unwrap();
        let acts = sae.encode(&x).unwrap().to_vec2::<f32>().unwrap();
        let w_dec = sae.w_dec.to_vec2::<f32>().unwrap();
        let seen = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
        let watch = Hook::new(NAME, {
            let seen = seen.clone();
            move |x| {
                *seen.borrow_mut() = values(x);
                Ok(None)
            }
        });
        let hooks = [ablate_features(NAME, &sae, &[2, 5, 5, 9]), watch];
        model.run_with_hooks(&tokens, &hooks).unwrap();
        let x = x.to_vec2::<f32>().unwrap();
        let (mut changed, seen) = (0, seen.borrow());
        for (pos, x) in x.iter().enumerate() {
            for (dim, x) in x.iter().enumerate() {
                let lost: f32 = [2, 5, 9]
                    .iter()
                    .map(|&f| acts[pos][f] * w_dec[f][dim])
                    .sum();
                let found = seen[pos * 8 + dim];
                assert!((found - f64::from(x - lost)).abs() < 1e-5);
                changed += usize::from(lost.abs() > 1e-3);
            }
        }
        assert!(changed > 0); // Some of the three were active.
    }

    #[test]
    fn no_feature_leaves_the_run_as_it_is_and_wrong_input_is_refused() {
        let (model, sae, tokens) = (random_model(&small_config()), sae(), sequence(&[3, 1, 4]));
        let run = |hook: Hook| model.run_with_hooks(&tokens, &[hook]);
        let found = run(ablate_features(NAME, &sae, &[])).unwrap();
        assert_eq!(values(&found), values(&model.forward(&tokens).unwrap()));
        let message = |hook: Hook| run(hook).unwrap_err().to_string();
        assert!(message(ablate_features(NAME, &sae, &[12])).contains("features 0 to 11"));
        let wide = message(ablate_features("blocks.1.mlp.hook_post", &sae, &[1]));
        assert!(wide.contains("[16], expected [8]"), "{wide}");
        let square = message(ablate_features("blocks.1.attn.hook_pattern", &sae, &[1]));
        assert!(square.contains("pairs of tokens"), "{square}");
    }
}
