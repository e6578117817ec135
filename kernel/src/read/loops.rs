//! Where a cell's own loops check for interrupts.
//!
//! A loop that computes can only be ended from within, so the session inserts a check at the start
//! of its body: a load and a branch. In most loops this costs next to nothing. But a loop of two or
//! three instructions takes half as long again with a check, and LLVM does not vectorise a loop
//! with an additional exit. Such loops get no check if the text shows that they end soon: nothing
//! is called in them, and each iteration takes another element of something in memory.
//!
//! The text shows no types. An operator may be a function of some crate, and `for x in it` may
//! use an infinite iterator: such a loop without calls is not interrupted.

use ra_ap_syntax::ast::{self, AstNode, HasArgList, HasAttrs, HasLoopBody, HasName, RangeItem};
use ra_ap_syntax::{SyntaxKind, SyntaxNode, T, TextSize};

#[cfg(test)]
mod tests;

/// A loop over at most this many numbers, according to its head, counts as its repeated statements:
/// LLVM unrolls it.
const UNROLLED: i64 = 8;

/// Functions and methods, mostly of numbers, that compile to one or a few instructions.
const CHEAP: [&str; 38] = [
    "abs",
    "abs_diff",
    "ceil",
    "clamp",
    "copied",
    "copysign",
    "count_ones",
    "div_euclid",
    "floor",
    "fract",
    "from",
    "from_bits",
    "get",
    "get_mut",
    "get_unchecked",
    "get_unchecked_mut",
    "into",
    "is_empty",
    "is_finite",
    "is_nan",
    "leading_zeros",
    "len",
    "max",
    "min",
    "mul_add",
    "pow",
    "powi",
    "recip",
    "rem_euclid",
    "rotate_left",
    "rotate_right",
    "round",
    "signum",
    "sqrt",
    "to_bits",
    "trailing_zeros",
    "trunc",
    "unwrap",
];
/// Prefixes of the names of more such functions.
const CHEAP_FAMILIES: [&str; 5] = [
    "checked_",
    "is_ascii",
    "overflowing_",
    "saturating_",
    "wrapping_",
];
/// Methods that iterate over something in memory, whatever it is.
const OVER_MEMORY: [&str; 11] = [
    "as_bytes",
    "bytes",
    "char_indices",
    "chars",
    "chunks",
    "chunks_exact",
    "chunks_exact_mut",
    "chunks_mut",
    "iter",
    "iter_mut",
    "windows",
];
/// Methods of iterators that yield at most as many items as their receiver, and call nothing.
const ADAPTERS: [&str; 8] = [
    "cloned",
    "copied",
    "enumerate",
    "into_iter",
    "rev",
    "skip",
    "step_by",
    "take",
];

/// Byte offsets (in the parsed text) just after the `{` of the bodies of the loops that need
/// a check, in ascending order.
///
/// A tree shows only some of its parser's errors. The caller, who has parsed the text, must get all
/// of them first, and insert nothing if there are any.
pub fn checks(root: &SyntaxNode) -> Vec<TextSize> {
    if root.descendants().any(|n| n.kind() == SyntaxKind::ERROR) {
        return Vec::new();
    }
    let mut offsets: Vec<TextSize> = root
        .descendants()
        .filter_map(|node| {
            let body = body_of_due(&node)?;
            may_unwind(&node).then(|| start(&body))?
        })
        .collect();
    // A loop in the head of another comes after it in the tree.
    offsets.sort_unstable();
    offsets
}

/// Where the statements of a block begin: after the attributes of the block itself.
fn start(block: &ast::BlockExpr) -> Option<TextSize> {
    let list = block.stmt_list()?;
    let brace = list.l_curly_token()?.text_range().end();
    let inner = list
        .syntax()
        .children_with_tokens()
        .filter(|element| match element.kind() {
            SyntaxKind::ATTR => element.to_string().starts_with("#!"),
            SyntaxKind::COMMENT => ["//!", "/*!"]
                .iter()
                .any(|mark| element.to_string().starts_with(mark)),
            _ => false,
        });
    let Some(last) = inner.last() else {
        return Some(brace);
    };
    // A comment may extend to the end of its line.
    let space = last
        .next_sibling_or_token()
        .filter(|next| next.kind() == SyntaxKind::WHITESPACE);
    Some(space.unwrap_or(last).text_range().end())
}

/// Whether code at this position runs in the process, and may unwind.
fn may_unwind(node: &SyntaxNode) -> bool {
    for (inner, outer) in node.ancestors().zip(node.ancestors().skip(1)) {
        let computed_by_the_compiler = match outer.kind() {
            // What surrounds a function does not matter.
            SyntaxKind::FN => return ast::Fn::cast(outer).is_some_and(|f| is_plain(&f)),
            // The value of a constant, the length of an array, the number of a variant.
            SyntaxKind::CONST
            | SyntaxKind::STATIC
            | SyntaxKind::CONST_ARG
            | SyntaxKind::CONST_PARAM
            | SyntaxKind::VARIANT => true,
            SyntaxKind::BLOCK_EXPR => {
                ast::BlockExpr::cast(outer).is_some_and(|b| b.const_token().is_some())
            }
            SyntaxKind::ARRAY_EXPR => ast::ArrayExpr::cast(outer)
                .and_then(|array| array.semicolon_token())
                .is_some_and(|s| s.text_range().start() < inner.text_range().start()),
            _ => false,
        };
        if computed_by_the_compiler {
            return false;
        }
    }
    true
}

/// Whether a function runs in the process and not in the compiler, and may unwind.
fn is_plain(function: &ast::Fn) -> bool {
    let unwinds = function.abi().is_none_or(|abi| {
        abi.string_token().is_some_and(|name| {
            let name = name.text().trim_matches('"');
            name == "Rust" || name.ends_with("-unwind")
        })
    });
    let exported = function.attrs().any(|attr| {
        let text = attr.syntax().text().to_string();
        text.contains("no_mangle") || text.contains("export_name")
    });
    unwinds && !exported && function.const_token().is_none()
}

/// The body of a loop, if it needs a check.
fn body_of_due(node: &SyntaxNode) -> Option<ast::BlockExpr> {
    // Not with `ast::AnyHasLoopBody`: it takes a block in the head for the body.
    match ast::Expr::cast(node.clone())? {
        ast::Expr::LoopExpr(l) => l.loop_body(),
        ast::Expr::WhileExpr(l) if !counts_through_memory(&l).unwrap_or(false) => l.loop_body(),
        ast::Expr::ForExpr(l) if !is_unrolled(&l) && !goes_through_memory(&l).unwrap_or(false) => {
            l.loop_body()
        }
        _ => None,
    }
}

/// Whether a loop takes an element of something in each iteration and calls nothing.
fn goes_through_memory(l: &ast::ForExpr) -> Option<bool> {
    let (pattern, head, body) = (l.pat()?, l.iterable()?, l.loop_body()?);
    let names: Vec<String> = pattern
        .syntax()
        .descendants()
        .filter_map(|node| Some(ast::IdentPat::cast(node)?.name()?.to_string()))
        .collect();
    Some(is_light(body.syntax()) && is_bounded(&head, has_index(body.syntax(), &names)))
}

/// The same for `while i < n { .. i += 1; .. }`.
fn counts_through_memory(l: &ast::WhileExpr) -> Option<bool> {
    let body = l.loop_body()?;
    let ast::Expr::BinExpr(condition) = l.condition()? else {
        return None;
    };
    let counter = vec![condition.lhs()?.syntax().text().to_string()];
    let mut assigned = body
        .syntax()
        .descendants()
        .filter_map(ast::BinExpr::cast)
        .filter(|b| matches!(b.op_kind(), Some(ast::BinaryOp::Assignment { .. })))
        .filter(|b| match b.lhs() {
            Some(ast::Expr::IndexExpr(_) | ast::Expr::FieldExpr(_)) | None => false,
            Some(lhs) => mentions(lhs.syntax(), &counter),
        });
    let (step, other) = (assigned.next()?, assigned.next());
    // Neither in a branch nor skipped.
    let list = body.stmt_list()?.syntax().clone();
    let always = step.syntax().ancestors().skip(1).take(2).any(|n| n == list)
        && !list
            .descendants()
            .any(|n| n.kind() == SyntaxKind::CONTINUE_EXPR);
    let counts = always
        && other.is_none()
        && matches!(condition.op_token()?.kind(), T![<] | T![<=])
        && step.op_token()?.kind() == T![+=]
        && step.rhs()?.syntax().text() == "1";
    let light = is_light(condition.syntax()) && is_light(body.syntax());
    Some(counts && light && has_index(body.syntax(), &counter))
}

/// Whether an iterator iterates over memory; a range does if its numbers are `indices`.
fn is_bounded(iterator: &ast::Expr, indices: bool) -> bool {
    let within = |inner: Option<ast::Expr>| inner.is_some_and(|e| is_bounded(&e, indices));
    match iterator {
        ast::Expr::ParenExpr(e) => within(e.expr()),
        ast::Expr::RefExpr(e) => within(e.expr()),
        ast::Expr::RangeExpr(e) => indices && e.end().is_some(),
        ast::Expr::MethodCallExpr(call) => {
            let name = call.name_ref().map(|n| n.to_string());
            let argument = call.arg_list().and_then(|list| list.args().next());
            match name.as_deref().unwrap_or_default() {
                "zip" => within(call.receiver()) || within(argument),
                "chain" => within(call.receiver()) && within(argument),
                "map" | "filter" => match argument {
                    Some(ast::Expr::ClosureExpr(f)) => {
                        is_light(f.syntax()) && within(call.receiver())
                    }
                    _ => false,
                },
                name => {
                    OVER_MEMORY.contains(&name)
                        || ADAPTERS.contains(&name) && within(call.receiver())
                }
            }
        }
        ast::Expr::PathExpr(_)
        | ast::Expr::FieldExpr(_)
        | ast::Expr::IndexExpr(_)
        | ast::Expr::ArrayExpr(_) => true,
        _ => false,
    }
}

/// Whether LLVM unrolls a loop.
fn is_unrolled(l: &ast::ForExpr) -> bool {
    is_short(l) && l.loop_body().is_some_and(|body| is_light(body.syntax()))
}

/// Whether this is a loop over a few numbers.
fn is_short(l: &ast::ForExpr) -> bool {
    let number = |e: ast::Expr| e.syntax().text().to_string().parse::<i64>().ok();
    let Some(ast::Expr::RangeExpr(range)) = l.iterable() else {
        return false;
    };
    let (first, last) = (range.start().and_then(number), range.end().and_then(number));
    first
        .zip(last)
        .is_some_and(|(first, last)| last.saturating_sub(first) <= UNROLLED)
}

/// Whether an element is indexed by one of these names, so that memory limits their range.
fn has_index(body: &SyntaxNode, names: &[String]) -> bool {
    body.descendants().any(|node| {
        let index = match ast::Expr::cast(node) {
            Some(ast::Expr::IndexExpr(e)) => e.index().map(|index| index.syntax().clone()),
            Some(ast::Expr::MethodCallExpr(call)) => call
                .name_ref()
                .filter(|name| name.text().starts_with("get_unchecked"))
                .and_then(|_| Some(call.arg_list()?.syntax().clone())),
            _ => None,
        };
        index.is_some_and(|index| {
            // `a[i % 8]` does not limit the range of `i`, and a call may do the same.
            let folds = index.descendants_with_tokens().any(|e| {
                let calls = matches!(
                    e.kind(),
                    SyntaxKind::CALL_EXPR | SyntaxKind::METHOD_CALL_EXPR
                );
                calls || matches!(e.kind(), T![%] | T![/] | T![&] | T![>>])
            });
            !folds && mentions(&index, names)
        })
    })
}

fn mentions(code: &SyntaxNode, names: &[String]) -> bool {
    code.descendants()
        .filter_map(ast::NameRef::cast)
        .any(|name| names.iter().any(|n| *n == name.text()))
}

/// Whether code has only short loops, and calls nothing that may take long.
fn is_light(code: &SyntaxNode) -> bool {
    code.descendants().all(|node| {
        if node.kind() == SyntaxKind::MACRO_CALL {
            return false;
        }
        match ast::Expr::cast(node) {
            Some(ast::Expr::CallExpr(call)) => {
                let name = match call.expr() {
                    Some(ast::Expr::PathExpr(path)) => path.path().and_then(|p| p.segment()),
                    _ => None,
                };
                // `Some(x)`, or any other tuple struct or variant.
                name.and_then(|segment| segment.name_ref())
                    .is_some_and(|n| is_cheap(n.text()) || n.text().starts_with(char::is_uppercase))
            }
            Some(ast::Expr::MethodCallExpr(call)) => {
                call.name_ref().is_some_and(|n| is_cheap(n.text()))
            }
            Some(ast::Expr::ForExpr(l)) => is_short(&l),
            Some(ast::Expr::LoopExpr(_) | ast::Expr::WhileExpr(_) | ast::Expr::AwaitExpr(_)) => {
                false
            }
            _ => true,
        }
    })
}

fn is_cheap(function: &str) -> bool {
    CHEAP.contains(&function) || CHEAP_FAMILIES.iter().any(|f| function.starts_with(f))
}
