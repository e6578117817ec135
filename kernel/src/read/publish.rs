//! Makes the items of a cell accessible from other cells: each cell is compiled as a separate crate,
//! so everything at the top level of a cell is made `pub`, with the fields of its types and the methods
//! of its `impl`s. Items in a module of the user keep the privacy that the user wrote.

use super::text::{Insertion, Space};
use ra_ap_syntax::ast::{self, HasAttrs, HasName, HasVisibility};
use ra_ap_syntax::{AstNode, NodeOrToken, SyntaxElement, SyntaxKind, SyntaxNode, T};

/// The insertions into an item; `before` is subtracted from its offsets.
pub fn item(item: &ast::Item, before: usize) -> Vec<Insertion> {
    let mut edits = Edits {
        before,
        list: Vec::new(),
    };
    match item {
        ast::Item::Struct(item) => {
            edits.publish(item);
            item.field_list()
                .into_iter()
                .for_each(|list| edits.fields(&list));
        }
        ast::Item::Union(item) => {
            edits.publish(item);
            let fields = item.record_field_list().into_iter();
            fields.for_each(|list| edits.fields(&ast::FieldList::RecordFieldList(list)));
        }
        ast::Item::Enum(item) => edits.publish(item),
        ast::Item::Trait(item) => edits.publish(item),
        ast::Item::TypeAlias(item) => edits.publish(item),
        ast::Item::Fn(item) => edits.publish(item),
        ast::Item::Const(item) if item.name().is_some() => edits.publish(item),
        ast::Item::Static(item) => edits.publish(item),
        ast::Item::Module(item) => {
            edits.publish(item);
            edits.restricted(item.syntax());
        }
        ast::Item::Impl(item) if item.trait_().is_none() => {
            for item in item
                .assoc_item_list()
                .into_iter()
                .flat_map(|list| list.assoc_items())
            {
                match item {
                    ast::AssocItem::Fn(item) => edits.publish(&item),
                    ast::AssocItem::Const(item) => edits.publish(&item),
                    ast::AssocItem::TypeAlias(item) => edits.publish(&item),
                    ast::AssocItem::MacroCall(_) => {}
                }
            }
        }
        ast::Item::ExternBlock(item) => {
            for item in item
                .extern_item_list()
                .into_iter()
                .flat_map(|list| list.extern_items())
            {
                match item {
                    ast::ExternItem::Fn(item) => edits.publish(&item),
                    ast::ExternItem::Static(item) => edits.publish(&item),
                    ast::ExternItem::TypeAlias(item) => edits.publish(&item),
                    ast::ExternItem::MacroCall(_) => {}
                }
            }
        }
        ast::Item::MacroRules(item) => edits.macro_rules(item),
        ast::Item::MacroCall(item) => {
            item.token_tree()
                .into_iter()
                .for_each(|tree| edits.tree(tree.syntax()));
        }
        _ => {}
    }
    edits.list
}

/// The insertions into the arguments of a macro that expands to items.
pub fn tokens(tree: &SyntaxNode, before: usize) -> Vec<Insertion> {
    let mut edits = Edits {
        before,
        list: Vec::new(),
    };
    edits.tree(tree);
    edits.list
}

/// The names that such arguments seem to define: the words after `struct`, `static` and similar.
pub fn names(tree: &SyntaxNode) -> Vec<(Space, String)> {
    let elements = elements(tree);
    let mut found = Vec::new();
    for (at, element) in elements.iter().enumerate() {
        let space = match element.kind() {
            T![struct] | T![enum] | T![trait] | T![type] | T![mod] => Space::Type,
            T![static] | T![fn] | T![const] => Space::Value,
            _ => continue,
        };
        let name = elements[at + 1..]
            .iter()
            .find(|next| next.kind() == SyntaxKind::IDENT && next.to_string() != "ref");
        found.extend(name.map(|name| (space, name.to_string())));
    }
    found
}

struct Edits {
    before: usize,
    list: Vec<Insertion>,
}

impl Edits {
    fn insert(&mut self, element: &SyntaxElement, text: &str) {
        let at = usize::from(element.text_range().start()) - self.before;
        self.list.push(Insertion::new(at, text));
    }

    fn publish<N: AstNode + HasVisibility>(&mut self, node: &N) {
        match node.visibility() {
            Some(visibility) => self.widen(&visibility),
            None => {
                if let Some(first) = behind_attributes(node.syntax()) {
                    self.insert(&first, "pub ");
                }
            }
        }
    }

    /// `pub(..)` becomes `pub`.
    fn widen(&mut self, visibility: &ast::Visibility) {
        let range = visibility.syntax().text_range();
        let text = visibility.syntax().text();
        if text != "pub" {
            self.list.push(Insertion {
                at: usize::from(range.start()) - self.before,
                delete: range.len().into(),
                text: "pub".to_owned(),
            });
        }
    }

    fn fields(&mut self, list: &ast::FieldList) {
        match list {
            ast::FieldList::RecordFieldList(list) => {
                list.fields().for_each(|field| self.publish(&field));
            }
            ast::FieldList::TupleFieldList(list) => {
                list.fields().for_each(|field| self.publish(&field));
            }
        }
    }

    /// What a module restricts to its crate becomes visible to the session.
    fn restricted(&mut self, module: &SyntaxNode) {
        let own = ast::Module::cast(module.clone()).and_then(|module| module.visibility());
        for visibility in module.descendants().filter_map(ast::Visibility::cast) {
            if own.as_ref() != Some(&visibility) {
                self.widen(&visibility);
            }
        }
    }

    /// A macro is exported to the root of its crate; the items it expands to are made `pub`, too.
    fn macro_rules(&mut self, item: &ast::MacroRules) {
        let exported = item.attrs().any(|attribute| {
            let path = attribute.path();
            path.is_some_and(|path| path.syntax().text() == "macro_export")
        });
        if !exported && let Some(first) = behind_attributes(item.syntax()) {
            self.insert(&first, "#[macro_export] ");
        }
        let Some(rules) = item.token_tree() else {
            return;
        };
        let elements = elements(rules.syntax());
        for window in elements.windows(3) {
            let [
                SyntaxElement::Token(equals),
                SyntaxElement::Token(greater),
                SyntaxElement::Node(tree),
            ] = window
            else {
                continue;
            };
            if equals.kind() == T![=] && greater.kind() == T![>] {
                self.tree(tree);
            }
        }
        for window in elements.windows(2) {
            if let [SyntaxElement::Token(arrow), SyntaxElement::Node(tree)] = window
                && arrow.kind() == T![=>]
            {
                self.tree(tree);
            }
        }
    }

    /// Tokens in place of items.
    fn tree(&mut self, tree: &SyntaxNode) {
        let elements = elements(tree);
        let mut at = 0;
        while at < elements.len() {
            at = self.item_in(&elements, at);
        }
    }

    /// Skips one item, or other tokens, from `at`.
    fn item_in(&mut self, elements: &[SyntaxElement], mut at: usize) -> usize {
        let kind = |at: usize| elements.get(at).map(SyntaxElement::kind);
        let is_tree = |at: usize| kind(at) == Some(SyntaxKind::TOKEN_TREE);
        // Attributes, and repetitions: of attributes, or of items.
        loop {
            if kind(at) == Some(T![#]) && is_tree(at + 1) {
                at += 2;
            } else if kind(at) == Some(T![$]) && is_tree(at + 1) {
                if let Some(SyntaxElement::Node(tree)) = elements.get(at + 1) {
                    self.tree(tree);
                }
                at += 2;
                while matches!(kind(at), Some(T![*] | T![+] | T![?] | T![,] | T![;])) {
                    at += 1;
                }
            } else {
                break;
            }
        }
        let mut visible = false;
        if kind(at) == Some(T![pub]) {
            visible = true;
            at += 1;
            at += usize::from(is_tree(at));
        } else if kind(at) == Some(T![$]) && !matches!(kind(at + 2), Some(T![:] | T![=] | T![.])) {
            // Probably `$vis`.
            visible = true;
            at += 2;
        }
        let head = kind(at);
        let named = matches!(
            kind(at + 1),
            Some(SyntaxKind::IDENT | T![$] | T![fn] | T![mut] | T![ref] | T![unsafe])
        ) || kind(at + 1) == Some(SyntaxKind::STRING);
        if named && is_head(head) && !visible {
            self.insert(&elements[at], "pub ");
        }
        let mut inherent = head == Some(T![impl]);
        while at < elements.len() {
            match &elements[at] {
                SyntaxElement::Token(token) if token.kind() == T![;] => return at + 1,
                SyntaxElement::Token(token) if token.kind() == T![for] => inherent = false,
                SyntaxElement::Node(tree) => {
                    if head == Some(T![struct]) {
                        self.fields_in(tree);
                    } else if inherent && is_braces(tree) {
                        self.tree(tree);
                    }
                    if is_braces(tree) {
                        return at + 1;
                    }
                }
                SyntaxElement::Token(_) => {}
            }
            at += 1;
        }
        at
    }

    /// `name: type` within the braces of a struct, or the types within its parentheses.
    fn fields_in(&mut self, tree: &SyntaxNode) {
        let elements = elements(tree);
        let kind = |at: usize| elements.get(at).map(SyntaxElement::kind);
        let braces = is_braces(tree);
        let mut at = 0;
        let mut start = true;
        while at < elements.len() {
            if start && kind(at) == Some(T![#]) {
                at += 2;
                continue;
            }
            if start && kind(at) == Some(T![$]) && kind(at + 1) == Some(SyntaxKind::TOKEN_TREE) {
                if let SyntaxElement::Node(tree) = &elements[at + 1] {
                    self.fields_of_repetition(tree, braces);
                }
                at += 2;
                continue;
            }
            if start {
                self.field(&elements, at, braces);
            }
            start = kind(at) == Some(T![,]);
            at += 1;
        }
    }

    fn fields_of_repetition(&mut self, tree: &SyntaxNode, braces: bool) {
        let elements = elements(tree);
        self.field(&elements, 0, braces);
    }

    fn field(&mut self, elements: &[SyntaxElement], at: usize, braces: bool) {
        let kind = |at: usize| elements.get(at).map(SyntaxElement::kind);
        let named = match kind(at) {
            Some(SyntaxKind::IDENT) => kind(at + 1) == Some(T![:]),
            Some(T![$]) => kind(at + 2) == Some(T![:]),
            _ => false,
        };
        let a_type = matches!(
            kind(at),
            Some(SyntaxKind::IDENT | T![&] | SyntaxKind::TOKEN_TREE)
        );
        if braces && named || !braces && a_type {
            self.insert(&elements[at], "pub ");
        }
    }
}

fn is_head(kind: Option<SyntaxKind>) -> bool {
    matches!(
        kind,
        Some(
            T![struct]
                | T![enum]
                | T![fn]
                | T![static]
                | T![const]
                | T![type]
                | T![trait]
                | T![mod]
                | T![unsafe]
                | T![async]
        )
    )
}

fn is_braces(tree: &SyntaxNode) -> bool {
    tree.first_token()
        .is_some_and(|token| token.kind() == T!['{'])
}

/// The elements of a token tree, without its delimiters, spaces and comments.
fn elements(tree: &SyntaxNode) -> Vec<SyntaxElement> {
    let inside = tree.children_with_tokens().filter(|element| {
        let kind = element.kind();
        let delimiter = matches!(
            kind,
            T!['('] | T![')'] | T!['['] | T![']'] | T!['{'] | T!['}']
        );
        !kind.is_trivia() && !delimiter
    });
    inside.collect()
}

/// The first element that is neither an attribute nor a comment.
fn behind_attributes(node: &SyntaxNode) -> Option<SyntaxElement> {
    node.children_with_tokens().find(|element| match element {
        NodeOrToken::Node(node) => node.kind() != SyntaxKind::ATTR,
        NodeOrToken::Token(token) => !token.kind().is_trivia(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ra_ap_syntax::ast::HasModuleItem;
    use ra_ap_syntax::{Edition, SourceFile};

    fn published(code: &str) -> String {
        let parse = SourceFile::parse(code, Edition::Edition2024);
        let mut edits: Vec<Insertion> = parse.tree().items().flat_map(|i| item(&i, 0)).collect();
        edits.sort_by_key(|edit| edit.at);
        let mut text = code.to_owned();
        for edit in edits.iter().rev() {
            text.replace_range(edit.at..edit.at + edit.delete, &edit.text);
        }
        text
    }

    #[test]
    fn items_fields_and_methods_are_made_public() {
        for (private, public) in [
            (
                "struct P { x: i32, pub(crate) y: i32 }",
                "pub struct P { pub x: i32, pub y: i32 }",
            ),
            ("struct T(u8, pub u8);", "pub struct T(pub u8, pub u8);"),
            (
                "/// d\n#[derive(Debug)]\nstruct U;",
                "/// d\n#[derive(Debug)]\npub struct U;",
            ),
            (
                "impl P { fn a(&self) {} const B: u8 = 1; }",
                "impl P { pub fn a(&self) {} pub const B: u8 = 1; }",
            ),
            (
                "impl Tr for P { fn a(&self) {} }",
                "impl Tr for P { fn a(&self) {} }",
            ),
            ("enum E { A(u8) }", "pub enum E { A(u8) }"),
            ("const fn f() {}", "pub const fn f() {}"),
            (
                "mod m { struct Q; pub(super) fn r() {} }",
                "pub mod m { struct Q; pub fn r() {} }",
            ),
            ("const _: () = ();", "const _: () = ();"),
        ] {
            assert_eq!(published(private), public);
        }
    }

    #[test]
    fn what_macros_make_is_made_public() {
        for (private, public) in [
            (
                "macro_rules! unit { ($n:ident) => { #[derive(Debug)] struct $n; }; }",
                "#[macro_export] macro_rules! unit { ($n:ident) => { #[derive(Debug)] pub struct $n; }; }",
            ),
            (
                "macro_rules! m { ($n:ident, $($f:ident : $t:ty),*) => { struct $n { $($f: $t),* } impl $n { fn g(&self) {} } fn h() {} }; }",
                "#[macro_export] macro_rules! m { ($n:ident, $($f:ident : $t:ty),*) => { pub struct $n { $(pub $f: $t),* } impl $n { pub fn g(&self) {} } pub fn h() {} }; }",
            ),
            (
                "macro_rules! sq { ($x:expr) => { $x * $x }; }",
                "#[macro_export] macro_rules! sq { ($x:expr) => { $x * $x }; }",
            ),
            (
                "macro_rules! u { ($x:expr) => { unsafe { $x } }; }",
                "#[macro_export] macro_rules! u { ($x:expr) => { unsafe { $x } }; }",
            ),
            (
                "macro_rules! all { ($($n:ident),*) => { $( struct $n(u8); )* }; }",
                "#[macro_export] macro_rules! all { ($($n:ident),*) => { $( pub struct $n(pub u8); )* }; }",
            ),
            (
                "thread_local! { static N: u8 = 1; }",
                "thread_local! { pub static N: u8 = 1; }",
            ),
            (
                "lazy_static! { static ref L: Vec<u8> = vec![]; }",
                "lazy_static! { pub static ref L: Vec<u8> = vec![]; }",
            ),
        ] {
            assert_eq!(published(private), public);
        }
    }
}
