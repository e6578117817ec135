//! Adam's constants at one step, its update of one number, and its moments.
//! `m = b1 m + (1 - b1) g`, `v = b2 v + (1 - b2) g^2`, `p -= lr m_hat / (sqrt(v_hat) + eps)`.
//! Kingma & Ba 2015; bias corrections and epsilon placed as in PyTorch.

/// Adam's constants at one step, the bias corrections folded in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::sae) struct AdamStep {
    pub beta1: f32,
    pub beta2: f32,
    /// `lr / (1 - beta1^t)`.
    pub step_size: f32,
    /// `1 / sqrt(1 - beta2^t)`.
    pub inv_sqrt_correction: f32,
    pub eps: f32,
}

impl AdamStep {
    /// The constants of step `t`, counted from 1.
    pub(in crate::sae) fn new(lr: f64, beta1: f64, beta2: f64, t: usize) -> Self {
        let t = t as f64;
        Self {
            beta1: beta1 as f32,
            beta2: beta2 as f32,
            step_size: (lr / (1.0 - beta1.powf(t))) as f32,
            inv_sqrt_correction: (1.0 / (1.0 - beta2.powf(t)).sqrt()) as f32,
            eps: 1e-8,
        }
    }

    #[inline(always)]
    pub(in crate::sae) fn update(&self, g: f32, p: f32, m: &mut f32, v: &mut f32) -> f32 {
        *m = self.beta1 * *m + (1.0 - self.beta1) * g;
        *v = self.beta2 * *v + (1.0 - self.beta2) * (g * g);
        p - self.step_size * *m / (v.sqrt() * self.inv_sqrt_correction + self.eps)
    }
}

/// Adam's two moments of one parameter.
#[derive(Debug, Clone, Default)]
pub(in crate::sae) struct Moments {
    pub m: Vec<f32>,
    pub v: Vec<f32>,
}

impl Moments {
    pub(in crate::sae) fn zeros(n: usize) -> Self {
        Self {
            m: vec![0.0; n],
            v: vec![0.0; n],
        }
    }
}
