//! What the model refuses, and that it says why.

use candle_core::{Device, Tensor};
use holoscope::config::TransformerConfig;
use holoscope::error::Error;
use holoscope::model::{GenerateConfig, Hook, NamesFilter, Transformer, zero_ablate};
use std::path::Path;

fn small() -> TransformerConfig {
    TransformerConfig {
        n_layers: 2,
        d_model: 8,
        n_heads: 2,
        d_mlp: 12,
        n_ctx: 6,
        d_vocab: 11,
        ..TransformerConfig::default()
    }
}

fn model() -> Transformer {
    Transformer::new(&small()).unwrap()
}

fn tokens() -> Tensor {
    Tensor::new(&[[1u32, 2, 3], [4, 5, 6]], &Device::Cpu).unwrap()
}

fn message<T>(result: Result<T, Error>) -> String {
    match result {
        Ok(_) => panic!("accepted"),
        Err(err) => err.to_string(),
    }
}

#[test]
fn tokens_must_be_batch_by_position() {
    for shape in [vec![6], vec![1, 2, 3], vec![0, 3], vec![2, 0]] {
        let tokens = Tensor::zeros(shape.clone(), candle_core::DType::U32, &Device::Cpu).unwrap();
        let err = model().forward(&tokens).unwrap_err();
        assert!(matches!(err, Error::Shape { .. }), "{shape:?}: {err}");
    }
}

#[test]
fn tokens_must_be_whole_numbers() {
    let floats = Tensor::new(&[[1f32, 2.0]], &Device::Cpu).unwrap();
    let text = message(model().forward(&floats));
    assert!(text.contains("f32") && text.contains("integer"), "{text}");
}

#[test]
fn a_token_id_beyond_the_vocabulary_is_named() {
    let tokens = Tensor::new(&[[1u32, 11]], &Device::Cpu).unwrap();
    let text = message(model().forward(&tokens));
    assert!(
        text.contains("token id = 11") && text.contains("d_vocab = 11"),
        "{text}"
    );
    let negative = Tensor::new(&[[1i64, -1]], &Device::Cpu).unwrap();
    assert!(message(model().loss(&negative)).contains("token id = -1"));
}

#[test]
fn a_sequence_longer_than_the_context_is_refused() {
    let tokens = Tensor::zeros((1, 7), candle_core::DType::U32, &Device::Cpu).unwrap();
    let text = message(model().forward(&tokens));
    assert!(text.contains("n_ctx = 6"), "{text}");
}

#[test]
fn one_token_has_no_loss() {
    let tokens = Tensor::new(&[[1u32]], &Device::Cpu).unwrap();
    assert!(model().forward(&tokens).is_ok());
    assert!(matches!(model().loss(&tokens), Err(Error::Shape { .. })));
}

#[test]
fn an_unknown_hook_lists_the_nearest_of_this_model() {
    let run = |name| message(model().run_with_hooks(&tokens(), &[zero_ablate(name)]));
    assert!(run("blocks.0.mlp.hook_pots").contains("blocks.0.mlp.hook_post"));
    assert!(run("blocks.2.hook_resid_pre").contains("blocks.1.hook_resid_pre"));
    let filter = NamesFilter::only("blocks.5.hook_resid_pre").unwrap();
    assert!(
        model()
            .run_with_cache_filtered(&tokens(), &filter, None)
            .is_err()
    );
    assert!(NamesFilter::only("blocks.0.hook_nothing").is_err());
}

#[test]
fn a_replacement_of_another_shape_is_refused() {
    let hook = Hook::new("blocks.0.mlp.hook_post", |x| Ok(Some(x.narrow(2, 0, 1)?)));
    let text = message(model().run_with_hooks(&tokens(), &[hook]));
    assert!(
        text.contains("blocks.0.mlp.hook_post") && text.contains("[2, 3, 12]"),
        "{text}"
    );
}

#[test]
fn an_error_inside_a_hook_comes_out() {
    let hook = Hook::new("hook_embed", |_| Err(Error::argument("mine", 1, "no")));
    assert!(message(model().run_with_hooks(&tokens(), &[hook])).contains("mine = 1"));
}

#[test]
fn stopping_beyond_the_last_layer_is_refused() {
    let text = message(model().run_with_cache_filtered(&tokens(), &NamesFilter::All, Some(3)));
    assert!(text.contains("n_layers = 2"), "{text}");
}

#[test]
fn what_was_not_cached_is_not_found() {
    let filter = NamesFilter::only("hook_embed").unwrap();
    let (_, cache) = model()
        .run_with_cache_filtered(&tokens(), &filter, None)
        .unwrap();
    let text = message(cache.get("hook_pos_embed"));
    assert!(
        text.contains("hook_pos_embed") && text.contains("hook_embed"),
        "{text}"
    );
    assert!(matches!(
        cache.get("nonsense"),
        Err(Error::UnknownHook { .. })
    ));
}

#[test]
fn a_missing_checkpoint_is_an_io_error() {
    for load in [
        |path: &Path| Transformer::load(path),
        Transformer::load_hf_gpt2,
        Transformer::load_tl,
    ] {
        let err = load(Path::new("no/such/folder")).unwrap_err();
        assert!(matches!(err, Error::Io { .. }), "{err}");
    }
}

#[test]
fn a_damaged_checkpoint_is_a_format_error() {
    let folder = tempfile::tempdir().unwrap();
    model().save(folder.path()).unwrap();
    let file = folder.path().join("model.safetensors");
    let bytes = std::fs::read(&file).unwrap();
    for damaged in [&bytes[..0], &bytes[..5], &bytes[..bytes.len() - 8]] {
        std::fs::write(&file, damaged).unwrap();
        let err = Transformer::load(folder.path()).unwrap_err();
        assert!(matches!(err, Error::Format { .. }), "{err}");
    }
    std::fs::write(folder.path().join("config.json"), "{").unwrap();
    assert!(matches!(
        Transformer::load_hf_gpt2(folder.path()),
        Err(Error::Format { .. })
    ));
    assert!(matches!(
        Transformer::load_tl(folder.path()),
        Err(Error::Format { .. })
    ));
}

#[test]
fn a_missing_or_misshapen_parameter_is_named() {
    let model = model();
    let mut params: std::collections::BTreeMap<String, Tensor> = model
        .named_parameters()
        .into_iter()
        .map(|(name, var)| (name, var.as_detached_tensor()))
        .collect();
    let w_in = params.remove("blocks.1.mlp.W_in").unwrap();
    let text = message(Transformer::from_parameters(&small(), &params));
    assert!(text.contains("\"blocks.1.mlp.W_in\""), "{text}");
    params.insert("blocks.1.mlp.W_in".to_owned(), w_in.t().unwrap());
    let text = message(Transformer::from_parameters(&small(), &params));
    assert!(
        text.contains("blocks.1.mlp.W_in has shape [12, 8], expected [8, 12]"),
        "{text}"
    );
}

#[test]
fn an_unwritable_place_is_an_io_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    // A folder cannot be made inside a file, whoever asks.
    assert!(matches!(
        model().save(&file.join("inside")),
        Err(Error::Io { .. })
    ));
}

#[test]
fn a_configuration_that_contradicts_itself_is_refused() {
    let cfg = TransformerConfig {
        n_heads: 3,
        ..small()
    };
    assert!(message(Transformer::new(&cfg)).contains("n_heads = 3"));
}

#[cfg(not(feature = "cuda"))]
#[test]
fn a_device_this_build_lacks_says_which_feature_brings_it() {
    let cfg = TransformerConfig {
        device: holoscope::config::DeviceKind::Cuda,
        ..small()
    };
    let text = message(Transformer::new(&cfg));
    assert!(text.contains("--features cuda"), "{text}");
}

#[test]
fn generation_checks_its_settings() {
    let generate = |prompt: &[u32], cfg: GenerateConfig| model().generate(prompt, &cfg);
    let good = GenerateConfig::default();
    assert!(generate(&[], good.clone()).is_err());
    assert!(generate(&[11], good.clone()).is_err());
    let bad = [
        GenerateConfig {
            temperature: -1.0,
            ..good.clone()
        },
        GenerateConfig {
            temperature: f64::NAN,
            ..good.clone()
        },
        GenerateConfig {
            top_k: Some(0),
            ..good.clone()
        },
        GenerateConfig {
            top_p: Some(0.0),
            ..good.clone()
        },
        GenerateConfig {
            top_p: Some(1.5),
            ..good
        },
    ];
    for cfg in bad {
        assert!(matches!(generate(&[1], cfg), Err(Error::Config { .. })));
    }
}
