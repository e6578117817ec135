//! Which pages contain the script, and the data read from charts that contain none.

use super::*;
use crate::export::{ExportOptions, page};
use crate::notebook::{Cell, Notebook, Output, OutputKind};
use serde_json::{Map, Value, json};

/// A line chart as drawn before charts contained data: two curves of three points each.
const OLD: &str = include_str!("stored_chart.svg");

fn told(html: &str) -> Value {
    let (_, rest) = html.split_once(DATA).expect("there is data");
    let json = rest.split_once("</metadata>").unwrap().0;
    let json = json
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&");
    serde_json::from_str(&json).unwrap()
}

fn exported(mime: &str, content: &str) -> String {
    let mut cell = Cell::code("chart()");
    let data = Map::from_iter([(mime.to_owned(), json!(content))]);
    let kind = OutputKind::Display {
        data,
        metadata: Map::new(),
    };
    cell.set_outputs(vec![Output::from(kind)]);
    let mut notebook = Notebook::new();
    notebook.cells = vec![cell];
    notebook.complete_ids();
    page(&notebook, &ExportOptions::default()).html
}

#[test]
fn a_chart_without_data_gets_that_of_its_picture() {
    let html = complete(OLD);
    let data = told(&html);
    assert_eq!(data["area"], json!([1000.0, 600.0, 6000.0, 3600.0]));
    assert_eq!(data["x"]["label"], "step");
    assert_eq!(data["y"]["label"], "loss (nats)");
    assert_eq!(
        (&data["x"]["lo"], &data["x"]["hi"]),
        (&json!(0.0), &json!(100.0))
    );
    assert_eq!(
        (&data["y"]["lo"], &data["y"]["hi"]),
        (&json!(0.0), &json!(3.0))
    );
    assert_eq!(
        data["series"][0],
        json!({"name": "train", "x": [0.0, 50.0, 100.0], "y": [3.0, 2.5, 1.5]})
    );
    assert_eq!(
        data["series"][1],
        json!({"name": "val", "x": [0.0, 50.0, 100.0], "y": [2.75, 2.25, 1.25]})
    );
    assert_eq!(html.matches("data-s=\"0\"").count(), 1);
    assert_eq!(html.matches("data-m=\"y\"").count(), 1);
    assert_eq!(complete(&html), html, "a complete chart stays as it is");
}

#[test]
fn data_without_points_get_them_from_the_marks() {
    let marked = complete(OLD);
    let (before, rest) = marked.split_once(DATA).unwrap();
    let after = rest.split_once("</metadata>").unwrap().1;
    let shell = json!({"area": [1000, 600, 6000, 3600], "x": {"lo": 0, "hi": 100, "label": "step"},
        "y": {"lo": 0, "hi": 3, "label": "loss"}, "series": [{"name": "train"}, {"name": "val"}]});
    let html = complete(&format!("{before}{DATA}{shell}</metadata>{after}"));
    assert_eq!(told(&html)["series"][1]["y"], json!([2.75, 2.25, 1.25]));
    assert_eq!(told(&html)["y"]["label"], "loss");
}

#[test]
fn cells_are_read_from_their_titles() {
    let cell = |x: i32, y: i32, title: &str| {
        format!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"50\" height=\"30\" fill=\"#123456\"><title>{title}</title></rect>"
        )
    };
    let all = [
        cell(100, 100, "L0, early, a: 0.5"),
        cell(150, 100, "L0, early, b: NaN"),
        cell(100, 130, "L1, c, a: -2"),
        cell(150, 130, "L1, c, b: 1e-5"),
    ];
    let svg = format!(
        "<svg viewBox=\"0 0 1 1\"><rect rx=\"80\" fill=\"#fdfdfc\"></rect><g>{}</g></svg>",
        all.concat()
    );
    let cells = json!({"x": ["a", "b"], "y": ["L0, early", "L1, c"], "z": "", "shape": [2, 2],
        "values": [0.5, "NaN", -2.0, 1e-5]});
    assert_eq!(told(&complete(&svg))["cells"], cells);
}

#[test]
fn other_pictures_and_broken_charts_stay_as_they_are() {
    for svg in [
        "<svg><rect fill=\"#fdfdfc\" rx=\"80\"></rect></svg>",
        "<svg><circle r=\"2\"></circle></svg>",
        "<svg><metadata class=\"chart\">{no json</metadata><rect fill=\"#fdfdfc\" rx=\"80\"></rect></svg>",
    ] {
        assert_eq!(complete(svg), svg);
    }
}

#[test]
fn a_page_with_a_chart_allows_its_script_and_no_other() {
    let html = exported("image/svg+xml", OLD);
    assert_eq!(html.matches("<script>").count(), 1);
    let script = html
        .split_once("<script>")
        .unwrap()
        .1
        .split_once("</script>")
        .unwrap()
        .0;
    let digest = STANDARD.encode(Sha256::digest(script.as_bytes()));
    assert!(
        html.contains(&format!("script-src 'sha256-{digest}';")),
        "{html}"
    );
    assert!(!html.contains("script-src 'unsafe-inline'"));
    assert!(html.contains(".chart-tip"));
}

#[test]
fn a_page_without_a_chart_has_no_script() {
    let html = exported("text/html", "<b>none</b> on its own = 1");
    assert!(!html.contains("<script") && !html.contains(".chart-tip"));
}

#[test]
fn scripts_of_outputs_and_the_charts_run_side_by_side() {
    let html = exported("text/html", &format!("{OLD}<script>1</script>"));
    assert!(html.contains("script-src 'unsafe-inline'") && !html.contains("'sha256-"));
    assert_eq!(html.matches("<script>").count(), 2);
}

#[test]
fn the_script_is_small() {
    assert!(script().len() < 14_500, "{}", script().len());
    assert!(!script().contains("</script"));
}
