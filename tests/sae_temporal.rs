//! The temporal autoencoder: its forward pass and files are SAELens', and training lowers its loss.

#[path = "common/sae_reference.rs"]
mod reference;
#[path = "common/small_model.rs"]
mod small_model;

use candle_core::{DType, Device, Tensor};
use holoscope::Error;
use holoscope::config::{Architecture, SaeConfig};
use holoscope::progress::Silent;
use holoscope::sae::{Sae, SparseAutoencoder, TemporalAttention, TemporalSae, train_sae_with};
use reference::{D, N, S, close, f, tensor};
use small_model::small_model;

/// Amplitude 2 for keys and queries, 0.5 for values and output: `weight = amp * f(n_out * 16, .61 + .1 * m, .4 + i)`,
/// `bias = .1 * f(n_out, .8, .2 + m + i)` of layer i, matrix m.
fn layer(i: usize) -> TemporalAttention {
    let part = |m: usize| {
        let (n_out, amp) = if m < 2 { (4, 2.0) } else { (S, 0.5) };
        let weight = f(n_out * S, 0.61 + 0.1 * m as f64, 0.4 + i as f64);
        let bias = f(n_out, 0.8, 0.2 + (m + i) as f64);
        (
            tensor(weight.iter().map(|w| amp * w).collect(), &[n_out, S]),
            tensor(bias.iter().map(|b| 0.1 * b).collect(), &[n_out]),
        )
    };
    let [(w_k, b_k), (w_q, b_q), (w_v, b_v), (w_o, b_o)] = [0, 1, 2, 3].map(part);
    TemporalAttention {
        w_q,
        b_q,
        w_k,
        b_k,
        w_v,
        b_v,
        w_o,
        b_o,
    }
}

fn sae(k: Option<usize>, input_scale: f64) -> TemporalSae {
    let w_dec = reference::w_dec().iter().map(|w| 3.0 * w).collect();
    let (w_dec, b_dec) = (tensor(w_dec, &[S, D]), tensor(reference::b_dec(), &[D]));
    let mut sae = TemporalSae::new(w_dec, b_dec, vec![layer(0), layer(1)], 2, k).unwrap();
    sae.input_scale = input_scale;
    sae
}

fn x() -> Tensor {
    tensor(reference::x(), &[2, N / 2, D])
}

fn at(t: &Tensor, batch: usize, pos: usize) -> Vec<f32> {
    t.to_vec3::<f32>().unwrap()[batch][pos].clone()
}

fn sum(t: &Tensor) -> f64 {
    let values = t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    values.into_iter().map(f64::from).sum()
}

struct Reference {
    sae: TemporalSae,
    novel: [f64; S],
    predicted: [f64; S],
    x_hat: [f64; D],
    decoded: [f64; D],
    sums: [f64; 3],
}

/// `TemporalSAE` with `n_heads=2, n_attn_layers=2, bottleneck_factor=4`, `W_dec = 3 * unit(..)`: `novel[0, 3]`,
/// `predicted[0, 3]` of `encode_with_predictions(x)`, `sae(x)[1, 4]`, `decode(novel)[1, 4]`, and the sums of the first
/// three. First `kval_topk=3`; then `sae_diff_type="relu"` with `constant_scalar_rescale` by 0.5.
fn references() -> [Reference; 2] {
    [
        Reference {
            sae: sae(Some(3), 1.0),
            novel: [
                0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0334233, 0.0, 0.0387634, 0.0742242, 0.0, 0.0, 0.0,
                0.0, 0.0, 0.0,
            ],
            predicted: [
                0.0363382, 0.00480691, 0.00848262, 0.0, -0.0226643, 0.0, 0.0, 0.0169654, 0.0123601,
                0.0, 0.0, -0.0498539, 0.00514305, -0.0736144, 0.0, 0.0,
            ],
            x_hat: [
                0.0153387, -0.28368, 0.152, 0.0163769, -0.0919375, 0.663065, 0.586067, 0.585999,
            ],
            decoded: [
                -0.0825862,
                -0.0580232,
                -0.00997218,
                -0.0835295,
                -0.205329,
                0.453141,
                0.0412121,
                0.103732,
            ],
            sums: [2.1590081257745624, -1.8660551592183765, 6.349915599450469],
        },
        Reference {
            sae: sae(None, 0.5),
            novel: [
                0.0, 0.00131897, 0.0141155, 0.0, 0.0, 0.00773958, 0.0194774, 0.0167506, 0.0151912,
                0.0327975, 0.0, 0.00891597, 0.0, 0.00794601, 0.00472702, 0.00626911,
            ],
            predicted: [
                0.0462474,
                0.000323142,
                0.008011,
                0.0,
                -0.00623926,
                0.0,
                3.73972e-05,
                0.017431,
                -0.000938081,
                0.0,
                0.0,
                -0.010706,
                0.0131264,
                -0.018226,
                0.0,
                0.0,
            ],
            x_hat: [
                0.0275093, -0.176239, -0.0178489, -0.0676945, -0.282457, 0.807615, 0.557125,
                0.846365,
            ],
            decoded: [
                -0.0447145, 0.0204444, -0.142738, -0.125841, -0.391582, 0.654667, 0.116191,
                0.405789,
            ],
            sums: [1.7986528729411475, -0.20145269465865567, 7.550078608095646],
        },
    ]
}

#[test]
fn codes_and_reconstructions_are_those_of_saelens() {
    for reference in references() {
        let sae = reference.sae;
        let codes = sae.encode_with_predictions(&x()).unwrap();
        close("novel", &at(&codes.novel, 0, 3), &reference.novel, 1e-6);
        close(
            "predicted",
            &at(&codes.predicted, 0, 3),
            &reference.predicted,
            1e-5,
        );
        let x_hat = sae.reconstruct(&x()).unwrap();
        close("x_hat", &at(&x_hat, 1, 4), &reference.x_hat, 1e-5);
        let decoded = sae.decode(&codes.novel).unwrap();
        close("decoded", &at(&decoded, 1, 4), &reference.decoded, 1e-5);
        for (t, wanted) in [codes.novel, codes.predicted, x_hat]
            .iter()
            .zip(reference.sums)
        {
            assert!(
                (sum(t) - wanted).abs() < 1e-4,
                "{} against {wanted}",
                sum(t)
            );
        }
    }
}

#[test]
fn a_position_knows_nothing_of_those_after_it() {
    let sae = sae(Some(3), 1.0);
    let whole = sae.encode_with_predictions(&x()).unwrap();
    let part = sae
        .encode_with_predictions(&x().narrow(1, 0, 3).unwrap())
        .unwrap();
    for t in 0..3 {
        let wanted: Vec<f64> = at(&whole.predicted, 1, t)
            .into_iter()
            .map(f64::from)
            .collect();
        close("predicted", &at(&part.predicted, 1, t), &wanted, 1e-6);
    }
    assert_eq!(
        sae.encode(&x().narrow(1, 0, 1).unwrap()).unwrap().dims(),
        [2, 1, S]
    );
    // A NaN is in its whole sequence, and in no other.
    let mut values = reference::x();
    values[D] = f32::NAN;
    let acts = sae.encode(&tensor(values, &[2, N / 2, D])).unwrap();
    assert!((0..5).all(|t| at(&acts, 0, t).iter().all(|a| a.is_nan())));
    assert!(at(&acts, 1, 4).iter().all(|a| a.is_finite()));
}

#[test]
fn a_folder_holds_the_same_autoencoder() {
    for (saved, normalization) in [
        (sae(Some(3), 1.0), "none"),
        (sae(None, 0.5), "constant_scalar_rescale"),
    ] {
        let saved = Sae::from(saved);
        let dir = tempfile::tempdir().unwrap();
        saved.save(dir.path()).unwrap();
        let text = std::fs::read_to_string(dir.path().join("cfg.json")).unwrap();
        for wanted in [
            "\"architecture\": \"temporal\"".to_owned(),
            "\"bottleneck_factor\": 4".to_owned(),
            "\"n_attn_layers\": 2".to_owned(),
            format!("\"normalize_activations\": \"{normalization}\""),
        ] {
            assert!(text.contains(&wanted), "{wanted} in {text}");
        }
        let path = dir.path().join("sae_weights.safetensors");
        let mut tensors = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
        assert_eq!(tensors.len(), 2 + 2 * 8);
        assert!(tensors.contains_key("attn_layers.1.c_proj.bias"));
        let back = Sae::load(dir.path()).unwrap();
        let flat = |t: Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(
            flat(back.encode(&x()).unwrap()),
            flat(saved.encode(&x()).unwrap())
        );
        assert_eq!(
            flat(back.reconstruct(&x()).unwrap()),
            flat(saved.reconstruct(&x()).unwrap())
        );
        tensors.remove("attn_layers.0.v_ctx.weight").unwrap();
        candle_core::safetensors::save(&tensors, &path).unwrap();
        let error = Sae::load(dir.path()).unwrap_err();
        assert!(
            error.to_string().contains("attn_layers.0.v_ctx.weight"),
            "{error}"
        );
    }
}

#[test]
fn rows_without_an_order_and_shapes_that_do_not_fit_are_refused() {
    let sae = sae(Some(3), 1.0);
    for dims in [vec![N, D], vec![2, N / 2, D - 1], vec![D]] {
        let x = Tensor::zeros(dims.clone(), DType::F32, &Device::Cpu).unwrap();
        let error = sae.encode(&x).unwrap_err();
        assert!(matches!(error, Error::Shape { .. }), "{dims:?}: {error}");
    }
    let empty = Tensor::zeros((0, 4, D), DType::F32, &Device::Cpu).unwrap();
    assert_eq!(sae.encode(&empty).unwrap().dims(), [0, 4, S]);
    let (w, b) = (
        tensor(reference::w_dec(), &[S, D]),
        tensor(reference::b_dec(), &[D]),
    );
    let new = |layer, heads, k| TemporalSae::new(w.clone(), b.clone(), vec![layer], heads, k);
    assert!(matches!(
        new(layer(0), 0, None),
        Err(Error::Argument { .. })
    ));
    assert!(matches!(
        new(layer(0), 3, None),
        Err(Error::Argument { .. })
    ));
    assert!(matches!(
        new(layer(0), 2, Some(S + 1)),
        Err(Error::Argument { .. })
    ));
    let mut bad = layer(0);
    bad.w_v = bad.w_q.clone();
    let error = new(bad, 2, None).unwrap_err();
    assert!(
        error.to_string().contains("attn_layers.0.v_ctx.weight"),
        "{error}"
    );
}

fn cfg() -> SaeConfig {
    SaeConfig {
        d_in: 32,
        d_sae: 64,
        architecture: Architecture::Temporal {
            k: Some(8),
            n_heads: 2,
            n_attn_layers: 1,
            bottleneck_factor: 8,
        },
        steps: 150,
        batch_size: 256,
        lr: 1e-2,
        warmup_steps: 20,
        ..SaeConfig::default()
    }
}

#[test]
fn it_trains_on_whole_sequences() {
    let (model, data) = small_model();
    let (sae, history) = train_sae_with(&model, &data, &cfg(), &mut Silent).unwrap();
    println!("{}", history.summary());
    let (first, last) = (
        history.explained_variance[0].1,
        history.explained_variance.last().unwrap().1,
    );
    assert!(last > 0.6 && last > first, "{first} to {last}");
    assert_eq!(history.l0.last().unwrap().1, 8.0);
    assert_eq!(
        (history.tokens, sae.architecture()),
        (150 * 256, "temporal")
    );
    // The result is for activations as they are.
    let split = data.train.sequence(0, 32);
    let tokens = Tensor::from_vec(split, (1, 32), &Device::Cpu).unwrap();
    let (_, cache) = model.run_with_cache(&tokens).unwrap();
    let x = cache["blocks.0.mlp.hook_post"].clone();
    let x_hat = sae.reconstruct(&x).unwrap();
    let square = |t: &Tensor| {
        f64::from(
            t.sqr()
                .unwrap()
                .sum_all()
                .unwrap()
                .to_scalar::<f32>()
                .unwrap(),
        )
    };
    let off = (x_hat - &x).unwrap();
    assert!(
        square(&off) < 0.5 * square(&x),
        "{} of {}",
        square(&off),
        square(&x)
    );
    let again = train_sae_with(&model, &data, &cfg(), &mut Silent)
        .unwrap()
        .0;
    let bits = |t: Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert_eq!(bits(again.w_dec()), bits(sae.w_dec()));
}

#[test]
fn settings_out_of_range_are_refused_by_name() {
    let change = |k, n_heads, n_attn_layers, bottleneck_factor| Architecture::Temporal {
        k,
        n_heads,
        n_attn_layers,
        bottleneck_factor,
    };
    for (name, architecture) in [
        ("k", change(Some(0), 2, 1, 8)),
        ("n_heads", change(None, 0, 1, 8)),
        ("n_attn_layers", change(None, 2, 0, 8)),
        ("bottleneck_factor", change(None, 2, 1, 0)),
        ("bottleneck_factor", change(None, 2, 1, 7)),
    ] {
        let outcome = SaeConfig {
            architecture,
            ..cfg()
        }
        .validate();
        assert!(
            matches!(outcome, Err(Error::Config { field, .. }) if field == name),
            "{name}: {outcome:?}"
        );
    }
}

/// The configuration as `TemporalSAE.save_model` of sae-lens 6.54.0 writes it, with two layers.
#[test]
fn a_folder_of_saelens_is_read() {
    let cfg = r#"{"d_in": 8, "d_sae": 16, "dtype": "float32", "device": "cpu", "apply_b_dec_to_input": true,
        "normalize_activations": "constant_scalar_rescale", "reshape_activations": "none", "metadata": {
        "sae_lens_version": "6.54.0", "sae_lens_training_version": "6.54.0"}, "n_heads": 2, "n_attn_layers": 2,
        "bottleneck_factor": 4, "sae_diff_type": "relu", "kval_topk": null, "tied_weights": true,
        "activation_normalization_factor": 0.5, "architecture": "temporal"}"#;
    let w_dec = reference::w_dec().iter().map(|w| 3.0 * w).collect();
    let mut tensors = vec![
        ("W_dec", tensor(w_dec, &[S, D])),
        ("b_dec", tensor(reference::b_dec(), &[D])),
    ];
    let layers = [layer(0), layer(1)];
    let names: Vec<String> = (0..2)
        .flat_map(|i| {
            let parts = ["k_ctx", "q_target", "v_ctx", "c_proj"];
            parts
                .map(|part| ["weight", "bias"].map(|kind| format!("attn_layers.{i}.{part}.{kind}")))
        })
        .flatten()
        .collect();
    let values = layers.iter().flat_map(|l| {
        let all = [
            &l.w_k, &l.b_k, &l.w_q, &l.b_q, &l.w_v, &l.b_v, &l.w_o, &l.b_o,
        ];
        all.map(Clone::clone)
    });
    tensors.extend(names.iter().map(String::as_str).zip(values));
    let dir = reference::folder(cfg, &tensors);
    let back = Sae::load(dir.path()).unwrap();
    let wanted = sae(None, 0.5).reconstruct(&x()).unwrap();
    let got = back.reconstruct(&x()).unwrap();
    assert_eq!(
        got.to_vec3::<f32>().unwrap(),
        wanted.to_vec3::<f32>().unwrap()
    );
    let path = dir.path().join("cfg.json");
    std::fs::write(&path, cfg.replace("rescale\", \"resh", "norm\", \"resh")).unwrap();
    let error = Sae::load(dir.path()).unwrap_err();
    assert!(
        error.to_string().contains("constant_scalar_norm"),
        "{error}"
    );
}
