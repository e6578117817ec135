//! Weights and inputs in 8 bits, with bounds on the error of their products.

use crate::sae::kernels::encode::PackedEncoder;
use crate::sae::kernels::tile::panel::{CHUNK, PANEL};
use rayon::prelude::*;
use std::arch::x86_64::*;

/// Inputs per step of the product's instructions; the number of inputs is rounded up to a multiple.
const STEP: usize = 64;
/// Four inputs of each lane of a panel, as bytes.
#[derive(Debug, Default, Clone, Copy)]
#[repr(align(64))]
pub(super) struct Word(pub [i32; PANEL]);
/// [`STEP`] inputs of a row, as bytes.
#[derive(Debug, Default, Clone, Copy)]
#[repr(align(64))]
pub(super) struct Line(pub [i32; STEP / 4]);

/// The largest magnitude of a quantised number.
const LARGEST: f32 = 127.0;
/// Added to quantised weights when stored, since the instruction needs one unsigned operand.
const OFFSET: i32 = 128;
/// Lengths are rounded up by this factor.
const UP: f32 = 1.001;
/// Added to every length: squares of smaller numbers are lost in f32.
const LEAST: f32 = 1e-17;
/// Smaller numbers get no scale; they count as error.
const NO_SCALE: f32 = 1e-30;

/// Scales and bounds of the features of a panel, one lane per feature.
#[derive(Debug, Default, Clone)]
pub(super) struct Lanes {
    pub scale: [f32; PANEL],
    /// Upper bound of the length of each feature's weights.
    pub norm: [f32; PANEL],
    /// Upper bound of the length of the quantisation error.
    pub error: [f32; PANEL],
    /// The biases plus the products of the weights with the centre.
    pub bias: [f32; PANEL],
    /// Bound of the rounding error of these, and of the sum with them.
    pub of_bias: [f32; PANEL],
    /// A set bit for each lane that is a feature.
    pub features: u32,
}

/// The encoder: `words[p][k / 4][lane]` holds `W_enc[k..k + 4][p PANEL + lane]` as bytes,
/// 0 from `d_in` on.
#[derive(Debug, Default)]
pub(super) struct QuantisedPanels {
    depth: usize,
    pub words: Vec<Word>,
    pub lanes: Vec<Lanes>,
}

impl QuantisedPanels {
    pub(super) fn len(&self) -> usize {
        self.lanes.len()
    }

    /// The words of panel `p`.
    pub(super) fn panel(&self, p: usize) -> &[Word] {
        &self.words[p * self.depth..][..self.depth]
    }

    /// Quantises the encoder for inputs less `centre`; false if it has a number that, or whose square, is not finite.
    pub(super) fn quantise(&mut self, packed: &PackedEncoder, centre: &[f32]) -> bool {
        let d = packed.d_in();
        let of_centre = length(centre) * rounding(d);
        self.depth = d.div_ceil(STEP) * (STEP / 4);
        let n_panels = packed.bias.len() / PANEL;
        self.words.resize(n_panels * self.depth, Word::default());
        self.lanes.resize_with(n_panels, Lanes::default);
        (
            self.words.par_chunks_mut(self.depth),
            &mut self.lanes,
            packed.panels.par_chunks_exact(PANEL * d),
            packed.bias.par_chunks_exact(PANEL),
        )
            .into_par_iter()
            .enumerate()
            .map(|(p, (words, lanes, panel, bias))| {
                let n = PANEL.min(packed.d_sae() - p * PANEL);
                lanes.features = u32::MAX >> (PANEL - n);
                let panel = panel.as_chunks::<PANEL>().0;
                // SAFETY: the caller has checked that the CPU has the features of the product's kernels.
                unsafe { quantise_panel(panel, centre, words, lanes) };
                let of_features = lanes
                    .bias
                    .iter_mut()
                    .zip(&mut lanes.of_bias)
                    .zip(&lanes.norm);
                for (((sum, slack), norm), bias) in of_features.zip(bias) {
                    *slack = (bias.abs() + sum.abs()) * 1e-6 + of_centre * norm;
                    *sum += bias;
                }
                let is_finite = |v: &[f32; PANEL]| v[..n].iter().all(|v| v.is_finite());
                is_finite(&lanes.norm) && is_finite(&lanes.error) && is_finite(&lanes.bias)
            })
            .reduce(|| true, |a, b| a && b)
    }
}

/// Rounds a panel `[d][PANEL]`, lane by lane; writes scales, lengths, and as biases the products with the centre.
#[target_feature(enable = "avx512f")]
fn quantise_panel(panel: &[[f32; PANEL]], centre: &[f32], words: &mut [Word], lanes: &mut Lanes) {
    for from in (0..PANEL).step_by(16) {
        // SAFETY: 16 lanes from a multiple of 16 below PANEL.
        let load = |row: &[f32; PANEL]| unsafe { _mm512_loadu_ps(row[from..].as_ptr()) };
        let mut largest = _mm512_setzero_ps();
        for row in panel {
            largest = _mm512_max_ps(_mm512_abs_ps(load(row)), largest);
        }
        let with_scale = _mm512_cmp_ps_mask::<_CMP_GE_OQ>(largest, _mm512_set1_ps(NO_SCALE));
        let all = _mm512_set1_ps(LARGEST);
        let scale = _mm512_maskz_div_ps(with_scale, largest, all);
        let inverse = _mm512_maskz_div_ps(with_scale, all, largest);
        let zero = _mm512_setzero_ps();
        let (mut norm, mut error, mut of_centre) = (zero, zero, zero);
        let inputs = panel.chunks(4).zip(centre.chunks(4));
        for ((rows, centre), Word(words)) in inputs.zip(&mut *words) {
            // Bytes of missing inputs do not matter: those inputs of x are 0.
            let mut word = _mm512_setzero_si512();
            for (row, &c) in rows.iter().zip(centre).rev() {
                let w = load(row);
                of_centre = _mm512_fmadd_ps(w, _mm512_set1_ps(c), of_centre);
                let q = _mm512_cvtps_epi32(_mm512_mul_ps(w, inverse));
                let lost = _mm512_fnmadd_ps(_mm512_cvtepi32_ps(q), scale, w);
                norm = _mm512_fmadd_ps(w, w, norm);
                error = _mm512_fmadd_ps(lost, lost, error);
                let byte = _mm512_add_epi32(q, _mm512_set1_epi32(OFFSET));
                word = _mm512_or_si512(_mm512_slli_epi32::<8>(word), byte);
            }
            // SAFETY: as above.
            unsafe { _mm512_storeu_si512(words[from..].as_mut_ptr().cast(), word) };
        }
        let up = |squares| {
            let length = _mm512_sqrt_ps(squares);
            _mm512_fmadd_ps(length, _mm512_set1_ps(UP), _mm512_set1_ps(LEAST))
        };
        for (to, values) in [
            (&mut lanes.scale, scale),
            (&mut lanes.norm, up(norm)),
            (&mut lanes.error, up(error)),
            (&mut lanes.bias, of_centre),
        ] {
            // SAFETY: as above.
            unsafe { _mm512_storeu_ps(to[from..].as_mut_ptr(), values) };
        }
    }
}

/// The length of a vector.
fn length(v: &[f32]) -> f32 {
    v.iter().map(|v| v * v).sum::<f32>().sqrt() * UP + LEAST
}

/// A sum of `d` products in f32 differs from the true one by at most `d 2^-24` of the lengths' product (Higham 2002,
/// section 3.1); the rest is for the arithmetic of the bounds.
fn rounding(d: usize) -> f32 {
    (d + 64) as f32 * f32::EPSILON
}

/// Scale and bounds of a token's centred input.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct RowBounds {
    pub scale: f32,
    /// The part of the integer product that is due to the weights' offset.
    pub offset: i32,
    /// Upper bound of the length of the quantised input.
    pub norm: f32,
    /// Upper bound of the length of the quantisation error, and of the rounding of a sum in f32 relative to the length
    /// of the weights.
    pub error: f32,
}

/// A chunk's inputs as bytes, row by row, padded with rows of zeros up to [`CHUNK`].
#[derive(Debug, Default)]
pub(super) struct QuantisedRows {
    steps: usize,
    n: usize,
    lines: Vec<Line>,
    /// One per row.
    pub bounds: Vec<RowBounds>,
}

impl QuantisedRows {
    /// Number of rows.
    pub(super) fn n(&self) -> usize {
        self.n
    }

    /// Lines of one row.
    pub(super) fn steps(&self) -> usize {
        self.steps
    }

    /// The lines of [`CHUNK`] rows.
    pub(super) fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Quantises at most [`CHUNK`] rows, less the centre; false if one, or its square, is not finite.
    pub(super) fn quantise(&mut self, x: &[f32], centre: &[f32]) -> bool {
        let d = centre.len();
        (self.steps, self.n) = (d.div_ceil(STEP), x.len() / d);
        self.lines.clear();
        self.lines.resize(CHUNK * self.steps, Line::default());
        self.bounds.clear();
        let rows = self.lines.chunks_exact_mut(self.steps);
        for (lines, row) in rows.zip(x.chunks_exact(d)) {
            // SAFETY: the caller has checked that the CPU has the features of the product's kernels.
            let bounds = unsafe { quantise_row(row, centre, lines) };
            if !(bounds.norm.is_finite() && bounds.error.is_finite()) {
                return false;
            }
            self.bounds.push(bounds);
        }
        true
    }
}

/// Rounds one input less the centre.
#[target_feature(enable = "avx512f")]
fn quantise_row(row: &[f32], centre: &[f32], lines: &mut [Line]) -> RowBounds {
    let d = row.len().min(centre.len());
    let load = |of: &[f32], from: usize| {
        let lanes = u16::MAX >> (16 - (d - from).min(16));
        // SAFETY: masked, so that nothing beyond the row is read.
        unsafe { _mm512_maskz_loadu_ps(lanes, of.as_ptr().add(from)) }
    };
    let centred = |from: usize| _mm512_sub_ps(load(row, from), load(centre, from));
    let starts = || (0..d).step_by(16);
    let mut largest = _mm512_setzero_ps();
    for from in starts() {
        largest = _mm512_max_ps(_mm512_abs_ps(centred(from)), largest);
    }
    let largest = _mm512_reduce_max_ps(largest);
    let (scale, inverse) = match largest >= NO_SCALE {
        true => (largest / LARGEST, LARGEST / largest),
        false => (0.0, 0.0),
    };
    let zero = _mm512_setzero_ps();
    let (mut square, mut of_quantised, mut error) = (zero, zero, zero);
    let mut sum = _mm512_setzero_si512();
    for from in starts() {
        let (whole, x) = (load(row, from), centred(from));
        let q = _mm512_cvtps_epi32(_mm512_mul_ps(x, _mm512_set1_ps(inverse)));
        let rounded = _mm512_mul_ps(_mm512_cvtepi32_ps(q), _mm512_set1_ps(scale));
        let lost = _mm512_sub_ps(x, rounded);
        square = _mm512_fmadd_ps(whole, whole, square);
        of_quantised = _mm512_fmadd_ps(rounded, rounded, of_quantised);
        error = _mm512_fmadd_ps(lost, lost, error);
        sum = _mm512_add_epi32(sum, q);
        let bytes = &mut lines[from / STEP].0[from % STEP / 4..][..4];
        // SAFETY: 16 bytes.
        unsafe { _mm_storeu_si128(bytes.as_mut_ptr().cast(), _mm512_cvtepi32_epi8(q)) };
    }
    let up = |squares: __m512| _mm512_reduce_add_ps(squares).sqrt() * UP + LEAST;
    let norm = up(of_quantised);
    RowBounds {
        scale,
        offset: OFFSET * _mm512_reduce_add_epi32(sum),
        norm,
        error: up(error) + rounding(d) * (up(square) + norm),
    }
}
