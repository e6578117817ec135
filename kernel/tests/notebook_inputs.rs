//! `holoscope run` on notebooks as people have them: parameters of every kind,
//! outputs of earlier runs that nobody needs any more, displays of JSON.

mod common;

use common::{describe, holoscope, read_cells, shared, text};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Output;

fn run(notebook: &Path, out: &Path, more: &[&str]) -> Output {
    let mut command = holoscope();
    command
        .arg("run")
        .arg(notebook)
        .arg("-o")
        .arg(out)
        .args(more);
    command.output().expect("the binary runs")
}

/// All that a cell has printed.
fn printed(cell: &Value) -> String {
    let outputs = cell["outputs"].as_array().into_iter().flatten();
    outputs.map(|output| text(&output["text"])).collect()
}

#[test]
fn parameters_keep_the_types_that_later_cells_use() {
    let Some(case) = shared("cases/notebooks/parameters.ipynb") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.ipynb");
    let given = [
        "profile=pa\"per",
        "name=Bob",
        "owned=y",
        "title=T",
        "seed=7",
        "big=8",
        "lr=3",
        "lr32=0.1",
        "neg=-5",
        "n=20",
        "m=4",
        "product=5",
        "flag=true",
        "maybe=3",
        "maybe_text=a b",
        "path=data/y.csv",
        "list=[3, 4]",
        "list2=5,6",
        "pair=(3, 4)",
        "arr=[4, 5, 6]",
        "range=0..5",
        "ch=d",
        "kind=b",
        "a=3",
        "raw_text=C:\\x",
        "LIMIT=6",
        "GREETING=hello",
        "counter=-9",
    ];
    let more: Vec<&str> = given.iter().flat_map(|given| ["-p", given]).collect();
    let output = run(&case, &out, &more);
    assert!(output.status.success(), "{}", describe(&output));
    let cells = read_cells(&out);
    assert_eq!(
        printed(&cells[3]),
        "profile=\"pa\\\"per\" seed=7 lr=3.0 neg=-5 flag=true maybe=Some(3) title=\"T\" big=8 counter=-9 m=4 \
         LIMIT=6 raw=\"C:\\\\x\" ch='d' kind=Some(\"b\") text=Some(\"a b\")\n"
    );
    let rest: String = cells[4..].iter().map(printed).collect();
    assert_eq!(rest, "name 3\nn 20\nrange 5\n");
    let before: Value = serde_json::from_slice(&std::fs::read(&case).unwrap()).unwrap();
    assert_eq!(
        text(&cells[1]["source"]),
        text(&before["cells"][1]["source"])
    );
}

#[test]
fn a_type_that_the_rest_of_the_cell_decides_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (
        folder.path().join("in.ipynb"),
        folder.path().join("out.ipynb"),
    );
    common::write_notebook(
        &input,
        &[
            "let seed = 42;\nlet twice: u64 = seed * 2;",
            "std::mem::size_of_val(&seed) as u64 + seed",
        ],
    );
    let mut notebook: Value = serde_json::from_slice(&std::fs::read(&input).unwrap()).unwrap();
    notebook["cells"][0]["metadata"] = json!({"tags": ["parameters"]});
    std::fs::write(&input, notebook.to_string()).unwrap();
    let output = run(&input, &out, &["-p", "seed=5000000000"]);
    assert!(output.status.success(), "{}", describe(&output));
    let cells = read_cells(&out);
    assert_eq!(
        text(&cells[2]["outputs"][0]["data"]["text/plain"]).trim(),
        "5000000008"
    );
}

#[test]
fn outputs_of_an_earlier_run_never_stop_the_next() {
    let Some(case) = shared("cases/notebooks/nan_in_old_output.ipynb") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.ipynb");
    let output = run(&case, &out, &[]);
    assert!(output.status.success(), "{}", describe(&output));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("numbers that JSON does not have (NaN, Infinity), now null"),
        "{said}"
    );
    assert_eq!(printed(&read_cells(&out)[1]), "ran\n");
}

#[test]
fn displays_of_json_types_are_json_in_the_notebook() {
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (
        folder.path().join("in.ipynb"),
        folder.path().join("out.ipynb"),
    );
    let block = |mime: &str, content: &str| {
        format!("println!(\"EVCXR_BEGIN_CONTENT {mime}\\n{content}\\nEVCXR_END_CONTENT\");")
    };
    let cells = [
        block(
            "application/vnd.vegalite.v5+json",
            "{{\\\"mark\\\": [1, NaN]}}",
        ),
        block("application/json", "{{oops"),
        block("text/html", "<b>1</b>"),
    ];
    common::write_notebook(&input, &cells.each_ref().map(String::as_str));
    let output = run(&input, &out, &[]);
    assert!(output.status.success(), "{}", describe(&output));
    let cells = read_cells(&out);
    let data = |n: usize| &cells[n]["outputs"][0]["data"];
    assert_eq!(
        data(0),
        &json!({"application/vnd.vegalite.v5+json": {"mark": [1, null]}})
    );
    assert!(text(&cells[0]["outputs"][1]["text"]).contains("now null"));
    assert_eq!(text(&data(1)["application/json"]).trim(), "{oops");
    assert!(text(&cells[1]["outputs"][1]["text"]).contains("not JSON"));
    assert_eq!(text(&data(2)["text/html"]).trim(), "<b>1</b>");
}
