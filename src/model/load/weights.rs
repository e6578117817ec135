//! The tensors of a model's files, of which none may be left over.

use super::super::checkpoint::weight_files;
use super::super::safetensors_io as io;
use crate::archive::{TensorMap, read_torch};
use crate::error::{Error, Result};
use candle_core::{DType, Tensor};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What has not been taken yet of a folder's weights.
pub(super) struct Weights {
    /// What the weights are, for messages: "GPT-2 weights".
    format: &'static str,
    tensors: BTreeMap<String, (Tensor, PathBuf)>,
    /// What no parameter can be, with what it is.
    others: BTreeMap<String, (String, PathBuf)>,
}

impl Weights {
    /// All files of a folder; `rename` gives the names that the loader knows the tensors by.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Format`] for a damaged file or a tensor that is there twice.
    pub(super) fn read(
        folder: &Path,
        format: &'static str,
        rename: impl Fn(&str) -> &str,
    ) -> Result<Self> {
        let mut weights = Self {
            format,
            tensors: BTreeMap::new(),
            others: BTreeMap::new(),
        };
        for file in weight_files(folder)? {
            let found = read_file(&file)?;
            for (name, value) in found.tensors {
                let name = rename(&name);
                let entry = (value, file.clone());
                if weights.tensors.insert(name.to_owned(), entry).is_some() {
                    return Err(Error::format(
                        &file,
                        format,
                        format!("{name} is there twice"),
                    ));
                }
            }
            for (name, dtype) in found.others {
                weights
                    .others
                    .insert(rename(&name).to_owned(), (dtype, file.clone()));
            }
        }
        Ok(weights)
    }

    /// A tensor in f32, of the shape that the configuration gives it.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Shape`]; [`Error::Format`] for entries that are not finite.
    pub(super) fn take(&mut self, name: &str, shape: &[usize]) -> Result<Tensor> {
        let Some((value, path)) = self.tensors.remove(name) else {
            if let Some((dtype, path)) = self.others.get(name) {
                let reason = format!("{name} is {dtype}, which cannot be read");
                return Err(Error::format(path, self.format, reason));
            }
            return Err(Error::NotFound {
                kind: "parameter",
                name: name.to_owned(),
                known: self.tensors.keys().cloned().collect(),
            });
        };
        if value.dims() != shape {
            return Err(Error::shape(name, shape, value.dims()));
        }
        let value = value.to_dtype(DType::F32)?;
        io::check_finite(&path, self.format, name, &value)?;
        Ok(value)
    }

    /// Whether there is a tensor of this name still to be taken.
    pub(super) fn holds(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Refuses what is left, but for tensors that change nothing; `why` says of the others why the
    /// model has no place for them.
    ///
    /// # Errors
    /// [`Error::Format`] naming the first tensor that nothing has read.
    pub(super) fn finish(
        self,
        inert: impl Fn(&str) -> bool,
        why: impl Fn(&str) -> Option<String>,
    ) -> Result<()> {
        let tensors = self.tensors.into_iter();
        let tensors = tensors.map(|(name, (value, path))| {
            let shape = value.dims().to_vec();
            (name, format!("{shape:?}"), path)
        });
        let others = self.others.into_iter();
        let others = others.map(|(name, (dtype, path))| (name, dtype, path));
        match tensors.chain(others).find(|(name, ..)| !inert(name)) {
            None => Ok(()),
            Some((name, what, path)) => {
                let why = why(&name).unwrap_or_else(|| {
                    "no part of a model of this configuration reads it; if it changes nothing, remove \
                     it from the file"
                        .to_owned()
                });
                let reason = format!("unknown tensor {name:?} ({what}): {why}");
                Err(Error::format(path, self.format, reason))
            }
        }
    }
}

/// A file of tensors, written as safetensors or by `torch.save`.
fn read_file(path: &Path) -> Result<TensorMap> {
    if path
        .extension()
        .is_some_and(|end| end == "pth" || end == "bin")
    {
        return read_torch(path);
    }
    let found = io::read(path)?;
    Ok(TensorMap {
        tensors: found.tensors,
        others: found
            .others
            .into_iter()
            .map(|(name, dtype)| (name, format!("of type {dtype}")))
            .collect(),
    })
}

/// Where a configuration ties the two, the unembedding may be in the file as a second copy of the
/// embedding; `names` are theirs.
///
/// # Errors
/// [`Error::Format`] if it is no copy.
pub(super) fn check_tied(
    (head, embedding): (&Tensor, &Tensor),
    names: [&str; 2],
    folder: &Path,
    format: &'static str,
) -> Result<()> {
    let values = |t: &Tensor| t.flatten_all()?.to_vec1::<f32>();
    if values(head)? == values(embedding)? {
        return Ok(());
    }
    let [head, embedding] = names;
    let reason = format!(
        "{head} is not {embedding}, but tie_word_embeddings is true (or the default, which is true): \
         say which of the two holds, by setting tie_word_embeddings to false in config.json or \
         removing {head}"
    );
    Err(Error::format(folder, format, reason))
}

/// What follows the block's number in `{before}.{number}.{rest}`.
pub(super) fn within_block<'a>(name: &'a str, before: &str) -> Option<&'a str> {
    let (number, rest) = name
        .strip_prefix(before)?
        .strip_prefix('.')?
        .split_once('.')?;
    number.parse::<usize>().ok()?;
    Some(rest)
}
