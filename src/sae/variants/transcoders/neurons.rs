//! The exact transcoder of a ReLU MLP: the MLP itself, its neurons as features.
//! `W_enc = diag(w) W_in`, `b_enc = b_in + b W_in`, `W_dec = W_out`, `b_dec = b_out`, with the weight
//! `w` and the bias `b` of the norm before it.
//! Source: the neuron baseline of Dunefsky et al. 2024, arXiv:2406.11944.

use crate::config::{Activation, Normalization};
use crate::error::{Error, Result};
use crate::model::Transformer;
use crate::sae::{Transcoder, TranscoderActivation};
use candle_core::{DType, Tensor};

impl Transcoder {
    /// The MLP of block `layer` as an exact transcoder: each neuron is a feature. It reads
    /// `blocks.{layer}.ln2.hook_normalized`, with the norm's weight and bias folded into its encoder,
    /// or `blocks.{layer}.hook_resid_mid` in a model without norms.
    ///
    /// ```
    /// use holoscope::config::{Activation, TransformerConfig};
    /// use holoscope::{model::Transformer, sae::Transcoder};
    /// let cfg = TransformerConfig { act_fn: Activation::Relu, d_vocab: 11, ..Default::default() };
    /// let neurons = Transcoder::of_mlp(&Transformer::new(&cfg)?, 0)?;
    /// assert_eq!(neurons.d_sae(), cfg.d_mlp);
    /// # Ok::<(), holoscope::Error>(())
    /// ```
    ///
    /// # Errors
    /// A block that the model does not have, a model without MLPs, an activation function other than
    /// ReLU, whose neurons are not features of a transcoder.
    pub fn of_mlp(model: &Transformer, layer: usize) -> Result<Transcoder> {
        let cfg = model.cfg();
        if layer >= cfg.n_layers {
            let rule = format!("must be below n_layers = {}", cfg.n_layers);
            return Err(Error::argument("layer", layer, rule));
        }
        if cfg.attn_only {
            return Err(Error::argument("attn_only", true, "the model has no MLPs"));
        }
        if cfg.act_fn != Activation::Relu {
            let value = format!("{:?}", cfg.act_fn);
            let reason = "only the neurons of a ReLU MLP are features; train a transcoder instead";
            return Err(Error::argument("act_fn", value, reason));
        }
        let plain = |name: &str| -> Result<Tensor> {
            let value = model.parameter(&format!("blocks.{layer}.{name}"))?;
            Ok(value.detach().to_dtype(DType::F32)?)
        };
        let (w_in, b_in) = (plain("mlp.W_in")?, plain("mlp.b_in")?); // [d_model, d_mlp], [d_mlp]
        let (w_out, b_out) = (plain("mlp.W_out")?, plain("mlp.b_out")?);
        let (w_enc, b_enc) = match cfg.normalization_type {
            Normalization::None | Normalization::LnPre => (w_in, b_in),
            Normalization::Ln => {
                let (w, b) = (plain("ln2.w")?, plain("ln2.b")?); // [d_model]
                let of_bias = b.unsqueeze(0)?.matmul(&w_in)?.squeeze(0)?; // [d_mlp]
                (w_in.broadcast_mul(&w.unsqueeze(1)?)?, (b_in + of_bias)?)
            }
        };
        let relu = TranscoderActivation::Relu;
        let neurons = Transcoder::new(layer, w_enc, b_enc, w_out, b_out, relu)?;
        Ok(match cfg.normalization_type {
            Normalization::None => neurons.between(
                &format!("blocks.{layer}.hook_resid_mid"),
                &format!("blocks.{layer}.hook_mlp_out"),
            ),
            Normalization::Ln | Normalization::LnPre => neurons,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TransformerConfig;
    use crate::model::NamesFilter;
    use candle_core::Device;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, StandardNormal};
    use std::collections::BTreeMap;

    fn config(normalization_type: Normalization) -> TransformerConfig {
        TransformerConfig {
            n_layers: 2,
            d_model: 8,
            n_heads: 2,
            d_mlp: 24,
            n_ctx: 6,
            d_vocab: 11,
            act_fn: Activation::Relu,
            normalization_type,
            ..TransformerConfig::default()
        }
    }

    /// Every parameter random, so that norms have weights and biases.
    fn random_model(cfg: &TransformerConfig) -> Transformer {
        let model = Transformer::new(cfg).unwrap();
        let rng = &mut ChaCha8Rng::seed_from_u64(3);
        let mut parameters = BTreeMap::new();
        for (name, value) in model.named_parameters() {
            let drawn: Vec<f32> = StandardNormal
                .sample_iter(&mut *rng)
                .take(value.elem_count())
                .collect();
            let drawn = Tensor::from_vec(drawn, value.shape(), &Device::Cpu).unwrap();
            parameters.insert(name, (drawn * 0.5).unwrap());
        }
        Transformer::from_parameters(cfg, &parameters).unwrap()
    }

    #[test]
    fn neurons_reconstruct_the_mlp_whatever_the_norm() {
        let tokens = Tensor::new(&[[1u32, 5, 3, 9, 0, 2]], &Device::Cpu).unwrap();
        for norm in [Normalization::Ln, Normalization::LnPre, Normalization::None] {
            let model = random_model(&config(norm));
            let (_, cache) = model
                .run_with_cache_filtered(&tokens, &NamesFilter::All, None)
                .unwrap();
            for layer in 0..2 {
                let neurons = Transcoder::of_mlp(&model, layer).unwrap();
                let x = cache.get(&neurons.hook_name).unwrap();
                let wanted = cache.get(&neurons.hook_name_out).unwrap();
                let post = cache.get(&format!("blocks.{layer}.mlp.hook_post")).unwrap();
                let values = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
                for (found, wanted) in [
                    (neurons.encode(&x).unwrap(), post),
                    (neurons.reconstruct(&x).unwrap(), wanted),
                ] {
                    let pairs = values(&found).into_iter().zip(values(&wanted));
                    let off = pairs.map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
                    assert!(off < 1e-4, "{norm:?} {layer}: {off}");
                }
            }
        }
    }

    #[test]
    fn models_without_such_neurons_are_refused() {
        let of = |change: fn(&mut TransformerConfig), layer| {
            let mut cfg = config(Normalization::Ln);
            change(&mut cfg);
            let found = Transcoder::of_mlp(&Transformer::new(&cfg).unwrap(), layer);
            found.unwrap_err().to_string()
        };
        assert!(of(|_| {}, 2).contains("layer = 2"));
        assert!(of(|cfg| cfg.attn_only = true, 0).contains("no MLPs"));
        assert!(of(|cfg| cfg.act_fn = Activation::GeluNew, 0).contains("act_fn"));
    }
}
