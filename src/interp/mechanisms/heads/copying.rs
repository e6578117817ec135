//! Which heads copy: whether attending to a token makes that token more likely.
//! `score = sum lambda / sum |lambda|` over the eigenvalues of `W_E W_V W_O W_U`: 1 copies, -1 suppresses.
//! Source: Elhage et al. 2021; the full OV copying score of TransformerLens' main demo.

use super::circuits::HeadFactors;
use crate::config::Normalization;
use crate::error::{Error, Result};
use crate::interp::mechanisms::input::{elements, head_label, plain};
use crate::interp::order::largest_first;
use crate::linear_algebra::RealMatrix;
use crate::model::Transformer;
use crate::show::{ChartOptions, ColorScale, Figure, Interrupts, heatmap, shows_itself};
use candle_core::Tensor;
use polars::prelude::{DataFrame, df};
use std::fmt;

/// The copying score of one head.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CopyingScore {
    /// The block.
    pub layer: usize,
    /// The head of the block.
    pub head: usize,
    /// Between -1 and 1; NaN for a head that writes nothing, or whose weights are not finite.
    pub score: f64,
}

/// The copying scores of every head of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct CopyingScores {
    /// By layer, then by head.
    pub scores: Vec<CopyingScore>,
}

/// The copying score of every head: how positive the eigenvalues of its full OV circuit,
/// `W_E W_V W_O W_U` `[d_vocab, d_vocab]`, are.
///
/// The circuits are those of [`ov_circuit`](super::ov_circuit); the final norm's weight is multiplied
/// into `W_U`, and the mean over the vocabulary, which the softmax does not see, is removed from it.
/// Eigenvalues are those of `W_O W_U W_E W_V`, `[d_head, d_head]`: the others are 0. Position
/// embeddings, MLPs and the heads of other blocks are left out.
///
/// ```
/// use holoscope::{config::TransformerConfig, interp::copying_scores, model::Transformer};
/// let cfg = TransformerConfig { d_vocab: 50, d_mlp: 16, ..Default::default() };
/// let found = copying_scores(&Transformer::new(&cfg)?)?;
/// assert!(found.scores.iter().all(|s| s.score.abs() <= 1.0));
/// # Ok::<(), holoscope::Error>(())
/// ```
///
/// # Errors
/// A model without blocks; [`Error::Interrupted`].
pub fn copying_scores(model: &Transformer) -> Result<CopyingScores> {
    let cfg = model.cfg();
    if cfg.n_layers == 0 {
        return Err(Error::argument("n_layers", 0, "the model has no heads"));
    }
    let (n_heads, d_head, d_model) = (cfg.n_heads, cfg.d_head(), cfg.d_model);
    let between = unembed_embed(model)?; // [d_model, d_model]
    let interrupts = Interrupts::listen();
    let mut scores = Vec::new();
    for layer in 0..cfg.n_layers {
        let HeadFactors { a, b } = HeadFactors::ov(model, layer)?;
        let b = b.reshape((n_heads * d_head, d_model))?.matmul(&between)?;
        let cores = b.reshape((n_heads, d_head, d_model))?.matmul(&a)?; // [n_heads, d_head, d_head]
        for (head, core) in elements(&cores)?.chunks(d_head * d_head).enumerate() {
            interrupts.check("the copying scores")?;
            scores.push(CopyingScore {
                layer,
                head,
                score: positive_share(core, d_head)?,
            });
        }
    }
    Ok(CopyingScores { scores })
}

/// `W_U W_E`, `[d_model, d_model]`: from what is written to the stream to the embeddings of the
/// tokens that it makes likely.
fn unembed_embed(model: &Transformer) -> Result<Tensor> {
    let w_u = plain(&model.parameter("unembed.W_U")?)?; // [d_model, d_vocab]
    let w_u = w_u.broadcast_sub(&w_u.mean_keepdim(1)?)?;
    let w_u = match model.cfg().normalization_type {
        Normalization::None => w_u,
        _ => {
            let weight = plain(&model.norm_weight("ln_final")?)?;
            w_u.broadcast_mul(&weight.unsqueeze(1)?)?
        }
    };
    Ok(w_u.matmul(&plain(&model.parameter("embed.W_E")?)?)?)
}

/// The sum of the eigenvalues of a matrix `[n, n]` over the sum of their absolute values.
fn positive_share(matrix: &[f32], n: usize) -> Result<f64> {
    if matrix.iter().any(|x| !x.is_finite()) {
        return Ok(f64::NAN);
    }
    let matrix: Vec<f64> = matrix.iter().map(|&x| f64::from(x)).collect();
    let found = RealMatrix::of(n, n, matrix).eigenvalues()?;
    let sum: f64 = found.iter().map(|e| e.re).sum();
    Ok(sum / found.iter().map(|e| e.norm()).sum::<f64>())
}

impl CopyingScores {
    /// The score of one head.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a head that the model does not have.
    pub fn of(&self, layer: usize, head: usize) -> Result<f64> {
        let all = || self.scores.iter();
        let found = all().find(|s| (s.layer, s.head) == (layer, head));
        found.map(|s| s.score).ok_or_else(|| Error::NotFound {
            kind: "head",
            name: head_label(layer, head),
            known: all().map(|s| head_label(s.layer, s.head)).collect(),
        })
    }

    /// One row a head: `layer`, `head`, `copying`.
    ///
    /// # Errors
    /// [`Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        Ok(df![
            "layer" => self.scores.iter().map(|s| s.layer as u32).collect::<Vec<u32>>(),
            "head" => self.scores.iter().map(|s| s.head as u32).collect::<Vec<u32>>(),
            "copying" => self.scores.iter().map(|s| s.score).collect::<Vec<f64>>(),
        ]?)
    }

    /// The scores, layers down and heads across.
    ///
    /// # Errors
    /// When no score is finite.
    pub fn heatmap(&self) -> Result<Figure> {
        let layers = self.scores.chunk_by(|a, b| a.layer == b.layer);
        let rows: Vec<Vec<f64>> = layers
            .map(|layer| layer.iter().map(|s| s.score).collect())
            .collect();
        let options = ChartOptions {
            z_label: "copying score".to_owned(),
            ..ChartOptions::new("Copying score of each head", "head", "layer")
        };
        heatmap(&rows, &[], &[], ColorScale::Diverging, &options)
    }
}

impl fmt::Display for CopyingScores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "copying scores of {} heads", self.scores.len())?;
        let best = self
            .scores
            .iter()
            .min_by(|a, b| largest_first(a.score, b.score));
        if let Some(best) = best {
            let head = head_label(best.layer, best.head);
            write!(f, ", highest {:.3}, {head}", best.score)?;
        }
        Ok(())
    }
}

shows_itself!(CopyingScores, |it| it.heatmap()?);

#[cfg(test)]
mod tests {
    use super::super::ov_circuit;
    use super::*;
    use crate::config::TransformerConfig;
    use crate::interp::mechanisms::testing::{parameter, random_model, small_config, values};
    use crate::show::Show;
    use candle_core::Device;
    use std::collections::BTreeMap;

    /// One head of width four over four tokens whose embeddings are the unit vectors: its full OV
    /// circuit is `W_O`.
    fn copier(w_o: [[f32; 4]; 4]) -> f64 {
        let cfg = TransformerConfig {
            n_layers: 1,
            d_model: 4,
            n_heads: 1,
            d_vocab: 4,
            attn_only: true,
            normalization_type: Normalization::None,
            ..TransformerConfig::default()
        };
        let model = Transformer::new(&cfg).unwrap();
        let mut parameters: BTreeMap<String, Tensor> = BTreeMap::new();
        let unit: Vec<f32> = (0..16).map(|i| f32::from(u8::from(i % 5 == 0))).collect();
        for (name, value) in model.named_parameters() {
            let of = match name.as_str() {
                "embed.W_E" | "unembed.W_U" | "blocks.0.attn.W_V" => unit.clone(),
                "blocks.0.attn.W_O" => w_o.concat(),
                _ => vec![0.0; value.elem_count()],
            };
            let of = Tensor::from_vec(of, value.shape(), &Device::Cpu).unwrap();
            parameters.insert(name, of);
        }
        let model = Transformer::from_parameters(&cfg, &parameters).unwrap();
        copying_scores(&model).unwrap().scores[0].score
    }

    #[test]
    fn a_copy_scores_one_its_negative_minus_one_and_a_cycle_between() {
        let matrix = |of: fn(usize, usize) -> f32| {
            let row = |i: usize| [0, 1, 2, 3].map(|j| of(i, j));
            [0, 1, 2, 3].map(row)
        };
        let same = |i: usize, j: usize| f32::from(u8::from(i == j));
        // The mean over the vocabulary is removed: 1, 1, 1 and 0 for a copy.
        assert!((copier(matrix(same)) - 1.0).abs() < 1e-6);
        assert!((copier(matrix(|i, j| -f32::from(u8::from(i == j)))) + 1.0).abs() < 1e-6);
        // The roots of unity but for 1, whose vector is constant: -1, i and -i.
        let next = |i: usize, j: usize| f32::from(u8::from((i + 1) % 4 == j));
        assert!((copier(matrix(next)) + 1.0 / 3.0).abs() < 1e-6);
        assert!(copier([[0.0; 4]; 4]).is_nan());
        assert!(copier([[f32::NAN; 4]; 4]).is_nan());
    }

    #[test]
    fn the_scores_are_those_of_the_whole_matrix_over_the_vocabulary() {
        let model = random_model(&small_config());
        let (d, v) = (8, 11);
        let (w_e, w_u) = (
            parameter(&model, "embed.W_E"),
            parameter(&model, "unembed.W_U"),
        );
        let w = parameter(&model, "ln_final.w");
        let found = copying_scores(&model).unwrap();
        assert_eq!(found.scores.len(), 6);
        for s in &found.scores {
            let ov = ov_circuit(&model, s.layer, s.head)
                .unwrap()
                .product()
                .unwrap();
            let ov = values(&ov);
            let read = |i: usize, t: usize| {
                let row = &w_u[i * v..][..v];
                w[i] * (row[t] - row.iter().sum::<f64>() / v as f64)
            };
            let entry = |from: usize, to: usize| -> f64 {
                (0..d * d)
                    .map(|ij| w_e[from * d + ij / d] * ov[ij] * read(ij % d, to))
                    .sum()
            };
            let whole: Vec<f32> = (0..v * v).map(|i| entry(i / v, i % v) as f32).collect();
            // The seven eigenvalues that are 0 come out as small as rounding leaves them.
            let wanted = positive_share(&whole, v).unwrap();
            assert!((s.score - wanted).abs() < 1e-3, "{s:?} {wanted}");
        }
        assert_eq!(found.frame().unwrap().shape(), (6, 3));
        assert!(found.mime_bundle().unwrap().get("image/svg+xml").is_some());
    }

    #[test]
    fn a_model_without_blocks_has_no_scores() {
        let model = random_model(&TransformerConfig {
            n_layers: 0,
            ..small_config()
        });
        assert!(copying_scores(&model).is_err());
    }
}
