//! `torch.save` of a state dict, since PyTorch 1.6: a zip archive.
//!
//! `{name}/data.pkl` is a pickle whose tensors name their storages, `{name}/data/{key}` are these, and
//! `{name}/byteorder` says "little". Source: PyTorch's `torch/serialization.py` (`_save`, `_load`).

use super::element::{Element, Layout};
use super::pickle::{Pickle, Storage, Value};
use super::tensor_map::TensorMap;
use super::zip_members::{ZipMembers, begins_as_zip};
use crate::error::{Error, Result};
use candle_core::Tensor;
use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

const FORMAT: &str = "PyTorch file (torch.save)";

/// The entries of a state dict, by name: tensors of any strides, and what else there is.
///
/// # Errors
/// [`Error::Io`]; [`Error::Format`] for a damaged file, one from before PyTorch 1.6, and one that
/// holds something else than a dict with texts as keys.
pub(crate) fn read_torch(path: &Path) -> Result<TensorMap> {
    let bad = |reason: String| Error::format(path, FORMAT, reason);
    if !begins_as_zip(path).map_err(Error::io("read", path))? {
        return Err(bad(
            "not a zip archive: torch.save has written zip archives since PyTorch 1.6; load it in \
             Python and save it again (torch.save(torch.load(path), path))"
                .to_owned(),
        ));
    }
    let file = File::open(path).map_err(Error::io("read", path))?;
    state_dict(file).map_err(bad)
}

fn state_dict(file: File) -> Result<TensorMap, String> {
    let mut archive = Archive::open(file)?;
    let bytes = archive
        .members
        .read(&format!("{}data.pkl", archive.prefix))?;
    let pickle = Pickle::read(&bytes)?;
    let Value::Dict(entries) = pickle.root() else {
        return Err(format!(
            "it holds {}, expected a state dict; save model.state_dict() instead",
            pickle.root().describe()
        ));
    };
    let mut found = TensorMap::default();
    for &(key, value) in entries {
        let Value::Text(name) = pickle.get(key) else {
            return Err(format!(
                "a key of the state dict is {}, expected a text",
                pickle.get(key).describe()
            ));
        };
        match pickle.get(value) {
            Value::Tensor { storage, layout } => {
                let tensor = archive.tensor(storage, layout);
                let tensor = tensor.map_err(|reason| format!("tensor {name:?}: {reason}"))?;
                match tensor {
                    Some(tensor) => {
                        found.tensors.insert(name.clone(), tensor);
                    }
                    None => {
                        found
                            .others
                            .insert(name.clone(), format!("of {}", storage.class));
                    }
                }
            }
            other => {
                found.others.insert(name.clone(), other.describe());
            }
        }
    }
    Ok(found)
}

/// The archive, with the storages that have been read: tensors share them.
struct Archive {
    members: ZipMembers,
    prefix: String,
    storages: HashMap<String, Vec<u8>>,
}

impl Archive {
    fn open(file: File) -> Result<Self, String> {
        let mut members = ZipMembers::open(file)?;
        let names = members.names()?;
        let mut pickles = names.iter().filter_map(|name| {
            let prefix = name.strip_suffix("data.pkl")?;
            (prefix.is_empty() || prefix.ends_with('/')).then_some(prefix)
        });
        let prefix = match (pickles.next(), pickles.next()) {
            (Some(prefix), None) => prefix.to_owned(),
            (None, _) => return Err("there is no member data.pkl".to_owned()),
            (Some(_), Some(_)) => return Err("there are several members data.pkl".to_owned()),
        };
        let order = format!("{prefix}byteorder");
        // Older versions wrote little-endian, and no such member.
        if names.contains(&order) && members.read(&order)?.trim_ascii() != b"little" {
            return Err("its numbers are not little-endian".to_owned());
        }
        Ok(Self {
            members,
            prefix,
            storages: HashMap::new(),
        })
    }

    /// `None` for numbers of a type that cannot be read.
    fn tensor(&mut self, storage: &Storage, layout: &Layout) -> Result<Option<Tensor>, String> {
        let Some(element) = element(&storage.class) else {
            return Ok(None);
        };
        if !self.storages.contains_key(&storage.key) {
            let bytes = self
                .members
                .read(&format!("{}data/{}", self.prefix, storage.key))?;
            self.storages.insert(storage.key.clone(), bytes);
        }
        let bytes = &self.storages[&storage.key];
        if storage.len.checked_mul(element.size()) != Some(bytes.len()) {
            return Err(format!(
                "its storage has {} bytes, expected {} numbers of {}",
                bytes.len(),
                storage.len,
                element.size()
            ));
        }
        let gathered = layout.gather(bytes, element.size())?;
        element.tensor(&gathered, &layout.shape).map(Some)
    }
}

fn element(class: &str) -> Option<Element> {
    Some(match class.strip_prefix("torch.")? {
        "HalfStorage" => Element::F16,
        "BFloat16Storage" => Element::BF16,
        "FloatStorage" => Element::F32,
        "DoubleStorage" => Element::F64,
        "CharStorage" => Element::I8,
        "ShortStorage" => Element::I16,
        "IntStorage" => Element::I32,
        "LongStorage" => Element::I64,
        "ByteStorage" => Element::U8,
        "BoolStorage" => Element::Bool,
        _ => return None,
    })
}
