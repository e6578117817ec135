//! The AbsTopK autoencoder, for inference: features that write in both directions.
//! `z = (x - b_dec) W_enc + b_enc`, `acts = z` at the `k` largest of `|z|`, else 0, `x_hat = acts W_dec + b_dec`.
//! "AbsTopK: Rethinking Sparse Autoencoders For Bidirectional Features", arXiv:2510.00404; SAELens' architecture
//! "abstopk". A feature is active where its activation is not 0.

use super::of_dictionary::of_its_dictionary;
use super::standard::StandardSae;
use crate::error::{Error, Result};
use crate::sae::active::{ActiveFeatures, FeatureActivity};
use crate::sae::autoencoder::{ActivityCounter, SparseAutoencoder};
use crate::sae::kernels::InputEncoder;
use crate::sae::params::StandardParams;
use candle_core::{Device, Tensor};

/// A trained AbsTopK autoencoder: of a token's activations only the `k` largest in absolute value count, with their
/// signs; the first of equal ones. NaN counts as larger than any number, as in `torch.topk`, and every NaN is kept,
/// even beyond `k`.
///
/// ```
/// use holoscope::candle::{Device, Tensor};
/// use holoscope::sae::{AbsTopKSae, SparseAutoencoder, StandardSae};
///
/// # fn main() -> holoscope::Result<()> {
/// let dev = Device::Cpu;
/// let dictionary = StandardSae::new(
///     Tensor::new(&[[1f32, -2.0]], &dev)?,   // W_enc [d_in = 1, d_sae = 2]
///     Tensor::new(&[0f32, 0.0], &dev)?,      // b_enc
///     Tensor::new(&[[1f32], [-0.5]], &dev)?, // W_dec [2, 1]
///     Tensor::new(&[0f32], &dev)?,           // b_dec
/// )?;
/// let sae = AbsTopKSae::new(dictionary, 1)?;
/// let x = Tensor::new(&[[3f32]], &dev)?;
/// assert_eq!(sae.encode(&x)?.to_vec2::<f32>()?, [[0.0, -6.0]]);
/// assert_eq!(sae.reconstruct(&x)?.to_vec2::<f32>()?, [[3.0]]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct AbsTopKSae {
    /// Maximum number of a token's activations that count.
    pub k: usize,
    /// The parameters; used as a standard autoencoder it keeps every positive activation and no negative one.
    pub dictionary: StandardSae,
}

impl AbsTopKSae {
    /// An autoencoder that keeps the `k` activations of a dictionary that are largest in absolute value.
    ///
    /// # Errors
    /// [`Error::Argument`] for a `k` outside 1 to `d_sae`.
    pub fn new(dictionary: StandardSae, k: usize) -> Result<AbsTopKSae> {
        let d_sae = dictionary.d_sae();
        if !(1..=d_sae).contains(&k) {
            let reason = format!("must lie in 1 to d_sae = {d_sae}");
            return Err(Error::argument("k", k, reason));
        }
        Ok(AbsTopKSae { k, dictionary })
    }

    /// An autoencoder from trained parameters.
    ///
    /// # Errors
    /// Those of [`StandardSae::from_params`] and of [`AbsTopKSae::new`].
    pub fn from_params(params: StandardParams, k: usize, device: &Device) -> Result<AbsTopKSae> {
        AbsTopKSae::new(StandardSae::from_params(params, device)?, k)
    }

    fn input_encoder(&self) -> Result<Option<InputEncoder>> {
        let encoder = self.dictionary.input_encoder()?;
        Ok(encoder.map(|mut encoder| {
            encoder.packed.top_k = Some(self.k);
            encoder.packed.signed = true;
            encoder
        }))
    }
}

impl SparseAutoencoder for AbsTopKSae {
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
            None => {
                let all = ActiveFeatures::of_dense(&self.dictionary.pre_activations(x)?)?;
                Ok(all.largest(self.k))
            }
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

    fn random(d_in: usize, d_sae: usize, k: usize, seed: u64) -> (AbsTopKSae, Tensor) {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let mut normal = |shape: &[usize]| {
            let n = shape.iter().product();
            let values: Vec<f32> = StandardNormal.sample_iter(&mut *rng).take(n).collect();
            Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
        };
        let (w_enc, b_enc) = (normal(&[d_in, d_sae]), normal(&[d_sae]));
        let dictionary = StandardSae::new(w_enc, b_enc, normal(&[d_sae, d_in]), normal(&[d_in]));
        let sae = AbsTopKSae::new(dictionary.unwrap(), k).unwrap();
        (sae, normal(&[3, 37, d_in]))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        /// Against the definition: the pre-activations, sorted by their absolute values.
        #[test]
        fn a_token_keeps_the_k_largest_in_absolute_value(
            d_in in 1usize..12, d_sae in 1usize..90, share in 0.0f64..1.0, seed in 0u64..1_000,
        ) {
            let k = 1 + (share * (d_sae - 1) as f64) as usize;
            let (sae, x) = random(d_in, d_sae, k, seed);
            let all = sae.dictionary.pre_activations(&x).unwrap().reshape(((), d_sae)).unwrap();
            let all = all.to_vec2::<f32>().unwrap();
            let acts = sae.encode(&x).unwrap();
            prop_assert_eq!(acts.dims(), [3, 37, d_sae]);
            let acts = acts.reshape(((), d_sae)).unwrap().to_vec2::<f32>().unwrap();
            for (all, acts) in all.iter().zip(&acts) {
                let kept: Vec<usize> = (0..d_sae).filter(|&j| acts[j] != 0.0).collect();
                prop_assert_eq!(kept.len(), k);
                let least = kept.iter().map(|&j| acts[j].abs()).fold(f32::INFINITY, f32::min);
                for j in 0..d_sae {
                    match acts[j] != 0.0 {
                        true => prop_assert!((acts[j] - all[j]).abs() < 1e-4),
                        false => prop_assert!(all[j].abs() <= least + 1e-4),
                    }
                }
            }
        }
    }

    #[test]
    fn the_lists_of_a_dense_matrix_are_cut_alike_and_counts_see_both_signs() {
        let (sae, x) = random(8, 70, 6, 3);
        let all = ActiveFeatures::of_dense(&sae.dictionary.pre_activations(&x).unwrap()).unwrap();
        let (cut, kept) = (all.largest(6), sae.encode_sparse(&x).unwrap());
        let features = |lists: &ActiveFeatures| lists.entries().map(|e| e.0).collect::<Vec<_>>();
        assert_eq!(features(&cut), features(&kept));
        assert!(kept.entries().any(|e| e.1 < 0.0) && kept.entries().any(|e| e.1 > 0.0));
        let mut counter = sae.activity_counter().unwrap();
        assert_eq!(counter(&x).unwrap(), sae.activity(&x).unwrap());
        let active = sae.activity(&x).unwrap().active;
        assert_eq!(active.iter().sum::<u64>(), 3 * 37 * 6);
    }

    #[test]
    fn nan_is_kept_and_a_k_that_no_token_can_have_is_refused() {
        let (sae, x) = random(4, 10, 3, 4);
        for bad in [f32::NAN, f32::INFINITY] {
            let x = (&x * f64::from(bad)).unwrap();
            let acts = sae.encode(&x).unwrap().flatten_all().unwrap();
            assert!(acts.to_vec1::<f32>().unwrap().iter().all(|a| a.is_nan()));
        }
        for k in [0, 11] {
            let outcome = AbsTopKSae::new(sae.dictionary.clone(), k);
            assert!(matches!(outcome, Err(Error::Argument { .. })));
        }
    }
}
