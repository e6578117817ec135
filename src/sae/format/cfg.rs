//! Parsing and writing SAELens' `cfg.json`, in any of its versions.
//!
//! Source: SAELens 6.54 (`SAEConfig`, `handle_pre_6_0_config`), 5.11, 3.23, 2.1 and 1.8
//! (`SAEConfig`, `LanguageModelSAERunnerConfig`).

use super::fields::{FIELDS, FORMAT, METADATA};
use super::own_fields::{
    CONSTANT_SCALE, PURSUIT, TEMPORAL, TemporalFields, check_owners, describe_pursuit,
    describe_temporal, pursuit_rules, temporal,
};
use crate::error::{Error, Result};
use crate::known_fields::shortened;
use crate::sae::kernels::PursuitRules;
use serde_json::{Map, Value, json};
use std::path::Path;

/// SAELens' names of the architectures, and its flag for activations in units of decoder norms.
pub(super) const STANDARD: &str = "standard";
pub(super) const TOP_K: &str = "topk";
pub(super) const JUMP_RELU: &str = "jumprelu";
pub(super) const GATED: &str = "gated";
pub(super) const ABS_TOP_K: &str = "abstopk";
pub(super) const RESCALE: &str = "rescale_acts_by_decoder_norm";
pub(super) const SCALING: &str = "finetuning_scaling_factor";
/// The layout that is written: SAELens moves fields when it reads an older one.
const VERSION: &str = "6.0.0";

/// What is applied after the encoder's product.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Architecture {
    /// ReLU.
    Standard,
    /// The `k` largest of a token's ReLU activations.
    TopK { k: u64 },
    /// The ReLU activations above their feature's threshold.
    JumpReLU,
    /// Magnitudes where gates are open.
    Gated,
    /// A token's `k` activations largest in absolute value.
    AbsTopK { k: u64 },
    /// Matching pursuit: one feature after another.
    Pursuit(PursuitRules),
    /// Predicted and novel codes.
    Temporal(TemporalFields),
}

impl Architecture {
    /// The tensor with the encoder's bias.
    pub(super) fn encoder_bias(self) -> &'static str {
        match self {
            Self::Gated => "b_gate",
            _ => "b_enc",
        }
    }

    /// Whether the file has an encoder, and whether it has an encoder bias.
    pub(super) fn has_encoder(self) -> (bool, bool) {
        match self {
            Self::Pursuit(_) => (false, false),
            Self::Temporal(own) => (!own.tied_weights, false),
            _ => (true, true),
        }
    }

    /// How activations are scaled before they are encoded.
    pub(super) fn normalization(self) -> &'static str {
        match self {
            Self::Temporal(own) => own.normalization(),
            _ => "none",
        }
    }
}

/// A configuration, checked: it requests nothing beyond these fields.
#[derive(Debug)]
pub(super) struct SaeLensCfg {
    pub(super) architecture: Architecture,
    pub(super) d_in: u64,
    pub(super) d_sae: u64,
    pub(super) apply_b_dec_to_input: bool,
    /// The activations are in units of the decoder's norms.
    pub(super) rescale: bool,
    /// A tensor scales the activations before they are decoded.
    pub(super) scaling_factor: bool,
    pub(super) hook_name: Option<String>,
    /// The fields as SAELens 6 writes them, to be written again.
    pub(super) fields: Map<String, Value>,
}

/// What is wrong with a configuration.
type Reason = String;

impl SaeLensCfg {
    /// Parses the text of the file at `path`.
    ///
    /// # Errors
    /// [`Error::Format`] naming the first field that is unknown, of a wrong type or requests
    /// something that no autoencoder of this library does.
    pub(super) fn parse(text: &str, path: &Path) -> Result<Self> {
        let bad = |reason: Reason| Error::format(path, FORMAT, reason);
        let given: Map<String, Value> =
            serde_json::from_str(text).map_err(|err| bad(err.to_string()))?;
        // Checked first, since other architectures have other fields.
        check_architecture(&given).map_err(bad)?;
        let fields = renamed(given).map_err(bad)?;
        let architecture = architecture(&fields).map_err(bad)?;
        FIELDS.check(&fields, path)?;
        Self::read(fields, architecture).map_err(bad)
    }

    fn read(mut fields: Map<String, Value>, architecture: Architecture) -> Result<Self, Reason> {
        check_owners(&fields, text(&fields, "architecture")?)?;
        let scaled = matches!(architecture, Architecture::Temporal(_))
            && fields.get("normalize_activations") == Some(&json!(CONSTANT_SCALE));
        if scaled {
            fields.insert("normalize_activations".into(), json!("none"));
        }
        check_inputs(&fields)?;
        check_dtype(&fields)?;
        let d_in = whole(&fields, "d_in")?.ok_or("there is no d_in")?;
        let d_sae = match (
            whole(&fields, "d_sae")?,
            whole(&fields, "expansion_factor")?,
        ) {
            (Some(d_sae), _) => d_sae,
            (None, Some(factor)) => d_in
                .checked_mul(factor)
                .ok_or("d_in * expansion_factor is too large")?,
            (None, None) => return Err("there is no d_sae".to_owned()),
        };
        let rescale = switch(&fields, RESCALE)?.unwrap_or(false);
        let may = matches!(
            architecture,
            Architecture::TopK { .. } | Architecture::AbsTopK { .. }
        );
        if rescale && !may {
            return Err(format!(
                "{RESCALE} is true, which only the architectures {TOP_K:?} and {ABS_TOP_K:?} have"
            ));
        }
        let cfg = Self {
            architecture,
            d_in,
            d_sae,
            apply_b_dec_to_input: apply_b_dec(&fields)?,
            rescale,
            scaling_factor: switch(&fields, SCALING)?.unwrap_or(false),
            hook_name: hook_name(&fields)?,
            fields: Map::new(),
        };
        let applied = ["activation_fn", "activation_fn_kwargs", SCALING, RESCALE];
        fields.retain(|name, _| !applied.contains(&name.as_str()));
        Ok(Self { fields, ..cfg })
    }
}

/// Sets the fields that describe the architecture.
pub(super) fn describe_architecture(fields: &mut Map<String, Value>, architecture: Architecture) {
    match architecture {
        Architecture::Pursuit(rules) => describe_pursuit(fields, rules),
        Architecture::Temporal(own) => describe_temporal(fields, own),
        Architecture::Standard | Architecture::JumpReLU | Architecture::Gated => {
            let name = match architecture {
                Architecture::Gated => GATED,
                Architecture::JumpReLU => JUMP_RELU,
                _ => STANDARD,
            };
            fields.insert("architecture".into(), json!(name));
            fields.retain(|name, _| name != "k" && name != RESCALE);
        }
        Architecture::TopK { k } | Architecture::AbsTopK { k } => {
            let name = match architecture {
                Architecture::AbsTopK { .. } => ABS_TOP_K,
                _ => TOP_K,
            };
            fields.insert("architecture".into(), json!(name));
            fields.insert("k".into(), json!(k));
            fields.insert(RESCALE.into(), json!(false));
        }
    }
}

/// Sets a version in the metadata with which SAELens reads the folder as it is written.
pub(super) fn with_version(metadata: &mut Map<String, Value>) {
    let version = metadata.get("sae_lens_version").and_then(Value::as_str);
    let major = version.and_then(|version| version.split('.').next()?.parse::<u64>().ok());
    if major.is_none_or(|major| major < 6) {
        metadata.insert("sae_lens_version".into(), json!(VERSION));
    }
}

/// Renames the fields as in version 6, and moves those that are metadata there into `metadata`.
fn renamed(given: Map<String, Value>) -> Result<Map<String, Value>, Reason> {
    let mut fields = Map::new();
    let mut metadata = Map::new();
    let (nested, flat): (Vec<_>, Vec<_>) =
        given.into_iter().partition(|(name, _)| name == "metadata");
    for (_, value) in nested {
        match value {
            Value::Object(nested) => metadata.extend(nested),
            Value::Null => {}
            other => {
                let other = shortened(&other);
                return Err(format!("metadata is {other}, expected an object"));
            }
        }
    }
    for (name, value) in flat {
        let name = match name.as_str() {
            "hook_point" => "hook_name".to_owned(),
            "hook_point_head_index" => "hook_head_index".to_owned(),
            "activation_fn_str" => "activation_fn".to_owned(),
            "uses_scaling_factor" => SCALING.to_owned(),
            _ => name,
        };
        let into = match METADATA.contains(&name.as_str()) {
            true => &mut metadata,
            false => &mut fields,
        };
        if let Some(other) = into.get(&name)
            && *other != value
        {
            let (one, other) = (shortened(&value), shortened(other));
            return Err(format!("{name} is given twice, as {one} and as {other}"));
        }
        into.insert(name, value);
    }
    with_version(&mut metadata);
    fields.insert("metadata".into(), Value::Object(metadata));
    Ok(fields)
}

fn check_architecture(fields: &Map<String, Value>) -> Result<(), Reason> {
    match text(fields, "architecture")? {
        None | Some(STANDARD | TOP_K | JUMP_RELU | GATED | ABS_TOP_K | PURSUIT | TEMPORAL) => {
            Ok(())
        }
        Some("cross_layer_transcoder") => Err(elsewhere("CrossLayerTranscoder::load")),
        Some("crosscoder") => Err(elsewhere("Crosscoder::load")),
        Some(name) if name.ends_with("transcoder") => Err(elsewhere("Transcoder::load")),
        Some(other) => Err(format!(
            "architecture is {other:?}, which is not supported; supported are {STANDARD:?}, \
             {TOP_K:?}, {ABS_TOP_K:?}, {JUMP_RELU:?}, {GATED:?}, {PURSUIT:?} and {TEMPORAL:?}"
        )),
    }
}

/// The message for a folder that another function reads.
fn elsewhere(function: &str) -> Reason {
    format!("architecture is not that of an autoencoder of a single site; load it with {function}")
}

/// The architecture, which before version 6 could be given by the activation function.
fn architecture(fields: &Map<String, Value>) -> Result<Architecture, Reason> {
    let name = text(fields, "architecture")?;
    let activation = text(fields, "activation_fn")?;
    let mut k = whole(fields, "k")?;
    if let Some(given) = k_of_activation(fields)? {
        if activation != Some(TOP_K) && name != Some(TOP_K) {
            return Err(format!(
                "activation_fn_kwargs has k = {given}, but activation_fn is not {TOP_K:?}"
            ));
        }
        if k.is_some_and(|k| k != given) {
            return Err(format!(
                "k is {}, but activation_fn_kwargs has k = {given}",
                k.unwrap_or_default()
            ));
        }
        k = Some(given);
    }
    let is_top_k = match activation {
        None | Some("relu") => name == Some(TOP_K),
        Some(TOP_K)
            if matches!(
                name,
                Some(JUMP_RELU | GATED | ABS_TOP_K | PURSUIT | TEMPORAL)
            ) =>
        {
            return Err(format!(
                "activation_fn is {TOP_K:?}, which the architecture {:?} does not take",
                name.unwrap_or_default()
            ));
        }
        Some(TOP_K) => true,
        Some(other) => {
            return Err(format!(
                "activation_fn is {other:?}, which is not supported; supported are \"relu\" and \
                 {TOP_K:?}"
            ));
        }
    };
    match (is_top_k, k) {
        (false, Some(k)) if name == Some(ABS_TOP_K) => Ok(Architecture::AbsTopK { k }),
        (false, None) if name == Some(ABS_TOP_K) => {
            Err("there is no k, the number of activations kept".to_owned())
        }
        (true, Some(k)) => Ok(Architecture::TopK { k }),
        (true, None) => Err("there is no k, the number of activations kept".to_owned()),
        (false, None) if name == Some(JUMP_RELU) => Ok(Architecture::JumpReLU),
        (false, None) if name == Some(GATED) => Ok(Architecture::Gated),
        (false, None) if name == Some(PURSUIT) => Ok(Architecture::Pursuit(pursuit_rules(fields)?)),
        (false, None) if name == Some(TEMPORAL) => Ok(Architecture::Temporal(temporal(fields)?)),
        (false, None) => Ok(Architecture::Standard),
        (false, Some(k)) => Err(format!(
            "k is {k}, which only the architectures {TOP_K:?} and {ABS_TOP_K:?} have"
        )),
    }
}

fn k_of_activation(fields: &Map<String, Value>) -> Result<Option<u64>, Reason> {
    let arguments = match fields.get("activation_fn_kwargs") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Object(arguments)) => arguments,
        Some(other) => {
            let other = shortened(other);
            return Err(format!(
                "activation_fn_kwargs is {other}, expected an object"
            ));
        }
    };
    if let Some(other) = arguments.keys().find(|name| *name != "k") {
        return Err(format!(
            "activation_fn_kwargs has the unknown argument {other:?}"
        ));
    }
    whole(arguments, "k")
}

/// Checks that activations are not normalised before they are encoded.
fn check_inputs(fields: &Map<String, Value>) -> Result<(), Reason> {
    match fields.get("normalize_activations") {
        None | Some(Value::Null | Value::Bool(false)) => {}
        Some(Value::String(name)) if name == "none" => {}
        // Before version 3.4, true meant expected_average_only_in.
        Some(value) => {
            return Err(format!(
                "normalize_activations is {}, only \"none\" (or false) is supported; have SAELens fold \
                 the normalisation into the weights first (fold_activation_norm_scaling_factor)",
                shortened(value)
            ));
        }
    }
    // The heads of hook_z are concatenated everywhere in this library.
    match text(fields, "reshape_activations")? {
        None | Some("none" | "hook_z") => Ok(()),
        Some(other) => Err(format!(
            "reshape_activations is {other:?}, only \"none\" and \"hook_z\" are supported"
        )),
    }
}

fn check_dtype(fields: &Map<String, Value>) -> Result<(), Reason> {
    let Some(dtype) = text(fields, "dtype")? else {
        return Ok(());
    };
    match dtype.strip_prefix("torch.").unwrap_or(dtype) {
        "float32" | "float64" | "float16" | "bfloat16" => Ok(()),
        _ => Err(format!(
            "dtype is {dtype:?}, expected float32, float64, float16 or bfloat16"
        )),
    }
}

fn apply_b_dec(fields: &Map<String, Value>) -> Result<bool, Reason> {
    let name = "apply_b_dec_to_input";
    match fields.get(name) {
        None => Ok(true),
        Some(Value::Bool(apply)) => Ok(*apply),
        Some(value) => Err(format!(
            "{name} is {}, expected true or false",
            shortened(value)
        )),
    }
}

fn hook_name(fields: &Map<String, Value>) -> Result<Option<String>, Reason> {
    match fields.get("metadata") {
        Some(Value::Object(metadata)) => Ok(text(metadata, "hook_name")?.map(str::to_owned)),
        _ => Ok(None),
    }
}

fn whole(fields: &Map<String, Value>, name: &str) -> Result<Option<u64>, Reason> {
    optional(fields, name, "a whole number", Value::as_u64)
}

fn switch(fields: &Map<String, Value>, name: &str) -> Result<Option<bool>, Reason> {
    optional(fields, name, "true or false", Value::as_bool)
}

fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, Reason> {
    optional(fields, name, "a text", Value::as_str)
}

/// The field's value as parsed by `read`, if it is present and not null.
fn optional<'a, T>(
    fields: &'a Map<String, Value>,
    name: &str,
    expected: &str,
    read: impl Fn(&'a Value) -> Option<T>,
) -> Result<Option<T>, Reason> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => read(value).map(Some).ok_or_else(|| {
            let value = shortened(value);
            format!("{name} is {value}, expected {expected}")
        }),
    }
}
