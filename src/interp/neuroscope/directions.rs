//! What a model can be asked for: families of directions, each at a hook point.

use super::subject::Subject;
use crate::sae::SparseAutoencoder;
use serde_json::{Value, json};

/// A family of directions.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Family {
    pub hook_name: String,
    pub kind: Kind,
    /// How many directions it has.
    pub count: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Of the autoencoder.
    Features,
    Neurons,
    /// The norm of each head's output.
    Heads,
    /// Dimensions of the residual stream.
    Residual,
}

/// All families of a subject, those of the autoencoder first.
pub(super) fn families(subject: &Subject) -> Vec<Family> {
    let cfg = subject.model.cfg();
    let mut families = Vec::new();
    if let Some(dictionary) = &subject.dictionary {
        families.push(Family {
            hook_name: dictionary.hook_name.clone(),
            kind: Kind::Features,
            count: dictionary.sae.d_sae(),
        });
    }
    for layer in 0..cfg.n_layers {
        let mut add = |point: &str, kind, count| {
            families.push(Family {
                hook_name: format!("blocks.{layer}.{point}"),
                kind,
                count,
            });
        };
        if !cfg.attn_only {
            add("mlp.hook_post", Kind::Neurons, cfg.d_mlp);
        }
        add("attn.hook_z", Kind::Heads, cfg.n_heads);
        add("hook_resid_post", Kind::Residual, cfg.d_model);
    }
    families
}

impl Family {
    /// What one of its directions is called.
    pub fn unit(&self) -> &'static str {
        match self.kind {
            Kind::Features => "feature",
            Kind::Neurons => "neuron",
            Kind::Heads => "head",
            Kind::Residual => "dimension",
        }
    }

    /// As the view lists it.
    pub fn described(&self) -> Value {
        let name = match self.kind {
            Kind::Features => "Features of",
            Kind::Neurons => "Neurons of",
            Kind::Heads => "Heads (norm) of",
            Kind::Residual => "Dimensions of",
        };
        json!({
            "name": format!("{name} {}", self.hook_name),
            "unit": self.unit(),
            "count": self.count,
        })
    }
}
