//! The standard L1 autoencoder, for inference.
//! `acts = relu((x - b_dec) W_enc + b_enc)`, `x_hat = acts W_dec + b_dec`.
//! Bricken et al. 2023, "Towards Monosemanticity"; SAELens' architecture "standard".

use crate::error::{Error, Result};
use crate::model::{first_not_finite, relu};
use crate::sae::active::{ActiveFeatures, FeatureActivity};
use crate::sae::autoencoder::{ActivityCounter, SparseAutoencoder, check_features};
use crate::sae::kernels::{InputEncoder, PackedEncoder};
use crate::sae::params::StandardParams;
use candle_core::{CpuStorage, DType, Device, Storage, Tensor};
use serde_json::{Map, Value};

/// A trained standard autoencoder.
///
/// An input with a NaN or an infinity gives NaN for every feature, and a reconstruction of NaN.
///
/// ```
/// use holoscope::candle::{Device, Tensor};
/// use holoscope::sae::{SparseAutoencoder, StandardSae};
///
/// # fn main() -> holoscope::Result<()> {
/// let dev = Device::Cpu;
/// let sae = StandardSae::new(
///     Tensor::new(&[[1f32, -1.0]], &dev)?,   // W_enc [d_in = 1, d_sae = 2]
///     Tensor::new(&[0f32, 0.0], &dev)?,      // b_enc
///     Tensor::new(&[[1f32], [-1.0]], &dev)?, // W_dec [2, 1]
///     Tensor::new(&[0.5f32], &dev)?,         // b_dec
/// )?;
/// let x = Tensor::new(&[[2.5f32], [-1.5]], &dev)?;
/// assert_eq!(sae.encode(&x)?.to_vec2::<f32>()?, [[2.0, 0.0], [0.0, 2.0]]);
/// assert_eq!(sae.reconstruct(&x)?.to_vec2::<f32>()?, [[2.5], [-1.5]]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct StandardSae {
    /// `[d_in, d_sae]`.
    pub w_enc: Tensor,
    /// `[d_sae]`.
    pub b_enc: Tensor,
    /// `[d_sae, d_in]`.
    pub w_dec: Tensor,
    /// `[d_in]`.
    pub b_dec: Tensor,
    /// Whether `b_dec` is subtracted from the input before encoding (SAELens' `apply_b_dec_to_input`).
    pub apply_b_dec_to_input: bool,
    /// Hook point that it was trained on, where known.
    pub hook_name: Option<String>,
    /// SAELens' `cfg.json` as it was read; unused keys survive a round trip.
    pub cfg: Map<String, Value>,
}

impl StandardSae {
    /// An autoencoder from its four parameters (shapes in the fields' documentation).
    ///
    /// # Errors
    /// [`Error::Shape`] naming the first parameter that does not fit `W_enc`.
    pub fn new(w_enc: Tensor, b_enc: Tensor, w_dec: Tensor, b_dec: Tensor) -> Result<StandardSae> {
        let [d_in, d_sae] = *w_enc.dims() else {
            return Err(Error::shape("W_enc", "[d_in, d_sae]", w_enc.dims()));
        };
        let expected: [(&str, &Tensor, &[usize]); 3] = [
            ("b_enc", &b_enc, &[d_sae]),
            ("W_dec", &w_dec, &[d_sae, d_in]),
            ("b_dec", &b_dec, &[d_in]),
        ];
        for (name, tensor, shape) in expected {
            if tensor.dims() != shape {
                return Err(Error::shape(name, shape, tensor.dims()));
            }
        }
        Ok(StandardSae {
            w_enc: w_enc.to_dtype(DType::F32)?,
            b_enc: b_enc.to_dtype(DType::F32)?,
            w_dec: w_dec.to_dtype(DType::F32)?,
            b_dec: b_dec.to_dtype(DType::F32)?,
            apply_b_dec_to_input: true,
            hook_name: None,
            cfg: Map::new(),
        })
    }

    /// An autoencoder from trained parameters.
    ///
    /// # Errors
    /// Those of [`StandardSae::new`].
    pub fn from_params(params: StandardParams, device: &Device) -> Result<StandardSae> {
        let (d_in, d_sae) = (params.d_in, params.d_sae);
        let w_enc = Tensor::from_vec(params.w_enc_t, (d_sae, d_in), device)?
            .t()?
            .contiguous()?; // [d_in, d_sae]
        StandardSae::new(
            w_enc,
            Tensor::from_vec(params.b_enc, d_sae, device)?,
            Tensor::from_vec(params.w_dec, (d_sae, d_in), device)?,
            Tensor::from_vec(params.b_dec, d_in, device)?,
        )
    }

    /// The parameters as plain vectors, to continue training.
    ///
    /// A training step subtracts `b_dec` from its input; if this autoencoder does not, the
    /// encoder's bias compensates for it (`b_enc + b_dec W_enc`), so that the function is the same.
    ///
    /// # Errors
    /// [`Error::Candle`] when a tensor cannot be read back from its device.
    pub fn to_params(&self) -> Result<StandardParams> {
        let b_enc = if self.apply_b_dec_to_input {
            self.b_enc.clone()
        } else {
            let shift = self.b_dec.unsqueeze(0)?.matmul(&self.w_enc)?; // [1, d_sae]
            (&self.b_enc + shift.squeeze(0)?)?
        };
        Ok(StandardParams {
            d_in: self.d_in(),
            d_sae: self.d_sae(),
            w_enc_t: self.w_enc.t()?.flatten_all()?.to_vec1()?,
            w_dec: self.w_dec.flatten_all()?.to_vec1()?,
            b_enc: b_enc.to_vec1()?,
            b_dec: self.b_dec.to_vec1()?,
        })
    }

    /// The input of the encoder's matrix, `[n, d_in]`.
    fn centred(&self, x: &Tensor) -> Result<Rows> {
        let Rows { rows, dims } = rows(x, self.d_in(), "activations")?;
        let rows = match self.apply_b_dec_to_input {
            true => rows.broadcast_sub(&self.b_dec)?,
            false => rows,
        };
        let finite = rows.device().is_cpu() && first_not_finite(&rows)?.is_none();
        let rows = match finite {
            true => rows,
            // As `finite_or_nan`: a row with an infinity becomes one of NaN.
            false => (&rows + (&rows * 0.0)?)?,
        };
        Ok(Rows { rows, dims })
    }

    /// `(x - b_dec) W_enc + b_enc`, the input of ReLU or another selection: `[.., d_in]` to `[.., d_sae]`.
    pub(super) fn pre_activations(&self, x: &Tensor) -> Result<Tensor> {
        let x = self.centred(x)?; // [n, d_in]
        let pre = x.rows.matmul(&self.w_enc)?.broadcast_add(&self.b_enc)?; // [n, d_sae]
        Ok(pre.reshape(with_last(&x.dims, self.d_sae()))?)
    }

    /// The encoder for the product that never materialises the activations; `None` where only the dense product
    /// works.
    pub(super) fn input_encoder(&self) -> Result<Option<InputEncoder>> {
        let d_in = self.d_in();
        if !self.device().is_cpu() || d_in == 0 || self.d_sae() == 0 {
            return Ok(None);
        }
        let b_enc = self.b_enc.to_vec1()?;
        Ok(Some(InputEncoder {
            packed: of_elements(&self.w_enc, |w_enc| {
                PackedEncoder::from_columns(w_enc, &b_enc, d_in)
            })?,
            centre: match self.apply_b_dec_to_input {
                true => self.b_dec.to_vec1()?,
                false => vec![0.0; d_in],
            },
            floor: 0.0,
        }))
    }

    /// Applies `f` to the rows of `x`, `[n, d_in]`, contiguous in memory.
    pub(super) fn of_rows<T>(&self, x: &Tensor, f: impl FnOnce(&[f32]) -> T) -> Result<T> {
        let x = rows(x, self.d_in(), "activations")?.rows;
        of_elements(&x.to_device(&Device::Cpu)?, f)
    }

    /// The same autoencoder with its parameters on the CPU.
    pub(super) fn on_cpu(&self) -> Result<StandardSae> {
        let moved = |t: &Tensor| t.to_device(&Device::Cpu);
        Ok(StandardSae {
            w_enc: moved(&self.w_enc)?,
            b_enc: moved(&self.b_enc)?,
            w_dec: moved(&self.w_dec)?,
            b_dec: moved(&self.b_dec)?,
            ..self.clone()
        })
    }

    /// Device of the parameters.
    pub fn device(&self) -> &Device {
        self.w_enc.device()
    }
}

impl SparseAutoencoder for StandardSae {
    fn d_in(&self) -> usize {
        self.w_enc.dims()[0]
    }

    fn d_sae(&self) -> usize {
        self.w_enc.dims()[1]
    }

    fn encode(&self, x: &Tensor) -> Result<Tensor> {
        let x = self.centred(x)?; // [n, d_in]
        let acts = x.rows.matmul(&self.w_enc)?.broadcast_add(&self.b_enc)?;
        let acts = relu(&acts)?; // [n, d_sae]
        Ok(acts.reshape(with_last(&x.dims, self.d_sae()))?)
    }

    fn encode_sparse(&self, x: &Tensor) -> Result<ActiveFeatures> {
        match self.input_encoder()? {
            Some(encoder) => self.of_rows(x, |x| ActiveFeatures::encoded(&encoder, x)),
            None => ActiveFeatures::of_dense(&self.encode(x)?),
        }
    }

    fn encode_features(&self, x: &Tensor, features: &[usize]) -> Result<Tensor> {
        check_features(features, self.d_sae())?;
        let x = self.centred(x)?; // [n, d_in]
        let wanted: Vec<u32> = features.iter().map(|&feature| feature as u32).collect();
        let wanted = Tensor::from_vec(wanted, features.len(), self.device())?;
        let w_enc = self.w_enc.index_select(&wanted, 1)?; // [d_in, features.len()]
        let b_enc = self.b_enc.index_select(&wanted, 0)?;
        let acts = relu(&x.rows.matmul(&w_enc)?.broadcast_add(&b_enc)?)?;
        Ok(acts.reshape(with_last(&x.dims, features.len()))?)
    }

    fn activity(&self, x: &Tensor) -> Result<FeatureActivity> {
        self.activity_counter()?(x)
    }

    fn activity_counter(&self) -> Result<ActivityCounter<'_>> {
        Ok(match self.input_encoder()? {
            Some(encoder) => {
                Box::new(move |x| self.of_rows(x, |x| FeatureActivity::encoded(&encoder, x)))
            }
            None => Box::new(|x| Ok(FeatureActivity::of(&self.encode_sparse(x)?))),
        })
    }

    fn decode(&self, acts: &Tensor) -> Result<Tensor> {
        let acts = rows(acts, self.d_sae(), "feature activations")?; // [n, d_sae]
        let x_hat = acts.rows.matmul(&self.w_dec)?.broadcast_add(&self.b_dec)?; // [n, d_in]
        Ok(x_hat.reshape(with_last(&acts.dims, self.d_in()))?)
    }

    fn w_enc(&self) -> Tensor {
        self.w_enc.clone()
    }

    fn w_dec(&self) -> Tensor {
        self.w_dec.clone()
    }

    fn b_enc(&self) -> Tensor {
        self.b_enc.clone()
    }

    fn b_dec(&self) -> Tensor {
        self.b_dec.clone()
    }
}

/// A tensor as rows, with its original dimensions.
struct Rows {
    rows: Tensor,
    dims: Vec<usize>,
}

fn rows(x: &Tensor, width: usize, name: &str) -> Result<Rows> {
    let dims = x.dims().to_vec();
    if dims.last() != Some(&width) {
        return Err(Error::shape(name, format!("[.., {width}]"), dims));
    }
    let n = x.elem_count() / width.max(1);
    Ok(Rows {
        rows: x.reshape((n, width))?.to_dtype(DType::F32)?,
        dims,
    })
}

/// Applies `f` to a tensor's f32 elements on the CPU, without a copy if they are contiguous.
fn of_elements<T>(t: &Tensor, f: impl FnOnce(&[f32]) -> T) -> Result<T> {
    let t = t.contiguous()?;
    let (storage, layout) = t.storage_and_layout();
    match (&*storage, layout.contiguous_offsets()) {
        (Storage::Cpu(CpuStorage::F32(values)), Some((start, end))) => Ok(f(&values[start..end])),
        _ => Err(Error::argument(
            "tensor",
            format!("{:?} on {:?}", t.dtype(), t.device()),
            "must be f32 on the CPU here",
        )),
    }
}

fn with_last(dims: &[usize], last: usize) -> Vec<usize> {
    let mut dims = dims.to_vec();
    if let Some(d) = dims.last_mut() {
        *d = last;
    }
    dims
}

#[cfg(test)]
mod tests;
