//! The head of an `impl` or a `static`: what precedes its body.

use ra_ap_syntax::ast::{self, HasAttrs, HasGenericParams, HasName};
use ra_ap_syntax::{AstNode, NodeOrToken, SyntaxKind, SyntaxNode, T};

/// The part of an `impl` before its braces, and the names within.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImplHead {
    pub inherent: bool,
    /// The head's tokens.
    pub head: String,
    /// Words of the trait's path and of the type, in order.
    pub trait_words: Vec<String>,
    pub type_words: Vec<String>,
    /// Methods, constants and types.
    pub names: Vec<String>,
    /// Whether it contains an associated type or constant, on which types can depend.
    pub associated: bool,
}

/// The parts of a `static` that its declaration elsewhere needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticHead {
    pub mutable: bool,
    pub name: String,
    pub ty: String,
}

pub fn impl_head(item: &ast::Impl) -> ImplHead {
    let list = item.assoc_item_list();
    let end = list.as_ref().map(|list| list.syntax().text_range().start());
    let mut head = String::new();
    for token in item
        .syntax()
        .descendants_with_tokens()
        .filter_map(NodeOrToken::into_token)
        .filter(|token| end.is_none_or(|end| token.text_range().end() <= end))
    {
        let in_attribute = token
            .parent_ancestors()
            .any(|node| node.kind() == SyntaxKind::ATTR);
        if !token.kind().is_trivia() && !in_attribute {
            let glued = matches!(token.kind(), T![<] | T![>] | T![,] | T![::]);
            if !head.is_empty() && !glued && !head.ends_with(['<', ':']) {
                head.push(' ');
            }
            head.push_str(token.text());
        }
    }
    let generics: Vec<String> = item.generic_param_list().map_or_else(Vec::new, |list| {
        let names = list.type_or_const_params().filter_map(|param| match param {
            ast::TypeOrConstParam::Type(param) => param.name(),
            ast::TypeOrConstParam::Const(param) => param.name(),
        });
        names.map(|name| name.text().to_string()).collect()
    });
    let words = |ty: Option<ast::Type>| {
        let mut words = ordered_words(ty.as_ref().map(AstNode::syntax));
        words.retain(|word| !generics.contains(word));
        words
    };
    ImplHead {
        inherent: item.trait_().is_none(),
        head,
        trait_words: words(item.trait_()),
        type_words: words(item.self_ty()),
        associated: list.as_ref().is_some_and(|list| {
            list.assoc_items().any(|item| {
                matches!(
                    item,
                    ast::AssocItem::Const(_) | ast::AssocItem::TypeAlias(_)
                )
            })
        }),
        names: list.map_or_else(Vec::new, |list| assoc_names(&list)),
    }
}

pub fn assoc_names(list: &ast::AssocItemList) -> Vec<String> {
    let names = list.assoc_items().filter_map(|item| match item {
        ast::AssocItem::Const(item) => item.name(),
        ast::AssocItem::Fn(item) => item.name(),
        ast::AssocItem::TypeAlias(item) => item.name(),
        ast::AssocItem::MacroCall(_) => None,
    });
    names.map(|name| name.text().to_string()).collect()
}

pub fn static_head(item: &ast::Static) -> Option<StaticHead> {
    // Attributes may change how it is linked, or make it thread-local.
    let plain = item.attrs().next().is_none();
    plain.then_some(())?;
    Some(StaticHead {
        mutable: item.mut_token().is_some(),
        name: item.name()?.text().to_string(),
        ty: item.ty()?.syntax().text().to_string(),
    })
}

fn ordered_words(node: Option<&SyntaxNode>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let names = node
        .into_iter()
        .flat_map(SyntaxNode::descendants_with_tokens);
    for token in names.filter_map(NodeOrToken::into_token) {
        if token.kind() == SyntaxKind::IDENT && !found.iter().any(|word| word == token.text()) {
            found.push(token.text().to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use ra_ap_syntax::ast::HasModuleItem;
    use ra_ap_syntax::{Edition, SourceFile};

    #[test]
    fn an_impl_knows_what_it_is_for() {
        let code = "impl<T: Tr> From<A<T>> for Vec<B> { type X = T; fn f() {} } \
                    impl B { const N: u8 = 1; }";
        let parse = SourceFile::parse(code, Edition::Edition2024);
        let heads = parse.tree().items().map(|item| match item {
            ast::Item::Impl(item) => impl_head(&item),
            other => panic!("not an impl: {other:?}"),
        });
        let heads: Vec<ImplHead> = heads.collect();
        let head = &heads[0];
        assert_eq!(head.trait_words, ["From", "A"]);
        assert_eq!(head.type_words, ["Vec", "B"]);
        assert!(!head.inherent && head.associated);
        assert_eq!(head.names, ["X", "f"]);
        let head = &heads[1];
        assert!(head.inherent && head.head == "impl B");
    }
}
