//! The transcoder: the input of an MLP becomes sparse features, and these the MLP's output.
//! `acts = act(x W_enc + b_enc)`, `y = acts W_dec + b_dec (+ x W_skip)`.
//! Dunefsky et al. 2024, arXiv:2406.11944; skip: Paulo et al. 2025, arXiv:2501.18823; SAELens' four
//! transcoder architectures.

use super::rows::{check_shape, finite_or_nan, rows, with_last};
use super::transcoder_activation::TranscoderActivation;
use crate::error::{Error, Result};
use crate::sae::active::ActiveFeatures;
use candle_core::{DType, Device, Tensor};

/// A trained transcoder of the MLP of one block.
///
/// An input with a NaN or an infinity gives NaN for every feature, and an output of NaN.
///
/// ```
/// use holoscope::candle::{Device, Tensor};
/// use holoscope::sae::{Transcoder, TranscoderActivation};
///
/// # fn main() -> holoscope::Result<()> {
/// let dev = Device::Cpu;
/// let transcoder = Transcoder::new(
///     0,                                              // block
///     Tensor::new(&[[1f32, -1.0]], &dev)?,            // W_enc [d_in = 1, d_sae = 2]
///     Tensor::new(&[0f32, 0.0], &dev)?,               // b_enc
///     Tensor::new(&[[1f32, 2.0], [0.0, 1.0]], &dev)?, // W_dec [2, d_out = 2]
///     Tensor::new(&[0.5f32, 0.0], &dev)?,             // b_dec
///     TranscoderActivation::Relu,
/// )?;
/// assert_eq!(transcoder.hook_name, "blocks.0.ln2.hook_normalized");
/// let x = Tensor::new(&[[3f32]], &dev)?;
/// assert_eq!(transcoder.encode(&x)?.to_vec2::<f32>()?, [[3.0, 0.0]]);
/// assert_eq!(transcoder.reconstruct(&x)?.to_vec2::<f32>()?, [[3.5, 6.0]]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Transcoder {
    /// `[d_in, d_sae]`.
    pub w_enc: Tensor,
    /// `[d_sae]`.
    pub b_enc: Tensor,
    /// `[d_sae, d_out]`.
    pub w_dec: Tensor,
    /// `[d_out]`.
    pub b_dec: Tensor,
    /// `[d_in, d_out]`, an optional linear path around the features.
    pub w_skip: Option<Tensor>,
    /// The activation function after the encoder's product.
    pub activation: TranscoderActivation,
    /// Hook point whose activations it reads.
    pub hook_name: String,
    /// Hook point whose activations it reconstructs.
    pub hook_name_out: String,
}

impl Transcoder {
    /// A transcoder of block `layer` from its four parameters (shapes in the fields' documentation).
    /// It reads `blocks.{layer}.ln2.hook_normalized` and reconstructs `blocks.{layer}.hook_mlp_out`,
    /// unless [`Transcoder::between`] says otherwise.
    ///
    /// # Errors
    /// [`Error::Shape`] naming the first parameter that does not fit `W_enc`; [`Error::Argument`]
    /// for a `k` outside 1 to `d_sae`.
    pub fn new(
        layer: usize,
        w_enc: Tensor,
        b_enc: Tensor,
        w_dec: Tensor,
        b_dec: Tensor,
        activation: TranscoderActivation,
    ) -> Result<Transcoder> {
        let [_, d_sae] = *w_enc.dims() else {
            return Err(Error::shape("W_enc", "[d_in, d_sae]", w_enc.dims()));
        };
        let [_, d_out] = *w_dec.dims() else {
            return Err(Error::shape("W_dec", "[d_sae, d_out]", w_dec.dims()));
        };
        let expected: [(&str, &Tensor, &[usize]); 3] = [
            ("b_enc", &b_enc, &[d_sae]),
            ("W_dec", &w_dec, &[d_sae, d_out]),
            ("b_dec", &b_dec, &[d_out]),
        ];
        for (name, tensor, shape) in expected {
            check_shape(name, tensor, shape)?;
        }
        let activation = activation.checked(d_sae)?;
        Ok(Transcoder {
            w_enc: w_enc.to_dtype(DType::F32)?,
            b_enc: b_enc.to_dtype(DType::F32)?,
            w_dec: w_dec.to_dtype(DType::F32)?,
            b_dec: b_dec.to_dtype(DType::F32)?,
            w_skip: None,
            activation,
            hook_name: format!("blocks.{layer}.ln2.hook_normalized"),
            hook_name_out: format!("blocks.{layer}.hook_mlp_out"),
        })
    }

    /// This transcoder with a linear path around the features, `w_skip` `[d_in, d_out]`.
    ///
    /// # Errors
    /// [`Error::Shape`] for a matrix of another shape.
    pub fn with_skip(mut self, w_skip: Tensor) -> Result<Transcoder> {
        check_shape("W_skip", &w_skip, &[self.d_in(), self.d_out()])?;
        self.w_skip = Some(w_skip.to_dtype(DType::F32)?);
        Ok(self)
    }

    /// This transcoder between two other hook points, for example from `blocks.0.hook_resid_mid` to
    /// `blocks.0.hook_mlp_out`. It is not checked here whether a model has them.
    pub fn between(mut self, hook_name: &str, hook_name_out: &str) -> Transcoder {
        self.hook_name = hook_name.to_owned();
        self.hook_name_out = hook_name_out.to_owned();
        self
    }

    /// Width of its input.
    pub fn d_in(&self) -> usize {
        self.w_enc.dims()[0]
    }

    /// Width of its output.
    pub fn d_out(&self) -> usize {
        self.w_dec.dims()[1]
    }

    /// Number of features.
    pub fn d_sae(&self) -> usize {
        self.w_enc.dims()[1]
    }

    /// Device of the parameters.
    pub fn device(&self) -> &Device {
        self.w_enc.device()
    }

    /// `x W_enc + b_enc`, before the activation function: `[.., d_in]` to `[.., d_sae]`.
    ///
    /// # Errors
    /// [`Error::Shape`] when the last axis is not `d_in` wide.
    pub fn pre_activations(&self, x: &Tensor) -> Result<Tensor> {
        let rows = rows(x, self.d_in(), "activations")?;
        let pre = finite_or_nan(&rows)?
            .matmul(&self.w_enc)?
            .broadcast_add(&self.b_enc)?; // [n, d_sae]
        Ok(pre.reshape(with_last(x, self.d_sae()))?)
    }

    /// Feature activations, `[.., d_in]` to `[.., d_sae]`, all at least 0 or NaN.
    ///
    /// # Errors
    /// Those of [`Transcoder::pre_activations`].
    pub fn encode(&self, x: &Tensor) -> Result<Tensor> {
        self.activate(&self.pre_activations(x)?)
    }

    /// The activation function: pre-activations `[.., d_sae]` to feature activations of that shape.
    ///
    /// # Errors
    /// [`Error::Shape`] when the last axis is not `d_sae` wide.
    pub fn activate(&self, pre: &Tensor) -> Result<Tensor> {
        let rows = rows(pre, self.d_sae(), "pre-activations")?;
        let acts = self.activation.of_rows(&rows)?;
        Ok(acts.reshape(pre.shape())?)
    }

    /// The activations above 0 (or NaN) of each row, as [`Transcoder::encode`] gives them.
    ///
    /// # Errors
    /// Those of [`Transcoder::encode`].
    pub fn encode_sparse(&self, x: &Tensor) -> Result<ActiveFeatures> {
        ActiveFeatures::of_dense(&self.encode(x)?)
    }

    /// What the features write, and `b_dec`: `[.., d_sae]` to `[.., d_out]`. The path around the
    /// features needs the input and is added by [`Transcoder::reconstruct`].
    ///
    /// # Errors
    /// [`Error::Shape`] when the last axis is not `d_sae` wide.
    pub fn decode(&self, acts: &Tensor) -> Result<Tensor> {
        let rows = rows(acts, self.d_sae(), "feature activations")?;
        let y = rows.matmul(&self.w_dec)?.broadcast_add(&self.b_dec)?;
        Ok(y.reshape(with_last(acts, self.d_out()))?)
    }

    /// `decode(encode(x)) + x W_skip`: `[.., d_in]` to `[.., d_out]`.
    ///
    /// # Errors
    /// Those of [`Transcoder::encode`].
    pub fn reconstruct(&self, x: &Tensor) -> Result<Tensor> {
        let y = self.decode(&self.encode(x)?)?;
        let Some(w_skip) = &self.w_skip else {
            return Ok(y);
        };
        let skip = rows(x, self.d_in(), "activations")?.matmul(w_skip)?;
        Ok((&y + skip.reshape(y.shape())?)?)
    }
}

#[cfg(test)]
mod tests;
