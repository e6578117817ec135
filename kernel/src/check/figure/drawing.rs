//! Reads the content of an SVG: marks with their points and colours, and texts.

use crate::export::dom::attribute;
use crate::svg::axes::Label;
use crate::svg::path;
use markup5ever_rcdom::{Handle, NodeData};
use std::collections::BTreeMap;

/// The content of one `<svg>`; nested ones are separate drawings.
#[derive(Debug, Clone, Default)]
pub struct Drawing {
    pub marks: Vec<Mark>,
    /// `<text>`, in order.
    pub labels: Vec<Label>,
    /// `<title>` and `<desc>`: tooltips and descriptions for screen readers.
    pub descriptions: Vec<String>,
    /// The larger side of the view box; 0 where there is none.
    pub size: f64,
    pub panels: Vec<Drawing>,
}

/// One shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// The element's name and its non-numeric parts: a path's commands, a transformation's names.
    pub shape: String,
    pub points: Vec<(f64, f64)>,
    /// Radii, angles and the numbers of transformations.
    pub sizes: Vec<f64>,
    /// `fill`, `stroke` and opacities, its own or inherited.
    pub colours: BTreeMap<&'static str, String>,
    /// The picture that it embeds.
    pub picture: Option<String>,
}

impl Mark {
    pub fn kind(&self) -> &str {
        self.shape.split(' ').next().unwrap_or_default()
    }
}

const COLOURS: [&str; 6] = [
    "fill",
    "stroke",
    "fill-opacity",
    "stroke-opacity",
    "opacity",
    "stop-color",
];

/// Reads the drawing of an `<svg>` element.
pub fn read(svg: &Handle) -> Drawing {
    let mut drawing = Drawing::default();
    if let Some(numbers) = attribute(svg, "viewBox").and_then(|text| path::numbers(&text)) {
        drawing.size = numbers.iter().skip(2).copied().fold(0.0, f64::max);
    }
    drawing.descriptions.extend(attribute(svg, "aria-label"));
    children(svg, &inherited(svg, &BTreeMap::new()), &mut drawing);
    drawing
}

type Colours = BTreeMap<&'static str, String>;

/// The colours of an element: its own, otherwise inherited.
fn inherited(node: &Handle, around: &Colours) -> Colours {
    let mut colours = around.clone();
    let style = attribute(node, "style").unwrap_or_default();
    let styles: Vec<(&str, &str)> = style
        .split(';')
        .filter_map(|one| one.split_once(':'))
        .collect();
    for name in COLOURS {
        let styled = styles.iter().find(|(key, _)| key.trim() == name);
        let styled = styled.map(|(_, value)| value.trim().to_owned());
        if let Some(value) = styled.or_else(|| attribute(node, name)) {
            colours.insert(name, value.to_lowercase());
        }
    }
    colours
}

fn children(node: &Handle, around: &Colours, drawing: &mut Drawing) {
    for child in node.children.borrow().iter() {
        let NodeData::Element { name, .. } = &child.data else {
            continue;
        };
        let name = name.local.to_string();
        match name.as_str() {
            "svg" => drawing.panels.push(read(child)),
            "text" => drawing.labels.push(label(child)),
            "title" | "desc" => drawing.descriptions.push(text(child)),
            "style" | "script" | "metadata" => {}
            _ => {
                let colours = inherited(child, around);
                drawing.marks.extend(mark(child, &name, &colours));
                children(child, &colours, drawing);
            }
        }
    }
}

/// The text within a node.
pub fn text(node: &Handle) -> String {
    let mut text = String::new();
    let mut stack = vec![node.clone()];
    while let Some(node) = stack.pop() {
        if let NodeData::Text { contents } = &node.data {
            text.push_str(&contents.borrow());
        }
        stack.extend(node.children.borrow().iter().rev().cloned());
    }
    text.trim().to_owned()
}

fn label(node: &Handle) -> Label {
    let number = |name: &str| numbers_of(node, &[name]).and_then(|all| all.first().copied());
    Label {
        text: text(node),
        x: number("x").unwrap_or(f64::NAN),
        y: number("y").unwrap_or(f64::NAN),
        anchor: attribute(node, "text-anchor").unwrap_or_default(),
    }
}

/// The numbers of these attributes; a missing one is 0.
fn numbers_of(node: &Handle, names: &[&str]) -> Option<Vec<f64>> {
    let one = |name: &&str| match attribute(node, name) {
        Some(text) => path::numbers(&text)?.first().copied(),
        None => Some(0.0),
    };
    names.iter().map(one).collect()
}

/// The shape that an element draws; `None` for one that draws nothing itself.
fn mark(node: &Handle, name: &str, colours: &Colours) -> Option<Mark> {
    let mut shape = name.to_owned();
    let numbers = |names: &[&str]| numbers_of(node, names);
    let (points, mut sizes) = match name {
        "line" => {
            let all = numbers(&["x1", "y1", "x2", "y2"])?;
            (vec![(all[0], all[1]), (all[2], all[3])], Vec::new())
        }
        "rect" | "image" | "use" => {
            let all = numbers(&["x", "y", "width", "height"])?;
            let far = (all[0] + all[2], all[1] + all[3]);
            (vec![(all[0], all[1]), far], Vec::new())
        }
        "circle" => {
            let all = numbers(&["cx", "cy", "r"])?;
            (vec![(all[0], all[1])], vec![all[2]])
        }
        "ellipse" => {
            let all = numbers(&["cx", "cy", "rx", "ry"])?;
            (vec![(all[0], all[1])], vec![all[2], all[3]])
        }
        "polyline" | "polygon" => {
            let all = path::numbers(&attribute(node, "points")?)?;
            let pairs = all.as_chunks::<2>().0;
            (
                pairs.iter().map(|pair| (pair[0], pair[1])).collect(),
                Vec::new(),
            )
        }
        "path" => {
            let (commands, points) = path::points(&attribute(node, "d")?)?;
            shape = format!("path {commands}");
            (points, Vec::new())
        }
        "stop" => (Vec::new(), vec![numbers(&["offset"])?[0]]),
        _ => return None,
    };
    if let Some(transform) = attribute(node, "transform") {
        let is_number = |c: char| c.is_ascii_digit() || "+-.e".contains(c);
        let parts = transform.split(|c: char| !is_number(c));
        sizes.extend(parts.filter_map(|part| part.parse::<f64>().ok()));
        let names: String = transform
            .chars()
            .filter(char::is_ascii_alphabetic)
            .collect();
        shape = format!("{shape} {names}");
    }
    Some(Mark {
        shape,
        points,
        sizes,
        colours: colours.clone(),
        picture: attribute(node, "href"),
    })
}
