//! The compiler: a plan becomes the parameters of a transformer without norms, with ReLU MLPs.
//! `x_0 = one-hot symbol + one-hot position`; heads and MLPs add their variables' dimensions.
//! Beside them, heads and MLPs of random weights write to dimensions that nothing else reads.
//! Source: Lindner et al. 2023 (Tracr), arXiv:2301.05062; the distractors are ours.

use super::attention_weights::{Dense, HeadWeights, head_weights, head_width};
use super::compiled::{CompiledProgram, Encoding};
use super::lower::lower;
use super::plan::{Plan, Unit};
use super::programs::Program;
use crate::config::{Activation, Normalization, TransformerConfig};
use crate::error::{Error, Result};
use crate::model::Transformer;
use candle_core::{Device, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use std::collections::BTreeMap;

/// How a program is compiled.
#[derive(Debug, Clone, PartialEq)]
pub struct CompileOptions {
    /// Longest input, in symbols, without BOS.
    pub max_len: usize,
    /// Least difference between the attention score of a selected key and that of another, in nats.
    /// At 40, what is not selected has less than 1e-17 of the attention, and the pattern has no
    /// gradient. At 3 or so it has one, and the outputs are approximate.
    pub attention_scale: f64,
    /// Heads of random weights in each block, which write where nothing that matters reads.
    pub distractor_heads: usize,
    /// Blocks after the last one needed, of distractors alone.
    pub distractor_layers: usize,
    /// Seed of the distractors' weights.
    pub seed: u64,
}

impl Default for CompileOptions {
    fn default() -> Self {
        Self {
            max_len: 8,
            attention_scale: 40.0,
            distractor_heads: 2,
            distractor_layers: 0,
            seed: 0,
        }
    }
}

/// Dimensions of the stream that only distractors read and write.
const UNREAD: usize = 4;
/// Hidden units of an MLP that the program does not need.
const DISTRACTOR_UNITS: usize = 6;
/// Standard deviation of the distractors' weights.
const DISTRACTOR_STD: f64 = 0.5;

impl CompileOptions {
    fn validate(&self) -> Result<()> {
        let bad = |field, value: String, reason: &str| {
            Err(Error::Config {
                config: "CompileOptions",
                field,
                value,
                reason: reason.to_owned(),
            })
        };
        if !(1..=64).contains(&self.max_len) {
            return bad("max_len", self.max_len.to_string(), "must be from 1 to 64");
        }
        let scale = self.attention_scale;
        if !(scale.is_finite() && scale > 0.0 && scale <= 1e3) {
            let reason = "must be above 0 and at most 1000";
            return bad("attention_scale", scale.to_string(), reason);
        }
        Ok(())
    }
}

/// The transformer that computes a program, and its circuit.
///
/// ```
/// use holoscope::rasp::{CompileOptions, Value, compile, programs};
/// let programs = programs();
/// let previous = programs.iter().find(|p| p.name == "previous_token").unwrap();
/// let compiled = compile(previous, &CompileOptions::default())?;
/// let found = compiled.run(&["a", "c", "b"])?;
/// assert_eq!(found, [None, Some(Value::from("a")), Some(Value::from("c"))]);
/// # Ok::<(), holoscope::Error>(())
/// ```
///
/// # Errors
/// [`Error::Config`] for options out of range; a vocabulary that is empty or has a symbol twice;
/// expressions of the wrong kind, a categorical aggregate of several positions, a sequence with
/// more than 2,000 possible values, numbers too close for f32 that a map tells apart, a map that is no
/// function.
pub fn compile(program: &Program, options: &CompileOptions) -> Result<CompiledProgram> {
    options.validate()?;
    let vocabulary = &program.vocabulary;
    let repeated = (1..vocabulary.len()).find(|&i| vocabulary[..i].contains(&vocabulary[i]));
    if vocabulary.is_empty() || repeated.is_some() {
        let reason = "must have at least one symbol, and each once";
        return Err(Error::argument(
            "the vocabulary",
            format!("{vocabulary:?}"),
            reason,
        ));
    }
    let plan = lower(&program.output, vocabulary, options.max_len)?;
    let weights = Weights::new(&plan, vocabulary.len(), options);
    let model = weights.model(&plan)?;
    let output = &plan.variables[plan.output];
    let encoding = Encoding {
        vocabulary: vocabulary.clone(),
        max_len: options.max_len,
        outputs: output.domain.clone(),
        numerical: output.numerical,
    };
    Ok(CompiledProgram::new(
        program.clone(),
        model,
        encoding,
        &plan,
    ))
}

/// What is to become parameters.
struct Weights {
    cfg: TransformerConfig,
    n_symbols: usize,
    /// `[layer][head]`.
    heads: Vec<Vec<HeadWeights>>,
    /// `[layer]`.
    units: Vec<Vec<Unit>>,
}

impl Weights {
    fn new(plan: &Plan, n_symbols: usize, options: &CompileOptions) -> Weights {
        let n_layers = (plan.n_layers() + options.distractor_layers).max(1);
        let used = (0..n_layers)
            .map(|layer| plan.next_head(layer))
            .max()
            .unwrap_or(0);
        let n_heads = (used + options.distractor_heads).max(1);
        let needed = plan
            .heads
            .iter()
            .map(|head| head_width(plan, head))
            .max()
            .unwrap_or(1);
        let d_head = needed.max((plan.n_dims + UNREAD).div_ceil(n_heads));
        let d_model = n_heads * d_head;
        let distracts = options.distractor_heads > 0 || options.distractor_layers > 0;
        let mut random = Distractors {
            rng: ChaCha8Rng::seed_from_u64(options.seed),
            unread: plan.n_dims..plan.n_dims + UNREAD,
        };
        let (mut heads, mut units) = (Vec::new(), Vec::new());
        for layer in 0..n_layers {
            let (shape, scale) = ((d_model, d_head), options.attention_scale);
            let planned = plan.heads.iter().filter(|head| head.layer == layer);
            let mut of_layer: Vec<HeadWeights> = planned
                .map(|head| head_weights(plan, head, shape, scale))
                .collect();
            while of_layer.len() < n_heads {
                of_layer.push(match distracts {
                    true => random.head(shape),
                    false => HeadWeights::zeros(d_model, d_head),
                });
            }
            heads.push(of_layer);
            let planned = plan.units.iter().filter(|unit| unit.layer == layer);
            let mut of_layer: Vec<Unit> = planned.cloned().collect();
            if of_layer.is_empty() && distracts {
                of_layer.extend((0..DISTRACTOR_UNITS).map(|_| random.unit(layer)));
            }
            units.push(of_layer);
        }
        let outputs = &plan.variables[plan.output];
        let cfg = TransformerConfig {
            n_layers,
            d_model,
            n_heads,
            d_mlp: units.iter().map(Vec::len).max().unwrap_or(0).max(1),
            n_ctx: options.max_len + 1,
            d_vocab: (n_symbols + 1).max(outputs.dims.len()),
            act_fn: Activation::Relu,
            normalization_type: Normalization::None,
            ..TransformerConfig::default()
        };
        Weights {
            cfg,
            n_symbols,
            heads,
            units,
        }
    }

    fn model(&self, plan: &Plan) -> Result<Transformer> {
        let cfg = &self.cfg;
        let first = |id: usize| plan.variables[id].dims.start;
        let mut w_e = Dense::zeros(cfg.d_vocab, cfg.d_model);
        w_e.add(0, first(plan.bos), 1.0);
        for symbol in 0..self.n_symbols {
            w_e.add(1 + symbol, first(plan.tokens) + symbol, 1.0);
        }
        let mut w_pos = Dense::zeros(cfg.n_ctx, cfg.d_model);
        for place in 0..cfg.n_ctx - 1 {
            w_pos.add(1 + place, first(plan.indices) + place, 1.0);
        }
        let mut w_u = Dense::zeros(cfg.d_model, cfg.d_vocab);
        for (logit, dim) in plan.variables[plan.output].dims.clone().enumerate() {
            w_u.add(dim, logit, 1.0);
        }
        let mut parameters = BTreeMap::new();
        let mut put = |name: String, value: Tensor| parameters.insert(name, value);
        put("embed.W_E".to_owned(), matrix(&w_e)?);
        put("pos_embed.W_pos".to_owned(), matrix(&w_pos)?);
        put("unembed.W_U".to_owned(), matrix(&w_u)?);
        put("unembed.b_U".to_owned(), vector(&vec![0.0; cfg.d_vocab])?);
        for layer in 0..cfg.n_layers {
            let name = |of: &str| format!("blocks.{layer}.{of}");
            let heads = &self.heads[layer];
            for (part, of) in PARTS {
                let all: Result<Vec<Tensor>> = heads.iter().map(|h| matrix(of(h))).collect();
                put(name(&format!("attn.W_{part}")), Tensor::stack(&all?, 0)?);
            }
            let b_q: Result<Vec<Tensor>> = heads.iter().map(|h| matrix(&h.b_q)).collect();
            let b_q = Tensor::cat(&b_q?, 0)?;
            put(name("attn.b_K"), b_q.zeros_like()?);
            put(name("attn.b_V"), b_q.zeros_like()?);
            put(name("attn.b_Q"), b_q);
            put(name("attn.b_O"), vector(&vec![0.0; cfg.d_model])?);
            let mut w_in = Dense::zeros(cfg.d_model, cfg.d_mlp);
            let mut w_out = Dense::zeros(cfg.d_mlp, cfg.d_model);
            let mut b_in = vec![0.0; cfg.d_mlp];
            for (unit, of) in self.units[layer].iter().enumerate() {
                of.inputs
                    .iter()
                    .for_each(|(dim, w)| w_in.add(*dim, unit, *w));
                of.outputs
                    .iter()
                    .for_each(|(dim, w)| w_out.add(unit, *dim, *w));
                b_in[unit] = of.bias as f32;
            }
            put(name("mlp.W_in"), matrix(&w_in)?);
            put(name("mlp.b_in"), vector(&b_in)?);
            put(name("mlp.W_out"), matrix(&w_out)?);
            put(name("mlp.b_out"), vector(&vec![0.0; cfg.d_model])?);
        }
        Ok(Transformer::from_parameters(cfg, &parameters)?.without_gradients())
    }
}

type PartOf = fn(&HeadWeights) -> &Dense;
const PARTS: [(&str, PartOf); 4] = [
    ("Q", |h| &h.q),
    ("K", |h| &h.k),
    ("V", |h| &h.v),
    ("O", |h| &h.o),
];

fn matrix(of: &Dense) -> Result<Tensor> {
    let shape = (of.rows, of.cols);
    Ok(Tensor::from_slice(&of.values, shape, &Device::Cpu)?)
}

fn vector(of: &[f32]) -> Result<Tensor> {
    Ok(Tensor::new(of, &Device::Cpu)?)
}

/// Random parts, which read everything and write to `unread` alone.
struct Distractors {
    rng: ChaCha8Rng,
    unread: std::ops::Range<usize>,
}

impl Distractors {
    fn draw(&mut self) -> f64 {
        let z: f64 = StandardNormal.sample(&mut self.rng);
        DISTRACTOR_STD * z
    }

    fn head(&mut self, (d_model, d_head): (usize, usize)) -> HeadWeights {
        let mut head = HeadWeights::zeros(d_model, d_head);
        let unread = self.unread.clone();
        for dim in 0..unread.end {
            for i in 0..d_head {
                head.q.add(dim, i, self.draw());
                head.k.add(dim, i, self.draw());
                head.v.add(dim, i, self.draw());
                if unread.contains(&dim) {
                    head.o.add(i, dim, self.draw() / (d_head as f64).sqrt());
                }
            }
        }
        head
    }

    fn unit(&mut self, layer: usize) -> Unit {
        let inputs = (0..self.unread.end).map(|dim| (dim, self.draw())).collect();
        let bias = self.draw();
        let outputs = self.unread.clone().map(|dim| (dim, self.draw())).collect();
        Unit {
            layer,
            inputs,
            bias,
            outputs,
        }
    }
}
