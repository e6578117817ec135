//! Commands by which formulas define others, as in MathJax, and the predefined
//! commands.

use katex::KatexContext;
use katex::define_function::{FunctionContext, FunctionDefSpec, FunctionHandler, FunctionPropSpec};
use katex::macro_expander::MacroMap;
use katex::macros::{MacroContextInterface, MacroDefinition, MacroExpansion, MacroExpansionResult};
use katex::parser::parse_node::{NodeType, ParseNode, ParseNodeInternal};
use katex::types::{ParseError, ParseErrorKind, Token};
use std::sync::{Arc, LazyLock};

/// The longest definition, in tokens. With KaTeX's limit on expansions it limits
/// the size of an expanded formula.
const LONGEST: usize = 2000;
/// How often a definition may mention its arguments.
const MOST_ARGUMENTS: usize = 64;
/// Maximum depth of the braces in a definition.
const DEEPEST: usize = 24;

/// The macros of a new page. Formulas cannot use names that begin with two
/// backslashes.
pub fn initial() -> MacroMap {
    let mut macros = MacroMap::default();
    for (name, body) in [
        // Commands of common packages that KaTeX does not have.
        (r"\mathds", r"\mathbb{#1}"),
        (r"\mathbbm", r"\mathbb{#1}"),
        (r"\require", r"\@gobble{#1}"),
    ] {
        macros.insert(name.to_owned(), MacroDefinition::StaticStr(body));
    }
    for (name, own) in [
        (r"\newcommand", r"\\newcommand"),
        (r"\renewcommand", r"\\newcommand"),
        (r"\providecommand", r"\\providecommand"),
        (r"\DeclareMathOperator", r"\\operator"),
        (r"\nonumber", r"\\nonumber"),
        (r"\notag", r"\\nonumber"),
        // KaTeX's versions write to the terminal.
        (r"\message", r"\message"),
        (r"\errmessage", r"\errmessage"),
        (r"\show", r"\show"),
    ] {
        let mut token = Token::new(own, None);
        token.noexpand = Some(true);
        let expansion = MacroExpansion {
            tokens: vec![token],
            ..MacroExpansion::default()
        };
        macros.insert(name.to_owned(), MacroDefinition::Expansion(expansion));
    }
    macros
}

/// Adds the defining commands to KaTeX's.
pub fn add(context: &mut KatexContext) {
    let commands: [(&[&str], FunctionHandler); 3] = [
        (&[r"\\newcommand", r"\\providecommand"], new_command),
        (&[r"\\operator"], declare_operator),
        (&[r"\def", r"\gdef", r"\edef", r"\xdef"], def),
    ];
    for (names, handler) in commands {
        context.define_function(FunctionDefSpec {
            node_type: Some(NodeType::Internal),
            names,
            props: FunctionPropSpec {
                allowed_in_text: true,
                allowed_in_argument: true,
                primitive: true,
                ..FunctionPropSpec::default()
            },
            handler: Some(handler),
            html_builder: None,
            mathml_builder: None,
        });
    }
}

/// Marks errors with our own messages.
pub const OWN: &str = "holoscope";

/// An error with our own message; KaTeX's type has no kind for one.
pub fn refusal(reason: impl Into<String>) -> ParseError {
    ParseError::new(ParseErrorKind::StrictModeError {
        message: reason.into(),
        code: OWN.to_owned(),
    })
}

fn nothing(context: &FunctionContext<'_, '_, '_>) -> ParseNode {
    ParseNode::Internal(ParseNodeInternal {
        mode: context.parser.mode,
        loc: None,
    })
}

/// `\newcommand{\name}[2][default]{..}`; as in MathJax, it may redefine any
/// name.
fn new_command(
    context: FunctionContext<'_, '_, '_>,
    _: Vec<ParseNode>,
    _: Vec<Option<ParseNode>>,
) -> Result<ParseNode, ParseError> {
    let gullet = &mut context.parser.gullet;
    if gullet.future_mut()?.text == "*" {
        gullet.pop_token()?;
    }
    let name = command_name(gullet)?;
    let mut count = 0;
    if let Some(text) = optional(gullet)? {
        let text: String = text.iter().rev().map(|token| token.text.as_str()).collect();
        count = match text.trim().parse() {
            Ok(count) if count <= 9 => count,
            _ => {
                return Err(refusal(format!(
                    "{name} cannot have [{text}] arguments; give a number from 0 to 9"
                )));
            }
        };
    }
    let default = optional(gullet)?;
    let mut body = gullet.consume_arg(None)?.tokens;
    check(&name, &body, count)?;
    if count == 0 {
        // KaTeX turns `##` into `#` only where it inserts arguments.
        body.dedup_by(|next, before| next.text == "#" && before.text == "#");
    }
    let definition = match default {
        Some(default) if count > 0 => with_default(body, count, default),
        _ => MacroDefinition::Expansion(MacroExpansion {
            tokens: body,
            num_args: count,
            ..MacroExpansion::default()
        }),
    };
    let keep = context.func_name == r"\\providecommand" && gullet.is_defined(&name);
    if !keep {
        gullet.macros_mut().set(&name, Some(definition), false);
    }
    Ok(nothing(&context))
}

/// `\DeclareMathOperator*{\name}{..}`.
fn declare_operator(
    context: FunctionContext<'_, '_, '_>,
    _: Vec<ParseNode>,
    _: Vec<Option<ParseNode>>,
) -> Result<ParseNode, ParseError> {
    let gullet = &mut context.parser.gullet;
    gullet.consume_spaces()?;
    let limits = gullet.future_mut()?.text == "*";
    if limits {
        gullet.pop_token()?;
    }
    let name = command_name(gullet)?;
    let body = gullet.consume_arg(None)?.tokens;
    check(&name, &body, 0)?;
    // Tokens of an expansion are stored in reverse order.
    let mut tokens = vec![Token::new("}", None)];
    tokens.extend(body);
    tokens.push(Token::new("{", None));
    if limits {
        tokens.push(Token::new("*", None));
    }
    tokens.push(Token::new(r"\operatorname", None));
    let expansion = MacroExpansion {
        tokens,
        ..MacroExpansion::default()
    };
    let definition = MacroDefinition::Expansion(expansion);
    gullet.macros_mut().set(&name, Some(definition), false);
    Ok(nothing(&context))
}

/// KaTeX's `\def`, with limits on the size of definitions.
fn def(
    context: FunctionContext<'_, '_, '_>,
    args: Vec<ParseNode>,
    optional: Vec<Option<ParseNode>>,
) -> Result<ParseNode, ParseError> {
    static ORIGINAL: LazyLock<Option<FunctionHandler>> = LazyLock::new(|| {
        let functions = KatexContext::default().functions;
        functions.get(r"\def").and_then(|def| def.handler)
    });
    let Some(original) = *ORIGINAL else {
        return Err(refusal(r"\def is not available"));
    };
    let name = context.parser.gullet.future_mut()?.text.to_owned_string();
    let parser = context.parser;
    let node = original(
        FunctionContext {
            func_name: context.func_name,
            parser: &mut *parser,
            token: context.token,
            break_on_token_text: context.break_on_token_text,
        },
        args,
        optional,
    )?;
    if let Some(MacroDefinition::Expansion(made)) = parser.gullet.macros().get(&name) {
        let checked = check(&name, &made.tokens, made.num_args);
        if checked.is_err() {
            parser.gullet.macros_mut().purge(&name);
        }
        checked?;
    }
    Ok(node)
}

/// A command whose first argument is optional.
fn with_default(body: Vec<Token>, count: usize, default: Vec<Token>) -> MacroDefinition {
    MacroDefinition::Function(Arc::new(move |context| {
        let first = optional_of(context)?.unwrap_or_else(|| default.clone());
        let mut arguments = vec![first];
        arguments.extend(context.consume_args(count - 1)?);
        let mut tokens = Vec::with_capacity(body.len());
        // Reverse order: a placeholder's digit comes before its `#`.
        let mut rest = body.iter().peekable();
        while let Some(token) = rest.next() {
            let argument = placeholder(token).and_then(|number| arguments.get(number - 1));
            match argument {
                Some(argument) if rest.peek().is_some_and(|next| next.text == "#") => {
                    rest.next();
                    tokens.extend(argument.iter().cloned());
                }
                _ => tokens.push(token.clone()),
            }
        }
        Ok(MacroExpansionResult::Expansion(MacroExpansion {
            tokens,
            ..MacroExpansion::default()
        }))
    }))
}

fn placeholder(token: &Token) -> Option<usize> {
    token.text.as_str().parse().ok().filter(|n| *n > 0)
}

/// The command that is to be defined: `\name` or `{\name}`.
fn command_name<'a>(gullet: &mut impl MacroContextInterface<'a>) -> Result<String, ParseError> {
    gullet.consume_spaces()?;
    let tokens = gullet.consume_arg(None)?.tokens;
    let mut tokens = tokens.iter().filter(|token| token.text != " ");
    match (tokens.next(), tokens.next()) {
        (Some(token), None) if token.text.as_str().starts_with('\\') => {
            Ok(token.text.to_owned_string())
        }
        _ => Err(ParseError::new(ParseErrorKind::ExpectedControlSequence)),
    }
}

fn optional<'a>(
    gullet: &mut impl MacroContextInterface<'a>,
) -> Result<Option<Vec<Token>>, ParseError> {
    optional_of(gullet)
}

/// The tokens between `[` and `]`, in reverse order, if these come next.
fn optional_of<'a>(
    gullet: &mut dyn MacroContextInterface<'a>,
) -> Result<Option<Vec<Token>>, ParseError> {
    gullet.consume_spaces()?;
    if gullet.future_mut()?.text != "[" {
        return Ok(None);
    }
    gullet.pop_token()?;
    let end = vec!["]".to_owned()];
    Ok(Some(gullet.consume_arg(Some(&end))?.tokens))
}

/// Refuses definitions that could fill the memory, and placeholders for
/// arguments that the command does not have.
fn check(name: &str, body: &[Token], count: usize) -> Result<(), ParseError> {
    if body.len() > LONGEST {
        return Err(refusal(format!(
            "the definition of {name} has {} tokens, more than {LONGEST}",
            body.len()
        )));
    }
    let (mut depth, mut deepest, mut mentions) = (0_usize, 0, 0);
    let mut tokens = body.iter().rev().map(|token| token.text.as_str());
    while let Some(token) = tokens.next() {
        match token {
            "{" => depth += 1,
            "}" => depth = depth.saturating_sub(1),
            "#" => match tokens.next() {
                // For a nested definition.
                Some("#") => {}
                Some(number) if number.parse().is_ok_and(|n| (1..=count).contains(&n)) => {
                    mentions += 1;
                }
                other => {
                    return Err(refusal(format!(
                        "the definition of {name} mentions #{}, but {name} has {count} arguments",
                        other.unwrap_or_default()
                    )));
                }
            },
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    if mentions > MOST_ARGUMENTS || deepest > DEEPEST {
        return Err(refusal(format!(
            "the definition of {name} is too large: at most {MOST_ARGUMENTS} arguments and {DEEPEST} braces in each other"
        )));
    }
    Ok(())
}
