//! The parameters of the standard autoencoder as plain vectors, and their gradients.

use crate::error::{Error, Result};

/// The parameters, one row per feature in both matrices.
#[derive(Debug, Clone, PartialEq)]
pub struct StandardParams {
    pub d_in: usize,
    pub d_sae: usize,
    /// `W_enc` transposed: `[d_sae, d_in]`, so that a feature's column is contiguous.
    pub w_enc_t: Vec<f32>,
    /// `[d_sae, d_in]`.
    pub w_dec: Vec<f32>,
    /// `[d_sae]`.
    pub b_enc: Vec<f32>,
    /// `[d_in]`.
    pub b_dec: Vec<f32>,
}

impl StandardParams {
    /// Checks that the lengths of the four vectors match the two widths.
    pub(super) fn check(&self) -> Result<()> {
        let (d, s) = (self.d_in, self.d_sae);
        for (what, n) in [("d_in", d), ("d_sae", s)] {
            if n == 0 {
                return Err(Error::argument(what, n, "must be at least 1"));
            }
        }
        let expected: [(&str, &[f32], &[usize]); 4] = [
            ("w_enc_t", &self.w_enc_t, &[s, d]),
            ("w_dec", &self.w_dec, &[s, d]),
            ("b_enc", &self.b_enc, &[s]),
            ("b_dec", &self.b_dec, &[d]),
        ];
        for (name, vector, shape) in expected {
            if vector.len() != shape.iter().product::<usize>() {
                return Err(Error::shape(name, shape, [vector.len()]));
            }
        }
        Ok(())
    }
}

/// Gradients of the loss with respect to each parameter, in the parameters' layout.
#[derive(Debug, Clone, PartialEq)]
pub struct StandardGrads {
    pub w_enc_t: Vec<f32>,
    pub w_dec: Vec<f32>,
    pub b_enc: Vec<f32>,
    pub b_dec: Vec<f32>,
}

impl StandardGrads {
    pub(super) fn zeros(d_in: usize, d_sae: usize) -> Self {
        Self {
            w_enc_t: vec![0.0; d_sae * d_in],
            w_dec: vec![0.0; d_sae * d_in],
            b_enc: vec![0.0; d_sae],
            b_dec: vec![0.0; d_in],
        }
    }
}
