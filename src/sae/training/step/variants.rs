//! The variants of a step: which activations count, the parameters trained for that, and their gradients.

use super::super::record::StepFigures;
use super::super::selection::{BatchTopK, Gates, JumpRule, Selection, Thresholds};
use super::StandardStep;
use super::aux_k::AuxK;
use crate::config::L0Loss;
use crate::error::{Error, Result};
use crate::sae::kernels::Moments;

impl StandardStep {
    /// Of each token's positive activations only the `k` largest count, in the forward and backward pass
    /// (Gao et al. 2024, arXiv:2406.04093); the first of equal ones.
    pub fn with_top_k(mut self, k: usize) -> Self {
        self.state.select(Selection::ByToken);
        self.state.packed.top_k = Some(k);
        self
    }

    /// Of each token's activations only the `k` largest in absolute value count, with their signs (AbsTopK,
    /// arXiv:2510.00404); the first of equal ones. There is no sparsity loss: a weight other than 0 is rejected.
    pub fn with_abs_top_k(mut self, k: usize) -> Self {
        self.state.select(Selection::ByToken);
        self.state.packed.top_k = Some(k);
        self.state.packed.signed = true;
        self
    }

    /// Of the positive activations of a whole batch of n tokens only the `floor(k n)` largest count
    /// (BatchTopK, Bussmann et al. 2024, arXiv:2412.06410); the first of equal ones.
    ///
    /// With `widths`, ascending, the loss is the sum of the squared errors of nested dictionaries, which
    /// consist of the first so many features, and of the whole one, each with `b_dec` (Bussmann et al.
    /// 2025, arXiv:2503.17547); [`StepFigures::l2`] is that of the whole one.
    ///
    /// # Errors
    /// [`Error::Argument`] for a `k` that is not positive and finite, or widths that do not ascend from
    /// 1 or more to `d_sae` or less.
    pub fn with_batch_top_k(mut self, k: f64, widths: &[usize]) -> Result<Self> {
        if !(k > 0.0 && k.is_finite()) {
            return Err(Error::argument("k", k, "must be positive and finite"));
        }
        let d_sae = self.state.params.d_sae;
        let mut widths = widths.to_vec();
        if widths.last() != Some(&d_sae) {
            widths.push(d_sae);
        }
        if widths[0] == 0 || !widths.is_sorted_by(|a, b| a < b) {
            let reason = format!("must ascend from at least 1 to d_sae = {d_sae}");
            return Err(Error::argument("widths", format!("{widths:?}"), reason));
        }
        let threshold = 0.0;
        self.state.select(Selection::Batch(BatchTopK {
            k,
            widths,
            threshold,
        }));
        Ok(self)
    }

    /// Adds AuxK to the loss: features that were active in none of the last `dead_steps` steps reconstruct the
    /// residual of the others (Gao et al. 2024, arXiv:2406.04093, appendix A.2). [`StepFigures::aux`] is
    /// `coeff min(n_dead / k_aux, 1) mean_t |e_hat - e|^2` with `e = x - x_hat`, which is held fixed,
    /// `e_hat = sum_j z_j W_dec[j]` over the `k_aux = d_in / 2` largest pre-activations `z_j` of a token's dead
    /// features (all of them if there are fewer). As in the paper's code, `z_j` passes a ReLU (SAELens omits
    /// it); AbsTopK uses the largest in absolute value, with their signs.
    ///
    /// # Errors
    /// [`Error::Argument`] for a `coeff` that is negative or not finite, `dead_steps` of 0, or a step in which features
    /// do not compete (call [`StandardStep::with_top_k`], [`StandardStep::with_abs_top_k`] or
    /// [`StandardStep::with_batch_top_k`] first).
    pub fn with_aux_k(mut self, coeff: f64, dead_steps: usize) -> Result<Self> {
        if !(coeff >= 0.0 && coeff.is_finite()) {
            return Err(Error::argument(
                "coeff",
                coeff,
                "must be at least 0 and finite",
            ));
        }
        if dead_steps == 0 {
            return Err(Error::argument("dead_steps", 0, "must be at least 1"));
        }
        if !self.keeps_largest() {
            let reason = "only where the largest activations count (TopK, AbsTopK, BatchTopK) is there an AuxK loss";
            return Err(Error::argument("coeff", coeff, reason));
        }
        self.state.aux = (coeff > 0.0).then_some(AuxK { coeff, dead_steps });
        Ok(self)
    }

    /// The forward pass of a step for the whole loss, with sparsity weight `sparsity_weight`.
    pub(super) fn forward_with_aux(
        &mut self,
        x: &[f32],
        sparsity_weight: f64,
    ) -> Result<StepFigures> {
        if self.state.packed.signed && sparsity_weight != 0.0 {
            let reason = "AbsTopK has no sparsity loss: the weight must be 0";
            return Err(Error::argument("sparsity weight", sparsity_weight, reason));
        }
        let mut figures = self.forward(x)?;
        figures.aux = self.work.forward_aux(&self.state);
        Ok(figures)
    }

    /// An activation counts where it is above its feature's threshold, which is trained (JumpReLU,
    /// Rajamanoharan et al. 2024, arXiv:2407.14435) with a straight-through estimate of `bandwidth`;
    /// the sparsity weight is that of `l0_loss`. A feature that is reset gets the mean of
    /// `thresholds`, `[d_sae]`.
    ///
    /// # Errors
    /// [`Error::Shape`] when there is not one threshold per feature; [`Error::Argument`] for one that is
    /// negative or not finite, or a bandwidth that is not positive.
    pub fn with_thresholds(
        mut self,
        thresholds: Vec<f32>,
        bandwidth: f64,
        l0_loss: L0Loss,
    ) -> Result<Self> {
        let d_sae = self.state.params.d_sae;
        if thresholds.len() != d_sae {
            return Err(Error::shape("thresholds", [d_sae], [thresholds.len()]));
        }
        if let Some(bad) = thresholds.iter().find(|t| !(**t >= 0.0 && t.is_finite())) {
            let reason = "must be at least 0 and finite";
            return Err(Error::argument("threshold", bad, reason));
        }
        if !(bandwidth > 0.0 && bandwidth.is_finite()) {
            let reason = "must be positive and finite";
            return Err(Error::argument("bandwidth", bandwidth, reason));
        }
        let sum: f64 = thresholds.iter().map(|&t| f64::from(t)).sum();
        self.state.select(Selection::Thresholds(Thresholds {
            initial: (sum / d_sae as f64) as f32,
            theta: thresholds,
            moments: Moments::zeros(d_sae),
            rule: JumpRule {
                bandwidth: bandwidth as f32,
                l0_loss,
            },
        }));
        Ok(self)
    }

    /// A feature is active where its gate `pi = (x - b_dec) W_enc + b_enc` is above 0, with magnitude
    /// `relu(exp(r_mag) (x - b_dec) W_enc + b_mag)` (Rajamanoharan et al. 2024, arXiv:2404.16014);
    /// `r_mag` and `b_mag`, `[d_sae]`, are trained, too. L1 is that of `relu(pi)`; the squared error of the
    /// frozen decoder's reconstruction from `relu(pi)` is added to the loss.
    ///
    /// # Errors
    /// [`Error::Shape`] when `r_mag` or `b_mag` is not `[d_sae]`.
    pub fn with_gates(mut self, r_mag: Vec<f32>, b_mag: Vec<f32>) -> Result<Self> {
        let d_sae = self.state.params.d_sae;
        for (name, values) in [("r_mag", &r_mag), ("b_mag", &b_mag)] {
            if values.len() != d_sae {
                return Err(Error::shape(name, [d_sae], [values.len()]));
            }
        }
        self.state.select(Selection::Gates(Gates {
            r_mag,
            b_mag,
            adam_r: Moments::zeros(d_sae),
            adam_b: Moments::zeros(d_sae),
        }));
        Ok(self)
    }

    /// `r_mag` and `b_mag`, `[d_sae]`, if there are gates.
    pub fn magnitudes(&self) -> Option<(&[f32], &[f32])> {
        match &self.state.selection {
            Selection::Gates(gates) => Some((&gates.r_mag, &gates.b_mag)),
            _ => None,
        }
    }

    /// The value that each feature's activation must exceed to count outside a batch, `[d_sae]`:
    /// the trained thresholds, or the running mean of the least activation among a batch's
    /// largest. None where each token's activations decide.
    pub fn thresholds(&self) -> Option<Vec<f32>> {
        match &self.state.selection {
            Selection::ByToken | Selection::Gates(_) => None,
            Selection::Batch(batch) => Some(vec![batch.threshold as f32; self.state.params.d_sae]),
            Selection::Thresholds(thresholds) => Some(thresholds.theta.clone()),
        }
    }

    /// Whether features compete: only the largest activations, of a token or of a batch, count.
    pub(in crate::sae::training) fn keeps_largest(&self) -> bool {
        self.top_k().is_some() || matches!(self.state.selection, Selection::Batch(_))
    }

    /// How many of a token's activations count, if only the largest do.
    pub fn top_k(&self) -> Option<usize> {
        self.state.packed.top_k
    }

    /// Gradients of `r_mag` and `b_mag` on `x`, `[n, d_in]`, without an update; empty without
    /// gates. `[d_sae]`
    ///
    /// # Errors
    /// As [`StandardStep::step`].
    pub fn magnitude_gradients(&mut self, x: &[f32]) -> Result<(Vec<f32>, Vec<f32>)> {
        self.forward(x)?;
        let Selection::Gates(gates) = &self.state.selection else {
            return Ok((Vec::new(), Vec::new()));
        };
        let params = &self.state.params;
        let d = params.d_in;
        let (mut gw_enc, mut gw_dec) = (vec![0.0; d], vec![0.0; d]);
        let own = gates.r_mag.iter().copied().zip(gates.b_mag.iter().copied());
        let gradients = params.w_dec.chunks_exact(d).zip(own).enumerate();
        Ok(gradients
            .map(|(j, (w_dec, own))| {
                let unused = (&mut gw_enc[..], &mut gw_dec[..]);
                let g = self.work.gate_gradient(j, w_dec, own, 0.0, unused);
                (g.r_mag, g.b_mag)
            })
            .unzip())
    }

    /// The straight-through gradient of each trained threshold on `x`, `[n, d_in]`, without an update;
    /// empty if no threshold is trained. `[d_sae]`
    ///
    /// # Errors
    /// As [`StandardStep::step`].
    pub fn threshold_gradients(&mut self, x: &[f32], l0_coeff: f64) -> Result<Vec<f32>> {
        self.forward(x)?;
        let d = self.state.params.d_in;
        let l0 = self.state.sparsity(x.len() / d, l0_coeff).l0;
        let Selection::Thresholds(Thresholds { theta, rule, .. }) = &self.state.selection else {
            return Ok(Vec::new());
        };
        let rows = theta.iter().zip(self.state.params.w_dec.chunks_exact(d));
        let mut unused = vec![0.0; d];
        Ok(rows
            .enumerate()
            .map(|(j, (&theta, w_dec))| {
                let jump = (theta, *rule);
                self.work.jump_gradient(j, w_dec, jump, l0, &mut unused).1
            })
            .collect())
    }
}
