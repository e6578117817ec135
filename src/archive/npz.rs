//! NumPy's `.npz`: a zip archive of `.npy` arrays.
//!
//! An array is a magic, a version, a header (`{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`)
//! and the elements. Source: NumPy's `numpy.lib.format`, versions 1.0 to 3.0.

use super::element::{Element, count};
use super::tensor_map::TensorMap;
use super::zip_members::{ZipMembers, begins_as_zip};
use crate::error::{Error, Result};
use candle_core::Tensor;
use std::fs::File;
use std::path::Path;

const FORMAT: &str = "NumPy archive (.npz)";

/// The arrays of an archive, by their names without `.npy`.
///
/// # Errors
/// [`Error::Io`]; [`Error::Format`] for a damaged archive or array. Arrays of other types than
/// numbers and truth values are listed among the others.
pub(crate) fn read_npz(path: &Path) -> Result<TensorMap> {
    let bad = |reason: String| Error::format(path, FORMAT, reason);
    if !begins_as_zip(path).map_err(Error::io("read", path))? {
        return Err(bad("it does not begin as a zip archive".to_owned()));
    }
    let file = File::open(path).map_err(Error::io("read", path))?;
    let mut members = ZipMembers::open(file).map_err(bad)?;
    let mut found = TensorMap::default();
    for member in members.names().map_err(bad)? {
        let Some(name) = member.strip_suffix(".npy") else {
            found.others.insert(member, "no array".to_owned());
            continue;
        };
        let bytes = members.read(&member).map_err(bad)?;
        match array(&bytes).map_err(|reason| bad(format!("array {name:?}: {reason}")))? {
            Array::Tensor(tensor) => {
                found.tensors.insert(name.to_owned(), tensor);
            }
            Array::OfType(descr) => {
                found
                    .others
                    .insert(name.to_owned(), format!("of type {descr}"));
            }
        }
    }
    Ok(found)
}

enum Array {
    Tensor(Tensor),
    /// Of elements that are no numbers.
    OfType(String),
}

fn array(bytes: &[u8]) -> Result<Array, String> {
    let rest = bytes
        .strip_prefix(b"\x93NUMPY")
        .ok_or("it does not begin with NumPy's magic")?;
    let [major, _, rest @ ..] = rest else {
        return Err("it ends within the version".to_owned());
    };
    let cut = || "it ends within the header".to_owned();
    let (length, rest) = match major {
        1 => {
            let (length, rest) = rest.split_first_chunk::<2>().ok_or_else(cut)?;
            (usize::from(u16::from_le_bytes(*length)), rest)
        }
        2 | 3 => {
            let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(cut)?;
            (u32::from_le_bytes(*length) as usize, rest)
        }
        other => return Err(format!("version {other} of the format, expected 1, 2 or 3")),
    };
    let (header, data) = rest.split_at_checked(length).ok_or_else(cut)?;
    let header = std::str::from_utf8(header).map_err(|_| "the header is no text")?;
    let header = Header::parse(header)?;
    let Some(element) = element(&header.descr)? else {
        return Ok(Array::OfType(header.descr));
    };
    let tensor = match header.fortran_order {
        false => element.tensor(data, &header.shape)?,
        // The first axis runs fastest: the bytes are those of the transposed array.
        true => {
            let mut reversed = header.shape.clone();
            reversed.reverse();
            let axes: Vec<usize> = (0..reversed.len()).rev().collect();
            let tensor = element.tensor(data, &reversed)?;
            let turned = tensor.permute(axes).and_then(|tensor| tensor.contiguous());
            turned.map_err(|error| error.to_string())?
        }
    };
    Ok(Array::Tensor(tensor))
}

/// The numbers' type; `None` for what is no number.
fn element(descr: &str) -> Result<Option<Element>, String> {
    let (order, kind) = descr.split_at_checked(1).unwrap_or((descr, ""));
    if order == ">" {
        return Err(format!(
            "its type is {descr:?}, big-endian; write it again as little-endian (astype)"
        ));
    }
    Ok(match (order, kind) {
        ("<", "f2") => Some(Element::F16),
        ("<", "f4") => Some(Element::F32),
        ("<", "f8") => Some(Element::F64),
        ("<", "i2") => Some(Element::I16),
        ("<", "i4") => Some(Element::I32),
        ("<", "i8") => Some(Element::I64),
        ("<", "u2") => Some(Element::U16),
        ("<", "u4") => Some(Element::U32),
        ("<", "u8") => Some(Element::U64),
        ("|" | "<", "i1") => Some(Element::I8),
        ("|" | "<", "u1") => Some(Element::U8),
        ("|" | "<", "b1") => Some(Element::Bool),
        _ => None,
    })
}

/// What a header says.
#[derive(Debug, PartialEq)]
struct Header {
    descr: String,
    fortran_order: bool,
    shape: Vec<usize>,
}

impl Header {
    /// Of the text of a dict as Python writes it; its three keys may come in any order.
    fn parse(text: &str) -> Result<Self, String> {
        let whole = || format!("the header {:?} is not understood", shortened(text));
        let inner = text
            .trim()
            .strip_prefix('{')
            .and_then(|t| t.strip_suffix('}'));
        let mut rest = inner.ok_or_else(whole)?.trim();
        let (mut descr, mut fortran_order, mut shape) = (None, None, None);
        while !rest.is_empty() {
            let (key, after) = quoted(rest).ok_or_else(whole)?;
            let after = after.trim_start().strip_prefix(':').ok_or_else(whole)?;
            let after = after.trim_start();
            let after = match key {
                "descr" => match quoted(after) {
                    Some((text, after)) => {
                        descr = Some(text.to_owned());
                        after
                    }
                    None => return Err("its elements are structures".to_owned()),
                },
                "fortran_order" => {
                    let (flag, after) = truth(after).ok_or_else(whole)?;
                    fortran_order = Some(flag);
                    after
                }
                "shape" => {
                    let (dims, after) = tuple(after).ok_or_else(whole)?;
                    shape = Some(dims);
                    after
                }
                _ => return Err(format!("the header has the unknown key {key:?}")),
            };
            let after = after.trim_start();
            rest = after.strip_prefix(',').unwrap_or(after).trim_start();
        }
        let header = Self {
            descr: descr.ok_or_else(whole)?,
            fortran_order: fortran_order.ok_or_else(whole)?,
            shape: shape.ok_or_else(whole)?,
        };
        match count(&header.shape) {
            Some(_) => Ok(header),
            None => Err(format!("the shape {:?} is too large", header.shape)),
        }
    }
}

fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    text[1..].split_once(quote)
}

fn truth(text: &str) -> Option<(bool, &str)> {
    match text.strip_prefix("True") {
        Some(rest) => Some((true, rest)),
        None => Some((false, text.strip_prefix("False")?)),
    }
}

fn tuple(text: &str) -> Option<(Vec<usize>, &str)> {
    let (inner, rest) = text.strip_prefix('(')?.split_once(')')?;
    let dims = inner
        .split(',')
        .map(str::trim)
        .filter(|dim| !dim.is_empty());
    // Python 2 wrote long integers with an L.
    let dims = dims.map(|dim| dim.trim_end_matches('L').parse().ok());
    Some((dims.collect::<Option<_>>()?, rest))
}

fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As NumPy writes it.
    fn npy(header: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
    }

    fn tensor(header: &str, data: &[u8]) -> Result<Tensor, String> {
        match array(&npy(header, data))? {
            Array::Tensor(tensor) => Ok(tensor),
            Array::OfType(descr) => Err(descr),
        }
    }

    #[test]
    fn both_orders_give_the_same_matrix() {
        // numpy: a = np.array([[1, 2, 3], [4, 5, 6]], '<i2'); np.save of a and np.asfortranarray(a).
        let c = "{'descr': '<i2', 'fortran_order': False, 'shape': (2, 3), }          \n";
        let f = "{'descr': '<i2', 'fortran_order': True, 'shape': (2, 3), }           \n";
        let words = |values: [i16; 6]| values.map(i16::to_le_bytes).concat();
        let a = tensor(c, &words([1, 2, 3, 4, 5, 6])).unwrap();
        let b = tensor(f, &words([1, 4, 2, 5, 3, 6])).unwrap();
        assert_eq!(a.to_vec2::<i64>().unwrap(), [[1, 2, 3], [4, 5, 6]]);
        assert_eq!(b.to_vec2::<i64>().unwrap(), a.to_vec2::<i64>().unwrap());
        // A scalar and an empty array have shapes, too.
        let scalar = "{'descr': '<f4', 'fortran_order': False, 'shape': (), }";
        assert_eq!(
            tensor(scalar, &1.5f32.to_le_bytes())
                .unwrap()
                .to_scalar::<f32>()
                .unwrap(),
            1.5
        );
        let empty = "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 3), }";
        assert_eq!(tensor(empty, &[]).unwrap().dims(), [0, 3]);
    }

    #[test]
    fn what_is_no_array_of_numbers_is_named() {
        let message = |header: &str, data: &[u8]| tensor(header, data).unwrap_err();
        let of =
            |descr: &str| format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': (1,)}}");
        assert_eq!(message(&of("|O"), &[0; 8]), "|O");
        assert_eq!(message(&of("<U3"), &[0; 12]), "<U3");
        assert!(message(&of(">f4"), &[0; 4]).contains("big-endian"));
        assert!(message(&of("<f4"), &[0; 3]).contains("3 bytes"));
        assert!(message("{'descr': '<f4', 'shape': (1,)}", &[0; 4]).contains("header"));
        assert!(
            message(
                "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
                &[]
            )
            .contains("header")
        );
        let huge = "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 99999999999)}";
        assert!(message(huge, &[]).contains("too large"));
        assert!(array(b"\x93NUMPY\x01").is_err() && array(b"").is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(cut in 0usize..90, at in 0usize..90, byte: u8) {
            let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }";
            let mut bytes = npy(header, &[0; 8]);
            if let Some(b) = bytes.get_mut(at) {
                *b = byte;
            }
            bytes.truncate(cut.max(1));
            let _ = array(&bytes);
        }
    }
}
