use super::*;

/// The formulas of a text, displayed ones in brackets.
pub fn formulas(text: &str) -> Vec<String> {
    let extracted = extract(text, false);
    assert_eq!(extracted.original(&extracted.text), text);
    let formulas = extracted.taken.iter().filter_map(|taken| match taken {
        Taken::Formula(formula) => Some(formula),
        _ => None,
    });
    formulas
        .map(|f| match f.display {
            true => format!("[{}]", f.latex),
            false => f.latex.clone(),
        })
        .collect()
}

#[test]
fn formulas_are_found_outside_of_code_only() {
    assert_eq!(formulas("a $x_1$ and $$y\n- z$$ end"), ["x_1", "[y\n- z]"]);
    assert_eq!(
        formulas("\\\\(a\\\\) \\\\[b\\\\] \\(c\\)"),
        ["a", "[b]", "c"]
    );
    assert_eq!(
        formulas("\\begin{align}a&=b\\\\\nc&=d\\end{align}"),
        ["[\\begin{align}a&=b\\\\\nc&=d\\end{align}]"]
    );
    assert_eq!(formulas("> $$\n> a\n> $$"), ["[\n a\n ]"]);
    assert_eq!(
        formulas(r"by \eqref{eq:a_1} and (\ref{b})"),
        [r"\eqref{eq:a_1}", r"\ref{b}"]
    );
    for none in [
        "`$x$` and ``a ` $y$ b``",
        "```rust\nlet $x = $y;\n```",
        "- item\n  ~~~\n  $a$\n  ~~~",
        "\\$x\\$",
        "$$",
        "\\begin{x",
        "\\[not a link\\](x)",
        "`\\eqref{a}` \\eqref{} \\eqref{a\nb} \\ref a \\reference{a}",
    ] {
        assert!(formulas(none).is_empty(), "{none}");
    }
}

#[test]
fn a_mark_in_the_text_is_not_taken_for_a_formula() {
    let extracted = extract("\u{e000}0\u{e000} $x$", false);
    let pieces = extracted.pieces(&extracted.text);
    assert_eq!(pieces[0], Piece::Text("\u{e000}0\u{e000} "));
    assert!(matches!(pieces[1], Piece::Formula(0, _)));
    for named in ["&#xE000;", "&#57344;", "&#x00e000", "&#Xe000 "] {
        let extracted = extract(&format!("{named} $x$"), false);
        assert!(!extracted.text.contains('\u{e000}'), "{named}");
    }
}

#[test]
fn what_markdown_does_not_know_is_taken_out_with_its_line() {
    let text = "a\n\n@fig-x and @key [p. 3]\n\n# H {#sec-h}\n\n$$x$$ {#eq-x}\n\n`@fig-y` {#no one}";
    let taken = |citations: bool| {
        let extracted = extract(text, citations);
        let pieces = extracted.pieces(&extracted.text).into_iter();
        let pieces = pieces.filter_map(|piece| match piece {
            Piece::Cite(n, _, source) => Some((extracted.line(n), source.to_owned())),
            Piece::Attributes(n, _, source) => Some((extracted.line(n), source.to_owned())),
            Piece::Formula(n, formula) => Some((extracted.line(n), formula.latex.clone())),
            Piece::Text(_) | Piece::Address(..) => None,
        });
        pieces.collect::<Vec<_>>()
    };
    let found = |line: usize, source: &str| (line, source.to_owned());
    let always = [
        found(3, "@fig-x"),
        found(5, "{#sec-h}"),
        found(7, "x \\label{eq-x}"),
    ];
    assert_eq!(taken(false), always);
    let mut all = always.to_vec();
    all.insert(1, found(3, "@key [p. 3]"));
    assert_eq!(taken(true), all);
    assert_eq!(extract(text, true).equations, [("eq-x".to_owned(), 7)]);
}

#[test]
fn fenced_divs_become_html_in_paragraphs_of_their_own() {
    let text = |text: &str| {
        let extracted = extract(text, false);
        extracted.original(&extracted.text)
    };
    assert_eq!(
        text("a\n::: {.x}\nb\n:::\nc"),
        "a\n\n<div class=\"::: {.x}\">\n\nb\n\n</div>\n\nc"
    );
    // An unclosed div, and a closing line without a div.
    assert_eq!(text("::: x\na"), "<div class=\"::: x\">\n\na\n\n</div>\n");
    assert_eq!(text(":::\na"), ":::\na");
    assert_eq!(text("```\n::: x\n```"), "```\n::: x\n```");
    assert_eq!(
        text("```{#lst-a .rust lst-cap=\"c\"}\nx\n```"),
        "<div class=\"{#lst-a .rust lst-cap=\"c\"}\">\n\n```rust\nx\n```\n\n</div>\n\n"
    );
    assert_eq!(text("```{.rust}\nx\n```"), "```rust\nx\n```");
    assert_eq!(text("```{rust}\nx\n```"), "```{rust}\nx\n```");
    assert_eq!(
        text("| a |\n|---|\n| 1 |\n: c {#tbl-a}"),
        "| a |\n|---|\n| 1 |\n\n: c {#tbl-a}"
    );
}
