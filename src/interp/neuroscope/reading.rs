//! A text, read: the activations of one family of directions on its tokens.

use super::directions::{Family, Kind};
use super::subject::Subject;
use crate::error::Result;
use crate::interp::activations::hook_rows;
use crate::model::{HookName, NamesFilter};
use crate::sae::{Sae, SparseAutoencoder};
use candle_core::{D, DType, IndexOp, Tensor};

/// The activations of a family on a text.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    pub text: String,
    pub family: usize,
    pub tokens: Vec<u32>,
    acts: Acts,
}

/// How the activations are kept.
#[derive(Debug, Clone)]
enum Acts {
    /// `[tokens, count]`, row by row.
    Dense { acts: Vec<f32>, count: usize },
    /// What the autoencoder reads, `[tokens, d_in]`: of a standard one, whose features do not compete,
    /// the features that are asked for are a small part of the work of all.
    Inputs { x: Tensor, sae: Sae },
    /// No token was read.
    Empty,
}

impl Reading {
    /// Reads a text as in training: in stretches of `n_ctx - 1` tokens, each behind a BOS, which is
    /// left out of the activations.
    pub fn of(subject: &Subject, family: &Family, at: usize, text: &str) -> Result<Self> {
        let tokens = subject.tokenizer.encode(text);
        let stretch = subject.model.cfg().n_ctx.saturating_sub(1).max(1);
        let mut parts = Vec::new();
        for part in tokens.chunks(stretch) {
            let row = [&[subject.tokenizer.bos()], part].concat();
            let row = Tensor::from_slice(&row, (1, row.len()), subject.model.device())?;
            parts.push(read(subject, family, &row)?); // [1 + pos, width]
        }
        let acts = match (parts.is_empty(), family.kind, &subject.dictionary) {
            (true, ..) => Acts::Empty,
            (_, Kind::Features, Some(dictionary)) => {
                match &dictionary.sae {
                    sae @ Sae::Standard(_) => Acts::Inputs {
                        x: behind_bos(&parts)?,
                        sae: sae.clone(),
                    },
                    // Each stretch is a sequence with its BOS: a temporal one looks back.
                    sae => {
                        let encode = |x: &Tensor| Ok(sae.encode(&x.unsqueeze(0)?)?.squeeze(0)?);
                        Acts::dense(&parts.iter().map(encode).collect::<Result<Vec<_>>>()?)?
                    }
                }
            }
            _ => Acts::dense(&parts)?,
        };
        Ok(Self {
            text: text.to_owned(),
            family: at,
            tokens,
            acts,
        })
    }

    /// The activations of one direction, one a token.
    ///
    /// # Errors
    /// When the autoencoder cannot encode.
    pub fn column(&self, index: usize) -> Result<Vec<f32>> {
        Ok(match &self.acts {
            Acts::Empty => Vec::new(),
            Acts::Dense { acts, count } => {
                let rows = acts.chunks_exact(*count);
                rows.filter_map(|row| row.get(index).copied()).collect()
            }
            Acts::Inputs { x, sae } => sae
                .encode_features(x, &[index])?
                .flatten_all()?
                .to_dtype(DType::F32)?
                .to_vec1::<f32>()?,
        })
    }

    /// The directions that are most active on a token, the largest first.
    ///
    /// # Errors
    /// When the autoencoder cannot encode.
    pub fn strongest(&self, token: usize, n: usize) -> Result<Vec<(usize, f32)>> {
        if token >= self.tokens.len() {
            return Ok(Vec::new());
        }
        let row = match &self.acts {
            Acts::Empty => Vec::new(),
            Acts::Dense { acts, count } => acts[token * count..(token + 1) * count].to_vec(),
            Acts::Inputs { x, sae } => sae
                .encode(&x.i(token..token + 1)?.contiguous()?)?
                .flatten_all()?
                .to_dtype(DType::F32)?
                .to_vec1::<f32>()?,
        };
        let mut active: Vec<(usize, f32)> = row.into_iter().enumerate().collect();
        active.retain(|(_, value)| *value != 0.0 && !value.is_nan());
        active.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()).then(a.0.cmp(&b.0)));
        active.truncate(n);
        Ok(active)
    }
}

impl Acts {
    /// Of stretches `[1 + tokens, count]`.
    fn dense(stretches: &[Tensor]) -> Result<Self> {
        let all = behind_bos(stretches)?;
        Ok(Self::Dense {
            count: all.dim(1)?.max(1),
            acts: all.flatten_all()?.to_dtype(DType::F32)?.to_vec1::<f32>()?,
        })
    }
}

/// Stretches without their first rows, which are the BOS', one after the other.
fn behind_bos(stretches: &[Tensor]) -> Result<Tensor> {
    let rows = stretches.iter().map(|rows| rows.i(1..));
    Ok(Tensor::cat(&rows.collect::<Result<Vec<_>, _>>()?, 0)?.contiguous()?)
}

/// What a family reads of `tokens` `[1, pos]`: `[pos, width]`, f32; for features the autoencoder's input.
fn read(subject: &Subject, family: &Family, tokens: &Tensor) -> Result<Tensor> {
    let model = &subject.model;
    if let (Kind::Features, Some(dictionary)) = (family.kind, &subject.dictionary) {
        return hook_rows(model, &family.hook_name, tokens, dictionary.sae.d_in());
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
