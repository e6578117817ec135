//! Training step of the temporal autoencoder: `loss = mean_t |x - x_hat|^2`.
//!
//! The layers' predictions are subtracted from `r` one after the other, so that `x - x_hat` is the residual less what
//! its `k` largest codes write: neither the reconstruction nor the predicted codes are computed.

use super::super::record::StepFigures;
use super::super::selection::ByFeature;
use super::layer::{BackwardWork, Layer, LayerWork, column_sums};
use super::parameters::Parameter;
use super::shape::Shape;
use crate::error::{Error, Result};
use crate::sae::kernels::{
    self, ActiveLists, AdamStep, BatchRows, CHUNK, PANEL, PackedEncoder, pack_panel,
};
use rayon::prelude::*;

/// Parameters, Adam's moments, and buffers for a batch.
#[derive(Debug)]
pub(super) struct TemporalStep {
    pub shape: Shape,
    /// `[d_sae, d_in]`
    pub w_dec: Parameter,
    /// `[d_in]`
    pub b_dec: Parameter,
    pub layers: Vec<Layer>,
    pub silent: Vec<u32>,
    pub steps: usize,
    betas: (f64, f64),
    /// `w_dec` in the kernel's layout.
    packed: PackedEncoder,
    work: Work,
}

/// Intermediate results of one batch, one row per token.
#[derive(Debug, Default)]
struct Work {
    layers: Vec<LayerWork>,
    back: BackwardWork,
    /// The residual, updated by each layer.
    r: Vec<f32>,
    /// `2/n (x_hat - x)`.
    g: Vec<f32>,
    /// Gradient of the residual.
    g_r: Vec<f32>,
    novel: Vec<ActiveLists>,
    by_feature: ByFeature,
    sums: Vec<f32>,
}

impl TemporalStep {
    pub(super) fn new(
        shape: Shape,
        (w_dec, b_dec, layers): (Vec<f32>, Vec<f32>, Vec<Layer>),
        k: Option<usize>,
        betas: (f64, f64),
    ) -> Self {
        let mut packed = PackedEncoder::new(&w_dec, &vec![0.0; shape.d_sae], shape.d_in);
        packed.top_k = k;
        Self {
            shape,
            w_dec: Parameter::new(w_dec),
            b_dec: Parameter::new(b_dec),
            silent: vec![0; shape.d_sae],
            steps: 0,
            betas,
            packed,
            work: Work {
                layers: layers.iter().map(|_| LayerWork::default()).collect(),
                ..Work::default()
            },
            layers,
        }
    }

    /// Updates the packed dictionary from the parameters.
    pub(super) fn repack(&mut self) {
        let d = self.shape.d_in;
        let panels = self.packed.panels.par_chunks_mut(PANEL * d);
        let rows = self.w_dec.values.par_chunks(PANEL * d);
        panels
            .zip(rows)
            .for_each(|(panel, rows)| pack_panel(rows, d, panel));
    }

    /// One step on `x`, `[n, d_in]`, whole sequences.
    ///
    /// # Errors
    /// [`Error::Shape`] for no sequence or a part of one; [`Error::NotFinite`] for a loss that is not finite. The state
    /// is then unchanged.
    pub(super) fn step(&mut self, x: &[f32], lr: f64) -> Result<StepFigures> {
        let sequence = self.shape.n_pos * self.shape.d_in;
        if x.is_empty() || !x.len().is_multiple_of(sequence) {
            let expected = format!("[n * {sequence}] for n sequences, at least one");
            return Err(Error::shape("the inputs", expected, [x.len()]));
        }
        let figures = self.forward(x);
        if !figures.l2.is_finite() {
            return Err(Error::NotFinite {
                what: "the autoencoder's loss".to_owned(),
                value: figures.l2,
                step: self.steps + 1,
            });
        }
        self.backward();
        self.steps += 1;
        let adam = AdamStep::new(lr, self.betas.0, self.betas.1, self.steps);
        self.w_dec.update(&adam);
        self.b_dec.update(&adam);
        for layer in &mut self.layers {
            for parameter in [
                &mut layer.w_kqv,
                &mut layer.b_kqv,
                &mut layer.w_o,
                &mut layer.b_o,
            ] {
                parameter.update(&adam);
            }
        }
        self.repack();
        let lists = &self.work.novel;
        self.silent.iter_mut().for_each(|silent| *silent += 1);
        for j in lists.iter().flat_map(|lists| &lists.idx) {
            self.silent[*j as usize] = 0;
        }
        Ok(figures)
    }

    /// Computes the loss, and what the backward pass needs.
    pub(super) fn forward(&mut self, x: &[f32]) -> StepFigures {
        let d = self.shape.d_in;
        let n = x.len() / d;
        let work = &mut self.work;
        work.r.resize(n * d, 0.0);
        for (r, x) in work.r.chunks_exact_mut(d).zip(x.chunks_exact(d)) {
            for ((r, x), b) in r.iter_mut().zip(x).zip(&self.b_dec.values) {
                *r = x - b;
            }
        }
        for (layer, of_layer) in self.layers.iter().zip(&mut work.layers) {
            layer.forward(&self.shape, &self.w_dec.values, &mut work.r, of_layer);
        }
        work.g.resize(n * d, 0.0);
        work.novel
            .resize_with(n.div_ceil(CHUNK), ActiveLists::default);
        let (packed, lam, w_dec) = (&self.packed, self.shape.lam(), &self.w_dec.values);
        let squares: Vec<f64> = (
            work.novel.par_iter_mut(),
            work.r.par_chunks(CHUNK * d),
            work.g.par_chunks_mut(CHUNK * d),
        )
            .into_par_iter()
            .map_init(
                <(Vec<f32>, Vec<f32>)>::default,
                |(scaled, laid_out), (novel, r, g)| {
                    scaled.clear();
                    scaled.extend(r.iter().map(|r| lam * r));
                    scaled.resize(CHUNK * d, 0.0);
                    packed.encode(scaled, r.len() / d, 0.0, laid_out, novel);
                    let rows = r.chunks_exact(d).zip(g.chunks_exact_mut(d)).enumerate();
                    rows.map(|(i, (r, g))| {
                        g.fill(0.0);
                        let (idx, vals) = novel.row(i);
                        kernels::combine(idx, vals, w_dec, g);
                        f64::from(kernels::residual(g, r, 2.0 / n as f32))
                    })
                    .sum::<f64>()
                },
            )
            .collect();
        let lists = || work.novel.iter();
        let l1: f64 = lists().flat_map(|l| &l.vals).map(|a| f64::from(*a)).sum();
        let l0: usize = lists().map(|lists| lists.idx.len()).sum();
        let n = n as f64;
        StepFigures {
            l2: squares.iter().sum::<f64>() / n,
            l1: l1 / n,
            l0: l0 as f64 / n,
            ..StepFigures::default()
        }
    }

    /// Computes all gradients for the batch of the last [`TemporalStep::forward`].
    pub(super) fn backward(&mut self) {
        self.through_novel();
        let Work {
            layers,
            back,
            g_r,
            sums,
            ..
        } = &mut self.work;
        let mut below = self.layers.len();
        for (layer, of_layer) in self.layers.iter_mut().zip(layers).rev() {
            layer.backward(&self.shape, &mut self.w_dec, g_r, of_layer, back);
            below -= 1;
            if below > 0 {
                back.add_through_codes(&self.shape, &self.w_dec.values, g_r);
            }
        }
        // r = x - b_dec: for the lowest layer only the sum over tokens is needed.
        let gradient = &mut self.b_dec.gradient;
        column_sums(g_r, self.shape.n_pos, sums, gradient);
        if !self.layers.is_empty() {
            back.add_sum_through_codes(&self.shape, &self.w_dec.values, gradient);
        }
        gradient.iter_mut().for_each(|g| *g = -*g);
    }

    /// Through `e = novel W_dec - r`, `novel = lam r W_dec^T` where it is listed: gradients of `r`, and of `W_dec` so far.
    fn through_novel(&mut self) {
        let (d, lam) = (self.shape.d_in, self.shape.lam());
        let work = &mut self.work;
        work.g_r.resize(work.g.len(), 0.0);
        let w_dec = &self.w_dec.values;
        (
            work.g_r.par_chunks_mut(CHUNK * d),
            work.g.par_chunks(CHUNK * d),
            work.novel.par_iter(),
        )
            .into_par_iter()
            .for_each_init(Vec::new, |of_codes, (g_r, g, novel)| {
                let rows = g_r.chunks_exact_mut(d).zip(g.chunks_exact(d));
                for (i, (g_r, g)) in rows.enumerate() {
                    let (idx, _) = novel.row(i);
                    let row = |j: &u32| &w_dec[*j as usize * d..][..d];
                    of_codes.clear();
                    of_codes.extend(idx.iter().map(|j| lam * kernels::dot(g, row(j))));
                    g_r.fill(0.0);
                    kernels::add_scaled(-1.0, g, g_r);
                    kernels::combine(idx, of_codes, w_dec, g_r);
                }
            });
        work.by_feature.count(work.novel.iter(), self.shape.d_sae);
        work.by_feature.fill(work.novel.iter());
        let batch = BatchRows {
            r: &work.g,
            x_cent: &work.r,
        };
        let by_feature = &work.by_feature;
        let rows = self
            .w_dec
            .gradient
            .par_chunks_mut(d)
            .zip(w_dec.par_chunks(d));
        rows.enumerate().with_min_len(PANEL).for_each_init(
            || vec![0.0; d],
            |of_encoder, (j, (gradient, w_dec))| {
                let (tokens, acts) = by_feature.of(j);
                kernels::feature_gradient(tokens, acts, &batch, w_dec, 0.0, of_encoder, gradient);
                kernels::add_scaled(lam, of_encoder, gradient);
            },
        );
    }
}
