//! Whole pages: the effects of a cell on the page around it, and accessibility.

use super::tests::html;
use super::*;
use crate::export::dom;
use crate::notebook::{Output, OutputKind};
use markup5ever_rcdom::Handle;
use serde_json::{Map, Value, json};
use std::path::Path;

fn notebook(cells: Vec<Cell>) -> Notebook {
    let mut notebook = Notebook::new();
    notebook.cells = cells;
    notebook.complete_ids();
    notebook
}

fn texts(sources: &[&str]) -> String {
    let cells = sources.iter().map(|source| Cell::markdown(*source));
    html(&notebook(cells.collect()), &ExportOptions::default())
}

fn showing(data: Value) -> Cell {
    let Value::Object(data) = data else {
        panic!("a bundle is an object");
    };
    let mut cell = Cell::code("1");
    cell.set_outputs(vec![Output::from(OutputKind::Display {
        data,
        metadata: Map::new(),
    })]);
    cell
}

fn page_of(cell: Cell) -> String {
    html(&notebook(vec![cell]), &ExportOptions::default())
}

/// `\(` and `\[` begin a formula, so they cannot be used as escapes.
#[test]
fn computed_values_are_text_whatever_is_in_them() {
    let value = "(zeros) [4, 32] \\(x\\) \\[y\\] $5 and $6 `a` *b* @c [^1] [d](e) <i> a_b | 7)";
    let mut cell = Cell::markdown("So `{rust} v`, as it is.");
    let result =
        json!({"status": "ok", "data": {"text/plain": format!("{value:?}")}, "metadata": {}});
    let known = json!([{"expression": "v", "result": result}]);
    cell.metadata.insert("user_expressions".to_owned(), known);
    let page = page_of(cell);
    assert!(!page.contains("<math"), "a formula");
    let text = dom::text_of_html(&page);
    assert!(text.contains(&format!("So {value}, as it is.")), "{text}");
}

/// All elements of a page's body.
fn elements(page: &str) -> Vec<Handle> {
    let body = page.split_once("<body>").unwrap().1;
    let mut all = Vec::new();
    let mut stack = vec![dom::parse(body)];
    while let Some(node) = stack.pop() {
        stack.extend(node.children.borrow().iter().rev().cloned());
        all.push(node);
    }
    all
}

fn attributes(page: &str, key: &str) -> Vec<String> {
    let all = elements(page);
    all.iter()
        .filter_map(|node| dom::attribute(node, key))
        .collect()
}

/// Every id is unique, and every link within the page leads to one.
fn assert_reachable(page: &str) {
    let ids = attributes(page, "id");
    let mut sorted = ids.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(sorted.len(), ids.len(), "{ids:?}");
    for link in attributes(page, "href") {
        if let Some(fragment) = link.strip_prefix('#') {
            let found = ids
                .iter()
                .any(|id| id == fragment || *id == super::address::decoded(fragment));
            assert!(found, "{link} in {ids:?}");
        }
    }
}

/// There are `count` sections, none of them nested.
fn assert_sections(page: &str, count: usize) {
    let all = elements(page);
    let main = all.iter().find(|node| dom::tag_name(node) == Some("main"));
    let children = main.unwrap().children.borrow();
    let sections = children
        .iter()
        .filter(|node| dom::tag_name(node) == Some("section"));
    assert_eq!(sections.count(), count, "{page}");
    let nested = all
        .iter()
        .filter(|node| dom::tag_name(node) == Some("section"));
    assert_eq!(nested.count(), count, "{page}");
}

#[test]
fn nothing_in_a_cell_reaches_the_next() {
    for leak in [
        "<b>Important: read <a href=\"https://x.org\">this.",
        "<details><summary>s",
        "</div></main></section></body></html>",
        "<div>\n\n<table><tr><td>\n\ntext",
        "<!-- never closed",
        "<script>never closed",
        "<style>never closed",
        "<textarea>",
        "<plaintext>",
        "<select><option>",
        "<svg><g>",
        "<math><mi>",
        "<form><fieldset>",
        "<h1 id=\"contents-toggle\">",
        "<template>",
        "<frameset><noscript></noscript></main>",
        "| a |\n|---|\n| </td></table></section><b> |",
        "- <ul><li>\n\n> <blockquote>",
        "<p title=\"never closed",
        "`<b>` <xmp>",
    ] {
        let output = showing(json!({"text/html": leak}));
        let shown = output.outputs().to_vec();
        let mut code = Cell::code("let x = 1;");
        code.set_outputs(shown);
        let cells = vec![
            Cell::markdown(format!("# T\n\n{leak}")),
            Cell::markdown("Next cell, plain."),
            code,
            showing(json!({"text/markdown": leak})),
            showing(json!({"image/svg+xml": format!("<svg>{leak}")})),
            Cell::markdown("## After"),
        ];
        let page = html(&notebook(cells), &ExportOptions::default());
        assert_sections(&page, 6);
        assert!(page.contains("<p>Next cell, plain.</p>"), "{leak}");
        assert!(page.contains("<h2 id=\"After\">After"), "{leak}");
        let all = elements(&page);
        let headings = all.iter().filter(|node| dom::tag_name(node) == Some("h2"));
        assert_eq!(headings.count(), 1, "{leak}");
        assert_reachable(&page);
    }
}

const PIECES: [&str; 40] = [
    "<b>",
    "</b>",
    "<a href=\"u\">",
    "</a>",
    "<div>",
    "</div>",
    "</main>",
    "</section>",
    "<table>",
    "<tr>",
    "<td>",
    "</table>",
    "<p>",
    "</p>",
    "<details>",
    "<summary>",
    "</details>",
    "<!--",
    "-->",
    "<script>",
    "</script>",
    "<style>",
    "<svg>",
    "</svg>",
    "<math>",
    "<mi>",
    "<select>",
    "<template>",
    "</template>",
    "<noscript>",
    "<textarea>",
    "<form>",
    "<h2>",
    "</body>",
    "\n\n",
    "`",
    "$x$",
    "$5 ",
    "- ",
    "text ",
];

proptest::proptest! {
    #[test]
    fn no_mixture_of_tags_leaves_its_cell(
        pieces in proptest::collection::vec(proptest::sample::select(&PIECES[..]), 0..14)
    ) {
        let source = pieces.concat();
        let cells = vec![
            Cell::markdown(format!("a {source}")),
            showing(json!({"text/html": source})),
            showing(json!({"image/svg+xml": format!("<svg>{source}</svg>")})),
            Cell::markdown("## After"),
        ];
        let page = html(&notebook(cells), &ExportOptions::default());
        // One more than the cells where no heading is the page's title.
        assert_sections(&page, 5);
        assert_reachable(&page);
        let text = page.split_once("class=\"cell code\"").unwrap().0;
        let text = text.split_once("<main>").unwrap().1;
        assert!(!text.contains("<script") && !text.contains("<svg"), "{text}");
    }
}

#[test]
fn details_enclose_the_markdown_between_their_tags() {
    let page = texts(&["<details>\n<summary>More</summary>\n\n*text* $x$\n\n</details>\n\nend"]);
    let text = page.replace('\n', "");
    assert!(
        text.contains("<details><summary>More</summary><p><em>text</em> <math"),
        "{text}"
    );
    assert!(text.contains("</math></p></details><p>end</p>"), "{text}");
}

#[test]
fn what_jupyter_users_write_as_html_stays() {
    let page = texts(&[
        "<div class=\"alert alert-info\" onclick=\"x()\">\n<b>Note</b> $x$ costs $5\n</div>\n\n\
         H<sub>2</sub>O <kbd>Ctrl</kbd> <font color=\"red\">r</font> `Vec<T>` Vec<T>\n\n\
         <a href=\"javascript:x()\">bad</a> [bad](javascript:x) <a name=\"old\"></a>[old](#old)\n\n\
         <table><tr><td><code>$HOME</code></td></tr></table>\n\n\
         <svg onload=x><script>alert(1)</script></svg>",
    ]);
    let text = page.split_once("<main>").unwrap().1;
    assert!(
        text.contains("<div class=\"alert alert-info\">\n<b>Note</b> <math"),
        "{text}"
    );
    assert!(text.contains("costs $5\n</div>"), "{text}");
    assert!(text.contains("H<sub>2</sub>O <kbd>Ctrl</kbd> <font color=\"red\">r</font>"));
    assert!(
        text.contains("<code>Vec&lt;T&gt;</code> Vec&lt;T&gt;"),
        "{text}"
    );
    assert!(
        text.contains("<a>bad</a>") && text.contains("<a id=\"old\"></a>"),
        "{text}"
    );
    assert!(text.contains("<td><code>$HOME</code></td>"), "{text}");
    for bad in [
        "onclick",
        "onload",
        "javascript",
        "<script",
        "alert(1)",
        "<svg",
    ] {
        assert!(!text.contains(bad), "{bad}: {text}");
    }
}

#[test]
fn equal_headings_are_all_reached() {
    let page = texts(&[
        "# Report",
        "## Results\n\n## Results 2\n[own](#Results-2)\n\n## Results\n\n## Results",
        "# Part 1\n## Context\n# Part 2\n## Context\n## Step $x^2$ & <b>bold</b> `code`",
        "## 日本語 (100%)\n[to](#日本語-(100%))\n##\n## ![img](none.png)\n##",
        "<h2>Results</h2>\n\n<h2 id=\"mine\">Mine</h2>\n\n## mine\n\n## note-5-1\n\na[^1]\n\n[^1]: b",
        "## <a id=\"Linked\"></a>[Linked](https://x.org)\n\n<div id=\"Results\"></div><p id=\"mine\">\n\n## cell-x",
    ]);
    assert_reachable(&page);
    assert!(page.contains("<h2 id=\"Results-2\">Results 2"), "{page}");
    let contents = page.split_once("</nav>").unwrap().0;
    for entry in [
        "<a href=\"#Results-2\">Results 2</a>",
        "<a href=\"#Results-3\">Results</a>",
        "<a href=\"#mine\">Mine</a>",
        "<a href=\"#mine-2\">mine</a>",
        "<a href=\"#%E6%97%A5%E6%9C%AC%E8%AA%9E-(100%25)\">日本語 (100%)</a>",
        ">img</a>",
        "<a href=\"#Linked-2\">Linked</a>",
    ] {
        assert!(contents.contains(entry), "{entry} in {contents}");
    }
    // 4 + 5 + 2 + 4 + 2 by cell: all headings except the title and the two without
    // words.
    assert_eq!(contents.matches("<li").count(), 17, "{contents}");
    assert!(page.contains("<h2 id=\"note-5-1-2\">"), "{page}");
}

#[test]
fn bare_addresses_are_links() {
    let page = texts(&[
        "See https://x.org/a_b_c--d (and www.y.org/_z_/q). \"http://q.org?a=1&b=2\"\n\n\
         `https://code.org` [https://in.org](https://link.org) <https://angle.org>\n\n\
         [r]\n\n[r]: https://ref.org/a\n\n<b title=\"https://attr.org\">https://html.org</b>",
    ]);
    for link in [
        "<a href=\"https://x.org/a_b_c--d\">https://x.org/a_b_c--d</a> (and",
        "(and <a href=\"http://www.y.org/_z_/q\">www.y.org/_z_/q</a>).",
        "<a href=\"http://q.org?a=1&amp;b=2\">http://q.org?a=1&amp;b=2</a>",
        "<code>https://code.org</code>",
        "<a href=\"https://link.org\">https://in.org</a>",
        "<a href=\"https://angle.org\">https://angle.org</a>",
        "<a href=\"https://ref.org/a\">r</a>",
        "<b title=\"https://attr.org\"><a href=\"https://html.org\">https://html.org</a></b>",
    ] {
        assert!(page.contains(link), "{link} in {page}");
    }
}

#[test]
fn what_cannot_be_shown_says_so_or_shows_its_fallback() {
    let vega = "application/vnd.vegalite.v5+json";
    let page = page_of(showing(json!({vega: {"mark": "bar"}})));
    assert!(
        page.contains(&format!("output of type <code>{vega}</code>")),
        "{page}"
    );
    let plotly = "application/vnd.plotly.v1+json";
    let page = page_of(showing(json!({plotly: {}, "text/plain": "a chart"})));
    assert!(
        page.contains("<pre class=\"output plain\">a chart</pre>"),
        "{page}"
    );
    let page = page_of(showing(
        json!({plotly: {}, "text/html": "<i>chart</i>", "text/plain": "x"}),
    ));
    assert!(
        page.contains("<i>chart</i>") && !page.contains("Not shown"),
        "{page}"
    );
    let page = page_of(showing(
        json!({plotly: {}, "image/png": "iVBORw0KGgo=", "text/plain": ""}),
    ));
    assert!(page.contains("<img src=\"data:image/png"), "{page}");
    for (data, shown) in [
        (json!({plotly: {}, "text/plain": " \n"}), true),
        (json!({"application/x-<b>": "?"}), true),
        (json!({"application/javascript": "alert(1)"}), true),
        (json!({"image/png": "no picture"}), true),
        (json!({"text/plain": ""}), false),
        (json!({}), false),
    ] {
        let page = page_of(showing(data.clone()));
        assert_eq!(
            page.contains("Not shown: an output of type <code>"),
            shown,
            "{data}"
        );
        assert!(!page.contains("x-<b>"), "{page}");
    }
}

#[test]
fn a_notebook_with_nothing_to_show_gives_its_page() {
    let mut removed = Cell::code("let x = 1;");
    removed
        .metadata
        .insert("tags".into(), json!(["remove-input"]));
    for cells in [
        vec![],
        vec![removed],
        vec![Cell::code(" ")],
        vec![Cell::markdown("\n")],
    ] {
        let page = html(&notebook(cells), &ExportOptions::default());
        assert!(page.contains("This notebook has no cells"), "{page}");
        assert!(page.contains("<h1 class=\"title\">Notebook</h1>"), "{page}");
        assert!(page.ends_with("</html>\n"), "{page}");
    }
}

#[test]
fn hidden_parts_are_folded_and_removed_parts_gone() {
    let page = |tag: &str| {
        let mut cell = showing(json!({"text/html": "<script>out()</script>"}));
        cell.metadata.insert("tags".into(), json!([tag]));
        page_of(cell)
    };
    let hidden = page("hide-output");
    assert!(
        hidden.contains("<details class=\"source\" open>"),
        "{hidden}"
    );
    let fold = "<details class=\"fold outputs\">\n<summary>show the output</summary>\n<div";
    assert!(hidden.contains(fold), "{hidden}");
    let hidden = page("hide-cell");
    let fold = "<summary>show the cell</summary>\n<details class=\"source\" open>";
    assert!(hidden.contains(fold), "{hidden}");
    let removed = page("remove-output");
    assert!(
        !removed.contains("out()") && !removed.contains("script-src"),
        "{removed}"
    );
    let mut text = Cell::markdown("secret");
    text.metadata.insert("tags".into(), json!(["hide-cell"]));
    assert!(page_of(text).contains("<details class=\"fold hidden\">\n<summary>show the text"));
}

/// The notebooks of the issue, if they are available.
#[test]
fn the_example_notebooks_give_sound_pages() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/cases/notebooks");
    for (name, sections) in [
        ("unclosed_tag", 4),
        ("dollars_in_prose", 7),
        ("equal_headings", 4),
        ("nothing_to_show", 2),
    ] {
        let path = folder.join(format!("{name}.ipynb"));
        if !path.exists() {
            assert!(
                !std::env::var("CI").is_ok_and(|value| !value.is_empty()),
                "missing {}",
                path.display()
            );
            eprintln!("skipped: no {}", path.display());
            continue;
        }
        let (notebook, _) = Notebook::read(&path).unwrap();
        let page = html(&notebook, &ExportOptions::default());
        assert_sections(&page, sections);
        assert_reachable(&page);
        if name == "dollars_in_prose" {
            assert_eq!(page.matches("<math").count(), 4, "{page}");
            for prose in [
                "It costs $5, set <code>$HOME</code> first.",
                "Costs $5 <b>now</b>: US$ 3.",
                "Pay $20 or <code>a$b</code>; see <a href=\"https://x.org?a=$1\">here</a>.",
                "Win $1M (<strong>$2M</strong>) or <del>$3M</del>",
                "<code>x</code>, and $5.",
            ] {
                assert!(page.contains(prose), "{prose} in {page}");
            }
        }
    }
}
