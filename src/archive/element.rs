//! The types of the elements in these files, and tensors out of their bytes.

use candle_core::{DType, Device, Tensor};

/// Elements that no layout may exceed where the file holds fewer: a tensor may repeat its storage.
const LARGEST_REPEATED: usize = 1 << 24;

/// How one number is stored, little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    F16,
    BF16,
    F32,
    F64,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    Bool,
}

impl Element {
    /// Bytes of one number.
    pub(super) fn size(self) -> usize {
        match self {
            Self::I8 | Self::U8 | Self::Bool => 1,
            Self::F16 | Self::BF16 | Self::I16 | Self::U16 => 2,
            Self::F32 | Self::I32 | Self::U32 => 4,
            Self::F64 | Self::I64 | Self::U64 => 8,
        }
    }

    /// A tensor of `bytes`, which lie one after the other in the order of `shape`.
    pub(super) fn tensor(self, bytes: &[u8], shape: &[usize]) -> Result<Tensor, String> {
        let n = count(shape).ok_or_else(|| format!("the shape {shape:?} is too large"))?;
        if n.checked_mul(self.size()) != Some(bytes.len()) {
            return Err(format!(
                "there are {} bytes for the shape {shape:?} of {} bytes a number",
                bytes.len(),
                self.size()
            ));
        }
        let raw = |dtype| Tensor::from_raw_buffer(bytes, dtype, shape, &Device::Cpu);
        let made = match self {
            // A shape with a 0 in it has no bytes, which not every conversion accepts.
            _ if n == 0 => Tensor::zeros(shape, self.dtype(), &Device::Cpu),
            Self::F16 | Self::BF16 | Self::F32 | Self::F64 | Self::I64 | Self::U8 => {
                raw(self.dtype())
            }
            Self::Bool => {
                let values: Vec<u8> = bytes.iter().map(|&b| u8::from(b != 0)).collect();
                Tensor::from_vec(values, shape, &Device::Cpu)
            }
            _ => Tensor::from_vec(self.integers(bytes)?, shape, &Device::Cpu),
        };
        made.map_err(|error| error.to_string())
    }

    /// What a tensor of these is here.
    fn dtype(self) -> DType {
        match self {
            Self::F16 => DType::F16,
            Self::BF16 => DType::BF16,
            Self::F32 => DType::F32,
            Self::F64 => DType::F64,
            Self::U8 | Self::Bool => DType::U8,
            _ => DType::I64,
        }
    }

    fn integers(self, bytes: &[u8]) -> Result<Vec<i64>, String> {
        bytes
            .chunks_exact(self.size())
            .map(|chunk| {
                let mut wide = [0; 8];
                wide[..chunk.len()].copy_from_slice(chunk);
                let unsigned = u64::from_le_bytes(wide);
                match self {
                    // The bits of the narrow number, its sign carried upwards.
                    Self::I8 => Ok(i64::from(unsigned as u8 as i8)),
                    Self::I16 => Ok(i64::from(unsigned as u16 as i16)),
                    Self::I32 => Ok(i64::from(unsigned as u32 as i32)),
                    _ => i64::try_from(unsigned)
                        .map_err(|_| format!("the number {unsigned} is above 2^63 - 1")),
                }
            })
            .collect()
    }
}

/// Number of elements; `None` where it is out of range.
pub(super) fn count(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |n, &dim| n.checked_mul(dim))
}

/// A part of a storage: where it begins and how its axes lie, counted in elements.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layout {
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    pub(super) strides: Vec<usize>,
}

impl Layout {
    /// The bytes of the elements in the order of the shape, out of a storage.
    ///
    /// # Errors
    /// A layout that reaches beyond the storage, or that repeats it beyond measure.
    pub(super) fn gather(&self, storage: &[u8], size: usize) -> Result<Vec<u8>, String> {
        let held = storage.len() / size.max(1);
        let n = self.elements(held)?;
        if n == 0 {
            return Ok(Vec::new());
        }
        let contiguous = self.strides_are_contiguous();
        if contiguous {
            let from = self.offset * size;
            return Ok(storage[from..from + n * size].to_vec());
        }
        let mut bytes = Vec::with_capacity(n * size);
        let mut index = vec![0usize; self.shape.len()];
        let mut at = self.offset;
        for _ in 0..n {
            bytes.extend_from_slice(&storage[at * size..(at + 1) * size]);
            // The next index in the order of the shape, and where it lies.
            for axis in (0..self.shape.len()).rev() {
                index[axis] += 1;
                // Beyond the last element it may leave the storage, and even wrap; it comes back.
                at = at.wrapping_add(self.strides[axis]);
                if index[axis] < self.shape[axis] {
                    break;
                }
                at = at.wrapping_sub(self.shape[axis].wrapping_mul(self.strides[axis]));
                index[axis] = 0;
            }
        }
        Ok(bytes)
    }

    /// Number of elements, once it is certain that each lies within `held`.
    fn elements(&self, held: usize) -> Result<usize, String> {
        let Self {
            offset,
            shape,
            strides,
        } = self;
        let wrong = |what: &str| {
            format!(
                "shape {shape:?}, strides {strides:?} and offset {offset} of a storage of {held} numbers: \
                 {what}"
            )
        };
        if shape.len() != strides.len() {
            return Err(wrong("as many strides as axes are needed"));
        }
        let n = count(shape).ok_or_else(|| wrong("there are too many elements"))?;
        if n == 0 {
            return Ok(0);
        }
        let last = shape
            .iter()
            .zip(strides)
            .try_fold(*offset, |at, (&dim, &stride)| {
                (dim - 1).checked_mul(stride)?.checked_add(at)
            });
        match last {
            Some(last) if last < held => {}
            _ => return Err(wrong("it reaches beyond the storage")),
        }
        if n > held.max(LARGEST_REPEATED) {
            return Err(wrong("it repeats the storage too often"));
        }
        Ok(n)
    }

    fn strides_are_contiguous(&self) -> bool {
        let mut expected = 1;
        for (&dim, &stride) in self.shape.iter().zip(&self.strides).rev() {
            if dim != 1 && stride != expected {
                return false;
            }
            expected *= dim;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(values: &[u8]) -> Vec<u8> {
        values.to_vec()
    }

    #[test]
    fn integers_keep_their_sign_and_value() {
        let of = |element: Element, bytes: &[u8]| {
            let n = bytes.len() / element.size();
            let tensor = element.tensor(bytes, &[n]).unwrap();
            tensor.to_vec1::<i64>().unwrap()
        };
        assert_eq!(of(Element::I8, &[0xff, 0x7f]), [-1, 127]);
        assert_eq!(of(Element::I16, &[0xfe, 0xff]), [-2]);
        assert_eq!(of(Element::U16, &[0xfe, 0xff]), [65_534]);
        assert_eq!(of(Element::I32, &[3, 0, 0, 0x80]), [-2_147_483_645]);
        assert_eq!(of(Element::U32, &[3, 0, 0, 0x80]), [2_147_483_651]);
        let large = Element::U64.tensor(&[0xff; 8], &[1]).unwrap_err();
        assert!(large.contains("18446744073709551615"), "{large}");
        let flags = Element::Bool.tensor(&[0, 1, 2], &[3]).unwrap();
        assert_eq!(flags.to_vec1::<u8>().unwrap(), [0, 1, 1]);
    }

    #[test]
    fn a_transposed_view_is_gathered_in_the_order_of_its_shape() {
        // Rows (0 1 2) and (3 4 5), read as [3, 2].
        let layout = Layout {
            offset: 0,
            shape: vec![3, 2],
            strides: vec![1, 3],
        };
        assert_eq!(
            layout.gather(&bytes(&[0, 1, 2, 3, 4, 5]), 1).unwrap(),
            [0, 3, 1, 4, 2, 5]
        );
    }

    #[test]
    fn a_layout_beyond_its_storage_is_refused() {
        for (offset, shape, strides) in [
            (0, vec![7], vec![1]),
            (5, vec![2], vec![1]),
            (0, vec![2, 3], vec![4, 1]),
            (0, vec![usize::MAX, 2], vec![1, 1]),
            (usize::MAX, vec![1], vec![1]),
            (0, vec![2], vec![usize::MAX]),
            (0, vec![2], vec![1, 1]),
            (0, vec![1 << 30], vec![0]),
        ] {
            let layout = Layout {
                offset,
                shape,
                strides,
            };
            assert!(layout.gather(&[0; 6], 1).is_err(), "{layout:?}");
        }
    }

    proptest! {
        /// Against indexing by hand, element by element.
        #[test]
        fn gathering_is_indexing(
            a in 0usize..4, b in 0usize..4, strides in (0usize..5, 0usize..5), offset in 0usize..4,
        ) {
            let storage: Vec<u8> = (0..20).collect();
            let layout = Layout { offset, shape: vec![a, b], strides: vec![strides.0, strides.1] };
            let mut expected = Vec::new();
            for i in 0..a {
                for j in 0..b {
                    expected.push(storage.get(offset + i * strides.0 + j * strides.1).copied());
                }
            }
            let expected: Option<Vec<u8>> = expected.into_iter().collect();
            prop_assert_eq!(layout.gather(&storage, 1).ok(), expected);
        }
    }
}
