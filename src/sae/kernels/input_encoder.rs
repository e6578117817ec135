//! The encoder of an autoencoder for inference: rows are centred chunk by chunk, then encoded.

use super::encode::PackedEncoder;
use super::nan::finite_or_nan;
use super::tile::panel::CHUNK;
use rayon::prelude::*;

/// An encoder laid out for the product that never materialises the matrix of activations.
#[derive(Debug)]
pub(in crate::sae) struct InputEncoder {
    pub packed: PackedEncoder,
    /// Subtracted from every row first, `[d_in]`; zeros if nothing is subtracted.
    pub centre: Vec<f32>,
    /// Only activations above this are listed; at least 0.
    pub floor: f32,
}

impl InputEncoder {
    /// `f(x_cent, n, scratch)` for every chunk of rows, in parallel, with the results in order. The
    /// kernels read whole chunks: rows from `n` on hold stale values of other chunks.
    pub(in crate::sae) fn by_chunk<T: Send>(
        &self,
        x: &[f32],
        f: impl Fn(&[f32], usize, &mut Vec<f32>) -> T + Sync,
    ) -> Vec<T> {
        let d_in = self.centre.len();
        x.par_chunks(CHUNK * d_in)
            .map_init(
                || (vec![0f32; CHUNK * d_in], Vec::new()),
                |(x_cent, scratch), x| {
                    for (c, x) in x_cent.chunks_exact_mut(d_in).zip(x.chunks_exact(d_in)) {
                        for ((c, x), b) in c.iter_mut().zip(x).zip(&self.centre) {
                            *c = finite_or_nan(x - b);
                        }
                    }
                    f(x_cent, x.len() / d_in, scratch)
                },
            )
            .collect()
    }
}
