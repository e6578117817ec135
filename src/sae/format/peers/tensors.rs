//! The tensors of another library's file; every one must be read.

use crate::archive::{read_npz, read_torch};
use crate::error::{Error, Result};
use crate::model::{check_finite, read_tensors};
use candle_core::{DType, Tensor};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The entries that have not been taken yet.
#[derive(Debug)]
pub(super) struct Tensors {
    pub(super) path: PathBuf,
    format: &'static str,
    tensors: BTreeMap<String, Tensor>,
    /// Entries that are not tensors, or have an unsupported type, with a description of each.
    others: BTreeMap<String, String>,
}

impl Tensors {
    /// Reads a file by the ending of its name: `.safetensors`, `.npz`, `.pt` or `.pth`.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Format`].
    pub(super) fn read(path: &Path, format: &'static str) -> Result<Self> {
        let ending = path.extension().and_then(|ending| ending.to_str());
        let (tensors, others) = match ending {
            Some("npz") => {
                let found = read_npz(path)?;
                (found.tensors, found.others)
            }
            Some("pt" | "pth") => {
                let found = read_torch(path)?;
                (found.tensors, found.others)
            }
            _ => {
                let found = read_tensors(path)?;
                let others = found.others.into_iter();
                let others = others.map(|(name, dtype)| (name, format!("of type {dtype}")));
                (found.tensors, others.collect())
            }
        };
        Ok(Self {
            path: path.to_owned(),
            format,
            tensors,
            others,
        })
    }

    /// The error for an invalid file.
    pub(super) fn refuse(&self, reason: impl std::fmt::Display) -> Error {
        Error::format(&self.path, self.format, reason)
    }

    pub(super) fn holds(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Removes and returns a tensor in f32, whose entries must be finite.
    ///
    /// # Errors
    /// [`Error::Format`] where it is missing, not a tensor, or not finite.
    pub(super) fn take(&mut self, name: &str) -> Result<Tensor> {
        let Some(tensor) = self.tensors.remove(name) else {
            let known = self.tensors.keys().cloned().collect::<Vec<_>>().join(", ");
            return Err(self.refuse(match self.others.get(name) {
                Some(what) => format!("{name} is {what}, expected a tensor of numbers"),
                None => format!("there is no tensor {name}; there are {known}"),
            }));
        };
        check_finite(&self.path, self.format, name, &tensor)?;
        Ok(tensor.to_dtype(DType::F32)?.contiguous()?)
    }

    /// A matrix, transposed: the weight of a `torch.nn.Linear` is `[out, in]`.
    ///
    /// # Errors
    /// Those of [`Tensors::take`]; [`Error::Shape`] where it is not a matrix.
    pub(super) fn take_transposed(&mut self, name: &str) -> Result<Tensor> {
        let tensor = self.take(name)?;
        match tensor.rank() {
            2 => Ok(tensor.t()?.contiguous()?),
            _ => Err(Error::shape(name, "a matrix", tensor.dims())),
        }
    }

    /// The value of a tensor without axes or with one entry; `None` where there is no such tensor.
    ///
    /// # Errors
    /// [`Error::Shape`] for more than one entry; those of [`Tensors::take`].
    pub(super) fn take_number(&mut self, name: &str) -> Result<Option<f64>> {
        if !self.holds(name) {
            return Ok(None);
        }
        let tensor = self.tensors.remove(name);
        let Some(tensor) = tensor.filter(|tensor| tensor.elem_count() == 1) else {
            return Err(self.refuse(format!("{name} is no single number")));
        };
        let number = tensor
            .to_dtype(DType::F64)?
            .flatten_all()?
            .to_vec1::<f64>()?[0];
        match number.is_finite() {
            true => Ok(Some(number)),
            false => Err(self.refuse(format!("{name} is {number}, expected a finite number"))),
        }
    }

    /// Checks that every entry has been read; `of` describes, in the error, what has no such tensor.
    ///
    /// # Errors
    /// [`Error::Format`] naming the first entry that is left.
    pub(super) fn finish(&self, of: &str) -> Result<()> {
        let tensors = self.tensors.iter();
        let tensors = tensors.map(|(name, tensor)| (name, format!("{:?}", tensor.dims())));
        let others = self.others.iter().map(|(name, what)| (name, what.clone()));
        match tensors.chain(others).next() {
            None => Ok(()),
            Some((name, what)) => Err(self.refuse(format!(
                "unknown tensor {name:?} ({what}): {of} has none of that name; if it changes nothing, \
                 remove it from the file"
            ))),
        }
    }
}

/// Compares the configuration's widths with those of the tensors.
///
/// # Errors
/// [`Error::Shape`] for the first that differs.
pub(super) fn check_widths(widths: &[(&str, Option<u64>, usize)]) -> Result<()> {
    for (name, said, found) in widths {
        if let Some(said) = said
            && *said != *found as u64
        {
            return Err(Error::shape(format!("the tensors ({name})"), said, found));
        }
    }
    Ok(())
}
