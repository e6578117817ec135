//! What stands in the place of MLPs: a transcoder each, or one cross-layer transcoder.

use crate::error::{Error, Result};
use crate::model::Hook;
use crate::sae::{CrossLayerTranscoder, Transcoder};
use candle_core::{DType, Tensor};
use std::cell::RefCell;
use std::rc::Rc;

/// What stands in the place of MLPs. Made from a transcoder, several, or a cross-layer transcoder, which are
/// cheap to clone.
#[derive(Debug, Clone)]
pub enum MlpReplacement {
    /// A transcoder for each of some MLPs.
    Transcoders(Vec<Transcoder>),
    /// One for all.
    CrossLayer(CrossLayerTranscoder),
}

impl From<&Transcoder> for MlpReplacement {
    fn from(transcoder: &Transcoder) -> Self {
        Self::Transcoders(vec![transcoder.clone()])
    }
}

impl From<&[Transcoder]> for MlpReplacement {
    fn from(transcoders: &[Transcoder]) -> Self {
        Self::Transcoders(transcoders.to_vec())
    }
}

impl<const N: usize> From<&[Transcoder; N]> for MlpReplacement {
    fn from(transcoders: &[Transcoder; N]) -> Self {
        Self::Transcoders(transcoders.to_vec())
    }
}

impl From<&Vec<Transcoder>> for MlpReplacement {
    fn from(transcoders: &Vec<Transcoder>) -> Self {
        Self::Transcoders(transcoders.clone())
    }
}

impl From<&CrossLayerTranscoder> for MlpReplacement {
    fn from(clt: &CrossLayerTranscoder) -> Self {
        Self::CrossLayer(clt.clone())
    }
}

/// What has been read so far in a pass, by place.
type Read = Rc<RefCell<Vec<Option<Tensor>>>>;

impl MlpReplacement {
    /// Hook points that are read and that are reconstructed, place by place.
    pub fn hook_names(&self) -> Vec<(&str, &str)> {
        match self {
            Self::Transcoders(all) => all
                .iter()
                .map(|t| (t.hook_name.as_str(), t.hook_name_out.as_str()))
                .collect(),
            Self::CrossLayer(clt) => (clt.hook_names.iter().map(String::as_str))
                .zip(clt.hook_names_out.iter().map(String::as_str))
                .collect(),
        }
    }

    /// Feature activations of place `i` from what is read there, `[.., d_in]`.
    pub(super) fn encode(&self, i: usize, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Transcoders(all) => all[i].encode(x),
            Self::CrossLayer(clt) => clt.encode_layer(i, x),
        }
    }

    /// What is put in the place of output `i`, from what is read at places 0 to `i`.
    pub(super) fn output(&self, i: usize, x: &[Tensor]) -> Result<Tensor> {
        match self {
            Self::Transcoders(all) => all[i].reconstruct(&x[i]),
            Self::CrossLayer(clt) => {
                let acts = x[..=i].iter().enumerate();
                let acts: Vec<Tensor> = acts
                    .map(|(l, x)| clt.encode_layer(l, x))
                    .collect::<Result<_>>()?;
                clt.decode_layer(i, &acts)
            }
        }
    }

    /// Hooks of a pass in which every output is replaced, each from what is read in that pass.
    pub(super) fn hooks(self: &Rc<Self>) -> Vec<Hook> {
        let names = self.hook_names();
        let read: Read = Rc::new(RefCell::new(vec![None; names.len()]));
        let mut hooks = Vec::with_capacity(2 * names.len());
        for (i, (from, to)) in names.iter().enumerate() {
            let seen = read.clone();
            hooks.push(Hook::new(from, move |x| {
                seen.borrow_mut()[i] = Some(x.clone());
                Ok(None)
            }));
            let (seen, all, name) = (read.clone(), self.clone(), (*from).to_owned());
            hooks.push(Hook::new(to, move |out| {
                let seen = seen.borrow();
                let inputs: Option<Vec<Tensor>> = match &*all {
                    // Others may be read later than this one writes.
                    Self::Transcoders(_) => {
                        let this = seen[i].clone();
                        this.map(|x| vec![x; i + 1])
                    }
                    Self::CrossLayer(_) => seen[..=i].iter().cloned().collect(),
                };
                let Some(inputs) = inputs else {
                    let reason = "is computed after what is reconstructed from it";
                    return Err(Error::argument("hook_name", &name, reason));
                };
                let y = all.output(i, &inputs)?;
                Ok(Some(y.reshape(out.shape())?.to_dtype(out.dtype())?))
            }));
        }
        hooks
    }
}

/// The rows of `x` as f32, `[n, width]`.
pub(super) fn flat_rows(x: &Tensor) -> Result<Tensor> {
    let width = x.dims().last().copied().unwrap_or(1).max(1);
    let n = x.elem_count() / width;
    Ok(x.reshape((n, width))?.to_dtype(DType::F32)?)
}
