//! Builders for parts of a formula whose MathML by KaTeX is not sufficient for
//! drawing. They add what is missing as attributes that begin with `x-`, for
//! [`super::core`] to read.

use super::definitions::refusal;
use katex::build_mathml::{build_expression, build_group, make_row};
use katex::define_function::{FunctionContext, FunctionDefSpec, FunctionPropSpec, MathMLBuilder};
use katex::macros::MacroContextInterface;
use katex::mathml_tree::{MathDomNode, MathNode, MathNodeType, TextNode};
use katex::options::Options;
use katex::parser::parse_node::{
    LapAlignment, NodeType, ParseNode, ParseNodeHtml, ParseNodeSupSub,
};
use katex::symbols::Atom;
use katex::types::ParseError;
use katex::{KatexContext, spacing_data::MeasurementOwned};
use std::sync::LazyLock;

type Built = Result<MathDomNode, ParseError>;

/// Unmodified KaTeX, for the builders that ours call.
static ORIGINAL: LazyLock<KatexContext> = LazyLock::new(KatexContext::default);

/// Replaces builders and reference commands of KaTeX by ours.
pub fn add(context: &mut KatexContext) {
    let builders: [(NodeType, MathMLBuilder); 19] = [
        (NodeType::Atom, atom),
        (NodeType::Op, operator),
        (NodeType::OperatorName, operator),
        (NodeType::SupSub, scripts),
        (NodeType::OrdGroup, group),
        (NodeType::LeftRight, inner),
        (NodeType::Mclass, class),
        (NodeType::Delimsizing, delimiter),
        (NodeType::XArrow, arrow),
        (NodeType::Accent, accent),
        (NodeType::Overline, line),
        (NodeType::Underline, line),
        (NodeType::Enclose, enclosed),
        (NodeType::Lap, lap),
        (NodeType::Rule, rule),
        (NodeType::Raisebox, raised),
        (NodeType::Html, mark),
        (NodeType::HtmlMathMl, alternative),
        (NodeType::Genfrac, fraction),
    ];
    for (node, builder) in builders {
        context.mathml_group_builders.insert(node, builder);
    }
    context.define_function(FunctionDefSpec {
        node_type: Some(NodeType::Html),
        names: &[r"\label", r"\ref", r"\eqref", r"\\nonumber"],
        props: FunctionPropSpec {
            allowed_in_text: true,
            allowed_in_argument: true,
            primitive: true,
            ..FunctionPropSpec::default()
        },
        handler: Some(|context, _, _| reference(context)),
        html_builder: None,
        mathml_builder: None,
    });
}

fn reference(context: FunctionContext<'_, '_, '_>) -> Result<ParseNode, ParseError> {
    let mut attributes = ParseNodeHtml {
        mode: context.parser.mode,
        loc: None,
        attributes: Default::default(),
        body: Vec::new(),
    };
    let mut name = String::new();
    if context.func_name != r"\\nonumber" {
        let argument = context.parser.gullet.consume_arg(None)?;
        name = argument
            .tokens
            .iter()
            .rev()
            .map(|token| token.text.as_str())
            .collect();
        name = name.trim().to_owned();
        if name.is_empty() {
            return Err(refusal(format!("{} needs a name", context.func_name)));
        }
    }
    let key = match context.func_name {
        r"\label" => "x-label",
        r"\ref" => "x-ref",
        r"\eqref" => "x-eqref",
        _ => "x-nonumber",
    };
    attributes.attributes.insert(key.to_owned(), name);
    Ok(ParseNode::Html(attributes))
}

fn original(node: &ParseNode, options: &Options, context: &KatexContext) -> Built {
    match ORIGINAL.mathml_group_builders.get(&NodeType::from(node)) {
        Some(builder) => builder(node, options, context),
        None => Err(refusal("the formula has a part that cannot be drawn")),
    }
}

pub fn element(node_type: MathNodeType, children: Vec<MathDomNode>) -> MathNode {
    MathNode::with_children(node_type, children)
}

fn row(nodes: Vec<MathDomNode>) -> MathNode {
    element(MathNodeType::Mrow, nodes)
}

fn text(text: impl Into<String>) -> MathDomNode {
    TextNode { text: text.into() }.into()
}

/// The node with an atom class of TeX, which determines the spaces around it.
fn of_class(node: MathDomNode, class: &str) -> MathDomNode {
    let mut node = match node {
        MathDomNode::Math(node) if !node.attributes.contains_key("x-class") => node,
        other => row(vec![other]),
    };
    node.set_attribute("x-class", class);
    node.into()
}

fn atom(node: &ParseNode, options: &Options, context: &KatexContext) -> Built {
    let built = original(node, options, context)?;
    let ParseNode::Atom(atom) = node else {
        return Ok(built);
    };
    let class = match atom.family {
        Atom::Bin => "bin",
        Atom::Close => "close",
        Atom::Inner => "inner",
        Atom::Open => "open",
        Atom::Punct => "punct",
        Atom::Rel => "rel",
    };
    Ok(of_class(built, class))
}

fn operator(node: &ParseNode, options: &Options, context: &KatexContext) -> Built {
    let mut built = original(node, options, context)?;
    if let ParseNode::Op(katex::parser::parse_node::ParseNodeOp::Body { body, .. }) = node {
        built = row(build_expression(context, body, options, None)?).into();
    }
    // An operator of more than text: KaTeX puts elements into `mi`.
    if let MathDomNode::Fragment(fragment) = &mut built {
        let children = std::mem::take(&mut fragment.children);
        built = row(children).into();
    }
    Ok(of_class(built, "op"))
}

/// Scripts have the class of their base; those of an operator go above and below
/// it only where KaTeX requires it.
fn scripts(node: &ParseNode, options: &Options, context: &KatexContext) -> Built {
    let mut built = original(node, options, context)?;
    if let (ParseNode::SupSub(ParseNodeSupSub { base, .. }), MathDomNode::Math(scripts)) =
        (node, &mut built)
    {
        if let Some(MathDomNode::Math(inner)) = scripts.children.first()
            && let Some(class) = inner.attributes.get("x-class")
        {
            let class = class.clone();
            scripts.set_attribute("x-class", class);
        }
        if let Some(ParseNode::Op(op)) = base.as_deref()
            && op.limits()
            && op.always_handle_sup_sub()
            && scripts.node_type == MathNodeType::Msubsup
        {
            // KaTeX ignores `\limits` if there are both scripts.
            scripts.node_type = MathNodeType::Munderover;
        }
    }
    Ok(built)
}

fn group(node: &ParseNode, options: &Options, context: &KatexContext) -> Built {
    let ParseNode::OrdGroup(group) = node else {
        return original(node, options, context);
    };
    let children = build_expression(context, &group.body, options, None)?;
    if group.semisimple == Some(true) {
        return Ok(katex::mathml_tree::make_fragment(children).into());
    }
    Ok(match make_row(children) {
        MathDomNode::Math(mut node) => {
            let keeps = node.attributes.contains_key("x-enclose");
            if let Some(class) = node.attributes.get_mut("x-class") {
                "ord".clone_into(class);
            }
            if node.node_type == MathNodeType::Mstyle && !keeps {
                node = row(vec![node.into()]);
            }
            node.into()
        }
        other => row(vec![other]).into(),
    })
}

fn inner(node: &ParseNode, options: &Options, context: &KatexContext) -> Built {
    let built = original(node, options, context)?;
    Ok(of_class(built, "inner"))
}

/// `\mathbin`, `\mathrel` and the like.
fn class(node: &ParseNode, options: &Options, context: &KatexContext) -> Built {
    let ParseNode::Mclass(class) = node else {
        return original(node, options, context);
    };
    let children = build_expression(context, &class.body, options, None)?;
    let name = class.mclass.as_str();
    Ok(of_class(
        row(children).into(),
        name.strip_prefix('m').unwrap_or(name),
    ))
}

fn delimiter(node: &ParseNode, options: &Options, context: &KatexContext) -> Built {
    let built = original(node, options, context)?;
    let ParseNode::Delimsizing(delimiter) = node else {
        return Ok(built);
    };
    let name = delimiter.mclass.as_str();
    Ok(of_class(built, name.strip_prefix('m').unwrap_or(name)))
}

fn arrow(node: &ParseNode, options: &Options, context: &KatexContext) -> Built {
    Ok(of_class(original(node, options, context)?, "rel"))
}

/// An accent of fixed width, or as wide as its base.
fn accent(node: &ParseNode, options: &Options, context: &KatexContext) -> Built {
    if let Some(wide) = wide_accent(node, options, context) {
        return wide;
    }
    let mut built = original(node, options, context)?;
    if let (ParseNode::Accent(accent), MathDomNode::Math(over)) = (node, &mut built)
        && let Some(MathDomNode::Math(mark)) = over.children.last_mut()
    {
        let stretchy = accent.is_stretchy.unwrap_or(false);
        mark.set_attribute("stretchy", stretchy.to_string());
        // KaTeX's characters are keyboard or combining characters; these are
        // spacing marks.
        let sign = match mark.children.first().map(MathDomNode::to_text).as_deref() {
            Some("^") => "\u{2c6}",
            Some("~") => "\u{2dc}",
            Some("\u{2c9}") => "\u{af}",
            Some("\u{20d7}") => {
                mark.set_attribute("mathsize", "0.7em");
                "\u{2192}"
            }
            _ => return Ok(built),
        };
        mark.children = vec![text(sign)];
    }
    Ok(built)
}

/// An accent that math fonts do not stretch, drawn by the page's style.
fn wide_accent(node: &ParseNode, options: &Options, context: &KatexContext) -> Option<Built> {
    let ParseNode::Accent(accent) = node else {
        return None;
    };
    let css = match accent.label.as_str() {
        r"\widehat" => "math-widehat",
        r"\widecheck" => "math-widecheck",
        r"\widetilde" => "math-widetilde",
        _ => return None,
    };
    let base = build_group(context, &accent.base, options);
    Some(base.map(|base| {
        let mut wide = row(vec![base]);
        wide.set_attribute("x-css", css);
        wide.into()
    }))
}

fn line(node: &ParseNode, options: &Options, context: &KatexContext) -> Built {
    let (body, kind) = match node {
        ParseNode::Overline(node) => (&node.body, "math-overline"),
        ParseNode::Underline(node) => (&node.body, "math-underline"),
        _ => return original(node, options, context),
    };
    let mut line = row(vec![build_group(context, body, options)?]);
    line.set_attribute("x-css", kind);
    Ok(line.into())
}

fn enclosed(node: &ParseNode, options: &Options, context: &KatexContext) -> Built {
    let ParseNode::Enclose(enclosed) = node else {
        return original(node, options, context);
    };
    let mut box_ = row(vec![build_group(context, &enclosed.body, options)?]);
    let css = match enclosed.label.as_str() {
        r"\cancel" => "math-cancel",
        r"\bcancel" => "math-bcancel",
        r"\xcancel" => "math-xcancel",
        r"\sout" => "math-sout",
        r"\fbox" => "math-box",
        r"\angl" => "math-angl",
        r"\colorbox" => "math-colorbox",
        r"\fcolorbox" => "math-colorbox math-framed",
        r"\phase" => "math-phase",
        other => return Err(refusal(format!("{other} cannot be drawn"))),
    };
    box_.set_attribute("x-css", css);
    box_.set_attribute("x-enclose", "true");
    if let Some(color) = &enclosed.background_color {
        box_.set_attribute("mathbackground", color);
    }
    if let Some(color) = &enclosed.border_color {
        box_.set_attribute("x-border", color);
    }
    Ok(box_.into())
}

/// `\llap`, `\rlap`, `\mathclap`: content without width.
fn lap(node: &ParseNode, options: &Options, context: &KatexContext) -> Built {
    let ParseNode::Lap(lap) = node else {
        return original(node, options, context);
    };
    let mut body = row(vec![build_group(context, &lap.body, options)?]);
    match lap.alignment {
        LapAlignment::Left => body.set_attribute("x-css", "math-llap"),
        LapAlignment::Center => body.set_attribute("x-css", "math-clap"),
        LapAlignment::Right => {}
    }
    let mut padded = element(MathNodeType::Mpadded, vec![body.into()]);
    padded.set_attribute("width", "0px");
    Ok(padded.into())
}

fn em(
    size: &MeasurementOwned,
    options: &Options,
    context: &KatexContext,
) -> Result<f64, ParseError> {
    context.calculate_size(size, options)
}

fn rule(node: &ParseNode, options: &Options, context: &KatexContext) -> Built {
    let ParseNode::Rule(rule) = node else {
        return original(node, options, context);
    };
    let (width, height) = (
        em(&rule.width, options, context)?,
        em(&rule.height, options, context)?,
    );
    let shift = match &rule.shift {
        Some(shift) => em(shift, options, context)?,
        None => 0.0,
    };
    let mut space = element(MathNodeType::Mspace, Vec::new());
    space.set_attribute("width", length(width));
    space.set_attribute("height", length(height));
    space.set_attribute(
        "mathbackground",
        options.color.as_deref().unwrap_or("currentcolor"),
    );
    if shift == 0.0 {
        return Ok(space.into());
    }
    let mut padded = element(MathNodeType::Mpadded, vec![space.into()]);
    padded.set_attribute("voffset", length(shift));
    padded.set_attribute("height", length((height + shift).max(0.0)));
    padded.set_attribute("depth", length((-shift).max(0.0)));
    Ok(padded.into())
}

/// A length in em, rounded as in KaTeX.
pub fn length(em: f64) -> String {
    let rounded = (em * 1e4).round() / 1e4;
    format!("{rounded}em")
}

fn raised(node: &ParseNode, options: &Options, context: &KatexContext) -> Built {
    let ParseNode::Raisebox(raised) = node else {
        return original(node, options, context);
    };
    let up = em(&raised.dy, options, context)?;
    let mut body = row(vec![build_group(context, &raised.body, options)?]);
    // Space for the raised content, as in KaTeX.
    let side = if up > 0.0 { "top" } else { "bottom" };
    body.set_attribute("x-style", format!("padding-{side}:{}", length(up.abs())));
    let mut padded = element(MathNodeType::Mpadded, vec![body.into()]);
    padded.set_attribute("voffset", length(up));
    Ok(padded.into())
}

/// A label, a reference, or `\nonumber`.
fn mark(node: &ParseNode, _: &Options, _: &KatexContext) -> Built {
    let mut mark = row(Vec::new());
    if let ParseNode::Html(html) = node {
        for (key, value) in &html.attributes {
            mark.set_attribute(key.as_str(), value.as_str());
        }
    }
    Ok(mark.into())
}

/// Program names are drawn with raised and lowered letters; all other commands
/// with two forms in KaTeX have a single character.
fn alternative(node: &ParseNode, options: &Options, context: &KatexContext) -> Built {
    let built = original(node, options, context)?;
    let ParseNode::HtmlMathMl(both) = node else {
        return Ok(built);
    };
    if !matches!(built.to_text().as_str(), "TeX" | "LaTeX" | "KaTeX") {
        return Ok(built);
    }
    Ok(make_row(build_expression(
        context, &both.html, options, None,
    )?))
}

fn fraction(node: &ParseNode, options: &Options, context: &KatexContext) -> Built {
    let mut built = original(node, options, context)?;
    let ParseNode::Genfrac(fraction) = node else {
        return Ok(built);
    };
    let MathDomNode::Math(around) = &mut built else {
        return Ok(built);
    };
    // Without a fraction line, browsers make the delimiters too small. Source:
    // TeX's `delim1`.
    let minsize = if options.style == katex::style::DISPLAY {
        "2.39em"
    } else {
        "1.6em"
    };
    for child in &mut around.children {
        if let MathDomNode::Math(fence) = child
            && fence.attributes.contains_key("fence")
        {
            fence.set_attribute("minsize", minsize);
        }
    }
    // KaTeX only removes the backslash of the delimiters' names.
    let delimiters = [
        (&fraction.left_delim, 0),
        (
            &fraction.right_delim,
            around.children.len().saturating_sub(1),
        ),
    ];
    for (delimiter, at) in delimiters {
        let symbol = delimiter
            .as_ref()
            .and_then(|name| context.symbols.get_math(name));
        if let (Some(symbol), Some(MathDomNode::Math(fence))) =
            (symbol, around.children.get_mut(at))
            && let Some(character) = symbol.replace
        {
            fence.children = vec![text(character)];
        }
    }
    Ok(built)
}
