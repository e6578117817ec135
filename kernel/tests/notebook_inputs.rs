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

/// Runs a notebook of two cells before the parameters cell (the first leaves a file), and one that
/// shows the variables; whether the first has run, and what the last shows.
fn run_undecided(parameters: &str, shows: &str, given: &[&str]) -> (Output, bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let earlier = ":dep holoscope = \"0.1\"\n#[derive(Debug)] struct Own(i8);\n\
        fn takes(x: u32) -> u32 { x }\nfn own() -> Own { Own(1) }\n\
        let mut gone = String::new();\ndrop(gone);";
    let cells = [
        "std::fs::write(\"ran\", \"\").unwrap();",
        earlier,
        parameters,
        shows,
    ];
    common::write_notebook(&path("in.ipynb"), &cells);
    let mut notebook: Value =
        serde_json::from_slice(&std::fs::read(path("in.ipynb")).unwrap()).unwrap();
    notebook["cells"][2]["metadata"] = json!({"tags": ["parameters"]});
    std::fs::write(path("in.ipynb"), notebook.to_string()).unwrap();
    let more: Vec<&str> = given.iter().flat_map(|given| ["-p", given]).collect();
    let output = run(&path("in.ipynb"), &path("out.ipynb"), &more);
    let shown = match output.status.success() {
        true => text(&read_cells(&path("out.ipynb"))[4]["outputs"][0]["data"]["text/plain"]),
        false => String::new(),
    };
    (output, path("ran").exists(), shown.trim().to_owned())
}

#[test]
fn a_type_that_the_rest_of_the_cell_decides_is_kept() {
    for (parameters, shows, given, expected) in [
        (
            "let seed = 42;\nlet twice: u64 = seed * 2;",
            "std::mem::size_of_val(&seed) as u64 + seed",
            &["seed=5000000000"][..],
            "5000000008",
        ),
        (
            "let seed = 42;\nlet n = 10;\nlet rate = 0.1;\nlet s = takes(seed);\n\
             let v = vec![0u8; n];\nlet w: f32 = rate;",
            "(std::mem::size_of_val(&rate), seed + s, v.len() + n)",
            &["n=3", "rate=0.25", "seed=4000000000"],
            "(4, 4000000042, 13)",
        ),
        // A variable that an earlier cell has moved gets a value again.
        (
            "gone = String::from(\"b\");\nlet n = 10;\nlet v = vec![0u8; n];",
            "(v.len() + n, gone)",
            &["n=3"],
            "(13, \"b\")",
        ),
        // What the text does not tell at all.
        (
            "let sizes = (1..4).collect::<Vec<u8>>();\nlet name = format!(\"a{}\", 1);",
            "(sizes, name)",
            &["sizes=[7, 255]", "name=b"],
            "([7, 255], \"b\")",
        ),
    ] {
        let (output, ran, shown) = run_undecided(parameters, shows, given);
        assert!(output.status.success() && ran, "{}", describe(&output));
        assert_eq!(shown, expected, "{parameters}");
    }
}

#[test]
fn a_cell_that_raises_leaves_its_items_to_the_parameters() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let cells = [
        "fn size() -> usize { 10 }\npanic!(\"x\");",
        "let n = size();",
        "n",
    ];
    common::write_notebook(&path("in.ipynb"), &cells);
    let mut notebook: Value =
        serde_json::from_slice(&std::fs::read(path("in.ipynb")).unwrap()).unwrap();
    notebook["cells"][0]["metadata"] = json!({"tags": ["raises-exception"]});
    notebook["cells"][1]["metadata"] = json!({"tags": ["parameters"]});
    std::fs::write(path("in.ipynb"), notebook.to_string()).unwrap();
    // The type cannot be known before the run, and is asked for; it is not said to be wrong.
    let output = run(&path("in.ipynb"), &path("out.ipynb"), &["-p", "n=5"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{}", describe(&output));
    assert!(stderr.contains("write it: `let n: Type = ..`"), "{stderr}");
}

#[test]
fn a_value_that_does_not_fit_is_refused_before_anything_runs_whatever_decides_its_type() {
    for (parameters, given, messages) in [
        (
            "let n = 10;\nlet v = vec![0u8; n];",
            "n=-1",
            &["\"-1\" is an integer (i32), not usize"][..],
        ),
        (
            "let seed = 42;\nlet s = takes(seed);",
            "seed=5000000000",
            &["\"5000000000\" is an integer (i64), not u32"],
        ),
        (
            "let rate = 0.1;\nlet w: f32 = rate;",
            "rate=1e300",
            &["not f32: it is too large for f32"],
        ),
        (
            "let sizes = (1..4).collect::<Vec<u8>>();",
            "sizes=[1, 256]",
            &["\"256\" is an integer (i32), not u8"],
        ),
        (
            "let x = own();",
            "x=1",
            &["values of type Own (`let x = own()`) cannot be given"],
        ),
        // A command is not followed before the run: only what fits every type is taken.
        (
            ":opt 2\nlet n = 10;\nlet v = vec![0u8; n];",
            "n=300",
            &[
                "\"300\" is an integer (i32), and may not fit an integer",
                "write it: `let n: Type = ..`",
            ],
        ),
        // What is wrong with the parameters cell is said before the run, too.
        (
            "let n = 10;\nlet v: Vec<u8> = vec![n; \"2\"];",
            "n=3",
            &["rustc refuses it", "expected `usize`, found `&str`"],
        ),
    ] {
        let (output, ran, _) = run_undecided(parameters, "1", &[given]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{}", describe(&output));
        assert!(!ran, "{parameters}: nothing has run");
        assert!(
            !stderr.contains('\x1b'),
            "colours for no terminal: {stderr}"
        );
        for message in messages {
            assert!(stderr.contains(message), "{parameters}: {stderr}");
        }
    }
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
