//! Training of matching pursuit: `W_dec` and `b_dec` are trained through every step of every token.
//! `loss = mean_t |x - x_hat|^2`, the square of the residual; Costa et al. 2025, arXiv:2506.03093; gradients as in
//! SAELens (through the values, not through the choice of features). Rows stay at unit length, as in the paper
//! (in SAELens they only start at it).

use super::super::record::StepFigures;
use super::backward::{PursuitGrads, backward};
use crate::error::{Error, Result};
use crate::model::first_not_finite_of;
use crate::sae::kernels::{
    self, AdamStep, CHUNK, Moments, PANEL, PackedEncoder, Picks, PursuitRules, PursuitScratch,
    Screen, finite_or_nan, pack_panel,
};
use crate::sae::state_dict::{Slot, Slots, moments};
use rayon::prelude::*;

/// The trainable state of a matching-pursuit autoencoder: parameters and Adam's moments.
#[derive(Debug)]
pub struct PursuitStep {
    d_in: usize,
    pub(super) w_dec: Vec<f32>,
    pub(super) b_dec: Vec<f32>,
    rules: PursuitRules,
    /// `w_dec` as the kernel reads it.
    packed: PackedEncoder,
    screen: Screen,
    adam_dec: Moments,
    adam_b: Moments,
    pub(super) silent: Vec<u32>,
    betas: (f64, f64),
    steps: usize,
    /// The residual of each token, `[tokens rounded up to CHUNK, d_in]`.
    residuals: Vec<f32>,
    picks: Vec<Picks>,
    n: usize,
}

impl PursuitStep {
    /// Starts training from `w_dec`, `[d_sae, d_in]` with rows of unit length, and `b_dec`, `[d_in]`, with Adam's two
    /// decay rates, both in [0, 1).
    ///
    /// # Errors
    /// [`Error::Shape`] when `w_dec` is empty or not whole rows of `b_dec`'s width; [`Error::Argument`] for a decay
    /// rate out of its range or invalid rules.
    pub fn new(
        w_dec: Vec<f32>,
        b_dec: Vec<f32>,
        rules: PursuitRules,
        (beta1, beta2): (f64, f64),
    ) -> Result<Self> {
        let d_in = b_dec.len();
        if d_in == 0 || w_dec.is_empty() || !w_dec.len().is_multiple_of(d_in) {
            let expected = format!("[d_sae * {d_in}] for widths of at least 1");
            return Err(Error::shape("W_dec", expected, [w_dec.len()]));
        }
        for (what, beta) in [("beta1", beta1), ("beta2", beta2)] {
            if !(0.0..1.0).contains(&beta) {
                return Err(Error::argument(what, beta, "must lie in [0, 1)"));
            }
        }
        rules.check()?;
        let d_sae = w_dec.len() / d_in;
        let mut packed = PackedEncoder::new(&w_dec, &vec![0.0; d_sae], d_in);
        packed.top_k = Some(1);
        Ok(Self {
            d_in,
            rules,
            packed,
            screen: Screen::default(),
            adam_dec: Moments::zeros(w_dec.len()),
            adam_b: Moments::zeros(d_in),
            silent: vec![0; d_sae],
            betas: (beta1, beta2),
            steps: 0,
            residuals: Vec::new(),
            picks: Vec::new(),
            n: 0,
            w_dec,
            b_dec,
        })
    }

    /// `W_dec`, `[d_sae, d_in]`, as it is now.
    pub fn w_dec(&self) -> &[f32] {
        &self.w_dec
    }

    /// `b_dec`, `[d_in]`, as it is now.
    pub fn b_dec(&self) -> &[f32] {
        &self.b_dec
    }

    /// Steps since each feature was last active, `[d_sae]`.
    pub fn silent_steps(&self) -> &[u32] {
        &self.silent
    }

    /// One step on `x`, `[n, d_in]`: gradients, Adam, rows normalised to unit length.
    ///
    /// # Errors
    /// [`Error::Shape`] when `x` is empty or ends within a row; [`Error::Argument`] for a rate that is negative or not
    /// finite; [`Error::NotFinite`] when the loss is not finite, naming the input or the parameter that is the cause.
    /// The state is then unchanged.
    pub fn step(&mut self, x: &[f32], lr: f64) -> Result<StepFigures> {
        if !(lr >= 0.0 && lr.is_finite()) {
            let reason = "must be at least 0 and finite";
            return Err(Error::argument("learning rate", lr, reason));
        }
        let figures = self.forward(x)?;
        if !(figures.l2 + figures.l1).is_finite() {
            return Err(self.not_finite(x, &figures));
        }
        let grads = self.backward();
        self.steps += 1;
        let adam = AdamStep::new(lr, self.betas.0, self.betas.1, self.steps);
        self.update(&adam, grads);
        Ok(figures)
    }

    /// Figures and gradients of the loss on `x`, `[n, d_in]`, without an update.
    ///
    /// # Errors
    /// [`Error::Shape`] when `x` is empty or ends within a row.
    pub fn gradients(&mut self, x: &[f32]) -> Result<(StepFigures, PursuitGrads)> {
        let figures = self.forward(x)?;
        Ok((figures, self.backward()))
    }

    /// Squared reconstruction error of each token of `x`, `[n, d_in]`, summed over `d_in`. `[n]`
    ///
    /// # Errors
    /// [`Error::Shape`] when `x` is empty or ends within a row.
    pub fn squared_errors(&mut self, x: &[f32]) -> Result<Vec<f32>> {
        self.forward(x)?;
        let rows = self.residuals.chunks_exact(self.d_in).take(self.n);
        Ok(rows.map(|r| kernels::dot(r, r)).collect())
    }

    /// Moves feature `j` to `direction`, `[d_in]`, at unit length; Adam's moments 0.
    pub(super) fn replace_feature(&mut self, j: usize, direction: &[f32]) {
        let row = j * self.d_in..(j + 1) * self.d_in;
        let w = &mut self.w_dec[row.clone()];
        w.copy_from_slice(direction);
        kernels::normalise(w);
        self.adam_dec.m[row.clone()].fill(0.0);
        self.adam_dec.v[row.clone()].fill(0.0);
        self.silent[j] = 0;
        self.packed.set_feature(j, &self.w_dec[row], 0.0);
    }

    /// All numbers that training changes. After they have been written, [`PursuitStep::repack`] must be called.
    pub(super) fn slots(&mut self) -> Slots<'_> {
        let Self {
            d_in: _,
            w_dec,
            b_dec,
            rules: _,
            packed: _,
            adam_dec,
            adam_b,
            silent,
            betas: _,
            steps,
            // Recomputed by each forward pass.
            screen: _,
            residuals: _,
            picks: _,
            n: _,
        } = self;
        let mut slots = vec![
            ("W_dec".to_owned(), Slot::F32(w_dec)),
            ("b_dec".to_owned(), Slot::F32(b_dec)),
            ("silent".to_owned(), Slot::U32(silent)),
            ("steps".to_owned(), Slot::Count(steps)),
        ];
        slots.extend(moments("W_dec", adam_dec));
        slots.extend(moments("b_dec", adam_b));
        slots
    }

    /// Updates the packed dictionary from the parameters.
    pub(super) fn repack(&mut self) {
        let no_bias = vec![0.0; self.silent.len()];
        let anew = PackedEncoder::new(&self.w_dec, &no_bias, self.d_in);
        (self.packed.panels, self.packed.bias) = (anew.panels, anew.bias);
    }

    fn forward(&mut self, x: &[f32]) -> Result<StepFigures> {
        let d = self.d_in;
        if x.is_empty() || !x.len().is_multiple_of(d) {
            let expected = format!("[n * {d}] for n of at least 1");
            return Err(Error::shape("the inputs", expected, [x.len()]));
        }
        let n = x.len() / d;
        self.n = n;
        self.residuals.resize(n.div_ceil(CHUNK) * CHUNK * d, 0.0);
        // Residuals have no common part.
        self.screen.prepare(&self.packed, &[], &[]);
        let (b_dec, w_dec, rules) = (&self.b_dec, &self.w_dec, self.rules);
        let encoder = (&self.packed, &self.screen);
        let chunks: Vec<Vec<Picks>> = (
            self.residuals.par_chunks_mut(CHUNK * d),
            x.par_chunks(CHUNK * d),
        )
            .into_par_iter()
            .map_init(PursuitScratch::default, |scratch, (residuals, x)| {
                for (r, x) in residuals.chunks_exact_mut(d).zip(x.chunks_exact(d)) {
                    for ((r, x), b) in r.iter_mut().zip(x).zip(b_dec) {
                        *r = finite_or_nan(x - b);
                    }
                }
                let mut picks = Vec::new();
                rules.pursue(encoder, w_dec, residuals, x.len() / d, scratch, &mut picks);
                picks
            })
            .collect();
        self.picks = chunks.into_iter().flatten().collect();
        Ok(self.figures())
    }

    fn figures(&self) -> StepFigures {
        let rows = self.residuals.chunks_exact(self.d_in).take(self.n);
        let l2: f64 = rows.map(|r| f64::from(kernels::dot(r, r))).sum();
        let (mut l1, mut l0) = (0.0, 0);
        let mut seen = Vec::new();
        for picks in &self.picks {
            l1 += picks.iter().map(|p| f64::from(p.1)).sum::<f64>();
            seen.clear();
            seen.extend(picks.iter().map(|p| p.0));
            seen.sort_unstable();
            seen.dedup();
            l0 += seen.len();
        }
        let n = self.n as f64;
        let l0 = match (l1 + l2).is_finite() {
            true => l0 as f64 / n,
            // The count ignores NaN.
            false => f64::NAN,
        };
        StepFigures {
            l2: l2 / n,
            l1: l1 / n,
            l0,
            ..StepFigures::default()
        }
    }

    fn backward(&mut self) -> PursuitGrads {
        let residuals = &mut self.residuals[..self.n * self.d_in];
        backward(&self.w_dec, residuals, &self.picks)
    }

    /// Projection, Adam and normalisation, panel by panel.
    fn update(&mut self, adam: &AdamStep, mut grads: PursuitGrads) {
        let d = self.d_in;
        let mut active = vec![false; self.silent.len()];
        for (j, _) in self.picks.iter().flatten() {
            active[*j as usize] = true;
        }
        for (silent, active) in self.silent.iter_mut().zip(active) {
            *silent = if active { 0 } else { *silent + 1 };
        }
        let rows = PANEL * d;
        (
            self.w_dec.par_chunks_mut(rows),
            grads.w_dec.par_chunks_mut(rows),
            self.adam_dec.m.par_chunks_mut(rows),
            self.adam_dec.v.par_chunks_mut(rows),
            self.packed.panels.par_chunks_mut(rows),
        )
            .into_par_iter()
            .for_each(|(w_dec, g, m, v, packed)| {
                let moments = m.chunks_exact_mut(d).zip(v.chunks_exact_mut(d));
                let rows = w_dec.chunks_exact_mut(d).zip(g.chunks_exact_mut(d));
                for ((w, g), (m, v)) in rows.zip(moments) {
                    kernels::project(w, g);
                    kernels::adam(adam, g, w, m, v);
                    kernels::normalise(w);
                }
                pack_panel(w_dec, d, packed);
            });
        let moments = &mut self.adam_b;
        kernels::adam(
            adam,
            &grads.b_dec,
            &mut self.b_dec,
            &mut moments.m,
            &mut moments.v,
        );
    }

    /// What made the loss on `x` NaN or infinite.
    fn not_finite(&self, x: &[f32], figures: &StepFigures) -> Error {
        let d = self.d_in;
        let first = |values: &[f32]| first_not_finite_of(values).map(|i| (i, f64::from(values[i])));
        let (what, value) = if let Some((i, value)) = first(x) {
            let what = format!("the input, dimension {} of row {}", i % d, i / d);
            (what, value)
        } else if let Some((i, value)) = first(&self.w_dec) {
            (format!("W_dec of feature {}", i / d), value)
        } else if let Some((k, value)) = first(&self.b_dec) {
            (format!("dimension {k} of b_dec"), value)
        } else {
            let loss = figures.l2 + figures.l1;
            ("the autoencoder's loss".to_owned(), loss)
        };
        let step = self.steps + 1;
        Error::NotFinite { what, value, step }
    }
}
