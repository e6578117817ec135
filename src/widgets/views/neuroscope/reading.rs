//! A text, read: the activations of one family of directions on its tokens.

use super::directions::{Family, Kind};
use super::subject::Subject;
use crate::error::Result;
use crate::interp::feature_acts;
use crate::model::{HookName, NamesFilter};
use candle_core::{D, DType, IndexOp, Tensor};

/// The activations of a family on a text.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    pub text: String,
    pub family: usize,
    pub tokens: Vec<u32>,
    /// `[tokens, count]`, row by row.
    acts: Vec<f32>,
    count: usize,
}

impl Reading {
    /// Reads a text as in training: in stretches of `n_ctx - 1` tokens, each behind a BOS, which is
    /// left out of the activations.
    pub fn of(subject: &Subject, family: &Family, at: usize, text: &str) -> Result<Self> {
        let tokens = subject.tokenizer.encode(text);
        let stretch = subject.model.cfg().n_ctx.saturating_sub(1).max(1);
        let mut acts = Vec::with_capacity(tokens.len() * family.count);
        for part in tokens.chunks(stretch) {
            let row = [&[subject.tokenizer.bos()], part].concat();
            let row = Tensor::from_slice(&row, (1, row.len()), subject.model.device())?;
            let read = read(subject, family, &row)?; // [pos, count]
            acts.extend(read.i(1..)?.flatten_all()?.to_vec1::<f32>()?);
        }
        Ok(Self {
            text: text.to_owned(),
            family: at,
            tokens,
            acts,
            count: family.count,
        })
    }

    /// The activations of one direction, one a token.
    pub fn column(&self, index: usize) -> Vec<f32> {
        let rows = self.acts.chunks_exact(self.count.max(1));
        rows.filter_map(|row| row.get(index).copied()).collect()
    }

    /// The directions that are most active on a token, the largest first.
    pub fn strongest(&self, token: usize, n: usize) -> Vec<(usize, f32)> {
        let Some(row) = self.acts.chunks_exact(self.count.max(1)).nth(token) else {
            return Vec::new();
        };
        let mut active: Vec<(usize, f32)> = row.iter().copied().enumerate().collect();
        active.retain(|(_, value)| *value != 0.0 && !value.is_nan());
        active.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()).then(a.0.cmp(&b.0)));
        active.truncate(n);
        active
    }
}

/// Activations of `tokens` `[1, pos]`: `[pos, count]`, f32.
fn read(subject: &Subject, family: &Family, tokens: &Tensor) -> Result<Tensor> {
    let model = &subject.model;
    if let (Kind::Features, Some(hooked)) = (family.kind, &subject.hooked) {
        return Ok(feature_acts(model, &hooked.sae, &family.hook_name, tokens)?.i(0)?);
    }
    let at = HookName::of_model(&family.hook_name, model.cfg())?;
    let stop = match at {
        HookName::Block { layer, .. } => Some(layer + 1),
        _ => None,
    };
    let (_, cache) = model.run_with_cache_filtered(tokens, &NamesFilter::Names(vec![at]), stop)?;
    let acts = cache.get(&family.hook_name)?.i(0)?.to_dtype(DType::F32)?;
    Ok(match family.kind {
        // [pos, n_heads, d_head]
        Kind::Heads => {
            let cfg = model.cfg();
            let z = acts.reshape(((), cfg.n_heads, cfg.d_head()))?;
            z.sqr()?.sum(D::Minus1)?.sqrt()?
        }
        _ => acts,
    })
}
