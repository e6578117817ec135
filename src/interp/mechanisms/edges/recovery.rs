//! How well scores of edges find a circuit that is known, beside random scores.
//! Precision and recall of the edges above a threshold; area under the ROC curve and average
//! precision of the whole ranking.
//! Source: Conmy et al. 2023 (ACDC), section 4; Gupta et al. 2024 (InterpBench), arXiv:2407.14494.

use super::ranking::{Ranking, ranking};
use super::scores::EdgeScores;
use crate::error::{Error, Result};
use crate::model::Edge;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// An edge is found if its magnitude is above this share of the largest one.
const THRESHOLD: f64 = 0.01;
/// Random rankings of the control.
const N_RANDOM: usize = 1_000;

/// One method against the known circuit.
#[derive(Debug, Clone, PartialEq)]
pub struct RecoveryScore {
    /// The method's name; `random` for the control.
    pub method: String,
    /// Edges found: those above a hundredth of the largest magnitude; the control finds as many as
    /// the circuit has.
    pub n_found: usize,
    /// Share of the edges found that are in the circuit; NaN if none was found.
    pub precision: f64,
    /// Share of the circuit that was found.
    pub recall: f64,
    /// Probability that an edge of the circuit scores above another, half if they tie.
    pub roc_auc: f64,
    /// Area under precision by recall.
    pub average_precision: f64,
    /// Central 95 % of the control's rankings; none for a method, which has one.
    pub roc_auc_interval: Option<[f64; 2]>,
    /// As `roc_auc_interval`.
    pub average_precision_interval: Option<[f64; 2]>,
}

/// Methods, and random rankings last, against one known circuit.
#[derive(Debug, Clone, PartialEq)]
pub struct CircuitRecovery {
    /// Edges of the model.
    pub n_edges: usize,
    /// Edges of the circuit.
    pub n_circuit: usize,
    /// In the order given, then the control.
    pub scores: Vec<RecoveryScore>,
}

/// Sets scores of edges beside a circuit that is known; edges are ranked by magnitude. The control
/// ranks them at random, a thousand times (always the same thousand).
///
/// ```
/// use holoscope::interp::{circuit_recovery, compiled_tasks, edge_activation_patching};
/// use holoscope::rasp::{CompileOptions, compile, programs};
/// let compiled = compile(&programs()[1], &CompileOptions::default())?;
/// let tasks = compiled_tasks(&compiled, 20, 1)?;
/// let found = edge_activation_patching(&compiled.model, &tasks)?;
/// let recovery = circuit_recovery(&compiled.varying_edges(), &[found])?;
/// assert_eq!(recovery.scores[0].average_precision, 1.0);
/// # Ok::<(), holoscope::Error>(())
/// ```
///
/// # Errors
/// No scores; scores that are not finite or of different edges; an edge of the circuit that was not
/// scored; a circuit of no edge or of all.
pub fn circuit_recovery(circuit: &[Edge], found: &[EdgeScores]) -> Result<CircuitRecovery> {
    let Some(first) = found.first() else {
        return Err(Error::argument(
            "scores",
            "[]",
            "there must be those of one method",
        ));
    };
    let edges: Vec<Edge> = first.scores.iter().map(|s| s.edge).collect();
    if let Some(missing) = circuit.iter().find(|edge| !edges.contains(edge)) {
        return Err(Error::NotFound {
            kind: "scored edge",
            name: missing.to_string(),
            known: edges.iter().map(Edge::to_string).collect(),
        });
    }
    let members: Vec<bool> = edges.iter().map(|edge| circuit.contains(edge)).collect();
    let n_circuit = members.iter().filter(|member| **member).count();
    if n_circuit == 0 || n_circuit == edges.len() {
        let reason = format!("must be some of the {} edges, not all", edges.len());
        return Err(Error::argument("edges of the circuit", n_circuit, reason));
    }
    let mut scores = Vec::new();
    for method in found {
        scores.push(recovery_score(method, &edges, &members)?);
    }
    scores.push(control(&members));
    Ok(CircuitRecovery {
        n_edges: edges.len(),
        n_circuit,
        scores,
    })
}

fn recovery_score(of: &EdgeScores, edges: &[Edge], members: &[bool]) -> Result<RecoveryScore> {
    if !of.scores.iter().map(|s| &s.edge).eq(edges) {
        let name = format!("{:?}", of.method);
        return Err(Error::argument(
            "scores",
            name,
            "must be of the same edges as the others",
        ));
    }
    if let Some(bad) = of.scores.iter().find(|s| !s.magnitude.is_finite()) {
        return Err(Error::NotFiniteAt {
            what: format!("the score by {}", of.method),
            value: bad.magnitude,
            place: bad.edge.to_string(),
        });
    }
    let magnitudes = of.scores.iter().map(|s| s.magnitude);
    let scores: Vec<(f64, bool)> = magnitudes.zip(members.iter().copied()).collect();
    let largest = scores.iter().fold(0.0_f64, |most, s| most.max(s.0));
    let above: Vec<_> = scores
        .iter()
        .filter(|s| s.0 > THRESHOLD * largest)
        .collect();
    let hits = above.iter().filter(|s| s.1).count() as f64;
    let n_circuit = members.iter().filter(|member| **member).count();
    let Ranking {
        roc_auc,
        average_precision,
    } = ranking(&scores);
    Ok(RecoveryScore {
        method: of.method.clone(),
        n_found: above.len(),
        precision: hits / above.len() as f64,
        recall: hits / n_circuit as f64,
        roc_auc,
        average_precision,
        roc_auc_interval: None,
        average_precision_interval: None,
    })
}

/// Random rankings.
fn control(members: &[bool]) -> RecoveryScore {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut members = members.to_vec();
    let n_circuit = members.iter().filter(|member| **member).count();
    let (mut aucs, mut precisions, mut hits) = (Vec::new(), Vec::new(), 0.0);
    for _ in 0..N_RANDOM {
        members.shuffle(&mut rng);
        let scores: Vec<(f64, bool)> = members
            .iter()
            .enumerate()
            .map(|(i, member)| (-(i as f64), *member))
            .collect();
        let found = ranking(&scores);
        aucs.push(found.roc_auc);
        precisions.push(found.average_precision);
        hits += members[..n_circuit]
            .iter()
            .filter(|member| **member)
            .count() as f64;
    }
    let share = hits / (N_RANDOM * n_circuit) as f64;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    RecoveryScore {
        method: "random".to_owned(),
        n_found: n_circuit,
        precision: share,
        recall: share,
        roc_auc: mean(&aucs),
        average_precision: mean(&precisions),
        roc_auc_interval: Some(central(aucs)),
        average_precision_interval: Some(central(precisions)),
    }
}

/// The 2.5th and the 97.5th percentile.
fn central(mut values: Vec<f64>) -> [f64; 2] {
    values.sort_by(f64::total_cmp);
    [0.025, 0.975].map(|q| values[(q * (values.len() - 1) as f64).round() as usize])
}
