//! Parses the declarations of the parameters cell.

use super::declared::{Declared, Unknown, bare, with_unit};
use super::infer::{is_literal, of_expr};
use super::kind::Kind;
use super::written::{has_gap, of_type};
use crate::read::{commands, is_too_deep, words};
use ra_ap_syntax::ast::{self, AstNode, HasName, HasVisibility};
use ra_ap_syntax::{Edition, SourceFile, SyntaxKind, SyntaxNode, TextRange};

/// Text before the cell's source when it is parsed: statements are only allowed in a function.
const BEFORE: &str = "fn cell() {\n";

/// The names that a cell declares at its top level, in order; of a redeclared name only the
/// last.
///
/// # Errors
/// Source that cannot be parsed as Rust, with the line.
pub fn declarations(source: &str) -> Result<Vec<Declared>, String> {
    let (_, rust) = commands::split(source, &|_| false);
    if is_too_deep(&rust) {
        return Err("the parameters cell is nested too deep to be read".to_owned());
    }
    let wrapped = format!("{BEFORE}{rust}\n}}");
    let parse = SourceFile::parse(&wrapped, Edition::Edition2024);
    if let Some(error) = parse.errors().first() {
        let at = usize::from(error.range().start()).clamp(BEFORE.len(), wrapped.len());
        let line = 1 + wrapped.as_bytes()[BEFORE.len()..at]
            .iter()
            .filter(|&&b| b == b'\n')
            .count();
        return Err(format!(
            "the parameters cell cannot be read: line {line}: {error}"
        ));
    }
    let file = parse.tree();
    let function = file.syntax().children().find_map(ast::Fn::cast);
    let Some(body) = function.and_then(|function| function.body()?.stmt_list()) else {
        return Ok(Vec::new());
    };
    let mut reader = Reader {
        body: body.syntax().clone(),
        found: Vec::new(),
    };
    for node in body.syntax().children() {
        reader.statement(node);
    }
    Ok(reader.found)
}

struct Reader {
    body: SyntaxNode,
    found: Vec<Declared>,
}

/// A binding before its type is determined.
struct Binding {
    name: String,
    /// `let mut name`; empty for an item.
    start: String,
    head: String,
    ty: Option<ast::Type>,
    value: Option<ast::Expr>,
    statement: TextRange,
    constant: bool,
}

impl Reader {
    fn statement(&mut self, node: SyntaxNode) {
        if let Some(statement) = ast::LetStmt::cast(node.clone()) {
            if let Some(pattern) = statement.pat() {
                let head = head(&node, statement.let_token(), statement.initializer());
                let range = node.text_range();
                self.pattern(
                    &pattern,
                    head,
                    statement.ty(),
                    statement.initializer(),
                    range,
                );
            }
        } else if let Some(item) = ast::Const::cast(node.clone()) {
            let start = item.visibility().map(|v| v.syntax().text_range().start());
            let head = item_head(&node, start, item.const_token(), item.eq_token());
            self.item(item.name(), head, item.ty(), &node);
        } else if let Some(item) = ast::Static::cast(node.clone()) {
            let start = item.visibility().map(|v| v.syntax().text_range().start());
            let head = item_head(&node, start, item.static_token(), item.eq_token());
            self.item(item.name(), head, item.ty(), &node);
        }
    }

    fn item(
        &mut self,
        name: Option<ast::Name>,
        head: Option<String>,
        ty: Option<ast::Type>,
        node: &SyntaxNode,
    ) {
        let (Some(name), Some(head)) = (name, head) else {
            return;
        };
        self.binding(Binding {
            name: name.text().to_string(),
            start: String::new(),
            head,
            ty,
            value: node.children().filter_map(ast::Expr::cast).last(),
            statement: node.text_range(),
            constant: true,
        });
    }

    /// `head` is only set for the pattern of the whole statement.
    fn pattern(
        &mut self,
        pattern: &ast::Pat,
        head: Option<String>,
        ty: Option<ast::Type>,
        value: Option<ast::Expr>,
        statement: TextRange,
    ) {
        match pattern {
            ast::Pat::IdentPat(ident)
                if ident.ref_token().is_none()
                    && ident.at_token().is_none()
                    && ident.name().is_some() =>
            {
                let name = ident
                    .name()
                    .map(|name| name.text().to_string())
                    .unwrap_or_default();
                let mutable = if ident.mut_token().is_some() {
                    "mut "
                } else {
                    ""
                };
                let typed = ty.as_ref().map(|ty| format!(": {}", ty.syntax().text()));
                let start = format!("let {mutable}{name}");
                let own = || format!("{start}{} = ", typed.unwrap_or_default());
                self.binding(Binding {
                    head: head.unwrap_or_else(own),
                    start,
                    name,
                    ty,
                    value,
                    statement,
                    constant: false,
                });
            }
            ast::Pat::ParenPat(inner) => {
                if let Some(inner) = inner.pat() {
                    self.pattern(&inner, None, ty, value, statement);
                }
            }
            ast::Pat::TuplePat(tuple)
                if !tuple.fields().any(|p| matches!(p, ast::Pat::RestPat(_))) =>
            {
                self.tuple(tuple, ty, value, statement);
            }
            other => self.names(other.syntax()),
        }
    }

    /// `let (a, b) = (1, 2);` declares two names.
    fn tuple(
        &mut self,
        tuple: &ast::TuplePat,
        ty: Option<ast::Type>,
        value: Option<ast::Expr>,
        statement: TextRange,
    ) {
        let fields: Vec<_> = tuple.fields().collect();
        let types: Option<Vec<_>> = match ty {
            Some(ast::Type::TupleType(types)) => Some(types.fields().collect()),
            _ => None,
        };
        let values: Option<Vec<_>> = match value {
            Some(ast::Expr::TupleExpr(values)) => Some(values.fields().collect()),
            _ => None,
        };
        let fits = |len: Option<usize>| len.is_none_or(|len| len == fields.len());
        let known = types.is_some() || values.is_some();
        if !known || !fits(types.as_ref().map(Vec::len)) || !fits(values.as_ref().map(Vec::len)) {
            return self.names(tuple.syntax());
        }
        for (n, field) in fields.iter().enumerate() {
            let ty = types.as_ref().map(|types| types[n].clone());
            let value = values.as_ref().map(|values| values[n].clone());
            self.pattern(field, None, ty, value, statement);
        }
    }

    /// Names whose types are not determined.
    fn names(&mut self, pattern: &SyntaxNode) {
        let names = pattern.descendants().filter_map(ast::IdentPat::cast);
        for name in names.filter_map(|ident| ident.name()) {
            self.push(Declared {
                name: name.text().to_string(),
                start: String::new(),
                head: String::new(),
                kind: Err(Unknown::Pattern),
                ty: "bound by a pattern".to_owned(),
                default: String::new(),
                annotated: false,
                inferred: false,
                constant: false,
            });
        }
    }

    fn binding(&mut self, binding: Binding) {
        let Binding {
            name,
            start,
            head,
            ty,
            value,
            statement,
            constant,
        } = binding;
        let known = |name: &str| {
            let found = self.found.iter().find(|declared| declared.is(name))?;
            found.kind.clone().ok()
        };
        let of_value = || of_expr(value.as_ref()?, &known);
        let (kind, annotated) = match &ty {
            // `Vec<_>`
            Some(ty) if has_gap(ty) => (of_value().ok_or(Unknown::Inference), false),
            // A literal with an unknown type name, such as an alias, is written in the same
            // way.
            Some(ty) => match (of_type(ty), &value) {
                (Some(kind), _) => (Ok(with_unit(kind, of_value())), true),
                (None, Some(value)) if is_literal(value) => (of_value().ok_or(Unknown::Type), true),
                (None, _) => (Err(Unknown::Type), true),
            },
            None => (of_value().ok_or(Unknown::Inference), false),
        };
        let open = kind.as_ref().is_ok_and(Kind::is_open);
        let gap = !annotated && ty.is_some();
        let inferred =
            kind.is_ok() && (gap || (open && !annotated && self.mentions(&name, statement)));
        let kind = kind.map(|kind| match (annotated, inferred) {
            (true, _) => kind,
            (false, true) => kind.said_by_value(),
            // Nothing else in the cell influences it.
            (false, false) => kind.said_by_value().settled(),
        });
        let written = ty
            .filter(|_| annotated)
            .map(|ty| ty.syntax().text().to_string());
        let inferred_name = || {
            kind.as_ref()
                .map_or("type not known".to_owned(), Kind::to_string)
        };
        let ty = written.unwrap_or_else(inferred_name);
        self.push(Declared {
            name,
            start,
            head,
            kind,
            ty,
            default: value
                .map(|value| value.syntax().text().to_string())
                .unwrap_or_default(),
            annotated,
            inferred,
            constant,
        });
    }

    fn push(&mut self, declared: Declared) {
        self.found.retain(|earlier| !earlier.is(&declared.name));
        self.found.push(declared);
    }

    /// Whether the cell mentions a name outside of its declaration.
    fn mentions(&self, name: &str, statement: TextRange) -> bool {
        let tokens = self
            .body
            .descendants_with_tokens()
            .filter_map(|element| element.into_token());
        let mut others = tokens.filter(|token| {
            token.kind() != SyntaxKind::COMMENT && !statement.contains_range(token.text_range())
        });
        others.any(|token| words::of(token.text()).contains(bare(name)))
    }
}

/// The text of a `let` up to its value.
fn head(
    statement: &SyntaxNode,
    keyword: Option<ra_ap_syntax::SyntaxToken>,
    value: Option<ast::Expr>,
) -> Option<String> {
    let text = statement.text().to_string();
    let begin = statement.text_range().start();
    let start = usize::from(keyword?.text_range().start() - begin);
    Some(match value {
        Some(value) => {
            text[start..usize::from(value.syntax().text_range().start() - begin)].to_owned()
        }
        None => format!("{} = ", text[start..].trim_end_matches(';').trim_end()),
    })
}

/// The text of an item from its visibility or keyword to the `=`, and a blank.
fn item_head(
    item: &SyntaxNode,
    visibility: Option<ra_ap_syntax::TextSize>,
    keyword: Option<ra_ap_syntax::SyntaxToken>,
    equals: Option<ra_ap_syntax::SyntaxToken>,
) -> Option<String> {
    let begin = item.text_range().start();
    let start = visibility.unwrap_or(keyword?.text_range().start());
    let text = item.text().to_string();
    let range = usize::from(start - begin)..usize::from(equals?.text_range().end() - begin);
    Some(format!("{} ", &text[range]))
}
