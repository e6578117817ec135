//! What other libraries keep on the hub: a run of Neel Nanda's, autoencoders, transcoder sets.

use super::archives::{Entry, npz_file, torch_file, write_safetensors};
use super::hub_server::Held;
use super::{Setting, logits};
use candle_core::{Device, Tensor};
use holoscope::config::{Normalization, TransformerConfig};
use holoscope::error::Error;
use holoscope::model::Transformer;
use holoscope::progress::Silent;
use holoscope::sae::{CrossLayerTranscoder, Sae, SparseAutoencoder, Transcoder};
use std::path::Path;

#[test]
fn a_run_of_neel_nandas_is_read_from_its_pickle() {
    let cfg = TransformerConfig {
        n_layers: 1,
        d_model: 8,
        n_heads: 2,
        d_mlp: 16,
        n_ctx: 6,
        d_vocab: 11,
        normalization_type: Normalization::LnPre,
        ..TransformerConfig::default()
    };
    let model = Transformer::new(&cfg).unwrap();
    let mut entries: Vec<Entry> = model
        .named_parameters()
        .into_iter()
        .map(|(name, var)| {
            let values = var.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            Entry::floats(&name, &values, var.dims())
        })
        .collect();
    entries.push(Entry::new(
        "blocks.0.attn.mask",
        "BoolStorage",
        1,
        vec![1; 36],
        &[6, 6],
    ));
    entries.push(Entry::float("blocks.0.attn.IGNORE", -1e5));
    let run = serde_json::json!({
        "lr": 1e-3, "eps": 1e-8, "n_layers": 1, "d_model": 8, "d_mlp": 16, "d_head": 4, "n_heads": 2, "n_ctx": 6,
        "d_vocab": 11, "act_fn": "gelu_new", "attn_only": false, "normalization": "LNPre", "shortformer_pos": false,
        "tokenizer_name": "NeelNanda/gpt-neox-tokenizer-digits", "betas": [0.9, 0.99],
    });
    let held = Held::default()
        .with(
            "NeelNanda/GELU_1L512W_C4_Code",
            "config.json",
            run.to_string(),
        )
        .with(
            "NeelNanda/GELU_1L512W_C4_Code",
            "model_final.pth",
            torch_file(&entries),
        );
    let setting = Setting::new(held);
    let loaded = Transformer::from_pretrained_with("gelu-1l", &setting.hub(), &mut Silent).unwrap();
    assert_eq!(loaded.cfg().act_fn, cfg.act_fn);
    assert_eq!(logits(&loaded), logits(&model));
}

/// The bytes of a file of tensors that a writer makes.
fn written(write: impl Fn(&Path)) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    write(&path);
    std::fs::read(path).unwrap()
}

#[test]
fn autoencoders_are_found_by_repository_and_folder() {
    let folder = tempfile::tempdir().unwrap();
    let w = Tensor::new(&[[1f32, 2.0], [3.0, 4.0]], &Device::Cpu).unwrap();
    let b = Tensor::zeros(2, candle_core::DType::F32, &Device::Cpu).unwrap();
    let sae = holoscope::sae::StandardSae::new(w.clone(), b.clone(), w, b).unwrap();
    Sae::from(sae).save(folder.path()).unwrap();
    let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    let arrays: [(&str, &[f32], &[usize]); 5] = [
        ("W_enc", &[1.0; 4], &[2, 2]),
        ("W_dec", &[1.0; 4], &[2, 2]),
        ("b_enc", &[0.0; 2], &[2]),
        ("b_dec", &[0.0; 2], &[2]),
        ("threshold", &[0.5; 2], &[2]),
    ];
    let (jb, scope) = (
        "jbloom/GPT2-Small-SAEs-Reformatted",
        "google/gemma-scope-2b-pt-res",
    );
    let held = Held {
        large: vec![".safetensors", ".npz"],
        ..Held::default()
    }
    .with(jb, "blocks.8.hook_resid_pre/cfg.json", read("cfg.json"))
    .with(
        jb,
        "blocks.8.hook_resid_pre/sae_weights.safetensors",
        read("sae_weights.safetensors"),
    )
    .with(
        jb,
        "blocks.8.hook_resid_pre/sparsity.safetensors",
        "not needed",
    )
    .with(
        scope,
        "layer_5/width_16k/average_l0_105/params.npz",
        npz_file(&arrays),
    );
    let setting = Setting::new(held);
    let load =
        |repo: &str, id: &str| Sae::from_pretrained_with(repo, id, &setting.hub(), &mut Silent);
    for repo in [jb, "gpt2-small-res-jb", "gpt2-small-res-jb@v1"] {
        let sae = load(repo, "blocks.8.hook_resid_pre").unwrap();
        assert_eq!(
            sae.w_enc().to_vec2::<f32>().unwrap(),
            [[1.0, 2.0], [3.0, 4.0]]
        );
    }
    assert!(
        setting
            .paths()
            .iter()
            .all(|path| !path.contains("sparsity"))
    );
    // The place in the model is in the path, also within the cache.
    let sae = load(scope, "layer_5/width_16k/average_l0_105").unwrap();
    assert_eq!(sae.hook_name(), Some("blocks.5.hook_resid_post"));
    let message = load(jb, "blocks.9.hook_resid_pre").unwrap_err().to_string();
    assert!(
        message.contains("there are blocks.8.hook_resid_pre"),
        "{message}"
    );
    assert!(matches!(load(jb, "../x"), Err(Error::Argument { .. })));
    // A folder on this machine.
    std::fs::create_dir(folder.path().join("inner")).unwrap();
    for name in ["cfg.json", "sae_weights.safetensors"] {
        std::fs::copy(
            folder.path().join(name),
            folder.path().join("inner").join(name),
        )
        .unwrap();
    }
    assert_eq!(
        Sae::from_pretrained(folder.path().to_str().unwrap(), "inner")
            .unwrap()
            .d_sae(),
        2
    );
}

#[test]
fn sets_of_transcoders_come_from_one_repository_or_several() {
    let layer = |scale: f32| {
        written(|path| {
            let tensors: [(&str, &[f32], &[usize]); 4] = [
                ("W_enc", &[scale; 6], &[3, 2]),
                ("W_dec", &[1.0; 6], &[3, 2]),
                ("b_enc", &[0.0; 3], &[3]),
                ("b_dec", &[0.0; 2], &[2]),
            ];
            write_safetensors(path, &tensors);
        })
    };
    let config = "model_name: x\nmodel_kind: transcoder_set\nfeature_input_hook: mlp.hook_in\n\
                  feature_output_hook: mlp.hook_out\n";
    let listed = format!(
        "{config}transcoders:\n- hf://org/set/deep/layer_1.safetensors?revision=v1\n- own.safetensors\n"
    );
    let held = Held {
        large: vec![".safetensors"],
        ..Held::default()
    }
    .with("org/set", "deep/config.yaml", config)
    .with("org/set", "deep/layer_0.safetensors", layer(1.0))
    .with("org/set", "deep/layer_1.safetensors", layer(2.0))
    .with("org/list", "config.yaml", listed)
    .with("org/list", "own.safetensors", layer(3.0));
    let setting = Setting::new(held);
    let scales = |repo: &str| {
        let set = Transcoder::set_from_pretrained_with(repo, &setting.hub(), &mut Silent).unwrap();
        let scale = |t: &Transcoder| t.w_enc.flatten_all().unwrap().to_vec1::<f32>().unwrap()[0];
        let names: Vec<_> = set.iter().map(|t| t.hook_name_out.clone()).collect();
        assert_eq!(names, ["blocks.0.hook_mlp_out", "blocks.1.hook_mlp_out"]);
        set.iter().map(scale).collect::<Vec<_>>()
    };
    assert_eq!(scales("org/set/deep"), [1.0, 2.0]);
    assert_eq!(scales("org/list"), [2.0, 3.0]);
    let one = Transcoder::from_pretrained_with(
        "org/set",
        "deep/layer_1.safetensors",
        &setting.hub(),
        &mut Silent,
    );
    assert_eq!(one.unwrap().hook_name, "blocks.1.mlp.hook_in");
    let message =
        Transcoder::set_from_pretrained_with("org/set", &setting.hub(), &mut Silent).unwrap_err();
    assert!(message.to_string().contains("config.yaml"), "{message}");
}

#[test]
fn a_cross_layer_transcoder_comes_with_the_files_of_all_its_layers() {
    // Of two layers, two features, a model one wide.
    let encoder = |layer: usize| {
        written(move |path| {
            let [w_enc, b_enc, b_dec] = ["W_enc", "b_enc", "b_dec"].map(|n| format!("{n}_{layer}"));
            let tensors: [(&str, &[f32], &[usize]); 3] = [
                (&w_enc, &[1.0, -1.0], &[2, 1]),
                (&b_enc, &[0.0; 2], &[2]),
                (&b_dec, &[0.5], &[1]),
            ];
            write_safetensors(path, &tensors);
        })
    };
    let decoder = |layer: usize, values: &'static [f32]| {
        written(move |path| {
            let name = format!("W_dec_{layer}");
            let shape = [2, 2 - layer, 1];
            let tensors: [(&str, &[f32], &[usize]); 1] = [(&name, values, &shape)];
            write_safetensors(path, &tensors);
        })
    };
    let config = "model_name: x\nmodel_kind: cross_layer_transcoder\nfeature_input_hook: hook_resid_mid\n\
                  feature_output_hook: hook_mlp_out\n";
    let held = Held {
        large: vec![".safetensors"],
        ..Held::default()
    }
    .with("org/clt", "deep/config.yaml", config)
    .with("org/clt", "deep/W_enc_0.safetensors", encoder(0))
    .with("org/clt", "deep/W_enc_1.safetensors", encoder(1))
    .with(
        "org/clt",
        "deep/W_dec_0.safetensors",
        decoder(0, &[1.0, 10.0, 2.0, 20.0]),
    )
    .with(
        "org/clt",
        "deep/W_dec_1.safetensors",
        decoder(1, &[100.0, 200.0]),
    );
    let setting = Setting::new(held);
    let read =
        |repo: &str| CrossLayerTranscoder::from_pretrained_with(repo, &setting.hub(), &mut Silent);
    let found = read("org/clt/deep").unwrap();
    assert_eq!(found.hook_names[1], "blocks.1.hook_resid_mid");
    let x = |value: f32| Tensor::new(&[[value]], &Device::Cpu).unwrap();
    let y = found.reconstruct(&[x(3.0), x(-2.0)]).unwrap();
    let y: Vec<f32> = y
        .iter()
        .map(|y| y.to_vec2::<f32>().unwrap()[0][0])
        .collect();
    // acts_0 = (3, 0), acts_1 = (0, 2): 3 * 1 + 0.5; 3 * 10 + 2 * 200 + 0.5.
    assert_eq!(y, [3.5, 430.5]);
    assert!(
        read("org/clt")
            .unwrap_err()
            .to_string()
            .contains("config.yaml")
    );
}
