//! Reading real-world notebooks: old, unusual and broken ones.

use super::*;
use crate::notebook::model::{OutputKind, StreamName};
use crate::notebook::tests::fixture;
use serde_json::json;

pub fn read(bytes: impl AsRef<[u8]>) -> (Notebook, String) {
    let (notebook, notes) = Notebook::from_json(bytes.as_ref()).unwrap_or_else(|fault| {
        panic!("{}: {fault:?}", String::from_utf8_lossy(bytes.as_ref()));
    });
    (notebook, notes.join("\n"))
}

/// A notebook of one code cell with these outputs, as text.
pub fn with_outputs(outputs: &str) -> String {
    format!(
        r#"{{"cells": [{{"cell_type": "code", "id": "a", "metadata": {{}}, "source": "1",
        "execution_count": null, "outputs": {outputs}}}],
        "metadata": {{}}, "nbformat": 4, "nbformat_minor": 5}}"#
    )
}

#[test]
fn no_output_of_an_earlier_run_is_a_reason_to_refuse() {
    let display = |data: &str| {
        format!(r#"[{{"output_type": "display_data", "metadata": {{}}, "data": {data}}}]"#)
    };
    for (outputs, kept, note) in [
        ("null".to_owned(), 0, "null fields were filled in"),
        ("{}".to_owned(), 0, "`outputs` is an object, not a list"),
        ("[null, 3]".to_owned(), 0, "an output is null, not an object"),
        ("[{}]".to_owned(), 0, "`output_type` is missing"),
        (r#"[{"output_type": 3}]"#.to_owned(), 0, "`output_type` is a number"),
        (r#"[{"output_type": "frame"}]"#.to_owned(), 0, "output_type is \"frame\""),
        (r#"[{"output_type": "stream", "name": "stdout", "text": 3}]"#.to_owned(), 0, "`text` is a number"),
        (r#"[{"output_type": "stream", "name": "log", "text": ["a"]}]"#.to_owned(), 1, "read as stdout"),
        (r#"[{"output_type": "stream", "text": null}]"#.to_owned(), 1, "read as stdout"),
        (display("null"), 1, "null fields were filled in"),
        (display("[]"), 0, "`data` is a list, not an object"),
        (display(r#"{"text/plain": null, "image/png": 3}"#), 1, ""),
        (display(r#"{"a": NaN}"#), 1, "NaN"),
        (display(&format!("{}{}", "[".repeat(5000), "]".repeat(5000))), 0, "nested too deep"),
        (display(r#"{"text/plain": "\ud83d"}"#), 1, "surrogate"),
        (
            r#"[{"output_type": "update_display_data", "data": {}, "metadata": {}, "transient": {"display_id": "x"}}]"#.to_owned(),
            1,
            "older form",
        ),
        (r#"[{"output_type": "pyout", "prompt_number": 3, "text": ["a"], "metadata": {}}]"#.to_owned(), 1, "older form"),
        (r#"[{"output_type": "pyerr", "ename": null, "evalue": 3, "traceback": "x"}]"#.to_owned(), 1, "null fields"),
        (r#"[{"output_type": "error", "traceback": [null, 3, ["a", "b"]]}]"#.to_owned(), 1, "null fields"),
        (r#"[{"output_type": "execute_result", "execution_count": "3", "data": {}, "metadata": []}]"#.to_owned(), 1, "not a count"),
    ] {
        let (notebook, notes) = read(with_outputs(&outputs));
        assert_eq!(notebook.cells[0].outputs().len(), kept, "{outputs}");
        assert!(notes.contains(note), "{outputs}: {notes}");
        assert_eq!(notes.is_empty(), note.is_empty(), "{outputs}: {notes}");
        // The result is a valid notebook that needs no further corrections.
        let (again, none) = read(notebook.to_json());
        assert_eq!((again, none.as_str()), (notebook, ""), "{outputs}");
    }
}

#[test]
fn what_is_kept_of_odd_outputs_is_what_they_say() {
    let (notebook, _) = read(with_outputs(
        r#"[{"output_type": "stream", "name": "stderr", "text": ["a\n", "b"]},
            {"output_type": "update_display_data", "data": {"text/plain": ["x", "y"]}, "transient": {}},
            {"output_type": "pyout", "prompt_number": 7, "png": "AA", "metadata": {"png": {"width": 2}}},
            {"output_type": "error", "ename": "E", "evalue": 3, "traceback": [null, ["a", "b"], 4]},
            {"output_type": "display_data", "metadata": {},
             "data": {"application/vnd.x+json": ["a\n", "b"], "text/html": ["<b>", "</b>"]}}]"#,
    ));
    let object = |value: Value| value.as_object().unwrap().clone();
    let expected = [
        OutputKind::Stream {
            name: StreamName::Stderr,
            text: "a\nb".into(),
        },
        OutputKind::Display {
            data: object(json!({"text/plain": "xy"})),
            metadata: Map::new(),
        },
        OutputKind::ExecuteResult {
            execution_count: Some(7),
            data: object(json!({"image/png": "AA"})),
            metadata: object(json!({"image/png": {"width": 2}})),
        },
        OutputKind::Error {
            ename: "E".into(),
            evalue: "3".into(),
            traceback: vec![String::new(), "ab".into(), "4".into()],
        },
        OutputKind::Display {
            data: object(json!({"application/vnd.x+json": ["a\n", "b"], "text/html": "<b></b>"})),
            metadata: Map::new(),
        },
    ];
    let kinds: Vec<_> = notebook.cells[0]
        .outputs()
        .iter()
        .map(|o| o.kind.clone())
        .collect();
    assert_eq!(kinds, expected);
    assert!(
        notebook.cells[0]
            .outputs()
            .iter()
            .all(|o| o.extra.is_empty())
    );
}

#[test]
fn notes_of_one_kind_are_one_line() {
    let (_, notes) = read(with_outputs("[{}, {}, {\"output_type\": \"x\"}]"));
    assert_eq!(
        notes,
        "cell 1, output 1 and 1 other place: `output_type` is missing; the output was left out\n\
         cell 1, output 3: output_type is \"x\"; there are: stream, display_data, execute_result, \
         error; the output was left out"
    );
}

#[test]
fn missing_and_null_fields_of_cells_are_filled_in() {
    for fields in [
        "",
        r#", "metadata": null, "source": null, "outputs": null, "execution_count": null, "id": null"#,
        r#", "metadata": [], "source": [], "outputs": [], "execution_count": -1, "id": 3"#,
    ] {
        let text = format!(
            r#"{{"cells": [{{"cell_type": "code"{fields}}}], "metadata": null, "nbformat": 4.0}}"#
        );
        let (notebook, notes) = read(&text);
        let cell = &notebook.cells[0];
        assert_eq!(
            (cell.source.as_str(), cell.execution_count()),
            ("", None),
            "{text}"
        );
        assert!(
            cell.metadata.is_empty() && cell.outputs().is_empty(),
            "{text}"
        );
        assert!(!cell.id.is_empty() && !notes.is_empty(), "{text}");
    }
    let markdown = r##"{"cells": [{"cell_type": "markdown", "id": "a", "metadata": {}, "source": ["# A\n", "b"],
        "outputs": [], "execution_count": null}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}"##;
    let (notebook, notes) = read(markdown);
    assert_eq!(
        (notebook.cells[0].source.as_str(), notes.as_str()),
        ("# A\nb", "")
    );
    assert!(notebook.cells[0].extra.is_empty());
}

#[test]
fn any_encoding_with_a_mark_is_read() {
    let text = with_outputs("[]").replace("\"1\"", "\"é 🦀\"");
    let units: Vec<u16> = text.encode_utf16().collect();
    let little: Vec<u8> = units.iter().flat_map(|u| u.to_le_bytes()).collect();
    let big: Vec<u8> = units.iter().flat_map(|u| u.to_be_bytes()).collect();
    for (bytes, note) in [
        (
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            "the byte-order mark was left out",
        ),
        (
            [b"\xff\xfe", &*little].concat(),
            "the file was UTF-16; it is read as UTF-8",
        ),
        (
            [b"\xfe\xff", &*big].concat(),
            "the file was UTF-16; it is read as UTF-8",
        ),
        (little, "the file was UTF-16; it is read as UTF-8"),
        (big, "the file was UTF-16; it is read as UTF-8"),
        (text.into_bytes(), ""),
    ] {
        let (notebook, notes) = read(&bytes);
        assert_eq!(notebook.cells[0].source, "é 🦀");
        assert_eq!(notes, note);
    }
}

#[test]
fn nbformat_3_becomes_what_pythons_nbformat_makes_of_it() {
    // Both fixtures by nbformat 5.11.1: `nbformat.reads(old, as_version=4)`, ids set by hand.
    let old = std::fs::read(fixture("nbformat3.ipynb")).unwrap();
    let expected = std::fs::read_to_string(fixture("nbformat3_upgraded.ipynb")).unwrap();
    let (mut notebook, notes) = read(&old);
    assert!(
        notes.starts_with("nbformat 3 was upgraded to nbformat 4.5"),
        "{notes}"
    );
    for (n, cell) in notebook.cells.iter_mut().enumerate() {
        assert!(!cell.id.is_empty());
        cell.id = format!("cell-{n}");
    }
    assert_eq!(notebook.to_json(), expected);
}

#[test]
fn a_minor_version_says_what_it_has_become() {
    let text = |minor: u64, cell: &str| {
        format!(
            r#"{{"cells": [{{"cell_type": "raw", "metadata": {{}}, "source": ["a\n", "b"]{cell}}}, {{"cell_type": "raw", "metadata": {{}}, "source": "c", "id": "c"}}],
            "metadata": {{"signature": "x"}}, "nbformat": 4, "nbformat_minor": {minor}, "new": 1}}"#
        )
    };
    for (minor, cell, becomes, note) in [
        (
            2,
            "",
            5,
            "nbformat 4.2 was upgraded to nbformat 4.5: 1 cell got an id",
        ),
        (
            0,
            r#", "id": "a""#,
            5,
            "nbformat 4.0 was upgraded to nbformat 4.5: 0 cells got an id",
        ),
        (5, r#", "id": "a""#, 5, ""),
        (
            5,
            "",
            5,
            "1 cell got an id: the old one was missing, not valid or taken",
        ),
        (
            5,
            r#", "id": "no spaces!""#,
            5,
            "1 cell got an id: the old one was missing, not valid or taken",
        ),
        (
            5,
            r#", "id": "c""#,
            5,
            "1 cell got an id: the old one was missing, not valid or taken",
        ),
        (
            7,
            r#", "id": "a", "later": [1]"#,
            7,
            "nbformat 4.7 is newer than 4.5: what 4.5 does not name is kept as it is",
        ),
    ] {
        let (notebook, notes) = read(text(minor, cell));
        assert_eq!((notebook.minor, notes.as_str()), (becomes, note));
        assert_eq!(notebook.cells[0].source, "a\nb");
        assert_eq!(notebook.extra["new"], 1);
        assert_ne!(notebook.cells[0].id, notebook.cells[1].id);
        assert!(notebook.metadata.is_empty());
        // The same file gets the same ids.
        assert_eq!(read(text(minor, cell)).0, notebook);
        if cell.contains("later") {
            assert_eq!(notebook.cells[0].extra["later"], json!([1]));
            assert!(notebook.to_json().contains("\"nbformat_minor\": 7"));
        }
    }
}

#[test]
fn a_broken_file_is_named_with_its_line_or_its_cell() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.ipynb");
    let cell = |cell: &str| {
        format!("{{\"nbformat\": 4, \"cells\": [{{\"cell_type\": \"raw\"}},\n{cell}]}}")
    };
    for (text, expected) in [
        ("".to_owned(), "x.ipynb: the file is empty"),
        ("\u{feff} \n".to_owned(), "x.ipynb: the file is empty"),
        (
            "{\n \"cells\": [\n".to_owned(),
            "x.ipynb:3: the file ends too early",
        ),
        (
            "{\n oops".to_owned(),
            "x.ipynb:2: not JSON: key must be a string",
        ),
        (
            "{\"a\": NaN,\n \"b\": nan}".to_owned(),
            "x.ipynb:2: not JSON: expected ident",
        ),
        ("[1]".to_owned(), "x.ipynb:1: not a notebook"),
        (
            "{\"nbformat\": 2, \"worksheets\": []}".to_owned(),
            "x.ipynb: nbformat 2; only nbformat 3 and 4",
        ),
        (
            "{\"nbformat\": 5, \"cells\": []}".to_owned(),
            "x.ipynb: nbformat 5 is newer than nbformat 4",
        ),
        (
            "{\"nbformat\": 3}".to_owned(),
            "x.ipynb: an nbformat 3 file without `worksheets`",
        ),
        (
            "{\"cells\": []}".to_owned(),
            "x.ipynb: no `nbformat` number",
        ),
        (
            "{\"nbformat\": \"4\", \"cells\": []}".to_owned(),
            "x.ipynb: no `nbformat` number",
        ),
        (
            "{\"nbformat\": 4}".to_owned(),
            "x.ipynb: not a notebook: no `cells`",
        ),
        (
            "{\"nbformat\": 4, \"cells\": {}}".to_owned(),
            "`cells` is an object, not a list",
        ),
        (
            "{\"nbformat\": 3, \"worksheets\": [{\"cells\": 1}]}".to_owned(),
            "worksheet 1: `cells` is a number, not a list",
        ),
        (cell("3"), "x.ipynb: cell 2: it is a number, not an object"),
        (cell("{}"), "x.ipynb: cell 2: `cell_type` is missing"),
        (
            cell("{\"cell_type\": \"sql\"}"),
            "x.ipynb: cell 2: cell_type is \"sql\"; there are: code, markdown, raw",
        ),
        (
            cell("{\"cell_type\": \"raw\",\n\"source\": 3}"),
            "x.ipynb: cell 2: `source` is a number; it must be a string or a list of strings",
        ),
        (
            cell("{\"cell_type\": \"code\", \"source\": [\"a\", 1]}"),
            "x.ipynb: cell 2: `source` is a list; it must be",
        ),
    ] {
        std::fs::write(&path, &text).unwrap();
        let message = Notebook::read(&path).unwrap_err().to_string();
        assert!(message.contains(expected), "{text}: {message}");
    }
    for (bytes, expected) in [
        (
            &b"{\n\"a\": \"\xe9\"}"[..],
            "x.ipynb:2: not UTF-8: the byte 0xe9",
        ),
        (b"\xff\xfe\0\0{\0\0\0", "UTF-32"),
        (b"\xff\xfe{\0\0\xd8", "begins like UTF-16"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let message = Notebook::read(&path).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
    let missing = Notebook::read(&folder.path().join("none.ipynb")).unwrap_err();
    assert!(missing.to_string().contains("cannot read"), "{missing}");
}

#[test]
fn tags_are_the_same_with_underscores_and_in_one_string() {
    for (tags, tag, holds) in [
        (json!(["remove_cell"]), "remove-cell", true),
        (json!(["remove-cell"]), "remove-cell", true),
        (json!(["a", "raises_exception"]), "raises-exception", true),
        (json!([3, null, "skip_execution"]), "skip-execution", true),
        (json!("parameters"), "parameters", true),
        (json!("a, hide_input"), "hide-input", true),
        (json!(["Remove-Cell"]), "remove-cell", false),
        (json!(["remove-cells"]), "remove-cell", false),
        (json!({"remove-cell": true}), "remove-cell", false),
        (Value::Null, "remove-cell", false),
    ] {
        let mut cell = Cell::code("");
        cell.metadata.insert("tags".into(), tags.clone());
        assert_eq!(cell.has_tag(tag), holds, "{tags} {tag}");
    }
    assert!(!Cell::code("").has_tag("remove-cell"));
}
