//! The fields of `cfg.json` that only matching pursuit and the temporal autoencoder have.
//!
//! Source: SAELens 6.54 (`MatchingPursuitSAEConfig`, `TemporalSAEConfig`).

use crate::sae::kernels::PursuitRules;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

pub(super) const PURSUIT: &str = "matching_pursuit";
pub(super) const TEMPORAL: &str = "temporal";
/// The value for a temporal autoencoder's input scaling.
pub(super) const CONSTANT_SCALE: &str = "constant_scalar_rescale";

const OF_PURSUIT: [&str; 3] = [
    "residual_threshold",
    "max_iterations",
    "stop_on_duplicate_support",
];
const OF_TEMPORAL: [&str; 7] = [
    "n_heads",
    "n_attn_layers",
    "bottleneck_factor",
    "sae_diff_type",
    "kval_topk",
    "tied_weights",
    "activation_normalization_factor",
];

/// Matching pursuit's, with SAELens' defaults.
#[derive(Serialize, Deserialize)]
#[serde(default)]
struct PursuitFields {
    residual_threshold: f64,
    max_iterations: Option<usize>,
    stop_on_duplicate_support: bool,
}

impl Default for PursuitFields {
    fn default() -> Self {
        let rules = PursuitRules::default();
        Self {
            residual_threshold: rules.residual_threshold,
            max_iterations: rules.max_iterations,
            stop_on_duplicate_support: rules.stop_on_duplicate_support,
        }
    }
}

/// The temporal autoencoder's, with SAELens' defaults.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct TemporalFields {
    pub n_heads: usize,
    pub n_attn_layers: usize,
    pub bottleneck_factor: usize,
    sae_diff_type: DiffType,
    kval_topk: Option<usize>,
    pub tied_weights: bool,
    activation_normalization_factor: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum DiffType {
    Relu,
    TopK,
}

impl Default for TemporalFields {
    fn default() -> Self {
        Self {
            n_heads: 8,
            n_attn_layers: 1,
            bottleneck_factor: 64,
            sae_diff_type: DiffType::TopK,
            kval_topk: None,
            tied_weights: true,
            activation_normalization_factor: 1.0,
        }
    }
}

impl TemporalFields {
    pub(super) fn new(
        n_heads: usize,
        layers: (usize, usize),
        k: Option<usize>,
        tied_weights: bool,
        input_scale: f64,
    ) -> Self {
        Self {
            n_heads,
            n_attn_layers: layers.0,
            bottleneck_factor: layers.1,
            sae_diff_type: match k {
                Some(_) => DiffType::TopK,
                None => DiffType::Relu,
            },
            kval_topk: k,
            tied_weights,
            activation_normalization_factor: input_scale,
        }
    }

    /// How many novel codes are kept per token.
    pub(super) fn k(&self) -> Option<usize> {
        self.kval_topk
            .filter(|_| self.sae_diff_type == DiffType::TopK)
    }

    /// Factor on the input.
    pub(super) fn input_scale(&self) -> f64 {
        self.activation_normalization_factor
    }

    /// The value of `normalize_activations` that applies the factor.
    pub(super) fn normalization(&self) -> &'static str {
        match self.activation_normalization_factor == 1.0 {
            true => "none",
            false => CONSTANT_SCALE,
        }
    }
}

pub(super) fn pursuit_rules(fields: &Map<String, Value>) -> Result<PursuitRules, String> {
    let own: PursuitFields = read(fields, &OF_PURSUIT)?;
    let threshold = own.residual_threshold;
    if threshold.is_nan() || threshold == f64::INFINITY {
        return Err(format!(
            "residual_threshold is {threshold}, expected a number"
        ));
    }
    Ok(PursuitRules {
        // As in SAELens: no threshold unless it is above 0.
        residual_threshold: threshold.max(0.0),
        max_iterations: own.max_iterations,
        stop_on_duplicate_support: own.stop_on_duplicate_support,
    })
}

pub(super) fn temporal(fields: &Map<String, Value>) -> Result<TemporalFields, String> {
    let mut own: TemporalFields = read(fields, &OF_TEMPORAL)?;
    if fields.get("normalize_activations") != Some(&json!(CONSTANT_SCALE)) {
        own.activation_normalization_factor = 1.0;
    }
    let scale = own.activation_normalization_factor;
    if !(scale > 0.0 && scale.is_finite()) {
        return Err(format!(
            "activation_normalization_factor is {scale}, expected a positive number"
        ));
    }
    Ok(own)
}

pub(super) fn describe_pursuit(fields: &mut Map<String, Value>, rules: PursuitRules) {
    fields.insert("architecture".into(), json!(PURSUIT));
    for (name, value) in OF_PURSUIT.into_iter().zip([
        json!(rules.residual_threshold),
        json!(rules.max_iterations),
        json!(rules.stop_on_duplicate_support),
    ]) {
        fields.insert(name.into(), value);
    }
}

pub(super) fn describe_temporal(fields: &mut Map<String, Value>, own: TemporalFields) {
    fields.insert("architecture".into(), json!(TEMPORAL));
    if let Ok(Value::Object(own)) = serde_json::to_value(own) {
        fields.extend(own);
    }
}

/// Rejects the fields of one of the two where the architecture is another, which would not apply them.
pub(super) fn check_owners(fields: &Map<String, Value>, name: Option<&str>) -> Result<(), String> {
    for (owner, own) in [(PURSUIT, &OF_PURSUIT[..]), (TEMPORAL, &OF_TEMPORAL[..])] {
        let mut given = own
            .iter()
            .filter(|field| fields.get(**field).is_some_and(|value| !value.is_null()));
        if let Some(field) = given.next()
            && name != Some(owner)
        {
            return Err(format!(
                "{field} is given, which only the architecture {owner:?} has"
            ));
        }
    }
    Ok(())
}

/// The fields called `names` as a `T`; null, which SAELens writes for None, counts as missing.
fn read<T: serde::de::DeserializeOwned>(
    fields: &Map<String, Value>,
    names: &[&str],
) -> Result<T, String> {
    let own = fields
        .iter()
        .filter(|(name, value)| names.contains(&name.as_str()) && !value.is_null())
        .map(|(name, value)| (name.clone(), value.clone()));
    let own = Value::Object(own.collect());
    serde_json::from_value(own).map_err(|err| format!("{}: {err}", names.join(", ")))
}
