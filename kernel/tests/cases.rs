//! Every case of `../shared/cases/kernel`, each a test with a kernel of its own.
//!
//! A case is a file of cells and of checks on what they gave; `run.py` beside the
//! cases runs one through jupyter_client, of the Python that `HOLOSCOPE_PYTHON` names. One by hand:
//! `cargo test -p holoscope-kernel --test cases case_36 -- --ignored --show-output`.

mod common;

use common::{describe, install, python, shared};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

const CASES: &str = "cases/kernel";
/// Characters that a failed test prints of one field of a step.
const LONGEST: usize = 2000;

/// A test for each name: `case_` and the name of the case's file.
macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        const NAMES: &[&str] = &[$(stringify!($name)),*];
        $(
            #[test]
            #[ignore = "takes seconds, needs HOLOSCOPE_PYTHON"]
            fn $name() {
                run(stringify!($name));
            }
        )*
    };
}

cases![
    case_01_moved_then_assigned,
    case_02_reference_kept,
    case_03_closure_kept,
    case_04_macro_makes_items,
    case_05_macro_used_in_functions,
    case_07_unfinished_path,
    case_08_loop_then_value,
    case_09_debug_of_a_struct,
    case_10_const_generics,
    case_11_await_without_asking,
    case_13_print_without_newline,
    case_14_stdin_read_line,
    case_15_error_after_panic,
    case_16_file_kept_open,
    case_17_relative_path_dependency,
    case_18_private_type,
    case_19_module_file,
    case_20_impl_cell_run_again,
    case_21_completion_behind_astral,
    case_22_nothing_to_run,
    case_23_is_it_complete,
    case_24_semicolon_and_comment,
    case_25_thread_prints_later,
    case_26_bytes_that_are_no_text,
    case_28_display_by_a_trait,
    case_29_queue_behind_compile_error,
    case_30_commands_answer,
    case_31_fn_main,
    case_32_deps_and_comments,
    case_33_const_of_variable,
    case_34_static_between_cells,
    case_36_inner_type_changed,
    case_40_line_of_a_panic,
    case_41_text_of_an_error,
    case_42_first_character,
    case_43_files_that_cells_include,
    case_45_two_traits_called_write,
    case_46_error_in_an_earlier_cell,
    case_47_own_result_types,
    case_48_text_that_looks_like_commands,
    case_49_small_language_things,
    case_50_carets_under_wide_text,
    case_54_drops_are_seen,
];

/// Other checks than the case's own, by the number of the case.
///
/// 36 redefines a type inside of a variable's type, and demands that the variable
/// cannot be shown any more. The engine is asked for more than that: "the value keeps
/// the type that it was made with for as long as that can be had". Ours keeps that
/// type, so `o` and `s` must be shown, as they were made.
const OURS: [(&str, &[(&str, &str)]); 1] = [(
    "36",
    &[
        ("a field of o", "r[3].result == '77'"),
        (
            "o as it was made",
            "r[4].result == 'Outer { inner: Inner { a: 1 }, n: 77 }'",
        ),
        ("s as it was made", "r[7].result == 'Square(2.0)'"),
        ("2", "r[8].result == '2'"),
    ],
)];

fn run(test: &str) {
    let Some(cases) = shared(CASES) else { return };
    let file = format!("{}.json", test.trim_start_matches("case_"));
    let number = &file[..2];
    let mut case = read(&cases.join(&file));
    if let Some((_, checks)) = OURS.iter().find(|(ours, _)| *ours == number) {
        case["checks"] = json!(checks);
    }
    // The runner takes the cases that lie beside it.
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(cases.join("run.py"), dir.path().join("run.py")).unwrap();
    std::fs::write(dir.path().join(&file), case.to_string()).unwrap();
    let output = Command::new(python())
        .arg(dir.path().join("run.py"))
        .args(["holoscope", number])
        .env("CASES_OUT", dir.path())
        .env("JUPYTER_PATH", install(dir.path()))
        .env("HOLOSCOPE_HISTORY", dir.path().join("history.jsonl"))
        .output()
        .expect("Python runs");
    let results = dir.path().join(format!("results/{number}.json"));
    let log = dir.path().join(format!("work/{number}/kernel.log"));
    assert!(
        output.status.success() && results.exists(),
        "{}\n--- the kernel's own words\n{}\n{}",
        describe(&output),
        std::fs::read_to_string(log).unwrap_or_default(),
        if results.exists() {
            failures(&case, &read(&results))
        } else {
            "The case has not come to an end.".to_owned()
        }
    );
    print!("{}", String::from_utf8_lossy(&output.stdout));
}

fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{} is no JSON: {error}", path.display()))
}

/// The failed checks, and what the steps that they ask about gave.
fn failures(case: &Value, result: &Value) -> String {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let steps = list(&result["steps"]);
    let mut text = format!("case {}: {}\n", result["case"], case["expect"]);
    let mut asked = vec![false; steps.len()];
    for (check, found) in list(&case["checks"]).iter().zip(list(&result["checks"])) {
        if found[1] == true {
            continue;
        }
        let expression = check[1].as_str().unwrap_or_default();
        let _ = writeln!(text, "FAILED {}: {expression} is {}", check[0], found[1]);
        for (n, asked) in asked.iter_mut().enumerate() {
            *asked |= asks_about(expression, n);
        }
    }
    for (n, step) in steps.iter().enumerate() {
        // A step that did not end is of interest to any check.
        if asked[n] || step["done"] != true {
            let _ = writeln!(text, "--- step {n}");
            describe_step(step, &mut text);
        }
    }
    text
}

/// Whether a check names this step, or goes through all of them.
fn asks_about(expression: &str, step: usize) -> bool {
    expression.contains(&format!("r[{step}]"))
        || expression.contains("in r]")
        || expression.contains("in r)")
        || expression.contains("r[i]")
}

/// All that a step gave, less the empty fields and the messages that they were made of.
fn describe_step(step: &Value, text: &mut String) {
    for (name, value) in step.as_object().into_iter().flatten() {
        let shown = match value {
            _ if matches!(name.as_str(), "messages" | "reply" | "shown") => continue,
            Value::Null => continue,
            Value::Array(parts) if name == "parts" => {
                for part in parts {
                    text.push_str("part of the queue\n");
                    describe_step(part, text);
                }
                continue;
            }
            Value::String(words) => words.clone(),
            other => other.to_string(),
        };
        if !matches!(shown.as_str(), "" | "[]" | "{}") {
            let cut: String = shown.chars().take(LONGEST).collect();
            let _ = writeln!(text, "{name}: {cut}");
        }
    }
}

#[test]
fn every_case_has_a_test() {
    let Some(cases) = shared(CASES) else { return };
    let without: Vec<String> = std::fs::read_dir(cases)
        .unwrap()
        .filter_map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            Some(format!("case_{}", name.strip_suffix(".json")?))
        })
        .filter(|name| !NAMES.contains(&name.as_str()))
        .collect();
    assert!(without.is_empty(), "not in `cases!`: {without:?}");
}
