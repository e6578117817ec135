//! Which pairs of heads match prefixes by their weights: a later head's query of a token finds, among
//! the keys that an earlier head makes of tokens, that of the same token.
//! `M = W_E QK_2 (W_E OV_1)^T`, `[query token, key token]`; the share of rows whose largest entry is on
//! the diagonal. Source: Elhage et al. 2021, "K-composition" and the QK circuit of induction heads.

use super::super::mechanisms::{FactoredMatrix, ov_circuit, qk_circuit};
use crate::error::{Error, Result};
use crate::model::Transformer;
use crate::show::{
    ChartOptions, ColorScale, Figure, Interrupts, MimeBundle, Show, heatmap, shows_itself,
};
use candle_core::{DType, Device, Tensor};
use polars::prelude::{DataFrame, df};
use std::fmt;

/// Entries of the matrix that are in memory at once.
const ENTRIES_PER_PASS: usize = 1 << 22;

/// How well a pair of heads matches prefixes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PrefixMatching {
    /// The head whose output the keys are made of.
    pub from_layer: usize,
    pub from_head: usize,
    /// The head whose queries and keys these are, in a later block.
    pub to_layer: usize,
    pub to_head: usize,
    /// Share of tokens whose query scores the key of the same token highest of all tokens; NaN where
    /// weights are not finite.
    pub matched: f64,
    /// Mean over tokens of `(own entry - mean of the row) / standard deviation of the row`.
    pub z: f64,
}

/// The prefix matching of every head with every head of a later block.
#[derive(Debug, Clone, PartialEq)]
pub struct PrefixMatchingScores {
    /// Number of tokens.
    pub d_vocab: usize,
    /// Heads of a block.
    pub n_heads: usize,
    /// Blocks of the model.
    pub n_layers: usize,
    /// By the later head's block, then by the earlier one's, then by head.
    pub scores: Vec<PrefixMatching>,
}

/// The prefix matching of every pair of heads of different blocks, from the weights alone: queries are
/// made of token embeddings, keys of what the earlier head writes of token embeddings. The scales of
/// norms, biases and positions are left out. An induction head and the previous-token head that it reads
/// match nearly all tokens; by chance one of `d_vocab` is matched.
///
/// # Errors
/// A model of fewer than two blocks; [`Error::Interrupted`].
pub fn prefix_matching_scores(model: &Transformer) -> Result<PrefixMatchingScores> {
    let cfg = model.cfg();
    if cfg.n_layers < 2 {
        let rule = "must be at least 2: heads of one block do not read each other";
        return Err(Error::argument("n_layers", cfg.n_layers, rule));
    }
    let embed = model.parameter("embed.W_E")?.detach();
    let embed = embed.to_device(&Device::Cpu)?.to_dtype(DType::F32)?; // [d_vocab, d_model]
    let interrupts = Interrupts::listen();
    let mut scores = Vec::new();
    for to_layer in 1..cfg.n_layers {
        for from_layer in 0..to_layer {
            for from_head in 0..cfg.n_heads {
                let written = of_tokens(&embed, &ov_circuit(model, from_layer, from_head)?)?;
                for to_head in 0..cfg.n_heads {
                    interrupts.check("the prefix matching scores")?;
                    let qk = qk_circuit(model, to_layer, to_head)?;
                    let (matched, z) = diagonal(&embed, &qk, &written)?;
                    scores.push(PrefixMatching {
                        from_layer,
                        from_head,
                        to_layer,
                        to_head,
                        matched,
                        z,
                    });
                }
            }
        }
    }
    Ok(PrefixMatchingScores {
        d_vocab: cfg.d_vocab,
        n_heads: cfg.n_heads,
        n_layers: cfg.n_layers,
        scores,
    })
}

/// `W_E A B`, `[d_vocab, d_model]`.
fn of_tokens(embed: &Tensor, circuit: &FactoredMatrix) -> Result<Tensor> {
    Ok(embed.matmul(&circuit.a())?.matmul(&circuit.b())?)
}

/// Share of rows of `W_E A B keys^T` whose largest entry is the diagonal one, and its mean z.
fn diagonal(embed: &Tensor, qk: &FactoredMatrix, keys: &Tensor) -> Result<(f64, f64)> {
    let d_vocab = embed.dim(0)?;
    let queries = embed.matmul(&qk.a())?; // [d_vocab, d_head]
    let keys = qk.b().matmul(&keys.t()?)?; // [d_head, d_vocab]
    let (mut matched, mut z) = (0.0, 0.0);
    let rows_per_pass = (ENTRIES_PER_PASS / d_vocab).max(1);
    for start in (0..d_vocab).step_by(rows_per_pass) {
        let rows = rows_per_pass.min(d_vocab - start);
        let entries = queries.narrow(0, start, rows)?.matmul(&keys)?;
        for (i, row) in entries.to_vec2::<f32>()?.iter().enumerate() {
            let (hit, own) = of_row(row, start + i);
            matched += hit;
            z += own;
        }
    }
    Ok((matched / d_vocab as f64, z / d_vocab as f64))
}

/// Whether entry `own` is the largest (1 or 0; of equal ones, its share of them), and its z.
fn of_row(row: &[f32], own: usize) -> (f64, f64) {
    if row.iter().any(|x| !x.is_finite()) {
        return (f64::NAN, f64::NAN);
    }
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let n_largest = row.iter().filter(|&&x| x == largest).count() as f64;
    let n = row.len() as f64;
    let mean = row.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
    let squares = row.iter().map(|&x| (f64::from(x) - mean).powi(2));
    let deviation = (squares.sum::<f64>() / n).sqrt();
    let off = f64::from(row[own]) - mean;
    (
        if row[own] == largest {
            1.0 / n_largest
        } else {
            0.0
        },
        if deviation > 0.0 {
            off / deviation
        } else {
            0.0
        },
    )
}

impl PrefixMatchingScores {
    /// The pair that matches the largest share of tokens; of equal ones that of the largest z.
    ///
    /// # Errors
    /// [`Error::Argument`] where no share is a number.
    pub fn best(&self) -> Result<PrefixMatching> {
        let scores = self.scores.iter().filter(|s| !s.matched.is_nan());
        let best = scores
            .max_by(|a, b| a.matched.total_cmp(&b.matched).then(a.z.total_cmp(&b.z)))
            .copied();
        let reason = "none is a number: weights are not finite";
        best.ok_or_else(|| Error::argument("prefix matching scores", self.scores.len(), reason))
    }

    /// One row a pair: `from_layer`, `from_head`, `to_layer`, `to_head`, `matched`, `z`.
    ///
    /// # Errors
    /// [`Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        let of = |part: fn(&PrefixMatching) -> usize| -> Vec<u32> {
            self.scores.iter().map(|s| part(s) as u32).collect()
        };
        Ok(df![
            "from_layer" => of(|s| s.from_layer),
            "from_head" => of(|s| s.from_head),
            "to_layer" => of(|s| s.to_layer),
            "to_head" => of(|s| s.to_head),
            "matched" => self.scores.iter().map(|s| s.matched).collect::<Vec<f64>>(),
            "z" => self.scores.iter().map(|s| s.z).collect::<Vec<f64>>(),
        ]?)
    }

    /// The share matched: heads that write down, those that read across; grey where they are not of a
    /// later block.
    ///
    /// # Errors
    /// When no score is finite.
    pub fn heatmap(&self) -> Result<Figure> {
        let n = (self.n_layers - 1) * self.n_heads;
        let mut rows = vec![vec![f64::NAN; n]; n];
        for s in &self.scores {
            let column = (s.to_layer - 1) * self.n_heads + s.to_head;
            rows[s.from_layer * self.n_heads + s.from_head][column] = s.matched;
        }
        let name = |i: usize| format!("L{}H{}", i / self.n_heads, i % self.n_heads);
        let writers: Vec<String> = (0..n).map(name).collect();
        let readers: Vec<String> = (0..n).map(|i| name(i + self.n_heads)).collect();
        let caption = format!(
            "Share of tokens whose query finds the key of the same token. Chance: {:.4}.",
            1.0 / self.d_vocab as f64
        );
        let options = ChartOptions {
            z_label: "share matched".to_owned(),
            ..ChartOptions::new("Prefix matching by the weights", "reads", "writes")
                .caption(caption)
        };
        heatmap(&rows, &readers, &writers, ColorScale::Sequential, &options)
    }
}

impl fmt::Display for PrefixMatching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "L{}H{} to L{}H{}: {:.1} % of tokens matched, z {:.2}",
            self.from_layer,
            self.from_head,
            self.to_layer,
            self.to_head,
            100.0 * self.matched,
            self.z
        )
    }
}

impl fmt::Display for PrefixMatchingScores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chance = 100.0 / self.d_vocab as f64;
        write!(
            f,
            "prefix matching of {} pairs of heads; chance {chance:.2} %",
            self.scores.len()
        )?;
        match self.best() {
            Ok(best) => write!(f, "; best {best}"),
            Err(_) => Ok(()),
        }
    }
}

shows_itself!(PrefixMatchingScores);

impl Show for PrefixMatchingScores {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        let text = self.to_string();
        Ok(self.heatmap()?.mime_bundle()?.with("text/plain", text))
    }
}
