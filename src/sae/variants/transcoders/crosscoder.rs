//! The crosscoder: one dictionary that reads and reconstructs the activations of several sites at once.
//! `acts = act(sum_s x_s W_enc_s + b_enc)`, `x_hat_s = acts W_dec_s + b_dec_s`;
//! `loss = sum_s |x_hat_s - x_s|^2 + l1 sum_j acts_j sum_s |W_dec_s[j]|`.
//! Lindsey et al. 2024, "Sparse Crosscoders for Cross-Layer Features and Model Diffing"; BatchTopK: Minder et
//! al. 2025, arXiv:2504.02922.

use super::rows::{check_shape, finite_or_nan, rows, with_last};
use super::transcoder_activation::TranscoderActivation;
use crate::error::{Error, Result};
use crate::show::{MimeBundle, Show, shows_itself};
use candle_core::{DType, Tensor};

/// A trained crosscoder. A clone shares the weights.
///
/// Sites may have different widths. The input is one tensor per site, all with the same leading axes.
///
/// ```
/// use holoscope::candle::{Device, Tensor};
/// use holoscope::sae::{Crosscoder, TranscoderActivation};
///
/// # fn main() -> holoscope::Result<()> {
/// let tensor = |rows: [[f32; 1]; 1]| Tensor::new(&rows, &Device::Cpu);
/// let crosscoder = Crosscoder::new(
///     &["blocks.0.hook_resid_post", "blocks.1.hook_resid_post"],
///     vec![tensor([[1.0]])?, tensor([[1.0]])?],               // W_enc, [d_site, d_sae] each
///     Tensor::new(&[0f32], &Device::Cpu)?,                    // b_enc
///     vec![tensor([[0.5]])?, tensor([[0.25]])?],              // W_dec, [d_sae, d_site] each
///     vec![Tensor::new(&[0f32], &Device::Cpu)?, Tensor::new(&[1f32], &Device::Cpu)?],
///     TranscoderActivation::Relu,
/// )?;
/// let x = [tensor([[2.0]])?, tensor([[2.0]])?];
/// assert_eq!(crosscoder.encode(&x)?.to_vec2::<f32>()?, [[4.0]]);
/// assert_eq!(crosscoder.reconstruct(&x)?[1].to_vec2::<f32>()?, [[2.0]]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Crosscoder {
    /// The sites' hook points.
    pub hook_names: Vec<String>,
    /// `[d_site, d_sae]` of each site.
    pub w_enc: Vec<Tensor>,
    /// `[d_sae]`.
    pub b_enc: Tensor,
    /// `[d_sae, d_site]` of each site.
    pub w_dec: Vec<Tensor>,
    /// `[d_site]` of each site.
    pub b_dec: Vec<Tensor>,
    /// The activation function after the encoder's product.
    pub activation: TranscoderActivation,
}

impl Crosscoder {
    /// A crosscoder from its parameters (shapes in the fields' documentation).
    ///
    /// # Errors
    /// [`Error::Argument`] for no site, two sites of one name, or a `k` outside 1 to `d_sae`;
    /// [`Error::Shape`] naming the first parameter that does not fit.
    pub fn new(
        hook_names: &[&str],
        w_enc: Vec<Tensor>,
        b_enc: Tensor,
        w_dec: Vec<Tensor>,
        b_dec: Vec<Tensor>,
        activation: TranscoderActivation,
    ) -> Result<Crosscoder> {
        let n = hook_names.len();
        if n == 0 {
            return Err(Error::argument("hook_names", "[]", "must name a site"));
        }
        for (i, name) in hook_names.iter().enumerate() {
            if hook_names[..i].contains(name) {
                let reason = "is listed twice; each site may appear only once";
                return Err(Error::argument("hook_names", name, reason));
            }
        }
        for (name, tensors) in [("W_enc", &w_enc), ("W_dec", &w_dec), ("b_dec", &b_dec)] {
            if tensors.len() != n {
                let expected = format!("one tensor for each of {n} sites");
                return Err(Error::shape(name, expected, [tensors.len()]));
            }
        }
        let [d_sae] = *b_enc.dims() else {
            return Err(Error::shape("b_enc", "[d_sae]", b_enc.dims()));
        };
        for site in 0..n {
            let [d_site] = *b_dec[site].dims() else {
                let name = format!("b_dec of {}", hook_names[site]);
                return Err(Error::shape(name, "[d_site]", b_dec[site].dims()));
            };
            let at = |what: &str| format!("{what} of {}", hook_names[site]);
            check_shape(&at("W_enc"), &w_enc[site], &[d_site, d_sae])?;
            check_shape(&at("W_dec"), &w_dec[site], &[d_sae, d_site])?;
        }
        let f32s = |tensors: Vec<Tensor>| -> Result<Vec<Tensor>> {
            let tensors = tensors.iter().map(|t| t.to_dtype(DType::F32));
            Ok(tensors.collect::<candle_core::Result<_>>()?)
        };
        Ok(Crosscoder {
            hook_names: hook_names.iter().map(|name| (*name).to_owned()).collect(),
            w_enc: f32s(w_enc)?,
            b_enc: b_enc.to_dtype(DType::F32)?,
            w_dec: f32s(w_dec)?,
            b_dec: f32s(b_dec)?,
            activation: activation.checked(d_sae)?,
        })
    }

    /// Number of sites.
    pub fn n_sites(&self) -> usize {
        self.hook_names.len()
    }

    /// Width of each site's activations.
    pub fn d_sites(&self) -> Vec<usize> {
        self.b_dec.iter().map(Tensor::elem_count).collect()
    }

    /// Number of features.
    pub fn d_sae(&self) -> usize {
        self.b_enc.elem_count()
    }

    /// `sum_s x_s W_enc_s + b_enc`: from `[.., d_site]` of each site to `[.., d_sae]`.
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of sites, a last axis of another width, or leading axes that
    /// differ from site to site.
    pub fn pre_activations(&self, x: &[Tensor]) -> Result<Tensor> {
        if x.len() != self.n_sites() {
            let expected = format!("one tensor for each of {} sites", self.n_sites());
            return Err(Error::shape("activations", expected, [x.len()]));
        }
        let leading = |t: &Tensor| t.dims()[..t.rank().saturating_sub(1)].to_vec();
        let mut pre: Option<Tensor> = None;
        for ((x_s, w_enc), name) in x.iter().zip(&self.w_enc).zip(&self.hook_names) {
            if leading(x_s) != leading(&x[0]) {
                let expected = format!("the leading axes {:?}", leading(&x[0]));
                return Err(Error::shape(
                    format!("activations at {name}"),
                    expected,
                    x_s.dims(),
                ));
            }
            let at = format!("activations at {name}");
            let of_site = finite_or_nan(&rows(x_s, w_enc.dims()[0], &at)?)?.matmul(w_enc)?;
            pre = Some(match pre {
                None => of_site.broadcast_add(&self.b_enc)?,
                Some(sum) => (sum + of_site)?,
            });
        }
        let pre = pre.ok_or_else(|| Error::argument("activations", "[]", "must have a site"))?;
        Ok(pre.reshape(with_last(&x[0], self.d_sae()))?)
    }

    /// Feature activations: from `[.., d_site]` of each site to `[.., d_sae]`, all at least 0 or NaN.
    ///
    /// # Errors
    /// Those of [`Crosscoder::pre_activations`].
    pub fn encode(&self, x: &[Tensor]) -> Result<Tensor> {
        let pre = self.pre_activations(x)?;
        let acts = self
            .activation
            .of_rows(&rows(&pre, self.d_sae(), "pre-activations")?)?;
        Ok(acts.reshape(pre.shape())?)
    }

    /// What the features write at each site, and `b_dec`: `[.., d_sae]` to `[.., d_site]` of each site.
    ///
    /// # Errors
    /// [`Error::Shape`] when the last axis is not `d_sae` wide.
    pub fn decode(&self, acts: &Tensor) -> Result<Vec<Tensor>> {
        let rows = rows(acts, self.d_sae(), "feature activations")?;
        let sites = self.w_dec.iter().zip(&self.b_dec);
        sites
            .map(|(w_dec, b_dec)| {
                let x_hat = rows.matmul(w_dec)?.broadcast_add(b_dec)?;
                Ok(x_hat.reshape(with_last(acts, b_dec.elem_count()))?)
            })
            .collect()
    }

    /// `decode(encode(x))`.
    ///
    /// # Errors
    /// Those of [`Crosscoder::encode`].
    pub fn reconstruct(&self, x: &[Tensor]) -> Result<Vec<Tensor>> {
        self.decode(&self.encode(x)?)
    }

    /// The length of each feature's decoder row at each site, `[d_sae, n_sites]`: where a feature writes.
    /// At a site that a feature does not write, the length is close to 0.
    ///
    /// # Errors
    /// [`Error::Candle`] from the device.
    pub fn decoder_norms(&self) -> Result<Tensor> {
        let norms = self.w_dec.iter().map(|w| w.sqr()?.sum(1)?.sqrt());
        let norms: Vec<Tensor> = norms.collect::<candle_core::Result<_>>()?;
        Ok(Tensor::stack(&norms, 1)?)
    }

    /// Widths and sites in one line.
    pub fn summary(&self) -> String {
        format!(
            "crosscoder of {}: d_in {:?}, d_sae {}",
            self.hook_names.join(", "),
            self.d_sites(),
            self.d_sae()
        )
    }
}

shows_itself!(Crosscoder);

impl Show for Crosscoder {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        Ok(MimeBundle::plain(self.summary()))
    }
}

#[cfg(test)]
mod tests;
