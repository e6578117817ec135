//! The gated autoencoder, for inference.
//! `pi = (x - b_dec) W_enc + b_gate`, `mag = relu(exp(r_mag) (x - b_dec) W_enc + b_mag)`, `acts = H(pi) mag`,
//! `x_hat = acts W_dec + b_dec`: separate paths decide whether a feature is active and how strongly.
//! Rajamanoharan et al. 2024, arXiv:2404.16014; SAELens' architecture "gated".

use super::of_dictionary::of_its_dictionary;
use super::standard::StandardSae;
use crate::error::{Error, Result};
use crate::model::relu;
use crate::sae::active::{ActiveFeatures, FeatureActivity};
use crate::sae::autoencoder::{ActivityCounter, SparseAutoencoder};
use candle_core::{DType, Tensor};

/// A trained gated autoencoder.
///
/// ```
/// use holoscope::candle::{Device, Tensor};
/// use holoscope::sae::{GatedSae, SparseAutoencoder, StandardSae};
///
/// # fn main() -> holoscope::Result<()> {
/// let dev = Device::Cpu;
/// let dictionary = StandardSae::new(
///     Tensor::new(&[[1f32, 2.0]], &dev)?,   // W_enc [d_in = 1, d_sae = 2]
///     Tensor::new(&[-4f32, 0.0], &dev)?,    // b_gate
///     Tensor::new(&[[1f32], [0.5]], &dev)?, // W_dec [2, 1]
///     Tensor::new(&[0f32], &dev)?,          // b_dec
/// )?;
/// let (r_mag, b_mag) = (Tensor::new(&[0f32, 0.0], &dev)?, Tensor::new(&[0f32, -1.0], &dev)?);
/// let sae = GatedSae::new(dictionary, r_mag, b_mag)?;
/// let x = Tensor::new(&[[3f32]], &dev)?;
/// // The first gate is shut; the second feature's magnitude is 2 * 3 - 1.
/// assert_eq!(sae.encode(&x)?.to_vec2::<f32>()?, [[0.0, 5.0]]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct GatedSae {
    /// Logarithms of the ratios of the magnitudes' encoder weights to the gates', `[d_sae]`.
    pub r_mag: Tensor,
    /// Bias of the magnitudes, `[d_sae]`.
    pub b_mag: Tensor,
    /// The other parameters; its `b_enc` is `b_gate`.
    pub dictionary: StandardSae,
}

impl GatedSae {
    /// An autoencoder whose gates are those of `dictionary`, with `b_gate` as its `b_enc`.
    ///
    /// # Errors
    /// [`Error::Shape`] when `r_mag` or `b_mag` is not `[d_sae]`.
    pub fn new(dictionary: StandardSae, r_mag: Tensor, b_mag: Tensor) -> Result<GatedSae> {
        let expected = [dictionary.d_sae()];
        for (name, tensor) in [("r_mag", &r_mag), ("b_mag", &b_mag)] {
            if tensor.dims() != expected {
                return Err(Error::shape(name, expected, tensor.dims()));
            }
        }
        let device = dictionary.device().clone();
        let moved = |t: Tensor| t.to_dtype(DType::F32)?.to_device(&device);
        Ok(GatedSae {
            r_mag: moved(r_mag)?,
            b_mag: moved(b_mag)?,
            dictionary,
        })
    }

    /// Factor and summand that convert an open gate's `pi` to its magnitude before ReLU, `[d_sae]` each:
    /// `exp(r_mag)` and `b_mag - exp(r_mag) b_gate`.
    fn magnitude(&self) -> Result<(Tensor, Tensor)> {
        let factor = self.r_mag.exp()?;
        let summand = (&self.b_mag - (&factor * &self.dictionary.b_enc)?)?;
        Ok((factor, summand))
    }

    /// [`GatedSae::magnitude`] of each feature.
    fn magnitudes(&self) -> Result<Vec<(f32, f32)>> {
        let (factor, summand) = self.magnitude()?;
        let summand = summand.to_vec1::<f32>()?;
        Ok(factor.to_vec1()?.into_iter().zip(summand).collect())
    }
}

impl SparseAutoencoder for GatedSae {
    of_its_dictionary!();

    fn encode(&self, x: &Tensor) -> Result<Tensor> {
        let pi = self.dictionary.encode(x)?; // relu(pi), [.., d_sae]
        let (factor, summand) = self.magnitude()?;
        let mag = relu(&pi.broadcast_mul(&factor)?.broadcast_add(&summand)?)?;
        // "Not above" rather than "above", so that NaN stays.
        let shut = pi.le(0f32)?;
        Ok(shut.where_cond(&mag.zeros_like()?, &mag)?)
    }

    fn encode_sparse(&self, x: &Tensor) -> Result<ActiveFeatures> {
        let magnitudes = self.magnitudes()?;
        match self.dictionary.input_encoder()? {
            Some(encoder) => self.dictionary.of_rows(x, |x| {
                ActiveFeatures::encoded_affine(&encoder, x, &magnitudes)
            }),
            None => ActiveFeatures::of_dense(&self.encode(x)?),
        }
    }

    fn activity_counter(&self) -> Result<ActivityCounter<'_>> {
        let magnitudes = self.magnitudes()?;
        Ok(match self.dictionary.input_encoder()? {
            Some(encoder) => Box::new(move |x| {
                self.dictionary.of_rows(x, |x| {
                    let lists = ActiveFeatures::encoded_affine(&encoder, x, &magnitudes);
                    FeatureActivity::of(&lists)
                })
            }),
            None => Box::new(|x| Ok(FeatureActivity::of(&self.encode_sparse(x)?))),
        })
    }
}
