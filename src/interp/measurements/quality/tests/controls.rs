use super::*;
use crate::config::{Architecture, CorpusSource, DataConfig, SaeConfig};
use crate::data::Dataset;
use crate::sae::train_sae_with;

#[test]
fn controls_stand_beside_the_autoencoder() {
    let (model, split) = (model(), split());
    let sae = random_dictionary(&model, HOOK, &split, (12, 30), 4.0, 1).unwrap();
    let cfg = MeasureConfig {
        n_resamples: 100,
        ..cfg()
    };
    let all =
        compare_with_controls_with(&model, &sae, (&split, &split), &cfg, &mut Silent).unwrap();
    let names: Vec<&str> = all.measurements.iter().map(|m| m.name.as_str()).collect();
    assert_eq!(
        names,
        ["autoencoder", "neurons", "PCA", "ICA", "random directions"]
    );
    let own = measured(&sae, &cfg);
    assert_eq!(all.get("autoencoder").unwrap().rows, own.rows);
    for name in &names[1..] {
        let m = all.get(name).unwrap();
        let l0 = m.value("l0").unwrap();
        assert!((l0 - own.value("l0").unwrap()).abs() < 0.7, "{name}: {l0}");
        let explained = m.value("explained_variance").unwrap();
        assert!(explained > 0.0 && explained < 1.0, "{name}: {explained}");
        assert_eq!(m.value("ce_loss").unwrap(), own.value("ce_loss").unwrap());
    }
    // A loss of the model is no difference between dictionaries.
    let of = |metric: &str| {
        let rows = all.differences.iter();
        rows.filter(|d| d.metric == metric)
            .cloned()
            .collect::<Vec<_>>()
    };
    assert!(
        of("ce_loss")
            .iter()
            .all(|d| d.low == Some(0.0) && d.high == Some(0.0))
    );
    for d in of("mse") {
        let expected =
            own.value("mse").unwrap() - all.get(&d.control).unwrap().value("mse").unwrap();
        assert_eq!(d.value, expected);
        assert!(
            d.low.unwrap() < d.value && d.value < d.high.unwrap(),
            "{d:?}"
        );
    }
    assert_eq!(all.difference_frame().unwrap().shape(), (4 * 27, 5));
    assert_eq!(all.frame().unwrap().shape(), (150, 5));
    assert_eq!(all.wide_frame().unwrap().shape(), (30, 6));
    assert!(
        all.mime_bundle()
            .unwrap()
            .get("text/html")
            .unwrap()
            .contains("ICA")
    );
}

#[test]
fn controls_have_the_directions_that_they_are_named_after() {
    let (model, split) = (model(), split());
    let of = |control, l0| control_dictionary(&model, HOOK, &split, control, (12, 30), l0, 1);
    let neurons = of(Control::Neurons, 3.0)
        .unwrap()
        .w_dec
        .to_vec2::<f32>()
        .unwrap();
    assert_eq!(neurons.len(), 24);
    assert!((0..24).all(|i| neurons[i][i / 2] == if i % 2 == 0 { 1.0 } else { -1.0 }));
    let pca = of(Control::Pca, 3.0).unwrap().w_dec;
    let gram = pca
        .matmul(&pca.t().unwrap())
        .unwrap()
        .to_vec2::<f32>()
        .unwrap();
    for (i, j) in (0..24).flat_map(|i| (0..24).map(move |j| (i, j))) {
        let expected: f32 = match (i / 2 == j / 2, i == j) {
            (_, true) => 1.0,
            (true, false) => -1.0,
            _ => 0.0,
        };
        assert!((gram[i][j] - expected).abs() < 1e-5);
    }
    assert_eq!(of(Control::Random, 3.0).unwrap().d_sae(), 30);
    assert!(of(Control::Ica, 24.0).is_err());
    assert!(of(Control::Neurons, 0.0).is_err());
    let constant = split_of(vec![0; 300]);
    for control in [Control::Neurons, Control::Pca, Control::Ica] {
        let made = control_dictionary(&model, "hook_embed", &constant, control, (8, 9), 2.0, 1);
        assert!(
            made.unwrap_err()
                .to_string()
                .contains("no direction of any variance")
        );
    }
}

#[test]
fn training_beats_random_directions_beyond_the_interval() {
    let data_cfg = DataConfig {
        source: CorpusSource::Embedded,
        embedded_bytes: 60_000,
        ..DataConfig::default()
    };
    let data = Dataset::load_with(&data_cfg, &mut Silent).unwrap();
    let model = Transformer::new(&TransformerConfig {
        d_model: 16,
        n_heads: 2,
        d_mlp: 32,
        n_ctx: 32,
        d_vocab: data.tokenizer.n_vocab(),
        init_std: 0.3,
        ..TransformerConfig::default()
    })
    .unwrap();
    let sae_cfg = SaeConfig {
        d_in: 32,
        d_sae: 64,
        architecture: Architecture::TopK { k: 8 },
        steps: 200,
        batch_size: 256,
        buffer_tokens: 2_048,
        lr: 5e-3,
        sparsity_warmup_steps: 20,
        warmup_steps: 20,
        resample_every: 50,
        dead_steps: 20,
        ..SaeConfig::default()
    };
    let (sae, _) = train_sae_with(&model, &data, &sae_cfg, &mut Silent).unwrap();
    let splits = (&data.train, &data.val);
    let found = compare_with_controls_with(&model, &sae, splits, &cfg(), &mut Silent).unwrap();
    let own = found.get("autoencoder").unwrap();
    assert!((own.value("l0").unwrap() - 8.0).abs() < 0.5, "{own}");
    let random = Control::Random.to_string();
    let mut rows = found.differences.iter();
    let better = rows.find(|d| d.control == random && d.metric == "explained_variance");
    let better = better.unwrap();
    assert!(better.low.unwrap() > 0.05, "{better:?}\n{found}");
}
