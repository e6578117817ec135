//! What a model holds, as a table.

use super::Transformer;
use crate::config::{Normalization, PositionalEmbedding};
use crate::error::Result;
use crate::show::Table;
use polars::df;

impl Transformer {
    /// Every parameter with its shape and size, under TransformerLens' names.
    ///
    /// # Errors
    /// Only if polars refuses the frame.
    pub fn summary(&self) -> Result<Table> {
        let parameters = self.named_parameters();
        let shapes: Vec<String> = parameters
            .iter()
            .map(|(_, p)| format!("{:?}", p.dims()))
            .collect();
        let sizes: Vec<u64> = parameters
            .iter()
            .map(|(_, p)| p.elem_count() as u64)
            .collect();
        let names: Vec<String> = parameters.into_iter().map(|(name, _)| name).collect();
        let frame = df!["parameter" => names, "shape" => shapes, "values" => sizes]?;
        let cfg = self.cfg();
        Ok(Table::new(frame).head(32).caption(format!(
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
            self.n_params()
        )))
    }
}
