//! SAELens' folders of all versions: what loads computes what SAELens computes, and no field or
//! tensor is left aside.

mod common;
#[path = "common/tensors.rs"]
mod tensors;

use candle_core::{DType, Device, Tensor};
use holoscope::sae::{Sae, SparseAutoencoder, StandardSae, TopKSae};
use holoscope::{Error, Result};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use tensors::{copy, edit_json, edit_tensors, largest_difference, with_first};

const BEFORE_6: &str = "cases/files/sae_before_version_6";
const TOP_K: &str = "cases/files/sae_standard_with_topk_activation";
const SCALED: &str = "cases/files/sae_scaling_factor_two";

type Fields = Map<String, Value>;
type Tensors = HashMap<String, Tensor>;

/// A folder of the cases, and SAELens' `x [40, 24]`, `acts` and `recons` of its parameters with ReLU.
fn case(rel: &str) -> Option<(PathBuf, Tensors)> {
    let dir = common::shared(rel)?;
    let expected = common::shared("cases/files/sae_expected.safetensors")?;
    let expected = candle_core::safetensors::load(expected, &Device::Cpu).unwrap();
    Some((dir, expected))
}

/// A copy of a folder with its configuration and its tensors changed.
fn changed(
    from: &Path,
    fields: impl FnOnce(&mut Fields),
    tensors: impl FnOnce(&mut Tensors),
) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    copy(from, dir.path());
    edit_json(&dir.path().join("cfg.json"), fields);
    edit_tensors(&dir.path().join("sae_weights.safetensors"), tensors);
    dir
}

/// The TopK autoencoder in a folder.
fn top_k(dir: &Path) -> TopKSae {
    match Sae::load(dir).unwrap() {
        Sae::TopK(sae) => sae,
        other => panic!("{}", other.summary()),
    }
}

fn refusal<T>(result: Result<T>) -> String {
    match result {
        Ok(_) => panic!("it was loaded"),
        Err(err) => {
            assert!(matches!(err, Error::Format { .. }), "{err}");
            err.to_string()
        }
    }
}

fn with_field(from: &Path, field: &str, value: Value) -> tempfile::TempDir {
    changed(from, |f| _ = f.insert(field.to_owned(), value), |_| ())
}

/// Active features a token.
fn l0(acts: &Tensor) -> f32 {
    let active = acts.gt(0.0).unwrap().to_dtype(DType::F32).unwrap();
    let mean = active.sum(1).unwrap().mean(0).unwrap();
    mean.to_scalar().unwrap()
}

#[test]
fn a_folder_from_before_version_6_keeps_its_hook_and_its_function() {
    let Some((dir, expected)) = case(BEFORE_6) else {
        return;
    };
    let sae = Sae::load(&dir).unwrap();
    assert_eq!(sae.hook_name(), Some("blocks.7.hook_resid_pre"));
    assert_eq!(sae.cfg()["metadata"]["model_name"], "gpt2-small");
    let acts = sae.encode(&expected["x"]).unwrap();
    assert!(largest_difference(&acts, &expected["acts"]) < 1e-5);
    // 49.3 active features of 96: numpy's count of the positive ones.
    assert!((l0(&acts) - 49.3).abs() < 1e-4);
    let recons = sae.reconstruct(&expected["x"]).unwrap();
    assert!(largest_difference(&recons, &expected["recons"]) < 1e-5);
}

#[test]
fn saving_and_loading_twice_changes_no_field() {
    let Some((dir, expected)) = case(BEFORE_6) else {
        return;
    };
    let named = with_field(&dir, "neuronpedia_id", json!("gpt2-small/7-res-jb"));
    let sae = Sae::load(named.path()).unwrap();
    let written = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    sae.save(written[0].path()).unwrap();
    let again = Sae::load(written[0].path()).unwrap();
    again.save(written[1].path()).unwrap();
    let text = |dir: &tempfile::TempDir| std::fs::read(dir.path().join("cfg.json")).unwrap();
    assert_eq!(text(&written[0]), text(&written[1]));
    assert_eq!(again.hook_name(), sae.hook_name());
    let metadata = &again.cfg()["metadata"];
    assert_eq!(metadata["model_name"], "gpt2-small");
    assert_eq!(metadata["hook_name"], "blocks.7.hook_resid_pre");
    assert_eq!(metadata["neuronpedia_id"], "gpt2-small/7-res-jb");
    assert_eq!(metadata["prepend_bos"], true);
    // SAELens reads metadata in the place where it is only from a folder of version 6.
    assert_eq!(metadata["sae_lens_version"], "6.0.0");
    // What says how it was trained stays.
    assert_eq!(again.cfg()["hook_layer"], 7);
    let recons = again.reconstruct(&expected["x"]).unwrap();
    assert!(largest_difference(&recons, &expected["recons"]) < 1e-5);
}

#[test]
fn the_names_of_the_first_versions_are_understood() {
    let Some((dir, expected)) = case(BEFORE_6) else {
        return;
    };
    let old = changed(
        &dir,
        |f| {
            let hook = f.remove("hook_name").unwrap();
            f.insert("hook_point".into(), hook);
            f.insert("hook_point_layer".into(), json!(7));
            f.insert("hook_point_head_index".into(), json!(null));
            f.insert("normalize_activations".into(), json!(false));
            f.insert("tokens_per_buffer".into(), json!(67_108_864));
            f.remove("d_sae");
            f.insert("expansion_factor".into(), json!(4));
            f.remove("activation_fn");
            f.insert("activation_fn_str".into(), json!("relu"));
        },
        |t| {
            // SAELens 1 and 2 write ones where nothing was scaled.
            let ones = Tensor::ones(96, DType::F32, &Device::Cpu).unwrap();
            t.insert("scaling_factor".to_owned(), ones);
        },
    );
    let sae = Sae::load(old.path()).unwrap();
    assert_eq!(sae.hook_name(), Some("blocks.7.hook_resid_pre"));
    let recons = sae.reconstruct(&expected["x"]).unwrap();
    assert!(largest_difference(&recons, &expected["recons"]) < 1e-5);
}

#[test]
fn a_top_k_activation_makes_a_top_k_autoencoder() {
    let Some((dir, expected)) = case(TOP_K) else {
        return;
    };
    // The two names of the field, of the folder as it is and with an architecture that says so.
    let renamed = |architecture: Option<&str>| {
        let set = |f: &mut Fields| {
            let name = f.remove("activation_fn").unwrap();
            f.insert("activation_fn_str".into(), name);
            if let Some(architecture) = architecture {
                f.insert("architecture".into(), json!(architecture));
            }
        };
        changed(&dir, set, |_| ())
    };
    let folders = [
        renamed(None),
        renamed(Some("standard")),
        renamed(Some("topk")),
        changed(&dir, |_| (), |_| ()),
    ];
    for folder in folders {
        let sae = top_k(folder.path());
        assert_eq!(sae.k, 8);
        let hook = sae.dictionary.hook_name.as_deref();
        assert_eq!(hook, Some("blocks.7.hook_resid_pre"));
        let acts = sae.encode(&expected["x"]).unwrap();
        assert_eq!(l0(&acts), 8.0);
        // numpy: the sum of the eight largest of SAELens' activations of each token.
        let sum = acts.sum_all().unwrap().to_scalar::<f32>().unwrap();
        assert!((sum - 933.449_95).abs() < 1e-2, "{sum}");
        let recons = sae.reconstruct(&expected["x"]).unwrap();
        let squares = recons.sqr().unwrap().sum_all().unwrap();
        let squares = squares.to_scalar::<f32>().unwrap();
        assert!((squares - 2_825.799_8).abs() < 3e-2, "{squares}");
        let written = tempfile::tempdir().unwrap();
        Sae::from(sae.clone()).save(written.path()).unwrap();
        let again = top_k(written.path());
        assert_eq!(again.dictionary.cfg, sae.dictionary.cfg);
        // The dictionary of its own is a standard one.
        Sae::from(sae.dictionary).save(written.path()).unwrap();
        let dictionary = Sae::load(written.path()).unwrap();
        assert!((l0(&dictionary.encode(&expected["x"]).unwrap()) - 49.3).abs() < 1e-4);
    }
    let standard = Sae::load(common::shared(BEFORE_6).unwrap()).unwrap();
    assert_eq!(standard.architecture(), "standard");
    for (field, value) in [
        ("k", json!(9)),
        ("activation_fn_kwargs", json!({})),
        ("activation_fn_kwargs", json!({ "k": 8, "sorted": true })),
        ("activation_fn_kwargs", json!({ "k": 8.5 })),
        ("activation_fn_kwargs", json!([8])),
    ] {
        let message = refusal(Sae::load(with_field(&dir, field, value).path()));
        assert!(message.contains('k'), "{message}");
    }
}

#[test]
fn a_scaling_factor_scales_what_is_decoded() {
    let Some((dir, expected)) = case(SCALED) else {
        return;
    };
    let sae = Sae::load(&dir).unwrap();
    // SAELens 5: `(acts * scaling_factor) W_dec + b_dec`, all factors 2: 2 (recons - b_dec) + b_dec.
    let doubled = (&expected["recons"] * 2.0).unwrap();
    let wanted = doubled.broadcast_sub(&sae.b_dec()).unwrap();
    let written = tempfile::tempdir().unwrap();
    sae.save(written.path()).unwrap();
    let reread = Sae::load(written.path()).unwrap();
    for sae in [&sae, &reread] {
        let acts = sae.encode(&expected["x"]).unwrap();
        assert!(largest_difference(&acts, &expected["acts"]) < 1e-5);
        let recons = sae.reconstruct(&expected["x"]).unwrap();
        assert!(largest_difference(&recons, &wanted) < 2e-5);
    }
    // The other name, which the tensor has in SAELens 3 to 5.
    let other = changed(
        &dir,
        |_| (),
        |t| {
            let factor = t.remove("scaling_factor").unwrap();
            t.insert("finetuning_scaling_factor".to_owned(), factor);
        },
    );
    let recons = Sae::load(other.path()).unwrap();
    let recons = recons.reconstruct(&expected["x"]).unwrap();
    assert!(largest_difference(&recons, &wanted) < 2e-5);
    // The flag's first name.
    let first_name = |fields: &mut Fields| {
        let flag = fields.remove("finetuning_scaling_factor").unwrap();
        fields.insert("uses_scaling_factor".to_owned(), flag);
    };
    let first = changed(&dir, first_name, |_| ());
    let recons = Sae::load(first.path()).unwrap();
    let recons = recons.reconstruct(&expected["x"]).unwrap();
    assert!(largest_difference(&recons, &wanted) < 2e-5);

    let not_said = with_field(&dir, "finetuning_scaling_factor", json!(false));
    let message = refusal(Sae::load(not_said.path()));
    assert!(message.contains("scaling_factor[0] is not 1"), "{message}");
    let missing = changed(&dir, |_| (), |t| _ = t.remove("scaling_factor"));
    let message = refusal(Sae::load(missing.path()));
    assert!(
        message.contains("finetuning_scaling_factor is true"),
        "{message}"
    );
    let narrow = |t: &mut Tensors| {
        let factor = t["scaling_factor"].narrow(0, 0, 1).unwrap();
        t.insert("scaling_factor".to_owned(), factor);
    };
    let narrow = changed(&dir, |_| (), narrow);
    let error = Sae::load(narrow.path()).unwrap_err();
    assert!(matches!(error, Error::Shape { .. }), "{error}");
}

#[test]
fn what_would_compute_something_else_is_refused_by_name() {
    let Some((dir, _)) = case(BEFORE_6) else {
        return;
    };
    for (field, value) in [
        ("activation_fn", json!("tanh-relu")),
        ("activation_fn", json!("gelu")),
        ("architecture", json!("crosscoder")),
        ("architecture", json!("no_such")),
        ("normalize_activations", json!(true)),
        ("normalize_activations", json!("expected_average_only_in")),
        ("normalize_activations", json!("constant_norm_rescale")),
        ("normalize_activations", json!("layer_norm")),
        ("normalize_activations", json!("covariance_whitening")),
        ("reshape_activations", json!("pairs")),
        ("apply_b_dec_to_input", json!("yes")),
        ("apply_b_dec_to_input", json!(null)),
        ("rescale_acts_by_decoder_norm", json!(true)),
        ("finetuning_scaling_factor", json!(true)),
        ("finetuning_scaling_factor", json!(2.0)),
        ("dtype", json!("int8")),
        ("d_in", json!("24")),
        ("d_out", json!(24)),
        ("k", json!(8)),
        ("tied_weights", json!(true)),
        ("max_iterations", json!(3)),
        ("metadata", json!([1])),
        ("hook_point", json!("blocks.8.hook_resid_pre")),
        ("a_field_of_the_future", json!(null)),
    ] {
        let folder = with_field(&dir, field, value.clone());
        let message = refusal(Sae::load(folder.path()));
        let field = if field == "hook_point" {
            "hook_name"
        } else {
            field
        };
        assert!(message.contains(field), "{field}: {message}");
    }
    for tensor in ["threshold", "b_gate", "r_mag", "W_skip", "log_threshold"] {
        let zeros = Tensor::zeros(96, DType::F32, &Device::Cpu).unwrap();
        let folder = changed(&dir, |_| (), |t| _ = t.insert(tensor.to_owned(), zeros));
        let message = refusal(Sae::load(folder.path()));
        let named = message.contains(&format!("{tensor:?} ([96])"));
        assert!(named && message.contains("not supported"), "{message}");
    }
}

#[test]
fn what_changes_nothing_loads() {
    let Some((dir, expected)) = case(BEFORE_6) else {
        return;
    };
    for (field, value) in [
        ("normalize_activations", json!(false)),
        ("normalize_activations", json!(null)),
        ("normalize_activations", json!("none")),
        ("noise_scale", json!(0.1)),
        ("l1_coefficient", json!(8e-5)),
        ("lp_norm", json!(1.0)),
        ("activation_fn", json!(null)),
        ("activation_fn_kwargs", json!({})),
        ("architecture", json!("standard")),
        ("finetuning_scaling_factor", json!(false)),
        ("metadata", json!({ "anything": { "at": "all" } })),
        ("reshape_activations", json!("hook_z")),
        ("seqpos_slice", json!([null])),
        ("d_out", json!(null)),
    ] {
        let folder = with_field(&dir, field, value.clone());
        let sae = Sae::load(folder.path()).unwrap();
        let recons = sae.reconstruct(&expected["x"]).unwrap();
        assert!(largest_difference(&recons, &expected["recons"]) < 1e-5);
    }
    // Files that SAELens writes beside it are not part of it.
    let folder = changed(&dir, |_| (), |_| ());
    std::fs::write(folder.path().join("sparsity.safetensors"), "x").unwrap();
    std::fs::write(folder.path().join("runner_cfg.json"), "{}").unwrap();
    Sae::load(folder.path()).unwrap();
}

#[test]
fn parameters_that_are_not_finite_are_refused_by_name_and_place() {
    let Some((dir, _)) = case(BEFORE_6) else {
        return;
    };
    for (name, index) in [
        ("W_enc", "[0, 0]"),
        ("W_dec", "[0, 0]"),
        ("b_enc", "[0]"),
        ("b_dec", "[0]"),
    ] {
        let spoil = |t: &mut Tensors| {
            let spoilt = with_first(&t[name], f32::NAN);
            t.insert(name.to_owned(), spoilt);
        };
        let folder = changed(&dir, |_| (), spoil);
        let message = refusal(Sae::load(folder.path()));
        assert!(
            message.contains(&format!("{name}{index} is NaN")),
            "{message}"
        );
    }
}

#[test]
fn an_unknown_field_or_tensor_of_any_name_is_refused_by_name() {
    let Some((dir, _)) = case(BEFORE_6) else {
        return;
    };
    let mut config = ProptestConfig::with_cases(24);
    config.failure_persistence = None;
    proptest!(config, |(name in "[a-zA-Z][a-zA-Z_0-9]{2,12}(\\.[a-z_]{2,8}){0,3}", value in 0..3u8)| {
        let value = [json!(null), json!(1.5), json!(["x"])][usize::from(value)].clone();
        let name = format!("zz_{name}");
        let message = refusal(Sae::load(with_field(&dir, &name, value).path()));
        prop_assert!(message.contains(&format!("{name:?}")), "{message}");
        let zeros = Tensor::zeros((2, 3), DType::F32, &Device::Cpu).unwrap();
        let folder = changed(&dir, |_| (), |t| _ = t.insert(name.clone(), zeros));
        let message = refusal(Sae::load(folder.path()));
        prop_assert!(message.contains(&format!("{name:?} ([2, 3])")), "{message}");
    });
}

#[test]
fn an_autoencoder_on_hook_z_tells_saelens_to_lay_the_heads_side_by_side() {
    let one = |shape: &[usize]| Tensor::ones(shape, DType::F32, &Device::Cpu).unwrap();
    let new = StandardSae::new(one(&[2, 3]), one(&[3]), one(&[3, 2]), one(&[2]));
    let mut sae = new.unwrap();
    for (hook, reshape) in [("attn.hook_z", "hook_z"), ("hook_resid_pre", "none")] {
        let dir = tempfile::tempdir().unwrap();
        sae.hook_name = Some(format!("blocks.0.{hook}"));
        Sae::from(sae.clone()).save(dir.path()).unwrap();
        let back = Sae::load(dir.path()).unwrap();
        assert_eq!(back.cfg()["reshape_activations"], reshape);
        assert_eq!(back.hook_name(), sae.hook_name.as_deref());
    }
}
