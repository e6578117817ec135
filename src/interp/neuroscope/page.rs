//! The file with which an exported page computes: a model, its autoencoder and the vocabulary.
//!
//! A safetensors file. Tensors of some size are `I8`, each stretch of [`BLOCK`] values of one scale
//! (`NAME.scale`, f16): `w = scale * q`, `q = round(w / scale)`, `scale = max |w| / 63`: integers of that
//! size take 6.9 bits in the compressed page, where those up to 127 take 7.8. The header's
//! `holoscope` says the configuration, the GPT-2 ids of the vocabulary and SAELens' `cfg.json`.

use super::answers::NeuroscopeModel;
use super::census::FeatureCensus;
use super::subject::{Dictionary, Subject};
use crate::config::{DeviceKind, Precision, TransformerConfig};
use crate::data::Tokenizer;
use crate::error::{Error, Result};
use crate::model::{TensorFile, Transformer};
use crate::sae::{Sae, SparseAutoencoder};
use candle_core::{DType, Device, Tensor};
use half::f16;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

const FORMAT: &str = "model of a page";
/// Where the header says what the tensors are.
const KEY: &str = "holoscope";
/// Values that share a scale.
const BLOCK: usize = 128;
/// The largest integer.
#[cfg(feature = "notebook")]
const LEVELS: f32 = 63.0;
/// Tensors with fewer values keep their f32.
const SMALL: usize = 1_024;
const SCALE: &str = ".scale";
const MODEL: &str = "model.";
const SAE: &str = "sae.";
/// The decoder of every architecture.
const W_DEC: &str = "W_dec";
const MAXIMUM: &str = "census.maximum";
const DENSITY: &str = "census.density";
/// What the features write, `[d_sae, d_model]`, where there is no decoder.
const WRITTEN: &str = "written";

/// What the header says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    version: u32,
    model: TransformerConfig,
    /// The GPT-2 ids that the vocabulary has.
    tokens: Vec<u32>,
    dictionary: Option<DictionaryHeader>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DictionaryHeader {
    hook_name: String,
    d_in: usize,
    /// SAELens' `cfg.json`.
    cfg: serde_json::Map<String, serde_json::Value>,
}

impl NeuroscopeModel {
    /// Reads what [`PageModel`] has written.
    ///
    /// # Errors
    /// [`Error::Format`] when it is something else.
    pub fn of_page(bytes: &[u8]) -> Result<NeuroscopeModel> {
        let path = Path::new("the page's model");
        let (header, mut tensors) = read(bytes, path)?;
        let mut model = BTreeMap::new();
        let mut own = BTreeMap::new();
        let mut take = |name: &str| tensors.remove(name);
        let (maximum, density, written) = (take(MAXIMUM), take(DENSITY), take(WRITTEN));
        for (name, tensor) in tensors {
            match (name.strip_prefix(MODEL), name.strip_prefix(SAE)) {
                (Some(name), _) => model.insert(name.to_owned(), tensor),
                (_, Some(name)) => own.insert(name.to_owned(), tensor),
                _ => {
                    let reason = format!("unknown tensor {name:?}");
                    return Err(Error::format(path, FORMAT, reason));
                }
            };
        }
        let tokenizer = Tokenizer::compact(&header.tokens)?;
        if tokenizer.n_vocab() != header.model.d_vocab {
            let what = "the page's vocabulary";
            return Err(Error::shape(
                what,
                header.model.d_vocab,
                tokenizer.n_vocab(),
            ));
        }
        let model = Transformer::from_parameters(&header.model, &model)?.without_gradients();
        let mut subject = Subject::from((&model, &tokenizer));
        if let Some(dictionary) = header.dictionary {
            if let Some(written) = &written {
                let (d_sae, d_model) = written.dims2()?;
                if d_model != model.cfg().d_model {
                    return Err(Error::shape(WRITTEN, model.cfg().d_model, d_model));
                }
                let d_in = dictionary.d_in;
                own.insert(
                    W_DEC.to_owned(),
                    Tensor::zeros((d_sae, d_in), DType::F32, &Device::Cpu)?,
                );
            }
            let file = TensorFile {
                tensors: own,
                others: BTreeMap::new(),
                metadata: HashMap::new(),
            };
            let cfg = serde_json::to_string(&dictionary.cfg)?;
            subject.dictionary = Some(Dictionary {
                sae: Sae::from_state(&cfg, path, file, path)?,
                hook_name: dictionary.hook_name,
                written,
            });
        }
        let mut it = NeuroscopeModel::new(subject)?;
        if let (Some(maximum), Some(density)) = (maximum, density) {
            let d_sae = it.subject.dictionary.as_ref().map(|d| d.sae.d_sae());
            for (name, found) in [(MAXIMUM, maximum.dims()), (DENSITY, density.dims())] {
                if Some(found) != d_sae.as_ref().map(std::slice::from_ref) {
                    return Err(Error::shape(name, d_sae, found));
                }
            }
            it.know(FeatureCensus {
                maximum: maximum.to_vec1()?,
                density: density.to_dtype(DType::F64)?.to_vec1()?,
            });
        }
        Ok(it)
    }
}

/// The header, and the tensors as f32.
fn read(bytes: &[u8], path: &Path) -> Result<(Header, BTreeMap<String, Tensor>)> {
    let bad = |reason: String| Error::format(path, FORMAT, reason);
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|e| bad(e.to_string()))?;
    let header = metadata.metadata().as_ref().and_then(|all| all.get(KEY));
    let header = header.ok_or_else(|| bad(format!("its header has no {KEY:?}")))?;
    let header: Header = serde_json::from_str(header).map_err(|e| bad(e.to_string()))?;
    if header.version != 1 {
        return Err(bad(format!(
            "version {} (this build reads 1): write it again",
            header.version
        )));
    }
    let file = SafeTensors::deserialize(bytes).map_err(|e| bad(e.to_string()))?;
    let mut tensors = BTreeMap::new();
    for (name, view) in file.tensors() {
        let values = match view.dtype() {
            Dtype::F32 => {
                Tensor::from_raw_buffer(view.data(), DType::F32, view.shape(), &Device::Cpu)?
            }
            Dtype::I8 => {
                let scales = file.tensor(&format!("{name}{SCALE}"));
                let scales = scales.map_err(|e| bad(e.to_string()))?;
                let scales: Vec<f32> = scales
                    .data()
                    .chunks_exact(2)
                    .map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32())
                    .collect();
                if scales.len() != view.data().len().div_ceil(BLOCK) {
                    return Err(bad(format!("{name} has {} scales", scales.len())));
                }
                let blocks = view.data().chunks(BLOCK).zip(scales);
                let values: Vec<f32> = blocks
                    .flat_map(|(block, scale)| {
                        block.iter().map(move |&q| f32::from(q as i8) * scale)
                    })
                    .collect();
                Tensor::from_vec(values, view.shape(), &Device::Cpu)?
            }
            Dtype::F16 if name.ends_with(SCALE) => continue,
            other => return Err(bad(format!("{name} is of type {other:?}"))),
        };
        tensors.insert(name, values);
    }
    Ok((header, tensors))
}

#[cfg(feature = "notebook")]
mod write;
#[cfg(feature = "notebook")]
pub use write::PageModel;
