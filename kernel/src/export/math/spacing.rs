//! The spaces that TeX inserts between the parts of a formula. Browsers use
//! MathML's operator dictionary instead, which does not detect a minus that is a
//! sign and leaves no space after a function name. Source: The TeXbook, chapter
//! 18; KaTeX's `spacingData`.

use super::tree::{Class, Element, Node};

const THIN: &str = "0.1667em";
const MEDIUM: &str = "0.2222em";
const THICK: &str = "0.2778em";

/// The space between two neighbours; in scripts most are left out.
fn space(left: Class, right: Class, tight: bool) -> Option<&'static str> {
    use Class::{Bin, Close, Inner, Op, Open, Ord, Punct, Rel};
    let space = match (left, right) {
        (Ord | Close | Inner, Op) | (Op, Ord | Op) => return Some(THIN),
        (Ord | Close | Inner, Bin) | (Bin, Ord | Op | Open | Inner) => MEDIUM,
        (Ord | Op | Close | Inner, Rel) | (Rel, Ord | Op | Open | Inner) => THICK,
        (Ord | Op | Close, Inner)
        | (Inner, Ord | Open | Punct | Inner)
        | (Punct, Ord | Op | Rel | Open | Close | Punct | Inner) => THIN,
        _ => return None,
    };
    // TeX and KaTeX insert a thick space between a comma and a relation.
    let space = if (left, right) == (Punct, Rel) {
        THICK
    } else {
        space
    };
    (!tight).then_some(space)
}

/// Inserts the spaces between the parts of a row.
pub fn put(row: &mut Vec<Node>, tight: bool) {
    let mut classes = Vec::new();
    collect(row, &mut classes);
    resolve(&mut classes);
    let mut before = None;
    insert(row, &mut classes.into_iter(), &mut before, tight);
}

fn collect(row: &[Node], classes: &mut Vec<Class>) {
    for node in row {
        match node {
            Node::Element(part) if part.is_transparent() => collect(&part.children, classes),
            Node::Element(part) => classes.extend(part.class),
            Node::Text(_) | Node::Reference(_) => {}
        }
    }
}

/// A binary operator without operands is a sign.
fn resolve(classes: &mut [Class]) {
    use Class::{Bin, Close, Op, Open, Ord, Punct, Rel};
    for i in 0..classes.len() {
        let before = i.checked_sub(1).map(|before| classes[before]);
        match classes[i] {
            Bin if matches!(before, None | Some(Bin | Open | Rel | Op | Punct)) => {
                classes[i] = Ord;
            }
            Rel | Close | Punct if before == Some(Bin) => classes[i - 1] = Ord,
            _ => {}
        }
    }
    if let Some(last @ Bin) = classes.last_mut() {
        *last = Ord;
    }
}

fn insert(
    row: &mut Vec<Node>,
    classes: &mut impl Iterator<Item = Class>,
    before: &mut Option<Class>,
    tight: bool,
) {
    let mut spaced = Vec::with_capacity(row.len());
    for mut node in std::mem::take(row) {
        if let Node::Element(part) = &mut node {
            if part.is_transparent() {
                let tight = part.tight.unwrap_or(tight);
                insert(&mut part.children, classes, before, tight);
            } else if part.class.is_some()
                && let Some(class) = classes.next()
            {
                if let Some(width) = before.and_then(|before| space(before, class, tight)) {
                    let mut space = Element::new("mspace");
                    space.set("width", width);
                    spaced.push(Node::Element(space));
                }
                *before = Some(class);
            }
        }
        spaced.push(node);
    }
    *row = spaced;
}
