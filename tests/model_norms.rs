//! Models without norms, with norms that have no parameters, and with SoLU's own: forwards,
//! backwards, token by token, saved and loaded.

#[path = "common/models.rs"]
mod models;

use candle_core::{DType, Device, Tensor};
use holoscope::config::{Activation, Normalization, TransformerConfig};
use holoscope::interp::feature_logits;
use holoscope::model::{GenerateConfig, Hook, HookName, NamesFilter, Transformer};
use holoscope::sae::StandardSae;
use models::{bits, scalar, small};
use std::collections::BTreeMap;

/// Every parameter is `0.5 sin((0.37 + 0.11 k) i + 0.2 k)`, i = 0, 1, ... along it, k its place among
/// the names in alphabetical order; norms' weights are 1 more.
fn waves(cfg: &TransformerConfig) -> Transformer {
    let names = Transformer::new(cfg).unwrap().named_parameters();
    let tensors: BTreeMap<String, Tensor> = names
        .into_iter()
        .enumerate()
        .map(|(k, (name, var))| {
            let offset = if name.ends_with(".w") { 1.0 } else { 0.0 };
            let values: Vec<f32> = (0..var.elem_count())
                .map(|i| {
                    let (i, k) = (i as f64, k as f64);
                    (offset + 0.5 * ((0.37 + 0.11 * k) * i + 0.2 * k).sin()) as f32
                })
                .collect();
            (
                name,
                Tensor::from_vec(values, var.shape(), &Device::Cpu).unwrap(),
            )
        })
        .collect();
    Transformer::from_parameters(cfg, &tensors).unwrap()
}

const TOKENS: [u32; 5] = [3, 7, 0, 10, 5];

struct Case {
    norm: Normalization,
    act_fn: Activation,
    loss: f64,
    /// Of the last position.
    logits: [f32; 11],
    /// `blocks.1.mlp.hook_mid` of the last position, the first four.
    mid: Option<[f32; 4]>,
}

/// Computed in float64 by numpy, from the formulas of TransformerLens 3.9 (`TransformerBlock`, `MLP`,
/// `LayerNorm`, `LayerNormPre`, `solu`, `gelu_new`), of which this is all, with `w(n)` and `b(n)` 1
/// and 0 for "LNPre", and y = x in place of ln(x) for null but in the MLP:
///
/// ```python
/// pre = lambda x: (c := x - x.mean(-1, keepdims=True)) / np.sqrt((c**2).mean(-1, keepdims=True) + 1e-5)
/// ln = lambda x, n: pre(x) * w(n) + b(n)
/// q, k, v = (einsum("td,hde->hte", ln(x, "ln1"), W) + b for W, b in ...)
/// x += einsum("hte,hed->td", softmax(mask(q @ k.T / sqrt(d_head))) @ v, W_O) + b_O
/// h = ln(x, "ln2") @ W_in + b_in
/// mid = h * softmax(h)
/// post = ln(mid, "mlp.ln")     # solu_ln; gelu_new: 0.5 h (1 + tanh(sqrt(2/pi) (h + 0.044715 h^3)))
/// x += post @ W_out + b_out
/// logits = ln(x, "ln_final") @ W_U + b_U
/// ```
///
/// The same script gives TransformerLens' own logits of the fixture `tl_gelu_1l` to 2e-7.
const CASES: [Case; 6] = [
    Case {
        norm: Normalization::Ln,
        act_fn: Activation::GeluNew,
        loss: 2.146794,
        logits: [
            -1.24813, 1.24777, 0.2478, -1.48906, 0.96291, 0.7733, -1.641, 0.50284, 1.33902,
            -1.59305, -0.17452,
        ],
        mid: None,
    },
    Case {
        norm: Normalization::Ln,
        act_fn: Activation::SoluLn,
        loss: 4.463026,
        logits: [
            -1.65147, -0.39383, 1.6598, 0.50011, -1.6842, -0.63655, 1.71208, 0.80996, -1.7279,
            -1.0216, 1.71514,
        ],
        mid: Some([-0.002121, -0.015557, 0.040549, -0.014875]),
    },
    Case {
        norm: Normalization::LnPre,
        act_fn: Activation::SoluLn,
        loss: 4.032599,
        logits: [
            1.51329, -1.65826, 1.80021, -1.93545, 2.06003, -2.16993, 2.26117, -2.33, 2.37301,
            -2.38732, 2.37066,
        ],
        mid: Some([-0.026145, 0.008454, 0.037045, -0.026733]),
    },
    Case {
        norm: Normalization::None,
        act_fn: Activation::SoluLn,
        loss: 12.228282,
        logits: [
            9.77436, -9.96148, 10.08073, -10.12859, 10.1018, -9.99751, 9.81343, -9.54794, 9.20027,
            -8.77056, 8.26002,
        ],
        mid: Some([-0.001016, -0.011032, 0.750326, -0.006799]),
    },
    Case {
        norm: Normalization::LnPre,
        act_fn: Activation::GeluNew,
        loss: 3.676447,
        logits: [
            1.53712, -1.5983, 1.65694, -1.70998, 1.75413, -1.78598, 1.80218, -1.79954, 1.77524,
            -1.72691, 1.65275,
        ],
        mid: None,
    },
    Case {
        norm: Normalization::None,
        act_fn: Activation::GeluNew,
        loss: 6.100088,
        logits: [
            5.49836, -5.52452, 5.51746, -5.47465, 5.39355, -5.27172, 5.10701, -4.89765, 4.64243,
            -4.34078, 3.99289,
        ],
        mid: None,
    },
];

impl Case {
    fn model(&self) -> Transformer {
        waves(&TransformerConfig {
            normalization_type: self.norm,
            act_fn: self.act_fn,
            ..small()
        })
    }
}

fn tokens() -> Tensor {
    Tensor::new(&[TOKENS], &Device::Cpu).unwrap()
}

fn last_row(t: &Tensor) -> Vec<f32> {
    let rows = t.squeeze(0).unwrap().to_vec2::<f32>().unwrap();
    rows.into_iter().next_back().unwrap()
}

fn assert_close(found: &[f32], wanted: &[f32], what: &str) {
    for (found, wanted) in found.iter().zip(wanted) {
        let error = (found - wanted).abs();
        assert!(error < 1e-4, "{what}: {found}, expected {wanted}");
    }
}

#[test]
fn every_normalisation_and_solu_with_its_norm_compute_the_formulas() {
    for case in CASES {
        let what = format!("{:?}, {:?}", case.norm, case.act_fn);
        let model = case.model();
        let logits = model.forward(&tokens()).unwrap();
        assert_close(&last_row(&logits), &case.logits, &what);
        let loss = scalar(&model.loss(&tokens()).unwrap());
        assert!((loss - case.loss).abs() < 1e-4, "{what}: {loss}");
        let (watched, cache) = model
            .run_with_cache_filtered(&tokens(), &NamesFilter::All, None)
            .unwrap();
        assert_eq!(bits(&watched.unwrap()), bits(&logits), "{what}");
        assert_eq!(cache.len(), HookName::all(model.cfg()).len());
        let mid = "blocks.1.mlp.hook_mid";
        match case.mid {
            Some(wanted) => assert_close(&last_row(&cache.get(mid).unwrap()), &wanted, &what),
            None => assert!(cache.get(mid).is_err()),
        }
        let has_norms = case.norm != Normalization::None;
        assert_eq!(cache.get("ln_final.hook_scale").is_ok(), has_norms);
        assert_eq!(cache.get("blocks.0.ln1.hook_normalized").is_ok(), has_norms);
    }
}

#[test]
fn gradients_by_hand_are_those_of_the_backward_pass() {
    for case in CASES {
        let model = case.model();
        let (loss, found) = model.loss_and_gradients(&tokens()).unwrap();
        let wanted_loss = model.loss(&tokens()).unwrap();
        let wanted = wanted_loss.backward().unwrap();
        assert_eq!(bits(&loss), bits(&wanted_loss));
        for (name, var) in model.named_parameters() {
            let (found, wanted) = (found.get(&var).unwrap(), wanted.get(&var).unwrap());
            let values = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            assert_eq!(
                values(found),
                values(wanted),
                "{name}: {:?}, {:?}",
                case.norm,
                case.act_fn
            );
        }
    }
}

/// A directional derivative of the loss by two central differences, extrapolated to no distance.
#[test]
fn gradients_are_slopes_of_the_loss() {
    for case in CASES {
        let model = case.model();
        let (_, grads) = model.loss_and_gradients(&tokens()).unwrap();
        for (k, (name, var)) in model.named_parameters().into_iter().enumerate() {
            let start = var.as_tensor().copy().unwrap();
            let values: Vec<f32> = (0..start.elem_count())
                .map(|i| (1.7 * i as f32 + k as f32).cos())
                .collect();
            let length = values.iter().map(|v| v * v).sum::<f32>().sqrt();
            let direction = Tensor::from_vec(values, start.shape(), &Device::Cpu).unwrap();
            let direction = (direction / f64::from(length)).unwrap();
            let at = |distance: f64| {
                let moved = (&start + (&direction * distance).unwrap()).unwrap();
                var.set(&moved).unwrap();
                scalar(&model.loss(&tokens()).unwrap())
            };
            let slope = |h: f64| (at(h) - at(-h)) / (2.0 * h);
            let slope = (4.0 * slope(4e-3) - slope(8e-3)) / 3.0;
            var.set(&start).unwrap();
            let grad = grads.get(&var).unwrap();
            let expected = scalar(&(grad * &direction).unwrap().sum_all().unwrap());
            let size = scalar(&grad.sqr().unwrap().sum_all().unwrap()).sqrt();
            assert!(
                (slope - expected).abs() < 0.02 * size + 2e-3,
                "{name} ({:?}, {:?}): slope {slope}, gradient {expected}",
                case.norm,
                case.act_fn
            );
        }
    }
}

#[test]
fn reading_token_by_token_is_reading_at_once() {
    for case in CASES {
        let model = case.model();
        let mut text = vec![TOKENS[0]];
        for _ in 0..5 {
            let t = Tensor::new(&text[..], &Device::Cpu).unwrap();
            let t = t.unsqueeze(0).unwrap();
            let logits = last_row(&model.forward(&t).unwrap());
            let best = (0..11).max_by(|&i, &j| logits[i].total_cmp(&logits[j]));
            text.push(best.unwrap() as u32);
        }
        let cfg = GenerateConfig {
            max_new_tokens: 5,
            temperature: 0.0,
            ..GenerateConfig::default()
        };
        let found = model.generate(&TOKENS[..1], &cfg).unwrap();
        assert_eq!(found, text, "{:?}, {:?}", case.norm, case.act_fn);
    }
}

#[test]
fn a_saved_model_of_any_kind_loads_bit_for_bit_and_its_summary_lists_its_norms() {
    for case in CASES {
        let model = case.model();
        let folder = tempfile::tempdir().unwrap();
        model.save(folder.path()).unwrap();
        let again = Transformer::load(folder.path()).unwrap();
        assert_eq!(again.cfg(), model.cfg());
        let logits = |m: &Transformer| bits(&m.forward(&tokens()).unwrap());
        assert_eq!(logits(&again), logits(&model));
        let named = |name: &str| model.named_parameters().iter().any(|(n, _)| n == name);
        let has_weights = case.norm == Normalization::Ln;
        assert_eq!(named("blocks.1.ln2.w"), has_weights);
        let solu = case.act_fn == Activation::SoluLn;
        assert_eq!(named("blocks.1.mlp.ln.b"), has_weights && solu);
        assert_eq!(
            model.summary().parameters.len(),
            model.named_parameters().len()
        );
    }
}

#[test]
fn a_features_logits_are_what_its_direction_adds_to_them() {
    for case in CASES.iter().filter(|case| case.norm == Normalization::None) {
        // Without norms the last stream reaches the logits through one matrix.
        let model = case.model();
        let hook = "blocks.1.hook_resid_post";
        let row = Tensor::arange(0f32, 8.0, &Device::Cpu)
            .unwrap()
            .sin()
            .unwrap();
        let zeros = |n: usize| Tensor::zeros(n, DType::F32, &Device::Cpu).unwrap();
        let w_dec = row.unsqueeze(0).unwrap();
        let sae = StandardSae::new(w_dec.t().unwrap(), zeros(1), w_dec, zeros(8)).unwrap();
        let found = feature_logits(&model, &sae, hook, 0).unwrap();
        let add = Hook::new(hook, move |x| Ok(Some(x.broadcast_add(&row)?)));
        let with = model.run_with_hooks(&tokens(), &[add]).unwrap();
        let without = model.forward(&tokens()).unwrap();
        let added = last_row(&(with - without).unwrap());
        let mean = added.iter().sum::<f32>() / 11.0;
        let centred: Vec<f32> = added.iter().map(|x| x - mean).collect();
        assert_close(
            &found.to_vec1::<f32>().unwrap(),
            &centred,
            "the direction's logits",
        );
    }
}

#[test]
fn a_configuration_written_before_there_were_other_norms_means_layer_norm() {
    let text = r#"{"d_model": 8, "n_heads": 2, "d_mlp": 12, "act_fn": "gelu_new"}"#;
    let cfg: TransformerConfig = serde_json::from_str(text).unwrap();
    assert_eq!(cfg.normalization_type, Normalization::Ln);
    for (norm, text) in [
        (Normalization::Ln, "\"LN\""),
        (Normalization::LnPre, "\"LNPre\""),
        (Normalization::None, "\"none\""),
    ] {
        assert_eq!(serde_json::to_string(&norm).unwrap(), text);
        assert_eq!(serde_json::from_str::<Normalization>(text).unwrap(), norm);
    }
    let text = serde_json::to_string(&Activation::SoluLn).unwrap();
    assert_eq!(text, "\"solu_ln\"");
}

#[test]
fn half_precision_has_the_same_logits_up_to_its_rounding() {
    for case in CASES {
        let cfg = TransformerConfig {
            dtype: holoscope::config::Precision::Bf16,
            ..case.model().cfg().clone()
        };
        let logits = waves(&cfg).forward(&tokens()).unwrap();
        let logits = last_row(&logits.to_dtype(DType::F32).unwrap());
        let largest = case.logits.iter().fold(0f32, |m, x| m.max(x.abs()));
        for (found, wanted) in logits.iter().zip(&case.logits) {
            // bf16 keeps 8 bits; each of two blocks and the unembedding rounds a few times.
            let error = (found - wanted).abs() / largest;
            assert!(
                error < 0.1,
                "{:?}, {:?}: {found}, {wanted}",
                case.norm,
                case.act_fn
            );
        }
    }
}
