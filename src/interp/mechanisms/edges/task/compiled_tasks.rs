//! Tasks of a compiled program: random inputs, corrupted by other random inputs or by zeros.
//! The metric is the logit of the clean answer minus that of the corrupted one, or the number.
//! Source: the tasks of Conmy et al. 2023 (ACDC) and Gupta et al. 2024 on compiled models.

use super::PatchTask;
use crate::error::{Error, Result};
use crate::interp::mechanisms::patch_metric::PatchMetric;
use crate::rasp::{CompiledProgram, Value};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Pairs of random inputs that are tried for each task.
const TRIES: usize = 100;

/// `n` tasks: pairs of random inputs of the greatest length, at a random position where the answers
/// differ. The metric is `logit(clean answer) - logit(corrupted answer)`, the one logit where the
/// other is no answer, and the number itself of a numerical program.
///
/// # Errors
/// No task asked for; a program whose answers do not depend on the symbols, so that no pair differs.
pub fn compiled_tasks(compiled: &CompiledProgram, n: usize, seed: u64) -> Result<Vec<PatchTask>> {
    let mut inputs = Inputs::new(compiled, n, seed)?;
    let mut tasks = Vec::new();
    for _ in 0..n {
        let mut task = None;
        for _ in 0..TRIES {
            let (clean, corrupted) = (inputs.draw(), inputs.draw());
            let answers = compiled.expected(&clean)?;
            let others = compiled.expected(&corrupted)?;
            let differs = |&i: &usize| answers[i] != others[i];
            let places: Vec<usize> = (0..answers.len()).filter(differs).collect();
            if let Some(i) = inputs.one_of(&places) {
                let metric = metric(compiled, 1 + i, answers[i].as_ref(), others[i].as_ref());
                let (clean, corrupted) = (compiled.encode(&clean)?, compiled.encode(&corrupted)?);
                task = Some(PatchTask::new(&clean, &corrupted, &metric));
                break;
            }
        }
        let reason = "its answers do not depend on the symbols; use `compiled_zero_tasks`";
        let name = &compiled.program.name;
        tasks.push(task.ok_or_else(|| Error::argument("program", name, reason))?);
    }
    Ok(tasks)
}

/// `n` tasks: random inputs of the greatest length, at a random position that has an answer, whose
/// logit (or the number itself) is the metric. Zeros take the place of activations.
///
/// # Errors
/// No task asked for; a program that has hardly ever an answer.
pub fn compiled_zero_tasks(
    compiled: &CompiledProgram,
    n: usize,
    seed: u64,
) -> Result<Vec<PatchTask>> {
    let mut inputs = Inputs::new(compiled, n, seed)?;
    let mut tasks = Vec::new();
    for _ in 0..n {
        let mut task = None;
        for _ in 0..TRIES {
            let clean = inputs.draw();
            let answers = compiled.expected(&clean)?;
            let places: Vec<usize> = (0..answers.len())
                .filter(|&i| answers[i].is_some())
                .collect();
            if let Some(i) = inputs.one_of(&places) {
                let metric = metric(compiled, 1 + i, answers[i].as_ref(), None);
                task = Some(PatchTask::zeros(&compiled.encode(&clean)?, &metric));
                break;
            }
        }
        let reason = "it has hardly ever an answer";
        let name = &compiled.program.name;
        tasks.push(task.ok_or_else(|| Error::argument("program", name, reason))?);
    }
    Ok(tasks)
}

struct Inputs<'a> {
    compiled: &'a CompiledProgram,
    rng: ChaCha8Rng,
}

impl<'a> Inputs<'a> {
    fn new(compiled: &'a CompiledProgram, n: usize, seed: u64) -> Result<Inputs<'a>> {
        if n == 0 {
            return Err(Error::argument("n", 0, "there must be at least one task"));
        }
        let rng = ChaCha8Rng::seed_from_u64(seed);
        Ok(Inputs { compiled, rng })
    }

    fn draw(&mut self) -> Vec<String> {
        let vocabulary = &self.compiled.program.vocabulary;
        let rng = &mut self.rng;
        let symbol = |_| vocabulary[rng.random_range(0..vocabulary.len())].clone();
        (0..self.compiled.max_len()).map(symbol).collect()
    }

    fn one_of(&mut self, places: &[usize]) -> Option<usize> {
        match places.len() {
            0 => None,
            n => Some(places[self.rng.random_range(0..n)]),
        }
    }
}

fn metric(
    compiled: &CompiledProgram,
    position: usize,
    answer: Option<&Value>,
    other: Option<&Value>,
) -> PatchMetric {
    let logit = |value: Option<&Value>| value.and_then(|value| compiled.logit_of(value));
    match (logit(answer), logit(other)) {
        (Some(answer), Some(other)) => PatchMetric::logit_difference(position, answer, other),
        (Some(answer), None) => PatchMetric::logit(position, answer),
        (None, Some(other)) => PatchMetric::logit(position, other),
        // A number is logit 0.
        (None, None) => PatchMetric::logit(position, 0),
    }
}
