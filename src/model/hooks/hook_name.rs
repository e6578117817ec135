//! The names of the hook points, typed.
//!
//! `hook_embed`, `blocks.N.attn.hook_pattern`, `ln_final.hook_normalized`, ...; a name prints and
//! parses letter for letter as in TransformerLens' `HookedTransformer`.

use crate::config::{Activation, Normalization, PositionalEmbedding, TransformerConfig};
use crate::error::{Error, Result};
use std::fmt;
use std::str::FromStr;

/// An activation inside one block, in the order in which it is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BlockPoint {
    /// `[batch, pos, d_model]`, the residual stream that enters the block.
    ResidPre,
    /// `[batch, pos, 1]`, `sqrt(var + eps)`.
    Ln1Scale,
    /// `[batch, pos, d_model]`, centred and scaled, before weight and bias.
    Ln1Normalized,
    /// `[batch, pos, n_heads, d_head]`.
    Q,
    /// `[batch, pos, n_heads, d_head]`.
    K,
    /// `[batch, pos, n_heads, d_head]`.
    V,
    /// `[batch, pos, n_heads, d_head]`, queries rotated by their positions; with rotary positions only.
    RotQ,
    /// `[batch, pos, n_heads, d_head]`, keys rotated by their positions; with rotary positions only.
    RotK,
    /// `[batch, n_heads, query, key]`, scaled, `-inf` where the key is in the future.
    AttnScores,
    /// `[batch, n_heads, query, key]`, rows sum to one.
    Pattern,
    /// `[batch, pos, n_heads, d_head]`, values averaged by the pattern.
    Z,
    /// `[batch, pos, d_model]`.
    AttnOut,
    /// `[batch, pos, d_model]`; absent in attention-only models, and where attention and MLP are
    /// parallel.
    ResidMid,
    /// `[batch, pos, 1]`; absent in attention-only models.
    Ln2Scale,
    /// `[batch, pos, d_model]`; absent in attention-only models.
    Ln2Normalized,
    /// `[batch, pos, d_mlp]`, before the nonlinearity.
    MlpPre,
    /// `[batch, pos, d_mlp]`, between SoLU and its LayerNorm; with `SoluLn` only.
    MlpMid,
    /// `[batch, pos, 1]`, `sqrt(var + eps)` of the hidden units; with `SoluLn` only.
    MlpLnScale,
    /// `[batch, pos, d_mlp]`, centred and scaled, before weight and bias; with `SoluLn` only.
    MlpLnNormalized,
    /// `[batch, pos, d_mlp]`, after the nonlinearity.
    MlpPost,
    /// `[batch, pos, d_model]`.
    MlpOut,
    /// `[batch, pos, d_model]`, the residual stream that leaves the block.
    ResidPost,
}

const BLOCK_POINTS: [(BlockPoint, &str); 22] = [
    (BlockPoint::ResidPre, "hook_resid_pre"),
    (BlockPoint::Ln1Scale, "ln1.hook_scale"),
    (BlockPoint::Ln1Normalized, "ln1.hook_normalized"),
    (BlockPoint::Q, "attn.hook_q"),
    (BlockPoint::K, "attn.hook_k"),
    (BlockPoint::V, "attn.hook_v"),
    (BlockPoint::RotQ, "attn.hook_rot_q"),
    (BlockPoint::RotK, "attn.hook_rot_k"),
    (BlockPoint::AttnScores, "attn.hook_attn_scores"),
    (BlockPoint::Pattern, "attn.hook_pattern"),
    (BlockPoint::Z, "attn.hook_z"),
    (BlockPoint::AttnOut, "hook_attn_out"),
    (BlockPoint::ResidMid, "hook_resid_mid"),
    (BlockPoint::Ln2Scale, "ln2.hook_scale"),
    (BlockPoint::Ln2Normalized, "ln2.hook_normalized"),
    (BlockPoint::MlpPre, "mlp.hook_pre"),
    (BlockPoint::MlpMid, "mlp.hook_mid"),
    (BlockPoint::MlpLnScale, "mlp.ln.hook_scale"),
    (BlockPoint::MlpLnNormalized, "mlp.ln.hook_normalized"),
    (BlockPoint::MlpPost, "mlp.hook_post"),
    (BlockPoint::MlpOut, "hook_mlp_out"),
    (BlockPoint::ResidPost, "hook_resid_post"),
];

impl BlockPoint {
    /// Its name without the `blocks.N.` before it.
    pub fn suffix(self) -> &'static str {
        BLOCK_POINTS[self as usize].1
    }

    fn is_in(self, cfg: &TransformerConfig) -> bool {
        use BlockPoint::*;
        let normalises = cfg.normalization_type != Normalization::None;
        match self {
            Ln1Scale | Ln1Normalized => normalises,
            Ln2Scale | Ln2Normalized => normalises && !cfg.attn_only,
            MlpMid | MlpLnScale | MlpLnNormalized => {
                cfg.act_fn == Activation::SoluLn && !cfg.attn_only
            }
            RotQ | RotK => cfg.positional_embedding_type == PositionalEmbedding::Rotary,
            ResidMid => !cfg.attn_only && !cfg.parallel_attn_mlp,
            MlpPre | MlpPost | MlpOut => !cfg.attn_only,
            ResidPre | Q | K | V | AttnScores | Pattern | Z | AttnOut | ResidPost => true,
        }
    }
}

/// The name of a hook point; prints and parses as TransformerLens writes it.
///
/// ```
/// use holoscope::model::{BlockPoint, HookName};
/// let name: HookName = "blocks.0.mlp.hook_post".parse().unwrap();
/// assert_eq!(name, HookName::Block { layer: 0, point: BlockPoint::MlpPost });
/// assert_eq!(name.to_string(), "blocks.0.mlp.hook_post");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HookName {
    /// `hook_embed`: token embeddings, `[batch, pos, d_model]`.
    Embed,
    /// `hook_pos_embed`: position embeddings, `[batch, pos, d_model]`; absent where positions are
    /// rotary.
    PosEmbed,
    /// `blocks.N. ...`: a point of block `layer`.
    Block { layer: usize, point: BlockPoint },
    /// `ln_final.hook_scale`, `[batch, pos, 1]`.
    LnFinalScale,
    /// `ln_final.hook_normalized`, `[batch, pos, d_model]`.
    LnFinalNormalized,
    /// `unembed.hook_in`, `[batch, pos, d_model]`.
    UnembedIn,
    /// `unembed.hook_out`: the logits, `[batch, pos, d_vocab]`.
    UnembedOut,
}

impl HookName {
    /// Every hook point of a model, in the order of computation.
    pub fn all(cfg: &TransformerConfig) -> Vec<HookName> {
        let mut names = vec![HookName::Embed];
        if cfg.positional_embedding_type == PositionalEmbedding::Standard {
            names.push(HookName::PosEmbed);
        }
        for layer in 0..cfg.n_layers {
            names.extend(
                BLOCK_POINTS
                    .iter()
                    .filter(|(point, _)| point.is_in(cfg))
                    .map(|&(point, _)| HookName::Block { layer, point }),
            );
        }
        if cfg.normalization_type != Normalization::None {
            names.extend([HookName::LnFinalScale, HookName::LnFinalNormalized]);
        }
        names.extend([HookName::UnembedIn, HookName::UnembedOut]);
        names
    }

    /// Parses a name and checks that the model has it.
    ///
    /// # Errors
    /// [`Error::UnknownHook`] with the model's nearest names.
    pub fn of_model(name: &str, cfg: &TransformerConfig) -> Result<HookName> {
        let all = HookName::all(cfg);
        match name.parse::<HookName>() {
            Ok(parsed) if all.contains(&parsed) => Ok(parsed),
            _ => Err(unknown(name, &all)),
        }
    }

    /// Values a token, heads side by side; `None` for what belongs to pairs of tokens.
    pub fn width(self, cfg: &TransformerConfig) -> Option<usize> {
        use BlockPoint::*;
        Some(match self {
            HookName::Block { point, .. } => match point {
                AttnScores | Pattern => return None,
                Ln1Scale | Ln2Scale | MlpLnScale => 1,
                MlpPre | MlpMid | MlpLnNormalized | MlpPost => cfg.d_mlp,
                Q | K | V | RotQ | RotK | Z => cfg.n_heads * cfg.d_head(),
                ResidPre | Ln1Normalized | AttnOut | ResidMid | Ln2Normalized | MlpOut
                | ResidPost => cfg.d_model,
            },
            HookName::LnFinalScale => 1,
            HookName::UnembedOut => cfg.d_vocab,
            HookName::Embed
            | HookName::PosEmbed
            | HookName::LnFinalNormalized
            | HookName::UnembedIn => cfg.d_model,
        })
    }

    /// True for activations whose second axis is the head, not the position.
    pub fn is_attention_square(self) -> bool {
        matches!(
            self,
            HookName::Block {
                point: BlockPoint::AttnScores | BlockPoint::Pattern,
                ..
            }
        )
    }
}

impl fmt::Display for HookName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HookName::Embed => f.write_str("hook_embed"),
            HookName::PosEmbed => f.write_str("hook_pos_embed"),
            HookName::Block { layer, point } => write!(f, "blocks.{layer}.{}", point.suffix()),
            HookName::LnFinalScale => f.write_str("ln_final.hook_scale"),
            HookName::LnFinalNormalized => f.write_str("ln_final.hook_normalized"),
            HookName::UnembedIn => f.write_str("unembed.hook_in"),
            HookName::UnembedOut => f.write_str("unembed.hook_out"),
        }
    }
}

impl FromStr for HookName {
    type Err = Error;

    fn from_str(name: &str) -> Result<HookName> {
        let parsed = match name {
            "hook_embed" => Some(HookName::Embed),
            "hook_pos_embed" => Some(HookName::PosEmbed),
            "ln_final.hook_scale" => Some(HookName::LnFinalScale),
            "ln_final.hook_normalized" => Some(HookName::LnFinalNormalized),
            "unembed.hook_in" => Some(HookName::UnembedIn),
            "unembed.hook_out" => Some(HookName::UnembedOut),
            _ => parse_block(name),
        };
        // "blocks.01." parses as layer 1 but is not how the name is written.
        parsed
            .filter(|hook| hook.to_string() == name)
            .ok_or_else(|| {
                let layer = name
                    .split('.')
                    .nth(1)
                    .and_then(|n| n.parse::<usize>().ok())
                    .unwrap_or(0);
                // Together they have every point.
                let mut all = HookName::all(&TransformerConfig {
                    n_layers: 1,
                    act_fn: Activation::SoluLn,
                    positional_embedding_type: PositionalEmbedding::Rotary,
                    ..TransformerConfig::default()
                });
                all.push(HookName::PosEmbed);
                for hook in &mut all {
                    if let HookName::Block { layer: at, .. } = hook {
                        *at = layer;
                    }
                }
                unknown(name, &all)
            })
    }
}

fn parse_block(name: &str) -> Option<HookName> {
    let (layer, suffix) = name.strip_prefix("blocks.")?.split_once('.')?;
    let layer = layer.parse().ok()?;
    let &(point, _) = BLOCK_POINTS.iter().find(|(_, s)| *s == suffix)?;
    Some(HookName::Block { layer, point })
}

fn unknown(name: &str, known: &[HookName]) -> Error {
    let mut ranked: Vec<(usize, String)> = known
        .iter()
        .map(|hook| {
            let hook = hook.to_string();
            (edit_distance(name, &hook), hook)
        })
        .collect();
    ranked.sort_by_key(|(distance, _)| *distance);
    Error::UnknownHook {
        name: name.to_owned(),
        nearest: ranked.into_iter().take(3).map(|(_, hook)| hook).collect(),
    }
}

/// Levenshtein distance in characters.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substitute = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests;
