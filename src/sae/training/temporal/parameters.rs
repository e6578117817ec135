//! A parameter with its gradient and Adam's moments.

use crate::sae::kernels::{self, AdamStep, Moments};
use crate::sae::state_dict::{Slot, Slots};
use rayon::prelude::*;

/// Numbers updated per task.
const CHUNK: usize = 16_384;

/// Trained numbers, row-major.
#[derive(Debug)]
pub(super) struct Parameter {
    pub values: Vec<f32>,
    pub gradient: Vec<f32>,
    adam: Moments,
}

impl Parameter {
    pub(super) fn new(values: Vec<f32>) -> Self {
        Self {
            gradient: vec![0.0; values.len()],
            adam: Moments::zeros(values.len()),
            values,
        }
    }

    /// One step of Adam.
    pub(super) fn update(&mut self, adam: &AdamStep) {
        let Moments { m, v } = &mut self.adam;
        (
            self.values.par_chunks_mut(CHUNK),
            self.gradient.par_chunks(CHUNK),
            m.par_chunks_mut(CHUNK),
            v.par_chunks_mut(CHUNK),
        )
            .into_par_iter()
            .for_each(|(values, gradient, m, v)| kernels::adam(adam, gradient, values, m, v));
    }

    /// Consecutive values and moments under these names, with the given number of entries each.
    pub(super) fn slots<'a>(&'a mut self, parts: &[(String, usize)]) -> Slots<'a> {
        let Moments { m, v } = &mut self.adam;
        let mut slots = Vec::new();
        let mut rest = [&mut self.values[..], m, v];
        for (name, n) in parts {
            let [values, m, v] = rest.map(|all| all.split_at_mut(*n));
            slots.push((name.clone(), Slot::F32(values.0)));
            slots.push((format!("adam.m.{name}"), Slot::F32(m.0)));
            slots.push((format!("adam.v.{name}"), Slot::F32(v.0)));
            rest = [values.1, m.1, v.1];
        }
        slots
    }
}
