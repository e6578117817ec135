use super::*;
use pulldown_cmark::{Event, Options, Parser};

fn text(main: &str) -> String {
    markdown(&format!("<main>{main}</main>"), "a_files").text
}

/// The text shown to a reader of the Markdown, according to an independent parser.
fn shown(text: &str) -> String {
    let mut words = String::new();
    for event in Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_GFM) {
        match event {
            Event::Text(text) | Event::Code(text) => words.push_str(&text),
            Event::SoftBreak | Event::HardBreak | Event::End(_) => words.push(' '),
            _ => {}
        }
    }
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn blocks_become_markdown() {
    insta::assert_snapshot!(text(concat!(
        "<h1 id=\"a\"><span>1</span> Title <a class=\"anchor\" href=\"#a\">#</a></h1>",
        "<p>See <a href=\"#fig-a\">Figure 1</a>, <em>so</em> <strong>bold </strong>and <code>a`b</code>,\n",
        "<math><semantics><mi>x</mi><annotation encoding=\"application/x-tex\">x_1</annotation></semantics></math>.</p>",
        "<p><span class=\"math-display\"><math display=\"block\"><semantics><mi>y</mi>",
        "<annotation encoding=\"application/x-tex\">y \\label{eq-y}</annotation></semantics></math></span></p>",
        "<ul><li>one</li><li>two<ol start=\"3\"><li>three</li></ol></li></ul>",
        "<blockquote><p>said</p></blockquote>",
        "<div class=\"callout callout-warning\"><p class=\"callout-title\">Beware</p><p>of this</p></div>",
        "<details class=\"source\" open><summary>[1]</summary><pre class=\"code\"><code>let a = 1;</code></pre></details>",
        "<pre class=\"output stream stdout\">```\nprinted</pre>",
        "<figure id=\"fig-a\"><img src=\"data:image/png;base64,AAAA\" alt=\"a [line]\">",
        "<figcaption><span>Figure 1:</span> A line.</figcaption></figure>",
        "<table><tr><th>name</th><th>L0</th></tr><tr><td>top|k</td><td>32.5</td></tr></table>",
        "<details class=\"fold\"><summary>show</summary><p>hidden</p></details>",
        "<dl><div><dt>seed</dt><dd>7</dd></div></dl><hr><style>a { }</style>",
    )));
}

#[test]
fn pictures_are_files_and_equal_ones_are_one_file() {
    let image = "<img src=\"data:image/png;base64,iVBORw0KGgo=\" alt=\"\">";
    let svg = "<svg viewBox=\"0 0 1 1\" aria-label=\"a chart\"><text>a&nbsp;b</text></svg>";
    let page = format!("<main><p>{image}{image}</p>{svg}</main>");
    let file = markdown(&page, "my files");
    let names: Vec<&str> = file
        .pictures
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(names, ["picture-1.png", "picture-2.svg"]);
    assert_eq!(file.pictures[0].1, b"\x89PNG\r\n\x1a\n");
    let svg = String::from_utf8(file.pictures[1].1.clone()).unwrap();
    assert!(
        svg.contains("xmlns=\"http://www.w3.org/2000/svg\""),
        "{svg}"
    );
    assert!(svg.contains("a&#160;b"), "{svg}");
    assert!(
        file.text.contains("![a chart](my%20files/picture-2.svg)"),
        "{}",
        file.text
    );
}

#[test]
fn formulas_have_dollars_that_pandoc_reads_too_and_no_bars() {
    let math = |tex: &str| {
        text(&format!(
            "<p>so <math><semantics><mi>x</mi><annotation>{tex}</annotation></semantics></math>.</p>"
        ))
    };
    assert_eq!(math("x_1 + y_2"), "so $x_1 + y_2$.\n");
    assert_eq!(math("|a| \\| b"), "so $\\vert a\\vert \\Vert b$.\n");
}

/// A token view is one line of spans with optional line breaks.
#[test]
fn places_where_a_line_may_break_divide_no_paragraph() {
    assert_eq!(
        text("<div><span>·a</span><wbr><span>·b</span><wbr></div>"),
        "·a·b\n"
    );
}

#[test]
fn cells_keep_code_with_bars_breaks_and_paragraphs_on_one_line() {
    let table = text(
        "<table><tr><th>a</th><th>b</th></tr><tr><td><code>|x| x + 1</code></td><td>one<br>two</td></tr>\
         <tr><td><div>c</div><div>d</div></td><td>$</td></tr></table>",
    );
    assert_eq!(
        table,
        "| a | b |\n|:--|:--|\n| `\\|x\\| x + 1` | one<br>two |\n| c<br>d | \\$ |\n"
    );
}

#[test]
fn links_within_the_page_find_their_places() {
    let found = text(
        "<p><a href=\"#Gr%C3%B6%C3%9Fe\">there</a> and <a href=\"#fnref-1\">back</a>, not <a href=\"#gone\">gone</a></p>\
         <h2 id=\"Gr\u{f6}\u{df}e\">A</h2><p>x<sup><a id=\"fnref-1\" href=\"#fn-1\">1</a></sup></p>\
         <ol><li id=\"fn-1\"><pre class=\"code\"><code>a</code></pre></li></ol>",
    );
    assert!(
        found.contains("<a id=\"Gr\u{f6}\u{df}e\"></a>\n\n## A"),
        "{found}"
    );
    assert!(
        found.contains("<sup><a id=\"fnref-1\"></a>[1](#fn-1)</sup>"),
        "{found}"
    );
    assert!(
        found.contains("1. <a id=\"fn-1\"></a>\n\n   ```rust\n   a\n   ```"),
        "{found}"
    );
}

#[test]
fn marks_beside_letters_and_each_other_are_tags() {
    assert_eq!(
        text("<p><strong>Note:</strong>text</p>"),
        "<strong>Note:</strong>text\n"
    );
    assert_eq!(
        text("<p>un<em>believ</em>able <em>so</em></p>"),
        "un<em>believ</em>able *so*\n"
    );
    assert_eq!(shown(&text("<p><code>a</code><code>b</code></p>")), "ab");
}

#[test]
fn lines_that_look_like_other_blocks_stay_text() {
    for words in [
        "1.",
        "2024.",
        "7)",
        "a<br>- b",
        "a<br># b",
        "a<br>1. b",
        "a<br>---",
        "a<br>",
    ] {
        let text = text(&format!("<p>{words}</p>"));
        let expected = words.replace("<br>", " ");
        assert_eq!(shown(&text), expected.trim(), "{text}");
    }
    assert_eq!(shown(&text("<h2>a #</h2>")), "a #");
}

#[test]
fn a_table_that_bars_cannot_say_stays_html() {
    let spans = text(
        "<table style=\"x\"><tr><td colspan=\"2\" class=\"c\">a</td></tr><tr><td>b</td><td>c</td></tr></table>",
    );
    assert!(spans.contains("<td colspan=\"2\">a</td>"), "{spans}");
    assert!(!spans.contains("class"), "{spans}");
}

proptest::proptest! {
    /// Any text in a paragraph, a list or a table cell is shown unchanged.
    #[test]
    fn text_is_read_as_itself(words in "[ -~]{0,60}") {
        let escaped = crate::export::escape::escape(&words);
        let expected = words.split_whitespace().collect::<Vec<_>>().join(" ");
        for html in [
            format!("<p>{escaped}</p>"),
            format!("<ul><li>{escaped}</li></ul>"),
            format!("<table><tr><th>{escaped}</th></tr></table>"),
            format!("<h2>{escaped}</h2>"),
        ] {
            let text = text(&html);
            proptest::prop_assert_eq!(shown(&text), expected.clone(), "{}", text);
        }
    }

    /// Code is shown verbatim.
    #[test]
    fn code_is_read_as_itself(code in "[ -~]{1,40}") {
        let html = format!("<pre class=\"code\"><code>{}</code></pre>", crate::export::escape::escape(&code));
        let text = text(&html);
        let mut found = String::new();
        for event in Parser::new(&text) {
            if let Event::Text(text) = event {
                found.push_str(&text);
            }
        }
        proptest::prop_assert_eq!(found.trim_end_matches('\n'), code);
    }
}
