//! The transcoder: the input of an MLP becomes sparse features, and these the MLP's output.
//! `acts = act(x W_enc + b_enc)`, `y = acts W_dec + b_dec (+ x W_skip)`.
//! Dunefsky et al. 2024, arXiv:2406.11944; skip: Paulo et al. 2025, arXiv:2501.18823; SAELens' four
//! transcoder architectures.

use crate::error::{Error, Result};
use crate::model::{first_not_finite, relu};
use crate::sae::active::ActiveFeatures;
use candle_core::{DType, Device, Tensor};

/// What follows the encoder's product.
#[derive(Debug, Clone)]
pub enum TranscoderActivation {
    /// `max(pre, 0)`.
    Relu,
    /// `pre` where it is above both 0 and the feature's threshold, else 0. `threshold` is `[d_sae]`.
    JumpRelu { threshold: Tensor },
    /// Of the positive ones the `k` largest of a token, of equal ones the first.
    TopK { k: usize },
}

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
    /// `[d_in, d_out]`, a linear path around the features, where there is one.
    pub w_skip: Option<Tensor>,
    /// What follows the encoder's product.
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
        let activation = match activation {
            TranscoderActivation::JumpRelu { threshold } => {
                check_shape("threshold", &threshold, &[d_sae])?;
                let threshold = threshold.to_dtype(DType::F32)?;
                TranscoderActivation::JumpRelu { threshold }
            }
            TranscoderActivation::TopK { k } if !(1..=d_sae).contains(&k) => {
                let reason = format!("must lie in 1 to d_sae = {d_sae}");
                return Err(Error::argument("k", k, reason));
            }
            other => other,
        };
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
    /// `blocks.0.hook_mlp_out`. Whether a model has them is for the model to check.
    pub fn between(mut self, hook_name: &str, hook_name_out: &str) -> Transcoder {
        self.hook_name = hook_name.to_owned();
        self.hook_name_out = hook_name_out.to_owned();
        self
    }

    /// Width of what it reads.
    pub fn d_in(&self) -> usize {
        self.w_enc.dims()[0]
    }

    /// Width of what it reconstructs.
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
        let acts = relu(&rows)?;
        let acts = match &self.activation {
            TranscoderActivation::Relu => acts,
            TranscoderActivation::JumpRelu { threshold } => {
                let threshold = threshold.broadcast_as(acts.shape())?;
                // `le` is false for NaN, which stays.
                acts.le(&threshold)?
                    .where_cond(&acts.zeros_like()?, &acts)?
            }
            TranscoderActivation::TopK { k } => ActiveFeatures::of_dense(&acts)?
                .largest(*k)
                .to_dense(pre.device())?,
        };
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

fn check_shape(name: &str, tensor: &Tensor, shape: &[usize]) -> Result<()> {
    match tensor.dims() == shape {
        true => Ok(()),
        false => Err(Error::shape(name, shape, tensor.dims())),
    }
}

/// A tensor seen as f32 rows, `[n, width]`.
fn rows(x: &Tensor, width: usize, name: &str) -> Result<Tensor> {
    if x.dims().last() != Some(&width) {
        return Err(Error::shape(name, format!("[.., {width}]"), x.dims()));
    }
    let n = x.elem_count() / width.max(1);
    Ok(x.reshape((n, width))?.to_dtype(DType::F32)?)
}

/// The rows, those with an infinity or a NaN as rows of NaN.
fn finite_or_nan(rows: &Tensor) -> Result<Tensor> {
    let finite = rows.device().is_cpu() && first_not_finite(rows)?.is_none();
    if finite {
        return Ok(rows.clone());
    }
    let sums = (rows * 0.0)?.sum_keepdim(1)?; // 0, or NaN where one element is not finite
    Ok(rows.broadcast_add(&sums)?)
}

fn with_last(x: &Tensor, last: usize) -> Vec<usize> {
    let mut dims = x.dims().to_vec();
    if let Some(d) = dims.last_mut() {
        *d = last;
    }
    dims
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, StandardNormal};

    const DEV: Device = Device::Cpu;

    fn normal(shape: &[usize], rng: &mut ChaCha8Rng) -> Tensor {
        let n = shape.iter().product();
        let values: Vec<f32> = StandardNormal.sample_iter(rng).take(n).collect();
        Tensor::from_vec(values, shape, &DEV).unwrap()
    }

    fn random(activation: TranscoderActivation, rng: &mut ChaCha8Rng) -> Transcoder {
        let (d_in, d_sae, d_out) = (4, 9, 3);
        Transcoder::new(
            1,
            normal(&[d_in, d_sae], rng),
            normal(&[d_sae], rng),
            normal(&[d_sae, d_out], rng),
            normal(&[d_out], rng),
            activation,
        )
        .unwrap()
    }

    fn vec2(t: &Tensor) -> Vec<Vec<f32>> {
        t.to_vec2().unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        /// Against the equations, element by element.
        #[test]
        fn activations_and_outputs_are_those_of_the_equations(seed in 0u64..10_000, k in 1usize..9) {
            let rng = &mut ChaCha8Rng::seed_from_u64(seed);
            let threshold = normal(&[9], rng);
            let kinds = [
                TranscoderActivation::Relu,
                TranscoderActivation::JumpRelu { threshold: threshold.clone() },
                TranscoderActivation::TopK { k },
            ];
            let threshold = threshold.to_vec1::<f32>().unwrap();
            for (kind, activation) in kinds.into_iter().enumerate() {
                let transcoder = random(activation, rng);
                let skip = normal(&[4, 3], rng);
                let with_skip = transcoder.clone().with_skip(skip.clone()).unwrap();
                let x = normal(&[5, 4], rng);
                let (w_enc, w_dec) = (vec2(&transcoder.w_enc), vec2(&transcoder.w_dec));
                let b_enc = transcoder.b_enc.to_vec1::<f32>().unwrap();
                let b_dec = transcoder.b_dec.to_vec1::<f32>().unwrap();
                let acts = vec2(&transcoder.encode(&x).unwrap());
                let y = vec2(&transcoder.reconstruct(&x).unwrap());
                let y_skip = vec2(&with_skip.reconstruct(&x).unwrap());
                let skip = vec2(&skip);
                for (n, x) in vec2(&x).iter().enumerate() {
                    let pre: Vec<f32> = (0..9)
                        .map(|j| b_enc[j] + (0..4).map(|i| x[i] * w_enc[i][j]).sum::<f32>())
                        .collect();
                    let mut sorted = pre.clone();
                    sorted.sort_by(|a, b| b.total_cmp(a));
                    let expected: Vec<f32> = (0..9)
                        .map(|j| {
                            let least = match kind {
                                0 => 0.0,
                                1 => threshold[j].max(0.0),
                                // Halfway to the first one that is left out.
                                _ => (sorted.get(k).map_or(0.0, |next| (sorted[k - 1] + next) / 2.0))
                                    .max(0.0),
                            };
                            if pre[j] > least { pre[j] } else { 0.0 }
                        })
                        .collect();
                    for (found, wanted) in acts[n].iter().zip(&expected) {
                        prop_assert!((found - wanted).abs() < 1e-5);
                    }
                    for (o, bias) in b_dec.iter().enumerate() {
                        let out = bias + (0..9).map(|j| expected[j] * w_dec[j][o]).sum::<f32>();
                        prop_assert!((y[n][o] - out).abs() < 1e-4);
                        let around = (0..4).map(|i| x[i] * skip[i][o]).sum::<f32>();
                        prop_assert!((y_skip[n][o] - out - around).abs() < 1e-4);
                    }
                }
            }
        }
    }

    #[test]
    fn leading_axes_are_kept_and_lists_are_those_of_the_matrix() {
        let rng = &mut ChaCha8Rng::seed_from_u64(5);
        let transcoder = random(TranscoderActivation::TopK { k: 2 }, rng);
        let x = normal(&[2, 3, 4], rng);
        let acts = transcoder.encode(&x).unwrap();
        assert_eq!(acts.dims(), [2, 3, 9]);
        assert_eq!(transcoder.reconstruct(&x).unwrap().dims(), [2, 3, 3]);
        let lists = transcoder.encode_sparse(&x).unwrap();
        assert_eq!(lists, ActiveFeatures::of_dense(&acts).unwrap());
        assert!((0..6).all(|row| lists.row(row).0.len() <= 2));
    }

    #[test]
    fn a_row_that_is_not_finite_gives_nan_and_leaves_the_others() {
        let rng = &mut ChaCha8Rng::seed_from_u64(6);
        for activation in [
            TranscoderActivation::Relu,
            TranscoderActivation::JumpRelu {
                threshold: normal(&[9], rng),
            },
            TranscoderActivation::TopK { k: 2 },
        ] {
            let transcoder = random(activation, rng);
            for bad in [f32::NAN, f32::INFINITY] {
                let x = Tensor::new(&[[1f32, 2.0, 3.0, 4.0], [1.0, bad, 0.0, 0.0]], &DEV).unwrap();
                let acts = vec2(&transcoder.encode(&x).unwrap());
                assert!(acts[0].iter().all(|a| a.is_finite()));
                assert!(acts[1].iter().all(|a| a.is_nan()), "{:?}", acts[1]);
            }
        }
    }

    #[test]
    fn parameters_that_do_not_fit_are_named() {
        let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &DEV).unwrap();
        let of = |b_enc, w_dec, b_dec, activation| {
            let (b_enc, w_dec): (&[usize], &[usize]) = (b_enc, w_dec);
            let made = Transcoder::new(
                0,
                zeros(&[4, 9]),
                zeros(b_enc),
                zeros(w_dec),
                zeros(&[b_dec]),
                activation,
            );
            made.map(|_| ()).map_err(|error| error.to_string())
        };
        let relu = || TranscoderActivation::Relu;
        of(&[9], &[9, 3], 3, relu()).unwrap();
        let failures = [
            (of(&[8], &[9, 3], 3, relu()), "b_enc"),
            (of(&[9], &[8, 3], 3, relu()), "W_dec"),
            (of(&[9], &[9], 3, relu()), "W_dec"),
            (of(&[9], &[9, 3], 4, relu()), "b_dec"),
            (
                of(&[9], &[9, 3], 3, TranscoderActivation::TopK { k: 10 }),
                "k = 10",
            ),
            (
                of(
                    &[9],
                    &[9, 3],
                    3,
                    TranscoderActivation::JumpRelu {
                        threshold: zeros(&[2]),
                    },
                ),
                "threshold",
            ),
        ];
        for (outcome, name) in failures {
            let message = outcome.unwrap_err();
            assert!(message.contains(name), "{message}");
        }
        let rng = &mut ChaCha8Rng::seed_from_u64(7);
        let transcoder = random(relu(), rng);
        let error = transcoder.clone().with_skip(zeros(&[3, 4])).unwrap_err();
        assert!(error.to_string().contains("W_skip"), "{error}");
        assert!(transcoder.encode(&zeros(&[2, 5])).is_err());
        assert!(transcoder.decode(&zeros(&[2, 5])).is_err());
    }
}
