//! Parameters that candle differentiates and our Adam updates: their numbers are kept beside the variables, so that a
//! checkpoint has them with their moments.

use crate::error::Result;
use crate::sae::kernels::{self, AdamStep, Moments};
use crate::sae::state_dict::{Slot, Slots, moments};
use candle_core::backprop::GradStore;
use candle_core::{Device, Tensor, Var};
use rayon::prelude::*;

/// Numbers that one task updates.
const CHUNK: usize = 16_384;

/// Named variables with Adam's moments.
pub(super) struct Parameters {
    device: Device,
    all: Vec<Parameter>,
}

struct Parameter {
    name: String,
    var: Var,
    /// What is in the variable, row-major.
    values: Vec<f32>,
    adam: Moments,
}

impl Parameters {
    pub(super) fn new(device: &Device) -> Self {
        Self {
            device: device.clone(),
            all: Vec::new(),
        }
    }

    /// One more parameter; its tensor, which changes with it.
    pub(super) fn add(&mut self, name: &str, values: Vec<f32>, shape: &[usize]) -> Result<Tensor> {
        let var = Var::from_tensor(&Tensor::from_slice(&values, shape, &self.device)?)?;
        let tensor = var.as_tensor().clone();
        self.all.push(Parameter {
            name: name.to_owned(),
            var,
            adam: Moments::zeros(values.len()),
            values,
        });
        Ok(tensor)
    }

    /// One step of Adam. A parameter on which the loss does not depend stays as it is.
    pub(super) fn update(&mut self, adam: &AdamStep, gradients: &GradStore) -> Result<()> {
        for parameter in &mut self.all {
            let Some(gradient) = gradients.get(parameter.var.as_tensor()) else {
                continue;
            };
            let gradient = gradient.flatten_all()?.to_vec1::<f32>()?;
            let Moments { m, v } = &mut parameter.adam;
            (
                parameter.values.par_chunks_mut(CHUNK),
                gradient.par_chunks(CHUNK),
                m.par_chunks_mut(CHUNK),
                v.par_chunks_mut(CHUNK),
            )
                .into_par_iter()
                .for_each(|(values, gradient, m, v)| {
                    kernels::adam(adam, gradient, values, m, v);
                });
            parameter.set(&self.device)?;
        }
        Ok(())
    }

    /// All numbers. After they have been written, [`Parameters::restored`] must be called.
    pub(super) fn slots(&mut self) -> Slots<'_> {
        let mut slots = Vec::new();
        for parameter in &mut self.all {
            let Parameter {
                name,
                var: _,
                values,
                adam,
            } = parameter;
            slots.push((name.clone(), Slot::F32(values)));
            slots.extend(moments(name, adam));
        }
        slots
    }

    /// Brings the variables to the numbers.
    pub(super) fn restored(&mut self) -> Result<()> {
        self.all
            .iter()
            .try_for_each(|parameter| parameter.set(&self.device))
    }
}

impl Parameter {
    fn set(&self, device: &Device) -> Result<()> {
        let shape = self.var.as_tensor().shape();
        let tensor = Tensor::from_slice(&self.values, shape, device)?;
        Ok(self.var.set(&tensor)?)
    }
}
