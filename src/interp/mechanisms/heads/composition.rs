//! How much each head reads of what each head of an earlier block writes.
//! `|OV_1 M|_F / (|OV_1|_F |M|_F)`, `M` = `QK_2` (Q), `QK_2^T` (K), `OV_2` (V).
//! Source: Elhage et al. 2021; TransformerLens' `all_composition_scores`.

use super::circuits::HeadFactors;
use crate::error::{Error, Result};
use crate::interp::mechanisms::input::{elements, head_label};
use crate::interp::order::largest_first;
use crate::model::Transformer;
use crate::show::{ChartOptions, ColorScale, Figure, Interrupts, heatmap_with_gaps, shows_itself};
use candle_core::Tensor;
use polars::prelude::{DataFrame, df};
use std::fmt;

/// Through which of its inputs the later head reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Composition {
    /// Its queries.
    Q,
    /// Its keys.
    K,
    /// Its values.
    V,
}

/// The composition of two heads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CompositionScore {
    /// The head that writes.
    pub from_layer: usize,
    pub from_head: usize,
    /// The head that reads, in a later block.
    pub to_layer: usize,
    pub to_head: usize,
    /// Between 0 and 1; NaN where one of the heads writes or reads nothing.
    pub score: f64,
}

/// The composition of every head with every head of a later block.
#[derive(Debug, Clone, PartialEq)]
pub struct CompositionScores {
    /// Through which input.
    pub composition: Composition,
    /// Blocks of the model.
    pub n_layers: usize,
    /// Heads of a block.
    pub n_heads: usize,
    /// Width of the residual stream.
    pub d_model: usize,
    /// By the block that writes, then by the block that reads, then by head.
    pub scores: Vec<CompositionScore>,
}

/// How much the heads of each block compose with those of each earlier one.
///
/// The circuits are those of [`ov_circuit`](super::ov_circuit) and
/// [`qk_circuit`](super::qk_circuit), norms folded in. Heads of random weights score about
/// `1 / sqrt(d_model)`, so that is what a score is to be compared with.
///
/// ```
/// use holoscope::interp::{Composition, composition_scores};
/// use holoscope::{config::TransformerConfig, model::Transformer};
/// let cfg = TransformerConfig { n_layers: 2, d_vocab: 11, d_mlp: 16, ..Default::default() };
/// let found = composition_scores(&Transformer::new(&cfg)?, Composition::K)?;
/// assert_eq!(found.scores.len(), 4 * 4);
/// # Ok::<(), holoscope::Error>(())
/// ```
///
/// # Errors
/// A model of fewer than two blocks; [`Error::Interrupted`].
pub fn composition_scores(
    model: &Transformer,
    composition: Composition,
) -> Result<CompositionScores> {
    let cfg = model.cfg();
    if cfg.n_layers < 2 {
        let rule = "must be at least 2: heads of one block do not read each other";
        return Err(Error::argument("n_layers", cfg.n_layers, rule));
    }
    let of_layers = |of: &dyn Fn(usize) -> Result<HeadFactors>| -> Result<Vec<Side>> {
        let sides = (0..cfg.n_layers).map(|layer| Side::new(of(layer)?));
        sides.collect()
    };
    let writers = of_layers(&|layer| HeadFactors::ov(model, layer))?;
    let readers = of_layers(&|layer| match composition {
        Composition::Q => HeadFactors::qk(model, layer),
        Composition::K => HeadFactors::qk(model, layer)?.transposed(),
        Composition::V => HeadFactors::ov(model, layer),
    })?;
    let interrupts = Interrupts::listen();
    let mut scores = Vec::new();
    for (from_layer, writer) in writers.iter().enumerate() {
        for (to_layer, reader) in readers.iter().enumerate().skip(from_layer + 1) {
            interrupts.check("the composition scores")?;
            let of_pairs = writer.composed(reader)?; // [n_heads * n_heads]
            scores.extend(
                of_pairs
                    .into_iter()
                    .enumerate()
                    .map(|(i, score)| CompositionScore {
                        from_layer,
                        from_head: i / cfg.n_heads,
                        to_layer,
                        to_head: i % cfg.n_heads,
                        score,
                    }),
            );
        }
    }
    Ok(CompositionScores {
        composition,
        n_layers: cfg.n_layers,
        n_heads: cfg.n_heads,
        d_model: cfg.d_model,
        scores,
    })
}

/// The circuit `A B` of every head of a block, with what its products need.
struct Side {
    factors: HeadFactors,
    /// `A^T A`, `[n_heads, d_head, d_head]`.
    left_gram: Tensor,
    /// `B B^T`, `[n_heads, d_head, d_head]`.
    right_gram: Tensor,
    /// `|A B|_F`. `[n_heads]`
    norms: Vec<f64>,
}

impl Side {
    fn new(factors: HeadFactors) -> Result<Self> {
        let (a, b) = (&factors.a, &factors.b);
        let left_gram = a.transpose(1, 2)?.contiguous()?.matmul(a)?;
        let right_gram = b.matmul(&b.transpose(1, 2)?.contiguous()?)?;
        let squares = elements(&(&left_gram * &right_gram)?.sum((1, 2))?)?;
        Ok(Self {
            norms: squares.iter().map(|&s| f64::from(s).sqrt()).collect(),
            left_gram,
            right_gram,
            factors,
        })
    }

    /// The score of each head of this block with each of `reader`, `[n_heads * n_heads]`.
    ///
    /// `|A_1 B_1 A_2 B_2|_F^2 = sum (A_1^T A_1 M) * (M B_2 B_2^T)` with `M = B_1 A_2`.
    fn composed(&self, reader: &Side) -> Result<Vec<f64>> {
        let (n, d_head, d_model) = self.factors.b.dims3()?;
        let width = n * d_head;
        let b_1 = self.factors.b.reshape((width, d_model))?;
        let a_2 = reader.factors.a.transpose(0, 1)?.contiguous()?; // [d_model, n, d_head]
        let m = b_1.matmul(&a_2.reshape((d_model, width))?)?; // [n * d_head, n * d_head]
        let left = self.left_gram.matmul(&m.reshape((n, d_head, width))?)?;
        let by_reader = m.reshape((width, n, d_head))?.transpose(0, 1)?;
        let right = by_reader.contiguous()?.matmul(&reader.right_gram)?; // [n, n * d_head, d_head]
        let right = right.transpose(0, 1)?.contiguous()?; // [n * d_head, n, d_head]
        let products =
            (left.reshape((n, d_head, n, d_head))? * right.reshape((n, d_head, n, d_head))?)?;
        let squares = elements(&products.sum((1, 3))?)?; // [n, n]
        let scores = squares.into_iter().enumerate().map(|(i, square)| {
            let square = f64::from(square);
            // Rounding can leave 0 at -1e-12; NaN stays NaN.
            let norm = if square < 0.0 { 0.0 } else { square.sqrt() };
            norm / (self.norms[i / n] * reader.norms[i % n])
        });
        Ok(scores.collect())
    }
}

impl fmt::Display for Composition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Composition::Q => "Q-composition",
            Composition::K => "K-composition",
            Composition::V => "V-composition",
        })
    }
}

impl CompositionScores {
    /// The pair of heads of the highest score, NaN left out.
    ///
    /// # Errors
    /// [`Error::Argument`] where no score is a number.
    pub fn highest(&self) -> Result<CompositionScore> {
        let scores = self.scores.iter().filter(|s| !s.score.is_nan());
        let highest = scores.max_by(|a, b| a.score.total_cmp(&b.score)).copied();
        let reason = "none is a number: no head writes or reads anything";
        highest.ok_or_else(|| Error::argument("composition scores", self.scores.len(), reason))
    }

    /// What random weights score, about: `1 / sqrt(d_model)`.
    pub fn baseline(&self) -> f64 {
        1.0 / (self.d_model as f64).sqrt()
    }

    /// How many pairs have no score, which is then NaN.
    fn undefined(&self) -> usize {
        self.scores.iter().filter(|s| s.score.is_nan()).count()
    }

    /// One row a pair of heads: `from_layer`, `from_head`, `to_layer`, `to_head`, `score`.
    ///
    /// # Errors
    /// [`Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        let of = |part: fn(&CompositionScore) -> usize| -> Vec<u32> {
            self.scores.iter().map(|s| part(s) as u32).collect()
        };
        Ok(df![
            "from_layer" => of(|s| s.from_layer),
            "from_head" => of(|s| s.from_head),
            "to_layer" => of(|s| s.to_layer),
            "to_head" => of(|s| s.to_head),
            "score" => self.scores.iter().map(|s| s.score).collect::<Vec<f64>>(),
        ]?)
    }

    /// The heads that write down, those that read across; a cell is empty where the second head is not of
    /// a later block, and where one of the heads writes or reads nothing, so that the score is not defined.
    ///
    /// # Errors
    /// When no score is defined.
    pub fn heatmap(&self) -> Result<Figure> {
        let n = (self.n_layers - 1) * self.n_heads;
        let mut rows = vec![vec![None; n]; n];
        for s in &self.scores {
            let column = (s.to_layer - 1) * self.n_heads + s.to_head;
            rows[s.from_layer * self.n_heads + s.from_head][column] =
                (!s.score.is_nan()).then_some(s.score);
        }
        let name = |i: usize| head_label(i / self.n_heads, i % self.n_heads);
        let writers: Vec<String> = (0..n).map(name).collect();
        let readers: Vec<String> = (0..n).map(|i| name(i + self.n_heads)).collect();
        let title = format!("{} of heads", self.composition);
        let mut caption = format!(
            "Random weights score about {:.3}. Empty: the head that reads is not in a later block",
            self.baseline()
        );
        let (undefined, n) = (self.undefined(), self.scores.len());
        if undefined > 0 {
            caption += &format!(
                "; or the score is NaN, as where a head writes or reads nothing: {undefined} of {n} pairs"
            );
        }
        caption.push('.');
        let options = ChartOptions {
            z_label: "score".to_owned(),
            ..ChartOptions::new(&title, "reads", "writes").caption(caption)
        };
        heatmap_with_gaps(&rows, &readers, &writers, ColorScale::Sequential, &options)
    }
}

impl fmt::Display for CompositionScores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (n, baseline) = (self.scores.len(), self.baseline());
        write!(f, "{} of {n} pairs of heads", self.composition)?;
        let best = self
            .scores
            .iter()
            .filter(|s| !s.score.is_nan())
            .min_by(|a, b| largest_first(a.score, b.score));
        if let Some(best) = best {
            let from = head_label(best.from_layer, best.from_head);
            let to = head_label(best.to_layer, best.to_head);
            write!(f, ", highest {:.3}, {from} to {to}", best.score)?;
        }
        let undefined = self.undefined();
        if undefined > 0 {
            write!(f, "; {undefined} without a score (NaN)")?;
        }
        write!(f, "; random weights score about {baseline:.3}")
    }
}

shows_itself!(CompositionScores, |it| it.heatmap()?);

#[cfg(test)]
mod tests {
    use super::super::{FactoredMatrix, ov_circuit, qk_circuit};
    use super::*;
    use crate::config::TransformerConfig;
    use crate::interp::mechanisms::testing::{random_model, small_config, values};
    use crate::show::Show;

    const D: usize = 8;

    fn full(m: FactoredMatrix) -> Vec<f64> {
        values(&m.product().unwrap())
    }

    fn norm(m: &[f64]) -> f64 {
        m.iter().map(|x| x * x).sum::<f64>().sqrt()
    }

    /// Row i of `a` times column j of `b`, or row j of it where `transposed`.
    fn product(a: &[f64], b: &[f64], transposed: bool) -> Vec<f64> {
        let entry = |i: usize, j: usize| match transposed {
            false => (0..D).map(|k| a[i * D + k] * b[k * D + j]).sum::<f64>(),
            true => (0..D).map(|k| a[i * D + k] * b[j * D + k]).sum::<f64>(),
        };
        (0..D * D).map(|i| entry(i / D, i % D)).collect()
    }

    #[test]
    fn scores_are_those_of_the_matrices_multiplied_out() {
        let model = random_model(&small_config());
        for composition in [Composition::Q, Composition::K, Composition::V] {
            let found = composition_scores(&model, composition).unwrap();
            assert_eq!(found.scores.len(), 3 * 2 * 2); // three pairs of blocks
            for s in &found.scores {
                let ov = full(ov_circuit(&model, s.from_layer, s.from_head).unwrap());
                let (reads, transposed) = match composition {
                    Composition::Q => (qk_circuit(&model, s.to_layer, s.to_head), false),
                    Composition::K => (qk_circuit(&model, s.to_layer, s.to_head), true),
                    Composition::V => (ov_circuit(&model, s.to_layer, s.to_head), false),
                };
                let reads = full(reads.unwrap());
                let wanted = norm(&product(&ov, &reads, transposed)) / (norm(&ov) * norm(&reads));
                assert!((s.score - wanted).abs() < 1e-5, "{s:?} {wanted}");
            }
        }
    }

    #[test]
    fn random_weights_score_about_the_baseline() {
        let model = Transformer::new(&TransformerConfig {
            n_layers: 2,
            d_model: 128,
            d_vocab: 11,
            ..TransformerConfig::default()
        });
        let found = composition_scores(&model.unwrap(), Composition::Q).unwrap();
        let mean = found.scores.iter().map(|s| s.score).sum::<f64>() / 16.0;
        assert!((mean / found.baseline() - 1.0).abs() < 0.1, "{mean}");
    }

    #[test]
    fn a_pair_of_heads_has_a_row_and_a_cell() {
        let model = random_model(&small_config());
        let mut found = composition_scores(&model, Composition::V).unwrap();
        assert_eq!(found.frame().unwrap().shape(), (12, 5));
        // Four heads write and four read; those of block 1 do not read each other.
        let svg = found.heatmap().unwrap().svg;
        assert_eq!(svg.matches("<title>L").count(), 12, "{svg}");
        assert!(!svg.contains("NaN"), "{svg}");

        // The best, so that another takes its place in the text.
        let best = (0..12).max_by(|&a, &b| found.scores[a].score.total_cmp(&found.scores[b].score));
        found.scores[best.unwrap()].score = f64::NAN;
        let second = found.scores.iter().map(|s| s.score).fold(0.0, f64::max);
        let text = found.to_string();
        assert!(text.contains(&format!("highest {second:.3}")), "{text}");
        assert!(text.contains("; 1 without a score (NaN)"), "{text}");
        let bundle = found.mime_bundle().unwrap();
        let svg = bundle.get("image/svg+xml").unwrap();
        assert_eq!(svg.matches("<title>L").count(), 11, "{svg}");
        assert!(!svg.contains(">NaN<") && svg.contains("1 of 12"), "{svg}");
    }

    #[test]
    fn one_block_composes_with_nothing() {
        let model = random_model(&TransformerConfig {
            n_layers: 1,
            ..small_config()
        });
        let error = composition_scores(&model, Composition::Q).unwrap_err();
        assert!(error.to_string().contains("n_layers = 1"), "{error}");
    }
}
