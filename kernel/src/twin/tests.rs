//! Small cases; `tests/conformance/jupytext.py` compares with jupytext itself.

use super::*;
use crate::notebook::Cell;
use proptest::prelude::*;

fn notebook(cells: Vec<Cell>) -> Notebook {
    let mut notebook = Notebook::new();
    notebook.cells = cells;
    notebook
}

fn sources(notebook: &Notebook) -> Vec<(bool, &str)> {
    let cells = notebook.cells.iter();
    cells
        .map(|cell| (cell.is_code(), cell.source.as_str()))
        .collect()
}

/// The output of `jupytext.writes(nb, "rs:percent")`.
#[test]
fn percent_is_what_jupytext_writes() {
    let mut code = Cell::code(":dep a = \"1\"\nlet x = 1;\n// :note");
    code.metadata
        .insert("tags".to_owned(), json!(["parameters"]));
    let cells = vec![
        Cell::raw("---\ntitle: A\n---"),
        Cell::markdown("# Head\n\ntext"),
        code,
        Cell::raw("raw"),
        Cell::code(""),
    ];
    let text = write(&notebook(cells), Format::Percent);
    let expected = "// ---
// title: A
// jupyter:
//   jupytext:
//     text_representation:
//       extension: .rs
//       format_name: percent
//       format_version: '1.3'
//       jupytext_version: 1.19.6
//   kernelspec:
//     display_name: Rust (Holoscope)
//     language: rust
//     name: holoscope
// ---

// %% [markdown]
// # Head
//
// text

// %% tags=[\"parameters\"]
// :dep a = \"1\"
let x = 1;
// // :note

// %% [raw]
// raw

// %%
";
    assert_eq!(text, expected);
    let again = read(&text, Format::Percent).unwrap();
    assert_eq!(
        sources(&again),
        [
            (false, "---\ntitle: A\n---"),
            (false, "# Head\n\ntext"),
            (true, ":dep a = \"1\"\nlet x = 1;\n// :note"),
            (false, "raw"),
            (true, ""),
        ]
    );
}

#[test]
fn a_document_of_quartos_has_options_as_quarto_reads_them() {
    let mut code = Cell::code("//| label: fig-a\n//| fig-cap: One\nplot()");
    code.metadata.insert("tags".to_owned(), json!(["x"]));
    code.metadata.insert("label".to_owned(), json!("fig-a"));
    code.metadata
        .insert("holoscope".to_owned(), json!({"seconds": 1.0}));
    let text = write(
        &notebook(vec![Cell::markdown("# A\n\n---\n\nb"), code]),
        Format::Quarto,
    );
    let expected = "---
jupyter:
  kernelspec:
    display_name: Rust (Holoscope)
    language: rust
    name: holoscope
---

# A

---

b

```{rust}
#| tags: [x]
#| label: fig-a
#| fig-cap: One
plot()
```
";
    assert_eq!(text, expected);
    let again = read(&text, Format::Quarto).unwrap();
    assert_eq!(
        sources(&again),
        [
            (false, "# A\n\n---\n\nb"),
            (true, "//| label: fig-a\n//| fig-cap: One\nplot()"),
        ]
    );
    assert_eq!(again.cells[1].metadata.get("tags"), Some(&json!(["x"])));
}

#[test]
fn faults_name_their_line() {
    let fault = read("---\njupyter:\n  a: [\n---\n", Format::Markdown).unwrap_err();
    assert!(
        fault.reason.contains("header") && (3..=4).contains(&fault.line),
        "{fault:?}"
    );
    let fault = read(
        "text\n\n```{code-cell}\n:tags: [a\n\n1\n```\n",
        Format::Myst,
    )
    .unwrap_err();
    assert!((3..=5).contains(&fault.line), "{fault:?}");
    let fault = read("fn main() {}\n", Format::Percent).unwrap_err();
    assert!(fault.reason.contains("// %%"), "{fault:?}");
}

#[test]
fn edits_of_a_text_keep_what_the_notebook_knows() {
    let mut old = notebook(vec![
        Cell::markdown("intro"),
        Cell::code("let a = 1;"),
        Cell::code("let b = 2;"),
        Cell::code("a + b"),
    ]);
    for (n, cell) in old.cells.iter_mut().enumerate() {
        cell.id = format!("cell-{n}");
        cell.set_execution_count(Some(n as u64));
    }
    // A moved cell, an edited one, a new one.
    let text = notebook(vec![
        Cell::code("let b = 2;"),
        Cell::markdown("intro"),
        Cell::code("let a = 10;"),
        Cell::code("let c = 3;"),
        Cell::code("a + b"),
    ]);
    let new = combine::combine(text, old, Format::Markdown);
    let found: Vec<(&str, Option<u64>)> = new
        .cells
        .iter()
        .map(|cell| (cell.id.as_str(), cell.execution_count()))
        .collect();
    assert_eq!(
        found,
        [
            ("cell-2", Some(2)),
            ("cell-0", None),
            ("cell-1", Some(1)),
            ("", None),
            ("cell-3", Some(3)),
        ]
    );
}

fn any_source() -> impl Strategy<Value = String> {
    let line = prop::sample::select(vec![
        "",
        " ",
        "x",
        "// %%",
        "// %% [markdown]",
        "# a",
        "```",
        "```rust",
        "```{code-cell}",
        "~~~",
        "+++",
        ":dep a",
        "// :b",
        "---",
        "<!-- #region -->",
        "<!-- #endregion -->",
        "    indented",
        "- item",
        "  ```",
        "\"\"\"",
        "é",
        "// +",
        "> q",
        "%%bash",
        "#| label: a",
        "//| b: 1",
    ]);
    prop::collection::vec(line, 0..8).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #[test]
    fn no_text_is_too_odd_to_be_read(text in any_source(), more in any_source()) {
        for format in [Format::Markdown, Format::Myst, Format::Percent, Format::Quarto] {
            // The result may be an error, but never a panic.
            if let Ok(notebook) = read(&format!("{text}\n{more}"), format) {
                let written = write(&notebook, format);
                prop_assert!(written.ends_with('\n'));
            }
        }
    }

    #[test]
    fn code_comes_back_from_markdown_and_myst(sources in prop::collection::vec(any_source(), 0..4)) {
        // MyST drops a blank first line of a cell without options, and trailing lines of blanks.
        let odd = |source: &String| source.starts_with(['\n', ' ', ':', '-']) || source.ends_with('\n')
            // jupytext does not recognise that an indented fence ends a code block.
            || source.contains("  ```")
            || source.starts_with("%%") || source.contains("\"\"\"");
        prop_assume!(!sources.iter().any(odd));
        let before = notebook(sources.iter().map(Cell::code).collect());
        for format in [Format::Markdown, Format::Myst] {
            let after = read(&write(&before, format), format).unwrap();
            let found: Vec<&str> = after.cells.iter().map(|cell| cell.source.as_str()).collect();
            prop_assert_eq!(&found, &sources, "{:?}", format);
        }
    }
}
