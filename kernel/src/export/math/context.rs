//! Calls KaTeX: its settings, limits on its work, and short forms of its errors.

use super::definitions::OWN;
use super::{builders, definitions, table};
use katex::macro_expander::MacroMap;
use katex::mathml_tree::MathDomNode;
use katex::options::{FontShape, FontWeight, Options};
use katex::parser::parse_node::{AnyParseNode, NodeType, ParseNodeTag};
use katex::types::{ParseError, ParseErrorKind, Settings, StrictMode, StrictSetting, TrustSetting};
use katex::{KatexContext, build_mathml, style};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;

/// Limit of a formula in bytes: the time for parsing grows faster than its
/// length.
const LONGEST: usize = 50_000;
/// Maximum depth of groups; KaTeX recurses into each.
const DEEPEST: usize = 400;
/// Stack size of the parsing thread. The stack of a test's or a user's thread is
/// too small for what [`DEEPEST`] and the limits on definitions allow.
const STACK: usize = 1 << 30;
/// Commands that insert addresses, styles or names into the page.
const UNTRUSTED: [&str; 7] = [
    r"\href",
    r"\url",
    r"\includegraphics",
    r"\htmlClass",
    r"\htmlId",
    r"\htmlStyle",
    r"\htmlData",
];

static CONTEXT: LazyLock<KatexContext> = LazyLock::new(|| {
    let mut context = KatexContext::default();
    definitions::add(&mut context);
    builders::add(&mut context);
    let tables = &mut context.mathml_group_builders;
    tables.insert(NodeType::Array, table::build);
    for name in UNTRUSTED {
        if let Some(function) = context.functions.get(name) {
            let mut function = function.as_ref().clone();
            function.handler = Some(|context, _, _| {
                let name = context.func_name;
                Err(definitions::refusal(format!(
                    "{name} is not allowed in a page"
                )))
            });
            context.functions.insert(name.to_owned(), function.into());
        }
    }
    context
});

/// The lines of a formula, and the tag of the whole.
pub struct Tree {
    pub lines: Vec<Vec<MathDomNode>>,
    pub tag: Option<Vec<MathDomNode>>,
}

/// Parses a formula and passes it to `draw`; `None` for one that only defines
/// commands.
///
/// # Errors
/// The reason why it cannot be parsed or drawn, in one line.
pub fn read<T: Send>(
    latex: &str,
    display: bool,
    macros: &mut MacroMap,
    draw: impl FnOnce(Tree) -> Result<T, String> + Send,
) -> Result<Option<T>, String> {
    if latex.len() > LONGEST {
        let length = latex.len();
        return Err(format!(
            "the formula has {length} bytes, more than {LONGEST}; split it"
        ));
    }
    if depth(latex) > DEEPEST {
        return Err(format!("the formula has more than {DEEPEST} nested groups"));
    }
    let settings = Settings::builder()
        // For `\tag` and environments; the actual style is set below.
        .display_mode(true)
        .global_group(true)
        .strict(StrictSetting::Mode(StrictMode::Ignore))
        .trust(TrustSetting::Bool(false))
        .macros(macros.clone())
        .build();
    let work = move || {
        // A port of this size may still contain panics; one formula must not
        // abort the export of the page.
        let drawn = catch_unwind(AssertUnwindSafe(|| {
            let tree = tree(latex, display, &settings).map_err(|error| reason(&error))?;
            tree.map(draw).transpose()
        }));
        let drawn = drawn.unwrap_or_else(|_| Err("the formula could not be read".to_owned()));
        (drawn, settings.macros.take())
    };
    std::thread::scope(|scope| {
        let reader = std::thread::Builder::new()
            .stack_size(STACK)
            .spawn_scoped(scope, work)
            .map_err(|error| format!("no thread to read it in: {error}"))?;
        let (drawn, after) = reader
            .join()
            .map_err(|_| "the formula could not be read".to_owned())?;
        *macros = after;
        drawn
    })
}

fn tree(latex: &str, display: bool, settings: &Settings) -> Result<Option<Tree>, ParseError> {
    let mut nodes = katex::parse(&CONTEXT, latex, settings)?;
    let mut tag = None;
    if let [AnyParseNode::Tag(_)] = nodes.as_slice()
        && let Some(AnyParseNode::Tag(ParseNodeTag {
            body, tag: tags, ..
        })) = nodes.pop()
    {
        nodes = body;
        tag = Some(tags);
    }
    let drawn = |node: &AnyParseNode| !matches!(node, AnyParseNode::Internal(_));
    if !nodes.iter().any(drawn) && tag.is_none() {
        return Ok(None);
    }
    let options = options(display);
    let mut lines = Vec::new();
    for line in nodes.split(|node| matches!(node, AnyParseNode::Cr(cr) if cr.new_line)) {
        lines.push(build_mathml::build_expression(
            &CONTEXT, line, &options, None,
        )?);
    }
    // A `\\` at the end begins an empty line.
    while lines.len() > 1 && lines.last().is_some_and(Vec::is_empty) {
        lines.pop();
    }
    let tag = match tag {
        Some(tag) => Some(build_mathml::build_expression(
            &CONTEXT, &tag, &options, None,
        )?),
        None => None,
    };
    Ok(Some(Tree { lines, tag }))
}

fn options(display: bool) -> Options {
    Options {
        style: if display { style::DISPLAY } else { style::TEXT },
        color: None,
        size: Options::BASESIZE,
        text_size: Options::BASESIZE,
        phantom: false,
        font: String::new(),
        font_family: String::new(),
        font_weight: FontWeight::Empty,
        font_shape: FontShape::Empty,
        size_multiplier: 1.0,
        max_size: f64::INFINITY,
        min_rule_thickness: 0.0,
    }
}

/// The maximum depth of groups; commands without braces may nest, too.
fn depth(latex: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut rest = latex;
    while let Some(at) = rest.find(['\\', '{', '}']) {
        let tail = &rest[at..];
        let mut step = 1;
        match tail.strip_prefix('\\') {
            Some(name) if name.starts_with("begin") || name.starts_with("left") => depth += 1,
            Some(name) if name.starts_with("end") || name.starts_with("right") => {
                depth = depth.saturating_sub(1);
            }
            // Skips escaped characters: `\{` opens nothing.
            Some(name) => step += name.chars().next().map_or(0, char::len_utf8),
            None if tail.starts_with('{') => depth += 1,
            None => depth = depth.saturating_sub(1),
        }
        deepest = deepest.max(depth);
        rest = &tail[step..];
    }
    deepest
}

/// The reason for an error, without the excerpt of the formula that KaTeX
/// underlines.
fn reason(error: &ParseError) -> String {
    if let ParseErrorKind::StrictModeError { message, code } = error.kind.as_ref()
        && code == OWN
    {
        return message.clone();
    }
    error.kind.to_string()
}
