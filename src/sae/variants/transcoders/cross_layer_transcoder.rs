//! The cross-layer transcoder: features of block l read the input of its MLP and write to the outputs of
//! the MLPs of block l and of all later ones.
//! `acts_l = act(x_l W_enc_l + b_enc_l)`, `y_hat_m = b_dec_m + sum_{l <= m} acts_l W_dec_{l -> m}`.
//! Ameisen et al. 2025, "Circuit Tracing: Revealing Computational Graphs in Language Models"; the decoders'
//! layout is circuit-tracer's.

use super::rows::{check_shape, finite_or_nan, rows, with_last};
use super::transcoder_activation::TranscoderActivation;
use crate::error::{Error, Result};
use crate::show::{MimeBundle, Show, shows_itself};
use candle_core::{DType, IndexOp, Tensor};

/// A trained cross-layer transcoder. A clone shares the weights.
///
/// Inputs and outputs are one tensor per layer, all with the same leading axes.
#[derive(Debug, Clone)]
pub struct CrossLayerTranscoder {
    /// `[d_in, d_sae]` of each layer.
    pub w_enc: Vec<Tensor>,
    /// `[d_sae]` of each layer.
    pub b_enc: Vec<Tensor>,
    /// Of layer l `[d_sae, n_layers - l, d_out]`: what its features write to layers l, l + 1, ..
    pub w_dec: Vec<Tensor>,
    /// `[d_out]` of each layer.
    pub b_dec: Vec<Tensor>,
    /// The activation function after the encoder's product, layer by layer.
    pub activations: Vec<TranscoderActivation>,
    /// Hook points whose activations it reads, layer by layer.
    pub hook_names: Vec<String>,
    /// Hook points whose activations it reconstructs, layer by layer.
    pub hook_names_out: Vec<String>,
}

impl CrossLayerTranscoder {
    /// A cross-layer transcoder from its parameters (shapes in the fields' documentation). It reads
    /// `blocks.{l}.ln2.hook_normalized` and reconstructs `blocks.{l}.hook_mlp_out`, unless
    /// [`CrossLayerTranscoder::between`] says otherwise.
    ///
    /// # Errors
    /// [`Error::Argument`] for no layer or a `k` outside 1 to `d_sae`; [`Error::Shape`] naming the first
    /// parameter that does not fit.
    pub fn new(
        w_enc: Vec<Tensor>,
        b_enc: Vec<Tensor>,
        w_dec: Vec<Tensor>,
        b_dec: Vec<Tensor>,
        activations: Vec<TranscoderActivation>,
    ) -> Result<CrossLayerTranscoder> {
        let n = w_enc.len();
        if n == 0 {
            return Err(Error::argument("W_enc", "[]", "must have a layer"));
        }
        for (name, found) in [
            ("b_enc", b_enc.len()),
            ("W_dec", w_dec.len()),
            ("b_dec", b_dec.len()),
            ("activations", activations.len()),
        ] {
            if found != n {
                return Err(Error::shape(
                    name,
                    format!("one for each of {n} layers"),
                    [found],
                ));
            }
        }
        let mut checked = Vec::with_capacity(n);
        for (layer, activation) in activations.into_iter().enumerate() {
            let at = |what: &str| format!("{what} of layer {layer}");
            let [_, d_sae] = *w_enc[layer].dims() else {
                return Err(Error::shape(
                    at("W_enc"),
                    "[d_in, d_sae]",
                    w_enc[layer].dims(),
                ));
            };
            let [d_out] = *b_dec[layer].dims() else {
                return Err(Error::shape(at("b_dec"), "[d_out]", b_dec[layer].dims()));
            };
            check_shape(&at("b_dec"), &b_dec[layer], &[b_dec[0].elem_count()])?;
            check_shape(&at("b_enc"), &b_enc[layer], &[d_sae])?;
            check_shape(&at("W_dec"), &w_dec[layer], &[d_sae, n - layer, d_out])?;
            checked.push(activation.checked(d_sae)?);
        }
        let f32s = |tensors: Vec<Tensor>| -> Result<Vec<Tensor>> {
            let tensors = tensors.iter().map(|t| t.to_dtype(DType::F32));
            Ok(tensors.collect::<candle_core::Result<_>>()?)
        };
        let names = |point: &str| (0..n).map(|l| format!("blocks.{l}.{point}")).collect();
        Ok(CrossLayerTranscoder {
            w_enc: f32s(w_enc)?,
            b_enc: f32s(b_enc)?,
            w_dec: f32s(w_dec)?,
            b_dec: f32s(b_dec)?,
            activations: checked,
            hook_names: names("ln2.hook_normalized"),
            hook_names_out: names("hook_mlp_out"),
        })
    }

    /// This one between other hook points, layer by layer. It is not checked here whether a model has
    /// them.
    ///
    /// # Errors
    /// [`Error::Shape`] when there is not one of each per layer.
    pub fn between(
        mut self,
        hook_names: &[String],
        hook_names_out: &[String],
    ) -> Result<CrossLayerTranscoder> {
        for (name, found) in [
            ("hook_names", hook_names.len()),
            ("hook_names_out", hook_names_out.len()),
        ] {
            if found != self.n_layers() {
                let expected = format!("one for each of {} layers", self.n_layers());
                return Err(Error::shape(name, expected, [found]));
            }
        }
        self.hook_names = hook_names.to_vec();
        self.hook_names_out = hook_names_out.to_vec();
        Ok(self)
    }

    /// Number of layers.
    pub fn n_layers(&self) -> usize {
        self.w_enc.len()
    }

    /// Number of features of each layer.
    pub fn d_sae(&self) -> Vec<usize> {
        self.b_enc.iter().map(Tensor::elem_count).collect()
    }

    /// Feature activations of one layer from its input: `[.., d_in]` to `[.., d_sae]`, all at least 0
    /// or NaN.
    ///
    /// # Errors
    /// [`Error::Argument`] for a layer that does not exist; [`Error::Shape`] when the last axis is not
    /// `d_in` wide.
    pub fn encode_layer(&self, layer: usize, x: &Tensor) -> Result<Tensor> {
        self.check_layer(layer)?;
        let w_enc = &self.w_enc[layer];
        let name = format!("activations of layer {layer}");
        let pre = finite_or_nan(&rows(x, w_enc.dims()[0], &name)?)?
            .matmul(w_enc)?
            .broadcast_add(&self.b_enc[layer])?;
        let acts = self.activations[layer].of_rows(&pre)?;
        Ok(acts.reshape(with_last(x, self.b_enc[layer].elem_count()))?)
    }

    /// Feature activations of every layer.
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of layers; those of [`CrossLayerTranscoder::encode_layer`].
    pub fn encode(&self, x: &[Tensor]) -> Result<Vec<Tensor>> {
        self.check_number("activations", x.len())?;
        let layers = x.iter().enumerate();
        layers
            .map(|(layer, x)| self.encode_layer(layer, x))
            .collect()
    }

    /// The sum of what the features of layers 0 to `layer` write to layer `layer`, plus its `b_dec`: from
    /// `[.., d_sae]` of each of these (later ones are ignored) to `[.., d_out]`.
    ///
    /// # Errors
    /// [`Error::Argument`] for a layer that does not exist; [`Error::Shape`] when there are fewer layers of
    /// activations than that, or the last axis of one is not `d_sae` wide.
    pub fn decode_layer(&self, layer: usize, acts: &[Tensor]) -> Result<Tensor> {
        self.check_layer(layer)?;
        if acts.len() <= layer {
            let expected = format!("those of layers 0 to {layer}");
            return Err(Error::shape("feature activations", expected, [acts.len()]));
        }
        let mut y: Option<Tensor> = None;
        for (from, acts) in acts[..=layer].iter().enumerate() {
            let name = format!("feature activations of layer {from}");
            let rows = rows(acts, self.b_enc[from].elem_count(), &name)?;
            let w_dec = self.w_dec[from].i((.., layer - from, ..))?.contiguous()?;
            let written = rows.matmul(&w_dec)?;
            y = Some(match y {
                None => written.broadcast_add(&self.b_dec[layer])?,
                Some(y) if y.dims() == written.dims() => (y + written)?,
                Some(y) => return Err(Error::shape(name, y.dims(), written.dims())),
            });
        }
        let y = y.ok_or_else(|| Error::argument("layer", layer, "has no features before it"))?;
        Ok(y.reshape(with_last(&acts[layer], self.b_dec[layer].elem_count()))?)
    }

    /// What the features write to every layer.
    ///
    /// # Errors
    /// Those of [`CrossLayerTranscoder::decode_layer`].
    pub fn decode(&self, acts: &[Tensor]) -> Result<Vec<Tensor>> {
        self.check_number("feature activations", acts.len())?;
        (0..self.n_layers())
            .map(|layer| self.decode_layer(layer, acts))
            .collect()
    }

    /// `decode(encode(x))`: the MLPs' outputs from their inputs.
    ///
    /// # Errors
    /// Those of [`CrossLayerTranscoder::encode`].
    pub fn reconstruct(&self, x: &[Tensor]) -> Result<Vec<Tensor>> {
        self.decode(&self.encode(x)?)
    }

    fn check_layer(&self, layer: usize) -> Result<()> {
        if layer < self.n_layers() {
            return Ok(());
        }
        let reason = format!("there are layers 0 to {}", self.n_layers() - 1);
        Err(Error::argument("layer", layer, reason))
    }

    fn check_number(&self, what: &str, found: usize) -> Result<()> {
        if found == self.n_layers() {
            return Ok(());
        }
        let expected = format!("one tensor for each of {} layers", self.n_layers());
        Err(Error::shape(what, expected, [found]))
    }

    /// Layers and widths in one line.
    pub fn summary(&self) -> String {
        format!(
            "cross-layer transcoder of {} layers: d_in {}, d_sae {:?}, d_out {}",
            self.n_layers(),
            self.w_enc[0].dims()[0],
            self.d_sae(),
            self.b_dec[0].elem_count()
        )
    }
}

shows_itself!(CrossLayerTranscoder);

impl Show for CrossLayerTranscoder {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        Ok(MimeBundle::plain(self.summary()))
    }
}

#[cfg(test)]
mod tests;
