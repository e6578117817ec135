//! The output of `macro_rules!` without function bodies and without examples.
//!
//! The standard library's integers are macros, expanded twelve times: most of what
//! rust-analyzer reads of it, unless their functions are emptied, too.

use ra_ap_syntax::{AstNode, NodeOrToken, SyntaxKind, SyntaxNode, SyntaxToken, TextRange, ast};
use std::collections::BTreeSet;

type Element = NodeOrToken<SyntaxNode, SyntaxToken>;

/// A range of the text, and its replacement.
pub type Cut = (TextRange, &'static str);

/// What can be removed from a macro's definition.
pub fn cuts(definition: &ast::MacroRules) -> Vec<Cut> {
    let mut cuts = Vec::new();
    let Some(rules) = definition.token_tree() else {
        return cuts;
    };
    // Patterns and outputs alternate; a pattern must stay unchanged.
    let trees = rules.syntax().children().filter(is_tree);
    for written in trees.skip(1).step_by(2) {
        bodies(&written, &written, &mut cuts);
        examples(&written, &mut cuts);
    }
    cuts
}

fn is_tree(node: &SyntaxNode) -> bool {
    node.kind() == SyntaxKind::TOKEN_TREE
}

/// The bodies of functions in this tree. `repeated` is the enclosing repetition, which is expanded
/// as often as its variables determine.
fn bodies(tree: &SyntaxNode, repeated: &SyntaxNode, cuts: &mut Vec<Cut>) {
    let elements: Vec<Element> = tree.children_with_tokens().filter(is_no_trivia).collect();
    let mut at = 0;
    while at < elements.len() {
        if let Some(length) = function(&elements[at..])
            && let NodeOrToken::Node(body) = &elements[at + length]
        {
            if can_go(body, repeated) {
                cuts.push((body.text_range(), "{}"));
            }
            at += length;
        } else if let NodeOrToken::Node(inner) = &elements[at] {
            let repeats = at > 0 && elements[at - 1].kind() == SyntaxKind::DOLLAR;
            bodies(inner, if repeats { inner } else { repeated }, cuts);
        }
        at += 1;
    }
}

fn is_no_trivia(element: &Element) -> bool {
    !element.kind().is_trivia()
}

/// The distance from a `fn` to its body; only if it is certainly a function.
fn function(elements: &[Element]) -> Option<usize> {
    use SyntaxKind::{DOLLAR, FN_KW, IDENT, IMPL_KW, MINUS, R_ANGLE, WHERE_KW};
    let kind = |at: usize| elements.get(at).map(Element::kind);
    let opens = |at: usize, bracket: SyntaxKind| {
        let node = elements.get(at).and_then(|element| element.as_node());
        node.filter(|node| is_tree(node))
            .and_then(SyntaxNode::first_token)
            .is_some_and(|token| token.kind() == bracket)
    };
    if kind(0) != Some(FN_KW) {
        return None;
    }
    let mut at = if kind(1) == Some(DOLLAR) { 3 } else { 2 };
    if kind(at - 1) != Some(IDENT) {
        return None;
    }
    // Generics: anything before the parameters, as long as it ends.
    if kind(at) == Some(SyntaxKind::L_ANGLE) {
        at += elements[at..].iter().position(|e| e.as_node().is_some())?;
    }
    if !opens(at, SyntaxKind::L_PAREN) || kind(at - 1) == Some(DOLLAR) {
        return None;
    }
    at += 1;
    if opens(at, SyntaxKind::L_CURLY) {
        return Some(at);
    }
    let arrow = (kind(at) == Some(MINUS) && kind(at + 1) == Some(R_ANGLE))
        || kind(at) == Some(SyntaxKind::THIN_ARROW);
    if !arrow && kind(at) != Some(WHERE_KW) {
        return None;
    }
    let ends = |kind: SyntaxKind| {
        let item = [
            FN_KW,
            IMPL_KW,
            SyntaxKind::PUB_KW,
            SyntaxKind::SEMICOLON,
            SyntaxKind::EQ,
            SyntaxKind::POUND,
        ];
        item.contains(&kind)
    };
    while let Some(kind) = kind(at) {
        if opens(at, SyntaxKind::L_CURLY) {
            return Some(at);
        }
        if ends(kind) {
            return None;
        }
        at += 1;
    }
    None
}

/// Whether every variable of a body also occurs elsewhere in the repetition: the variables
/// determine the number of repetitions.
fn can_go(body: &SyntaxNode, repeated: &SyntaxNode) -> bool {
    let outside = variables(repeated, Some(body.text_range()));
    let is_repeated = repeated
        .prev_sibling_or_token()
        .is_some_and(|before| before.kind() == SyntaxKind::DOLLAR);
    !is_repeated || variables(body, None).is_subset(&outside)
}

/// The names after a `$`.
fn variables(tree: &SyntaxNode, without: Option<TextRange>) -> BTreeSet<String> {
    let tokens = tree
        .descendants_with_tokens()
        .filter_map(NodeOrToken::into_token);
    let mut names = BTreeSet::new();
    let mut after_dollar = false;
    for token in
        tokens.filter(|token| without.is_none_or(|range| !range.contains_range(token.text_range())))
    {
        if after_dollar {
            names.insert(token.text().to_owned());
        }
        after_dollar = token.kind() == SyntaxKind::DOLLAR;
    }
    names
}

/// Whether it is a heading: in an example, a line `# use x;` is hidden code.
fn is_words(heading: &str) -> bool {
    let mut chars = heading.trim_end().chars();
    chars.clone().next().is_some_and(char::is_uppercase)
        && chars.all(|c| c.is_alphabetic() || c == ' ')
}

/// The examples in the documentation, line by line: a macro expands every line of them
/// to an attribute.
fn examples(written: &SyntaxNode, cuts: &mut Vec<Cut>) {
    let text = written.text().to_string();
    let start = written.text_range().start();
    let (mut at, mut inside) = (0, false);
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim();
        let comment = trimmed.strip_prefix("///");
        let is_doc =
            comment.is_some() || (trimmed.starts_with("#[doc = ") && trimmed.ends_with(']'));
        if let Some(heading) = comment.and_then(|c| c.trim_start().strip_prefix("# ")) {
            inside = heading.starts_with("Example") || (inside && !is_words(heading));
        }
        inside &= is_doc;
        if inside {
            let range = TextRange::at(
                ra_ap_syntax::TextSize::new(at as u32),
                ra_ap_syntax::TextSize::of(line),
            );
            let range = range + start;
            if !cuts
                .iter()
                .any(|(cut, _)| cut.intersect(range).is_some_and(|both| !both.is_empty()))
            {
                cuts.push((range, ""));
            }
        }
        at += line.len();
    }
}

#[cfg(test)]
mod tests {
    use super::super::slim;

    #[test]
    fn functions_that_macros_write_are_empty_and_keep_their_documentation() {
        let macros = |body: &str, docs: &str| {
            format!(
                "macro_rules! int {{\n    ($T:ty, fn $n:ident() {{ 1 }}) => {{\n        /// Adds.\n        ///\n{docs}\
                 \x20       #[inline]\n        pub const fn add<const N: usize>(self, x: [$T; 2]) -> Option<&'a $T> {body}\n\
                 \x20       fn $n() {body}\n        fn p(f: fn(u8) -> u8) where Self: Sized {body}\n    }};\n\
                 \x20   ($($n:ident)*) => ($( impl $n {{ fn a(&self) {body} }} )*);\n}}\n"
            )
        };
        let docs = "        /// # Examples\n        ///\n        /// ```\n        /// # Ok::<(), ()>(())\n\
                    \x20       #[doc = concat!(\"assert!(\", stringify!($T), \")\")]\n        /// ```\n";
        let panics = "        /// # Panics\n        /// Never.\n";
        let all = macros("{ let x = { 1 }; x }", &format!("{docs}{panics}"));
        assert_eq!(slim(&all), macros("{}", panics));
    }

    #[test]
    fn what_may_be_needed_stays() {
        // A variable that determines the repetition; a body that is a variable, or none; a pattern;
        // no function.
        for kept in [
            "macro_rules! m { ($($x:expr)*) => { $( fn f() { $x } )* } }",
            "macro_rules! m { ($b:tt) => { fn f() $b impl X { a } fn g(); struct S { a: u8 } } }",
            "macro_rules! m { (fn f() { $a:ty }) => { type A = fn($a) -> u8; struct B { c: $a } } }",
            "macro_rules! m { ($n:ident $($a:tt)*) => { fn $n $($a)* impl X { a } } }",
        ] {
            assert_eq!(slim(kept), kept);
        }
        let variable_elsewhere =
            "macro_rules! m { ($($x:ty)*) => { $( impl A for $x { fn f() { $x } } )* } }";
        assert!(slim(variable_elsewhere).contains("fn f() {}"));
    }
}
