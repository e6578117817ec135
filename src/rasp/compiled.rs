//! A compiled program: the model, its tokens and answers, and its circuit.
//! An edge is in the circuit if the receiver reads a subspace that the sender writes.
//! Source: Tracr's `AssembledTransformerModel`; ground truth as in InterpBench, arXiv:2407.14494.

use super::interpreter::interpret;
use super::plan::Plan;
use super::programs::Program;
use super::value::Value;
use crate::error::{Error, Result};
use crate::model::{Edge, Sender, Transformer};
use crate::show::{MimeBundle, Show, Table, shows_itself};
use candle_core::{DType, Device, Tensor};
use polars::prelude::{DataFrame, df};
use std::fmt;
use std::ops::Range;

/// A subspace of the residual stream that holds one variable of the program.
#[derive(Debug, Clone, PartialEq)]
pub struct ResidualSpace {
    /// The variable: the expression's name.
    pub name: String,
    /// What each dimension stands for; one name for a number.
    pub labels: Vec<String>,
    /// Its dimensions.
    pub dims: Range<usize>,
    /// What writes it.
    pub writer: Sender,
}

/// An edge of the known circuit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CircuitEdge {
    pub edge: Edge,
    /// The variables that go along it.
    pub variables: Vec<String>,
    /// Whether any of these depends on the input's symbols, and not on position alone. What does
    /// not depend on them cannot be found by changing them.
    pub varies: bool,
}

/// A transformer that computes a program, and how it does so.
#[derive(Debug, Clone)]
pub struct CompiledProgram {
    pub program: Program,
    /// Without gradients of its parameters.
    pub model: Transformer,
    /// The variables' places in the residual stream; what remains only distractors read and write.
    pub residual: Vec<ResidualSpace>,
    /// Every edge that carries a variable of the program.
    pub circuit: Vec<CircuitEdge>,
    encoding: Encoding,
}

/// How symbols become tokens, and logits become values.
#[derive(Debug, Clone)]
pub(super) struct Encoding {
    pub(super) vocabulary: Vec<String>,
    pub(super) max_len: usize,
    /// The value of each logit.
    pub(super) outputs: Vec<Value>,
    /// The value is logit 0 itself.
    pub(super) numerical: bool,
}

impl CompiledProgram {
    pub(super) fn new(
        program: Program,
        model: Transformer,
        encoding: Encoding,
        plan: &Plan,
    ) -> CompiledProgram {
        let space = |variable: &super::plan::Variable| ResidualSpace {
            name: variable.name.clone(),
            labels: match variable.numerical {
                true => vec![variable.name.clone()],
                false => variable.domain.iter().map(Value::to_string).collect(),
            },
            dims: variable.dims.clone(),
            writer: variable.writer,
        };
        CompiledProgram {
            program,
            residual: plan.variables.iter().map(space).collect(),
            circuit: circuit(plan, &model),
            model,
            encoding,
        }
    }

    /// Symbols as tokens `[1, 1 + n]`, BOS (token 0) before them.
    ///
    /// # Errors
    /// No symbol or more than `max_len`; [`Error::NotFound`] for one that is not in the vocabulary.
    pub fn encode<S: AsRef<str>>(&self, input: &[S]) -> Result<Tensor> {
        let max_len = self.encoding.max_len;
        if !(1..=max_len).contains(&input.len()) {
            let reason = format!("must be from 1 to max_len = {max_len} symbols");
            return Err(Error::argument("input length", input.len(), reason));
        }
        let vocabulary = &self.encoding.vocabulary;
        let id = |symbol: &S| match vocabulary.iter().position(|s| s == symbol.as_ref()) {
            Some(place) => Ok(1 + place as u32),
            None => Err(Error::NotFound {
                kind: "symbol",
                name: symbol.as_ref().to_owned(),
                known: vocabulary.clone(),
            }),
        };
        let ids: Result<Vec<u32>> = std::iter::once(Ok(0)).chain(input.iter().map(id)).collect();
        Ok(Tensor::from_vec(ids?, (1, 1 + input.len()), &Device::Cpu)?)
    }

    /// The value at each position after BOS, from logits `[1, 1 + n, d_vocab]`: the one of the
    /// largest logit, none where no logit is above 1/2; of a numerical program logit 0.
    ///
    /// # Errors
    /// Logits of another shape.
    pub fn decode(&self, logits: &Tensor) -> Result<Vec<Option<Value>>> {
        let d_vocab = self.model.cfg().d_vocab;
        match logits.dims() {
            [1, pos, width] if *pos > 0 && *width == d_vocab => {}
            found => {
                return Err(Error::shape(
                    "logits",
                    format!("[1, pos, {d_vocab}]"),
                    found,
                ));
            }
        }
        let rows = logits.squeeze(0)?.to_dtype(DType::F32)?.to_vec2::<f32>()?;
        let value = |row: &Vec<f32>| {
            if self.encoding.numerical {
                return Some(Value::Number(f64::from(row[0])));
            }
            let logits = row.iter().zip(&self.encoding.outputs);
            let largest = logits.max_by(|(a, _), (b, _)| a.total_cmp(b));
            largest
                .filter(|(logit, _)| **logit > 0.5)
                .map(|(_, value)| value.clone())
        };
        Ok(rows[1..].iter().map(value).collect())
    }

    /// What the model computes: [`CompiledProgram::decode`] of its logits.
    ///
    /// # Errors
    /// As [`CompiledProgram::encode`].
    pub fn run<S: AsRef<str>>(&self, input: &[S]) -> Result<Vec<Option<Value>>> {
        self.decode(&self.model.forward(&self.encode(input)?)?)
    }

    /// What the program says, by the interpreter.
    ///
    /// # Errors
    /// As [`CompiledProgram::encode`].
    pub fn expected<S: AsRef<str>>(&self, input: &[S]) -> Result<Vec<Option<Value>>> {
        self.encode(input)?;
        interpret(&self.program.output, input)
    }

    /// Longest input, in symbols.
    pub fn max_len(&self) -> usize {
        self.encoding.max_len
    }

    /// The logit that a value has; none for numbers, whose logit is 0, and for values that the
    /// program does not have.
    pub fn logit_of(&self, value: &Value) -> Option<u32> {
        let outputs = &self.encoding.outputs;
        outputs.iter().position(|v| v == value).map(|i| i as u32)
    }

    /// The edges of the circuit.
    pub fn edges(&self) -> Vec<Edge> {
        self.circuit.iter().map(|e| e.edge).collect()
    }

    /// The edges of the circuit along which something goes that depends on the symbols: what a
    /// change of the input can find.
    pub fn varying_edges(&self) -> Vec<Edge> {
        let varying = self.circuit.iter().filter(|e| e.varies);
        varying.map(|e| e.edge).collect()
    }

    /// One row an edge of the circuit: `sender`, `receiver`, `variables`, `varies`.
    ///
    /// # Errors
    /// [`Error::Polars`] when the frame cannot be made.
    pub fn circuit_frame(&self) -> Result<DataFrame> {
        let all = || self.circuit.iter();
        Ok(df![
            "sender" => all().map(|e| e.edge.sender.to_string()).collect::<Vec<String>>(),
            "receiver" => all().map(|e| e.edge.receiver.to_string()).collect::<Vec<String>>(),
            "variables" => all().map(|e| e.variables.join(", ")).collect::<Vec<String>>(),
            "varies" => all().map(|e| e.varies).collect::<Vec<bool>>(),
        ]?)
    }
}

/// The edges of a plan, in the order of [`Edge::all`].
fn circuit(plan: &Plan, model: &Transformer) -> Vec<CircuitEdge> {
    let of_edge = |edge: Edge| {
        let read = plan
            .reads
            .iter()
            .filter(|(receiver, _)| *receiver == edge.receiver);
        let variables = read.map(|(_, id)| &plan.variables[*id]);
        let carried: Vec<_> = variables.filter(|v| v.writer == edge.sender).collect();
        (!carried.is_empty()).then(|| CircuitEdge {
            edge,
            variables: carried.iter().map(|v| v.name.clone()).collect(),
            varies: carried.iter().any(|v| v.varies),
        })
    };
    Edge::all(model.cfg())
        .into_iter()
        .filter_map(of_edge)
        .collect()
}

impl fmt::Display for CompiledProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cfg = self.model.cfg();
        write!(
            f,
            "{}: {} blocks of {} heads, d_model {}, d_mlp {}; {} of {} edges are its circuit",
            self.program.name,
            cfg.n_layers,
            cfg.n_heads,
            cfg.d_model,
            cfg.d_mlp,
            self.circuit.len(),
            Edge::all(cfg).len()
        )?;
        for e in &self.circuit {
            write!(f, "\n{}: {}", e.edge, e.variables.join(", "))?;
        }
        Ok(())
    }
}

shows_itself!(CompiledProgram);

impl Show for CompiledProgram {
    /// The edges of its circuit.
    fn mime_bundle(&self) -> Result<MimeBundle> {
        let text = self.to_string();
        let title = text.lines().next().unwrap_or_default();
        Ok(Table::new(self.circuit_frame()?)
            .head(self.circuit.len())
            .caption(title)
            .mime_bundle()?
            .with("text/plain", &text))
    }
}
