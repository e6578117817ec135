//! The real TransformerLens and transformers beside this library, on small models with random weights.
//!
//! `HOLOSCOPE_SAE_LENS_PYTHON=venv/bin/python cargo test --workspace --test transformer_lens_package -- --ignored`

#[path = "common/python.rs"]
mod python;

use candle_core::Tensor;
use holoscope::model::{NamesFilter, Transformer};
use python::{relative_difference, tensors};
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

const PYTHON: &str = "HOLOSCOPE_SAE_LENS_PYTHON";
const TOLERANCE: f64 = 1e-4;

fn folders(root: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root).unwrap();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders
}

/// The largest difference of two tensors.
fn difference(found: &Tensor, wanted: &Tensor) -> f64 {
    assert_eq!(found.dims(), wanted.dims());
    let d = (found - wanted).unwrap().abs().unwrap();
    let d = d.flatten_all().unwrap().max(0).unwrap();
    f64::from(d.to_scalar::<f32>().unwrap())
}

/// Every activation of TransformerLens that has a name here, and none of ours is unknown to it.
fn compare_caches(name: &str, model: &Transformer, peer: &HashMap<String, Tensor>) {
    let (_, cache) = model
        .run_with_cache_filtered(&peer["tokens"], &NamesFilter::All, None)
        .unwrap();
    let ours: BTreeSet<String> = cache.names().into_iter().collect();
    let theirs: BTreeSet<String> = peer
        .keys()
        .filter_map(|key| key.strip_prefix("cache."))
        .map(str::to_owned)
        .collect();
    assert_eq!(ours, theirs, "{name}: names of activations");
    let mut most = (0.0, String::new());
    for hook in ours {
        let found = cache.get(&hook).unwrap();
        let wanted = &peer[&format!("cache.{hook}")];
        let d = relative_difference(&found, wanted);
        assert!(d < TOLERANCE, "{name}, {hook}: {d}");
        if d > most.0 {
            most = (d, hook);
        }
    }
    println!(
        "{name:24} activations: {:.1e} at most, of {}",
        most.0, most.1
    );
}

#[test]
#[ignore = "needs HOLOSCOPE_SAE_LENS_PYTHON, a Python with transformer-lens and transformers"]
fn small_models_have_the_logits_and_activations_of_the_packages() {
    let root = tempfile::tempdir().unwrap();
    let script = "transformer_lens_models.py";
    python::run(&python::named_by(PYTHON), script, &[root.path().into()]);
    let lens = folders(&root.path().join("lens"));
    assert_eq!(lens.len(), 11);
    for folder in lens {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let model = Transformer::load_tl(&folder).unwrap_or_else(|e| panic!("{name}: {e}"));
        let peer = tensors(&folder.join("peer.safetensors"));
        let of = |model: &Transformer| model.forward(&peer["tokens"]).unwrap();
        let logits = difference(&of(&model), &peer["logits"]);
        let processed = model.process_weights().unwrap();
        let processed = difference(&of(&processed), &peer["processed"]);
        println!("{name:24} logits {logits:.1e}, after processing {processed:.1e}");
        assert!(logits < TOLERANCE, "{name}");
        assert!(processed < TOLERANCE, "{name}: processed");
        compare_caches(&name, &model, &peer);
    }
    let hugging_face = folders(&root.path().join("hf"));
    assert_eq!(hugging_face.len(), 6);
    for folder in hugging_face {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let model = Transformer::load_hf(&folder).unwrap_or_else(|e| panic!("{name}: {e}"));
        let peer = tensors(&folder.join("peer.safetensors"));
        let logits = model.forward(&peer["tokens"]).unwrap();
        let d = difference(&logits, &peer["logits"]);
        println!("{name:24} logits {d:.1e}");
        assert!(d < TOLERANCE, "{name}");
    }
}
