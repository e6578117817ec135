//! What the page shows, and what notebooks cannot make it do.

use super::*;
use crate::notebook::tests::Random;
use crate::notebook::{MimeBundle, Output, OutputKind};
use crate::run::output::event::StreamName;
use serde_json::{Map, Value, json};

pub(super) fn html(notebook: &Notebook, options: &ExportOptions) -> String {
    page(notebook, options).html
}

fn markdown(text: &str) -> String {
    let mut page = Markdown::default();
    let html = page.render(text, &|_| None);
    page.anchors.resolve(&html)
}

/// The mathematics of the original document and of the sections to come.
const ORIGINAL: &str = r#"- #### 1.1 **Dictionary Learning**
A recent technique termed **dictionary learning** involves dimensionality manipulation:
$$
  \mathbf{z} = f_{\text{encode}}(\mathbf{x}; \theta_e), \\
$$
$$
\mathbf{y} = f_{\text{decode}}(\mathbf{z}; \theta_d)
$$
Here, $\mathbf{x}$ represents the input, $\theta_e$ and $\theta_d$ the parameters.

$$
Q | \text{Boson} \rangle = | \text{Fermion} \rangle, \quad Q | \text{Fermion} \rangle = | \text{Boson} \rangle
$$
"#;

#[test]
fn the_original_documents_math_becomes_mathml() {
    let html = markdown(ORIGINAL);
    assert!(!html.contains("math-error"), "{html}");
    assert_eq!(html.matches("<math display=\"block\"").count(), 3);
    insta::assert_snapshot!(html);
}

#[test]
fn the_fields_notation_is_understood() {
    for latex in [
        r"\left(\mathbf{L}_I\right)_i{}^{\hat{k}} \left(\mathbf{R}_J\right)_{\hat k}{}^{j} + (I \leftrightarrow J) = 2\,\delta_{IJ}\,\delta_i{}^j",
        r"\{ Q_a , \bar{Q}_{\dot b} \} = 2 \sigma^\mu_{a\dot b} P_\mu",
        r"\begin{pmatrix} 0 & 1 & 0 & 0 \\ 0 & 0 & 0 & -1 \end{pmatrix}",
        r"\begin{cases} x & x > 0 \\ 0 & \text{otherwise} \end{cases}",
        r"\begin{aligned} a &= b \\ c &= d \end{aligned}",
        r"\mathcal{L} = \lVert x - \hat{x} \rVert_2^2 + \lambda \sum_{i=1}^{n} |f_i|",
        r"\operatorname{softmax}\!\left(\frac{QK^\top}{\sqrt{d_{\text{head}}}}\right) V",
        r"\mathscr{G}[(\mathcal{R}),(\mathcal{R}')] = \cos\theta",
        r"\mathbb{E}_{x \sim \mathcal{D}} \bigl[ \log p(x) \bigr] \in \mathbb{R}^{d \times m}",
        r"\frac{\text{zero} - \text{recons}}{\text{zero} - \text{loss}} \approx 0.93",
        r"\tfrac{1}{2} \overset{!}{=} \underbrace{a + b}_{c} \qquad \not= \ldots",
        r"\ket{\psi} \langle \phi | \partial_\tau \gamma^{\mu\nu} \epsilon_{IJKL} \otimes \dagger",
    ] {
        let html = markdown(&format!("$${latex}$$"));
        assert!(!html.contains("math-error"), "{latex}: {html}");
    }
}

#[test]
fn an_icon_of_a_font_takes_no_formulas_place() {
    let html = markdown("icon &#xE000; and $x^2$");
    assert!(
        html.contains("<msup>") && html.contains('\u{e000}'),
        "{html}"
    );
    let styled =
        markdown("$;position:fixed;inset:0$ <b style=\"color:red &#xE000;0&#xE000;\">x</b>");
    assert!(!styled.contains("style=\"color: red ;position"), "{styled}");
    assert!(!styled.contains("position:fixed\""), "{styled}");
}

#[test]
fn prose_refers_to_equations_of_other_cells() {
    let mut notebook = Notebook::new();
    notebook.cells = vec![
        Cell::markdown(r"By \eqref{eq:loss_1}, that is \ref{eq:loss_1}; `\eqref{eq:loss_1}`."),
        Cell::markdown(r"$$L = 0 \label{eq:loss_1}$$"),
    ];
    notebook.complete_ids();
    let page = page(&notebook, &ExportOptions::default());
    assert!(page.faults.is_empty(), "{:?}", page.faults);
    let html = page.html;
    assert!(html.contains("<a href=\"#eq:1\">(1)</a>"), "{html}");
    assert!(html.contains("<a href=\"#eq:1\">1</a>"), "{html}");
    assert!(html.contains("<code>\\eqref{eq:loss_1}</code>"), "{html}");
}

#[test]
fn a_display_breaks_at_bare_double_backslashes() {
    let broken = markdown("$$a \\\\ \\{ b \\}$$");
    assert!(broken.contains("<mtr>"), "{broken}");
    let whole = markdown("$$\\begin{cases} a \\\\ b \\end{cases} \\\\$$");
    assert!(!whole.contains("math-error"), "{whole}");
    assert_eq!(whole.matches("<mtable").count(), 1, "{whole}");
}

#[test]
fn latex_cannot_bring_html() {
    for latex in [
        r"\operatorname{<script>x</script>}",
        r"\text{<script>x</script>}",
        r"\mathrm{<script>} <script>x</script>",
        r"a < b \not< c \& d",
        r"\color{<script>} x",
        r"\hspace{<script>}",
    ] {
        let html = markdown(&format!("$$\n{latex}\n$$"));
        assert!(!html.contains("<script"), "{html}");
        assert!(!html.contains("<<"), "{html}");
    }
}

#[test]
fn broken_latex_shows_its_source_and_why() {
    let html = markdown("before $\\frac{1}{<b>$ after $\\nosuchthing$");
    assert!(
        html.contains("<code>$\\frac{1}{&lt;b&gt;$</code>"),
        "{html}"
    );
    assert_eq!(html.matches("math-error").count(), 2, "{html}");
    assert!(html.contains("before") && html.contains("after"));
}

#[test]
fn no_formula_panics() {
    let pieces = [
        "\\frac",
        "{",
        "}",
        "^",
        "_",
        "\\left(",
        "\\right",
        "&",
        "\\\\",
        "\\begin{matrix}",
        "\\end{matrix}",
        "x",
        "'",
        "\\text{",
        "$",
        "\\sqrt[",
        "]",
        "\\color{",
        "é",
        "\\",
        "#1",
        "\\def\\a",
        "\\hspace{1em}",
        "%",
        "~",
        "\\array{",
        "\\mathbf",
        "\\over",
    ];
    let mut state = 1_u64;
    for _ in 0..3000 {
        let mut latex = String::new();
        for _ in 0..6 {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            latex.push_str(pieces[(state >> 33) as usize % pieces.len()]);
        }
        markdown(&format!("$${latex}$$ ${latex}$"));
    }
}

#[test]
fn markdown_keeps_tables_notes_code_and_links() {
    insta::assert_snapshot!(markdown(
        "# A *title* with $x$ and `code`\n\nText[^1] ~~gone~~ \"quoted\" -- <b>bold</b>.\n\n\
         | a | $|b|$ |\n|---|--:|\n| 1 | `$2$` |\n\n[^1]: The note.\n\n\
         ```rust\nlet x: &str = \"<\"; // $no$\n```\n\n```text\n<$a$>\n```\n\n\
         - [x] done\n\n[ok](https://x.org \"T\") [bad](javascript:alert(1)) \
         ![remote](https://x.org/a.png)\n\n<script>alert(1)</script>\n\n# A *title* with $x$ and `code`\n"
    ));
}

#[test]
fn footnotes_of_two_cells_do_not_meet() {
    let mut page = Markdown::default();
    let one = page.render("a[^1]\n\n[^1]: x", &|_| None);
    let two = page.render("b[^1]\n\n[^1]: y", &|_| None);
    let [one, two] = [one, two].map(|html| page.anchors.resolve(&html));
    assert!(one.contains("id=\"note-1-1\"") && two.contains("href=\"#note-2-1\""));
}

fn bundle(entries: &[(&str, Value)]) -> MimeBundle {
    let entries = entries.iter();
    entries.map(|(k, v)| ((*k).to_owned(), v.clone())).collect()
}

fn display(entries: &[(&str, Value)]) -> Output {
    Output::from(OutputKind::Display {
        data: bundle(entries),
        metadata: Map::new(),
    })
}

fn shown(output: &Output) -> String {
    output::to_html(output, &mut Markdown::default(), None).unwrap_or_default()
}

#[test]
fn outputs_show_their_best_representation() {
    let outputs = [
        display(&[
            ("text/plain", json!("plain")),
            ("text/html", json!("<b>rich</b>")),
        ]),
        display(&[(
            "image/svg+xml",
            json!("<?xml version='1.0'?><svg><path/></svg>"),
        )]),
        display(&[("image/svg+xml", json!("<svg fill=\"currentColor\"/>"))]),
        display(&[
            ("image/png", json!("iVBO\nRw0KGgo=")),
            ("text/plain", json!("a \"plot\"")),
        ]),
        display(&[
            ("image/png", json!("\"><script>")),
            ("text/plain", json!("<fallback>")),
        ]),
        display(&[("text/latex", json!("$$x^2$$"))]),
        display(&[("text/markdown", json!("*m* <script>x</script>"))]),
        display(&[("application/json", json!({"a": "<"}))]),
        display(&[("application/x-unknown", json!("?"))]),
        Output::from(OutputKind::Stream {
            name: StreamName::Stderr,
            text: "\u{1b}[33mwarning\u{1b}[0m: <a & b>\n".into(),
        }),
        Output::from(OutputKind::Error {
            ename: "Panic".into(),
            evalue: "index <5> out of bounds".into(),
            traceback: vec![
                "\u{1b}[31mthread panicked\u{1b}[0m".into(),
                "at cell 3".into(),
            ],
        }),
    ];
    let all: Vec<_> = outputs.iter().map(shown).collect();
    insta::assert_snapshot!(all.join("\n"));
}

fn small() -> Notebook {
    let mut notebook = Notebook::new();
    let mut code = Cell::code("let x = 1;\nx < 2");
    code.set_execution_count(Some(3));
    code.set_seconds(1.25);
    code.set_outputs(vec![display(&[("text/plain", json!("true"))])]);
    notebook.cells = vec![
        Cell::markdown(
            "# T </title><script>alert(1)</script> & co\n\n## One\n\n### Deep\n\n## Two",
        ),
        code,
        Cell::code("  \n"),
    ];
    notebook.complete_ids();
    notebook
}

#[test]
fn the_page_has_title_contents_code_and_policy() {
    let page = html(&small(), &ExportOptions::default());
    let without_style = page.replace(STYLE, "/* style */\n");
    insta::assert_snapshot!(without_style);
}

#[test]
fn scripts_are_allowed_only_where_outputs_bring_html() {
    let mut notebook = small();
    let page = html(&notebook, &ExportOptions::default());
    assert!(!page.contains("script-src"));
    assert!(!page.contains("<script"));
    notebook.cells[1].set_outputs(vec![display(&[("text/html", json!("<script>1</script>"))])]);
    let page = html(&notebook, &ExportOptions::default());
    assert!(page.contains("script-src 'unsafe-inline'"));
    assert!(page.contains("<script>1</script>"));
}

#[test]
fn tags_leave_out_and_fold() {
    let mut notebook = small();
    let mut tag = |tags: &[&str]| {
        notebook.cells[1]
            .metadata
            .insert("tags".into(), json!(tags));
        html(&notebook, &ExportOptions::default())
    };
    assert!(tag(&[]).contains("<details class=\"source\" open>"));
    assert!(tag(&["hide-input"]).contains("<details class=\"source\">"));
    assert!(!tag(&["remove-input"]).contains("<details"));
    assert!(!tag(&["remove-output"]).contains("class=\"output"));
    assert!(!tag(&["remove-cell"]).contains("class=\"cell code\""));
}

#[test]
fn an_empty_notebook_gives_a_page_and_a_title_may_be_given() {
    let page = html(&Notebook::new(), &ExportOptions::default());
    assert!(page.contains("<h1 class=\"title\">Notebook</h1>"));
    assert!(page.contains("This notebook has no cells."));
    let mut notebook = Notebook::new();
    notebook.cells = vec![Cell::markdown("just text")];
    let options = ExportOptions {
        title: Some("A < B".into()),
        ..ExportOptions::default()
    };
    let page = html(&notebook, &options);
    assert!(page.contains("<title>A &lt; B</title>"));
    assert!(page.contains("<h1 class=\"title\">A &lt; B</h1>"));
}

#[test]
fn no_text_of_any_notebook_becomes_structure_or_script() {
    for seed in 0..500 {
        let mut notebook = Random(seed).notebook();
        // HTML outputs may contain anything; all else is text.
        for cell in notebook.cells.iter_mut().filter(|cell| cell.is_code()) {
            let mut outputs = cell.outputs().to_vec();
            for output in &mut outputs {
                if let OutputKind::Display { data, .. } | OutputKind::ExecuteResult { data, .. } =
                    &mut output.kind
                {
                    data.retain(|mime, _| mime == "text/plain" || mime == "image/png");
                }
            }
            cell.set_outputs(outputs);
        }
        let page = html(&notebook, &ExportOptions::default());
        let body = page.split_once("<body>").unwrap().1;
        assert!(!body.contains("<script"), "seed {seed}: {body}");
        assert!(!body.contains("<b onclick"), "seed {seed}: {body}");
        assert!(!body.contains("href=\"javascript"), "seed {seed}: {body}");
        let (open, close) = ("<section", "</section>");
        assert_eq!(
            body.matches(open).count(),
            body.matches(close).count(),
            "seed {seed}: {body}"
        );
    }
}
