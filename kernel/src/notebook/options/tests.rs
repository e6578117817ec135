use super::*;
use serde_json::json;

fn options(source: &str) -> CellOptions {
    CellOptions::of(&Cell::code(source), 3).unwrap()
}

fn refused(source: &str) -> String {
    CellOptions::of(&Cell::code(source), 3)
        .unwrap_err()
        .to_string()
}

#[test]
fn leading_lines_are_options_whatever_their_comment_sign() {
    for sign in ["//|", "// |", "#|", "# |", "//  |", "#\t|"] {
        let source = format!("{sign} label: fig-x\n{sign} echo: false\nlet x = 1;");
        let options = options(&source);
        assert_eq!(options.text("label").unwrap().as_deref(), Some("fig-x"));
        assert_eq!(options.flag("echo").unwrap(), Some(false));
        assert_eq!((options.line("label"), options.line("echo")), (1, 2));
        assert_eq!(without_options(&source), "let x = 1;");
    }
}

#[test]
fn values_may_be_blocks_lists_and_mappings() {
    let options = options(
        "\n//| fig-cap: |\n//|   One.\n//|\n//|   Two.\n//| fig-subcap:\n//|   - \"a: b\"\n//|   - c\n\
         //| layout-ncol: 2\n//| mine: {a: 1}\n//|no-space: 1\nx",
    );
    let cap = options.text("fig-cap").unwrap();
    assert_eq!(cap.as_deref(), Some("One.\n\nTwo.\n"));
    assert_eq!(options.list("fig-subcap").unwrap(), ["a: b", "c"]);
    assert_eq!(options.count("layout-ncol").unwrap(), Some(2));
    assert_eq!(options.get("mine"), Some(&json!({"a": 1})));
    assert_eq!(options.line("mine"), 10);
    assert_eq!(options.iter().count(), 5);
}

#[test]
fn options_end_at_the_first_other_line() {
    for source in [
        "let x = 1;\n//| echo: false",
        "// note\n//| echo: false",
        "///| echo: false",
    ] {
        assert_eq!(options(source).iter().count(), 0, "{source}");
        assert_eq!(without_options(source), source);
    }
    let source = "//| echo: false\n\n//| output: false\nx";
    assert!(options(source).get("output").is_none());
    assert_eq!(without_options(source), "//| output: false\nx");
    assert_eq!(without_options("//| echo: false"), "");
    assert_eq!(without_options("\n\n"), "\n\n");
}

#[test]
fn lines_win_over_metadata() {
    let mut cell = Cell::code("//| label: fig-a\n//| fig-cap:");
    let metadata = json!({"label": "fig-b", "echo": false, "fig-cap": "c", "layout-ncol": 2,
        "tags": ["x"], "collapsed": true, "holoscope": {"seconds": 1}});
    cell.metadata = metadata.as_object().unwrap().clone();
    let options = CellOptions::of(&cell, 1).unwrap();
    assert_eq!(options.text("label").unwrap().as_deref(), Some("fig-a"));
    assert_eq!(options.flag("echo").unwrap(), Some(false));
    assert_eq!(options.line("echo"), 0);
    // Overridden by the empty option line.
    assert_eq!(options.get("fig-cap"), None);
    let keys: Vec<_> = options.iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["label", "echo", "fig-cap", "layout-ncol"]);
    cell.kind = super::super::CellKind::Markdown;
    assert_eq!(CellOptions::of(&cell, 1).unwrap().iter().count(), 0);
}

#[test]
fn faults_name_cell_and_line() {
    assert_eq!(refused("\n//| label: a\n//| echo"), {
        "cell 3, line 3: option: not valid YAML: simple key expected; expected `key: value`"
    });
    assert_eq!(
        refused("//| just words"),
        "cell 3, line 1: option: expected `key: value`"
    );
    assert!(refused("//| a: 1\n//| a: 2").starts_with("cell 3, line 2: option:"));
    let options = options("//| echo: maybe\n//| layout-ncol: 0\n//| label: [a]\n//| list: [{}]");
    let faults = [
        options.flag("echo").unwrap_err().to_string(),
        options.count("layout-ncol").unwrap_err().to_string(),
        options.text("label").unwrap_err().to_string(),
        options.list("list").unwrap_err().to_string(),
    ];
    assert_eq!(
        faults,
        [
            "cell 3, line 1: `echo` is \"maybe\"; expected true or false",
            "cell 3, line 2: `layout-ncol` is 0; expected a whole number from 1 on",
            "cell 3, line 3: `label` is [\"a\"]; expected text",
            "cell 3, line 4: `list` is [{}]; expected text or a list of texts",
        ]
    );
}

proptest::proptest! {
    #[test]
    fn no_source_panics_and_code_is_kept(
        options in "((//|#) ?\\|[ a-z:\\[\"|>-]{0,12}\n){0,4}", code in "[a-z /#|\n]{0,20}"
    ) {
        let source = format!("{options}{code}");
        let _ = CellOptions::of(&Cell::code(source.as_str()), 1);
        let block = block_length(&source);
        proptest::prop_assert!(block >= options.len() || options.is_empty());
        proptest::prop_assert!(source.ends_with(without_options(&source)));
    }
}
