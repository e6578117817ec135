//! The methods on compiled programs, whose circuits are known.

use super::super::*;
use crate::model::Edge;
use crate::rasp::{CompileOptions, CompiledProgram, compile, programs};
use crate::show::Show;

fn compiled(options: &CompileOptions) -> Vec<CompiledProgram> {
    let all = programs();
    all.iter()
        .map(|program| compile(program, options).unwrap())
        .collect()
}

fn set_of(scores: &EdgeScores, above: f64) -> Vec<String> {
    let found = scores.scores.iter().filter(|s| s.magnitude > above);
    found.map(|s| s.edge.to_string()).collect()
}

#[test]
fn patching_finds_exactly_the_known_circuit_of_every_compiled_program() {
    for compiled in compiled(&CompileOptions::default()) {
        let varying = compiled.varying_edges();
        if varying.is_empty() {
            assert!(compiled_tasks(&compiled, 1, 0).is_err());
            continue;
        }
        let tasks = compiled_tasks(&compiled, 24, 5).unwrap();
        let found = edge_activation_patching(&compiled.model, &tasks).unwrap();
        let wanted: Vec<String> = varying.iter().map(Edge::to_string).collect();
        assert_eq!(set_of(&found, 1e-3), wanted, "{}", compiled.program.name);
        let recovery = circuit_recovery(&varying, &[found]).unwrap();
        let score = &recovery.scores[0];
        assert!(score.roc_auc > 1.0 - 1e-9 && score.average_precision > 1.0 - 1e-9);
        assert_eq!(score.precision, 1.0);
    }
}

#[test]
fn zeros_find_positions_too_and_miss_only_what_guards_against_cases_that_did_not_come() {
    for compiled in compiled(&CompileOptions::default()) {
        let tasks = compiled_zero_tasks(&compiled, 24, 5).unwrap();
        let found = edge_activation_patching(&compiled.model, &tasks).unwrap();
        let found = set_of(&found, 1e-3);
        let circuit: Vec<String> = compiled.edges().iter().map(Edge::to_string).collect();
        assert!(
            found.iter().all(|edge| circuit.contains(edge)),
            "{}",
            compiled.program.name
        );
        let missed: Vec<&str> = circuit
            .iter()
            .filter(|edge| !found.contains(edge))
            .map(String::as_str)
            .collect();
        let wanted: &[&str] = match compiled.program.name.as_str() {
            // Without BOS an aggregate of nothing takes the position itself: not where there is an
            // answer.
            "previous_token" | "copy_3_back" | "repeats_previous" => &["embed -> L0H0.k"],
            "induction" => &["embed -> L0H0.k", "embed -> L1H0.k"],
            // With BOS the mean is less, of the same sign.
            "balanced" | "more_a_than_b" => &["embed -> L1H0.k"],
            // A count of 0 at BOS would fit no query.
            "double_histogram" => &["embed -> mlp0"],
            _ => &[],
        };
        assert_eq!(missed, wanted, "{}", compiled.program.name);
    }
}

/// The tasks and the program of this name.
fn setting(name: &str, attention_scale: f64) -> (CompiledProgram, Vec<PatchTask>) {
    let options = CompileOptions {
        attention_scale,
        ..CompileOptions::default()
    };
    let program = programs().into_iter().find(|p| p.name == name).unwrap();
    let compiled = compile(&program, &options).unwrap();
    let tasks = compiled_tasks(&compiled, 16, 5).unwrap();
    (compiled, tasks)
}

#[test]
fn attribution_sees_linear_paths_and_is_blind_to_saturated_attention_and_steps() {
    for (name, wanted) in [
        // The symbol goes through values and output alone.
        ("copy_3_back", &["embed -> L0H0.v", "L0H0 -> logits"][..]),
        (
            "fraction_of_a",
            &["embed -> mlp0", "mlp0 -> L1H0.v", "L1H0 -> logits"],
        ),
        // The pattern and the steps from a share to a count are flat at the clean run.
        ("histogram", &["mlp0 -> logits"]),
        // Queries and keys choose what is copied, values are what is copied.
        ("induction", &["embed -> L1H0.v", "L1H0 -> logits"]),
    ] {
        let (compiled, tasks) = setting(name, 40.0);
        let found = edge_attribution_patching(&compiled.model, &tasks).unwrap();
        assert_eq!(set_of(&found, 1e-3), wanted, "{name}");
        let recovery = circuit_recovery(&compiled.varying_edges(), &[found]).unwrap();
        let score = &recovery.scores[0];
        let recall = wanted.len() as f64 / compiled.varying_edges().len() as f64;
        assert_eq!((score.precision, score.recall), (1.0, recall));
    }
}

/// The answer of `more_a_than_b` is a step of a mean, which is flat but for a slope that a path's few
/// points may all miss.
#[test]
fn integrated_gradients_find_circuits_whose_attention_is_soft() {
    let mut missed = Vec::new();
    for program in programs() {
        let options = CompileOptions {
            attention_scale: 2.0,
            ..CompileOptions::default()
        };
        let compiled = compile(&program, &options).unwrap();
        if compiled.varying_edges().is_empty() {
            continue;
        }
        let tasks = compiled_tasks(&compiled, 24, 5).unwrap();
        let found = edge_attribution_patching_ig(&compiled.model, &tasks, 8).unwrap();
        let recovery = circuit_recovery(&compiled.varying_edges(), &[found]).unwrap();
        let found = recovery.scores[0].roc_auc > 1.0 - 1e-9;
        if !found {
            missed.push(program.name);
        }
    }
    assert_eq!(missed, ["more_a_than_b"]);
}

#[test]
fn random_rankings_are_at_chance_and_the_rows_are_those_of_the_frame() {
    let (compiled, tasks) = setting("induction", 40.0);
    let found = edge_activation_patching(&compiled.model, &tasks).unwrap();
    let recovery =
        circuit_recovery(&compiled.varying_edges(), std::slice::from_ref(&found)).unwrap();
    assert_eq!((recovery.n_circuit, recovery.n_edges), (5, 96));
    let random = recovery.scores.last().unwrap();
    // 1,000 rankings: the standard error of the area, whose deviation is 0.13, is 0.004; that of the
    // precision, mean 5 / 96, is 0.003.
    assert!((random.roc_auc - 0.5).abs() < 0.02);
    assert!((random.precision - 5.0 / 96.0).abs() < 0.012);
    let [low, high] = random.roc_auc_interval.unwrap();
    // By the normal approximation of Mann and Whitney: sd = sqrt((n + m + 1) / (12 n m)) = 0.133.
    assert!(
        (low - (0.5 - 1.96 * 0.133)).abs() < 0.04 && (high - (0.5 + 1.96 * 0.133)).abs() < 0.04
    );
    assert_eq!(recovery.frame().unwrap().shape(), (2, 10));
    assert!(
        recovery
            .mime_bundle()
            .unwrap()
            .get("image/svg+xml")
            .is_some()
    );
    assert!(found.heatmap().is_ok());
    assert!(found.mime_bundle().unwrap().get("image/svg+xml").is_some());
    assert_eq!(found.frame().unwrap().shape(), (96, 4));
}
