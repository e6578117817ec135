//! Tensors to and from `.safetensors` files.
//!
//! A crash while writing leaves the old file whole. Source: the safetensors format, version 0.

use crate::error::{Error, Result};
#[cfg(feature = "notebook")]
use crate::file::write_whole;
use candle_core::{DType, Device, Tensor};
use safetensors::SafeTensors;
use safetensors::tensor::Dtype;
#[cfg(feature = "notebook")]
use safetensors::{serialize, tensor::TensorView};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

const FORMAT: &str = "safetensors file";

/// What a file holds, on the CPU.
pub(crate) struct TensorFile {
    pub(crate) tensors: BTreeMap<String, Tensor>,
    /// Tensors of types that no parameter has (masks of other libraries): their type by name.
    pub(crate) others: BTreeMap<String, String>,
    pub(crate) metadata: HashMap<String, String>,
}

/// A file's tensors and metadata.
pub(crate) fn read(path: &Path) -> Result<TensorFile> {
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    parse(&bytes, path)
}

/// The tensors and metadata of a file's bytes; `path` is what errors name.
pub(crate) fn parse(bytes: &[u8], path: &Path) -> Result<TensorFile> {
    let bad = |err: safetensors::SafeTensorError| Error::format(path, FORMAT, err);
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(bad)?;
    let file = SafeTensors::deserialize(bytes).map_err(bad)?;
    let (mut tensors, mut others) = (BTreeMap::new(), BTreeMap::new());
    for (name, view) in file.tensors() {
        let dtype = match view.dtype() {
            Dtype::F32 => DType::F32,
            Dtype::F16 => DType::F16,
            Dtype::BF16 => DType::BF16,
            Dtype::F64 => DType::F64,
            Dtype::I64 => DType::I64,
            Dtype::U32 => DType::U32,
            Dtype::U8 => DType::U8,
            other => {
                others.insert(name, format!("{other:?}"));
                continue;
            }
        };
        let value = Tensor::from_raw_buffer(view.data(), dtype, view.shape(), &Device::Cpu)?;
        tensors.insert(name, value);
    }
    Ok(TensorFile {
        tensors,
        others,
        metadata: header.metadata().clone().unwrap_or_default(),
    })
}

/// Refuses a tensor with an entry that is not a finite number, naming the first.
///
/// # Errors
/// [`Error::Format`] of the file at `path`.
pub(crate) fn check_finite(
    path: &Path,
    format: &'static str,
    name: &str,
    value: &Tensor,
) -> Result<()> {
    let values = value
        .to_dtype(DType::F32)?
        .flatten_all()?
        .to_vec1::<f32>()?;
    let Some(at) = values.iter().position(|x| !x.is_finite()) else {
        return Ok(());
    };
    let mut rest = at;
    let mut index: Vec<usize> = value
        .dims()
        .iter()
        .rev()
        .map(|&dim| (rest % dim, rest /= dim).0)
        .collect();
    index.reverse();
    let reason = format!(
        "{name}{index:?} is {}; parameters must be finite (candle's safetensors::load reads such a \
         file to look at it)",
        values[at]
    );
    Err(Error::format(path, format, reason))
}

/// Writes `tensors` (f32, f16 or bf16) with `metadata`.
#[cfg(feature = "notebook")]
pub(super) fn write(
    path: &Path,
    tensors: &[(String, Tensor)],
    metadata: HashMap<String, String>,
) -> Result<()> {
    let mut buffers = Vec::with_capacity(tensors.len());
    for (name, value) in tensors {
        buffers.push((name.clone(), value.dims().to_vec(), raw_bytes(value)?));
    }
    let mut views = Vec::with_capacity(buffers.len());
    for (name, shape, (dtype, bytes)) in &buffers {
        let view = TensorView::new(*dtype, shape.clone(), bytes)
            .map_err(|err| Error::format(path, FORMAT, err))?;
        views.push((name.clone(), view));
    }
    let bytes = serialize(views, Some(metadata)).map_err(|err| Error::format(path, FORMAT, err))?;
    write_file(path, &bytes)
}

/// Writes a whole file, its folder made if missing.
#[cfg(feature = "notebook")]
pub(super) fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    }
    write_whole(path, bytes)
}

#[cfg(feature = "notebook")]
fn raw_bytes(value: &Tensor) -> Result<(Dtype, Vec<u8>)> {
    let value = value.flatten_all()?;
    Ok(match value.dtype() {
        DType::F16 => {
            let values = value.to_vec1::<half::f16>()?;
            (
                Dtype::F16,
                values.iter().flat_map(|x| x.to_le_bytes()).collect(),
            )
        }
        DType::BF16 => {
            let values = value.to_vec1::<half::bf16>()?;
            (
                Dtype::BF16,
                values.iter().flat_map(|x| x.to_le_bytes()).collect(),
            )
        }
        _ => {
            let values = value.to_dtype(DType::F32)?.to_vec1::<f32>()?;
            (
                Dtype::F32,
                values.iter().flat_map(|x| x.to_le_bytes()).collect(),
            )
        }
    })
}
