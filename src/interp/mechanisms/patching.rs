//! Activation patching: a corrupted run into which one activation of a clean run is put.
//! `effect = (m(patched) - m(corrupted)) / (m(clean) - m(corrupted))`, `m` the metric.
//! Source: Vig et al. 2020, Meng et al. 2022 (causal tracing); TransformerLens' `patching.py`.

use super::super::token_frame::token_rows;
use super::input::one_sequence;
use super::patch_metric::PatchMetric;
use crate::config::TransformerConfig;
use crate::error::{Error, Result};
use crate::model::{ActivationCache, BlockPoint, Hook, HookName, NamesFilter, Transformer};
use crate::show::Interrupts;
use candle_core::Tensor;

/// Tokens that one pass of the model handles: as many patches as fit share it.
const TOKENS_PER_PASS: usize = 2_048;

/// The hook points at which activations are patched.
const POINTS: [BlockPoint; 4] = [
    BlockPoint::ResidPre,
    BlockPoint::Z,
    BlockPoint::AttnOut,
    BlockPoint::MlpOut,
];

/// What is patched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PatchSite {
    /// `hook_resid_pre` of each block at each position.
    ResidPre,
    /// `hook_attn_out` of each block at each position.
    AttnOut,
    /// `hook_mlp_out` of each block at each position.
    MlpOut,
    /// `attn.hook_z` of each head at each position.
    Z,
    /// `attn.hook_z` of each head, at all positions together.
    ZAllPositions,
}

impl PatchSite {
    pub(super) fn point(self) -> BlockPoint {
        match self {
            PatchSite::ResidPre => BlockPoint::ResidPre,
            PatchSite::AttnOut => BlockPoint::AttnOut,
            PatchSite::MlpOut => BlockPoint::MlpOut,
            PatchSite::Z | PatchSite::ZAllPositions => BlockPoint::Z,
        }
    }

    /// Every patch of this site in one block: its head and its position, where it has them.
    fn places(self, n_heads: usize, n_pos: usize) -> Vec<(Option<usize>, Option<usize>)> {
        match self {
            PatchSite::ZAllPositions => (0..n_heads).map(|head| (Some(head), None)).collect(),
            PatchSite::Z => (0..n_heads)
                .flat_map(|head| (0..n_pos).map(move |position| (Some(head), Some(position))))
                .collect(),
            _ => (0..n_pos).map(|position| (None, Some(position))).collect(),
        }
    }
}

/// One activation of the clean run, put into the corrupted one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Patch {
    /// Where in a block.
    pub site: PatchSite,
    /// In which block.
    pub layer: usize,
    /// Of which head, for `z`.
    pub head: Option<usize>,
    /// At which position; `None` for all of them.
    pub position: Option<usize>,
    /// The metric of the patched run.
    pub metric: f64,
    /// `(metric - corrupted) / (clean - corrupted)`: 0 for a patch without effect, 1 for one that
    /// restores the clean run's metric.
    pub effect: f64,
}

/// Every patch of one pair of sequences.
#[derive(Debug, Clone, PartialEq)]
pub struct ActivationPatching {
    /// What the metric measures.
    pub metric_name: String,
    /// The metric of the clean run.
    pub clean: f64,
    /// The metric of the corrupted run.
    pub corrupted: f64,
    /// Length of the sequences.
    pub n_pos: usize,
    /// By site in the order asked for, then by layer, head and position.
    pub patches: Vec<Patch>,
}

/// Runs `corrupted` `[1, pos]` once for each patch, with one activation replaced by that of `clean`
/// `[1, pos]`, and says how much of the metric each patch restores.
///
/// The patches of a block share passes as rows of a batch, and a pass begins at that block. Patches
/// that cannot change the metric are not run, and their effect is 0: those at a position before the
/// first token that differs, and those from which nothing reaches the position that the metric reads
/// (later positions, and, behind the attention of the last block, all others).
///
/// ```
/// use holoscope::{config::TransformerConfig, model::Transformer};
/// use holoscope::interp::{PatchMetric, PatchSite, activation_patching};
/// use candle_core::{Device, Tensor};
/// let cfg = TransformerConfig { d_vocab: 11, d_model: 8, d_mlp: 16, ..Default::default() };
/// let model = Transformer::new(&cfg)?;
/// let clean = Tensor::new(&[[1u32, 2, 3]], &Device::Cpu)?;
/// let corrupted = Tensor::new(&[[1u32, 5, 3]], &Device::Cpu)?;
/// let metric = PatchMetric::logit_difference(2, 7, 4);
/// let found = activation_patching(&model, &clean, &corrupted, &metric, &[PatchSite::ResidPre])?;
/// // The stream that enters the first block at position 1 is all that differs.
/// assert!((found.patches[1].effect - 1.0).abs() < 1e-3);
/// # Ok::<(), holoscope::Error>(())
/// ```
///
/// # Errors
/// Tokens that are not one sequence each, of different lengths, or that the model cannot read; no
/// site; a site that the model does not have ([`Error::UnknownHook`]); a position or token of the
/// metric that does not exist; a metric that is not finite or the same in both runs, which leaves
/// nothing to restore; [`Error::Interrupted`].
pub fn activation_patching(
    model: &Transformer,
    clean: &Tensor,
    corrupted: &Tensor,
    metric: &PatchMetric,
    sites: &[PatchSite],
) -> Result<ActivationPatching> {
    patched(model, clean, corrupted, metric, sites, TOKENS_PER_PASS)
}

fn patched(
    model: &Transformer,
    clean: &Tensor,
    corrupted: &Tensor,
    metric: &PatchMetric,
    sites: &[PatchSite],
    tokens_per_pass: usize,
) -> Result<ActivationPatching> {
    let model = model.without_gradients();
    let cfg = model.cfg();
    let n_pos = checked_length(clean, corrupted, metric, sites, cfg)?;
    let runs = Runs {
        clean: cached(&model, clean)?,
        corrupted: cached(&model, corrupted)?,
        model: &model,
        metric,
        n_pos,
        rows_per_pass: (tokens_per_pass / n_pos).max(1),
    };
    let (m_clean, m_corrupted) = (
        runs.metric_of(&runs.clean)?,
        runs.metric_of(&runs.corrupted)?,
    );
    let gap = m_clean - m_corrupted;
    if !gap.is_finite() || gap == 0.0 {
        return Err(Error::argument(
            "the metric",
            format!("{m_clean} in the clean run, {m_corrupted} in the corrupted one"),
            "must be finite and differ, or there is nothing to restore",
        ));
    }
    let mut patches = all_patches(sites, cfg, n_pos, m_corrupted);
    let reach = Reach {
        differs_from: first_difference(clean, corrupted)?,
        reads: metric.position(),
        n_layers: cfg.n_layers,
    };
    let interrupts = Interrupts::listen();
    for layer in 0..cfg.n_layers {
        let mut of_layer: Vec<&mut Patch> = patches
            .iter_mut()
            .filter(|patch| patch.layer == layer && reach.includes(patch))
            .collect();
        for rows in of_layer.chunks_mut(runs.rows_per_pass) {
            interrupts.check("activation patching")?;
            runs.fill(layer, rows)?;
        }
    }
    for patch in &mut patches {
        patch.effect = (patch.metric - m_corrupted) / gap;
    }
    Ok(ActivationPatching {
        metric_name: metric.name().to_owned(),
        clean: m_clean,
        corrupted: m_corrupted,
        n_pos,
        patches,
    })
}

/// The common length of the two sequences, all arguments checked.
fn checked_length(
    clean: &Tensor,
    corrupted: &Tensor,
    metric: &PatchMetric,
    sites: &[PatchSite],
    cfg: &TransformerConfig,
) -> Result<usize> {
    let n_pos = one_sequence("the clean tokens", clean)?;
    if one_sequence("the corrupted tokens", corrupted)? != n_pos {
        let found = corrupted.dims();
        return Err(Error::shape("the corrupted tokens", [1, n_pos], found));
    }
    if sites.is_empty() {
        return Err(Error::argument("sites", "[]", "there must be at least one"));
    }
    for site in sites {
        let (layer, point) = (0, site.point());
        HookName::of_model(&HookName::Block { layer, point }.to_string(), cfg)?;
    }
    metric.check(cfg, n_pos)?;
    Ok(n_pos)
}

/// Every patch, as if none had an effect.
fn all_patches(
    sites: &[PatchSite],
    cfg: &TransformerConfig,
    n_pos: usize,
    metric: f64,
) -> Vec<Patch> {
    let mut patches = Vec::new();
    for (i, &site) in sites.iter().enumerate() {
        if sites[..i].contains(&site) {
            continue;
        }
        for layer in 0..cfg.n_layers {
            for (head, position) in site.places(cfg.n_heads, n_pos) {
                patches.push(Patch {
                    site,
                    layer,
                    head,
                    position,
                    metric,
                    effect: 0.0,
                });
            }
        }
    }
    patches
}

/// The position of the first token that differs; the length where none does.
fn first_difference(clean: &Tensor, corrupted: &Tensor) -> Result<usize> {
    let (clean, corrupted) = (token_rows(clean)?, token_rows(corrupted)?);
    let mut pairs = clean[0].iter().zip(&corrupted[0]);
    Ok(pairs.position(|(a, b)| a != b).unwrap_or(clean[0].len()))
}

/// Which patches can change the metric of a causal model.
struct Reach {
    /// Before this position the two runs are the same.
    differs_from: usize,
    /// The one position that the metric reads, if it reads one.
    reads: Option<usize>,
    n_layers: usize,
}

impl Reach {
    fn includes(&self, patch: &Patch) -> bool {
        let Some(at) = patch.position else {
            return true;
        };
        // Behind the last attention each position keeps to itself.
        let attention_follows =
            patch.layer + 1 < self.n_layers || patch.site == PatchSite::ResidPre;
        let reaches = |read| at == read || (at < read && attention_follows);
        at >= self.differs_from && self.reads.is_none_or(reaches)
    }
}

/// The activations of a run at every point that is patched, and the stream around each block.
fn cached(model: &Transformer, tokens: &Tensor) -> Result<ActivationCache> {
    let wanted = |name: &HookName| match name {
        HookName::Block { point, .. } => POINTS.contains(point) || *point == BlockPoint::ResidPost,
        _ => false,
    };
    let all = HookName::all(model.cfg());
    let keep = NamesFilter::Names(all.into_iter().filter(wanted).collect());
    let (_, cache) = model.run_with_cache_filtered(tokens, &keep, Some(model.cfg().n_layers))?;
    Ok(cache)
}

/// The two runs, and what is asked of a patched one.
struct Runs<'a> {
    clean: ActivationCache,
    corrupted: ActivationCache,
    model: &'a Transformer,
    metric: &'a PatchMetric,
    n_pos: usize,
    rows_per_pass: usize,
}

impl Runs<'_> {
    /// The metric of an unpatched run.
    fn metric_of(&self, cache: &ActivationCache) -> Result<f64> {
        let last = HookName::Block {
            layer: self.model.cfg().n_layers - 1,
            point: BlockPoint::ResidPost,
        };
        let values = self.metric.of_residual(self.model, &cache.at(last)?)?;
        Ok(values[0])
    }

    /// Runs the patches of one block as rows of a batch, and notes the metric of each.
    fn fill(&self, layer: usize, rows: &mut [&mut Patch]) -> Result<()> {
        let block = |point| HookName::Block { layer, point };
        let x = self.corrupted.at(block(BlockPoint::ResidPre))?; // [1, pos, d_model]
        let x = x.broadcast_as((rows.len(), self.n_pos, x.dim(2)?))?;
        let mut hooks = Vec::new();
        for point in POINTS {
            if rows.iter().any(|patch| patch.site.point() == point) {
                let mask = self.mask(point, rows)?;
                let clean = self.clean.at(block(point))?;
                hooks.push(Hook::new(&block(point).to_string(), move |x| {
                    let clean = clean.broadcast_as(x.shape())?;
                    Ok(Some(mask.broadcast_as(x.shape())?.where_cond(&clean, x)?))
                }));
            }
        }
        let x = self.model.residual_from(&x.contiguous()?, layer, &hooks)?;
        for (patch, metric) in rows
            .iter_mut()
            .zip(self.metric.of_residual(self.model, &x)?)
        {
            patch.metric = metric;
        }
        Ok(())
    }

    /// 1 where a row is patched at this hook point: `[rows, pos, 1]`, for `z`
    /// `[rows, pos, n_heads, 1]`.
    fn mask(&self, point: BlockPoint, rows: &[&mut Patch]) -> Result<Tensor> {
        let n_heads = match point {
            BlockPoint::Z => self.model.cfg().n_heads,
            _ => 1,
        };
        let mut mask = vec![0u8; rows.len() * self.n_pos * n_heads];
        for (patch, mask) in rows.iter().zip(mask.chunks_mut(self.n_pos * n_heads)) {
            if patch.site.point() != point {
                continue;
            }
            for (position, mask) in mask.chunks_mut(n_heads).enumerate() {
                if patch.position.is_none_or(|at| at == position) {
                    mask[patch.head.unwrap_or(0)] = 1;
                }
            }
        }
        let device = self.model.device();
        Ok(match point {
            BlockPoint::Z => Tensor::from_vec(mask, (rows.len(), self.n_pos, n_heads, 1), device)?,
            _ => Tensor::from_vec(mask, (rows.len(), self.n_pos, 1), device)?,
        })
    }
}

#[cfg(test)]
mod tests;
