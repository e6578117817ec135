//! Whole articles: what the sample shows, and what every article must satisfy.

use crate::export::{ExportOptions, Page, page};
use crate::notebook::{Cell, CellKind, Notebook, Output, OutputKind};
use proptest::prelude::*;
use serde_json::{Map, json};
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/article")
}

fn exported(cells: Vec<Cell>) -> Page {
    let mut notebook = Notebook::new();
    notebook.cells = cells;
    notebook.complete_ids();
    let options = ExportOptions {
        folder: Some(folder()),
        ..ExportOptions::default()
    };
    page(&notebook, &options)
}

fn raw(source: &str) -> Cell {
    Cell {
        kind: CellKind::Raw,
        ..Cell::markdown(source)
    }
}

fn article(front: &str, text: &str) -> Page {
    exported(vec![
        raw(&format!("---\ntitle: T\n{front}---\n")),
        Cell::markdown(text),
    ])
}

#[test]
fn the_date_of_today_is_that_of_the_run() {
    let mut notebook = Notebook::new();
    notebook.cells = vec![
        raw("---\ntitle: T\ndate: today\n---\n"),
        Cell::markdown("x"),
    ];
    let published = |notebook: &Notebook| {
        let html = page(notebook, &ExportOptions::default()).html;
        let date = html.split_once("<time>").unwrap().1;
        date.split_once("</time>").unwrap().0.to_owned()
    };
    let today = published(&notebook);
    assert!(
        today == crate::clock::now()[..10] || today.starts_with("20"),
        "{today}"
    );
    let run = serde_json::json!({"date": "2026-11-23 09:02:23 UTC"});
    notebook.metadata.insert("holoscope".to_owned(), run);
    assert_eq!(published(&notebook), "2026-11-23");
}

/// The text cells of a page, which must have no errors.
fn body(page: &Page) -> String {
    let errors: Vec<_> = page.errors.iter().map(ToString::to_string).collect();
    assert!(errors.is_empty(), "{errors:?}");
    let html = page.html.split_once("<section class=\"cell").unwrap().1;
    html.split_once("</main>").unwrap().0.to_owned()
}

fn errors(page: &Page) -> Vec<String> {
    page.errors.iter().map(ToString::to_string).collect()
}

fn showing(source: &str, count: usize) -> Cell {
    let mut cell = Cell::code(source);
    let output = |at: usize| {
        let data =
            json!({"image/svg+xml": format!("<svg viewBox=\"0 0 1 1\"><text>{at}</text></svg>")});
        Output::from(OutputKind::Display {
            data: data.as_object().unwrap().clone(),
            metadata: Map::new(),
        })
    };
    cell.set_outputs((0..count).map(output).collect());
    cell
}

#[test]
fn the_sample_article_shows_everything() {
    let (notebook, notes) = Notebook::read(&folder().join("article.ipynb")).unwrap();
    assert!(notes.is_empty(), "{notes:?}");
    let options = ExportOptions {
        folder: Some(folder()),
        ..ExportOptions::default()
    };
    let page = page(&notebook, &options);
    assert_eq!(errors(&page), [""; 0]);
    assert!(page.faults.is_empty(), "{:?}", page.faults);
    assert!(!page.html.contains("<script"), "no JavaScript");
    let (head, rest) = page.html.split_once("<style>").unwrap();
    let rest = rest.split_once("</style>").unwrap().1;
    // Keep only the beginning of each picture's data.
    let picture = regex::Regex::new("(data:image/png;base64,.{16})[A-Za-z0-9+/=]+").unwrap();
    let shown = format!("{head}<style>..</style>{rest}");
    insta::assert_snapshot!(picture.replace_all(&shown, "$1.."));
}

#[test]
fn references_are_numbered_and_lead_to_their_labels() {
    let text = "# A {#sec-a}\n\n@fig-b, @Fig-b, [-@fig-b], [Fig @fig-b], [@fig-a; @fig-b] @tbl-t @eq-e @sec-a\n\n\
        ![a](pentagon.png){#fig-a}\n\n![b](pentagon.png){#fig-b}\n\n| x |\n|---|\n| 1 |\n\n: c {#tbl-t}\n\n$$x$$ {#eq-e}";
    let html = body(&article("number-sections: true\n", text));
    let link = |to: &str, words: &str| format!("<a class=\"ref\" href=\"#{to}\">{words}</a>");
    let b = "fig-b";
    let line = format!(
        "<p>{}, {}, {}, {}, {}, {} {} {} {}</p>",
        link(b, "Figure\u{a0}2"),
        link(b, "Figure\u{a0}2"),
        link(b, "2"),
        link(b, "Fig\u{a0}2"),
        link("fig-a", "Figure\u{a0}1"),
        link(b, "Figure\u{a0}2"),
        link("tbl-t", "Table\u{a0}1"),
        link("eq:1", "Equation\u{a0}1"),
        link("sec-a", "Section\u{a0}1"),
    );
    assert!(html.contains(&line), "{line}\nin\n{html}");
    assert!(
        html.contains("<figure id=\"fig-b\" class=\"figure\">"),
        "{html}"
    );
    assert!(
        html.contains("<span class=\"caption-label\">Table&nbsp;1:</span> c</figcaption>"),
        "{html}"
    );
    // Without numbers, a section is referred to by its title.
    let html = body(&article("", "# A *b* {#sec-a}\n\n@sec-a"));
    assert!(html.contains(&link("sec-a", "A <em>b</em>")), "{html}");
}

#[test]
fn parts_of_a_figure_have_letters() {
    let cell =
        "//| label: fig-x\n//| fig-cap: Whole\n//| fig-subcap: [One, Two]\n//| layout-ncol: 2\nx";
    let page = exported(vec![showing(cell, 2), Cell::markdown("@fig-x-2 of @fig-x")]);
    let html = body(&page);
    assert!(html.contains(">Figure\u{a0}1 (b)</a> of"), "{html}");
    assert!(
        html.contains("<span class=\"caption-label\">(a)</span> One</figcaption>"),
        "{html}"
    );
    assert!(
        html.contains("--columns: minmax(0, 1fr) minmax(0, 1fr)"),
        "{html}"
    );
}

/// The last line of a long loop's progress remains among a cell's display outputs.
#[test]
fn the_line_of_a_loop_is_no_part_of_a_figure() {
    use crate::run::output::event::Progress;
    let mut cell = showing(
        "//| label: fig-x\n//| fig-cap: Whole\n//| fig-subcap: [One, Two]\nx",
        2,
    );
    let line = crate::report::progress::render(&Progress {
        label: "train".to_owned(),
        finished: true,
        ..Progress::default()
    });
    let mut outputs = cell.outputs().to_vec();
    outputs.insert(
        0,
        Output::from(OutputKind::Display {
            data: line,
            metadata: Map::new(),
        }),
    );
    cell.set_outputs(outputs);
    let html = body(&exported(vec![cell]));
    let (before, figure) = html.split_once("<figure").unwrap();
    assert!(before.contains("train"), "{html}");
    assert!(
        figure.contains("(a)</span> One</figcaption>") && !figure.contains("train"),
        "{html}"
    );
    assert!(!figure.contains("(c)"), "{html}");
}

#[test]
fn faults_are_found_with_their_places() {
    let cases: Vec<(Vec<Cell>, Vec<&str>)> = vec![
        (
            vec![Cell::markdown("a\n\nb @fig-none")],
            vec!["cell 1, line 3: @fig-none refers to nothing: no part of the page has this label"],
        ),
        (
            vec![
                showing("x\n", 1),
                showing("//| echo: true\n//| label: fig-a\nx", 1),
                Cell::markdown("![a](pentagon.png){#fig-a}"),
            ],
            vec!["cell 3, line 1: the label fig-a is taken by cell 2, line 2"],
        ),
        (
            vec![Cell::markdown("# A {#sec-a}\n\n# B {#sec-a}")],
            vec!["cell 1, line 3: the label sec-a is taken by cell 1, line 1"],
        ),
        (
            vec![
                raw("---\ntitle: T\nbibliography: article.bib\n---"),
                Cell::markdown("@elhage2023 [@x1]"),
            ],
            vec![
                "cell 2, line 1: @elhage2023 is not in the bibliography; is it @elhage2022?",
                "cell 2, line 1: @x1 is not in the bibliography",
            ],
        ),
        (
            vec![
                raw("---\ntitle: T\n---"),
                Cell::markdown("[@key] and @name"),
            ],
            vec!["cell 2, line 1: @key is cited, but the front matter has no `bibliography`"],
        ),
        (
            vec![raw("---\ntitle: [a]\ntoc: 3\nbibliography: none.bib\n---")],
            vec![
                "cell 1, line 2: front matter: `title` is [\"a\"]; expected text",
                "cell 1, line 3: front matter: `toc` is 3; expected true or false",
            ],
        ),
        (
            vec![raw(
                "---\ntitle: T\ncsl: chicago-author\nbibliography: article.bib\n---",
            )],
            vec!["cell 1, line 3: there is no file chicago-author and no style of that name"],
        ),
        (
            vec![
                raw("---\na: [\n---"),
                Cell::code("//| echo\nx"),
                Cell::code("//| echo: 3\nx"),
            ],
            vec![
                "cell 1, line",
                "cell 2, line 1: option:",
                "cell 3, line 1: `echo` is 3; expected",
            ],
        ),
        (
            vec![Cell::markdown("a ![b](pentagon.png){#fig-b} c")],
            vec!["cell 1, line 1: the label fig-b is on an element without a number"],
        ),
        (
            vec![Cell::markdown("::: {layout-ncol=x}\na\n:::")],
            vec!["cell 1, line 1: `layout-ncol` is \"x\"; expected a number from 1 to 24"],
        ),
    ];
    for (cells, expected) in cases {
        let found = errors(&exported(cells));
        assert_eq!(found.len(), expected.len(), "{found:?} for {expected:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{found} for {expected}");
        }
    }
}

#[test]
fn without_front_matter_a_notebook_stays_a_notebook() {
    let text = "# Title\n\nmail a@b.org, @name, [@x] ^[no note] ![alt](pentagon.png)\n\n\
        ![alone](pentagon.png)\n\nset {x} {#if} `@fig-x` `[a]{.b}`\n\n---\n\na: b\n\n---";
    let html = body(&exported(vec![Cell::markdown(text)]));
    for kept in [
        "@name, [@x] ^[no note]",
        "set {x} {#if} <code>@fig-x</code> <code>[a]{.b}</code>",
    ] {
        assert!(html.contains(kept), "{kept} in {html}");
    }
    assert!(
        !html.contains("<figure") && html.contains("<h1 id=\"Title\" class=\"title\">"),
        "{html}"
    );
    // A rule, and a text that looks like a mapping: not front matter.
    let html = body(&exported(vec![Cell::markdown(
        "---\nJust: words, and\nmore\n---\n\nx",
    )]));
    assert!(html.contains("more"), "{html}");
}

#[test]
fn appendices_move_to_the_end() {
    let text = "# A\n\none\n\n# B {.appendix #sec-b}\n\ntwo\n\n## C\n\nthree\n\n# D\n\nfour @sec-b";
    let html = body(&article("number-sections: true\n", text));
    let at = |word: &str| {
        html.find(word)
            .unwrap_or_else(|| panic!("{word} in {html}"))
    };
    assert!(at("one") < at("four") && at("four") < at("two") && at("two") < at("three"));
    assert!(
        html.contains("<span class=\"section-number\">A.1</span> C"),
        "{html}"
    );
    assert!(
        html.contains("<span class=\"section-number\">2</span> D"),
        "{html}"
    );
    assert!(html.contains(">Appendix\u{a0}A</a>"), "{html}");
}

#[test]
fn options_decide_what_of_a_cell_is_shown() {
    let html = |options: &str| body(&exported(vec![showing(&format!("{options}let y = 1;"), 1)]));
    assert!(!html("//| echo: false\n").contains("<details"));
    assert!(html("//| echo: fenced\n").contains("//| echo: fenced"));
    assert!(!html("//| code-fold: true\n").contains("//| code-fold"));
    assert!(
        html("//| code-fold: true\n//| code-summary: Look\n")
            .contains("<details class=\"source\">")
    );
    assert!(!html("//| output: false\n").contains("<svg"));
    assert!(html("//| column: page\n").contains("<div class=\"outputs column-page\">"));
    assert!(html("//| classes: [a, .b]\n").contains("<section class=\"cell code a b\""));
    assert!(html("//| fig-alt: \"a \\\"b\\\"\"\n").contains("aria-label=\"a &quot;b&quot;\""));
    let page = exported(vec![showing("//| include: false\nx", 1)]);
    assert!(page.html.contains("no cells to show") && !page.html.contains("<svg"));
}

const PIECES: [&str; 46] = [
    "@fig-a",
    "[@fig-a; @fig-b]",
    "[-@fig-a]",
    "@sec-a",
    "[Fig @fig-b]",
    "@eq-a",
    "@tbl-a",
    "[@key, p. 3]",
    "@key",
    "![cap](pentagon.png){#fig-a}",
    "![cap $x$](p.png){#fig-b .x width=3}",
    "![",
    "](u)",
    "{#sec-a}",
    "{.aside}",
    "{.appendix}",
    "# H ",
    "## G ",
    "\n\n",
    "\n",
    "::: {#fig-b layout-ncol=2}\n",
    "::: {.callout-note}\n",
    ":::\n",
    "::: x\n",
    "$$x$$ {#eq-a}",
    "| a | 1.5 |\n|---|---|\n| b | 2 |\n",
    "\n: cap {#tbl-a}\n",
    "[text]",
    "[text",
    "]",
    "^[note ",
    "[^1]",
    "\n[^1]: def\n",
    "`code`",
    "```{#lst-a .rust lst-cap=\"c\"}\nx\n```\n",
    "```\n",
    "> [!NOTE]\n> x\n",
    "- ",
    "  ",
    "<div>",
    "</div>",
    "<b title=\"",
    "\u{fdd3}0\u{fdd2}",
    "\u{e000}0\u{e000}",
    "&#xfdd3;0&#xfdd2;",
    "text ",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn no_text_breaks_a_page_and_every_reference_resolves_or_errs(
        pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..16),
        front in any::<bool>(),
    ) {
        let text = pieces.concat();
        let mut cells = vec![Cell::markdown(text.as_str()), Cell::markdown("## After")];
        if front {
            cells.insert(0, raw("---\ntitle: T\nbibliography: article.bib\nnumber-sections: true\n---"));
        }
        let page = exported(cells);
        let html = page.html.split_once("<main>").unwrap().1;
        prop_assert!(!html.contains("data-attributes") && !html.contains("holoscope-caption"));
        prop_assert!(!html.contains("data-label") && !html.contains("data-parts"));
        prop_assert!(html.contains("After <a "), "{}", html);
        for label in ["fig-a", "fig-b", "sec-a", "tbl-a"] {
            let link = format!("class=\"ref\" href=\"#{label}\"");
            let id = format!("id=\"{label}\"");
            // A label that the notebook's own HTML already uses as an id is a fault.
            if html.contains(&link) && page.errors.is_empty() {
                prop_assert!(html.contains(&id), "{} in {}", id, html);
            }
            if html.contains(&format!("?{label}<")) {
                prop_assert!(!page.errors.is_empty());
            }
        }
    }

    #[test]
    fn no_front_matter_panics(text in "[-a-z:\\[\\]{}\"'|>#&*!@ \\n\\t0-9]{0,60}") {
        let _ = exported(vec![raw(&format!("---\n{text}\n---")), Cell::markdown("x")]);
    }
}
