//! The drawing of an adinkra: what is in the picture, and that it shows itself.

use holoscope::show::{ChartOptions, Show};
use holoscope::susy::{Adinkra, AdinkraNode, BinaryCode, chiral};

fn drawn(adinkra: &Adinkra) -> String {
    let options = ChartOptions::default();
    adinkra.figure(&options).expect("few enough nodes").svg
}

#[test]
fn bosons_are_open_fermions_filled_and_every_edge_is_there() {
    let svg = drawn(&Adinkra::from_multiplet(&chiral()).unwrap());
    assert_eq!(svg.matches("<circle").count(), 8);
    let open = svg.matches("fill=\"#fdfdfc\" stroke=\"#1f2328\"").count();
    let filled = svg.matches("fill=\"#1f2328\" stroke=\"#1f2328\"").count();
    assert_eq!((open, filled), (4, 4));
    let edges: usize = svg
        // Whatever other attributes the paths have.
        .split(" d=\"M")
        .skip(1)
        .filter_map(|path| path.split('"').next())
        .map(|path| path.matches('L').count())
        .sum();
    assert_eq!(edges, 16);
    for colour in ["#0072b2", "#d55e00", "#009e73", "#cc79a7"] {
        assert!(svg.contains(colour), "{colour}");
    }
    for text in [
        "Q1",
        "Q4",
        "engineering height",
        "boson 3, height 0",
        "Open circles",
    ] {
        assert!(svg.contains(text), "{text}");
    }
}

/// CM has minus signs in all four colours: one dashed path a colour.
#[test]
fn dashed_paths_are_the_colours_with_a_minus() {
    let valise = Adinkra::from_multiplet(&chiral()).unwrap();
    let negative = chiral()
        .l
        .iter()
        .filter(|l| l.to_string().contains('-'))
        .count();
    assert_eq!(drawn(&valise).matches("stroke-dasharray").count(), negative);
    let one = Adinkra::new(&BinaryCode::trivial(1).unwrap()).unwrap();
    assert!(!drawn(&one).contains("stroke-dasharray"));
    let flipped = one.flip_colour(1).unwrap();
    assert!(drawn(&flipped).contains("stroke-dasharray"));
}

#[test]
fn nodes_stand_at_their_heights() {
    let lifted = Adinkra::from_multiplet(&chiral())
        .unwrap()
        .lifted(0b1100)
        .unwrap();
    let svg = drawn(&lifted);
    let y_of = |node: &str| -> f64 {
        let (_, rest) = svg.split_once(node).expect("a hover text");
        let (_, rest) = rest.split_once("cy=\"").expect("a circle");
        rest.split('"').next().unwrap().parse().unwrap()
    };
    let [low, middle, high] = ["boson 1,", "fermion 1,", "boson 3,"].map(y_of);
    assert!(low > middle && middle > high, "SVG counts downwards");
    assert_eq!(y_of("boson 4,"), high);
    assert!(((low - middle) - (middle - high)).abs() < 2.0);
}

#[test]
fn an_adinkra_shows_itself_as_a_picture_and_a_large_one_as_text() {
    let small = Adinkra::new(&BinaryCode::largest_doubly_even(8).unwrap()).unwrap();
    let bundle = small.mime_bundle().unwrap();
    assert!(bundle.get("image/svg+xml").unwrap().starts_with("<svg"));
    assert_eq!(bundle.get("text/plain").unwrap(), small.to_string());
    let large = Adinkra::new(&BinaryCode::trivial(9).unwrap()).unwrap();
    let bundle = large.mime_bundle().unwrap();
    assert_eq!(bundle.get("image/svg+xml"), None);
    assert!(bundle.get("text/plain").unwrap().contains("d = 256"));
    assert!(large.figure(&ChartOptions::default()).is_err());
}

#[test]
fn what_the_options_say_is_kept() {
    let cube = Adinkra::new(&BinaryCode::trivial(3).unwrap()).unwrap();
    let hung = cube.hung_from(AdinkraNode::Fermion(1)).unwrap();
    let options = ChartOptions::new("A cube <hung>", "", "mass").caption("Note.");
    let figure = hung.figure(&options).unwrap();
    assert_eq!(figure.title, "A cube <hung>");
    assert!(figure.svg.contains("A cube &lt;hung&gt;") && figure.svg.contains("Note."));
    assert!(
        figure
            .alt
            .contains("8 nodes on 4 levels, 12 links of 3 kinds")
    );
}

/// The same adinkra is drawn the same way, byte for byte.
#[test]
fn a_drawing_is_reproducible() {
    let code = BinaryCode::largest_doubly_even(7).unwrap();
    let adinkra = Adinkra::new(&code).unwrap();
    assert_eq!(drawn(&adinkra), drawn(&Adinkra::new(&code).unwrap()));
}
