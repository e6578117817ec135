//! Matching pursuit, for inference: features are selected one after the other.
//! `r_0 = x - b_dec`; at step t `j_t = argmax_j relu(r_t . W_dec[j])`, `v_t = relu(r_t . W_dec[j_t])`,
//! `acts[j_t] += v_t`, `r_{t+1} = r_t - v_t W_dec[j_t]`; `x_hat = acts W_dec + b_dec`, so that `x - x_hat` is the
//! residual. A token is done when `|r|` is below a threshold, when a feature is selected again, or after so many steps.
//! Costa et al. 2025, "From Flat to Hierarchical: Extracting Sparse Representations with Matching Pursuit",
//! arXiv:2506.03093; SAELens' architecture "matching_pursuit".

use super::standard::StandardSae;
use crate::error::{Error, Result};
use crate::sae::active::{ActiveFeatures, FeatureActivity};
use crate::sae::autoencoder::{ActivityCounter, SparseAutoencoder};
use crate::sae::kernels::{InputEncoder, PursuitRules, PursuitScratch, Screen};
use candle_core::{DType, Tensor};

/// A trained matching-pursuit autoencoder. Its encoder is its decoder: the only parameters are `W_dec` and `b_dec`.
///
/// An input with a NaN or an infinity gives NaN for every feature.
///
/// ```
/// use holoscope::candle::{Device, Tensor};
/// use holoscope::sae::{MatchingPursuitSae, PursuitRules, SparseAutoencoder};
///
/// # fn main() -> holoscope::Result<()> {
/// let dev = Device::Cpu;
/// let sae = MatchingPursuitSae::new(
///     Tensor::new(&[[1f32, 0.0], [0.6, 0.8]], &dev)?, // W_dec [d_sae = 2, d_in = 2]
///     Tensor::new(&[0f32, 0.0], &dev)?,               // b_dec
///     PursuitRules::default(),
/// )?;
/// // First the second feature (1.0 of it), of which nothing is left over.
/// let x = Tensor::new(&[[0.6f32, 0.8]], &dev)?;
/// assert_eq!(sae.encode_sparse(&x)?.row(0).0, [1]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct MatchingPursuitSae {
    /// The stopping rules for a token.
    pub rules: PursuitRules,
    /// `w_enc` is `w_dec` transposed, `b_enc` 0.
    pub(in crate::sae) dictionary: StandardSae,
}

impl MatchingPursuitSae {
    /// An autoencoder of `W_dec`, `[d_sae, d_in]`, and `b_dec`, `[d_in]`. Its encoder expects rows of unit length:
    /// with others a step subtracts too much or too little.
    ///
    /// # Errors
    /// [`Error::Shape`] when the shapes contradict each other; [`Error::Argument`] for a width of 0, a threshold that
    /// is negative or not finite, or a maximum of 0 steps.
    pub fn new(w_dec: Tensor, b_dec: Tensor, rules: PursuitRules) -> Result<MatchingPursuitSae> {
        let [d_sae, d_in] = *w_dec.dims() else {
            return Err(Error::shape("W_dec", "[d_sae, d_in]", w_dec.dims()));
        };
        for (what, n) in [("d_in", d_in), ("d_sae", d_sae)] {
            if n == 0 {
                return Err(Error::argument(what, n, "must be at least 1"));
            }
        }
        rules.check()?;
        let w_dec = w_dec.to_dtype(DType::F32)?;
        let w_enc = w_dec.t()?.contiguous()?;
        let b_enc = Tensor::zeros(d_sae, DType::F32, w_dec.device())?;
        Ok(MatchingPursuitSae {
            rules,
            dictionary: StandardSae::new(w_enc, b_enc, w_dec, b_dec)?,
        })
    }

    /// Pursuit in f32 on the CPU, on any device of the parameters.
    fn pursuit(&self) -> Result<Pursuit> {
        let dictionary = self.dictionary.on_cpu()?;
        let Some(mut encoder) = dictionary.input_encoder()? else {
            let reason = "matching pursuit needs at least one feature and one dimension";
            return Err(Error::argument("d_sae", self.d_sae(), reason));
        };
        encoder.packed.top_k = Some(1);
        let mut screen = Screen::default();
        screen.prepare(&encoder.packed, &[], &[]);
        Ok(Pursuit {
            encoder,
            screen,
            w_dec: dictionary.w_dec.flatten_all()?.to_vec1()?,
            rules: self.rules,
        })
    }
}

impl PursuitRules {
    /// # Errors
    /// [`Error::Argument`] for a threshold that is negative or not finite, or a maximum of 0 steps.
    pub(in crate::sae) fn check(&self) -> Result<()> {
        let threshold = self.residual_threshold;
        if !(threshold >= 0.0 && threshold.is_finite()) {
            let reason = "must be at least 0 and finite";
            return Err(Error::argument("residual_threshold", threshold, reason));
        }
        if self.max_iterations == Some(0) {
            return Err(Error::argument("max_iterations", 0, "must be at least 1"));
        }
        Ok(())
    }
}

/// The part of the pursuit that depends only on the parameters.
struct Pursuit {
    encoder: InputEncoder,
    screen: Screen,
    w_dec: Vec<f32>,
    rules: PursuitRules,
}

impl Pursuit {
    fn encode(&self, x: &[f32]) -> ActiveFeatures {
        let (d, d_sae) = (self.encoder.centre.len(), self.encoder.packed.d_sae());
        let chunks = self.encoder.by_chunk(x, |x_cent, n, _| {
            let mut residuals = x_cent.to_vec();
            let (mut scratch, mut picks) = (PursuitScratch::default(), Vec::new());
            let encoder = (&self.encoder.packed, &self.screen);
            self.rules.pursue(
                encoder,
                &self.w_dec,
                &mut residuals,
                n,
                &mut scratch,
                &mut picks,
            );
            for (picks, x) in picks.iter_mut().zip(x_cent.chunks_exact(d)) {
                if x.iter().any(|x| x.is_nan()) {
                    *picks = (0..d_sae as u32).map(|j| (j, f32::NAN)).collect();
                }
            }
            picks
        });
        ActiveFeatures::of_rows(d_sae, chunks.into_iter().flatten())
    }
}

impl SparseAutoencoder for MatchingPursuitSae {
    fn d_in(&self) -> usize {
        self.dictionary.d_in()
    }

    fn d_sae(&self) -> usize {
        self.dictionary.d_sae()
    }

    fn encode(&self, x: &Tensor) -> Result<Tensor> {
        let acts = self.encode_sparse(x)?.to_dense(x.device())?; // [n, d_sae]
        let mut dims = x.dims().to_vec();
        if let Some(last) = dims.last_mut() {
            *last = self.d_sae();
        }
        Ok(acts.reshape(dims)?)
    }

    fn encode_sparse(&self, x: &Tensor) -> Result<ActiveFeatures> {
        let pursuit = self.pursuit()?;
        self.dictionary.of_rows(x, |x| pursuit.encode(x))
    }

    fn activity_counter(&self) -> Result<ActivityCounter<'_>> {
        let pursuit = self.pursuit()?;
        Ok(Box::new(move |x| {
            let lists = self.dictionary.of_rows(x, |x| pursuit.encode(x))?;
            Ok(FeatureActivity::of(&lists))
        }))
    }

    /// `acts W_dec`, plus `b_dec` if it is subtracted from the input.
    fn decode(&self, acts: &Tensor) -> Result<Tensor> {
        let x_hat = self.dictionary.decode(acts)?;
        match self.dictionary.apply_b_dec_to_input {
            true => Ok(x_hat),
            // `b_dec` is not part of the function then.
            false => Ok(x_hat.broadcast_sub(&self.dictionary.b_dec)?),
        }
    }

    /// `W_dec` transposed.
    fn w_enc(&self) -> Tensor {
        self.dictionary.w_enc()
    }

    fn w_dec(&self) -> Tensor {
        self.dictionary.w_dec()
    }

    /// Zeros: the encoder has no bias.
    fn b_enc(&self) -> Tensor {
        self.dictionary.b_enc()
    }

    fn b_dec(&self) -> Tensor {
        self.dictionary.b_dec()
    }
}
