//! The parts of a pass between the residual stream and what reads or writes it, one at a time.
//! `q, k, v` and the MLP's hidden units of any stream; what each head wrote to it.
//! Source: Elhage et al. 2021: heads and MLPs read and write one sum.

use super::edge::{Receiver, Sender};
use crate::error::Result;
use crate::model::blocks::Norm;
use crate::model::hooks::{ActivationCache, BlockPoint, Hook, HookName, NamesFilter, Run};
use crate::model::transformer::Transformer;
use candle_core::{DType, Tensor, Var};

impl Transformer {
    /// Queries, keys and values `[batch, pos, n_heads, d_head]` that a block would make of a stream
    /// `[batch, pos, d_model]`.
    pub(crate) fn qkv_of_stream(&self, x: &Tensor, layer: usize) -> Result<[Tensor; 3]> {
        let normed = self.ln1(layer)?.forward(x, &mut Run::unwatched())?;
        self.attention(layer)?.qkv(&normed)
    }

    /// What a block's MLP would write, `[batch, pos, d_model]`, having read a stream
    /// `[batch, pos, d_model]`.
    pub(crate) fn mlp_out_of_stream(&self, x: &Tensor, layer: usize) -> Result<Tensor> {
        let mut run = Run::unwatched();
        let normed = self.ln2(layer)?.forward(x, &mut run)?;
        match self.mlp(layer)?.forward(&normed, &mut run)? {
            Some(out) => Ok(out),
            None => Ok(x.zeros_like()?), // Only a run that keeps activations ends before.
        }
    }

    /// What each component wrote to the residual stream, in the order of [`Sender::all`],
    /// `[batch, pos, d_model]` each, in f32. The cache holds `hook_embed`, `hook_pos_embed`, and
    /// every `hook_z` and `hook_mlp_out`.
    pub(crate) fn written(&self, cache: &ActivationCache) -> Result<Vec<Tensor>> {
        let block = |layer, point| cache.at(HookName::Block { layer, point });
        let mut all = Vec::new();
        for sender in Sender::all(self.cfg()) {
            let written = match sender {
                Sender::Embed => cache.at(HookName::Embed)?,
                Sender::PosEmbed => cache.at(HookName::PosEmbed)?,
                Sender::Mlp { layer } => block(layer, BlockPoint::MlpOut)?,
                Sender::Head { layer, head } => {
                    let z = block(layer, BlockPoint::Z)?; // [batch, pos, n_heads, d_head]
                    let w_o = self.parameter(&format!("blocks.{layer}.attn.W_O"))?;
                    let w_o = w_o.get(head)?.to_dtype(DType::F32)?; // [d_head, d_model]
                    let z = z.narrow(2, head, 1)?.squeeze(2)?.to_dtype(DType::F32)?;
                    z.contiguous()?.broadcast_matmul(&w_o.contiguous()?)?
                }
            };
            all.push(written.to_dtype(DType::F32)?.contiguous()?);
        }
        Ok(all)
    }

    /// The gradient of a metric of the logits `[batch, pos, d_vocab]` with respect to what each
    /// receiver reads of the residual stream (before the norm), with nothing else changed, in the
    /// order of [`Receiver::all`]: `[batch, pos, d_model]` each, in f32.
    pub(crate) fn receiver_gradients(
        &self,
        tokens: &Tensor,
        hooks: &[Hook],
        metric: impl Fn(&Tensor) -> Result<Tensor>,
    ) -> Result<Vec<Tensor>> {
        use BlockPoint::{K, MlpPre, Q, ResidMid, ResidPost, ResidPre, V};
        let all = HookName::all(self.cfg());
        let of = |points: &[BlockPoint], others: &[HookName]| {
            let wanted = |name: &HookName| match name {
                HookName::Block { point, .. } => points.contains(point),
                other => others.contains(other),
            };
            NamesFilter::Names(all.iter().copied().filter(wanted).collect())
        };
        let at_inputs = of(&[Q, K, V, MlpPre], &[HookName::UnembedIn]);
        let (_, gradients) = self.activation_gradients(tokens, &at_inputs, hooks, metric)?;
        let streams = self.streams(tokens, hooks, &of(&[ResidPre, ResidMid, ResidPost], &[]))?;
        let mut found = Vec::new();
        for receiver in Receiver::all(self.cfg()) {
            let block = |layer, point| HookName::Block { layer, point };
            let head_input = |layer: usize, head: usize, point, part: &str| {
                let grad = gradients.at(block(layer, point))?.narrow(2, head, 1)?;
                let w = self.parameter(&format!("blocks.{layer}.attn.W_{part}"))?;
                let grad = through(&grad.squeeze(2)?, &w.get(head)?)?;
                let pre = streams.at(block(layer, ResidPre))?;
                norm_input_gradient(&self.without_gradients().ln1(layer)?, &pre, &grad)
            };
            found.push(match receiver {
                Receiver::Query { layer, head } => head_input(layer, head, Q, "Q")?,
                Receiver::Key { layer, head } => head_input(layer, head, K, "K")?,
                Receiver::Value { layer, head } => head_input(layer, head, V, "V")?,
                Receiver::Mlp { layer } => {
                    let w = self.parameter(&format!("blocks.{layer}.mlp.W_in"))?;
                    let grad = through(&gradients.at(block(layer, MlpPre))?, &w)?;
                    let mid = streams.at(block(layer, ResidMid))?;
                    norm_input_gradient(&self.without_gradients().ln2(layer)?, &mid, &grad)?
                }
                Receiver::Logits => {
                    let last = match self.cfg().n_layers {
                        0 => streams
                            .at(HookName::Embed)?
                            .add(&streams.at(HookName::PosEmbed)?)?,
                        n => streams.at(block(n - 1, ResidPost))?,
                    };
                    let grad = gradients.at(HookName::UnembedIn)?;
                    norm_input_gradient(&self.without_gradients().ln_final()?, &last, &grad)?
                }
            });
        }
        Ok(found)
    }

    /// The streams of a pass with hooks; the embeddings, too.
    fn streams(
        &self,
        tokens: &Tensor,
        hooks: &[Hook],
        keep: &NamesFilter,
    ) -> Result<ActivationCache> {
        let keep = match keep {
            NamesFilter::Names(names) => {
                let embeddings = [HookName::Embed, HookName::PosEmbed];
                NamesFilter::Names([names.as_slice(), &embeddings].concat())
            }
            NamesFilter::All => NamesFilter::All,
        };
        let model = self.without_gradients();
        let mut run = Run::hooked(hooks, self.cfg())?.keeping(&keep);
        let tokens = model.checked(tokens)?;
        model.residual(&tokens, None, &mut run)?;
        Ok(run.cache)
    }
}

/// The gradient of `x` from that of `x W`: `[batch, pos, d_out]` to `[batch, pos, d_in]`, f32.
fn through(grad: &Tensor, w: &Tensor) -> Result<Tensor> {
    let w = w.to_dtype(DType::F32)?.t()?.contiguous()?;
    let grad = grad.to_dtype(DType::F32)?.contiguous()?;
    Ok(grad.broadcast_matmul(&w)?)
}

/// The gradient of a norm's input from that of its output, f32.
fn norm_input_gradient(norm: &Norm, x: &Tensor, grad: &Tensor) -> Result<Tensor> {
    let grad = grad.to_dtype(DType::F32)?;
    if norm.0.is_none() {
        return Ok(grad);
    }
    let x = Var::from_tensor(x)?;
    let y = norm.forward(&x, &mut Run::unwatched())?;
    let product = (y.to_dtype(DType::F32)? * grad)?.sum_all()?;
    let gradient = match product.backward()?.remove(&x) {
        Some(gradient) => gradient.detach(),
        None => x.zeros_like()?,
    };
    Ok(gradient.to_dtype(DType::F32)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Normalization, TransformerConfig};
    use candle_core::{Device, IndexOp};

    fn model(normalization_type: Normalization) -> Transformer {
        let cfg = TransformerConfig {
            n_layers: 2,
            d_model: 8,
            n_heads: 2,
            d_mlp: 12,
            n_ctx: 6,
            d_vocab: 7,
            init_std: 0.4,
            normalization_type,
            ..TransformerConfig::default()
        };
        Transformer::new(&cfg).unwrap().without_gradients()
    }

    fn tokens() -> Tensor {
        Tensor::new(&[[3u32, 1, 4, 1]], &Device::Cpu).unwrap()
    }

    #[test]
    fn what_was_written_sums_to_the_stream_but_for_the_biases_of_attention() {
        let model = model(Normalization::Ln); // Fresh models have b_O = 0.
        let (_, cache) = model
            .run_with_cache_filtered(&tokens(), &NamesFilter::All, None)
            .unwrap();
        let parts = model.written(&cache).unwrap();
        assert_eq!(parts.len(), Sender::all(model.cfg()).len());
        let sum = parts[1..]
            .iter()
            .fold(parts[0].clone(), |sum, part| (sum + part).unwrap());
        let stream = cache.get("blocks.1.hook_resid_post").unwrap();
        let off = (sum - stream).unwrap().abs().unwrap().max_all().unwrap();
        assert!(off.to_scalar::<f32>().unwrap() < 1e-5);
    }

    #[test]
    fn gradients_of_what_is_read_sum_to_those_of_the_stream() {
        // All of block 1 and the logits read the stream that enters block 1: its gradient is the
        // sum of theirs.
        for norm in [Normalization::Ln, Normalization::None] {
            let model = model(norm);
            let metric = |logits: &Tensor| Ok(logits.i((0, 3, 2))?);
            let found = model.receiver_gradients(&tokens(), &[], metric).unwrap();
            let mut sum = Tensor::zeros((1, 4, 8), DType::F32, &Device::Cpu).unwrap();
            for (receiver, gradient) in Receiver::all(model.cfg()).iter().zip(&found) {
                if receiver.can_read(Sender::Mlp { layer: 0 }) {
                    sum = (sum + gradient).unwrap();
                }
            }
            let name = "blocks.1.hook_resid_pre";
            let (_, whole) = model
                .activation_gradients(&tokens(), &NamesFilter::only(name).unwrap(), &[], metric)
                .unwrap();
            let off = (sum - whole.get(name).unwrap()).unwrap().abs().unwrap();
            assert!(off.max_all().unwrap().to_scalar::<f32>().unwrap() < 1e-5);
        }
    }
}
