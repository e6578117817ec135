//! AdamW: Adam with weight decay that does not pass through the moments (Loshchilov & Hutter 2019).
//!
//! `m = b1 m + (1-b1) g`, `v = b2 v + (1-b2) g^2`,
//! `p = p (1 - lr wd) - lr (m / (1-b1^t)) / (sqrt(v / (1-b2^t)) + eps)`.

use super::clip::check_gradients;
use crate::config::Fields;
use crate::error::{Error, Result};
use crate::model::{Kernel, widest};
use candle_core::backprop::GradStore;
use candle_core::{CpuStorage, DType, InplaceOp1, Layout, Storage, Tensor, Var};
use rayon::prelude::*;
use std::cell::RefCell;
use std::collections::HashMap;

/// Elements that one task updates: small enough to balance, large enough to be worth a task.
const CHUNK: usize = 16_384;

/// The optimiser's constants; the learning rate is given at each step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamWConfig {
    /// Decay of the mean of gradients.
    pub beta1: f64,
    /// Decay of the mean of squared gradients.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Share of a matrix that a step of learning rate 1 removes.
    pub weight_decay: f64,
}

impl AdamWConfig {
    /// Checks every field; the error names the field, its value and the rule.
    pub fn validate(&self) -> Result<()> {
        let fields = Fields("AdamWConfig");
        fields.decay("beta1", self.beta1)?;
        fields.decay("beta2", self.beta2)?;
        // With 0, a parameter whose gradients are all 0 would become 0 / 0.
        fields.positive("eps", self.eps)?;
        fields.not_negative("weight_decay", self.weight_decay)
    }
}

/// The moments of every parameter and the number of steps taken: all that a resume needs.
#[derive(Debug, Clone)]
pub struct AdamWState {
    /// Steps taken.
    pub step: usize,
    /// `m.<name>` and `v.<name>` (f32, shaped as the parameter), and `master.<name>`, the f32
    /// copy of a parameter kept in half precision.
    pub tensors: Vec<(String, Tensor)>,
}

/// AdamW over named parameters.
///
/// Weight decay touches what has two or more axes and is a weight, as in GPT-2 and nanoGPT:
/// matrices and embeddings (`W_E`, `W_pos` included) decay; biases and LayerNorm's scale do not.
/// A bias is known by its name (`b_Q` has two axes here), not only by its rank.
///
/// On the CPU in f32, moments and parameters are updated in one pass over memory, in parallel
/// over all tensors; elsewhere the same formula is composed of tensor operations, in f32, with an
/// f32 master copy of parameters in half precision.
pub struct AdamW {
    params: Vec<Parameter>,
    cfg: AdamWConfig,
    step: usize,
}

struct Parameter {
    name: String,
    var: Var,
    decays: bool,
    moments: Moments,
}

enum Moments {
    /// Same order as the parameter's contiguous storage.
    Fused { m: Vec<f32>, v: Vec<f32> },
    Composed {
        m: Tensor,
        v: Tensor,
        master: Tensor,
    },
}

/// The numbers of one step, worked out once in f64.
#[derive(Debug, Clone, Copy)]
struct Coefficients {
    beta1: f32,
    beta2: f32,
    /// `lr / (1 - beta1^t)`
    rate: f32,
    /// `1 / sqrt(1 - beta2^t)`
    root: f32,
    eps: f32,
    /// `1 - lr wd`, or 1.
    keep: f32,
    grad_scale: f32,
}

impl AdamW {
    /// An optimiser with zero moments.
    ///
    /// # Errors
    /// [`Error::Config`] for a constant out of its range.
    pub fn new(params: Vec<(String, Var)>, cfg: AdamWConfig) -> Result<Self> {
        cfg.validate()?;
        let params = params
            .into_iter()
            .map(|(name, var)| {
                Ok(Parameter {
                    decays: decays(&name, &var),
                    moments: Moments::zeros(&var)?,
                    name,
                    var,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Self {
            params,
            cfg,
            step: 0,
        })
    }

    /// Steps taken so far.
    pub fn steps_taken(&self) -> usize {
        self.step
    }

    /// Names of the parameters that weight decay touches.
    pub fn decayed(&self) -> Vec<String> {
        let decayed = self.params.iter().filter(|p| p.decays);
        decayed.map(|p| p.name.clone()).collect()
    }

    /// One update with learning rate `lr`; every gradient is first multiplied by `grad_scale`
    /// (see [`clip_scale`](super::clip_scale)).
    ///
    /// A parameter without a gradient stays as it is, its moments too.
    ///
    /// # Errors
    /// [`Error::NotFinite`] naming the first parameter whose gradient is not finite,
    /// [`Error::Argument`] for a rate or a factor that is not: nothing has changed then.
    pub fn step(&mut self, grads: &GradStore, lr: f64, grad_scale: f64) -> Result<()> {
        for (what, value) in [("learning rate", lr), ("grad_scale", grad_scale)] {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(Error::argument(
                    what,
                    value,
                    "must be at least 0 and finite",
                ));
            }
        }
        let params = self.params.iter().map(|p| (p.name.as_str(), &p.var));
        check_gradients(params, grads, self.step + 1)?;
        self.step_of_finite(grads, lr, grad_scale)
    }

    /// [`AdamW::step`] where the gradients' norm has been found finite.
    pub(super) fn step_of_finite(
        &mut self,
        grads: &GradStore,
        lr: f64,
        grad_scale: f64,
    ) -> Result<()> {
        self.step += 1;
        let t = self.step as f64;
        let cfg = self.cfg;
        let coefficients = Coefficients {
            beta1: cfg.beta1 as f32,
            beta2: cfg.beta2 as f32,
            rate: (lr / (1.0 - cfg.beta1.powf(t))) as f32,
            root: (1.0 / (1.0 - cfg.beta2.powf(t)).sqrt()) as f32,
            eps: cfg.eps as f32,
            keep: 1.0,
            grad_scale: grad_scale as f32,
        };
        let keep = (1.0 - lr * cfg.weight_decay) as f32;
        self.params.par_iter_mut().try_for_each(|p| {
            let Some(grad) = grads.get(p.var.as_tensor()) else {
                return Ok(());
            };
            let keep = if p.decays { keep } else { 1.0 };
            p.update(
                grad,
                Coefficients {
                    keep,
                    ..coefficients
                },
            )
        })
    }

    /// A copy of the moments and the step, for a checkpoint.
    pub fn state(&self) -> Result<AdamWState> {
        let mut tensors = Vec::new();
        for p in &self.params {
            let name = &p.name;
            match &p.moments {
                Moments::Fused { m, v } => {
                    let (shape, device) = (p.var.shape(), p.var.device());
                    tensors.push((format!("m.{name}"), Tensor::from_slice(m, shape, device)?));
                    tensors.push((format!("v.{name}"), Tensor::from_slice(v, shape, device)?));
                }
                Moments::Composed { m, v, master } => {
                    tensors.push((format!("m.{name}"), m.clone()));
                    tensors.push((format!("v.{name}"), v.clone()));
                    if p.var.dtype() != DType::F32 {
                        tensors.push((format!("master.{name}"), master.clone()));
                    }
                }
            }
        }
        let step = self.step;
        Ok(AdamWState { step, tensors })
    }

    /// Takes over moments and step; the parameters themselves are the caller's to restore, before this.
    ///
    /// # Errors
    /// A moment is missing, has another shape than its parameter, or belongs to no parameter.
    pub fn load_state(&mut self, state: &AdamWState) -> Result<()> {
        for (name, _) in &state.tensors {
            let parameter = name.split_once('.').map(|(_, parameter)| parameter);
            if !self
                .params
                .iter()
                .any(|p| Some(p.name.as_str()) == parameter)
            {
                return Err(Error::NotFound {
                    kind: "parameter of the optimiser tensor",
                    name: name.clone(),
                    known: self.params.iter().map(|p| p.name.clone()).collect(),
                });
            }
        }
        let tensors: HashMap<&str, &Tensor> =
            state.tensors.iter().map(|(n, t)| (n.as_str(), t)).collect();
        for p in &mut self.params {
            let find = |kind: &str| -> Result<Tensor> {
                let name = format!("{kind}.{}", p.name);
                let Some(&tensor) = tensors.get(name.as_str()) else {
                    return Err(Error::NotFound {
                        kind: "optimiser tensor",
                        name,
                        known: state.tensors.iter().map(|(n, _)| n.clone()).collect(),
                    });
                };
                if tensor.dims() != p.var.dims() {
                    return Err(Error::shape(name, p.var.dims(), tensor.dims()));
                }
                Ok(tensor.to_device(p.var.device())?)
            };
            let (first, second) = (find("m")?, find("v")?);
            match &mut p.moments {
                Moments::Fused { m, v } => {
                    *m = first.flatten_all()?.to_vec1()?;
                    *v = second.flatten_all()?.to_vec1()?;
                }
                Moments::Composed { m, v, master } => {
                    *master = if p.var.dtype() == DType::F32 {
                        p.var.as_detached_tensor()
                    } else {
                        find("master")?
                    };
                    (*m, *v) = (first, second);
                }
            }
        }
        self.step = state.step;
        Ok(())
    }
}

/// Weights of two or more axes decay; TransformerLens' bias names begin with `b`.
fn decays(name: &str, var: &Var) -> bool {
    let leaf = name.rsplit('.').next().unwrap_or(name);
    var.rank() >= 2 && !leaf.starts_with('b')
}

impl Moments {
    fn zeros(var: &Var) -> Result<Self> {
        if var.device().is_cpu() && var.dtype() == DType::F32 && var.is_contiguous() {
            let n = var.elem_count();
            return Ok(Self::Fused {
                m: vec![0.0; n],
                v: vec![0.0; n],
            });
        }
        Self::composed(var)
    }

    fn composed(var: &Var) -> Result<Self> {
        Ok(Self::Composed {
            m: Tensor::zeros(var.shape(), DType::F32, var.device())?,
            v: Tensor::zeros(var.shape(), DType::F32, var.device())?,
            // Detached: a master that knew where it came from would keep every step's tensors.
            master: var.as_detached_tensor().to_dtype(DType::F32)?.copy()?,
        })
    }
}

impl Parameter {
    fn update(&mut self, grad: &Tensor, k: Coefficients) -> Result<()> {
        if grad.dims() != self.var.dims() {
            let name = format!("gradient of {}", self.name);
            return Err(Error::shape(name, self.var.dims(), grad.dims()));
        }
        match &mut self.moments {
            Moments::Fused { m, v } => {
                let grad = grad.to_dtype(DType::F32)?.contiguous()?;
                let (storage, layout) = grad.storage_and_layout();
                let (Storage::Cpu(CpuStorage::F32(g)), Some((start, end))) =
                    (&*storage, layout.contiguous_offsets())
                else {
                    return Err(Error::argument("gradient", &self.name, "is not on the CPU"));
                };
                let op = FusedUpdate {
                    moments: RefCell::new((m, v)),
                    grad: &g[start..end],
                    k,
                };
                Ok(self.var.inplace_op1(&op)?)
            }
            Moments::Composed { m, v, master } => {
                let g = (grad.detach().to_dtype(DType::F32)? * f64::from(k.grad_scale))?;
                *m = ((&*m * f64::from(k.beta1))? + (&g * f64::from(1.0 - k.beta1))?)?;
                *v = ((&*v * f64::from(k.beta2))? + (g.sqr()? * f64::from(1.0 - k.beta2))?)?;
                let root = ((v.sqrt()? * f64::from(k.root))? + f64::from(k.eps))?;
                let change = ((&*m / root)? * f64::from(k.rate))?;
                *master = ((&*master * f64::from(k.keep))? - change)?;
                Ok(self.var.set(&master.to_dtype(self.var.dtype())?)?)
            }
        }
    }
}

/// One pass over parameter, moments and gradient, in place.
struct FusedUpdate<'a> {
    /// Candle hands the operation over by shared reference; it is called once, on this thread.
    moments: RefCell<(&'a mut Vec<f32>, &'a mut Vec<f32>)>,
    grad: &'a [f32],
    k: Coefficients,
}

impl InplaceOp1 for FusedUpdate<'_> {
    fn name(&self) -> &'static str {
        "adamw"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> candle_core::Result<()> {
        let (CpuStorage::F32(values), Some((start, end))) = (storage, layout.contiguous_offsets())
        else {
            candle_core::bail!("adamw: the parameter is not a contiguous f32 tensor")
        };
        let mut moments = self.moments.borrow_mut();
        let (m, v) = &mut *moments;
        let k = self.k;
        values[start..end]
            .par_chunks_mut(CHUNK)
            .zip(m.par_chunks_mut(CHUNK))
            .zip(v.par_chunks_mut(CHUNK))
            .zip(self.grad.par_chunks(CHUNK))
            .for_each(|(((p, m), v), g)| widest(Update { p, m, v, g, k }));
        Ok(())
    }
}

/// One task's part of the pass.
struct Update<'a> {
    p: &'a mut [f32],
    m: &'a mut [f32],
    v: &'a mut [f32],
    g: &'a [f32],
    k: Coefficients,
}

impl Kernel for Update<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let (n, k) = (self.p.len(), self.k);
        // Equal lengths, said once, let the loop become vector instructions.
        let (p, m, v, g) = (self.p, &mut self.m[..n], &mut self.v[..n], &self.g[..n]);
        for i in 0..n {
            let g = g[i] * k.grad_scale;
            m[i] = k.beta1 * m[i] + (1.0 - k.beta1) * g;
            v[i] = k.beta2 * v[i] + (1.0 - k.beta2) * (g * g);
            p[i] = p[i] * k.keep - k.rate * m[i] / (v[i].sqrt() * k.root + k.eps);
        }
    }
}

#[cfg(test)]
mod tests;
