//! Our side of `measurements.py`: the measurements of a model and an autoencoder on its arrays, as JSON.

use crate::Result;
use holoscope::candle::{Device, Tensor, safetensors};
use holoscope::interp::{
    LabelledActivations, MeasureConfig, MetaConfig, ProbeConfig, SpuriousActivations, absorption,
    description_length, logistic_regression, measure_tokens_with, meta_structure, sparse_probing,
    spurious_correlation_removal, targeted_probe_perturbation,
};
use holoscope::model::Transformer;
use holoscope::progress::Silent;
use holoscope::sae::Sae;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::path::Path;

/// Numbers of features that are ablated.
const N_ABLATED: [usize; 3] = [2, 5, 10];

struct Arrays(HashMap<String, Tensor>);

impl Arrays {
    fn get(&self, name: &str) -> Result<&Tensor> {
        Ok(self.0.get(name).ok_or(format!("no array {name}"))?)
    }

    fn numbers(&self, name: &str) -> Result<Vec<u32>> {
        Ok(self.get(name)?.to_vec1::<u32>()?)
    }

    fn labelled(&self, name: &str, n_classes: usize) -> Result<LabelledActivations> {
        let labels = self.numbers(&format!("{name}_labels"))?;
        let labels = labels.into_iter().map(|l| l as usize).collect();
        let classes = (0..n_classes).map(|i| i.to_string()).collect();
        let x = self.get(&format!("{name}_x"))?.clone();
        Ok(LabelledActivations::new(x, labels, classes)?)
    }

    /// Two answers in the bits of the label.
    fn spurious(&self, name: &str) -> Result<SpuriousActivations> {
        let labels = self.numbers(&format!("{name}_labels"))?;
        Ok(SpuriousActivations {
            x: self.get(&format!("{name}_x"))?.clone(),
            first: labels.iter().map(|l| l & 1 == 0).collect(),
            second: labels.iter().map(|l| l & 2 == 0).collect(),
        })
    }
}

/// Prints one JSON object.
pub fn measurements(folder: &str) -> Result<()> {
    let folder = Path::new(folder);
    let model = Transformer::load_tl(&folder.join("model"))?;
    let sae = Sae::load(folder.join("sae"))?;
    let arrays = Arrays(safetensors::load(
        folder.join("arrays.safetensors"),
        &Device::Cpu,
    )?);
    let hook_name = sae.hook_name().ok_or("the autoencoder has no hook point")?;
    let cfg = MeasureConfig {
        batch_size: 16,
        n_resamples: 0,
        ..MeasureConfig::at(hook_name)
    };
    let core = measure_tokens_with(&model, &sae, arrays.get("tokens")?, &cfg, &mut Silent)?;
    let core: Map<String, Value> = core
        .rows
        .iter()
        .map(|row| (row.metric.clone(), json!(row.value)))
        .collect();
    let probes = ProbeConfig {
        n_ablated: N_ABLATED.to_vec(),
        ..ProbeConfig::default()
    };
    let halves = |name: &str, n: usize| -> Result<_> {
        let half = |h: &str| arrays.labelled(&format!("{name}_{h}"), n);
        Ok((half("train")?, half("test")?))
    };
    let (train, test) = halves("two", 2)?;
    let two = sparse_probing(&sae, &train, &test, &probes)?;
    let absorbed = absorption(&sae, &train, &test, &probes)?;
    let in_class: Vec<bool> = train.labels.iter().map(|l| *l == 0).collect();
    let probe = logistic_regression(&train.x, &in_class, probes.c)?;
    let (train, test) = halves("four", 4)?;
    let four = sparse_probing(&sae, &train, &test, &probes)?;
    let tpp = targeted_probe_perturbation(&sae, &train, &test, &probes)?;
    let (train, test) = (
        arrays.spurious("four_train")?,
        arrays.spurious("four_test")?,
    );
    let scr = spurious_correlation_removal(&sae, &train, &test, &probes)?;
    let bits = description_length(&sae, arrays.get("mdl_x")?, &[8, 16])?;
    let meta = MetaConfig {
        n_atoms: 32,
        ..MetaConfig::default()
    };
    let own = &absorbed.rows[0];
    let by_n = |score: &dyn Fn(usize) -> f64| -> Map<String, Value> {
        let of = |n: &usize| (n.to_string(), json!(score(*n)));
        N_ABLATED.iter().map(of).collect()
    };
    let by_k = |score: &dyn Fn(usize) -> f64| -> Map<String, Value> {
        let of = |k: &usize| (k.to_string(), json!(score(*k)));
        probes.ks.iter().map(of).collect()
    };
    let found = json!({
        "core": core,
        "sparse_probing_two": by_k(&|k| two.accuracy(k)),
        "sparse_probing_two_neurons": by_k(&|k| two.neuron_accuracy(k)),
        "sparse_probing_two_full": two.rows[0].full_accuracy,
        "sparse_probing_four": by_k(&|k| four.accuracy(k)),
        "tpp": by_n(&|n| tpp.score(n)),
        "scr": by_n(&|n| scr.score(n)),
        "absorption": {
            "features": own.features,
            "n": own.n_true_positives,
            "full": own.full,
            "fraction": own.fraction,
            "probe": probe.weights,
            "intercept": probe.intercept,
        },
        "mdl": bits.rows.iter().map(|r| json!([r.n_bins, r.bits])).collect::<Vec<_>>(),
        "mdl_on": bits.on_bits,
        "meta_structure": meta_structure(&sae, &meta)?.explained_variance,
    });
    println!("{found}");
    Ok(())
}
