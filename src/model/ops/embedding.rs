//! The gradient of an embedding from those of the rows that were looked up.
//!
//! `dW[id] = sum of the rows' gradients at which id was read`, zero for every other id.

use super::elements;
use candle_core::{Result, Tensor, bail};
use rayon::prelude::*;
use std::mem::MaybeUninit;

/// Elements that one task clears.
const CLEARED_AT_ONCE: usize = 256 * 1024;

/// `grad` `[n, d]` of the rows `ids` (`n` of them, below `v`) to `[v, d]`; rows read more than
/// once are added in their order. f32 only.
pub(in crate::model) fn embedding_gradient(grad: &Tensor, ids: &[u32], v: usize) -> Result<Tensor> {
    let (n, d) = grad.dims2()?;
    if ids.len() != n || ids.iter().any(|&id| id as usize >= v) {
        bail!("an embedding's gradient needs one id below {v} for each of {n} rows")
    }
    let mut dw: Vec<f32> = Vec::with_capacity(v * d);
    // Most of it stays zero; one thread alone would take as long as the rest of it all.
    dw.spare_capacity_mut()[..v * d]
        .par_chunks_mut(CLEARED_AT_ONCE)
        .for_each(|part| part.fill(MaybeUninit::new(0.0)));
    // SAFETY: each of these elements has just been written.
    unsafe { dw.set_len(v * d) };
    let grad = grad.contiguous()?;
    {
        let (storage, layout) = grad.storage_and_layout();
        let rows = elements(&storage, layout)?.chunks_exact(d.max(1));
        for (id, row) in ids.iter().zip(rows) {
            let sums = &mut dw[*id as usize * d..][..d];
            for (sum, g) in sums.iter_mut().zip(row) {
                *sum += g;
            }
        }
    }
    Tensor::from_vec(dw, (v, d), grad.device())
}

#[cfg(test)]
mod tests {
    use super::super::checks::{flat, random, weighted_sum};
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        /// What candle's own look-up gives, ids read twice and not at all included.
        #[test]
        fn it_is_the_look_ups_gradient(n in 1usize..30, d in 1usize..9, v in 1usize..20) {
            let w = random(&[v, d], 1);
            let ids: Vec<u32> = (0..n).map(|i| ((i * i * 5 + 3) % v) as u32).collect();
            let rows = w.index_select(&Tensor::new(ids.as_slice(), w.device()).unwrap(), 0).unwrap();
            let wanted = weighted_sum(&rows).backward().unwrap();
            // The derivative of the weighted sum: the weights themselves.
            let grad = random(&[n, d], 99);
            let found = embedding_gradient(&grad, &ids, v).unwrap();
            prop_assert_eq!(flat(&found), flat(wanted.get(&w).unwrap()));
        }
    }

    #[test]
    fn nothing_read_is_nothing_learnt() {
        let found = embedding_gradient(&random(&[0, 3], 1), &[], 2).unwrap();
        assert_eq!(found.to_vec2::<f32>().unwrap(), [[0.0; 3]; 2]);
        assert!(embedding_gradient(&random(&[1, 3], 1), &[2], 2).is_err());
    }
}
