//! A GPT-NeoX of Hugging Face's, in three variants, with what its definition computes.
#![allow(dead_code, reason = "each test file uses its own part")]

use candle_core::{Device, Tensor};
use holoscope::Result;
use holoscope::model::Transformer;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

pub const D: usize = 16;
pub const N_LAYERS: usize = 2;
pub const D_MLP: usize = 12;
pub const D_VOCAB: usize = 11;
pub const TOKENS: [u32; 5] = [3, 7, 0, 10, 5];

pub struct Case {
    pub parallel: bool,
    pub rotary_pct: f64,
    pub rotary_base: f64,
    pub hidden_act: &'static str,
    pub attention_bias: bool,
    pub loss: f64,
    /// Of the last position.
    pub logits: [f32; 11],
    /// `attn.hook_rot_q` and `attn.hook_rot_k` of the second block's second head at the last position.
    pub rot_q: [f32; 8],
    pub rot_k: [f32; 8],
}

/// Computed in float64 by numpy, from the definitions of transformers' `GPTNeoXAttention`,
/// `GPTNeoXMLP`, `GPTNeoXLayer` and `apply_rotary_pos_emb`, with the weights of [`hf_tensors`]:
///
/// ```python
/// ln = lambda x, n: (c := x - x.mean(-1, keepdims=True)) / sqrt((c**2).mean(-1, keepdims=True) + 1e-5) \
///     * w[n + ".weight"] + w[n + ".bias"]
/// linear = lambda x, n: x @ w[n + ".weight"].T + w.get(n + ".bias", 0)
/// dim = int(8 * rotary_pct)
/// freqs = np.outer(np.arange(5), 1 / base ** (np.arange(0, dim, 2) / dim))
/// cos, sin = (f(np.concatenate([freqs, freqs], -1)) for f in (np.cos, np.sin))
/// rotate_half = lambda x: np.concatenate([-x[..., dim // 2:], x[..., :dim // 2]], -1)
/// rope = lambda x: np.concatenate([(r := x[..., :dim]) * cos + rotate_half(r) * sin, x[..., dim:]], -1)
/// for l in range(2):
///     qkv = linear(ln(x, "input_layernorm"), "attention.query_key_value")
///     qkv = qkv.reshape(5, 2, 3 * 8).transpose(1, 0, 2)
///     q, k, v = rope(qkv[..., :8]), rope(qkv[..., 8:16]), qkv[..., 16:]
///     a = softmax(mask(q @ k.transpose(0, 2, 1) / np.sqrt(8)))
///     attn = linear((a @ v).transpose(1, 0, 2).reshape(5, 16), "attention.dense")
///     mlp = lambda y: linear(act(linear(ln(y, "post_attention_layernorm"), "mlp.dense_h_to_4h")),
///                            "mlp.dense_4h_to_h")
///     x = mlp(x) + attn + x if parallel else (x := x + attn) + mlp(x)
/// logits = linear(ln(x, "final_layer_norm"), "embed_out")
/// ```
pub const CASES: [Case; 3] = [
    Case {
        parallel: true,
        rotary_pct: 0.5,
        rotary_base: 10_000.0,
        hidden_act: "gelu",
        attention_bias: true,
        loss: 2.406_590,
        logits: [
            -0.253453, -0.633636, -0.931155, -1.107196, -1.138791, -1.02182, -0.771542, -0.420609,
            -0.014803, 0.392934, 0.749409,
        ],
        rot_q: [
            -1.374321, -0.279225, -0.338274, -0.164216, 1.38591, -0.268717, -1.634881, 1.153019,
        ],
        rot_k: [
            -0.870372, -1.180776, -0.431348, 0.583511, 0.787697, -0.914915, -0.946566, 1.682809,
        ],
    },
    Case {
        parallel: false,
        rotary_pct: 1.0,
        rotary_base: 100.0,
        hidden_act: "gelu_new",
        attention_bias: true,
        loss: 2.423_508,
        logits: [
            -0.211664, -0.620686, -0.948734, -1.15301, -1.206864, -1.103271, -0.855744, -0.496578,
            -0.072628, 0.360798, 0.747153,
        ],
        rot_q: [
            0.296148, 0.188958, -0.143379, -0.286583, -1.840194, -0.365865, -1.875953, 1.154419,
        ],
        rot_k: [
            0.00427, 0.554126, 0.002148, 0.445808, -1.229124, -1.423543, -1.039111, 1.797625,
        ],
    },
    Case {
        parallel: true,
        rotary_pct: 0.25,
        rotary_base: 10_000.0,
        hidden_act: "gelu",
        attention_bias: false,
        loss: 3.755_507,
        logits: [
            -1.737901, -2.547644, -3.025021, -3.107754, -2.785049, -2.099006, -1.139127, -0.030637,
            1.081849, 2.053198, 2.756686,
        ],
        rot_q: [
            -0.203086, 1.821699, -0.416918, 0.828782, 1.441979, 0.954697, -0.261182, -1.277735,
        ],
        rot_k: [
            0.594476, 1.229622, 0.881524, 1.444128, 0.904613, -0.325277, -1.306925, -1.291164,
        ],
    },
];

pub type Fields = Map<String, Value>;
pub type Tensors = HashMap<String, Tensor>;

/// The state dict of `GPTNeoXForCausalLM`: each tensor is `0.5 sin((0.37 + 0.11 k) i + 0.2 k)`,
/// i = 0, 1, ... along it, k its place among the names in alphabetical order; norms' weights are 1
/// more.
pub fn hf_tensors(attention_bias: bool) -> Tensors {
    let mut shapes: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let mut add = |name: String, shape: &[usize]| _ = shapes.insert(name, shape.to_vec());
    add("embed_out.weight".to_owned(), &[D_VOCAB, D]);
    add("gpt_neox.embed_in.weight".to_owned(), &[D_VOCAB, D]);
    let mut linear = |name: String, bias: bool, shape: [usize; 2]| {
        add(format!("gpt_neox.{name}.weight"), &shape);
        if bias {
            add(format!("gpt_neox.{name}.bias"), &shape[..1]);
        }
    };
    for l in 0..N_LAYERS {
        let at = |name: &str| format!("layers.{l}.{name}");
        linear(at("attention.query_key_value"), attention_bias, [3 * D, D]);
        linear(at("attention.dense"), attention_bias, [D, D]);
        linear(at("mlp.dense_h_to_4h"), true, [D_MLP, D]);
        linear(at("mlp.dense_4h_to_h"), true, [D, D_MLP]);
    }
    let mut norms = vec!["final_layer_norm".to_owned()];
    for l in 0..N_LAYERS {
        let names = ["input_layernorm", "post_attention_layernorm"];
        norms.extend(names.map(|name| format!("layers.{l}.{name}")));
    }
    for name in norms {
        for part in ["weight", "bias"] {
            add(format!("gpt_neox.{name}.{part}"), &[D]);
        }
    }
    let wave = |(k, (name, shape)): (usize, (String, Vec<usize>))| {
        let one = name.contains("norm") && name.ends_with("weight");
        let values: Vec<f32> = (0..shape.iter().product::<usize>())
            .map(|i| {
                let (i, k) = (i as f64, k as f64);
                (f64::from(u8::from(one)) + 0.5 * ((0.37 + 0.11 * k) * i + 0.2 * k).sin()) as f32
            })
            .collect();
        let value = Tensor::from_vec(values, shape, &Device::Cpu).unwrap();
        (name, value)
    };
    shapes.into_iter().enumerate().map(wave).collect()
}

/// A folder with this configuration and these tensors, loaded.
pub fn loaded(
    load: fn(&Path) -> Result<Transformer>,
    fields: &Value,
    tensors: &Tensors,
) -> Result<Transformer> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("config.json"), fields.to_string()).unwrap();
    candle_core::safetensors::save(tensors, dir.path().join("model.safetensors")).unwrap();
    load(dir.path())
}

impl Case {
    pub fn fields(&self) -> Fields {
        let fields = json!({
            "architectures": ["GPTNeoXForCausalLM"], "bos_token_id": 0, "eos_token_id": 0,
            "hidden_act": self.hidden_act, "hidden_size": D, "initializer_range": 0.02,
            "intermediate_size": D_MLP, "layer_norm_eps": 1e-05, "max_position_embeddings": 6,
            "model_type": "gpt_neox", "num_attention_heads": 2, "num_hidden_layers": N_LAYERS,
            "rotary_emb_base": self.rotary_base, "rotary_pct": self.rotary_pct,
            "tie_word_embeddings": false, "torch_dtype": "float16", "use_cache": true,
            "use_parallel_residual": self.parallel, "vocab_size": D_VOCAB,
            "attention_bias": self.attention_bias
        });
        fields.as_object().unwrap().clone()
    }

    pub fn edited(
        &self,
        fields: impl FnOnce(&mut Fields),
        tensors: impl FnOnce(&mut Tensors),
    ) -> Result<Transformer> {
        let (mut f, mut t) = (self.fields(), hf_tensors(self.attention_bias));
        fields(&mut f);
        tensors(&mut t);
        loaded(Transformer::load_hf, &Value::Object(f), &t)
    }

    pub fn model(&self) -> Transformer {
        self.edited(|_| (), |_| ()).unwrap()
    }
}
