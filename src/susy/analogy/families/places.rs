//! Where a network holds families: heads of a layer, the two sides of a head or an MLP, blocks of
//! dictionary features. LayerNorm is folded in: `x L = (x - mean x) diag(ln.w) W_V`.
//! Source: ours; folding as in TransformerLens' `fold_layer_norm` and `center_writing_weights`.

use crate::config::Activation;
use crate::error::{Error, Result};
use crate::model::Transformer;
use crate::sae::SparseAutoencoder;
use crate::susy::analogy::{Family, Gauge, RealMatrix};
use candle_core::Tensor;

impl Family {
    /// The heads of a layer as colours: `L_I = C diag(ln1.w) W_V^I`, `R_I = W_O^I C^T`.
    ///
    /// LayerNorm subtracts the mean of its input, so nothing reads the direction (1, ..., 1) of the
    /// residual stream: C is an orthonormal basis of its complement, and d = d_model - 1. Without this
    /// step that direction would be common to all colours, and to no control. LayerNorm's division by
    /// its input's norm is left out, as it is a number and not a map; biases shift, and are left out.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a layer that the model does not have.
    pub fn of_heads(model: &Transformer, layer: usize) -> Result<Family> {
        let basis = centring_basis(model.cfg().d_model);
        let (mut l, mut r) = (Vec::new(), Vec::new());
        for head in 0..model.cfg().n_heads {
            let [w_v, w_o] = head_maps(model, layer, head, &basis)?;
            l.push(w_v);
            r.push(w_o);
        }
        Family::new(&format!("heads of layer {layer}"), l, r, Gauge::PerColour)
    }

    /// The two sides of one head, `L_1 = C diag(ln1.w) W_V`, `L_2 = (W_O C^T)^T`, whose map `L_1 R_2` is
    /// what the head copies from one position to another; see [`Family::of_heads`].
    ///
    /// # Errors
    /// [`Error::NotFound`] for a layer, [`Error::Argument`] for a head, that is not there.
    pub fn of_head(model: &Transformer, layer: usize, head: usize) -> Result<Family> {
        let basis = centring_basis(model.cfg().d_model);
        let [w_v, w_o] = head_maps(model, layer, head, &basis)?;
        Family::in_out(
            &format!("head {layer}.{head}"),
            w_v,
            &w_o,
            Gauge::Contragredient,
        )
    }

    /// The two sides of an MLP, `L_1 = C diag(ln2.w) W_in`, `L_2 = (W_out C^T)^T`. The latent basis is
    /// that of the hidden units, up to their order and, for ReLU, positive scales.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a layer that the model does not have, or a model without MLPs.
    pub fn of_mlp(model: &Transformer, layer: usize) -> Result<Family> {
        let basis = centring_basis(model.cfg().d_model);
        let at = |name: &str| format!("blocks.{layer}.{name}");
        let norm = norm_weight(model, &at("ln2"))?;
        let w_in = read_matrix(&at("mlp.W_in"), &model.parameter(&at("mlp.W_in"))?)?;
        let w_out = read_matrix(&at("mlp.W_out"), &model.parameter(&at("mlp.W_out"))?)?;
        let gauge = Gauge::HiddenUnits {
            scales: model.cfg().act_fn == Activation::Relu,
        };
        let l = folded(&w_in, &norm, &basis);
        Family::in_out(
            &format!("MLP of layer {layer}"),
            l,
            &w_out.times(&basis),
            gauge,
        )
    }

    /// Blocks of dictionary features as colours: `L_I = W_enc[:, block]`, `R_I = W_dec[block, :]`.
    ///
    /// `blocks` holds the features of each block, N blocks of one size;
    /// [`feature_blocks`](super::super::feature_blocks) finds them. The basis is that of the autoencoder's activations, nothing is folded.
    ///
    /// # Errors
    /// Blocks of different sizes, a feature that is not there or in two places.
    pub fn of_features(
        name: &str,
        sae: &dyn SparseAutoencoder,
        blocks: &[Vec<usize>],
    ) -> Result<Family> {
        let w_enc = RealMatrix::from_tensor("W_enc", &sae.w_enc())?; // [d_in, d_sae]
        let w_dec = RealMatrix::from_tensor("W_dec", &sae.w_dec())?; // [d_sae, d_in]
        let mut seen = vec![false; sae.d_sae()];
        for &feature in blocks.iter().flatten() {
            match seen.get_mut(feature) {
                Some(used) if !*used => *used = true,
                Some(_) => {
                    return Err(Error::argument("feature", feature, "is in two places"));
                }
                None => {
                    let reason = format!("the autoencoder has {}", sae.d_sae());
                    return Err(Error::argument("feature", feature, reason));
                }
            }
        }
        let w_dec_t = w_dec.transpose();
        let l = blocks.iter().map(|block| w_enc.permuted_columns(block));
        let r = blocks
            .iter()
            .map(|block| w_dec_t.permuted_columns(block).transpose());
        Family::new(name, l.collect(), r.collect(), Gauge::Features)
    }
}

/// The token embedding in the basis of [`Family::of_heads`], `[d_vocab, d_model - 1]`, for
/// [`aligned_generators`](super::super::aligned_generators).
///
/// # Errors
/// Entries that are not finite.
pub fn centred_embedding(model: &Transformer) -> Result<RealMatrix> {
    let w_e = read_matrix("embed.W_E", &model.parameter("embed.W_E")?)?;
    Ok(w_e.times(&centring_basis(model.cfg().d_model)))
}

/// An orthonormal basis of what sums to 0, as columns, `[d, d - 1]` (Helmert's).
fn centring_basis(d: usize) -> RealMatrix {
    RealMatrix::from_entries(d, d.saturating_sub(1), |i, j| {
        let n = (j + 1) as f64;
        let size = (n * (n + 1.0)).sqrt();
        match i.cmp(&(j + 1)) {
            std::cmp::Ordering::Less => 1.0 / size,
            std::cmp::Ordering::Equal => -n / size,
            std::cmp::Ordering::Greater => 0.0,
        }
    })
}

/// `C diag(w) W` for W `[d_model, k]`: `[d_model - 1, k]`.
fn folded(w: &RealMatrix, norm: &[f64], basis: &RealMatrix) -> RealMatrix {
    basis.transpose().scaled_columns(norm).times(w)
}

/// `C diag(ln1.w) W_V` `[d, d_head]` and `W_O C^T` `[d_head, d]`.
fn head_maps(
    model: &Transformer,
    layer: usize,
    head: usize,
    basis: &RealMatrix,
) -> Result<[RealMatrix; 2]> {
    let n_heads = model.cfg().n_heads;
    if head >= n_heads {
        return Err(Error::argument(
            "head",
            head,
            format!("the model has {n_heads} a layer"),
        ));
    }
    let at = |name: &str| format!("blocks.{layer}.{name}");
    let norm = norm_weight(model, &at("ln1"))?;
    let of_head = |name: &str| -> Result<RealMatrix> {
        read_matrix(&at(name), &model.parameter(&at(name))?.get(head)?)
    };
    let w_v = of_head("attn.W_V")?; // [d_model, d_head]
    let w_o = of_head("attn.W_O")?; // [d_head, d_model]
    Ok([folded(&w_v, &norm, basis), w_o.times(basis)])
}

fn norm_weight(model: &Transformer, prefix: &str) -> Result<Vec<f64>> {
    let weight = model.norm_weight(prefix)?;
    let row = read_matrix(&format!("{prefix}.w"), &weight.unsqueeze(0)?)?;
    Ok(row.entries().to_vec())
}

fn read_matrix(name: &str, tensor: &Tensor) -> Result<RealMatrix> {
    RealMatrix::from_tensor(name, tensor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TransformerConfig;
    use crate::model::NamesFilter;
    use crate::sae::StandardSae;
    use candle_core::{DType, Device};
    use std::collections::BTreeMap;

    /// A model whose LayerNorm weights are not 1.
    fn model(act_fn: Activation) -> Transformer {
        let cfg = TransformerConfig {
            d_vocab: 11,
            d_model: 8,
            n_heads: 2,
            d_mlp: 16,
            act_fn,
            init_std: 0.3,
            ..Default::default()
        };
        let model = Transformer::new(&cfg).unwrap();
        let tensors: BTreeMap<String, Tensor> = model
            .named_parameters()
            .into_iter()
            .map(|(name, var)| {
                let value = var.as_detached_tensor();
                let shift = if name.ends_with(".w") { 0.1 } else { 0.0 };
                let ramp = Tensor::arange(0f32, value.elem_count() as f32, &Device::Cpu).unwrap();
                let ramp = (ramp * shift).unwrap().reshape(value.shape()).unwrap();
                (name, (value + ramp).unwrap())
            })
            .collect();
        Transformer::from_parameters(&cfg, &tensors).unwrap()
    }

    #[test]
    fn the_basis_is_orthonormal_and_centred() {
        let c = centring_basis(7);
        let defect = c.transpose().times(&c).plus(-1.0, &RealMatrix::identity(6));
        assert!(defect.norm_sqr() < 1e-28);
        let ones = RealMatrix::from_entries(1, 7, |_, _| 1.0);
        assert!(ones.times(&c).norm_sqr() < 1e-28);
    }

    /// The map of the model itself: what a head reads of a normalised residual stream. A position's
    /// value is `LN(x) W_V + b_V`; times W_O and centred it must be `(x C) L R`, divided by LN's scale.
    #[test]
    fn a_heads_map_is_what_the_model_computes() {
        let model = model(Activation::GeluNew);
        let tokens = Tensor::new(&[[1u32, 5, 3]], &Device::Cpu).unwrap();
        let (_, cache) = model
            .run_with_cache_filtered(&tokens, &NamesFilter::All, None)
            .unwrap();
        let get = |name: &str| cache.get(name).unwrap().get(0).unwrap();
        let basis = centring_basis(8);
        let x = read_matrix("x", &get("blocks.0.hook_resid_pre"))
            .unwrap()
            .times(&basis);
        let scale = read_matrix("scale", &get("blocks.0.ln1.hook_scale")).unwrap();
        for head in 0..2 {
            let v = get("blocks.0.attn.hook_v")
                .narrow(1, head, 1)
                .unwrap()
                .squeeze(1)
                .unwrap();
            // LN's bias and b_V are 0 in a fresh model.
            let w_o = model
                .parameter("blocks.0.attn.W_O")
                .unwrap()
                .get(head)
                .unwrap();
            let written = v.to_dtype(DType::F32).unwrap().matmul(&w_o).unwrap();
            let written = read_matrix("written", &written).unwrap().times(&basis);
            let family = Family::of_head(&model, 0, head).unwrap();
            let ours = x.times(&family.maps()[0]);
            let ours = RealMatrix::from_entries(3, 7, |i, j| ours.entry(i, j) / scale.entry(i, 0));
            let error = ours.plus(-1.0, &written).norm_sqr() / written.norm_sqr();
            assert!(error < 1e-10, "{error}");
            let heads = Family::of_heads(&model, 0).unwrap();
            assert_eq!(heads.maps()[head], family.maps()[0]);
        }
    }

    #[test]
    fn an_mlps_gauge_depends_on_its_nonlinearity() {
        for (act_fn, scales) in [(Activation::Relu, true), (Activation::GeluNew, false)] {
            let family = Family::of_mlp(&model(act_fn), 0).unwrap();
            assert_eq!(family.gauge(), Gauge::HiddenUnits { scales });
            assert_eq!((family.d(), family.k()), (7, 16));
            // Without the mean, W_in W_out has full rank in this basis, so the defects exist.
            assert!(family.garden_defect().unwrap().bosonic.is_some());
        }
        let model = model(Activation::Relu);
        assert!(Family::of_mlp(&model, 3).is_err());
        assert!(Family::of_head(&model, 0, 2).is_err());
        assert_eq!(centred_embedding(&model).unwrap().shape(), [11, 7]);
    }

    #[test]
    fn blocks_of_features_are_columns_and_rows() {
        let numbers = |rows: usize, columns: usize| {
            let n = (rows * columns) as f32;
            let flat = Tensor::arange(1f32, n + 1.0, &Device::Cpu).unwrap();
            flat.reshape((rows, columns)).unwrap()
        };
        let zeros = |n: usize| Tensor::zeros(n, DType::F32, &Device::Cpu).unwrap();
        let sae = StandardSae::new(numbers(2, 4), zeros(4), numbers(4, 2), zeros(2)).unwrap();
        let family = Family::of_features("f", &sae, &[vec![3, 0], vec![1, 2]]).unwrap();
        assert_eq!(family.l()[0].entries(), [4.0, 1.0, 8.0, 5.0]);
        assert_eq!(family.r()[1].entries(), [3.0, 4.0, 5.0, 6.0]);
        assert!(Family::of_features("f", &sae, &[vec![0], vec![0]]).is_err());
        assert!(Family::of_features("f", &sae, &[vec![4]]).is_err());
        assert!(Family::of_features("f", &sae, &[vec![0, 1], vec![2]]).is_err());
    }
}
