//! What a model holds, as typed rows.

use super::Transformer;
use crate::config::{Normalization, PositionalEmbedding, TransformerConfig};
use crate::error::Result;
use crate::show::{Table, shows_itself};
use polars::prelude::{DataFrame, df};
use std::fmt;

/// One parameter of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterRow {
    /// As TransformerLens names it.
    pub name: String,
    pub shape: Vec<usize>,
    /// Numbers that it holds.
    pub n_values: usize,
}

/// The parameters of a model, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelSummary {
    /// The sizes of the model.
    pub title: String,
    pub parameters: Vec<ParameterRow>,
}

impl Transformer {
    /// Every parameter with its shape and size, under TransformerLens' names.
    pub fn summary(&self) -> ModelSummary {
        let parameters = self.named_parameters().into_iter();
        let rows = parameters.map(|(name, p)| ParameterRow {
            name,
            shape: p.dims().to_vec(),
            n_values: p.elem_count(),
        });
        ModelSummary {
            title: title(self.cfg(), self.n_params()),
            parameters: rows.collect(),
        }
    }
}

fn title(cfg: &TransformerConfig, n_params: usize) -> String {
    format!(
        "{} layers, d_model {}, {} heads of {}, d_mlp {}, n_ctx {}, vocabulary {}{}{}{}: {} parameters",
        cfg.n_layers,
        cfg.d_model,
        cfg.n_heads,
        cfg.d_head(),
        cfg.d_mlp,
        cfg.n_ctx,
        cfg.d_vocab,
        match cfg.normalization_type {
            Normalization::Ln => "",
            Normalization::LnPre => ", LayerNorm without weights",
            Normalization::None => ", no normalisation",
        },
        match cfg.positional_embedding_type {
            PositionalEmbedding::Standard => String::new(),
            PositionalEmbedding::Rotary => format!(
                ", rotary positions in {} dimensions of a head",
                cfg.n_rotated()
            ),
        },
        match cfg.parallel_attn_mlp && !cfg.attn_only {
            true => ", attention and MLP parallel",
            false => "",
        },
        n_params
    )
}

impl ModelSummary {
    /// One row a parameter: `parameter`, `shape`, `values`.
    ///
    /// # Errors
    /// [`crate::Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        let all = || self.parameters.iter();
        Ok(df![
            "parameter" => all().map(|p| p.name.clone()).collect::<Vec<String>>(),
            "shape" => all().map(|p| format!("{:?}", p.shape)).collect::<Vec<String>>(),
            "values" => all().map(|p| p.n_values as u64).collect::<Vec<u64>>(),
        ]?)
    }
}

impl fmt::Display for ModelSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.title)?;
        for p in &self.parameters {
            write!(f, "\n{}: {:?}", p.name, p.shape)?;
        }
        Ok(())
    }
}

shows_itself!(ModelSummary, |it| Table::new(it.frame()?)
    .head(32)
    .caption(&it.title));

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::Show;

    #[test]
    fn the_rows_hold_every_parameter() {
        let cfg = TransformerConfig {
            d_model: 8,
            n_heads: 2,
            d_mlp: 12,
            n_ctx: 4,
            d_vocab: 10,
            ..TransformerConfig::default()
        };
        let model = Transformer::new(&cfg).unwrap();
        let summary = model.summary();
        let n: usize = summary.parameters.iter().map(|p| p.n_values).sum();
        assert_eq!(n, model.n_params());
        let w_in = summary
            .parameters
            .iter()
            .find(|p| p.name == "blocks.0.mlp.W_in");
        assert_eq!(w_in.unwrap().shape, [8, 12]);
        assert_eq!(summary.frame().unwrap().height(), summary.parameters.len());
        let shown = summary.mime_bundle().unwrap();
        assert!(
            shown
                .get("text/html")
                .unwrap()
                .contains("blocks.0.mlp.W_in")
        );
    }
}
