use super::*;

fn site_page(path: &str, html: &str) -> SitePage {
    SitePage {
        path: path.to_owned(),
        html: html.to_owned(),
        outline: outline(html),
    }
}

const PAGE: &str = "<!DOCTYPE html><html><head><title>x</title></head><body><nav class=\"contents\">Contents</nav><main>\n\
    <section class=\"cell text\"><h1 id=\"a\">The <em>first</em><a class=\"anchor\" href=\"#a\">#</a></h1>\
    <p>Means of x<sub>1</sub>.</p></section>\
    <section class=\"cell code\"><pre>let x = 1;</pre><figure><figcaption>Figure 1: a curve</figcaption></figure></section>\
    <section class=\"cell text\"><h2 id=\"b\">Second</h2><p>See <a href=\"deep/two.ipynb#c\">two</a> and \
    <a href=\"gone.ipynb\">gone</a>.</p></section></main></body></html>";

#[test]
fn an_outline_has_what_is_read_and_no_code() {
    let outline = outline(PAGE);
    assert_eq!(outline.title, "The first");
    assert_eq!(outline.description, "Means of x1.");
    let sections: Vec<_> = outline
        .sections
        .iter()
        .map(|s| (s.id.as_str(), s.title.as_str(), s.text.as_str()))
        .collect();
    assert_eq!(
        sections,
        [
            ("a", "The first", "Means of x1. Figure 1: a curve"),
            ("b", "Second", "See two and gone."),
        ]
    );
}

#[test]
fn pages_lead_to_each_other_and_links_to_notebooks_to_pages() {
    let pages = [
        site_page("one.html", PAGE),
        site_page("deep/two.html", "<main>\n<h1>Two</h1></main>"),
    ];
    let one = with_way(&pages[0], None, Some(&pages[1]), &pages);
    assert!(
        one.contains("href=\"deep/two.html#c\"") && one.contains("href=\"gone.ipynb\""),
        "{one}"
    );
    assert!(
        one.contains("<a rel=\"next\" href=\"deep/two.html\">Two \u{2192}</a>"),
        "{one}"
    );
    let two = with_way(&pages[1], Some(&pages[0]), None, &pages);
    assert!(two.contains("<a href=\"../index.html\">Index</a>"), "{two}");
    assert!(
        two.contains("href=\"../one.html\">\u{2190} The first</a>"),
        "{two}"
    );
}

#[test]
fn links_are_read_as_browsers_read_them() {
    let pages = ["one.html", "two(1).html", "a&b/\u{e4} c.html"].map(|path| site_page(path, ""));
    for (from, address, to) in [
        ("one.html", "two(1).ipynb", Some("two%281%29.html")),
        (
            "one.html",
            "a&amp;b/%C3%A4%20c.ipynb",
            Some("a%26b/%C3%A4%20c.html"),
        ),
        ("a&b/\u{e4} c.html", "../one.ipynb", Some("../one.html")),
        ("one.html", "../one.ipynb", None),
        ("one.html", "three.ipynb", None),
        ("one.html", "two(1).html", None),
    ] {
        assert_eq!(page_of(address, from, &pages).as_deref(), to, "{address}");
    }
}

#[test]
fn an_index_lists_pages_and_its_script_is_the_one_that_is_allowed() {
    use base64::Engine;
    use sha2::{Digest, Sha256};
    let pages = [
        site_page("one.html", PAGE),
        site_page(
            "my lessons/a&b.html",
            "<main>\n<h1>&lt;/script&gt; A</h1></main>",
        ),
    ];
    let html = index("Notebooks <all>", &pages);
    assert!(
        html.contains("<h1 class=\"title\">Notebooks &lt;all&gt;</h1>"),
        "{html}"
    );
    assert!(html.contains("<h2>My lessons</h2>"), "{html}");
    assert!(
        html.contains("<a href=\"my%20lessons/a%26b.html\">&lt;/script&gt; A</a>"),
        "{html}"
    );
    assert_eq!(html.matches("</script>").count(), 1);
    let script = html
        .split_once("<script>")
        .unwrap()
        .1
        .split_once("</script>")
        .unwrap()
        .0;
    let digest = Sha256::digest(script.as_bytes());
    let digest = base64::engine::general_purpose::STANDARD.encode(digest);
    assert!(html.contains(&format!("script-src 'sha256-{digest}'")));
}
