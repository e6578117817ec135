//! The TopK autoencoder, for inference.
//! `acts = top_k(relu((x - b_dec) W_enc + b_enc))`, `x_hat = acts W_dec + b_dec`.
//! Gao et al. 2024, arXiv:2406.04093; SAELens' architecture "topk".

use super::of_dictionary::of_its_dictionary;
use super::standard::StandardSae;
use crate::error::{Error, Result};
use crate::sae::active::{ActiveFeatures, FeatureActivity};
use crate::sae::autoencoder::{ActivityCounter, SparseAutoencoder};
use crate::sae::kernels::InputEncoder;
use crate::sae::params::StandardParams;
use candle_core::{Device, Tensor};

/// A trained TopK autoencoder: of a token's positive activations only the `k` largest count, the
/// first of equal ones. A token with at least `k` positive ones has L0 = k exactly. NaN counts as
/// larger than any number, as in `torch.topk`, and every NaN is kept, even beyond `k`.
///
/// ```
/// use holoscope::candle::{Device, Tensor};
/// use holoscope::sae::{SparseAutoencoder, StandardSae, TopKSae};
///
/// # fn main() -> holoscope::Result<()> {
/// let dev = Device::Cpu;
/// let dictionary = StandardSae::new(
///     Tensor::new(&[[1f32, 2.0, -1.0]], &dev)?,     // W_enc [d_in = 1, d_sae = 3]
///     Tensor::new(&[0f32, 0.0, 0.0], &dev)?,        // b_enc
///     Tensor::new(&[[1f32], [0.5], [-1.0]], &dev)?, // W_dec [3, 1]
///     Tensor::new(&[0f32], &dev)?,                  // b_dec
/// )?;
/// let sae = TopKSae::new(dictionary, 1)?;
/// let x = Tensor::new(&[[3f32]], &dev)?;
/// assert_eq!(sae.encode(&x)?.to_vec2::<f32>()?, [[0.0, 6.0, 0.0]]);
/// assert_eq!(sae.reconstruct(&x)?.to_vec2::<f32>()?, [[3.0]]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct TopKSae {
    /// Maximum number of a token's activations that count.
    pub k: usize,
    /// The parameters; used as a standard autoencoder it keeps every positive activation.
    pub dictionary: StandardSae,
}

impl TopKSae {
    /// An autoencoder that keeps the `k` largest activations of a dictionary.
    ///
    /// # Errors
    /// [`Error::Argument`] for a `k` outside 1 to `d_sae`.
    pub fn new(dictionary: StandardSae, k: usize) -> Result<TopKSae> {
        let d_sae = dictionary.d_sae();
        if !(1..=d_sae).contains(&k) {
            let reason = format!("must lie in 1 to d_sae = {d_sae}");
            return Err(Error::argument("k", k, reason));
        }
        Ok(TopKSae { k, dictionary })
    }

    /// An autoencoder from trained parameters.
    ///
    /// # Errors
    /// Those of [`StandardSae::from_params`] and of [`TopKSae::new`].
    pub fn from_params(params: StandardParams, k: usize, device: &Device) -> Result<TopKSae> {
        TopKSae::new(StandardSae::from_params(params, device)?, k)
    }

    fn input_encoder(&self) -> Result<Option<InputEncoder>> {
        let encoder = self.dictionary.input_encoder()?;
        Ok(encoder.map(|mut encoder| {
            encoder.packed.top_k = Some(self.k);
            encoder
        }))
    }
}

impl SparseAutoencoder for TopKSae {
    of_its_dictionary!();

    fn encode(&self, x: &Tensor) -> Result<Tensor> {
        let acts = self.encode_sparse(x)?.to_dense(x.device())?; // [n, d_sae]
        let mut dims = x.dims().to_vec();
        if let Some(last) = dims.last_mut() {
            *last = self.d_sae();
        }
        Ok(acts.reshape(dims)?)
    }

    fn encode_sparse(&self, x: &Tensor) -> Result<ActiveFeatures> {
        match self.input_encoder()? {
            Some(encoder) => {
                let lists = |x: &[f32]| ActiveFeatures::encoded(&encoder, x);
                self.dictionary.of_rows(x, lists)
            }
            None => Ok(self.dictionary.encode_sparse(x)?.largest(self.k)),
        }
    }

    fn activity_counter(&self) -> Result<ActivityCounter<'_>> {
        Ok(match self.input_encoder()? {
            Some(encoder) => Box::new(move |x| {
                self.dictionary.of_rows(x, |x| {
                    FeatureActivity::of(&ActiveFeatures::encoded(&encoder, x))
                })
            }),
            None => Box::new(|x| Ok(FeatureActivity::of(&self.encode_sparse(x)?))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, StandardNormal};

    fn normal(shape: &[usize], rng: &mut ChaCha8Rng) -> Tensor {
        let n = shape.iter().product();
        let values: Vec<f32> = StandardNormal.sample_iter(rng).take(n).collect();
        Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
    }

    fn random(d_in: usize, d_sae: usize, k: usize, seed: u64) -> (TopKSae, Tensor) {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let dictionary = StandardSae::new(
            normal(&[d_in, d_sae], rng),
            normal(&[d_sae], rng),
            normal(&[d_sae, d_in], rng),
            normal(&[d_in], rng),
        )
        .unwrap();
        let sae = TopKSae::new(dictionary, k).unwrap();
        (sae, normal(&[3, 37, d_in], rng))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        /// Against the definition: the dense activations, sorted.
        #[test]
        fn a_token_keeps_the_k_largest_activations(
            d_in in 1usize..12, d_sae in 1usize..90, share in 0.0f64..1.0, seed in 0u64..1_000,
        ) {
            let k = 1 + (share * (d_sae - 1) as f64) as usize;
            let (sae, x) = random(d_in, d_sae, k, seed);
            let all = sae.dictionary.encode(&x).unwrap().reshape(((), d_sae)).unwrap();
            let all = all.to_vec2::<f32>().unwrap();
            let acts = sae.encode(&x).unwrap();
            prop_assert_eq!(acts.dims(), [3, 37, d_sae]);
            let acts = acts.reshape(((), d_sae)).unwrap().to_vec2::<f32>().unwrap();
            for (all, acts) in all.iter().zip(&acts) {
                let positive = all.iter().filter(|a| **a > 0.0).count();
                let kept: Vec<usize> = (0..d_sae).filter(|&j| acts[j] > 0.0).collect();
                // An activation within rounding of 0 may be on either side.
                let near = all.iter().filter(|a| a.abs() < 1e-5).count();
                prop_assert!(kept.len().abs_diff(positive.min(k)) <= near);
                let least = kept.iter().map(|&j| acts[j]).fold(f32::INFINITY, f32::min);
                for j in 0..d_sae {
                    if acts[j] > 0.0 {
                        prop_assert!((acts[j] - all[j]).abs() < 1e-4);
                    } else if kept.len() == k {
                        prop_assert!(all[j] <= least + 1e-4);
                    }
                }
            }
        }
    }

    #[test]
    fn the_lists_of_a_dense_matrix_are_cut_alike() {
        let (sae, x) = random(8, 70, 6, 3);
        let cut = sae.dictionary.encode_sparse(&x).unwrap().largest(6);
        assert_eq!(cut, sae.encode_sparse(&x).unwrap());
        let mut counter = sae.activity_counter().unwrap();
        assert_eq!(counter(&x).unwrap(), sae.activity(&x).unwrap());
        assert_eq!(
            sae.activity(&x).unwrap().active.iter().sum::<u64>() as usize,
            cut.n_active()
        );
    }

    #[test]
    fn a_k_that_no_token_can_have_is_refused() {
        let (sae, _) = random(4, 10, 3, 4);
        for k in [0, 11] {
            let outcome = TopKSae::new(sae.dictionary.clone(), k);
            assert!(matches!(outcome, Err(Error::Argument { .. })));
        }
    }
}
