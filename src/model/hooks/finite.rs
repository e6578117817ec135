//! The first element of a tensor or of an activation that is NaN or infinite.

use super::hook_name::{BlockPoint, HookName};
use crate::error::{Error, Result};
use candle_core::{CpuStorage, D, DType, Device, Storage, Tensor};
use std::fmt;

/// The first element of a pass that is NaN or infinite.
#[derive(Debug, Clone, PartialEq)]
pub struct NonFinite {
    /// The hook point, for example `blocks.0.mlp.hook_post`.
    pub hook_name: String,
    /// Where in the activation, an index an axis: `[batch, pos, ..]`, for `hook_attn_scores` and
    /// `hook_pattern` `[batch, head, query, key]`.
    pub index: Vec<usize>,
    /// NaN or an infinity.
    pub value: f64,
}

impl fmt::Display for NonFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            hook_name,
            index,
            value,
        } = self;
        write!(f, "{hook_name} is {value} at {index:?}")
    }
}

impl From<NonFinite> for Error {
    fn from(found: NonFinite) -> Error {
        Error::NotFiniteAt {
            what: found.hook_name,
            value: found.value,
            place: format!("{:?}", found.index),
        }
    }
}

/// The first element of an activation that is not finite and not a mask.
pub(in crate::model) fn non_finite_at(name: HookName, value: &Tensor) -> Result<Option<NonFinite>> {
    let scores = matches!(
        name,
        HookName::Block {
            point: BlockPoint::AttnScores,
            ..
        }
    );
    let found = if scores {
        // [.., query, key]: later keys are masked.
        let queries = value.dim(D::Minus2)?;
        let keys = value.dim(D::Minus1)?;
        first_where(value, |i, x| {
            let masked = i % keys > i / keys % queries;
            !(masked && x == f32::NEG_INFINITY)
        })?
    } else {
        first_not_finite(value)?
    };
    Ok(found.map(|(index, value)| NonFinite {
        hook_name: name.to_string(),
        index,
        value,
    }))
}

/// Index and value of the first element of a tensor that is NaN or infinite.
pub(crate) fn first_not_finite(t: &Tensor) -> Result<Option<(Vec<usize>, f64)>> {
    let place = {
        let (storage, layout) = t.storage_and_layout();
        match (&*storage, layout.contiguous_offsets()) {
            (Storage::Cpu(CpuStorage::F32(values)), Some((start, end))) => {
                let values = &values[start..end];
                first_not_finite_of(values).map(|i| (i, values[i]))
            }
            _ => None,
        }
    };
    if let Some((i, value)) = place {
        return Ok(Some((index_of(i, t.dims()), f64::from(value))));
    }
    let on_cpu = t.device().is_cpu() && t.dtype() == DType::F32 && t.is_contiguous();
    match on_cpu {
        true => Ok(None),
        false => first_where(t, |_, _| true),
    }
}

/// The first of the elements that are not finite for which `is_it`, given its place in memory.
fn first_where(
    t: &Tensor,
    is_it: impl Fn(usize, f32) -> bool,
) -> Result<Option<(Vec<usize>, f64)>> {
    let values = t.to_device(&Device::Cpu)?.to_dtype(DType::F32)?;
    let values = values.flatten_all()?.to_vec1::<f32>()?;
    let candidates = values.iter().enumerate().filter(|(_, x)| !x.is_finite());
    for (i, &x) in candidates {
        if is_it(i, x) {
            return Ok(Some((index_of(i, t.dims()), f64::from(x))));
        }
    }
    Ok(None)
}

/// Place of the first value that is NaN or infinite.
pub(crate) fn first_not_finite_of(values: &[f32]) -> Option<usize> {
    // The exponent's bits all set. A sum over a block, which becomes vector instructions; only the
    // block that has one is searched.
    const EXPONENT: u32 = 0x7f80_0000;
    let bad = |x: &f32| x.to_bits() & EXPONENT == EXPONENT;
    for (b, block) in values.chunks(1_024).enumerate() {
        if block.iter().map(|x| u32::from(bad(x))).sum::<u32>() > 0 {
            return block.iter().position(bad).map(|i| b * 1_024 + i);
        }
    }
    None
}

/// The index, one an axis, of element `i` of a row-major tensor.
fn index_of(mut i: usize, dims: &[usize]) -> Vec<usize> {
    let mut index = vec![0; dims.len()];
    for (at, &dim) in index.iter_mut().zip(dims).rev() {
        *at = i % dim.max(1);
        i /= dim.max(1);
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_a_tensor_is_found_whatever_its_layout_and_type() {
        let mut values = vec![0.5f32; 3_000];
        assert_eq!(first_not_finite_of(&values), None);
        (values[2_500], values[1_700]) = (f32::NAN, f32::NEG_INFINITY);
        assert_eq!(first_not_finite_of(&values), Some(1_700));
        let t = Tensor::from_vec(values, (2, 3, 500), &Device::Cpu).unwrap();
        // 1,700 = 1 * 1,500 + 0 * 500 + 200.
        let found = Some((vec![1, 0, 200], f64::NEG_INFINITY));
        assert_eq!(first_not_finite(&t).unwrap(), found);
        // 2,500 = 1 * 1,500 + 2 * 500 + 0: transposed, [0, 2, 1] comes before [200, 0, 1].
        let turned = t.permute((2, 1, 0)).unwrap();
        let (index, value) = first_not_finite(&turned).unwrap().unwrap();
        assert!(index == [0, 2, 1] && value.is_nan());
        for dtype in [DType::F16, DType::BF16, DType::F64] {
            let (index, _) = first_not_finite(&t.to_dtype(dtype).unwrap())
                .unwrap()
                .unwrap();
            assert_eq!(index, [1, 0, 200], "{dtype:?}");
        }
    }

    #[test]
    fn relu_keeps_nan_in_every_type() {
        for dtype in [DType::F32, DType::F16, DType::BF16] {
            let x = Tensor::new(&[f32::NAN, -1.0, 2.0], &Device::Cpu).unwrap();
            let y = crate::model::relu(&x.to_dtype(dtype).unwrap()).unwrap();
            let y: Vec<f32> = y.to_dtype(DType::F32).unwrap().to_vec1().unwrap();
            assert!(y[0].is_nan() && y[1..] == [0.0, 2.0], "{dtype:?}: {y:?}");
        }
    }

    #[test]
    fn a_mask_is_no_infinity_but_an_infinite_score_is() {
        let at = HookName::Block {
            layer: 0,
            point: BlockPoint::AttnScores,
        };
        let inf = f32::INFINITY;
        let scores = |last: [f32; 2]| {
            let rows = [[1.0, -inf], last];
            Tensor::new(&[[rows]], &Device::Cpu).unwrap()
        };
        assert_eq!(non_finite_at(at, &scores([1.0, 2.0])).unwrap(), None);
        let found = non_finite_at(at, &scores([-inf, 2.0])).unwrap().unwrap();
        assert_eq!(found.index, [0, 0, 1, 0]);
        let masked = Tensor::new(&[[[[1.0, inf], [1.0, 2.0]]]], &Device::Cpu).unwrap();
        let found = non_finite_at(at, &masked).unwrap().unwrap();
        assert_eq!(
            (found.index, found.value),
            (vec![0, 0, 0, 1], f64::INFINITY)
        );
    }
}
