//! The JumpReLU autoencoder, for inference.
//! `pre = (x - b_dec) W_enc + b_enc`, `acts = relu(pre) H(pre - threshold)`, `x_hat = acts W_dec + b_dec`,
//! with H(z) = 1 for z > 0, else 0. Rajamanoharan et al. 2024, arXiv:2407.14435, section 3;
//! SAELens' architecture "jumprelu", in which BatchTopK and its Matryoshka form are stored, too.

use super::of_dictionary::of_its_dictionary;
use super::standard::StandardSae;
use crate::error::{Error, Result};
use crate::sae::active::{ActiveFeatures, FeatureActivity};
use crate::sae::autoencoder::{ActivityCounter, SparseAutoencoder};
use crate::sae::kernels::InputEncoder;
use crate::sae::params::StandardParams;
use candle_core::{DType, Device, Tensor};

/// A trained JumpReLU autoencoder: an activation counts, at its full value, where it is above its
/// feature's threshold.
///
/// An input with a NaN or an infinity gives NaN for every feature.
///
/// ```
/// use holoscope::candle::{Device, Tensor};
/// use holoscope::sae::{JumpReLUSae, SparseAutoencoder, StandardSae};
///
/// # fn main() -> holoscope::Result<()> {
/// let dev = Device::Cpu;
/// let dictionary = StandardSae::new(
///     Tensor::new(&[[1f32, 2.0, -1.0]], &dev)?,     // W_enc [d_in = 1, d_sae = 3]
///     Tensor::new(&[0f32, 0.0, 0.0], &dev)?,        // b_enc
///     Tensor::new(&[[1f32], [0.5], [-1.0]], &dev)?, // W_dec [3, 1]
///     Tensor::new(&[0f32], &dev)?,                  // b_dec
/// )?;
/// let sae = JumpReLUSae::new(dictionary, Tensor::new(&[3f32, 1.0, 0.0], &dev)?)?;
/// let x = Tensor::new(&[[3f32]], &dev)?;
/// assert_eq!(sae.encode(&x)?.to_vec2::<f32>()?, [[0.0, 6.0, 0.0]]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct JumpReLUSae {
    /// Only activations above this count, `[d_sae]`; negative values act as 0.
    pub threshold: Tensor,
    /// The other parameters; used as a standard autoencoder it keeps every positive activation.
    pub dictionary: StandardSae,
}

impl JumpReLUSae {
    /// An autoencoder that keeps the activations of a dictionary above `threshold`, `[d_sae]`.
    ///
    /// # Errors
    /// [`Error::Shape`] when there is not one threshold per feature; [`Error::NotFiniteAt`] for one that
    /// is not finite.
    pub fn new(dictionary: StandardSae, threshold: Tensor) -> Result<JumpReLUSae> {
        if threshold.dims() != [dictionary.d_sae()] {
            let expected = [dictionary.d_sae()];
            return Err(Error::shape("threshold", expected, threshold.dims()));
        }
        let threshold = threshold
            .to_dtype(DType::F32)?
            .to_device(dictionary.device())?;
        let values = threshold.to_vec1::<f32>()?;
        if let Some(j) = values.iter().position(|t| !t.is_finite()) {
            return Err(Error::NotFiniteAt {
                what: "the threshold".to_owned(),
                value: f64::from(values[j]),
                place: format!("feature {j}"),
            });
        }
        Ok(JumpReLUSae {
            threshold,
            dictionary,
        })
    }

    /// An autoencoder from trained parameters.
    ///
    /// # Errors
    /// Those of [`StandardSae::from_params`] and of [`JumpReLUSae::new`].
    pub fn from_params(
        params: StandardParams,
        threshold: Vec<f32>,
        device: &Device,
    ) -> Result<JumpReLUSae> {
        let n = threshold.len();
        let threshold = Tensor::from_vec(threshold, n, device)?;
        JumpReLUSae::new(StandardSae::from_params(params, device)?, threshold)
    }

    /// The encoder, which lists only activations above the lowest threshold, and the thresholds.
    fn input_encoder(&self) -> Result<(Option<InputEncoder>, Vec<f32>)> {
        let thresholds = self.threshold.to_vec1::<f32>()?;
        let least = thresholds.iter().copied().fold(f32::INFINITY, f32::min);
        let encoder = self.dictionary.input_encoder()?.map(|mut encoder| {
            encoder.floor = least.max(0.0);
            encoder
        });
        Ok((encoder, thresholds))
    }
}

impl SparseAutoencoder for JumpReLUSae {
    of_its_dictionary!();

    fn encode(&self, x: &Tensor) -> Result<Tensor> {
        let acts = self.dictionary.encode(x)?; // [.., d_sae]
        // "Not above" rather than "above", so that NaN stays.
        let off = acts.broadcast_le(&self.threshold)?;
        Ok(off.where_cond(&acts.zeros_like()?, &acts)?)
    }

    fn encode_sparse(&self, x: &Tensor) -> Result<ActiveFeatures> {
        let (encoder, thresholds) = self.input_encoder()?;
        match encoder {
            Some(encoder) => self.dictionary.of_rows(x, |x| {
                ActiveFeatures::encoded_above(&encoder, x, &thresholds)
            }),
            None => ActiveFeatures::of_dense(&self.encode(x)?),
        }
    }

    fn activity_counter(&self) -> Result<ActivityCounter<'_>> {
        let (encoder, thresholds) = self.input_encoder()?;
        Ok(match encoder {
            Some(encoder) => Box::new(move |x| {
                self.dictionary.of_rows(x, |x| {
                    let lists = ActiveFeatures::encoded_above(&encoder, x, &thresholds);
                    FeatureActivity::of(&lists)
                })
            }),
            None => Box::new(|x| Ok(FeatureActivity::of(&self.encode_sparse(x)?))),
        })
    }
}
