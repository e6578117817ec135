//! Thresholds of JumpReLU autoencoders: in folders, and where they do not fit.

use crate::definition::{inputs, params};
use candle_core::{DType, Device, Tensor};
use holoscope::Error;
use holoscope::sae::{JumpReLUSae, Sae, SparseAutoencoder, StandardSae};

#[test]
fn a_folder_keeps_the_thresholds_as_saelens_has_them() {
    let sae =
        Sae::from(JumpReLUSae::from_params(params(3, 8, 7), vec![0.25; 8], &Device::Cpu).unwrap());
    let x = Tensor::from_vec(inputs(20, 3, 8), (20, 3), &Device::Cpu).unwrap();
    let acts = |sae: &Sae| sae.encode(&x).unwrap().to_vec2::<f32>().unwrap();
    let dir = tempfile::tempdir().unwrap();
    sae.save(dir.path()).unwrap();
    let text = std::fs::read_to_string(dir.path().join("cfg.json")).unwrap();
    assert!(text.contains("\"architecture\": \"jumprelu\""), "{text}");
    let back = Sae::load(dir.path()).unwrap();
    assert_eq!(acts(&back), acts(&sae));
    assert!(acts(&back).concat().iter().any(|&a| a > 0.25));
    assert_eq!(
        (back.architecture(), back.summary()),
        ("jumprelu", sae.summary())
    );

    let path = dir.path().join("sae_weights.safetensors");
    let edit = |edit: &dyn Fn(&mut std::collections::HashMap<String, Tensor>)| {
        let mut tensors = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
        edit(&mut tensors);
        candle_core::safetensors::save(&tensors, &path).unwrap();
    };
    // Older checkpoints have the logarithms.
    edit(&|t| {
        let logarithm = t.remove("threshold").unwrap().log().unwrap();
        t.insert("log_threshold".into(), logarithm);
    });
    let old = Sae::load(dir.path()).unwrap();
    let Sae::JumpReLU(old) = old else {
        panic!("{}", old.summary());
    };
    for threshold in old.threshold.to_vec1::<f32>().unwrap() {
        assert!((threshold - 0.25).abs() < 1e-6);
    }
    let refused = |wanted: &str| {
        let error = Sae::load(dir.path()).unwrap_err();
        assert!(matches!(error, Error::Format { .. }), "{error}");
        assert!(error.to_string().contains(wanted), "{wanted}: {error}");
    };
    let ones = || Tensor::ones(8, DType::F32, &Device::Cpu).unwrap();
    edit(&|t| _ = t.insert("threshold".into(), ones()));
    refused("both threshold and log_threshold");
    edit(&|t| _ = t.remove("threshold"));
    edit(&|t| _ = t.remove("log_threshold"));
    refused("no tensor threshold");
    edit(&|t| _ = t.insert("threshold".into(), (ones() * f64::NAN).unwrap()));
    refused("threshold");
    edit(&|t| _ = t.insert("threshold".into(), ones().narrow(0, 0, 7).unwrap()));
    assert!(matches!(Sae::load(dir.path()), Err(Error::Shape { .. })));
}

#[test]
fn thresholds_that_do_not_fit_are_refused() {
    let dictionary = StandardSae::from_params(params(3, 8, 9), &Device::Cpu).unwrap();
    let new = |values: Vec<f32>| {
        let n = values.len();
        let threshold = Tensor::from_vec(values, n, &Device::Cpu).unwrap();
        JumpReLUSae::new(dictionary.clone(), threshold)
    };
    assert!(matches!(new(vec![0.1; 7]), Err(Error::Shape { .. })));
    assert!(matches!(
        new(vec![f32::NAN; 8]),
        Err(Error::NotFiniteAt { .. })
    ));
    // An input that is not finite has no activation that is "off".
    let sae = new(vec![0.5; 8]).unwrap();
    let x = Tensor::new(&[[f32::NAN, 0.0, 0.0]], &Device::Cpu).unwrap();
    let acts = sae.encode(&x).unwrap().to_vec2::<f32>().unwrap();
    assert!(acts[0].iter().all(|a| a.is_nan()));
    assert_eq!(sae.encode_sparse(&x).unwrap().n_active(), 8);
}
