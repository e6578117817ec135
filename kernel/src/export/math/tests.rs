//! The MathML of formulas, and their limits. That they look like KaTeX's was
//! checked by eye with `benches/formulas/compare.mjs`.

use super::super::extract::Piece;
use super::*;
use std::path::Path;

fn formula(latex: &str, display: bool) -> Formula {
    let mark = if display { "$$" } else { "$" };
    Formula {
        source: format!("{mark}{latex}{mark}"),
        latex: latex.to_owned(),
        display,
    }
}

/// The formulas of one page, in their final form; and the faults.
fn page(formulas: &[(&str, bool)]) -> (Vec<String>, Vec<Fault>) {
    let mut mathematics = Mathematics::default();
    let drawn: Vec<_> = formulas
        .iter()
        .map(|(latex, display)| mathematics.render(&formula(latex, *display)))
        .collect();
    let (html, faults) = mathematics.finish(&drawn.join("\u{1}"));
    (html.split('\u{1}').map(str::to_owned).collect(), faults)
}

fn draw(latex: &str) -> String {
    let (html, faults) = page(&[(latex, false)]);
    assert!(faults.is_empty(), "{latex}: {faults:?}");
    html[0].clone()
}

/// Why a formula is not drawn.
fn refused(latex: &str) -> String {
    let (html, faults) = page(&[(latex, false)]);
    assert!(html[0].contains("math-error"), "{latex}: {}", html[0]);
    assert_eq!(faults.len(), 1, "{latex}: {faults:?}");
    faults[0].reason.clone()
}

/// The visible letters of a formula.
fn letters(html: &str) -> String {
    let drawn = html.split("<annotation").next().unwrap_or_default();
    let texts = drawn
        .split('<')
        .map(|part| part.split_once('>').map_or(part, |(_, text)| text));
    texts.collect()
}

#[test]
fn the_issues_formulas() {
    let formulas = [
        (r"\operatorname*{arg\,max}_{x} f", true),
        (r"\mathop{\rm argmin}_\theta L", true),
        (r"E \tag{1}", true),
        (r"E \tag{1}", false),
        (r"\boxed{z} \phantom{x} \cancel{w}", false),
        (r"{n \choose k} {a \over b}", false),
        (r"h~i \text{50\%, loss\_fn, a \& b, if $x>0$}", false),
        (r"\sum_{\substack{i<n\\ j<m}} a", true),
        (
            r"\begin{cases} x & x > 0 \\ 0 & \text{else} \end{cases}",
            true,
        ),
        (r"\begin{align} a&=b \label{one}\\ c&=d \end{align}", true),
        (r"\begin{pmatrix} 0 & 1 \\ 0 & -1 \end{pmatrix}", true),
        (r"\eqref{one}, \ref{one}", false),
    ];
    let (html, faults) = page(&formulas);
    assert!(faults.is_empty(), "{faults:?}");
    insta::assert_snapshot!(html.join("\n\n"));
}

/// The formulas of the notebook that KaTeX refuses as well (checked by
/// `benches/formulas`), for the same reason.
const REFUSED: [&str; 10] = [
    r"\iddots",
    r"\ce",
    r"\SI",
    r"\bbox",
    r"\style",
    r"\class",
    r"\cssId",
    r"\raise",
    r"\sideset",
    r"\prescript",
];

#[test]
fn every_formula_of_the_notebook_is_drawn_or_refused_with_katexs_reason() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/cases/notebooks/formulas.ipynb");
    let Ok(notebook) = std::fs::read_to_string(&path) else {
        let ci = std::env::var("CI").is_ok_and(|value| !value.is_empty());
        assert!(!ci, "{} is missing", path.display());
        println!("skipped: {} is missing", path.display());
        return;
    };
    let notebook: serde_json::Value = serde_json::from_str(&notebook).expect("JSON");
    let mut count = 0;
    for cell in notebook["cells"].as_array().expect("cells") {
        let source = match &cell["source"] {
            serde_json::Value::String(source) => source.clone(),
            lines => lines
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|l| l.as_str())
                .collect(),
        };
        let extracted = super::super::extract::extract(&source, false);
        for piece in extracted.pieces(&extracted.text) {
            let Piece::Formula(_, formula) = piece else {
                continue;
            };
            count += 1;
            let mut mathematics = Mathematics::default();
            let html = mathematics.render(formula);
            let (_, faults) = mathematics.finish(&html);
            let command = REFUSED
                .iter()
                .find(|command| formula.latex.starts_with(**command));
            let expected = command.map(|command| Fault {
                source: formula.source.clone(),
                reason: format!("Undefined control sequence: {command}"),
            });
            assert_eq!(faults, expected.into_iter().collect::<Vec<_>>());
        }
    }
    assert_eq!(count, 145);
}

#[test]
fn definitions_hold_for_the_rest_of_the_page() {
    let (html, faults) = page(&[
        (
            r"\newcommand{\R}{\mathbb{R}}\newcommand{\norm}[1]{\lVert #1\rVert}",
            true,
        ),
        (r"\def\xb{\mathbf{x}}", false),
        (
            r"\DeclareMathOperator{\Var}{Var}\DeclareMathOperator*{\esssup}{ess\,sup}",
            false,
        ),
        (r"\renewcommand{\v}[1]{\boldsymbol{#1}}", false),
        (r"\xb \in \R^n, \norm{\xb}, \Var(x), \v{w}", false),
        (r"\esssup_x f", true),
        (r"\newcommand{\pair}[2][z]{#1|#2}\pair{a}\pair[b]{c}", false),
        (r"\providecommand{\R}{wrong}\R", false),
        (r"{\def\R{Q}\R}\R", false),
        (
            r"\newcommand{\outer}{\def\inner##1{##1!}}\outer\inner{5}",
            false,
        ),
    ]);
    assert!(faults.is_empty(), "{faults:?}");
    assert!(html[..4].iter().all(String::is_empty), "{:?}", &html[..4]);
    assert_eq!(letters(&html[4]), "𝐱∈ℝn,∥𝐱∥,Var(x),𝒘");
    assert!(html[5].contains("<munder>"), "{}", html[5]);
    assert_eq!(letters(&html[6]), "z∣ab∣c");
    assert_eq!(letters(&html[7]), "ℝ");
    assert_eq!(letters(&html[8]), "Qℝ");
    assert_eq!(letters(&html[9]), "5!");
}

#[test]
fn labels_number_their_equations_and_references_find_them() {
    let (html, faults) = page(&[
        (r"\eqref{later}, \ref{star}", false),
        (r"a = b", true),
        (
            r"\begin{align} a &= b \label{first} \\ &= c \\ &= d \label{star}\tag{*} \end{align}",
            true,
        ),
        (r"E = mc^2 \label{later}", true),
        (r"\begin{equation} x \end{equation}", true),
        (r"\eqref{first}", false),
    ]);
    assert!(faults.is_empty(), "{faults:?}");
    assert!(html[0].contains("<a href=\"#eq:3\">(2)</a>"), "{}", html[0]);
    assert!(html[0].contains("<a href=\"#eq:2\">*</a>"), "{}", html[0]);
    assert!(
        html[2].contains("id=\"eq:1\"><mtext>(1)</mtext>"),
        "{}",
        html[2]
    );
    assert_eq!(html[2].matches("math-tag").count(), 2);
    assert!(
        html[3].contains("id=\"eq:3\"><mtext>(2)</mtext>"),
        "{}",
        html[3]
    );
    assert!(!html[1].contains("math-tag") && !html[4].contains("math-tag"));
    assert!(html[5].contains("<a href=\"#eq:1\">(1)</a>"));
}

#[test]
fn references_to_nothing_and_labels_of_two_equations_are_faults() {
    let (html, faults) = page(&[
        (r"\eqref{none}", false),
        (r"a \label{one} \notag", true),
        (r"\ref{one}", false),
        (r"b \label{one}", true),
        (r"b \label{one}", true),
    ]);
    assert!(html[0].contains(r"\eqref{none}") && html[0].contains("math-error"));
    assert!(
        html[3].contains("<code>$$b \\label{one}$$</code>"),
        "{}",
        html[3]
    );
    let reasons: Vec<_> = faults.iter().map(|fault| fault.reason.as_str()).collect();
    assert_eq!(
        reasons,
        [
            "the page has two equations labelled one",
            "no equation of the page is labelled none",
            "the equation labelled one has no number",
        ]
    );
}

#[test]
fn a_refused_formula_shows_its_source_and_why() {
    let (html, faults) = page(&[(r"\ce{H<2}", false), (r"\ce{H<2}", false)]);
    assert_eq!(
        html[0],
        "<span class=\"math-error\" title=\"Undefined control sequence: \\ce\">\
         <code>$\\ce{H&lt;2}$</code></span>"
    );
    assert_eq!(faults.len(), 1);
    assert_eq!(
        faults[0].to_string(),
        r"$\ce{H<2}$: Undefined control sequence: \ce"
    );
}

#[test]
fn formulas_cannot_hang_or_fill_the_memory() {
    assert!(refused(r"\def\a{\a\a}\a").contains("Too many expansions"));
    assert!(refused(r"\newcommand{\a}[1]{#2}\a{x}").contains("has 1 arguments"));
    // Doubles with every round: KaTeX counts expansions, not their output.
    let double = r"\def\d#1{\def\x{#1#1}}\def\x{yyyyyyyyyy}".to_owned()
        + &r"\expandafter\d\expandafter{\x}".repeat(40);
    assert!(
        refused(&double).contains("more than 2000"),
        "{}",
        refused(&double)
    );
    assert!(refused(&"{".repeat(5000)).contains("nested groups"));
    assert!(refused(&"x".repeat(60_000)).contains("60000 bytes"));
    // The deepest allowed: braces, including those from macros.
    draw(&format!("{}x{}", "{".repeat(400), "}".repeat(400)));
    let nest = format!(r"\def\n#1{{{}#1{}}}", "{".repeat(23), "}".repeat(23));
    draw(&format!("{nest}{}x{}", r"\n{".repeat(390), "}".repeat(390)));
}

#[test]
fn formulas_bring_no_html_addresses_or_styles() {
    for latex in [
        r"\href{javascript:alert(1)}{x}",
        r"\url{https://x.org}",
        r"\includegraphics{https://x.org/a.png}",
        r"\htmlClass{a}{x}",
        r"\htmlStyle{color:red}{x}",
        r"\htmlId{a}{x}",
        r"\htmlData{a=b}{x}",
    ] {
        assert!(refused(latex).contains("is not allowed"), "{latex}");
    }
    for latex in [
        r"\text{<script>alert(1)</script>}",
        r"\operatorname{<script>}",
        r"\label{<script>} x \tag{<script>} \eqref{<script>}",
        r#"\fcolorbox{red}{blue}{\verb|"><script>|}"#,
    ] {
        let html = draw(latex);
        assert!(!html.contains("<script"), "{html}");
    }
    assert!(refused(r#"\color{"onclick=x}y"#).contains("Invalid color"));
}

#[test]
fn spaces_are_those_of_tex() {
    let spaces = |latex: &str| -> Vec<f64> {
        let html = draw(latex);
        let widths = html.split("<mspace width=\"").skip(1);
        widths
            .filter_map(|rest| rest.split("em").next()?.parse().ok())
            .collect()
    };
    // The TeXbook, chapter 18: thin 3/18, medium 4/18, thick 5/18 of a quad.
    let (thin, medium, thick) = (0.1667, 0.2222, 0.2778);
    assert_eq!(spaces("a+b=c"), [medium, medium, thick, thick]);
    assert_eq!(spaces("a=-b"), [thick, thick]);
    assert!(spaces("(-1)").is_empty());
    assert_eq!(spaces(r"2\sin x"), [thin, thin]);
    assert!(spaces(r"\sin(x)").is_empty());
    assert!(spaces(r"x_{i=1}").is_empty());
    assert_eq!(spaces(r"f(a,b)"), [thin]);
    assert!(draw(r"a\!b").contains("margin-left:-0.1667em"));
}

#[test]
fn every_row_of_a_matrix_has_all_columns_and_lines() {
    let html = draw(r"\begin{array}{l|r} a & b \\ \hline c \end{array}");
    assert_eq!(html.matches("<mtd").count(), 4, "{html}");
    assert_eq!(html.matches("border-left:1px solid").count(), 2, "{html}");
    assert_eq!(html.matches("border-top:1px solid").count(), 2, "{html}");
}

#[test]
fn lines_and_boxes_have_classes_of_the_pages_style() {
    for (latex, class) in [
        (r"\boxed{x}", "math-box"),
        (r"\cancel{x}", "math-cancel"),
        (r"\xcancel{x}", "math-xcancel"),
        (r"\sout{x}", "math-sout"),
        (r"\overline{x}", "math-overline"),
        (r"\underline{x}", "math-underline"),
        (r"\llap{x}", "math-llap"),
        (r"\begin{CD} A \\ @VbVV \\ B \end{CD}", "math-llap"),
        (r"\mathclap{x}", "math-clap"),
        (r"\text{\textbf{x}}", "math-bold"),
        (r"\phase{x}", "math-phase"),
        (r"\widehat{x}", "math-widehat"),
        (r"\widetilde{x}", "math-widetilde"),
        (r"\widecheck{x}", "math-widecheck"),
    ] {
        let html = draw(latex);
        assert!(html.contains(&format!("class=\"{class}\"")), "{html}");
        assert!(
            crate::export::STYLE.contains(&format!(".{class} ")),
            "{class}"
        );
    }
}
