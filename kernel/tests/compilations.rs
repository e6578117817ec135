//! How often rustc runs for a cell, and what is optimised how: real sessions, real rustc.

mod common;

use common::{describe, holoscope, read_cells, text, write_notebook};
use serde_json::Value;

/// Of each cell: how often rustc ran for it, and its result. And the trace.
fn run(cells: &[&str]) -> (Vec<(usize, String)>, Vec<Value>) {
    let dir = tempfile::tempdir().unwrap();
    let (input, out) = (dir.path().join("in.ipynb"), dir.path().join("out.ipynb"));
    let trace = dir.path().join("trace");
    write_notebook(&input, cells);
    let output = holoscope()
        .arg("run")
        .arg(&input)
        .arg("-o")
        .arg(&out)
        .env("HOLOSCOPE_TRACE", &trace)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", describe(&output));
    let results = read_cells(&out).into_iter().map(|cell| {
        let outputs = cell["outputs"].as_array().unwrap().clone();
        let shown = outputs.last().map(|o| text(&o["data"]["text/plain"]));
        shown.unwrap_or_default().trim_end().to_owned()
    });
    let trace = std::fs::read_to_string(&trace).unwrap();
    let events: Vec<Value> = trace
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let runs = compilations(&events, cells);
    (runs.into_iter().zip(results).collect(), events)
}

/// From the trace (see `src/trace.rs`): how often rustc was asked to compile each cell's statements.
fn compilations(events: &[Value], cells: &[&str]) -> Vec<usize> {
    let mut runs: Vec<usize> = vec![0; cells.len()];
    let mut at = None;
    for event in events {
        match event["what"].as_str().unwrap() {
            "cell" => {
                let next = at.map_or(0, |n: usize| n + 1);
                // What the session runs for itself is no cell of the notebook.
                at = if cells.get(next).is_some_and(|c| *c == event["more"]["code"]) {
                    Some(next)
                } else {
                    at
                };
            }
            "compiled" if event["more"]["crate"] == "ctx" => {
                if let Some(n) = at {
                    runs[n] += 1;
                }
            }
            _ => {}
        }
    }
    runs
}

#[test]
fn a_cell_is_compiled_once_and_one_that_moves_a_variable_twice() {
    // Text that no earlier run has left: what was compiled before is not compiled.
    let new = std::time::SystemTime::now();
    // The first time as far as the borrow checker.
    let cells = [
        ("let s = \"abc\".to_string();", 1, ""),
        ("s.len()", 1, "3"),
        ("vec![1, 2]", 1, "[1, 2]"),
        ("let t = s;", 2, ""),
        ("let u = (t, 1);\nu.0.len()", 2, "3"),
        ("let a = vec![1, 2]; let b = a;\nb.len()", 2, "2"),
        (
            "let frame = (1..4_i64).collect::<holoscope::prelude::Series>().into_frame();",
            1,
            "",
        ),
        ("let moved = Some(frame);\nmoved.is_some()", 2, "true"),
        (
            "#[derive(Clone, Copy, Debug)] struct Point(i64);\nlet p = Point(3);",
            1,
            "",
        ),
        ("fn double(p: Point) -> i64 { 2 * p.0 }\ndouble(p)", 1, "6"),
        ("let q = p;\nq.0 + p.0", 1, "6"),
        ("let n = 4;", 1, ""),
        ("let m = n;\nm + n", 1, "8"),
    ];
    let codes = cells.map(|(code, _, _)| format!("let _ = \"{new:?}\";\n{code}"));
    let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
    for ((runs, result), (code, times, wanted)) in run(&codes).0.into_iter().zip(cells) {
        assert_eq!((runs, result.as_str()), (times, wanted), "{code}");
    }
}

#[test]
fn a_cell_that_was_compiled_before_is_not_compiled_again() {
    let new = std::time::SystemTime::now();
    let codes = [
        format!("#[doc = \"{new:?}\"] struct P(u8);\nlet p = P(3);"),
        format!("let _ = \"{new:?}\"; p.0"),
    ];
    let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
    let kept = |events: &[Value]| {
        events
            .iter()
            .filter(|event| event["what"] == "kept")
            .count()
    };
    let (results, events) = run(&codes);
    assert_eq!((results[1].1.as_str(), kept(&events)), ("3", 0));
    let (results, events) = run(&codes);
    assert_eq!((results[1].1.as_str(), kept(&events)), ("3", 3));
}

#[test]
fn a_cell_that_a_compiler_waited_for_is_a_cell_like_any_other() {
    // Text that no earlier run has left: what was compiled before is not compiled.
    let new = std::time::SystemTime::now();
    let cells = [
        ("1 + 1", "2"),
        (
            "use std::fmt::Write; struct Tensor(i64);\nlet t = Tensor(4);",
            "",
        ),
        (
            "macro_rules! plus { ($e:expr) => { $e + 1 } }\nplus!(t.0)",
            "5",
        ),
        (
            "mod inner { pub fn place() -> bool { file!().ends_with(\".rs\") } }\ninner::place()",
            "true",
        ),
        (
            "let mut s = String::new(); write!(s, \"{}\", t.0)?; s",
            "\"4\"",
        ),
    ];
    let codes = cells.map(|(code, _)| format!("let _ = \"{new:?}\";\n{code}"));
    let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
    let (results, events) = run(&codes);
    for ((runs, result), (code, wanted)) in results.into_iter().zip(cells) {
        assert_eq!((runs, result.as_str()), (1, wanted), "{code}");
    }
    // One behind items finds nobody: what it links to is new.
    let waited_for = events.iter().filter(|e| e["what"] == "standby").count();
    assert!(waited_for >= 2, "{waited_for}");
}

#[test]
fn a_variable_keeps_its_type_beside_a_new_one_of_the_same_name() {
    let cells = [
        (
            "struct Kind(String);\nlet k = Kind(\"k\".to_string());\nlet v = vec![1];",
            "",
        ),
        ("k.0.len()", "1"),
        (
            "#[derive(Clone, Copy)] struct Kind(i64);\nlet j = Kind(5);\nlet l = (j, 1);\n\
             let w = v.into_iter();\nj.0 + l.0.0",
            "10",
        ),
        ("j.0 + l.0.0 + w.count() as i64 + k.0.len() as i64", "12"),
    ];
    let codes: Vec<&str> = cells.iter().map(|c| c.0).collect();
    for ((_, result), (code, wanted)) in run(&codes).0.into_iter().zip(cells) {
        assert_eq!(result, wanted, "{code}");
    }
}

#[test]
fn a_static_goes_on_where_its_crate_is_compiled_again() {
    let cells = [
        (
            "use std::sync::atomic::*;\nstatic TOTAL: AtomicU32 = AtomicU32::new(5);\n\
             thread_local! { static TURNS: std::cell::Cell<u32> = std::cell::Cell::new(0); }\n\
             struct Z;\nimpl Z { fn t() -> u32 { TURNS.set(TURNS.get() + 1); TOTAL.fetch_add(1, Ordering::SeqCst) } }",
            "",
        ),
        ("Z::t()", "5"),
        (
            "impl Z { fn t() -> u32 { TURNS.set(TURNS.get() + 1); TOTAL.fetch_add(10, Ordering::SeqCst) } }",
            "",
        ),
        ("Z::t()", "6"),
        // Also from a cell that names nothing else of the crate.
        ("TOTAL.load(Ordering::SeqCst)", "16"),
        ("TURNS.get()", "2"),
        ("static TOTAL: AtomicU32 = AtomicU32::new(70);", ""),
        ("Z::t()", "70"),
    ];
    let codes: Vec<&str> = cells.iter().map(|c| c.0).collect();
    for ((_, result), (code, wanted)) in run(&codes).0.into_iter().zip(cells) {
        assert_eq!(result, wanted, "{code}");
    }
}

#[test]
fn definitions_that_were_replaced_leave_no_files() {
    // The folder of the session's objects, from the process that has loaded them; without it, 0.
    let count = "fn objects() -> usize {\n\
                     let maps = std::fs::read_to_string(\"/proc/self/maps\").unwrap();\n\
                     let path = maps.lines().find_map(|line| line.split_once('/')?.1.split_once(\"/libc0\"));\n\
                     let folder = format!(\"/{}\", path.map_or(\"nowhere\", |path| path.0));\n\
                     std::fs::read_dir(folder).map_or(0, |files| files.count())\n}";
    let mut cells = vec![
        "fn first() -> i64 { 1 }".to_owned(),
        count.to_owned(),
        "fn second() -> i64 { first() + 1 }\nsecond()".to_owned(),
        "objects()".to_owned(),
    ];
    for n in 0..12 {
        cells.push(format!("fn first() -> i64 {{ {n} }}"));
        cells.push(format!("struct Point {{ x: [u8; {n}] }}"));
        cells.push(format!("fn third() -> i64 {{ second() + {n} }}\nthird()"));
    }
    cells.push("objects()".to_owned());
    let codes: Vec<&str> = cells.iter().map(String::as_str).collect();
    let (results, _) = run(&codes);
    let results: Vec<&str> = results.iter().map(|(_, result)| result.as_str()).collect();
    let files = |at: usize| results[at].parse::<usize>().unwrap();
    let (before, after) = (files(3), files(results.len() - 1));
    assert!(before >= 3, "{before}");
    // `Point` and `third` are the only new names.
    assert!(after <= before + 2, "{before} files, then {after}");
    assert_eq!((results[2], results[results.len() - 2]), ("2", "23"));
}

#[test]
fn variables_that_a_cell_does_not_mention_keep_their_values() {
    // `#[cfg]` takes a statement away that would have moved one.
    let cells = [
        (
            "let mut count = 1_usize; let text = \"kept\".to_string();",
            "",
        ),
        ("count += 1;", ""),
        ("let count_text = text.len();", ""),
        ("#[cfg(any())] drop(text);", ""),
        ("format!(\"{text} {count}\")", "kept 2"),
        ("count + count_text", "6"),
    ];
    let codes: Vec<&str> = cells.iter().map(|c| c.0).collect();
    for ((_, result), (code, wanted)) in run(&codes).0.into_iter().zip(cells) {
        assert_eq!(result.trim_matches('"'), wanted, "{code}");
    }
}

#[test]
fn the_library_is_there_after_evcxrs_own_commands() {
    let cells = [
        "let x = 1;",
        ":clear",
        "let t = holoscope::prelude::Tensor::arange(0f32, 4f32, &holoscope::prelude::Device::Cpu)?;\nt.sum_all()?.to_scalar::<f32>()?",
        ":restart",
        "holoscope::susy::chiral().l.len()",
    ];
    let (results, _) = run(&cells);
    assert_eq!((results[2].1.as_str(), results[4].1.as_str()), ("6.0", "4"));
}

#[test]
fn the_level_of_optimisation_can_be_chosen_and_the_library_stays_loaded() {
    let work = "let t = holoscope::prelude::Tensor::arange(0f32, 6f32, &holoscope::prelude::Device::Cpu)?;\nt.sum_all()?.to_scalar::<f32>()?";
    let mut cells = vec!["let kept = vec![1, 2, 3];".to_owned()];
    for level in 0..=3 {
        cells.push(format!(":opt {level}"));
        cells.push(work.to_owned());
        cells.push("kept.len()".to_owned());
    }
    let codes: Vec<&str> = cells.iter().map(String::as_str).collect();
    let (results, events) = run(&codes);
    let results: Vec<String> = results.into_iter().map(|(_, result)| result).collect();
    for level in 0..=3 {
        let at = 1 + 3 * level;
        assert_eq!(results[at], format!("Optimization: {level}"));
        assert_eq!(&results[at + 1..at + 3], ["15.0", "3"]);
    }
    // What rustc was told, one after the other: first the default.
    let cell = |event: &&Value| event["what"] == "rustc" && event["more"]["crate"] == "ctx";
    let mut levels: Vec<&str> = events
        .iter()
        .filter(cell)
        .map(|event| event["more"]["level"].as_str().unwrap())
        .collect();
    levels.dedup();
    assert_eq!(levels, ["1", "0", "1", "2", "3"]);
}
