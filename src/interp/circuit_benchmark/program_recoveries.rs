//! Every method on every compiled program: recovery of the whole circuit, and of the part of it that
//! does not pass through queries and keys.
//! Source: Gupta et al. 2024 (InterpBench), arXiv:2407.14494, its table of methods by task.

use super::super::mechanisms::{
    CircuitRecovery, EdgeScores, RecoveryScore, circuit_recovery, compiled_zero_tasks,
    edge_activation_patching, edge_attribution_patching, edge_attribution_patching_ig,
};
use super::graph_influence::edge_graph_influence;
use crate::error::{Error, Result};
use crate::model::{Edge, Receiver, Sender};
use crate::rasp::{CompileOptions, Program, compile};
use crate::sae::Transcoder;
use crate::show::Interrupts;

/// Steps of integrated gradients.
const IG_STEPS: usize = 8;

/// The methods' recovery of one program's circuit.
#[derive(Debug, Clone, PartialEq)]
pub struct ProgramRecovery {
    /// Its name.
    pub program: String,
    /// Of all edges.
    pub all_edges: CircuitRecovery,
    /// Of the edges that end in values, MLPs or logits, not in queries or keys: those that a graph
    /// with frozen patterns can see. `None` where the circuit has none of these, or all.
    pub without_patterns: Option<CircuitRecovery>,
    /// Edges of the circuit that end in queries or keys.
    pub n_pattern_edges: usize,
    /// Edges of the circuit that end elsewhere, and all that follows them ends in queries or keys: what
    /// they carry decides where a later head attends, and nothing else.
    pub n_before_patterns: usize,
}

/// The methods' recovery of the circuits of several programs.
#[derive(Debug, Clone, PartialEq)]
pub struct ProgramRecoveries {
    /// Inputs of each program that the scores are means over.
    pub n_tasks: usize,
    /// In the order given.
    pub programs: Vec<ProgramRecovery>,
}

/// One method's means over programs.
#[derive(Debug, Clone, PartialEq)]
pub struct MeanRecovery {
    /// The method; `random` for the control.
    pub method: String,
    /// Whether edges into queries and keys count.
    pub with_patterns: bool,
    /// Programs that the means are over.
    pub n_programs: usize,
    /// Mean share of the edges found that are in the circuit; of the programs where any was found.
    pub precision: f64,
    /// Mean share of the circuit that was found.
    pub recall: f64,
    /// Mean area under the ROC curve.
    pub roc_auc: f64,
    /// Mean area under precision by recall.
    pub average_precision: f64,
}

/// The means of every method over programs, of all edges and without those into queries and keys.
#[derive(Debug, Clone, PartialEq)]
pub struct MeanRecoveries {
    pub rows: Vec<MeanRecovery>,
}

/// Compiles each program and scores the edges of its model by activation patching, attribution
/// patching (plain, and by integrated gradients of 8 steps) and attribution graphs, on the same
/// `n_tasks` inputs, drawn from `seed`; random rankings beside them.
///
/// The graphs' transcoders are the MLPs themselves ([`Transcoder::of_mlp`]). The patching methods put
/// zeros in the place of activations, so that they, like the graphs, look for the whole circuit and not
/// only for what varies with the input.
///
/// ```
/// use holoscope::interp::compiled_recoveries;
/// use holoscope::rasp::{CompileOptions, programs};
/// let found = compiled_recoveries(&programs()[..2], &CompileOptions::default(), 4, 1)?;
/// // Four methods and the control, with and without queries and keys.
/// assert_eq!(found.means().rows.len(), 10);
/// # Ok::<(), holoscope::Error>(())
/// ```
///
/// # Errors
/// No program, no task; a program that cannot be compiled or has hardly ever an answer;
/// [`Error::Interrupted`].
pub fn compiled_recoveries(
    programs: &[Program],
    options: &CompileOptions,
    n_tasks: usize,
    seed: u64,
) -> Result<ProgramRecoveries> {
    if programs.is_empty() {
        let reason = "there must be at least one";
        return Err(Error::argument("programs", "[]", reason));
    }
    let interrupts = Interrupts::listen();
    let mut found = Vec::with_capacity(programs.len());
    for program in programs {
        interrupts.check("the recovery of compiled circuits")?;
        found.push(program_recovery(program, options, n_tasks, seed)?);
    }
    Ok(ProgramRecoveries {
        n_tasks,
        programs: found,
    })
}

fn program_recovery(
    program: &Program,
    options: &CompileOptions,
    n_tasks: usize,
    seed: u64,
) -> Result<ProgramRecovery> {
    let compiled = compile(program, options)?;
    let model = &compiled.model;
    let tasks = compiled_zero_tasks(&compiled, n_tasks, seed)?;
    let layers = 0..model.cfg().n_layers;
    let neurons: Vec<Transcoder> = layers
        .map(|layer| Transcoder::of_mlp(model, layer))
        .collect::<Result<_>>()?;
    let scores = [
        edge_activation_patching(model, &tasks)?,
        edge_attribution_patching(model, &tasks)?,
        edge_attribution_patching_ig(model, &tasks, IG_STEPS)?,
        edge_graph_influence(model, &neurons, &tasks)?,
    ];
    let circuit = compiled.edges();
    let visible: Vec<Edge> = circuit
        .iter()
        .copied()
        .filter(|edge| !edge.receiver.is_query_or_key())
        .collect();
    Ok(ProgramRecovery {
        program: program.name.clone(),
        all_edges: circuit_recovery(&circuit, &scores)?,
        without_patterns: without_patterns(&visible, &scores)?,
        n_pattern_edges: circuit.len() - visible.len(),
        n_before_patterns: before_patterns(&visible),
    })
}

/// Of edges that do not end in queries or keys, those from which no path of such edges leads to the
/// logits.
fn before_patterns(edges: &[Edge]) -> usize {
    let owner = |receiver: Receiver| match receiver {
        Receiver::Query { layer, head }
        | Receiver::Key { layer, head }
        | Receiver::Value { layer, head } => Some(Sender::Head { layer, head }),
        Receiver::Mlp { layer } => Some(Sender::Mlp { layer }),
        Receiver::Logits => None,
    };
    let mut reaching: Vec<Edge> = Vec::new();
    loop {
        let goes_on = |edge: &&Edge| {
            let next = owner(edge.receiver);
            next.is_none_or(|next| reaching.iter().any(|later| later.sender == next))
        };
        let found: Vec<Edge> = edges.iter().filter(goes_on).copied().collect();
        if found.len() == reaching.len() {
            return edges.len() - found.len();
        }
        reaching = found;
    }
}

/// Recovery among the edges that do not end in queries or keys.
fn without_patterns(circuit: &[Edge], scores: &[EdgeScores]) -> Result<Option<CircuitRecovery>> {
    let mut scores = scores.to_vec();
    for of_method in &mut scores {
        let kept = |edge: &Edge| !edge.receiver.is_query_or_key();
        of_method.scores.retain(|score| kept(&score.edge));
    }
    let n_edges = scores.first().map_or(0, |s| s.scores.len());
    match circuit.is_empty() || circuit.len() == n_edges {
        true => Ok(None),
        false => circuit_recovery(circuit, &scores).map(Some),
    }
}

impl ProgramRecoveries {
    /// The names of the methods, the control last.
    pub(super) fn methods(&self) -> Vec<String> {
        let first = self.programs.first();
        let scores = first.map_or(&[][..], |program| &program.all_edges.scores[..]);
        scores.iter().map(|score| score.method.clone()).collect()
    }

    /// Each method's means over programs, first of all edges, then without those into queries and
    /// keys.
    pub fn means(&self) -> MeanRecoveries {
        let mut means = Vec::new();
        for with_patterns in [true, false] {
            for method in self.methods() {
                let of_programs = self.programs.iter().filter_map(|program| {
                    let recovery = match with_patterns {
                        true => Some(&program.all_edges),
                        false => program.without_patterns.as_ref(),
                    };
                    recovery?.scores.iter().find(|s| s.method == method)
                });
                means.push(mean_recovery(
                    method.clone(),
                    with_patterns,
                    &of_programs.collect::<Vec<_>>(),
                ));
            }
        }
        MeanRecoveries { rows: means }
    }
}

fn mean_recovery(method: String, with_patterns: bool, of: &[&RecoveryScore]) -> MeanRecovery {
    let mean = |value: fn(&RecoveryScore) -> f64| {
        let values: Vec<f64> = of.iter().map(|score| value(score)).collect();
        let defined = values.iter().filter(|x| !x.is_nan());
        defined.clone().sum::<f64>() / defined.count() as f64
    };
    MeanRecovery {
        method,
        with_patterns,
        n_programs: of.len(),
        precision: mean(|s| s.precision),
        recall: mean(|s| s.recall),
        roc_auc: mean(|s| s.roc_auc),
        average_precision: mean(|s| s.average_precision),
    }
}
