//! Whole notebooks with planted differences, and properties of the comparison.

use super::difference::Kind;
use super::report::{Outcome, junit};
use super::*;
use crate::notebook::{Cell, Notebook, Output, OutputKind};
use crate::run::output::event::StreamName;
use proptest::prelude::*;
use serde_json::{Value, json};

fn stream(text: &str) -> Output {
    let name = StreamName::Stdout;
    OutputKind::Stream {
        name,
        text: text.to_owned(),
    }
    .into()
}

fn display(data: Value) -> Output {
    let data = data.as_object().cloned().unwrap_or_default();
    OutputKind::Display {
        data,
        metadata: serde_json::Map::new(),
    }
    .into()
}

fn error(ename: &str) -> Output {
    let (ename, evalue) = (ename.to_owned(), "index out of bounds".to_owned());
    OutputKind::Error {
        ename,
        evalue,
        traceback: vec!["at line 1".to_owned()],
    }
    .into()
}

const FIGURE: &str =
    "<svg viewBox=\"0 0 100 100\" aria-label=\"Line chart.\"><polyline points=\"1,2 3,4\"/></svg>";
const TABLE: &str =
    "<table><tr><th>name</th><th>L0</th></tr><tr><td>topk</td><td>32.5</td></tr></table>";

/// A notebook with one cell for each kind of output.
fn sample() -> Notebook {
    let mut notebook = Notebook::new();
    let cells = [
        (
            "train()",
            vec![stream("loss 3.437 after 500 steps\nin 12.5 s\n")],
        ),
        (
            "chart",
            vec![display(
                json!({"image/svg+xml": FIGURE, "text/plain": "Line chart."}),
            )],
        ),
        ("table", vec![display(json!({"text/html": TABLE}))]),
        ("let x = 1;", Vec::new()),
    ];
    notebook.cells.push(Cell::markdown("# Training"));
    for (at, (source, outputs)) in cells.into_iter().enumerate() {
        let mut cell = Cell::code(source);
        cell.set_outputs(outputs);
        cell.set_execution_count(Some(at as u64 + 1));
        cell.id = format!("cell-{at}");
        notebook.cells.push(cell);
    }
    notebook.complete_ids();
    notebook
}

/// The differences found when the second notebook is changed by `change`.
fn planted(change: impl Fn(&mut Notebook), tolerances: &[&str]) -> Vec<(String, Kind, String)> {
    let rules = Rules::with_tolerances(tolerances);
    let mut changed = sample();
    change(&mut changed);
    let report = compare(&sample(), &changed, &rules, &[]);
    // The message names every difference.
    let text = report.to_string();
    let mut found = Vec::new();
    for cell in &report.cells {
        let Outcome::Differs(differences) = &cell.outcome else {
            continue;
        };
        for one in differences {
            assert!(
                text.contains(one.kind.text()) && text.contains(&one.place),
                "{text}"
            );
            found.push((cell.name.clone(), one.kind, one.place.clone()));
        }
    }
    assert_eq!(found.is_empty(), report.is_same());
    found
}

fn one(name: &str, kind: Kind, place: &str) -> Vec<(String, Kind, String)> {
    vec![(name.to_owned(), kind, place.to_owned())]
}

#[test]
fn each_kind_of_difference_is_found_and_named() {
    let first = "code cell 1 (Training)";
    let set = |at: usize, outputs: Vec<Output>| {
        move |notebook: &mut Notebook| notebook.cells[at].set_outputs(outputs.clone())
    };
    assert_eq!(
        planted(
            set(1, vec![stream("lost 3.437 after 500 steps\nin 12.5 s\n")]),
            &[]
        ),
        one(first, Kind::Text, "stdout, line 1")
    );
    let moved = || set(1, vec![stream("loss 3.441 after 500 steps\nin 12.5 s\n")]);
    assert_eq!(
        planted(moved(), &["1e-4"]),
        one(first, Kind::Number, "stdout, line 1")
    );
    assert_eq!(planted(moved(), &["1e-2"]), []);
    assert_eq!(
        planted(
            set(1, vec![stream("loss 3.437 after 500 steps\nin 2:03\n")]),
            &[]
        ),
        []
    );
    let figure = FIGURE.replace("3,4", "3,9");
    let figure = json!({"image/svg+xml": figure, "text/plain": "Line chart."});
    assert_eq!(
        planted(set(2, vec![display(figure)]), &["1e-3"]),
        one(
            "code cell 2 (Training)",
            Kind::Figure,
            "output (figure), shape 1 of 1 (polyline), point 2 of 2"
        )
    );
    let table = json!({"text/html": TABLE.replace("32.5", "33.5")});
    assert_eq!(
        planted(set(3, vec![display(table)]), &["1e-3"]),
        one(
            "code cell 3 (Training)",
            Kind::Table,
            "output (text/html), table, column `L0`, row 1 (`topk`)"
        )
    );
    assert_eq!(
        planted(set(1, vec![]), &[]),
        one(first, Kind::Missing, "stdout")
    );
    assert_eq!(
        planted(set(2, vec![]), &[]),
        one("code cell 2 (Training)", Kind::Missing, "output 1 (figure)")
    );
    assert_eq!(
        planted(set(4, vec![stream("x")]), &[]),
        one("code cell 4 (Training)", Kind::Extra, "stdout")
    );
    assert_eq!(
        planted(set(1, vec![error("panic")]), &[]),
        one(first, Kind::Error, "")
    );
    let source = |notebook: &mut Notebook| notebook.cells[1].source = "train(2)".to_owned();
    assert_eq!(planted(source, &[]), one(first, Kind::Source, ""));
    let prose = |notebook: &mut Notebook| notebook.cells[0].source = "# Trained".to_owned();
    assert_eq!(
        planted(prose, &[]),
        one("text cell 1 (Training)", Kind::Source, "")
    );
    let removed = |notebook: &mut Notebook| drop(notebook.cells.remove(4));
    assert_eq!(
        planted(removed, &[]),
        one(
            "code cell 4 (Training)",
            Kind::Source,
            "the cell is missing"
        )
    );
    let added = |notebook: &mut Notebook| notebook.cells.insert(2, Cell::code("new()"));
    assert_eq!(
        planted(added, &[]),
        one("a new cell", Kind::Source, "the cell is new")
    );
}

#[test]
fn an_error_that_is_stored_is_an_output_like_others() {
    let mut stored = sample();
    stored.cells[1].set_outputs(vec![error("panic")]);
    let rules = Rules::default();
    let kinds = |fresh: &Notebook| -> Vec<Kind> {
        let report = compare(&stored, fresh, &rules, &[]);
        let outcomes = report.cells.into_iter().map(|cell| cell.outcome);
        let found = outcomes.filter_map(|outcome| match outcome {
            Outcome::Differs(found) => Some(found[0].kind),
            _ => None,
        });
        found.collect()
    };
    let mut again = stored.clone();
    assert_eq!(kinds(&again), []);
    // As in nbval, the traceback is not compared.
    if let crate::notebook::CellKind::Code { outputs, .. } = &mut again.cells[1].kind
        && let OutputKind::Error { traceback, .. } = &mut outputs[0].kind
    {
        traceback.push("elsewhere".to_owned());
    }
    assert_eq!(kinds(&again), []);
    again.cells[1].set_outputs(vec![error("died")]);
    assert_eq!(kinds(&again), [Kind::Error]);
    assert_eq!(kinds(&sample()), [Kind::NoError]);
}

#[test]
fn tags_decide_what_is_compared() {
    let mut stored = sample();
    stored.cells[1]
        .metadata
        .insert("tags".into(), json!(["nbval-ignore-output"]));
    stored.cells[2]
        .metadata
        .insert("tags".into(), json!(["nbval-skip"]));
    stored.cells[3]
        .metadata
        .insert("tags".into(), json!(["nbval-check-output"]));
    let mut fresh = stored.clone();
    for cell in &mut fresh.cells {
        cell.set_outputs(vec![stream("something else")]);
    }
    let outcomes = |fresh: &Notebook, lax: bool| -> Vec<&str> {
        let rules = Rules {
            lax,
            ..Rules::default()
        };
        let cells = compare(&stored, fresh, &rules, &[]).cells.into_iter();
        let words = cells.map(|cell| match cell.outcome {
            Outcome::Same => "same",
            Outcome::Ignored => "ignored",
            Outcome::Skipped => "skipped",
            Outcome::Differs(_) => "differs",
        });
        words.collect()
    };
    assert_eq!(
        outcomes(&fresh, false),
        ["ignored", "skipped", "differs", "differs"]
    );
    assert_eq!(
        outcomes(&fresh, true),
        ["ignored", "skipped", "differs", "ignored"]
    );
    // Even an output that is not compared must not be an error.
    fresh.cells[1].set_outputs(vec![error("panic")]);
    assert_eq!(outcomes(&fresh, true)[0], "differs");
}

#[test]
fn parameters_of_the_run_and_cells_that_did_not_run() {
    let mut fresh = sample();
    let mut injected = Cell::code("let seed: u64 = 7;");
    injected
        .metadata
        .insert("tags".into(), json!(["injected-parameters"]));
    fresh.cells.insert(1, injected);
    let rules = Rules::default();
    assert!(compare(&sample(), &fresh, &rules, &[]).is_same());
    let report = compare(&sample(), &fresh, &rules, &["cell-3".to_owned()]);
    let text = report.to_string();
    assert!(
        text.contains("code cell 4 (Training) [id cell-3]\n  not run"),
        "{text}"
    );
}

#[test]
fn values_in_the_text_are_compared() {
    let with = |value: &str| {
        let mut notebook = sample();
        let values = json!([{"expression": "score.mean", "result": {"status": "ok", "data": {"text/plain": value}}}]);
        notebook.cells[0]
            .metadata
            .insert("user_expressions".into(), values);
        notebook
    };
    let rules = Rules::default();
    assert!(compare(&with("0.986"), &with("0.986"), &rules, &[]).is_same());
    let text = compare(&with("0.986"), &with("0.984"), &rules, &[]).to_string();
    assert!(text.contains("text cell 1 (Training)"), "{text}");
    assert!(
        text.contains("number outside its tolerance: value in the text `score.mean`"),
        "{text}"
    );
}

#[test]
fn a_report_reads_as_a_diff_and_as_junit() {
    let mut fresh = sample();
    fresh.cells[1].set_outputs(vec![stream("loss <3.5> & 500\nin 1 s\n")]);
    fresh.cells[1].set_seconds(1.25);
    let report = compare(&sample(), &fresh, &Rules::default(), &[]);
    assert_eq!(report.summary(), "1 cell differs, 3 are the same");
    insta::assert_snapshot!(report.to_string());
    insta::assert_snapshot!(junit::xml(&report, "a & b.ipynb", 2.5));
}

fn output() -> impl Strategy<Value = Output> {
    let text = "(?s)[ -~\n\u{2212}é]{0,40}";
    prop_oneof![
        text.prop_map(|text| stream(&text)),
        (text, "[ -~<>]{0,30}")
            .prop_map(|(plain, html)| { display(json!({"text/html": html, "text/plain": plain})) }),
        proptest::collection::vec((0u32..999, 0u32..999), 1..6).prop_map(|points| {
            let points: Vec<String> = points.iter().map(|(x, y)| format!("{x},{y}")).collect();
            let svg = format!("<svg><polyline points=\"{}\"/></svg>", points.join(" "));
            display(json!({"image/svg+xml": svg}))
        }),
        (any::<f64>(), any::<bool>())
            .prop_map(|(x, y)| display(json!({"application/json": {"x": x, "y": [y]}}))),
        Just(error("panic")),
    ]
}

fn notebook() -> impl Strategy<Value = Notebook> {
    let cell = (
        "[a-z =1;\n]{0,20}",
        proptest::collection::vec(output(), 0..4),
        any::<bool>(),
    );
    proptest::collection::vec(cell, 0..6).prop_map(|cells| {
        let mut notebook = Notebook::new();
        for (source, outputs, code) in cells {
            let mut cell = if code {
                Cell::code(source)
            } else {
                Cell::markdown(source)
            };
            cell.set_outputs(outputs);
            notebook.cells.push(cell);
        }
        notebook.complete_ids();
        notebook
    })
}

proptest! {
    #[test]
    fn a_notebook_equals_itself(notebook in notebook(), tolerance in prop_oneof![Just("0"), Just("1e-3")]) {
        let mut rules = Rules::default();
        rules.tolerances.add(tolerance).unwrap();
        let report = compare(&notebook, &notebook.clone(), &rules, &[]);
        prop_assert!(report.is_same(), "{}", report);
    }

    #[test]
    fn a_masked_part_never_matters(notebook in notebook(), at in any::<prop::sample::Index>(), a in 1u32..60, b in 1u32..60) {
        prop_assume!(!notebook.cells.is_empty());
        let with = |seconds: u32| {
            let mut notebook = notebook.clone();
            let at = at.index(notebook.cells.len());
            let mut outputs = notebook.cells[at].outputs().to_vec();
            outputs.push(stream(&format!("\ndone in {seconds}.5 s, {seconds} tok/s, /tmp/x{seconds}/y")));
            notebook.cells[at].set_outputs(outputs);
            notebook
        };
        let report = compare(&with(a), &with(b), &Rules::default(), &[]);
        prop_assert!(report.is_same(), "{}", report);
    }

    #[test]
    fn an_output_that_is_added_or_removed_is_always_found(notebook in notebook(), at in any::<prop::sample::Index>()) {
        prop_assume!(!notebook.cells.is_empty());
        let mut more = notebook.clone();
        let at = at.index(more.cells.len());
        prop_assume!(more.cells[at].is_code());
        let mut outputs = more.cells[at].outputs().to_vec();
        outputs.push(display(json!({"text/plain": "one more, unlike all others"})));
        more.cells[at].set_outputs(outputs);
        let kinds = |a: &Notebook, b: &Notebook| -> Vec<Kind> {
            let cells = compare(a, b, &Rules::default(), &[]).cells.into_iter();
            let found = cells.filter_map(|cell| match cell.outcome {
                Outcome::Differs(found) => Some(found),
                _ => None,
            });
            found.flatten().map(|one| one.kind).collect()
        };
        prop_assert_eq!(kinds(&notebook, &more), vec![Kind::Extra]);
        prop_assert_eq!(kinds(&more, &notebook), vec![Kind::Missing]);
    }
}
