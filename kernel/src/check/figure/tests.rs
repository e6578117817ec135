//! Figures with planted differences.

use super::*;
use crate::check::html::compare_svg;
use crate::check::rules::Rules;
use crate::notebook::{Cell, Notebook};
use proptest::prelude::*;

/// A chart as the library draws it: two axes with 100 units per step, a curve, a
/// legend.
fn chart(points: &[(f64, f64)], shift: f64) -> String {
    let place = |x: f64, y: f64| (1_000.0 + shift + 100.0 * x, 4_000.0 - 1_000.0 * y);
    let mut svg = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 6800 4400\" role=\"img\" \
         aria-label=\"Line chart: Loss.\"><text x=\"120\" y=\"195\">Loss</text>",
    );
    for tick in [0.0, 10.0, 20.0, 30.0] {
        let (x, y) = place(tick, 0.0);
        svg += &format!("<text x=\"{x}\" y=\"4100\" text-anchor=\"middle\">{tick}</text>");
        svg += &format!("<polyline points=\"{x},{y} {x},4035\" stroke=\"#9AA0A6\"/>");
    }
    for tick in [0.0, 1.0, 2.0, 3.0] {
        let (x, y) = place(0.0, tick);
        svg += &format!("<text x=\"900\" y=\"{y}\" text-anchor=\"end\">{tick}</text>");
        svg += &format!("<polyline points=\"{x},{y} 6000,{y}\" stroke=\"#E7E7E4\"/>");
    }
    let curve: Vec<String> = points
        .iter()
        .map(|(x, y)| place(*x, *y))
        .map(|(x, y)| format!("{},{}", x.round(), y.round()))
        .collect();
    svg + &format!(
        "<polyline points=\"{}\" stroke=\"#0072B2\" fill=\"none\"/></svg>",
        curve.join(" ")
    )
}

fn found(stored: &str, fresh: &str, tolerances: &[&str]) -> Vec<Difference> {
    let rules = Rules::with_tolerances(tolerances);
    let rules = CellRules::of(&Cell::code(""), &Notebook::new(), &rules).unwrap();
    compare_svg(stored, fresh, &rules)
}

const CURVE: [(f64, f64); 4] = [(0.0, 2.5), (10.0, 1.5), (20.0, 1.0), (30.0, 0.8)];

#[test]
fn what_a_chart_carries_for_the_page_is_no_difference() {
    let stored = include_str!("../../export/charts/stored_chart.svg");
    let fresh = crate::export::charts_of(stored);
    assert!(
        fresh.contains("<metadata") && fresh.contains("data-s="),
        "{fresh}"
    );
    assert_eq!(found(stored, &fresh, &[]), []);
}

#[test]
fn a_point_that_moved_is_named_with_its_values() {
    let mut moved = CURVE;
    moved[1].1 = 1.7;
    let found = found(&chart(&CURVE, 0.0), &chart(&moved, 0.0), &["0.01"]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].kind, Kind::Figure);
    assert_eq!(found[0].place, "shape 9 of 9 (polyline), point 2 of 4");
    assert_eq!(
        (&*found[0].stored, &*found[0].fresh),
        ("(10, 1.5)", "(10, 1.7)")
    );
    assert_eq!(found[0].note, "off by 0.2 (11.76 %); tolerance 0.01");
}

#[test]
fn points_are_compared_by_value_within_the_tolerance() {
    let mut moved = CURVE;
    moved[1].1 = 1.51;
    let (a, b) = (chart(&CURVE, 0.0), chart(&moved, 0.0));
    assert_eq!(found(&a, &b, &["0.01"]), []);
    assert_eq!(found(&a, &b, &["Loss=0.01"]), []);
    assert_eq!(found(&a, &b, &["abs:0.02"]), []);
    assert_eq!(found(&a, &b, &["1e-3"]).len(), 1);
    assert_eq!(found(&a, &b, &[]).len(), 1);
}

#[test]
fn the_same_data_on_a_shifted_sheet_is_the_same() {
    let (a, b) = (chart(&CURVE, 0.0), chart(&CURVE, 70.0));
    assert_eq!(found(&a, &b, &["1e-6"]), []);
    let mut moved = CURVE;
    moved[3].1 = 0.9;
    assert_eq!(found(&a, &chart(&moved, 70.0), &["1e-3"]).len(), 1);
}

#[test]
fn points_shapes_texts_and_colours_that_change_are_found() {
    let a = chart(&CURVE, 0.0);
    let sides = |b: &str, tolerances: &[&str]| -> Vec<(Kind, String)> {
        let found = found(&a, b, tolerances).into_iter();
        found.map(|one| (one.kind, one.place)).collect()
    };
    let fewer = chart(&CURVE[..3], 0.0);
    assert_eq!(
        sides(&fewer, &["1"]),
        [(Kind::Figure, "shape 9 of 9 (polyline)".to_owned())]
    );
    let more = a.replace("</svg>", "<circle cx=\"1\" cy=\"1\" r=\"5\"/></svg>");
    assert_eq!(sides(&more, &["1"]), [(Kind::Figure, "shapes".to_owned())]);
    let title = a.replace(">Loss<", ">Score<");
    assert_eq!(
        sides(&title, &["1"]),
        [(Kind::Text, "text in the figure".to_owned())]
    );
    let label = a.replace("Line chart: Loss.", "Line chart: 5.");
    assert_eq!(
        sides(&label, &["1"]),
        [(Kind::Text, "description of the figure".to_owned())]
    );
    let colour = a.replace("#0072B2", "#0172B3");
    let place = "shape 9 of 9 (polyline), stroke".to_owned();
    assert_eq!(sides(&colour, &[]), [(Kind::Figure, place.clone())]);
    assert_eq!(sides(&colour, &["1e-3"]), []);
    let colour = a.replace("#0072B2", "#E69F00");
    assert_eq!(sides(&colour, &["0.1"]), [(Kind::Figure, place)]);
}

#[test]
fn what_is_no_data_is_not_compared() {
    let a = chart(&CURVE, 0.0);
    let b = a
        .replace(
            "<text x=\"120\" y=\"195\">",
            "<text x=\"125\" y=\"190\" font-size=\"140\">",
        )
        .replace(
            "stroke=\"#0072B2\"",
            "stroke=\"#0072B2\" stroke-width=\"12\"",
        );
    assert_eq!(found(&a, &b, &[]), []);
}

#[test]
fn a_cell_of_a_heat_map_is_found_by_its_description_and_its_colour() {
    let map = |value: &str, colour: &str| {
        format!(
            "<svg viewBox=\"0 0 900 900\"><g><rect x=\"0\" y=\"0\" width=\"10\" height=\"10\" \
             fill=\"{colour}\"><title>a, b: {value}</title></rect></g></svg>"
        )
    };
    let (a, b) = (map("0.83", "#8dd544"), map("0.61", "#32b47b"));
    let kinds: Vec<Kind> = found(&a, &b, &["0.01"])
        .iter()
        .map(|one| one.kind)
        .collect();
    assert_eq!(kinds, [Kind::Number, Kind::Figure]);
    assert_eq!(found(&a, &map("0.831", "#8cd544"), &["0.01"]), []);
}

proptest! {
    #[test]
    fn a_figure_equals_itself(
        ys in proptest::collection::vec(-3.0f64..3.0, 1..20), tolerance in prop_oneof![Just("0"), Just("0.1")]
    ) {
        let points: Vec<(f64, f64)> = ys.iter().enumerate().map(|(x, y)| (x as f64, *y)).collect();
        let a = chart(&points, 0.0);
        // Not byte-identical, so that the comparison itself runs.
        let b = a.replace("<svg ", "<svg data-x=\"1\" ");
        prop_assert_eq!(found(&a, &b, &[tolerance]), vec![]);
    }

    #[test]
    fn every_point_that_moves_too_far_is_found(
        ys in proptest::collection::vec(0.5f64..3.0, 2..20), at in any::<prop::sample::Index>(), by in 0.1f64..1.0
    ) {
        let points: Vec<(f64, f64)> = ys.iter().enumerate().map(|(x, y)| (x as f64, *y)).collect();
        let mut moved = points.clone();
        let at = at.index(moved.len());
        moved[at].1 += by;
        let found = found(&chart(&points, 0.0), &chart(&moved, 0.0), &["0.01"]);
        prop_assert_eq!(found.len(), 1);
        let place = format!("point {} of {}", at + 1, points.len());
        prop_assert!(found[0].place.ends_with(&place), "{}", found[0].place);
    }
}
