//! No sequence of edits makes a value be read as another type: random notebooks over a graph of
//! types with live values, each compared with a model that is told which of its cells succeeded.
//!
//! `HOLOSCOPE_SOUNDNESS_CASES` is the number of notebooks; with it they are others in each run.

#[path = "../common/mod.rs"]
mod common;
mod generate;
mod model;
mod text;

use common::{holoscope, read_cells, write_notebook};
use generate::{Cell, Op, notebook};
use model::{Def, Live, Model, Name, Ty};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};
use serde_json::Value;
use std::cell::RefCell;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const CELLS: usize = 25;
/// What a notebook may take, with the first build of an image.
const LONGEST: Duration = Duration::from_secs(900);

/// Whether a cell must succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    Must,
    /// It may also be answered by a compile error.
    May,
    /// Only a compile error is right.
    Never,
}

/// What a cell should say.
pub struct Said {
    pub verdict: Verdict,
    pub lines: Vec<String>,
    /// Values of former types that are shown.
    former: usize,
}

/// Has the model take a cell as one that succeeded.
pub fn apply(model: &mut Model, ops: &[Op]) -> Said {
    let mut defs: Vec<(&Name, &Def)> = Vec::new();
    for op in ops {
        if let Op::Define(name, def) = op {
            defs.push((name, def));
        }
    }
    // All of a cell's definitions are there at once: a static is made with the cell's constant.
    defs.sort_by_key(|(name, _)| **name);
    for (name, def) in defs {
        model.define(*name, def);
    }
    model.note_circle();
    let mut said = Said {
        verdict: if model.is_right() {
            Verdict::Must
        } else {
            Verdict::Never
        },
        lines: Vec::new(),
        former: 0,
    };
    for op in ops {
        let (verdict, line) = statement(model, op, &mut said.former);
        said.verdict = said.verdict.max(verdict);
        said.lines.extend(line);
    }
    said
}

fn statement(model: &mut Model, op: &Op, former: &mut usize) -> (Verdict, Option<String>) {
    let sure = if model.circle {
        Verdict::May
    } else {
        Verdict::Must
    };
    let never = (Verdict::Never, None);
    let mut shown = |live: &Live, line: String, model: &Model| match model.is_current(live) {
        true => (Verdict::Must, Some(line)),
        false => {
            *former += 1;
            (Verdict::May, Some(line))
        }
    };
    match op {
        Op::Define(..) => (Verdict::Must, None),
        Op::Let(k, ty, value) => bind(model, *k, ty, value, false),
        Op::LetObject(k, n, value) if model.defs.contains_key(&Name::Impl(*n)) => {
            bind(model, *k, &Ty::T(*n), value, true)
        }
        Op::Drop(k) => match model.values.remove(k) {
            Some(_) => (Verdict::Must, None),
            None => never,
        },
        Op::Show(k) | Op::ShowClone(k) => match model.values.get(k) {
            Some(live) if live.object.is_none() => shown(live, live.text.clone(), model),
            Some(live) if matches!(op, Op::Show(_)) => shown(live, live.text.clone(), model),
            _ => never,
        },
        Op::ShowObject(k) => match model
            .values
            .get(k)
            .and_then(|live| Some((live, live.object.clone()?)))
        {
            Some((live, line)) => shown(live, line, model),
            None => never,
        },
        Op::Tag(k) => match model
            .values
            .get(k)
            .and_then(|live| Some((live, model.tag(live)?)))
        {
            Some((live, tag)) => {
                let (verdict, line) = shown(live, tag.to_string(), model);
                (verdict.max(sure), line)
            }
            None => never,
        },
        Op::Read(f, k) => match (model.defs.get(&Name::Read(*f)), model.values.get(k)) {
            (Some(Def::Read(on, _)), Some(live))
                if live.object.is_none() && live.ty == Ty::T(*on) && model.is_current(live) =>
            {
                (sure, Some(model.read(*f, &live.value)))
            }
            _ => never,
        },
        Op::Make(k) => match model.made(*k) {
            Some(line) => (Verdict::Must, Some(line)),
            None => never,
        },
        Op::Bump(n) if model.defs.contains_key(&Name::Bump(*n)) => {
            model.counts[*n] += 1;
            (Verdict::Must, Some(model.counts[*n].to_string()))
        }
        Op::Len => (Verdict::Must, Some(model.len().to_string())),
        Op::LetObject(..) | Op::Bump(_) => never,
    }
}

fn bind(
    model: &mut Model,
    k: usize,
    ty: &Ty,
    value: &model::Value,
    boxed: bool,
) -> (Verdict, Option<String>) {
    if !model.fits(value, ty) {
        return (Verdict::Never, None);
    }
    model.bind(k, ty, value, boxed);
    // With a clone of a variable it may be refused.
    (
        if model.circle {
            Verdict::May
        } else {
            Verdict::Must
        },
        None,
    )
}

/// Of all notebooks: cells, refused ones, values of former types shown and refused.
#[derive(Debug, Default)]
struct Tally {
    notebooks: usize,
    cells: usize,
    refused: usize,
    former_shown: usize,
    former_refused: usize,
}

/// Waits for a run; why it has not succeeded.
fn ended(running: &mut Child) -> Result<(), String> {
    let began = Instant::now();
    loop {
        match running.try_wait().unwrap() {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(status.to_string()),
            None if began.elapsed() > LONGEST => {
                running.kill().unwrap();
                running.wait().unwrap();
                return Err(format!("no end after {LONGEST:?}"));
            }
            None => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

/// Runs a notebook and compares each cell; what is wrong.
fn compare(cells: &[Cell], tally: &mut Tally) -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    let (input, out) = (dir.path().join("in.ipynb"), dir.path().join("out.ipynb"));
    let sources: Vec<&str> = cells.iter().map(|cell| cell.source.as_str()).collect();
    write_notebook(&input, &sources);
    let mut running = holoscope()
        .arg("run")
        .arg(&input)
        .arg("-o")
        .arg(&out)
        .arg("--allow-errors")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    ended(&mut running)?;
    tally.notebooks += 1;
    let mut model = Model::default();
    for (n, (cell, ran)) in cells.iter().zip(read_cells(&out)).enumerate() {
        compare_cell(cell, &ran, &mut model, tally)
            .map_err(|fault| format!("cell {n}: {fault}"))?;
    }
    Ok(())
}

fn compare_cell(
    cell: &Cell,
    ran: &Value,
    model: &mut Model,
    tally: &mut Tally,
) -> Result<(), String> {
    let mut after = model.clone();
    let said = apply(&mut after, &cell.ops);
    let outputs = ran["outputs"].as_array().unwrap();
    let error = outputs
        .iter()
        .find(|output| output["output_type"] == "error");
    let stdout = outputs.iter().filter(|output| output["name"] == "stdout");
    let stdout: String = stdout.map(|output| common::text(&output["text"])).collect();
    tally.cells += 1;
    if let Some(error) = error {
        tally.refused += 1;
        tally.former_refused += said.former;
        let known = error["ename"] == "compile error" && stdout.is_empty();
        return match known && said.verdict != Verdict::Must {
            true => Ok(()),
            false => Err(format!("expected {:?}, got {error:#}", said.lines)),
        };
    }
    if said.verdict == Verdict::Never {
        return Err(format!("it must be a compile error, and gave {stdout:?}"));
    }
    let lines: Vec<&str> = stdout.lines().collect();
    if lines != said.lines {
        return Err(format!("expected {:?}, got {lines:?}", said.lines));
    }
    tally.former_shown += said.former;
    *model = after;
    Ok(())
}

/// A failing notebook without the cells that it fails without, too.
fn reduced(mut cells: Vec<Cell>, mut fault: String) -> String {
    let before = whole(&cells);
    for n in (0..cells.len()).rev() {
        let mut fewer = cells.clone();
        fewer.remove(n);
        if let Err(other) = compare(&fewer, &mut Tally::default()) {
            (cells, fault) = (fewer, other);
        }
    }
    format!(
        "{fault}\n{}\n=== before it was reduced\n{before}",
        whole(&cells)
    )
}

fn whole(cells: &[Cell]) -> String {
    let cells = cells
        .iter()
        .enumerate()
        .map(|(n, cell)| format!("--- cell {n}\n{}\n", cell.source));
    cells.collect()
}

#[test]
fn no_edit_makes_a_value_be_read_as_another_type() {
    let cases = std::env::var("HOLOSCOPE_SOUNDNESS_CASES").ok();
    let config = Config {
        cases: cases
            .as_ref()
            .map_or(6, |cases| cases.parse().expect("a number of notebooks")),
        rng_seed: if cases.is_some() {
            RngSeed::Random
        } else {
            RngSeed::Fixed(7)
        },
        max_shrink_iters: 0,
        failure_persistence: None,
        ..Config::default()
    };
    let seeds = proptest::collection::vec(any::<u64>(), CELLS);
    let tally = RefCell::new(Tally::default());
    let ran = TestRunner::new(config).run(&seeds, |seeds| {
        let cells = notebook(&seeds);
        compare(&cells, &mut tally.borrow_mut())
            .map_err(|fault| TestCaseError::fail(reduced(cells, fault)))
    });
    println!("{:?}", tally.borrow());
    if let Err(error) = ran {
        panic!("{error}");
    }
    assert!(
        tally.borrow().former_shown > 0,
        "no value of a former type was shown"
    );
}
