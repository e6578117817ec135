//! A dashboard as Neuronpedia's JSON of a feature, and back.
//!
//! What the format does not hold is lost on the way: the counts behind the density, quantiles, tokens by
//! share of activation, the examples drawn from all active tokens, Jaccard indices, the ablation, and
//! where in the text an example stands. The highest activations have no sign there: the lowest ones of AbsTopK are
//! written as an interval. `*_l1` of correlated features and neurons are cosines there,
//! whatever the name says; histograms have the middles of their bins.
//! Source: sae_dashboard 0.8, `neuronpedia_converter.py` and `neuronpedia_export.py`.

mod fields;
mod object;

use super::bins::BinCounts;
use super::co_activity::{CorrelatedFeature, CorrelatedNeuron};
use super::examples::{ActivationExample, ExampleGroup, ExampleKind};
use super::feature::{AlignedNeuron, DirectLogits, FeatureDashboard, SimilarFeature};
use crate::error::{Error, Result};
use fields::{ACTIVATION, FEATURE};
use object::Fields;
use serde_json::{Value, json};

/// `binMin` of the highest activations, which have no interval.
const TOP_BIN: f64 = -1.0;

/// A feature as Neuronpedia has it: the dashboard and what it belongs to.
#[derive(Debug, Clone, PartialEq)]
pub struct NeuronpediaFeature {
    /// Neuronpedia's name of the model, for example `gpt2-small`.
    pub model_id: String,
    /// Neuronpedia's name of the autoencoder, for example `6-res-jb`.
    pub layer: String,
    pub dashboard: FeatureDashboard,
}

impl FeatureDashboard {
    /// The feature as Neuronpedia's JSON. `model_id`, for example `gpt2-small`, and `layer`, for example
    /// `6-res-jb`, are Neuronpedia's names of the model and of the autoencoder.
    ///
    /// # Errors
    /// [`Error::NotFiniteAt`] for a figure that is NaN or infinite, which JSON cannot hold.
    pub fn to_neuronpedia(&self, model_id: &str, layer: &str) -> Result<String> {
        let (logits, neurons) = (self.logits.as_ref(), &self.neurons);
        let (near, bound) = (&self.correlated, &self.correlated_neurons);
        let top = logits.map_or(&[][..], |l| &l.top);
        let bottom = logits.map_or(&[][..], |l| &l.bottom);
        let none = BinCounts::default();
        let histogram = logits.map_or(&none, |l| &l.histogram);
        let explanations: Vec<Value> = match self.label.is_empty() {
            true => Vec::new(),
            false => vec![json!({ "description": self.label })],
        };
        let groups = self.groups.iter().filter(|g| g.kind != ExampleKind::Random);
        let activations: Result<Vec<Value>> = groups
            .flat_map(|group| group.examples.iter().map(move |example| (group, example)))
            .map(|(group, example)| self.activation(group, example, model_id, layer))
            .collect();
        let feature = json!({
            "modelId": model_id,
            "layer": layer,
            "index": self.feature_id.to_string(),
            "hookName": if self.hook_name.is_empty() { Value::Null } else { json!(self.hook_name) },
            "maxActApprox": number(self.max_act, "the largest activation")?,
            "hasVector": false,
            "vector": [],
            "topkCosSimIndices": self.similar.iter().map(|f| f.feature_id).collect::<Vec<_>>(),
            "topkCosSimValues": list(self.similar.iter().map(|f| f.cosine), "a cosine")?,
            "neuron_alignment_indices": neurons.iter().map(|n| n.index).collect::<Vec<_>>(),
            "neuron_alignment_values": list(neurons.iter().map(|n| n.weight), "a weight")?,
            "neuron_alignment_l1": list(neurons.iter().map(|n| n.share_of_l1), "a weight")?,
            "correlated_neurons_indices": bound.iter().map(|n| n.index).collect::<Vec<_>>(),
            "correlated_neurons_pearson": list(bound.iter().map(|n| n.pearson), "a correlation")?,
            "correlated_neurons_l1": list(bound.iter().map(|n| n.cosine), "a correlation")?,
            "correlated_features_indices": near.iter().map(|f| f.feature_id).collect::<Vec<_>>(),
            "correlated_features_pearson": list(near.iter().map(|f| f.pearson), "a correlation")?,
            "correlated_features_l1": list(near.iter().map(|f| f.cosine), "a correlation")?,
            "neg_str": bottom.iter().map(|t| &t.token).collect::<Vec<_>>(),
            "neg_values": list(bottom.iter().map(|t| t.value), "a logit")?,
            "pos_str": top.iter().map(|t| &t.token).collect::<Vec<_>>(),
            "pos_values": list(top.iter().map(|t| t.value), "a logit")?,
            "frac_nonzero": number(self.density, "the density")?,
            "freq_hist_data_bar_heights": list(self.act_histogram.counts.iter().copied(), "a count")?,
            "freq_hist_data_bar_values": list(self.act_histogram.middles.iter().copied(), "a bin")?,
            "logits_hist_data_bar_heights": list(histogram.counts.iter().copied(), "a count")?,
            "logits_hist_data_bar_values": list(histogram.middles.iter().copied(), "a bin")?,
            "decoder_weights_dist": [],
            "explanations": explanations,
            "activations": activations?,
        });
        Ok(feature.to_string())
    }

    /// Reads Neuronpedia's JSON of a feature. Every field is applied, known to change nothing of a
    /// dashboard, or refused by name.
    ///
    /// ```
    /// use holoscope::interp::FeatureDashboard;
    /// let text = r#"{"modelId": "gpt2-small", "layer": "6-res-jb", "index": "12", "frac_nonzero": 0.5,
    ///     "pos_str": [" king"], "pos_values": [1.5], "neg_str": [], "neg_values": []}"#;
    /// let feature = FeatureDashboard::from_neuronpedia(text)?;
    /// assert_eq!((feature.model_id.as_str(), feature.dashboard.feature_id), ("gpt2-small", 12));
    /// # Ok::<(), holoscope::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Json`] for a text that is not JSON, [`Error::Format`] for a field that is missing, unknown
    /// or of another type, for lists of different lengths, and for more than one explanation.
    pub fn from_neuronpedia(text: &str) -> Result<NeuronpediaFeature> {
        let value: Value = serde_json::from_str(text)?;
        let object = Fields::of(&value, &FEATURE, "feature")?;
        let label = read_label(&object)?;
        let density = object.number("frac_nonzero")?;
        let density = density.ok_or_else(|| object.wrong("frac_nonzero", "is missing"))?;
        let groups = read_groups(&object, density)?;
        let acts = || {
            let examples = groups.iter().flat_map(|g| &g.examples);
            examples.flat_map(|e| &e.acts).map(|&act| f64::from(act))
        };
        let (max, min_act) = (acts().fold(0.0, f64::max), acts().fold(0.0, f64::min));
        let logits = read_logits(&object)?;
        Ok(NeuronpediaFeature {
            model_id: object.text("modelId")?.unwrap_or_default(),
            layer: object.text("layer")?.unwrap_or_default(),
            dashboard: FeatureDashboard {
                feature_id: object.index()?,
                hook_name: object.text("hookName")?.unwrap_or_default(),
                label,
                n_tokens: 0,
                n_active: 0,
                density,
                max_act: object.number("maxActApprox")?.unwrap_or(max),
                min_act,
                mean_act: object.mean_act()?,
                quantiles: Vec::new(),
                act_histogram: object.bins("freq_hist_data_bar")?,
                top_tokens: Vec::new(),
                groups,
                logits,
                correlated: read_correlated(&object)?,
                correlated_neurons: read_correlated_neurons(&object)?,
                n_correlation_tokens: 0,
                similar: object
                    .rows(["topkCosSimIndices", "topkCosSimValues"])?
                    .into_iter()
                    .map(|[id, cosine]| SimilarFeature {
                        feature_id: id as usize,
                        cosine,
                    })
                    .collect(),
                neurons: read_alignment(&object)?,
                ablation: None,
            },
        })
    }

    fn activation(
        &self,
        group: &ExampleGroup,
        example: &ActivationExample,
        model_id: &str,
        layer: &str,
    ) -> Result<Value> {
        let acts = &example.acts;
        let best = |better: fn(f32, f32) -> bool| {
            let best = acts.iter().copied().enumerate();
            best.reduce(|a, b| if better(b.1, a.1) { b } else { a })
        };
        let (at, max) = best(|a, b| a > b).unwrap_or((0, 0.0));
        let min = best(|a, b| a < b).map_or(0.0, |best| best.1);
        let negative = group.low < 0.0;
        let [low, high, share] = match group.kind {
            ExampleKind::Top if !negative => [
                json!(TOP_BIN),
                number(group.high, "an interval")?,
                json!(TOP_BIN),
            ],
            ExampleKind::Interval | ExampleKind::Top => [
                number(group.low, "an interval")?,
                number(group.high, "an interval")?,
                number(group.share, "a share")?,
            ],
            ExampleKind::Random | ExampleKind::Unknown => [const { Value::Null }; 3],
        };
        Ok(json!({
            "modelId": model_id,
            "layer": layer,
            "index": self.feature_id.to_string(),
            "tokens": example.tokens,
            "values": list(acts.iter().map(|&act| f64::from(act)), "an activation")?,
            "maxValue": number(f64::from(max), "an activation")?,
            "maxValueTokenIndex": at,
            "minValue": number(f64::from(min), "an activation")?,
            "qualifyingTokenIndex": example.peak,
            "binMin": low,
            "binMax": high,
            "binContains": share,
            "dfaValues": [],
            "dfaTargetIndex": null,
            "dfaMaxValue": null,
            "lossValues": [],
            "logitContributions": null,
        }))
    }
}

/// A number that JSON can hold.
fn number(value: f64, what: &str) -> Result<Value> {
    match value.is_finite() {
        true => Ok(json!(value)),
        false => Err(Error::NotFiniteAt {
            what: what.to_owned(),
            value,
            place: "the dashboard, and JSON has no such number".to_owned(),
        }),
    }
}

fn list(values: impl Iterator<Item = f64>, what: &str) -> Result<Vec<Value>> {
    values.map(|value| number(value, what)).collect()
}

/// The only explanation; empty without one.
fn read_label(object: &Fields) -> Result<String> {
    match object.objects("explanations")? {
        [] => Ok(String::new()),
        [explanation] => {
            let text = explanation.get("description").and_then(Value::as_str);
            let rule = "must have a description, a text";
            let text = text.ok_or_else(|| object.wrong("explanations", rule))?;
            Ok(text.to_owned())
        }
        several => {
            let n = several.len();
            let rule = format!("must be one at most, the label, but there are {n}");
            Err(object.wrong("explanations", &rule))
        }
    }
}

fn read_logits(object: &Fields) -> Result<Option<DirectLogits>> {
    let logits = DirectLogits {
        top: object.token_values("pos_str", "pos_values")?,
        bottom: object.token_values("neg_str", "neg_values")?,
        histogram: object.bins("logits_hist_data_bar")?,
    };
    let empty = logits.top.is_empty() && logits.bottom.is_empty();
    Ok(match empty && logits.histogram.counts.is_empty() {
        true => None,
        false => Some(logits),
    })
}

fn read_correlated(object: &Fields) -> Result<Vec<CorrelatedFeature>> {
    let rows = object.rows([
        "correlated_features_indices",
        "correlated_features_pearson",
        "correlated_features_l1",
    ])?;
    let read = |[id, pearson, cosine]: [f64; 3]| CorrelatedFeature {
        feature_id: id as usize,
        pearson,
        cosine,
        jaccard: f64::NAN,
    };
    Ok(rows.into_iter().map(read).collect())
}

fn read_correlated_neurons(object: &Fields) -> Result<Vec<CorrelatedNeuron>> {
    let rows = object.rows([
        "correlated_neurons_indices",
        "correlated_neurons_pearson",
        "correlated_neurons_l1",
    ])?;
    let read = |[index, pearson, cosine]: [f64; 3]| CorrelatedNeuron {
        index: index as usize,
        pearson,
        cosine,
    };
    Ok(rows.into_iter().map(read).collect())
}

fn read_alignment(object: &Fields) -> Result<Vec<AlignedNeuron>> {
    let rows = object.rows([
        "neuron_alignment_indices",
        "neuron_alignment_values",
        "neuron_alignment_l1",
    ])?;
    let read = |[index, weight, share_of_l1]: [f64; 3]| AlignedNeuron {
        index: index as usize,
        weight,
        share_of_l1,
    };
    Ok(rows.into_iter().map(read).collect())
}

/// The examples, in groups of the same interval in the order in which these first occur. `density`: of
/// the feature, the share of the top group.
fn read_groups(object: &Fields, density: f64) -> Result<Vec<ExampleGroup>> {
    let mut groups: Vec<ExampleGroup> = Vec::new();
    for (i, value) in object.objects("activations")?.iter().enumerate() {
        let fields = Fields::of(value, &ACTIVATION, format!("activation {i}"))?;
        let mut group = read_interval(&fields, density)?;
        let example = read_example(&fields)?;
        match groups.iter_mut().find(|known| {
            (known.kind, known.low, known.high) == (group.kind, group.low, group.high)
        }) {
            Some(known) => known.examples.push(example),
            None => {
                group.examples.push(example);
                groups.push(group);
            }
        }
    }
    for group in groups.iter_mut().filter(|g| g.kind == ExampleKind::Top) {
        let acts = group.examples.iter().flat_map(|example| &example.acts);
        group.high = acts.fold(0.0, |high: f64, &act| high.max(f64::from(act)));
    }
    Ok(groups)
}

/// The group of an activation, without examples; the top group's `high` follows from these.
fn read_interval(fields: &Fields, density: f64) -> Result<ExampleGroup> {
    let bin = |field: &str| fields.number(field);
    let (low, high, share) = (bin("binMin")?, bin("binMax")?, bin("binContains")?);
    let (kind, low, high, share) = match (low, high, share) {
        (Some(TOP_BIN), ..) => (ExampleKind::Top, 0.0, 0.0, density),
        (Some(low), Some(high), share) => (ExampleKind::Interval, low, high, share.unwrap_or(0.0)),
        _ => (ExampleKind::Unknown, 0.0, 0.0, 0.0),
    };
    Ok(ExampleGroup {
        kind,
        low,
        high,
        share,
        examples: Vec::new(),
    })
}

fn read_example(fields: &Fields) -> Result<ActivationExample> {
    let (tokens, acts) = (fields.texts("tokens")?, fields.numbers("values")?);
    if tokens.is_empty() || tokens.len() != acts.len() {
        return Err(fields.wrong("values", "must be as long as tokens, and not empty"));
    }
    let index = |field: &str| fields.read(field, "must be an index", Value::as_u64);
    let peak = index("qualifyingTokenIndex")?.or(index("maxValueTokenIndex")?);
    let peak = peak.unwrap_or(0) as usize;
    if peak >= tokens.len() {
        return Err(fields.wrong("qualifyingTokenIndex", "must be below the number of tokens"));
    }
    Ok(ActivationExample {
        sequence: None,
        pos: None,
        tokens,
        acts: acts.iter().map(|&act| act as f32).collect(),
        peak,
    })
}

#[cfg(test)]
mod tests;
