//! Llama Scope's files.

use crate::archives::write_safetensors;
use crate::setting::*;
use holoscope::sae::{SparseAutoencoder, Transcoder};
use serde_json::json;

#[test]
fn llama_scope_is_folded_as_lm_saes_does_for_inference() {
    let (dir, p) = (tempfile::tempdir().unwrap(), parameters());
    let (encoder, decoder) = (turned(&p.w_enc, D, S), turned(&p.w_dec, S, D));
    let tensors: Vec<(&str, &[f32], &[usize])> = vec![
        named("encoder.weight", &encoder, &[S, D]),
        named("encoder.bias", &p.b_enc, &[S]),
        named("decoder.weight", &decoder, &[D, S]),
        named("decoder.bias", &p.b_dec, &[D]),
    ];
    write_safetensors(&dir.path().join("checkpoints/final.safetensors"), &tensors);
    let (norm_in, norm_out, t) = (2.5f64, 4.0f64, 0.4f64);
    // The fields of fnlp/Llama3_1-8B-Base-LXR-32x.
    let mut cfg = json!({
        "device": "cuda:0", "seed": 42, "dtype": "torch.bfloat16",
        "hook_point_in": "blocks.15.hook_resid_post", "hook_point_out": "blocks.15.hook_resid_post",
        "use_decoder_bias": true, "apply_decoder_bias_to_pre_encoder": false, "expansion_factor": 32, "d_model": D,
        "d_sae": S, "bias_init_method": "all_zero", "act_fn": "jumprelu", "jump_relu_threshold": t,
        "norm_activation": "dataset-wise", "dataset_average_activation_norm": { "in": norm_in, "out": norm_in },
        "decoder_exactly_fixed_norm": false, "sparsity_include_decoder_norm": true, "use_glu_encoder": false,
        "init_decoder_norm": 0.5, "init_encoder_norm": null, "init_encoder_with_decoder_transpose": true,
        "lp": 1, "l1_coefficient": 8e-5, "l1_coefficient_warmup_steps": 78125, "top_k": 50,
        "k_warmup_steps": 78125, "use_batch_norm_mse": true, "use_ghost_grads": false, "tp_size": 1, "ddp_size": 1,
    });
    let path = dir.path().join("hyperparams.json");
    write_json(&path, &cfg);
    let (unit, norms) = unit_rows(&p.w_dec);
    let s_in = (D as f64).sqrt() / norm_in;
    // On x itself: pre = (x W + b / s) |W_dec row|, above t; x_hat = acts row / |row| + b_dec / s.
    let scaled = |b: &[f32], s: f64| {
        b.iter()
            .map(|&b| (f64::from(b) / s) as f32)
            .collect::<Vec<_>>()
    };
    let encode = |x: &[f64]| {
        let pre = affine(x, &p.w_enc, &scaled(&p.b_enc, s_in));
        jump(
            pre.iter().zip(&norms).map(|(x, norm)| x * norm).collect(),
            |_| t,
        )
    };
    let sae = check_sae(dir.path(), encode, &unit, &scaled(&p.b_dec, s_in));
    assert_eq!(sae.hook_name(), Some("blocks.15.hook_resid_post"));
    // The reconstruction is that of the network on its own terms: x s in, x_hat / s out, activations above t.
    let x = inputs();
    let y: Vec<Vec<f64>> = x
        .iter()
        .map(|x| {
            let x: Vec<f64> = x.iter().map(|x| x * s_in).collect();
            let pre = affine(&x, &p.w_enc, &p.b_enc);
            // In units of the scaled input the threshold is t s.
            let acts: Vec<f64> = (0..S)
                .map(|j| {
                    if pre[j] * norms[j] > t * s_in {
                        pre[j]
                    } else {
                        0.0
                    }
                })
                .collect();
            affine(&acts, &p.w_dec, &p.b_dec)
                .iter()
                .map(|y| y / s_in)
                .collect()
        })
        .collect();
    assert_close(
        "by its own terms",
        &sae.reconstruct(&tensor(&x)).unwrap(),
        &y,
    );

    // From one hook point to another: outputs have a scale of their own.
    cfg["hook_point_in"] = json!("blocks.8.ln2.hook_normalized");
    cfg["hook_point_out"] = json!("blocks.8.hook_mlp_out");
    cfg["dataset_average_activation_norm"]["out"] = json!(norm_out);
    write_json(&path, &cfg);
    let transcoder = Transcoder::load(dir.path()).unwrap();
    let s_out = (D as f64).sqrt() / norm_out;
    let y: Vec<Vec<f64>> = x
        .iter()
        .map(|x| {
            let x: Vec<f64> = x.iter().map(|x| x * s_in).collect();
            let pre = affine(&x, &p.w_enc, &p.b_enc);
            // The decoder's norms are those after its scaling by s_in / s_out.
            let score = |j: usize| pre[j] * norms[j] / s_out;
            let acts: Vec<f64> = (0..S)
                .map(|j| if score(j) > t { pre[j] } else { 0.0 })
                .collect();
            affine(&acts, &p.w_dec, &p.b_dec)
                .iter()
                .map(|y| y / s_out)
                .collect()
        })
        .collect();
    assert_close(
        "transcoder",
        &transcoder.reconstruct(&tensor(&x)).unwrap(),
        &y,
    );
    assert_eq!(transcoder.hook_name, "blocks.8.ln2.hook_normalized");

    for (field, value) in [
        ("norm_activation", json!("token-wise")),
        ("act_fn", json!("gelu")),
        ("jump_relu_threshold", json!(null)),
        ("use_glu_encoder", json!(true)),
        ("apply_decoder_bias_to_pre_encoder", json!(true)),
        (
            "dataset_average_activation_norm",
            json!({ "in": 0.0, "out": 1.0 }),
        ),
        ("d_sae", json!(6)),
        ("odd", json!(1)),
    ] {
        let mut changed = cfg.clone();
        changed[field] = value;
        write_json(&path, &changed);
        let message = Transcoder::load(dir.path()).unwrap_err().to_string();
        assert!(message.contains(field), "{message}");
    }
}
