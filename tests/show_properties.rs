//! Whatever text and numbers come, what is shown is well-formed and nothing panics.

use holoscope::polars::prelude::*;
use holoscope::show::*;
use proptest::prelude::*;

/// Why a piece of XML (or of our HTML, but for its void elements) is not well-formed.
fn malformed(markup: &str) -> Option<String> {
    let mut open: Vec<String> = Vec::new();
    let mut rest = markup;
    while let Some(at) = rest.find('<') {
        let (text, tag_on) = rest.split_at(at);
        if let Some(bad) = bad_text(text) {
            return Some(bad);
        }
        let Some(end) = tag_end(tag_on) else {
            return Some(format!("a tag does not end: {tag_on:.40}"));
        };
        let tag = &tag_on[1..end];
        rest = &tag_on[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            if open.pop().as_deref() != Some(name) {
                return Some(format!("</{name}> closes another element"));
            }
        } else if !tag.ends_with('/') {
            let name = tag.split(' ').next().unwrap_or("").to_owned();
            if !["br", "wbr"].contains(&name.as_str()) {
                open.push(name);
            }
        }
    }
    bad_text(rest).or_else(|| (!open.is_empty()).then(|| format!("{open:?} stay open")))
}

/// The place of the `>` that ends a tag, outside its quoted values.
fn tag_end(tag: &str) -> Option<usize> {
    let mut quote = None;
    for (i, c) in tag.char_indices() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(q), c) if q == c => quote = None,
            (None, '>') => return Some(i),
            _ => {}
        }
    }
    None
}

fn bad_text(text: &str) -> Option<String> {
    if text.contains('>') {
        return Some(format!("a raw > in {text:?}"));
    }
    let entities = ["lt;", "gt;", "amp;", "quot;", "apos;", "#39;"];
    if let Some(part) = text
        .split('&')
        .skip(1)
        .find(|part| !entities.iter().any(|e| part.starts_with(e)))
    {
        return Some(format!("a raw & before {part:?}"));
    }
    let control = |c: char| c.is_control() && !['\n', '\t'].contains(&c);
    text.chars()
        .find(|c| control(*c))
        .map(|c| format!("the control character {c:?}"))
}

fn check(value: &dyn Show) -> Result<(), TestCaseError> {
    let bundle = value.mime_bundle().unwrap();
    for mime in ["image/svg+xml", "text/html"] {
        if let Some(markup) = bundle.get(mime) {
            prop_assert_eq!(malformed(markup), None);
        }
    }
    Ok(())
}

fn options(text: &str) -> ChartOptions {
    let mut options = ChartOptions::new(text, text, text)
        .caption(text)
        .x_reference(text, 0.5)
        .y_reference(text, 1.5);
    options.z_label = text.to_owned();
    options
}

#[test]
fn the_checker_finds_what_is_malformed() {
    assert_eq!(malformed("<a b=\"1 > 0\">x &amp; y<br></a>"), None);
    for bad in [
        "<a>",
        "<a></b>",
        "a & b",
        "a > b",
        "<a b=\"></a>",
        "<a>\u{1}</a>",
    ] {
        assert!(malformed(bad).is_some(), "{bad}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_text_is_escaped_in_every_view(text in any::<String>(), more in any::<String>()) {
        let options = options(&text);
        let labels = vec![text.clone(), more.clone()];
        check(&histogram(&[1.0, 2.0, 4.0], 0, &options).unwrap())?;
        let groups = [Group::new(&text, vec![1.0, 2.0]), Group::new(&more, vec![3.0])];
        check(&histogram_by_group(&groups, 0, &options).unwrap())?;
        let series = [Trace::new(&text, vec![(0.0, 1.0), (1.0, 2.0)]), Trace::new(&more, vec![])];
        check(&line_chart(&series, &options).unwrap())?;
        check(&scatter(&series, &options).unwrap())?;
        check(&bar_chart(&labels, &[1.0, -2.0], &options).unwrap())?;
        let rows = [vec![1.0, -2.0], vec![0.0, 3.0]];
        check(&heatmap(&rows, &labels, &labels, ColorScale::Diverging, &options).unwrap())?;
        check(&TokenView::new(labels.clone(), vec![1.0, -1.0]).unwrap().title(&text))?;
        let pattern = vec![vec![vec![1.0, 0.0], vec![0.5, 0.5]]];
        check(&AttentionView::new(labels.clone(), pattern).unwrap().title(&more))?;
        let frame = df![text.as_str() => [1.0, 2.0]].unwrap();
        check(&Table::new(frame).gradient(&text).caption(&more))?;
        check(&Table::new(df!["text" => &labels].unwrap()))?;
    }

    #[test]
    fn any_number_is_drawn_or_refused(
        values in proptest::collection::vec(any::<f64>(), 0..12),
        log in any::<bool>(),
        bins in 0usize..500,
        size in any::<(u32, u32)>(),
    ) {
        let mut options = options("x");
        options.log_x = log;
        options.log_y = log;
        (options.width, options.height) = size;
        options.x_references.extend(values.iter().map(|v| Reference::new("here", *v)));
        let points: Vec<(f64, f64)> = values.iter().zip(values.iter().rev()).map(|(a, b)| (*a, *b)).collect();
        let labels: Vec<String> = values.iter().map(f64::to_string).collect();
        let row = [values.clone()];
        let series = [Trace::new("a", points)];
        let figures = [
            histogram(&values, bins, &options),
            histogram_by_group(&[Group::new("a", values.clone())], bins, &options),
            line_chart(&series, &options),
            scatter(&series, &options),
            bar_chart(&labels, &values, &options),
            heatmap(&row, &[], &[], ColorScale::Sequential, &options),
            heatmap(&row, &[], &[], ColorScale::Diverging, &options),
        ];
        for figure in figures.into_iter().flatten() {
            check(&figure)?;
            prop_assert!(!figure.svg.contains("NaN\""), "a coordinate is not a number");
        }
        check(&TokenView::new(labels, values.clone()).unwrap())?;
        check(&Table::new(df!["x" => &values].unwrap()).gradient("x"))?;
    }
}
